// SPDX-License-Identifier: GPL-2.0-only
/*
 * The front-end against a back-end that answers, and asks, what the input says. Both
 * are on the front-end's loop, so that none of them waits for the other: a back-end
 * that has nothing more to say leaves.
 */
#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <vringlab/err.h>
#include <vringlab/fd.h>

#include "../lib/vhost_user/frontend.h"
#include "fuzz.h"
#include "peer.h"
#include "uring.h"

#define STEPS_MAX 64u

/* For what a reply alone does not end: the pipe of a transfer. */
#define TIMEOUT_MS 20u

/* More than fits in a pipe. */
#define STATE_BYTES (128u << 10)

/**
 * struct rig - A front-end and its back-end
 * @sock:	The back-end's end.
 * @receiving:	Its next receive.
 * @channel:	The socket that it was given, -1 for none.
 * @kept:	The pipe that it was given and did not close, -1 for none.
 */
struct rig {
	struct fuzz_input *in;
	struct vu_frontend *fe;
	int sock;
	struct loop_op *receiving;
	int channel;
	int kept;
	struct fuzz_fds fds;
};

static char dir[32];
static struct sockaddr_un address = { .sun_family = AF_UNIX };
static int listener = -1;
static uint8_t state[STATE_BYTES];

static void clean_up(void)
{
	unlink(address.sun_path);
	rmdir(dir);
}

static void start_listening(void)
{
	/* says so, and ends the process, where there is no io_uring */
	loop_destroy(fuzz_loop());
	snprintf(dir, sizeof(dir), "/tmp/fuzz-frontend-XXXXXX");
	FUZZ_CHECK(mkdtemp(dir));
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", dir);
	atexit(clean_up);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	FUZZ_CHECK(!bind(listener, (struct sockaddr *)&address, sizeof(address)));
	FUZZ_CHECK(!listen(listener, 1));
}

/* The back-end */

static void on_request(void *ctx, int res, const struct loop_received *msg);

static void receive(struct rig *r)
{
	FUZZ_CHECK(!loop_recv(r->fe->loop, r->sock, sizeof(struct vu_header) + 4096, on_request, r,
			      &r->receiving));
}

/* The payload of an honest answer. */
static void honest(const struct vu_header *request, const void *payload, union vu_payload *reply)
{
	memset(reply, 0, sizeof(*reply));
	switch (request->request) {
	case VU_GET_FEATURES:
	case VU_GET_PROTOCOL_FEATURES:
	case VU_GET_QUEUE_NUM:
		reply->u64 = UINT64_MAX;
		break;
	case VU_SET_DEVICE_STATE_FD:
		reply->u64 = VU_FD_NONE;
		break;
	case VU_GET_INFLIGHT_FD:
	case VU_GET_CONFIG:
		memcpy(reply, payload, request->size);
		reply->inflight.mmap_size = UINT32_MAX;
		break;
	default:
		break;
	}
}

static void reply_to(struct rig *r, const struct vu_header *request, const void *payload)
{
	const struct vu_msg_info *info = vu_msg_info(request->request);
	uint8_t how = fuzz_u8(r->in);
	uint8_t bytes[sizeof(struct vu_header) + sizeof(union vu_payload)] = { 0 };
	struct vu_header hdr = {
		.request = request->request,
		.flags = VU_VERSION | VU_REPLY,
		.size = info->reply == VU_PAYLOAD_NONE ? 8 : vu_payload_size_max(info->reply),
	};
	unsigned int nr_fds = 0;
	union vu_payload reply;
	int fds[4];

	if (info->reply == VU_PAYLOAD_CONFIG)
		hdr.size = request->size;
	/* most are honest: what comes later is to be reached */
	if (how < 0xc0)
		how = 0;
	if (how & 1)
		hdr.flags = fuzz_u8(r->in);
	if (how & 2)
		hdr.size = fuzz_u16(r->in) % (sizeof(reply) + 1);
	if (how & 4)
		hdr.request = fuzz_u8(r->in);
	honest(request, payload, &reply);
	if (how & 8)
		fuzz_some(r->in, &reply, fuzz_u8(r->in));
	if (how & 16 || request->request == VU_GET_INFLIGHT_FD)
		nr_fds = fuzz_u8(r->in) % 4;
	for (unsigned int i = 0; i < nr_fds; i++)
		fds[i] = fuzz_fd(&r->fds, fuzz_u8(r->in) % FD_NR);
	memcpy(bytes, &hdr, sizeof(hdr));
	memcpy(bytes + sizeof(hdr), &reply, sizeof(reply));
	if (how & 32)
		hdr.size = fuzz_u8(r->in);
	fuzz_send(r->sock, bytes, sizeof(hdr) + hdr.size, fds, nr_fds);
}

