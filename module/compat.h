/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every difference between kernels that the module has to know, probed by the
 * feature and not by the version. (One more is where its types are: the prototype of
 * io_uring's tracepoint, in io_uring.c.)
 */
#ifndef _VRINGLAB_COMPAT_H
#define _VRINGLAB_COMPAT_H

#include <linux/errno.h>
#include <linux/ftrace.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/ptrace.h>
#include <linux/wait.h>
#include <net/genetlink.h>

#if !defined(CONFIG_X86_64)
#error "vringlab reads KVM's x86 tracepoints and packs 64-bit pointers: x86-64 only"
#endif

#if !defined(CONFIG_DYNAMIC_FTRACE_WITH_ARGS)
#error "vringlab needs CONFIG_DYNAMIC_FTRACE_WITH_ARGS: its hooks read arguments"
#endif

#if !defined(CONFIG_PREEMPT_NOTIFIERS)
#error "vringlab asks a thread's preempt notifiers for its vCPU: needs KVM, which selects them"
#endif

/* It may be asked for another clock than CLOCK_REALTIME since 7.x: see Kbuild. */
#ifdef VL_HAS_ktime_get_snapshot_id
#define vl_ktime_get_snapshot(snapshot) ktime_get_snapshot_id(CLOCK_REALTIME, snapshot)
#else
#define vl_ktime_get_snapshot(snapshot) ktime_get_snapshot(snapshot)
#endif

/* What a family's pre_doit() is given; in 6.2 operations were split. */
#ifdef VL_HAS_genl_split_ops
#define vl_genl_op genl_split_ops
#else
#define vl_genl_op genl_ops
#endif

/* Argument @n of the hooked function; the accessor came with 6.3. */
#ifdef ftrace_regs_get_argument
#define vl_ftrace_arg(fregs, n) ftrace_regs_get_argument(fregs, n)
#else
#define vl_ftrace_arg(fregs, n) regs_get_kernel_argument(&(fregs)->regs, n)
#endif

/*
 * How far behind a function's first byte its ftrace call site, and so the
 * address a kprobe reports, may be: past the ENDBR64 of kernels with IBT.
 */
#define VL_ENTRY_SLACK 4UL

/*
 * From 6.17 an irqfd refuses a queue whose first entry has priority: what it enters
 * the queue by does.
 */
#ifdef VL_HAS_add_wait_queue_priority_exclusive
#define VL_IRQFD_REFUSES_PRIORITY 1
#else
#define VL_IRQFD_REFUSES_PRIORITY 0
#endif

/* Up to 6.12 a tracepoint calls its handlers with preemption off; 7.x does not. */
#ifdef VL_HAS_preempt_disable_notrace
#define VL_TRACEPOINTS_PREEMPTIBLE 0
#else
#define VL_TRACEPOINTS_PREEMPTIBLE 1
#endif

/*
 * An eventfd is signalled under its lock. Without PREEMPT_RT interrupts are off
 * meanwhile, and the signal is the only one on its CPU. With it the task stays on
 * its CPU, for the lock forbids to migrate, but others may run there in between.
 */
#if defined(CONFIG_PREEMPT_RT)
#define VL_SIGNALS_PER_CPU 16
#else
#define VL_SIGNALS_PER_CPU 1
#endif

/*
 * tracing_snapshot() needs a buffer. The kernel exports what allocates one, yet
 * declares it for itself only; so it may be gone one day.
 */
int tracing_alloc_snapshot(void);

static inline int vl_alloc_snapshot(void)
{
	int (*alloc)(void);
	int ret;

	if (!IS_ENABLED(CONFIG_TRACER_SNAPSHOT))
		return -EOPNOTSUPP;
	alloc = symbol_get(tracing_alloc_snapshot);
	if (!alloc)
		return -EOPNOTSUPP;
	ret = alloc();
	symbol_put(tracing_alloc_snapshot);
	return ret < 0 ? ret : 0;
}

#endif /* _VRINGLAB_COMPAT_H */
