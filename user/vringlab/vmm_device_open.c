// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include <linux/virtio_ids.h>

#include <vringlab/backend_local.h>
#include <vringlab/backend_vhost.h>
#include <vringlab/backend_vhost_user.h>
#include <vringlab/err.h>

#include "vmm_device.h"

static struct backend_net_config net_config(const struct vmm_device *dev)
{
	struct backend_net_config config = {
		.num_pairs = dev->opt.queues,
		.has_mac = dev->opt.has_mac,
		.mtu = dev->opt.mtu,
	};

	memcpy(config.mac, dev->opt.mac, sizeof(config.mac));
	return config;
}

static int open_vhost_user(struct virtio_backend **be, const struct backend_host *host,
			   const struct vmm_device *dev, struct vl_err *err)
{
	const struct backend_vhost_user_config config = {
		.name = dev->name,
		.device_id = dev->opt.kind->device_id,
		.packed = dev->packed,
		.queue_size = dev->queue_size,
		.socket = dev->opt.socket,
		.num_queues = dev->opt.queues,
		.net = net_config(dev),
	};

	return backend_vhost_user_create(be, host, &config, err);
}

static int open_vhost_net(struct virtio_backend **be, const struct backend_host *host,
			  const struct vmm_device *dev, struct vl_err *err)
{
	const struct backend_vhost_net_config config = {
		.name = dev->name,
		.queue_size = dev->queue_size,
		.tap = dev->opt.tap,
		.setup = { .bridge = dev->opt.bridge, .address = dev->opt.address },
		.net = net_config(dev),
	};

	return backend_vhost_net_create(be, host, &config, err);
}

static int open_vhost_vsock(struct virtio_backend **be, const struct backend_host *host,
			    const struct vmm_device *dev, struct vl_err *err)
{
	const struct backend_vhost_vsock_config config = {
		.name = dev->name,
		.queue_size = dev->queue_size,
		.cid = dev->opt.cid,
	};

	return backend_vhost_vsock_create(be, host, &config, err);
}

static int open_local(struct virtio_backend **be, const struct backend_host *host,
		      const struct vmm_device *dev, struct vl_err *err)
{
	struct backend_local_config config = {
		.name = dev->name,
		.device_id = dev->opt.kind->device_id,
		.packed = dev->packed,
		.queue_size = dev->queue_size,
		.destroy = dev->opt.kind->destroy,
	};
	int ret = dev->opt.kind->create(&config.vdev, host->loop, &dev->opt, err);

	if (ret)
		vl_err_prefix(err, "%s", dev->name);
	return ret ? ret : backend_local_create(be, host, &config, err);
}

int vmm_device_open(struct virtio_backend **be, const struct backend_host *host,
		    const struct vmm_device *dev, struct vl_err *err)
{
	if (dev->opt.socket)
		return open_vhost_user(be, host, dev, err);
	if (!vmm_device_has_vhost(dev))
		return open_local(be, host, dev, err);
	if (dev->opt.kind == &device_vsock)
		return open_vhost_vsock(be, host, dev, err);
	return open_vhost_net(be, host, dev, err);
}
