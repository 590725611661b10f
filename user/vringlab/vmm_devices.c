// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <vringlab/backend_host.h>
#include <vringlab/boot.h>
#include <vringlab/err.h>
#include <vringlab/loop.h>
#include <vringlab/loop_errand.h>
#include <vringlab/pc.h>
#include <vringlab/pci.h>
#include <vringlab/virtio_backend.h>
#include <vringlab/virtio_transport.h>

#include "vmm.h"
#include "vmm_devices.h"
#include "vmm_trace.h"

struct vmm_devices {
	struct vmm *vm;
	struct loop *loop;
	struct backend_host host;
	struct loop_errands *errands;
	struct vmm_trace *trace;
	const struct vmm_device *devs;
	struct pci_bus *bus;
	unsigned int nr;
	unsigned int nr_pci;
	unsigned int nr_mmio;
	bool ends; /* a failure ends the run, and is */
	struct vl_err failure;
	struct virtio_backend *backend[VMM_DEVICES_MAX];
	struct virtio_transport *transport[VMM_DEVICES_MAX];
};

static void on_started(void *ctx, const struct virtio_backend *be, const struct virtio_queue *queue)
{
	struct vmm_devices *d = ctx;

	vmm_trace_queue(d->trace, be, queue);
}

/* The guest goes on without it, if it can. */
static void on_failed(void *ctx, const struct virtio_backend *be, const struct vl_err *err)
{
	struct vmm_devices *d = ctx;

	if (d->ends) {
		d->failure = *err;
		vl_err_prefix(&d->failure, "%s works no more", be->name);
		loop_stop(d->loop);
		return;
	}
	fprintf(stderr, "vringlab: %s works no more until its driver resets it: %s\n", be->name,
		err->msg);
}

static void on_warn(void *ctx, const struct vl_err *err)
{
	(void)ctx;
	fprintf(stderr, "vringlab: %s\n", err->msg);
}

static int show(struct vmm_devices *d, const struct vmm_device *dev, struct vl_err *err)
{
	const struct virtio_transport_config config = {
		.vm = d->vm,
		.loop = d->loop,
		.errands = d->errands,
		.backend = d->backend[d->nr],
		.ops = { .queue_started = on_started, .failed = on_failed },
		.ctx = d,
	};
	struct virtio_transport **t = &d->transport[d->nr];
	unsigned int i;

	if (!dev->mmio)
		return virtio_pci_create(t, &config, d->bus, VMM_DEVICES_SLOT + d->nr_pci++, err);
	i = d->nr_mmio++;
	return virtio_mmio_create(t, &config, PC_VIRTIO_MMIO_GPA + i * PC_VIRTIO_MMIO_SIZE,
				  boot_virtio_mmio_gsi(i), err);
}

static int add(struct vmm_devices *d, const struct vmm_device *dev, struct vl_err *err)
{
	int ret = vmm_device_open(&d->backend[d->nr], &d->host, dev, err);

	if (ret)
		return ret;
	ret = show(d, dev, err);
	/* a back-end without a transport goes with the others */
	d->nr++;
	return ret ? vl_err_prefix(err, "%s", dev->name) : 0;
}

/* There is a PCI bus also without devices, as on each PC. */
static int create(struct vmm_devices *d, const struct vmm_device *devs, unsigned int nr,
		  struct vl_err *err)
{
	int ret;

	backend_host_init(&d->host, d->loop);
	d->host.warn = on_warn;
	ret = backend_host_add_vm(&d->host, d->vm, err);
	if (!ret)
		ret = loop_errands_create(&d->errands, d->loop, err);
	if (!ret)
		ret = pci_bus_create(&d->bus, d->vm, err);
	for (unsigned int i = 0; !ret && i < nr; i++)
		ret = add(d, &devs[i], err);
	return ret;
}

int vmm_devices_create(struct vmm_devices **devices, struct vmm *vm, struct loop *loop,
		       const struct vmm_device *devs, unsigned int nr, struct vmm_trace *trace,
		       struct vl_err *err)
{
	struct vmm_devices *d = calloc(1, sizeof(*d));
	int ret;

	if (!d)
		return vl_err_set(err, -ENOMEM, "no memory for devices");
	d->vm = vm;
	d->loop = loop;
	d->trace = trace;
	d->devs = devs;
	ret = create(d, devs, nr, err);
	if (ret) {
		vmm_devices_destroy(d);
		return ret;
	}
	*devices = d;
	return 0;
}

uint32_t vmm_devices_mmio(const struct vmm_devices *devices)
{
	return (1u << devices->nr_mmio) - 1;
}

struct loop *vmm_devices_loop(const struct vmm_devices *devices)
{
	return devices->loop;
}

void vmm_devices_end_by_failure(struct vmm_devices *devices)
{
	devices->ends = true;
}

int vmm_devices_check(const struct vmm_devices *devices, struct vl_err *err)
{
	if (devices->failure.code)
		*err = devices->failure;
	return devices->failure.code;
}

struct loop_errands *vmm_devices_errands(const struct vmm_devices *devices)
{
	return devices->errands;
}

const struct virtio_backend *vmm_devices_backend(const struct vmm_devices *devices,
						 const struct vmm_device *dev)
{
	return devices->backend[dev - devices->devs];
}

void vmm_devices_close(struct vmm_devices *devices)
{
	if (devices)
		loop_errands_close(devices->errands);
}

void vmm_devices_destroy(struct vmm_devices *devices)
{
	if (!devices)
		return;
	for (unsigned int i = devices->nr; i-- > 0;) {
		virtio_transport_destroy(devices->transport[i]);
		devices->backend[i]->ops->destroy(devices->backend[i]);
	}
	pci_bus_destroy(devices->bus);
	loop_errands_destroy(devices->errands);
	free(devices);
}
