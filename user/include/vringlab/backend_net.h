/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Net devices whose config space is kept in the VMM: those of vhost and vhost-user.
 */
#ifndef VRINGLAB_BACKEND_NET_H
#define VRINGLAB_BACKEND_NET_H

#include <stdbool.h>
#include <stdint.h>

/* A control virtqueue beside them, and its index has 8 bits with vhost-user. */
#define BACKEND_NET_PAIRS_MAX 64u

/**
 * struct backend_net_config - What the driver is told
 * @num_pairs:	Pairs of virtqueues, 1 to BACKEND_NET_PAIRS_MAX.
 * @has_mac:	@mac is told to the driver, which chooses one without.
 * @mac:	Its address.
 * @mtu:	Likewise; 0 for no word of it.
 */
struct backend_net_config {
	unsigned int num_pairs;
	bool has_mac;
	uint8_t mac[6];
	uint16_t mtu;
};

#endif /* VRINGLAB_BACKEND_NET_H */
