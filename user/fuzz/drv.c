// SPDX-License-Identifier: GPL-2.0-only
/*
 * The input is a program of steps, of the driver and of the device. What the driver
 * has out is kept here once more, and compared.
 */
#include <errno.h>

#include <linux/virtio_config.h>

#include <vringlab/vring_drv.h>

#include "drv.h"
#include "race.h"

#ifndef VIRTIO_F_IN_ORDER
#define VIRTIO_F_IN_ORDER 35
#endif

#define NUM_MAX 37u
#define BUFS_MAX 6u
#define INDIRECT_MAX 4u
#define STEPS_MAX 512u

/**
 * struct rig - A ring and its driver side
 * @descs:	By id: descriptors that a chain that is out has.
 * @order:	IN_ORDER: ids as they were added.
 * @nr_descs:	Sum of @descs.
 * @broken:	The device was caught.
 */
struct rig {
	struct fuzz_input *in;
	struct vring_drv_config config;
	struct vring_drv vq;
	uint8_t *memory;
	size_t size;
	bool in_order;
	unsigned int descs[NUM_MAX];
	unsigned int nr_descs;
	uint16_t order[NUM_MAX];
	unsigned int nr_order;
	bool broken;
};

static void rig_init(struct rig *r, struct fuzz_input *in, bool packed)
{
	uint8_t flags = fuzz_u8(in), num = fuzz_u8(in);

	num = packed ? num % NUM_MAX + 1 : 1u << num % 6;
	*r = (struct rig){ .in = in, .in_order = flags & 4 };
	r->size = vring_layout_bytes(num, packed);
	r->memory = calloc(1, r->size);
	r->config = (struct vring_drv_config){
		.ring = vring_layout_host(num, packed, r->memory),
		.features = (flags & 1 ? 1ull << VIRTIO_RING_F_INDIRECT_DESC : 0) |
			    (flags & 2 ? 1ull << VIRTIO_RING_F_EVENT_IDX : 0) |
			    (flags & 4 ? 1ull << VIRTIO_F_IN_ORDER : 0),
		.slots = calloc(num, sizeof(struct vring_drv_slot)),
		.indirect = calloc(num * INDIRECT_MAX, sizeof(struct vring_desc)),
		.indirect_gpa = 0x10000,
		.indirect_max = INDIRECT_MAX,
	};
	FUZZ_CHECK(r->memory && r->config.slots && r->config.indirect);
	vring_drv_init(&r->vq, &r->config);
	race_begin(fuzz_split(in));
	race_watch(r->memory, r->size);
}

static void rig_exit(struct rig *r)
{
	race_end();
	free(r->memory);
	free(r->config.slots);
	free(r->config.indirect);
}

/* The device */

static void write_bytes(struct rig *r)
{
	size_t at = fuzz_u16(r->in) % r->size, len = fuzz_u8(r->in);

	fuzz_some(r->in, r->memory + at, len < r->size - at ? len : r->size - at);
}

/* Where the driver looks next. */
static void write_used(struct rig *r)
{
	const struct vring_layout *ring = &r->config.ring;
	uint8_t id = fuzz_u8(r->in);
	uint32_t len = fuzz_u8(r->in);

	if (!ring->packed) {
		ring->used->ring[ring->used->idx++ & (ring->num - 1)] =
			(vring_used_elem_t){ .id = id, .len = len };
		return;
	}
	ring->ring[r->vq.last_used_idx].id = id;
	ring->ring[r->vq.last_used_idx].len = len;
	ring->ring[r->vq.last_used_idx].flags = r->vq.used_wrap ? 0x8080 : 0;
}

/* The driver */

static void stage(struct rig *r)
{
	struct vring_buf bufs[BUFS_MAX];
	uint8_t how = fuzz_u8(r->in);
	unsigned int nr = how % (BUFS_MAX + 1), nr_out = nr ? how / 16 % (nr + 1) : 0;
	unsigned int descs = nr;
	int id;

	for (unsigned int i = 0; i < nr; i++)
		bufs[i] = (struct vring_buf){ .gpa = i << 20, .len = i + 1 };
	if (r->config.features & 1ull << VIRTIO_RING_F_INDIRECT_DESC && nr > 1 &&
	    nr <= INDIRECT_MAX)
		descs = 1;
	if (r->broken)
		return;
	id = vring_drv_stage(&r->vq, bufs, nr_out, nr - nr_out);
	if (!nr || descs > r->config.ring.num - r->nr_descs) {
		FUZZ_CHECK(id == (nr ? -ENOSPC : -EINVAL));
		return;
	}
	FUZZ_CHECK(id >= 0 && (unsigned int)id < r->config.ring.num && !r->descs[id]);
	r->descs[id] = descs;
	r->nr_descs += descs;
	if (r->in_order)
		r->order[r->nr_order++] = id;
}

static void publish(struct rig *r)
{
	vring_drv_publish(&r->vq);
}

static void get(struct rig *r)
{
	uint32_t written;
	int id;

	if (r->broken)
		return;
	id = vring_drv_get(&r->vq, &written);
	if (id < 0) {
		FUZZ_CHECK(id == -EAGAIN || id == -EPROTO);
		r->broken = id == -EPROTO;
		return;
	}
	FUZZ_CHECK((unsigned int)id < r->config.ring.num && r->descs[id]);
	r->nr_descs -= r->descs[id];
	r->descs[id] = 0;
	if (!r->in_order)
		return;
	FUZZ_CHECK(r->order[0] == id);
	r->nr_order--;
	memmove(r->order, r->order + 1, r->nr_order * sizeof(r->order[0]));
}

static void events(struct rig *r)
{
	uint8_t what = fuzz_u8(r->in);

	if (what & 1)
		vring_drv_should_kick(&r->vq);
	if (what & 2)
		vring_drv_call_disable(&r->vq);
	if (what & 4)
		vring_drv_call_enable(&r->vq);
	if (what & 8)
		vring_drv_base(&r->vq);
}

static void (*const steps[])(struct rig *) = {
	write_bytes, write_used, stage, publish, get, events, write_used, get,
};

void fuzz_drv(struct fuzz_input *in, bool packed)
{
	struct rig r;

	rig_init(&r, in, packed);
	for (unsigned int n = 0; n < STEPS_MAX && in->size; n++) {
		steps[fuzz_u8(in) % (sizeof(steps) / sizeof(steps[0]))](&r);
		FUZZ_CHECK(r.vq.nr_free == r.config.ring.num - r.nr_descs);
	}
	rig_exit(&r);
}
