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

struct vl_vcpu;

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

void vl_pending_add_more(struct vl_vring *vring);

/*
 * Called by the one handler that put a record into VL_STAGE_INJECT; nobody else
 * can until that record was taken, which needs what is set here. @target is
 * stable until then for the same reason. All updates of the word are ordered, so
 * that @target is seen with it.
 *
 * Return: false if others wait in the bucket: vl_pending_add_more() is to follow
 */
static __always_inline bool vl_pending_add(struct vl_vring *vring, u64 target)
{
	s64 none = 0;

	WRITE_ONCE(vring->target, target);
	return likely(
		atomic64_try_cmpxchg(&vl_pending_bucket(target)->word, &none, vring->index + 1));
}

void vl_pending_take(struct vl_pending *p, s64 word, u64 target, struct kvm_vcpu *vcpu,
		     const struct vl_vcpu *record);

/* @vcpu enters the guest. In the path. */
static __always_inline void vl_pending_entry(struct vl_pending *p, u64 target,
					     struct kvm_vcpu *vcpu, const struct vl_vcpu *record)
{
	s64 word = atomic64_read(&p->word);

	if (unlikely(word))
		vl_pending_take(p, word, target, vcpu, record);
}

#endif /* _VRINGLAB_PENDING_H */
