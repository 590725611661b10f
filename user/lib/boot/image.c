// SPDX-License-Identifier: LGPL-2.1-or-later
#include <elf.h>
#include <errno.h>
#include <string.h>

#include <vringlab/err.h>
#include <vringlab/fd.h>

#include "internal.h"

/* Of a bzImage, Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header". */
#define SETUP_HEADER_OFFSET 0x1f1u
#define BOOT_FLAG 0xaa55u
#define HEADER_MAGIC 0x53726448u /* "HdrS" */

#define HEAD_BYTES (SETUP_HEADER_OFFSET + sizeof(struct setup_header))

int boot_image_add(struct boot_image *image, const struct boot_segment *segment, struct vl_err *err)
{
	uint64_t end = segment->gpa + segment->memory_bytes;

	if (segment->gpa < KERNEL_MIN_GPA || end < segment->gpa || end > PC_LOW_MEMORY_MAX)
		return vl_err_set(err, -ERANGE,
				  "%s wants %#llx bytes at %#llx: a kernel is from 1 MiB to 3 GiB",
				  image->path, (unsigned long long)segment->memory_bytes,
				  (unsigned long long)segment->gpa);
	for (unsigned int i = 0; i < image->nr_segments; i++) {
		const struct boot_segment *other = &image->segment[i];

		if (segment->gpa < other->gpa + other->memory_bytes && other->gpa < end)
			return vl_err_set(err, -EBADMSG, "%s: segments %#llx and %#llx overlap",
					  image->path, (unsigned long long)other->gpa,
					  (unsigned long long)segment->gpa);
	}
	if (image->nr_segments == BOOT_SEGMENTS_MAX)
		return vl_err_set(err, -EBADMSG, "%s has more than %u segments", image->path,
				  BOOT_SEGMENTS_MAX);
	image->segment[image->nr_segments++] = *segment;
	if (end > image->end_gpa)
		image->end_gpa = end;
	return 0;
}

static int check(struct boot_image *image, struct vl_err *err)
{
	uint8_t head[HEAD_BYTES] = { 0 };
	struct setup_header setup;
	uint64_t there = image->bytes < sizeof(head) ? image->bytes : sizeof(head);
	int ret;

	ret = boot_file_read(image->fd, image->path, 0, head, there, err);
	if (ret)
		return ret;
	memcpy(&setup, head + SETUP_HEADER_OFFSET, sizeof(setup));
	if (!memcmp(head, ELFMAG, SELFMAG))
		return boot_elf_check(image, err);
	if (setup.boot_flag == BOOT_FLAG && setup.header == HEADER_MAGIC)
		return boot_bzimage_check(image, &setup, err);
	if (!image->bytes)
		return vl_err_set(err, -ENODATA, "%s is empty", image->path);
	return vl_err_set(err, -ENOEXEC,
			  "%s is neither a bzImage (vmlinuz) nor an ELF image (vmlinux)",
			  image->path);
}

int boot_image_open(struct boot_image *image, const char *path, struct vl_err *err)
{
	struct boot_image new = { .path = path };
	int ret;

	new.fd = boot_file_open(path, &new.bytes, err);
	if (new.fd < 0)
		return new.fd;
	ret = check(&new, err);
	if (ret) {
		vl_fd_close(&new.fd);
		return ret;
	}
	*image = new;
	return 0;
}

void boot_image_close(struct boot_image *image)
{
	vl_fd_close(&image->fd);
}
