// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <vringlab/fd.h>

#include "vhost_user.h"

static struct vhost_user *vhost_user_of(struct virtio_backend *be)
{
	return (struct vhost_user *)be;
}

/*
 * Where a back-end starts: behind what was used. One that has a record of what was in
 * flight knows better, and one of a virtqueue at its beginning needs neither.
 */
static uint32_t base_of(const struct vhost_user *v, const struct vu_frontend_vring *vring)
{
	const struct vring_used *used = (const void *)(uintptr_t)vring->used;

	if (vhost_user_is_packed(v))
		return VRING_BASE_PACKED;
	if (!v->lost_ns)
		return VRING_BASE_SPLIT;
	return __atomic_load_n(&used->idx, __ATOMIC_ACQUIRE);
}

static int share_memory(const struct vhost_user *v, struct vu_frontend *fe, struct vl_err *err)
{
	struct vu_frontend_region regions[VMM_MEMORY_MAX];
	const struct backend_host *host = v->b.host;

	for (unsigned int i = 0; i < host->nr_memory; i++)
		regions[i] = (struct vu_frontend_region){
			.guest_addr = host->memory[i].gpa,
			.user_addr = (uintptr_t)host->memory[i].host,
			.size = host->memory[i].size,
			.fd = host->memory[i].fd,
		};
	return vu_frontend_set_mem_table(fe, regions, host->nr_memory, err);
}

/* Of net: those of the pairs that are not in use are started, and then disabled. */
static int start_vring(struct vhost_user *v, struct vu_frontend *fe,
		       struct vu_frontend_vring *vring, struct vl_err *err)
{
	int ret;

	vring->base = base_of(v, vring);
	ret = vu_frontend_set_vring_err(fe, vring->index, v->err_fd, err);
	if (!ret)
		ret = vu_frontend_start_vring(fe, vring, err);
	if (!ret && vhost_user_is_net(v) && vring->index >= 2 * v->ctrl.pairs)
		ret = vu_frontend_enable_vring(fe, vring->index, false, err);
	return ret;
}

static int hand_over(struct vhost_user *v, struct vu_frontend *fe, struct vl_err *err)
{
	int ret = share_memory(v, fe, err);

	for (unsigned int i = 0; !ret && i < v->nr_vrings; i++)
		ret = start_vring(v, fe, &v->vrings[i], err);
	/* a kick and a call that a lost back-end took along */
	for (unsigned int i = 0; !ret && v->lost_ns && i < v->nr_vrings; i++)
		vu_session_renotify(&v->vrings[i]);
	return ret;
}

/* To each connection. */
static int share(void *ctx, struct vu_frontend *fe, struct vl_err *err)
{
	struct vhost_user *v = ctx;
	int ret = vhost_user_open_channel(v, fe, err);

	return ret || !v->started ? ret : hand_over(v, fe, err);
}

static int use_pairs(struct backend *b, unsigned int pairs)
{
	struct vhost_user *v = vhost_user_of(&b->be);
	struct vl_err err;
	int ret = 0;

	/* the next back-end is told when it comes */
	for (unsigned int i = 0; !ret && vhost_user_is_there(v) && i < v->nr_vrings; i++)
		ret = vu_frontend_enable_vring(v->session.fe, v->vrings[i].index,
					       v->vrings[i].index < 2 * pairs, &err);
	if (!ret)
		return 0;
	vhost_user_check(v, &err);
	return vu_session_may_retry(&v->session, ret) ? 0 : ret;
}

static unsigned int data_queues(const struct vhost_user *v, uint64_t features)
{
	if (vhost_user_is_net(v))
		return net_ctrl_data_queues(&v->ctrl, features);
	return v->config.device_id == VIRTIO_ID_VSOCK ? 2 : v->b.be.num_queues;
}

static int find_vrings(struct vhost_user *v, const struct virtio_queue *queues, unsigned int nr,
		       struct vl_err *err)
{
	unsigned int data = data_queues(v, v->features);
	int ret = 0;

