// SPDX-License-Identifier: GPL-2.0-only
/*
 * The virtio-net device without a transport and without a tap: what drivers do, and
 * what none should.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include <linux/virtio_net.h>

#include <vringlab/vring_inflight.h>

#include "kselftest_harness.h"
#include "t_net.h"

#define RX T_NET_RX(0)
#define TX T_NET_TX(0)
#define HDR_BYTES sizeof(struct virtio_net_hdr_v1)
#define BIT(bit) (UINT64_C(1) << (bit))

/* TCP's checksum, from the start of its header. */
#define TCP_CSUM_OFFSET 16

#define OFFLOADS                                                                              \
	(BIT(VIRTIO_NET_F_CSUM) | BIT(VIRTIO_NET_F_HOST_TSO4) | BIT(VIRTIO_NET_F_HOST_TSO6) | \
	 BIT(VIRTIO_NET_F_HOST_ECN) | BIT(VIRTIO_NET_F_GUEST_CSUM) | BIT(VIRTIO_NET_F_GUEST_TSO4))

static const struct virtio_net_hdr_v1 plain;
static uint8_t frame[VDEV_NET_FRAME_MAX + 1];
static uint8_t got[VDEV_NET_FRAME_MAX + 1];

FIXTURE(net)
{
	struct t_net net;
};

