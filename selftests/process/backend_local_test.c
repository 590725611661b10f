// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices served in the VMM, driven as a guest would: that what is asked for is done,
 * that nothing touches the guest's memory after a reset, and that a driver that breaks
 * its rings ends nothing but its device.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <unistd.h>

#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_net.h>

#include <vringlab/backend_local.h>
#include <vringlab/vdev_blk.h>
#include <vringlab/vdev_loopback.h>
#include <vringlab/vdev_net.h>
#include <vringlab/virtio_device.h>

#include "kselftest_harness.h"
#include "t.h"
#include "t_blk.h"
#include "t_fds.h"
#include "t_driver.h"

#define BIT(bit) (UINT64_C(1) << (bit))
#define PACKED BIT(VIRTIO_F_RING_PACKED)
#define EVENT_IDX BIT(VIRTIO_RING_F_EVENT_IDX)

FIXTURE(local)
{
	struct t_driver t;
	struct t_blk blk;
	char dir[64];
	char path[256];
	int fds_before;
};

FIXTURE_VARIANT(local)
{
	uint64_t features;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(local, split) { };
FIXTURE_VARIANT_ADD(local, split_event_idx) { .features = EVENT_IDX };
FIXTURE_VARIANT_ADD(local, packed) { .features = PACKED };
FIXTURE_VARIANT_ADD(local, packed_event_idx) { .features = PACKED | EVENT_IDX };
/* clang-format on */

FIXTURE_SETUP(local)
{
	int ret;

	memset(self, 0, sizeof(*self));
	self->fds_before = t_fds_count(getpid());
	ASSERT_EQ(0, t_tmpdir_create(self->dir));
	ret = t_driver_init(&self->t);
	if (ret == -EPERM || ret == -ENOSYS)
		SKIP(return, "io_uring is disabled: set kernel.io_uring_disabled=0");
	ASSERT_EQ(0, ret) TH_LOG("%s", self->t.err.msg);
}

FIXTURE_TEARDOWN(local)
{
	t_driver_exit(&self->t);
	t_blk_exit(&self->blk);
	t_tmpdir_remove(self->dir);
	EXPECT_EQ(self->fds_before, t_fds_count(getpid()));
}

/* A disk of zeroes. */
static int create_blk(struct t_driver *t, const char *path, unsigned int num_queues, bool direct)
{
	const struct vdev_blk_config config = {
		.path = path,
		.num_queues = num_queues,
		.direct = direct,
	};
	struct vdev *vdev;
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	int ret = fd < 0 || ftruncate(fd, T_BLK_BYTES) ? -errno : 0;

	close(fd);
	if (!ret)
		ret = vdev_blk_create(&vdev, t->loop, &config, &t->err);
	return ret ? ret :
		     t_driver_create_local(t, vdev, vdev_blk_destroy, VIRTIO_ID_BLOCK, "blk0");
}

static int start_blk(FIXTURE_DATA(local) * self, const FIXTURE_VARIANT(local) * variant,
		     unsigned int num_queues, bool direct)
{
	int ret;

	snprintf(self->path, sizeof(self->path), "%s/disk", self->dir);
	ret = create_blk(&self->t, self->path, num_queues, direct);
	if (!ret)
		ret = t_driver_start(&self->t, variant->features, (1u << num_queues) - 1);
	return ret ? ret : t_blk_init(&self->blk, &self->t, num_queues);
}

TEST_F(local, what_is_written_is_read)
{
	ASSERT_EQ(0, start_blk(self, variant, 3, false)) TH_LOG("%s", self->t.err.msg);
	ASSERT_EQ(0, t_blk_run(&self->blk, 2000));
	ASSERT_EQ(0, t_blk_settle(&self->blk));
	EXPECT_EQ(0, t_blk_verify(&self->blk));
	EXPECT_EQ(0, self->blk.failed);
	EXPECT_EQ(0, self->blk.wrong);
	EXPECT_EQ(0, self->t.failed);
	EXPECT_LT(0, self->t.queues[0].calls);
	EXPECT_LT(0, self->t.queues[2].calls);
}

/* What is under way at a reset is over when it returns, whatever else is on the loop. */
TEST_F(local, after_a_reset_nothing_is_written_and_the_device_starts_again)
{
	int ret = start_blk(self, variant, 2, true);

	if (ret == -EINVAL)
		SKIP(return, "%s has no O_DIRECT: set TMPDIR to a file system that has", self->dir);
	ASSERT_EQ(0, ret) TH_LOG("%s", self->t.err.msg);
	for (unsigned int round = 0; round < 20; round++) {
		unsigned int touched = 0;

		ASSERT_EQ(0, t_blk_run(&self->blk, 20));
		ASSERT_EQ(0, t_blk_fill(&self->blk));
		/* so that some have begun */
		ASSERT_EQ(0, loop_run_once(self->t.loop, loop_now_ns() + 1000000000));
		t_driver_reset(&self->t);
		t_blk_forget(&self->blk);
		for (unsigned int i = 0; i < T_BLK_DEPTH; i++)
			memset(t_driver_at(&self->t, self->blk.slots[i].data), 0x5a, T_BLK_PART);
		while (!loop_run_once(self->t.loop, loop_now_ns() + 1000000))
			;
		for (unsigned int i = 0; i < T_BLK_DEPTH; i++) {
			const uint8_t *data = t_driver_at(&self->t, self->blk.slots[i].data);

			for (unsigned int n = 0; n < T_BLK_PART; n++)
				touched += data[n] != 0x5a;
		}
		EXPECT_EQ(0, touched);
		self->t.brk[0] += 4096;
		ASSERT_EQ(0, t_driver_start(&self->t, variant->features, 3));
	}
	EXPECT_EQ(0, self->blk.failed);
	EXPECT_EQ(0, self->t.failed);
}

struct handler {
	struct t_driver *t;
	int efd;
	unsigned int seen;
	unsigned int seen_inside;
	bool ran;
};

static void see(void *ctx, int res)
{
	struct handler *h = ctx;

	h->seen++;
}

static void reset_inside(void *ctx, int res)
{
	struct handler *h = ctx;
	unsigned int before = h->seen;

	for (unsigned int i = 0; i < 100; i++)
		eventfd_write(h->efd, 1);
	t_driver_reset(h->t);
	h->seen_inside = h->seen - before;
	h->ran = true;
}

TEST_F(local, a_reset_inside_of_a_handler_runs_no_other_handler_and_loses_no_event)
{
	struct handler h = { .t = &self->t, .efd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) };
	struct loop_op *timer = NULL, *watch = NULL;
	unsigned int before;
	int ret = start_blk(self, variant, 2, true);

	if (ret == -EINVAL) {
		close(h.efd);
		SKIP(return, "%s has no O_DIRECT: set TMPDIR to a file system that has", self->dir);
	}
	ASSERT_EQ(0, ret) TH_LOG("%s", self->t.err.msg);
	ASSERT_EQ(0, loop_poll(self->t.loop, h.efd, POLLIN, see, &h, &watch));
	ASSERT_EQ(0, loop_timer(self->t.loop, 0, reset_inside, &h, &timer));
	ASSERT_EQ(0, t_blk_fill(&self->blk));
	before = h.seen;
	while (!h.ran) {
		ASSERT_EQ(0, loop_run_once(self->t.loop, loop_now_ns() + 10000000000));
	}
	while (h.seen == before) {
		ASSERT_EQ(0, loop_run_once(self->t.loop, loop_now_ns() + 10000000000));
	}
	EXPECT_EQ(0, h.seen_inside);
	loop_op_remove(&watch);
	close(h.efd);
}

