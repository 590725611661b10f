/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the files of this library share: where things are below 1 MiB.
 *
 *   0x00500  GDT
 *   0x07000  the zero page of a bzImage, or struct hvm_start_info and what it names
 *   0x20000  command line
 *   0xa0000  end of the memory that the kernel may use
 *   0xe0000  ACPI tables
 */
#ifndef BOOT_INTERNAL_H
#define BOOT_INTERNAL_H

#include <stddef.h>
#include <stdint.h>

#include <vringlab/boot.h>
#include <vringlab/pc.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define GDT_GPA 0x500u
#define PARAMS_GPA 0x7000u
#define CMDLINE_GPA 0x20000u
#define CMDLINE_MAX 0x10000u
#define BASE_MEMORY_END 0xa0000u

/* The kernel and its initrd are behind the BIOS area, which holds the ACPI tables. */
#define KERNEL_MIN_GPA 0x100000ull

/* file.c */
/* Opens a regular file. Returns the fd. */
int boot_file_open(const char *path, uint64_t *bytes, struct vl_err *err);
/* Reads exactly so much; -ENODATA where the file ends before. */
int boot_file_read(int fd, const char *path, uint64_t offset, void *to, uint64_t bytes,
		   struct vl_err *err);

/* bzimage.c, elf.c: fill the rest of an image, whose first bytes are @head. */
int boot_bzimage_check(struct boot_image *image, const struct setup_header *head,
		       struct vl_err *err);
int boot_elf_check(struct boot_image *image, struct vl_err *err);
/* Adds a segment that was checked against the file. */
int boot_image_add(struct boot_image *image, const struct boot_segment *segment,
		   struct vl_err *err);

/* e820.c */
struct boot_range {
	uint64_t gpa;
	uint64_t bytes;
	uint32_t type; /* E820_TYPE_* */
};

#define BOOT_RANGES_MAX 6u

unsigned int boot_memory_map(const struct boot *boot, struct boot_range *ranges);

/* zero_page.c, start_info.c */
void boot_zero_page(const struct boot *boot, uint8_t *ram);
void boot_start_info(const struct boot *boot, uint8_t *ram);

/* acpi.c */
void boot_acpi(const struct boot_machine *machine, uint8_t *ram);

#endif /* BOOT_INTERNAL_H */
