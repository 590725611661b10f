// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Signalling an eventfd, which must never wait for room in its counter: the peer can
 * fill that at any moment, and leave it so.
 *
 * With O_NONBLOCK it is a write that the ring takes along. Without, a write may
 * sleep whatever was asked before, for another can come in between. Then the
 * eventfd is made to announce the completions of a small ring of its own, in which
 * nothing is done once for each signal: so the kernel signals it itself, which never
 * sleeps. That takes a system call, and less time than a write in the loop's ring or
 * a message from there to the small one.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#include <vringlab/loop.h>

#include "internal.h"

/**
 * struct loop_eventfd - An eventfd to signal
 * @loop:	Loop.
 * @fd:		The caller's.
 * @file:	Where it is in the table of fixed files, or LOOP_NO_FILE.
 * @nonblock:	It had O_NONBLOCK.
 * @bell:	Without it: ring whose completions signal the eventfd.
 * @again:	Signals when that failed for now.
 */
struct loop_eventfd {
	struct loop *loop;
	int fd;
	int file;
	bool nonblock;
	struct io_uring bell;
	struct loop_task again;
};

static const uint64_t one = 1;

static int set_up_bell(struct loop_eventfd *efd)
{
	int ret = io_uring_queue_init(1, &efd->bell, 0);

	if (ret)
		return ret;
	ret = io_uring_register_eventfd(&efd->bell, efd->fd);
	if (ret) {
		io_uring_queue_exit(&efd->bell);
		return ret;
	}
	/* a thread can have 16 of these: a bell without is a little slower */
	io_uring_register_ring_fd(&efd->bell);
	return 0;
}

static void signal_again(void *ctx, int res)
{
	(void)res;
	loop_eventfd_signal(ctx);
}

int loop_eventfd_add(struct loop *loop, int fd, struct loop_eventfd **efd)
{
	struct loop_eventfd *e;
	int flags = fcntl(fd, F_GETFL);
	int ret = 0;

	if (flags < 0)
		return -errno;
	e = calloc(1, sizeof(*e));
	if (!e)
		return -ENOMEM;
	e->loop = loop;
	e->fd = fd;
	e->nonblock = flags & O_NONBLOCK;
	e->file = LOOP_NO_FILE;
	e->again = (struct loop_task){ .fn = signal_again, .ctx = e };
	if (e->nonblock)
		e->file = loop_file_add(loop, fd);
	else
		ret = set_up_bell(e);
	if (ret) {
		free(e);
		return ret;
	}
	*efd = e;
	return 0;
}

static int ring_bell(struct loop_eventfd *efd)
{
	struct io_uring_sqe *sqe;
	int ret;

	/* those of the signals before */
	io_uring_cq_advance(&efd->bell, io_uring_cq_ready(&efd->bell));
	sqe = io_uring_get_sqe(&efd->bell);
	/* without one the last one was not taken, and is still there */
	if (sqe)
		io_uring_prep_nop(sqe);
	do {
		ret = io_uring_submit(&efd->bell);
	} while (ret == -EINTR);
	return ret < 0 ? ret : 0;
}

static int queue_write(struct loop_eventfd *efd)
{
	const struct loop_user_data id = {
		.kind = LOOP_KIND_SIGNAL,
		.loop = efd->loop->id,
	};
	struct io_uring_sqe *sqe = loop_get_sqe(efd->loop);

	if (!sqe)
		return -EBUSY;
	io_uring_prep_write(sqe, efd->fd, &one, sizeof(one), 0);
	/* else each write to a full counter would stay, waiting for room */
	sqe->rw_flags = RWF_NOWAIT;
	if (efd->file != LOOP_NO_FILE)
		loop_file_prepare(sqe, efd->file);
	if (efd->loop->facts.cqe_skip)
		io_uring_sqe_set_flags(sqe, sqe->flags | IOSQE_CQE_SKIP_SUCCESS);
	sqe->user_data = loop_user_data_pack(id);
	return 0;
}

void loop_eventfd_signal(struct loop_eventfd *efd)
{
	int ret = efd->nonblock ? queue_write(efd) : ring_bell(efd);

	if (ret)
		loop_task_add(efd->loop, &efd->again);
}

void loop_eventfd_remove(struct loop_eventfd **holder)
{
	struct loop_eventfd *efd = *holder;

	*holder = NULL;
	if (!efd)
		return;
	loop_task_remove(efd->loop, &efd->again);
	/* the caller closes the fd next */
	loop_flush(efd->loop);
	if (efd->file != LOOP_NO_FILE)
		loop_file_remove(efd->loop, efd->file);
	if (!efd->nonblock)
		io_uring_queue_exit(&efd->bell);
	free(efd);
}
