// SPDX-License-Identifier: GPL-2.0-only
/*
 * What was between two reports.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <vringlab/err.h>

#include "report.h"

/* Ids come again when the module does; then there is less than before. */
static bool is_less(const uint64_t *now, const uint64_t *before, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		if (now[i] < before[i])
			return true;
	return false;
}

/* Both go by rising ids; NULL for one that came since. */
static const struct report_vring *find_vring(const struct report *before, unsigned int *at,
					     const struct report_vring *now)
{
	const struct report_vring *rv;

	while (*at < before->nr_vrings && before->vrings[*at].vring.id < now->vring.id)
		++*at;
	if (*at == before->nr_vrings)
		return NULL;
	rv = &before->vrings[*at];
	if (rv->vring.id != now->vring.id || strcmp(rv->vring.label, now->vring.label) ||
	    is_less(now->counters.value, rv->counters.value, VLNL_NR_COUNTERS))
		return NULL;
	return rv;
}

static void subtract_vring(struct report_vring *rv, const struct report_vring *before)
{
	for (unsigned int i = 0; i < VLNL_NR_COUNTERS; i++)
		rv->counters.value[i] -= before->counters.value[i];
	for (unsigned int s = 0; s < VLNL_NR_SPANS; s++)
		if (rv->spans[s] && before->spans[s])
			vl_hist_subtract(rv->spans[s], before->spans[s]);
}

/* Its histograms are copied to @hists, which has room for all. */
static void copy_vring(struct report_vring *copy, const struct report_vring *rv,
		       struct vlnl_hist **hists)
{
	*copy = *rv;
	for (unsigned int s = 0; s < VLNL_NR_SPANS; s++) {
		if (!rv->spans[s])
			continue;
		/* Those that are packed end with their last bucket. */
		memcpy(&(*hists)->hist, rv->spans[s],
		       offsetof(struct vl_hist, buckets) +
			       rv->spans[s]->nr_buckets * sizeof(rv->spans[s]->buckets[0]));
		copy->spans[s] = &(*hists)++->hist;
	}
}

int report_diff(struct report *diff, struct report *now, const struct report *before,
		struct vl_err *err)
{
	const unsigned int nr = now->nr_vrings;
	struct report d = *now;
	struct vlnl_hist *hists;
	unsigned int at = 0;

	d.period = REPORT_SINCE_LAST;
	d.vrings = calloc(nr ? nr : 1, sizeof(*d.vrings));
	d.hists = calloc(nr ? nr * VLNL_NR_SPANS : 1, sizeof(*d.hists));
	if (!d.vrings || !d.hists) {
		free(d.vrings);
		free(d.hists);
		return vl_err_set(err, -ENOMEM, "no memory for %u vrings", nr);
	}
	hists = d.hists;
	for (unsigned int i = 0; i < nr; i++) {
		const struct report_vring *earlier = find_vring(before, &at, &now->vrings[i]);

		copy_vring(&d.vrings[i], &now->vrings[i], &hists);
		d.vrings[i].time = (struct report_time){ before->read_ns, now->read_ns };
		if (earlier)
			subtract_vring(&d.vrings[i], earlier);
	}
	now->probes = NULL;
	now->nr_probes = 0;
	now->thresholds = NULL;
	now->nr_thresholds = 0;
	*diff = d;
	return 0;
}

static const struct vlnl_vcpu *find_vcpu(const struct report_vcpus *report,
					 const struct vlnl_vcpu *now)
{
	for (unsigned int i = 0; i < report->nr_vcpus; i++) {
		const struct vlnl_vcpu *v = &report->vcpus[i];

		if (v->id == now->id && v->tid == now->tid &&
		    !is_less(now->value, v->value, VLNL_NR_VCPU_COUNTERS))
			return v;
	}
	return NULL;
}

static uint64_t exits_of(const struct vlnl_vcpu *v, uint32_t code)
{
	for (unsigned int i = 0; i < v->nr_reasons; i++)
		if (v->reasons[i].code == code)
			return v->reasons[i].count;
	return 0;
}

static void subtract_vcpu(struct vlnl_vcpu *v, const struct vlnl_vcpu *before)
{
	unsigned int nr = 0;

	for (unsigned int i = 0; i < VLNL_NR_VCPU_COUNTERS; i++)
		v->value[i] -= before->value[i];
	for (unsigned int i = 0; i < v->nr_reasons; i++) {
		struct vlnl_exit_reason reason = v->reasons[i];

		reason.count -= exits_of(before, reason.code);
		if (reason.count)
			v->reasons[nr++] = reason;
	}
	v->nr_reasons = nr;
}

int report_vcpus_diff(struct report_vcpus *diff, const struct report_vcpus *now,
		      const struct report_vcpus *before, struct vl_err *err)
{
	struct report_vcpus d = *now;

	d.vcpus = calloc(d.nr_vcpus ? d.nr_vcpus : 1, sizeof(*d.vcpus));
	if (!d.vcpus)
		return vl_err_set(err, -ENOMEM, "no memory for %u vCPUs", d.nr_vcpus);
	for (unsigned int i = 0; i < d.nr_vcpus; i++) {
		const struct vlnl_vcpu *earlier = find_vcpu(before, &now->vcpus[i]);

		d.vcpus[i] = now->vcpus[i];
		if (earlier)
			subtract_vcpu(&d.vcpus[i], earlier);
	}
	*diff = d;
	return 0;
}
