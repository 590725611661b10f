// SPDX-License-Identifier: GPL-2.0-only
/*
 * A front-end that writes to the inflight region, which it can: a virtqueue whose
 * region contradicts itself or the ring does not start, and no other is disturbed.
 */
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <vringlab/vring_inflight.h>

#include "kselftest_harness.h"
#include "t.h"
#include "t_fds.h"
#include "t_served_set.h"

typedef void spoil_fn(struct vring_inflight_split *region);

FIXTURE(region)
{
	struct t_served s;
	struct t_ring ring;
	struct t_ring other;
	int fd;
	int err;
	size_t bytes;
	struct vring_inflight_split *split;
	int fds;
	int maps;
};

FIXTURE_VARIANT(region)
{
	spoil_fn *spoil;
	uint32_t num;
};

static void version_7(struct vring_inflight_split *region)
{
	region->version = 7;
}

static void version_max(struct vring_inflight_split *region)
{
	region->version = UINT16_MAX;
}

static void desc_num_0(struct vring_inflight_split *region)
{
	region->desc_num = 0;
}

static void desc_num_max(struct vring_inflight_split *region)
{
	region->desc_num = UINT16_MAX;
}

static void used_idx_behind(struct vring_inflight_split *region)
{
	region->used_idx -= T_RING_NUM + 1;
}

static void batch_out_of_range(struct vring_inflight_split *region)
{
	region->used_idx--;
	region->last_batch_head = T_RING_NUM;
}

static void next_out_of_range(struct vring_inflight_split *region)
{
	region->used_idx -= 2;
	region->last_batch_head = 0;
	region->desc[0].next = UINT16_MAX;
}

static void all_in_flight(struct vring_inflight_split *region)
{
	for (unsigned int i = 0; i < T_RING_NUM; i++)
		region->desc[i].inflight = 255;
}

static void nothing(struct vring_inflight_split *region)
{
	(void)region;
}

/* clang-format off */
#define REGION(_spoil) \
	FIXTURE_VARIANT_ADD(region, with_##_spoil) { .spoil = _spoil, .num = T_RING_NUM }
REGION(version_7);
REGION(version_max);
REGION(desc_num_0);
REGION(desc_num_max);
REGION(used_idx_behind);
REGION(batch_out_of_range);
REGION(next_out_of_range);
REGION(all_in_flight);
/* CVE-2026-86565 */
FIXTURE_VARIANT_ADD(region, of_a_smaller_ring) { .spoil = nothing, .num = 2 * T_RING_NUM };
FIXTURE_VARIANT_ADD(region, of_a_larger_ring) { .spoil = nothing, .num = T_RING_NUM / 2 };
/* clang-format on */

static int set_region(struct t_served *s, uint64_t size, uint64_t offset, unsigned int num, int fd)
{
	const struct vu_inflight desc = {
		.mmap_size = size,
		.mmap_offset = offset,
		.num_queues = 1,
		.queue_size = num,
	};

	return t_served_tell(s, VU_SET_INFLIGHT_FD, &desc, sizeof(desc), &fd, 1);
}

FIXTURE_SETUP(region)
{
	/* INFLIGHT_SHMFD */
	const struct t_served_config config = { .protocol = 1ull << 12 };
	int ret;

	memset(self, 0, sizeof(*self));
	ASSERT_EQ(0, t_ring_create(&self->ring));
	ASSERT_EQ(0, t_ring_create_beside(&self->other, &self->ring));
	self->err = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	self->bytes = vring_inflight_size(false, T_RING_NUM);
	self->fd = memfd_create("inflight", MFD_CLOEXEC);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, ftruncate(self->fd, self->bytes));
	self->split = mmap(NULL, self->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, self->fd, 0);
	ASSERT_NE(MAP_FAILED, self->split);
	ret = t_served_start_with(&self->s, &config);
	if (ret == -EPERM || ret == -ENOSYS)
		SKIP(return, "io_uring is disabled: sysctl kernel.io_uring_disabled=0");
	ASSERT_EQ(0, ret);
	ASSERT_EQ(0, t_served_negotiate(&self->s));
	ASSERT_EQ(0, set_region(&self->s, self->bytes, 0, T_RING_NUM, self->fd));
	ASSERT_EQ(0, t_served_set_up(&self->s, &self->ring, 0));
	ASSERT_EQ(0, t_served_set_fd(&self->s, VU_SET_VRING_ERR, 0, self->err));
	for (int i = 0; i < 100; i++)
		ASSERT_EQ(0, t_ring_echo(&self->ring, "before", 7, T_DEADLINE_MS));
	ASSERT_EQ(0, t_served_set_vring(&self->s, &self->other, 1));
	ASSERT_EQ(0, t_ring_echo(&self->other, "before", 7, T_DEADLINE_MS));
	self->fds = t_fds_count(0);
	self->maps = t_maps_count(0);
}

FIXTURE_TEARDOWN(region)
{
	t_served_stop(&self->s);
	t_ring_destroy(&self->ring);
	t_ring_destroy(&self->other);
	munmap(self->split, self->bytes);
	close(self->fd);
	close(self->err);
}

