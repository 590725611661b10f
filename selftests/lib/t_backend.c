// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "t_backend.h"

#define DEVICE_MAX 8

int t_backend_start(struct t_child *child, const char *path, const char *const device[])
{
	const char *argv[DEVICE_MAX + 7] = { t_vringlab(), "backend" };
	char ready_fd[16];
	int ready[2], ret, n = 2;
	char byte;

	if (pipe(ready))
		return -errno;
	snprintf(ready_fd, sizeof(ready_fd), "%d", ready[1]);
	while (n < 2 + DEVICE_MAX && *device)
		argv[n++] = *device++;
	argv[n++] = "--socket";
	argv[n++] = path;
	argv[n++] = "--ready-fd";
	argv[n++] = ready_fd;
	ret = t_child_start(child, argv);
	close(ready[1]);
	if (!ret)
		ret = t_read_until(ready[0], &byte, 1, T_DEADLINE_MS);
	close(ready[0]);
	return ret;
}
