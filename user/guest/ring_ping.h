/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the VMM and the guest ring-ping say to each other, in guest memory at
 * RING_PING_PARAM_GPA. The VMM writes the first part before the guest runs, the
 * guest writes the second one while it runs, so that a VMM that loses patience
 * can see how far it got.
 */
#ifndef VRINGLAB_RING_PING_H
#define VRINGLAB_RING_PING_H

#include <stdint.h>

#include "tsc_hist.h"

#define RING_PING_MAGIC 0x676e6970676e6972ull /* "ringping" */
#define RING_PING_VERSION 1u

#define RING_PING_PARAM_GPA 0x9000u
/* Rings and buffers start here. */
#define RING_PING_DATA_GPA 0x100000u

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
enum ring_ping_status {
	RING_PING_OK,
	RING_PING_MISMATCH, /* wrong answers; see the counters */
	RING_PING_BAD_PARAM, /* this structure is not of this version */
	RING_PING_BAD_USED, /* the device broke the used ring */
	RING_PING_EXCEPTION, /* the guest is broken; see its exception */
};

struct ring_ping_param {
	uint64_t magic;
	uint32_t version;
	uint32_t size; /* of this structure */

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

	/* of the exception */
	uint64_t exc_vector;
	uint64_t exc_error;
	uint64_t exc_rip;
	uint64_t exc_cr2;

	/* round trips in TSC cycles: from before the kick to all answers there */
	uint64_t rtt_min;
	uint64_t rtt_max;
	uint64_t rtt_sum;
	uint64_t hist[TSC_HIST_BUCKETS];
};

_Static_assert(sizeof(struct ring_ping_param) <= 0x2000, "the parameters reach into the stack");

#endif /* VRINGLAB_RING_PING_H */
