// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What a PVH guest is told: xen/include/public/arch-x86/hvm/start_info.h.
 */
#include <string.h>

#include "internal.h"

#define START_MAGIC 0x336ec578u
#define START_VERSION 1u /* the first with a memory map */

struct hvm_start_info {
	uint32_t magic;
	uint32_t version;
	uint32_t flags;
	uint32_t nr_modules;
	uint64_t modlist_paddr;
	uint64_t cmdline_paddr;
	uint64_t rsdp_paddr;
	uint64_t memmap_paddr;
	uint32_t memmap_entries;
	uint32_t reserved;
};

struct hvm_modlist_entry {
	uint64_t paddr;
	uint64_t size;
	uint64_t cmdline_paddr;
	uint64_t reserved;
};

struct hvm_memmap_table_entry {
	uint64_t addr;
	uint64_t size;
	uint32_t type;
	uint32_t reserved;
};

struct start {
	struct hvm_start_info info;
	struct hvm_modlist_entry initrd;
	struct hvm_memmap_table_entry memmap[BOOT_RANGES_MAX];
};

void boot_start_info(const struct boot *boot, uint8_t *ram)
{
	struct boot_range ranges[BOOT_RANGES_MAX];
	struct start start = {
		.info = {
			.magic = START_MAGIC,
			.version = START_VERSION,
			.nr_modules = boot->initrd_bytes ? 1 : 0,
			.modlist_paddr = PARAMS_GPA + offsetof(struct start, initrd),
			.cmdline_paddr = CMDLINE_GPA,
			.rsdp_paddr = PC_ACPI_GPA,
			.memmap_paddr = PARAMS_GPA + offsetof(struct start, memmap),
			.memmap_entries = boot_memory_map(boot, ranges),
		},
		.initrd = { .paddr = boot->initrd_gpa, .size = boot->initrd_bytes },
	};

	for (unsigned int i = 0; i < start.info.memmap_entries; i++) {
		start.memmap[i].addr = ranges[i].gpa;
		start.memmap[i].size = ranges[i].bytes;
		start.memmap[i].type = ranges[i].type;
	}
	memcpy(ram + PARAMS_GPA, &start, sizeof(start));
}
