// SPDX-License-Identifier: GPL-2.0-only
/*
 * Doorbells and MSI-X of a device on PCI, with a vCPU that rings the ones and counts the
 * others: none is lost while a vector is masked, and none comes that nobody has called.
 */
#include <errno.h>
#include <linux/pci_regs.h>
#include <linux/virtio_pci.h>
#include <pthread.h>
#include <sys/eventfd.h>

#include <kselftest_harness.h>

#include "kvm.h"
#include "t.h"
#include "t_deputy.h"
#include "t_virtio.h"

#define SLOT T_VIRTIO_SLOT
#define MSI_ADDRESS 0xfee00000u

/* What the entries of the table are, as an interrupt vector of the guest's. */
#define VECTOR(entry) (0x40u + (entry))

#define MASKED 1u
#define ENABLE (PCI_MSIX_FLAGS_ENABLE >> 8)
#define MASKALL (PCI_MSIX_FLAGS_MASKALL >> 8)

/* clang-format off */
FIXTURE(msix)
{
	struct t_virtio v;
	struct t_deputy *guest;
	struct vl_err err;
	uint32_t table;
	uint32_t pba;
	unsigned int cap;
};

/* clang-format on */

static uint32_t entry(const FIXTURE_DATA(msix) * self, unsigned int i)
{
	return self->table + i * PCI_MSIX_ENTRY_SIZE;
}

static void write_entry(FIXTURE_DATA(msix) * self, unsigned int i, uint32_t data, uint32_t ctrl)
{
	struct vmm *vm = self->v.vm;

	t_mmio_write(vm, entry(self, i) + PCI_MSIX_ENTRY_LOWER_ADDR, 4, MSI_ADDRESS);
	t_mmio_write(vm, entry(self, i) + PCI_MSIX_ENTRY_UPPER_ADDR, 4, 0);
	t_mmio_write(vm, entry(self, i) + PCI_MSIX_ENTRY_DATA, 4, data);
	t_mmio_write(vm, entry(self, i) + PCI_MSIX_ENTRY_VECTOR_CTRL, 4, ctrl);
}

static void mask(FIXTURE_DATA(msix) * self, unsigned int i, uint32_t ctrl)
{
	t_mmio_write(self->v.vm, entry(self, i) + PCI_MSIX_ENTRY_VECTOR_CTRL, 4, ctrl);
}

/* The upper byte of Message Control. */
static void control(FIXTURE_DATA(msix) * self, uint8_t flags)
{
	t_pci_write(self->v.vm, SLOT, self->cap + PCI_MSIX_FLAGS + 1, 1, flags);
}

static uint16_t set_vector(struct t_virtio *v, uint16_t queue, uint16_t vector)
{
	uint32_t at = t_pci_area(v, VIRTIO_PCI_CAP_COMMON_CFG) + VIRTIO_PCI_COMMON_Q_MSIX;

	t_virtio_select(v, queue);
	t_mmio_write(v->vm, at, 2, vector);
	return t_mmio_read(v->vm, at, 2);
}

static uint16_t set_config_vector(struct t_virtio *v, uint16_t vector)
{
	uint32_t at = t_pci_area(v, VIRTIO_PCI_CAP_COMMON_CFG) + VIRTIO_PCI_COMMON_MSIX;

	t_mmio_write(v->vm, at, 2, vector);
	return t_mmio_read(v->vm, at, 2);
}

/* As a back-end does it. */
static void call(struct t_virtio *v, unsigned int queue)
{
	eventfd_write(v->backend.queues[queue].call_fd, 1);
}

static uint64_t pending(FIXTURE_DATA(msix) * self)
{
	return t_mmio_read(self->v.vm, self->pba, 8);
}

FIXTURE_SETUP(msix)
{
	struct vmm *vm;

	REQUIRE_KVM();
	ASSERT_EQ(0, t_virtio_init(&self->v, false, &self->err))
	{
		TH_LOG("%s", self->err.msg);
	}
	vm = self->v.vm;
	self->cap = t_pci_capability(vm, SLOT, PCI_CAP_ID_MSIX, 0);
	self->table = self->v.gpa + t_pci_read(vm, SLOT, self->cap + PCI_MSIX_TABLE, 4);
	self->pba = self->v.gpa + t_pci_read(vm, SLOT, self->cap + PCI_MSIX_PBA, 4);
	ASSERT_EQ(0, t_deputy_start(&self->guest, vm, &self->err))
	{
		TH_LOG("%s", self->err.msg);
	}
	/* entry 0 for the config, one for each queue; all of them masked */
	for (unsigned int i = 0; i <= T_VIRTIO_QUEUES; i++)
		write_entry(self, i, VECTOR(i), MASKED);
	control(self, ENABLE);
	t_virtio_negotiate(&self->v, 1ull << VIRTIO_F_VERSION_1);
	EXPECT_EQ(0, set_config_vector(&self->v, 0));
	for (uint16_t i = 0; i < T_VIRTIO_QUEUES; i++) {
		EXPECT_EQ(i + 1, set_vector(&self->v, i, i + 1));
		t_virtio_setup(&self->v, i, 64);
	}
	t_virtio_set_status(&self->v, T_VIRTIO_DRIVER_OK);
	ASSERT_EQ(T_VIRTIO_DRIVER_OK, t_virtio_status(&self->v))
	{
		TH_LOG("%s", self->v.failure.msg);
	}
}

