// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupts of devices whose driver has no MSI-X: the level of INTx, which the driver
 * takes by reading ISR status, and the edges of MMIO.
 */
#include <errno.h>
#include <linux/pci_regs.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_pci.h>
#include <sys/eventfd.h>

#include <kselftest_harness.h>

#include <vringlab/vmm_gsi.h>

#include "kvm.h"
#include "t_deputy.h"
#include "t_virtio.h"

#define SLOT T_VIRTIO_SLOT
#define VECTOR 0x50u
#define ISR_QUEUE 1u
#define ISR_CONFIG 2u

/* 82093AA datasheet: index and data; two registers an entry; level is bit 15. */
#define IOAPIC 0xfec00000u
#define IOAPIC_DATA (IOAPIC + 0x10)
#define IOAPIC_ENTRY(pin) (0x10 + 2 * (pin))
#define IOAPIC_LEVEL 0x8000u

/* clang-format off */
FIXTURE(irq)
{
	struct t_virtio v;
	struct t_deputy *guest;
	struct vl_err err;
};

FIXTURE_VARIANT(irq)
{
	bool mmio;
};

FIXTURE_VARIANT_ADD(irq, intx)
{
	.mmio = false,
};

FIXTURE_VARIANT_ADD(irq, mmio)
{
	.mmio = true,
};

/* clang-format on */

FIXTURE_SETUP(irq)
{
	unsigned int gsi = variant->mmio ? T_VIRTIO_MMIO_GSI : pci_intx_gsi(SLOT);

	REQUIRE_KVM();
	ASSERT_EQ(0, t_virtio_init(&self->v, variant->mmio, &self->err))
	{
		TH_LOG("%s", self->err.msg);
	}
	ASSERT_EQ(0, t_deputy_start(&self->guest, self->v.vm, &self->err))
	{
		TH_LOG("%s", self->err.msg);
	}
	t_deputy_write(self->guest, IOAPIC, 4, IOAPIC_ENTRY(gsi) + 1);
	t_deputy_write(self->guest, IOAPIC_DATA, 4, 0);
	t_deputy_write(self->guest, IOAPIC, 4, IOAPIC_ENTRY(gsi));
	t_deputy_write(self->guest, IOAPIC_DATA, 4, VECTOR | (variant->mmio ? 0 : IOAPIC_LEVEL));
	t_virtio_drive(&self->v);
	ASSERT_EQ(3u, self->v.live)
	{
		TH_LOG("%s", self->v.failure.msg);
	}
}

FIXTURE_TEARDOWN(irq)
{
	t_deputy_stop(self->guest);
	t_virtio_exit(&self->v);
}

/* The handler of a level has nothing to lower it with: the driver masks the line. */
static void set_intx(struct t_virtio *v, bool enabled)
{
	t_pci_write(v->vm, SLOT, PCI_COMMAND, 2,
		    PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER |
			    (enabled ? 0 : PCI_COMMAND_INTX_DISABLE));
}

static uint8_t read_isr(struct t_virtio *v)
{
	return t_mmio_read(v->vm, t_pci_area(v, VIRTIO_PCI_CAP_ISR_CFG), 1);
}

