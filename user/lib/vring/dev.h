/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Inside of the device side, shared by its files.
 */
#ifndef VRINGLAB_LIB_VRING_DEV_H
#define VRINGLAB_LIB_VRING_DEV_H

#include <assert.h>
#include <errno.h>
#include <stddef.h>

#include <vringlab/vring_dev.h>
#include <vringlab/vring_inflight.h>

#include "shared.h"

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/* VIRTIO 1.2, 2.7.5: no chain is longer than 2^32 bytes in total. */
#define CHAIN_BYTES_MAX (UINT64_C(1) << 32)

/**
 * struct vring_dev_slot - What is known of an id
 * @nr_descs:	Packed: descriptors that it takes in the ring.
 * @entry:	Packed: where the inflight region has its first descriptor.
 * @last:	Packed: and its last. Split: the head before it in a batch.
 * @in_flight:	Taken, and not given back to the driver.
 * @held:	IN_ORDER: given back by the device, and waits for its turn.
 */
struct vring_dev_slot {
	uint16_t nr_descs;
	uint16_t entry;
	uint16_t last;
	bool in_flight;
	bool held;
};

/* A descriptor as it was at one moment, in host byte order. */
struct desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags;
	/* next of a split one, id of a packed one */
	uint16_t next;
};

/* @word: the second half of a split descriptor: len, flags, next */
static inline struct desc desc_split(uint64_t addr, uint64_t word)
{
	return (struct desc){ .addr = addr, .len = word, .flags = word >> 32, .next = word >> 48 };
}

/* @word: the second half of a packed descriptor: len, id, flags */
static inline struct desc desc_packed(uint64_t addr, uint64_t word)
{
	return (struct desc){ .addr = addr, .len = word, .next = word >> 32, .flags = word >> 48 };
}

/* chain.c */
int chain_append(struct vring_dev *vq, struct vring_chain *chain, const struct desc *desc);
int chain_indirect(struct vring_dev *vq, struct vring_chain *chain, const struct desc *desc);

static inline void chain_clear(struct vring_chain *chain)
{
	chain->recovered = false;
	chain->nr_out = 0;
	chain->nr_in = 0;
	chain->out_bytes = 0;
	chain->in_bytes = 0;
}

/*
 * The chain that is one descriptor, in the region that was hit last: by far the
 * most. False if it is another one; then nothing was done.
 */
static inline bool chain_set_single(struct vring_dev *vq, struct vring_chain *chain,
				    const struct desc *desc)
{
	const struct vring_mem_region *r = vq->hit;
	uint64_t offset = desc->addr - r->guest_addr;
	uint64_t len = desc->len;
	bool in = desc->flags & VRING_DESC_F_WRITE;

	/* len - 1: 0 is refused as well */
	if (unlikely(desc->flags & (VRING_DESC_F_NEXT | VRING_DESC_F_INDIRECT) ||
		     offset >= r->size || len - 1 >= r->size - offset || !chain->nr_iov))
		return false;
	chain->iov[0] = (struct iovec){ .iov_base = r->host + offset, .iov_len = len };
	chain->recovered = false;
	chain->nr_out = !in;
	chain->nr_in = in;
	chain->out_bytes = in ? 0 : len;
	chain->in_bytes = in ? len : 0;
	return true;
}

/* A chain was taken: nothing can fail after this. */
static inline void chain_taken(struct vring_dev *vq, struct vring_chain *chain, uint16_t id)
{
	chain->id = id;
	vq->slots[id].in_flight = true;
	if (vq->in_order) {
		unsigned int at = vq->order_head + vq->order_nr++;

		vq->order[at < vq->ring.num ? at : at - vq->ring.num] = id;
	}
}

/* IN_ORDER: takes the first id out of the order. */
static inline void order_pop(struct vring_dev *vq)
{
	if (++vq->order_head == vq->ring.num)
		vq->order_head = 0;
	vq->order_nr--;
}

/* IN_ORDER: is it the turn of this one? If not, it is held back. */
static inline bool order_take(struct vring_dev *vq, uint16_t id, uint32_t written)
{
	if (likely(vq->order[vq->order_head] == id)) {
		order_pop(vq);
		return true;
	}
	vq->slots[id].held = true;
	vq->held_written[id] = written;
	vq->nr_held++;
	return false;
}

