// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost-user virtqueues that nobody registers, found by what a front-end sends: its
 * messages, byte by byte, over a socket whose other end does not even read them.
 */
#include <sys/wait.h>

#include "discover.h"
#include "front_end.h"

/* clang-format off */
FIXTURE(front_end) {
	struct t_genl g;
	int sock[2];
	int kick;
	int call;
	struct t_vring v[MAX];
	struct t_stats s;
};

/* clang-format on */

FIXTURE_SETUP(front_end)
{
	OPEN_OR_SKIP(&self->g);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, self->sock));
	self->kick = new_eventfd(_metadata, EFD_NONBLOCK);
	self->call = new_eventfd(_metadata, EFD_NONBLOCK);
	discover_begin(_metadata, &self->g);
}

FIXTURE_TEARDOWN(front_end)
{
	discover_end(_metadata, &self->g);
}

TEST_F_TIMEOUT(front_end, its_vring_has_both_eventfds_size_and_owner, SLOW)
{
	const struct t_vring *v = &self->v[0];
	eventfd_t value;
	int i;

	set(_metadata, self->sock[0], SET_VRING_KICK, 3, self->kick);
	set(_metadata, self->sock[0], SET_VRING_CALL, 3, self->call);
	/* In the order in which they come: the size tells that both eventfds are there. */
	set_num(_metadata, self->sock[0], 3, 256);
	ASSERT_TRUE(EVENTUALLY(ours(&self->g, self->v) == 1 && v->size == 256));
	EXPECT_EQ((uint32_t)VRINGLAB_BACKEND_VHOST_USER, v->backend);
	EXPECT_EQ(3u, v->queue);
	EXPECT_NE(0u, v->device);
	EXPECT_EQ((uint32_t)getpid(), v->pid);
	EXPECT_STREQ("discover_user_t", v->owner_comm);

	for (i = 0; i < 5; i++) {
		ASSERT_EQ(0, eventfd_write(self->kick, 1));
		ASSERT_EQ(0, eventfd_read(self->kick, &value));
		ASSERT_TRUE(EVENTUALLY(!eventfd_write(self->call, 1)));
	}
	ASSERT_TRUE(
		EVENTUALLY(!t_stats_get(&self->g, v->id, &self->s) && T_CNT(&self->s, CALLS) == 5));
	EXPECT_EQ(5u, T_CNT(&self->s, KICKS_WRITE));
	EXPECT_EQ(5u, T_CNT(&self->s, WAKES_READ));
	EXPECT_EQ(5u, T_SPAN(&self->s, WAKE_CALL)->count);
	EXPECT_LAWFUL(&self->s);
}

TEST_F_TIMEOUT(front_end, virtqueues_of_one_socket_are_one_device, SLOW)
{
	int other[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, other));
	set(_metadata, self->sock[0], SET_VRING_KICK, 0, self->kick);
	set(_metadata, self->sock[0], SET_VRING_KICK, 1, self->call);
	ASSERT_OURS(2);
	EXPECT_EQ(self->v[0].device, self->v[1].device);
	set(_metadata, other[0], SET_VRING_KICK, 0, new_eventfd(_metadata, 0));
	ASSERT_OURS(3);
	EXPECT_NE(self->v[0].device, self->v[2].device);
	close(other[0]);
	ASSERT_OURS(2);
	close(self->sock[0]);
	ASSERT_OURS(0);
}

TEST_F_TIMEOUT(front_end, another_call_eventfd_goes_on_counting, SLOW)
{
	int masked = new_eventfd(_metadata, EFD_NONBLOCK);
	uint32_t id;

	set(_metadata, self->sock[0], SET_VRING_KICK, 0, self->kick);
	set(_metadata, self->sock[0], SET_VRING_CALL, 0, self->call);
	set_num(_metadata, self->sock[0], 0, 128);
	ASSERT_TRUE(EVENTUALLY(ours(&self->g, self->v) == 1 && self->v[0].size == 128));
	id = self->v[0].id;
	ASSERT_EQ(0, eventfd_write(self->call, 1));
	/* Sizes come in order with eventfds: the last one tells that all are seen. */
	set(_metadata, self->sock[0], SET_VRING_CALL, 0, masked);
	set_num(_metadata, self->sock[0], 0, 64);
	ASSERT_TRUE(EVENTUALLY(ours(&self->g, self->v) == 1 && self->v[0].size == 64));
	ASSERT_EQ(0, eventfd_write(masked, 1));
	ASSERT_EQ(0, eventfd_write(self->call, 1));
	set(_metadata, self->sock[0], SET_VRING_CALL, 0, -1);
	set_num(_metadata, self->sock[0], 0, 32);
	ASSERT_TRUE(EVENTUALLY(ours(&self->g, self->v) == 1 && self->v[0].size == 32));
	ASSERT_EQ(0, eventfd_write(masked, 1));
	set(_metadata, self->sock[0], SET_VRING_CALL, 0, self->call);
	set_num(_metadata, self->sock[0], 0, 16);
	ASSERT_TRUE(EVENTUALLY(ours(&self->g, self->v) == 1 && self->v[0].size == 16));
	ASSERT_EQ(0, eventfd_write(self->call, 1));
	EXPECT_EQ(id, self->v[0].id);
	stats_get(_metadata, &self->g, id, &self->s);
	EXPECT_EQ(3u, T_CNT(&self->s, CALLS));
	EXPECT_LAWFUL(&self->s);
}

