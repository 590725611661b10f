// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Device side of a split virtqueue, VIRTIO 1.2 section 2.7.
 */
#include "dev.h"

static inline uint16_t mask(const struct vring_dev *vq)
{
	return vq->ring.num - 1;
}

static inline struct desc read_desc(const struct vring_desc *shared)
{
	/* the table is 16 byte aligned; two loads take all of it */
	return desc_split(load_64(&shared->addr), load_64((const __virtio64 *)&shared->len));
}

static int walk(struct vring_dev *vq, struct vring_chain *chain, struct desc desc)
{
	chain_clear(chain);
	/* a chain that has not ended after num descriptors is looped */
	for (unsigned int n = 1;; n++) {
		int ret;

		if (desc.flags & VRING_DESC_F_INDIRECT)
			return chain_indirect(vq, chain, &desc);
		ret = chain_append(vq, chain, &desc);
		if (ret || !(desc.flags & VRING_DESC_F_NEXT))
			return ret;
		if (n >= vq->ring.num || desc.next >= vq->ring.num)
			return -EINVAL;
		desc = read_desc(&vq->ring.desc[desc.next]);
	}
}

static inline int take_head(struct vring_dev *vq, struct vring_chain *chain, uint16_t head)
{
	struct desc desc;

	/* a head that is in flight already would be given back twice */
	if (unlikely(head >= vq->ring.num || vq->slots[head].in_flight))
		return -EINVAL;
	desc = read_desc(&vq->ring.desc[head]);
	if (likely(chain_set_single(vq, chain, &desc)))
		return 0;
	return walk(vq, chain, desc);
}

static int pop_recovered(struct vring_dev *vq, struct vring_chain *chain)
{
	uint16_t head = vq->recovered[vq->recovered_next].entry;
	int ret = take_head(vq, chain, head);

	if (ret)
		return ret;
	vq->recovered_next++;
	vq->in_flight++;
	chain->recovered = true;
	chain_taken(vq, chain, head);
	return 0;
}

/* How many are available, of which at most @wanted matter. */
static int available(struct vring_dev *vq, unsigned int wanted)
{
	uint16_t ahead = vq->avail_seen - vq->avail_idx;

	if (ahead >= wanted)
		return ahead;
	/*
	 * Pairs with the driver's release of avail->idx: the entries and the
	 * descriptors it published are read after the index.
	 */
	vq->avail_seen = load_acquire_16(&vq->ring.avail->idx);
	ahead = vq->avail_seen - vq->avail_idx;
	if (likely(ahead <= vq->ring.num))
		return ahead;
	vq->avail_seen = vq->avail_idx;
	return -EPROTO;
}

/* Heads that are looked up at once. */
#define AHEAD 32u

/* So that descriptors, which another processor wrote, come in meanwhile. */
static inline void read_heads(const struct vring_dev *vq, uint16_t *heads, unsigned int nr)
{
	const __virtio16 *ring = vq->ring.avail->ring;

	for (unsigned int i = 0; i < nr; i++) {
		heads[i] = load_16(&ring[(vq->avail_idx + i) & mask(vq)]);
		__builtin_prefetch(&vq->ring.desc[heads[i] & mask(vq)]);
	}
}

/* Takes what is there, @nr at most and no more than AHEAD. Returns how many. */
static unsigned int take_available(struct vring_dev *vq, struct vring_chain *chains,
				   unsigned int nr, int *ret)
{
	uint16_t heads[AHEAD];
	unsigned int n;

	read_heads(vq, heads, nr);
	for (n = 0; n < nr; n++) {
		*ret = take_head(vq, &chains[n], heads[n]);
		if (unlikely(*ret))
			break;
		if (unlikely(vq->inflight))
			inflight_split_take(vq, heads[n]);
		chain_taken(vq, &chains[n], heads[n]);
	}
	vq->avail_idx += n;
	vq->in_flight += n;
	return n;
}

int split_pop_batch(struct vring_dev *vq, struct vring_chain *chains, unsigned int nr)
{
	unsigned int n = 0;
	int ret = 0, ahead;

	while (unlikely(vq->recovered_next < vq->recovered_nr) && n < nr && !ret) {
		ret = pop_recovered(vq, &chains[n]);
		n += !ret;
	}
	if (n == nr || ret)
		return n ? (int)n : ret;
	ahead = available(vq, nr - n);
	if (ahead <= 0)
		return n ? (int)n : ahead ? ahead : -EAGAIN;
	if ((unsigned int)ahead < nr - n)
		nr = n + ahead;
	while (n < nr && !ret)
		n += take_available(vq, chains + n, nr - n < AHEAD ? nr - n : AHEAD, &ret);
	return n ? (int)n : ret;
}

void split_unpop(struct vring_dev *vq, const struct vring_chain *chain)
{
	if (chain->recovered) {
		vq->recovered_next--;
		return;
	}
	if (vq->inflight)
		inflight_split_untake(vq, chain->id);
	vq->avail_idx--;
}

