// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost: devices that come, change and go, and what their workers do.
 *
 * A virtqueue is known to us by its address, which is looked up like an eventfd.
 * Its members are read by the layout that user space has told, and only after
 * that was checked against the virtqueue: its device must have it in its array, and
 * its eventfds must be eventfds. Without a layout, a device is still found, by the
 * ioctls that set it up; its virtqueues are not.
 */
#include "vringlab.h"

#include <linux/eventfd.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/hash.h>
#include <linux/kallsyms.h>
#include <linux/kprobes.h>
#include <linux/log2.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/vhost.h>

#include "compat.h"
#include "found.h"
#include "hooks.h"
#include "hops.h"
#include "layout.h"
#include "stats.h"

/* Virtqueues of a device; vhost-scsi has the most, 1024 and two. */
#define VQS_MAX 2048
/* The specification's limit to a split ring. */
#define NUM_MAX 32768

/* Whose code that is; kallsyms prints "name+0x1/0x2 [module]". */
static noinline u8 kind_of(unsigned long ip)
{
	char symbol[KSYM_SYMBOL_LEN];

	sprint_symbol(symbol, ip);
	if (strstr(symbol, "vhost_net"))
		return VRINGLAB_BACKEND_VHOST_NET;
	if (strstr(symbol, "vhost_vsock"))
		return VRINGLAB_BACKEND_VHOST_VSOCK;
	if (strstr(symbol, "vhost_scsi"))
		return VRINGLAB_BACKEND_VHOST_SCSI;
	if (strstr(symbol, "vhost_vdpa"))
		return VRINGLAB_BACKEND_VHOST_VDPA;
	return VRINGLAB_BACKEND_VHOST;
}

