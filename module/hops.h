/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The path: how a kick's record goes from hop to hop.
 *
 *     kick          wake          call          inject       entry
 *      | put         | take, put   | take, put   | take, put  | take
 *      v             v             v             v            v
 *   [ KICK ] ----> [ WAKE ] ---> [ CALL ] ---> [ INJECT ] --> free
 *
 * A record (struct vl_flight) rests in a stage between two hops; each stage
 * has room for one. A hop takes the record of the stage before its own, stamps
 * it, and puts it into its own stage. Whatever finds no record, or no room, is
 * counted as such: coalesced, unmatched, superseded, missed.
 *
 * Hops of one vring run on any CPU at once, and inside each other by interrupt.
 * A record in no stage belongs to the handler that took or opened it, so its
 * fields need no atomics: xchg() and cmpxchg() are full barriers, and hand over
 * what was written before.
 *
 * The clock is read after a record was taken and before one is put. A hop is
 * thus never stamped earlier than the hop that led to it, even if both run at the
 * same time.
 *
 * What is frequent is inline in the few handlers that come here: a call costs what a
 * record's way through a stage does.
 */
#ifndef _VRINGLAB_HOPS_H
#define _VRINGLAB_HOPS_H

#include "vringlab.h"

#include <linux/atomic.h>
#include <linux/kvm_host.h>

#include "clock.h"
#include "exit.h"
#include "flight.h"
#include "pending.h"
#include "stats.h"
#include "trace.h"
#include "vcpu.h"

/* By enum vl_source: a table is read in fewer instructions than a switch decides in. */
static const u8 vl_kick_counters[VL_SOURCES_NR] = {
	[VL_SOURCE_OTHER] = VL_KICKS_OTHER, [VL_SOURCE_KVM] = VL_KICKS_KVM,
	[VL_SOURCE_VHOST] = VL_KICKS_OTHER, [VL_SOURCE_WRITE] = VL_KICKS_WRITE,
	[VL_SOURCE_READ] = VL_KICKS_OTHER,  [VL_SOURCE_IO_URING] = VL_KICKS_IO_URING,
};

/* Wakes have no other source. */
static const u8 vl_wake_counters[VL_SOURCES_NR] = {
	[VL_SOURCE_READ] = VL_WAKES_READ,
	[VL_SOURCE_VHOST] = VL_WAKES_VHOST,
	[VL_SOURCE_IO_URING] = VL_WAKES_IO_URING,
};

static const u8 vl_call_counters[VL_SOURCES_NR] = {
	[VL_SOURCE_OTHER] = VL_CALLS_OTHER, [VL_SOURCE_KVM] = VL_CALLS_OTHER,
	[VL_SOURCE_VHOST] = VL_CALLS_VHOST, [VL_SOURCE_WRITE] = VL_CALLS_WRITE,
	[VL_SOURCE_READ] = VL_CALLS_OTHER,  [VL_SOURCE_IO_URING] = VL_CALLS_IO_URING,
};

/*
 * Each hop has a cold twin in hops.c, for what is rare or needs other functions: a clock
 * that is not the TSC, a span that moves its minimum or maximum, a hit without a record,
 * a kick that is not KVM's. So the hop itself calls nothing before its end, and saves no
 * registers. @now is its stamp, 0 if there is none yet: one taken anew would be later
 * each time, and no span ever as short as the minimum that it leaves.
 */
void vl_cold_kick(struct vl_vring *vring, enum vl_source source, u64 now) __cold;
bool vl_cold_wake(struct vl_vring *vring, struct vl_flight *flight, enum vl_source source,
		  u64 now) __cold;
void vl_cold_call(struct vl_vring *vring, struct vl_flight *flight, enum vl_source source,
		  u64 now) __cold;
void vl_cold_inject(struct vl_vring *vring, struct vl_flight *flight, u64 target, u8 vector,
		    bool deferred, u64 now) __cold;
void vl_cold_entry(struct vl_vring *vring, struct vl_flight *flight, struct kvm_vcpu *vcpu,
		   const struct vl_vcpu *record, u64 now) __cold;

