/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The back-end library under test, in a thread of this process: the test is the
 * front-end, by raw bytes, and sees every fd that leaks.
 */
#ifndef VRINGLAB_SELFTESTS_T_SERVED_H
#define VRINGLAB_SELFTESTS_T_SERVED_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <vringlab/err.h>
#include <vringlab/loop.h>
#include <vringlab/vhost_user_backend.h>
#include <vringlab/vhost_user_msg.h>
#include <vringlab/virtio_device.h>

#define T_SERVED_QUEUES 2u
#define T_SERVED_FEATURES (1ull << 32)

/* Of a device with config space: what a driver can write comes first. */
#define T_SERVED_CONFIG_BYTES 16u
#define T_SERVED_CONFIG_WRITABLE 8u

/* Of a device with state. */
#define T_SERVED_STATE_BYTES 64u

/* Chains that a device keeps which is told to. */
#define T_SERVED_HELD_MAX 64u
#define T_SERVED_IOV 8u

/**
 * struct t_served_config - What is served, and how it is reached
 * @features:	Offered beside T_SERVED_FEATURES, and negotiated by
 *		t_served_negotiate().
 * @protocol:	Negotiated beside REPLY_ACK and MQ.
 * @whole:	The device has config space and state.
 * @make:	Makes another device, on the thread that serves it; 0 or a negative errno.
 * @destroy:	Its end, on the same thread.
 * @ctx:	For both.
 * @path:	Listen here for one connection; NULL: a pair of sockets.
 * @postcopy:	As in struct vu_backend_config.
 * @gpa_addresses: Likewise.
 */
struct t_served_config {
	uint64_t features;
	uint64_t protocol;
	bool whole;
	int (*make)(void *ctx, struct loop *loop, struct vdev **vdev);
	void (*destroy)(void *ctx, struct vdev *vdev);
	void *ctx;
	const char *path;
	bool postcopy;
	bool gpa_addresses;
};

/**
 * struct t_served - A back-end and the socket to it
 * @config:	What is served.
 * @device:	That of this file, if there is no other.
 * @vdev:	What is served: @device, or what @config.make made.
 * @fd:		The front-end's end; -1 with a path.
 * @peer_fd:	The back-end's end, until it is the back-end's.
 * @listener:	With a path.
 * @quit:	eventfd that ends the thread.
 * @thread:	Runs the loop.
 * @running:	There is a thread to be joined.
 * @error:	Why the thread ended, if not because it was told to.
 * @loop:	The thread's.
 * @be:		The thread's.
 * @ready:	How often a virtqueue became ready.
 * @info:	Of the last one.
 * @ready_error: What the device answers then.
 * @refused:	How many messages were answered with an error.
 * @errors:	How many rings were stopped for their contents.
 * @refusal:	What was said of the last one; valid after its answer.
 * @closed:	How the connection ended; valid after t_served_closed() or
 *		t_served_next().
 * @spare_fd:	The front-end's end of the next connection.
 * @spare_peer:	The back-end's end of it, which takes it when the first is over.
 * @hold:	The device gives no chain back, until t_served_release().
 * @release:	eventfd for that.
 * @held:	Chains that it has.
 * @nr_held:	How many.
 * @queues:	Its virtqueues.
 */
struct t_served {
	struct t_served_config config;
	struct vdev device;
	struct vdev *vdev;
	int fd;
	int peer_fd;
	int listener;
	int quit;
	pthread_t thread;
	bool running;
	int error;
	struct loop *loop;
	struct vu_backend *be;
	atomic_uint ready;
	struct vu_vring_info info;
	atomic_int ready_error;
	atomic_uint refused;
	atomic_uint errors;
	struct vl_err refusal;
	struct vl_err closed;
	int spare_fd;
	atomic_int spare_peer;
	atomic_bool hold;
	int release;
	struct t_served_held {
		struct vdev_queue *q;
		struct vring_chain chain;
		struct iovec iov[T_SERVED_IOV];
	} held[T_SERVED_HELD_MAX];
	atomic_uint nr_held;
	struct vdev_queue *queues[T_SERVED_QUEUES];
};

/**
 * t_served_start() - Start the thread and connect
 * @s:		Cleared.
 *
 * Return: 0, or a negative errno; %-EPERM or %-ENOSYS where io_uring is disabled.
 */
int t_served_start(struct t_served *s);

/** t_served_start_with() - As t_served_start(), with a choice. */
int t_served_start_with(struct t_served *s, const struct t_served_config *config);

/**
 * t_served_spare() - Have another connection taken when this one is over
 * @s:		Running.
 *
 * Return: 0, or a negative errno.
 */
int t_served_spare(struct t_served *s);

/**
 * t_served_next() - Wait until the back-end closes, and go on with the spare connection
 * @s:		Running, with a spare connection.
 *
 * Return: the code that the back-end's closed() had, or as t_served_negotiate().
 */
int t_served_next(struct t_served *s);

/** t_served_release() - Have the device give back what it holds. */
void t_served_release(struct t_served *s);

/* t_served_device.c: the device, and what happens when its eventfd is signalled. */
void t_served_device_init(struct t_served *s);
void t_served_device_release(void *ctx, int res);

/**
 * t_served_closed() - Wait until the back-end has closed the connection
 * @s:		Running.
 *
 * Return: the code that the back-end's closed() had, or %-ETIMEDOUT.
 */
int t_served_closed(struct t_served *s);

/** t_served_stop() - Stop, however far it came; fds are closed after it. */
void t_served_stop(struct t_served *s);

/**
 * t_served_negotiate() - SET_FEATURES with bit 30, and SET_PROTOCOL_FEATURES
 * @s:		Running.
 *
 * Return: 0, or a negative errno.
 */
int t_served_negotiate(struct t_served *s);

/**
 * t_served_ask() - A request with a reply of its own
 * @s:		Running.
 * @request:	Id.
 * @payload:	Of the request.
 * @size:	Of @payload.
 * @reply:	Set.
 *
 * Return: 0, %-EPROTO if the reply's header is not exactly the one that is due, or
 * as t_peer_reply().
 */
int t_served_ask(struct t_served *s, uint32_t request, const void *payload, uint32_t size,
		 union vu_payload *reply);

/**
 * t_served_tell() - A request with NEED_REPLY
 * @s:		Running, negotiated.
 * @request:	Id.
 * @payload:	Of the request.
 * @size:	Of @payload.
 * @fds:	Sent with it; stay the caller's.
 * @nr_fds:	Count.
 *
 * Return: 0, a positive number if it was refused, %-EPROTO if the acknowledgement's
 * header is not exactly the one that is due, or as t_peer_reply().
 */
int t_served_tell(struct t_served *s, uint32_t request, const void *payload, uint32_t size,
		  const int *fds, unsigned int nr_fds);

#endif /* VRINGLAB_SELFTESTS_T_SERVED_H */
