// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which functions and tracepoints are hooked, and when.
 *
 * A probe is found when this module or the one that holds it is loaded, and lost
 * when the latter goes. Those of the path are attached while there are vrings or
 * they are looked for, those of control while they are looked for: else nothing in
 * the kernel is patched.
 *
 * Functions are hooked by ftrace (functions.c), those whose success matters by
 * kretprobes. What is attached or detached at one time is so together: each of these
 * mechanisms waits, or goes through the whole kernel, once for all.
 */
#include "vringlab.h"

#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/netlink.h>
#include <linux/notifier.h>
#include <linux/tracepoint.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>

#include <asm/nops.h>

#include "clock.h"
#include "compat.h"
#include "functions.h"
#include "hooks.h"
#include "layout.h"
#include "vcpu.h"

#define KVM (IS_BUILTIN(CONFIG_KVM) ? NULL : "kvm")
#define UNIX (IS_BUILTIN(CONFIG_UNIX) ? NULL : "unix")
#define VHOST (IS_BUILTIN(CONFIG_VHOST) ? NULL : "vhost")
#define VHOST_NET (IS_BUILTIN(CONFIG_VHOST_NET) ? NULL : "vhost_net")
#define VHOST_VSOCK (IS_BUILTIN(CONFIG_VHOST_VSOCK) ? NULL : "vhost_vsock")
#define VHOST_SCSI (IS_BUILTIN(CONFIG_VHOST_SCSI) ? NULL : "vhost_scsi")
#define VHOST_VDPA (IS_BUILTIN(CONFIG_VHOST_VDPA) ? NULL : "vhost_vdpa")

/**
 * struct probe - A function or tracepoint
 * @name:	Its name.
 * @module:	Module that holds it, NULL for the kernel itself.
 * @type:	How it is hooked.
 * @hops:	What for: bits by enum vringlab_hop.
 * @control:	It tells of vrings, not of what they do.
 * @handler:	Of a tracepoint.
 * @tp:		Tracepoint, NULL while absent.
 * @function:	Its address, also if its return is waited for; and the handler of its
 *		entry. Without any of both it is only recognized by its address.
 * @rp:		Of a function whose return is waited for.
 * @attached:	The handler is called.
 * @error:	Positive errno of the last attempt to attach.
 */
struct probe {
	const char *name;
	const char *module;
	enum vringlab_probe_type type;
	unsigned long hops;
	bool control;
	void *handler;
	struct tracepoint *tp;
	struct vl_function function;
	struct kretprobe rp;
	bool attached;
	int error;
};

/* How many tasks may be in such a function at once; those beyond are lost. */
#define RETURNS_MAX 64

#define HOP(name) BIT(VRINGLAB_HOP_##name)

/* clang-format off */

#define FUNCTION(name_, in, at, call)				\
	.name = #name_,						\
	.module = in,						\
	.type = VRINGLAB_PROBE_TYPE_FUNCTION,			\
	.hops = at,						\
	.function.func = call

/* While vrings are looked for; of the path as well, but for what was found only. */
#define CONTROL(name_, in, at, call)				\
	FUNCTION(name_, in, at, call),				\
	.control = true

