// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost in the kernel behind a transport of ours, without a guest: packets through a
 * tap in both directions and on several pairs, a tap that is pulled out, connections
 * of vsock, and what is said where there is no vhost, or it may not be used.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_vsock.h>
#include <linux/vm_sockets.h>

#include <vringlab/backend_vhost.h>

#include "kselftest_harness.h"
#include "t.h"
#include "t_fds.h"
#include "t_driver.h"
#include "t_vhost.h"

#define BIT(bit) (UINT64_C(1) << (bit))
#define TAP "vltap"
#define RX 0u
#define TX 1u
#define HDR_BYTES sizeof(struct virtio_net_hdr_v1)
#define BUF_BYTES 2048u
#define PAIRS 2u
#define CONTROL (2 * PAIRS)
#define CID 42u

/* Of no protocol that the kernel would answer. */
#define ETHERTYPE 0x88b5

FIXTURE(vhost)
{
	struct t_driver t;
	struct rtnl *rtnl;
	struct vl_err err;
	int socket;
	int fds_before;
};

FIXTURE_VARIANT(vhost)
{
	uint64_t features;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(vhost, plain) { };
FIXTURE_VARIANT_ADD(vhost, event_idx) { .features = BIT(VIRTIO_RING_F_EVENT_IDX) };
FIXTURE_VARIANT_ADD(vhost, mergeable) { .features = BIT(VIRTIO_NET_F_MRG_RXBUF) };
/* clang-format on */

FIXTURE_SETUP(vhost)
{
	int ret;

	memset(self, 0, sizeof(*self));
	self->socket = -1;
	self->fds_before = t_fds_count(getpid());
	if (geteuid() || unshare(CLONE_NEWNET))
		SKIP(return, "needs a network namespace of its own: run as root");
	ret = t_driver_init(&self->t);
	if (ret == -EPERM || ret == -ENOSYS)
		SKIP(return, "io_uring is disabled: set kernel.io_uring_disabled=0");
	ASSERT_EQ(0, ret) TH_LOG("%s", self->t.err.msg);
	ASSERT_EQ(0, rtnl_open(&self->rtnl, &self->err)) TH_LOG("%s", self->err.msg);
}

FIXTURE_TEARDOWN(vhost)
{
	if (self->socket >= 0)
		close(self->socket);
	rtnl_close(self->rtnl);
	t_driver_exit(&self->t);
	EXPECT_EQ(self->fds_before, t_fds_count(getpid()));
}

static struct backend_vhost_net_config net_config(unsigned int num_pairs)
{
	return (struct backend_vhost_net_config){
		.name = "net0",
		.tap = TAP,
		.net = { .num_pairs = num_pairs, .has_mac = true, .mac = { 2, 0, 0, 0, 0, 7 } },
	};
}

static int create_net(struct t_driver *t, unsigned int num_pairs)
{
	const struct backend_vhost_net_config config = net_config(num_pairs);

	return backend_vhost_net_create(&t->be, &t->host, &config, &t->err);
}

/* The host's end of the tap. */
static int open_socket(struct rtnl *rtnl)
{
	struct sockaddr_ll addr = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	struct rtnl_link link;
	int fd, one = 1;

	if (rtnl_link_get(rtnl, TAP, &link, NULL))
		return -1;
	addr.sll_ifindex = link.index;
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (fd >= 0 && (setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) ||
			bind(fd, (struct sockaddr *)&addr, sizeof(addr)))) {
		close(fd);
		return -1;
	}
	return fd;
}

static bool has_vhost(const char *path)
{
	return !access(path, F_OK);
}

static int start_net(FIXTURE_DATA(vhost) * self, uint64_t features, unsigned int num_pairs)
{
	int ret = create_net(&self->t, num_pairs);

	features |= BIT(VIRTIO_NET_F_MQ) | BIT(VIRTIO_NET_F_CTRL_VQ);
	if (!ret)
		ret = t_driver_start(&self->t, features,
				     (1u << (2 * num_pairs + (num_pairs > 1))) - 1);
	if (ret)
		return ret;
	self->socket = open_socket(self->rtnl);
	return self->socket < 0 ? -errno : 0;
}

