// SPDX-License-Identifier: GPL-2.0-only
/*
 * A back-end behind an IOMMU, under load: it knows no address but those it asked for,
 * page by page and with no more access than it named, and forgets them when told.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/vhost_types.h>

#include <vringlab/vdev_loopback.h>

#include "kselftest_harness.h"
#include "t.h"
#include "t_guest.h"
#include "t_served.h"

#define BIT(n) (UINT64_C(1) << (n))
#define PACKED BIT(VIRTIO_F_RING_PACKED)
#define INDIRECT BIT(VIRTIO_RING_F_INDIRECT_DESC)
#define EVENT BIT(VIRTIO_RING_F_EVENT_IDX)
#define IOMMU BIT(VIRTIO_F_ACCESS_PLATFORM)

static int make(void *ctx, struct loop *loop, struct vdev **vdev)
{
	int ret = vdev_loopback_create(vdev, 1, NULL);

	if (!ret)
		(*vdev)->features |= IOMMU;
	return ret;
}

static void destroy(void *ctx, struct vdev *vdev)
{
	vdev_loopback_destroy(vdev);
}

FIXTURE(iotlb)
{
	char dir[64];
	char path[96];
	struct t_served served;
	struct t_guest *guest;
};

FIXTURE_VARIANT(iotlb)
{
	uint64_t features;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(iotlb, split) { .features = 0 };
FIXTURE_VARIANT_ADD(iotlb, split_all) { .features = INDIRECT | EVENT };
FIXTURE_VARIANT_ADD(iotlb, packed) { .features = PACKED };
FIXTURE_VARIANT_ADD(iotlb, packed_all) { .features = PACKED | INDIRECT | EVENT };
/* clang-format on */

FIXTURE_SETUP(iotlb)
{
	const struct t_guest_config guest = { .features = variant->features | IOMMU };
	struct t_served_config config = { .make = make, .destroy = destroy };
	int ret;

	memset(self, 0, sizeof(*self));
	ASSERT_EQ(0, t_tmpdir_create(self->dir));
	snprintf(self->path, sizeof(self->path), "%s/s", self->dir);
	config.path = self->path;
	ret = t_served_start_with(&self->served, &config);
	if (ret == -EPERM || ret == -ENOSYS)
		SKIP(return, "io_uring is disabled: sysctl kernel.io_uring_disabled=0");
	ASSERT_EQ(0, ret);
	self->guest = calloc(1, sizeof(*self->guest));
	ASSERT_NE(NULL, self->guest);
	ASSERT_EQ(0, t_guest_create(self->guest, &guest));
	ASSERT_EQ(0, t_guest_connect(self->guest, self->path)) TH_LOG("%s", self->guest->err.msg);
}

FIXTURE_TEARDOWN(iotlb)
{
	if (self->guest)
		t_guest_destroy(self->guest);
	free(self->guest);
	t_served_stop(&self->served);
	t_tmpdir_remove(self->dir);
}

static int invalidate(struct t_guest *g, uint64_t offset, uint64_t bytes)
{
	const struct vu_iotlb iotlb = {
		.iova = T_GUEST_IOVA + offset,
		.size = bytes,
		.type = VHOST_IOTLB_INVALIDATE,
	};

	return vu_frontend_iotlb(g->fe, &iotlb, &g->err);
}

static int invalidate_all(struct t_guest *g)
{
	return invalidate(g, 0, (uint64_t)g->pages * T_GUEST_PAGE);
}

TEST_F_TIMEOUT(iotlb, each_page_is_asked_for_once_and_again_after_it_was_taken, 120)
{
	struct t_guest *g = self->guest;
	uint64_t before;

	ASSERT_EQ(0, t_guest_run(g, 2000));
	ASSERT_EQ(0, t_guest_finish(g));
	EXPECT_LT(0u, g->nr_missed);
	/* a page for each of reading and writing, at most */
	EXPECT_GE(2 * g->pages, g->nr_missed);
	before = g->nr_missed;
	for (int i = 0; i < 20; i++) {
		ASSERT_EQ(0, invalidate_all(g)) TH_LOG("%s", g->err.msg);
		ASSERT_EQ(0, t_guest_run(g, 100)) TH_LOG("round %d", i);
		ASSERT_EQ(0, t_guest_finish(g));
		EXPECT_LT(before, g->nr_missed);
		before = g->nr_missed;
	}
}

