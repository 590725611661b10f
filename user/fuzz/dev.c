// SPDX-License-Identifier: GPL-2.0-only
/*
 * The input is a program of steps, of the driver and of the device. Three regions:
 * the ring's, one that adjoins it for the guest, and a small one far away. Each is
 * its own allocation, for AddressSanitizer to see what goes past its end.
 */
#include <errno.h>

#include <linux/virtio_config.h>

#include <vringlab/vring_dev.h>
#include <vringlab/vring_inflight.h>

#include "dev.h"
#include "race.h"

#ifndef VIRTIO_F_IN_ORDER
#define VIRTIO_F_IN_ORDER 35
#endif

#define NUM_MAX 37u
#define IOV_MAX_NR 24u
#define NR_REGIONS 3u
#define STEPS_MAX 512u

/* Bytes before the ring in its region. */
#define BEFORE_RING 128u

#define LOG_BYTES 4u

struct taken {
	struct vring_chain chain;
	struct iovec iov[IOV_MAX_NR];
};

/**
 * struct rig - A ring, its memory and its device side
 * @region:	In no table of regions if its size is 0.
 * @ids:	By id: taken, and not given back for the driver to see.
 * @order:	IN_ORDER: ids as they were taken; bit 16 once given back.
 * @out:	What the device has.
 * @stopped:	After an error; nothing may be taken.
 */
struct rig {
	struct fuzz_input *in;
	struct vring_dev_config config;
	struct vring_mem mem;
	struct vring_mem_region region[NR_REGIONS];
	struct vring_dev vq;
	struct vring_log log;
	bool running;
	bool stopped;
	bool in_order;
	bool ids[NUM_MAX];
	uint32_t order[NUM_MAX];
	unsigned int nr_order;
	unsigned int nr_out;
	struct taken out[NUM_MAX];
};

static void add_region(struct rig *r, unsigned int index, uint64_t guest_addr, uint64_t size)
{
	struct vring_mem_region *region = &r->region[index];

	*region = (struct vring_mem_region){
		.guest_addr = guest_addr,
		.user_addr = 0x7f0000000000 + guest_addr,
		.size = size,
		.host = calloc(1, size),
	};
	FUZZ_CHECK(region->host && !vring_mem_add(&r->mem, region));
	race_watch(region->host, size);
}

static void add_memory(struct rig *r, bool packed, unsigned int num)
{
	uint64_t size = BEFORE_RING + vring_layout_bytes(num, packed);

	add_region(r, 0, 0x1000, size);
	add_region(r, 1, 0x1000 + size, 640);
	add_region(r, 2, UINT64_C(1) << 40, 100);
	r->config.ring = vring_layout_host(num, packed, r->region[0].host + BEFORE_RING);
	r->config.mem = &r->mem;
}

static void add_inflight(struct rig *r)
{
	const struct vring_layout *ring = &r->config.ring;
	size_t size = vring_inflight_size(ring->packed, ring->num);

	r->config.inflight = calloc(1, size);
	FUZZ_CHECK(r->config.inflight);
	fuzz_some(r->in, r->config.inflight, fuzz_u8(r->in) * size / UINT8_MAX);
	race_watch(r->config.inflight, size);
}

static void add_iotlb(struct rig *r)
{
	FUZZ_CHECK(!vring_iotlb_create(&r->mem.iotlb, 5));
	for (unsigned int i = 0; i < NR_REGIONS; i++)
		FUZZ_CHECK(!vring_iotlb_update(r->mem.iotlb, r->region[i].guest_addr,
					       r->region[i].size, r->region[i].user_addr,
					       VRING_MEM_READ | VRING_MEM_WRITE));
}

static void start(struct rig *r)
{
	memset(r->ids, 0, sizeof(r->ids));
	r->nr_order = 0;
	r->nr_out = 0;
	r->stopped = false;
	r->running = !vring_dev_init(&r->vq, &r->config);
}

static void rig_init(struct rig *r, struct fuzz_input *in, bool packed, bool inflight)
{
	uint8_t flags = fuzz_u8(in);
	uint8_t num = fuzz_u8(in);

	*r = (struct rig){ .in = in, .in_order = flags & 4 };
	race_begin(fuzz_split(in));
	add_memory(r, packed, packed ? num % NUM_MAX + 1 : 1u << num % 6);
	if (inflight || flags & 8)
		add_inflight(r);
	if (flags & 16)
		add_iotlb(r);
	r->log = (struct vring_log){ .bits = calloc(1, LOG_BYTES), .bytes = LOG_BYTES };
	FUZZ_CHECK(r->log.bits);
	r->config.features = (flags & 1 ? 1ull << VIRTIO_RING_F_INDIRECT_DESC : 0) |
			     (flags & 2 ? 1ull << VIRTIO_RING_F_EVENT_IDX : 0) |
			     (flags & 4 ? 1ull << VIRTIO_F_IN_ORDER : 0);
	r->config.base = packed ? VRING_BASE_PACKED : VRING_BASE_SPLIT;
	fuzz_some(in, r->region[0].host, fuzz_u16(in) % r->region[0].size);
	start(r);
}

