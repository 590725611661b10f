// SPDX-License-Identifier: GPL-2.0-only
/*
 * Live migration between two back-end processes, under load: what the dirty log says
 * is what was written, and what arrives is what was there.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <linux/virtio_blk.h>

#include <vringlab/fd.h>
#include <vringlab/vring_inflight.h>

#include "kselftest_harness.h"
#include "t.h"
#include "t_backend.h"
#include "t_guest.h"

#define BIT(n) (UINT64_C(1) << (n))
#define PACKED BIT(VIRTIO_F_RING_PACKED)
#define INDIRECT BIT(VIRTIO_RING_F_INDIRECT_DESC)
#define EVENT BIT(VIRTIO_RING_F_EVENT_IDX)
#define FLUSH BIT(VIRTIO_BLK_F_FLUSH)
#define RECORDED                                                                          \
	(BIT(VU_PROTOCOL_F_INFLIGHT_SHMFD) | BIT(VU_PROTOCOL_F_GET_VRING_BASE_INFLIGHT) | \
	 BIT(VU_PROTOCOL_F_GET_VRING_BASE_SKIP_DRAIN))

/* The other back-end's socket, of the two. */
static unsigned int other(unsigned int host)
{
	return 1 - host;
}

/**
 * A guest, and the hosts that it moves between
 * @host:	Where it is.
 */
FIXTURE(migration)
{
	char dir[64];
	char disk[96];
	char path[2][96];
	struct t_child backend[2];
	struct t_guest *guest;
	unsigned int host;
};

FIXTURE_VARIANT(migration)
{
	bool blk;
	uint64_t features;
};

#define VARIANT(_name, _blk, _features)                \
	FIXTURE_VARIANT_ADD(migration, _name)          \
	{                                              \
		.blk = (_blk), .features = (_features) \
	}

/* clang-format off */
VARIANT(loopback_split, false, 0);
VARIANT(loopback_split_all, false, INDIRECT | EVENT);
VARIANT(loopback_packed, false, PACKED);
VARIANT(loopback_packed_all, false, PACKED | INDIRECT | EVENT);
VARIANT(blk_split, true, FLUSH);
VARIANT(blk_split_all, true, FLUSH | INDIRECT | EVENT);
VARIANT(blk_packed, true, FLUSH | PACKED);
VARIANT(blk_packed_all, true, FLUSH | PACKED | INDIRECT | EVENT);
/* clang-format on */

static int start_host(FIXTURE_DATA(migration) * self, bool blk, unsigned int host)
{
	const char *const path = self->path[host];
	const char *const disk[] = { "blk", "--socket", path, "--file", self->disk, NULL };
	const char *const loopback[] = { "loopback", "--socket", path, NULL };

	return t_backend_start(&self->backend[host], blk ? disk : loopback);
}

FIXTURE_SETUP(migration)
{
	const struct t_guest_config config = {
		.features = variant->features,
		.protocol = RECORDED | BIT(VU_PROTOCOL_F_DEVICE_STATE),
		.blk = variant->blk,
	};
	int fd;

	memset(self, 0, sizeof(*self));
	for (int i = 0; i < 2; i++)
		self->backend[i] = (struct t_child)T_CHILD_NONE;
	ASSERT_EQ(0, t_tmpdir_create(self->dir));
	snprintf(self->disk, sizeof(self->disk), "%s/disk", self->dir);
	fd = open(self->disk, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ftruncate(fd, T_GUEST_DISK));
	close(fd);
	for (int i = 0; i < 2; i++) {
		snprintf(self->path[i], sizeof(self->path[i]), "%s/%d", self->dir, i);
		ASSERT_EQ(0, start_host(self, variant->blk, i));
	}
	self->guest = calloc(1, sizeof(*self->guest));
	ASSERT_NE(NULL, self->guest);
	ASSERT_EQ(0, t_guest_create(self->guest, &config));
	ASSERT_EQ(0, t_guest_connect(self->guest, self->path[0]))
	TH_LOG("%s", self->guest->err.msg);
}

FIXTURE_TEARDOWN(migration)
{
	if (self->guest)
		t_guest_destroy(self->guest);
	free(self->guest);
	for (int i = 0; i < 2; i++)
		t_child_kill(&self->backend[i]);
	t_tmpdir_remove(self->dir);
}

/* Requests that the device serves while nothing else writes to the memory. */
static int serve_alone(struct t_guest *g)
{
	int ret = t_guest_finish(g);

	if (!ret)
		ret = t_guest_issue(g, T_GUEST_DEPTH);
	if (ret < 0)
		return ret;
	t_guest_copy_driver(g);
	t_guest_pass(g);
	ret = t_guest_kick(g);
	return ret ? ret : t_guest_await(g);
}

