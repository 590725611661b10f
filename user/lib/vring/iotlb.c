// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Translations of I/O virtual addresses, sorted, without overlaps, bounded.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <vringlab/vring_mem.h>

struct entry {
	uint64_t iova;
	/* of the last byte: a range may end with the address space */
	uint64_t last;
	uint64_t uva;
	uint64_t age;
	unsigned int access;
};

struct vring_iotlb {
	unsigned int nr;
	unsigned int max;
	uint64_t clock;
	struct entry entries[];
};

int vring_iotlb_create(struct vring_iotlb **iotlb, unsigned int max)
{
	struct vring_iotlb *t;

	if (!max)
		return -EINVAL;
	t = calloc(1, sizeof(*t) + max * sizeof(t->entries[0]));
	if (!t)
		return -ENOMEM;
	t->max = max;
	*iotlb = t;
	return 0;
}

void vring_iotlb_destroy(struct vring_iotlb *iotlb)
{
	free(iotlb);
}

/* The first entry that ends at or after @iova; @nr if there is none. */
static unsigned int find(const struct vring_iotlb *iotlb, uint64_t iova)
{
	unsigned int low = 0, high = iotlb->nr;

	while (low < high) {
		unsigned int mid = (low + high) / 2;

		if (iotlb->entries[mid].last < iova)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static void remove_at(struct vring_iotlb *iotlb, unsigned int at, unsigned int nr)
{
	struct entry *e = &iotlb->entries[at];

	iotlb->nr -= nr;
	memmove(e, e + nr, (iotlb->nr - at) * sizeof(*e));
}

int vring_iotlb_invalidate(struct vring_iotlb *iotlb, uint64_t iova, uint64_t size)
{
	unsigned int at, nr = 0;

	if (!size || size - 1 > UINT64_MAX - iova)
		return -EINVAL;
	at = find(iotlb, iova);
	while (at + nr < iotlb->nr && iotlb->entries[at + nr].iova <= iova + (size - 1))
		nr++;
	remove_at(iotlb, at, nr);
	return 0;
}

static void remove_oldest(struct vring_iotlb *iotlb)
{
	unsigned int oldest = 0;

	for (unsigned int i = 1; i < iotlb->nr; i++)
		if (iotlb->entries[i].age < iotlb->entries[oldest].age)
			oldest = i;
	remove_at(iotlb, oldest, 1);
}

int vring_iotlb_update(struct vring_iotlb *iotlb, uint64_t iova, uint64_t size, uint64_t uva,
		       unsigned int access)
{
	unsigned int at;
	int ret;

	if (!access || access & ~(VRING_MEM_READ | VRING_MEM_WRITE))
		return -EINVAL;
	if (!size || size - 1 > UINT64_MAX - uva)
		return -EINVAL;
	ret = vring_iotlb_invalidate(iotlb, iova, size);
	if (ret)
		return ret;
	if (iotlb->nr == iotlb->max)
		remove_oldest(iotlb);
	at = find(iotlb, iova);
	memmove(&iotlb->entries[at + 1], &iotlb->entries[at],
		(iotlb->nr - at) * sizeof(iotlb->entries[0]));
	iotlb->entries[at] = (struct entry){
		.iova = iova,
		.last = iova + (size - 1),
		.uva = uva,
		.age = iotlb->clock++,
		.access = access,
	};
	iotlb->nr++;
	return 0;
}

int vring_iotlb_translate(const struct vring_iotlb *iotlb, uint64_t iova, uint64_t *len,
			  unsigned int access, uint64_t *uva)
{
	unsigned int at = find(iotlb, iova);
	const struct entry *e = &iotlb->entries[at];

	if (at == iotlb->nr || e->iova > iova || (e->access & access) != access)
		return -ENOENT;
	/* of the difference, for the whole address space has no size */
	if (*len - 1 > e->last - iova)
		*len = e->last - iova + 1;
	*uva = e->uva + (iova - e->iova);
	return 0;
}
