// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module is unloaded, or is not, while someone talks to it or listens.
 */
#include <pthread.h>
#include <sys/socket.h>

#include "netlink.h"

#define NR_VRINGS 120
#define NR_TALKERS 3
#define TIMES 4

/* clang-format off */
FIXTURE(unload) {
	struct t_genl g;
	struct t_genl other;
};

/* clang-format on */

FIXTURE_SETUP(unload)
{
	if (!t_kmod_path() || geteuid())
		SKIP(return, "needs root and the module's file: set VRINGLAB_KO=");
	if (t_kmod_loaded("vringlab"))
		SKIP(return, "needs to load vringlab itself: rmmod vringlab");
	ASSERT_EQ(0, t_kmod_insmod(t_kmod_path()));
	ASSERT_EQ(0, t_genl_open(&self->g, VRINGLAB_FAMILY_NAME));
	ASSERT_EQ(0, t_genl_open(&self->other, VRINGLAB_FAMILY_NAME));
}

FIXTURE_TEARDOWN(unload)
{
	t_genl_close(&self->g);
	t_genl_close(&self->other);
	t_kmod_rmmod("vringlab");
	EXPECT_FALSE(t_kmod_loaded("vringlab"));
}

static void add_many(struct __test_metadata *_metadata, struct t_genl *g)
{
	struct t_vring v;
	int i;

	for (i = 0; i < NR_VRINGS; i++)
		ASSERT_EQ(0, add_new(g, &v, "many"));
}

struct in_the_middle {
	unsigned int messages;
	int rmmod;
};

static int try_to_unload(const struct nlmsghdr *nlh, void *data)
{
	struct in_the_middle *m = data;

	if (m->messages++ == 0)
		m->rmmod = t_kmod_rmmod("vringlab");
	return MNL_CB_OK;
}

TEST_F_TIMEOUT(unload, waits_for_a_dump_that_is_being_read, SLOW)
{
	struct in_the_middle m = { 0 };

	add_many(_metadata, &self->other);
	t_genl_close(&self->g);
	ASSERT_EQ(0, t_genl_open_parts(&self->g, VRINGLAB_FAMILY_NAME, 4096));
	t_genl_start(&self->g, VRINGLAB_CMD_COUNTERS_GET, NLM_F_DUMP);
	EXPECT_EQ(0, t_genl_call(&self->g, try_to_unload, &m));
	EXPECT_EQ(-EAGAIN, m.rmmod);
	EXPECT_EQ((unsigned int)NR_VRINGS, m.messages);
	EXPECT_EQ(0, self->g.dump_intr);
	EXPECT_EQ(0, t_kmod_rmmod("vringlab"));
	EXPECT_EQ(-ENOENT, t_vring_dump(&self->g, NULL, 0));
}

TEST_F_TIMEOUT(unload, waits_for_no_dump_that_was_left, SLOW)
{
	struct nlmsghdr *nlh;

	add_many(_metadata, &self->other);
	nlh = t_genl_start(&self->g, VRINGLAB_CMD_HIST_GET, NLM_F_DUMP);
	ASSERT_LT(0, mnl_socket_sendto(self->g.nl, nlh, nlh->nlmsg_len));
	EXPECT_EQ(-EAGAIN, t_kmod_rmmod("vringlab"));
	t_genl_close(&self->g);
	EXPECT_TRUE(EVENTUALLY(!t_kmod_rmmod("vringlab")));
}

static int note_cmd(const struct nlmsghdr *nlh, void *data)
{
	*(uint8_t *)data = ((const struct genlmsghdr *)mnl_nlmsg_get_payload(nlh))->cmd;
	return MNL_CB_OK;
}

TEST_F_TIMEOUT(unload, waits_for_no_listener_and_the_next_module_has_none, SLOW)
{
	struct t_genl ear;
	struct t_vring v;
	uint8_t cmd = 0;
	char byte;

	ASSERT_EQ(0, t_genl_join(&self->g, VRINGLAB_FAMILY_NAME, VRINGLAB_MCGRP_VRINGS));
	ASSERT_EQ(0, add_new(&self->other, &v, "last"));
	EXPECT_EQ(0, t_genl_next(&self->g, note_cmd, &cmd));
	EXPECT_EQ(VRINGLAB_CMD_VRING_ADD_NTF, cmd);
	ASSERT_EQ(0, t_kmod_rmmod("vringlab"));

	ASSERT_EQ(0, t_kmod_insmod(t_kmod_path()));
	t_genl_close(&self->other);
	ASSERT_EQ(0, t_genl_open(&self->other, VRINGLAB_FAMILY_NAME));
	ASSERT_EQ(0, t_genl_open(&ear, VRINGLAB_FAMILY_NAME));
	ASSERT_EQ(0, t_genl_join(&ear, VRINGLAB_FAMILY_NAME, VRINGLAB_MCGRP_VRINGS));
	ASSERT_EQ(0, add_new(&self->other, &v, "first"));
	EXPECT_EQ(0, t_genl_next(&ear, note_cmd, &cmd));
	EXPECT_EQ(VRINGLAB_CMD_VRING_ADD_NTF, cmd);
	EXPECT_GT(0, recv(mnl_socket_get_fd(self->g.nl), &byte, 1, MSG_DONTWAIT));
	t_genl_close(&ear);
}

struct talker {
	pthread_t thread;
	struct t_genl g;
	volatile bool stop;
	unsigned long answers;
	int ret;
};

/* Asks until there is nobody any more. */
static void *talk(void *data)
{
	struct talker *t = data;
	struct t_vring v;

	while (!t->stop && !t->ret) {
		t->ret = add_new(&t->g, &v, "talk");
		if (!t->ret)
			t->ret = t_vring_dump(&t->g, NULL, 0) < 0 ? -EPROTO : 0;
		if (!t->ret)
			t->ret = t_vring_del(&t->g, v.id);
		t->answers += !t->ret;
	}
	return NULL;
}

TEST_F_TIMEOUT(unload, while_others_talk_is_refused_or_done, SLOW)
{
	struct talker *t = calloc(NR_TALKERS, sizeof(*t));
	struct t_vring v;
	int i;

	ASSERT_NE(NULL, t);
	/* The hooks stay until the end. */
	ASSERT_EQ(0, add_new(&self->other, &v, "anchor"));
	for (i = 0; i < NR_TALKERS; i++) {
		ASSERT_EQ(0, t_genl_open(&t[i].g, VRINGLAB_FAMILY_NAME));
		ASSERT_EQ(0, pthread_create(&t[i].thread, NULL, talk, &t[i]));
	}
	EXPECT_TRUE(EVENTUALLY(t[0].answers > 2));
	EXPECT_TRUE(EVENTUALLY(!t_kmod_rmmod("vringlab")));
	for (i = 0; i < NR_TALKERS; i++) {
		t[i].stop = true;
		ASSERT_EQ(0, pthread_join(t[i].thread, NULL));
		/* There, or not there any more: nothing between. */
		EXPECT_TRUE(!t[i].ret || t[i].ret == -ENOENT || t[i].ret == -EPROTO)
		{
			TH_LOG("talker %d: %s", i, strerror(-t[i].ret));
		}
		t_genl_close(&t[i].g);
	}
	free(t);
}

TEST_HARNESS_MAIN