FIXTURE_TEARDOWN(msix)
{
	t_deputy_stop(self->guest);
	t_virtio_exit(&self->v);
}

TEST_F(msix, the_capability_tells_of_the_table)
{
	struct vmm *vm = self->v.vm;

	EXPECT_EQ(T_VIRTIO_QUEUES | PCI_MSIX_FLAGS_ENABLE,
		  t_pci_read(vm, SLOT, self->cap + PCI_MSIX_FLAGS, 2));
	EXPECT_EQ((uint64_t)VECTOR(2) | 1ull << 32, t_mmio_read(vm, entry(self, 2) + 8, 8));
	t_mmio_write(vm, entry(self, 2), 8, 0x123456789abcdef3);
	EXPECT_EQ(0x123456789abcdef0u, t_mmio_read(vm, entry(self, 2), 8));
	EXPECT_EQ(0xbcu, t_mmio_read(vm, entry(self, 2) + 2, 1));
	/* not by halves, not across, not behind the last one */
	t_mmio_write(vm, entry(self, 2), 2, 0);
	t_mmio_write(vm, entry(self, 2) + 4, 8, 0);
	t_mmio_write(vm, entry(self, 2) + 2, 4, 0);
	EXPECT_EQ(0x123456789abcdef0u, t_mmio_read(vm, entry(self, 2), 8));
	t_mmio_write(vm, entry(self, T_VIRTIO_QUEUES + 1), 8, UINT64_MAX);
	EXPECT_EQ(0u, t_mmio_read(vm, entry(self, T_VIRTIO_QUEUES + 1), 8));
	EXPECT_EQ(0u, t_mmio_read(vm, entry(self, T_VIRTIO_QUEUES) + 12, 8));
}

TEST_F(msix, a_doorbell_of_the_guest_is_a_kick_without_an_exit)
{
	struct t_virtio *v = &self->v;
	uint32_t bells = t_pci_area(v, VIRTIO_PCI_CAP_NOTIFY_CFG);
	unsigned int exits = t_deputy_exits(self->guest);
	eventfd_t kicks;

	for (unsigned int i = 0; i < T_VIRTIO_QUEUES; i++) {
		/* Linux writes 16 bits; any width will do */
		t_deputy_write(self->guest, bells + i * 4, 2, i);
		t_deputy_write(self->guest, bells + i * 4, 4, i);
		ASSERT_EQ(0, eventfd_read(v->backend.queues[i].kick_fd, &kicks));
		EXPECT_EQ(2, kicks);
	}
	EXPECT_EQ(exits, t_deputy_exits(self->guest));
	/* not at the first byte of it: that exits, and counts as well */
	t_deputy_write(self->guest, bells + 1, 1, 0);
	EXPECT_EQ(exits + 1, t_deputy_exits(self->guest));
	ASSERT_EQ(0, eventfd_read(v->backend.queues[0].kick_fd, &kicks));
	EXPECT_EQ(1, kicks);
}

