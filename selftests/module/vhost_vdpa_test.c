// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost-vdpa: a virtqueue whose device is in user space (VDUSE), kicked and
 * interrupted in known numbers. vhost has no worker there: who kicks runs the handler
 * himself, inside the signal.
 */
#include <linux/vhost.h>
#include <sys/ioctl.h>

#include "t_vduse.h"
#include "vhost.h"

#define NUM 256
#define ROUNDS 30

/* clang-format off */
FIXTURE(vdpa) {
	struct t_genl g;
	struct t_vduse dev;
	struct t_vring vring;
	struct t_stats s;
	int vhost;
	int kick;
	int call;
	void *ring;
};

/* clang-format on */

static void set_status(struct __test_metadata *_metadata, FIXTURE_DATA(vdpa) * self, uint8_t status)
{
	ASSERT_EQ(0, ioctl(self->vhost, VHOST_VDPA_SET_STATUS, &status))
	{
		TH_LOG("VHOST_VDPA_SET_STATUS %#x: %s", status, strerror(errno));
	}
}

static void set_fd(struct __test_metadata *_metadata, FIXTURE_DATA(vdpa) * self,
		   unsigned long request, int fd)
{
	struct vhost_vring_file file = { .fd = fd };

	ASSERT_EQ(0, ioctl(self->vhost, request, &file));
}

/* All that a driver does before it uses the virtqueue. The ring stays empty. */
static void start(struct __test_metadata *_metadata, FIXTURE_DATA(vdpa) * self)
{
	const uint8_t begun = VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER;
	const uint8_t agreed = begun | VIRTIO_CONFIG_S_FEATURES_OK;
	struct vhost_vring_state state = { .num = NUM };
	struct vhost_vring_addr addr = { 0 };
	uint64_t features;

	ASSERT_EQ(0, ioctl(self->vhost, VHOST_SET_OWNER, NULL));
	set_status(_metadata, self, begun);
	ASSERT_EQ(0, ioctl(self->vhost, VHOST_GET_FEATURES, &features));
	ASSERT_EQ(0, ioctl(self->vhost, VHOST_SET_FEATURES, &features));
	set_status(_metadata, self, agreed);
	ASSERT_EQ(0, ioctl(self->vhost, VHOST_SET_VRING_NUM, &state));
	state.num = 0;
	ASSERT_EQ(0, ioctl(self->vhost, VHOST_SET_VRING_BASE, &state));
	ASSERT_EQ(0, ioctl(self->vhost, VHOST_SET_VRING_ADDR, &addr));
	set_fd(_metadata, self, VHOST_SET_VRING_KICK, self->kick);
	set_fd(_metadata, self, VHOST_SET_VRING_CALL, self->call);
	state.num = 1;
	ASSERT_EQ(0, ioctl(self->vhost, VHOST_VDPA_SET_VRING_ENABLE, &state));
	set_status(_metadata, self, agreed | VIRTIO_CONFIG_S_DRIVER_OK);
}

FIXTURE_SETUP(vdpa)
{
	int ret;

	self->vhost = -1;
	self->dev.control = -1;
	OPEN_OR_SKIP(&self->g);
	if (t_kmod_modprobe("vhost_vdpa") || t_kmod_modprobe("vduse"))
		SKIP(return, "needs a kernel with vhost_vdpa and vduse");
	ret = t_vduse_open(&self->dev, NUM);
	ASSERT_EQ(0, ret)
	{
		TH_LOG("a VDUSE device: %s", strerror(-ret));
	}
	tell_layout(_metadata);
	ASSERT_EQ(0, t_discover_set(&self->g, true, false));
	self->vhost = open(self->dev.vhost, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->vhost)
	{
		TH_LOG("%s: %s", self->dev.vhost, strerror(errno));
	}
	self->kick = new_eventfd(_metadata, 0);
	self->call = new_eventfd(_metadata, EFD_NONBLOCK);
	start(_metadata, self);
	ASSERT_TRUE(EVENTUALLY(is_ready(&self->g, VRINGLAB_BACKEND_VHOST_VDPA, 0, &self->vring)))
	{
		print_vrings(&self->g);
	}
}

FIXTURE_TEARDOWN(vdpa)
{
	EXPECT_EQ(0u, self->g.leak);
	close(self->vhost);
	t_vduse_close(&self->dev);
	t_genl_close(&self->g);
}

static uint64_t take(int fd)
{
	eventfd_t value = 0;

	return t_poll_until(fd, T_DEADLINE_MS) || eventfd_read(fd, &value) ? 0 : value;
}

TEST_F_TIMEOUT(vdpa, each_kick_wakes_the_handler_and_each_interrupt_calls, SLOW)
{
	EXPECT_EQ((uint32_t)NUM, self->vring.size);
	for (unsigned int i = 0; i < ROUNDS; i++) {
		ASSERT_EQ(0, eventfd_write(self->kick, 1));
		ASSERT_EQ(1u, take(self->dev.kick));
		ASSERT_EQ(0, t_vduse_interrupt(&self->dev));
		ASSERT_EQ(1u, take(self->call));
	}
	stats_get(_metadata, &self->g, self->vring.id, &self->s);
	EXPECT_LAWFUL(&self->s);
	EXPECT_EQ((uint64_t)ROUNDS, T_CNT(&self->s, KICKS_WRITE));
	EXPECT_EQ((uint64_t)ROUNDS, T_CNT(&self->s, KICKS));
	EXPECT_EQ(0u, T_CNT(&self->s, KICK_COALESCED));
	EXPECT_EQ((uint64_t)ROUNDS, T_CNT(&self->s, WAKES_VHOST));
	EXPECT_EQ((uint64_t)ROUNDS, T_CNT(&self->s, WAKES));
	EXPECT_EQ(0u, T_CNT(&self->s, WAKE_UNMATCHED));
	EXPECT_EQ(0u, T_CNT(&self->s, WAKE_SPURIOUS));
	EXPECT_EQ((uint64_t)ROUNDS, T_CNT(&self->s, CALLS));
	EXPECT_EQ(0u, T_CNT(&self->s, CALL_UNMATCHED));
	EXPECT_EQ((uint64_t)ROUNDS, T_SPAN(&self->s, KICK_WAKE)->count);
	EXPECT_EQ((uint64_t)ROUNDS, T_SPAN(&self->s, WAKE_CALL)->count);
	/* vhost neither takes nor pushes: the device does. */
	EXPECT_EQ(0u, T_CNT(&self->s, TAKEN) + T_CNT(&self->s, USED) + T_CNT(&self->s, NOTIFIES));
}

TEST_F_TIMEOUT(vdpa, a_device_that_is_closed_goes, SLOW)
{
	ASSERT_EQ(0, eventfd_write(self->kick, 1));
	close(self->vhost);
	self->vhost = -1;
	EXPECT_TRUE(
		EVENTUALLY(!find_queue(&self->g, VRINGLAB_BACKEND_VHOST_VDPA, 0, &self->vring)));
}

static __attribute__((constructor)) void use_module(void)
{
	load_module();
}

TEST_HARNESS_MAIN
