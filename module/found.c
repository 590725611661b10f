// SPDX-License-Identifier: GPL-2.0-only
/*
 * From handlers to the worker.
 *
 * The pool is fixed: a handler takes a record by a bit and returns it through
 * the worker. What finds the pool empty is lost, and counted.
 */
#include "found.h"

#include <linux/atomic.h>
#include <linux/bitmap.h>
#include <linux/cred.h>
#include <linux/eventfd.h>
#include <linux/file.h>
#include <linux/irq_work.h>
#include <linux/mm_types.h>
#include <linux/mutex.h>
#include <linux/string.h>
#include <linux/workqueue.h>

#define POOL 1024

static struct vl_found pool[POOL];
static DECLARE_BITMAP(taken, POOL);
static LLIST_HEAD(queue);
static atomic64_t lost;

static void give_back(struct vl_found *found)
{
	if (found->file)
		fput(found->file);
	if (found->ctx)
		eventfd_ctx_put(found->ctx);
	clear_bit_unlock(found - pool, taken);
}

/* One at a time, so that no vring-add has to wait for all of them. */
static void apply_all(struct work_struct *work)
{
	struct llist_node *all = llist_reverse_order(llist_del_all(&queue));
	struct vl_found *found, *next;

	llist_for_each_entry_safe(found, next, all, node) {
		mutex_lock(&vl_vrings_lock);
		if (vl_discovering())
			found->apply(found);
		mutex_unlock(&vl_vrings_lock);
		give_back(found);
	}
}

static DECLARE_WORK(work, apply_all);

static void wake_worker(struct irq_work *irq_work)
{
	schedule_work(&work);
}

/* A handler may hold a run queue's lock, which waking the worker wants. */
static DEFINE_IRQ_WORK(wake_soon, wake_worker);

/* Something that was found could not be kept. */
void vl_found_lose(void)
{
	atomic64_inc(&lost);
}

u64 vl_found_lost(void)
{
	return atomic64_read(&lost) + vl_hooks_missed();
}

/* A worker of vhost's up to 6.3 is a kernel thread that has borrowed its owner's mm. */
static struct task_struct *whose(void)
{
	struct task_struct *owner = NULL;

#ifdef CONFIG_MEMCG
	if (current->flags & PF_KTHREAD && current->mm)
		owner = rcu_dereference_sched(current->mm->owner);
#endif
	return owner ?: current;
}

static void note_process(struct vl_found *found)
{
	struct task_struct *task;

	vl_path_enter();
	task = whose();
	found->tgid = task->tgid;
	found->uid = task_uid(task);
	/* The leader's name; it is as old as the process. */
	memcpy(found->comm, task->group_leader->comm, sizeof(found->comm));
	found->comm[sizeof(found->comm) - 1] = '\0';
	vl_path_leave();
}

static unsigned int next_free(unsigned int from)
{
	/* a look at what others take and give back: who wants one asks again */
	return data_race(find_next_zero_bit(taken, POOL, from));
}

static unsigned int next_taken(unsigned int from)
{
	/* likewise: who goes through them asks each record */
	return data_race(find_next_bit(taken, POOL, from));
}

/*
 * Return: a record that is zero but for who is current, NULL if there is none
 */
struct vl_found *vl_found_get(void (*apply)(struct vl_found *found))
{
	unsigned int i;

	for (i = next_free(0); i < POOL; i = next_free(i + 1)) {
		struct vl_found *found = &pool[i];

		if (test_and_set_bit_lock(i, taken))
			continue;
		memset(found, 0, sizeof(*found));
		found->apply = apply;
		note_process(found);
		return found;
	}

	vl_found_lose();
	return NULL;
}

void vl_found_post(struct vl_found *found)
{
	if (llist_add(&found->node, &queue))
		irq_work_queue(&wake_soon);
}

/* A VM ends: what was told of it and waits is not of the next one at its address. */
void vl_found_void(const void *kvm)
{
	unsigned int i;

	for (i = next_taken(0); i < POOL; i = next_taken(i + 1))
		if (READ_ONCE(pool[i].kvm) == kvm)
			cmpxchg(&pool[i].kvm, kvm, NULL);
}

/* All that was posted until now is applied, or dropped if discovery is off. */
void vl_found_flush(void)
{
	irq_work_sync(&wake_soon);
	flush_work(&work);
}
