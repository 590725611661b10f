/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Inside of --bench:
 *
 *	vmm_bench.c		what is measured, and what the guest's tool tells of it
 *	vmm_bench_initrd.c	the tool, as a piece of an initramfs
 *	vmm_bench_check.c	whether that makes sense
 *	vmm_bench_report.c	what came of it
 *	vmm_echo.c		the other end of its sockets
 */
#ifndef VRINGLAB_VMM_BENCH_JOB_H
#define VRINGLAB_VMM_BENCH_JOB_H

#include <pthread.h>
#include <stdbool.h>

#include <vringlab/hist.h>

#include "report.h"
#include "vmm_bench.h"

struct loop_errands;
struct virtio_backend;
struct vmm_device;
struct vmm_echo;

/**
 * struct vmm_bench_job - One benchmark
 * @kind:	Of what.
 * @dev:	Device.
 * @be:		Its back-end.
 * @echo:	What answers, or NULL.
 * @done:	The guest has told @step, and with BENCH_OK @hist.
 * @step:	enum bench_step.
 * @error:	Positive errno.
 * @hist:	Round trips in nanoseconds.
 * @reports:	Of each virtqueue that is registered, for that time.
 * @nr_reports:	Count.
 */
struct vmm_bench_job {
	enum bench_kind kind;
	const struct vmm_device *dev;
	const struct virtio_backend *be;
	struct vmm_echo *echo;
	bool done;
	uint32_t step;
	uint32_t error;
	struct vl_hist hist;
	struct report *reports;
	unsigned int nr_reports;
};

/**
 * struct vmm_bench - All of them
 * @config:	What the tool is told.
 * @initrd:	Piece of an initramfs.
 * @initrd_bytes: Its size.
 * @config_in_initrd: Where in it @config is.
 * @loop:	Loop.
 * @errands:	Its errands.
 * @trace:	Module, or NULL.
 * @jobs:	Benchmarks; the loop's.
 * @nr_jobs:	Count.
 * @current:	The one that the guest is at; the loop's.
 * @lock:	Protects the following.
 * @nr_words:	Of @incoming that the tool has written.
 * @incoming:	What it writes.
 */
struct vmm_bench {
	struct bench_config config;
	uint8_t *initrd;
	size_t initrd_bytes;
	void *config_in_initrd;
	struct loop *loop;
	struct loop_errands *errands;
	struct vmm_trace *trace;
	struct vmm_bench_job jobs[BENCH_KINDS];
	unsigned int nr_jobs;
	unsigned int current;
	pthread_mutex_t lock;
	unsigned int nr_words;
	uint32_t incoming[sizeof(struct bench_result) / 4];
};

/* The tool: lib/vmm/guests.S. */
extern const uint8_t vmm_guest_linux_bench_start[], vmm_guest_linux_bench_end[];

/* "net", "blk", "vsock" */
const char *vmm_bench_kind_name(enum bench_kind kind);

/* vmm_bench_check.c: as vmm_bench_check(), of one. */
int vmm_bench_check_job(const struct vmm_bench *bench, const struct vmm_bench_job *job,
			struct vl_err *err);

/* vmm_bench_initrd.c */
int vmm_bench_pack(struct vmm_bench *bench, struct vl_err *err);

#endif /* VRINGLAB_VMM_BENCH_JOB_H */