#define START_NET(num_pairs)                                                                  \
	do {                                                                                  \
		if (!has_vhost(BACKEND_VHOST_NET_PATH))                                       \
			SKIP(return, "needs " BACKEND_VHOST_NET_PATH ": modprobe vhost_net"); \
		ASSERT_EQ(0, start_net(self, variant->features, num_pairs))                   \
		{                                                                             \
			TH_LOG("%s", self->t.err.msg);                                        \
		}                                                                             \
	} while (0)

static void fill(uint8_t *frame, uint32_t len, uint8_t seed)
{
	const struct ethhdr eth = {
		.h_dest = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff },
		.h_source = { 2, 0, 0, 0, 0, 1 },
		.h_proto = htons(ETHERTYPE),
	};

	for (uint32_t i = 0; i < len; i++)
		frame[i] = seed + i * 7 + (i >> 8);
	memcpy(frame, &eth, sizeof(eth));
}

/* A datagram of another flow each. */
static void fill_flow(uint8_t *frame, uint32_t len, uint16_t flow)
{
	const struct iphdr ip = {
		.version = 4,
		.ihl = 5,
		.tot_len = htons(len - sizeof(struct ethhdr)),
		.ttl = 64,
		.protocol = IPPROTO_UDP,
		.saddr = htonl(0xc0000201),
		.daddr = htonl(0xc0000202),
	};
	const struct udphdr udp = { .source = htons(1000 + flow), .dest = htons(9) };
	const uint16_t ethertype = htons(ETH_P_IP);

	fill(frame, len, flow);
	memcpy(frame + offsetof(struct ethhdr, h_proto), &ethertype, sizeof(ethertype));
	memcpy(frame + sizeof(struct ethhdr), &ip, sizeof(ip));
	memcpy(frame + sizeof(struct ethhdr) + sizeof(ip), &udp, sizeof(udp));
}

static int transmit(struct t_driver *t, unsigned int queue, const uint8_t *frame, uint32_t len)
{
	const struct vring_buf buf = { .gpa = t_driver_alloc(t, HDR_BYTES + len),
				       .len = HDR_BYTES + len };
	uint8_t *bytes = t_driver_at(t, buf.gpa);

	memset(bytes, 0, HDR_BYTES);
	memcpy(bytes + HDR_BYTES, frame, len);
	return t_driver_add(t, queue, &buf, 1, 0, 0);
}

static int give(struct t_driver *t, unsigned int queue)
{
	const struct vring_buf buf = { .gpa = t_driver_alloc(t, BUF_BYTES), .len = BUF_BYTES };

	return t_driver_add(t, queue, &buf, 0, 1, buf.gpa);
}

/* Takes frames off the socket until it is this one. */
static bool arrives(int fd, const uint8_t *frame, uint32_t len)
{
	uint8_t got[BUF_BYTES];

	while (!t_poll_until(fd, T_DEADLINE_MS)) {
		ssize_t n = recv(fd, got, sizeof(got), 0);

		if (n == (ssize_t)len && !memcmp(got, frame, len))
			return true;
	}
	return false;
}

struct wanted {
	struct t_driver *t;
	const uint8_t *frame;
	uint32_t len;
	unsigned int seen;
	unsigned int queue_seen[T_DRIVER_QUEUES_MAX];
	bool any_flow;
};

static void on_used(void *ctx, unsigned int queue, uint64_t token, uint32_t written)
{
	struct wanted *w = ctx;
	const uint8_t *bytes = token ? t_driver_at(w->t, token) : NULL;

	if (!bytes || written != HDR_BYTES + w->len)
		return;
	if (w->any_flow ? memcmp(bytes + HDR_BYTES + 6, "\2\0\0\0\0\1", 6) :
			  memcmp(bytes + HDR_BYTES, w->frame, w->len))
		return;
	w->seen++;
	w->queue_seen[queue]++;
}

