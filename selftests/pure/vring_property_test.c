// SPDX-License-Identifier: GPL-2.0-only
/*
 * Both sides of a ring against a simple model, at random: no buffer is lost,
 * duplicated or changed, none is reordered where IN_ORDER is negotiated, and no
 * notification that is due is missed.
 *
 * The two sides take turns in one thread. A side that has nothing to do asks for a
 * notification and sleeps; from then on it does nothing until it gets one. A side
 * that sleeps while there is work for it has missed one.
 *
 *   VRINGLAB_OPS=N   operations for each ring (default 20000)
 *   VRINGLAB_SEED=N  where the random numbers start
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/virtio_config.h>

#include <vringlab/vring.h>

#include "kselftest_harness.h"

#ifndef VIRTIO_F_IN_ORDER
#define VIRTIO_F_IN_ORDER 35
#endif
#ifndef VIRTIO_F_RING_PACKED
#define VIRTIO_F_RING_PACKED 34
#endif

#define BIT(n) (1ull << (n))

/* Pieces of a request, each of up to so many bytes. */
#define PIECES_MAX 5u
#define PIECE_BYTES 32u
#define REQUEST_BYTES (2 * PIECES_MAX * PIECE_BYTES)
/* Requests at once, and chains in a batch. */
#define REQUESTS_MAX 512u
#define BATCH_MAX 16u
#define INDIRECT_MAX (2 * PIECES_MAX)

#define DATA_GPA 0x100000ull
#define TABLE_GPA 0x40000000ull

struct request {
	bool out;
	uint64_t tag;
	unsigned int nr_out, nr_in;
	uint32_t out_bytes, in_bytes;
	struct vring_buf bufs[2 * PIECES_MAX];
	/* by the device */
	uint32_t written;
	bool done;
};

/* What the device has taken. */
struct taken {
	struct vring_chain chain;
	struct iovec iov[2 * PIECES_MAX + 2];
};

struct world {
	uint64_t seed;
	uint64_t features;
	unsigned int num;
	struct vring_layout ring;
	struct vring_mem mem;
	struct vring_dev dev;
	struct vring_drv drv;

	uint8_t *data;
	struct request *requests;
	/* which request an id stands for */
	uint16_t *by_id;
	uint64_t next_tag, next_back;
	unsigned int nr_out;

	struct taken *taken;
	unsigned int nr_taken;

	/* not NULL: the device side dies at times, and another one goes on */
	void *inflight;
	uint64_t deaths;

	bool dev_sleeps, drv_sleeps;
	bool kick, call;
	uint64_t kicks, calls, completed;
	const char *failed;
};

static uint32_t rnd(struct world *w, uint32_t below)
{
	/* xorshift64* */
	w->seed ^= w->seed >> 12;
	w->seed ^= w->seed << 25;
	w->seed ^= w->seed >> 27;
	return (uint32_t)((w->seed * 0x2545f4914f6cdd1dull) >> 33) % below;
}

static void fail(struct world *w, const char *why)
{
	if (!w->failed)
		w->failed = why;
}

static uint8_t pattern(uint64_t tag, uint64_t at, bool in)
{
	return tag * 31 + at * 7 + (in ? 0x80 : 0);
}

static uint8_t *data_at(struct world *w, uint64_t gpa)
{
	return w->data + (gpa - DATA_GPA);
}

static bool packed(const struct world *w)
{
	return w->features & BIT(VIRTIO_F_RING_PACKED);
}

