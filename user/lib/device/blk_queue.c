// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * From chains to requests, and back. Requests are made when a virtqueue starts.
 *
 * Both ways go in batches: what is popped together is submitted by one system call,
 * and what completes together is given back together, by one call of the driver.
 */
#include <errno.h>
#include <stdlib.h>

#include "blk.h"

/* Few, for a driver that looks at the ring meanwhile can go on with them. */
#define BATCH 8u

/* What is over at once, before the other rings and the socket get their turn. */
#define BUDGET 512u

static void put_free(struct blk_request *req)
{
	req->next = req->queue->free;
	req->queue->free = req;
	req->queue->in_flight--;
}

static struct blk_request *take_free(struct blk_queue *queue)
{
	struct vdev_blk_stats *stats = &queue->blk->stats;
	struct blk_request *req = queue->free;

	queue->free = req->next;
	if (++queue->in_flight > stats->in_flight_max)
		stats->in_flight_max = queue->in_flight;
	return req;
}

static void finish(struct blk_request *req)
{
	struct blk_queue *queue = req->queue;

	if (!queue->q) {
		put_free(req);
		return;
	}
	/* with a log, the ring wants to know what was written, from the list as it was */
	iov_cursor_restore(&req->data);
	if (req->trimmed)
		req->trimmed->iov_len++;
	blk_list_add(&queue->done, req);
	if (!queue->taking)
		loop_task_add(queue->blk->loop, &queue->settle);
}

void blk_queue_done(struct blk_request *req, uint8_t result)
{
	*req->status = result;
	finish(req);
}

void blk_queue_drop(struct blk_request *req)
{
	req->dropped = true;
	req->queue->blk->stats.cancelled++;
	finish(req);
}

/*
 * The length that goes back counts from the start of the writable bytes, and the
 * status is the last of them.
 */
static uint32_t written_by(const struct vring_chain *chain)
{
	return chain->in_bytes > UINT32_MAX ? UINT32_MAX : chain->in_bytes;
}

static bool give_back(struct blk_queue *queue)
{
	struct vring_chain chains[BATCH];
	struct vring_dev *vq = queue->q->vq;
	uint32_t written[BATCH];
	struct blk_request *req;
	bool any = false;

	while (queue->done.first) {
		unsigned int nr = 0;

		while (nr < BATCH && (req = blk_list_take(&queue->done))) {
			any = true;
			put_free(req);
			if (req->dropped) {
				vring_dev_drop(vq, &req->chain);
				continue;
			}
			written[nr] = written_by(&req->chain);
			chains[nr++] = req->chain;
		}
		if (nr)
			vring_dev_push_batch(vq, chains, written, nr);
	}
	return any;
}

static void retry_stalled(struct blk_queue *queue)
{
	struct blk_list stalled = queue->stalled;
	struct blk_request *req;

	if (!stalled.first)
		return;
	blk_list_init(&queue->stalled);
	while ((req = blk_list_take(&stalled)))
		blk_io_step(req);
}

static void settle(void *ctx, int res)
{
	struct blk_queue *queue = ctx;
	struct vdev_queue *q = queue->q;
	bool go_on = queue->waiting;

	(void)res;
	retry_stalled(queue);
	if (!q || !give_back(queue))
		return;
	queue->waiting = false;
	if (go_on)
		q->run(q);
	/* the virtqueue may be gone after it */
	q->done(q);
}

/* Lends the buffer lists of free requests to as many chains. */
static unsigned int lend(const struct blk_queue *queue, struct vring_chain *chains)
{
	const struct blk_request *req = queue->free;
	unsigned int nr = 0;

	for (; req && nr < BATCH; req = req->next) {
		chains[nr].iov = queue->iovs + (req - queue->requests) * BLK_IOV_NR;
		chains[nr++].nr_iov = BLK_IOV_NR;
	}
	return nr;
}

/* A chain of more buffers than a request has room for: more than it was told to use. */
static int refuse_long(struct blk_queue *queue)
{
	struct vring_dev *vq = queue->q->vq;
	struct vring_chain chain;
	const struct iovec *last;
	int ret = iov_room_pop(&queue->blk->long_room, vq, &chain);

	if (ret)
		return ret;
	if (!chain.in_bytes) {
		vring_dev_drop(vq, &chain);
		return -EINVAL;
	}
	last = chain.iov + chain.nr_out + chain.nr_in - 1;
	*((uint8_t *)last->iov_base + last->iov_len - 1) = VIRTIO_BLK_S_IOERR;
	queue->blk->stats.refused++;
	vring_dev_push(vq, &chain, written_by(&chain));
	return 0;
}

