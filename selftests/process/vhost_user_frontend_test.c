// SPDX-License-Identifier: GPL-2.0-only
/*
 * The front-end against a back-end that follows a script: what it sends, what it
 * acknowledges, and that any reply but the due one ends in an error, not in a hang.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <vringlab/err.h>
#include <vringlab/fd.h>
#include <vringlab/vhost_user_frontend.h>

#include "kselftest_harness.h"
#include "t.h"
#include "t_fds.h"
#include "t_peer.h"
#include "t_ring.h"
#include "t_script.h"

#define VERSION_1 (1ull << 32)
#define BIT_30 (1ull << 30)

/* How the script's request is answered; every other one is answered well. */
enum answer {
	ANSWER_WELL,
	ANSWER_OTHER_ID,
	ANSWER_WITHOUT_REPLY_FLAG,
	ANSWER_WITH_NEED_REPLY,
	ANSWER_VERSION_2,
	ANSWER_TOO_SHORT,
	ANSWER_TOO_LONG,
	ANSWER_HUGE,
	ANSWER_WITH_FD,
	ANSWER_REFUSE,
	ANSWER_NOTHING,
	ANSWER_HALF,
	ANSWER_CLOSE,
	ANSWER_HALF_AND_CLOSE,
	ANSWER_OTHER_INDEX,
	ANSWER_BASE_TOO_LARGE,
	ANSWER_IN_SINGLE_BYTES,
};

/* The request to answer so. */
struct script_data {
	uint32_t request;
	enum answer answer;
};

static int send_reply(struct t_script *s, int fd, const struct vu_header *right,
		      const union vu_payload *right_payload)
{
	const struct script_data *data = s->data;
	enum answer answer = right->request == data->request ? data->answer : ANSWER_WELL;
	union vu_payload copy = *right_payload, *payload = &copy;
	struct vu_header hdr = *right;
	uint8_t bytes[sizeof(hdr) + sizeof(*payload)] = { 0 };
	size_t len;

	hdr.request += answer == ANSWER_OTHER_ID;
	if (answer == ANSWER_WITHOUT_REPLY_FLAG)
		hdr.flags = 0x1;
	if (answer == ANSWER_WITH_NEED_REPLY)
		hdr.flags = 0xd;
	if (answer == ANSWER_VERSION_2)
		hdr.flags = 0x6;
	if (answer == ANSWER_TOO_SHORT)
		hdr.size = 4;
	if (answer == ANSWER_TOO_LONG)
		hdr.size = 16;
	len = sizeof(hdr) + hdr.size;
	if (answer == ANSWER_HUGE)
		hdr.size = UINT32_MAX;
	if (answer == ANSWER_REFUSE)
		payload->u64 = 1;
	if (answer == ANSWER_OTHER_INDEX)
		payload->state.index++;
	if (answer == ANSWER_BASE_TOO_LARGE)
		payload->state.num = 65536;
	memcpy(bytes, &hdr, sizeof(hdr));
	memcpy(bytes + sizeof(hdr), payload, 8);
	switch (answer) {
	case ANSWER_NOTHING:
		return 0;
	case ANSWER_CLOSE:
		return -1;
	case ANSWER_HALF:
		return t_peer_send(fd, bytes, 15, NULL, 0);
	case ANSWER_HALF_AND_CLOSE:
		t_peer_send(fd, bytes, 15, NULL, 0);
		return -1;
	case ANSWER_WITH_FD:
		return t_peer_send(fd, bytes, len, &fd, 1);
	case ANSWER_IN_SINGLE_BYTES:
		for (size_t i = 0; i < len; i++)
			if (t_peer_send(fd, bytes + i, 1, NULL, 0))
				return -1;
		return 0;
	default:
		return t_peer_send(fd, bytes, len, NULL, 0);
	}
}

/* All that a front-end does with one virtqueue. */
static int whole_life(struct vu_frontend *fe, const struct t_ring *ring, uint32_t *base,
		      struct vl_err *err)
{
	const struct vu_frontend_region region = t_ring_region(ring);
	const struct vu_frontend_vring vring = t_ring_vring(ring, 0);
	int ret;

