// SPDX-License-Identifier: GPL-2.0-only
/*
 * Notifications that a driver suppresses, in both ring formats, of a back-end in a
 * process: the module sees those that are sent, and no other.
 */
#include "module.h"
#include "t_rig.h"

#define NUM 16
#define ROUNDS 20
#define BATCH 5

/* clang-format off */
FIXTURE(suppress) {
	struct t_genl g;
	struct t_rig r;
	struct t_vring v;
	struct t_stats s;
	uint64_t decisions;
	uint64_t sent;
};

FIXTURE_VARIANT(suppress) {
	uint64_t features;
};

FIXTURE_VARIANT_ADD(suppress, split) { .features = 0 };
FIXTURE_VARIANT_ADD(suppress, split_event_idx) { .features = T_RIG_EVENT };
FIXTURE_VARIANT_ADD(suppress, packed) { .features = T_RIG_PACKED };
FIXTURE_VARIANT_ADD(suppress, packed_event_idx) { .features = T_RIG_PACKED | T_RIG_EVENT };

/* clang-format on */

FIXTURE_SETUP(suppress)
{
	OPEN_OR_SKIP(&self->g);
	ASSERT_EQ(0, t_rig_init(&self->r, variant->features, NUM));
	self->v = (struct t_vring){
		.has = HAS(LABEL) | HAS(KICK_FD) | HAS(CALL_FD),
		.label = "suppress.0",
		.kick_fd = new_eventfd(_metadata, EFD_NONBLOCK),
		.call_fd = new_eventfd(_metadata, EFD_NONBLOCK),
	};
	vring_add(_metadata, &self->g, &self->v);
}

FIXTURE_TEARDOWN(suppress)
{
	t_rig_exit(&self->r);
	t_genl_close(&self->g);
	close(self->v.kick_fd);
	close(self->v.call_fd);
}

/* The back-end serves one chain, and decides. */
static void serve(struct __test_metadata *_metadata, FIXTURE_DATA(suppress) * self)
{
	ASSERT_EQ(0, vring_dev_pop(&self->r.dev, &self->r.chain));
	vring_dev_push(&self->r.dev, &self->r.chain, 1);
	self->decisions++;
	if (!vring_dev_should_call(&self->r.dev))
		return;
	ASSERT_EQ(0, eventfd_write(self->v.call_fd, 1));
	self->sent++;
}

/* The driver has so many served, and takes them back. */
static void batch(struct __test_metadata *_metadata, FIXTURE_DATA(suppress) * self, unsigned int nr)
{
	const struct vring_buf buf = { .gpa = T_RIG_GPA, .len = 8 };
	uint32_t written;

	for (unsigned int i = 0; i < nr; i++)
		ASSERT_LE(0, vring_drv_add(&self->r.drv, &buf, 0, 1));
	for (unsigned int i = 0; i < nr; i++)
		serve(_metadata, self);
	for (unsigned int i = 0; i < nr; i++)
		ASSERT_LE(0, vring_drv_get(&self->r.drv, &written));
}

/* The eventfd has added up what was written. */
static void expect_sent(struct __test_metadata *_metadata, FIXTURE_DATA(suppress) * self,
			uint64_t sent)
{
	eventfd_t value = 0;

	EXPECT_EQ(sent, self->sent);
	eventfd_read(self->v.call_fd, &value);
	EXPECT_EQ(sent, value);
	stats_get(_metadata, &self->g, self->v.id, &self->s);
	EXPECT_EQ(sent, T_CNT(&self->s, CALLS));
	EXPECT_EQ(sent, T_CNT(&self->s, CALLS_WRITE));
	/* Of a process, the decisions are the process' own to count. */
	EXPECT_EQ(0u, T_CNT(&self->s, NOTIFIES));
	EXPECT_LAWFUL(&self->s);
}

TEST_F_TIMEOUT(suppress, each_that_is_wanted_is_seen, SLOW)
{
	for (int i = 0; i < ROUNDS; i++) {
		vring_drv_call_enable(&self->r.drv);
		batch(_metadata, self, 1);
	}
	EXPECT_EQ((uint64_t)ROUNDS, self->decisions);
	expect_sent(_metadata, self, ROUNDS);
}

TEST_F_TIMEOUT(suppress, none_that_is_suppressed_is_seen, SLOW)
{
	/* Of the first, a device that goes by an event index has nothing to compare. */
	vring_drv_call_enable(&self->r.drv);
	batch(_metadata, self, 1);
	vring_drv_call_disable(&self->r.drv);
	for (int i = 0; i < ROUNDS; i++)
		batch(_metadata, self, 1);
	EXPECT_EQ(1u + ROUNDS, self->decisions);
	expect_sent(_metadata, self, 1);
}

TEST_F_TIMEOUT(suppress, of_a_batch_those_are_seen_that_the_event_index_lets_through, SLOW)
{
	uint64_t each = variant->features & T_RIG_EVENT ? 1 : BATCH;

	for (int i = 0; i < ROUNDS; i++) {
		vring_drv_call_enable(&self->r.drv);
		batch(_metadata, self, BATCH);
	}
	EXPECT_EQ((uint64_t)ROUNDS * BATCH, self->decisions);
	expect_sent(_metadata, self, ROUNDS * each);
}

USE_MODULE_WITH_ANCHOR

TEST_HARNESS_MAIN