/* IN_ORDER: has the turn come of one that was held back? */
static inline bool order_next(struct vring_dev *vq, uint16_t *id, uint32_t *written)
{
	if (likely(!vq->nr_held))
		return false;
	*id = vq->order[vq->order_head];
	if (!vq->slots[*id].held)
		return false;
	*written = vq->held_written[*id];
	vq->slots[*id].held = false;
	vq->nr_held--;
	order_pop(vq);
	return true;
}

/*
 * IN_ORDER: are these the next, so that none is held back and none waits for them?
 * Then they are taken out of the order.
 */
static inline bool order_take_batch(struct vring_dev *vq, const struct vring_chain *chains,
				    unsigned int nr)
{
	unsigned int at = vq->order_head;

	if (unlikely(vq->nr_held || nr > vq->order_nr))
		return false;
	for (unsigned int i = 0; i < nr; i++) {
		if (unlikely(vq->order[at] != chains[i].id))
			return false;
		if (++at == vq->ring.num)
			at = 0;
	}
	vq->order_head = at;
	vq->order_nr -= nr;
	return true;
}

/* What the device is to be told at once, for it is the device's mistake. */
static inline void assert_in_flight(const struct vring_dev *vq, const struct vring_chain *chain)
{
	assert(chain->id < vq->ring.num && vq->slots[chain->id].in_flight &&
	       !vq->slots[chain->id].held);
}

/* dev_split.c */
int split_pop_batch(struct vring_dev *vq, struct vring_chain *chains, unsigned int nr);
void split_unpop(struct vring_dev *vq, const struct vring_chain *chain);
void split_push_batch(struct vring_dev *vq, const struct vring_chain *chains,
		      const uint32_t *written, unsigned int nr);
bool split_should_call(struct vring_dev *vq);
bool split_empty(const struct vring_dev *vq);
void split_kick_disable(struct vring_dev *vq);
bool split_kick_enable(struct vring_dev *vq);

/* dev_packed_used.c */
void packed_push_batch(struct vring_dev *vq, const struct vring_chain *chains,
		       const uint32_t *written, unsigned int nr);
bool packed_should_call(struct vring_dev *vq);

/* dev_packed.c */
int packed_pop_batch(struct vring_dev *vq, struct vring_chain *chains, unsigned int nr);
void packed_unpop(struct vring_dev *vq, const struct vring_chain *chain);
bool packed_empty(const struct vring_dev *vq);
void packed_kick_disable(struct vring_dev *vq);
bool packed_kick_enable(struct vring_dev *vq);

/* Moves a position of a packed ring on; @nr is at most the queue size. */
static inline void packed_advance(const struct vring_dev *vq, uint16_t *idx, bool *wrap,
				  unsigned int nr)
{
	unsigned int next = *idx + nr;

	if (next >= vq->ring.num) {
		next -= vq->ring.num;
		*wrap = !*wrap;
	}
	*idx = next;
}

/* VIRTIO 1.2, 2.8.1: available, if AVAIL is the wrap counter and USED is not */
static inline bool packed_is_available(uint16_t flags, bool wrap)
{
	return (flags >> VRING_PACKED_DESC_F_AVAIL & 1) == wrap &&
	       (flags >> VRING_PACKED_DESC_F_USED & 1) != wrap;
}

/* inflight_split.c */
int inflight_split_init(struct vring_dev *vq);
void inflight_split_take(struct vring_dev *vq, uint16_t head);
void inflight_split_untake(struct vring_dev *vq, uint16_t head);
void inflight_split_fill(struct vring_dev *vq, uint16_t head);
void inflight_split_published(struct vring_dev *vq, unsigned int nr);

/* inflight_packed.c */
int inflight_packed_init(struct vring_dev *vq);
void inflight_packed_record(struct vring_dev *vq, unsigned int at, const struct desc *desc);
void inflight_packed_take(struct vring_dev *vq, uint16_t id, unsigned int nr);
void inflight_packed_untake(struct vring_dev *vq, uint16_t id);
void inflight_packed_fill(struct vring_dev *vq, uint16_t id, uint16_t used_idx, bool used_wrap);
void inflight_packed_published(struct vring_dev *vq, uint16_t id);
void inflight_packed_read(const struct vring_dev *vq, uint16_t entry, struct desc *desc);

/* dev_log.c */
void log_ring_write(const struct vring_dev *vq, const void *host, uint64_t offset, uint64_t len);
void log_written(const struct vring_dev *vq, const struct vring_chain *chain, uint64_t written);

#endif /* VRINGLAB_LIB_VRING_DEV_H */
