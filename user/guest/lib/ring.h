/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Driver side of a virtqueue, for chains that all have the same number of descriptors
 * and of which there are a few, each with a number of its own. The device is not trusted:
 * what it gives back is the caller's to check.
 */
#ifndef VRINGLAB_GUEST_RING_H
#define VRINGLAB_GUEST_RING_H

#include <stdbool.h>
#include <stdint.h>

struct ring {
	/* of the caller */
	bool packed;
	uint64_t desc_gpa;
	uint64_t driver_gpa;
	uint64_t device_gpa;
	uint32_t size; /* a power of two */
	uint32_t chain_size; /* descriptors of each chain */

	/* chains so far: made available, and given back */
	uint64_t posted;
	uint64_t taken;

	/* of a packed one: what the device sees, and the flags that the next is to have */
	uint64_t published;
	uint16_t first_flags;
};

/* A descriptor. */
struct ring_piece {
	uint64_t gpa;
	uint32_t bytes;
	bool writable; /* by the device */
};

/* What the device gives back. */
struct ring_used {
	uint32_t id; /* as it stands there */
	uint32_t chain; /* UINT32_MAX: the id is of none */
	uint32_t bytes; /* written into it */
};

/* Chain @chain, of chain_size pieces; the device does not see it yet. */
void ring_post(struct ring *r, uint32_t chain, const struct ring_piece *pieces);

/* It sees all of them. */
void ring_publish(struct ring *r);

bool ring_wants_kick(const struct ring *r);

/*
 * Chains that have come back so far, of which @known were there before. May be called by
 * an interrupt handler at any time.
 */
uint64_t ring_seen(const struct ring *r, uint64_t known);

/* The next one that has come back, where ring_seen() is more than taken. */
struct ring_used ring_take(struct ring *r);

#endif /* VRINGLAB_GUEST_RING_H */
