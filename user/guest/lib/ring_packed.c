// SPDX-License-Identifier: GPL-2.0-only
/*
 * VIRTIO 1.2 section 2.8. Chains are of one size: where the n-th one begins, and where it
 * is given back, n says alone.
 */
#include <linux/virtio_ring.h>

#include "cpu.h"
#include "ring_packed.h"

#define AVAIL (1u << VRING_PACKED_DESC_F_AVAIL)
#define USED (1u << VRING_PACKED_DESC_F_USED)

static volatile struct vring_packed_desc *desc_at(const struct ring *r, uint64_t position)
{
	struct vring_packed_desc *descs = (struct vring_packed_desc *)r->desc_gpa;

	return &descs[position & (r->size - 1)];
}

/* The wrap counter, which is 1 in the first round. */
static bool wrap_at(const struct ring *r, uint64_t position)
{
	return !(position / r->size & 1);
}

/* All but the first of what becomes available at once may be seen before. */
void ring_packed_post(struct ring *r, uint32_t chain, const struct ring_piece *pieces)
{
	uint64_t first = r->posted++ * r->chain_size;

	for (uint32_t i = 0; i < r->chain_size; i++) {
		volatile struct vring_packed_desc *desc = desc_at(r, first + i);
		uint16_t flags = wrap_at(r, first + i) ? AVAIL : USED;

		if (pieces[i].writable)
			flags |= VRING_DESC_F_WRITE;
		if (i < r->chain_size - 1)
			flags |= VRING_DESC_F_NEXT;
		desc->addr = pieces[i].gpa;
		desc->len = pieces[i].bytes;
		desc->id = chain;
		if (!i && first == r->published * r->chain_size)
			r->first_flags = flags;
		else
			desc->flags = flags;
	}
}

void ring_packed_publish(struct ring *r)
{
	if (r->published == r->posted)
		return;
	/* x86 keeps the order of stores; the compiler does of volatile ones */
	desc_at(r, r->published * r->chain_size)->flags = r->first_flags;
	r->published = r->posted;
}

bool ring_packed_wants_kick(const struct ring *r)
{
	const volatile struct vring_packed_desc_event *event =
		(const volatile struct vring_packed_desc_event *)r->device_gpa;

	/* VIRTIO 1.2, 2.8.21.3.1: the descriptors are visible before the flags are read */
	full_barrier();
	return event->flags != VRING_PACKED_EVENT_FLAG_DISABLE;
}

static bool is_used(const struct ring *r, uint64_t nr)
{
	uint64_t position = nr * r->chain_size;
	uint16_t flags = desc_at(r, position)->flags;
	bool wrap = wrap_at(r, position);

	return !!(flags & AVAIL) == wrap && !!(flags & USED) == wrap;
}

/* One more than was ever posted may be, of a device that is not good. */
uint64_t ring_packed_seen(const struct ring *r, uint64_t known)
{
	while (known <= r->posted && is_used(r, known))
		known++;
	return known;
}

struct ring_used ring_packed_take(struct ring *r)
{
	volatile struct vring_packed_desc *desc = desc_at(r, r->taken++ * r->chain_size);
	struct ring_used used = { .id = desc->id, .chain = desc->id };

	/* 2.8.4: without it there is no length */
	used.bytes = desc->flags & VRING_DESC_F_WRITE ? desc->len : 0;
	return used;
}
