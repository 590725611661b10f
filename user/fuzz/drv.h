/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The driver side of a ring, against a device that writes what the input has.
 */
#ifndef FUZZ_DRV_H
#define FUZZ_DRV_H

#include "fuzz.h"

/** fuzz_drv() - A driver adds chains, and a device returns what the input says. */
void fuzz_drv(struct fuzz_input *in, bool packed);

#endif /* FUZZ_DRV_H */
