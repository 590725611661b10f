// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM's requests by name, and what would cure their failures.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include <vringlab/vmm_observe.h>

#include "internal.h"

static const struct {
	unsigned long request;
	const char *name;
} names[] = {
	{ KVM_CHECK_EXTENSION, "KVM_CHECK_EXTENSION" },
	{ KVM_CREATE_IRQCHIP, "KVM_CREATE_IRQCHIP" },
	{ KVM_CREATE_PIT2, "KVM_CREATE_PIT2" },
	{ KVM_CREATE_VCPU, "KVM_CREATE_VCPU" },
	{ KVM_CREATE_VM, "KVM_CREATE_VM" },
	{ KVM_ENABLE_CAP, "KVM_ENABLE_CAP" },
	{ KVM_GET_API_VERSION, "KVM_GET_API_VERSION" },
	{ KVM_GET_DEVICE_ATTR, "KVM_GET_DEVICE_ATTR" },
	{ KVM_GET_REGS, "KVM_GET_REGS" },
	{ KVM_GET_SREGS, "KVM_GET_SREGS" },
	{ KVM_GET_SUPPORTED_CPUID, "KVM_GET_SUPPORTED_CPUID" },
	{ KVM_GET_TSC_KHZ, "KVM_GET_TSC_KHZ" },
	{ KVM_GET_VCPU_MMAP_SIZE, "KVM_GET_VCPU_MMAP_SIZE" },
	{ KVM_IOEVENTFD, "KVM_IOEVENTFD" },
	{ KVM_IRQFD, "KVM_IRQFD" },
	{ KVM_IRQ_LINE, "KVM_IRQ_LINE" },
	{ KVM_RUN, "KVM_RUN" },
	{ KVM_SET_CPUID2, "KVM_SET_CPUID2" },
	{ KVM_SET_GSI_ROUTING, "KVM_SET_GSI_ROUTING" },
	{ KVM_SET_MSRS, "KVM_SET_MSRS" },
	{ KVM_SET_REGS, "KVM_SET_REGS" },
	{ KVM_SET_SREGS, "KVM_SET_SREGS" },
	{ KVM_SET_TSS_ADDR, "KVM_SET_TSS_ADDR" },
	{ KVM_SET_USER_MEMORY_REGION, "KVM_SET_USER_MEMORY_REGION" },
	{ KVM_SIGNAL_MSI, "KVM_SIGNAL_MSI" },
};

/* The first row that fits wins; request 0 fits every one. */
static const struct {
	unsigned long request;
	int code;
	const char *cure;
} cures[] = {
	{ KVM_GET_API_VERSION, -ENOTTY,
	  "this is not a KVM device; the usual one is " VMM_KVM_PATH },
	{ KVM_CREATE_VM, -EBUSY,
	  "another hypervisor holds the CPU's virtualization; stop it and try again" },
	{ KVM_CREATE_VM, -EOPNOTSUPP,
	  "the CPU's virtualization is off; enable SVM or VT-x in the firmware" },
	{ KVM_SET_USER_MEMORY_REGION, -EEXIST, "it overlaps other guest memory" },
	{ KVM_SET_USER_MEMORY_REGION, -EINVAL,
	  "address and size must be whole pages that the guest can address" },
	{ KVM_CREATE_IRQCHIP, -EEXIST, "the VM has an irqchip already" },
	{ KVM_CREATE_IRQCHIP, -EINVAL, "it must be created before the first vCPU" },
	{ KVM_ENABLE_CAP, -EEXIST,
	  "the VM has an irqchip or a vCPU already; create the irqchip first" },
	{ KVM_CREATE_PIT2, -ENOENT, "it needs the PC's interrupt controllers first" },
	{ KVM_CREATE_VCPU, -EEXIST, "the VM has a vCPU of that id already" },
	{ KVM_CREATE_VCPU, -EINVAL, "ids must be below the kernel's limit" },
	{ KVM_IOEVENTFD, -EBADF, "this is not an eventfd" },
	{ KVM_IOEVENTFD, -EINVAL, "this is not an eventfd, or the width is not 1, 2, 4 or 8" },
	{ KVM_IOEVENTFD, -EEXIST, "another device or ioeventfd has that address" },
	{ KVM_IOEVENTFD, -ENOSPC, "the VM's I/O bus is full; use fewer ioeventfds" },
	{ KVM_IOEVENTFD, -ENOENT, "no such ioeventfd is attached" },
	{ KVM_IRQFD, -EBADF, "this is not an open descriptor" },
	{ KVM_IRQFD, -EBUSY, "the eventfd is in use as an irqfd already" },
	{ KVM_IRQFD, -EINVAL, "this is not an eventfd, or the VM has no in-kernel irqchip" },
	{ KVM_SET_GSI_ROUTING, -EINVAL, "the VM has no in-kernel irqchip" },
	{ KVM_SET_SREGS, -EINVAL,
	  "the CPU does not support this state; is the guest's CPUID set?" },
	{ KVM_RUN, -EFAULT, "the guest used memory that the VMM has not mapped" },
	{ 0, -ENOTTY, "this kernel's KVM is too old; use a newer kernel" },
	{ 0, -ENOMEM, "the host is out of memory; free some" },
	{ 0, -EIO, "the VM is dead; the host's kernel log says why" },
};

