// SPDX-License-Identifier: GPL-2.0-only
/*
 * Dumps, while virtqueues come and go.
 */
#include <pthread.h>

#include <vringlab/err.h>
#include <vringlab/nl.h>

#include "netlink.h"

#define NR_STABLE 150

/* clang-format off */
FIXTURE(dump) {
	struct t_genl g;
	struct t_genl other;
	struct t_vring stable[NR_STABLE];
	uint32_t spare[NR_STABLE];
};

/* clang-format on */

static void respare(struct __test_metadata *_metadata, FIXTURE_DATA(dump) * self)
{
	struct t_vring v;
	int i;

	for (i = 0; i < NR_STABLE; i++) {
		ASSERT_EQ(0, add_new(&self->other, &v, "spare"));
		self->spare[i] = v.id;
	}
}

FIXTURE_SETUP(dump)
{
	struct t_vring v;
	int i;

	OPEN_OR_SKIP(&self->g);
	ASSERT_EQ(0, t_genl_open(&self->other, VRINGLAB_FAMILY_NAME));
	for (i = 0; i < NR_STABLE; i++) {
		ASSERT_EQ(0, add_new(&self->other, &v, "spare"));
		self->spare[i] = v.id;
		ASSERT_EQ(0, add_new(&self->g, &self->stable[i], "stable"));
	}
}

FIXTURE_TEARDOWN(dump)
{
	struct t_vring v;

	EXPECT_EQ(0u, self->g.leak);
	t_genl_close(&self->g);
	t_genl_close(&self->other);
	EXPECT_EQ(0, t_genl_open(&self->g, VRINGLAB_FAMILY_NAME));
	EXPECT_TRUE(EVENTUALLY(t_vring_dump(&self->g, &v, 1) == 1));
	t_genl_close(&self->g);
}

struct seen {
	FIXTURE_DATA(dump) * self;
	struct t_genl *g;
	unsigned int messages;
	unsigned int times[NR_STABLE];
	unsigned int per_vring;
	bool meddle;
	bool beside;
};

static int note_stable(struct seen *s, uint32_t id)
{
	int i;

	for (i = 0; i < NR_STABLE; i++)
		if (s->self->stable[i].id == id)
			s->times[i]++;
	s->messages++;
	/* In the middle of the dump, once: another dump, by another socket. */
	if (s->beside && s->messages == 6 && t_vring_dump(&s->self->other, NULL, 0) < 2 * NR_STABLE)
		return MNL_CB_ERROR;
	/* Likewise: half go, as many new ones come. */
	if (s->meddle && s->messages == 6) {
		struct t_vring v;

		for (i = 0; i < NR_STABLE; i += 2)
			if (t_vring_del(&s->self->other, s->self->spare[i]) ||
			    add_new(&s->self->other, &v, "spare"))
				return MNL_CB_ERROR;
	}
	return MNL_CB_OK;
}

/* In each set of attributes the id has the same number. */
static int note_message(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *attr;

	mnl_attr_for_each(attr, nlh, sizeof(struct genlmsghdr))
		if (mnl_attr_get_type(attr) == VRINGLAB_A_VRING_ID)
			return note_stable(data, mnl_attr_get_u32(attr));
	return MNL_CB_ERROR;
}

static void expect_each_once(struct __test_metadata *_metadata, struct seen *s, uint8_t cmd)
{
	struct t_genl *g = s->g ?: &s->self->g;
	int i, ret;

	t_genl_start(g, cmd, NLM_F_DUMP);
	ret = t_genl_call(g, note_message, s);
	/* EINTR is how a dump says that it is not one moment's picture. */
	if (ret != -EINTR)
		ASSERT_EQ(0, ret);
	for (i = 0; i < NR_STABLE; i++)
		EXPECT_EQ(s->per_vring, s->times[i])
		{
			TH_LOG("stable vring %d of %d, command %u", i, NR_STABLE, cmd);
		}
}

TEST_F_TIMEOUT(dump, shows_each_vring_once, SLOW)
{
	struct seen s = { .self = self, .per_vring = 1 };

	expect_each_once(_metadata, &s, VRINGLAB_CMD_VRING_GET);
	EXPECT_EQ(0, self->g.dump_intr);
}

TEST_F_TIMEOUT(dump, shows_each_vrings_counters_once, SLOW)
{
	struct seen s = { .self = self, .per_vring = 1 };

	expect_each_once(_metadata, &s, VRINGLAB_CMD_COUNTERS_GET);
}

TEST_F_TIMEOUT(dump, shows_each_vrings_six_hists_once, SLOW)
{
	struct seen s = { .self = self, .per_vring = T_NR_SPANS };

	expect_each_once(_metadata, &s, VRINGLAB_CMD_HIST_GET);
}

/* A part holds the largest message. */
static unsigned int smallest_part(uint8_t cmd)
{
	return cmd == VRINGLAB_CMD_HIST_GET ? 16384 : 4096;
}

static const uint8_t dumps[] = { VRINGLAB_CMD_VRING_GET, VRINGLAB_CMD_COUNTERS_GET,
				 VRINGLAB_CMD_HIST_GET };

