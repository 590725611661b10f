/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * --bench: a tool of ours in a Linux guest's initramfs measures round trips, while the
 * module measures their hops.
 */
#ifndef VRINGLAB_VMM_BENCH_H
#define VRINGLAB_VMM_BENCH_H

#include <stddef.h>
#include <stdint.h>

#include "../guest/linux/bench.h"

struct json_object;
struct loop;
struct vl_err;
struct vmm;
struct vmm_bench;
struct vmm_devices;
struct vmm_options;
struct vmm_trace;

/**
 * struct vmm_bench_kinds - What is measured, in this order
 * @nr:		Of @kind, 0 for nothing.
 * @kind:	enum bench_kind, each once.
 */
struct vmm_bench_kinds {
	unsigned int nr;
	uint32_t kind[BENCH_KINDS];
};

/**
 * vmm_bench_parse() - Read what follows --bench
 * @asked:	Set on success only.
 * @text:	One of net, blk and vsock, or several with commas between.
 *
 * Return: 0 or %-EINVAL.
 */
int vmm_bench_parse(struct vmm_bench_kinds *asked, const char *text);

/**
 * vmm_bench_create() - Get ready, as far as there need be no machine
 * @bench:	Set on success only.
 * @options:	Devices, kinds and count; outlives it.
 * @err:	What is missing.
 *
 * Return: 0, or
 * * %-EINVAL - there is no device of a kind, or several, or one that has no echo
 * * %-ENOMEM
 */
int vmm_bench_create(struct vmm_bench **bench, const struct vmm_options *options,
		     struct vl_err *err);

/**
 * vmm_bench_initrd() - What the kernel is to unpack after its initrd
 * @bench:	Bench.
 * @bytes:	Its size.
 *
 * Return: where it is, until vmm_bench_destroy(); it changes with vmm_bench_start().
 */
const void *vmm_bench_initrd(const struct vmm_bench *bench, size_t *bytes);

/**
 * vmm_bench_start() - Wait for the guest's tool
 * @bench:	Bench.
 * @vm:		VM without vCPUs.
 * @loop:	Loop that the echoes are on.
 * @devices:	All of the guest's.
 * @trace:	Where their virtqueues are registered, or NULL.
 * @err:	What went wrong.
 *
 * All of them outlive @bench.
 *
 * Return: 0, or a negative errno of vmm_bus_add() or of sockets.
 */
int vmm_bench_start(struct vmm_bench *bench, struct vmm *vm, struct loop *loop,
		    struct vmm_devices *devices, struct vmm_trace *trace, struct vl_err *err);

/** vmm_bench_destroy() - Free it; NULL is allowed. No vCPU runs. */
void vmm_bench_destroy(struct vmm_bench *bench);

/**
 * vmm_bench_check() - Has the guest measured all?
 * @bench:	Bench whose guest has ended.
 * @err:	What it has not, and why.
 *
 * Return: 0, or a negative errno.
 */
int vmm_bench_check(const struct vmm_bench *bench, struct vl_err *err);

/** vmm_bench_print() - What was measured, as text. */
void vmm_bench_print(const struct vmm_bench *bench);

/** vmm_bench_json() - What was measured; refers to @bench. */
struct json_object *vmm_bench_json(const struct vmm_bench *bench);

#endif /* VRINGLAB_VMM_BENCH_H */
