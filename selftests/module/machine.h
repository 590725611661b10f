/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A machine by raw KVM ioctls, whose guest is a few lines of real mode code: one
 * region of memory, the in-kernel interrupt controllers, doorbells as ioeventfds,
 * one interrupt route.
 */
#ifndef VRINGLAB_SELFTESTS_MACHINE_H
#define VRINGLAB_SELFTESTS_MACHINE_H

#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "module.h"

#define MEM_SIZE 0x10000u
#define CODE 0x1000u
#define COUNT 0x2000u /* where the interrupt handler counts, and its flag at 0x2004 */
#define STACK 0x8000u
#define PORT_DOORBELL 0x510
#define PORT_EXIT 0xf4
#define MMIO_DOORBELL 0xd0000ull /* in no memslot */
#define APIC_BASE 0xfee00000ull
#define APIC_SPIV 0xf0
#define VECTOR 0x30
#define GSI 24
#define IOAPIC_PIN 20
#define ROUTING_SIZE (sizeof(struct kvm_irq_routing) + sizeof(struct kvm_irq_routing_entry))

/* Real mode code, and the handler of VECTOR in it. */
struct code {
	const char *start;
	const char *end;
	const char *irq;
};

struct machine {
	int kvm;
	int vm;
	unsigned char *mem;
	size_t run_size;
	const struct code *code;
};

struct vcpu {
	int fd;
	struct kvm_run *run;
};

