// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common.h"
#include "hop_vm.h"

#define CODE_GPA 0x1000u
#define CODE_SIZE 0x1000u
#define EXIT_PORT 0x10
#define DOORBELL_PORT 0x11
#define VECTOR 0x40
/* the local APIC's spurious vector register: bit 8 enables the APIC */
#define APIC_SPIV 0xf0
#define APIC_SPIV_ENABLED 0x100u
#define MSI_ADDRESS 0xfee00000u /* physical */
#define MSI_APIC_SHIFT 12

/* One line a run; then from the start again. */
static const uint8_t code[] = {
	0xe6, EXIT_PORT, /* out %al, $EXIT_PORT */
	0xe6, EXIT_PORT, /* out */
	0xe6, DOORBELL_PORT, 0xe6, EXIT_PORT, /* out twice */
	0xe6, EXIT_PORT, /* out */
	0xeb, 0xf4, /* jmp to the first */
};

static int kvm_ioctl(int fd, unsigned long request, void *arg, const char *name)
{
	int ret = ioctl(fd, request, arg);

	if (ret < 0)
		die_errno(errno, "%s", name);
	return ret;
}

static void add_memory(struct hop_vm *vm)
{
	struct kvm_userspace_memory_region region = {
		.guest_phys_addr = CODE_GPA,
		.memory_size = CODE_SIZE,
	};
	void *host =
		mmap(NULL, CODE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (host == MAP_FAILED)
		die_errno(errno, "mmap of guest memory");
	memcpy(host, code, sizeof(code));
	region.userspace_addr = (uint64_t)(uintptr_t)host;
	kvm_ioctl(vm->vm, KVM_SET_USER_MEMORY_REGION, &region, "KVM_SET_USER_MEMORY_REGION");
}

static void split_irqchip(int vm)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_SPLIT_IRQCHIP, .args = { 24 } };

	kvm_ioctl(vm, KVM_ENABLE_CAP, &cap, "KVM_CAP_SPLIT_IRQCHIP");
}

static void enable_apic(int vcpu)
{
	struct kvm_lapic_state apic;
	uint32_t spiv;

	kvm_ioctl(vcpu, KVM_GET_LAPIC, &apic, "KVM_GET_LAPIC");
	memcpy(&spiv, apic.regs + APIC_SPIV, sizeof(spiv));
	spiv |= APIC_SPIV_ENABLED;
	memcpy(apic.regs + APIC_SPIV, &spiv, sizeof(spiv));
	kvm_ioctl(vcpu, KVM_SET_LAPIC, &apic, "KVM_SET_LAPIC");
}

static void set_registers(struct hop_vm *vm)
{
	struct kvm_regs regs = { .rip = CODE_GPA, .rflags = 2 };
	struct kvm_sregs sregs;

	kvm_ioctl(vm->vcpu, KVM_GET_SREGS, &sregs, "KVM_GET_SREGS");
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	kvm_ioctl(vm->vcpu, KVM_SET_SREGS, &sregs, "KVM_SET_SREGS");
	kvm_ioctl(vm->vcpu, KVM_SET_REGS, &regs, "KVM_SET_REGS");
	enable_apic(vm->vcpu);
}

static int create_vm(int kvm)
{
	return kvm_ioctl(kvm, KVM_CREATE_VM, NULL, "KVM_CREATE_VM");
}

static int open_kvm(void)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (kvm < 0)
		die_errno(errno, "cannot open /dev/kvm");
	return kvm;
}

static int create_vcpu(int vm, unsigned int id)
{
	int vcpu = ioctl(vm, KVM_CREATE_VCPU, (unsigned long)id);

	if (vcpu < 0)
		die_errno(errno, "KVM_CREATE_VCPU %u", id);
	return vcpu;
}

void hop_vm_open(struct hop_vm *vm)
{
	int kvm = open_kvm();
	int size;

	vm->vm = create_vm(kvm);
	add_memory(vm);
	split_irqchip(vm->vm);
	vm->vcpu = create_vcpu(vm->vm, 0);
	size = kvm_ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, NULL, "KVM_GET_VCPU_MMAP_SIZE");
	vm->run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, vm->vcpu, 0);
	if (vm->run == MAP_FAILED)
		die_errno(errno, "mmap of kvm_run");
	close(kvm);
	set_registers(vm);
}

void hop_vm_ioeventfd(struct hop_vm *vm, int fd)
{
	struct kvm_ioeventfd io = {
		.addr = DOORBELL_PORT,
		.len = 1,
		.fd = fd,
		.flags = KVM_IOEVENTFD_FLAG_PIO,
	};

	kvm_ioctl(vm->vm, KVM_IOEVENTFD, &io, "KVM_IOEVENTFD");
}

/* GSI n to vCPU n. */
static void set_routes(int vm, unsigned int nr)
{
	struct kvm_irq_routing *routing =
		calloc(1, sizeof(*routing) + nr * sizeof(struct kvm_irq_routing_entry));

	if (!routing)
		die_errno(ENOMEM, "routing table");
	routing->nr = nr;
	for (unsigned int i = 0; i < nr; i++)
		routing->entries[i] = (struct kvm_irq_routing_entry){
			.gsi = i,
			.type = KVM_IRQ_ROUTING_MSI,
			.u.msi = { .address_lo = MSI_ADDRESS | i << MSI_APIC_SHIFT,
				   .data = VECTOR },
		};
	kvm_ioctl(vm, KVM_SET_GSI_ROUTING, routing, "KVM_SET_GSI_ROUTING");
	free(routing);
}

static void add_irqfd(int vm, int fd, unsigned int gsi)
{
	struct kvm_irqfd irqfd = { .fd = (uint32_t)fd, .gsi = gsi };

	kvm_ioctl(vm, KVM_IRQFD, &irqfd, "KVM_IRQFD");
}

void hop_vm_irqfd(struct hop_vm *vm, int fd)
{
	set_routes(vm->vm, 1);
	add_irqfd(vm->vm, fd, 0);
}

int hop_vm_crowd(const int *calls, unsigned int nr)
{
	int kvm = open_kvm(), vm = create_vm(kvm);

	split_irqchip(vm);
	for (unsigned int i = 0; i < nr; i++) {
		int vcpu = create_vcpu(vm, i);

		enable_apic(vcpu);
		close(vcpu);
	}
	set_routes(vm, nr);
	for (unsigned int i = 0; i < nr; i++)
		add_irqfd(vm, calls[i], i);
	close(kvm);
	return vm;
}

void hop_vm_run(struct hop_vm *vm)
{
	if (ioctl(vm->vcpu, KVM_RUN, NULL))
		die_errno(errno, "KVM_RUN");
	if (vm->run->exit_reason != KVM_EXIT_IO || vm->run->io.port != EXIT_PORT)
		die("exit reason %u, not the guest's port write", vm->run->exit_reason);
}
