// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>

#include "internal.h"

/*
 * The first 24 GSIs are the IOAPIC's pins by convention; KVM_SET_GSI_ROUTING
 * replaces the whole table, so pins without an entry are simply not routed.
 */
#define FIRST_GSI 24u

/* Intel SDM volume 3, "Message Address Register Format": physical, fixed. */
#define MSI_ADDRESS 0xfee00000u
#define MSI_DEST_SHIFT 12

/* Vectors below are exceptions; the local APIC takes 16 and above. */
#define VECTOR_MIN 16u
#define VECTOR_MAX 255u
/* 255 addresses all local APICs at once. */
#define APIC_ID_MAX 254u

static int set_routing(struct vmm *vm, unsigned int nr, struct vl_err *err)
{
	union {
		struct kvm_irq_routing head;
		uint8_t room[sizeof(struct kvm_irq_routing) + sizeof(vm->routes)];
	} arg = { .head.nr = nr };
	int ret;

	memcpy(arg.head.entries, vm->routes, nr * sizeof(vm->routes[0]));
	ret = vmm_ioctl(vm->vm_fd, KVM_SET_GSI_ROUTING, &arg.head, err, "a table of %u MSI routes",
			nr);
	return ret < 0 ? ret : 0;
}

static int add_route(struct vmm *vm, unsigned int apic_id, unsigned int vector, struct vl_err *err)
{
	struct kvm_irq_routing_entry *entry = &vm->routes[vm->nr_routes];
	int ret;

	*entry = (struct kvm_irq_routing_entry){
		.gsi = FIRST_GSI + vm->nr_routes,
		.type = KVM_IRQ_ROUTING_MSI,
		.u.msi.address_lo = MSI_ADDRESS | apic_id << MSI_DEST_SHIFT,
		.u.msi.data = vector,
	};
	ret = set_routing(vm, vm->nr_routes + 1, err);
	if (!ret)
		vm->nr_routes++;
	return ret;
}

static int request(struct vmm *vm, int fd, unsigned int gsi, uint32_t flags, struct vl_err *err)
{
	struct kvm_irqfd arg = { .fd = fd, .gsi = gsi, .flags = flags };
	int ret = vmm_ioctl(vm->vm_fd, KVM_IRQFD, &arg, err, "fd %d for GSI %u", fd, gsi);

	return ret < 0 ? ret : 0;
}

int vmm_irqfd_attach(struct vmm *vm, int fd, unsigned int apic_id, unsigned int vector,
		     unsigned int *gsi, struct vl_err *err)
{
	static const struct vmm_capability needed[] = {
		{ KVM_CAP_IRQFD, "KVM_CAP_IRQFD" },
		{ KVM_CAP_IRQ_ROUTING, "KVM_CAP_IRQ_ROUTING" },
	};
	int ret;

	if (apic_id > APIC_ID_MAX || vector < VECTOR_MIN || vector > VECTOR_MAX)
		return vl_err_set(err, -EINVAL,
				  "vector %u of APIC %u: vectors are %u to %u, APICs 0 to %u",
				  vector, apic_id, VECTOR_MIN, VECTOR_MAX, APIC_ID_MAX);
	if (!vm->has_irqchip)
		return vl_err_set(err, -EINVAL, "an irqfd needs a VM with an in-kernel irqchip");
	if (vm->nr_routes == VMM_ROUTES_MAX)
		return vl_err_set(err, -ENOSPC, "a VM has at most %u irqfd routes", VMM_ROUTES_MAX);
	ret = vmm_require(vm->vm_fd, needed, ARRAY_SIZE(needed), err);
	if (ret)
		return ret;
	/* routed first: a call that is pending already must find its vector */
	ret = add_route(vm, apic_id, vector, err);
	if (ret)
		return ret;
	ret = request(vm, fd, FIRST_GSI + vm->nr_routes - 1, 0, err);
	if (ret) {
		/* the kernel's copy keeps an entry that nobody can signal */
		vm->nr_routes--;
		return ret;
	}
	if (gsi)
		*gsi = FIRST_GSI + vm->nr_routes - 1;
	return 0;
}

int vmm_irqfd_detach(struct vmm *vm, int fd, unsigned int gsi, struct vl_err *err)
{
	return request(vm, fd, gsi, KVM_IRQFD_FLAG_DEASSIGN, err);
}
