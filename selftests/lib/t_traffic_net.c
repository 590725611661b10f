// SPDX-License-Identifier: GPL-2.0-only
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/vhost.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>

#include <vringlab/fd.h>
#include <vringlab/link.h>

#include "t_traffic.h"
#include "t_vhost.h"

#define RX 0u
#define TX 1u
#define FRAME_BYTES 128u
/* Of no protocol that the kernel would answer. */
#define PROTOCOL 0x88b5

/**
 * struct net - vhost-net over a tap
 * @vhost:	Device.
 * @tap:	The tap's only queue.
 * @socket:	What is sent here comes out of the tap.
 * @to:		The tap as an interface.
 */
struct net {
	struct t_vhost vhost;
	int tap;
	int socket;
	struct sockaddr_ll to;
};

static const uint8_t frame[FRAME_BYTES] = {
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, PROTOCOL >> 8, PROTOCOL & 0xff,
};

static int open_tap(struct net *n, struct vl_err *err)
{
	char name[IFNAMSIZ] = "vltorture%d";
	struct rtnl *rtnl;
	int ret;

	ret = tap_open(name, &n->tap, 1, err);
	if (ret)
		return ret;
	ret = rtnl_open(&rtnl, err);
	if (ret)
		return ret;
	ret = rtnl_link_set_up(rtnl, name, true, err);
	rtnl_close(rtnl);
	if (ret)
		return ret;
	n->socket = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (n->socket < 0)
		return vl_err_set(err, -errno, "packet socket: %s", strerror(errno));
	n->to = (struct sockaddr_ll){
		.sll_family = AF_PACKET,
		.sll_protocol = htons(PROTOCOL),
		.sll_ifindex = (int)if_nametoindex(name),
		.sll_halen = ETH_ALEN,
	};
	return 0;
}

static int set_backends(struct net *n, struct vl_err *err)
{
	unsigned int i;

	for (i = 0; i < T_TRAFFIC_QUEUES; i++) {
		struct vhost_vring_file backend = { .index = i, .fd = n->tap };

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
	n->tap = -1;
	n->socket = -1;
	n->vhost.fd = -1;
	ret = open_tap(n, &t->err);
	if (ret)
		return ret;
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

	if (sendto(n->socket, frame, FRAME_BYTES, 0, (struct sockaddr *)&n->to, sizeof(n->to)) < 0)
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
	vl_fd_close(&n->socket);
	vl_fd_close(&n->tap);
	free(n);
}

const struct t_traffic_ops t_traffic_net = {
	.name = "vhost-net",
	.open = net_open,
	.run = net_run,
	.close = net_close,
};
