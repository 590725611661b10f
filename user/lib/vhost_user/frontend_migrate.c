// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What outlives the back-end, or moves to another one.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/virtio_config.h>

#include <vringlab/err.h>
#include <vringlab/fd.h>
#include <vringlab/sigpipe.h>
#include <vringlab/vhost_user_mem.h>
#include <vringlab/vring_inflight.h>

#include "frontend.h"

/* "Device state transfer parameters" */
#define DIRECTION_SAVE 0u
#define DIRECTION_LOAD 1u
#define PHASE_STOPPED 0u

int vu_frontend_set_log(struct vu_frontend *fe, int fd, uint64_t offset, uint64_t size,
			struct vl_err *err)
{
	const union vu_payload payload = { .log = { .size = size, .offset = offset } };

	return frontend_ask(fe, VU_SET_LOG_BASE, &payload, sizeof(payload.log), &fd, 1, err);
}

int vu_frontend_set_log_fd(struct vu_frontend *fe, int fd, struct vl_err *err)
{
	return frontend_tell(fe, VU_SET_LOG_FD, NULL, 0, &fd, 1, err);
}

/* Whoever gets the region maps it: is it as large as it is said to be? */
static int check_region(const struct vu_inflight *got, int fd, struct vl_err *err)
{
	struct vu_mapping map;
	int ret = vu_mapping_open(&map, fd, got->mmap_offset, got->mmap_size, NULL, err);

	if (ret)
		vl_err_prefix(err, "GET_INFLIGHT_FD");
	else
		vu_mapping_close(&map);
	return ret;
}

int vu_frontend_get_inflight(struct vu_frontend *fe, struct vu_inflight *desc, int *fd,
			     struct vl_err *err)
{
	const union vu_payload payload = { .inflight = *desc };
	bool packed = vu_has_feature(fe->features, VIRTIO_F_RING_PACKED);
	const struct vu_inflight *got = &fe->reply.inflight;
	int ret;

	ret = frontend_ask(fe, VU_GET_INFLIGHT_FD, &payload, sizeof(payload.inflight), NULL, 0,
			   err);
	if (ret)
		return ret;
	if (fe->reply_fd < 0)
		return vl_err_set(err, -EPROTO, "GET_INFLIGHT_FD: no region came with the reply");
	if (got->num_queues != desc->num_queues || got->queue_size != desc->queue_size ||
	    got->mmap_size < desc->num_queues * vring_inflight_size(packed, desc->queue_size))
		return vl_err_set(err, -EPROTO,
				  "GET_INFLIGHT_FD: a region of 0x%llx bytes for %u queues of %u",
				  (unsigned long long)got->mmap_size, got->num_queues,
				  got->queue_size);
	ret = check_region(got, fe->reply_fd, err);
	if (ret)
		return ret;
	*desc = *got;
	*fd = vl_fd_take(&fe->reply_fd);
	return 0;
}

int vu_frontend_set_inflight(struct vu_frontend *fe, const struct vu_inflight *desc, int fd,
			     struct vl_err *err)
{
	const union vu_payload payload = { .inflight = *desc };

	return frontend_tell(fe, VU_SET_INFLIGHT_FD, &payload, sizeof(payload.inflight), &fd, 1,
			     err);
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

static int wait_fd(const struct vu_frontend *fe, int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };
	int ret = poll(&p, 1, fe->timeout_ms);

	if (ret < 0)
		return -errno;
	return ret ? 0 : -ETIMEDOUT;
}

/* Reads until the end. Returns bytes or a negative errno. */
static ssize_t read_all(const struct vu_frontend *fe, int fd, uint8_t *buf, size_t size)
{
	size_t done = 0;

	for (;;) {
		uint8_t more;
		ssize_t n = wait_fd(fe, fd, POLLIN);

		if (n)
			return n;
		n = done < size ? read(fd, buf + done, size - done) : read(fd, &more, 1);
		if (n < 0 && errno == EAGAIN)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			return done;
		if (done == size)
			return -EFBIG;
		done += n;
	}
}

static ssize_t write_all(const struct vu_frontend *fe, int fd, const uint8_t *buf, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = wait_fd(fe, fd, POLLOUT);

		if (n)
			return n;
		n = write(fd, buf + done, size - done);
		if (n < 0 && errno != EAGAIN)
			return -errno;
		done += n > 0 ? n : 0;
	}
	return done;
}

/* Not to block in it, whatever the back-end does with it meanwhile. */
static int use_end(int fd, struct vl_err *err)
{
	struct stat st;

	if (fstat(fd, &st) || !(S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode)))
		return vl_err_set(
			err, -EPROTO,
			"SET_DEVICE_STATE_FD: the back-end's fd is neither pipe nor socket");
	if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK))
		return vl_err_set(err, -errno, "cannot use a pipe: %s", vl_strerror(errno));
	return 0;
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
	ret = use_end(fds[1], err);
	if (ret)
		return ret;
	/* the back-end may have closed its end */
	vl_sigpipe_hold();
	done = direction == DIRECTION_SAVE ? read_all(fe, fds[1], buf, size) :
					     write_all(fe, fds[1], buf, size);
	vl_sigpipe_release();
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
