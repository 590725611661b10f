// SPDX-License-Identifier: GPL-2.0-only
/*
 * A back-end that answers what no back-end should, or dies: each call of the
 * front-end's ends with an error that says so, in time, and nothing is left.
 *
 * What is wrong with a reply's header is in vhost_user_frontend_test.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <vringlab/err.h>
#include <vringlab/fd.h>
#include <vringlab/vhost_user_frontend.h>
#include <vringlab/vring_inflight.h>

#include "kselftest_harness.h"
#include "t.h"
#include "t_fds.h"
#include "t_peer.h"
#include "t_ring.h"
#include "t_script.h"

#define VERSION_1 (1ull << 32)
#define BIT_30 (1ull << 30)
#define ALL_PROTOCOL 0xffffffull

/* --- one call each -------------------------------------------------------------- */

static int queue_num(struct vu_frontend *fe, struct vl_err *err)
{
	uint64_t num;

	return vu_frontend_get_queue_num(fe, &num, err);
}

static int config(struct vu_frontend *fe, struct vl_err *err)
{
	uint8_t bytes[8];

	return vu_frontend_get_config(fe, 0, bytes, sizeof(bytes), err);
}

static int base(struct vu_frontend *fe, struct vl_err *err)
{
	return vu_frontend_stop_vring(fe, 3, NULL, err);
}

static int status(struct vu_frontend *fe, struct vl_err *err)
{
	uint64_t value;

	return vu_frontend_get_status(fe, &value, err);
}

static int inflight(struct vu_frontend *fe, struct vl_err *err)
{
	struct vu_inflight desc = { .num_queues = 1, .queue_size = 64 };
	int fd, ret = vu_frontend_get_inflight(fe, &desc, &fd, err);

	if (!ret)
		close(fd);
	return ret;
}

static int save_state(struct vu_frontend *fe, struct vl_err *err)
{
	uint8_t bytes[64];

	return vu_frontend_save_state(fe, bytes, sizeof(bytes), err);
}

static int load_state(struct vu_frontend *fe, struct vl_err *err)
{
	/* more than a pipe or a socket holds */
	size_t size = 4u << 20;
	uint8_t *bytes = calloc(1, size);
	int ret = vu_frontend_load_state(fe, bytes, size, err);

	free(bytes);
	return ret;
}

static int translate(struct vu_frontend *fe, struct vl_err *err)
{
	const struct vu_iotlb iotlb = { .size = 4096, .type = 2 };

	return vu_frontend_iotlb(fe, &iotlb, err);
}

typedef int call_fn(struct vu_frontend *fe, struct vl_err *err);

/* What comes with the reply. */
enum with {
	WITH_NOTHING,
	WITH_FILE,
	WITH_EMPTY_FILE,
	WITH_DIRECTORY,
	WITH_PIPE_NOBODY_READS,
	WITH_PIPE_NOBODY_WRITES,
	WITH_ENDLESS_PIPE,
	WITH_SOCKET_NOBODY_READS,
	WITH_CLOSED_PIPE,
};

FIXTURE(reply)
{
	char dir[64];
	char path[96];
	struct t_script script;
	struct vl_err err;
	int fds;
};

/* @timeout_ms: of a call that only a deadline ends; 0 for one that ends before. */
FIXTURE_VARIANT(reply)
{
	call_fn *call;
	uint32_t request;
	uint32_t size;
	uint64_t words[3];
	enum with with;
	unsigned int timeout_ms;
	int code;
	const char *says;
};

#define ANSWERS(_name, _call, _request, _code, _says, ...)                                   \
	FIXTURE_VARIANT_ADD(reply, _name)                                                    \
	{                                                                                    \
		.call = (_call), .request = VU_##_request, .code = (_code), .says = (_says), \
		__VA_ARGS__                                                                  \
	}
#define U64(x) .size = 8, .words = { (x) }
#define INFLIGHT(_size, _offset, _queues, _num) \
	.size = 24, .words = { (_size), (_offset), (_queues) | (uint64_t)(_num) << 16 }

