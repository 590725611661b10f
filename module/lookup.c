// SPDX-License-Identifier: GPL-2.0-only
/*
 * From what a handler sees to the vring it belongs to.
 *
 * Readers run with preemption off; writers hold vl_vrings_lock. The tables are
 * static, and an eventfd or io_uring completion that concerns no vring nearly
 * always ends at an empty bucket.
 */
#include "vringlab.h"

#include <linux/lockdep.h>
#include <linux/mutex.h>
#include <linux/netlink.h>
#include <linux/rculist.h>
#include <linux/sched.h>

#define WAKE_BITS 10

struct hlist_head vl_eventfds[1 << VL_EVENTFD_BITS];
static struct hlist_head wakes[1 << WAKE_BITS];

static struct hlist_head *wake_bucket(u64 user_data, pid_t tgid)
{
	return &wakes[hash_64(user_data + tgid, WAKE_BITS)];
}

struct vl_eventfd *vl_lookup_eventfd(struct eventfd_ctx *ctx)
{
	struct vl_eventfd *eventfd;

	hlist_for_each_entry_rcu(eventfd, vl_lookup_bucket(ctx), node,
				 lockdep_is_held(&vl_vrings_lock))
		if (eventfd->ctx == ctx)
			return eventfd;

	return NULL;
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

int vl_lookup_add(struct vl_vring *vring, const struct vl_vring_req *req,
		  struct netlink_ext_ack *extack)
{
	lockdep_assert_held(&vl_vrings_lock);

	if (vl_lookup_eventfd(vring->kick.ctx)) {
		NL_SET_ERR_MSG_ATTR(extack, req->kick_attr, "this eventfd is already registered");
		return -EEXIST;
	}
	if (vl_lookup_eventfd(vring->call.ctx)) {
		NL_SET_ERR_MSG_ATTR(extack, req->call_attr, "this eventfd is already registered");
		return -EEXIST;
	}
	if (vring->has_user_data && find_wake(vring->user_data, vring->tgid)) {
		NL_SET_ERR_MSG_ATTR(extack, req->user_data_attr,
				    "another vring of this pid has this user_data");
		return -EEXIST;
	}

	hlist_add_head_rcu(&vring->kick.node, vl_lookup_bucket(vring->kick.ctx));
	hlist_add_head_rcu(&vring->call.node, vl_lookup_bucket(vring->call.ctx));
	if (vring->has_user_data)
		hlist_add_head_rcu(&vring->wake_node, wake_bucket(vring->user_data, vring->tgid));

	return 0;
}

void vl_lookup_del(struct vl_vring *vring)
{
	lockdep_assert_held(&vl_vrings_lock);

	hlist_del_rcu(&vring->kick.node);
	hlist_del_rcu(&vring->call.node);
	if (vring->has_user_data)
		hlist_del_rcu(&vring->wake_node);
}
