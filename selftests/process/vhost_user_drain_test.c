// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stopping a ring whose device is slow: what is in flight is waited for, or left to
 * the record for another process, and either way the memory is left alone afterwards.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vringlab/vring_inflight.h>

#include "kselftest_harness.h"
#include "t.h"
#include "t_guest.h"
#include "t_hold.h"
#include "t_peer.h"
#include "t_served.h"

#define BIT(n) (UINT64_C(1) << (n))
#define PACKED BIT(VIRTIO_F_RING_PACKED)
#define INDIRECT BIT(VIRTIO_RING_F_INDIRECT_DESC)
#define INFLIGHT BIT(VU_PROTOCOL_F_INFLIGHT_SHMFD)
#define RECORD (INFLIGHT | BIT(VU_PROTOCOL_F_GET_VRING_BASE_INFLIGHT))
#define SKIP_DRAIN (RECORD | BIT(VU_PROTOCOL_F_GET_VRING_BASE_SKIP_DRAIN))
#define RESET BIT(VU_PROTOCOL_F_RESET_DEVICE)

#define HELD 8u

/**
 * A guest, a back-end here, and another one in a process of its own
 * @next:	That one's device: only its eventfd is here.
 * @pid:	That one.
 */
FIXTURE(slow)
{
	char dir[64];
	char path[96];
	char next_path[96];
	struct t_hold hold;
	struct t_hold next;
	struct t_served served;
	struct t_guest *guest;
	pid_t pid;
};

