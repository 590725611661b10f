// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Kick, process, call.
 */
#include <errno.h>

#include "backend.h"

/* Between two looks at a ring without kicks: from the first, when it was busy, to the last. */
#define POLL_MIN_NS 20000ull
#define POLL_MAX_NS 1000000ull

void ring_tell_err(struct vu_ring *ring)
{
	if (ring->err) {
		loop_eventfd_signal(ring->err);
		return;
	}
	ring->err_due = has_protocol(ring->be, VU_PROTOCOL_F_INBAND_NOTIFICATIONS);
	channel_pump(ring->be);
}

/* Calls the driver for what was pushed, if it wants that. */
void ring_call(struct vu_ring *ring)
{
	struct vu_backend *be = ring->be;

	/* where it was may be gone; it is called for when it is found again */
	if (ring->stale)
		return;
	if (log_is_on(be))
		log_tell(be);
	if (!vring_dev_should_call(&ring->dev))
		return;
	if (ring->call) {
		loop_eventfd_signal(ring->call);
		ring->stats.calls++;
	} else if (has_protocol(be, VU_PROTOCOL_F_INBAND_NOTIFICATIONS)) {
		ring->call_due = true;
		ring->stats.calls++;
		channel_pump(be);
	}
}

/* Has the ring everything that it takes to look at it? Gets what it lacks. */
static bool is_ready(struct vu_ring *ring)
{
	if (!ring->wanted || ring->broken || ring->quiesced || ring->missing)
		return false;
	/* who waits for the end of a session does not wait for what begins after it */
	if (!ring->be->conn)
		return false;
	if (!ring->started && ring_start(ring))
		return false;
	if (!ring->stale)
		return true;
	if (ring_refresh(ring))
		return false;
	ring_call(ring);
	return true;
}

static void go_idle(struct vu_ring *ring)
{
	/* while the loop spins, kicks stay off until it sleeps */
	if (!ring->spinner.armed)
		return;
	ring->kicks_off = false;
	if (vring_dev_kick_enable(&ring->dev))
		ring_poke(ring);
}

static void look(struct vu_ring *ring)
{
	struct vu_backend *be = ring->be;
	const struct vdev_ops *ops = be->vdev->ops;
	int (*process)(void *, struct vdev_queue *) = ops->process;
	int ret;

	if (!ring->queue.enabled)
		process = ops->discard;
	if (!process)
		return;
	ring->stats.runs++;
	ring->waiting = false;
	if (!ring->kicks_off) {
		vring_dev_kick_disable(&ring->dev);
		ring->kicks_off = true;
	}
	ret = process(be->vdev->dev, &ring->queue);
	ring_call(ring);
	switch (ret) {
	case VDEV_IDLE:
	case -EAGAIN:
		go_idle(ring);
		break;
	case VDEV_MORE:
		ring_poke(ring);
		break;
	case VDEV_WAITING:
		ring->waiting = true;
		break;
	case -EINPROGRESS:
		ring_miss(ring, vring_dev_miss(&ring->dev));
		break;
	default:
		ring_fail(ring, ret);
	}
}

/* That memory was truncated is found out by its use; the connection ends then. */
static bool has_faulted(const struct vu_ring *ring)
{
	struct vu_backend *be = ring->be;

	if (!be->faulted || !be->conn)
		return false;
	backend_advance(be);
	return true;
}

/*
 * Takes from the ring until it is empty. A kick that comes after that is another
 * wake-up of the watch, and so none is lost by not reading the eventfd.
 */
void ring_run(void *ctx, int res)
{
	struct vu_ring *ring = ctx;

	(void)res;
	if (is_ready(ring))
		look(ring);
	has_faulted(ring);
}

void ring_kicked(void *ctx, int res)
{
	struct vu_ring *ring = ctx;

	if (res < 0) {
		ring_fail(ring, res);
		return;
	}
	ring->stats.kicks++;
	/* the device has said that it goes on by itself */
	if (!ring->waiting)
		ring_run(ring, 0);
}

/* The device has given something back, or up, since it was looked at. */
void ring_settle(void *ctx, int res)
{
	struct vu_ring *ring = ctx;

	(void)res;
	if (ring->started)
		ring_call(ring);
	if (ring->quiesced || ring->be->faulted)
		backend_advance(ring->be);
}

/* What look() would call. */
static bool is_looked_at(const struct vu_ring *ring)
{
	return ring->queue.enabled || ring->be->vdev->ops->discard;
}

static bool has_work(const struct vu_ring *ring)
{
	return ring->started && ring->wanted && !ring->broken && !ring->quiesced &&
	       !ring->missing && !ring->waiting && is_looked_at(ring) && !ring->stale &&
	       !vring_dev_empty(&ring->dev);
}

bool ring_spin(void *ctx)
{
	struct vu_ring *ring = ctx;
	bool found = has_work(ring);

	/* what it adds is done now, and not by a task beside */
	if (found)
		look(ring);
	return has_faulted(ring) || found;
}

bool ring_arm(void *ctx)
{
	struct vu_ring *ring = ctx;
	bool found;

	if (!ring->started || ring->broken || ring->quiesced || ring->waiting || ring->stale)
		return false;
	ring->kicks_off = false;
	found = vring_dev_kick_enable(&ring->dev) && has_work(ring);
	return has_faulted(ring) || found;
}

void ring_disarm(void *ctx)
{
	struct vu_ring *ring = ctx;

	if (!ring->started || ring->broken || ring->stale)
		return;
	ring->kicks_off = true;
	vring_dev_kick_disable(&ring->dev);
}

static void poll_again(struct vu_ring *ring)
{
	int ret = loop_timer(ring->be->loop, ring->poll_ns, ring_polled, ring, &ring->poll);

	if (ret)
		ring_fail(ring, ret);
}

/* A ring without kicks: seldom while it is idle, often while it is not. */
void ring_polled(void *ctx, int res)
{
	struct vu_ring *ring = ctx;

	if (res)
		return;
	/* also of one that cannot be served now, however full it is */
	ring->poll_ns = has_work(ring) ? POLL_MIN_NS : 2 * ring->poll_ns;
	if (ring->poll_ns > POLL_MAX_NS)
		ring->poll_ns = POLL_MAX_NS;
	ring_run(ring, 0);
	if (!ring->broken && ring->polled && !ring->poll)
		poll_again(ring);
}

void ring_poll_start(struct vu_ring *ring)
{
	ring->poll_ns = POLL_MIN_NS;
	poll_again(ring);
}