	ret = vu_frontend_negotiate(fe, VERSION_1, err);
	if (!ret)
		ret = vu_frontend_set_mem_table(fe, &region, 1, err);
	if (!ret)
		ret = vu_frontend_start_vring(fe, &vring, err);
	if (!ret)
		ret = vu_frontend_stop_vring(fe, 0, base, err);
	return ret;
}

FIXTURE(frontend)
{
	char dir[64];
	char path[96];
	struct t_script script;
	struct script_data data;
	struct vu_frontend *fe;
	struct t_ring ring;
	struct vl_err err;
	bool running;
};

FIXTURE_SETUP(frontend)
{
	memset(self, 0, sizeof(*self));
	T_SCRIPT_NEEDS_IO_URING();
	ASSERT_EQ(0, t_tmpdir_create(self->dir));
	snprintf(self->path, sizeof(self->path), "%s/s", self->dir);
	ASSERT_EQ(0, t_ring_create(&self->ring));
	self->script.listener = t_peer_listen(self->path);
	self->script.features = VERSION_1 | BIT_30;
	self->script.protocol = 1ull << 3;
	self->script.answer = send_reply;
	self->script.data = &self->data;
}

FIXTURE_TEARDOWN(frontend)
{
	vu_frontend_destroy(self->fe);
	if (self->running)
		pthread_join(self->script.thread, NULL);
	if (self->dir[0])
		close(self->script.listener);
	t_ring_destroy(&self->ring);
	t_tmpdir_remove(self->dir);
}

static int meet(FIXTURE_DATA(frontend) * self)
{
	int ret = t_script_start(&self->script);

	self->running = !ret;
	if (ret)
		return ret;
	return vu_frontend_connect(&self->fe, self->path, T_DEADLINE_MS, &self->err);
}

TEST_F(frontend, sends_what_a_virtqueue_needs_in_the_order_of_the_specification)
{
	static const uint32_t order[] = {
		VU_SET_OWNER,
		VU_GET_FEATURES,
		VU_GET_PROTOCOL_FEATURES,
		VU_SET_PROTOCOL_FEATURES,
		VU_SET_FEATURES,
		VU_SET_MEM_TABLE,
		VU_SET_VRING_NUM,
		VU_SET_VRING_BASE,
		VU_SET_VRING_ADDR,
		VU_SET_VRING_CALL,
		VU_SET_VRING_KICK,
		VU_SET_VRING_ENABLE,
		VU_GET_VRING_BASE,
	};
	uint32_t base = 0;

	ASSERT_EQ(0, meet(self));
	ASSERT_EQ(0, whole_life(self->fe, &self->ring, &base, &self->err))
	TH_LOG("%s", self->err.msg);
	EXPECT_EQ(77, base);
	ASSERT_EQ(13u, self->script.nr_seen);
	for (int i = 0; i < 13; i++) {
		bool fds = order[i] == VU_SET_MEM_TABLE || order[i] == VU_SET_VRING_CALL ||
			   order[i] == VU_SET_VRING_KICK;

		EXPECT_EQ(order[i], self->script.seen[i]);
		EXPECT_EQ(fds ? 1u : 0u, self->script.fds[i]);
		/* an acknowledgement is asked for from SET_FEATURES on, never of a get */
		EXPECT_EQ(i >= 4 && i < 12 ? 0x9u : 0x1u, self->script.flags[i]);
	}
}

TEST_F(frontend, does_without_acknowledgements_where_none_are_offered)
{
	self->script.protocol = 0;
	ASSERT_EQ(0, meet(self));
	ASSERT_EQ(0, whole_life(self->fe, &self->ring, NULL, &self->err));
	for (int i = 0; i < 13; i++)
		EXPECT_EQ(0x1u, self->script.flags[i]);
}

TEST_F(frontend, acknowledges_nothing_that_it_does_not_implement)
{
	self->script.features = UINT64_MAX;
	self->script.protocol = UINT64_MAX;
	ASSERT_EQ(0, meet(self));
	ASSERT_EQ(0, whole_life(self->fe, &self->ring, NULL, &self->err));
	EXPECT_EQ(VERSION_1 | BIT_30, self->script.acked);
	EXPECT_EQ(1ull << 3, self->script.acked_protocol);
}

