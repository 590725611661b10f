// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every message of the specification, good and bad, with and without REPLY_ACK and
 * NEED_REPLY: one reply where one is due, none where none is, and a failure is told
 * or ends the connection.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/vhost_types.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>

#include <vringlab/fd.h>

#include "kselftest_harness.h"
#include "t.h"
#include "t_peer.h"
#include "t_served.h"

#define BIT(n) (UINT64_C(1) << (n))
#define ALL_FEATURES \
	(BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_F_ACCESS_PLATFORM) | BIT(VIRTIO_NET_F_MTU))
#define REPLY_ACK BIT(3)
#define INBAND BIT(14)

#define GPA UINT64_C(0x100000)
#define UVA UINT64_C(0x7f0000000000)
#define BYTES (64u << 10)

/* --- a device that has all there is ------------------------------------------------ */

static int process(void *dev, struct vdev_queue *q)
{
	return VDEV_IDLE;
}

static uint8_t space[64];

static int get_config(void *dev, uint32_t offset, void *buf, uint32_t size)
{
	memcpy(buf, space + offset, size);
	return 0;
}

static int set_config(void *dev, uint32_t offset, const void *buf, uint32_t size, bool migration)
{
	memcpy(space + offset, buf, size);
	return 0;
}

static ssize_t save(void *dev, void *buf, size_t size)
{
	memcpy(buf, "state", 5);
	return 5;
}

static int load(void *dev, const void *buf, size_t size)
{
	return size == 5 && !memcmp(buf, "state", 5) ? 0 : -EINVAL;
}

static int set_mtu(void *dev, uint16_t mtu)
{
	return 0;
}

static int send_rarp(void *dev, const uint8_t mac[6])
{
	return 0;
}

static int make(void *ctx, struct loop *loop, struct vdev **vdev)
{
	static const struct vdev_ops ops = {
		.process = process,
		.get_config = get_config,
		.set_config = set_config,
		.save = save,
		.load = load,
		.set_mtu = set_mtu,
		.send_rarp = send_rarp,
	};
	static struct vdev device;

	device = (struct vdev){
		.ops = &ops,
		.features = ALL_FEATURES,
		.num_queues = 2,
		.config_size = sizeof(space),
	};
	*vdev = &device;
	return 0;
}

static void destroy(void *ctx, struct vdev *vdev)
{
}

static const struct t_served_config config = {
	.make = make,
	.destroy = destroy,
	.postcopy = true,
};

/* --- the messages ------------------------------------------------------------------ */

/* What has to be there before. */
#define MEMORY 1u
#define ADVISED 2u
#define SAVED 4u

/* How a refusal is told where no acknowledgement is due. */
enum refusal {
	/* by the end of the connection */
	ENDS,
	/* by a number in its own reply */
	TOLD,
	/* by an own reply that is empty */
	EMPTY,
};

/**
 * struct message - From the specification, not from the library
 * @id:		Number.
 * @own:	Bytes of its own reply; -1: it has none.
 * @protocol:	Protocol feature that it needs; -1: none.
 * @before:	What has to be there.
 * @served:	By this device.
 * @bad:	There are bad ones.
 * @refusal:	Of a bad one.
 */
