// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A message is read in two parts, header and payload, each in as many pieces as
 * the stream brings:
 *
 *	idle --next--> header --12 bytes, checked--> payload --hdr.size--> idle
 *
 * No read goes beyond the end of a message, so the fds of the next one cannot
 * arrive early. They belong to the header's first byte ("Ancillary data").
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <vringlab/err.h>
#include <vringlab/fd.h>
#include <vringlab/loop.h>
#include <vringlab/vhost_user_conn.h>

_Static_assert(VU_FDS_MAX == LOOP_FDS_MAX, "a message's fds fit one recvmsg");

struct vu_conn {
	struct loop *loop;
	int fd;
	const struct vu_conn_ops *ops;
	void *ctx;

	struct loop_op *recv_op;
	struct loop_op *send_op;
	struct vu_msg msg;
	/* bytes of header and payload that are here */
	size_t got;
	/* a message is wanted, or under way */
	bool reading;
	bool over;
};

static void receive(struct vu_conn *conn);

static void fail_conn(struct vu_conn *conn, const struct vl_err *err)
{
	if (conn->over)
		return;
	conn->over = true;
	loop_op_remove(&conn->recv_op);
	loop_op_remove(&conn->send_op);
	vu_msg_close_fds(&conn->msg);
	conn->msg.nr_fds = 0;
	conn->ops->closed(conn->ctx, err);
}

static void fail_errno(struct vu_conn *conn, const char *what, int code)
{
	struct vl_err err;

	vl_err_set(&err, code, "%s: %s", what, vl_strerror(code));
	fail_conn(conn, &err);
}

static void fail_eof(struct vu_conn *conn)
{
	struct vl_err err;

	if (!conn->got)
		vl_err_set(&err, -ECONNRESET, "the peer closed the connection");
	else if (conn->got < sizeof(conn->msg.hdr))
		vl_err_set(&err, -ECONNABORTED, "the peer closed the connection inside a header");
	else
		vl_err_set(&err, -ECONNABORTED, "the peer closed the connection inside %s",
			   vu_msg_name(conn->msg.hdr.request));
	fail_conn(conn, &err);
}

/* Puts the fds where they are owned. After a failure the connection closes them. */
static int take_fds(struct vu_conn *conn, const struct loop_received *in, struct vl_err *err)
{
	struct vu_msg *msg = &conn->msg;
	bool early = !conn->got;

	for (unsigned int i = 0; i < in->nr_fds; i++) {
		int fd = in->fds[i];

		if (early)
			msg->fds[msg->nr_fds++] = fd;
		else
			close(fd);
	}
	if (in->fds_lost)
		return vl_err_set(err, -E2BIG, "a message came with more than %u fds", VU_FDS_MAX);
	if (in->nr_fds && !early)
		return vl_err_set(err, -EPROTO, "fds came after the first byte of a header");
	return 0;
}

static size_t message_size(const struct vu_conn *conn)
{
	if (conn->got < sizeof(conn->msg.hdr))
		return sizeof(conn->msg.hdr);
	return sizeof(conn->msg.hdr) + conn->msg.hdr.size;
}

static void deliver(struct vu_conn *conn)
{
	/* the handler may destroy the connection, and the message is on our stack */
	struct vu_msg msg = conn->msg;

	conn->reading = false;
	conn->got = 0;
	conn->msg.nr_fds = 0;
	conn->ops->message(conn->ctx, &msg);
	vu_msg_close_fds(&msg);
}

static int check_header(struct vu_conn *conn, struct vl_err *err)
{
	const struct vu_header *hdr = &conn->msg.hdr;
	int ret = conn->ops->check_header(conn->ctx, hdr, conn->msg.nr_fds, err);

	if (ret)
		return ret;
	if (hdr->size > sizeof(conn->msg.payload))
		return vl_err_set(err, -EMSGSIZE, "%s has %u bytes of payload",
				  vu_msg_name(hdr->request), hdr->size);
	return 0;
}

static void on_received(void *ctx, int res, const struct loop_received *in)
{
	struct vu_conn *conn = ctx;
	struct vl_err err;
	int ret;

	if (res < 0) {
		fail_errno(conn, "cannot receive", res);
		return;
	}
	ret = take_fds(conn, in, &err);
	if (ret) {
		fail_conn(conn, &err);
		return;
	}
	if (!res) {
		fail_eof(conn);
		return;
	}
	if (conn->got < sizeof(conn->msg.hdr))
		memcpy((uint8_t *)&conn->msg.hdr + conn->got, in->data, res);
	else
		memcpy((uint8_t *)&conn->msg.payload + conn->got - sizeof(conn->msg.hdr), in->data,
		       res);
	conn->got += res;
	if (conn->got == sizeof(conn->msg.hdr) && check_header(conn, &err)) {
		fail_conn(conn, &err);
		return;
	}
	if (conn->got == message_size(conn))
		deliver(conn);
	else
		receive(conn);
}

static void receive(struct vu_conn *conn)
{
	int ret = loop_recv(conn->loop, conn->fd, message_size(conn) - conn->got, on_received, conn,
			    &conn->recv_op);

	if (ret)
		fail_errno(conn, "cannot receive", ret);
}

void vu_conn_next(struct vu_conn *conn)
{
	if (conn->over || conn->reading)
		return;
	conn->reading = true;
	if (!conn->send_op)
		receive(conn);
}

static void on_sent(void *ctx, int res)
{
	struct vu_conn *conn = ctx;

	if (res == -EPIPE)
		res = -ECONNRESET;
	/* what the peer sent before it left is still to be read */
	if (res == -ECONNRESET && conn->reading)
		res = 0;
	if (res < 0) {
		fail_errno(conn, "cannot send", res);
		return;
	}
	if (conn->reading && !conn->recv_op)
		receive(conn);
	if (!conn->over && conn->ops->sent)
		conn->ops->sent(conn->ctx);
}

int vu_conn_send(struct vu_conn *conn, const struct vu_header *hdr, const union vu_payload *payload,
		 const int *fds, unsigned int nr_fds)
{
	uint8_t bytes[sizeof(*hdr) + sizeof(*payload)];

	if (conn->over)
		return -ENOTCONN;
	if (conn->send_op)
		return -EBUSY;
	if (hdr->size > sizeof(*payload))
		return -EMSGSIZE;
	memcpy(bytes, hdr, sizeof(*hdr));
	if (hdr->size)
		memcpy(bytes + sizeof(*hdr), payload, hdr->size);
	return loop_send(conn->loop, conn->fd, bytes, sizeof(*hdr) + hdr->size, fds, nr_fds,
			 on_sent, conn, &conn->send_op);
}

int vu_conn_create(struct vu_conn **conn, struct loop *loop, int fd, const struct vu_conn_ops *ops,
		   void *ctx)
{
	struct vu_conn *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->loop = loop;
	c->fd = fd;
	c->ops = ops;
	c->ctx = ctx;
	*conn = c;
	return 0;
}

int vu_conn_fd(const struct vu_conn *conn)
{
	return conn->fd;
}

void vu_conn_destroy(struct vu_conn *conn)
{
	if (!conn)
		return;
	loop_op_remove(&conn->recv_op);
	loop_op_remove(&conn->send_op);
	vu_msg_close_fds(&conn->msg);
	/* an operation that is being cancelled may keep the socket open a little */
	shutdown(conn->fd, SHUT_RDWR);
	vl_fd_close(&conn->fd);
	free(conn);
}
