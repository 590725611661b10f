/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What ring.h says, of a packed virtqueue.
 */
#ifndef VRINGLAB_GUEST_RING_PACKED_H
#define VRINGLAB_GUEST_RING_PACKED_H

#include "ring.h"

void ring_packed_post(struct ring *r, uint32_t chain, const struct ring_piece *pieces);
void ring_packed_publish(struct ring *r);
bool ring_packed_wants_kick(const struct ring *r);
uint64_t ring_packed_seen(const struct ring *r, uint64_t known);
struct ring_used ring_packed_take(struct ring *r);

#endif /* VRINGLAB_GUEST_RING_PACKED_H */
