// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counters and histograms of a vring, one share per CPU.
 */
#include "vringlab.h"

#include <linux/cpumask.h>
#include <linux/gfp.h>
#include <linux/string.h>

#include "hist.h"

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

/*
 * Rare after a while. The loops end: each turn means that this CPU's value moved
 * further towards ours, by an interrupt that came in between.
 */
void vl_stats_bounds(struct vl_span_stats __percpu *s, u64 ns)
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

static void add_counters(u64 counters[VL_COUNTERS], const struct vl_stats *stats)
{
	int i;

	for (i = 0; i < VL_COUNTERS; i++)
		counters[i] += READ_ONCE(stats->counters[i]);
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
	/* Pairs with the one in vl_stats_span(). */
	smp_rmb();
	sum->sum_ns += READ_ONCE(s->sum_ns);
	sum->min_ns = min(sum->min_ns, READ_ONCE(s->min_ns));
	sum->max_ns = max(sum->max_ns, READ_ONCE(s->max_ns));
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

/*
 * Return: how many spans were recorded, the sum of all buckets
 */
u64 vl_stats_count(const struct vl_span_stats *s)
{
	u64 count = 0;
	int i;

	for (i = 0; i < VRINGLAB_HIST_BUCKETS; i++)
		count += s->buckets[i];

	return count;
}

void vl_stats_read_span(const struct vl_vring *vring, enum vringlab_span span,
			struct vl_span_stats *sum)
{
	int cpu;

	memset(sum, 0, sizeof(*sum));
	sum->min_ns = U64_MAX;
	if (vring->past)
		add_span(sum, &vring->past->spans[span]);
	for_each_possible_cpu(cpu)
		add_span(sum, &per_cpu_ptr(vring->stats, cpu)->spans[span]);
}
