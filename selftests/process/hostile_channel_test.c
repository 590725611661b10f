// SPDX-License-Identifier: GPL-2.0-only
/*
 * A back-end that sends what it should not on the channel it was given: the channel is
 * closed or the message refused, and the front-end goes on with its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <vringlab/err.h>
#include <vringlab/loop.h>
#include <vringlab/vhost_user_frontend.h>

#include "kselftest_harness.h"
#include "t.h"
#include "t_fds.h"
#include "t_peer.h"
#include "t_script.h"

#define VERSION_1 (1ull << 32)
#define BIT_30 (1ull << 30)
/* REPLY_ACK, BACKEND_REQ, CONFIG, INBAND_NOTIFICATIONS */
#define PROTOCOL (1ull << 3 | 1ull << 5 | 1ull << 9 | 1ull << 14)

/* What the back-end found. */
struct found {
	const void *variant;
	atomic_bool done;
	int result;
	uint64_t reply;
};

struct told {
	unsigned int configs;
	unsigned int calls;
	uint32_t index;
	unsigned int misses;
	bool closed;
};

static void config_changed(void *ctx)
{
	((struct told *)ctx)->configs++;
}

static void vring_call(void *ctx, uint32_t index)
{
	struct told *told = ctx;

	told->calls++;
	told->index = index;
}

static int iotlb(void *ctx, const struct vu_iotlb *msg)
{
	(void)msg;
	((struct told *)ctx)->misses++;
	return -EPERM;
}

static void closed(void *ctx, const struct vl_err *err)
{
	(void)err;
	((struct told *)ctx)->closed = true;
}

static const struct vu_frontend_channel_ops ops = {
	.config_changed = config_changed,
	.iotlb = iotlb,
	.vring_call = vring_call,
	.closed = closed,
};

FIXTURE(message)
{
	char dir[64];
	char path[96];
	struct t_script script;
	struct vu_frontend *fe;
	struct found found;
	struct told told;
	struct vl_err err;
	int fds;
};

/* @code: of the reply; -1 if the channel is closed. */
FIXTURE_VARIANT(message)
{
	uint32_t request;
	uint32_t flags;
	uint32_t size;
	unsigned int nr_fds;
	uint64_t words[5];
	int code;
};

#define MESSAGE(_name, _request, _code, ...)                        \
	FIXTURE_VARIANT_ADD(message, _name)                         \
	{                                                           \
		.request = (_request), .code = (_code), __VA_ARGS__ \
	}

/* clang-format off */
MESSAGE(config_change, VU_CHANNEL_CONFIG_CHANGE_MSG, 0);
MESSAGE(call, VU_CHANNEL_VRING_CALL, 0, .size = 8, .words = { 7 });
MESSAGE(call_of_vring_256, VU_CHANNEL_VRING_CALL, EINVAL, .size = 8, .words = { 256 });
MESSAGE(err_of_vring_max, VU_CHANNEL_VRING_ERR, EINVAL, .size = 8, .words = { UINT32_MAX });
MESSAGE(miss_that_is_refused, VU_CHANNEL_IOTLB_MSG, EPERM, .size = 32);
MESSAGE(request_0, 0, -1);
MESSAGE(request_11, 11, -1);
MESSAGE(request_max, UINT32_MAX, -1);
MESSAGE(size_max, VU_CHANNEL_IOTLB_MSG, -1, .size = UINT32_MAX);
MESSAGE(size_above, VU_CHANNEL_CONFIG_CHANGE_MSG, -1, .size = 8);
MESSAGE(size_below, VU_CHANNEL_IOTLB_MSG, -1, .size = 31);
MESSAGE(version_2, VU_CHANNEL_CONFIG_CHANGE_MSG, -1, .flags = 0xa);
MESSAGE(reply_flag, VU_CHANNEL_CONFIG_CHANGE_MSG, -1, .flags = 0x5);
MESSAGE(undefined_flag, VU_CHANNEL_CONFIG_CHANGE_MSG, -1, .flags = 0x19);
MESSAGE(fd_where_none_fits, VU_CHANNEL_CONFIG_CHANGE_MSG, -1, .nr_fds = 1);
MESSAGE(fds_9, VU_CHANNEL_CONFIG_CHANGE_MSG, -1, .nr_fds = 9);
MESSAGE(fds_253, VU_CHANNEL_CONFIG_CHANGE_MSG, -1, .nr_fds = 253);
MESSAGE(notifier_not_negotiated, VU_CHANNEL_VRING_HOST_NOTIFIER_MSG, EPROTO, .size = 24,
	.nr_fds = 1,
	.words = { 0, 4096, 0 });
