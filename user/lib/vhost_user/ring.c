// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * One ring of a back-end ("Ring states"): stopped or started, disabled or enabled.
 *
 * It starts with the first kick after SET_VRING_KICK, once its size and addresses
 * are there, and stops with GET_VRING_BASE, which also gives kick and call back:
 * a late kick of a guest that is being stopped must not start it again.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <vringlab/err.h>
#include <vringlab/fd.h>

#include "backend.h"

static void ring_fail(struct vu_ring *ring, int code)
{
	struct vu_backend *be = ring->be;

	ring->broken = true;
	loop_task_remove(be->loop, &ring->run);
	loop_op_remove(&ring->kick);
	if (ring->err)
		loop_eventfd_signal(ring->err);
	if (be->device->vring_error)
		be->device->vring_error(be->ctx, ring->index, code);
}

int ring_resolve(const struct vu_ring *ring, const struct vring_mem *mem,
		 struct vring_layout *layout, struct vl_err *err)
{
	const struct vring_addrs addrs = {
		.desc = ring->addr.desc,
		.avail = ring->addr.avail,
		.used = ring->addr.used,
	};
	struct vring_mem_miss miss;
	int ret = vring_layout_resolve(layout, mem, false, ring->num, &addrs, &miss);

	if (ret == -EFAULT)
		vl_err_set(err, ret, "vring %u lies outside of the memory table", ring->index);
	else if (ret)
		vl_err_set(err, ret, "vring %u cannot be resolved: %s", ring->index,
			   vl_strerror(ret));
	return ret;
}

/* Starts the ring if all is there; one that lacks something starts later. */
static int ring_start(struct vu_ring *ring)
{
	struct vring_dev_config config = { .mem = &ring->be->mem.table, .base = ring->base };
	int ret;

	if (!ring->num || !ring->has_addr || !ring->be->mem.table.nr)
		return -EAGAIN;
	ret = ring_resolve(ring, &ring->be->mem.table, &config.ring, NULL);
	if (!ret)
		ret = vring_dev_init(&ring->dev, &config);
	if (ret) {
		ring_fail(ring, ret);
		return ret;
	}
	ring->started = true;
	return 0;
}

/*
 * Takes from the ring until it is empty. A kick that comes after that is another
 * wake-up of the watch, and so none is lost by not reading the eventfd.
 */
static void ring_run(void *ctx, int res)
{
	struct vu_ring *ring = ctx;
	struct vu_backend *be = ring->be;
	uint16_t used_idx;
	int ret;

	(void)res;
	if (!ring->kicked || ring->broken)
		return;
	if (!ring->started && ring_start(ring))
		return;
	if (!ring->enabled)
		return;
	used_idx = ring->dev.used_idx;
	ret = be->device->process(be->ctx, ring->index, &ring->dev);
	if (ring->dev.used_idx != used_idx && ring->call && vring_dev_should_call(&ring->dev))
		loop_eventfd_signal(ring->call);
	if (ret < 0)
		ring_fail(ring, ret);
	else if (ret > 0)
		loop_task_add(be->loop, &ring->run);
}

static void ring_kicked(void *ctx, int res)
{
	struct vu_ring *ring = ctx;

	if (res < 0) {
		ring_fail(ring, res);
		return;
	}
	ring->kicked = true;
	ring_run(ring, 0);
}

/* After the message that is being handled has its reply. */
void ring_poke(struct vu_ring *ring)
{
	loop_task_add(ring->be->loop, &ring->run);
}

void ring_init(struct vu_ring *ring, struct vu_backend *be, unsigned int index)
{
	*ring = (struct vu_ring){
		.be = be,
		.index = index,
		.kick_fd = -1,
		.call_fd = -1,
		.err_fd = -1,
		.run = { .fn = ring_run, .ctx = ring },
	};
}

static void put_kick(struct vu_ring *ring)
{
	loop_op_remove(&ring->kick);
	vl_fd_close(&ring->kick_fd);
	ring->announced = false;
}

static void put_call(struct vu_ring *ring)
{
	loop_eventfd_remove(&ring->call);
	vl_fd_close(&ring->call_fd);
	ring->announced = false;
}

static void put_err(struct vu_ring *ring)
{
	loop_eventfd_remove(&ring->err);
	vl_fd_close(&ring->err_fd);
}

/* Requests are handled one by one, as they are taken: none is in flight now. */
uint16_t ring_stop(struct vu_ring *ring)
{
	if (ring->started) {
		ring->base = vring_dev_base(&ring->dev);
		vring_dev_exit(&ring->dev);
	}
	ring->started = false;
	ring->kicked = false;
	ring->broken = false;
	loop_task_remove(ring->be->loop, &ring->run);
	put_kick(ring);
	put_call(ring);
	return ring->base;
}

void ring_reset(struct vu_ring *ring)
{
	ring_stop(ring);
	put_err(ring);
	ring_init(ring, ring->be, ring->index);
}

static int check_stopped(const struct vu_ring *ring, struct vl_err *err)
{
	if (!ring->started)
		return 0;
	return vl_err_set(err, -EBUSY, "vring %u is running", ring->index);
}

