// SPDX-License-Identifier: GPL-2.0-only
/*
 * The memory table of a vhost device: what may be in it, what happens when it changes
 * under load, and when a region goes away that is in use.
 */
#include <sys/mman.h>

#include "vhost.h"

#define WINDOW 32u
#define FRAMES 600u

FIXTURE(memory)
{
	struct net net;
	uint8_t *alias;
};

FIXTURE_SETUP(memory)
{
	NET_OR_SKIP(&self->net);
	net_open(_metadata, &self->net, 0);
	/* The same pages a second time. */
	self->alias = mremap(self->net.v.mem, 0, T_VHOST_MEM_BYTES, MREMAP_MAYMOVE);
	ASSERT_NE(MAP_FAILED, (void *)self->alias);
}

FIXTURE_TEARDOWN(memory)
{
	munmap(self->alias, T_VHOST_MEM_BYTES);
	net_close(&self->net);
}

static struct vhost_memory_region region(uint64_t gpa, uint64_t size, const void *at)
{
	return (struct vhost_memory_region){
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (uintptr_t)at,
	};
}

static int set_one(const struct t_vhost *v, uint64_t gpa, uint64_t size, const void *at)
{
	const struct vhost_memory_region one = region(gpa, size, at);

	return t_vhost_table(v, &one, 1);
}

static int set_whole(const struct t_vhost *v, const void *at)
{
	return set_one(v, T_VHOST_GPA, T_VHOST_MEM_BYTES, at);
}

static unsigned int max_regions(void)
{
	FILE *f = fopen("/sys/module/vhost/parameters/max_mem_regions", "re");
	unsigned int max = 0;

	if (!f)
		return 0;
	if (fscanf(f, "%u", &max) != 1)
		max = 0;
	fclose(f);
	return max;
}

TEST_F_TIMEOUT(memory, has_at_most_as_many_regions_as_the_parameter_says, SLOW)
{
	struct vhost_memory_region *regions;
	unsigned int max = max_regions();
	struct net *n = &self->net;

	ASSERT_LT(0u, max);
	regions = calloc(max + 1, sizeof(*regions));
	ASSERT_NE(NULL, regions);
	/* Each a page, and a page apart. */
	for (unsigned int i = 0; i <= max; i++)
		regions[i] = region(T_VHOST_GPA + i * UINT64_C(8192), 4096, n->v.mem + i * 4096);
	EXPECT_EQ(-E2BIG, t_vhost_table(&n->v, regions, max + 1));
	EXPECT_EQ(0, t_vhost_table(&n->v, regions, max));
	EXPECT_EQ(0, t_vhost_table(&n->v, regions, 0));
	free(regions);
}

TEST_F_TIMEOUT(memory, regions_do_not_wrap_and_are_not_of_the_kernel, SLOW)
{
	const void *kernel = (void *)UINT64_C(0xffff888000000000);
	struct net *n = &self->net;
	struct vhost_memory head = { .nregions = 0, .padding = 1 };

	EXPECT_EQ(-EOPNOTSUPP, t_vhost_ioctl(&n->v, VHOST_SET_MEM_TABLE, &head));
	EXPECT_EQ(-EFAULT, t_vhost_ioctl(&n->v, VHOST_SET_MEM_TABLE, NULL));
	EXPECT_EQ(-EFAULT, set_one(&n->v, T_VHOST_GPA, 0, n->v.mem));
	EXPECT_EQ(-EFAULT, set_one(&n->v, UINT64_MAX - 4095, 8192, n->v.mem));
	/* User addresses are looked at as soon as a virtqueue works. */
	ASSERT_EQ(0, t_vnet_backend(&n->v, n->tap.fds[0]));
	EXPECT_EQ(-EFAULT, set_whole(&n->v, kernel));
	EXPECT_EQ(-EFAULT, set_one(&n->v, T_VHOST_GPA, UINT64_MAX - T_VHOST_GPA, n->v.mem));
	EXPECT_EQ(0, set_whole(&n->v, n->v.mem));
	ASSERT_EQ(0, t_vnet_transmit(&n->v, 100, 1));
	EXPECT_EQ(0, t_tap_expect(&n->tap, 100, 1));
}

/* The earlier table stays when a later one is refused. */
TEST_F_TIMEOUT(memory, table_that_is_refused_changes_nothing, SLOW)
{
	struct net *n = &self->net;

	ASSERT_EQ(0, t_vnet_backend(&n->v, n->tap.fds[0]));
	for (uint32_t i = 0; i < 20; i++) {
		EXPECT_EQ(-EFAULT, set_one(&n->v, UINT64_MAX - 4095, 8192, n->v.mem));
		ASSERT_EQ(0, t_vnet_transmit(&n->v, 100, i));
		EXPECT_EQ(0, t_tap_expect(&n->tap, 100, i));
	}
}

/* Transmits and takes back, so that at most WINDOW are under way. */
static int stream(struct net *n, uint32_t i)
{
	int ret = t_vnet_transmit(&n->v, 64 + i % 1400, i);

	if (!ret && i >= WINDOW)
		ret = t_tap_expect(&n->tap, 64 + (i - WINDOW) % 1400, i - WINDOW);
	if (!ret && t_vhost_reap(&n->v, TX) < 0)
		ret = -EPROTO;
	return ret;
}

