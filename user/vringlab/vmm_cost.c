// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include <json-c/json.h>

#include <vringlab/err.h>
#include <vringlab/vmm_cost.h>
#include <vringlab/vmm_guest.h>

#include "command.h"
#include "json_add.h"
#include "vmm.h"
#include "vmm_sandbox.h"

static void report_json(const struct vmm_options *options, const struct vmm_cost_result *cost,
			const struct vmm_vcpu_result *result, bool ok)
{
	struct json_object *obj = vmm_json_head(options, result, ok);
	struct json_object *rows = json_object_new_object();

	json_add_u64(obj, "iterations", options->ping.count);
	json_add_u64(obj, "interrupts", cost->interrupts);
	json_add_u64(obj, "tsc-khz", cost->tsc_khz);
	for (unsigned int i = 0; i < cost->nr; i++)
		json_object_object_add(rows, cost->row[i].name,
				       vmm_json_hist(&cost->row[i].hist, cost->tsc_khz));
	json_object_object_add(obj, "rows", rows);
	vmm_print_json(obj);
}

static void report(const struct vmm_options *options, const struct vmm_cost_result *cost,
		   const struct vmm_vcpu_result *result, bool ok)
{
	if (options->json) {
		report_json(options, cost, result, ok);
		return;
	}
	printf("# guest %s %s: %" PRIu64 " of each\n", options->guest, ok ? "succeeded" : "failed",
	       options->ping.count);
	for (unsigned int i = 0; i < cost->nr; i++)
		printf("# %-14s  %s%s\n", cost->row[i].name, cost->row[i].what,
		       cost->row[i].hist.count ? "" : ": not measured");
	vmm_print_hist_head(cost->tsc_khz);
	for (unsigned int i = 0; i < cost->nr; i++)
		if (cost->row[i].hist.count)
			vmm_print_hist(cost->row[i].name, &cost->row[i].hist, cost->tsc_khz);
}

/* Of exit-cost, each access to our device is an exit to user space, and so is the end. */
static int check_exits(const struct vmm_cost *cost, const struct vmm_vcpu_result *result,
		       struct vl_err *err)
{
	uint64_t expected = cost->reads + cost->writes + 1;

	if (result->exits == expected)
		return 0;
	return vl_err_set(err, -EPROTO, "%" PRIu64 " exits to user space, not %" PRIu64,
			  result->exits, expected);
}

static int run(const struct vmm_options *options, struct vmm_cost *cost, struct vl_err *err)
{
	struct vmm_guest_io io = { .console_fd = STDOUT_FILENO, .bus = cost->micro.vm };
	struct vmm_vcpu_result result;
	struct vmm_cost_result measured;
	int ret;

	ret = vmm_run(options, cost->micro.vcpu, NULL, &io, &result, err);
	vmm_cost_settle(cost);
	if (!ret)
		ret = vmm_cost_check(cost, io.status, err);
	if (!ret)
		ret = check_exits(cost, &result, err);
	vmm_cost_result(cost, &measured);
	report(options, &measured, &result, !ret);
	return ret;
}

static int run_cost(const struct vmm_options *options, enum vmm_cost_kind kind)
{
	struct vmm_cost cost;
	struct vl_err err;
	int ret;

	ret = vmm_cost_create(&cost, kind, options->ping.count, options->kvm_path, &err);
	if (ret)
		return fail(&err, vmm_exit_code(ret));
	ret = vmm_sandbox_enter(options, false, &err);
	if (!ret)
		ret = vmm_cost_start(&cost, &err);
	if (!ret)
		ret = run(options, &cost, &err);
	vmm_cost_destroy(&cost);
	return ret ? fail(&err, EXIT_FAILED) : EXIT_OK;
}

int vmm_run_exit_cost(const struct vmm_options *options)
{
	return run_cost(options, VMM_COST_EXIT);
}

int vmm_run_irq_cost(const struct vmm_options *options)
{
	return run_cost(options, VMM_COST_IRQ);
}