#define RETURN(name_, in, call, then, data)			\
	.name = #name_,						\
	.module = in,						\
	.type = VRINGLAB_PROBE_TYPE_RETURN,			\
	.control = true,					\
	.rp = {							\
		.entry_handler = call,				\
		.handler = then,				\
		.data_size = sizeof(data),			\
		.maxactive = RETURNS_MAX,			\
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
#if VL_IRQFD_REFUSES_PRIORITY
	ADD_IRQFD,
#endif
	IO_URING_COMPLETE,
	KVM_EXIT,
	KVM_APIC_ACCEPT_IRQ,
	KVM_ENTRY,
	IOEVENTFD_MADE,
	IRQFD_MADE,
	IOEVENTFD_WRITE,
	VM_DESTROYED,
	UNIX_STREAM_SENDMSG,
	UNIX_RELEASE,
	VHOST_VRING_IOCTL,
	VHOST_DEV_CLEANUP,
	VHOST_VQ_INIT_ACCESS,
	VHOST_DISABLE_NOTIFY,
	VHOST_WORKER_QUEUE,
	VHOST_VQ_WORK_QUEUE,
	VHOST_WORK_QUEUE,
	HANDLE_TX_KICK,
	HANDLE_RX_KICK,
	VHOST_VSOCK_HANDLE_TX_KICK,
	VHOST_VSOCK_HANDLE_RX_KICK,
	VHOST_SCSI_CTL_HANDLE_KICK,
	VHOST_SCSI_EVT_HANDLE_KICK,
	VHOST_SCSI_HANDLE_KICK,
	HANDLE_VQ_KICK,
	VHOST_ADD_USED_AND_SIGNAL,
	VHOST_ADD_USED_AND_SIGNAL_N,
	VHOST_SIGNAL,
	KVM_ARCH_VCPU_DESTROY,
	KVM_VCPU_WAKEUP,
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
#if VL_IRQFD_REFUSES_PRIORITY
	[ADD_IRQFD] = { FUNCTION(add_wait_queue_priority_exclusive, NULL, HOP(KICK),
				 vl_on_add_irqfd) },
#endif
	[IO_URING_COMPLETE] = { TRACEPOINT(io_uring_complete, NULL, HOP(WAKE), NULL) },
	[KVM_EXIT] = { TRACEPOINT(kvm_exit, KVM, HOP(EXIT), vl_on_kvm_exit) },
	[KVM_APIC_ACCEPT_IRQ] = { TRACEPOINT(kvm_apic_accept_irq, KVM, HOP(INJECT),
					     vl_on_kvm_apic_accept_irq) },
	[KVM_ENTRY] = { TRACEPOINT(kvm_entry, KVM, HOP(ENTRY), vl_on_kvm_entry) },
	[IOEVENTFD_MADE] = { RETURN(kvm_ioeventfd, KVM, vl_on_kvm_ioeventfd,
				    vl_on_kvm_ioeventfd_return, struct vl_kvm_ioeventfd_call) },
	[IRQFD_MADE] = { RETURN(kvm_irqfd, KVM, vl_on_kvm_irqfd, vl_on_kvm_irqfd_return,
				struct vl_kvm_irqfd_call) },
	[IOEVENTFD_WRITE] = { CONTROL(ioeventfd_write, KVM, 0, vl_on_ioeventfd_write) },
	[VM_DESTROYED] = { CONTROL(kvm_arch_destroy_vm, KVM, 0, vl_on_kvm_arch_destroy_vm) },
	[UNIX_STREAM_SENDMSG] = { CONTROL(unix_stream_sendmsg, UNIX, 0,
					  vl_on_unix_stream_sendmsg) },
	[UNIX_RELEASE] = { CONTROL(unix_release, UNIX, 0, vl_on_unix_release) },
	[VHOST_VRING_IOCTL] = { RETURN(vhost_vring_ioctl, VHOST, vl_on_vhost_vring_ioctl,
				       vl_after_vhost_vring_ioctl, struct vl_vring_ioctl) },
	[VHOST_DEV_CLEANUP] = { CONTROL(vhost_dev_cleanup, VHOST, 0, vl_on_vhost_dev_cleanup) },
	[VHOST_VQ_INIT_ACCESS] = { CONTROL(vhost_vq_init_access, VHOST, 0,
					   vl_on_vhost_vq_init_access) },
	[VHOST_DISABLE_NOTIFY] = { CONTROL(vhost_disable_notify, VHOST, 0,
					   vl_on_vhost_disable_notify) },
	[VHOST_WORKER_QUEUE] = { CONTROL(vhost_worker_queue, VHOST, 0, vl_on_vhost_queue) },
	[VHOST_VQ_WORK_QUEUE] = { CONTROL(vhost_vq_work_queue, VHOST, 0,
					  vl_on_vhost_vq_work_queue) },
	[VHOST_WORK_QUEUE] = { CONTROL(vhost_work_queue, VHOST, 0, vl_on_vhost_queue) },
	[HANDLE_TX_KICK] = { CONTROL(handle_tx_kick, VHOST_NET, HOP(WAKE), vl_on_vhost_kick) },
	[HANDLE_RX_KICK] = { CONTROL(handle_rx_kick, VHOST_NET, HOP(WAKE), vl_on_vhost_kick) },
	[VHOST_VSOCK_HANDLE_TX_KICK] = { CONTROL(vhost_vsock_handle_tx_kick, VHOST_VSOCK, HOP(WAKE),
						 vl_on_vhost_kick) },
	[VHOST_VSOCK_HANDLE_RX_KICK] = { CONTROL(vhost_vsock_handle_rx_kick, VHOST_VSOCK, HOP(WAKE),
						 vl_on_vhost_kick) },
	[VHOST_SCSI_CTL_HANDLE_KICK] = { CONTROL(vhost_scsi_ctl_handle_kick, VHOST_SCSI, HOP(WAKE),
						 vl_on_vhost_kick) },
	[VHOST_SCSI_EVT_HANDLE_KICK] = { CONTROL(vhost_scsi_evt_handle_kick, VHOST_SCSI, HOP(WAKE),
						 vl_on_vhost_kick) },
	[VHOST_SCSI_HANDLE_KICK] = { CONTROL(vhost_scsi_handle_kick, VHOST_SCSI, HOP(WAKE),
					     vl_on_vhost_kick) },
	[HANDLE_VQ_KICK] = { CONTROL(handle_vq_kick, VHOST_VDPA, HOP(WAKE), vl_on_vhost_kick) },
	[VHOST_ADD_USED_AND_SIGNAL] = { CONTROL(vhost_add_used_and_signal, VHOST, HOP(CALL),
						vl_on_vhost_signal) },
	[VHOST_ADD_USED_AND_SIGNAL_N] = { CONTROL(vhost_add_used_and_signal_n, VHOST, HOP(CALL),
						  vl_on_vhost_signal) },
	[VHOST_SIGNAL] = { CONTROL(vhost_signal, VHOST, HOP(CALL), vl_on_vhost_signal) },
	/* No hop, but the vCPUs' own counters. */
	[KVM_ARCH_VCPU_DESTROY] = { FUNCTION(kvm_arch_vcpu_destroy, KVM, 0,
					     vl_on_kvm_arch_vcpu_destroy) },
	[KVM_VCPU_WAKEUP] = { TRACEPOINT(kvm_vcpu_wakeup, KVM, 0, vl_on_kvm_vcpu_wakeup) },
};

