// SPDX-License-Identifier: LGPL-2.1-or-later
#include <endian.h>
#include <errno.h>
#include <string.h>

#include <linux/virtio_net.h>

#include "net_ctrl.h"

/* A command has three buffers; a driver that cuts them in pieces has few. */
#define IOV_NR 16u

/* Commands taken before others have their turn. */
#define BUDGET 16u

struct command {
	struct virtio_net_ctrl_hdr hdr;
	uint8_t data[2];
} __attribute__((packed));

_Static_assert(sizeof(struct command) == 4, "two bytes that say what, two that say how many");

static size_t gather(const struct vring_chain *chain, void *buf, size_t size)
{
	size_t done = 0;

	for (unsigned int i = 0; i < chain->nr_out && done < size; i++) {
		size_t len = chain->iov[i].iov_len;

		if (len > size - done)
			len = size - done;
		memcpy((uint8_t *)buf + done, chain->iov[i].iov_base, len);
		done += len;
	}
	return done;
}

static int set_pairs(struct net_ctrl *ctrl, unsigned int pairs)
{
	int ret;

	if (pairs < VIRTIO_NET_CTRL_MQ_VQ_PAIRS_MIN || pairs > ctrl->max_pairs)
		return -EINVAL;
	ret = ctrl->use_pairs(ctrl->b, pairs);
	if (!ret)
		ctrl->pairs = pairs;
	return ret;
}

static int execute(struct net_ctrl *ctrl, const struct vring_chain *chain)
{
	struct command c;
	uint16_t pairs;

	if (gather(chain, &c, sizeof(c)) != sizeof(c) || c.hdr.class != VIRTIO_NET_CTRL_MQ ||
	    c.hdr.cmd != VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET)
		return -ENOTSUP;
	memcpy(&pairs, c.data, sizeof(pairs));
	return set_pairs(ctrl, le16toh(pairs));
}

/* One command; as vring_dev_pop(). */
static int take(struct net_ctrl *ctrl, struct vring_dev *vq)
{
	struct iovec iov[IOV_NR];
	struct vring_chain chain = { .iov = iov, .nr_iov = IOV_NR };
	int ret = vring_dev_pop(vq, &chain);
	uint8_t ack;

	if (ret)
		return ret;
	if (!chain.nr_in) {
		vring_dev_push(vq, &chain, 0);
		return 0;
	}
	ack = execute(ctrl, &chain) ? VIRTIO_NET_ERR : VIRTIO_NET_OK;
	memcpy(chain.iov[chain.nr_out].iov_base, &ack, sizeof(ack));
	vring_dev_push(vq, &chain, sizeof(ack));
	return 0;
}

static int process(void *dev, struct vdev_queue *q)
{
	int ret = 0;

	for (unsigned int i = 0; i < BUDGET && !ret; i++)
		ret = take(dev, q->vq);
	return ret ? ret : VDEV_MORE;
}

static const struct vdev_ops ops = {
	.process = process,
};

void net_ctrl_init(struct net_ctrl *ctrl, struct backend *b, unsigned int max_pairs,
		   int (*use_pairs)(struct backend *b, unsigned int pairs))
{
	*ctrl = (struct net_ctrl){
		.vdev = { .ops = &ops, .dev = ctrl, .num_queues = 1 },
		.b = b,
		.max_pairs = max_pairs,
		.pairs = 1,
		.use_pairs = use_pairs,
	};
	served_init(&ctrl->ring, b, &ctrl->vdev, 0);
}

uint64_t net_ctrl_features(const struct net_ctrl *ctrl)
{
	if (ctrl->max_pairs == 1)
		return 0;
	return VIRTIO_BIT(VIRTIO_NET_F_CTRL_VQ) | VIRTIO_BIT(VIRTIO_NET_F_MQ);
}

unsigned int net_ctrl_data_queues(const struct net_ctrl *ctrl, uint64_t features)
{
	return 2 * (backend_has(features, VIRTIO_NET_F_MQ) ? ctrl->max_pairs : 1);
}

int net_ctrl_start(struct net_ctrl *ctrl, uint64_t features, const struct virtio_queue *queues,
		   unsigned int nr, struct vl_err *err)
{
	/* VIRTIO 1.2, 5.1.2: behind those that the driver knows of */
	unsigned int index = net_ctrl_data_queues(ctrl, features);

	ctrl->pairs = 1;
	if (!backend_has(features, VIRTIO_NET_F_CTRL_VQ) || index >= nr || !queues[index].enabled)
		return 0;
	return served_start(&ctrl->ring, features, &queues[index], err);
}

void net_ctrl_stop(struct net_ctrl *ctrl)
{
	served_stop(&ctrl->ring);
}
