/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A vhost-user back-end behind a virtio transport of ours: any device, and of net the
 * control virtqueue and the config space here.
 *
 * A back-end that is lost is gone on with when there is another one at the same path:
 * it gets the same features, the memory, the virtqueues, and the record of what was in
 * flight. Without a record a split virtqueue of net or vsock is gone on with behind
 * what was used last; another one is lost, and the device needs a reset.
 *
 * Requests are synchronous, on the loop's thread: while a back-end does not answer
 * nothing else on the loop goes on, until @timeout_ms is over, once; the connection is
 * given up then, and the device needs a reset. A back-end that is not there is waited
 * for by a timer.
 *
 * After a reset of the device a back-end does not touch the guest's memory any more,
 * if it does as it says: one that does not answer cannot be stopped by us.
 */
#ifndef VRINGLAB_BACKEND_VHOST_USER_H
#define VRINGLAB_BACKEND_VHOST_USER_H

#include <stdbool.h>
#include <stdint.h>

#include <vringlab/backend_host.h>
#include <vringlab/backend_net.h>

struct virtio_backend;
struct vl_err;

#define BACKEND_VHOST_USER_TIMEOUT_MS 3000u
#define BACKEND_VHOST_USER_GONE_MS 30000u

/**
 * struct backend_vhost_user_config - Which back-end
 * @name:	Of the device, up to 15 characters.
 * @device_id:	VIRTIO_ID_*.
 * @packed:	Offer packed virtqueues, where the back-end does.
 * @queue_size:	Largest queue size, a power of two; 0 for BACKEND_QUEUE_SIZE_DEFAULT.
 * @socket:	Path of the back-end's socket.
 * @num_queues:	Virtqueues that the back-end serves; 0 for one, of vsock and console
 *		for what the device has. Not of net.
 * @config_size: Bytes of config space, of a device that is not known here.
 * @net:	Of a net device.
 * @timeout_ms:	For each reply; 0 for BACKEND_VHOST_USER_TIMEOUT_MS.
 * @gone_ms:	For so long a back-end may be gone; 0 for BACKEND_VHOST_USER_GONE_MS.
 */
struct backend_vhost_user_config {
	const char *name;
	uint16_t device_id;
	bool packed;
	uint16_t queue_size;
	const char *socket;
	unsigned int num_queues;
	uint32_t config_size;
	struct backend_net_config net;
	unsigned int timeout_ms;
	unsigned int gone_ms;
};

/**
 * backend_vhost_user_create() - Connect to a back-end, and ask what it offers
 * @be:		Set on success only.
 * @host:	Machine.
 * @config:	Copied.
 * @err:	What went wrong, may be NULL.
 *
 * Return: 0, %-EINVAL for a configuration that cannot be, %-ENOMEM, or as
 * vu_frontend_connect() and vu_frontend_open().
 */
int backend_vhost_user_create(struct virtio_backend **be, const struct backend_host *host,
			      const struct backend_vhost_user_config *config, struct vl_err *err);

/** backend_vhost_user_lost() - How many back-ends were lost so far. */
uint64_t backend_vhost_user_lost(const struct virtio_backend *be);

#endif /* VRINGLAB_BACKEND_VHOST_USER_H */
