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

#include <vringlab/err.h>
#include <vringlab/fd.h>
#include <vringlab/loop.h>
#include <vringlab/vhost_user_conn.h>
#include <vringlab/vhost_user_frontend.h>

struct vu_frontend {
	struct loop *loop;
	struct vu_conn *conn;
	unsigned int timeout_ms;
	uint64_t protocol_features;

	/* the request that waits, and how the wait ended */
	enum vu_request request;
	/* it ends with a reply, not with being sent */
	bool replies;
	bool waiting;
	union vu_payload reply;
	struct vl_err failure;
};

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
static int wait_for(struct vu_frontend *fe)
{
	uint64_t deadline = deadline_ns(fe);
	int ret = 0;

	while (fe->waiting && !ret)
		ret = loop_run_once(fe->loop, deadline);
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
		ret = wait_for(fe);
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
	vu_conn_destroy(fe->conn);
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
	fe->request = hdr->request;
	fe->replies = hdr->flags & VU_NEED_REPLY ||
		      vu_msg_info(hdr->request)->reply != VU_PAYLOAD_NONE;
	fe->waiting = true;
	ret = vu_conn_send(fe->conn, hdr, payload, fds, nr_fds);
	if (!ret && fe->replies)
		vu_conn_next(fe->conn);
	if (!ret)
		ret = wait_for(fe);
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

/* A request that has a reply of its own. */
static int ask(struct vu_frontend *fe, enum vu_request request, const union vu_payload *payload,
	       struct vl_err *err)
{
	const struct vu_header hdr = {
		.request = request,
		.flags = VU_VERSION,
		.size = vu_payload_size_max(vu_msg_info(request)->request),
	};

	return exchange(fe, &hdr, payload, NULL, 0, err);
}

/* A request that has none, acknowledged if that is negotiated. */
static int tell(struct vu_frontend *fe, enum vu_request request, const union vu_payload *payload,
		uint32_t size, const int *fds, unsigned int nr_fds, struct vl_err *err)
{
	bool ack = vu_has_feature(fe->protocol_features, VU_PROTOCOL_F_REPLY_ACK);
	const struct vu_header hdr = {
		.request = request,
		.flags = VU_VERSION | (ack ? VU_NEED_REPLY : 0),
		.size = size,
	};
	int ret = exchange(fe, &hdr, payload, fds, nr_fds, err);

	if (!ret && ack && fe->reply.u64)
		return vl_err_set(err, -EIO, "%s: refused by the back-end (%llu)",
				  vu_msg_name(request), (unsigned long long)fe->reply.u64);
	return ret;
}

static int tell_u64(struct vu_frontend *fe, enum vu_request request, uint64_t u64,
		    struct vl_err *err)
{
	const union vu_payload payload = { .u64 = u64 };

	return tell(fe, request, &payload, sizeof(u64), NULL, 0, err);
}

static int tell_vring(struct vu_frontend *fe, enum vu_request request, unsigned int index,
		      uint32_t num, struct vl_err *err)
{
	const union vu_payload payload = { .state = { index, num } };

	return tell(fe, request, &payload, sizeof(payload.state), NULL, 0, err);
}

static int tell_vring_fd(struct vu_frontend *fe, enum vu_request request, unsigned int index,
			 int fd, struct vl_err *err)
{
	const union vu_payload payload = { .u64 = index };

	return tell(fe, request, &payload, sizeof(payload.u64), &fd, 1, err);
}

static int negotiate_protocol(struct vu_frontend *fe, struct vl_err *err)
{
	uint64_t features;
	int ret;

	ret = ask(fe, VU_GET_PROTOCOL_FEATURES, NULL, err);
	if (ret)
		return ret;
	features = fe->reply.u64 & vu_feature(VU_PROTOCOL_F_REPLY_ACK);
	/* not acknowledged itself: the bit is not negotiated before it */
	ret = tell_u64(fe, VU_SET_PROTOCOL_FEATURES, features, err);
	if (!ret)
		fe->protocol_features = features;
	return ret;
}

int vu_frontend_negotiate(struct vu_frontend *fe, uint64_t wanted, struct vl_err *err)
{
	uint64_t all = wanted | vu_feature(VU_F_PROTOCOL_FEATURES);
	int ret;

	ret = tell(fe, VU_SET_OWNER, NULL, 0, NULL, 0, err);
	if (ret)
		return ret;
	ret = ask(fe, VU_GET_FEATURES, NULL, err);
	if (ret)
		return ret;
	if (all & ~fe->reply.u64)
		return vl_err_set(err, -ENOTSUP,
				  "the back-end does not offer features 0x%llx of 0x%llx",
				  (unsigned long long)(all & ~fe->reply.u64),
				  (unsigned long long)all);
	ret = negotiate_protocol(fe, err);
	if (ret)
		return ret;
	return tell_u64(fe, VU_SET_FEATURES, all, err);
}

int vu_frontend_set_mem_table(struct vu_frontend *fe, const struct vu_frontend_region *regions,
			      unsigned int nr, struct vl_err *err)
{
	union vu_payload payload = { .mem = { .nr_regions = nr } };
	int fds[VU_REGIONS_MAX];

	if (!nr || nr > VU_REGIONS_MAX)
		return vl_err_set(err, -EINVAL, "a memory table has 1 to %u regions, not %u",
				  VU_REGIONS_MAX, nr);
	for (unsigned int i = 0; i < nr; i++) {
		payload.mem.regions[i] = (struct vu_region){
			.guest_addr = regions[i].guest_addr,
			.size = regions[i].size,
			.user_addr = regions[i].user_addr,
			.mmap_offset = regions[i].mmap_offset,
		};
		fds[i] = regions[i].fd;
	}
	return tell(fe, VU_SET_MEM_TABLE, &payload, vu_mem_table_size(nr), fds, nr, err);
}

int vu_frontend_start_vring(struct vu_frontend *fe, const struct vu_frontend_vring *vring,
			    struct vl_err *err)
{
	const union vu_payload addr = {
		.addr = {
			.index = vring->index,
			.desc = vring->desc,
			.used = vring->used,
			.avail = vring->avail,
		},
	};
	int ret;

	if (vring->index > VU_FD_INDEX_MASK)
		return vl_err_set(err, -EINVAL, "a vring's index is at most %llu, not %u",
				  VU_FD_INDEX_MASK, vring->index);
	ret = tell_vring(fe, VU_SET_VRING_NUM, vring->index, vring->num, err);
	if (!ret)
		ret = tell_vring(fe, VU_SET_VRING_BASE, vring->index, vring->base, err);
	if (!ret)
		ret = tell(fe, VU_SET_VRING_ADDR, &addr, sizeof(addr.addr), NULL, 0, err);
	if (!ret)
		ret = tell_vring_fd(fe, VU_SET_VRING_CALL, vring->index, vring->call_fd, err);
	if (!ret)
		ret = tell_vring_fd(fe, VU_SET_VRING_KICK, vring->index, vring->kick_fd, err);
	if (!ret)
		ret = tell_vring(fe, VU_SET_VRING_ENABLE, vring->index, 1, err);
	return ret;
}

int vu_frontend_stop_vring(struct vu_frontend *fe, unsigned int index, uint16_t *base,
			   struct vl_err *err)
{
	const union vu_payload payload = { .state = { .index = index } };
	const struct vu_vring_state *state = &fe->reply.state;
	int ret;

	ret = ask(fe, VU_GET_VRING_BASE, &payload, err);
	if (ret)
		return ret;
	if (state->index != index || state->num > UINT16_MAX)
		return vl_err_set(err, -EPROTO,
				  "GET_VRING_BASE of vring %u answered by vring %u at %u", index,
				  state->index, state->num);
	if (base)
		*base = state->num;
	return 0;
}
