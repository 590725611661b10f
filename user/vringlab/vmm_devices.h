/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The virtio devices of a guest: each a back-end, and the transport that shows it.
 */
#ifndef VRINGLAB_VMM_DEVICES_H
#define VRINGLAB_VMM_DEVICES_H

#include <stdint.h>

#include "vmm_device.h"

struct loop;
struct loop_errands;
struct virtio_backend;
struct vl_err;
struct vmm;
struct vmm_devices;
struct vmm_trace;

/* Where the first device on PCI is: slot 0 is the host bridge's. */
#define VMM_DEVICES_SLOT 1u

/**
 * vmm_devices_create() - Put devices into a VM
 * @devices:	Set on success only.
 * @vm:		With an irqchip, without vCPUs; outlives the devices.
 * @loop:	Its loop, which serves them.
 * @devs:	What was asked for; outlives the devices.
 * @nr:		Count.
 * @trace:	Where their virtqueues are registered, or NULL.
 * @err:	What went wrong, and with which device.
 *
 * Devices on PCI get slots, and those on virtio-mmio addresses, in the order in which
 * they come.
 *
 * Return: 0, or as vmm_device_open() and virtio_transport.h.
 */
int vmm_devices_create(struct vmm_devices **devices, struct vmm *vm, struct loop *loop,
		       const struct vmm_device *devs, unsigned int nr, struct vmm_trace *trace,
		       struct vl_err *err);

/** vmm_devices_loop() - The loop that serves them. */
struct loop *vmm_devices_loop(const struct vmm_devices *devices);

/**
 * vmm_devices_end_by_failure() - A device that fails ends the run
 * @devices:	Devices. Without this it is told, and the guest goes on.
 *
 * The loop is stopped, and vmm_devices_check() has the failure.
 */
void vmm_devices_end_by_failure(struct vmm_devices *devices);

/** vmm_devices_check() - 0, or the negative errno of that failure, with @err filled. */
int vmm_devices_check(const struct vmm_devices *devices, struct vl_err *err);

/** vmm_devices_mmio() - A bit for each virtio-mmio device, for the tables. */
uint32_t vmm_devices_mmio(const struct vmm_devices *devices);

/** vmm_devices_errands() - By which vCPUs reach the loop. */
struct loop_errands *vmm_devices_errands(const struct vmm_devices *devices);

/** vmm_devices_backend() - What serves @dev, one of those it was created with. */
const struct virtio_backend *vmm_devices_backend(const struct vmm_devices *devices,
						 const struct vmm_device *dev);

/** vmm_devices_close() - Let vCPUs go that wait for a device; before they are stopped. */
void vmm_devices_close(struct vmm_devices *devices);

/** vmm_devices_destroy() - Take them out of the machine, whose vCPUs do not run. */
void vmm_devices_destroy(struct vmm_devices *devices);

#endif /* VRINGLAB_VMM_DEVICES_H */
