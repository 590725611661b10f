/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The log-linear histogram of Documentation/netlink/specs/vringlab.yaml, for
 * times in TSC cycles: buckets 0 to 15 hold one value each, then every power of
 * two is cut into 8. What the VMM does with vringlab/hist.h, the guest does
 * without a library.
 */
#ifndef VRINGLAB_TSC_HIST_H
#define VRINGLAB_TSC_HIST_H

#include <stdint.h>

#define TSC_HIST_SUB_BITS 3u
#define TSC_HIST_SUB (1u << TSC_HIST_SUB_BITS)
#define TSC_HIST_BUCKETS 312u

/* Bucket of a value; the last one also holds all that is longer. */
static inline uint32_t tsc_hist_bucket(uint64_t value)
{
	uint32_t octave, bucket;

	if (value < 2 * TSC_HIST_SUB)
		return value;
	octave = 63 - __builtin_clzll(value) - TSC_HIST_SUB_BITS;
	bucket = (octave + 1) * TSC_HIST_SUB + ((value >> octave) & (TSC_HIST_SUB - 1));
	return bucket < TSC_HIST_BUCKETS ? bucket : TSC_HIST_BUCKETS - 1;
}

/* What a guest has measured. */
struct tsc_hist {
	uint64_t count;
	uint64_t min;
	uint64_t max;
	uint64_t sum;
	uint64_t buckets[TSC_HIST_BUCKETS];
};

static inline void tsc_hist_init(struct tsc_hist *hist)
{
	/* memory is 0 already */
	hist->min = UINT64_MAX;
}

static inline void tsc_hist_add(struct tsc_hist *hist, uint64_t cycles)
{
	if (cycles < hist->min)
		hist->min = cycles;
	if (cycles > hist->max)
		hist->max = cycles;
	hist->sum += cycles;
	hist->count++;
	hist->buckets[tsc_hist_bucket(cycles)]++;
}

#endif /* VRINGLAB_TSC_HIST_H */
