// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The device: making it, starting and stopping its virtqueues.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <vringlab/err.h>

#include "net.h"

static int net_process(void *dev, struct vdev_queue *q)
{
	struct net *net = dev;

	if (net_is_tx(q))
		return net_tx_process(net, q);
	return net->is_tap ? net_rx_process(net, q) : net_generate(net, q);
}

static int net_discard(void *dev, struct vdev_queue *q)
{
	if (net_is_tx(q))
		return net_tx_discard(dev, q);
	net_tap_attach(net_pair_of(dev, q), false);
	return VDEV_WAITING;
}

static int run(struct net *net, struct vdev_queue *q)
{
	struct net_pair *pair = net_pair_of(net, q);
	int ret;

	if (net_is_tx(q)) {
		pair->tx = q;
		return 0;
	}
	ret = net_window_init(&pair->window);
	if (!ret)
		ret = net_rx_watch(pair);
	if (!ret)
		pair->rx = q;
	return ret;
}

static int net_start(void *dev, struct vdev_queue *q, struct vl_err *err)
{
	int ret = run(dev, q);

	if (ret)
		return vl_err_set(err, ret, "virtqueue %u cannot be started: %s", q->index,
				  vl_strerror(ret));
	return 0;
}

static void net_stop(void *dev, struct vdev_queue *q, bool cancel)
{
	struct net_pair *pair = net_pair_of(dev, q);
	struct net *net = dev;

	(void)cancel;
	if (net_is_tx(q)) {
		loop_op_remove(&pair->writable);
		pair->tx = NULL;
		return;
	}
	loop_op_remove(&pair->readable);
	pair->rx = NULL;
	net_window_unpop(&pair->window, q->vq);
	/* part of it is in the buffers */
	net->stats.rx_dropped += pair->held.valid;
	pair->held.valid = false;
	net_tap_attach(pair, false);
}

static void net_resume(void *dev, struct vdev_queue *q)
{
	/* without a watch it is looked at when the driver kicks: no reason to end */
	run(dev, q);
}

static void net_reset(void *dev)
{
	net_set_features(dev, 0);
}

static int net_set_mtu(void *dev, uint16_t mtu)
{
	struct net *net = dev;
	int ret = net->is_tap ? net_tap_set_mtu(net, mtu) : 0;

	if (!ret)
		net->mtu = mtu;
	return ret;
}

static int net_send_rarp(void *dev, const uint8_t mac[6])
{
	struct net *net = dev;

	return net->is_tap ? net_tap_announce(net, mac) : 0;
}

static const struct vdev_ops net_ops = {
	.process = net_process,
	.discard = net_discard,
	.start = net_start,
	.stop = net_stop,
	.resume = net_resume,
	.set_features = net_set_features,
	.get_config = net_get_config,
	.reset = net_reset,
	.set_mtu = net_set_mtu,
	.send_rarp = net_send_rarp,
};

static int check_config(const struct vdev_net_config *config, struct vl_err *err)
{
	if (!config->num_pairs || config->num_pairs > VDEV_NET_PAIRS_MAX)
		return vl_err_set(err, -EINVAL, "a net device has 1 to %u pairs of queues, not %u",
				  VDEV_NET_PAIRS_MAX, config->num_pairs);
	if (config->generate &&
	    (config->generate < VDEV_NET_FRAME_MIN || config->generate > VDEV_NET_FRAME_MAX))
		return vl_err_set(err, -EINVAL, "frames have %u to %u bytes, not %u",
				  VDEV_NET_FRAME_MIN, VDEV_NET_FRAME_MAX, config->generate);
	if (config->mtu && config->mtu < VDEV_NET_MTU_MIN)
		return vl_err_set(err, -EINVAL, "an MTU has %u bytes at least, not %u",
				  VDEV_NET_MTU_MIN, config->mtu);
	if (config->mac && config->mac[0] & 1)
		return vl_err_set(err, -EINVAL, "a multicast address cannot be a device's");
	return 0;
}

static void free_net(struct net *net)
{
	for (unsigned int i = 0; i < net->num_pairs; i++) {
		net_window_exit(&net->pairs[i].window);
		free(net->pairs[i].bounce);
	}
	iov_room_free(&net->tx_room);
	free(net->tx_iovs);
	free(net->tx_copy);
	free(net->packet);
	free(net);
}

/* What every pair and the device itself needs. */
static int alloc_buffers(struct net *net, const struct vdev_net_config *config)
{
	net->tx_iovs = calloc(NET_BATCH * (NET_IOV_NR + 1), sizeof(*net->tx_iovs));
	net->tx_copy = malloc(NET_BOUNCE_BYTES);
	if (!net->tx_iovs || !net->tx_copy)
		return -ENOMEM;
	for (unsigned int i = 0; i < net->num_pairs && net->is_tap; i++) {
		net->pairs[i].bounce = malloc(NET_BOUNCE_BYTES);
		if (!net->pairs[i].bounce)
			return -ENOMEM;
	}
	return net_generate_init(net, config->generate);
}

static struct net *alloc_net(struct loop *loop, const struct vdev_net_config *config)
{
	struct net *net = calloc(1, sizeof(*net) + config->num_pairs * sizeof(net->pairs[0]));

	if (!net)
		return NULL;
	net->loop = loop;
	net->is_tap = config->tap;
	net->link_up = true;
	net->mtu = config->mtu ? config->mtu : ETH_DATA_LEN;
	net->num_pairs = config->num_pairs;
	net->has_mac = config->mac;
	if (config->mac)
		memcpy(net->mac, config->mac, sizeof(net->mac));
	for (unsigned int i = 0; i < net->num_pairs; i++) {
		net->pairs[i].net = net;
		net->pairs[i].fd = -1;
	}
	if (!alloc_buffers(net, config))
		return net;
	free_net(net);
	return NULL;
}

int vdev_net_create(struct vdev **vdev, struct loop *loop, const struct vdev_net_config *config,
		    struct vl_err *err)
{
	struct net *net;
	int ret = check_config(config, err);

	if (ret)
		return ret;
	net = alloc_net(loop, config);
	if (!net)
		return vl_err_set(err, -ENOMEM, "cannot make a net device: out of memory");
	if (net->is_tap)
		ret = net_tap_open(net, config, err);
	if (ret) {
		free_net(net);
		return ret;
	}
	net->vdev = (struct vdev){
		.ops = &net_ops,
		.dev = net,
		.features = net_features(net),
		.num_queues = 2 * config->num_pairs,
		.config_size = NET_CONFIG_SIZE,
	};
	net_set_features(net, 0);
	*vdev = &net->vdev;
	return 0;
}

void vdev_net_destroy(struct vdev *vdev)
{
	struct net *net;

	if (!vdev)
		return;
	net = vdev->dev;
	net_tap_close(net);
	free_net(net);
}

void vdev_net_get_stats(const struct vdev *vdev, struct vdev_net_stats *stats)
{
	const struct net *net = vdev->dev;

	*stats = net->stats;
}
