// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Device status, VIRTIO 1.2 sections 2.1 and 3.1: on the loop's thread.
 *
 * DRIVER_OK is set before the back-end is started and NEEDS_RESET is set before it is
 * stopped, so that no register of a virtqueue changes while the back-end reads it.
 */
#include <linux/virtio_config.h>

#include <vringlab/loop_errand.h>

#include "transport.h"

struct status_errand {
	struct virtio_transport *t;
	uint8_t value;
};

static void tell_queues(struct virtio_transport *t,
			void (*fn)(void *ctx, const struct virtio_backend *be,
				   const struct virtio_queue *queue))
{
	for (unsigned int i = 0; fn && i < t->be->num_queues; i++)
		if (t->queues[i].enabled)
			fn(t->config.ctx, t->be, &t->queues[i]);
}

/* No doorbell reaches the back-end, and then it is stopped. */
void vt_halt(struct virtio_transport *t)
{
	if (!t->started)
		return;
	t->started = false;
	t->ops->stop(t);
	t->be->ops->stop(t->be);
	if (t->told)
		tell_queues(t, t->config.ops.queue_stopped);
	t->told = false;
}

/* VIRTIO 1.2 section 2.1.2: the driver is told, once it listens. */
static void need_reset(struct virtio_transport *t, const struct vl_err *err)
{
	bool is_news;

	vt_lock(t);
	is_news = !(t->status & VIRTIO_CONFIG_S_NEEDS_RESET);
	t->status |= VIRTIO_CONFIG_S_NEEDS_RESET;
	if (is_news && t->status & VIRTIO_CONFIG_S_DRIVER_OK)
		t->ops->config_changed(t);
	vt_unlock(t);
	if (is_news && t->config.ops.failed)
		t->config.ops.failed(t->config.ctx, t->be, err);
}

/* It has stopped by itself, and is told to when the driver resets the device. */
void vt_backend_failed(struct virtio_backend *be, const struct vl_err *err)
{
	need_reset(be->transport, err);
}

/* Errand: something failed that no register can tell. */
int vt_have_trouble(void *ctx)
{
	struct virtio_transport *t = ctx;
	struct vl_err err;

	pthread_mutex_lock(t->lock);
	err = t->trouble;
	t->trouble.code = 0;
	pthread_mutex_unlock(t->lock);
	/* an errand of another vCPU has seen to it */
	if (!err.code)
		return 0;
	need_reset(t, &err);
	vt_halt(t);
	return 0;
}

static void start(struct virtio_transport *t)
{
	struct virtio_backend *be = t->be;
	struct vl_err err = { 0 };

	t->started = true;
	t->ops->start(t);
	/* that has failed: its trouble is over now, and so is the start */
	if (!t->started)
		return;
	if (be->ops->start(be, t->driver_features, t->queues, be->num_queues, &err)) {
		need_reset(t, &err);
		vt_halt(t);
	}
	if (!t->started)
		return;
	t->told = true;
	tell_queues(t, t->config.ops.queue_started);
}

/* Bits are only added; what the driver must not set yet is not. */
static void advance(struct virtio_transport *t, uint8_t value)
{
	const uint8_t plain = VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER |
			      VIRTIO_CONFIG_S_FAILED;
	bool is_ready;

	vt_lock(t);
	t->status |= value & plain;
	if (value & VIRTIO_CONFIG_S_FEATURES_OK && vt_features_ok(t))
		t->status |= VIRTIO_CONFIG_S_FEATURES_OK;
	is_ready = value & ~t->status & VIRTIO_CONFIG_S_DRIVER_OK &&
		   t->status & VIRTIO_CONFIG_S_FEATURES_OK;
	if (is_ready)
		t->status |= VIRTIO_CONFIG_S_DRIVER_OK;
	is_ready = is_ready && !(t->status & VIRTIO_CONFIG_S_NEEDS_RESET);
	vt_unlock(t);
	if (is_ready)
		start(t);
}

static void reset(struct virtio_transport *t)
{
	vt_halt(t);
	pthread_mutex_lock(t->lock);
	t->ops->reset(t);
	vt_reset_registers(t);
	pthread_mutex_unlock(t->lock);
}

static int do_status(void *ctx)
{
	struct status_errand *errand = ctx;

	if (errand->value)
		advance(errand->t, errand->value);
	else
		reset(errand->t);
	return 0;
}

void vt_write_status(struct virtio_transport *t, uint8_t value)
{
	struct status_errand errand = { .t = t, .value = value };

	loop_errand(t->config.errands, do_status, &errand);
}
