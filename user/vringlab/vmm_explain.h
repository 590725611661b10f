/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * 'vringlab vmm --explain': what is asked of KVM, told step by step as it happens.
 */
#ifndef VRINGLAB_CMD_VMM_EXPLAIN_H
#define VRINGLAB_CMD_VMM_EXPLAIN_H

#include <stdbool.h>

#include <linux/kvm.h>

struct vl_err;
struct vmm_call;
struct vmm_guest_io;
struct vmm_vcpu;

/**
 * vmm_explain_start() - Explain on stdout until the process ends
 * @runs:	Also what happens while the guest runs.
 */
void vmm_explain_start(bool runs);

/**
 * vmm_explains_exits() - Is what happens while the guest runs explained?
 */
bool vmm_explains_exits(void);

/**
 * struct vmm_explained - A guest whose exits are explained
 * @vcpu:	Its vCPU.
 * @io:		Its devices.
 */
struct vmm_explained {
	const struct vmm_vcpu *vcpu;
	struct vmm_guest_io *io;
};

/**
 * vmm_explain_exit() - Exit handler (vmm_exit_fn): vmm_guest_exit(), told
 * @ctx:	struct vmm_explained.
 * @run:	What KVM filled in.
 * @err:	Filled where a negative errno is returned.
 *
 * Return: as vmm_guest_exit().
 */
int vmm_explain_exit(void *ctx, struct kvm_run *run, struct vl_err *err);

/* vmm_explain_args.c: what a request is for, or NULL; and its argument's structure */
const char *vmm_explain_purpose(const struct vmm_call *call);
void vmm_explain_argument(const struct vmm_call *call);

#endif /* VRINGLAB_CMD_VMM_EXPLAIN_H */
