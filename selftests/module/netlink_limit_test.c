// SPDX-License-Identifier: GPL-2.0-only
/*
 * As many virtqueues as there can be.
 */
#include "netlink.h"

/* More than any table of the module holds. */
#define MANY 65536

/* clang-format off */
FIXTURE(limit) {
	struct t_genl g;
};

/* clang-format on */

FIXTURE_SETUP(limit)
{
	OPEN_OR_SKIP(&self->g);
}

FIXTURE_TEARDOWN(limit)
{
	t_genl_close(&self->g);
}

TEST_F_TIMEOUT(limit, is_ENOSPC_and_deleting_one_makes_room_for_one, SLOW)
{
	int before = nr_vrings(_metadata, &self->g);
	struct t_vring v, last = { 0 };
	struct t_genl other;
	int nr, ret = 0;

	for (nr = 0; nr < MANY && !ret; nr++) {
		ret = add_new(&self->g, &v, "many");
		if (!ret)
			last = v;
	}
	nr--;
	TH_LOG("%d virtqueues, then: %s", before + nr, self->g.ack_msg);
	ASSERT_EQ(-ENOSPC, ret);
	EXPECT_NE(0, self->g.ack_msg[0]);
	EXPECT_EQ(before + nr, nr_vrings(_metadata, &self->g));
	EXPECT_EQ(0, t_vring_del(&self->g, last.id));
	/* At once, though handlers may still use the other for a moment. */
	EXPECT_EQ(0, add_new(&self->g, &v, "many"));
	EXPECT_EQ(-ENOSPC, add_new(&self->g, &v, "many"));
	ASSERT_EQ(0, t_genl_open(&other, VRINGLAB_FAMILY_NAME));
	t_genl_close(&self->g);
	EXPECT_TRUE(EVENTUALLY(t_vring_dump(&other, &v, 1) == before));
	EXPECT_EQ(0, add_new(&other, &v, "after"));
	t_genl_close(&other);
}

USE_MODULE_WITH_ANCHOR

TEST_HARNESS_MAIN
