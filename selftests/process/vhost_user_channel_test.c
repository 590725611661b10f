// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a back-end sends to the front-end: in-band calls and errors, and that its
 * config space has changed.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <linux/virtio_config.h>

#include <vringlab/fd.h>
#include <vringlab/vdev_loopback.h>

#include "kselftest_harness.h"
#include "t.h"
#include "t_ring.h"
#include "t_served.h"

#define BIT(n) (UINT64_C(1) << (n))
#define ACKED (BIT(VU_PROTOCOL_F_REPLY_ACK) | BIT(VU_PROTOCOL_F_BACKEND_REQ))
#define INBAND (ACKED | BIT(VU_PROTOCOL_F_INBAND_NOTIFICATIONS))
#define CONFIG (ACKED | BIT(VU_PROTOCOL_F_CONFIG))

/**
 * A loopback device with a config space that changes when the test says so
 * @changed:	eventfd.
 * @calls:	Messages that came.
 */
FIXTURE(channel)
{
	char dir[64];
	char path[96];
	int changed;
	struct loop_op *op;
	struct vdev *vdev;
	struct vdev_ops ops;
	struct t_served served;
	struct t_ring ring;
	struct vu_frontend *fe;
	struct vl_err err;
	unsigned int calls;
	unsigned int errors;
	unsigned int changes;
};

static int get_config(void *dev, uint32_t offset, void *buf, uint32_t size)
{
	memset(buf, 0x5a, size);
	return 0;
}

static void tell_change(FIXTURE_DATA(channel) * self)
{
	eventfd_t value;

	if (!eventfd_read(self->changed, &value) && self->vdev->config_changed)
		self->vdev->config_changed(self->vdev);
}

static void on_changed(void *ctx, int res)
{
	tell_change(ctx);
}

static int make_device(FIXTURE_DATA(channel) * self, struct loop *loop)
{
	int ret = vdev_loopback_create(&self->vdev, 1, NULL);

	if (ret)
		return ret;
	self->ops = *self->vdev->ops;
	self->ops.get_config = get_config;
	self->vdev->ops = &self->ops;
	self->vdev->config_size = 8;
	return loop_poll(loop, self->changed, POLLIN, on_changed, self, &self->op);
}

static int make(void *ctx, struct loop *loop, struct vdev **vdev)
{
	int ret = make_device(ctx, loop);

	*vdev = ((FIXTURE_DATA(channel) *)ctx)->vdev;
	return ret;
}

static void destroy(void *ctx, struct vdev *vdev)
{
	loop_op_remove(&((FIXTURE_DATA(channel) *)ctx)->op);
	vdev_loopback_destroy(vdev);
}

FIXTURE_SETUP(channel)
{
	struct t_served_config config = { .make = make, .destroy = destroy, .ctx = self };
	int ret;

	memset(self, 0, sizeof(*self));
	self->changed = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ASSERT_LE(0, self->changed);
	ASSERT_EQ(0, t_ring_create(&self->ring));
	ASSERT_EQ(0, t_tmpdir_create(self->dir));
	snprintf(self->path, sizeof(self->path), "%s/s", self->dir);
	config.path = self->path;
	ret = t_served_start_with(&self->served, &config);
	if (ret == -EPERM || ret == -ENOSYS)
		SKIP(return, "io_uring is disabled: sysctl kernel.io_uring_disabled=0");
	ASSERT_EQ(0, ret);
}

FIXTURE_TEARDOWN(channel)
{
	vu_frontend_destroy(self->fe);
	t_served_stop(&self->served);
	t_ring_destroy(&self->ring);
	vl_fd_close(&self->changed);
	t_tmpdir_remove(self->dir);
}

static void count_call(void *ctx, uint32_t index)
{
	((FIXTURE_DATA(channel) *)ctx)->calls++;
}

static void count_error(void *ctx, uint32_t index)
{
	((FIXTURE_DATA(channel) *)ctx)->errors++;
}

static void count_change(void *ctx)
{
	((FIXTURE_DATA(channel) *)ctx)->changes++;
}

static const struct vu_frontend_channel_ops channel_ops = {
	.config_changed = count_change,
	.vring_call = count_call,
	.vring_err = count_error,
};

