// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest doorbells and interrupts, by raw KVM ioctls: the module's counts against
 * the guest's own and the kernel's, without our VMM or back-end in between.
 *
 * The guest is 16-bit real mode. A round is
 *
 *   guest: doorbell ─► KICK eventfd      host: read KICK, write CALL
 *   guest: exit port ─► this program           ─► irqfd ─► interrupt, counted
 */
#include <pthread.h>
#include <stdatomic.h>

#include <vringlab/err.h>
#include <vringlab/nl.h>

#include "machine.h"

#define ROUNDS 200

extern const char guest_start[], guest_kick[], guest_round[], guest_irq[], guest_end[];

static const struct code code = { guest_start, guest_end, guest_irq };

/* ds: doorbell page, es: APIC; ecx, ebx: how many PIO and MMIO doorbells. */
/* clang-format off */
asm(".pushsection .rodata\n"
	".code16\n"
	"guest_start:\n"
	"guest_kick:\n"
	"1:	test %ecx, %ecx\n"
	"	jz 2f\n"
	"	mov $0x510, %dx\n"
	"	out %ax, %dx\n"
	"	dec %ecx\n"
	"	jmp 1b\n"
	"2:	test %ebx, %ebx\n"
	"	jz 3f\n"
	"	mov %ax, 0\n"
	"	dec %ebx\n"
	"	jmp 2b\n"
	"3:	mov $0xf4, %dx\n"
	"	out %al, %dx\n"
	"	jmp guest_kick\n"
	/* One doorbell, one exit, one interrupt; sti lets it in no sooner than hlt. */
	"guest_round:\n"
	"	cli\n"
	"	test %ecx, %ecx\n"
	"	jz 4f\n"
	"	mov $0x510, %dx\n"
	"	out %ax, %dx\n"
	"4:	mov $0xf4, %dx\n"
	"	out %al, %dx\n"
	"	movb $1, %cs:0x2004\n"
	"	sti\n"
	"guest_hlt:\n"
	"	hlt\n"
	"	jmp guest_round\n"
	/*
	 * At the hlt only where an emulator (QEMU 7.2's SVM) forgets that sti
	 * should keep it out until then: nothing more would come to end the hlt.
	 * The same one may deliver it twice: the first one of a round counts.
	 */
	"guest_irq:\n"
	"	push %bp\n"
	"	mov %sp, %bp\n"
	"	cmpw $(0x1000 + guest_hlt - guest_start), 2(%bp)\n"
	"	jne 5f\n"
	"	incw 2(%bp)\n"
	"5:	pop %bp\n"
	"	push %ax\n"
	"	xor %ax, %ax\n"
	"	xchg %al, %cs:0x2004\n"
	"	add %ax, %cs:0x2000\n"
	"	pop %ax\n"
	"	movl $0, %es:0xb0\n"
	"	iretw\n"
	"guest_end:\n"
	".code64\n"
	".popsection\n");

/* clang-format on */

#define EXPECT_CNT(expected, name) EXPECT_EQ((uint64_t)(expected), T_CNT(&self->s, name))
#define EXPECT_SPAN(expected, name) EXPECT_EQ((uint64_t)(expected), T_SPAN(&self->s, name)->count)

/* clang-format off */
FIXTURE(doorbell) {
	struct t_genl g;
	struct machine m;
	struct vcpu c[2];
	int kick;
	int call;
	struct t_vring v;
	struct t_stats s;
};

FIXTURE_VARIANT(doorbell) {
	unsigned int nr_pio;
	unsigned int nr_mmio;
	int len;
};

FIXTURE_VARIANT_ADD(doorbell, pio) {
	.nr_pio = ROUNDS,
	.len = 2,
};

FIXTURE_VARIANT_ADD(doorbell, mmio) {
	.nr_mmio = ROUNDS,
	.len = 2,
};

FIXTURE_VARIANT_ADD(doorbell, pio_and_mmio) {
	.nr_pio = ROUNDS,
	.nr_mmio = ROUNDS + 7,
	.len = 2,
};

FIXTURE_VARIANT_ADD(doorbell, any_length) {
	.nr_pio = ROUNDS,
	.nr_mmio = ROUNDS,
	.len = 0,
};

/* clang-format on */

