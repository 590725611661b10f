// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Life of an operation: new, started, armed (again), complete, removed.
 *
 * An operation is freed when nobody can refer to it any more: the holder is gone
 * and the kernel has sent its last completion. A removed one stays in its slot
 * until then, for its buffers may still be written to, and what its completion
 * brings (a connection, fds) has to be closed.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define LOOP_SLOTS_MAX 65535u

static const struct loop_op_type *const types[LOOP_NR_KINDS] = {
	[LOOP_KIND_POLL] = &loop_poll_type,	[LOOP_KIND_TIMER] = &loop_timer_type,
	[LOOP_KIND_ACCEPT] = &loop_accept_type, [LOOP_KIND_CONNECT] = &loop_connect_type,
	[LOOP_KIND_RECV] = &loop_recv_type,	[LOOP_KIND_SEND] = &loop_send_type,
};

static int grow_slots(struct loop *loop)
{
	unsigned int nr = loop->nr_slots ? 2 * loop->nr_slots : 16;
	struct loop_slot *slots;

	if (nr > LOOP_SLOTS_MAX)
		nr = LOOP_SLOTS_MAX;
	if (nr == loop->nr_slots)
		return -ENFILE;
	slots = realloc(loop->slots, nr * sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	memset(slots + loop->nr_slots, 0, (nr - loop->nr_slots) * sizeof(*slots));
	loop->slots = slots;
	loop->nr_slots = nr;
	return 0;
}

static int take_slot(struct loop_op *op)
{
	struct loop *loop = op->loop;
	unsigned int slot = 0;
	int ret;

	while (slot < loop->nr_slots && loop->slots[slot].op)
		slot++;
	if (slot == loop->nr_slots) {
		ret = grow_slots(loop);
		if (ret)
			return ret;
	}
	loop->slots[slot].op = op;
	loop->nr_ops++;
	op->id.slot = slot;
	op->id.generation = ++loop->slots[slot].generation;
	op->user_data = loop_user_data_pack(op->id);
	return 0;
}

struct loop_op *loop_op_new(struct loop *loop, enum loop_kind kind, int fd, void *ctx)
{
	struct loop_op *op = calloc(1, sizeof(*op));

	if (!op)
		return NULL;
	op->loop = loop;
	op->id.kind = kind;
	op->id.loop = loop->id;
	op->fd = fd;
	op->file = LOOP_NO_FILE;
	op->ctx = ctx;
	return op;
}

static void free_op(struct loop_op *op)
{
	const struct loop_op_type *type = types[op->id.kind];

	if (op->file != LOOP_NO_FILE)
		loop_file_remove(op->loop, op->file);
	if (type->release)
		type->release(op);
	free(op);
}

/* Puts a new operation into a slot and arms it; frees it on failure. */
int loop_op_start(struct loop_op *op, struct loop_op **holder)
{
	int ret = take_slot(op);

	if (ret) {
		free_op(op);
		return ret;
	}
	op->holder = holder;
	ret = loop_op_arm(op);
	if (ret) {
		op->holder = NULL;
		loop_op_finish(op);
		return ret;
	}
	*holder = op;
	return 0;
}

int loop_op_arm(struct loop_op *op)
{
	struct io_uring_sqe *sqe = loop_get_sqe(op->loop);

	if (!sqe)
		return -EBUSY;
	types[op->id.kind]->prepare(op, sqe);
	if (op->file != LOOP_NO_FILE)
		loop_file_prepare(sqe, op->file);
	sqe->user_data = op->user_data;
	op->in_flight = true;
	return 0;
}

/* The operation is over: clear the holder, free the slot and the operation. */
void loop_op_finish(struct loop_op *op)
{
	struct loop *loop = op->loop;

	assert(!op->in_flight);
	if (op->holder)
		*op->holder = NULL;
	loop->slots[op->id.slot].op = NULL;
	loop->nr_ops--;
	free_op(op);
}

void loop_op_finish_with(struct loop_op *op, int res)
{
	loop_fn *fn = op->fn;
	void *ctx = op->ctx;

	loop_op_finish(op);
	fn(ctx, res);
}

/* NULL for a completion that belongs to no operation, or to one that is gone. */
static inline struct loop_op *find_op(const struct loop *loop, uint64_t user_data)
{
	unsigned int slot = loop_user_data_unpack(user_data).slot;
	struct loop_op *op;

	if (slot >= loop->nr_slots)
		return NULL;
	op = loop->slots[slot].op;
	return op && op->user_data == user_data ? op : NULL;
}

static void complete_removed(struct loop_op *op, int res)
{
	const struct loop_op_type *type = types[op->id.kind];

	if (type->discard)
		type->discard(op, res);
	if (!op->in_flight)
		loop_op_finish(op);
}

void loop_op_complete(struct loop *loop, uint64_t user_data, int res, uint32_t flags)
{
	struct loop_op *op;

	if (loop_user_data_unpack(user_data).kind == LOOP_KIND_RW) {
		loop_rw_complete(loop, user_data, res);
		return;
	}
	op = find_op(loop, user_data);
	if (!op)
		return;
	op->in_flight = flags & IORING_CQE_F_MORE;
	if (op->removed)
		complete_removed(op, res);
	else
		types[op->id.kind]->complete(op, res);
}

uint64_t loop_op_user_data(const struct loop_op *op)
{
	return op->user_data;
}

static void cancel(struct loop_op *op)
{
	const struct loop_user_data id = {
		.kind = LOOP_KIND_CANCEL,
		.loop = op->loop->id,
	};
	struct io_uring_sqe *sqe = loop_get_sqe(op->loop);

	/* without an entry it ends when its fd does; its slot stays taken until then */
	if (!sqe)
		return;
	io_uring_prep_cancel64(sqe, op->user_data, 0);
	sqe->user_data = loop_user_data_pack(id);
}

void loop_op_remove(struct loop_op **holder)
{
	struct loop_op *op = *holder;
	struct loop *loop;

	*holder = NULL;
	if (!op)
		return;
	loop = op->loop;
	op->holder = NULL;
	op->removed = true;
	if (op->in_flight)
		cancel(op);
	else
		loop_op_finish(op);
	loop_flush(loop);
}

void loop_op_remove_all(struct loop *loop)
{
	for (unsigned int i = 0; i < loop->nr_slots; i++) {
		struct loop_op *op = loop->slots[i].op;

		if (op && !op->removed)
			loop_op_remove(op->holder);
	}
}