static void world_init(struct world *w, uint64_t features, unsigned int num, uint16_t base,
		       void *inflight)
{
	uint64_t table_bytes = (uint64_t)num * INDIRECT_MAX * sizeof(struct vring_desc);
	struct vring_drv_config drv = { .features = features };
	struct vring_dev_config dev = { .features = features, .inflight = inflight };
	struct vring_mem_region table = {
		.guest_addr = TABLE_GPA,
		.user_addr = TABLE_GPA,
		.size = table_bytes,
	};
	uint64_t data_bytes = REQUESTS_MAX * REQUEST_BYTES;

	w->features = features;
	w->num = num;
	w->inflight = inflight;
	w->ring = vring_layout_host(num, packed(w), calloc(1, vring_layout_bytes(num, packed(w))));
	w->data = calloc(1, data_bytes);
	drv.indirect = calloc(1, table_bytes);
	/* regions that adjoin: some buffers lie across the border */
	for (unsigned int i = 0; i < 2; i++) {
		uint64_t half = data_bytes / 2 - 40 * !i;
		struct vring_mem_region r = {
			.guest_addr = DATA_GPA + i * (data_bytes / 2 - 40),
			.user_addr = 0x7000000000ull + i * 0x1000000000ull,
			.size = i ? data_bytes - (data_bytes / 2 - 40) : half,
			.host = w->data + i * (data_bytes / 2 - 40),
		};

		vring_mem_add(&w->mem, &r);
	}
	table.host = (uint8_t *)drv.indirect;
	vring_mem_add(&w->mem, &table);
	drv.ring = w->ring;
	drv.slots = calloc(num, sizeof(*drv.slots));
	drv.indirect_gpa = TABLE_GPA;
	drv.indirect_max = INDIRECT_MAX;
	vring_drv_init(&w->drv, &drv);
	dev.ring = w->ring;
	dev.mem = &w->mem;
	dev.base = VRING_BASE_PACKED;
	if (!packed(w)) {
		dev.base = base;
		w->drv.avail_idx = base;
		w->drv.last_used_idx = base;
		w->ring.avail->idx = htole16(base);
		w->ring.used->idx = htole16(base);
	}
	if (vring_dev_init(&w->dev, &dev))
		fail(w, "cannot start the device side");
	w->requests = calloc(REQUESTS_MAX, sizeof(*w->requests));
	w->by_id = calloc(num, sizeof(*w->by_id));
	w->taken = calloc(REQUESTS_MAX, sizeof(*w->taken));
	w->dev_sleeps = !vring_dev_kick_enable(&w->dev);
	w->drv_sleeps = !vring_drv_call_enable(&w->drv);
}

static void world_exit(struct world *w)
{
	vring_dev_exit(&w->dev);
	free(packed(w) ? (void *)w->ring.ring : (void *)w->ring.desc);
	free(w->drv.config.slots);
	free(w->drv.config.indirect);
	free(w->data);
	free(w->requests);
	free(w->by_id);
	free(w->taken);
}

static struct request *free_request(struct world *w)
{
	unsigned int at = rnd(w, REQUESTS_MAX);

	for (unsigned int i = 0; i < REQUESTS_MAX; i++) {
		struct request *r = &w->requests[(at + i) % REQUESTS_MAX];

		if (!r->out)
			return r;
	}
	return NULL;
}

static void make_request(struct world *w, struct request *r)
{
	uint64_t gpa = DATA_GPA + (r - w->requests) * REQUEST_BYTES;
	unsigned int most = w->num < PIECES_MAX ? w->num : PIECES_MAX;
	unsigned int nr = 1 + rnd(w, most);

	*r = (struct request){ .out = true, .tag = w->next_tag++ };
	r->nr_out = rnd(w, nr + 1);
	r->nr_in = nr - r->nr_out;
	for (unsigned int i = 0; i < nr; i++) {
		bool in = i >= r->nr_out;
		uint32_t len = 1 + rnd(w, PIECE_BYTES);

		r->bufs[i] = (struct vring_buf){ .gpa = gpa, .len = len };
		for (uint32_t k = 0; k < len; k++)
			*data_at(w, gpa + k) = in ? 0 : pattern(r->tag, r->out_bytes + k, false);
		gpa += len;
		*(in ? &r->in_bytes : &r->out_bytes) += len;
	}
}

