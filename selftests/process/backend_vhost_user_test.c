// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost-user back-ends behind a transport of ours, as processes that are killed under
 * load, never answer, or do not come back: no request is lost, and the VMM goes on.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_net.h>

#include <vringlab/backend_vhost_user.h>

#include "kselftest_harness.h"
#include "t.h"
#include "t_backend.h"
#include "t_blk.h"
#include "t_fds.h"
#include "t_driver.h"

#define BIT(bit) (UINT64_C(1) << (bit))
#define PACKED BIT(VIRTIO_F_RING_PACKED)
#define EVENT_IDX BIT(VIRTIO_RING_F_EVENT_IDX)

#define QUEUES 3u

FIXTURE(vhost_user)
{
	struct t_driver t;
	struct t_blk blk;
	struct t_child child;
	char dir[64];
	char socket[96];
	char disk[96];
	int fds_before;
};

FIXTURE_VARIANT(vhost_user)
{
	uint64_t features;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(vhost_user, split) { };
FIXTURE_VARIANT_ADD(vhost_user, split_event_idx) { .features = EVENT_IDX };
FIXTURE_VARIANT_ADD(vhost_user, packed) { .features = PACKED };
/* clang-format on */

FIXTURE_SETUP(vhost_user)
{
	int fd, ret;

	memset(self, 0, sizeof(*self));
	self->child = (struct t_child)T_CHILD_NONE;
	self->fds_before = t_fds_count(getpid());
	ASSERT_EQ(0, t_tmpdir_create(self->dir));
	snprintf(self->socket, sizeof(self->socket), "%s/socket", self->dir);
	snprintf(self->disk, sizeof(self->disk), "%s/disk", self->dir);
	fd = open(self->disk, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ASSERT_EQ(0, ftruncate(fd, T_BLK_BYTES));
	close(fd);
	ret = t_driver_init(&self->t);
	if (ret == -EPERM || ret == -ENOSYS)
		SKIP(return, "io_uring is disabled: set kernel.io_uring_disabled=0");
	ASSERT_EQ(0, ret) TH_LOG("%s", self->t.err.msg);
}

FIXTURE_TEARDOWN(vhost_user)
{
	t_driver_exit(&self->t);
	t_child_kill(&self->child);
	t_blk_exit(&self->blk);
	t_tmpdir_remove(self->dir);
	EXPECT_EQ(self->fds_before, t_fds_count(getpid()));
}

static int serve_blk(FIXTURE_DATA(vhost_user) * self)
{
	const char *args[] = { "blk",	     "--file",	 self->disk, "--socket",
			       self->socket, "--queues", "3",	     NULL };

	return t_backend_start(&self->child, args);
}

static struct backend_vhost_user_config blk_config(const FIXTURE_DATA(vhost_user) * self)
{
	return (struct backend_vhost_user_config){
		.name = "blk0",
		.device_id = VIRTIO_ID_BLOCK,
		.packed = true,
		.socket = self->socket,
		.num_queues = QUEUES,
	};
}

static int create_blk(FIXTURE_DATA(vhost_user) * self)
{
	const struct backend_vhost_user_config config = blk_config(self);

	return backend_vhost_user_create(&self->t.be, &self->t.host, &config, &self->t.err);
}

static int start_blk(FIXTURE_DATA(vhost_user) * self, const FIXTURE_VARIANT(vhost_user) * variant)
{
	int ret = serve_blk(self);

	if (!ret)
		ret = create_blk(self);
	if (!ret)
		ret = t_driver_start(&self->t, variant->features, (1u << QUEUES) - 1);
	return ret ? ret : t_blk_init(&self->blk, &self->t, QUEUES);
}

TEST_F(vhost_user, blk_of_a_process_does_what_it_is_asked_for)
{
	struct virtio_blk_config space;

	ASSERT_EQ(0, start_blk(self, variant)) TH_LOG("%s", self->t.err.msg);
	EXPECT_EQ(variant->features, self->t.features & (PACKED | EVENT_IDX));
	ASSERT_EQ(60, self->t.be->config_size);
	self->t.be->ops->get_config(self->t.be, 0, &space, 60);
	EXPECT_EQ(T_BLK_SECTORS, space.capacity);
	EXPECT_EQ(QUEUES, space.num_queues);
	EXPECT_EQ(0, t_blk_run(&self->blk, 1000));
	EXPECT_EQ(0, t_blk_settle(&self->blk));
	EXPECT_EQ(0, t_blk_verify(&self->blk));
	/* and again, from the beginning */
	t_driver_reset(&self->t);
	ASSERT_EQ(0, t_driver_start(&self->t, variant->features, 7)) TH_LOG("%s", self->t.err.msg);
	EXPECT_EQ(0, t_blk_run(&self->blk, 100));
	EXPECT_EQ(0, t_blk_settle(&self->blk));
	EXPECT_EQ(0, t_blk_verify(&self->blk));
	EXPECT_EQ(0, self->blk.failed);
	EXPECT_EQ(0, self->blk.wrong);
	EXPECT_EQ(0, self->t.failed);
}

TEST_F(vhost_user, blk_that_grows_tells_its_driver)
{
	uint64_t capacity = 0;

	ASSERT_EQ(0, start_blk(self, variant)) TH_LOG("%s", self->t.err.msg);
	ASSERT_EQ(0, truncate(self->disk, 2 * T_BLK_BYTES));
	while (!self->t.config_changed) {
		ASSERT_EQ(0, t_driver_run_once(&self->t));
	}
	self->t.be->ops->get_config(self->t.be, 0, &capacity, sizeof(capacity));
	EXPECT_EQ(2 * T_BLK_SECTORS, capacity);
	/* and the next process, too */
	t_child_kill(&self->child);
	ASSERT_EQ(0, serve_blk(self));
	ASSERT_EQ(0, t_blk_run(&self->blk, 100));
	ASSERT_EQ(0, truncate(self->disk, 3 * T_BLK_BYTES));
	while (self->t.config_changed < 2) {
		ASSERT_EQ(0, t_blk_run(&self->blk, 10));
	}
	self->t.be->ops->get_config(self->t.be, 0, &capacity, sizeof(capacity));
	EXPECT_EQ(3 * T_BLK_SECTORS, capacity);
	EXPECT_EQ(0, t_blk_settle(&self->blk));
	EXPECT_EQ(0, self->blk.failed);
	EXPECT_EQ(0, self->t.failed);
}

TEST_F(vhost_user, blk_that_is_killed_under_load_loses_no_request)
{
	ASSERT_EQ(0, start_blk(self, variant)) TH_LOG("%s", self->t.err.msg);
	for (unsigned int round = 0; round < 10; round++) {
		ASSERT_EQ(0, t_blk_run(&self->blk, 100));
		ASSERT_EQ(0, t_blk_fill(&self->blk));
		ASSERT_EQ(0, kill(self->child.pid, SIGKILL));
		t_child_kill(&self->child);
		ASSERT_EQ(0, serve_blk(self));
	}
	EXPECT_EQ(0, t_blk_run(&self->blk, 100));
	EXPECT_EQ(0, t_blk_settle(&self->blk));
	EXPECT_EQ(0, t_blk_verify(&self->blk));
	EXPECT_EQ(0, self->blk.failed);
	EXPECT_EQ(0, self->blk.wrong);
	EXPECT_EQ(0, self->t.failed) TH_LOG("%s", self->t.failure.msg);
	EXPECT_EQ(10, backend_vhost_user_lost(self->t.be));
	/* that it has gone, and that there is the next one */
	EXPECT_EQ(20, self->t.warned);
	EXPECT_STREQ("blk0: goes on with the next back-end", self->t.warning.msg);
}

TEST_F(vhost_user, blk_that_does_not_come_back_needs_a_reset_and_then_works)
{
	struct backend_vhost_user_config config = blk_config(self);

	config.gone_ms = 50;
	ASSERT_EQ(0, serve_blk(self));
	ASSERT_EQ(0, backend_vhost_user_create(&self->t.be, &self->t.host, &config, &self->t.err))
	{
		TH_LOG("%s", self->t.err.msg);
	}
	ASSERT_EQ(0, t_driver_start(&self->t, variant->features, 7));
	ASSERT_EQ(0, t_blk_init(&self->blk, &self->t, QUEUES));
	ASSERT_EQ(0, t_blk_run(&self->blk, 10));
	t_child_kill(&self->child);
	ASSERT_EQ(0, t_driver_run_until_failed(&self->t));
	EXPECT_NE(NULL, strstr(self->t.failure.msg, "blk0: its back-end was lost: cannot connect"))
	{
		TH_LOG("%s", self->t.failure.msg);
	}
	t_driver_reset(&self->t);
	t_blk_forget(&self->blk);
	/* still not there */
	EXPECT_NE(0, t_driver_start(&self->t, variant->features, 7));
	t_driver_reset(&self->t);
	ASSERT_EQ(0, serve_blk(self));
	ASSERT_EQ(0, t_driver_start(&self->t, variant->features, 7)) TH_LOG("%s", self->t.err.msg);
	EXPECT_EQ(0, t_blk_run(&self->blk, 100));
	EXPECT_EQ(0, t_blk_settle(&self->blk));
	EXPECT_EQ(1, self->t.failed);
}

/* One that is stopped answers no request; the machine has waited once, and goes on. */
TEST_F(vhost_user, blk_that_never_answers_needs_a_reset)
{
	struct backend_vhost_user_config config = blk_config(self);
	const uint8_t wce = 1;

	config.timeout_ms = 100;
	ASSERT_EQ(0, serve_blk(self));
	ASSERT_EQ(0, backend_vhost_user_create(&self->t.be, &self->t.host, &config, &self->t.err));
	ASSERT_EQ(0, t_driver_start(&self->t, variant->features, 7));
	ASSERT_EQ(0, kill(self->child.pid, SIGSTOP));
	self->t.be->ops->set_config(self->t.be, offsetof(struct virtio_blk_config, wce), &wce, 1);
	EXPECT_EQ(0, self->t.failed);
	ASSERT_EQ(0, t_driver_run_until_failed(&self->t));
	EXPECT_NE(NULL, strstr(self->t.failure.msg, "did not reply within 100 ms"))
	{
		TH_LOG("%s", self->t.failure.msg);
	}
	t_driver_reset(&self->t);
	/* it would be asked again, and not answer again */
	EXPECT_EQ(-ETIMEDOUT, t_driver_start(&self->t, variant->features, 7));
	EXPECT_NE(NULL, strstr(self->t.err.msg, "did not reply within 100 ms"))
	{
		TH_LOG("%s", self->t.err.msg);
	}
	t_driver_reset(&self->t);
	EXPECT_EQ(0, kill(self->child.pid, SIGCONT));
}

TEST_F(vhost_user, a_virtqueue_that_the_back_end_does_not_trust_needs_a_reset)
{
	struct vring_buf wild = { .gpa = UINT64_C(1) << 40, .len = 512 };

	ASSERT_EQ(0, start_blk(self, variant)) TH_LOG("%s", self->t.err.msg);
	ASSERT_EQ(0, t_driver_add(&self->t, 1, &wild, 1, 0, 0));
	ASSERT_EQ(0, t_driver_run_until_failed(&self->t));
	EXPECT_NE(NULL, strstr(self->t.failure.msg, "cannot be trusted"));
	t_driver_reset(&self->t);
	ASSERT_EQ(0, t_driver_start(&self->t, variant->features, 7)) TH_LOG("%s", self->t.err.msg);
	EXPECT_EQ(0, t_blk_run(&self->blk, 100));
	EXPECT_EQ(0, t_blk_settle(&self->blk));
}

TEST_F(vhost_user, what_cannot_be_is_said_before_anything_starts)
{
	struct backend_vhost_user_config config = blk_config(self);

	EXPECT_EQ(-ENOENT, create_blk(self));
	EXPECT_NE(NULL, strstr(self->t.err.msg, "blk0: cannot connect to"))
	TH_LOG("%s", self->t.err.msg);
	ASSERT_EQ(0, serve_blk(self));
	config.num_queues = QUEUES + 1;
	EXPECT_EQ(-ENOTSUP,
		  backend_vhost_user_create(&self->t.be, &self->t.host, &config, &self->t.err));
	EXPECT_STREQ("blk0: the back-end has 3 virtqueues, not 4", self->t.err.msg);
	self->t.be = NULL;
}

/* --- net ------------------------------------------------------------------------------ */

#define PAIRS 2u
#define CONTROL (2 * PAIRS)
#define FRAME 60u

static int serve_net(FIXTURE_DATA(vhost_user) * self)
{
	const char *args[] = { "net",	     "--null",	 "--generate", "60", "--socket",
			       self->socket, "--queues", "2",	       NULL };

	return t_backend_start(&self->child, args);
}

static int give(struct t_driver *t, unsigned int pair)
{
	const struct vring_buf buf = { .gpa = t_driver_alloc(t, 128), .len = 128 };

	return t_driver_add(t, 2 * pair, &buf, 0, 1, 0);
}

TEST_F(vhost_user, net_of_two_pairs_goes_on_with_the_next_process)
{
	const struct backend_vhost_user_config config = {
		.name = "net0",
		.device_id = VIRTIO_ID_NET,
		.packed = true,
		.socket = self->socket,
		.net = { .num_pairs = PAIRS, .has_mac = true, .mac = { 2, 0, 0, 0, 0, 1 } },
	};
	const uint64_t features = variant->features | BIT(VIRTIO_NET_F_MQ) |
				  BIT(VIRTIO_NET_F_CTRL_VQ) | BIT(VIRTIO_NET_F_MAC);
	struct virtio_net_config space = { 0 };
	char name[16];

	ASSERT_EQ(0, serve_net(self));
	ASSERT_EQ(0, backend_vhost_user_create(&self->t.be, &self->t.host, &config, &self->t.err))
	{
		TH_LOG("%s", self->t.err.msg);
	}
	ASSERT_EQ(CONTROL + 1, self->t.be->num_queues);
	EXPECT_STREQ("ctrl", self->t.be->queue_name(self->t.be, CONTROL, name));
	self->t.be->ops->get_config(self->t.be, 0, &space, self->t.be->config_size);
	EXPECT_EQ(PAIRS, space.max_virtqueue_pairs);
	EXPECT_EQ(1, space.mac[5]);
	ASSERT_EQ(0, t_driver_start(&self->t, features, 31)) TH_LOG("%s", self->t.err.msg);
	for (unsigned int n = 0; n < 4; n++) {
		ASSERT_EQ(0, give(&self->t, 0));
		ASSERT_EQ(0, give(&self->t, 1));
	}
	ASSERT_EQ(0, t_driver_run_until(&self->t, 0, 4));
	EXPECT_EQ(0, self->t.queues[2].used);
	ASSERT_EQ(0, t_driver_set_pairs(&self->t, CONTROL, 2));
	ASSERT_EQ(0, t_driver_run_until(&self->t, 2, 4));
	EXPECT_EQ(VIRTIO_NET_ERR, t_driver_set_pairs(&self->t, CONTROL, 3));
	/* killed; while there is none the driver goes on adding, and may change its pairs */
	t_child_kill(&self->child);
	ASSERT_EQ(0, give(&self->t, 0));
	ASSERT_EQ(0, give(&self->t, 1));
	EXPECT_EQ(0, t_driver_set_pairs(&self->t, CONTROL, 1));
	EXPECT_EQ(0, t_driver_set_pairs(&self->t, CONTROL, 2));
	ASSERT_EQ(0, serve_net(self));
	ASSERT_EQ(0, t_driver_run_until(&self->t, 0, 5));
	ASSERT_EQ(0, t_driver_run_until(&self->t, 2, 5));
	EXPECT_EQ(12 + FRAME, self->t.queues[2].last_written);
	EXPECT_EQ(1, backend_vhost_user_lost(self->t.be));
	EXPECT_EQ(0, self->t.failed) TH_LOG("%s", self->t.failure.msg);
}

/* --- the others of vringlab backend ---------------------------------------------------- */

TEST_F(vhost_user, rng_of_a_process_fills_buffers)
{
	const char *args[] = { "rng", "--socket", self->socket, NULL };
	const struct backend_vhost_user_config config = {
		.name = "rng0",
		.device_id = VIRTIO_ID_RNG,
		.packed = true,
		.socket = self->socket,
	};
	static const uint8_t zeroes[64];
	const struct vring_buf buf = { .gpa = t_driver_alloc(&self->t, 64), .len = 64 };

	ASSERT_EQ(0, t_backend_start(&self->child, args));
	ASSERT_EQ(0, backend_vhost_user_create(&self->t.be, &self->t.host, &config, &self->t.err))
	{
		TH_LOG("%s", self->t.err.msg);
	}
	EXPECT_EQ(1, self->t.be->num_queues);
	EXPECT_EQ(0, self->t.be->config_size);
	ASSERT_EQ(0, t_driver_start(&self->t, variant->features, 1)) TH_LOG("%s", self->t.err.msg);
	ASSERT_EQ(0, t_driver_add(&self->t, 0, &buf, 0, 1, 0));
	ASSERT_EQ(0, t_driver_run_until(&self->t, 0, 1));
	EXPECT_EQ(64, self->t.queues[0].last_written);
	EXPECT_NE(0, memcmp(zeroes, t_driver_at(&self->t, buf.gpa), 64));
}

TEST_F(vhost_user, console_of_a_process_writes_its_output)
{
	char output[256], got[8] = { 0 };
	const char *args[] = { "console", "--output", output, "--socket", self->socket, NULL };
	const struct backend_vhost_user_config config = {
		.name = "console0",
		.device_id = VIRTIO_ID_CONSOLE,
		.packed = true,
		.socket = self->socket,
	};
	const struct vring_buf buf = { .gpa = t_driver_alloc(&self->t, 64), .len = 5 };
	int fd;

	snprintf(output, sizeof(output), "%s/output", self->dir);
	ASSERT_EQ(0, t_backend_start(&self->child, args));
	ASSERT_EQ(0, backend_vhost_user_create(&self->t.be, &self->t.host, &config, &self->t.err))
	{
		TH_LOG("%s", self->t.err.msg);
	}
	ASSERT_EQ(2, self->t.be->num_queues);
	ASSERT_EQ(0, t_driver_start(&self->t, variant->features, 3)) TH_LOG("%s", self->t.err.msg);
	memcpy(t_driver_at(&self->t, buf.gpa), "hello", 5);
	ASSERT_EQ(0, t_driver_add(&self->t, 1, &buf, 1, 0, 0));
	ASSERT_EQ(0, t_driver_run_until(&self->t, 1, 1));
	fd = open(output, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	EXPECT_EQ(5, read(fd, got, sizeof(got)));
	close(fd);
	EXPECT_STREQ("hello", got);
}

TEST_HARNESS_MAIN
