// SPDX-License-Identifier: GPL-2.0-only
/*
 * Contents are words that can be told from a name and an index: nothing has to be
 * kept to compare with.
 */
#include <string.h>

#include "drive.h"

/* splitmix64 */
static uint64_t mix(uint64_t z)
{
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

uint64_t drive_word(uint64_t name, uint64_t index)
{
	return mix(name * 0x9e3779b97f4a7c15ull + index);
}

uint64_t drive_random(struct drive *d, uint64_t below)
{
	d->rng += 0x9e3779b97f4a7c15ull;
	return mix(d->rng) % below;
}

static size_t word_size(uint64_t at, uint64_t size)
{
	return size - at < sizeof(uint64_t) ? size - at : sizeof(uint64_t);
}

void drive_fill(uint8_t *data, uint64_t size, uint64_t name)
{
	for (uint64_t at = 0; at < size; at += sizeof(uint64_t)) {
		uint64_t word = drive_word(name, at);

		memcpy(data + at, &word, word_size(at, size));
	}
}

bool drive_is_filled(const uint8_t *data, uint64_t size, uint64_t name)
{
	for (uint64_t at = 0; at < size; at += sizeof(uint64_t)) {
		uint64_t word = drive_word(name, at);

		if (memcmp(data + at, &word, word_size(at, size)))
			return false;
	}
	return true;
}
