/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The back-end's mappings of a front-end's memory table.
 */
#ifndef VRINGLAB_VHOST_USER_MEM_H
#define VRINGLAB_VHOST_USER_MEM_H

#include <vringlab/vhost_user_msg.h>
#include <vringlab/vring.h>

struct vl_err;

/**
 * struct vu_mem - A mapped memory table
 * @table:	Resolves addresses.
 * @maps:	What to unmap, in the order of @table: a mapping may begin before its
 *		region and end after it.
 */
struct vu_mem {
	struct vring_mem table;
	struct vu_mem_map {
		void *start;
		size_t len;
	} maps[VU_REGIONS_MAX];
};

/**
 * vu_mem_map() - Map a memory table
 * @mem:	Set on success only.
 * @regions:	As received.
 * @fds:	One for each; stay the caller's.
 * @nr:		Count, up to %VU_REGIONS_MAX.
 * @err:	Which region, and what is wrong with it; may be NULL.
 *
 * Return: 0, or
 * * %-EINVAL - no size, a range that wraps, an offset that is not page aligned, or
 *   an fd that is no regular file
 * * %-EEXIST - regions overlap, in guest or in user addresses
 * * %-ENXIO - the file is smaller than the region
 * * other - from fstat(2) or mmap(2)
 */
int vu_mem_map(struct vu_mem *mem, const struct vu_region *regions, const int *fds, unsigned int nr,
	       struct vl_err *err);

/**
 * vu_mem_unmap() - Unmap a memory table
 * @mem:	Table; empty afterwards. An empty one is allowed.
 */
void vu_mem_unmap(struct vu_mem *mem);

#endif /* VRINGLAB_VHOST_USER_MEM_H */
