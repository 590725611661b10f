// SPDX-License-Identifier: GPL-2.0-only
/*
 * Thresholds: each hit counted once, told once, and the trace buffer holds what
 * was slow.
 *
 * How long a kick takes here is nobody's to say but for the slow ones, which wait
 * until the time has passed. A threshold is therefore one below the first value of
 * a bucket: what is longer is in that bucket or above it, and the histogram tells
 * how many hits there must be.
 */
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "ring_ping.h"
#include "t_threshold.h"
#include "t_trace.h"

#define T(name) (1u << VRINGLAB_A_THRESHOLD_##name)
#define H(name) (1u << VRINGLAB_A_HIT_##name)
#define ACTION(name) VRINGLAB_THRESHOLD_ACTION_##name

/* 23 ms: more than a kick takes that nobody delays. */
#define SLOW_BUCKET 179u
#define SLOW_NS (t_hist_start(SLOW_BUCKET) - 1)
/* 49 us: some of a guest's spans are longer, some are not. */
#define GUEST_BUCKET 108u
#define BUFFER_KB "4096"
#define MANY 5000

/* clang-format off */
FIXTURE(threshold) {
	struct t_genl g;
	struct t_genl listener;
	struct t_vring v;
	struct t_threshold t;
	struct t_trace trace;
	struct t_ping p;
	struct t_stats s;
	struct t_interval i;
	int kick;
	int call;
};

/* clang-format on */

FIXTURE_SETUP(threshold)
{
	OPEN_OR_SKIP(&self->g);
	ASSERT_EQ(0, t_genl_open(&self->listener, VRINGLAB_FAMILY_NAME));
	ASSERT_EQ(0, t_threshold_listen(&self->listener));
	self->kick = new_eventfd(_metadata, EFD_NONBLOCK);
	self->call = new_eventfd(_metadata, EFD_NONBLOCK);
	self->v = (struct t_vring){
		.has = HAS(LABEL) | HAS(KICK_FD) | HAS(CALL_FD),
		.label = "slow",
		.kick_fd = self->kick,
		.call_fd = self->call,
	};
	vring_add(_metadata, &self->g, &self->v);
	self->t = (struct t_threshold){
		.has = T(VRING_ID) | T(SPAN) | T(NS) | T(ACTIONS),
		.vring_id = self->v.id,
		.span = VRINGLAB_SPAN_KICK_WAKE,
		.ns = SLOW_NS,
	};
}

FIXTURE_TEARDOWN(threshold)
{
	struct t_threshold left[64];
	int i, nr;

	EXPECT_EQ(0, t_trace_close(&self->trace));
	t_ping_stop(&self->p);
	EXPECT_EQ(0u, self->g.leak);
	if (!self->g.nl)
		return;
	/* They outlive the socket. */
	nr = t_threshold_dump(&self->g, left, 64);
	for (i = 0; i < nr; i++)
		t_threshold_del(&self->g, left[i].id);
	t_genl_close(&self->listener);
	t_genl_close(&self->g);
}

static void threshold_add(struct __test_metadata *_metadata, struct t_genl *g,
			  struct t_threshold *t)
{
	ASSERT_EQ(0, t_threshold_add(g, t))
	{
		TH_LOG("threshold-add: %s", g->ack_msg);
	}
	ASSERT_NE(0u, t->id);
}

