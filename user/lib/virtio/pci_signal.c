// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Doorbells, and interrupts by INTx. Those by MSI-X are in msix.c.
 */
#include <poll.h>
#include <sys/eventfd.h>

#include <vringlab/loop.h>
#include <vringlab/vmm.h>

#include "virtio_pci.h"

/* VIRTIO 1.2 section 4.1.4.5. */
#define ISR_QUEUE 0x1u
#define ISR_CONFIG 0x2u

/* What the driver writes there, and how wide, tells nothing: every write is a kick. */
static struct vmm_ioeventfd doorbell(const struct virtio_queue *q, uint32_t bells_gpa)
{
	return (struct vmm_ioeventfd){
		.bus = VMM_BUS_MMIO,
		.addr = bells_gpa + q->index * VP_NOTIFY_MULTIPLIER,
		.fd = q->kick_fd,
	};
}

/* Of the virtqueues before @end. */
static void detach_doorbells(struct virtio_pci *vp, unsigned int end)
{
	for (unsigned int i = 0; i < end; i++) {
		const struct virtio_queue *q = &vp->t.queues[i];
		const struct vmm_ioeventfd io = doorbell(q, vp->bells_gpa);

		if (q->enabled)
			vmm_ioeventfd_detach(vp->t.config.vm, &io, NULL);
	}
	vp->bells_gpa = 0;
}

static void attach_doorbells(struct virtio_pci *vp, uint32_t gpa)
{
	struct virtio_transport *t = &vp->t;

	vp->bells_gpa = gpa;
	for (unsigned int i = 0; i < t->be->num_queues; i++) {
		const struct virtio_queue *q = &t->queues[i];
		const struct vmm_ioeventfd io = doorbell(q, gpa);

		if (q->enabled && vmm_ioeventfd_attach(t->config.vm, &io, &t->trouble)) {
			detach_doorbells(vp, i);
			return;
		}
	}
}

/*
 * For as long as the virtqueues are served, at the place that the BAR has. A write that
 * finds no ioeventfd comes to the BAR's handler, which kicks.
 */
void vp_place_doorbells(struct virtio_pci *vp)
{
	uint32_t gpa = vp->live && vp->pci.bar_gpa ? vp->pci.bar_gpa + VP_NOTIFY : 0;

	if (gpa == vp->bells_gpa)
		return;
	if (vp->bells_gpa)
		detach_doorbells(vp, vp->t.be->num_queues);
	if (gpa)
		attach_doorbells(vp, gpa);
}

/* With MSI-X no line is asserted, whatever was left to read. */
void vp_set_isr(struct virtio_pci *vp, uint8_t isr)
{
	vp->isr = isr;
	pci_set_intx(&vp->pci, isr && !vp->msix.enabled);
}

void vp_config_interrupt(struct virtio_pci *vp)
{
	if (!vp->msix.enabled)
		vp_set_isr(vp, vp->isr | ISR_CONFIG);
	else if (vp->msix.sources[VP_CONFIG_SOURCE].vector != MSIX_NO_VECTOR)
		eventfd_write(vp->config_fd, 1);
}

static void on_call(void *ctx, int res)
{
	struct vp_watch *watch = ctx;
	struct virtio_pci *vp = watch->vp;
	struct virtio_transport *t = &vp->t;

	vt_lock(t);
	if (res < 0) {
		vl_err_set(&t->trouble, res, "%s: cannot watch virtqueue %u: %s", t->be->name,
			   watch->index, vl_strerror(res));
	} else if (!vp->msix.enabled) {
		/* else it is the vector's, pending perhaps */
		vt_drain(t->queues[watch->index].call_fd);
		vp_set_isr(vp, vp->isr | ISR_QUEUE);
	}
	vt_unlock(t);
}

static int watch_call(struct virtio_pci *vp, unsigned int index)
{
	struct vp_watch *watch = &vp->watches[index];

	if (watch->op)
		return 0;
	return loop_poll(vp->t.config.loop, vp->t.queues[index].call_fd, POLLIN, on_call, watch,
			 &watch->op);
}

/* Errand: by the loop while there is no MSI-X, by nobody when there is. */
int vp_watch_calls(void *ctx)
{
	struct virtio_transport *t = ctx;
	struct virtio_pci *vp = vp_of_transport(t);
	bool wanted;
	int ret = 0;

	vt_lock(t);
	wanted = vp->live && !vp->msix.enabled;
	for (unsigned int i = 0; i < t->be->num_queues && !ret; i++) {
		if (!wanted)
			loop_op_remove(&vp->watches[i].op);
		else if (t->queues[i].enabled)
			ret = watch_call(vp, i);
	}
	if (ret)
		vl_err_set(&t->trouble, ret, "%s: cannot watch its virtqueues: %s", t->be->name,
			   vl_strerror(ret));
	vt_unlock(t);
	return 0;
}
