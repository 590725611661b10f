// SPDX-License-Identifier: GPL-2.0-only
/*
 * The trace events tell the same story as the counters: one line a hit, and the
 * spans in them add up to the histograms' sums.
 */
#include <dirent.h>
#include <inttypes.h>

#include "ring_ping.h"
#include "t_trace.h"

#define COUNT 300
#define BUFFER_KB "4096"
#define INSTANCE "/instances/vringlab_test"

enum event { KICK, WAKE, CALL, INJECT, ENTRY, NR_EVENTS };

static const char *const event_names[NR_EVENTS] = { "kick", "wake", "call", "inject", "entry" };

/* What others parse, in this order, with these sizes: may grow, never change. */
static const char *const fields[NR_EVENTS][8] = {
	[KICK] = { "s64 exit_kick_ns;", "u32 vring;", "u32 source;", "u8 coalesced;" },
	[WAKE] = { "s64 kick_wake_ns;", "u32 vring;", "u32 source;" },
	[CALL] = { "s64 wake_call_ns;", "u32 vring;", "u32 source;", "u8 coalesced;" },
	[INJECT] = { "s64 call_inject_ns;", "u32 vring;", "u32 vcpu;", "u8 vector;", "u8 deferred;",
		     "u8 coalesced;" },
	[ENTRY] = { "s64 inject_entry_ns;", "s64 kick_entry_ns;", "u32 vring;", "u32 vcpu;" },
};

/* Number and sum of one span in the lines; -1 says that a line has none. */
struct span_sum {
	uint64_t count;
	uint64_t sum_ns;
};

/* clang-format off */
FIXTURE(events) {
	struct t_genl g;
	struct t_ping p;
	struct t_stats s;
	char dir[128];
	uint32_t id;
	uint64_t lines[NR_EVENTS];
	uint64_t coalesced[NR_EVENTS];
	uint64_t bad_source;
	uint64_t deferred;
	struct span_sum span[T_NR_SPANS];
};

/* clang-format on */

FIXTURE_SETUP(events)
{
	OPEN_OR_SKIP(&self->g);
	if (!t_tracefs())
		SKIP(return, "needs tracefs: mount -t tracefs nodev /sys/kernel/tracing");
	snprintf(self->dir, sizeof(self->dir), "%s%s", t_tracefs(), INSTANCE);
	rmdir(self->dir);
	ASSERT_EQ(0, mkdir(self->dir, 0700))
	{
		TH_LOG("%s: %s", self->dir, strerror(errno));
	}
	ASSERT_EQ(0, t_trace_put_in(self->dir, "buffer_size_kb", BUFFER_KB));
	START_OR_SKIP(&self->p);
}

FIXTURE_TEARDOWN(events)
{
	t_trace_put_in(self->dir, "events/vringlab/enable", "0");
	t_ping_stop(&self->p);
	EXPECT_EQ(0, rmdir(self->dir));
	t_genl_close(&self->g);
}

static void add_span(struct span_sum *sum, const char *line, const char *key)
{
	const char *at = strstr(line, key);
	int64_t ns;

	if (!at)
		return;
	ns = strtoll(at + strlen(key), NULL, 10);
	if (ns < 0)
		return;
	sum->count++;
	sum->sum_ns += ns;
}

static uint64_t flag(const char *line, const char *key)
{
	const char *at = strstr(line, key);

	return at ? strtoull(at + strlen(key), NULL, 10) : 0;
}

