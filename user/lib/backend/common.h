/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the back-ends have in common.
 *
 *	host.c		the machine's memory
 *	common.c	names, features, failures
 *	served.c	a virtqueue that is served here, on the loop
 *	local.c		a device that is served here
 *	net_config.c	net: features and config space, of those that have none
 *	net_ctrl.c	net: control virtqueue
 *	vhost.c		vhost in the kernel
 *	vhost_net.c	of it, net
 *	vhost_vsock.c	of it, vsock
 *	vhost_user.c	vhost-user: making it, starting and stopping
 *	vhost_user_*.c	of it, what it offers, what it says, when it is lost
 */
#ifndef BACKEND_COMMON_H
#define BACKEND_COMMON_H

#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_ring.h>
#include <linux/vringlab.h>

#include <vringlab/backend_host.h>
#include <vringlab/err.h>
#include <vringlab/loop.h>
#include <vringlab/virtio_backend.h>
#include <vringlab/vring_layout.h>

#define VIRTIO_BIT(bit) (UINT64_C(1) << (bit))

/* Of a device's name. */
#define BACKEND_NAME_SIZE 16

/**
 * struct backend - A back-end of this library
 * @be:		What the transport sees. First.
 * @host:	Machine.
 * @name:	What @be.name is.
 * @failed:	The transport was told, and has not reset the device since.
 */
struct backend {
	struct virtio_backend be;
	const struct backend_host *host;
	char name[BACKEND_NAME_SIZE];
	bool failed;
};

static inline bool backend_has(uint64_t features, unsigned int bit)
{
	return features & VIRTIO_BIT(bit);
}

/*
 * Fills in what is the same for all; the caller has filled in the rest of @b->be.
 * @queue_size: 0 for the default.
 */
void backend_init(struct backend *b, const struct backend_host *host, const char *name,
		  uint16_t queue_size);

/* Tells the transport, once until the next start. The last thing that a handler does. */
void backend_fail(struct backend *b, const struct vl_err *err);

void backend_tell_config(struct backend *b);

/* The device goes on; @err says without what. */
void backend_warn(const struct backend *b, const struct vl_err *err);

/* "net0.tx1", for messages. Returns @buf. */
#define BACKEND_LABEL_SIZE (BACKEND_NAME_SIZE + 16)
char *backend_label(const struct virtio_backend *be, unsigned int index,
		    char buf[BACKEND_LABEL_SIZE]);

/* host.c: checks where the driver says that a virtqueue is. */
int backend_layout(const struct backend *b, const struct virtio_queue *q, bool packed,
		   struct vring_layout *layout, struct vl_err *err);

#endif /* BACKEND_COMMON_H */
