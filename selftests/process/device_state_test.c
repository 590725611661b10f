// SPDX-License-Identifier: GPL-2.0-only
/*
 * Device state goes through a pipe whose other end is the peer's: whatever it does
 * with it, or does not, ends in an error by the deadline, and kills nobody.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <vringlab/err.h>
#include <vringlab/fd.h>
#include <vringlab/loop.h>
#include <vringlab/vdev_blk.h>
#include <vringlab/vhost_user_backend.h>
#include <vringlab/vhost_user_frontend.h>

#include "kselftest_harness.h"
#include "t.h"
#include "t_fds.h"
#include "t_peer.h"

#define PROTOCOL (1ull << VU_PROTOCOL_F_REPLY_ACK | 1ull << VU_PROTOCOL_F_DEVICE_STATE)

/* The deadline that is to pass. */
#define SHORT_MS 200u

/* More than a pipe has room for. */
#define STATE_BYTES (256u << 10)

enum direction {
	SAVE,
	LOAD,
};

static bool sigpipe_would_kill(void)
{
	struct sigaction action;
	sigset_t set;

	sigaction(SIGPIPE, NULL, &action);
	pthread_sigmask(SIG_BLOCK, NULL, &set);
	return action.sa_handler == SIG_DFL && !sigismember(&set, SIGPIPE);
}

/* The back-end, and a front-end by raw bytes, on one thread. */
FIXTURE(backend)
{
	struct loop *loop;
	struct vdev *vdev;
	struct vu_backend *be;
	int fd;
	struct vl_err err;
};

static void ignore_close(void *ctx, const struct vl_err *err)
{
}

FIXTURE_SETUP(backend)
{
	static const struct vu_backend_ops ops = { .closed = ignore_close };
	const struct vdev_blk_config blk = { .null_size = 4096, .num_queues = 1 };
	const struct vu_backend_config config = { .ops = &ops };
	const uint64_t protocol = PROTOCOL;
	int pair[2], ret;

	memset(self, 0, sizeof(*self));
	self->fd = -1;
	ret = loop_create(&self->loop, &self->err);
	if (ret == -EPERM || ret == -ENOSYS)
		SKIP(return, "%s", self->err.msg);
	ASSERT_EQ(0, ret);
	ASSERT_EQ(0, vdev_blk_create(&self->vdev, self->loop, &blk, &self->err));
	ASSERT_EQ(0, vu_backend_create(&self->be, self->loop, self->vdev, &config));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	self->fd = pair[0];
	ASSERT_EQ(0, vu_backend_attach(self->be, pair[1]));
	ASSERT_EQ(0, t_peer_request(self->fd, VU_SET_PROTOCOL_FEATURES, 0x1, &protocol, 8));
}

FIXTURE_TEARDOWN(backend)
{
	vu_backend_destroy(self->be);
	vdev_blk_destroy(self->vdev);
	vl_fd_close(&self->fd);
	loop_destroy(self->loop);
}

/* Runs the back-end until it has answered; the number that it answered with. */
static int64_t ask(FIXTURE_DATA(backend) * self, uint32_t request, const void *payload,
		   uint32_t size, const int *fd)
{
	uint64_t deadline_ns = loop_now_ns() + T_DEADLINE_MS * 1000000ull;
	union vu_payload reply;
	struct vu_header hdr;
	int ret;

	ret = t_peer_request_fds(self->fd, request, 0x1, payload, size, fd, !!fd);
	while (!ret && t_poll_until(self->fd, 0))
		ret = loop_run_once(self->loop, deadline_ns);
	if (!ret)
		ret = t_peer_reply(self->fd, &hdr, &reply);
	return ret ? ret : (int64_t)reply.u64;
}

static int64_t transfer(FIXTURE_DATA(backend) * self, enum direction direction, const int *fd)
{
	const struct vu_device_state state = { .direction = direction };

	return ask(self, VU_SET_DEVICE_STATE_FD, &state, sizeof(state), fd);
}

TEST_F(backend, a_reader_that_has_left_is_an_error_of_the_transfer)
{
	int fds[2];

	ASSERT_TRUE(sigpipe_would_kill());
	ASSERT_EQ(0, pipe2(fds, O_CLOEXEC));
	close(fds[0]);
	EXPECT_EQ(0x100, transfer(self, SAVE, &fds[1]));
	close(fds[1]);
	EXPECT_EQ(EPIPE, ask(self, VU_CHECK_DEVICE_STATE, NULL, 0, NULL));
	EXPECT_TRUE(sigpipe_would_kill());
}

TEST_F(backend, a_pipe_that_does_not_wait_is_waited_for)
{
	int fds[2];

	ASSERT_EQ(0, pipe2(fds, O_CLOEXEC | O_NONBLOCK));
	EXPECT_EQ(0x100, transfer(self, LOAD, &fds[0]));
	/* nothing to do: not one completion after another */
	EXPECT_EQ(-ETIME, loop_run_once(self->loop, loop_now_ns() + SHORT_MS * 1000000ull));
	close(fds[0]);
	close(fds[1]);
	EXPECT_NE(0, ask(self, VU_CHECK_DEVICE_STATE, NULL, 0, NULL));
}

/* What the back-end of the front-end's tests does with the end that it gets. */
enum use {
	USE_KEEP,
	USE_CLOSE,
	USE_OTHER,
};

struct peer {
	int listener;
	enum use use;
	int other[2];
};

FIXTURE(frontend)
{
	char dir[64];
	char path[96];
	struct peer peer;
	pthread_t thread;
	bool running;
	struct vu_frontend *fe;
	struct vl_err err;
	uint8_t state[STATE_BYTES];
	int fds_before;
};

