// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * File I/O whose requests live in the caller's memory.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>

#include <vringlab/loop_rw.h>

#include "internal.h"

_Static_assert(sizeof(void *) <= sizeof(uint64_t), "user_data holds a pointer");

/* The kind in the top byte, the request's address below it. */
static uint64_t pack(const struct loop_rw *rw)
{
	const struct loop_user_data id = { .kind = LOOP_KIND_RW };
	uint64_t address = (uintptr_t)rw;

	assert(!(address >> LOOP_RW_ADDRESS_BITS));
	return loop_user_data_pack(id) | address;
}

void loop_rw_file_init(struct loop_rw_file *file, struct loop *loop, int fd)
{
	*file = (struct loop_rw_file){
		.loop = loop,
		.fd = fd,
		.file = loop_file_add(loop, fd),
	};
}

void loop_rw_file_exit(struct loop_rw_file *file)
{
	if (file->file != LOOP_NO_FILE)
		loop_file_remove(file->loop, file->file);
	file->file = LOOP_NO_FILE;
	file->fd = -1;
}

static struct io_uring_sqe *start(struct loop_rw *rw, const struct loop_rw_file *file)
{
	struct io_uring_sqe *sqe = loop_get_sqe(file->loop);

	assert(!rw->in_flight);
	if (!sqe)
		return NULL;
	rw->loop = file->loop;
	rw->in_flight = true;
	file->loop->nr_rw++;
	return sqe;
}

/* After the prepare function, which clears the submission. */
static int started(struct io_uring_sqe *sqe, struct loop_rw *rw, const struct loop_rw_file *file)
{
	if (file->file != LOOP_NO_FILE)
		loop_file_prepare(sqe, file->file);
	sqe->user_data = pack(rw);
	return 0;
}

int loop_rw_read(struct loop_rw *rw, const struct loop_rw_file *file, const struct iovec *iov,
		 unsigned int nr_iov, uint64_t offset)
{
	struct io_uring_sqe *sqe = start(rw, file);

	if (!sqe)
		return -EBUSY;
	/* a single buffer saves the kernel a copy of the list */
	if (nr_iov == 1 && iov->iov_len <= INT32_MAX)
		io_uring_prep_read(sqe, file->fd, iov->iov_base, iov->iov_len, offset);
	else
		io_uring_prep_readv(sqe, file->fd, iov, nr_iov, offset);
	return started(sqe, rw, file);
}

int loop_rw_write(struct loop_rw *rw, const struct loop_rw_file *file, const struct iovec *iov,
		  unsigned int nr_iov, uint64_t offset, bool dsync)
{
	struct io_uring_sqe *sqe = start(rw, file);

	if (!sqe)
		return -EBUSY;
	if (nr_iov == 1 && iov->iov_len <= INT32_MAX)
		io_uring_prep_write(sqe, file->fd, iov->iov_base, iov->iov_len, offset);
	else
		io_uring_prep_writev(sqe, file->fd, iov, nr_iov, offset);
	sqe->rw_flags = dsync ? RWF_DSYNC : 0;
	return started(sqe, rw, file);
}

int loop_rw_datasync(struct loop_rw *rw, const struct loop_rw_file *file)
{
	struct io_uring_sqe *sqe = start(rw, file);

	if (!sqe)
		return -EBUSY;
	io_uring_prep_fsync(sqe, file->fd, IORING_FSYNC_DATASYNC);
	return started(sqe, rw, file);
}

int loop_rw_fallocate(struct loop_rw *rw, const struct loop_rw_file *file, int mode,
		      uint64_t offset, uint64_t len)
{
	struct io_uring_sqe *sqe = start(rw, file);

	if (!sqe)
		return -EBUSY;
	io_uring_prep_fallocate(sqe, file->fd, mode, offset, len);
	return started(sqe, rw, file);
}

void loop_rw_cancel(struct loop_rw *rw)
{
	const struct loop_user_data id = { .kind = LOOP_KIND_CANCEL };
	struct io_uring_sqe *sqe;

	if (!rw->in_flight)
		return;
	/* without an entry it ends by itself: a request of a file always does */
	sqe = loop_get_sqe(rw->loop);
	if (!sqe)
		return;
	io_uring_prep_cancel64(sqe, pack(rw), 0);
	sqe->user_data = loop_user_data_pack(id);
}

void loop_rw_complete(struct loop *loop, uint64_t user_data, int res)
{
	const uint64_t mask = (UINT64_C(1) << LOOP_RW_ADDRESS_BITS) - 1;
	struct loop_rw *rw = (struct loop_rw *)(uintptr_t)(user_data & mask);

	/* the kernel answers each submission once, and nobody else fills in user_data */
	assert(rw->in_flight && rw->loop == loop);
	rw->in_flight = false;
	loop->nr_rw--;
	rw->fn(rw, res);
}

uint64_t loop_round(const struct loop *loop)
{
	return loop->rounds;
}
