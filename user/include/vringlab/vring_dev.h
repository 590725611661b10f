/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Device side of a virtqueue, split or packed.
 *
 * No sockets and no system call; memory is allocated when a ring starts and then
 * no more. Everything the driver can write is copied once, checked, and only then
 * used.
 *
 * A struct vring_dev belongs to one thread; the driver may be any other thread,
 * process or guest.
 */
#ifndef VRINGLAB_VRING_DEV_H
#define VRINGLAB_VRING_DEV_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include <vringlab/vring_layout.h>
#include <vringlab/vring_log.h>
#include <vringlab/vring_mem.h>

struct vring_dev_slot;

/**
 * struct vring_recovered - What a former device side had taken
 * @entry:	Split: the head. Packed: the first entry of the inflight region.
 * @nr_descs:	Packed: how many.
 */
struct vring_recovered {
	uint16_t entry;
	uint16_t nr_descs;
};

/**
 * struct vring_dev_config - How a ring starts
 * @ring:	Layout, copied.
 * @mem:	Resolves descriptors; not owned, outlives the ring.
 * @features:	Virtio feature bits; of INDIRECT_DESC, EVENT_IDX and IN_ORDER those
 *		that are set. The format is @ring's.
 * @base:	Where to go on, as in SET_VRING_BASE. Split: avail index. Packed: avail
 *		index and wrap counter in the low half, used ones in the high half.
 * @inflight:	Region of vring_inflight_size() bytes, or NULL.
 */
struct vring_dev_config {
	struct vring_layout ring;
	const struct vring_mem *mem;
	uint64_t features;
	uint32_t base;
	void *inflight;
};

/* Base of a ring that was never used. */
#define VRING_BASE_SPLIT 0u
#define VRING_BASE_PACKED 0x80008000u

/* Device side. The fields are the library's, but for being read in tests. */
struct vring_dev {
	struct vring_layout ring;
	const struct vring_mem *mem;
	/* the region that was hit last; never dangling, see vring_mem_remove() */
	const struct vring_mem_region *hit;
	struct vring_dev_slot *slots;

	bool indirect;
	bool event_idx;
	bool in_order;

	/* split: free running. packed: positions, with their wrap counters */
	uint16_t avail_idx;
	uint16_t used_idx;
	bool avail_wrap;
	bool used_wrap;
	/* split: the driver's index as read last */
	uint16_t avail_seen;

	/* descriptors of a packed ring that are not given back */
	unsigned int descs_out;
	unsigned int in_flight;

	/* entries (split) or descriptors (packed) since the last should_call() */
	unsigned int since_call;
	bool call_unknown;

	/* IN_ORDER: ids in the order they were taken, and what is held back */
	uint16_t *order;
	unsigned int order_head;
	unsigned int order_nr;
	unsigned int nr_held;
	uint32_t *held_written;

	/* popped before anything else */
	struct vring_recovered *recovered;
	unsigned int recovered_nr;
	unsigned int recovered_next;

	void *inflight;
	uint64_t counter;
	/* packed: our own copy of the region's links, and its free list */
	uint16_t *links;
	uint16_t free_head;
	uint16_t record_last;

	const struct vring_log *log;
	bool log_used;
	uint64_t log_used_gpa;

	struct vring_mem_miss miss;
};

/**
 * struct vring_chain - One buffer: a descriptor chain, checked and resolved
 * @id:		Names it until it is given back.
 * @nr_out:	Device-readable pieces, first in @iov.
 * @nr_in:	Device-writable pieces, after them.
 * @out_bytes:	Bytes in the device-readable ones.
 * @in_bytes:	Bytes in the device-writable ones.
 * @iov:	The caller's array. A buffer that crosses memory regions takes one
 *		piece for each.
 * @nr_iov:	Entries @iov has room for.
 * @recovered:	A former device side had it already.
 */
struct vring_chain {
	uint16_t id;
	bool recovered;
	unsigned int nr_out;
	unsigned int nr_in;
	uint64_t out_bytes;
	uint64_t in_bytes;
	struct iovec *iov;
	unsigned int nr_iov;
};

/**
 * vring_dev_init() - Start the device side
 * @vq:		Device side.
 * @config:	How.
 *
 * With an inflight region that was used before, what it has recorded is popped
 * first, in the order it was first taken, and the position is the region's.
 *
 * Return: 0, or
 * * %-EINVAL - a base beyond the ring, or a region of another size
 * * %-EPROTO - the region contradicts itself or the ring
 * * %-ENOMEM
 */
int vring_dev_init(struct vring_dev *vq, const struct vring_dev_config *config);

/**
 * vring_dev_exit() - Free what vring_dev_init() allocated
 * @vq:		Device side; one that was not initialised, or zeroed, is allowed.
 */
void vring_dev_exit(struct vring_dev *vq);

/**
 * vring_dev_move() - The ring is mapped elsewhere now
 * @vq:		Device side.
 * @ring:	The same ring, format and size.
 */
void vring_dev_move(struct vring_dev *vq, const struct vring_layout *ring);

/**
 * vring_dev_set_log() - Keep a dirty log, or stop keeping it
 * @vq:		Device side.
 * @log:	Log, not owned; NULL for none.
 * @used:	Mark writes to the used ring as well (VHOST_VRING_F_LOG).
 * @used_gpa:	Split, without an IOTLB: where the used ring is in the log's addresses.
 *		Else it is found in the memory table.
 */
