// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost-net that stops and starts, changes its tap, and is one of several on a tap with
 * several queues: each frame arrives once, in its order, and where it belongs.
 */
#include <arpa/inet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <linux/if_packet.h>

#include <vringlab/fd.h>

#include "vhost.h"

#define LEN 200u
#define FRAMES 400u
#define WINDOW 32u

FIXTURE(net)
{
	struct net net;
};

FIXTURE_SETUP(net)
{
	NET_OR_SKIP(&self->net);
	net_start(_metadata, &self->net, 0);
}

FIXTURE_TEARDOWN(net)
{
	net_close(&self->net);
}

TEST_F_TIMEOUT(net, that_stops_and_starts_transmits_each_frame_once, SLOW)
{
	struct net *n = &self->net;

	for (uint32_t i = 0; i < FRAMES; i++) {
		ASSERT_EQ(0, t_vnet_transmit(&n->v, LEN, i));
		if (i % 4 == 0) {
			ASSERT_EQ(0, t_vnet_backend(&n->v, -1));
			ASSERT_EQ(0, t_vnet_backend(&n->v, n->tap.fds[0]));
		}
		if (i >= WINDOW) {
			ASSERT_EQ(0, t_tap_expect(&n->tap, LEN, i - WINDOW));
		}
		ASSERT_LE(0, t_vhost_reap(&n->v, TX));
	}
	for (uint32_t i = FRAMES - WINDOW; i < FRAMES; i++) {
		ASSERT_EQ(0, t_tap_expect(&n->tap, LEN, i));
	}
	EXPECT_TRUE(EVENTUALLY(t_vhost_reap(&n->v, TX) == FRAMES));
	EXPECT_TRUE(t_tap_is_silent(&n->tap));
	EXPECT_FALSE(had_error(n));
}

TEST_F_TIMEOUT(net, that_stops_and_starts_receives_each_frame_once, SLOW)
{
	struct net *n = &self->net;

	ASSERT_EQ(0, t_vnet_give(&n->v, FRAMES));
	for (uint32_t i = 0; i < FRAMES; i++) {
		ASSERT_EQ(0, t_tap_send(&n->tap, LEN, i));
		if (i % 4 == 0) {
			ASSERT_EQ(0, t_vnet_backend(&n->v, -1));
			ASSERT_EQ(0, t_vnet_backend(&n->v, n->tap.fds[0]));
		}
		if (i >= WINDOW) {
			ASSERT_EQ(0, t_vnet_expect(&n->v, LEN, i - WINDOW));
		}
	}
	for (uint32_t i = FRAMES - WINDOW; i < FRAMES; i++) {
		ASSERT_EQ(0, t_vnet_expect(&n->v, LEN, i));
	}
	EXPECT_FALSE(had_error(n));
}

TEST_F_TIMEOUT(net, that_has_no_back_end_leaves_its_virtqueues_alone, SLOW)
{
	struct net *n = &self->net;

	ASSERT_EQ(0, t_vnet_backend(&n->v, -1));
	ASSERT_EQ(0, t_vnet_give(&n->v, 8));
	for (uint32_t i = 0; i < 8; i++) {
		ASSERT_EQ(0, t_vnet_transmit(&n->v, LEN, i));
		ASSERT_EQ(0, t_tap_send(&n->tap, LEN, 100 + i));
	}
	/* Ends what is under way. */
	ASSERT_EQ(0, set_file(&n->v, VHOST_SET_VRING_CALL, TX, n->v.queues[TX].call));
	EXPECT_EQ(0, t_vhost_reap(&n->v, TX));
	EXPECT_EQ(0, t_vhost_reap(&n->v, RX));
	/* What has waited goes without another kick. */
	ASSERT_EQ(0, t_vnet_backend(&n->v, n->tap.fds[0]));
	for (uint32_t i = 0; i < 8; i++) {
		EXPECT_EQ(0, t_tap_expect(&n->tap, LEN, i));
		EXPECT_EQ(0, t_vnet_expect(&n->v, LEN, 100 + i));
	}
}

