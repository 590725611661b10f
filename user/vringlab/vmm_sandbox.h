/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The sandbox of 'vringlab vmm': what it may do while its guest runs, and afterwards.
 */
#ifndef VRINGLAB_VMM_SANDBOX_H
#define VRINGLAB_VMM_SANDBOX_H

#include <stdbool.h>

#include <vringlab/sandbox.h>

struct vl_err;
struct vmm_options;

#ifndef __has_feature
#define __has_feature(feature) 0
#endif

/* The address sanitizer traces the process at its end, in search of leaks. */
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define VMM_HAS_NO_SANDBOX true
#else
#define VMM_HAS_NO_SANDBOX false
#endif

/*
 * Before anything is started: can there be one, if there is to be one? Returns 0, or a
 * negative errno.
 */
int vmm_sandbox_check(const struct vmm_options *options, struct vl_err *err);

/*
 * When all is set up, and before there are vCPUs' threads and others; @registers: the
 * thread that calls it goes on to register virtqueues with the module. Returns 0, or a
 * negative errno; so do the next two.
 */
int vmm_sandbox_enter(const struct vmm_options *options, bool registers, struct vl_err *err);

/* vmm_enter_fn, with a const struct vmm_options as @ctx: its place, and its sandbox */
int vmm_sandbox_enter_vcpu(void *ctx, unsigned int id, struct vl_err *err);

/* When the threads of all vCPUs are there. */
int vmm_sandbox_settle(const struct vmm_options *options, bool registers, struct vl_err *err);

/* vmm_rules.c: of all threads, and of vCPUs; the one that runs calls itself @pid */
const struct sandbox_rule *vmm_rules_all(unsigned int *nr, unsigned int pid);
const struct sandbox_rule *vmm_rules_vcpu(unsigned int *nr);

#endif /* VRINGLAB_VMM_SANDBOX_H */