void vring_dev_set_log(struct vring_dev *vq, const struct vring_log *log, bool used,
		       uint64_t used_gpa);

/**
 * vring_dev_pop() - Take the next available buffer
 * @vq:		Device side.
 * @chain:	@iov and @nr_iov are the caller's; the rest is set on success.
 *
 * Descriptors are copied before they are checked: the driver may change them
 * meanwhile. Walks are bounded by the queue size, and by an indirect table's.
 *
 * Context: the thread that owns @vq.
 * Return: 0, or
 * * %-EAGAIN - nothing available
 * * %-EINPROGRESS - the IOTLB lacks a translation, vring_dev_miss() says which; to
 *   be called again when it is there
 * * %-EPROTO - the avail index is more than the queue size ahead, or more
 *   descriptors are out than the ring has
 * * %-EINVAL - head, next or id out of range or in flight already, loop, readable
 *   after writable, a length of 0, more than 2^32 bytes in total, or an indirect
 *   descriptor that is malformed or was not negotiated
 * * %-EFAULT - a buffer lies outside the memory table
 * * %-ENOBUFS - @chain->iov is too small
 *
 * After any error but %-EAGAIN, %-EINPROGRESS and %-ENOBUFS the queue is to be
 * stopped: its contents cannot be trusted. After every error the buffer has not
 * been taken, and of @chain only the entries of @iov may have changed.
 */
int vring_dev_pop(struct vring_dev *vq, struct vring_chain *chain);

/**
 * vring_dev_pop_batch() - Take several available buffers
 * @vq:		Device side.
 * @chains:	As for vring_dev_pop(), each with its own iov.
 * @nr:		Count, at least 1.
 *
 * Return: how many were taken, at least 1, or as vring_dev_pop().
 */
int vring_dev_pop_batch(struct vring_dev *vq, struct vring_chain *chains, unsigned int nr);

/**
 * vring_dev_unpop() - Undo the last pops
 * @vq:		Device side.
 * @chains:	What was popped last, in that order, nothing of it pushed or dropped.
 * @nr:		Count.
 */
void vring_dev_unpop(struct vring_dev *vq, const struct vring_chain *chains, unsigned int nr);

/**
 * vring_dev_push() - Give a buffer back to the driver
 * @vq:		Device side.
 * @chain:	From vring_dev_pop(), each exactly once, in any order: IN_ORDER is
 *		kept here. While a log is set the writable part of its iov has to be
 *		as it was.
 * @written:	Bytes written to the device-writable part, from its start.
 *
 * What was written is visible before the buffer is (VIRTIO 1.2 section 2.7.8).
 */
void vring_dev_push(struct vring_dev *vq, const struct vring_chain *chain, uint32_t written);

/**
 * vring_dev_push_batch() - Give several buffers back at once
 * @vq:		Device side.
 * @chains:	As for vring_dev_push().
 * @written:	Bytes, one for each.
 * @nr:		Count.
 */
void vring_dev_push_batch(struct vring_dev *vq, const struct vring_chain *chains,
			  const uint32_t *written, unsigned int nr);

/**
 * vring_dev_drop() - Give a buffer up without giving it back
 * @vq:		Device side.
 * @chain:	From vring_dev_pop().
 *
 * It stays recorded in the inflight region, for whoever goes on with the ring. A log
 * has all of its writable part marked: its iov has to be as it was, as for a push.
 */
void vring_dev_drop(struct vring_dev *vq, const struct vring_chain *chain);

/**
 * vring_dev_in_flight() - Buffers popped, and not yet pushed or dropped
 * @vq:		Device side.
 */
static inline unsigned int vring_dev_in_flight(const struct vring_dev *vq)
{
	return vq->in_flight;
}

/**
 * vring_dev_base() - Where another device side would go on
 * @vq:		Device side.
 *
 * Return: as &struct vring_dev_config.base. Buffers in flight are behind it.
 */
uint32_t vring_dev_base(const struct vring_dev *vq);

/**
 * vring_dev_miss() - The translation that a pop was lacking
 * @vq:		Device side whose pop failed with %-EINPROGRESS.
 */
static inline struct vring_mem_miss vring_dev_miss(const struct vring_dev *vq)
{
	return vq->miss;
}

/**
 * vring_dev_should_call() - Does the driver want a call for what was pushed?
 * @vq:		Device side.
 *
 * For all that was pushed since it was asked last. The first time it is yes unless
 * the driver wants none at all: a former device side may have died between a push
 * and its call.
 */
bool vring_dev_should_call(struct vring_dev *vq);

/**
 * vring_dev_empty() - Is there nothing to pop?
 * @vq:		Device side.
 */
bool vring_dev_empty(const struct vring_dev *vq);

/**
 * vring_dev_kick_disable() - Ask the driver for no kicks
 * @vq:		Device side.
 *
 * A hint only; kicks may come nevertheless.
 */
void vring_dev_kick_disable(struct vring_dev *vq);

/**
 * vring_dev_kick_enable() - Ask the driver for a kick when there is more
 * @vq:		Device side.
 *
 * Return: whether something became available before the driver can have seen it:
 * then no kick may come for it.
 */
bool vring_dev_kick_enable(struct vring_dev *vq);

#endif /* VRINGLAB_VRING_DEV_H */
