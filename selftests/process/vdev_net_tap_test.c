// SPDX-License-Identifier: GPL-2.0-only
/*
 * The virtio-net device over a tap, in a network namespace of the test's own. The
 * host's end of the tap is a packet socket: what it sends the driver receives.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <linux/virtio_net.h>

#include <vringlab/link.h>
#include <vringlab/loop.h>

#include "kselftest_harness.h"
#include "t.h"
#include "t_fds.h"
#include "t_net.h"

#define TAP "vl0"
#define RX T_NET_RX(0)
#define TX T_NET_TX(0)
#define HDR_BYTES sizeof(struct virtio_net_hdr_v1)
#define BIT(bit) (UINT64_C(1) << (bit))

#define MERGEABLE BIT(VIRTIO_NET_F_MRG_RXBUF)
#define GUEST_OFFLOADS (BIT(VIRTIO_NET_F_GUEST_CSUM) | BIT(VIRTIO_NET_F_GUEST_TSO4))
#define HOST_OFFLOADS (BIT(VIRTIO_NET_F_CSUM) | BIT(VIRTIO_NET_F_HOST_TSO4))

/* Of the tests' packets; the namespace's own have others. */
#define ETHERTYPE 0x88b5

/* Of a TCP segment without options. */
#define HEADERS_BYTES (sizeof(struct ethhdr) + sizeof(struct iphdr) + sizeof(struct tcphdr))

static const struct virtio_net_hdr_v1 plain;
static uint8_t frame[VDEV_NET_FRAME_MAX];
static uint8_t got[VDEV_NET_FRAME_MAX];

FIXTURE(tap)
{
	struct t_net net;
	struct rtnl *rtnl;
	struct vl_err err;
	int fd;
};

FIXTURE_VARIANT(tap)
{
	bool packed;
	bool indirect;
	bool in_order;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(tap, split) { };
FIXTURE_VARIANT_ADD(tap, split_in_order) { .in_order = true };
FIXTURE_VARIANT_ADD(tap, packed) { .packed = true };
FIXTURE_VARIANT_ADD(tap, packed_in_order) { .packed = true, .in_order = true };
FIXTURE_VARIANT_ADD(tap, packed_indirect) { .packed = true, .indirect = true };
/* clang-format on */

/* With a header in front of each packet, as the tap has it. */
static int open_socket(const char *name, struct rtnl *rtnl)
{
	struct sockaddr_ll addr = { .sll_family = AF_PACKET };
	struct rtnl_link link;
	int fd, one = 1;

	if (rtnl_link_get(rtnl, name, &link, NULL))
		return -1;
	addr.sll_ifindex = link.index;
	addr.sll_protocol = htons(ETH_P_ALL);
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fd;
	if (setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)) ||
	    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) ||
	    bind(fd, (struct sockaddr *)&addr, sizeof(addr))) {
		close(fd);
		return -1;
	}
	return fd;
}

/* A frame of the tests' own, of which each byte is told from the others. */
static void fill_frame(uint32_t len, uint8_t seed)
{
	struct ethhdr eth = { .h_dest = { 2, 0, 0, 0, 0, 2 },
			      .h_source = { 2, 0, 0, 0, 0, 1 },
			      .h_proto = htons(ETHERTYPE) };

	for (uint32_t i = 0; i < len; i++)
		frame[i] = seed + i * 7 + (i >> 8);
	memcpy(frame, &eth, sizeof(eth));
}

