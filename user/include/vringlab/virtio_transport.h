/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How a guest sees a virtio device: on PCI, or by MMIO.
 *
 * The transport has the registers, doorbells and interrupts, and keeps the rules of
 * VIRTIO 1.2 about who may do what when. The back-end (virtio_backend.h) has features,
 * config space and virtqueues. Between the guest and the back-end are two eventfds a
 * virtqueue, for as long as the device exists: no user space is on that way.
 *
 * Everything here is for the thread of the event loop, and for a time when no vCPU
 * runs.
 */
#ifndef VRINGLAB_VIRTIO_TRANSPORT_H
#define VRINGLAB_VIRTIO_TRANSPORT_H

#include <stdint.h>

struct loop;
struct loop_errands;
struct pci_bus;
struct virtio_backend;
struct virtio_queue;
struct virtio_transport;
struct vl_err;
struct vmm;

/* Virtqueues that a device may have: each takes an MSI-X vector, and one for all. */
#define VIRTIO_TRANSPORT_QUEUES_MAX 511u

/* Bytes of config space that a device may have. */
#define VIRTIO_TRANSPORT_CONFIG_MAX 0xf00u

/* Addresses that a device takes by MMIO. */
#define VIRTIO_MMIO_SIZE 0x1000u

/**
 * struct virtio_transport_ops - What a transport tells its owner
 * @queue_started: A virtqueue is served, and the driver has not been told yet: its kick
 *		and call eventfds can be watched. May be NULL.
 * @queue_stopped: It is not served any more. May be NULL.
 * @failed:	The device does not work until the driver resets it; @err says why. May
 *		be NULL.
 *
 * Context: the loop's thread. None may destroy the device.
 */
struct virtio_transport_ops {
	void (*queue_started)(void *ctx, const struct virtio_backend *be,
			      const struct virtio_queue *queue);
	void (*queue_stopped)(void *ctx, const struct virtio_backend *be,
			      const struct virtio_queue *queue);
	void (*failed)(void *ctx, const struct virtio_backend *be, const struct vl_err *err);
};

/**
 * struct virtio_transport_config - What a device is made of
 * @vm:		VM with an irqchip.
 * @loop:	Loop that the back-end is on.
 * @errands:	Its errands, by which vCPUs reach the back-end.
 * @backend:	Back-end; stays the caller's.
 * @ops:	For news; copied.
 * @ctx:	For @ops.
 *
 * All of them outlive the device.
 */
struct virtio_transport_config {
	struct vmm *vm;
	struct loop *loop;
	struct loop_errands *errands;
	struct virtio_backend *backend;
	struct virtio_transport_ops ops;
	void *ctx;
};

/**
 * virtio_pci_create() - Show a device on PCI
 * @t:		Set on success only.
 * @config:	What it is made of.
 * @bus:	Bus; outlives the device.
 * @slot:	1 to PCI_SLOTS - 1.
 * @err:	What went wrong, may be NULL.
 *
 * Its BAR is placed, and not enabled.
 *
 * Return: 0, or
 * * %-EINVAL - more virtqueues or config space than there is room for, or a back-end
 *   without VERSION_1
 * * %-EEXIST - the slot is taken, or there is none of that number
 * * %-ENOMEM, %-EMFILE
 */
int virtio_pci_create(struct virtio_transport **t, const struct virtio_transport_config *config,
		      struct pci_bus *bus, unsigned int slot, struct vl_err *err);

/**
 * virtio_mmio_create() - Show a device by MMIO
 * @t:		Set on success only.
 * @config:	What it is made of. The VM has VMM_IRQCHIP_PC.
 * @gpa:	Where its VIRTIO_MMIO_SIZE bytes are.
 * @gsi:	Its interrupt, edge triggered: less than VMM_GSI_PINS.
 * @err:	What went wrong, may be NULL.
 *
 * Return: as virtio_pci_create(); %-EEXIST - the addresses are taken.
 */
int virtio_mmio_create(struct virtio_transport **t, const struct virtio_transport_config *config,
		       uint64_t gpa, unsigned int gsi, struct vl_err *err);

/**
 * virtio_transport_destroy() - Take the device out of the VM
 * @t:		Device; NULL is allowed. Its back-end is stopped, not destroyed.
 */
void virtio_transport_destroy(struct virtio_transport *t);

#endif /* VRINGLAB_VIRTIO_TRANSPORT_H */
