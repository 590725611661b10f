// SPDX-License-Identifier: GPL-2.0-only
/*
 * A whole connection of the back-end: messages with fds, ring contents, kicks, and
 * files that are truncated below it. After it is over no fd and no mapping is left.
 *
 * Messages of any kind are possible; those that a front-end would send are shorter
 * to say, for the fuzzer to get anywhere.
 */
#include <errno.h>
#include <linux/vhost_types.h>
#include <linux/virtio_config.h>
#include <sys/socket.h>
#include <unistd.h>

#include <vringlab/err.h>
#include <vringlab/fd.h>
#include <vringlab/loop_spin.h>
#include <vringlab/vdev_blk.h>
#include <vringlab/vdev_loopback.h>
#include <vringlab/vhost_user_backend.h>
#include <vringlab/vhost_user_msg.h>
#include <vringlab/virtio_device.h>
#include <vringlab/vring_layout.h>

#include "fuzz.h"
#include "peer.h"
#include "uring.h"

#ifndef VIRTIO_F_IN_ORDER
#define VIRTIO_F_IN_ORDER 35
#endif

#define STEPS_MAX 256u

/* For what one step leads to, before it is the input's turn again. */
#define TURNS 12u

#define SPIN_US 1u

/* For what is in flight when the connection ends. */
#define END_NS 5000000000ull

/* Two regions of FD_MEMORY; a ring has a page of the first. */
#define GPA UINT64_C(0x100000)
#define UVA UINT64_C(0x7f0000000000)
#define FIRST_BYTES 0x8000u
#define SECOND_GPA (GPA + FIRST_BYTES)
#define SECOND_UVA (UVA + 0x100000)
#define SECOND_BYTES (FD_MEMORY_BYTES - FIRST_BYTES)
#define NUM 8u
#define RINGS 2u

/**
 * struct rig - A back-end and its front-end
 * @sock:	The front-end's end, -1 once it has left.
 * @closed:	How often the back-end said that the connection is over.
 * @avail:	By ring: entries that were made available.
 */
struct rig {
	struct fuzz_input *in;
	struct vdev *vdev;
	struct vu_backend *be;
	bool blk;
	int sock;
	unsigned int closed;
	struct fuzz_fds fds;
	uint16_t avail[RINGS];
};

static struct loop *loop;

static void on_closed(void *ctx, const struct vl_err *err)
{
	(void)err;
	((struct rig *)ctx)->closed++;
}

static int on_ready(void *ctx, const struct vu_vring_info *info, struct vl_err *err)
{
	(void)ctx;
	(void)err;
	FUZZ_CHECK(info->kick_fd >= 0 && info->call_fd >= 0);
	return 0;
}

static const struct vu_backend_ops ops = {
	.vring_ready = on_ready,
	.closed = on_closed,
};

static void make_device(struct rig *r, uint8_t kind)
{
	const struct vdev_blk_config config = { .null_size = 1 << 20, .num_queues = RINGS };

	r->blk = kind & 1;
	if (r->blk)
		FUZZ_CHECK(!vdev_blk_create(&r->vdev, loop, &config, NULL));
	else
		FUZZ_CHECK(!vdev_loopback_create(&r->vdev, RINGS, NULL));
	r->vdev->features |= 1ull << VIRTIO_F_ACCESS_PLATFORM;
	/* loopback ends its requests in order by itself */
	if (!r->blk)
		r->vdev->features |= 1ull << VIRTIO_F_IN_ORDER;
}

