/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the back-ends of a machine share: its event loop and its memory.
 */
#ifndef VRINGLAB_BACKEND_HOST_H
#define VRINGLAB_BACKEND_HOST_H

#include <vringlab/vmm.h>
#include <vringlab/vring_mem.h>

struct loop;
struct vl_err;

/* Of virtqueues, where nothing else was asked for. */
#define BACKEND_QUEUE_SIZE_DEFAULT 256u

/**
 * struct backend_host - A machine, as its back-ends see it
 * @loop:	Its loop; all back-ends are its thread's.
 * @nr_memory:	Pieces of guest memory.
 * @memory:	Guest memory.
 * @table:	The same, for descriptors and for where a driver says that its virtqueues
 *		are: a user address in it is a guest physical one too.
 * @warn:	Told once what a device goes on without, with its name; may be NULL.
 * @ctx:	For @warn.
 *
 * Memory is complete before a virtqueue starts, and stays.
 */
struct backend_host {
	struct loop *loop;
	unsigned int nr_memory;
	struct vmm_memory memory[VMM_MEMORY_MAX];
	struct vring_mem table;
	void (*warn)(void *ctx, const struct vl_err *err);
	void *ctx;
};

/**
 * backend_host_init() - A machine without memory
 * @host:	Filled; outlives its back-ends.
 * @loop:	Its loop; outlives @host.
 */
void backend_host_init(struct backend_host *host, struct loop *loop);

/**
 * backend_host_add() - Add a piece of guest memory
 * @host:	Machine.
 * @memory:	Copied; mapping and fd stay the caller's, and valid.
 * @err:	What went wrong, may be NULL.
 *
 * Return: 0, or as vring_mem_add(); %-ENOSPC for more than VMM_MEMORY_MAX.
 */
int backend_host_add(struct backend_host *host, const struct vmm_memory *memory,
		     struct vl_err *err);

/**
 * backend_host_add_vm() - Add all memory of a VM
 * @host:	Machine.
 * @vm:		VM.
 * @err:	What went wrong, may be NULL.
 *
 * Return: as backend_host_add().
 */
int backend_host_add_vm(struct backend_host *host, const struct vmm *vm, struct vl_err *err);

#endif /* VRINGLAB_BACKEND_HOST_H */