static bool asserted(struct t_virtio *v)
{
	return t_pci_read(v->vm, SLOT, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT;
}

TEST_F(irq, a_call_interrupts)
{
	struct t_virtio *v = &self->v;

	if (!variant->mmio)
		set_intx(v, false);
	eventfd_write(v->backend.queues[1].call_fd, 1);
	if (variant->mmio) {
		EXPECT_EQ(1u, t_deputy_wait(self->guest, VECTOR, 1));
		EXPECT_EQ((uint32_t)VIRTIO_MMIO_INT_VRING,
			  t_mmio_read(v->vm, v->gpa + VIRTIO_MMIO_INTERRUPT_STATUS, 4));
		eventfd_write(v->backend.queues[2].call_fd, 1);
		EXPECT_EQ(2u, t_deputy_wait(self->guest, VECTOR, 2));
		return;
	}
	t_virtio_turn(v);
	EXPECT_TRUE(asserted(v));
	t_deputy_read(self->guest, v->gpa, 4);
	EXPECT_EQ(0u, t_deputy_interrupts(self->guest, VECTOR));
	set_intx(v, true);
	EXPECT_LE(1u, t_deputy_wait(self->guest, VECTOR, 1));
	EXPECT_EQ(ISR_QUEUE, t_deputy_read(self->guest, t_pci_area(v, VIRTIO_PCI_CAP_ISR_CFG), 1));
	EXPECT_FALSE(asserted(v));
	EXPECT_EQ(0u, read_isr(v));
}

TEST_F(irq, a_change_of_config_interrupts)
{
	struct virtio_backend *be = &self->v.backend.be;
	struct t_virtio *v = &self->v;
	uint32_t status = v->gpa + VIRTIO_MMIO_INTERRUPT_STATUS;

	be->config_changed(be);
	EXPECT_LE(1u, t_deputy_wait(self->guest, VECTOR, 1));
	if (!variant->mmio) {
		EXPECT_EQ(ISR_CONFIG, read_isr(v));
		EXPECT_EQ(0u, read_isr(v));
		return;
	}
	EXPECT_EQ(3u, t_mmio_read(v->vm, status, 4));
	t_mmio_write(v->vm, v->gpa + VIRTIO_MMIO_INTERRUPT_ACK, 4, VIRTIO_MMIO_INT_VRING);
	EXPECT_EQ(3u, t_mmio_read(v->vm, status, 4));
	t_mmio_write(v->vm, v->gpa + VIRTIO_MMIO_INTERRUPT_ACK, 4, 3);
	EXPECT_EQ(1u, t_mmio_read(v->vm, status, 4));
	EXPECT_EQ(1u, t_deputy_interrupts(self->guest, VECTOR));
}

TEST_F(irq, nobody_is_interrupted_before_the_start_nor_after_a_reset)
{
	struct virtio_backend *be = &self->v.backend.be;
	struct t_virtio *v = &self->v;

	t_virtio_set_status(v, 0);
	be->config_changed(be);
	eventfd_write(v->backend.queues[0].call_fd, 1);
	t_virtio_turn(v);
	t_deputy_read(self->guest, v->gpa, 4);
	EXPECT_EQ(0u, t_deputy_interrupts(self->guest, VECTOR));
	if (!variant->mmio)
		EXPECT_FALSE(asserted(v));
}

TEST_F(irq, a_doorbell_is_a_kick_without_an_exit)
{
	struct t_virtio *v = &self->v;
	unsigned int exits = t_deputy_exits(self->guest);
	eventfd_t kicks;

	for (unsigned int i = 0; i < T_VIRTIO_QUEUES; i++) {
		uint32_t bell = variant->mmio ? v->gpa + VIRTIO_MMIO_QUEUE_NOTIFY :
						t_pci_area(v, VIRTIO_PCI_CAP_NOTIFY_CFG) + 4 * i;

		t_deputy_write(self->guest, bell, 4, i);
		ASSERT_EQ(0, eventfd_read(v->backend.queues[i].kick_fd, &kicks));
		EXPECT_EQ(1, kicks);
	}
	EXPECT_EQ(exits, t_deputy_exits(self->guest));
}

TEST_F(irq, two_devices_share_a_line)
{
	struct virtio_transport_config config = t_virtio_config(&self->v);
	struct virtio_backend *be = &self->v.backend.be;
	struct t_virtio_backend other_backend;
	struct t_virtio other = self->v;

	if (variant->mmio)
		SKIP(return, "lines are shared by devices on PCI only");
	/* of the same pin, and with a status of its own */
	t_virtio_backend_init(&other_backend);
	config.backend = &other_backend.be;
	ASSERT_EQ(pci_intx_gsi(SLOT), pci_intx_gsi(SLOT + 4));
	ASSERT_EQ(0, virtio_pci_create(&other.t, &config, self->v.bus, SLOT + 4, &self->err));
	be->config_changed(be);
	EXPECT_LE(1u, t_deputy_wait(self->guest, VECTOR, 1));
	virtio_transport_destroy(other.t);
	EXPECT_TRUE(asserted(&self->v));
	EXPECT_EQ(ISR_CONFIG, read_isr(&self->v));
}

TEST_F(irq, with_msix_there_is_no_line)
{
	struct virtio_backend *be = &self->v.backend.be;
	struct t_virtio *v = &self->v;
	unsigned int cap;

	if (variant->mmio)
		SKIP(return, "MMIO has no MSI-X");
	set_intx(v, false);
	be->config_changed(be);
	EXPECT_TRUE(asserted(v));
	cap = t_pci_capability(v->vm, SLOT, PCI_CAP_ID_MSIX, 0);
	t_pci_write(v->vm, SLOT, cap + PCI_MSIX_FLAGS, 2, PCI_MSIX_FLAGS_ENABLE);
	EXPECT_FALSE(asserted(v));
	/* the call waits for a vector, or for the line again */
	eventfd_write(v->backend.queues[0].call_fd, 1);
	t_virtio_turn(v);
	EXPECT_FALSE(asserted(v));
	t_pci_write(v->vm, SLOT, cap + PCI_MSIX_FLAGS, 2, 0);
	t_virtio_turn(v);
	EXPECT_TRUE(asserted(v));
	EXPECT_EQ(ISR_QUEUE | ISR_CONFIG, read_isr(v));
}

TEST_F(irq, a_device_that_is_no_bus_master_any_more_is_stopped)
{
	struct t_virtio *v = &self->v;

	if (variant->mmio)
		SKIP(return, "by MMIO there is no such bit");
	t_pci_write(v->vm, SLOT, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	EXPECT_FALSE(v->backend.started);
	EXPECT_EQ(0u, v->live);
	EXPECT_EQ(T_VIRTIO_DRIVER_OK | VIRTIO_CONFIG_S_NEEDS_RESET, t_virtio_status(v));
	EXPECT_EQ(-ENODEV, v->failure.code);
	set_intx(v, false);
	t_virtio_drive(v);
	EXPECT_TRUE(v->backend.started);
	EXPECT_EQ(1u, v->failures);
}

TEST_F(irq, a_queue_that_is_taken_back_while_served_needs_a_reset)
{
	struct t_virtio *v = &self->v;

	if (!variant->mmio)
		SKIP(return, "on PCI a driver cannot do that");
	t_virtio_select(v, 1);
	EXPECT_TRUE(t_virtio_enabled(v));
	t_mmio_write(v->vm, v->gpa + VIRTIO_MMIO_QUEUE_READY, 4, 0);
	EXPECT_FALSE(t_virtio_enabled(v));
	EXPECT_EQ(T_VIRTIO_DRIVER_OK | VIRTIO_CONFIG_S_NEEDS_RESET, t_virtio_status(v));
	EXPECT_FALSE(v->backend.started);
	EXPECT_EQ(0u, v->live);
	EXPECT_EQ(1u, t_deputy_wait(self->guest, VECTOR, 1));
	/* before it is served he may */
	t_virtio_negotiate(v, 1ull << VIRTIO_F_VERSION_1);
	t_virtio_setup(v, 1, 64);
	t_mmio_write(v->vm, v->gpa + VIRTIO_MMIO_QUEUE_READY, 4, 0);
	EXPECT_FALSE(t_virtio_enabled(v));
	EXPECT_EQ(T_VIRTIO_FEATURES_OK, t_virtio_status(v));
	EXPECT_EQ(1u, v->failures);
}

TEST_F(irq, registers_by_mmio_are_what_the_specification_says)
{
	static const struct {
		uint32_t offset;
		uint32_t value;
	} registers[] = {
		{ VIRTIO_MMIO_MAGIC_VALUE, 0x74726976 },
		{ VIRTIO_MMIO_VERSION, 2 },
		{ VIRTIO_MMIO_DEVICE_ID, 4 },
		{ VIRTIO_MMIO_VENDOR_ID, 0x1af4 },
		{ VIRTIO_MMIO_SHM_LEN_LOW, UINT32_MAX },
		{ VIRTIO_MMIO_SHM_LEN_HIGH, UINT32_MAX },
		{ VIRTIO_MMIO_QUEUE_DESC_LOW, 0 },
		{ 0xf8, 0 },
	};
	struct t_virtio *v = &self->v;

	if (!variant->mmio)
		SKIP(return, "PCI has others");
	for (unsigned int i = 0; i < sizeof(registers) / sizeof(registers[0]); i++)
		EXPECT_EQ(registers[i].value, t_mmio_read(v->vm, v->gpa + registers[i].offset, 4));
	/* of another width or place than theirs they are nothing */
	EXPECT_EQ(0u, t_mmio_read(v->vm, v->gpa, 1));
	EXPECT_EQ(0u, t_mmio_read(v->vm, v->gpa + 2, 4));
	EXPECT_EQ(0u, t_mmio_read(v->vm, v->gpa, 8));
	t_mmio_write(v->vm, v->gpa + VIRTIO_MMIO_STATUS, 1, 0);
	t_mmio_write(v->vm, v->gpa + VIRTIO_MMIO_STATUS, 4, 0x100);
	EXPECT_EQ(T_VIRTIO_DRIVER_OK, t_virtio_status(v));
}

TEST_HARNESS_MAIN
