/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vringlab's own event loop, as the two benchmarks of it use it: eventfds are
 * watched and answered the way `vringlab backend` does.
 */
#ifndef BENCH_LOOPBACK_H
#define BENCH_LOOPBACK_H

#include <stddef.h>

struct loop;

/**
 * loop_echo() - Answer each kick with a call, for ever
 * @kick:	Eventfd to wait for.
 * @call:	Eventfd to signal.
 */
void loop_echo(int kick, int call);

/**
 * loop_watch() - A loop that waits for eventfds
 * @fds:	Eventfds, non-blocking.
 * @nr:		How many.
 * @seen:	Each event adds one to it.
 *
 * Return: the loop; never NULL.
 */
struct loop *loop_watch(const int *fds, size_t nr, size_t *seen);

/**
 * loop_watch_once() - Wait once and handle what is ready
 * @loop:	From loop_watch().
 */
void loop_watch_once(struct loop *loop);

#endif /* BENCH_LOOPBACK_H */
