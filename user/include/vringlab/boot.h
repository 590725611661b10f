/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A Linux kernel for a guest without firmware: the image and the initrd are checked
 * while there is no guest yet, then put into its memory, with the tables that tell
 * the kernel what machine this is.
 *
 * Two formats: a bzImage, by the boot protocol's 32-bit entry
 * (Documentation/arch/x86/boot.rst in the kernel), and an ELF image, by the entry of
 * its PVH note (xen/include/public/arch-x86/hvm/start_info.h in Xen). Both start in
 * flat 32-bit protected mode without paging.
 */
#ifndef VRINGLAB_BOOT_H
#define VRINGLAB_BOOT_H

#include <stdbool.h>
#include <stdint.h>

#include <asm/bootparam.h>

struct vl_err;
struct vmm_regs;

/**
 * enum boot_format - What kind of image a file is
 * @BOOT_BZIMAGE: What a kernel's package has as vmlinuz.
 * @BOOT_PVH: ELF, 64-bit, with a PVH entry: vmlinux of a kernel with CONFIG_PVH.
 */
enum boot_format {
	BOOT_BZIMAGE,
	BOOT_PVH,
};

/**
 * struct boot_segment - A piece of the file, and where it goes
 * @offset:	In the file.
 * @file_bytes:	Count in the file; the rest of @memory_bytes is zero.
 * @gpa:	Guest physical address.
 * @memory_bytes: Count in memory.
 */
struct boot_segment {
	uint64_t offset;
	uint64_t file_bytes;
	uint64_t gpa;
	uint64_t memory_bytes;
};

#define BOOT_SEGMENTS_MAX 16u

/**
 * struct boot_image - A kernel image that was found good
 * @fd:		The file.
 * @path:	Its name, for messages.
 * @bytes:	Size of the file.
 * @format:	Which kind.
 * @entry_gpa:	Where the guest starts.
 * @end_gpa:	Behind all memory that the kernel takes before it reads the map of it.
 * @initrd_max:	Last address that an initrd may have.
 * @cmdline_max: Longest command line.
 * @nr_segments: Count.
 * @segment:	What goes to memory; they do not overlap.
 * @setup:	The setup header of a bzImage.
 */
struct boot_image {
	int fd;
	const char *path;
	uint64_t bytes;
	enum boot_format format;
	uint32_t entry_gpa;
	uint64_t end_gpa;
	uint64_t initrd_max;
	uint32_t cmdline_max;
	unsigned int nr_segments;
	struct boot_segment segment[BOOT_SEGMENTS_MAX];
	struct setup_header setup;
};

/**
 * boot_image_open() - Open a kernel image and check it
 * @image:	Set on success only.
 * @path:	File; the string must outlive @image.
 * @err:	What is wrong, with the cure; may be NULL.
 *
 * Return: 0, or
 * * %-ENOENT, %-EACCES and others - from open(2)
 * * %-EISDIR - not a regular file
 * * %-ENOEXEC - neither a bzImage nor ELF
 * * %-EOPNOTSUPP - a kernel that cannot be started here: too old, not for x86-64,
 *   without a PVH entry
 * * %-ENODATA - truncated: the file ends before what its header promises
 * * %-EBADMSG - fields of the header contradict each other
 * * %-ERANGE - it wants memory that no guest has, below 1 MiB or beyond 3 GiB
 */
int boot_image_open(struct boot_image *image, const char *path, struct vl_err *err);

/**
 * boot_image_close() - Close the file
 * @image:	Image.
 */
void boot_image_close(struct boot_image *image);

/**
 * struct boot_config - What is to be booted
 * @kernel:	Path of the image.
 * @initrd:	Path of the initrd, NULL for none.
 * @more:	What is to follow the initrd, an initramfs of its own; NULL for nothing.
 * @more_bytes:	Its size.
 * @cmdline:	Command line, "" for none.
 * @memory:	Bytes of guest memory.
 */
struct boot_config {
	const char *kernel;
	const char *initrd;
	const void *more;
	uint64_t more_bytes;
	const char *cmdline;
	uint64_t memory;
};

/**
 * struct boot - A kernel, its initrd and where they go
 * @image:	Kernel.
 * @cmdline:	Command line.
 * @initrd_fd:	-1 for none.
 * @initrd_path: For messages.
 * @file_bytes:	Its size, 0 for none.
 * @more:	What follows at the next multiple of 4, where the kernel looks for it.
 * @more_bytes:	Its size, 0 for none.
 * @initrd_gpa:	Where to.
 * @initrd_bytes: Of both, 0 for none.
 * @low:	Bytes of memory from 0.
 * @high:	Bytes of memory from 4 GiB.
 */
struct boot {
	struct boot_image image;
	const char *cmdline;
	int initrd_fd;
	const char *initrd_path;
	uint64_t file_bytes;
	const void *more;
	uint64_t more_bytes;
	uint64_t initrd_gpa;
	uint64_t initrd_bytes;
	uint64_t low;
	uint64_t high;
};

/**
 * boot_open() - Check all that will be booted
 * @boot:	Set on success only.
 * @config:	What; its strings must outlive @boot.
 * @err:	What is wrong, with the cure; may be NULL.
 *
 * Return: 0, or as boot_image_open(), of the initrd too, or
 * * %-ENOSPC - the memory does not suffice
 * * %-E2BIG - the command line is longer than the kernel takes
 * * %-ENODATA - the initrd is empty
 */
int boot_open(struct boot *boot, const struct boot_config *config, struct vl_err *err);

/**
 * boot_close() - Close the files
 * @boot:	Opened.
 */
void boot_close(struct boot *boot);

/**
 * struct boot_machine - What the ACPI tables say of the machine
 * @nr_cpus:	At most PC_CPUS_MAX; their local APICs have the ids from 0.
 * @virtio_mmio: A bit for each virtio-mmio device that is there.
 */
struct boot_machine {
	unsigned int nr_cpus;
	uint32_t virtio_mmio;
};

/**
 * boot_load() - Put everything into guest memory
 * @boot:	Opened.
 * @machine:	For the ACPI tables.
 * @ram:	Where guest memory from 0 is mapped here, @boot->low bytes, all zero.
 * @err:	What went wrong, may be NULL.
 *
 * Return: 0, %-ENODATA where a file has shrunk since boot_open(), or a negative errno
 * of pread(2).
 */
int boot_load(const struct boot *boot, const struct boot_machine *machine, uint8_t *ram,
	      struct vl_err *err);

/**
 * boot_virtio_mmio_gsi() - Interrupt of a virtio-mmio device
 * @index:	Less than PC_VIRTIO_MMIO_MAX.
 *
 * Return: its GSI, as the ACPI tables have it: edge triggered, and its own.
 */
unsigned int boot_virtio_mmio_gsi(unsigned int index);

/**
 * boot_start_regs() - The state in which the first vCPU starts
 * @boot:	Loaded.
 * @regs:	As vmm_regs_get() gave them; changed.
 */
void boot_start_regs(const struct boot *boot, struct vmm_regs *regs);

#endif /* VRINGLAB_BOOT_H */
