/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A virtio device, and the transport that serves it: what one may ask of the other.
 *
 * Declarations only. The device knows virtqueues and its own requests, the transport
 * knows who the driver is and how the virtqueues come and go. All calls, in both
 * directions, are on one thread, that of the event loop.
 */
#ifndef VRINGLAB_VIRTIO_DEVICE_H
#define VRINGLAB_VIRTIO_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <vringlab/vring_dev.h>

struct vl_err;

/* What &vdev_ops.process returns, beside a negative errno. */
enum vdev_more {
	/* Took all there is, or waits for something of its own. */
	VDEV_IDLE = 0,
	/* There is more to take: call again when others had their turn. */
	VDEV_MORE = 1,
	/*
	 * Waits for something of its own and wants no kicks: calls
	 * &vdev_queue.run when it goes on.
	 */
	VDEV_WAITING = 2,
};

/**
 * struct vdev_queue - One virtqueue of a device
 * @index:	Queue index.
 * @enabled:	May have side effects ("Ring states" of vhost-user).
 * @vq:		Device side; valid between start() and the end of stop().
 * @priv:	The device's. The transport never touches it.
 * @done:	The transport's: chains were pushed or dropped outside of process().
 *		The driver is called if it wants to be, and what waits for the requests
 *		in flight goes on, both when the loop has handled the events that are
 *		there: one call for many. May be called anywhere, and twice.
 * @run:	The transport's: have process() called soon, as done(). Does nothing for
 *		a virtqueue that is stopped.
 * @transport:	The transport's.
 */
struct vdev_queue {
	unsigned int index;
	bool enabled;
	struct vring_dev *vq;
	void *priv;
	void (*done)(struct vdev_queue *q);
	void (*run)(struct vdev_queue *q);
	void *transport;
};

/**
 * struct vdev_ops - What a device can do
 * @process:	Take what is available, push what is done. Returns a value of
 *		enum vdev_more or a negative errno: that of vring_dev_pop() handed on
 *		(%-EAGAIN is %VDEV_IDLE; %-EINPROGRESS makes the transport get the
 *		translation and call again), any other stops this virtqueue, for its
 *		contents cannot be trusted. The transport calls the driver afterwards.
 *		It keeps kicks off while it runs.
 * @discard:	In place of process() while the virtqueue is started and disabled:
 *		take and give back without side effects. NULL: it is left alone.
 * @start:	A virtqueue was started: @vq is valid. A failure stops it again. May be
 *		NULL.
 * @stop:	Take no more from it, and end what is in flight: push what completes,
 *		and with @cancel (the driver is gone) cancel and drop what can be. Then
 *		done(), unless it ended inside. Memory stays mapped until nothing is in
 *		flight. Can come again, with @cancel. May be NULL for a device that
 *		leaves nothing in flight when process() returns.
 * @resume:	After stop(), with the same @vq: go on. stop() was only to change the
 *		memory table. May be NULL.
 * @set_features: The driver's choice, before the first start(), and after a reset().
 *		Only another choice comes again. May be NULL.
 * @get_config:	Read config space; inside &vdev.config_size. NULL without any.
 * @set_config:	Write config space; inside &vdev.config_size. @migration: also what the
 *		driver cannot write. Returns 0 or a negative errno; nothing is written
 *		on failure. NULL: read-only.
 * @reset:	The session is over, or RESET_DEVICE: forget what was negotiated. All
 *		virtqueues are stopped. May be NULL.
 * @save:	Write the device's state, virtqueues excluded, to @buf. Returns its bytes,
 *		or %-ENOSPC for more than @size. All virtqueues are stopped. NULL: it
 *		has none.
 * @load:	Take state that save() made, of another process perhaps: not to be
 *		trusted. Returns 0 or a negative errno, and has changed nothing then.
 * @set_mtu:	Net: the MTU that the host uses. NULL for other devices.
 * @send_rarp:	Net: announce a MAC after migration. NULL for other devices.
 */
struct vdev_ops {
	int (*process)(void *dev, struct vdev_queue *q);
	int (*discard)(void *dev, struct vdev_queue *q);
	int (*start)(void *dev, struct vdev_queue *q, struct vl_err *err);
	void (*stop)(void *dev, struct vdev_queue *q, bool cancel);
	void (*resume)(void *dev, struct vdev_queue *q);
	void (*set_features)(void *dev, uint64_t features);
	int (*get_config)(void *dev, uint32_t offset, void *buf, uint32_t size);
	int (*set_config)(void *dev, uint32_t offset, const void *buf, uint32_t size,
			  bool migration);
	void (*reset)(void *dev);
	ssize_t (*save)(void *dev, void *buf, size_t size);
	int (*load)(void *dev, const void *buf, size_t size);
	int (*set_mtu)(void *dev, uint16_t mtu);
	int (*send_rarp)(void *dev, const uint8_t mac[6]);
};

/* Most bytes of a device's state: what a transport keeps for it. */
#define VDEV_STATE_MAX (1u << 20)

/**
 * struct vdev - A device, as it is handed to a transport
 * @ops:	What it can do.
 * @dev:	First argument of @ops.
 * @features:	Virtio feature bits that it offers, the device's and the ring's.
 * @num_queues:	At least 1.
 * @queue_size_max: Largest queue size, 0 for VRING_NUM_MAX.
 * @config_size: Bytes of config space, 0 for none.
 * @config_changed: Set by the transport, NULL before: the device's config space is
 *		not what it was.
 * @warn:	Set by who owns the device, NULL before: told once what it goes on
 *		without.
 * @transport:	The transport's.
 */
struct vdev {
	const struct vdev_ops *ops;
	void *dev;
	uint64_t features;
	unsigned int num_queues;
	unsigned int queue_size_max;
	uint32_t config_size;
	void (*config_changed)(struct vdev *vdev);
	void (*warn)(struct vdev *vdev, const struct vl_err *err);
	void *transport;
};

#endif /* VRINGLAB_VIRTIO_DEVICE_H */
