// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <poll.h>

#include <vringlab/loop_rw.h>

#include "served.h"

static void call(struct served *s)
{
	if (vring_dev_should_call(&s->dev))
		loop_eventfd_signal(s->call);
}

/* The last thing that a handler does: the transport may stop it, and does so later at least. */
static void fail(struct served *s, int code)
{
	char label[BACKEND_LABEL_SIZE];
	struct vl_err err;

	s->broken = true;
	loop_op_remove(&s->kick);
	vl_err_set(&err, code, "the contents of %s cannot be trusted: %s",
		   backend_label(&s->b->be, s->index, label), vl_strerror(code));
	backend_fail(s->b, &err);
}

static void go_idle(struct served *s)
{
	if (vring_dev_kick_enable(&s->dev))
		served_poke(s);
}

/* Takes from the ring until it is empty, or others have to have their turn. */
static void look(void *ctx, int res)
{
	struct served *s = ctx;
	const struct vdev_ops *ops = s->vdev->ops;
	int (*process)(void *, struct vdev_queue *) = s->queue.enabled ? ops->process :
									 ops->discard;
	int ret;

	(void)res;
	if (!process || s->broken || s->stopping)
		return;
	s->waiting = false;
	vring_dev_kick_disable(&s->dev);
	ret = process(s->vdev->dev, &s->queue);
	call(s);
	switch (ret) {
	case VDEV_IDLE:
	case -EAGAIN:
		go_idle(s);
		break;
	case VDEV_MORE:
		served_poke(s);
		break;
	case VDEV_WAITING:
		s->waiting = true;
		break;
	default:
		fail(s, ret);
	}
}

/*
 * The eventfd is not read: a kick that comes after the ring was found empty is another
 * wake-up of the watch.
 */
static void kicked(void *ctx, int res)
{
	struct served *s = ctx;

	if (res < 0)
		fail(s, res);
	else if (!s->waiting)
		look(s, 0);
}

static void settle(void *ctx, int res)
{
	struct served *s = ctx;

	(void)res;
	if (s->started && !s->broken)
		call(s);
}

static void device_done(struct vdev_queue *q)
{
	struct served *s = q->transport;

	if (s->started)
		loop_task_add(s->b->host->loop, &s->settle);
}

static void device_run(struct vdev_queue *q)
{
	struct served *s = q->transport;

	s->waiting = false;
	served_poke(s);
}

void served_get_server(const struct served *s, unsigned int index, struct virtio_server *server)
{
	if (!s->started || s->index != index || !s->kick)
		return;
	*server = (struct virtio_server){
		.backend = VRINGLAB_BACKEND_VMM,
		.user_data = loop_op_user_data(s->kick),
		.has_user_data = true,
	};
}

void served_poke(struct served *s)
{
	if (s->started && !s->stopping)
		loop_task_add(s->b->host->loop, &s->run);
}

void served_init(struct served *s, struct backend *b, struct vdev *vdev, unsigned int index)
{
	*s = (struct served){
		.b = b,
		.vdev = vdev,
		.queue = {
			.index = index,
			.enabled = true,
			.vq = &s->dev,
			.done = device_done,
			.run = device_run,
			.transport = s,
		},
		.run = { .fn = look, .ctx = s },
		.settle = { .fn = settle, .ctx = s },
	};
}

static int begin_ring(struct served *s, uint64_t features, const struct virtio_queue *q,
		      struct vl_err *err)
{
	bool packed = backend_has(features, VIRTIO_F_RING_PACKED);
	struct vring_dev_config config = {
		.mem = &s->b->host->table,
		.features = features,
		.base = packed ? VRING_BASE_PACKED : VRING_BASE_SPLIT,
	};
	int ret = backend_layout(s->b, q, packed, &config.ring, err);

	if (ret)
		return ret;
	ret = vring_dev_init(&s->dev, &config);
	if (ret)
		return vl_err_set(err, ret, "%s: virtqueue %u cannot be started: %s", s->b->name,
				  q->index, vl_strerror(ret));
	/* at its beginning it has nothing that an earlier device side pushed */
	vring_dev_should_call(&s->dev);
	return 0;
}

static int attach(struct served *s, const struct virtio_queue *q, struct vl_err *err)
{
	struct loop *loop = s->b->host->loop;
	int ret = loop_eventfd_add(loop, q->call_fd, &s->call);

	if (!ret)
		ret = loop_poll(loop, q->kick_fd, POLLIN, kicked, s, &s->kick);
	if (ret)
		vl_err_set(err, ret, "%s: the eventfds of virtqueue %u cannot be used: %s",
			   s->b->name, q->index, vl_strerror(ret));
	return ret;
}

static void detach(struct served *s)
{
	loop_op_remove(&s->kick);
	loop_eventfd_remove(&s->call);
}

int served_start(struct served *s, uint64_t features, const struct virtio_queue *q,
		 struct vl_err *err)
{
	const struct vdev_ops *ops = s->vdev->ops;
	int ret = begin_ring(s, features, q, err);

	if (ret)
		return ret;
	s->index = q->index;
	s->broken = false;
	s->stopping = false;
	s->waiting = false;
	ret = attach(s, q, err);
	if (!ret && ops->start)
		ret = ops->start(s->vdev->dev, &s->queue, err);
	if (ret) {
		detach(s);
		vring_dev_exit(&s->dev);
		return ret;
	}
	s->started = true;
	/* what is available may have had its kick already */
	served_poke(s);
	return 0;
}

/* What a device has in flight is in its files. */
static void drain(struct served *s)
{
	const struct vdev_ops *ops = s->vdev->ops;

	do {
		if (ops->stop)
			ops->stop(s->vdev->dev, &s->queue, true);
	} while (vring_dev_in_flight(&s->dev) && !loop_rw_wait(s->b->host->loop));
}

void served_stop(struct served *s)
{
	if (!s->started)
		return;
	s->stopping = true;
	loop_task_remove(s->b->host->loop, &s->run);
	detach(s);
	drain(s);
	s->started = false;
	loop_task_remove(s->b->host->loop, &s->settle);
	vring_dev_exit(&s->dev);
}
