// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Watches (multishot poll) and timers.
 */
#include <errno.h>
#include <poll.h>

#include "internal.h"

static void prepare_poll(struct loop_op *op, struct io_uring_sqe *sqe)
{
	io_uring_prep_poll_multishot(sqe, op->fd, op->events);
}

/*
 * The kernel may end a multishot poll whenever it cannot post a completion. Arming
 * it again looks at the fd's state first, so that nothing is lost between.
 */
static void complete_poll(struct loop_op *op, int res)
{
	int ret = 0;

	/* the same fd will hang up again at once, and for ever */
	if (!op->in_flight && (res < 0 || res & (POLLERR | POLLHUP | POLLNVAL))) {
		loop_op_finish_with(op, res < 0 ? res : -EIO);
		return;
	}
	if (!op->in_flight)
		ret = loop_op_arm(op);
	if (ret)
		loop_op_finish_with(op, ret);
	else
		op->fn(op->ctx, res);
}

const struct loop_op_type loop_poll_type = {
	.prepare = prepare_poll,
	.complete = complete_poll,
};

int loop_poll(struct loop *loop, int fd, uint32_t events, loop_fn *fn, void *ctx,
	      struct loop_op **holder)
{
	struct loop_op *op = loop_op_new(loop, LOOP_KIND_POLL, fd, ctx);

	if (!op)
		return -ENOMEM;
	op->fn = fn;
	op->events = events;
	op->file = loop_file_add(loop, fd);
	return loop_op_start(op, holder);
}

static void prepare_timer(struct loop_op *op, struct io_uring_sqe *sqe)
{
	io_uring_prep_timeout(sqe, &op->delay, 0, 0);
}

static void complete_timer(struct loop_op *op, int res)
{
	loop_op_finish_with(op, res == -ETIME ? 0 : res);
}

const struct loop_op_type loop_timer_type = {
	.prepare = prepare_timer,
	.complete = complete_timer,
};

int loop_timer(struct loop *loop, uint64_t delay_ns, loop_fn *fn, void *ctx,
	       struct loop_op **holder)
{
	struct loop_op *op = loop_op_new(loop, LOOP_KIND_TIMER, -1, ctx);

	if (!op)
		return -ENOMEM;
	op->fn = fn;
	op->delay.tv_sec = delay_ns / 1000000000;
	op->delay.tv_nsec = delay_ns % 1000000000;
	return loop_op_start(op, holder);
}
