// SPDX-License-Identifier: GPL-2.0-only
/*
 * The CPU that the guest sees: what KVM supports here, with the topology of the VM
 * instead of the host's. All vCPUs are cores of one package, with one thread each.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* The kernel's KVM_MAX_CPUID_ENTRIES; it knows no more. */
#define ENTRIES_MAX 256u

/* Intel SDM volume 2 and AMD APM volume 3, CPUID. */
#define LEAF_VENDOR 0x0u
#define LEAF_FEATURES 0x1u
#define LEAF_CACHES 0x4u
#define LEAF_TOPOLOGY 0xbu
#define LEAF_TOPOLOGY_V2 0x1fu
#define LEAF_AMD_FEATURES 0x80000001u
#define LEAF_AMD_SIZES 0x80000008u
#define LEAF_AMD_CACHES 0x8000001du
#define LEAF_AMD_TOPOLOGY 0x8000001eu
#define LEAF_AMD_TOPOLOGY_V2 0x80000026u

/* Of LEAF_FEATURES. */
#define EBX_APIC_ID_SHIFT 24
#define EBX_CPUS_SHIFT 16
#define ECX_TSC_DEADLINE (1u << 24)
#define ECX_HYPERVISOR (1u << 31)
#define EDX_HTT (1u << 28)

/* Of the caches. */
#define EAX_TYPE_MASK 0x1fu
#define EAX_LEVEL_SHIFT 5
#define EAX_LEVEL_MASK 0x7u
#define EAX_SHARING_SHIFT 14
#define EAX_SHARING_MASK (0xfffu << EAX_SHARING_SHIFT)
#define EAX_CORES_SHIFT 26
#define LEVEL_SHARED 3u

/* Of LEAF_TOPOLOGY: levels of threads and cores. */
#define ECX_LEVEL_THREADS (1u << 8)
#define ECX_LEVEL_CORES (2u << 8)

/* Of the AMD leaves. */
#define ECX_CMP_LEGACY (1u << 1)
#define ECX_ID_SIZE_SHIFT 12
#define ECX_ID_SIZE_MASK 0xf0ffu

struct topology {
	unsigned int id;
	unsigned int nr;
	unsigned int id_bits; /* of an APIC id */
	bool deadline; /* KVM has the local APIC's TSC deadline timer */
};

static unsigned int bits_for(unsigned int nr)
{
	unsigned int bits = 0;

	while (1u << bits < nr)
		bits++;
	return bits;
}

static void set_features(struct kvm_cpuid_entry2 *entry, const struct topology *t)
{
	unsigned int cpus = 1u << t->id_bits;

	entry->ebx &= (1u << EBX_CPUS_SHIFT) - 1;
	entry->ebx |= t->id << EBX_APIC_ID_SHIFT | cpus << EBX_CPUS_SHIFT;
	entry->ecx |= ECX_HYPERVISOR;
	if (t->deadline)
		entry->ecx |= ECX_TSC_DEADLINE;
	entry->edx = t->nr > 1 ? entry->edx | EDX_HTT : entry->edx & ~EDX_HTT;
}

static void set_sharing(struct kvm_cpuid_entry2 *entry, const struct topology *t)
{
	unsigned int level = entry->eax >> EAX_LEVEL_SHIFT & EAX_LEVEL_MASK;

	if (!(entry->eax & EAX_TYPE_MASK))
		return;
	entry->eax &= ~EAX_SHARING_MASK;
	if (level >= LEVEL_SHARED)
		entry->eax |= ((1u << t->id_bits) - 1) << EAX_SHARING_SHIFT;
}

static void set_caches(struct kvm_cpuid_entry2 *entry, const struct topology *t)
{
	if (!(entry->eax & EAX_TYPE_MASK))
		return;
	set_sharing(entry, t);
	entry->eax &= (1u << EAX_CORES_SHIFT) - 1;
	entry->eax |= ((1u << t->id_bits) - 1) << EAX_CORES_SHIFT;
}

