/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Waiting for what the kernel has no event for.
 */
#ifndef VRINGLAB_SELFTESTS_T_EVENTUALLY_H
#define VRINGLAB_SELFTESTS_T_EVENTUALLY_H

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "t.h"

static inline __attribute__((unused)) uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ull + ts.tv_nsec / 1000000;
}

/* Repeats @cond, which asks the kernel, until it holds or the deadline passes. */
#define EVENTUALLY(cond)                                   \
	({                                                 \
		uint64_t end_ = now_ms() + T_DEADLINE_MS;  \
		bool is_;                                  \
		while (!(is_ = (cond)) && now_ms() < end_) \
			sched_yield();                     \
		is_;                                       \
	})

#endif /* VRINGLAB_SELFTESTS_T_EVENTUALLY_H */
