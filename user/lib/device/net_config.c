// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Features and config space, VIRTIO 1.2 sections 5.1.3 and 5.1.4.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "net.h"

/* VIRTIO 1.2, 5.1.3.1: a feature, and the one without which it must not be used. */
static const struct {
	unsigned int bit;
	unsigned int needs;
} needs[] = {
	{ VIRTIO_NET_F_GUEST_TSO4, VIRTIO_NET_F_GUEST_CSUM },
	{ VIRTIO_NET_F_GUEST_TSO6, VIRTIO_NET_F_GUEST_CSUM },
	{ VIRTIO_NET_F_HOST_TSO4, VIRTIO_NET_F_CSUM },
	{ VIRTIO_NET_F_HOST_TSO6, VIRTIO_NET_F_CSUM },
};

/*
 * Without UFO: Linux has given it up, and its taps only imitate it. Without MQ for a
 * single pair; the front-end has the control virtqueue that MQ needs.
 */
uint64_t net_features(const struct net *net)
{
	uint64_t features =
		RING_FEATURES | VIRTIO_BIT(VIRTIO_F_IN_ORDER) | VIRTIO_BIT(VIRTIO_NET_F_CSUM) |
		VIRTIO_BIT(VIRTIO_NET_F_GUEST_CSUM) | VIRTIO_BIT(VIRTIO_NET_F_MTU) |
		VIRTIO_BIT(VIRTIO_NET_F_GUEST_TSO4) | VIRTIO_BIT(VIRTIO_NET_F_GUEST_TSO6) |
		VIRTIO_BIT(VIRTIO_NET_F_GUEST_ECN) | VIRTIO_BIT(VIRTIO_NET_F_HOST_TSO4) |
		VIRTIO_BIT(VIRTIO_NET_F_HOST_TSO6) | VIRTIO_BIT(VIRTIO_NET_F_HOST_ECN) |
		VIRTIO_BIT(VIRTIO_NET_F_MRG_RXBUF) | VIRTIO_BIT(VIRTIO_NET_F_STATUS);

	if (net->has_mac)
		features |= VIRTIO_BIT(VIRTIO_NET_F_MAC);
	if (net->num_pairs > 1)
		features |= VIRTIO_BIT(VIRTIO_NET_F_MQ);
	return features;
}

static uint64_t usable(uint64_t features)
{
	for (size_t i = 0; i < sizeof(needs) / sizeof(needs[0]); i++)
		if (!(features & VIRTIO_BIT(needs[i].needs)))
			features &= ~VIRTIO_BIT(needs[i].bit);
	return features;
}

void net_set_features(void *dev, uint64_t features)
{
	const uint64_t has_num_buffers = VIRTIO_BIT(VIRTIO_F_VERSION_1) |
					 VIRTIO_BIT(VIRTIO_NET_F_MRG_RXBUF);
	struct net *net = dev;

	net->features = usable(features);
	net->mergeable = net_has(net, VIRTIO_NET_F_MRG_RXBUF);
	/* 5.1.6.1: legacy drivers have no num_buffers where it says nothing */
	net->hdr_len = features & has_num_buffers ? sizeof(struct virtio_net_hdr_v1) :
						    sizeof(struct virtio_net_hdr);
	if (net->is_tap)
		net_tap_use_features(net);
}

int net_get_config(void *dev, uint32_t offset, void *buf, uint32_t size)
{
	const struct net *net = dev;
	const struct virtio_net_config config = {
		.status = htole16(net->link_up ? VIRTIO_NET_S_LINK_UP : 0),
		.max_virtqueue_pairs = htole16(net->num_pairs),
		.mtu = htole16(net->mtu),
	};
	uint8_t bytes[sizeof(config)];

	if (offset > sizeof(bytes) || size > sizeof(bytes) - offset)
		return -EINVAL;
	memcpy(bytes, &config, sizeof(config));
	memcpy(bytes + offsetof(struct virtio_net_config, mac), net->mac, sizeof(net->mac));
	memcpy(buf, bytes + offset, size);
	return 0;
}
