// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM's requests for people: what each is for, and the structure that it takes.
 */
#include <inttypes.h>
#include <stdio.h>

#include <vringlab/vmm_observe.h>

#include "vmm_explain.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static const struct {
	unsigned long request;
	const char *purpose;
} purposes[] = {
	{ KVM_CHECK_EXTENSION, "Is there this capability? 0 is no." },
	{ KVM_CREATE_IRQCHIP, "An IOAPIC, two PICs, and a local APIC in each vCPU to come, all in\n"
			      "the kernel. With them, HLT waits there and is no exit." },
	{ KVM_CREATE_VCPU, "A processor. The answer is its descriptor; the thread that runs it\n"
			   "is the VMM's to make." },
	{ KVM_CREATE_VM, "A machine without memory, processors or devices. The answer is its\n"
			 "descriptor." },
	{ KVM_ENABLE_CAP, "Switches on what is off by default." },
	{ KVM_GET_API_VERSION, "Which version of KVM's interface is this? It has to be 12." },
	{ KVM_GET_DEVICE_ATTR, "What does KVM add to this machine's TSC for the guest?" },
	{ KVM_GET_REGS, "The processor's general registers. Told is what is new." },
	{ KVM_GET_SREGS, "Its special registers: segments, tables, control registers." },
	{ KVM_GET_SUPPORTED_CPUID, "What may CPUID tell a guest here?" },
	{ KVM_GET_TSC_KHZ, "How fast does the guest's time stamp counter run?" },
	{ KVM_GET_VCPU_MMAP_SIZE, "How large is what a processor shares with the VMM?" },
	{ KVM_IOEVENTFD, "Such a write of the guest signals the eventfd, and is no exit." },
	{ KVM_IRQFD, "A signal of the eventfd is a signal of the GSI, and so interrupts." },
	{ KVM_RUN, "Runs the guest until something has to be done for it. What, says\n"
		   "exit_reason in struct kvm_run." },
	{ KVM_SET_CPUID2, "What CPUID tells the guest." },
	{ KVM_SET_GSI_ROUTING, "Where each GSI leads: to a pin of the irqchip, or as a message to\n"
			       "a local APIC." },
	{ KVM_SET_REGS, "Sets all general registers. Told is what will be new." },
	{ KVM_SET_SREGS, "Sets all special registers." },
	{ KVM_SET_TSS_ADDR, "Three pages of guest addresses that no memory will have: older Intel\n"
			    "processors need them to run real mode." },
	{ KVM_SET_USER_MEMORY_REGION,
	  "Memory: what is at userspace_addr here is at guest_phys_addr there." },
};

const char *vmm_explain_purpose(const struct vmm_call *call)
{
	if (call->kind == VMM_CALL_OPEN)
		return "The way to KVM. All else is asked of this descriptor, or of those that it\n"
		       "leads to.";
	if (call->kind == VMM_CALL_MMAP)
		return "Shares struct kvm_run with KVM, and behind it the data of port I/O.";
	for (size_t i = 0; i < ARRAY_SIZE(purposes); i++)
		if (purposes[i].request == call->request)
			return purposes[i].purpose;
	return NULL;
}

static void explain_memory(const struct kvm_userspace_memory_region *r)
{
	printf("    | slot %u, flags %#x, guest_phys_addr %#llx, memory_size %#llx,\n"
	       "    | userspace_addr %#llx\n",
	       r->slot, r->flags, (unsigned long long)r->guest_phys_addr,
	       (unsigned long long)r->memory_size, (unsigned long long)r->userspace_addr);
}

static void explain_ioeventfd(const struct kvm_ioeventfd *io)
{
	printf("    | addr %#llx, len %u, fd %d, flags %#x%s%s%s", (unsigned long long)io->addr,
	       io->len, io->fd, io->flags, io->flags & KVM_IOEVENTFD_FLAG_PIO ? " PIO" : "",
	       io->flags & KVM_IOEVENTFD_FLAG_DATAMATCH ? " DATAMATCH" : "",
	       io->flags & KVM_IOEVENTFD_FLAG_DEASSIGN ? " DEASSIGN" : "");
	if (io->flags & KVM_IOEVENTFD_FLAG_DATAMATCH)
		printf(", datamatch %#llx", (unsigned long long)io->datamatch);
	putchar('\n');
}

static void explain_irqfd(const struct kvm_irqfd *irqfd)
{
	printf("    | fd %u, gsi %u, flags %#x%s%s\n", irqfd->fd, irqfd->gsi, irqfd->flags,
	       irqfd->flags & KVM_IRQFD_FLAG_DEASSIGN ? " DEASSIGN" : "",
	       irqfd->flags & KVM_IRQFD_FLAG_RESAMPLE ? " RESAMPLE" : "");
}

static void explain_routes(const struct kvm_irq_routing *table)
{
	unsigned int pins = 0;

	for (uint32_t i = 0; i < table->nr; i++) {
		const struct kvm_irq_routing_entry *e = &table->entries[i];

		if (e->type == KVM_IRQ_ROUTING_MSI)
			printf("    | gsi %u: MSI, address %#llx, data %#x\n", e->gsi,
			       (unsigned long long)e->u.msi.address_hi << 32 | e->u.msi.address_lo,
			       e->u.msi.data);
		else
			pins++;
	}
	if (pins)
		printf("    | %u routes to pins of the irqchip\n", pins);
}

void vmm_explain_argument(const struct vmm_call *call)
{
	const struct kvm_enable_cap *cap = call->arg;
	const struct kvm_cpuid2 *cpuid = call->arg;

	if (call->kind != VMM_CALL_IOCTL)
		return;
	switch (call->request) {
	case KVM_ENABLE_CAP:
		printf("    | cap %u, flags %#x, args[0] %llu\n", cap->cap, cap->flags,
		       (unsigned long long)cap->args[0]);
		break;
	case KVM_GET_SUPPORTED_CPUID:
	case KVM_SET_CPUID2:
		printf("    | nent %u\n", cpuid->nent);
		break;
	case KVM_IOEVENTFD:
		explain_ioeventfd(call->arg);
		break;
	case KVM_IRQFD:
		explain_irqfd(call->arg);
		break;
	case KVM_SET_GSI_ROUTING:
		explain_routes(call->arg);
		break;
	case KVM_SET_USER_MEMORY_REGION:
		explain_memory(call->arg);
		break;
	}
}
