// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Device side of a packed virtqueue, VIRTIO 1.2 section 2.8.
 */
#include "dev.h"

#define AVAIL (1u << VRING_PACKED_DESC_F_AVAIL)
#define USED (1u << VRING_PACKED_DESC_F_USED)

/* Moves a position on; @nr is at most the queue size. */
void packed_advance(const struct vring_dev *vq, uint16_t *idx, bool *wrap, unsigned int nr)
{
	unsigned int next = *idx + nr;

	if (next >= vq->ring.num) {
		next -= vq->ring.num;
		*wrap = !*wrap;
	}
	*idx = next;
}

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
	chain_clear(chain);
	desc = read_desc(shared, flags);
	if (likely(!(flags & (VRING_DESC_F_NEXT | VRING_DESC_F_INDIRECT)) && !vq->inflight)) {
		taken.id = desc.next;
		ret = chain_append(vq, chain, &desc);
	} else {
		ret = walk(vq, chain, desc, &taken);
	}
	if (unlikely(ret))
		return ret;
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
	struct vring_dev_slot *slot;
	struct desc desc;

	for (unsigned int n = 1;; n++) {
		int ret = inflight_packed_read(vq, entry, &desc);

		if (!ret)
			ret = take_desc(vq, chain, n - 1, &desc);
		if (ret)
			return ret;
		if (n == taken->nr)
			break;
		if (!(desc.flags & VRING_DESC_F_NEXT))
			return -EPROTO;
		entry = vq->links[entry];
	}
	taken->id = desc.next;
	if (desc.flags & VRING_DESC_F_NEXT || taken->id >= vq->ring.num ||
	    vq->slots[taken->id].in_flight)
		return -EPROTO;
	slot = &vq->slots[taken->id];
	slot->last = entry;
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

static void log_desc(const struct vring_dev *vq, const struct vring_packed_desc *desc)
{
	if (unlikely(vq->log_used))
		log_ring_write(vq, desc, 0, sizeof(*desc));
}

static void publish_first(struct vring_dev *vq)
{
	struct vring_packed_desc *first = &vq->ring.ring[vq->first_idx];

	/*
	 * Pairs with the driver's acquire of these flags: what follows them, and what
	 * was written to the buffers, is visible before they are.
	 */
	store_release_16(&first->flags, vq->first_flags);
	log_desc(vq, first);
	vq->filled = 0;
}

void packed_fill(struct vring_dev *vq, uint16_t id, uint32_t written)
{
	struct vring_packed_desc *desc = &vq->ring.ring[vq->used_idx];
	uint16_t flags = vq->used_wrap ? AVAIL | USED : 0;
	uint16_t at = vq->used_idx;
	unsigned int nr = vq->slots[id].nr_descs;

	if (written)
		flags |= VRING_DESC_F_WRITE;
	store_32(&desc->len, written);
	store_16(&desc->id, id);
	vq->descs_out -= nr;
	vq->since_call += nr;
	packed_advance(vq, &vq->used_idx, &vq->used_wrap, nr);
	if (vq->filled++) {
		/* not seen by the driver before the first one is */
		store_release_16(&desc->flags, flags);
		log_desc(vq, desc);
		return;
	}
	vq->first_idx = at;
	vq->first_flags = flags;
	if (likely(!vq->inflight))
		return;
	/*
	 * One by one: of a batch whose first was not published, the flags of the
	 * others would be there already, and valid for the driver once another device
	 * side has published one in the first's place.
	 */
	inflight_packed_fill(vq, id);
	publish_first(vq);
	inflight_packed_published(vq, id);
}

void packed_publish(struct vring_dev *vq)
{
	if (vq->filled)
		publish_first(vq);
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
