// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include <json-c/json.h>

#include <vringlab/err.h>
#include <vringlab/vmm_guest.h>
#include <vringlab/vmm_storm.h>

#include "command.h"
#include "json_add.h"
#include "output.h"
#include "vmm.h"
#include "vmm_sandbox.h"

static const char *doorbell_name(const struct vmm_options *options)
{
	return options->ping.doorbell == VMM_BUS_PIO ? "pio" : "mmio";
}

static void report_json(const struct vmm_options *options, const struct vmm_storm_result *storm,
			const struct vmm_vcpu_result *result, bool ok)
{
	struct json_object *obj = vmm_json_head(options, result, ok);

	vmm_add_text(obj, "doorbell", doorbell_name(options));
	json_add_u64(obj, "eventfds", options->eventfds);
	json_add_u64(obj, "doorbells", storm->rung);
	json_add_u64(obj, "signals", storm->taken);
	json_add_u64(obj, "reads", storm->wakes);
	json_add_u64(obj, "tsc-khz", storm->tsc_khz);
	json_add_u64(obj, storm->tsc_khz ? "time-ns" : "time-cycles",
		     vmm_scale_tsc(storm->cycles, storm->tsc_khz));
	vmm_print_json(obj);
}

static void report(const struct vmm_options *options, const struct vmm_storm_result *storm,
		   const struct vmm_vcpu_result *result, bool ok)
{
	char text[OUTPUT_TIME_SIZE];
	uint64_t each = storm->rung ? storm->cycles / storm->rung : 0;

	if (options->json) {
		report_json(options, storm, result, ok);
		return;
	}
	printf("# guest doorbell-storm %s: %" PRIu64 " doorbells by %s to %u eventfds\n",
	       ok ? "succeeded" : "failed", options->ping.count, doorbell_name(options),
	       options->eventfds);
	printf("# %-17s %12s  %s\n", "counter", "count", "what");
	vmm_print_count("doorbells", storm->rung, "rung by the guest");
	vmm_print_count("signals", storm->taken, "that the eventfds held");
	vmm_print_count("reads", storm->wakes, "that took them");
	vmm_print_count("user-exits", result->exits, "exits that KVM could not handle itself");
	printf("# %s for each doorbell\n",
	       output_time(text, vmm_scale_tsc(each, storm->tsc_khz), !storm->tsc_khz));
}

static int run(const struct vmm_options *options, struct vmm_storm *storm, struct vl_err *err)
{
	struct vmm_guest_io io = { .console_fd = STDOUT_FILENO };
	struct vmm_storm_result counted;
	struct vmm_vcpu_result result;
	int ret;

	ret = vmm_run(options, storm->micro.vcpu, NULL, &io, &result, err);
	vmm_storm_settle(storm);
	if (!ret)
		ret = vmm_storm_check(storm, io.status, err);
	vmm_storm_result(storm, &counted);
	report(options, &counted, &result, !ret);
	return ret;
}

int vmm_run_storm(const struct vmm_options *options)
{
	const struct vmm_storm_config config = {
		.kvm_path = options->kvm_path,
		.count = options->ping.count,
		.bus = options->ping.doorbell,
		.nr = options->eventfds,
	};
	struct vmm_storm storm;
	struct vl_err err;
	int ret;

	ret = vmm_storm_create(&storm, &config, &err);
	if (ret)
		return fail(&err, vmm_exit_code(ret));
	ret = vmm_sandbox_enter(options, false, &err);
	if (!ret)
		ret = vmm_storm_start(&storm, &err);
	if (!ret)
		ret = run(options, &storm, &err);
	vmm_storm_destroy(&storm);
	return ret ? fail(&err, EXIT_FAILED) : EXIT_OK;
}
