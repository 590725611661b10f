// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which vrings wait for which vCPU to enter the guest.
 *
 * Every guest entry of every VM asks here, so the answer "none" is one load: a
 * vCPU hashes to a bucket, and the bucket knows how many wait in it. A bucket has
 * a bit for each vring there can be. It is therefore never full, and an entry
 * takes out its own vrings without touching those of the other vCPUs in the
 * bucket.
 */
#include "vringlab.h"

#include <linux/atomic.h>
#include <linux/bitmap.h>
#include <linux/hash.h>
#include <linux/rcupdate.h>

#define PENDING_BITS 8

struct pending {
	atomic_t nr;
	DECLARE_BITMAP(vrings, VL_VRINGS_MAX);
} ____cacheline_aligned;

static struct pending buckets[1 << PENDING_BITS];

static struct pending *bucket_of(u64 target)
{
	return &buckets[hash_64(target, PENDING_BITS)];
}

/* The count goes up before the bit and down after it: it is never too low. */
static bool remove(struct pending *p, unsigned int index)
{
	if (!test_and_clear_bit(index, p->vrings))
		return false;
	atomic_dec(&p->nr);
	return true;
}

/*
 * Called by the one handler that put a record into VL_STAGE_INJECT; nobody else
 * can until that record was taken, which needs the bit set here. @target is
 * stable while the bit is set for the same reason.
 */
void vl_pending_add(struct vl_vring *vring, u64 target)
{
	struct pending *p = bucket_of(target);

	WRITE_ONCE(vring->target, target);
	atomic_inc(&p->nr);
	/* Orders @target before the bit, for vl_pending_entry(). */
	smp_mb__before_atomic();
	set_bit(vring->index, p->vrings);
}

static void enter(struct pending *p, u64 target, u32 vcpu_id)
{
	unsigned int index;

	for_each_set_bit(index, p->vrings, VL_VRINGS_MAX) {
		struct vl_vring *vring = rcu_dereference_sched(vl_vrings[index]);

		/*
		 * A vCPU enters on one CPU at a time, so nobody else takes out
		 * what matches, and what does not match stays.
		 */
		if (vring && READ_ONCE(vring->target) == target && remove(p, index))
			vl_hop_entry(vring, vcpu_id);
	}
}

void vl_pending_entry(u64 target, u32 vcpu_id)
{
	struct pending *p = bucket_of(target);

	if (likely(!atomic_read(&p->nr)))
		return;

	vl_path_enter();
	enter(p, target, vcpu_id);
	vl_path_leave();
}

/*
 * The vring is out of vl_vrings[] and of the lookups, and a grace period has
 * passed: no handler adds it or finds it any more, nor still uses it. Its bit may
 * be left, and must go before the index is given to another.
 */
void vl_pending_del(struct vl_vring *vring)
{
	remove(bucket_of(vring->target), vring->index);
}
