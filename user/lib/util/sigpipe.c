// SPDX-License-Identifier: LGPL-2.1-or-later
#include <signal.h>
#include <stdbool.h>
#include <time.h>

#include <vringlab/sigpipe.h>

static _Thread_local unsigned int held;
/* the thread's own business: it was blocked before, or pending */
static _Thread_local bool leave;

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

	sigemptyset(&set);
	sigpending(&set);
	return sigismember(&set, SIGPIPE);
}

void vl_sigpipe_hold(void)
{
	sigset_t set = sigpipe(), before;

	if (held++)
		return;
	leave = is_pending();
	pthread_sigmask(SIG_BLOCK, &set, &before);
	leave |= sigismember(&before, SIGPIPE);
}

void vl_sigpipe_release(void)
{
	const struct timespec now = { 0 };
	sigset_t set = sigpipe();

	if (--held || leave)
		return;
	while (sigtimedwait(&set, NULL, &now) == SIGPIPE)
		;
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}
