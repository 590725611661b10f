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

/* The longest that is in the last bucket by rights. */
#define VL_HIST_TOP                                                                             \
	(BIT_ULL(VRINGLAB_HIST_BUCKETS / BIT(VRINGLAB_HIST_SUB_BITS) + VRINGLAB_HIST_SUB_BITS - \
		 1) -                                                                           \
	 1)

/**
 * vl_hist_index_below() - Bucket of a value
 * @value:	Up to %VL_HIST_TOP.
 *
 * Return: 0 to %VRINGLAB_HIST_BUCKETS - 1
 */
static inline unsigned int vl_hist_index_below(unsigned long long value)
{
	const unsigned int sub = BIT(VRINGLAB_HIST_SUB_BITS);
	unsigned int octave = 63 - VRINGLAB_HIST_SUB_BITS - __builtin_clzll(value | sub);

	return sub * octave + (value >> octave);
}

/**
 * vl_hist_index() - Bucket of a value
 * @value:	Any.
 *
 * Return: 0 to %VRINGLAB_HIST_BUCKETS - 1; the last one holds all that is longer
 */
static inline unsigned int vl_hist_index(unsigned long long value)
{
	return value <= VL_HIST_TOP ? vl_hist_index_below(value) : VRINGLAB_HIST_BUCKETS - 1;
}

#endif /* _VRINGLAB_HIST_H */
