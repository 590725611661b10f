// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a vring did since it was last reset, and the reset.
 *
 * The path records into whatever set of numbers the vring points to. A reset
 * points it to an empty set and waits until no handler can still write to the
 * old one. That one is complete then: each hit, with its span's sum, minimum,
 * maximum and bucket, is wholly in it or wholly in the next. It costs the path
 * nothing, and one set in reserve serves all vrings.
 */
#include "vringlab.h"

#include <linux/cpumask.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>

/* An empty set, or NULL. Under vl_vrings_lock. */
static struct vl_stats __percpu *reserve;

/* Both may sleep: all that a reset needs is there before it begins. */
static int prepare(struct vl_vring *vring)
{
	if (!reserve)
		reserve = vl_stats_alloc();
	if (!vring->past) {
		vring->past = kvmalloc(sizeof(*vring->past), GFP_KERNEL_ACCOUNT);
		if (vring->past)
			vl_stats_clear(vring->past);
	}

	return reserve && vring->past ? 0 : -ENOMEM;
}

static struct vl_stats __percpu *swap_sets(struct vl_vring *vring)
{
	struct vl_stats __percpu *old = vring->stats;

	/* Orders the emptying of the new set before its use. */
	smp_store_release(&vring->stats, reserve);
	reserve = NULL;
	/* Whoever has the old one is in vl_path_enter() to vl_path_leave(). */
	synchronize_rcu_expedited();

	return old;
}

static void read_set(struct vl_stats __percpu *set, struct vl_stats *sum)
{
	int cpu;

	vl_stats_clear(sum);
	for_each_possible_cpu(cpu)
		vl_stats_add(sum, per_cpu_ptr(set, cpu));
}

/* What vhost gives back after a reset was of the past: the next ones make up for it. */
static u64 since(u64 total, u64 past)
{
	return total > past ? total - past : 0;
}

/* vhost counts these itself, from the vring's begin on. */
static void read_vhost(const struct vl_vring *vring, struct vl_stats *sum)
{
	u64 *taken = &sum->counters[VL_TAKEN], *used = &sum->counters[VL_USED];

	vl_vhost_read(vring, taken, used);
	if (vring->past) {
		*taken = since(*taken, vring->past->counters[VL_TAKEN]);
		*used = since(*used, vring->past->counters[VL_USED]);
	}
}

void vl_interval_get(const struct vl_vring *vring, struct vl_interval *interval)
{
	lockdep_assert_held(&vl_vrings_lock);

	read_set(vring->stats, &interval->stats);
	read_vhost(vring, &interval->stats);
	interval->begin_ns = vring->reset_ns;
	interval->end_ns = ktime_get_mono_fast_ns();
}

int vl_interval_reset(struct vl_vring *vring, struct vl_interval *interval)
{
	struct vl_stats __percpu *old;
	int ret, cpu;

	lockdep_assert_held(&vl_vrings_lock);

	ret = prepare(vring);
	if (ret)
		return ret;

	interval->begin_ns = vring->reset_ns;
	interval->end_ns = ktime_get_mono_fast_ns();
	vring->reset_ns = interval->end_ns;

	old = swap_sets(vring);
	read_set(old, &interval->stats);
	read_vhost(vring, &interval->stats);
	vl_stats_add(vring->past, &interval->stats);

	for_each_possible_cpu(cpu)
		vl_stats_clear(per_cpu_ptr(old, cpu));
	reserve = old;

	return 0;
}

void vl_interval_exit(void)
{
	free_percpu(reserve);
}
