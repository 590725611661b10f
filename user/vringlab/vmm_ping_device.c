// SPDX-License-Identifier: GPL-2.0-only
/*
 * vringlab vmm --guest ring-ping --device: the same guest as a driver of a virtio device.
 */
#include <endian.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_vsock.h>

#include <vringlab/boot.h>
#include <vringlab/err.h>
#include <vringlab/loop.h>
#include <vringlab/pci.h>
#include <vringlab/virtio_backend.h>
#include <vringlab/vmm_guest.h>

#include "command.h"
#include "output.h"
#include "report.h"
#include "vmm.h"
#include "vmm_devices.h"
#include "vmm_sandbox.h"
#include "vmm_trace.h"

struct device_ping {
	const struct vmm_options *options;
	struct vmm_ring_ping_device device;
	struct vmm_ring_ping ping;
	struct loop *loop;
	struct vmm_devices *devices;
	struct vmm_trace *trace;
};

static const struct virtio_backend *backend_of(const struct device_ping *d)
{
	return vmm_devices_backend(d->devices, &d->options->devices[0]);
}

/* VIRTIO 1.2, 5.10.4: a device knows its CID. */
static uint64_t read_cid(const struct virtio_backend *be)
{
	uint64_t cid = 0;

	be->ops->get_config((struct virtio_backend *)be,
			    offsetof(struct virtio_vsock_config, guest_cid), &cid, sizeof(cid));
	return le64toh(cid);
}

/* Where it is, and what only the device itself can tell. */
static void complete(struct device_ping *d)
{
	const struct vmm_device *dev = &d->options->devices[0];
	const struct virtio_backend *be = backend_of(d);

	d->device.config_gpa = pci_config_gpa(VMM_DEVICES_SLOT);
	d->device.mmio_gpa = dev->mmio ? PC_VIRTIO_MMIO_GPA : 0;
	d->device.gsi = boot_virtio_mmio_gsi(0);
	if (be->device_id == VIRTIO_ID_VSOCK)
		vmm_ring_ping_set_cid(&d->device, read_cid(be));
}

static int add_device(struct device_ping *d, struct vl_err *err)
{
	const struct vmm_options *o = d->options;
	int ret;

	ret = vmm_devices_create(&d->devices, d->ping.micro.vm, d->loop, o->devices, o->nr_devices,
				 d->trace, err);
	if (ret)
		return ret;
	vmm_devices_end_by_failure(d->devices);
	complete(d);
	ret = vmm_ring_ping_load(&d->ping, err);
	return ret ? ret : vmm_sandbox_enter(o, d->trace, err);
}

static void report(const struct device_ping *d, const struct vmm_ring_ping_result *counted,
		   const struct vmm_vcpu_result *result, bool ok)
{
	const struct output_options options = { .span = -1 };
	struct report *reports;
	unsigned int nr;

	vmm_trace_read(d->trace, backend_of(d), &reports, &nr);
	vmm_report_ping(d->options, counted, result, 0,
			d->options->json ? vmm_json_vrings(reports, nr) : NULL, ok);
	for (unsigned int i = 0; i < nr; i++) {
		if (!d->options->json) {
			putchar('\n');
			output_stat_text(stdout, &reports[i], &options);
		}
		report_free(&reports[i]);
	}
	free(reports);
}

static int run(struct device_ping *d, struct vl_err *err)
{
	struct vmm_guest_io io = { .console_fd = STDOUT_FILENO, .bus = d->ping.micro.vm };
	const struct vmm_servers servers = { .devices = d->devices, .trace = d->trace };
	struct vmm_ring_ping_result counted;
	struct vmm_vcpu_result result;
	int ret;

	ret = vmm_run(d->options, d->ping.micro.vcpu, &servers, &io, &result, err);
	vmm_ring_ping_result(&d->ping, &counted);
	if (ret)
		vmm_ping_add_progress(&d->ping, &counted, err);
	else
		ret = vmm_ring_ping_check(&d->ping, io.status, err);
	report(d, &counted, &result, !ret);
	return ret;
}

static int create(struct device_ping *d, struct vl_err *err)
{
	struct vmm_ring_ping_config config = d->options->ping;
	int ret;

	config.kvm_path = d->options->kvm_path;
	config.device = &d->device;
	ret = loop_create_restricted(&d->loop, err);
	return ret ? ret : vmm_ring_ping_create(&d->ping, &config, err);
}

static void destroy(struct device_ping *d)
{
	vmm_devices_destroy(d->devices);
	vmm_ring_ping_destroy(&d->ping);
	loop_destroy(d->loop);
	vmm_trace_close(d->trace);
}

int vmm_run_ping_device(const struct vmm_options *options)
{
	struct device_ping d = {
		.options = options,
		.device = options->ping_device,
		.ping = { .kick_fd = -1, .call_fd = -1 },
	};
	struct vl_err err;
	int ret;

	ret = vmm_trace_open(&d.trace, options->trace, vmm_device_has_vhost(&options->devices[0]),
			     &err);
	if (!ret)
		ret = create(&d, &err);
	if (ret) {
		ret = fail(&err, vmm_exit_code(ret));
	} else {
		/* there is a VM: what is missing is not KVM */
		ret = add_device(&d, &err);
		if (!ret)
			ret = run(&d, &err);
		if (ret)
			ret = fail(&err, EXIT_FAILED);
	}
	destroy(&d);
	return ret;
}
