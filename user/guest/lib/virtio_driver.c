// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a driver does before a device works: VIRTIO 1.2 section 3.1.1.
 */
#include <linux/pci_regs.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_pci.h>

#include "access.h"
#include "virtio.h"

#define MMIO_MAGIC 0x74726976u
#define MMIO_VERSION 2u
#define PCI_VENDOR 0x1af4u
#define PCI_DEVICE_FIRST 0x1040u

/* Message address of the first local APIC; data is the vector: fixed, edge triggered. */
#define MSI_ADDRESS 0xfee00000u

/* 82093AA (IOAPIC) datasheet, section 3. */
#define IOAPIC_SELECT 0xfec00000ull
#define IOAPIC_WINDOW 0xfec00010ull
#define IOAPIC_ENTRIES 0x10u

/* Masks of the two PICs, which have the pins as well. */
#define PIC_MASTER_MASK 0x21u
#define PIC_SLAVE_MASK 0xa1u

uint32_t virtio_id(const struct virtio_device *d)
{
	uint32_t id;

	if (d->mmio)
		return peek(d->regs + VIRTIO_MMIO_MAGIC_VALUE, 4) == MMIO_MAGIC &&
				       peek(d->regs + VIRTIO_MMIO_VERSION, 4) == MMIO_VERSION ?
			       peek(d->regs + VIRTIO_MMIO_DEVICE_ID, 4) :
			       0;
	id = peek(d->config + PCI_DEVICE_ID, 2);
	return peek(d->config + PCI_VENDOR_ID, 2) == PCI_VENDOR && id >= PCI_DEVICE_FIRST ?
		       id - PCI_DEVICE_FIRST :
		       0;
}

bool virtio_negotiate(const struct virtio_device *d, uint64_t features)
{
	const uint8_t driver = VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER;

	virtio_set_status(d, 0);
	while (virtio_status(d))
		;
	virtio_set_status(d, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	virtio_set_status(d, driver);
	if (features & ~virtio_features(d))
		return false;
	virtio_set_features(d, features);
	virtio_set_status(d, driver | VIRTIO_CONFIG_S_FEATURES_OK);
	return virtio_status(d) & VIRTIO_CONFIG_S_FEATURES_OK;
}

uint32_t virtio_queue_size(const struct virtio_device *d, uint16_t index)
{
	uint64_t base = virtio_base(d);

	if (d->mmio) {
		poke(base + VIRTIO_MMIO_QUEUE_SEL, 4, index);
		return peek(base + VIRTIO_MMIO_QUEUE_NUM_MAX, 4);
	}
	poke(base + VIRTIO_PCI_COMMON_Q_SELECT, 2, index);
	return peek(base + VIRTIO_PCI_COMMON_Q_SIZE, 2);
}

/* Fixed, edge triggered, active high, to the first local APIC. */
static void route_pin(uint32_t gsi, uint8_t vector)
{
	port_write(PIC_MASTER_MASK, 1, 0xff);
	port_write(PIC_SLAVE_MASK, 1, 0xff);
	poke(IOAPIC_SELECT, 4, IOAPIC_ENTRIES + 2 * gsi + 1);
	poke(IOAPIC_WINDOW, 4, 0);
	poke(IOAPIC_SELECT, 4, IOAPIC_ENTRIES + 2 * gsi);
	poke(IOAPIC_WINDOW, 4, vector);
}

bool virtio_set_vector(const struct virtio_device *d, uint16_t index, uint32_t gsi, uint8_t vector)
{
	uint64_t base = virtio_base(d);
	uint64_t entry = base + VIRTIO_BAR_MSIX + index * PCI_MSIX_ENTRY_SIZE;

	if (d->mmio) {
		route_pin(gsi, vector);
		return true;
	}
	poke(base + VIRTIO_PCI_COMMON_Q_SELECT, 2, index);
	if (peek(base + VIRTIO_PCI_COMMON_Q_MSIX, 2) != index)
		return false;
	poke(entry + PCI_MSIX_ENTRY_LOWER_ADDR, 4, MSI_ADDRESS);
	poke(entry + PCI_MSIX_ENTRY_UPPER_ADDR, 4, 0);
	poke(entry + PCI_MSIX_ENTRY_DATA, 4, vector);
	poke(entry + PCI_MSIX_ENTRY_VECTOR_CTRL, 4, 0);
	/* MSI-X is the first capability */
	poke(d->config + peek(d->config + PCI_CAPABILITY_LIST, 1) + PCI_MSIX_FLAGS, 2,
	     PCI_MSIX_FLAGS_ENABLE);
	return true;
}

void virtio_acknowledge(const struct virtio_device *d)
{
	if (d->mmio)
		poke(d->regs + VIRTIO_MMIO_INTERRUPT_ACK, 4,
		     peek(d->regs + VIRTIO_MMIO_INTERRUPT_STATUS, 4));
}