TEST_F(msix, the_doorbells_move_with_the_bar)
{
	struct t_virtio *v = &self->v;
	uint32_t before = t_pci_area(v, VIRTIO_PCI_CAP_NOTIFY_CFG), bells;
	unsigned int exits;
	eventfd_t kicks;

	t_virtio_enable_bar(v, 0xd0000000);
	bells = t_pci_area(v, VIRTIO_PCI_CAP_NOTIFY_CFG);
	ASSERT_NE(before, bells);
	exits = t_deputy_exits(self->guest);
	t_deputy_write(self->guest, bells + 4, 2, 1);
	EXPECT_EQ(exits, t_deputy_exits(self->guest));
	ASSERT_EQ(0, eventfd_read(v->backend.queues[1].kick_fd, &kicks));
	EXPECT_EQ(1, kicks);
	/* where they were is nobody */
	t_deputy_write(self->guest, before + 4, 2, 1);
	EXPECT_EQ(exits + 1, t_deputy_exits(self->guest));
	EXPECT_EQ(-1, eventfd_read(v->backend.queues[1].kick_fd, &kicks));
	/* nor anywhere without decoding, and they are back with it */
	t_pci_write(v->vm, SLOT, PCI_COMMAND, 2, PCI_COMMAND_MASTER);
	t_deputy_write(self->guest, bells + 4, 2, 1);
	EXPECT_EQ(-1, eventfd_read(v->backend.queues[1].kick_fd, &kicks));
	t_virtio_enable_bar(v, 0);
	exits = t_deputy_exits(self->guest);
	t_deputy_write(self->guest, bells + 4, 2, 1);
	EXPECT_EQ(exits, t_deputy_exits(self->guest));
	EXPECT_EQ(0, eventfd_read(v->backend.queues[1].kick_fd, &kicks));
	/* a reset takes them away */
	t_virtio_set_status(v, 0);
	t_deputy_write(self->guest, bells + 4, 2, 1);
	EXPECT_EQ(exits + 1, t_deputy_exits(self->guest));
	EXPECT_EQ(-1, eventfd_read(v->backend.queues[1].kick_fd, &kicks));
}

TEST_F(msix, a_call_interrupts_by_the_vector_of_its_queue)
{
	for (unsigned int i = 0; i < T_VIRTIO_QUEUES; i++) {
		mask(self, i + 1, 0);
		call(&self->v, i);
		EXPECT_EQ(1u, t_deputy_wait(self->guest, VECTOR(i + 1), 1));
	}
	for (unsigned int nr = 2; nr < 50; nr++) {
		call(&self->v, 1);
		ASSERT_EQ(nr, t_deputy_wait(self->guest, VECTOR(2), nr));
	}
	EXPECT_EQ(1u, t_deputy_interrupts(self->guest, VECTOR(1)));
	EXPECT_EQ(0u, t_deputy_interrupts(self->guest, VECTOR(0)));
}

TEST_F(msix, what_is_called_while_masked_is_pending_and_comes_once)
{
	for (unsigned int nr = 1; nr < 30; nr++) {
		EXPECT_EQ(0u, pending(self));
		call(&self->v, 0);
		call(&self->v, 0);
		EXPECT_EQ(1u << 1, pending(self));
		/* the guest has run meanwhile, and was not interrupted */
		EXPECT_EQ(1u << 1, t_deputy_read(self->guest, self->pba, 8));
		EXPECT_EQ(nr - 1, t_deputy_interrupts(self->guest, VECTOR(1)));
		mask(self, 1, 0);
		ASSERT_EQ(nr, t_deputy_wait(self->guest, VECTOR(1), nr));
		EXPECT_EQ(0u, pending(self));
		mask(self, 1, MASKED);
		mask(self, 1, 0);
		mask(self, 1, MASKED);
	}
	t_deputy_read(self->guest, self->pba, 8);
	EXPECT_EQ(29u, t_deputy_interrupts(self->guest, VECTOR(1)));
}

TEST_F(msix, the_function_mask_masks_all)
{
	mask(self, 1, 0);
	mask(self, 3, 0);
	control(self, ENABLE | MASKALL);
	call(&self->v, 0);
	call(&self->v, 1);
	call(&self->v, 2);
	EXPECT_EQ(0xeu, t_deputy_read(self->guest, self->pba, 8));
	control(self, ENABLE);
	EXPECT_EQ(1u, t_deputy_wait(self->guest, VECTOR(1), 1));
	EXPECT_EQ(1u, t_deputy_wait(self->guest, VECTOR(3), 1));
	EXPECT_EQ(1u << 2, pending(self));
	EXPECT_EQ(0u, t_deputy_interrupts(self->guest, VECTOR(2)));
}

TEST_F(msix, queues_can_share_a_vector)
{
	for (uint16_t i = 0; i < T_VIRTIO_QUEUES; i++)
		EXPECT_EQ(2, set_vector(&self->v, i, 2));
	mask(self, 2, 0);
	for (unsigned int nr = 1; nr <= 9; nr++) {
		call(&self->v, nr % T_VIRTIO_QUEUES);
		ASSERT_EQ(nr, t_deputy_wait(self->guest, VECTOR(2), nr));
	}
	/* one that leaves takes the others' interrupts not with it */
	EXPECT_EQ(VIRTIO_MSI_NO_VECTOR, set_vector(&self->v, 0, VIRTIO_MSI_NO_VECTOR));
	call(&self->v, 0);
	call(&self->v, 1);
	EXPECT_EQ(10u, t_deputy_wait(self->guest, VECTOR(2), 10));
	t_deputy_read(self->guest, self->pba, 8);
	EXPECT_EQ(10u, t_deputy_interrupts(self->guest, VECTOR(2)));
}

