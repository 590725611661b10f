/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For targets with an event loop.
 */
#ifndef FUZZ_URING_H
#define FUZZ_URING_H

#include <vringlab/loop.h>

/**
 * fuzz_loop() - A loop, for the life of the process
 *
 * Where io_uring is disabled the process ends with exit status 4 and says why.
 */
struct loop *fuzz_loop(void);

/**
 * fuzz_turn() - Handle the events that are there, and those that they lead to
 * @loop:	Loop.
 * @nr:		So many times.
 *
 * Never sleeps: other processes would get their turn, and that takes long.
 */
void fuzz_turn(struct loop *loop, unsigned int nr);

/** fuzz_count_fds() - How many fds this process has. */
unsigned int fuzz_count_fds(void);

#endif /* FUZZ_URING_H */
