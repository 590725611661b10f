// SPDX-License-Identifier: GPL-2.0-only
/*
 * What vhost has done on a ring: chains taken, used elements pushed, and what came
 * of its decisions to notify.
 *
 * vhost counts the first two itself, in 16 bits: last_avail_idx and last_used_idx.
 * Each hit takes over by how much they have moved, and a reader adds what has
 * moved since, so the sum is exact at any time. They jump only where nothing is
 * taken or pushed, and there the count is paused.
 *
 * A decision is seen at the entry of the function that takes it. Whether it is to
 * send, the call eventfd tells; what has not been sent by the next decision, or
 * by when vhost has unlocked the virtqueue, was suppressed.
 */
#include "vringlab.h"

#include <linux/virtio_ring.h>

#include "layout.h"
#include "stats.h"

/* A count: 47 bits; whether it is in step with the index; and that. */
#define INDEX_BITS 16
#define IN_STEP BIT_ULL(INDEX_BITS)
#define COUNT_SHIFT (INDEX_BITS + 1)

/* A decision: its number, and by what it may be suppressed. */
#define BY_EVENT 1UL
#define NUMBER_SHIFT 1

/* A mutex has its owner here, in the upper bits; so has one of PREEMPT_RT. */
#define OWNER_FLAGS 7UL

static u64 count_at(u64 word, u16 index)
{
	return (word >> COUNT_SHIFT) + (word & IN_STEP ? (s16)(index - (u16)word) : 0);
}

/* Hits may come on several CPUs, in any order: the differences add up all the same. */
static void advance(atomic64_t *count, u16 index)
{
	s64 old = atomic64_read(count);
	u64 new;

	do
		new = count_at(old, index) << COUNT_SHIFT | IN_STEP | index;
	while (new != old && !atomic64_try_cmpxchg(count, &old, new));
}

static void pause(atomic64_t *count)
{
	atomic64_andnot(IN_STEP, count);
}

