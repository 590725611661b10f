/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The least VM that goes through every hop: a guest that kicks in every fourth run
 * and ends each run by an exit to user space, and an irqfd that interrupts it.
 *
 * Not vringlab's own VMM: that runs a vCPU in a thread of its own, and counting
 * instructions wants all hops in one thread.
 */
#ifndef BENCH_HOP_VM_H
#define BENCH_HOP_VM_H

#include <linux/kvm.h>

struct hop_vm {
	int vm;
	int vcpu;
	struct kvm_run *run;
};

/**
 * hop_vm_open() - Create the VM
 * @vm:		Filled.
 */
void hop_vm_open(struct hop_vm *vm);

/**
 * hop_vm_ioeventfd() - Let the guest's doorbell signal an eventfd
 * @vm:		VM.
 * @fd:		Eventfd.
 */
void hop_vm_ioeventfd(struct hop_vm *vm, int fd);

/**
 * hop_vm_irqfd() - Let an eventfd interrupt the vCPU
 * @vm:		VM.
 * @fd:		Eventfd.
 *
 * Once per VM. The guest never enables interrupts: the vector stays pending, and
 * each signal goes the whole way to the vCPU's APIC.
 */
void hop_vm_irqfd(struct hop_vm *vm, int fd);

/**
 * hop_vm_crowd() - A VM of many vCPUs that never run
 * @calls:	Eventfds; each interrupts a vCPU of its own.
 * @nr:		How many, up to 64.
 *
 * Return: the VM, to be closed
 */
int hop_vm_crowd(const int *calls, unsigned int nr);

/**
 * hop_vm_run() - Enter the guest, until it exits to user space
 * @vm:		VM.
 *
 * The first two runs do nothing but that, the third one kicks before, the fourth
 * does nothing, and so on from the first.
 */
void hop_vm_run(struct hop_vm *vm);

#endif /* BENCH_HOP_VM_H */
