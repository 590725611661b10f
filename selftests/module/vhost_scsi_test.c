// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost-scsi: commands in a known number, sent by this program to a target that is
 * memory of the kernel's, against what the module counts.
 */
#include <linux/virtio_scsi.h>

#include "t_scsi.h"
#include "vhost.h"

#define QUEUE T_SCSI_REQUEST
#define QUEUES 3
#define ROUNDS 30

/* clang-format off */
FIXTURE(scsi) {
	struct t_genl g;
	struct t_vhost v;
	struct t_vring vring;
	struct t_stats s;
};

/* clang-format on */

FIXTURE_SETUP(scsi)
{
	int ret;

	OPEN_OR_SKIP(&self->g);
	ret = t_scsi_make();
	if (ret == -ENODEV)
		SKIP(return, "needs a kernel with vhost_scsi and target_core_mod");
	ASSERT_EQ(0, ret)
	{
		TH_LOG("target: %s", strerror(-ret));
	}
	tell_layout(_metadata);
	ASSERT_EQ(0, t_discover_set(&self->g, true, false));
	ret = t_vhost_open(&self->v, "/dev/vhost-scsi", VERSION_1);
	if (!ret)
		ret = t_vhost_start(&self->v, QUEUES);
	ASSERT_EQ(0, ret)
	{
		TH_LOG("/dev/vhost-scsi: %s", strerror(-ret));
	}
	ret = t_scsi_endpoint(&self->v);
	ASSERT_EQ(0, ret)
	{
		TH_LOG("VHOST_SCSI_SET_ENDPOINT: %s", strerror(-ret));
	}
	ASSERT_TRUE(
		EVENTUALLY(is_ready(&self->g, VRINGLAB_BACKEND_VHOST_SCSI, QUEUE, &self->vring)));
}

FIXTURE_TEARDOWN(scsi)
{
	EXPECT_EQ(0u, self->g.leak);
	t_vhost_close(&self->v);
	t_scsi_remove();
	t_genl_close(&self->g);
}

static void command(struct __test_metadata *_metadata, FIXTURE_DATA(scsi) * self)
{
	int64_t used = t_vhost_reap(&self->v, QUEUE);

	ASSERT_LE(0, t_scsi_stage(&self->v, QUEUE));
	ASSERT_EQ(0, t_vhost_kick(&self->v, QUEUE));
	ASSERT_TRUE(EVENTUALLY(t_vhost_reap(&self->v, QUEUE) == used + 1 &&
			       t_vhost_wants_kick(&self->v, QUEUE)));
	EXPECT_EQ(VIRTIO_SCSI_S_OK, t_scsi_response(&self->v, QUEUE));
}

/* The last call may still be on its way when its command is seen to be done. */
static bool has_called(FIXTURE_DATA(scsi) * self, uint64_t times)
{
	return !t_stats_get(&self->g, self->vring.id, &self->s) &&
	       T_CNT(&self->s, CALLS_VHOST) == times;
}

TEST_F_TIMEOUT(scsi, each_command_is_counted_on_its_way_and_back, SLOW)
{
	EXPECT_EQ(T_VHOST_NUM, self->vring.size);
	for (unsigned int i = 0; i < ROUNDS; i++)
		command(_metadata, self);
	EXPECT_TRUE(EVENTUALLY(has_called(self, ROUNDS)));
	EXPECT_LAWFUL(&self->s);
	EXPECT_EQ(t_vhost_calls(&self->v, QUEUE), T_CNT(&self->s, CALLS_VHOST));
	EXPECT_EQ((uint64_t)ROUNDS, T_CNT(&self->s, KICKS_WRITE));
	EXPECT_EQ((uint64_t)ROUNDS, T_CNT(&self->s, KICKS));
	EXPECT_EQ(0u, T_CNT(&self->s, KICK_COALESCED));
	EXPECT_EQ((uint64_t)ROUNDS, T_CNT(&self->s, WAKES_VHOST) - T_CNT(&self->s, WAKE_UNMATCHED));
	EXPECT_EQ((uint64_t)ROUNDS, T_CNT(&self->s, TAKEN));
	EXPECT_EQ((uint64_t)ROUNDS, T_CNT(&self->s, USED));
	EXPECT_EQ((uint64_t)ROUNDS, T_CNT(&self->s, NOTIFIES));
	EXPECT_EQ((uint64_t)ROUNDS, T_SPAN(&self->s, WAKE_CALL)->count);
}

TEST_F_TIMEOUT(scsi, a_device_that_is_closed_goes, SLOW)
{
	command(_metadata, self);
	t_vhost_close(&self->v);
	for (unsigned int i = 0; i < QUEUES; i++)
		EXPECT_TRUE(EVENTUALLY(
			!find_queue(&self->g, VRINGLAB_BACKEND_VHOST_SCSI, i, &self->vring)));
}

static __attribute__((constructor)) void use_module(void)
{
	load_module();
}

TEST_HARNESS_MAIN
