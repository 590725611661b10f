// SPDX-License-Identifier: GPL-2.0-only
/*
 * Device state that is not what it should be, and transfers that do not end: refused,
 * with nothing changed, and without keeping anybody else waiting.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>

#include <vringlab/err.h>
#include <vringlab/fd.h>
#include <vringlab/virtio_device.h>

#include "kselftest_harness.h"
#include "t.h"
#include "t_backend.h"
#include "t_fds.h"
#include "t_guest.h"
#include "t_peer.h"
#include "t_ring.h"

#define BIT(n) (UINT64_C(1) << (n))
#define DISK_FEATURES (BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_BLK_F_FLUSH))
#define PROTOCOL \
	(BIT(VU_PROTOCOL_F_REPLY_ACK) | BIT(VU_PROTOCOL_F_CONFIG) | BIT(VU_PROTOCOL_F_DEVICE_STATE))

#define SAVE 0u
#define LOAD 1u

/* A disk, and a loopback device in the same process, on the same thread. */
FIXTURE(state)
{
	char dir[64];
	char path[96];
	char other_path[96];
	struct t_child backend;
	struct vu_frontend *fe;
	struct t_ring ring;
	struct vl_err err;
};

static int meet(FIXTURE_DATA(state) * self)
{
	const struct vu_frontend_region region = t_ring_region(&self->ring);
	const struct vu_frontend_wish wish = { .required = DISK_FEATURES, .protocol = PROTOCOL };
	int ret = vu_frontend_connect(&self->fe, self->path, T_DEADLINE_MS, &self->err);

	if (!ret)
		ret = vu_frontend_open(self->fe, &wish, &self->err);
	return ret ? ret : vu_frontend_set_mem_table(self->fe, &region, 1, &self->err);
}

FIXTURE_SETUP(state)
{
	const char *const devices[] = { "loopback",    "--socket", self->other_path,
					"blk",	       "--socket", self->path,
					"--null-size", "1M",	   NULL };

	memset(self, 0, sizeof(*self));
	self->backend = (struct t_child)T_CHILD_NONE;
	signal(SIGPIPE, SIG_IGN);
	ASSERT_EQ(0, t_ring_create(&self->ring));
	ASSERT_EQ(0, t_tmpdir_create(self->dir));
	snprintf(self->path, sizeof(self->path), "%s/blk", self->dir);
	snprintf(self->other_path, sizeof(self->other_path), "%s/loopback", self->dir);
	ASSERT_EQ(0, t_backend_start(&self->backend, devices));
	ASSERT_EQ(0, meet(self)) TH_LOG("%s", self->err.msg);
}

FIXTURE_TEARDOWN(state)
{
	vu_frontend_destroy(self->fe);
	t_child_kill(&self->backend);
	t_ring_destroy(&self->ring);
	t_tmpdir_remove(self->dir);
}

#define WCE offsetof(struct virtio_blk_config, wce)

static int writeback(FIXTURE_DATA(state) * self)
{
	uint8_t value;
	int ret = vu_frontend_get_config(self->fe, WCE, &value, 1, &self->err);

	return ret ? ret : value;
}

TEST_F(state, of_any_other_size_is_refused_and_changes_nothing)
{
	static const size_t sizes[] = {
		0, 1, 7, 9, 16, 4096, VDEV_STATE_MAX, VDEV_STATE_MAX + 1, 3u << 20
	};
	uint8_t *state = calloc(1, 3u << 20);
	const uint8_t off = 0;

	ASSERT_NE(NULL, state);
	ASSERT_EQ(8, vu_frontend_save_state(self->fe, state, 64, &self->err));
	ASSERT_EQ(0, vu_frontend_set_config(self->fe, WCE, &off, 1, false, &self->err));
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		EXPECT_EQ(-EIO, vu_frontend_load_state(self->fe, state, sizes[i], &self->err))
		TH_LOG("%zu bytes: %s", sizes[i], self->err.msg);
		EXPECT_EQ(0, writeback(self));
	}
	EXPECT_EQ(0, vu_frontend_load_state(self->fe, state, 8, &self->err));
	EXPECT_EQ(1, writeback(self));
	free(state);
}

