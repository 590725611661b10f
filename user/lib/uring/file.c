// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The table of fixed files.
 *
 * Only what is polled or signalled goes there, no sockets: a kernel may keep a file
 * that was taken out of the table for up to a second, which a peer would see.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "internal.h"

/* A kick and a call for each of 128 virtqueues; beyond it plain fds are used. */
#define LOOP_FILES 256u

void loop_files_init(struct loop *loop)
{
	unsigned int nr = LOOP_FILES;
	struct rlimit limit;

	/* the kernel demands it: io_uring/rsrc.c, io_sqe_files_register() */
	if (!getrlimit(RLIMIT_NOFILE, &limit) && limit.rlim_cur < nr)
		nr = limit.rlim_cur;
	loop->files = malloc(nr * sizeof(*loop->files));
	if (!loop->files)
		return;
	for (unsigned int i = 0; i < nr; i++)
		loop->files[i] = -1;
	/* before 5.19 there is no sparse table, but one of -1 */
	if (io_uring_register_files_sparse(&loop->ring, nr) &&
	    io_uring_register_files(&loop->ring, loop->files, nr))
		return;
	loop->facts.fixed_files = nr;
}

void loop_files_exit(struct loop *loop)
{
	free(loop->files);
	loop->files = NULL;
	loop->facts.fixed_files = 0;
}

/* LOOP_NO_FILE if there is no room: the plain fd works as well, only slower. */
int loop_file_add(struct loop *loop, int fd)
{
	for (unsigned int i = 0; i < loop->facts.fixed_files; i++) {
		if (loop->files[i] >= 0)
			continue;
		if (io_uring_register_files_update(&loop->ring, i, &fd, 1) != 1)
			return LOOP_NO_FILE;
		loop->files[i] = fd;
		return i;
	}
	return LOOP_NO_FILE;
}

void loop_file_remove(struct loop *loop, int file)
{
	const int none = -1;

	/* what is queued names the index, not the file */
	loop_flush(loop);
	io_uring_register_files_update(&loop->ring, file, (int *)&none, 1);
	loop->files[file] = -1;
}

void loop_file_prepare(struct io_uring_sqe *sqe, int file)
{
	sqe->fd = file;
	io_uring_sqe_set_flags(sqe, sqe->flags | IOSQE_FIXED_FILE);
}
