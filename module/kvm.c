// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM: exits, injected interrupts and entries.
 *
 * Which call an interrupt is for is known in two ways, both exact:
 *
 * - at once: irqfd_wakeup() runs inside the signal of the call eventfd, under its
 *   lock, and so does all it calls. The kernel marks the task with in_eventfd for
 *   the time of the signal. An interrupt accepted by a task so marked is the one of
 *   its last irqfd_wakeup(), which was on this CPU.
 * - deferred: irqfd_inject() is a work item inside the irqfd, and the worker
 *   knows which item it runs.
 */
#include "vringlab.h"

#include <linux/kvm_host.h>
#include <linux/kvm_irqfd.h>
#include <linux/percpu.h>
#include <linux/sched.h>

#include "clock.h"
#include "compat.h"
#include "exit.h"
#include "found.h"
#include "hooks.h"
#include "hops.h"
#include "source.h"
#include "vcpu.h"

/**
 * struct last_irqfd - The last irqfd that a task has woken
 * @task:	Who, to be compared only: it may be gone.
 * @ctx:	Its eventfd, likewise.
 * @kvm:	Its VM, likewise.
 */
struct last_irqfd {
	struct task_struct *task;
	struct eventfd_ctx *ctx;
	struct kvm *kvm;
};

/**
 * struct last_irqfds - Those of the last tasks that have woken one on a CPU
 * @of:		By task, no task twice.
 * @oldest:	Which is the next to be given away.
 *
 * One is given away too early, and its interrupts are not seen, if its task is
 * preempted inside the signal while as many others as there are wake irqfds on the
 * same CPU. That can only be with PREEMPT_RT.
 */
struct last_irqfds {
	struct last_irqfd of[VL_SIGNALS_PER_CPU];
	unsigned int oldest;
};

DEFINE_PER_CPU(struct vl_exit, vl_exit);
static DEFINE_PER_CPU(struct last_irqfds, last_irqfds);

static __always_inline void exited(struct kvm_vcpu *vcpu, u32 isa, u64 now)
{
	struct vl_vcpu *record = vl_vcpu_lookup(vcpu);
	struct task_struct *involved = record ? current : NULL;

	this_cpu_write(vl_exit.task, current);
	this_cpu_write(vl_exit.migrations, current->se.nr_migrations);
	this_cpu_write(vl_exit.ns, now);
	this_cpu_write(vl_exit.vcpu, vcpu);
	this_cpu_write(vl_exit.involved, involved);
	if (record)
		vl_vcpu_count_exit(record, vcpu, isa);
}

static noinline __cold void cold_exit(struct kvm_vcpu *vcpu, u32 isa)
{
	exited(vcpu, isa, vl_now_ns());
}

void vl_on_kvm_exit(void *data, struct kvm_vcpu *vcpu, u32 isa)
{
	vl_path_enter_tracepoint();
	if (vl_clock_is_fast())
		exited(vcpu, isa, vl_now_fast_ns());
	else
		cold_exit(vcpu, isa);
	vl_path_leave_tracepoint();
}

/*
 * Return: the vCPU that the calling thread has loaded, NULL if its exit was not seen
 * here
 */
struct kvm_vcpu *vl_kvm_exit_vcpu(void)
{
	struct kvm_vcpu *vcpu = this_cpu_read(vl_exit.vcpu);

	return vcpu && vl_vcpu_is_loaded(vcpu) ? vcpu : NULL;
}

void vl_on_kvm_entry(void *data, struct kvm_vcpu *vcpu, bool force_immediate_exit)
{
	struct vl_vcpu *record;
	u64 target;

	vl_path_enter_tracepoint();
	this_cpu_write(vl_exit.task, NULL);
	this_cpu_write(vl_exit.involved, NULL);
	record = vl_vcpu_lookup(vcpu);
	if (record) {
		vl_vcpu_count_entry(record, vcpu);
		vl_pending_entry(record->pending, record->target, vcpu, record);
	} else {
		target = vl_target(vcpu->kvm, vcpu->vcpu_id);
		vl_pending_entry(vl_pending_bucket(target), target, vcpu, NULL);
	}
	vl_path_leave_tracepoint();
}

/* With preemption off: nobody else changes this CPU's. */
static __always_inline struct last_irqfd *last_irqfd_of(struct task_struct *task)
{
	struct last_irqfds *last = this_cpu_ptr(&last_irqfds);
	unsigned int i;

	/* The last one looked at may be another task's. */
	for (i = 0; i < VL_SIGNALS_PER_CPU - 1; i++)
		if (last->of[i].task == task)
			break;
	return &last->of[i];
}