static void take_event(FIXTURE_DATA(events) * self, enum event e, const char *line)
{
	static const char *const source[NR_EVENTS] = { " source=kvm ", " source=io_uring ",
						       " source=io_uring " };

	self->lines[e]++;
	self->coalesced[e] += flag(line, " coalesced=");
	self->deferred += flag(line, " deferred=");
	self->bad_source += source[e] && !strstr(line, source[e]);
	add_span(&self->span[VRINGLAB_SPAN_EXIT_KICK], line, " exit_kick_ns=");
	add_span(&self->span[VRINGLAB_SPAN_KICK_WAKE], line, " kick_wake_ns=");
	add_span(&self->span[VRINGLAB_SPAN_WAKE_CALL], line, " wake_call_ns=");
	add_span(&self->span[VRINGLAB_SPAN_CALL_INJECT], line, " call_inject_ns=");
	add_span(&self->span[VRINGLAB_SPAN_INJECT_ENTRY], line, " inject_entry_ns=");
	add_span(&self->span[VRINGLAB_SPAN_KICK_ENTRY], line, " kick_entry_ns=");
}

/* Lines are "TASK-PID [CPU] FLAGS TIME: EVENT: FIELDS"; other vrings' are not ours. */
static void take_trace(struct __test_metadata *_metadata, FIXTURE_DATA(events) * self)
{
	char path[256], line[1024], ours[32], tag[32];
	FILE *f;
	int e;

	snprintf(ours, sizeof(ours), " vring=%u ", self->id);
	snprintf(path, sizeof(path), "%s/trace", self->dir);
	f = fopen(path, "re");
	ASSERT_NE(NULL, f);
	while (fgets(line, sizeof(line), f)) {
		if (line[0] == '#' || !strstr(line, ours))
			continue;
		for (e = 0; e < NR_EVENTS; e++) {
			snprintf(tag, sizeof(tag), ": %s: ", event_names[e]);
			if (strstr(line, tag))
				take_event(self, e, line);
		}
	}
	fclose(f);
}

/* Nothing fell out of the buffer: else the numbers below would mean nothing. */
static void expect_nothing_lost(struct __test_metadata *_metadata, FIXTURE_DATA(events) * self)
{
	static const char *const losses[] = { "overrun: ", "commit overrun: ", "dropped events: " };
	char path[256], line[256];
	int cpu, cpus = sysconf(_SC_NPROCESSORS_ONLN);
	size_t i;
	FILE *f;

	for (cpu = 0; cpu < cpus; cpu++) {
		snprintf(path, sizeof(path), "%s/per_cpu/cpu%d/stats", self->dir, cpu);
		f = fopen(path, "re");
		ASSERT_NE(NULL, f);
		while (fgets(line, sizeof(line), f))
			for (i = 0; i < sizeof(losses) / sizeof(losses[0]); i++)
				if (!strncmp(line, losses[i], strlen(losses[i])))
					EXPECT_EQ(0l, atol(line + strlen(losses[i])))
					{
						TH_LOG("cpu %d: %s", cpu, line);
					}
		fclose(f);
	}
}

TEST_F_TIMEOUT(events, are_as_many_and_as_long_as_the_counters_say, SLOW)
{
	struct t_ping_guest guest;
	char args[32];
	int i;

	ASSERT_EQ(0, t_trace_put_in(self->dir, "events/vringlab/enable", "1"));
	snprintf(args, sizeof(args), "--count %d", COUNT);
	run_guest(_metadata, &self->p, args, &guest);
	ASSERT_EQ(0, t_trace_put_in(self->dir, "tracing_on", "0"));
	self->id = vring_id(_metadata, &self->g, self->p.label);
	stats_get(_metadata, &self->g, self->id, &self->s);
	expect_nothing_lost(_metadata, self);
	take_trace(_metadata, self);

	EXPECT_EQ(guest.kicks, self->lines[KICK]);
	EXPECT_EQ(T_CNT(&self->s, KICKS), self->lines[KICK]);
	EXPECT_EQ(T_CNT(&self->s, WAKES), self->lines[WAKE]);
	EXPECT_EQ(T_CNT(&self->s, CALLS), self->lines[CALL]);
	EXPECT_EQ(T_CNT(&self->s, INJECTS), self->lines[INJECT]);
	EXPECT_EQ(T_CNT(&self->s, ENTRIES), self->lines[ENTRY]);
	EXPECT_EQ(T_CNT(&self->s, KICK_COALESCED), self->coalesced[KICK]);
	EXPECT_EQ(T_CNT(&self->s, CALL_COALESCED), self->coalesced[CALL]);
	EXPECT_EQ(T_CNT(&self->s, INJECT_COALESCED), self->coalesced[INJECT]);
	EXPECT_EQ(T_CNT(&self->s, INJECTS_DEFERRED), self->deferred);
	EXPECT_EQ(0u, self->bad_source);
	EXPECT_LE((uint64_t)COUNT, self->lines[ENTRY]);
	for (i = 0; i < T_NR_SPANS; i++) {
		EXPECT_EQ(self->s.hist[i].count, self->span[i].count)
		{
			TH_LOG("span %d", i);
		}
		EXPECT_EQ(self->s.hist[i].sum_ns, self->span[i].sum_ns)
		{
			TH_LOG("span %d", i);
		}
	}
	EXPECT_LAWFUL(&self->s);
}