TEST_F(vhost, net_frames_arrive_in_both_directions)
{
	uint8_t frame[1500];
	struct wanted w = { .t = &self->t, .frame = frame };

	START_NET(1);
	self->t.on_used = on_used;
	self->t.ctx = &w;
	for (unsigned int n = 0; n < 50; n++) {
		w.len = 64 + n * 28;
		fill(frame, w.len, n);
		ASSERT_EQ(0, transmit(&self->t, TX, frame, w.len));
		ASSERT_TRUE(arrives(self->socket, frame, w.len));
		ASSERT_EQ(0, give(&self->t, RX));
		ASSERT_EQ(w.len, send(self->socket, frame, w.len, 0));
		/* the host has something to say of its own now and then */
		while (w.seen <= n) {
			if (self->t.queues[RX].used == self->t.queues[RX].added) {
				ASSERT_EQ(0, give(&self->t, RX));
			}
			ASSERT_EQ(0, t_driver_run_once(&self->t));
		}
		/* and the driver begins anew in the middle of it */
		if (n != 25)
			continue;
		t_driver_reset(&self->t);
		ASSERT_EQ(0, t_driver_start(&self->t, variant->features, 3));
	}
	EXPECT_EQ(0, self->t.failed);
}

/* A frame of each flow through the tap, until the driver has them all. */
static int receive_flows(FIXTURE_DATA(vhost) * self, struct wanted *w, uint16_t flows)
{
	unsigned int until = w->seen + flows;
	uint8_t frame[128];
	int ret = 0;

	for (uint16_t flow = 0; flow < flows; flow++) {
		fill_flow(frame, sizeof(frame), flow);
		if (send(self->socket, frame, sizeof(frame), 0) != sizeof(frame))
			return -errno;
	}
	while (!ret && w->seen < until)
		ret = t_driver_run_once(&self->t);
	return ret;
}

TEST_F(vhost, net_spreads_flows_over_the_pairs_that_are_in_use)
{
	uint8_t frame[128];
	struct wanted w = { .t = &self->t, .frame = frame, .len = sizeof(frame), .any_flow = true };

	START_NET(PAIRS);
	self->t.on_used = on_used;
	self->t.ctx = &w;
	for (unsigned int n = 0; n < 60; n++) {
		ASSERT_EQ(0, give(&self->t, 0));
		ASSERT_EQ(0, give(&self->t, 2));
	}
	ASSERT_EQ(0, receive_flows(self, &w, 20));
	EXPECT_EQ(0, w.queue_seen[2]);
	ASSERT_EQ(VIRTIO_NET_OK, t_driver_set_pairs(&self->t, CONTROL, 2));
	ASSERT_EQ(0, receive_flows(self, &w, 32));
	EXPECT_LT(0, w.queue_seen[2]);
	EXPECT_LT(20, w.queue_seen[0]);
	fill(frame, sizeof(frame), 1);
	ASSERT_EQ(0, transmit(&self->t, 3, frame, sizeof(frame)));
	EXPECT_TRUE(arrives(self->socket, frame, sizeof(frame)));
	EXPECT_EQ(VIRTIO_NET_ERR, t_driver_set_pairs(&self->t, CONTROL, 3));
}