/* The end of a pipe: closed, perhaps after there was something in it, or kept. */
static void use_pipe(struct rig *r, const struct vu_device_state *params, int fd)
{
	uint8_t how = fuzz_u8(r->in);
	uint8_t bytes[UINT8_MAX];
	size_t size = params->direction ? 0 : fuzz_some(r->in, bytes, how);

	vl_fd_close(&r->kept);
	if (size && write(fd, bytes, size) < 0)
		size = 0;
	if (how % 8 == 7)
		r->kept = vl_fd_take(&fd);
	vl_fd_close(&fd);
}

static void take_fd(struct rig *r, uint32_t request, const void *payload, int fd)
{
	if (request == VU_SET_BACKEND_REQ_FD) {
		vl_fd_close(&r->channel);
		r->channel = fd;
	} else if (request == VU_SET_DEVICE_STATE_FD) {
		use_pipe(r, payload, fd);
	} else {
		close(fd);
	}
}

/* Requests come one at a time, and whole: the front-end waits for each. */
static void on_request(void *ctx, int res, const struct loop_received *msg)
{
	struct rig *r = ctx;
	struct vu_header hdr = { 0 };

	if (res >= (int)sizeof(hdr))
		memcpy(&hdr, msg->data, sizeof(hdr));
	for (unsigned int i = 0; i < msg->nr_fds; i++)
		take_fd(r, hdr.request, msg->data + sizeof(hdr), msg->fds[i]);
	if (!hdr.request)
		return;
	if (!r->in->size) {
		vl_fd_close(&r->channel);
		vl_fd_close(&r->sock);
		return;
	}
	if (hdr.flags & VU_NEED_REPLY || vu_msg_info(hdr.request)->reply != VU_PAYLOAD_NONE)
		reply_to(r, &hdr, msg->data + sizeof(hdr));
	receive(r);
}

/* On the channel, what the table has, or anything. */
static void say(struct rig *r)
{
	struct vu_header hdr = { .request = fuzz_u8(r->in) % 16, .flags = VU_VERSION };
	const struct vu_msg_info *info = vu_channel_info(hdr.request);
	uint8_t bytes[sizeof(hdr) + 256], how = fuzz_u8(r->in);
	int fd;

	if (r->channel < 0)
		return;
	hdr.size = info ? vu_payload_size_max(info->request) : 8;
	if (how & 1)
		hdr.flags |= VU_NEED_REPLY;
	if (how >= 0xf0)
		hdr.flags = fuzz_u8(r->in);
	if (how >= 0xe0)
		hdr.size = fuzz_u8(r->in);
	memcpy(bytes, &hdr, sizeof(hdr));
	fuzz_take(r->in, bytes + sizeof(hdr), hdr.size);
	fd = fuzz_fd(&r->fds, FD_CALL);
	fuzz_send(r->channel, bytes, sizeof(hdr) + hdr.size, &fd, how / 2 % 16 == 15);
}

static void hear(struct rig *r)
{
	uint8_t bytes[4096];
	int fd;

	if (r->channel < 0)
		return;
	while (fuzz_receive(r->channel, bytes, sizeof(bytes), &fd))
		vl_fd_close(&fd);
}

/* The front-end */

static void rig_init(struct rig *r, struct fuzz_input *in)
{
	struct vl_err err;

	*r = (struct rig){ .in = in, .channel = -1, .kept = -1 };
	fuzz_fds_init(&r->fds);
	FUZZ_CHECK(!vu_frontend_connect(&r->fe, address.sun_path, TIMEOUT_MS, &err));
	r->sock = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	FUZZ_CHECK(r->sock >= 0);
	receive(r);
}

static int on_iotlb(void *ctx, const struct vu_iotlb *iotlb)
{
	struct rig *r = ctx;

	return iotlb->type == 1 && r->in->size & 1 ? -EINVAL : 0;
}

static void on_index(void *ctx, uint32_t index)
{
	(void)ctx;
	(void)index;
}

static const struct vu_frontend_channel_ops channel_ops = {
	.iotlb = on_iotlb,
	.vring_call = on_index,
	.vring_err = on_index,
};

static void negotiate(struct rig *r)
{
	uint8_t how = fuzz_u8(r->in);
	uint64_t required = how >= 0xf0 ? fuzz_u64(r->in) : 0;
	const struct vu_frontend_wish wish = {
		.required = required,
		.optional = UINT64_MAX,
		.protocol = how >= 0xe0 ? fuzz_u32(r->in) : UINT64_MAX,
	};
	struct vl_err err;

	if (how & 4)
		vu_frontend_negotiate(r->fe, wish.required, &err);
	else
		vu_frontend_open(r->fe, &wish, &err);
}

static void ask(struct rig *r)
{
	struct vl_err err;
	uint64_t u64;

	switch (fuzz_u8(r->in) % 6) {
	case 0:
		vu_frontend_get_queue_num(r->fe, &u64, &err);
		break;
	case 1:
		vu_frontend_get_status(r->fe, &u64, &err);
		break;
	case 2:
		vu_frontend_set_status(r->fe, 1, &err);
		break;
	case 3:
		vu_frontend_reset_device(r->fe, &err);
		break;
	case 4:
		vu_frontend_get_mem_slots(r->fe, &u64, &err);
		break;
	default:
		vu_frontend_set_features(r->fe, fuzz_u64(r->in), &err);
	}
}

