// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Needs nothing of the C library but memset(), so that a freestanding guest can
 * be built from it.
 */
#include <errno.h>
#include <string.h>

#include <vringlab/vring.h>

#include "shared.h"

/* VIRTIO 1.2, 2.7.5: no chain is longer than 2^32 bytes in total. */
#define CHAIN_BYTES_MAX (UINT64_C(1) << 32)

void vring_drv_init(struct vring_drv *vq, const struct vring_layout *ring, uint16_t *chain_next,
		    uint16_t *chain_len)
{
	*vq = (struct vring_drv){
		.ring = *ring,
		.nr_free = ring->num,
		.chain_next = chain_next,
		.chain_len = chain_len,
	};
	memset(ring->desc, 0, vring_desc_size(ring->num));
	memset(ring->avail, 0, vring_avail_size(ring->num));
	memset(ring->used, 0, vring_used_size(ring->num));
	for (unsigned int i = 0; i < ring->num; i++) {
		/* The last link is never followed: nr_free ends the list. */
		chain_next[i] = i + 1;
		chain_len[i] = 0;
	}
}

static bool bufs_valid(const struct vring_buf *bufs, unsigned int nr)
{
	uint64_t bytes = 0;

	for (unsigned int i = 0; i < nr; i++) {
		bytes += bufs[i].len;
		if (!bufs[i].len || bytes > CHAIN_BYTES_MAX)
			return false;
	}
	return nr > 0;
}

int vring_drv_add(struct vring_drv *vq, const struct vring_buf *bufs, unsigned int nr_out,
		  unsigned int nr_in)
{
	uint16_t head = vq->free_head;
	uint16_t index = head;
	unsigned int nr;

	if (nr_out > vq->nr_free || nr_in > vq->nr_free - nr_out)
		return -ENOSPC;
	nr = nr_out + nr_in;
	if (!bufs_valid(bufs, nr))
		return -EINVAL;

	for (unsigned int i = 0; i < nr; i++) {
		struct vring_desc *desc = &vq->ring.desc[index];

		store_64(&desc->addr, bufs[i].gpa);
		store_32(&desc->len, bufs[i].len);
		store_16(&desc->flags, (i + 1 < nr ? VRING_DESC_F_NEXT : 0) |
					       (i >= nr_out ? VRING_DESC_F_WRITE : 0));
		store_16(&desc->next, i + 1 < nr ? vq->chain_next[index] : 0);
		index = vq->chain_next[index];
	}
	vq->free_head = index;
	vq->nr_free -= nr;
	vq->chain_len[head] = nr;

	store_16(&vq->ring.avail->ring[vq->avail_idx & (vq->ring.num - 1)], head);
	/*
	 * Pairs with the device's acquire of avail->idx: the entry, the
	 * descriptors and the buffers are visible before the index.
	 */
	store_release_16(&vq->ring.avail->idx, ++vq->avail_idx);
	return head;
}

bool vring_drv_should_kick(const struct vring_drv *vq)
{
	/*
	 * Pairs with the full barrier of a device that clears its flag and then
	 * looks at avail->idx once more: one of the two sees the other's store.
	 * With less, both could read old values and the kick would be lost.
	 */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return !(load_16(&vq->ring.used->flags) & VRING_USED_F_NO_NOTIFY);
}

/* Links live in chain_next only: what the device does to ->next is not seen. */
static void chain_free(struct vring_drv *vq, uint16_t head)
{
	unsigned int nr = vq->chain_len[head];
	uint16_t tail = head;

	for (unsigned int i = 1; i < nr; i++)
		tail = vq->chain_next[tail];
	vq->chain_next[tail] = vq->free_head;
	vq->free_head = head;
	vq->nr_free += nr;
	vq->chain_len[head] = 0;
}

int vring_drv_get(struct vring_drv *vq, uint32_t *written)
{
	uint16_t in_flight = vq->avail_idx - vq->last_used_idx;
	const vring_used_elem_t *elem;
	uint32_t head, len;
	uint16_t ahead;

	/*
	 * Pairs with the device's release of used->idx: the entry and what the
	 * device wrote to the buffers is read after the index.
	 */
	ahead = load_acquire_16(&vq->ring.used->idx) - vq->last_used_idx;
	if (!ahead)
		return -EAGAIN;
	if (ahead > in_flight)
		return -EPROTO;
	elem = &vq->ring.used->ring[vq->last_used_idx & (vq->ring.num - 1)];
	head = load_32(&elem->id);
	len = load_32(&elem->len);
	if (head >= vq->ring.num || !vq->chain_len[head])
		return -EPROTO;
	chain_free(vq, head);
	vq->last_used_idx++;
	*written = len;
	return head;
}