FIXTURE_SETUP(doorbell)
{
	OPEN_OR_SKIP(&self->g);
	OPEN_KVM_OR_SKIP(&self->m);
	machine_init(_metadata, &self->m, &code);
	self->kick = new_eventfd(_metadata, EFD_NONBLOCK);
	self->call = new_eventfd(_metadata, EFD_NONBLOCK);
	add_ioeventfd(_metadata, &self->m, self->kick, true, variant->len);
	add_ioeventfd(_metadata, &self->m, self->kick, false, variant->len);
	register_vring(_metadata, &self->g, self->kick, self->call, &self->v);
}

FIXTURE_TEARDOWN(doorbell)
{
	stats_get(_metadata, &self->g, self->v.id, &self->s);
	EXPECT_LAWFUL(&self->s);
	machine_exit(&self->m);
	t_genl_close(&self->g);
}

TEST_F_TIMEOUT(doorbell, every_write_is_one_kick_and_one_exit, SLOW)
{
	const uint64_t nr = variant->nr_pio + variant->nr_mmio;
	eventfd_t value;

	pin(_metadata, 0);
	vcpu_init(_metadata, &self->m, &self->c[0], 0, guest_kick, variant->nr_pio,
		  variant->nr_mmio);
	vcpu_run(_metadata, &self->c[0]);
	stats_get(_metadata, &self->g, self->v.id, &self->s);
	EXPECT_CNT(nr, KICKS);
	EXPECT_CNT(nr, KICKS_KVM);
	EXPECT_CNT(nr - 1, KICK_COALESCED);
	EXPECT_CNT(0, EXIT_MISSED);
	EXPECT_SPAN(nr, EXIT_KICK);
	EXPECT_SPAN(0, KICK_WAKE);
	/* The kernel's own count. */
	ASSERT_EQ(0, eventfd_read(self->kick, &value));
	EXPECT_EQ(nr, value);
	vcpu_exit(&self->m, &self->c[0]);
}

TEST_F_TIMEOUT(doorbell, a_write_of_the_host_is_told_from_the_guests, SLOW)
{
	const uint64_t nr = variant->nr_pio + variant->nr_mmio;
	int i;

	vcpu_init(_metadata, &self->m, &self->c[0], 0, guest_kick, variant->nr_pio,
		  variant->nr_mmio);
	for (i = 0; i < 10; i++)
		ASSERT_EQ(0, eventfd_write(self->kick, 1));
	vcpu_run(_metadata, &self->c[0]);
	for (i = 0; i < 10; i++)
		ASSERT_EQ(0, eventfd_write(self->kick, 1));
	stats_get(_metadata, &self->g, self->v.id, &self->s);
	EXPECT_CNT(nr + 20, KICKS);
	EXPECT_CNT(nr, KICKS_KVM);
	EXPECT_CNT(20, KICKS_WRITE);
	EXPECT_CNT(0, KICKS_OTHER);
	vcpu_exit(&self->m, &self->c[0]);
}

TEST_F_TIMEOUT(doorbell, nothing_is_counted_before_or_after_the_registration, SLOW)
{
	vcpu_init(_metadata, &self->m, &self->c[0], 0, guest_kick, variant->nr_pio,
		  variant->nr_mmio);
	ASSERT_EQ(0, t_vring_del(&self->g, self->v.id));
	vcpu_run(_metadata, &self->c[0]);
	register_vring(_metadata, &self->g, self->kick, self->call, &self->v);
	stats_get(_metadata, &self->g, self->v.id, &self->s);
	EXPECT_CNT(0, KICKS);
	EXPECT_SPAN(0, EXIT_KICK);
	vcpu_exit(&self->m, &self->c[0]);
}

/* The first that KVM has of them, found or not yet. */
static bool found_kvm_kick(struct t_genl *g, struct t_vring *found)
{
	struct t_vring v[16];
	int i, nr = t_vring_dump(g, v, 16);

	for (i = 0; i < nr && i < 16; i++) {
		*found = v[i];
		if (v[i].has & HAS(FOUND) && v[i].nr_ioeventfds)
			return true;
	}
	return false;
}

