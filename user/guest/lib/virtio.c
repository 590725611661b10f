// SPDX-License-Identifier: GPL-2.0-only
#include <linux/pci_regs.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_pci.h>

#include "access.h"
#include "virtio.h"

uint64_t virtio_base(const struct virtio_device *d)
{
	return d->mmio ? d->regs : peek(d->config + PCI_BASE_ADDRESS_0, 4) & ~0xfull;
}

void virtio_place(const struct virtio_device *d, uint32_t gpa)
{
	if (d->mmio)
		return;
	poke(d->config + PCI_COMMAND, 2, 0);
	poke(d->config + PCI_BASE_ADDRESS_0, 4, gpa);
	poke(d->config + PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}

uint8_t virtio_status(const struct virtio_device *d)
{
	if (d->mmio)
		return peek(d->regs + VIRTIO_MMIO_STATUS, 4);
	return peek(virtio_base(d) + VIRTIO_PCI_COMMON_STATUS, 1);
}

void virtio_set_status(const struct virtio_device *d, uint8_t status)
{
	if (d->mmio)
		poke(d->regs + VIRTIO_MMIO_STATUS, 4, status);
	else
		poke(virtio_base(d) + VIRTIO_PCI_COMMON_STATUS, 1, status);
}

uint64_t virtio_features(const struct virtio_device *d)
{
	uint64_t select = virtio_base(d) +
			  (d->mmio ? VIRTIO_MMIO_DEVICE_FEATURES_SEL : VIRTIO_PCI_COMMON_DFSELECT);
	uint64_t bits =
		virtio_base(d) + (d->mmio ? VIRTIO_MMIO_DEVICE_FEATURES : VIRTIO_PCI_COMMON_DF);
	uint64_t features;

	poke(select, 4, 1);
	features = peek(bits, 4) << 32;
	poke(select, 4, 0);
	return features | peek(bits, 4);
}

void virtio_set_features(const struct virtio_device *d, uint64_t features)
{
	uint64_t select = virtio_base(d) +
			  (d->mmio ? VIRTIO_MMIO_DRIVER_FEATURES_SEL : VIRTIO_PCI_COMMON_GFSELECT);
	uint64_t bits =
		virtio_base(d) + (d->mmio ? VIRTIO_MMIO_DRIVER_FEATURES : VIRTIO_PCI_COMMON_GF);

	poke(select, 4, 0);
	poke(bits, 4, features);
	poke(select, 4, 1);
	poke(bits, 4, features >> 32);
}

static void set_address(uint64_t low, uint64_t gpa)
{
	poke(low, 4, gpa);
	poke(low + 4, 4, gpa >> 32);
}

static void set_mmio_ring(uint64_t base, const struct virtio_ring *ring)
{
	poke(base + VIRTIO_MMIO_QUEUE_SEL, 4, ring->index);
	poke(base + VIRTIO_MMIO_QUEUE_NUM, 4, ring->size);
	set_address(base + VIRTIO_MMIO_QUEUE_DESC_LOW, ring->desc);
	set_address(base + VIRTIO_MMIO_QUEUE_AVAIL_LOW, ring->driver);
	set_address(base + VIRTIO_MMIO_QUEUE_USED_LOW, ring->device);
	poke(base + VIRTIO_MMIO_QUEUE_READY, 4, 1);
}

void virtio_set_ring(const struct virtio_device *d, const struct virtio_ring *ring)
{
	uint64_t base = virtio_base(d);

	if (d->mmio) {
		set_mmio_ring(base, ring);
		return;
	}
	poke(base + VIRTIO_PCI_COMMON_Q_SELECT, 2, ring->index);
	poke(base + VIRTIO_PCI_COMMON_Q_SIZE, 2, ring->size);
	poke(base + VIRTIO_PCI_COMMON_Q_MSIX, 2, ring->index);
	set_address(base + VIRTIO_PCI_COMMON_Q_DESCLO, ring->desc);
	set_address(base + VIRTIO_PCI_COMMON_Q_AVAILLO, ring->driver);
	set_address(base + VIRTIO_PCI_COMMON_Q_USEDLO, ring->device);
	poke(base + VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
}

uint64_t virtio_doorbell(const struct virtio_device *d, uint16_t index)
{
	return d->mmio ? d->regs + VIRTIO_MMIO_QUEUE_NOTIFY :
			 virtio_base(d) + VIRTIO_BAR_DOORBELLS + 4ull * index;
}

void virtio_kick(const struct virtio_device *d, uint16_t index)
{
	poke(virtio_doorbell(d, index), d->mmio ? 4 : 2, index);
}
