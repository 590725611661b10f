// SPDX-License-Identifier: GPL-2.0-only
/*
 * The cold halves of hops.h.
 */
#include "hops.h"

/* The exit that a kick through KVM comes from; 0 if it was not seen. */
static u64 exit_of_kick(struct vl_vring *vring)
{
	bool seen = vl_exit_is_of_current();

	if (!vl_exit_is_of_involved())
		vl_vcpu_missed(vring, vl_kvm_exit_vcpu());
	return seen ? this_cpu_read(vl_exit.ns) : 0;
}

void vl_cold_kick(struct vl_vring *vring, enum vl_source source, u64 now)
{
	struct vl_stats __percpu *stats = vl_stats_of(vring);
	s64 exit_kick_ns = -1;
	u64 exit_ns = 0;

	now = now ?: vl_now_ns();
	if (source == VL_SOURCE_KVM) {
		exit_ns = exit_of_kick(vring);
		if (exit_ns)
			exit_kick_ns = vl_stats_span(stats, VRINGLAB_SPAN_EXIT_KICK, exit_ns, now);
		else
			vl_stats_inc(stats, VL_EXIT_MISSED);
	}
	vl_put_kick(vring, stats, source, exit_ns, exit_kick_ns, now);
}

bool vl_cold_wake(struct vl_vring *vring, struct vl_flight *flight, enum vl_source source, u64 now)
{
	struct vl_stats __percpu *stats = vl_stats_of(vring);
	s64 kick_wake_ns = -1;

	now = now ?: vl_now_ns();
	if (flight)
		kick_wake_ns = vl_stats_span(stats, VRINGLAB_SPAN_KICK_WAKE, flight->kick_ns, now);
	else
		vl_stats_inc(stats, VL_WAKE_UNMATCHED);
	vl_put_wake(vring, stats, flight, source, kick_wake_ns, now);
	return flight;
}

/* A record that begins here, unless the stage has one: then @coalesced is set. */
static struct vl_flight *begin_at(struct vl_vring *vring, enum vl_stage stage, bool *coalesced)
{
	struct vl_flight *flight;

	*coalesced = vl_stage_occupied(vring, stage);
	if (*coalesced || !vl_flight_open(vring, &flight))
		return NULL;
	*flight = (struct vl_flight){};
	return flight;
}

void vl_cold_call(struct vl_vring *vring, struct vl_flight *flight, enum vl_source source, u64 now)
{
	struct vl_stats __percpu *stats = vl_stats_of(vring);
	bool coalesced = false;
	s64 wake_call_ns = -1;

	now = now ?: vl_now_ns();
	if (flight) {
		wake_call_ns = vl_stats_span(stats, VRINGLAB_SPAN_WAKE_CALL, flight->wake_ns, now);
	} else {
		vl_stats_inc(stats, VL_CALL_UNMATCHED);
		flight = begin_at(vring, VL_STAGE_CALL, &coalesced);
	}
	vl_put_call(vring, stats, flight, source, coalesced, wake_call_ns, now);
}

void vl_cold_inject(struct vl_vring *vring, struct vl_flight *flight, u64 target, u8 vector,
		    bool deferred, u64 now)
{
	struct vl_stats __percpu *stats = vl_stats_of(vring);
	s64 call_inject_ns = -1;
	bool coalesced = false;

	now = now ?: vl_now_ns();
	if (flight) {
		call_inject_ns =
			vl_stats_span(stats, VRINGLAB_SPAN_CALL_INJECT, flight->call_ns, now);
	} else {
		vl_stats_inc(stats, VL_INJECT_UNMATCHED);
		flight = begin_at(vring, VL_STAGE_INJECT, &coalesced);
	}
	vl_put_inject(vring, stats, flight, target, vector, deferred, coalesced, call_inject_ns,
		      now);
}

void vl_cold_entry(struct vl_vring *vring, struct vl_flight *flight, struct kvm_vcpu *vcpu,
		   const struct vl_vcpu *record, u64 now)
{
	struct vl_stats __percpu *stats = vl_stats_of(vring);
	s64 inject_entry_ns, kick_entry_ns = -1;

	now = now ?: vl_now_ns();
	if (!record)
		vl_vcpu_missed(vring, vcpu);
	inject_entry_ns = vl_stats_span(stats, VRINGLAB_SPAN_INJECT_ENTRY, flight->inject_ns, now);
	if (flight->kick_ns)
		kick_entry_ns =
			vl_stats_span(stats, VRINGLAB_SPAN_KICK_ENTRY, flight->kick_ns, now);
	vl_close_entry(vring, stats, flight, vcpu->vcpu_id, inject_entry_ns, kick_entry_ns, now);
}

void vl_tell_kick(struct vl_vring *vring, enum vl_source source, bool coalesced, s64 exit_kick_ns,
		  u64 exit_ns, u64 now)
{
	trace_kick(vring->id, source, coalesced, exit_kick_ns, exit_ns, now);
	vl_threshold_check(vring, VRINGLAB_SPAN_EXIT_KICK, exit_kick_ns, now);
}

void vl_tell_wake(struct vl_vring *vring, enum vl_source source, bool superseded, s64 kick_wake_ns,
		  u64 now)
{
	trace_wake(vring->id, source, kick_wake_ns, superseded, now);
	vl_threshold_check(vring, VRINGLAB_SPAN_KICK_WAKE, kick_wake_ns, now);
}

void vl_tell_call(struct vl_vring *vring, enum vl_source source, bool coalesced, s64 wake_call_ns,
		  u64 now)
{
	trace_call(vring->id, source, coalesced, wake_call_ns, now);
	vl_threshold_check(vring, VRINGLAB_SPAN_WAKE_CALL, wake_call_ns, now);
}

void vl_tell_inject(struct vl_vring *vring, u64 target, u8 vector, unsigned int flags,
		    s64 call_inject_ns, u64 now)
{
	trace_inject(vring->id, vl_target_vcpu(target), vector, flags & VL_IS_DEFERRED,
		     flags & VL_IS_COALESCED, call_inject_ns, now);
	if (flags & VL_IS_NOT_ALONE)
		vl_pending_add_more(vring);
	vl_threshold_check(vring, VRINGLAB_SPAN_CALL_INJECT, call_inject_ns, now);
}

/* Takes over the record. */
void vl_tell_entry(struct vl_vring *vring, u32 vcpu_id, struct vl_flight *flight,
		   s64 inject_entry_ns, s64 kick_entry_ns, u64 now)
{
	trace_entry(vring->id, vcpu_id, inject_entry_ns, kick_entry_ns, now);
	trace_vring_latency(vring->id, vcpu_id, flight, now);
	vl_flight_close(vring, flight);
	vl_threshold_check(vring, VRINGLAB_SPAN_INJECT_ENTRY, inject_entry_ns, now);
	vl_threshold_check(vring, VRINGLAB_SPAN_KICK_ENTRY, kick_entry_ns, now);
}
