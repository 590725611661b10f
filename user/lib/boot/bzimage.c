// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The setup header of a bzImage, Documentation/arch/x86/boot.rst. What follows the
 * real-mode code in the file is loaded where the kernel would like to run, which
 * saves it from moving itself.
 */
#include <errno.h>

#include <vringlab/err.h>

#include "internal.h"

#define SECTOR 512u
#define SETUP_SECTORS_DEFAULT 4u

/* The first with xloadflags, which tell a kernel for x86-64. */
#define PROTOCOL_MIN 0x020cu

/* The header's length is from 0x202, and is the second byte of the jump before it. */
#define HEADER_START 0x202u
#define HEADER_END_MIN 0x264u

static int check_kind(const struct boot_image *image, const struct setup_header *setup,
		      struct vl_err *err)
{
	if (setup->version < PROTOCOL_MIN)
		return vl_err_set(err, -EOPNOTSUPP,
				  "%s speaks boot protocol %u.%02u: use Linux 3.8 or newer",
				  image->path, setup->version >> 8, setup->version & 0xff);
	if (!(setup->loadflags & LOADED_HIGH))
		return vl_err_set(err, -EOPNOTSUPP, "%s is a zImage: use a bzImage", image->path);
	if (!(setup->xloadflags & XLF_KERNEL_64))
		return vl_err_set(err, -EOPNOTSUPP, "%s is a 32-bit kernel: use one for x86-64",
				  image->path);
	return 0;
}

static int lies(const struct boot_image *image, const char *field, uint64_t value,
		struct vl_err *err)
{
	return vl_err_set(err, -EBADMSG, "%s: %s %#llx in its setup header cannot be", image->path,
			  field, (unsigned long long)value);
}

static int check_fields(const struct boot_image *image, const struct setup_header *setup,
			uint64_t setup_bytes, uint64_t kernel_bytes, struct vl_err *err)
{
	uint32_t alignment = setup->kernel_alignment;
	uint64_t header_end = HEADER_START + (setup->jump >> 8);

	if (header_end < HEADER_END_MIN || header_end > setup_bytes)
		return lies(image, "end", header_end, err);
	if (!alignment || alignment & (alignment - 1))
		return lies(image, "kernel_alignment", alignment, err);
	if (setup->pref_address & (alignment - 1))
		return lies(image, "pref_address", setup->pref_address, err);
	if (setup->init_size < kernel_bytes)
		return lies(image, "init_size", setup->init_size, err);
	if (setup->payload_offset > kernel_bytes)
		return lies(image, "payload_offset", setup->payload_offset, err);
	if (!setup->payload_length || setup->payload_length > kernel_bytes - setup->payload_offset)
		return lies(image, "payload_length", setup->payload_length, err);
	if (!setup->cmdline_size)
		return lies(image, "cmdline_size", setup->cmdline_size, err);
	return 0;
}

int boot_bzimage_check(struct boot_image *image, const struct setup_header *setup,
		       struct vl_err *err)
{
	uint64_t sectors = setup->setup_sects ? setup->setup_sects : SETUP_SECTORS_DEFAULT;
	uint64_t setup_bytes = (1 + sectors) * SECTOR;
	/* in units of 16 bytes */
	uint64_t kernel_bytes = (uint64_t)setup->syssize * 16;
	struct boot_segment segment = {
		.offset = setup_bytes,
		.file_bytes = kernel_bytes,
		.gpa = setup->pref_address,
		.memory_bytes = setup->init_size,
	};
	int ret;

	ret = check_kind(image, setup, err);
	if (ret)
		return ret;
	if (!kernel_bytes)
		return lies(image, "syssize", 0, err);
	if (setup_bytes + kernel_bytes > image->bytes)
		return vl_err_set(err, -ENODATA, "%s is truncated: %llu of at least %llu bytes",
				  image->path, (unsigned long long)image->bytes,
				  (unsigned long long)(setup_bytes + kernel_bytes));
	ret = check_fields(image, setup, setup_bytes, kernel_bytes, err);
	if (ret)
		return ret;
	ret = boot_image_add(image, &segment, err);
	if (ret)
		return ret;
	image->format = BOOT_BZIMAGE;
	image->setup = *setup;
	image->entry_gpa = segment.gpa;
	image->initrd_max = setup->initrd_addr_max;
	image->cmdline_max = setup->cmdline_size < CMDLINE_MAX ? setup->cmdline_size :
								 CMDLINE_MAX - 1;
	return 0;
}
