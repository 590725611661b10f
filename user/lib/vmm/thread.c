// SPDX-License-Identifier: GPL-2.0-only
#include <signal.h>

#include "internal.h"

/* It inherits the mask: no signal that is sent to the process ends up there. */
int vmm_thread_create(pthread_t *thread, void *(*fn)(void *arg), void *arg)
{
	sigset_t all, saved;
	int ret;

	sigfillset(&all);
	/* not sent, but of what the thread itself does */
	sigdelset(&all, SIGSYS);
	pthread_sigmask(SIG_SETMASK, &all, &saved);
	ret = pthread_create(thread, NULL, fn, arg);
	pthread_sigmask(SIG_SETMASK, &saved, NULL);
	return -ret;
}