	v->nr_vrings = 0;
	for (unsigned int i = 0; !ret && i < data && i < nr; i++) {
		struct vring_layout layout;

		if (!queues[i].enabled)
			continue;
		ret = backend_layout(&v->b, &queues[i], vhost_user_is_packed(v), &layout, err);
		v->vrings[v->nr_vrings++] = (struct vu_frontend_vring){
			.index = i,
			.num = queues[i].size,
			.desc = (uintptr_t)layout.desc,
			.avail = (uintptr_t)layout.avail,
			.used = (uintptr_t)layout.used,
			.kick_fd = queues[i].kick_fd,
			.call_fd = queues[i].call_fd,
		};
	}
	return ret;
}

/* A record is of virtqueues of one size; a driver that has others goes without. */
static unsigned int common_size(const struct vhost_user *v)
{
	for (unsigned int i = 1; i < v->nr_vrings; i++)
		if (v->vrings[i].num != v->vrings[0].num)
			return 0;
	return v->nr_vrings ? v->vrings[0].num : 0;
}

static int connect_again(struct vhost_user *v, struct vl_err *err)
{
	int ret;

	if (vhost_user_is_there(v) && !vu_session_is_lost(&v->session))
		return 0;
	vhost_user_unwatch_connection(v);
	ret = vu_session_try(&v->session, err);
	return ret ? ret : vhost_user_watch(v, err);
}

/* With the features that this driver has chosen, and a record of its own. */
static int negotiate(struct vhost_user *v, struct vl_err *err)
{
	uint64_t features = v->features & vhost_user_wish(v);
	int ret = connect_again(v, err);

	if (ret)
		return ret;
	features |= vu_feature(VU_F_PROTOCOL_FEATURES);
	ret = vu_frontend_set_features(v->session.fe, features, err);
	if (ret)
		return ret;
	v->session.config.wish.required = features;
	v->session.config.wish.optional = 0;
	return vu_session_renew_record(&v->session,
				       v->nr_vrings ? v->vrings[v->nr_vrings - 1].index + 1 : 0,
				       common_size(v), err);
}

static void stop_vrings(struct vhost_user *v)
{
	struct vl_err err;
	int ret = 0;

	for (unsigned int i = 0; !ret && vhost_user_is_there(v) && i < v->nr_vrings; i++)
		ret = vu_frontend_stop_vring(v->session.fe, v->vrings[i].index, NULL, &err);
	v->nr_vrings = 0;
	v->started = false;
	if (ret)
		vhost_user_check(v, &err);
}

static void vhost_user_stop(struct virtio_backend *be)
{
	struct vhost_user *v = vhost_user_of(be);

	loop_op_remove(&v->retry);
	net_ctrl_stop(&v->ctrl);
	loop_task_remove(v->b.host->loop, &v->broken);
	if (v->started)
		stop_vrings(v);
}

static int vhost_user_start(struct virtio_backend *be, uint64_t features,
			    const struct virtio_queue *queues, unsigned int nr, struct vl_err *err)
{
	struct vhost_user *v = vhost_user_of(be);
	int ret;

	v->b.failed = false;
	v->features = features;
	v->lost_ns = 0;
	v->ctrl.pairs = 1;
	ret = find_vrings(v, queues, nr, err);
	if (!ret)
		ret = negotiate(v, err);
	v->started = true;
	if (!ret)
		ret = hand_over(v, v->session.fe, err);
	if (!ret && vhost_user_is_net(v))
		ret = net_ctrl_start(&v->ctrl, features, queues, nr, err);
	if (!ret)
		return 0;
	vhost_user_stop(be);
	vl_err_prefix(err, "%s", v->b.name);
	return ret;
}

/* Of the connection at the moment: the next back-end may be another process. */
static void vhost_user_get_server(const struct virtio_backend *be, unsigned int index,
				  struct virtio_server *server)
{
	const struct vhost_user *v = (const struct vhost_user *)be;
	struct ucred peer = { .pid = 0 };
	socklen_t size = sizeof(peer);

