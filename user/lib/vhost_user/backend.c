// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Requests of a front-end: check by the table, handle, answer.
 *
 * A request that fails is refused with a non-zero acknowledgement, or in its own
 * reply where that can say so. Where neither is due, the front-end cannot be told
 * otherwise than by closing the connection, for going on would leave it believing
 * what is not so.
 *
 * A handler that has to wait for the device's requests keeps its message: no other
 * is read meanwhile, and the loop goes on.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include <vringlab/err.h>
#include <vringlab/fd.h>

#include "backend.h"

/* How long vu_backend_destroy() waits for the device's requests. */
#define DESTROY_NS 10000000000ull

/* How a message that has its own reply tells of an error. */
enum refusal {
	REFUSE_BY_ACK,
	REFUSE_BY_U64,
	/* "The back-end must respond with a zero-length payload" */
	REFUSE_BY_NOTHING,
	/* an error in bits 0 to 7, and no fd */
	REFUSE_BY_FD_U64,
};

static const struct {
	vu_handler_fn *fn;
	enum refusal refusal;
} handlers[] = {
	[VU_GET_FEATURES] = { .fn = get_features },
	[VU_SET_FEATURES] = { .fn = set_features },
	[VU_SET_OWNER] = { .fn = set_owner },
	[VU_RESET_OWNER] = { .fn = reset_owner },
	[VU_SET_MEM_TABLE] = { .fn = set_mem_table },
	[VU_SET_LOG_BASE] = { .fn = set_log_base },
	[VU_SET_LOG_FD] = { .fn = set_log_fd },
	[VU_SET_VRING_NUM] = { .fn = set_vring_num },
	[VU_SET_VRING_ADDR] = { .fn = set_vring_addr },
	[VU_SET_VRING_BASE] = { .fn = set_vring_base },
	[VU_GET_VRING_BASE] = { .fn = get_vring_base },
	[VU_SET_VRING_KICK] = { .fn = set_vring_fd },
	[VU_SET_VRING_CALL] = { .fn = set_vring_fd },
	[VU_SET_VRING_ERR] = { .fn = set_vring_fd },
	[VU_GET_PROTOCOL_FEATURES] = { .fn = get_protocol_features },
	[VU_SET_PROTOCOL_FEATURES] = { .fn = set_protocol_features },
	[VU_GET_QUEUE_NUM] = { .fn = get_queue_num },
	[VU_SET_VRING_ENABLE] = { .fn = set_vring_enable },
	[VU_SEND_RARP] = { .fn = send_rarp },
	[VU_NET_SET_MTU] = { .fn = net_set_mtu },
	[VU_SET_BACKEND_REQ_FD] = { .fn = set_backend_req_fd },
	[VU_IOTLB_MSG] = { .fn = iotlb_msg, .refusal = REFUSE_BY_U64 },
	[VU_GET_CONFIG] = { .fn = get_config, .refusal = REFUSE_BY_NOTHING },
	[VU_SET_CONFIG] = { .fn = set_config },
	[VU_POSTCOPY_ADVISE] = { .fn = postcopy_advise },
	[VU_POSTCOPY_LISTEN] = { .fn = postcopy_listen },
	[VU_POSTCOPY_END] = { .fn = postcopy_end, .refusal = REFUSE_BY_U64 },
	[VU_GET_INFLIGHT_FD] = { .fn = get_inflight_fd },
	[VU_SET_INFLIGHT_FD] = { .fn = set_inflight_fd },
	[VU_RESET_DEVICE] = { .fn = reset_device },
	[VU_VRING_KICK] = { .fn = vring_kick },
	[VU_GET_MAX_MEM_SLOTS] = { .fn = get_max_mem_slots },
	[VU_ADD_MEM_REG] = { .fn = add_mem_reg },
	[VU_REM_MEM_REG] = { .fn = rem_mem_reg },
	[VU_SET_STATUS] = { .fn = set_status },
	[VU_GET_STATUS] = { .fn = get_status },
	[VU_SET_DEVICE_STATE_FD] = { .fn = set_device_state_fd, .refusal = REFUSE_BY_FD_U64 },
	[VU_CHECK_DEVICE_STATE] = { .fn = check_device_state, .refusal = REFUSE_BY_U64 },
	[VU_GET_VRING_BASE_SKIP_DRAIN] = { .fn = get_vring_base_skip_drain },
};

