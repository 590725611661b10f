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

#include <linux/hash.h>
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
 * Ioeventfds that are known already, so that a guest's kick is not looked into again:
 * their device in KVM, and at which generation that was. All of them are void when a
 * VM loses a fact, for then one may be gone and its address another's. An address is a
 * multiple of 8, and its upper byte is always the same.
 */
#define KNOWN_BITS 10
#define GENERATIONS (1U << (3 + 8))

static unsigned long known[1 << KNOWN_BITS];
static unsigned int generation;

static unsigned long known_word(const void *device, unsigned int when)
{
	return (unsigned long)device << 8 | when % GENERATIONS;
}

/* Under vl_vrings_lock, when vl_vm_known() may have changed its mind. */
void vl_ioeventfds_forget(void)
{
	unsigned int i, next = generation + 1;

	for (i = 0; next % GENERATIONS == 0 && i < ARRAY_SIZE(known); i++)
		WRITE_ONCE(known[i], 0);
	/* Pairs with vl_on_ioeventfd_write(). */
	smp_store_release(&generation, next);
}

static bool read_ioeventfd(const void *p, struct vl_ioeventfd *io)
{
	u8 wildcard, bus;
	int len;

	if (!vl_layout_read(p, VL_LAYOUT_IOEVENTFD_ADDR, &io->addr, sizeof(io->addr)) ||
	    !vl_layout_read(p, VL_LAYOUT_IOEVENTFD_LENGTH, &len, sizeof(len)) ||
	    !vl_layout_read(p, VL_LAYOUT_IOEVENTFD_WILDCARD, &wildcard, sizeof(wildcard)) ||
	    !vl_layout_read(p, VL_LAYOUT_IOEVENTFD_BUS, &bus, sizeof(bus)))
		return false;

	io->len = len;
	io->pio = bus == KVM_PIO_BUS;
	io->has_datamatch = !wildcard;
	return wildcard || vl_layout_read(p, VL_LAYOUT_IOEVENTFD_DATAMATCH, &io->datamatch,
					  sizeof(io->datamatch));
}

/* @slot: where to keep @word, if there is nothing new to be told. */
static noinline void look_at_ioeventfd(const struct kvm_vcpu *vcpu, const void *device,
				       unsigned long *slot, unsigned long word)
{
	const void *p = device - vl_layout(VL_LAYOUT_IOEVENTFD_DEV);
	struct vl_ioeventfd io = {};
	struct eventfd_ctx *ctx;

	if (vl_layout(VL_LAYOUT_IOEVENTFD_DEV) < 0 ||
	    !vl_layout_read(p, VL_LAYOUT_IOEVENTFD_EVENTFD, &ctx, sizeof(ctx)))
		return;

	vl_path_enter();
	if (vl_vm_known(ctx))
		WRITE_ONCE(*slot, word);
	else if (READ_ONCE(vl_discover_on) && read_ioeventfd(p, &io))
		vl_found_ioeventfd_hit(vcpu->kvm, &io, ctx);
	vl_path_leave();
}

/*
 * A guest writes where there is an ioeventfd; whether to this one, and what it waits
 * for, does not matter here.
 */
void vl_on_ioeventfd_write(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
			   struct ftrace_regs *fregs)
{
	const void *device = (void *)vl_ftrace_arg(fregs, 1);
	unsigned long *slot = &known[hash_ptr(device, KNOWN_BITS)];
	/* Pairs with vl_ioeventfds_forget(): what is known is asked later. */
	unsigned long word = known_word(device, smp_load_acquire(&generation));

	if (unlikely(READ_ONCE(*slot) != word))
		look_at_ioeventfd((void *)vl_ftrace_arg(fregs, 0), device, slot, word);
}

void vl_on_kvm_arch_destroy_vm(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
			       struct ftrace_regs *fregs)
{
	vl_found_vm_gone((void *)vl_ftrace_arg(fregs, 0));
}
