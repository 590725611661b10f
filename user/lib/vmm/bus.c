// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ranges of a bus are in rising order. A vCPU copies the one it has found and
 * calls it without the lock: handlers may add and remove ranges, as PCI does when
 * the guest moves a BAR.
 */
#include <errno.h>
#include <string.h>

#include <vringlab/vmm_bus.h>

#include "internal.h"

#define PIO_END 0x10000u

static uint64_t bus_last(enum vmm_bus bus)
{
	return bus == VMM_BUS_PIO ? PIO_END - 1 : UINT64_MAX;
}

/* The first range that ends behind @addr. */
static unsigned int position(const struct vmm_ranges *ranges, uint64_t addr)
{
	unsigned int low = 0, high = ranges->nr;

	while (low < high) {
		unsigned int mid = (low + high) / 2;
		const struct vmm_range *r = &ranges->range[mid];

		if (r->addr + (r->size - 1) < addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static int insert(struct vmm_ranges *ranges, const struct vmm_range *range, struct vl_err *err)
{
	unsigned int at = position(ranges, range->addr);
	struct vmm_range *place = &ranges->range[at];

	if (at < ranges->nr && place->addr <= range->addr + (range->size - 1))
		return vl_err_set(err, -EEXIST, "%s at %#llx overlaps %s", range->name,
				  (unsigned long long)range->addr, place->name);
	if (ranges->nr == VMM_RANGES_MAX)
		return vl_err_set(err, -ENOSPC, "%s: a bus has at most %u ranges", range->name,
				  VMM_RANGES_MAX);
	memmove(place + 1, place, (ranges->nr - at) * sizeof(*place));
	*place = *range;
	ranges->nr++;
	return 0;
}

int vmm_bus_add(struct vmm *vm, const struct vmm_range *range, struct vl_err *err)
{
	uint64_t last = bus_last(range->bus);
	int ret;

	if (!range->size || range->addr > last || range->size - 1 > last - range->addr)
		return vl_err_set(err, -EINVAL, "%s: %#llx bytes at %#llx are not on the bus",
				  range->name, (unsigned long long)range->size,
				  (unsigned long long)range->addr);
	pthread_rwlock_wrlock(&vm->bus_lock);
	ret = insert(&vm->bus[range->bus], range, err);
	pthread_rwlock_unlock(&vm->bus_lock);
	return ret;
}

void vmm_bus_remove(struct vmm *vm, enum vmm_bus bus, uint64_t addr)
{
	struct vmm_ranges *ranges = &vm->bus[bus];
	struct vmm_range *place;
	unsigned int at;

	pthread_rwlock_wrlock(&vm->bus_lock);
	at = position(ranges, addr);
	place = &ranges->range[at];
	if (at < ranges->nr && place->addr == addr) {
		ranges->nr--;
		memmove(place, place + 1, (ranges->nr - at) * sizeof(*place));
	}
	pthread_rwlock_unlock(&vm->bus_lock);
}

static bool find(struct vmm *vm, enum vmm_bus bus, uint64_t addr, unsigned int len,
		 struct vmm_range *found)
{
	const struct vmm_ranges *ranges = &vm->bus[bus];
	const struct vmm_range *r;
	bool is_there = false;
	unsigned int at;

	pthread_rwlock_rdlock(&vm->bus_lock);
	at = position(ranges, addr);
	r = &ranges->range[at];
	if (at < ranges->nr && addr >= r->addr && r->size >= len &&
	    addr - r->addr <= r->size - len) {
		*found = *r;
		is_there = true;
	}
	pthread_rwlock_unlock(&vm->bus_lock);
	return is_there;
}

static void access_range(struct vmm *vm, enum vmm_bus bus, uint64_t addr, void *data,
			 unsigned int len, bool write)
{
	struct vmm_range range;
	bool found = find(vm, bus, addr, len, &range);

	if (write) {
		if (found && range.ops->write)
			range.ops->write(range.ctx, addr - range.addr, data, len);
	} else if (found && range.ops->read) {
		range.ops->read(range.ctx, addr - range.addr, data, len);
	} else {
		memset(data, 0xff, len);
	}
}

int vmm_bus_exit(void *ctx, struct kvm_run *run, struct vl_err *err)
{
	struct vmm *vm = ctx;
	uint8_t *data;

	(void)err;
	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		/* INS and OUTS: several at once, all at the same port */
		data = (uint8_t *)run + run->io.data_offset;
		for (uint32_t i = 0; i < run->io.count; i++)
			access_range(vm, VMM_BUS_PIO, run->io.port, data + i * run->io.size,
				     run->io.size, run->io.direction == KVM_EXIT_IO_OUT);
		return VMM_EXIT_HANDLED;
	case KVM_EXIT_MMIO:
		access_range(vm, VMM_BUS_MMIO, run->mmio.phys_addr, run->mmio.data, run->mmio.len,
			     run->mmio.is_write);
		return VMM_EXIT_HANDLED;
	}
	return VMM_EXIT_NOT_KNOWN;
}