/* clang-format off */
ANSWERS(queues_1, queue_num, GET_QUEUE_NUM, 0, "", U64(1));
ANSWERS(queues_256, queue_num, GET_QUEUE_NUM, 0, "", U64(256));
ANSWERS(queues_0, queue_num, GET_QUEUE_NUM, -EPROTO, "0 virtqueues, not 1 to 256", U64(0));
ANSWERS(queues_257, queue_num, GET_QUEUE_NUM, -EPROTO, "257 virtqueues", U64(257));
ANSWERS(queues_65535, queue_num, GET_QUEUE_NUM, -EPROTO, "65535 virtqueues", U64(65535));
ANSWERS(queues_2_63, queue_num, GET_QUEUE_NUM, -EPROTO, "9223372036854775808", U64(1ull << 63));

ANSWERS(config_empty, config, GET_CONFIG, -EIO, "GET_CONFIG: refused");
ANSWERS(config_of_other_size, config, GET_CONFIG, -EIO, "GET_CONFIG: refused", .size = 20,
	.words = { 7ull << 32 });
ANSWERS(config_shorter, config, GET_CONFIG, -EIO, "GET_CONFIG: refused", .size = 12,
	.words = { 8ull << 32 });
ANSWERS(config_longer_than_any, config, GET_CONFIG, -EPROTO, "GET_CONFIG has 269 bytes",
	.size = 269);

ANSWERS(base_of_other_vring, base, GET_VRING_BASE, -EPROTO, "vring 3 answered by vring 2", U64(2));
ANSWERS(base_with_reserved_bits, base, GET_VRING_BASE, -EPROTO, "vring 3 at 65536",
	U64(3 | 65536ull << 32));
ANSWERS(status_short, status, GET_STATUS, -EPROTO, "4 bytes", .size = 4);
ANSWERS(iotlb_refused, translate, IOTLB_MSG, -EIO, "IOTLB_MSG: refused by the back-end (22)",
	U64(22));

ANSWERS(inflight_right, inflight, GET_INFLIGHT_FD, 0, "", INFLIGHT(4096, 0, 1, 64),
	.with = WITH_FILE);
ANSWERS(inflight_without_fd, inflight, GET_INFLIGHT_FD, -EPROTO, "no region came",
	INFLIGHT(4096, 0, 1, 64));
ANSWERS(inflight_of_0, inflight, GET_INFLIGHT_FD, -EPROTO, "a region of 0x0 bytes",
	INFLIGHT(0, 0, 1, 64), .with = WITH_FILE);
ANSWERS(inflight_of_more_queues, inflight, GET_INFLIGHT_FD, -EPROTO, "for 65535 queues",
	INFLIGHT(4096, 0, 65535, 64), .with = WITH_FILE);
ANSWERS(inflight_of_other_size, inflight, GET_INFLIGHT_FD, -EPROTO, "of 65535",
	INFLIGHT(4096, 0, 1, 65535), .with = WITH_FILE);
ANSWERS(inflight_huge, inflight, GET_INFLIGHT_FD, -ENXIO, "GET_INFLIGHT_FD: 0x10000000000 bytes",
	INFLIGHT(1ull << 40, 0, 1, 64), .with = WITH_FILE);
ANSWERS(inflight_wraps, inflight, GET_INFLIGHT_FD, -EINVAL, "wraps",
	INFLIGHT(4096, UINT64_MAX - 4095, 1, 64), .with = WITH_FILE);
ANSWERS(inflight_in_an_empty_file, inflight, GET_INFLIGHT_FD, -ENXIO, "the file has 0x0",
	INFLIGHT(4096, 0, 1, 64), .with = WITH_EMPTY_FILE);
ANSWERS(inflight_in_a_directory, inflight, GET_INFLIGHT_FD, -EINVAL, "no regular file",
	INFLIGHT(4096, 0, 1, 64), .with = WITH_DIRECTORY);

ANSWERS(state_error, save_state, SET_DEVICE_STATE_FD, -EIO, "refused by the back-end (5)",
	U64(5 | 256));
ANSWERS(state_error_without_bit_8, save_state, SET_DEVICE_STATE_FD, -EIO, "refused", U64(5));
ANSWERS(state_error_with_fd, save_state, SET_DEVICE_STATE_FD, -EPROTO, "answer is 0x5 with 1 fds",
	U64(5), .with = WITH_CLOSED_PIPE);
ANSWERS(state_nofd_with_fd, save_state, SET_DEVICE_STATE_FD, -EPROTO, "answer is 0x100 with 1 fds",
	U64(256), .with = WITH_CLOSED_PIPE);
