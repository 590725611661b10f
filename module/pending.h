/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The sets of pending.c, and how a vring comes to wait.
 */
#ifndef _VRINGLAB_PENDING_H
#define _VRINGLAB_PENDING_H

#include <linux/atomic.h>
#include <linux/bitmap.h>
#include <linux/hash.h>

#include "vringlab.h"

#define VL_PENDING_BITS 8

/**
 * struct vl_pending - A bucket
 * @word:	Index + 1 of a vring in the lower half, else 0; number of bits in
 *		@more in the upper half, never too low.
 * @more:	By index.
 */
struct vl_pending {
	atomic64_t word;
	DECLARE_BITMAP(more, VL_VRINGS_MAX);
} ____cacheline_aligned;

#define VL_PENDING_ONE BIT_ULL(32)

extern struct vl_pending vl_pending[1 << VL_PENDING_BITS];

static inline struct vl_pending *vl_pending_bucket(u64 target)
{
	return &vl_pending[hash_64(target, VL_PENDING_BITS)];
}

void vl_pending_add_more(struct vl_vring *vring, struct vl_pending *p);

/*
 * Called by the one handler that put a record into VL_STAGE_INJECT; nobody else
 * can until that record was taken, which needs what is set here. @target is
 * stable until then for the same reason. All updates of the word are ordered, so
 * that @target is seen with it.
 */
static __always_inline void vl_pending_add(struct vl_vring *vring, u64 target)
{
	struct vl_pending *p = vl_pending_bucket(target);

	WRITE_ONCE(vring->target, target);
	if (unlikely(atomic64_cmpxchg(&p->word, 0, vring->index + 1)))
		vl_pending_add_more(vring, p);
}

#endif /* _VRINGLAB_PENDING_H */
