// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A request's way through the file, step by step: a transfer that came back short
 * goes on, ranges follow each other, and without a write-back cache all of it is
 * brought to stable storage before the driver has it back.
 */
#include <errno.h>
#include <linux/falloc.h>
#include <stddef.h>
#include <sys/uio.h>

#include <vringlab/err.h>

#include "blk.h"

/* EAGAIN and EINTR without progress between: something is wrong. */
#define TRIES_MAX 64u

/*
 * Bytes of a transfer that is done at once: after BUDGET of them the other rings and
 * the socket have waited for the copy of 16 MiB.
 */
#define AT_ONCE_MAX 32768u

/* After a read that the page cache does not have 2, 4, ... up to so many are not tried. */
#define MISSES_MAX 6u

/* Never written to: reading it costs no memory. */
static uint8_t zeros[1u << 20] __attribute__((aligned(4096)));

static struct blk *blk_of(const struct blk_request *req)
{
	return req->queue->blk;
}

static void over(struct blk_request *req, uint8_t result)
{
	blk_bounce_put(req);
	blk_queue_done(req, result);
}

static void succeed(struct blk_request *req)
{
	struct vdev_blk_stats *stats = &blk_of(req)->stats;

	switch (req->op) {
	case BLK_READ:
		stats->reads++;
		stats->read_bytes += req->bytes;
		break;
	case BLK_WRITE:
		stats->writes++;
		stats->write_bytes += req->bytes;
		break;
	case BLK_FLUSH:
		stats->flushes++;
		break;
	case BLK_DISCARD:
		stats->discards++;
		break;
	case BLK_WRITE_ZEROES:
		stats->write_zeroes++;
		break;
	case BLK_GET_ID:
		break;
	}
	over(req, VIRTIO_BLK_S_OK);
}

static int submit_transfer(struct blk_request *req)
{
	const struct blk *blk = blk_of(req);
	const struct iovec *iov = req->data.iov;
	unsigned int nr = req->data.nr;

	if (req->unaligned) {
		iov = blk_bounce_out(req);
		nr = 1;
	}
	if (req->op == BLK_READ)
		return loop_rw_read(&req->rw, &blk->file, iov, nr, req->offset);
	return loop_rw_write(&req->rw, &blk->file, iov, nr, req->offset, !blk->writeback);
}

/* How the current range becomes zeros. */
static int choose_mode(const struct blk_request *req)
{
	const struct blk *blk = blk_of(req);

	if (req->ranges[req->range].unmap && blk->punches)
		return FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
	if (!req->ranges[req->range].unmap && blk->zeroes)
		return FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE;
	return BLK_MODE_WRITE;
}

static int submit_range(struct blk_request *req)
{
	const struct blk *blk = blk_of(req);

	req->mode = choose_mode(req);
	if (req->mode != BLK_MODE_WRITE)
		return loop_rw_fallocate(&req->rw, &blk->file, req->mode, req->offset, req->left);
	req->piece.iov_base = zeros;
	req->piece.iov_len = req->left < sizeof(zeros) ? req->left : sizeof(zeros);
	return loop_rw_write(&req->rw, &blk->file, &req->piece, 1, req->offset, false);
}

static int submit(struct blk_request *req)
{
	if (req->op == BLK_FLUSH || req->syncing)
		return loop_rw_datasync(&req->rw, &blk_of(req)->file);
	if (req->op == BLK_READ || req->op == BLK_WRITE)
		return submit_transfer(req);
	return submit_range(req);
}

void blk_io_step(struct blk_request *req)
{
	struct blk_queue *queue = req->queue;

	if (queue->cancelling) {
		blk_bounce_put(req);
		blk_queue_drop(req);
		return;
	}
	if (req->unaligned && !blk_bounce_get(req))
		return;
	if (!submit(req))
		return;
	/* the kernel has completions that it wants taken first */
	blk_list_add(&queue->stalled, req);
	loop_task_add(blk_of(req)->loop, &queue->settle);
}

/* A discard is a wish: what the file cannot do is left undone, and that is all right. */
static bool nothing_to_do(const struct blk_request *req)
{
	return !req->left || (req->op == BLK_DISCARD && !blk_of(req)->punches);
}

/* The current range is done, or there was nothing to do: on to one that has. */
static void next_range(struct blk_request *req)
{
	while (nothing_to_do(req) && ++req->range < req->nr_ranges) {
		req->offset = req->ranges[req->range].offset;
		req->left = req->ranges[req->range].len;
	}
	if (req->range < req->nr_ranges) {
		blk_io_step(req);
		return;
	}
	if (blk_of(req)->writeback) {
		succeed(req);
		return;
	}
	req->syncing = true;
	blk_io_step(req);
}