static uint64_t hits_of(struct __test_metadata *_metadata, struct t_genl *g, uint32_t id)
{
	struct t_threshold t;

	ASSERT_EQ(0, t_threshold_get(g, id, &t));
	return t.hits;
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

/* The back-end takes the kick, not before @ns have passed since it. */
static void kick_and_take(struct __test_metadata *_metadata, int kick, uint64_t ns)
{
	uint64_t kicked;
	eventfd_t value;

	ASSERT_EQ(0, eventfd_write(kick, 1));
	kicked = now_ns();
	while (ns && now_ns() - kicked <= ns + 1000)
		sched_yield();
	ASSERT_EQ(0, eventfd_read(kick, &value));
}

static void slow_kick(struct __test_metadata *_metadata, int kick)
{
	kick_and_take(_metadata, kick, SLOW_NS);
}

static uint64_t count_from(const struct t_hist *h, uint32_t bucket)
{
	uint64_t count = 0;
	unsigned int i;

	for (i = 0; i < h->nr_buckets; i++)
		if (h->bucket[i].index >= bucket)
			count += h->bucket[i].count;
	return count;
}

TEST_F_TIMEOUT(threshold, is_described_as_it_was_added, SLOW)
{
	struct t_threshold got;

	self->t.actions = ACTION(TRACE) | ACTION(NOTIFY);
	self->t.has |= T(ONCE);
	threshold_add(_metadata, &self->g, &self->t);
	ASSERT_EQ(0, t_threshold_get(&self->g, self->t.id, &got));
	EXPECT_EQ(self->t.id, got.id);
	EXPECT_EQ(self->v.id, got.vring_id);
	EXPECT_EQ((uint32_t)VRINGLAB_SPAN_KICK_WAKE, got.span);
	EXPECT_EQ(SLOW_NS, got.ns);
	EXPECT_EQ(self->t.actions, got.actions);
	EXPECT_EQ(T(ID) | T(VRING_ID) | T(SPAN) | T(NS) | T(ACTIONS) | T(ONCE) | T(HITS) | T(LOST),
		  got.has & ~T(PAD));
	EXPECT_EQ(0u, got.hits);
	EXPECT_EQ(1, t_threshold_dump(&self->g, &got, 1));
	EXPECT_EQ(self->t.id, got.id);
	EXPECT_EQ(0, t_threshold_del(&self->g, self->t.id));
	EXPECT_EQ(-ENOENT, t_threshold_get(&self->g, self->t.id, &got));
	EXPECT_STRNE("", self->g.ack_msg);
	EXPECT_EQ(-ENOENT, t_threshold_del(&self->g, self->t.id));
	EXPECT_STRNE("", self->g.ack_msg);
}

TEST_F_TIMEOUT(threshold, hits_are_counted_exactly, SLOW)
{
	int i;

	self->t.has &= ~T(ACTIONS);
	threshold_add(_metadata, &self->g, &self->t);
	for (i = 0; i < 20; i++) {
		kick_and_take(_metadata, self->kick, 0);
		if (i % 4 == 0)
			slow_kick(_metadata, self->kick);
	}
	stats_get(_metadata, &self->g, self->v.id, &self->s);
	EXPECT_EQ(25u, T_SPAN(&self->s, KICK_WAKE)->count);
	EXPECT_EQ(count_from(T_SPAN(&self->s, KICK_WAKE), SLOW_BUCKET),
		  hits_of(_metadata, &self->g, self->t.id));
	EXPECT_LE(5u, hits_of(_metadata, &self->g, self->t.id));
	EXPECT_GT(25u, hits_of(_metadata, &self->g, self->t.id));
}

TEST_F_TIMEOUT(threshold, a_hit_is_told_to_the_group, SLOW)
{
	struct t_hist *h;
	struct t_hit hit;

	self->t.actions = ACTION(NOTIFY);
	threshold_add(_metadata, &self->g, &self->t);
	slow_kick(_metadata, self->kick);
	ASSERT_EQ(0, t_threshold_hear(&self->listener, &hit, T_DEADLINE_MS));
	EXPECT_EQ(H(THRESHOLD_ID) | H(VRING_ID) | H(SPAN) | H(NS) | H(STAMP_NS), hit.has & ~H(PAD));
	EXPECT_EQ(self->t.id, hit.threshold_id);
	EXPECT_EQ(self->v.id, hit.vring_id);
	EXPECT_EQ((uint32_t)VRINGLAB_SPAN_KICK_WAKE, hit.span);
	EXPECT_LT(SLOW_NS, hit.ns);
	EXPECT_GE(now_ns(), hit.stamp_ns);
	stats_get(_metadata, &self->g, self->v.id, &self->s);
	h = T_SPAN(&self->s, KICK_WAKE);
	EXPECT_EQ(1u, h->count);
	EXPECT_EQ(h->max_ns, hit.ns);
}

TEST_F_TIMEOUT(threshold, with_once_only_the_first_is_a_hit, SLOW)
{
	struct t_hit hit;

	self->t.has |= T(ONCE);
	self->t.actions = ACTION(NOTIFY);
	threshold_add(_metadata, &self->g, &self->t);
	slow_kick(_metadata, self->kick);
	slow_kick(_metadata, self->kick);
	EXPECT_EQ(1u, hits_of(_metadata, &self->g, self->t.id));
	ASSERT_EQ(0, t_threshold_hear(&self->listener, &hit, T_DEADLINE_MS));
	EXPECT_EQ(self->t.id, hit.threshold_id);
	/* Messages come in the order of their hits: the next is another threshold's. */
	self->t.has &= ~T(ONCE);
	threshold_add(_metadata, &self->g, &self->t);
	slow_kick(_metadata, self->kick);
	ASSERT_EQ(0, t_threshold_hear(&self->listener, &hit, T_DEADLINE_MS));
	EXPECT_EQ(self->t.id, hit.threshold_id);
}

TEST_F_TIMEOUT(threshold, no_dump_goes_beyond_the_last_id_there_can_be, SLOW)
{
	const uint32_t ids[] = { 0, INT32_MAX, UINT32_MAX - 1, UINT32_MAX };
	struct t_threshold got;
	size_t i;

	threshold_add(_metadata, &self->g, &self->t);
	for (i = 0; i < ARRAY_SIZE(ids); i++) {
		EXPECT_EQ(-ENOENT, t_threshold_get(&self->g, ids[i], &got));
		EXPECT_EQ(-ENOENT, t_threshold_del(&self->g, ids[i]));
	}
	EXPECT_EQ(1, t_threshold_dump(&self->g, &got, 1));
}

/* Where a function of the module is, 0 where that is not told. */
static uint64_t address_of(const char *function)
{
	char name[128], module[64];
	unsigned long long address, found = 0;
	FILE *f = fopen("/proc/kallsyms", "re");

	while (f && !found && fscanf(f, "%llx %*c %127s%*[ \t]", &address, name) == 2)
		if (fscanf(f, "[%63[^]]]", module) == 1 && !strcmp(module, "vringlab") &&
		    !strcmp(name, function))
			found = address;
	if (f)
		fclose(f);
	return found;
}

/* A descriptor by which the processor counts this thread's calls of a function. */
static int count_calls(uint64_t address)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_BREAKPOINT,
		.size = sizeof(attr),
		.bp_type = HW_BREAKPOINT_X,
		.bp_addr = address,
		.bp_len = sizeof(long),
		.exclude_hv = 1,
	};

	return syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

