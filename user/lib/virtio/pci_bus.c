// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The host bridge: who is at which slot, two ways to config space, and four lines.
 */
#include <errno.h>
#include <linux/pci_regs.h>
#include <stdlib.h>
#include <string.h>

#include <vringlab/err.h>
#include <vringlab/vmm_gsi.h>

#include "pci.h"

/* PCI Local Bus Specification 3.0 section 3.2.2.3.2. */
#define ADDRESS_PORT 0xcf8u
#define ADDRESS_ENABLE (1u << 31)
#define ADDRESS_REGISTER 0xfcu
#define DATA_OFFSET 4u
#define PORTS 8u

/* PCI Express Base Specification 5.0 section 7.2.2: 4 KiB a function, 8 functions a slot. */
#define ECAM_REGISTER 0xfffu
#define ECAM_FUNCTION 0x7000u

/* QEMU's generic host bridge (its docs/specs/pci-ids.rst), that no driver wants. */
static const struct pci_id bridge_id = {
	.vendor = 0x1b36,
	.device = 0x0008,
	.class = 0x060000,
};

static struct pci_device *device_at(struct pci_bus *bus, unsigned int slot, unsigned int function)
{
	return function || slot >= PCI_SLOTS ? NULL : bus->devices[slot];
}

static void read_device(struct pci_device *dev, unsigned int offset, void *data, unsigned int len)
{
	if (dev)
		pci_config_read(dev, offset, data, len);
	else
		memset(data, 0xff, len);
}

static struct pci_device *ecam_device(struct pci_bus *bus, uint64_t offset)
{
	return device_at(bus, offset >> PCI_ECAM_SLOT_SHIFT, offset & ECAM_FUNCTION);
}

static void ecam_read(void *ctx, uint64_t offset, void *data, unsigned int len)
{
	read_device(ecam_device(ctx, offset), offset & ECAM_REGISTER, data, len);
}

static void ecam_write(void *ctx, uint64_t offset, const void *data, unsigned int len)
{
	struct pci_device *dev = ecam_device(ctx, offset);

	if (dev)
		pci_config_write(dev, offset & ECAM_REGISTER, data, len);
}

static const struct vmm_range_ops ecam_ops = { .read = ecam_read, .write = ecam_write };

static uint32_t get_address(struct pci_bus *bus)
{
	uint32_t address;

	pthread_mutex_lock(&bus->lock);
	address = bus->address;
	pthread_mutex_unlock(&bus->lock);
	return address;
}

/* Of what was written to the address port. */
static struct pci_device *port_device(struct pci_bus *bus, uint32_t address)
{
	if (!(address & ADDRESS_ENABLE) || address >> 16 & 0xff)
		return NULL;
	return device_at(bus, address >> 11 & 0x1f, address >> 8 & 7);
}

static void port_read(void *ctx, uint64_t offset, void *data, unsigned int len)
{
	uint32_t address = get_address(ctx);

	if (offset >= DATA_OFFSET) {
		read_device(port_device(ctx, address),
			    (address & ADDRESS_REGISTER) + (offset - DATA_OFFSET), data, len);
		return;
	}
	memset(data, 0xff, len);
	if (!offset && len == sizeof(address))
		memcpy(data, &address, len);
}

static void port_write(void *ctx, uint64_t offset, const void *data, unsigned int len)
{
	struct pci_bus *bus = ctx;
	uint32_t address = get_address(bus);
	struct pci_device *dev = port_device(bus, address);

	if (offset >= DATA_OFFSET) {
		if (dev)
			pci_config_write(dev, (address & ADDRESS_REGISTER) + (offset - DATA_OFFSET),
					 data, len);
	} else if (!offset && len == sizeof(address)) {
		pthread_mutex_lock(&bus->lock);
		memcpy(&bus->address, data, len);
		pthread_mutex_unlock(&bus->lock);
	}
}

static const struct vmm_range_ops port_ops = { .read = port_read, .write = port_write };