static void rig_exit(struct rig *r)
{
	race_end();
	if (r->running)
		vring_dev_exit(&r->vq);
	vring_iotlb_destroy(r->mem.iotlb);
	for (unsigned int i = 0; i < NR_REGIONS; i++)
		free(r->region[i].host);
	free(r->config.inflight);
	free(r->log.bits);
}

/* The driver */

/* Mostly inside of a region. */
static uint64_t any_address(struct rig *r)
{
	uint8_t where = fuzz_u8(r->in);
	const struct vring_mem_region *region = &r->region[where % 4 % NR_REGIONS];

	if (where == UINT8_MAX)
		return fuzz_u64(r->in);
	return region->guest_addr + fuzz_u16(r->in) % (region->size + 4);
}

static uint32_t any_length(struct rig *r)
{
	uint8_t len = fuzz_u8(r->in);

	return len == UINT8_MAX ? fuzz_u32(r->in) : len;
}

static void write_bytes(struct rig *r)
{
	const struct vring_mem_region *region = &r->region[fuzz_u8(r->in) % NR_REGIONS];
	uint64_t at = fuzz_u16(r->in) % region->size;
	uint64_t len = fuzz_u8(r->in);

	fuzz_some(r->in, region->host + at, len < region->size - at ? len : region->size - at);
}

static void write_inflight(struct rig *r)
{
	const struct vring_layout *ring = &r->config.ring;
	uint64_t size = vring_inflight_size(ring->packed, ring->num);
	uint64_t at = fuzz_u16(r->in) % size;
	uint64_t len = fuzz_u8(r->in);

	if (r->config.inflight)
		fuzz_some(r->in, (uint8_t *)r->config.inflight + at,
			  len < size - at ? len : size - at);
}

/* A descriptor of a table, in the second region. */
static void write_table(struct rig *r)
{
	struct vring_desc *table = (struct vring_desc *)r->region[1].host;
	uint8_t index = fuzz_u8(r->in);
	uint64_t addr = any_address(r);
	uint32_t len = any_length(r);
	uint8_t flags = fuzz_u8(r->in);

	table[index % (r->region[1].size / sizeof(*table))] = (struct vring_desc){
		.addr = addr,
		.len = len,
		.flags = flags,
		.next = fuzz_u8(r->in),
	};
}

static void write_split(struct rig *r)
{
	struct vring_layout *ring = &r->config.ring;
	uint8_t index = fuzz_u8(r->in);
	uint64_t addr = any_address(r);
	uint32_t len = any_length(r);
	uint8_t flags = fuzz_u8(r->in) & 7;

	ring->desc[index % ring->num] = (struct vring_desc){
		.addr = addr,
		.len = len,
		.flags = flags,
		.next = fuzz_u8(r->in) % (ring->num + 1),
	};
	/* most are the head of a chain as well */
	if (index & 0x80)
		ring->avail->ring[ring->avail->idx++ & (ring->num - 1)] = index % ring->num;
}

/* Relative to where the device is, with the flags that make it available. */
static void write_packed(struct rig *r)
{
	struct vring_layout *ring = &r->config.ring;
	unsigned int index = r->vq.avail_idx + fuzz_u8(r->in) % ring->num;
	bool wrap = r->vq.avail_wrap;
	uint16_t flags = fuzz_u8(r->in);
	uint64_t addr;
	uint32_t len;

	if (index >= ring->num) {
		index -= ring->num;
		wrap = !wrap;
	}
	flags = (flags & 7) | (flags & 0x80 ? 0 :
					      1u << (wrap ? VRING_PACKED_DESC_F_AVAIL :
							    VRING_PACKED_DESC_F_USED));
	addr = any_address(r);
	len = any_length(r);
	ring->ring[index % ring->num] = (struct vring_packed_desc){
		.addr = addr,
		.len = len,
		.id = fuzz_u8(r->in) % (ring->num + 1),
		.flags = flags,
	};
}

