// SPDX-License-Identifier: GPL-2.0-only
/*
 * A front-end whose fds are of the wrong kind, too many, or as hostile as an eventfd
 * can be: the loop neither blocks nor spins, and no fd stays.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <vringlab/fd.h>
#include <vringlab/loop_rw.h>

#include "kselftest_harness.h"
#include "t.h"
#include "t_fds.h"
#include "t_peer.h"
#include "t_served_set.h"

/* LOG_SHMFD, BACKEND_REQ, INFLIGHT_SHMFD, RESET_DEVICE, CONFIGURE_MEM_SLOTS */
#define PROTOCOL (1ull << 1 | 1ull << 5 | 1ull << 12 | 1ull << 13 | 1ull << 15)

#define MANY 10000

FIXTURE(fds)
{
	struct t_served s;
	struct t_ring ring;
	struct t_ring other;
	int before;
};

FIXTURE_SETUP(fds)
{
	const struct t_served_config config = { .protocol = PROTOCOL };
	int ret;

	memset(self, 0, sizeof(*self));
	ASSERT_EQ(0, t_ring_create(&self->ring));
	ASSERT_EQ(0, t_ring_create_beside(&self->other, &self->ring));
	ret = t_served_start_with(&self->s, &config);
	if (ret == -EPERM || ret == -ENOSYS)
		SKIP(return, "io_uring is disabled: sysctl kernel.io_uring_disabled=0");
	ASSERT_EQ(0, ret);
	ASSERT_EQ(0, t_served_negotiate(&self->s));
	ASSERT_EQ(0, t_served_set_up(&self->s, &self->other, 1));
	ASSERT_EQ(0, t_ring_echo(&self->other, "before", 7, T_DEADLINE_MS));
	self->before = t_fds_count(0);
}

FIXTURE_TEARDOWN(fds)
{
	t_served_stop(&self->s);
	t_ring_destroy(&self->ring);
	t_ring_destroy(&self->other);
}

/* --- kinds --------------------------------------------------------------------- */

/* One of each; those that are pipes or sockets have lost their other end, or not. */
enum kind {
	KIND_FILE,
	KIND_DIRECTORY,
	KIND_PIPE_READ,
	KIND_PIPE_READ_CLOSED,
	KIND_PIPE_WRITE,
	KIND_PIPE_WRITE_CLOSED,
	KIND_SOCKET,
	KIND_SOCKET_CLOSED,
	KIND_LISTENER,
	KIND_NULL,
	NR_KINDS,
};

static int open_end(enum kind kind)
{
	bool is_pipe = kind <= KIND_PIPE_WRITE_CLOSED;
	bool closed = kind == KIND_PIPE_READ_CLOSED || kind == KIND_PIPE_WRITE_CLOSED ||
		      kind == KIND_SOCKET_CLOSED;
	int which = kind == KIND_PIPE_WRITE || kind == KIND_PIPE_WRITE_CLOSED;
	static int other_end = -1;
	int fds[2];

	vl_fd_close(&other_end);
	if (is_pipe ? pipe(fds) : socketpair(AF_UNIX, SOCK_STREAM, 0, fds))
		return -errno;
	/* kept until the next, for one whose other end is there */
	other_end = fds[!which];
	if (closed)
		vl_fd_close(&other_end);
	return fds[which];
}

static int open_kind(enum kind kind)
{
	int fd;

	switch (kind) {
	case KIND_FILE:
		return memfd_create("file", MFD_CLOEXEC);
	case KIND_DIRECTORY:
		return open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	case KIND_NULL:
		return open("/dev/null", O_RDWR | O_CLOEXEC);
	case KIND_LISTENER:
		fd = socket(AF_UNIX, SOCK_STREAM, 0);
		return fd;
	default:
		return open_end(kind);
	}
}

TEST_F(fds, of_other_kinds_are_refused_as_eventfds)
{
	static const uint32_t requests[] = { VU_SET_VRING_KICK, VU_SET_VRING_CALL, VU_SET_VRING_ERR,
					     VU_SET_LOG_FD };
	const uint64_t index = 0;

	for (int kind = 0; kind < NR_KINDS; kind++) {
		for (int i = 0; i < 4; i++) {
			int fd = open_kind(kind);
			uint32_t size = requests[i] == VU_SET_LOG_FD ? 0 : 8;

			ASSERT_LE(0, fd);
			EXPECT_EQ(EINVAL,
				  t_served_tell(&self->s, requests[i], &index, size, &fd, 1))
			TH_LOG("kind %d, request %u", kind, requests[i]);
			EXPECT_NE(NULL, strstr(self->s.refusal.msg, "its fd is no eventfd"))
			TH_LOG("kind %d: %s", kind, self->s.refusal.msg);
			close(fd);
		}
	}
	EXPECT_EQ(0, t_served_set_vring(&self->s, &self->ring, 0));
	EXPECT_EQ(0, t_ring_echo(&self->ring, "after", 6, T_DEADLINE_MS));
}

