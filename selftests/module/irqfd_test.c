// SPDX-License-Identifier: GPL-2.0-only
/*
 * Irqfds of all kinds: what becomes of a call on its way to one vCPU, to several, to
 * none; and which doorbells are kicks.
 */
#include "machine.h"

#define ROUNDS 100
#define LOGICAL_DEST (1u << 2) /* in an MSI's address */
#define APIC_LDR 0xd0
#define APIC_DFR 0xe0
#define IOAPIC_LEVEL (1ull << 15)

extern const char guest_start[], guest_kick[], guest_take[], guest_irq[], guest_end[];

static const struct code guest = { guest_start, guest_end, guest_irq };

/* clang-format off */
asm(".pushsection .rodata\n"
	".code16\n"
	"guest_start:\n"
	"guest_kick:\n" /* ecx doorbells with the value that is in ax */
	"1:	test %ecx, %ecx\n"
	"	jz 2f\n"
	"	mov $0x510, %dx\n"
	"	out %ax, %dx\n"
	"	dec %ecx\n"
	"	jmp 1b\n"
	"guest_take:\n" /* what is pending, then the exit */
	"	sti\n"
	"	nop\n"
	"	nop\n"
	"	cli\n"
	"2:	mov $0xf4, %dx\n"
	"	out %al, %dx\n"
	"	jmp guest_take\n"
	"guest_irq:\n"
	"	lock incl %cs:0x2000\n"
	"	movl $0, %es:0xb0\n"
	"	iretw\n"
	"guest_end:\n"
	".code64\n"
	".popsection\n");

/* clang-format on */

/* clang-format off */
FIXTURE(irqfd) {
	struct t_genl g;
	struct machine m;
	struct vcpu c[2];
	int kick;
	int call;
	struct t_vring v;
	struct t_stats s;
};

/* clang-format on */

static void add_vcpu(struct __test_metadata *_metadata, struct machine *m, struct vcpu *c, int id)
{
	struct kvm_lapic_state apic;

	vcpu_init(_metadata, m, c, id, guest_take, 0, 0);
	/* Not only the boot vCPU is to start by itself. */
	kvm_ioctl(c->fd, KVM_SET_MP_STATE,
		  (&(struct kvm_mp_state){ .mp_state = KVM_MP_STATE_RUNNABLE }));
	kvm_ioctl(c->fd, KVM_GET_LAPIC, &apic);
	*(uint32_t *)(apic.regs + APIC_DFR) = UINT32_MAX; /* flat */
	*(uint32_t *)(apic.regs + APIC_LDR) = 1u << (24 + id);
	kvm_ioctl(c->fd, KVM_SET_LAPIC, &apic);
}

FIXTURE_SETUP(irqfd)
{
	int i;

	OPEN_OR_SKIP(&self->g);
	OPEN_KVM_OR_SKIP(&self->m);
	machine_init(_metadata, &self->m, &guest);
	self->kick = new_eventfd(_metadata, EFD_NONBLOCK);
	self->call = new_eventfd(_metadata, EFD_NONBLOCK);
	for (i = 0; i < 2; i++)
		add_vcpu(_metadata, &self->m, &self->c[i], i);
	register_vring(_metadata, &self->g, self->kick, self->call, &self->v);
	pin(_metadata, 0);
}

FIXTURE_TEARDOWN(irqfd)
{
	int i;

	stats_get(_metadata, &self->g, self->v.id, &self->s);
	EXPECT_LAWFUL(&self->s);
	for (i = 0; i < 2; i++)
		vcpu_exit(&self->m, &self->c[i]);
	machine_exit(&self->m);
	t_genl_close(&self->g);
}

#define EXPECT_CNT(expected, name) EXPECT_EQ((uint64_t)(expected), T_CNT(&self->s, name))
#define EXPECT_SPAN(expected, name) EXPECT_EQ((uint64_t)(expected), T_SPAN(&self->s, name)->count)

static void set_msi(struct __test_metadata *_metadata, struct machine *m, uint32_t address)
{
	union {
		struct kvm_irq_routing head;
		unsigned char room[ROUTING_SIZE];
	} r = { .head.nr = 1 };

	r.head.entries[0] = (struct kvm_irq_routing_entry){
		.gsi = GSI,
		.type = KVM_IRQ_ROUTING_MSI,
		.u.msi = { .address_lo = APIC_BASE | address, .data = VECTOR },
	};
	kvm_ioctl(m->vm, KVM_SET_GSI_ROUTING, &r.head);
}

static uint32_t taken(const struct machine *m)
{
	return *(volatile uint32_t *)(m->mem + COUNT);
}

