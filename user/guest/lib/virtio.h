/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A virtio device of our VMM, on PCI or by MMIO, as a driver reaches it.
 */
#ifndef VRINGLAB_GUEST_VIRTIO_H
#define VRINGLAB_GUEST_VIRTIO_H

#include <stdbool.h>
#include <stdint.h>

/* Where the structures are in BAR 0: what the capabilities of our VMM say. */
#define VIRTIO_BAR_COMMON 0u
#define VIRTIO_BAR_MSIX 0x3000u
#define VIRTIO_BAR_PBA 0x5000u
#define VIRTIO_BAR_DOORBELLS 0x6000u
#define VIRTIO_BAR_BYTES 0x8000u

struct virtio_device {
	bool mmio;
	uint64_t config; /* on PCI: config space */
	uint64_t regs; /* by MMIO: where it is */
};

struct virtio_ring {
	uint16_t index;
	uint16_t size;
	uint64_t desc;
	uint64_t driver;
	uint64_t device;
};

/* The BAR, where the guest has put it, or the registers of MMIO. */
uint64_t virtio_base(const struct virtio_device *d);

/* On PCI: the BAR is there and nowhere else, and its device may write to memory. */
void virtio_place(const struct virtio_device *d, uint32_t gpa);

uint8_t virtio_status(const struct virtio_device *d);
void virtio_set_status(const struct virtio_device *d, uint8_t status);
uint64_t virtio_features(const struct virtio_device *d);
void virtio_set_features(const struct virtio_device *d, uint64_t features);
void virtio_set_ring(const struct virtio_device *d, const struct virtio_ring *ring);
/* Where a virtqueue is kicked. On PCI to ask costs an exit, to write there does not. */
uint64_t virtio_doorbell(const struct virtio_device *d, uint16_t index);

void virtio_kick(const struct virtio_device *d, uint16_t index);

/* VIRTIO_ID_*, or 0 where there is no device of virtio 1.0. */
uint32_t virtio_id(const struct virtio_device *d);

/* Reset it, and negotiate those features; false if it has or takes them not. */
bool virtio_negotiate(const struct virtio_device *d, uint64_t features);

/* Largest size of a virtqueue, 0 where there is none. Before it is set up. */
uint32_t virtio_queue_size(const struct virtio_device *d, uint16_t index);

/*
 * Have a virtqueue interrupt this CPU, by MSI-X or, on MMIO, by that pin of the IOAPIC.
 * On PCI after virtio_set_ring(). False if there is no MSI-X vector for it.
 */
bool virtio_set_vector(const struct virtio_device *d, uint16_t index, uint32_t gsi, uint8_t vector);

/* On MMIO: what an interrupt handler owes the device. */
void virtio_acknowledge(const struct virtio_device *d);

#endif /* VRINGLAB_GUEST_VIRTIO_H */