TEST_F(fds, of_other_kinds_are_refused_as_memory_log_and_inflight_region)
{
	const struct vu_mem_reg reg = { .region = { 1ull << 40, 4096, 1ull << 40, 0 } };
	const struct vu_inflight inflight = {
		.mmap_size = 1 << 20,
		.num_queues = 1,
		.queue_size = T_RING_NUM,
	};
	uint32_t base;

	/* an inflight region is for rings that are stopped */
	ASSERT_EQ(0, t_served_stop_vring(&self->s, 1, &base));
	for (int kind = KIND_DIRECTORY; kind < NR_KINDS; kind++) {
		int fd = open_kind(kind);

		ASSERT_LE(0, fd);
		EXPECT_EQ(EINVAL,
			  t_served_tell(&self->s, VU_ADD_MEM_REG, &reg, sizeof(reg), &fd, 1))
		TH_LOG("kind %d", kind);
		EXPECT_EQ(EINVAL, t_served_tell(&self->s, VU_SET_INFLIGHT_FD, &inflight,
						sizeof(inflight), &fd, 1))
		TH_LOG("kind %d", kind);
		EXPECT_NE(NULL,
			  strstr(self->s.refusal.msg, "SET_INFLIGHT_FD: its fd is no regular"))
		TH_LOG("kind %d: %s", kind, self->s.refusal.msg);
		close(fd);
	}
}

TEST_F(fds, that_are_sockets_of_other_kinds_make_no_channel)
{
	int fds[2], udp = socket(AF_INET, SOCK_DGRAM, 0);

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_DGRAM, 0, fds));
	EXPECT_EQ(EINVAL, t_served_tell(&self->s, VU_SET_BACKEND_REQ_FD, NULL, 0, fds, 1));
	if (udp >= 0) {
		EXPECT_EQ(EINVAL, t_served_tell(&self->s, VU_SET_BACKEND_REQ_FD, NULL, 0, &udp, 1));
		close(udp);
	}
	close(fds[0]);
	close(fds[1]);
	/* one that nobody is connected to fails when it is used, and only itself */
	fds[0] = open_kind(KIND_LISTENER);
	EXPECT_EQ(0, t_served_tell(&self->s, VU_SET_BACKEND_REQ_FD, NULL, 0, fds, 1));
	close(fds[0]);
	EXPECT_EQ(0, t_ring_echo(&self->other, "after", 6, T_DEADLINE_MS));
}

/* --- how many ------------------------------------------------------------------- */

TEST_F(fds, on_ten_thousand_messages_that_take_none_all_close)
{
	const int eight[8] = { self->ring.kick, self->ring.kick, self->ring.kick, self->ring.kick,
			       self->ring.call, self->ring.call, self->ring.call, self->ring.call };

	for (int i = 0; i < MANY; i++) {
		ASSERT_EQ(0, t_served_spare(&self->s));
		ASSERT_EQ(0, t_peer_request_fds(self->s.fd, VU_GET_FEATURES, 0x1, NULL, 0, eight,
						i % 8 + 1));
		ASSERT_EQ(-E2BIG, t_served_next(&self->s));
	}
	/* without kick and call of the virtqueue */
	EXPECT_EQ(self->before - 2, t_fds_count(0));
}

TEST_F(fds, on_ten_thousand_refused_messages_all_close)
{
	const uint64_t nofd = 0x100;

	for (int i = 0; i < MANY; i++)
		ASSERT_EQ(EINVAL, t_served_tell(&self->s, VU_SET_VRING_KICK, &nofd, 8,
						&self->ring.kick, 1));
	EXPECT_EQ(self->before, t_fds_count(0));
	EXPECT_EQ(0, t_ring_echo(&self->other, "after", 6, T_DEADLINE_MS));
}

