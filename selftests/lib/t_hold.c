// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>

#include <vringlab/fd.h>

#include "t_hold.h"

static uint32_t copy(const struct vring_chain *chain)
{
	const struct iovec *out = chain->iov, *in = chain->iov + chain->nr_out;
	size_t len;

	if (!chain->nr_out || !chain->nr_in)
		return 0;
	len = out->iov_len < in->iov_len ? out->iov_len : in->iov_len;
	memcpy(in->iov_base, out->iov_base, len);
	return len;
}

static int process(void *dev, struct vdev_queue *q)
{
	struct t_hold *h = dev;
	int ret = 0;

	while (h->nr < T_HOLD_MAX && !ret) {
		unsigned int at = (h->first + h->nr) % T_HOLD_MAX;

		h->chains[at] = (struct vring_chain){ .iov = h->iovs[at], .nr_iov = T_HOLD_IOV };
		ret = vring_dev_pop(q->vq, &h->chains[at]);
		if (ret)
			break;
		h->nr++;
		atomic_store(&h->held, h->nr);
	}
	return ret == -EAGAIN ? VDEV_IDLE : ret;
}

static int start(void *dev, struct vdev_queue *q, struct vl_err *err)
{
	((struct t_hold *)dev)->q = q;
	return 0;
}

static const struct vring_chain *take(struct t_hold *h)
{
	const struct vring_chain *chain = &h->chains[h->first];

	h->first = (h->first + 1) % T_HOLD_MAX;
	h->nr--;
	return chain;
}

static void stop(void *dev, struct vdev_queue *q, bool cancel)
{
	struct t_hold *h = dev;

	while (cancel && h->nr) {
		vring_dev_drop(q->vq, take(h));
		atomic_fetch_add(&h->dropped, 1);
	}
	atomic_store(&h->held, h->nr);
	atomic_fetch_add(&h->stops, 1);
	q->done(q);
}

static void reset(void *dev)
{
	atomic_fetch_add(&((struct t_hold *)dev)->resets, 1);
}

static void on_release(void *ctx, int res)
{
	struct t_hold *h = ctx;
	eventfd_t nr;

	if (eventfd_read(h->release, &nr))
		return;
	for (; nr && h->nr; nr--) {
		const struct vring_chain *chain = take(h);

		vring_dev_push(h->q->vq, chain, copy(chain));
	}
	atomic_store(&h->held, h->nr);
	if (h->q)
		h->q->done(h->q);
}

int t_hold_init(struct t_hold *h, uint64_t features)
{
	static const struct vdev_ops ops = {
		.process = process,
		.start = start,
		.stop = stop,
		.reset = reset,
	};

	memset(h, 0, sizeof(*h));
	h->release = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	h->vdev = (struct vdev){
		.ops = &ops,
		.dev = h,
		.features = features,
		.num_queues = 1,
	};
	return h->release < 0 ? -errno : 0;
}

void t_hold_exit(struct t_hold *h)
{
	vl_fd_close(&h->release);
}

int t_hold_release(const struct t_hold *h, unsigned int nr)
{
	return eventfd_write(h->release, nr) ? -errno : 0;
}

int t_hold_make(void *ctx, struct loop *loop, struct vdev **vdev)
{
	struct t_hold *h = ctx;

	*vdev = &h->vdev;
	return loop_poll(loop, h->release, POLLIN, on_release, h, &h->op);
}

void t_hold_destroy(void *ctx, struct vdev *vdev)
{
	struct t_hold *h = ctx;

	loop_op_remove(&h->op);
}
