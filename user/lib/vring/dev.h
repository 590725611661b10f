/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Inside of the device side, shared by its files.
 */
#ifndef VRINGLAB_LIB_VRING_DEV_H
#define VRINGLAB_LIB_VRING_DEV_H

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
 * @nr_descs:	Descriptors that it takes in a packed ring.
 * @entry:	Packed: where the inflight region has its first descriptor.
 * @last:	Packed: and its last. Split: the head before it in a batch.
 * @in_flight:	Taken, and not given back.
 * @done:	IN_ORDER: given back by the device, and waits for its turn.
 * @written:	Then: bytes written.
 */
struct vring_dev_slot {
	uint16_t nr_descs;
	uint16_t entry;
	uint16_t last;
	bool in_flight;
	bool done;
	uint32_t written;
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
int chain_append_slow(struct vring_dev *vq, struct vring_chain *chain, const struct desc *desc);
int chain_indirect(struct vring_dev *vq, struct vring_chain *chain, const struct desc *desc);

/*
 * Appends a descriptor's buffer to the chain. Returns 0 or a negative errno of
 * vring_dev_pop(). Most buffers lie in the region that the last one lay in.
 */
static inline int chain_append(struct vring_dev *vq, struct vring_chain *chain,
			       const struct desc *desc)
{
	const struct vring_mem_region *r = vq->hit;
	unsigned int nr = chain->nr_out + chain->nr_in;
	uint64_t offset = desc->addr - r->guest_addr;

	if (unlikely(vq->mem->iotlb || desc->addr < r->guest_addr || offset >= r->size ||
		     desc->len > r->size - offset || !desc->len || nr >= chain->nr_iov ||
		     chain->out_bytes + chain->in_bytes + desc->len > CHAIN_BYTES_MAX))
		return chain_append_slow(vq, chain, desc);
	chain->iov[nr].iov_base = r->host + offset;
	chain->iov[nr].iov_len = desc->len;
	if (desc->flags & VRING_DESC_F_WRITE) {
		chain->nr_in++;
		chain->in_bytes += desc->len;
		return 0;
	}
	if (unlikely(chain->nr_in))
		return -EINVAL;
	chain->nr_out++;
	chain->out_bytes += desc->len;
	return 0;
}

static inline void chain_clear(struct vring_chain *chain)
{
	chain->recovered = false;
	chain->nr_out = 0;
	chain->nr_in = 0;
	chain->out_bytes = 0;
	chain->in_bytes = 0;
}

/* A chain was taken: nothing can fail after this. */
static inline void chain_taken(struct vring_dev *vq, struct vring_chain *chain, uint16_t id)
{
	chain->id = id;
	vq->slots[id].in_flight = true;
	vq->in_flight++;
	if (vq->in_order) {
		unsigned int at = vq->order_head + vq->order_nr++;

		vq->order[at < vq->ring.num ? at : at - vq->ring.num] = id;
	}
}

/* dev_split.c */
int split_pop_batch(struct vring_dev *vq, struct vring_chain *chains, unsigned int nr);
void split_unpop(struct vring_dev *vq, const struct vring_chain *chain);
void split_fill(struct vring_dev *vq, uint16_t id, uint32_t written);
void split_publish(struct vring_dev *vq);
bool split_should_call(struct vring_dev *vq);
bool split_empty(const struct vring_dev *vq);
void split_kick_disable(struct vring_dev *vq);
bool split_kick_enable(struct vring_dev *vq);

/* dev_packed.c */
int packed_pop_batch(struct vring_dev *vq, struct vring_chain *chains, unsigned int nr);
void packed_unpop(struct vring_dev *vq, const struct vring_chain *chain);
void packed_fill(struct vring_dev *vq, uint16_t id, uint32_t written);
void packed_publish(struct vring_dev *vq);
bool packed_should_call(struct vring_dev *vq);
bool packed_empty(const struct vring_dev *vq);
void packed_kick_disable(struct vring_dev *vq);
bool packed_kick_enable(struct vring_dev *vq);
void packed_advance(const struct vring_dev *vq, uint16_t *idx, bool *wrap, unsigned int nr);

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
void inflight_split_published(struct vring_dev *vq);

/* inflight_packed.c */
int inflight_packed_init(struct vring_dev *vq);
void inflight_packed_record(struct vring_dev *vq, unsigned int at, const struct desc *desc);
void inflight_packed_take(struct vring_dev *vq, uint16_t id, unsigned int nr);
void inflight_packed_untake(struct vring_dev *vq, uint16_t id);
void inflight_packed_fill(struct vring_dev *vq, uint16_t id);
void inflight_packed_published(struct vring_dev *vq, uint16_t id);
int inflight_packed_read(const struct vring_dev *vq, uint16_t entry, struct desc *desc);

/* dev.c */
void log_ring_write(const struct vring_dev *vq, const void *host, uint64_t offset, uint64_t len);

#endif /* VRINGLAB_LIB_VRING_DEV_H */