/* All up to the ring, which gets no eventfds but those that are given. */
static int meet(FIXTURE_DATA(channel) * self, uint64_t protocol)
{
	const struct vu_frontend_region region = t_ring_region(&self->ring);
	const struct vu_frontend_wish wish = {
		.required = BIT(VIRTIO_F_VERSION_1),
		.protocol = protocol,
	};
	int ret = vu_frontend_connect(&self->fe, self->path, T_DEADLINE_MS, &self->err);

	if (!ret)
		ret = vu_frontend_open(self->fe, &wish, &self->err);
	if (!ret)
		ret = vu_frontend_open_channel(self->fe, &channel_ops, self, &self->err);
	return ret ? ret : vu_frontend_set_mem_table(self->fe, &region, 1, &self->err);
}

static int start(FIXTURE_DATA(channel) * self, int kick, int call)
{
	struct vu_frontend_vring vring = t_ring_vring(&self->ring, 0);

	vring.kick_fd = kick;
	vring.call_fd = call;
	return vu_frontend_start_vring(self->fe, &vring, &self->err);
}

static int add(FIXTURE_DATA(channel) * self)
{
	const struct vring_buf bufs[] = { { T_RING_GPA + T_RING_OUT, 4 },
					  { T_RING_GPA + T_RING_IN, 4 } };

	return vring_drv_add(&self->ring.drv, bufs, 1, 1);
}

static int serve_until(FIXTURE_DATA(channel) * self, const unsigned int *counter,
		       unsigned int expected)
{
	int ret = 0;

	while (*counter < expected && !ret)
		ret = vu_frontend_serve(self->fe, T_DEADLINE_MS);
	return ret;
}

/* Messages there and back, and those that come meanwhile. */
static int exchange_some(FIXTURE_DATA(channel) * self)
{
	int ret = 0;

	for (int i = 0; i < 5 && !ret; i++)
		ret = vu_frontend_set_features(self->fe, vu_frontend_features(self->fe),
					       &self->err);
	return ret;
}

TEST_F(channel, a_kick_as_a_message_starts_the_ring_and_the_call_is_one)
{
	uint32_t written;

	ASSERT_EQ(0, meet(self, INBAND)) TH_LOG("%s", self->err.msg);
	ASSERT_EQ(0, start(self, -1, -1)) TH_LOG("%s", self->err.msg);
	ASSERT_LE(0, add(self));
	/* nobody said that it is to be started, nor that it is to be polled */
	ASSERT_EQ(0, exchange_some(self));
	EXPECT_EQ(-EAGAIN, vring_drv_get(&self->ring.drv, &written));
	EXPECT_EQ(0u, self->calls);
	for (unsigned int i = 1; i <= 50; i++) {
		ASSERT_EQ(0, vu_frontend_kick_vring(self->fe, 0, &self->err));
		ASSERT_EQ(0, serve_until(self, &self->calls, i));
		EXPECT_LE(0, vring_drv_get(&self->ring.drv, &written));
		EXPECT_EQ(4u, written);
		ASSERT_LE(0, add(self));
	}
	ASSERT_EQ(0, exchange_some(self));
	EXPECT_EQ(50u, self->calls);
}

TEST_F(channel, eventfds_are_preferred_where_there_are_some)
{
	uint32_t written;

	ASSERT_EQ(0, meet(self, INBAND)) TH_LOG("%s", self->err.msg);
	ASSERT_EQ(0, start(self, self->ring.kick, self->ring.call)) TH_LOG("%s", self->err.msg);
	for (int i = 0; i < 10; i++) {
		ASSERT_LE(0, add(self));
		ASSERT_EQ(0, t_ring_kick(&self->ring));
		ASSERT_LE(0, t_ring_wait(&self->ring, &written, T_DEADLINE_MS));
	}
	ASSERT_EQ(0, exchange_some(self));
	EXPECT_EQ(0u, self->calls);
}

static void corrupt(FIXTURE_DATA(channel) * self)
{
	self->ring.drv.config.ring.avail->idx += T_RING_NUM + 1;
}

TEST_F(channel, an_error_is_a_message_where_there_is_no_eventfd_for_it)
{
	ASSERT_EQ(0, meet(self, INBAND)) TH_LOG("%s", self->err.msg);
	ASSERT_EQ(0, start(self, -1, -1)) TH_LOG("%s", self->err.msg);
	corrupt(self);
	ASSERT_EQ(0, vu_frontend_kick_vring(self->fe, 0, &self->err));
	EXPECT_EQ(0, serve_until(self, &self->errors, 1));
	EXPECT_EQ(0u, self->calls);
}