/*
 * What a hop does last, if anybody wants it. Its trace event comes first, so that what
 * a threshold stops or keeps has it.
 */
void vl_tell_kick(struct vl_vring *vring, enum vl_source source, bool coalesced, s64 exit_kick_ns,
		  u64 exit_ns, u64 now) __cold;
void vl_tell_wake(struct vl_vring *vring, enum vl_source source, bool superseded, s64 kick_wake_ns,
		  u64 now) __cold;
void vl_tell_call(struct vl_vring *vring, enum vl_source source, bool coalesced, s64 wake_call_ns,
		  u64 now) __cold;
void vl_tell_inject(struct vl_vring *vring, u64 target, u8 vector, unsigned int flags,
		    s64 call_inject_ns, u64 now) __cold;
void vl_tell_entry(struct vl_vring *vring, u32 vcpu_id, struct vl_flight *flight,
		   s64 inject_entry_ns, s64 kick_entry_ns, u64 now) __cold;

/*
 * The hop's second half, once it has its stamp and its span is recorded. Kicks come one
 * at a time, under the lock of the vring's one kick eventfd: no other fills the stage.
 */
static __always_inline void vl_put_kick(struct vl_vring *vring, struct vl_stats __percpu *stats,
					enum vl_source source, u64 exit_ns, s64 exit_kick_ns,
					u64 now)
{
	bool coalesced = true;

	vl_stats_inc(stats, vl_kick_counters[source]);
	if (likely(!vl_stage_occupied(vring, VL_STAGE_KICK))) {
		struct vl_flight *flight;

		coalesced = false;
		if (likely(vl_flight_open(vring, &flight))) {
			flight->exit_ns = exit_ns;
			flight->kick_ns = now;
			vl_stage_fill(vring, VL_STAGE_KICK, flight);
		}
	}
	if (coalesced)
		vl_stats_inc(stats, VL_KICK_COALESCED);

	if (trace_kick_enabled() ||
	    vl_threshold_is_hit(vring, VRINGLAB_SPAN_EXIT_KICK, exit_kick_ns))
		vl_tell_kick(vring, source, coalesced, exit_kick_ns, exit_ns, now);
}

/*
 * By KVM; vl_cold_kick() is for all others as well. Kicks and reads of one eventfd come
 * one at a time, under its lock. A kick through KVM is measured from its exit even if it
 * is coalesced: the guest has paid for the exit either way.
 */
static __always_inline void vl_hop_kick(struct vl_vring *vring)
{
	const enum vl_source source = VL_SOURCE_KVM;
	struct vl_stats __percpu *stats = vl_stats_of(vring);
	u64 exit_ns, ns, now;

	if (unlikely(!vl_exit_is_of_involved() || !vl_clock_is_fast()))
		return vl_cold_kick(vring, source, 0);

	now = vl_now_fast_ns();
	exit_ns = this_cpu_read(vl_exit.ns);
	ns = now - exit_ns;
	if (!vl_stats_has_room(stats, VRINGLAB_SPAN_EXIT_KICK, ns))
		return vl_cold_kick(vring, source, now);

	vl_stats_add_span(stats, VRINGLAB_SPAN_EXIT_KICK, ns);
	vl_put_kick(vring, stats, source, exit_ns, ns, now);
}

static __always_inline void vl_put_wake(struct vl_vring *vring, struct vl_stats __percpu *stats,
					struct vl_flight *flight, enum vl_source source,
					s64 kick_wake_ns, u64 now)
{
	bool superseded = false;

	vl_stats_inc(stats, vl_wake_counters[source]);
	if (flight) {
		flight->wake_ns = now;
		/* The newest wake is the one the next call answers. */
		flight = vl_stage_swap(vring, VL_STAGE_WAKE, flight);
		superseded = flight;
	}
	if (unlikely(superseded)) {
		vl_stats_inc(stats, VL_WAKE_SUPERSEDED);
		vl_flight_close(vring, flight);
	}

	if (trace_wake_enabled() ||
	    vl_threshold_is_hit(vring, VRINGLAB_SPAN_KICK_WAKE, kick_wake_ns))
		vl_tell_wake(vring, source, superseded, kick_wake_ns, now);
}

