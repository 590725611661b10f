// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include <vringlab/err.h>
#include <vringlab/loop.h>
#include <vringlab/vdev_rng.h>
#include <vringlab/virtio_device.h>

#include "iov.h"
#include "ring_features.h"

/* After so many bytes the other rings and the socket get their turn. */
#define BUDGET (4 * VDEV_RNG_BYTES_MAX)

/* Before the kernel's own generator is seeded, soon after it was started, it has none. */
#define RETRY_NS 100000000ull

struct rng {
	struct vdev vdev;
	struct loop *loop;
	struct loop_op *retry;
	struct vdev_queue *q;
	struct iov_room room;
	struct vdev_rng_stats stats;
};

/* Returns how many bytes there are now, or a negative errno without any. */
static ssize_t fill(const struct vring_chain *chain)
{
	const struct iovec *iov = chain->iov + chain->nr_out;
	size_t done = 0, at = 0;

	for (unsigned int i = 0; i < chain->nr_in && done < VDEV_RNG_BYTES_MAX;) {
		size_t len = iov[i].iov_len - at;
		ssize_t ret;

		if (len > VDEV_RNG_BYTES_MAX - done)
			len = VDEV_RNG_BYTES_MAX - done;
		ret = getrandom((uint8_t *)iov[i].iov_base + at, len, GRND_NONBLOCK);
		if (ret < 0 && errno == EINTR)
			continue;
		if (ret < 0)
			return done ? (ssize_t)done : -errno;
		done += ret;
		at += ret;
		if (at == iov[i].iov_len) {
			at = 0;
			i++;
		}
	}
	return done;
}

static void again(void *ctx, int res)
{
	struct rng *rng = ctx;

	(void)res;
	if (rng->q)
		rng->q->run(rng->q);
}

/* The guest waits for as long as the host does. */
static int wait_for_seed(struct rng *rng, struct vdev_queue *q, const struct vring_chain *chain)
{
	vring_dev_unpop(q->vq, chain, 1);
	if (rng->retry)
		return VDEV_WAITING;
	return loop_timer(rng->loop, RETRY_NS, again, rng, &rng->retry) ? VDEV_MORE : VDEV_WAITING;
}

static int rng_process(void *dev, struct vdev_queue *q)
{
	struct rng *rng = dev;

	for (size_t bytes = 0; bytes < BUDGET;) {
		struct vring_chain chain;
		ssize_t written;
		int ret = iov_room_pop(&rng->room, q->vq, &chain);

		if (ret)
			return ret == -EAGAIN ? VDEV_IDLE : ret;
		written = fill(&chain);
		if (written < 0)
			return wait_for_seed(rng, q, &chain);
		vring_dev_push(q->vq, &chain, written);
		rng->stats.chains++;
		rng->stats.bytes += written;
		/* chains of no bytes are not for nothing either */
		bytes += written + sizeof(chain);
	}
	return VDEV_MORE;
}

static int rng_start(void *dev, struct vdev_queue *q, struct vl_err *err)
{
	struct rng *rng = dev;

	(void)err;
	rng->q = q;
	return 0;
}

static void rng_stop(void *dev, struct vdev_queue *q, bool cancel)
{
	struct rng *rng = dev;

	(void)q;
	(void)cancel;
	rng->q = NULL;
	loop_op_remove(&rng->retry);
}

static void rng_resume(void *dev, struct vdev_queue *q)
{
	rng_start(dev, q, NULL);
}

static const struct vdev_ops rng_ops = {
	.process = rng_process,
	.start = rng_start,
	.stop = rng_stop,
	.resume = rng_resume,
};

int vdev_rng_create(struct vdev **vdev, struct loop *loop, struct vl_err *err)
{
	struct rng *rng = calloc(1, sizeof(*rng));

	if (!rng)
		return vl_err_set(err, -ENOMEM, "cannot make an rng device: out of memory");
	rng->loop = loop;
	rng->vdev = (struct vdev){
		.ops = &rng_ops,
		.dev = rng,
		.features = RING_FEATURES | VIRTIO_BIT(VIRTIO_F_IN_ORDER),
		.num_queues = 1,
	};
	*vdev = &rng->vdev;
	return 0;
}

void vdev_rng_destroy(struct vdev *vdev)
{
	struct rng *rng;

	if (!vdev)
		return;
	rng = vdev->dev;
	loop_op_remove(&rng->retry);
	iov_room_free(&rng->room);
	free(rng);
}

void vdev_rng_get_stats(const struct vdev *vdev, struct vdev_rng_stats *stats)
{
	const struct rng *rng = vdev->dev;

	*stats = rng->stats;
}