/* Used entries that are written, and not published. */
struct batch {
	uint16_t idx;
	unsigned int nr;
};

static inline void fill(struct vring_dev *vq, struct batch *batch, uint16_t id, uint32_t written)
{
	uint16_t at = batch->idx++ & mask(vq);
	vring_used_elem_t *elem = &vq->ring.used->ring[at];

	if (unlikely(vq->inflight))
		inflight_split_fill(vq, id);
	vq->slots[id].in_flight = false;
	store_32(&elem->id, id);
	store_32(&elem->len, written);
	if (unlikely(vq->log_used))
		log_ring_write(vq, elem, offsetof(struct vring_used, ring) + at * sizeof(*elem),
			       sizeof(*elem));
	batch->nr++;
}

static void publish(struct vring_dev *vq, const struct batch *batch)
{
	if (!batch->nr)
		return;
	/*
	 * Pairs with the driver's acquire of used->idx: the entries, and what was
	 * written to the buffers, are visible before the index.
	 */
	store_release_16(&vq->ring.used->idx, batch->idx);
	vq->used_idx = batch->idx;
	if (unlikely(vq->log_used))
		log_ring_write(vq, &vq->ring.used->idx, offsetof(struct vring_used, idx),
			       sizeof(vq->ring.used->idx));
	if (unlikely(vq->inflight))
		inflight_split_published(vq, batch->nr);
	vq->since_call += batch->nr;
}

/* VIRTIO 1.2, 2.7.9: used in the order in which they were available */
static void fill_in_order(struct vring_dev *vq, struct batch *batch, uint16_t id, uint32_t written)
{
	if (!order_take(vq, id, written))
		return;
	do
		fill(vq, batch, id, written);
	while (order_next(vq, &id, &written));
}

void split_push_batch(struct vring_dev *vq, const struct vring_chain *chains,
		      const uint32_t *written, unsigned int nr)
{
	struct batch batch = { .idx = vq->used_idx };
	bool in_order = vq->in_order && !order_take_batch(vq, chains, nr);

	for (unsigned int i = 0; i < nr; i++) {
		assert_in_flight(vq, &chains[i]);
		if (unlikely(vq->log))
			log_written(vq, &chains[i], written[i]);
		if (in_order)
			fill_in_order(vq, &batch, chains[i].id, written[i]);
		else
			fill(vq, &batch, chains[i].id, written[i]);
	}
	publish(vq, &batch);
	vq->in_flight -= nr;
}

/* VIRTIO 1.2, 2.7.10: after the driver's ring, and after the device's */
static const __virtio16 *used_event(const struct vring_dev *vq)
{
	return &vq->ring.avail->ring[vq->ring.num];
}

static __virtio16 *avail_event(const struct vring_dev *vq)
{
	return (__virtio16 *)&vq->ring.used->ring[vq->ring.num];
}

bool split_should_call(struct vring_dev *vq)
{
	unsigned int since = vq->since_call;
	bool unknown = vq->call_unknown;

	vq->since_call = 0;
	if (!since && !unknown)
		return false;
	/*
	 * Pairs with the full barrier of a driver that asks for calls and then looks
	 * at used->idx once more: one of the two sees the other's store. With less,
	 * both could read old values and the call would be lost.
	 */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	vq->call_unknown = false;
	if (!vq->event_idx)
		return !(load_16(&vq->ring.avail->flags) & VRING_AVAIL_F_NO_INTERRUPT);
	if (unknown || since > UINT16_MAX)
		return true;
	return vring_need_event(load_16(used_event(vq)), vq->used_idx, vq->used_idx - since);
}

bool split_empty(const struct vring_dev *vq)
{
	return vq->recovered_next == vq->recovered_nr &&
	       load_16(&vq->ring.avail->idx) == vq->avail_idx;
}

void split_kick_disable(struct vring_dev *vq)
{
	/* with EVENT_IDX an event that is never passed again is as good */
	if (vq->event_idx)
		return;
	store_16(&vq->ring.used->flags, VRING_USED_F_NO_NOTIFY);
	if (vq->log_used)
		log_ring_write(vq, &vq->ring.used->flags, 0, sizeof(vq->ring.used->flags));
}

bool split_kick_enable(struct vring_dev *vq)
{
	__virtio16 *field = vq->event_idx ? avail_event(vq) : &vq->ring.used->flags;

	store_16(field, vq->event_idx ? vq->avail_idx : 0);
	if (vq->log_used)
		log_ring_write(vq, field, (uint8_t *)field - (uint8_t *)vq->ring.used,
			       sizeof(*field));
	/*
	 * Pairs with the full barrier of a driver that publishes avail->idx and then
	 * looks whether a kick is wanted: one of the two sees the other's store.
	 */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return !split_empty(vq);
}
