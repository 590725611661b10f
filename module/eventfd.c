// SPDX-License-Identifier: GPL-2.0-only
/*
 * Eventfds: signalled (kick, call) and read (wake).
 *
 * That it happens is told by the eventfd's own wait queue, in which each eventfd
 * of a vring has an entry of ours: eventfd_signal_mask() and eventfd_write() wake
 * it with EPOLLIN, eventfd_read() with EPOLLOUT, each of them only when it has
 * succeeded, once, and under the eventfd's lock. So what is counted is exact, in
 * the order in which it happened, and costs other eventfds nothing.
 *
 * Hooks at the functions alone could not do that: at their entry a write may still
 * fail and a read still wait, and where a read takes the count, in
 * eventfd_ctx_do_read(), the compiler has inlined it. What the hooks at entry
 * add is who signals.
 *
 * KVM's irqfd stands before us in the queue and ends the walk (its entry has
 * priority and is exclusive). Its wake-up function is therefore hooked, and tells
 * what ours is not told. Only where our entry has priority as well, at a kick, can
 * an irqfd stand behind us and both be told of one signal, which then counts once.
 */
#include "vringlab.h"

#include <linux/atomic.h>
#include <linux/eventfd.h>
#include <linux/fs.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>

#include "compat.h"
#include "found.h"
#include "hooks.h"
#include "hops.h"
#include "source.h"

/* Whoever signals, and wherever the note of it is. */
static noinline __cold void cold_signal(struct vl_eventfd *eventfd)
{
	enum vl_source source;

	if (!vl_source_take(eventfd, &source))
		source = vl_source_take_more(eventfd);
	if (eventfd->role == VL_ROLE_KICK)
		vl_cold_kick(eventfd->vring, source, 0);
	else
		vl_hop_call(eventfd->vring, source);
}

/* Both are called under the eventfd's lock, so removal from the queue waits for them. */
static int kick_woken(wait_queue_entry_t *wait, unsigned int mode, int sync, void *key)
{
	struct vl_eventfd *eventfd = container_of(wait, struct vl_eventfd, wait);
	__poll_t events = key_to_poll(key);

	vl_path_enter_locked();
	if (events & EPOLLIN) {
		if (likely(vl_source_take_if(eventfd, VL_SOURCE_KVM)))
			vl_hop_kick(eventfd->vring);
		else
			cold_signal(eventfd);
	} else if (events & EPOLLOUT) {
		vl_hop_wake(eventfd->vring, VL_SOURCE_READ);
	} else if (events & EPOLLHUP) {
		vl_found_closed(eventfd);
	}
	vl_path_leave_locked();

	/* As if we were not there: nobody was woken, and the walk goes on. */
	return 0;
}

static int call_woken(wait_queue_entry_t *wait, unsigned int mode, int sync, void *key)
{
	struct vl_eventfd *eventfd = container_of(wait, struct vl_eventfd, wait);
	__poll_t events = key_to_poll(key);
	enum vl_source source;

	vl_path_enter_locked();
	if (events & EPOLLIN) {
		if (likely(vl_source_take(eventfd, &source)))
			vl_hop_call(eventfd->vring, source);
		else
			cold_signal(eventfd);
	} else if (events & EPOLLHUP) {
		vl_found_closed(eventfd);
	}
	vl_path_leave_locked();

	return 0;
}

static bool is_behind_us(const struct vl_eventfd *eventfd, const wait_queue_entry_t *irqfd)
{
	const wait_queue_head_t *wqh = READ_ONCE(eventfd->wqh);
	const wait_queue_entry_t *wait;

	if (wqh)
		list_for_each_entry(wait, &wqh->head, entry)
			if (wait == &eventfd->wait || wait == irqfd)
				return wait != irqfd;

	return false;
}

/*
 * An irqfd is woken, see kvm.c. One that came to a kick eventfd after us stands behind
 * us, and the same walk has told us already. Under the eventfd's lock.
 */
void vl_eventfd_irqfd_woken(struct vl_eventfd *eventfd, const wait_queue_entry_t *irqfd)
{
	if (eventfd->role == VL_ROLE_CALL || !is_behind_us(eventfd, irqfd))
		cold_signal(eventfd);
}

/*
 * An irqfd comes to the queue, before it takes the lock. From here on it stands
 * before us; should it go, a poll that comes after us is woken before us.
 */
