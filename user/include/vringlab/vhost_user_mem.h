/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The back-end's mappings of what a front-end hands over: memory regions, and whatever
 * else comes as an fd with an offset and a size.
 *
 * A file can be truncated after it was checked. What is mapped here then reads as
 * zeroes, and a flag says so; see the guards in the library.
 */
#ifndef VRINGLAB_VHOST_USER_MEM_H
#define VRINGLAB_VHOST_USER_MEM_H

#include <signal.h>
#include <sys/types.h>

#include <vringlab/vhost_user_msg.h>
#include <vringlab/vring_mem.h>

struct guard;
struct vl_err;

/**
 * struct vu_mapping - A mapped piece of a file
 * @data:	Its first byte; NULL if nothing is mapped.
 * @size:	Bytes.
 * @start:	Of the mapping, which may begin before and end after.
 * @len:	Of the mapping.
 * @guard:	The library's.
 */
struct vu_mapping {
	uint8_t *data;
	uint64_t size;
	void *start;
	size_t len;
	struct guard *guard;
};

/**
 * vu_mapping_open() - Map a piece of a file
 * @map:	Set on success only.
 * @fd:		Stays the caller's.
 * @offset:	In the file.
 * @size:	Bytes.
 * @faulted:	Set to 1 if the file is truncated later and the piece was touched;
 *		outlives the mapping. NULL where nobody wants to know.
 * @err:	What is wrong; may be NULL.
 *
 * Return: 0, or
 * * %-EINVAL - no size, a range that wraps, no regular file, or a file system where
 *   a page fault waits for another process or machine
 * * %-ENXIO - the file is smaller
 * * other - from fstat(2) or mmap(2)
 */
int vu_mapping_open(struct vu_mapping *map, int fd, uint64_t offset, uint64_t size,
		    volatile sig_atomic_t *faulted, struct vl_err *err);

/**
 * vu_mapping_close() - Unmap
 * @map:	Empty afterwards. An empty one is allowed.
 */
void vu_mapping_close(struct vu_mapping *map);

/**
 * struct vu_mem - A mapped memory table
 * @table:	Resolves addresses.
 * @maps:	What to unmap, in no order: regions, their files, and how often they were
 *		added once more.
 * @faulted:	For all mappings, as of vu_mapping_open(). The caller's.
 * @gpa_addresses: The front-end has no user addresses: its guest addresses stand for
 *		them (VHOST_USER_PROTOCOL_F_GPA_ADDRESSES). The caller's.
 */
struct vu_mem {
	struct vring_mem table;
	struct vu_mem_map {
		struct vu_region region;
		dev_t dev;
		ino_t ino;
		unsigned int repeats;
		struct vu_mapping map;
	} maps[VRING_MEM_REGIONS_MAX];
	volatile sig_atomic_t *faulted;
	bool gpa_addresses;
};

/**
 * vu_mem_map() - Map a memory table
 * @mem:	Its table is set on success only.
 * @regions:	As received.
 * @fds:	One for each; stay the caller's.
 * @nr:		Count, up to %VU_REGIONS_MAX.
 * @err:	Which region, and what is wrong with it; may be NULL.
 *
 * Return: 0, or as vu_mem_add().
 */
int vu_mem_map(struct vu_mem *mem, const struct vu_region *regions, const int *fds, unsigned int nr,
	       struct vl_err *err);

/**
 * vu_mem_add() - Map one more region
 * @mem:	Unchanged on failure.
 * @region:	As received.
 * @fd:		Stays the caller's.
 * @err:	What is wrong with it; may be NULL.
 *
 * Return: 0, or
 * * %-EINVAL - an offset that is not page aligned
 * * %-EEXIST - regions overlap, in guest or in user addresses
 * * %-ENOSPC - as many regions as there can be
 * * other - as vu_mapping_open()
 */
int vu_mem_add(struct vu_mem *mem, const struct vu_region *region, int fd, struct vl_err *err);

/**
 * vu_mem_repeat() - Is a region added that is there already?
 * @mem:	Table.
 * @region:	To be added.
 * @fd:		Stays the caller's.
 *
 * The same addresses, size and piece of the same file. QEMU 7.2 adds each region
 * once for each pair of virtqueues, and removes it as often.
 *
 * Return: true if nothing is left to do but to remove it once more later.
 */
bool vu_mem_repeat(struct vu_mem *mem, const struct vu_region *region, int fd);

/**
 * vu_mem_unrepeat() - Is a region removed that was added more than once?
 * @mem:	Table.
 * @region:	To be removed.
 *
 * Return: true if it stays.
 */
bool vu_mem_unrepeat(struct vu_mem *mem, const struct vu_region *region);

/**
 * vu_mem_remove() - Unmap a region
 * @mem:	Memory.
 * @region:	As received; its offset does not count.
 *
 * Return: 0, or %-ENOENT if no region has its three other values.
 */
int vu_mem_remove(struct vu_mem *mem, const struct vu_region *region);

/**
 * vu_mem_unmap() - Unmap a memory table
 * @mem:	Has no regions afterwards. One without any is allowed.
 */
void vu_mem_unmap(struct vu_mem *mem);

#endif /* VRINGLAB_VHOST_USER_MEM_H */
