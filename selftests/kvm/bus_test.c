// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which device a guest's access goes to, and which message a GSI is.
 */
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include <vringlab/err.h>
#include <vringlab/vmm.h>
#include <vringlab/vmm_bus.h>
#include <vringlab/vmm_gsi.h>
#include <vringlab/vmm_vcpu.h>

#include "kvm.h"

/* What a device was last asked. */
struct seen {
	unsigned int reads;
	unsigned int writes;
	uint64_t offset;
	unsigned int len;
	uint64_t value;
};

static void seen_read(void *ctx, uint64_t offset, void *data, unsigned int len)
{
	struct seen *seen = ctx;

	seen->reads++;
	seen->offset = offset;
	seen->len = len;
	memset(data, 0x5a, len);
}

static void seen_write(void *ctx, uint64_t offset, const void *data, unsigned int len)
{
	struct seen *seen = ctx;

	seen->writes++;
	seen->offset = offset;
	seen->len = len;
	seen->value = 0;
	memcpy(&seen->value, data, len);
}

static const struct vmm_range_ops seen_ops = { .read = seen_read, .write = seen_write };

FIXTURE(bus)
{
	struct vmm *vm;
	struct vl_err err;
	struct seen seen;
};

FIXTURE_SETUP(bus)
{
	REQUIRE_KVM();
	memset(&self->seen, 0, sizeof(self->seen));
	ASSERT_EQ(0, vmm_create(&self->vm, NULL, &self->err))
	{
		TH_LOG("%s", self->err.msg);
	}
}

FIXTURE_TEARDOWN(bus)
{
	vmm_destroy(self->vm);
}

static int add(struct vmm *vm, enum vmm_bus bus, uint64_t addr, uint64_t size, struct seen *seen)
{
	const struct vmm_range range = {
		.bus = bus,
		.addr = addr,
		.size = size,
		.ops = &seen_ops,
		.ctx = seen,
		.name = "seen",
	};

	return vmm_bus_add(vm, &range, NULL);
}

/* An access as KVM tells it. Returns what a read has brought. */
static uint64_t mmio(struct vmm *vm, uint64_t addr, unsigned int len, bool write, uint64_t value)
{
	struct kvm_run run = { .exit_reason = KVM_EXIT_MMIO };

	run.mmio.phys_addr = addr;
	run.mmio.len = len;
	run.mmio.is_write = write;
	memcpy(run.mmio.data, &value, sizeof(value));
	if (vmm_bus_exit(vm, &run, NULL) != VMM_EXIT_HANDLED)
		return 0xbad;
	value = 0;
	memcpy(&value, run.mmio.data, len);
	return value;
}

TEST_F(bus, an_access_goes_to_the_range_that_has_all_of_it)
{
	struct seen other = { 0 };

	ASSERT_EQ(0, add(self->vm, VMM_BUS_MMIO, 0xd0000000, 0x1000, &self->seen));
	ASSERT_EQ(0, add(self->vm, VMM_BUS_MMIO, 0xd0001000, 0x10, &other));
	EXPECT_EQ(0x5a5a5a5a, mmio(self->vm, 0xd0000ffc, 4, false, 0));
	EXPECT_EQ(0xffc, self->seen.offset);
	EXPECT_EQ(0x5a, mmio(self->vm, 0xd0001000, 1, false, 0));
	EXPECT_EQ(1, other.reads);
	mmio(self->vm, 0xd0001008, 8, true, 0x1122334455667788);
	EXPECT_EQ(8, other.offset);
	EXPECT_EQ(0x1122334455667788, other.value);
	/* before, behind, across two ranges, across an end */
	EXPECT_EQ(0xffffffff, mmio(self->vm, 0xcffffffc, 4, false, 0));
	EXPECT_EQ(0xff, mmio(self->vm, 0xd0001010, 1, false, 0));
	EXPECT_EQ(0xffffffff, mmio(self->vm, 0xd0000ffe, 4, false, 0));
	EXPECT_EQ(0xffffffff, mmio(self->vm, 0xd000100e, 4, false, 0));
	EXPECT_EQ(UINT64_MAX, mmio(self->vm, UINT64_MAX, 8, false, 0));
	EXPECT_EQ(1, self->seen.reads);
	EXPECT_EQ(1, other.reads);
	EXPECT_EQ(1, other.writes);
}

TEST_F(bus, ports_and_addresses_are_apart)
{
	struct {
		struct kvm_run run;
		uint16_t data[2];
	} io = { .run.exit_reason = KVM_EXIT_IO, .data = { 0x1234, 0x5678 } };

	ASSERT_EQ(0, add(self->vm, VMM_BUS_PIO, 0x3f8, 8, &self->seen));
	EXPECT_EQ(0xff, mmio(self->vm, 0x3f8, 1, false, 0));
	io.run.io.port = 0x3fa;
	io.run.io.size = 2;
	io.run.io.count = 2;
	io.run.io.direction = KVM_EXIT_IO_OUT;
	io.run.io.data_offset = (uint8_t *)io.data - (uint8_t *)&io.run;
	EXPECT_EQ(VMM_EXIT_HANDLED, vmm_bus_exit(self->vm, &io.run, NULL));
	EXPECT_EQ(2, self->seen.writes);
	EXPECT_EQ(2, self->seen.offset);
	EXPECT_EQ(0x5678, self->seen.value);
	io.run.exit_reason = KVM_EXIT_SHUTDOWN;
	EXPECT_EQ(VMM_EXIT_NOT_KNOWN, vmm_bus_exit(self->vm, &io.run, NULL));
}

