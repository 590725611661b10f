// SPDX-License-Identifier: GPL-2.0-only
/*
 * Functions whose entry is hooked, by ftrace.
 *
 * Taking away a struct ftrace_ops waits for RCU tasks, a tenth of a second, and
 * changing the filter of one that is in use goes through all functions of the kernel.
 * So there are three for all functions, and what comes or goes together is one change.
 *
 * eventfd_signal_mask() and irqfd_wakeup(), which each kick and each call of KVM's
 * come by, have one each: ftrace's trampoline calls the handler directly. In the
 * first, who is hit most is compared with first, the rest is looked up.
 *
 * An address is always taken out of a filter, never the filter freed before the last
 * use of its ops: on 6.1 the next use hangs.
 */
#include "functions.h"

#include <linux/build_bug.h>
#include <linux/cache.h>
#include <linux/hash.h>
#include <linux/kernel.h>

#include "hooks.h"

/* The kernel's own, and never goes. */
static unsigned long write_ip __ro_after_init;

/* With each kick of a guest while vrings are looked for; 0 else. */
static unsigned long ioeventfd_write_ip;

/*
 * What is called, by address. Open addressing; an address that is no longer there
 * leaves its place marked, because others may stand behind it.
 */
#define SLOT_BITS 7
#define SLOT_GONE 1UL

static struct slot {
	unsigned long addr;
	ftrace_func_t func;
} slots[1 << SLOT_BITS];

static struct slot *slot_of(unsigned long addr, unsigned int i)
{
	return &slots[(hash_long(addr, SLOT_BITS) + i) % ARRAY_SIZE(slots)];
}

/*
 * The last hits of a function may still be under way when it is taken away: the place
 * can be another's by now.
 */
static __always_inline void call_slot(const struct slot *slot, unsigned long ip,
				      unsigned long parent_ip, struct ftrace_ops *ops,
				      struct ftrace_regs *fregs)
{
	ftrace_func_t func = READ_ONCE(slot->func);

	/* Pairs with fill_slot(). */
	smp_rmb();
	if (likely(READ_ONCE(slot->addr) == ip))
		func(ip, parent_ip, ops, fregs);
}

static noinline void look_up(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
			     struct ftrace_regs *fregs)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(slots); i++) {
		struct slot *slot = slot_of(ip, i);
		/* Pairs with fill_slot(). */
		unsigned long addr = smp_load_acquire(&slot->addr);

		if (addr == ip)
			call_slot(slot, ip, parent_ip, ops, fregs);
		if (addr == ip || !addr)
			return;
	}
}

static void on_entry(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
		     struct ftrace_regs *fregs)
{
	if (ip == write_ip)
		vl_on_eventfd_write(ip, parent_ip, ops, fregs);
	else if (ip == READ_ONCE(ioeventfd_write_ip))
		vl_on_ioeventfd_write(ip, parent_ip, ops, fregs);
	else
		look_up(ip, parent_ip, ops, fregs);
}

/*
 * PERMANENT: with ftrace switched off by sysctl, hooking fails and says so, and it
 * can't be switched off while something is hooked. Else hooks would just fall silent.
 *
 * The filter holds exactly what is hooked: an ops whose filter is empty would be
 * called for every function there is.
 */
static struct set {
	struct ftrace_ops ops;
	unsigned int nr;
} sets[] = {
	{ .ops = { .func = on_entry, .flags = FTRACE_OPS_FL_PERMANENT } },
	{ .ops = { .func = vl_on_eventfd_signal_mask, .flags = FTRACE_OPS_FL_PERMANENT } },
	{ .ops = { .func = vl_on_irqfd_wakeup, .flags = FTRACE_OPS_FL_PERMANENT } },
};

static void fill_slot(const struct vl_function *f)
{
	struct slot *slot;
	unsigned int i = 0;

	BUILD_BUG_ON(ARRAY_SIZE(slots) < 2 * VL_FUNCTIONS_MAX);

	do
		slot = slot_of(f->addr, i++);
	while (slot->addr > SLOT_GONE && i < ARRAY_SIZE(slots));
	/* Whoever finds the new function does not find the old address. */
	smp_wmb();
	WRITE_ONCE(slot->func, f->func);
	/* Whoever finds the address finds its function. */
	smp_store_release(&slot->addr, f->addr);
	if (f->func == vl_on_ioeventfd_write)
		WRITE_ONCE(ioeventfd_write_ip, f->addr);
}

