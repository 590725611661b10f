// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Device state ("Migrating back-end state"): goes through a pipe, whole, while the
 * device is suspended, and is asked for its success afterwards.
 *
 *	save:  device -> buf -> pipe, closed when all is written
 *	load:  pipe -> buf until its end -> device
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <vringlab/err.h>
#include <vringlab/fd.h>
#include <vringlab/sigpipe.h>

#include "backend.h"

/* A front-end that does not read, or write, for so long has given up. */
#define PROGRESS_NS 30000000000ull

/* "Device state transfer parameters" */
#define DIRECTION_SAVE 0u
#define DIRECTION_LOAD 1u
#define PHASE_STOPPED 0u

static void on_step(struct loop_rw *rw, int res);

void state_init(struct vu_state *state)
{
	*state = (struct vu_state){ .checked = true, .fd = -1, .rw = { .fn = on_step } };
}

static void finish(struct vu_backend *be, int result)
{
	struct vu_state *state = &be->state;

	loop_op_remove(&state->deadline);
	loop_rw_file_exit(&state->file);
	vl_fd_close(&state->fd);
	free(state->buf);
	state->buf = NULL;
	state->active = false;
	vl_sigpipe_release();
	state->result = result;
	backend_advance(be);
}

static struct vu_backend *backend_of(struct vu_state *state)
{
	return (struct vu_backend *)((char *)state - offsetof(struct vu_backend, state));
}

static int step(struct vu_backend *be);

/* The pipe's end: what came is the state. */
static int load(struct vu_backend *be)
{
	const struct vdev *vdev = be->vdev;

	return vdev->ops->load(vdev->dev, be->state.buf, be->state.done);
}

/* What a step brought. 1 if there is another one to make. */
static int take(struct vu_backend *be, int res)
{
	struct vu_state *state = &be->state;

	if (res == -EINTR || res == -EAGAIN)
		return 1;
	if (res < 0)
		return res;
	state->done += res;
	if (!state->load)
		return state->done < state->len;
	if (!res)
		return load(be);
	return state->done < state->len ? 1 : -EFBIG;
}

static void on_step(struct loop_rw *rw, int res)
{
	struct vu_state *state = (struct vu_state *)((char *)rw - offsetof(struct vu_state, rw));
	struct vu_backend *be = backend_of(state);
	int ret = state->cancelled ? -ECANCELED : take(be, res);

	if (ret > 0)
		ret = step(be);
	if (ret <= 0 && !rw->in_flight)
		finish(be, ret);
}

static void on_deadline(void *ctx, int res)
{
	struct vu_backend *be = ctx;

	if (res)
		return;
	be->state.cancelled = true;
	loop_rw_cancel(&be->state.rw);
}

/* Starts one. 0, or a negative errno. */
static int step(struct vu_backend *be)
{
	struct vu_state *state = &be->state;
	int ret;

	state->iov.iov_base = state->buf + state->done;
	state->iov.iov_len = state->len - state->done;
	loop_op_remove(&state->deadline);
	ret = loop_timer(be->loop, PROGRESS_NS, on_deadline, be, &state->deadline);
	if (ret)
		return ret;
	if (state->load)
		return loop_rw_read(&state->rw, &state->file, &state->iov, 1, 0);
	return loop_rw_write(&state->rw, &state->file, &state->iov, 1, 0, false);
}

static int check_transfer(const struct vu_backend *be, const struct vu_msg *msg, struct vl_err *err)
{
	const struct vu_device_state *params = &msg->payload.device_state;
	struct stat st;

	if (params->direction > DIRECTION_LOAD || params->phase != PHASE_STOPPED)
		return vl_err_set(err, -EINVAL, "direction %u in phase %u", params->direction,
				  params->phase);
	if (!rings_are_stopped(be))
		return vl_err_set(err, -EBUSY, "a vring is running");
	if (be->state.active)
		return vl_err_set(err, -EBUSY, "another transfer is under way");
	if (fstat(msg->fds[0], &st))
		return vl_err_set(err, -errno, "cannot stat its fd: %s", vl_strerror(errno));
	if (!S_ISFIFO(st.st_mode) && !S_ISSOCK(st.st_mode))
		return vl_err_set(err, -EINVAL, "its fd is neither pipe nor socket");
	return 0;
}

/* Fills @buf of a transfer to the front-end. */
static int save(struct vu_backend *be, struct vl_err *err)
{
	const struct vdev *vdev = be->vdev;
	ssize_t len = vdev->ops->save(vdev->dev, be->state.buf, VDEV_STATE_MAX);

	if (len < 0)
		return vl_err_set(err, len, "the device cannot be saved: %s", vl_strerror(len));
	be->state.len = len;
	return 0;
}

static int begin(struct vu_backend *be, struct vu_msg *msg, struct vl_err *err)
{
	struct vu_state *state = &be->state;
	int ret;

	state->buf = malloc(VDEV_STATE_MAX + 1);
	if (!state->buf)
		return vl_err_set(err, -ENOMEM, "out of memory");
	state->load = msg->payload.device_state.direction == DIRECTION_LOAD;
	/* one more than there can be: that is how too much is told from enough */
	state->len = VDEV_STATE_MAX + 1;
	state->done = 0;
	state->cancelled = false;
	ret = state->load ? 0 : save(be, err);
	if (ret) {
		free(state->buf);
		state->buf = NULL;
		return ret;
	}
	state->fd = vl_fd_take(&msg->fds[0]);
	loop_rw_file_init(&state->file, be->loop, state->fd);
	/* the reader may be gone */
	vl_sigpipe_hold();
	state->active = true;
	state->checked = false;
	ret = state->load || state->len ? step(be) : 0;
	if (ret || !state->rw.in_flight)
		finish(be, ret);
	return 0;
}

int set_device_state_fd(struct vu_backend *be, struct vu_msg *msg, struct vu_reply *reply,
			struct vl_err *err)
{
	int ret = check_transfer(be, msg, err);

	/* "the back-end may use the front-end's fd": then it sends none */
	reply->payload.u64 = VU_FD_NONE;
	return ret ? ret : begin(be, msg, err);
}

bool state_is_idle(const struct vu_backend *be)
{
	return !be->state.active;
}

static int reply_result(struct vu_backend *be, struct vu_msg *msg, struct vu_reply *reply,
			struct vl_err *err)
{
	int result = be->state.result;

	(void)msg;
	be->state.checked = true;
	reply->payload.u64 = 0;
	if (result)
		return vl_err_set(err, result, "the transfer failed: %s", vl_strerror(result));
	return 0;
}

int check_device_state(struct vu_backend *be, struct vu_msg *msg, struct vu_reply *reply,
		       struct vl_err *err)
{
	if (be->state.checked)
		return vl_err_set(err, -EPROTO, "there was no transfer");
	return backend_wait(be, msg, reply, err, state_is_idle, reply_result);
}

/* Ends a transfer; it may go on a little, see state_is_idle(). */
void state_reset(struct vu_backend *be)
{
	be->state.checked = true;
	if (!be->state.active)
		return;
	be->state.cancelled = true;
	loop_rw_cancel(&be->state.rw);
}