/* Of messages that have none: those of devices and features that are not offered. */
static const char not_served[] = "this back-end does not offer what it belongs to";

static int check_gate(const struct vu_backend *be, const struct vu_msg_info *info,
		      struct vl_err *err)
{
	uint64_t lacks = info->protocol & ~be->protocol_features;

	if (lacks)
		return vl_err_set(err, -EPROTO, "protocol feature %d is not negotiated",
				  __builtin_ctzll(lacks));
	switch (info->gate) {
	case VU_GATE_ACKED:
		if (has_feature(be, VU_F_PROTOCOL_FEATURES))
			return 0;
		/* QEMU's net acknowledges the bit later, but has used it already */
		if (!be->features && be->protocol_features)
			return 0;
		return vl_err_set(err, -EPROTO, "VHOST_USER_F_PROTOCOL_FEATURES is not negotiated");
	case VU_GATE_IOMMU:
		if (be->iotlb)
			return 0;
		return vl_err_set(err, -EPROTO, "VIRTIO_F_ACCESS_PLATFORM is not negotiated");
	default:
		return 0;
	}
}

static int handle(struct vu_backend *be, struct vu_msg *msg, struct vu_reply *reply,
		  struct vl_err *err)
{
	const struct vu_msg_info *info = vu_msg_info(msg->hdr.request);
	vu_handler_fn *fn = NULL;
	uint32_t index;
	int ret;

	if (info->id < sizeof(handlers) / sizeof(handlers[0]))
		fn = handlers[info->id].fn;
	ret = check_gate(be, info, err);
	if (ret)
		return ret;
	if (!fn)
		return vl_err_set(err, -ENOTSUP, "%s", not_served);
	/* what only this state explains is the handler's to check */
	if (!memory_takes_header(be, &msg->hdr)) {
		ret = vu_request_check_payload(msg, err);
		if (ret)
			return ret;
	}
	if (vu_request_index(msg, &index) && index >= be->vdev->num_queues)
		return vl_err_set(err, -EINVAL, "there is no vring %u, only %u of them", index,
				  be->vdev->num_queues);
	return fn(be, msg, reply, err);
}

void backend_tell_refused(const struct vu_backend *be, const struct vl_err *err)
{
	if (be->config.ops->refused)
		be->config.ops->refused(be->config.ctx, err);
}

static void fail_reply(struct vu_backend *be, uint32_t request, int code)
{
	struct vl_err err;

	vl_err_set(&err, code, "cannot reply to %s: %s", vu_msg_name(request), vl_strerror(code));
	backend_close(be, &err);
}

static void send_reply(struct vu_backend *be, uint32_t request, struct vu_reply *reply)
{
	/* "Header": exactly these flags, NEED_REPLY is the request's */
	const struct vu_header hdr = {
		.request = request,
		.flags = VU_VERSION | VU_REPLY,
		.size = reply->size,
	};
	int ret;

	be->reply_fd = vl_fd_take(&reply->fd);
	ret = vu_conn_send(be->conn, &hdr, &reply->payload, &be->reply_fd, be->reply_fd >= 0);
	if (ret)
		fail_reply(be, request, ret);
	else
		vu_conn_next(be->conn);
}

/* Can the front-end be told? Then the reply is made to say so. */
static bool refuse(const struct vu_msg_info *info, int code, struct vu_reply *reply)
{
	vl_fd_close(&reply->fd);
	reply->size = sizeof(reply->payload.u64);
	reply->payload.u64 = -code;
	switch (handlers[info->id].refusal) {
	case REFUSE_BY_U64:
		return true;
	case REFUSE_BY_FD_U64:
		reply->payload.u64 |= VU_FD_NONE;
		return true;
	case REFUSE_BY_NOTHING:
		reply->size = 0;
		return true;
	default:
		return false;
	}
}

/* Answers, or closes the connection. */
static void finish(struct vu_backend *be, const struct vu_header *hdr, int ret,
		   struct vu_reply *reply, struct vl_err *err)
{
	const struct vu_msg_info *info = vu_msg_info(hdr->request);
	bool own = info->reply != VU_PAYLOAD_NONE || reply->due;
	/* only now: SET_PROTOCOL_FEATURES itself may have negotiated it */
	bool ack = !own && hdr->flags & VU_NEED_REPLY && has_protocol(be, VU_PROTOCOL_F_REPLY_ACK);

