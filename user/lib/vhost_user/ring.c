// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Life of a ring ("Ring states"): stopped or started, and while it is started it
 * can be quiesced, which is how it is stopped and how its memory is changed.
 *
 *	      SET_VRING_KICK          quiesce
 *	stopped --------> started <----------> quiesced --> stopped
 *	                           resume        nothing in flight
 *
 * It starts with SET_VRING_KICK or VRING_KICK, once its size and addresses are there,
 * and stops with GET_VRING_BASE, which also gives kick and call back: a late kick of
 * a guest that is being stopped must not start it again.
 */
#include <errno.h>

#include <linux/virtio_config.h>

#include <vringlab/err.h>
#include <vringlab/vring_inflight.h>

#include "backend.h"

static bool is_packed(const struct vu_backend *be)
{
	return has_feature(be, VIRTIO_F_RING_PACKED);
}

static uint32_t first_base(const struct vu_backend *be)
{
	return is_packed(be) ? VRING_BASE_PACKED : VRING_BASE_SPLIT;
}

uint32_t ring_base(const struct vu_ring *ring)
{
	return ring->has_base ? ring->base : first_base(ring->be);
}

void ring_fail(struct vu_ring *ring, int code)
{
	struct vu_backend *be = ring->be;

	if (ring->broken)
		return;
	ring->broken = true;
	ring->stats.errors++;
	loop_task_remove(be->loop, &ring->run);
	loop_op_remove(&ring->kick);
	loop_op_remove(&ring->poll);
	ring_tell_err(ring);
	if (be->config.ops->vring_error)
		be->config.ops->vring_error(be->config.ctx, ring->queue.index, code);
}

static void say_where(const struct vu_ring *ring, const char *wrong, int code, struct vl_err *err)
{
	vl_err_set(err, code, "vring %u of %u entries %s: desc 0x%llx, avail 0x%llx, used 0x%llx",
		   ring->queue.index, ring->num, wrong, (unsigned long long)ring->addr.desc,
		   (unsigned long long)ring->addr.avail, (unsigned long long)ring->addr.used);
}

int ring_resolve(const struct vu_ring *ring, const struct vring_mem *mem,
		 struct vring_layout *layout, struct vring_mem_miss *miss, struct vl_err *err)
{
	const struct vring_addrs addrs = {
		.desc = ring->addr.desc,
		.avail = ring->addr.avail,
		.used = ring->addr.used,
	};
	int ret = vring_layout_resolve(layout, mem, is_packed(ring->be), ring->num, &addrs, miss);

	if (ret == -EFAULT || ret == -EEXIST)
		say_where(ring,
			  ret == -EFAULT ? "is not all in the memory table" : "overlaps itself",
			  ret, err);
	else if (ret && ret != -EINPROGRESS)
		vl_err_set(err, ret, "vring %u cannot be resolved: %s", ring->queue.index,
			   vl_strerror(ret));
	return ret;
}

/* Where it lies now. A translation that is lacking is asked for. */
static int locate(struct vu_ring *ring, struct vring_layout *layout)
{
	struct vring_mem_miss miss;
	int ret = ring_resolve(ring, &ring->be->mem.table, layout, &miss, NULL);

	if (ret == -EINPROGRESS)
		ring_miss(ring, miss);
	else if (ret)
		ring_fail(ring, ret);
	return ret;
}

void ring_miss(struct vu_ring *ring, struct vring_mem_miss miss)
{
	ring->miss = miss;
	ring->missing = true;
	ring->miss_due = true;
	ring->stats.misses++;
	channel_pump(ring->be);
}

void ring_update_log(struct vu_ring *ring)
{
	const struct vu_backend *be = ring->be;

	if (ring->started)
		vring_dev_set_log(&ring->dev, log_is_on(be) ? &be->log : NULL,
				  ring->addr.flags & VU_VRING_F_LOG, ring->addr.log);
}

/* The device side, and the device's part of it. */
static int begin(struct vu_ring *ring, const struct vring_layout *layout)
{
	struct vu_backend *be = ring->be;
	const struct vdev_ops *ops = be->vdev->ops;
	struct vring_dev_config config = {
		.ring = *layout,
		.mem = &be->mem.table,
		.features = be->features,
		.base = ring_base(ring),
	};
	int ret = inflight_region(be, ring, &config.inflight);
	bool first = config.base == first_base(be);

	if (!ret && config.inflight)
		first = first && vring_inflight_is_unused(config.inflight);
	if (!ret)
		ret = vring_dev_init(&ring->dev, &config);
	if (ret)
		return ret;
	/* a ring at its beginning has nothing that an earlier device side pushed */
	if (first)
		vring_dev_should_call(&ring->dev);
	if (ops->start)
		ret = ops->start(be->vdev->dev, &ring->queue, NULL);
	if (ret)
		vring_dev_exit(&ring->dev);
	return ret;
}

