/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory that another thread writes, without the thread: what is read can change
 * right before any single load, and does so as the input says.
 *
 * The loads are those that the compiler tells of (-fsanitize-coverage=trace-loads):
 * in a build without, the memory stays as it is.
 */
#ifndef FUZZ_RACE_H
#define FUZZ_RACE_H

#include "fuzz.h"

/**
 * race_begin() - From now on memory changes
 * @changes:	How: a byte that says how many loads to leave alone (bits 0 to 5) and
 *		what to do with the one after them (6 and 7), then what that needs.
 *		When it has ended nothing changes any more.
 */
void race_begin(struct fuzz_input changes);

/** race_watch() - This memory can change; a few pieces are possible. */
void race_watch(void *start, size_t size);

/** race_end() - Nothing changes, and nothing is watched. */
void race_end(void);

#endif /* FUZZ_RACE_H */