/* Protects all of the above but names, and what follows. Taken inside vl_vrings_lock. */
static DEFINE_MUTEX(hooks_lock);

/* Number of vrings, and one more while they are looked for. */
static unsigned int users;
static bool discovering;

/* Returns missed by kretprobes in earlier uses: each use counts from 0. */
static unsigned long missed_before;

unsigned long vl_hooks_irqfd_inject(void)
{
	return READ_ONCE(probes[IRQFD_INJECT].function.addr);
}

/* Return: whether an irqfd is seen before it looks who is first in its queue */
bool vl_hooks_add_irqfd(void)
{
#if VL_IRQFD_REFUSES_PRIORITY
	return READ_ONCE(probes[ADD_IRQFD].attached);
#else
	return false;
#endif
}

/* Returns that were not waited for, since the module was loaded. */
unsigned long vl_hooks_missed(void)
{
	unsigned long missed;
	unsigned int i;

	mutex_lock(&hooks_lock);
	missed = missed_before;
	for (i = 0; i < PROBES; i++)
		missed += READ_ONCE(probes[i].rp.nmissed);
	mutex_unlock(&hooks_lock);
	return missed;
}

/* The function in a table is its first byte, the hook's address may be behind. */
bool vl_hooks_is_eventfd_write(unsigned long func)
{
	unsigned long addr = READ_ONCE(probes[EVENTFD_WRITE].function.addr);

	return addr && addr - func <= VL_ENTRY_SLACK;
}

bool vl_hooks_vhost_worker_queue(void)
{
	return READ_ONCE(probes[VHOST_WORKER_QUEUE].attached);
}

/* Without it, a record could outlive its vCPU. */
bool vl_hooks_vcpu_destroy(void)
{
	return READ_ONCE(probes[KVM_ARCH_VCPU_DESTROY].attached);
}

static bool is_tracepoint(const struct probe *p)
{
	return p->type == VRINGLAB_PROBE_TYPE_TRACEPOINT;
}

static bool is_found(const struct probe *p)
{
	return is_tracepoint(p) ? !!p->tp : p->function.addr;
}

static bool is_wanted(const struct probe *p)
{
	return p->control ? discovering : users;
}

static bool is_in(const struct probe *p, const struct module *mod)
{
	return p->module && !strcmp(p->module, mod->name);
}

/* What a last use left in it would be refused. */
static int attach_return(struct probe *p)
{
	missed_before += p->rp.nmissed;
	p->rp.nmissed = 0;
	memset(&p->rp.kp, 0, sizeof(p->rp.kp));
	p->rp.kp.addr = (void *)p->function.addr;
	return register_kretprobe(&p->rp);
}

static void attached(struct probe *p, int ret)
{
	p->error = -ret;
	WRITE_ONCE(p->attached, !ret);
}

