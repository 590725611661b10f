// SPDX-License-Identifier: GPL-2.0-only
/*
 * A kick is stamped before anybody is woken by it, also before those who came to
 * the eventfd after the module: else their wake could be seen first, by another
 * CPU. The order is that of the trace events on the CPU that kicks.
 */
#include <liburing.h>
#include <poll.h>

#include "module.h"
#include "t_trace.h"

#define ROUNDS 50
#define INSTANCE "/instances/vringlab_order"
#define KICK ": kick: "
#define WOKEN ": io_uring_task_add: "

/* clang-format off */
FIXTURE(order) {
	struct t_genl g;
	struct io_uring ring;
	struct t_vring v;
	char dir[128];
};

/* clang-format on */

FIXTURE_SETUP(order)
{
	OPEN_OR_SKIP(&self->g);
	if (!t_tracefs())
		SKIP(return, "needs tracefs: mount -t tracefs nodev /sys/kernel/tracing");
	snprintf(self->dir, sizeof(self->dir), "%s%s", t_tracefs(), INSTANCE);
	rmdir(self->dir);
	ASSERT_EQ(0, mkdir(self->dir, 0700));
	if (t_trace_put_in(self->dir, "events/io_uring/io_uring_task_add/enable", "1"))
		SKIP(return, "needs io_uring's trace events: CONFIG_IO_URING=y");
	ASSERT_EQ(0, t_trace_put_in(self->dir, "events/vringlab/kick/enable", "1"));
	ASSERT_EQ(0, io_uring_queue_init(8, &self->ring, 0));
	self->v = (struct t_vring){
		.has = HAS(LABEL) | HAS(KICK_FD) | HAS(CALL_FD),
		.label = "order",
		.kick_fd = new_eventfd(_metadata, EFD_NONBLOCK),
		.call_fd = new_eventfd(_metadata, EFD_NONBLOCK),
	};
	vring_add(_metadata, &self->g, &self->v);
}

FIXTURE_TEARDOWN(order)
{
	t_trace_put_in(self->dir, "events/vringlab/kick/enable", "0");
	t_trace_put_in(self->dir, "events/io_uring/io_uring_task_add/enable", "0");
	io_uring_queue_exit(&self->ring);
	EXPECT_EQ(0, rmdir(self->dir));
	t_genl_close(&self->g);
}

/* Armed anew each time, so always the youngest of those that wait. */
static void kick_a_poll(struct __test_metadata *_metadata, FIXTURE_DATA(order) * self)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&self->ring);
	struct io_uring_cqe *cqe;
	eventfd_t value;

	ASSERT_NE(NULL, sqe);
	io_uring_prep_poll_add(sqe, self->v.kick_fd, POLLIN);
	ASSERT_EQ(1, io_uring_submit(&self->ring));
	ASSERT_EQ(0, eventfd_write(self->v.kick_fd, 1));
	ASSERT_EQ(0, io_uring_wait_cqe(&self->ring, &cqe));
	EXPECT_LT(0, cqe->res);
	io_uring_cqe_seen(&self->ring, cqe);
	ASSERT_EQ(0, eventfd_read(self->v.kick_fd, &value));
}

TEST_F_TIMEOUT(order, a_kick_is_stamped_before_a_poll_that_came_later_is_woken, SLOW)
{
	char path[256], line[1024];
	int i, kicks = 0, woken = 0;
	FILE *f;

	for (i = 0; i < ROUNDS; i++)
		kick_a_poll(_metadata, self);
	snprintf(path, sizeof(path), "%s/trace", self->dir);
	f = fopen(path, "re");
	ASSERT_NE(NULL, f);
	while (fgets(line, sizeof(line), f)) {
		kicks += !!strstr(line, KICK);
		if (!strstr(line, WOKEN))
			continue;
		woken++;
		EXPECT_EQ(woken, kicks)
		{
			TH_LOG("%d kicks before: %s", kicks, line);
		}
	}
	fclose(f);
	EXPECT_EQ(ROUNDS, woken);
	EXPECT_EQ(ROUNDS, kicks);
}

USE_MODULE_WITH_ANCHOR

TEST_HARNESS_MAIN