ANSWERS(state_neither, save_state, SET_DEVICE_STATE_FD, -EPROTO, "answer is 0x0 with 0 fds",
	U64(0));
ANSWERS(state_reserved, save_state, SET_DEVICE_STATE_FD, -EPROTO, "answer is 0x300 with 0",
	U64(0x300));
ANSWERS(state_check_failed, save_state, CHECK_DEVICE_STATE, -EIO, "the transfer failed (1)",
	U64(1));
ANSWERS(state_from_a_file, save_state, SET_DEVICE_STATE_FD, -EPROTO, "neither pipe nor socket",
	U64(0),
	.with = WITH_FILE);
ANSWERS(state_from_a_directory, load_state, SET_DEVICE_STATE_FD, -EPROTO, "neither pipe nor socket",
	U64(0), .with = WITH_DIRECTORY);
ANSWERS(state_too_large, save_state, SET_DEVICE_STATE_FD, -EFBIG, "stopped on its way", U64(0),
	.with = WITH_ENDLESS_PIPE);
ANSWERS(state_that_does_not_come, save_state, SET_DEVICE_STATE_FD, -ETIMEDOUT, "stopped on its way",
	U64(0), .with = WITH_PIPE_NOBODY_WRITES, .timeout_ms = 1000);
ANSWERS(state_into_a_pipe_that_nobody_reads, load_state, SET_DEVICE_STATE_FD, -ETIMEDOUT,
	"stopped on its way", U64(0), .with = WITH_PIPE_NOBODY_READS, .timeout_ms = 1000);
ANSWERS(state_into_a_socket_that_nobody_reads, load_state, SET_DEVICE_STATE_FD, -ETIMEDOUT,
	"stopped on its way", U64(0), .with = WITH_SOCKET_NOBODY_READS, .timeout_ms = 1000);
ANSWERS(state_into_a_closed_pipe, load_state, SET_DEVICE_STATE_FD, -EPIPE, "stopped on its way",
	U64(0),
	.with = WITH_CLOSED_PIPE);
/* clang-format on */

static int open_file(size_t size)
{
	int fd = memfd_create("file", MFD_CLOEXEC);

	if (fd >= 0 && ftruncate(fd, size))
		return -errno;
	return fd;
}

static void write_more_than_it_should(int fd)
{
	uint8_t bytes[128] = { 0 };

	if (write(fd, bytes, sizeof(bytes)) < 0)
		perror("pipe");
}

/* @kept: the other end, which stays open until the connection is over; -1 for none. */
static int open_with(enum with with, int *kept)
{
	int fds[2] = { -1, -1 };

	*kept = -1;
	switch (with) {
	case WITH_FILE:
		return open_file(4096);
	case WITH_EMPTY_FILE:
		return open_file(0);
	case WITH_DIRECTORY:
		return open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	case WITH_SOCKET_NOBODY_READS:
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds))
			return -errno;
		*kept = fds[0];
		return fds[1];
	default:
		if (pipe2(fds, O_CLOEXEC))
			return -errno;
	}
	if (with == WITH_ENDLESS_PIPE)
		write_more_than_it_should(fds[1]);
	if (with == WITH_ENDLESS_PIPE || with == WITH_PIPE_NOBODY_WRITES) {
		*kept = fds[1];
		return fds[0];
	}
	if (with == WITH_CLOSED_PIPE)
		close(fds[0]);
	else
		*kept = fds[0];
	return fds[1];
}

static int answer_as(const FIXTURE_VARIANT(reply) * v, struct t_script *s, int fd,
		     const struct vu_header *right, const union vu_payload *payload)
{
	uint8_t bytes[sizeof(*right) + 512] = { 0 };
	struct vu_header hdr = *right;
	int with = -1, ret;

	/* an empty state */
	if (v->request == VU_CHECK_DEVICE_STATE)
		vl_fd_close(&s->kept);
	if (hdr.request != v->request)
		return t_script_send(fd, right, payload);
	hdr.size = v->size;
	memcpy(bytes, &hdr, sizeof(hdr));
	memcpy(bytes + sizeof(hdr), v->words, sizeof(v->words));
	vl_fd_close(&s->kept);
	if (v->with != WITH_NOTHING)
		with = open_with(v->with, &s->kept);
	ret = t_peer_send(fd, bytes, sizeof(hdr) + hdr.size, &with, with >= 0);
	vl_fd_close(&with);
	return ret;
}

