/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A virtual machine on KVM: its memory, its interrupt controller and the two
 * kinds of eventfd that a virtqueue needs.
 *
 * Create in this order: the VM, its memory, the irqchip, ioeventfds and irqfds,
 * vCPUs (vmm_vcpu.h). A memory slot costs about 50 times as much once there is
 * an irqchip, because KVM then waits for an SRCU grace period. Nothing here is
 * started; a VM belongs to one thread until its vCPUs run.
 */
#ifndef VRINGLAB_VMM_H
#define VRINGLAB_VMM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vl_err;
struct vmm;

#define VMM_KVM_PATH "/dev/kvm"

/**
 * vmm_create() - Open KVM and create a VM without memory
 * @vm:		Set on success only.
 * @kvm_path:	The KVM device, %NULL for VMM_KVM_PATH.
 * @err:	What went wrong, with the cure; may be NULL.
 *
 * Return: 0, or
 * * %-ENOENT, %-EACCES, %-ENODEV, %-ENXIO - from open(2) of @kvm_path
 * * %-ENOTTY - @kvm_path is not a KVM device
 * * %-EPROTO - KVM speaks another API version than 12
 * * %-EOPNOTSUPP - KVM lacks an extension that every guest needs
 * * %-EBUSY - another hypervisor holds the CPU's virtualization
 */
int vmm_create(struct vmm **vm, const char *kvm_path, struct vl_err *err);

/**
 * vmm_destroy() - Release the VM and its memory
 * @vm:		VM; NULL is allowed. Its vCPUs must be destroyed before.
 */
void vmm_destroy(struct vmm *vm);

/**
 * vmm_extension() - Ask the VM for a KVM capability
 * @vm:		VM.
 * @cap:	KVM_CAP_*.
 *
 * Return: what KVM_CHECK_EXTENSION says, 0 for "no"; a negative errno.
 */
int vmm_extension(const struct vmm *vm, unsigned int cap);

/**
 * struct vmm_memory - One piece of guest memory
 * @gpa:	Guest physical address, page aligned.
 * @size:	Bytes, whole pages.
 * @host:	Where it is mapped here, read and write.
 * @fd:		memfd, sealed against shrinking and growing; offset 0 is @gpa.
 */
struct vmm_memory {
	uint64_t gpa;
	uint64_t size;
	uint8_t *host;
	int fd;
};

/* Slots that one VM of ours may have; far below what KVM offers. */
#define VMM_MEMORY_MAX 8u

/**
 * vmm_memory_add() - Give the guest memory
 * @vm:		VM.
 * @gpa:	Guest physical address, page aligned.
 * @size:	Bytes, whole pages.
 * @mem:	Set on success to the VM's own record; may be NULL.
 * @err:	What went wrong, may be NULL.
 *
 * The memory is a memfd of its own, so that it can be handed to a vhost-user
 * back-end: sealed, so that neither side can be made to take SIGBUS.
 *
 * Return: 0, or
 * * %-EINVAL - @gpa or @size is not in whole pages, or @size is 0
 * * %-EEXIST - overlaps memory that is already there
 * * %-ENOSPC - VMM_MEMORY_MAX pieces are there
 * * %-ENOMEM - the host's memory does not suffice
 */
int vmm_memory_add(struct vmm *vm, uint64_t gpa, uint64_t size, const struct vmm_memory **mem,
		   struct vl_err *err);

/**
 * enum vmm_pages - What guest memory is made of
 * @VMM_PAGES_BASE: Pages of 4 KiB; what the host's setting for shared memory makes of
 *	them.
 * @VMM_PAGES_THP: The host is asked for transparent huge pages (madvise(2)), which it
 *	grants where /sys/kernel/mm/transparent_hugepage/shmem_enabled allows it.
 * @VMM_PAGES_HUGETLB: Huge pages of 2 MiB that the host has reserved, all of them
 *	taken at once.
 */
enum vmm_pages {
	VMM_PAGES_BASE,
	VMM_PAGES_THP,
	VMM_PAGES_HUGETLB,
};

/* The alignment of memory and of its size with VMM_PAGES_HUGETLB. */
#define VMM_HUGE_PAGE_SIZE 0x200000u

/**
 * vmm_memory_add_pages() - Give the guest memory of a kind
 * @vm:		VM.
 * @gpa:	As for vmm_memory_add(), which is this with VMM_PAGES_BASE.
 * @size:	Likewise.
 * @pages:	What it is made of.
 * @mem:	Likewise.
 * @err:	Likewise.
 *
 * Return: as vmm_memory_add(); with VMM_PAGES_HUGETLB also
 * * %-EINVAL - @gpa or @size is not in whole huge pages
 * * %-ENOSPC - the host has not reserved as many
 */
int vmm_memory_add_pages(struct vmm *vm, uint64_t gpa, uint64_t size, enum vmm_pages pages,
			 const struct vmm_memory **mem, struct vl_err *err);

/**
 * vmm_memory_get() - One piece after the other
 * @vm:		VM.
 * @i:		From 0.
 *
 * Return: the piece, or NULL behind the last one.
 */
const struct vmm_memory *vmm_memory_get(const struct vmm *vm, unsigned int i);

