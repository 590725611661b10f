/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the VMM and the guest ring-ping say to each other: see micro.h.
 */
#ifndef VRINGLAB_RING_PING_H
#define VRINGLAB_RING_PING_H

#include <stdint.h>

#include "micro.h"
#include "tsc_hist.h"

#define RING_PING_MAGIC 0x676e6970676e6972ull /* "ringping" */
#define RING_PING_VERSION 2u

/* A chain is two descriptors, and VIRTIO 1.2 section 2.7 allows 32768. */
#define RING_PING_DEPTH_MAX 16384u

enum ring_ping_doorbell {
	RING_PING_DOORBELL_PIO,
	RING_PING_DOORBELL_MMIO,
};

enum ring_ping_wait {
	RING_PING_WAIT_HALT,
	RING_PING_WAIT_SPIN,
};

/* What the guest writes to its exit port. */
/* Besides those of enum micro_status. */
enum ring_ping_status {
	RING_PING_MISMATCH = MICRO_OWN, /* wrong answers; see the counters */
	RING_PING_BAD_USED, /* the device broke the used ring */
};

struct ring_ping_param {
	struct micro_head head;

	/* from the VMM */
	uint64_t iterations;
	uint64_t desc_gpa;
	uint64_t avail_gpa;
	uint64_t used_gpa;
	uint64_t request_gpa;
	uint64_t response_gpa;
	uint64_t doorbell_addr; /* port or address */
	uint32_t doorbell; /* enum ring_ping_doorbell */
	uint32_t wait; /* enum ring_ping_wait */
	uint32_t queue_size;
	uint32_t depth; /* chains per kick, 2 descriptors each */
	uint32_t payload_bytes; /* of each buffer */
	uint32_t stride_bytes; /* from one buffer to the next */
	uint32_t vector;
	uint32_t pad;

	/* from the guest */
	uint64_t started; /* iterations */
	uint64_t completed; /* iterations */
	uint64_t kicks;
	uint64_t suppressed; /* kicks that the device did not want */
	uint64_t interrupts;
	uint64_t spurious; /* of these, with nothing new since the one before */
	uint64_t buffers; /* answers taken from the used ring */
	uint64_t mismatches; /* answers with wrong bytes or length */
	uint64_t errors; /* used elements that cannot be */

	/* of the first mismatch or error */
	uint64_t bad_iteration;
	uint64_t bad_offset; /* in the answer */
	uint64_t bad_expected; /* a byte, a length or an index */
	uint64_t bad_got;

	/* round trips in TSC cycles: from before the kick to all answers there */
	struct tsc_hist rtt;
};

_Static_assert(MICRO_PARAM_GPA + sizeof(struct ring_ping_param) <= MICRO_PARAM_END,
	       "the parameters reach into the stack");

#endif /* VRINGLAB_RING_PING_H */
