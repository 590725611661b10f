// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * vhost-net over a tap: one vhost for each pair of virtqueues, and a queue of the tap.
 */
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include <linux/vhost.h>

#include <vringlab/backend_vhost.h>
#include <vringlab/fd.h>

#include "net_config.h"
#include "net_ctrl.h"
#include "vhost.h"

#define RING_FEATURES                                                               \
	(VIRTIO_BIT(VIRTIO_F_VERSION_1) | VIRTIO_BIT(VIRTIO_RING_F_INDIRECT_DESC) | \
	 VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX) | VIRTIO_BIT(VIRTIO_NET_F_MRG_RXBUF))

/* Linux has given UFO up, and its taps only imitate it. */
#define UFO (VIRTIO_BIT(VIRTIO_NET_F_GUEST_UFO) | VIRTIO_BIT(VIRTIO_NET_F_HOST_UFO))

/**
 * struct pair - Two virtqueues
 * @vhost:	Serves them.
 * @tap_fd:	Queue of the tap.
 * @attached:	The tap has packets for it, and takes some.
 */
struct pair {
	struct vhost vhost;
	int tap_fd;
	bool attached;
};

/**
 * struct vhost_net - vhost-net over a tap
 * @b:		Back-end.
 * @net:	What the driver is told.
 * @tap:	Name of the interface.
 * @undo:	What becomes of it in the end.
 * @link_up:	The tap is there.
 * @lost:	Watch for its end.
 * @ctrl:	Control virtqueue.
 * @pairs:	@net.num_pairs of them.
 */
struct vhost_net {
	struct backend b;
	struct backend_net_config net;
	char tap[IFNAMSIZ];
	struct tap_undo undo;
	bool link_up;
	struct loop_op *lost;
	struct net_ctrl ctrl;
	struct pair pairs[];
};

static struct vhost_net *net_of(struct virtio_backend *be)
{
	return (struct vhost_net *)be;
}

/* A tap of a single queue has nothing to choose. */
static int attach_tap(const struct vhost_net *n, struct pair *pair, bool attach)
{
	int ret;

	if (n->net.num_pairs == 1 || pair->attached == attach)
		return 0;
	ret = tap_set_queue(pair->tap_fd, attach);
	if (!ret)
		pair->attached = attach;
	return ret;
}

static int use_pairs(struct backend *b, unsigned int pairs)
{
	struct vhost_net *n = net_of(&b->be);
	int ret = 0;

	for (unsigned int i = 0; !ret && i < n->net.num_pairs; i++)
		ret = attach_tap(n, &n->pairs[i], i < pairs);
	return ret;
}

static int set_backend(const struct pair *pair, unsigned int index, int fd, struct vl_err *err)
{
	struct vhost_vring_file file = { .index = index, .fd = fd };

	return VHOST_IOCTL(&pair->vhost, VHOST_NET_SET_BACKEND, &file, err);
}

static void stop_pair(struct pair *pair)
{
	for (unsigned int i = 0; i < 2; i++)
		if (pair->vhost.attached & 1u << i)
			set_backend(pair, i, -1, NULL);
	vhost_detach(&pair->vhost);
}

static void net_stop(struct virtio_backend *be)
{
	struct vhost_net *n = net_of(be);

	net_ctrl_stop(&n->ctrl);
	for (unsigned int i = 0; i < n->net.num_pairs; i++)
		stop_pair(&n->pairs[i]);
}

/* The virtqueues of a pair that the driver has set up: one is enough. */
static int start_pair(struct pair *pair, uint64_t features, const struct virtio_queue *queues,
		      struct vl_err *err)
{
	int ret;

	if (!queues[0].enabled && !queues[1].enabled)
		return 0;
	ret = vhost_set_up(&pair->vhost, features, err);
	for (unsigned int i = 0; !ret && i < 2; i++) {
		if (!queues[i].enabled)
			continue;
		ret = vhost_attach(&pair->vhost, i, &queues[i], err);
		if (!ret)
			ret = set_backend(pair, i, pair->tap_fd, err);
	}
	return ret;
}

static int start_pairs(struct vhost_net *n, uint64_t features, const struct virtio_queue *queues,
		       unsigned int nr, struct vl_err *err)
{
	unsigned int data = net_ctrl_data_queues(&n->ctrl, features);
	int ret = 0;

	/* a tap that is gone vhost does not take: the link is down, nothing comes or goes */
	for (unsigned int i = 0; n->link_up && !ret && 2 * i < data && 2 * i + 1 < nr; i++)
		ret = start_pair(&n->pairs[i], features, &queues[2 * i], err);
	return ret ? ret : net_ctrl_start(&n->ctrl, features, queues, nr, err);
}

static int net_start(struct virtio_backend *be, uint64_t features,
		     const struct virtio_queue *queues, unsigned int nr, struct vl_err *err)
{
	struct vhost_net *n = net_of(be);
	int ret;

	n->b.failed = false;
	ret = use_pairs(&n->b, 1);
	if (!ret)
		ret = tap_set_offload(n->pairs[0].tap_fd, tap_offloads(features));
	if (ret && n->link_up)
		return vl_err_set(err, ret, "%s: the tap '%s' cannot be set up: %s", n->b.name,
				  n->tap, vl_strerror(ret));
	ret = start_pairs(n, features, queues, nr, err);
	if (ret)
		net_stop(be);
	return ret;
}

/* The control virtqueue is served here. */
static void net_get_server(const struct virtio_backend *be, unsigned int index,
			   struct virtio_server *server)
{
	const struct vhost_net *n = (const struct vhost_net *)be;

