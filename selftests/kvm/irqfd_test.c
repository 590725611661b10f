// SPDX-License-Identifier: GPL-2.0-only
/*
 * What KVM promises of irqfds, with a vCPU that counts: each signal is an interrupt by the
 * route of that moment, whatever else changes. Signals are as one only where the local
 * APIC has the interrupt pending already (its IRR is a bit a vector), so exact counts need
 * a guest that takes one before the next is signalled.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include <vringlab/err.h>
#include <vringlab/vmm.h>
#include <vringlab/vmm_gsi.h>

#include "kvm.h"
#include "t.h"
#include "t_deputy.h"

#define VECTOR 0x50u
#define OTHER 0x51u

/* Of the IOAPIC alone: those below 16 are the PICs' as well. */
#define PIN 20u

/* Intel SDM volume 3, message address: destination in bits 12 to 19. */
#define MSI(apic_id) (0xfee00000u | (apic_id) << 12)
#define MSI_ALL MSI(0xffu)
/* Message data: delivery mode in bits 8 to 10. */
#define MSI_LOWEST_PRIORITY 0x100u

/* 82093AA datasheet: index and data; two registers an entry. */
#define IOAPIC 0xfec00000u
#define IOAPIC_DATA (IOAPIC + 0x10)
#define IOAPIC_ENTRY(pin) (0x10 + 2 * (pin))
#define IOAPIC_LEVEL 0x8000u
#define IOAPIC_MASKED 0x10000u

/* clang-format off */
FIXTURE(irqfd)
{
	struct vmm *vm;
	struct t_deputy *guest;
	struct vl_err err;
	unsigned int gsi;
	int fd;
};

/* clang-format on */

static int new_eventfd(void)
{
	return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

FIXTURE_SETUP(irqfd)
{
	REQUIRE_KVM();
	ASSERT_EQ(0, vmm_create(&self->vm, NULL, &self->err))
	{
		TH_LOG("%s", self->err.msg);
	}
	ASSERT_EQ(0, vmm_memory_add(self->vm, 0, T_DEPUTY_MEMORY, NULL, &self->err));
	ASSERT_EQ(0, vmm_irqchip_create(self->vm, VMM_IRQCHIP_PC, &self->err));
	ASSERT_EQ(0, t_deputy_start(&self->guest, self->vm, &self->err))
	{
		TH_LOG("%s", self->err.msg);
	}
	self->fd = new_eventfd();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, vmm_gsi_alloc(self->vm, &self->gsi, &self->err));
	ASSERT_EQ(0, vmm_gsi_route(self->vm, self->gsi, MSI(0), VECTOR, &self->err));
}

FIXTURE_TEARDOWN(irqfd)
{
	t_deputy_stop(self->guest);
	vmm_destroy(self->vm);
	close(self->fd);
}

static int attach(FIXTURE_DATA(irqfd) * self, int fd)
{
	return vmm_irqfd_add(self->vm, fd, self->gsi, -1, &self->err);
}

static void set_pin(FIXTURE_DATA(irqfd) * self, uint32_t entry)
{
	t_deputy_write(self->guest, IOAPIC, 4, IOAPIC_ENTRY(PIN) + 1);
	t_deputy_write(self->guest, IOAPIC_DATA, 4, 0);
	t_deputy_write(self->guest, IOAPIC, 4, IOAPIC_ENTRY(PIN));
	t_deputy_write(self->guest, IOAPIC_DATA, 4, entry);
}

static unsigned int interrupts(FIXTURE_DATA(irqfd) * self)
{
	t_deputy_settle(self->guest);
	return t_deputy_interrupts(self->guest, VECTOR);
}

/* Signals, after a wait for the first. */
static uint64_t taken(int fd)
{
	eventfd_t signals;

	if (t_poll_until(fd, T_DEADLINE_MS) || eventfd_read(fd, &signals))
		return 0;
	return signals;
}

static uint64_t taken_now(int fd)
{
	eventfd_t signals;

	return eventfd_read(fd, &signals) ? 0 : signals;
}

TEST_F(irqfd, each_signal_is_an_interrupt)
{
	ASSERT_EQ(0, attach(self, self->fd));
	for (unsigned int nr = 1; nr <= 200; nr++) {
		/* it is a signal, however much is added */
		eventfd_write(self->fd, nr);
		ASSERT_EQ(nr, t_deputy_wait(self->guest, VECTOR, nr));
	}
	EXPECT_EQ(200u, interrupts(self));
	EXPECT_EQ(0u, taken_now(self->fd));
}