/* The driver makes some available, kicks if it has to. */
static void drv_submit(struct world *w)
{
	unsigned int batch = 1 + rnd(w, BATCH_MAX);

	while (batch--) {
		struct request *r = free_request(w);
		int id;

		if (!r)
			break;
		make_request(w, r);
		id = vring_drv_stage(&w->drv, r->bufs, r->nr_out, r->nr_in);
		if (id == -ENOSPC) {
			r->out = false;
			w->next_tag--;
			break;
		}
		if (id < 0 || (unsigned int)id >= w->num) {
			fail(w, "stage refused a good buffer");
			return;
		}
		w->by_id[id] = r - w->requests;
		w->nr_out++;
	}
	vring_drv_publish(&w->drv);
	if (vring_drv_should_kick(&w->drv)) {
		w->kick = true;
		w->kicks++;
	}
}

static void check_back(struct world *w, struct request *r, uint32_t written)
{
	uint64_t at = 0;

	if (!r->out || !r->done) {
		fail(w, "a buffer came back that the device did not give back");
		return;
	}
	if (written != r->written)
		fail(w, "another length than the device wrote");
	for (unsigned int i = r->nr_out; i < r->nr_out + r->nr_in; i++)
		for (uint32_t k = 0; k < r->bufs[i].len; k++, at++) {
			uint8_t due = at < r->written ? pattern(r->tag, at, true) : 0;

			if (*data_at(w, r->bufs[i].gpa + k) != due)
				fail(w, "a buffer has other contents than the device wrote");
		}
	if (w->features & BIT(VIRTIO_F_IN_ORDER) && r->tag != w->next_back++)
		fail(w, "a buffer came back out of order");
	r->out = false;
	w->nr_out--;
	w->completed++;
}

static void drv_reap(struct world *w)
{
	unsigned int batch = 1 + rnd(w, 2 * BATCH_MAX);
	uint32_t written;
	int id;

	if (!rnd(w, 4))
		vring_drv_call_disable(&w->drv);
	while (batch-- && !w->failed) {
		id = vring_drv_get(&w->drv, &written);
		if (id == -EAGAIN) {
			w->drv_sleeps = !vring_drv_call_enable(&w->drv);
			return;
		}
		if (id < 0) {
			fail(w, "the driver side distrusts a good device");
			return;
		}
		check_back(w, &w->requests[w->by_id[id]], written);
	}
}

static void check_taken(struct world *w, const struct vring_chain *chain)
{
	struct request *r = &w->requests[w->by_id[chain->id]];
	uint64_t at = 0;

	if (!r->out || r->done) {
		fail(w, "the device got what is not available");
		return;
	}
	if (chain->out_bytes != r->out_bytes || chain->in_bytes != r->in_bytes)
		fail(w, "the device got a buffer of another size");
	for (unsigned int i = 0; i < chain->nr_out; i++)
		for (size_t k = 0; k < chain->iov[i].iov_len; k++, at++)
			if (((uint8_t *)chain->iov[i].iov_base)[k] != pattern(r->tag, at, false))
				fail(w, "the device got other contents than the driver wrote");
}

static void dev_take(struct world *w)
{
	unsigned int batch = 1 + rnd(w, BATCH_MAX);
	struct vring_chain chains[BATCH_MAX];
	int nr;

	if (!rnd(w, 4))
		vring_dev_kick_disable(&w->dev);
	if (batch > REQUESTS_MAX - w->nr_taken)
		batch = REQUESTS_MAX - w->nr_taken;
	if (!batch)
		return;
	for (unsigned int i = 0; i < batch; i++) {
		chains[i].iov = w->taken[w->nr_taken + i].iov;
		chains[i].nr_iov = 2 * PIECES_MAX + 2;
	}
	nr = vring_dev_pop_batch(&w->dev, chains, batch);
	if (nr == -EAGAIN) {
		w->dev_sleeps = !vring_dev_kick_enable(&w->dev);
		return;
	}
	if (nr < 0) {
		fail(w, "the device side distrusts a good driver");
		return;
	}
	/* some of it back, to be taken once more */
	if (!rnd(w, 4)) {
		unsigned int undo = rnd(w, nr + 1);

		vring_dev_unpop(&w->dev, chains + nr - undo, undo);
		nr -= undo;
	}
	for (int i = 0; i < nr; i++) {
		check_taken(w, &chains[i]);
		w->taken[w->nr_taken++].chain = chains[i];
	}
}