FIXTURE_VARIANT(slow)
{
	uint64_t features;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(slow, split) { .features = 0 };
FIXTURE_VARIANT_ADD(slow, split_indirect) { .features = INDIRECT };
FIXTURE_VARIANT_ADD(slow, packed) { .features = PACKED };
FIXTURE_VARIANT_ADD(slow, packed_indirect) { .features = PACKED | INDIRECT };
/* clang-format on */

#define OFFERED (BIT(VIRTIO_F_VERSION_1) | PACKED | INDIRECT)

static int start(struct t_served *s, struct t_hold *h, const char *path)
{
	const struct t_served_config config = {
		.make = t_hold_make,
		.destroy = t_hold_destroy,
		.ctx = h,
		.path = path,
	};

	return t_served_start_with(s, &config);
}

/* Serves one connection, and says when it can be made. */
static void be_next(FIXTURE_DATA(slow) * self, int ready)
{
	struct t_served s;
	char byte = 0;

	if (start(&s, &self->next, self->next_path) || write(ready, &byte, 1) != 1)
		_exit(1);
	pthread_join(s.thread, NULL);
	_exit(0);
}

static int start_next(FIXTURE_DATA(slow) * self)
{
	int ready[2], ret;
	char byte;

	if (pipe(ready))
		return -errno;
	self->pid = fork();
	if (!self->pid)
		be_next(self, ready[1]);
	close(ready[1]);
	ret = self->pid < 0 ? -errno : t_read_until(ready[0], &byte, 1, T_DEADLINE_MS);
	close(ready[0]);
	return ret;
}

FIXTURE_SETUP(slow)
{
	int ret;

	memset(self, 0, sizeof(*self));
	ASSERT_EQ(0, t_tmpdir_create(self->dir));
	snprintf(self->path, sizeof(self->path), "%s/s", self->dir);
	snprintf(self->next_path, sizeof(self->next_path), "%s/next", self->dir);
	ASSERT_EQ(0, t_hold_init(&self->hold, OFFERED));
	ASSERT_EQ(0, t_hold_init(&self->next, OFFERED));
	/* before there are threads */
	ASSERT_EQ(0, start_next(self));
	ret = start(&self->served, &self->hold, self->path);
	if (ret == -EPERM || ret == -ENOSYS)
		SKIP(return, "io_uring is disabled: sysctl kernel.io_uring_disabled=0");
	ASSERT_EQ(0, ret);
	self->guest = calloc(1, sizeof(*self->guest));
	ASSERT_NE(NULL, self->guest);
}

FIXTURE_TEARDOWN(slow)
{
	if (self->guest)
		t_guest_destroy(self->guest);
	free(self->guest);
	t_served_stop(&self->served);
	if (self->pid > 0) {
		kill(self->pid, SIGKILL);
		waitpid(self->pid, NULL, 0);
	}
	t_hold_exit(&self->hold);
	t_hold_exit(&self->next);
	t_tmpdir_remove(self->dir);
}

static int wait_for(atomic_uint *value, unsigned int expected)
{
	uint64_t deadline_ns = loop_now_ns() + T_DEADLINE_MS * 1000000ull;

	while (atomic_load(value) != expected)
		if (loop_now_ns() > deadline_ns)
			return -ETIMEDOUT;
	return 0;
}

/* Requests that the device has. */
static int hold_some(FIXTURE_DATA(slow) * self, uint64_t features, uint64_t protocol)
{
	const struct t_guest_config config = { .features = features, .protocol = protocol };
	struct t_guest *g = self->guest;
	int ret = t_guest_create(g, &config);

	if (!ret)
		ret = t_guest_connect(g, self->path);
	if (!ret)
		ret = t_guest_issue(g, HELD) == HELD ? t_guest_kick(g) : -ENOSPC;
	return ret ? ret : wait_for(&self->hold.held, HELD);
}

/* Where a ring is that @taken chains were taken from, of which @used are used. */
static uint32_t base_of(const struct t_guest *g, unsigned int taken, unsigned int used)
{
	unsigned int descs = t_guest_has(g, VIRTIO_RING_F_INDIRECT_DESC) ? 1 : 2;

	if (!g->layout.packed)
		return taken;
	return 0x80008000u | taken * descs | (used * descs) << 16;
}

/* GET_VRING_BASE by hand, for it may wait. */
static int ask_to_stop(struct t_guest *g)
{
	const struct vu_vring_state state = { 0 };

	return t_peer_request(vu_frontend_fd(g->fe), VU_GET_VRING_BASE, 0x1, &state, sizeof(state));
}

static int take_base(struct t_guest *g)
{
	union vu_payload payload;
	struct vu_header hdr;
	int ret = t_peer_reply(vu_frontend_fd(g->fe), &hdr, &payload);

	if (ret)
		return ret;
	g->base = payload.state.num;
	return hdr.request == VU_GET_VRING_BASE && hdr.flags == 0x5 && hdr.size == 8 ? 0 : -EPROTO;
}

/* Lets the device finish one, and waits until it is used. */
static int finish_one(FIXTURE_DATA(slow) * self)
{
	uint64_t deadline_ns = loop_now_ns() + T_DEADLINE_MS * 1000000ull;
	int ret = t_hold_release(&self->hold, 1);

	while (!ret) {
		ret = t_guest_reap(self->guest);
		if (!ret && loop_now_ns() > deadline_ns)
			ret = -ETIMEDOUT;
	}
	return ret == 1 ? 0 : ret < 0 ? ret : -EPROTO;
}

/* Nothing of what could make a back-end look at a ring makes it write. */
static int stays_as_it_is(struct t_guest *g)
{
	int ret = 0;

	t_guest_copy_all(g);
	for (int i = 0; i < 10 && !ret; i++) {
		ret = t_guest_kick(g);
		if (!ret)
			ret = vu_frontend_set_features(g->fe, vu_frontend_features(g->fe), &g->err);
	}
	return ret ? ret : t_guest_find_difference(g) < 0 ? 0 : -EBADMSG;
}

static void expect_drained(struct __test_metadata *_metadata, FIXTURE_DATA(slow) * self)
{
	struct t_guest *g = self->guest;

	ASSERT_EQ(0, ask_to_stop(g));
	ASSERT_EQ(0, wait_for(&self->hold.stops, 1));
	/* comes too late: it is left for whoever starts the ring again */
	ASSERT_EQ(4, t_guest_issue(g, 4));
	ASSERT_EQ(0, t_guest_kick(g));
	for (unsigned int i = 0; i < HELD; i++) {
		/* of a reply that came too soon the loop has had its turn by now */
		ASSERT_EQ(-ETIMEDOUT, t_poll_until(vu_frontend_fd(g->fe), 0))
		TH_LOG("with %u in flight", HELD - i);
		ASSERT_EQ(0, finish_one(self));
	}
	ASSERT_EQ(0, take_base(g));
	EXPECT_EQ(base_of(g, HELD, HELD), g->base);
	EXPECT_EQ(0u, atomic_load(&self->hold.dropped));
	EXPECT_EQ(0, stays_as_it_is(g));
	EXPECT_EQ(0, t_guest_reap(g));
}

TEST_F(slow, is_waited_for_where_nothing_is_recorded)
{
	ASSERT_EQ(0, hold_some(self, variant->features, 0)) TH_LOG("%s", self->guest->err.msg);
	expect_drained(_metadata, self);
}

TEST_F(slow, is_waited_for_where_the_record_is_for_crashes_only)
{
	ASSERT_EQ(0, hold_some(self, variant->features, INFLIGHT));
	expect_drained(_metadata, self);
}

TEST_F(slow, is_waited_for_where_the_front_end_could_have_said_otherwise)
{
	ASSERT_EQ(0, hold_some(self, variant->features, SKIP_DRAIN));
	expect_drained(_metadata, self);
}

/* Another process goes on: what was in flight comes first, once, and then the rest. */
static void expect_taken_over(struct __test_metadata *_metadata, FIXTURE_DATA(slow) * self)
{
	struct t_guest *g = self->guest;

	EXPECT_EQ(HELD, atomic_load(&self->hold.dropped));
	EXPECT_EQ(base_of(g, HELD, 0), g->base);
	ASSERT_EQ(4, t_guest_issue(g, 4));
	ASSERT_EQ(0, stays_as_it_is(g));
	t_guest_leave(g);
	ASSERT_EQ(0, t_guest_connect(g, self->next_path)) TH_LOG("%s", g->err.msg);
	for (unsigned int left = HELD + 4; left; left--) {
		ASSERT_EQ(0, t_hold_release(&self->next, 1));
		while (t_guest_in_flight(g) == left)
			ASSERT_LE(0, t_guest_reap(g));
	}
	EXPECT_EQ(HELD + 4, g->done);
	EXPECT_EQ(0, vu_frontend_stop_vring(g->fe, 0, &g->base, &g->err));
	EXPECT_EQ(base_of(g, HELD + 4, HELD + 4), g->base);
	EXPECT_EQ(0, t_guest_reap(g));
}

TEST_F(slow, is_left_to_the_record_where_that_was_agreed_on)
{
	struct t_guest *g = self->guest;

	ASSERT_EQ(0, hold_some(self, variant->features, RECORD)) TH_LOG("%s", g->err.msg);
	ASSERT_EQ(0, vu_frontend_stop_vring(g->fe, 0, &g->base, &g->err)) TH_LOG("%s", g->err.msg);
	expect_taken_over(_metadata, self);
}

TEST_F(slow, is_left_to_the_record_where_the_front_end_asks_for_that)
{
	struct t_guest *g = self->guest;

	ASSERT_EQ(0, hold_some(self, variant->features, SKIP_DRAIN)) TH_LOG("%s", g->err.msg);
	ASSERT_EQ(0, vu_frontend_suspend_vring(g->fe, 0, &g->base, &g->err))
	TH_LOG("%s", g->err.msg);
	expect_taken_over(_metadata, self);
}

TEST_F(slow, is_given_up_by_a_reset)
{
	struct t_guest *g = self->guest;

	ASSERT_EQ(0, hold_some(self, variant->features, RESET)) TH_LOG("%s", g->err.msg);
	ASSERT_EQ(0, vu_frontend_reset_device(g->fe, &g->err)) TH_LOG("%s", g->err.msg);
	EXPECT_EQ(HELD, atomic_load(&self->hold.dropped));
	EXPECT_EQ(1u, atomic_load(&self->hold.resets));
	EXPECT_EQ(0, stays_as_it_is(g));
	/* at its beginning, and as disabled as a new one */
	EXPECT_EQ(0, vu_frontend_stop_vring(g->fe, 0, &g->base, &g->err));
	EXPECT_EQ(base_of(g, 0, 0), g->base);
}

TEST_F(slow, is_given_up_when_the_front_end_leaves)
{
	struct t_guest *g = self->guest;

	ASSERT_EQ(0, hold_some(self, variant->features, INFLIGHT)) TH_LOG("%s", g->err.msg);
	t_guest_copy_all(g);
	t_guest_leave(g);
	pthread_join(self->served.thread, NULL);
	self->served.running = false;
	EXPECT_EQ(-ECONNRESET, self->served.closed.code);
	EXPECT_EQ(HELD, atomic_load(&self->hold.dropped));
	EXPECT_EQ(-1, t_guest_find_difference(g));
}

TEST_HARNESS_MAIN
