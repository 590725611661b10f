// SPDX-License-Identifier: GPL-2.0-only
/*
 * The virtio-net device without a tap: packets to send of any form, buffers to receive
 * into of any form, config space. Nothing behind the driver's memory is written.
 */
#include <linux/virtio_net.h>

#include <vringlab/err.h>
#include <vringlab/loop.h>
#include <vringlab/vdev_net.h>
#include <vringlab/virtio_device.h>
#include <vringlab/vring_drv.h>

#include "fuzz.h"
#include "race.h"
#include "uring.h"

#define NUM 32u
#define STEPS_MAX 256u
#define GPA UINT64_C(0x10000)

/* The memory: two rings, then buffers, and at both ends what must stay as it is. */
#define EDGE 64u
#define RING_BYTES 1024u
#define BUFS_BYTES 8192u
#define MEMORY (2 * RING_BYTES + BUFS_BYTES)

enum queue {
	RX,
	TX,
	NR_QUEUES,
};

/**
 * struct side - A virtqueue
 * @stopped:	As the transport has it.
 * @broken:	After an error; stopped for its contents.
 */
struct side {
	struct vdev_queue q;
	struct vring_dev dev;
	struct vring_drv drv;
	struct vring_drv_slot slots[NUM];
	bool stopped;
	bool broken;
};

/**
 * struct rig - A driver, its rings and the device
 * @block:	All memory, with its edges.
 * @memory:	What the driver has of it.
 */
struct rig {
	struct fuzz_input *in;
	struct vdev *vdev;
	struct vring_mem table;
	struct side sides[NR_QUEUES];
	uint8_t *block;
	uint8_t *memory;
};

static struct loop *loop;

static void nothing(struct vdev_queue *q)
{
	(void)q;
}

static void start_ring(struct rig *r, enum queue index, bool packed)
{
	const struct vring_layout ring =
		vring_layout_host(NUM, packed, r->memory + index * RING_BYTES);
	struct side *side = &r->sides[index];
	const struct vring_drv_config drv = { .ring = ring, .slots = side->slots };
	const struct vring_dev_config dev = {
		.ring = ring,
		.mem = &r->table,
		.base = packed ? VRING_BASE_PACKED : VRING_BASE_SPLIT,
	};

	vring_drv_init(&side->drv, &drv);
	FUZZ_CHECK(!vring_dev_init(&side->dev, &dev));
	side->q = (struct vdev_queue){
		.index = index,
		.enabled = true,
		.vq = &side->dev,
		.done = nothing,
		.run = nothing,
	};
	FUZZ_CHECK(!r->vdev->ops->start(r->vdev->dev, &side->q, NULL));
}

static void rig_init(struct rig *r, struct fuzz_input *in)
{
	uint8_t kind = fuzz_u8(in);
	const struct vdev_net_config config = {
		.generate = kind & 1 ? VDEV_NET_FRAME_MIN + fuzz_u16(in) % 4096 : 0,
		.num_pairs = 1,
	};
	struct vring_mem_region region = { .guest_addr = GPA, .user_addr = GPA, .size = MEMORY };

	*r = (struct rig){ .in = in };
	FUZZ_CHECK(!vdev_net_create(&r->vdev, loop, &config, NULL));
	r->block = calloc(1, MEMORY + 2 * EDGE);
	FUZZ_CHECK(r->block && vring_layout_bytes(NUM, false) <= RING_BYTES);
	r->memory = r->block + EDGE;
	region.host = r->memory;
	FUZZ_CHECK(!vring_mem_add(&r->table, &region));
	r->vdev->ops->set_features(r->vdev->dev,
				   r->vdev->features & (kind & 2 ? fuzz_u64(in) : UINT64_MAX));
	for (unsigned int i = 0; i < NR_QUEUES; i++)
		start_ring(r, i, kind & 4);
	race_begin(fuzz_split(in));
	race_watch(r->memory, MEMORY);
}

/* The driver */

static void write_memory(struct rig *r)
{
	unsigned int at = fuzz_u16(r->in) % MEMORY, len = fuzz_u8(r->in);

	fuzz_some(r->in, r->memory + at, len < MEMORY - at ? len : MEMORY - at);
}

