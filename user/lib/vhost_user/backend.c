// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Requests of a front-end: check by the table, handle, answer.
 *
 * A request that fails is refused with a non-zero acknowledgement where one is
 * due. Where none is, the front-end cannot be told otherwise than by closing the
 * connection, for going on would leave it believing what is not so.
 */
#include <errno.h>
#include <stdlib.h>

#include <vringlab/err.h>
#include <vringlab/fd.h>

#include "backend.h"

static uint64_t offered_features(const struct vu_backend *be)
{
	return be->device->features | vu_feature(VU_F_PROTOCOL_FEATURES);
}

static uint64_t offered_protocol_features(void)
{
	return vu_feature(VU_PROTOCOL_F_MQ) | vu_feature(VU_PROTOCOL_F_REPLY_ACK);
}

static int get_features(struct vu_backend *be, struct vu_msg *msg, union vu_payload *reply,
			struct vl_err *err)
{
	(void)msg;
	(void)err;
	reply->u64 = offered_features(be);
	return 0;
}

static int set_features(struct vu_backend *be, struct vu_msg *msg, union vu_payload *reply,
			struct vl_err *err)
{
	uint64_t features = msg->payload.u64;
	int ret = 0;

	(void)reply;
	if (features & ~offered_features(be))
		return vl_err_set(err, -EINVAL, "features 0x%llx were not offered",
				  (unsigned long long)(features & ~offered_features(be)));
	be->features = features;
	if (vu_has_feature(features, VU_F_PROTOCOL_FEATURES))
		return 0;
	/* "Ring states": then there is no SET_VRING_ENABLE, and all are enabled now */
	for (unsigned int i = 0; i < be->device->num_queues && !ret; i++)
		ret = ring_set_enabled(&be->rings[i], true, err);
	return ret;
}

static int set_owner(struct vu_backend *be, struct vu_msg *msg, union vu_payload *reply,
		     struct vl_err *err)
{
	/* the session is the connection */
	(void)be;
	(void)msg;
	(void)reply;
	(void)err;
	return 0;
}

static int reset_owner(struct vu_backend *be, struct vu_msg *msg, union vu_payload *reply,
		       struct vl_err *err)
{
	(void)msg;
	(void)reply;
	/* deprecated; "ignore, or disable all rings" */
	for (unsigned int i = 0; i < be->device->num_queues; i++)
		ring_set_enabled(&be->rings[i], false, err);
	return 0;
}

static int set_mem_table(struct vu_backend *be, struct vu_msg *msg, union vu_payload *reply,
			 struct vl_err *err)
{
	const struct vu_mem_table *table = &msg->payload.mem;
	struct vring_layout layout;
	struct vu_mem mem;
	unsigned int i;
	int ret;

	(void)reply;
	ret = vu_mem_map(&mem, table->regions, msg->fds, table->nr_regions, err);
	if (ret)
		return ret;
	for (i = 0; i < be->device->num_queues && !ret; i++)
		if (be->rings[i].started)
			ret = ring_resolve(&be->rings[i], &mem.table, &layout, err);
	if (ret) {
		vu_mem_unmap(&mem);
		return ret;
	}
	vu_mem_unmap(&be->mem);
	be->mem = mem;
	/* running rings move with their memory; the others may start now */
	for (i = 0; i < be->device->num_queues; i++) {
		struct vu_ring *ring = &be->rings[i];

		if (ring->started && !ring_resolve(ring, &be->mem.table, &layout, NULL))
			vring_dev_move(&ring->dev, &layout);
		ring_poke(ring);
	}
	return 0;
}

static int set_vring_num(struct vu_backend *be, struct vu_msg *msg, union vu_payload *reply,
			 struct vl_err *err)
{
	const struct vu_vring_state *state = &msg->payload.state;

	(void)reply;
	return ring_set_num(&be->rings[state->index], state->num, err);
}

static int set_vring_addr(struct vu_backend *be, struct vu_msg *msg, union vu_payload *reply,
			  struct vl_err *err)
{
	const struct vu_vring_addr *addr = &msg->payload.addr;

	(void)reply;
	return ring_set_addr(&be->rings[addr->index], addr, err);
}

static int set_vring_base(struct vu_backend *be, struct vu_msg *msg, union vu_payload *reply,
			  struct vl_err *err)
{
	const struct vu_vring_state *state = &msg->payload.state;

	(void)reply;
	return ring_set_base(&be->rings[state->index], state->num, err);
}

