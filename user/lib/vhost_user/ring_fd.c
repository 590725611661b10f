// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Kick, call and err of a ring.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <vringlab/err.h>
#include <vringlab/fd.h>

#include "backend.h"

void ring_put_kick(struct vu_ring *ring)
{
	loop_op_remove(&ring->kick);
	loop_op_remove(&ring->poll);
	vl_fd_close(&ring->kick_fd);
	ring->polled = false;
	ring->announced = false;
}

void ring_put_call(struct vu_ring *ring)
{
	loop_eventfd_remove(&ring->call);
	vl_fd_close(&ring->call_fd);
	ring->call_due = false;
	ring->announced = false;
}

void ring_put_err(struct vu_ring *ring)
{
	loop_eventfd_remove(&ring->err);
	vl_fd_close(&ring->err_fd);
	ring->err_due = false;
}

/* Says yes where it cannot be told: then the loop copes with whatever it is. */
static bool may_be_eventfd(int fd)
{
	static const char eventfd[] = "anon_inode:[eventfd]";
	char path[32], target[sizeof(eventfd)];
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	len = readlink(path, target, sizeof(target));
	return len < 0 || (len == sizeof(eventfd) - 1 && !memcmp(target, eventfd, len));
}

int eventfd_check(int fd, struct vl_err *err)
{
	return may_be_eventfd(fd) ? 0 : vl_err_set(err, -EINVAL, "its fd is no eventfd");
}

int ring_announce(struct vu_ring *ring, struct vl_err *err)
{
	struct vu_backend *be = ring->be;
	const struct vu_backend_ops *ops = be->config.ops;
	struct vu_vring_info info = {
		.index = ring->queue.index,
		.kick_fd = ring->kick_fd,
		.call_fd = ring->call_fd,
	};
	int ret;

	if (ring->announced || !ops->vring_ready || !ring->queue.enabled || !ring->kick ||
	    !ring->call)
		return 0;
	info.wake_user_data = loop_op_user_data(ring->kick);
	ret = ops->vring_ready(be->config.ctx, &info, err);
	if (!ret)
		ring->announced = true;
	return ret;
}

/* Bit 8: there are no kicks, the ring is to be polled. */
static int set_no_kick(struct vu_ring *ring)
{
	ring_put_kick(ring);
	ring->wanted = true;
	ring->polled = true;
	ring_poll_start(ring);
	return 0;
}

static int set_kick(struct vu_ring *ring, int *fd, struct vl_err *err)
{
	int ret;

	if (*fd < 0)
		return set_no_kick(ring);
	ring_put_kick(ring);
	ret = loop_poll(ring->be->loop, *fd, POLLIN, ring_kicked, ring, &ring->kick);
	if (ret)
		return vl_err_set(err, ret, "vring %u: cannot watch its kick: %s",
				  ring->queue.index, vl_strerror(ret));
	ring->kick_fd = vl_fd_take(fd);
	/* no kick needs to follow: what is available may have had its own long ago */
	ring->wanted = true;
	ring_poke(ring);
	return ring_announce(ring, err);
}

/* Of call and err; without an fd there is none from now on. */
static int add_eventfd(struct vu_ring *ring, int fd, struct loop_eventfd **efd, struct vl_err *err)
{
	int ret;

	*efd = NULL;
	if (fd < 0)
		return 0;
	ret = loop_eventfd_add(ring->be->loop, fd, efd);
	if (ret)
		return vl_err_set(err, ret, "vring %u: cannot use its eventfd: %s",
				  ring->queue.index, vl_strerror(ret));
	return 0;
}

static int set_call(struct vu_ring *ring, int *fd, struct vl_err *err)
{
	struct loop_eventfd *call;
	int ret = add_eventfd(ring, *fd, &call, err);

	if (ret)
		return ret;
	ring_put_call(ring);
	ring->call = call;
	ring->call_fd = vl_fd_take(fd);
	/* a call for what is used already may have gone to one that nobody reads any more */
	if (ring->started && ring->call) {
		loop_eventfd_signal(ring->call);
		ring->stats.calls++;
	}
	return ring_announce(ring, err);
}

static int set_err(struct vu_ring *ring, int *fd, struct vl_err *err)
{
	struct loop_eventfd *efd;
	int ret = add_eventfd(ring, *fd, &efd, err);

	if (ret)
		return ret;
	ring_put_err(ring);
	ring->err = efd;
	ring->err_fd = vl_fd_take(fd);
	return 0;
}

/* SET_VRING_KICK, SET_VRING_CALL and SET_VRING_ERR. */
int set_vring_fd(struct vu_backend *be, struct vu_msg *msg, struct vu_reply *reply,
		 struct vl_err *err)
{
	struct vu_ring *ring = &be->rings[msg->payload.u64 & VU_FD_INDEX_MASK];
	int none = -1;
	int *fd = msg->nr_fds ? &msg->fds[0] : &none;
	int ret = *fd < 0 ? 0 : eventfd_check(*fd, err);

	(void)reply;
	if (ret)
		return vl_err_prefix(err, "vring %u", ring->queue.index);
	switch (msg->hdr.request) {
	case VU_SET_VRING_KICK:
		return set_kick(ring, fd, err);
	case VU_SET_VRING_CALL:
		return set_call(ring, fd, err);
	default:
		return set_err(ring, fd, err);
	}
}
