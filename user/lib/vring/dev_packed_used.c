// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Device side of a packed virtqueue, VIRTIO 1.2 section 2.8: what is given back.
 */
#include "dev.h"

#define AVAIL (1u << VRING_PACKED_DESC_F_AVAIL)
#define USED (1u << VRING_PACKED_DESC_F_USED)

/*
 * Used descriptors that are written. The first one is kept back: the driver, which
 * reads them in order, sees none of the others before it.
 */
struct batch {
	struct vring_packed_desc *first;
	uint64_t first_word;
	uint16_t idx;
	bool wrap;
	unsigned int descs;
};

static struct batch begin(const struct vring_dev *vq)
{
	return (struct batch){ .idx = vq->used_idx, .wrap = vq->used_wrap };
}

/* len, id and flags: the address is none of a used descriptor's fields */
static inline void write_used(const struct vring_dev *vq, struct vring_packed_desc *desc,
			      uint64_t word)
{
	store_release_64((__virtio64 *)&desc->len, word);
	if (unlikely(vq->log_used))
		log_ring_write(vq, desc, 0, sizeof(*desc));
}

static void publish(struct vring_dev *vq, struct batch *batch)
{
	if (!batch->first)
		return;
	/*
	 * Pairs with the driver's acquire of these flags: what follows them, and what
	 * was written to the buffers, is visible before they are.
	 */
	write_used(vq, batch->first, batch->first_word);
	vq->used_idx = batch->idx;
	vq->used_wrap = batch->wrap;
	vq->descs_out -= batch->descs;
	vq->since_call += batch->descs;
	batch->first = NULL;
	batch->descs = 0;
}

static inline void fill(struct vring_dev *vq, struct batch *batch, uint16_t id, uint32_t written)
{
	struct vring_packed_desc *desc = &vq->ring.ring[batch->idx];
	struct vring_dev_slot *slot = &vq->slots[id];
	uint64_t flags = (batch->wrap ? AVAIL | USED : 0) | (written ? VRING_DESC_F_WRITE : 0);
	uint64_t word = written | (uint64_t)id << 32 | flags << 48;

	slot->in_flight = false;
	batch->descs += slot->nr_descs;
	packed_advance(vq, &batch->idx, &batch->wrap, slot->nr_descs);
	if (batch->first) {
		write_used(vq, desc, word);
		return;
	}
	batch->first = desc;
	batch->first_word = word;
	if (likely(!vq->inflight))
		return;
	/*
	 * One by one: of a batch whose first was not published, the flags of the
	 * others would be there already, and valid for the driver once another device
	 * side has published one in the first's place.
	 */
	inflight_packed_fill(vq, id, batch->idx, batch->wrap);
	publish(vq, batch);
	inflight_packed_published(vq, id);
}

/* VIRTIO 1.2, 2.8.13: used in the order in which they were available */
static inline void fill_in_order(struct vring_dev *vq, struct batch *batch, uint16_t id,
				 uint32_t written)
{
	if (!order_take(vq, id, written))
		return;
	do
		fill(vq, batch, id, written);
	while (order_next(vq, &id, &written));
}

/*
 * The usual: without a log or a record to keep, and in order if need be. With
 * what is needed of the ring in registers, as pop_singles().
 */
static void push_plain(struct vring_dev *vq, const struct vring_chain *chains,
		       const uint32_t *written, unsigned int nr)
{
	struct vring_packed_desc *ring = vq->ring.ring;
	struct vring_dev_slot *slots = vq->slots;
	const unsigned int num = vq->ring.num;
	struct batch batch = begin(vq);
	unsigned int idx = batch.idx;
	bool wrap = batch.wrap;

	for (unsigned int i = 0; i < nr; i++) {
		struct vring_dev_slot *slot = &slots[chains[i].id];
		uint64_t flags = (wrap ? AVAIL | USED : 0) | (written[i] ? VRING_DESC_F_WRITE : 0);
		uint64_t word = written[i] | (uint64_t)chains[i].id << 32 | flags << 48;

		assert_in_flight(vq, &chains[i]);
		slot->in_flight = false;
		batch.descs += slot->nr_descs;
		if (i) {
			store_release_64((__virtio64 *)&ring[idx].len, word);
		} else {
			batch.first = &ring[idx];
			batch.first_word = word;
		}
		idx += slot->nr_descs;
		if (unlikely(idx >= num)) {
			idx -= num;
			wrap = !wrap;
		}
	}
	batch.idx = idx;
	batch.wrap = wrap;
	publish(vq, &batch);
	vq->in_flight -= nr;
}

void packed_push_batch(struct vring_dev *vq, const struct vring_chain *chains,
		       const uint32_t *written, unsigned int nr)
{
	struct batch batch = begin(vq);

	if (likely(!vq->log && !vq->log_used && !vq->inflight &&
		   (!vq->in_order || order_take_batch(vq, chains, nr)))) {
		push_plain(vq, chains, written, nr);
		return;
	}
	for (unsigned int i = 0; i < nr; i++) {
		assert_in_flight(vq, &chains[i]);
		if (unlikely(vq->log))
			log_written(vq, &chains[i], written[i]);
		if (vq->in_order)
			fill_in_order(vq, &batch, chains[i].id, written[i]);
		else
			fill(vq, &batch, chains[i].id, written[i]);
	}
	publish(vq, &batch);
	vq->in_flight -= nr;
}

bool packed_should_call(struct vring_dev *vq)
{
	const struct vring_packed_desc_event *event = vq->ring.driver;
	unsigned int since = vq->since_call;
	bool unknown = vq->call_unknown;
	uint16_t flags, off_wrap;
	int off, now;

	vq->since_call = 0;
	if (!since && !unknown)
		return false;
	/* as in split_should_call() */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	vq->call_unknown = false;
	flags = load_acquire_16(&event->flags) & 0x3;
	if (flags == VRING_PACKED_EVENT_FLAG_DISABLE)
		return false;
	if (flags != VRING_PACKED_EVENT_FLAG_DESC || !vq->event_idx || unknown ||
	    since >= vq->ring.num)
		return true;
	off_wrap = load_16(&event->off_wrap);
	off = off_wrap & ~(1u << VRING_PACKED_EVENT_F_WRAP_CTR);
	/* positions of the lap before this one are below 0 */
	if ((off_wrap >> VRING_PACKED_EVENT_F_WRAP_CTR) != vq->used_wrap)
		off -= vq->ring.num;
	now = vq->used_idx;
	return off < now && off >= now - (int)since;
}
