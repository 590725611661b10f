/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Watching what the library asks of KVM: every open, ioctl and mmap of a KVM
 * descriptor, just before and just after. Costs one load where nobody watches.
 */
#ifndef VRINGLAB_VMM_OBSERVE_H
#define VRINGLAB_VMM_OBSERVE_H

#include <stddef.h>
#include <stdint.h>

/**
 * enum vmm_call_kind - By which system call KVM is asked
 * @VMM_CALL_OPEN: open(2) of the KVM device.
 * @VMM_CALL_IOCTL: ioctl(2).
 * @VMM_CALL_MMAP: mmap(2) of a vCPU's struct kvm_run.
 */
enum vmm_call_kind {
	VMM_CALL_OPEN,
	VMM_CALL_IOCTL,
	VMM_CALL_MMAP,
};

/**
 * struct vmm_call - One call
 * @kind:	Which system call.
 * @fd:		The descriptor; -1 for VMM_CALL_OPEN.
 * @request:	Of VMM_CALL_IOCTL, its number.
 * @name:	Of VMM_CALL_IOCTL, its name; else the system call's.
 * @on:		What it is about, in words.
 * @arg:	Of VMM_CALL_IOCTL, the argument as it is: a number or a pointer to
 *		the structure, which KVM may have filled by the time of the answer. Of
 *		VMM_CALL_MMAP, where it is mapped, once it is.
 * @size:	Of VMM_CALL_MMAP, bytes.
 * @result:	The answer, or a negative errno; 0 until it is there.
 */
struct vmm_call {
	enum vmm_call_kind kind;
	int fd;
	unsigned long request;
	const char *name;
	const char *on;
	const void *arg;
	size_t size;
	int result;
};

/**
 * struct vmm_observer - Who watches
 * @ctx:	For the two functions.
 * @asked:	Called before the call.
 * @answered:	Called after it.
 *
 * Context: the thread that calls; vCPUs have threads of their own.
 */
struct vmm_observer {
	void *ctx;
	void (*asked)(void *ctx, const struct vmm_call *call);
	void (*answered)(void *ctx, const struct vmm_call *call);
};

/**
 * vmm_observe() - Watch from now on
 * @observer:	Stays the caller's; NULL to watch no more.
 *
 * For all VMs of the process. To be changed only while no other thread uses the
 * library.
 */
void vmm_observe(const struct vmm_observer *observer);

#endif /* VRINGLAB_VMM_OBSERVE_H */
