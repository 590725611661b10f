/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where the threads of 'vringlab vmm' run, and with what priority.
 */
#ifndef VRINGLAB_VMM_THREADS_H
#define VRINGLAB_VMM_THREADS_H

#include <sched.h>
#include <stdbool.h>

#include <vringlab/machine.h>
#include <vringlab/thread_sched.h>

struct vl_err;

/**
 * struct vmm_threads - What was asked for
 * @pin:	CPU of each vCPU.
 * @nr_pin:	Their number, 0 where nothing was asked for.
 * @keeps_house: @house_keeping was asked for.
 * @house_keeping: CPUs of the loop's thread, and of those that the kernel makes for it.
 * @allowed:	CPUs that the process had.
 * @has_sched:	@sched was asked for.
 * @sched:	Of vCPUs.
 */
struct vmm_threads {
	unsigned int pin[MACHINE_CPUS_MAX];
	unsigned int nr_pin;
	bool keeps_house;
	cpu_set_t house_keeping;
	cpu_set_t allowed;
	bool has_sched;
	struct thread_sched sched;
};

/* What follows --pin, --house-keeping and --priority. Return 0, or EXIT_USAGE. */
int vmm_threads_parse_pin(struct vmm_threads *threads, const char *text);
int vmm_threads_parse_house_keeping(struct vmm_threads *threads, const char *text);
int vmm_threads_parse_priority(struct vmm_threads *threads, const char *text);

/*
 * For the calling thread, before it makes others: checks that all of it can be had for
 * @nr_vcpus, and keeps house. Returns 0, or the exit code.
 */
int vmm_threads_start(struct vmm_threads *threads, unsigned int nr_vcpus);

/* For the thread of a vCPU. Returns 0 or a negative errno. */
int vmm_threads_enter_vcpu(const struct vmm_threads *threads, unsigned int id, struct vl_err *err);

#endif /* VRINGLAB_VMM_THREADS_H */
