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
#include <linux/timekeeping.h>
#include <linux/xarray.h>

#include "found.h"

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

void vl_vrings_changed(void)
{
	lockdep_assert_held(&vl_vrings_lock);

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
	free_percpu(vring->stats);
	kvfree(vring->past);
	kfree(vring);
}

static void drop_index(struct vl_vring *vring)
{
	__clear_bit(vring->index, indices);
	if (vring->found)
		vl_share_give(vring->uid);
}

static void free_after_grace_period(struct work_struct *work)
{
	struct vl_vring *vring = container_of(to_rcu_work(work), struct vl_vring, free_work);

	vl_pending_del(vring);

	mutex_lock(&vl_vrings_lock);
	drop_index(vring);
	mutex_unlock(&vl_vrings_lock);

	free_vring(vring);
}

static struct vl_vring *alloc_vring(const struct vl_vring_req *req)
{
	struct vl_vring *vring;

	vring = kzalloc(sizeof(*vring), GFP_KERNEL_ACCOUNT);
	if (!vring)
		return ERR_PTR(-ENOMEM);

	vring->stats = vl_stats_alloc();
	if (!vring->stats) {
		kfree(vring);
		return ERR_PTR(-ENOMEM);
	}

	vring->reset_ns = ktime_get_mono_fast_ns();
	vring->user_data = req->user_data;
	vring->has_user_data = req->has_user_data;
	vring->tgid = req->tgid;
	vring->found = req->found;
	vring->uid = req->uid;
	vring->persist = req->persist || req->found;
	vring->backend = req->backend;
	vring->portid = req->portid;
	strscpy(vring->label, req->label, sizeof(vring->label));
	INIT_RCU_WORK(&vring->free_work, free_after_grace_period);

	return vring;
}

static int take_index(struct vl_vring *vring, struct netlink_ext_ack *extack)
{
	int ret = 0;

	vring->index = find_first_zero_bit(indices, VL_VRINGS_MAX);
	if (vring->index == VL_VRINGS_MAX) {
		NL_SET_ERR_MSG(extack, "too many vrings: delete some");
		return -ENOSPC;
	}

	if (vring->found)
		ret = vl_share_take(vring->uid);
	if (!ret)
		__set_bit(vring->index, indices);
	return ret;
}

static int take_names(struct vl_vring *vring, struct netlink_ext_ack *extack)
{
	int ret;

	ret = take_index(vring, extack);
	if (ret)
		return ret;

	ret = xa_alloc_cyclic(&ids, &vring->id, vring, XA_LIMIT(1, S32_MAX), &next_id, GFP_KERNEL);
	if (ret < 0) {
		drop_index(vring);
		return ret;
	}

	return 0;
}

/* The names, if nobody has seen them. */
static void drop_names(struct vl_vring *vring)
{
	xa_erase(&ids, vring->id);
	drop_index(vring);
}

/*
 * Publish an eventfd: from here on its signals are the vring's.
 *
 * @ctx:  Its reference is taken over.
 * @file: NULL where unknown.
 */
static int join(struct vl_vring *vring, enum vl_role role, struct eventfd_ctx *ctx,
		struct file *file)
{
	struct vl_eventfd *eventfd;
	int ret;

	eventfd = vl_eventfd_new(vring, role, ctx);
	if (!eventfd) {
		eventfd_ctx_put(ctx);
		return -ENOMEM;
	}

	ret = vl_lookup_add_eventfd(eventfd);
	if (ret) {
		vl_eventfd_free(eventfd);
		return ret;
	}
	eventfd->fact = vl_fact_next(ctx, NULL);
	vl_eventfd_watch(eventfd, file);
	vring->eventfds[role] = eventfd;
	return 0;
}

static void leave(struct vl_vring *vring, enum vl_role role)
{
	struct vl_eventfd *eventfd = vring->eventfds[role];

	if (!eventfd)
		return;

	vring->eventfds[role] = NULL;
	vl_lookup_del_eventfd(eventfd);
	vl_eventfd_unwatch(eventfd);
	vl_eventfd_free(eventfd);
}

