// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest that writes anything anywhere, at devices of every kind that this ring has:
 * the VMM stays, ends cleanly, and each device works for a driver that comes then.
 *
 * HOSTILE_SEED (1) is of the first guest, HOSTILE_COUNT (600) how much each does.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/virtio_ids.h>

#include <kselftest_harness.h>

#include <vringlab/backend_local.h>
#include <vringlab/backend_vhost_user.h>
#include <vringlab/err.h>
#include <vringlab/loop.h>
#include <vringlab/loop_errand.h>
#include <vringlab/pci.h>
#include <vringlab/vdev_blk.h>
#include <vringlab/vdev_console.h>
#include <vringlab/vdev_net.h>
#include <vringlab/vdev_rng.h>
#include <vringlab/virtio_backend.h>
#include <vringlab/virtio_transport.h>
#include <vringlab/vmm_bus.h>
#include <vringlab/vmm_guest.h>
#include <vringlab/vmm_micro.h>

#include "../../user/guest/hostile.h"
#include "kvm.h"
#include "t.h"
#include "t_backend.h"
#include "t_fds.h"

#define SHARED_GPA 0x10000000u
#define DISK_BYTES (1u << 20)
#define MMIO_GSI 10u
#define GUEST_NS 240000000000ull

#define PCI_DEVICES 5u
#define DEVICES 7u

