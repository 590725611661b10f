// SPDX-License-Identifier: GPL-2.0-only
/* The laws that counters and histograms obey, see t_vring.h. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "t_vring.h"

#define BIT(n) (1ull << (n))

static char why[256];

static const char *broken(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static const char *broken(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	return why;
}

uint64_t t_hist_start(uint32_t index)
{
	uint64_t sub = index % 8;

	return index < 16 ? index : (8 + sub) << (index / 8 - 1);
}

static bool in_bucket(uint64_t ns, uint32_t index)
{
	return ns >= t_hist_start(index) &&
	       (index == VRINGLAB_HIST_BUCKETS - 1 || ns < t_hist_start(index + 1));
}

static const char *buckets_broken(const struct t_hist *h)
{
	unsigned __int128 least = 0;
	uint64_t sum = 0;
	unsigned int i;

	for (i = 0; i < h->nr_buckets; i++) {
		sum += h->bucket[i].count;
		least += (unsigned __int128)h->bucket[i].count * t_hist_start(h->bucket[i].index);
		if (!h->bucket[i].count)
			return broken("span %u: bucket %u is empty", h->span, h->bucket[i].index);
		if (h->bucket[i].index >= VRINGLAB_HIST_BUCKETS)
			return broken("span %u: there is no bucket %u", h->span,
				      h->bucket[i].index);
		if (i && h->bucket[i].index <= h->bucket[i - 1].index)
			return broken("span %u: bucket %u after %u", h->span, h->bucket[i].index,
				      h->bucket[i - 1].index);
	}
	if (sum != h->count)
		return broken("span %u: buckets hold %" PRIu64 " of %" PRIu64, h->span, sum,
			      h->count);
	if (h->sum_ns < least)
		return broken("span %u: sum %" PRIu64 " is less than its buckets'", h->span,
			      h->sum_ns);
	return "";
}

const char *t_hist_broken(const struct t_hist *h)
{
	const uint32_t min_max = BIT(VRINGLAB_A_HIST_MIN_NS) | BIT(VRINGLAB_A_HIST_MAX_NS);
	const uint32_t always = BIT(VRINGLAB_A_HIST_VRING_ID) | BIT(VRINGLAB_A_HIST_SPAN) |
				BIT(VRINGLAB_A_HIST_COUNT) | BIT(VRINGLAB_A_HIST_SUM_NS) |
				BIT(VRINGLAB_A_HIST_SUB_BITS);
	const char *text;

	if ((h->has & always) != always)
		return broken("span %u: attributes %#x only", h->span, h->has);
	if (h->sub_bits != VRINGLAB_HIST_SUB_BITS)
		return broken("span %u: sub-bits %u", h->span, h->sub_bits);
	if (!h->count)
		return (h->has & min_max) || h->nr_buckets || h->sum_ns ?
			       broken("span %u: empty, yet with values", h->span) :
			       "";
	if ((h->has & min_max) != min_max)
		return broken("span %u: no min or max", h->span);
	text = buckets_broken(h);
	if (*text)
		return text;
	if (!in_bucket(h->min_ns, h->bucket[0].index))
		return broken("span %u: min %" PRIu64 " not in first bucket %u", h->span, h->min_ns,
			      h->bucket[0].index);
	if (!in_bucket(h->max_ns, h->bucket[h->nr_buckets - 1].index))
		return broken("span %u: max %" PRIu64 " not in last bucket %u", h->span, h->max_ns,
			      h->bucket[h->nr_buckets - 1].index);
	if (h->min_ns > h->max_ns)
		return broken("span %u: min above max", h->span);
	if (h->sum_ns < h->min_ns ||
	    (unsigned __int128)h->sum_ns > (unsigned __int128)h->count * h->max_ns)
		return broken("span %u: sum %" PRIu64 " impossible", h->span, h->sum_ns);
	return "";
}

static const char *sums_broken(const struct t_stats *s)
{
	if (T_CNT(s, KICKS) != T_CNT(s, KICKS_KVM) + T_CNT(s, KICKS_WRITE) +
				       T_CNT(s, KICKS_IO_URING) + T_CNT(s, KICKS_OTHER))
		return "kicks is not the sum of its sources";
	if (T_CNT(s, WAKES) !=
	    T_CNT(s, WAKES_READ) + T_CNT(s, WAKES_VHOST) + T_CNT(s, WAKES_IO_URING))
		return "wakes is not the sum of its sources";
	if (T_CNT(s, CALLS) != T_CNT(s, CALLS_VHOST) + T_CNT(s, CALLS_WRITE) +
				       T_CNT(s, CALLS_IO_URING) + T_CNT(s, CALLS_OTHER))
		return "calls is not the sum of its sources";
	if (T_CNT(s, INJECTS) != T_CNT(s, INJECTS_ATOMIC) + T_CNT(s, INJECTS_DEFERRED))
		return "injects is not the sum of its contexts";
	return "";
}

/* A law of the form: all of these are in the span, or are the one still open. */
static const char *open_broken(const char *law, uint64_t all, uint64_t not_in, uint64_t in_span)
{
	if (all - not_in == in_span || all - not_in == in_span + 1)
		return "";
	return broken("%s: %" PRIu64 " - %" PRIu64 ", but %" PRIu64 " in the span", law, all,
		      not_in, in_span);
}

