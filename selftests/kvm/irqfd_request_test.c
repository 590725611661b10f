// SPDX-License-Identifier: GPL-2.0-only
/*
 * What KVM_IRQFD and KVM_SET_GSI_ROUTING take and what they refuse, by request, without a
 * vCPU.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "kvm.h"

/* One beyond the pins of the IOAPIC, whose number is KVM_IOAPIC_NUM_PINS. */
#define GSI 100u
#define PINS 24u

/* clang-format off */
FIXTURE(request)
{
	struct bare_vm bare;
	int fd;
	int resample;
};

/* clang-format on */

FIXTURE_SETUP(request)
{
	REQUIRE_KVM();
	bare_vm_open(&self->bare);
	ASSERT_LE(0, self->bare.vm);
	self->fd = eventfd(0, EFD_CLOEXEC);
	self->resample = eventfd(0, EFD_CLOEXEC);
	ASSERT_LE(0, self->fd);
	ASSERT_LE(0, self->resample);
}

FIXTURE_TEARDOWN(request)
{
	close(self->resample);
	close(self->fd);
	bare_vm_close(&self->bare);
}

static int ask(int vm, int fd, uint32_t gsi, uint32_t flags, int resample)
{
	struct kvm_irqfd arg = { .fd = fd, .gsi = gsi, .flags = flags, .resamplefd = resample };

	return ioctl(vm, KVM_IRQFD, &arg) ? -errno : 0;
}

static int split(int vm)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_SPLIT_IRQCHIP, .args = { PINS } };

	return ioctl(vm, KVM_ENABLE_CAP, &cap) ? -errno : 0;
}

/* A table of one or two routes. */
static int set_routes(int vm, uint32_t flags, unsigned int nr,
		      const struct kvm_irq_routing_entry *first,
		      const struct kvm_irq_routing_entry *second)
{
	struct {
		struct kvm_irq_routing head;
		struct kvm_irq_routing_entry entries[2];
	} table = { .head = { .nr = nr, .flags = flags } };

	table.entries[0] = *first;
	if (second)
		table.entries[1] = *second;
	return ioctl(vm, KVM_SET_GSI_ROUTING, &table) ? -errno : 0;
}

static struct kvm_irq_routing_entry msi(uint32_t gsi)
{
	return (struct kvm_irq_routing_entry){
		.gsi = gsi,
		.type = KVM_IRQ_ROUTING_MSI,
		.u.msi = { .address_lo = 0xfee00000, .data = 0x50 },
	};
}

static struct kvm_irq_routing_entry pin(uint32_t gsi, uint32_t chip, uint32_t nr)
{
	return (struct kvm_irq_routing_entry){
		.gsi = gsi,
		.type = KVM_IRQ_ROUTING_IRQCHIP,
		.u.irqchip = { .irqchip = chip, .pin = nr },
	};
}

TEST_F(request, an_irqfd_needs_an_irqchip)
{
	EXPECT_EQ(-EINVAL, ask(self->bare.vm, self->fd, 0, 0, 0));
	ASSERT_EQ(0, split(self->bare.vm));
	EXPECT_EQ(0, ask(self->bare.vm, self->fd, 0, 0, 0));
}

TEST_F(request, a_level_needs_the_ioapic_in_the_kernel)
{
	ASSERT_EQ(0, split(self->bare.vm));
	EXPECT_EQ(-EINVAL,
		  ask(self->bare.vm, self->fd, 0, KVM_IRQFD_FLAG_RESAMPLE, self->resample));
}

TEST_F(request, only_eventfds_and_known_flags_are_taken)
{
	ASSERT_EQ(0, ioctl(self->bare.vm, KVM_CREATE_IRQCHIP, 0));
	EXPECT_EQ(-EBADF, ask(self->bare.vm, -1, 0, 0, 0));
	EXPECT_EQ(-EINVAL, ask(self->bare.vm, self->bare.kvm, 0, 0, 0));
	EXPECT_EQ(-EBADF, ask(self->bare.vm, self->fd, 0, KVM_IRQFD_FLAG_RESAMPLE, -1));
	EXPECT_EQ(-EINVAL,
		  ask(self->bare.vm, self->fd, 0, KVM_IRQFD_FLAG_RESAMPLE, self->bare.kvm));
	for (uint32_t flag = 4; flag; flag <<= 1)
		EXPECT_EQ(-EINVAL, ask(self->bare.vm, self->fd, 0, flag, 0));
	/* nothing of all that is left */
	EXPECT_EQ(0, ask(self->bare.vm, self->fd, 0, KVM_IRQFD_FLAG_RESAMPLE, self->resample));
}