static int answer(struct t_script *s, int fd, const struct vu_header *right,
		  const union vu_payload *payload)
{
	return answer_as(s->data, s, fd, right, payload);
}

FIXTURE_SETUP(reply)
{
	memset(self, 0, sizeof(*self));
	T_SCRIPT_NEEDS_IO_URING();
	/* as the process is found: nothing of it is to be relied on */
	signal(SIGPIPE, SIG_DFL);
	ASSERT_EQ(0, t_tmpdir_create(self->dir));
	snprintf(self->path, sizeof(self->path), "%s/s", self->dir);
	self->script.listener = t_peer_listen(self->path);
	self->script.features = VERSION_1 | BIT_30;
	self->script.protocol = ALL_PROTOCOL;
	self->script.answer = answer;
	self->script.data = variant;
	self->fds = t_fds_count(0);
	ASSERT_EQ(0, t_script_start(&self->script));
}

FIXTURE_TEARDOWN(reply)
{
	if (!self->dir[0])
		return;
	pthread_join(self->script.thread, NULL);
	EXPECT_EQ(self->fds, t_fds_count(0));
	close(self->script.listener);
	t_tmpdir_remove(self->dir);
}

static int open_all(struct vu_frontend *fe, struct vl_err *err)
{
	const struct vu_frontend_wish wish = { .required = VERSION_1, .protocol = ALL_PROTOCOL };

	return vu_frontend_open(fe, &wish, err);
}

TEST_F(reply, ends_the_call_and_says_what_is_wrong)
{
	unsigned int timeout_ms = variant->timeout_ms ? variant->timeout_ms : T_DEADLINE_MS;
	struct vu_frontend *fe;

	ASSERT_EQ(0, vu_frontend_connect(&fe, self->path, timeout_ms, &self->err));
	ASSERT_EQ(0, open_all(fe, &self->err)) TH_LOG("%s", self->err.msg);
	EXPECT_EQ(variant->code, variant->call(fe, &self->err)) TH_LOG("%s", self->err.msg);
	if (variant->code) {
		EXPECT_EQ(variant->code, self->err.code);
		EXPECT_NE(NULL, strstr(self->err.msg, variant->says))
		TH_LOG("%s", self->err.msg);
	}
	vu_frontend_destroy(fe);
}

/* --- dying ----------------------------------------------------------------------- */

/* @after: requests that are answered before it dies. */
struct death {
	unsigned int after;
};

static int die(struct t_script *s, int fd, const struct vu_header *right,
	       const union vu_payload *payload)
{
	const struct death *death = s->data;

	return s->nr_seen > death->after ? -1 : t_script_send(fd, right, payload);
}

static int whole_life(struct vu_frontend *fe, const struct t_ring *ring, struct vl_err *err)
{
	const struct vu_frontend_region region = t_ring_region(ring);
	const struct vu_frontend_vring vring = t_ring_vring(ring, 0);
	int ret = vu_frontend_negotiate(fe, VERSION_1, err);

	if (!ret)
		ret = vu_frontend_set_mem_table(fe, &region, 1, err);
	if (!ret)
		ret = vu_frontend_start_vring(fe, &vring, err);
	if (!ret)
		ret = vu_frontend_stop_vring(fe, 0, NULL, err);
	return ret;
}

TEST(a_back_end_that_dies_at_any_message_is_an_error_and_no_more)
{
	struct t_ring ring;
	char dir[64], path[96];
	unsigned int after;
	int ret = 1;

	T_SCRIPT_NEEDS_IO_URING();
	signal(SIGPIPE, SIG_DFL);
	ASSERT_EQ(0, t_ring_create(&ring));
	ASSERT_EQ(0, t_tmpdir_create(dir));
	snprintf(path, sizeof(path), "%s/s", dir);
	for (after = 0; ret && after < 20; after++) {
		const struct death death = { after };
		struct t_script script = {
			.listener = t_peer_listen(path),
			.features = VERSION_1 | BIT_30,
			.protocol = 1ull << 3,
			.answer = die,
			.data = &death,
		};
		int fds = t_fds_count(0);
		struct vu_frontend *fe;
		struct vl_err err;

		ASSERT_EQ(0, t_script_start(&script));
		ASSERT_EQ(0, vu_frontend_connect(&fe, path, T_DEADLINE_MS, &err));
		ret = whole_life(fe, &ring, &err);
		EXPECT_TRUE(!ret || ret == -ECONNRESET) TH_LOG("after %u: %s", after, err.msg);
		vu_frontend_destroy(fe);
		pthread_join(script.thread, NULL);
		EXPECT_EQ(fds, t_fds_count(0));
		close(script.listener);
		unlink(path);
	}
	/* 13 messages, of which three have no answer to die in place of */
	EXPECT_EQ(14u, after);
	t_ring_destroy(&ring);
	t_tmpdir_remove(dir);
}

