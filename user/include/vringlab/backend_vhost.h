/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vhost in the kernel behind a virtio transport of ours: net over a tap, and vsock.
 *
 * Virtqueues are the kernel's; config space and net's control virtqueue are served
 * here. The fds are opened when a back-end is made, and nothing is opened afterwards.
 */
#ifndef VRINGLAB_BACKEND_VHOST_H
#define VRINGLAB_BACKEND_VHOST_H

#include <stdint.h>

#include <vringlab/backend_host.h>
#include <vringlab/backend_net.h>
#include <vringlab/link.h>

struct virtio_backend;
struct vl_err;

#define BACKEND_VHOST_NET_PATH "/dev/vhost-net"
#define BACKEND_VHOST_VSOCK_PATH "/dev/vhost-vsock"

/* CIDs below are reserved: include/uapi/linux/vm_sockets.h. */
#define BACKEND_VHOST_CID_MIN 3u
#define BACKEND_VHOST_CID_MAX 0xfffffffeu

/**
 * struct backend_vhost_net_config - Which net device
 * @name:	Of the device, up to 15 characters.
 * @queue_size:	Largest queue size, a power of two; 0 for BACKEND_QUEUE_SIZE_DEFAULT.
 * @tap:	Name of the interface, made if it is not there.
 * @setup:	What becomes of it, until the back-end is destroyed.
 * @net:	What the driver is told; of an MTU of 0 the tap's.
 */
struct backend_vhost_net_config {
	const char *name;
	uint16_t queue_size;
	const char *tap;
	struct tap_setup setup;
	struct backend_net_config net;
};

/**
 * backend_vhost_net_create() - Open a tap, and a vhost-net for each pair of virtqueues
 * @be:		Set on success only.
 * @host:	Machine.
 * @config:	Copied.
 * @err:	What went wrong, may be NULL.
 *
 * When the tap is removed the driver sees its link go down.
 *
 * Return: 0, %-EINVAL for a configuration that cannot be, %-ENOMEM, or from open(2) of
 * /dev/vhost-net, its ioctls, tap_open() and rtnetlink.
 */
int backend_vhost_net_create(struct virtio_backend **be, const struct backend_host *host,
			     const struct backend_vhost_net_config *config, struct vl_err *err);

/**
 * struct backend_vhost_vsock_config - Which vsock device
 * @name:	Of the device, up to 15 characters.
 * @queue_size:	Largest queue size, a power of two; 0 for BACKEND_QUEUE_SIZE_DEFAULT.
 * @cid:	The guest's, BACKEND_VHOST_CID_MIN to BACKEND_VHOST_CID_MAX.
 */
struct backend_vhost_vsock_config {
	const char *name;
	uint16_t queue_size;
	uint32_t cid;
};

/**
 * backend_vhost_vsock_create() - Open a vhost-vsock, and take the CID
 * @be:		Set on success only.
 * @host:	Machine.
 * @config:	Copied.
 * @err:	What went wrong, may be NULL.
 *
 * Return: 0, %-EINVAL for a CID that cannot be, %-EADDRINUSE for one that another guest
 * has, %-ENOMEM, or from open(2) of /dev/vhost-vsock and its ioctls.
 */
int backend_vhost_vsock_create(struct virtio_backend **be, const struct backend_host *host,
			       const struct backend_vhost_vsock_config *config, struct vl_err *err);

#endif /* VRINGLAB_BACKEND_VHOST_H */