/* In the order in which lend() took them. */
static int begin_batch(struct blk_queue *queue, const struct vring_chain *chains, unsigned int nr)
{
	int ret = 0;

	for (unsigned int i = 0; i < nr; i++) {
		struct blk_request *req = take_free(queue);

		req->chain = chains[i];
		if (!blk_request_begin(req))
			continue;
		/* not freed before all of the batch are taken: they come in lend()'s order */
		req->dropped = true;
		blk_list_add(&queue->done, req);
		ret = -EINVAL;
	}
	return ret;
}

/* Takes one batch: how many, 0 for want of a free request, or a negative errno. */
static int take_batch(struct blk_queue *queue)
{
	struct vring_chain chains[BATCH];
	unsigned int nr = lend(queue, chains);
	int ret, bad;

	if (!nr)
		return 0;
	ret = vring_dev_pop_batch(queue->q->vq, chains, nr);
	if (ret == -ENOBUFS) {
		ret = refuse_long(queue);
		return ret ? ret : 1;
	}
	if (ret < 0)
		return ret;
	bad = begin_batch(queue, chains, ret);
	return bad ? bad : ret;
}

int blk_queue_process(void *dev, struct vdev_queue *q)
{
	struct blk_queue *queue = q->priv;
	unsigned int total = 0;
	int ret;

	(void)dev;
	if (!queue->running)
		return VDEV_IDLE;
	queue->taking = true;
	queue->waiting = false;
	do {
		ret = take_batch(queue);
		give_back(queue);
		if (ret > 0)
			total += ret;
	} while ((ret > 0 && total < BUDGET) || (!ret && queue->free));
	queue->taking = false;
	if (ret == 0) {
		queue->waiting = true;
		return VDEV_WAITING;
	}
	if (ret > 0)
		return VDEV_MORE;
	return ret == -EAGAIN ? VDEV_IDLE : ret;
}

void blk_queue_init(struct blk_queue *queue, struct blk *blk)
{
	queue->blk = blk;
	queue->settle = (struct loop_task){ .fn = settle, .ctx = queue };
	blk_list_init(&queue->done);
	blk_list_init(&queue->stalled);
}

void blk_queue_exit(struct blk_queue *queue)
{
	loop_task_remove(queue->blk->loop, &queue->settle);
	free(queue->requests);
	free(queue->iovs);
	queue->requests = NULL;
	queue->iovs = NULL;
	queue->free = NULL;
	queue->nr = 0;
}

int blk_queue_prepare(struct blk_queue *queue, unsigned int num)
{
	unsigned int nr = num < BLK_DEPTH_MAX ? num : BLK_DEPTH_MAX;

	if (queue->nr == nr)
		return 0;
	blk_queue_exit(queue);
	queue->requests = calloc(nr, sizeof(*queue->requests));
	queue->iovs = calloc((size_t)nr * BLK_IOV_NR, sizeof(*queue->iovs));
	if (!queue->requests || !queue->iovs) {
		blk_queue_exit(queue);
		return -ENOMEM;
	}
	queue->nr = nr;
	for (unsigned int i = nr; i--;) {
		queue->requests[i].queue = queue;
		queue->requests[i].next = queue->free;
		queue->free = &queue->requests[i];
	}
	return 0;
}

void blk_queue_abandon(struct blk_queue *queue)
{
	struct blk_request *req;

	queue->q = NULL;
	loop_task_remove(queue->blk->loop, &queue->settle);
	while ((req = blk_list_take(&queue->done)))
		put_free(req);
	blk_queue_cancel(queue);
}

void blk_queue_cancel(struct blk_queue *queue)
{
	queue->cancelling = true;
	retry_stalled(queue);
	blk_bounce_cancel(queue);
	for (unsigned int i = 0; i < queue->nr; i++)
		loop_rw_cancel(&queue->requests[i].rw);
	if (queue->q)
		give_back(queue);
}