static bool has_injects(struct t_genl *g, uint32_t id, uint64_t nr)
{
	struct t_stats s;

	return !t_counters_get(g, id, &s) && T_CNT(&s, INJECTS) == nr;
}

static void call(struct __test_metadata *_metadata, FIXTURE_DATA(irqfd) * self, uint64_t injects)
{
	ASSERT_EQ(0, eventfd_write(self->call, 1));
	ASSERT_TRUE(EVENTUALLY(has_injects(&self->g, self->v.id, injects)));
}

/*
 * Each call is one interrupt for either vCPU. The record goes with the first; the
 * other one finds none, opens a record, and has no room for it.
 */
static void expect_both(struct __test_metadata *_metadata, FIXTURE_DATA(irqfd) * self)
{
	uint64_t i;

	for (i = 1; i <= ROUNDS; i++) {
		call(_metadata, self, 2 * i);
		vcpu_run(_metadata, &self->c[0]);
		vcpu_run(_metadata, &self->c[1]);
		ASSERT_EQ(2 * i, taken(&self->m));
	}
	stats_get(_metadata, &self->g, self->v.id, &self->s);
	EXPECT_CNT(ROUNDS, CALLS);
	EXPECT_CNT(0, CALL_COALESCED);
	EXPECT_CNT(2 * ROUNDS, INJECTS);
	EXPECT_CNT(ROUNDS, INJECT_UNMATCHED);
	EXPECT_CNT(ROUNDS, INJECT_COALESCED);
	EXPECT_CNT(ROUNDS, ENTRIES);
	EXPECT_SPAN(ROUNDS, CALL_INJECT);
	EXPECT_SPAN(ROUNDS, INJECT_ENTRY);
}

TEST_F_TIMEOUT(irqfd, an_msi_to_all_is_one_inject_for_each_vcpu, SLOW)
{
	set_msi(_metadata, &self->m, 0xff << 12);
	set_irqfd(_metadata, &self->m, self->call, 0);
	expect_both(_metadata, self);
}

TEST_F_TIMEOUT(irqfd, an_msi_to_a_logical_set_is_one_inject_for_each_vcpu, SLOW)
{
	set_msi(_metadata, &self->m, LOGICAL_DEST | 3 << 12);
	set_irqfd(_metadata, &self->m, self->call, 0);
	expect_both(_metadata, self);
}

TEST_F_TIMEOUT(irqfd, an_msi_goes_to_the_one_vcpu_it_names, SLOW)
{
	const uint32_t physical = 1 << 12, logical = LOGICAL_DEST | 2 << 12;
	uint64_t i;

	set_msi(_metadata, &self->m, physical);
	set_irqfd(_metadata, &self->m, self->call, 0);
	for (i = 1; i <= ROUNDS; i++) {
		set_msi(_metadata, &self->m, i & 1 ? physical : logical);
		call(_metadata, self, i);
		vcpu_run(_metadata, &self->c[0]);
		ASSERT_EQ(i - 1, taken(&self->m));
		vcpu_run(_metadata, &self->c[1]);
		ASSERT_EQ(i, taken(&self->m));
	}
	stats_get(_metadata, &self->g, self->v.id, &self->s);
	EXPECT_CNT(ROUNDS, INJECTS_ATOMIC);
	EXPECT_CNT(0, INJECTS_DEFERRED);
	EXPECT_CNT(0, INJECT_UNMATCHED);
	EXPECT_CNT(ROUNDS, ENTRIES);
}

static void set_level(struct __test_metadata *_metadata, struct machine *m)
{
	struct kvm_irqchip chip = { .chip_id = KVM_IRQCHIP_IOAPIC };

	set_route(_metadata, m, false, VECTOR);
	kvm_ioctl(m->vm, KVM_GET_IRQCHIP, &chip);
	chip.chip.ioapic.redirtbl[IOAPIC_PIN].bits |= IOAPIC_LEVEL;
	kvm_ioctl(m->vm, KVM_SET_IRQCHIP, &chip);
}

