/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The last exit on each CPU: the kicks that KVM signals come from it.
 */
#ifndef _VRINGLAB_EXIT_H
#define _VRINGLAB_EXIT_H

#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/types.h>

struct kvm_vcpu;
struct vl_vcpu;

/**
 * struct vl_exit - An exit
 * @task:	Whose; NULL after the next entry.
 * @migrations:	Its number of moves between CPUs.
 * @ns:		When.
 * @vcpu:	The vCPU, to be compared only.
 * @record:	Its record, if there was one; to be compared with NULL only.
 */
struct vl_exit {
	struct task_struct *task;
	u64 migrations;
	u64 ns;
	struct kvm_vcpu *vcpu;
	struct vl_vcpu *record;
};

DECLARE_PER_CPU(struct vl_exit, vl_exit);

/*
 * What this task has left on this CPU may be of an earlier exit, if it has been
 * elsewhere since; the number of its moves tells. Several kicks of one exit (REP
 * OUTS) share it.
 *
 * Return: the exit that the running task is in, NULL if it was not seen here
 */
static __always_inline const struct vl_exit *vl_exit_of_current(void)
{
	const struct vl_exit *exit = this_cpu_ptr(&vl_exit);

	if (unlikely(exit->task != current || exit->migrations != current->se.nr_migrations))
		return NULL;
	return exit;
}

#endif /* _VRINGLAB_EXIT_H */
