// SPDX-License-Identifier: GPL-2.0-only
/*
 * Intervals: whatever happens while several readers reset one vring, each hit is
 * in exactly one interval, with all of its span's numbers.
 */
#include <inttypes.h>
#include <pthread.h>

#include "module.h"

#define READERS 3
#define WRITERS 2
/* Each reader's and each writer's at least; all go on until all have them. */
#define INTERVALS 20
#define ROUNDS 20000
/* More than one can take meanwhile. */
#define MAX_INTERVALS 20000

/**
 * struct reader - Takes intervals, while others do as well
 * @sum:	Of all of its intervals; min_ns and max_ns of all of them.
 * @buckets:	Likewise.
 * @span:	Begin and end of each.
 * @ret:	Of the request that failed, else 0.
 * @broken:	What was wrong with an interval, else "".
 */
struct reader {
	pthread_t thread;
	struct t_genl g;
	uint32_t id;
	struct t_stats sum;
	uint64_t buckets[T_NR_SPANS][VRINGLAB_HIST_BUCKETS];
	uint64_t span[MAX_INTERVALS][2];
	int nr;
	int ret;
	char broken[256];
	struct t_interval last;
};

struct writer {
	pthread_t thread;
	int kick;
	int call;
	uint64_t rounds;
	int failed;
};

static volatile bool stop;

/* clang-format off */
FIXTURE(interval) {
	struct t_genl g;
	struct t_vring v;
	int kick;
	int call;
	struct reader *r;
	struct t_interval i;
	struct t_stats s;
};

/* clang-format on */

FIXTURE_SETUP(interval)
{
	OPEN_OR_SKIP(&self->g);
	self->r = calloc(READERS + 1, sizeof(*self->r));
	ASSERT_NE(NULL, self->r);
	self->kick = new_eventfd(_metadata, EFD_NONBLOCK);
	self->call = new_eventfd(_metadata, EFD_NONBLOCK);
	self->v = (struct t_vring){
		.has = HAS(LABEL) | HAS(KICK_FD) | HAS(CALL_FD),
		.label = "interval",
		.kick_fd = self->kick,
		.call_fd = self->call,
	};
	vring_add(_metadata, &self->g, &self->v);
}

FIXTURE_TEARDOWN(interval)
{
	EXPECT_EQ(0u, self->g.leak);
	t_genl_close(&self->g);
	free(self->r);
}

/* Kick, wake, call: two spans each, as far as others do not come in between. */
static void *write_rounds(void *data)
{
	struct writer *w = data;
	eventfd_t value;

	for (; !stop; __atomic_add_fetch(&w->rounds, 1, __ATOMIC_RELAXED)) {
		w->failed += eventfd_write(w->kick, 1);
		eventfd_read(w->kick, &value);
		w->failed += eventfd_write(w->call, 1);
	}
	return NULL;
}

static void add_hist(struct reader *r, int span, const struct t_hist *h)
{
	struct t_hist *sum = &r->sum.hist[span];

	if (!h->count)
		return;
	if (!sum->count || h->min_ns < sum->min_ns)
		sum->min_ns = h->min_ns;
	if (!sum->count || h->max_ns > sum->max_ns)
		sum->max_ns = h->max_ns;
	sum->count += h->count;
	sum->sum_ns += h->sum_ns;
	for (unsigned int i = 0; i < h->nr_buckets; i++)
		r->buckets[span][h->bucket[i].index] += h->bucket[i].count;
}

static void add_interval(struct reader *r, const struct t_interval *i)
{
	for (int span = 0; span < T_NR_SPANS; span++) {
		const char *broken = t_hist_broken(&i->s.hist[span]);

		if (*broken && !r->broken[0])
			snprintf(r->broken, sizeof(r->broken), "%s", broken);
		add_hist(r, span, &i->s.hist[span]);
	}
	for (int c = VRINGLAB_A_COUNTERS_KICKS; c <= VRINGLAB_A_COUNTERS_MAX; c++)
		r->sum.v[c] += i->s.v[c];
	r->span[r->nr][0] = i->begin_ns;
	r->span[r->nr][1] = i->end_ns;
	__atomic_add_fetch(&r->nr, 1, __ATOMIC_RELAXED);
}

static void *read_intervals(void *data)
{
	struct reader *r = data;

	while (!stop && !r->ret && r->nr < MAX_INTERVALS) {
		r->ret = t_interval_get(&r->g, r->id, true, &r->last);
		if (!r->ret)
			add_interval(r, &r->last);
	}
	return NULL;
}

static void open_reader(struct __test_metadata *_metadata, struct reader *r, uint32_t id)
{
	ASSERT_EQ(0, t_genl_open(&r->g, VRINGLAB_FAMILY_NAME));
	r->id = id;
}

static int by_begin(const void *a, const void *b)
{
	const uint64_t *left = a, *right = b;

	return left[0] < right[0] ? -1 : left[0] > right[0];
}