static uint16_t csum_fold(const void *data, unsigned int len, uint32_t sum)
{
	const uint8_t *bytes = data;

	for (unsigned int i = 0; i < len; i += 2)
		sum += bytes[i] << 8 | bytes[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons(sum);
}

/* A TCP segment of @len bytes, to be cut, and its checksum to be finished. */
static void fill_segment(uint32_t len, struct virtio_net_hdr *hdr)
{
	uint32_t tcp_len = len - sizeof(struct ethhdr) - sizeof(struct iphdr);
	const uint16_t ethertype = htons(ETH_P_IP);
	struct iphdr ip = {
		.version = 4,
		.ihl = 5,
		.tot_len = htons(len - sizeof(struct ethhdr)),
		.ttl = 64,
		.protocol = IPPROTO_TCP,
		.saddr = htonl(0xc0000201),
		.daddr = htonl(0xc0000202),
	};
	struct tcphdr tcp = {
		.source = htons(1),
		.dest = htons(2),
		.doff = 5,
		.ack = 1,
		.window = htons(1000),
	};

	ip.check = ~csum_fold(&ip, sizeof(ip), 0);
	/* of the pseudo header, not inverted: whoever finishes it adds the rest */
	tcp.check = csum_fold(&ip.saddr, 8, IPPROTO_TCP + tcp_len);
	fill_frame(len, 0);
	memcpy(frame + offsetof(struct ethhdr, h_proto), &ethertype, sizeof(ethertype));
	memcpy(frame + sizeof(struct ethhdr), &ip, sizeof(ip));
	memcpy(frame + sizeof(struct ethhdr) + sizeof(ip), &tcp, sizeof(tcp));
	*hdr = (struct virtio_net_hdr){
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
		.hdr_len = htole16(HEADERS_BYTES),
		.gso_size = htole16(1400),
		.csum_start = htole16(sizeof(struct ethhdr) + sizeof(ip)),
		.csum_offset = htole16(offsetof(struct tcphdr, check)),
	};
}

static int start(FIXTURE_DATA(tap) * self, const FIXTURE_VARIANT(tap) * variant, uint64_t features,
		 unsigned int pairs)
{
	const struct t_net_config config = {
		.device = { .num_pairs = pairs, .tap = TAP },
		.features = features,
		.packed = variant->packed,
		.indirect = variant->indirect,
		.in_order = variant->in_order,
	};
	int ret = t_net_start(&self->net, &config);

	if (ret)
		return ret;
	self->fd = open_socket(TAP, self->rtnl);
	return self->fd < 0 ? -errno : 0;
}

/* In a test: not every machine has what it takes. */
#define START(features, pairs)                                                                \
	do {                                                                                  \
		int start_ret = start(self, variant, features, pairs);                        \
		if (start_ret == -ENOENT)                                                     \
			SKIP(return, "no tun in this kernel: modprobe tun");                  \
		if (start_ret == -EPERM || start_ret == -ENOSYS)                              \
			SKIP(return, "io_uring or tap not permitted: %s", self->net.err.msg); \
		ASSERT_EQ(0, start_ret) TH_LOG("%s", self->net.err.msg);                      \
	} while (0)

FIXTURE_SETUP(tap)
{
	memset(self, 0, sizeof(*self));
	self->fd = -1;
	if (unshare(CLONE_NEWNET))
		SKIP(return, "needs a network namespace of its own: run as root");
	ASSERT_EQ(0, rtnl_open(&self->rtnl, &self->err)) TH_LOG("%s", self->err.msg);
}

FIXTURE_TEARDOWN(tap)
{
	if (self->fd >= 0)
		close(self->fd);
	rtnl_close(self->rtnl);
	t_net_stop(&self->net);
}

/* To the driver, with a header. */
static int host_send(int fd, const struct virtio_net_hdr *hdr, uint32_t len)
{
	const struct iovec iov[] = {
		{ .iov_base = (void *)hdr, .iov_len = sizeof(*hdr) },
		{ .iov_base = frame, .iov_len = len },
	};

	return writev(fd, iov, 2) == (ssize_t)(sizeof(*hdr) + len) ? 0 : -errno;
}

static int host_send_plain(int fd, uint32_t len, uint8_t seed)
{
	const struct virtio_net_hdr hdr = { 0 };

	fill_frame(len, seed);
	return host_send(fd, &hdr, len);
}

/* From the driver: the next packet of this type; its bytes without the header. */
static int host_receive(int fd, uint16_t ethertype, struct virtio_net_hdr *hdr)
{
	const struct iovec iov[] = {
		{ .iov_base = hdr, .iov_len = sizeof(*hdr) },
		{ .iov_base = got, .iov_len = sizeof(got) },
	};

	for (;;) {
		int ret = t_poll_until(fd, T_DEADLINE_MS);
		ssize_t len;

		if (ret)
			return ret;
		len = readv(fd, iov, 2);
		if (len < 0)
			return -errno;
		if (((struct ethhdr *)got)->h_proto == htons(ethertype))
			return len - sizeof(*hdr);
	}
}

/*
 * To the driver: the next packet of this type. Others are the kernel's, which looks
 * for IPv6 neighbours.
 */
static int driver_receive(struct t_net *net, unsigned int pair, unsigned int *at,
			  uint16_t ethertype, struct virtio_net_hdr_v1 *hdr)
{
	for (;;) {
		int ret = t_net_run_until(net, T_NET_RX(pair), *at + 1);

		if (!ret)
			ret = t_net_received(net, pair, *at, hdr, got, sizeof(got));
		if (ret < 0)
			return ret;
		*at += le16toh(hdr->num_buffers);
		if (((struct ethhdr *)got)->h_proto == htons(ethertype))
			return ret;
	}
}

TEST_F(tap, sends_and_receives)
{
	struct virtio_net_hdr_v1 rx_hdr;
	struct virtio_net_hdr hdr;
	unsigned int at = 0;

	START(0, 1);
	for (unsigned int i = 0; i < 100; i++)
		ASSERT_LE(0, t_net_give(&self->net, 0, 1600));
	for (unsigned int i = 0; i < 10; i++) {
		uint32_t len = 60 + 160 * i;

		ASSERT_EQ(0, host_send_plain(self->fd, len, i));
		ASSERT_EQ((int)len, driver_receive(&self->net, 0, &at, ETHERTYPE, &rx_hdr));
		ASSERT_EQ(0, memcmp(frame, got, len));
		ASSERT_EQ(1, le16toh(rx_hdr.num_buffers));
		fill_frame(len, ~i);
		ASSERT_LE(0, t_net_send(&self->net, 0, &plain, frame, len));
		ASSERT_LE(0, t_net_process(&self->net, TX));
		ASSERT_EQ(i + 1, self->net.queues[TX].used);
		ASSERT_EQ((int)len, host_receive(self->fd, ETHERTYPE, &hdr));
		ASSERT_EQ(0, memcmp(frame, got, len));
	}
	EXPECT_EQ(10, t_net_stats(&self->net).tx_packets);
}

TEST_F(tap, sends_what_lies_in_many_pieces)
{
	uint32_t lens[30], total = 0, offset = 0;
	struct virtio_net_hdr hdr;

	START(0, 1);
	fill_frame(1500, 1);
	/* 15 pieces are sent from where they are, 30 are copied */
	for (unsigned int nr = 15; nr <= 30; nr += 15) {
		total = 0;
		for (unsigned int i = 0; i < nr; i++)
			total += lens[i] = i < HDR_BYTES ? 1 : 40 + i;
		offset = t_net_alloc(&self->net, total);
		memset(self->net.mem + offset, 0, HDR_BYTES);
		memcpy(self->net.mem + offset + HDR_BYTES, frame, total - HDR_BYTES);
		ASSERT_LE(0, t_net_add(&self->net, TX, offset, lens, nr, 0));
		ASSERT_LE(0, t_net_process(&self->net, TX));
		ASSERT_EQ(total - HDR_BYTES, host_receive(self->fd, ETHERTYPE, &hdr));
		EXPECT_EQ(0, memcmp(frame, got, total - HDR_BYTES));
	}
}

TEST_F(tap, leaves_checksum_and_segmentation_to_the_host)
{
	struct virtio_net_hdr_v1 tx_hdr = { 0 };
	struct virtio_net_hdr sent, hdr;
	uint32_t len = 60000;

	START(HOST_OFFLOADS, 1);
	fill_segment(len, &sent);
	memcpy(&tx_hdr, &sent, sizeof(sent));
	ASSERT_LE(0, t_net_send(&self->net, 0, &tx_hdr, frame, len));
	ASSERT_LE(0, t_net_process(&self->net, TX));
	ASSERT_EQ((int)len, host_receive(self->fd, ETH_P_IP, &hdr));
	EXPECT_EQ(0, memcmp(frame, got, len));
	EXPECT_EQ(VIRTIO_NET_HDR_GSO_TCPV4, hdr.gso_type);
	EXPECT_EQ(1400, le16toh(hdr.gso_size));
	EXPECT_TRUE(hdr.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM);
	EXPECT_EQ(1, t_net_stats(&self->net).tx_offloads);
}

TEST_F(tap, receives_a_long_segment_in_many_buffers)
{
	struct virtio_net_hdr_v1 rx_hdr;
	struct virtio_net_hdr hdr;
	uint32_t len = 60000;
	unsigned int at = 0;

	START(MERGEABLE | GUEST_OFFLOADS, 1);
	for (unsigned int i = 0; i < 100; i++)
		ASSERT_LE(0, t_net_give(&self->net, 0, 1526));
	fill_segment(len, &hdr);
	ASSERT_EQ(0, host_send(self->fd, &hdr, len));
	ASSERT_EQ((int)len, driver_receive(&self->net, 0, &at, ETH_P_IP, &rx_hdr))
	TH_LOG("%u", at);
	EXPECT_EQ(0, memcmp(frame, got, len));
	EXPECT_EQ((len + HDR_BYTES + 1525) / 1526, le16toh(rx_hdr.num_buffers));
	EXPECT_EQ(VIRTIO_NET_HDR_GSO_TCPV4, rx_hdr.gso_type);
	EXPECT_EQ(1400, le16toh(rx_hdr.gso_size));
	EXPECT_TRUE(rx_hdr.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM);
	EXPECT_EQ(1, t_net_stats(&self->net).rx_offloads);
}

TEST_F(tap, a_long_segment_waits_for_buffers_and_is_whole)
{
	struct virtio_net_hdr_v1 rx_hdr;
	struct virtio_net_hdr hdr;
	uint32_t len = 60000;
	unsigned int at = 0;

	START(MERGEABLE | GUEST_OFFLOADS, 1);
	fill_segment(len, &hdr);
	ASSERT_EQ(0, host_send(self->fd, &hdr, len));
	/* the kernel's own packets come before it and between */
	while (!t_net_stats(&self->net).rx_waits) {
		ASSERT_LE(0, t_net_give(&self->net, 0, 1526));
		ASSERT_LE(0, t_net_process(&self->net, RX));
		ASSERT_GT(50, self->net.queues[RX].nr_chains);
	}
	ASSERT_TRUE(vring_dev_empty(&self->net.queues[RX].dev));
	for (unsigned int i = 0; i < 60; i++)
		ASSERT_LE(0, t_net_give(&self->net, 0, 1526));
	ASSERT_EQ((int)len, driver_receive(&self->net, 0, &at, ETH_P_IP, &rx_hdr));
	EXPECT_EQ(0, memcmp(frame, got, len));
	EXPECT_EQ(0, t_net_stats(&self->net).rx_dropped);
}

TEST_F(tap, cuts_for_a_driver_that_cannot_take_long_segments)
{
	struct virtio_net_hdr_v1 rx_hdr;
	struct virtio_net_hdr hdr;
	unsigned int at = 0, left = 14000;

	START(MERGEABLE, 1);
	for (unsigned int i = 0; i < 100; i++)
		ASSERT_LE(0, t_net_give(&self->net, 0, 1526));
	fill_segment(HEADERS_BYTES + left, &hdr);
	ASSERT_EQ(0, host_send(self->fd, &hdr, HEADERS_BYTES + left));
	while (left) {
		ASSERT_EQ(HEADERS_BYTES + 1400,
			  driver_receive(&self->net, 0, &at, ETH_P_IP, &rx_hdr));
		EXPECT_EQ(0, rx_hdr.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM);
		EXPECT_EQ(VIRTIO_NET_HDR_GSO_NONE, rx_hdr.gso_type);
		left -= 1400;
	}
	EXPECT_EQ(0, t_net_stats(&self->net).rx_dropped);
}

TEST_F(tap, drops_a_packet_longer_than_the_buffer_and_keeps_the_buffer)
{
	struct virtio_net_hdr_v1 rx_hdr;
	unsigned int at = 0;

	START(0, 1);
	for (unsigned int i = 0; i < 50; i++)
		ASSERT_LE(0, t_net_give(&self->net, 0, HDR_BYTES + 512));
	ASSERT_EQ(0, host_send_plain(self->fd, 513, 1));
	ASSERT_EQ(0, host_send_plain(self->fd, 512, 2));
	ASSERT_EQ(512, driver_receive(&self->net, 0, &at, ETHERTYPE, &rx_hdr));
	EXPECT_EQ(0, memcmp(frame, got, 512));
	EXPECT_EQ(1, t_net_stats(&self->net).rx_dropped);
	/* not one buffer more than there were packets */
	EXPECT_EQ(t_net_stats(&self->net).rx_packets, self->net.queues[RX].used);
}

TEST_F(tap, drops_a_packet_that_all_buffers_cannot_hold_and_goes_on)
{
	uint64_t deadline_ns = loop_now_ns() + T_DEADLINE_MS * 1000000ull;
	struct virtio_net_hdr_v1 rx_hdr;
	struct virtio_net_hdr hdr;
	unsigned int at = 0;

	START(MERGEABLE | GUEST_OFFLOADS, 1);
	for (unsigned int i = 0; i < T_NET_NUM; i++)
		ASSERT_LE(0, t_net_give(&self->net, 0, 200));
	fill_segment(60000, &hdr);
	ASSERT_EQ(0, host_send(self->fd, &hdr, 60000));
	ASSERT_EQ(0, host_send_plain(self->fd, 1000, 3));
	/* what the kernel sent before has taken buffers: only a full ring is hopeless */
	while (!t_net_stats(&self->net).rx_dropped) {
		ASSERT_GT(deadline_ns, loop_now_ns());
		ASSERT_LE(0, t_net_process(&self->net, RX));
		while (self->net.queues[RX].nr_chains - self->net.queues[RX].used < T_NET_NUM)
			ASSERT_LE(0, t_net_give(&self->net, 0, 200));
	}
	ASSERT_EQ(1000, driver_receive(&self->net, 0, &at, ETHERTYPE, &rx_hdr));
	EXPECT_EQ(0, memcmp(frame, got, 1000));
	EXPECT_EQ(6, le16toh(rx_hdr.num_buffers));
}

TEST_F(tap, receives_nothing_after_it_was_stopped)
{
	struct t_net_queue *rx = &self->net.queues[RX];
	struct virtio_net_hdr_v1 rx_hdr;
	uint8_t before[4096];
	unsigned int at = 0;
	uint32_t offset;

	START(MERGEABLE, 1);
	ASSERT_LE(0, t_net_run_until(&self->net, RX, 0));
	offset = self->net.brk;
	ASSERT_LE(0, t_net_give(&self->net, 0, 4096));
	memcpy(before, self->net.mem + offset, sizeof(before));
	EXPECT_EQ(0, t_net_queue_stop(&self->net, RX));
	ASSERT_EQ(0, host_send_plain(self->fd, 1000, 4));
	ASSERT_EQ(VDEV_IDLE, t_net_process(&self->net, RX));
	EXPECT_EQ(0, memcmp(before, self->net.mem + offset, sizeof(before)));
	for (unsigned int i = 0; i < 50; i++)
		ASSERT_LE(0, t_net_give(&self->net, 0, 4096));
	self->net.vdev->ops->resume(self->net.vdev->dev, &rx->q);
	ASSERT_EQ(1000, driver_receive(&self->net, 0, &at, ETHERTYPE, &rx_hdr));
	EXPECT_EQ(0, memcmp(frame, got, 1000));
}

/* The tap's fd, for this process has only one. */
static int find_tap(void)
{
	char path[64], target[64];

	for (int fd = 3; fd < 64; fd++) {
		ssize_t len;

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		len = readlink(path, target, sizeof(target) - 1);
		if (len > 0 && !strncmp(target, "/dev/net/tun", len))
			return fd;
	}
	return -1;
}

/*
 * A tap's buffer is full only when somebody has made it small and something behind it
 * is slow. A socket in the tap's place is full at will.
 */
TEST_F(tap, waits_until_there_is_room_and_loses_nothing)
{
	struct vring_dev *vq = &self->net.queues[TX].dev;
	int ends[2], fd;

	START(0, 1);
	fd = find_tap();
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends));
	while (send(ends[0], frame, 1000, 0) == 1000)
		;
	ASSERT_EQ(fd, dup2(ends[0], fd));
	for (unsigned int i = 0; i < 3; i++) {
		fill_frame(100 + i, i);
		ASSERT_LE(0, t_net_send(&self->net, 0, &plain, frame, 100 + i));
	}
	ASSERT_EQ(VDEV_WAITING, t_net_process(&self->net, TX));
	EXPECT_EQ(0, self->net.queues[TX].used);
	EXPECT_EQ(0, vring_dev_in_flight(vq));
	while (recv(ends[1], got, sizeof(got), 0) == 1000)
		;
	ASSERT_EQ(0, t_net_run_until(&self->net, TX, 3));
	for (unsigned int i = 0; i < 3; i++) {
		fill_frame(100 + i, i);
		ASSERT_EQ(HDR_BYTES + 100 + i, recv(ends[1], got, sizeof(got), 0));
		EXPECT_EQ(0, memcmp(frame, got + HDR_BYTES, 100 + i));
	}
	EXPECT_EQ(3, t_net_stats(&self->net).tx_packets);
	EXPECT_EQ(0, t_net_stats(&self->net).tx_failed);
	close(ends[0]);
	close(ends[1]);
}

