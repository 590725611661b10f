/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Log-linear histograms, as Documentation/netlink/specs/vringlab.yaml defines
 * them under hist-sub-bits: pure arithmetic.
 *
 * With n sub-bits, bucket i below 2^(n+1) holds the value i. Above, each power
 * of two is cut into 2^n equal buckets.
 */
#ifndef VRINGLAB_HIST_H
#define VRINGLAB_HIST_H

#include <stdint.h>

/* Buckets a struct vl_hist has room for; what the module has now. */
#define VL_HIST_BUCKETS_MAX 312u

/* Finer than this would make bucket numbers of 64-bit values unwieldy. */
#define VL_HIST_SUB_BITS_MAX 8u

/**
 * struct vl_hist_bucket - One bucket that is not empty
 * @index:	Bucket number.
 * @count:	Values in it.
 */
struct vl_hist_bucket {
	uint32_t index;
	uint64_t count;
};

/**
 * struct vl_hist - A histogram
 * @count:	Values.
 * @sum:	Their sum, modulo 2^64.
 * @min:	Least value, exact; meaningless while @count is 0.
 * @max:	Greatest value, exact; meaningless while @count is 0.
 * @sub_bits:	log2 of the buckets per power of two.
 * @nr_buckets:	Entries of @buckets in use.
 * @buckets:	The buckets that are not empty, in rising order of index.
 */
struct vl_hist {
	uint64_t count;
	uint64_t sum;
	uint64_t min;
	uint64_t max;
	unsigned int sub_bits;
	unsigned int nr_buckets;
	struct vl_hist_bucket buckets[VL_HIST_BUCKETS_MAX];
};

/**
 * vl_hist_nr_indices() - How many buckets cover every 64-bit value
 * @sub_bits:	At most VL_HIST_SUB_BITS_MAX.
 */
unsigned int vl_hist_nr_indices(unsigned int sub_bits);

/**
 * vl_hist_index() - The bucket a value belongs to
 * @sub_bits:	At most VL_HIST_SUB_BITS_MAX.
 * @value:	Any.
 *
 * Knows no last bucket: whoever keeps fewer than vl_hist_nr_indices() puts the
 * rest in its last one.
 */
unsigned int vl_hist_index(unsigned int sub_bits, uint64_t value);

/**
 * vl_hist_start() - The least value of a bucket
 * @sub_bits:	At most VL_HIST_SUB_BITS_MAX.
 * @index:	Less than vl_hist_nr_indices().
 */
uint64_t vl_hist_start(unsigned int sub_bits, unsigned int index);

/**
 * vl_hist_width() - How many values a bucket holds
 * @sub_bits:	At most VL_HIST_SUB_BITS_MAX.
 * @index:	Less than vl_hist_nr_indices().
 */
uint64_t vl_hist_width(unsigned int sub_bits, unsigned int index);

/**
 * vl_hist_quantile() - The value below or at which a share of all values lies
 * @hist:	Histogram.
 * @ppm:	The share in millionths, 0 to 1000000.
 *
 * By nearest rank: the least value of which at least @ppm of all are no greater.
 * It is the middle of that value's bucket, no less than the minimum and no more
 * than the maximum, and so at most 2^-(sub_bits + 1) of the value off, as long
 * as the value is not in a last bucket that holds all that is longer.
 *
 * Return: the value, 0 while the histogram is empty.
 */
uint64_t vl_hist_quantile(const struct vl_hist *hist, unsigned int ppm);

/**
 * vl_hist_subtract() - Take out what was there before
 * @hist:	Histogram.
 * @before:	The same one, earlier.
 *
 * Minimum and maximum are then bounds: those of the outermost buckets, but no
 * further than before.
 */
void vl_hist_subtract(struct vl_hist *hist, const struct vl_hist *before);

#endif /* VRINGLAB_HIST_H */
