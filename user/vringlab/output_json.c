// SPDX-License-Identifier: GPL-2.0-only
/*
 * Keys are the specification's attribute names; what is not known or does not
 * exist is null or left out, never 0.
 */
#include <json-c/json.h>

#include "json_text.h"
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

/* Each key is a constant, and new. */
static void add(struct json_object *object, const char *key, struct json_object *value)
{
	json_object_object_add_ex(object, key, value,
				  JSON_C_OBJECT_ADD_KEY_IS_NEW | JSON_C_OBJECT_KEY_IS_CONSTANT);
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

static int write_counters(struct json_object *o, struct printbuf *pb, int level, int flags)
{
	const struct vlnl_counters *c = json_object_get_userdata(o);
	struct json_text t = { .pb = pb, .level = level, .flags = flags };

	json_text_open(&t, "{");
	for (unsigned int i = 0; i < VLNL_NR_COUNTERS; i++)
		if (c->present & UINT64_C(1) << i)
			json_text_number(&t, vlnl_counter_info[i].name, c->value[i]);
	json_text_close(&t, "}");
	return 0;
}

/* They must live as long as the object. */
static struct json_object *counters_json(const struct vlnl_counters *c)
{
	struct json_object *o = json_object_new_int(0);

	/* it does not change them */
	json_object_set_serializer(o, write_counters, (void *)c, NULL);
	return o;
}

static void write_if_any(struct json_text *t, const struct vl_hist *h, const char *name,
			 uint64_t value)
{
	if (h->count)
		json_text_number(t, name, value);
	else
		json_text_null(t, name);
}

/* What stat and hist both tell of a span. */
static void write_span(struct json_text *t, unsigned int span, const struct vl_hist *h)
{
	json_text_string(t, "span", vlnl_span_name(span));
	json_text_number(t, "count", h->count);
	json_text_number(t, "sum-ns", h->sum);
	write_if_any(t, h, "min-ns", h->min);
#define WRITE_QUANTILE(name, ppm) write_if_any(t, h, name "-ns", vl_hist_quantile(h, ppm));
	OUTPUT_QUANTILES(WRITE_QUANTILE)
#undef WRITE_QUANTILE
	write_if_any(t, h, "max-ns", h->max);
}

static void write_buckets(struct json_text *t, const struct vl_hist *h)
{
	json_text_name(t, "buckets");
	json_text_open(t, "[");
	for (unsigned int i = 0; i < h->nr_buckets; i++) {
		const struct vl_hist_bucket *b = &h->buckets[i];
		uint64_t start = vl_hist_start(h->sub_bits, b->index);
		uint64_t width = vl_hist_width(h->sub_bits, b->index);

		json_text_item(t);
		json_text_open(t, "{");
		json_text_number(t, "from-ns", start);
		/* The last bucket has no end. */
		if (b->index + 1 < VL_HIST_BUCKETS_MAX)
			json_text_number(t, "below-ns", start + width);
		else
			json_text_null(t, "below-ns");
		json_text_number(t, "count", b->count);
		json_text_close(t, "}");
	}
	json_text_close(t, "]");
}

/* One span of a vring, or with -1 all. */
static void write_spans(struct json_text *t, const struct report_vring *rv, int only, bool buckets)
{
	json_text_open(t, "[");
	for (int s = 0; s < VLNL_NR_SPANS; s++) {
		if (!rv->spans[s] || (only >= 0 && s != only))
			continue;
		json_text_item(t);
		json_text_open(t, "{");
		write_span(t, s, rv->spans[s]);
		if (buckets)
			write_buckets(t, rv->spans[s]);
		json_text_close(t, "}");
	}
	json_text_close(t, "]");
}

static int write_stat_spans(struct json_object *o, struct printbuf *pb, int level, int flags)
{
	struct json_text t = { .pb = pb, .level = level, .flags = flags };

	write_spans(&t, json_object_get_userdata(o), -1, false);
	return 0;
}

/* The object's own value is the span. */
static int write_hist_spans(struct json_object *o, struct printbuf *pb, int level, int flags)
{
	struct json_text t = { .pb = pb, .level = level, .flags = flags };

	write_spans(&t, json_object_get_userdata(o), json_object_get_int(o), true);
	return 0;
}

/* The vring must live as long as the object. */
static struct json_object *spans_json(const struct report_vring *rv, int span,
				      json_object_to_json_string_fn *write)
{
	struct json_object *o = json_object_new_int(span);

	/* it does not change it */
	json_object_set_serializer(o, write, (void *)rv, NULL);
	return o;
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

		add(o, "counters", counters_json(&rv->counters));
		add(o, "spans", spans_json(rv, -1, write_stat_spans));
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

		add(o, "spans", spans_json(rv, span, write_hist_spans));
		json_object_array_add(vrings, o);
	}
	add(root, "vrings", vrings);
	return root;
}
