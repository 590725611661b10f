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

static volatile sig_atomic_t is_over;

static void on_signal(int nr)
{
	(void)nr;
	is_over = 1;
}

void watch_begin(struct watch *w, uint64_t interval_ns)
{
	const struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESETHAND };

	sigemptyset(&w->signals);
	sigaddset(&w->signals, SIGINT);
	sigaddset(&w->signals, SIGTERM);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	w->interval_ns = interval_ns;
	w->next_ns = now_ns() + interval_ns;
}

/* With the signals blocked: false if there was one, and else it is the next interval. */
static bool sleep_until_next(struct watch *w)
{
	while (!is_over) {
		uint64_t now = now_ns(), left = w->next_ns > now ? w->next_ns - now : 0;
		struct timespec ts = { left / NS_PER_S, left % NS_PER_S };

		if (sigtimedwait(&w->signals, NULL, &ts) >= 0) {
			is_over = 1;
			break;
		}
		/* A signal that is caught by nobody, as SIGCONT is, interrupts as well. */
		if (errno == EINTR)
			continue;
		w->next_ns = (left ? w->next_ns : now) + w->interval_ns;
		return true;
	}
	return false;
}

bool watch_wait(struct watch *w)
{
	bool more;

	sigprocmask(SIG_BLOCK, &w->signals, NULL);
	more = sleep_until_next(w);
	sigprocmask(SIG_UNBLOCK, &w->signals, NULL);
	return more;
}

bool watch_is_over(void)
{
	return is_over;
}