TEST_F(request, an_eventfd_is_one_irqfd)
{
	int second = eventfd(0, EFD_CLOEXEC);

	ASSERT_EQ(0, ioctl(self->bare.vm, KVM_CREATE_IRQCHIP, 0));
	ASSERT_EQ(0, ask(self->bare.vm, self->fd, 20, 0, 0));
	EXPECT_EQ(-EBUSY, ask(self->bare.vm, self->fd, 20, 0, 0));
	EXPECT_EQ(-EBUSY, ask(self->bare.vm, self->fd, 21, 0, 0));
	EXPECT_EQ(-EBUSY,
		  ask(self->bare.vm, self->fd, 21, KVM_IRQFD_FLAG_RESAMPLE, self->resample));
	/* and may tell the end of several levels, also of its own */
	EXPECT_EQ(0, ask(self->bare.vm, second, 21, KVM_IRQFD_FLAG_RESAMPLE, self->fd));
	EXPECT_EQ(0, ask(self->bare.vm, self->resample, 22, KVM_IRQFD_FLAG_RESAMPLE, self->fd));
	close(second);
}

TEST_F(request, taking_away_what_is_not_there_is_no_error)
{
	const uint32_t detach = KVM_IRQFD_FLAG_DEASSIGN;

	ASSERT_EQ(0, ioctl(self->bare.vm, KVM_CREATE_IRQCHIP, 0));
	EXPECT_EQ(0, ask(self->bare.vm, self->fd, 20, detach, 0));
	ASSERT_EQ(0, ask(self->bare.vm, self->fd, 20, 0, 0));
	EXPECT_EQ(0, ask(self->bare.vm, self->fd, 21, detach, 0));
	EXPECT_EQ(-EBUSY, ask(self->bare.vm, self->fd, 21, 0, 0));
	EXPECT_EQ(0, ask(self->bare.vm, self->fd, 20, detach, 0));
	EXPECT_EQ(0, ask(self->bare.vm, self->fd, 21, 0, 0));
	EXPECT_EQ(-EBADF, ask(self->bare.vm, -1, 21, detach, 0));
}

TEST_F(request, a_gsi_is_less_than_kvm_tells)
{
	struct kvm_irq_routing_entry entry;
	int max = ioctl(self->bare.vm, KVM_CHECK_EXTENSION, KVM_CAP_IRQ_ROUTING);

	ASSERT_LT(0, max);
	ASSERT_EQ(0, split(self->bare.vm));
	entry = msi(max - 1);
	EXPECT_EQ(0, set_routes(self->bare.vm, 0, 1, &entry, NULL));
	entry = msi(max);
	EXPECT_EQ(-EINVAL, set_routes(self->bare.vm, 0, 1, &entry, NULL));
	entry = msi(UINT32_MAX);
	EXPECT_EQ(-EINVAL, set_routes(self->bare.vm, 0, 1, &entry, NULL));
	entry = msi(GSI);
	EXPECT_EQ(-EINVAL, set_routes(self->bare.vm, 0, max + 1, &entry, NULL));
	EXPECT_EQ(-EINVAL, set_routes(self->bare.vm, 1, 1, &entry, NULL));
	entry.flags = 1u << 31;
	EXPECT_EQ(-EINVAL, set_routes(self->bare.vm, 0, 1, &entry, NULL));
	entry = msi(GSI);
	entry.type = 1000;
	EXPECT_EQ(-EINVAL, set_routes(self->bare.vm, 0, 1, &entry, NULL));
	/* an irqfd may be of a GSI that has no route, nor can have one */
	EXPECT_EQ(0, ask(self->bare.vm, self->fd, max, 0, 0));
}

TEST_F(request, a_gsi_is_one_message_or_one_pin_of_each_chip)
{
	struct kvm_irq_routing_entry message = msi(GSI);
	struct kvm_irq_routing_entry ioapic = pin(GSI, KVM_IRQCHIP_IOAPIC, 3);
	struct kvm_irq_routing_entry other = pin(GSI, KVM_IRQCHIP_IOAPIC, 4);
	struct kvm_irq_routing_entry pic = pin(GSI, KVM_IRQCHIP_PIC_MASTER, 3);

	ASSERT_EQ(0, ioctl(self->bare.vm, KVM_CREATE_IRQCHIP, 0));
	EXPECT_EQ(-EINVAL, set_routes(self->bare.vm, 0, 2, &message, &message));
	EXPECT_EQ(-EINVAL, set_routes(self->bare.vm, 0, 2, &message, &ioapic));
	EXPECT_EQ(-EINVAL, set_routes(self->bare.vm, 0, 2, &ioapic, &other));
	EXPECT_EQ(0, set_routes(self->bare.vm, 0, 2, &ioapic, &pic));
	ioapic = pin(GSI, KVM_IRQCHIP_IOAPIC, PINS);
	EXPECT_EQ(-EINVAL, set_routes(self->bare.vm, 0, 1, &ioapic, NULL));
	pic = pin(GSI, KVM_IRQCHIP_PIC_MASTER, 8);
	EXPECT_EQ(-EINVAL, set_routes(self->bare.vm, 0, 1, &pic, NULL));
	pic = pin(GSI, 3, 0);
	EXPECT_EQ(-EINVAL, set_routes(self->bare.vm, 0, 1, &pic, NULL));
}

TEST_HARNESS_MAIN