TEST_F(tap, each_pair_is_a_queue_of_the_tap)
{
	struct virtio_net_hdr_v1 rx_hdr;
	struct virtio_net_hdr hdr;
	unsigned int at[2] = { 0 };

	START(BIT(VIRTIO_NET_F_MQ), 2);
	for (unsigned int i = 0; i < 50; i++)
		for (unsigned int pair = 0; pair < 2; pair++)
			ASSERT_LE(0, t_net_give(&self->net, pair, 1600));
	for (unsigned int pair = 0; pair < 2; pair++) {
		fill_frame(100 + pair, pair);
		ASSERT_LE(0, t_net_send(&self->net, pair, &plain, frame, 100 + pair));
		ASSERT_LE(0, t_net_process(&self->net, T_NET_TX(pair)));
		ASSERT_EQ((int)(100 + pair), host_receive(self->fd, ETHERTYPE, &hdr));
	}
	/* the only pair that is enabled gets all, whatever the kernel would choose */
	for (unsigned int pair = 0; pair < 2; pair++) {
		for (unsigned int i = 0; i < 2; i++) {
			self->net.queues[T_NET_RX(i)].q.enabled = i == pair;
			ASSERT_LE(0, t_net_process(&self->net, T_NET_RX(i)));
		}
		for (unsigned int i = 0; i < 10; i++) {
			ASSERT_EQ(0, host_send_plain(self->fd, 60 + i, i));
			ASSERT_EQ((int)(60 + i),
				  driver_receive(&self->net, pair, &at[pair], ETHERTYPE, &rx_hdr));
			ASSERT_EQ(0, memcmp(frame, got, 60 + i));
		}
	}
}

