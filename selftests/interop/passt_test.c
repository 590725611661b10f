// SPDX-License-Identifier: GPL-2.0-only
/*
 * Our front-end on passt: a guest that we are asks for an address, and talks to a
 * socket of a network namespace of ours.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/ethernet.h>
#include <netinet/if_ether.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/virtio_net.h>

#include <vringlab/link.h>

#include "kselftest_harness.h"
#include "t_foreign.h"

#define VERSION_1 (1ull << 32)
/* MQ, REPLY_ACK */
#define PROTOCOL (1ull << 0 | 1ull << 3)

enum { RX, TX, QUEUES };

/* Documentation addresses; GATEWAY is 127.0.0.1 of passt's namespace. */
#define GUEST "192.0.2.2"
#define GATEWAY "192.0.2.1"
#define GUEST_PORT 40000u
#define HOST_PORT 7777u

#define FRAME_MAX 2048u

static const uint8_t guest_mac[ETH_ALEN] = { 0x52, 0x54, 0, 1, 2, 3 };

struct dhcp {
	uint8_t op, htype, hlen, hops;
	uint32_t xid;
	uint16_t secs, flags;
	uint32_t ciaddr, yiaddr, siaddr, giaddr;
	uint8_t chaddr[16], sname[64], file[128];
	uint32_t cookie;
	uint8_t options[64];
};

#define DHCP_COOKIE 0x63825363u
#define DHCP_XID 0x12345678u

/* A frame with IPv4 and UDP in it, as it is in a buffer of the device's. */
struct frame {
	struct virtio_net_hdr_mrg_rxbuf vnet;
	struct ether_header eth;
	union {
		struct ether_arp arp;
		struct {
			struct iphdr ip;
			struct udphdr udp;
			uint8_t data[FRAME_MAX];
		} __attribute__((packed));
	};
} __attribute__((packed));

#define ETHER_BYTES (sizeof(struct virtio_net_hdr_mrg_rxbuf) + sizeof(struct ether_header))
#define HEADER_BYTES (ETHER_BYTES + sizeof(struct iphdr) + sizeof(struct udphdr))

FIXTURE(passt)
{
	struct t_foreign b;
	uint8_t mac[ETH_ALEN];
};

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), ret = 0;

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

/* A network namespace with nothing but lo; without privilege in a user namespace. */
static int enter_namespace(void)
{
	char uid[32], gid[32];
	struct rtnl *rtnl;
	int ret;

	snprintf(uid, sizeof(uid), "0 %u 1", getuid());
	snprintf(gid, sizeof(gid), "0 %u 1", getgid());
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET))
		return -errno;
	if (write_file("/proc/self/setgroups", "deny") || write_file("/proc/self/uid_map", uid) ||
	    write_file("/proc/self/gid_map", gid))
		return -EPERM;
	ret = rtnl_open(&rtnl, NULL);
	if (ret)
		return ret;
	ret = rtnl_link_set_up(rtnl, "lo", true, NULL);
	rtnl_close(rtnl);
	return ret;
}

/* The guest has a buffer for the next frame, always. */
static int post_buffer(FIXTURE_DATA(passt) * self)
{
	struct t_ring *ring = &self->b.rings[RX];
	const struct vring_buf buf = { T_RING_GPA + ring->base + T_RING_IN, sizeof(struct frame) };
	int ret = vring_drv_add(&ring->drv, &buf, 0, 1);

	return ret < 0 ? ret : t_ring_kick(ring);
}

/* Bytes of a datagram, as it says itself: a short frame is padded. */
static int datagram_bytes(const struct frame *f, uint32_t written)
{
	const uint32_t len = ntohs(f->udp.len);

	if (len < sizeof(f->udp) || HEADER_BYTES + len - sizeof(f->udp) > written)
		return -EBADMSG;
	return (int)(len - sizeof(f->udp));
}