#define GET(object, member, value) \
	vl_layout_read(object, VL_LAYOUT_##member, &(value), sizeof(value))

/* Is this device's virtqueue at this place in its array, and the other way round? */
static void *vq_at(const void *dev, u32 index)
{
	void **vqs, *vq, *owner;
	int nvqs;

	if (!GET(dev, VHOST_DEV_NVQS, nvqs) || !GET(dev, VHOST_DEV_VQS, vqs) ||
	    index >= min(nvqs, VQS_MAX) || nvqs < 0)
		return NULL;
	if (copy_from_kernel_nofault(&vq, &vqs[index], sizeof(vq)) ||
	    !GET(vq, VHOST_VQ_DEV, owner) || owner != dev)
		return NULL;

	return vq;
}

static int index_of(const void *dev, const void *vq)
{
	int i, nvqs;

	if (!GET(dev, VHOST_DEV_NVQS, nvqs))
		return -1;

	for (i = 0; i < min(nvqs, VQS_MAX); i++)
		if (vq_at(dev, i) == vq)
			return i;

	return -1;
}

/* Only eventfds are written by eventfd_write(). */
static bool is_eventfd(const struct file *file)
{
	const struct file_operations *fops;
	unsigned long write;

	return !get_kernel_nofault(fops, &file->f_op) &&
	       !get_kernel_nofault(write, (const unsigned long *)&fops->write) &&
	       vl_hooks_is_eventfd_write(write);
}

/* Does all that is read of it later make sense? vhost has it locked. */
static bool is_sane(const void *vq)
{
	struct eventfd_ctx *call;
	u64 features;
	u16 index;
	u32 num;

	return GET(vq, VHOST_VQ_NUM, num) && is_power_of_2(num) && num <= NUM_MAX &&
	       GET(vq, VHOST_VQ_LAST_AVAIL_IDX, index) && GET(vq, VHOST_VQ_LAST_USED_IDX, index) &&
	       GET(vq, VHOST_VQ_ACKED_FEATURES, features) && GET(vq, VHOST_VQ_CALL, call);
}

/* A virtqueue that was set up before we looked. One that can't be a vring comes again. */
static void first_hit(const void *dev, const void *vq, unsigned long caller)
{
	struct eventfd_ctx *call;
	struct file *kick;
	int index;
	u32 num;

	if (!READ_ONCE(vl_discover_on) || vl_found_vhost_told(vq))
		return;

	index = index_of(dev, vq);
	if (index < 0 || !is_sane(vq) || !GET(vq, VHOST_VQ_NUM, num) ||
	    !GET(vq, VHOST_VQ_CALL, call) || !GET(vq, VHOST_VQ_KICK, kick) ||
	    (kick && !is_eventfd(kick)))
		return;

	vl_found_vhost_ctx(kind_of(caller), dev, index, vq, kick, call, num);
}

/* What vhost does first, under the virtqueue's mutex, whenever it works on it. */
void vl_on_vhost_disable_notify(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
				struct ftrace_regs *fregs)
{
	const void *dev = (void *)vl_ftrace_arg(fregs, 0);
	const void *vq = (void *)vl_ftrace_arg(fregs, 1);
	struct vl_vring *vring;

	vl_path_enter();
	vring = vl_lookup_vq(vq);
	if (!vring) {
		first_hit(dev, vq, parent_ip);
	} else if (!vl_vhost_sample(vring, vq) && index_of(dev, vq) >= 0 && is_sane(vq)) {
		vl_vhost_bind(vring, vq);
		vl_vhost_sample(vring, vq);
	}
	vl_path_leave();
}

/* vhost_add_used_and_signal(), vhost_add_used_and_signal_n(), vhost_signal() */
void vl_on_vhost_signal(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
			struct ftrace_regs *fregs)
{
	const void *vq = (void *)vl_ftrace_arg(fregs, 1);
	struct vl_vring *vring;

	vl_path_enter();
	vring = vl_lookup_vq(vq);
	if (vring)
		vl_vhost_decide(vring, vq);
	vl_path_leave();
}

/* It reads the used index from the ring. */
void vl_on_vhost_vq_init_access(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
				struct ftrace_regs *fregs)
{
	const void *vq = (void *)vl_ftrace_arg(fregs, 0);
	struct vl_vring *vring;

	vl_path_enter();
	vring = vl_lookup_vq(vq);
	if (vring)
		vl_vhost_pause(vring, vq);
	vl_path_leave();
}

static struct vl_vring *vring_of_work(const void *work)
{
	int poll = vl_layout(VL_LAYOUT_VHOST_VQ_POLL);
	int inside = vl_layout(VL_LAYOUT_VHOST_POLL_WORK);

	return poll < 0 || inside < 0 ? NULL : vl_lookup_vq(work - poll - inside);
}

/* The worker runs what a virtqueue's kick has queued. */
void vl_on_vhost_kick(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
		      struct ftrace_regs *fregs)
{
	struct vl_vring *vring;
	bool requeued;

	vl_path_enter();
	vring = vring_of_work((void *)vl_ftrace_arg(fregs, 0));
	if (vring) {
		requeued = READ_ONCE(vring->vhost.requeued) && xchg(&vring->vhost.requeued, 0);
		if (!vl_hop_wake(vring, VL_SOURCE_VHOST) && !requeued)
			vl_count(vring, VL_WAKE_SPURIOUS);
	}
	vl_path_leave();
}

/*
 * Which callers are the kick eventfd's wait queue entry; one word each, as in
 * source.c. Two in one place would be looked up by name with each hit, so there are
 * many more places than callers.
 */
#define CALLER_BITS 10

static unsigned long callers[1 << CALLER_BITS];

static noinline bool is_wakeup_by_name(unsigned long ip)
{
	char symbol[KSYM_SYMBOL_LEN];

	sprint_symbol(symbol, ip);
	return strstarts(symbol, "vhost_poll_wakeup+");
}

static bool is_wakeup(unsigned long ip)
{
	unsigned long *slot = &callers[hash_long(ip, CALLER_BITS)];
	unsigned long word = READ_ONCE(*slot);
	bool is;

	/* Of the kernel's addresses, the upper bit is always set. */
	if (likely(word >> 1 == (ip << 1) >> 1))
		return word & 1;

	is = is_wakeup_by_name(ip);
	WRITE_ONCE(*slot, ip << 1 | is);
	return is;
}

/* Addresses of a module that goes may become another's. */
void vl_vhost_forget(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(callers); i++)
		WRITE_ONCE(callers[i], 0);
}

/*
 * The handler is queued: by a kick, else by vhost itself, to go on later. A kick does it
 * inside its signal, through as many functions as the compiler has left; the caller
 * counts where an eventfd that was kicked before is polled for the first time.
 */
void vl_on_vhost_queue(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
		       struct ftrace_regs *fregs)
{
	struct vl_vring *vring;

	if (current->in_eventfd || is_wakeup(parent_ip))
		return;

	vl_path_enter();
	vring = vring_of_work((void *)vl_ftrace_arg(fregs, 1));
	if (vring) {
		vl_count(vring, VL_REQUEUES);
		WRITE_ONCE(vring->vhost.requeued, 1);
	}
	vl_path_leave();
}

/* It calls what is hooked already, if the kernel has that. */
void vl_on_vhost_vq_work_queue(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
			       struct ftrace_regs *fregs)
{
	if (!vl_hooks_vhost_worker_queue())
		vl_on_vhost_queue(ip, parent_ip, ops, fregs);
}

