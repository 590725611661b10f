/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The command's back-end as a process.
 */
#ifndef VRINGLAB_SELFTESTS_T_BACKEND_H
#define VRINGLAB_SELFTESTS_T_BACKEND_H

#include "t.h"

/**
 * t_backend_start() - Start it, and wait until it listens
 * @child:	Set.
 * @path:	Socket.
 * @device:	Device and its options, up to 8, ends with NULL.
 *
 * Return: 0, or a negative errno; %-EPIPE if it ended instead.
 */
int t_backend_start(struct t_child *child, const char *path, const char *const device[]);

#endif /* VRINGLAB_SELFTESTS_T_BACKEND_H */