TEST_F_TIMEOUT(front_end, what_only_looks_like_it_is_not_found, SLOW)
{
	const int fds[2] = { self->kick, self->call };
	const struct message good = { SET_VRING_KICK, 1, 8, 0, 0 };
	struct message m;

#define BAD(field, value, nr) \
	(m = good, m.field = (value), send_message(_metadata, self->sock[0], m, fds, nr))
	BAD(request, SET_VRING_BASE, 1);
	BAD(flags, 0, 1);
	BAD(flags, 2, 1);
	BAD(flags, 1 | 4, 1); /* a reply */
	BAD(flags, 1 | 16, 1);
	BAD(size, 4, 1);
	BAD(size, 12, 1);
	BAD(low, NO_FD, 1);
	BAD(low, 1 << 9, 1);
	BAD(low, 0, 0);
	BAD(high, 1, 1);
	BAD(low, 0, 2);
#undef BAD
	/* An eventfd is what it takes, */
	set(_metadata, self->sock[0], SET_VRING_KICK, 0, self->sock[1]);
	/* and neither a size nor the lack of one. */
	set_num(_metadata, self->sock[0], 5, 256);
	set(_metadata, self->sock[0], SET_VRING_CALL, 5, -1);
	/* All of them came before this one. */
	set(_metadata, self->sock[0], SET_VRING_KICK, 7, self->call);
	ASSERT_TRUE(EVENTUALLY(ours(&self->g, self->v) >= 1));
	EXPECT_EQ(1u, ours(&self->g, self->v));
	EXPECT_EQ(7u, self->v[0].queue);
	EXPECT_FALSE(self->v[0].has & HAS(SIZE));
}

TEST_F_TIMEOUT(front_end, a_back_end_that_registers_has_the_device, SLOW)
{
	struct t_vring v = {
		.has = HAS(LABEL) | HAS(KICK_FD) | HAS(CALL_FD),
		.label = "mine",
		.kick_fd = self->kick,
		.call_fd = self->call,
	};

	set_num(_metadata, self->sock[0], 2, 64);
	set(_metadata, self->sock[0], SET_VRING_KICK, 2, self->kick);
	set(_metadata, self->sock[0], SET_VRING_CALL, 2, self->call);
	ASSERT_OURS(1);
	vring_add(_metadata, &self->g, &v);
	EXPECT_EQ(0u, ours(&self->g, self->v));
	ASSERT_EQ(0, t_vring_get(&self->g, v.id, &self->v[0]));
	EXPECT_EQ(2u, self->v[0].queue);
	EXPECT_EQ(64u, self->v[0].size);
	/* Another device, whose eventfds are registered first. */
	set(_metadata, self->sock[1], SET_VRING_KICK, 1, self->kick);
	ASSERT_TRUE(EVENTUALLY(!t_vring_get(&self->g, v.id, &self->v[0]) && self->v[0].queue == 1));
	EXPECT_EQ(0u, ours(&self->g, self->v));
	close(self->sock[1]);
	ASSERT_TRUE(EVENTUALLY(!t_vring_get(&self->g, v.id, &self->v[0]) &&
			       !(self->v[0].has & HAS(DEVICE))));
}

TEST_F_TIMEOUT(front_end, it_ends_with_its_process, SLOW)
{
	unsigned int nr = 0;
	int i, found, status;
	pid_t pid;

	pid = fork_child();
	ASSERT_LE(0, pid);
	if (!pid) {
		int sock[2];

		socketpair(AF_UNIX, SOCK_STREAM, 0, sock);
		set(_metadata, sock[0], SET_VRING_KICK, 0, eventfd(0, 0));
		set(_metadata, sock[0], SET_VRING_CALL, 0, eventfd(0, 0));
		pause();
		_exit(0);
	}
#define OF_CHILD                                                     \
	({                                                           \
		nr = 0;                                              \
		found = t_vring_dump(&self->g, self->v, MAX);        \
		for (i = 0; i < found && i < MAX; i++)               \
			nr += self->v[i].has & HAS(FOUND) &&         \
			      self->v[i].owner_pid == (uint32_t)pid; \
		nr;                                                  \
	})
	EXPECT_TRUE(EVENTUALLY(OF_CHILD == 1));
	kill(pid, SIGKILL);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(EVENTUALLY(OF_CHILD == 0));
#undef OF_CHILD
}

USE_MODULE_WITH_ANCHOR
TEST_HARNESS_MAIN
