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
#define RING_PING_VERSION 3u

/* Chains per kick. */
#define RING_PING_DEPTH_MAX 16384u

/* Descriptors of a chain. */
#define RING_PING_PIECES_MAX 4u

enum ring_ping_doorbell {
	RING_PING_DOORBELL_PIO,
	RING_PING_DOORBELL_MMIO,
};

enum ring_ping_wait {
	RING_PING_WAIT_HALT,
	RING_PING_WAIT_SPIN,
};

enum ring_ping_transport {
	RING_PING_BARE, /* no device: a virtqueue, a doorbell, an interrupt */
	RING_PING_PCI,
	RING_PING_VIRTIO_MMIO,
};

/* What is in a piece that the device reads, or expected in one that it writes. */
enum ring_ping_content {
	RING_PING_PATTERN, /* another one in each iteration */
	RING_PING_FIXED, /* what the VMM has put there, or at expected_gpa */
	RING_PING_SAME, /* what the first answer had; it goes to expected_gpa, in whole words */
	RING_PING_RANDOM, /* not only zeroes, where it is long enough to tell */
};

/* A descriptor of each chain: that of chain c is c strides after the first one's. */
struct ring_ping_piece {
	uint64_t gpa;
	uint64_t expected_gpa;
	uint32_t bytes;
	uint32_t stride_bytes; /* a multiple of 8, and not less */
	uint32_t writable; /* by the device */
	uint32_t content; /* enum ring_ping_content */
};

/* What the guest writes to its exit port, besides those of enum micro_status. */
enum ring_ping_status {
	RING_PING_MISMATCH = MICRO_OWN, /* wrong answers; see the counters */
	RING_PING_BAD_USED, /* the device broke the used ring */
	RING_PING_BAD_ID, /* no device, or another one */
	RING_PING_BAD_FEATURES, /* not offered, or not accepted */
	RING_PING_BAD_SIZE, /* the virtqueue is not there, or smaller */
	RING_PING_BAD_VECTOR, /* no MSI-X vector for it */
	RING_PING_BAD_STATUS, /* it does not start */
};

struct ring_ping_param {
	struct micro_head head;

	/* from the VMM */
	uint64_t iterations;
	uint64_t desc_gpa; /* of the first virtqueue: */
	uint64_t driver_gpa;
	uint64_t device_gpa;
	uint64_t queue_stride_bytes; /* from one to the next */
	uint64_t doorbell_addr; /* port or address, of RING_PING_BARE */
	uint32_t doorbell; /* enum ring_ping_doorbell, likewise */
	uint32_t wait; /* enum ring_ping_wait */
	uint32_t queue_size;
	uint32_t depth; /* chains per kick */
	uint32_t vector;
	uint32_t queue; /* the virtqueue that it drives */
	uint32_t used_min; /* bytes that the device writes into each chain */
	uint32_t used_max;
	uint32_t nr_pieces;
	uint32_t packed; /* the virtqueue */
	struct ring_ping_piece pieces[RING_PING_PIECES_MAX];

	/* of a device */
	uint64_t config_gpa; /* PCI: its config space */
	uint64_t mmio_gpa; /* virtio-mmio: its registers */
	uint64_t features;
	uint32_t transport; /* enum ring_ping_transport */
	uint32_t device_id;
	uint32_t nr_queues; /* to set up */
	uint32_t gsi; /* virtio-mmio: pin of the IOAPIC */

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

	/* of the first mismatch or error, or of why it did not begin */
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
