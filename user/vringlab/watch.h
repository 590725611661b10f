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
 * @signals:	What ends it.
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
 * Blocks both signals, for the rest of the process's life.
 */
void watch_begin(struct watch *w, uint64_t interval_ns);

/**
 * watch_wait() - Wait until an interval ends
 * @w:		Watch.
 *
 * One that has ended already is over at once, and those after it begin anew.
 *
 * Return: false after a signal.
 */
bool watch_wait(struct watch *w);

#endif /* VRINGLAB_WATCH_H */
