// SPDX-License-Identifier: LGPL-2.1-or-later
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include <vringlab/sigpipe.h>

/* What the first holder found. */
static _Thread_local struct {
	unsigned int holders;
	bool blocked;
	bool pending;
} held;

static sigset_t sigpipe(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	return set;
}

static bool is_pending(void)
{
	sigset_t set;

	sigpending(&set);
	return sigismember(&set, SIGPIPE);
}

void vl_sigpipe_hold(void)
{
	const sigset_t set = sigpipe();
	sigset_t before;

	if (held.holders++)
		return;
	held.pending = is_pending();
	pthread_sigmask(SIG_BLOCK, &set, &before);
	held.blocked = sigismember(&before, SIGPIPE);
}

void vl_sigpipe_release(void)
{
	const struct timespec now = { 0 };
	const sigset_t set = sigpipe();

	if (--held.holders)
		return;
	if (!held.pending)
		sigtimedwait(&set, NULL, &now);
	if (!held.blocked)
		pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}