TEST_F(region, is_told_by_the_err_eventfd_and_the_other_virtqueue_goes_on)
{
	uint32_t base;

	ASSERT_EQ(0, t_served_stop_vring(&self->s, 0, &base));
	variant->spoil(self->split);
	ASSERT_EQ(0, t_served_set_state(&self->s, VU_SET_VRING_NUM, 0, variant->num));
	ASSERT_EQ(0, t_served_set_fd(&self->s, VU_SET_VRING_CALL, 0, self->ring.call));
	ASSERT_EQ(0, t_served_set_fd(&self->s, VU_SET_VRING_KICK, 0, self->ring.kick));
	ASSERT_EQ(0, t_ring_kick(&self->ring));
	EXPECT_EQ(0, t_poll_until(self->err, T_DEADLINE_MS));
	EXPECT_EQ(1u, atomic_load(&self->s.errors));
	EXPECT_EQ(0, t_ring_echo(&self->other, "after", 6, T_DEADLINE_MS));
	/* stopped, and with a region that is right, it goes on where it was */
	EXPECT_EQ(0, t_served_stop_vring(&self->s, 0, &base));
	EXPECT_EQ(100u, base);
	EXPECT_EQ(0, t_served_stop_vring(&self->s, 1, &base));
	memset(self->split, 0, self->bytes);
	ASSERT_EQ(0, set_region(&self->s, self->bytes, 0, T_RING_NUM, self->fd));
	ASSERT_EQ(0, t_served_set_state(&self->s, VU_SET_VRING_NUM, 0, T_RING_NUM));
	ASSERT_EQ(0, t_served_set_fd(&self->s, VU_SET_VRING_CALL, 0, self->ring.call));
	ASSERT_EQ(0, t_served_set_fd(&self->s, VU_SET_VRING_KICK, 0, self->ring.kick));
	EXPECT_EQ(0, t_ring_echo(&self->ring, "again", 6, T_DEADLINE_MS));
	/* those of the second virtqueue were closed when it was stopped */
	EXPECT_EQ(self->fds - 2, t_fds_count(0));
	EXPECT_EQ(self->maps, t_maps_count(0));
}

FIXTURE(file)
{
	struct t_served s;
	struct t_ring ring;
	int fd;
};

#define BYTES 8192u

FIXTURE_SETUP(file)
{
	const struct t_served_config config = { .protocol = 1ull << 12 };
	int ret;

	memset(self, 0, sizeof(*self));
	ASSERT_EQ(0, t_ring_create(&self->ring));
	self->fd = memfd_create("inflight", MFD_CLOEXEC);
	ASSERT_EQ(0, ftruncate(self->fd, BYTES));
	ret = t_served_start_with(&self->s, &config);
	if (ret == -EPERM || ret == -ENOSYS)
		SKIP(return, "io_uring is disabled: sysctl kernel.io_uring_disabled=0");
	ASSERT_EQ(0, ret);
	ASSERT_EQ(0, t_served_negotiate(&self->s));
}

FIXTURE_TEARDOWN(file)
{
	t_served_stop(&self->s);
	t_ring_destroy(&self->ring);
	close(self->fd);
}

TEST_F(file, that_is_smaller_than_it_is_said_to_be_is_refused)
{
	EXPECT_EQ(ENXIO, set_region(&self->s, BYTES + 1, 0, T_RING_NUM, self->fd));
	EXPECT_NE(NULL, strstr(self->s.refusal.msg, "SET_INFLIGHT_FD: 0x2001 bytes at offset 0x0"))
	TH_LOG("%s", self->s.refusal.msg);
	EXPECT_EQ(ENXIO, set_region(&self->s, 4096, BYTES - 8, T_RING_NUM, self->fd));
	EXPECT_EQ(ENXIO, set_region(&self->s, 1ull << 40, 0, T_RING_NUM, self->fd));
	EXPECT_EQ(EINVAL, set_region(&self->s, 1ull << 63, 0, T_RING_NUM, self->fd));
	EXPECT_EQ(EINVAL, set_region(&self->s, 4096, UINT64_MAX - 7, T_RING_NUM, self->fd));
	EXPECT_EQ(0, t_served_set_up(&self->s, &self->ring, 0));
	EXPECT_EQ(0, t_ring_echo(&self->ring, "after", 6, T_DEADLINE_MS));
}

TEST_F(file, that_is_set_a_thousand_times_is_mapped_once)
{
	int fds = t_fds_count(0), maps = t_maps_count(0);

	for (int i = 0; i < 1000; i++)
		ASSERT_EQ(0, set_region(&self->s, 4096, i % 8 * 8, T_RING_NUM, self->fd));
	EXPECT_EQ(fds, t_fds_count(0));
	EXPECT_EQ(maps + 1, t_maps_count(0));
}

TEST_F(file, that_is_truncated_costs_the_connection)
{
	const struct vring_buf bufs[] = { { T_RING_GPA + T_RING_OUT, 8 },
					  { T_RING_GPA + T_RING_IN, 8 } };
	struct t_ring good;

	ASSERT_EQ(0, t_ring_create(&good));
	ASSERT_EQ(0, t_served_spare(&self->s));
	ASSERT_EQ(0, set_region(&self->s, 4096, 0, T_RING_NUM, self->fd));
	ASSERT_EQ(0, t_served_set_up(&self->s, &self->ring, 0));
	ASSERT_EQ(0, t_ring_echo(&self->ring, "before", 7, T_DEADLINE_MS));
	ASSERT_EQ(0, ftruncate(self->fd, 0));
	ASSERT_LE(0, vring_drv_add(&self->ring.drv, bufs, 1, 1));
	ASSERT_EQ(0, t_ring_kick(&self->ring));
	EXPECT_EQ(-EFAULT, t_served_next(&self->s));
	EXPECT_EQ(0, t_served_set_up(&self->s, &good, 0));
	EXPECT_EQ(0, t_ring_echo(&good, "after", 6, T_DEADLINE_MS));
	t_ring_destroy(&good);
}

TEST_HARNESS_MAIN
