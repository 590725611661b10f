/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A device of a PCI bus, as the bus sees it.
 */
#ifndef VIRTIO_PCI_DEVICE_H
#define VIRTIO_PCI_DEVICE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <vringlab/pci.h>
#include <vringlab/vmm_bus.h>

/* Conventional: what is behind reads as 0, which is "no extended capabilities". */
#define PCI_CONFIG_SIZE 256u

struct pci_device;

/**
 * struct pci_device_ops - What a device does
 * @bar:	Accesses to BAR 0; their context is the struct pci_device.
 * @placed:	BAR 0 is at &pci_device.bar_gpa now, or will no longer be when that
 *		is 0. Called with the lock.
 * @changed:	Something was written to config space, or BAR 0 was placed.
 * @config_read: Before it is read. Returns whether that was all.
 * @config_write: The same before it is written.
 *
 * All but @placed are called without the lock.
 */
struct pci_device_ops {
	struct vmm_range_ops bar;
	void (*placed)(struct pci_device *dev);
	void (*changed)(struct pci_device *dev);
	bool (*config_read)(struct pci_device *dev, unsigned int offset, void *data,
			    unsigned int len);
	bool (*config_write)(struct pci_device *dev, unsigned int offset, const void *data,
			     unsigned int len);
};

/**
 * struct pci_device - A device
 * @ops:	What it does. NULL: it only has config space.
 * @name:	For messages.
 * @bus:	Its bus.
 * @slot:	Its slot.
 * @bar_size:	Size of BAR 0, a power of two; 0 for none.
 * @capability_link: Offset of the last "next", which is 0.
 * @capability_end: Offset behind the last capability.
 * @lock:	Protects the following, and what the device wants.
 * @config:	Config space.
 * @writable:	Bits of it that the guest can write.
 * @bar_gpa:	Where BAR 0 is on the VM's bus, 0 for nowhere.
 * @intx:	It asserts INTA, unless command register or MSI-X say no.
 */
struct pci_device {
	const struct pci_device_ops *ops;
	const char *name;
	struct pci_bus *bus;
	unsigned int slot;
	uint32_t bar_size;
	uint8_t capability_link;
	uint8_t capability_end;
	pthread_mutex_t lock;
	uint8_t config[PCI_CONFIG_SIZE];
	uint8_t writable[PCI_CONFIG_SIZE];
	uint32_t bar_gpa;
	bool intx;
};

struct pci_bus {
	struct vmm *vm;
	/* changed only while no vCPU runs */
	struct pci_device *devices[PCI_SLOTS];
	uint32_t next_bar;
	struct pci_device bridge;
	pthread_mutex_t lock;
	/* with @lock: what was written to 0xcf8; slots that assert each of the lines */
	uint32_t address;
	uint32_t asserted[PCI_INTX_PINS];
};

/**
 * struct pci_id - What a device is
 * @vendor: Also the subsystem's.
 * @device: Also the subsystem's.
 * @revision: Of it.
 * @class: Class, subclass, programming interface.
 */
struct pci_id {
	uint16_t vendor;
	uint16_t device;
	uint8_t revision;
	uint32_t class;
};

/* pci_bus.c */
int pci_bus_add(struct pci_bus *bus, unsigned int slot, struct pci_device *dev, struct vl_err *err);
void pci_bus_remove(struct pci_device *dev);
void pci_bus_line(struct pci_bus *bus, unsigned int slot, bool level);

/* pci_config.c */
void pci_config_init(struct pci_device *dev, const struct pci_id *id);
uint8_t *pci_config_capability(struct pci_device *dev, uint8_t id, unsigned int size);
void pci_config_read(struct pci_device *dev, unsigned int offset, void *data, unsigned int len);
void pci_config_write(struct pci_device *dev, unsigned int offset, const void *data,
		      unsigned int len);
uint16_t pci_config_u16(const struct pci_device *dev, unsigned int offset);
void pci_config_set_u16(struct pci_device *dev, unsigned int offset, uint16_t value);
uint32_t pci_config_u32(const struct pci_device *dev, unsigned int offset);
void pci_config_set_u32(struct pci_device *dev, unsigned int offset, uint32_t value);

/* Both with the lock. */
bool pci_place_bar(struct pci_device *dev);
void pci_set_intx(struct pci_device *dev, bool asserted);

#endif /* VIRTIO_PCI_DEVICE_H */