/* The line stays up until the guest has ended the interrupt, which resample tells. */
TEST_F_TIMEOUT(irqfd, a_level_is_one_inject_until_it_is_resampled, SLOW)
{
	int resample = new_eventfd(_metadata, EFD_NONBLOCK);
	struct kvm_irqfd irqfd = {
		.fd = self->call,
		.gsi = GSI,
		.flags = KVM_IRQFD_FLAG_RESAMPLE,
		.resamplefd = resample,
	};
	eventfd_t value;
	uint64_t i;

	set_level(_metadata, &self->m);
	kvm_ioctl(self->m.vm, KVM_IRQFD, &irqfd);
	for (i = 1; i <= ROUNDS; i++) {
		call(_metadata, self, i);
		ASSERT_EQ(-1, eventfd_read(resample, &value));
		vcpu_run(_metadata, &self->c[0]);
		ASSERT_EQ(i, taken(&self->m));
		ASSERT_EQ(0, eventfd_read(resample, &value));
	}
	stats_get(_metadata, &self->g, self->v.id, &self->s);
	EXPECT_CNT(ROUNDS, CALLS);
	EXPECT_CNT(ROUNDS, INJECTS_DEFERRED);
	EXPECT_CNT(0, INJECTS_ATOMIC);
	EXPECT_CNT(ROUNDS, ENTRIES);
	EXPECT_SPAN(ROUNDS, CALL_INJECT);
}

TEST_F_TIMEOUT(irqfd, a_call_without_a_route_injects_nothing, SLOW)
{
	struct kvm_irq_routing none = { .nr = 0 };
	int i;

	kvm_ioctl(self->m.vm, KVM_SET_GSI_ROUTING, &none);
	set_irqfd(_metadata, &self->m, self->call, 0);
	for (i = 0; i < ROUNDS; i++)
		ASSERT_EQ(0, eventfd_write(self->call, 1));
	/* What KVM may have left to its work item is done when the irqfd is gone. */
	set_irqfd(_metadata, &self->m, self->call, KVM_IRQFD_FLAG_DEASSIGN);
	vcpu_run(_metadata, &self->c[0]);
	EXPECT_EQ(0u, taken(&self->m));
	stats_get(_metadata, &self->g, self->v.id, &self->s);
	EXPECT_CNT(ROUNDS, CALLS);
	EXPECT_CNT(ROUNDS - 1, CALL_COALESCED);
	EXPECT_CNT(0, INJECTS);
	EXPECT_CNT(0, ENTRIES);
	/* The first call is still waiting for its interrupt. */
	set_msi(_metadata, &self->m, 0);
	set_irqfd(_metadata, &self->m, self->call, 0);
	call(_metadata, self, 1);
	stats_get(_metadata, &self->g, self->v.id, &self->s);
	EXPECT_CNT(ROUNDS, CALL_COALESCED);
	EXPECT_SPAN(1, CALL_INJECT);
}

/* Runs the guest to its exit port; returns how many doorbells nobody took. */
static unsigned int doorbells(struct __test_metadata *_metadata, struct vcpu *c, unsigned int nr,
			      uint16_t value, const struct machine *m)
{
	unsigned int untaken = 0;
	struct kvm_regs regs;

	kvm_ioctl(c->fd, KVM_GET_REGS, &regs);
	regs.rip = guest_addr(m, guest_kick);
	regs.rcx = nr;
	regs.rax = value;
	kvm_ioctl(c->fd, KVM_SET_REGS, &regs);
	for (;;) {
		kvm_ioctl(c->fd, KVM_RUN, 0);
		ASSERT_EQ(KVM_EXIT_IO, (int)c->run->exit_reason);
		if (c->run->io.port != PORT_DOORBELL)
			break;
		untaken++;
	}
	ASSERT_EQ(PORT_EXIT, c->run->io.port);
	return untaken;
}

TEST_F_TIMEOUT(irqfd, a_doorbell_with_another_value_is_no_kick, SLOW)
{
	struct kvm_ioeventfd io = {
		.addr = PORT_DOORBELL,
		.len = 2,
		.fd = self->kick,
		.datamatch = 7,
		.flags = KVM_IOEVENTFD_FLAG_PIO | KVM_IOEVENTFD_FLAG_DATAMATCH,
	};

	kvm_ioctl(self->m.vm, KVM_IOEVENTFD, &io);
	EXPECT_EQ(0u, doorbells(_metadata, &self->c[0], 300, 7, &self->m));
	EXPECT_EQ(200u, doorbells(_metadata, &self->c[0], 200, 8, &self->m));
	EXPECT_EQ(0u, doorbells(_metadata, &self->c[0], 100, 7, &self->m));
	stats_get(_metadata, &self->g, self->v.id, &self->s);
	EXPECT_CNT(400, KICKS);
	EXPECT_CNT(400, KICKS_KVM);
	EXPECT_CNT(399, KICK_COALESCED);
	EXPECT_CNT(0, EXIT_MISSED);
	EXPECT_SPAN(400, EXIT_KICK);
}

USE_MODULE_WITH_ANCHOR

TEST_HARNESS_MAIN
