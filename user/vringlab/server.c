// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <json-c/json.h>

#include <vringlab/err.h>
#include <vringlab/loop.h>
#include <vringlab/nl.h>

#include "json_add.h"
#include "server.h"

/* Before accept is tried again after it failed: fds may have run out. */
#define ACCEPT_RETRY_NS 1000000000ull

/* So many messages about front-ends, in so long. */
#define MESSAGES_MAX 20u
#define MESSAGES_NS 10000000000ull

static void verbose(const struct server *s, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void verbose(const struct server *s, const char *fmt, ...)
{
	va_list ap;

	if (!s->verbose)
		return;
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

/* A front-end that connects again and again fills no log, and no pipe that nobody reads. */
static bool may_print(struct server *s)
{
	uint64_t now_ns = loop_now_ns();

	if (now_ns - s->since_ns >= MESSAGES_NS) {
		if (s->unprinted)
			fprintf(stderr, "vringlab: front-end on %s: %" PRIu64 " more messages\n",
				s->opt->socket, s->unprinted);
		s->since_ns = now_ns;
		s->nr_told = 0;
		s->unprinted = 0;
	}
	if (s->nr_told++ < MESSAGES_MAX)
		return true;
	s->unprinted++;
	return false;
}

/* One message for each connection: what comes after the first is its consequence. */
static void complain(struct server *s, const char *what)
{
	if (!s->told && may_print(s))
		fprintf(stderr, "vringlab: front-end on %s: %s\n", s->opt->socket, what);
	s->told = true;
}

/* By who runs the guest, before we were there: all but our wakes is counted. */
static int traced_already(struct server *s, const struct vl_err *err)
{
	if (may_print(s))
		fprintf(stderr, "vringlab: front-end on %s: %s\n", s->opt->socket, err->msg);
	return 0;
}

/*
 * The registration outlives the connection: who reads the counters does so when
 * the guest has ended.
 */
static int vring_ready(void *ctx, const struct vu_vring_info *info, struct vl_err *err)
{
	struct server *s = ctx;
	char label[VRINGLAB_LABEL_LEN];
	const struct vlnl_vring_add add = {
		.label = label,
		.backend = VRINGLAB_BACKEND_VHOST_USER,
		.kick_fd = info->kick_fd,
		.call_fd = info->call_fd,
		.wake_user_data = info->wake_user_data,
		.has_wake_user_data = true,
	};
	int ret;

	if (!s->nl)
		return 0;
	snprintf(label, sizeof(label), "%s.%u", s->opt->trace, info->index % VU_QUEUES_MAX);
	if (s->registered[info->index]) {
		ret = vlnl_vring_del(s->nl, s->ids[info->index], err);
		/* somebody else may have deleted it */
		if (ret && ret != -ENOENT)
			return ret;
		s->registered[info->index] = false;
	}
	ret = vlnl_vring_add(s->nl, &add, &s->ids[info->index], err);
	if (ret == -EEXIST)
		return traced_already(s, err);
	if (ret)
		return ret;
	s->registered[info->index] = true;
	verbose(s, "vring %u is traced as %s", info->index, label);
	return 0;
}

/* Of a virtqueue: as vring_dev_pop() and vring_dev_init() have them. */
static const char *broken_rule(int code)
{
	switch (code) {
	case -EFAULT:
		return "an address lies outside of the memory table";
	case -EPROTO:
		return "more is available than it has entries, or its inflight region says else";
	case -EINVAL:
		return "a head, next or id is out of range or in flight, or a chain is malformed";
	default:
		return vl_strerror(code);
	}
}

static void vring_error(void *ctx, unsigned int index, int code)
{
	struct vl_err err;

	vl_err_set(&err, code, "vring %u is stopped: its contents are bad: %s", index,
		   broken_rule(code));
	complain(ctx, err.msg);
}

static void refused(void *ctx, const struct vl_err *err)
{
	complain(ctx, err->msg);
}

static void accept_next(void *ctx, int res);

static void on_accepted(void *ctx, int res)
{
	struct server *s = ctx;
	int ret = res;

	if (res >= 0) {
		s->told = false;
		ret = vu_backend_attach(s->be, res);
		if (!ret) {
			s->connections++;
			verbose(s, "%s: a front-end is connected", s->opt->socket);
			return;
		}
		close(res);
	}
	fprintf(stderr, "vringlab: cannot accept on %s: %s\n", s->opt->socket, vl_strerror(ret));
	if (!loop_timer(s->loop, ACCEPT_RETRY_NS, accept_next, s, &s->accept))
		return;
	s->failed = true;
	s->done(s->ctx, s);
}

static void accept_next(void *ctx, int res)
{
	struct server *s = ctx;

	if (!res)
		res = loop_accept(s->loop, s->listener.fd, on_accepted, s, &s->accept);
	if (!res)
		return;
	fprintf(stderr, "vringlab: cannot accept on %s: %s\n", s->opt->socket, vl_strerror(res));
	s->failed = true;
	s->done(s->ctx, s);
}

static void closed(void *ctx, const struct vl_err *err)
{
	struct server *s = ctx;

	if (err->code != -ECONNRESET)
		complain(s, err->msg);
	verbose(s, "%s: the front-end is gone", s->opt->socket);
	if (!s->once) {
		accept_next(s, 0);
		return;
	}
	s->failed = s->told;
	s->done(s->ctx, s);
}

/* Of the device, whichever front-end it has. */
static void warn(struct vdev *vdev, const struct vl_err *err)
{
	(void)vdev;
	fprintf(stderr, "vringlab: %s\n", err->msg);
}

static const struct vu_backend_ops ops = {
	.vring_ready = vring_ready,
	.vring_error = vring_error,
	.refused = refused,
	.closed = closed,
};

int server_open(struct server *s, struct vl_err *err)
{
	const struct vu_backend_config config = { .ops = &ops, .ctx = s };
	const struct device_options *opt = s->opt;
	int ret;

	s->listener.fd = -1;
	ret = opt->kind->create(&s->vdev, s->loop, opt, err);
	if (ret)
		return ret;
	s->vdev->warn = warn;
	ret = vu_backend_create(&s->be, s->loop, s->vdev, &config);
	if (ret)
		return vl_err_set(err, ret, "cannot make a back-end: %s", vl_strerror(ret));
	ret = listener_open(&s->listener, opt->socket, opt->mode, opt->group, err);
	if (!ret)
		verbose(s, "listening on %s", opt->socket);
	return ret;
}

void server_start(struct server *s)
{
	accept_next(s, 0);
}

static struct json_object *vring_json(const struct server *s, unsigned int index)
{
	struct json_object *o = json_object_new_object();
	struct vu_vring_stats stats;

	vu_backend_vring_stats(s->be, index, &stats);
	json_add_u64(o, "index", index);
	json_add_u64(o, "num", stats.num);
	json_object_object_add(o, "packed", json_object_new_boolean(stats.packed));
	json_object_object_add(o, "started", json_object_new_boolean(stats.started));
	json_object_object_add(o, "enabled", json_object_new_boolean(stats.enabled));
	json_object_object_add(o, "broken", json_object_new_boolean(stats.broken));
	json_add_u64(o, "in-flight", stats.in_flight);
	json_add_u64(o, "kicks", stats.kicks);
	json_add_u64(o, "runs", stats.runs);
	json_add_u64(o, "calls", stats.calls);
	json_add_u64(o, "misses", stats.misses);
	json_add_u64(o, "errors", stats.errors);
	return o;
}

struct json_object *server_json(const struct server *s)
{
	struct json_object *o = json_object_new_object();
	struct json_object *vrings = json_object_new_array();

	json_object_object_add(o, "device", json_object_new_string(s->opt->kind->name));
	json_object_object_add(o, "socket", json_object_new_string(s->opt->socket));
	json_add_u64(o, "connections", s->connections);
	json_object_object_add(o, "counters", s->opt->kind->stats(s->vdev));
	for (unsigned int i = 0; i < s->vdev->num_queues; i++)
		json_object_array_add(vrings, vring_json(s, i));
	json_object_object_add(o, "vrings", vrings);
	return o;
}

void server_close(struct server *s)
{
	loop_op_remove(&s->accept);
	listener_close(&s->listener);
	vu_backend_destroy(s->be);
	s->opt->kind->destroy(s->vdev);
}
