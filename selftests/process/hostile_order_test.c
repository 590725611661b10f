// SPDX-License-Identifier: GPL-2.0-only
/*
 * A front-end that sends what it may, at the wrong time or twice: with requests in
 * flight, to rings that are stopped, with and without acknowledgements.
 */
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <vringlab/fd.h>

#include "kselftest_harness.h"
#include "t.h"
#include "t_fds.h"
#include "t_peer.h"
#include "t_served_set.h"

/* BACKEND_REQ, INFLIGHT_SHMFD, RESET_DEVICE, STATUS, DEVICE_STATE */
#define PROTOCOL (1ull << 5 | 1ull << 12 | 1ull << 13 | 1ull << 16 | 1ull << 19)

FIXTURE(order)
{
	struct t_served s;
	struct t_ring ring;
	struct t_ring other;
};

FIXTURE_SETUP(order)
{
	const struct t_served_config config = { .whole = true, .protocol = PROTOCOL };
	int ret;

	memset(self, 0, sizeof(*self));
	ASSERT_EQ(0, t_ring_create(&self->ring));
	ASSERT_EQ(0, t_ring_create_beside(&self->other, &self->ring));
	t_ring_guard(&self->ring);
	ret = t_served_start_with(&self->s, &config);
	if (ret == -EPERM || ret == -ENOSYS)
		SKIP(return, "io_uring is disabled: sysctl kernel.io_uring_disabled=0");
	ASSERT_EQ(0, ret);
	ASSERT_EQ(0, t_served_negotiate(&self->s));
	ASSERT_EQ(0, t_served_set_up(&self->s, &self->ring, 0));
	ASSERT_EQ(0, t_served_set_vring(&self->s, &self->other, 1));
	ASSERT_EQ(0, t_ring_echo(&self->ring, "before", 7, T_DEADLINE_MS));
}

FIXTURE_TEARDOWN(order)
{
	t_served_stop(&self->s);
	t_ring_destroy(&self->ring);
	t_ring_destroy(&self->other);
}

/* Has the device take one buffer of @ring and keep it. */
static int hold_one(struct t_served *s, struct t_ring *ring)
{
	const struct vring_buf bufs[] = { { T_RING_GPA + T_RING_OUT, 8 },
					  { T_RING_GPA + T_RING_IN, 8 } };
	int ret;

	memcpy(ring->mem + T_RING_OUT, "in fligh", 8);
	memset(ring->mem + T_RING_IN, 0, 8);
	atomic_store(&s->hold, true);
	ret = vring_drv_add(&ring->drv, bufs, 1, 1);
	if (ret >= 0)
		ret = t_ring_kick(ring);
	while (!ret && !atomic_load(&s->nr_held))
		ret = t_served_tell(s, VU_SET_OWNER, NULL, 0, NULL, 0);
	return ret;
}

/* Sends a request whose answer waits for the device, lets it, and takes the answer. */
static int ask_and_release(struct t_served *s, uint32_t request, uint32_t flags, uint32_t index,
			   uint32_t size, union vu_payload *reply)
{
	const struct vu_vring_state state = { index, 0 };
	struct vu_header hdr;
	int ret = t_peer_request(s->fd, request, flags, &state, size);

	if (ret)
		return ret;
	/* what must not come can only be waited for */
	ret = t_poll_until(s->fd, 50);
	if (ret != -ETIMEDOUT)
		return -EPROTO;
	t_served_release(s);
	return t_peer_reply(s->fd, &hdr, reply);
}

TEST_F(order, stopping_twice_tells_the_same)
{
	uint32_t base;

	for (int i = 0; i < 3; i++) {
		EXPECT_EQ(0, t_served_stop_vring(&self->s, 0, &base));
		EXPECT_EQ(1u, base);
	}
}

TEST_F(order, stopping_what_never_started_is_answered)
{
	uint32_t base = 7;

	EXPECT_EQ(0, t_served_stop_vring(&self->s, 1, &base));
	EXPECT_EQ(0u, base);
	EXPECT_EQ(0, t_ring_echo(&self->ring, "after", 6, T_DEADLINE_MS));
}