TEST_F(bus, ranges_do_not_overlap_and_stay_on_the_bus)
{
	ASSERT_EQ(0, add(self->vm, VMM_BUS_PIO, 0x100, 0x10, &self->seen));
	EXPECT_EQ(-EEXIST, add(self->vm, VMM_BUS_PIO, 0x100, 0x10, &self->seen));
	EXPECT_EQ(-EEXIST, add(self->vm, VMM_BUS_PIO, 0xff, 2, &self->seen));
	EXPECT_EQ(-EEXIST, add(self->vm, VMM_BUS_PIO, 0x10f, 1, &self->seen));
	EXPECT_EQ(-EEXIST, add(self->vm, VMM_BUS_PIO, 0, 0x10000, &self->seen));
	EXPECT_EQ(0, add(self->vm, VMM_BUS_PIO, 0x110, 1, &self->seen));
	EXPECT_EQ(0, add(self->vm, VMM_BUS_PIO, 0xff, 1, &self->seen));
	EXPECT_EQ(-EINVAL, add(self->vm, VMM_BUS_PIO, 0x200, 0, &self->seen));
	EXPECT_EQ(-EINVAL, add(self->vm, VMM_BUS_PIO, 0xffff, 2, &self->seen));
	EXPECT_EQ(0, add(self->vm, VMM_BUS_PIO, 0xffff, 1, &self->seen));
	EXPECT_EQ(-EINVAL, add(self->vm, VMM_BUS_MMIO, UINT64_MAX, 2, &self->seen));
	EXPECT_EQ(0, add(self->vm, VMM_BUS_MMIO, UINT64_MAX, 1, &self->seen));
}

TEST_F(bus, a_removed_range_is_gone_and_can_come_again)
{
	ASSERT_EQ(0, add(self->vm, VMM_BUS_MMIO, 0xd0000000, 0x1000, &self->seen));
	vmm_bus_remove(self->vm, VMM_BUS_MMIO, 0xd0000004);
	EXPECT_EQ(0x5a, mmio(self->vm, 0xd0000000, 1, false, 0));
	vmm_bus_remove(self->vm, VMM_BUS_MMIO, 0xd0000000);
	EXPECT_EQ(0xff, mmio(self->vm, 0xd0000000, 1, false, 0));
	EXPECT_EQ(0, add(self->vm, VMM_BUS_MMIO, 0xd0000000, 0x1000, &self->seen));
	EXPECT_EQ(0x5a, mmio(self->vm, 0xd0000000, 1, false, 0));
}

TEST_F(bus, there_is_an_end_to_ranges)
{
	for (unsigned int i = 0; i < VMM_RANGES_MAX; i++)
		ASSERT_EQ(0, add(self->vm, VMM_BUS_PIO, i * 4, 4, &self->seen));
	EXPECT_EQ(-ENOSPC, add(self->vm, VMM_BUS_PIO, VMM_RANGES_MAX * 4, 4, &self->seen));
}

TEST_F(bus, a_gsi_needs_an_irqchip)
{
	unsigned int gsi = 7;

	EXPECT_EQ(-EINVAL, vmm_gsi_alloc(self->vm, &gsi, &self->err));
	EXPECT_EQ(7, gsi);
}

TEST_F(bus, gsis_are_given_out_once_and_routed_again_and_again)
{
	unsigned int first, second, again;

	ASSERT_EQ(0, vmm_irqchip_create(self->vm, VMM_IRQCHIP_PC, &self->err));
	ASSERT_EQ(0, vmm_gsi_alloc(self->vm, &first, &self->err));
	ASSERT_EQ(0, vmm_gsi_alloc(self->vm, &second, &self->err));
	EXPECT_LE(VMM_GSI_PINS, first);
	EXPECT_NE(first, second);
	for (uint32_t vector = 0x30; vector < 0x40; vector++)
		EXPECT_EQ(0, vmm_gsi_route(self->vm, second, 0xfee00000, vector, &self->err));
	vmm_gsi_free(self->vm, first);
	ASSERT_EQ(0, vmm_gsi_alloc(self->vm, &again, &self->err));
	EXPECT_EQ(first, again);
	EXPECT_EQ(0, vmm_gsi_set_line(self->vm, 4, true, &self->err));
	EXPECT_EQ(0, vmm_gsi_set_line(self->vm, 4, false, &self->err));
}

TEST_F(bus, there_is_an_end_to_gsis)
{
	unsigned int gsi;

	ASSERT_EQ(0, vmm_irqchip_create(self->vm, VMM_IRQCHIP_LAPIC, &self->err));
	for (unsigned int i = 0; i < VMM_GSI_MSI_MAX; i++)
		ASSERT_EQ(0, vmm_gsi_alloc(self->vm, &gsi, &self->err));
	EXPECT_EQ(-ENOSPC, vmm_gsi_alloc(self->vm, &gsi, &self->err));
}

TEST_F(bus, an_eventfd_is_the_irqfd_of_one_gsi)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	unsigned int first, second;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, vmm_irqchip_create(self->vm, VMM_IRQCHIP_LAPIC, &self->err));
	ASSERT_EQ(0, vmm_gsi_alloc(self->vm, &first, &self->err));
	ASSERT_EQ(0, vmm_gsi_alloc(self->vm, &second, &self->err));
	ASSERT_EQ(0, vmm_irqfd_add(self->vm, fd, first, -1, &self->err));
	EXPECT_EQ(-EBUSY, vmm_irqfd_add(self->vm, fd, second, -1, &self->err));
	ASSERT_EQ(0, vmm_irqfd_detach(self->vm, fd, first, &self->err));
	EXPECT_EQ(0, vmm_irqfd_add(self->vm, fd, second, -1, &self->err));
	close(fd);
}

TEST_HARNESS_MAIN
