// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Config space: bytes, some bits of which the guest can write, and what the command
 * register and BAR 0 lead to.
 */
#include <endian.h>
#include <linux/pci_regs.h>
#include <string.h>

#include <vringlab/vmm.h>

#include "pci.h"

/* The header ends there. */
#define FIRST_CAPABILITY 0x40u

uint16_t pci_config_u16(const struct pci_device *dev, unsigned int offset)
{
	uint16_t value;

	memcpy(&value, dev->config + offset, sizeof(value));
	return le16toh(value);
}

void pci_config_set_u16(struct pci_device *dev, unsigned int offset, uint16_t value)
{
	value = htole16(value);
	memcpy(dev->config + offset, &value, sizeof(value));
}

uint32_t pci_config_u32(const struct pci_device *dev, unsigned int offset)
{
	uint32_t value;

	memcpy(&value, dev->config + offset, sizeof(value));
	return le32toh(value);
}

void pci_config_set_u32(struct pci_device *dev, unsigned int offset, uint32_t value)
{
	value = htole32(value);
	memcpy(dev->config + offset, &value, sizeof(value));
}

/* PCI Local Bus Specification 3.0 section 6.1. */
void pci_config_init(struct pci_device *dev, const struct pci_id *id)
{
	const uint16_t command =
		htole16(PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_INTX_DISABLE);
	const uint32_t bar = htole32(-dev->bar_size);

	pthread_mutex_init(&dev->lock, NULL);
	dev->capability_link = PCI_CAPABILITY_LIST;
	dev->capability_end = FIRST_CAPABILITY;
	pci_config_set_u16(dev, PCI_VENDOR_ID, id->vendor);
	pci_config_set_u16(dev, PCI_DEVICE_ID, id->device);
	pci_config_set_u32(dev, PCI_CLASS_REVISION, id->class << 8 | id->revision);
	pci_config_set_u16(dev, PCI_SUBSYSTEM_VENDOR_ID, id->vendor);
	pci_config_set_u16(dev, PCI_SUBSYSTEM_ID, id->device);
	memcpy(dev->writable + PCI_COMMAND, &command, sizeof(command));
	if (!dev->bar_size)
		return;
	memcpy(dev->writable + PCI_BASE_ADDRESS_0, &bar, sizeof(bar));
	/* which one is up to its slot */
	dev->config[PCI_INTERRUPT_PIN] = 1;
	dev->writable[PCI_INTERRUPT_LINE] = 0xff;
}

/* Behind those that are there. Returns where its @size bytes begin: id, next, and zeroes. */
uint8_t *pci_config_capability(struct pci_device *dev, uint8_t id, unsigned int size)
{
	uint8_t *cap = &dev->config[dev->capability_end];

	dev->config[dev->capability_link] = dev->capability_end;
	dev->capability_link = dev->capability_end + PCI_CAP_LIST_NEXT;
	dev->capability_end += (size + 3) & ~3u;
	cap[PCI_CAP_LIST_ID] = id;
	pci_config_set_u16(dev, PCI_STATUS, PCI_STATUS_CAP_LIST);
	return cap;
}

static bool command_has(const struct pci_device *dev, uint16_t bit)
{
	return pci_config_u16(dev, PCI_COMMAND) & bit;
}

void pci_set_intx(struct pci_device *dev, bool asserted)
{
	uint16_t status = pci_config_u16(dev, PCI_STATUS) & ~PCI_STATUS_INTERRUPT;

	dev->intx = asserted;
	pci_config_set_u16(dev, PCI_STATUS, status | (asserted ? PCI_STATUS_INTERRUPT : 0));
	pci_bus_line(dev->bus, dev->slot, asserted && !command_has(dev, PCI_COMMAND_INTX_DISABLE));
}

/* Address 0 is "not assigned". */
static uint32_t wanted_gpa(const struct pci_device *dev)
{
	if (!dev->bar_size || !command_has(dev, PCI_COMMAND_MEMORY))
		return 0;
	return pci_config_u32(dev, PCI_BASE_ADDRESS_0) & PCI_BASE_ADDRESS_MEM_MASK;
}

/* Where it wants to be, if nobody else is there. Returns whether it left a place. */
bool pci_place_bar(struct pci_device *dev)
{
	const uint32_t before = dev->bar_gpa, gpa = wanted_gpa(dev);
	const struct vmm_range range = {
		.bus = VMM_BUS_MMIO,
		.addr = gpa,
		.size = dev->bar_size,
		.ops = &dev->ops->bar,
		.ctx = dev,
		.name = dev->name,
	};

	if (gpa == before)
		return false;
	if (before) {
		dev->bar_gpa = 0;
		dev->ops->placed(dev);
		vmm_bus_remove(dev->bus->vm, VMM_BUS_MMIO, before);
	}
	if (gpa && !vmm_bus_add(dev->bus->vm, &range, NULL)) {
		dev->bar_gpa = gpa;
		dev->ops->placed(dev);
	}
	return before;
}

/* Somebody has left a place: others may have wanted it. */
static void place_others(struct pci_bus *bus)
{
	for (unsigned int i = 0; i < PCI_SLOTS; i++) {
		struct pci_device *dev = bus->devices[i];
		bool is_placed;

		if (!dev || !dev->bar_size)
			continue;
		pthread_mutex_lock(&dev->lock);
		is_placed = dev->bar_gpa;
		pci_place_bar(dev);
		is_placed = dev->bar_gpa && !is_placed;
		pthread_mutex_unlock(&dev->lock);
		if (is_placed)
			dev->ops->changed(dev);
	}
}

void pci_config_read(struct pci_device *dev, unsigned int offset, void *data, unsigned int len)
{
	memset(data, 0, len);
	if (dev->ops && dev->ops->config_read(dev, offset, data, len))
		return;
	pthread_mutex_lock(&dev->lock);
	for (unsigned int i = 0; i < len && offset + i < PCI_CONFIG_SIZE; i++)
		((uint8_t *)data)[i] = dev->config[offset + i];
	pthread_mutex_unlock(&dev->lock);
}

static void set_bytes(struct pci_device *dev, unsigned int offset, const uint8_t *data,
		      unsigned int len)
{
	for (unsigned int i = 0; i < len && offset + i < PCI_CONFIG_SIZE; i++) {
		uint8_t writable = dev->writable[offset + i];
		uint8_t *byte = &dev->config[offset + i];

		*byte = (*byte & ~writable) | (data[i] & writable);
	}
}

void pci_config_write(struct pci_device *dev, unsigned int offset, const void *data,
		      unsigned int len)
{
	bool left = false;

	if (dev->ops && dev->ops->config_write(dev, offset, data, len))
		return;
	pthread_mutex_lock(&dev->lock);
	set_bytes(dev, offset, data, len);
	if (dev->ops) {
		left = pci_place_bar(dev);
		pci_set_intx(dev, dev->intx);
	}
	pthread_mutex_unlock(&dev->lock);
	if (left)
		place_others(dev->bus);
	if (dev->ops)
		dev->ops->changed(dev);
}
