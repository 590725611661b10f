// SPDX-License-Identifier: GPL-2.0-only
/*
 * A vhost-user connection, from the side of a front-end that is broken or hostile:
 * the back-end answers, refuses or closes, says why, and keeps nothing.
 */
#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "t.h"
#include "t_fds.h"
#include "t_peer.h"
#include "t_served.h"

FIXTURE(conn)
{
	struct t_served s;
	int fds_before;
	int efd;
};

FIXTURE_SETUP(conn)
{
	int ret;

	memset(self, 0, sizeof(*self));
	self->efd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	self->fds_before = t_fds_count(0);
	ret = t_served_start(&self->s);
	if (ret == -EPERM || ret == -ENOSYS)
		SKIP(return, "io_uring is disabled: sysctl kernel.io_uring_disabled=0");
	ASSERT_EQ(0, ret);
}

FIXTURE_TEARDOWN(conn)
{
	t_served_stop(&self->s);
	EXPECT_EQ(self->fds_before, t_fds_count(0));
	close(self->efd);
}

/* Is the connection in order: does a request get its reply, and only that? */
static int still_works(struct t_served *s)
{
	union vu_payload reply;
	int ret = t_served_ask(s, VU_GET_FEATURES, NULL, 0, &reply);

	if (ret)
		return ret;
	return reply.u64 == (T_SERVED_FEATURES | 1ull << 30 | 1ull << 26) ? 0 : -EBADMSG;
}

TEST_F(conn, messages_in_single_bytes_are_put_together)
{
	const struct vu_header set = { VU_SET_FEATURES, 0x1, 8 };
	const struct vu_header get = { VU_GET_FEATURES, 0x1, 0 };
	const uint64_t features = 1ull << 30;
	uint8_t bytes[sizeof(set) + 8 + sizeof(get)];
	union vu_payload reply;
	struct vu_header hdr;

	memcpy(bytes, &set, sizeof(set));
	memcpy(bytes + sizeof(set), &features, 8);
	memcpy(bytes + sizeof(set) + 8, &get, sizeof(get));
	for (size_t i = 0; i < sizeof(bytes); i++)
		ASSERT_EQ(0, t_peer_send(self->s.fd, bytes + i, 1, NULL, 0));
	ASSERT_EQ(0, t_peer_reply(self->s.fd, &hdr, &reply));
	EXPECT_EQ((uint32_t)VU_GET_FEATURES, hdr.request);
	EXPECT_EQ(0x5u, hdr.flags);
	EXPECT_EQ(8u, hdr.size);
}

TEST_F(conn, many_messages_in_one_write_are_all_answered_in_order)
{
	struct vu_header hdrs[40];
	union vu_payload reply;
	struct vu_header hdr;

	for (int i = 0; i < 40; i++)
		hdrs[i] = (struct vu_header){ i % 2 ? VU_GET_PROTOCOL_FEATURES : VU_GET_FEATURES,
					      0x1, 0 };
	ASSERT_EQ(0, t_peer_send(self->s.fd, hdrs, sizeof(hdrs), NULL, 0));
	for (int i = 0; i < 40; i++) {
		ASSERT_EQ(0, t_peer_reply(self->s.fd, &hdr, &reply));
		EXPECT_EQ(hdrs[i].request, hdr.request);
	}
}

TEST_F(conn, a_peer_that_never_reads_is_not_read_from_for_ever)
{
	const struct vu_header hdr = { VU_GET_FEATURES, 0x1, 0 };
	union vu_payload payload;
	struct vu_header reply;
	ssize_t ret;
	int sent = 0;

	/* both directions fill up: the back-end holds one reply, not a million */
	do {
		struct pollfd pfd = { .fd = self->s.fd, .events = POLLOUT };

		ret = send(self->s.fd, &hdr, sizeof(hdr), MSG_DONTWAIT | MSG_NOSIGNAL);
		if (ret >= 0)
			sent++;
		else if (errno == EAGAIN && poll(&pfd, 1, 200))
			ret = 0; /* it was just slow */
	} while (ret >= 0 && sent < 1000000);
	ASSERT_EQ(-1, ret);
	EXPECT_EQ(EAGAIN, errno);
	/* and it goes on where it stopped */
	for (int i = 0; i < sent; i++) {
		ASSERT_EQ(0, t_peer_reply(self->s.fd, &reply, &payload));
		ASSERT_EQ(0x5u, reply.flags);
	}
	EXPECT_EQ(0, still_works(&self->s));
}

TEST_F(conn, closing_between_messages_is_econnreset)
{
	ASSERT_EQ(0, still_works(&self->s));
	shutdown(self->s.fd, SHUT_WR);
	EXPECT_EQ(-ECONNRESET, t_served_closed(&self->s));
	EXPECT_NE(NULL, strstr(self->s.closed.msg, "closed"));
}

