// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>

#include <vringlab/fd.h>

void vl_fd_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}