static const struct message {
	uint32_t id;
	int own;
	int protocol;
	unsigned int before;
	bool served;
	bool bad;
	enum refusal refusal;
} messages[] = {
	/* clang-format off */
	{ 1, 8, -1, 0, true, false, ENDS },
	{ 2, -1, -1, 0, true, true, ENDS },
	{ 3, -1, -1, 0, true, false, ENDS },
	{ 4, -1, -1, 0, true, false, ENDS },
	{ 5, -1, -1, 0, true, true, ENDS },
	{ 6, 8, 1, MEMORY, true, true, ENDS },
	{ 7, -1, -1, 0, true, true, ENDS },
	{ 8, -1, -1, 0, true, true, ENDS },
	{ 9, -1, -1, 0, true, true, ENDS },
	{ 10, -1, -1, 0, true, true, ENDS },
	{ 11, 8, -1, 0, true, true, ENDS },
	{ 12, -1, -1, 0, true, true, ENDS },
	{ 13, -1, -1, 0, true, true, ENDS },
	{ 14, -1, -1, 0, true, true, ENDS },
	{ 15, 8, -1, 0, true, false, ENDS },
	{ 16, -1, -1, 0, true, true, ENDS },
	{ 17, 8, 0, 0, true, false, ENDS },
	{ 18, -1, -1, 0, true, true, ENDS },
	{ 19, -1, 2, 0, true, false, ENDS },
	{ 20, -1, 4, 0, true, true, ENDS },
	{ 21, -1, 5, 0, true, true, ENDS },
	{ 22, 8, -1, MEMORY, true, true, TOLD },
	{ 23, -1, 6, 0, false, true, ENDS },
	{ 24, 16, 9, 0, true, true, EMPTY },
	{ 25, -1, 9, 0, true, true, ENDS },
	{ 26, 2056, 7, 0, false, true, ENDS },
	{ 27, -1, 7, 0, false, true, ENDS },
	{ 28, 0, 8, 0, true, false, ENDS },
	{ 29, -1, 8, ADVISED, true, false, ENDS },
	{ 30, 8, 8, ADVISED, true, false, TOLD },
	{ 31, 24, 12, 0, true, true, ENDS },
	{ 32, -1, 12, 0, true, true, ENDS },
	{ 33, -1, -1, 0, false, true, ENDS },
	{ 34, -1, 13, 0, true, false, ENDS },
	{ 35, -1, 14, 0, true, true, ENDS },
	{ 36, 8, 15, 0, true, false, ENDS },
	{ 37, -1, 15, 0, true, true, ENDS },
	{ 38, -1, 15, MEMORY, true, true, ENDS },
	{ 39, -1, 16, 0, true, true, ENDS },
	{ 40, 8, 16, 0, true, false, ENDS },
	{ 41, 8, 18, 0, false, true, ENDS },
	{ 42, 8, 19, 0, true, true, TOLD },
	{ 43, 8, 19, SAVED, true, true, TOLD },
	{ 44, 2056, 22, 0, false, true, ENDS },
	{ 45, 8, 23, 0, true, true, ENDS },
	/* clang-format on */
};

#define NR_MESSAGES (sizeof(messages) / sizeof(messages[0]))

/* A message that is to be sent. */
struct letter {
	uint32_t id;
	union vu_payload payload;
	uint32_t size;
	int fds[2];
	unsigned int nr_fds;
};

static void add_fd(struct letter *l, int fd)
{
	l->fds[l->nr_fds++] = fd;
}

static int make_file(uint64_t bytes)
{
	int fd = memfd_create("file", MFD_CLOEXEC);

	return ftruncate(fd, bytes) ? -1 : fd;
}

static struct vu_region region(uint64_t at)
{
	return (struct vu_region){ .guest_addr = GPA + at, .user_addr = UVA + at, .size = BYTES };
}

static void write_memory(struct letter *l, bool bad)
{
	switch (l->id) {
	case VU_SET_MEM_TABLE:
		l->payload.mem.nr_regions = 1;
		l->payload.mem.regions[0] = region(0);
		l->payload.mem.regions[0].mmap_offset = bad;
		l->size = 40;
		add_fd(l, make_file(BYTES));
		break;
	case VU_ADD_MEM_REG:
		l->payload.mem_reg.region = region(16 * BYTES);
		l->payload.mem_reg.region.mmap_offset = bad;
		l->size = 40;
		add_fd(l, make_file(BYTES));
		break;
	case VU_REM_MEM_REG:
		l->payload.mem_reg.region = region(bad ? BYTES : 0);
		l->size = 40;
		break;
	case VU_IOTLB_MSG:
		l->payload.iotlb = (struct vu_iotlb){
			.iova = 0x1000,
			.size = 0x1000,
			.user_addr = bad ? 0 : UVA,
			.perm = 3,
			.type = VHOST_IOTLB_UPDATE,
		};
		l->size = 32;
		break;
	case VU_SET_LOG_BASE:
		l->payload.log = (struct vu_log){ .size = bad ? 8192 : 4096 };
		l->size = 16;
		add_fd(l, make_file(4096));
		break;
	}
}

