// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <linux/pci_regs.h>
#include <linux/virtio_ids.h>
#include <stddef.h>
#include <stdlib.h>

#include <vringlab/fd.h>

#include "virtio_pci.h"

/* VIRTIO 1.2 section 4.1.2. */
#define VENDOR 0x1af4u
#define DEVICE_BASE 0x1040u
#define REVISION 1u

_Static_assert(VP_MSIX_TABLE + (VIRTIO_TRANSPORT_QUEUES_MAX + 1) * MSIX_ENTRY_SIZE <= VP_MSIX_PBA,
	       "room for all vectors");
_Static_assert(VP_NOTIFY + VIRTIO_TRANSPORT_QUEUES_MAX * VP_NOTIFY_MULTIPLIER <= VP_BAR_SIZE,
	       "room for all doorbells");
_Static_assert(VP_DEVICE + VIRTIO_TRANSPORT_CONFIG_MAX <= VP_MSIX_TABLE, "room for config space");

struct virtio_pci *vp_of_pci(struct pci_device *dev)
{
	return (struct virtio_pci *)((char *)dev - offsetof(struct virtio_pci, pci));
}

struct virtio_pci *vp_of_transport(struct virtio_transport *t)
{
	return (struct virtio_pci *)((char *)t - offsetof(struct virtio_pci, t));
}

/* What the guest's tools show: PCI Code and ID Assignment Specification. */
static uint32_t class_of(uint16_t device_id)
{
	switch (device_id) {
	case VIRTIO_ID_NET:
		return 0x020000;
	case VIRTIO_ID_BLOCK:
		return 0x018000;
	case VIRTIO_ID_CONSOLE:
		return 0x078000;
	}
	return 0xff0000;
}

/* The BAR has moved: the doorbells with it. */
static void placed(struct pci_device *dev)
{
	vp_place_doorbells(vp_of_pci(dev));
}

/*
 * A device that is no bus master accesses no memory: a kernel that hands the machine over
 * to another one relies on it. With the lock.
 */
static void check_master(struct virtio_pci *vp)
{
	if (vp->live && !(pci_config_u16(&vp->pci, PCI_COMMAND) & PCI_COMMAND_MASTER))
		vl_err_set(&vp->t.trouble, -ENODEV,
			   "%s: the guest took bus mastering away without a reset", vp->t.be->name);
}

/* MSI-X, perhaps, or the command register. */
static void changed(struct pci_device *dev)
{
	struct virtio_pci *vp = vp_of_pci(dev);
	struct virtio_transport *t = &vp->t;
	bool was_enabled;
	uint16_t flags;

	vt_lock(t);
	check_master(vp);
	was_enabled = vp->msix.enabled;
	flags = pci_config_u16(dev, vp->msix_cap + PCI_MSIX_FLAGS);
	msix_control(&vp->msix, flags & PCI_MSIX_FLAGS_ENABLE, flags & PCI_MSIX_FLAGS_MASKALL,
		     &t->trouble);
	was_enabled = was_enabled != vp->msix.enabled;
	vp_set_isr(vp, vp->isr);
	vt_unlock(t);
	if (was_enabled)
		vt_errand(t, vp_watch_calls);
}

static const struct pci_device_ops pci_ops = {
	.bar = { .read = vp_bar_read, .write = vp_bar_write },
	.placed = placed,
	.changed = changed,
	.config_read = vp_cfg_read,
	.config_write = vp_cfg_write,
};

static void set_live(struct virtio_transport *t, bool live)
{
	struct virtio_pci *vp = vp_of_transport(t);

	vt_lock(t);
	vp->live = live;
	vp_place_doorbells(vp);
	vt_unlock(t);
	vp_watch_calls(t);
}

static void start(struct virtio_transport *t)
{
	set_live(t, true);
}

static void stop(struct virtio_transport *t)
{
	set_live(t, false);
}

/* VIRTIO 1.2 section 4.1.5.1.2: no vectors. Their table is PCI's, and stays. */
static void reset(struct virtio_transport *t)
{
	struct virtio_pci *vp = vp_of_transport(t);

	for (unsigned int i = 0; i < vp->msix.nr_sources; i++)
		msix_bind(&vp->msix, i, MSIX_NO_VECTOR, NULL);
	vt_drain(vp->config_fd);
	vp_set_isr(vp, 0);
}

static void config_changed(struct virtio_transport *t)
{
	vp_config_interrupt(vp_of_transport(t));
}

static void release(struct virtio_pci *vp)
{
	msix_exit(&vp->msix);
	vl_fd_close(&vp->config_fd);
	free(vp->watches);
	vt_exit(&vp->t);
	pthread_mutex_destroy(&vp->pci.lock);
	free(vp);
}

static void destroy(struct virtio_transport *t)
{
	struct virtio_pci *vp = vp_of_transport(t);

	pci_bus_remove(&vp->pci);
	release(vp);
}

static const struct vt_ops transport_ops = {
	.start = start,
	.stop = stop,
	.reset = reset,
	.config_changed = config_changed,
	.destroy = destroy,
};

static void init_pci(struct virtio_pci *vp, const struct virtio_backend *be)
{
	const struct pci_id id = {
		.vendor = VENDOR,
		.device = DEVICE_BASE + be->device_id,
		.revision = REVISION,
		.class = class_of(be->device_id),
	};

	vp->pci.ops = &pci_ops;
	vp->pci.name = be->name;
	vp->pci.bar_size = VP_BAR_SIZE;
	pci_config_init(&vp->pci, &id);
}

static int init_signals(struct virtio_pci *vp, struct vl_err *err)
{
	unsigned int nr = vp->t.be->num_queues;

	vp->watches = calloc(nr, sizeof(*vp->watches));
	if (!vp->watches || msix_init(&vp->msix, vp->t.config.vm, nr + 1, nr + 1))
		return vl_err_set(err, -ENOMEM, "%s: no memory for interrupts", vp->t.be->name);
	for (unsigned int i = 0; i < nr; i++) {
		vp->watches[i] = (struct vp_watch){ .vp = vp, .index = i };
		vp->msix.sources[VP_QUEUE_SOURCE(i)].fd = vp->t.queues[i].call_fd;
	}
	vp->msix.sources[VP_CONFIG_SOURCE].fd = vp->config_fd;
	return 0;
}

int virtio_pci_create(struct virtio_transport **t, const struct virtio_transport_config *config,
		      struct pci_bus *bus, unsigned int slot, struct vl_err *err)
{
	struct virtio_pci *vp = calloc(1, sizeof(*vp));
	int ret;

	if (!vp)
		return vl_err_set(err, -ENOMEM, "no memory for a device");
	vp->config_fd = -1;
	init_pci(vp, config->backend);
	ret = vt_init(&vp->t, &transport_ops, config, &vp->pci.lock, err);
	if (ret) {
		pthread_mutex_destroy(&vp->pci.lock);
		free(vp);
		return ret;
	}
	ret = vt_eventfd(&vp->config_fd, err);
	if (!ret)
		ret = init_signals(vp, err);
	if (!ret) {
		vp_add_capabilities(vp);
		ret = pci_bus_add(bus, slot, &vp->pci, err);
	}
	if (ret) {
		release(vp);
		return ret;
	}
	*t = &vp->t;
	return 0;
}
