// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <vringlab/err.h>
#include <vringlab/loop.h>

#include "drive.h"

/* While polling, so many looks in vain between two at the connection and the clock. */
#define POLLS 20000u

static uint64_t cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

/* On-CPU time of all threads, from schedstat; 0 if it cannot be read. */
static uint64_t process_cpu_ns(int pid)
{
	uint64_t total = 0;
	struct dirent *e;
	char path[320];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = pid > 0 ? opendir(path) : NULL;
	if (!dir)
		return 0;
	while ((e = readdir(dir))) {
		uint64_t ns;
		FILE *f;

		snprintf(path, sizeof(path), "/proc/%d/task/%s/schedstat", pid, e->d_name);
		f = e->d_name[0] == '.' ? NULL : fopen(path, "re");
		if (!f)
			continue;
		if (fscanf(f, "%" SCNu64, &ns) == 1)
			total += ns;
		fclose(f);
	}
	closedir(dir);
	return total;
}

static volatile sig_atomic_t finished;

void drive_finish(void)
{
	finished = 1;
}

/* --- out ----------------------------------------------------------------------- */

/* May another one be issued, and has its time come? */
static bool may_issue(const struct drive *d, uint64_t start_ns, uint64_t now_ns)
{
	const struct drive_options *opt = d->opt;

	if (!d->nr_free || finished)
		return false;
	if (opt->count && d->issued == opt->count)
		return false;
	if (opt->time_ns && now_ns - start_ns >= opt->time_ns)
		return false;
	return !opt->rate || d->issued <= (double)(now_ns - start_ns) * opt->rate / 1e9;
}

static bool is_over(const struct drive *d, uint64_t start_ns, uint64_t now_ns)
{
	const struct drive_options *opt = d->opt;

	return finished || (opt->count && d->issued == opt->count) ||
	       (opt->time_ns && now_ns - start_ns >= opt->time_ns);
}

static int issue_one(struct drive *d, uint64_t now_ns, struct vl_err *err)
{
	struct drive_request req = {
		.start_ns = now_ns,
		.seq = d->issued,
		.slot = d->free_slots[d->nr_free - 1],
	};
	struct vring_buf bufs[DRIVE_BUFS_MAX];
	unsigned int nr_out;
	int id;

	d->opt->kind->build(d, &req, bufs, &nr_out);
	id = vring_drv_stage(&d->drv, bufs, nr_out, d->opt->kind->nr_bufs - nr_out);
	if (id < 0)
		return vl_err_set(err, id, "cannot make request %" PRIu64 " available: %s", req.seq,
				  vl_strerror(id));
	d->requests[id] = req;
	d->nr_free--;
	d->in_flight++;
	d->issued++;
	return 0;
}

static int issue(struct drive *d, uint64_t start_ns, struct vl_err *err)
{
	uint64_t now_ns = loop_now_ns();
	bool any = false;

	while (may_issue(d, start_ns, now_ns)) {
		int ret = issue_one(d, now_ns, err);

		if (ret)
			return ret;
		any = true;
	}
	if (!any)
		return 0;
	vring_drv_publish(&d->drv);
	if (vring_drv_should_kick(&d->drv)) {
		eventfd_write(d->kick, 1);
		d->stats.kicks++;
	}
	return 0;
}

/* --- and back ------------------------------------------------------------------- */

static void count(struct drive *d, uint64_t latency_ns)
{
	struct drive_stats *s = &d->stats;
	unsigned int bucket = vl_hist_index(DRIVE_HIST_SUB_BITS, latency_ns);

	if (!s->requests || latency_ns < s->min_ns)
		s->min_ns = latency_ns;
	if (latency_ns > s->max_ns)
		s->max_ns = latency_ns;
	s->sum_ns += latency_ns;
	s->requests++;
	s->bytes += d->opt->size;
	s->buckets[bucket < DRIVE_HIST_BUCKETS ? bucket : DRIVE_HIST_BUCKETS - 1]++;
}