	if (ret) {
		vl_err_prefix(err, "%s", info->name);
		if (!refuse(info, ret, reply) && (!ack || ret == -ECONNABORTED)) {
			backend_close(be, err);
			return;
		}
		backend_tell_refused(be, err);
	} else if (ack) {
		reply->payload.u64 = 0;
		reply->size = sizeof(reply->payload.u64);
	}
	if (own || ack)
		send_reply(be, info->id, reply);
	else
		vu_conn_next(be->conn);
}

static void reply_init(struct vu_reply *reply, uint32_t request)
{
	*reply = (struct vu_reply){
		.size = vu_payload_size_max(vu_msg_info(request)->reply),
		.fd = -1,
	};
}

static void on_hangup(void *ctx, int res)
{
	struct vu_backend *be = ctx;
	struct vl_err err;

	(void)res;
	vl_err_set(&err, -ECONNRESET, "the peer closed the connection");
	backend_close(be, &err);
}

/* Nobody reads the connection now: that the front-end has left has to be watched for. */
static void hold(struct vu_backend *be, struct vu_msg *msg)
{
	struct vl_err err;
	int ret;

	be->held = *msg;
	msg->nr_fds = 0;
	ret = loop_poll(be->loop, vu_conn_fd(be->conn), POLLRDHUP, on_hangup, be, &be->hangup);
	if (!ret)
		return;
	vl_err_set(&err, ret, "cannot watch the connection: %s", vl_strerror(ret));
	backend_close(be, &err);
}

static void on_message(void *ctx, struct vu_msg *msg)
{
	struct vu_backend *be = ctx;
	struct vu_reply reply;
	struct vl_err err;
	int ret;

	reply_init(&reply, msg->hdr.request);
	ret = handle(be, msg, &reply, &err);
	if (ret == VU_LATER)
		hold(be, msg);
	else
		finish(be, &msg->hdr, ret, &reply, &err);
	if (be->faulted)
		backend_advance(be);
}

/* Handles the rest of a message, now or when the condition holds. */
int backend_wait(struct vu_backend *be, struct vu_msg *msg, struct vu_reply *reply,
		 struct vl_err *err, vu_ready_fn *ready, vu_handler_fn *then)
{
	if (ready(be))
		return then(be, msg, reply, err);
	be->ready = ready;
	be->then = then;
	return VU_LATER;
}

static void release_held(struct vu_backend *be)
{
	loop_op_remove(&be->hangup);
	vu_msg_close_fds(&be->held);
	be->held.nr_fds = 0;
	be->then = NULL;
}

static void go_on(struct vu_backend *be)
{
	struct vu_msg msg = be->held;
	vu_handler_fn *then = be->then;
	struct vu_reply reply;
	struct vl_err err;
	int ret;

	be->held.nr_fds = 0;
	release_held(be);
	reply_init(&reply, msg.hdr.request);
	ret = then(be, &msg, &reply, &err);
	if (ret == VU_LATER)
		hold(be, &msg);
	else
		finish(be, &msg.hdr, ret, &reply, &err);
	vu_msg_close_fds(&msg);
}

static bool is_quiet(const struct vu_backend *be)
{
	return rings_are_idle(be) && state_is_idle(be);
}

/* All that was negotiated and handed over; nothing is in flight. */
static void clear_session(struct vu_backend *be)
{
	const struct vdev *vdev = be->vdev;

	for (unsigned int i = 0; i < vdev->num_queues; i++) {
		ring_stop(&be->rings[i]);
		ring_reset(&be->rings[i]);
		ring_put_err(&be->rings[i]);
	}
	state_reset(be);
	postcopy_reset(be);
	migrate_reset(be);
	memory_reset(be);
	be->features = 0;
	be->told = false;
	be->protocol_features = 0;
	be->status = 0;
	be->faulted = 0;
	if (vdev->ops->reset)
		vdev->ops->reset(vdev->dev);
}

static void closed(struct vu_backend *be)
{
	struct vl_err err = be->closed;

	clear_session(be);
	be->closing = false;
	be->config.ops->closed(be->config.ctx, &err);
}

/* Ends the connection at once; what it leaves behind is cleared when nothing is in flight. */
static void let_go(struct vu_backend *be)
{
	be->closing = true;
	release_held(be);
	channel_close(be);
	vu_conn_destroy(be->conn);
	be->conn = NULL;
	vl_fd_close(&be->reply_fd);
	if (be->next_mem)
		vu_mem_unmap(be->next_mem);
	free(be->next_mem);
	be->next_mem = NULL;
	rings_quiesce(be, true);
	state_reset(be);
}

