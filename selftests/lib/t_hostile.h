/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest hostile at devices of any back-end: a VM, which has of them what it is given,
 * on PCI and by virtio-mmio.
 */
#ifndef VRINGLAB_SELFTESTS_T_HOSTILE_H
#define VRINGLAB_SELFTESTS_T_HOSTILE_H

#include <stdint.h>

#include <vringlab/backend_host.h>
#include <vringlab/err.h>
#include <vringlab/loop.h>
#include <vringlab/pci.h>
#include <vringlab/virtio_backend.h>
#include <vringlab/virtio_transport.h>
#include <vringlab/vmm_guest.h>
#include <vringlab/vmm_micro.h>

#include "../../user/guest/hostile.h"

/* More than a guest takes, under any kernel. */
#define T_HOSTILE_TIMEOUT_S 300
#define T_HOSTILE_DEVICES_MAX 16u

/**
 * struct t_hostile - A VM
 * @micro:	VM.
 * @io:		What the guest may reach.
 * @loop:	Of the devices.
 * @errands:	To the loop's thread.
 * @bus:	PCI.
 * @host:	Memory that the devices have: not what the guest itself needs.
 * @nr:		Devices.
 * @nr_pci:	Of them on PCI; they come first.
 * @backend:	Of each device, owned.
 * @transport:	Of each device.
 * @param:	What the guest is to do, and has done.
 * @failures:	Times that a device has failed.
 * @err:	Of what went wrong.
 */
struct t_hostile {
	struct vmm_micro micro;
	struct vmm_guest_io io;
	struct loop *loop;
	struct loop_errands *errands;
	struct pci_bus *bus;
	struct backend_host host;
	unsigned int nr;
	unsigned int nr_pci;
	struct virtio_backend *backend[T_HOSTILE_DEVICES_MAX];
	struct virtio_transport *transport[T_HOSTILE_DEVICES_MAX];
	struct hostile_param *param;
	unsigned int failures;
	struct vl_err err;
};

/* 0 or -errno, and @err; %-EPERM and %-ENOSYS where there is no io_uring. */
int t_hostile_init(struct t_hostile *h);
void t_hostile_exit(struct t_hostile *h);

/* With @be, which is destroyed with it, even when this fails. */
int t_hostile_add_pci(struct t_hostile *h, struct virtio_backend *be);
int t_hostile_add_mmio(struct t_hostile *h, struct virtio_backend *be);

/*
 * Lets the guest do what HOSTILE_SEED (1) and @seed make up, HOSTILE_COUNT (600) of it.
 * 0 if it has come to its end and all devices work then, or -errno, and @err.
 */
int t_hostile_run(struct t_hostile *h, uint64_t seed);

#endif /* VRINGLAB_SELFTESTS_T_HOSTILE_H */
