/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Interrupts: the lines of a PC, and GSIs that are routed to an MSI each.
 *
 * KVM's table of routes is changed as a whole; a change waits for an SRCU grace
 * period and is atomic: an irqfd that signals meanwhile takes the old route or the
 * new one.
 */
#ifndef VRINGLAB_VMM_GSI_H
#define VRINGLAB_VMM_GSI_H

#include <stdbool.h>
#include <stdint.h>

struct vl_err;
struct vmm;

/* Pins of the IOAPIC, whose GSIs are the first: include/uapi/linux/kvm.h, KVM_IOAPIC_NUM_PINS. */
#define VMM_GSI_PINS 24u

/* GSIs that one VM of ours may have beyond the pins. */
#define VMM_GSI_MSI_MAX 1024u

/**
 * vmm_gsi_alloc() - Reserve a GSI for an MSI
 * @vm:		VM with an irqchip.
 * @gsi:	Set on success. It has no route: what signals it is lost.
 * @err:	What went wrong, may be NULL.
 *
 * Context: any thread, as all of this file.
 * Return: 0, %-EINVAL without an irqchip, %-EOPNOTSUPP where KVM has no routes, or
 * %-ENOSPC.
 */
int vmm_gsi_alloc(struct vmm *vm, unsigned int *gsi, struct vl_err *err);

/**
 * vmm_gsi_route() - Say which MSI a GSI is
 * @vm:		VM.
 * @gsi:	From vmm_gsi_alloc().
 * @address:	Message address.
 * @data:	Message data.
 * @err:	What went wrong, may be NULL.
 *
 * Does nothing where that is the route already.
 *
 * Return: 0, or a negative errno of KVM_SET_GSI_ROUTING; the former route stays.
 */
int vmm_gsi_route(struct vmm *vm, unsigned int gsi, uint64_t address, uint32_t data,
		  struct vl_err *err);

/**
 * vmm_gsi_free() - Give a GSI up
 * @vm:		VM.
 * @gsi:	From vmm_gsi_alloc(), of no irqfd any more.
 *
 * KVM's table has its route until the table changes for another reason.
 */
void vmm_gsi_free(struct vmm *vm, unsigned int gsi);

/**
 * vmm_gsi_set_line() - Set a pin of the PC's interrupt controllers
 * @vm:		VM with VMM_IRQCHIP_PC.
 * @gsi:	Less than VMM_GSI_PINS.
 * @level:	Which.
 * @err:	What went wrong, may be NULL.
 *
 * Return: 0, or a negative errno of KVM_IRQ_LINE.
 */
int vmm_gsi_set_line(struct vmm *vm, unsigned int gsi, bool level, struct vl_err *err);

/**
 * vmm_gsi_send_msi() - Send one MSI
 * @vm:		VM with an irqchip.
 * @address:	Message address.
 * @data:	Message data.
 * @err:	What went wrong, may be NULL.
 *
 * Return: 0, also where the guest blocks it; or a negative errno of KVM_SIGNAL_MSI.
 */
int vmm_gsi_send_msi(struct vmm *vm, uint64_t address, uint32_t data, struct vl_err *err);

/**
 * vmm_irqfd_add() - Let an eventfd signal a GSI
 * @vm:		VM.
 * @fd:		eventfd; stays the caller's.
 * @gsi:	GSI.
 * @resample_fd: -1, or an eventfd that is signalled when the guest has acknowledged
 *		the interrupt: the GSI is then a level, and lowered by that.
 * @err:	What went wrong, may be NULL.
 *
 * What the eventfd holds already is signalled at once. Undone by vmm_irqfd_detach().
 *
 * Return: as vmm_irqfd_attach().
 */
int vmm_irqfd_add(struct vmm *vm, int fd, unsigned int gsi, int resample_fd, struct vl_err *err);

#endif /* VRINGLAB_VMM_GSI_H */
