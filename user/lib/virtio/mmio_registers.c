// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * VIRTIO 1.2 section 4.2.2.
 */
#include <endian.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <string.h>

#include "virtio_mmio.h"

#define MAGIC 0x74726976u
#define VERSION 2u
#define VENDOR 0x1af4u

static uint32_t read_queue(struct virtio_transport *t, uint64_t offset)
{
	const struct virtio_queue *q = vt_queue(t);

	if (!q)
		return 0;
	if (offset == VIRTIO_MMIO_QUEUE_NUM_MAX)
		return t->be->queue_size_max;
	return q->enabled && !(t->status & VIRTIO_CONFIG_S_NEEDS_RESET);
}

static uint32_t read_register(struct virtio_mmio *vm, uint64_t offset)
{
	struct virtio_transport *t = &vm->t;

	switch (offset) {
	case VIRTIO_MMIO_MAGIC_VALUE:
		return MAGIC;
	case VIRTIO_MMIO_VERSION:
		return VERSION;
	case VIRTIO_MMIO_DEVICE_ID:
		return t->be->device_id;
	case VIRTIO_MMIO_VENDOR_ID:
		return VENDOR;
	case VIRTIO_MMIO_DEVICE_FEATURES:
		return vt_device_features(t);
	case VIRTIO_MMIO_QUEUE_NUM_MAX:
	case VIRTIO_MMIO_QUEUE_READY:
		return read_queue(t, offset);
	case VIRTIO_MMIO_INTERRUPT_STATUS:
		return VIRTIO_MMIO_INT_VRING | (vm->config_pending ? VIRTIO_MMIO_INT_CONFIG : 0);
	case VIRTIO_MMIO_STATUS:
		return t->status;
	case VIRTIO_MMIO_SHM_LEN_LOW:
	case VIRTIO_MMIO_SHM_LEN_HIGH:
	case VIRTIO_MMIO_SHM_BASE_LOW:
	case VIRTIO_MMIO_SHM_BASE_HIGH:
		/* there is no such region */
		return UINT32_MAX;
	case VIRTIO_MMIO_CONFIG_GENERATION:
		return t->generation;
	}
	return 0;
}

void vm_read(void *ctx, uint64_t offset, void *data, unsigned int len)
{
	struct virtio_mmio *vm = ctx;
	uint32_t value;

	if (offset >= VIRTIO_MMIO_CONFIG) {
		vt_read_config(&vm->t, offset - VIRTIO_MMIO_CONFIG, data, len);
		return;
	}
	memset(data, 0, len);
	if (len != sizeof(value) || offset % sizeof(value))
		return;
	vt_lock(&vm->t);
	value = htole32(read_register(vm, offset));
	vt_unlock(&vm->t);
	memcpy(data, &value, len);
}

static void write_queue(struct virtio_transport *t, uint64_t offset, uint32_t value)
{
	switch (offset) {
	case VIRTIO_MMIO_QUEUE_NUM:
		vt_set_size(t, value);
		break;
	case VIRTIO_MMIO_QUEUE_READY:
		if (value == 1)
			vt_enable(t);
		else if (!value)
			vt_disable(t);
		break;
	case VIRTIO_MMIO_QUEUE_DESC_LOW:
	case VIRTIO_MMIO_QUEUE_DESC_HIGH:
		vt_set_address(t, VT_DESC, offset == VIRTIO_MMIO_QUEUE_DESC_HIGH, value);
		break;
	case VIRTIO_MMIO_QUEUE_AVAIL_LOW:
	case VIRTIO_MMIO_QUEUE_AVAIL_HIGH:
		vt_set_address(t, VT_DRIVER, offset == VIRTIO_MMIO_QUEUE_AVAIL_HIGH, value);
		break;
	case VIRTIO_MMIO_QUEUE_USED_LOW:
	case VIRTIO_MMIO_QUEUE_USED_HIGH:
		vt_set_address(t, VT_DEVICE, offset == VIRTIO_MMIO_QUEUE_USED_HIGH, value);
		break;
	}
}

static void write_register(struct virtio_mmio *vm, uint64_t offset, uint32_t value)
{
	struct virtio_transport *t = &vm->t;

	switch (offset) {
	case VIRTIO_MMIO_DEVICE_FEATURES_SEL:
		t->device_select = value;
		break;
	case VIRTIO_MMIO_DRIVER_FEATURES_SEL:
		t->driver_select = value;
		break;
	case VIRTIO_MMIO_DRIVER_FEATURES:
		vt_set_driver_features(t, value);
		break;
	case VIRTIO_MMIO_QUEUE_SEL:
		t->queue_select = value;
		break;
	case VIRTIO_MMIO_QUEUE_NOTIFY:
		vt_kick(t, value);
		break;
	case VIRTIO_MMIO_INTERRUPT_ACK:
		if (value & VIRTIO_MMIO_INT_CONFIG)
			vm->config_pending = false;
		break;
	default:
		write_queue(t, offset, value);
		break;
	}
}

void vm_write(void *ctx, uint64_t offset, const void *data, unsigned int len)
{
	struct virtio_mmio *vm = ctx;
	uint32_t value;

	if (offset >= VIRTIO_MMIO_CONFIG) {
		vt_write_config(&vm->t, offset - VIRTIO_MMIO_CONFIG, data, len);
		return;
	}
	/* VIRTIO 1.2 section 4.2.2.2: these are 32 bits wide and aligned */
	if (len != sizeof(value) || offset % sizeof(value))
		return;
	memcpy(&value, data, len);
	value = le32toh(value);
	if (offset == VIRTIO_MMIO_STATUS) {
		if (value <= UINT8_MAX)
			vt_write_status(&vm->t, value);
		return;
	}
	vt_lock(&vm->t);
	write_register(vm, offset, value);
	vt_unlock(&vm->t);
}
