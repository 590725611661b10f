/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the VMM and each micro-guest in C say to each other, in guest memory at
 * MICRO_PARAM_GPA: the guest's own structure, which begins with this head. The VMM
 * writes its part of it before the guest runs, the guest the other one while it runs,
 * so that a VMM that loses patience can see how far it got.
 */
#ifndef VRINGLAB_MICRO_H
#define VRINGLAB_MICRO_H

#include <stdint.h>

#define MICRO_PARAM_GPA 0x9000u
/* The structure's end; the stack comes down to it. */
#define MICRO_PARAM_END 0xb000u
/* What is large starts here. */
#define MICRO_DATA_GPA 0x100000u

/* What a guest writes to its exit port. */
enum micro_status {
	MICRO_OK,
	MICRO_BAD_PARAM, /* the structure is not of this version */
	MICRO_EXCEPTION, /* the guest is broken; see its exception */
	MICRO_OWN, /* the first that each guest has for itself */
};

struct micro_head {
	uint64_t magic;
	uint32_t version;
	uint32_t size; /* of the structure */

	/* from the guest, of an exception */
	uint64_t exc_vector;
	uint64_t exc_error;
	uint64_t exc_rip;
	uint64_t exc_cr2;
};

#endif /* VRINGLAB_MICRO_H */