int ring_set_num(struct vu_ring *ring, uint32_t num, struct vl_err *err)
{
	int ret = check_stopped(ring, err);

	if (ret)
		return ret;
	if (!num || num > VRING_NUM_MAX || num & (num - 1))
		return vl_err_set(err, -EINVAL,
				  "vring %u cannot have %u entries, only a power of 2 up to %u",
				  ring->index, num, VRING_NUM_MAX);
	ring->num = num;
	ring_poke(ring);
	return 0;
}

int ring_set_addr(struct vu_ring *ring, const struct vu_vring_addr *addr, struct vl_err *err)
{
	struct vu_ring with = *ring;
	struct vring_layout layout;
	int ret = check_stopped(ring, err);

	if (ret)
		return ret;
	if (addr->flags)
		return vl_err_set(err, -ENOTSUP, "vring %u: address flags 0x%x", ring->index,
				  addr->flags);
	/* VIRTIO 1.2, 2.7 "Split Virtqueues" */
	if (addr->desc % 16 || addr->avail % 2 || addr->used % 4)
		return vl_err_set(err, -EINVAL, "vring %u has an unaligned address", ring->index);
	with.addr = *addr;
	/* what is missing may come later: then the start finds out */
	if (with.num && ring->be->mem.table.nr) {
		ret = ring_resolve(&with, &ring->be->mem.table, &layout, err);
		if (ret)
			return ret;
	}
	ring->addr = *addr;
	ring->has_addr = true;
	ring_poke(ring);
	return 0;
}

int ring_set_base(struct vu_ring *ring, uint32_t base, struct vl_err *err)
{
	int ret = check_stopped(ring, err);

	if (ret)
		return ret;
	if (base > UINT16_MAX)
		return vl_err_set(err, -EINVAL, "vring %u cannot start at %u", ring->index, base);
	ring->base = base;
	return 0;
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

static int check_eventfd(const struct vu_ring *ring, int fd, struct vl_err *err)
{
	if (fd < 0 || may_be_eventfd(fd))
		return 0;
	return vl_err_set(err, -EINVAL, "vring %u got an fd that is no eventfd", ring->index);
}

static int announce(struct vu_ring *ring, struct vl_err *err)
{
	struct vu_backend *be = ring->be;
	struct vu_vring_info info = {
		.index = ring->index,
		.kick_fd = ring->kick_fd,
		.call_fd = ring->call_fd,
	};
	int ret;

	if (ring->announced || !be->device->vring_ready || !ring->enabled || !ring->kick ||
	    !ring->call)
		return 0;
	info.wake_user_data = loop_op_user_data(ring->kick);
	ret = be->device->vring_ready(be->ctx, &info, err);
	if (!ret)
		ring->announced = true;
	return ret;
}

int ring_set_kick(struct vu_ring *ring, int *fd, struct vl_err *err)
{
	int ret = check_eventfd(ring, *fd, err);

	if (ret)
		return ret;
	if (*fd < 0)
		return vl_err_set(err, -ENOTSUP, "vring %u: polling a ring without a kick",
				  ring->index);
	put_kick(ring);
	ret = loop_poll(ring->be->loop, *fd, POLLIN, ring_kicked, ring, &ring->kick);
	if (ret)
		return vl_err_set(err, ret, "vring %u: cannot watch its kick: %s", ring->index,
				  vl_strerror(ret));
	ring->kick_fd = vl_fd_take(fd);
	return announce(ring, err);
}

/* Of call and err; without an fd there is none from now on. */
static int add_eventfd(struct vu_ring *ring, int fd, struct loop_eventfd **efd, struct vl_err *err)
{
	int ret = check_eventfd(ring, fd, err);

	*efd = NULL;
	if (ret || fd < 0)
		return ret;
	ret = loop_eventfd_add(ring->be->loop, fd, efd);
	if (ret)
		return vl_err_set(err, ret, "vring %u: cannot use its eventfd: %s", ring->index,
				  vl_strerror(ret));
	return 0;
}

int ring_set_call(struct vu_ring *ring, int *fd, struct vl_err *err)
{
	struct loop_eventfd *call;
	int ret = add_eventfd(ring, *fd, &call, err);

	if (ret)
		return ret;
	put_call(ring);
	ring->call = call;
	ring->call_fd = vl_fd_take(fd);
	return announce(ring, err);
}

int ring_set_err(struct vu_ring *ring, int *fd, struct vl_err *err)
{
	struct loop_eventfd *efd;
	int ret = add_eventfd(ring, *fd, &efd, err);

	if (ret)
		return ret;
	put_err(ring);
	ring->err = efd;
	ring->err_fd = vl_fd_take(fd);
	return 0;
}

int ring_set_enabled(struct vu_ring *ring, bool enabled, struct vl_err *err)
{
	bool before = ring->enabled;
	int ret;

	ring->enabled = enabled;
	ret = announce(ring, err);
	if (ret) {
		ring->enabled = before;
		return ret;
	}
	ring_poke(ring);
	return 0;
}
