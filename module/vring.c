// SPDX-License-Identifier: GPL-2.0-only
/*
 * The object: one traced virtqueue, its registration and its end.
 *
 * A vring is added under vl_vrings_lock and found by handlers under RCU. It
 * ends in two steps: deleted at once for all who look for it, and freed after
 * a grace period, when no handler can have it any more.
 */
#include "vringlab.h"

#include <linux/bitmap.h>
#include <linux/err.h>
#include <linux/eventfd.h>
#include <linux/mutex.h>
#include <linux/netlink.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/xarray.h>

/* Protects all of this file. */
DEFINE_MUTEX(vl_vrings_lock);

/* By index, for the pending sets; an index is in use until its vring is freed. */
struct vl_vring __rcu *vl_vrings[VL_VRINGS_MAX];
static DECLARE_BITMAP(indices, VL_VRINGS_MAX);

/* By id, for netlink. Ids go round the whole range before one comes again. */
static DEFINE_XARRAY_ALLOC1(ids);
static u32 next_id;

/* Those that go with their socket. */
static unsigned int nr_owned;

/* Changes whenever a vring comes or goes; never 0. */
static unsigned int generation = 1;

static struct workqueue_struct *free_wq;

unsigned int vl_vrings_generation(void)
{
	lockdep_assert_held(&vl_vrings_lock);
	return generation;
}

static void changed(void)
{
	if (!++generation)
		generation = 1;
}

struct vl_vring *vl_vring_find(u32 id)
{
	lockdep_assert_held(&vl_vrings_lock);
	return xa_load(&ids, id);
}

/* The first vring whose id is not below @id, which is set to its id. */
struct vl_vring *vl_vring_next(unsigned long *id)
{
	lockdep_assert_held(&vl_vrings_lock);
	return xa_find(&ids, id, ULONG_MAX, XA_PRESENT);
}

static void free_vring(struct vl_vring *vring)
{
	if (!IS_ERR_OR_NULL(vring->call.ctx))
		eventfd_ctx_put(vring->call.ctx);
	if (!IS_ERR_OR_NULL(vring->kick.ctx))
		eventfd_ctx_put(vring->kick.ctx);
	free_percpu(vring->stats);
	kfree(vring);
}

static void free_after_grace_period(struct work_struct *work)
{
	struct vl_vring *vring = container_of(to_rcu_work(work), struct vl_vring, free_work);

	vl_pending_del(vring);

	mutex_lock(&vl_vrings_lock);
	__clear_bit(vring->index, indices);
	mutex_unlock(&vl_vrings_lock);

	free_vring(vring);
}

static void init_eventfd(struct vl_vring *vring, struct vl_eventfd *eventfd, enum vl_role role,
			 struct file *file)
{
	eventfd->vring = vring;
	eventfd->role = role;
	eventfd->ctx = eventfd_ctx_fileget(file);
}

static struct vl_vring *alloc_vring(const struct vl_vring_req *req)
{
	struct vl_vring *vring;

	vring = kzalloc(sizeof(*vring), GFP_KERNEL_ACCOUNT);
	if (!vring)
		return ERR_PTR(-ENOMEM);

	init_eventfd(vring, &vring->kick, VL_ROLE_KICK, req->kick);
	init_eventfd(vring, &vring->call, VL_ROLE_CALL, req->call);
	vring->stats = vl_stats_alloc();
	if (IS_ERR(vring->kick.ctx) || IS_ERR(vring->call.ctx) || !vring->stats) {
		int ret = vring->stats ? -EINVAL : -ENOMEM;

		free_vring(vring);
		return ERR_PTR(ret);
	}

	vring->user_data = req->user_data;
	vring->has_user_data = req->has_user_data;
	vring->tgid = req->tgid;
	vring->persist = req->persist;
	vring->backend = req->backend;
	vring->portid = req->portid;
	strscpy(vring->label, req->label, sizeof(vring->label));
	INIT_RCU_WORK(&vring->free_work, free_after_grace_period);

	return vring;
}

