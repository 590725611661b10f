// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Signalling an eventfd, which must never wait for room in its counter: the peer can
 * fill that at any moment, and leave it so.
 *
 * With O_NONBLOCK it is a write that the ring takes along. Without, a write may
 * sleep whatever was asked before, for another can come in between. Then the
 * eventfd is made to announce the completions of a small ring of its own, and the
 * loop's ring posts one there: so the kernel signals it itself, which never sleeps.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#include <vringlab/loop.h>

#include "internal.h"

/* Posted and not yet taken off at once: bounded by the loop's submission queue. */
#define BELL_CQ_ENTRIES 128

/**
 * struct loop_eventfd - An eventfd to signal
 * @loop:	Loop.
 * @fd:		The caller's.
 * @file:	Where it is in the table of fixed files, or LOOP_NO_FILE.
 * @nonblock:	It had O_NONBLOCK.
 * @has_bell:	@bell is set up.
 * @bell:	Ring whose completions signal the eventfd.
 * @again:	Signals when the submission queue had no room.
 */
struct loop_eventfd {
	struct loop *loop;
	int fd;
	int file;
	bool nonblock;
	bool has_bell;
	struct io_uring bell;
	struct loop_task again;
};

static const uint64_t one = 1;

/* Since 5.18. */
static bool can_post_to_rings(struct loop *loop)
{
	struct io_uring_probe *probe = io_uring_get_probe_ring(&loop->ring);
	bool can = probe && io_uring_opcode_supported(probe, IORING_OP_MSG_RING);

	io_uring_free_probe(probe);
	return can;
}

static int set_up_bell(struct loop_eventfd *efd)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_CQSIZE,
		.cq_entries = BELL_CQ_ENTRIES,
	};
	int ret;

	if (!can_post_to_rings(efd->loop))
		return 0;
	ret = io_uring_queue_init_params(1, &efd->bell, &params);
	if (ret)
		return ret;
	ret = io_uring_register_eventfd(&efd->bell, efd->fd);
	if (ret)
		io_uring_queue_exit(&efd->bell);
	else
		efd->has_bell = true;
	return ret;
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

static void prepare_write(const struct loop_eventfd *efd, struct io_uring_sqe *sqe)
{
	io_uring_prep_write(sqe, efd->fd, &one, sizeof(one), 0);
	/*
	 * Else each write to a full counter would stay, waiting for room. Without
	 * O_NONBLOCK it would fail with this flag, and is left to a worker thread.
	 */
	if (efd->nonblock)
		sqe->rw_flags = RWF_NOWAIT;
	if (efd->file != LOOP_NO_FILE)
		loop_file_prepare(sqe, efd->file);
}

static void prepare_bell(struct loop_eventfd *efd, struct io_uring_sqe *sqe)
{
	/* those of the signals before */
	io_uring_cq_advance(&efd->bell, io_uring_cq_ready(&efd->bell));
	io_uring_prep_msg_ring(sqe, efd->bell.ring_fd, 0, 0, 0);
}

void loop_eventfd_signal(struct loop_eventfd *efd)
{
	const struct loop_user_data id = {
		.kind = LOOP_KIND_SIGNAL,
		.loop = efd->loop->id,
	};
	struct io_uring_sqe *sqe = loop_get_sqe(efd->loop);

	if (!sqe) {
		loop_task_add(efd->loop, &efd->again);
		return;
	}
	if (efd->has_bell)
		prepare_bell(efd, sqe);
	else
		prepare_write(efd, sqe);
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
	loop_task_remove(efd->loop, &efd->again);
	/* the caller closes the fd next */
	loop_flush(efd->loop);
	if (efd->file != LOOP_NO_FILE)
		loop_file_remove(efd->loop, efd->file);
	if (efd->has_bell)
		io_uring_queue_exit(&efd->bell);
	free(efd);
}