FIXTURE(hostile)
{
	struct vmm_micro micro;
	struct vmm_guest_io io;
	struct loop *loop;
	struct loop_errands *errands;
	struct pci_bus *bus;
	struct backend_host host;
	unsigned int nr;
	struct virtio_backend *backend[DEVICES];
	struct virtio_transport *transport[DEVICES];
	struct hostile_param *param;
	struct t_child child;
	struct vl_err err;
	char dir[64];
	char disk[96];
	char socket[96];
	unsigned int failures;
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

static uint64_t setting(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : otherwise;
}

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

static void on_failed(void *ctx, const struct virtio_backend *be, const struct vl_err *err)
{
	unsigned int *failures = ctx;

	(void)be;
	(void)err;
	++*failures;
}

static int show(FIXTURE_DATA(hostile) * self)
{
	const struct virtio_transport_config config = {
		.vm = self->micro.vm,
		.loop = self->loop,
		.errands = self->errands,
		.backend = self->backend[self->nr],
		.ops = { .failed = on_failed },
		.ctx = &self->failures,
	};
	unsigned int i = self->nr++;

	if (i < PCI_DEVICES)
		return virtio_pci_create(&self->transport[i], &config, self->bus, i + 1,
					 &self->err);
	i -= PCI_DEVICES;
	return virtio_mmio_create(&self->transport[PCI_DEVICES + i], &config,
				  PC_VIRTIO_MMIO_GPA + i * PC_VIRTIO_MMIO_SIZE, MMIO_GSI + i,
				  &self->err);
}

/* @ret: of making @vdev */
static int add_local(FIXTURE_DATA(hostile) * self, int ret, struct vdev *vdev,
		     void (*destroy)(struct vdev *vdev), uint16_t device_id)
{
	const struct backend_local_config config = {
		.name = "local",
		.device_id = device_id,
		.packed = true,
		.vdev = vdev,
		.destroy = destroy,
	};

	if (!ret)
		ret = backend_local_create(&self->backend[self->nr], &self->host, &config,
					   &self->err);
	return ret ? ret : show(self);
}

static int add_blk(FIXTURE_DATA(hostile) * self, const char *path)
{
	const struct vdev_blk_config config = {
		.path = path,
		.null_size = path ? 0 : DISK_BYTES,
		.num_queues = 3,
	};
	struct vdev *vdev = NULL;
	int ret = vdev_blk_create(&vdev, self->loop, &config, &self->err);

	return add_local(self, ret, vdev, vdev_blk_destroy, VIRTIO_ID_BLOCK);
}

static int add_net(FIXTURE_DATA(hostile) * self)
{
	const struct vdev_net_config config = { .generate = 600, .num_pairs = 2 };
	struct vdev *vdev = NULL;
	int ret = vdev_net_create(&vdev, self->loop, &config, &self->err);

	return add_local(self, ret, vdev, vdev_net_destroy, VIRTIO_ID_NET);
}

static int add_rng(FIXTURE_DATA(hostile) * self)
{
	struct vdev *vdev = NULL;
	int ret = vdev_rng_create(&vdev, self->loop, &self->err);

	return add_local(self, ret, vdev, vdev_rng_destroy, VIRTIO_ID_RNG);
}

static int add_console(FIXTURE_DATA(hostile) * self)
{
	const struct vdev_console_config config = {
		.in_fd = open("/dev/zero", O_RDONLY | O_CLOEXEC),
		.out_fd = open("/dev/null", O_WRONLY | O_CLOEXEC),
	};
	struct vdev *vdev = NULL;
	int ret = vdev_console_create(&vdev, self->loop, &config, &self->err);

	return add_local(self, ret, vdev, vdev_console_destroy, VIRTIO_ID_CONSOLE);
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
	int ret = t_backend_start(&self->child, args);

	if (!ret)
		ret = backend_vhost_user_create(&self->backend[self->nr], &self->host, &config,
						&self->err);
	return ret ? ret : show(self);
}

static int add_all(FIXTURE_DATA(hostile) * self)
{
	int ret = add_blk(self, self->disk);

	if (!ret)
		ret = add_net(self);
	if (!ret)
		ret = add_rng(self);
	if (!ret)
		ret = add_console(self);
	if (!ret)
		ret = add_vhost_user(self);
	if (!ret)
		ret = add_blk(self, NULL);
	return ret ? ret : add_rng(self);
}

static void write_param(FIXTURE_DATA(hostile) * self, uint64_t seed)
{
	self->param = self->micro.param;
	*self->param = (struct hostile_param){
		.head = {
			.magic = HOSTILE_MAGIC,
			.version = HOSTILE_VERSION,
			.size = sizeof(*self->param),
		},
		.seed = setting("HOSTILE_SEED", 1) + seed,
		.count = setting("HOSTILE_COUNT", 600),
		.shared_gpa = SHARED_GPA,
		.ecam_gpa = PC_ECAM_GPA,
		.mmio_gpa = PC_VIRTIO_MMIO_GPA,
		.window_gpa = PC_PCI_WINDOW_GPA,
		.window_size = PC_PCI_WINDOW_SIZE,
		.nr_pci = PCI_DEVICES,
		.nr_mmio = DEVICES - PCI_DEVICES,
	};
}

/* What the guest itself needs the devices cannot reach: they have the rest. */
static int create_vm(FIXTURE_DATA(hostile) * self)
{
	const struct vmm_memory *shared;
	int ret = vmm_micro_create(&self->micro, NULL, VMM_MICRO_MEMORY_MIN, VMM_IRQCHIP_PC,
				   &self->err);

	if (!ret)
		ret = vmm_memory_add(self->micro.vm, SHARED_GPA, HOSTILE_SHARED_BYTES, &shared,
				     &self->err);
	backend_host_init(&self->host, self->loop);
	if (!ret)
		ret = backend_host_add(&self->host, shared, &self->err);
	if (!ret)
		ret = pci_bus_create(&self->bus, self->micro.vm, &self->err);
	return ret;
}

FIXTURE_SETUP(hostile)
{
	int ret;

	memset(self, 0, sizeof(*self));
	self->child = (struct t_child)T_CHILD_NONE;
	REQUIRE_KVM();
	self->fds_before = t_fds_count(0);
	ret = loop_create(&self->loop, &self->err);
	if (ret == -EPERM || ret == -ENOSYS)
		SKIP(return, "%s", self->err.msg);
	ASSERT_EQ(0, ret) TH_LOG("%s", self->err.msg);
	ASSERT_EQ(0, loop_errands_create(&self->errands, self->loop, &self->err));
	ASSERT_EQ(0, make_disk(self));
	ASSERT_EQ(0, create_vm(self)) TH_LOG("%s", self->err.msg);
	ASSERT_EQ(0, add_all(self)) TH_LOG("%s", self->err.msg);
	ASSERT_EQ(DEVICES, self->nr);
	write_param(self, variant->seed);
	ASSERT_EQ(0, vmm_micro_add_vcpu(&self->micro, "hostile", &self->err));
	self->io = (struct vmm_guest_io){ .console_fd = -1, .bus = self->micro.vm };
}

FIXTURE_TEARDOWN(hostile)
{
	if (!self->loop)
		return;
	for (unsigned int i = self->nr; i-- > 0;) {
		virtio_transport_destroy(self->transport[i]);
		self->backend[i]->ops->destroy(self->backend[i]);
	}
	pci_bus_destroy(self->bus);
	vmm_micro_destroy(&self->micro);
	loop_errands_destroy(self->errands);
	loop_destroy(self->loop);
	t_child_kill(&self->child);
	t_tmpdir_remove(self->dir);
	EXPECT_EQ(self->fds_before, t_fds_count(0));
}

static void on_done(void *ctx, int res)
{
	(void)res;
	loop_stop(ctx);
}

/* Until the guest has ended, or may no longer run. */
static int run(FIXTURE_DATA(hostile) * self, struct vmm_vcpu_result *result)
{
	struct loop_op *done = NULL, *late = NULL;
	int ret = loop_poll(self->loop, vmm_vcpu_done_fd(self->micro.vcpu), POLLIN, on_done,
			    self->loop, &done);

	if (!ret)
		ret = loop_timer(self->loop, GUEST_NS, on_done, self->loop, &late);
	if (!ret)
		ret = vmm_vcpu_start(self->micro.vcpu, vmm_guest_exit, &self->io, &self->err);
	if (ret)
		return ret;
	ret = loop_run(self->loop);
	loop_op_remove(&done);
	loop_op_remove(&late);
	loop_errands_close(self->errands);
	vmm_vcpu_stop(self->micro.vcpu);
	vmm_vcpu_join(self->micro.vcpu, result);
	return ret;
}

TEST_F_TIMEOUT(hostile, guest_breaks_nothing, 300)
{
	struct vmm_vcpu_result result;

	ASSERT_EQ(0, run(self, &result)) TH_LOG("%s", self->err.msg);
	TH_LOG("seed %" PRIu64 ": %" PRIu64 " done, %" PRIu64 " starts, %" PRIu64
	       " refused, %u failures, %" PRIu64 " exits",
	       self->param->seed, self->param->done, self->param->starts, self->param->refused,
	       self->failures, result.exits);
	EXPECT_EQ(VMM_END_GUEST, result.end) TH_LOG("%s", result.err.msg);
	EXPECT_EQ(0, vmm_micro_check(&self->micro, self->io.status, &self->err))
	{
		TH_LOG("%s", self->err.msg);
	}
	EXPECT_EQ(self->param->count, self->param->done);
	EXPECT_EQ((1u << DEVICES) - 1, self->param->works);
	/* there was something to break, and some of it was */
	EXPECT_LT(0u, self->param->starts);
	EXPECT_LT(0u, self->failures);
	/* the back-end process has survived it, too */
	EXPECT_EQ(-ETIMEDOUT, t_child_wait(&self->child, 0));
}

TEST_HARNESS_MAIN
