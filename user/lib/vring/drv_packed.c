// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Driver side of a packed virtqueue, VIRTIO 1.2 section 2.8.
 */
#include "drv.h"

#define AVAIL (1u << VRING_PACKED_DESC_F_AVAIL)
#define USED (1u << VRING_PACKED_DESC_F_USED)

static const struct vring_layout *ring(const struct vring_drv *vq)
{
	return &vq->config.ring;
}

static void advance(const struct vring_drv *vq, uint16_t *idx, bool *wrap, unsigned int nr)
{
	unsigned int next = *idx + nr;

	if (next >= drv_num(vq)) {
		next -= drv_num(vq);
		*wrap = !*wrap;
	}
	*idx = next;
}

/* len, id and flags */
static uint64_t desc_word(const struct drv_desc *desc, uint16_t id, uint16_t flags)
{
	return desc->len | (uint64_t)id << 32 | (uint64_t)flags << 48;
}

/* The flags of the first descriptor staged are what makes all available: kept back. */
static inline void write_desc(struct vring_drv *vq, const struct drv_desc *desc, uint16_t id,
			      bool head)
{
	struct vring_packed_desc *shared = &ring(vq)->ring[vq->avail_idx];
	uint64_t word = desc_word(desc, id, desc->flags | (vq->avail_wrap ? AVAIL : USED));

	store_64(&shared->addr, desc->addr);
	if (head && !vq->staged) {
		vq->first_idx = vq->avail_idx;
		vq->first_word = word;
	} else {
		store_release_64((__virtio64 *)&shared->len, word);
	}
	advance(vq, &vq->avail_idx, &vq->avail_wrap, 1);
}

static struct drv_desc write_table(struct vring_drv *vq, uint16_t id, const struct vring_buf *bufs,
				   unsigned int nr_out, unsigned int nr)
{
	uint64_t offset = (uint64_t)id * vq->config.indirect_max;
	struct vring_packed_desc *table =
		(struct vring_packed_desc *)(vq->config.indirect + offset);

	for (unsigned int i = 0; i < nr; i++) {
		/* VIRTIO 1.2, 2.8.7: NEXT is reserved there */
		struct drv_desc desc = drv_buf_desc(&bufs[i], i >= nr_out, false);

		store_64(&table[i].addr, desc.addr);
		store_64((__virtio64 *)&table[i].len, desc_word(&desc, 0, desc.flags));
	}
	return (struct drv_desc){
		.addr = vq->config.indirect_gpa + offset * sizeof(*table),
		.len = nr * sizeof(*table),
		.flags = VRING_DESC_F_INDIRECT,
	};
}

/* IN_ORDER: the position is the id, and so the order of ids is that of the ring. */
static uint16_t take_id(struct vring_drv *vq)
{
	uint16_t id = vq->free_head;

	if (vq->in_order)
		return vq->avail_idx;
	vq->free_head = vq->config.slots[id].next;
	return id;
}

int drv_packed_stage(struct vring_drv *vq, const struct vring_buf *bufs, unsigned int nr_out,
		     unsigned int nr, bool indirect)
{
	unsigned int used = indirect ? 1 : nr;
	uint16_t id = take_id(vq);
	struct drv_desc first;

	first = indirect ? write_table(vq, id, bufs, nr_out, nr) :
			   drv_buf_desc(&bufs[0], !nr_out, nr > 1);
	write_desc(vq, &first, id, true);
	for (unsigned int i = 1; i < used; i++) {
		struct drv_desc desc = drv_buf_desc(&bufs[i], i >= nr_out, i + 1 < nr);

		write_desc(vq, &desc, id, false);
	}
	/*
	 * Of a later chain the head's flags are out before the rest of it, but the
	 * device gets there only over the first one of all.
	 */
	vq->config.slots[id].nr = used;
	vq->nr_free -= used;
	vq->staged += used;
	return id;
}

