/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Log-linear histograms: the arithmetic alone, no kernel state.
 *
 * The layout is the contract's, see hist-sub-bits in
 * Documentation/netlink/specs/vringlab.yaml. Inline, because each hop needs it
 * once.
 */
#ifndef _VRINGLAB_HIST_H
#define _VRINGLAB_HIST_H

#include <linux/bits.h>

#include <linux/vringlab.h>

/**
 * vl_hist_index() - Bucket of a value
 * @value:	Any.
 *
 * Return: 0 to %VRINGLAB_HIST_BUCKETS - 1; the last one holds all that is longer
 */
static inline unsigned int vl_hist_index(unsigned long long value)
{
	const unsigned int sub = BIT(VRINGLAB_HIST_SUB_BITS);
	unsigned int octave, index;

	if (value < 2 * sub)
		return value;

	octave = 63 - VRINGLAB_HIST_SUB_BITS - __builtin_clzll(value);
	index = sub * octave + (value >> octave);

	return index < VRINGLAB_HIST_BUCKETS ? index : VRINGLAB_HIST_BUCKETS - 1;
}

#endif /* _VRINGLAB_HIST_H */
