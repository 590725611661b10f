// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM's ioeventfds and irqfds, as they are made and removed, and the end of a VM.
 *
 * Only what succeeded is told. The descriptor is looked up when it has: a process
 * that gives its number to another file in the meantime deceives itself. Nothing is
 * held from entry to return, because an instance that is under way when the probe
 * is unregistered never returns to us.
 */
#include "vringlab.h"

#include <linux/kprobes.h>
#include <linux/kvm_host.h>
#include <linux/ptrace.h>

#include "compat.h"
#include "found.h"
#include "hooks.h"
#include "layout.h"

int vl_on_kvm_ioeventfd(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	struct vl_kvm_ioeventfd_call *call = (void *)ri->data;

	call->kvm = (void *)regs_get_kernel_argument(regs, 0);
	call->args = *(struct kvm_ioeventfd *)regs_get_kernel_argument(regs, 1);
	return 0;
}

int vl_on_kvm_ioeventfd_return(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	const struct vl_kvm_ioeventfd_call *call = (void *)ri->data;

	if (!regs_return_value(regs))
		vl_found_ioeventfd(call->kvm, &call->args);
	return 0;
}

int vl_on_kvm_irqfd(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	struct vl_kvm_irqfd_call *call = (void *)ri->data;

	call->kvm = (void *)regs_get_kernel_argument(regs, 0);
	call->args = *(struct kvm_irqfd *)regs_get_kernel_argument(regs, 1);
	return 0;
}

int vl_on_kvm_irqfd_return(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	const struct vl_kvm_irqfd_call *call = (void *)ri->data;

	if (!regs_return_value(regs))
		vl_found_irqfd(call->kvm, &call->args);
	return 0;
}

/*
 * A guest writes where there is an ioeventfd; whether to this one, and what it waits
 * for, does not matter here.
 */
void vl_on_ioeventfd_write(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
			   struct ftrace_regs *fregs)
{
	const struct kvm_vcpu *vcpu = (void *)vl_ftrace_arg(fregs, 0);
	const void *p = (void *)vl_ftrace_arg(fregs, 1) - vl_layout(VL_LAYOUT_IOEVENTFD_DEV);
	struct vl_ioeventfd io = {};
	struct eventfd_ctx *ctx;
	u8 wildcard, bus;
	int len;

	if (vl_layout(VL_LAYOUT_IOEVENTFD_DEV) < 0 ||
	    !vl_layout_read(p, VL_LAYOUT_IOEVENTFD_EVENTFD, &ctx, sizeof(ctx)) ||
	    vl_vm_known(ctx) ||
	    !vl_layout_read(p, VL_LAYOUT_IOEVENTFD_ADDR, &io.addr, sizeof(io.addr)) ||
	    !vl_layout_read(p, VL_LAYOUT_IOEVENTFD_LENGTH, &len, sizeof(len)) ||
	    !vl_layout_read(p, VL_LAYOUT_IOEVENTFD_WILDCARD, &wildcard, sizeof(wildcard)) ||
	    !vl_layout_read(p, VL_LAYOUT_IOEVENTFD_BUS, &bus, sizeof(bus)))
		return;

	io.len = len;
	io.pio = bus == KVM_PIO_BUS;
	io.has_datamatch = !wildcard;
	if (io.has_datamatch &&
	    !vl_layout_read(p, VL_LAYOUT_IOEVENTFD_DATAMATCH, &io.datamatch, sizeof(io.datamatch)))
		return;
	vl_found_ioeventfd_hit(vcpu->kvm, &io, ctx);
}

void vl_on_kvm_arch_destroy_vm(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
			       struct ftrace_regs *fregs)
{
	vl_found_vm_gone((void *)vl_ftrace_arg(fregs, 0));
}