void blk_warn(struct blk *blk, int code)
{
	struct vl_err err;

	if (!blk->vdev.warn || code == blk->warned)
		return;
	blk->warned = code;
	if (code == BLK_SHORTER)
		vl_err_set(&err, code, "the file has become shorter: what was behind is lost");
	else
		vl_err_set(&err, code, "requests fail: %s", vl_strerror(code));
	blk->vdev.warn(&blk->vdev, &err);
}

/* @res: of the step; what is no error is no progress, or nonsense */
static void fail(struct blk_request *req, int res)
{
	int code = res < 0 ? res : -EIO;

	if (!res && req->op == BLK_READ)
		code = BLK_SHORTER;
	blk_of(req)->stats.failed++;
	blk_warn(blk_of(req), code);
	over(req, VIRTIO_BLK_S_IOERR);
}

static void transferred(struct blk_request *req, int res)
{
	/* 0 is the end of the file, where there was none when the request began */
	if (res <= 0 || (uint64_t)res > req->left) {
		fail(req, res);
		return;
	}
	if (req->unaligned)
		blk_bounce_in(req, res);
	req->tries = 0;
	req->offset += res;
	req->left -= res;
	if (!req->left) {
		succeed(req);
		return;
	}
	iov_cursor_advance(&req->data, res);
	blk_io_step(req);
}

/* What the file cannot do is remembered, and done another way. */
static void do_otherwise(struct blk_request *req)
{
	struct blk *blk = blk_of(req);

	if (req->ranges[req->range].unmap)
		blk->punches = false;
	else
		blk->zeroes = false;
	next_range(req);
}

static void zeroed(struct blk_request *req, int res)
{
	uint64_t len = req->left;

	if (req->mode != BLK_MODE_WRITE && res == -EOPNOTSUPP) {
		do_otherwise(req);
		return;
	}
	if (req->mode == BLK_MODE_WRITE)
		len = res;
	if (res < 0 || !len || len > req->left) {
		fail(req, res);
		return;
	}
	req->tries = 0;
	req->offset += len;
	req->left -= len;
	next_range(req);
}

static void complete(struct loop_rw *rw, int res)
{
	struct blk_request *req =
		(struct blk_request *)((uint8_t *)rw - offsetof(struct blk_request, rw));
	struct blk_queue *queue = req->queue;
	bool again = res == -EINTR || res == -EAGAIN || res == -ECANCELED;

	/* the step drops it, if the virtqueue is given up; else what ended has ended */
	if (!queue->q || (again && (queue->cancelling || ++req->tries < TRIES_MAX)))
		blk_io_step(req);
	else if (req->op == BLK_READ || req->op == BLK_WRITE)
		transferred(req, res);
	else if (req->op != BLK_FLUSH && !req->syncing)
		zeroed(req, res);
	else if (res)
		fail(req, res);
	else
		succeed(req);
}

/* Is it worth a try? */
static bool may_be_cached(struct blk *blk)
{
	if (!blk->skip)
		return true;
	blk->skip--;
	return false;
}

static ssize_t transfer_now(struct blk_request *req)
{
	struct blk *blk = blk_of(req);
	ssize_t ret;

	if (blk->in_memory && req->op == BLK_WRITE)
		return pwritev(blk->fd, req->data.iov, req->data.nr, req->offset);
	if (blk->in_memory)
		return preadv(blk->fd, req->data.iov, req->data.nr, req->offset);
	if (blk->direct || req->op == BLK_WRITE || !may_be_cached(blk))
		return -1;
	ret = preadv2(blk->fd, req->data.iov, req->data.nr, req->offset, RWF_NOWAIT);
	if (ret > 0) {
		blk->misses = 0;
	} else {
		blk->misses += blk->misses < MISSES_MAX;
		blk->skip = 1u << blk->misses;
	}
	return ret;
}

/*
 * What is in memory is transferred without a way through the ring, which costs more
 * than the copy. False if nothing was, for whatever reason; the ring will tell.
 */
static bool transfer_at_once(struct blk_request *req)
{
	ssize_t ret;

	if (req->left > AT_ONCE_MAX)
		return false;
	ret = transfer_now(req);
	if (ret <= 0)
		return false;
	blk_of(req)->stats.at_once++;
	transferred(req, ret);
	return true;
}

static void start_transfer(struct blk_request *req)
{
	if (!req->left)
		succeed(req);
	else if (!transfer_at_once(req))
		blk_io_step(req);
}

void blk_io_begin(struct blk_request *req)
{
	req->rw.fn = complete;
	if (blk_is_null(blk_of(req)))
		succeed(req);
	else if (req->op == BLK_DISCARD || req->op == BLK_WRITE_ZEROES)
		next_range(req);
	else if (req->op == BLK_FLUSH)
		blk_io_step(req);
	else
		start_transfer(req);
}
