/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The handlers that hooks.c attaches, by the file that has them.
 */
#ifndef _VRINGLAB_HOOKS_H
#define _VRINGLAB_HOOKS_H

#include <linux/kvm.h>
#include <linux/types.h>

#include "compat.h"
#include "vringlab.h"

struct ftrace_ops;
struct ftrace_regs;
struct kretprobe_instance;
struct kvm;
struct kvm_vcpu;
struct pt_regs;

/* vl_path_enter() in the handler of a tracepoint: up to 6.12, its caller has done it. */
static inline void vl_path_enter_tracepoint(void)
{
	if (VL_TRACEPOINTS_PREEMPTIBLE)
		vl_path_enter();
}

static inline void vl_path_leave_tracepoint(void)
{
	if (VL_TRACEPOINTS_PREEMPTIBLE)
		vl_path_leave();
}

/* eventfd.c */

void vl_on_eventfd_signal_mask(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
			       struct ftrace_regs *fregs);
void vl_on_eventfd_write(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
			 struct ftrace_regs *fregs);

/* io_uring.c; its prototype depends on the kernel */

extern void *const vl_on_io_uring_complete;

/* kvm.c */

void vl_on_irqfd_wakeup(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
			struct ftrace_regs *fregs);
void vl_on_add_irqfd(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
		     struct ftrace_regs *fregs);
void vl_on_kvm_apic_accept_irq(void *data, u32 apicid, u16 dm, u16 tm, u8 vec);
void vl_on_kvm_entry(void *data, struct kvm_vcpu *vcpu, bool force_immediate_exit);
void vl_on_kvm_exit(void *data, struct kvm_vcpu *vcpu, u32 isa);

/* kvm_fds.c */

/**
 * struct vl_kvm_ioeventfd_call - A call of kvm_ioeventfd()
 * @kvm:	Its arguments.
 * @args:	Likewise.
 */
struct vl_kvm_ioeventfd_call {
	struct kvm *kvm;
	struct kvm_ioeventfd args;
};

/**
 * struct vl_kvm_irqfd_call - A call of kvm_irqfd()
 * @kvm:	Its arguments.
 * @args:	Likewise.
 */
struct vl_kvm_irqfd_call {
	struct kvm *kvm;
	struct kvm_irqfd args;
};

int vl_on_kvm_ioeventfd(struct kretprobe_instance *ri, struct pt_regs *regs);
int vl_on_kvm_ioeventfd_return(struct kretprobe_instance *ri, struct pt_regs *regs);
int vl_on_kvm_irqfd(struct kretprobe_instance *ri, struct pt_regs *regs);
int vl_on_kvm_irqfd_return(struct kretprobe_instance *ri, struct pt_regs *regs);
void vl_on_ioeventfd_write(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
			   struct ftrace_regs *fregs);
void vl_on_kvm_arch_destroy_vm(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
			       struct ftrace_regs *fregs);

/* vhost_user.c */

void vl_on_unix_stream_sendmsg(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
			       struct ftrace_regs *fregs);
void vl_on_unix_release(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
			struct ftrace_regs *fregs);

/* vhost.c */

/**
 * struct vl_vring_ioctl - A call of vhost_vring_ioctl(), from its entry to its return
 * @dev:	The device.
 * @caller:	Where it returns to.
 * @request:	Which ioctl.
 * @absent:	@arg could not be read.
 * @arg:	A struct vhost_vring_state or vhost_vring_file.
 */
struct vl_vring_ioctl {
	void *dev;
	unsigned long caller;
	unsigned int request;
	bool absent;
	struct {
		u32 index;
		s32 value;
	} arg;
};

int vl_on_vhost_vring_ioctl(struct kretprobe_instance *ri, struct pt_regs *regs);
int vl_after_vhost_vring_ioctl(struct kretprobe_instance *ri, struct pt_regs *regs);
void vl_on_vhost_dev_cleanup(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
			     struct ftrace_regs *fregs);
void vl_on_vhost_disable_notify(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
				struct ftrace_regs *fregs);
void vl_on_vhost_kick(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
		      struct ftrace_regs *fregs);
void vl_on_vhost_queue(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
		       struct ftrace_regs *fregs);
void vl_on_vhost_signal(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
			struct ftrace_regs *fregs);
void vl_on_vhost_vq_init_access(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
				struct ftrace_regs *fregs);
void vl_on_vhost_vq_work_queue(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
			       struct ftrace_regs *fregs);

/* vcpu.c */

void vl_on_kvm_arch_vcpu_destroy(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
				 struct ftrace_regs *fregs);

/* vcpu_count.c */

void vl_on_kvm_vcpu_wakeup(void *data, u64 ns, bool waited, bool valid);

#endif /* _VRINGLAB_HOOKS_H */