static int get_vring_base(struct vu_backend *be, struct vu_msg *msg, union vu_payload *reply,
			  struct vl_err *err)
{
	const struct vu_vring_state *state = &msg->payload.state;

	(void)err;
	reply->state.index = state->index;
	reply->state.num = ring_stop(&be->rings[state->index]);
	return 0;
}

static int set_vring_fd(struct vu_backend *be, struct vu_msg *msg, union vu_payload *reply,
			struct vl_err *err)
{
	struct vu_ring *ring = &be->rings[msg->payload.u64 & VU_FD_INDEX_MASK];
	int none = -1;
	int *fd = msg->nr_fds ? &msg->fds[0] : &none;

	(void)reply;
	switch (msg->hdr.request) {
	case VU_SET_VRING_KICK:
		return ring_set_kick(ring, fd, err);
	case VU_SET_VRING_CALL:
		return ring_set_call(ring, fd, err);
	default:
		return ring_set_err(ring, fd, err);
	}
}

static int get_protocol_features(struct vu_backend *be, struct vu_msg *msg, union vu_payload *reply,
				 struct vl_err *err)
{
	(void)be;
	(void)msg;
	(void)err;
	reply->u64 = offered_protocol_features();
	return 0;
}

static int set_protocol_features(struct vu_backend *be, struct vu_msg *msg, union vu_payload *reply,
				 struct vl_err *err)
{
	uint64_t unknown = msg->payload.u64 & ~offered_protocol_features();

	(void)reply;
	if (unknown)
		return vl_err_set(err, -EINVAL, "protocol features 0x%llx were not offered",
				  (unsigned long long)unknown);
	be->protocol_features = msg->payload.u64;
	return 0;
}

static int get_queue_num(struct vu_backend *be, struct vu_msg *msg, union vu_payload *reply,
			 struct vl_err *err)
{
	(void)msg;
	(void)err;
	reply->u64 = be->device->num_queues;
	return 0;
}

static int set_vring_enable(struct vu_backend *be, struct vu_msg *msg, union vu_payload *reply,
			    struct vl_err *err)
{
	const struct vu_vring_state *state = &msg->payload.state;

	(void)reply;
	if (state->num > 1)
		return vl_err_set(err, -EINVAL, "vring %u can be enabled by 1 or 0, not %u",
				  state->index, state->num);
	return ring_set_enabled(&be->rings[state->index], state->num, err);
}

typedef int handler_fn(struct vu_backend *be, struct vu_msg *msg, union vu_payload *reply,
		       struct vl_err *err);

static handler_fn *const handlers[] = {
	[VU_GET_FEATURES] = get_features,
	[VU_SET_FEATURES] = set_features,
	[VU_SET_OWNER] = set_owner,
	[VU_RESET_OWNER] = reset_owner,
	[VU_SET_MEM_TABLE] = set_mem_table,
	[VU_SET_VRING_NUM] = set_vring_num,
	[VU_SET_VRING_ADDR] = set_vring_addr,
	[VU_SET_VRING_BASE] = set_vring_base,
	[VU_GET_VRING_BASE] = get_vring_base,
	[VU_SET_VRING_KICK] = set_vring_fd,
	[VU_SET_VRING_CALL] = set_vring_fd,
	[VU_SET_VRING_ERR] = set_vring_fd,
	[VU_GET_PROTOCOL_FEATURES] = get_protocol_features,
	[VU_SET_PROTOCOL_FEATURES] = set_protocol_features,
	[VU_GET_QUEUE_NUM] = get_queue_num,
	[VU_SET_VRING_ENABLE] = set_vring_enable,
};

static int check_gate(const struct vu_backend *be, const struct vu_msg_info *info,
		      struct vl_err *err)
{
	if (info->gate == VU_GATE_ACKED && !vu_has_feature(be->features, VU_F_PROTOCOL_FEATURES))
		return vl_err_set(err, -EPROTO, "VHOST_USER_F_PROTOCOL_FEATURES is not negotiated");
	if (info->protocol & ~be->protocol_features)
		return vl_err_set(err, -EPROTO, "protocol features 0x%llx are not negotiated",
				  (unsigned long long)(info->protocol & ~be->protocol_features));
	return 0;
}

static handler_fn *find_handler(uint32_t request)
{
	return request < sizeof(handlers) / sizeof(handlers[0]) ? handlers[request] : NULL;
}

