/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owned file descriptors: every fd has one owner, -1 means none.
 */
#ifndef VRINGLAB_FD_H
#define VRINGLAB_FD_H

#include <unistd.h>

/**
 * vl_fd_close() - Close an owned fd and forget it
 * @fd:		The fd's only holder; -1 is allowed and stays -1.
 *
 * errno is preserved, so that it can stand in an error path.
 */
void vl_fd_close(int *fd);

/**
 * vl_fd_take() - Move an fd to another owner
 * @fd:		The old owner; is -1 afterwards.
 *
 * Return: the fd, which the caller now owns, or -1.
 */
static inline int vl_fd_take(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

#endif /* VRINGLAB_FD_H */