/* The asserting tier: prints the ioctl's name, what for, and why not. */
#define kvm_ioctl(fd, request, arg)                                  \
	({                                                           \
		int ret_ = ioctl(fd, request, arg);                  \
		ASSERT_LE(0, ret_)                                   \
		{                                                    \
			TH_LOG("%s: %s", #request, strerror(errno)); \
		}                                                    \
		ret_;                                                \
	})

static inline uint64_t guest_addr(const struct machine *m, const char *symbol)
{
	return CODE + (symbol - m->code->start);
}

static inline __attribute__((unused)) void machine_init(struct __test_metadata *_metadata,
							struct machine *m, const struct code *code)
{
	struct kvm_userspace_memory_region region = { .memory_size = MEM_SIZE };

	m->vm = kvm_ioctl(m->kvm, KVM_CREATE_VM, 0);
	kvm_ioctl(m->vm, KVM_SET_TSS_ADDR, 0xfffbd000);
	kvm_ioctl(m->vm, KVM_CREATE_IRQCHIP, 0);
	m->mem = mmap(NULL, MEM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, m->mem);
	m->code = code;
	memcpy(m->mem + CODE, code->start, code->end - code->start);
	*(uint16_t *)(m->mem + VECTOR * 4) = guest_addr(m, code->irq);
	region.userspace_addr = (uintptr_t)m->mem;
	kvm_ioctl(m->vm, KVM_SET_USER_MEMORY_REGION, &region);
	m->run_size = kvm_ioctl(m->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
}

static inline __attribute__((unused)) void machine_exit(struct machine *m)
{
	if (m->mem)
		munmap(m->mem, MEM_SIZE);
	close(m->vm);
	close(m->kvm);
}

static inline __attribute__((unused)) void set_segment(struct kvm_segment *s, uint64_t base)
{
	s->base = base;
	s->selector = base >> 4;
}

static inline __attribute__((unused)) void vcpu_init(struct __test_metadata *_metadata,
						     struct machine *m, struct vcpu *c, int id,
						     const char *start, unsigned int nr_pio,
						     unsigned int nr_mmio)
{
	struct kvm_regs regs = { .rip = guest_addr(m, start),
				 .rflags = 2,
				 .rcx = nr_pio,
				 .rbx = nr_mmio,
				 .rsp = STACK };
	struct kvm_lapic_state apic;
	struct kvm_sregs sregs;

	c->fd = kvm_ioctl(m->vm, KVM_CREATE_VCPU, id);
	c->run = mmap(NULL, m->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, c->fd, 0);
	ASSERT_NE(MAP_FAILED, (void *)c->run);
	kvm_ioctl(c->fd, KVM_GET_SREGS, &sregs);
	set_segment(&sregs.cs, 0);
	set_segment(&sregs.ss, 0);
	set_segment(&sregs.ds, MMIO_DOORBELL);
	set_segment(&sregs.es, APIC_BASE);
	kvm_ioctl(c->fd, KVM_SET_SREGS, &sregs);
	kvm_ioctl(c->fd, KVM_SET_REGS, &regs);
	kvm_ioctl(c->fd, KVM_GET_LAPIC, &apic);
	*(uint32_t *)(apic.regs + APIC_SPIV) = 0x1ff;
	kvm_ioctl(c->fd, KVM_SET_LAPIC, &apic);
}

static inline __attribute__((unused)) void vcpu_exit(struct machine *m, struct vcpu *c)
{
	if (c->run)
		munmap(c->run, m->run_size);
	close(c->fd);
}

/* Runs until the guest writes the exit port. */
static inline __attribute__((unused)) void vcpu_run(struct __test_metadata *_metadata,
						    struct vcpu *c)
{
	int ret;

	do {
		ret = ioctl(c->fd, KVM_RUN, 0);
	} while (ret && errno == EINTR);
	ASSERT_EQ(0, ret)
	{
		TH_LOG("KVM_RUN: %s", strerror(errno));
	}
	ASSERT_EQ(KVM_EXIT_IO, (int)c->run->exit_reason);
	ASSERT_EQ(PORT_EXIT, c->run->io.port);
}

static inline __attribute__((unused)) void
add_ioeventfd(struct __test_metadata *_metadata, struct machine *m, int fd, bool pio, int len)
{
	struct kvm_ioeventfd io = {
		.addr = pio ? PORT_DOORBELL : MMIO_DOORBELL,
		.len = len,
		.fd = fd,
		.flags = pio ? KVM_IOEVENTFD_FLAG_PIO : 0,
	};

	kvm_ioctl(m->vm, KVM_IOEVENTFD, &io);
}

static inline __attribute__((unused)) void set_route(struct __test_metadata *_metadata,
						     struct machine *m, bool msi, int vector)
{
	union {
		struct kvm_irq_routing head;
		unsigned char room[ROUTING_SIZE];
	} r = { .head.nr = 1 };
	struct kvm_irq_routing_entry *entry = r.head.entries;

	entry->gsi = GSI;
	if (msi) {
		entry->type = KVM_IRQ_ROUTING_MSI;
		entry->u.msi.address_lo = APIC_BASE;
		entry->u.msi.data = vector;
	} else {
		struct kvm_irqchip chip = { .chip_id = KVM_IRQCHIP_IOAPIC };

		entry->type = KVM_IRQ_ROUTING_IRQCHIP;
		entry->u.irqchip.irqchip = KVM_IRQCHIP_IOAPIC;
		entry->u.irqchip.pin = IOAPIC_PIN;
		kvm_ioctl(m->vm, KVM_GET_IRQCHIP, &chip);
		/* Fixed, physical destination 0, edge, not masked. */
		chip.chip.ioapic.redirtbl[IOAPIC_PIN].bits = vector;
		kvm_ioctl(m->vm, KVM_SET_IRQCHIP, &chip);
	}
	kvm_ioctl(m->vm, KVM_SET_GSI_ROUTING, &r.head);
}

static inline __attribute__((unused)) void set_irqfd(struct __test_metadata *_metadata,
						     struct machine *m, int fd, int flags)
{
	struct kvm_irqfd irqfd = { .fd = fd, .gsi = GSI, .flags = flags };

	kvm_ioctl(m->vm, KVM_IRQFD, &irqfd);
}

/* So that no exit is missed: the thread cannot move between exit and kick. */
static inline __attribute__((unused)) void pin(struct __test_metadata *_metadata, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	ASSERT_EQ(0, sched_setaffinity(0, sizeof(set), &set));
}

#define OPEN_KVM_OR_SKIP(m)                                                            \
	do {                                                                           \
		(m)->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);                       \
		if ((m)->kvm < 0)                                                      \
			SKIP(return, "needs /dev/kvm (%s): load kvm_amd or kvm_intel", \
				   strerror(errno));                                   \
	} while (0)

static inline __attribute__((unused)) void register_vring(struct __test_metadata *_metadata,
							  struct t_genl *g, int kick, int call,
							  struct t_vring *v)
{
	*v = (struct t_vring){
		.has = HAS(LABEL) | HAS(KICK_FD) | HAS(CALL_FD),
		.label = "kvm.0",
		.kick_fd = kick,
		.call_fd = call,
	};
	vring_add(_metadata, g, v);
}

#endif /* VRINGLAB_SELFTESTS_MACHINE_H */