static void write_desc(struct rig *r)
{
	if (r->config.ring.packed)
		write_packed(r);
	else
		write_split(r);
}

static void make_available(struct rig *r)
{
	struct vring_layout *ring = &r->config.ring;

	if (ring->packed)
		ring->driver->off_wrap = fuzz_u16(r->in);
	else
		ring->avail->idx += (int8_t)fuzz_u8(r->in);
}

static void translate(struct rig *r)
{
	uint64_t iova = any_address(r), size = any_length(r), uva;
	uint8_t what = fuzz_u8(r->in);

	if (!r->mem.iotlb)
		return;
	uva = what & 4 ? fuzz_u64(r->in) : UINT64_C(0x7f0000000000) + any_address(r);
	if (what & 8)
		vring_iotlb_invalidate(r->mem.iotlb, iova, size);
	else
		vring_iotlb_update(r->mem.iotlb, iova, size, uva, what & 3);
}

/* The device */

static bool is_inside(const struct rig *r, const struct iovec *iov)
{
	for (unsigned int i = 0; i < NR_REGIONS; i++) {
		uint64_t offset = (uintptr_t)iov->iov_base - (uintptr_t)r->region[i].host;

		if (offset < r->region[i].size && iov->iov_len <= r->region[i].size - offset)
			return iov->iov_len > 0;
	}
	return false;
}

/* Reads what is to be read, and writes the rest. */
static void check_pieces(const struct rig *r, const struct vring_chain *c)
{
	uint64_t out = 0, in = 0;

	FUZZ_CHECK(c->nr_out + c->nr_in > 0 && c->nr_out + c->nr_in <= c->nr_iov);
	for (unsigned int i = 0; i < c->nr_out + c->nr_in; i++) {
		FUZZ_CHECK(is_inside(r, &c->iov[i]));
		if (i < c->nr_out) {
			out += c->iov[i].iov_len;
			(void)*(volatile uint8_t *)c->iov[i].iov_base;
		} else {
			in += c->iov[i].iov_len;
			memset(c->iov[i].iov_base, 0x5a, c->iov[i].iov_len);
		}
	}
	FUZZ_CHECK(out == c->out_bytes && in == c->in_bytes && out + in <= UINT64_C(1) << 32);
}

static void took(struct rig *r, const struct vring_chain *c)
{
	FUZZ_CHECK(c->id < r->config.ring.num && !r->ids[c->id]);
	r->ids[c->id] = true;
	if (r->in_order)
		r->order[r->nr_order++] = c->id;
	check_pieces(r, c);
}

static void untake(struct rig *r, unsigned int nr)
{
	struct vring_chain chains[NUM_MAX];

	for (unsigned int i = 0; i < nr; i++) {
		chains[i] = r->out[r->nr_out - nr + i].chain;
		r->ids[chains[i].id] = false;
	}
	if (r->in_order)
		r->nr_order -= nr;
	r->nr_out -= nr;
	vring_dev_unpop(&r->vq, chains, nr);
}

static void pop(struct rig *r)
{
	struct vring_chain chains[NUM_MAX];
	uint8_t how = fuzz_u8(r->in), undo = fuzz_u8(r->in);
	unsigned int room = r->config.ring.num - r->nr_out;
	unsigned int nr = how % 8 + 1;
	int ret;

	if (!r->running || r->stopped)
		return;
	/* one more than there can be: it must not come */
	if (nr > room + 1)
		nr = room + 1;
	if (nr > NUM_MAX - r->nr_out)
		nr = NUM_MAX - r->nr_out;
	if (!nr)
		return;
	for (unsigned int i = 0; i < nr; i++)
		chains[i] = (struct vring_chain){
			.iov = r->out[r->nr_out + i].iov,
			.nr_iov = how & 0x80 ? how % 4 : IOV_MAX_NR,
		};
	ret = vring_dev_pop_batch(&r->vq, chains, nr);
	FUZZ_CHECK(ret && ret <= (int)nr);
	if (ret < 0) {
		r->stopped = ret != -EAGAIN && ret != -EINPROGRESS && ret != -ENOBUFS;
		return;
	}
	for (int i = 0; i < ret; i++) {
		r->out[r->nr_out++].chain = chains[i];
		took(r, &chains[i]);
	}
	FUZZ_CHECK(r->nr_out <= r->config.ring.num);
	if (undo & 0x80)
		untake(r, undo % (ret + 1));
}