TEST_F(vhost, net_whose_tap_is_pulled_out_has_a_link_that_is_down)
{
	struct virtio_net_config space = { 0 };
	uint8_t frame[128];

	START_NET(1);
	self->t.be->ops->get_config(self->t.be, 0, &space, self->t.be->config_size);
	EXPECT_EQ(VIRTIO_NET_S_LINK_UP, le16toh(space.status));
	EXPECT_EQ(1500, le16toh(space.mtu));
	EXPECT_EQ(7, space.mac[5]);
	fill(frame, sizeof(frame), 1);
	for (unsigned int n = 0; n < 32; n++) {
		ASSERT_EQ(0, transmit(&self->t, TX, frame, sizeof(frame)));
	}
	ASSERT_EQ(0, rtnl_link_del(self->rtnl, TAP, &self->err)) TH_LOG("%s", self->err.msg);
	for (unsigned int n = 0; n < 32; n++) {
		ASSERT_EQ(0, transmit(&self->t, TX, frame, sizeof(frame)));
	}
	while (!self->t.config_changed) {
		ASSERT_EQ(0, t_driver_run_once(&self->t));
	}
	self->t.be->ops->get_config(self->t.be, 0, &space, self->t.be->config_size);
	EXPECT_EQ(0, le16toh(space.status));
	EXPECT_EQ(1, self->t.warned);
	EXPECT_STREQ("net0: the tap 'vltap' is gone: the link is down", self->t.warning.msg);
	EXPECT_EQ(0, self->t.failed) TH_LOG("%s", self->t.failure.msg);
	/* the driver may go on, to nowhere */
	t_driver_reset(&self->t);
	EXPECT_EQ(0, t_driver_start(&self->t, variant->features, 3)) TH_LOG("%s", self->t.err.msg);
}

TEST_F(vhost, net_whose_tap_is_down_is_no_device_that_needs_a_reset)
{
	uint8_t frame[128];

	START_NET(1);
	fill(frame, sizeof(frame), 1);
	ASSERT_EQ(0, rtnl_link_set_up(self->rtnl, TAP, false, &self->err));
	for (unsigned int n = 0; n < 32; n++) {
		ASSERT_EQ(0, transmit(&self->t, TX, frame, sizeof(frame)));
	}
	ASSERT_EQ(0, t_driver_run_until(&self->t, TX, 32));
	while (!loop_run_once(self->t.loop, loop_now_ns() + 1000000))
		;
	EXPECT_EQ(0, self->t.failed) TH_LOG("%s", self->t.failure.msg);
}

TEST_F(vhost, net_whose_tap_was_down_loses_nothing_more)
{
	struct wanted w = { .t = &self->t, .any_flow = true, .len = 128 };
	uint8_t frame[128];

	START_NET(1);
	self->t.on_used = on_used;
	self->t.ctx = &w;
	for (unsigned int n = 0; n < 64; n++) {
		ASSERT_EQ(0, give(&self->t, RX));
	}
	for (uint8_t round = 1; round <= 8; round++) {
		fill(frame, sizeof(frame), round);
		ASSERT_EQ(0, rtnl_link_set_up(self->rtnl, TAP, false, &self->err));
		for (unsigned int n = 0; n < 8; n++) {
			ASSERT_EQ(0, transmit(&self->t, TX, frame, sizeof(frame)));
		}
		ASSERT_EQ(0, t_driver_run_until(&self->t, TX, 9 * round - 1));
		ASSERT_EQ(0, rtnl_link_set_up(self->rtnl, TAP, true, &self->err));
		/* a packet socket has an error of its interface's end */
		close(self->socket);
		self->socket = open_socket(self->rtnl);
		ASSERT_LE(0, self->socket);
		ASSERT_EQ(0, transmit(&self->t, TX, frame, sizeof(frame)));
		ASSERT_TRUE(arrives(self->socket, frame, sizeof(frame)));
		ASSERT_EQ(0, receive_flows(self, &w, 4));
	}
	EXPECT_EQ(0, self->t.failed) TH_LOG("%s", self->t.failure.msg);
}

TEST_F(vhost, a_ring_that_vhost_does_not_trust_needs_a_reset)
{
	struct vring_buf wild = { .gpa = UINT64_C(1) << 40, .len = 512 };
	uint8_t frame[64];

	START_NET(1);
	ASSERT_EQ(0, t_driver_add(&self->t, TX, &wild, 1, 0, 0));
	ASSERT_EQ(0, t_driver_run_until_failed(&self->t));
	EXPECT_STREQ("net0: /dev/vhost-net says that the contents of a virtqueue cannot be trusted",
		     self->t.failure.msg);
	t_driver_reset(&self->t);
	ASSERT_EQ(0, t_driver_start(&self->t, variant->features, 3));
	fill(frame, sizeof(frame), 1);
	ASSERT_EQ(0, transmit(&self->t, TX, frame, sizeof(frame)));
	EXPECT_TRUE(arrives(self->socket, frame, sizeof(frame)));
}

