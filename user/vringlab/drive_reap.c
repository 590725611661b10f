// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <sys/eventfd.h>

#include <vringlab/err.h>
#include <vringlab/loop.h>

#include "drive.h"

#define NSEC_PER_SEC 1000000000ull

/* So many of one virtqueue before the others have their turn. */
#define BATCH 256

void drive_count(struct drive *d, uint64_t bytes)
{
	d->stats.requests++;
	d->stats.bytes += bytes;
}

void drive_count_latency(struct drive *d, uint64_t latency_ns)
{
	struct drive_stats *s = &d->stats;
	unsigned int bucket = vl_hist_index(DRIVE_HIST_SUB_BITS, latency_ns);

	if (!s->latencies || latency_ns < s->min_ns)
		s->min_ns = latency_ns;
	if (latency_ns > s->max_ns)
		s->max_ns = latency_ns;
	s->sum_ns += latency_ns;
	s->latencies++;
	s->buckets[bucket < DRIVE_HIST_BUCKETS ? bucket : DRIVE_HIST_BUCKETS - 1]++;
}

static int reap_queue(struct drive *d, struct drive_queue *q, struct vl_err *err)
{
	uint64_t now_ns = 0;
	uint32_t written;
	int id = -EAGAIN, nr = 0;

	while (nr < BATCH && (id = vring_drv_get(&q->drv, &written)) >= 0) {
		const struct drive_request req = q->requests[id];
		int ret;

		if (!now_ns)
			now_ns = loop_now_ns();
		ret = d->opt->kind->check(d, q, &req, written, now_ns, err);
		if (ret)
			return ret;
		q->in_flight--;
		drive_slot_free(d, q, req.slot);
		nr++;
	}
	if (id < 0 && id != -EAGAIN)
		return vl_err_set(err, id,
				  "the back-end gave back what is not in flight in virtqueue %u",
				  q->index);
	return nr;
}

int drive_reap(struct drive *d, struct vl_err *err)
{
	int nr = 0;

	for (unsigned int i = 0; i < d->nr_queues; i++) {
		int ret = reap_queue(d, &d->queues[i], err);

		if (ret < 0)
			return ret;
		nr += ret;
	}
	return nr;
}

static unsigned int in_flight(const struct drive *d)
{
	unsigned int nr = 0;

	for (unsigned int i = 0; i < d->nr_queues; i++)
		nr += d->queues[i].supplies ? 0 : d->queues[i].in_flight;
	return nr;
}

/* For anything that is certain to come, or else to be counted as lost. */
bool drive_is_waiting(const struct drive *d)
{
	return d->awaited || in_flight(d);
}

/* While we look ourselves, no calls are needed. */
void drive_calls_disable(struct drive *d)
{
	for (unsigned int i = 0; i < d->nr_queues; i++)
		vring_drv_call_disable(&d->queues[i].drv);
}

/* While an answer is due, what went out for it needs no call of its own. */
static bool wants_call(const struct drive *d, const struct drive_queue *q)
{
	return q->supplies || !d->awaited;
}

/* Has anything come before the device could know of it? */
static bool calls_enable(struct drive *d)
{
	bool any = false;

	for (unsigned int i = 0; i < d->nr_queues; i++)
		if (wants_call(d, &d->queues[i]))
			any |= vring_drv_call_enable(&d->queues[i].drv);
	return any;
}

static int go_on_with_next(struct drive *d, struct vl_err *err)
{
	if (!d->opt->reconnect)
		return vl_err_set(err, -ECONNRESET, "the back-end left with %u requests under way",
				  in_flight(d));
	return vu_session_reconnect(&d->session, err);
}

/* Until the next request's time, or until something is too late. */
static uint64_t sleep_ns(const struct drive *d, uint64_t now_ns)
{
	uint64_t next_ns = drive_next_issue_ns(d, now_ns);
	uint64_t max_ns = d->opt->timeout_ns;

	if (d->awaited && d->opt->loss_ns < max_ns)
		max_ns = d->opt->loss_ns;
	if (d->opt->time_ns && !drive_is_over(d, now_ns)) {
		uint64_t left_ns = d->start_ns + d->opt->time_ns - now_ns;

		max_ns = left_ns < max_ns ? left_ns : max_ns;
	}
	if (next_ns <= now_ns)
		return 0;
	return next_ns - now_ns < max_ns ? next_ns - now_ns : max_ns;
}

static void take_calls(struct drive *d, const struct pollfd *fds)
{
	eventfd_t calls;

	for (unsigned int i = 0; i < d->nr_queues; i++)
		if (fds[i].revents && !eventfd_read(fds[i].fd, &calls))
			d->stats.calls++;
}

/* Sleeps until a call, or until the back-end is gone. */
static int sleep_until_call(struct drive *d, struct vl_err *err)
{
	uint64_t left_ns = sleep_ns(d, loop_now_ns());
	struct timespec left = { left_ns / NSEC_PER_SEC, left_ns % NSEC_PER_SEC };
	struct pollfd fds[DRIVE_QUEUES_MAX + 1];
	unsigned int nr = d->nr_queues;
	int ret;

	for (unsigned int i = 0; i < nr; i++)
		fds[i] = (struct pollfd){ .fd = d->queues[i].call, .events = POLLIN };
	fds[nr] = (struct pollfd){ .fd = vu_session_fd(&d->session), .events = POLLIN | POLLRDHUP };
	if (calls_enable(d)) {
		drive_calls_disable(d);
		return 0;
	}
	ret = ppoll(fds, nr + 1, &left, NULL);
	drive_calls_disable(d);
	if (ret < 0)
		return errno == EINTR ? 0 :
					vl_err_set(err, -errno, "ppoll: %s", vl_strerror(errno));
	take_calls(d, fds);
	return fds[nr].revents ? go_on_with_next(d, err) : 0;
}

static int check_stall(const struct drive *d, uint64_t since_ns, uint64_t now_ns,
		       struct vl_err *err)
{
	bool endless = d->opt->count && !d->opt->time_ns && !drive_is_over(d, now_ns);

	if (now_ns - since_ns < d->opt->timeout_ns)
		return 0;
	if (in_flight(d))
		return vl_err_set(err, -ETIMEDOUT,
				  "none of the %u requests under way came back within %" PRIu64
				  " ms",
				  in_flight(d), d->opt->timeout_ns / 1000000);
	if (!endless || d->opt->rate)
		return 0;
	return vl_err_set(err, -ETIMEDOUT, "nothing came within %" PRIu64 " ms",
			  d->opt->timeout_ns / 1000000);
}

int drive_wait(struct drive *d, uint64_t since_ns, struct vl_err *err)
{
	uint64_t now_ns = loop_now_ns(), awaited = d->awaited;
	int ret = check_stall(d, since_ns, now_ns, err);

	if (ret)
		return ret;
	if (d->opt->kind->idle)
		d->opt->kind->idle(d, now_ns);
	/* others may go out now */
	if (d->awaited != awaited)
		return 0;
	if (!d->opt->poll)
		return sleep_until_call(d, err);
	return vu_session_is_lost(&d->session) ? go_on_with_next(d, err) : 0;
}
