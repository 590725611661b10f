// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The device: making it, starting and stopping its virtqueues.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <vringlab/err.h>

#include "blk.h"

/* How often the file's size is looked at while a virtqueue runs. */
#define WATCH_NS 1000000000ull

/* How long vdev_blk_destroy() waits for requests to end, before it leaks them. */
#define DESTROY_NS 10000000000ull

static void watch(struct blk *blk);

static void look(void *ctx, int res)
{
	struct blk *blk = ctx;
	uint64_t before = blk->bytes;

	if (res)
		return;
	if (blk_file_resized(blk) && blk->vdev.config_changed)
		blk->vdev.config_changed(&blk->vdev);
	if (blk->bytes < before)
		blk_warn(blk, BLK_SHORTER);
	if (blk->nr_running)
		watch(blk);
}

/* Not inotify: it would wake for each of our own writes. */
static void watch(struct blk *blk)
{
	/* without a watch a change of size is not seen: no reason to end */
	if (!blk_is_null(blk) && !blk->watch)
		loop_timer(blk->loop, WATCH_NS, look, blk, &blk->watch);
}

static struct blk_queue *queue_of(struct blk *blk, const struct vdev_queue *q)
{
	return &blk->queues[q->index];
}

static void run(struct blk_queue *queue)
{
	struct blk *blk = queue->blk;

	queue->cancelling = false;
	if (queue->running)
		return;
	queue->running = true;
	if (blk->nr_running++)
		return;
	blk_file_resized(blk);
	watch(blk);
}

static int blk_start(void *dev, struct vdev_queue *q, struct vl_err *err)
{
	struct blk_queue *queue = queue_of(dev, q);

	if (blk_queue_prepare(queue, q->vq->ring.num))
		return vl_err_set(err, -ENOMEM, "no memory for the requests of virtqueue %u",
				  q->index);
	q->priv = queue;
	queue->q = q;
	queue->waiting = false;
	run(queue);
	return 0;
}

static void blk_stop(void *dev, struct vdev_queue *q, bool cancel)
{
	struct blk_queue *queue = queue_of(dev, q);
	struct blk *blk = dev;

	if (queue->running && !--blk->nr_running)
		loop_op_remove(&blk->watch);
	queue->running = false;
	if (cancel)
		blk_queue_cancel(queue);
}

static void blk_resume(void *dev, struct vdev_queue *q)
{
	run(queue_of(dev, q));
}

static void blk_reset(void *dev)
{
	blk_forget(dev);
}

static const struct vdev_ops blk_ops = {
	.process = blk_queue_process,
	.start = blk_start,
	.stop = blk_stop,
	.resume = blk_resume,
	.set_features = blk_set_features,
	.get_config = blk_get_config,
	.set_config = blk_set_config,
	.reset = blk_reset,
	.save = blk_save,
	.load = blk_load,
};

static int check_config(const struct vdev_blk_config *config, struct vl_err *err)
{
	if (config->serial && strlen(config->serial) > VDEV_BLK_SERIAL_MAX)
		return vl_err_set(err, -EINVAL,
				  "a serial has at most %u characters, not those of '%s'",
				  VDEV_BLK_SERIAL_MAX, config->serial);
	if (!config->num_queues || config->num_queues > UINT16_MAX)
		return vl_err_set(err, -EINVAL, "a blk device cannot have %u queues",
				  config->num_queues);
	return 0;
}

static struct blk *alloc_blk(struct loop *loop, const struct vdev_blk_config *config)
{
	struct blk *blk = calloc(1, sizeof(*blk) + config->num_queues * sizeof(blk->queues[0]));

	if (!blk)
		return NULL;
	blk->loop = loop;
	blk->fd = -1;
	blk->direct = config->direct;
	blk->read_only = config->read_only;
	blk_list_init(&blk->bounce_wait);
	blk_forget(blk);
	if (config->serial)
		memcpy(blk->serial, config->serial, strlen(config->serial));
	for (unsigned int i = 0; i < config->num_queues; i++)
		blk_queue_init(&blk->queues[i], blk);
	return blk;
}

int vdev_blk_create(struct vdev **vdev, struct loop *loop, const struct vdev_blk_config *config,
		    struct vl_err *err)
{
	struct blk *blk;
	int ret = check_config(config, err);

	if (ret)
		return ret;
	blk = alloc_blk(loop, config);
	if (!blk)
		return vl_err_set(err, -ENOMEM, "cannot make a blk device: out of memory");
	ret = blk_file_open(blk, config, err);
	if (ret)
		goto out_free;
	if (blk->direct && !blk_is_null(blk) && blk_bounce_create(blk)) {
		ret = vl_err_set(err, -ENOMEM, "cannot make a blk device: out of memory");
		goto out_close;
	}
	blk->vdev = (struct vdev){
		.ops = &blk_ops,
		.dev = blk,
		.features = blk_features(blk),
		.num_queues = config->num_queues,
		.config_size = BLK_CONFIG_SIZE,
	};
	*vdev = &blk->vdev;
	return 0;

out_close:
	blk_file_close(blk);
out_free:
	free(blk);
	return ret;
}

/* Requests with a step in the kernel, which still writes to their memory. */
static bool busy(const struct blk *blk)
{
	for (unsigned int i = 0; i < blk->vdev.num_queues; i++)
		for (unsigned int n = 0; n < blk->queues[i].nr; n++)
			if (blk->queues[i].requests[n].rw.in_flight)
				return true;
	return false;
}

void vdev_blk_destroy(struct vdev *vdev)
{
	uint64_t deadline_ns = loop_now_ns() + DESTROY_NS;
	struct blk *blk;

	if (!vdev)
		return;
	blk = vdev->dev;
	loop_op_remove(&blk->watch);
	for (unsigned int i = 0; i < vdev->num_queues; i++)
		blk_queue_abandon(&blk->queues[i]);
	while (busy(blk) && !loop_run_once(blk->loop, deadline_ns))
		;
	if (busy(blk))
		return;
	blk_file_close(blk);
	for (unsigned int i = 0; i < vdev->num_queues; i++)
		blk_queue_exit(&blk->queues[i]);
	blk_bounce_destroy(blk);
	iov_room_free(&blk->long_room);
	free(blk);
}

void vdev_blk_get_stats(const struct vdev *vdev, struct vdev_blk_stats *stats)
{
	const struct blk *blk = vdev->dev;

	*stats = blk->stats;
}
