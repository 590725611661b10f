// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What a back-end says by itself: that it has gone, that it does not trust a virtqueue,
 * that its config space is another.
 */
#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>

#include "vhost_user.h"

/* What it says, taken before others have their turn. */
#define CHANNEL_BUDGET 16u

/* Replies wake the watch too: what counts is what the socket says. */
static void hung_up(void *ctx, int res)
{
	struct vhost_user *v = ctx;

	if (res < 0 || vu_session_is_lost(&v->session))
		vhost_user_lose(v);
}

static void distrusted(void *ctx, int res)
{
	struct vhost_user *v = ctx;
	struct vl_err err;
	eventfd_t value;

	(void)res;
	if (eventfd_read(v->err_fd, &value) || !v->started)
		return;
	vl_err_set(&err, -EPROTO,
		   "%s: its back-end says that the contents of a virtqueue cannot be trusted",
		   v->b.name);
	backend_fail(&v->b, &err);
}

int vhost_user_init_watch(struct vhost_user *v, struct vl_err *err)
{
	int ret;

	v->broken = (struct loop_task){ .fn = vhost_user_broken, .ctx = v };
	v->err_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ret = v->err_fd < 0 ?
		      -errno :
		      loop_poll(v->b.host->loop, v->err_fd, POLLIN, distrusted, v, &v->distrust);
	if (ret)
		vl_err_set(err, ret, "cannot make an eventfd: %s", vl_strerror(ret));
	return ret;
}

static void on_config_changed(void *ctx)
{
	struct vhost_user *v = ctx;

	v->space_old = true;
}

static const struct vu_frontend_channel_ops channel_ops = {
	.config_changed = on_config_changed,
};

int vhost_user_open_channel(struct vhost_user *v, struct vu_frontend *fe, struct vl_err *err)
{
	uint64_t protocol = vu_frontend_protocol_features(fe);

	if (!vu_has_feature(protocol, VU_PROTOCOL_F_BACKEND_REQ))
		return 0;
	return vu_frontend_open_channel(fe, &channel_ops, v, err);
}

/* A back-end that never falls silent has others wait for their turn, and no longer. */
static void serve_channel(struct vhost_user *v)
{
	for (unsigned int i = 0; i < CHANNEL_BUDGET; i++)
		if (!vhost_user_is_there(v) || vu_frontend_serve(v->session.fe, 0))
			return;
	loop_task_add(v->b.host->loop, &v->more);
}

/* It may have said so while a request was under way, too: this comes after it. */
static void said(void *ctx, int res)
{
	struct vhost_user *v = ctx;
	struct vl_err err;

	(void)res;
	serve_channel(v);
	if (vhost_user_is_there(v) && vu_frontend_channel_fd(v->session.fe) < 0)
		loop_op_remove(&v->channel);
	if (!v->space_old || !vhost_user_is_there(v))
		return;
	v->space_old = false;
	if (vhost_user_read_space(v, &err))
		vhost_user_check(v, &err);
	else
		backend_tell_config(&v->b);
}

int vhost_user_watch(struct vhost_user *v, struct vl_err *err)
{
	struct loop *loop = v->b.host->loop;
	int channel = vu_frontend_channel_fd(v->session.fe);
	int ret;

	vhost_user_unwatch_connection(v);
	v->more = (struct loop_task){ .fn = said, .ctx = v };
	ret = loop_poll(loop, vu_session_fd(&v->session), POLLIN | POLLRDHUP, hung_up, v,
			&v->hangup);
	if (!ret && channel >= 0)
		ret = loop_poll(loop, channel, POLLIN, said, v, &v->channel);
	if (ret)
		vl_err_set(err, ret, "its socket cannot be watched: %s", vl_strerror(ret));
	return ret;
}

void vhost_user_unwatch_connection(struct vhost_user *v)
{
	loop_op_remove(&v->hangup);
	loop_op_remove(&v->channel);
	loop_task_remove(v->b.host->loop, &v->more);
}

void vhost_user_unwatch(struct vhost_user *v)
{
	vhost_user_unwatch_connection(v);
	loop_op_remove(&v->distrust);
	loop_op_remove(&v->retry);
	loop_task_remove(v->b.host->loop, &v->broken);
}
