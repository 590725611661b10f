/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The micro-guests exit-cost and irq-cost with their VMs: TSC cycles of each kind of
 * exit, and of the ways to an interrupt.
 */
#ifndef VRINGLAB_VMM_COST_H
#define VRINGLAB_VMM_COST_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <vringlab/hist.h>
#include <vringlab/vmm_micro.h>

#define VMM_COST_ROWS_MAX 10u
#define VMM_COST_MEMORY (2ull << 20)

/**
 * enum vmm_cost_kind - Which guest
 * @VMM_COST_EXIT: exit-cost.
 * @VMM_COST_IRQ: irq-cost, which a thread of ours answers.
 */
enum vmm_cost_kind {
	VMM_COST_EXIT,
	VMM_COST_IRQ,
};

struct cost_param;

/**
 * struct vmm_cost - The guest, ready to start
 * @micro:	Its VM.
 * @kind:	Which guest.
 * @count:	Of each row.
 * @param:	Parameters and results in guest memory.
 * @event_fd:	What its ioeventfds signal.
 * @call_fd:	Of irq-cost, its interrupt.
 * @stop_fd:	Of irq-cost, ends the thread.
 * @thread:	Of irq-cost, answers.
 * @started:	The thread runs.
 * @tsc_offset:	What KVM adds to this machine's TSC for the guest.
 * @events:	Signals of @event_fd that were taken.
 * @reads:	By the guest, of our device.
 * @writes:	By the guest, to our device.
 *
 * All of it is owned by the structure, which must not move.
 */
struct vmm_cost {
	struct vmm_micro micro;
	enum vmm_cost_kind kind;
	uint64_t count;
	struct cost_param *param;
	int event_fd;
	int call_fd;
	int stop_fd;
	pthread_t thread;
	bool started;
	uint64_t tsc_offset;
	uint64_t events;
	uint64_t reads;
	uint64_t writes;
};

/**
 * vmm_cost_create() - Create the guest
 * @cost:	Filled on success.
 * @kind:	Which guest.
 * @count:	How often of each row, 1 to VMM_MICRO_COUNT_MAX.
 * @kvm_path:	The KVM device, %NULL for VMM_KVM_PATH.
 * @err:	What went wrong, may be NULL.
 *
 * Start the vCPU with vmm_guest_exit(), whose devices have the VM as @bus.
 *
 * Return: 0, or as vmm_micro_create().
 */
int vmm_cost_create(struct vmm_cost *cost, enum vmm_cost_kind kind, uint64_t count,
		    const char *kvm_path, struct vl_err *err);

/**
 * vmm_cost_start() - Start the thread that answers it, if it needs one
 * @cost:	Guest; its vCPU does not run yet.
 * @err:	What went wrong, may be NULL.
 *
 * Return: 0, or a negative errno of pthread_create(3).
 */
int vmm_cost_start(struct vmm_cost *cost, struct vl_err *err);

/**
 * vmm_cost_settle() - After the guest's end: stop the thread, take what is left
 * @cost:	Guest; its vCPU does not run.
 */
void vmm_cost_settle(struct vmm_cost *cost);

/**
 * vmm_cost_destroy() - Release all of it
 * @cost:	Guest; stops it if it runs.
 */
void vmm_cost_destroy(struct vmm_cost *cost);

/**
 * struct vmm_cost_row - One thing that was measured
 * @name:	Of the row.
 * @what:	It is.
 * @hist:	TSC cycles; empty where it could not be measured.
 */
struct vmm_cost_row {
	const char *name;
	const char *what;
	struct vl_hist hist;
};

/**
 * struct vmm_cost_result - What the guest has measured
 * @nr:		Rows.
 * @row:	In the order in which they were measured.
 * @interrupts:	Taken by the guest.
 * @acausal:	Of irq-cost, interrupts before their signal.
 * @tsc_khz:	TSC cycles per ms; 0 if KVM does not know.
 */
struct vmm_cost_result {
	unsigned int nr;
	struct vmm_cost_row row[VMM_COST_ROWS_MAX];
	uint64_t interrupts;
	uint64_t acausal;
	uint32_t tsc_khz;
};

/**
 * vmm_cost_result() - Read what the guest has measured
 * @cost:	Guest.
 * @result:	Filled.
 */
void vmm_cost_result(const struct vmm_cost *cost, struct vmm_cost_result *result);

/**
 * vmm_cost_check() - Did the guest do all that it was told to, and did we see it?
 * @cost:	Guest, settled.
 * @status:	What it wrote to its exit port.
 * @err:	Says what is wrong; may be NULL.
 *
 * Return: 0, %-EIO for a failure of the guest, or %-EPROTO where a count does not
 * agree.
 */
int vmm_cost_check(const struct vmm_cost *cost, uint8_t status, struct vl_err *err);

#endif /* VRINGLAB_VMM_COST_H */
