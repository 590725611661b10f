// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Front-end: one request at a time, and its reply by a deadline.
 *
 * The loop runs only while a call waits. The back-end is not trusted either: what
 * it offers is masked, and any reply but the one that is due ends the connection.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <vringlab/fd.h>

#include "frontend.h"

static uint64_t deadline_ns(const struct vu_frontend *fe)
{
	return loop_now_ns() + fe->timeout_ms * 1000000ull;
}

static int on_header(void *ctx, const struct vu_header *hdr, unsigned int nr_fds,
		     struct vl_err *err)
{
	const struct vu_frontend *fe = ctx;

	return vu_reply_check_header(hdr, nr_fds, fe->request, err);
}

static void on_message(void *ctx, struct vu_msg *msg)
{
	struct vu_frontend *fe = ctx;

	fe->reply = msg->payload;
	fe->reply_size = msg->hdr.size;
	if (msg->nr_fds)
		fe->reply_fd = vl_fd_take(&msg->fds[0]);
	fe->waiting = false;
}

static void on_closed(void *ctx, const struct vl_err *err)
{
	struct vu_frontend *fe = ctx;

	fe->failure = *err;
	/* to a front-end it is the same where in a reply the back-end left */
	if (fe->failure.code == -ECONNABORTED)
		fe->failure.code = -ECONNRESET;
	fe->waiting = false;
}

static void on_sent(void *ctx)
{
	struct vu_frontend *fe = ctx;

	if (!fe->replies)
		fe->waiting = false;
}

static const struct vu_conn_ops conn_ops = {
	.check_header = on_header,
	.message = on_message,
	.sent = on_sent,
	.closed = on_closed,
};

static void on_connected(void *ctx, int res)
{
	struct vu_frontend *fe = ctx;

	fe->failure.code = res;
	fe->waiting = false;
}

/* Runs the loop until a handler says that the wait is over. */
int frontend_wait(struct vu_frontend *fe)
{
	uint64_t deadline = deadline_ns(fe);
	int ret = 0;

	while (fe->waiting && !ret) {
		ret = loop_run_once(fe->loop, deadline);
		/* a back-end that never falls silent on its channel is none that replies */
		if (!ret && fe->waiting && loop_now_ns() >= deadline)
			ret = -ETIME;
	}
	fe->waiting = false;
	return ret == -ETIME ? -ETIMEDOUT : ret;
}

static int connect_socket(struct vu_frontend *fe, int fd, const char *path, struct vl_err *err)
{
	struct loop_op *op = NULL;
	const char *hint = "";
	int ret;

	fe->waiting = true;
	ret = loop_connect(fe->loop, fd, path, on_connected, fe, &op);
	if (!ret)
		ret = frontend_wait(fe);
	loop_op_remove(&op);
	if (!ret)
		ret = fe->failure.code;
	fe->failure.code = 0;
	if (ret == -ENAMETOOLONG)
		return vl_err_set(
			err, ret,
			"cannot connect to %s: a socket's path has at most 107 characters", path);
	if (ret == -ENOENT || ret == -ECONNREFUSED)
		hint = "; is the back-end running?";
	if (ret)
		return vl_err_set(err, ret, "cannot connect to %s: %s%s", path, vl_strerror(ret),
				  hint);
	return 0;
}

int vu_frontend_connect(struct vu_frontend **fe, const char *path, unsigned int timeout_ms,
			struct vl_err *err)
{
	struct vu_frontend *f = calloc(1, sizeof(*f));
	int fd = -1;
	int ret;

	if (!f)
		return vl_err_set(err, -ENOMEM, "cannot connect to %s: out of memory", path);
	f->timeout_ms = timeout_ms;
	f->reply_fd = -1;
	ret = loop_create(&f->loop, err);
	if (ret)
		goto out_destroy;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		ret = vl_err_set(err, -errno, "cannot make a socket: %s", vl_strerror(errno));
		goto out_destroy;
	}
	ret = connect_socket(f, fd, path, err);
	if (ret)
		goto out_close;
	ret = vu_conn_create(&f->conn, f->loop, fd, &conn_ops, f);
	if (ret) {
		vl_err_set(err, ret, "cannot connect to %s: out of memory", path);
		goto out_close;
	}
	*fe = f;
	return 0;