void vl_eventfd_give_way(struct eventfd_ctx *ctx)
{
	struct vl_eventfd *eventfd;

	if (!vl_lookup_maybe(ctx))
		return;

	vl_path_enter();
	eventfd = vl_lookup_eventfd(ctx);
	if (eventfd)
		WRITE_ONCE(eventfd->wait.flags, 0);
	vl_path_leave();
}

static __always_inline void signalling(struct eventfd_ctx *ctx, unsigned long caller, bool kernel)
{
	struct vl_eventfd *eventfd;

	vl_path_enter();
	eventfd = vl_lookup_eventfd(ctx);
	if (eventfd)
		vl_source_note(eventfd, caller, kernel);
	vl_path_leave();
}

void vl_on_eventfd_signal_mask(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
			       struct ftrace_regs *fregs)
{
	signalling((void *)vl_ftrace_arg(fregs, 0), parent_ip, true);
}

void vl_on_eventfd_write(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
			 struct ftrace_regs *fregs)
{
	struct file *file = (void *)vl_ftrace_arg(fregs, 0);

	if (unlikely(READ_ONCE(vl_discover_on)))
		vl_ctx_seen(file);
	signalling(file->private_data, parent_ip, false);
}

struct watch {
	poll_table pt;
	struct vl_eventfd *eventfd;
};

static void queue(struct file *file, wait_queue_head_t *wqh, poll_table *pt)
{
	struct vl_eventfd *eventfd = container_of(pt, struct watch, pt)->eventfd;

	WRITE_ONCE(eventfd->wqh, wqh);
	add_wait_queue(wqh, &eventfd->wait);
}

/*
 * What is watched must not behave differently: where an irqfd would be refused
 * because of us, we have priority only if we see it come. (One that looks at the
 * queue at the very moment in which we enter it is refused all the same.)
 */
static bool may_have_priority(void)
{
	return !VL_IRQFD_REFUSES_PRIORITY || vl_hooks_add_irqfd();
}

/*
 * Not exclusive: we change nothing in who else is woken. At a kick with priority,
 * else a waiter that came after us, a back-end's poll, would be woken before us
 * and could be done on another CPU before the kick is stamped. At a call without:
 * its irqfd stands before us and ends the walk.
 *
 * @file: NULL where only the eventfd's context is known: vl_ctx_wait_queue() tells
 *	  the rest.
 */
void vl_eventfd_watch(struct vl_eventfd *eventfd, struct file *file)
{
	struct watch watch = { .eventfd = eventfd };

	init_waitqueue_func_entry(&eventfd->wait,
				  eventfd->role == VL_ROLE_KICK ? kick_woken : call_woken);
	if (eventfd->role == VL_ROLE_KICK && may_have_priority())
		eventfd->wait.flags = WQ_FLAG_PRIORITY;
	init_poll_funcptr(&watch.pt, queue);
	if (file)
		vfs_poll(file, &watch.pt);
	else
		queue(NULL, vl_ctx_wait_queue(eventfd->ctx), &watch.pt);
}

void vl_eventfd_unwatch(struct vl_eventfd *eventfd)
{
	remove_wait_queue(eventfd->wqh, &eventfd->wait);
}

/*
 * Takes over the caller's reference of @ctx, unless it fails.
 */
struct vl_eventfd *vl_eventfd_new(struct vl_vring *vring, enum vl_role role,
				  struct eventfd_ctx *ctx)
{
	static atomic64_t serials;
	struct vl_eventfd *eventfd;

	eventfd = kzalloc(sizeof(*eventfd), GFP_KERNEL_ACCOUNT);
	if (!eventfd)
		return NULL;

	eventfd->ctx = ctx;
	eventfd->role = role;
	eventfd->vring = vring;
	eventfd->serial = atomic64_inc_return(&serials);
	return eventfd;
}

static void free_after_grace_period(struct rcu_head *rcu)
{
	struct vl_eventfd *eventfd = container_of(rcu, struct vl_eventfd, rcu);

	eventfd_ctx_put(eventfd->ctx);
	kfree(eventfd);
}

/* Nobody finds it any more; handlers may still have it. */
void vl_eventfd_free(struct vl_eventfd *eventfd)
{
	call_rcu(&eventfd->rcu, free_after_grace_period);
}
