// SPDX-License-Identifier: GPL-2.0-only
/*
 * Log-linear histograms: the buckets cover every value once, and a quantile is
 * as near to the true one as promised.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <linux/vringlab.h>
#include <vringlab/hist.h>

#include "kselftest_harness.h"

FIXTURE(buckets)
{
	unsigned int nr;
};

FIXTURE_VARIANT(buckets)
{
	unsigned int sub_bits;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(buckets, sub_bits_0) { .sub_bits = 0 };
FIXTURE_VARIANT_ADD(buckets, sub_bits_1) { .sub_bits = 1 };
FIXTURE_VARIANT_ADD(buckets, sub_bits_3) { .sub_bits = VRINGLAB_HIST_SUB_BITS };
FIXTURE_VARIANT_ADD(buckets, sub_bits_8) { .sub_bits = VL_HIST_SUB_BITS_MAX };
/* clang-format on */

FIXTURE_SETUP(buckets)
{
	self->nr = vl_hist_nr_indices(variant->sub_bits);
}

FIXTURE_TEARDOWN(buckets)
{
}

TEST_F(buckets, cover_every_value_once)
{
	uint64_t next = 0;

	for (unsigned int i = 0; i < self->nr; i++) {
		uint64_t start = vl_hist_start(variant->sub_bits, i);
		uint64_t last = start + vl_hist_width(variant->sub_bits, i) - 1;

		ASSERT_EQ(next, start) TH_LOG("bucket %u", i);
		ASSERT_LE(start, last);
		ASSERT_EQ(i, vl_hist_index(variant->sub_bits, start));
		ASSERT_EQ(i, vl_hist_index(variant->sub_bits, last));
		next = last + 1;
	}
	/* The last one ends with the last 64-bit value. */
	EXPECT_EQ(0u, next);
}

TEST_F(buckets, are_no_wider_than_their_share_of_the_value)
{
	for (unsigned int i = 0; i < self->nr; i++) {
		uint64_t start = vl_hist_start(variant->sub_bits, i);
		uint64_t width = vl_hist_width(variant->sub_bits, i);

		if (width > 1)
			ASSERT_LE(width, start >> variant->sub_bits);
	}
}

/* The words of the specification, hist-sub-bits, for the module's own 3 bits. */
TEST(buckets_are_those_of_the_specification)
{
	for (unsigned int i = 0; i < 16; i++) {
		EXPECT_EQ(i, vl_hist_start(3, i));
		EXPECT_EQ(1u, vl_hist_width(3, i));
	}
	for (unsigned int i = 16; i < VRINGLAB_HIST_BUCKETS; i++) {
		unsigned int octave = i / 8 - 1;
		unsigned int sub = i % 8;

		EXPECT_EQ((8ull + sub) << octave, vl_hist_start(3, i));
		EXPECT_EQ(1ull << octave, vl_hist_width(3, i));
	}
}

#define NR_SAMPLES 20001u

static const unsigned int quantiles[] = {
	0, 1, 1000, 100000, 250000, 500000, 750000, 900000, 990000, 999000, 999999, 1000000,
};

FIXTURE(samples)
{
	uint64_t *values;
	struct vl_hist hist;
	uint64_t rng;
};

FIXTURE_VARIANT(samples)
{
	uint64_t (*draw)(uint64_t random);
	unsigned int nr;
};

static uint64_t uniform(uint64_t random)
{
	return random % 1000000;
}

static uint64_t constant(uint64_t random)
{
	return 12345 + 0 * random;
}

/* Every power of two up to 2^40 as likely as any other: what latencies look like. */
static uint64_t log_uniform(uint64_t random)
{
	return (random >> 24) >> (random % 40);
}

/* A fast path and a slow one a thousand times as long, one in a hundred. */
static uint64_t two_peaks(uint64_t random)
{
	uint64_t noise = (random >> 32) % 200;

	return random % 100 ? 1500 + noise : 1500000 + 1000 * noise;
}

static uint64_t tiny(uint64_t random)
{
	return random % 16;
}

/* The edges of buckets, where an index is off by one if ever. */
static uint64_t edges(uint64_t random)
{
	unsigned int index = random % (VRINGLAB_HIST_BUCKETS - 1);

	return vl_hist_start(VRINGLAB_HIST_SUB_BITS, index + 1) - (random >> 63);
}