/* Returns how many came back, or a negative errno. */
static int reap(struct drive *d, struct vl_err *err)
{
	uint64_t now_ns = 0;
	uint32_t written;
	int id, nr = 0;

	while ((id = vring_drv_get(&d->drv, &written)) >= 0) {
		const struct drive_request req = d->requests[id];
		int ret;

		if (!now_ns)
			now_ns = loop_now_ns();
		ret = d->opt->kind->check(d, &req, written, err);
		if (ret)
			return ret;
		count(d, now_ns - req.start_ns);
		d->free_slots[d->nr_free++] = req.slot;
		d->in_flight--;
		nr++;
	}
	if (id != -EAGAIN)
		return vl_err_set(err, id, "the back-end gave back what is not in flight");
	return nr;
}

static int go_on_with_next(struct drive *d, struct vl_err *err)
{
	if (!d->opt->reconnect)
		return vl_err_set(err, -ECONNRESET, "the back-end left with %u requests under way",
				  d->in_flight);
	return drive_reconnect(d, err);
}

/* Until the next request's time, as long as something may come back. */
static int sleep_ms(const struct drive *d)
{
	bool waits = d->opt->rate && d->nr_free;
	uint64_t gap_ms = waits ? 1000 / d->opt->rate + 1 : d->opt->timeout_ms;

	return gap_ms < d->opt->timeout_ms ? gap_ms : d->opt->timeout_ms;
}

/* Sleeps until the call, or until the back-end is gone. */
static int sleep_until_call(struct drive *d, struct vl_err *err)
{
	struct pollfd fds[] = {
		{ .fd = d->call, .events = POLLIN },
		{ .fd = vu_frontend_fd(d->fe), .events = POLLIN | POLLRDHUP },
	};
	eventfd_t calls;

	if (vring_drv_call_enable(&d->drv)) {
		vring_drv_call_disable(&d->drv);
		return 0;
	}
	if (poll(fds, 2, sleep_ms(d)) < 0 && errno != EINTR)
		return vl_err_set(err, -errno, "poll: %s", vl_strerror(errno));
	vring_drv_call_disable(&d->drv);
	if (fds[0].revents && !eventfd_read(d->call, &calls))
		d->stats.calls++;
	return fds[1].revents ? go_on_with_next(d, err) : 0;
}

static int check_stall(const struct drive *d, uint64_t since_ns, struct vl_err *err)
{
	if (!d->in_flight || loop_now_ns() - since_ns < d->opt->timeout_ms * 1000000ull)
		return 0;
	return vl_err_set(err, -ETIMEDOUT,
			  "none of the %u requests under way came back within %" PRIu64 " ms",
			  d->in_flight, d->opt->timeout_ms);
}

/* Nothing came back just now: waits a little. */
static int idle(struct drive *d, uint64_t since_ns, struct vl_err *err)
{
	int ret = check_stall(d, since_ns, err);

	if (ret)
		return ret;
	if (!d->opt->poll)
		return sleep_until_call(d, err);
	for (unsigned int i = 0; i < POLLS; i++)
		__builtin_ia32_pause();
	return drive_is_lost(d) ? go_on_with_next(d, err) : 0;
}

static int run(struct drive *d, uint64_t start_ns, struct vl_err *err)
{
	uint64_t since_ns = start_ns;
	unsigned int looks = 0;

	while (d->in_flight || !is_over(d, start_ns, loop_now_ns())) {
		int ret = issue(d, start_ns, err);

		if (!ret)
			ret = reap(d, err);
		if (ret < 0)
			return ret;
		if (ret) {
			since_ns = loop_now_ns();
			looks = 0;
			continue;
		}
		if (d->opt->poll && ++looks < POLLS)
			continue;
		looks = 0;
		ret = idle(d, since_ns, err);
		if (ret)
			return ret;
	}
	return 0;
}

int drive_load(struct drive *d, struct vl_err *err)
{
	int pid = drive_backend_pid(d);
	uint64_t backend_ns = process_cpu_ns(pid);
	uint64_t own_ns = cpu_ns();
	uint64_t start_ns = loop_now_ns();
	int ret;

	/* while we look ourselves, no calls are needed */
	vring_drv_call_disable(&d->drv);
	ret = run(d, start_ns, err);
	d->stats.elapsed_ns = loop_now_ns() - start_ns;
	d->stats.own_cpu_ns = cpu_ns() - own_ns;
	if (backend_ns && !d->stats.reconnects)
		d->stats.backend_cpu_ns = process_cpu_ns(pid) - backend_ns;
	return ret;
}
