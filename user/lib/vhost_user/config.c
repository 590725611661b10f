// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Config space, and what only network devices have.
 */
#include <errno.h>
#include <string.h>

#include <linux/virtio_net.h>

#include <vringlab/err.h>

#include "backend.h"

/* VIRTIO 1.2, 5.1.4.1: "the driver MUST NOT ... less than 68", 16 bits */
#define MTU_MIN 68u
#define MTU_MAX 65535u

static int check_range(const struct vu_backend *be, const struct vu_config *config,
		       struct vl_err *err)
{
	uint32_t size = be->vdev->config_size;

	if (config->offset <= size && config->size <= size - config->offset)
		return 0;
	return vl_err_set(err, -EINVAL, "%u bytes at offset %u, but config space has %u",
			  config->size, config->offset, size);
}

int get_config(struct vu_backend *be, struct vu_msg *msg, struct vu_reply *reply,
	       struct vl_err *err)
{
	const struct vu_config *config = &msg->payload.config;
	const struct vdev *vdev = be->vdev;
	int ret = check_range(be, config, err);

	if (ret)
		return ret;
	reply->payload.config.offset = config->offset;
	reply->payload.config.size = config->size;
	reply->payload.config.flags = config->flags;
	reply->size = msg->hdr.size;
	ret = vdev->ops->get_config(vdev->dev, config->offset, reply->payload.config.data,
				    config->size);
	if (ret)
		return vl_err_set(err, ret, "the device cannot be read: %s", vl_strerror(ret));
	return 0;
}

int set_config(struct vu_backend *be, struct vu_msg *msg, struct vu_reply *reply,
	       struct vl_err *err)
{
	const struct vu_config *config = &msg->payload.config;
	const struct vdev *vdev = be->vdev;
	int ret = check_range(be, config, err);

	(void)reply;
	if (ret)
		return ret;
	if (!vdev->ops->set_config)
		return vl_err_set(err, -EPERM, "config space is read-only");
	ret = vdev->ops->set_config(vdev->dev, config->offset, config->data, config->size,
				    config->flags == VU_CONFIG_MIGRATION);
	if (ret)
		return vl_err_set(err, ret, "%u bytes at offset %u cannot be written: %s",
				  config->size, config->offset, vl_strerror(ret));
	return 0;
}

int net_set_mtu(struct vu_backend *be, struct vu_msg *msg, struct vu_reply *reply,
		struct vl_err *err)
{
	const struct vdev *vdev = be->vdev;
	uint64_t mtu = msg->payload.u64;
	int ret;

	(void)reply;
	if (!has_feature(be, VIRTIO_NET_F_MTU))
		return vl_err_set(err, -EPROTO, "VIRTIO_NET_F_MTU is not negotiated");
	if (mtu < MTU_MIN || mtu > MTU_MAX)
		return vl_err_set(err, -EINVAL, "an MTU of %llu, not %u to %u",
				  (unsigned long long)mtu, MTU_MIN, MTU_MAX);
	ret = vdev->ops->set_mtu(vdev->dev, mtu);
	if (ret)
		return vl_err_set(err, ret, "an MTU of %llu: %s", (unsigned long long)mtu,
				  vl_strerror(ret));
	return 0;
}

int send_rarp(struct vu_backend *be, struct vu_msg *msg, struct vu_reply *reply, struct vl_err *err)
{
	const struct vdev *vdev = be->vdev;
	uint8_t mac[6];
	int ret;

	(void)reply;
	/* "the first 6 bytes of the payload contain the mac address" */
	memcpy(mac, &msg->payload.u64, sizeof(mac));
	ret = vdev->ops->send_rarp(vdev->dev, mac);
	if (ret)
		return vl_err_set(err, ret, "cannot send: %s", vl_strerror(ret));
	return 0;
}
