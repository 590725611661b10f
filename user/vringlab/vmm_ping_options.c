// SPDX-License-Identifier: GPL-2.0-only
/*
 * What can be said about the options of ring-ping only together.
 */
#include <linux/virtio_ids.h>

#include <vringlab/err.h>

#include "command.h"
#include "vmm.h"

#define DEFAULT_SIZE 64u
#define DEFAULT_DISK_SIZE 512u
#define DEFAULT_QUEUE_SIZE 256u

/* The key of the device is what it offers, the option what the driver takes of it. */
static int choose_queue_size(struct vmm_options *o, struct vmm_device *dev)
{
	if (!o->ping.queue_size)
		o->ping.queue_size = dev->queue_size ? dev->queue_size : DEFAULT_QUEUE_SIZE;
	if (!dev->queue_size)
		dev->queue_size = o->ping.queue_size;
	if (o->ping.queue_size <= dev->queue_size)
		return 0;
	return usage_error("vmm", "--queue-size %u: the device has queue-size=%u",
			   o->ping.queue_size, dev->queue_size);
}

static int choose_request(struct vmm_options *o, const struct vmm_device *dev)
{
	uint16_t id = dev->opt.kind->device_id;
	struct vl_err err;

	if (!o->ping.payload_bytes)
		o->ping.payload_bytes = id == VIRTIO_ID_BLOCK ? DEFAULT_DISK_SIZE : DEFAULT_SIZE;
	o->ping.device = &o->ping_device;
	if (vmm_ring_ping_device_init(&o->ping_device, id, o->ping.payload_bytes, &err))
		return usage_error("vmm", "--size %u: %s", o->ping.payload_bytes, err.msg);
	o->ping_device.packed = dev->packed;
	return 0;
}

static int check_device(struct vmm_options *o)
{
	struct vmm_device *dev = &o->devices[0];
	int ret;

	if (o->socket)
		return usage_error("vmm", "--socket and --device exclude each other");
	if (o->nr_devices > 1)
		return usage_error("vmm", "--guest ring-ping drives one --device, not %u",
				   o->nr_devices);
	if (o->has_doorbell || o->reconnect)
		return usage_error("vmm", "--%s goes with --socket, not with --device",
				   o->reconnect ? "reconnect" : "doorbell");
	ret = choose_queue_size(o, dev);
	return ret ? ret : choose_request(o, dev);
}

static int check_socket(struct vmm_options *o)
{
	if (!o->socket)
		return usage_error("vmm",
				   "--guest ring-ping needs --socket PATH, or --device KIND");
	if (o->trace)
		return usage_error("vmm", "--trace goes with --device, not with --socket");
	if (!o->ping.payload_bytes)
		o->ping.payload_bytes = DEFAULT_SIZE;
	if (!o->ping.queue_size)
		o->ping.queue_size = DEFAULT_QUEUE_SIZE;
	return 0;
}

int vmm_ping_check_options(struct vmm_options *o)
{
	int ret = o->nr_devices ? check_device(o) : check_socket(o);
	struct vl_err err;

	if (!ret && vmm_ring_ping_validate(&o->ping, &err))
		ret = usage_error("vmm", "%s", err.msg);
	return ret;
}
