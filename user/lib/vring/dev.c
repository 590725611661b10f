// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What both formats have in common.
 */
#include <stdlib.h>

#include <linux/virtio_config.h>

#include "dev.h"

#ifndef VIRTIO_F_IN_ORDER
#define VIRTIO_F_IN_ORDER 35
#endif

static bool has(uint64_t features, unsigned int bit)
{
	return features >> bit & 1;
}

/* As in SET_VRING_BASE: a position in 15 bits, its wrap counter above it. */
static int set_base_packed(struct vring_dev *vq, uint32_t base)
{
	int ahead;

	/*
	 * DPDK's virtio-user sends the avail half only. It is no loss: with nothing in
	 * flight the halves are equal, and else the inflight region has the position.
	 */
	if (!(base >> 16))
		base |= base << 16;
	vq->avail_idx = base & 0x7fff;
	vq->avail_wrap = base >> 15 & 1;
	vq->used_idx = base >> 16 & 0x7fff;
	vq->used_wrap = base >> 31;
	if (vq->avail_idx >= vq->ring.num || vq->used_idx >= vq->ring.num)
		return -EINVAL;
	ahead = vq->avail_idx - vq->used_idx;
	if (vq->avail_wrap != vq->used_wrap)
		ahead += vq->ring.num;
	if (ahead < 0 || ahead > (int)vq->ring.num)
		return -EINVAL;
	vq->descs_out = ahead;
	return 0;
}

static int set_base(struct vring_dev *vq, uint32_t base)
{
	if (vq->ring.packed)
		return set_base_packed(vq, base);
	if (base > UINT16_MAX)
		return -EINVAL;
	vq->avail_idx = base;
	vq->used_idx = load_16(&vq->ring.used->idx);
	return 0;
}

static int alloc_tables(struct vring_dev *vq)
{
	unsigned int num = vq->ring.num;

	vq->slots = calloc(num, sizeof(*vq->slots));
	if (!vq->slots)
		return -ENOMEM;
	if (vq->in_order) {
		vq->order = calloc(num, sizeof(*vq->order));
		vq->held_written = calloc(num, sizeof(*vq->held_written));
		if (!vq->order || !vq->held_written)
			return -ENOMEM;
	}
	if (!vq->inflight)
		return 0;
	vq->recovered = calloc(num, sizeof(*vq->recovered));
	vq->links = calloc(num, sizeof(*vq->links));
	return vq->recovered && vq->links ? 0 : -ENOMEM;
}

/* Nothing lies in it: what is behind an IOTLB is looked up each time. */
static const struct vring_mem_region no_region;

int vring_dev_init(struct vring_dev *vq, const struct vring_dev_config *config)
{
	int ret;

	*vq = (struct vring_dev){
		.ring = config->ring,
		.mem = config->mem,
		.hit = config->mem->iotlb ? &no_region : config->mem->regions,
		.indirect = has(config->features, VIRTIO_RING_F_INDIRECT_DESC),
		.event_idx = has(config->features, VIRTIO_RING_F_EVENT_IDX),
		.in_order = has(config->features, VIRTIO_F_IN_ORDER),
		.inflight = config->inflight,
		.call_unknown = true,
	};
	ret = set_base(vq, config->base);
	if (!ret)
		ret = alloc_tables(vq);
	if (!ret && vq->inflight)
		ret = vq->ring.packed ? inflight_packed_init(vq) : inflight_split_init(vq);
	vq->avail_seen = vq->avail_idx;
	if (ret)
		vring_dev_exit(vq);
	return ret;
}

void vring_dev_exit(struct vring_dev *vq)
{
	free(vq->slots);
	free(vq->order);
	free(vq->held_written);
	free(vq->recovered);
	free(vq->links);
	vq->slots = NULL;
	vq->order = NULL;
	vq->held_written = NULL;
	vq->recovered = NULL;
	vq->links = NULL;
}

void vring_dev_move(struct vring_dev *vq, const struct vring_layout *ring)
{
	vq->ring = *ring;
}

void vring_dev_set_log(struct vring_dev *vq, const struct vring_log *log, bool used,
		       uint64_t used_gpa)
{
	vq->log = log;
	vq->log_used = log && used;
	vq->log_used_gpa = used_gpa;
}

int vring_dev_pop_batch(struct vring_dev *vq, struct vring_chain *chains, unsigned int nr)
{
	return vq->ring.packed ? packed_pop_batch(vq, chains, nr) : split_pop_batch(vq, chains, nr);
}

int vring_dev_pop(struct vring_dev *vq, struct vring_chain *chain)
{
	struct vring_chain taken = { .iov = chain->iov, .nr_iov = chain->nr_iov };
	int ret = vring_dev_pop_batch(vq, &taken, 1);

	if (ret < 0)
		return ret;
	*chain = taken;
	return 0;
}

void vring_dev_unpop(struct vring_dev *vq, const struct vring_chain *chains, unsigned int nr)
{
	while (nr--) {
		if (vq->ring.packed)
			packed_unpop(vq, &chains[nr]);
		else
			split_unpop(vq, &chains[nr]);
		vq->slots[chains[nr].id].in_flight = false;
		vq->in_flight--;
		if (vq->in_order)
			vq->order_nr--;
	}
}

void vring_dev_push_batch(struct vring_dev *vq, const struct vring_chain *chains,
			  const uint32_t *written, unsigned int nr)
{
	if (vq->ring.packed)
		packed_push_batch(vq, chains, written, nr);
	else
		split_push_batch(vq, chains, written, nr);
}

void vring_dev_push(struct vring_dev *vq, const struct vring_chain *chain, uint32_t written)
{
	vring_dev_push_batch(vq, chain, &written, 1);
}

void vring_dev_drop(struct vring_dev *vq, const struct vring_chain *chain)
{
	/* its slot stays taken: the driver must not make it available again */
	assert(chain->id < vq->ring.num && vq->slots[chain->id].in_flight);
	/* how much of it was written nobody knows */
	if (vq->log)
		log_written(vq, chain, chain->in_bytes);
	vq->in_flight--;
}

uint32_t vring_dev_base(const struct vring_dev *vq)
{
	if (!vq->ring.packed)
		return vq->avail_idx;
	return vq->avail_idx | (uint32_t)vq->avail_wrap << 15 | (uint32_t)vq->used_idx << 16 |
	       (uint32_t)vq->used_wrap << 31;
}

bool vring_dev_should_call(struct vring_dev *vq)
{
	return vq->ring.packed ? packed_should_call(vq) : split_should_call(vq);
}

bool vring_dev_empty(const struct vring_dev *vq)
{
	return vq->ring.packed ? packed_empty(vq) : split_empty(vq);
}

void vring_dev_kick_disable(struct vring_dev *vq)
{
	if (vq->ring.packed)
		packed_kick_disable(vq);
	else
		split_kick_disable(vq);
}

bool vring_dev_kick_enable(struct vring_dev *vq)
{
	return vq->ring.packed ? packed_kick_enable(vq) : split_kick_enable(vq);
}