TEST_F(frontend, wants_what_is_not_offered_and_fails_with_enotsup)
{
	self->script.features = BIT_30;
	ASSERT_EQ(0, meet(self));
	EXPECT_EQ(-ENOTSUP, vu_frontend_negotiate(self->fe, VERSION_1, &self->err));
	EXPECT_NE(NULL, strstr(self->err.msg, "0x100000000"));
}

TEST_F(frontend, needs_bit_30_and_fails_without_with_enotsup)
{
	self->script.features = VERSION_1;
	ASSERT_EQ(0, meet(self));
	EXPECT_EQ(-ENOTSUP, vu_frontend_negotiate(self->fe, VERSION_1, &self->err));
}

TEST_F(frontend, refuses_a_memory_table_of_none_or_nine_regions)
{
	struct vu_frontend_region regions[9];

	for (int i = 0; i < 9; i++)
		regions[i] = t_ring_region(&self->ring);
	ASSERT_EQ(0, meet(self));
	EXPECT_EQ(-EINVAL, vu_frontend_set_mem_table(self->fe, regions, 0, &self->err));
	EXPECT_EQ(-EINVAL, vu_frontend_set_mem_table(self->fe, regions, 9, &self->err));
}

TEST_F(frontend, fails_at_once_after_the_connection_is_over)
{
	self->data.request = VU_GET_FEATURES;
	self->data.answer = ANSWER_CLOSE;
	ASSERT_EQ(0, meet(self));
	EXPECT_EQ(-ECONNRESET, vu_frontend_negotiate(self->fe, VERSION_1, &self->err));
	EXPECT_EQ(-ECONNRESET, vu_frontend_negotiate(self->fe, VERSION_1, &self->err));
	EXPECT_NE(NULL, strstr(self->err.msg, "over"));
	EXPECT_EQ(-ECONNRESET, vu_frontend_stop_vring(self->fe, 0, NULL, &self->err));
}

TEST_F(frontend, can_go_on_after_a_refusal)
{
	const struct vu_frontend_region region = t_ring_region(&self->ring);

	self->data.request = VU_SET_MEM_TABLE;
	self->data.answer = ANSWER_REFUSE;
	ASSERT_EQ(0, meet(self));
	ASSERT_EQ(0, vu_frontend_negotiate(self->fe, VERSION_1, &self->err));
	EXPECT_EQ(-EIO, vu_frontend_set_mem_table(self->fe, &region, 1, &self->err));
	EXPECT_NE(NULL, strstr(self->err.msg, "SET_MEM_TABLE"));
	EXPECT_EQ(0, vu_frontend_stop_vring(self->fe, 0, NULL, &self->err));
}

#define REPLY_ACK (1ull << 3)
#define MEM_SLOTS (1ull << 15)

FIXTURE(memory)
{
	char dir[64];
	char path[96];
	struct t_script script;
	uint64_t slots;
	struct vu_frontend *fe;
	struct t_ring ring;
	struct vu_frontend_region regions[12];
	struct vl_err err;
	bool running;
};

FIXTURE_VARIANT(memory)
{
	uint64_t protocol;
	uint64_t slots;
	unsigned int max;
};

#define MEMORY(_name, _protocol, _slots, _max)                             \
	FIXTURE_VARIANT_ADD(memory, _name)                                 \
	{                                                                  \
		.protocol = (_protocol), .slots = (_slots), .max = (_max), \
	}

/* clang-format off */
MEMORY(of_tables, REPLY_ACK, 0, 8);
MEMORY(of_tables_without_acknowledgements, 0, 0, 8);
MEMORY(of_three_slots, MEM_SLOTS | REPLY_ACK, 3, 3);
MEMORY(of_slots_without_number, MEM_SLOTS, UINT64_MAX, 509);
MEMORY(of_no_slots, MEM_SLOTS | REPLY_ACK, 0, 0);
/* clang-format on */

