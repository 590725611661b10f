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

/**
 * struct vl_exit - An exit
 * @task:	Whose; NULL after the next entry.
 * @migrations:	Its number of moves between CPUs.
 * @ns:		When.
 * @vcpu:	The vCPU, to be compared only.
 * @involved:	@task, if the vCPU has a record; else NULL.
 */
struct vl_exit {
	struct task_struct *task;
	u64 migrations;
	u64 ns;
	struct kvm_vcpu *vcpu;
	struct task_struct *involved;
};

DECLARE_PER_CPU(struct vl_exit, vl_exit);

/*
 * What this task has left on this CPU may be of an earlier exit, if it has been
 * elsewhere since; the number of its moves tells. Several kicks of one exit (REP
 * OUTS) share it.
 *
 * Return: whether the running task is in the exit that was last seen here
 */
static __always_inline bool vl_exit_is_of_current(void)
{
	return __this_cpu_read(vl_exit.task) == current &&
	       __this_cpu_read(vl_exit.migrations) == current->se.nr_migrations;
}

/* The same, and its vCPU has a record. */
static __always_inline bool vl_exit_is_of_involved(void)
{
	return __this_cpu_read(vl_exit.involved) == current &&
	       __this_cpu_read(vl_exit.migrations) == current->se.nr_migrations;
}

#endif /* _VRINGLAB_EXIT_H */