TEST_F(irqfd, several_may_have_one_gsi)
{
	int second = new_eventfd();

	ASSERT_EQ(0, attach(self, self->fd));
	ASSERT_EQ(0, attach(self, second));
	for (unsigned int nr = 1; nr <= 20; nr++) {
		eventfd_write(nr & 1 ? self->fd : second, 1);
		ASSERT_EQ(nr, t_deputy_wait(self->guest, VECTOR, nr));
	}
	ASSERT_EQ(0, vmm_irqfd_detach(self->vm, self->fd, self->gsi, &self->err));
	eventfd_write(self->fd, 1);
	EXPECT_EQ(20u, interrupts(self));
	eventfd_write(second, 1);
	EXPECT_EQ(21u, t_deputy_wait(self->guest, VECTOR, 21));
	close(second);
}

TEST_F(irqfd, what_was_signalled_before_is_one_interrupt)
{
	eventfd_write(self->fd, 3);
	eventfd_write(self->fd, 4);
	ASSERT_EQ(0, attach(self, self->fd));
	EXPECT_EQ(1u, t_deputy_wait(self->guest, VECTOR, 1));
	EXPECT_EQ(1u, interrupts(self));
	eventfd_write(self->fd, 1);
	EXPECT_EQ(2u, t_deputy_wait(self->guest, VECTOR, 2));
	EXPECT_EQ(2u, interrupts(self));
}

TEST_F(irqfd, the_destination_is_the_messages)
{
	ASSERT_EQ(0, attach(self, self->fd));
	ASSERT_EQ(0, vmm_gsi_route(self->vm, self->gsi, MSI_ALL, VECTOR, &self->err));
	eventfd_write(self->fd, 1);
	EXPECT_EQ(1u, t_deputy_wait(self->guest, VECTOR, 1));
	ASSERT_EQ(0, vmm_gsi_route(self->vm, self->gsi, MSI(0), MSI_LOWEST_PRIORITY | VECTOR,
				   &self->err));
	eventfd_write(self->fd, 1);
	EXPECT_EQ(2u, t_deputy_wait(self->guest, VECTOR, 2));
	/* nobody has this APIC id */
	ASSERT_EQ(0, vmm_gsi_route(self->vm, self->gsi, MSI(5), VECTOR, &self->err));
	eventfd_write(self->fd, 1);
	EXPECT_EQ(2u, interrupts(self));
	EXPECT_EQ(0u, taken_now(self->fd));
}

TEST_F(irqfd, a_pin_that_is_edge_triggered_has_an_edge_a_signal)
{
	self->gsi = PIN;
	set_pin(self, VECTOR);
	ASSERT_EQ(0, attach(self, self->fd));
	for (unsigned int nr = 1; nr <= 50; nr++) {
		eventfd_write(self->fd, 1);
		ASSERT_EQ(nr, t_deputy_wait(self->guest, VECTOR, nr));
	}
	EXPECT_EQ(50u, interrupts(self));
}

TEST_F(irqfd, the_end_of_a_level_is_told_once)
{
	int resample = new_eventfd();

	set_pin(self, VECTOR | IOAPIC_LEVEL);
	ASSERT_EQ(0, vmm_irqfd_add(self->vm, self->fd, PIN, resample, &self->err));
	for (unsigned int nr = 1; nr <= 50; nr++) {
		eventfd_write(self->fd, 1);
		ASSERT_EQ(1u, taken(resample));
		ASSERT_EQ(nr, t_deputy_wait(self->guest, VECTOR, nr));
	}
	EXPECT_EQ(50u, interrupts(self));
	EXPECT_EQ(0u, taken_now(resample));
	close(resample);
}

/*
 * Since Linux 6.4 the device is asked when the pin is unmasked, as if the guest had
 * acknowledged: the level may have gone meanwhile. One that has not is to be signalled
 * again. Before, that was an interrupt.
 */
