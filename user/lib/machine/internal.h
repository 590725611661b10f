/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the files of this library share.
 */
#ifndef MACHINE_INTERNAL_H
#define MACHINE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include <vringlab/err.h>
#include <vringlab/machine.h>
#include <vringlab/vmm_gsi.h>
#include <vringlab/vmm_vcpu.h>

struct machine_vcpu {
	struct machine *machine;
	struct vmm_vcpu *vcpu;
	struct loop_op *done;
	bool started;
};

struct machine {
	struct machine_config config;
	struct vmm *vm;
	struct serial *serial;
	struct serial_ops serial_ops;
	uint8_t pm1[6]; /* event: status, enable; control; under pm1_lock */
	pthread_mutex_t pm1_lock;
	atomic_int end; /* enum machine_end */
	unsigned int nr_vcpus;
	struct machine_vcpu vcpu[MACHINE_CPUS_MAX];
	loop_fn *ended;
	void *ended_ctx;
};

/* power.c: the ports that end a machine */
int machine_power_init(struct machine *machine, struct vl_err *err);

#endif /* MACHINE_INTERNAL_H */