FIXTURE_SETUP(memory)
{
	const struct vu_frontend_wish wish = {
		.required = VERSION_1,
		.protocol = MEM_SLOTS | REPLY_ACK,
	};

	memset(self, 0, sizeof(*self));
	T_SCRIPT_NEEDS_IO_URING();
	ASSERT_EQ(0, t_tmpdir_create(self->dir));
	snprintf(self->path, sizeof(self->path), "%s/s", self->dir);
	ASSERT_EQ(0, t_ring_create(&self->ring));
	for (unsigned int i = 0; i < 12; i++) {
		self->regions[i] = t_ring_region(&self->ring);
		self->regions[i].guest_addr += i << 30;
		self->regions[i].user_addr += (uint64_t)i << 30;
	}
	self->script.listener = t_peer_listen(self->path);
	self->script.features = VERSION_1 | BIT_30;
	self->script.protocol = variant->protocol;
	self->slots = variant->slots;
	self->script.answer = t_script_answer_slots;
	self->script.data = &self->slots;
	ASSERT_EQ(0, t_script_start(&self->script));
	self->running = true;
	ASSERT_EQ(0, vu_frontend_connect(&self->fe, self->path, T_DEADLINE_MS, &self->err));
	ASSERT_EQ(0, vu_frontend_open(self->fe, &wish, &self->err));
	ASSERT_EQ(0, vu_frontend_set_mem_table(self->fe, self->regions, 1, &self->err));
}

FIXTURE_TEARDOWN(memory)
{
	vu_frontend_destroy(self->fe);
	if (self->running)
		pthread_join(self->script.thread, NULL);
	if (self->dir[0])
		close(self->script.listener);
	t_ring_destroy(&self->ring);
	t_tmpdir_remove(self->dir);
}

/* The last request but those that only make sure that it was done. */
static unsigned int last_change(const struct t_script *s)
{
	unsigned int i = s->nr_seen;

	while (i-- && s->seen[i] != VU_SET_MEM_TABLE && s->seen[i] != VU_ADD_MEM_REG &&
	       s->seen[i] != VU_REM_MEM_REG)
		;
	return i;
}

TEST_F(memory, is_added_until_the_back_end_takes_no_more)
{
	struct t_script *s = &self->script;
	bool slots = variant->protocol & MEM_SLOTS;
	unsigned int max, nr = 1;
	int ret = 0;

	ASSERT_EQ(0, vu_frontend_max_regions(self->fe, &max, &self->err));
	EXPECT_EQ(variant->max, max);
	for (; nr < 12; nr++) {
		ret = vu_frontend_add_region(self->fe, &self->regions[nr], &self->err);
		if (ret)
			break;
		EXPECT_EQ(slots ? VU_ADD_MEM_REG : VU_SET_MEM_TABLE, s->seen[last_change(s)]);
		EXPECT_EQ(slots ? 1u : nr + 1, s->fds[last_change(s)]);
	}
	EXPECT_EQ(max < 12 ? -ENOSPC : 0, ret);
	EXPECT_EQ(max < 1 ? 1u : max < 12 ? max : 12u, nr);
}

TEST_F(memory, is_removed_but_for_what_is_not_there)
{
	struct t_script *s = &self->script;
	bool slots = variant->protocol & MEM_SLOTS;

	if (variant->max < 2)
		return;
	EXPECT_EQ(-ENOENT, vu_frontend_remove_region(self->fe, &self->regions[1], &self->err));
	ASSERT_EQ(0, vu_frontend_add_region(self->fe, &self->regions[1], &self->err));
	ASSERT_EQ(0, vu_frontend_remove_region(self->fe, &self->regions[0], &self->err));
	EXPECT_EQ(slots ? VU_REM_MEM_REG : VU_SET_MEM_TABLE, s->seen[last_change(s)]);
	EXPECT_EQ(slots ? 0u : 1u, s->fds[last_change(s)]);
	EXPECT_EQ(-ENOENT, vu_frontend_remove_region(self->fe, &self->regions[0], &self->err));
	/* a table of none cannot be told */
	EXPECT_EQ(slots ? 0 : -EINVAL,
		  vu_frontend_remove_region(self->fe, &self->regions[1], &self->err));
}

/* Else a driver would use what the back-end does not have yet. */
TEST_F(memory, is_there_when_the_call_returns)
{
	uint32_t change = variant->protocol & MEM_SLOTS ? VU_ADD_MEM_REG : VU_SET_MEM_TABLE;
	bool ack = variant->protocol & REPLY_ACK;
	struct t_script *s = &self->script;
	unsigned int last;

	if (variant->max < 2)
		return;
	ASSERT_EQ(0, vu_frontend_add_region(self->fe, &self->regions[1], &self->err));
	last = s->nr_seen - 1;
	/* a reply to the one, or to a request that only has one */
	EXPECT_EQ(ack ? 0x9u : 0x1u, s->flags[last]);
	EXPECT_EQ(ack ? change : VU_GET_FEATURES, s->seen[last]);
}