TEST_F_TIMEOUT(memory, may_move_while_frames_are_transmitted_from_it, SLOW)
{
	struct net *n = &self->net;

	ASSERT_EQ(0, t_vnet_backend(&n->v, n->tap.fds[0]));
	for (uint32_t i = 0; i < FRAMES; i++) {
		ASSERT_EQ(0, stream(n, i));
		ASSERT_EQ(0, set_whole(&n->v, i % 2 ? n->v.mem : self->alias));
	}
	for (uint32_t i = FRAMES - WINDOW; i < FRAMES; i++) {
		ASSERT_EQ(0, t_tap_expect(&n->tap, 64 + i % 1400, i));
	}
	EXPECT_TRUE(EVENTUALLY(t_vhost_reap(&n->v, TX) == FRAMES));
	EXPECT_TRUE(t_tap_is_silent(&n->tap));
	EXPECT_FALSE(had_error(n));
}

TEST_F_TIMEOUT(memory, may_move_while_frames_are_received_into_it, SLOW)
{
	struct net *n = &self->net;

	ASSERT_EQ(0, t_vnet_backend(&n->v, n->tap.fds[0]));
	ASSERT_EQ(0, t_vnet_give(&n->v, T_VHOST_NUM));
	for (uint32_t i = 0; i < T_VHOST_NUM; i++) {
		ASSERT_EQ(0, t_tap_send(&n->tap, 64 + i, i));
		ASSERT_EQ(0, set_whole(&n->v, i % 2 ? n->v.mem : self->alias));
		if (i >= WINDOW) {
			ASSERT_EQ(0, t_vnet_expect(&n->v, 64 + i - WINDOW, i - WINDOW));
		}
	}
	for (uint32_t i = T_VHOST_NUM - WINDOW; i < T_VHOST_NUM; i++) {
		ASSERT_EQ(0, t_vnet_expect(&n->v, 64 + i, i));
	}
	EXPECT_FALSE(had_error(n));
}

TEST_F_TIMEOUT(memory, region_that_goes_away_in_use_is_an_error_until_it_is_back, SLOW)
{
	struct net *n = &self->net;

	ASSERT_EQ(0, t_vnet_backend(&n->v, n->tap.fds[0]));
	for (uint32_t i = 0; i < 10; i++) {
		ASSERT_EQ(0, t_vnet_transmit(&n->v, 200, i));
		ASSERT_EQ(0, t_tap_expect(&n->tap, 200, i));
		/* What the rings are in, and nothing of the buffers. */
		ASSERT_EQ(0, set_one(&n->v, T_VHOST_GPA, T_VHOST_RINGS_BYTES, n->v.mem));
		EXPECT_FALSE(had_error(n));
		ASSERT_EQ(0, t_vnet_transmit(&n->v, 200, 1000 + i));
		EXPECT_TRUE(has_error(n));
		EXPECT_TRUE(t_tap_is_silent(&n->tap));
		ASSERT_EQ(0, set_whole(&n->v, self->alias));
		ASSERT_EQ(0, t_vhost_kick(&n->v, TX));
		EXPECT_EQ(0, t_tap_expect(&n->tap, 200, 1000 + i));
	}
	EXPECT_TRUE(EVENTUALLY(t_vhost_reap(&n->v, TX) == 20));
}

/* The frame waits in the tap. */
TEST_F_TIMEOUT(memory, region_that_is_missing_loses_no_received_frame, SLOW)
{
	struct net *n = &self->net;

	ASSERT_EQ(0, t_vnet_backend(&n->v, n->tap.fds[0]));
	ASSERT_EQ(0, set_one(&n->v, T_VHOST_GPA, T_VHOST_RINGS_BYTES, n->v.mem));
	ASSERT_EQ(0, t_vnet_give(&n->v, 4));
	for (uint32_t i = 0; i < 4; i++) {
		ASSERT_EQ(0, t_tap_send(&n->tap, 100 + i, i));
	}
	EXPECT_TRUE(has_error(n));
	ASSERT_EQ(0, set_whole(&n->v, n->v.mem));
	ASSERT_EQ(0, t_vhost_kick(&n->v, RX));
	for (uint32_t i = 0; i < 4; i++) {
		EXPECT_EQ(0, t_vnet_expect(&n->v, 100 + i, i));
	}
}

/* Two regions that meet in the guest and not here; a buffer lies in both. */
TEST_F_TIMEOUT(memory, buffer_may_lie_in_two_regions, SLOW)
{
	struct net *n = &self->net;
	const uint64_t at = n->v.queues[TX].bufs_gpa - T_VHOST_GPA + 100;
	const struct vhost_memory_region regions[] = {
		region(T_VHOST_GPA, at, n->v.mem),
		region(T_VHOST_GPA + at, T_VHOST_MEM_BYTES - at, self->alias + at),
	};

	ASSERT_EQ(0, t_vhost_table(&n->v, regions, 2));
	ASSERT_EQ(0, t_vnet_backend(&n->v, n->tap.fds[0]));
	ASSERT_EQ(0, t_vnet_transmit(&n->v, 400, 1));
	EXPECT_EQ(0, t_tap_expect(&n->tap, 400, 1))
	{
		TH_LOG("vulnerable to CVE-2013-0311: it lacks"
		       " 'vhost: fix length for cross region descriptor'");
	}
}

TEST_HARNESS_MAIN
