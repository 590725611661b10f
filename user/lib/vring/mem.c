// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stddef.h>

#include <vringlab/vring.h>

/*
 * Bounds are compared by subtraction: start + len could wrap, and both come
 * from the other side.
 */
static bool overlap(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
	return a < b ? b - a < a_size : a - b < b_size;
}

static bool contains(uint64_t start, uint64_t size, uint64_t addr)
{
	return addr >= start && addr - start < size;
}

int vring_mem_add(struct vring_mem *mem, const struct vring_mem_region *region)
{
	uint64_t size = region->size;

	if (!size || !region->host)
		return -EINVAL;
	if (size > UINT64_MAX - region->guest_addr || size > UINT64_MAX - region->user_addr ||
	    size > UINTPTR_MAX - (uintptr_t)region->host)
		return -EINVAL;
	for (unsigned int i = 0; i < mem->nr; i++) {
		const struct vring_mem_region *r = &mem->regions[i];

		if (overlap(r->guest_addr, r->size, region->guest_addr, size) ||
		    overlap(r->user_addr, r->size, region->user_addr, size))
			return -EEXIST;
	}
	if (mem->nr == VRING_MEM_REGIONS_MAX)
		return -ENOSPC;
	mem->regions[mem->nr++] = *region;
	return 0;
}

static const struct vring_mem_region *find_gpa(const struct vring_mem *mem, uint64_t gpa)
{
	for (unsigned int i = 0; i < mem->nr; i++)
		if (contains(mem->regions[i].guest_addr, mem->regions[i].size, gpa))
			return &mem->regions[i];
	return NULL;
}

static const struct vring_mem_region *find_uva(const struct vring_mem *mem, uint64_t uva)
{
	for (unsigned int i = 0; i < mem->nr; i++)
		if (contains(mem->regions[i].user_addr, mem->regions[i].size, uva))
			return &mem->regions[i];
	return NULL;
}

void *vring_mem_gpa(const struct vring_mem *mem, uint64_t gpa, uint64_t len)
{
	const struct vring_mem_region *r = find_gpa(mem, gpa);

	if (!r || !len || len > r->size - (gpa - r->guest_addr))
		return NULL;
	return r->host + (gpa - r->guest_addr);
}

void *vring_mem_uva(const struct vring_mem *mem, uint64_t uva, uint64_t len)
{
	const struct vring_mem_region *r = find_uva(mem, uva);

	if (!r || !len || len > r->size - (uva - r->user_addr))
		return NULL;
	return r->host + (uva - r->user_addr);
}

int vring_mem_gpa_iov(const struct vring_mem *mem, uint64_t gpa, uint64_t len, struct iovec *iov,
		      unsigned int nr_iov)
{
	int nr = 0;

	if (!len)
		return -EINVAL;
	/*
	 * Every turn but the last consumes the rest of a region: one turn each at
	 * most. gpa cannot wrap, because no region holds the last address.
	 */
	while (len) {
		const struct vring_mem_region *r = find_gpa(mem, gpa);
		uint64_t piece;

		if (!r)
			return -EFAULT;
		if ((unsigned int)nr == nr_iov)
			return -ENOBUFS;
		piece = r->size - (gpa - r->guest_addr);
		if (piece > len)
			piece = len;
		iov[nr].iov_base = r->host + (gpa - r->guest_addr);
		iov[nr++].iov_len = piece;
		gpa += piece;
		len -= piece;
	}
	return nr;
}
