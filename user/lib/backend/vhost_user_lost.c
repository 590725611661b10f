// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A back-end that is lost while virtqueues are served: another one is tried for now and
 * then, by a timer. The guest waits meanwhile, if it waits for an answer.
 */
#include <errno.h>

#include "vhost_user.h"

/* Between two tries, from the first on. */
#define RETRY_MIN_NS 5000000ull
#define RETRY_MAX_NS 250000000ull

static void try_again_later(struct vhost_user *v);

static void give_up(struct vhost_user *v, struct vl_err *err)
{
	vl_err_prefix(err, "%s: its back-end was lost", v->b.name);
	/* the next driver gets a connection of its own */
	vhost_user_unwatch_connection(v);
	vu_session_destroy(&v->session);
	backend_fail(&v->b, err);
}

/* Is there all that another one has to know? */
static int check_resumable(const struct vhost_user *v, struct vl_err *err)
{
	bool in_order = vhost_user_is_net(v) || v->config.device_id == VIRTIO_ID_VSOCK;

	if (v->session.inflight_fd >= 0 || (in_order && !vhost_user_is_packed(v)))
		return 0;
	return vl_err_set(err, -ENOTSUP,
			  "it kept no record of what was in flight (INFLIGHT_SHMFD)");
}

/* Requests fail that were sent to it meanwhile. */
static bool may_retry(const struct vhost_user *v, int code)
{
	uint64_t gone_ns = loop_now_ns() - v->lost_ns;

	return vu_session_may_retry(&v->session, code) && gone_ns < v->config.gone_ms * 1000000ull;
}

static void retry(void *ctx, int res)
{
	struct vhost_user *v = ctx;
	struct vl_err err;
	int ret;

	(void)res;
	ret = vu_session_try(&v->session, &err);
	if (!ret)
		ret = vhost_user_watch(v, &err);
	if (!ret) {
		vl_err_set(&err, 0, "goes on with the next back-end");
		backend_warn(&v->b, &err);
		return;
	}
	if (may_retry(v, ret))
		try_again_later(v);
	else
		give_up(v, &err);
}

static void try_again_later(struct vhost_user *v)
{
	struct vl_err err;
	int ret = loop_timer(v->b.host->loop, v->retry_ns, retry, v, &v->retry);

	v->retry_ns = 2 * v->retry_ns < RETRY_MAX_NS ? 2 * v->retry_ns : RETRY_MAX_NS;
	if (!ret)
		return;
	vl_err_set(&err, ret, "there is no timer to try for the next one: %s", vl_strerror(ret));
	give_up(v, &err);
}

void vhost_user_lose(struct vhost_user *v)
{
	struct vl_err err;

	vhost_user_unwatch_connection(v);
	v->session.lost++;
	v->lost_ns = loop_now_ns();
	v->retry_ns = RETRY_MIN_NS;
	if (!v->started)
		return;
	if (check_resumable(v, &err)) {
		give_up(v, &err);
		return;
	}
	vl_err_set(&err, -ENOTCONN, "its back-end is gone: the next one has %u s to come",
		   v->config.gone_ms / 1000);
	backend_warn(&v->b, &err);
	try_again_later(v);
}

/* The connection is closed by us: it is a reset for the back-end as well. */
void vhost_user_broken(void *ctx, int res)
{
	struct vhost_user *v = ctx;

	(void)res;
	if (vu_session_may_retry(&v->session, v->failure.code))
		vhost_user_lose(v);
	else if (v->started)
		give_up(v, &v->failure);
}

void vhost_user_check(struct vhost_user *v, const struct vl_err *err)
{
	if (vu_session_fd(&v->session) >= 0)
		return;
	/* a watch would keep the socket open */
	vhost_user_unwatch_connection(v);
	v->failure = *err;
	loop_task_add(v->b.host->loop, &v->broken);
}
