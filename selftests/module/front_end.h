/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A vhost-user front-end by hand: its messages, byte by byte.
 */
#ifndef VRINGLAB_SELFTESTS_FRONT_END_H
#define VRINGLAB_SELFTESTS_FRONT_END_H

#include <sys/socket.h>

#include "module.h"

#define SET_VRING_NUM 8
#define SET_VRING_BASE 10
#define SET_VRING_KICK 12
#define SET_VRING_CALL 13
#define NO_FD 0x100

struct message {
	uint32_t request;
	uint32_t flags;
	uint32_t size;
	uint32_t low;
	uint32_t high;
};

/* The message lies where the caller has it. */
static inline __attribute__((unused)) void send_from(struct __test_metadata *_metadata, int sock,
						     void *m, const int *fds, int nr_fds)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(2 * sizeof(int))];
	} control = { .head = { .cmsg_level = SOL_SOCKET,
				.cmsg_type = SCM_RIGHTS,
				.cmsg_len = CMSG_LEN(nr_fds * sizeof(int)) } };
	struct iovec iov = { m, sizeof(struct message) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (nr_fds) {
		memcpy(CMSG_DATA(&control.head), fds, nr_fds * sizeof(int));
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(nr_fds * sizeof(int));
	}
	ASSERT_EQ((ssize_t)sizeof(struct message), sendmsg(sock, &msg, 0));
}

static inline __attribute__((unused)) void send_message(struct __test_metadata *_metadata, int sock,
							struct message m, const int *fds,
							int nr_fds)
{
	send_from(_metadata, sock, &m, fds, nr_fds);
}

static inline __attribute__((unused)) void set(struct __test_metadata *_metadata, int sock,
					       uint32_t request, uint32_t index, int fd)
{
	struct message m = { request, 1, 8, index | (fd < 0 ? NO_FD : 0), 0 };

	send_message(_metadata, sock, m, &fd, fd >= 0);
}

static inline __attribute__((unused)) void set_num(struct __test_metadata *_metadata, int sock,
						   uint32_t index, uint32_t num)
{
	struct message m = { SET_VRING_NUM, 1, 8, index, num };

	send_message(_metadata, sock, m, NULL, 0);
}

#endif /* VRINGLAB_SELFTESTS_FRONT_END_H */