/* Takes the reply and its fd, which is closed. Returns how many fds came. */
static int take_with_fd(int socket)
{
	uint8_t reply[sizeof(struct vu_header) + sizeof(struct vu_inflight)];
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { reply, sizeof(reply) };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control.bytes,
			      .msg_controllen = sizeof(control.bytes) };
	struct cmsghdr *cmsg;
	int fd;

	if (recvmsg(socket, &msg, MSG_WAITALL | MSG_CMSG_CLOEXEC) != sizeof(reply))
		return -EPROTO;
	cmsg = CMSG_FIRSTHDR(&msg);
	if (!cmsg)
		return 0;
	memcpy(&fd, CMSG_DATA(cmsg), sizeof(fd));
	close(fd);
	return 1;
}

TEST_F(fds, of_ten_thousand_inflight_regions_none_is_kept)
{
	const struct vu_inflight desc = { .num_queues = T_SERVED_QUEUES, .queue_size = 32768 };
	int maps = t_maps_count(0);

	for (int i = 0; i < MANY; i++) {
		ASSERT_EQ(0,
			  t_peer_request(self->s.fd, VU_GET_INFLIGHT_FD, 0x1, &desc, sizeof(desc)));
		ASSERT_EQ(1, take_with_fd(self->s.fd));
	}
	EXPECT_EQ(0, t_ring_echo(&self->other, "after", 6, T_DEADLINE_MS));
	EXPECT_EQ(self->before, t_fds_count(0));
	EXPECT_EQ(maps, t_maps_count(0));
}

TEST_F(fds, of_a_thousand_channels_one_is_kept)
{
	int fds[2];

	for (int i = 0; i < 1000; i++) {
		ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
		ASSERT_EQ(0, t_served_tell(&self->s, VU_SET_BACKEND_REQ_FD, NULL, 0, fds, 1));
		close(fds[0]);
		if (i < 999)
			close(fds[1]);
	}
	EXPECT_EQ(0, t_ring_echo(&self->other, "after", 6, T_DEADLINE_MS));
	EXPECT_EQ(self->before + 2, t_fds_count(0));
	close(fds[1]);
}

/* --- eventfds -------------------------------------------------------------------- */

/* Whatever the back-end writes then, the counter has no room for it. */
static void fill(int efd)
{
	const uint64_t max = UINT64_MAX - 1;

	if (write(efd, &max, sizeof(max)) < 0)
		perror("eventfd");
}

static int wait_used(struct t_ring *ring)
{
	uint64_t deadline_ns = loop_now_ns() + T_DEADLINE_MS * 1000000ull;
	uint32_t written;
	int ret;

	while ((ret = vring_drv_get(&ring->drv, &written)) == -EAGAIN)
		if (loop_now_ns() > deadline_ns)
			return -ETIMEDOUT;
	return ret < 0 ? ret : 0;
}

static int make_available(struct t_ring *ring)
{
	const struct vring_buf bufs[] = { { T_RING_GPA + T_RING_OUT, 8 },
					  { T_RING_GPA + T_RING_IN, 8 } };
	int ret = vring_drv_add(&ring->drv, bufs, 1, 1);

	return ret < 0 ? ret : t_ring_kick(ring);
}

TEST_F(fds, that_are_full_calls_block_nobody)
{
	for (int nonblock = 0; nonblock < 2; nonblock++) {
		int call = eventfd(0, EFD_CLOEXEC | (nonblock ? EFD_NONBLOCK : 0));
		uint32_t base;

		fill(call);
		ASSERT_EQ(0, t_served_set_vring(&self->s, &self->ring, 0));
		ASSERT_EQ(0, t_served_set_fd(&self->s, VU_SET_VRING_CALL, 0, call));
		for (int i = 0; i < 100; i++) {
			ASSERT_EQ(0, make_available(&self->ring));
			ASSERT_EQ(0, wait_used(&self->ring));
			ASSERT_EQ(0, t_ring_echo(&self->other, "other", 6, T_DEADLINE_MS));
		}
		ASSERT_EQ(0, t_served_stop_vring(&self->s, 0, &base));
		ASSERT_EQ(100u, base);
		close(call);
		t_ring_destroy(&self->ring);
		ASSERT_EQ(0, t_ring_create(&self->ring));
		t_ring_destroy(&self->other);
		ASSERT_EQ(0, t_ring_create_beside(&self->other, &self->ring));
		ASSERT_EQ(0, t_served_stop_vring(&self->s, 1, &base));
		ASSERT_EQ(0, t_served_set_up(&self->s, &self->other, 1));
	}
}