TEST_F(tap, announces_an_address)
{
	static const uint8_t mac[6] = { 0x02, 5, 4, 3, 2, 1 };
	struct virtio_net_hdr hdr;

	START(0, 1);
	ASSERT_EQ(0, self->net.vdev->ops->send_rarp(self->net.vdev->dev, mac));
	ASSERT_EQ(60, host_receive(self->fd, ETH_P_RARP, &hdr));
	EXPECT_EQ(0, memcmp(mac, ((struct ethhdr *)got)->h_source, 6));
	/* sender's hardware address, after 8 bytes of what they are */
	EXPECT_EQ(0, memcmp(mac, got + 14 + 8, 6));
}

TEST_F(tap, the_driver_is_told_the_mtu_and_of_the_end)
{
	uint64_t deadline_ns = loop_now_ns() + T_DEADLINE_MS * 1000000ull;
	struct virtio_net_config config;
	struct rtnl_link link;

	START(0, 1);
	ASSERT_EQ(0, self->net.vdev->ops->set_mtu(self->net.vdev->dev, 1300));
	ASSERT_EQ(0, rtnl_link_get(self->rtnl, TAP, &link, &self->err));
	EXPECT_EQ(1300, link.mtu);
	ASSERT_EQ(0, rtnl_link_del(self->rtnl, TAP, &self->err));
	while (!self->net.changed)
		ASSERT_EQ(0, loop_run_once(self->net.loop, deadline_ns));
	ASSERT_EQ(0,
		  self->net.vdev->ops->get_config(self->net.vdev->dev, 0, &config, sizeof(config)));
	EXPECT_EQ(1300, le16toh(config.mtu));
	EXPECT_EQ(0, le16toh(config.status));
	/* the driver goes on, to nowhere */
	fill_frame(60, 0);
	ASSERT_LE(0, t_net_send(&self->net, 0, &plain, frame, 60));
	ASSERT_EQ(VDEV_IDLE, t_net_process(&self->net, TX));
	EXPECT_EQ(1, t_net_stats(&self->net).tx_failed);
}

