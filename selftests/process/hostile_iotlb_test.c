// SPDX-License-Identifier: GPL-2.0-only
/*
 * A front-end whose translations are wrong, do not come, or are taken away: the
 * back-end asks once, reaches nothing beyond the memory table, and goes on.
 */
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "t.h"
#include "t_fds.h"
#include "t_peer.h"
#include "t_served_set.h"

#define MISS 1
#define UPDATE 2
#define INVALIDATE 3
#define ACCESS_FAIL 4
#define READ_WRITE 3

#define UVA T_RING_UVA
#define BYTES T_RING_MEM_BYTES

FIXTURE(iotlb)
{
	struct t_served s;
	struct t_ring ring;
	int channel;
};

static int tell(struct t_served *s, uint64_t iova, uint64_t size, uint64_t uva, uint8_t type)
{
	const struct vu_iotlb iotlb = {
		.iova = iova,
		.size = size,
		.user_addr = uva,
		.perm = READ_WRITE,
		.type = type,
	};
	union vu_payload reply;
	int ret = t_served_ask(s, VU_IOTLB_MSG, &iotlb, sizeof(iotlb), &reply);

	return ret ? ret : (int)reply.u64;
}

/* Rings are at user addresses, buffers at guest addresses: both are the IOVA's. */
static int map_all(struct t_served *s)
{
	int ret = tell(s, UVA, BYTES, UVA, UPDATE);

	return ret ? ret : tell(s, T_RING_GPA, BYTES, UVA, UPDATE);
}

/* The next message of the back-end: a miss. */
static int take_miss(int channel, struct vu_iotlb *iotlb)
{
	union vu_payload payload;
	struct vu_header hdr;
	int ret = t_peer_reply(channel, &hdr, &payload);

	if (ret)
		return ret;
	*iotlb = payload.iotlb;
	return hdr.request == VU_CHANNEL_IOTLB_MSG && iotlb->type == MISS ? 0 : -EPROTO;
}

FIXTURE_SETUP(iotlb)
{
	/* BACKEND_REQ and CONFIGURE_MEM_SLOTS, VIRTIO_F_ACCESS_PLATFORM */
	const struct t_served_config config = {
		.protocol = 1ull << 5 | 1ull << 15,
		.features = 1ull << 33,
	};
	int fds[2], ret;

	memset(self, 0, sizeof(*self));
	ASSERT_EQ(0, t_ring_create(&self->ring));
	t_ring_guard(&self->ring);
	ret = t_served_start_with(&self->s, &config);
	if (ret == -EPERM || ret == -ENOSYS)
		SKIP(return, "io_uring is disabled: sysctl kernel.io_uring_disabled=0");
	ASSERT_EQ(0, ret);
	ASSERT_EQ(0, t_served_negotiate(&self->s));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
	ASSERT_EQ(0, t_served_tell(&self->s, VU_SET_BACKEND_REQ_FD, NULL, 0, fds, 1));
	close(fds[0]);
	self->channel = fds[1];
	ASSERT_EQ(0, t_served_set_up(&self->s, &self->ring, 0));
}

FIXTURE_TEARDOWN(iotlb)
{
	t_served_stop(&self->s);
	close(self->channel);
	t_ring_destroy(&self->ring);
}

TEST_F(iotlb, refuses_what_is_no_translation)
{
	ASSERT_EQ(0, map_all(&self->s));
	EXPECT_EQ(EINVAL, tell(&self->s, 0, 0, UVA, UPDATE));
	EXPECT_EQ(EINVAL, tell(&self->s, 0, 4096, 0x1000, UPDATE));
	EXPECT_NE(NULL, strstr(self->s.refusal.msg, "IOTLB_MSG: 0x1000 bytes at user 0x1000"));
	EXPECT_EQ(EINVAL, tell(&self->s, 0, BYTES + 1, UVA, UPDATE));
	EXPECT_EQ(EINVAL, tell(&self->s, 0, 4096, UVA - 1, UPDATE));
	EXPECT_EQ(EINVAL, tell(&self->s, 0, UINT64_MAX, UVA, UPDATE));
	EXPECT_EQ(EINVAL, tell(&self->s, UINT64_MAX - 4, 4096, UVA, UPDATE));
	EXPECT_EQ(EINVAL, tell(&self->s, 0, 4096, UVA, 0));
	EXPECT_EQ(EINVAL, tell(&self->s, 0, 4096, UVA, MISS));
	EXPECT_EQ(EINVAL, tell(&self->s, 0, 4096, UVA, ACCESS_FAIL));
	EXPECT_EQ(EINVAL, tell(&self->s, 0, 4096, UVA, 255));
	EXPECT_NE(NULL, strstr(self->s.refusal.msg, "type 255"));
	EXPECT_EQ(EINVAL, tell(&self->s, UINT64_MAX - 4, 4096, 0, INVALIDATE));
	EXPECT_EQ(0, t_ring_echo(&self->ring, "after", 6, T_DEADLINE_MS));
	EXPECT_TRUE(t_ring_is_intact(&self->ring));
}