TEST_F_TIMEOUT(doorbell, an_ioeventfd_made_unseen_is_found_at_its_first_write, SLOW)
{
	const uint64_t nr = variant->nr_pio + variant->nr_mmio;
	struct kvm_regs regs;
	struct vl_err err;
	uint64_t before;
	struct vlnl *nl;

	ASSERT_EQ(0, vlnl_open(&nl, &err));
	ASSERT_EQ(0, t_vring_del(&self->g, self->v.id));
	ASSERT_EQ(0, vlnl_discover_on(nl, false, &err));
	if (vlnl_layout_tell(nl, &err) <= 0)
		SKIP(return, "needs the kernel's BTF: %s", err.msg);
	vcpu_init(_metadata, &self->m, &self->c[0], 0, guest_kick, variant->nr_pio,
		  variant->nr_mmio);
	kvm_ioctl(self->c[0].fd, KVM_GET_REGS, &regs);
	/* How many eventfds must be seen before one is measured is not ours to say. */
	EXPECT_TRUE(EVENTUALLY((vcpu_run(_metadata, &self->c[0]),
				ioctl(self->c[0].fd, KVM_SET_REGS, &regs),
				found_kvm_kick(&self->g, &self->v))));
	EXPECT_EQ(variant->nr_pio ? (uint64_t)PORT_DOORBELL : MMIO_DOORBELL,
		  self->v.ioeventfd[0].address);
	EXPECT_EQ((uint32_t)variant->len, self->v.ioeventfd[0].length);
	EXPECT_EQ(variant->nr_pio > 0, self->v.ioeventfd[0].pio);
	EXPECT_EQ((uint32_t)getpid(), self->v.vm_pid);

	/* From now on none is missing. */
	stats_get(_metadata, &self->g, self->v.id, &self->s);
	before = T_CNT(&self->s, KICKS_KVM);
	vcpu_run(_metadata, &self->c[0]);
	stats_get(_metadata, &self->g, self->v.id, &self->s);
	EXPECT_CNT(before + nr, KICKS_KVM);
	vcpu_exit(&self->m, &self->c[0]);
	vlnl_close(nl);
	register_vring(_metadata, &self->g, self->kick, self->call, &self->v);
}

/* What was known of it when discovery ended is of yesterday. */
TEST_F_TIMEOUT(doorbell, an_ioeventfd_is_found_again_when_discovery_begins_again, SLOW)
{
	struct kvm_regs regs;
	struct vl_err err;
	struct vlnl *nl;
	int i;

	ASSERT_EQ(0, vlnl_open(&nl, &err));
	ASSERT_EQ(0, t_vring_del(&self->g, self->v.id));
	if (vlnl_layout_tell(nl, &err) <= 0)
		SKIP(return, "needs the kernel's BTF: %s", err.msg);
	vcpu_init(_metadata, &self->m, &self->c[0], 0, guest_kick, variant->nr_pio,
		  variant->nr_mmio);
	kvm_ioctl(self->c[0].fd, KVM_GET_REGS, &regs);
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, vlnl_discover_on(nl, false, &err));
		EXPECT_TRUE(EVENTUALLY((vcpu_run(_metadata, &self->c[0]),
					ioctl(self->c[0].fd, KVM_SET_REGS, &regs),
					found_kvm_kick(&self->g, &self->v))));
		/* Once more, when it is known. */
		vcpu_run(_metadata, &self->c[0]);
		ioctl(self->c[0].fd, KVM_SET_REGS, &regs);
		ASSERT_EQ(0, vlnl_discover_off(nl, &err));
		EXPECT_FALSE(found_kvm_kick(&self->g, &self->v));
	}
	vcpu_exit(&self->m, &self->c[0]);
	vlnl_close(nl);
	register_vring(_metadata, &self->g, self->kick, self->call, &self->v);
}

struct runner {
	pthread_t thread;
	struct __test_metadata *metadata;
	struct vcpu *c;
	int cpu;
};

static void *run_vcpu(void *data)
{
	struct runner *r = data;

	pin(r->metadata, r->cpu);
	vcpu_run(r->metadata, r->c);
	return NULL;
}

