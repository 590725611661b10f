// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost-vsock: streams of a known number of bytes between a socket of the host and a
 * driver that is this program, against what the module counts.
 */
#include <linux/vhost.h>
#include <linux/virtio_vsock.h>
#include <linux/vm_sockets.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "vhost.h"

#define RX 0
#define TX 1
#define CID 4711
#define PORT 9999
#define BUFS 64
#define BUF 1024
#define ROUNDS 30

/* clang-format off */
FIXTURE(vsock) {
	struct t_genl g;
	struct t_vhost v;
	struct t_vring vring[2];
	struct t_stats s;
	struct virtio_vsock_hdr peer;
	unsigned int received;
	uint64_t bytes;
	int sock;
};

/* clang-format on */

static void set_running(struct __test_metadata *_metadata, FIXTURE_DATA(vsock) * self, int run)
{
	ASSERT_EQ(0, ioctl(self->v.fd, VHOST_VSOCK_SET_RUNNING, &run))
	{
		TH_LOG("VHOST_VSOCK_SET_RUNNING: %s", strerror(errno));
	}
}

static void give(struct __test_metadata *_metadata, FIXTURE_DATA(vsock) * self, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		ASSERT_LE(0, t_vhost_add(&self->v, RX, BUF, true));
}

FIXTURE_SETUP(vsock)
{
	uint64_t cid = CID;
	int ret;

	self->sock = -1;
	OPEN_OR_SKIP(&self->g);
	t_kmod_modprobe("vhost_vsock");
	if (access("/dev/vhost-vsock", R_OK | W_OK))
		SKIP(return, "needs /dev/vhost-vsock: load vhost_vsock");
	tell_layout(_metadata);
	ASSERT_EQ(0, t_discover_set(&self->g, true, false));
	ret = t_vhost_open(&self->v, "/dev/vhost-vsock", VERSION_1);
	ASSERT_EQ(0, ret)
	{
		TH_LOG("/dev/vhost-vsock: %s", strerror(-ret));
	}
	ASSERT_EQ(0, ioctl(self->v.fd, VHOST_VSOCK_SET_GUEST_CID, &cid));
	for (unsigned int i = RX; i <= TX; i++) {
		ASSERT_EQ(0, t_vhost_ring(&self->v, i));
		ASSERT_EQ(0, t_vhost_fds(&self->v, i, new_eventfd(_metadata, 0),
					 new_eventfd(_metadata, EFD_NONBLOCK)));
	}
	for (unsigned int i = RX; i <= TX; i++)
		ASSERT_TRUE(EVENTUALLY(
			is_ready(&self->g, VRINGLAB_BACKEND_VHOST_VSOCK, i, &self->vring[i])));
	give(_metadata, self, BUFS);
	set_running(_metadata, self, 1);
	self->sock = socket(AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	ASSERT_LE(0, self->sock);
}

FIXTURE_TEARDOWN(vsock)
{
	EXPECT_EQ(0u, self->g.leak);
	close(self->sock);
	t_vhost_close(&self->v);
	t_genl_close(&self->g);
}

/* The next packet that vhost has written, looked at in the order of the buffers. */
static bool receive(FIXTURE_DATA(vsock) * self, struct virtio_vsock_hdr *hdr)
{
	if (t_vhost_reap(&self->v, RX) <= (int64_t)self->received)
		return false;
	memcpy(hdr, self->v.queues[RX].bufs + self->received % T_VHOST_NUM * T_VHOST_BUF,
	       sizeof(*hdr));
	self->received++;
	self->bytes += hdr->len;
	return true;
}

static void send_op(struct __test_metadata *_metadata, FIXTURE_DATA(vsock) * self, uint16_t op,
		    uint32_t len)
{
	struct virtio_vsock_hdr *hdr = (void *)t_vhost_buf(&self->v, TX);
	int64_t used = t_vhost_reap(&self->v, TX);

	*hdr = (struct virtio_vsock_hdr){
		.src_cid = CID,
		.dst_cid = VMADDR_CID_HOST,
		.src_port = PORT,
		.dst_port = self->peer.src_port,
		.len = len,
		.type = VIRTIO_VSOCK_TYPE_STREAM,
		.op = op,
		.buf_alloc = 1 << 20,
		.fwd_cnt = self->bytes,
	};
	memset(hdr + 1, 'x', len);
	ASSERT_LE(0, t_vhost_add(&self->v, TX, sizeof(*hdr) + len, false));
	ASSERT_EQ(0, t_vhost_kick(&self->v, TX));
	ASSERT_TRUE(EVENTUALLY(t_vhost_reap(&self->v, TX) == used + 1 &&
			       t_vhost_wants_kick(&self->v, TX)));
}

/* The host connects, the driver accepts. */
static void establish(struct __test_metadata *_metadata, FIXTURE_DATA(vsock) * self)
{
	struct sockaddr_vm to = {
		.svm_family = AF_VSOCK,
		.svm_cid = CID,
		.svm_port = PORT,
	};

	ASSERT_EQ(-1, connect(self->sock, (struct sockaddr *)&to, sizeof(to)));
	ASSERT_EQ(EINPROGRESS, errno);
	ASSERT_TRUE(EVENTUALLY(receive(self, &self->peer)));
	ASSERT_EQ(VIRTIO_VSOCK_OP_REQUEST, self->peer.op);
	send_op(_metadata, self, VIRTIO_VSOCK_OP_RESPONSE, 0);
	ASSERT_TRUE(EVENTUALLY(!connect(self->sock, (struct sockaddr *)&to, sizeof(to)) ||
			       errno == EISCONN));
}

static bool at_rest(FIXTURE_DATA(vsock) * self, unsigned int queue)
{
	const struct t_stats *s = &self->s;

	return !t_stats_get(&self->g, self->vring[queue].id, &self->s) &&
	       T_CNT(s, NOTIFIES) == T_CNT(s, CALLS_VHOST) + T_CNT(s, NOTIFIES_SUPPRESSED_FLAGS) &&
	       T_CNT(s, TAKEN) == T_CNT(s, USED);
}

static void stats(struct __test_metadata *_metadata, FIXTURE_DATA(vsock) * self, unsigned int queue)
{
	EXPECT_TRUE(EVENTUALLY(at_rest(self, queue)));
	stats_get(_metadata, &self->g, self->vring[queue].id, &self->s);
	EXPECT_DECIDED(&self->s);
	EXPECT_LAWFUL(&self->s);
	EXPECT_EQ(t_vhost_calls(&self->v, queue), T_CNT(&self->s, CALLS_VHOST));
}

static size_t drain(int sock)
{
	char buf[512];
	ssize_t got = recv(sock, buf, sizeof(buf), 0);

	return got > 0 ? got : 0;
}

TEST_F_TIMEOUT(vsock, a_stream_to_the_host_is_counted_on_the_transmit_queue, SLOW)
{
	size_t got = 0;

	establish(_metadata, self);
	for (unsigned int i = 0; i < ROUNDS; i++)
		send_op(_metadata, self, VIRTIO_VSOCK_OP_RW, 512);
	ASSERT_TRUE(EVENTUALLY((got += drain(self->sock)) == ROUNDS * 512));
	stats(_metadata, self, TX);
	/* The answer to the host's request, and the data. */
	EXPECT_EQ(1u + ROUNDS, T_CNT(&self->s, KICKS_WRITE));
	EXPECT_EQ(1u + ROUNDS, T_CNT(&self->s, TAKEN));
	EXPECT_EQ(1u + ROUNDS, T_CNT(&self->s, USED));
	EXPECT_EQ(T_CNT(&self->s, KICKS),
		  T_CNT(&self->s, WAKES_VHOST) - T_CNT(&self->s, WAKE_UNMATCHED));
	EXPECT_EQ(0u, T_CNT(&self->s, WAKE_SPURIOUS));
}

TEST_F_TIMEOUT(vsock, a_stream_from_the_host_is_counted_without_a_kick, SLOW)
{
	uint64_t kicks = self->v.queues[RX].kicks;
	struct virtio_vsock_hdr hdr;
	char buf[700];

	establish(_metadata, self);
	memset(buf, 'y', sizeof(buf));
	for (unsigned int i = 1; i <= ROUNDS; i++) {
		ASSERT_EQ((ssize_t)sizeof(buf), send(self->sock, buf, sizeof(buf), 0));
		ASSERT_TRUE(EVENTUALLY((receive(self, &hdr), self->bytes == i * sizeof(buf))));
	}
	stats(_metadata, self, RX);
	/* Each packet of this size has a buffer of its own. */
	EXPECT_EQ((uint64_t)self->received, T_CNT(&self->s, TAKEN));
	EXPECT_LE(1u + ROUNDS, self->received);
	EXPECT_EQ(kicks, T_CNT(&self->s, KICKS));
	/* One that comes before the driver was notified of the one before shares that. */
	EXPECT_LE(1u, T_CNT(&self->s, NOTIFIES));
	EXPECT_GE((uint64_t)self->received, T_CNT(&self->s, NOTIFIES));
}

TEST_F_TIMEOUT(vsock, a_device_closed_with_a_stream_on_it_goes_with_its_vrings, SLOW)
{
	char buf[256] = "";

	establish(_metadata, self);
	for (int i = 0; i < 10; i++)
		send(self->sock, buf, sizeof(buf), 0);
	t_vhost_close(&self->v);
	for (unsigned int i = RX; i <= TX; i++)
		EXPECT_TRUE(EVENTUALLY(
			!find_queue(&self->g, VRINGLAB_BACKEND_VHOST_VSOCK, i, &self->vring[i])));
}

static __attribute__((constructor)) void use_module(void)
{
	load_module();
}

TEST_HARNESS_MAIN