static int take_names(struct vl_vring *vring, struct netlink_ext_ack *extack)
{
	int ret;

	vring->index = find_first_zero_bit(indices, VL_VRINGS_MAX);
	if (vring->index == VL_VRINGS_MAX) {
		NL_SET_ERR_MSG(extack, "too many vrings: delete some");
		return -ENOSPC;
	}

	ret = xa_alloc_cyclic(&ids, &vring->id, vring, XA_LIMIT(1, S32_MAX), &next_id, GFP_KERNEL);
	if (ret < 0)
		return ret;

	__set_bit(vring->index, indices);
	return 0;
}

/* The names, if nobody has seen them. */
static void drop_names(struct vl_vring *vring)
{
	xa_erase(&ids, vring->id);
	__clear_bit(vring->index, indices);
}

static int publish(struct vl_vring *vring, const struct vl_vring_req *req,
		   struct netlink_ext_ack *extack)
{
	int ret;

	ret = vl_hooks_get(extack);
	if (ret)
		return ret;

	ret = vl_lookup_add(vring, req, extack);
	if (ret) {
		vl_hooks_put();
		return ret;
	}

	/*
	 * Injects come from here on, kicks and calls with the queues' entries: a
	 * kick is seen with its read and a call before its inject.
	 */
	rcu_assign_pointer(vl_vrings[vring->index], vring);
	vl_eventfd_watch(&vring->call, req->call);
	vl_eventfd_watch(&vring->kick, req->kick);
	return 0;
}

static int add_locked(struct vl_vring *vring, const struct vl_vring_req *req,
		      struct netlink_ext_ack *extack)
{
	int ret;

	ret = take_names(vring, extack);
	if (ret)
		return ret;

	ret = publish(vring, req, extack);
	if (ret)
		drop_names(vring);

	return ret;
}

int vl_vring_add(const struct vl_vring_req *req, u32 *id, struct netlink_ext_ack *extack)
{
	struct vl_vring *vring;
	int ret;

	vring = alloc_vring(req);
	if (IS_ERR(vring))
		return PTR_ERR(vring);

	mutex_lock(&vl_vrings_lock);
	ret = add_locked(vring, req, extack);
	if (!ret) {
		WRITE_ONCE(nr_owned, nr_owned + !vring->persist);
		*id = vring->id;
		changed();
	}
	mutex_unlock(&vl_vrings_lock);

	if (ret)
		free_vring(vring);
	return ret;
}

static void end_vring(struct vl_vring *vring)
{
	lockdep_assert_held(&vl_vrings_lock);

	WRITE_ONCE(nr_owned, nr_owned - !vring->persist);
	xa_erase(&ids, vring->id);
	changed();

	vl_lookup_del(vring);
	RCU_INIT_POINTER(vl_vrings[vring->index], NULL);
	vl_eventfd_unwatch(&vring->kick);
	vl_eventfd_unwatch(&vring->call);
	vl_hooks_put();

	queue_rcu_work(free_wq, &vring->free_work);
}

int vl_vring_del(u32 id)
{
	struct vl_vring *vring;

	mutex_lock(&vl_vrings_lock);
	vring = vl_vring_find(id);
	if (vring)
		end_vring(vring);
	mutex_unlock(&vl_vrings_lock);

	return vring ? 0 : -ENOENT;
}

void vl_vring_del_portid(u32 portid)
{
	struct vl_vring *vring;
	unsigned long id;

	/* Every netlink socket ends here: none is to wait for hooks that go. */
	if (!READ_ONCE(nr_owned))
		return;

	mutex_lock(&vl_vrings_lock);
	xa_for_each(&ids, id, vring)
		if (vring->portid == portid && !vring->persist)
			end_vring(vring);
	mutex_unlock(&vl_vrings_lock);
}

int vl_vrings_init(void)
{
	free_wq = alloc_workqueue("vringlab", WQ_UNBOUND, 0);
	return free_wq ? 0 : -ENOMEM;
}

void vl_vrings_exit(void)
{
	struct vl_vring *vring;
	unsigned long id;

	mutex_lock(&vl_vrings_lock);
	xa_for_each(&ids, id, vring)
		end_vring(vring);
	mutex_unlock(&vl_vrings_lock);

	/* All grace periods have passed, then all that waited for them is done. */
	rcu_barrier();
	destroy_workqueue(free_wq);
}