TEST_F_TIMEOUT(net, that_is_given_another_tap_goes_on_there, SLOW)
{
	struct net *n = &self->net;
	struct t_tap other;

	ASSERT_EQ(0, t_tap_open(&other, 1));
	for (uint32_t i = 0; i < 20; i++) {
		const struct t_tap *to = i % 2 ? &other : &n->tap, *from = i % 2 ? &n->tap : &other;

		ASSERT_EQ(0, t_vnet_backend(&n->v, to->fds[0]));
		ASSERT_EQ(0, t_vnet_transmit(&n->v, LEN, i));
		EXPECT_EQ(0, t_tap_expect(to, LEN, i));
		EXPECT_TRUE(t_tap_is_silent(from));
	}
	t_tap_close(&other);
}

TEST_F_TIMEOUT(net, that_resigns_at_work_can_be_set_up_again, SLOW)
{
	struct net *n = &self->net;

	for (uint32_t i = 0; i < 5; i++) {
		ASSERT_EQ(0, t_vnet_transmit(&n->v, LEN, i));
		ASSERT_EQ(0, t_vhost_ioctl(&n->v, VHOST_RESET_OWNER, NULL));
		t_vhost_close(&n->v);
		vl_fd_close(&n->error);
		/* Whether it was sent before is not known. */
		while (!t_tap_is_silent(&n->tap)) {
			ASSERT_EQ(0, t_tap_expect(&n->tap, LEN, i));
		}
		net_start(_metadata, n, 0);
		ASSERT_EQ(0, t_vnet_transmit(&n->v, LEN, 100));
		ASSERT_EQ(0, t_tap_expect(&n->tap, LEN, 100));
	}
}

/* --- several queues -------------------------------------------------------------------- */

#define PAIRS T_TAP_QUEUES_MAX
#define FLOWS 24u

FIXTURE(pairs)
{
	struct t_tap tap;
	struct t_vhost v[PAIRS];
	int sock;
};

FIXTURE_SETUP(pairs)
{
	OPEN_VHOST_OR_SKIP(&self->sock, "vhost-net");
	close(self->sock);
	TAP_OR_SKIP(&self->tap, PAIRS);
	for (unsigned int i = 0; i < PAIRS; i++) {
		ASSERT_EQ(0, t_vnet_open(&self->v[i], 0));
		ASSERT_EQ(0, t_vnet_backend(&self->v[i], self->tap.fds[i]));
		ASSERT_EQ(0, t_vnet_give(&self->v[i], 4 * FLOWS));
	}
}

FIXTURE_TEARDOWN(pairs)
{
	for (unsigned int i = 0; i < PAIRS; i++)
		t_vhost_close(&self->v[i]);
	t_tap_close(&self->tap);
}

/* A datagram of that flow, as it goes or as it is answered. */
static void fill_flow(uint8_t *frame, unsigned int flow, bool answer)
{
	const struct ether_header eth = {
		.ether_dhost = { 2, 0, 0, 0, 0, 1 },
		.ether_shost = { 2, 0, 0, 0, 0, 2 },
		.ether_type = htons(ETHERTYPE_IP),
	};
	const uint16_t ours = htons(1000 + flow), theirs = htons(9);
	const uint32_t here = htonl(0xc0000201), there = htonl(0xc0000202);
	const struct iphdr ip = {
		.version = 4,
		.ihl = 5,
		.tot_len = htons(LEN - sizeof(eth)),
		.ttl = 64,
		.protocol = IPPROTO_UDP,
		.saddr = answer ? there : here,
		.daddr = answer ? here : there,
	};
	const struct udphdr udp = {
		.source = answer ? theirs : ours,
		.dest = answer ? ours : theirs,
		.len = htons(LEN - sizeof(eth) - sizeof(ip)),
	};

	memset(frame, flow, LEN);
	memcpy(frame, &eth, sizeof(eth));
	memcpy(frame + sizeof(eth), &ip, sizeof(ip));
	memcpy(frame + sizeof(eth) + sizeof(ip), &udp, sizeof(udp));
}