TEST_F(local, a_full_disk_is_an_error_of_the_request_and_no_more)
{
	const struct vdev_blk_config config = { .path = self->path, .num_queues = 1 };
	struct vdev *vdev;
	int fd;

	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("tmpfs", self->dir, "tmpfs", 0, "size=128k"))
		SKIP(return, "needs a mount namespace of its own: run as root");
	snprintf(self->path, sizeof(self->path), "%s/disk", self->dir);
	fd = open(self->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ASSERT_EQ(0, ftruncate(fd, T_BLK_BYTES));
	close(fd);
	ASSERT_EQ(0, vdev_blk_create(&vdev, self->t.loop, &config, &self->t.err));
	ASSERT_EQ(0,
		  t_driver_create_local(&self->t, vdev, vdev_blk_destroy, VIRTIO_ID_BLOCK, "blk0"));
	ASSERT_EQ(0, t_driver_start(&self->t, variant->features, 1));
	ASSERT_EQ(0, t_blk_init(&self->blk, &self->t, 1));
	EXPECT_EQ(VIRTIO_BLK_S_OK, t_blk_request(&self->blk, VIRTIO_BLK_T_OUT, 0, 4096));
	EXPECT_EQ(0, self->t.warned);
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, t_blk_request(&self->blk, VIRTIO_BLK_T_OUT, 0, 1u << 20));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, t_blk_request(&self->blk, VIRTIO_BLK_T_OUT, 0, 1u << 20));
	EXPECT_EQ(1, self->t.warned);
	EXPECT_STREQ("blk0: requests fail: No space left on device", self->t.warning.msg);
	EXPECT_EQ(VIRTIO_BLK_S_OK, t_blk_request(&self->blk, VIRTIO_BLK_T_IN, 0, 4096));
	EXPECT_EQ(0, self->t.failed);
	self->t.be->ops->stop(self->t.be);
	self->t.be->ops->destroy(self->t.be);
	self->t.be = NULL;
	EXPECT_EQ(0, umount(self->dir));
}

