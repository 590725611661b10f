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
 * All of it is inline in the few handlers that come here: a call costs what a
 * record's way through a stage does.
 */
#ifndef _VRINGLAB_HOPS_H
#define _VRINGLAB_HOPS_H

#include "vringlab.h"

#include <linux/atomic.h>
#include <linux/kvm_host.h>

#include "clock.h"
#include "exit.h"
#include "pending.h"
#include "stats.h"
#include "trace.h"
#include "vcpu.h"

static __always_inline struct vl_flight *vl_flight_open(struct vl_vring *vring)
{
	unsigned long free;

	while ((free = ~READ_ONCE(vring->busy))) {
		unsigned int bit = __ffs(free);
		struct vl_flight *flight = &vring->flights[bit];

		if (test_and_set_bit(bit, &vring->busy))
			continue;
		*flight = (struct vl_flight){};
		return flight;
	}

	vl_count(vring, VL_MISSED);
	return NULL;
}

static __always_inline void vl_flight_close(struct vl_vring *vring, struct vl_flight *flight)
{
	clear_bit_unlock(flight - vring->flights, &vring->busy);
}

static __always_inline bool vl_stage_occupied(const struct vl_vring *vring, enum vl_stage stage)
{
	return READ_ONCE(vring->stage[stage]);
}

static __always_inline struct vl_flight *vl_stage_swap(struct vl_vring *vring, enum vl_stage stage,
						       struct vl_flight *flight)
{
	return xchg(&vring->stage[stage], flight);
}

static __always_inline struct vl_flight *vl_stage_take(struct vl_vring *vring, enum vl_stage stage)
{
	return vl_stage_occupied(vring, stage) ? vl_stage_swap(vring, stage, NULL) : NULL;
}

/* On failure, an earlier record is still there, and the flight is closed. */
static __always_inline bool vl_stage_put(struct vl_vring *vring, enum vl_stage stage,
					 struct vl_flight *flight)
{
	if (likely(!cmpxchg(&vring->stage[stage], NULL, flight)))
		return true;

	vl_flight_close(vring, flight);
	return false;
}

/* By enum vl_source: a table is read in fewer instructions than a switch decides in. */
extern const u8 vl_kick_counters[VL_SOURCES_NR];
extern const u8 vl_wake_counters[VL_SOURCES_NR];
extern const u8 vl_call_counters[VL_SOURCES_NR];

static __always_inline s64 vl_exit_span(struct vl_vring *vring, u64 exit_ns, u64 now)
{
	if (!exit_ns) {
		vl_count(vring, VL_EXIT_MISSED);
		return -1;
	}
	return vl_stats_span(vring, VRINGLAB_SPAN_EXIT_KICK, exit_ns, now);
}

/*
 * Kicks and reads of one eventfd come one at a time, under its lock. A kick
 * through KVM is measured from its exit even if it is coalesced: the
 * guest has paid for the exit either way.
 */
static __always_inline void vl_hop_kick(struct vl_vring *vring, enum vl_source source)
{
	u64 now = vl_now_ns();
	bool coalesced = true;
	s64 exit_kick_ns = -1;
	u64 exit_ns = 0;

	vl_count(vring, vl_kick_counters[source]);
	if (source == VL_SOURCE_KVM) {
		const struct vl_exit *exit = vl_exit_of_current();

		exit_ns = exit ? exit->ns : 0;
		exit_kick_ns = vl_exit_span(vring, exit_ns, now);
		if (unlikely(!exit || !exit->record))
			vl_vcpu_missed(vring, vl_kvm_exit_vcpu());
	}

	if (!vl_stage_occupied(vring, VL_STAGE_KICK)) {
		struct vl_flight *flight = vl_flight_open(vring);

		coalesced = false;
		if (flight) {
			flight->exit_ns = exit_ns;
			flight->kick_ns = now;
			coalesced = !vl_stage_put(vring, VL_STAGE_KICK, flight);
		}
	}
	if (coalesced)
		vl_count(vring, VL_KICK_COALESCED);

	trace_kick(vring->id, source, coalesced, exit_kick_ns, exit_ns, now);
	vl_threshold_check(vring, VRINGLAB_SPAN_EXIT_KICK, exit_kick_ns, now);
}

/*
 * A wake that takes no kick opens nothing: polls may complete for no reason.
 *
 * Return: whether it took one
 */
