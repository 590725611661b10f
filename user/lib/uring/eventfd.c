// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Signalling an eventfd.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#include <vringlab/loop.h>

#include "internal.h"

struct loop_eventfd {
	struct loop *loop;
	int fd;
	int file;
	bool nonblock;
};

static const uint64_t one = 1;

int loop_eventfd_add(struct loop *loop, int fd, struct loop_eventfd **efd)
{
	struct loop_eventfd *e;
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return -errno;
	e = malloc(sizeof(*e));
	if (!e)
		return -ENOMEM;
	e->loop = loop;
	e->fd = fd;
	e->nonblock = flags & O_NONBLOCK;
	e->file = e->nonblock ? loop_file_add(loop, fd) : LOOP_NO_FILE;
	*efd = e;
	return 0;
}

static void signal_now(const struct loop_eventfd *efd)
{
	struct pollfd room = { .fd = efd->fd, .events = POLLOUT };
	ssize_t ret;

	/* without room a write would sleep, and the peer has a signal pending */
	if (!efd->nonblock && (poll(&room, 1, 0) != 1 || !(room.revents & POLLOUT)))
		return;
	do {
		ret = write(efd->fd, &one, sizeof(one));
	} while (ret < 0 && errno == EINTR);
}

void loop_eventfd_signal(struct loop_eventfd *efd)
{
	const struct loop_user_data id = {
		.kind = LOOP_KIND_SIGNAL,
		.loop = efd->loop->id,
	};
	struct io_uring_sqe *sqe = efd->nonblock ? loop_get_sqe(efd->loop) : NULL;

	if (!sqe) {
		signal_now(efd);
		return;
	}
	io_uring_prep_write(sqe, efd->fd, &one, sizeof(one), 0);
	/* else each write to a full counter would stay, waiting for room */
	sqe->rw_flags = RWF_NOWAIT;
	if (efd->file != LOOP_NO_FILE)
		loop_file_prepare(sqe, efd->file);
	if (efd->loop->facts.cqe_skip)
		io_uring_sqe_set_flags(sqe, sqe->flags | IOSQE_CQE_SKIP_SUCCESS);
	sqe->user_data = loop_user_data_pack(id);
}

void loop_eventfd_remove(struct loop_eventfd **holder)
{
	struct loop_eventfd *efd = *holder;

	*holder = NULL;
	if (!efd)
		return;
	/* the caller closes the fd next */
	loop_flush(efd->loop);
	if (efd->file != LOOP_NO_FILE)
		loop_file_remove(efd->loop, efd->file);
	free(efd);
}
