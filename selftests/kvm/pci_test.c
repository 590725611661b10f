// SPDX-License-Identifier: GPL-2.0-only
/*
 * The PCI bus as a guest finds it: who is there, how large a BAR is, where it goes, and
 * which capabilities there are.
 */
#include <linux/pci_regs.h>
#include <linux/virtio_pci.h>
#include <string.h>

#include <kselftest_harness.h>

#include "kvm.h"
#include "t_virtio.h"

#define SLOT T_VIRTIO_SLOT
#define BAR_BYTES 0x8000u
#define COMMAND_ON (PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER)

/* clang-format off */
FIXTURE(pci)
{
	struct t_virtio v;
	struct vl_err err;
};

/* clang-format on */

FIXTURE_SETUP(pci)
{
	REQUIRE_KVM();
	ASSERT_EQ(0, t_virtio_init(&self->v, false, &self->err))
	{
		TH_LOG("%s", self->err.msg);
	}
}

FIXTURE_TEARDOWN(pci)
{
	t_virtio_exit(&self->v);
}

/* The device answers at @gpa: its common configuration says how many queues it has. */
static bool answers_at(struct vmm *vm, uint32_t gpa)
{
	return t_mmio_read(vm, gpa + VIRTIO_PCI_COMMON_NUMQ, 2) == T_VIRTIO_QUEUES;
}

static uint32_t port_read(struct vmm *vm, uint32_t address, unsigned int at, unsigned int len)
{
	t_pio_write(vm, 0xcf8, 4, address);
	return t_pio_read(vm, 0xcfc + at, len);
}

TEST_F(pci, a_scan_finds_the_bridge_and_the_device)
{
	struct vmm *vm = self->v.vm;

	for (unsigned int slot = 0; slot < PCI_SLOTS; slot++) {
		uint32_t expected = UINT32_MAX;

		if (slot == 0)
			expected = 0x00081b36;
		else if (slot == SLOT)
			expected = 0x10441af4;
		EXPECT_EQ(expected, t_pci_read(vm, slot, PCI_VENDOR_ID, 4));
	}
	EXPECT_EQ(0x060000u, t_pci_read(vm, 0, PCI_CLASS_REVISION, 4) >> 8);
	EXPECT_EQ(1u, t_pci_read(vm, SLOT, PCI_REVISION_ID, 1));
	EXPECT_EQ(0u, t_pci_read(vm, SLOT, PCI_HEADER_TYPE, 1));
	EXPECT_EQ(4u, t_pci_read(vm, SLOT, PCI_INTERRUPT_PIN, 1));
	EXPECT_EQ(pci_intx_gsi(SLOT), t_pci_read(vm, SLOT, PCI_INTERRUPT_LINE, 1));
	EXPECT_EQ(19u, pci_intx_gsi(SLOT));
}

TEST_F(pci, ports_and_ecam_show_the_same_config_space)
{
	struct vmm *vm = self->v.vm;

	for (unsigned int at = 0; at < 256; at += 4) {
		uint32_t value = t_pci_read(vm, SLOT, at, 4);
		uint32_t address = 1u << 31 | SLOT << 11 | at;

		EXPECT_EQ(value, port_read(vm, address, 0, 4));
		EXPECT_EQ(value >> 16, port_read(vm, address, 2, 2));
		EXPECT_EQ(value >> 24, port_read(vm, address, 3, 1));
		EXPECT_EQ(value >> 8 & 0xff, t_pci_read(vm, SLOT, at + 1, 1));
	}
	t_pio_write(vm, 0xcf8, 4, 1u << 31 | SLOT << 11 | PCI_INTERRUPT_LINE);
	EXPECT_EQ(1u << 31 | SLOT << 11 | PCI_INTERRUPT_LINE, t_pio_read(vm, 0xcf8, 4));
	t_pio_write(vm, 0xcfc, 1, 0x42);
	EXPECT_EQ(0x42u, t_pci_read(vm, SLOT, PCI_INTERRUPT_LINE, 1));
}

