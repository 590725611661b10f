// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include <vringlab/err.h>
#include <vringlab/loop.h>

#include "common.h"
#include "loopback.h"

struct echo {
	struct loop_op *watch;
	struct loop_eventfd *call;
};

struct watch {
	struct loop_op *op;
	size_t *seen;
};

static struct loop *create(void)
{
	struct vl_err err;
	struct loop *loop;

	int ret = loop_create(&loop, &err);

	if (!ret)
		return loop;
	if (ret == -EPERM || ret == -ENOSYS)
		skip("%s", err.msg);
	die("%s", err.msg);
}

static void on_kick(void *ctx, int res)
{
	struct echo *echo = ctx;

	if (res < 0)
		die_errno(res, "poll of the kick eventfd");
	loop_eventfd_signal(echo->call);
}

void loop_echo(int kick, int call)
{
	struct loop *loop = create();
	struct echo echo;
	int ret;

	ret = loop_eventfd_add(loop, call, &echo.call);
	if (!ret)
		ret = loop_poll(loop, kick, POLLIN, on_kick, &echo, &echo.watch);
	if (!ret)
		ret = loop_run(loop);
	die_errno(ret, "event loop");
}

static void on_event(void *ctx, int res)
{
	struct watch *watch = ctx;

	if (res < 0)
		die_errno(res, "poll of an eventfd");
	(*watch->seen)++;
}

struct loop *loop_watch(const int *fds, size_t nr, size_t *seen)
{
	struct watch *watches = calloc(nr, sizeof(*watches));
	struct loop *loop = create();
	int ret;

	if (!watches)
		die_errno(ENOMEM, "watches");
	for (size_t i = 0; i < nr; i++) {
		watches[i].seen = seen;
		ret = loop_poll(loop, fds[i], POLLIN, on_event, &watches[i], &watches[i].op);
		if (ret)
			die_errno(ret, "poll of an eventfd");
	}
	return loop;
}

void loop_watch_once(struct loop *loop)
{
	int ret = loop_run_once(loop, LOOP_FOREVER);

	if (ret)
		die_errno(ret, "event loop");
}
