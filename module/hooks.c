// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which functions and tracepoints are hooked, and when.
 *
 * A probe is found when this module or the one that holds it is loaded, and lost
 * when the latter goes. It is attached while there are vrings: without any,
 * nothing in the kernel is patched.
 *
 * One struct ftrace_ops a function: each gets a trampoline that calls its handler
 * directly, and there are too few for the time that detaching takes to matter.
 * An address is always taken out of a filter, never the filter freed before the
 * last use of its ops: on 6.1 the next attach hangs.
 */
#include "vringlab.h"

#include <linux/ftrace.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/netlink.h>
#include <linux/notifier.h>
#include <linux/tracepoint.h>
#include <linux/workqueue.h>

#include "hooks.h"

#define KVM (IS_BUILTIN(CONFIG_KVM) ? NULL : "kvm")

/**
 * struct probe - A function or tracepoint
 * @name:	Its name.
 * @module:	Module that holds it, NULL for the kernel itself.
 * @type:	How it is hooked.
 * @hops:	What for: bits by enum vringlab_hop.
 * @handler:	Of a tracepoint.
 * @tp:		Tracepoint, NULL while absent.
 * @ops:	Of a function. Without a handler the function is only recognized
 *		by its address.
 * @addr:	Function, 0 while absent.
 * @attached:	The handler is called.
 * @error:	Positive errno of the last attempt to attach.
 */
struct probe {
	const char *name;
	const char *module;
	enum vringlab_probe_type type;
	unsigned long hops;
	void *handler;
	struct tracepoint *tp;
	struct ftrace_ops ops;
	unsigned long addr;
	bool attached;
	int error;
};

#define HOP(name) BIT(VRINGLAB_HOP_##name)

/* clang-format off */

/*
 * PERMANENT: with ftrace switched off by sysctl, attaching fails and says so,
 * and it can't be switched off while attached. Else hooks would just fall silent.
 */
#define FUNCTION(function, in, at, call)			\
	.name = #function,					\
	.module = in,						\
	.type = VRINGLAB_PROBE_TYPE_FUNCTION,			\
	.hops = at,						\
	.ops = {						\
		.func = call,					\
		.flags = FTRACE_OPS_FL_PERMANENT,		\
	}

#define TRACEPOINT(tracepoint, in, at, call)			\
	.name = #tracepoint,					\
	.module = in,						\
	.type = VRINGLAB_PROBE_TYPE_TRACEPOINT,			\
	.hops = at,						\
	.handler = call

/* clang-format on */

enum {
	EVENTFD_SIGNAL_MASK,
	EVENTFD_WRITE,
	IRQFD_WAKEUP,
	IRQFD_INJECT,
	IO_URING_COMPLETE,
	KVM_EXIT,
	KVM_APIC_ACCEPT_IRQ,
	KVM_ENTRY,
	PROBES
};

static struct probe probes[PROBES] = {
	[EVENTFD_SIGNAL_MASK] = { FUNCTION(eventfd_signal_mask, NULL, HOP(KICK) | HOP(CALL),
					   vl_on_eventfd_signal_mask) },
	[EVENTFD_WRITE] = { FUNCTION(eventfd_write, NULL, HOP(KICK) | HOP(CALL),
				     vl_on_eventfd_write) },
	[IRQFD_WAKEUP] = { FUNCTION(irqfd_wakeup, KVM, HOP(CALL) | HOP(INJECT),
				    vl_on_irqfd_wakeup) },
	[IRQFD_INJECT] = { FUNCTION(irqfd_inject, KVM, HOP(INJECT), NULL) },
	[IO_URING_COMPLETE] = { TRACEPOINT(io_uring_complete, NULL, HOP(WAKE), NULL) },
	[KVM_EXIT] = { TRACEPOINT(kvm_exit, KVM, HOP(EXIT), vl_on_kvm_exit) },
	[KVM_APIC_ACCEPT_IRQ] = { TRACEPOINT(kvm_apic_accept_irq, KVM, HOP(INJECT),
					     vl_on_kvm_apic_accept_irq) },
	[KVM_ENTRY] = { TRACEPOINT(kvm_entry, KVM, HOP(ENTRY), vl_on_kvm_entry) },
};

/* Protects all of the above but names, and users. Taken inside vl_vrings_lock. */
static DEFINE_MUTEX(hooks_lock);

/* Number of vrings. */
static unsigned int users;

