/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A vCPU: a thread of its own that runs the guest until the guest ends, an exit
 * cannot be handled, or it is told to stop.
 *
 * All functions but vmm_vcpu_stop() are for the thread that created the vCPU.
 */
#ifndef VRINGLAB_VMM_VCPU_H
#define VRINGLAB_VMM_VCPU_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/kvm.h>

#include <vringlab/err.h>

struct vmm;
struct vmm_vcpu;

/**
 * enum vmm_end - How a vCPU's run ended
 * @VMM_END_GUEST: The exit handler said that the guest is done.
 * @VMM_END_STOPPED: vmm_vcpu_stop().
 * @VMM_END_UNEXPECTED: An exit that the handler does not know.
 * @VMM_END_FAILED: KVM_RUN or the exit handler failed.
 */
enum vmm_end {
	VMM_END_GUEST,
	VMM_END_STOPPED,
	VMM_END_UNEXPECTED,
	VMM_END_FAILED,
};

/**
 * struct vmm_vcpu_result - What a vCPU's run came to
 * @end:	How it ended.
 * @err:	Says why for VMM_END_UNEXPECTED and VMM_END_FAILED.
 * @exits:	Exits to user space, the last one included; interrupted runs are
 *		not counted.
 */
struct vmm_vcpu_result {
	enum vmm_end end;
	struct vl_err err;
	uint64_t exits;
};

/* What an exit handler returns, besides a negative errno with @err filled. */
enum {
	VMM_EXIT_HANDLED = 0,
	VMM_EXIT_GUEST_DONE = 1,
	VMM_EXIT_NOT_KNOWN = 2,
};

/**
 * typedef vmm_exit_fn - Handle an exit to user space
 * @ctx:	As given to vmm_vcpu_start().
 * @run:	What KVM filled in; writable, for reads by the guest.
 * @err:	To be filled when a negative errno is returned.
 *
 * Context: the vCPU's thread.
 * Return: VMM_EXIT_*, or a negative errno.
 */
typedef int (*vmm_exit_fn)(void *ctx, struct kvm_run *run, struct vl_err *err);

/**
 * vmm_vcpu_create() - Create a vCPU
 * @vcpu:	Set on success only.
 * @vm:		VM; must outlive the vCPU.
 * @id:		vCPU id, which also is its APIC id.
 * @err:	What went wrong, may be NULL.
 *
 * Installs, once in a process, a handler for the signal that stops vCPUs
 * (SIGRTMIN + 3).
 *
 * Return: 0, or
 * * %-EEXIST - the VM has a vCPU of that id
 * * %-EINVAL - KVM does not allow an id as high
 * * %-ENOMEM - out of memory
 */
int vmm_vcpu_create(struct vmm_vcpu **vcpu, struct vmm *vm, unsigned int id, struct vl_err *err);

/**
 * vmm_vcpu_destroy() - Stop, join and release a vCPU
 * @vcpu:	vCPU; NULL is allowed.
 */
void vmm_vcpu_destroy(struct vmm_vcpu *vcpu);

/**
 * vmm_vcpu_set_cpuid() - Show the guest the CPU that KVM supports here
 * @vcpu:	vCPU that has not run yet.
 * @err:	What went wrong, may be NULL.
 *
 * Return: 0, or a negative errno of KVM_GET_SUPPORTED_CPUID or KVM_SET_CPUID2.
 */
int vmm_vcpu_set_cpuid(struct vmm_vcpu *vcpu, struct vl_err *err);

/**
 * vmm_vcpu_set_cpuid_smp() - Likewise, with the topology of a machine
 * @vcpu:	vCPU that has not run yet.
 * @nr_vcpus:	vCPUs of the VM, with the ids from 0.
 * @err:	What went wrong, may be NULL.
 *
 * All vCPUs are cores of one package, with one thread each, that share the last level
 * of cache.
 *
 * Return: as vmm_vcpu_set_cpuid(), which is this with one vCPU.
 */
int vmm_vcpu_set_cpuid_smp(struct vmm_vcpu *vcpu, unsigned int nr_vcpus, struct vl_err *err);

/**
 * vmm_vcpu_set_msrs() - What firmware would have written to MSRs
 * @vcpu:	vCPU that has its CPUID and has not run yet.
 * @err:	What went wrong, may be NULL.
 *
 * Memory is write-back where no MTRR says otherwise, and string instructions are fast.
 *
 * Return: 0, or a negative errno of KVM_SET_MSRS.
 */
int vmm_vcpu_set_msrs(struct vmm_vcpu *vcpu, struct vl_err *err);

/**
 * vmm_vcpu_tsc_khz() - Frequency of the guest's time stamp counter
 * @vcpu:	vCPU.
 *
 * Return: kHz, or 0 where KVM does not know.
 */
uint32_t vmm_vcpu_tsc_khz(const struct vmm_vcpu *vcpu);

/**
 * vmm_vcpu_tsc_offset() - What KVM adds to this machine's time stamp counter
 * @vcpu:	vCPU.
 * @offset:	Set on success only; modulo 2^64.
 *
 * Return: 0, or a negative errno where KVM does not tell: before Linux 5.16.
 */
int vmm_vcpu_tsc_offset(const struct vmm_vcpu *vcpu, uint64_t *offset);

/**
 * typedef vmm_enter_fn - What a vCPU's thread does before all else
 * @ctx:	As given to vmm_vcpu_on_enter().
 * @id:		Of the vCPU.
 * @err:	To be filled when a negative errno is returned.
 *
 * Context: the vCPU's thread.
 * Return: 0, or a negative errno: the vCPU does not run, and has failed.
 */
typedef int (*vmm_enter_fn)(void *ctx, unsigned int id, struct vl_err *err);

/**
 * vmm_vcpu_on_enter() - Have something done by the vCPU's thread before it runs
 * @vcpu:	vCPU that has not been started.
 * @enter:	What.
 * @ctx:	For @enter.
 */
void vmm_vcpu_on_enter(struct vmm_vcpu *vcpu, vmm_enter_fn enter, void *ctx);

/**
 * vmm_vcpu_start() - Run the vCPU in a thread of its own
 * @vcpu:	vCPU that has not been started.
 * @handler:	Called for every exit to user space.
 * @ctx:	For @handler.
 * @err:	What went wrong, may be NULL.
 *
 * The thread takes no signal but the one that stops it.
 *
 * Return: 0, or a negative errno of pthread_create(3).
 */
int vmm_vcpu_start(struct vmm_vcpu *vcpu, vmm_exit_fn handler, void *ctx, struct vl_err *err);

/**
 * vmm_vcpu_done_fd() - File descriptor that tells the end of the run
 * @vcpu:	vCPU.
 *
 * Return: an eventfd that is readable once the vCPU's run has ended. It stays
 * the vCPU's, and is not to be read.
 */
int vmm_vcpu_done_fd(const struct vmm_vcpu *vcpu);

/**
 * vmm_vcpu_stop() - Make the vCPU leave the guest for good
 * @vcpu:	vCPU that has been started and not joined.
 *
 * Does not wait. A vCPU that is halted or spinning leaves too.
 *
 * Context: any thread.
 */
void vmm_vcpu_stop(struct vmm_vcpu *vcpu);

/**
 * vmm_vcpu_join() - Wait for the end of the run
 * @vcpu:	vCPU that has been started.
 * @result:	Filled; may be NULL.
 */
void vmm_vcpu_join(struct vmm_vcpu *vcpu, struct vmm_vcpu_result *result);

#endif /* VRINGLAB_VMM_VCPU_H */