TEST_F_TIMEOUT(doorbell, two_vcpus_on_two_cpus_lose_none, SLOW)
{
	const uint64_t nr = 2 * (variant->nr_pio + variant->nr_mmio);
	struct runner r[2];
	int i;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "needs 2 CPUs: scripts/vm --smp 2");
	for (i = 0; i < 2; i++) {
		vcpu_init(_metadata, &self->m, &self->c[i], i, guest_kick, variant->nr_pio,
			  variant->nr_mmio);
		/* Not only the boot vCPU is to start by itself. */
		kvm_ioctl(self->c[i].fd, KVM_SET_MP_STATE,
			  (&(struct kvm_mp_state){ .mp_state = KVM_MP_STATE_RUNNABLE }));
		r[i] = (struct runner){ .metadata = _metadata, .c = &self->c[i], .cpu = i };
	}
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_create(&r[i].thread, NULL, run_vcpu, &r[i]));
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_join(r[i].thread, NULL));
	stats_get(_metadata, &self->g, self->v.id, &self->s);
	EXPECT_CNT(nr, KICKS_KVM);
	EXPECT_CNT(0, EXIT_MISSED);
	EXPECT_SPAN(nr, EXIT_KICK);
	for (i = 0; i < 2; i++)
		vcpu_exit(&self->m, &self->c[i]);
}

/* clang-format off */
FIXTURE(irqfd) {
	struct t_genl g;
	struct machine m;
	struct vcpu c;
	int kick;
	int call;
	struct t_vring v;
	struct t_stats s;
};

FIXTURE_VARIANT(irqfd) {
	bool msi;
};

/* Delivered in the context of the call. */
FIXTURE_VARIANT_ADD(irqfd, msi) {
	.msi = true,
};

/* Left to KVM's work item. */
FIXTURE_VARIANT_ADD(irqfd, ioapic) {
	.msi = false,
};

/* clang-format on */

FIXTURE_SETUP(irqfd)
{
	OPEN_OR_SKIP(&self->g);
	OPEN_KVM_OR_SKIP(&self->m);
	machine_init(_metadata, &self->m, &code);
	self->kick = new_eventfd(_metadata, 0);
	self->call = new_eventfd(_metadata, EFD_NONBLOCK);
	add_ioeventfd(_metadata, &self->m, self->kick, true, 2);
	set_route(_metadata, &self->m, variant->msi, VECTOR);
	set_irqfd(_metadata, &self->m, self->call, 0);
	register_vring(_metadata, &self->g, self->kick, self->call, &self->v);
	pin(_metadata, 0);
}

FIXTURE_TEARDOWN(irqfd)
{
	stats_get(_metadata, &self->g, self->v.id, &self->s);
	EXPECT_LAWFUL(&self->s);
	vcpu_exit(&self->m, &self->c);
	machine_exit(&self->m);
	t_genl_close(&self->g);
}

static uint64_t nr_injects(struct t_genl *g, uint32_t id)
{
	struct t_stats s;

	return t_counters_get(g, id, &s) ? UINT64_MAX : T_CNT(&s, INJECTS);
}

static uint64_t matched_injects(const struct t_stats *s)
{
	return T_CNT(s, INJECTS) - T_CNT(s, INJECT_UNMATCHED);
}

static uint32_t guest_count(const struct machine *m)
{
	return *(volatile uint32_t *)(m->mem + COUNT);
}

TEST_F_TIMEOUT(irqfd, every_call_is_one_inject, SLOW)
{
	uint64_t i;

	vcpu_init(_metadata, &self->m, &self->c, 0, guest_kick, 0, 0);
	for (i = 1; i <= ROUNDS; i++) {
		ASSERT_EQ(0, eventfd_write(self->call, 1));
		/* A work item that is queued already would swallow the next. */
		ASSERT_TRUE(EVENTUALLY(nr_injects(&self->g, self->v.id) == i))
		{
			TH_LOG("%d of %d", (int)nr_injects(&self->g, self->v.id), (int)i);
		}
	}
	stats_get(_metadata, &self->g, self->v.id, &self->s);
	EXPECT_CNT(ROUNDS, CALLS);
	EXPECT_CNT(ROUNDS, CALLS_WRITE);
	EXPECT_CNT(0, CALL_COALESCED);
	EXPECT_CNT(ROUNDS, CALL_UNMATCHED);
	EXPECT_CNT(ROUNDS, INJECTS);
	EXPECT_CNT(variant->msi ? ROUNDS : 0, INJECTS_ATOMIC);
	EXPECT_CNT(variant->msi ? 0 : ROUNDS, INJECTS_DEFERRED);
	EXPECT_CNT(ROUNDS - 1, INJECT_COALESCED);
	EXPECT_CNT(0, INJECT_UNMATCHED);
	EXPECT_CNT(0, ENTRIES);
	EXPECT_SPAN(ROUNDS, CALL_INJECT);
	EXPECT_SPAN(0, INJECT_ENTRY);
	/* One entry takes them all. */
	vcpu_run(_metadata, &self->c);
	stats_get(_metadata, &self->g, self->v.id, &self->s);
	EXPECT_CNT(1, ENTRIES);
	EXPECT_SPAN(1, INJECT_ENTRY);
	/* No kick led to any of it. */
	EXPECT_SPAN(0, KICK_ENTRY);
}

