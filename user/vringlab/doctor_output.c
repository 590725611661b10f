// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>

#include <json-c/json.h>

#include <vringlab/err.h>

#include "doctor.h"

static const char *const state_names[DOCTOR_STATES] = {
	[DOCTOR_OK] = "ok",
	[DOCTOR_LIMITED] = "limited",
	[DOCTOR_MISSING] = "missing",
	[DOCTOR_UNKNOWN] = "unknown",
};

static const char *const verdicts[DOCTOR_STATES] = {
	[DOCTOR_OK] = "all is as it should be",
	[DOCTOR_LIMITED] = "tracing works, with the limits above",
	[DOCTOR_MISSING] = "nothing can be traced, for want of",
};

static void print_finding(FILE *f, const struct doctor_finding *finding)
{
	fprintf(f, "%-8s  %-36s  %s\n", state_names[finding->state], finding->check,
		finding->found);
	if (finding->costs)
		fprintf(f, "#   costs: %s\n", finding->costs);
	if (finding->cure)
		fprintf(f, "#   cure: %s\n", finding->cure);
}

void doctor_print_text(FILE *f, const struct doctor *d)
{
	enum doctor_state verdict = doctor_verdict(d);

	fprintf(f, "# %-6s  %-36s  %s\n", "state", "check", "found");
	for (size_t i = 0; i < d->nr; i++)
		print_finding(f, &d->findings[i]);
	fprintf(f, "# %s", verdicts[verdict]);
	for (size_t i = 0; verdict == DOCTOR_MISSING && i < d->nr; i++)
		if (d->findings[i].needed && d->findings[i].state == DOCTOR_MISSING)
			fprintf(f, " %s", d->findings[i].check);
	fputc('\n', f);
}

static struct json_object *text(const char *value)
{
	return value ? json_object_new_string(value) : NULL;
}

static struct json_object *finding_json(const struct doctor_finding *f)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "check", text(f->check));
	json_object_object_add(o, "state", text(state_names[f->state]));
	json_object_object_add(o, "needed", json_object_new_boolean(f->needed));
	json_object_object_add(o, "found", text(f->found));
	json_object_object_add(o, "costs", text(f->costs));
	json_object_object_add(o, "cure", text(f->cure));
	return o;
}

int doctor_print_json(FILE *f, const struct doctor *d, struct vl_err *err)
{
	struct json_object *root = json_object_new_object();
	struct json_object *checks = json_object_new_array();
	const char *string;

	for (size_t i = 0; i < d->nr; i++)
		json_object_array_add(checks, finding_json(&d->findings[i]));
	json_object_object_add(root, "kernel", text(d->release));
	json_object_object_add(root, "verdict", text(state_names[doctor_verdict(d)]));
	json_object_object_add(root, "checks", checks);
	string = json_object_to_json_string_ext(root, JSON_C_TO_STRING_PRETTY |
							      JSON_C_TO_STRING_SPACED |
							      JSON_C_TO_STRING_NOSLASHESCAPE);
	if (string)
		fprintf(f, "%s\n", string);
	json_object_put(root);
	return string ? 0 : vl_err_set(err, -ENOMEM, "no memory for the JSON output");
}