TEST_F(vhost, net_says_what_is_missing)
{
	char name[IFNAMSIZ] = TAP;
	int fd, ret;

	if (!has_vhost(BACKEND_VHOST_NET_PATH)) {
		EXPECT_GT(0, create_net(&self->t, 1));
		EXPECT_STREQ("net0: there is no /dev/vhost-net: 'modprobe vhost_net' may help",
			     self->t.err.msg);
		SKIP(return, "needs " BACKEND_VHOST_NET_PATH ": modprobe vhost_net");
	}
	ASSERT_EQ(0, tap_open(name, &fd, 1, &self->err)) TH_LOG("%s", self->err.msg);
	EXPECT_EQ(-EBUSY, create_net(&self->t, 1));
	EXPECT_STREQ("net0: cannot attach to tap 'vltap': somebody else has it open",
		     self->t.err.msg);
	close(fd);
	ASSERT_EQ(0, seteuid(65534));
	ret = create_net(&self->t, 1);
	ASSERT_EQ(0, seteuid(0));
	EXPECT_TRUE(ret == -EACCES || ret == -EPERM) TH_LOG("%d: %s", ret, self->t.err.msg);
	EXPECT_EQ(-EINVAL, create_net(&self->t, BACKEND_NET_PAIRS_MAX + 1));
	EXPECT_NE(NULL, strstr(self->t.err.msg, "1 to 64 pairs"));
	self->t.be = NULL;
}

TEST_F(vhost, net_leaves_taps_and_bridges_as_they_were)
{
	struct backend_vhost_net_config config = net_config(1);
	struct rtnl_link link;

	if (!has_vhost(BACKEND_VHOST_NET_PATH))
		SKIP(return, "needs " BACKEND_VHOST_NET_PATH ": modprobe vhost_net");
	config.setup = (struct tap_setup){ .bridge = "vlbr", .address = "192.0.2.1/24" };
	if (rtnl_link_add_bridge(self->rtnl, "vlprobe", &self->err) == -EOPNOTSUPP)
		SKIP(return, "needs a kernel with bridges: modprobe bridge");
	ASSERT_EQ(0, backend_vhost_net_create(&self->t.be, &self->t.host, &config, &self->t.err))
	{
		TH_LOG("%s", self->t.err.msg);
	}
	ASSERT_EQ(0, rtnl_link_get(self->rtnl, "vlbr", &link, &self->err));
	EXPECT_STREQ("bridge", link.kind);
	ASSERT_EQ(0, rtnl_link_get(self->rtnl, TAP, &link, &self->err));
	EXPECT_NE(0, link.master);
	self->t.be->ops->destroy(self->t.be);
	EXPECT_EQ(-ENODEV, rtnl_link_get(self->rtnl, "vlbr", &link, NULL));
	EXPECT_EQ(-ENODEV, rtnl_link_get(self->rtnl, TAP, &link, NULL));
	EXPECT_EQ(0, rtnl_link_get(self->rtnl, "vlprobe", &link, NULL));
	self->t.be = NULL;
	/* of one that was there */
	config.setup.bridge = "vlprobe";
	ASSERT_EQ(0, backend_vhost_net_create(&self->t.be, &self->t.host, &config, &self->t.err));
	self->t.be->ops->destroy(self->t.be);
	self->t.be = NULL;
	EXPECT_EQ(0, rtnl_link_get(self->rtnl, "vlprobe", &link, NULL));
}

/* --- vsock ----------------------------------------------------------------------------- */