TEST_F(memory, of_more_regions_than_a_table_has_needs_slots)
{
	int refusal = variant->protocol & MEM_SLOTS ? -ENOSPC : -EINVAL;

	EXPECT_EQ(variant->max < 12 ? refusal : 0,
		  vu_frontend_set_mem_table(self->fe, self->regions, 12, &self->err));
}

FIXTURE(connecting)
{
	char dir[64];
	char path[200];
	struct vu_frontend *fe;
	struct vl_err err;
	int fds_before;
};

FIXTURE_SETUP(connecting)
{
	memset(self, 0, sizeof(*self));
	T_SCRIPT_NEEDS_IO_URING();
	ASSERT_EQ(0, t_tmpdir_create(self->dir));
	snprintf(self->path, sizeof(self->path), "%s/s", self->dir);
	self->fds_before = t_fds_count(0);
}

FIXTURE_TEARDOWN(connecting)
{
	if (!self->dir[0])
		return;
	EXPECT_EQ(NULL, self->fe);
	EXPECT_EQ(self->fds_before, t_fds_count(0));
	t_tmpdir_remove(self->dir);
}

TEST_F(connecting, to_nothing_is_enoent_and_the_message_has_the_path)
{
	EXPECT_EQ(-ENOENT, vu_frontend_connect(&self->fe, self->path, T_DEADLINE_MS, &self->err));
	EXPECT_NE(NULL, strstr(self->err.msg, self->path));
	EXPECT_NE(NULL, strstr(self->err.msg, "running?"));
}

TEST_F(connecting, to_a_socket_that_nobody_listens_on_is_econnrefused)
{
	close(t_peer_listen(self->path));
	EXPECT_EQ(-ECONNREFUSED,
		  vu_frontend_connect(&self->fe, self->path, T_DEADLINE_MS, &self->err));
}

TEST_F(connecting, to_a_path_that_is_too_long_is_enametoolong)
{
	memset(self->path, 'x', sizeof(self->path) - 1);
	EXPECT_EQ(-ENAMETOOLONG,
		  vu_frontend_connect(&self->fe, self->path, T_DEADLINE_MS, &self->err));
}

TEST_F(connecting, to_a_full_backlog_is_etimedout)
{
	int listener = t_peer_listen(self->path);
	int fds[2];

	/* the backlog of 1 takes two; nobody accepts */
	fds[0] = t_peer_connect(self->path);
	fds[1] = t_peer_connect(self->path);
	ASSERT_LE(0, fds[1]);
	EXPECT_EQ(-ETIMEDOUT, vu_frontend_connect(&self->fe, self->path, 50, &self->err));
	close(fds[0]);
	close(fds[1]);
	close(listener);
}

FIXTURE(hostile)
{
	char dir[64];
	char path[96];
	struct t_script script;
	struct script_data data;
	struct t_ring ring;
	struct vl_err err;
	int fds_before;
	bool running;
};

FIXTURE_VARIANT(hostile)
{
	uint32_t request;
	enum answer answer;
	int code;
};

#define HOSTILE(_name, _request, _answer, _code)                                       \
	FIXTURE_VARIANT_ADD(hostile, _name)                                            \
	{                                                                              \
		.request = VU_##_request, .answer = ANSWER_##_answer, .code = (_code), \
	}

