/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A virtio device by MMIO: VIRTIO 1.2 section 4.2, version 2.
 *
 * An irqfd interrupts the driver without user space, which therefore does not know
 * whether a buffer was used: InterruptStatus always says that one may have been. A
 * driver then looks at all its virtqueues, as it would after any such interrupt.
 */
#ifndef VIRTIO_VIRTIO_MMIO_H
#define VIRTIO_VIRTIO_MMIO_H

#include "transport.h"

/**
 * struct virtio_mmio - A device
 * @t:		As its driver sees it.
 * @lock:	The device's.
 * @gpa:	Where it is.
 * @gsi:	Its interrupt.
 * @config_pending: Bit 1 of InterruptStatus; with the lock.
 * @attached:	Virtqueues before this one have a doorbell and an interrupt, if they
 *		are enabled; with the lock.
 */
struct virtio_mmio {
	struct virtio_transport t;
	pthread_mutex_t lock;
	uint64_t gpa;
	unsigned int gsi;
	bool config_pending;
	unsigned int attached;
};

/* mmio_registers.c; their context is the struct virtio_mmio */
void vm_read(void *ctx, uint64_t offset, void *data, unsigned int len);
void vm_write(void *ctx, uint64_t offset, const void *data, unsigned int len);

#endif /* VIRTIO_VIRTIO_MMIO_H */
