// SPDX-License-Identifier: LGPL-2.1-or-later
#include <endian.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "net_config.h"

_Static_assert(offsetof(struct virtio_net_config, mtu) + sizeof(__virtio16) == NET_CONFIG_SIZE,
	       "mtu is the last field");

int net_config_check(const struct backend_net_config *config, struct vl_err *err)
{
	if (!config->num_pairs || config->num_pairs > BACKEND_NET_PAIRS_MAX)
		return vl_err_set(err, -EINVAL, "a net device has 1 to %u pairs of queues, not %u",
				  BACKEND_NET_PAIRS_MAX, config->num_pairs);
	if (config->has_mac && config->mac[0] & 1)
		return vl_err_set(err, -EINVAL, "a multicast address cannot be a device's");
	return 0;
}

uint64_t net_config_features(const struct backend_net_config *config)
{
	uint64_t features = VIRTIO_BIT(VIRTIO_NET_F_STATUS);

	if (config->has_mac)
		features |= VIRTIO_BIT(VIRTIO_NET_F_MAC);
	if (config->mtu)
		features |= VIRTIO_BIT(VIRTIO_NET_F_MTU);
	return features;
}

void net_config_read(const struct backend_net_config *config, bool link_up, uint32_t offset,
		     void *buf, uint32_t size)
{
	struct virtio_net_config space = {
		.status = htole16(link_up ? VIRTIO_NET_S_LINK_UP : 0),
		.max_virtqueue_pairs = htole16(config->num_pairs),
		.mtu = htole16(config->mtu),
	};

	memcpy(space.mac, config->mac, sizeof(config->mac));
	memcpy(buf, (const uint8_t *)&space + offset, size);
}