/* clang-format off */
HOSTILE(get_other_id, GET_FEATURES, OTHER_ID, -EPROTO);
HOSTILE(get_without_reply_flag, GET_FEATURES, WITHOUT_REPLY_FLAG, -EPROTO);
HOSTILE(get_with_need_reply, GET_FEATURES, WITH_NEED_REPLY, -EPROTO);
HOSTILE(get_version_2, GET_FEATURES, VERSION_2, -EPROTO);
HOSTILE(get_too_short, GET_FEATURES, TOO_SHORT, -EPROTO);
HOSTILE(get_too_long, GET_FEATURES, TOO_LONG, -EPROTO);
HOSTILE(get_huge, GET_FEATURES, HUGE, -EPROTO);
HOSTILE(get_with_fd, GET_FEATURES, WITH_FD, -EPROTO);
HOSTILE(get_close, GET_FEATURES, CLOSE, -ECONNRESET);
HOSTILE(get_half_and_close, GET_FEATURES, HALF_AND_CLOSE, -ECONNRESET);
HOSTILE(get_nothing, GET_FEATURES, NOTHING, -ETIMEDOUT);
HOSTILE(get_half, GET_FEATURES, HALF, -ETIMEDOUT);
HOSTILE(get_in_single_bytes, GET_FEATURES, IN_SINGLE_BYTES, 0);
HOSTILE(protocol_other_id, GET_PROTOCOL_FEATURES, OTHER_ID, -EPROTO);
HOSTILE(ack_other_id, SET_MEM_TABLE, OTHER_ID, -EPROTO);
HOSTILE(ack_with_need_reply, SET_MEM_TABLE, WITH_NEED_REPLY, -EPROTO);
HOSTILE(ack_too_short, SET_MEM_TABLE, TOO_SHORT, -EPROTO);
HOSTILE(ack_with_fd, SET_MEM_TABLE, WITH_FD, -EPROTO);
HOSTILE(ack_nothing, SET_MEM_TABLE, NOTHING, -ETIMEDOUT);
HOSTILE(ack_close, SET_MEM_TABLE, CLOSE, -ECONNRESET);
HOSTILE(mem_table_refused, SET_MEM_TABLE, REFUSE, -EIO);
HOSTILE(features_refused, SET_FEATURES, REFUSE, -EIO);
HOSTILE(num_refused, SET_VRING_NUM, REFUSE, -EIO);
HOSTILE(kick_refused, SET_VRING_KICK, REFUSE, -EIO);
HOSTILE(enable_refused, SET_VRING_ENABLE, REFUSE, -EIO);
HOSTILE(base_of_other_index, GET_VRING_BASE, OTHER_INDEX, -EPROTO);
HOSTILE(base_too_large, GET_VRING_BASE, BASE_TOO_LARGE, -EPROTO);
HOSTILE(base_close, GET_VRING_BASE, CLOSE, -ECONNRESET);
/* clang-format on */

FIXTURE_SETUP(hostile)
{
	struct t_script *s = &self->script;

	memset(self, 0, sizeof(*self));
	T_SCRIPT_NEEDS_IO_URING();
	ASSERT_EQ(0, t_tmpdir_create(self->dir));
	snprintf(self->path, sizeof(self->path), "%s/s", self->dir);
	ASSERT_EQ(0, t_ring_create(&self->ring));
	s->listener = t_peer_listen(self->path);
	s->features = VERSION_1 | BIT_30;
	s->protocol = 1ull << 3;
	s->answer = send_reply;
	s->data = &self->data;
	self->data.request = variant->request;
	self->data.answer = variant->answer;
	self->fds_before = t_fds_count(0);
	ASSERT_EQ(0, t_script_start(s));
	self->running = true;
}

FIXTURE_TEARDOWN(hostile)
{
	if (!self->running)
		return;
	pthread_join(self->script.thread, NULL);
	EXPECT_EQ(self->fds_before, t_fds_count(0));
	close(self->script.listener);
	t_ring_destroy(&self->ring);
	t_tmpdir_remove(self->dir);
}

TEST_F(hostile, answer_is_an_error_that_names_the_request)
{
	/* silence has to last; every other answer comes long before the deadline */
	unsigned int timeout_ms = variant->code == -ETIMEDOUT ? 1000 : T_DEADLINE_MS;
	struct vu_frontend *fe;
	int ret;

	ASSERT_EQ(0, vu_frontend_connect(&fe, self->path, timeout_ms, &self->err));
	ret = whole_life(fe, &self->ring, NULL, &self->err);
	vu_frontend_destroy(fe);
	EXPECT_EQ(variant->code, ret) TH_LOG("%s", self->err.msg);
	if (variant->code) {
		EXPECT_EQ(variant->code, self->err.code);
		EXPECT_NE(NULL, strstr(self->err.msg, vu_msg_name(variant->request)))
		TH_LOG("%s", self->err.msg);
	}
}

TEST_HARNESS_MAIN
