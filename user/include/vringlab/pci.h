/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A PCI bus: a host bridge, and devices that are added by slot.
 *
 * One segment, one bus, one function a device. Config space is reached by ECAM and by
 * the ports 0xcf8 to 0xcff; a byte written to 0xcf9 resets nothing.
 */
#ifndef VRINGLAB_PCI_H
#define VRINGLAB_PCI_H

#include <stdint.h>

#include <vringlab/pc.h>

struct pci_bus;
struct vl_err;
struct vmm;

/* Config space of bus 0, which is all that MCFG should tell of. */
#define PCI_ECAM_GPA PC_ECAM_GPA
#define PCI_ECAM_SIZE PC_ECAM_SIZE

/* PCI Express base specification, 7.2.2: 12 bits a function, 8 functions a slot. */
#define PCI_ECAM_SLOT_SHIFT 15

/* Where BARs are: 32-bit memory. */
#define PCI_WINDOW_GPA PC_PCI_WINDOW_GPA
#define PCI_WINDOW_SIZE PC_PCI_WINDOW_SIZE

/* The host bridge has slot 0. */
#define PCI_SLOTS 32u

/*
 * INTA to INTD: level triggered GSIs of the IOAPIC, whatever the device. Which of the
 * pins a device has is by its slot, so that few share a line.
 */
#define PCI_INTX_GSI PC_PCI_INTA_GSI
#define PCI_INTX_PINS 4u

/**
 * pci_intx_gsi() - Where a device's interrupt pin goes
 * @slot:	Its slot.
 */
static inline unsigned int pci_intx_gsi(unsigned int slot)
{
	return PCI_INTX_GSI + slot % PCI_INTX_PINS;
}

/**
 * pci_config_gpa() - Where a device's config space is, by ECAM
 * @slot:	Its slot.
 */
static inline uint64_t pci_config_gpa(unsigned int slot)
{
	return PCI_ECAM_GPA + ((uint64_t)slot << PCI_ECAM_SLOT_SHIFT);
}

/**
 * pci_bus_create() - Put a host bridge and its bus into a VM
 * @bus:	Set on success only.
 * @vm:		VM; must outlive the bus.
 * @err:	What went wrong, may be NULL.
 *
 * Return: 0, %-ENOMEM, or what vmm_bus_add() says.
 */
int pci_bus_create(struct pci_bus **bus, struct vmm *vm, struct vl_err *err);

/**
 * pci_bus_destroy() - Release the bus
 * @bus:	Bus whose devices have been destroyed; NULL is allowed. No vCPU runs.
 */
void pci_bus_destroy(struct pci_bus *bus);

#endif /* VRINGLAB_PCI_H */
