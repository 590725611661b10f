// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What both formats have in common. Needs nothing of the C library but memset().
 */
#include <string.h>

#include <linux/virtio_config.h>

#include "drv.h"

#ifndef VIRTIO_F_IN_ORDER
#define VIRTIO_F_IN_ORDER 35
#endif

/* VIRTIO 1.2, 2.7.5: no chain is longer than 2^32 bytes in total. */
#define CHAIN_BYTES_MAX (UINT64_C(1) << 32)

static bool has(uint64_t features, unsigned int bit)
{
	return features >> bit & 1;
}

static void clear_ring(const struct vring_layout *ring)
{
	if (ring->packed) {
		memset(ring->ring, 0, ring->num * sizeof(*ring->ring));
		memset(ring->driver, 0, sizeof(*ring->driver));
		memset(ring->device, 0, sizeof(*ring->device));
		return;
	}
	memset(ring->desc, 0, vring_desc_size(ring->num));
	memset(ring->avail, 0, vring_avail_size(ring->num));
	memset(ring->used, 0, vring_used_size(ring->num));
}

void vring_drv_init(struct vring_drv *vq, const struct vring_drv_config *config)
{
	unsigned int num = config->ring.num;

	*vq = (struct vring_drv){
		.config = *config,
		.indirect = config->indirect && has(config->features, VIRTIO_RING_F_INDIRECT_DESC),
		.event_idx = has(config->features, VIRTIO_RING_F_EVENT_IDX),
		.in_order = has(config->features, VIRTIO_F_IN_ORDER),
		/* VIRTIO 1.2, 2.8.1: both counters start at 1 */
		.avail_wrap = true,
		.used_wrap = true,
		.nr_free = num,
	};
	clear_ring(&config->ring);
	/* a circle: nr_free says where the free list ends */
	for (unsigned int i = 0; i < num; i++)
		config->slots[i] = (struct vring_drv_slot){ .next = i + 1 < num ? i + 1 : 0 };
}

static bool bufs_valid(const struct vring_buf *bufs, unsigned int nr)
{
	uint64_t bytes = 0;

	for (unsigned int i = 0; i < nr; i++) {
		bytes += bufs[i].len;
		if (!bufs[i].len || bytes > CHAIN_BYTES_MAX)
			return false;
	}
	return nr > 0;
}

int vring_drv_stage(struct vring_drv *vq, const struct vring_buf *bufs, unsigned int nr_out,
		    unsigned int nr_in)
{
	unsigned int nr = nr_out + nr_in;
	bool indirect;

	if (nr < nr_out)
		return -ENOSPC;
	indirect = vq->indirect && nr > 1 && nr <= vq->config.indirect_max;
	if ((indirect ? 1 : nr) > vq->nr_free)
		return -ENOSPC;
	if (!bufs_valid(bufs, nr))
		return -EINVAL;
	return vq->config.ring.packed ? drv_packed_stage(vq, bufs, nr_out, nr, indirect) :
					drv_split_stage(vq, bufs, nr_out, nr, indirect);
}

void vring_drv_publish(struct vring_drv *vq)
{
	if (!vq->staged)
		return;
	if (vq->config.ring.packed)
		drv_packed_publish(vq);
	else
		drv_split_publish(vq);
}

int vring_drv_add(struct vring_drv *vq, const struct vring_buf *bufs, unsigned int nr_out,
		  unsigned int nr_in)
{
	int id = vring_drv_stage(vq, bufs, nr_out, nr_in);

	vring_drv_publish(vq);
	return id;
}

bool vring_drv_should_kick(struct vring_drv *vq)
{
	return vq->config.ring.packed ? drv_packed_should_kick(vq) : drv_split_should_kick(vq);
}

int vring_drv_get(struct vring_drv *vq, uint32_t *written)
{
	return vq->config.ring.packed ? drv_packed_get(vq, written) : drv_split_get(vq, written);
}

void vring_drv_call_disable(struct vring_drv *vq)
{
	if (vq->config.ring.packed)
		drv_packed_call_disable(vq);
	else
		drv_split_call_disable(vq);
}

bool vring_drv_call_enable(struct vring_drv *vq)
{
	return vq->config.ring.packed ? drv_packed_call_enable(vq) : drv_split_call_enable(vq);
}

uint32_t vring_drv_base(const struct vring_drv *vq)
{
	uint32_t position = vq->last_used_idx | (uint32_t)vq->used_wrap << 15;

	if (vq->config.ring.packed)
		return position | position << 16;
	return load_16(&vq->config.ring.used->idx);
}
