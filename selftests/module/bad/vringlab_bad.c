// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bugs on demand, one of each kind that a debug kernel has to tell: before such a
 * kernel's silence is worth anything, bad_torture_test.sh makes it speak.
 *
 *   insmod vringlab_bad.ko bug=NAME
 *
 * Never to be loaded elsewhere. Each bug is confined to memory and locks of this
 * module, and the kernel survives it.
 */
#include <linux/compiler.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/init.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/preempt.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/timer.h>

static char *bug = "";
module_param(bug, charp, 0);
MODULE_PARM_DESC(bug, "Which");

/* What the compiler may know nothing of. */
static volatile unsigned int nr = 4;

static int use_after_free(void)
{
	volatile char *p = kmalloc(64, GFP_KERNEL);

	if (!p)
		return -ENOMEM;
	kfree((void *)p);
	return p[8] & 0;
}

static int out_of_bounds(void)
{
	char *p = kmalloc(64, GFP_KERNEL);

	if (!p)
		return -ENOMEM;
	((volatile char *)p)[16 * nr] = 1;
	kfree(p);
	return 0;
}

static int lock_inversion(void)
{
	static DEFINE_MUTEX(a);
	static DEFINE_MUTEX(b);

	mutex_lock(&a);
	mutex_lock(&b);
	mutex_unlock(&b);
	mutex_unlock(&a);

	mutex_lock(&b);
	mutex_lock(&a);
	mutex_unlock(&a);
	mutex_unlock(&b);
	return 0;
}

static int rcu_misuse(void)
{
	static unsigned int __rcu *p;

	return rcu_dereference(p) ? -EINVAL : 0;
}

static int sleep_in_atomic(void)
{
	preempt_disable();
	kfree(kmalloc(64, GFP_KERNEL));
	preempt_enable();
	return 0;
}

/* Many, for a stale pointer somewhere may hide one. */
static int leak(void)
{
	unsigned int i;

	for (i = 0; i < 16; i++)
		if (!kmalloc(120, GFP_KERNEL))
			return -ENOMEM;
	return 0;
}

static int bad_shift(void)
{
	return (nr << (8 * nr)) & 0;
}

static int bad_index(void)
{
	static int array[4];

	return array[nr] & 0;
}

static void never(struct timer_list *timer)
{
}

static int init_active(void)
{
	static struct timer_list timer;

	timer_setup(&timer, never, 0);
	mod_timer(&timer, jiffies + 1000 * HZ);
	timer_setup(&timer, never, 0);
	timer_shutdown_sync(&timer);
	return 0;
}

static int free_active(void)
{
	struct timer_list *timer = kmalloc(sizeof(*timer), GFP_KERNEL);

	if (!timer)
		return -ENOMEM;
	timer_setup(timer, never, 0);
	mod_timer(timer, jiffies + 1000 * HZ);
	kfree(timer);
	return 0;
}

static unsigned long shared;

static int increment(void *unused)
{
	while (!kthread_should_stop()) {
		unsigned int i;

		for (i = 0; i < 1000; i++) {
			shared++;
			barrier();
		}
		cond_resched();
	}
	return 0;
}

static int unlocked_race(void)
{
	struct task_struct *tasks[2];
	int i, ret = 0;

	for (i = 0; i < 2; i++) {
		tasks[i] = kthread_run(increment, NULL, "vringlab_bad/%d", i);
		if (IS_ERR(tasks[i]))
			ret = PTR_ERR(tasks[i]);
	}
	msleep(3000);
	for (i = 0; i < 2; i++)
		if (!IS_ERR(tasks[i]))
			kthread_stop(tasks[i]);
	return ret;
}

/* clang-format off */
#define KIND(name) { #name, name }

static const struct {
	const char *name;
	int (*make)(void);
} bugs[] = {
	KIND(use_after_free),
	KIND(out_of_bounds),
	KIND(lock_inversion),
	KIND(rcu_misuse),
	KIND(sleep_in_atomic),
	KIND(leak),
	KIND(bad_shift),
	KIND(bad_index),
	KIND(init_active),
	KIND(free_active),
	KIND(unlocked_race),
};

/* clang-format on */

static int __init vringlab_bad_init(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bugs); i++)
		if (!strcmp(bug, bugs[i].name))
			return bugs[i].make();
	return -EINVAL;
}

static void __exit vringlab_bad_exit(void)
{
}

module_init(vringlab_bad_init);
module_exit(vringlab_bad_exit);

MODULE_LICENSE("GPL");
MODULE_AUTHOR("vringlab developers");
MODULE_DESCRIPTION("Bugs on demand, for testing debug kernels");
MODULE_INFO(test, "Y");
