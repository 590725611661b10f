// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <vringlab/fd.h>
#include <vringlab/loop.h>

#include "t.h"
#include "t_peer.h"
#include "t_script.h"

static void keep(struct t_script *s, uint32_t request, int *fds, unsigned int nr)
{
	if (nr && (request == VU_SET_BACKEND_REQ_FD || request == VU_SET_DEVICE_STATE_FD)) {
		vl_fd_close(&s->kept);
		s->kept = vl_fd_take(&fds[0]);
	}
	for (unsigned int i = 0; i < nr; i++)
		vl_fd_close(&fds[i]);
}

static int receive_request(struct t_script *s, int fd, struct vu_header *hdr,
			   union vu_payload *payload)
{
	union {
		char bytes[CMSG_SPACE(8 * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { hdr, sizeof(*hdr) };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control.bytes,
			      .msg_controllen = sizeof(control.bytes) };
	unsigned int nr_fds = 0;
	struct cmsghdr *cmsg;
	int fds[8];

	if (recvmsg(fd, &msg, MSG_WAITALL | MSG_CMSG_CLOEXEC) != sizeof(*hdr))
		return -ECONNRESET;
	cmsg = CMSG_FIRSTHDR(&msg);
	if (cmsg) {
		nr_fds = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(fds, CMSG_DATA(cmsg), nr_fds * sizeof(int));
	}
	keep(s, hdr->request, fds, nr_fds);
	s->seen[s->nr_seen] = hdr->request;
	s->flags[s->nr_seen] = hdr->flags;
	s->fds[s->nr_seen++] = nr_fds;
	if (hdr->size > sizeof(*payload))
		return -EMSGSIZE;
	return hdr->size ? t_read_until(fd, payload, hdr->size, T_DEADLINE_MS) : 0;
}

/* Makes the reply of a message that has one of its own. Returns whether it has. */
static bool make_reply(const struct t_script *s, struct vu_header *hdr, union vu_payload *payload)
{
	uint32_t size = hdr->size;

	hdr->size = 8;
	switch (hdr->request) {
	case VU_GET_FEATURES:
		payload->u64 = s->features;
		return true;
	case VU_GET_PROTOCOL_FEATURES:
		payload->u64 = s->protocol;
		return true;
	case VU_GET_QUEUE_NUM:
	case VU_GET_MAX_MEM_SLOTS:
		payload->u64 = 8;
		return true;
	case VU_GET_VRING_BASE:
		payload->state.num = 77;
		return true;
	case VU_SET_DEVICE_STATE_FD:
		payload->u64 = VU_FD_NONE;
		return true;
	case VU_GET_STATUS:
	case VU_IOTLB_MSG:
	case VU_SET_LOG_BASE:
	case VU_CHECK_DEVICE_STATE:
		payload->u64 = 0;
		return true;
	case VU_GET_INFLIGHT_FD:
	case VU_GET_CONFIG:
		hdr->size = size;
		return true;
	default:
		return false;
	}
}

static bool act(struct t_script *s, struct vu_header *hdr, union vu_payload *payload)
{
	bool ack = hdr->flags & 0x8;

	hdr->flags = 0x5;
	if (hdr->request == VU_SET_FEATURES)
		s->acked = payload->u64;
	if (hdr->request == VU_SET_PROTOCOL_FEATURES)
		s->acked_protocol = payload->u64;
	if (make_reply(s, hdr, payload))
		return true;
	payload->u64 = 0;
	return ack;
}

int t_script_send(int fd, const struct vu_header *hdr, const union vu_payload *payload)
{
	return t_peer_request(fd, hdr->request, hdr->flags, payload, hdr->size);
}

int t_script_answer_slots(struct t_script *s, int fd, const struct vu_header *hdr,
			  const union vu_payload *payload)
{
	const union vu_payload slots = { .u64 = *(const uint64_t *)s->data };

	return t_script_send(fd, hdr, hdr->request == VU_GET_MAX_MEM_SLOTS ? &slots : payload);
}

bool t_script_may_use_io_uring(void)
{
	struct loop *loop;
	int ret = loop_create(&loop, NULL);

	if (!ret)
		loop_destroy(loop);
	return ret != -EPERM && ret != -ENOSYS;
}

static void *follow(void *arg)
{
	struct t_script *s = arg;
	int fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC);
	union vu_payload payload;
	struct vu_header hdr;

	while (s->nr_seen < T_SCRIPT_SEEN && !receive_request(s, fd, &hdr, &payload)) {
		int ret = 0;

		if (!act(s, &hdr, &payload))
			continue;
		if (s->answer)
			ret = s->answer(s, fd, &hdr, &payload);
		else
			ret = t_script_send(fd, &hdr, &payload);
		if (ret < 0)
			break;
	}
	close(fd);
	vl_fd_close(&s->kept);
	return NULL;
}

int t_script_start(struct t_script *s)
{
	s->kept = -1;
	return -pthread_create(&s->thread, NULL, follow, s);
}
