// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>

#include <vringlab/vmm_gsi.h>

#include "internal.h"

/* Intel SDM volume 3, "Message Address Register Format": physical, fixed. */
#define MSI_ADDRESS 0xfee00000u
#define MSI_DEST_SHIFT 12

/* Vectors below are exceptions; the local APIC takes 16 and above. */
#define VECTOR_MIN 16u
#define VECTOR_MAX 255u
/* 255 addresses all local APICs at once. */
#define APIC_ID_MAX 254u

int vmm_irqfd_add(struct vmm *vm, int fd, unsigned int gsi, int resample_fd, struct vl_err *err)
{
	struct kvm_irqfd arg = { .fd = fd, .gsi = gsi };
	int ret;

	if (resample_fd >= 0) {
		arg.flags = KVM_IRQFD_FLAG_RESAMPLE;
		arg.resamplefd = resample_fd;
	}
	ret = vmm_ioctl(vm->vm_fd, KVM_IRQFD, &arg, err, "fd %d for GSI %u", fd, gsi);
	return ret < 0 ? ret : 0;
}

int vmm_irqfd_attach(struct vmm *vm, int fd, unsigned int apic_id, unsigned int vector,
		     unsigned int *gsi, struct vl_err *err)
{
	unsigned int new;
	int ret;

	if (apic_id > APIC_ID_MAX || vector < VECTOR_MIN || vector > VECTOR_MAX)
		return vl_err_set(err, -EINVAL,
				  "vector %u of APIC %u: vectors are %u to %u, APICs 0 to %u",
				  vector, apic_id, VECTOR_MIN, VECTOR_MAX, APIC_ID_MAX);
	ret = vmm_gsi_alloc(vm, &new, err);
	if (ret)
		return ret;
	/* routed first: a call that is pending already must find its vector */
	ret = vmm_gsi_route(vm, new, MSI_ADDRESS | apic_id << MSI_DEST_SHIFT, vector, err);
	if (!ret)
		ret = vmm_irqfd_add(vm, fd, new, -1, err);
	if (ret) {
		vmm_gsi_free(vm, new);
		return ret;
	}
	if (gsi)
		*gsi = new;
	return 0;
}

int vmm_irqfd_detach(struct vmm *vm, int fd, unsigned int gsi, struct vl_err *err)
{
	struct kvm_irqfd arg = { .fd = fd, .gsi = gsi, .flags = KVM_IRQFD_FLAG_DEASSIGN };
	int ret = vmm_ioctl(vm->vm_fd, KVM_IRQFD, &arg, err, "fd %d for GSI %u", fd, gsi);

	return ret < 0 ? ret : 0;
}