static void set_entry(struct kvm_cpuid_entry2 *entry, const struct topology *t)
{
	switch (entry->function) {
	case LEAF_FEATURES:
		set_features(entry, t);
		break;
	case LEAF_CACHES:
		set_caches(entry, t);
		break;
	case LEAF_AMD_FEATURES:
		entry->ecx = t->nr > 1 ? entry->ecx | ECX_CMP_LEGACY : entry->ecx & ~ECX_CMP_LEGACY;
		break;
	case LEAF_AMD_SIZES:
		entry->ecx &= ~ECX_ID_SIZE_MASK;
		entry->ecx |= t->id_bits << ECX_ID_SIZE_SHIFT | (t->nr - 1);
		break;
	case LEAF_AMD_CACHES:
		set_sharing(entry, t);
		break;
	case LEAF_AMD_TOPOLOGY:
		entry->eax = t->id;
		/* the core's id, of one thread; a node for all */
		entry->ebx = t->id;
		entry->ecx = 0;
		break;
	}
}

static bool is_hosts_topology(const struct kvm_cpuid_entry2 *entry)
{
	return entry->function == LEAF_TOPOLOGY || entry->function == LEAF_TOPOLOGY_V2 ||
	       entry->function == LEAF_AMD_TOPOLOGY_V2;
}

static void add_level(struct kvm_cpuid2 *cpuid, const struct topology *t, unsigned int index,
		      uint32_t level, unsigned int shift, unsigned int nr)
{
	if (cpuid->nent == ENTRIES_MAX)
		return;
	cpuid->entries[cpuid->nent++] = (struct kvm_cpuid_entry2){
		.function = LEAF_TOPOLOGY,
		.index = index,
		.flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
		.eax = shift,
		.ebx = nr,
		.ecx = index | level,
		.edx = t->id,
	};
}

static void set_topology(struct kvm_cpuid2 *cpuid, const struct topology *t)
{
	uint32_t kept = 0, highest = 0;

	for (uint32_t i = 0; i < cpuid->nent; i++) {
		struct kvm_cpuid_entry2 *entry = &cpuid->entries[i];

		if (entry->function == LEAF_VENDOR)
			highest = entry->eax;
		if (is_hosts_topology(entry))
			continue;
		set_entry(entry, t);
		cpuid->entries[kept++] = *entry;
	}
	cpuid->nent = kept;
	if (highest < LEAF_TOPOLOGY)
		return;
	add_level(cpuid, t, 0, ECX_LEVEL_THREADS, 0, 1);
	add_level(cpuid, t, 1, ECX_LEVEL_CORES, t->id_bits, t->nr);
	add_level(cpuid, t, 2, 0, 0, 0);
}

int vmm_vcpu_set_cpuid_smp(struct vmm_vcpu *vcpu, unsigned int nr_vcpus, struct vl_err *err)
{
	struct topology topology = {
		.id = vcpu->id,
		.nr = nr_vcpus,
		.id_bits = bits_for(nr_vcpus),
		.deadline = vmm_extension(vcpu->vm, KVM_CAP_TSC_DEADLINE_TIMER) > 0 &&
			    vcpu->vm->has_irqchip,
	};
	struct kvm_cpuid2 *cpuid;
	int ret;

	cpuid = calloc(1, sizeof(*cpuid) + ENTRIES_MAX * sizeof(cpuid->entries[0]));
	if (!cpuid)
		return vl_err_set(err, -ENOMEM, "no memory for CPUID");
	cpuid->nent = ENTRIES_MAX;
	ret = vmm_ioctl(vcpu->vm->kvm_fd, KVM_GET_SUPPORTED_CPUID, cpuid, err, "up to %u entries",
			ENTRIES_MAX);
	if (ret >= 0) {
		set_topology(cpuid, &topology);
		ret = vmm_ioctl(vcpu->fd, KVM_SET_CPUID2, cpuid, err, "%u entries of vCPU %u",
				cpuid->nent, vcpu->id);
	}
	free(cpuid);
	return ret < 0 ? ret : 0;
}

int vmm_vcpu_set_cpuid(struct vmm_vcpu *vcpu, struct vl_err *err)
{
	return vmm_vcpu_set_cpuid_smp(vcpu, 1, err);
}
