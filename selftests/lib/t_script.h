/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A back-end that follows a script, in a thread of this process: the front-end
 * library is under test.
 */
#ifndef VRINGLAB_SELFTESTS_T_SCRIPT_H
#define VRINGLAB_SELFTESTS_T_SCRIPT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <vringlab/vhost_user_msg.h>

#define T_SCRIPT_SEEN 64u

/**
 * struct t_script - A back-end
 * @listener:	Socket.
 * @features:	Offered.
 * @protocol:	Offered protocol features.
 * @answer:	Sends a reply that is due, given the one that would be right. A negative
 *		number ends the connection. NULL: all are right.
 * @data:	For @answer.
 * @thread:	Follows the script.
 * @seen:	Requests in their order.
 * @flags:	Of them.
 * @fds:	How many came with them.
 * @nr_seen:	Count.
 * @acked:	SET_FEATURES.
 * @acked_protocol: SET_PROTOCOL_FEATURES.
 * @kept:	Last fd that came with SET_BACKEND_REQ_FD or SET_DEVICE_STATE_FD, -1 for
 *		none; closed with the connection.
 */
struct t_script {
	int listener;
	uint64_t features;
	uint64_t protocol;
	int (*answer)(struct t_script *s, int fd, const struct vu_header *hdr,
		      const union vu_payload *payload);
	const void *data;

	pthread_t thread;
	uint32_t seen[T_SCRIPT_SEEN];
	uint32_t flags[T_SCRIPT_SEEN];
	unsigned int fds[T_SCRIPT_SEEN];
	unsigned int nr_seen;
	uint64_t acked;
	uint64_t acked_protocol;
	int kept;
};

/**
 * t_script_start() - Start the thread: it takes one connection
 * @s:		With @listener, @features, @protocol, @answer and @data. pthread_join() is
 *		due, after the front-end has left.
 *
 * Return: 0, or a negative errno.
 */
int t_script_start(struct t_script *s);

/** t_script_send() - Send a reply as it is. */
int t_script_send(int fd, const struct vu_header *hdr, const union vu_payload *payload);

/** t_script_answer_slots() - An @answer: the uint64_t @data as GET_MAX_MEM_SLOTS's. */
int t_script_answer_slots(struct t_script *s, int fd, const struct vu_header *hdr,
			  const union vu_payload *payload);

/** t_script_may_use_io_uring() - Can a front-end be made here? */
bool t_script_may_use_io_uring(void);

/* For a test or a set-up; after kselftest_harness.h. */
#define T_SCRIPT_NEEDS_IO_URING()                                                                \
	do {                                                                                     \
		if (!t_script_may_use_io_uring())                                                \
			SKIP(return, "io_uring is disabled: sysctl kernel.io_uring_disabled=0"); \
	} while (0)

#endif /* VRINGLAB_SELFTESTS_T_SCRIPT_H */
