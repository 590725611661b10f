// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "t_backend.h"

#define ARGS_MAX 16

int t_backend_start(struct t_child *child, const char *const args[])
{
	const char *argv[4 + ARGS_MAX + 1] = { t_vringlab(), "backend", "--ready-fd" };
	char ready_fd[16], byte;
	int ready[2], ret;

	if (pipe(ready))
		return -errno;
	snprintf(ready_fd, sizeof(ready_fd), "%d", ready[1]);
	argv[3] = ready_fd;
	for (int i = 0; i < ARGS_MAX && args[i]; i++)
		argv[4 + i] = args[i];
	ret = t_child_start(child, argv);
	close(ready[1]);
	if (!ret)
		ret = t_read_until(ready[0], &byte, 1, T_DEADLINE_MS);
	close(ready[0]);
	return ret;
}
