// SPDX-License-Identifier: GPL-2.0-only
/*
 * Keys are the specification's attribute names; what is not known or does not
 * exist is null or left out, never 0.
 */
#include <json-c/json.h>

#include "output.h"
#include "report.h"

static struct json_object *u64(uint64_t value)
{
	return json_object_new_uint64(value);
}

static struct json_object *string(const char *value)
{
	return json_object_new_string(value);
}

static void add(struct json_object *object, const char *key, struct json_object *value)
{
	json_object_object_add(object, key, value);
}

static void add_known(struct json_object *object, const char *key, int64_t value)
{
	if (value >= 0)
		add(object, key, u64(value));
}

static void add_nonzero(struct json_object *object, const char *key, uint32_t value)
{
	if (value)
		add(object, key, u64(value));
}

static struct json_object *ioeventfds_json(const struct vlnl_vring *v)
{
	struct json_object *array = json_object_new_array();

	for (unsigned int i = 0; i < v->nr_ioeventfds; i++) {
		const struct vlnl_ioeventfd *io = &v->ioeventfds[i];
		struct json_object *o = json_object_new_object();

		add(o, "address", u64(io->address));
		add(o, "length", u64(io->length));
		if (io->has_datamatch)
			add(o, "datamatch", u64(io->datamatch));
		add(o, "pio", json_object_new_boolean(io->pio));
		json_object_array_add(array, o);
	}
	return array;
}

static struct json_object *irqfds_json(const struct vlnl_vring *v)
{
	struct json_object *array = json_object_new_array();

	for (unsigned int i = 0; i < v->nr_gsis; i++) {
		struct json_object *o = json_object_new_object();

		add(o, "gsi", u64(v->gsis[i]));
		json_object_array_add(array, o);
	}
	return array;
}

static void add_found(struct json_object *o, const struct vlnl_vring *v)
{
	add(o, "found", json_object_new_boolean(v->found));
	if (v->device) {
		add(o, "device", u64(v->device));
		add(o, "queue", u64(v->queue));
	}
	add_nonzero(o, "size", v->size);
	add_nonzero(o, "owner-pid", v->owner_pid);
	if (v->owner_pid)
		add(o, "owner-comm", string(v->owner_comm));
	add_known(o, "kick-eventfd-id", v->kick_eventfd_id);
	add_known(o, "call-eventfd-id", v->call_eventfd_id);
	add_nonzero(o, "vm", v->vm);
	add_nonzero(o, "vm-pid", v->vm_pid);
	add_known(o, "vcpu", v->vcpu);
	if (v->nr_ioeventfds)
		add(o, "ioeventfds", ioeventfds_json(v));
	if (v->nr_gsis)
		add(o, "irqfds", irqfds_json(v));
}

struct json_object *output_discover_json(const struct vlnl_discover *d)
{
	struct json_object *o = json_object_new_object();

	add(o, "enabled", json_object_new_boolean(d->enabled));
	add(o, "persist", json_object_new_boolean(d->persist));
	add(o, "lost", u64(d->lost));
	return o;
}

struct json_object *output_vring_json(const struct vlnl_vring *v)
{
	struct json_object *o = json_object_new_object();

	add(o, "id", u64(v->id));
	add(o, "label", string(v->label));
	add(o, "backend", string(vlnl_backend_name(v->backend)));
	add_nonzero(o, "pid", v->pid);
	if (v->has_wake_user_data)
		add(o, "wake-user-data", u64(v->wake_user_data));
	add(o, "persist", json_object_new_boolean(v->persist));
	add_found(o, v);
	return o;
}

static struct json_object *vring_json(const struct report_vring *rv)
{
	struct json_object *o = output_vring_json(&rv->vring);

	if (rv->time.end_ns) {
		add(o, "begin-ns", u64(rv->time.begin_ns));
		add(o, "end-ns", u64(rv->time.end_ns));
	}
	return o;
}

static struct json_object *counters_json(const struct vlnl_counters *c)
{
	struct json_object *o = json_object_new_object();

	for (unsigned int i = 0; i < VLNL_NR_COUNTERS; i++)
		if (c->present & UINT64_C(1) << i)
			add(o, vlnl_counter_info[i].name, u64(c->value[i]));
	return o;
}