static __always_inline void note_irqfd(const struct kvm_kernel_irqfd *irqfd)
{
	struct last_irqfd *mine = last_irqfd_of(current);

	if (VL_SIGNALS_PER_CPU > 1 && mine->task != current) {
		struct last_irqfds *last = this_cpu_ptr(&last_irqfds);

		mine = &last->of[last->oldest];
		last->oldest = (last->oldest + 1) % VL_SIGNALS_PER_CPU;
	}
	mine->task = current;
	mine->ctx = irqfd->eventfd;
	mine->kvm = irqfd->kvm;
}

/* It ends the walk before our entry in the queue, so this tells what that is not told. */
static __always_inline void irqfd_signalled(struct vl_eventfd *eventfd,
					    const struct kvm_kernel_irqfd *irqfd)
{
	enum vl_source source;

	if (likely(eventfd->role == VL_ROLE_CALL && vl_source_take(eventfd, &source)))
		vl_hop_call(eventfd->vring, source);
	else
		vl_eventfd_irqfd_woken(eventfd, &irqfd->wait);
}

/* Under the eventfd's lock. */
void vl_on_irqfd_wakeup(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
			struct ftrace_regs *fregs)
{
	wait_queue_entry_t *wait = (void *)vl_ftrace_arg(fregs, 0);
	struct kvm_kernel_irqfd *irqfd = container_of(wait, struct kvm_kernel_irqfd, wait);
	struct vl_eventfd *eventfd;

	if (!(key_to_poll((void *)vl_ftrace_arg(fregs, 3)) & EPOLLIN))
		return;

	vl_path_enter_locked();
	note_irqfd(irqfd);
	eventfd = vl_lookup_eventfd(irqfd->eventfd);
	if (unlikely(READ_ONCE(vl_discover_on)) && !(eventfd && READ_ONCE(eventfd->fact)))
		vl_found_irqfd_hit(irqfd->kvm, irqfd->gsi, irqfd->eventfd);
	if (eventfd)
		irqfd_signalled(eventfd, irqfd);
	vl_path_leave_locked();
}

/*
 * For add_wait_queue_priority_exclusive(), which is KVM's alone: an irqfd is about
 * to go to the head of its eventfd's queue, and is refused if somebody with
 * priority is there.
 */
void vl_on_add_irqfd(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
		     struct ftrace_regs *fregs)
{
	wait_queue_entry_t *wait = (void *)vl_ftrace_arg(fregs, 1);

	vl_eventfd_give_way(container_of(wait, struct kvm_kernel_irqfd, wait)->eventfd);
}

/* The function in a work item is its first byte, the hook's address may be behind. */
static bool is_irqfd_inject(work_func_t func)
{
	unsigned long addr = vl_hooks_irqfd_inject();

	return addr && addr - (unsigned long)func <= VL_ENTRY_SLACK;
}

static struct kvm_kernel_irqfd *deferred_irqfd(void)
{
	struct work_struct *work = current_work();

	if (!work || !is_irqfd_inject(work->func))
		return NULL;
	return container_of(work, struct kvm_kernel_irqfd, inject);
}

/* With preemption off. */
static __always_inline void accepted(struct eventfd_ctx *ctx, struct kvm *kvm, u32 vcpu_id,
				     u8 vector, bool deferred)
{
	struct vl_eventfd *call = vl_lookup_eventfd(ctx);

	if (call && call->role == VL_ROLE_CALL)
		vl_hop_inject(call->vring, vl_target(kvm, vcpu_id), vector, deferred);
}

static __always_inline void accepted_at_once(u32 vcpu_id, u8 vector)
{
	struct last_irqfd *last;

	vl_path_enter_tracepoint();
	last = last_irqfd_of(current);
	if (likely(last->task == current))
		accepted(last->ctx, last->kvm, vcpu_id, vector, false);
	vl_path_leave_tracepoint();
}

static noinline void accepted_later(u32 vcpu_id, u8 vector)
{
	struct kvm_kernel_irqfd *irqfd = deferred_irqfd();

	if (!irqfd)
		return;

	vl_path_enter();
	accepted(irqfd->eventfd, irqfd->kvm, vcpu_id, vector, true);
	vl_path_leave();
}

/* Most interrupts are none of ours: timers, IPIs, another VMM's. */
void vl_on_kvm_apic_accept_irq(void *data, u32 apicid, u16 dm, u16 tm, u8 vec)
{
	/* With PREEMPT_RT, interrupts come in the midst of a signal, and are not its. */
	if (current->in_eventfd && !(IS_ENABLED(CONFIG_PREEMPT_RT) && in_hardirq()))
		accepted_at_once(apicid, vec);
	else if (current->flags & PF_WQ_WORKER)
		accepted_later(apicid, vec);
}