static int handle(struct vu_backend *be, struct vu_msg *msg, union vu_payload *reply,
		  struct vl_err *err)
{
	const struct vu_msg_info *info = vu_msg_info(msg->hdr.request);
	handler_fn *handler = find_handler(msg->hdr.request);
	uint32_t index;
	int ret;

	ret = vu_request_check_payload(msg, err);
	if (!ret)
		ret = check_gate(be, info, err);
	if (ret)
		return ret;
	if (!handler)
		return vl_err_set(err, -ENOTSUP, "this back-end does not do that");
	if (vu_request_index(msg, &index) && index >= be->device->num_queues)
		return vl_err_set(err, -EINVAL, "there is no vring %u, only %u of them", index,
				  be->device->num_queues);
	return handler(be, msg, reply, err);
}

static void reset(struct vu_backend *be)
{
	for (unsigned int i = 0; i < be->device->num_queues; i++)
		ring_reset(&be->rings[i]);
	vu_mem_unmap(&be->mem);
	vu_conn_destroy(be->conn);
	be->conn = NULL;
	be->features = 0;
	be->protocol_features = 0;
}

static void on_closed(void *ctx, const struct vl_err *err)
{
	struct vu_backend *be = ctx;

	reset(be);
	be->device->closed(be->ctx, err);
}

static void reply(struct vu_backend *be, uint32_t request, enum vu_payload_type type,
		  const union vu_payload *payload)
{
	/* "Header": exactly these flags, NEED_REPLY is the request's */
	const struct vu_header hdr = {
		.request = request,
		.flags = VU_VERSION | VU_REPLY,
		.size = vu_payload_size_max(type),
	};
	int ret = vu_conn_send(be->conn, &hdr, payload, NULL, 0);
	struct vl_err err;

	if (!ret) {
		vu_conn_next(be->conn);
		return;
	}
	vl_err_set(&err, ret, "cannot reply to %s: %s", vu_msg_name(request), vl_strerror(ret));
	on_closed(be, &err);
}

static void on_message(void *ctx, struct vu_msg *msg)
{
	const struct vu_msg_info *info = vu_msg_info(msg->hdr.request);
	union vu_payload payload = { 0 };
	struct vu_backend *be = ctx;
	struct vl_err err;
	bool ack;
	int ret;

	ret = handle(be, msg, &payload, &err);
	if (ret)
		vl_err_prefix(&err, "%s", info->name);
	/* only now: SET_PROTOCOL_FEATURES itself may have negotiated it */
	ack = info->reply == VU_PAYLOAD_NONE && msg->hdr.flags & VU_NEED_REPLY &&
	      vu_has_feature(be->protocol_features, VU_PROTOCOL_F_REPLY_ACK);
	if (ret && !ack) {
		on_closed(be, &err);
		return;
	}
	if (ret && be->device->refused)
		be->device->refused(be->ctx, &err);
	if (ack) {
		payload.u64 = -ret;
		reply(be, info->id, VU_PAYLOAD_U64, &payload);
	} else if (info->reply != VU_PAYLOAD_NONE) {
		reply(be, info->id, info->reply, &payload);
	} else {
		vu_conn_next(be->conn);
	}
}

static int on_header(void *ctx, const struct vu_header *hdr, unsigned int nr_fds,
		     struct vl_err *err)
{
	(void)ctx;
	return vu_request_check_header(hdr, nr_fds, err);
}

static const struct vu_conn_ops conn_ops = {
	.check_header = on_header,
	.message = on_message,
	.closed = on_closed,
};

int vu_backend_create(struct vu_backend **be, struct loop *loop, const struct vu_device *device,
		      void *ctx)
{
	struct vu_backend *b;

	if (!device->num_queues || device->num_queues > VU_QUEUES_MAX)
		return -EINVAL;
	b = calloc(1, sizeof(*b) + device->num_queues * sizeof(b->rings[0]));
	if (!b)
		return -ENOMEM;
	b->loop = loop;
	b->device = device;
	b->ctx = ctx;
	for (unsigned int i = 0; i < device->num_queues; i++)
		ring_init(&b->rings[i], b, i);
	*be = b;
	return 0;
}

int vu_backend_attach(struct vu_backend *be, int fd)
{
	int ret;

	if (be->conn)
		return -EBUSY;
	ret = vu_conn_create(&be->conn, be->loop, fd, &conn_ops, be);
	if (ret)
		return ret;
	vu_conn_next(be->conn);
	return 0;
}

void vu_backend_destroy(struct vu_backend *be)
{
	if (!be)
		return;
	reset(be);
	free(be);
}