static __always_inline bool vl_hop_wake(struct vl_vring *vring, enum vl_source source)
{
	struct vl_flight *flight = vl_stage_take(vring, VL_STAGE_KICK);
	bool matched = flight, superseded = false;
	u64 now = vl_now_ns();
	s64 kick_wake_ns = -1;

	vl_count(vring, vl_wake_counters[source]);

	if (matched) {
		flight->wake_ns = now;
		kick_wake_ns = vl_stats_span(vring, VRINGLAB_SPAN_KICK_WAKE, flight->kick_ns, now);

		/* The newest wake is the one the next call answers. */
		flight = vl_stage_swap(vring, VL_STAGE_WAKE, flight);
		superseded = flight;
		if (superseded) {
			vl_count(vring, VL_WAKE_SUPERSEDED);
			vl_flight_close(vring, flight);
		}
	} else {
		vl_count(vring, VL_WAKE_UNMATCHED);
	}

	trace_wake(vring->id, source, kick_wake_ns, superseded, now);
	vl_threshold_check(vring, VRINGLAB_SPAN_KICK_WAKE, kick_wake_ns, now);
	return matched;
}

static __always_inline void vl_hop_call(struct vl_vring *vring, enum vl_source source)
{
	struct vl_flight *flight = vl_stage_take(vring, VL_STAGE_WAKE);
	u64 now = vl_now_ns();
	bool coalesced = false;
	s64 wake_call_ns = -1;

	vl_count(vring, vl_call_counters[source]);
	if (source == VL_SOURCE_VHOST)
		vl_vhost_called(vring);

	if (flight) {
		wake_call_ns = vl_stats_span(vring, VRINGLAB_SPAN_WAKE_CALL, flight->wake_ns, now);
	} else {
		vl_count(vring, VL_CALL_UNMATCHED);
		if (vl_stage_occupied(vring, VL_STAGE_CALL))
			coalesced = true;
		else
			flight = vl_flight_open(vring);
	}

	if (flight) {
		flight->call_ns = now;
		coalesced = !vl_stage_put(vring, VL_STAGE_CALL, flight);
	}
	if (coalesced)
		vl_count(vring, VL_CALL_COALESCED);

	trace_call(vring->id, source, coalesced, wake_call_ns, now);
	vl_threshold_check(vring, VRINGLAB_SPAN_WAKE_CALL, wake_call_ns, now);
}

static __always_inline void vl_hop_inject(struct vl_vring *vring, struct kvm *kvm, u32 vcpu_id,
					  u8 vector, bool deferred)
{
	struct vl_flight *flight = vl_stage_take(vring, VL_STAGE_CALL);
	u64 now = vl_now_ns();
	bool coalesced = false;
	s64 call_inject_ns = -1;

	vl_count(vring, deferred ? VL_INJECTS_DEFERRED : VL_INJECTS_ATOMIC);

	if (flight) {
		call_inject_ns =
			vl_stats_span(vring, VRINGLAB_SPAN_CALL_INJECT, flight->call_ns, now);
	} else {
		vl_count(vring, VL_INJECT_UNMATCHED);
		if (vl_stage_occupied(vring, VL_STAGE_INJECT))
			coalesced = true;
		else
			flight = vl_flight_open(vring);
	}

	if (flight) {
		flight->inject_ns = now;
		coalesced = !vl_stage_put(vring, VL_STAGE_INJECT, flight);
		/* Whoever filled the stage says which vCPU empties it. */
		if (!coalesced)
			vl_pending_add(vring, vl_target(kvm, vcpu_id));
	}
	if (coalesced)
		vl_count(vring, VL_INJECT_COALESCED);

	trace_inject(vring->id, vcpu_id, vector, deferred, coalesced, call_inject_ns, now);
	vl_threshold_check(vring, VRINGLAB_SPAN_CALL_INJECT, call_inject_ns, now);
}

/* By vl_pending_entry() only, once for each vl_pending_add(). */
static __always_inline void vl_hop_entry(struct vl_vring *vring, struct kvm_vcpu *vcpu)
{
	struct vl_flight *flight = vl_stage_take(vring, VL_STAGE_INJECT);
	s64 inject_entry_ns, kick_entry_ns = -1;
	u64 now;

	if (WARN_ON_ONCE(!flight))
		return;

	now = vl_now_ns();
	vl_count(vring, VL_ENTRIES);
	if (unlikely(!vl_vcpu_lookup(vcpu)))
		vl_vcpu_missed(vring, vcpu);
	inject_entry_ns = vl_stats_span(vring, VRINGLAB_SPAN_INJECT_ENTRY, flight->inject_ns, now);
	if (flight->kick_ns)
		kick_entry_ns =
			vl_stats_span(vring, VRINGLAB_SPAN_KICK_ENTRY, flight->kick_ns, now);

	trace_entry(vring->id, vcpu->vcpu_id, inject_entry_ns, kick_entry_ns, now);
	trace_vring_latency(vring->id, vcpu->vcpu_id, flight, now);
	vl_flight_close(vring, flight);
	vl_threshold_check(vring, VRINGLAB_SPAN_INJECT_ENTRY, inject_entry_ns, now);
	vl_threshold_check(vring, VRINGLAB_SPAN_KICK_ENTRY, kick_entry_ns, now);
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