TEST_F(state, with_a_flipped_bit_is_refused_and_changes_nothing)
{
	uint8_t state[8];
	const uint8_t off = 0;

	ASSERT_EQ(8, vu_frontend_save_state(self->fe, state, sizeof(state), &self->err));
	ASSERT_EQ(0, vu_frontend_set_config(self->fe, WCE, &off, 1, false, &self->err));
	for (unsigned int bit = 0; bit < 64; bit++) {
		/* what there is to be told */
		if (bit == 32)
			continue;
		state[bit / 8] ^= 1u << bit % 8;
		EXPECT_EQ(-EIO, vu_frontend_load_state(self->fe, state, 8, &self->err))
		TH_LOG("bit %u", bit);
		EXPECT_EQ(0, writeback(self));
		state[bit / 8] ^= 1u << bit % 8;
	}
}

static int send_request(FIXTURE_DATA(state) * self, uint32_t direction, uint32_t phase, int fd)
{
	const struct vu_device_state params = { direction, phase };

	return t_peer_request_fds(vu_frontend_fd(self->fe), VU_SET_DEVICE_STATE_FD, 0x1, &params,
				  sizeof(params), &fd, 1);
}

/* Returns the number in the next reply, or a negative errno. */
static int64_t take_number(FIXTURE_DATA(state) * self, uint32_t request)
{
	union vu_payload payload;
	struct vu_header hdr;
	int ret = t_peer_reply(vu_frontend_fd(self->fe), &hdr, &payload);

	if (ret)
		return ret;
	return hdr.request == request && hdr.flags == 0x5 && hdr.size == 8 ? (int64_t)payload.u64 :
									     -EPROTO;
}

static int64_t begin(FIXTURE_DATA(state) * self, uint32_t direction, int fd)
{
	int ret = send_request(self, direction, 0, fd);

	return ret ? ret : take_number(self, VU_SET_DEVICE_STATE_FD);
}

static int ask_for_result(FIXTURE_DATA(state) * self)
{
	return t_peer_request(vu_frontend_fd(self->fe), VU_CHECK_DEVICE_STATE, 0x1, NULL, 0);
}

static bool is_refusal(int64_t number)
{
	/* an error and no fd: never both an error and a channel of its own */
	return number > 0 && number & 0xff && number & 0x100;
}

TEST_F(state, is_not_taken_where_it_cannot_be)
{
	struct vu_frontend_vring vring = t_ring_vring(&self->ring, 0);
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	/* neither pipe nor socket */
	EXPECT_TRUE(is_refusal(begin(self, LOAD, self->ring.memfd)));
	EXPECT_TRUE(is_refusal(begin(self, 2, fds[0])));
	ASSERT_EQ(0, send_request(self, LOAD, 1, fds[0]));
	EXPECT_TRUE(is_refusal(take_number(self, VU_SET_DEVICE_STATE_FD)));
	/* there was no transfer */
	ASSERT_EQ(0, ask_for_result(self));
	EXPECT_LT(0, take_number(self, VU_CHECK_DEVICE_STATE));
	/* one at a time */
	EXPECT_EQ(0x100, begin(self, LOAD, fds[0]));
	EXPECT_TRUE(is_refusal(begin(self, LOAD, fds[0])));
	close(fds[1]);
	ASSERT_EQ(0, ask_for_result(self));
	EXPECT_LT(0, take_number(self, VU_CHECK_DEVICE_STATE));
	/* a ring is running */
	ASSERT_EQ(0, vu_frontend_start_vring(self->fe, &vring, &self->err));
	EXPECT_TRUE(is_refusal(begin(self, LOAD, fds[0])));
	close(fds[0]);
	EXPECT_EQ(1, writeback(self));
}