/* Ends where the next begins, whoever read them: no time is in none or in two. */
static void expect_no_gap(struct __test_metadata *_metadata, const struct reader *r, int readers)
{
	uint64_t(*all)[2];
	int nr = 0, gaps = 0;

	for (int i = 0; i < readers; i++)
		nr += r[i].nr;
	all = calloc(nr, sizeof(*all));
	ASSERT_NE(NULL, all);
	nr = 0;
	for (int i = 0; i < readers; i++) {
		memcpy(all + nr, r[i].span, r[i].nr * sizeof(*all));
		nr += r[i].nr;
	}
	qsort(all, nr, sizeof(*all), by_begin);
	for (int i = 0; i < nr; i++) {
		gaps += all[i][0] >= all[i][1];
		gaps += i && all[i - 1][1] != all[i][0];
	}
	EXPECT_EQ(0, gaps);
	free(all);
}

static void merge(struct reader *to, const struct reader *from)
{
	for (int span = 0; span < T_NR_SPANS; span++) {
		struct t_hist *sum = &to->sum.hist[span];
		const struct t_hist *h = &from->sum.hist[span];

		if (h->count && (!sum->count || h->min_ns < sum->min_ns))
			sum->min_ns = h->min_ns;
		if (h->count && (!sum->count || h->max_ns > sum->max_ns))
			sum->max_ns = h->max_ns;
		sum->count += h->count;
		sum->sum_ns += h->sum_ns;
		for (int b = 0; b < VRINGLAB_HIST_BUCKETS; b++)
			to->buckets[span][b] += from->buckets[span][b];
	}
	for (int c = VRINGLAB_A_COUNTERS_KICKS; c <= VRINGLAB_A_COUNTERS_MAX; c++)
		to->sum.v[c] += from->sum.v[c];
}

static void expect_same(struct __test_metadata *_metadata, const struct reader *r,
			const struct t_stats *s)
{
	for (int c = VRINGLAB_A_COUNTERS_KICKS; c <= VRINGLAB_A_COUNTERS_MAX; c++) {
		EXPECT_EQ(s->v[c], r->sum.v[c])
		{
			TH_LOG("counter %d", c);
		}
	}
	for (int span = 0; span < T_NR_SPANS; span++) {
		uint64_t buckets[VRINGLAB_HIST_BUCKETS] = { 0 };
		const struct t_hist *h = &s->hist[span], *sum = &r->sum.hist[span];

		EXPECT_EQ(h->count, sum->count);
		EXPECT_EQ(h->sum_ns, sum->sum_ns);
		EXPECT_EQ(h->min_ns, sum->min_ns);
		EXPECT_EQ(h->max_ns, sum->max_ns);
		for (unsigned int i = 0; i < h->nr_buckets; i++)
			buckets[h->bucket[i].index] = h->bucket[i].count;
		EXPECT_EQ(0, memcmp(buckets, r->buckets[span], sizeof(buckets)));
	}
}

static bool all_have_enough(const struct reader *r, const struct writer *w)
{
	bool enough = true;

	for (int i = 0; i < READERS; i++)
		enough &= r[i].ret || __atomic_load_n(&r[i].nr, __ATOMIC_RELAXED) >= INTERVALS;
	for (int i = 0; i < WRITERS; i++)
		enough &= __atomic_load_n(&w[i].rounds, __ATOMIC_RELAXED) >= ROUNDS;
	return enough;
}

TEST_F_TIMEOUT(interval, each_hit_is_in_exactly_one_whoever_resets, SLOW)
{
	struct reader *r = self->r;
	struct writer w[WRITERS];
	uint64_t rounds = 0;
	int i;

	stop = false;
	for (i = 0; i < READERS + 1; i++)
		open_reader(_metadata, &r[i], self->v.id);
	for (i = 0; i < READERS; i++)
		ASSERT_EQ(0, pthread_create(&r[i].thread, NULL, read_intervals, &r[i]));
	for (i = 0; i < WRITERS; i++) {
		w[i] = (struct writer){ .kick = self->kick, .call = self->call };
		ASSERT_EQ(0, pthread_create(&w[i].thread, NULL, write_rounds, &w[i]));
	}
	ASSERT_TRUE(EVENTUALLY(all_have_enough(r, w)));
	stop = true;
	for (i = 0; i < READERS; i++)
		pthread_join(r[i].thread, NULL);
	for (i = 0; i < WRITERS; i++) {
		pthread_join(w[i].thread, NULL);
		EXPECT_EQ(0, w[i].failed);
		rounds += w[i].rounds;
	}

	/* What came after the last reader's last. */
	ASSERT_EQ(0, t_interval_get(&r[READERS].g, self->v.id, true, &self->i));
	add_interval(&r[READERS], &self->i);
	stats_get(_metadata, &self->g, self->v.id, &self->s);
	expect_no_gap(_metadata, r, READERS + 1);
	for (i = 0; i < READERS; i++) {
		EXPECT_EQ(0, r[i].ret);
		EXPECT_STREQ("", r[i].broken);
		TH_LOG("reader %d: %d intervals, %" PRIu64 " kicks", i, r[i].nr,
		       T_CNT(&r[i].sum, KICKS));
		merge(&r[READERS], &r[i]);
	}
	EXPECT_EQ(rounds, T_CNT(&self->s, KICKS));
	EXPECT_EQ(rounds, T_CNT(&self->s, CALLS));
	expect_same(_metadata, &r[READERS], &self->s);
	EXPECT_LAWFUL(&self->s);
	for (i = 0; i < READERS + 1; i++)
		t_genl_close(&r[i].g);
}

