// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Device side of a packed virtqueue, VIRTIO 1.2 section 2.8.
 */
#include "dev.h"

#define AVAIL (1u << VRING_PACKED_DESC_F_AVAIL)
#define USED (1u << VRING_PACKED_DESC_F_USED)

/* All but the flags, which were read before and said that the rest is valid. */
static inline struct desc read_desc(const struct vring_packed_desc *shared, uint16_t flags)
{
	struct desc desc =
		desc_packed(load_64(&shared->addr), load_64((const __virtio64 *)&shared->len));

	desc.flags = flags;
	return desc;
}

/* What a chain is, besides its pieces. */
struct taken {
	uint16_t id;
	unsigned int nr;
};

/* One descriptor of the chain: its buffers and, for recovery, a copy of it. */
static int take_desc(struct vring_dev *vq, struct vring_chain *chain, unsigned int at,
		     const struct desc *desc)
{
	if (unlikely(vq->inflight) && !chain->recovered)
		inflight_packed_record(vq, at, desc);
	if (desc->flags & VRING_DESC_F_INDIRECT)
		return chain_indirect(vq, chain, desc);
	return chain_append(vq, chain, desc);
}

/* VIRTIO 1.2, 2.8.6: the next descriptors follow in the ring; the last has the id. */
static int walk(struct vring_dev *vq, struct vring_chain *chain, struct desc desc,
		struct taken *taken)
{
	bool wrap = vq->avail_wrap;
	uint16_t idx = vq->avail_idx;
	unsigned int left = vq->ring.num - vq->descs_out;

	chain_clear(chain);
	for (taken->nr = 1;; taken->nr++) {
		uint16_t flags;
		int ret = take_desc(vq, chain, taken->nr - 1, &desc);

		if (ret)
			return ret;
		if (!(desc.flags & VRING_DESC_F_NEXT)) {
			taken->id = desc.next;
			return 0;
		}
		if (taken->nr >= left)
			return -EINVAL;
		packed_advance(vq, &idx, &wrap, 1);
		/* made available before the first one was */
		flags = load_16(&vq->ring.ring[idx].flags);
		if (!packed_is_available(flags, wrap))
			return -EINVAL;
		desc = read_desc(&vq->ring.ring[idx], flags);
	}
}

static inline int pop(struct vring_dev *vq, struct vring_chain *chain)
{
	const struct vring_packed_desc *shared = &vq->ring.ring[vq->avail_idx];
	struct taken taken = { .nr = 1 };
	struct desc desc;
	uint16_t flags;
	int ret;

	/* Pairs with the driver's release of the first descriptor's flags. */
	flags = load_acquire_16(&shared->flags);
	if (!packed_is_available(flags, vq->avail_wrap))
		return -EAGAIN;
	if (unlikely(vq->descs_out >= vq->ring.num))
		return -EPROTO;
	desc = read_desc(shared, flags);
	if (likely(!vq->inflight && chain_set_single(vq, chain, &desc))) {
		taken.id = desc.next;
	} else {
		ret = walk(vq, chain, desc, &taken);
		if (ret)
			return ret;
	}
	/* an id that is in flight already would be given back twice */
	if (unlikely(taken.id >= vq->ring.num || vq->slots[taken.id].in_flight))
		return -EINVAL;
	if (unlikely(vq->inflight))
		inflight_packed_take(vq, taken.id, taken.nr);
	vq->slots[taken.id].nr_descs = taken.nr;
	vq->descs_out += taken.nr;
	packed_advance(vq, &vq->avail_idx, &vq->avail_wrap, taken.nr);
	chain_taken(vq, chain, taken.id);
	return 0;
}

/* Out of the region's copy of the descriptors, checked as those of a ring are. */
static int take_recovered(struct vring_dev *vq, struct vring_chain *chain, uint16_t entry,
			  struct taken *taken)
{
	struct desc desc;

	for (unsigned int n = 1;; n++) {
		bool last = n == taken->nr;
		int ret;

		inflight_packed_read(vq, entry, &desc);
		ret = take_desc(vq, chain, n - 1, &desc);
		if (ret)
			return ret;
		if (last == !!(desc.flags & VRING_DESC_F_NEXT))
			return -EPROTO;
		if (last)
			break;
		entry = vq->links[entry];
	}
	taken->id = desc.next;
	if (taken->id >= vq->ring.num || vq->slots[taken->id].in_flight)
		return -EPROTO;
	vq->slots[taken->id].last = entry;
	return 0;
}

static int pop_recovered(struct vring_dev *vq, struct vring_chain *chain)
{
	const struct vring_recovered *from = &vq->recovered[vq->recovered_next];
	struct taken taken = { .nr = from->nr_descs };
	int ret;

	chain_clear(chain);
	chain->recovered = true;
	ret = take_recovered(vq, chain, from->entry, &taken);
	if (ret)
		return ret;
	vq->recovered_next++;
	vq->slots[taken.id].entry = from->entry;
	vq->slots[taken.id].nr_descs = taken.nr;
	chain_taken(vq, chain, taken.id);
	return 0;
}

int packed_pop_batch(struct vring_dev *vq, struct vring_chain *chains, unsigned int nr)
{
	unsigned int n = 0;
	int ret = 0;

	while (unlikely(vq->recovered_next < vq->recovered_nr) && n < nr && !ret) {
		ret = pop_recovered(vq, &chains[n]);
		n += !ret;
	}
	while (n < nr && !ret) {
		ret = pop(vq, &chains[n]);
		n += !ret;
	}
	vq->in_flight += n;
	return n ? (int)n : ret;
}

void packed_unpop(struct vring_dev *vq, const struct vring_chain *chain)
{
	unsigned int nr = vq->slots[chain->id].nr_descs;

	if (chain->recovered) {
		vq->recovered_next--;
		return;
	}
	if (vq->inflight)
		inflight_packed_untake(vq, chain->id);
	vq->descs_out -= nr;
	if (vq->avail_idx < nr) {
		vq->avail_idx += vq->ring.num;
		vq->avail_wrap = !vq->avail_wrap;
	}
	vq->avail_idx -= nr;
}

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

void packed_push_batch(struct vring_dev *vq, const struct vring_chain *chains,
		       const uint32_t *written, unsigned int nr)
{
	struct batch batch = begin(vq);

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

bool packed_empty(const struct vring_dev *vq)
{
	return vq->recovered_next == vq->recovered_nr &&
	       !packed_is_available(load_16(&vq->ring.ring[vq->avail_idx].flags), vq->avail_wrap);
}

static void set_event(struct vring_dev *vq, uint16_t flags)
{
	store_release_16(&vq->ring.device->flags, flags);
	if (vq->log_used)
		log_ring_write(vq, vq->ring.device, 0, sizeof(*vq->ring.device));
}

void packed_kick_disable(struct vring_dev *vq)
{
	set_event(vq, VRING_PACKED_EVENT_FLAG_DISABLE);
}

bool packed_kick_enable(struct vring_dev *vq)
{
	uint16_t off_wrap = vq->avail_idx;

	if (vq->avail_wrap)
		off_wrap |= 1u << VRING_PACKED_EVENT_F_WRAP_CTR;
	if (vq->event_idx)
		store_16(&vq->ring.device->off_wrap, off_wrap);
	set_event(vq,
		  vq->event_idx ? VRING_PACKED_EVENT_FLAG_DESC : VRING_PACKED_EVENT_FLAG_ENABLE);
	/* as in split_kick_enable() */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return !packed_empty(vq);
}