unsigned long vl_hooks_irqfd_inject(void)
{
	return READ_ONCE(probes[IRQFD_INJECT].addr);
}

static bool is_function(const struct probe *p)
{
	return p->type == VRINGLAB_PROBE_TYPE_FUNCTION;
}

static bool is_found(const struct probe *p)
{
	return is_function(p) ? p->addr : !!p->tp;
}

static bool is_in(const struct probe *p, const struct module *mod)
{
	return p->module && !strcmp(p->module, mod->name);
}

/*
 * The filter holds the address exactly while attached: an ops whose filter is
 * empty would be called for every function there is.
 */
static int attach_function(struct probe *p)
{
	int ret;

	ret = ftrace_set_filter_ip(&p->ops, p->addr, 0, 0);
	if (ret)
		return ret;

	ret = register_ftrace_function(&p->ops);
	if (ret)
		ftrace_set_filter_ip(&p->ops, p->addr, 1, 0);
	return ret;
}

static void detach_function(struct probe *p)
{
	unregister_ftrace_function(&p->ops);
	ftrace_set_filter_ip(&p->ops, p->addr, 1, 0);
}

static void attach(struct probe *p)
{
	int ret = 0;

	lockdep_assert_held(&hooks_lock);

	if (p->attached || !is_found(p))
		return;

	if (!is_function(p))
		ret = tracepoint_probe_register(p->tp, p->handler, NULL);
	else if (p->ops.func)
		ret = attach_function(p);

	p->error = -ret;
	p->attached = !ret;
}

static void detach(struct probe *p)
{
	lockdep_assert_held(&hooks_lock);

	if (!p->attached)
		return;

	if (!is_function(p))
		tracepoint_probe_unregister(p->tp, p->handler, NULL);
	else if (p->ops.func)
		detach_function(p);

	p->attached = false;
}

/* Functions come first: kvm.c relies on irqfd_wakeup() being seen before accepts. */
static void attach_all(void)
{
	unsigned int i;

	for (i = 0; i < PROBES; i++)
		attach(&probes[i]);
}

static void detach_all(void)
{
	unsigned int i;

	for (i = PROBES; i-- > 0;)
		detach(&probes[i]);
}

static void detach_unused(struct work_struct *work)
{
	mutex_lock(&hooks_lock);
	if (!users)
		detach_all();
	mutex_unlock(&hooks_lock);
}

static DECLARE_WORK(detach_work, detach_unused);

/*
 * The hooks are attached when this returns.
 */
int vl_hooks_get(struct netlink_ext_ack *extack)
{
	int ret = 0;

	mutex_lock(&hooks_lock);
	attach_all();
	if (probes[EVENTFD_SIGNAL_MASK].attached || probes[EVENTFD_WRITE].attached) {
		users++;
	} else {
		NL_SET_ERR_MSG(
			extack,
			"ftrace refused the hooks on eventfds: set sysctl kernel.ftrace_enabled=1, or see probe-get");
		if (!users)
			detach_all();
		ret = -EOPNOTSUPP;
	}
	mutex_unlock(&hooks_lock);

	return ret;
}

/*
 * Detaching waits for every task to have left the trampolines, which can take a
 * second: not the caller's.
 */
void vl_hooks_put(void)
{
	mutex_lock(&hooks_lock);
	if (!--users)
		schedule_work(&detach_work);
	mutex_unlock(&hooks_lock);
}

bool vl_hooks_info(unsigned int i, struct vl_probe_info *info)
{
	struct probe *p = &probes[i];

	if (i >= PROBES)
		return false;

	mutex_lock(&hooks_lock);
	info->name = p->name;
	info->module = p->module;
	info->type = p->type;
	info->hops = p->hops;
	info->error = p->error;
	if (!is_found(p))
		info->state = VRINGLAB_PROBE_STATE_ABSENT;
	else if (p->attached)
		info->state = VRINGLAB_PROBE_STATE_ATTACHED;
	else if (p->error)
		info->state = VRINGLAB_PROBE_STATE_FAILED;
	else
		info->state = VRINGLAB_PROBE_STATE_IDLE;
	mutex_unlock(&hooks_lock);

	return true;
}

/*
 * A kprobe that is never armed is the way to ask for a symbol's address, and
 * the address it gives is ftrace's: behind an ENDBR64, if there is one.
 */
