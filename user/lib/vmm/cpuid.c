// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>

#include "internal.h"

/* The kernel's KVM_MAX_CPUID_ENTRIES; it knows no more. */
#define ENTRIES_MAX 256u

/* Leaves that name the CPU they are read on: Intel SDM and AMD APM, CPUID. */
#define LEAF_FEATURES 0x1u
#define LEAF_TOPOLOGY 0xbu
#define LEAF_TOPOLOGY_V2 0x1fu
#define APIC_ID_SHIFT 24

/* KVM reports the host CPU's own id there. */
static void set_apic_id(struct kvm_cpuid2 *cpuid, unsigned int id)
{
	for (uint32_t i = 0; i < cpuid->nent; i++) {
		struct kvm_cpuid_entry2 *entry = &cpuid->entries[i];

		if (entry->function == LEAF_FEATURES)
			entry->ebx = (entry->ebx & ((1u << APIC_ID_SHIFT) - 1)) |
				     id << APIC_ID_SHIFT;
		else if (entry->function == LEAF_TOPOLOGY || entry->function == LEAF_TOPOLOGY_V2)
			entry->edx = id;
	}
}

int vmm_vcpu_set_cpuid(struct vmm_vcpu *vcpu, struct vl_err *err)
{
	struct kvm_cpuid2 *cpuid;
	int ret;

	cpuid = calloc(1, sizeof(*cpuid) + ENTRIES_MAX * sizeof(cpuid->entries[0]));
	if (!cpuid)
		return vl_err_set(err, -ENOMEM, "no memory for CPUID");
	cpuid->nent = ENTRIES_MAX;
	ret = vmm_ioctl(vcpu->vm->kvm_fd, KVM_GET_SUPPORTED_CPUID, cpuid, err, "up to %u entries",
			ENTRIES_MAX);
	if (ret >= 0) {
		set_apic_id(cpuid, vcpu->id);
		ret = vmm_ioctl(vcpu->fd, KVM_SET_CPUID2, cpuid, err, "%u entries of vCPU %u",
				cpuid->nent, vcpu->id);
	}
	free(cpuid);
	return ret < 0 ? ret : 0;
}
