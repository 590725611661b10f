// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>
#include <stdio.h>

#include <json-c/json.h>

#include "json_add.h"
#include "output.h"
#include "vmm.h"
#include "vmm_bench_job.h"

/* What was measured are nanoseconds, so many cycles of a TSC of 1 GHz. */
#define NS_KHZ 1000000u

static const char *const texts[BENCH_KINDS] = {
	[BENCH_NET] = "UDP datagrams of 64 bytes to the host and back",
	[BENCH_BLK] = "reads of 4096 bytes at random places",
	[BENCH_VSOCK] = "messages of 64 bytes to the host and back",
};

static bool has_result(const struct vmm_bench *b, const struct vmm_bench_job *job)
{
	return !vmm_bench_check_job(b, job, NULL);
}

static void print_job(const struct vmm_bench *b, const struct vmm_bench_job *job)
{
	const struct output_options options = { .span = -1 };

	printf("# bench %s of %s: %" PRIu64 " %s,\n# one at a time, as the guest has them\n",
	       vmm_bench_kind_name(job->kind), job->dev->name, b->config.count, texts[job->kind]);
	vmm_print_hist_head(NS_KHZ);
	vmm_print_hist("round-trip", &job->hist, NS_KHZ);
	for (unsigned int i = 0; i < job->nr_reports; i++) {
		putchar('\n');
		output_stat_text(stdout, &job->reports[i], &options);
	}
	if (!job->nr_reports)
		puts("# no hops: none of its virtqueues is registered (--trace says why)");
}

void vmm_bench_print(const struct vmm_bench *bench)
{
	unsigned int printed = 0;

	for (unsigned int i = 0; i < bench->nr_jobs; i++) {
		if (!has_result(bench, &bench->jobs[i]))
			continue;
		if (printed++)
			putchar('\n');
		print_job(bench, &bench->jobs[i]);
	}
}

struct json_object *vmm_bench_json(const struct vmm_bench *bench)
{
	struct json_object *all = json_object_new_array();

	for (unsigned int i = 0; i < bench->nr_jobs; i++) {
		const struct vmm_bench_job *job = &bench->jobs[i];
		struct json_object *obj = json_object_new_object();

		vmm_add_text(obj, "kind", vmm_bench_kind_name(job->kind));
		vmm_add_text(obj, "device", job->dev->name);
		json_add_u64(obj, "count", bench->config.count);
		json_add_u64(obj, "bytes", bench->config.jobs[i].bytes);
		json_object_object_add(obj, "round-trip",
				       has_result(bench, job) ? vmm_json_hist(&job->hist, NS_KHZ) :
								NULL);
		json_object_object_add(obj, "vrings",
				       vmm_json_vrings(job->reports, job->nr_reports));
		json_object_array_add(all, obj);
	}
	return all;
}