TEST_F_TIMEOUT(irqfd, calls_in_a_burst_are_counted_and_their_injects_accounted_for, SLOW)
{
	int i;

	vcpu_init(_metadata, &self->m, &self->c, 0, guest_kick, 0, 0);
	for (i = 0; i < ROUNDS; i++)
		ASSERT_EQ(0, eventfd_write(self->call, 1));
	/* Its shutdown flushes the work item: nothing is under way afterwards. */
	set_irqfd(_metadata, &self->m, self->call, KVM_IRQFD_FLAG_DEASSIGN);
	stats_get(_metadata, &self->g, self->v.id, &self->s);
	EXPECT_CNT(ROUNDS, CALLS);
	/*
	 * The work item coalesces; an interrupt at once does not. One item may run,
	 * and take the call that another is queued for.
	 */
	if (variant->msi) {
		EXPECT_CNT(ROUNDS, INJECTS);
		EXPECT_CNT(0, INJECT_UNMATCHED);
	}
	EXPECT_EQ((uint64_t)ROUNDS, matched_injects(&self->s) + T_CNT(&self->s, CALL_COALESCED));
}

TEST_F_TIMEOUT(irqfd, a_call_after_its_irqfd_is_gone_injects_nothing, SLOW)
{
	int i;

	vcpu_init(_metadata, &self->m, &self->c, 0, guest_kick, 0, 0);
	ASSERT_EQ(0, eventfd_write(self->call, 1));
	set_irqfd(_metadata, &self->m, self->call, KVM_IRQFD_FLAG_DEASSIGN);
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, eventfd_write(self->call, 1));
	stats_get(_metadata, &self->g, self->v.id, &self->s);
	EXPECT_CNT(4, CALLS);
	EXPECT_CNT(1, INJECTS);
	EXPECT_CNT(2, CALL_COALESCED);
	/* And counts again once it is back. */
	set_irqfd(_metadata, &self->m, self->call, 0);
	ASSERT_TRUE(EVENTUALLY(nr_injects(&self->g, self->v.id) == 2));
}

/* One machine's kick may be another's interrupt: its irqfd comes after our entry. */
TEST_F_TIMEOUT(irqfd, a_kick_that_is_an_interrupt_as_well_is_one_kick, SLOW)
{
	const int kick = self->v.kick_fd;
	int i;

	vcpu_init(_metadata, &self->m, &self->c, 0, guest_kick, 0, 0);
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, eventfd_write(kick, 1));
		set_irqfd(_metadata, &self->m, kick, 0);
		ASSERT_EQ(0, eventfd_write(kick, 1));
		ASSERT_EQ(0, eventfd_write(kick, 1));
		set_irqfd(_metadata, &self->m, kick, KVM_IRQFD_FLAG_DEASSIGN);
	}
	stats_get(_metadata, &self->g, self->v.id, &self->s);
	EXPECT_CNT(9, KICKS);
	EXPECT_CNT(9, KICKS_WRITE);
	EXPECT_CNT(0, CALLS);
}

TEST_F_TIMEOUT(irqfd, a_new_route_changes_no_count, SLOW)
{
	uint64_t i;

	vcpu_init(_metadata, &self->m, &self->c, 0, guest_kick, 0, 0);
	for (i = 1; i <= 40; i++) {
		set_route(_metadata, &self->m, i & 1, VECTOR + i);
		ASSERT_EQ(0, eventfd_write(self->call, 1));
		ASSERT_TRUE(EVENTUALLY(nr_injects(&self->g, self->v.id) == i));
	}
	stats_get(_metadata, &self->g, self->v.id, &self->s);
	EXPECT_CNT(40, CALLS);
	EXPECT_CNT(20, INJECTS_ATOMIC);
	EXPECT_CNT(20, INJECTS_DEFERRED);
	EXPECT_SPAN(40, CALL_INJECT);
}

