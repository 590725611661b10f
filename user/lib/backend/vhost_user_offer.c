// SPDX-License-Identifier: LGPL-2.1-or-later
#include <endian.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include <linux/virtio_blk.h>
#include <linux/virtio_console.h>
#include <linux/virtio_vsock.h>

#include "vhost_user.h"

/* Device-specific feature bits, VIRTIO 1.2, 2.2. */
#define DEVICE_BITS ((VIRTIO_BIT(24) - 1) | (VIRTIO_BIT(58) - VIRTIO_BIT(50)))

#define RING_BITS                                                                   \
	(VIRTIO_BIT(VIRTIO_F_VERSION_1) | VIRTIO_BIT(VIRTIO_RING_F_INDIRECT_DESC) | \
	 VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX) | VIRTIO_BIT(VIRTIO_F_IN_ORDER))

/**
 * struct kind - A device that is known
 * @device_id:	VIRTIO_ID_*.
 * @features:	Of the device, that need no more virtqueues or config space than those.
 * @num_queues:	That its back-ends serve; 0 for what was asked for.
 * @unserved:	That it has beside them, and nobody serves.
 * @config_size: Bytes of config space.
 */
static const struct kind {
	uint16_t device_id;
	uint64_t features;
	unsigned int num_queues;
	unsigned int unserved;
	uint32_t config_size;
} kinds[] = {
	{
		.device_id = VIRTIO_ID_BLOCK,
		.features = VIRTIO_BIT(VIRTIO_BLK_F_WRITE_ZEROES + 1) - 1,
		.config_size = offsetof(struct virtio_blk_config, write_zeroes_may_unmap) + 4,
	},
	{
		.device_id = VIRTIO_ID_VSOCK,
		.features = VIRTIO_BIT(8) - 1,
		.num_queues = 2,
		.unserved = 1,
		.config_size = sizeof(struct virtio_vsock_config),
	},
	{
		.device_id = VIRTIO_ID_CONSOLE,
		.features = VIRTIO_BIT(VIRTIO_CONSOLE_F_SIZE),
		.num_queues = 2,
		.config_size = sizeof(struct virtio_console_config),
	},
	{ .device_id = VIRTIO_ID_RNG, .num_queues = 1 },
};

static const struct kind *find_kind(uint16_t device_id)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (kinds[i].device_id == device_id)
			return &kinds[i];
	return NULL;
}

uint64_t vhost_user_wish(const struct vhost_user *v)
{
	const struct kind *kind = find_kind(v->config.device_id);
	uint64_t wish = RING_BITS;

	if (v->config.packed)
		wish |= VIRTIO_BIT(VIRTIO_F_RING_PACKED);
	if (!vhost_user_is_net(v))
		return wish | (kind ? kind->features : DEVICE_BITS);
	/* the rest is of the control virtqueue or the config space, which are ours */
	return wish | NET_OFFLOADS_IN | NET_OFFLOADS_OUT | VIRTIO_BIT(VIRTIO_NET_F_MRG_RXBUF);
}

/* VIRTIO 1.2, 5.2.4: the driver must not look for more virtqueues than there are. */
static void limit_blk_queues(struct vhost_user *v)
{
	const size_t at = offsetof(struct virtio_blk_config, num_queues);
	uint16_t num = htole16(v->b.be.num_queues);

	if (v->config.device_id == VIRTIO_ID_BLOCK)
		memcpy(v->space + at, &num, sizeof(num));
}

int vhost_user_read_space(struct vhost_user *v, struct vl_err *err)
{
	int ret = 0;

	if (v->b.be.config_size)
		ret = vu_frontend_get_config(v->session.fe, 0, v->space, v->b.be.config_size, err);
	if (!ret)
		limit_blk_queues(v);
	return ret;
}

/* One without MQ has what a device has at least. */
static int check_queues(const struct vhost_user *v, unsigned int wanted, unsigned int least,
			struct vl_err *err)
{
	uint64_t protocol = vu_frontend_protocol_features(v->session.fe);
	uint64_t num = least;
	int ret = 0;

	if (vu_has_feature(protocol, VU_PROTOCOL_F_MQ))
		ret = vu_frontend_get_queue_num(v->session.fe, &num, err);
	/* DPDK's net counts pairs */
	if (ret || num >= wanted || (vhost_user_is_net(v) && 2 * num >= wanted))
		return ret;
	return vl_err_set(err, -ENOTSUP, "the back-end has %u virtqueues, not %u",
			  (unsigned int)num, wanted);
}

static void offer_net(struct vhost_user *v, uint64_t features)
{
	struct virtio_backend *be = &v->b.be;

	be->features = features | net_config_features(&v->config.net) | net_ctrl_features(&v->ctrl);
	be->num_queues = 2 * v->config.net.num_pairs + (v->config.net.num_pairs > 1);
	be->config_size = NET_CONFIG_SIZE;
}

int vhost_user_offer(struct vhost_user *v, struct vl_err *err)
{
	uint64_t features = vu_frontend_features(v->session.fe) & vhost_user_wish(v);
	const struct kind *kind = find_kind(v->config.device_id);
	struct virtio_backend *be = &v->b.be;
	int ret = 0;

	if (vhost_user_is_net(v)) {
		offer_net(v, features);
		return check_queues(v, 2 * v->config.net.num_pairs, 2, err);
	}
	be->features = features;
	be->num_queues = v->config.num_queues ? v->config.num_queues : 1;
	be->config_size = v->config.config_size;
	if (kind && kind->num_queues)
		be->num_queues = kind->num_queues + kind->unserved;
	if (kind)
		be->config_size = kind->config_size;
	if (be->config_size > VHOST_USER_CONFIG_MAX)
		return vl_err_set(err, -EINVAL, "at most %u bytes of config space, not %u",
				  VHOST_USER_CONFIG_MAX, be->config_size);
	if (!kind || !kind->num_queues)
		ret = check_queues(v, be->num_queues, 1, err);
	return ret ? ret : vhost_user_read_space(v, err);
}

void vhost_user_get_config(struct virtio_backend *be, uint32_t offset, void *buf, uint32_t size)
{
	const struct vhost_user *v = (struct vhost_user *)be;

	if (vhost_user_is_net(v))
		net_config_read(&v->config.net, true, offset, buf, size);
	else
		memcpy(buf, v->space + offset, size);
}

/* What the back-end does not take stays as it is, and the driver sees that. */
void vhost_user_set_config(struct virtio_backend *be, uint32_t offset, const void *buf,
			   uint32_t size)
{
	struct vhost_user *v = (struct vhost_user *)be;

	struct vl_err err;

	if (vhost_user_is_net(v) || !vhost_user_is_there(v))
		return;
	if (vu_frontend_set_config(v->session.fe, offset, buf, size, false, &err))
		vhost_user_check(v, &err);
	else
		memcpy(v->space + offset, buf, size);
}
