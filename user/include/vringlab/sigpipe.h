/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writing to a pipe or socket of a peer's without its end being the process' end.
 */
#ifndef VRINGLAB_SIGPIPE_H
#define VRINGLAB_SIGPIPE_H

/**
 * vl_sigpipe_hold() - Have no SIGPIPE come to this thread
 *
 * Until as many vl_sigpipe_release(): writes fail with %-EPIPE then. Also those that
 * io_uring makes on the thread's behalf.
 */
void vl_sigpipe_hold(void);

/** vl_sigpipe_release() - Forget those that came meanwhile, and be as before. */
void vl_sigpipe_release(void);

#endif /* VRINGLAB_SIGPIPE_H */
