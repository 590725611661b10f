// SPDX-License-Identifier: GPL-2.0-only
/*
 * Our front-end on vhost-device-vsock: streams between a guest that we are and unix
 * sockets of this machine, opened from either side.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/virtio_vsock.h>

#include "kselftest_harness.h"
#include "t_foreign.h"
#include "t_peer.h"

#define VERSION_1 (1ull << 32)
/* MQ, REPLY_ACK, CONFIG */
#define PROTOCOL (1ull << 0 | 1ull << 3 | 1ull << 9)

enum { RX, TX, EVENTS, QUEUES };

#define HOST_CID 2u
#define GUEST_CID 77u
#define GUEST_PORT 1234u
#define HOST_PORT 5000u

#define BUF_ALLOC 65536u
#define PAYLOAD_MAX 4096u

struct packet {
	struct virtio_vsock_hdr hdr;
	uint8_t data[PAYLOAD_MAX];
};

FIXTURE(vsock)
{
	struct t_foreign b;
	char uds[128];
	int listener;
	int stream;
	uint32_t host_port;
	uint32_t guest_port;
	uint32_t received;
};

static int start(FIXTURE_DATA(vsock) * self)
{
	char cid[16];
	const char *const argv[] = { t_peers(),	 "run",		 "vhost-device-vsock",
				     "--socket", self->b.socket, "--guest-cid",
				     cid,	 "--uds-path",	 self->uds,
				     NULL };

	snprintf(self->uds, sizeof(self->uds), "%s/vsock", self->b.dir);
	snprintf(cid, sizeof(cid), "%u", GUEST_CID);
	return t_foreign_start(&self->b, argv);
}

/* The guest sends. */
static int send_packet(FIXTURE_DATA(vsock) * self, uint16_t op, const void *data, uint32_t len)
{
	struct packet p = { .hdr = { .src_cid = GUEST_CID,
				     .dst_cid = HOST_CID,
				     .src_port = self->guest_port,
				     .dst_port = self->host_port,
				     .len = len,
				     .type = VIRTIO_VSOCK_TYPE_STREAM,
				     .op = op,
				     .buf_alloc = BUF_ALLOC,
				     .fwd_cnt = self->received } };

	memcpy(p.data, data, len);
	return t_ring_request(&self->b.rings[TX], &p, sizeof(p.hdr) + len, NULL, 0, T_DEADLINE_MS);
}

/* The guest has a buffer for the next packet, always. */
static int post_buffer(FIXTURE_DATA(vsock) * self)
{
	struct t_ring *ring = &self->b.rings[RX];
	const struct vring_buf buf = { T_RING_GPA + ring->base + T_RING_IN, sizeof(struct packet) };
	int ret = vring_drv_add(&ring->drv, &buf, 0, 1);

	return ret < 0 ? ret : t_ring_kick(ring);
}

static int take_buffer(FIXTURE_DATA(vsock) * self, struct packet *p)
{
	struct t_ring *ring = &self->b.rings[RX];
	uint32_t written;
	int ret = t_ring_wait(ring, &written, T_DEADLINE_MS);

	if (ret < 0)
		return ret;
	memcpy(p, ring->mem + T_RING_IN, sizeof(*p));
	if (written < sizeof(p->hdr) || p->hdr.len != written - sizeof(p->hdr))
		return -EBADMSG;
	return post_buffer(self);
}

/* The guest waits for a packet of this kind; others only tell about room. */
static int receive_packet(FIXTURE_DATA(vsock) * self, uint16_t op, struct packet *p)
{
	for (;;) {
		int ret = take_buffer(self, p);

		if (ret)
			return ret;
		if (p->hdr.src_cid != HOST_CID || p->hdr.dst_cid != GUEST_CID)
			return -EBADMSG;
		self->received += p->hdr.len;
		if (p->hdr.op == op)
			return 0;
		if (p->hdr.op != VIRTIO_VSOCK_OP_CREDIT_UPDATE &&
		    p->hdr.op != VIRTIO_VSOCK_OP_CREDIT_REQUEST)
			return -EPROTO;
	}
}

FIXTURE_SETUP(vsock)
{
	const struct vu_frontend_wish wish = { .required = VERSION_1, .protocol = PROTOCOL };
	char text[256];
	uint64_t cid;
	int missing;

	memset(self, 0, sizeof(*self));
	self->listener = -1;
	self->stream = -1;
	missing = t_newer_version("vhost-device-vsock", text, sizeof(text));
	printf("# pairing: vringlab's front-end library -> vhost-device-vsock %s\n",
	       missing ? "newer" : text);
	if (missing)
		SKIP(return, "%s", text);
	ASSERT_EQ(0, t_foreign_init(&self->b));
	ASSERT_EQ(0, start(self))
	{
		TH_LOG("%s; %s", self->b.err.msg, t_foreign_said(&self->b, text, sizeof(text)));
	}
	ASSERT_EQ(0, t_foreign_open(&self->b, &wish, QUEUES)) TH_LOG("%s", self->b.err.msg);
	ASSERT_EQ(0, vu_frontend_get_config(self->b.fe, 0, &cid, sizeof(cid), NULL));
	ASSERT_EQ(GUEST_CID, cid);
	ASSERT_EQ(0, post_buffer(self));
}