TEST_F(pci, where_nobody_is_there_are_ones)
{
	const uint32_t enable = 1u << 31;
	struct vmm *vm = self->v.vm;

	EXPECT_EQ(UINT32_MAX, port_read(vm, SLOT << 11, 0, 4));
	EXPECT_EQ(UINT32_MAX, port_read(vm, enable | 1 << 16 | SLOT << 11, 0, 4));
	EXPECT_EQ(UINT32_MAX, port_read(vm, enable | SLOT << 11 | 1 << 8, 0, 4));
	EXPECT_EQ(UINT32_MAX, port_read(vm, enable | 31 << 11, 0, 4));
	/* across the register's end; another function; not an access to the address */
	EXPECT_EQ(0xffffu, port_read(vm, enable | SLOT << 11, 3, 2));
	EXPECT_EQ(UINT32_MAX, t_pci_read(vm, SLOT, 0x1000, 4));
	EXPECT_EQ(0xffffu, t_pio_read(vm, 0xcf8, 2));
	/* behind the config space of conventional PCI is nothing */
	EXPECT_EQ(0u, t_pci_read(vm, SLOT, 0x100, 4));
	EXPECT_EQ(0u, t_pci_read(vm, SLOT, 0xffc, 4));
	t_pci_write(vm, SLOT, 0xffe, 4, UINT32_MAX);
	t_pci_write(vm, 9, 0, 4, UINT32_MAX);
}

TEST_F(pci, what_is_fixed_stays)
{
	struct vmm *vm = self->v.vm;
	uint32_t before[64];

	for (unsigned int i = 0; i < 64; i++)
		before[i] = t_pci_read(vm, SLOT, i * 4, 4);
	for (unsigned int at = 0; at < 256; at += 4)
		t_pci_write(vm, SLOT, at, 4, UINT32_MAX);
	/* memory, bus master, no INTx */
	EXPECT_EQ(0x0406u, t_pci_read(vm, SLOT, PCI_COMMAND, 2));
	EXPECT_EQ(before[0], t_pci_read(vm, SLOT, PCI_VENDOR_ID, 4));
	EXPECT_EQ(before[1] >> 16, t_pci_read(vm, SLOT, PCI_STATUS, 2));
	EXPECT_EQ(before[2], t_pci_read(vm, SLOT, PCI_CLASS_REVISION, 4));
	for (unsigned int at = PCI_BASE_ADDRESS_1; at < PCI_INTERRUPT_LINE; at += 4)
		EXPECT_EQ(before[at / 4], t_pci_read(vm, SLOT, at, 4));
	EXPECT_NE(0, t_pci_virtio_cap(vm, SLOT, VIRTIO_PCI_CAP_PCI_CFG));
}

TEST_F(pci, a_bar_tells_its_size_and_moves)
{
	struct vmm *vm = self->v.vm;
	uint32_t first = self->v.gpa;

	EXPECT_LE(PCI_WINDOW_GPA, first);
	EXPECT_TRUE(answers_at(vm, first));
	t_pci_write(vm, SLOT, PCI_COMMAND, 2, 0);
	EXPECT_FALSE(answers_at(vm, first));
	t_pci_write(vm, SLOT, PCI_BASE_ADDRESS_0, 4, UINT32_MAX);
	EXPECT_EQ(-BAR_BYTES, t_pci_read(vm, SLOT, PCI_BASE_ADDRESS_0, 4));
	t_pci_write(vm, SLOT, PCI_BASE_ADDRESS_0, 4, 0xd0000000);
	EXPECT_FALSE(answers_at(vm, 0xd0000000));
	t_pci_write(vm, SLOT, PCI_COMMAND, 2, COMMAND_ON);
	EXPECT_TRUE(answers_at(vm, 0xd0000000));
	EXPECT_FALSE(answers_at(vm, first));
	/* also while it decodes, and by halves */
	t_pci_write(vm, SLOT, PCI_BASE_ADDRESS_0 + 2, 2, 0xd100);
	EXPECT_TRUE(answers_at(vm, 0xd1000000));
	EXPECT_FALSE(answers_at(vm, 0xd0000000));
	t_pci_write(vm, SLOT, PCI_BASE_ADDRESS_0, 4, 0);
	EXPECT_FALSE(answers_at(vm, 0xd1000000));
}