/*
 * A wake that takes no kick opens nothing: polls may complete for no reason.
 *
 * Return: whether it took one
 */
static __always_inline bool vl_hop_wake(struct vl_vring *vring, enum vl_source source)
{
	struct vl_stats __percpu *stats = vl_stats_of(vring);
	struct vl_flight *flight = vl_stage_take(vring, VL_STAGE_KICK);
	u64 ns, now;

	if (unlikely(!flight || !vl_clock_is_fast()))
		return vl_cold_wake(vring, flight, source, 0);

	now = vl_now_fast_ns();
	ns = now - flight->kick_ns;
	if (!vl_stats_has_room(stats, VRINGLAB_SPAN_KICK_WAKE, ns))
		return vl_cold_wake(vring, flight, source, now);

	vl_stats_add_span(stats, VRINGLAB_SPAN_KICK_WAKE, ns);
	vl_put_wake(vring, stats, flight, source, ns, now);
	return true;
}

static __always_inline void vl_put_call(struct vl_vring *vring, struct vl_stats __percpu *stats,
					struct vl_flight *flight, enum vl_source source,
					bool coalesced, s64 wake_call_ns, u64 now)
{
	vl_stats_inc(stats, vl_call_counters[source]);
	if (source == VL_SOURCE_VHOST)
		vl_vhost_called(&vring->vhost);

	if (flight) {
		flight->call_ns = now;
		coalesced = !vl_stage_put(vring, VL_STAGE_CALL, flight);
	}
	if (unlikely(coalesced))
		vl_stats_inc(stats, VL_CALL_COALESCED);

	if (trace_call_enabled() ||
	    vl_threshold_is_hit(vring, VRINGLAB_SPAN_WAKE_CALL, wake_call_ns))
		vl_tell_call(vring, source, coalesced, wake_call_ns, now);
}

static __always_inline void vl_hop_call(struct vl_vring *vring, enum vl_source source)
{
	struct vl_stats __percpu *stats = vl_stats_of(vring);
	struct vl_flight *flight = vl_stage_take(vring, VL_STAGE_WAKE);
	u64 ns, now;

	if (unlikely(!flight || !vl_clock_is_fast()))
		return vl_cold_call(vring, flight, source, 0);

	now = vl_now_fast_ns();
	ns = now - flight->wake_ns;
	if (!vl_stats_has_room(stats, VRINGLAB_SPAN_WAKE_CALL, ns))
		return vl_cold_call(vring, flight, source, now);

	vl_stats_add_span(stats, VRINGLAB_SPAN_WAKE_CALL, ns);
	vl_put_call(vring, stats, flight, source, false, ns, now);
}

/* What else is known of an inject: no more arguments than there are registers for. */
#define VL_IS_DEFERRED BIT(0)
#define VL_IS_COALESCED BIT(1)
#define VL_IS_NOT_ALONE BIT(2)

static __always_inline void vl_put_inject(struct vl_vring *vring, struct vl_stats __percpu *stats,
					  struct vl_flight *flight, u64 target, u8 vector,
					  bool deferred, bool coalesced, s64 call_inject_ns,
					  u64 now)
{
	bool alone = true;

	vl_stats_inc(stats, deferred ? VL_INJECTS_DEFERRED : VL_INJECTS_ATOMIC);
	if (flight) {
		flight->inject_ns = now;
		coalesced = !vl_stage_put(vring, VL_STAGE_INJECT, flight);
		/* Whoever filled the stage says which vCPU empties it. */
		if (likely(!coalesced))
			alone = vl_pending_add(vring, target);
	}
	if (unlikely(coalesced))
		vl_stats_inc(stats, VL_INJECT_COALESCED);

	if (trace_inject_enabled() ||
	    vl_threshold_is_hit(vring, VRINGLAB_SPAN_CALL_INJECT, call_inject_ns))
		vl_tell_inject(vring, target, vector,
			       (deferred ? VL_IS_DEFERRED : 0) | (coalesced ? VL_IS_COALESCED : 0) |
				       (alone ? 0 : VL_IS_NOT_ALONE),
			       call_inject_ns, now);
	else if (unlikely(!alone))
		vl_pending_add_more(vring);
}

