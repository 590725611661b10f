// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Where the driver finds what: VIRTIO 1.2 section 4.1.4.
 */
#include <endian.h>
#include <linux/pci_regs.h>
#include <linux/virtio_pci.h>
#include <string.h>

#include "virtio_pci.h"

/* Where the window into the BAR is in its capability. */
#define CFG_DATA sizeof(struct virtio_pci_cap)

static struct virtio_pci_cap make_cap(uint8_t type, uint32_t offset, uint32_t length)
{
	return (struct virtio_pci_cap){
		.cfg_type = type,
		.offset = htole32(offset),
		.length = htole32(length),
	};
}

/* What is in front of @cap_len is the header, and there already. */
static uint8_t *add_cap(struct virtio_pci *vp, const struct virtio_pci_cap *cap, unsigned int size)
{
	const unsigned int header = offsetof(struct virtio_pci_cap, cap_len);
	uint8_t *to = pci_config_capability(&vp->pci, PCI_CAP_ID_VNDR, size);

	memcpy(to + header, &cap->cap_len, sizeof(*cap) - header);
	to[header] = size;
	return to;
}

static void add_area(struct virtio_pci *vp, uint8_t type, uint32_t offset, uint32_t length)
{
	const struct virtio_pci_cap cap = make_cap(type, offset, length);

	add_cap(vp, &cap, sizeof(cap));
}

static void add_notify(struct virtio_pci *vp)
{
	const struct virtio_pci_cap cap = make_cap(VIRTIO_PCI_CAP_NOTIFY_CFG, VP_NOTIFY,
						   vp->t.be->num_queues * VP_NOTIFY_MULTIPLIER);
	const uint32_t multiplier = htole32(VP_NOTIFY_MULTIPLIER);
	uint8_t *to = add_cap(vp, &cap, sizeof(struct virtio_pci_notify_cap));

	memcpy(to + sizeof(cap), &multiplier, sizeof(multiplier));
}

static void add_cfg(struct virtio_pci *vp)
{
	const struct virtio_pci_cap cap = make_cap(VIRTIO_PCI_CAP_PCI_CFG, 0, 0);
	uint8_t *to = add_cap(vp, &cap, sizeof(struct virtio_pci_cfg_cap));
	uint8_t *writable = vp->pci.writable;

	vp->cfg_cap = to - vp->pci.config;
	writable[vp->cfg_cap + VIRTIO_PCI_CAP_BAR] = 0xff;
	memset(writable + vp->cfg_cap + VIRTIO_PCI_CAP_OFFSET, 0xff, sizeof(uint32_t));
	memset(writable + vp->cfg_cap + VIRTIO_PCI_CAP_LENGTH, 0xff, sizeof(uint32_t));
}

static void add_msix(struct virtio_pci *vp)
{
	const uint16_t writable = htole16(PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	struct pci_device *dev = &vp->pci;

	vp->msix_cap =
		pci_config_capability(dev, PCI_CAP_ID_MSIX, PCI_CAP_MSIX_SIZEOF) - dev->config;
	/* all in BAR 0 */
	pci_config_set_u16(dev, vp->msix_cap + PCI_MSIX_FLAGS, vp->msix.nr_vectors - 1);
	pci_config_set_u32(dev, vp->msix_cap + PCI_MSIX_TABLE, VP_MSIX_TABLE);
	pci_config_set_u32(dev, vp->msix_cap + PCI_MSIX_PBA, VP_MSIX_PBA);
	memcpy(dev->writable + vp->msix_cap + PCI_MSIX_FLAGS, &writable, sizeof(writable));
}

void vp_add_capabilities(struct virtio_pci *vp)
{
	add_msix(vp);
	add_area(vp, VIRTIO_PCI_CAP_COMMON_CFG, VP_COMMON, sizeof(struct virtio_pci_common_cfg));
	add_notify(vp);
	add_area(vp, VIRTIO_PCI_CAP_ISR_CFG, VP_ISR, 1);
	if (vp->t.be->config_size)
		add_area(vp, VIRTIO_PCI_CAP_DEVICE_CFG, VP_DEVICE, vp->t.be->config_size);
	add_cfg(vp);
}

/*
 * VIRTIO 1.2 section 4.1.4.9: an access to the window is one to the BAR, of the length
 * that the capability says, and inside of it.
 */
static bool window(struct virtio_pci *vp, unsigned int offset, unsigned int len, uint32_t *at,
		   uint32_t *bytes)
{
	struct pci_device *dev = &vp->pci;
	bool is_good;
	uint8_t bar;

	/* with the address bytes is all there is to touch */
	if (offset >= vp->cfg_cap + CFG_DATA + sizeof(uint32_t) ||
	    offset + len <= vp->cfg_cap + CFG_DATA)
		return false;
	pthread_mutex_lock(&dev->lock);
	bar = dev->config[vp->cfg_cap + VIRTIO_PCI_CAP_BAR];
	*at = pci_config_u32(dev, vp->cfg_cap + VIRTIO_PCI_CAP_OFFSET);
	*bytes = pci_config_u32(dev, vp->cfg_cap + VIRTIO_PCI_CAP_LENGTH);
	pthread_mutex_unlock(&dev->lock);
	is_good = !bar && (*bytes == 1 || *bytes == 2 || *bytes == 4) && *at % *bytes == 0 &&
		  *at <= VP_BAR_SIZE - *bytes;
	if (!is_good || offset != vp->cfg_cap + CFG_DATA || len < *bytes)
		*bytes = 0;
	return true;
}

bool vp_cfg_read(struct pci_device *dev, unsigned int offset, void *data, unsigned int len)
{
	struct virtio_pci *vp = vp_of_pci(dev);
	uint32_t at, bytes;

	if (!window(vp, offset, len, &at, &bytes))
		return false;
	if (bytes)
		vp_bar_read(dev, at, data, bytes);
	return true;
}

bool vp_cfg_write(struct pci_device *dev, unsigned int offset, const void *data, unsigned int len)
{
	struct virtio_pci *vp = vp_of_pci(dev);
	uint32_t at, bytes;

	if (!window(vp, offset, len, &at, &bytes))
		return false;
	if (bytes)
		vp_bar_write(dev, at, data, bytes);
	return true;
}
