// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The tap: its queues, its interface, what it is told of the driver.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/uio.h>

#include <linux/if_arp.h>
#include <linux/if_tun.h>

#include <vringlab/err.h>
#include <vringlab/fd.h>
#include <vringlab/link.h>

#include "net.h"

int net_tap_open(struct net *net, const struct vdev_net_config *config, struct vl_err *err)
{
	const struct tap_setup setup = {
		.bridge = config->bridge,
		.address = config->address,
		.mtu = config->mtu,
	};
	int fds[VDEV_NET_PAIRS_MAX];
	int ret;

	if (strlen(config->tap) >= sizeof(net->name))
		return vl_err_set(err, -EINVAL, "a tap's name has at most %zu characters",
				  sizeof(net->name) - 1);
	strcpy(net->name, config->tap);
	ret = tap_open_set_up(net->name, fds, net->num_pairs, &setup, &net->undo, err);
	if (ret)
		return ret;
	net->mtu = net->undo.mtu;
	for (unsigned int i = 0; i < net->num_pairs; i++) {
		net->pairs[i].fd = fds[i];
		net->pairs[i].attached = true;
		net_tap_attach(&net->pairs[i], false);
	}
	return 0;
}

void net_tap_close(struct net *net)
{
	tap_undo(&net->undo);
	for (unsigned int i = 0; i < net->num_pairs; i++) {
		loop_op_remove(&net->pairs[i].readable);
		loop_op_remove(&net->pairs[i].writable);
		if (net->pairs[i].fd >= 0)
			vl_fd_close(&net->pairs[i].fd);
	}
}

/* The driver's features are what it can take from the tap. */
void net_tap_use_features(struct net *net)
{
	int fd = net->pairs[0].fd;

	/* a tap that knows nothing of it sends what anybody can take */
	tap_set_offload(fd, tap_offloads(net->features));
	tap_set_header(fd, net->hdr_len);
}

/* With a single queue there is nothing to choose, and the tap says so. */
void net_tap_attach(struct net_pair *pair, bool attach)
{
	if (pair->net->num_pairs == 1 || pair->attached == attach)
		return;
	if (!tap_set_queue(pair->fd, attach))
		pair->attached = attach;
}

int net_tap_set_mtu(struct net *net, uint16_t mtu)
{
	struct rtnl *rtnl;
	int ret = rtnl_open(&rtnl, NULL);

	if (ret)
		return ret;
	ret = rtnl_link_set_mtu(rtnl, net->name, mtu, NULL);
	rtnl_close(rtnl);
	return ret;
}

struct rarp {
	struct ethhdr eth;
	struct arphdr arp;
	uint8_t sender_mac[ETH_ALEN];
	uint8_t sender_ip[4];
	uint8_t target_mac[ETH_ALEN];
	uint8_t target_ip[4];
	uint8_t padding[VDEV_NET_FRAME_MIN - 42];
} __attribute__((packed));

_Static_assert(sizeof(struct rarp) == VDEV_NET_FRAME_MIN, "the shortest frame");

/* RFC 903, a request by which bridges learn where the address is now. */
int net_tap_announce(struct net *net, const uint8_t mac[ETH_ALEN])
{
	struct virtio_net_hdr_v1 hdr = { 0 };
	struct rarp rarp = {
		.eth = { .h_proto = htons(ETH_P_RARP) },
		.arp = {
			.ar_hrd = htons(ARPHRD_ETHER),
			.ar_pro = htons(ETH_P_IP),
			.ar_hln = ETH_ALEN,
			.ar_pln = 4,
			.ar_op = htons(ARPOP_RREQUEST),
		},
	};
	const struct iovec iov[] = {
		{ .iov_base = &hdr, .iov_len = net->hdr_len },
		{ .iov_base = &rarp, .iov_len = sizeof(rarp) },
	};

	memset(rarp.eth.h_dest, 0xff, ETH_ALEN);
	memcpy(rarp.eth.h_source, mac, ETH_ALEN);
	memcpy(rarp.sender_mac, mac, ETH_ALEN);
	memcpy(rarp.target_mac, mac, ETH_ALEN);
	return writev(net->pairs[0].fd, iov, 2) < 0 ? -errno : 0;
}

void net_tap_lost(struct net *net)
{
	struct vl_err err;

	if (!net->link_up)
		return;
	net->link_up = false;
	vl_err_set(&err, -ENODEV, "the tap '%s' is gone: the link is down", net->name);
	if (net->vdev.warn)
		net->vdev.warn(&net->vdev, &err);
	if (net->vdev.config_changed)
		net->vdev.config_changed(&net->vdev);
}
