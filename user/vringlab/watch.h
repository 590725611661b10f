/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Doing something again and again, until SIGINT or SIGTERM.
 */
#ifndef VRINGLAB_WATCH_H
#define VRINGLAB_WATCH_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

/**
 * struct watch - When the next time is
 * @signals:	What ends it, SIGINT and SIGTERM.
 * @interval_ns: From one time to the next.
 * @next_ns:	On CLOCK_MONOTONIC.
 */
struct watch {
	sigset_t signals;
	uint64_t interval_ns;
	uint64_t next_ns;
};

/**
 * watch_begin() - The first interval begins
 * @w:		Watch.
 * @interval_ns: How long each is.
 *
 * From now on the first of the signals interrupts a system call, such as a write to where
 * nobody reads, and the second one ends the process.
 */
void watch_begin(struct watch *w, uint64_t interval_ns);

/**
 * watch_wait() - Wait until an interval ends
 * @w:		Watch.
 *
 * One that has ended already is over at once, and those after it begin anew.
 *
 * Return: false after a signal, now or before.
 */
bool watch_wait(struct watch *w);

/**
 * watch_is_over() - Whether there has been a signal
 *
 * What then fails may have been interrupted by it.
 */
bool watch_is_over(void);

#endif /* VRINGLAB_WATCH_H */