TEST_F(msix, a_vector_that_is_written_anew_interrupts_elsewhere)
{
	mask(self, 1, 0);
	for (uint32_t i = 0; i < 10; i++) {
		/* masked, as Linux does it when an affinity changes */
		write_entry(self, 1, 0x60 + i, MASKED);
		call(&self->v, 0);
		mask(self, 1, 0);
		EXPECT_EQ(1u, t_deputy_wait(self->guest, 0x60 + i, 1));
		/* and at once */
		t_mmio_write(self->v.vm, entry(self, 1) + PCI_MSIX_ENTRY_DATA, 4, 0x80 + i);
		call(&self->v, 0);
		EXPECT_EQ(1u, t_deputy_wait(self->guest, 0x80 + i, 1));
		EXPECT_EQ(1u, t_deputy_interrupts(self->guest, 0x60 + i));
	}
}

TEST_F(msix, a_vector_that_there_is_not_is_none)
{
	EXPECT_EQ(VIRTIO_MSI_NO_VECTOR, set_vector(&self->v, 0, T_VIRTIO_QUEUES + 1));
	EXPECT_EQ(VIRTIO_MSI_NO_VECTOR, set_vector(&self->v, 0, 0x7fff));
	EXPECT_EQ(VIRTIO_MSI_NO_VECTOR, set_config_vector(&self->v, 1000));
	EXPECT_EQ(VIRTIO_MSI_NO_VECTOR, set_vector(&self->v, 500, 1));
	EXPECT_EQ(3, set_vector(&self->v, 0, 3));
}

TEST_F(msix, a_change_of_config_and_a_failure_interrupt_by_their_vector)
{
	struct virtio_backend *be = &self->v.backend.be;
	struct vl_err err;

	mask(self, 0, 0);
	be->config_changed(be);
	EXPECT_EQ(1u, t_deputy_wait(self->guest, VECTOR(0), 1));
	vl_err_set(&err, -EPIPE, "it is gone");
	be->failed(be, &err);
	EXPECT_EQ(2u, t_deputy_wait(self->guest, VECTOR(0), 2));
	mask(self, 0, MASKED);
	be->config_changed(be);
	EXPECT_EQ(1u, pending(self));
	EXPECT_EQ(VIRTIO_MSI_NO_VECTOR, set_config_vector(&self->v, VIRTIO_MSI_NO_VECTOR));
	be->config_changed(be);
	EXPECT_EQ(0u, pending(self));
}

TEST_F(msix, a_reset_takes_the_vectors_and_leaves_the_table)
{
	struct t_virtio *v = &self->v;
	unsigned int before;

	mask(self, 1, 0);
	call(v, 0);
	EXPECT_EQ(1u, t_deputy_wait(self->guest, VECTOR(1), 1));
	call(v, 1);
	EXPECT_EQ(1u << 2, pending(self));
	t_virtio_set_status(v, 0);
	EXPECT_EQ(0u, pending(self));
	EXPECT_EQ(VECTOR(1), t_mmio_read(v->vm, entry(self, 1) + PCI_MSIX_ENTRY_DATA, 8));
	/* what a dead queue calls is of the past */
	call(v, 0);
	t_virtio_drive(v);
	before = t_deputy_interrupts(self->guest, VECTOR(1));
	EXPECT_EQ(1, set_vector(v, 0, 1));
	call(v, 0);
	EXPECT_EQ(before + 1, t_deputy_wait(self->guest, VECTOR(1), before + 1));
}

/* The back-end never stops; the driver masks and unmasks all the time. */
static void *caller(void *arg)
{
	struct t_virtio *v = arg;

	for (unsigned int i = 0; i < 20000; i++)
		call(v, 0);
	return NULL;
}

TEST_F(msix, masking_under_load_loses_nothing)
{
	pthread_t thread;
	unsigned int seen;

	ASSERT_EQ(0, pthread_create(&thread, NULL, caller, &self->v));
	for (unsigned int i = 0; i < 100; i++) {
		mask(self, 1, 0);
		mask(self, 1, MASKED);
	}
	pthread_join(thread, NULL);
	mask(self, 1, 0);
	t_deputy_settle(self->guest);
	mask(self, 1, MASKED);
	EXPECT_EQ(0u, pending(self));
	t_deputy_settle(self->guest);
	seen = t_deputy_interrupts(self->guest, VECTOR(1));
	EXPECT_LE(1u, seen);
	EXPECT_GE(20000u, seen);
	mask(self, 1, 0);
	call(&self->v, 0);
	EXPECT_EQ(seen + 1, t_deputy_wait(self->guest, VECTOR(1), seen + 1));
}

TEST_HARNESS_MAIN