TEST_F_TIMEOUT(irqfd, interrupts_of_others_are_not_counted, SLOW)
{
	struct kvm_msi msi = { .address_lo = APIC_BASE, .data = VECTOR };
	int i, other = new_eventfd(_metadata, EFD_NONBLOCK);

	vcpu_init(_metadata, &self->m, &self->c, 0, guest_kick, 0, 0);
	set_irqfd(_metadata, &self->m, other, 0);
	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, eventfd_write(other, 1));
		EXPECT_LE(0, ioctl(self->m.vm, KVM_SIGNAL_MSI, &msi));
	}
	set_irqfd(_metadata, &self->m, other, KVM_IRQFD_FLAG_DEASSIGN);
	stats_get(_metadata, &self->g, self->v.id, &self->s);
	EXPECT_CNT(0, CALLS);
	EXPECT_CNT(0, INJECTS);
	EXPECT_CNT(0, INJECT_UNMATCHED);
	vcpu_run(_metadata, &self->c);
	stats_get(_metadata, &self->g, self->v.id, &self->s);
	EXPECT_CNT(0, ENTRIES);
	close(other);
}

TEST_F_TIMEOUT(irqfd, two_vrings_with_one_vcpu_are_kept_apart, SLOW)
{
	int i, kick = new_eventfd(_metadata, 0), call = new_eventfd(_metadata, EFD_NONBLOCK);
	struct t_vring v;
	struct t_stats s;

	vcpu_init(_metadata, &self->m, &self->c, 0, guest_kick, 0, 0);
	set_irqfd(_metadata, &self->m, call, 0);
	register_vring(_metadata, &self->g, kick, call, &v);
	for (i = 1; i <= 30; i++) {
		ASSERT_EQ(0, eventfd_write(call, 1));
		ASSERT_TRUE(EVENTUALLY(nr_injects(&self->g, v.id) == (uint64_t)i));
		if (i % 3)
			continue;
		ASSERT_EQ(0, eventfd_write(self->call, 1));
		ASSERT_TRUE(EVENTUALLY(nr_injects(&self->g, self->v.id) == (uint64_t)i / 3));
	}
	vcpu_run(_metadata, &self->c);
	stats_get(_metadata, &self->g, self->v.id, &self->s);
	EXPECT_CNT(10, INJECTS);
	EXPECT_CNT(1, ENTRIES);
	stats_get(_metadata, &self->g, v.id, &s);
	EXPECT_EQ(30u, T_CNT(&s, INJECTS));
	EXPECT_EQ(1u, T_CNT(&s, ENTRIES));
	EXPECT_LAWFUL(&s);
}

#define CALLERS 6

/* Calls now and then; the lowest of all does so as long as there are others. */
struct caller {
	pthread_t thread;
	int priority;
	int call;
	struct t_vring v;
	uint64_t calls;
	atomic_int *others;
};

static void *call_by_priority(void *data)
{
	struct caller *c = data;
	struct sched_param param = { .sched_priority = c->priority };
	struct timespec pause = { .tv_nsec = 60000 + 17000 * c->priority };
	bool lowest = c->priority == 1;

	if (!pthread_setschedparam(pthread_self(), SCHED_FIFO, &param))
		while (lowest ? *c->others : c->calls < ROUNDS) {
			if (!lowest)
				clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
			if (eventfd_write(c->call, 1))
				break;
			c->calls++;
		}
	if (!lowest)
		(*c->others)--;
	return NULL;
}

