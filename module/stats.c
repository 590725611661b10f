// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counters and histograms of a vring, one share per CPU.
 */
#include "vringlab.h"

#include <linux/cpumask.h>
#include <linux/gfp.h>
#include <linux/string.h>

#include "hist.h"
#include "stats.h"

/* No minimum is smaller than the first value. */
void vl_stats_clear(struct vl_stats *stats)
{
	int span;

	memset(stats, 0, sizeof(*stats));
	for (span = 0; span < VL_SPANS; span++)
		stats->spans[span].min_ns = U64_MAX;
}

struct vl_stats __percpu *vl_stats_alloc(void)
{
	struct vl_stats __percpu *stats;
	int cpu;

	/* A promise: on a big machine a thousand vrings are gigabytes. */
	BUILD_BUG_ON(sizeof(*stats) > 24 * 1024);

	stats = alloc_percpu_gfp(struct vl_stats, GFP_KERNEL_ACCOUNT);
	if (!stats)
		return NULL;

	for_each_possible_cpu(cpu)
		vl_stats_clear(per_cpu_ptr(stats, cpu));

	return stats;
}

/* The loops end: each turn means that an interrupt has moved this CPU's value. */
static void move_bounds(struct vl_span_stats __percpu *s, u64 ns)
{
	u64 old, seen;

	for (old = this_cpu_read(s->min_ns); ns < old; old = seen) {
		seen = this_cpu_cmpxchg(s->min_ns, old, ns);
		if (seen == old)
			break;
	}
	for (old = this_cpu_read(s->max_ns); ns > old; old = seen) {
		seen = this_cpu_cmpxchg(s->max_ns, old, ns);
		if (seen == old)
			break;
	}
}

/**
 * vl_stats_span() - Record the length of a span, whatever it is
 * @stats:	Whose.
 * @span:	Which.
 * @from_ns:	Stamp of the hop it begins with.
 * @to_ns:	Stamp of the hop it ends with.
 *
 * Preemption is off, interrupts may come in between.
 *
 * Return: the span's length, or -1 when it ended before it began
 */
s64 vl_stats_span(struct vl_stats __percpu *stats, enum vringlab_span span, u64 from_ns, u64 to_ns)
{
	struct vl_span_stats __percpu *s = &stats->spans[span];
	s64 ns = to_ns - from_ns;

	if (ns < 0) {
		vl_stats_inc(stats, VL_ACAUSAL);
		return -1;
	}

	this_cpu_add(s->sum_ns, ns);
	move_bounds(s, ns);
	/* An interrupt in between may have raised it: too low only leads here again. */
	this_cpu_write(s->top_ns, min(this_cpu_read(s->max_ns), VL_HIST_TOP));
	/* As in vl_stats_add_span(). */
	smp_wmb();
	this_cpu_inc(s->buckets[vl_hist_index(ns)]);

	return ns;
}

static void add_counters(u64 counters[VL_COUNTERS], const struct vl_stats *stats)
{
	int i;

	for (i = 0; i < VL_COUNTERS; i++)
		counters[i] += READ_ONCE(stats->counters[i]);
}

/* After the buckets. */
static void add_bounds(struct vl_span_stats *sum, const struct vl_span_stats *s)
{
	/* Pairs with the one in vl_stats_span(). */
	smp_rmb();
	sum->sum_ns += READ_ONCE(s->sum_ns);
	sum->min_ns = min(sum->min_ns, READ_ONCE(s->min_ns));
	sum->max_ns = max(sum->max_ns, READ_ONCE(s->max_ns));
}

static void add_span(struct vl_span_stats *sum, const struct vl_span_stats *s)
{
	u64 min_ns = READ_ONCE(s->min_ns);
	int i, last;

	/* What is recorded from here on is none of this reading's. */
	if (min_ns == U64_MAX)
		return;
	last = vl_hist_index(READ_ONCE(s->max_ns));
	for (i = vl_hist_index(min_ns); i <= last; i++)
		sum->buckets[i] += READ_ONCE(s->buckets[i]);
	add_bounds(sum, s);
}

void vl_stats_add(struct vl_stats *sum, const struct vl_stats *stats)
{
	int span;

	add_counters(sum->counters, stats);
	for (span = 0; span < VL_SPANS; span++)
		add_span(&sum->spans[span], &stats->spans[span]);
}

void vl_stats_read_counters(const struct vl_vring *vring, u64 counters[VL_COUNTERS])
{
	int cpu;

	memset(counters, 0, VL_COUNTERS * sizeof(*counters));
	if (vring->past)
		add_counters(counters, vring->past);
	for_each_possible_cpu(cpu)
		add_counters(counters, per_cpu_ptr(vring->stats, cpu));
}

/* Of all shares, the least and the greatest bucket that may have something. */
struct reach {
	int first;
	int last;
};

static void widen(struct reach *reach, const struct vl_span_stats *s)
{
	u64 min_ns = READ_ONCE(s->min_ns);

	if (min_ns == U64_MAX)
		return;
	reach->first = min_t(int, reach->first, vl_hist_index(min_ns));
	reach->last = max_t(int, reach->last, vl_hist_index(READ_ONCE(s->max_ns)));
}

static void clear_buckets(struct vl_span_stats *sum, int first, int last)
{
	if (first <= last)
		memset(&sum->buckets[first], 0, (last - first + 1) * sizeof(sum->buckets[0]));
}

static void add_reach(struct vl_span_stats *sum, const struct vl_span_stats *s,
		      const struct reach *reach)
{
	int i;

	if (READ_ONCE(s->min_ns) == U64_MAX)
		return;
	for (i = reach->first; i <= reach->last; i++)
		sum->buckets[i] += READ_ONCE(s->buckets[i]);
	add_bounds(sum, s);
}

/* What is recorded meanwhile may have moved them beyond the buckets that were read. */
static void clear_beyond(struct vl_span_stats *sum, const struct reach *reach)
{
	if (sum->min_ns == U64_MAX)
		return;
	clear_buckets(sum, vl_hist_index(sum->min_ns), reach->first - 1);
	clear_buckets(sum, reach->last + 1, vl_hist_index(sum->max_ns));
}

/*
 * Most buckets of most histograms are empty, and there are thousands of them: only
 * those from the minimum's to the maximum's are set.
 */
void vl_stats_read_span(const struct vl_vring *vring, enum vringlab_span span,
			struct vl_span_stats *sum)
{
	const struct vl_span_stats *past = vring->past ? &vring->past->spans[span] : NULL;
	struct reach reach = { VRINGLAB_HIST_BUCKETS, -1 };
	int cpu;

	sum->sum_ns = 0;
	sum->min_ns = U64_MAX;
	sum->max_ns = 0;
	if (past)
		widen(&reach, past);
	for_each_possible_cpu(cpu)
		widen(&reach, &per_cpu_ptr(vring->stats, cpu)->spans[span]);
	clear_buckets(sum, reach.first, reach.last);

	if (past)
		add_reach(sum, past, &reach);
	for_each_possible_cpu(cpu)
		add_reach(sum, &per_cpu_ptr(vring->stats, cpu)->spans[span], &reach);
	clear_beyond(sum, &reach);
}

/*
 * Return: how many spans were recorded, the sum of all buckets
 */
u64 vl_stats_count(const struct vl_span_stats *s)
{
	u64 count = 0;
	int i, last;

	if (s->min_ns == U64_MAX)
		return 0;
	last = vl_hist_index(s->max_ns);
	for (i = vl_hist_index(s->min_ns); i <= last; i++)
		count += s->buckets[i];

	return count;
}
