// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Which register an access to BAR 0 is for.
 */
#include <linux/virtio_pci.h>
#include <string.h>

#include "virtio_pci.h"

/* VIRTIO 1.2 section 4.1.4.5: it is taken by reading it. */
static void read_isr(struct virtio_pci *vp, uint64_t offset, uint8_t *data)
{
	if (offset != VP_ISR)
		return;
	*data = vp->isr;
	vp_set_isr(vp, 0);
}

static void read_locked(struct virtio_pci *vp, uint64_t offset, void *data, unsigned int len)
{
	if (offset >= VP_NOTIFY)
		return;
	if (offset >= VP_MSIX_PBA)
		msix_pba_read(&vp->msix, offset - VP_MSIX_PBA, data, len);
	else if (offset >= VP_MSIX_TABLE)
		msix_table_read(&vp->msix, offset - VP_MSIX_TABLE, data, len);
	else if (offset >= VP_ISR)
		read_isr(vp, offset, data);
	else
		vp_common_read(vp, offset, data, len);
}

void vp_bar_read(void *ctx, uint64_t offset, void *data, unsigned int len)
{
	struct virtio_pci *vp = vp_of_pci(ctx);

	if (offset >= VP_DEVICE && offset < VP_MSIX_TABLE) {
		vt_read_config(&vp->t, offset - VP_DEVICE, data, len);
		return;
	}
	memset(data, 0, len);
	vt_lock(&vp->t);
	read_locked(vp, offset, data, len);
	vt_unlock(&vp->t);
}

static void write_locked(struct virtio_pci *vp, uint64_t offset, const void *data, unsigned int len)
{
	if (offset >= VP_NOTIFY)
		vt_kick(&vp->t, (offset - VP_NOTIFY) / VP_NOTIFY_MULTIPLIER);
	else if (offset >= VP_MSIX_TABLE && offset < VP_MSIX_PBA)
		msix_table_write(&vp->msix, offset - VP_MSIX_TABLE, data, len, &vp->t.trouble);
	else if (offset < VP_ISR)
		vp_common_write(vp, offset, data, len);
}

void vp_bar_write(void *ctx, uint64_t offset, const void *data, unsigned int len)
{
	struct virtio_pci *vp = vp_of_pci(ctx);

	if (offset >= VP_DEVICE && offset < VP_MSIX_TABLE) {
		vt_write_config(&vp->t, offset - VP_DEVICE, data, len);
	} else if (offset == VP_COMMON + VIRTIO_PCI_COMMON_STATUS && len == 1) {
		vt_write_status(&vp->t, *(const uint8_t *)data);
	} else {
		vt_lock(&vp->t);
		write_locked(vp, offset, data, len);
		vt_unlock(&vp->t);
	}
}