TEST_F(pci, a_bar_waits_until_its_place_is_free)
{
	struct virtio_transport_config config = t_virtio_config(&self->v);
	struct t_virtio_backend other_backend;
	struct vmm *vm = self->v.vm;
	struct virtio_transport *other;
	uint32_t first = self->v.gpa, second;

	t_virtio_backend_init(&other_backend);
	config.backend = &other_backend.be;
	ASSERT_EQ(0, virtio_pci_create(&other, &config, self->v.bus, 4, &self->err));
	second = t_pci_read(vm, 4, PCI_BASE_ADDRESS_0, 4);
	EXPECT_EQ(first + BAR_BYTES, second);
	t_pci_write(vm, 4, PCI_COMMAND, 2, COMMAND_ON);
	EXPECT_TRUE(answers_at(vm, second));
	/* they change places, and are at the same one in between */
	t_pci_write(vm, SLOT, PCI_BASE_ADDRESS_0, 4, second);
	EXPECT_FALSE(answers_at(vm, first));
	t_pci_write(vm, 4, PCI_BASE_ADDRESS_0, 4, first);
	EXPECT_TRUE(answers_at(vm, first));
	EXPECT_TRUE(answers_at(vm, second));
	/* who is where shows by what each is told */
	t_mmio_write(vm, second + VIRTIO_PCI_COMMON_STATUS, 1, T_VIRTIO_ACK);
	self->v.gpa = second;
	EXPECT_EQ(T_VIRTIO_ACK, t_virtio_status(&self->v));
	EXPECT_EQ(0u, t_mmio_read(vm, first + VIRTIO_PCI_COMMON_STATUS, 1));
	virtio_transport_destroy(other);
	EXPECT_FALSE(answers_at(vm, first));
	EXPECT_EQ(UINT32_MAX, t_pci_read(vm, 4, PCI_VENDOR_ID, 4));
}

TEST_F(pci, a_bar_that_is_put_on_others_takes_nothing_from_them)
{
	struct vmm *vm = self->v.vm;

	t_pci_write(vm, SLOT, PCI_BASE_ADDRESS_0, 4, PCI_ECAM_GPA);
	EXPECT_EQ(0x00081b36u, t_pci_read(vm, 0, PCI_VENDOR_ID, 4));
	t_pci_write(vm, SLOT, PCI_BASE_ADDRESS_0, 4, 0xfffff000);
	EXPECT_TRUE(answers_at(vm, 0xffff8000));
	t_pci_write(vm, SLOT, PCI_BASE_ADDRESS_0, 4, 0x8000);
	t_pci_write(vm, SLOT, PCI_BASE_ADDRESS_0, 4, 0xc0000000);
	EXPECT_TRUE(answers_at(vm, 0xc0000000));
}

TEST_F(pci, capabilities_are_inside_of_the_bar_and_apart)
{
	static const uint8_t types[] = {
		VIRTIO_PCI_CAP_COMMON_CFG, VIRTIO_PCI_CAP_NOTIFY_CFG, VIRTIO_PCI_CAP_ISR_CFG,
		VIRTIO_PCI_CAP_DEVICE_CFG, VIRTIO_PCI_CAP_PCI_CFG,
	};
	static const uint32_t lengths[] = { 56, T_VIRTIO_QUEUES * 4, 1, T_VIRTIO_CONFIG, 0 };
	struct vmm *vm = self->v.vm;
	uint32_t offsets[5];

	EXPECT_EQ(PCI_STATUS_CAP_LIST, t_pci_read(vm, SLOT, PCI_STATUS, 2));
	for (unsigned int i = 0; i < 5; i++) {
		unsigned int at = t_pci_virtio_cap(vm, SLOT, types[i]);

		ASSERT_NE(0, at);
		EXPECT_EQ(0, at % 4);
		EXPECT_EQ(i == 1 || i == 4 ? 20u : 16u, t_pci_read(vm, SLOT, at + 2, 1));
		EXPECT_EQ(0u, t_pci_read(vm, SLOT, at + VIRTIO_PCI_CAP_BAR, 1));
		offsets[i] = t_pci_read(vm, SLOT, at + VIRTIO_PCI_CAP_OFFSET, 4);
		EXPECT_EQ(lengths[i], t_pci_read(vm, SLOT, at + VIRTIO_PCI_CAP_LENGTH, 4));
		EXPECT_GE(BAR_BYTES, offsets[i] + lengths[i]);
		for (unsigned int j = 0; j < i && i < 4; j++)
			EXPECT_TRUE(offsets[i] >= offsets[j] + lengths[j] ||
				    offsets[j] >= offsets[i] + lengths[i]);
	}
	/* and no more than these, and MSI-X */
	EXPECT_EQ(0, t_pci_capability(vm, SLOT, PCI_CAP_ID_VNDR, 5));
	EXPECT_NE(0, t_pci_capability(vm, SLOT, PCI_CAP_ID_MSIX, 0));
}