TEST_F(conn, closing_inside_a_header_is_econnaborted)
{
	ASSERT_EQ(0, t_peer_send(self->s.fd, "\x01\0\0\0\x01", 5, NULL, 0));
	shutdown(self->s.fd, SHUT_WR);
	EXPECT_EQ(-ECONNABORTED, t_served_closed(&self->s));
	EXPECT_NE(NULL, strstr(self->s.closed.msg, "inside a header"));
}

TEST_F(conn, closing_inside_a_payload_is_econnaborted_and_its_fds_are_closed)
{
	const struct vu_header hdr = { VU_SET_VRING_KICK, 0x1, 8 };

	ASSERT_EQ(0, t_peer_send(self->s.fd, &hdr, sizeof(hdr), &self->efd, 1));
	ASSERT_EQ(0, t_peer_send(self->s.fd, "\0\0\0", 3, NULL, 0));
	shutdown(self->s.fd, SHUT_WR);
	EXPECT_EQ(-ECONNABORTED, t_served_closed(&self->s));
	EXPECT_NE(NULL, strstr(self->s.closed.msg, "inside SET_VRING_KICK"));
}

TEST_F(conn, a_header_that_waits_for_its_payload_keeps_only_itself_waiting)
{
	const struct vu_header hdr = { VU_SET_VRING_KICK, 0x1, 8 };

	/* stopping has to work, and the fd that is owned by half a message is closed */
	ASSERT_EQ(0, t_peer_send(self->s.fd, &hdr, sizeof(hdr), &self->efd, 1));
}

TEST_F(conn, another_version_closes_with_eproto)
{
	ASSERT_EQ(0, t_peer_request(self->s.fd, VU_GET_FEATURES, 0x2, NULL, 0));
	EXPECT_EQ(-EPROTO, t_served_closed(&self->s));
	EXPECT_NE(NULL, strstr(self->s.closed.msg, "version 2"));
}

TEST_F(conn, the_reply_flag_in_a_request_closes_with_eproto)
{
	ASSERT_EQ(0, t_peer_request(self->s.fd, VU_GET_FEATURES, 0x5, NULL, 0));
	EXPECT_EQ(-EPROTO, t_served_closed(&self->s));
	EXPECT_NE(NULL, strstr(self->s.closed.msg, "REPLY"));
}

FIXTURE(unknown)
{
	struct t_served s;
};