/* The wake-up can come too early: then only the driver's own packets tell. */
TEST_F(tap, whose_end_woke_nobody_is_missed_by_what_is_sent)
{
	struct virtio_net_config config;

	START(0, 1);
	ASSERT_EQ(0, rtnl_link_del(self->rtnl, TAP, &self->err));
	/* without the loop, which would be told */
	EXPECT_EQ(0, self->net.changed);
	fill_frame(60, 0);
	ASSERT_LE(0, t_net_send(&self->net, 0, &plain, frame, 60));
	ASSERT_EQ(VDEV_IDLE, t_net_process(&self->net, TX));
	EXPECT_EQ(1, self->net.changed);
	EXPECT_EQ(1, t_net_stats(&self->net).tx_failed);
	ASSERT_EQ(0,
		  self->net.vdev->ops->get_config(self->net.vdev->dev, 0, &config, sizeof(config)));
	EXPECT_EQ(0, le16toh(config.status));
}

TEST_F(tap, that_cannot_be_configured_leaves_nothing_open)
{
	const struct vdev_net_config wrong[] = {
		{ .num_pairs = 1, .tap = "vl1", .address = "nowhere" },
		{ .num_pairs = 1, .tap = "vl1", .bridge = "lo" },
	};
	struct rtnl_link link;
	struct vdev *vdev;
	int fds;

	START(0, 1);
	fds = t_fds_count(0);
	for (unsigned int i = 0; i < 2; i++) {
		EXPECT_GT(0, vdev_net_create(&vdev, self->net.loop, &wrong[i], &self->err));
		EXPECT_EQ(fds, t_fds_count(0)) TH_LOG("%s", self->err.msg);
		EXPECT_EQ(-ENODEV, rtnl_link_get(self->rtnl, "vl1", &link, &self->err));
	}
}

TEST_HARNESS_MAIN