const char *vmm_ioctl_name(unsigned long request)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].request == request)
			return names[i].name;
	return "unnamed KVM request";
}

static const char *cure_of(unsigned long request, int code)
{
	for (size_t i = 0; i < ARRAY_SIZE(cures); i++)
		if ((!cures[i].request || cures[i].request == request) && cures[i].code == code)
			return cures[i].cure;
	return NULL;
}

static const struct vmm_observer *observer;

void vmm_observe(const struct vmm_observer *new)
{
	observer = new;
}

void vmm_call_asked(const struct vmm_call *call)
{
	if (observer)
		observer->asked(observer->ctx, call);
}

void vmm_call_answered(struct vmm_call *call, int result)
{
	call->result = result;
	if (observer)
		observer->answered(observer->ctx, call);
}

static int request(int fd, unsigned long number, void *arg)
{
	int ret = ioctl(fd, number, arg);

	return ret < 0 ? -errno : ret;
}

static int observed(int fd, unsigned long number, void *arg, const char *on)
{
	struct vmm_call call = {
		.kind = VMM_CALL_IOCTL,
		.fd = fd,
		.request = number,
		.name = vmm_ioctl_name(number),
		.on = on,
		.arg = arg,
	};

	vmm_call_asked(&call);
	vmm_call_answered(&call, request(fd, number, arg));
	return call.result;
}

int vmm_ioctl_raw(int fd, unsigned long number, void *arg)
{
	return observer ? observed(fd, number, arg, "") : request(fd, number, arg);
}

int vmm_ioctl_on(int fd, unsigned long number, void *arg, struct vl_err *err, const char *on, ...)
{
	int ret = observer ? 0 : request(fd, number, arg);
	const char *cure;
	char object[128];
	va_list ap;

	if (!observer && ret >= 0)
		return ret;
	va_start(ap, on);
	vsnprintf(object, sizeof(object), on, ap);
	va_end(ap);
	if (observer)
		ret = observed(fd, number, arg, object);
	if (ret >= 0)
		return ret;
	cure = cure_of(number, ret);
	return vl_err_set(err, ret, "%s on %s: %s%s%s", vmm_ioctl_name(number), object,
			  vl_strerror(ret), cure ? ": " : "", cure ? cure : "");
}

int vmm_require(int fd, const struct vmm_capability *caps, size_t nr, struct vl_err *err)
{
	for (size_t i = 0; i < nr; i++) {
		int ret = vmm_ioctl_num(fd, KVM_CHECK_EXTENSION, caps[i].cap, err, "%s",
					caps[i].name);

		if (ret < 0)
			return ret;
		if (!ret)
			return vl_err_set(err, -EOPNOTSUPP, "KVM lacks %s: use a newer kernel",
					  caps[i].name);
	}
	return 0;
}