static void rig_init(struct rig *r, struct fuzz_input *in)
{
	uint8_t kind = fuzz_u8(in);
	const struct vu_backend_config config = {
		.ops = &ops,
		.ctx = r,
		.gpa_addresses = kind & 2,
	};
	int pair[2];

	*r = (struct rig){ .in = in };
	fuzz_fds_init(&r->fds);
	/* with spinning rings are looked at without a kick, in each turn */
	loop_set_spin(loop, kind & 4 ? SPIN_US : LOOP_SPIN_OFF);
	make_device(r, kind);
	FUZZ_CHECK(!vu_backend_create(&r->be, loop, r->vdev, &config));
	FUZZ_CHECK(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	FUZZ_CHECK(!vu_backend_attach(r->be, pair[1]));
	r->sock = pair[0];
}

static void run(void)
{
	fuzz_turn(loop, TURNS);
}

/* Messages */

static void say(struct rig *r, uint32_t request, const void *payload, uint32_t size, const int *fds,
		unsigned int nr_fds)
{
	const struct vu_header hdr = {
		.request = request,
		.flags = VU_VERSION | VU_NEED_REPLY,
		.size = size,
	};
	uint8_t bytes[sizeof(hdr) + sizeof(union vu_payload)];

	memcpy(bytes, &hdr, sizeof(hdr));
	if (size)
		memcpy(bytes + sizeof(hdr), payload, size);
	fuzz_send(r->sock, bytes, sizeof(hdr) + size, fds, nr_fds);
}

static void say_u64(struct rig *r, uint32_t request, uint64_t u64)
{
	say(r, request, &u64, sizeof(u64), NULL, 0);
}

/* Anything: what is not said is as the table has it. */
static void any_message(struct rig *r)
{
	struct vu_header hdr = { .request = fuzz_u8(r->in), .flags = VU_VERSION };
	const struct vu_msg_info *info = vu_msg_info(hdr.request);
	uint8_t how = fuzz_u8(r->in), what = fuzz_u8(r->in);
	uint8_t bytes[sizeof(hdr) + sizeof(union vu_payload)];
	unsigned int nr_fds = info ? info->fds_max : 1;
	int fds[16];

	hdr.size = info ? vu_payload_size_max(info->request) : 8;
	if (how & 1)
		hdr.flags ^= fuzz_u8(r->in);
	else
		hdr.flags |= VU_NEED_REPLY;
	if (how & 2)
		hdr.size = fuzz_u16(r->in);
	if (how & 4)
		nr_fds = what % 11;
	for (unsigned int i = 0; i < nr_fds; i++)
		fds[i] = fuzz_fd(&r->fds, (how & 8 ? fuzz_u8(r->in) : what) % FD_NR);
	if (hdr.size > sizeof(union vu_payload))
		hdr.size = sizeof(union vu_payload);
	memcpy(bytes, &hdr, sizeof(hdr));
	fuzz_take(r->in, bytes + sizeof(hdr), how & 16 ? hdr.size : hdr.size % 64);
	fuzz_send(r->sock, bytes, sizeof(hdr) + hdr.size, fds, nr_fds);
}

static void any_bytes(struct rig *r)
{
	uint8_t bytes[64];
	size_t size = fuzz_some(r->in, bytes, fuzz_u8(r->in) % sizeof(bytes) + 1);

	if (size)
		fuzz_send(r->sock, bytes, size, NULL, 0);
}

/* All that the back-end has, but for what makes it another thing. */
static uint64_t protocol_features(const struct rig *r)
{
	uint64_t features =
		1ull << VU_PROTOCOL_F_MQ | 1ull << VU_PROTOCOL_F_LOG_SHMFD |
		1ull << VU_PROTOCOL_F_REPLY_ACK | 1ull << VU_PROTOCOL_F_BACKEND_REQ |
		1ull << VU_PROTOCOL_F_INFLIGHT_SHMFD | 1ull << VU_PROTOCOL_F_RESET_DEVICE |
		1ull << VU_PROTOCOL_F_CONFIGURE_MEM_SLOTS | 1ull << VU_PROTOCOL_F_STATUS;

	if (r->blk)
		features |= 1ull << VU_PROTOCOL_F_CONFIG | 1ull << VU_PROTOCOL_F_DEVICE_STATE;
	return features;
}

static void negotiate(struct rig *r)
{
	uint8_t what = fuzz_u8(r->in);
	uint64_t features = r->vdev->features | 1ull << VU_F_PROTOCOL_FEATURES;
	uint64_t protocol = protocol_features(r);

	features &= ~((what & 1 ? 1ull << VIRTIO_F_RING_PACKED : 0) |
		      (what & 2 ? 1ull << VIRTIO_F_ACCESS_PLATFORM : 0) |
		      (what & 4 ? 1ull << VIRTIO_F_IN_ORDER : 0));
	if (what & 8)
		features |= 1ull << VU_F_LOG_ALL;
	if (what & 16)
		protocol |= 1ull << VU_PROTOCOL_F_INBAND_NOTIFICATIONS;
	if (what & 32)
		protocol |= 1ull << VU_PROTOCOL_F_GET_VRING_BASE_INFLIGHT |
			    1ull << VU_PROTOCOL_F_GET_VRING_BASE_SKIP_DRAIN;
	if (what >= 0xf0) {
		protocol = fuzz_u32(r->in);
		features = fuzz_u64(r->in);
	} else if (what >= 0xe0) {
		protocol |= 1ull << VU_PROTOCOL_F_GPA_ADDRESSES;
	}
	say_u64(r, VU_SET_PROTOCOL_FEATURES, protocol);
	say_u64(r, VU_SET_FEATURES, features);
}

static void set_memory(struct rig *r)
{
	const struct vu_mem_table table = {
		.nr_regions = 2,
		.regions = {
			{ GPA, FIRST_BYTES, UVA, 0 },
			{ SECOND_GPA, SECOND_BYTES, SECOND_UVA, FIRST_BYTES },
		},
	};
	int fd = fuzz_fd(&r->fds, FD_MEMORY);
	const int fds[2] = { fd, fd };

	say(r, VU_SET_MEM_TABLE, &table, vu_mem_table_size(2), fds, 2);
}

/* One of the two, by itself. */
static void change_memory(struct rig *r)
{
	uint8_t what = fuzz_u8(r->in);
	struct vu_mem_reg reg = { .region = { GPA, FIRST_BYTES, UVA, 0 } };
	int fd = fuzz_fd(&r->fds, FD_MEMORY);

	if (what & 1)
		reg.region =
			(struct vu_region){ SECOND_GPA, SECOND_BYTES, SECOND_UVA, FIRST_BYTES };
	if (what & 4)
		reg.region.size = fuzz_u16(r->in);
	if (what & 8)
		reg.region.guest_addr += 0x1000 * fuzz_u8(r->in);
	if (what & 2)
		say(r, VU_ADD_MEM_REG, &reg, sizeof(reg), &fd, 1);
	else
		say(r, VU_REM_MEM_REG, &reg, sizeof(reg), NULL, 0);
}

static void set_ring(struct rig *r)
{
	uint8_t what = fuzz_u8(r->in);
	const uint32_t index = what % RINGS;
	const uint64_t at = UVA + 0x1000 * index;
	struct vu_vring_state num = { index, NUM }, enable = { index, 1 };
	const struct vu_vring_addr addr = {
		.index = index,
		.flags = what & 2 ? VU_VRING_F_LOG : 0,
		.desc = at,
		.avail = at + 0x400,
		.used = at + 0x800,
		.log = GPA + 0x800,
	};
	const uint64_t u64 = index;

	/* half of them as they should be */
	if (what & 0x80)
		what &= 3;
	if (what & 4)
		num.num = fuzz_u16(r->in);
	say(r, VU_SET_VRING_NUM, &num, sizeof(num), NULL, 0);
	say(r, VU_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0);
	if (what & 8) {
		num.num = fuzz_u32(r->in);
		say(r, VU_SET_VRING_BASE, &num, sizeof(num), NULL, 0);
	}
	if (!(what & 16))
		say(r, VU_SET_VRING_CALL, &u64, sizeof(u64), &r->fds.fds[FD_CALL],
		    fuzz_fd(&r->fds, FD_CALL) >= 0);
	if (!(what & 32))
		say(r, VU_SET_VRING_KICK, &u64, sizeof(u64), &r->fds.fds[FD_KICK],
		    fuzz_fd(&r->fds, FD_KICK) >= 0);
	if (!(what & 64))
		say(r, VU_SET_VRING_ENABLE, &enable, sizeof(enable), NULL, 0);
}

static void stop_ring(struct rig *r)
{
	uint8_t what = fuzz_u8(r->in);
	const struct vu_vring_state state = { .index = what % RINGS };

	say(r, what & 2 ? VU_GET_VRING_BASE_SKIP_DRAIN : VU_GET_VRING_BASE, &state, sizeof(state),
	    NULL, 0);
}

static void set_inflight(struct rig *r)
{
	const bool packed = fuzz_u8(r->in) & 1;
	const struct vu_inflight inflight = {
		.mmap_size = RINGS * (packed ? 320 : 192),
		.num_queues = RINGS,
		.queue_size = NUM,
	};
	int fd = fuzz_fd(&r->fds, FD_INFLIGHT);

	say(r, VU_SET_INFLIGHT_FD, &inflight, sizeof(inflight), &fd, 1);
}

static void set_log(struct rig *r)
{
	const struct vu_log log = { .size = 0x100 };
	int fd = fuzz_fd(&r->fds, FD_LOG);

	say(r, VU_SET_LOG_BASE, &log, sizeof(log), &fd, 1);
}

static void set_channel(struct rig *r)
{
	int fd;

	fuzz_fd_put(&r->fds, FD_CHANNEL);
	fd = fuzz_fd(&r->fds, FD_CHANNEL);
	say(r, VU_SET_BACKEND_REQ_FD, NULL, 0, &fd, 1);
}

static void translate(struct rig *r)
{
	uint8_t what = fuzz_u8(r->in);
	struct vu_iotlb iotlb = {
		.iova = what & 1 ? UVA : GPA,
		.size = FIRST_BYTES,
		.user_addr = UVA,
		.perm = VHOST_ACCESS_RW,
		.type = what & 2 ? VHOST_IOTLB_INVALIDATE : VHOST_IOTLB_UPDATE,
	};

	if (what & 4) {
		iotlb.iova += fuzz_u16(r->in);
		iotlb.size = fuzz_u16(r->in);
		iotlb.user_addr += fuzz_u16(r->in);
	}
	if (what & 8)
		iotlb.perm = fuzz_u8(r->in);
	say(r, VU_IOTLB_MSG, &iotlb, sizeof(iotlb), NULL, 0);
}

static void use_config(struct rig *r)
{
	uint8_t what = fuzz_u8(r->in);
	struct vu_config config = { .offset = fuzz_u8(r->in), .flags = what / 2 % 2 };

	config.size = fuzz_u8(r->in);
	if (what & 1)
		fuzz_some(r->in, config.data, config.size);
	say(r, what & 1 ? VU_SET_CONFIG : VU_GET_CONFIG, &config, vu_config_size(config.size), NULL,
	    0);
}

static void change_config(struct rig *r)
{
	r->vdev->config_changed(r->vdev);
}

static void transfer_state(struct rig *r)
{
	uint8_t what = fuzz_u8(r->in);
	const struct vu_device_state state = { .direction = what & 1 };
	enum fd_kind kind = what & 1 ? FD_PIPE_READ : FD_PIPE_WRITE;
	uint8_t bytes[32];
	size_t size;
	int fd = fuzz_fd(&r->fds, kind);

	if (what & 1) {
		size = fuzz_some(r->in, bytes, what / 8);
		if (size && write(fuzz_fd(&r->fds, FD_PIPE_WRITE), bytes, size) < 0)
			return;
	} else if (what & 8) {
		/* nobody reads it */
		vl_fd_close(&r->fds.fds[FD_PIPE_READ]);
	}
	say(r, VU_SET_DEVICE_STATE_FD, &state, sizeof(state), &fd, 1);
	run();
	if (what & 2) {
		fuzz_fd_put(&r->fds, FD_PIPE_READ);
		fuzz_fd_put(&r->fds, FD_PIPE_WRITE);
	}
	if (what & 4)
		say(r, VU_CHECK_DEVICE_STATE, NULL, 0, NULL, 0);
}

/* What the back-end says, and on the channel what it is answered. */

static void hear(struct rig *r)
{
	uint8_t bytes[4096];
	int fd;

	while (fuzz_receive(r->sock, bytes, sizeof(bytes), &fd))
		vl_fd_close(&fd);
}

static void answer(struct rig *r)
{
	uint8_t how = fuzz_u8(r->in), bytes[64] = { 0 };
	struct vu_header hdr = { 0 };
	size_t size = sizeof(hdr) + sizeof(uint64_t);
	int fd;

	if (r->fds.channel < 0)
		return;
	fuzz_receive(r->fds.channel, &hdr, sizeof(hdr), &fd);
	vl_fd_close(&fd);
	/* the payload is of no interest, and at most */
	fuzz_receive(r->fds.channel, bytes, hdr.size < sizeof(bytes) ? hdr.size : 0, &fd);
	vl_fd_close(&fd);
	hdr.flags = VU_VERSION | VU_REPLY;
	hdr.size = sizeof(uint64_t);
	memset(bytes, 0, sizeof(bytes));
	memcpy(bytes, &hdr, sizeof(hdr));
	if (how & 1)
		size = fuzz_some(r->in, bytes, how / 4);
	if (size)
		fuzz_send(r->fds.channel, bytes, size, NULL, 0);
}

/* The guest: it writes into the file, and so it is not hurt when that is truncated. */

static void write_file(struct rig *r)
{
	static const enum fd_kind kinds[] = { FD_MEMORY, FD_MEMORY, FD_INFLIGHT, FD_LOG };
	enum fd_kind kind = kinds[fuzz_u8(r->in) % 4];
	uint8_t bytes[UINT8_MAX];
	size_t at = fuzz_u16(r->in) % (kind == FD_MEMORY ? FD_MEMORY_BYTES : FD_SMALL_BYTES);
	size_t size = fuzz_some(r->in, bytes, fuzz_u8(r->in));

	if (size && pwrite(fuzz_fd(&r->fds, kind), bytes, size, at) < 0)
		return;
}

static void put(struct rig *r, size_t at, const void *data, size_t size)
{
	if (pwrite(fuzz_fd(&r->fds, FD_MEMORY), data, size, at) < 0)
		return;
}

static uint64_t any_address(struct rig *r)
{
	uint16_t at = fuzz_u16(r->in);

	return at == UINT16_MAX ? fuzz_u64(r->in) : GPA + at;
}

/* Short ones, and whole sectors. */
static uint32_t any_length(struct rig *r)
{
	uint8_t len = fuzz_u8(r->in);

	return len < 0x80 ? len : (len - 0x80) * 64u;
}

static void write_packed(struct rig *r)
{
	uint8_t what = fuzz_u8(r->in);
	uint64_t addr = any_address(r);
	uint32_t len = any_length(r);
	const struct vring_packed_desc desc = {
		.addr = addr,
		.len = len,
		.id = fuzz_u8(r->in) % 16,
		.flags = what / 16 % 8 | (what & 0x80 ? 0x8000 : 0x0080),
	};

	put(r, 0x1000 * (what % RINGS) + what / 2 % NUM * sizeof(desc), &desc, sizeof(desc));
}

static void write_split(struct rig *r)
{
	uint8_t what = fuzz_u8(r->in);
	uint16_t ring = what % RINGS, index = what / 2 % NUM, head = index;
	uint64_t addr = any_address(r);
	uint32_t len = any_length(r);
	const struct vring_desc desc = {
		.addr = addr,
		.len = len,
		.flags = what / 16 % 8,
		.next = fuzz_u8(r->in) % 16,
	};

	put(r, 0x1000 * ring + index * sizeof(desc), &desc, sizeof(desc));
	if (!(what & 0x80))
		return;
	put(r, 0x1000 * ring + 0x404 + r->avail[ring]++ % NUM * 2, &head, sizeof(head));
	put(r, 0x1000 * ring + 0x402, &r->avail[ring], sizeof(r->avail[ring]));
}

static void kick(struct rig *r)
{
	const uint64_t one = 1;

	if (write(fuzz_fd(&r->fds, FD_KICK), &one, sizeof(one)) < 0)
		return;
}

static void truncate_file(struct rig *r)
{
	static const enum fd_kind kinds[] = { FD_MEMORY, FD_INFLIGHT, FD_LOG };
	uint8_t what = fuzz_u8(r->in);

	if (what < 0x80)
		return;
	if (ftruncate(fuzz_fd(&r->fds, kinds[what % 3]), what / 4 % 16 * 0x1000))
		return;
}

static void leave(struct rig *r)
{
	if (fuzz_u8(r->in) == UINT8_MAX)
		shutdown(r->sock, SHUT_WR);
}

static void (*const steps[])(struct rig *) = {
	any_message, any_message,  any_bytes,	   negotiate, set_memory,  change_memory,
	set_ring,    stop_ring,	   set_inflight,   set_log,   set_channel, translate,
	write_file,  write_packed, write_split,	   kick,      kick,	   truncate_file,
	hear,	     answer,	   transfer_state, leave,     use_config,  change_config,
};

/* The front-end goes, or the back-end is told to end. */
static void rig_exit(struct rig *r, bool shut_down)
{
	uint64_t deadline_ns = loop_now_ns() + END_NS;

	if (shut_down)
		vu_backend_shutdown(r->be);
	vl_fd_close(&r->sock);
	run();
	while (!r->closed)
		FUZZ_CHECK(!loop_run_once(loop, deadline_ns));
	FUZZ_CHECK(r->closed == 1);
	vu_backend_destroy(r->be);
	if (r->blk)
		vdev_blk_destroy(r->vdev);
	else
		vdev_loopback_destroy(r->vdev);
	fuzz_fds_exit(&r->fds);
	/* what came for an operation that was removed is closed when the loop sees it */
	run();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	unsigned int fds;
	struct rig r;

	if (!loop)
		loop = fuzz_loop();
	fds = fuzz_count_fds();
	rig_init(&r, &in);
	for (unsigned int n = 0; n < STEPS_MAX && in.size && !r.closed; n++) {
		uint8_t step = fuzz_u8(&in);

		steps[step % 0x40 % (sizeof(steps) / sizeof(steps[0]))](&r);
		/* else more comes at once */
		if (!(step & 0x80))
			run();
	}
	run();
	rig_exit(&r, size & 1);
	FUZZ_CHECK(fuzz_count_fds() == fds);
	return 0;
}
