// SPDX-License-Identifier: LGPL-2.1-or-later
#include <assert.h>
#include <errno.h>

#include <vringlab/vring.h>

#include "shared.h"

/* VIRTIO 1.2, 2.7.5: no chain is longer than 2^32 bytes in total. */
#define CHAIN_BYTES_MAX (UINT64_C(1) << 32)

/* A descriptor as it was at one moment, in host byte order. */
struct desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags;
	uint16_t next;
};

static struct desc desc_copy(const struct vring_desc *shared)
{
	return (struct desc){
		.addr = load_64(&shared->addr),
		.len = load_32(&shared->len),
		.flags = load_16(&shared->flags),
		.next = load_16(&shared->next),
	};
}

void vring_dev_init(struct vring_dev *vq, const struct vring_layout *ring,
		    const struct vring_mem *mem, uint16_t base)
{
	*vq = (struct vring_dev){
		.ring = *ring,
		.mem = mem,
		.last_avail_idx = base,
		.used_idx = load_16(&ring->used->idx),
	};
}

/*
 * Appends a descriptor's buffer to the chain. Returns 0 or a negative errno of
 * vring_dev_pop().
 */
static int chain_append(struct vring_chain *chain, const struct vring_mem *mem,
			const struct desc *desc)
{
	unsigned int used = chain->nr_out + chain->nr_in;
	int nr;

	if (desc->flags & VRING_DESC_F_INDIRECT)
		return -EINVAL;
	if (chain->nr_in && !(desc->flags & VRING_DESC_F_WRITE))
		return -EINVAL;
	nr = vring_mem_gpa_iov(mem, desc->addr, desc->len, chain->iov + used, chain->nr_iov - used);
	if (nr < 0)
		return nr;
	if (desc->flags & VRING_DESC_F_WRITE)
		chain->nr_in += nr;
	else
		chain->nr_out += nr;
	return 0;
}

static int chain_walk(const struct vring_dev *vq, struct vring_chain *chain)
{
	uint16_t index = chain->head;
	uint64_t bytes = 0;

	/* A chain that has not ended after num descriptors is looped. */
	for (unsigned int n = 0; n < vq->ring.num; n++) {
		struct desc desc;
		int ret;

		if (index >= vq->ring.num)
			return -EINVAL;
		desc = desc_copy(&vq->ring.desc[index]);
		bytes += desc.len;
		if (bytes > CHAIN_BYTES_MAX)
			return -EINVAL;
		ret = chain_append(chain, vq->mem, &desc);
		if (ret)
			return ret;
		if (!(desc.flags & VRING_DESC_F_NEXT))
			return 0;
		index = desc.next;
	}
	return -EINVAL;
}

int vring_dev_pop(struct vring_dev *vq, struct vring_chain *chain)
{
	struct vring_chain taken = {
		.iov = chain->iov,
		.nr_iov = chain->nr_iov,
	};
	uint16_t slot = vq->last_avail_idx & (vq->ring.num - 1);
	uint16_t ahead;
	int ret;

	/*
	 * Pairs with the driver's release of avail->idx: the avail entry and
	 * the descriptors it published are read after the index.
	 */
	ahead = load_acquire_16(&vq->ring.avail->idx) - vq->last_avail_idx;
	if (!ahead)
		return -EAGAIN;
	if (ahead > vq->ring.num)
		return -EPROTO;
	taken.head = load_16(&vq->ring.avail->ring[slot]);
	ret = chain_walk(vq, &taken);
	if (ret)
		return ret;
	*chain = taken;
	vq->last_avail_idx++;
	return 0;
}

void vring_dev_push(struct vring_dev *vq, uint16_t head, uint32_t written)
{
	vring_used_elem_t *elem;

	assert(head < vq->ring.num);
	elem = &vq->ring.used->ring[vq->used_idx & (vq->ring.num - 1)];
	store_32(&elem->id, head);
	store_32(&elem->len, written);
	/*
	 * Pairs with the driver's acquire of used->idx: the entry, and what was
	 * written to the buffers, is visible before the index.
	 */
	store_release_16(&vq->ring.used->idx, ++vq->used_idx);
}

bool vring_dev_should_call(const struct vring_dev *vq)
{
	/*
	 * Pairs with the full barrier of a driver that clears its flag and then
	 * looks at used->idx once more: one of the two sees the other's store.
	 * With less, both could read old values and the call would be lost.
	 */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return !(load_16(&vq->ring.avail->flags) & VRING_AVAIL_F_NO_INTERRUPT);
}

bool vring_dev_empty(const struct vring_dev *vq)
{
	return load_16(&vq->ring.avail->idx) == vq->last_avail_idx;
}
