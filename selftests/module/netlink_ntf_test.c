// SPDX-License-Identifier: GPL-2.0-only
/*
 * What listeners are told: every virtqueue that comes and goes, in the order in
 * which they do.
 */
#include <linux/capability.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "netlink.h"

#define NR_THREADS 3
#define NR_ROUNDS 40

/* clang-format off */
FIXTURE(listener) {
	struct t_genl g;
	struct t_genl ear;
	struct t_vring v;
};

/* clang-format on */

FIXTURE_SETUP(listener)
{
	OPEN_OR_SKIP(&self->g);
	ASSERT_EQ(0, t_genl_open(&self->ear, VRINGLAB_FAMILY_NAME));
	ASSERT_EQ(0, t_genl_join(&self->ear, VRINGLAB_FAMILY_NAME, VRINGLAB_MCGRP_VRINGS));
	self->v = (struct t_vring){
		.has = HAS(LABEL) | HAS(BACKEND) | HAS(KICK_FD) | HAS(CALL_FD) |
		       HAS(WAKE_USER_DATA),
		.label = "heard",
		.backend = VRINGLAB_BACKEND_VHOST_USER,
		.kick_fd = new_eventfd(_metadata, 0),
		.call_fd = new_eventfd(_metadata, 0),
		.wake_user_data = 0x1122334455667788,
	};
}

FIXTURE_TEARDOWN(listener)
{
	EXPECT_EQ(0u, self->g.leak);
	EXPECT_EQ(0u, self->ear.leak);
	t_genl_close(&self->g);
	t_genl_close(&self->ear);
}

struct heard {
	uint8_t cmd;
	struct t_vring v;
};

static int take_heard(const struct nlmsghdr *nlh, void *data)
{
	const struct genlmsghdr *genl = mnl_nlmsg_get_payload(nlh);
	struct heard *h = data;

	h->cmd = genl->cmd;
	return t_vring_take(nlh, &h->v);
}

#define EXPECT_HEARD(ear, command, vring)                        \
	do {                                                     \
		struct heard h_;                                 \
		ASSERT_EQ(0, t_genl_next(ear, take_heard, &h_)); \
		EXPECT_EQ(command, h_.cmd);                      \
		EXPECT_EQ((vring)->id, h_.v.id);                 \
		EXPECT_STREQ((vring)->label, h_.v.label);        \
		EXPECT_EQ((vring)->backend, h_.v.backend);       \
		EXPECT_EQ((uint32_t)getpid(), h_.v.pid);         \
		EXPECT_EQ(0u, HAS(WAKE_USER_DATA) & h_.v.has);   \
	} while (0)

/* Nothing is on its way: what is told is there when the change is made. */
static bool is_silent(struct t_genl *ear)
{
	char byte;

	return recv(mnl_socket_get_fd(ear->nl), &byte, 1, MSG_DONTWAIT | MSG_PEEK) < 0 &&
	       errno == EAGAIN;
}

TEST_F_TIMEOUT(listener, is_told_of_each_vring_that_comes_and_goes, SLOW)
{
	int i;

	for (i = 0; i < 3; i++) {
		vring_add(_metadata, &self->g, &self->v);
		EXPECT_HEARD(&self->ear, VRINGLAB_CMD_VRING_ADD_NTF, &self->v);
		EXPECT_TRUE(is_silent(&self->ear));
		ASSERT_EQ(0, t_vring_del(&self->g, self->v.id));
		EXPECT_HEARD(&self->ear, VRINGLAB_CMD_VRING_DEL_NTF, &self->v);
		EXPECT_TRUE(is_silent(&self->ear));
	}
}

TEST_F_TIMEOUT(listener, is_told_of_those_that_go_with_their_socket, SLOW)
{
	struct t_genl g;

	ASSERT_EQ(0, t_genl_open(&g, VRINGLAB_FAMILY_NAME));
	vring_add(_metadata, &g, &self->v);
	EXPECT_HEARD(&self->ear, VRINGLAB_CMD_VRING_ADD_NTF, &self->v);
	t_genl_close(&g);
	EXPECT_HEARD(&self->ear, VRINGLAB_CMD_VRING_DEL_NTF, &self->v);
}

TEST_F_TIMEOUT(listener, hears_nothing_of_what_was_refused, SLOW)
{
	uint32_t call = self->v.call_fd;

	self->v.call_fd = self->v.kick_fd;
	EXPECT_EQ(-EINVAL, t_vring_add(&self->g, &self->v));
	self->v.call_fd = UINT32_MAX;
	EXPECT_EQ(-EBADF, t_vring_add(&self->g, &self->v));
	EXPECT_EQ(-ENOENT, t_vring_del(&self->g, UINT32_MAX));
	EXPECT_TRUE(is_silent(&self->ear));
	self->v.call_fd = call;
	vring_add(_metadata, &self->g, &self->v);
	EXPECT_HEARD(&self->ear, VRINGLAB_CMD_VRING_ADD_NTF, &self->v);
	EXPECT_EQ(-EEXIST, t_vring_add(&self->g, &self->v));
	EXPECT_TRUE(is_silent(&self->ear));
}

