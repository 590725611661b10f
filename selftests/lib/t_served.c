// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <vringlab/fd.h>

#include "t.h"
#include "t_peer.h"
#include "t_served.h"

static int vring_ready(void *ctx, const struct vu_vring_info *info, struct vl_err *err)
{
	struct t_served *s = ctx;
	int ret = atomic_load(&s->ready_error);

	if (ret)
		return vl_err_set(err, ret, "the test said so");
	s->info = *info;
	atomic_fetch_add(&s->ready, 1);
	return 0;
}

static void vring_error(void *ctx, unsigned int index, int code)
{
	struct t_served *s = ctx;

	atomic_fetch_add(&s->errors, 1);
}

static void refused(void *ctx, const struct vl_err *err)
{
	struct t_served *s = ctx;

	s->refusal = *err;
	atomic_fetch_add(&s->refused, 1);
}

static void closed(void *ctx, const struct vl_err *err)
{
	struct t_served *s = ctx;
	int spare = atomic_exchange(&s->spare_peer, -1);

	s->closed = *err;
	if (spare < 0 || vu_backend_attach(s->be, spare))
		loop_stop(s->loop);
}

static void quit(void *ctx, int res)
{
	loop_stop(((struct t_served *)ctx)->loop);
}

static const struct vu_backend_ops ops = {
	.vring_ready = vring_ready,
	.vring_error = vring_error,
	.refused = refused,
	.closed = closed,
};

/* The socket is the back-end's from then on. */
static int attach(struct t_served *s)
{
	int ret = vu_backend_attach(s->be, s->peer_fd);

	if (!ret)
		s->peer_fd = -1;
	return ret;
}

static void on_connection(void *ctx, int res)
{
	struct t_served *s = ctx;

	if (s->peer_fd >= 0 || s->error)
		return;
	s->peer_fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC);
	s->error = s->peer_fd < 0 ? -errno : attach(s);
	if (s->error)
		loop_stop(s->loop);
}

static int make(struct t_served *s)
{
	if (s->config.make)
		return s->config.make(s->config.ctx, s->loop, &s->vdev);
	t_served_device_init(s);
	s->vdev = &s->device;
	return 0;
}

static int begin(struct t_served *s, struct loop_op **accept_op)
{
	const struct vu_backend_config config = {
		.ops = &ops,
		.ctx = s,
		.postcopy = s->config.postcopy,
		.gpa_addresses = s->config.gpa_addresses,
	};
	int ret = make(s);

	if (!ret)
		ret = vu_backend_create(&s->be, s->loop, s->vdev, &config);
	if (ret)
		return ret;
	if (s->listener < 0)
		return attach(s);
	return loop_poll(s->loop, s->listener, POLLIN, on_connection, s, accept_op);
}

static void *serve(void *arg)
{
	struct loop_op *op = NULL, *accept_op = NULL, *release = NULL;
	struct t_served *s = arg;
	int ret;

	s->error = loop_create(&s->loop, NULL);
	if (s->error)
		return NULL;
	s->error = loop_poll(s->loop, s->quit, POLLIN, quit, s, &op);
	if (!s->error)
		s->error = loop_poll(s->loop, s->release, POLLIN, t_served_device_release, s,
				     &release);
	if (!s->error)
		s->error = begin(s, &accept_op);
	if (!s->error) {
		ret = loop_run(s->loop);
		s->error = s->error ? s->error : ret;
	}
	loop_op_remove(&accept_op);
	vu_backend_destroy(s->be);
	if (s->vdev && s->config.destroy)
		s->config.destroy(s->config.ctx, s->vdev);
	loop_destroy(s->loop);
	return NULL;
}