static void clear_slot(const struct vl_function *f)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(slots); i++)
		if (slots[i].addr == f->addr)
			WRITE_ONCE(slots[i].addr, SLOT_GONE);
	if (ioeventfd_write_ip == f->addr)
		WRITE_ONCE(ioeventfd_write_ip, 0);
}

/* All of them or none. */
static int change_filter(struct set *set, struct vl_function **functions, unsigned int nr,
			 bool remove)
{
	unsigned long addrs[VL_FUNCTIONS_MAX];
	unsigned int i;

	for (i = 0; i < nr; i++)
		addrs[i] = functions[i]->addr;

	return ftrace_set_filter_ips(&set->ops, addrs, nr, remove, 0);
}

/* If one of them is refused, it shall not be for the others' loss. */
static unsigned int add_to_filter(struct set *set, struct vl_function **functions, unsigned int nr)
{
	int ret = change_filter(set, functions, nr, false);
	unsigned int i, added = 0;

	for (i = 0; i < nr; i++) {
		functions[i]->ret = ret ? change_filter(set, &functions[i], 1, false) : 0;
		added += !functions[i]->ret;
	}
	return added;
}

static void fail(struct set *set, struct vl_function **functions, unsigned int nr, int ret)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		if (functions[i]->ret)
			continue;
		change_filter(set, &functions[i], 1, true);
		functions[i]->ret = ret;
	}
}

static void add_to_set(struct set *set, struct vl_function **functions, unsigned int nr)
{
	unsigned int i, added;
	int ret;

	for (i = 0; i < nr; i++)
		fill_slot(functions[i]);

	added = add_to_filter(set, functions, nr);
	if (added && !set->nr) {
		ret = register_ftrace_function(&set->ops);
		if (ret) {
			fail(set, functions, nr, ret);
			added = 0;
		}
	}
	set->nr += added;

	for (i = 0; i < nr; i++)
		if (functions[i]->ret)
			clear_slot(functions[i]);
}

static void del_from_set(struct set *set, struct vl_function **functions, unsigned int nr)
{
	unsigned int i;

	set->nr -= nr;
	if (!set->nr)
		unregister_ftrace_function(&set->ops);
	change_filter(set, functions, nr, true);

	for (i = 0; i < nr; i++)
		clear_slot(functions[i]);
}

static struct set *set_of(const struct vl_function *f)
{
	unsigned int i;

	for (i = 1; i < ARRAY_SIZE(sets); i++)
		if (f->func == sets[i].ops.func)
			return &sets[i];

	return &sets[0];
}

/* With those of @functions that are the set's. */
static void for_set(struct set *set, struct vl_function **functions, unsigned int nr,
		    void (*act)(struct set *set, struct vl_function **functions, unsigned int nr))
{
	struct vl_function *of_set[VL_FUNCTIONS_MAX];
	unsigned int i, in_set = 0;

	for (i = 0; i < nr; i++)
		if (set_of(functions[i]) == set)
			of_set[in_set++] = functions[i];
	if (in_set)
		act(set, of_set, in_set);
}

/* None of them is hooked. What came of it is in each. */
void vl_functions_add(struct vl_function **functions, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sets); i++)
		for_set(&sets[i], functions, nr, add_to_set);
}

/* All of them are hooked. */
void vl_functions_del(struct vl_function **functions, unsigned int nr)
{
	unsigned int i;

	for (i = ARRAY_SIZE(sets); i-- > 0;)
		for_set(&sets[i], functions, nr, del_from_set);
}

/* Where ftrace calls from eventfd_write(); 0 for absent. */
void __init vl_functions_init(unsigned long write)
{
	write_ip = write;
}

/* Nothing is hooked. */
void vl_functions_exit(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sets); i++)
		ftrace_free_filter(&sets[i].ops);
}
