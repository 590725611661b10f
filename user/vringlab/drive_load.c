// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <sys/eventfd.h>

#include <vringlab/err.h>
#include <vringlab/loop.h>

#include "drive.h"

/* While polling, so many looks in vain between two at the connection and the clock. */
#define POLLS 20000u

static volatile sig_atomic_t finished;

void drive_finish(void)
{
	finished = 1;
}

bool drive_is_over(const struct drive *d, uint64_t now_ns)
{
	const struct drive_options *opt = d->opt;

	return finished || (opt->count && d->issued >= opt->count) ||
	       (opt->time_ns && now_ns - d->start_ns >= opt->time_ns);
}

static uint64_t due_ns(const struct drive *d)
{
	return d->start_ns + (uint64_t)(d->issued * 1e9 / d->opt->rate);
}

/* Is there room for another one, whenever its time comes? */
static bool has_room(const struct drive *d, const struct drive_queue *q, uint64_t now_ns)
{
	const struct drive_kind *kind = d->opt->kind;

	if (!q->nr_free || q->in_flight == q->depth)
		return false;
	if (q->supplies)
		return true;
	return !drive_is_over(d, now_ns) && (!kind->may_issue || kind->may_issue(d, q));
}

static bool may_issue(const struct drive *d, const struct drive_queue *q, uint64_t now_ns)
{
	return has_room(d, q, now_ns) && (q->supplies || !d->opt->rate || now_ns >= due_ns(d));
}

uint64_t drive_next_issue_ns(const struct drive *d, uint64_t now_ns)
{
	for (unsigned int i = 0; d->opt->rate && i < d->nr_queues; i++) {
		const struct drive_queue *q = &d->queues[i];

		if (!q->supplies && has_room(d, q, now_ns))
			return due_ns(d);
	}
	return UINT64_MAX;
}

static int issue_one(struct drive *d, struct drive_queue *q, uint64_t now_ns, struct vl_err *err)
{
	struct drive_request req = {
		.start_ns = now_ns,
		.seq = d->issued,
		.slot = q->free_slots[q->nr_free - 1],
	};
	struct vring_buf bufs[DRIVE_BUFS_MAX];
	unsigned int nr_out, nr_in;
	int id;

	d->opt->kind->build(d, q, &req, bufs, &nr_out, &nr_in);
	id = vring_drv_stage(&q->drv, bufs, nr_out, nr_in);
	if (id < 0)
		return vl_err_set(err, id, "cannot make a request available in virtqueue %u: %s",
				  q->index, vl_strerror(id));
	q->requests[id] = req;
	q->nr_free--;
	q->in_flight++;
	drive_slot_region(d, req.slot)->busy++;
	if (!q->supplies)
		d->issued++;
	return 0;
}

static int issue_queue(struct drive *d, struct drive_queue *q, uint64_t now_ns, struct vl_err *err)
{
	bool any = false;

	while (may_issue(d, q, now_ns)) {
		int ret = issue_one(d, q, now_ns, err);

		if (ret)
			return ret;
		any = true;
	}
	if (!any)
		return 0;
	vring_drv_publish(&q->drv);
	if (vring_drv_should_kick(&q->drv)) {
		eventfd_write(q->kick, 1);
		d->stats.kicks++;
	}
	return 0;
}

static int issue(struct drive *d, uint64_t now_ns, struct vl_err *err)
{
	int ret = 0;

	for (unsigned int i = 0; !ret && i < d->nr_queues; i++)
		ret = issue_queue(d, &d->queues[i], now_ns, err);
	return ret;
}

static int run(struct drive *d, struct vl_err *err)
{
	uint64_t now_ns = d->start_ns, since_ns = now_ns;
	unsigned int looks = 0;

	while (drive_is_waiting(d) || !drive_is_over(d, now_ns)) {
		int ret = drive_hotplug(d, now_ns, err);

		if (!ret)
			ret = issue(d, now_ns, err);
		if (!ret)
			ret = drive_reap(d, err);
		if (ret < 0)
			return ret;
		now_ns = loop_now_ns();
		if (ret) {
			since_ns = now_ns;
			looks = 0;
			continue;
		}
		if (d->opt->poll && ++looks < POLLS)
			continue;
		looks = 0;
		ret = drive_wait(d, since_ns, err);
		if (ret)
			return ret;
		now_ns = loop_now_ns();
	}
	return 0;
}

int drive_load(struct drive *d, struct vl_err *err)
{
	int pid = drive_backend_pid(d);
	uint64_t backend_ns = drive_process_cpu_ns(pid);
	uint64_t own_ns = drive_own_cpu_ns();
	int ret;

	d->start_ns = loop_now_ns();
	drive_calls_disable(d);
	ret = run(d, err);
	d->stats.elapsed_ns = loop_now_ns() - d->start_ns;
	d->stats.own_cpu_ns = drive_own_cpu_ns() - own_ns;
	if (backend_ns && !d->session.lost)
		d->stats.backend_cpu_ns = drive_process_cpu_ns(pid) - backend_ns;
	if (!ret && d->opt->kind->verdict)
		ret = d->opt->kind->verdict(d, err);
	return ret;
}