static void attach(struct probe *p)
{
	lockdep_assert_held(&hooks_lock);

	if (p->attached || !is_found(p))
		return;

	if (is_tracepoint(p))
		attached(p, tracepoint_probe_register(p->tp, p->handler, NULL));
	else if (p->rp.handler)
		attached(p, attach_return(p));
	else if (!p->function.func)
		attached(p, 0);
}

static void attach_functions(void)
{
	struct vl_function *functions[PROBES];
	struct probe *of[PROBES];
	unsigned int i, nr = 0;

	BUILD_BUG_ON(PROBES > VL_FUNCTIONS_MAX);

	for (i = 0; i < PROBES; i++) {
		struct probe *p = &probes[i];

		if (p->attached || !p->function.func || !is_found(p) || !is_wanted(p))
			continue;
		of[nr] = p;
		functions[nr++] = &p->function;
	}
	vl_functions_add(functions, nr);
	for (i = 0; i < nr; i++)
		attached(of[i], functions[i]->ret);
}

static void detach_tracepoints(bool (*is)(const struct probe *p, const struct module *mod),
			       const struct module *mod)
{
	unsigned int i;

	for (i = PROBES; i-- > 0;) {
		struct probe *p = &probes[i];

		if (!p->attached || !is_tracepoint(p) || !is(p, mod))
			continue;
		tracepoint_probe_unregister(p->tp, p->handler, NULL);
		WRITE_ONCE(p->attached, false);
	}
}

static void detach_functions(bool (*is)(const struct probe *p, const struct module *mod),
			     const struct module *mod)
{
	struct vl_function *functions[PROBES];
	struct kretprobe *returns[PROBES];
	unsigned int i, nr_functions = 0, nr_returns = 0;

	for (i = 0; i < PROBES; i++) {
		struct probe *p = &probes[i];

		if (!p->attached || is_tracepoint(p) || !is(p, mod))
			continue;
		if (p->rp.handler)
			returns[nr_returns++] = &p->rp;
		else if (p->function.func)
			functions[nr_functions++] = &p->function;
	}
	unregister_kretprobes(returns, nr_returns);
	vl_functions_del(functions, nr_functions);

	for (i = 0; i < PROBES; i++)
		if (!is_tracepoint(&probes[i]) && is(&probes[i], mod))
			WRITE_ONCE(probes[i].attached, false);
}

static bool any_attached(void)
{
	unsigned int i;

	for (i = 0; i < PROBES; i++)
		if (probes[i].attached)
			return true;
	return false;
}

/*
 * Functions come first: kvm.c relies on irqfd_wakeup() being seen before accepts, and
 * without those of eventfds nothing else is attached. A detach may still be due, and
 * handlers then go on with the clock they have.
 */
static int attach_wanted(void)
{
	unsigned int i;

	if (!any_attached())
		vl_clock_start();
	attach_functions();
	if (!probes[EVENTFD_SIGNAL_MASK].attached && !probes[EVENTFD_WRITE].attached)
		return -EOPNOTSUPP;

	for (i = 0; i < PROBES; i++)
		if (is_wanted(&probes[i]))
			attach(&probes[i]);
	return 0;
}

static bool is_unwanted(const struct probe *p, const struct module *unused)
{
	return !is_wanted(p);
}

static void detach_unwanted(void)
{
	lockdep_assert_held(&hooks_lock);

	detach_tracepoints(is_unwanted, NULL);
	detach_functions(is_unwanted, NULL);
}

/* Their ends are not seen any more. Handlers may still run, and make more of them. */
static void forget_vcpus(void)
{
	tracepoint_synchronize_unregister();
	vl_vcpus_forget();
}

static void detach_later(struct work_struct *work)
{
	mutex_lock(&hooks_lock);
	detach_unwanted();
	if (!users)
		forget_vcpus();
	mutex_unlock(&hooks_lock);
}

static DECLARE_WORK(detach_work, detach_later);

static int get_locked(struct netlink_ext_ack *extack)
{
	int ret;

	lockdep_assert_held(&hooks_lock);

	users++;
	ret = attach_wanted();
	if (!ret)
		return 0;

	NL_SET_ERR_MSG(
		extack,
		"ftrace refused the hooks on eventfds: set sysctl kernel.ftrace_enabled=1, or see probe-get");
	users--;
	return ret;
}

/*
 * The hooks are attached when this returns.
 */
