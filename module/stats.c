// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counters and histograms of a vring, one share per CPU.
 */
#include "vringlab.h"

#include <linux/cpumask.h>
#include <linux/gfp.h>
#include <linux/string.h>

#include "hist.h"

struct vl_stats __percpu *vl_stats_alloc(void)
{
	struct vl_stats __percpu *stats;
	int cpu, span;

	/* A promise: on a big machine a thousand vrings are gigabytes. */
	BUILD_BUG_ON(sizeof(*stats) > 24 * 1024);

	stats = alloc_percpu_gfp(struct vl_stats, GFP_KERNEL_ACCOUNT);
	if (!stats)
		return NULL;

	for_each_possible_cpu(cpu)
		for (span = 0; span < VL_SPANS; span++)
			per_cpu_ptr(stats, cpu)->spans[span].min_ns = U64_MAX;

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

void vl_stats_read_counters(const struct vl_vring *vring, u64 counters[VL_COUNTERS])
{
	int cpu, i;

	memset(counters, 0, VL_COUNTERS * sizeof(*counters));
	for_each_possible_cpu(cpu) {
		const struct vl_stats *stats = per_cpu_ptr(vring->stats, cpu);

		for (i = 0; i < VL_COUNTERS; i++)
			counters[i] += READ_ONCE(stats->counters[i]);
	}
}

/*
 * Return: how many spans were recorded, the sum of all buckets
 */
u64 vl_stats_read_span(const struct vl_vring *vring, enum vringlab_span span,
		       struct vl_span_stats *sum)
{
	u64 count = 0;
	int cpu, i, last;

	memset(sum, 0, sizeof(*sum));
	sum->min_ns = U64_MAX;
	for_each_possible_cpu(cpu) {
		const struct vl_span_stats *s = &per_cpu_ptr(vring->stats, cpu)->spans[span];
		u64 min_ns = READ_ONCE(s->min_ns);

		/* What is recorded from here on is none of this reading's. */
		if (min_ns == U64_MAX)
			continue;
		last = vl_hist_index(READ_ONCE(s->max_ns));
		for (i = vl_hist_index(min_ns); i <= last; i++)
			sum->buckets[i] += READ_ONCE(s->buckets[i]);
		/* Pairs with the one in vl_stats_span(). */
		smp_rmb();
		sum->sum_ns += READ_ONCE(s->sum_ns);
		sum->min_ns = min(sum->min_ns, READ_ONCE(s->min_ns));
		sum->max_ns = max(sum->max_ns, READ_ONCE(s->max_ns));
	}
	for (i = 0; i < VRINGLAB_HIST_BUCKETS; i++)
		count += sum->buckets[i];

	return count;
}
