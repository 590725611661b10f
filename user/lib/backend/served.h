/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A virtqueue that a device of virtio_device.h serves, on the loop: kick, process, call.
 *
 * The same as a vhost-user back-end does with its virtqueues (lib/vhost_user/ring_run.c),
 * without what only that has: other memory, a log, a driver that goes and comes back.
 */
#ifndef BACKEND_SERVED_H
#define BACKEND_SERVED_H

#include <vringlab/virtio_device.h>

#include "common.h"

/**
 * struct served - A virtqueue
 * @b:		Whose.
 * @index:	Of the back-end's; the device may have another.
 * @vdev:	Device.
 * @queue:	As the device sees it.
 * @dev:	Device side.
 * @kick:	Watch on the kick eventfd.
 * @call:	Signals the call eventfd.
 * @run:	Looks at the ring when the events that are there have been handled.
 * @settle:	Calls the driver for what was pushed meanwhile.
 * @started:	@dev is valid, and the device knows it.
 * @stopping:	The device was told to take no more.
 * @broken:	Nothing is taken from it any more.
 * @waiting:	The device goes on by itself.
 */
struct served {
	struct backend *b;
	unsigned int index;
	struct vdev *vdev;
	struct vdev_queue queue;
	struct vring_dev dev;
	struct loop_op *kick;
	struct loop_eventfd *call;
	struct loop_task run;
	struct loop_task settle;
	bool started;
	bool stopping;
	bool broken;
	bool waiting;
};

/* @index: as the device numbers it. Enabled. */
void served_init(struct served *s, struct backend *b, struct vdev *vdev, unsigned int index);

/* Serves it from its beginning. Nothing is started on failure. */
int served_start(struct served *s, uint64_t features, const struct virtio_queue *q,
		 struct vl_err *err);

/* If it is the back-end's virtqueue @index: by what it takes kicks. */
void served_get_server(const struct served *s, unsigned int index, struct virtio_server *server);

/* Has it looked at when the events that are there have been handled. */
void served_poke(struct served *s);

/*
 * Tells the device to give up what is in flight, and waits until it has. Allowed for
 * one that is not started, and inside of a handler.
 */
void served_stop(struct served *s);

#endif /* BACKEND_SERVED_H */
