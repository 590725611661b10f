/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * File I/O on the event loop, for devices: the request is part of the caller's own
 * struct, so that starting one allocates nothing and looks for nothing.
 *
 * Starting only fills in a submission. What was started goes to the kernel with
 * the loop's next wait, in one system call, and completions that are there
 * together are handled together: see loop_task_add() for what to do at their end.
 *
 * A struct loop_rw belongs to the loop's thread. From its start until its handler
 * runs it must stay where it is, and so must what it refers to.
 */
#ifndef VRINGLAB_LOOP_RW_H
#define VRINGLAB_LOOP_RW_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

struct loop;
struct loop_rw;

/**
 * struct loop_rw_file - A file to read and write
 * @loop:	Its loop.
 * @fd:		The caller's; stays open until loop_rw_file_exit().
 * @file:	Its index in the table of fixed files, or -1.
 */
struct loop_rw_file {
	struct loop *loop;
	int fd;
	int file;
};

/**
 * typedef loop_rw_fn - A request is over
 * @rw:		May be started again inside.
 * @res:	What preadv2(2), pwritev2(2), fdatasync(2) or fallocate(2) returned, with
 *		a negative errno. %-ECANCELED after loop_rw_cancel(), if that came in
 *		time. May be less than was asked for.
 */
typedef void loop_rw_fn(struct loop_rw *rw, int res);

/**
 * struct loop_rw - A request
 * @fn:		Handler; set before the start.
 * @loop:	The library's, as the following.
 * @in_flight:	Started, and not over.
 */
struct loop_rw {
	loop_rw_fn *fn;
	struct loop *loop;
	bool in_flight;
};

/**
 * loop_rw_file_init() - Make a file known to a loop
 * @file:	Set; used until loop_rw_file_exit().
 * @loop:	Loop.
 * @fd:		Regular file or block device.
 *
 * It goes to the table of fixed files where there is room.
 */
void loop_rw_file_init(struct loop_rw_file *file, struct loop *loop, int fd);

/**
 * loop_rw_file_exit() - Make the loop forget a file
 * @file:	None of its requests is in flight.
 */
void loop_rw_file_exit(struct loop_rw_file *file);

/**
 * loop_rw_read() - Start to read
 * @rw:		Not in flight.
 * @file:	File.
 * @iov:	Where to; stays until the request is over.
 * @nr_iov:	Count, 1 to IOV_MAX.
 * @offset:	In the file, bytes.
 *
 * Return: 0, or %-EBUSY if the submission queue is full and the kernel takes
 * nothing: to be tried again when something has completed, or by a task.
 */
int loop_rw_read(struct loop_rw *rw, const struct loop_rw_file *file, const struct iovec *iov,
		 unsigned int nr_iov, uint64_t offset);

/**
 * loop_rw_write() - Start to write
 * @rw:		Not in flight.
 * @file:	File.
 * @iov:	Where from; stays until the request is over.
 * @nr_iov:	Count, 1 to IOV_MAX.
 * @offset:	In the file, bytes.
 * @dsync:	The data is on stable storage before the request is over (RWF_DSYNC).
 *
 * Return: as loop_rw_read().
 */
int loop_rw_write(struct loop_rw *rw, const struct loop_rw_file *file, const struct iovec *iov,
		  unsigned int nr_iov, uint64_t offset, bool dsync);

/**
 * loop_rw_datasync() - Start to bring what was written to stable storage
 * @rw:		Not in flight.
 * @file:	File.
 *
 * All writes that are over when it starts, as fdatasync(2).
 *
 * Return: as loop_rw_read().
 */
int loop_rw_datasync(struct loop_rw *rw, const struct loop_rw_file *file);

/**
 * loop_rw_fallocate() - Start to allocate, punch or zero
 * @rw:		Not in flight.
 * @file:	File.
 * @mode:	Of fallocate(2).
 * @offset:	In the file, bytes.
 * @len:	Bytes.
 *
 * Return: as loop_rw_read().
 */
int loop_rw_fallocate(struct loop_rw *rw, const struct loop_rw_file *file, int mode,
		      uint64_t offset, uint64_t len);

/**
 * loop_rw_cancel() - Have a request end early, if that is possible
 * @rw:		May be one that is not in flight: then nothing happens.
 *
 * Its handler runs, now or later, but not inside: with %-ECANCELED, %-EINTR or the
 * result it had.
 */
void loop_rw_cancel(struct loop_rw *rw);

/**
 * loop_rw_wait() - Wait for a request, inside of a handler
 * @loop:	Loop.
 *
 * Handlers of requests run inside, and no others: what else completes is handled when
 * the loop goes on. For the end of what is in flight, which has to be there before the
 * handler returns; everything else on the loop waits for it.
 *
 * Return: 0 when at least one is over, %-ENODATA if none is in flight, or a negative
 * errno of io_uring_enter(2).
 */
int loop_rw_wait(struct loop *loop);

/**
 * loop_round() - How often has the loop waited?
 * @loop:	Loop.
 *
 * A request that is over in the round after the one in which it was started was
 * completed by the kernel on submission.
 */
uint64_t loop_round(const struct loop *loop);

#endif /* VRINGLAB_LOOP_RW_H */
