// SPDX-License-Identifier: GPL-2.0-only
/*
 * Both sides of a virtqueue in two threads, each of which sleeps whenever it finds
 * nothing: the barriers alone keep the contents right, and a notification that is
 * due and not sent is a sleep without end.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "t.h"
#include "t_rig.h"

#define CHAINS 20000u
#define WORDS 16u
#define BYTES (WORDS * sizeof(uint64_t))
/* The most under way, each in a slot of the buffers. */
#define SLOTS 64u
/* After as many the driver waits until the device has gone to sleep. */
#define REST 1000u

struct pair {
	struct t_rig rig;
	int kick_fd;
	int call_fd;
	unsigned int burst;
	/* what the device's thread found */
	const char *failed;
	/* signalled before each of its sleeps */
	int asleep_fd;
	uint32_t stop;
};

/* Word @w of the request with number @seq; the answer is its inverse. */
static uint64_t word(uint64_t seq, unsigned int w)
{
	return (seq + 1) * 0x9e3779b97f4a7c15ull + w;
}

/* Sleeps until the eventfd was signalled. False if that never came. */
static bool sleep_on(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	eventfd_t count;

	if (poll(&p, 1, T_DEADLINE_MS) != 1)
		return false;
	return !eventfd_read(fd, &count);
}

static const char *answer(const struct vring_chain *chain, uint64_t seq)
{
	const uint64_t *out = chain->iov[0].iov_base;
	uint64_t *in = chain->iov[1].iov_base;

	if (chain->nr_out != 1 || chain->nr_in != 1)
		return "device: a chain of another shape";
	for (unsigned int w = 0; w < WORDS; w++) {
		if (out[w] != word(seq, w))
			return "device: other contents";
		in[w] = ~out[w];
	}
	return NULL;
}

/* One burst; 0, or a negative errno with which the ring was left. */
static int device_take(struct pair *p, uint64_t *seq)
{
	struct t_rig *r = &p->rig;

	for (unsigned int i = 0; i < p->burst; i++) {
		int ret = vring_dev_pop(&r->dev, &r->chain);

		if (ret)
			return ret;
		p->failed = answer(&r->chain, (*seq)++);
		vring_dev_push(&r->dev, &r->chain, BYTES);
	}
	return 0;
}

static void *device(void *arg)
{
	struct pair *p = arg;
	struct t_rig *r = &p->rig;
	uint64_t seq = 0;

	while (!p->failed && !__atomic_load_n(&p->stop, __ATOMIC_RELAXED)) {
		int ret = device_take(p, &seq);

		if (vring_dev_should_call(&r->dev))
			eventfd_write(p->call_fd, 1);
		if (ret && ret != -EAGAIN)
			p->failed = "device: a bad ring";
		if (ret != -EAGAIN || seq == CHAINS)
			continue;
		if (vring_dev_kick_enable(&r->dev)) {
			vring_dev_kick_disable(&r->dev);
			continue;
		}
		eventfd_write(p->asleep_fd, 1);
		if (!sleep_on(p->kick_fd) && seq < CHAINS)
			p->failed = "device: a kick was missed";
		vring_dev_kick_disable(&r->dev);
	}
	return NULL;
}

struct driver {
	struct pair *pair;
	uint64_t seq, back;
	/* of seq, before the next rest */
	uint64_t until;
	/* of each id in use, and which slots are free */
	uint64_t *seq_of;
	unsigned int free[SLOTS];
	unsigned int *slot_of;
	unsigned int nr_free;
};

static uint64_t *words(const struct driver *d, unsigned int slot)
{
	return (uint64_t *)(d->pair->rig.host + 2ull * slot * BYTES);
}

static void fill(struct driver *d)
{
	struct t_rig *r = &d->pair->rig;

	while (d->seq < d->until && d->nr_free) {
		unsigned int slot = d->free[d->nr_free - 1];
		const uint64_t gpa = T_RIG_GPA + 2ull * slot * BYTES;
		const struct vring_buf bufs[] = { { gpa, BYTES }, { gpa + BYTES, BYTES } };
		int id;

		for (unsigned int w = 0; w < WORDS; w++)
			words(d, slot)[w] = word(d->seq, w);
		id = vring_drv_add(&r->drv, bufs, 1, 1);
		if (id < 0)
			return;
		d->nr_free--;
		d->slot_of[id] = slot;
		d->seq_of[id] = d->seq++;
	}
}

static const char *collect(struct driver *d)
{
	struct t_rig *r = &d->pair->rig;
	uint32_t written;
	int id;

	while ((id = vring_drv_get(&r->drv, &written)) >= 0) {
		const uint64_t *in = words(d, d->slot_of[id]) + WORDS;

		if (written != BYTES || d->seq_of[id] != d->back)
			return "driver: another order or length";
		for (unsigned int w = 0; w < WORDS; w++)
			if (in[w] != ~word(d->back, w))
				return "driver: other contents";
		d->free[d->nr_free++] = d->slot_of[id];
		d->back++;
	}
	return id == -EAGAIN ? NULL : "driver: a bad ring";
}

/*
 * Two that are equally fast would never sleep, and nothing would be proved: here the
 * device has nothing until it has slept.
 */
static const char *rest(struct driver *d)
{
	if (!sleep_on(d->pair->asleep_fd))
		return "driver: the device does not sleep";
	d->until += REST;
	return NULL;
}