TEST_F_TIMEOUT(events, of_writes_and_reads_are_told_by_source, SLOW)
{
	struct t_vring v = { .has = HAS(LABEL) | HAS(KICK_FD) | HAS(CALL_FD), .label = "sources" };
	int kick = new_eventfd(_metadata, 0), call = new_eventfd(_metadata, 0), nr = 0;
	char path[256], line[1024], expected[64];
	eventfd_t value;
	FILE *f;

	v.kick_fd = kick;
	v.call_fd = call;
	vring_add(_metadata, &self->g, &v);
	ASSERT_EQ(0, t_trace_put_in(self->dir, "events/vringlab/enable", "1"));
	ASSERT_EQ(0, eventfd_write(kick, 1));
	ASSERT_EQ(0, eventfd_write(kick, 1));
	ASSERT_EQ(0, eventfd_read(kick, &value));
	ASSERT_EQ(0, eventfd_write(call, 1));
	ASSERT_EQ(0, t_trace_put_in(self->dir, "events/vringlab/enable", "0"));
	snprintf(path, sizeof(path), "%s/trace", self->dir);
	f = fopen(path, "re");
	ASSERT_NE(NULL, f);
	while (fgets(line, sizeof(line), f)) {
		static const char *const in_order[] = {
			"kick: vring=%u source=write coalesced=0 exit_kick_ns=-1",
			"kick: vring=%u source=write coalesced=1 exit_kick_ns=-1",
			"wake: vring=%u source=read kick_wake_ns=",
			"call: vring=%u source=write coalesced=0 wake_call_ns=",
		};

		if (line[0] == '#')
			continue;
		ASSERT_GT(4, nr)
		{
			TH_LOG("one more: %s", line);
		}
		snprintf(expected, sizeof(expected), in_order[nr++], v.id);
		EXPECT_NE(NULL, strstr(line, expected))
		{
			TH_LOG("not '%s': %s", expected, line);
		}
	}
	fclose(f);
	EXPECT_EQ(4, nr);
}

TEST_F(events, formats_list_the_stable_fields_in_order)
{
	char path[256], text[4096];
	const char *at;
	size_t len;
	int e, i;
	FILE *f;

	for (e = 0; e < NR_EVENTS; e++) {
		snprintf(path, sizeof(path), "%s/events/vringlab/%s/format", self->dir,
			 event_names[e]);
		f = fopen(path, "re");
		ASSERT_NE(NULL, f);
		len = fread(text, 1, sizeof(text) - 1, f);
		text[len] = 0;
		fclose(f);
		for (at = text, i = 0; fields[e][i]; i++) {
			at = strstr(at, fields[e][i]);
			ASSERT_NE(NULL, at)
			{
				TH_LOG("%s: no '%s', or not after the one before it",
				       event_names[e], fields[e][i]);
			}
		}
		/* Nothing in them that names a place in the kernel. */
		EXPECT_EQ(NULL, strstr(text, "%p"));
		EXPECT_EQ(NULL, strstr(text, "*"));
	}
}

USE_MODULE_WITH_ANCHOR

TEST_HARNESS_MAIN
