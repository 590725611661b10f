// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dirty log of a ring's device side: which pages are marked, and no others.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "kselftest_harness.h"
#include "t_rig.h"

#define PAGE 0x1000u
#define LOG_BYTES (T_RIG_GPA / PAGE / 8 + T_RIG_BYTES / PAGE / 8)

FIXTURE(log)
{
	struct t_rig rig;
	struct vring_log log;
};

FIXTURE_VARIANT(log)
{
	uint64_t features;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(log, split) { .features = 0 };
FIXTURE_VARIANT_ADD(log, split_event) { .features = T_RIG_EVENT };
FIXTURE_VARIANT_ADD(log, split_indirect) { .features = T_RIG_INDIRECT };
FIXTURE_VARIANT_ADD(log, packed) { .features = T_RIG_PACKED };
FIXTURE_VARIANT_ADD(log, packed_event) { .features = T_RIG_PACKED | T_RIG_EVENT };
FIXTURE_VARIANT_ADD(log, packed_indirect) { .features = T_RIG_PACKED | T_RIG_INDIRECT };
/* clang-format on */

FIXTURE_SETUP(log)
{
	memset(self, 0, sizeof(*self));
	ASSERT_EQ(0, t_rig_init(&self->rig, variant->features, 16));
	self->log.bytes = LOG_BYTES;
	self->log.bits = calloc(1, LOG_BYTES);
	ASSERT_NE(NULL, self->log.bits);
}

FIXTURE_TEARDOWN(log)
{
	t_rig_exit(&self->rig);
	free(self->log.bits);
}

/* Takes the mark of a page away, and says whether it was there. */
static bool take(const struct vring_log *log, uint64_t gpa)
{
	uint64_t page = gpa / PAGE;
	bool was = log->bits[page / 8] >> page % 8 & 1;

	log->bits[page / 8] &= ~(1u << page % 8);
	return was;
}

static bool is_empty(const struct vring_log *log)
{
	for (uint64_t i = 0; i < log->bytes; i++)
		if (log->bits[i])
			return false;
	return true;
}

/* Two writable buffers: the end of page 1 to the middle of page 3, and in page 8. */
static int pop(struct t_rig *r)
{
	const struct vring_buf bufs[] = {
		{ T_RIG_GPA, 16 },
		{ T_RIG_GPA + 2 * PAGE - 8, PAGE + 16 },
		{ T_RIG_GPA + 8 * PAGE, 100 },
	};
	int id = vring_drv_add(&r->drv, bufs, 1, 2);

	return id < 0 ? id : vring_dev_pop(&r->dev, &r->chain);
}

TEST_F(log, has_the_pages_that_were_written_and_no_other)
{
	static const struct {
		uint32_t written;
		bool page1, page2, page3, page8;
	} cases[] = {
		{ 0, false, false, false, false },
		{ 1, true, false, false, false },
		{ 8, true, false, false, false },
		{ 9, true, true, false, false },
		{ PAGE + 8, true, true, false, false },
		{ PAGE + 9, true, true, true, false },
		{ PAGE + 16, true, true, true, false },
		{ PAGE + 17, true, true, true, true },
		{ PAGE + 116, true, true, true, true },
		/* more than there is: the driver is told so, and it is the log's end */
		{ UINT32_MAX, true, true, true, true },
	};
	uint32_t written;

	vring_dev_set_log(&self->rig.dev, &self->log, false, 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ASSERT_EQ(0, pop(&self->rig));
		EXPECT_TRUE(is_empty(&self->log));
		vring_dev_push(&self->rig.dev, &self->rig.chain, cases[i].written);
		EXPECT_EQ(cases[i].page1, take(&self->log, T_RIG_GPA + 1 * PAGE));
		EXPECT_EQ(cases[i].page2, take(&self->log, T_RIG_GPA + 2 * PAGE));
		EXPECT_EQ(cases[i].page3, take(&self->log, T_RIG_GPA + 3 * PAGE));
		EXPECT_EQ(cases[i].page8, take(&self->log, T_RIG_GPA + 8 * PAGE));
		EXPECT_TRUE(is_empty(&self->log)) TH_LOG("case %zu", i);
		ASSERT_LE(0, vring_drv_get(&self->rig.drv, &written));
	}
}

TEST_F(log, has_all_of_a_buffer_that_was_given_up_half_written)
{
	vring_dev_set_log(&self->rig.dev, &self->log, false, 0);
	ASSERT_EQ(0, pop(&self->rig));
	vring_dev_drop(&self->rig.dev, &self->rig.chain);
	for (unsigned int page = 1; page <= 3; page++)
		EXPECT_TRUE(take(&self->log, T_RIG_GPA + page * PAGE));
	EXPECT_TRUE(take(&self->log, T_RIG_GPA + 8 * PAGE));
	EXPECT_TRUE(is_empty(&self->log));
}

TEST_F(log, has_nothing_once_it_is_off)
{
	vring_dev_set_log(&self->rig.dev, &self->log, true, 0);
	vring_dev_set_log(&self->rig.dev, NULL, true, 0);
	ASSERT_EQ(0, pop(&self->rig));
	vring_dev_push(&self->rig.dev, &self->rig.chain, 100);
	ASSERT_EQ(0, pop(&self->rig));
	vring_dev_drop(&self->rig.dev, &self->rig.chain);
	vring_dev_kick_disable(&self->rig.dev);
	vring_dev_kick_enable(&self->rig.dev);
	EXPECT_TRUE(is_empty(&self->log));
}

/* A split ring is logged where the front-end says, even outside of the table. */
#define TOLD (T_RIG_GPA + 32 * PAGE)

TEST_F(log, has_the_used_ring_where_it_was_told_or_where_it_is)
{
	bool packed = t_rig_packed(&self->rig);

	vring_dev_set_log(&self->rig.dev, &self->log, true, TOLD);
	ASSERT_EQ(0, pop(&self->rig));
	vring_dev_push(&self->rig.dev, &self->rig.chain, 0);
	EXPECT_EQ(!packed, take(&self->log, TOLD));
	EXPECT_EQ(packed, take(&self->log, T_RIG_RING_GPA));
	EXPECT_TRUE(is_empty(&self->log));
	vring_dev_kick_disable(&self->rig.dev);
	/* event indices need no word for it */
	EXPECT_EQ(!packed && !(variant->features & T_RIG_EVENT), take(&self->log, TOLD));
	EXPECT_EQ(packed, take(&self->log, T_RIG_RING_GPA));
	vring_dev_kick_enable(&self->rig.dev);
	EXPECT_EQ(!packed, take(&self->log, TOLD));
	EXPECT_EQ(packed, take(&self->log, T_RIG_RING_GPA));
	EXPECT_TRUE(is_empty(&self->log));
}

/* What was told is an I/O virtual address then, and the log's are physical ones. */
TEST_F(log, has_the_used_ring_where_it_is_behind_an_iotlb)
{
	struct vring_iotlb *iotlb;

	ASSERT_EQ(0, vring_iotlb_create(&iotlb, 4));
	self->rig.mem.iotlb = iotlb;
	vring_dev_set_log(&self->rig.dev, &self->log, true, TOLD);
	vring_dev_kick_enable(&self->rig.dev);
	EXPECT_TRUE(take(&self->log, T_RIG_RING_GPA));
	EXPECT_TRUE(is_empty(&self->log));
	vring_iotlb_destroy(iotlb);
	self->rig.mem.iotlb = NULL;
}

TEST(the_ends_of_a_log)
{
	uint8_t bits[4] = { 0 };
	const struct vring_log log = { .bits = bits, .bytes = 2 };

	EXPECT_TRUE(vring_log_covers(&log, 0, 16 * PAGE));
	EXPECT_FALSE(vring_log_covers(&log, 0, 16 * PAGE + 1));
	EXPECT_TRUE(vring_log_covers(&log, UINT64_MAX, 0));
	EXPECT_FALSE(vring_log_covers(&log, UINT64_MAX, 1));
	EXPECT_FALSE(vring_log_covers(&log, 1, UINT64_MAX));
	vring_log_mark(&log, 0, 0);
	vring_log_mark(&log, 16 * PAGE, PAGE);
	vring_log_mark(&log, UINT64_MAX, 1);
	EXPECT_EQ(0, bits[0] | bits[1] | bits[2] | bits[3]);
	vring_log_mark(&log, 15 * PAGE + PAGE - 1, UINT64_MAX);
	EXPECT_EQ(0, bits[0] | bits[2] | bits[3]);
	EXPECT_EQ(0x80, bits[1]);
}

/* One of two who have a bit each in the same byte, and take it back. */
struct marker {
	pthread_t thread;
	const struct vring_log *log;
	unsigned int page;
	unsigned int lost;
};

#define MARKS 300000

static void *mark_and_take(void *arg)
{
	struct marker *m = arg;
	uint8_t bit = 1u << m->page;

	for (unsigned int i = 0; i < MARKS; i++) {
		vring_log_mark(m->log, (uint64_t)m->page * PAGE, 1);
		if (!(__atomic_fetch_and(m->log->bits, ~bit, __ATOMIC_ACQ_REL) & bit))
			m->lost++;
	}
	return NULL;
}

TEST(no_mark_is_lost_while_others_of_its_byte_are_taken)
{
	uint8_t bits = 0;
	const struct vring_log log = { .bits = &bits, .bytes = 1 };
	struct marker markers[] = { { .log = &log, .page = 0 }, { .log = &log, .page = 5 } };

	for (int i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_create(&markers[i].thread, NULL, mark_and_take, &markers[i]));
	for (int i = 0; i < 2; i++)
		pthread_join(markers[i].thread, NULL);
	EXPECT_EQ(0u, markers[0].lost);
	EXPECT_EQ(0u, markers[1].lost);
}

TEST_HARNESS_MAIN
