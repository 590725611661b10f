// SPDX-License-Identifier: GPL-2.0-only
/*
 * io_uring completions (wake).
 *
 * A back-end that polls its kick eventfd with io_uring need never read it: what
 * tells that it took the kick is the completion of the poll. The user_data it
 * registered names it.
 *
 * The completion of a READ of the eventfd is not counted here: its result is 8,
 * without POLLIN's bit, and the read itself was seen already.
 */
#include "vringlab.h"

#include <linux/io_uring.h>
#include <linux/poll.h>
#include <trace/events/io_uring.h>

#include "hooks.h"
#include "hops.h"

static void completed(u64 user_data, int res)
{
	struct vl_vring *vring;

	if (res <= 0 || !(res & POLLIN))
		return;

	vl_path_enter();
	vring = vl_lookup_wake(user_data);
	if (vring)
		vl_hop_wake(vring, VL_SOURCE_IO_URING);
	vl_path_leave();
}

/* Up to 6.12 the tracepoint passes the completion's fields, ... */
static void __maybe_unused on_complete_fields(void *data, void *ctx, void *req, u64 user_data,
					      int res, unsigned int cflags, u64 extra1, u64 extra2)
{
	completed(user_data, res);
}

/* ... later the completion. */
static void __maybe_unused on_complete_cqe(void *data, struct io_ring_ctx *ctx, void *req,
					   struct io_uring_cqe *cqe)
{
	completed(cqe->user_data, cqe->res);
}

typedef void (*complete_fields_t)(void *ctx, void *req, u64 user_data, int res, unsigned int cflags,
				  u64 extra1, u64 extra2);

#define HAS_FIELDS                                                     \
	__builtin_types_compatible_p(typeof(*trace_io_uring_complete), \
				     typeof(*(complete_fields_t)0))

void *const vl_on_io_uring_complete =
	__builtin_choose_expr(HAS_FIELDS, on_complete_fields, on_complete_cqe);