static void use_config(struct rig *r)
{
	uint8_t how = fuzz_u8(r->in), size = fuzz_u8(r->in);
	uint8_t *bytes = calloc(1, size + 1);
	struct vl_err err;

	FUZZ_CHECK(bytes);
	if (how & 1)
		vu_frontend_set_config(r->fe, how, bytes, size, how & 2, &err);
	else
		vu_frontend_get_config(r->fe, how, bytes, size, &err);
	free(bytes);
}

static void use_memory(struct rig *r)
{
	const struct vu_frontend_region region = {
		.guest_addr = 0x10000,
		.user_addr = 0x20000,
		.size = FD_MEMORY_BYTES,
		.fd = fuzz_fd(&r->fds, FD_MEMORY),
	};
	const struct vu_iotlb iotlb = { .iova = 1, .size = 1, .type = 2, .perm = 3 };
	struct vl_err err;

	switch (fuzz_u8(r->in) % 4) {
	case 0:
		vu_frontend_set_mem_table(r->fe, &region, 1, &err);
		break;
	case 1:
		vu_frontend_add_region(r->fe, &region, &err);
		break;
	case 2:
		vu_frontend_remove_region(r->fe, &region, &err);
		break;
	default:
		vu_frontend_iotlb(r->fe, &iotlb, &err);
	}
}

static void use_ring(struct rig *r)
{
	uint8_t how = fuzz_u8(r->in);
	const struct vu_frontend_vring vring = {
		.num = 8,
		.kick_fd = how & 16 ? -1 : fuzz_fd(&r->fds, FD_KICK),
		.call_fd = how & 32 ? -1 : fuzz_fd(&r->fds, FD_CALL),
	};
	struct vl_err err;
	uint32_t base;

	switch (how % 8) {
	case 0:
		vu_frontend_start_vring(r->fe, &vring, &err);
		break;
	case 1:
		vu_frontend_stop_vring(r->fe, 0, &base, &err);
		break;
	case 2:
		vu_frontend_suspend_vring(r->fe, 0, &base, &err);
		break;
	case 3:
		vu_frontend_set_vring_addr(r->fe, &vring, &err);
		break;
	case 4:
		vu_frontend_enable_vring(r->fe, 0, true, &err);
		break;
	case 5:
		vu_frontend_set_vring_err(r->fe, 0, vring.call_fd, &err);
		break;
	default:
		vu_frontend_kick_vring(r->fe, 0, &err);
	}
}

static void migrate(struct rig *r)
{
	struct vu_inflight inflight = { .num_queues = 2, .queue_size = 8 };
	uint8_t how = fuzz_u8(r->in);
	struct vl_err err;
	int fd = -1;

	switch (how % 5) {
	case 0:
		vu_frontend_set_log(r->fe, fuzz_fd(&r->fds, FD_LOG), 0, FD_SMALL_BYTES, &err);
		break;
	case 1:
		vu_frontend_set_log_fd(r->fe, fuzz_fd(&r->fds, FD_CALL), &err);
		break;
	case 2:
		if (vu_frontend_get_inflight(r->fe, &inflight, &fd, &err))
			break;
		FUZZ_CHECK(fd >= 0 && inflight.num_queues == 2 && inflight.queue_size == 8);
		vu_frontend_set_inflight(r->fe, &inflight, fd, &err);
		vl_fd_close(&fd);
		break;
	case 3:
		vu_frontend_save_state(r->fe, state, how, &err);
		break;
	default:
		vu_frontend_load_state(r->fe, state, how & 0x80 ? STATE_BYTES : how, &err);
	}
	vl_fd_close(&r->kept);
}

static void use_channel(struct rig *r)
{
	struct vl_err err;

	if (fuzz_u8(r->in) & 1)
		vu_frontend_serve(r->fe, 0);
	else
		vu_frontend_open_channel(r->fe, &channel_ops, r, &err);
}

static void (*const steps[])(struct rig *) = {
	negotiate,   ask, use_config, use_memory, use_ring,    migrate,
	use_channel, say, hear,	      say,	  use_channel,
};

static void rig_exit(struct rig *r)
{
	loop_op_remove(&r->receiving);
	vu_frontend_destroy(r->fe);
	vl_fd_close(&r->sock);
	vl_fd_close(&r->channel);
	vl_fd_close(&r->kept);
	fuzz_fds_exit(&r->fds);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	unsigned int fds;
	struct rig r;

	if (listener < 0)
		start_listening();
	fds = fuzz_count_fds();
	rig_init(&r, &in);
	for (unsigned int n = 0; n < STEPS_MAX && in.size; n++)
		steps[fuzz_u8(&in) % (sizeof(steps) / sizeof(steps[0]))](&r);
	rig_exit(&r);
	FUZZ_CHECK(fuzz_count_fds() == fds);
	return 0;
}