static void unbind_all(const void *dev)
{
	int i, nvqs;

	if (!GET(dev, VHOST_DEV_NVQS, nvqs))
		return;

	for (i = 0; i < min(nvqs, VQS_MAX); i++) {
		const void *vq = vq_at(dev, i);
		struct vl_vring *vring = vq ? vl_lookup_vq(vq) : NULL;

		if (vring)
			vl_vhost_unbind(vring);
	}
}

/* Its virtqueues are not to be read when this returns. */
void vl_on_vhost_dev_cleanup(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
			     struct ftrace_regs *fregs)
{
	const void *dev = (void *)vl_ftrace_arg(fregs, 0);

	vl_path_enter();
	unbind_all(dev);
	vl_found_vhost_gone(dev);
	vl_path_leave();
}

/* VHOST_SET_VRING_BASE succeeds only where vhost has nothing to do with the ring. */
static void before_base(const void *dev, u32 index)
{
	const void *vq = vq_at(dev, index);
	struct vl_vring *vring = vq ? vl_lookup_vq(vq) : NULL;
	const void *backend;

	if (vring && GET(vq, VHOST_VQ_PRIVATE_DATA, backend) && !backend)
		vl_vhost_pause(vring, vq);
}

/* It does not say of which virtqueue: of each that this may be. */
static void before_any_base(const void *dev)
{
	int i, nvqs;

	if (!GET(dev, VHOST_DEV_NVQS, nvqs))
		return;
	for (i = 0; i < min(nvqs, VQS_MAX); i++)
		before_base(dev, i);
}

int vl_on_vhost_vring_ioctl(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	struct vl_vring_ioctl *call = (void *)ri->data;

	call->dev = (void *)regs_get_kernel_argument(regs, 0);
	call->request = regs_get_kernel_argument(regs, 1);
	call->absent = copy_from_user_nofault(
		&call->arg, (void __user *)regs_get_kernel_argument(regs, 2), sizeof(call->arg));

	switch (call->request) {
	case VHOST_SET_VRING_BASE:
		vl_path_enter();
		if (call->absent)
			before_any_base(call->dev);
		else
			before_base(call->dev, call->arg.index);
		vl_path_leave();
		return 1;
	case VHOST_SET_VRING_NUM:
	case VHOST_SET_VRING_KICK:
	case VHOST_SET_VRING_CALL:
		/* The first word of the stack is where it returns to. */
		call->caller = *(unsigned long *)kernel_stack_pointer(regs);
		return 0;
	default:
		return 1;
	}
}

/* It is what vhost has now, by the layout, that the process has given it. */
static bool is_given(const void *vq, unsigned int request, int fd)
{
	struct file *file = fd < 0 ? NULL : eventfd_fget(fd);
	void *has, *wanted = file;
	bool is;

	if (IS_ERR(file))
		return false;

	if (request == VHOST_SET_VRING_CALL) {
		wanted = file ? file->private_data : NULL;
		is = GET(vq, VHOST_VQ_CALL, has) && has == wanted;
	} else {
		is = GET(vq, VHOST_VQ_KICK, has) && has == wanted;
	}
	if (file)
		fput(file);
	return is;
}

/* vhost-vdpa may set it itself, without a call of vhost_vring_ioctl(). */
static u32 size_of(const void *vq)
{
	u32 num;

	/* Before it is set, it is 1. */
	return GET(vq, VHOST_VQ_NUM, num) && num > 1 && num <= NUM_MAX ? num : 0;
}

int vl_after_vhost_vring_ioctl(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	const struct vl_vring_ioctl *call = (void *)ri->data;
	u32 index = call->arg.index, num;
	const void *vq;
	u8 kind;

	if (regs_return_value(regs))
		return 0;
	/* What vhost was told, it had to fetch first. */
	if (call->absent) {
		vl_found_lose();
		return 0;
	}

	kind = kind_of(call->caller);
	vq = vq_at(call->dev, index);
	if (call->request == VHOST_SET_VRING_NUM) {
		if (vq && (!GET(vq, VHOST_VQ_NUM, num) || num != call->arg.value))
			vq = NULL;
		vl_found_vhost_size(kind, call->dev, index, vq, call->arg.value);
		return 0;
	}

	if (vq && !is_given(vq, call->request, call->arg.value))
		vq = NULL;
	vl_found_vhost(kind, call->dev, index, vq,
		       call->request == VHOST_SET_VRING_KICK ? VL_ROLE_KICK : VL_ROLE_CALL,
		       call->arg.value);
	num = vq ? size_of(vq) : 0;
	if (num)
		vl_found_vhost_size(kind, call->dev, index, vq, num);
	return 0;
}