TEST_F(pci, the_bar_can_be_reached_through_config_space)
{
	struct vmm *vm = self->v.vm;
	unsigned int cap = t_pci_virtio_cap(vm, SLOT, VIRTIO_PCI_CAP_PCI_CFG);
	unsigned int data = cap + sizeof(struct virtio_pci_cap);

	/* without memory decoding, which is what it is for */
	t_pci_write(vm, SLOT, PCI_COMMAND, 2, 0);
	t_pci_write(vm, SLOT, cap + VIRTIO_PCI_CAP_OFFSET, 4, VIRTIO_PCI_COMMON_NUMQ);
	t_pci_write(vm, SLOT, cap + VIRTIO_PCI_CAP_LENGTH, 4, 2);
	EXPECT_EQ(T_VIRTIO_QUEUES, t_pci_read(vm, SLOT, data, 2));
	EXPECT_EQ(T_VIRTIO_QUEUES, t_pci_read(vm, SLOT, data, 4));
	t_pci_write(vm, SLOT, cap + VIRTIO_PCI_CAP_OFFSET, 4, VIRTIO_PCI_COMMON_STATUS);
	t_pci_write(vm, SLOT, cap + VIRTIO_PCI_CAP_LENGTH, 4, 1);
	t_pci_write(vm, SLOT, data, 4, T_VIRTIO_ACK);
	EXPECT_EQ(T_VIRTIO_ACK, t_pci_read(vm, SLOT, data, 1));
}

TEST_F(pci, the_window_shows_nothing_beyond_the_bar)
{
	/* offset, length, BAR: none of it the driver may ask for */
	static const uint32_t bad[][3] = {
		{ BAR_BYTES, 4, 0 },  { BAR_BYTES - 2, 4, 0 },
		{ UINT32_MAX, 1, 0 }, { 0xfffffffc, 4, 0 },
		{ 1, 2, 0 },	      { 18, 4, 0 },
		{ 0, 0, 0 },	      { 0, 3, 0 },
		{ 0, 8, 0 },	      { 0, UINT32_MAX, 0 },
		{ 16, 4, 1 },	      { 16, 4, 0xff },
	};
	struct vmm *vm = self->v.vm;
	unsigned int cap = t_pci_virtio_cap(vm, SLOT, VIRTIO_PCI_CAP_PCI_CFG);
	unsigned int data = cap + sizeof(struct virtio_pci_cap);

	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		t_pci_write(vm, SLOT, cap + VIRTIO_PCI_CAP_OFFSET, 4, bad[i][0]);
		t_pci_write(vm, SLOT, cap + VIRTIO_PCI_CAP_LENGTH, 4, bad[i][1]);
		t_pci_write(vm, SLOT, cap + VIRTIO_PCI_CAP_BAR, 1, bad[i][2]);
		EXPECT_EQ(0u, t_pci_read(vm, SLOT, data, 4));
		t_pci_write(vm, SLOT, data, 4, UINT32_MAX);
	}
	EXPECT_EQ(0, t_virtio_status(&self->v));
}

TEST_F(pci, registers_are_written_by_their_own_width)
{
	struct t_virtio *v = &self->v;
	struct vmm *vm = v->vm;
	uint32_t desc = v->gpa + VIRTIO_PCI_COMMON_Q_DESCLO;

	ASSERT_TRUE(t_virtio_negotiate(v, 1ull << VIRTIO_F_VERSION_1));
	t_mmio_write(vm, desc, 8, 0x1122334455667000);
	EXPECT_EQ(0x1122334455667000u, t_mmio_read(vm, desc, 8));
	EXPECT_EQ(0x66u, t_mmio_read(vm, desc + 2, 1));
	/* neither halves of halves nor what is in between */
	t_mmio_write(vm, desc, 2, 0xffff);
	t_mmio_write(vm, desc + 1, 4, UINT32_MAX);
	t_mmio_write(vm, desc + 4, 8, UINT64_MAX);
	EXPECT_EQ(0x1122334455667000u, t_mmio_read(vm, desc, 8));
	t_mmio_write(vm, v->gpa, 8, UINT64_MAX);
	EXPECT_EQ(0u, t_mmio_read(vm, v->gpa + VIRTIO_PCI_COMMON_DFSELECT, 4));
	t_mmio_write(vm, v->gpa + VIRTIO_PCI_COMMON_Q_ENABLE, 2, 2);
	EXPECT_FALSE(t_virtio_enabled(v));
	/* behind the last register */
	EXPECT_EQ(0u, t_mmio_read(vm, v->gpa + 0x38, 8));
	EXPECT_EQ(0u, t_mmio_read(vm, v->gpa + 0xff8, 8));
}

TEST_HARNESS_MAIN