static const char *drive(struct driver *d)
{
	struct pair *p = d->pair;
	const char *failed = NULL;

	while (d->back < CHAINS && !failed) {
		if (d->back == d->until) {
			failed = rest(d);
			if (failed)
				break;
		}
		fill(d);
		if (vring_drv_should_kick(&p->rig.drv))
			eventfd_write(p->kick_fd, 1);
		failed = collect(d);
		if (failed || d->back == CHAINS || d->back == d->until ||
		    (d->nr_free && d->seq < d->until))
			continue;
		if (!vring_drv_call_enable(&p->rig.drv) && !sleep_on(p->call_fd))
			failed = "driver: a call was missed";
		vring_drv_call_disable(&p->rig.drv);
	}
	return failed;
}

FIXTURE(threads)
{
	struct pair pair;
};

FIXTURE_VARIANT(threads)
{
	uint64_t features;
	unsigned int num;
	unsigned int burst;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(threads, split_one) {
	.features = 0, .num = 64, .burst = 1 };
FIXTURE_VARIANT_ADD(threads, split_many) {
	.features = 0, .num = 64, .burst = 32 };
FIXTURE_VARIANT_ADD(threads, split_small_one) {
	.features = 0, .num = 2, .burst = 1 };
FIXTURE_VARIANT_ADD(threads, split_small_many) {
	.features = 0, .num = 2, .burst = 32 };
FIXTURE_VARIANT_ADD(threads, split_event_one) {
	.features = T_RIG_EVENT, .num = 64, .burst = 1 };
FIXTURE_VARIANT_ADD(threads, split_event_many) {
	.features = T_RIG_EVENT, .num = 64, .burst = 32 };
FIXTURE_VARIANT_ADD(threads, split_event_small_one) {
	.features = T_RIG_EVENT, .num = 2, .burst = 1 };
FIXTURE_VARIANT_ADD(threads, split_event_small_many) {
	.features = T_RIG_EVENT, .num = 2, .burst = 32 };
FIXTURE_VARIANT_ADD(threads, split_indirect_event_one) {
	.features = T_RIG_INDIRECT | T_RIG_EVENT, .num = 8, .burst = 1 };
FIXTURE_VARIANT_ADD(threads, split_indirect_event_many) {
	.features = T_RIG_INDIRECT | T_RIG_EVENT, .num = 8, .burst = 32 };
FIXTURE_VARIANT_ADD(threads, packed_one) {
	.features = T_RIG_PACKED, .num = 64, .burst = 1 };
FIXTURE_VARIANT_ADD(threads, packed_many) {
	.features = T_RIG_PACKED, .num = 64, .burst = 32 };
FIXTURE_VARIANT_ADD(threads, packed_small_one) {
	.features = T_RIG_PACKED, .num = 3, .burst = 1 };
FIXTURE_VARIANT_ADD(threads, packed_small_many) {
	.features = T_RIG_PACKED, .num = 3, .burst = 32 };
FIXTURE_VARIANT_ADD(threads, packed_event_one) {
	.features = T_RIG_PACKED | T_RIG_EVENT, .num = 64, .burst = 1 };
FIXTURE_VARIANT_ADD(threads, packed_event_many) {
	.features = T_RIG_PACKED | T_RIG_EVENT, .num = 64, .burst = 32 };
FIXTURE_VARIANT_ADD(threads, packed_event_small_one) {
	.features = T_RIG_PACKED | T_RIG_EVENT, .num = 3, .burst = 1 };
FIXTURE_VARIANT_ADD(threads, packed_event_small_many) {
	.features = T_RIG_PACKED | T_RIG_EVENT, .num = 3, .burst = 32 };
FIXTURE_VARIANT_ADD(threads, packed_all_one) {
	.features = T_RIG_PACKED | T_RIG_EVENT | T_RIG_INDIRECT | T_RIG_ORDER,
	.num = 7, .burst = 1 };
FIXTURE_VARIANT_ADD(threads, packed_all_many) {
	.features = T_RIG_PACKED | T_RIG_EVENT | T_RIG_INDIRECT | T_RIG_ORDER,
	.num = 7, .burst = 32 };
/* clang-format on */

FIXTURE_SETUP(threads)
{
	self->pair = (struct pair){
		.kick_fd = eventfd(0, EFD_CLOEXEC),
		.call_fd = eventfd(0, EFD_CLOEXEC),
		.asleep_fd = eventfd(0, EFD_CLOEXEC),
		.burst = variant->burst,
	};
	ASSERT_EQ(0, t_rig_init(&self->pair.rig, variant->features, variant->num));
}

FIXTURE_TEARDOWN(threads)
{
	t_rig_exit(&self->pair.rig);
	close(self->pair.kick_fd);
	close(self->pair.call_fd);
	close(self->pair.asleep_fd);
}

TEST_F_TIMEOUT(threads, exchange_contents_intact_and_no_notification_is_missed, 120)
{
	uint64_t seq_of[64] = { 0 };
	unsigned int slot_of[64] = { 0 };
	struct driver d = {
		.pair = &self->pair, .seq_of = seq_of, .slot_of = slot_of, .until = REST
	};
	const char *failed;
	pthread_t thread;

	for (unsigned int i = 0; i < SLOTS; i++)
		d.free[d.nr_free++] = i;
	ASSERT_EQ(0, pthread_create(&thread, NULL, device, &self->pair));
	failed = drive(&d);
	__atomic_store_n(&self->pair.stop, 1, __ATOMIC_RELAXED);
	eventfd_write(self->pair.kick_fd, 1);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(NULL, failed)
	{
		TH_LOG("%s", failed);
	}
	EXPECT_EQ(NULL, self->pair.failed)
	{
		TH_LOG("%s", self->pair.failed);
	}
	EXPECT_EQ(CHAINS, d.back);
}

TEST_HARNESS_MAIN