TEST(a_process_that_ends_while_it_listens_is_an_error)
{
	struct vu_frontend *fe;
	char dir[64], path[96];
	struct vl_err err;
	int listener;

	T_SCRIPT_NEEDS_IO_URING();
	ASSERT_EQ(0, t_tmpdir_create(dir));
	snprintf(path, sizeof(path), "%s/s", dir);
	listener = t_peer_listen(path);
	ASSERT_EQ(0, vu_frontend_connect(&fe, path, T_DEADLINE_MS, &err));
	close(listener);
	EXPECT_EQ(-ECONNRESET, vu_frontend_negotiate(fe, VERSION_1, &err));
	vu_frontend_destroy(fe);
	t_tmpdir_remove(dir);
}

/* --- slots ------------------------------------------------------------------------ */

FIXTURE(slots)
{
	char dir[64];
	char path[96];
	struct t_script script;
	struct t_ring ring;
	struct vu_frontend *fe;
	struct vl_err err;
	uint64_t slots;
};

FIXTURE_SETUP(slots)
{
	memset(self, 0, sizeof(*self));
	T_SCRIPT_NEEDS_IO_URING();
	ASSERT_EQ(0, t_ring_create(&self->ring));
	ASSERT_EQ(0, t_tmpdir_create(self->dir));
	snprintf(self->path, sizeof(self->path), "%s/s", self->dir);
	self->script.listener = t_peer_listen(self->path);
	self->script.features = VERSION_1 | BIT_30;
	self->script.protocol = ALL_PROTOCOL;
	self->script.answer = t_script_answer_slots;
	self->script.data = &self->slots;
	ASSERT_EQ(0, t_script_start(&self->script));
	ASSERT_EQ(0, vu_frontend_connect(&self->fe, self->path, T_DEADLINE_MS, &self->err));
	ASSERT_EQ(0, open_all(self->fe, &self->err)) TH_LOG("%s", self->err.msg);
}

FIXTURE_TEARDOWN(slots)
{
	if (!self->dir[0])
		return;
	vu_frontend_destroy(self->fe);
	pthread_join(self->script.thread, NULL);
	close(self->script.listener);
	t_ring_destroy(&self->ring);
	t_tmpdir_remove(self->dir);
}

TEST_F(slots, are_never_more_than_the_back_end_says)
{
	struct vu_frontend_region region = t_ring_region(&self->ring);
	uint64_t slots;

	/* 0 is none at all */
	ASSERT_EQ(0, vu_frontend_get_mem_slots(self->fe, &slots, &self->err));
	EXPECT_EQ(0u, slots);
	EXPECT_EQ(-ENOSPC, vu_frontend_add_region(self->fe, &region, &self->err));
	EXPECT_NE(NULL, strstr(self->err.msg, "the back-end takes 0 regions"));
	self->slots = 1;
	ASSERT_EQ(0, vu_frontend_get_mem_slots(self->fe, &slots, &self->err));
	EXPECT_EQ(0, vu_frontend_add_region(self->fe, &region, &self->err));
	EXPECT_EQ(-ENOSPC, vu_frontend_add_region(self->fe, &region, &self->err));
	EXPECT_EQ(0, vu_frontend_remove_region(self->fe, &region, &self->err));
	EXPECT_EQ(0, vu_frontend_add_region(self->fe, &region, &self->err));
	self->slots = UINT64_MAX;
	ASSERT_EQ(0, vu_frontend_get_mem_slots(self->fe, &slots, &self->err));
	EXPECT_EQ(0, vu_frontend_add_region(self->fe, &region, &self->err));
}

TEST_HARNESS_MAIN
