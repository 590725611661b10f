// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>

#include "internal.h"

/*
 * The local APICs alone. KVM_CREATE_IRQCHIP also makes an IOAPIC, two PICs and
 * their 40 routes, and waits for an SRCU grace period for each of the devices.
 */
static int create_lapic(struct vmm *vm, struct vl_err *err)
{
	static const struct vmm_capability needed[] = {
		{ KVM_CAP_SPLIT_IRQCHIP, "KVM_CAP_SPLIT_IRQCHIP" },
	};
	/* args[0]: routes kept for an IOAPIC in user space, of which we have none */
	struct kvm_enable_cap cap = { .cap = KVM_CAP_SPLIT_IRQCHIP };
	int ret;

	ret = vmm_require(vm->vm_fd, needed, ARRAY_SIZE(needed), err);
	if (ret)
		return ret;
	ret = vmm_ioctl(vm->vm_fd, KVM_ENABLE_CAP, &cap, err, "KVM_CAP_SPLIT_IRQCHIP of the VM");
	return ret < 0 ? ret : 0;
}

static int create_pc(struct vmm *vm, struct vl_err *err)
{
	static const struct vmm_capability needed[] = {
		{ KVM_CAP_IRQCHIP, "KVM_CAP_IRQCHIP" },
	};
	int ret;

	ret = vmm_require(vm->vm_fd, needed, ARRAY_SIZE(needed), err);
	if (ret)
		return ret;
	ret = vmm_ioctl_num(vm->vm_fd, KVM_CREATE_IRQCHIP, 0, err, "the VM");
	return ret < 0 ? ret : 0;
}

int vmm_irqchip_create(struct vmm *vm, enum vmm_irqchip kind, struct vl_err *err)
{
	int ret;

	ret = kind == VMM_IRQCHIP_PC ? create_pc(vm, err) : create_lapic(vm, err);
	if (ret)
		return ret;
	vm->has_irqchip = true;
	vm->has_pins = kind == VMM_IRQCHIP_PC;
	return 0;
}

int vmm_pit_create(struct vmm *vm, struct vl_err *err)
{
	/* KVM_PIT_SPEAKER_DUMMY: the speaker's port is the timer's too */
	struct kvm_pit_config config = { .flags = KVM_PIT_SPEAKER_DUMMY };
	int ret = vmm_ioctl(vm->vm_fd, KVM_CREATE_PIT2, &config, err, "the interval timer");

	return ret < 0 ? ret : 0;
}