/* With PREEMPT_RT also inside the signal, between the irqfd's wake and its inject. */
TEST_F_TIMEOUT(irqfd, callers_that_preempt_each_other_are_kept_apart, SLOW)
{
	atomic_int others = CALLERS - 1;
	struct caller callers[CALLERS];
	struct caller *c;

	vcpu_init(_metadata, &self->m, &self->c, 0, guest_kick, 0, 0);
	for (c = callers; c < callers + CALLERS; c++) {
		*c = (struct caller){
			.priority = c - callers + 1,
			.call = new_eventfd(_metadata, EFD_NONBLOCK),
			.others = &others,
		};
		set_irqfd(_metadata, &self->m, c->call, 0);
		register_vring(_metadata, &self->g, new_eventfd(_metadata, 0), c->call, &c->v);
	}
	for (c = callers; c < callers + CALLERS; c++)
		ASSERT_EQ(0, pthread_create(&c->thread, NULL, call_by_priority, c));
	for (c = callers; c < callers + CALLERS; c++)
		ASSERT_EQ(0, pthread_join(c->thread, NULL));
	for (c = callers; c < callers + CALLERS; c++) {
		set_irqfd(_metadata, &self->m, c->call, KVM_IRQFD_FLAG_DEASSIGN);
		stats_get(_metadata, &self->g, c->v.id, &self->s);
		EXPECT_LAWFUL(&self->s);
		EXPECT_LE(c == callers ? 1u : ROUNDS, c->calls);
		EXPECT_CNT(c->calls, CALLS);
		EXPECT_EQ(c->calls, matched_injects(&self->s) + T_CNT(&self->s, CALL_COALESCED));
		if (variant->msi) {
			EXPECT_CNT(c->calls, INJECTS_ATOMIC);
			EXPECT_CNT(0, INJECT_UNMATCHED);
		}
	}
}

/* The whole path in one thread: each hop exactly once a round. */
TEST_F_TIMEOUT(irqfd, a_round_is_one_of_each_hop, SLOW)
{
	eventfd_t value;
	uint64_t i;

	vcpu_init(_metadata, &self->m, &self->c, 0, guest_round, 1, 0);
	vcpu_run(_metadata, &self->c);
	for (i = 1; i <= ROUNDS; i++) {
		ASSERT_EQ(0, eventfd_read(self->kick, &value));
		ASSERT_EQ(1u, value);
		ASSERT_EQ(0, eventfd_write(self->call, 1));
		vcpu_run(_metadata, &self->c);
		ASSERT_EQ(i, guest_count(&self->m));
	}
	stats_get(_metadata, &self->g, self->v.id, &self->s);
	/* The guest has kicked once more before its last exit. */
	EXPECT_CNT(ROUNDS + 1, KICKS_KVM);
	EXPECT_CNT(ROUNDS + 1, KICKS);
	EXPECT_CNT(ROUNDS, WAKES);
	EXPECT_CNT(ROUNDS, CALLS);
	EXPECT_CNT(ROUNDS, INJECTS);
	EXPECT_CNT(variant->msi ? ROUNDS : 0, INJECTS_ATOMIC);
	EXPECT_CNT(variant->msi ? 0 : ROUNDS, INJECTS_DEFERRED);
	EXPECT_CNT(ROUNDS, ENTRIES);
	EXPECT_CNT(0, KICK_COALESCED);
	EXPECT_CNT(0, WAKE_UNMATCHED);
	EXPECT_CNT(0, WAKE_SUPERSEDED);
	EXPECT_CNT(0, CALL_COALESCED);
	EXPECT_CNT(0, CALL_UNMATCHED);
	EXPECT_CNT(0, INJECT_COALESCED);
	EXPECT_CNT(0, INJECT_UNMATCHED);
	EXPECT_CNT(0, EXIT_MISSED);
	EXPECT_CNT(0, MISSED);
	EXPECT_SPAN(ROUNDS + 1, EXIT_KICK);
	EXPECT_SPAN(ROUNDS, KICK_WAKE);
	EXPECT_SPAN(ROUNDS, WAKE_CALL);
	EXPECT_SPAN(ROUNDS, CALL_INJECT);
	EXPECT_SPAN(ROUNDS, INJECT_ENTRY);
	EXPECT_SPAN(ROUNDS, KICK_ENTRY);
	/* The parts, end to end, are the whole. */
	EXPECT_EQ(T_SPAN(&self->s, KICK_ENTRY)->sum_ns,
		  T_SPAN(&self->s, KICK_WAKE)->sum_ns + T_SPAN(&self->s, WAKE_CALL)->sum_ns +
			  T_SPAN(&self->s, CALL_INJECT)->sum_ns +
			  T_SPAN(&self->s, INJECT_ENTRY)->sum_ns);
}

USE_MODULE_WITH_ANCHOR

TEST_HARNESS_MAIN
