// SPDX-License-Identifier: GPL-2.0-only
#include "watch.h"

#include <errno.h>
#include <time.h>

#define NS_PER_S 1000000000ull

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

void watch_begin(struct watch *w, uint64_t interval_ns)
{
	sigemptyset(&w->signals);
	sigaddset(&w->signals, SIGINT);
	sigaddset(&w->signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &w->signals, NULL);
	w->interval_ns = interval_ns;
	w->next_ns = now_ns() + interval_ns;
}

bool watch_wait(struct watch *w)
{
	for (;;) {
		uint64_t now = now_ns(), left = w->next_ns > now ? w->next_ns - now : 0;
		struct timespec ts = { left / NS_PER_S, left % NS_PER_S };

		if (sigtimedwait(&w->signals, NULL, &ts) >= 0)
			return false;
		/* A signal that is caught by nobody, as SIGCONT is, interrupts as well. */
		if (errno == EINTR)
			continue;
		w->next_ns = (left ? w->next_ns : now) + w->interval_ns;
		return true;
	}
}
