// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <vringlab/fd.h>

#include "peer.h"

#define FDS_MAX 16u

static int make_file(size_t size)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	FUZZ_CHECK(fd >= 0 && !ftruncate(fd, size));
	return fd;
}

static int make_pipe(struct fuzz_fds *fds, enum fd_kind kind)
{
	int pair[2];

	/* the other end of one that is gone */
	vl_fd_close(&fds->fds[FD_PIPE_READ]);
	vl_fd_close(&fds->fds[FD_PIPE_WRITE]);
	FUZZ_CHECK(!pipe2(pair, O_CLOEXEC | O_NONBLOCK));
	fds->fds[FD_PIPE_READ] = pair[0];
	fds->fds[FD_PIPE_WRITE] = pair[1];
	return fds->fds[kind];
}

static int make_channel(struct fuzz_fds *fds)
{
	int pair[2];

	FUZZ_CHECK(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	fds->channel = pair[0];
	return pair[1];
}

static int make(struct fuzz_fds *fds, enum fd_kind kind)
{
	switch (kind) {
	case FD_MEMORY:
		return make_file(FD_MEMORY_BYTES);
	case FD_LOG:
	case FD_INFLIGHT:
		return make_file(FD_SMALL_BYTES);
	case FD_KICK:
	case FD_CALL:
		return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	case FD_EVENTFD_BLOCKING:
		return eventfd(0, EFD_CLOEXEC);
	case FD_CHANNEL:
		return make_channel(fds);
	case FD_PIPE_READ:
	case FD_PIPE_WRITE:
		return make_pipe(fds, kind);
	case FD_READ_ONLY:
		return open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	case FD_DIRECTORY:
		return open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	default:
		return open("/dev/null", O_RDWR | O_CLOEXEC);
	}
}

void fuzz_fds_init(struct fuzz_fds *fds)
{
	for (unsigned int i = 0; i < FD_NR; i++)
		fds->fds[i] = -1;
	fds->channel = -1;
}

int fuzz_fd(struct fuzz_fds *fds, enum fd_kind kind)
{
	if (fds->fds[kind] < 0)
		fds->fds[kind] = make(fds, kind);
	FUZZ_CHECK(fds->fds[kind] >= 0);
	return fds->fds[kind];
}

void fuzz_fd_put(struct fuzz_fds *fds, enum fd_kind kind)
{
	/* that there are none that write is what a seal against writing needs */
	if (fds->fds[kind] >= 0 && (kind == FD_MEMORY || kind == FD_LOG || kind == FD_INFLIGHT))
		FUZZ_CHECK(!fcntl(fds->fds[kind], F_ADD_SEALS, F_SEAL_WRITE));
	vl_fd_close(&fds->fds[kind]);
	if (kind == FD_CHANNEL)
		vl_fd_close(&fds->channel);
}

void fuzz_fds_exit(struct fuzz_fds *fds)
{
	for (unsigned int i = 0; i < FD_NR; i++)
		fuzz_fd_put(fds, i);
}

void fuzz_send(int sock, const void *data, size_t len, const int *fds, unsigned int nr_fds)
{
	union {
		char bytes[CMSG_SPACE(FDS_MAX * sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec iov = { .iov_base = (void *)data, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *cmsg;

	if (nr_fds) {
		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_SPACE(nr_fds * sizeof(int));
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(nr_fds * sizeof(int));
		memcpy(CMSG_DATA(cmsg), fds, nr_fds * sizeof(int));
	}
	/* what does not fit, or comes after the end, is lost */
	if (sendmsg(sock, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return;
}

/* Keeps the first one. */
static void take_fds(struct msghdr *msg, int *fd)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		unsigned int nr = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		int fds[FDS_MAX];

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		memcpy(fds, CMSG_DATA(c), nr * sizeof(int));
		for (unsigned int i = 0; i < nr; i++) {
			if (*fd < 0)
				*fd = fds[i];
			else
				close(fds[i]);
		}
	}
}

size_t fuzz_receive(int sock, void *data, size_t len, int *fd)
{
	union {
		char bytes[CMSG_SPACE(FDS_MAX * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { .iov_base = data, .iov_len = len };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	ssize_t got = recvmsg(sock, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	*fd = -1;
	if (got < 0)
		return 0;
	take_fds(&msg, fd);
	return got;
}