FIXTURE_VARIANT(net)
{
	bool packed;
	bool indirect;
	bool in_order;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(net, split) { };
FIXTURE_VARIANT_ADD(net, split_in_order) { .in_order = true };
FIXTURE_VARIANT_ADD(net, split_indirect) { .indirect = true };
FIXTURE_VARIANT_ADD(net, packed) { .packed = true };
FIXTURE_VARIANT_ADD(net, packed_in_order) { .packed = true, .in_order = true };
FIXTURE_VARIANT_ADD(net, packed_indirect) { .packed = true, .indirect = true };
/* clang-format on */

static int start(FIXTURE_DATA(net) * self, const FIXTURE_VARIANT(net) * variant, uint64_t features,
		 uint32_t generate, bool inflight)
{
	const struct t_net_config config = {
		.device = { .num_pairs = 1, .generate = generate },
		.features = features,
		.packed = variant->packed,
		.indirect = variant->indirect,
		.in_order = variant->in_order,
		.inflight = inflight,
	};

	return t_net_start(&self->net, &config);
}

/* In a test: io_uring may not be there. */
#define START(features, generate, inflight)                                                   \
	do {                                                                                  \
		int start_ret = start(self, variant, features, generate, inflight);           \
		if (start_ret == -EPERM || start_ret == -ENOSYS)                              \
			SKIP(return, "io_uring is disabled: set kernel.io_uring_disabled=0"); \
		ASSERT_EQ(0, start_ret) TH_LOG("%s", self->net.err.msg);                      \
	} while (0)

FIXTURE_SETUP(net)
{
	memset(self, 0, sizeof(*self));
	for (unsigned int i = 0; i < sizeof(frame); i++)
		frame[i] = i * 7 + (i >> 8);
}

FIXTURE_TEARDOWN(net)
{
	t_net_stop(&self->net);
}

/* Sends, and has it given back. */
static int send(struct t_net *net, const struct virtio_net_hdr_v1 *hdr, uint32_t len)
{
	unsigned int used = net->queues[TX].used;
	int ret = t_net_send(net, 0, hdr, frame, len);

	if (ret < 0)
		return ret;
	ret = t_net_process(net, TX);
	if (ret < 0)
		return ret;
	return net->queues[TX].used == used + 1 && !net->queues[TX].chains[used].written ? 0 :
											   -EBADE;
}

TEST_F(net, transmits_packets_of_every_length)
{
	static const uint32_t lens[] = { 14, 60, 64, 1514, 2048, 2049, VDEV_NET_FRAME_MAX };
	struct vdev_net_stats stats;
	uint64_t bytes = 0;

	START(0, 0, false);
	for (unsigned int i = 0; i < 7; i++) {
		ASSERT_EQ(0, send(&self->net, &plain, lens[i]));
		bytes += lens[i];
	}
	stats = t_net_stats(&self->net);
	EXPECT_EQ(7, stats.tx_packets);
	EXPECT_EQ(bytes, stats.tx_bytes);
	EXPECT_EQ(0, stats.tx_refused);
	EXPECT_EQ(0, stats.tx_offloads);
}

TEST_F(net, transmits_a_header_in_pieces_of_one_byte)
{
	uint32_t lens[HDR_BYTES + 30];
	unsigned int nr = HDR_BYTES + 30;
	uint32_t offset;

	START(0, 0, false);
	for (unsigned int i = 0; i < nr; i++)
		lens[i] = 1;
	offset = t_net_alloc(&self->net, nr);
	/* the first fits a batch's list, the second is longer */
	ASSERT_EQ(0, t_net_add(&self->net, TX, offset, lens, HDR_BYTES + 1, 0));
	lens[HDR_BYTES] = 20;
	ASSERT_EQ(1, t_net_add(&self->net, TX, offset, lens, HDR_BYTES + 1, 0));
	lens[HDR_BYTES] = 1;
	ASSERT_EQ(2, t_net_add(&self->net, TX, offset, lens, nr, 0));
	ASSERT_EQ(VDEV_IDLE, t_net_process(&self->net, TX));
	EXPECT_EQ(3, self->net.queues[TX].used);
	/* a frame of one byte is none */
	EXPECT_EQ(1, t_net_stats(&self->net).tx_refused);
	EXPECT_EQ(2, t_net_stats(&self->net).tx_packets);
	EXPECT_EQ(50, t_net_stats(&self->net).tx_bytes);
}

/* A TCP segment of 1500 bytes to be cut, as Linux sends it. */
static struct virtio_net_hdr_v1 tso(void)
{
	return (struct virtio_net_hdr_v1){
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
		.hdr_len = htole16(54),
		.gso_size = htole16(1000),
		.csum_start = htole16(34),
		.csum_offset = htole16(TCP_CSUM_OFFSET),
	};
}

TEST_F(net, takes_checksums_and_segmentation_that_were_negotiated)
{
	struct virtio_net_hdr_v1 hdr = tso();

	START(OFFLOADS, 0, false);
	EXPECT_EQ(0, send(&self->net, &hdr, 1500));
	hdr.gso_type = VIRTIO_NET_HDR_GSO_TCPV6 | VIRTIO_NET_HDR_GSO_ECN;
	EXPECT_EQ(0, send(&self->net, &hdr, 1500));
	/* the length is a hint, and the last byte may be the checksum's */
	hdr.hdr_len = htole16(UINT16_MAX);
	EXPECT_EQ(0, send(&self->net, &hdr, 1500));
	hdr.gso_type = VIRTIO_NET_HDR_GSO_NONE;
	EXPECT_EQ(0, send(&self->net, &hdr, 34 + TCP_CSUM_OFFSET + 2));
	EXPECT_EQ(4, t_net_stats(&self->net).tx_offloads);
	EXPECT_EQ(0, t_net_stats(&self->net).tx_refused);
}

/* What is wrong with a header, and in a packet of how many bytes. */
struct bad {
	const char *what;
	uint32_t len;
	bool csum;
	uint8_t gso_type;
	uint16_t gso_size;
	uint16_t csum_start;
	uint16_t csum_offset;
};

#define TCPV4 VIRTIO_NET_HDR_GSO_TCPV4
#define UDP VIRTIO_NET_HDR_GSO_UDP
#define ECN VIRTIO_NET_HDR_GSO_ECN

static const struct bad bads[] = {
	{ "less than an Ethernet header", 13, false, 0, 0, 0, 0 },
	{ "more than the longest packet", VDEV_NET_FRAME_MAX + 1, false, 0, 0, 0, 0 },
	{ "checksum one byte beyond the packet", 51, true, 0, 0, 34, 16 },
	{ "checksum far beyond the packet", 1500, true, 0, 0, UINT16_MAX, 16 },
	{ "checksum's offset beyond the packet", 1500, true, 0, 0, 34, UINT16_MAX },
	{ "both at their largest", 65550, true, 0, 0, UINT16_MAX, UINT16_MAX },
	{ "checksum inside the Ethernet header", 1500, true, 0, 0, 0, 16 },
	{ "segmentation without a checksum", 1500, false, TCPV4, 1000, 34, 16 },
	{ "segments of 0 bytes", 1500, true, TCPV4, 0, 34, 16 },
	{ "segmentation of UDP", 1500, true, UDP, 1000, 34, 16 },
	{ "segmentation of an unknown kind", 1500, true, 0x7f, 1000, 34, 16 },
	{ "ECN and nothing else", 1500, true, ECN, 1000, 34, 16 },
	{ "segmentation of TCP with another's checksum", 1500, true, TCPV4, 1000, 34, 6 },
	{ "a TCP header that is cut off", 53, true, TCPV4, 10, 34, 16 },
};

static struct virtio_net_hdr_v1 bad_header(const struct bad *bad)
{
	return (struct virtio_net_hdr_v1){
		.flags = bad->csum ? VIRTIO_NET_HDR_F_NEEDS_CSUM : 0,
		.gso_type = bad->gso_type,
		.hdr_len = htole16(UINT16_MAX),
		.gso_size = htole16(bad->gso_size),
		.csum_start = htole16(bad->csum_start),
		.csum_offset = htole16(bad->csum_offset),
	};
}

#define NR_BADS (sizeof(bads) / sizeof(bads[0]))

TEST_F(net, refuses_bad_headers_and_goes_on)
{
	START(OFFLOADS, 0, false);
	for (unsigned int i = 0; i < NR_BADS; i++) {
		struct virtio_net_hdr_v1 hdr = bad_header(&bads[i]);

		ASSERT_EQ(0, send(&self->net, &hdr, bads[i].len))
		TH_LOG("%s", bads[i].what);
		ASSERT_EQ(i + 1, t_net_stats(&self->net).tx_refused)
		TH_LOG("%s", bads[i].what);
	}
	EXPECT_EQ(0, send(&self->net, &plain, 64));
	EXPECT_EQ(1, t_net_stats(&self->net).tx_packets);
}

TEST_F(net, refuses_offloads_that_were_not_negotiated)
{
	struct virtio_net_hdr_v1 hdr = tso();

	/* TSO without the checksum that it needs is none */
	START(BIT(VIRTIO_NET_F_HOST_TSO4), 0, false);
	EXPECT_EQ(0, send(&self->net, &hdr, 1500));
	hdr.gso_type = VIRTIO_NET_HDR_GSO_NONE;
	EXPECT_EQ(0, send(&self->net, &hdr, 1500));
	EXPECT_EQ(2, t_net_stats(&self->net).tx_refused);
	EXPECT_EQ(0, t_net_stats(&self->net).tx_packets);
}

TEST_F(net, refuses_chains_that_are_no_packets)
{
	uint32_t lens[] = { HDR_BYTES - 1, 64 };
	uint32_t offset;

	START(0, 0, false);
	offset = t_net_alloc(&self->net, 128);
	ASSERT_EQ(0, t_net_add(&self->net, TX, offset, lens, 1, 0));
	lens[0] = HDR_BYTES + 64;
	ASSERT_EQ(1, t_net_add(&self->net, TX, offset, lens, 1, 1));
	ASSERT_EQ(2, t_net_add(&self->net, TX, offset, lens, 0, 1));
	ASSERT_EQ(VDEV_IDLE, t_net_process(&self->net, TX));
	EXPECT_EQ(3, self->net.queues[TX].used);
	EXPECT_EQ(3, t_net_stats(&self->net).tx_refused);
}

TEST_F(net, stops_for_receive_buffers_that_cannot_be_any)
{
	uint32_t lens[] = { 64, 1500 };

	START(0, 60, false);
	ASSERT_EQ(0, t_net_add(&self->net, RX, t_net_alloc(&self->net, 1564), lens, 1, 1));
	EXPECT_EQ(-EINVAL, t_net_process(&self->net, RX));
	EXPECT_EQ(0, self->net.queues[RX].used);
	EXPECT_EQ(0, t_net_queue_stop(&self->net, RX));
}

TEST_F(net, stops_for_receive_buffers_without_room_for_a_header)
{
	START(BIT(VIRTIO_NET_F_MRG_RXBUF), 60, false);
	ASSERT_EQ(0, t_net_give(&self->net, 0, 1500));
	ASSERT_EQ(1, t_net_give(&self->net, 0, HDR_BYTES - 1));
	EXPECT_EQ(-EINVAL, t_net_process(&self->net, RX));
	EXPECT_EQ(0, t_net_queue_stop(&self->net, RX));
}

/* Compares the packet at a place with what a null device receives. */
static int check_generated(struct t_net *net, unsigned int at, uint32_t bytes, unsigned int nr)
{
	struct virtio_net_hdr_v1 hdr;
	int ret = t_net_received(net, 0, at, &hdr, got, sizeof(got));

	if (ret != (int)bytes || le16toh(hdr.num_buffers) != nr || hdr.flags || hdr.gso_type)
		return -EBADE;
	for (uint32_t i = 14; i < bytes; i++)
		if (got[i] != (uint8_t)i)
			return -EBADE;
	return 0;
}

TEST_F(net, receives_into_each_buffer)
{
	START(0, 64, false);
	for (unsigned int lap = 0; lap < 3; lap++) {
		for (unsigned int i = 0; i < T_NET_NUM; i++)
			ASSERT_LE(0, t_net_give(&self->net, 0, 64 + HDR_BYTES + i));
		while (t_net_process(&self->net, RX) == VDEV_MORE)
			;
		ASSERT_EQ((lap + 1) * T_NET_NUM, self->net.queues[RX].used);
	}
	for (unsigned int i = 0; i < self->net.queues[RX].used; i++)
		ASSERT_EQ(0, check_generated(&self->net, i, 64, 1));
}

TEST_F(net, receives_into_chains_of_small_pieces)
{
	uint32_t lens[40];

	START(0, 100, false);
	for (unsigned int i = 0; i < 40; i++)
		lens[i] = 1 + i % 7;
	/* 15 are in the list of a window's chain, 40 are not */
	ASSERT_EQ(0, t_net_add(&self->net, RX, t_net_alloc(&self->net, 200), lens, 0, 40));
	lens[14] = 100;
	ASSERT_EQ(1, t_net_add(&self->net, RX, t_net_alloc(&self->net, 200), lens, 0, 15));
	ASSERT_EQ(2, t_net_add(&self->net, RX, t_net_alloc(&self->net, 400), lens, 0, 40));
	ASSERT_LE(0, t_net_run_until(&self->net, RX, 3));
	for (unsigned int i = 0; i < 3; i++)
		EXPECT_EQ(0, check_generated(&self->net, i, 100, 1));
}

TEST_F(net, merges_receive_buffers)
{
	START(BIT(VIRTIO_NET_F_MRG_RXBUF), 4000, false);
	for (unsigned int i = 0; i < 30; i++)
		ASSERT_LE(0, t_net_give(&self->net, 0, 1500));
	EXPECT_EQ(VDEV_IDLE, t_net_process(&self->net, RX));
	EXPECT_EQ(30, self->net.queues[RX].used);
	for (unsigned int i = 0; i < 30; i += 3)
		ASSERT_EQ(0, check_generated(&self->net, i, 4000, 3));
	EXPECT_EQ(10, t_net_stats(&self->net).rx_packets);
	EXPECT_EQ(10, t_net_stats(&self->net).rx_merged);
}

TEST_F(net, a_packet_waits_for_enough_buffers)
{
	START(BIT(VIRTIO_NET_F_MRG_RXBUF), 4000, false);
	for (unsigned int i = 0; i < 2; i++) {
		ASSERT_LE(0, t_net_give(&self->net, 0, 1500));
		/* idle with an empty ring, so that the driver is asked for kicks */
		ASSERT_EQ(VDEV_IDLE, t_net_process(&self->net, RX));
		ASSERT_TRUE(vring_dev_empty(&self->net.queues[RX].dev));
		ASSERT_EQ(0, self->net.queues[RX].used);
	}
	ASSERT_LE(0, t_net_give(&self->net, 0, 1500));
	ASSERT_EQ(VDEV_IDLE, t_net_process(&self->net, RX));
	EXPECT_EQ(3, self->net.queues[RX].used);
	EXPECT_EQ(0, check_generated(&self->net, 0, 4000, 3));
}

TEST_F(net, spans_as_many_buffers_as_it_may)
{
	START(BIT(VIRTIO_NET_F_MRG_RXBUF), 255 * 200, false);
	for (unsigned int i = 0; i < T_NET_NUM; i++)
		ASSERT_LE(0, t_net_give(&self->net, 0, 200));
	ASSERT_LE(0, t_net_process(&self->net, RX));
	ASSERT_EQ(T_NET_NUM, self->net.queues[RX].used);
	EXPECT_EQ(0, check_generated(&self->net, 0, 255 * 200, T_NET_NUM));
}

TEST_F(net, gives_waiting_buffers_back_untaken_when_it_is_stopped)
{
	const struct vdev_ops *ops;
	struct t_net_queue *rx = &self->net.queues[RX];
	uint32_t base;

	START(BIT(VIRTIO_NET_F_MRG_RXBUF), 4000, false);
	ops = self->net.vdev->ops;
	base = vring_dev_base(&rx->dev);
	ASSERT_LE(0, t_net_give(&self->net, 0, 1500));
	ASSERT_LE(0, t_net_give(&self->net, 0, 1500));
	ASSERT_EQ(VDEV_IDLE, t_net_process(&self->net, RX));
	EXPECT_EQ(2, vring_dev_in_flight(&rx->dev));
	EXPECT_EQ(0, t_net_queue_stop(&self->net, RX));
	EXPECT_EQ(base, vring_dev_base(&rx->dev));
	ASSERT_EQ(VDEV_IDLE, t_net_process(&self->net, RX));
	EXPECT_EQ(0, vring_dev_in_flight(&rx->dev));
	ops->resume(self->net.vdev->dev, &rx->q);
	ASSERT_LE(0, t_net_give(&self->net, 0, 1500));
	ASSERT_EQ(VDEV_IDLE, t_net_process(&self->net, RX));
	EXPECT_EQ(0, check_generated(&self->net, 0, 4000, 3));
}

TEST_F(net, another_device_side_finds_the_buffers_that_waited)
{
	START(BIT(VIRTIO_NET_F_MRG_RXBUF), 4000, true);
	ASSERT_LE(0, t_net_give(&self->net, 0, 1500));
	ASSERT_LE(0, t_net_give(&self->net, 0, 1500));
	ASSERT_EQ(VDEV_IDLE, t_net_process(&self->net, RX));
	ASSERT_EQ(0, t_net_restart(&self->net, RX));
	ASSERT_LE(0, t_net_give(&self->net, 0, 1500));
	ASSERT_EQ(VDEV_IDLE, t_net_process(&self->net, RX));
	EXPECT_EQ(3, self->net.queues[RX].used);
	EXPECT_EQ(0, check_generated(&self->net, 0, 4000, 3));
}

TEST_F(net, disabled_transmits_nothing_and_receives_nothing)
{
	START(0, 64, false);
	self->net.queues[RX].q.enabled = false;
	self->net.queues[TX].q.enabled = false;
	ASSERT_LE(0, t_net_give(&self->net, 0, 1500));
	ASSERT_LE(0, t_net_process(&self->net, RX));
	EXPECT_EQ(0, self->net.queues[RX].used);
	EXPECT_EQ(0, send(&self->net, &plain, 64));
	EXPECT_EQ(0, t_net_stats(&self->net).tx_packets);
	EXPECT_EQ(1, t_net_stats(&self->net).tx_discarded);
	self->net.queues[RX].q.enabled = true;
	ASSERT_EQ(VDEV_IDLE, t_net_process(&self->net, RX));
	EXPECT_EQ(0, check_generated(&self->net, 0, 64, 1));
}

static struct virtio_net_config read_config(struct t_net *net)
{
	struct virtio_net_config config = { 0 };

	net->vdev->ops->get_config(net->vdev->dev, 0, &config, sizeof(config));
	return config;
}

TEST(the_config_space_says_what_was_asked_for)
{
	static const uint8_t mac[6] = { 0x02, 1, 2, 3, 4, 5 };
	const struct t_net_config config = {
		.device = { .num_pairs = 2, .mac = mac, .mtu = 9000 },
	};
	struct virtio_net_config space;
	struct t_net net;
	int ret = t_net_start(&net, &config);
	uint8_t byte;

	if (ret == -EPERM || ret == -ENOSYS)
		SKIP(return, "io_uring is disabled: set kernel.io_uring_disabled=0");
	ASSERT_EQ(0, ret);
	space = read_config(&net);
	EXPECT_EQ(0, memcmp(mac, space.mac, sizeof(mac)));
	EXPECT_EQ(VIRTIO_NET_S_LINK_UP, le16toh(space.status));
	EXPECT_EQ(2, le16toh(space.max_virtqueue_pairs));
	EXPECT_EQ(9000, le16toh(space.mtu));
	EXPECT_EQ(BIT(VIRTIO_NET_F_MQ) | BIT(VIRTIO_NET_F_MAC),
		  net.vdev->features & (BIT(VIRTIO_NET_F_MQ) | BIT(VIRTIO_NET_F_MAC)));
	EXPECT_EQ(0, net.vdev->ops->get_config(net.vdev->dev, 5, &byte, 1));
	EXPECT_EQ(5, byte);
	EXPECT_EQ(-EINVAL, net.vdev->ops->get_config(net.vdev->dev, sizeof(space), &byte, 1));
	EXPECT_EQ(0, net.vdev->ops->set_mtu(net.vdev->dev, 1400));
	EXPECT_EQ(1400, le16toh(read_config(&net).mtu));
	t_net_stop(&net);
}

TEST(a_legacy_driver_has_shorter_headers)
{
	const struct t_net_config config = { .device = { .num_pairs = 1, .generate = 60 } };
	uint32_t lens[] = { sizeof(struct virtio_net_hdr) + 60 };
	uint32_t offset;
	struct t_net net;
	int ret = t_net_start(&net, &config);

	if (ret == -EPERM || ret == -ENOSYS)
		SKIP(return, "io_uring is disabled: set kernel.io_uring_disabled=0");
	ASSERT_EQ(0, ret);
	net.vdev->ops->set_features(net.vdev->dev, 0);
	offset = t_net_alloc(&net, lens[0]);
	ASSERT_EQ(0, t_net_add(&net, RX, offset, lens, 0, 1));
	ASSERT_EQ(VDEV_IDLE, t_net_process(&net, RX));
	EXPECT_EQ(lens[0], net.queues[RX].chains[0].written);
	EXPECT_EQ(59, net.mem[offset + lens[0] - 1]);
	ASSERT_EQ(0, t_net_add(&net, TX, t_net_alloc(&net, lens[0]), lens, 1, 0));
	ASSERT_EQ(VDEV_IDLE, t_net_process(&net, TX));
	EXPECT_EQ(60, t_net_stats(&net).tx_bytes);
	t_net_stop(&net);
}

TEST_HARNESS_MAIN