	server->backend = VRINGLAB_BACKEND_VHOST_NET;
	served_get_server(&n->ctrl.ring, index, server);
}

static void net_get_config(struct virtio_backend *be, uint32_t offset, void *buf, uint32_t size)
{
	const struct vhost_net *n = net_of(be);

	net_config_read(&n->net, n->link_up, offset, buf, size);
}

static void net_destroy(struct virtio_backend *be)
{
	struct vhost_net *n = net_of(be);

	loop_op_remove(&n->lost);
	for (unsigned int i = 0; i < n->net.num_pairs; i++)
		vhost_close(&n->pairs[i].vhost);
	tap_undo(&n->undo);
	for (unsigned int i = 0; i < n->net.num_pairs; i++)
		vl_fd_close(&n->pairs[i].tap_fd);
	free(n);
}

static const struct virtio_backend_ops ops = {
	.start = net_start,
	.stop = net_stop,
	.get_server = net_get_server,
	.get_config = net_get_config,
	.destroy = net_destroy,
};

static void lose_tap(struct vhost_net *n)
{
	struct vl_err err;

	if (!n->link_up)
		return;
	n->link_up = false;
	loop_op_remove(&n->lost);
	vl_err_set(&err, -ENODEV, "the tap '%s' is gone: the link is down", n->tap);
	backend_warn(&n->b, &err);
	backend_tell_config(&n->b);
}

/* No event was asked for: an error is all that it can be. */
static void tap_lost(void *ctx, int res)
{
	if (res < 0 || res & (POLLERR | POLLHUP))
		lose_tap(ctx);
}

/* What cannot be sent vhost takes for an error of the ring's as well. */
static bool excuse(struct backend *b)
{
	struct vhost_net *n = net_of(&b->be);
	struct rtnl_link link;

	if (rtnl_link_get(n->undo.rtnl, n->tap, &link, NULL)) {
		lose_tap(n);
		return true;
	}
	return !(link.flags & IFF_UP);
}

static int open_tap(struct vhost_net *n, const struct backend_vhost_net_config *config,
		    struct vl_err *err)
{
	struct tap_setup setup = config->setup;
	int fds[BACKEND_NET_PAIRS_MAX];
	int ret;

	if (strlen(config->tap) >= sizeof(n->tap))
		return vl_err_set(err, -EINVAL, "a tap's name has at most %zu characters",
				  sizeof(n->tap) - 1);
	strcpy(n->tap, config->tap);
	setup.mtu = n->net.mtu;
	ret = tap_open_set_up(n->tap, fds, n->net.num_pairs, &setup, &n->undo, err);
	if (ret)
		return ret;
	for (unsigned int i = 0; i < n->net.num_pairs; i++) {
		n->pairs[i].tap_fd = fds[i];
		n->pairs[i].attached = true;
	}
	n->net.mtu = n->undo.mtu;
	return loop_poll(n->b.host->loop, fds[0], 0, tap_lost, n, &n->lost);
}

/* What the tap cannot do is not offered. */
static uint64_t offloads(const struct vhost_net *n)
{
	uint64_t in = NET_OFFLOADS_IN & ~UFO;

	if (tap_set_offload(n->pairs[0].tap_fd, tap_offloads(in)))
		in = 0;
	tap_set_offload(n->pairs[0].tap_fd, 0);
	return in | (NET_OFFLOADS_OUT & ~UFO);
}

static int open_all(struct vhost_net *n, const struct backend_vhost_net_config *config,
		    struct vl_err *err)
{
	int ret = 0;

	for (unsigned int i = 0; !ret && i < n->net.num_pairs; i++) {
		ret = vhost_open(&n->pairs[i].vhost, &n->b, BACKEND_VHOST_NET_PATH, "vhost_net",
				 err);
		n->pairs[i].vhost.excuse = excuse;
	}
	if (ret)
		return ret;
	ret = open_tap(n, config, err);
	if (ret)
		vl_err_prefix(err, "%s", n->b.name);
	return ret;
}

static void fill(struct vhost_net *n)
{
	struct virtio_backend *be = &n->b.be;

	be->features = (n->pairs[0].vhost.features & RING_FEATURES) | offloads(n) |
		       net_config_features(&n->net) | net_ctrl_features(&n->ctrl);
	be->num_queues = 2 * n->net.num_pairs + (n->net.num_pairs > 1);
	be->config_size = NET_CONFIG_SIZE;
}

int backend_vhost_net_create(struct virtio_backend **be, const struct backend_host *host,
			     const struct backend_vhost_net_config *config, struct vl_err *err)
{
	struct vhost_net *n;
	int ret = net_config_check(&config->net, err);

	if (ret) {
		vl_err_prefix(err, "%s", config->name);
		return ret;
	}
	n = calloc(1, sizeof(*n) + config->net.num_pairs * sizeof(n->pairs[0]));
	if (!n)
		return vl_err_set(err, -ENOMEM, "%s: out of memory", config->name);
	n->net = config->net;
	n->link_up = true;
	for (unsigned int i = 0; i < n->net.num_pairs; i++) {
		n->pairs[i].tap_fd = -1;
		n->pairs[i].vhost.fd = -1;
		n->pairs[i].vhost.err_fd = -1;
	}
	n->b.be = (struct virtio_backend){ .ops = &ops, .device_id = VIRTIO_ID_NET };
	backend_init(&n->b, host, config->name, config->queue_size);
	net_ctrl_init(&n->ctrl, &n->b, n->net.num_pairs, use_pairs);
	ret = open_all(n, config, err);
	if (ret) {
		net_destroy(&n->b.be);
		return ret;
	}
	fill(n);
	*be = &n->b.be;
	return 0;
}