MESSAGE(object_add_not_negotiated, VU_CHANNEL_SHARED_OBJECT_ADD, EPROTO, .size = 16);
MESSAGE(object_remove_not_negotiated, VU_CHANNEL_SHARED_OBJECT_REMOVE, EPROTO, .size = 16);
MESSAGE(object_lookup_not_negotiated, VU_CHANNEL_SHARED_OBJECT_LOOKUP, EPROTO, .size = 16);
MESSAGE(shmem_map_not_negotiated, VU_CHANNEL_SHMEM_MAP, EPROTO, .size = 40, .nr_fds = 1);
MESSAGE(shmem_unmap_not_negotiated, VU_CHANNEL_SHMEM_UNMAP, EPROTO, .size = 40);
/* clang-format on */

static int send_message(int channel, const FIXTURE_VARIANT(message) * v)
{
	const struct vu_header hdr = { v->request, v->flags ? v->flags : 0x9, v->size };
	uint8_t bytes[sizeof(hdr) + sizeof(v->words)];
	size_t size = v->size < sizeof(v->words) ? v->size : sizeof(v->words);
	int fds[253], efd = eventfd(0, EFD_CLOEXEC);
	int ret;

	for (int i = 0; i < 253; i++)
		fds[i] = efd;
	memcpy(bytes, &hdr, sizeof(hdr));
	memcpy(bytes + sizeof(hdr), v->words, sizeof(v->words));
	ret = t_peer_send(channel, bytes, sizeof(hdr) + size, fds, v->nr_fds);
	close(efd);
	return ret;
}

/* Sends the message, and sees what becomes of it. */
static int find_out(const FIXTURE_VARIANT(message) * v, int channel, uint64_t *answer)
{
	union vu_payload reply;
	struct vu_header hdr;
	int ret = send_message(channel, v);

	if (ret)
		return ret;
	if (v->code < 0)
		return t_peer_closed(channel);
	ret = t_peer_reply(channel, &hdr, &reply);
	if (!ret && (hdr.request != v->request || hdr.flags != 0x5))
		ret = -EPROTO;
	*answer = reply.u64;
	return ret;
}

/* As soon as there is a channel. */
static int say(struct t_script *s, int fd, const struct vu_header *hdr,
	       const union vu_payload *payload)
{
	struct found *found = (struct found *)s->data;
	int ret = t_script_send(fd, hdr, payload);

	if (ret || hdr->request != VU_SET_BACKEND_REQ_FD)
		return ret;
	found->result = find_out(found->variant, s->kept, &found->reply);
	atomic_store(&found->done, true);
	return 0;
}

static int open_all(struct vu_frontend *fe, struct vl_err *err)
{
	const struct vu_frontend_wish wish = { .required = VERSION_1, .protocol = PROTOCOL };

	return vu_frontend_open(fe, &wish, err);
}

FIXTURE_SETUP(message)
{
	memset(self, 0, sizeof(*self));
	T_SCRIPT_NEEDS_IO_URING();
	ASSERT_EQ(0, t_tmpdir_create(self->dir));
	snprintf(self->path, sizeof(self->path), "%s/s", self->dir);
	self->found.variant = variant;
	self->script.listener = t_peer_listen(self->path);
	self->script.features = VERSION_1 | BIT_30;
	self->script.protocol = PROTOCOL;
	self->script.answer = say;
	self->script.data = &self->found;
	self->fds = t_fds_count(0);
	ASSERT_EQ(0, t_script_start(&self->script));
	ASSERT_EQ(0, vu_frontend_connect(&self->fe, self->path, T_DEADLINE_MS, &self->err));
	ASSERT_EQ(0, open_all(self->fe, &self->err)) TH_LOG("%s", self->err.msg);
}

FIXTURE_TEARDOWN(message)
{
	if (!self->dir[0])
		return;
	vu_frontend_destroy(self->fe);
	pthread_join(self->script.thread, NULL);
	EXPECT_EQ(self->fds, t_fds_count(0));
	close(self->script.listener);
	t_tmpdir_remove(self->dir);
}