/* Calls of it that a slow kick makes. */
static uint64_t calls_by_slow_kick(struct __test_metadata *_metadata, int fd, int kick)
{
	uint64_t before, after;

	ASSERT_EQ((ssize_t)sizeof(before), read(fd, &before, sizeof(before)));
	slow_kick(_metadata, kick);
	ASSERT_EQ((ssize_t)sizeof(after), read(fd, &after, sizeof(after)));
	return after - before;
}

/* Who looks at the list of thresholds, by the processor's own count. */
TEST_F_TIMEOUT(threshold, once_hit_it_is_in_nobody_s_way, SLOW)
{
	int fd = count_calls(address_of("vl_threshold_hit"));

	if (fd < 0)
		SKIP(return, "needs hardware breakpoints (%s): run as root", strerror(errno));
	threshold_add(_metadata, &self->g, &self->t);
	/* That there are hits is another test's. */
	if (!calls_by_slow_kick(_metadata, fd, self->kick)) {
		close(fd);
		SKIP(return, "needs breakpoints that count in a module: use a kernel before 7.3");
	}
	EXPECT_EQ(1u, calls_by_slow_kick(_metadata, fd, self->kick));
	ASSERT_EQ(0, t_threshold_del(&self->g, self->t.id));

	self->t.has |= T(ONCE);
	threshold_add(_metadata, &self->g, &self->t);
	EXPECT_EQ(1u, calls_by_slow_kick(_metadata, fd, self->kick));
	EXPECT_TRUE(EVENTUALLY(!calls_by_slow_kick(_metadata, fd, self->kick)));
	EXPECT_EQ(1u, hits_of(_metadata, &self->g, self->t.id));
	/* It stays lifted when others come and go. */
	self->t.has &= ~T(ONCE);
	threshold_add(_metadata, &self->g, &self->t);
	EXPECT_EQ(1u, calls_by_slow_kick(_metadata, fd, self->kick));
	ASSERT_EQ(0, t_threshold_del(&self->g, self->t.id));
	EXPECT_EQ(0u, calls_by_slow_kick(_metadata, fd, self->kick));
	close(fd);
}

