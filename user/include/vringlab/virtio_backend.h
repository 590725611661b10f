/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What serves the virtqueues of a device of ours, and the transport that shows the
 * device to the guest: what one may ask of the other.
 *
 * Declarations only. A back-end is vhost in the kernel, a vhost-user process, or a
 * struct vdev (virtio_device.h) on the VMM's own loop. It knows features, config
 * space and virtqueues; the transport (PCI, MMIO) knows registers and interrupts.
 * All calls, in both directions, are on one thread, that of the event loop.
 */
#ifndef VRINGLAB_VIRTIO_BACKEND_H
#define VRINGLAB_VIRTIO_BACKEND_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct virtio_backend;
struct vl_err;

/**
 * struct virtio_queue - A virtqueue as the driver has set it up
 * @index:	Queue index.
 * @enabled:	The driver has set it up; the others hold nothing else of worth.
 * @size:	Queue size.
 * @desc_gpa:	Descriptor area.
 * @driver_gpa:	Driver area.
 * @device_gpa:	Device area.
 * @kick_fd:	eventfd, O_NONBLOCK: the guest's doorbell.
 * @call_fd:	eventfd, O_NONBLOCK: the guest's interrupt.
 *
 * The addresses are the guest's, and nothing about them has been checked. The fds stay
 * the transport's, and open as long as the device.
 */
struct virtio_queue {
	unsigned int index;
	bool enabled;
	uint16_t size;
	uint64_t desc_gpa;
	uint64_t driver_gpa;
	uint64_t device_gpa;
	int kick_fd;
	int call_fd;
};

/**
 * struct virtio_server - What takes the kicks of a virtqueue
 * @backend:	enum vringlab_backend; VRINGLAB_BACKEND_UNKNOWN for this process.
 * @pid:	Its thread group; 0 for this process, or if it is not known.
 * @user_data:	Of the io_uring completions that take kicks, with @has_user_data.
 * @has_user_data: Whether it is known.
 */
struct virtio_server {
	uint32_t backend;
	pid_t pid;
	uint64_t user_data;
	bool has_user_data;
};

/**
 * struct virtio_backend_ops - What a back-end can do
 * @start:	DRIVER_OK: serve the enabled ones of @queues with these @features, from
 *		their beginning. Returns 0, or a negative errno: nothing is served then,
 *		and the device needs a reset.
 * @stop:	The driver has reset the device, or it has failed: when it returns,
 *		guest memory is touched no more, and no kick_fd is read. Also of a
 *		back-end that was not started, or has failed by itself.
 * @get_server:	Tell what serves the virtqueue @index, which is started. @server is
 *		zeroed. NULL: nobody knows.
 * @get_config:	Read config space; inside of @config_size.
 * @set_config:	Write config space; inside of @config_size. NULL: read-only.
 * @destroy:	Free it; it is stopped.
 */
struct virtio_backend_ops {
	int (*start)(struct virtio_backend *be, uint64_t features,
		     const struct virtio_queue *queues, unsigned int nr, struct vl_err *err);
	void (*stop)(struct virtio_backend *be);
	void (*get_server)(const struct virtio_backend *be, unsigned int index,
			   struct virtio_server *server);
	void (*get_config)(struct virtio_backend *be, uint32_t offset, void *buf, uint32_t size);
	void (*set_config)(struct virtio_backend *be, uint32_t offset, const void *buf,
			   uint32_t size);
	void (*destroy)(struct virtio_backend *be);
};

/**
 * struct virtio_backend - A back-end, as it is handed to a transport
 * @ops:	What it can do.
 * @name:	Of the device, for messages and for the module's labels: "net0".
 * @device_id:	VIRTIO_ID_*.
 * @features:	Virtio feature bits that it offers, VERSION_1 among them.
 * @num_queues:	At least 1.
 * @queue_size_max: Largest queue size, a power of two.
 * @config_size: Bytes of config space, 0 for none.
 * @queue_name:	Name of a queue: "tx1". Returns @buf.
 * @config_changed: The transport's, NULL before: config space is not what it was.
 * @failed:	The transport's, NULL before: it can serve no more, the device needs a
 *		reset. @err says why; told once to whoever runs the machine.
 * @transport:	The transport's.
 */
struct virtio_backend {
	const struct virtio_backend_ops *ops;
	const char *name;
	uint16_t device_id;
	uint64_t features;
	unsigned int num_queues;
	uint16_t queue_size_max;
	uint32_t config_size;
	char *(*queue_name)(const struct virtio_backend *be, unsigned int index, char buf[16]);
	void (*config_changed)(struct virtio_backend *be);
	void (*failed)(struct virtio_backend *be, const struct vl_err *err);
	void *transport;
};

#endif /* VRINGLAB_VIRTIO_BACKEND_H */
