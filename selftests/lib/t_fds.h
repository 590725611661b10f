/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How many fds and shared mappings a process has: leaks show as a difference.
 */
#ifndef VRINGLAB_SELFTESTS_T_FDS_H
#define VRINGLAB_SELFTESTS_T_FDS_H

#include <sys/types.h>

/**
 * t_fds_count() - Count the open fds of a process
 * @pid:	Process, 0 for the caller.
 *
 * Return: the count, or a negative errno.
 */
int t_fds_count(pid_t pid);

/**
 * t_maps_count() - Count the shared mappings of a process
 * @pid:	Process, 0 for the caller.
 *
 * Return: the count, or a negative errno.
 */
int t_maps_count(pid_t pid);

#endif /* VRINGLAB_SELFTESTS_T_FDS_H */