/* Whoever finds out first: a request, or the look at the file now and then. */
TEST_F(local, a_file_that_is_truncated_is_an_error_of_what_was_behind)
{
	ASSERT_EQ(0, start_blk(self, variant, 1, false));
	ASSERT_EQ(0, truncate(self->path, 8192));
	EXPECT_EQ(VIRTIO_BLK_S_OK, t_blk_request(&self->blk, VIRTIO_BLK_T_IN, 0, 8192));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, t_blk_request(&self->blk, VIRTIO_BLK_T_IN, 4096, 8192));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, t_blk_request(&self->blk, VIRTIO_BLK_T_IN, 65536, 512));
	EXPECT_EQ(1, self->t.warned);
	EXPECT_STREQ("blk0: the file has become shorter: what was behind is lost",
		     self->t.warning.msg);
	EXPECT_EQ(0, self->t.failed);
}

TEST_F(local, a_driver_that_breaks_its_ring_ends_its_device_until_it_resets_it)
{
	struct vring_buf wild = { .gpa = UINT64_C(1) << 40, .len = 512 };

	ASSERT_EQ(0, start_blk(self, variant, 2, false)) TH_LOG("%s", self->t.err.msg);
	ASSERT_EQ(0, t_driver_add(&self->t, 1, &wild, 1, 0, 0));
	ASSERT_EQ(0, t_driver_run_until_failed(&self->t));
	EXPECT_STREQ("the contents of blk0.q1 cannot be trusted: Bad address", self->t.failure.msg);
	/* told once, and the other virtqueue does not bring the machine down either */
	ASSERT_EQ(0, t_driver_add(&self->t, 0, &wild, 1, 0, 0));
	while (!loop_run_once(self->t.loop, loop_now_ns() + 1000000))
		;
	EXPECT_EQ(1, self->t.failed);
	t_driver_reset(&self->t);
	ASSERT_EQ(0, t_driver_start(&self->t, variant->features, 3));
	EXPECT_EQ(0, t_blk_run(&self->blk, 100));
	EXPECT_EQ(0, t_blk_settle(&self->blk));
	EXPECT_EQ(0, self->blk.failed);
}

TEST_F(local, a_virtqueue_that_is_not_in_memory_is_refused_by_name)
{
	struct virtio_queue q = { .enabled = true, .size = 128, .kick_fd = -1, .call_fd = -1 };

	ASSERT_EQ(0, start_blk(self, variant, 1, false)) TH_LOG("%s", self->t.err.msg);
	t_driver_reset(&self->t);
	q.desc_gpa = T_DRIVER_PIECE_BYTES;
	q.driver_gpa = 0x1000;
	q.device_gpa = 0x2000;
	EXPECT_EQ(-EFAULT,
		  self->t.be->ops->start(self->t.be, self->t.features, &q, 1, &self->t.err));
	EXPECT_NE(NULL, strstr(self->t.err.msg, "blk0.q0 of 128 entries"));
	q.desc_gpa = 0x1001;
	EXPECT_EQ(-EINVAL,
		  self->t.be->ops->start(self->t.be, self->t.features, &q, 1, &self->t.err));
	self->t.be->ops->stop(self->t.be);
}

TEST_F(local, packed_is_offered_only_where_it_was_asked_for)
{
	const struct backend_local_config config = {
		.name = "loopback0",
		.queue_size = 64,
		.destroy = vdev_loopback_destroy,
	};
	struct backend_local_config with_vdev = config;

	ASSERT_EQ(0, vdev_loopback_create(&with_vdev.vdev, 1, NULL));
	ASSERT_EQ(0, backend_local_create(&self->t.be, &self->t.host, &with_vdev, NULL));
	EXPECT_EQ(0, self->t.be->features & PACKED);
	EXPECT_EQ(BIT(VIRTIO_F_VERSION_1), self->t.be->features & BIT(VIRTIO_F_VERSION_1));
	EXPECT_EQ(64, self->t.be->queue_size_max);
}

/* --- net: the control virtqueue ----------------------------------------------------- */

#define PAIRS 3u
#define CONTROL (2 * PAIRS)
#define FRAME 60u

static int start_net(struct t_driver *t, uint64_t features)
{
	const struct vdev_net_config config = { .num_pairs = PAIRS, .generate = FRAME };
	struct vdev *vdev;
	int ret = vdev_net_create(&vdev, t->loop, &config, &t->err);

	if (!ret)
		ret = t_driver_create_local(t, vdev, vdev_net_destroy, VIRTIO_ID_NET, "net0");
	if (ret)
		return ret;
	features |= BIT(VIRTIO_NET_F_CTRL_VQ) | BIT(VIRTIO_NET_F_MQ);
	return t_driver_start(t, features, (1u << (CONTROL + 1)) - 1);
}