FIXTURE_VARIANT(unknown)
{
	uint32_t request;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(unknown, zero) { .request = 0 };
FIXTURE_VARIANT_ADD(unknown, next) { .request = 46 };
FIXTURE_VARIANT_ADD(unknown, all_ones) { .request = UINT32_MAX };
/* clang-format on */

FIXTURE_SETUP(unknown)
{
	int ret = t_served_start(&self->s);

	if (ret == -EPERM || ret == -ENOSYS)
		SKIP(return, "io_uring is disabled: sysctl kernel.io_uring_disabled=0");
	ASSERT_EQ(0, ret);
}

FIXTURE_TEARDOWN(unknown)
{
	t_served_stop(&self->s);
}

TEST_F(unknown, request_closes_with_enotsup)
{
	ASSERT_EQ(0, t_peer_request(self->s.fd, variant->request, 0x1, NULL, 0));
	EXPECT_EQ(-ENOTSUP, t_served_closed(&self->s));
}

/* Only the header is sent: the size has to be found wrong before it is awaited. */
FIXTURE(size)
{
	struct t_served s;
};

FIXTURE_VARIANT(size)
{
	uint32_t request;
	uint32_t size;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(size, too_small) { .request = VU_SET_FEATURES, .size = 7 };
FIXTURE_VARIANT_ADD(size, none_where_some_is_due) { .request = VU_SET_VRING_ADDR, .size = 0 };
FIXTURE_VARIANT_ADD(size, too_large) { .request = VU_SET_VRING_NUM, .size = 9 };
FIXTURE_VARIANT_ADD(size, some_where_none_is_due) { .request = VU_GET_FEATURES, .size = 8 };
FIXTURE_VARIANT_ADD(size, nine_regions) { .request = VU_SET_MEM_TABLE, .size = 8 + 9 * 32 };
FIXTURE_VARIANT_ADD(size, huge) { .request = VU_SET_MEM_TABLE, .size = 1u << 31 };
FIXTURE_VARIANT_ADD(size, all_ones) { .request = VU_SET_MEM_TABLE, .size = UINT32_MAX };
FIXTURE_VARIANT_ADD(size, wraps_with_the_header) { .request = VU_SET_MEM_TABLE,
						   .size = UINT32_MAX - 11 };
/* clang-format on */

FIXTURE_SETUP(size)
{
	int ret = t_served_start(&self->s);

	if (ret == -EPERM || ret == -ENOSYS)
		SKIP(return, "io_uring is disabled: sysctl kernel.io_uring_disabled=0");
	ASSERT_EQ(0, ret);
}

FIXTURE_TEARDOWN(size)
{
	t_served_stop(&self->s);
}

TEST_F(size, that_does_not_fit_closes_with_emsgsize)
{
	const struct vu_header hdr = { variant->request, 0x1, variant->size };

	ASSERT_EQ(0, t_peer_send(self->s.fd, &hdr, sizeof(hdr), NULL, 0));
	EXPECT_EQ(-EMSGSIZE, t_served_closed(&self->s));
	EXPECT_NE(NULL, strstr(self->s.closed.msg, vu_msg_name(variant->request)));
}

TEST_F(conn, fds_on_a_message_that_takes_none_close_with_e2big)
{
	const int fds[] = { self->efd, self->efd };

	ASSERT_EQ(0, t_peer_request_fds(self->s.fd, VU_GET_FEATURES, 0x1, NULL, 0, fds, 2));
	EXPECT_EQ(-E2BIG, t_served_closed(&self->s));
}

TEST_F(conn, two_fds_where_one_is_due_close_with_e2big)
{
	const int fds[] = { self->efd, self->efd };
	const uint64_t index = 0;

	ASSERT_EQ(0, t_peer_request_fds(self->s.fd, VU_SET_VRING_KICK, 0x1, &index, 8, fds, 2));
	EXPECT_EQ(-E2BIG, t_served_closed(&self->s));
}

TEST_F(conn, more_fds_than_any_message_has_close_with_e2big)
{
	const struct vu_header hdr = { VU_SET_MEM_TABLE, 0x1, 8 + 8 * 32 };
	int fds[253];

	for (int i = 0; i < 253; i++)
		fds[i] = self->efd;
	ASSERT_EQ(0, t_peer_send(self->s.fd, &hdr, sizeof(hdr), fds, 253));
	EXPECT_EQ(-E2BIG, t_served_closed(&self->s));
	EXPECT_NE(NULL, strstr(self->s.closed.msg, "more than 8"));
}

TEST_F(conn, fds_that_come_with_a_payload_close_with_eproto)
{
	const struct vu_header hdr = { VU_SET_VRING_KICK, 0x1, 8 };
	const uint64_t index = 0;

	ASSERT_EQ(0, t_peer_send(self->s.fd, &hdr, sizeof(hdr), NULL, 0));
	ASSERT_EQ(0, t_peer_send(self->s.fd, &index, 8, &self->efd, 1));
	EXPECT_EQ(-EPROTO, t_served_closed(&self->s));
}

/* Else both parts are one read, and where the fds were cannot be told. */
static int wait_until_read(int fd)
{
	uint64_t deadline_ns = loop_now_ns() + T_DEADLINE_MS * 1000000ull;
	int left;

	do {
		sched_yield();
		if (ioctl(fd, SIOCOUTQ, &left))
			return -errno;
	} while (left && loop_now_ns() < deadline_ns);
	return left ? -ETIMEDOUT : 0;
}

TEST_F(conn, fds_that_come_in_the_middle_of_a_header_close_with_eproto)
{
	const struct vu_header hdr = { VU_SET_VRING_KICK, 0x1, 8 };

	ASSERT_EQ(0, t_peer_send(self->s.fd, &hdr, 4, NULL, 0));
	ASSERT_EQ(0, wait_until_read(self->s.fd));
	ASSERT_EQ(0, t_peer_send(self->s.fd, (const char *)&hdr + 4, 8, &self->efd, 1));
	EXPECT_EQ(-EPROTO, t_served_closed(&self->s));
}

TEST_F(conn, fds_with_the_first_byte_of_a_header_belong_to_the_message)
{
	const struct vu_header hdr = { VU_SET_VRING_KICK, 0x9, 8 };
	const uint64_t index = 1;
	union vu_payload reply;
	struct vu_header got;

	ASSERT_EQ(0, t_served_negotiate(&self->s));
	ASSERT_EQ(0, t_peer_send(self->s.fd, &hdr, 1, &self->efd, 1));
	ASSERT_EQ(0, t_peer_send(self->s.fd, (const char *)&hdr + 1, 11, NULL, 0));
	ASSERT_EQ(0, t_peer_send(self->s.fd, &index, 8, NULL, 0));
	ASSERT_EQ(0, t_peer_reply(self->s.fd, &got, &reply));
	EXPECT_EQ(0u, reply.u64);
}

FIXTURE(reply_ack)
{
	struct t_served s;
	int fds_before;
};

FIXTURE_SETUP(reply_ack)
{
	int ret;

	memset(self, 0, sizeof(*self));
	self->fds_before = t_fds_count(0);
	ret = t_served_start(&self->s);
	if (ret == -EPERM || ret == -ENOSYS)
		SKIP(return, "io_uring is disabled: sysctl kernel.io_uring_disabled=0");
	ASSERT_EQ(0, ret);
}

FIXTURE_TEARDOWN(reply_ack)
{
	t_served_stop(&self->s);
	EXPECT_EQ(self->fds_before, t_fds_count(0));
}

TEST_F(reply_ack, is_not_sent_before_it_is_negotiated)
{
	const uint64_t none = 0;

	ASSERT_EQ(0, t_peer_request(self->s.fd, VU_SET_OWNER, 0x9, NULL, 0));
	ASSERT_EQ(0, t_peer_request(self->s.fd, VU_SET_PROTOCOL_FEATURES, 0x9, &none, 8));
	/* the next thing that comes is this one's reply */
	EXPECT_EQ(0, still_works(&self->s));
}

TEST_F(reply_ack, is_not_sent_where_it_is_not_asked_for)
{
	ASSERT_EQ(0, t_served_negotiate(&self->s));
	ASSERT_EQ(0, t_peer_request(self->s.fd, VU_SET_OWNER, 0x1, NULL, 0));
	EXPECT_EQ(0, still_works(&self->s));
}

TEST_F(reply_ack, is_sent_for_the_message_that_negotiates_it)
{
	const uint64_t protocol = 1ull << 3;

	EXPECT_EQ(0, t_served_tell(&self->s, VU_SET_PROTOCOL_FEATURES, &protocol, 8, NULL, 0));
	EXPECT_EQ(0, still_works(&self->s));
}

TEST_F(reply_ack, is_one_zero_for_a_request_that_worked)
{
	ASSERT_EQ(0, t_served_negotiate(&self->s));
	EXPECT_EQ(0, t_served_tell(&self->s, VU_SET_OWNER, NULL, 0, NULL, 0));
	EXPECT_EQ(0, t_served_tell(&self->s, VU_RESET_OWNER, NULL, 0, NULL, 0));
	EXPECT_EQ(0, still_works(&self->s));
}

TEST_F(reply_ack, is_not_zero_for_a_request_that_failed_and_the_connection_stays)
{
	const uint64_t more = T_SERVED_FEATURES | 1ull << 5;

	ASSERT_EQ(0, t_served_negotiate(&self->s));
	for (int i = 0; i < 10; i++)
		EXPECT_LT(0, t_served_tell(&self->s, VU_SET_FEATURES, &more, 8, NULL, 0));
	EXPECT_EQ(10u, atomic_load(&self->s.refused));
	EXPECT_EQ(0, still_works(&self->s));
}

TEST_F(reply_ack, is_no_second_reply_to_a_message_that_has_its_own)
{
	union vu_payload reply;
	struct vu_header hdr;

	ASSERT_EQ(0, t_served_negotiate(&self->s));
	ASSERT_EQ(0, t_peer_request(self->s.fd, VU_GET_FEATURES, 0x9, NULL, 0));
	ASSERT_EQ(0, t_peer_reply(self->s.fd, &hdr, &reply));
	/* exactly these: NEED_REPLY does not come back */
	EXPECT_EQ(0x5u, hdr.flags);
	EXPECT_EQ(0, still_works(&self->s));
}

TEST_F(reply_ack, missing_makes_a_failure_close_the_connection)
{
	const uint64_t more = 1ull << 5;

	ASSERT_EQ(0, t_served_negotiate(&self->s));
	ASSERT_EQ(0, t_peer_request(self->s.fd, VU_SET_FEATURES, 0x1, &more, 8));
	EXPECT_EQ(-EINVAL, t_served_closed(&self->s));
	EXPECT_NE(NULL, strstr(self->s.closed.msg, "SET_FEATURES"));
}

TEST_F(reply_ack, cannot_tell_the_failure_of_a_message_that_has_its_own_reply)
{
	const struct vu_vring_state state = { T_SERVED_QUEUES, 0 };

	ASSERT_EQ(0, t_served_negotiate(&self->s));
	ASSERT_EQ(0, t_peer_request(self->s.fd, VU_GET_VRING_BASE, 0x9, &state, 8));
	EXPECT_EQ(-EINVAL, t_served_closed(&self->s));
}

TEST_F(reply_ack, can_be_given_up_again)
{
	const uint64_t none = 0;

	ASSERT_EQ(0, t_served_negotiate(&self->s));
	ASSERT_EQ(0, t_peer_request(self->s.fd, VU_SET_PROTOCOL_FEATURES, 0x9, &none, 8));
	ASSERT_EQ(0, t_peer_request(self->s.fd, VU_SET_OWNER, 0x9, NULL, 0));
	EXPECT_EQ(0, still_works(&self->s));
}

TEST_HARNESS_MAIN
