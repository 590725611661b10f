// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Messages of the back-end ("Back-end message types"): checked by the table, handed
 * to the owner, acknowledged where that is asked for.
 */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include <vringlab/fd.h>

#include "frontend.h"

static int on_header(void *ctx, const struct vu_header *hdr, unsigned int nr_fds,
		     struct vl_err *err)
{
	const struct vu_msg_info *info = vu_channel_info(hdr->request);

	(void)ctx;
	if (!info)
		return vl_err_set(err, -ENOTSUP, "the back-end sent request %u, which is not known",
				  hdr->request);
	if ((hdr->flags & ~VU_NEED_REPLY) != VU_VERSION)
		return vl_err_set(err, -EPROTO, "the back-end sent %s with flags 0x%x", info->name,
				  hdr->flags);
	if (hdr->size != vu_payload_size_max(info->request))
		return vl_err_set(err, -EMSGSIZE, "the back-end sent %s with %u bytes, not %u",
				  info->name, hdr->size, vu_payload_size_max(info->request));
	if (nr_fds > info->fds_max)
		return vl_err_set(err, -E2BIG, "the back-end sent %s with %u fds, not %u",
				  info->name, nr_fds, info->fds_max);
	return 0;
}

/* Of VRING_CALL and VRING_ERR. */
static int tell_vring(const struct vu_frontend *fe, const struct vu_msg *msg,
		      void (*fn)(void *ctx, uint32_t index))
{
	uint32_t index = msg->payload.state.index;

	if (index > VU_FD_INDEX_MASK)
		return -EINVAL;
	if (fn)
		fn(fe->channel.ctx, index);
	return 0;
}

static int handle(struct vu_frontend *fe, const struct vu_msg *msg)
{
	const struct vu_msg_info *info = vu_channel_info(msg->hdr.request);
	const struct vu_frontend_channel_ops *ops = fe->channel.ops;

	if (info->protocol & ~fe->protocol_features)
		return -EPROTO;
	switch (info->id) {
	case VU_CHANNEL_CONFIG_CHANGE_MSG:
		if (ops->config_changed)
			ops->config_changed(fe->channel.ctx);
		return 0;
	case VU_CHANNEL_IOTLB_MSG:
		return ops->iotlb ? ops->iotlb(fe->channel.ctx, &msg->payload.iotlb) : -ENOTSUP;
	case VU_CHANNEL_VRING_CALL:
		return tell_vring(fe, msg, ops->vring_call);
	case VU_CHANNEL_VRING_ERR:
		return tell_vring(fe, msg, ops->vring_err);
	default:
		return -ENOTSUP;
	}
}

static void on_message(void *ctx, struct vu_msg *msg)
{
	struct vu_frontend *fe = ctx;
	const struct vu_header hdr = {
		.request = msg->hdr.request,
		.flags = VU_VERSION | VU_REPLY,
		.size = sizeof(uint64_t),
	};
	const union vu_payload reply = { .u64 = -handle(fe, msg) };

	if (!fe->channel.conn)
		return;
	if (msg->hdr.flags & VU_NEED_REPLY && has_protocol(fe, VU_PROTOCOL_F_REPLY_ACK) &&
	    vu_conn_send(fe->channel.conn, &hdr, &reply, NULL, 0)) {
		frontend_channel_close(fe);
		return;
	}
	vu_conn_next(fe->channel.conn);
}

static void on_closed(void *ctx, const struct vl_err *err)
{
	struct vu_frontend *fe = ctx;

	frontend_channel_close(fe);
	if (fe->channel.ops->closed)
		fe->channel.ops->closed(fe->channel.ctx, err);
}

static const struct vu_conn_ops conn_ops = {
	.check_header = on_header,
	.message = on_message,
	.closed = on_closed,
};

void frontend_channel_close(struct vu_frontend *fe)
{
	vu_conn_destroy(fe->channel.conn);
	fe->channel.conn = NULL;
}

int vu_frontend_open_channel(struct vu_frontend *fe, const struct vu_frontend_channel_ops *ops,
			     void *ctx, struct vl_err *err)
{
	int fds[2];
	int ret;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds))
		return vl_err_set(err, -errno, "cannot make a socket: %s", vl_strerror(errno));
	frontend_channel_close(fe);
	ret = vu_conn_create(&fe->channel.conn, fe->loop, fds[0], &conn_ops, fe);
	if (ret) {
		close(fds[0]);
		close(fds[1]);
		return vl_err_set(err, ret, "cannot make a channel: %s", vl_strerror(ret));
	}
	fe->channel.ops = ops;
	fe->channel.ctx = ctx;
	vu_conn_next(fe->channel.conn);
	ret = frontend_tell(fe, VU_SET_BACKEND_REQ_FD, NULL, 0, &fds[1], 1, err);
	close(fds[1]);
	if (ret)
		frontend_channel_close(fe);
	return ret;
}

int vu_frontend_channel_fd(const struct vu_frontend *fe)
{
	return fe->channel.conn ? vu_conn_fd(fe->channel.conn) : -1;
}

int vu_frontend_serve(struct vu_frontend *fe, unsigned int timeout_ms)
{
	int ret = loop_run_once(fe->loop, loop_now_ns() + timeout_ms * 1000000ull);

	return ret == -ETIME ? -ETIMEDOUT : ret;
}