static int transmit_flow(struct t_vhost *v, unsigned int flow)
{
	uint8_t *buf = t_vhost_buf(v, TX);
	uint32_t written;

	memset(buf, 0, T_VNET_HDR);
	fill_flow(buf + T_VNET_HDR, flow, false);
	return t_vhost_exchange(v, TX, T_VNET_HDR + LEN, false, &written);
}

static int answer_flow(const struct t_tap *tap, unsigned int flow)
{
	uint8_t frame[LEN];
	/* Or the tap would not look for a flow in it. */
	const struct sockaddr_ll to = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_IP),
		.sll_ifindex = (int)if_nametoindex(tap->name),
		.sll_halen = ETH_ALEN,
	};

	fill_flow(frame, flow, true);
	return sendto(tap->sock, frame, LEN, 0, (const struct sockaddr *)&to, sizeof(to)) == LEN ?
		       0 :
		       -errno;
}

/* By this one and those behind it. */
static uint64_t received(struct t_vhost v[PAIRS], unsigned int first)
{
	uint64_t sum = 0;

	for (unsigned int i = first; i < PAIRS; i++)
		sum += t_vhost_reap(&v[i], RX);
	return sum;
}

TEST_F_TIMEOUT(pairs, each_transmit, SLOW)
{
	for (uint32_t i = 0; i < 10 * PAIRS; i++) {
		ASSERT_EQ(0, t_vnet_transmit(&self->v[i % PAIRS], LEN, i));
		ASSERT_EQ(0, t_tap_expect(&self->tap, LEN, i));
	}
}

/* The tap remembers where a flow came from. */
TEST_F_TIMEOUT(pairs, have_a_flow_answered_where_it_came_from, SLOW)
{
	for (unsigned int round = 0; round < 2; round++) {
		for (unsigned int flow = 0; flow < FLOWS; flow++) {
			struct t_vhost *v = &self->v[(flow + round) % PAIRS];
			uint64_t before = v->queues[RX].used, all = received(self->v, 0);

			ASSERT_EQ(0, transmit_flow(v, flow));
			ASSERT_EQ(0, answer_flow(&self->tap, flow));
			ASSERT_TRUE(EVENTUALLY(received(self->v, 0) == all + 1));
			EXPECT_EQ(before + 1, v->queues[RX].used)
			{
				TH_LOG("flow %u", flow);
			}
		}
	}
}

TEST_F_TIMEOUT(pairs, share_flows_that_nobody_has_begun, SLOW)
{
	unsigned int busy = 0;

	for (unsigned int flow = 0; flow < 4 * FLOWS; flow++) {
		ASSERT_EQ(0, answer_flow(&self->tap, 1000 + flow));
	}
	ASSERT_TRUE(EVENTUALLY(received(self->v, 0) == 4 * FLOWS));
	for (unsigned int i = 0; i < PAIRS; i++)
		busy += self->v[i].queues[RX].used > 0;
	EXPECT_EQ(PAIRS, busy);
}

/* And those that are left get what was its. */
TEST_F_TIMEOUT(pairs, may_lose_one_of_them, SLOW)
{
	for (unsigned int flow = 0; flow < FLOWS; flow++) {
		ASSERT_EQ(0, transmit_flow(&self->v[flow % PAIRS], flow));
	}
	t_vhost_close(&self->v[0]);
	vl_fd_close(&self->tap.fds[0]);
	for (unsigned int flow = 0; flow < FLOWS; flow++) {
		ASSERT_EQ(0, answer_flow(&self->tap, flow));
	}
	EXPECT_TRUE(EVENTUALLY(received(self->v, 1) == FLOWS));
}

TEST_HARNESS_MAIN