TEST_F_TIMEOUT(listener, may_be_many_and_each_hears_all, SLOW)
{
	struct t_genl other;

	ASSERT_EQ(0, t_genl_open(&other, VRINGLAB_FAMILY_NAME));
	ASSERT_EQ(0, t_genl_join(&other, VRINGLAB_FAMILY_NAME, VRINGLAB_MCGRP_VRINGS));
	vring_add(_metadata, &self->g, &self->v);
	EXPECT_HEARD(&self->ear, VRINGLAB_CMD_VRING_ADD_NTF, &self->v);
	EXPECT_HEARD(&other, VRINGLAB_CMD_VRING_ADD_NTF, &self->v);
	t_genl_close(&other);
	ASSERT_EQ(0, t_vring_del(&self->g, self->v.id));
	EXPECT_HEARD(&self->ear, VRINGLAB_CMD_VRING_DEL_NTF, &self->v);
}

TEST_F_TIMEOUT(listener, needs_no_privilege, SLOW)
{
	struct t_genl ear;

	ASSERT_EQ(0, unshare(CLONE_NEWUSER));
	ASSERT_EQ(0, t_genl_open(&ear, VRINGLAB_FAMILY_NAME));
	ASSERT_EQ(0, t_genl_join(&ear, VRINGLAB_FAMILY_NAME, VRINGLAB_MCGRP_VRINGS));
	/* Opened with privilege, but not used with it. */
	EXPECT_EQ(-EPERM, t_vring_add(&self->g, &self->v));
	EXPECT_TRUE(is_silent(&ear));
	t_genl_close(&ear);
}

/* More than fits its buffer: it is told that it missed some, and hears the next. */
TEST_F_TIMEOUT(listener, that_does_not_listen_is_told_so_and_disturbs_no_one, SLOW)
{
	int i, ret, size = 1;
	struct heard h;

	ASSERT_EQ(0, setsockopt(mnl_socket_get_fd(self->ear.nl), SOL_SOCKET, SO_RCVBUF, &size,
				sizeof(size)));
	for (i = 0; i < 50; i++) {
		vring_add(_metadata, &self->g, &self->v);
		ASSERT_EQ(0, t_vring_del(&self->g, self->v.id));
	}
	i = 0;
	do {
		ret = t_genl_next(&self->ear, take_heard, &h);
		i++;
	} while (!ret && i < 200);
	EXPECT_EQ(-ENOBUFS, ret);
	while (!is_silent(&self->ear))
		ASSERT_EQ(0, t_genl_next(&self->ear, take_heard, &h));
	vring_add(_metadata, &self->g, &self->v);
	EXPECT_HEARD(&self->ear, VRINGLAB_CMD_VRING_ADD_NTF, &self->v);
}

struct adder {
	pthread_t thread;
	struct t_genl g;
	int ret;
};

static void *add_and_delete(void *data)
{
	struct adder *a = data;
	struct t_vring v[2];
	int i;

	for (i = 0; i < NR_ROUNDS && !a->ret; i++) {
		a->ret = add_new(&a->g, &v[0], "round");
		if (!a->ret)
			a->ret = add_new(&a->g, &v[1], "round");
		if (!a->ret)
			a->ret = t_vring_del(&a->g, v[0].id);
		if (!a->ret)
			a->ret = t_vring_del(&a->g, v[1].id);
	}
	return NULL;
}

TEST_F_TIMEOUT(listener, hears_the_changes_of_many_in_their_order, SLOW)
{
	struct adder *a = calloc(NR_THREADS, sizeof(*a));
	uint32_t alive[2 * NR_THREADS] = { 0 };
	int i, j, size = 1 << 20;
	struct heard h;

	ASSERT_NE(NULL, a);
	ASSERT_EQ(0, setsockopt(mnl_socket_get_fd(self->ear.nl), SOL_SOCKET, SO_RCVBUFFORCE, &size,
				sizeof(size)));
	for (i = 0; i < NR_THREADS; i++) {
		ASSERT_EQ(0, t_genl_open(&a[i].g, VRINGLAB_FAMILY_NAME));
		ASSERT_EQ(0, pthread_create(&a[i].thread, NULL, add_and_delete, &a[i]));
	}
	for (i = 0; i < NR_THREADS * NR_ROUNDS * 4; i++) {
		uint32_t from, to;

		ASSERT_EQ(0, t_genl_next(&self->ear, take_heard, &h));
		/* What comes was not there, what goes was, and there is room for all. */
		from = h.cmd == VRINGLAB_CMD_VRING_ADD_NTF ? 0 : h.v.id;
		to = h.cmd == VRINGLAB_CMD_VRING_ADD_NTF ? h.v.id : 0;
		for (j = 0; j < 2 * NR_THREADS && alive[j] != from; j++)
			ASSERT_NE(to, alive[j] ?: UINT32_MAX);
		ASSERT_GT(2 * NR_THREADS, j);
		alive[j] = to;
	}
	for (i = 0; i < NR_THREADS; i++) {
		ASSERT_EQ(0, pthread_join(a[i].thread, NULL));
		EXPECT_EQ(0, a[i].ret);
		t_genl_close(&a[i].g);
	}
	EXPECT_TRUE(is_silent(&self->ear));
	free(a);
}

USE_MODULE_WITH_ANCHOR

TEST_HARNESS_MAIN
