// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The specification's names of numbers.
 */
#include <stddef.h>
#include <string.h>

#include <vringlab/nl.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

const struct vlnl_counter_info vlnl_counter_info[VLNL_NR_COUNTERS] = {
#define COUNTER_INFO(attr_, name_, doc_)             \
	[VLNL_COUNTER_##attr_] = {                   \
		.attr = VRINGLAB_A_COUNTERS_##attr_, \
		.name = name_,                       \
		.doc = doc_,                         \
	},
	VLNL_COUNTERS(COUNTER_INFO)
#undef COUNTER_INFO
};

const struct vlnl_counter_info vlnl_vcpu_counter_info[VLNL_NR_VCPU_COUNTERS] = {
#define VCPU_COUNTER_INFO(attr_, name_, doc_)    \
	[VLNL_VCPU_COUNTER_##attr_] = {          \
		.attr = VRINGLAB_A_VCPU_##attr_, \
		.name = name_,                   \
		.doc = doc_,                     \
	},
	VLNL_VCPU_COUNTERS(VCPU_COUNTER_INFO)
#undef VCPU_COUNTER_INFO
};

static const char *name_of(const char *const *names, size_t nr, uint32_t number)
{
	return number < nr ? names[number] : "unknown";
}

const char *vlnl_span_name(uint32_t span)
{
	static const char *const names[] = {
		[VRINGLAB_SPAN_EXIT_KICK] = "exit-kick",
		[VRINGLAB_SPAN_KICK_WAKE] = "kick-wake",
		[VRINGLAB_SPAN_WAKE_CALL] = "wake-call",
		[VRINGLAB_SPAN_CALL_INJECT] = "call-inject",
		[VRINGLAB_SPAN_INJECT_ENTRY] = "inject-entry",
		[VRINGLAB_SPAN_KICK_ENTRY] = "kick-entry",
	};

	return name_of(names, ARRAY_SIZE(names), span);
}

int vlnl_span_by_name(const char *name)
{
	for (int span = 0; span < VLNL_NR_SPANS; span++)
		if (!strcmp(vlnl_span_name(span), name))
			return span;
	return -1;
}

const char *vlnl_hop_name(uint32_t hop)
{
	static const char *const names[] = {
		[VRINGLAB_HOP_EXIT] = "exit",	  [VRINGLAB_HOP_KICK] = "kick",
		[VRINGLAB_HOP_WAKE] = "wake",	  [VRINGLAB_HOP_CALL] = "call",
		[VRINGLAB_HOP_INJECT] = "inject", [VRINGLAB_HOP_ENTRY] = "entry",
	};

	return name_of(names, ARRAY_SIZE(names), hop);
}

const char *vlnl_backend_name(uint32_t backend)
{
	static const char *const names[] = {
		[VRINGLAB_BACKEND_UNKNOWN] = "unknown",
		[VRINGLAB_BACKEND_VHOST_USER] = "vhost-user",
		[VRINGLAB_BACKEND_VHOST] = "vhost",
		[VRINGLAB_BACKEND_VHOST_NET] = "vhost-net",
		[VRINGLAB_BACKEND_VHOST_VSOCK] = "vhost-vsock",
		[VRINGLAB_BACKEND_VHOST_SCSI] = "vhost-scsi",
		[VRINGLAB_BACKEND_VHOST_VDPA] = "vhost-vdpa",
		[VRINGLAB_BACKEND_VMM] = "vmm",
		[VRINGLAB_BACKEND_KVM] = "kvm",
	};

	return name_of(names, ARRAY_SIZE(names), backend);
}

const char *vlnl_threshold_action_name(uint32_t action)
{
	switch (action) {
	case VRINGLAB_THRESHOLD_ACTION_TRACE:
		return "trace";
	case VRINGLAB_THRESHOLD_ACTION_NOTIFY:
		return "notify";
	case VRINGLAB_THRESHOLD_ACTION_STOP_TRACING:
		return "stop-tracing";
	case VRINGLAB_THRESHOLD_ACTION_SNAPSHOT:
		return "snapshot";
	default:
		return "unknown";
	}
}

const char *vlnl_probe_type_name(uint32_t type)
{
	static const char *const names[] = {
		[VRINGLAB_PROBE_TYPE_FUNCTION] = "function",
		[VRINGLAB_PROBE_TYPE_TRACEPOINT] = "tracepoint",
		[VRINGLAB_PROBE_TYPE_RETURN] = "return",
	};

	return name_of(names, ARRAY_SIZE(names), type);
}

const char *vlnl_probe_state_name(uint32_t state)
{
	static const char *const names[] = {
		[VRINGLAB_PROBE_STATE_ABSENT] = "absent",
		[VRINGLAB_PROBE_STATE_IDLE] = "idle",
		[VRINGLAB_PROBE_STATE_ATTACHED] = "attached",
		[VRINGLAB_PROBE_STATE_FAILED] = "failed",
	};

	return name_of(names, ARRAY_SIZE(names), state);
}

const char *vlnl_isa_name(uint32_t isa)
{
	static const char *const names[] = {
		[VRINGLAB_ISA_UNKNOWN] = "unknown",
		[VRINGLAB_ISA_VMX] = "vmx",
		[VRINGLAB_ISA_SVM] = "svm",
	};

	return name_of(names, ARRAY_SIZE(names), isa);
}
