// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <limits.h>
#include <poll.h>

#include <vringlab/fd.h>

#include "console.h"

/* A terminal without O_NONBLOCK makes a reader wait that has not asked before. */
static bool is_readable(const struct console *c)
{
	struct pollfd p = { .fd = c->in_fd, .events = POLLIN };

	return poll(&p, 1, 0) > 0;
}

static void end_input(struct console *c)
{
	loop_op_remove(&c->readable);
	if (c->in_fd != c->out_fd)
		vl_fd_close(&c->in_fd);
	c->in_fd = -1;
}

/* One chain: 0, VDEV_WAITING without input, or as vring_dev_pop(). */
static int receive(struct console *c, struct vdev_queue *q)
{
	struct vring_chain chain;
	ssize_t bytes;
	int ret;

	if (!is_readable(c))
		return VDEV_WAITING;
	ret = iov_room_pop(&c->rx_room, q->vq, &chain);
	if (ret)
		return ret;
	if (!chain.in_bytes) {
		vring_dev_push(q->vq, &chain, 0);
		return 0;
	}
	bytes = readv(c->in_fd, chain.iov + chain.nr_out,
		      chain.nr_in < IOV_MAX ? chain.nr_in : IOV_MAX);
	if (bytes > 0) {
		vring_dev_push(q->vq, &chain, bytes);
		c->stats.rx_bytes += bytes;
		return 0;
	}
	vring_dev_unpop(q->vq, &chain, 1);
	if (!bytes || (errno != EAGAIN && errno != EINTR))
		end_input(c);
	return VDEV_WAITING;
}

int console_rx_process(struct console *c, struct vdev_queue *q)
{
	int ret = 0;

	if (!c->rx)
		return VDEV_IDLE;
	for (unsigned int i = 0; i < CONSOLE_BUDGET && !ret; i++)
		ret = receive(c, q);
	return ret ? ret : VDEV_MORE;
}

static void readable(void *ctx, int res)
{
	struct console *c = ctx;

	if (res < 0)
		end_input(c);
	else if (c->rx)
		c->rx->run(c->rx);
}

int console_rx_watch(struct console *c)
{
	if (c->in_fd < 0 || c->readable)
		return 0;
	return loop_poll(c->loop, c->in_fd, POLLIN, readable, c, &c->readable);
}
