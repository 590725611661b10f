/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vhost-user back-end: the state machine of one connection, for any device.
 *
 * Everything runs on the event loop's thread: messages, kicks and the device's
 * handlers. A back-end without a connection is idle and can take the next one.
 */
#ifndef VRINGLAB_VHOST_USER_BACKEND_H
#define VRINGLAB_VHOST_USER_BACKEND_H

#include <stdbool.h>
#include <stdint.h>

#include <vringlab/vring.h>

struct loop;
struct vl_err;
struct vu_backend;

/* "A vring descriptor index" has 8 bits. */
#define VU_QUEUES_MAX 256u

/**
 * struct vu_vring_info - What an observer has to know of a virtqueue
 * @index:	Queue index.
 * @kick_fd:	Kick eventfd.
 * @call_fd:	Call eventfd.
 * @wake_user_data: user_data of the io_uring completion by which a kick is taken.
 */
struct vu_vring_info {
	unsigned int index;
	int kick_fd;
	int call_fd;
	uint64_t wake_user_data;
};

/**
 * struct vu_device - A device
 * @features:	Virtio feature bits that it offers, without
 *		VHOST_USER_F_PROTOCOL_FEATURES, which is the back-end's.
 * @num_queues:	1 to %VU_QUEUES_MAX.
 * @process:	Take what is available in a virtqueue, push what is done. Returns 0
 *		when the queue is empty, 1 to be called again after other events had
 *		their turn, or a negative errno (of vring_dev_pop()) if the contents of
 *		the ring cannot be trusted: then this ring stops and its error eventfd
 *		is signalled. The back-end signals the call.
 * @vring_ready: A virtqueue has kick, call and is enabled, for the first time or
 *		with other eventfds than before; the front-end has no reply yet, so the
 *		guest has not kicked. A failure is the message's. May be NULL.
 * @vring_error: A ring was stopped for its contents; may be NULL.
 * @refused:	A message was answered with an error; may be NULL.
 * @closed:	The connection is over and the back-end idle again: rings stopped,
 *		memory unmapped, fds closed. err->code is %-ECONNRESET where the
 *		front-end just left. The next connection may be attached inside.
 */
struct vu_device {
	uint64_t features;
	unsigned int num_queues;
	int (*process)(void *ctx, unsigned int index, struct vring_dev *vq);
	int (*vring_ready)(void *ctx, const struct vu_vring_info *info, struct vl_err *err);
	void (*vring_error)(void *ctx, unsigned int index, int code);
	void (*refused)(void *ctx, const struct vl_err *err);
	void (*closed)(void *ctx, const struct vl_err *err);
};

/**
 * vu_backend_create() - Make an idle back-end
 * @be:		Set on success only.
 * @loop:	Event loop.
 * @device:	Used until vu_backend_destroy().
 * @ctx:	For the handlers of @device.
 *
 * Return: 0, %-EINVAL for a number of queues out of range, %-ENOMEM.
 */
int vu_backend_create(struct vu_backend **be, struct loop *loop, const struct vu_device *device,
		      void *ctx);

/**
 * vu_backend_attach() - Serve a connection
 * @be:		Idle back-end.
 * @fd:		Connected unix stream socket without O_NONBLOCK. The back-end's on
 *		success.
 *
 * Return: 0, %-EBUSY if it serves one already, %-ENOMEM.
 */
int vu_backend_attach(struct vu_backend *be, int fd);

/**
 * vu_backend_destroy() - Stop everything and free
 * @be:		Back-end; NULL is allowed. closed() is not called.
 */
void vu_backend_destroy(struct vu_backend *be);

#endif /* VRINGLAB_VHOST_USER_BACKEND_H */