#define MEMBER(vq, type, member) \
	READ_ONCE(*(const type *)((vq) + vl_layout(VL_LAYOUT_VHOST_VQ_##member)))

/**
 * struct sight - What a virtqueue was seen to be at
 * @taken:	Its last_avail_idx.
 * @used:	Its last_used_idx.
 * @unlocked:	Nobody held its mutex.
 */
struct sight {
	u16 taken;
	u16 used;
	bool unlocked;
};

static bool is_unlocked(const void *vq)
{
	unsigned long owner;

	if (!vl_layout_read(vq, VL_LAYOUT_VHOST_VQ_MUTEX_OWNER, &owner, sizeof(owner)) &&
	    !vl_layout_read(vq, VL_LAYOUT_VHOST_VQ_RTMUTEX_OWNER, &owner, sizeof(owner)))
		return false;

	return !(owner & ~OWNER_FLAGS);
}

/*
 * For those who do not know whether it is alive: what was read of one that may have
 * been freed is not used.
 */
static bool look(const struct vl_vring *vring, struct sight *sight)
{
	/* Before what is read of it. */
	const void *vq = smp_load_acquire(&vring->vhost.live);

	if (!vq ||
	    !vl_layout_read(vq, VL_LAYOUT_VHOST_VQ_LAST_AVAIL_IDX, &sight->taken,
			    sizeof(sight->taken)) ||
	    !vl_layout_read(vq, VL_LAYOUT_VHOST_VQ_LAST_USED_IDX, &sight->used,
			    sizeof(sight->used)))
		return false;

	sight->unlocked = is_unlocked(vq);
	/* After that. Pairs with the one in vl_vhost_unbind(). */
	smp_rmb();
	return READ_ONCE(vring->vhost.live) == vq;
}

static void settle(struct vl_vring *vring, unsigned long decision)
{
	if (decision)
		vl_count(vring, decision & BY_EVENT ? VL_NOTIFIES_SUPPRESSED_EVENT :
						      VL_NOTIFIES_SUPPRESSED_FLAGS);
}

/* The caller has checked the layout against @vq. */
void vl_vhost_bind(struct vl_vring *vring, const void *vq)
{
	WRITE_ONCE(vring->vhost.live, vq);
}

/*
 * Return: false where its members cannot be read
 */
bool vl_vhost_sample(struct vl_vring *vring, const void *vq)
{
	if (READ_ONCE(vring->vhost.live) != vq)
		return false;

	advance(&vring->vhost.taken, MEMBER(vq, u16, LAST_AVAIL_IDX));
	advance(&vring->vhost.used, MEMBER(vq, u16, LAST_USED_IDX));
	return true;
}

/* Its indices may jump; nothing is taken or pushed before the next sample. */
void vl_vhost_pause(struct vl_vring *vring, const void *vq)
{
	if (!vl_vhost_sample(vring, vq))
		return;

	pause(&vring->vhost.taken);
	pause(&vring->vhost.used);
}

/* Is the call eventfd one whose signals are this vring's? */
static bool is_heard(const struct vl_vring *vring, const struct eventfd_ctx *ctx)
{
	const struct vl_eventfd *call = READ_ONCE(vring->eventfds[VL_ROLE_CALL]);

	return ctx && call && call->ctx == ctx;
}

/* vhost decides whether to notify, under the virtqueue's mutex. */
void vl_vhost_decide(struct vl_vring *vring, const void *vq)
{
	unsigned long decision = 0;

	if (!vl_vhost_sample(vring, vq))
		return;

	vl_count(vring, VL_NOTIFIES);
	if (is_heard(vring, MEMBER(vq, struct eventfd_ctx *, CALL))) {
		decision = ++vring->vhost.decisions << NUMBER_SHIFT;
		if (MEMBER(vq, u64, ACKED_FEATURES) & BIT_ULL(VIRTIO_RING_F_EVENT_IDX))
			decision |= BY_EVENT;
	} else {
		vl_count(vring, VL_NOTIFIES_UNHEARD);
	}

	settle(vring, xchg(&vring->vhost.decision, decision));
}

/*
 * The virtqueue is about to be freed, or no longer the vring's. What comes of it
 * counts no more.
 */
void vl_vhost_unbind(struct vl_vring *vring)
{
	struct sight sight;

	if (look(vring, &sight)) {
		advance(&vring->vhost.taken, sight.taken);
		advance(&vring->vhost.used, sight.used);
	}

	WRITE_ONCE(vring->vhost.live, NULL);
	/* The virtqueue is freed after this. Pairs with the one in look(). */
	smp_wmb();
	pause(&vring->vhost.taken);
	pause(&vring->vhost.used);
	settle(vring, xchg(&vring->vhost.decision, 0));
}

/*
 * What has been decided and not sent, before the virtqueue was unlocked, will not be
 * sent. vhost-scsi decides when it has unlocked it.
 */
void vl_vhost_settle(struct vl_vring *vring)
{
	unsigned long decision = READ_ONCE(vring->vhost.decision);
	struct sight sight;

	if (!decision || vring->backend == VRINGLAB_BACKEND_VHOST_SCSI)
		return;

	/* First the decision, then the mutex. */
	smp_rmb();
	if (look(vring, &sight) && sight.unlocked &&
	    cmpxchg(&vring->vhost.decision, decision, 0) == decision)
		settle(vring, decision);
}

void vl_vhost_read(const struct vl_vring *vring, u64 *taken, u64 *used)
{
	struct sight sight;

	if (look(vring, &sight)) {
		*taken = count_at(atomic64_read(&vring->vhost.taken), sight.taken);
		*used = count_at(atomic64_read(&vring->vhost.used), sight.used);
	} else {
		*taken = (u64)atomic64_read(&vring->vhost.taken) >> COUNT_SHIFT;
		*used = (u64)atomic64_read(&vring->vhost.used) >> COUNT_SHIFT;
	}
}