TEST_F_TIMEOUT(migration, the_log_has_each_page_that_was_written_and_no_other, 120)
{
	struct t_guest *g = self->guest;
	uint32_t base;

	ASSERT_EQ(0, t_guest_set_log(g, true)) TH_LOG("%s", g->err.msg);
	t_guest_copy_all(g);
	/* several laps of the ring */
	for (int round = 0; round < 100; round++) {
		ASSERT_EQ(0, t_guest_run(g, 50));
		ASSERT_EQ(0, serve_alone(g));
		/* the ring's last words come after the requests': it is stopped for them */
		if (round % 10 == 9)
			ASSERT_EQ(0, vu_frontend_stop_vring(g->fe, 0, &g->base, &g->err));
		EXPECT_EQ(-1, t_guest_find_unexpected(g)) TH_LOG("round %d", round);
		EXPECT_FALSE(t_guest_has_stray_marks(g));
		t_guest_pass(g);
		if (round % 10 != 9)
			continue;
		ASSERT_EQ(-1, t_guest_find_difference(g)) TH_LOG("round %d", round);
		t_guest_leave(g);
		ASSERT_EQ(0, t_guest_connect(g, self->path[0])) TH_LOG("%s", g->err.msg);
		ASSERT_EQ(0, t_guest_set_log(g, true)) TH_LOG("%s", g->err.msg);
		/* what was written before the log was on */
		t_guest_copy_all(g);
	}
	ASSERT_EQ(0, t_guest_finish(g));
	ASSERT_EQ(0, vu_frontend_stop_vring(g->fe, 0, &base, &g->err));
}

TEST_F_TIMEOUT(migration, a_stopped_ring_is_left_alone_and_so_is_the_log, 120)
{
	struct t_guest *g = self->guest;
	uint32_t base;

	ASSERT_EQ(0, t_guest_set_log(g, true)) TH_LOG("%s", g->err.msg);
	ASSERT_EQ(0, t_guest_run(g, 500));
	ASSERT_EQ(0, vu_frontend_stop_vring(g->fe, 0, &base, &g->err)) TH_LOG("%s", g->err.msg);
	ASSERT_LE(0, t_guest_reap(g));
	ASSERT_LE(0, t_guest_issue(g, T_GUEST_DEPTH));
	t_guest_pass(g);
	t_guest_copy_all(g);
	for (int i = 0; i < 20; i++) {
		uint64_t num;

		ASSERT_EQ(0, t_guest_kick(g));
		ASSERT_EQ(0, vu_frontend_get_mem_slots(g->fe, &num, &g->err) == -ENOTSUP ? 0 : 1);
		ASSERT_EQ(0, vu_frontend_set_features(g->fe, vu_frontend_features(g->fe), &g->err));
	}
	EXPECT_EQ(-1, t_guest_find_difference(g));
	EXPECT_EQ(0u, t_guest_pass(g));
}

TEST_F_TIMEOUT(migration, a_log_can_be_switched_at_any_moment, 120)
{
	int changed = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct t_guest *g = self->guest;

	ASSERT_LE(0, changed);
	ASSERT_EQ(0, vu_frontend_set_log_fd(g->fe, changed, &g->err)) TH_LOG("%s", g->err.msg);
	for (int round = 0; round < 20; round++) {
		eventfd_t value;

		ASSERT_EQ(0, t_guest_run(g, 50));
		ASSERT_EQ(0, t_guest_set_log(g, true)) TH_LOG("%s", g->err.msg);
		/* all that is under way from here on is logged, whenever it began */
		t_guest_copy_all(g);
		ASSERT_EQ(0, t_guest_run(g, 50));
		ASSERT_EQ(0, t_guest_finish(g));
		EXPECT_EQ(0, t_poll_until(changed, T_DEADLINE_MS));
		t_guest_copy_driver(g);
		t_guest_pass(g);
		ASSERT_EQ(-1, t_guest_find_difference(g)) TH_LOG("round %d", round);

		ASSERT_EQ(0, t_guest_run(g, 50));
		ASSERT_EQ(0, t_guest_set_log(g, false)) TH_LOG("%s", g->err.msg);
		t_guest_pass(g);
		eventfd_read(changed, &value);
		ASSERT_EQ(0, t_guest_run(g, 50));
		ASSERT_EQ(0, t_guest_finish(g));
		EXPECT_EQ(0u, t_guest_pass(g)) TH_LOG("round %d", round);
	}
	close(changed);
}

/* --- moving -------------------------------------------------------------------------- */

/* As the region has it; a request of one ring is one entry there. */
static unsigned int count_recorded(const struct t_guest *g)
{
	bool packed = g->layout.packed;
	uint64_t bytes = vring_inflight_size(packed, T_GUEST_NUM);
	uint8_t *region = malloc(bytes);
	unsigned int nr = 0;

	if (!region || pread(g->inflight_fd, region, bytes, 0) != (ssize_t)bytes)
		nr = T_GUEST_NUM + 1;
	for (unsigned int i = 0; i < T_GUEST_NUM && nr <= T_GUEST_NUM; i++)
		nr += packed ? ((struct vring_inflight_packed *)region)->desc[i].inflight :
			       ((struct vring_inflight_split *)region)->desc[i].inflight;
	free(region);
	return nr;
}

