/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writing to a pipe of somebody else's: that its reader has gone is an errno, and
 * not the end of the process.
 */
#ifndef VRINGLAB_SIGPIPE_H
#define VRINGLAB_SIGPIPE_H

/**
 * vl_sigpipe_hold() - Keep SIGPIPE off this thread
 *
 * The kernel sends it to the thread that writes; for io_uring that is the one that
 * submits or waits. Can be held several times.
 */
void vl_sigpipe_hold(void);

/**
 * vl_sigpipe_release() - Undo one vl_sigpipe_hold() of this thread
 *
 * With the last one, a SIGPIPE that came meanwhile is dropped.
 */
void vl_sigpipe_release(void);

#endif /* VRINGLAB_SIGPIPE_H */