/* Anywhere in the middle of the load: requests, and the ring itself. */
TEST_F_TIMEOUT(iotlb, pages_may_be_taken_at_any_moment, 120)
{
	struct t_guest *g = self->guest;

	for (unsigned int i = 0; i < 300; i++) {
		uint64_t page = i * 7 % g->pages;

		ASSERT_LE(0, t_guest_issue(g, T_GUEST_DEPTH));
		ASSERT_EQ(0, t_guest_kick(g));
		ASSERT_EQ(0, invalidate(g, page * T_GUEST_PAGE, 4 * T_GUEST_PAGE))
		TH_LOG("%s", g->err.msg);
		ASSERT_EQ(0, t_guest_run(g, 20)) TH_LOG("round %u", i);
	}
	ASSERT_EQ(0, t_guest_finish(g));
}

/* Nothing of a page that was taken is used once that is acknowledged. */
TEST_F_TIMEOUT(iotlb, a_page_that_was_taken_is_left_alone, 120)
{
	struct t_guest *g = self->guest;

	ASSERT_EQ(0, t_guest_run(g, 500));
	ASSERT_EQ(0, t_guest_finish(g));
	ASSERT_EQ(0, invalidate_all(g));
	ASSERT_LT(0, t_guest_issue(g, T_GUEST_DEPTH));
	t_guest_copy_all(g);
	ASSERT_EQ(0, t_guest_kick(g));
	/* asked for, and not given */
	while (!g->nr_misses)
		ASSERT_EQ(0, vu_frontend_serve(g->fe, T_DEADLINE_MS));
	for (int i = 0; i < 10; i++) {
		ASSERT_EQ(0, t_guest_kick(g));
		ASSERT_EQ(0, vu_frontend_set_features(g->fe, vu_frontend_features(g->fe), &g->err));
	}
	EXPECT_EQ(-1, t_guest_find_difference(g));
	ASSERT_EQ(0, t_guest_finish(g));
}

/* The log's addresses are physical ones, whatever the ring's and the buffers' are. */
TEST_F_TIMEOUT(iotlb, the_log_has_each_page_that_was_written_and_no_other, 120)
{
	struct t_guest *g = self->guest;

	ASSERT_EQ(0, t_guest_set_log(g, true)) TH_LOG("%s", g->err.msg);
	t_guest_copy_all(g);
	for (int round = 0; round < 60; round++) {
		ASSERT_EQ(0, t_guest_run(g, 50));
		ASSERT_EQ(0, t_guest_finish(g));
		if (round % 3 == 0)
			ASSERT_EQ(0, invalidate_all(g));
		ASSERT_LT(0, t_guest_issue(g, T_GUEST_DEPTH));
		t_guest_copy_driver(g);
		t_guest_pass(g);
		ASSERT_EQ(0, t_guest_kick(g));
		ASSERT_EQ(0, t_guest_await(g));
		/* the ring's last words come after the requests' */
		if (round % 10 == 9)
			ASSERT_EQ(0, vu_frontend_stop_vring(g->fe, 0, &g->base, &g->err));
		EXPECT_EQ(-1, t_guest_find_unexpected(g)) TH_LOG("round %d", round);
		EXPECT_FALSE(t_guest_has_stray_marks(g));
		t_guest_pass(g);
		if (round % 10 != 9)
			continue;
		ASSERT_EQ(-1, t_guest_find_difference(g)) TH_LOG("round %d", round);
		ASSERT_EQ(0, t_guest_start(g)) TH_LOG("%s", g->err.msg);
		t_guest_copy_all(g);
	}
}

/* A translation that cannot be is refused, and what was there stays. */
TEST_F(iotlb, a_bad_translation_is_refused)
{
	const struct vu_iotlb good = {
		.iova = T_GUEST_IOVA + (1 << 30),
		.size = T_GUEST_PAGE,
		.user_addr = T_GUEST_UVA,
		.perm = VHOST_ACCESS_RW,
		.type = VHOST_IOTLB_UPDATE,
	};
	struct t_guest *g = self->guest;
	struct vu_iotlb bad[8];

	for (int i = 0; i < 8; i++)
		bad[i] = good;
	bad[0].size = 0;
	bad[1].size = UINT64_MAX;
	bad[2].user_addr = T_GUEST_UVA + (uint64_t)g->pages * T_GUEST_PAGE;
	bad[3].user_addr = T_GUEST_UVA - 1;
	bad[4].perm = 0;
	bad[5].perm = 4;
	bad[6].type = VHOST_IOTLB_MISS;
	bad[7].iova = UINT64_MAX;
	ASSERT_EQ(0, t_guest_run(g, 100));
	for (int i = 0; i < 8; i++) {
		EXPECT_EQ(-EIO, vu_frontend_iotlb(g->fe, &bad[i], &g->err)) TH_LOG("case %d", i);
	}
	EXPECT_EQ(0, vu_frontend_iotlb(g->fe, &good, &g->err)) TH_LOG("%s", g->err.msg);
	ASSERT_EQ(0, t_guest_run(g, 100));
}

TEST_HARNESS_MAIN
