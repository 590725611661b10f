// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which vrings wait for which vCPU to enter the guest.
 *
 * Every guest entry of every VM asks here, so the answer "none" is one load: a
 * vCPU hashes to a bucket, and the bucket's word is 0. One vring waits in the word
 * itself. Any more have a bit each in a set that has one for every vring there can
 * be: a bucket is never full, and an entry takes out its own vrings without
 * touching those of the other vCPUs in it.
 */
#include "vringlab.h"

#include <linux/atomic.h>
#include <linux/bitmap.h>
#include <linux/hash.h>
#include <linux/rcupdate.h>

#include "hops.h"
#include "pending.h"

struct vl_pending vl_pending[1 << VL_PENDING_BITS];

/* Only the vCPU that a vring waits for takes it out, or whoever ends the vring. */
static bool remove(struct vl_pending *p, unsigned int index)
{
	s64 word = atomic64_read(&p->word);

	while ((u32)word == index + 1)
		if (atomic64_try_cmpxchg(&p->word, &word, word & ~(s64)U32_MAX))
			return true;

	if (!(word >> 32) || !test_and_clear_bit(index, p->more))
		return false;
	atomic64_sub(VL_PENDING_ONE, &p->word);
	return true;
}

void vl_pending_add_more(struct vl_vring *vring)
{
	struct vl_pending *p = vl_pending_bucket(vring->target);
	s64 word = atomic64_read(&p->word);

	while (!(u32)word)
		if (atomic64_try_cmpxchg(&p->word, &word, word | (vring->index + 1)))
			return;

	atomic64_add_return(VL_PENDING_ONE, &p->word);
	set_bit(vring->index, p->more);
}

/*
 * A vCPU enters on one CPU at a time, and ends on none, so nobody else takes out
 * what matches, and what does not match stays.
 */
static void take_one(struct vl_pending *p, unsigned int index, u64 target, struct kvm_vcpu *vcpu,
		     const struct vl_vcpu *record)
{
	struct vl_vring *vring = rcu_dereference_sched(vl_vrings[index]);

	if (!vring || READ_ONCE(vring->target) != target || !remove(p, index))
		return;
	if (vcpu)
		vl_hop_entry(vring, vcpu, record);
	else
		vl_hop_abandon(vring);
}

/* Others set and clear bits meanwhile: each word is read once. */
static noinline void take_more(struct vl_pending *p, u64 target, struct kvm_vcpu *vcpu,
			       const struct vl_vcpu *record)
{
	unsigned int i, bit;

	for (i = 0; i < ARRAY_SIZE(p->more); i++) {
		unsigned long bits = READ_ONCE(p->more[i]);

		for_each_set_bit(bit, &bits, BITS_PER_LONG)
			take_one(p, i * BITS_PER_LONG + bit, target, vcpu, record);
	}
}

/* @vcpu: which enters, with its record if it has one; NULL if it never will. */
static noinline __cold void take_out(struct vl_pending *p, s64 word, u64 target,
				     struct kvm_vcpu *vcpu, const struct vl_vcpu *record)
{
	if ((u32)word)
		take_one(p, (u32)word - 1, target, vcpu, record);
	if (word >> 32)
		take_more(p, target, vcpu, record);
}

/* Nearly always, one vring waits there, and for this vCPU. */
void vl_pending_take(struct vl_pending *p, s64 word, u64 target, struct kvm_vcpu *vcpu,
		     const struct vl_vcpu *record)
{
	struct vl_vring *vring;

	if (likely(!(word >> 32))) {
		vring = rcu_dereference_sched(vl_vrings[word - 1]);
		if (!vring || READ_ONCE(vring->target) != target)
			return;
		if (likely(atomic64_try_cmpxchg(&p->word, &word, 0)))
			return vl_hop_entry(vring, vcpu, record);
	}
	take_out(p, word, target, vcpu, record);
}

/* The vCPU ends: else its vrings would wait for it for ever. */
void vl_pending_abandon(u64 target)
{
	struct vl_pending *p = vl_pending_bucket(target);

	vl_path_enter();
	take_out(p, atomic64_read(&p->word), target, NULL, NULL);
	vl_path_leave();
}

/*
 * The vring is out of vl_vrings[] and of the lookups, and a grace period has
 * passed: no handler adds it or finds it any more, nor still uses it. It may be
 * left here, and must go before the index is given to another.
 */
void vl_pending_del(struct vl_vring *vring)
{
	remove(vl_pending_bucket(vring->target), vring->index);
}
