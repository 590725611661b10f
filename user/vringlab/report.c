// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <vringlab/err.h>
#include <vringlab/parse.h>

#include "report.h"

/* What the module said, as it came; vrings that are not wanted are left out. */
struct answers {
	struct vlnl_vring *vrings;
	struct vlnl_counters *counters;
	struct vlnl_hist *hists; /* packed */
	struct vlnl_probe *probes;
	struct vlnl_threshold *thresholds;
	struct report_time *times;
	struct vlnl_discover discover;
	int nr_vrings;
	int nr_counters;
	int nr_hists;
	int nr_probes;
	int nr_thresholds;
};

static void answers_free(struct answers *a)
{
	free(a->vrings);
	free(a->counters);
	free(a->hists);
	free(a->probes);
	free(a->thresholds);
	free(a->times);
}

static bool has_id(const struct answers *a, const char *which)
{
	uint64_t id;

	if (vl_parse_u64(which, 0, UINT32_MAX, &id))
		return false;
	for (int i = 0; i < a->nr_vrings; i++)
		if (a->vrings[i].id == id)
			return true;
	return false;
}

/* An id wins over a label that looks like it; a label may name several. */
static bool wanted(const struct vlnl_vring *vring, const char *which, bool by_id)
{
	uint64_t id;

	if (!by_id)
		return !strcmp(vring->label, which);
	return !vl_parse_u64(which, 0, UINT32_MAX, &id) && vring->id == id;
}

/* Before anything else is asked: a vring that is not wanted must not be reset. */
static int keep_wanted(struct answers *a, const char *which, struct vl_err *err)
{
	bool by_id;
	int nr = 0;

	if (!which)
		return 0;
	by_id = has_id(a, which);
	for (int i = 0; i < a->nr_vrings; i++)
		if (wanted(&a->vrings[i], which, by_id))
			a->vrings[nr++] = a->vrings[i];
	a->nr_vrings = nr;
	return nr ? 0 :
		    vl_err_set(err, -ENXIO,
			       "no vring has the id or label '%s': 'vringlab stat' lists them",
			       which);
}

static int read_vrings(struct vlnl *nl, struct answers *a, const char *which, struct vl_err *err)
{
	int ret = vlnl_vring_dump(nl, &a->vrings, err);

	if (ret < 0)
		return ret;
	a->nr_vrings = ret;
	return keep_wanted(a, which, err);
}

static int read_all_time(struct vlnl *nl, struct answers *a, struct vl_err *err)
{
	int ret = vlnl_counters_dump(nl, &a->counters, err);

	if (ret < 0)
		return ret;
	a->nr_counters = ret;
	ret = vlnl_hist_dump(nl, &a->hists, err);
	if (ret < 0)
		return ret;
	a->nr_hists = ret;
	return 0;
}

/* @end: of the histograms so far. */
static void take_interval(struct answers *a, const struct vlnl_interval *interval, char **end)
{
	for (unsigned int i = 0; i < interval->nr_hists; i++) {
		const struct vlnl_hist *h = &interval->hists[i];

		*end = mempcpy(*end, h, vlnl_hist_size(h));
	}
	a->nr_hists += interval->nr_hists;
	a->times[a->nr_counters] = (struct report_time){ interval->begin_ns, interval->end_ns };
	a->counters[a->nr_counters++] = interval->counters;
}

static int read_intervals(struct vlnl *nl, struct answers *a, bool reset, struct vl_err *err)
{
	size_t nr = a->nr_vrings ? a->nr_vrings : 1;
	struct vlnl_interval *interval = malloc(sizeof(*interval));
	char *end;
	int ret = 0;

	a->counters = calloc(nr, sizeof(*a->counters));
	a->hists = calloc(nr * VLNL_NR_SPANS, sizeof(*a->hists));
	end = (char *)a->hists;
	a->times = calloc(nr, sizeof(*a->times));
	if (!interval || !a->counters || !a->hists || !a->times)
		ret = vl_err_set(err, -ENOMEM, "no memory for %d vrings", a->nr_vrings);
	for (int i = 0; !ret && i < a->nr_vrings; i++) {
		ret = vlnl_interval_get(nl, a->vrings[i].id, reset, interval, err);
		if (!ret)
			take_interval(a, interval, &end);
		/* Deleted meanwhile: left out. */
		if (ret == -ENOENT)
			ret = 0;
	}
	free(interval);
	return ret;
}

static int read_rest(struct vlnl *nl, struct answers *a, struct vl_err *err)
{
	int ret = vlnl_probe_dump(nl, &a->probes, err);

	if (ret < 0)
		return ret;
	a->nr_probes = ret;
	ret = vlnl_threshold_dump(nl, &a->thresholds, err);
	if (ret < 0)
		return ret;
	a->nr_thresholds = ret;
	return vlnl_discover_get(nl, &a->discover, err);
}

static int answers_read(struct answers *a, struct vlnl *nl, const char *which,
			enum report_period period, struct vl_err *err)
{
	int ret = read_vrings(nl, a, which, err);