/* clang-format off */
FIXTURE_VARIANT_ADD(samples, uniform) { .draw = uniform, .nr = NR_SAMPLES };
FIXTURE_VARIANT_ADD(samples, constant) { .draw = constant, .nr = NR_SAMPLES };
FIXTURE_VARIANT_ADD(samples, log_uniform) { .draw = log_uniform, .nr = NR_SAMPLES };
FIXTURE_VARIANT_ADD(samples, two_peaks) { .draw = two_peaks, .nr = NR_SAMPLES };
FIXTURE_VARIANT_ADD(samples, tiny) { .draw = tiny, .nr = NR_SAMPLES };
FIXTURE_VARIANT_ADD(samples, edges) { .draw = edges, .nr = NR_SAMPLES };
FIXTURE_VARIANT_ADD(samples, only_one) { .draw = log_uniform, .nr = 1 };
FIXTURE_VARIANT_ADD(samples, only_three) { .draw = log_uniform, .nr = 3 };
/* clang-format on */

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

/* From sorted values, as the module would have sent it. */
static void fill(struct vl_hist *hist, const uint64_t *values, unsigned int nr)
{
	*hist = (struct vl_hist){ .sub_bits = VRINGLAB_HIST_SUB_BITS };
	hist->min = values[0];
	hist->max = values[nr - 1];
	for (unsigned int i = 0; i < nr; i++) {
		uint32_t index = vl_hist_index(hist->sub_bits, values[i]);

		if (index >= VRINGLAB_HIST_BUCKETS)
			index = VRINGLAB_HIST_BUCKETS - 1;
		if (!hist->nr_buckets || hist->buckets[hist->nr_buckets - 1].index != index)
			hist->buckets[hist->nr_buckets++].index = index;
		hist->buckets[hist->nr_buckets - 1].count++;
		hist->count++;
		hist->sum += values[i];
	}
}

FIXTURE_SETUP(samples)
{
	self->rng = 1;
	self->values = calloc(variant->nr, sizeof(*self->values));
	ASSERT_NE(NULL, self->values);
	for (unsigned int i = 0; i < variant->nr; i++)
		self->values[i] = variant->draw(next_random(&self->rng));
	qsort(self->values, variant->nr, sizeof(*self->values), compare);
	fill(&self->hist, self->values, variant->nr);
}

FIXTURE_TEARDOWN(samples)
{
	free(self->values);
}

TEST_F(samples, quantiles_are_at_most_a_sixteenth_off)
{
	for (size_t i = 0; i < ARRAY_SIZE(quantiles); i++) {
		uint64_t rank = ((uint64_t)variant->nr * quantiles[i] + 999999) / 1000000;
		uint64_t want = self->values[rank ? rank - 1 : 0];
		uint64_t got = vl_hist_quantile(&self->hist, quantiles[i]);
		uint64_t off = got > want ? got - want : want - got;

		EXPECT_LE(off * 16, want)
		TH_LOG("quantile %u ppm: %llu, true %llu", quantiles[i], (unsigned long long)got,
		       (unsigned long long)want);
		EXPECT_LE(self->hist.min, got);
		EXPECT_GE(self->hist.max, got);
	}
}

TEST_F(samples, quantiles_rise)
{
	uint64_t before = 0;

	for (unsigned int ppm = 0; ppm <= 1000000; ppm += 1000) {
		uint64_t value = vl_hist_quantile(&self->hist, ppm);

		ASSERT_LE(before, value);
		before = value;
	}
}

