// SPDX-License-Identifier: GPL-2.0-only
/*
 * vCPUs as text and as JSON.
 */
#include <inttypes.h>

#include <json-c/json.h>

#include "output.h"
#include "report.h"

/* Enough for a code without a name. */
#define REASON_NAME_SIZE 16

static const char *reason_name(char *buf, uint32_t isa, uint32_t code)
{
	const char *name = vlnl_exit_reason_name(isa, code);

	if (name)
		return name;
	snprintf(buf, REASON_NAME_SIZE, "0x%" PRIx32, code);
	return buf;
}

static void print_vcpu_counters(FILE *f, const struct vlnl_vcpu *v, bool all)
{
	unsigned int hidden = 0;

	if (!v->present) {
		fputs("# counters and exits are told with CAP_NET_ADMIN only\n", f);
		return;
	}
	fprintf(f, "# %-18s %16s  %s\n", "counter", "count", "what");
	for (unsigned int i = 0; i < VLNL_NR_VCPU_COUNTERS; i++) {
		const struct vlnl_counter_info *info = &vlnl_vcpu_counter_info[i];

		if (!(v->present & UINT64_C(1) << i))
			continue;
		if (!v->value[i] && !all) {
			hidden++;
			continue;
		}
		fprintf(f, "%-20s %16" PRIu64 "  %s\n", info->name, v->value[i], info->doc);
	}
	if (hidden)
		fprintf(f, "# %u more are 0 (--all shows them)\n", hidden);
}

/* A name may have spaces, so it comes last. */
static void print_reasons(FILE *f, const struct vlnl_vcpu *v)
{
	char buf[REASON_NAME_SIZE];

	if (!v->nr_reasons)
		return;
	fprintf(f, "# %-6s %16s  %s\n", "exit", "count", "reason");
	for (unsigned int i = 0; i < v->nr_reasons; i++)
		fprintf(f, "0x%-6" PRIx32 " %16" PRIu64 "  %s\n", v->reasons[i].code,
			v->reasons[i].count, reason_name(buf, v->isa, v->reasons[i].code));
}

static bool any_unknown(const struct report_vcpus *report)
{
	for (unsigned int i = 0; i < report->nr_vcpus; i++)
		if (report->vcpus[i].value[VLNL_VCPU_COUNTER_EXITS_UNKNOWN])
			return true;
	return false;
}

void output_vcpus_text(FILE *f, const struct report_vcpus *report,
		       const struct output_options *options)
{
	if (!report->nr_vcpus)
		fputs("no vCPU has to do with a vring yet\n", f);
	for (unsigned int i = 0; i < report->nr_vcpus; i++) {
		const struct vlnl_vcpu *v = &report->vcpus[i];

		if (i)
			fputc('\n', f);
		fprintf(f,
			"# vCPU %" PRIu32 ": number %" PRIu32 " of VM %" PRIu32 ", %s, pid %" PRIu32
			", thread %" PRIu32 "\n",
			v->id, v->vcpu_id, v->vm, vlnl_isa_name(v->isa), v->pid, v->tid);
		print_vcpu_counters(f, v, options->all);
		print_reasons(f, v);
	}
	if (any_unknown(report))
		fputs("# exits-unknown: root has the module learn what it takes, by --vcpus or\n"
		      "# 'vringlab discover on'; those before have no reason\n",
		      f);
}

static struct json_object *number(uint64_t value)
{
	return json_object_new_uint64(value);
}

static struct json_object *reasons_json(const struct vlnl_vcpu *v)
{
	struct json_object *array = json_object_new_array();

	for (unsigned int i = 0; i < v->nr_reasons; i++) {
		const char *name = vlnl_exit_reason_name(v->isa, v->reasons[i].code);
		struct json_object *o = json_object_new_object();

		json_object_object_add(o, "code", number(v->reasons[i].code));
		json_object_object_add(o, "name", name ? json_object_new_string(name) : NULL);
		json_object_object_add(o, "count", number(v->reasons[i].count));
		json_object_array_add(array, o);
	}
	return array;
}

static struct json_object *vcpu_counters_json(const struct vlnl_vcpu *v)
{
	struct json_object *counters = json_object_new_object();

	for (unsigned int i = 0; i < VLNL_NR_VCPU_COUNTERS; i++)
		if (v->present & UINT64_C(1) << i)
			json_object_object_add(counters, vlnl_vcpu_counter_info[i].name,
					       number(v->value[i]));
	return counters;
}

static struct json_object *vcpu_json(const struct vlnl_vcpu *v)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "id", number(v->id));
	json_object_object_add(o, "vm", number(v->vm));
	json_object_object_add(o, "vcpu-id", number(v->vcpu_id));
	json_object_object_add(o, "pid", number(v->pid));
	json_object_object_add(o, "tid", number(v->tid));
	json_object_object_add(o, "isa", json_object_new_string(vlnl_isa_name(v->isa)));
	if (v->present) {
		json_object_object_add(o, "counters", vcpu_counters_json(v));
		json_object_object_add(o, "exit-reasons", reasons_json(v));
	}
	return o;
}

struct json_object *output_vcpus_json(const struct report_vcpus *report)
{
	struct json_object *root = json_object_new_object();
	struct json_object *vcpus = json_object_new_array();

	for (unsigned int i = 0; i < report->nr_vcpus; i++)
		json_object_array_add(vcpus, vcpu_json(&report->vcpus[i]));
	json_object_object_add(root, "vcpus", vcpus);
	return root;
}