out_close:
	vl_fd_close(&fd);
out_destroy:
	vu_frontend_destroy(f);
	return ret;
}

int vu_frontend_fd(const struct vu_frontend *fe)
{
	return fe->conn ? vu_conn_fd(fe->conn) : -1;
}

void vu_frontend_destroy(struct vu_frontend *fe)
{
	if (!fe)
		return;
	frontend_channel_close(fe);
	vu_conn_destroy(fe->conn);
	vl_fd_close(&fe->reply_fd);
	loop_destroy(fe->loop);
	free(fe);
}

/*
 * Sends a request and waits for its reply, or else until it is out. After a failure
 * the connection is of no more use: a late reply would be taken for a later one's.
 */
static int exchange(struct vu_frontend *fe, const struct vu_header *hdr,
		    const union vu_payload *payload, const int *fds, unsigned int nr_fds,
		    struct vl_err *err)
{
	int ret = fe->failure.code;

	if (ret)
		return vl_err_set(err, ret, "%s: the connection is over: %s",
				  vu_msg_name(hdr->request), fe->failure.msg);
	vl_fd_close(&fe->reply_fd);
	fe->request = hdr->request;
	fe->replies = hdr->flags & VU_NEED_REPLY ||
		      vu_msg_info(hdr->request)->reply != VU_PAYLOAD_NONE;
	fe->waiting = true;
	ret = vu_conn_send(fe->conn, hdr, payload, fds, nr_fds);
	if (!ret && fe->replies)
		vu_conn_next(fe->conn);
	if (!ret)
		ret = frontend_wait(fe);
	if (ret == -ETIMEDOUT)
		vl_err_set(&fe->failure, ret, "the back-end did not %s within %u ms",
			   fe->replies ? "reply" : "read it", fe->timeout_ms);
	else if (ret)
		vl_err_set(&fe->failure, ret, "cannot be sent: %s", vl_strerror(ret));
	if (!fe->failure.code)
		return 0;
	/* the caller may close the fds that it wanted to be sent */
	vu_conn_destroy(fe->conn);
	fe->conn = NULL;
	return vl_err_set(err, fe->failure.code, "%s: %s", vu_msg_name(hdr->request),
			  fe->failure.msg);
}

int frontend_check_gate(const struct vu_frontend *fe, enum vu_request request, struct vl_err *err)
{
	const struct vu_msg_info *info = vu_msg_info(request);
	uint64_t lacks = info->protocol & ~fe->protocol_features;

	if (lacks)
		return vl_err_set(err, -ENOTSUP, "%s: the back-end has no protocol feature %d",
				  info->name, __builtin_ctzll(lacks));
	return 0;
}

int frontend_ask(struct vu_frontend *fe, enum vu_request request, const union vu_payload *payload,
		 uint32_t size, const int *fds, unsigned int nr_fds, struct vl_err *err)
{
	const struct vu_header hdr = {
		.request = request,
		.flags = VU_VERSION,
		.size = size,
	};
	int ret = frontend_check_gate(fe, request, err);

	return ret ? ret : exchange(fe, &hdr, payload, fds, nr_fds, err);
}

int frontend_tell(struct vu_frontend *fe, enum vu_request request, const union vu_payload *payload,
		  uint32_t size, const int *fds, unsigned int nr_fds, struct vl_err *err)
{
	bool ack = has_protocol(fe, VU_PROTOCOL_F_REPLY_ACK);
	const struct vu_header hdr = {
		.request = request,
		.flags = VU_VERSION | (ack ? VU_NEED_REPLY : 0),
		.size = size,
	};
	int ret = frontend_check_gate(fe, request, err);

	if (!ret)
		ret = exchange(fe, &hdr, payload, fds, nr_fds, err);
	if (!ret && ack && fe->reply.u64)
		return vl_err_set(err, -EIO, "%s: refused by the back-end (%llu)",
				  vu_msg_name(request), (unsigned long long)fe->reply.u64);
	return ret;
}

int frontend_tell_u64(struct vu_frontend *fe, enum vu_request request, uint64_t u64,
		      struct vl_err *err)
{
	const union vu_payload payload = { .u64 = u64 };

	return frontend_tell(fe, request, &payload, sizeof(u64), NULL, 0, err);
}
