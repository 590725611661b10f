/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What ring-ping's chains have in them, as its parameters say: requests, and answers.
 */
#ifndef VRINGLAB_GUEST_CHAIN_H
#define VRINGLAB_GUEST_CHAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "ring.h"

/* What is wrong with an answer. */
struct chain_fault {
	uint64_t offset;
	uint64_t expected;
	uint64_t got;
};

/* Makes chain @chain of an iteration, whose pieces are described. */
void chain_fill(uint64_t iteration, uint32_t chain, struct ring_piece *pieces);

/* This answer is what those to come have to be like, where nothing else is known. */
void chain_learn(uint32_t chain);

/* Is it as it should be? */
bool chain_check(uint64_t iteration, const struct ring_used *used, struct chain_fault *fault);

#endif /* VRINGLAB_GUEST_CHAIN_H */
