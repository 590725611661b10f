/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vhost-user back-end: the state machine of one connection, for any virtio device.
 *
 * Everything runs on the event loop's thread: messages, kicks, the device and the
 * observer. A back-end without a connection is idle and can take the next one.
 * The process has to ignore SIGPIPE: device state is written to a pipe whose other end
 * the front-end may close.
 */
#ifndef VRINGLAB_VHOST_USER_BACKEND_H
#define VRINGLAB_VHOST_USER_BACKEND_H

#include <stdbool.h>
#include <stdint.h>

#include <vringlab/virtio_device.h>

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
 * struct vu_backend_ops - The observer
 * @vring_ready: A virtqueue has kick, call and is enabled, for the first time or
 *		with other eventfds than before; the front-end has no reply yet, so the
 *		guest has not kicked. A failure is the message's. May be NULL.
 * @vring_error: A ring was stopped for its contents; may be NULL.
 * @refused:	A message was answered with an error, or one to the front-end failed;
 *		may be NULL.
 * @closed:	The connection is over and the back-end idle again: rings stopped,
 *		nothing in flight, memory unmapped, fds closed. err->code is
 *		%-ECONNRESET where the front-end just left. The next connection may be
 *		attached inside.
 */
struct vu_backend_ops {
	int (*vring_ready)(void *ctx, const struct vu_vring_info *info, struct vl_err *err);
	void (*vring_error)(void *ctx, unsigned int index, int code);
	void (*refused)(void *ctx, const struct vl_err *err);
	void (*closed)(void *ctx, const struct vl_err *err);
};

/**
 * struct vu_backend_config - What a back-end is to be
 * @ops:	Observer; used until vu_backend_destroy().
 * @ctx:	For @ops.
 * @postcopy:	Offer VHOST_USER_PROTOCOL_F_PAGEFAULT where userfaultfd(2) works. A
 *		front-end can then keep the thread in a page fault for as long as it
 *		likes: not for a loop that serves others too.
 * @gpa_addresses: Offer VHOST_USER_PROTOCOL_F_GPA_ADDRESSES. Version 0.16 of
 *		rust-vmm's vhost takes this bit for another one.
 */
struct vu_backend_config {
	const struct vu_backend_ops *ops;
	void *ctx;
	bool postcopy;
	bool gpa_addresses;
};

/**
 * vu_backend_create() - Make an idle back-end
 * @be:		Set on success only.
 * @loop:	Event loop.
 * @vdev:	Device; the back-end's until vu_backend_destroy(). A device that offers
 *		VIRTIO_F_ACCESS_PLATFORM is served behind an IOTLB if the driver wants.
 * @config:	Copied.
 *
 * Return: 0, %-EINVAL for a number of queues out of range, %-ENOMEM.
 */
int vu_backend_create(struct vu_backend **be, struct loop *loop, struct vdev *vdev,
		      const struct vu_backend_config *config);

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
 * vu_backend_shutdown() - End the connection
 * @be:		Back-end.
 *
 * closed() follows with %-ESHUTDOWN, perhaps inside, and later if the device has
 * requests in flight: the loop has to run until then.
 *
 * Return: whether there was a connection.
 */
bool vu_backend_shutdown(struct vu_backend *be);

/**
 * vu_backend_destroy() - Stop everything and free
 * @be:		Back-end; NULL is allowed. closed() is not called.
 *
 * If the device has requests in flight this runs the loop, for up to 10 seconds,
 * so not inside of a handler. What is not over then keeps its memory mapped for
 * the life of the process.
 */
void vu_backend_destroy(struct vu_backend *be);

/**
 * struct vu_vring_stats - What a virtqueue did since the connection began
 * @num:	Queue size, 0 if not set.
 * @packed:	Format.
 * @started:	Now.
 * @enabled:	Now.
 * @broken:	Stopped for its contents.
 * @in_flight:	Requests that the device has now.
 * @kicks:	Wake-ups by the kick eventfd, or kicks as messages.
 * @runs:	How often the device looked at it.
 * @calls:	Calls of the driver.
 * @misses:	Translations asked for.
 * @errors:	Times it was stopped for its contents.
 */
struct vu_vring_stats {
	unsigned int num;
	bool packed;
	bool started;
	bool enabled;
	bool broken;
	unsigned int in_flight;
	uint64_t kicks;
	uint64_t runs;
	uint64_t calls;
	uint64_t misses;
	uint64_t errors;
};

/**
 * vu_backend_vring_stats() - Statistics of a virtqueue
 * @be:		Back-end.
 * @index:	Queue index, less than the device's number.
 * @stats:	Filled in. After a connection it tells of that one until the next.
 */
void vu_backend_vring_stats(const struct vu_backend *be, unsigned int index,
			    struct vu_vring_stats *stats);

#endif /* VRINGLAB_VHOST_USER_BACKEND_H */
