/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The micro-guest doorbell-storm with its VM, and a thread that takes what it rings.
 */
#ifndef VRINGLAB_VMM_STORM_H
#define VRINGLAB_VMM_STORM_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <vringlab/vmm_micro.h>

#define VMM_STORM_EVENTFDS_MAX 16u

/**
 * struct vmm_storm_config - What the guest shall do
 * @kvm_path:	The KVM device, %NULL for VMM_KVM_PATH.
 * @count:	Doorbells to ring, all together; 1 to VMM_MICRO_COUNT_MAX.
 * @bus:	Ports or addresses.
 * @nr:		Of which there are so many, each with its eventfd; rung in turn. 1 to
 *		VMM_STORM_EVENTFDS_MAX.
 */
struct vmm_storm_config {
	const char *kvm_path;
	uint64_t count;
	enum vmm_bus bus;
	unsigned int nr;
};

struct storm_param;

/**
 * struct vmm_storm - The guest, ready to start
 * @micro:	Its VM.
 * @config:	What it shall do.
 * @param:	Parameters and results in guest memory.
 * @fd:		The doorbells' eventfds, non-blocking.
 * @taken:	What each has held, all together.
 * @wakes:	Reads of an eventfd that had something.
 * @stop_fd:	Ends the thread.
 * @thread:	Takes.
 * @started:	The thread runs.
 *
 * All of it is owned by the structure, which must not move.
 */
struct vmm_storm {
	struct vmm_micro micro;
	struct vmm_storm_config config;
	struct storm_param *param;
	int fd[VMM_STORM_EVENTFDS_MAX];
	uint64_t taken[VMM_STORM_EVENTFDS_MAX];
	uint64_t wakes;
	int stop_fd;
	pthread_t thread;
	bool started;
};

/**
 * struct vmm_storm_result - What guest and thread have counted
 * @rung:	Doorbells, by the guest.
 * @taken:	By the thread: the sum of what the eventfds held.
 * @wakes:	In so many reads.
 * @cycles:	TSC cycles from before the first doorbell to after the last.
 * @tsc_khz:	TSC cycles per ms; 0 if KVM does not know.
 */
struct vmm_storm_result {
	uint64_t rung;
	uint64_t taken;
	uint64_t wakes;
	uint64_t cycles;
	uint32_t tsc_khz;
};

/**
 * vmm_storm_create() - Create the guest
 * @storm:	Filled on success.
 * @config:	Copied.
 * @err:	What went wrong, may be NULL.
 *
 * Return: 0, or as vmm_micro_create().
 */
int vmm_storm_create(struct vmm_storm *storm, const struct vmm_storm_config *config,
		     struct vl_err *err);

/**
 * vmm_storm_start() - Start the thread that takes what it rings
 * @storm:	Guest; its vCPU does not run yet.
 * @err:	What went wrong, may be NULL.
 *
 * Return: 0, or a negative errno of pthread_create(3).
 */
int vmm_storm_start(struct vmm_storm *storm, struct vl_err *err);

/**
 * vmm_storm_settle() - After the guest's end: stop the thread, take what is left
 * @storm:	Guest; its vCPU does not run.
 */
void vmm_storm_settle(struct vmm_storm *storm);

/**
 * vmm_storm_destroy() - Release all of it
 * @storm:	Guest; stops it if it runs.
 */
void vmm_storm_destroy(struct vmm_storm *storm);

/**
 * vmm_storm_result() - Read what was counted
 * @storm:	Guest, settled.
 * @result:	Filled.
 */
void vmm_storm_result(const struct vmm_storm *storm, struct vmm_storm_result *result);

/**
 * vmm_storm_check() - Did each doorbell come?
 * @storm:	Guest, settled.
 * @status:	What it wrote to its exit port.
 * @err:	Says what is wrong; may be NULL.
 *
 * Return: 0, %-EIO for a failure of the guest, or %-EPROTO where a count does not
 * agree.
 */
int vmm_storm_check(const struct vmm_storm *storm, uint8_t status, struct vl_err *err);

#endif /* VRINGLAB_VMM_STORM_H */