static uint32_t serve(struct world *w, const struct vring_chain *chain)
{
	struct request *r = &w->requests[w->by_id[chain->id]];
	uint64_t at = 0;

	r->done = true;
	r->written = chain->in_bytes ? rnd(w, chain->in_bytes + 1) : 0;
	for (unsigned int i = chain->nr_out; i < chain->nr_out + chain->nr_in; i++)
		for (size_t k = 0; k < chain->iov[i].iov_len && at < r->written; k++, at++)
			((uint8_t *)chain->iov[i].iov_base)[k] = pattern(r->tag, at, true);
	return r->written;
}

/* Gives some back, in any order. */
static void dev_give(struct world *w)
{
	struct vring_chain chains[BATCH_MAX];
	uint32_t written[BATCH_MAX];
	unsigned int nr = 0, batch = 1 + rnd(w, BATCH_MAX);

	while (w->nr_taken && nr < batch) {
		unsigned int at = rnd(w, w->nr_taken);

		chains[nr] = w->taken[at].chain;
		written[nr] = serve(w, &chains[nr]);
		nr++;
		/* its iov moves with it */
		w->taken[at] = w->taken[--w->nr_taken];
		w->taken[at].chain.iov = w->taken[at].iov;
	}
	vring_dev_push_batch(&w->dev, chains, written, nr);
	if (vring_dev_should_call(&w->dev)) {
		w->call = true;
		w->calls++;
	}
}

/* As if its process had been killed between two operations. */
static void dev_die(struct world *w)
{
	struct vring_dev_config config = {
		.ring = w->ring,
		.mem = &w->mem,
		.features = w->features,
		.base = vring_drv_base(&w->drv),
		.inflight = w->inflight,
	};

	vring_dev_exit(&w->dev);
	if (vring_dev_init(&w->dev, &config))
		fail(w, "what the device side left cannot be recovered");
	w->nr_taken = 0;
	w->dev_sleeps = false;
	w->deaths++;
}

static void dev_step(struct world *w)
{
	/* IN_ORDER: what is held back is done here, and not there */
	if (w->inflight && !(w->features & BIT(VIRTIO_F_IN_ORDER)) && !rnd(w, 50))
		dev_die(w);

	if (w->kick) {
		w->kick = false;
		w->dev_sleeps = false;
	}
	if (!w->dev_sleeps && rnd(w, 2))
		dev_take(w);
	else if (w->nr_taken)
		dev_give(w);
	else if (!w->dev_sleeps)
		dev_take(w);
}

static void drv_step(struct world *w, bool submit)
{
	if (w->call) {
		w->call = false;
		w->drv_sleeps = false;
	}
	if (submit && rnd(w, 2))
		drv_submit(w);
	else if (!w->drv_sleeps)
		drv_reap(w);
}

/* Has the device published something that the driver has not taken back? */
static bool used_is_there(const struct world *w)
{
	const struct vring_drv *drv = &w->drv;
	uint16_t flags;

	if (!packed(w))
		return le16toh(w->ring.used->idx) != drv->last_used_idx;
	flags = le16toh(w->ring.ring[drv->last_used_idx].flags);
	return drv->nr_free < w->num &&
	       (flags >> VRING_PACKED_DESC_F_AVAIL & 1) == drv->used_wrap &&
	       (flags >> VRING_PACKED_DESC_F_USED & 1) == drv->used_wrap;
}

/* Does a side sleep that has something to do, with nothing on its way to wake it? */
static void check_sleepers(struct world *w)
{
	if (w->dev_sleeps && !w->kick && !vring_dev_empty(&w->dev))
		fail(w, "the device sleeps with a buffer available: a kick was missed");
	if (w->drv_sleeps && !w->call && used_is_there(w))
		fail(w, "the driver sleeps with a buffer used: a call was missed");
}

