/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The addresses and interrupts of our PC, on which its devices, its ACPI tables and
 * their ASL have to agree. Numbers only: the ASL is preprocessed with it too.
 */
#ifndef VRINGLAB_PC_H
#define VRINGLAB_PC_H

/* Memory is from 0 to at most the first, and what is more from the second. */
#define PC_LOW_MEMORY_MAX 0xc0000000
#define PC_HIGH_MEMORY_GPA 0x100000000

/* Local APICs have the ids from 0; 255 would be a broadcast. */
#define PC_CPUS_MAX 255
#define PC_LAPIC_GPA 0xfee00000
#define PC_IOAPIC_GPA 0xfec00000

/* ACPI's fixed registers PM1a event and PM1a control, and its reset register. */
#define PC_PM1_EVENT_PORT 0x600
#define PC_PM1_CONTROL_PORT 0x604
#define PC_RESET_PORT 0x610
#define PC_SCI_GSI 9

/* What enters S5 in PM1a control (SLP_TYP), and resets in the reset register. */
#define PC_SLP_TYP_S5 5
#define PC_RESET_VALUE 6

#define PC_COM1_PORT 0x3f8
#define PC_COM1_GSI 4

/* The keyboard controller, of which there is only the line that resets the CPU. */
#define PC_I8042_PORT 0x64

/* docs/specs/pvpanic in QEMU: how a guest tells that it panics. */
#define PC_PANIC_PORT 0x505

/* PCI: the configuration space of one bus, the window of its BARs, INTA to INTD. */
#define PC_PCI_CONFIG_PORT 0xcf8
#define PC_ECAM_GPA 0xe0000000
#define PC_ECAM_SIZE 0x00100000
#define PC_PCI_WINDOW_GPA 0xc0000000
#define PC_PCI_WINDOW_LAST 0xdfffffff
#define PC_PCI_WINDOW_SIZE 0x20000000
#define PC_PCI_INTA_GSI 16

/* virtio-mmio devices: a page for each. */
#define PC_VIRTIO_MMIO_GPA 0xf0000000
#define PC_VIRTIO_MMIO_SIZE 0x1000
#define PC_VIRTIO_MMIO_MAX 16

/* clang-format off */
/*
 * By hexadecimal digit, the GSI: edge triggered, and of the device alone. Nothing
 * else here uses these.
 */
#define PC_VIRTIO_MMIO_GSIS(X)                                                        \
	X(0, 5) X(1, 6) X(2, 7) X(3, 10) X(4, 11) X(5, 12) X(6, 13) X(7, 14)          \
	X(8, 15) X(9, 20) X(a, 21) X(b, 22) X(c, 23) X(d, 3) X(e, 1) X(f, 8)
/* clang-format on */

/* The ACPI tables, and in them a bit for each virtio-mmio device that is there. */
#define PC_ACPI_GPA 0xe0000
#define PC_ACPI_SIZE 0x20000
#define PC_VIRTIO_MMIO_MAP_GPA 0xe0040

#endif /* VRINGLAB_PC_H */
