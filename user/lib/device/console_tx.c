// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * One chain at a time is written, by io_uring: whoever does not read makes that wait
 * and not this thread.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>

#include "console.h"

/* At the file's own position, which is all that a terminal or a pipe has. */
#define AT_POSITION UINT64_MAX

static struct console *console_of(struct loop_rw *rw)
{
	return (struct console *)((char *)rw - offsetof(struct console, out.rw));
}

/* Gives the chain back, and has the next one taken. */
static void finish(struct console *c)
{
	struct console_tx *out = &c->out;

	out->valid = false;
	if (!c->tx)
		return;
	iov_cursor_restore(&out->cursor);
	vring_dev_push(c->tx->vq, &out->chain, 0);
	if (out->running)
		c->tx->run(c->tx);
	c->tx->done(c->tx);
}

static void drop(struct console *c)
{
	struct console_tx *out = &c->out;

	out->valid = false;
	if (!c->tx)
		return;
	iov_cursor_restore(&out->cursor);
	vring_dev_drop(c->tx->vq, &out->chain);
	c->tx->done(c->tx);
}

static void write_more(struct console *c);

static void try_again(void *ctx, int res)
{
	struct console *c = ctx;

	if (res < 0)
		c->out.lost = true;
	loop_op_remove(&c->out.writable);
	write_more(c);
}

static uint64_t bytes_left(const struct console_tx *out)
{
	uint64_t left = 0;

	for (unsigned int i = 0; i < out->cursor.nr; i++)
		left += out->cursor.iov[i].iov_len;
	return left;
}

/* Starts to write what is left; it is given back when there is nothing. */
static void write_more(struct console *c)
{
	struct console_tx *out = &c->out;
	unsigned int nr = out->cursor.nr < IOV_MAX ? out->cursor.nr : IOV_MAX;

	if (out->lost || c->out_fd < 0) {
		c->stats.tx_dropped += bytes_left(out);
		finish(c);
	} else if (!nr) {
		finish(c);
	} else if (loop_rw_write(&out->rw, &out->file, out->cursor.iov, nr, AT_POSITION, false)) {
		loop_task_add(c->loop, &out->again);
	}
}

static void wait_until_writable(struct console *c)
{
	if (loop_poll(c->loop, c->out_fd, POLLOUT, try_again, c, &c->out.writable))
		loop_task_add(c->loop, &c->out.again);
}

static void written(struct loop_rw *rw, int res)
{
	struct console *c = console_of(rw);

	if (c->out.cancelling && res < 0) {
		drop(c);
		return;
	}
	if (res == -EAGAIN) {
		wait_until_writable(c);
		return;
	}
	if (res > 0) {
		iov_cursor_advance(&c->out.cursor, res);
		c->stats.tx_bytes += res;
	} else if (res != -EINTR && res != -ECANCELED) {
		c->out.lost = true;
	}
	write_more(c);
}

int console_tx_process(struct console *c, struct vdev_queue *q)
{
	struct console_tx *out = &c->out;

	for (unsigned int i = 0; i < CONSOLE_BUDGET; i++) {
		int ret;

		if (out->valid || !out->running)
			return VDEV_WAITING;
		ret = iov_room_pop(&out->room, q->vq, &out->chain);
		if (ret)
			return ret;
		out->cursor = (struct iov_cursor){ .iov = out->room.iov, .nr = out->chain.nr_out };
		out->valid = true;
		write_more(c);
	}
	return VDEV_MORE;
}

void console_tx_cancel(struct console *c)
{
	struct console_tx *out = &c->out;

	out->cancelling = true;
	loop_task_remove(c->loop, &out->again);
	if (out->rw.in_flight) {
		loop_rw_cancel(&out->rw);
		return;
	}
	loop_op_remove(&out->writable);
	if (out->valid)
		drop(c);
}

void console_tx_init(struct console *c)
{
	struct console_tx *out = &c->out;

	out->rw.fn = written;
	out->again = (struct loop_task){ .fn = try_again, .ctx = c };
	if (c->out_fd >= 0)
		loop_rw_file_init(&out->file, c->loop, c->out_fd);
}

void console_tx_run(struct console *c, struct vdev_queue *q)
{
	c->tx = q;
	c->out.running = true;
	c->out.cancelling = false;
}

void console_tx_exit(struct console *c)
{
	c->tx = NULL;
	do {
		console_tx_cancel(c);
	} while (c->out.rw.in_flight && !loop_rw_wait(c->loop));
	if (c->out_fd >= 0)
		loop_rw_file_exit(&c->out.file);
	iov_room_free(&c->out.room);
}
