// SPDX-License-Identifier: GPL-2.0-only
/*
 * What 'vringlab stat --interval' takes for what was between two reports.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <vringlab/err.h>

/* The command is no library; found beside user/include. */
#include "../vringlab/report.c"
#include "../vringlab/report_diff.c"

#include "kselftest_harness.h"

#define NR 3u

/* Three vrings, as they were and as they are; their numbers differ. */
FIXTURE(reports)
{
	struct vl_hist hists[2][NR];
	struct report_vring vrings[2][NR + 1];
	struct report before;
	struct report now;
	struct report diff;
	struct vl_err err;
};

static void make_vring(struct report_vring *rv, struct vl_hist *hist, uint32_t id, uint64_t kicks)
{
	rv->vring.id = id;
	snprintf(rv->vring.label, sizeof(rv->vring.label), "ring.%u", id);
	rv->counters.vring_id = id;
	rv->counters.present = UINT64_MAX;
	rv->counters.value[VLNL_COUNTER_KICKS] = kicks;
	*hist = (struct vl_hist){
		.count = kicks,
		.sum = kicks * 2,
		.min = 2,
		.max = 2,
		.sub_bits = VRINGLAB_HIST_SUB_BITS,
		.nr_buckets = kicks > 0,
		.buckets = { { 2, kicks } },
	};
	rv->spans[VRINGLAB_SPAN_KICK_WAKE] = hist;
}

FIXTURE_SETUP(reports)
{
	memset(self, 0, sizeof(*self));
	for (unsigned int i = 0; i < NR; i++) {
		make_vring(&self->vrings[0][i], &self->hists[0][i], 10 * (i + 1), 100 * i);
		make_vring(&self->vrings[1][i], &self->hists[1][i], 10 * (i + 1), 101 * i);
	}
	self->before = (struct report){
		.read_ns = 1000,
		.vrings = self->vrings[0],
		.nr_vrings = NR,
	};
	self->now = (struct report){
		.read_ns = 3000,
		.vrings = self->vrings[1],
		.nr_vrings = NR,
		.discover.enabled = true,
	};
}

FIXTURE_TEARDOWN(reports)
{
	report_free(&self->diff);
}

static uint64_t kicks(const struct report *report, unsigned int i)
{
	return report->vrings[i].counters.value[VLNL_COUNTER_KICKS];
}

TEST_F(reports, each_number_is_the_difference)
{
	ASSERT_EQ(0, report_diff(&self->diff, &self->now, &self->before, &self->err));
	EXPECT_EQ(REPORT_SINCE_LAST, self->diff.period);
	EXPECT_TRUE(self->diff.discover.enabled);
	ASSERT_EQ(NR, self->diff.nr_vrings);
	for (unsigned int i = 0; i < NR; i++) {
		const struct report_vring *rv = &self->diff.vrings[i];
		const struct vl_hist *h = rv->spans[VRINGLAB_SPAN_KICK_WAKE];

		EXPECT_EQ(10 * (i + 1), rv->vring.id);
		EXPECT_EQ(1000u, rv->time.begin_ns);
		EXPECT_EQ(3000u, rv->time.end_ns);
		EXPECT_EQ(i, kicks(&self->diff, i));
		ASSERT_NE(NULL, h);
		EXPECT_EQ(i, h->count);
		EXPECT_EQ(2 * i, h->sum);
		EXPECT_EQ(i > 0, h->nr_buckets);
		EXPECT_EQ(NULL, rv->spans[VRINGLAB_SPAN_EXIT_KICK]);
	}
}

TEST_F(reports, what_they_are_made_of_stays_as_it_was)
{
	ASSERT_EQ(0, report_diff(&self->diff, &self->now, &self->before, &self->err));
	/* The later one is the next one's earlier one. */
	for (unsigned int i = 0; i < NR; i++) {
		EXPECT_EQ(101 * i, kicks(&self->now, i));
		EXPECT_EQ(101 * i, self->now.vrings[i].spans[VRINGLAB_SPAN_KICK_WAKE]->count);
		EXPECT_EQ(100 * i, kicks(&self->before, i));
	}
}

