// SPDX-License-Identifier: GPL-2.0-only
/*
 * An oracle for the histograms: the same run recorded as trace events, every span
 * measured once more, from the stamps of the two hops that it lies between, and
 * put into buckets by the specification's formula. All must agree.
 *
 * Which hop belongs to which is the oracle's own finding. Each stage has room for
 * one record, so what goes in and what comes out take turns: the nth that went in
 * is the nth that came out. The events tell what went in (not coalesced), what was
 * thrown out (superseded), and what came out (a span that is not -1).
 */
#include "ring_ping.h"
#include "t_trace.h"

/* The module's name for none is -1. */
#define MAX_EVENTS 20000
#define BUFFER_KB "8192"
#define NONE (-1)

enum kind { KICK, WAKE, CALL, INJECT, ENTRY, NR_KINDS };

/**
 * struct hop - One event
 * @from:	The event it was led to by, NONE if there is none.
 */
struct hop {
	int64_t stamp_ns;
	int64_t exit_ns;
	bool out;
	bool in;
	bool superseded;
	int from;
};

struct oracle {
	struct hop hops[NR_KINDS][MAX_EVENTS];
	int nr[NR_KINDS];
	struct t_hist hist[T_NR_SPANS];
	uint64_t buckets[T_NR_SPANS][VRINGLAB_HIST_BUCKETS];
	uint64_t latencies;
	uint64_t latencies_wrong;
	uint64_t strange;
	int64_t last_entry_ns;
};

/* clang-format off */
FIXTURE(oracle) {
	struct t_genl g;
	struct t_ping p;
	struct t_trace trace;
	struct t_stats s;
	struct oracle *o;
	uint32_t id;
};

FIXTURE_VARIANT(oracle) {
	const char *args;
};

FIXTURE_VARIANT_ADD(oracle, one_at_a_time) { .args = "--count 1000" };
FIXTURE_VARIANT_ADD(oracle, mmio_spinning) { .args = "--count 500 --doorbell mmio --wait spin" };
FIXTURE_VARIANT_ADD(oracle, batches) { .args = "--count 500 --depth 8 --wait spin" };

/* clang-format on */

FIXTURE_SETUP(oracle)
{
	int ret;

	OPEN_OR_SKIP(&self->g);
	self->o = calloc(1, sizeof(*self->o));
	ASSERT_NE(NULL, self->o);
	ret = t_trace_open(&self->trace, "vringlab_oracle", BUFFER_KB);
	if (ret == -ENOENT)
		SKIP(return, "needs tracefs: mount -t tracefs nodev /sys/kernel/tracing");
	ASSERT_EQ(0, ret);
	START_OR_SKIP(&self->p);
}

FIXTURE_TEARDOWN(oracle)
{
	EXPECT_EQ(0, t_trace_close(&self->trace));
	t_ping_stop(&self->p);
	t_genl_close(&self->g);
	free(self->o);
}

static int64_t field(struct oracle *o, const char *fields, const char *name)
{
	int64_t value = NONE;

	o->strange += !t_trace_field(fields, name, &value);
	return value;
}

static int kind_of(const char *event)
{
	static const char *const names[NR_KINDS] = { "kick", "wake", "call", "inject", "entry" };
	int kind;

	for (kind = 0; kind < NR_KINDS; kind++)
		if (!strcmp(event, names[kind]))
			return kind;
	return NONE;
}

static void take_hop(struct oracle *o, int kind, const char *fields)
{
	static const char *const spans[NR_KINDS] = { NULL, "kick_wake_ns", "wake_call_ns",
						     "call_inject_ns", "inject_entry_ns" };
	struct hop *hop = &o->hops[kind][o->nr[kind]];

	if (o->nr[kind]++ == MAX_EVENTS)
		o->strange++;
	if (o->nr[kind] > MAX_EVENTS)
		return;
	hop->stamp_ns = field(o, fields, "stamp_ns");
	hop->out = spans[kind] && field(o, fields, spans[kind]) >= 0;
	if (kind == KICK)
		hop->exit_ns = field(o, fields, "exit_ns");
	if (kind == WAKE) {
		hop->in = hop->out;
		hop->superseded = field(o, fields, "superseded");
	} else if (kind != ENTRY) {
		hop->in = !field(o, fields, "coalesced");
	}
	if (kind == ENTRY)
		o->last_entry_ns = hop->stamp_ns;
}

/* Its spans, in their order, must add up to the whole. */
static void take_latency(struct oracle *o, const char *fields)
{
	static const char *const parts[] = { "kick_wake_ns", "wake_call_ns", "call_inject_ns",
					     "inject_entry_ns" };
	int64_t sum = 0, whole = field(o, fields, "kick_entry_ns");
	int64_t stamp_ns = field(o, fields, "stamp_ns"), kick_ns = field(o, fields, "kick_ns");
	size_t i;

	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		sum += field(o, fields, parts[i]);
	o->latencies++;
	o->latencies_wrong += stamp_ns != o->last_entry_ns;
	if (whole >= 0)
		o->latencies_wrong += sum != whole || stamp_ns - kick_ns != whole;
	else
		o->latencies_wrong += kick_ns != 0;
}

static void take_event(const char *event, const char *fields, void *data)
{
	int kind = kind_of(event);

	if (kind >= 0)
		take_hop(data, kind, fields);
	else if (!strcmp(event, "vring_latency"))
		take_latency(data, fields);
	else
		((struct oracle *)data)->strange++;
}

