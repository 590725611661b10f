/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A vhost-user connection: whole messages over a unix stream socket, with fds.
 *
 * Knows framing, not meaning. The same for both ends: who checks a header before
 * its payload is read is the owner. Belongs to the thread of its loop.
 */
#ifndef VRINGLAB_VHOST_USER_CONN_H
#define VRINGLAB_VHOST_USER_CONN_H

#include <vringlab/vhost_user_msg.h>

struct loop;
struct vl_err;
struct vu_conn;

/**
 * struct vu_conn_ops - The owner's side
 * @check_header: Is a message with this header to be read on? Bounds the size: at
 *		most sizeof(union vu_payload) can be. Fills @err if not.
 * @message:	A message is complete. What is left in its fds is closed after the
 *		call. May destroy the connection. The next message is not read before
 *		vu_conn_next().
 * @sent:	The message of vu_conn_send() is out; may be NULL.
 * @closed:	The connection is over: the peer is gone, sent what cannot be a
 *		message, or an error occurred. Called once, not after
 *		vu_conn_destroy(), which is still due and may be called inside.
 *		err->code is %-ECONNRESET where the peer closed it between two
 *		messages, and %-ECONNABORTED where it did so inside of one.
 */
struct vu_conn_ops {
	int (*check_header)(void *ctx, const struct vu_header *hdr, unsigned int nr_fds,
			    struct vl_err *err);
	void (*message)(void *ctx, struct vu_msg *msg);
	void (*sent)(void *ctx);
	void (*closed)(void *ctx, const struct vl_err *err);
};

/**
 * vu_conn_create() - Take a connected socket over
 * @conn:	Set on success only.
 * @loop:	Event loop.
 * @fd:		Connected unix stream socket without O_NONBLOCK. The connection's on
 *		success.
 * @ops:	The owner's side.
 * @ctx:	For @ops.
 *
 * Nothing is read before vu_conn_next().
 *
 * Return: 0 or %-ENOMEM.
 */
int vu_conn_create(struct vu_conn **conn, struct loop *loop, int fd, const struct vu_conn_ops *ops,
		   void *ctx);

/**
 * vu_conn_next() - Read one message
 * @conn:	Connection that is reading none. If a message is still being sent the
 *		reading starts after it, so that a peer that sends and never reads
 *		comes to a halt.
 */
void vu_conn_next(struct vu_conn *conn);

/**
 * vu_conn_send() - Send one message
 * @conn:	Connection that is sending none.
 * @hdr:	Header; @hdr->size bytes of @payload are sent.
 * @payload:	Copied.
 * @fds:	Sent with the first byte; stay the caller's, and open until the message
 *		is out, which a reply to it tells.
 * @nr_fds:	Count, up to %VU_FDS_MAX.
 *
 * Return: 0, %-EBUSY while another is being sent, %-ENOTCONN after the connection
 * is over, or as loop_send().
 */
int vu_conn_send(struct vu_conn *conn, const struct vu_header *hdr, const union vu_payload *payload,
		 const int *fds, unsigned int nr_fds);

/**
 * vu_conn_fd() - The connection's socket
 * @conn:	Connection.
 *
 * Return: the socket; stays the connection's, for poll(2) only.
 */
int vu_conn_fd(const struct vu_conn *conn);

/**
 * vu_conn_destroy() - Close the connection
 * @conn:	Connection; NULL is allowed.
 */
void vu_conn_destroy(struct vu_conn *conn);

#endif /* VRINGLAB_VHOST_USER_CONN_H */
