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

/* A hop reads once whose turn it is: a reset replaces them. */
static __always_inline struct vl_stats __percpu *vl_stats_of(const struct vl_vring *vring)
{
	return READ_ONCE(vring->stats);
}

static __always_inline void vl_stats_inc(struct vl_stats __percpu *stats, enum vl_counter counter)
{
	this_cpu_inc(stats->counters[counter]);
}

static __always_inline void vl_count(struct vl_vring *vring, enum vl_counter counter)
{
	vl_stats_inc(vl_stats_of(vring), counter);
}

/*
 * Can a span of this length be recorded by vl_stats_add_span()? Not if it moves the
 * minimum or the maximum, nor if it is negative or in the last bucket for want of one.
 * An interrupt in between only moves them further apart.
 */
static __always_inline bool vl_stats_has_room(struct vl_stats __percpu *stats,
					      enum vringlab_span span, u64 ns)
{
	struct vl_span_stats __percpu *s = &stats->spans[span];

	return likely(ns >= __this_cpu_read(s->min_ns) && ns <= __this_cpu_read(s->top_ns));
}

static __always_inline void vl_stats_add_span(struct vl_stats __percpu *stats,
					      enum vringlab_span span, u64 ns)
{
	struct vl_span_stats __percpu *s = &stats->spans[span];

	this_cpu_add(s->sum_ns, ns);
	/* What is counted has its minimum and maximum: see add_span(). */
	smp_wmb();
	this_cpu_inc(s->buckets[vl_hist_index_below(ns)]);
}

#endif /* _VRINGLAB_STATS_H */
