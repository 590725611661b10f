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

static int set_address(const struct net *net, struct rtnl *rtnl, const char *text,
		       struct vl_err *err)
{
	struct rtnl_addr addr;
	int ret;

	if (rtnl_addr_parse(text, &addr))
		return vl_err_set(err, -EINVAL, "'%s' is no address with a prefix length", text);
	ret = rtnl_addr_add(rtnl, net->name, &addr, err);
	return ret == -EEXIST ? 0 : ret;
}

/* Only what is not so already: a tap's owner need not be privileged. */
static int configure(struct net *net, struct rtnl *rtnl, const struct vdev_net_config *config,
		     struct vl_err *err)
{
	struct rtnl_link link;
	int ret = rtnl_link_get(rtnl, net->name, &link, err);

	if (ret)
		return ret;
	if (config->mtu && link.mtu != config->mtu)
		ret = rtnl_link_set_mtu(rtnl, net->name, config->mtu, err);
	net->mtu = config->mtu ? config->mtu : link.mtu;
	if (!ret && config->bridge)
		ret = rtnl_link_set_master(rtnl, net->name, config->bridge, err);
	if (!ret && config->address)
		ret = set_address(net, rtnl, config->address, err);
	if (!ret && !(link.flags & IFF_UP))
		ret = rtnl_link_set_up(rtnl, net->name, true, err);
	return ret;
}

static int open_queues(struct net *net, struct vl_err *err)
{
	int fds[VDEV_NET_PAIRS_MAX];
	int ret = tap_open(net->name, fds, net->num_pairs, err);

	if (ret)
		return ret;
	for (unsigned int i = 0; i < net->num_pairs; i++) {
		net->pairs[i].fd = fds[i];
		net->pairs[i].attached = true;
		net_tap_attach(&net->pairs[i], false);
	}
	return 0;
}

int net_tap_open(struct net *net, const struct vdev_net_config *config, struct vl_err *err)
{
	struct rtnl *rtnl;
	int ret;

	if (strlen(config->tap) >= sizeof(net->name))
		return vl_err_set(err, -EINVAL, "a tap's name has at most %zu characters",
				  sizeof(net->name) - 1);
	strcpy(net->name, config->tap);
	ret = open_queues(net, err);
	if (ret)
		return ret;
	ret = rtnl_open(&rtnl, err);
	if (!ret) {
		ret = configure(net, rtnl, config, err);
		rtnl_close(rtnl);
	}
	if (ret)
		net_tap_close(net);
	return ret;
}

void net_tap_close(struct net *net)
{
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
	unsigned int offload = 0;
	int fd = net->pairs[0].fd;

	if (net_has(net, VIRTIO_NET_F_GUEST_CSUM))
		offload |= TUN_F_CSUM;
	if (net_has(net, VIRTIO_NET_F_GUEST_TSO4))
		offload |= TUN_F_TSO4;
	if (net_has(net, VIRTIO_NET_F_GUEST_TSO6))
		offload |= TUN_F_TSO6;
	if (net_has(net, VIRTIO_NET_F_GUEST_ECN) && offload & (TUN_F_TSO4 | TUN_F_TSO6))
		offload |= TUN_F_TSO_ECN;
	/* a tap that knows nothing of it sends what anybody can take */
	tap_set_offload(fd, offload);
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
	if (!net->link_up)
		return;
	net->link_up = false;
	if (net->vdev.config_changed)
		net->vdev.config_changed(&net->vdev);
}
