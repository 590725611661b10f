// SPDX-License-Identifier: GPL-2.0-only
/*
 * Thresholds as text and as JSON.
 */
#include <inttypes.h>

#include <json-c/json.h>

#include <vringlab/nl.h>

#include "output.h"

/* The bits that this version knows, in their order. */
#define ACTIONS_END (VRINGLAB_THRESHOLD_ACTION_SNAPSHOT << 1)

static void print_actions(FILE *f, const struct vlnl_threshold *t)
{
	const char *separator = "";

	if (!t->actions && !t->once)
		fputc('-', f);
	for (uint32_t action = 1; action < ACTIONS_END; action <<= 1) {
		if (!(t->actions & action))
			continue;
		fprintf(f, "%s%s", separator, vlnl_threshold_action_name(action));
		separator = ",";
	}
	if (t->once)
		fprintf(f, "%sonce", separator);
	fputc('\n', f);
}

void output_thresholds_text(FILE *f, const struct vlnl_threshold *t, unsigned int nr, bool ns)
{
	char buf[OUTPUT_TIME_SIZE], vring[16];

	fprintf(f, "# %-9s %8s %-12s %11s %11s %8s  %s\n", "threshold", "vring", "span",
		ns ? "limit (ns)" : "limit", "hits", "lost", "actions");
	for (; nr; nr--, t++) {
		snprintf(vring, sizeof(vring), "%" PRIu32, t->vring_id);
		fprintf(f, "%-11" PRIu32 " %8s %-12s %11s %11" PRIu64 " %8" PRIu64 "  ", t->id,
			t->vring_id ? vring : "all", vlnl_span_name(t->span),
			output_time(buf, t->ns, ns), t->hits, t->lost);
		print_actions(f, t);
	}
}

static struct json_object *actions_json(uint32_t actions)
{
	struct json_object *array = json_object_new_array();

	for (uint32_t action = 1; action < ACTIONS_END; action <<= 1)
		if (actions & action)
			json_object_array_add(
				array, json_object_new_string(vlnl_threshold_action_name(action)));
	return array;
}

struct json_object *output_thresholds_json(const struct vlnl_threshold *t, unsigned int nr)
{
	struct json_object *array = json_object_new_array();

	for (; nr; nr--, t++) {
		struct json_object *o = json_object_new_object();

		json_object_object_add(o, "id", json_object_new_uint64(t->id));
		json_object_object_add(o, "vring-id",
				       t->vring_id ? json_object_new_uint64(t->vring_id) : NULL);
		json_object_object_add(o, "span", json_object_new_string(vlnl_span_name(t->span)));
		json_object_object_add(o, "ns", json_object_new_uint64(t->ns));
		json_object_object_add(o, "actions", actions_json(t->actions));
		json_object_object_add(o, "once", json_object_new_boolean(t->once));
		json_object_object_add(o, "hits", json_object_new_uint64(t->hits));
		json_object_object_add(o, "lost", json_object_new_uint64(t->lost));
		json_object_array_add(array, o);
	}
	return array;
}

struct json_object *output_hit_json(const struct vlnl_hit *hit)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "threshold-id", json_object_new_uint64(hit->threshold_id));
	json_object_object_add(o, "vring-id", json_object_new_uint64(hit->vring_id));
	json_object_object_add(o, "span", json_object_new_string(vlnl_span_name(hit->span)));
	json_object_object_add(o, "ns", json_object_new_uint64(hit->ns));
	json_object_object_add(o, "stamp-ns", json_object_new_uint64(hit->stamp_ns));
	return o;
}
