/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a PC's kernel cannot find by itself: the PCI host bridge and its interrupts,
 * the serial port, virtio-mmio devices, and how to power off. Compiled when the
 * library is built, and the same for every machine: which virtio-mmio devices there
 * are is read from the memory of the tables.
 *
 * Goes through the C preprocessor.
 */
#include <vringlab/pc.h>

/* iasl computes the length of a table wrong when an address is a sum */
#define VIRTIO_MMIO(digit, gsi)                                             \
	Device (V00##digit)                                                 \
	{                                                                   \
		Name (_HID, "LNRO0005")                                     \
		Name (_UID, 0x##digit)                                      \
		Method (_STA) { Return (HERE (0x##digit)) }                 \
		Name (_CRS, ResourceTemplate () {                           \
			Memory32Fixed (ReadWrite, 0xf000##digit##000,       \
				PC_VIRTIO_MMIO_SIZE)                        \
			Interrupt (ResourceConsumer, Edge, ActiveHigh,      \
				Exclusive) { gsi }                          \
		})                                                          \
	}

DefinitionBlock ("", "DSDT", 2, "VRNGLB", "VRINGLAB", 1)
{
	Name (\_S5, Package () { PC_SLP_TYP_S5, 0, 0, 0 })

	OperationRegion (MAP, SystemMemory, PC_VIRTIO_MMIO_MAP_GPA, 4)
	Field (MAP, DWordAcc, NoLock, Preserve) { VMAP, 32 }

	Scope (\_SB)
	{
		Device (PCI0)
		{
			Name (_HID, EisaId ("PNP0A03"))
			Name (_UID, 0)
			Name (_BBN, 0)
			Name (_SEG, 0)
			Name (_CRS, ResourceTemplate () {
				WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode,
					0, 0, 0, 0, 1)
				IO (Decode16, PC_PCI_CONFIG_PORT, PC_PCI_CONFIG_PORT, 1, 8)
				DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed,
					NonCacheable, ReadWrite, 0, PC_PCI_WINDOW_GPA,
					PC_PCI_WINDOW_LAST, 0, PC_PCI_WINDOW_SIZE)
			})

			/* a line is a GSI, whatever the device */
			Method (_PRT, 0, Serialized)
			{
				Local0 = Package (128) {}
				Local1 = 0
				While (Local1 < 128)
				{
					Local2 = Package (4) { 0, 0, 0, 0 }
					Local2[0] = ((Local1 >> 2) << 16) | 0xffff
					Local2[1] = Local1 & 3
					Local2[3] = PC_PCI_INTA_GSI + (Local1 & 3)
					Local0[Local1] = Local2
					Local1++
				}
				Return (Local0)
			}
		}

		/* what no driver takes, and no other device may */
		Device (RSVD)
		{
			Name (_HID, EisaId ("PNP0C02"))
			Name (_UID, 0)
			Name (_CRS, ResourceTemplate () {
				Memory32Fixed (ReadWrite, PC_ECAM_GPA, PC_ECAM_SIZE)
				IO (Decode16, PC_PM1_EVENT_PORT, PC_PM1_EVENT_PORT, 1, 6)
				IO (Decode16, PC_RESET_PORT, PC_RESET_PORT, 1, 1)
			})
		}

		Device (COM1)
		{
			Name (_HID, EisaId ("PNP0501"))
			Name (_UID, 1)
			Name (_CRS, ResourceTemplate () {
				IO (Decode16, PC_COM1_PORT, PC_COM1_PORT, 1, 8)
				IRQNoFlags () { PC_COM1_GSI }
			})
		}

		Device (PEVT)
		{
			Name (_HID, "QEMU0001")
			Name (_UID, 0)
			Name (_CRS, ResourceTemplate () {
				IO (Decode16, PC_PANIC_PORT, PC_PANIC_PORT, 1, 1)
			})
		}

		Method (HERE, 1)
		{
			If ((VMAP >> Arg0) & 1)
			{
				Return (0x0f)
			}
			Return (0)
		}

		PC_VIRTIO_MMIO_GSIS (VIRTIO_MMIO)
	}
}
