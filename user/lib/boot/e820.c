// SPDX-License-Identifier: LGPL-2.1-or-later
#include "internal.h"

/* arch/x86/include/asm/e820/types.h */
#define E820_TYPE_RAM 1u
#define E820_TYPE_RESERVED 2u

unsigned int boot_memory_map(const struct boot *boot, struct boot_range *ranges)
{
	unsigned int nr = 0;

	ranges[nr++] = (struct boot_range){ 0, BASE_MEMORY_END, E820_TYPE_RAM };
	ranges[nr++] = (struct boot_range){ PC_ACPI_GPA, KERNEL_MIN_GPA - PC_ACPI_GPA,
					    E820_TYPE_RESERVED };
	ranges[nr++] =
		(struct boot_range){ KERNEL_MIN_GPA, boot->low - KERNEL_MIN_GPA, E820_TYPE_RAM };
	ranges[nr++] = (struct boot_range){ PC_ECAM_GPA, PC_ECAM_SIZE, E820_TYPE_RESERVED };
	if (boot->high)
		ranges[nr++] = (struct boot_range){ PC_HIGH_MEMORY_GPA, boot->high, E820_TYPE_RAM };
	return nr;
}
