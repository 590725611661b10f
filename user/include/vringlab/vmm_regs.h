/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A vCPU's registers as text.
 */
#ifndef VRINGLAB_VMM_REGS_H
#define VRINGLAB_VMM_REGS_H

#include <stdio.h>

#include <linux/kvm.h>

struct vl_err;
struct vmm_vcpu;

/**
 * struct vmm_regs - General, special and segment registers
 * @regs:	General registers, rip and rflags.
 * @sregs:	Segments, descriptor tables, control registers, EFER, APIC base.
 */
struct vmm_regs {
	struct kvm_regs regs;
	struct kvm_sregs sregs;
};

/**
 * vmm_regs_get() - Read a vCPU's registers
 * @vcpu:	vCPU that is not running.
 * @regs:	Set on success only.
 * @err:	What went wrong, may be NULL.
 *
 * Return: 0, or a negative errno of KVM_GET_REGS or KVM_GET_SREGS.
 */
int vmm_regs_get(const struct vmm_vcpu *vcpu, struct vmm_regs *regs, struct vl_err *err);

/**
 * vmm_regs_set() - Write a vCPU's registers
 * @vcpu:	vCPU that is not running.
 * @regs:	All of them.
 * @err:	What went wrong, may be NULL.
 *
 * Return: 0, or a negative errno of KVM_SET_SREGS or KVM_SET_REGS.
 */
int vmm_regs_set(const struct vmm_vcpu *vcpu, const struct vmm_regs *regs, struct vl_err *err);

/**
 * vmm_regs_print() - Write registers as lines of text
 * @f:		Where to.
 * @regs:	Registers.
 *
 * Flag registers are spelled out, and so are the type and the attributes of
 * segments.
 */
void vmm_regs_print(FILE *f, const struct vmm_regs *regs);

/**
 * vmm_regs_print_general_changes() - Write what has changed of the general registers
 * @f:		Where to; one line for each, without indent.
 * @before:	As they were; NULL for "nobody knows": all that are not 0 are written.
 * @after:	As they are.
 *
 * Return: how many lines were written.
 */
unsigned int vmm_regs_print_general_changes(FILE *f, const struct kvm_regs *before,
					    const struct kvm_regs *after);

/**
 * vmm_regs_print_special_changes() - Write what has changed of the special registers
 * @f:		Where to; one line for each, without indent. Segments of which the same
 *		has changed share one, with the members' names as KVM has them.
 * @before:	As vmm_regs_print_general_changes().
 * @after:	As they are.
 *
 * Return: how many lines were written.
 */
unsigned int vmm_regs_print_special_changes(FILE *f, const struct kvm_sregs *before,
					    const struct kvm_sregs *after);

#endif /* VRINGLAB_VMM_REGS_H */