TEST_F(irqfd, a_level_waits_for_its_pin)
{
	int resample = new_eventfd();

	set_pin(self, VECTOR | IOAPIC_LEVEL | IOAPIC_MASKED);
	ASSERT_EQ(0, vmm_irqfd_add(self->vm, self->fd, PIN, resample, &self->err));
	for (unsigned int nr = 1; nr <= 10; nr++) {
		set_pin(self, VECTOR | IOAPIC_LEVEL | IOAPIC_MASKED);
		eventfd_write(self->fd, 1);
		ASSERT_EQ(nr - 1, interrupts(self));
		ASSERT_EQ(0u, taken_now(resample));
		set_pin(self, VECTOR | IOAPIC_LEVEL);
		ASSERT_EQ(1u, taken(resample));
		if (interrupts(self) == nr)
			continue;
		ASSERT_EQ(nr - 1, interrupts(self));
		eventfd_write(self->fd, 1);
		ASSERT_EQ(nr, t_deputy_wait(self->guest, VECTOR, nr));
		ASSERT_EQ(1u, taken(resample));
	}
	/* one that is detached takes its level with it */
	set_pin(self, VECTOR | IOAPIC_LEVEL | IOAPIC_MASKED);
	eventfd_write(self->fd, 1);
	ASSERT_EQ(0, vmm_irqfd_detach(self->vm, self->fd, PIN, &self->err));
	set_pin(self, VECTOR | IOAPIC_LEVEL);
	EXPECT_EQ(10u, interrupts(self));
	EXPECT_EQ(0u, taken_now(resample));
	close(resample);
}

#define SHARERS 4u

TEST_F(irqfd, those_that_share_a_pin_are_all_told)
{
	int fds[SHARERS], resamples[SHARERS];
	unsigned int nr;

	set_pin(self, VECTOR | IOAPIC_LEVEL);
	for (unsigned int i = 0; i < SHARERS; i++) {
		fds[i] = new_eventfd();
		resamples[i] = new_eventfd();
		ASSERT_EQ(0, vmm_irqfd_add(self->vm, fds[i], PIN, resamples[i], &self->err));
	}
	for (nr = 1; nr <= 20; nr++) {
		eventfd_write(fds[nr % SHARERS], 1);
		for (unsigned int i = 0; i < SHARERS; i++)
			ASSERT_EQ(1u, taken(resamples[i]));
		ASSERT_EQ(nr, t_deputy_wait(self->guest, VECTOR, nr));
	}
	/* who has gone is not told, and the others are */
	ASSERT_EQ(0, vmm_irqfd_detach(self->vm, fds[0], PIN, &self->err));
	eventfd_write(fds[1], 1);
	for (unsigned int i = 1; i < SHARERS; i++)
		ASSERT_EQ(1u, taken(resamples[i]));
	EXPECT_EQ(nr, t_deputy_wait(self->guest, VECTOR, nr));
	EXPECT_EQ(nr, interrupts(self));
	EXPECT_EQ(0u, taken_now(resamples[0]));
	for (unsigned int i = 0; i < SHARERS; i++) {
		close(fds[i]);
		close(resamples[i]);
	}
}

/* As a device does it whose condition has not gone when the guest has acknowledged. */
TEST_F(irqfd, a_level_that_is_raised_again_interrupts_again)
{
	int resample = new_eventfd();

	set_pin(self, VECTOR | IOAPIC_LEVEL);
	ASSERT_EQ(0, vmm_irqfd_add(self->vm, self->fd, PIN, resample, &self->err));
	/* held by another as well: the guest is interrupted again and again */
	ASSERT_EQ(0, vmm_gsi_set_line(self->vm, PIN, true, &self->err));
	EXPECT_LE(10u, t_deputy_wait(self->guest, VECTOR, 10));
	ASSERT_EQ(0, vmm_gsi_set_line(self->vm, PIN, false, &self->err));
	interrupts(self);
	EXPECT_LE(10u, taken(resample));
	for (unsigned int before = interrupts(self), nr = 1; nr <= 20; nr++) {
		eventfd_write(self->fd, 1);
		ASSERT_EQ(1u, taken(resample));
		ASSERT_EQ(before + nr, t_deputy_wait(self->guest, VECTOR, before + nr));
	}
	close(resample);
}

/* The routes of all change as long as it runs: ours, and with another neighbour. */
struct router {
	FIXTURE_DATA(irqfd) * self;
	atomic_bool stop;
	unsigned int turns;
	int ret;
};