/* A request with at most one fd. */
static int receive(int fd, struct vu_header *hdr, union vu_payload *payload, int *received)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { hdr, sizeof(*hdr) };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};

	*received = -1;
	if (recvmsg(fd, &msg, MSG_WAITALL | MSG_CMSG_CLOEXEC) != sizeof(*hdr))
		return -ECONNRESET;
	if (CMSG_FIRSTHDR(&msg))
		memcpy(received, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(*received));
	return hdr->size ? t_read_until(fd, payload, hdr->size, T_DEADLINE_MS) : 0;
}

static uint64_t answer(const struct vu_header *hdr, bool with_fd)
{
	switch (hdr->request) {
	case VU_SET_DEVICE_STATE_FD:
		return with_fd ? 0 : VU_FD_NONE;
	case VU_GET_FEATURES:
		return 1ull << 32 | 1ull << VU_F_PROTOCOL_FEATURES;
	case VU_GET_PROTOCOL_FEATURES:
		return PROTOCOL;
	default:
		return 0;
	}
}

static void *serve(void *arg)
{
	const struct peer *peer = arg;
	int fd = accept4(peer->listener, NULL, NULL, SOCK_CLOEXEC), kept = -1, received;
	union vu_payload payload;
	struct vu_header hdr;

	while (!receive(fd, &hdr, &payload, &received)) {
		bool ours = hdr.request == VU_SET_DEVICE_STATE_FD && peer->use == USE_OTHER;
		bool due = hdr.request != VU_SET_OWNER && hdr.request != VU_SET_PROTOCOL_FEATURES;

		if (hdr.request == VU_SET_DEVICE_STATE_FD && peer->use == USE_KEEP)
			kept = vl_fd_take(&received);
		vl_fd_close(&received);
		payload.u64 = answer(&hdr, ours);
		if (due && t_peer_request_fds(fd, hdr.request, 0x5, &payload, 8, peer->other, ours))
			break;
	}
	vl_fd_close(&kept);
	close(fd);
	return NULL;
}

static int meet(FIXTURE_DATA(frontend) * self, enum use use)
{
	const struct vu_frontend_wish wish = { .protocol = PROTOCOL };
	int ret;

	self->peer.use = use;
	ret = -pthread_create(&self->thread, NULL, serve, &self->peer);
	self->running = !ret;
	if (!ret)
		ret = vu_frontend_connect(&self->fe, self->path, SHORT_MS, &self->err);
	return ret ? ret : vu_frontend_open(self->fe, &wish, &self->err);
}

FIXTURE_SETUP(frontend)
{
	struct loop *probe;
	int ret;

	memset(self, 0, sizeof(*self));
	ret = loop_create(&probe, &self->err);
	if (ret == -EPERM || ret == -ENOSYS)
		SKIP(return, "%s", self->err.msg);
	ASSERT_EQ(0, ret);
	loop_destroy(probe);
	ASSERT_EQ(0, t_tmpdir_create(self->dir));
	snprintf(self->path, sizeof(self->path), "%s/s", self->dir);
	self->peer.other[0] = -1;
	self->peer.other[1] = -1;
	self->fds_before = t_fds_count(0);
	self->peer.listener = t_peer_listen(self->path);
	ASSERT_LE(0, self->peer.listener);
}

FIXTURE_TEARDOWN(frontend)
{
	if (!self->dir[0])
		return;
	vu_frontend_destroy(self->fe);
	if (self->running)
		pthread_join(self->thread, NULL);
	close(self->peer.listener);
	vl_fd_close(&self->peer.other[0]);
	vl_fd_close(&self->peer.other[1]);
	EXPECT_EQ(self->fds_before, t_fds_count(0));
	t_tmpdir_remove(self->dir);
}

TEST_F(frontend, a_back_end_that_reads_nothing_is_given_up)
{
	ASSERT_EQ(0, meet(self, USE_KEEP)) TH_LOG("%s", self->err.msg);
	EXPECT_EQ(-ETIMEDOUT,
		  vu_frontend_load_state(self->fe, self->state, STATE_BYTES, &self->err));
}

TEST_F(frontend, a_back_end_that_writes_nothing_is_given_up)
{
	ASSERT_EQ(0, meet(self, USE_KEEP)) TH_LOG("%s", self->err.msg);
	EXPECT_EQ(-ETIMEDOUT,
		  vu_frontend_save_state(self->fe, self->state, STATE_BYTES, &self->err));
}

TEST_F(frontend, a_back_end_that_closes_its_end_is_an_error)
{
	ASSERT_TRUE(sigpipe_would_kill());
	ASSERT_EQ(0, meet(self, USE_CLOSE)) TH_LOG("%s", self->err.msg);
	EXPECT_EQ(-EPIPE, vu_frontend_load_state(self->fe, self->state, 16, &self->err));
	EXPECT_TRUE(sigpipe_would_kill());
}

TEST_F(frontend, a_pipe_of_the_back_end_that_does_not_wait_is_waited_for)
{
	ASSERT_EQ(0, pipe2(self->peer.other, O_CLOEXEC | O_NONBLOCK));
	ASSERT_EQ(0, meet(self, USE_OTHER)) TH_LOG("%s", self->err.msg);
	EXPECT_EQ(-ETIMEDOUT, vu_frontend_save_state(self->fe, self->state, 16, &self->err));
}

TEST_F(frontend, a_file_is_no_pipe)
{
	self->peer.other[0] = open("/dev/zero", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->peer.other[0]);
	ASSERT_EQ(0, meet(self, USE_OTHER)) TH_LOG("%s", self->err.msg);
	EXPECT_EQ(-EPROTO, vu_frontend_save_state(self->fe, self->state, STATE_BYTES, &self->err));
}

TEST_HARNESS_MAIN