static void forget(struct rig *r, unsigned int nr)
{
	r->nr_out -= nr;
	memmove(r->out, r->out + nr, r->nr_out * sizeof(r->out[0]));
	for (unsigned int i = 0; i < r->nr_out; i++)
		r->out[i].chain.iov = r->out[i].iov;
}

/* The driver gets it when its turn has come. */
static void gave_back(struct rig *r, uint16_t id)
{
	unsigned int nr = 0;

	if (!r->in_order) {
		r->ids[id] = false;
		return;
	}
	for (unsigned int i = 0; i < r->nr_order; i++)
		if (r->order[i] == id)
			r->order[i] |= 1u << 16;
	while (nr < r->nr_order && r->order[nr] >> 16)
		r->ids[(uint16_t)r->order[nr++]] = false;
	r->nr_order -= nr;
	memmove(r->order, r->order + nr, r->nr_order * sizeof(r->order[0]));
}

/* To the front: then it is what goes first. */
static void rotate(struct rig *r, unsigned int index)
{
	struct taken one = r->out[index];

	r->out[index] = r->out[0];
	r->out[index].chain.iov = r->out[index].iov;
	r->out[0] = one;
	r->out[0].chain.iov = r->out[0].iov;
}

static void push(struct rig *r)
{
	struct vring_chain chains[NUM_MAX];
	uint32_t written[NUM_MAX];
	uint8_t how = fuzz_u8(r->in), len = fuzz_u8(r->in);
	unsigned int nr;

	if (!r->running || !r->nr_out)
		return;
	rotate(r, how / 8 % r->nr_out);
	nr = how % 8 % r->nr_out + 1;
	for (unsigned int i = 0; i < nr; i++) {
		chains[i] = r->out[i].chain;
		written[i] = len * chains[i].in_bytes / UINT8_MAX;
	}
	vring_dev_push_batch(&r->vq, chains, written, nr);
	for (unsigned int i = 0; i < nr; i++)
		gave_back(r, chains[i].id);
	forget(r, nr);
}

/* It stays recorded, and its id is never taken again. */
static void drop(struct rig *r)
{
	uint8_t index = fuzz_u8(r->in);

	if (!r->running || !r->nr_out)
		return;
	rotate(r, index % r->nr_out);
	vring_dev_drop(&r->vq, &r->out[0].chain);
	forget(r, 1);
}

static void events(struct rig *r)
{
	uint8_t what = fuzz_u8(r->in);

	if (!r->running)
		return;
	if (what & 1)
		vring_dev_kick_enable(&r->vq);
	if (what & 2)
		vring_dev_kick_disable(&r->vq);
	if (what & 4)
		vring_dev_should_call(&r->vq);
	if (what & 8)
		vring_dev_empty(&r->vq);
	if (what & 16)
		vring_dev_set_log(&r->vq, &r->log, what & 32,
				  what & 64 ? any_address(r) : fuzz_u16(r->in));
	if (what & 128)
		vring_dev_set_log(&r->vq, NULL, false, 0);
}

/* Another device side goes on: where the last one was, or anywhere. */
static void restart(struct rig *r)
{
	uint8_t how = fuzz_u8(r->in);

	if (r->running) {
		r->config.base = vring_dev_base(&r->vq);
		vring_dev_exit(&r->vq);
	}
	if (how & 1)
		r->config.base = fuzz_u32(r->in);
	start(r);
}

/* The far region goes away, or comes back: only while the device has nothing. */
static void change_memory(struct rig *r)
{
	const struct vring_mem_region *far = &r->region[2];

	if (r->nr_out)
		return;
	if (vring_mem_remove(&r->mem, far->guest_addr, far->user_addr, far->size))
		FUZZ_CHECK(!vring_mem_add(&r->mem, far));
}

static void (*const steps[])(struct rig *) = {
	write_bytes, write_inflight, write_table, write_desc,
	write_desc,  make_available, translate,	  pop,
	pop,	     push,	     push,	  drop,
	events,	     restart,	     pop,	  change_memory,
};

void fuzz_dev(struct fuzz_input *in, bool packed, bool inflight)
{
	static struct rig r;

	rig_init(&r, in, packed, inflight);
	for (unsigned int n = 0; n < STEPS_MAX && in->size; n++) {
		steps[fuzz_u8(in) % (sizeof(steps) / sizeof(steps[0]))](&r);
		if (!r.running)
			continue;
		FUZZ_CHECK(vring_dev_in_flight(&r.vq) == r.nr_out);
		FUZZ_CHECK(!packed || r.vq.descs_out <= r.config.ring.num);
	}
	rig_exit(&r);
}
