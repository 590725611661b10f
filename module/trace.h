/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The events of events/vringlab/ in tracefs. Their fields are described in
 * Documentation/trace-events.rst and parsed by others: new ones go to the end,
 * none is renamed.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM vringlab

#if !defined(_VRINGLAB_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _VRINGLAB_TRACE_H

#include <linux/tracepoint.h>

#include "vringlab.h"

/* clang-format off */

/* The numbers, for programs that read the raw buffer, and the names. */
#define VL_SOURCE_DEFINE(name, text) TRACE_DEFINE_ENUM(VL_SOURCE_##name);
#define VL_SOURCE_NAME(name, text) { VL_SOURCE_##name, text },
#define VL_SOURCE_NAME_LAST(name, text) { VL_SOURCE_##name, text }

VL_SOURCES(VL_SOURCE_DEFINE, VL_SOURCE_DEFINE)

#define show_source(source) \
	__print_symbolic(source, VL_SOURCES(VL_SOURCE_NAME, VL_SOURCE_NAME_LAST))

TRACE_EVENT(kick,

	TP_PROTO(u32 vring, u32 source, bool coalesced, s64 exit_kick_ns,
		 u64 exit_ns, u64 stamp_ns),

	TP_ARGS(vring, source, coalesced, exit_kick_ns, exit_ns, stamp_ns),

	TP_STRUCT__entry(
		__field(s64, exit_kick_ns)
		__field(u32, vring)
		__field(u32, source)
		__field(u8, coalesced)
		__field(u64, exit_ns)
		__field(u64, stamp_ns)
	),

	TP_fast_assign(
		__entry->exit_kick_ns = exit_kick_ns;
		__entry->vring = vring;
		__entry->source = source;
		__entry->coalesced = coalesced;
		__entry->exit_ns = exit_ns;
		__entry->stamp_ns = stamp_ns;
	),

	TP_printk("vring=%u source=%s coalesced=%u exit_kick_ns=%lld exit_ns=%llu stamp_ns=%llu",
		  __entry->vring, show_source(__entry->source),
		  __entry->coalesced, __entry->exit_kick_ns, __entry->exit_ns,
		  __entry->stamp_ns)
);

TRACE_EVENT(wake,

	TP_PROTO(u32 vring, u32 source, s64 kick_wake_ns, bool superseded,
		 u64 stamp_ns),

	TP_ARGS(vring, source, kick_wake_ns, superseded, stamp_ns),

	TP_STRUCT__entry(
		__field(s64, kick_wake_ns)
		__field(u32, vring)
		__field(u32, source)
		__field(u8, superseded)
		__field(u64, stamp_ns)
	),

	TP_fast_assign(
		__entry->kick_wake_ns = kick_wake_ns;
		__entry->vring = vring;
		__entry->source = source;
		__entry->superseded = superseded;
		__entry->stamp_ns = stamp_ns;
	),

	TP_printk("vring=%u source=%s kick_wake_ns=%lld superseded=%u stamp_ns=%llu",
		  __entry->vring, show_source(__entry->source),
		  __entry->kick_wake_ns, __entry->superseded,
		  __entry->stamp_ns)
);

TRACE_EVENT(call,

	TP_PROTO(u32 vring, u32 source, bool coalesced, s64 wake_call_ns,
		 u64 stamp_ns),

	TP_ARGS(vring, source, coalesced, wake_call_ns, stamp_ns),

	TP_STRUCT__entry(
		__field(s64, wake_call_ns)
		__field(u32, vring)
		__field(u32, source)
		__field(u8, coalesced)
		__field(u64, stamp_ns)
	),

	TP_fast_assign(
		__entry->wake_call_ns = wake_call_ns;
		__entry->vring = vring;
		__entry->source = source;
		__entry->coalesced = coalesced;
		__entry->stamp_ns = stamp_ns;
	),

	TP_printk("vring=%u source=%s coalesced=%u wake_call_ns=%lld stamp_ns=%llu",
		  __entry->vring, show_source(__entry->source),
		  __entry->coalesced, __entry->wake_call_ns,
		  __entry->stamp_ns)
);

TRACE_EVENT(inject,

	TP_PROTO(u32 vring, u32 vcpu, u8 vector, bool deferred, bool coalesced,
		 s64 call_inject_ns, u64 stamp_ns),

	TP_ARGS(vring, vcpu, vector, deferred, coalesced, call_inject_ns, stamp_ns),

	TP_STRUCT__entry(
		__field(s64, call_inject_ns)
		__field(u32, vring)
		__field(u32, vcpu)
		__field(u8, vector)
		__field(u8, deferred)
		__field(u8, coalesced)
		__field(u64, stamp_ns)
	),

	TP_fast_assign(
		__entry->call_inject_ns = call_inject_ns;
		__entry->vring = vring;
		__entry->vcpu = vcpu;
		__entry->vector = vector;
		__entry->deferred = deferred;
		__entry->coalesced = coalesced;
		__entry->stamp_ns = stamp_ns;
	),

	TP_printk("vring=%u vcpu=%u vector=%u deferred=%u coalesced=%u call_inject_ns=%lld stamp_ns=%llu",
		  __entry->vring, __entry->vcpu, __entry->vector,
		  __entry->deferred, __entry->coalesced,
		  __entry->call_inject_ns, __entry->stamp_ns)
);