/* More hits than the module has room for at once; whatever is lost is counted. */
TEST_F_TIMEOUT(threshold, every_hit_is_told_or_counted_as_lost, SLOW)
{
	int i, size = 64 << 20;
	struct t_threshold got, last;
	struct t_hit hit;

	ASSERT_EQ(0, setsockopt(mnl_socket_get_fd(self->listener.nl), SOL_SOCKET, SO_RCVBUFFORCE,
				&size, sizeof(size)));
	self->t.ns = 0;
	self->t.actions = ACTION(NOTIFY);
	threshold_add(_metadata, &self->g, &self->t);
	for (i = 0; i < MANY; i++)
		kick_and_take(_metadata, self->kick, 0);
	ASSERT_EQ(0, t_threshold_get(&self->g, self->t.id, &got));
	EXPECT_EQ((uint64_t)MANY, got.hits);
	TH_LOG("%d hits, %d lost", (int)got.hits, (int)got.lost);
	for (i = 0; i < (int)(got.hits - got.lost); i++) {
		ASSERT_EQ(0, t_threshold_hear(&self->listener, &hit, T_DEADLINE_MS));
		ASSERT_EQ(self->t.id, hit.threshold_id);
	}
	/* And no more than these. */
	last = self->t;
	last.span = VRINGLAB_SPAN_WAKE_CALL;
	threshold_add(_metadata, &self->g, &last);
	ASSERT_EQ(0, eventfd_write(self->call, 1));
	ASSERT_EQ(0, t_threshold_hear(&self->listener, &hit, T_DEADLINE_MS));
	EXPECT_EQ(last.id, hit.threshold_id);
	ASSERT_EQ(0, t_threshold_get(&self->g, self->t.id, &got));
	EXPECT_EQ((uint64_t)MANY, got.hits);
}

/* What the buffer has of a vring. */
struct seen {
	int kicks;
	int wakes;
	int thresholds;
	int after_threshold;
	int64_t kick_stamp_ns;
	int64_t wake_stamp_ns;
	int64_t kick_wake_ns;
	int64_t threshold_stamp_ns;
};

static void see(const char *event, const char *fields, void *data)
{
	struct seen *seen = data;

	seen->after_threshold += seen->thresholds;
	if (!strcmp(event, "kick")) {
		seen->kicks++;
		t_trace_field(fields, "stamp_ns", &seen->kick_stamp_ns);
	} else if (!strcmp(event, "wake")) {
		seen->wakes++;
		t_trace_field(fields, "stamp_ns", &seen->wake_stamp_ns);
		t_trace_field(fields, "kick_wake_ns", &seen->kick_wake_ns);
	} else if (!strcmp(event, "threshold")) {
		seen->thresholds++;
		t_trace_field(fields, "stamp_ns", &seen->threshold_stamp_ns);
	}
}

#define OPEN_TRACE_OR_SKIP(t)                                                                      \
	do {                                                                                       \
		int ret_ = t_trace_open(t, NULL, BUFFER_KB);                                       \
		if (ret_ == -ENOENT)                                                               \
			SKIP(return, "needs tracefs: mount -t tracefs nodev /sys/kernel/tracing"); \
		ASSERT_EQ(0, ret_);                                                                \
		ASSERT_EQ(0, t_trace_put(t, "events/vringlab/enable", "1"));                       \
	} while (0)

static void expect_slow_kick_last(struct __test_metadata *_metadata, const struct seen *seen,
				  const struct t_hit *hit)
{
	EXPECT_EQ((int64_t)hit->stamp_ns, seen->wake_stamp_ns);
	EXPECT_EQ((int64_t)hit->ns, seen->kick_wake_ns);
	EXPECT_EQ((int64_t)hit->ns, seen->wake_stamp_ns - seen->kick_stamp_ns);
	EXPECT_EQ(1, seen->thresholds);
	EXPECT_EQ(0, seen->after_threshold);
	EXPECT_EQ((int64_t)hit->stamp_ns, seen->threshold_stamp_ns);
}