/* The next frame of this type and, in IPv4, for this port; others are not for us. */
static int receive_frame(FIXTURE_DATA(passt) * self, uint16_t type, uint16_t port, struct frame *f)
{
	struct t_ring *ring = &self->b.rings[RX];
	uint32_t written;
	int ret;

	for (;;) {
		ret = t_ring_wait(ring, &written, T_DEADLINE_MS);
		if (ret < 0)
			return ret;
		memcpy(f, ring->mem + T_RING_IN, sizeof(*f));
		ret = post_buffer(self);
		if (ret)
			return ret;
		if (written < ETHER_BYTES || written > sizeof(*f))
			return -EBADMSG;
		if (ntohs(f->eth.ether_type) != type)
			continue;
		if (type == ETHERTYPE_ARP)
			return (int)written;
		if (written >= HEADER_BYTES && f->ip.protocol == IPPROTO_UDP &&
		    ntohs(f->udp.dest) == port)
			return datagram_bytes(f, written);
	}
}

static int send_frame(FIXTURE_DATA(passt) * self, struct frame *f, size_t len)
{
	memcpy(f->eth.ether_shost, guest_mac, ETH_ALEN);
	return t_ring_request(&self->b.rings[TX], f, len, NULL, 0, T_DEADLINE_MS);
}

static uint16_t ip_checksum(const struct iphdr *ip)
{
	const uint8_t *bytes = (const uint8_t *)ip;
	uint32_t sum = 0;

	for (unsigned int i = 0; i < sizeof(*ip); i += 2)
		sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	return htons(~(sum + (sum >> 16)) & 0xffff);
}

/* A datagram; IPv4 lets it go without a checksum. */
static int send_udp(FIXTURE_DATA(passt) * self, const char *from, uint16_t from_port,
		    const char *to, uint16_t to_port, const void *data, size_t len)
{
	struct iphdr ip = { .version = 4,
			    .ihl = 5,
			    .tot_len = htons(sizeof(ip) + sizeof(struct udphdr) + len),
			    .ttl = 64,
			    .protocol = IPPROTO_UDP,
			    .saddr = inet_addr(from),
			    .daddr = inet_addr(to) };
	struct frame f = { .eth.ether_type = htons(ETHERTYPE_IP) };

	memcpy(f.eth.ether_dhost, self->mac, ETH_ALEN);
	ip.check = ip_checksum(&ip);
	f.ip = ip;
	f.udp.source = htons(from_port);
	f.udp.dest = htons(to_port);
	f.udp.len = htons(sizeof(f.udp) + len);
	memcpy(f.data, data, len);
	return send_frame(self, &f, HEADER_BYTES + len);
}

/* Who has the gateway's address? */
static int resolve(FIXTURE_DATA(passt) * self)
{
	struct frame f = { .eth.ether_type = htons(ETHERTYPE_ARP) };
	const in_addr_t guest = inet_addr(GUEST), gateway = inet_addr(GATEWAY);
	int ret;

	memset(f.eth.ether_dhost, 0xff, ETH_ALEN);
	f.arp.arp_hrd = htons(ARPHRD_ETHER);
	f.arp.arp_pro = htons(ETHERTYPE_IP);
	f.arp.arp_hln = ETH_ALEN;
	f.arp.arp_pln = sizeof(in_addr_t);
	f.arp.arp_op = htons(ARPOP_REQUEST);
	memcpy(f.arp.arp_sha, guest_mac, ETH_ALEN);
	memcpy(f.arp.arp_spa, &guest, sizeof(guest));
	memcpy(f.arp.arp_tpa, &gateway, sizeof(gateway));
	ret = send_frame(self, &f, ETHER_BYTES + sizeof(f.arp));
	if (!ret)
		ret = receive_frame(self, ETHERTYPE_ARP, 0, &f);
	if (ret < 0)
		return ret;
	if (ntohs(f.arp.arp_op) != ARPOP_REPLY ||
	    memcmp(f.arp.arp_spa, &gateway, sizeof(gateway)) ||
	    memcmp(f.arp.arp_tha, guest_mac, ETH_ALEN))
		return -EBADMSG;
	memcpy(self->mac, f.arp.arp_sha, ETH_ALEN);
	return 0;
}

static int start(FIXTURE_DATA(passt) * self)
{
	const char *const argv[] = { t_peers(),	    "run",	    "passt",	"--foreground",
				     "--quiet",	    "--vhost-user", "--socket", self->b.socket,
				     "--ipv4-only", "--address",    GUEST,	"--netmask",
				     "24",	    "--gateway",    GATEWAY,	NULL };

	return t_foreign_start(&self->b, argv);
}