/* The values that came later, by themselves, are what is left. */
TEST_F(samples, what_was_there_before_can_be_taken_out)
{
	uint64_t *parts[2], first_start, last_end;
	struct vl_hist before, later, left = self->hist;
	unsigned int nr[2] = { 0 };

	for (int i = 0; i < 2; i++) {
		parts[i] = calloc(variant->nr + 1, sizeof(*parts[i]));
		ASSERT_NE(NULL, parts[i]);
	}
	for (unsigned int i = 0; i < variant->nr; i++) {
		int part = i % 3 == 0;

		parts[part][nr[part]++] = self->values[i];
	}
	ASSERT_LT(0u, nr[1]);
	fill(&later, parts[1], nr[1]);
	before = (struct vl_hist){ .sub_bits = VRINGLAB_HIST_SUB_BITS };
	if (nr[0])
		fill(&before, parts[0], nr[0]);

	vl_hist_subtract(&left, &before);
	EXPECT_EQ(later.count, left.count);
	EXPECT_EQ(later.sum, left.sum);
	ASSERT_EQ(later.nr_buckets, left.nr_buckets);
	for (unsigned int i = 0; i < left.nr_buckets; i++) {
		ASSERT_EQ(later.buckets[i].index, left.buckets[i].index);
		ASSERT_EQ(later.buckets[i].count, left.buckets[i].count);
	}
	/* Bounds: of the outermost buckets, and of all there was. */
	first_start = vl_hist_start(left.sub_bits, left.buckets[0].index);
	last_end = vl_hist_start(left.sub_bits, left.buckets[left.nr_buckets - 1].index + 1) - 1;
	EXPECT_LE(left.min, later.min);
	EXPECT_LE(first_start, left.min);
	EXPECT_LE(self->hist.min, left.min);
	EXPECT_LE(later.max, left.max);
	EXPECT_GE(self->hist.max, left.max);
	if (left.buckets[left.nr_buckets - 1].index < VRINGLAB_HIST_BUCKETS - 1)
		EXPECT_GE(last_end, left.max);
	free(parts[0]);
	free(parts[1]);
}

TEST_F(samples, taking_out_nothing_or_all_is_exact)
{
	const struct vl_hist none = { .sub_bits = VRINGLAB_HIST_SUB_BITS };
	struct vl_hist left = self->hist;

	vl_hist_subtract(&left, &none);
	EXPECT_EQ(0, memcmp(&left, &self->hist, sizeof(left)));
	vl_hist_subtract(&left, &self->hist);
	EXPECT_EQ(0u, left.count);
	EXPECT_EQ(0u, left.sum);
	EXPECT_EQ(0u, left.nr_buckets);
	EXPECT_EQ(0u, vl_hist_quantile(&left, 500000));
}

/* The sum goes round, and so do differences. */
TEST(a_sum_beyond_2_to_the_64_is_taken_out_as_well)
{
	struct vl_hist before = { .count = 1,
				  .sum = UINT64_MAX - 4,
				  .min = 1,
				  .max = 1,
				  .sub_bits = 3,
				  .nr_buckets = 1,
				  .buckets = { { 1, 1 } } };
	struct vl_hist now = before;

	now.count = 2;
	now.sum += 10;
	now.max = 10;
	now.buckets[1] = (struct vl_hist_bucket){ 10, 1 };
	now.nr_buckets = 2;
	vl_hist_subtract(&now, &before);
	EXPECT_EQ(10u, now.sum);
	EXPECT_EQ(10u, now.min);
	EXPECT_EQ(10u, now.max);
	EXPECT_EQ(1u, now.nr_buckets);
}

TEST(an_empty_histogram_has_no_quantile)
{
	struct vl_hist hist = { .sub_bits = 3, .min = 5, .max = 7 };

	EXPECT_EQ(0u, vl_hist_quantile(&hist, 500000));
}

TEST(a_small_value_is_exact)
{
	static struct vl_hist hist = {
		.count = 3,
		.min = 2,
		.max = 15,
		.sub_bits = 3,
		.nr_buckets = 3,
		.buckets = { { 2, 1 }, { 9, 1 }, { 15, 1 } },
	};

	EXPECT_EQ(2u, vl_hist_quantile(&hist, 333333));
	EXPECT_EQ(9u, vl_hist_quantile(&hist, 500000));
	EXPECT_EQ(15u, vl_hist_quantile(&hist, 1000000));
}

TEST(a_count_near_2_to_the_64_does_not_overflow)
{
	static struct vl_hist hist = {
		.count = UINT64_MAX,
		.min = 0,
		.max = 9,
		.sub_bits = 3,
		.nr_buckets = 2,
		.buckets = { { 0, UINT64_MAX / 2 }, { 9, UINT64_MAX / 2 } },
	};

	EXPECT_EQ(0u, vl_hist_quantile(&hist, 499999));
	EXPECT_EQ(9u, vl_hist_quantile(&hist, 500001));
}

TEST(the_last_bucket_is_clamped_to_the_maximum)
{
	uint64_t value = 1ull << 60;
	struct vl_hist hist;

	fill(&hist, &value, 1);
	EXPECT_EQ(VRINGLAB_HIST_BUCKETS - 1u, hist.buckets[0].index);
	/* Clamped from below too: the middle of that bucket is far less. */
	EXPECT_EQ(value, vl_hist_quantile(&hist, 500000));
}

TEST_HARNESS_MAIN