/* Pairs the nth that came out of a stage with the nth that went in and stayed. */
static void pair(struct oracle *o, enum kind in)
{
	struct hop *from = o->hops[in], *to = o->hops[in + 1];
	int i, next = 0;

	for (i = 0; i < o->nr[in + 1]; i++) {
		to[i].from = NONE;
		if (!to[i].out)
			continue;
		while (next < o->nr[in] && !from[next].in)
			next++;
		/* The last one that stayed before a superseding one did not come out. */
		for (int j = next + 1; in == WAKE && j < o->nr[in]; j++) {
			if (!from[j].in)
				continue;
			if (!from[j].superseded)
				break;
			next = j;
		}
		if (next == o->nr[in]) {
			o->strange++;
			return;
		}
		to[i].from = next++;
	}
}

static uint32_t bucket_of(uint64_t ns)
{
	uint32_t low = 0, high = VRINGLAB_HIST_BUCKETS - 1;

	/* By bisection of the specification's formula: no arithmetic of the module's. */
	while (low < high) {
		uint32_t middle = (low + high + 1) / 2;

		if (t_hist_start(middle) <= ns)
			low = middle;
		else
			high = middle - 1;
	}
	return low;
}

static void add_span(struct oracle *o, int span, int64_t from_ns, int64_t to_ns)
{
	struct t_hist *h = &o->hist[span];
	uint64_t ns = to_ns - from_ns;

	if (to_ns < from_ns) {
		o->strange++;
		return;
	}
	if (!h->count || ns < h->min_ns)
		h->min_ns = ns;
	if (!h->count || ns > h->max_ns)
		h->max_ns = ns;
	h->count++;
	h->sum_ns += ns;
	o->buckets[span][bucket_of(ns)]++;
}

/* The kick that an entry goes back to without a gap, NULL if there is none. */
static const struct hop *kick_of(const struct oracle *o, const struct hop *entry)
{
	const struct hop *hop = entry;
	int kind;

	for (kind = ENTRY; kind > KICK; kind--) {
		if (hop->from == NONE)
			return NULL;
		hop = &o->hops[kind - 1][hop->from];
	}
	return hop;
}

static void measure(struct oracle *o)
{
	static const int spans[NR_KINDS] = { VRINGLAB_SPAN_EXIT_KICK, VRINGLAB_SPAN_KICK_WAKE,
					     VRINGLAB_SPAN_WAKE_CALL, VRINGLAB_SPAN_CALL_INJECT,
					     VRINGLAB_SPAN_INJECT_ENTRY };
	int kind, i;

	for (kind = KICK; kind < ENTRY; kind++)
		pair(o, kind);
	for (i = 0; i < o->nr[KICK]; i++)
		if (o->hops[KICK][i].exit_ns)
			add_span(o, spans[KICK], o->hops[KICK][i].exit_ns,
				 o->hops[KICK][i].stamp_ns);
	for (kind = WAKE; kind < NR_KINDS; kind++) {
		for (i = 0; i < o->nr[kind]; i++) {
			const struct hop *hop = &o->hops[kind][i];
			const struct hop *kick = kind == ENTRY ? kick_of(o, hop) : NULL;

			if (hop->from != NONE)
				add_span(o, spans[kind], o->hops[kind - 1][hop->from].stamp_ns,
					 hop->stamp_ns);
			if (kick)
				add_span(o, VRINGLAB_SPAN_KICK_ENTRY, kick->stamp_ns,
					 hop->stamp_ns);
		}
	}
}

static void expect_same(struct __test_metadata *_metadata, const struct oracle *o, int span,
			const struct t_hist *h)
{
	uint64_t buckets[VRINGLAB_HIST_BUCKETS] = { 0 };
	unsigned int i;

	EXPECT_EQ(h->count, o->hist[span].count);
	EXPECT_EQ(h->sum_ns, o->hist[span].sum_ns);
	EXPECT_EQ(h->min_ns, o->hist[span].min_ns);
	EXPECT_EQ(h->max_ns, o->hist[span].max_ns);
	for (i = 0; i < h->nr_buckets; i++)
		buckets[h->bucket[i].index] = h->bucket[i].count;
	for (i = 0; i < VRINGLAB_HIST_BUCKETS; i++) {
		EXPECT_EQ(buckets[i], o->buckets[span][i])
		{
			TH_LOG("span %d, bucket %u", span, i);
		}
	}
}

TEST_F_TIMEOUT(oracle, agrees_with_every_bucket, SLOW)
{
	struct t_ping_guest guest;
	struct oracle *o = self->o;
	int span;

	ASSERT_EQ(0, t_trace_put(&self->trace, "events/vringlab/enable", "1"));
	run_guest(_metadata, &self->p, variant->args, &guest);
	ASSERT_EQ(0, t_trace_put(&self->trace, "tracing_on", "0"));
	self->id = vring_id(_metadata, &self->g, self->p.label);
	stats_get(_metadata, &self->g, self->id, &self->s);
	ASSERT_EQ(0, t_trace_lost(&self->trace));
	ASSERT_LT(0, t_trace_read(&self->trace, "trace", self->id, take_event, o));
	/* Else a record is cut short, and the oracle does not know where. */
	ASSERT_EQ(0u, T_CNT(&self->s, MISSED));
	ASSERT_EQ(0u, T_CNT(&self->s, ACAUSAL));

	measure(o);
	EXPECT_EQ(0u, o->strange);
	EXPECT_LE(500, o->nr[ENTRY]);
	EXPECT_EQ(T_CNT(&self->s, ENTRIES), o->latencies);
	EXPECT_EQ(0u, o->latencies_wrong);
	for (span = 0; span < T_NR_SPANS; span++)
		expect_same(_metadata, o, span, &self->s.hist[span]);
	EXPECT_LAWFUL(&self->s);
}

USE_MODULE_WITH_ANCHOR

TEST_HARNESS_MAIN