/* A command and its answer, in one buffer or a byte at a time. */
static int control(struct t_driver *t, uint8_t class, uint8_t cmd, uint16_t value, bool cut)
{
	uint64_t gpa = t_driver_alloc(t, 5);
	uint8_t *bytes = t_driver_at(t, gpa);
	struct vring_buf bufs[5];
	uint64_t used = t->queues[CONTROL].used;
	int ret;

	bytes[0] = class;
	bytes[1] = cmd;
	bytes[2] = value & 0xff;
	bytes[3] = value >> 8;
	bytes[4] = 0xee;
	for (unsigned int i = 0; i < 5; i++)
		bufs[i] = (struct vring_buf){ .gpa = gpa + i, .len = 1 };
	if (!cut) {
		bufs[0].len = 4;
		bufs[1] = bufs[4];
	}
	ret = t_driver_add(t, CONTROL, bufs, cut ? 4 : 1, 1, 0);
	if (!ret)
		ret = t_driver_run_until(t, CONTROL, used + 1);
	return ret ? ret : bytes[4];
}

static int give(struct t_driver *t, unsigned int pair)
{
	const struct vring_buf buf = { .gpa = t_driver_alloc(t, 2048), .len = 2048 };

	return t_driver_add(t, 2 * pair, &buf, 0, 1, 0);
}

TEST_F(local, net_uses_the_pairs_that_its_driver_asks_for)
{
	char name[16];

	ASSERT_EQ(0, start_net(&self->t, variant->features)) TH_LOG("%s", self->t.err.msg);
	EXPECT_STREQ("ctrl", self->t.be->queue_name(self->t.be, CONTROL, name));
	EXPECT_STREQ("tx1", self->t.be->queue_name(self->t.be, 3, name));
	for (unsigned int pair = 0; pair < PAIRS; pair++) {
		ASSERT_EQ(0, give(&self->t, pair));
	}
	ASSERT_EQ(0, t_driver_run_until(&self->t, 0, 1));
	EXPECT_EQ(0, self->t.queues[2].used);
	EXPECT_EQ(VIRTIO_NET_OK,
		  control(&self->t, VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, 2, false));
	ASSERT_EQ(0, t_driver_run_until(&self->t, 2, 1));
	EXPECT_EQ(sizeof(struct virtio_net_hdr_v1) + FRAME, self->t.queues[2].last_written);
	EXPECT_EQ(0, self->t.queues[4].used);
	EXPECT_EQ(VIRTIO_NET_OK, control(&self->t, VIRTIO_NET_CTRL_MQ,
					 VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, PAIRS, true));
	ASSERT_EQ(0, t_driver_run_until(&self->t, 4, 1));
	/* and after a reset it is one again */
	t_driver_reset(&self->t);
	ASSERT_EQ(0, t_driver_start(&self->t, self->t.features, (1u << (CONTROL + 1)) - 1));
	ASSERT_EQ(0, give(&self->t, 1));
	ASSERT_EQ(0, give(&self->t, 0));
	ASSERT_EQ(0, t_driver_run_until(&self->t, 0, 1));
	EXPECT_EQ(0, self->t.queues[2].used);
}

TEST_F(local, net_refuses_other_commands_and_goes_on)
{
	const struct {
		uint8_t class;
		uint8_t cmd;
		uint16_t value;
	} bad[] = {
		{ VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, 0 },
		{ VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, PAIRS + 1 },
		{ VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, 0x8000 },
		{ VIRTIO_NET_CTRL_MQ, 77, 1 },
		{ VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, 1 },
		{ 0xff, 0xff, 0xffff },
	};
	const struct vring_buf odd = { .gpa = t_driver_alloc(&self->t, 64), .len = 1 };
	uint64_t used;

	ASSERT_EQ(0, start_net(&self->t, variant->features)) TH_LOG("%s", self->t.err.msg);
	for (unsigned int n = 0; n < sizeof(bad) / sizeof(bad[0]); n++) {
		EXPECT_EQ(VIRTIO_NET_ERR,
			  control(&self->t, bad[n].class, bad[n].cmd, bad[n].value, n & 1))
		{
			TH_LOG("command %u", n);
		}
	}
	/* nothing to answer to, and nothing to read */
	used = self->t.queues[CONTROL].used;
	ASSERT_EQ(0, t_driver_add(&self->t, CONTROL, &odd, 1, 0, 0));
	ASSERT_EQ(0, t_driver_add(&self->t, CONTROL, &odd, 0, 1, 0));
	ASSERT_EQ(0, t_driver_run_until(&self->t, CONTROL, used + 2));
	EXPECT_EQ(VIRTIO_NET_OK,
		  control(&self->t, VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, 1, false));
	EXPECT_EQ(0, self->t.failed);
}

TEST_HARNESS_MAIN
