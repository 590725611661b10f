/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Features and config space of a net device (VIRTIO 1.2, 5.1.3 and 5.1.4) whose
 * back-end has only virtqueues.
 */
#ifndef BACKEND_NET_CONFIG_H
#define BACKEND_NET_CONFIG_H

#include <linux/virtio_net.h>

#include <vringlab/backend_net.h>

#include "common.h"

/* As far as there is something to say: up to the MTU. */
#define NET_CONFIG_SIZE 12u

/* What packets may look like that the driver sends, and those that it receives. */
#define NET_OFFLOADS_OUT                                                          \
	(VIRTIO_BIT(VIRTIO_NET_F_CSUM) | VIRTIO_BIT(VIRTIO_NET_F_HOST_TSO4) |     \
	 VIRTIO_BIT(VIRTIO_NET_F_HOST_TSO6) | VIRTIO_BIT(VIRTIO_NET_F_HOST_ECN) | \
	 VIRTIO_BIT(VIRTIO_NET_F_HOST_UFO))
#define NET_OFFLOADS_IN                                                              \
	(VIRTIO_BIT(VIRTIO_NET_F_GUEST_CSUM) | VIRTIO_BIT(VIRTIO_NET_F_GUEST_TSO4) | \
	 VIRTIO_BIT(VIRTIO_NET_F_GUEST_TSO6) | VIRTIO_BIT(VIRTIO_NET_F_GUEST_ECN) |  \
	 VIRTIO_BIT(VIRTIO_NET_F_GUEST_UFO))

int net_config_check(const struct backend_net_config *config, struct vl_err *err);

/* What is offered beside offloads and what the rings have. */
uint64_t net_config_features(const struct backend_net_config *config);

void net_config_read(const struct backend_net_config *config, bool link_up, uint32_t offset,
		     void *buf, uint32_t size);

#endif /* BACKEND_NET_CONFIG_H */