TEST_F_TIMEOUT(threshold, stops_tracing_when_the_buffer_has_the_slow_kick, SLOW)
{
	struct seen seen = { 0 };
	struct t_hit hit;

	OPEN_TRACE_OR_SKIP(&self->trace);
	self->t.has |= T(ONCE);
	self->t.actions = ACTION(STOP_TRACING) | ACTION(TRACE) | ACTION(NOTIFY);
	threshold_add(_metadata, &self->g, &self->t);
	kick_and_take(_metadata, self->kick, 0);
	slow_kick(_metadata, self->kick);
	EXPECT_EQ(0, t_trace_get_number(&self->trace, "tracing_on"));
	/* These are not in it any more. */
	kick_and_take(_metadata, self->kick, 0);
	ASSERT_EQ(0, t_threshold_hear(&self->listener, &hit, T_DEADLINE_MS));
	ASSERT_LT(0, t_trace_read(&self->trace, "trace", self->v.id, see, &seen));
	expect_slow_kick_last(_metadata, &seen, &hit);
	EXPECT_EQ(seen.kicks, seen.wakes);
}

TEST_F_TIMEOUT(threshold, snapshot_has_the_slow_kick_and_tracing_goes_on, SLOW)
{
	struct seen kept = { 0 }, live = { 0 };
	struct t_hit hit;

	OPEN_TRACE_OR_SKIP(&self->trace);
	self->t.has |= T(ONCE);
	self->t.actions = ACTION(SNAPSHOT) | ACTION(TRACE) | ACTION(NOTIFY);
	if (t_threshold_add(&self->g, &self->t) == -EOPNOTSUPP)
		SKIP(return, "needs a kernel with CONFIG_TRACER_SNAPSHOT");
	ASSERT_NE(0u, self->t.id);
	kick_and_take(_metadata, self->kick, 0);
	slow_kick(_metadata, self->kick);
	kick_and_take(_metadata, self->kick, 0);
	EXPECT_EQ(1, t_trace_get_number(&self->trace, "tracing_on"));
	ASSERT_EQ(0, t_threshold_hear(&self->listener, &hit, T_DEADLINE_MS));
	ASSERT_LT(0, t_trace_read(&self->trace, "snapshot", self->v.id, see, &kept));
	expect_slow_kick_last(_metadata, &kept, &hit);
	ASSERT_LT(0, t_trace_read(&self->trace, "trace", self->v.id, see, &live));
	EXPECT_EQ(0, live.thresholds);
	EXPECT_LE(1, live.kicks);
	EXPECT_LT((int64_t)hit.stamp_ns, live.kick_stamp_ns);
	ASSERT_EQ(0, t_trace_put(&self->trace, "snapshot", "0"));
}

TEST_F_TIMEOUT(threshold, of_all_vrings_holds_for_those_to_come, SLOW)
{
	struct t_vring later = self->v;

	later.kick_fd = new_eventfd(_metadata, EFD_NONBLOCK);
	later.call_fd = new_eventfd(_metadata, EFD_NONBLOCK);
	self->t.has &= ~(T(VRING_ID) | T(ACTIONS));
	self->t.ns = 0;
	threshold_add(_metadata, &self->g, &self->t);
	kick_and_take(_metadata, self->kick, 0);
	EXPECT_EQ(1u, hits_of(_metadata, &self->g, self->t.id));
	vring_add(_metadata, &self->g, &later);
	kick_and_take(_metadata, later.kick_fd, 0);
	EXPECT_EQ(2u, hits_of(_metadata, &self->g, self->t.id));
	ASSERT_EQ(0, t_vring_del(&self->g, later.id));
	EXPECT_EQ(2u, hits_of(_metadata, &self->g, self->t.id));
}

