// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Device side of a packed virtqueue, VIRTIO 1.2 section 2.8: what is taken, and kicks.
 */
#include "dev.h"

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

static int pop(struct vring_dev *vq, struct vring_chain *chain)
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
	ret = walk(vq, chain, desc, &taken);
	if (ret)
		return ret;
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

/*
 * Chains that are one descriptor in the region that was hit last, by far the most, with
 * what is needed of the ring in registers: between two descriptors that another
 * processor wrote the compiler must assume that all has changed. Returns how many,
 * up to the first that is anything else; that one is not touched.
 */
static unsigned int pop_singles(struct vring_dev *vq, struct vring_chain *chains, unsigned int nr)
{
	const struct vring_packed_desc *ring = vq->ring.ring;
	struct vring_dev_slot *slots = vq->slots;
	const unsigned int num = vq->ring.num;
	unsigned int idx = vq->avail_idx, n;
	bool wrap = vq->avail_wrap;

	if (nr > num - vq->descs_out)
		nr = num - vq->descs_out;
	for (n = 0; n < nr; n++) {
		/* as in pop() */
		uint16_t flags = load_acquire_16(&ring[idx].flags);
		struct desc desc;

		if (!packed_is_available(flags, wrap))
			break;
		desc = read_desc(&ring[idx], flags);
		if (unlikely(desc.next >= num || slots[desc.next].in_flight ||
			     !chain_set_single(vq, &chains[n], &desc)))
			break;
		slots[desc.next].nr_descs = 1;
		chain_taken(vq, &chains[n], desc.next);
		if (unlikely(++idx == num)) {
			idx = 0;
			wrap = !wrap;
		}
	}
	vq->avail_idx = idx;
	vq->avail_wrap = wrap;
	vq->descs_out += n;
	return n;
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
		if (likely(!vq->inflight))
			n += pop_singles(vq, chains + n, nr - n);
		if (n == nr)
			break;
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