void backend_close(struct vu_backend *be, const struct vl_err *err)
{
	if (!be->conn)
		return;
	be->closed = *err;
	let_go(be);
	if (is_quiet(be))
		closed(be);
}

static void advance(void *ctx, int res)
{
	struct vu_backend *be = ctx;
	struct vl_err err;

	(void)res;
	if (be->closing) {
		if (is_quiet(be))
			closed(be);
	} else if (be->faulted && be->conn) {
		vl_err_set(&err, -EFAULT, "a file that it handed over was truncated");
		backend_close(be, &err);
	} else if (be->then && be->ready(be)) {
		go_on(be);
	}
}

/* Something that could have been waited for has happened. */
void backend_advance(struct vu_backend *be)
{
	loop_task_add(be->loop, &be->advance);
}

static void on_closed(void *ctx, const struct vl_err *err)
{
	backend_close(ctx, err);
}

static int on_header(void *ctx, const struct vu_header *hdr, unsigned int nr_fds,
		     struct vl_err *err)
{
	if (memory_takes_header(ctx, hdr))
		return 0;
	return vu_request_check_header(hdr, nr_fds, err);
}

static void on_sent(void *ctx)
{
	struct vu_backend *be = ctx;

	vl_fd_close(&be->reply_fd);
}

static const struct vu_conn_ops conn_ops = {
	.check_header = on_header,
	.message = on_message,
	.sent = on_sent,
	.closed = on_closed,
};

static void config_changed(struct vdev *vdev)
{
	struct vu_backend *be = vdev->transport;

	be->channel.config_due = has_protocol(be, VU_PROTOCOL_F_CONFIG);
	channel_pump(be);
}

int vu_backend_create(struct vu_backend **be, struct loop *loop, struct vdev *vdev,
		      const struct vu_backend_config *config)
{
	struct vu_backend *b;

	if (!vdev->num_queues || vdev->num_queues > VU_QUEUES_MAX)
		return -EINVAL;
	b = calloc(1, sizeof(*b) + vdev->num_queues * sizeof(b->rings[0]));
	if (!b)
		return -ENOMEM;
	b->loop = loop;
	b->vdev = vdev;
	b->config = *config;
	b->config.postcopy = config->postcopy && postcopy_works();
	b->mem.faulted = &b->faulted;
	b->log_fd = -1;
	b->reply_fd = -1;
	b->postcopy.ufd = -1;
	b->advance = (struct loop_task){ .fn = advance, .ctx = b };
	state_init(&b->state);
	channel_init(b);
	for (unsigned int i = 0; i < vdev->num_queues; i++)
		ring_init(&b->rings[i], b, i);
	vdev->transport = b;
	vdev->config_changed = config_changed;
	*be = b;
	return 0;
}

int vu_backend_attach(struct vu_backend *be, int fd)
{
	int ret;

	if (be->conn || be->closing)
		return -EBUSY;
	ret = vu_conn_create(&be->conn, be->loop, fd, &conn_ops, be);
	if (ret)
		return ret;
	for (unsigned int i = 0; i < be->vdev->num_queues; i++)
		be->rings[i].stats = (struct vu_vring_stats){ 0 };
	vu_conn_next(be->conn);
	return 0;
}

bool vu_backend_shutdown(struct vu_backend *be)
{
	bool was = be->conn;
	struct vl_err err;

	vl_err_set(&err, -ESHUTDOWN, "the back-end is shutting down");
	backend_close(be, &err);
	return was;
}

void vu_backend_destroy(struct vu_backend *be)
{
	uint64_t deadline_ns = loop_now_ns() + DESTROY_NS;

	if (!be)
		return;
	if (be->conn)
		let_go(be);
	/* its end is ours to see: closed() is not called any more */
	loop_task_remove(be->loop, &be->advance);
	be->closing = false;
	while (!is_quiet(be) && loop_now_ns() < deadline_ns)
		if (loop_run_once(be->loop, deadline_ns))
			break;
	be->vdev->transport = NULL;
	be->vdev->config_changed = NULL;
	/* leaked: the device or the kernel still writes there */
	if (!is_quiet(be))
		return;
	clear_session(be);
	loop_task_remove(be->loop, &be->advance);
	free(be);
}
