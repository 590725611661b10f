/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Inside of the vhost-user back-end:
 *
 *	vhost_user.c		making it, starting and stopping
 *	vhost_user_offer.c	what it offers: features, virtqueues, config space
 *	vhost_user_watch.c	what it says by itself
 *	vhost_user_lost.c	when it is lost
 */
#ifndef BACKEND_VHOST_USER_H
#define BACKEND_VHOST_USER_H

#include <vringlab/backend_vhost_user.h>
#include <vringlab/vhost_user_session.h>

#include "net_config.h"
#include "net_ctrl.h"

/* The largest config space of a device that is known: blk's, before zones. */
#define VHOST_USER_CONFIG_MAX 64u

/**
 * struct vhost_user - A vhost-user back-end
 * @b:		Back-end.
 * @config:	How; @config.socket is the one below.
 * @socket:	Path.
 * @session:	Its connections.
 * @ctrl:	Of net: control virtqueue.
 * @space:	Config space as it was read last; not of net.
 * @started:	Virtqueues are to be served.
 * @features:	Of the driver, while @started.
 * @nr_vrings:	Of @vrings.
 * @vrings:	What is served.
 * @err_fd:	eventfd by which it tells that it does not trust a virtqueue's contents.
 * @distrust:	Watch on it.
 * @hangup:	Watch on the socket.
 * @channel:	Watch on the one on which the back-end sends.
 * @more:	Takes more of that.
 * @space_old:	It has said that @space is not what it was.
 * @broken:	Deals with @failure, outside of what the transport has called.
 * @failure:	What ended the connection.
 * @retry:	Next try, without a back-end.
 * @retry_ns:	Its delay.
 * @lost_ns:	Since then there is none.
 */
struct vhost_user {
	struct backend b;
	struct backend_vhost_user_config config;
	char socket[108];
	struct vu_session session;
	struct net_ctrl ctrl;
	uint8_t space[VHOST_USER_CONFIG_MAX];
	bool started;
	uint64_t features;
	unsigned int nr_vrings;
	struct vu_frontend_vring vrings[2 * BACKEND_NET_PAIRS_MAX];
	int err_fd;
	struct loop_op *distrust;
	struct loop_op *hangup;
	struct loop_op *channel;
	struct loop_task more;
	bool space_old;
	struct loop_task broken;
	struct vl_err failure;
	struct loop_op *retry;
	uint64_t retry_ns;
	uint64_t lost_ns;
};

static inline bool vhost_user_is_net(const struct vhost_user *v)
{
	return v->config.device_id == VIRTIO_ID_NET;
}

static inline bool vhost_user_is_packed(const struct vhost_user *v)
{
	return backend_has(v->features, VIRTIO_F_RING_PACKED);
}

/* A connection that is over, or known to be lost, is not watched any more. */
static inline bool vhost_user_is_there(const struct vhost_user *v)
{
	return v->hangup && vu_session_fd(&v->session) >= 0;
}

/* vhost_user_offer.c */
uint64_t vhost_user_wish(const struct vhost_user *v);
/* Fills in what the transport sees, of a back-end that is connected. */
int vhost_user_offer(struct vhost_user *v, struct vl_err *err);
int vhost_user_read_space(struct vhost_user *v, struct vl_err *err);
void vhost_user_get_config(struct virtio_backend *be, uint32_t offset, void *buf, uint32_t size);
void vhost_user_set_config(struct virtio_backend *be, uint32_t offset, const void *buf,
			   uint32_t size);

/* vhost_user_watch.c */
/* Before the first connection. */
int vhost_user_init_watch(struct vhost_user *v, struct vl_err *err);
/* Watches the connection; a loss is dealt with from then on. */
int vhost_user_watch(struct vhost_user *v, struct vl_err *err);
void vhost_user_unwatch(struct vhost_user *v);
/* Only the connection: as long as it is watched it is open. */
void vhost_user_unwatch_connection(struct vhost_user *v);
/* Lets the back-end tell of its config space, if it can. */
int vhost_user_open_channel(struct vhost_user *v, struct vu_frontend *fe, struct vl_err *err);

/* vhost_user_lost.c */
void vhost_user_lose(struct vhost_user *v);
void vhost_user_broken(void *ctx, int res);
/* After a request that failed, with @err: is the connection over? */
void vhost_user_check(struct vhost_user *v, const struct vl_err *err);

#endif /* BACKEND_VHOST_USER_H */
