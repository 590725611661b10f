// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Driver side of a split virtqueue, VIRTIO 1.2 section 2.7.
 */
#include "drv.h"

static const struct vring_layout *ring(const struct vring_drv *vq)
{
	return &vq->config.ring;
}

static uint16_t mask(const struct vring_drv *vq)
{
	return drv_num(vq) - 1;
}

static void write_desc(struct vring_desc *shared, const struct drv_desc *desc, uint16_t next)
{
	uint64_t flags = desc->flags;

	/* tables are 16 byte aligned; two stores write all of it */
	store_64(&shared->addr, desc->addr);
	store_64((__virtio64 *)&shared->len, desc->len | flags << 32 | (uint64_t)next << 48);
}

static struct drv_desc write_table(struct vring_drv *vq, uint16_t head,
				   const struct vring_buf *bufs, unsigned int nr_out,
				   unsigned int nr)
{
	uint64_t offset = (uint64_t)head * vq->config.indirect_max;

	for (unsigned int i = 0; i < nr; i++) {
		struct drv_desc desc = drv_buf_desc(&bufs[i], i >= nr_out, i + 1 < nr);

		write_desc(&vq->config.indirect[offset + i], &desc, i + 1 < nr ? i + 1 : 0);
	}
	return (struct drv_desc){
		.addr = vq->config.indirect_gpa + offset * sizeof(struct vring_desc),
		.len = nr * sizeof(struct vring_desc),
		.flags = VRING_DESC_F_INDIRECT,
	};
}

int drv_split_stage(struct vring_drv *vq, const struct vring_buf *bufs, unsigned int nr_out,
		    unsigned int nr, bool indirect)
{
	struct vring_drv_slot *slots = vq->config.slots;
	uint16_t head = vq->free_head;
	unsigned int used = indirect ? 1 : nr;
	uint16_t index = slots[head].next;
	struct drv_desc desc;

	desc = indirect ? write_table(vq, head, bufs, nr_out, nr) :
			  drv_buf_desc(&bufs[0], !nr_out, nr > 1);
	write_desc(&ring(vq)->desc[head], &desc, used > 1 ? index : 0);
	for (unsigned int i = 1; i < used; i++) {
		uint16_t next = slots[index].next;

		desc = drv_buf_desc(&bufs[i], i >= nr_out, i + 1 < nr);
		write_desc(&ring(vq)->desc[index], &desc, i + 1 < used ? next : 0);
		index = next;
	}
	vq->free_head = index;
	vq->nr_free -= used;
	slots[head].nr = used;
	store_16(&ring(vq)->avail->ring[vq->avail_idx & mask(vq)], head);
	vq->avail_idx++;
	vq->staged++;
	return head;
}

void drv_split_publish(struct vring_drv *vq)
{
	/*
	 * Pairs with the device's acquire of avail->idx: the entries, the descriptors
	 * and the buffers are visible before the index.
	 */
	store_release_16(&ring(vq)->avail->idx, vq->avail_idx);
	vq->since_kick += vq->staged;
	vq->staged = 0;
}

/* VIRTIO 1.2, 2.7.10: after the device's ring, and after the driver's */
static const __virtio16 *avail_event(const struct vring_drv *vq)
{
	return (const __virtio16 *)&ring(vq)->used->ring[drv_num(vq)];
}

static __virtio16 *used_event(const struct vring_drv *vq)
{
	return &ring(vq)->avail->ring[drv_num(vq)];
}

bool drv_split_should_kick(struct vring_drv *vq)
{
	unsigned int since = vq->since_kick;

	vq->since_kick = 0;
	if (!since)
		return false;
	/*
	 * Pairs with the full barrier of a device that asks for kicks and then looks
	 * at avail->idx once more: one of the two sees the other's store. With less,
	 * both could read old values and the kick would be lost.
	 */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!vq->event_idx)
		return !(load_16(&ring(vq)->used->flags) & VRING_USED_F_NO_NOTIFY);
	if (since > UINT16_MAX)
		return true;
	return vring_need_event(load_16(avail_event(vq)), vq->avail_idx, vq->avail_idx - since);
}

/* Links live in the slots only: what the device does to ->next is not seen. */
static void free_chain(struct vring_drv *vq, uint16_t head)
{
	struct vring_drv_slot *slots = vq->config.slots;
	unsigned int nr = slots[head].nr;
	uint16_t tail = head;

	vq->nr_free += nr;
	slots[head].nr = 0;
	/* in order, the free ones are a piece of the circle */
	if (vq->in_order) {
		vq->order_head = (head + nr) & mask(vq);
		return;
	}
	for (unsigned int i = 1; i < nr; i++)
		tail = slots[tail].next;
	slots[tail].next = vq->free_head;
	vq->free_head = head;
}

static int read_used(const struct vring_drv *vq, uint32_t *written)
{
	const vring_used_elem_t *elem = &ring(vq)->used->ring[vq->last_used_idx & mask(vq)];
	uint32_t head = load_32(&elem->id);

	if (head >= drv_num(vq) || !vq->config.slots[head].nr)
		return -EPROTO;
	*written = load_32(&elem->len);
	return head;
}

int drv_split_get(struct vring_drv *vq, uint32_t *written)
{
	/* what is staged can't be used yet */
	uint16_t in_flight = vq->avail_idx - vq->staged - vq->last_used_idx;
	uint16_t ahead;
	int head;

	/*
	 * Pairs with the device's release of used->idx: the entry and what the device
	 * wrote to the buffers is read after the index.
	 */
	ahead = load_acquire_16(&ring(vq)->used->idx) - vq->last_used_idx;
	if (!ahead)
		return vq->batch ? -EPROTO : -EAGAIN;
	if (ahead > in_flight)
		return -EPROTO;
	head = vq->in_order ? drv_next_in_order(vq, vq->order_head, read_used, written) :
			      read_used(vq, written);
	if (head < 0)
		return head;
	free_chain(vq, head);
	vq->last_used_idx++;
	return head;
}

void drv_split_call_disable(struct vring_drv *vq)
{
	/* with EVENT_IDX an event that is passed long ago is as good */
	if (vq->event_idx)
		store_16(used_event(vq), vq->last_used_idx - 1);
	else
		store_16(&ring(vq)->avail->flags, VRING_AVAIL_F_NO_INTERRUPT);
}

bool drv_split_call_enable(struct vring_drv *vq)
{
	if (vq->event_idx)
		store_16(used_event(vq), vq->last_used_idx);
	else
		store_16(&ring(vq)->avail->flags, 0);
	/*
	 * Pairs with the full barrier of a device that publishes used->idx and then
	 * looks whether a call is wanted: one of the two sees the other's store.
	 */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return load_16(&ring(vq)->used->idx) != vq->last_used_idx;
}
