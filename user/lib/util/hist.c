// SPDX-License-Identifier: LGPL-2.1-or-later
#include <vringlab/hist.h>

#define PPM 1000000u

unsigned int vl_hist_nr_indices(unsigned int sub_bits)
{
	return vl_hist_index(sub_bits, UINT64_MAX) + 1;
}

unsigned int vl_hist_index(unsigned int sub_bits, uint64_t value)
{
	unsigned int octave;

	if (value < UINT64_C(2) << sub_bits)
		return value;
	octave = 63 - __builtin_clzll(value) - sub_bits;
	return (octave << sub_bits) + (value >> octave);
}

static unsigned int octave_of(unsigned int sub_bits, unsigned int index)
{
	unsigned int octave = index >> sub_bits;

	return octave ? octave - 1 : 0;
}

uint64_t vl_hist_start(unsigned int sub_bits, unsigned int index)
{
	unsigned int octave = octave_of(sub_bits, index);

	return (uint64_t)(index - (octave << sub_bits)) << octave;
}

uint64_t vl_hist_width(unsigned int sub_bits, unsigned int index)
{
	return UINT64_C(1) << octave_of(sub_bits, index);
}

/* ceil(count * ppm / 10^6), at least 1, without a product beyond 64 bits. */
static uint64_t nearest_rank(uint64_t count, unsigned int ppm)
{
	uint64_t rank = count / PPM * ppm + (count % PPM * ppm + PPM - 1) / PPM;

	return rank ? rank : 1;
}

uint64_t vl_hist_quantile(const struct vl_hist *hist, unsigned int ppm)
{
	uint64_t rank, seen = 0, total = 0, value = hist->max;

	/* Taken from the buckets, so that a count read apart cannot mislead. */
	for (unsigned int i = 0; i < hist->nr_buckets; i++)
		total += hist->buckets[i].count;
	if (!total)
		return 0;
	rank = nearest_rank(total, ppm);
	for (unsigned int i = 0; i < hist->nr_buckets; i++) {
		const struct vl_hist_bucket *b = &hist->buckets[i];

		seen += b->count;
		if (seen >= rank) {
			value = vl_hist_start(hist->sub_bits, b->index) +
				vl_hist_width(hist->sub_bits, b->index) / 2;
			break;
		}
	}
	if (value > hist->max)
		value = hist->max;
	return value < hist->min ? hist->min : value;
}

static uint64_t count_of(const struct vl_hist *hist, uint32_t index, unsigned int *at)
{
	while (*at < hist->nr_buckets && hist->buckets[*at].index < index)
		++*at;
	if (*at == hist->nr_buckets || hist->buckets[*at].index != index)
		return 0;
	return hist->buckets[*at].count;
}

static void bound(struct vl_hist *hist)
{
	const struct vl_hist_bucket *first = &hist->buckets[0];
	const struct vl_hist_bucket *last = &hist->buckets[hist->nr_buckets - 1];
	uint64_t start = vl_hist_start(hist->sub_bits, first->index);
	uint64_t end = vl_hist_start(hist->sub_bits, last->index) +
		       (vl_hist_width(hist->sub_bits, last->index) - 1);

	if (hist->min < start)
		hist->min = start;
	/* The last bucket has no end. */
	if (hist->max > end && last->index + 1 < VL_HIST_BUCKETS_MAX)
		hist->max = end;
}

void vl_hist_subtract(struct vl_hist *hist, const struct vl_hist *before)
{
	unsigned int nr = 0, at = 0;

	hist->count -= before->count;
	hist->sum -= before->sum;
	for (unsigned int i = 0; i < hist->nr_buckets; i++) {
		struct vl_hist_bucket b = hist->buckets[i];

		b.count -= count_of(before, b.index, &at);
		if (b.count)
			hist->buckets[nr++] = b;
	}
	hist->nr_buckets = nr;
	if (nr)
		bound(hist);
}
