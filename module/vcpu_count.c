// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is counted of a vCPU: entries, exits by reason, halts.
 *
 * All of it happens in the thread that has the vCPU loaded. Tracepoints that do not
 * name the vCPU are told it by that thread: KVM registers a preempt notifier inside
 * each vCPU that is loaded.
 */
#include "vringlab.h"

#include <linux/kvm_host.h>
#include <linux/preempt.h>
#include <linux/sched.h>

#include <asm/svm.h>

#include "hooks.h"
#include "layout.h"
#include "vcpu.h"

static void count(struct vl_vcpu *v, enum vl_vcpu_counter counter)
{
	local_inc(&v->counters[counter]);
}

/* A notifier of another kind is at no address of a vCPU that has a record. */
struct vl_vcpu *vl_vcpu_loaded(void)
{
	struct preempt_notifier *notifier;

	hlist_for_each_entry(notifier, &current->preempt_notifiers, link) {
		struct kvm_vcpu *vcpu = container_of(notifier, struct kvm_vcpu, preempt_notifier);
		struct vl_vcpu *v = vl_vcpu_lookup(vcpu);

		if (v)
			return v;
	}

	return NULL;
}

/* Does the running thread have it loaded, so that it can be looked into? */
bool vl_vcpu_is_loaded(const struct kvm_vcpu *vcpu)
{
	struct preempt_notifier *notifier;

	hlist_for_each_entry(notifier, &current->preempt_notifiers, link)
		if (notifier == &vcpu->preempt_notifier)
			return true;

	return false;
}

/* KVM's own statistics, in the order of the counters. */
static void read_kvm(const struct kvm_vcpu *vcpu, u64 values[VL_VCPU_KVM_COUNTERS])
{
	const struct kvm_vcpu_stat_generic *stat = &vcpu->stat.generic;

	values[VL_VCPU_HALT_POLLS_SUCCESS - VL_VCPU_KVM_FIRST] = stat->halt_successful_poll;
	values[VL_VCPU_HALT_POLLS_FAIL - VL_VCPU_KVM_FIRST] =
		stat->halt_attempted_poll - stat->halt_successful_poll;
	values[VL_VCPU_HALT_POLL_SUCCESS_NS - VL_VCPU_KVM_FIRST] = stat->halt_poll_success_ns;
	values[VL_VCPU_HALT_POLL_FAIL_NS - VL_VCPU_KVM_FIRST] = stat->halt_poll_fail_ns;
	values[VL_VCPU_HALT_WAIT_NS - VL_VCPU_KVM_FIRST] = stat->halt_wait_ns;
}

void vl_vcpu_begin(struct vl_vcpu *v, const struct kvm_vcpu *vcpu)
{
	read_kvm(vcpu, v->kvm_base);
	v->begun = true;
}

/* Both: -1 where it can't be read. */
static s64 svm_reason(const struct kvm_vcpu *vcpu)
{
	int offset = vl_layout(VL_LAYOUT_VCPU_SVM_VCPU);
	const struct vmcb *vmcb;
	u32 reason;

	if (offset < 0 ||
	    !vl_layout_read((void *)vcpu - offset, VL_LAYOUT_VCPU_SVM_VMCB, &vmcb, sizeof(vmcb)))
		return -1;

	/* Of 64 bits on some kernels; what is above 32 is 0, or all ones with them. */
	if (!vl_read(&vmcb->control.exit_code, &reason, sizeof(reason)))
		return -1;
	return reason;
}

static s64 vmx_reason(const struct kvm_vcpu *vcpu)
{
	int offset = vl_layout(VL_LAYOUT_VCPU_VMX_VCPU);
	const void *vmx = (void *)vcpu - offset;
	u32 reason;

	if (offset < 0 ||
	    (!vl_layout_read(vmx, VL_LAYOUT_VCPU_VMX_EXIT_REASON, &reason, sizeof(reason)) &&
	     !vl_layout_read(vmx, VL_LAYOUT_VCPU_VMX_VT_EXIT_REASON, &reason, sizeof(reason))))
		return -1;

	/* The basic reason; above it are flags. */
	return reason & 0xffff;
}

static void count_reason(struct vl_vcpu *v, u32 reason)
{
	unsigned int i = reason;

	if (v->isa == VRINGLAB_ISA_SVM &&
	    reason - VL_REASONS_SVM_HIGH < VL_REASONS - VL_REASONS_LOW)
		i = VL_REASONS_LOW + reason - VL_REASONS_SVM_HIGH;
	else if (reason >= VL_REASONS_LOW)
		return count(v, VL_VCPU_EXITS_OTHER);

	local_inc(&v->reasons[i]);
}

void vl_vcpu_count_reason(struct vl_vcpu *v, const struct kvm_vcpu *vcpu)
{
	s64 reason = v->isa == VRINGLAB_ISA_SVM ? svm_reason(vcpu) : vmx_reason(vcpu);

	if (reason < 0)
		count(v, VL_VCPU_EXITS_UNKNOWN);
	else
		count_reason(v, reason);
}

static void count_halt(struct vl_vcpu *v, u64 ns, bool waited, bool valid)
{
	u64 now[VL_VCPU_KVM_COUNTERS];
	unsigned int i;

	count(v, VL_VCPU_HALTS);
	if (waited)
		count(v, VL_VCPU_HALTS_BLOCKED);
	if (!valid)
		count(v, VL_VCPU_HALTS_SPURIOUS);
	local_add(ns, &v->counters[VL_VCPU_HALT_NS]);

	/* Up to date when this is called, at the end of kvm_vcpu_halt(). */
	read_kvm(v->vcpu, now);
	for (i = 0; i < VL_VCPU_KVM_COUNTERS; i++)
		local_set(&v->counters[VL_VCPU_KVM_FIRST + i], now[i] - v->kvm_base[i]);
}

void vl_on_kvm_vcpu_wakeup(void *data, u64 ns, bool waited, bool valid)
{
	struct vl_vcpu *v;

	vl_path_enter();
	v = vl_vcpu_loaded();
	if (v && v->begun)
		count_halt(v, ns, waited, valid);
	vl_path_leave();
}
