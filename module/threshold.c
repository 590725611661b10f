// SPDX-License-Identifier: GPL-2.0-only
/*
 * Thresholds: what happens when a span is longer than it should be.
 *
 * Each vring knows, for each span, the lowest of its thresholds, so a hop
 * compares once. Only behind that is the list walked. What a hit does to the
 * trace buffer it does at once, in the handler: later the buffer would hold
 * other things. A message is copied, and sent by a worker. A threshold that was to
 * be hit once, and was, keeps nobody from the short way: the worker lifts it.
 */
#include "vringlab.h"

#include <linux/bitmap.h>
#include <linux/irq_work.h>
#include <linux/mutex.h>
#include <linux/netlink.h>
#include <linux/rculist.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "trace.h"

/* Messages on their way; more at once are lost, and counted. */
#define HITS 256

/* Under vl_vrings_lock; read under RCU. */
static LIST_HEAD(thresholds);
static unsigned int nr_thresholds;
static u32 last_id;
static unsigned int generation = 1;

static struct vl_hit hits[HITS];
static DECLARE_BITMAP(hits_busy, HITS);
static LLIST_HEAD(hits_ready);
/* The netlink family goes: nothing is to be sent any more. */
static bool mute;

/* One has fired that counts no more. */
static bool spent;

static void follow_up(struct work_struct *work);
static DECLARE_WORK(follow_up_work, follow_up);

/* A handler may be in any context: it can't queue work itself. */
static void queue_follow_up(struct irq_work *irq_work)
{
	schedule_work(&follow_up_work);
}

static DEFINE_IRQ_WORK(follow_up_irq_work, queue_follow_up);

static bool is_spent(const struct vl_threshold *t)
{
	return t->req.once && test_bit(0, &t->fired);
}

static bool concerns(const struct vl_threshold *t, u32 vring_id)
{
	return !t->req.vring_id || t->req.vring_id == vring_id;
}

void vl_threshold_apply(struct vl_vring *vring)
{
	s64 limit_ns[VL_SPANS];
	struct vl_threshold *t;
	int span;

	lockdep_assert_held(&vl_vrings_lock);

	for (span = 0; span < VL_SPANS; span++)
		limit_ns[span] = S64_MAX;
	list_for_each_entry(t, &thresholds, node)
		if (concerns(t, vring->id) && !is_spent(t))
			limit_ns[t->req.span] = min(limit_ns[t->req.span], t->req.ns);
	for (span = 0; span < VL_SPANS; span++)
		WRITE_ONCE(vring->limit_ns[span], limit_ns[span]);
}

static void apply_all(void)
{
	struct vl_vring *vring;
	unsigned long id = 0;

	for (; (vring = vl_vring_next(&id)); id++)
		vl_threshold_apply(vring);
}

static struct vl_hit *hit_open(void)
{
	unsigned int bit;

	for (bit = 0; bit < HITS; bit++)
		if (!test_bit(bit, hits_busy) && !test_and_set_bit(bit, hits_busy))
			return &hits[bit];

	return NULL;
}

static void hit_close(struct vl_hit *hit)
{
	clear_bit_unlock(hit - hits, hits_busy);
}

static void notify(struct vl_threshold *t, const struct vl_hit *hit)
{
	struct vl_hit *copy;

	if (READ_ONCE(mute))
		return;

	copy = hit_open();
	if (!copy) {
		atomic64_inc(&t->lost);
		return;
	}
	*copy = *hit;
	if (llist_add(&copy->node, &hits_ready))
		irq_work_queue(&follow_up_irq_work);
}

static void lift_soon(void)
{
	if (READ_ONCE(mute))
		return;
	WRITE_ONCE(spent, true);
	irq_work_queue(&follow_up_irq_work);
}

static void hit_one(struct vl_threshold *t, struct vl_hit *hit)
{
	atomic64_inc(&t->hits);
	hit->id = t->id;
	if (t->req.actions & VRINGLAB_THRESHOLD_ACTION_TRACE)
		trace_threshold(hit, t->req.ns);
	if (t->req.actions & VRINGLAB_THRESHOLD_ACTION_NOTIFY)
		notify(t, hit);
}

/* In the path. The buffer is kept or stopped when all have written to it. */
void vl_threshold_hit(struct vl_vring *vring, enum vringlab_span span, s64 ns, u64 now)
{
	struct vl_hit hit = { .vring_id = vring->id, .span = span, .ns = ns, .stamp_ns = now };
	struct vl_threshold *t;
	u32 actions = 0;

	list_for_each_entry_rcu(t, &thresholds, node) {
		if (t->req.span != span || ns <= t->req.ns || !concerns(t, vring->id))
			continue;
		if (t->req.once && test_and_set_bit(0, &t->fired))
			continue;
		hit_one(t, &hit);
		if (t->req.once)
			lift_soon();
		actions |= t->req.actions;
	}

	if (actions & VRINGLAB_THRESHOLD_ACTION_SNAPSHOT)
		tracing_snapshot();
	if (actions & VRINGLAB_THRESHOLD_ACTION_STOP_TRACING)
		tracing_off();
}

