/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where the guest's accesses to I/O ports and to addresses without memory go.
 */
#ifndef VRINGLAB_VMM_BUS_H
#define VRINGLAB_VMM_BUS_H

#include <stdint.h>

#include <linux/kvm.h>

#include <vringlab/vmm.h>

struct vl_err;

/**
 * struct vmm_range_ops - What a device does with an access
 * @read:	Fill all of @data. NULL: it reads as ones.
 * @write:	Take it. NULL: it is ignored.
 *
 * @offset is from the start of the range. @len is 1, 2, 4 or 8, and all of it is in
 * the range; neither is aligned by anybody: the guest chooses both.
 *
 * Context: any vCPU's thread, several at a time.
 */
struct vmm_range_ops {
	void (*read)(void *ctx, uint64_t offset, void *data, unsigned int len);
	void (*write)(void *ctx, uint64_t offset, const void *data, unsigned int len);
};

/**
 * struct vmm_range - Addresses that belong to a device
 * @bus:	PIO or MMIO.
 * @addr:	First one.
 * @size:	Bytes, at least 1.
 * @ops:	What it does.
 * @ctx:	For @ops; stays until the last vCPU has ended.
 * @name:	For messages.
 */
struct vmm_range {
	enum vmm_bus bus;
	uint64_t addr;
	uint64_t size;
	const struct vmm_range_ops *ops;
	void *ctx;
	const char *name;
};

/* Ranges that one VM may have on each bus. */
#define VMM_RANGES_MAX 256u

/**
 * vmm_bus_add() - Give a device its addresses
 * @vm:		VM; its vCPUs may run.
 * @range:	Copied, but for what it points to.
 * @err:	What went wrong, may be NULL.
 *
 * Context: any thread, also inside of a handler.
 * Return: 0, or
 * * %-EINVAL - no bytes, or the addresses wrap or are beyond the bus
 * * %-EEXIST - overlaps a range that is there
 * * %-ENOSPC - VMM_RANGES_MAX are there
 */
int vmm_bus_add(struct vmm *vm, const struct vmm_range *range, struct vl_err *err);

/**
 * vmm_bus_remove() - Take the addresses away
 * @vm:		VM.
 * @bus:	PIO or MMIO.
 * @addr:	First one of the range; nothing happens if none starts there.
 *
 * A handler that was called before may still be running.
 *
 * Context: any thread, also inside of a handler.
 */
void vmm_bus_remove(struct vmm *vm, enum vmm_bus bus, uint64_t addr);

/**
 * vmm_bus_exit() - Exit handler (vmm_exit_fn) for KVM_EXIT_IO and KVM_EXIT_MMIO
 * @ctx:	struct vmm.
 * @run:	What KVM filled in.
 * @err:	Not used.
 *
 * An access that no range has all of reads as ones and writes nothing, as on a PC.
 *
 * Return: VMM_EXIT_HANDLED, or VMM_EXIT_NOT_KNOWN for other exits.
 */
int vmm_bus_exit(void *ctx, struct kvm_run *run, struct vl_err *err);

#endif /* VRINGLAB_VMM_BUS_H */
