// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <string.h>

#include "mem.h"

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
	unsigned int at = 0;

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
		if (r->guest_addr < region->guest_addr)
			at = i + 1;
	}
	if (mem->nr == VRING_MEM_REGIONS_MAX)
		return -ENOSPC;
	memmove(&mem->regions[at + 1], &mem->regions[at], (mem->nr - at) * sizeof(*region));
	mem->regions[at] = *region;
	mem->nr++;
	return 0;
}

int vring_mem_remove(struct vring_mem *mem, uint64_t guest_addr, uint64_t user_addr, uint64_t size)
{
	for (unsigned int i = 0; i < mem->nr; i++) {
		struct vring_mem_region *r = &mem->regions[i];

		if (r->guest_addr != guest_addr || r->user_addr != user_addr || r->size != size)
			continue;
		memmove(r, r + 1, (mem->nr - i - 1) * sizeof(*r));
		/* a ring may remember the place of the region that it hit last */
		mem->regions[--mem->nr] = (struct vring_mem_region){ 0 };
		return 0;
	}
	return -ENOENT;
}

const struct vring_mem_region *mem_find_gpa(const struct vring_mem *mem, uint64_t gpa)
{
	unsigned int low = 0, high = mem->nr;

	while (low < high) {
		unsigned int mid = (low + high) / 2;
		const struct vring_mem_region *r = &mem->regions[mid];

		if (contains(r->guest_addr, r->size, gpa))
			return r;
		if (gpa < r->guest_addr)
			high = mid;
		else
			low = mid + 1;
	}
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
	const struct vring_mem_region *r = mem_find_gpa(mem, gpa);

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

/* Pieces of a range, as they are found. */
struct pieces {
	struct iovec *iov;
	unsigned int nr;
	unsigned int max;
};

/*
 * The start of a range, as far as one region has it: @offset bytes into it. Returns
 * how many bytes that is, or a negative errno.
 */
static int64_t add_piece(struct pieces *to, const struct vring_mem_region *r, uint64_t offset,
			 uint64_t len)
{
	uint8_t *host = r->host + offset;
	uint64_t piece = len < r->size - offset ? len : r->size - offset;
	/* there may be no array at all, and then there is none */
	struct iovec *last = to->nr ? to->iov + to->nr - 1 : NULL;

	/* translations are small: what they cut may be one piece of the region */
	if (last && offset && host == (uint8_t *)last->iov_base + last->iov_len) {
		last->iov_len += piece;
		return piece;
	}
	if (to->nr == to->max)
		return -ENOBUFS;
	to->iov[to->nr++] = (struct iovec){ .iov_base = host, .iov_len = piece };
	return piece;
}

int vring_mem_gpa_iov(const struct vring_mem *mem, uint64_t gpa, uint64_t len, struct iovec *iov,
		      unsigned int nr_iov)
{
	struct pieces to = { .iov = iov, .max = nr_iov };

	if (!len)
		return -EINVAL;
	/*
	 * Every turn but the last consumes the rest of a region: one turn each at
	 * most. gpa cannot wrap, because no region holds the last address.
	 */
	while (len) {
		const struct vring_mem_region *r = mem_find_gpa(mem, gpa);
		int64_t piece;

		if (!r)
			return -EFAULT;
		piece = add_piece(&to, r, gpa - r->guest_addr, len);
		if (piece < 0)
			return piece;
		gpa += piece;
		len -= piece;
	}
	return to.nr;
}

/* One translation's worth of a range. */
static int add_uva(const struct vring_mem *mem, struct pieces *to, uint64_t uva, uint64_t len)
{
	while (len) {
		const struct vring_mem_region *r = find_uva(mem, uva);
		int64_t piece;

		if (!r)
			return -EFAULT;
		piece = add_piece(to, r, uva - r->user_addr, len);
		if (piece < 0)
			return piece;
		uva += piece;
		len -= piece;
	}
	return 0;
}

int vring_mem_iov(const struct vring_mem *mem, uint64_t addr, uint64_t len, unsigned int access,
		  struct iovec *iov, unsigned int nr_iov, struct vring_mem_miss *miss)
{
	struct pieces to = { .iov = iov, .max = nr_iov };

	if (!mem->iotlb)
		return vring_mem_gpa_iov(mem, addr, len, iov, nr_iov);
	if (!len || len - 1 > UINT64_MAX - addr)
		return -EINVAL;
	while (len) {
		uint64_t piece = len, uva;
		int ret;

		if (vring_iotlb_translate(mem->iotlb, addr, &piece, access, &uva)) {
			*miss = (struct vring_mem_miss){ .iova = addr, .access = access };
			return -EINPROGRESS;
		}
		ret = add_uva(mem, &to, uva, piece);
		if (ret)
			return ret;
		addr += piece;
		len -= piece;
	}
	return to.nr;
}

int vring_mem_host_gpa(const struct vring_mem *mem, const void *host, uint64_t *gpa)
{
	for (unsigned int i = 0; i < mem->nr; i++) {
		const struct vring_mem_region *r = &mem->regions[i];

		if (contains((uintptr_t)r->host, r->size, (uintptr_t)host)) {
			*gpa = r->guest_addr + ((uintptr_t)host - (uintptr_t)r->host);
			return 0;
		}
	}
	return -EFAULT;
}
