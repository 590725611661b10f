// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device of a t_served: it copies, and keeps what it has when it is told to.
 */
#include <errno.h>
#include <string.h>

#include "t_served.h"

/* The first buffer to read goes to the first to write. */
static void echo(struct vdev_queue *q, const struct vring_chain *chain)
{
	const struct iovec *out = chain->iov;
	const struct iovec *in = chain->iov + chain->nr_out;
	size_t len = 0;

	if (chain->nr_out && chain->nr_in)
		len = out->iov_len < in->iov_len ? out->iov_len : in->iov_len;
	if (len)
		memmove(in->iov_base, out->iov_base, len);
	vring_dev_push(q->vq, chain, len);
}

static bool keep(struct t_served *s, struct vdev_queue *q, const struct vring_chain *chain)
{
	unsigned int nr = atomic_load(&s->nr_held);
	struct t_served_held *held = &s->held[nr];

	if (!atomic_load(&s->hold) || nr == T_SERVED_HELD_MAX)
		return false;
	held->q = q;
	held->chain = *chain;
	memcpy(held->iov, chain->iov, sizeof(held->iov));
	held->chain.iov = held->iov;
	atomic_store(&s->nr_held, nr + 1);
	return true;
}

/* The least device that is one. */
static int process(void *dev, struct vdev_queue *q)
{
	struct iovec iov[T_SERVED_IOV];
	struct vring_chain chain = { .iov = iov, .nr_iov = T_SERVED_IOV };
	int ret;

	while (!(ret = vring_dev_pop(q->vq, &chain)))
		if (!keep(dev, q, &chain))
			echo(q, &chain);
	return ret == -EAGAIN ? 0 : ret;
}

static int start(void *dev, struct vdev_queue *q, struct vl_err *err)
{
	struct t_served *s = dev;

	s->queues[q->index] = q;
	return 0;
}

/* As a disk whose requests cannot be cancelled. */
static void stop(void *dev, struct vdev_queue *q, bool cancel)
{
}

void t_served_device_release(void *ctx, int res)
{
	struct t_served *s = ctx;
	unsigned int nr = atomic_exchange(&s->nr_held, 0);

	for (unsigned int i = 0; i < nr; i++)
		echo(s->held[i].q, &s->held[i].chain);
	for (unsigned int i = 0; nr && i < T_SERVED_QUEUES; i++)
		if (s->queues[i])
			s->queues[i]->done(s->queues[i]);
}

static int get_config(void *dev, uint32_t offset, void *buf, uint32_t size)
{
	memset(buf, 0x5a, size);
	return 0;
}

static int set_config(void *dev, uint32_t offset, const void *buf, uint32_t size, bool migration)
{
	return migration || offset + size <= T_SERVED_CONFIG_WRITABLE ? 0 : -EPERM;
}

static ssize_t save(void *dev, void *buf, size_t size)
{
	memset(buf, 0x33, T_SERVED_STATE_BYTES);
	return T_SERVED_STATE_BYTES;
}

static int load(void *dev, const void *buf, size_t size)
{
	return size == T_SERVED_STATE_BYTES ? 0 : -EINVAL;
}

static const struct vdev_ops device_ops = {
	.process = process,
	.start = start,
	.stop = stop,
};

static const struct vdev_ops whole_device_ops = {
	.process = process,
	.start = start,
	.stop = stop,
	.get_config = get_config,
	.set_config = set_config,
	.save = save,
	.load = load,
};

void t_served_device_init(struct t_served *s)
{
	s->device = (struct vdev){
		.ops = s->config.whole ? &whole_device_ops : &device_ops,
		.dev = s,
		.features = T_SERVED_FEATURES | s->config.features,
		.num_queues = T_SERVED_QUEUES,
		.config_size = s->config.whole ? T_SERVED_CONFIG_BYTES : 0,
	};
}