FIXTURE_TEARDOWN(vsock)
{
	close(self->stream);
	close(self->listener);
	t_foreign_exit(&self->b);
}

/* From a unix socket of this machine to a port of the guest's. */
static int open_from_host(FIXTURE_DATA(vsock) * self)
{
	char line[32];
	struct packet p;
	int ret, len;

	self->guest_port = GUEST_PORT;
	self->stream = t_peer_connect(self->uds);
	if (self->stream < 0)
		return self->stream;
	len = snprintf(line, sizeof(line), "CONNECT %u\n", GUEST_PORT);
	ret = t_peer_send(self->stream, line, len, NULL, 0);
	if (!ret)
		ret = receive_packet(self, VIRTIO_VSOCK_OP_REQUEST, &p);
	if (ret)
		return ret;
	if (p.hdr.dst_port != GUEST_PORT)
		return -EBADMSG;
	self->host_port = p.hdr.src_port;
	ret = send_packet(self, VIRTIO_VSOCK_OP_RESPONSE, "", 0);
	if (ret)
		return ret;
	/* Which port it names differs among those that speak so: firecracker the host's. */
	len = 0;
	do {
		ret = t_read_until(self->stream, line + len, 1, T_DEADLINE_MS);
	} while (!ret && line[len++] != '\n' && len < (int)sizeof(line));
	return ret ? ret : strncmp(line, "OK ", 3);
}

/* From the guest to a unix socket that listens on this machine. */
static int open_from_guest(FIXTURE_DATA(vsock) * self)
{
	char path[160];
	struct packet p;
	int ret;

	self->guest_port = GUEST_PORT;
	self->host_port = HOST_PORT;
	snprintf(path, sizeof(path), "%s_%u", self->uds, HOST_PORT);
	self->listener = t_peer_listen(path);
	if (self->listener < 0)
		return self->listener;
	ret = send_packet(self, VIRTIO_VSOCK_OP_REQUEST, "", 0);
	if (!ret)
		ret = t_poll_until(self->listener, T_DEADLINE_MS);
	if (ret)
		return ret;
	self->stream = accept4(self->listener, NULL, NULL, SOCK_CLOEXEC);
	if (self->stream < 0)
		return -errno;
	return receive_packet(self, VIRTIO_VSOCK_OP_RESPONSE, &p);
}

static void fill(uint8_t *data, uint32_t len, uint32_t seed)
{
	for (uint32_t i = 0; i < len; i++)
		data[i] = seed + i * 13;
}

/* Both ways, many times round the rings and more than the credit at once. */
static int talk(FIXTURE_DATA(vsock) * self)
{
	uint8_t sent[PAYLOAD_MAX], got[PAYLOAD_MAX];
	struct packet p;
	int ret;

	for (uint32_t i = 0; i < 3 * T_RING_NUM; i++) {
		uint32_t len = 1 + i * 1009 % PAYLOAD_MAX, have = 0;

		fill(sent, len, i);
		ret = send_packet(self, VIRTIO_VSOCK_OP_RW, sent, len);
		if (!ret)
			ret = t_read_until(self->stream, got, len, T_DEADLINE_MS);
		if (ret || memcmp(sent, got, len))
			return ret ? ret : -EBADMSG;
		ret = t_peer_send(self->stream, sent, len, NULL, 0);
		while (!ret && have < len) {
			ret = receive_packet(self, VIRTIO_VSOCK_OP_RW, &p);
			if (!ret &&
			    (p.hdr.len > len - have || memcmp(p.data, sent + have, p.hdr.len)))
				ret = -EBADMSG;
			have += ret ? 0 : p.hdr.len;
		}
		if (ret)
			return ret;
	}
	return 0;
}

TEST_F(vsock, carries_a_stream_that_the_host_opens)
{
	ASSERT_EQ(0, open_from_host(self));
	EXPECT_EQ(0, talk(self));
}

TEST_F(vsock, carries_a_stream_that_the_guest_opens)
{
	ASSERT_EQ(0, open_from_guest(self));
	EXPECT_EQ(0, talk(self));
}

TEST_F(vsock, tells_the_guest_that_the_host_has_closed)
{
	struct packet p;

	ASSERT_EQ(0, open_from_host(self));
	close(self->stream);
	self->stream = -1;
	EXPECT_EQ(0, receive_packet(self, VIRTIO_VSOCK_OP_SHUTDOWN, &p));
}

TEST_HARNESS_MAIN
