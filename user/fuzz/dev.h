/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The device side of a ring, in memory that is the input's.
 */
#ifndef FUZZ_DEV_H
#define FUZZ_DEV_H

#include "fuzz.h"

/**
 * fuzz_dev() - A driver does what the input says, and a device serves it
 * @in:		Input.
 * @packed:	Format.
 * @inflight:	Start on an inflight region, with what the input has in it.
 */
void fuzz_dev(struct fuzz_input *in, bool packed, bool inflight);

#endif /* FUZZ_DEV_H */
