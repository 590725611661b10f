// SPDX-License-Identifier: GPL-2.0-only
/*
 * A front-end that transfers device state as no front-end should: pipes that do not
 * end, state that is none, and what postcopy and other sequences are out of order.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <vringlab/fd.h>

#include "kselftest_harness.h"
#include "t.h"
#include "t_fds.h"
#include "t_peer.h"
#include "t_served_set.h"

#define SAVE 0u
#define LOAD 1u

FIXTURE(state)
{
	struct t_served s;
	struct t_ring ring;
	int to[2];
	int fds;
};

FIXTURE_SETUP(state)
{
	/* DEVICE_STATE */
	const struct t_served_config config = { .whole = true, .protocol = 1ull << 19 };
	int ret;

	memset(self, 0, sizeof(*self));
	ASSERT_EQ(0, t_ring_create(&self->ring));
	ASSERT_EQ(0, pipe2(self->to, O_CLOEXEC));
	ret = t_served_start_with(&self->s, &config);
	if (ret == -EPERM || ret == -ENOSYS)
		SKIP(return, "io_uring is disabled: sysctl kernel.io_uring_disabled=0");
	ASSERT_EQ(0, ret);
	ASSERT_EQ(0, t_served_negotiate(&self->s));
	self->fds = t_fds_count(0);
}

FIXTURE_TEARDOWN(state)
{
	t_served_stop(&self->s);
	vl_fd_close(&self->to[0]);
	vl_fd_close(&self->to[1]);
	t_ring_destroy(&self->ring);
}

static int transfer(struct t_served *s, uint32_t direction, int fd)
{
	const struct vu_device_state params = { .direction = direction };
	union vu_payload reply;
	struct vu_header hdr;
	int ret;

	ret = t_peer_request_fds(s->fd, VU_SET_DEVICE_STATE_FD, 0x1, &params, sizeof(params), &fd,
				 1);
	if (!ret)
		ret = t_peer_reply(s->fd, &hdr, &reply);
	if (ret)
		return ret;
	/* never without bit 8: no fd ever comes with it */
	return reply.u64 & 0x100 ? (int)(reply.u64 & 0xff) : -EPROTO;
}

static int check(struct t_served *s)
{
	union vu_payload reply;
	int ret = t_served_ask(s, VU_CHECK_DEVICE_STATE, NULL, 0, &reply);

	return ret ? ret : (int)reply.u64;
}

static int still_works(struct t_served *s, struct t_ring *ring)
{
	int ret = t_served_set_up(s, ring, 0);

	return ret ? ret : t_ring_echo(ring, "after", 6, T_DEADLINE_MS);
}

TEST_F(state, that_is_partial_is_refused_by_the_check)
{
	uint8_t bytes[T_SERVED_STATE_BYTES] = { 0 };

	ASSERT_EQ(0, transfer(&self->s, LOAD, self->to[0]));
	ASSERT_EQ(10, write(self->to[1], bytes, 10));
	vl_fd_close(&self->to[1]);
	EXPECT_EQ(EINVAL, check(&self->s));
	EXPECT_NE(NULL, strstr(self->s.refusal.msg, "CHECK_DEVICE_STATE: the transfer failed"));
	/* it was asked for */
	EXPECT_EQ(EPROTO, check(&self->s));
	EXPECT_EQ(0, still_works(&self->s, &self->ring));
}

TEST_F(state, of_nothing_is_refused_by_the_check)
{
	ASSERT_EQ(0, transfer(&self->s, LOAD, self->to[0]));
	vl_fd_close(&self->to[1]);
	EXPECT_EQ(EINVAL, check(&self->s));
	EXPECT_EQ(0, still_works(&self->s, &self->ring));
}

TEST_F(state, that_never_ends_is_too_large_and_bounded)
{
	uint8_t bytes[4096] = { 0 };
	size_t sent = 0;
	ssize_t n;

	signal(SIGPIPE, SIG_IGN);
	vl_fd_close(&self->to[1]);
	vl_fd_close(&self->to[0]);
	ASSERT_EQ(0, pipe2(self->to, O_CLOEXEC));
	ASSERT_EQ(0, transfer(&self->s, LOAD, self->to[0]));
	vl_fd_close(&self->to[0]);
	/* until the back-end has had enough, and closes it */
	while ((n = write(self->to[1], bytes, sizeof(bytes))) > 0)
		sent += n;
	EXPECT_EQ(EPIPE, errno);
	/* at most what a device's state can be, and what a pipe holds */
	EXPECT_GE((1u << 20) + (64u << 10) + sizeof(bytes), sent);
	EXPECT_EQ(EFBIG, check(&self->s));
	EXPECT_EQ(0, still_works(&self->s, &self->ring));
}

TEST_F(state, whose_pipe_stays_open_ends_with_the_connection)
{
	ASSERT_EQ(0, t_served_spare(&self->s));
	ASSERT_EQ(0, transfer(&self->s, LOAD, self->to[0]));
	/* waits for an end that does not come; the front-end can always leave */
	ASSERT_EQ(0, t_peer_request(self->s.fd, VU_CHECK_DEVICE_STATE, 0x1, NULL, 0));
	ASSERT_EQ(0, shutdown(self->s.fd, SHUT_WR));
	EXPECT_EQ(-ECONNRESET, t_served_next(&self->s));
	EXPECT_EQ(0, still_works(&self->s, &self->ring));
}