static void run(struct world *w, uint64_t ops)
{
	while (w->completed < ops && !w->failed) {
		/* bursts, so that the ring is full at times and empty at times */
		for (unsigned int i = rnd(w, 8); i; i--)
			drv_step(w, true);
		check_sleepers(w);
		for (unsigned int i = rnd(w, 8); i; i--)
			dev_step(w);
		check_sleepers(w);
	}
	/* no more requests: all that are out have to come back */
	while (w->nr_out && !w->failed) {
		drv_step(w, false);
		dev_step(w);
		check_sleepers(w);
	}
	if (!w->failed && vring_dev_in_flight(&w->dev))
		fail(w, "the device side thinks that something is in flight");
}

static uint64_t number(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : otherwise;
}

FIXTURE(property)
{
	uint64_t ops;
};

FIXTURE_VARIANT(property)
{
	uint64_t features;
};

FIXTURE_SETUP(property)
{
	self->ops = number("VRINGLAB_OPS", 20000);
}

FIXTURE_TEARDOWN(property)
{
}

#define SPLIT 0ull
#define PACKED BIT(VIRTIO_F_RING_PACKED)
#define INDIRECT BIT(VIRTIO_RING_F_INDIRECT_DESC)
#define EVENT BIT(VIRTIO_RING_F_EVENT_IDX)
#define ORDER BIT(VIRTIO_F_IN_ORDER)

#define VARIANT(name, mask)                 \
	FIXTURE_VARIANT_ADD(property, name) \
	{                                   \
		.features = (mask),         \
	}

VARIANT(split, SPLIT);
VARIANT(split_event, SPLIT | EVENT);
VARIANT(split_indirect, SPLIT | INDIRECT);
VARIANT(split_indirect_event, SPLIT | INDIRECT | EVENT);
VARIANT(split_order, SPLIT | ORDER);
VARIANT(split_order_event, SPLIT | ORDER | EVENT);
VARIANT(split_order_indirect, SPLIT | ORDER | INDIRECT);
VARIANT(split_all, SPLIT | ORDER | INDIRECT | EVENT);
VARIANT(packed, PACKED);
VARIANT(packed_event, PACKED | EVENT);
VARIANT(packed_indirect, PACKED | INDIRECT);
VARIANT(packed_indirect_event, PACKED | INDIRECT | EVENT);
VARIANT(packed_order, PACKED | ORDER);
VARIANT(packed_order_event, PACKED | ORDER | EVENT);
VARIANT(packed_order_indirect, PACKED | ORDER | INDIRECT);
VARIANT(packed_all, PACKED | ORDER | INDIRECT | EVENT);

static const unsigned int sizes[] = { 1, 2, 3, 4, 7, 8, 64, 256, 32768 };

static void run_one(struct __test_metadata *_metadata, uint64_t ops, uint64_t features,
		    unsigned int num, bool inflight)
{
	static const uint16_t bases[] = { 0, 1, 0x7fff, 0xfff0, 0xffff };
	bool is_packed = features & PACKED;
	uint64_t seed = number("VRINGLAB_SEED", 0x9e3779b97f4a7c15ull) ^ features ^ num;
	void *region = inflight ? calloc(1, vring_inflight_size(is_packed, num)) : NULL;

	for (unsigned int i = 0; i < (is_packed ? 1 : 5); i++) {
		struct world w = { .seed = seed + i };

		if (region)
			memset(region, 0, vring_inflight_size(is_packed, num));
		world_init(&w, features, num, bases[i], region);
		run(&w, is_packed ? ops : ops / 5);
		EXPECT_EQ(inflight && !(features & BIT(VIRTIO_F_IN_ORDER)), w.deaths > 0);
		EXPECT_EQ(NULL, w.failed)
		{
			TH_LOG("num %u, base %u, after %llu: %s", num, bases[i],
			       (unsigned long long)w.completed, w.failed);
		}
		world_exit(&w);
	}
	free(region);
}

TEST_F(property, every_buffer_comes_back_once)
{
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		unsigned int num = sizes[i];

		if (!(variant->features & PACKED) && num & (num - 1))
			continue;
		run_one(_metadata, self->ops, variant->features, num, false);
	}
}

TEST_F(property, also_when_the_device_dies_and_another_recovers)
{
	run_one(_metadata, self->ops, variant->features, 8, true);
	run_one(_metadata, self->ops, variant->features, 256, true);
}

TEST_HARNESS_MAIN