int vl_hooks_get(struct netlink_ext_ack *extack)
{
	int ret;

	mutex_lock(&hooks_lock);
	ret = get_locked(extack);
	if (ret)
		detach_unwanted();
	mutex_unlock(&hooks_lock);

	return ret;
}

/* Likewise, and those that tell of vrings. */
int vl_hooks_discover(struct netlink_ext_ack *extack)
{
	int ret;

	mutex_lock(&hooks_lock);
	discovering = true;
	ret = get_locked(extack);
	if (ret) {
		discovering = false;
		detach_unwanted();
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

void vl_hooks_undiscover(void)
{
	mutex_lock(&hooks_lock);
	discovering = false;
	users--;
	schedule_work(&detach_work);
	mutex_unlock(&hooks_lock);
}

/*
 * With debugfs' kprobes/enabled at 0 no kprobe is armed, and registering one succeeds all
 * the same: then ftrace's nop is where its call should be. Another tracer's call there
 * hides it.
 */
static bool is_disarmed(const struct probe *p)
{
	static const u8 nop[] = { BYTES_NOP5 };
	u8 code[sizeof(nop)];

	return p->rp.handler && !copy_from_kernel_nofault(code, p->rp.kp.addr, sizeof(code)) &&
	       !memcmp(code, nop, sizeof(code));
}

static void tell_state(const struct probe *p, struct vl_probe_info *info)
{
	info->error = p->error;
	if (!is_found(p)) {
		info->state = VRINGLAB_PROBE_STATE_ABSENT;
	} else if (p->attached && is_disarmed(p)) {
		info->state = VRINGLAB_PROBE_STATE_FAILED;
		info->error = ECANCELED;
	} else if (p->attached) {
		info->state = VRINGLAB_PROBE_STATE_ATTACHED;
	} else if (p->error) {
		info->state = VRINGLAB_PROBE_STATE_FAILED;
	} else {
		info->state = VRINGLAB_PROBE_STATE_IDLE;
	}
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
	tell_state(p, info);
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

	if (is_tracepoint(p) || p->function.addr)
		return;

	addr = function_addr(p);
	if (!addr)
		return;

	WRITE_ONCE(p->function.addr, addr);
	p->error = 0;
}

static void find_functions(const struct module *mod)
{
	unsigned int i;

	for (i = 0; i < PROBES; i++)
		if (is_in(&probes[i], mod))
			find_function(&probes[i]);
	if (users)
		attach_wanted();
}

static void lose_functions(const struct module *mod)
{
	unsigned int i;

	detach_functions(is_in, mod);
	for (i = 0; i < PROBES; i++)
		if (!is_tracepoint(&probes[i]) && is_in(&probes[i], mod))
			WRITE_ONCE(probes[i].function.addr, 0);
}

static int module_event(struct notifier_block *nb, unsigned long event, void *data)
{
	struct module *mod = data;

	if (event != MODULE_STATE_COMING && event != MODULE_STATE_GOING)
		return NOTIFY_DONE;

	/* Before its first hook is attached, after its last use. */
	vl_layout_forget(mod->name);

	mutex_lock(&hooks_lock);
	if (event == MODULE_STATE_COMING) {
		find_functions(mod);
	} else {
		lose_functions(mod);
		vl_source_forget();
		vl_vhost_forget();
	}
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

		if (!is_tracepoint(p) || strcmp(p->name, tp->name))
			continue;
		if (mod ? !is_in(p, mod) : !!p->module)
			continue;
		p->tp = tp;
		p->error = 0;
		if (is_wanted(p))
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

	detach_tracepoints(is_in, mod);
	for (i = 0; i < PROBES; i++)
		if (is_tracepoint(&probes[i]) && is_in(&probes[i], mod))
			probes[i].tp = NULL;
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

int __init vl_hooks_init(void)
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
	vl_functions_init(probes[EVENTFD_WRITE].function.addr);
	for_each_kernel_tracepoint(find_kernel_tracepoint, NULL);
	mutex_unlock(&hooks_lock);

	return 0;
}

/* There are no vrings any more; a last detach may still be under way. */
void vl_hooks_exit(void)
{
	unregister_tracepoint_module_notifier(&tracepoint_nb);
	unregister_module_notifier(&module_nb);
	cancel_work_sync(&detach_work);

	mutex_lock(&hooks_lock);
	users = 0;
	discovering = false;
	detach_unwanted();
	vl_functions_exit();
	mutex_unlock(&hooks_lock);

	/* Handlers may still run; then their code goes. */
	forget_vcpus();
}