	if (!ret && period == REPORT_ALL_TIME)
		ret = read_all_time(nl, a, err);
	else if (!ret)
		ret = read_intervals(nl, a, period == REPORT_RESET, err);
	if (!ret)
		ret = read_rest(nl, a, err);
	return ret;
}

/* Where the answers are at, which all go by rising ids. */
struct place {
	int counters;
	struct vlnl_hist *hist;
	int hists; /* before it */
};

static int find_counters(const struct answers *a, struct place *at, uint32_t id)
{
	while (at->counters < a->nr_counters && a->counters[at->counters].vring_id < id)
		at->counters++;
	if (at->counters == a->nr_counters || a->counters[at->counters].vring_id != id)
		return -1;
	return at->counters;
}

static void join_hists(struct report_vring *rv, const struct answers *a, struct place *at)
{
	for (; at->hists < a->nr_hists; at->hists++, at->hist = vlnl_hist_next(at->hist)) {
		if (at->hist->vring_id > rv->vring.id)
			break;
		if (at->hist->vring_id == rv->vring.id && at->hist->span < VLNL_NR_SPANS)
			rv->spans[at->hist->span] = &at->hist->hist;
	}
}

static int join(struct report *r, const struct answers *a, struct vl_err *err)
{
	struct place at = { .hist = a->hists };

	r->vrings = calloc(a->nr_vrings ? a->nr_vrings : 1, sizeof(*r->vrings));
	if (!r->vrings)
		return vl_err_set(err, -ENOMEM, "no memory for %d vrings", a->nr_vrings);
	for (int i = 0; i < a->nr_vrings; i++) {
		struct report_vring *rv = &r->vrings[r->nr_vrings];
		int found = find_counters(a, &at, a->vrings[i].id);

		/* Deleted between one answer and the next: left out. */
		if (found < 0)
			continue;
		rv->vring = a->vrings[i];
		rv->counters = a->counters[found];
		if (a->times)
			rv->time = a->times[found];
		join_hists(rv, a, &at);
		r->nr_vrings++;
	}
	return 0;
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int report_read(struct report *report, const char *which, enum report_period period,
		struct vl_err *err)
{
	struct vlnl *nl;
	int ret = vlnl_open(&nl, err);

	if (ret)
		return ret;
	ret = report_read_from(report, nl, which, period, err);
	vlnl_close(nl);
	return ret;
}

int report_read_from(struct report *report, struct vlnl *nl, const char *which,
		     enum report_period period, struct vl_err *err)
{
	struct answers a = { 0 };
	struct report r = { .period = period, .read_ns = now_ns() };
	int ret = answers_read(&a, nl, which, period, err);

	if (!ret)
		ret = join(&r, &a, err);
	if (ret) {
		answers_free(&a);
		return ret;
	}
	r.hists = a.hists;
	r.probes = a.probes;
	r.nr_probes = a.nr_probes;
	r.thresholds = a.thresholds;
	r.nr_thresholds = a.nr_thresholds;
	r.discover = a.discover;
	a.hists = NULL;
	a.probes = NULL;
	a.thresholds = NULL;
	answers_free(&a);
	*report = r;
	return 0;
}

void report_free(struct report *report)
{
	free(report->vrings);
	free(report->hists);
	free(report->probes);
	free(report->thresholds);
}

int report_vcpus_read(struct report_vcpus *report, struct vl_err *err)
{
	struct vlnl *nl;
	int ret = vlnl_open(&nl, err);

	if (ret)
		return ret;
	ret = vlnl_vcpu_dump(nl, &report->vcpus, err);
	vlnl_close(nl);
	if (ret < 0)
		return ret;
	report->nr_vcpus = ret;
	return 0;
}

void report_vcpus_free(struct report_vcpus *report)
{
	free(report->vcpus);
}

/* True also if it has none: an older or newer module sees it in another way. */
static bool has_working_probe(const struct report *report, uint32_t hop)
{
	bool tried = false;

	for (unsigned int i = 0; i < report->nr_probes; i++) {
		const struct vlnl_probe *p = &report->probes[i];

		if (!(p->hops & VLNL_HOP(hop)))
			continue;
		if (p->state == VRINGLAB_PROBE_STATE_ATTACHED ||
		    p->state == VRINGLAB_PROBE_STATE_IDLE)
			return true;
		tried = true;
	}
	return !tried;
}

static bool is_woken_by_completions(const struct report *report)
{
	for (unsigned int i = 0; i < report->nr_vrings; i++)
		if (report->vrings[i].vring.has_wake_user_data)
			return true;
	return false;
}

enum report_sight report_sight(const struct report *report, uint32_t hop)
{
	if (has_working_probe(report, hop))
		return REPORT_SEEN;
	switch (hop) {
	case VRINGLAB_HOP_KICK:
	case VRINGLAB_HOP_CALL:
		return REPORT_SEEN_IN_PART;
	case VRINGLAB_HOP_WAKE:
		return is_woken_by_completions(report) ? REPORT_SEEN_IN_PART : REPORT_SEEN;
	default:
		return REPORT_NOT_SEEN;
	}
}
