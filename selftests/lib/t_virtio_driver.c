// SPDX-License-Identifier: GPL-2.0-only
#include <linux/pci_regs.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_pci.h>

#include "t_virtio.h"

#define ECAM_SLOT 0x8000u

static uint64_t ecam(unsigned int slot, unsigned int offset)
{
	return PCI_ECAM_GPA + slot * ECAM_SLOT + offset;
}

uint32_t t_pci_read(struct vmm *vm, unsigned int slot, unsigned int offset, unsigned int len)
{
	return t_mmio_read(vm, ecam(slot, offset), len);
}

void t_pci_write(struct vmm *vm, unsigned int slot, unsigned int offset, unsigned int len,
		 uint32_t value)
{
	t_mmio_write(vm, ecam(slot, offset), len, value);
}

unsigned int t_pci_capability(struct vmm *vm, unsigned int slot, uint8_t id, unsigned int nth)
{
	unsigned int at = t_pci_read(vm, slot, PCI_CAPABILITY_LIST, 1);

	/* 48 is as many as there can be: a loop ends */
	for (unsigned int i = 0; at && i < 48; i++) {
		if (t_pci_read(vm, slot, at + PCI_CAP_LIST_ID, 1) == id && !nth--)
			return at;
		at = t_pci_read(vm, slot, at + PCI_CAP_LIST_NEXT, 1);
	}
	return 0;
}

unsigned int t_pci_virtio_cap(struct vmm *vm, unsigned int slot, uint8_t type)
{
	unsigned int at;

	for (unsigned int i = 0; (at = t_pci_capability(vm, slot, PCI_CAP_ID_VNDR, i)); i++)
		if (t_pci_read(vm, slot, at + VIRTIO_PCI_CAP_CFG_TYPE, 1) == type)
			return at;
	return 0;
}

uint32_t t_pci_area(struct t_virtio *v, uint8_t type)
{
	unsigned int at = t_pci_virtio_cap(v->vm, T_VIRTIO_SLOT, type);

	return v->gpa + t_pci_read(v->vm, T_VIRTIO_SLOT, at + VIRTIO_PCI_CAP_OFFSET, 4);
}

