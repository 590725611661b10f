// SPDX-License-Identifier: GPL-2.0-only
/*
 * The terminal is restored when the process exits, and by every signal that ends it
 * and can be caught. tcsetattr() may be called in a handler (signal-safety(7)).
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include <vringlab/err.h>

#include "vmm_terminal.h"

static struct {
	volatile sig_atomic_t is_raw;
	int fd;
	struct termios saved;
} terminal;

bool terminal_is_ours(int fd)
{
	return isatty(fd) && tcgetpgrp(fd) == getpgrp();
}

void terminal_restore(void)
{
	int saved_errno = errno;

	if (terminal.is_raw) {
		terminal.is_raw = 0;
		tcsetattr(terminal.fd, TCSANOW, &terminal.saved);
	}
	errno = saved_errno;
}

/* SA_RESETHAND: what is raised again does what it would have done. */
static void on_fatal_signal(int signal)
{
	terminal_restore();
	raise(signal);
}

static void catch_fatal_signals(void)
{
	static const int signals[] = {
		SIGABRT, SIGALRM, SIGBUS, SIGFPE,  SIGHUP,  SIGILL,  SIGINT,
		SIGQUIT, SIGSEGV, SIGSYS, SIGTERM, SIGTRAP, SIGXCPU,
	};
	struct sigaction action = {
		.sa_handler = on_fatal_signal,
		.sa_flags = SA_RESETHAND | SA_NODEFER,
	};

	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &action, NULL);
}

int terminal_set_raw(int fd, struct vl_err *err)
{
	struct termios raw;

	if (tcgetattr(fd, &terminal.saved))
		return vl_err_set(err, -errno, "tcgetattr: %s", vl_strerror(errno));
	terminal.fd = fd;
	raw = terminal.saved;
	cfmakeraw(&raw);
	catch_fatal_signals();
	atexit(terminal_restore);
	terminal.is_raw = 1;
	if (tcsetattr(fd, TCSANOW, &raw))
		return vl_err_set(err, -errno, "tcsetattr: %s", vl_strerror(errno));
	return 0;
}
