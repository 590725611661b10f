/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vhost-net as a driver uses it, on frames of t_tap.h.
 */
#ifndef VRINGLAB_SELFTESTS_T_VNET_H
#define VRINGLAB_SELFTESTS_T_VNET_H

#include <linux/virtio_config.h>
#include <linux/virtio_net.h>

#include "t_tap.h"
#include "t_vhost.h"

#define T_VNET_RX 0u
#define T_VNET_TX 1u
#define T_VNET_QUEUES 2u
#define T_VNET_HDR sizeof(struct virtio_net_hdr_v1)

/**
 * t_vnet_open() - Open /dev/vhost-net, with both virtqueues and no back-end
 * @v:		To be closed also after a failure.
 * @features:	Besides VERSION_1.
 *
 * Return: 0 or a negative errno.
 */
int t_vnet_open(struct t_vhost *v, uint64_t features);

/** t_vnet_backend() - Give both virtqueues a back-end, or with -1 none. Likewise. */
int t_vnet_backend(const struct t_vhost *v, int fd);

/** t_vnet_stage() - Make a frame available for transmission, without a kick. Likewise. */
int t_vnet_stage(struct t_vhost *v, uint32_t len, uint32_t number);

/** t_vnet_transmit() - The same, with a kick. Likewise. */
int t_vnet_transmit(struct t_vhost *v, uint32_t len, uint32_t number);

/** t_vnet_give() - Make @nr buffers available for receiving, and kick. Likewise. */
int t_vnet_give(struct t_vhost *v, unsigned int nr);

/**
 * t_vnet_expect() - Wait for the next received frame
 * @v:		Device; not with mergeable buffers.
 * @len:	Bytes that it must have.
 * @number:	Of the frame that it must be.
 *
 * Return: 0, %-EBADMSG for another frame, %-ETIMEDOUT, or another negative errno.
 */
int t_vnet_expect(struct t_vhost *v, uint32_t len, uint32_t number);

#endif /* VRINGLAB_SELFTESTS_T_VNET_H */