void t_virtio_enable_bar(struct t_virtio *v, uint32_t gpa)
{
	if (gpa)
		t_pci_write(v->vm, T_VIRTIO_SLOT, PCI_BASE_ADDRESS_0, 4, gpa);
	t_pci_write(v->vm, T_VIRTIO_SLOT, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	v->gpa = t_pci_read(v->vm, T_VIRTIO_SLOT, PCI_BASE_ADDRESS_0, 4) & ~0xfu;
}

/* A field of the common configuration, or a register. */
static uint32_t read_field(struct t_virtio *v, unsigned int common, unsigned int len,
			   unsigned int mmio)
{
	if (v->mmio)
		return t_mmio_read(v->vm, v->gpa + mmio, 4);
	return t_mmio_read(v->vm, t_pci_area(v, VIRTIO_PCI_CAP_COMMON_CFG) + common, len);
}

static void write_field(struct t_virtio *v, unsigned int common, unsigned int len,
			unsigned int mmio, uint32_t value)
{
	if (v->mmio)
		t_mmio_write(v->vm, v->gpa + mmio, 4, value);
	else
		t_mmio_write(v->vm, t_pci_area(v, VIRTIO_PCI_CAP_COMMON_CFG) + common, len, value);
}

uint8_t t_virtio_status(struct t_virtio *v)
{
	return read_field(v, VIRTIO_PCI_COMMON_STATUS, 1, VIRTIO_MMIO_STATUS);
}

void t_virtio_set_status(struct t_virtio *v, uint8_t status)
{
	write_field(v, VIRTIO_PCI_COMMON_STATUS, 1, VIRTIO_MMIO_STATUS, status);
}

uint64_t t_virtio_features(struct t_virtio *v)
{
	uint64_t features = 0;

	for (unsigned int i = 0; i < 2; i++) {
		write_field(v, VIRTIO_PCI_COMMON_DFSELECT, 4, VIRTIO_MMIO_DEVICE_FEATURES_SEL, i);
		features |= (uint64_t)read_field(v, VIRTIO_PCI_COMMON_DF, 4,
						 VIRTIO_MMIO_DEVICE_FEATURES)
			    << 32 * i;
	}
	return features;
}

void t_virtio_set_features(struct t_virtio *v, uint64_t features)
{
	for (unsigned int i = 0; i < 2; i++) {
		write_field(v, VIRTIO_PCI_COMMON_GFSELECT, 4, VIRTIO_MMIO_DRIVER_FEATURES_SEL, i);
		write_field(v, VIRTIO_PCI_COMMON_GF, 4, VIRTIO_MMIO_DRIVER_FEATURES,
			    features >> 32 * i);
	}
}

void t_virtio_select(struct t_virtio *v, uint16_t index)
{
	write_field(v, VIRTIO_PCI_COMMON_Q_SELECT, 2, VIRTIO_MMIO_QUEUE_SEL, index);
}

uint16_t t_virtio_size(struct t_virtio *v)
{
	return read_field(v, VIRTIO_PCI_COMMON_Q_SIZE, 2, VIRTIO_MMIO_QUEUE_NUM_MAX);
}

void t_virtio_set_size(struct t_virtio *v, uint16_t size)
{
	write_field(v, VIRTIO_PCI_COMMON_Q_SIZE, 2, VIRTIO_MMIO_QUEUE_NUM, size);
}

static void set_address(struct t_virtio *v, unsigned int common, unsigned int mmio, uint64_t gpa)
{
	write_field(v, common, 4, mmio, gpa);
	write_field(v, common + 4, 4, mmio + 4, gpa >> 32);
}

void t_virtio_set_addresses(struct t_virtio *v, uint64_t desc, uint64_t driver, uint64_t device)
{
	set_address(v, VIRTIO_PCI_COMMON_Q_DESCLO, VIRTIO_MMIO_QUEUE_DESC_LOW, desc);
	set_address(v, VIRTIO_PCI_COMMON_Q_AVAILLO, VIRTIO_MMIO_QUEUE_AVAIL_LOW, driver);
	set_address(v, VIRTIO_PCI_COMMON_Q_USEDLO, VIRTIO_MMIO_QUEUE_USED_LOW, device);
}

bool t_virtio_enabled(struct t_virtio *v)
{
	return read_field(v, VIRTIO_PCI_COMMON_Q_ENABLE, 2, VIRTIO_MMIO_QUEUE_READY);
}

void t_virtio_enable(struct t_virtio *v)
{
	write_field(v, VIRTIO_PCI_COMMON_Q_ENABLE, 2, VIRTIO_MMIO_QUEUE_READY, 1);
}

uint32_t t_virtio_generation(struct t_virtio *v)
{
	return read_field(v, VIRTIO_PCI_COMMON_CFGGENERATION, 1, VIRTIO_MMIO_CONFIG_GENERATION);
}

uint32_t t_virtio_config_gpa(struct t_virtio *v)
{
	return v->mmio ? v->gpa + VIRTIO_MMIO_CONFIG : t_pci_area(v, VIRTIO_PCI_CAP_DEVICE_CFG);
}

void t_virtio_kick(struct t_virtio *v, uint16_t index)
{
	unsigned int cap, offset;

	if (v->mmio) {
		t_mmio_write(v->vm, v->gpa + VIRTIO_MMIO_QUEUE_NOTIFY, 4, index);
		return;
	}
	t_virtio_select(v, index);
	cap = t_pci_virtio_cap(v->vm, T_VIRTIO_SLOT, VIRTIO_PCI_CAP_NOTIFY_CFG);
	offset = read_field(v, VIRTIO_PCI_COMMON_Q_NOFF, 2, 0) *
		 t_pci_read(v->vm, T_VIRTIO_SLOT, cap + sizeof(struct virtio_pci_cap), 4);
	t_mmio_write(v->vm, t_pci_area(v, VIRTIO_PCI_CAP_NOTIFY_CFG) + offset, 2, index);
}

bool t_virtio_negotiate(struct t_virtio *v, uint64_t features)
{
	t_virtio_set_status(v, 0);
	t_virtio_set_status(v, T_VIRTIO_ACK);
	t_virtio_set_status(v, T_VIRTIO_DRIVER);
	t_virtio_set_features(v, features);
	t_virtio_set_status(v, T_VIRTIO_FEATURES_OK);
	return t_virtio_status(v) & VIRTIO_CONFIG_S_FEATURES_OK;
}

void t_virtio_setup(struct t_virtio *v, uint16_t index, uint16_t size)
{
	const uint64_t at = 0x20000u + 0x3000u * index;

	t_virtio_select(v, index);
	t_virtio_set_size(v, size);
	t_virtio_set_addresses(v, at, at + 0x1000, at + 0x2000);
	t_virtio_enable(v);
}

void t_virtio_drive(struct t_virtio *v)
{
	t_virtio_negotiate(v, 1ull << VIRTIO_F_VERSION_1);
	for (uint16_t i = 0; i < T_VIRTIO_QUEUES; i++)
		t_virtio_setup(v, i, 64);
	t_virtio_set_status(v, T_VIRTIO_DRIVER_OK);
}