TEST_F(iotlb, replaces_what_overlaps)
{
	ASSERT_EQ(0, map_all(&self->s));
	for (int i = 0; i < 100; i++) {
		ASSERT_EQ(0, tell(&self->s, T_RING_GPA + i * 500, BYTES - i * 500, UVA + i * 500,
				  UPDATE));
		ASSERT_EQ(0, t_ring_echo(&self->ring, "after", 6, T_DEADLINE_MS));
	}
}

TEST_F(iotlb, of_twenty_thousand_translations_keeps_few)
{
	/* they push each other out, and what is missing then is asked for */
	for (uint64_t i = 0; i < 20000; i++)
		ASSERT_EQ(0, tell(&self->s, i << 32, 1, UVA + i % BYTES, UPDATE));
	ASSERT_EQ(0, map_all(&self->s));
	EXPECT_EQ(0, t_ring_echo(&self->ring, "after", 6, T_DEADLINE_MS));
}

/* The ring's new translation is in another region, which it was never told to look for. */
TEST_F(iotlb, does_not_stay_in_a_region_that_goes)
{
	const struct vu_region first = t_served_mem().regions[0];
	struct vu_region second = first;
	struct t_ring other;

	ASSERT_EQ(0, map_all(&self->s));
	/* after its answer the ring has started, too */
	ASSERT_EQ(0, t_served_tell(&self->s, VU_SET_OWNER, NULL, 0, NULL, 0));
	ASSERT_EQ(0, t_ring_create(&other));
	second.guest_addr += BYTES;
	second.user_addr += BYTES;
	ASSERT_EQ(0, t_served_set_region(&self->s, VU_ADD_MEM_REG, &second, other.memfd));
	ASSERT_EQ(0, tell(&self->s, UVA, BYTES, UVA + BYTES, UPDATE));
	ASSERT_EQ(0, tell(&self->s, T_RING_GPA, BYTES, UVA + BYTES, UPDATE));
	ASSERT_EQ(0, t_served_set_region(&self->s, VU_REM_MEM_REG, &first, -1));
	ASSERT_EQ(0, t_served_set_fd(&self->s, VU_SET_VRING_CALL, 0, other.call));
	ASSERT_EQ(0, t_served_set_fd(&self->s, VU_SET_VRING_KICK, 0, other.kick));
	EXPECT_EQ(0, t_ring_echo(&other, "after", 6, T_DEADLINE_MS));
	t_ring_destroy(&other);
}

TEST_F(iotlb, asks_once_however_often_it_is_kicked)
{
	struct vu_iotlb miss;

	for (int i = 0; i < 10000; i++)
		ASSERT_EQ(0, t_ring_kick(&self->ring));
	ASSERT_EQ(0, take_miss(self->channel, &miss));
	EXPECT_EQ(UVA, miss.iova);
	/* all kicks have been seen when messages are answered, and nothing was sent */
	for (int i = 0; i < 3; i++)
		ASSERT_EQ(0, t_served_tell(&self->s, VU_SET_OWNER, NULL, 0, NULL, 0));
	EXPECT_EQ(-ETIMEDOUT, t_poll_until(self->channel, 0));
	ASSERT_EQ(0, map_all(&self->s));
	EXPECT_EQ(0, t_ring_echo(&self->ring, "after", 6, T_DEADLINE_MS));
}

