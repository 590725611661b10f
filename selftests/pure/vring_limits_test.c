// SPDX-License-Identifier: GPL-2.0-only
/*
 * The other side of vring_hostile_test.c: what is unusual and legal has to work.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kselftest_harness.h"
#include "t_rig.h"

FIXTURE(limits)
{
	struct t_rig rig;
	struct vring_buf *bufs;
};

FIXTURE_VARIANT(limits)
{
	uint64_t features;
};

/* clang-format off */
#define LIMITS(_name, _features) FIXTURE_VARIANT_ADD(limits, _name) { .features = (_features) }
LIMITS(split, 0);
LIMITS(split_event_idx, T_RIG_EVENT);
LIMITS(split_in_order, T_RIG_ORDER);
LIMITS(packed, T_RIG_PACKED);
LIMITS(packed_event_idx, T_RIG_PACKED | T_RIG_EVENT);
LIMITS(packed_in_order, T_RIG_PACKED | T_RIG_ORDER);
/* clang-format on */

FIXTURE_SETUP(limits)
{
	memset(self, 0, sizeof(*self));
	self->bufs = calloc(VRING_NUM_MAX, sizeof(*self->bufs));
	ASSERT_NE(NULL, self->bufs);
	/* single bytes, from both ends of the region */
	for (unsigned int i = 0; i < VRING_NUM_MAX; i++) {
		self->bufs[i].gpa = i % 2 ? T_RIG_GPA + i : T_RIG_GPA + T_RIG_BYTES - 1 - i;
		self->bufs[i].len = 1;
	}
}

FIXTURE_TEARDOWN(limits)
{
	free(self->bufs);
}

/* There and back: @out readable bytes and @in writable ones. */
static int pass(struct t_rig *r, const struct vring_buf *bufs, unsigned int out, unsigned int in)
{
	uint32_t written = 0;
	int id = vring_drv_add(&r->drv, bufs, out, in);
	int ret;

	if (id < 0)
		return id;
	ret = vring_dev_pop(&r->dev, &r->chain);
	if (ret)
		return ret;
	if (r->chain.out_bytes != out || r->chain.in_bytes != in)
		return -EBADMSG;
	vring_dev_push(&r->dev, &r->chain, in);
	ret = vring_drv_get(&r->drv, &written);
	if (ret < 0)
		return ret;
	return ret == id && written == in ? 0 : -EPROTO;
}

TEST_F(limits, a_chain_of_each_length_begins_at_each_offset)
{
	/* of a packed ring also what is no power of 2 */
	unsigned int num = variant->features & T_RIG_PACKED ? 7 : 8;

	for (unsigned int start = 0; start < num; start++) {
		for (unsigned int len = 1; len <= num; len++) {
			struct t_rig *r = &self->rig;

			ASSERT_EQ(0, t_rig_init(r, variant->features, num));
			for (unsigned int i = 0; i < start; i++)
				ASSERT_EQ(0, pass(r, self->bufs, 1, 0));
			for (unsigned int lap = 0; lap < 3 * num; lap++) {
				ASSERT_EQ(0, pass(r, self->bufs, len - len / 2, len / 2))
				TH_LOG("start %u, length %u, lap %u", start, len, lap);
			}
			t_rig_exit(r);
		}
	}
}

TEST_F(limits, a_ring_of_one_entry_goes_round)
{
	struct t_rig *r = &self->rig;

	ASSERT_EQ(0, t_rig_init(r, variant->features, 1));
	for (int i = 0; i < 70000; i++)
		ASSERT_EQ(0, pass(r, self->bufs, i % 2, 1 - i % 2));
	t_rig_exit(r);
}

TEST_F(limits, the_largest_ring_takes_a_chain_of_all_its_entries)
{
	struct t_rig *r = &self->rig;

	ASSERT_EQ(0, t_rig_init(r, variant->features, VRING_NUM_MAX));
	/* past its end, and past 65535 */
	ASSERT_EQ(0, pass(r, self->bufs, 1, 0));
	for (int i = 0; i < 4; i++)
		ASSERT_EQ(0, pass(r, self->bufs, VRING_NUM_MAX / 2, VRING_NUM_MAX / 2));
	for (int i = 0; i < 70000; i++)
		ASSERT_EQ(0, pass(r, self->bufs, 1, 1));
	t_rig_exit(r);
}

TEST_F(limits, the_largest_ring_is_filled_by_single_buffers)
{
	struct t_rig *r = &self->rig;
	uint32_t written;

	ASSERT_EQ(0, t_rig_init(r, variant->features, VRING_NUM_MAX));
	for (int lap = 0; lap < 3; lap++) {
		for (unsigned int i = 0; i < VRING_NUM_MAX; i++)
			ASSERT_LE(0, vring_drv_add(&r->drv, self->bufs, 1, 0));
		EXPECT_EQ(-ENOSPC, vring_drv_add(&r->drv, self->bufs, 1, 0));
		for (unsigned int i = 0; i < VRING_NUM_MAX; i++) {
			ASSERT_EQ(0, vring_dev_pop(&r->dev, &r->chain));
			vring_dev_push(&r->dev, &r->chain, 0);
		}
		EXPECT_EQ(-EAGAIN, vring_dev_pop(&r->dev, &r->chain));
		for (unsigned int i = 0; i < VRING_NUM_MAX; i++)
			ASSERT_LE(0, vring_drv_get(&r->drv, &written));
	}
	t_rig_exit(r);
}

TEST_F(limits, an_indirect_table_has_as_many_entries_as_the_ring)
{
	struct t_rig *r = &self->rig;

	ASSERT_EQ(0, t_rig_init(r, variant->features | T_RIG_INDIRECT, T_RIG_INDIRECT_MAX));
	for (int i = 0; i < 1000; i++)
		ASSERT_EQ(0, pass(r, self->bufs, T_RIG_INDIRECT_MAX / 2, T_RIG_INDIRECT_MAX / 2));
	t_rig_exit(r);
}

TEST_F(limits, notifications_that_are_switched_each_time_stall_nobody)
{
	struct t_rig *r = &self->rig;

	ASSERT_EQ(0, t_rig_init(r, variant->features, 8));
	for (int i = 0; i < 70000; i++) {
		bool kick, call;

		if (i % 3)
			vring_dev_kick_disable(&r->dev);
		else
			vring_dev_kick_enable(&r->dev);
		if (i % 5)
			vring_drv_call_disable(&r->drv);
		else
			vring_drv_call_enable(&r->drv);
		ASSERT_EQ(0, pass(r, self->bufs, 1, 1));
		kick = vring_drv_should_kick(&r->drv);
		call = vring_dev_should_call(&r->dev);
		/* who asked is told; who did not may be */
		ASSERT_TRUE(kick || i % 3);
		ASSERT_TRUE(call || i % 5);
	}
	t_rig_exit(r);
}

TEST_HARNESS_MAIN
