/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a hop adds to its vring's statistics. Inline, since each hop does it, and
 * with a constant span the place is a constant offset.
 */
#ifndef _VRINGLAB_STATS_H
#define _VRINGLAB_STATS_H

#include <linux/percpu.h>

#include "hist.h"
#include "vringlab.h"

static __always_inline void vl_count(struct vl_vring *vring, enum vl_counter counter)
{
	struct vl_stats __percpu *stats = READ_ONCE(vring->stats);

	this_cpu_inc(stats->counters[counter]);
}

/**
 * vl_stats_span() - Record the length of a span
 * @vring:	Whose.
 * @span:	Which; a constant.
 * @from_ns:	Stamp of the hop it begins with.
 * @to_ns:	Stamp of the hop it ends with.
 *
 * Preemption is off, interrupts may come in between.
 *
 * Return: the span's length, or -1 when it ended before it began
 */
static __always_inline s64 vl_stats_span(struct vl_vring *vring, enum vringlab_span span,
					 u64 from_ns, u64 to_ns)
{
	struct vl_span_stats __percpu *s = &READ_ONCE(vring->stats)->spans[span];
	s64 ns = to_ns - from_ns;

	if (unlikely(ns < 0)) {
		vl_count(vring, VL_ACAUSAL);
		return -1;
	}

	this_cpu_add(s->sum_ns, ns);
	if (unlikely(ns < this_cpu_read(s->min_ns) || ns > this_cpu_read(s->max_ns)))
		vl_stats_bounds(s, ns);
	/* What is counted has its minimum and maximum: see add_span(). */
	smp_wmb();
	this_cpu_inc(s->buckets[vl_hist_index(ns)]);

	return ns;
}

#endif /* _VRINGLAB_STATS_H */
