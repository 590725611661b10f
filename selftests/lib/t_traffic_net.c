// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <linux/vhost.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>

#include "t_tap.h"
#include "t_traffic.h"
#include "t_vhost.h"

#define RX 0u
#define TX 1u
#define FRAME_BYTES 128u

/**
 * struct net - vhost-net over a tap
 * @vhost:	Device.
 * @tap:	Tap.
 */
struct net {
	struct t_vhost vhost;
	struct t_tap tap;
};

static const uint8_t frame[FRAME_BYTES] = {
	0xff,
	0xff,
	0xff,
	0xff,
	0xff,
	0xff,
	2,
	0,
	0,
	0,
	0,
	1,
	T_TAP_PROTOCOL >> 8,
	T_TAP_PROTOCOL & 0xff,
};

static int set_backends(struct net *n, struct vl_err *err)
{
	unsigned int i;

	for (i = 0; i < T_TRAFFIC_QUEUES; i++) {
		struct vhost_vring_file backend = { .index = i, .fd = n->tap.fds[0] };

		if (ioctl(n->vhost.fd, VHOST_NET_SET_BACKEND, &backend))
			return vl_err_set(err, -errno, "VHOST_NET_SET_BACKEND: %s",
					  strerror(errno));
	}
	return 0;
}

static int net_open(struct t_traffic *t)
{
	struct net *n = calloc(1, sizeof(*n));
	unsigned int i;
	int ret;

	if (!n)
		return -ENOMEM;
	t->state = n;
	n->vhost.fd = -1;
	ret = t_tap_open(&n->tap, 1);
	if (ret) {
		t->err = n->tap.err;
		return ret;
	}
	ret = t_vhost_open(&n->vhost, "/dev/vhost-net", UINT64_C(1) << VIRTIO_F_VERSION_1);
	if (!ret)
		ret = t_vhost_start(&n->vhost, T_TRAFFIC_QUEUES);
	if (ret)
		return vl_err_set(&t->err, ret, "/dev/vhost-net: %s", vl_strerror(ret));
	t->nr_queues = T_TRAFFIC_QUEUES;
	for (i = 0; i < T_TRAFFIC_QUEUES; i++) {
		t->kick[i] = n->vhost.queues[i].kick;
		t->call[i] = n->vhost.queues[i].call;
	}
	return set_backends(n, &t->err);
}

/* A frame out, which the host drops. */
static int transmit(struct net *n)
{
	const uint32_t len = sizeof(struct virtio_net_hdr_v1) + FRAME_BYTES;
	uint8_t *buf = t_vhost_buf(&n->vhost, TX);
	uint32_t written;

	memset(buf, 0, sizeof(struct virtio_net_hdr_v1));
	memcpy(buf + sizeof(struct virtio_net_hdr_v1), frame, FRAME_BYTES);
	return t_vhost_exchange(&n->vhost, TX, len, false, &written);
}

/* Is it ours? The host's own IPv6 has something to say on each new interface. */
static bool is_ours(const uint8_t *buf, uint32_t len)
{
	return len == sizeof(struct virtio_net_hdr_v1) + FRAME_BYTES &&
	       !memcmp(buf + sizeof(struct virtio_net_hdr_v1), frame, FRAME_BYTES);
}

static int receive(struct net *n)
{
	const uint8_t *buf;
	uint32_t len;
	int ret;

	if (send(n->tap.sock, frame, FRAME_BYTES, 0) < 0)
		return -errno;
	do {
		buf = t_vhost_buf(&n->vhost, RX);
		ret = t_vhost_exchange(&n->vhost, RX, T_VHOST_BUF, true, &len);
	} while (!ret && !is_ours(buf, len));
	return ret;
}

static int net_run(struct t_traffic *t)
{
	int ret = 0;

	while (!ret && !t_traffic_stopping(t)) {
		ret = transmit(t->state);
		if (ret) {
			vl_err_set(&t->err, ret, "transmit: %s", vl_strerror(ret));
			break;
		}
		ret = receive(t->state);
		if (ret)
			vl_err_set(&t->err, ret, "receive: %s", vl_strerror(ret));
		t_traffic_round(t);
	}
	return ret;
}

static void net_close(struct t_traffic *t)
{
	struct net *n = t->state;

	if (!n)
		return;
	t_vhost_close(&n->vhost);
	t_tap_close(&n->tap);
	free(n);
}

const struct t_traffic_ops t_traffic_net = {
	.name = "vhost-net",
	.open = net_open,
	.run = net_run,
	.close = net_close,
};
