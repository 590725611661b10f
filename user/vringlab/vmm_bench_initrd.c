// SPDX-License-Identifier: GPL-2.0-only
/*
 * Documentation/driver-api/early-userspace/buffer-format.rst in the kernel: a cpio
 * archive, "newc", that is unpacked over what an initrd before it has put there.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <vringlab/err.h>

#include "vmm_bench_job.h"

#define MAGIC "070701"
#define FIELDS 13u
#define HEADER_BYTES (sizeof(MAGIC) - 1 + FIELDS * 8)
#define TRAILER "TRAILER!!!"

struct file {
	const char *name;
	mode_t mode;
	const void *data;
	size_t bytes;
};

static size_t padded(size_t bytes)
{
	return (bytes + 3) & ~(size_t)3;
}

/* Header and name are padded together. */
static size_t packed_bytes(const struct file *file)
{
	return padded(HEADER_BYTES + strlen(file->name) + 1) + padded(file->bytes);
}

/* Returns where its data are. */
static void *pack(uint8_t *to, const struct file *file)
{
	const uint32_t name_bytes = strlen(file->name) + 1;
	/* inode, mode, owner, links, time, size, devices, length of the name, checksum */
	const uint32_t fields[FIELDS] = {
		0, file->mode, 0, 0, 1, 0, file->bytes, 0, 0, 0, 0, name_bytes, 0,
	};
	char digits[9];

	memcpy(to, MAGIC, sizeof(MAGIC) - 1);
	for (unsigned int i = 0; i < FIELDS; i++) {
		snprintf(digits, sizeof(digits), "%08x", fields[i]);
		memcpy(to + sizeof(MAGIC) - 1 + 8 * i, digits, 8);
	}
	memcpy(to + HEADER_BYTES, file->name, name_bytes);
	to += padded(HEADER_BYTES + name_bytes);
	if (file->bytes)
		memcpy(to, file->data, file->bytes);
	return to;
}

int vmm_bench_pack(struct vmm_bench *bench, struct vl_err *err)
{
	const struct file files[] = {
		{ "init", S_IFREG | 0755, vmm_guest_linux_bench_start,
		  vmm_guest_linux_bench_end - vmm_guest_linux_bench_start },
		{ &BENCH_FILE[1], S_IFREG | 0600, &bench->config, sizeof(bench->config) },
		{ TRAILER, 0, NULL, 0 },
	};
	const unsigned int nr = sizeof(files) / sizeof(files[0]);
	void *data[sizeof(files) / sizeof(files[0])];
	uint8_t *at;

	for (unsigned int i = 0; i < nr; i++)
		bench->initrd_bytes += packed_bytes(&files[i]);
	bench->initrd = calloc(1, bench->initrd_bytes);
	if (!bench->initrd)
		return vl_err_set(err, -ENOMEM, "no memory for an initramfs");
	at = bench->initrd;
	for (unsigned int i = 0; i < nr; i++) {
		data[i] = pack(at, &files[i]);
		at += packed_bytes(&files[i]);
	}
	bench->config_in_initrd = data[1];
	return 0;
}
