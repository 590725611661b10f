// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A process that has a tap as it was when another one has ended: that one closes a
 * pipe, or the kernel does it when it is killed.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vringlab/err.h>
#include <vringlab/fd.h>
#include <vringlab/link.h>

#include "rtnl.h"

/* All but two: what the other process has open would else outlive it. */
static void close_others(unsigned int a, unsigned int b)
{
	unsigned int low = a < b ? a : b, high = a < b ? b : a;

	if (low)
		close_range(0, low - 1, 0);
	if (high - low > 1)
		close_range(low + 1, high - 1, 0);
	close_range(high + 1, ~0u, 0);
}

/* Signals are for the other process; so is what happens to its group and terminal. */
static void keep(struct tap_undo *undo, int end_fd)
{
	sigset_t all;
	char byte;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	setsid();
	prctl(PR_SET_NAME, "vringlab-tap");
	close_others(end_fd, mnl_socket_get_fd(undo->rtnl->sock));
	while (read(end_fd, &byte, 1) < 0 && errno == EINTR)
		;
	tap_undo_all(undo);
	_exit(0);
}

/* With a socket of its own: both of them may ask at a time. */
static int start(struct tap_undo *undo, struct rtnl *own, const int pipe_fds[2], struct vl_err *err)
{
	undo->keeper = fork();
	if (undo->keeper < 0)
		return vl_err_set(err, -errno, "fork: %s", vl_strerror(errno));
	if (!undo->keeper) {
		undo->rtnl = own;
		keep(undo, pipe_fds[0]);
	}
	undo->keeper_fd = pipe_fds[1];
	return 0;
}

int tap_keep(struct tap_undo *undo, struct vl_err *err)
{
	struct rtnl *own;
	int pipe_fds[2];
	int ret = rtnl_open(&own, err);

	if (ret)
		return ret;
	if (pipe2(pipe_fds, O_CLOEXEC)) {
		ret = vl_err_set(err, -errno, "pipe: %s", vl_strerror(errno));
	} else {
		ret = start(undo, own, pipe_fds, err);
		vl_fd_close(&pipe_fds[0]);
		if (ret)
			vl_fd_close(&pipe_fds[1]);
	}
	rtnl_close(own);
	return ret;
}

void tap_undo(struct tap_undo *undo)
{
	if (!undo->rtnl)
		return;
	rtnl_close(undo->rtnl);
	vl_fd_close(&undo->keeper_fd);
	while (waitpid(undo->keeper, NULL, 0) < 0 && errno == EINTR)
		;
	*undo = (struct tap_undo){ 0 };
}