TEST_F(message, is_refused_or_closes_the_channel_and_no_more)
{
	uint64_t deadline_ns = loop_now_ns() + T_DEADLINE_MS * 1000000ull;

	ASSERT_EQ(0, vu_frontend_open_channel(self->fe, &ops, &self->told, &self->err))
	TH_LOG("%s", self->err.msg);
	while (!atomic_load(&self->found.done) && loop_now_ns() < deadline_ns)
		vu_frontend_serve(self->fe, 20);
	EXPECT_EQ(0, self->found.result);
	if (variant->code >= 0) {
		EXPECT_EQ((uint64_t)variant->code, self->found.reply);
	}
	EXPECT_EQ(variant->code < 0, self->told.closed);
	EXPECT_EQ(variant->request == VU_CHANNEL_VRING_CALL && !variant->code, self->told.calls);
	/* the connection itself */
	EXPECT_EQ(0, vu_frontend_stop_vring(self->fe, 0, NULL, &self->err))
	TH_LOG("%s", self->err.msg);
}

/* --- floods ------------------------------------------------------------------------- */

FIXTURE(flood)
{
	char dir[64];
	char path[96];
	struct t_script script;
	struct vu_frontend *fe;
	struct told told;
	struct vl_err err;
	int fds;
};

/* With @need_reply nobody reads the replies. */
FIXTURE_VARIANT(flood)
{
	bool need_reply;
	bool answers;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(flood, of_a_back_end_that_answers) { .answers = true };
FIXTURE_VARIANT_ADD(flood, that_wants_replies_of_a_back_end_that_answers) { .need_reply = true,
	.answers = true };
FIXTURE_VARIANT_ADD(flood, of_a_back_end_that_does_not_answer) { .answers = false };
/* clang-format on */

/* As much as the socket takes, or for as long as somebody reads. */
static void pour(int channel, uint32_t flags, bool forever)
{
	/* many by one write: the reader is never ahead */
	struct vu_header hdrs[4000];

	for (int i = 0; i < 4000; i++)
		hdrs[i] = (struct vu_header){ VU_CHANNEL_CONFIG_CHANGE_MSG, flags, 0 };
	fcntl(channel, F_SETFL, forever ? 0 : O_NONBLOCK);
	while (!t_peer_send(channel, hdrs, forever ? sizeof(hdrs) : sizeof(hdrs[0]), NULL, 0))
		;
}

/* Whether to answer. */
static bool pour_first(const FIXTURE_VARIANT(flood) * v, int channel)
{
	pour(channel, v->need_reply ? 0x9 : 0x1, !v->answers);
	return v->answers;
}

static int pour_and_answer(struct t_script *s, int fd, const struct vu_header *hdr,
			   const union vu_payload *payload)
{
	if (hdr->request == VU_GET_VRING_BASE && !pour_first(s->data, s->kept))
		return -1;
	return t_script_send(fd, hdr, payload);
}

FIXTURE_SETUP(flood)
{
	unsigned int timeout_ms = variant->answers ? T_DEADLINE_MS : 1000;

	memset(self, 0, sizeof(*self));
	T_SCRIPT_NEEDS_IO_URING();
	signal(SIGPIPE, SIG_IGN);
	ASSERT_EQ(0, t_tmpdir_create(self->dir));
	snprintf(self->path, sizeof(self->path), "%s/s", self->dir);
	self->script.listener = t_peer_listen(self->path);
	self->script.features = VERSION_1 | BIT_30;
	self->script.protocol = PROTOCOL;
	self->script.answer = pour_and_answer;
	self->script.data = variant;
	self->fds = t_fds_count(0);
	ASSERT_EQ(0, t_script_start(&self->script));
	ASSERT_EQ(0, vu_frontend_connect(&self->fe, self->path, timeout_ms, &self->err));
	ASSERT_EQ(0, open_all(self->fe, &self->err)) TH_LOG("%s", self->err.msg);
	ASSERT_EQ(0, vu_frontend_open_channel(self->fe, &ops, &self->told, &self->err))
	TH_LOG("%s", self->err.msg);
}

FIXTURE_TEARDOWN(flood)
{
	if (!self->dir[0])
		return;
	vu_frontend_destroy(self->fe);
	pthread_join(self->script.thread, NULL);
	EXPECT_EQ(self->fds, t_fds_count(0));
	close(self->script.listener);
	t_tmpdir_remove(self->dir);
}

TEST_F(flood, ends_no_later_than_the_deadline)
{
	int ret = 0;

	for (int i = 0; i < 10 && !ret; i++)
		ret = vu_frontend_stop_vring(self->fe, 0, NULL, &self->err);
	EXPECT_EQ(variant->answers ? 0 : -ETIMEDOUT, ret) TH_LOG("%s", self->err.msg);
	EXPECT_LT(0u, self->told.configs);
}

TEST_HARNESS_MAIN
