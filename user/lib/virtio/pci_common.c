// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Common configuration: VIRTIO 1.2 section 4.1.4.3.
 */
#include <endian.h>
#include <linux/virtio_pci.h>
#include <string.h>

#include "virtio_pci.h"

static uint16_t queue_vector(const struct virtio_pci *vp, const struct virtio_queue *q)
{
	return vp->msix.sources[VP_QUEUE_SOURCE(q->index)].vector;
}

static void fill_queue(struct virtio_pci *vp, struct virtio_pci_common_cfg *cfg)
{
	const struct virtio_queue *q = vt_queue(&vp->t);

	cfg->queue_select = htole16(vp->t.queue_select);
	cfg->queue_msix_vector = htole16(MSIX_NO_VECTOR);
	/* a size of 0: there is none */
	if (!q)
		return;
	cfg->queue_size = htole16(q->size);
	cfg->queue_msix_vector = htole16(queue_vector(vp, q));
	cfg->queue_enable = htole16(q->enabled);
	cfg->queue_notify_off = htole16(q->index);
	cfg->queue_desc_lo = htole32(q->desc_gpa);
	cfg->queue_desc_hi = htole32(q->desc_gpa >> 32);
	cfg->queue_avail_lo = htole32(q->driver_gpa);
	cfg->queue_avail_hi = htole32(q->driver_gpa >> 32);
	cfg->queue_used_lo = htole32(q->device_gpa);
	cfg->queue_used_hi = htole32(q->device_gpa >> 32);
}

void vp_common_read(struct virtio_pci *vp, uint64_t offset, void *data, unsigned int len)
{
	const struct virtio_transport *t = &vp->t;
	struct virtio_pci_common_cfg cfg = {
		.device_feature_select = htole32(t->device_select),
		.device_feature = htole32(vt_device_features(t)),
		.guest_feature_select = htole32(t->driver_select),
		.guest_feature = htole32(vt_driver_features(t)),
		.msix_config = htole16(vp->msix.sources[VP_CONFIG_SOURCE].vector),
		.num_queues = htole16(t->be->num_queues),
		.device_status = t->status,
		.config_generation = t->generation,
	};

	fill_queue(vp, &cfg);
	if (offset < sizeof(cfg))
		memcpy(data, (uint8_t *)&cfg + offset,
		       len < sizeof(cfg) - offset ? len : sizeof(cfg) - offset);
}

static void write16(struct virtio_pci *vp, uint64_t offset, uint16_t value)
{
	struct virtio_transport *t = &vp->t;
	const struct virtio_queue *q = vt_queue(t);

	switch (offset) {
	case VIRTIO_PCI_COMMON_MSIX:
		msix_bind(&vp->msix, VP_CONFIG_SOURCE, value, &t->trouble);
		break;
	case VIRTIO_PCI_COMMON_Q_SELECT:
		t->queue_select = value;
		break;
	case VIRTIO_PCI_COMMON_Q_SIZE:
		vt_set_size(t, value);
		break;
	case VIRTIO_PCI_COMMON_Q_MSIX:
		if (q)
			msix_bind(&vp->msix, VP_QUEUE_SOURCE(q->index), value, &t->trouble);
		break;
	case VIRTIO_PCI_COMMON_Q_ENABLE:
		if (value == 1)
			vt_enable(t);
		break;
	}
}

static void write32(struct virtio_transport *t, uint64_t offset, uint32_t value)
{
	switch (offset) {
	case VIRTIO_PCI_COMMON_DFSELECT:
		t->device_select = value;
		break;
	case VIRTIO_PCI_COMMON_GFSELECT:
		t->driver_select = value;
		break;
	case VIRTIO_PCI_COMMON_GF:
		vt_set_driver_features(t, value);
		break;
	case VIRTIO_PCI_COMMON_Q_DESCLO:
	case VIRTIO_PCI_COMMON_Q_DESCHI:
		vt_set_address(t, VT_DESC, offset == VIRTIO_PCI_COMMON_Q_DESCHI, value);
		break;
	case VIRTIO_PCI_COMMON_Q_AVAILLO:
	case VIRTIO_PCI_COMMON_Q_AVAILHI:
		vt_set_address(t, VT_DRIVER, offset == VIRTIO_PCI_COMMON_Q_AVAILHI, value);
		break;
	case VIRTIO_PCI_COMMON_Q_USEDLO:
	case VIRTIO_PCI_COMMON_Q_USEDHI:
		vt_set_address(t, VT_DEVICE, offset == VIRTIO_PCI_COMMON_Q_USEDHI, value);
		break;
	}
}

/*
 * VIRTIO 1.2 section 4.1.3.1: fields are written by their own width, 64 bits also by
 * halves. device_status has been taken out before.
 */
void vp_common_write(struct virtio_pci *vp, uint64_t offset, const void *data, unsigned int len)
{
	uint32_t words[2] = { 0 };
	uint16_t half;

	switch (len) {
	case sizeof(half):
		memcpy(&half, data, sizeof(half));
		write16(vp, offset, le16toh(half));
		break;
	case sizeof(words):
		if (offset < VIRTIO_PCI_COMMON_Q_DESCLO || offset % sizeof(words))
			break;
		memcpy(words, data, sizeof(words));
		write32(&vp->t, offset + sizeof(words[0]), le32toh(words[1]));
		write32(&vp->t, offset, le32toh(words[0]));
		break;
	case sizeof(words[0]):
		memcpy(words, data, sizeof(words[0]));
		write32(&vp->t, offset, le32toh(words[0]));
		break;
	}
}