static const char *same_broken(const char *law, uint64_t left, uint64_t right)
{
	return left == right ? "" : broken("%s: %" PRIu64 " != %" PRIu64, law, left, right);
}

const char *t_stats_broken(const struct t_stats *s)
{
	const char *text = sums_broken(s);
	int i;

	for (i = 0; !*text && i < T_NR_SPANS; i++)
		text = t_hist_broken(&s->hist[i]);
	if (!*text)
		text = same_broken("acausal", T_CNT(s, ACAUSAL), 0);
	/* What could not be stamped is in no span: nothing more can be said. */
	if (*text || T_CNT(s, MISSED))
		return text;
	text = same_broken("exit-kick + exit-missed, kicks-kvm",
			   T_SPAN(s, EXIT_KICK)->count + T_CNT(s, EXIT_MISSED),
			   T_CNT(s, KICKS_KVM));
	if (!*text)
		text = open_broken("kicks - kick-coalesced", T_CNT(s, KICKS),
				   T_CNT(s, KICK_COALESCED), T_SPAN(s, KICK_WAKE)->count);
	if (!*text)
		text = same_broken("wakes - wake-unmatched, kick-wake",
				   T_CNT(s, WAKES) - T_CNT(s, WAKE_UNMATCHED),
				   T_SPAN(s, KICK_WAKE)->count);
	if (!*text)
		text = open_broken("wakes - wake-unmatched - wake-superseded", T_CNT(s, WAKES),
				   T_CNT(s, WAKE_UNMATCHED) + T_CNT(s, WAKE_SUPERSEDED),
				   T_SPAN(s, WAKE_CALL)->count);
	if (!*text)
		text = same_broken("calls - call-unmatched, wake-call",
				   T_CNT(s, CALLS) - T_CNT(s, CALL_UNMATCHED),
				   T_SPAN(s, WAKE_CALL)->count);
	if (!*text)
		text = open_broken("calls - call-coalesced", T_CNT(s, CALLS),
				   T_CNT(s, CALL_COALESCED), T_SPAN(s, CALL_INJECT)->count);
	if (!*text)
		text = same_broken("injects - inject-unmatched, call-inject",
				   T_CNT(s, INJECTS) - T_CNT(s, INJECT_UNMATCHED),
				   T_SPAN(s, CALL_INJECT)->count);
	if (!*text)
		text = open_broken("injects - inject-coalesced - inject-abandoned",
				   T_CNT(s, INJECTS),
				   T_CNT(s, INJECT_COALESCED) + T_CNT(s, INJECT_ABANDONED),
				   T_SPAN(s, INJECT_ENTRY)->count);
	if (!*text)
		text = same_broken("entries, inject-entry", T_CNT(s, ENTRIES),
				   T_SPAN(s, INJECT_ENTRY)->count);
	return text;
}

