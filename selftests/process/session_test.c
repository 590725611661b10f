// SPDX-License-Identifier: GPL-2.0-only
/*
 * A session goes from one back-end of the command's to the next.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <linux/virtio_config.h>

#include <vringlab/err.h>
#include <vringlab/vhost_user_session.h>

#include "kselftest_harness.h"
#include "t.h"
#include "t_fds.h"
#include "t_ring.h"

#define VERSION_1 (1ull << VIRTIO_F_VERSION_1)
#define IN_ORDER (1ull << 35)

/* What start() needs. */
struct driver {
	struct t_ring ring;
	struct vu_session session;
	unsigned int starts;
};

FIXTURE(session)
{
	char dir[64];
	char path[96];
	struct t_child child;
	struct driver driver;
	struct vl_err err;
	int fds_before;
};

static int start(void *ctx, struct vu_frontend *fe, struct vl_err *err)
{
	struct driver *d = ctx;
	const struct vu_frontend_region region = t_ring_region(&d->ring);
	const struct vu_frontend_vring vring = t_ring_vring(&d->ring, 0);
	int ret = vu_frontend_set_mem_table(fe, &region, 1, err);

	if (!ret)
		ret = vu_frontend_start_vring(fe, &vring, err);
	if (!ret && d->session.lost)
		vu_session_renotify(&vring);
	d->starts++;
	return ret;
}

static int start_backend(FIXTURE_DATA(session) * self, const char *kind, const char *option)
{
	char ready_fd[16];
	int ready[2], ret;
	char byte;

	if (pipe(ready))
		return -errno;
	snprintf(ready_fd, sizeof(ready_fd), "%d", ready[1]);
	ret = t_child_start(&self->child,
			    (const char *const[]){ t_vringlab(), "backend", kind, "--socket",
						   self->path, "--ready-fd", ready_fd, option,
						   NULL });
	close(ready[1]);
	if (!ret)
		ret = t_read_until(ready[0], &byte, 1, T_DEADLINE_MS);
	close(ready[0]);
	return ret;
}

static void kill_backend(FIXTURE_DATA(session) * self)
{
	t_child_kill(&self->child);
	self->child = (struct t_child)T_CHILD_NONE;
}

FIXTURE_SETUP(session)
{
	struct vu_session_config config = {
		.timeout_ms = T_DEADLINE_MS,
		.wish = { .required = VERSION_1, .optional = IN_ORDER },
		.num_queues = 1,
		.persist = true,
		.record = true,
		.start = start,
		.ctx = &self->driver,
	};

	memset(self, 0, sizeof(*self));
	self->child = (struct t_child)T_CHILD_NONE;
	ASSERT_EQ(0, t_tmpdir_create(self->dir));
	snprintf(self->path, sizeof(self->path), "%s/s", self->dir);
	ASSERT_EQ(0, t_ring_create(&self->driver.ring));
	self->fds_before = t_fds_count(0);
	config.path = self->path;
	config.queue_size = t_ring_vring(&self->driver.ring, 0).num;
	vu_session_init(&self->driver.session, &config);
	ASSERT_EQ(0, start_backend(self, "loopback", NULL));
	ASSERT_EQ(0, vu_session_connect(&self->driver.session, &self->err))
	TH_LOG("%s", self->err.msg);
}

FIXTURE_TEARDOWN(session)
{
	vu_session_destroy(&self->driver.session);
	t_child_kill(&self->child);
	EXPECT_EQ(self->fds_before, t_fds_count(0));
	t_ring_destroy(&self->driver.ring);
	t_tmpdir_remove(self->dir);
}

TEST_F(session, goes_on_with_the_same_record_and_tells_both_sides)
{
	const struct vu_frontend_vring vring = t_ring_vring(&self->driver.ring, 0);
	uint64_t features = vu_frontend_features(self->driver.session.fe);
	int record = self->driver.session.inflight_fd;
	eventfd_t count;

	ASSERT_LE(0, record);
	EXPECT_EQ(IN_ORDER, features & IN_ORDER);
	EXPECT_FALSE(vu_session_is_lost(&self->driver.session));
	kill_backend(self);
	EXPECT_TRUE(vu_session_is_lost(&self->driver.session));
	/* what the lost one took along */
	eventfd_read(vring.kick_fd, &count);
	eventfd_read(vring.call_fd, &count);
	ASSERT_EQ(0, start_backend(self, "loopback", NULL));
	ASSERT_EQ(0, vu_session_reconnect(&self->driver.session, &self->err))
	TH_LOG("%s", self->err.msg);
	EXPECT_EQ(1u, self->driver.session.lost);
	EXPECT_EQ(2u, self->driver.starts);
	EXPECT_EQ(record, self->driver.session.inflight_fd);
	EXPECT_EQ(features, vu_frontend_features(self->driver.session.fe));
	EXPECT_EQ(0, eventfd_read(vring.kick_fd, &count));
	EXPECT_EQ(0, eventfd_read(vring.call_fd, &count));
}

/* The driver has negotiated in-order use, which a disk does not offer. */
TEST_F(session, does_not_go_on_with_fewer_features)
{
	kill_backend(self);
	ASSERT_EQ(0, start_backend(self, "blk", "--null-size=1M"));
	EXPECT_EQ(-ENOTSUP, vu_session_reconnect(&self->driver.session, &self->err));
	EXPECT_NE(NULL, strstr(self->err.msg, "does not offer"));
	EXPECT_EQ(1u, self->driver.starts);
}

TEST_F(session, gives_up_when_nobody_comes)
{
	kill_backend(self);
	self->driver.session.config.timeout_ms = 50;
	EXPECT_EQ(-ECONNREFUSED, vu_session_reconnect(&self->driver.session, &self->err));
	EXPECT_EQ(-1, vu_session_fd(&self->driver.session));
	EXPECT_TRUE(vu_session_is_lost(&self->driver.session));
}

TEST_F(session, that_does_not_persist_tries_once)
{
	kill_backend(self);
	self->driver.session.config.persist = false;
	EXPECT_EQ(-ECONNREFUSED, vu_session_reconnect(&self->driver.session, &self->err));
	EXPECT_FALSE(vu_session_may_retry(&self->driver.session, -ECONNREFUSED));
}

TEST_HARNESS_MAIN
