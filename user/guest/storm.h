/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the VMM and the guest doorbell-storm say to each other: see micro.h.
 */
#ifndef VRINGLAB_STORM_H
#define VRINGLAB_STORM_H

#include <stdint.h>

#include "micro.h"

#define STORM_MAGIC 0x6d726f74736c6c65ull /* "ellstorm" */
#define STORM_VERSION 1u

struct storm_param {
	struct micro_head head;

	/* from the VMM */
	uint64_t doorbells; /* to ring, all together */
	uint64_t addr; /* of the first; port or address */
	uint32_t stride; /* from one to the next */
	uint32_t nr; /* how many there are */
	uint32_t mmio; /* addresses, not ports */
	uint32_t pad;

	/* from the guest */
	uint64_t rung;
	uint64_t cycles; /* from before the first to after the last */
};

#endif /* VRINGLAB_STORM_H */