void t_stats_print(const struct t_stats *s)
{
	static const char *const names[] = {
		[VRINGLAB_A_COUNTERS_KICKS] = "kicks",
		[VRINGLAB_A_COUNTERS_KICKS_KVM] = "kicks-kvm",
		[VRINGLAB_A_COUNTERS_KICKS_WRITE] = "kicks-write",
		[VRINGLAB_A_COUNTERS_KICKS_IO_URING] = "kicks-io-uring",
		[VRINGLAB_A_COUNTERS_KICKS_OTHER] = "kicks-other",
		[VRINGLAB_A_COUNTERS_KICK_COALESCED] = "kick-coalesced",
		[VRINGLAB_A_COUNTERS_WAKES] = "wakes",
		[VRINGLAB_A_COUNTERS_WAKES_READ] = "wakes-read",
		[VRINGLAB_A_COUNTERS_WAKES_IO_URING] = "wakes-io-uring",
		[VRINGLAB_A_COUNTERS_WAKE_UNMATCHED] = "wake-unmatched",
		[VRINGLAB_A_COUNTERS_WAKE_SUPERSEDED] = "wake-superseded",
		[VRINGLAB_A_COUNTERS_CALLS] = "calls",
		[VRINGLAB_A_COUNTERS_CALLS_VHOST] = "calls-vhost",
		[VRINGLAB_A_COUNTERS_CALLS_WRITE] = "calls-write",
		[VRINGLAB_A_COUNTERS_CALLS_IO_URING] = "calls-io-uring",
		[VRINGLAB_A_COUNTERS_CALLS_OTHER] = "calls-other",
		[VRINGLAB_A_COUNTERS_CALL_COALESCED] = "call-coalesced",
		[VRINGLAB_A_COUNTERS_CALL_UNMATCHED] = "call-unmatched",
		[VRINGLAB_A_COUNTERS_INJECTS] = "injects",
		[VRINGLAB_A_COUNTERS_INJECTS_ATOMIC] = "injects-atomic",
		[VRINGLAB_A_COUNTERS_INJECTS_DEFERRED] = "injects-deferred",
		[VRINGLAB_A_COUNTERS_INJECT_COALESCED] = "inject-coalesced",
		[VRINGLAB_A_COUNTERS_INJECT_UNMATCHED] = "inject-unmatched",
		[VRINGLAB_A_COUNTERS_INJECT_ABANDONED] = "inject-abandoned",
		[VRINGLAB_A_COUNTERS_ENTRIES] = "entries",
		[VRINGLAB_A_COUNTERS_EXIT_MISSED] = "exit-missed",
		[VRINGLAB_A_COUNTERS_VCPU_MISSED] = "vcpu-missed",
		[VRINGLAB_A_COUNTERS_MISSED] = "missed",
		[VRINGLAB_A_COUNTERS_ACAUSAL] = "acausal",
	};
	static const char *const spans[T_NR_SPANS] = {
		"exit-kick", "kick-wake", "wake-call", "call-inject", "inject-entry", "kick-entry",
	};
	int i;

	for (i = 0; i <= VRINGLAB_A_COUNTERS_MAX; i++)
		if (names[i] && s->v[i])
			printf("# %s %" PRIu64 "\n", names[i], s->v[i]);
	for (i = 0; i < T_NR_SPANS; i++)
		if (s->hist[i].count)
			printf("# span %s count %" PRIu64 " min %" PRIu64 " max %" PRIu64 " ns\n",
			       spans[i], s->hist[i].count, s->hist[i].min_ns, s->hist[i].max_ns);
}