TEST_F_TIMEOUT(interval, tells_what_was_since_the_reset_and_the_rest_goes_on, SLOW)
{
	struct t_interval *i = &self->i;
	uint64_t end_ns;

	ASSERT_EQ(0, eventfd_write(self->kick, 1));
	ASSERT_EQ(0, eventfd_write(self->kick, 1));
	ASSERT_EQ(0, t_interval_get(&self->g, self->v.id, false, i));
	EXPECT_EQ(2u, T_CNT(&i->s, KICKS));
	EXPECT_EQ((unsigned int)T_NR_SPANS, i->nr_hists);
	EXPECT_EQ(self->v.id, i->s.id);
	/* It was only looked at. */
	ASSERT_EQ(0, t_interval_get(&self->g, self->v.id, true, i));
	EXPECT_EQ(2u, T_CNT(&i->s, KICKS));
	EXPECT_EQ(1u, T_CNT(&i->s, KICK_COALESCED));
	end_ns = i->end_ns;
	ASSERT_EQ(0, t_interval_get(&self->g, self->v.id, false, i));
	EXPECT_EQ(0u, T_CNT(&i->s, KICKS));
	EXPECT_EQ(end_ns, i->begin_ns);
	ASSERT_EQ(0, eventfd_write(self->kick, 1));
	ASSERT_EQ(0, t_interval_get(&self->g, self->v.id, false, i));
	EXPECT_EQ(1u, T_CNT(&i->s, KICKS));
	EXPECT_LE(i->begin_ns, i->end_ns);
	stats_get(_metadata, &self->g, self->v.id, &self->s);
	EXPECT_EQ(3u, T_CNT(&self->s, KICKS));
	EXPECT_EQ(2u, T_CNT(&self->s, KICK_COALESCED));
}

/* The longest of all is not the longest of each. */
TEST_F_TIMEOUT(interval, has_a_minimum_and_a_maximum_of_its_own, SLOW)
{
	struct t_hist *h = &self->i.s.hist[VRINGLAB_SPAN_KICK_WAKE];
	uint64_t slow_ms = now_ms(), longest;
	eventfd_t value;

	ASSERT_EQ(0, eventfd_write(self->kick, 1));
	while (now_ms() - slow_ms < 50)
		sched_yield();
	ASSERT_EQ(0, eventfd_read(self->kick, &value));
	ASSERT_EQ(0, t_interval_get(&self->g, self->v.id, true, &self->i));
	ASSERT_EQ(1u, h->count);
	EXPECT_EQ(h->min_ns, h->max_ns);
	longest = h->max_ns;
	ASSERT_EQ(0, t_interval_get(&self->g, self->v.id, true, &self->i));
	EXPECT_EQ(0u, h->count);
	EXPECT_EQ(0u, h->has & (1u << VRINGLAB_A_HIST_MIN_NS | 1u << VRINGLAB_A_HIST_MAX_NS));
	ASSERT_EQ(0, eventfd_write(self->kick, 1));
	ASSERT_EQ(0, eventfd_read(self->kick, &value));
	ASSERT_EQ(0, t_interval_get(&self->g, self->v.id, true, &self->i));
	ASSERT_EQ(1u, h->count);
	EXPECT_EQ(h->min_ns, h->max_ns);
	stats_get(_metadata, &self->g, self->v.id, &self->s);
	EXPECT_EQ(h->min_ns < longest ? h->min_ns : longest, T_SPAN(&self->s, KICK_WAKE)->min_ns);
	EXPECT_EQ(h->max_ns > longest ? h->max_ns : longest, T_SPAN(&self->s, KICK_WAKE)->max_ns);
}

TEST_F_TIMEOUT(interval, of_no_vring_is_ENOENT_in_words, SLOW)
{
	EXPECT_EQ(-ENOENT, t_interval_get(&self->g, self->v.id + 1000, true, &self->i));
	EXPECT_STRNE("", self->g.ack_msg);
	EXPECT_EQ(VRINGLAB_A_INTERVAL_VRING_ID, self->g.ack_attr);
	EXPECT_EQ(-ENOENT, t_interval_get(&self->g, 0, false, &self->i));
	EXPECT_STRNE("", self->g.ack_msg);
	t_genl_start(&self->g, VRINGLAB_CMD_INTERVAL_RESET, NLM_F_ACK);
	EXPECT_EQ(-EINVAL, t_genl_call(&self->g, NULL, NULL));
}

USE_MODULE_WITH_ANCHOR

TEST_HARNESS_MAIN
