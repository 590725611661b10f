// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <sys/socket.h>

#include <vringlab/err.h>

#include "drive.h"

static uint64_t wanted_protocol(const struct drive_options *opt)
{
	uint64_t wanted = vu_feature(VU_PROTOCOL_F_MQ) | vu_feature(VU_PROTOCOL_F_CONFIG);

	if (!opt->no_reply_ack)
		wanted |= vu_feature(VU_PROTOCOL_F_REPLY_ACK);
	if (opt->hotplug && !opt->no_mem_slots)
		wanted |= vu_feature(VU_PROTOCOL_F_CONFIGURE_MEM_SLOTS);
	return wanted;
}

static int share_memory(struct drive *d, struct vu_frontend *fe, struct vl_err *err)
{
	struct vu_frontend_region regions[1 + DRIVE_HOTPLUG_MAX];
	unsigned int nr = 0;

	for (unsigned int i = 0; i < d->nr_regions; i++)
		if (d->regions[i].plugged)
			regions[nr++] = drive_region(d, i);
	return vu_frontend_set_mem_table(fe, regions, nr, err);
}

static int share(void *ctx, struct vu_frontend *fe, struct vl_err *err)
{
	struct drive *d = ctx;
	int ret = drive_hotplug_check(d, err);

	if (!ret)
		ret = share_memory(d, fe, err);
	for (unsigned int i = 0; !ret && i < d->nr_queues; i++) {
		const struct vu_frontend_vring vring = drive_vring(d, &d->queues[i]);

		ret = vu_frontend_start_vring(fe, &vring, err);
		if (!ret && d->session.lost)
			vu_session_renotify(&vring);
	}
	return ret;
}

void drive_session_init(struct drive *d)
{
	const struct drive_options *opt = d->opt;
	const struct vu_session_config config = {
		.path = opt->socket,
		.timeout_ms = opt->timeout_ns / 1000000,
		.wish = {
			.required = drive_options_features(opt),
			.optional = opt->kind->features,
			.protocol = wanted_protocol(opt),
			/* DPDK's net counts pairs, ours virtqueues */
			.num_queues = opt->queue + (opt->kind->paired ? opt->pairs : 1),
		},
		.num_queues = d->queues[d->nr_queues - 1].index + 1,
		.queue_size = opt->num,
		.persist = opt->reconnect,
		.record = !opt->kind->paired,
		.start = share,
		.ctx = d,
	};

	vu_session_init(&d->session, &config);
}

int drive_backend_pid(const struct drive *d)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);
	int fd = vu_session_fd(&d->session);

	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len))
		return 0;
	return cred.pid;
}

/* DPDK tells of a packed ring where it takes, and not where it gives back. */
static bool is_base(const struct drive *d, uint32_t base, uint32_t expected)
{
	return base == expected || (d->opt->packed && base == (expected & UINT16_MAX));
}

/* Where a device stops that has nothing to do any more. */
static int stop(struct drive *d, const struct drive_queue *q, struct vl_err *err)
{
	uint32_t expected = vring_drv_base(&q->drv);
	uint32_t base;
	int ret = vu_frontend_stop_vring(d->session.fe, q->index, &base, err);

	/* buffers that nothing came for may have been taken or not */
	if (ret || q->supplies || is_base(d, base, expected))
		return ret;
	return vl_err_set(err, -EPROTO, "the back-end stopped at base 0x%x, not 0x%x", base,
			  expected);
}

int drive_stop(struct drive *d, struct vl_err *err)
{
	int ret = 0;

	for (unsigned int i = 0; !ret && i < d->nr_queues; i++)
		ret = stop(d, &d->queues[i], err);
	return ret;
}