/**
 * vmm_memory_at() - Find a range of guest memory
 * @vm:		VM.
 * @gpa:	Start.
 * @len:	Bytes, at least 1.
 *
 * Return: where the whole range is mapped here, or NULL.
 */
void *vmm_memory_at(const struct vmm *vm, uint64_t gpa, uint64_t len);

/**
 * enum vmm_irqchip - How much of a PC's interrupt controllers KVM provides
 * @VMM_IRQCHIP_LAPIC: Only the vCPUs' local APICs (KVM_CAP_SPLIT_IRQCHIP):
 *	enough for MSI, and the cheapest to create.
 * @VMM_IRQCHIP_PC: Local APICs, IOAPIC and both PICs (KVM_CREATE_IRQCHIP).
 */
enum vmm_irqchip {
	VMM_IRQCHIP_LAPIC,
	VMM_IRQCHIP_PC,
};

/**
 * vmm_irqchip_create() - Create the in-kernel irqchip
 * @vm:		VM, before its first vCPU.
 * @kind:	How much of it.
 * @err:	What went wrong, may be NULL.
 *
 * With it, HLT waits in the kernel and no longer exits to user space.
 *
 * Return: 0, %-EOPNOTSUPP where KVM cannot, %-EEXIST if there is one.
 */
int vmm_irqchip_create(struct vmm *vm, enum vmm_irqchip kind, struct vl_err *err);

/**
 * vmm_pit_create() - Create the PC's interval timer in the kernel
 * @vm:		VM with VMM_IRQCHIP_PC.
 * @err:	What went wrong, may be NULL.
 *
 * Ports 0x40 to 0x43, interrupt 0, and the speaker's port 0x61.
 *
 * Return: 0, or a negative errno of KVM_CREATE_PIT2.
 */
int vmm_pit_create(struct vmm *vm, struct vl_err *err);

/**
 * enum vmm_bus - Where a guest's write goes
 * @VMM_BUS_PIO: An I/O port.
 * @VMM_BUS_MMIO: A guest physical address without memory.
 */
enum vmm_bus {
	VMM_BUS_PIO,
	VMM_BUS_MMIO,
};

/**
 * struct vmm_ioeventfd - A guest write that signals an eventfd
 * @bus:	PIO or MMIO.
 * @addr:	Port or guest physical address.
 * @len:	Width of the write, 1, 2, 4 or 8; 0 for any.
 * @match:	Whether only @value signals; needs a @len.
 * @value:	The value.
 * @fd:		eventfd; stays the caller's.
 */
struct vmm_ioeventfd {
	enum vmm_bus bus;
	uint64_t addr;
	uint32_t len;
	bool match;
	uint64_t value;
	int fd;
};

/**
 * vmm_ioeventfd_attach() - Let a guest write signal an eventfd
 * @vm:		VM.
 * @io:		Which write, which eventfd.
 * @err:	What went wrong, may be NULL.
 *
 * The write no longer exits to user space.
 *
 * Return: 0, or
 * * %-EINVAL - bad width, or the address wraps
 * * %-EBADF - @io->fd is not an eventfd
 * * %-EEXIST - the address is taken
 * * %-ENOSPC - KVM's bus is full
 */
int vmm_ioeventfd_attach(struct vmm *vm, const struct vmm_ioeventfd *io, struct vl_err *err);

/**
 * vmm_ioeventfd_detach() - Undo vmm_ioeventfd_attach()
 * @vm:		VM.
 * @io:		The same facts.
 * @err:	What went wrong, may be NULL.
 *
 * Return: 0, or %-ENOENT where nothing of the kind is attached.
 */
int vmm_ioeventfd_detach(struct vmm *vm, const struct vmm_ioeventfd *io, struct vl_err *err);

/**
 * vmm_irqfd_attach() - Let an eventfd interrupt a vCPU
 * @vm:		VM with an irqchip.
 * @fd:		eventfd; stays the caller's.
 * @apic_id:	Local APIC, which is the vCPU's id.
 * @vector:	Interrupt vector, 16 to 255.
 * @gsi:	Set on success to the GSI used, for vmm_irqfd_detach(); may be
 *		NULL.
 * @err:	What went wrong, may be NULL.
 *
 * By a GSI of its own that is routed to an MSI: fixed delivery, edge triggered.
 *
 * Return: 0, or
 * * %-EINVAL - bad @apic_id or @vector, or there is no irqchip
 * * %-EBADF - @fd is not a descriptor
 * * %-EBUSY - the eventfd is an irqfd already
 * * %-ENOSPC - VMM_GSI_MSI_MAX routes are there (vmm_gsi.h)
 */
int vmm_irqfd_attach(struct vmm *vm, int fd, unsigned int apic_id, unsigned int vector,
		     unsigned int *gsi, struct vl_err *err);

/**
 * vmm_irqfd_detach() - Undo vmm_irqfd_attach()
 * @vm:		VM.
 * @fd:		eventfd.
 * @gsi:	From vmm_irqfd_attach(); the route stays.
 * @err:	What went wrong, may be NULL.
 *
 * When it returns, no further interrupt comes of the eventfd.
 *
 * Return: 0, or a negative errno of KVM_IRQFD.
 */
int vmm_irqfd_detach(struct vmm *vm, int fd, unsigned int gsi, struct vl_err *err);

#endif /* VRINGLAB_VMM_H */
