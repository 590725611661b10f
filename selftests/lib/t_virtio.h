/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A virtio device of a VM, with a back-end that remembers what it is told, and a driver
 * for it that is a function of the test: its accesses are given to the VM's bus as KVM
 * tells them, by the thread of the loop.
 *
 *	t_virtio.c		the VM, the back-end, the device
 *	t_virtio_driver.c	what a driver does
 */
#ifndef VRINGLAB_SELFTESTS_T_VIRTIO_H
#define VRINGLAB_SELFTESTS_T_VIRTIO_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/virtio_config.h>

#include <vringlab/err.h>
#include <vringlab/loop.h>
#include <vringlab/loop_errand.h>
#include <vringlab/pci.h>
#include <vringlab/virtio_backend.h>
#include <vringlab/virtio_transport.h>
#include <vringlab/vmm.h>
#include <vringlab/vmm_bus.h>

#define T_VIRTIO_QUEUES 3u
#define T_VIRTIO_SIZE_MAX 256u
#define T_VIRTIO_CONFIG 24u
#define T_VIRTIO_MEMORY 0x100000u

#define T_VIRTIO_SLOT 3u
#define T_VIRTIO_MMIO_GPA 0xf0000000u
/* An edge of the ISA bus that is free. */
#define T_VIRTIO_MMIO_GSI 10u

/* What the back-end offers, and the transport; and what the transport does not. */
#define T_VIRTIO_FEATURES \
	(1ull << 0 | 1ull << 5 | 1ull << VIRTIO_F_VERSION_1 | 1ull << VIRTIO_F_RING_PACKED)
#define T_VIRTIO_TOO_MUCH (1ull << VIRTIO_F_ACCESS_PLATFORM | 1ull << 38 | 1ull << 40)

/* What a driver sets one after the other. */
#define T_VIRTIO_ACK VIRTIO_CONFIG_S_ACKNOWLEDGE
#define T_VIRTIO_DRIVER (T_VIRTIO_ACK | VIRTIO_CONFIG_S_DRIVER)
#define T_VIRTIO_FEATURES_OK (T_VIRTIO_DRIVER | VIRTIO_CONFIG_S_FEATURES_OK)
#define T_VIRTIO_DRIVER_OK (T_VIRTIO_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK)

/**
 * struct t_virtio_backend - A back-end that serves nothing
 * @be:		As the transport sees it.
 * @start_ret:	What its start returns.
 * @starts:	How often it was started.
 * @stops:	How often it was stopped.
 * @started:	It was started and not stopped.
 * @features:	With which it was started last.
 * @queues:	The same.
 * @config:	Its config space.
 */
struct t_virtio_backend {
	struct virtio_backend be;
	int start_ret;
	unsigned int starts;
	unsigned int stops;
	bool started;
	uint64_t features;
	struct virtio_queue queues[T_VIRTIO_QUEUES];
	uint8_t config[T_VIRTIO_CONFIG];
};

/**
 * struct t_virtio - A device in a VM
 * @vm:		VM, with T_VIRTIO_MEMORY from 0 on and VMM_IRQCHIP_PC.
 * @loop:	Loop; the calling thread's.
 * @errands:	Its errands.
 * @bus:	PCI.
 * @backend:	Back-end.
 * @t:		Device.
 * @mmio:	By MMIO, else on PCI.
 * @gpa:	Where the driver has the BAR, or the device is.
 * @live:	Virtqueues that are started, as the owner was told.
 * @failures:	How often the owner was told of one.
 * @failure:	The last one.
 */
struct t_virtio {
	struct vmm *vm;
	struct loop *loop;
	struct loop_errands *errands;
	struct pci_bus *bus;
	struct t_virtio_backend backend;
	struct virtio_transport *t;
	bool mmio;
	uint32_t gpa;
	unsigned int live;
	unsigned int failures;
	struct vl_err failure;
};

/**
 * t_virtio_init() - Make a VM with a device
 * @v:		Filled; t_virtio_exit() also after a failure.
 * @mmio:	By MMIO.
 * @err:	What went wrong.
 */
int t_virtio_init(struct t_virtio *v, bool mmio, struct vl_err *err);

/** t_virtio_exit() - Release it all; its vCPUs are gone. */
void t_virtio_exit(struct t_virtio *v);

/** t_virtio_config() - Of which such a device is made, for another one. */
struct virtio_transport_config t_virtio_config(struct t_virtio *v);

/** t_virtio_backend_init() - A back-end of its own for that. */
void t_virtio_backend_init(struct t_virtio_backend *backend);

/** t_virtio_turn() - Let the loop handle what is there. */
void t_virtio_turn(struct t_virtio *v);

/* An access of @len bytes; what a read has brought. */
uint64_t t_mmio_read(struct vmm *vm, uint64_t gpa, unsigned int len);
void t_mmio_write(struct vmm *vm, uint64_t gpa, unsigned int len, uint64_t value);
uint32_t t_pio_read(struct vmm *vm, uint16_t port, unsigned int len);
void t_pio_write(struct vmm *vm, uint16_t port, unsigned int len, uint32_t value);

/* Config space of the device at @slot, by ECAM. */
uint32_t t_pci_read(struct vmm *vm, unsigned int slot, unsigned int offset, unsigned int len);
void t_pci_write(struct vmm *vm, unsigned int slot, unsigned int offset, unsigned int len,
		 uint32_t value);

/* The @nth capability of that id, from 0; 0 for none. */
unsigned int t_pci_capability(struct vmm *vm, unsigned int slot, uint8_t id, unsigned int nth);

/* The virtio capability of that type; 0 for none. */
unsigned int t_pci_virtio_cap(struct vmm *vm, unsigned int slot, uint8_t type);

/* Where the area of that type is in memory, by its capability. */
uint32_t t_pci_area(struct t_virtio *v, uint8_t type);

/* PCI: memory decoding and bus mastering on, the BAR where it is or at @gpa. */
void t_virtio_enable_bar(struct t_virtio *v, uint32_t gpa);

/* What a driver does, on PCI or by MMIO */

uint8_t t_virtio_status(struct t_virtio *v);
void t_virtio_set_status(struct t_virtio *v, uint8_t status);
uint64_t t_virtio_features(struct t_virtio *v);
void t_virtio_set_features(struct t_virtio *v, uint64_t features);
void t_virtio_select(struct t_virtio *v, uint16_t index);
uint16_t t_virtio_size(struct t_virtio *v);
void t_virtio_set_size(struct t_virtio *v, uint16_t size);
void t_virtio_set_addresses(struct t_virtio *v, uint64_t desc, uint64_t driver, uint64_t device);
bool t_virtio_enabled(struct t_virtio *v);
void t_virtio_enable(struct t_virtio *v);
uint32_t t_virtio_generation(struct t_virtio *v);
uint32_t t_virtio_config_gpa(struct t_virtio *v);
void t_virtio_kick(struct t_virtio *v, uint16_t index);

/* Negotiates @features; returns whether FEATURES_OK stayed. */
bool t_virtio_negotiate(struct t_virtio *v, uint64_t features);

/* Sets virtqueue @index up with @size descriptors and enables it. */
void t_virtio_setup(struct t_virtio *v, uint16_t index, uint16_t size);

/* Everything, up to DRIVER_OK, with all virtqueues. */
void t_virtio_drive(struct t_virtio *v);

#endif /* VRINGLAB_SELFTESTS_T_VIRTIO_H */