void drv_packed_publish(struct vring_drv *vq)
{
	struct vring_packed_desc *first = &ring(vq)->ring[vq->first_idx];

	/* Pairs with the device's acquire of these flags. */
	store_release_64((__virtio64 *)&first->len, vq->first_word);
	vq->since_kick += vq->staged;
	vq->staged = 0;
}

bool drv_packed_should_kick(struct vring_drv *vq)
{
	const struct vring_packed_desc_event *event = ring(vq)->device;
	unsigned int since = vq->since_kick;
	uint16_t flags, off_wrap;
	int off, now;

	vq->since_kick = 0;
	if (!since)
		return false;
	/* as in drv_split_should_kick() */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	flags = load_acquire_16(&event->flags) & 0x3;
	if (flags == VRING_PACKED_EVENT_FLAG_DISABLE)
		return false;
	if (flags != VRING_PACKED_EVENT_FLAG_DESC || !vq->event_idx || since >= drv_num(vq))
		return true;
	off_wrap = load_16(&event->off_wrap);
	off = off_wrap & ~(1u << VRING_PACKED_EVENT_F_WRAP_CTR);
	/* positions of the lap before this one are below 0 */
	if ((off_wrap >> VRING_PACKED_EVENT_F_WRAP_CTR) != vq->avail_wrap)
		off -= drv_num(vq);
	now = vq->avail_idx;
	return off < now && off >= now - (int)since;
}

static bool is_used(uint16_t flags, bool wrap)
{
	return !!(flags & AVAIL) == wrap && !!(flags & USED) == wrap;
}

static void free_chain(struct vring_drv *vq, uint16_t id)
{
	struct vring_drv_slot *slot = &vq->config.slots[id];
	unsigned int nr = slot->nr;

	vq->nr_free += nr;
	slot->nr = 0;
	advance(vq, &vq->last_used_idx, &vq->used_wrap, nr);
	if (vq->in_order)
		return;
	slot->next = vq->free_head;
	vq->free_head = id;
}

/* What the device says at the next position, or -EAGAIN. */
static int read_used(const struct vring_drv *vq, uint32_t *written)
{
	const struct vring_packed_desc *shared = &ring(vq)->ring[vq->last_used_idx];
	uint16_t id;

	/*
	 * Nothing is out: what is there was used a lap ago. Else this pairs with the
	 * device's release of the flags.
	 */
	if (vq->nr_free + vq->staged == drv_num(vq) ||
	    !is_used(load_acquire_16(&shared->flags), vq->used_wrap))
		return -EAGAIN;
	id = load_16(&shared->id);
	if (id >= drv_num(vq) || !vq->config.slots[id].nr)
		return -EPROTO;
	*written = load_32(&shared->len);
	return id;
}

int drv_packed_get(struct vring_drv *vq, uint32_t *written)
{
	int id = vq->in_order ? drv_next_in_order(vq, vq->last_used_idx, read_used, written) :
				read_used(vq, written);

	if (id >= 0)
		free_chain(vq, id);
	return id;
}

static void set_event(struct vring_drv *vq, uint16_t flags)
{
	store_release_16(&ring(vq)->driver->flags, flags);
}

void drv_packed_call_disable(struct vring_drv *vq)
{
	set_event(vq, VRING_PACKED_EVENT_FLAG_DISABLE);
}

bool drv_packed_call_enable(struct vring_drv *vq)
{
	uint16_t off_wrap = vq->last_used_idx;
	uint32_t written;

	if (vq->used_wrap)
		off_wrap |= 1u << VRING_PACKED_EVENT_F_WRAP_CTR;
	if (vq->event_idx)
		store_16(&ring(vq)->driver->off_wrap, off_wrap);
	set_event(vq,
		  vq->event_idx ? VRING_PACKED_EVENT_FLAG_DESC : VRING_PACKED_EVENT_FLAG_ENABLE);
	/* as in drv_split_call_enable() */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return vq->batch || read_used(vq, &written) != -EAGAIN;
}