static void count_lost(u32 id)
{
	struct vl_threshold *t;

	rcu_read_lock();
	list_for_each_entry_rcu(t, &thresholds, node)
		if (t->id == id)
			atomic64_inc(&t->lost);
	rcu_read_unlock();
}

static void send(void)
{
	struct llist_node *ready = llist_reverse_order(llist_del_all(&hits_ready));
	struct vl_hit *hit, *next;

	llist_for_each_entry_safe(hit, next, ready, node) {
		if (vl_nl_threshold_notify(hit))
			count_lost(hit->id);
		hit_close(hit);
	}
}

static void follow_up(struct work_struct *work)
{
	send();
	if (!xchg(&spent, false))
		return;
	mutex_lock(&vl_vrings_lock);
	apply_all();
	mutex_unlock(&vl_vrings_lock);
}

/* Before the netlink family goes. Hits are only counted from here on. */
void vl_threshold_mute(void)
{
	WRITE_ONCE(mute, true);
	/* No handler is between its look at @mute and the queueing. */
	synchronize_rcu();
	irq_work_sync(&follow_up_irq_work);
	cancel_work_sync(&follow_up_work);
}

unsigned int vl_threshold_generation(void)
{
	lockdep_assert_held(&vl_vrings_lock);
	return generation;
}

static void changed(void)
{
	if (!++generation)
		generation = 1;
	apply_all();
}

/* The first whose id is not below @id, which may be beyond the last one there can be. */
const struct vl_threshold *vl_threshold_next(u64 id)
{
	struct vl_threshold *t;

	lockdep_assert_held(&vl_vrings_lock);

	list_for_each_entry(t, &thresholds, node)
		if (t->id >= id)
			return t;

	return NULL;
}

static int add_locked(struct vl_threshold *t, struct netlink_ext_ack *extack)
{
	if (t->req.vring_id && !vl_vring_find(t->req.vring_id)) {
		NL_SET_ERR_MSG(extack, "no vring has this id");
		return -ENOENT;
	}
	if (nr_thresholds == VL_THRESHOLDS_MAX) {
		NL_SET_ERR_MSG(extack, "too many thresholds: delete some");
		return -ENOSPC;
	}
	if (last_id == U32_MAX) {
		NL_SET_ERR_MSG(extack, "no threshold id is left: load the module anew");
		return -ENOSPC;
	}

	nr_thresholds++;
	t->id = ++last_id;
	list_add_tail_rcu(&t->node, &thresholds);
	changed();
	return 0;
}

int vl_threshold_add(const struct vl_threshold_req *req, u32 *id, struct netlink_ext_ack *extack)
{
	struct vl_threshold *t;
	int ret;

	if (req->actions & VRINGLAB_THRESHOLD_ACTION_SNAPSHOT) {
		ret = vl_alloc_snapshot();
		if (ret) {
			NL_SET_ERR_MSG(extack, "the kernel has no buffer for a snapshot");
			return ret;
		}
	}

	t = kzalloc(sizeof(*t), GFP_KERNEL_ACCOUNT);
	if (!t)
		return -ENOMEM;
	t->req = *req;

	mutex_lock(&vl_vrings_lock);
	ret = add_locked(t, extack);
	if (!ret)
		*id = t->id;
	mutex_unlock(&vl_vrings_lock);

	if (ret)
		kfree(t);
	return ret;
}

static void end_threshold(struct vl_threshold *t)
{
	nr_thresholds--;
	list_del_rcu(&t->node);
	changed();
	kfree_rcu(t, rcu);
}

int vl_threshold_del(u32 id)
{
	struct vl_threshold *t, *next;
	int ret = -ENOENT;

	mutex_lock(&vl_vrings_lock);
	list_for_each_entry_safe(t, next, &thresholds, node) {
		if (t->id == id) {
			end_threshold(t);
			ret = 0;
		}
	}
	mutex_unlock(&vl_vrings_lock);

	return ret;
}

/* Its vring ends; those of all vrings stay. */
void vl_threshold_del_vring(u32 vring_id)
{
	struct vl_threshold *t, *next;

	lockdep_assert_held(&vl_vrings_lock);

	list_for_each_entry_safe(t, next, &thresholds, node)
		if (t->req.vring_id == vring_id)
			end_threshold(t);
}

/* No vring is left, so nothing hits. */
void vl_threshold_exit(void)
{
	struct vl_threshold *t, *next;

	list_for_each_entry_safe(t, next, &thresholds, node)
		kfree(t);
}