TEST_F(iotlb, asks_again_after_an_answer_that_does_not_help)
{
	struct vu_iotlb miss;

	ASSERT_EQ(0, t_ring_kick(&self->ring));
	for (int i = 0; i < 100; i++) {
		ASSERT_EQ(0, take_miss(self->channel, &miss));
		ASSERT_EQ(UVA, miss.iova);
		ASSERT_EQ(0, tell(&self->s, 0x1000, 1, UVA, UPDATE));
	}
	ASSERT_EQ(0, map_all(&self->s));
	EXPECT_EQ(0, t_ring_echo(&self->ring, "after", 6, T_DEADLINE_MS));
}

TEST_F(iotlb, forgets_what_is_invalidated_while_it_translates)
{
	const struct vring_buf bufs[] = { { T_RING_GPA + T_RING_OUT, 8 },
					  { T_RING_GPA + T_RING_IN, 8 } };
	const struct vu_iotlb all = { .size = UINT64_MAX, .type = INVALIDATE };
	union vu_payload reply;
	struct vu_iotlb miss;
	struct vu_header hdr;
	uint32_t written;

	ASSERT_EQ(0, map_all(&self->s));
	ASSERT_EQ(0, t_ring_echo(&self->ring, "before", 7, T_DEADLINE_MS));
	/* in flight: the answer waits until it is back */
	atomic_store(&self->s.hold, true);
	ASSERT_LE(0, vring_drv_add(&self->ring.drv, bufs, 1, 1));
	ASSERT_EQ(0, t_ring_kick(&self->ring));
	while (!atomic_load(&self->s.nr_held))
		ASSERT_EQ(0, t_served_tell(&self->s, VU_SET_OWNER, NULL, 0, NULL, 0));
	ASSERT_EQ(0, t_peer_request(self->s.fd, VU_IOTLB_MSG, 0x1, &all, sizeof(all)));
	EXPECT_EQ(-ETIMEDOUT, t_poll_until(self->s.fd, 50));
	t_served_release(&self->s);
	EXPECT_EQ(0, t_poll_until(self->s.fd, T_DEADLINE_MS));
	EXPECT_LE(0, vring_drv_get(&self->ring.drv, &written));
	ASSERT_EQ(0, t_peer_reply(self->s.fd, &hdr, &reply));
	EXPECT_EQ(0u, reply.u64);
	/* and now nothing is reached any more */
	ASSERT_LE(0, vring_drv_add(&self->ring.drv, bufs, 1, 1));
	ASSERT_EQ(0, t_ring_kick(&self->ring));
	ASSERT_EQ(0, take_miss(self->channel, &miss));
	EXPECT_EQ(-EAGAIN, vring_drv_get(&self->ring.drv, &written));
	ASSERT_EQ(0, map_all(&self->s));
	EXPECT_LE(0, t_ring_wait(&self->ring, &written, T_DEADLINE_MS));
}

/* --- the back-end's channel, whose other end is the front-end's ------------------- */

TEST_F(iotlb, closes_its_channel_for_an_answer_to_nothing_and_no_more_than_it)
{
	const uint64_t zero = 0;
	struct vu_iotlb miss;

	ASSERT_EQ(0, take_miss(self->channel, &miss));
	ASSERT_EQ(0, t_peer_request(self->channel, VU_CHANNEL_IOTLB_MSG, 0x5, &zero, 8));
	EXPECT_EQ(0, t_peer_closed(self->channel));
	ASSERT_EQ(0, map_all(&self->s));
	EXPECT_EQ(0, t_ring_echo(&self->ring, "after", 6, T_DEADLINE_MS));
	EXPECT_NE(NULL, strstr(self->s.refusal.msg, "back-end channel: a reply to nothing"))
	TH_LOG("%s", self->s.refusal.msg);
}

TEST_F(iotlb, does_without_a_channel_that_is_gone)
{
	ASSERT_EQ(0, shutdown(self->channel, SHUT_RDWR));
	for (int i = 0; i < 10; i++)
		ASSERT_EQ(0, t_ring_kick(&self->ring));
	ASSERT_EQ(0, map_all(&self->s));
	EXPECT_EQ(0, t_ring_echo(&self->ring, "after", 6, T_DEADLINE_MS));
}

TEST_HARNESS_MAIN
