// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Device state, through a pipe: ours, or one that the back-end likes better. It is
 * read and written by the loop, for neither may keep us beyond the deadline: a pipe
 * that has room for some bytes need not have it for all.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <vringlab/fd.h>
#include <vringlab/loop_rw.h>
#include <vringlab/sigpipe.h>

#include "frontend.h"

/* "Device state transfer parameters" */
#define DIRECTION_SAVE 0u
#define DIRECTION_LOAD 1u
#define PHASE_STOPPED 0u

/**
 * struct pipe_end - Our end of the pipe
 * @fe:		Whose.
 * @file:	Of the loop.
 * @rw:		A read or write.
 * @result:	Of the last one.
 */
struct pipe_end {
	struct vu_frontend *fe;
	struct loop_rw_file file;
	struct loop_rw rw;
	int result;
};

static void on_step(struct loop_rw *rw, int res)
{
	struct pipe_end *end = (struct pipe_end *)((char *)rw - offsetof(struct pipe_end, rw));

	end->result = res;
}

/* Runs the loop until the step is over, and to its very end after the deadline too. */
static int finish_step(struct pipe_end *end, uint64_t deadline_ns)
{
	bool late = false;

	while (end->rw.in_flight) {
		int ret = loop_run_once(end->fe->loop, late ? LOOP_FOREVER : deadline_ns);

		if (ret && ret != -ETIME)
			return ret;
		if (ret && end->rw.in_flight) {
			late = true;
			loop_rw_cancel(&end->rw);
		}
	}
	return late && end->result < 0 ? -ETIMEDOUT : end->result;
}

static int step(struct pipe_end *end, bool read, uint8_t *buf, size_t size)
{
	const uint64_t deadline_ns = loop_now_ns() + end->fe->timeout_ms * 1000000ull;
	const struct iovec iov = { .iov_base = buf, .iov_len = size };
	int ret;

	do {
		ret = read ? loop_rw_read(&end->rw, &end->file, &iov, 1, 0) :
			     loop_rw_write(&end->rw, &end->file, &iov, 1, 0, false);
		if (!ret)
			ret = finish_step(end, deadline_ns);
	} while ((ret == -EINTR || ret == -EAGAIN) && loop_now_ns() < deadline_ns);
	return ret;
}

/* Reads until the end. Returns bytes or a negative errno. */
static ssize_t read_all(struct pipe_end *end, uint8_t *buf, size_t size)
{
	size_t done = 0;

	for (;;) {
		uint8_t more;
		ssize_t n = done < size ? step(end, true, buf + done, size - done) :
					  step(end, true, &more, 1);

		if (n < 0)
			return n;
		if (!n)
			return done;
		if (done == size)
			return -EFBIG;
		done += n;
	}
}

static ssize_t write_all(struct pipe_end *end, uint8_t *buf, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = step(end, false, buf + done, size - done);

		if (n < 0)
			return n;
		done += n;
	}
	return done;
}

/* What else there is could keep us, or be read without an end. */
static bool is_pipe(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode));
}

static ssize_t move(struct vu_frontend *fe, uint32_t direction, int fd, uint8_t *buf, size_t size)
{
	struct pipe_end end = { .fe = fe, .rw = { .fn = on_step } };
	ssize_t done;

	loop_rw_file_init(&end.file, fe->loop, fd);
	vl_sigpipe_hold();
	done = direction == DIRECTION_SAVE ? read_all(&end, buf, size) : write_all(&end, buf, size);
	vl_sigpipe_release();
	loop_rw_file_exit(&end.file);
	return done;
}

/* 1 if the back-end has a pipe of its own that it likes better: then ours is not used. */
static int check_begun(const struct vu_frontend *fe, struct vl_err *err)
{
	uint64_t u64 = fe->reply.u64;
	uint64_t error = u64 & VU_FD_INDEX_MASK;
	bool came = fe->reply_fd >= 0;

	/* an error, or bit 8, or an fd: one of the three */
	if (u64 & ~(VU_FD_INDEX_MASK | VU_FD_NONE) || (came && u64) || (!came && !u64))
		return vl_err_set(err, -EPROTO,
				  "SET_DEVICE_STATE_FD: the answer is 0x%llx with %d fds",
				  (unsigned long long)u64, came);
	if (error)
		return vl_err_set(err, -EIO, "SET_DEVICE_STATE_FD: refused by the back-end (%llu)",
				  (unsigned long long)error);
	return came;
}

static int begin_transfer(struct vu_frontend *fe, uint32_t direction, int fd, struct vl_err *err)
{
	const union vu_payload payload = {
		.device_state = { .direction = direction, .phase = PHASE_STOPPED },
	};
	int ret;

	ret = frontend_ask(fe, VU_SET_DEVICE_STATE_FD, &payload, sizeof(payload.device_state), &fd,
			   1, err);
	if (ret)
		return ret;
	return check_begun(fe, err);
}

static int end_transfer(struct vu_frontend *fe, struct vl_err *err)
{
	int ret = frontend_ask(fe, VU_CHECK_DEVICE_STATE, NULL, 0, NULL, 0, err);

	if (!ret && fe->reply.u64)
		return vl_err_set(err, -EIO, "CHECK_DEVICE_STATE: the transfer failed (%llu)",
				  (unsigned long long)fe->reply.u64);
	return ret;
}

/* @fds: the back-end's end first. */
static ssize_t transfer(struct vu_frontend *fe, uint32_t direction, int fds[2], uint8_t *buf,
			size_t size, struct vl_err *err)
{
	ssize_t done;
	int ret = begin_transfer(fe, direction, fds[0], err);

	if (ret < 0)
		return ret;
	vl_fd_close(&fds[0]);
	if (ret) {
		vl_fd_close(&fds[1]);
		fds[1] = vl_fd_take(&fe->reply_fd);
	}
	if (!is_pipe(fds[1]))
		return vl_err_set(
			err, -EPROTO,
			"SET_DEVICE_STATE_FD: the back-end's fd is neither pipe nor socket");
	done = move(fe, direction, fds[1], buf, size);
	/* the end of a pipe is the end of what is in it */
	vl_fd_close(&fds[1]);
	ret = end_transfer(fe, err);
	if (ret)
		return ret;
	if (done < 0)
		return vl_err_set(err, done, "the device's state stopped on its way: %s",
				  vl_strerror(done));
	return done;
}

static ssize_t with_pipe(struct vu_frontend *fe, uint32_t direction, uint8_t *buf, size_t size,
			 struct vl_err *err)
{
	int pipe_fds[2], fds[2];
	ssize_t ret;

	if (pipe2(pipe_fds, O_CLOEXEC))
		return vl_err_set(err, -errno, "cannot make a pipe: %s", vl_strerror(errno));
	fds[0] = pipe_fds[direction == DIRECTION_SAVE];
	fds[1] = pipe_fds[direction != DIRECTION_SAVE];
	ret = transfer(fe, direction, fds, buf, size, err);
	vl_fd_close(&fds[0]);
	vl_fd_close(&fds[1]);
	return ret;
}

ssize_t vu_frontend_save_state(struct vu_frontend *fe, void *buf, size_t size, struct vl_err *err)
{
	return with_pipe(fe, DIRECTION_SAVE, buf, size, err);
}

int vu_frontend_load_state(struct vu_frontend *fe, const void *buf, size_t size, struct vl_err *err)
{
	/* only read from in this direction */
	ssize_t ret = with_pipe(fe, DIRECTION_LOAD, (uint8_t *)buf, size, err);

	return ret < 0 ? ret : 0;
}
