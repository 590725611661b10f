// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Signals, by signalfd.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <vringlab/fd.h>

#include "internal.h"

static void on_signal(void *ctx, int res)
{
	struct signalfd_siginfo info;
	struct loop *loop = ctx;

	if (res < 0)
		return;
	/* the handler may not destroy the loop, so the fd stays */
	while (read(loop->signal_fd, &info, sizeof(info)) == sizeof(info))
		loop->signal_fn(loop->signal_ctx, info.ssi_signo);
}

int loop_signals(struct loop *loop, const sigset_t *set, loop_fn *fn, void *ctx)
{
	int ret;

	if (loop->signal_fd >= 0)
		return -EBUSY;
	ret = pthread_sigmask(SIG_BLOCK, set, &loop->signal_mask_before);
	if (ret)
		return -ret;
	loop->signal_fn = fn;
	loop->signal_ctx = ctx;
	loop->signal_fd = signalfd(-1, set, SFD_CLOEXEC | SFD_NONBLOCK);
	ret = loop->signal_fd < 0 ?
		      -errno :
		      loop_poll(loop, loop->signal_fd, POLLIN, on_signal, loop, &loop->signal_op);
	if (ret) {
		vl_fd_close(&loop->signal_fd);
		pthread_sigmask(SIG_SETMASK, &loop->signal_mask_before, NULL);
	}
	return ret;
}

void loop_signals_exit(struct loop *loop)
{
	if (loop->signal_fd < 0)
		return;
	loop_op_remove(&loop->signal_op);
	vl_fd_close(&loop->signal_fd);
	pthread_sigmask(SIG_SETMASK, &loop->signal_mask_before, NULL);
}
