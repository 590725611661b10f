// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <vringlab/err.h>
#include <vringlab/parse.h>

#include "report.h"

/* The dumps as they came. */
struct dumps {
	struct vlnl_vring *vrings;
	struct vlnl_counters *counters;
	struct vlnl_hist *hists;
	struct vlnl_probe *probes;
	int nr_vrings;
	int nr_counters;
	int nr_hists;
	int nr_probes;
};

static void dumps_free(struct dumps *d)
{
	free(d->vrings);
	free(d->counters);
	free(d->hists);
	free(d->probes);
}

static int dumps_read(struct dumps *d, struct vl_err *err)
{
	struct vlnl *nl;
	int ret = vlnl_open(&nl, err);

	if (ret)
		return ret;
	ret = vlnl_vring_dump(nl, &d->vrings, err);
	if (ret < 0)
		goto out_close;
	d->nr_vrings = ret;
	ret = vlnl_counters_dump(nl, &d->counters, err);
	if (ret < 0)
		goto out_close;
	d->nr_counters = ret;
	ret = vlnl_hist_dump(nl, &d->hists, err);
	if (ret < 0)
		goto out_close;
	d->nr_hists = ret;
	ret = vlnl_probe_dump(nl, &d->probes, err);
	if (ret < 0)
		goto out_close;
	d->nr_probes = ret;
	ret = 0;
out_close:
	vlnl_close(nl);
	return ret;
}

static bool has_id(const struct dumps *d, const char *which)
{
	uint64_t id;

	if (vl_parse_u64(which, 0, UINT32_MAX, &id))
		return false;
	for (int i = 0; i < d->nr_vrings; i++)
		if (d->vrings[i].id == id)
			return true;
	return false;
}

/* An id wins over a label that looks like it; a label may name several. */
static bool wanted(const struct vlnl_vring *vring, const char *which, bool by_id)
{
	uint64_t id;

	if (!which)
		return true;
	if (!by_id)
		return !strcmp(vring->label, which);
	return !vl_parse_u64(which, 0, UINT32_MAX, &id) && vring->id == id;
}

/* Where the dumps are at, which all go by rising ids. */
struct place {
	int counters;
	int hists;
};

static const struct vlnl_counters *find_counters(const struct dumps *d, struct place *at,
						 uint32_t id)
{
	while (at->counters < d->nr_counters && d->counters[at->counters].vring_id < id)
		at->counters++;
	if (at->counters == d->nr_counters || d->counters[at->counters].vring_id != id)
		return NULL;
	return &d->counters[at->counters];
}

static void join_hists(struct report_vring *rv, const struct dumps *d, struct place *at)
{
	while (at->hists < d->nr_hists && d->hists[at->hists].vring_id < rv->vring.id)
		at->hists++;
	for (int i = at->hists; i < d->nr_hists; i++) {
		const struct vlnl_hist *h = &d->hists[i];

		if (h->vring_id != rv->vring.id)
			break;
		if (h->span < VLNL_NR_SPANS)
			rv->spans[h->span] = &h->hist;
	}
}

static int join(struct report *r, const struct dumps *d, const char *which, struct vl_err *err)
{
	bool by_id = which && has_id(d, which);
	struct place at = { 0 };

	r->vrings = calloc(d->nr_vrings ? d->nr_vrings : 1, sizeof(*r->vrings));
	if (!r->vrings)
		return vl_err_set(err, -ENOMEM, "no memory for %d vrings", d->nr_vrings);
	for (int i = 0; i < d->nr_vrings; i++) {
		struct report_vring *rv = &r->vrings[r->nr_vrings];
		const struct vlnl_counters *counters;

		/* Deleted between one dump and the next: left out. */
		counters = find_counters(d, &at, d->vrings[i].id);
		if (!counters || !wanted(&d->vrings[i], which, by_id))
			continue;
		rv->vring = d->vrings[i];
		rv->counters = *counters;
		join_hists(rv, d, &at);
		r->nr_vrings++;
	}
	if (which && !r->nr_vrings) {
		free(r->vrings);
		r->vrings = NULL;
		return vl_err_set(err, -ENXIO,
				  "no vring has the id or label '%s': 'vringlab stat' lists them",
				  which);
	}
	return 0;
}

int report_read(struct report *report, const char *which, struct vl_err *err)
{
	struct report r = { 0 };
	struct dumps d = { 0 };
	int ret = dumps_read(&d, err);

	if (!ret)
		ret = join(&r, &d, which, err);
	if (ret) {
		dumps_free(&d);
		return ret;
	}
	free(d.vrings);
	free(d.counters);
	r.hists = d.hists;
	r.probes = d.probes;
	r.nr_probes = d.nr_probes;
	*report = r;
	return 0;
}

void report_free(struct report *report)
{
	free(report->vrings);
	free(report->hists);
	free(report->probes);
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