static uint8_t *any_place(struct rig *r)
{
	return r->memory + 2 * RING_BYTES + fuzz_u16(r->in) % BUFS_BYTES;
}

/* As it should be but for what is in it; the packet follows in the memory. */
static void write_header(struct rig *r)
{
	uint8_t *at = any_place(r);
	struct virtio_net_hdr_v1 hdr = { .flags = fuzz_u8(r->in) % 4 };

	hdr.gso_type = fuzz_u8(r->in);
	hdr.hdr_len = fuzz_u8(r->in);
	hdr.gso_size = fuzz_u16(r->in);
	hdr.csum_start = fuzz_u8(r->in);
	hdr.csum_offset = fuzz_u8(r->in);
	if ((size_t)(r->memory + MEMORY - at) >= sizeof(hdr))
		memcpy(at, &hdr, sizeof(hdr));
}

static void add(struct rig *r)
{
	struct vring_buf bufs[8];
	uint8_t how = fuzz_u8(r->in);
	unsigned int nr = how / 2 % 8 + 1;
	/* the direction that belongs there, or any */
	unsigned int nr_out = how & 0x80 ? how / 16 % 8 % (nr + 1) : (how & 1) * nr;

	for (unsigned int i = 0; i < nr; i++) {
		uint8_t *at = any_place(r);

		bufs[i] = (struct vring_buf){ .gpa = GPA + (at - r->memory) };
		bufs[i].len = fuzz_u16(r->in) % 4096;
	}
	vring_drv_add(&r->sides[how & 1].drv, bufs, nr_out, nr - nr_out);
}

static void collect(struct rig *r)
{
	uint32_t written;

	for (unsigned int i = 0; i < NR_QUEUES; i++)
		while (vring_drv_get(&r->sides[i].drv, &written) >= 0)
			;
}

/* The transport */

static void process(struct rig *r)
{
	uint8_t how = fuzz_u8(r->in);
	struct side *side = &r->sides[how & 1];
	const struct vdev_ops *ops = r->vdev->ops;
	int ret;

	if (side->stopped || side->broken)
		return;
	side->q.enabled = !(how & 0x80 && ops->discard);
	ret = side->q.enabled ? ops->process(r->vdev->dev, &side->q) :
				ops->discard(r->vdev->dev, &side->q);
	side->broken = ret < 0;
	vring_dev_should_call(&side->dev);
}

static void stop(struct rig *r)
{
	uint8_t how = fuzz_u8(r->in);
	struct side *side = &r->sides[how & 1];

	r->vdev->ops->stop(r->vdev->dev, &side->q, how & 2);
	FUZZ_CHECK(!vring_dev_in_flight(&side->dev));
	side->stopped = !(how & 4);
	if (!side->stopped)
		r->vdev->ops->resume(r->vdev->dev, &side->q);
}

static void config(struct rig *r)
{
	uint32_t offset = fuzz_u8(r->in), size = fuzz_u8(r->in) % 65;
	uint8_t bytes[64];

	if (offset <= r->vdev->config_size && size <= r->vdev->config_size - offset)
		r->vdev->ops->get_config(r->vdev->dev, offset, bytes, size);
}

static void (*const steps[])(struct rig *) = {
	write_memory, write_header, add, add, add, process, process, process, collect, stop, config,
};

static void rig_exit(struct rig *r)
{
	race_end();
	for (unsigned int i = 0; i < NR_QUEUES; i++) {
		r->vdev->ops->stop(r->vdev->dev, &r->sides[i].q, true);
		FUZZ_CHECK(!vring_dev_in_flight(&r->sides[i].dev));
		vring_dev_exit(&r->sides[i].dev);
	}
	for (unsigned int i = 0; i < EDGE; i++)
		FUZZ_CHECK(!r->block[i] && !r->memory[MEMORY + i]);
	vdev_net_destroy(r->vdev);
	free(r->block);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	struct rig r;

	if (!loop)
		loop = fuzz_loop();
	rig_init(&r, &in);
	for (unsigned int n = 0; n < STEPS_MAX && in.size; n++)
		steps[fuzz_u8(&in) % (sizeof(steps) / sizeof(steps[0]))](&r);
	rig_exit(&r);
	return 0;
}
