// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>

#include "internal.h"

static int request(struct vmm *vm, const struct vmm_ioeventfd *io, uint32_t flags,
		   struct vl_err *err)
{
	static const struct vmm_capability needed[] = {
		{ KVM_CAP_IOEVENTFD, "KVM_CAP_IOEVENTFD" },
		{ KVM_CAP_IOEVENTFD_ANY_LENGTH, "KVM_CAP_IOEVENTFD_ANY_LENGTH" },
	};
	struct kvm_ioeventfd arg = {
		.addr = io->addr,
		.len = io->len,
		.fd = io->fd,
		.flags = flags,
	};
	int ret;

	if (io->bus == VMM_BUS_PIO)
		arg.flags |= KVM_IOEVENTFD_FLAG_PIO;
	if (io->match) {
		arg.flags |= KVM_IOEVENTFD_FLAG_DATAMATCH;
		arg.datamatch = io->value;
	}
	/* the second one only where it is used */
	ret = vmm_require(vm->vm_fd, needed, io->len ? 1 : ARRAY_SIZE(needed), err);
	if (ret)
		return ret;
	ret = vmm_ioctl(vm->vm_fd, KVM_IOEVENTFD, &arg, err, "fd %d for %u-byte writes to %s %#llx",
			io->fd, io->len, io->bus == VMM_BUS_PIO ? "port" : "address",
			(unsigned long long)io->addr);
	return ret < 0 ? ret : 0;
}

int vmm_ioeventfd_attach(struct vmm *vm, const struct vmm_ioeventfd *io, struct vl_err *err)
{
	return request(vm, io, 0, err);
}

int vmm_ioeventfd_detach(struct vmm *vm, const struct vmm_ioeventfd *io, struct vl_err *err)
{
	return request(vm, io, KVM_IOEVENTFD_FLAG_DEASSIGN, err);
}
