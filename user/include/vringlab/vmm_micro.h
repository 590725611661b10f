/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The VM of a micro-guest in C: memory from 0, an irqchip, one vCPU.
 */
#ifndef VRINGLAB_VMM_MICRO_H
#define VRINGLAB_VMM_MICRO_H

#include <stdint.h>

#include <vringlab/hist.h>
#include <vringlab/vmm.h>
#include <vringlab/vmm_vcpu.h>

struct tsc_hist;

/* Bounds of what a caller may ask for. */
#define VMM_MICRO_COUNT_MAX (1ull << 32)
#define VMM_MICRO_MEMORY_MIN (2ull << 20)
#define VMM_MICRO_MEMORY_MAX (3ull << 30)

/* Where doorbells are. Ports and addresses here belong to no PC device. */
#define VMM_MICRO_DOORBELL_PORT 0x600u
#define VMM_MICRO_DOORBELL_GPA 0xd0000000u

/* The vector of the guests' interrupt: any but an exception's and the spurious one. */
#define VMM_MICRO_VECTOR 0x30u

/**
 * struct vmm_micro - A micro-guest with its VM
 * @vm:		Its VM.
 * @vcpu:	Its only vCPU.
 * @memory:	All of its memory.
 * @param:	Its parameters and results, at MICRO_PARAM_GPA of guest/micro.h.
 *
 * All of it is owned by the structure.
 */
struct vmm_micro {
	struct vmm *vm;
	struct vmm_vcpu *vcpu;
	const struct vmm_memory *memory;
	void *param;
};

/**
 * vmm_micro_create() - Create VM, memory and irqchip
 * @micro:	All zero; vmm_micro_destroy() is due, also after a failure.
 * @kvm_path:	The KVM device, %NULL for VMM_KVM_PATH.
 * @memory:	Guest memory in bytes, whole pages.
 * @irqchip:	Which one.
 * @err:	What went wrong, may be NULL.
 *
 * eventfds are to be attached between this and vmm_micro_add_vcpu(): later it costs
 * KVM a grace period each.
 *
 * Return: 0, or as vmm_create() and the others of vmm.h.
 */
int vmm_micro_create(struct vmm_micro *micro, const char *kvm_path, uint64_t memory,
		     enum vmm_irqchip irqchip, struct vl_err *err);

/**
 * vmm_micro_add_vcpu() - Create the vCPU and load the guest
 * @micro:	Created.
 * @guest:	Its name.
 * @err:	What went wrong, may be NULL.
 *
 * Return: 0, or as vmm_vcpu_create() and vmm_guest_load().
 */
int vmm_micro_add_vcpu(struct vmm_micro *micro, const char *guest, struct vl_err *err);

/**
 * vmm_micro_destroy() - Release all of it
 * @micro:	Guest; stops it if it runs.
 */
void vmm_micro_destroy(struct vmm_micro *micro);

/**
 * vmm_micro_check() - Did the guest end as it should?
 * @micro:	Guest.
 * @status:	What it wrote to its exit port; none of its own.
 * @err:	Says what is wrong; may be NULL.
 *
 * Return: 0, or %-EIO with the exception, or what else the status means.
 */
int vmm_micro_check(const struct vmm_micro *micro, uint8_t status, struct vl_err *err);

/**
 * vmm_micro_eventfd() - Create an eventfd, non-blocking
 * @fd:		Set on success only.
 * @err:	What went wrong, may be NULL.
 *
 * Return: 0, or a negative errno of eventfd(2).
 */
int vmm_micro_eventfd(int *fd, struct vl_err *err);

/**
 * vmm_micro_hist() - Read a histogram of the guest
 * @hist:	Filled; in TSC cycles.
 * @from:	In guest memory; of a guest that still runs it may be between two of its
 *		numbers.
 */
void vmm_micro_hist(struct vl_hist *hist, const struct tsc_hist *from);

#endif /* VRINGLAB_VMM_MICRO_H */