static int open_sockets(struct t_served *s)
{
	int pair[2];

	if (s->config.path) {
		s->listener = t_peer_listen(s->config.path);
		return s->listener < 0 ? s->listener : 0;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return -errno;
	s->fd = pair[0];
	s->peer_fd = pair[1];
	return 0;
}

int t_served_start_with(struct t_served *s, const struct t_served_config *config)
{
	struct loop *probe;
	int ret;

	memset(s, 0, sizeof(*s));
	s->config = *config;
	s->fd = -1;
	s->peer_fd = -1;
	s->listener = -1;
	s->quit = -1;
	s->release = -1;
	s->spare_fd = -1;
	atomic_store(&s->spare_peer, -1);
	ret = loop_create(&probe, NULL);
	if (ret)
		return ret;
	loop_destroy(probe);
	ret = open_sockets(s);
	if (ret)
		return ret;
	s->quit = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	s->release = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ret = -pthread_create(&s->thread, NULL, serve, s);
	s->running = !ret;
	return ret;
}

int t_served_start(struct t_served *s)
{
	return t_served_start_with(s, &(const struct t_served_config){ 0 });
}

int t_served_spare(struct t_served *s)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return -errno;
	s->spare_fd = pair[0];
	atomic_store(&s->spare_peer, pair[1]);
	return 0;
}

int t_served_next(struct t_served *s)
{
	int ret = t_peer_closed(s->fd);

	if (ret)
		return ret;
	vl_fd_close(&s->fd);
	s->fd = vl_fd_take(&s->spare_fd);
	ret = t_served_negotiate(s);
	return ret ? ret : s->closed.code;
}

void t_served_release(struct t_served *s)
{
	const uint64_t one = 1;

	atomic_store(&s->hold, false);
	if (write(s->release, &one, sizeof(one)) < 0)
		perror("release");
}

int t_served_closed(struct t_served *s)
{
	int ret = t_peer_closed(s->fd);

	if (ret)
		return ret;
	pthread_join(s->thread, NULL);
	s->running = false;
	return s->error ? s->error : s->closed.code;
}

void t_served_stop(struct t_served *s)
{
	const uint64_t one = 1;
	int spare = atomic_exchange(&s->spare_peer, -1);

	if (s->running)
		t_served_release(s);
	if (s->running && write(s->quit, &one, sizeof(one)) == sizeof(one))
		pthread_join(s->thread, NULL);
	s->running = false;
	vl_fd_close(&s->fd);
	vl_fd_close(&s->peer_fd);
	vl_fd_close(&s->listener);
	vl_fd_close(&s->quit);
	vl_fd_close(&s->release);
	vl_fd_close(&s->spare_fd);
	vl_fd_close(&spare);
}

static int take_reply(struct t_served *s, uint32_t request, union vu_payload *reply)
{
	struct vu_header hdr;
	int ret = t_peer_reply(s->fd, &hdr, reply);

	if (ret)
		return ret;
	/* every reply of these requests has 8 bytes */
	if (hdr.request != request || hdr.flags != 0x5 || hdr.size != 8)
		return -EPROTO;
	return 0;
}

int t_served_ask(struct t_served *s, uint32_t request, const void *payload, uint32_t size,
		 union vu_payload *reply)
{
	int ret = t_peer_request(s->fd, request, 0x1, payload, size);

	return ret ? ret : take_reply(s, request, reply);
}

int t_served_tell(struct t_served *s, uint32_t request, const void *payload, uint32_t size,
		  const int *fds, unsigned int nr_fds)
{
	union vu_payload reply;
	int ret;

	ret = t_peer_request_fds(s->fd, request, 0x9, payload, size, fds, nr_fds);
	if (!ret)
		ret = take_reply(s, request, &reply);
	if (ret)
		return ret;
	return reply.u64 > INT32_MAX ? INT32_MAX : (int)reply.u64;
}

int t_served_negotiate(struct t_served *s)
{
	const uint64_t protocol = 1ull << 3 | 1ull << 0 | s->config.protocol;
	const uint64_t features = T_SERVED_FEATURES | 1ull << 30 | s->config.features;
	int ret;

	ret = t_peer_request(s->fd, VU_SET_PROTOCOL_FEATURES, 0x1, &protocol, 8);
	return ret ? ret : t_served_tell(s, VU_SET_FEATURES, &features, 8, NULL, 0);
}