	server->backend = VRINGLAB_BACKEND_VHOST_USER;
	if (!getsockopt(vu_session_fd(&v->session), SOL_SOCKET, SO_PEERCRED, &peer, &size))
		server->pid = peer.pid;
	served_get_server(&v->ctrl.ring, index, server);
}

static void vhost_user_destroy(struct virtio_backend *be)
{
	struct vhost_user *v = vhost_user_of(be);

	vhost_user_unwatch(v);
	vu_session_destroy(&v->session);
	vl_fd_close(&v->err_fd);
	free(v);
}

static const struct virtio_backend_ops ops = {
	.start = vhost_user_start,
	.stop = vhost_user_stop,
	.get_server = vhost_user_get_server,
	.get_config = vhost_user_get_config,
	.set_config = vhost_user_set_config,
	.destroy = vhost_user_destroy,
};

static void init_session(struct vhost_user *v)
{
	struct vu_session_config config = {
		.path = v->socket,
		.timeout_ms = v->config.timeout_ms,
		.wish = {
			.required = VIRTIO_BIT(VIRTIO_F_VERSION_1),
			.optional = vhost_user_wish(v),
			.protocol = vu_feature(VU_PROTOCOL_F_REPLY_ACK) |
				    vu_feature(VU_PROTOCOL_F_MQ) |
				    vu_feature(VU_PROTOCOL_F_BACKEND_REQ) |
				    vu_feature(VU_PROTOCOL_F_CONFIG),
		},
		.persist = true,
		.start = share,
		.ctx = v,
	};

	vu_session_init(&v->session, &config);
}

static int set_config(struct vhost_user *v, const struct backend_vhost_user_config *config,
		      struct vl_err *err)
{
	v->config = *config;
	if (strlen(config->socket) >= sizeof(v->socket))
		return vl_err_set(err, -ENAMETOOLONG, "a socket's path has at most 107 characters");
	strcpy(v->socket, config->socket);
	v->config.socket = v->socket;
	if (!config->timeout_ms)
		v->config.timeout_ms = BACKEND_VHOST_USER_TIMEOUT_MS;
	if (!config->gone_ms)
		v->config.gone_ms = BACKEND_VHOST_USER_GONE_MS;
	if (config->num_queues > sizeof(v->vrings) / sizeof(v->vrings[0]))
		return vl_err_set(err, -EINVAL, "at most %zu virtqueues, not %u",
				  sizeof(v->vrings) / sizeof(v->vrings[0]), config->num_queues);
	return vhost_user_is_net(v) ? net_config_check(&config->net, err) : 0;
}

static int begin(struct vhost_user *v, struct vl_err *err)
{
	int ret;

	net_ctrl_init(&v->ctrl, &v->b, v->config.net.num_pairs, use_pairs);
	init_session(v);
	ret = vhost_user_init_watch(v, err);
	if (!ret)
		ret = vu_session_try(&v->session, err);
	if (!ret)
		ret = vhost_user_offer(v, err);
	return ret ? ret : vhost_user_watch(v, err);
}

int backend_vhost_user_create(struct virtio_backend **be, const struct backend_host *host,
			      const struct backend_vhost_user_config *config, struct vl_err *err)
{
	struct vhost_user *v = calloc(1, sizeof(*v));
	int ret;

	if (!v)
		return vl_err_set(err, -ENOMEM, "%s: out of memory", config->name);
	v->b.be = (struct virtio_backend){ .ops = &ops, .device_id = config->device_id };
	backend_init(&v->b, host, config->name, config->queue_size);
	v->session.inflight_fd = -1;
	v->err_fd = -1;
	ret = set_config(v, config, err);
	if (!ret)
		ret = begin(v, err);
	if (ret) {
		vl_err_prefix(err, "%s", config->name);
		vhost_user_destroy(&v->b.be);
		return ret;
	}
	*be = &v->b.be;
	return 0;
}

uint64_t backend_vhost_user_lost(const struct virtio_backend *be)
{
	return ((const struct vhost_user *)be)->session.lost;
}
