/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Why KVM_RUN returned to user space, in words. Pure: works on a copy of
 * struct kvm_run as well as on the one that is shared with KVM.
 */
#ifndef VRINGLAB_VMM_EXIT_H
#define VRINGLAB_VMM_EXIT_H

#include <stddef.h>
#include <stdint.h>

#include <linux/kvm.h>

/**
 * vmm_exit_name() - Name of an exit reason
 * @reason:	KVM_EXIT_*, also of architectures and kernels other than ours.
 *
 * Return: the name as in the kernel's header, or "unknown".
 */
const char *vmm_exit_name(uint32_t reason);

/**
 * vmm_suberror_name() - Name of the kind of KVM_EXIT_INTERNAL_ERROR
 * @suberror:	KVM_INTERNAL_ERROR_*.
 *
 * Return: the name as in the kernel's header, or "unknown".
 */
const char *vmm_suberror_name(uint32_t suberror);

/**
 * vmm_exit_describe() - Tell all that is known of an exit
 * @run:	What KVM filled in.
 * @run_size:	Bytes readable at @run: KVM puts PIO data behind the structure.
 * @buf:	Filled with one line, no newline, truncated if it has to be.
 * @size:	Bytes of @buf.
 *
 * Return: @buf.
 */
char *vmm_exit_describe(const struct kvm_run *run, size_t run_size, char *buf, size_t size);

#endif /* VRINGLAB_VMM_EXIT_H */