TEST_F(order, stopping_waits_for_what_is_in_flight)
{
	union vu_payload reply;
	uint32_t written;

	ASSERT_EQ(0, hold_one(&self->s, &self->ring));
	EXPECT_EQ(0, ask_and_release(&self->s, VU_GET_VRING_BASE, 0x1, 0, 8, &reply));
	EXPECT_EQ(2u, reply.state.num);
	/* written and given back before the answer */
	EXPECT_LE(0, vring_drv_get(&self->ring.drv, &written));
	EXPECT_EQ(0, memcmp(self->ring.mem + T_RING_IN, "in fligh", 8));
}

TEST_F(order, a_reset_waits_for_what_is_in_flight)
{
	union vu_payload reply;
	uint32_t written;

	ASSERT_EQ(0, hold_one(&self->s, &self->ring));
	EXPECT_EQ(0, ask_and_release(&self->s, VU_RESET_DEVICE, 0x9, 0, 0, &reply));
	EXPECT_EQ(0u, reply.u64);
	EXPECT_LE(0, vring_drv_get(&self->ring.drv, &written));
	/* twice, and by the status as well */
	EXPECT_EQ(0, t_served_tell(&self->s, VU_RESET_DEVICE, NULL, 0, NULL, 0));
	EXPECT_EQ(0, t_served_tell(&self->s, VU_SET_STATUS, "\0\0\0\0\0\0\0", 8, NULL, 0));
	t_ring_destroy(&self->other);
	ASSERT_EQ(0, t_ring_create_beside(&self->other, &self->ring));
	EXPECT_EQ(0, t_served_set_vring(&self->s, &self->other, 1));
	EXPECT_EQ(0, t_ring_echo(&self->other, "after", 6, T_DEADLINE_MS));
}

TEST_F(order, owners_come_and_go_with_requests_in_flight)
{
	uint32_t written;

	ASSERT_EQ(0, hold_one(&self->s, &self->ring));
	for (int i = 0; i < 3; i++) {
		EXPECT_EQ(0, t_served_tell(&self->s, VU_SET_OWNER, NULL, 0, NULL, 0));
		EXPECT_EQ(0, t_served_tell(&self->s, VU_RESET_OWNER, NULL, 0, NULL, 0));
	}
	t_served_release(&self->s);
	EXPECT_LE(0, t_ring_wait(&self->ring, &written, T_DEADLINE_MS));
	/* all rings are disabled by it */
	EXPECT_EQ(0, t_served_set_state(&self->s, VU_SET_VRING_ENABLE, 0, 1));
	EXPECT_EQ(0, t_ring_echo(&self->ring, "after", 6, T_DEADLINE_MS));
}

TEST_F(order, a_memory_table_waits_for_what_is_in_flight)
{
	const struct vu_mem_table mem = t_served_mem();
	union vu_payload reply;
	struct vu_header hdr;
	uint32_t written;

	ASSERT_EQ(0, hold_one(&self->s, &self->ring));
	ASSERT_EQ(0, t_peer_request_fds(self->s.fd, VU_SET_MEM_TABLE, 0x9, &mem, 40,
					&self->ring.memfd, 1));
	EXPECT_EQ(-ETIMEDOUT, t_poll_until(self->s.fd, 50));
	t_served_release(&self->s);
	ASSERT_EQ(0, t_peer_reply(self->s.fd, &hdr, &reply));
	EXPECT_EQ(0u, reply.u64);
	EXPECT_LE(0, t_ring_wait(&self->ring, &written, T_DEADLINE_MS));
	EXPECT_EQ(0, t_ring_echo(&self->ring, "after", 6, T_DEADLINE_MS));
}

