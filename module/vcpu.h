/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vCPUs that a vring's kicks come from or its interrupts go to, and what is counted
 * of each.
 */
#ifndef _VRINGLAB_VCPU_H
#define _VRINGLAB_VCPU_H

#include <linux/hash.h>
#include <linux/preempt.h>
#include <linux/rculist.h>
#include <linux/types.h>

#include <asm/local.h>

struct kvm;
struct kvm_vcpu;
struct vl_pending;
struct vl_vm;
struct vl_vring;

#define VL_VCPUS_MAX 1024

/*
 * Exit reasons that have a counter of their own: those below VL_REASONS_LOW, which
 * is all of VMX, and of SVM all but the few from VL_REASONS_SVM_HIGH on.
 */
#define VL_REASONS_LOW 0xb0
#define VL_REASONS_SVM_HIGH 0x400
#define VL_REASONS (VL_REASONS_LOW + 8)

static inline u32 vl_vcpu_reason(unsigned int index)
{
	return index < VL_REASONS_LOW ? index : index - VL_REASONS_LOW + VL_REASONS_SVM_HIGH;
}

/* In the order of their attributes. */
enum vl_vcpu_counter {
	VL_VCPU_ENTRIES,
	VL_VCPU_EXITS,
	VL_VCPU_EXITS_OTHER,
	VL_VCPU_EXITS_UNKNOWN,
	VL_VCPU_HALTS,
	VL_VCPU_HALTS_BLOCKED,
	VL_VCPU_HALTS_SPURIOUS,
	VL_VCPU_HALT_NS,
	VL_VCPU_HALT_POLLS_SUCCESS,
	VL_VCPU_HALT_POLLS_FAIL,
	VL_VCPU_HALT_POLL_SUCCESS_NS,
	VL_VCPU_HALT_POLL_FAIL_NS,
	VL_VCPU_HALT_WAIT_NS,
	VL_VCPU_COUNTERS
};

#define VL_VCPU_KVM_FIRST VL_VCPU_HALT_POLLS_SUCCESS
#define VL_VCPU_KVM_COUNTERS (VL_VCPU_COUNTERS - VL_VCPU_KVM_FIRST)

/**
 * struct vl_vcpu - An involved vCPU
 * @node:	In the bucket of @vcpu.
 * @vcpu:	To be compared only: it belongs to KVM. NULL from its destruction on.
 * @target:	vl_target() of it.
 * @pending:	Where vrings wait for it.
 * @begun:	@kvm_base was taken, all is counted.
 * @isa:	enum vringlab_isa, whose numbers are those of tracepoint kvm_exit.
 * @kvm_base:	KVM's own statistics when counting began, from VL_VCPU_KVM_FIRST on.
 * @counters:	By enum vl_vcpu_counter.
 * @reasons:	Exits by reason.
 * @id:		Netlink's name for it.
 * @vm:		Its VM.
 * @vcpu_id:	KVM's name for it within its VM.
 * @tgid:	Process that ran it when it was first involved.
 * @tid:	Thread of that process.
 * @rcu:	Frees it.
 *
 * Counted only by the thread that has the vCPU loaded, of which there is one at any
 * time: no atomics are needed, one instruction counts, and readers see each number whole.
 */
struct vl_vcpu {
	struct hlist_node node;
	struct kvm_vcpu *vcpu;
	u64 target;
	struct vl_pending *pending;
	bool begun;
	u32 isa;
	u64 kvm_base[VL_VCPU_KVM_COUNTERS];
	local_t counters[VL_VCPU_COUNTERS];
	local_t reasons[VL_REASONS];
	u32 id;
	struct vl_vm *vm;
	u32 vcpu_id;
	pid_t tgid;
	pid_t tid;
	struct rcu_head rcu;
};

/* vcpu.c */

#define VL_VCPU_BITS 10

extern struct hlist_head vl_vcpu_buckets[1 << VL_VCPU_BITS];

static inline struct hlist_head *vl_vcpu_bucket(const struct kvm_vcpu *vcpu)
{
	return &vl_vcpu_buckets[hash_ptr(vcpu, VL_VCPU_BITS)];
}

extern struct mutex vl_vcpus_lock;

/* With preemption off. */
static __always_inline struct vl_vcpu *vl_vcpu_lookup(const struct kvm_vcpu *vcpu)
{
	struct vl_vcpu *v;

	hlist_for_each_entry_rcu(v, vl_vcpu_bucket(vcpu), node, !preemptible())
		if (likely(READ_ONCE(v->vcpu) == vcpu))
			return v;

	return NULL;
}

void vl_vcpu_missed(struct vl_vring *vring, struct kvm_vcpu *vcpu) __cold;
struct vl_vcpu *vl_vcpu_find(u32 id);
struct vl_vcpu *vl_vcpu_next(unsigned long *id);
unsigned int vl_vcpus_generation(void);
void vl_vcpus_forget(void);

/* vcpu_count.c */

struct vl_vcpu *vl_vcpu_loaded(void);
bool vl_vcpu_is_loaded(const struct kvm_vcpu *vcpu);
void vl_vcpu_begin(struct vl_vcpu *v, const struct kvm_vcpu *vcpu) __cold;
void vl_vcpu_count_reason(struct vl_vcpu *v, const struct kvm_vcpu *vcpu);

/* Counting begins with the first entry: all before it has begun without us. */
static __always_inline void vl_vcpu_count_entry(struct vl_vcpu *v, const struct kvm_vcpu *vcpu)
{
	if (unlikely(!v->begun))
		vl_vcpu_begin(v, vcpu);
	local_inc(&v->counters[VL_VCPU_ENTRIES]);
}

static __always_inline void vl_vcpu_count_exit(struct vl_vcpu *v, const struct kvm_vcpu *vcpu,
					       u32 isa)
{
	if (unlikely(!v->begun))
		return;

	WRITE_ONCE(v->isa, isa);
	local_inc(&v->counters[VL_VCPU_EXITS]);
	vl_vcpu_count_reason(v, vcpu);
}

#endif /* _VRINGLAB_VCPU_H */