TEST_F_TIMEOUT(threshold, of_one_vring_is_not_anothers_and_ends_with_it, SLOW)
{
	struct t_threshold got;
	struct t_vring other = self->v;

	other.kick_fd = new_eventfd(_metadata, EFD_NONBLOCK);
	other.call_fd = new_eventfd(_metadata, EFD_NONBLOCK);
	vring_add(_metadata, &self->g, &other);
	self->t.ns = 0;
	self->t.has &= ~T(ACTIONS);
	threshold_add(_metadata, &self->g, &self->t);
	kick_and_take(_metadata, other.kick_fd, 0);
	EXPECT_EQ(0u, hits_of(_metadata, &self->g, self->t.id));
	kick_and_take(_metadata, self->kick, 0);
	EXPECT_EQ(1u, hits_of(_metadata, &self->g, self->t.id));
	ASSERT_EQ(0, t_vring_del(&self->g, self->v.id));
	EXPECT_EQ(-ENOENT, t_threshold_get(&self->g, self->t.id, &got));
	EXPECT_EQ(0, t_threshold_dump(&self->g, &got, 1));
}

TEST_F_TIMEOUT(threshold, bad_requests_are_refused_in_words, SLOW)
{
	struct t_threshold good = self->t, *t = &self->t;
	const struct {
		int ret;
		uint32_t without;
		uint32_t vring_id;
		uint32_t span;
		uint64_t ns;
		uint32_t actions;
	} bad[] = {
		{ -EINVAL, T(SPAN), good.vring_id, 0, 1, 0 },
		{ -EINVAL, T(NS), good.vring_id, 0, 1, 0 },
		{ -ENOENT, 0, good.vring_id + 1000, 0, 1, 0 },
		{ -ERANGE, 0, 0, 0, 1, 0 },
		{ -ERANGE, 0, good.vring_id, T_NR_SPANS, 1, 0 },
		{ -ERANGE, 0, good.vring_id, 0, INT64_MAX, 0 },
		{ -ERANGE, 0, good.vring_id, 0, UINT64_MAX, 0 },
		{ -EINVAL, 0, good.vring_id, 0, 1, 16 },
	};
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		*t = good;
		t->has &= ~bad[i].without;
		t->vring_id = bad[i].vring_id;
		t->span = bad[i].span;
		t->ns = bad[i].ns;
		t->actions = bad[i].actions;
		EXPECT_EQ(bad[i].ret, t_threshold_add(&self->g, t))
		{
			TH_LOG("request %zu: %s", i, self->g.ack_msg);
		}
		EXPECT_TRUE(self->g.ack_msg[0] || self->g.ack_miss)
		{
			TH_LOG("request %zu: refused without a word", i);
		}
	}
	EXPECT_EQ(0, t_threshold_dump(&self->g, t, 1));
}

TEST_F_TIMEOUT(threshold, too_many_are_ENOSPC_and_deleting_one_makes_room, SLOW)
{
	struct t_threshold all[100];
	int nr = 0, ret;

	while (!(ret = t_threshold_add(&self->g, &self->t)) && nr < 100)
		nr++;
	EXPECT_EQ(-ENOSPC, ret);
	EXPECT_STRNE("", self->g.ack_msg);
	EXPECT_EQ(nr, t_threshold_dump(&self->g, all, 100));
	ASSERT_LE(2, nr);
	ASSERT_EQ(0, t_threshold_del(&self->g, all[1].id));
	threshold_add(_metadata, &self->g, &self->t);
	EXPECT_EQ(nr, t_threshold_dump(&self->g, all, 100));
}

/* Every span of a guest's way, on a whole path. */
TEST_F_TIMEOUT(threshold, of_each_span_has_a_guests_hits, SLOW)
{
	struct t_threshold t[T_NR_SPANS];
	struct t_ping_guest guest;
	uint64_t hits = 0;
	uint32_t id;
	int span;

	START_OR_SKIP(&self->p);
	for (span = 0; span < T_NR_SPANS; span++) {
		t[span] = (struct t_threshold){
			.has = T(SPAN) | T(NS),
			.span = span,
			.ns = t_hist_start(GUEST_BUCKET) - 1,
		};
		threshold_add(_metadata, &self->g, &t[span]);
	}
	run_guest(_metadata, &self->p, "--count 500", &guest);
	id = vring_id(_metadata, &self->g, self->p.label);
	stats_get(_metadata, &self->g, id, &self->s);
	for (span = 0; span < T_NR_SPANS; span++) {
		EXPECT_EQ(count_from(&self->s.hist[span], GUEST_BUCKET),
			  hits_of(_metadata, &self->g, t[span].id))
		{
			TH_LOG("span %d", span);
		}
		hits += hits_of(_metadata, &self->g, t[span].id);
	}
	EXPECT_LT(0u, hits);
}

