// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM: exits, injected interrupts and entries.
 *
 * Which call an interrupt is for is known in two ways, both exact:
 *
 * - at once: irqfd_wakeup() runs inside the signal of the call eventfd, with
 *   interrupts off, and so does all it calls. The kernel marks the task with
 *   in_eventfd for the time of the signal. An interrupt accepted by a task so
 *   marked is the one of the last irqfd_wakeup() on this CPU.
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
#include "found.h"
#include "hooks.h"

/**
 * struct last_exit - The last exit on a CPU
 * @task:	Whose; NULL after the next entry.
 * @migrations:	Its number of moves between CPUs.
 * @ns:		When.
 */
struct last_exit {
	struct task_struct *task;
	u64 migrations;
	u64 ns;
};

/**
 * struct last_irqfd - The last irqfd woken on a CPU
 * @ctx:	Its eventfd, to be compared only: it may be gone.
 * @kvm:	Its VM, likewise.
 */
struct last_irqfd {
	struct eventfd_ctx *ctx;
	struct kvm *kvm;
};

static DEFINE_PER_CPU(struct last_exit, last_exit);
static DEFINE_PER_CPU(struct last_irqfd, last_irqfd);

void vl_on_kvm_exit(void *data, struct kvm_vcpu *vcpu, u32 isa)
{
	struct last_exit *last;

	vl_path_enter();
	last = this_cpu_ptr(&last_exit);
	last->ns = vl_now_ns();
	last->migrations = current->se.nr_migrations;
	last->task = current;
	vl_path_leave();
}

/*
 * A stamp of this task on this CPU may be of an earlier exit, if it has been
 * elsewhere since; the number of its moves tells. Several kicks of one exit
 * (REP OUTS) share the stamp.
 *
 * Return: when the calling vCPU thread left the guest, 0 if that was not seen here
 */
u64 vl_kvm_exit_ns(void)
{
	const struct last_exit *last = this_cpu_ptr(&last_exit);

	if (last->task != current || last->migrations != current->se.nr_migrations)
		return 0;
	return last->ns;
}

void vl_on_kvm_entry(void *data, struct kvm_vcpu *vcpu, bool force_immediate_exit)
{
	this_cpu_write(last_exit.task, NULL);
	vl_pending_entry(vl_target(vcpu->kvm, vcpu->vcpu_id), vcpu->vcpu_id);
}

void vl_on_irqfd_wakeup(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
			struct ftrace_regs *fregs)
{
	wait_queue_entry_t *wait = (void *)vl_ftrace_arg(fregs, 0);
	struct kvm_kernel_irqfd *irqfd = container_of(wait, struct kvm_kernel_irqfd, wait);

	if (key_to_poll((void *)vl_ftrace_arg(fregs, 3)) & EPOLLIN) {
		vl_eventfd_signalled(irqfd->eventfd);
		if (READ_ONCE(vl_discover_on))
			vl_found_irqfd_hit(irqfd->kvm, irqfd->gsi, irqfd->eventfd);
	}

	this_cpu_write(last_irqfd.ctx, irqfd->eventfd);
	this_cpu_write(last_irqfd.kvm, irqfd->kvm);
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

static void accepted(struct eventfd_ctx *ctx, struct kvm *kvm, u32 vcpu_id, u8 vector,
		     bool deferred)
{
	struct vl_eventfd *call;

	if (!vl_lookup_maybe(ctx))
		return;

	vl_path_enter();
	call = vl_lookup_eventfd(ctx);
	if (call && call->role == VL_ROLE_CALL)
		vl_hop_inject(call->vring, kvm, vcpu_id, vector, deferred);
	vl_path_leave();
}

/* Most interrupts are none of ours: timers, IPIs, another VMM's. */
void vl_on_kvm_apic_accept_irq(void *data, u32 apicid, u16 dm, u16 tm, u8 vec)
{
	struct kvm_kernel_irqfd *irqfd;

	if (current->in_eventfd) {
		accepted(this_cpu_read(last_irqfd.ctx), this_cpu_read(last_irqfd.kvm), apicid, vec,
			 false);
	} else if (current->flags & PF_WQ_WORKER) {
		irqfd = deferred_irqfd();
		if (irqfd)
			accepted(irqfd->eventfd, irqfd->kvm, apicid, vec, true);
	}
}