static int echo_at(const char *path)
{
	struct vu_frontend_vring vring;
	struct vu_frontend_region region;
	struct vu_frontend *fe = NULL;
	struct t_ring ring;
	int ret = t_ring_create(&ring);

	region = t_ring_region(&ring);
	vring = t_ring_vring(&ring, 0);
	if (!ret)
		ret = vu_frontend_connect(&fe, path, T_DEADLINE_MS, NULL);
	if (!ret)
		ret = vu_frontend_negotiate(fe, BIT(VIRTIO_F_VERSION_1), NULL);
	if (!ret)
		ret = vu_frontend_set_mem_table(fe, &region, 1, NULL);
	if (!ret)
		ret = vu_frontend_start_vring(fe, &vring, NULL);
	if (!ret)
		ret = t_ring_echo(&ring, "state", 5, T_DEADLINE_MS);
	vu_frontend_destroy(fe);
	t_ring_destroy(&ring);
	return ret;
}

TEST_F(state, that_does_not_end_keeps_nobody_else_waiting)
{
	uint8_t state[8];
	int fds[2];

	ASSERT_EQ(8, vu_frontend_save_state(self->fe, state, sizeof(state), &self->err));
	ASSERT_EQ(0, pipe(fds));
	ASSERT_EQ(0x100, begin(self, LOAD, fds[0]));
	close(fds[0]);
	ASSERT_EQ(5, write(fds[1], state, 5));
	/* the same front-end, in other things, and another one */
	EXPECT_EQ(1, writeback(self));
	ASSERT_EQ(0, ask_for_result(self));
	EXPECT_EQ(0, echo_at(self->other_path));
	EXPECT_EQ(-ETIMEDOUT, t_poll_until(vu_frontend_fd(self->fe), 0));
	ASSERT_EQ(3, write(fds[1], state + 5, 3));
	EXPECT_EQ(0, echo_at(self->other_path));
	EXPECT_EQ(-ETIMEDOUT, t_poll_until(vu_frontend_fd(self->fe), 0));
	close(fds[1]);
	EXPECT_EQ(0, take_number(self, VU_CHECK_DEVICE_STATE));
}

TEST_F(state, goes_through_a_socket_as_well)
{
	uint8_t state[64];
	int pair[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	ASSERT_EQ(0x100, begin(self, SAVE, pair[0]));
	close(pair[0]);
	EXPECT_EQ(0, t_read_until(pair[1], state, 8, T_DEADLINE_MS));
	EXPECT_EQ(-EPIPE, t_read_until(pair[1], state + 8, 1, T_DEADLINE_MS));
	close(pair[1]);
	ASSERT_EQ(0, ask_for_result(self));
	EXPECT_EQ(0, take_number(self, VU_CHECK_DEVICE_STATE));
}

TEST_F(state, whose_reader_is_gone_is_told)
{
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	close(fds[0]);
	ASSERT_EQ(0x100, begin(self, SAVE, fds[1]));
	close(fds[1]);
	ASSERT_EQ(0, ask_for_result(self));
	EXPECT_LT(0, take_number(self, VU_CHECK_DEVICE_STATE));
	EXPECT_EQ(1, writeback(self));
}

TEST_F(state, is_forgotten_with_the_front_end)
{
	int before = t_fds_count(self->backend.pid);
	int fds[2];

	for (int i = 0; i < 20; i++) {
		ASSERT_EQ(0, pipe(fds));
		ASSERT_EQ(0x100, begin(self, LOAD, fds[0]));
		close(fds[0]);
		if (i % 2)
			ASSERT_EQ(0, ask_for_result(self));
		vu_frontend_destroy(self->fe);
		self->fe = NULL;
		ASSERT_EQ(0, meet(self)) TH_LOG("%s", self->err.msg);
		close(fds[1]);
		EXPECT_EQ(1, writeback(self));
	}
	EXPECT_EQ(before, t_fds_count(self->backend.pid));
}

TEST_HARNESS_MAIN
