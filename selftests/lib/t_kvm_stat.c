// SPDX-License-Identifier: GPL-2.0-only
/* KVM's own statistics by name, see t_vcpu.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/kvm.h>

#include "t_vcpu.h"

static int read_at(int fd, void *buf, size_t size, off_t offset)
{
	ssize_t got = pread(fd, buf, size, offset);

	if (got < 0)
		return -errno;
	return (size_t)got == size ? 0 : -EPROTO;
}

/* A descriptor has its name behind it. */
static int find(int fd, const struct kvm_stats_header *head, const char *name, uint64_t *value)
{
	size_t size = sizeof(struct kvm_stats_desc) + head->name_size;
	struct kvm_stats_desc *desc = malloc(size);
	uint32_t i;
	int ret = desc ? -ENOENT : -ENOMEM;

	for (i = 0; ret == -ENOENT && i < head->num_desc; i++) {
		ret = read_at(fd, desc, size, head->desc_offset + i * size);
		if (!ret && strncmp((const char *)(desc + 1), name, head->name_size))
			ret = -ENOENT;
	}
	if (!ret)
		ret = read_at(fd, value, sizeof(*value), head->data_offset + desc->offset);
	free(desc);
	return ret;
}

int t_kvm_stat(int stats, const char *name, uint64_t *value)
{
	struct kvm_stats_header head;
	int ret = read_at(stats, &head, sizeof(head), 0);

	return ret ? ret : find(stats, &head, name, value);
}