void pci_bus_line(struct pci_bus *bus, unsigned int slot, bool level)
{
	uint32_t *asserted = &bus->asserted[slot % PCI_INTX_PINS];
	uint32_t before;

	pthread_mutex_lock(&bus->lock);
	before = *asserted;
	if (level)
		*asserted |= 1u << slot;
	else
		*asserted &= ~(1u << slot);
	/* without pins in the kernel it goes nowhere, as on a board without the wire */
	if (!before != !*asserted)
		vmm_gsi_set_line(bus->vm, pci_intx_gsi(slot), *asserted, NULL);
	pthread_mutex_unlock(&bus->lock);
}

int pci_bus_add(struct pci_bus *bus, unsigned int slot, struct pci_device *dev, struct vl_err *err)
{
	uint32_t size = dev->bar_size;

	if (slot >= PCI_SLOTS || bus->devices[slot])
		return vl_err_set(err, -EEXIST, "%s: PCI slot %u is taken, or beyond %u", dev->name,
				  slot, PCI_SLOTS - 1);
	dev->bus = bus;
	dev->slot = slot;
	if (size) {
		/* 31 devices of at most 64 KiB: there is room for all */
		bus->next_bar = (bus->next_bar + size - 1) & ~(size - 1);
		pci_config_set_u32(dev, PCI_BASE_ADDRESS_0, bus->next_bar);
		bus->next_bar += size;
	}
	if (dev->config[PCI_INTERRUPT_PIN]) {
		dev->config[PCI_INTERRUPT_PIN] = 1 + slot % PCI_INTX_PINS;
		dev->config[PCI_INTERRUPT_LINE] = pci_intx_gsi(slot);
	}
	bus->devices[slot] = dev;
	return 0;
}

void pci_bus_remove(struct pci_device *dev)
{
	pthread_mutex_lock(&dev->lock);
	pci_config_set_u16(dev, PCI_COMMAND, 0);
	pci_place_bar(dev);
	pci_set_intx(dev, false);
	pthread_mutex_unlock(&dev->lock);
	dev->bus->devices[dev->slot] = NULL;
}

static int add_ranges(struct pci_bus *bus, struct vl_err *err)
{
	const struct vmm_range ecam = {
		.bus = VMM_BUS_MMIO,
		.addr = PCI_ECAM_GPA,
		.size = PCI_ECAM_SIZE,
		.ops = &ecam_ops,
		.ctx = bus,
		.name = "PCI ECAM",
	};
	const struct vmm_range ports = {
		.bus = VMM_BUS_PIO,
		.addr = ADDRESS_PORT,
		.size = PORTS,
		.ops = &port_ops,
		.ctx = bus,
		.name = "PCI config ports",
	};
	int ret = vmm_bus_add(bus->vm, &ecam, err);

	if (ret)
		return ret;
	ret = vmm_bus_add(bus->vm, &ports, err);
	if (ret)
		vmm_bus_remove(bus->vm, VMM_BUS_MMIO, PCI_ECAM_GPA);
	return ret;
}

int pci_bus_create(struct pci_bus **bus, struct vmm *vm, struct vl_err *err)
{
	struct pci_bus *new = calloc(1, sizeof(*new));
	int ret;

	if (!new)
		return vl_err_set(err, -ENOMEM, "no memory for a PCI bus");
	new->vm = vm;
	new->next_bar = PCI_WINDOW_GPA;
	pthread_mutex_init(&new->lock, NULL);
	new->bridge.name = "PCI host bridge";
	pci_config_init(&new->bridge, &bridge_id);
	ret = add_ranges(new, err);
	if (ret) {
		pthread_mutex_destroy(&new->bridge.lock);
		pthread_mutex_destroy(&new->lock);
		free(new);
		return ret;
	}
	pci_bus_add(new, 0, &new->bridge, NULL);
	*bus = new;
	return 0;
}

void pci_bus_destroy(struct pci_bus *bus)
{
	if (!bus)
		return;
	vmm_bus_remove(bus->vm, VMM_BUS_MMIO, PCI_ECAM_GPA);
	vmm_bus_remove(bus->vm, VMM_BUS_PIO, ADDRESS_PORT);
	pthread_mutex_destroy(&bus->bridge.lock);
	pthread_mutex_destroy(&bus->lock);
	free(bus);
}
