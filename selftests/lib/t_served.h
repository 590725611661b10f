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

#define T_SERVED_QUEUES 2u
#define T_SERVED_FEATURES (1ull << 32)

/**
 * struct t_served_config - Which device, and how it is reached
 * @make:	Makes it, on the thread that serves it; 0 or a negative errno.
 * @destroy:	Its end, on the same thread.
 * @ctx:	For both.
 * @path:	Listen here for one connection; NULL: a pair of sockets.
 * @postcopy:	Offer VHOST_USER_PROTOCOL_F_PAGEFAULT.
 * @gpa_addresses: Offer VHOST_USER_PROTOCOL_F_GPA_ADDRESSES.
 */
struct t_served_config {
	int (*make)(void *ctx, struct loop *loop, struct vdev **vdev);
	void (*destroy)(void *ctx, struct vdev *vdev);
	void *ctx;
	const char *path;
	bool postcopy;
	bool gpa_addresses;
};

/**
 * struct t_served - A back-end and the socket to it
 * @config:	Which.
 * @vdev:	The thread's.
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
 * @closed:	How the connection ended; valid after t_served_end().
 */
struct t_served {
	struct t_served_config config;
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
	struct vl_err closed;
};

/**
 * t_served_start() - Start the thread and connect
 * @s:		Cleared.
 *
 * Return: 0, or a negative errno; %-EPERM or %-ENOSYS where io_uring is disabled.
 */
int t_served_start(struct t_served *s);

/** t_served_start_with() - The same with a device of the test's. */
int t_served_start_with(struct t_served *s, const struct t_served_config *config);

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
 * t_served_negotiate() - SET_FEATURES with bit 30, and REPLY_ACK and MQ
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