TEST_F(fds, that_are_full_errs_block_nobody)
{
	int err = eventfd(0, EFD_CLOEXEC);
	uint32_t base;

	fill(err);
	ASSERT_EQ(0, t_served_set_vring(&self->s, &self->ring, 0));
	ASSERT_EQ(0, t_served_set_fd(&self->s, VU_SET_VRING_ERR, 0, err));
	for (int i = 0; i < 10; i++) {
		self->ring.drv.config.ring.avail->idx += T_RING_NUM + 1;
		ASSERT_EQ(0, t_ring_kick(&self->ring));
		ASSERT_EQ(0, t_ring_echo(&self->other, "other", 6, T_DEADLINE_MS));
		ASSERT_EQ(0, t_served_stop_vring(&self->s, 0, &base));
		ASSERT_EQ(0, t_served_set_fd(&self->s, VU_SET_VRING_KICK, 0, self->ring.kick));
	}
	close(err);
}

/* How often the back-end's loop wakes up while nothing happens, in a tenth of a second. */
static uint64_t wake_ups(const struct t_served *s)
{
	uint64_t before = loop_round(s->loop);

	/* a wait whose end is its deadline */
	poll(NULL, 0, 100);
	return loop_round(s->loop) - before;
}

TEST_F(fds, that_are_kicked_and_never_read_keep_no_loop_busy)
{
	ASSERT_EQ(0, t_served_set_fd(&self->s, VU_SET_VRING_KICK, 0, self->ring.kick));
	ASSERT_EQ(0, t_ring_kick(&self->ring));
	ASSERT_EQ(0, t_ring_kick(&self->other));
	ASSERT_EQ(0, t_served_tell(&self->s, VU_SET_OWNER, NULL, 0, NULL, 0));
	EXPECT_GT(10u, wake_ups(&self->s));
}

/* A ring without a kick is looked for by a timer: as seldom as one that is idle. */
TEST_F(fds, that_are_not_there_keep_no_loop_busy)
{
	uint64_t idle;
	uint32_t base;

	ASSERT_EQ(0, t_served_set_vring(&self->s, &self->ring, 0));
	ASSERT_EQ(0, t_served_set_fd(&self->s, VU_SET_VRING_KICK, 0x100, -1));
	ASSERT_EQ(0, t_ring_echo(&self->ring, "before", 7, T_DEADLINE_MS));
	idle = wake_ups(&self->s);
	/* disabled, and not empty */
	ASSERT_EQ(0, t_served_set_state(&self->s, VU_SET_VRING_ENABLE, 0, 0));
	ASSERT_EQ(0, make_available(&self->ring));
	EXPECT_GT(3 * idle, wake_ups(&self->s));
	ASSERT_EQ(0, t_served_set_state(&self->s, VU_SET_VRING_ENABLE, 0, 1));
	EXPECT_EQ(0, wait_used(&self->ring));
	/* with nothing else set */
	ASSERT_EQ(0, t_served_stop_vring(&self->s, 0, &base));
	ASSERT_EQ(0, t_served_tell(&self->s, VU_RESET_DEVICE, NULL, 0, NULL, 0));
	ASSERT_EQ(0, t_served_set_fd(&self->s, VU_SET_VRING_KICK, 0x100, -1));
	EXPECT_GT(3 * idle, wake_ups(&self->s));
}

/* A hundred thousand kicks; each is one wake-up at most. */
static void storm(const struct t_ring *ring)
{
	for (int i = 0; i < 100000; i++)
		t_ring_kick(ring);
}

TEST_F(fds, that_storm_on_a_ring_that_is_not_served_are_ignored)
{
	uint32_t base;

	/* not configured */
	ASSERT_EQ(0, t_served_set_fd(&self->s, VU_SET_VRING_KICK, 0, self->ring.kick));
	storm(&self->ring);
	EXPECT_EQ(0, t_ring_echo(&self->other, "one", 4, T_DEADLINE_MS));
	/* disabled */
	ASSERT_EQ(0, t_served_set_vring(&self->s, &self->ring, 0));
	ASSERT_EQ(0, t_served_set_state(&self->s, VU_SET_VRING_ENABLE, 0, 0));
	storm(&self->ring);
	EXPECT_EQ(0, t_ring_echo(&self->other, "two", 4, T_DEADLINE_MS));
	/* stopped */
	ASSERT_EQ(0, t_served_stop_vring(&self->s, 0, &base));
	storm(&self->ring);
	EXPECT_EQ(0, t_ring_echo(&self->other, "three", 6, T_DEADLINE_MS));
	EXPECT_EQ(0u, base);
	ASSERT_EQ(0, t_served_set_vring(&self->s, &self->ring, 0));
	EXPECT_EQ(0, t_ring_echo(&self->ring, "after", 6, T_DEADLINE_MS));
}

TEST_HARNESS_MAIN
