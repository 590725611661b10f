// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * O_DIRECT wants aligned memory. A driver's buffers nearly always are; for the rest
 * there are a few buffers, and who finds none waits.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "blk.h"

#define BOUNCE_BYTES (64u << 10)
#define BOUNCES 16u

/* In a free buffer: the next one. */
struct blk_bounce {
	struct blk_bounce *next;
};

int blk_bounce_create(struct blk *blk)
{
	uint8_t *memory = mmap(NULL, BOUNCE_BYTES * BOUNCES, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return -ENOMEM;
	blk->bounce_memory = memory;
	for (unsigned int i = BOUNCES; i--;) {
		struct blk_bounce *bounce = (void *)(memory + i * BOUNCE_BYTES);

		bounce->next = blk->bounces;
		blk->bounces = bounce;
	}
	return 0;
}

void blk_bounce_destroy(struct blk *blk)
{
	if (blk->bounce_memory)
		munmap(blk->bounce_memory, BOUNCE_BYTES * BOUNCES);
	blk->bounce_memory = NULL;
	blk->bounces = NULL;
}

bool blk_bounce_get(struct blk_request *req)
{
	struct blk *blk = req->queue->blk;

	if (req->bounce)
		return true;
	if (!blk->bounces) {
		blk_list_add(&blk->bounce_wait, req);
		return false;
	}
	req->bounce = blk->bounces;
	blk->bounces = req->bounce->next;
	blk->stats.bounced++;
	return true;
}

void blk_bounce_put(struct blk_request *req)
{
	struct blk *blk = req->queue->blk;
	struct blk_request *next;

	if (!req->bounce)
		return;
	req->bounce->next = blk->bounces;
	blk->bounces = req->bounce;
	req->bounce = NULL;
	next = blk_list_take(&blk->bounce_wait);
	if (next)
		blk_io_step(next);
}

void blk_bounce_cancel(struct blk_queue *queue)
{
	struct blk *blk = queue->blk;
	struct blk_list waiting = blk->bounce_wait;
	struct blk_request *req;

	if (!waiting.first)
		return;
	blk_list_init(&blk->bounce_wait);
	while ((req = blk_list_take(&waiting))) {
		if (req->queue == queue)
			blk_queue_drop(req);
		else
			blk_list_add(&blk->bounce_wait, req);
	}
}

const struct iovec *blk_bounce_out(struct blk_request *req)
{
	size_t len = req->left < BOUNCE_BYTES ? req->left : BOUNCE_BYTES;

	req->piece = (struct iovec){ .iov_base = req->bounce, .iov_len = len };
	if (req->op == BLK_WRITE)
		iov_gather(req->data.iov, req->data.nr, req->bounce, len);
	return &req->piece;
}

void blk_bounce_in(struct blk_request *req, size_t len)
{
	if (req->op == BLK_READ)
		iov_scatter(req->data.iov, req->data.nr, req->bounce, len);
}