/* One kick's whole way, found by its stamps. */
struct way {
	int64_t kick_ns;
	int64_t stamps[4];
	int64_t entry_ns;
	int latencies;
	int found;
	int after;
};

static void find_kick(const char *event, const char *fields, void *data)
{
	struct way *way = data;

	way->after += way->latencies;
	if (!strcmp(event, "vring_latency")) {
		way->latencies++;
		t_trace_field(fields, "kick_ns", &way->kick_ns);
		t_trace_field(fields, "stamp_ns", &way->entry_ns);
		t_trace_field(fields, "kick_wake_ns", &way->stamps[1]);
		t_trace_field(fields, "wake_call_ns", &way->stamps[2]);
		t_trace_field(fields, "call_inject_ns", &way->stamps[3]);
		way->stamps[0] = way->kick_ns;
		for (int i = 1; i < 4; i++)
			way->stamps[i] += way->stamps[i - 1];
	}
}

static void find_hops(const char *event, const char *fields, void *data)
{
	static const char *const hops[] = { "kick", "wake", "call", "inject" };
	struct way *way = data;
	int64_t stamp_ns = 0;

	t_trace_field(fields, "stamp_ns", &stamp_ns);
	for (int i = 0; i < 4; i++)
		way->found += !strcmp(event, hops[i]) && stamp_ns == way->stamps[i];
	way->found += !strcmp(event, "entry") && stamp_ns == way->entry_ns;
}

TEST_F_TIMEOUT(threshold, of_the_whole_way_leaves_every_hop_in_the_buffer, SLOW)
{
	struct way way = { 0 };
	struct t_ping_guest guest;
	struct t_hit hit;
	uint32_t id;

	OPEN_TRACE_OR_SKIP(&self->trace);
	START_OR_SKIP(&self->p);
	self->t.has = T(SPAN) | T(NS) | T(ACTIONS) | T(ONCE);
	self->t.span = VRINGLAB_SPAN_KICK_ENTRY;
	self->t.ns = 0;
	self->t.actions = ACTION(STOP_TRACING) | ACTION(NOTIFY);
	threshold_add(_metadata, &self->g, &self->t);
	run_guest(_metadata, &self->p, "--count 50", &guest);
	id = vring_id(_metadata, &self->g, self->p.label);
	ASSERT_EQ(0, t_threshold_hear(&self->listener, &hit, T_DEADLINE_MS));
	EXPECT_EQ(id, hit.vring_id);
	EXPECT_EQ(0, t_trace_get_number(&self->trace, "tracing_on"));
	ASSERT_LT(0, t_trace_read(&self->trace, "trace", id, find_kick, &way));
	EXPECT_EQ((int64_t)hit.stamp_ns, way.entry_ns);
	EXPECT_EQ((int64_t)hit.ns, way.entry_ns - way.kick_ns);
	EXPECT_EQ(1, way.latencies);
	EXPECT_EQ(0, way.after);
	ASSERT_LT(0, t_trace_read(&self->trace, "trace", id, find_hops, &way));
	EXPECT_EQ(5, way.found);
}

TEST_F_TIMEOUT(threshold, without_CAP_NET_ADMIN_is_only_read, SLOW)
{
	struct t_threshold got;
	uint32_t id;

	threshold_add(_metadata, &self->g, &self->t);
	id = self->t.id;
	/* Each test is a process of its own: this one does not get it back. */
	ASSERT_EQ(0, drop_net_admin());
	EXPECT_EQ(-EPERM, t_threshold_add(&self->g, &self->t));
	EXPECT_EQ(-EPERM, t_threshold_del(&self->g, id));
	EXPECT_EQ(-EPERM, t_interval_get(&self->g, self->v.id, true, &self->i));
	EXPECT_EQ(0, t_interval_get(&self->g, self->v.id, false, &self->i));
	EXPECT_EQ(0, t_threshold_get(&self->g, id, &got));
	EXPECT_EQ(1, t_threshold_dump(&self->g, &got, 1));
	EXPECT_EQ(id, got.id);
}

USE_MODULE_WITH_ANCHOR

TEST_HARNESS_MAIN
