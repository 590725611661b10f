// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <vringlab/err.h>
#include <vringlab/vdev_loopback.h>
#include <vringlab/virtio_device.h>

#include "iov.h"
#include "ring_features.h"

/* After so much the other rings and the socket get their turn. */
#define BATCH_CHAINS 256
#define BATCH_BYTES (16u << 20)

/* One thread, and a chain is done when the next is taken: one list is enough. */
struct loopback {
	struct vdev vdev;
	struct iov_room room;
	struct vdev_loopback_stats stats;
};

/* Copies @left bytes; both lists have as many. They may overlap: it is guest memory. */
static void copy(struct iov_cursor *in, struct iov_cursor *out, uint64_t left)
{
	while (left) {
		size_t len = in->iov->iov_len < out->iov->iov_len ? in->iov->iov_len :
								    out->iov->iov_len;

		if (len > left)
			len = left;
		memmove(in->iov->iov_base, out->iov->iov_base, len);
		iov_cursor_advance(in, len);
		iov_cursor_advance(out, len);
		left -= len;
	}
}

static uint32_t echo(const struct vring_chain *chain)
{
	struct iov_cursor in = { .iov = chain->iov + chain->nr_out, .nr = chain->nr_in };
	struct iov_cursor out = { .iov = chain->iov, .nr = chain->nr_out };
	uint64_t bytes = chain->out_bytes < chain->in_bytes ? chain->out_bytes : chain->in_bytes;

	/* the length that goes back has 32 bits; both sides together have 2^32 bytes */
	copy(&in, &out, bytes);
	/* with a log, the ring wants to know what was written, from the list as it was */
	iov_cursor_restore(&in);
	return bytes;
}

static int loopback_process(void *dev, struct vdev_queue *q)
{
	struct loopback *l = dev;
	uint64_t bytes = 0;

	for (int i = 0; i < BATCH_CHAINS && bytes < BATCH_BYTES; i++) {
		struct vring_chain chain;
		uint32_t written;
		int ret = iov_room_pop(&l->room, q->vq, &chain);

		if (ret)
			return ret == -EAGAIN ? VDEV_IDLE : ret;
		written = echo(&chain);
		vring_dev_push(q->vq, &chain, written);
		l->stats.chains++;
		l->stats.bytes += written;
		bytes += written;
	}
	return VDEV_MORE;
}

static const struct vdev_ops loopback_ops = {
	.process = loopback_process,
};

int vdev_loopback_create(struct vdev **vdev, unsigned int num_queues, struct vl_err *err)
{
	struct loopback *l = calloc(1, sizeof(*l));

	if (!l)
		return vl_err_set(err, -ENOMEM, "cannot make a loopback device: out of memory");
	l->vdev = (struct vdev){
		.ops = &loopback_ops,
		.dev = l,
		.features = RING_FEATURES | VIRTIO_BIT(VIRTIO_F_IN_ORDER),
		.num_queues = num_queues,
	};
	*vdev = &l->vdev;
	return 0;
}

void vdev_loopback_destroy(struct vdev *vdev)
{
	struct loopback *l;

	if (!vdev)
		return;
	l = vdev->dev;
	iov_room_free(&l->room);
	free(l);
}

void vdev_loopback_get_stats(const struct vdev *vdev, struct vdev_loopback_stats *stats)
{
	const struct loopback *l = vdev->dev;

	*stats = l->stats;
}