static bool has_eventfd(const struct vl_vring *vring, enum vl_role role,
			const struct eventfd_ctx *ctx)
{
	return vring->eventfds[role] && vring->eventfds[role]->ctx == ctx;
}

/*
 * Give a vring another kick or call eventfd, or with NULL none; the statistics go
 * on. On failure it has none.
 *
 * Return: -EINVAL not an eventfd, -EEXIST it is a vring's already, -ENOMEM
 */
int vl_vring_set_eventfd(struct vl_vring *vring, enum vl_role role, struct file *file)
{
	struct eventfd_ctx *ctx = file ? eventfd_ctx_fileget(file) : NULL;

	lockdep_assert_held(&vl_vrings_lock);

	if (!IS_ERR_OR_NULL(ctx) && has_eventfd(vring, role, ctx)) {
		eventfd_ctx_put(ctx);
		return 0;
	}

	leave(vring, role);
	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	return ctx ? join(vring, role, ctx, file) : 0;
}

/*
 * Likewise for one of which no file is known.
 *
 * @ctx: From vl_ctx_get(); this takes over the reference. Not NULL.
 */
int vl_vring_set_eventfd_ctx(struct vl_vring *vring, enum vl_role role, struct eventfd_ctx *ctx)
{
	lockdep_assert_held(&vl_vrings_lock);

	if (has_eventfd(vring, role, ctx)) {
		eventfd_ctx_put(ctx);
		return 0;
	}

	leave(vring, role);
	return join(vring, role, ctx, NULL);
}

static struct vl_vring *vring_of(const struct file *file)
{
	struct vl_eventfd *eventfd = file ? vl_lookup_eventfd(file->private_data) : NULL;

	return eventfd ? eventfd->vring : NULL;
}

static int check(const struct vl_vring_req *req, struct netlink_ext_ack *extack)
{
	enum vl_role role;

	for (role = 0; role < VL_ROLES; role++) {
		struct vl_vring *other = vring_of(req->files[role]);

		if (other && !other->found) {
			NL_SET_ERR_MSG_ATTR(extack, req->attrs[role],
					    "this eventfd is already registered");
			return -EEXIST;
		}
	}

	return 0;
}

/*
 * Found vrings that have the eventfds give way. One of a device leaves its eventfds
 * to those that a VM makes of them, which give way in their turn.
 */
static void oust(struct vl_vring *vring, const struct vl_vring_req *req)
{
	struct vl_vring *other;
	enum vl_role role;

	for (role = 0; role < VL_ROLES; role++)
		while ((other = vring_of(req->files[role])))
			vl_device_yield(other, vring);
}

/*
 * Injects come with the index, kicks and calls with the eventfds' queues: a kick is
 * seen with its read and a call before its inject.
 */
static int publish(struct vl_vring *vring, const struct vl_vring_req *req)
{
	int ret;

	rcu_assign_pointer(vl_vrings[vring->index], vring);
	ret = vl_vring_set_eventfd(vring, VL_ROLE_CALL, req->files[VL_ROLE_CALL]);
	if (!ret)
		ret = vl_vring_set_eventfd(vring, VL_ROLE_KICK, req->files[VL_ROLE_KICK]);
	return ret;
}

/* The opposite, and all of it is freed when no handler has it any more. */
static void retract(struct vl_vring *vring)
{
	vl_device_leave(vring);
	vl_lookup_del_wake(vring);
	RCU_INIT_POINTER(vl_vrings[vring->index], NULL);
	leave(vring, VL_ROLE_KICK);
	leave(vring, VL_ROLE_CALL);
	vl_hooks_put();

	queue_rcu_work(free_wq, &vring->free_work);
}

