// SPDX-License-Identifier: GPL-2.0-only
/*
 * The object: one involved vCPU, from the first kick or interrupt of a vring that
 * concerns it to its end.
 *
 * A handler that meets a vCPU without a record leaves a wish, and a worker makes
 * the record. Nothing of KVM's is held meanwhile or later: the vCPU may end at
 * any moment, which is seen at kvm_arch_vcpu_destroy(). Its wish is then void and its
 * record is nobody's, before the address can be another vCPU's. While that function
 * is not hooked, no wish is left.
 */
#include "vringlab.h"

#include <linux/atomic.h>
#include <linux/irq_work.h>
#include <linux/kvm_host.h>
#include <linux/mutex.h>
#include <linux/rculist.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "compat.h"
#include "hooks.h"
#include "pending.h"
#include "stats.h"
#include "vcpu.h"
#include "vm.h"

/* Wishes that wait at once; whoever finds no room comes again with its next hit. */
#define WISHES 32

/* What a wish's vCPU is while it is not one. */
#define CLAIMED ((struct kvm_vcpu *)1)
#define ENDED ((struct kvm_vcpu *)2)

/**
 * struct wish - A vCPU that is to have a record
 * @vcpu:	NULL while free, CLAIMED while it is filled in; ENDED from the
 *		vCPU's end until the worker has seen it.
 * @kvm:	Its VM, to be compared only.
 * @vcpu_id:	KVM's name for it.
 * @tgid:	Process that runs it.
 * @tid:	Thread that runs it.
 */
struct wish {
	struct kvm_vcpu *vcpu;
	const struct kvm *kvm;
	u32 vcpu_id;
	pid_t tgid;
	pid_t tid;
};

static struct wish wishes[WISHES];

struct hlist_head vl_vcpu_buckets[1 << VL_VCPU_BITS];

/* Protects all that follows, and the writing of the buckets. */
DEFINE_MUTEX(vl_vcpus_lock);

/* Ids go round the whole range before one comes again. */
static DEFINE_XARRAY_ALLOC1(ids);
static u32 next_id;
static unsigned int nr_vcpus;

/* Changes whenever a vCPU comes or goes; never 0. */
static unsigned int generation = 1;

unsigned int vl_vcpus_generation(void)
{
	lockdep_assert_held(&vl_vcpus_lock);
	return generation;
}

static void changed(void)
{
	if (!++generation)
		generation = 1;
}

struct vl_vcpu *vl_vcpu_find(u32 id)
{
	struct vl_vcpu *v;

	lockdep_assert_held(&vl_vcpus_lock);
	v = xa_load(&ids, id);
	return v && READ_ONCE(v->vcpu) ? v : NULL;
}

/* The first vCPU whose id is not below @id, which is set to its id. */
struct vl_vcpu *vl_vcpu_next(unsigned long *id)
{
	struct vl_vcpu *v;

	lockdep_assert_held(&vl_vcpus_lock);
	v = xa_find(&ids, id, ULONG_MAX, XA_PRESENT);
	while (v && !READ_ONCE(v->vcpu))
		v = xa_find_after(&ids, id, ULONG_MAX, XA_PRESENT);
	return v;
}

static struct vl_vcpu *add(const struct wish *wish, struct kvm_vcpu *vcpu)
{
	struct vl_vcpu *v;

	if (nr_vcpus == VL_VCPUS_MAX)
		return NULL;

	v = kzalloc(sizeof(*v), GFP_KERNEL_ACCOUNT);
	if (!v)
		return NULL;

	v->vcpu = vcpu;
	v->vcpu_id = wish->vcpu_id;
	v->target = vl_target(wish->kvm, v->vcpu_id);
	v->pending = vl_pending_bucket(v->target);
	v->tgid = wish->tgid;
	v->tid = wish->tid;
	v->vm = vl_vm_get(wish->kvm);
	if (!v->vm)
		goto err_vcpu;
	if (xa_alloc_cyclic(&ids, &v->id, v, XA_LIMIT(1, S32_MAX), &next_id, GFP_KERNEL) < 0)
		goto err_vm;

	hlist_add_head_rcu(&v->node, vl_vcpu_bucket(vcpu));
	WRITE_ONCE(nr_vcpus, nr_vcpus + 1);
	changed();
	return v;

err_vm:
	vl_vm_put(v->vm);
err_vcpu:
	kfree(v);
	return NULL;
}

static void end(struct vl_vcpu *v)
{
	xa_erase(&ids, v->id);
	hlist_del_rcu(&v->node);
	WRITE_ONCE(nr_vcpus, nr_vcpus - 1);
	changed();
	vl_vm_put(v->vm);
	kfree_rcu(v, rcu);
}