TEST_F(state, has_one_transfer_at_a_time)
{
	ASSERT_EQ(0, transfer(&self->s, LOAD, self->to[0]));
	EXPECT_EQ(EBUSY, transfer(&self->s, LOAD, self->to[0]));
	EXPECT_EQ(EBUSY, transfer(&self->s, SAVE, self->to[1]));
	EXPECT_NE(NULL, strstr(self->s.refusal.msg, "another transfer is under way"));
	vl_fd_close(&self->to[1]);
	EXPECT_EQ(EINVAL, check(&self->s));
}

TEST_F(state, saved_to_a_pipe_that_nobody_reads_is_an_error_and_no_signal)
{
	ASSERT_EQ(0, t_served_spare(&self->s));
	vl_fd_close(&self->to[0]);
	/* SIGPIPE would end the process */
	ASSERT_EQ(0, transfer(&self->s, SAVE, self->to[1]));
	EXPECT_EQ(EPIPE, check(&self->s));
	EXPECT_EQ(0, still_works(&self->s, &self->ring));
}

TEST_F(state, goes_through_pipes_and_sockets_only)
{
	int efd = eventfd(0, EFD_CLOEXEC);
	int file = memfd_create("file", MFD_CLOEXEC);
	int dir = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (uint32_t direction = SAVE; direction <= LOAD; direction++) {
		EXPECT_EQ(EINVAL, transfer(&self->s, direction, efd));
		EXPECT_EQ(EINVAL, transfer(&self->s, direction, file));
		EXPECT_EQ(EINVAL, transfer(&self->s, direction, dir));
		EXPECT_NE(NULL, strstr(self->s.refusal.msg, "neither pipe nor socket"));
	}
	EXPECT_EQ(EPROTO, check(&self->s));
	/* the wrong end */
	EXPECT_EQ(0, transfer(&self->s, LOAD, self->to[1]));
	EXPECT_EQ(EBADF, check(&self->s));
	EXPECT_EQ(0, transfer(&self->s, SAVE, self->to[0]));
	EXPECT_EQ(EBADF, check(&self->s));
	close(efd);
	close(file);
	close(dir);
	EXPECT_EQ(self->fds, t_fds_count(0));
	EXPECT_EQ(0, still_works(&self->s, &self->ring));
}

TEST_F(state, of_a_thousand_failed_transfers_leaves_no_fd)
{
	for (int i = 0; i < 1000; i++) {
		int fds[2];

		ASSERT_EQ(0, pipe2(fds, O_CLOEXEC));
		ASSERT_EQ(0, transfer(&self->s, LOAD, fds[0]));
		close(fds[0]);
		close(fds[1]);
		ASSERT_EQ(EINVAL, check(&self->s));
	}
	EXPECT_EQ(self->fds, t_fds_count(0));
}

FIXTURE(postcopy)
{
	struct t_served s;
	struct t_ring ring;
};

FIXTURE_SETUP(postcopy)
{
	/* PAGEFAULT */
	const struct t_served_config config = { .postcopy = true };
	union vu_payload offered;
	int ret;

	memset(self, 0, sizeof(*self));
	ASSERT_EQ(0, t_ring_create(&self->ring));
	ret = t_served_start_with(&self->s, &config);
	if (ret == -EPERM || ret == -ENOSYS)
		SKIP(return, "io_uring is disabled: sysctl kernel.io_uring_disabled=0");
	ASSERT_EQ(0, ret);
	ASSERT_EQ(0, t_served_ask(&self->s, VU_GET_PROTOCOL_FEATURES, NULL, 0, &offered));
	if (!(offered.u64 >> 8 & 1))
		SKIP(return, "no userfaultfd(2): run as root");
	self->s.config.protocol = 1ull << 8;
	ASSERT_EQ(0, t_served_negotiate(&self->s));
}

FIXTURE_TEARDOWN(postcopy)
{
	t_served_stop(&self->s);
	t_ring_destroy(&self->ring);
}

TEST_F(postcopy, begins_with_advise)
{
	union vu_payload reply;

	EXPECT_EQ(EPROTO, t_served_tell(&self->s, VU_POSTCOPY_LISTEN, NULL, 0, NULL, 0));
	EXPECT_NE(NULL, strstr(self->s.refusal.msg, "POSTCOPY_LISTEN: before POSTCOPY_ADVISE"));
	EXPECT_EQ(0, t_served_ask(&self->s, VU_POSTCOPY_END, NULL, 0, &reply));
	EXPECT_EQ(EPROTO, reply.u64);
	EXPECT_NE(NULL, strstr(self->s.refusal.msg, "POSTCOPY_END: before POSTCOPY_ADVISE"));
	EXPECT_EQ(0, still_works(&self->s, &self->ring));
}

TEST_HARNESS_MAIN