TEST_F(reports, one_that_came_is_whole_and_one_that_went_is_not_there)
{
	/* 10 has gone, 40 has come. */
	memmove(&self->vrings[1][0], &self->vrings[1][1], 2 * sizeof(self->vrings[1][0]));
	make_vring(&self->vrings[1][2], &self->hists[1][0], 40, 7);
	ASSERT_EQ(0, report_diff(&self->diff, &self->now, &self->before, &self->err));
	ASSERT_EQ(3u, self->diff.nr_vrings);
	EXPECT_EQ(20u, self->diff.vrings[0].vring.id);
	EXPECT_EQ(1u, kicks(&self->diff, 0));
	EXPECT_EQ(30u, self->diff.vrings[1].vring.id);
	EXPECT_EQ(2u, kicks(&self->diff, 1));
	EXPECT_EQ(40u, self->diff.vrings[2].vring.id);
	EXPECT_EQ(7u, kicks(&self->diff, 2));
	EXPECT_EQ(7u, self->diff.vrings[2].spans[VRINGLAB_SPAN_KICK_WAKE]->count);
}

/* The module was loaded anew: the same id is another vring. */
TEST_F(reports, an_id_that_came_again_is_another_vring)
{
	strcpy(self->vrings[1][1].vring.label, "other");
	make_vring(&self->vrings[1][2], &self->hists[1][2], 30, 5);
	ASSERT_EQ(0, report_diff(&self->diff, &self->now, &self->before, &self->err));
	EXPECT_EQ(101u, kicks(&self->diff, 1));
	EXPECT_EQ(5u, kicks(&self->diff, 2));
	EXPECT_EQ(5u, self->diff.vrings[2].spans[VRINGLAB_SPAN_KICK_WAKE]->count);
}

TEST_F(reports, without_vrings_there_is_no_difference)
{
	self->now.nr_vrings = 0;
	ASSERT_EQ(0, report_diff(&self->diff, &self->now, &self->before, &self->err));
	EXPECT_EQ(0u, self->diff.nr_vrings);
}

FIXTURE(vcpus)
{
	struct vlnl_vcpu vcpu[2];
	struct report_vcpus before;
	struct report_vcpus now;
	struct report_vcpus diff;
	struct vl_err err;
};

FIXTURE_SETUP(vcpus)
{
	memset(self, 0, sizeof(*self));
	for (int i = 0; i < 2; i++) {
		self->vcpu[i] = (struct vlnl_vcpu){
			.id = 5,
			.tid = 99,
			.present = UINT64_MAX,
			.value[VLNL_VCPU_COUNTER_EXITS] = 30 + 12 * i,
			.nr_reasons = 2 + i,
			.reasons = { { 1, 10 }, { 7, 20 + 10 * i }, { 12, 2 } },
		};
	}
	self->before = (struct report_vcpus){ .vcpus = &self->vcpu[0], .nr_vcpus = 1 };
	self->now = (struct report_vcpus){ .vcpus = &self->vcpu[1], .nr_vcpus = 1 };
}

FIXTURE_TEARDOWN(vcpus)
{
	report_vcpus_free(&self->diff);
}

TEST_F(vcpus, reasons_without_an_exit_are_left_out)
{
	const struct vlnl_vcpu *v;

	ASSERT_EQ(0, report_vcpus_diff(&self->diff, &self->now, &self->before, &self->err));
	ASSERT_EQ(1u, self->diff.nr_vcpus);
	v = &self->diff.vcpus[0];
	EXPECT_EQ(12u, v->value[VLNL_VCPU_COUNTER_EXITS]);
	ASSERT_EQ(2u, v->nr_reasons);
	EXPECT_EQ(7u, v->reasons[0].code);
	EXPECT_EQ(10u, v->reasons[0].count);
	EXPECT_EQ(12u, v->reasons[1].code);
	EXPECT_EQ(2u, v->reasons[1].count);
}

TEST_F(vcpus, of_another_thread_is_another)
{
	self->vcpu[0].tid = 98;
	ASSERT_EQ(0, report_vcpus_diff(&self->diff, &self->now, &self->before, &self->err));
	EXPECT_EQ(42u, self->diff.vcpus[0].value[VLNL_VCPU_COUNTER_EXITS]);
	EXPECT_EQ(3u, self->diff.vcpus[0].nr_reasons);
}

TEST_HARNESS_MAIN
