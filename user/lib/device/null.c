// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdlib.h>

#include <vringlab/err.h>
#include <vringlab/vdev_null.h>
#include <vringlab/virtio_device.h>

#include "iov.h"
#include "ring_features.h"

/* Taken and given back at once. */
#define BATCH 64
/* After so many batches the other rings and the socket get their turn. */
#define BATCHES 8

struct null {
	struct vdev vdev;
	struct iov_room room;
	struct vdev_null_stats stats;
};

/* The chains share one list: nobody reads it, for nothing is written. */
static int pop_batch(struct null *n, struct vring_dev *vq, struct vring_chain *chains)
{
	int ret;

	for (;;) {
		for (int i = 0; i < BATCH; i++) {
			chains[i].iov = n->room.iov;
			chains[i].nr_iov = n->room.nr;
		}
		ret = vring_dev_pop_batch(vq, chains, BATCH);
		if (ret != -ENOBUFS)
			return ret;
		ret = iov_room_grow(&n->room);
		if (ret)
			return ret;
	}
}

static int null_process(void *dev, struct vdev_queue *q)
{
	static const uint32_t written[BATCH];
	struct vring_chain chains[BATCH];
	struct null *n = dev;

	for (int i = 0; i < BATCHES; i++) {
		int ret = pop_batch(n, q->vq, chains);

		if (ret < 0)
			return ret == -EAGAIN ? VDEV_IDLE : ret;
		vring_dev_push_batch(q->vq, chains, written, ret);
		n->stats.chains += ret;
	}
	return VDEV_MORE;
}

static const struct vdev_ops null_ops = {
	.process = null_process,
};

int vdev_null_create(struct vdev **vdev, unsigned int num_queues, struct vl_err *err)
{
	struct null *n = calloc(1, sizeof(*n));

	if (!n)
		return vl_err_set(err, -ENOMEM, "cannot make a null device: out of memory");
	n->vdev = (struct vdev){
		.ops = &null_ops,
		.dev = n,
		.features = RING_FEATURES | VIRTIO_BIT(VIRTIO_F_IN_ORDER),
		.num_queues = num_queues,
	};
	*vdev = &n->vdev;
	return 0;
}

void vdev_null_destroy(struct vdev *vdev)
{
	struct null *n;

	if (!vdev)
		return;
	n = vdev->dev;
	iov_room_free(&n->room);
	free(n);
}

void vdev_null_get_stats(const struct vdev *vdev, struct vdev_null_stats *stats)
{
	const struct null *n = vdev->dev;

	*stats = n->stats;
}
