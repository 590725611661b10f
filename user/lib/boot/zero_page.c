// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * struct boot_params, the "zero page" of Documentation/arch/x86/zero-page.rst.
 */
#include <string.h>

#include "internal.h"

/* boot.rst, type_of_loader: none of those that have a number. */
#define LOADER_UNDEFINED 0xffu

void boot_zero_page(const struct boot *boot, uint8_t *ram)
{
	struct boot_params *params = (struct boot_params *)(ram + PARAMS_GPA);
	struct boot_range ranges[BOOT_RANGES_MAX];

	memset(params, 0, sizeof(*params));
	params->hdr = boot->image.setup;
	params->hdr.type_of_loader = LOADER_UNDEFINED;
	params->hdr.code32_start = boot->image.entry_gpa;
	params->hdr.cmd_line_ptr = CMDLINE_GPA;
	params->hdr.ramdisk_image = boot->initrd_gpa;
	params->hdr.ramdisk_size = boot->initrd_bytes;
	params->hdr.setup_data = 0;
	params->acpi_rsdp_addr = PC_ACPI_GPA;
	params->e820_entries = boot_memory_map(boot, ranges);
	for (unsigned int i = 0; i < params->e820_entries; i++) {
		params->e820_table[i].addr = ranges[i].gpa;
		params->e820_table[i].size = ranges[i].bytes;
		params->e820_table[i].type = ranges[i].type;
	}
}