/* A vCPU that has run ends with its VM. */
static void lose(struct vl_vcpu *v)
{
	WRITE_ONCE(v->vm->gone, true);
	WRITE_ONCE(v->vcpu, NULL);
}

/*
 * Whoever ends the vCPU makes its wish void first and looks for its record then; here
 * it is the other way round. So one of the two sees it.
 */
static void grant(struct wish *wish)
{
	/* Pairs with smp_store_release() in leave_wish(): the rest is there with it. */
	struct kvm_vcpu *vcpu = smp_load_acquire(&wish->vcpu);
	struct vl_vcpu *v;

	if (!vcpu || vcpu == CLAIMED)
		return;

	v = vcpu == ENDED ? NULL : add(wish, vcpu);
	if (vcpu != ENDED && cmpxchg(&wish->vcpu, vcpu, NULL) == vcpu)
		return;

	if (v)
		lose(v);
	/* Pairs with cmpxchg() in claim_wish(): it is another's from here on. */
	smp_store_release(&wish->vcpu, NULL);
}

static void work_on_vcpus(struct work_struct *work)
{
	struct vl_vcpu *v;
	unsigned long id;
	unsigned int i;

	mutex_lock(&vl_vcpus_lock);
	for (i = 0; i < WISHES; i++)
		grant(&wishes[i]);
	xa_for_each(&ids, id, v)
		if (!READ_ONCE(v->vcpu))
			end(v);
	mutex_unlock(&vl_vcpus_lock);
}

static DECLARE_WORK(work, work_on_vcpus);

static void queue_the_work(struct irq_work *unused)
{
	schedule_work(&work);
}

/* Handlers run under locks of others: none of the work queue's is taken there. */
static DEFINE_IRQ_WORK(irq_work, queue_the_work);

static struct wish *claim_wish(void)
{
	unsigned int i;

	for (i = 0; i < WISHES; i++)
		if (!READ_ONCE(wishes[i].vcpu) && !cmpxchg(&wishes[i].vcpu, NULL, CLAIMED))
			return &wishes[i];

	return NULL;
}

/* By the thread that has the vCPU loaded: nobody else wishes for it at that time. */
static void leave_wish(struct kvm_vcpu *vcpu)
{
	struct wish *wish;
	unsigned int i;

	if (READ_ONCE(nr_vcpus) == VL_VCPUS_MAX || !vl_hooks_vcpu_destroy())
		return;

	for (i = 0; i < WISHES; i++)
		if (READ_ONCE(wishes[i].vcpu) == vcpu)
			return;

	wish = claim_wish();
	if (!wish)
		return;

	wish->kvm = vcpu->kvm;
	wish->vcpu_id = vcpu->vcpu_id;
	wish->tgid = task_tgid_nr(current);
	wish->tid = task_pid_nr(current);
	/* Pairs with smp_load_acquire() in grant(). */
	smp_store_release(&wish->vcpu, vcpu);
	irq_work_queue(&irq_work);
}

/*
 * The vCPU of the running thread has no record, or is not known (then @vcpu is NULL).
 * With preemption off.
 */
void vl_vcpu_missed(struct vl_vring *vring, struct kvm_vcpu *vcpu)
{
	if (vl_vcpu_loaded())
		return;

	vl_count(vring, VL_VCPU_MISSED);
	if (vcpu)
		leave_wish(vcpu);
}

void vl_on_kvm_arch_vcpu_destroy(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
				 struct ftrace_regs *fregs)
{
	struct kvm_vcpu *vcpu = (void *)vl_ftrace_arg(fregs, 0);
	struct vl_vcpu *v;
	unsigned int i;

	vl_pending_abandon(vl_target(vcpu->kvm, vcpu->vcpu_id));

	vl_path_enter();
	for (i = 0; i < WISHES; i++)
		if (READ_ONCE(wishes[i].vcpu) == vcpu)
			cmpxchg(&wishes[i].vcpu, vcpu, ENDED);
	/* Pairs with cmpxchg() in grant(). */
	smp_mb();
	v = vl_vcpu_lookup(vcpu);
	if (v)
		lose(v);
	irq_work_queue(&irq_work);
	vl_path_leave();
}

/* No handler runs any more, nor will one before this returns. */
void vl_vcpus_forget(void)
{
	struct vl_vcpu *v;
	unsigned long id;
	unsigned int i;

	irq_work_sync(&irq_work);
	cancel_work_sync(&work);

	mutex_lock(&vl_vcpus_lock);
	for (i = 0; i < WISHES; i++)
		wishes[i].vcpu = NULL;
	xa_for_each(&ids, id, v)
		end(v);
	mutex_unlock(&vl_vcpus_lock);
}