TEST_F(order, leaving_with_requests_in_flight_keeps_memory_until_they_are_back)
{
	struct t_ring good;
	int maps = t_maps_count(0);

	ASSERT_EQ(0, t_ring_create(&good));
	ASSERT_EQ(0, t_served_spare(&self->s));
	ASSERT_EQ(0, hold_one(&self->s, &self->ring));
	ASSERT_EQ(0, shutdown(self->s.fd, SHUT_RDWR));
	t_served_release(&self->s);
	EXPECT_EQ(-ECONNRESET, t_served_next(&self->s));
	/* @good's mapping came, the back-end's went */
	EXPECT_EQ(maps, t_maps_count(0));
	EXPECT_EQ(0, t_served_set_up(&self->s, &good, 0));
	EXPECT_EQ(0, t_ring_echo(&good, "after", 6, T_DEADLINE_MS));
	t_ring_destroy(&good);
}

TEST_F(order, a_suspended_device_writes_nothing_and_says_nothing)
{
	const struct vring_buf bufs[] = { { T_RING_GPA + T_RING_OUT, 8 },
					  { T_RING_GPA + T_RING_IN, 8 } };
	uint8_t before[T_RING_RINGS], in[8];
	uint64_t calls;
	int fds[2];
	uint32_t base;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
	ASSERT_EQ(0, t_served_tell(&self->s, VU_SET_BACKEND_REQ_FD, NULL, 0, fds, 1));
	ASSERT_EQ(0, t_served_stop_vring(&self->s, 0, &base));
	ASSERT_EQ(0, t_served_stop_vring(&self->s, 1, &base));
	/* the call of what was done before it was suspended is out with the next answer */
	ASSERT_EQ(0, t_served_tell(&self->s, VU_SET_OWNER, NULL, 0, NULL, 0));
	EXPECT_TRUE(read(self->ring.call, &calls, sizeof(calls)) > 0 || errno == EAGAIN);
	ASSERT_LE(0, vring_drv_add(&self->ring.drv, bufs, 1, 1));
	memset(self->ring.mem + T_RING_IN, 0x77, 8);
	memcpy(before, self->ring.mem, sizeof(before));
	memcpy(in, self->ring.mem + T_RING_IN, 8);
	for (int i = 0; i < 100; i++)
		ASSERT_EQ(0, t_ring_kick(&self->ring));
	for (int i = 0; i < 3; i++)
		ASSERT_EQ(0, t_served_tell(&self->s, VU_SET_OWNER, NULL, 0, NULL, 0));
	EXPECT_EQ(0, memcmp(before, self->ring.mem, sizeof(before)));
	EXPECT_EQ(0, memcmp(in, self->ring.mem + T_RING_IN, 8));
	EXPECT_TRUE(t_ring_is_intact(&self->ring));
	EXPECT_EQ(-ETIMEDOUT, t_poll_until(self->ring.call, 0));
	EXPECT_EQ(-ETIMEDOUT, t_poll_until(fds[1], 0));
	close(fds[0]);
	close(fds[1]);
}

TEST_F(order, a_front_end_that_stalls_stops_no_virtqueue)
{
	const struct vu_header hdr = { VU_SET_MEM_TABLE, 0x9, 40 };

	ASSERT_EQ(0, t_served_spare(&self->s));
	ASSERT_EQ(0, t_peer_send(self->s.fd, &hdr, sizeof(hdr), NULL, 0));
	for (int i = 0; i < 100; i++)
		ASSERT_EQ(0, t_ring_echo(&self->ring, "stalled", 8, T_DEADLINE_MS));
	ASSERT_EQ(0, shutdown(self->s.fd, SHUT_RDWR));
	EXPECT_EQ(-ECONNABORTED, t_served_next(&self->s));
	EXPECT_NE(NULL, strstr(self->s.closed.msg, "inside SET_MEM_TABLE"));
}

/* --- NEED_REPLY on every message ---------------------------------------------------- */

FIXTURE(need_reply)
{
	struct t_served s;
	int efd;
};

