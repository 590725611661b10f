// SPDX-License-Identifier: GPL-2.0-only
#include "race.h"

#define PIECES_MAX 8u

static struct {
	struct fuzz_input changes;
	unsigned int skip;
	unsigned int action;
	unsigned int nr;
	struct {
		uint8_t *start;
		size_t size;
	} pieces[PIECES_MAX];
} race;

enum action {
	LEAVE_0,
	LEAVE_1,
	REPLACE,
	FLIP,
};

static void next_change(void)
{
	uint8_t control;

	if (!race.changes.size) {
		race.nr = 0;
		return;
	}
	control = fuzz_u8(&race.changes);
	race.skip = control & 0x3f;
	race.action = control >> 6;
}

void race_begin(struct fuzz_input changes)
{
	race.changes = changes;
	race.nr = 0;
	next_change();
}

void race_watch(void *start, size_t size)
{
	FUZZ_CHECK(race.nr < PIECES_MAX);
	if (!race.changes.size)
		return;
	race.pieces[race.nr].start = start;
	race.pieces[race.nr++].size = size;
}

void race_end(void)
{
	race.changes.size = 0;
	race.nr = 0;
}

static bool is_watched(const void *addr)
{
	for (unsigned int i = 0; i < race.nr; i++)
		if ((uintptr_t)addr - (uintptr_t)race.pieces[i].start < race.pieces[i].size)
			return true;
	return false;
}

static void change(uint8_t *addr, size_t size)
{
	uint8_t bits;

	if (race.skip) {
		race.skip--;
		return;
	}
	switch (race.action) {
	case REPLACE:
		fuzz_some(&race.changes, addr, size);
		break;
	case FLIP:
		bits = fuzz_u8(&race.changes);
		addr[bits % size] ^= bits | 1;
		break;
	}
	next_change();
}

/* A load may begin in a piece and end behind it: that is a finding, but not ours. */
static inline void loaded(void *addr, size_t size)
{
	if (race.nr && is_watched(addr) && is_watched((uint8_t *)addr + size - 1))
		change(addr, size);
}

/* The compiler's names. */
void __sanitizer_cov_load1(uint8_t *addr);
void __sanitizer_cov_load2(uint16_t *addr);
void __sanitizer_cov_load4(uint32_t *addr);
void __sanitizer_cov_load8(uint64_t *addr);
void __sanitizer_cov_load16(__uint128_t *addr);

void __sanitizer_cov_load1(uint8_t *addr)
{
	loaded(addr, sizeof(*addr));
}

void __sanitizer_cov_load2(uint16_t *addr)
{
	loaded(addr, sizeof(*addr));
}

void __sanitizer_cov_load4(uint32_t *addr)
{
	loaded(addr, sizeof(*addr));
}

void __sanitizer_cov_load8(uint64_t *addr)
{
	loaded(addr, sizeof(*addr));
}

void __sanitizer_cov_load16(__uint128_t *addr)
{
	loaded(addr, sizeof(*addr));
}
