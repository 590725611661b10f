// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest that writes anything anywhere, at devices of every kind that this ring has:
 * the VMM stays, ends cleanly, and each device works for a driver that comes then.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <linux/virtio_ids.h>

#include <kselftest_harness.h>

#include <vringlab/backend_local.h>
#include <vringlab/backend_vhost_user.h>
#include <vringlab/vdev_blk.h>
#include <vringlab/vdev_console.h>
#include <vringlab/vdev_net.h>
#include <vringlab/vdev_rng.h>

#include "kvm.h"
#include "t.h"
#include "t_backend.h"
#include "t_fds.h"
#include "t_hostile.h"

#define DISK_BYTES (1u << 20)

FIXTURE(hostile)
{
	struct t_hostile h;
	struct t_child child;
	char dir[64];
	char disk[96];
	char socket[96];
	int fds_before;
};

FIXTURE_VARIANT(hostile)
{
	uint64_t seed;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(hostile, first) { .seed = 0 };
FIXTURE_VARIANT_ADD(hostile, second) { .seed = 1 };
FIXTURE_VARIANT_ADD(hostile, third) { .seed = 2 };
/* clang-format on */

typedef int add_fn(struct t_hostile *h, struct virtio_backend *be);

static int make_disk(FIXTURE_DATA(hostile) * self)
{
	int ret = t_tmpdir_create(self->dir);
	int fd;

	if (ret)
		return ret;
	snprintf(self->disk, sizeof(self->disk), "%s/disk", self->dir);
	snprintf(self->socket, sizeof(self->socket), "%s/socket", self->dir);
	fd = open(self->disk, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ret = fd < 0 || ftruncate(fd, DISK_BYTES) ? -errno : 0;
	if (fd >= 0)
		close(fd);
	return ret;
}

/* @ret: of making @vdev */
static int add_local(struct t_hostile *h, add_fn *add, int ret, struct vdev *vdev,
		     void (*destroy)(struct vdev *vdev), uint16_t device_id)
{
	const struct backend_local_config config = {
		.name = "local",
		.device_id = device_id,
		.packed = true,
		.vdev = vdev,
		.destroy = destroy,
	};
	struct virtio_backend *be;

	if (!ret)
		ret = backend_local_create(&be, &h->host, &config, &h->err);
	return ret ? ret : add(h, be);
}

static int add_blk(struct t_hostile *h, add_fn *add, const char *path)
{
	const struct vdev_blk_config config = {
		.path = path,
		.null_size = path ? 0 : DISK_BYTES,
		.num_queues = 3,
	};
	struct vdev *vdev = NULL;
	int ret = vdev_blk_create(&vdev, h->loop, &config, &h->err);

	return add_local(h, add, ret, vdev, vdev_blk_destroy, VIRTIO_ID_BLOCK);
}

static int add_net(struct t_hostile *h)
{
	const struct vdev_net_config config = { .generate = 600, .num_pairs = 2 };
	struct vdev *vdev = NULL;
	int ret = vdev_net_create(&vdev, h->loop, &config, &h->err);

	return add_local(h, t_hostile_add_pci, ret, vdev, vdev_net_destroy, VIRTIO_ID_NET);
}

static int add_rng(struct t_hostile *h, add_fn *add)
{
	struct vdev *vdev = NULL;
	int ret = vdev_rng_create(&vdev, h->loop, &h->err);

	return add_local(h, add, ret, vdev, vdev_rng_destroy, VIRTIO_ID_RNG);
}

static int add_console(struct t_hostile *h)
{
	const struct vdev_console_config config = {
		.in_fd = open("/dev/zero", O_RDONLY | O_CLOEXEC),
		.out_fd = open("/dev/null", O_WRONLY | O_CLOEXEC),
	};
	struct vdev *vdev = NULL;
	int ret = vdev_console_create(&vdev, h->loop, &config, &h->err);

	return add_local(h, t_hostile_add_pci, ret, vdev, vdev_console_destroy, VIRTIO_ID_CONSOLE);
}

static int add_vhost_user(FIXTURE_DATA(hostile) * self)
{
	const char *args[] = { "blk",	     "--null-size", "1M", "--socket",
			       self->socket, "--queues",    "3",  NULL };
	const struct backend_vhost_user_config config = {
		.name = "user",
		.device_id = VIRTIO_ID_BLOCK,
		.packed = true,
		.socket = self->socket,
		.num_queues = 3,
	};
	struct virtio_backend *be;
	int ret = t_backend_start(&self->child, args);

	if (!ret)
		ret = backend_vhost_user_create(&be, &self->h.host, &config, &self->h.err);
	return ret ? ret : t_hostile_add_pci(&self->h, be);
}

static int add_all(FIXTURE_DATA(hostile) * self)
{
	struct t_hostile *h = &self->h;
	int ret = add_blk(h, t_hostile_add_pci, self->disk);

	if (!ret)
		ret = add_net(h);
	if (!ret)
		ret = add_rng(h, t_hostile_add_pci);
	if (!ret)
		ret = add_console(h);
	if (!ret)
		ret = add_vhost_user(self);
	if (!ret)
		ret = add_blk(h, t_hostile_add_mmio, NULL);
	return ret ? ret : add_rng(h, t_hostile_add_mmio);
}

FIXTURE_SETUP(hostile)
{
	int ret;

	memset(self, 0, sizeof(*self));
	self->child = (struct t_child)T_CHILD_NONE;
	REQUIRE_KVM();
	self->fds_before = t_fds_count(0);
	ret = t_hostile_init(&self->h);
	if (ret == -EPERM || ret == -ENOSYS)
		SKIP(return, "%s", self->h.err.msg);
	ASSERT_EQ(0, ret) TH_LOG("%s", self->h.err.msg);
	ASSERT_EQ(0, make_disk(self));
	ASSERT_EQ(0, add_all(self)) TH_LOG("%s", self->h.err.msg);
}

FIXTURE_TEARDOWN(hostile)
{
	if (!self->h.loop)
		return;
	t_hostile_exit(&self->h);
	t_child_kill(&self->child);
	t_tmpdir_remove(self->dir);
	EXPECT_EQ(self->fds_before, t_fds_count(0));
}

TEST_F_TIMEOUT(hostile, guest_breaks_nothing, T_HOSTILE_TIMEOUT_S)
{
	struct t_hostile *h = &self->h;

	EXPECT_EQ(0, t_hostile_run(h, variant->seed)) TH_LOG("%s", h->err.msg);
	TH_LOG("%" PRIu64 " starts, %" PRIu64 " refused, %u failures", h->param->starts,
	       h->param->refused, h->failures);
	/* there was something to break, and some of it was */
	EXPECT_LT(0u, h->param->starts);
	EXPECT_LT(0u, h->failures);
	/* the back-end process has survived it, too */
	EXPECT_EQ(-ETIMEDOUT, t_child_wait(&self->child, 0));
}

TEST_HARNESS_MAIN