/* Passes while the load goes on, as long as there is much to copy. */
static int copy_live(struct t_guest *g)
{
	int ret = t_guest_set_log(g, true);

	t_guest_copy_all(g);
	for (int pass = 0; pass < 10 && !ret; pass++) {
		ret = t_guest_run(g, 30);
		t_guest_copy_driver(g);
		t_guest_pass(g);
	}
	return ret;
}

/* What a disk has of its own: that each write is stable before it is over, or not. */
static int set_writeback(struct t_guest *g, uint8_t writeback)
{
	if (!g->config.blk)
		return 0;
	return vu_frontend_set_config(g->fe, offsetof(struct virtio_blk_config, wce), &writeback, 1,
				      false, &g->err);
}

static bool is_writeback(struct t_guest *g, uint8_t expected)
{
	uint8_t writeback = 2;

	if (!g->config.blk)
		return true;
	return !vu_frontend_get_config(g->fe, offsetof(struct virtio_blk_config, wce), &writeback,
				       1, &g->err) &&
	       writeback == expected;
}

/* Returns its bytes, 0 for a device that has none. */
static ssize_t save_state(struct t_guest *g, uint8_t *state, size_t size)
{
	if (!vu_has_feature(vu_frontend_protocol_features(g->fe), VU_PROTOCOL_F_DEVICE_STATE))
		return 0;
	return vu_frontend_save_state(g->fe, state, size, &g->err);
}

/* The whole of it; @drain says how the ring is stopped. */
static int migrate(struct t_guest *g, const char *path, bool drain, unsigned int *recorded)
{
	uint8_t state[64];
	ssize_t bytes;
	int ret = copy_live(g);

	if (!ret)
		ret = t_guest_issue(g, T_GUEST_DEPTH);
	if (ret >= 0)
		ret = t_guest_kick(g);
	if (!ret)
		ret = drain ? vu_frontend_stop_vring(g->fe, 0, &g->base, &g->err) :
			      vu_frontend_suspend_vring(g->fe, 0, &g->base, &g->err);
	if (ret)
		return ret;
	t_guest_copy_driver(g);
	t_guest_pass(g);
	if (t_guest_find_difference(g) >= 0)
		return -EBADMSG;
	*recorded = count_recorded(g);
	bytes = save_state(g, state, sizeof(state));
	if (bytes < 0)
		return bytes;
	t_guest_leave(g);
	t_guest_move(g);
	ret = t_guest_meet(g, path);
	if (!ret && bytes)
		ret = vu_frontend_load_state(g->fe, state, bytes, &g->err);
	return ret ? ret : t_guest_start(g);
}

TEST_F_TIMEOUT(migration, everything_arrives_and_nothing_is_lost_or_done_twice, 240)
{
	struct t_guest *g = self->guest;

	for (int round = 0; round < 20; round++) {
		unsigned int recorded;

		self->host = other(self->host);
		ASSERT_EQ(0, set_writeback(g, round % 2)) TH_LOG("%s", g->err.msg);
		ASSERT_EQ(0, migrate(g, self->path[self->host], true, &recorded))
		TH_LOG("round %d: %s", round, g->err.msg);
		EXPECT_TRUE(is_writeback(g, round % 2));
		EXPECT_EQ(0u, recorded);
		/* no kick: the driver's went to the other host */
		ASSERT_EQ(0, t_guest_finish(g)) TH_LOG("round %d", round);
		ASSERT_EQ(0, t_guest_run(g, 200)) TH_LOG("round %d", round);
	}
	ASSERT_EQ(0, t_guest_finish(g));
	EXPECT_EQ(g->issued, g->done);
}

TEST_F_TIMEOUT(migration, what_is_under_way_is_recorded_and_done_by_the_other_host, 240)
{
	unsigned int recorded, total = 0;
	struct t_guest *g = self->guest;

	for (int round = 0; round < 40; round++) {
		self->host = other(self->host);
		ASSERT_EQ(0, migrate(g, self->path[self->host], false, &recorded))
		TH_LOG("round %d: %s", round, g->err.msg);
		total += recorded;
		ASSERT_EQ(0, t_guest_finish(g)) TH_LOG("round %d", round);
		ASSERT_EQ(0u, count_recorded(g));
		ASSERT_EQ(0, t_guest_run(g, 100)) TH_LOG("round %d", round);
	}
	ASSERT_EQ(0, t_guest_finish(g));
	EXPECT_EQ(g->issued, g->done);
	/* a loopback has nothing under way when it is asked; a disk has */
	if (variant->blk)
		EXPECT_LT(0u, total);
	TH_LOG("%u requests were taken over", total);
}

TEST_HARNESS_MAIN