TEST_F(channel, an_error_is_an_event_where_there_is_an_eventfd_for_it)
{
	int err = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	ASSERT_EQ(0, meet(self, INBAND)) TH_LOG("%s", self->err.msg);
	ASSERT_EQ(0, start(self, -1, -1)) TH_LOG("%s", self->err.msg);
	ASSERT_EQ(0, vu_frontend_set_vring_err(self->fe, 0, err, &self->err));
	corrupt(self);
	ASSERT_EQ(0, vu_frontend_kick_vring(self->fe, 0, &self->err));
	EXPECT_EQ(0, t_poll_until(err, T_DEADLINE_MS));
	ASSERT_EQ(0, exchange_some(self));
	EXPECT_EQ(0u, self->errors);
	close(err);
}

TEST_F(channel, a_change_of_the_config_space_is_told)
{
	ASSERT_EQ(0, meet(self, CONFIG)) TH_LOG("%s", self->err.msg);
	ASSERT_EQ(0, start(self, self->ring.kick, self->ring.call)) TH_LOG("%s", self->err.msg);
	for (unsigned int i = 1; i <= 10; i++) {
		ASSERT_EQ(0, eventfd_write(self->changed, 1));
		ASSERT_EQ(0, serve_until(self, &self->changes, i));
	}
	ASSERT_EQ(0, exchange_some(self));
	EXPECT_EQ(10u, self->changes);
}

TEST_F(channel, a_change_of_the_config_space_is_told_only_to_who_knows_of_one)
{
	ASSERT_EQ(0, meet(self, ACKED)) TH_LOG("%s", self->err.msg);
	ASSERT_EQ(0, start(self, self->ring.kick, self->ring.call)) TH_LOG("%s", self->err.msg);
	ASSERT_EQ(0, eventfd_write(self->changed, 1));
	/* it has been seen when the eventfd is empty again */
	while (!t_poll_until(self->changed, 0))
		ASSERT_EQ(0, exchange_some(self));
	ASSERT_EQ(0, exchange_some(self));
	/* our front-end would have answered with an error */
	EXPECT_EQ(0u, atomic_load(&self->served.refused));
	EXPECT_EQ(0, t_ring_echo(&self->ring, "echo", 4, T_DEADLINE_MS));
}

/* "Suspended device state" */
TEST_F(channel, a_device_whose_rings_are_stopped_sends_nothing)
{
	uint8_t byte;

	ASSERT_EQ(0, meet(self, CONFIG)) TH_LOG("%s", self->err.msg);
	ASSERT_EQ(0, start(self, self->ring.kick, self->ring.call)) TH_LOG("%s", self->err.msg);
	ASSERT_EQ(0, vu_frontend_stop_vring(self->fe, 0, NULL, &self->err));
	ASSERT_EQ(0, eventfd_write(self->changed, 1));
	/* it has been seen when the eventfd is empty again */
	while (!t_poll_until(self->changed, 0))
		ASSERT_EQ(0, vu_frontend_get_config(self->fe, 0, &byte, 1, &self->err));
	ASSERT_EQ(0, exchange_some(self));
	EXPECT_EQ(0u, self->changes);
	ASSERT_EQ(0, start(self, self->ring.kick, self->ring.call)) TH_LOG("%s", self->err.msg);
	EXPECT_EQ(0, serve_until(self, &self->changes, 1));
}

TEST_F(channel, a_front_end_that_lets_the_channel_go_is_served_on)
{
	ASSERT_EQ(0, meet(self, INBAND)) TH_LOG("%s", self->err.msg);
	ASSERT_EQ(0, start(self, self->ring.kick, self->ring.call)) TH_LOG("%s", self->err.msg);
	/* another one in its place, a few times */
	for (int i = 0; i < 5; i++)
		ASSERT_EQ(0, vu_frontend_open_channel(self->fe, &channel_ops, self, &self->err));
	EXPECT_EQ(0, t_ring_echo(&self->ring, "echo", 4, T_DEADLINE_MS));
	ASSERT_EQ(0, exchange_some(self));
}

TEST_HARNESS_MAIN
