// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What a loop asks of its ring, and nothing else. No file is opened by it.
 */
#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "internal.h"

#define SIZE(array) (sizeof(array) / sizeof((array)[0]))

static const uint8_t requests[] = {
	IORING_OP_ACCEPT, IORING_OP_ASYNC_CANCEL, IORING_OP_CONNECT,	 IORING_OP_FALLOCATE,
	IORING_OP_FSYNC,  IORING_OP_POLL_ADD,	  IORING_OP_POLL_REMOVE, IORING_OP_READ,
	IORING_OP_READV,  IORING_OP_RECVMSG,	  IORING_OP_SENDMSG,	 IORING_OP_TIMEOUT,
	IORING_OP_WRITE,  IORING_OP_WRITEV,
};

static const uint8_t registrations[] = {
	IORING_REGISTER_ENABLE_RINGS, IORING_REGISTER_FILES,	IORING_REGISTER_FILES2,
	IORING_REGISTER_FILES_UPDATE, IORING_REGISTER_RING_FDS, IORING_UNREGISTER_RING_FDS,
};

/* liburing 2.3 declares functions for these two, and does not export them. */
static int ring_register(const struct loop *loop, unsigned int operation, void *arg,
			 unsigned int nr)
{
	return syscall(SYS_io_uring_register, loop->ring.ring_fd, operation, arg, nr) < 0 ? -errno :
											    0;
}

/* A flag of a submission that is not named is refused as well. */
int loop_restrict(struct loop *loop)
{
	struct io_uring_restriction r[SIZE(requests) + SIZE(registrations) + 1] = {
		{ .opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED,
		  .sqe_flags = IOSQE_FIXED_FILE | IOSQE_CQE_SKIP_SUCCESS },
	};
	unsigned int nr = 1;
	int ret;

	for (size_t i = 0; i < SIZE(requests); i++)
		r[nr++] = (struct io_uring_restriction){ .opcode = IORING_RESTRICTION_SQE_OP,
							 .sqe_op = requests[i] };
	for (size_t i = 0; i < SIZE(registrations); i++)
		r[nr++] = (struct io_uring_restriction){ .opcode = IORING_RESTRICTION_REGISTER_OP,
							 .register_op = registrations[i] };
	ret = ring_register(loop, IORING_REGISTER_RESTRICTIONS, r, nr);
	return ret ? ret : ring_register(loop, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
}
