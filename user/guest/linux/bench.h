/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the VMM and the tool in a Linux guest's initramfs say to each other: the VMM by
 * a file there, the tool by two ports of 4 bytes each.
 */
#ifndef VRINGLAB_BENCH_H
#define VRINGLAB_BENCH_H

#include <stdint.h>

#include "../tsc_hist.h"

#define BENCH_MAGIC 0x686e6362u /* "bnch" */

#define BENCH_FILE "/vringlab-bench"

/* Pieces of a struct bench_result go to the first port, enum bench_control to the other. */
#define BENCH_PORT 0x620u
#define BENCH_CONTROL_PORT (BENCH_PORT + 4u)
#define BENCH_PORTS 8u

enum bench_kind {
	BENCH_NET,
	BENCH_BLK,
	BENCH_VSOCK,
	BENCH_KINDS,
};

/* Of one benchmark, in this order; of one that failed before, only the last. */
enum bench_control {
	BENCH_BEGIN, /* what comes now is measured */
	BENCH_END,
	BENCH_DONE, /* its result was written */
};

/* What failed, with its errno. */
enum bench_step {
	BENCH_OK,
	BENCH_MODULES, /* loading one */
	BENCH_FIND, /* the device is not there */
	BENCH_SET_UP, /* addresses, connection */
	BENCH_ROUND, /* a round trip */
};

/**
 * struct bench_job - One benchmark
 * @kind:	enum bench_kind.
 * @bytes:	Of each read or message.
 * @guest:	net: addresses, in the order of the network.
 * @mask:	net: of the network.
 * @host:	net: where the echo is.
 * @port:	net, in the order of the network, and vsock: likewise.
 */
struct bench_job {
	uint32_t kind;
	uint32_t bytes;
	uint32_t guest;
	uint32_t mask;
	uint32_t host;
	uint32_t port;
};

/**
 * struct bench_config - BENCH_FILE
 * @magic:	BENCH_MAGIC.
 * @nr:		Of @jobs.
 * @count:	Round trips of each.
 * @jobs:	One after the other.
 */
struct bench_config {
	uint32_t magic;
	uint32_t nr;
	uint64_t count;
	struct bench_job jobs[BENCH_KINDS];
};

/**
 * struct bench_result - Of one benchmark
 * @magic:	BENCH_MAGIC.
 * @kind:	Of the job.
 * @step:	enum bench_step.
 * @error:	Positive errno, with @step.
 * @ns:		Round trips in nanoseconds, unless it failed.
 */
struct bench_result {
	uint32_t magic;
	uint32_t kind;
	uint32_t step;
	uint32_t error;
	struct tsc_hist ns;
};

#define BENCH_MESSAGE_BYTES 64u
#define BENCH_BLOCK_BYTES 4096u

#endif /* VRINGLAB_BENCH_H */
