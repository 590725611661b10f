// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Unix sockets: accept, connect, and messages that carry fds.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

static void complete_once(struct loop_op *op, int res)
{
	loop_op_finish_with(op, res);
}

static void prepare_accept(struct loop_op *op, struct io_uring_sqe *sqe)
{
	io_uring_prep_accept(sqe, op->fd, NULL, NULL, SOCK_CLOEXEC);
}

static void discard_accept(struct loop_op *op, int res)
{
	(void)op;
	if (res >= 0)
		close(res);
}

const struct loop_op_type loop_accept_type = {
	.prepare = prepare_accept,
	.complete = complete_once,
	.discard = discard_accept,
};

int loop_accept(struct loop *loop, int fd, loop_fn *fn, void *ctx, struct loop_op **holder)
{
	struct loop_op *op = loop_op_new(loop, LOOP_KIND_ACCEPT, fd, ctx);

	if (!op)
		return -ENOMEM;
	op->fn = fn;
	return loop_op_start(op, holder);
}

static void prepare_connect(struct loop_op *op, struct io_uring_sqe *sqe)
{
	io_uring_prep_connect(sqe, op->fd, (struct sockaddr *)op->addr, sizeof(*op->addr));
}

static void release_connect(struct loop_op *op)
{
	free(op->addr);
}

const struct loop_op_type loop_connect_type = {
	.prepare = prepare_connect,
	.complete = complete_once,
	.release = release_connect,
};

int loop_connect(struct loop *loop, int fd, const char *path, loop_fn *fn, void *ctx,
		 struct loop_op **holder)
{
	struct loop_op *op;

	if (strlen(path) >= sizeof(op->addr->sun_path))
		return -ENAMETOOLONG;
	op = loop_op_new(loop, LOOP_KIND_CONNECT, fd, ctx);
	if (!op)
		return -ENOMEM;
	op->fn = fn;
	op->addr = calloc(1, sizeof(*op->addr));
	if (!op->addr) {
		free(op);
		return -ENOMEM;
	}
	op->addr->sun_family = AF_UNIX;
	strcpy(op->addr->sun_path, path);
	return loop_op_start(op, holder);
}

static struct loop_op *new_message(struct loop *loop, enum loop_kind kind, int fd, size_t len,
				   void *ctx)
{
	struct loop_op *op = loop_op_new(loop, kind, fd, ctx);

	if (!op)
		return NULL;
	op->msg = calloc(1, sizeof(*op->msg) + len);
	if (!op->msg) {
		free(op);
		return NULL;
	}
	op->msg->len = len;
	op->msg->hdr.msg_iov = &op->msg->iov;
	op->msg->hdr.msg_iovlen = 1;
	return op;
}

static void release_message(struct loop_op *op)
{
	free(op->msg);
}

static void prepare_recv(struct loop_op *op, struct io_uring_sqe *sqe)
{
	struct loop_message *msg = op->msg;

	msg->iov.iov_base = msg->data;
	msg->iov.iov_len = msg->len;
	msg->hdr.msg_control = msg->control;
	msg->hdr.msg_controllen = sizeof(msg->control);
	io_uring_prep_recvmsg(sqe, op->fd, &msg->hdr, MSG_CMSG_CLOEXEC);
}

/* Every fd that the kernel installed, whether or not the list was cut short. */
static unsigned int received_fds(struct msghdr *hdr, int *fds)
{
	unsigned int nr_fds = 0;
	struct cmsghdr *cmsg;

	for (cmsg = CMSG_FIRSTHDR(hdr); cmsg; cmsg = CMSG_NXTHDR(hdr, cmsg)) {
		size_t bytes = cmsg->cmsg_len - CMSG_LEN(0);

		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		memcpy(fds + nr_fds, CMSG_DATA(cmsg), bytes);
		nr_fds += bytes / sizeof(*fds);
	}
	return nr_fds;
}

static void complete_recv(struct loop_op *op, int res)
{
	loop_recv_fn *fn = op->recv_fn;
	struct loop_message *msg = op->msg;
	struct loop_received received = { .data = msg->data };
	int fds[LOOP_FDS_MAX];
	void *ctx = op->ctx;

	if (res >= 0) {
		received.fds = fds;
		received.nr_fds = received_fds(&msg->hdr, fds);
		received.fds_lost = msg->hdr.msg_flags & MSG_CTRUNC;
	}
	/* the data outlives the operation, until the handler has seen it */
	op->msg = NULL;
	loop_op_finish(op);
	fn(ctx, res, &received);
	free(msg);
}

static void discard_recv(struct loop_op *op, int res)
{
	int fds[LOOP_FDS_MAX];
	unsigned int nr_fds;

	if (res < 0)
		return;
	nr_fds = received_fds(&op->msg->hdr, fds);
	for (unsigned int i = 0; i < nr_fds; i++)
		close(fds[i]);
}

const struct loop_op_type loop_recv_type = {
	.prepare = prepare_recv,
	.complete = complete_recv,
	.discard = discard_recv,
	.release = release_message,
};

int loop_recv(struct loop *loop, int fd, size_t max_len, loop_recv_fn *fn, void *ctx,
	      struct loop_op **holder)
{
	struct loop_op *op = new_message(loop, LOOP_KIND_RECV, fd, max_len, ctx);

	if (!op)
		return -ENOMEM;
	op->recv_fn = fn;
	return loop_op_start(op, holder);
}

static void prepare_send(struct loop_op *op, struct io_uring_sqe *sqe)
{
	struct loop_message *msg = op->msg;

	msg->iov.iov_base = msg->data + msg->done;
	msg->iov.iov_len = msg->len - msg->done;
	io_uring_prep_sendmsg(sqe, op->fd, &msg->hdr, MSG_NOSIGNAL);
}

static void complete_send(struct loop_op *op, int res)
{
	struct loop_message *msg = op->msg;

	if (res <= 0) {
		loop_op_finish_with(op, res ? res : -EIO);
		return;
	}
	msg->done += res;
	if (msg->done == msg->len) {
		loop_op_finish_with(op, msg->len);
		return;
	}
	/* the fds went with the first byte */
	msg->hdr.msg_control = NULL;
	msg->hdr.msg_controllen = 0;
	res = loop_op_arm(op);
	if (res)
		loop_op_finish_with(op, res);
}

const struct loop_op_type loop_send_type = {
	.prepare = prepare_send,
	.complete = complete_send,
	.release = release_message,
};

static void put_fds(struct loop_message *msg, const int *fds, unsigned int nr_fds)
{
	struct cmsghdr *cmsg;

	msg->hdr.msg_control = msg->control;
	msg->hdr.msg_controllen = CMSG_SPACE(nr_fds * sizeof(*fds));
	cmsg = CMSG_FIRSTHDR(&msg->hdr);
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(nr_fds * sizeof(*fds));
	memcpy(CMSG_DATA(cmsg), fds, nr_fds * sizeof(*fds));
}

int loop_send(struct loop *loop, int fd, const void *data, size_t len, const int *fds,
	      unsigned int nr_fds, loop_fn *fn, void *ctx, struct loop_op **holder)
{
	struct loop_op *op;

	if (nr_fds > LOOP_FDS_MAX)
		return -EINVAL;
	op = new_message(loop, LOOP_KIND_SEND, fd, len, ctx);
	if (!op)
		return -ENOMEM;
	op->fn = fn;
	memcpy(op->msg->data, data, len);
	if (nr_fds)
		put_fds(op->msg, fds, nr_fds);
	return loop_op_start(op, holder);
}
