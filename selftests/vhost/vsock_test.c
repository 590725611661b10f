// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost-vsock: which CIDs a guest may have, what becomes of a stream when the device
 * stops, starts and goes, and packets of a guest that says it is another.
 */
#include <sys/socket.h>

#include <linux/virtio_vsock.h>
#include <linux/vm_sockets.h>

#include "vhost.h"

#define CID 4712u
#define PORT 9999u
#define HDR sizeof(struct virtio_vsock_hdr)
#define BUFS 64u
#define CHUNK 700u
#define CHUNKS 120u

FIXTURE(vsock)
{
	struct t_vhost v;
	int error;
	int sock;
	struct virtio_vsock_hdr peer;
	unsigned int received;
	uint32_t bytes;
	bool ordered;
};

static int set_cid(const struct t_vhost *v, uint64_t cid)
{
	return t_vhost_ioctl(v, VHOST_VSOCK_SET_GUEST_CID, &cid);
}

static int set_running(const struct t_vhost *v, int running)
{
	return t_vhost_ioctl(v, VHOST_VSOCK_SET_RUNNING, &running);
}

FIXTURE_SETUP(vsock)
{
	OPEN_VHOST_OR_SKIP(&self->sock, "vhost-vsock");
	close(self->sock);
	self->ordered = true;
	ASSERT_EQ(0, t_vhost_open(&self->v, "/dev/vhost-vsock", BIT(VIRTIO_F_VERSION_1)));
	ASSERT_EQ(0, t_vhost_start(&self->v, 2));
	ASSERT_EQ(0, set_cid(&self->v, CID));
	self->error = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ASSERT_EQ(0, set_file(&self->v, VHOST_SET_VRING_ERR, TX, self->error));
	for (unsigned int i = 0; i < BUFS; i++) {
		ASSERT_LE(0, t_vhost_add(&self->v, RX, T_VHOST_BUF, true));
	}
	ASSERT_EQ(0, set_running(&self->v, 1));
	self->sock = socket(AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	ASSERT_LE(0, self->sock);
}

FIXTURE_TEARDOWN(vsock)
{
	close(self->sock);
	close(self->error);
	t_vhost_close(&self->v);
}

/* What the n-th byte of a stream is. */
static uint8_t byte_at(uint32_t n)
{
	return n * 2654435761u >> 24;
}

/* The next packet that has come, with a new buffer in the place of its own. */
static bool receive(FIXTURE_DATA(vsock) * self, struct virtio_vsock_hdr *hdr)
{
	const uint8_t *buf = self->v.queues[RX].bufs + self->received % T_VHOST_NUM * T_VHOST_BUF;
	uint32_t len;

	if (t_vhost_reap(&self->v, RX) <= (int64_t)self->received)
		return false;
	memcpy(hdr, buf, HDR);
	self->received++;
	len = le32toh(hdr->len);
	for (uint32_t i = 0; i < len && i < T_VHOST_BUF - HDR; i++)
		self->ordered &= buf[HDR + i] == byte_at(self->bytes + i);
	self->bytes += len;
	t_vhost_add(&self->v, RX, T_VHOST_BUF, true);
	t_vhost_kick(&self->v, RX);
	return true;
}

static struct virtio_vsock_hdr header(FIXTURE_DATA(vsock) * self, uint16_t op, uint32_t len)
{
	return (struct virtio_vsock_hdr){
		.src_cid = htole64(CID),
		.dst_cid = htole64(VMADDR_CID_HOST),
		.src_port = htole32(PORT),
		.dst_port = self->peer.src_port,
		.len = htole32(len),
		.type = htole16(VIRTIO_VSOCK_TYPE_STREAM),
		.op = htole16(op),
		.buf_alloc = htole32(1 << 20),
		.fwd_cnt = htole32(self->bytes),
	};
}

/* A packet of that header and so many bytes behind it. */
static int stage(FIXTURE_DATA(vsock) * self, const struct virtio_vsock_hdr *hdr, uint32_t len)
{
	uint8_t *buf = t_vhost_buf(&self->v, TX);
	int ret;

	memcpy(buf, hdr, sizeof(*hdr));
	memset(buf + HDR, 'x', len);
	ret = t_vhost_add(&self->v, TX, HDR + len, false);
	return ret < 0 ? ret : t_vhost_kick(&self->v, TX);
}

static bool transmit(FIXTURE_DATA(vsock) * self, const struct virtio_vsock_hdr *hdr, uint32_t len)
{
	int64_t used = t_vhost_reap(&self->v, TX);

	return !stage(self, hdr, len) && EVENTUALLY(t_vhost_reap(&self->v, TX) == used + 1);
}

static bool transmit_op(FIXTURE_DATA(vsock) * self, uint16_t op, uint32_t len)
{
	const struct virtio_vsock_hdr hdr = header(self, op, len);

	return transmit(self, &hdr, len);
}

static int connect_to(int sock, uint32_t cid)
{
	const struct sockaddr_vm to = {
		.svm_family = AF_VSOCK,
		.svm_cid = cid,
		.svm_port = PORT,
	};

	return connect(sock, (const struct sockaddr *)&to, sizeof(to)) ? -errno : 0;
}

static void establish(struct __test_metadata *_metadata, FIXTURE_DATA(vsock) * self)
{
	int ret;

	ASSERT_EQ(-EINPROGRESS, connect_to(self->sock, CID));
	ASSERT_TRUE(EVENTUALLY(receive(self, &self->peer)));
	ASSERT_EQ(VIRTIO_VSOCK_OP_REQUEST, le16toh(self->peer.op));
	ASSERT_TRUE(transmit_op(self, VIRTIO_VSOCK_OP_RESPONSE, 0));
	ASSERT_TRUE(EVENTUALLY(!(ret = connect_to(self->sock, CID)) || ret == -EISCONN));
}

static int send_bytes(int sock, uint32_t from, uint32_t nr)
{
	uint8_t buf[CHUNK];

	for (uint32_t i = 0; i < nr; i++)
		buf[i] = byte_at(from + i);
	return send(sock, buf, nr, MSG_NOSIGNAL) == (ssize_t)nr ? 0 : -errno;
}

static int socket_error(int sock)
{
	socklen_t size = sizeof(int);
	int error = 0;

	return getsockopt(sock, SOL_SOCKET, SO_ERROR, &error, &size) ? errno : error;
}

TEST_F(vsock, cids_are_no_reserved_ones_and_have_32_bits)
{
	static const uint64_t wrong[] = {
		0,	 VMADDR_CID_LOCAL, VMADDR_CID_HOST, UINT32_MAX,
		BIT(32), BIT(32) + CID,	   UINT64_MAX,
	};

	for (unsigned int i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		EXPECT_EQ(-EINVAL, set_cid(&self->v, wrong[i]))
		{
			TH_LOG("CID %llu", (unsigned long long)wrong[i]);
		}
	}
	EXPECT_EQ(0, set_cid(&self->v, CID));
	EXPECT_EQ(0, set_cid(&self->v, UINT32_MAX - 1));
	EXPECT_EQ(0, set_cid(&self->v, 3));
}

TEST_F(vsock, cids_have_one_guest)
{
	struct t_vhost other;

	ASSERT_EQ(0, t_vhost_open(&other, "/dev/vhost-vsock", BIT(VIRTIO_F_VERSION_1)));
	EXPECT_EQ(-EADDRINUSE, set_cid(&other, CID));
	EXPECT_EQ(0, set_cid(&other, CID + 1));
	EXPECT_EQ(-EADDRINUSE, set_cid(&self->v, CID + 1));
	/* What it had it may have again, and what it has given up another. */
	EXPECT_EQ(0, set_cid(&self->v, CID));
	EXPECT_EQ(0, set_cid(&self->v, CID + 2));
	EXPECT_EQ(0, set_cid(&other, CID));
	t_vhost_close(&other);
	EXPECT_EQ(0, set_cid(&self->v, CID));
	EXPECT_EQ(-ENODEV, connect_to(self->sock, CID + 1));
}

TEST_F_TIMEOUT(vsock, streams_outlive_a_device_that_stops, SLOW)
{
	struct virtio_vsock_hdr hdr;
	uint32_t sent = 0;
	int64_t before;
	uint8_t byte;

	establish(_metadata, self);
	ASSERT_EQ(0, set_running(&self->v, 0));
	before = t_vhost_reap(&self->v, RX);
	/* It is kept, or refused: 7.3 says that the guest cannot be reached. */
	for (uint32_t i = 0; i < 10; i++) {
		int ret = send_bytes(self->sock, sent, 100);

		ASSERT_TRUE(!ret || ret == -EHOSTUNREACH);
		sent += ret ? 0 : 100;
	}
	hdr = header(self, VIRTIO_VSOCK_OP_RW, 50);
	ASSERT_EQ(0, stage(self, &hdr, 50));
	EXPECT_EQ(before, t_vhost_reap(&self->v, RX));
	EXPECT_EQ(-1, recv(self->sock, &byte, 1, 0));
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_EQ(0, socket_error(self->sock));

	ASSERT_EQ(0, set_running(&self->v, 1));
	ASSERT_EQ(0, t_vhost_kick(&self->v, TX));
	ASSERT_EQ(0, send_bytes(self->sock, sent, 100));
	ASSERT_TRUE(EVENTUALLY((receive(self, &hdr), self->bytes == sent + 100)));
	EXPECT_TRUE(self->ordered);
	EXPECT_EQ(0, t_poll_until(self->sock, T_DEADLINE_MS));
}

TEST_F_TIMEOUT(vsock, streams_are_whole_while_it_stops_and_starts, SLOW)
{
	struct virtio_vsock_hdr hdr;

	establish(_metadata, self);
	for (uint32_t i = 0; i < CHUNKS; i++) {
		ASSERT_EQ(0, send_bytes(self->sock, i * CHUNK, CHUNK));
		if (i % 3 == 0) {
			ASSERT_EQ(0, set_running(&self->v, 0));
			ASSERT_EQ(0, set_running(&self->v, 1));
		}
		while (receive(self, &hdr))
			;
	}
	ASSERT_TRUE(EVENTUALLY((receive(self, &hdr), self->bytes == CHUNKS * CHUNK)));
	EXPECT_TRUE(self->ordered);
}

TEST_F_TIMEOUT(vsock, streams_are_reset_when_their_device_goes, SLOW)
{
	uint8_t byte;

	establish(_metadata, self);
	ASSERT_EQ(0, send_bytes(self->sock, 0, 100));
	t_vhost_close(&self->v);
	EXPECT_EQ(ECONNRESET, socket_error(self->sock));
	EXPECT_GE(0, recv(self->sock, &byte, 1, 0));
	EXPECT_NE(0, send_bytes(self->sock, 100, 100));
}

/* The guest that has it now did not ask for the stream. */
TEST_F_TIMEOUT(vsock, streams_do_not_follow_a_cid_to_another_device, SLOW)
{
	struct t_vhost other;

	establish(_metadata, self);
	t_vhost_close(&self->v);
	ASSERT_EQ(0, t_vhost_open(&other, "/dev/vhost-vsock", BIT(VIRTIO_F_VERSION_1)));
	ASSERT_EQ(0, t_vhost_start(&other, 2));
	ASSERT_EQ(0, set_cid(&other, CID));
	ASSERT_LE(0, t_vhost_add(&other, RX, T_VHOST_BUF, true));
	ASSERT_EQ(0, set_running(&other, 1));
	EXPECT_NE(0, send_bytes(self->sock, 0, 100));
	ASSERT_EQ(0, set_running(&other, 0));
	EXPECT_EQ(0, t_vhost_reap(&other, RX));
	t_vhost_close(&other);
}

/* Packets whose header lies are dropped, and the next one that is right is not. */
TEST_F_TIMEOUT(vsock, guests_speak_for_themselves_and_to_the_host, SLOW)
{
	struct virtio_vsock_hdr hdr, got;
	uint8_t byte;

	establish(_metadata, self);
	hdr = header(self, VIRTIO_VSOCK_OP_RW, 10);
	hdr.src_cid = htole64(CID + 1);
	EXPECT_TRUE(transmit(self, &hdr, 10));
	hdr.src_cid = htole64(BIT(32) + CID);
	EXPECT_TRUE(transmit(self, &hdr, 10));
	hdr = header(self, VIRTIO_VSOCK_OP_RW, 10);
	hdr.dst_cid = htole64(VMADDR_CID_LOCAL);
	EXPECT_TRUE(transmit(self, &hdr, 10));
	hdr.dst_cid = htole64(CID);
	EXPECT_TRUE(transmit(self, &hdr, 10));
	EXPECT_EQ(-1, recv(self->sock, &byte, 1, 0));
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_TRUE(transmit_op(self, VIRTIO_VSOCK_OP_RW, 10));
	EXPECT_EQ(0, t_poll_until(self->sock, T_DEADLINE_MS));
	while (receive(self, &got)) {
		EXPECT_NE(VIRTIO_VSOCK_OP_RST, le16toh(got.op));
	}
}

TEST_F_TIMEOUT(vsock, packets_shorter_than_they_say_are_no_packets, SLOW)
{
	struct virtio_vsock_hdr hdr;
	uint8_t bytes[32];

	establish(_metadata, self);
	hdr = header(self, VIRTIO_VSOCK_OP_RW, 11);
	ASSERT_EQ(0, stage(self, &hdr, 10));
	EXPECT_EQ(0, t_poll_until(self->error, T_DEADLINE_MS));
	hdr.len = htole32(UINT32_MAX);
	ASSERT_EQ(0, stage(self, &hdr, 10));
	hdr.len = htole32(7);
	ASSERT_EQ(0, stage(self, &hdr, 7));
	EXPECT_EQ(0, t_poll_until(self->sock, T_DEADLINE_MS));
	EXPECT_EQ(7, recv(self->sock, bytes, sizeof(bytes), 0));
}

TEST_HARNESS_MAIN