FIXTURE_VARIANT(need_reply)
{
	bool negotiated;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(need_reply, negotiated) { .negotiated = true };
FIXTURE_VARIANT_ADD(need_reply, not_negotiated) { .negotiated = false };
/* clang-format on */

FIXTURE_SETUP(need_reply)
{
	const struct t_served_config config = { .whole = true };
	int ret;

	memset(self, 0, sizeof(*self));
	self->efd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ret = t_served_start_with(&self->s, &config);
	if (ret == -EPERM || ret == -ENOSYS)
		SKIP(return, "io_uring is disabled: sysctl kernel.io_uring_disabled=0");
	ASSERT_EQ(0, ret);
}

FIXTURE_TEARDOWN(need_reply)
{
	t_served_stop(&self->s);
	close(self->efd);
}

/* REPLY_ACK or not, with all else that is offered. */
static int negotiate(struct t_served *s, bool ack)
{
	union vu_payload protocol, features;
	int ret = t_served_ask(s, VU_GET_PROTOCOL_FEATURES, NULL, 0, &protocol);

	if (!ret)
		ret = t_served_ask(s, VU_GET_FEATURES, NULL, 0, &features);
	/* without REPLY_ACK there are no in-band notifications */
	if (!ack)
		protocol.u64 &= ~(1ull << 3 | 1ull << 14);
	if (!ret)
		ret = t_peer_request(s->fd, VU_SET_PROTOCOL_FEATURES, 0x1, &protocol.u64, 8);
	if (!ret)
		ret = t_peer_request(s->fd, VU_SET_FEATURES, 0x1, &features.u64, 8);
	return ret;
}

/* How many whole messages come before the reply to a GET_FEATURES, or a close. */
static int count_replies(struct t_served *s, uint32_t request)
{
	union vu_payload payload;
	struct vu_header hdr;
	int nr = 0;

	if (t_peer_request(s->fd, VU_GET_FEATURES, 0x1, NULL, 0))
		return -EPIPE;
	for (;;) {
		int ret = t_peer_reply(s->fd, &hdr, &payload);

		if (ret)
			return nr ? nr : -EPIPE;
		if (hdr.request == VU_GET_FEATURES && (request != VU_GET_FEATURES || nr))
			return nr;
		if (hdr.request != request || hdr.flags != 0x5)
			return -EPROTO;
		nr++;
	}
}

/* A message without anything in its payload: some are refused, some are not. */
TEST_F(need_reply, brings_one_reply_or_closes)
{
	static const uint8_t zeroes[4096];

	signal(SIGPIPE, SIG_IGN);
	for (uint32_t request = 1; request <= 45; request++) {
		const struct vu_msg_info *info = vu_msg_info(request);
		bool own = info->reply != VU_PAYLOAD_NONE;
		/* the one that gives them up has none */
		bool ack = variant->negotiated && request != VU_SET_PROTOCOL_FEATURES;
		int fds[VU_FDS_MAX];
		int nr;

		ASSERT_EQ(0, negotiate(&self->s, variant->negotiated));
		ASSERT_EQ(0, t_served_spare(&self->s));
		for (unsigned int i = 0; i < info->fds_min; i++)
			fds[i] = self->efd;
		ASSERT_EQ(0, t_peer_request_fds(self->s.fd, request, 0x9, zeroes,
						vu_payload_size_min(info->request), fds,
						info->fds_min));
		nr = count_replies(&self->s, request);
		/* what is refused and has no acknowledgement can only be told by a close */
		EXPECT_TRUE(nr == -EPIPE || nr == (own || ack))
		TH_LOG("%s: %d replies", info->name, nr);
		/* what has neither is no reason to close, if it is in order */
		if (!own && ack) {
			EXPECT_EQ(1, nr) TH_LOG("%s", info->name);
		}
		shutdown(self->s.fd, SHUT_WR);
		ASSERT_EQ(0, t_peer_closed(self->s.fd));
		vl_fd_close(&self->s.fd);
		self->s.fd = vl_fd_take(&self->s.spare_fd);
	}
}

TEST_HARNESS_MAIN
