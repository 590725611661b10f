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

#define PENDING_BITS 8

/**
 * struct pending - A bucket
 * @word:	Index + 1 of a vring in the lower half, else 0; number of bits in
 *		@more in the upper half, never too low.
 * @more:	By index.
 */
struct pending {
	atomic64_t word;
	DECLARE_BITMAP(more, VL_VRINGS_MAX);
} ____cacheline_aligned;

#define ONE_MORE BIT_ULL(32)

static struct pending buckets[1 << PENDING_BITS];

static struct pending *bucket_of(u64 target)
{
	return &buckets[hash_64(target, PENDING_BITS)];
}

/* Only the vCPU that a vring waits for takes it out, or whoever ends the vring. */
static bool remove(struct pending *p, unsigned int index)
{
	s64 word = atomic64_read(&p->word);

	while ((u32)word == index + 1)
		if (atomic64_try_cmpxchg(&p->word, &word, word & ~(s64)U32_MAX))
			return true;

	if (!(word >> 32) || !test_and_clear_bit(index, p->more))
		return false;
	atomic64_sub(ONE_MORE, &p->word);
	return true;
}

/*
 * Called by the one handler that put a record into VL_STAGE_INJECT; nobody else
 * can until that record was taken, which needs what is set here. @target is
 * stable until then for the same reason. All updates of the word are ordered, so
 * that @target is seen with it.
 */
void vl_pending_add(struct vl_vring *vring, u64 target)
{
	struct pending *p = bucket_of(target);
	s64 word = atomic64_read(&p->word);

	WRITE_ONCE(vring->target, target);
	while (!(u32)word)
		if (atomic64_try_cmpxchg(&p->word, &word, word | (vring->index + 1)))
			return;

	atomic64_add_return(ONE_MORE, &p->word);
	set_bit(vring->index, p->more);
}

/*
 * A vCPU enters on one CPU at a time, and ends on none, so nobody else takes out
 * what matches, and what does not match stays.
 */
static void take_one(struct pending *p, unsigned int index, u64 target, struct kvm_vcpu *vcpu)
{
	struct vl_vring *vring = rcu_dereference_sched(vl_vrings[index]);

	if (!vring || READ_ONCE(vring->target) != target || !remove(p, index))
		return;
	if (vcpu)
		vl_hop_entry(vring, vcpu);
	else
		vl_hop_abandon(vring);
}

/* Others set and clear bits meanwhile: each word is read once. */
static noinline void take_more(struct pending *p, u64 target, struct kvm_vcpu *vcpu)
{
	unsigned int i, bit;

	for (i = 0; i < ARRAY_SIZE(p->more); i++) {
		unsigned long bits = READ_ONCE(p->more[i]);

		for_each_set_bit(bit, &bits, BITS_PER_LONG)
			take_one(p, i * BITS_PER_LONG + bit, target, vcpu);
	}
}

/* @vcpu: which enters, NULL if it never will. */
static void take_out(struct pending *p, s64 word, u64 target, struct kvm_vcpu *vcpu)
{
	vl_path_enter();
	if ((u32)word)
		take_one(p, (u32)word - 1, target, vcpu);
	if (word >> 32)
		take_more(p, target, vcpu);
	vl_path_leave();
}

void vl_pending_entry(u64 target, struct kvm_vcpu *vcpu)
{
	struct pending *p = bucket_of(target);
	s64 word = atomic64_read(&p->word);

	if (unlikely(word))
		take_out(p, word, target, vcpu);
}

/* The vCPU ends: else its vrings would wait for it for ever. */
void vl_pending_abandon(u64 target)
{
	struct pending *p = bucket_of(target);

	take_out(p, atomic64_read(&p->word), target, NULL);
}

/*
 * The vring is out of vl_vrings[] and of the lookups, and a grace period has
 * passed: no handler adds it or finds it any more, nor still uses it. It may be
 * left here, and must go before the index is given to another.
 */
void vl_pending_del(struct vl_vring *vring)
{
	remove(bucket_of(vring->target), vring->index);
}
