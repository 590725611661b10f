/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The command's back-end, as a process.
 */
#ifndef VRINGLAB_SELFTESTS_T_BACKEND_H
#define VRINGLAB_SELFTESTS_T_BACKEND_H

#include "t.h"

/**
 * t_backend_start() - Start `vringlab backend` and wait until it listens
 * @child:	Set, as by t_child_start().
 * @args:	What follows; up to 16, ends with NULL.
 *
 * Return: 0, %-EPIPE if it ended before it listened, or a negative errno.
 */
int t_backend_start(struct t_child *child, const char *const args[]);

#endif /* VRINGLAB_SELFTESTS_T_BACKEND_H */
