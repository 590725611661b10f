// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <vringlab/err.h>
#include <vringlab/loop.h>

#include "drive.h"

/* Between two tries to connect to a back-end that is being started. */
#define RETRY_NS 1000000

static uint64_t wanted_protocol(const struct drive *d)
{
	uint64_t wanted = vu_feature(VU_PROTOCOL_F_MQ) | vu_feature(VU_PROTOCOL_F_CONFIG) |
			  vu_feature(VU_PROTOCOL_F_INFLIGHT_SHMFD);

	if (!d->opt->no_reply_ack)
		wanted |= vu_feature(VU_PROTOCOL_F_REPLY_ACK);
	return wanted;
}

static bool has_inflight(const struct drive *d)
{
	return vu_has_feature(vu_frontend_protocol_features(d->fe), VU_PROTOCOL_F_INFLIGHT_SHMFD);
}

/* The record of what is in flight is what a later back-end goes on from. */
static int share_inflight(struct drive *d, struct vl_err *err)
{
	int ret = 0;

	if (d->inflight_fd < 0 && !has_inflight(d)) {
		if (!d->opt->reconnect)
			return 0;
		return vl_err_set(err, -ENOTSUP,
				  "--reconnect: the back-end does not record what is in flight");
	}
	if (d->inflight_fd < 0) {
		d->inflight.num_queues = d->opt->queue + 1;
		d->inflight.queue_size = d->opt->num;
		ret = vu_frontend_get_inflight(d->fe, &d->inflight, &d->inflight_fd, err);
	}
	return ret ? ret : vu_frontend_set_inflight(d->fe, &d->inflight, d->inflight_fd, err);
}

static int share(struct drive *d, struct vl_err *err)
{
	const struct vu_frontend_wish wish = {
		.required = d->features,
		.optional = d->opt->kind->features,
		.protocol = wanted_protocol(d),
	};
	const struct vu_frontend_region region = drive_region(d);
	const struct vu_frontend_vring vring = drive_vring(d);
	int ret = vu_frontend_open(d->fe, &wish, err);

	if (!ret)
		ret = vu_frontend_set_mem_table(d->fe, &region, 1, err);
	if (!ret)
		ret = share_inflight(d, err);
	if (!ret)
		ret = vu_frontend_start_vring(d->fe, &vring, err);
	return ret;
}

static int try_connect(struct drive *d, struct vl_err *err)
{
	int ret = vu_frontend_connect(&d->fe, d->opt->socket, d->opt->timeout_ms, err);

	if (ret)
		return ret;
	ret = share(d, err);
	/* what became available while nobody listened had its kick */
	if (!ret)
		eventfd_write(d->kick, 1);
	return ret;
}

bool drive_may_retry(const struct drive *d, int code)
{
	if (!d->opt->reconnect)
		return false;

	return code == -ENOENT || code == -ECONNREFUSED || code == -ECONNRESET || code == -EPIPE;
}

int drive_connect(struct drive *d, struct vl_err *err)
{
	uint64_t deadline_ns = loop_now_ns() + d->opt->timeout_ms * 1000000ull;
	const struct timespec retry = { .tv_nsec = RETRY_NS };
	int ret;

	for (;;) {
		vu_frontend_destroy(d->fe);
		d->fe = NULL;
		ret = try_connect(d, err);
		if (!ret || !drive_may_retry(d, ret) || loop_now_ns() >= deadline_ns)
			return ret;
		nanosleep(&retry, NULL);
	}
}

int drive_reconnect(struct drive *d, struct vl_err *err)
{
	d->stats.reconnects++;
	return drive_connect(d, err);
}

bool drive_is_lost(const struct drive *d)
{
	struct pollfd p = { .fd = vu_frontend_fd(d->fe), .events = POLLIN | POLLRDHUP };

	/* between requests it has nothing to say */
	return p.fd < 0 || poll(&p, 1, 0) != 0;
}

int drive_backend_pid(const struct drive *d)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);
	int fd = vu_frontend_fd(d->fe);

	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len))
		return 0;
	return cred.pid;
}

int drive_stop(struct drive *d, struct vl_err *err)
{
	uint32_t expected = vring_drv_base(&d->drv);
	uint32_t base;
	int ret = vu_frontend_stop_vring(d->fe, d->opt->queue, &base, err);

	if (ret || base == expected)
		return ret;
	return vl_err_set(err, -EPROTO, "the back-end stopped at base 0x%x, not 0x%x", base,
			  expected);
}