TRACE_EVENT(entry,

	TP_PROTO(u32 vring, u32 vcpu, s64 inject_entry_ns, s64 kick_entry_ns,
		 u64 stamp_ns),

	TP_ARGS(vring, vcpu, inject_entry_ns, kick_entry_ns, stamp_ns),

	TP_STRUCT__entry(
		__field(s64, inject_entry_ns)
		__field(s64, kick_entry_ns)
		__field(u32, vring)
		__field(u32, vcpu)
		__field(u64, stamp_ns)
	),

	TP_fast_assign(
		__entry->inject_entry_ns = inject_entry_ns;
		__entry->kick_entry_ns = kick_entry_ns;
		__entry->vring = vring;
		__entry->vcpu = vcpu;
		__entry->stamp_ns = stamp_ns;
	),

	TP_printk("vring=%u vcpu=%u inject_entry_ns=%lld kick_entry_ns=%lld stamp_ns=%llu",
		  __entry->vring, __entry->vcpu, __entry->inject_entry_ns,
		  __entry->kick_entry_ns, __entry->stamp_ns)
);

/* The whole of one kick, at its end. */
TRACE_EVENT(vring_latency,

	TP_PROTO(u32 vring, u32 vcpu, const struct vl_flight *flight, u64 stamp_ns),

	TP_ARGS(vring, vcpu, flight, stamp_ns),

	TP_STRUCT__entry(
		__field(u64, kick_ns)
		__field(s64, exit_kick_ns)
		__field(s64, kick_wake_ns)
		__field(s64, wake_call_ns)
		__field(s64, call_inject_ns)
		__field(s64, inject_entry_ns)
		__field(s64, kick_entry_ns)
		__field(u32, vring)
		__field(u32, vcpu)
		__field(u64, stamp_ns)
	),

	TP_fast_assign(
		__entry->kick_ns = flight->kick_ns;
		__entry->exit_kick_ns = vl_flight_span(flight->exit_ns, flight->kick_ns);
		__entry->kick_wake_ns = vl_flight_span(flight->kick_ns, flight->wake_ns);
		__entry->wake_call_ns = vl_flight_span(flight->wake_ns, flight->call_ns);
		__entry->call_inject_ns = vl_flight_span(flight->call_ns, flight->inject_ns);
		__entry->inject_entry_ns = vl_flight_span(flight->inject_ns, stamp_ns);
		__entry->kick_entry_ns = vl_flight_span(flight->kick_ns, stamp_ns);
		__entry->vring = vring;
		__entry->vcpu = vcpu;
		__entry->stamp_ns = stamp_ns;
	),

	TP_printk("vring=%u vcpu=%u kick_ns=%llu exit_kick_ns=%lld kick_wake_ns=%lld wake_call_ns=%lld call_inject_ns=%lld inject_entry_ns=%lld kick_entry_ns=%lld stamp_ns=%llu",
		  __entry->vring, __entry->vcpu, __entry->kick_ns,
		  __entry->exit_kick_ns, __entry->kick_wake_ns,
		  __entry->wake_call_ns, __entry->call_inject_ns,
		  __entry->inject_entry_ns, __entry->kick_entry_ns,
		  __entry->stamp_ns)
);

#define show_span(span)							\
	__print_symbolic(span,						\
		{ VRINGLAB_SPAN_EXIT_KICK, "exit-kick" },		\
		{ VRINGLAB_SPAN_KICK_WAKE, "kick-wake" },		\
		{ VRINGLAB_SPAN_WAKE_CALL, "wake-call" },		\
		{ VRINGLAB_SPAN_CALL_INJECT, "call-inject" },		\
		{ VRINGLAB_SPAN_INJECT_ENTRY, "inject-entry" },		\
		{ VRINGLAB_SPAN_KICK_ENTRY, "kick-entry" })

TRACE_DEFINE_ENUM(VRINGLAB_SPAN_EXIT_KICK);
TRACE_DEFINE_ENUM(VRINGLAB_SPAN_KICK_WAKE);
TRACE_DEFINE_ENUM(VRINGLAB_SPAN_WAKE_CALL);
TRACE_DEFINE_ENUM(VRINGLAB_SPAN_CALL_INJECT);
TRACE_DEFINE_ENUM(VRINGLAB_SPAN_INJECT_ENTRY);
TRACE_DEFINE_ENUM(VRINGLAB_SPAN_KICK_ENTRY);

/* A span was longer than a threshold, whose actions tell of it here. */
TRACE_EVENT(threshold,

	TP_PROTO(const struct vl_hit *hit, s64 limit_ns),

	TP_ARGS(hit, limit_ns),

	TP_STRUCT__entry(
		__field(s64, span_ns)
		__field(s64, limit_ns)
		__field(u32, threshold)
		__field(u32, vring)
		__field(u32, span)
		__field(u64, stamp_ns)
	),

	TP_fast_assign(
		__entry->span_ns = hit->ns;
		__entry->limit_ns = limit_ns;
		__entry->threshold = hit->id;
		__entry->vring = hit->vring_id;
		__entry->span = hit->span;
		__entry->stamp_ns = hit->stamp_ns;
	),

	TP_printk("threshold=%u vring=%u span=%s span_ns=%lld limit_ns=%lld stamp_ns=%llu",
		  __entry->threshold, __entry->vring, show_span(__entry->span),
		  __entry->span_ns, __entry->limit_ns, __entry->stamp_ns)
);

/* clang-format on */

#endif /* _VRINGLAB_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