FIXTURE_SETUP(passt)
{
	const struct vu_frontend_wish wish = { .required = VERSION_1, .protocol = PROTOCOL };
	char text[256];
	int missing;

	memset(self, 0, sizeof(*self));
	memset(self->mac, 0xff, ETH_ALEN);
	missing = t_newer_version("passt", text, sizeof(text));
	printf("# pairing: vringlab's front-end library -> passt %s\n", missing ? "newer" : text);
	if (missing)
		SKIP(return, "%s", text);
	if (enter_namespace())
		SKIP(return, "no network namespace: run as root, or allow user namespaces");
	ASSERT_EQ(0, t_foreign_init(&self->b));
	ASSERT_EQ(0, start(self))
	{
		TH_LOG("%s; %s", self->b.err.msg, t_foreign_said(&self->b, text, sizeof(text)));
	}
	ASSERT_EQ(0, t_foreign_open(&self->b, &wish, QUEUES)) TH_LOG("%s", self->b.err.msg);
	ASSERT_EQ(0, post_buffer(self));
}

FIXTURE_TEARDOWN(passt)
{
	t_foreign_exit(&self->b);
}

TEST_F(passt, answers_who_has_the_gateways_address)
{
	EXPECT_EQ(0, resolve(self));
}

/* The first byte of an option, -1 if it is not there. */
static int dhcp_option(const struct dhcp *dhcp, uint8_t option)
{
	const uint8_t *options = dhcp->options;

	for (unsigned int i = 0; i + 2 < sizeof(dhcp->options); i += 2 + options[i + 1])
		if (options[i] == option)
			return options[i + 2];
	return -1;
}

TEST_F(passt, offers_an_address)
{
	struct dhcp dhcp = { .op = 1,
			     .htype = ARPHRD_ETHER,
			     .hlen = ETH_ALEN,
			     .xid = DHCP_XID,
			     .cookie = htonl(DHCP_COOKIE),
			     /* message type: discover; end */
			     .options = { 53, 1, 1, 255 } };
	struct frame f;

	memcpy(dhcp.chaddr, guest_mac, ETH_ALEN);
	ASSERT_EQ(0, send_udp(self, "0.0.0.0", 68, "255.255.255.255", 67, &dhcp, sizeof(dhcp)));
	ASSERT_LT(0, receive_frame(self, ETHERTYPE_IP, 68, &f));
	memcpy(&dhcp, f.data, sizeof(dhcp));
	EXPECT_EQ(2, dhcp.op);
	EXPECT_EQ(DHCP_XID, dhcp.xid);
	EXPECT_EQ(inet_addr(GUEST), dhcp.yiaddr);
	/* message type: offer */
	EXPECT_EQ(2, dhcp_option(&dhcp, 53));
}

TEST_F(passt, carries_datagrams_both_ways)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(HOST_PORT) };
	int host = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	uint8_t sent[1400], got[1400];
	socklen_t len = sizeof(addr);
	struct frame f;

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ASSERT_LE(0, host);
	ASSERT_EQ(0, bind(host, (struct sockaddr *)&addr, sizeof(addr)));
	ASSERT_EQ(0, resolve(self));
	for (unsigned int i = 0; i < 3 * T_RING_NUM; i++) {
		const size_t size = 1 + i * 601 % sizeof(sent);

		memset(sent, (int)i, size);
		ASSERT_EQ(0, send_udp(self, GUEST, GUEST_PORT, GATEWAY, HOST_PORT, sent, size));
		ASSERT_EQ(0, t_poll_until(host, T_DEADLINE_MS));
		ASSERT_EQ((ssize_t)size,
			  recvfrom(host, got, sizeof(got), 0, (struct sockaddr *)&addr, &len));
		ASSERT_EQ(0, memcmp(sent, got, size));
		memset(sent, (int)~i, size);
		ASSERT_EQ((ssize_t)size,
			  sendto(host, sent, size, 0, (struct sockaddr *)&addr, len));
		ASSERT_EQ((int)size, receive_frame(self, ETHERTYPE_IP, GUEST_PORT, &f));
		ASSERT_EQ(0, memcmp(sent, f.data, size));
	}
	close(host);
}

TEST_HARNESS_MAIN
