// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Messages to the front-end ("Back-end message types"), one at a time. What is due
 * is remembered as a flag, not queued: told once, however often it happened.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/vhost_types.h>
#include <sys/socket.h>

#include <vringlab/err.h>
#include <vringlab/fd.h>

#include "backend.h"

/* For a reply. A front-end that takes longer has forgotten it. */
#define REPLY_NS 60000000000ull

static void fail_channel(struct vu_backend *be, const struct vl_err *err)
{
	channel_close(be);
	backend_tell_refused(be, err);
}

static void on_closed(void *ctx, const struct vl_err *err)
{
	struct vu_backend *be = ctx;
	struct vl_err copy = *err;

	/* without anything under way it may go before the connection does */
	if (copy.code == -ECONNRESET && !be->channel.awaited) {
		channel_close(be);
		return;
	}
	vl_err_prefix(&copy, "back-end channel");
	fail_channel(be, &copy);
}

static int on_header(void *ctx, const struct vu_header *hdr, unsigned int nr_fds,
		     struct vl_err *err)
{
	const struct vu_backend *be = ctx;
	uint32_t awaited = be->channel.awaited;

	if (!awaited)
		return vl_err_set(err, -EPROTO, "a reply to nothing, for request %u", hdr->request);
	if (hdr->request != awaited || hdr->flags != (VU_VERSION | VU_REPLY) ||
	    hdr->size != sizeof(uint64_t) || nr_fds)
		return vl_err_set(err, -EPROTO,
				  "the reply to %s has request %u, flags 0x%x, %u bytes, %u fds",
				  vu_channel_info(awaited)->name, hdr->request, hdr->flags,
				  hdr->size, nr_fds);
	return 0;
}

static void on_message(void *ctx, struct vu_msg *msg)
{
	struct vu_backend *be = ctx;
	struct vu_channel *ch = &be->channel;
	struct vl_err err;

	if (msg->payload.u64) {
		vl_err_set(&err, -EREMOTEIO, "the front-end answered %s with %llu",
			   vu_channel_info(ch->awaited)->name,
			   (unsigned long long)msg->payload.u64);
		backend_tell_refused(be, &err);
	}
	ch->awaited = 0;
	loop_op_remove(&ch->deadline);
	vu_conn_next(ch->conn);
	channel_pump(be);
}

static void on_sent(void *ctx)
{
	struct vu_backend *be = ctx;

	be->channel.sending = false;
	channel_pump(be);
}

static const struct vu_conn_ops channel_ops = {
	.check_header = on_header,
	.message = on_message,
	.sent = on_sent,
	.closed = on_closed,
};

static void on_deadline(void *ctx, int res)
{
	struct vu_backend *be = ctx;
	struct vl_err err;

	if (res)
		return;
	vl_err_set(&err, -ETIMEDOUT, "back-end channel: no reply to %s",
		   vu_channel_info(be->channel.awaited)->name);
	fail_channel(be, &err);
}

static void send_one(struct vu_backend *be, uint32_t request, const union vu_payload *payload,
		     bool ask)
{
	struct vu_channel *ch = &be->channel;
	const struct vu_msg_info *info = vu_channel_info(request);
	struct vu_header hdr = {
		.request = request,
		.flags = VU_VERSION,
		.size = vu_payload_size_max(info->request),
	};
	struct vl_err err;
	int ret = 0;

	if (ask) {
		hdr.flags |= VU_NEED_REPLY;
		ret = loop_timer(be->loop, REPLY_NS, on_deadline, be, &ch->deadline);
	}
	if (!ret)
		ret = vu_conn_send(ch->conn, &hdr, payload, NULL, 0);
	if (ret) {
		vl_err_set(&err, ret, "back-end channel: cannot send %s: %s", info->name,
			   vl_strerror(ret));
		fail_channel(be, &err);
		return;
	}
	ch->sending = true;
	ch->awaited = ask ? request : 0;
}

/* "In-band notifications": call and err wait for their acknowledgement. */
static void send_of_ring(struct vu_backend *be, struct vu_ring *ring)
{
	union vu_payload payload = { .state = { .index = ring->queue.index } };

	if (ring->miss_due) {
		ring->miss_due = false;
		payload.iotlb = (struct vu_iotlb){
			.iova = ring->miss.iova,
			.perm = ring->miss.access,
			.type = VHOST_IOTLB_MISS,
		};
		send_one(be, VU_CHANNEL_IOTLB_MSG, &payload, false);
	} else if (ring->err_due) {
		ring->err_due = false;
		send_one(be, VU_CHANNEL_VRING_ERR, &payload, true);
	} else if (ring->call_due) {
		ring->call_due = false;
		send_one(be, VU_CHANNEL_VRING_CALL, &payload, true);
	}
}

static void send_next(struct vu_backend *be)
{
	struct vu_channel *ch = &be->channel;
	unsigned int nr = be->vdev->num_queues;

	/* "Suspended device state": no messages, until a ring runs again */
	if (ch->config_due && !rings_are_stopped(be)) {
		ch->config_due = false;
		send_one(be, VU_CHANNEL_CONFIG_CHANGE_MSG, NULL,
			 has_protocol(be, VU_PROTOCOL_F_REPLY_ACK));
		return;
	}
	/* each in its turn: a ring that calls all the time cannot silence the others */
	for (unsigned int i = 0; i < nr && ch->conn && !ch->sending; i++) {
		send_of_ring(be, &be->rings[ch->turn]);
		ch->turn = (ch->turn + 1) % nr;
	}
}

static void pump(void *ctx, int res)
{
	struct vu_backend *be = ctx;
	const struct vu_channel *ch = &be->channel;

	(void)res;
	if (ch->conn && !ch->sending && !ch->awaited)
		send_next(be);
}

void channel_pump(struct vu_backend *be)
{
	if (be->channel.conn)
		loop_task_add(be->loop, &be->channel.pump);
}

void channel_init(struct vu_backend *be)
{
	be->channel = (struct vu_channel){ .pump = { .fn = pump, .ctx = be } };
}

void channel_close(struct vu_backend *be)
{
	struct vu_channel *ch = &be->channel;

	loop_task_remove(be->loop, &ch->pump);
	loop_op_remove(&ch->deadline);
	vu_conn_destroy(ch->conn);
	channel_init(be);
}

static int check_socket(int fd, struct vl_err *err)
{
	int domain, type;
	socklen_t len = sizeof(int);

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) ||
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len))
		return vl_err_set(err, -errno, "its fd is no socket: %s", vl_strerror(errno));
	if (domain != AF_UNIX || type != SOCK_STREAM)
		return vl_err_set(err, -EINVAL, "its fd is no unix stream socket");
	/* this end of it is ours now */
	if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK))
		return vl_err_set(err, -errno, "cannot use its socket: %s", vl_strerror(errno));
	return 0;
}

int set_backend_req_fd(struct vu_backend *be, struct vu_msg *msg, struct vu_reply *reply,
		       struct vl_err *err)
{
	struct vu_conn *conn;
	int ret = check_socket(msg->fds[0], err);

	(void)reply;
	if (ret)
		return ret;
	ret = vu_conn_create(&conn, be->loop, msg->fds[0], &channel_ops, be);
	if (ret)
		return vl_err_set(err, ret, "cannot use its socket: %s", vl_strerror(ret));
	vl_fd_take(&msg->fds[0]);
	channel_close(be);
	be->channel.conn = conn;
	vu_conn_next(conn);
	channel_pump(be);
	return 0;
}