TEST_F_TIMEOUT(dump, in_small_parts_is_whole, SLOW)
{
	struct t_genl g;
	int i;

	for (i = 0; i < 3; i++) {
		struct seen s = {
			.self = self, .g = &g, .per_vring = i == 2 ? 6 : 1, .beside = true
		};

		ASSERT_EQ(0, t_genl_open_parts(&g, VRINGLAB_FAMILY_NAME, smallest_part(dumps[i])));
		expect_each_once(_metadata, &s, dumps[i]);
		EXPECT_EQ(0, g.dump_intr);
		t_genl_close(&g);
	}
}

TEST_F_TIMEOUT(dump, in_small_parts_says_when_it_is_not_of_one_moment, SLOW)
{
	struct t_genl g;
	int i;

	for (i = 0; i < 3; i++) {
		struct seen s = {
			.self = self, .g = &g, .per_vring = i == 2 ? 6 : 1, .meddle = true
		};

		ASSERT_EQ(0, t_genl_open_parts(&g, VRINGLAB_FAMILY_NAME, smallest_part(dumps[i])));
		expect_each_once(_metadata, &s, dumps[i]);
		EXPECT_EQ(1, g.dump_intr)
		{
			TH_LOG("command %u", dumps[i]);
		}
		t_genl_close(&g);
		/* Those that came meanwhile go, and are spares again. */
		t_genl_close(&self->other);
		ASSERT_EQ(0, t_genl_open(&self->other, VRINGLAB_FAMILY_NAME));
		respare(_metadata, self);
	}
}

TEST_F_TIMEOUT(dump, neither_loses_nor_repeats_a_vring_when_others_come_and_go, SLOW)
{
	static const uint8_t cmds[] = { VRINGLAB_CMD_VRING_GET, VRINGLAB_CMD_COUNTERS_GET,
					VRINGLAB_CMD_HIST_GET };
	int i;

	for (i = 0; i < 3; i++) {
		struct seen s = { .self = self, .meddle = i == 0, .per_vring = i == 2 ? 6 : 1 };

		expect_each_once(_metadata, &s, cmds[i]);
	}
}

struct churn {
	struct t_genl g;
	volatile bool stop;
	unsigned long rounds;
	int ret;
};

static void *churn(void *data)
{
	struct churn *c = data;
	struct t_vring v[8];
	int i;

	while (!c->stop && !c->ret) {
		for (i = 0; i < 8 && !c->ret; i++)
			c->ret = add_new(&c->g, &v[i], "churn");
		while (i-- > 0 && !c->ret)
			c->ret = t_vring_del(&c->g, v[i].id);
		c->rounds++;
	}
	return NULL;
}

TEST_F_TIMEOUT(dump, holds_while_another_thread_adds_and_deletes, SLOW)
{
	struct churn *c = calloc(1, sizeof(*c));
	pthread_t thread;
	int i;

	ASSERT_NE(NULL, c);
	ASSERT_EQ(0, t_genl_open(&c->g, VRINGLAB_FAMILY_NAME));
	ASSERT_EQ(0, pthread_create(&thread, NULL, churn, c));
	for (i = 0; i < 20; i++) {
		struct seen s = { .self = self, .per_vring = 1 };

		expect_each_once(_metadata, &s,
				 i & 1 ? VRINGLAB_CMD_COUNTERS_GET : VRINGLAB_CMD_VRING_GET);
	}
	c->stop = true;
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(0, c->ret);
	EXPECT_LT(0ul, c->rounds);
	EXPECT_EQ(0u, c->g.leak);
	t_genl_close(&c->g);
	free(c);
}

/* How often each stable vring is in it, if all are equally often; else -1. */
static int times_of_each(FIXTURE_DATA(dump) * self, const struct vlnl_hist *hists, int nr)
{
	unsigned int times[NR_STABLE] = { 0 };
	int i, j;

	for (i = 0; i < nr; i++, hists = vlnl_hist_next(hists))
		for (j = 0; j < NR_STABLE; j++)
			times[j] += self->stable[j].id == hists->vring_id;
	for (j = 1; j < NR_STABLE; j++)
		if (times[j] != times[0])
			return -1;
	return times[0];
}

/* What the library gives is of one moment, or it says that it could have none. */
TEST_F_TIMEOUT(dump, of_the_library_is_begun_again, SLOW)
{
	struct churn *c = calloc(1, sizeof(*c));
	struct vlnl_hist *hists = NULL;
	unsigned int whole = 0, i;
	struct vlnl *nl;
	pthread_t thread;
	struct vl_err err;
	int ret;

	ASSERT_NE(NULL, c);
	ASSERT_EQ(0, vlnl_open(&nl, &err));
	ASSERT_EQ(0, t_genl_open(&c->g, VRINGLAB_FAMILY_NAME));
	ASSERT_EQ(0, pthread_create(&thread, NULL, churn, c));
	for (i = 0; i < 3; i++) {
		ret = vlnl_hist_dump(nl, &hists, &err);
		if (ret == -EINTR)
			continue;
		ASSERT_LT(0, ret);
		EXPECT_EQ(T_NR_SPANS, times_of_each(self, hists, ret));
		free(hists);
		whole++;
	}
	c->stop = true;
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(0, c->ret);
	ret = vlnl_hist_dump(nl, &hists, &err);
	ASSERT_LT(0, ret);
	EXPECT_EQ(T_NR_SPANS, times_of_each(self, hists, ret));
	free(hists);
	TH_LOG("%u of %u dumps were of one moment", whole, i);
	vlnl_close(nl);
	t_genl_close(&c->g);
	free(c);
}

USE_MODULE_WITH_ANCHOR

TEST_HARNESS_MAIN
