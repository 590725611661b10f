/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A PC without firmware: memory, interrupt controllers and timer in the kernel, a
 * serial port, and what resets it and powers it off; then vCPUs that run it.
 *
 * Create the machine, its further devices, its vCPUs, in this order, and start it. All
 * functions but machine_end() are for the thread that created it.
 */
#ifndef VRINGLAB_MACHINE_H
#define VRINGLAB_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

#include <vringlab/err.h>
#include <vringlab/loop.h>
#include <vringlab/serial.h>
#include <vringlab/vmm.h>
#include <vringlab/vmm_vcpu.h>

struct machine;
struct vmm_regs;

#define MACHINE_CPUS_MAX 64u

/* Memory is in whole pages, for a kernel to be in. */
#define MACHINE_MEMORY_MIN 0x200000ull

/**
 * enum machine_end - Why a machine has ended
 * @MACHINE_RUNS: It has not.
 * @MACHINE_POWER_OFF: The guest has powered it off (S5).
 * @MACHINE_RESET: The guest has reset it.
 * @MACHINE_PANIC: The guest has told that its kernel has panicked (pvpanic).
 * @MACHINE_TRIPLE_FAULT: A vCPU could not even take a double fault.
 * @MACHINE_FAILED: A vCPU could not go on, or a device.
 */
enum machine_end {
	MACHINE_RUNS,
	MACHINE_POWER_OFF,
	MACHINE_RESET,
	MACHINE_PANIC,
	MACHINE_TRIPLE_FAULT,
	MACHINE_FAILED,
};

/**
 * struct machine_config - What machine
 * @kvm_path:	KVM device, %NULL for the usual one.
 * @memory:	Bytes of guest memory: from 0 to 3 GiB, the rest from 4 GiB.
 * @pages:	What it is made of.
 * @nr_cpus:	1 to MACHINE_CPUS_MAX.
 * @console:	The other end of the serial port, without @irq.
 * @console_ctx: For @console.
 * @enter:	What each vCPU's thread does first, or %NULL.
 * @enter_ctx:	For @enter.
 */
struct machine_config {
	const char *kvm_path;
	uint64_t memory;
	enum vmm_pages pages;
	unsigned int nr_cpus;
	struct serial_ops console;
	void *console_ctx;
	vmm_enter_fn enter;
	void *enter_ctx;
};

/**
 * machine_check() - Can there be such a machine here?
 * @config:	What machine.
 * @err:	What is wrong, with the cure; may be NULL.
 *
 * Return: 0, or
 * * %-EINVAL - memory of 0 bytes or not in whole pages, or the number of vCPUs
 * * %-ENOMEM - more memory than the host has
 */
int machine_check(const struct machine_config *config, struct vl_err *err);

/**
 * machine_create() - Create a machine without vCPUs
 * @machine:	Set on success only.
 * @config:	What machine.
 * @err:	What went wrong, may be NULL.
 *
 * Return: 0, or as machine_check(), vmm_create() or another function of vmm.h.
 */
int machine_create(struct machine **machine, const struct machine_config *config,
		   struct vl_err *err);

/**
 * machine_destroy() - Stop it and free all of it
 * @machine:	Machine; NULL is allowed. Devices of others are to be gone, or to
 *		stay until it returns.
 */
void machine_destroy(struct machine *machine);

/**
 * machine_vm() - Its VM, for further devices
 * @machine:	Machine.
 */
struct vmm *machine_vm(const struct machine *machine);

/**
 * machine_serial() - Its serial port
 * @machine:	Machine.
 */
struct serial *machine_serial(const struct machine *machine);

/**
 * machine_create_vcpus() - Create the vCPUs
 * @machine:	Machine with all of its devices.
 * @err:	What went wrong, may be NULL.
 *
 * Return: 0, or as the functions of vmm_vcpu.h.
 */
int machine_create_vcpus(struct machine *machine, struct vl_err *err);

/**
 * machine_get_regs() - Registers of the first vCPU, before the start
 * @machine:	Machine with vCPUs.
 * @regs:	Set on success only.
 * @err:	What went wrong, may be NULL.
 *
 * Return: as vmm_regs_get().
 */
int machine_get_regs(const struct machine *machine, struct vmm_regs *regs, struct vl_err *err);

/**
 * machine_start() - Let it run
 * @machine:	Machine with vCPUs.
 * @regs:	Where the first one starts; the others wait for it (INIT, SIPI).
 * @loop:	Loop of the calling thread.
 * @ended:	Called once on the loop when the machine has ended by itself.
 * @ctx:	For @ended.
 * @err:	What went wrong, may be NULL.
 *
 * Return: 0, or as vmm_regs_set(), vmm_vcpu_start() or loop_poll(): machine_stop()
 * is to follow all the same.
 */
int machine_start(struct machine *machine, const struct vmm_regs *regs, struct loop *loop,
		  loop_fn *ended, void *ctx, struct vl_err *err);

/**
 * machine_end() - End it for a reason
 * @machine:	Machine that runs.
 * @end:	Why; the first one stands.
 *
 * Context: a vCPU's thread, in a handler of an exit.
 */
void machine_end(struct machine *machine, enum machine_end end);

/**
 * struct machine_result - What came of it
 * @end:	Why it has ended; MACHINE_RUNS where it was stopped.
 * @err:	Says why for MACHINE_FAILED.
 * @exits:	Exits of all vCPUs to user space.
 */
struct machine_result {
	enum machine_end end;
	struct vl_err err;
	uint64_t exits;
};

/**
 * machine_stop() - Stop all vCPUs and wait for their ends
 * @machine:	Started, or not.
 * @result:	Filled.
 *
 * A handler of an exit that waits for the calling thread has to be let go before.
 */
void machine_stop(struct machine *machine, struct machine_result *result);

#endif /* VRINGLAB_MACHINE_H */
