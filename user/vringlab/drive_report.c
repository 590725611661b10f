// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>
#include <stdio.h>

#include <json-c/json.h>

#include "drive.h"
#include "json_add.h"

static const struct {
	const char *name;
	unsigned int ppm;
} quantiles[] = {
	{ "p50", 500000 },
	{ "p90", 900000 },
	{ "p99", 990000 },
	{ "p99.9", 999000 },
};

#define NR_QUANTILES (sizeof(quantiles) / sizeof(quantiles[0]))

/* By nearest rank, the middle of its bucket. */
static uint64_t quantile(const struct drive_stats *s, unsigned int ppm)
{
	uint64_t rank = s->latencies * (double)ppm / 1e6, seen = 0;

	for (unsigned int i = 0; i < DRIVE_HIST_BUCKETS; i++) {
		uint64_t middle = vl_hist_start(DRIVE_HIST_SUB_BITS, i) +
				  vl_hist_width(DRIVE_HIST_SUB_BITS, i) / 2;

		seen += s->buckets[i];
		if (seen < rank || !seen)
			continue;
		return middle < s->min_ns ? s->min_ns : middle > s->max_ns ? s->max_ns : middle;
	}
	return s->max_ns;
}

static double per_second(const struct drive_stats *s, uint64_t value)
{
	return s->elapsed_ns ? value * 1e9 / s->elapsed_ns : 0;
}

static void report_json(const struct drive *d)
{
	const struct drive_stats *s = &d->stats;
	struct json_object *o = json_object_new_object();
	struct json_object *l = json_object_new_object();

	json_object_object_add(o, "device", json_object_new_string(d->opt->kind->name));
	json_add_u64(o, "requests", s->requests);
	json_add_u64(o, "bytes", s->bytes);
	json_add_u64(o, "elapsed-ns", s->elapsed_ns);
	json_object_object_add(o, "requests-per-second",
			       json_object_new_double(per_second(s, s->requests)));
	json_add_u64(o, "kicks", s->kicks);
	json_add_u64(o, "calls", s->calls);
	json_add_u64(o, "reconnects", d->session.lost);
	json_add_u64(o, "hotplugs", s->hotplugs);
	json_add_u64(o, "own-cpu-ns", s->own_cpu_ns);
	if (s->backend_cpu_ns)
		json_add_u64(o, "backend-cpu-ns", s->backend_cpu_ns);
	if (s->latencies) {
		json_add_u64(l, "min", s->min_ns);
		json_add_u64(l, "mean", s->sum_ns / s->latencies);
		for (unsigned int i = 0; i < NR_QUANTILES; i++)
			json_add_u64(l, quantiles[i].name, quantile(s, quantiles[i].ppm));
		json_add_u64(l, "max", s->max_ns);
	}
	json_object_object_add(o, "latency-ns", l);
	if (d->opt->kind->report_json)
		d->opt->kind->report_json(d, o);
	puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY |
						       JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(o);
}

static void print_latency(const struct drive_stats *s)
{
	printf("%-9s min %.1f", "latency", s->min_ns / 1e3);
	for (unsigned int i = 0; i < NR_QUANTILES; i++)
		printf("  %s %.1f", quantiles[i].name, quantile(s, quantiles[i].ppm) / 1e3);
	printf("  max %.1f us\n", s->max_ns / 1e3);
}

static void report_text(const struct drive *d)
{
	const struct drive_stats *s = &d->stats;

	printf("%-9s %" PRIu64 " in %.3f s: %.0f/s, %.1f MB/s\n", "requests", s->requests,
	       s->elapsed_ns / 1e9, per_second(s, s->requests), per_second(s, s->bytes) / 1e6);
	if (d->opt->kind->report_text)
		d->opt->kind->report_text(d);
	printf("%-9s %" PRIu64 " kicks, %" PRIu64 " calls, %" PRIu64 " reconnects, %" PRIu64
	       " hotplugs\n",
	       "events", s->kicks, s->calls, d->session.lost, s->hotplugs);
	if (s->latencies)
		print_latency(s);
	if (!s->requests)
		return;
	printf("%-9s driver %.3f us", "CPU each", s->own_cpu_ns / 1e3 / s->requests);
	if (s->backend_cpu_ns)
		printf(", back-end %.3f us", s->backend_cpu_ns / 1e3 / s->requests);
	putchar('\n');
}

void drive_report(const struct drive *d)
{
	if (d->opt->json)
		report_json(d);
	else
		report_text(d);
}