static int prepare(struct vl_vring *vring, const struct vl_vring_req *req,
		   struct netlink_ext_ack *extack)
{
	int ret;

	ret = check(req, extack);
	if (ret)
		return ret;
	ret = take_names(vring, extack);
	if (ret)
		return ret;

	ret = vl_hooks_get(extack);
	if (ret)
		goto err_names;

	ret = vl_lookup_add_wake(vring);
	if (ret) {
		NL_SET_ERR_MSG_ATTR(extack, req->user_data_attr,
				    "another vring of this pid has this user_data");
		goto err_hooks;
	}
	return 0;

err_hooks:
	vl_hooks_put();
err_names:
	drop_names(vring);
	return ret;
}

struct vl_vring *vl_vring_new(const struct vl_vring_req *req, struct netlink_ext_ack *extack)
{
	struct vl_vring *vring;
	int ret;

	lockdep_assert_held(&vl_vrings_lock);

	vring = alloc_vring(req);
	if (IS_ERR(vring))
		return vring;

	ret = prepare(vring, req, extack);
	if (ret) {
		free_vring(vring);
		return ERR_PTR(ret);
	}

	oust(vring, req);
	vl_threshold_apply(vring);
	ret = publish(vring, req);
	if (ret) {
		xa_erase(&ids, vring->id);
		retract(vring);
		return ERR_PTR(ret);
	}

	WRITE_ONCE(nr_owned, nr_owned + !vring->persist);
	vl_vrings_changed();
	vl_nl_vring_changed(VRINGLAB_CMD_VRING_ADD_NTF, vring);
	return vring;
}

void vl_vring_end(struct vl_vring *vring)
{
	bool alone = vring->found && !vring->device;
	struct eventfd_ctx *ctxs[VL_ROLES] = {};
	enum vl_role role;

	lockdep_assert_held(&vl_vrings_lock);

	for (role = 0; role < VL_ROLES; role++)
		if (vring->eventfds[role])
			ctxs[role] = vring->eventfds[role]->ctx;

	WRITE_ONCE(nr_owned, nr_owned - !vring->persist);
	xa_erase(&ids, vring->id);
	vl_vrings_changed();
	vl_threshold_del_vring(vring->id);
	vl_nl_vring_changed(VRINGLAB_CMD_VRING_DEL_NTF, vring);
	retract(vring);

	for (role = 0; role < VL_ROLES; role++)
		if (!alone && ctxs[role])
			vl_vm_orphan(ctxs[role]);
}

/* All that has ended is freed: its grace period has passed, and then its work is done. */
static void free_ended(void)
{
	rcu_barrier();
	flush_workqueue(free_wq);
}

/* Where every index is in use, those that have ended give theirs back first. */
static void lock_with_room(void)
{
	mutex_lock(&vl_vrings_lock);
	if (!bitmap_full(indices, VL_VRINGS_MAX))
		return;
	mutex_unlock(&vl_vrings_lock);

	free_ended();
	mutex_lock(&vl_vrings_lock);
}

int vl_vring_add(const struct vl_vring_req *req, u32 *id, struct netlink_ext_ack *extack)
{
	struct vl_vring *vring;

	lock_with_room();
	vring = vl_vring_new(req, extack);
	if (!IS_ERR(vring))
		*id = vring->id;
	mutex_unlock(&vl_vrings_lock);

	return PTR_ERR_OR_ZERO(vring);
}

int vl_vring_del(u32 id)
{
	struct vl_vring *vring;

	mutex_lock(&vl_vrings_lock);
	vring = vl_vring_find(id);
	if (vring)
		vl_vring_end(vring);
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
			vl_vring_end(vring);
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
		vl_vring_end(vring);
	mutex_unlock(&vl_vrings_lock);

	/* A queue that ends while its last work runs is a race in the kernel, to KCSAN. */
	free_ended();
	destroy_workqueue(free_wq);
	vl_interval_exit();
	vl_threshold_exit();
}