static void *route(void *arg)
{
	struct router *r = arg;
	struct vmm *vm = r->self->vm;
	unsigned int neighbour;

	r->ret = vmm_gsi_alloc(vm, &neighbour, NULL);
	while (!r->ret && !atomic_load(&r->stop)) {
		uint32_t vector = r->turns++ & 1 ? VECTOR : OTHER;

		r->ret = vmm_gsi_route(vm, r->self->gsi, MSI(0), vector, NULL);
		if (!r->ret)
			r->ret = vmm_gsi_route(vm, neighbour, MSI(0), 0x60 + r->turns % 16, NULL);
	}
	return NULL;
}

#define ROUNDS 100u

TEST_F_TIMEOUT(irqfd, routes_that_change_lose_nothing_and_double_nothing, SLOW)
{
	struct router r = { .self = self };
	unsigned int nr = 0;
	pthread_t thread;

	ASSERT_EQ(0, attach(self, self->fd));
	ASSERT_EQ(0, pthread_create(&thread, NULL, route, &r));
	/* one after the other: each comes by the one vector or the other */
	while (nr < ROUNDS) {
		eventfd_write(self->fd, 1);
		nr++;
		ASSERT_EQ(nr, t_deputy_wait_range(self->guest, VECTOR, OTHER, nr));
	}
	/* as fast as can be: they may be as one in the IRR, and none is invented */
	for (unsigned int i = 0; i < ROUNDS; i++)
		eventfd_write(self->fd, 1);
	atomic_store(&r.stop, true);
	pthread_join(thread, NULL);
	EXPECT_EQ(0, r.ret);
	interrupts(self);
	nr = t_deputy_wait_range(self->guest, VECTOR, OTHER, 0);
	EXPECT_LT(ROUNDS, nr);
	EXPECT_GE(2 * ROUNDS, nr);
	/* the last one counts */
	eventfd_write(self->fd, 1);
	EXPECT_EQ(nr + 1, t_deputy_wait_range(self->guest, VECTOR, OTHER, nr + 1));
	EXPECT_EQ(0u, taken_now(self->fd));
	TH_LOG("%u changes; %u interrupts by one vector, %u by the other", 2 * r.turns,
	       t_deputy_interrupts(self->guest, VECTOR), t_deputy_interrupts(self->guest, OTHER));
}

struct signaller {
	int fd;
	atomic_bool stop;
	unsigned int signals;
};

static void *signal_all_the_time(void *arg)
{
	struct signaller *s = arg;

	while (!atomic_load(&s->stop)) {
		eventfd_write(s->fd, 1);
		s->signals++;
	}
	return NULL;
}

TEST_F(irqfd, after_detaching_under_load_there_is_no_interrupt)
{
	struct signaller s = { .fd = self->fd };
	unsigned int seen = 0;
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, signal_all_the_time, &s));
	for (unsigned int i = 0; i < 30; i++) {
		ASSERT_EQ(0, attach(self, self->fd));
		ASSERT_LT(seen, t_deputy_wait(self->guest, VECTOR, seen + 1));
		ASSERT_EQ(0, vmm_irqfd_detach(self->vm, self->fd, self->gsi, &self->err));
		seen = interrupts(self);
		ASSERT_EQ(seen, interrupts(self));
	}
	atomic_store(&s.stop, true);
	pthread_join(thread, NULL);
	EXPECT_EQ(seen, interrupts(self));
	EXPECT_GE(s.signals + 30, seen);
	/* it is an eventfd as any other again, and all that comes is kept for the next */
	taken_now(self->fd);
	eventfd_write(self->fd, 7);
	EXPECT_EQ(seen, interrupts(self));
	EXPECT_EQ(7u, taken_now(self->fd));
}

TEST_F(irqfd, it_goes_with_the_vm_and_not_with_a_number)
{
	int second = dup(self->fd);

	ASSERT_LE(0, second);
	ASSERT_EQ(0, attach(self, self->fd));
	close(self->fd);
	self->fd = second;
	eventfd_write(second, 1);
	EXPECT_EQ(1u, t_deputy_wait(self->guest, VECTOR, 1));
	EXPECT_EQ(0u, taken_now(second));
	t_deputy_stop(self->guest);
	self->guest = NULL;
	vmm_destroy(self->vm);
	self->vm = NULL;
	eventfd_write(second, 3);
	EXPECT_EQ(3u, taken_now(second));
}

TEST_HARNESS_MAIN
