/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A virtio device on PCI: VIRTIO 1.2 section 4.1, without its legacy interface.
 */
#ifndef VIRTIO_VIRTIO_PCI_H
#define VIRTIO_VIRTIO_PCI_H

#include "msix.h"
#include "pci.h"
#include "transport.h"

struct loop_op;

/* What is where in BAR 0. A doorbell is 4 bytes, so that no two have an address. */
#define VP_COMMON 0x0000u
#define VP_ISR 0x1000u
#define VP_DEVICE 0x2000u
#define VP_MSIX_TABLE 0x3000u
#define VP_MSIX_PBA 0x5000u
#define VP_NOTIFY 0x6000u
#define VP_BAR_SIZE 0x8000u
#define VP_NOTIFY_MULTIPLIER 4u

/* One for config changes, one for each virtqueue. */
#define VP_CONFIG_SOURCE 0u
#define VP_QUEUE_SOURCE(index) ((index) + 1u)

/* Of &vp_watch.op: the calls of a virtqueue, for a driver without MSI-X. */
struct vp_watch {
	struct virtio_pci *vp;
	unsigned int index;
	struct loop_op *op;
};

/**
 * struct virtio_pci - A device on PCI
 * @pci:	As the bus sees it. Its lock is the device's.
 * @t:		As its driver sees it.
 * @msix_cap:	Offset of the capability.
 * @cfg_cap:	Offset of the capability that reaches the BAR through config space.
 * @watches:	One a virtqueue; the loop's.
 * @config_fd:	eventfd of config changes.
 * @msix:	With the lock, as the following.
 * @isr:	ISR status.
 * @live:	Between start and stop.
 * @bells_gpa:	Where the doorbells of live virtqueues are attached; 0: they are not.
 */
struct virtio_pci {
	struct pci_device pci;
	struct virtio_transport t;
	uint8_t msix_cap;
	uint8_t cfg_cap;
	struct vp_watch *watches;
	int config_fd;
	struct msix msix;
	uint8_t isr;
	bool live;
	uint32_t bells_gpa;
};

/* virtio_pci.c */
struct virtio_pci *vp_of_pci(struct pci_device *dev);
struct virtio_pci *vp_of_transport(struct virtio_transport *t);

/* pci_capabilities.c */
void vp_add_capabilities(struct virtio_pci *vp);
bool vp_cfg_read(struct pci_device *dev, unsigned int offset, void *data, unsigned int len);
bool vp_cfg_write(struct pci_device *dev, unsigned int offset, const void *data, unsigned int len);

/* pci_bar.c */
void vp_bar_read(void *ctx, uint64_t offset, void *data, unsigned int len);
void vp_bar_write(void *ctx, uint64_t offset, const void *data, unsigned int len);

/* pci_common.c; with the lock */
void vp_common_read(struct virtio_pci *vp, uint64_t offset, void *data, unsigned int len);
void vp_common_write(struct virtio_pci *vp, uint64_t offset, const void *data, unsigned int len);

/* pci_signal.c; with the lock, but for vp_watch_calls(), an errand */
void vp_place_doorbells(struct virtio_pci *vp);
void vp_set_isr(struct virtio_pci *vp, uint8_t isr);
void vp_config_interrupt(struct virtio_pci *vp);
int vp_watch_calls(void *t);

#endif /* VIRTIO_VIRTIO_PCI_H */
