/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Driver side of a virtqueue, split or packed.
 *
 * Pure memory, no allocation; needs nothing of the C library but memset() and
 * memcpy(). The device is not trusted: what it returns has to be in flight, and no
 * link is kept where it can write.
 *
 * A struct vring_drv belongs to one thread; the device may be any other thread or
 * process.
 */
#ifndef VRINGLAB_VRING_DRV_H
#define VRINGLAB_VRING_DRV_H

#include <stdbool.h>
#include <stdint.h>

#include <vringlab/vring_layout.h>

/**
 * struct vring_drv_slot - What is known of a descriptor, and of an id
 * @next:	Link of the free list, or of the chain.
 * @nr:		Descriptors of the chain that starts here, or has this id; 0 if none
 *		is in flight.
 */
struct vring_drv_slot {
	uint16_t next;
	uint16_t nr;
};

/**
 * struct vring_drv_config - How a ring starts
 * @ring:	Layout, copied; the memory is cleared.
 * @features:	Virtio feature bits; of INDIRECT_DESC, EVENT_IDX and IN_ORDER those
 *		that are set. The format is @ring's.
 * @slots:	The caller's, @ring.num of them.
 * @indirect:	Memory for @ring.num tables of @indirect_max entries each, or NULL for
 *		direct descriptors only.
 * @indirect_gpa: Guest physical address of @indirect.
 * @indirect_max: Most buffers of one indirect table.
 */
struct vring_drv_config {
	struct vring_layout ring;
	uint64_t features;
	struct vring_drv_slot *slots;
	struct vring_desc *indirect;
	uint64_t indirect_gpa;
	unsigned int indirect_max;
};

/* Driver side. The fields are the library's, but for being read in tests. */
struct vring_drv {
	struct vring_drv_config config;
	bool indirect;
	bool event_idx;
	bool in_order;

	/* split: free running. packed: positions, with their wrap counters */
	uint16_t avail_idx;
	uint16_t last_used_idx;
	bool avail_wrap;
	bool used_wrap;

	unsigned int nr_free;
	/* first free descriptor (split) or id (packed); IN_ORDER: next in turn */
	uint16_t free_head;

	/* added, not published; packed: the first's flags are kept back */
	unsigned int staged;
	uint16_t first_idx;
	uint64_t first_word;
	/* entries (split) or descriptors (packed) since the last should_kick() */
	unsigned int since_kick;

	/* IN_ORDER: next to come back, and the last one of a batch that has */
	uint16_t order_head;
	bool batch;
	uint16_t batch_last;
	uint32_t batch_written;
};

/**
 * struct vring_buf - One buffer as a descriptor names it
 * @gpa:	Guest physical address.
 * @len:	Bytes, at least 1.
 */
struct vring_buf {
	uint64_t gpa;
	uint32_t len;
};

/**
 * vring_drv_init() - Start the driver side on a new ring
 * @vq:		Driver side.
 * @config:	How; copied.
 */
void vring_drv_init(struct vring_drv *vq, const struct vring_drv_config *config);

/**
 * vring_drv_stage() - Prepare a chain
 * @vq:		Driver side.
 * @bufs:	@nr_out device-readable buffers, then @nr_in writable ones.
 * @nr_out:	Count.
 * @nr_in:	Count.
 *
 * The device does not see it before vring_drv_publish(). More than one buffer go
 * into an indirect table where there are tables large enough.
 *
 * Return: the id by which it comes back, or
 * * %-EINVAL - no buffer, one of length 0, or more than 2^32 bytes in total
 * * %-ENOSPC - not enough free descriptors
 */
int vring_drv_stage(struct vring_drv *vq, const struct vring_buf *bufs, unsigned int nr_out,
		    unsigned int nr_in);

/**
 * vring_drv_publish() - Make all that was staged available
 * @vq:		Driver side.
 */
void vring_drv_publish(struct vring_drv *vq);

/**
 * vring_drv_add() - Make a chain available
 * @vq:		Driver side.
 * @bufs:	As for vring_drv_stage().
 * @nr_out:	Count.
 * @nr_in:	Count.
 *
 * Return: as vring_drv_stage().
 */
int vring_drv_add(struct vring_drv *vq, const struct vring_buf *bufs, unsigned int nr_out,
		  unsigned int nr_in);

/**
 * vring_drv_should_kick() - Does the device want a kick for what was published?
 * @vq:		Driver side.
 *
 * For all that was published since it was asked last.
 */
bool vring_drv_should_kick(struct vring_drv *vq);

/**
 * vring_drv_get() - Take the next used chain back
 * @vq:		Driver side.
 * @written:	Bytes the device says it wrote, set on success only. Not checked: it
 *		may be more than the chain has room for. 0 where IN_ORDER lets the
 *		device not say.
 *
 * Return: the id, or
 * * %-EAGAIN - nothing used
 * * %-EPROTO - the device returned what is not in flight, or its index jumped
 *   further than there are chains in flight
 */
int vring_drv_get(struct vring_drv *vq, uint32_t *written);

/**
 * vring_drv_call_disable() - Ask the device for no calls
 * @vq:		Driver side.
 *
 * A hint only; calls may come nevertheless.
 */
void vring_drv_call_disable(struct vring_drv *vq);

/**
 * vring_drv_call_enable() - Ask the device for a call when there is more
 * @vq:		Driver side.
 *
 * Return: whether something was used before the device can have seen it: then no
 * call may come for it.
 */
bool vring_drv_call_enable(struct vring_drv *vq);

/**
 * vring_drv_base() - Where a device that knows nothing of the ring goes on
 * @vq:		Driver side.
 *
 * Return: for SET_VRING_BASE after the back-end was lost: as if nothing had been
 * taken that is not used. With an inflight region the back-end knows better.
 */
uint32_t vring_drv_base(const struct vring_drv *vq);

#endif /* VRINGLAB_VRING_DRV_H */
