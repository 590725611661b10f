// SPDX-License-Identifier: GPL-2.0-only
/*
 * From what a handler sees to the vring it belongs to.
 *
 * Readers run with preemption off; writers hold vl_vrings_lock. The tables are
 * static, and an eventfd, virtqueue or io_uring completion that concerns no vring
 * nearly always ends at an empty bucket.
 */
#include "vringlab.h"

#include <linux/lockdep.h>
#include <linux/mutex.h>
#include <linux/rculist.h>
#include <linux/sched.h>

#define WAKE_BITS 10
#define VQ_BITS 10

struct hlist_head vl_eventfds[1 << VL_EVENTFD_BITS];
static struct hlist_head wakes[1 << WAKE_BITS];
static struct hlist_head vqs[1 << VQ_BITS];

static struct hlist_head *wake_bucket(u64 user_data, pid_t tgid)
{
	return &wakes[hash_64(user_data + tgid, WAKE_BITS)];
}

int vl_lookup_add_eventfd(struct vl_eventfd *eventfd)
{
	lockdep_assert_held(&vl_vrings_lock);

	if (vl_lookup_eventfd(eventfd->ctx))
		return -EEXIST;

	hlist_add_head_rcu(&eventfd->node, vl_lookup_bucket(eventfd->ctx));
	return 0;
}

void vl_lookup_del_eventfd(struct vl_eventfd *eventfd)
{
	lockdep_assert_held(&vl_vrings_lock);
	hlist_del_rcu(&eventfd->node);
}

static struct vl_vring *find_wake(u64 user_data, pid_t tgid)
{
	struct vl_vring *vring;

	hlist_for_each_entry_rcu(vring, wake_bucket(user_data, tgid), wake_node,
				 lockdep_is_held(&vl_vrings_lock))
		if (vring->user_data == user_data && vring->tgid == tgid)
			return vring;

	return NULL;
}

/* The completion is posted by a thread of the ring's owner. */
struct vl_vring *vl_lookup_wake(u64 user_data)
{
	return find_wake(user_data, current->tgid);
}

/* Of a vring that is told by none, there is nothing to add or to take away. */
int vl_lookup_add_wake(struct vl_vring *vring)
{
	lockdep_assert_held(&vl_vrings_lock);

	if (!vring->has_user_data)
		return 0;
	if (find_wake(vring->user_data, vring->tgid))
		return -EEXIST;

	hlist_add_head_rcu(&vring->wake_node, wake_bucket(vring->user_data, vring->tgid));
	return 0;
}

void vl_lookup_del_wake(struct vl_vring *vring)
{
	lockdep_assert_held(&vl_vrings_lock);

	if (vring->has_user_data)
		hlist_del_rcu(&vring->wake_node);
}

struct vl_vring *vl_lookup_vq(const void *vq)
{
	struct vl_vring *vring;

	hlist_for_each_entry_rcu(vring, &vqs[hash_ptr(vq, VQ_BITS)], vq_node,
				 lockdep_is_held(&vl_vrings_lock))
		if (READ_ONCE(vring->vq) == vq)
			return vring;

	return NULL;
}

/*
 * A reader that still stands on the vring must not be led into another bucket.
 *
 * @vq: NULL to take it away.
 */
int vl_lookup_set_vq(struct vl_vring *vring, const void *vq)
{
	lockdep_assert_held(&vl_vrings_lock);

	if (vring->vq == vq)
		return 0;
	if (vq && vl_lookup_vq(vq))
		return -EEXIST;

	if (vring->vq) {
		vl_vhost_unbind(vring);
		hlist_del_init_rcu(&vring->vq_node);
		WRITE_ONCE(vring->vq, NULL);
		if (vq)
			synchronize_rcu();
	}
	if (vq) {
		WRITE_ONCE(vring->vq, vq);
		hlist_add_head_rcu(&vring->vq_node, &vqs[hash_ptr(vq, VQ_BITS)]);
	}
	return 0;
}
