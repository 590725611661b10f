// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Waiting for file I/O inside of a handler: what else completes meanwhile is put off
 * until the loop goes on, so that no other handler runs inside of that one.
 */
#include <errno.h>
#include <stdlib.h>

#include <vringlab/loop_rw.h>

#include "internal.h"

static bool is_rw(const struct io_uring_cqe *cqe)
{
	return loop_user_data_unpack(cqe->user_data).kind == LOOP_KIND_RW;
}

/* What the loop has taken off before: handled now, and no completion any more then. */
static unsigned int handle_taken(struct loop *loop)
{
	const struct loop_user_data none = { .kind = LOOP_KIND_CANCEL };
	struct loop_taken *taken = &loop->taken;
	unsigned int handled = 0;

	for (unsigned int i = taken->at; i < taken->nr; i++) {
		struct io_uring_cqe cqe = taken->batch[i];

		if (!is_rw(&cqe))
			continue;
		taken->batch[i].user_data = loop_user_data_pack(none);
		loop_rw_complete(loop, cqe.user_data, cqe.res);
		handled++;
	}
	return handled;
}

/*
 * A watch that was woken twice is looked at once: so there are never more than two
 * for an operation, however often others kick.
 */
static bool is_put_off(const struct loop_taken *taken, const struct io_uring_cqe *cqe)
{
	if (!(cqe->flags & IORING_CQE_F_MORE))
		return false;
	for (unsigned int i = 0; i < taken->nr_put_off; i++)
		if (taken->put_off[i].user_data == cqe->user_data)
			return true;
	return false;
}

static int grow(struct loop_taken *taken)
{
	unsigned int size = taken->size ? 2 * taken->size : LOOP_BATCH;
	struct io_uring_cqe *cqes = realloc(taken->put_off, size * sizeof(*cqes));

	if (!cqes)
		return -ENOMEM;
	taken->put_off = cqes;
	taken->size = size;
	return 0;
}

static void put_off(struct loop *loop, const struct io_uring_cqe *cqe)
{
	struct loop_taken *taken = &loop->taken;

	if (is_put_off(taken, cqe))
		return;
	if (taken->nr_put_off == taken->size && grow(taken)) {
		/* out of order, but not lost */
		loop_op_complete(loop, cqe->user_data, cqe->res, cqe->flags);
		return;
	}
	taken->put_off[taken->nr_put_off++] = *cqe;
	loop_task_add(loop, &taken->later);
}

static void handle_put_off(void *ctx, int res)
{
	struct loop *loop = ctx;
	struct loop_taken *taken = &loop->taken;
	struct io_uring_cqe *cqes = taken->put_off;
	unsigned int nr = taken->nr_put_off;

	(void)res;
	/* a handler may wait again */
	taken->put_off = NULL;
	taken->nr_put_off = 0;
	taken->size = 0;
	for (unsigned int i = 0; i < nr; i++)
		loop_op_complete(loop, cqes[i].user_data, cqes[i].res, cqes[i].flags);
	free(cqes);
}

static unsigned int handle_new(struct loop *loop)
{
	struct io_uring_cqe batch[LOOP_BATCH];
	unsigned int handled = 0;
	unsigned int nr;

	while ((nr = loop_take(loop, batch, LOOP_BATCH))) {
		for (unsigned int i = 0; i < nr; i++) {
			if (!is_rw(&batch[i])) {
				put_off(loop, &batch[i]);
				continue;
			}
			loop_rw_complete(loop, batch[i].user_data, batch[i].res);
			handled++;
		}
	}
	return handled;
}

int loop_rw_wait(struct loop *loop)
{
	int ret = 0;

	if (handle_taken(loop) || handle_new(loop))
		return 0;
	while (loop->nr_rw && !ret) {
		ret = loop_enter(loop, LOOP_FOREVER);
		if (handle_new(loop))
			return 0;
		ret = ret < 0 && ret != -EINTR && ret != -EBUSY && ret != -EAGAIN ? ret : 0;
	}
	return ret ? ret : -ENODATA;
}

void loop_rw_wait_init(struct loop *loop)
{
	loop->taken.later = (struct loop_task){ .fn = handle_put_off, .ctx = loop };
}

void loop_rw_wait_exit(struct loop *loop)
{
	handle_put_off(loop, 0);
}
