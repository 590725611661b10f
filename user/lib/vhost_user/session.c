// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <time.h>

#include <vringlab/fd.h>
#include <vringlab/vhost_user_session.h>

#include "frontend.h"

/* Between two tries to connect to a back-end that is being started. */
#define RETRY_NS 1000000

void vu_session_init(struct vu_session *s, const struct vu_session_config *config)
{
	*s = (struct vu_session){ .config = *config, .inflight_fd = -1 };
	s->config.wish.protocol |= vu_feature(VU_PROTOCOL_F_INFLIGHT_SHMFD);
}

/* The record of what is in flight is what a later back-end goes on from. */
static int share_inflight(struct vu_session *s, struct vl_err *err)
{
	uint64_t protocol = vu_frontend_protocol_features(s->fe);
	int ret = 0;

	if (!s->config.num_queues)
		return 0;
	if (!vu_has_feature(protocol, VU_PROTOCOL_F_INFLIGHT_SHMFD)) {
		if (!s->config.persist || !s->config.record)
			return 0;
		return vl_err_set(err, -ENOTSUP,
				  "the back-end does not record what is in flight for a next one");
	}
	if (s->inflight_fd < 0) {
		s->inflight.num_queues = s->config.num_queues;
		s->inflight.queue_size = s->config.queue_size;
		ret = vu_frontend_get_inflight(s->fe, &s->inflight, &s->inflight_fd, err);
	}
	return ret ? ret : vu_frontend_set_inflight(s->fe, &s->inflight, s->inflight_fd, err);
}

int vu_session_renew_record(struct vu_session *s, unsigned int num_queues, unsigned int queue_size,
			    struct vl_err *err)
{
	vl_fd_close(&s->inflight_fd);
	s->config.num_queues = queue_size ? num_queues : 0;
	s->config.queue_size = queue_size;
	return share_inflight(s, err);
}

static int share(struct vu_session *s, struct vl_err *err)
{
	int ret = vu_frontend_open(s->fe, &s->config.wish, err);

	if (!ret)
		ret = share_inflight(s, err);
	if (!ret)
		ret = s->config.start(s->config.ctx, s->fe, err);
	if (ret)
		return ret;
	/* the driver has seen these, and nothing less or more may follow */
	s->config.wish.required = vu_frontend_features(s->fe);
	s->config.wish.optional = 0;
	return 0;
}

int vu_session_try(struct vu_session *s, struct vl_err *err)
{
	int ret;

	vu_frontend_destroy(s->fe);
	s->fe = NULL;
	ret = vu_frontend_connect(&s->fe, s->config.path, s->config.timeout_ms, err);
	return ret ? ret : share(s, err);
}

bool vu_session_may_retry(const struct vu_session *s, int code)
{
	if (!s->config.persist)
		return false;
	return code == -ENOENT || code == -ECONNREFUSED || code == -ECONNRESET || code == -EPIPE;
}

int vu_session_connect(struct vu_session *s, struct vl_err *err)
{
	uint64_t deadline_ns = loop_now_ns() + s->config.timeout_ms * 1000000ull;
	const struct timespec retry = { .tv_nsec = RETRY_NS };
	int ret;

	for (;;) {
		ret = vu_session_try(s, err);
		if (!ret || !vu_session_may_retry(s, ret) || loop_now_ns() >= deadline_ns)
			return ret;
		nanosleep(&retry, NULL);
	}
}

int vu_session_reconnect(struct vu_session *s, struct vl_err *err)
{
	s->lost++;
	return vu_session_connect(s, err);
}

int vu_session_fd(const struct vu_session *s)
{
	return s->fe ? vu_frontend_fd(s->fe) : -1;
}

bool vu_session_is_lost(const struct vu_session *s)
{
	struct pollfd p = { .fd = vu_session_fd(s), .events = POLLIN | POLLRDHUP };

	/* between requests it has nothing to say */
	return p.fd < 0 || poll(&p, 1, 0) != 0;
}

void vu_session_renotify(const struct vu_frontend_vring *vring)
{
	eventfd_write(vring->kick_fd, 1);
	eventfd_write(vring->call_fd, 1);
}

void vu_session_destroy(struct vu_session *s)
{
	vu_frontend_destroy(s->fe);
	s->fe = NULL;
	vl_fd_close(&s->inflight_fd);
}