/* Starts the ring if all is there; one that lacks something starts later. */
int ring_start(struct vu_ring *ring)
{
	struct vring_layout layout;
	int ret;

	if (!ring->num || !ring->has_addr || !ring->be->mem.table.nr)
		return -EAGAIN;
	ret = locate(ring, &layout);
	if (ret)
		return ret;
	ret = begin(ring, &layout);
	if (ret) {
		ring_fail(ring, ret);
		return ret;
	}
	ring->started = true;
	ring->stale = false;
	ring_update_log(ring);
	loop_spinner_add(ring->be->loop, &ring->spinner);
	channel_pump(ring->be);
	return 0;
}

/* After a change of the memory table or of translations. */
int ring_refresh(struct vu_ring *ring)
{
	struct vring_layout layout;
	int ret = locate(ring, &layout);

	if (ret)
		return ret;
	vring_dev_move(&ring->dev, &layout);
	ring->stale = false;
	return 0;
}

void ring_quiesce(struct vu_ring *ring, bool cancel)
{
	const struct vdev_ops *ops = ring->be->vdev->ops;

	if (!ring->started)
		return;
	ring->quiesced = true;
	loop_task_remove(ring->be->loop, &ring->run);
	if (ops->stop)
		ops->stop(ring->be->vdev->dev, &ring->queue, cancel);
}

void ring_resume(struct vu_ring *ring)
{
	const struct vdev_ops *ops = ring->be->vdev->ops;

	if (!ring->started || !ring->quiesced)
		return;
	ring->quiesced = false;
	ring->waiting = false;
	if (ops->resume)
		ops->resume(ring->be->vdev->dev, &ring->queue);
	ring_poke(ring);
}

/* Quiesced, with nothing in flight; or never started. */
void ring_stop(struct vu_ring *ring)
{
	struct loop *loop = ring->be->loop;

	if (ring->started) {
		ring_call(ring);
		loop_spinner_remove(&ring->spinner);
		ring->base = vring_dev_base(&ring->dev);
		ring->has_base = true;
		vring_dev_exit(&ring->dev);
	}
	loop_task_remove(loop, &ring->run);
	loop_task_remove(loop, &ring->settle);
	loop_op_remove(&ring->poll);
	ring_put_kick(ring);
	ring_put_call(ring);
	ring->started = false;
	ring->quiesced = false;
	ring->wanted = false;
	ring->broken = false;
	ring->waiting = false;
	ring->missing = false;
	ring->miss_due = false;
	ring->err_due = false;
}

/* As it was made, but for its eventfds. Stopped. */
void ring_reset(struct vu_ring *ring)
{
	ring->queue.enabled = false;
	ring->num = 0;
	ring->base = 0;
	ring->has_base = false;
	ring->addr = (struct vu_vring_addr){ 0 };
	ring->has_addr = false;
}

/* After the message that is being handled has its reply. */
void ring_poke(struct vu_ring *ring)
{
	loop_task_add(ring->be->loop, &ring->run);
}

static void device_done(struct vdev_queue *q)
{
	struct vu_ring *ring = q->transport;

	loop_task_add(ring->be->loop, &ring->settle);
}

static void device_run(struct vdev_queue *q)
{
	struct vu_ring *ring = q->transport;

	ring->waiting = false;
	if (ring->started)
		ring_poke(ring);
}

void ring_init(struct vu_ring *ring, struct vu_backend *be, unsigned int index)
{
	*ring = (struct vu_ring){
		.be = be,
		.queue = {
			.index = index,
			.vq = &ring->dev,
			.done = device_done,
			.run = device_run,
			.transport = ring,
		},
		.kick_fd = -1,
		.call_fd = -1,
		.err_fd = -1,
		.run = { .fn = ring_run, .ctx = ring },
		.settle = { .fn = ring_settle, .ctx = ring },
		.spinner = {
			.fn = ring_spin,
			.arm = ring_arm,
			.disarm = ring_disarm,
			.ctx = ring,
		},
	};
}

void rings_quiesce(struct vu_backend *be, bool cancel)
{
	for (unsigned int i = 0; i < be->vdev->num_queues; i++)
		ring_quiesce(&be->rings[i], cancel);
}

void rings_resume(struct vu_backend *be)
{
	for (unsigned int i = 0; i < be->vdev->num_queues; i++)
		ring_resume(&be->rings[i]);
}

bool rings_are_idle(const struct vu_backend *be)
{
	for (unsigned int i = 0; i < be->vdev->num_queues; i++) {
		const struct vu_ring *ring = &be->rings[i];

		if (ring->quiesced && vring_dev_in_flight(&ring->dev))
			return false;
	}
	return true;
}

bool rings_are_stopped(const struct vu_backend *be)
{
	for (unsigned int i = 0; i < be->vdev->num_queues; i++)
		if (be->rings[i].started)
			return false;
	return true;
}

void vu_backend_vring_stats(const struct vu_backend *be, unsigned int index,
			    struct vu_vring_stats *stats)
{
	const struct vu_ring *ring = &be->rings[index];

	*stats = ring->stats;
	stats->num = ring->num;
	stats->packed = is_packed(be);
	stats->started = ring->started;
	stats->enabled = ring->queue.enabled;
	stats->broken = ring->broken;
	stats->in_flight = ring->started ? vring_dev_in_flight(&ring->dev) : 0;
}
