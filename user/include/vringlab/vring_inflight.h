/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The inflight region: what a device side has taken and not given back, kept where
 * it outlives the device's process ("Inflight I/O tracking" in the vhost-user
 * specification).
 *
 * Shared with the front-end, and as hostile as a ring: it is read only when a ring
 * starts, each field once.
 */
#ifndef VRINGLAB_VRING_INFLIGHT_H
#define VRINGLAB_VRING_INFLIGHT_H

#include <stdbool.h>
#include <stdint.h>

/* "queue region" of a split virtqueue */
struct vring_inflight_split_desc {
	uint8_t inflight;
	uint8_t padding[5];
	uint16_t next;
	uint64_t counter;
};

struct vring_inflight_split {
	uint64_t features;
	uint16_t version;
	uint16_t desc_num;
	uint16_t last_batch_head;
	uint16_t used_idx;
	struct vring_inflight_split_desc desc[];
};

/* "queue region" of a packed virtqueue */
struct vring_inflight_packed_desc {
	uint8_t inflight;
	uint8_t padding;
	uint16_t next;
	uint16_t last;
	uint16_t num;
	uint64_t counter;
	uint16_t id;
	uint16_t flags;
	uint32_t len;
	uint64_t addr;
};

struct vring_inflight_packed {
	uint64_t features;
	uint16_t version;
	uint16_t desc_num;
	uint16_t free_head;
	uint16_t old_free_head;
	uint16_t used_idx;
	uint16_t old_used_idx;
	uint8_t used_wrap_counter;
	uint8_t old_used_wrap_counter;
	uint8_t padding[7];
	struct vring_inflight_packed_desc desc[];
};

/* Of the layout; 0 is a region that was never used. */
#define VRING_INFLIGHT_VERSION 1u

/*
 * The specification has no alignment; libvhost-user and DPDK both have this one
 * between the regions of a device's queues.
 */
#define VRING_INFLIGHT_ALIGN 64u

/**
 * vring_inflight_size() - Bytes of one virtqueue's region
 * @packed:	Which of the two formats.
 * @num:	Queue size.
 *
 * Rounded up to VRING_INFLIGHT_ALIGN.
 */
uint64_t vring_inflight_size(bool packed, unsigned int num);

/**
 * vring_inflight_is_unused() - Was no device side there before?
 * @region:	Of one virtqueue, of either format.
 */
bool vring_inflight_is_unused(const void *region);

#endif /* VRINGLAB_VRING_INFLIGHT_H */
