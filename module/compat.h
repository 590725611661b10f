/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every difference between kernels that the module has to know, probed by the
 * feature and not by the version. (One more is where its types are: the prototype of
 * io_uring's tracepoint, in io_uring.c.)
 */
#ifndef _VRINGLAB_COMPAT_H
#define _VRINGLAB_COMPAT_H

#include <linux/ftrace.h>
#include <linux/ptrace.h>
#include <linux/version.h>
#include <linux/wait.h>

#if !defined(CONFIG_X86_64)
#error "vringlab reads KVM's x86 tracepoints and packs 64-bit pointers: x86-64 only"
#endif

#if !defined(CONFIG_DYNAMIC_FTRACE_WITH_ARGS)
#error "vringlab needs CONFIG_DYNAMIC_FTRACE_WITH_ARGS: its hooks read arguments"
#endif

/* There, an eventfd's lock leaves interrupts on and its holder may be preempted. */
#if defined(CONFIG_PREEMPT_RT)
#error "vringlab tells whose interrupt it is by the CPU: no PREEMPT_RT yet"
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
 * From 6.17 an irqfd refuses a queue whose first entry has priority. What is
 * watched must not behave differently, so there is none for us.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 17, 0)
#define VL_WAIT_FLAGS WQ_FLAG_PRIORITY
#else
#define VL_WAIT_FLAGS 0
#endif

#endif /* _VRINGLAB_COMPAT_H */