/* What stat and hist both tell of a span. */
static struct json_object *span_json(unsigned int span, const struct vl_hist *h)
{
	struct json_object *o = json_object_new_object();

	add(o, "span", string(vlnl_span_name(span)));
	add(o, "count", u64(h->count));
	add(o, "sum-ns", u64(h->sum));
	add(o, "min-ns", h->count ? u64(h->min) : NULL);
#define ADD_QUANTILE(name, ppm) add(o, name "-ns", h->count ? u64(vl_hist_quantile(h, ppm)) : NULL);
	OUTPUT_QUANTILES(ADD_QUANTILE)
#undef ADD_QUANTILE
	add(o, "max-ns", h->count ? u64(h->max) : NULL);
	return o;
}

static struct json_object *buckets_json(const struct vl_hist *h)
{
	struct json_object *array = json_object_new_array();

	for (unsigned int i = 0; i < h->nr_buckets; i++) {
		const struct vl_hist_bucket *b = &h->buckets[i];
		uint64_t start = vl_hist_start(h->sub_bits, b->index);
		uint64_t width = vl_hist_width(h->sub_bits, b->index);
		struct json_object *o = json_object_new_object();

		add(o, "from-ns", u64(start));
		/* The last bucket has no end. */
		add(o, "below-ns", b->index + 1 < VL_HIST_BUCKETS_MAX ? u64(start + width) : NULL);
		add(o, "count", u64(b->count));
		json_object_array_add(array, o);
	}
	return array;
}

static struct json_object *hops_json(uint32_t hops)
{
	struct json_object *array = json_object_new_array();

	for (uint32_t hop = 0; hop < VLNL_NR_HOPS; hop++)
		if (hops & VLNL_HOP(hop))
			json_object_array_add(array, string(vlnl_hop_name(hop)));
	return array;
}

static struct json_object *probes_json(const struct report *report)
{
	struct json_object *array = json_object_new_array();

	for (unsigned int i = 0; i < report->nr_probes; i++) {
		const struct vlnl_probe *p = &report->probes[i];
		struct json_object *o = json_object_new_object();

		add(o, "name", string(p->name));
		add(o, "module", p->module[0] ? string(p->module) : NULL);
		add(o, "type", string(vlnl_probe_type_name(p->type)));
		add(o, "hops", hops_json(p->hops));
		add(o, "state", string(vlnl_probe_state_name(p->state)));
		if (p->error)
			add(o, "errno", u64(p->error));
		json_object_array_add(array, o);
	}
	return array;
}

struct json_object *output_stat_json(const struct report *report)
{
	struct json_object *root = json_object_new_object();
	struct json_object *vrings = json_object_new_array();

	for (unsigned int i = 0; i < report->nr_vrings; i++) {
		const struct report_vring *rv = &report->vrings[i];
		struct json_object *o = vring_json(rv);
		struct json_object *spans = json_object_new_array();

		add(o, "counters", counters_json(&rv->counters));
		for (unsigned int s = 0; s < VLNL_NR_SPANS; s++)
			if (rv->spans[s])
				json_object_array_add(spans, span_json(s, rv->spans[s]));
		add(o, "spans", spans);
		json_object_array_add(vrings, o);
	}
	add(root, "vrings", vrings);
	add(root, "thresholds", output_thresholds_json(report->thresholds, report->nr_thresholds));
	add(root, "probes", probes_json(report));
	add(root, "discover", output_discover_json(&report->discover));
	return root;
}

struct json_object *output_hist_json(const struct report *report, int span)
{
	struct json_object *root = json_object_new_object();
	struct json_object *vrings = json_object_new_array();

	for (unsigned int i = 0; i < report->nr_vrings; i++) {
		const struct report_vring *rv = &report->vrings[i];
		struct json_object *o = vring_json(rv);
		struct json_object *spans = json_object_new_array();

		for (int s = 0; s < VLNL_NR_SPANS; s++) {
			struct json_object *one;

			if (!rv->spans[s] || (span >= 0 && s != span))
				continue;
			one = span_json(s, rv->spans[s]);
			add(one, "buckets", buckets_json(rv->spans[s]));
			json_object_array_add(spans, one);
		}
		add(o, "spans", spans);
		json_object_array_add(vrings, o);
	}
	add(root, "vrings", vrings);
	return root;
}
