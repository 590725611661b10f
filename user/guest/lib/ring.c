// SPDX-License-Identifier: GPL-2.0-only
#include <linux/virtio_ring.h>

#include "cpu.h"
#include "ring_packed.h"

static struct vring_desc *desc_of(const struct ring *r)
{
	return (struct vring_desc *)r->desc_gpa;
}

static struct vring_avail *avail_of(const struct ring *r)
{
	return (struct vring_avail *)r->driver_gpa;
}

static volatile struct vring_used *used_of(const struct ring *r)
{
	return (volatile struct vring_used *)r->device_gpa;
}

/* Chain c has its descriptors for ever: there is no free list. */
void ring_post(struct ring *r, uint32_t chain, const struct ring_piece *pieces)
{
	uint32_t first = chain * r->chain_size;

	if (r->packed) {
		ring_packed_post(r, chain, pieces);
		return;
	}
	for (uint32_t i = 0; i < r->chain_size; i++) {
		bool last = i == r->chain_size - 1;

		desc_of(r)[first + i] = (struct vring_desc){
			.addr = pieces[i].gpa,
			.len = pieces[i].bytes,
			.flags = (pieces[i].writable ? VRING_DESC_F_WRITE : 0) |
				 (last ? 0 : VRING_DESC_F_NEXT),
			.next = last ? 0 : first + i + 1,
		};
	}
	avail_of(r)->ring[r->posted++ & (r->size - 1)] = first;
}

void ring_publish(struct ring *r)
{
	if (r->packed) {
		ring_packed_publish(r);
		return;
	}
	/* x86 keeps the order of stores; the compiler has to */
	barrier();
	*(volatile uint16_t *)&avail_of(r)->idx = r->posted;
}

bool ring_wants_kick(const struct ring *r)
{
	if (r->packed)
		return ring_packed_wants_kick(r);
	/* VIRTIO 1.2, 2.7.13.4.1: the index is visible before the flag is read */
	full_barrier();
	return !(used_of(r)->flags & VRING_USED_F_NO_NOTIFY);
}

uint64_t ring_seen(const struct ring *r, uint64_t known)
{
	if (r->packed)
		return ring_packed_seen(r, known);
	return known + (uint16_t)(used_of(r)->idx - known);
}

static struct ring_used split_take(struct ring *r)
{
	volatile struct vring_used_elem *elem = &used_of(r)->ring[r->taken++ & (r->size - 1)];
	struct ring_used used = { .id = elem->id, .bytes = elem->len };

	used.chain = used.id % r->chain_size ? UINT32_MAX : used.id / r->chain_size;
	return used;
}

struct ring_used ring_take(struct ring *r)
{
	return r->packed ? ring_packed_take(r) : split_take(r);
}