static __always_inline void vl_hop_inject(struct vl_vring *vring, u64 target, u8 vector,
					  bool deferred)
{
	struct vl_stats __percpu *stats = vl_stats_of(vring);
	struct vl_flight *flight = vl_stage_take(vring, VL_STAGE_CALL);
	u64 ns, now;

	if (unlikely(!flight || !vl_clock_is_fast()))
		return vl_cold_inject(vring, flight, target, vector, deferred, 0);

	now = vl_now_fast_ns();
	ns = now - flight->call_ns;
	if (!vl_stats_has_room(stats, VRINGLAB_SPAN_CALL_INJECT, ns))
		return vl_cold_inject(vring, flight, target, vector, deferred, now);

	vl_stats_add_span(stats, VRINGLAB_SPAN_CALL_INJECT, ns);
	vl_put_inject(vring, stats, flight, target, vector, deferred, false, ns, now);
}

static __always_inline void vl_close_entry(struct vl_vring *vring, struct vl_stats __percpu *stats,
					   struct vl_flight *flight, u32 vcpu_id,
					   s64 inject_entry_ns, s64 kick_entry_ns, u64 now)
{
	vl_stats_inc(stats, VL_ENTRIES);
	if (trace_entry_enabled() || trace_vring_latency_enabled() ||
	    vl_threshold_is_hit(vring, VRINGLAB_SPAN_INJECT_ENTRY, inject_entry_ns) ||
	    vl_threshold_is_hit(vring, VRINGLAB_SPAN_KICK_ENTRY, kick_entry_ns))
		vl_tell_entry(vring, vcpu_id, flight, inject_entry_ns, kick_entry_ns, now);
	else
		vl_flight_close(vring, flight);
}

/*
 * By vl_pending_take() only, once for each vl_pending_add(). @record is @vcpu's, NULL if
 * it has none.
 */
static __always_inline void vl_hop_entry(struct vl_vring *vring, struct kvm_vcpu *vcpu,
					 const struct vl_vcpu *record)
{
	struct vl_stats __percpu *stats = vl_stats_of(vring);
	struct vl_flight *flight = vl_stage_take(vring, VL_STAGE_INJECT);
	u64 inject_entry_ns, kick_entry_ns, now;

	if (WARN_ON_ONCE(!flight))
		return;
	if (unlikely(!flight->kick_ns || !record || !vl_clock_is_fast()))
		return vl_cold_entry(vring, flight, vcpu, record, 0);

	now = vl_now_fast_ns();
	inject_entry_ns = now - flight->inject_ns;
	kick_entry_ns = now - flight->kick_ns;
	if (!vl_stats_has_room(stats, VRINGLAB_SPAN_INJECT_ENTRY, inject_entry_ns) ||
	    !vl_stats_has_room(stats, VRINGLAB_SPAN_KICK_ENTRY, kick_entry_ns))
		return vl_cold_entry(vring, flight, vcpu, record, now);

	vl_stats_add_span(stats, VRINGLAB_SPAN_INJECT_ENTRY, inject_entry_ns);
	vl_stats_add_span(stats, VRINGLAB_SPAN_KICK_ENTRY, kick_entry_ns);
	vl_close_entry(vring, stats, flight, vcpu->vcpu_id, inject_entry_ns, kick_entry_ns, now);
}

/* As vl_hop_entry(), for a vCPU that ends and has not entered. */
static __always_inline void vl_hop_abandon(struct vl_vring *vring)
{
	struct vl_flight *flight = vl_stage_take(vring, VL_STAGE_INJECT);

	if (WARN_ON_ONCE(!flight))
		return;

	vl_count(vring, VL_INJECT_ABANDONED);
	vl_flight_close(vring, flight);
}

#endif /* _VRINGLAB_HOPS_H */
