// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the module of this version would hook, in its order: see probes[] in
 * module/hooks.c. And what it costs where one of them is missing.
 */
#include <string.h>

#include <vringlab/nl.h>

#include "doctor_probe.h"

#define HOP(name) VLNL_HOP(VRINGLAB_HOP_##name)
#define PROBE(name_, in, type_, hops_, purpose_, costs_)           \
	{                                                          \
		.probe = { .name = #name_,                         \
			   .module = in,                           \
			   .type = VRINGLAB_PROBE_TYPE_##type_,    \
			   .hops = hops_,                          \
			   .state = VRINGLAB_PROBE_STATE_ABSENT }, \
		.purpose = purpose_, .costs = costs_               \
	}
#define PATH(name_, in, type, hops, costs) PROBE(name_, in, type, hops, NULL, costs)
#define DISCOVERY(name_, in, type, costs) PROBE(name_, in, type, 0, discovery, costs)
/* Every kernel has one of these, or two. */
#define REQUEUE(name_)                                                    \
	{                                                                 \
		.probe = { .name = #name_,                                \
			   .module = "vhost",                             \
			   .type = VRINGLAB_PROBE_TYPE_FUNCTION,          \
			   .state = VRINGLAB_PROBE_STATE_ABSENT },        \
		.purpose = requeues, .costs = no_requeues, .one_of = true \
	}

static const char discovery[] = "discovery";
static const char requeues[] = "requeues";
static const char vcpus[] = "vCPUs";
static const char no_source[] = "some kicks and calls are not known by whom they are";
static const char no_requeues[] = "requeues stay 0, and wake-unmatched has them";
static const char no_wake[] = "wakes of this handler of vhost are not seen";
static const char no_call[] = "some calls of vhost are not known by whom, nor what it suppressed";
static const char no_user[] = "vrings of vhost-user are not found, only the VM's ends of them";
static const char no_vhost[] = "vrings of vhost are not found, or not when they are set up";

static const struct doctor_probe expected[] = {
	PATH(eventfd_signal_mask, "", FUNCTION, HOP(KICK) | HOP(CALL), no_source),
	PATH(eventfd_write, "", FUNCTION, HOP(KICK) | HOP(CALL), no_source),
	PATH(irqfd_wakeup, "kvm", FUNCTION, HOP(CALL) | HOP(INJECT),
	     "calls of eventfds with an irqfd are not seen, nor their injects"),
	PATH(irqfd_inject, "kvm", FUNCTION, HOP(INJECT), "deferred injects are not seen"),
	{
		.probe = { .name = "add_wait_queue_priority_exclusive",
			   .type = VRINGLAB_PROBE_TYPE_FUNCTION,
			   .hops = HOP(KICK),
			   .state = VRINGLAB_PROBE_STATE_ABSENT },
		.costs = "a traced kick eventfd takes no irqfd, or completions overtake kicks",
		.since = DOCTOR_RELEASE(6, 17),
	},
	PATH(io_uring_complete, "", TRACEPOINT, HOP(WAKE),
	     "wakes by a completion of io_uring are not seen"),
	PATH(kvm_exit, "kvm", TRACEPOINT, HOP(EXIT), "span exit-kick stays empty"),
	PATH(kvm_apic_accept_irq, "kvm", TRACEPOINT, HOP(INJECT),
	     "interrupts are not seen: spans call-inject to kick-entry stay empty"),
	PATH(kvm_entry, "kvm", TRACEPOINT, HOP(ENTRY),
	     "spans inject-entry and kick-entry stay empty"),
	DISCOVERY(kvm_ioeventfd, "kvm", RETURN, "ioeventfds are found by their first kick only"),
	DISCOVERY(kvm_irqfd, "kvm", RETURN, "irqfds are found by their first call only"),
	DISCOVERY(ioeventfd_write, "kvm", FUNCTION,
		  "ioeventfds that were there before discovery are not found"),
	DISCOVERY(kvm_arch_destroy_vm, "kvm", FUNCTION,
		  "what was found of a VM stays when it has ended"),
	DISCOVERY(unix_stream_sendmsg, "unix", FUNCTION, no_user),
	DISCOVERY(unix_release, "unix", FUNCTION, no_user),
	DISCOVERY(vhost_vring_ioctl, "vhost", RETURN, no_vhost),
	DISCOVERY(vhost_dev_cleanup, "vhost", FUNCTION,
		  "what was found of a device stays when it is closed"),
	DISCOVERY(vhost_vq_init_access, "vhost", FUNCTION, no_vhost),
	DISCOVERY(vhost_disable_notify, "vhost", FUNCTION,
		  "vrings of vhost that were set up before discovery are not found"),
	REQUEUE(vhost_worker_queue),
	REQUEUE(vhost_vq_work_queue),
	REQUEUE(vhost_work_queue),
	PATH(handle_tx_kick, "vhost_net", FUNCTION, HOP(WAKE), no_wake),
	PATH(handle_rx_kick, "vhost_net", FUNCTION, HOP(WAKE), no_wake),
	PATH(vhost_vsock_handle_tx_kick, "vhost_vsock", FUNCTION, HOP(WAKE), no_wake),
	PATH(vhost_vsock_handle_rx_kick, "vhost_vsock", FUNCTION, HOP(WAKE), no_wake),
	PATH(vhost_scsi_ctl_handle_kick, "vhost_scsi", FUNCTION, HOP(WAKE), no_wake),
	PATH(vhost_scsi_evt_handle_kick, "vhost_scsi", FUNCTION, HOP(WAKE), no_wake),
	PATH(vhost_scsi_handle_kick, "vhost_scsi", FUNCTION, HOP(WAKE), no_wake),
	PATH(handle_vq_kick, "vhost_vdpa", FUNCTION, HOP(WAKE), no_wake),
	PATH(vhost_add_used_and_signal, "vhost", FUNCTION, HOP(CALL), no_call),
	PATH(vhost_add_used_and_signal_n, "vhost", FUNCTION, HOP(CALL), no_call),
	PATH(vhost_signal, "vhost", FUNCTION, HOP(CALL), no_call),
	PROBE(kvm_arch_vcpu_destroy, "kvm", FUNCTION, 0, vcpus,
	      "stat --vcpus stays empty: nobody would know when one has ended"),
	PROBE(kvm_vcpu_wakeup, "kvm", TRACEPOINT, 0, vcpus, "halts of vCPUs stay 0"),
};

#define NR_EXPECTED (sizeof(expected) / sizeof(expected[0]))

const struct doctor_probe *doctor_probe_find(const char *name)
{
	for (size_t i = 0; i < NR_EXPECTED; i++)
		if (!strcmp(expected[i].probe.name, name))
			return &expected[i];
	return NULL;
}

const struct doctor_probe *doctor_probe_next(const struct doctor_probe *p, unsigned int release)
{
	for (p = p ? p + 1 : expected; p < expected + NR_EXPECTED; p++)
		if (p->since <= release)
			return p;
	return NULL;
}
