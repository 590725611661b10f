// SPDX-License-Identifier: GPL-2.0-only
#include "../ring_ping.h"
#include "chain.h"
#include "cpu.h"

static const struct ring_ping_param *const param = (void *)(uintptr_t)MICRO_PARAM_GPA;

/* Of RING_PING_SAME: what to expect is known; and that is, what was there. */
static bool learned;
static bool keeps;

/*
 * The k-th 8 bytes of a request. The factors are odd, so that neighbours of any
 * width differ; whole words, because a guest's time may be an emulator's.
 */
static uint64_t pattern(uint64_t iteration, uint32_t chain, uint32_t k)
{
	uint64_t seed = iteration * param->depth + chain + 1;

	return seed * 0x9e3779b97f4a7c15ull + k * 0xbf58476d1ce4e5b9ull;
}

static uint64_t *words(const struct ring_ping_piece *piece, uint32_t chain)
{
	return (uint64_t *)(piece->gpa + (uint64_t)chain * piece->stride_bytes);
}

static uint64_t expected_word(const struct ring_ping_piece *piece, uint64_t iteration,
			      uint32_t chain, uint32_t k)
{
	switch (piece->content) {
	case RING_PING_PATTERN:
		return pattern(iteration, chain, k);
	case RING_PING_RANDOM:
		return UINT64_MAX;
	}
	return ((const uint64_t *)piece->expected_gpa)[k];
}

/* What a buffer has in it that the device is to write, so that no answer looks like one. */
static uint64_t no_answer(const struct ring_ping_piece *piece, uint64_t iteration, uint32_t chain,
			  uint32_t k)
{
	if (piece->content != RING_PING_SAME)
		return ~expected_word(piece, iteration, chain, k);
	if (!learned)
		return pattern(0, 0, k);
	return keeps ? expected_word(piece, iteration, chain, k) :
		       ~expected_word(piece, iteration, chain, k);
}

/* Strides are multiples of 8: the last word may go beyond the piece. */
static void fill(const struct ring_ping_piece *piece, uint64_t iteration, uint32_t chain)
{
	uint64_t *to = words(piece, chain);

	if (!piece->writable && piece->content == RING_PING_FIXED)
		return;
	for (uint32_t k = 0; k < (piece->bytes + 7) / 8; k++)
		to[k] = piece->writable ? no_answer(piece, iteration, chain, k) :
					  expected_word(piece, iteration, chain, k);
}

void chain_fill(uint64_t iteration, uint32_t chain, struct ring_piece *pieces)
{
	for (uint32_t i = 0; i < param->nr_pieces; i++) {
		const struct ring_ping_piece *piece = &param->pieces[i];

		fill(piece, iteration, chain);
		pieces[i] = (struct ring_piece){
			.gpa = (uintptr_t)words(piece, chain),
			.bytes = piece->bytes,
			.writable = piece->writable,
		};
	}
}

/* A device that leaves buffers as they are is to go on with that. */
static void learn(const struct ring_ping_piece *piece, uint32_t chain)
{
	uint64_t *expected = (uint64_t *)piece->expected_gpa;

	memcpy(expected, words(piece, chain), piece->bytes);
	learned = true;
	keeps = true;
	for (uint32_t k = 0; k < piece->bytes / 8; k++)
		keeps = keeps && expected[k] == pattern(0, 0, k);
}

void chain_learn(uint32_t chain)
{
	for (uint32_t i = 0; i < param->nr_pieces; i++)
		if (param->pieces[i].content == RING_PING_SAME)
			learn(&param->pieces[i], chain);
}

static uint64_t first_bytes(uint64_t word, uint32_t n)
{
	return n < 8 ? word & ((1ull << 8 * n) - 1) : word;
}

/* Returns where the first @n bytes are wrong, or @n. */
static uint32_t find_wrong(const struct ring_ping_piece *piece, uint64_t iteration, uint32_t chain,
			   uint32_t n)
{
	const uint64_t *got = words(piece, chain);

	for (uint32_t i = 0; i < n; i += 8) {
		uint64_t diff = got[i / 8] ^ expected_word(piece, iteration, chain, i / 8);

		diff = first_bytes(diff, n - i);
		if (diff)
			return i + __builtin_ctzll(diff) / 8;
	}
	return n;
}

/* Likewise: all zeroes, which of 8 random bytes are one in 2^64. Fewer may be. */
static uint32_t find_constant(const struct ring_ping_piece *piece, uint32_t chain, uint32_t n)
{
	const uint64_t *got = words(piece, chain);
	uint64_t any = n < 8;

	for (uint32_t i = 0; i < n; i += 8)
		any |= first_bytes(got[i / 8], n - i);
	return any ? n : 0;
}

/* @fault->offset is where the piece begins in the answer. */
static bool check_piece(const struct ring_ping_piece *piece, uint64_t iteration, uint32_t chain,
			uint32_t n, struct chain_fault *fault)
{
	uint32_t at = piece->content == RING_PING_RANDOM ? find_constant(piece, chain, n) :
							   find_wrong(piece, iteration, chain, n);
	uint32_t shift = 8 * (at % 8);

	if (at == n)
		return true;
	fault->offset += at;
	fault->expected = expected_word(piece, iteration, chain, at / 8) >> shift & 0xff;
	fault->got = words(piece, chain)[at / 8] >> shift & 0xff;
	return false;
}

bool chain_check(uint64_t iteration, const struct ring_used *used, struct chain_fault *fault)
{
	uint32_t left = used->bytes;

	*fault = (struct chain_fault){ .got = used->bytes };
	fault->expected = left < param->used_min ? param->used_min : param->used_max;
	if (left < param->used_min || left > param->used_max)
		return false;
	for (uint32_t i = 0; i < param->nr_pieces; i++) {
		const struct ring_ping_piece *piece = &param->pieces[i];
		uint32_t n = left < piece->bytes ? left : piece->bytes;

		if (!piece->writable)
			continue;
		if (n && !check_piece(piece, iteration, used->chain, n, fault))
			return false;
		fault->offset += n;
		left -= n;
	}
	return true;
}
