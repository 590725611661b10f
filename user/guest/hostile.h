/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the VMM and the guest hostile say to each other: see micro.h.
 */
#ifndef VRINGLAB_HOSTILE_H
#define VRINGLAB_HOSTILE_H

#include <stdint.h>

#include "micro.h"

#define HOSTILE_MAGIC 0x656c6974736f6821ull /* "!hostile" */
#define HOSTILE_VERSION 1u

/* Virtqueues that the guest puts rings of its own into, of all devices together. */
#define HOSTILE_RINGS 64u
#define HOSTILE_RING_BYTES 0x4000u
/* What the devices have of memory: rings, and as much for data. */
#define HOSTILE_SHARED_BYTES (2u * HOSTILE_RINGS * HOSTILE_RING_BYTES)

struct hostile_param {
	struct micro_head head;

	/* from the VMM */
	uint64_t seed;
	uint64_t count; /* of what it is to do */
	uint64_t shared_gpa; /* HOSTILE_SHARED_BYTES, and not the guest's own */
	uint64_t ecam_gpa;
	uint64_t mmio_gpa; /* of virtio-mmio devices, a page each */
	uint64_t window_gpa; /* of PCI's BARs */
	uint64_t window_size;
	uint32_t nr_pci; /* virtio devices at the slots from 1 on */
	uint32_t nr_mmio;

	/* from the guest */
	uint64_t done;
	uint64_t starts; /* devices that were brought up to DRIVER_OK */
	uint64_t refused; /* or not */
	uint64_t works; /* a bit for each device that works in the end, PCI's first */
};

#endif /* VRINGLAB_HOSTILE_H */