static void write_vring(struct letter *l, bool bad)
{
	l->size = 8;
	switch (l->id) {
	case VU_SET_VRING_ADDR:
		l->payload.addr.desc = bad;
		l->size = 40;
		break;
	case VU_SET_VRING_KICK:
	case VU_SET_VRING_CALL:
	case VU_SET_VRING_ERR:
		l->payload.u64 = bad ? 2 : 1;
		add_fd(l, eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
		break;
	default:
		l->payload.state.index = bad ? 2 : 1;
		l->payload.state.num = l->id == VU_SET_VRING_NUM ? 64 : 0;
	}
}

static void write_migration(struct letter *l, bool bad)
{
	int pair[2];

	switch (l->id) {
	case VU_GET_INFLIGHT_FD:
	case VU_SET_INFLIGHT_FD:
		l->payload.inflight = (struct vu_inflight){
			.mmap_size = 1 << 16,
			.num_queues = bad ? 3 : 2,
			.queue_size = 64,
		};
		l->size = 24;
		if (l->id == VU_SET_INFLIGHT_FD)
			add_fd(l, make_file(1 << 16));
		break;
	case VU_SET_DEVICE_STATE_FD:
		/* with the end that is not its, or in a phase that is not there */
		l->payload.device_state.phase = bad;
		l->size = 8;
		if (!pipe(pair)) {
			add_fd(l, pair[1]);
			l->fds[1] = pair[0];
		}
		break;
	case VU_SET_LOG_FD:
		add_fd(l, bad ? make_file(0) : eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
		if (bad) {
			close(l->fds[0]);
			l->nr_fds = 0;
		}
		break;
	case VU_SET_BACKEND_REQ_FD:
		if (bad) {
			add_fd(l, make_file(0));
		} else if (!socketpair(AF_UNIX, SOCK_STREAM, 0, pair)) {
			add_fd(l, pair[0]);
			l->fds[1] = pair[1];
		}
		break;
	}
}

static void write_config(struct letter *l, bool bad)
{
	l->payload.config.offset = bad ? 61 : 60;
	l->payload.config.size = 4;
	l->size = 16;
}

static void write_number(struct letter *l, uint64_t good, uint64_t bad, bool is_bad)
{
	l->payload.u64 = is_bad ? bad : good;
	l->size = 8;
}

static void write_letter(struct letter *l, uint32_t id, uint64_t protocol, bool bad)
{
	*l = (struct letter){ .id = id, .fds = { -1, -1 } };
	switch (id) {
	case VU_SET_FEATURES:
		write_number(l, ALL_FEATURES | BIT(30), BIT(40), bad);
		break;
	case VU_SET_PROTOCOL_FEATURES:
		write_number(l, protocol, BIT(63) | protocol, bad);
		break;
	case VU_SEND_RARP:
		write_number(l, 1, 1, bad);
		break;
	case VU_NET_SET_MTU:
		write_number(l, 1500, 1, bad);
		break;
	case VU_SET_STATUS:
		write_number(l, 1, 256, bad);
		break;
	case VU_SET_MEM_TABLE:
	case VU_ADD_MEM_REG:
	case VU_REM_MEM_REG:
	case VU_IOTLB_MSG:
	case VU_SET_LOG_BASE:
		write_memory(l, bad);
		break;
	case VU_SET_VRING_NUM:
	case VU_SET_VRING_ADDR:
	case VU_SET_VRING_BASE:
	case VU_GET_VRING_BASE:
	case VU_SET_VRING_KICK:
	case VU_SET_VRING_CALL:
	case VU_SET_VRING_ERR:
	case VU_SET_VRING_ENABLE:
	case VU_SET_VRING_ENDIAN:
	case VU_VRING_KICK:
	case VU_GET_VRING_BASE_SKIP_DRAIN:
		write_vring(l, bad);
		break;
	case VU_GET_CONFIG:
	case VU_SET_CONFIG:
		write_config(l, bad);
		break;
	case VU_CLOSE_CRYPTO_SESSION:
		l->size = 8;
		break;
	case VU_GPU_SET_SOCKET:
		add_fd(l, make_file(0));
		break;
	case VU_GET_SHARED_OBJECT:
		l->size = 16;
		break;
	default:
		write_migration(l, bad);
	}
}

static int send_letter(int fd, struct letter *l, bool need_reply)
{
	int ret = t_peer_request_fds(fd, l->id, need_reply ? 0x9 : 0x1, &l->payload, l->size,
				     l->fds, l->nr_fds);

	if (l->nr_fds && l->fds[0] >= 0)
		close(l->fds[0]);
	l->fds[0] = -1;
	return ret;
}

/* --- a session ------------------------------------------------------------------- */

/* The other end of what was handed over, until the next session. */
static int other_end = -1;

static int tell(int fd, uint32_t id, uint64_t protocol)
{
	struct letter l;

	write_letter(&l, id, protocol, false);
	if (l.fds[1] >= 0)
		other_end = l.fds[1];
	return send_letter(fd, &l, false);
}

/* The reply that is next must be this one: what came too much would be in its place. */
static int take_reply(int fd, uint32_t id, uint32_t size, union vu_payload *payload)
{
	struct vu_header hdr;
	int ret = t_peer_reply(fd, &hdr, payload);

	if (ret)
		return ret;
	return hdr.request == id && hdr.flags == 0x5 && hdr.size == size ? 0 : -EPROTO;
}

static int is_alive(int fd)
{
	union vu_payload payload;
	int ret = t_peer_request(fd, VU_GET_FEATURES, 0x1, NULL, 0);

	return ret ? ret : take_reply(fd, VU_GET_FEATURES, 8, &payload);
}

static int prepare(int fd, unsigned int before)
{
	union vu_payload payload;
	int ret = 0;

	if (before & MEMORY)
		ret = tell(fd, VU_SET_MEM_TABLE, 0);
	if (!ret && before & ADVISED)
		ret = tell(fd, VU_POSTCOPY_ADVISE, 0);
	if (!ret && before & ADVISED)
		ret = take_reply(fd, VU_POSTCOPY_ADVISE, 0, &payload);
	if (!ret && before & SAVED)
		ret = tell(fd, VU_SET_DEVICE_STATE_FD, 0);
	if (!ret && before & SAVED)
		ret = take_reply(fd, VU_SET_DEVICE_STATE_FD, 8, &payload);
	return ret;
}

/* Negotiates all that is offered, but what needs acknowledgements where there are none. */
static int negotiate(int fd, bool ack, uint64_t *protocol)
{
	union vu_payload payload;
	int ret = t_peer_request(fd, VU_GET_PROTOCOL_FEATURES, 0x1, NULL, 0);

	if (!ret)
		ret = take_reply(fd, VU_GET_PROTOCOL_FEATURES, 8, &payload);
	if (ret)
		return ret;
	*protocol = payload.u64 & ~(ack ? 0 : REPLY_ACK | INBAND);
	ret = tell(fd, VU_SET_PROTOCOL_FEATURES, *protocol);
	return ret ? ret : tell(fd, VU_SET_FEATURES, *protocol);
}

FIXTURE(reply)
{
	struct t_served served;
};

FIXTURE_VARIANT(reply)
{
	bool ack;
	bool need;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(reply, no_ack) { .ack = false, .need = false };
FIXTURE_VARIANT_ADD(reply, need_without_ack) { .ack = false, .need = true };
FIXTURE_VARIANT_ADD(reply, ack_without_need) { .ack = true, .need = false };
FIXTURE_VARIANT_ADD(reply, ack_and_need) { .ack = true, .need = true };
/* clang-format on */

FIXTURE_SETUP(reply)
{
	int ret = t_served_start_with(&self->served, &config);

	/* of a pipe whose reader is gone */
	signal(SIGPIPE, SIG_IGN);
	if (ret == -EPERM || ret == -ENOSYS)
		SKIP(return, "io_uring is disabled: sysctl kernel.io_uring_disabled=0");
	ASSERT_EQ(0, ret);
}

FIXTURE_TEARDOWN(reply)
{
	t_served_stop(&self->served);
	vl_fd_close(&other_end);
}

/* Sends one in a session of its own. Returns whether it was negotiated that it may be. */
static int deliver(struct t_served *s, const struct message *m, bool ack, bool need, bool bad,
		   bool *allowed)
{
	uint64_t protocol;
	struct letter l;
	int ret;

	t_served_stop(s);
	vl_fd_close(&other_end);
	ret = t_served_start_with(s, &config);
	if (!ret)
		ret = negotiate(s->fd, ack, &protocol);
	if (ret)
		return ret;
	*allowed = m->protocol < 0 || protocol >> m->protocol & 1;
	/* without it there is nothing to check */
	if (*allowed && !(bad && m->before == SAVED))
		ret = prepare(s->fd, m->before);
	write_letter(&l, m->id, protocol, bad);
	if (l.fds[1] >= 0)
		other_end = l.fds[1];
	return ret ? ret : send_letter(s->fd, &l, need);
}

/* SET_PROTOCOL_FEATURES and SET_FEATURES are acknowledged like all others. */
static bool ack_is_due(const struct message *m, bool ack, bool need)
{
	return m->own < 0 && ack && need;
}

TEST_F_TIMEOUT(reply, is_sent_once_where_it_is_due, 120)
{
	union vu_payload payload;
	bool allowed;

	for (size_t i = 0; i < NR_MESSAGES; i++) {
		const struct message *m = &messages[i];
		int fd;

		ASSERT_EQ(i + 1, m->id);
		if (!m->served)
			continue;
		ASSERT_EQ(0,
			  deliver(&self->served, m, variant->ack, variant->need, false, &allowed))
		TH_LOG("message %u", m->id);
		/* of in-band kicks without acknowledgements, and where there is no userfaultfd */
		if (!allowed)
			continue;
		fd = self->served.fd;
		if (m->own >= 0) {
			EXPECT_EQ(0, take_reply(fd, m->id, m->own, &payload))
			TH_LOG("message %u", m->id);
			if (m->refusal == TOLD)
				EXPECT_EQ(0u, payload.u64 & 0xff);
		} else if (ack_is_due(m, variant->ack, variant->need)) {
			EXPECT_EQ(0, take_reply(fd, m->id, 8, &payload))
			TH_LOG("message %u", m->id);
			EXPECT_EQ(0u, payload.u64) TH_LOG("message %u", m->id);
		}
		/* nothing else came, and it can go on */
		EXPECT_EQ(0, is_alive(fd)) TH_LOG("message %u", m->id);
	}
}

/* A failure: told by the acknowledgement, or by its own reply, or else the end. */
static void expect_failure(struct __test_metadata *_metadata, struct t_served *s,
			   const struct message *m, bool ack_due, bool own_tells)
{
	union vu_payload payload;

	if (!ack_due && !own_tells) {
		EXPECT_EQ(0, t_peer_closed(s->fd)) TH_LOG("message %u", m->id);
		return;
	}
	if (own_tells && m->refusal == EMPTY) {
		EXPECT_EQ(0, take_reply(s->fd, m->id, 0, &payload)) TH_LOG("message %u", m->id);
	} else {
		EXPECT_EQ(0, take_reply(s->fd, m->id, 8, &payload)) TH_LOG("message %u", m->id);
		EXPECT_NE(0u, payload.u64 & 0xff) TH_LOG("message %u", m->id);
	}
	EXPECT_EQ(0, is_alive(s->fd)) TH_LOG("message %u", m->id);
	EXPECT_EQ(1u, atomic_load(&s->refused)) TH_LOG("message %u", m->id);
}

TEST_F_TIMEOUT(reply, tells_of_a_failure_or_the_connection_ends, 120)
{
	bool allowed;

	for (size_t i = 0; i < NR_MESSAGES; i++) {
		const struct message *m = &messages[i];

		if (!m->bad)
			continue;
		ASSERT_EQ(0, deliver(&self->served, m, variant->ack, variant->need, true, &allowed))
		TH_LOG("message %u", m->id);
		expect_failure(_metadata, &self->served, m,
			       ack_is_due(m, variant->ack, variant->need),
			       allowed && m->refusal != ENDS);
	}
}

/* Whole and good, but it was never agreed that there are such messages. */
TEST_F_TIMEOUT(reply, refuses_what_was_not_negotiated, 120)
{
	const uint64_t protocol = variant->ack ? REPLY_ACK : 0;

	for (size_t i = 0; i < NR_MESSAGES; i++) {
		const struct message *m = &messages[i];
		struct letter l;

		if (m->protocol < 0 && m->served)
			continue;
		t_served_stop(&self->served);
		ASSERT_EQ(0, t_served_start_with(&self->served, &config));
		ASSERT_EQ(0, tell(self->served.fd, VU_SET_PROTOCOL_FEATURES, protocol));
		write_letter(&l, m->id, 0, false);
		ASSERT_EQ(0, send_letter(self->served.fd, &l, variant->need));
		vl_fd_close(&l.fds[1]);
		expect_failure(_metadata, &self->served, m,
			       ack_is_due(m, variant->ack, variant->need),
			       m->refusal == TOLD || m->refusal == EMPTY);
	}
}

TEST_HARNESS_MAIN