static unsigned long function_addr(const struct probe *p)
{
	char symbol[64];
	struct kprobe kp = {
		.symbol_name = symbol,
		.flags = KPROBE_FLAG_DISABLED,
	};
	unsigned long addr;

	snprintf(symbol, sizeof(symbol), "%s%s%s", p->module ?: "", p->module ? ":" : "", p->name);
	if (register_kprobe(&kp))
		return 0;
	addr = (unsigned long)kp.addr;
	unregister_kprobe(&kp);

	return addr;
}

static void find_function(struct probe *p)
{
	unsigned long addr;

	if (!is_function(p) || p->addr)
		return;

	addr = function_addr(p);
	if (!addr)
		return;

	WRITE_ONCE(p->addr, addr);
	p->error = 0;
	if (users)
		attach(p);
}

static void lose_function(struct probe *p)
{
	if (!is_function(p))
		return;

	detach(p);
	WRITE_ONCE(p->addr, 0);
}

static int module_event(struct notifier_block *nb, unsigned long event, void *data)
{
	struct module *mod = data;
	unsigned int i;

	if (event != MODULE_STATE_COMING && event != MODULE_STATE_GOING)
		return NOTIFY_DONE;

	mutex_lock(&hooks_lock);
	for (i = 0; i < PROBES; i++) {
		if (!is_in(&probes[i], mod))
			continue;
		if (event == MODULE_STATE_COMING)
			find_function(&probes[i]);
		else
			lose_function(&probes[i]);
	}
	if (event == MODULE_STATE_GOING)
		vl_source_forget();
	mutex_unlock(&hooks_lock);

	return NOTIFY_OK;
}

static struct notifier_block module_nb = {
	.notifier_call = module_event,
};

static void find_tracepoint(struct tracepoint *tp, const struct module *mod)
{
	unsigned int i;

	for (i = 0; i < PROBES; i++) {
		struct probe *p = &probes[i];

		if (is_function(p) || strcmp(p->name, tp->name))
			continue;
		if (mod ? !is_in(p, mod) : !!p->module)
			continue;
		p->tp = tp;
		p->error = 0;
		if (users)
			attach(p);
	}
}

static void find_kernel_tracepoint(struct tracepoint *tp, void *unused)
{
	find_tracepoint(tp, NULL);
}

static void lose_tracepoints(const struct module *mod)
{
	unsigned int i;

	for (i = 0; i < PROBES; i++) {
		struct probe *p = &probes[i];

		if (is_function(p) || !is_in(p, mod))
			continue;
		detach(p);
		p->tp = NULL;
	}
}

static int tracepoint_event(struct notifier_block *nb, unsigned long event, void *data)
{
	struct module *mod = ((struct tp_module *)data)->mod;
	int i;

	mutex_lock(&hooks_lock);
	if (event == MODULE_STATE_COMING)
		for (i = 0; i < mod->num_tracepoints; i++)
			find_tracepoint(tracepoint_ptr_deref(&mod->tracepoints_ptrs[i]), mod);
	else
		lose_tracepoints(mod);
	mutex_unlock(&hooks_lock);

	return NOTIFY_OK;
}

static struct notifier_block tracepoint_nb = {
	.notifier_call = tracepoint_event,
};

int vl_hooks_init(void)
{
	unsigned int i;
	int ret;

	probes[IO_URING_COMPLETE].handler = vl_on_io_uring_complete;

	ret = register_module_notifier(&module_nb);
	if (ret)
		return ret;

	/* Calls back for the modules that are already there. */
	ret = register_tracepoint_module_notifier(&tracepoint_nb);
	if (ret) {
		unregister_module_notifier(&module_nb);
		return ret;
	}

	mutex_lock(&hooks_lock);
	for (i = 0; i < PROBES; i++)
		find_function(&probes[i]);
	for_each_kernel_tracepoint(find_kernel_tracepoint, NULL);
	mutex_unlock(&hooks_lock);

	return 0;
}

/* There are no vrings any more; a last detach may still be under way. */
void vl_hooks_exit(void)
{
	unsigned int i;

	unregister_tracepoint_module_notifier(&tracepoint_nb);
	unregister_module_notifier(&module_nb);
	cancel_work_sync(&detach_work);

	mutex_lock(&hooks_lock);
	detach_all();
	for (i = 0; i < PROBES; i++)
		if (is_function(&probes[i]))
			ftrace_free_filter(&probes[i].ops);
	mutex_unlock(&hooks_lock);

	/* Handlers may still run; then their code goes. */
	tracepoint_synchronize_unregister();
}