static int create_vsock(struct t_driver *t, struct virtio_backend **be, uint32_t cid)
{
	const struct backend_vhost_vsock_config config = { .name = "vsock0", .cid = cid };

	return backend_vhost_vsock_create(be, &t->host, &config, &t->err);
}

/* A connection from the host, that does not wait. */
static int connect_to(uint32_t cid, uint32_t port)
{
	const struct sockaddr_vm addr = { .svm_family = AF_VSOCK,
					  .svm_cid = cid,
					  .svm_port = port };
	int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd >= 0 && connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) &&
	    errno != EINPROGRESS) {
		close(fd);
		return -1;
	}
	return fd;
}

TEST_F(vhost, vsock_connections_reach_the_driver_and_its_answer_the_host)
{
	struct virtio_vsock_hdr hdr, *got;
	struct virtio_backend *other;
	const struct vring_buf in = { .gpa = t_driver_alloc(&self->t, 4096), .len = 4096 };
	const struct vring_buf out = { .gpa = t_driver_alloc(&self->t, 64), .len = sizeof(hdr) };
	uint64_t cid = 0;
	socklen_t len = sizeof(int);
	int error = 0, fd, ret;

	if (!has_vhost(BACKEND_VHOST_VSOCK_PATH)) {
		EXPECT_GT(0, create_vsock(&self->t, &self->t.be, CID));
		EXPECT_STREQ(
			"vsock0: there is no /dev/vhost-vsock: 'modprobe vhost_vsock' may help",
			self->t.err.msg);
		SKIP(return, "needs " BACKEND_VHOST_VSOCK_PATH ": modprobe vhost_vsock");
	}
	EXPECT_EQ(-EINVAL, create_vsock(&self->t, &self->t.be, 2));
	ASSERT_EQ(0, create_vsock(&self->t, &self->t.be, CID)) TH_LOG("%s", self->t.err.msg);
	EXPECT_EQ(-EADDRINUSE, create_vsock(&self->t, &other, CID));
	EXPECT_STREQ("vsock0: another guest has CID 42", self->t.err.msg);
	self->t.be->ops->get_config(self->t.be, 0, &cid, 8);
	EXPECT_EQ(CID, le64toh(cid));
	/* a driver without rx */
	EXPECT_EQ(-EINVAL, t_driver_start(&self->t, 0, 2));
	for (unsigned int round = 0; round < 3; round++) {
		ret = t_driver_start(&self->t, variant->features, 7);
		ASSERT_EQ(0, ret) TH_LOG("%s", self->t.err.msg);
		ASSERT_EQ(0, t_driver_add(&self->t, RX, &in, 0, 1, 0));
		fd = connect_to(CID, 1234 + round);
		ASSERT_LE(0, fd);
		ASSERT_EQ(0, t_driver_run_until(&self->t, RX, 1));
		got = t_driver_at(&self->t, in.gpa);
		EXPECT_EQ(VIRTIO_VSOCK_OP_REQUEST, le16toh(got->op));
		EXPECT_EQ(1234 + round, le32toh(got->dst_port));
		hdr = (struct virtio_vsock_hdr){
			.src_cid = got->dst_cid,
			.dst_cid = got->src_cid,
			.src_port = got->dst_port,
			.dst_port = got->src_port,
			.type = got->type,
			.op = htole16(VIRTIO_VSOCK_OP_RST),
		};
		memcpy(t_driver_at(&self->t, out.gpa), &hdr, sizeof(hdr));
		ASSERT_EQ(0, t_driver_add(&self->t, TX, &out, 1, 0, 0));
		ASSERT_EQ(0, t_driver_run_until(&self->t, TX, 1));
		t_poll_until(fd, T_DEADLINE_MS);
		EXPECT_EQ(0, getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len));
		EXPECT_EQ(ECONNRESET, error);
		close(fd);
		t_driver_reset(&self->t);
	}
	EXPECT_EQ(0, self->t.failed);
}

static __attribute__((constructor)) void load_vhost(void)
{
	t_vhost_load();
}

TEST_HARNESS_MAIN
