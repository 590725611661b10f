/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Micro-guests: freestanding programs that are part of the library, the state
 * that they start in, and the two devices that they know: a console and an exit
 * port.
 */
#ifndef VRINGLAB_VMM_GUEST_H
#define VRINGLAB_VMM_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/kvm.h>

struct vl_err;
struct vmm;
struct vmm_vcpu;

/* Where every micro-guest is loaded and entered. */
#define VMM_GUEST_LOAD_GPA 0x10000u

/* The first serial port's data register; each byte written is output. */
#define VMM_GUEST_CONSOLE_PORT 0x3f8

/* A byte written here ends the guest, and is its status; 0 is success. */
#define VMM_GUEST_EXIT_PORT 0x501

/**
 * struct vmm_guest_image - A guest's code
 * @name:	Its name.
 * @long_mode:	Starts in 64-bit mode, else in real mode.
 * @start:	First byte.
 * @size:	Bytes.
 */
struct vmm_guest_image {
	const char *name;
	bool long_mode;
	const uint8_t *start;
	size_t size;
};

/**
 * vmm_guest_find() - Find a built-in guest
 * @name:	Its name.
 *
 * Return: the guest, or NULL.
 */
const struct vmm_guest_image *vmm_guest_find(const char *name);

/**
 * vmm_guest_load() - Put a guest into memory and its vCPU at the entry
 * @vm:		VM with memory at 0.
 * @vcpu:	vCPU that has not run; for a guest in 64-bit mode its CPUID is set,
 *		else newer kernels refuse EFER.LME.
 * @image:	Guest.
 * @err:	What went wrong, may be NULL.
 *
 * Real mode: every segment starts at VMM_GUEST_LOAD_GPA, ip is 0, sp is 0.
 * 64-bit mode: the GDT and page tables are in guest memory below 0x9000, the
 * low 4 GiB are mapped to themselves but for page 0, the stack ends at
 * VMM_GUEST_LOAD_GPA, there is no IDT, and interrupts are off.
 *
 * Return: 0, or
 * * %-ENOSPC - the memory is too small
 * * a negative errno of KVM_SET_SREGS or KVM_SET_REGS
 */
int vmm_guest_load(struct vmm *vm, struct vmm_vcpu *vcpu, const struct vmm_guest_image *image,
		   struct vl_err *err);

/**
 * struct vmm_guest_io - State of a micro-guest's devices
 * @console_fd:	Where output goes, -1 for nowhere.
 * @hlt_ends:	HLT ends the guest with success; only for VMs without irqchip.
 * @bus:	The VM whose other devices (vmm_bus.h) get what is not for these two; NULL:
 *		it has none, and that is an exit that nobody knows.
 * @ended:	The guest has ended by itself.
 * @status:	Its status, valid with @ended.
 * @line:	Output that is not yet written.
 * @line_len:	Bytes of it.
 */
struct vmm_guest_io {
	int console_fd;
	bool hlt_ends;
	struct vmm *bus;
	bool ended;
	uint8_t status;
	char line[256];
	size_t line_len;
};

/**
 * vmm_guest_exit() - Exit handler (vmm_exit_fn) with the devices
 * @ctx:	struct vmm_guest_io.
 * @run:	What KVM filled in.
 * @err:	Filled where a negative errno is returned.
 *
 * Output is written at each newline and at the end.
 *
 * Return: VMM_EXIT_*, or a negative errno of write(2).
 */
int vmm_guest_exit(void *ctx, struct kvm_run *run, struct vl_err *err);

/**
 * vmm_guest_io_flush() - Write what the guest has output without newline
 * @io:		Devices; the vCPU does not run.
 * @err:	What went wrong, may be NULL.
 *
 * Return: 0, or a negative errno of write(2).
 */
int vmm_guest_io_flush(struct vmm_guest_io *io, struct vl_err *err);

#endif /* VRINGLAB_VMM_GUEST_H */
