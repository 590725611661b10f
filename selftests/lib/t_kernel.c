// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include <asm/bootparam.h>

#include "t_kernel.h"

void t_kernel_make(uint8_t *image, const void *code, size_t nr)
{
	struct setup_header setup = {
		.setup_sects = 4,
		.syssize = T_KERNEL_CODE_BYTES / 16,
		.boot_flag = 0xaa55,
		.jump = 0x66eb,
		.header = 0x53726448,
		.version = 0x020f,
		.loadflags = LOADED_HIGH,
		.initrd_addr_max = 0x7fffffff,
		.kernel_alignment = 0x200000,
		.relocatable_kernel = 1,
		.xloadflags = XLF_KERNEL_64,
		.cmdline_size = T_KERNEL_CMDLINE_BYTES,
		.payload_offset = 16,
		.payload_length = T_KERNEL_CODE_BYTES - 16,
		.pref_address = T_KERNEL_GPA,
		.init_size = T_KERNEL_INIT_BYTES,
	};

	memset(image, 0, T_KERNEL_BYTES);
	memcpy(image + offsetof(struct boot_params, hdr), &setup, sizeof(setup));
	memcpy(image + T_KERNEL_SETUP_BYTES, code, nr);
}
