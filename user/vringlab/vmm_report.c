// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>
#include <stdio.h>

#include <json-c/json.h>

#include "json_add.h"
#include "output.h"
#include "report.h"
#include "vmm.h"

#define KHZ_PER_GHZ 1000000u

uint64_t vmm_scale_tsc(uint64_t cycles, uint32_t khz)
{
	if (!khz)
		return cycles;
	return cycles / khz * KHZ_PER_GHZ + cycles % khz * KHZ_PER_GHZ / khz;
}

static const char *doorbell_name(const struct vmm_options *options)
{
	return options->ping.doorbell == VMM_BUS_PIO ? "pio" : "mmio";
}

static const char *wait_name(const struct vmm_options *options)
{
	return options->ping.spin ? "spin" : "halt";
}

void vmm_add_text(struct json_object *obj, const char *key, const char *value)
{
	json_object_object_add(obj, key, json_object_new_string(value));
}

void vmm_print_json(struct json_object *obj)
{
	puts(json_object_to_json_string_ext(obj,
					    JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED));
	json_object_put(obj);
}

struct json_object *vmm_json_head(const struct vmm_options *options,
				  const struct vmm_vcpu_result *result, bool ok)
{
	struct json_object *obj = json_object_new_object();

	vmm_add_text(obj, "guest", options->guest);
	json_object_object_add(obj, "ok", json_object_new_boolean(ok));
	json_add_u64(obj, "user-exits", result->exits);
	return obj;
}

void vmm_report_hello(const struct vmm_options *options, const struct vmm_vcpu_result *result,
		      bool ok)
{
	/* the guest's own output says all that a person wants to know */
	if (options->json)
		vmm_print_json(vmm_json_head(options, result, ok));
}

void vmm_report_linux(const struct machine_config *config, const struct machine_result *result,
		      const char *end, struct json_object *bench, bool ok)
{
	struct json_object *obj = json_object_new_object();

	vmm_add_text(obj, "guest", "linux");
	json_object_object_add(obj, "ok", json_object_new_boolean(ok));
	vmm_add_text(obj, "end", end);
	json_add_u64(obj, "user-exits", result->exits);
	json_add_u64(obj, "cpus", config->nr_cpus);
	json_add_u64(obj, "memory-bytes", config->memory);
	if (bench)
		json_object_object_add(obj, "bench", bench);
	vmm_print_json(obj);
}

static void add_time(struct json_object *obj, const char *name, const struct vl_hist *hist,
		     uint32_t khz, uint64_t cycles)
{
	char key[32];

	snprintf(key, sizeof(key), "%s-%s", name, khz ? "ns" : "cycles");
	if (hist->count)
		json_add_u64(obj, key, vmm_scale_tsc(cycles, khz));
	else
		json_object_object_add(obj, key, NULL);
}

struct json_object *vmm_json_hist(const struct vl_hist *hist, uint32_t khz)
{
	struct json_object *obj = json_object_new_object();

	json_add_u64(obj, "count", hist->count);
	add_time(obj, "sum", hist, khz, hist->sum);
	add_time(obj, "min", hist, khz, hist->min);
#define ADD_QUANTILE(name, ppm) add_time(obj, name, hist, khz, vl_hist_quantile(hist, ppm));
	OUTPUT_QUANTILES(ADD_QUANTILE)
#undef ADD_QUANTILE
	add_time(obj, "max", hist, khz, hist->max);
	return obj;
}

/* Those of all reports, one vring each. */
struct json_object *vmm_json_vrings(const struct report *reports, unsigned int nr)
{
	struct json_object *all = json_object_new_array();

	for (unsigned int i = 0; i < nr; i++) {
		struct json_object *one = output_stat_json(&reports[i]);
		struct json_object *vrings = json_object_object_get(one, "vrings");

		for (size_t v = 0; v < json_object_array_length(vrings); v++)
			json_object_array_add(
				all, json_object_get(json_object_array_get_idx(vrings, v)));
		json_object_put(one);
	}
	return all;
}

static void add_device(struct json_object *obj, const struct vmm_device *dev)
{
	vmm_add_text(obj, "device", dev->name);
	vmm_add_text(obj, "transport", dev->mmio ? "mmio" : "pci");
	vmm_add_text(obj, "ring", dev->packed ? "packed" : "split");
}

static void report_ping_json(const struct vmm_options *options,
			     const struct vmm_ring_ping_result *ping,
			     const struct vmm_vcpu_result *result, uint64_t lost,
			     struct json_object *vrings, bool ok)
{
	struct json_object *obj = vmm_json_head(options, result, ok);

	json_add_u64(obj, "iterations", options->ping.count);
	json_add_u64(obj, "payload-bytes", options->ping.payload_bytes);
	json_add_u64(obj, "queue-size", options->ping.queue_size);
	json_add_u64(obj, "depth", options->ping.depth);
	if (options->nr_devices) {
		add_device(obj, &options->devices[0]);
	} else {
		vmm_add_text(obj, "doorbell", doorbell_name(options));
		json_add_u64(obj, "reconnects", lost);
	}
	vmm_add_text(obj, "wait", wait_name(options));
	json_add_u64(obj, "round-trips", ping->completed);
	json_add_u64(obj, "kicks", ping->kicks);
	json_add_u64(obj, "kicks-suppressed", ping->suppressed);
	json_add_u64(obj, "interrupts", ping->interrupts);
	json_add_u64(obj, "interrupts-spurious", ping->spurious);
	json_add_u64(obj, "buffers", ping->buffers);
	json_add_u64(obj, "mismatches", ping->mismatches);
	json_add_u64(obj, "errors", ping->errors);
	json_add_u64(obj, "tsc-khz", ping->tsc_khz);
	json_object_object_add(obj, "round-trip", vmm_json_hist(&ping->rtt, ping->tsc_khz));
	if (vrings)
		json_object_object_add(obj, "vrings", vrings);
	vmm_print_json(obj);
}

static void print_time(uint32_t khz, uint64_t cycles)
{
	char buf[OUTPUT_TIME_SIZE];

	printf(" %8s", output_time(buf, vmm_scale_tsc(cycles, khz), !khz));
}

void vmm_print_hist_head(uint32_t khz)
{
	printf("# %-12s %8s", khz ? "" : "TSC cycles", "min");
#define PRINT_HEAD(name, ppm) printf(" %8s", name);
	OUTPUT_QUANTILES(PRINT_HEAD)
#undef PRINT_HEAD
	printf(" %8s %8s\n", "max", "mean");
}

void vmm_print_hist(const char *name, const struct vl_hist *hist, uint32_t khz)
{
	printf("%-14s", name);
	print_time(khz, hist->min);
#define PRINT_QUANTILE(name, ppm) print_time(khz, vl_hist_quantile(hist, ppm));
	OUTPUT_QUANTILES(PRINT_QUANTILE)
#undef PRINT_QUANTILE
	print_time(khz, hist->max);
	print_time(khz, hist->sum / hist->count);
	putchar('\n');
}

void vmm_print_count(const char *name, uint64_t count, const char *what)
{
	printf("%-19s %12" PRIu64 "  %s\n", name, count, what);
}

static void print_ping_head(const struct vmm_options *options, bool ok)
{
	const struct vmm_device *dev = options->nr_devices ? &options->devices[0] : NULL;

	printf("# guest ring-ping %s: %" PRIu64 " iterations of %u x %u bytes,\n# ",
	       ok ? "succeeded" : "failed", options->ping.count, options->ping.depth,
	       options->ping.payload_bytes);
	if (dev)
		printf("%s by %s, %s virtqueue, ", dev->name, dev->mmio ? "mmio" : "pci",
		       dev->packed ? "packed" : "split");
	printf("queue size %u, ", options->ping.queue_size);
	if (!dev)
		printf("doorbell %s, ", doorbell_name(options));
	printf("wait %s\n", wait_name(options));
}

void vmm_report_ping(const struct vmm_options *options, const struct vmm_ring_ping_result *ping,
		     const struct vmm_vcpu_result *result, uint64_t lost,
		     struct json_object *vrings, bool ok)
{
	if (options->json) {
		report_ping_json(options, ping, result, lost, vrings, ok);
		return;
	}
	print_ping_head(options, ok);
	printf("# %-17s %12s  %s\n", "counter", "count", "what");
	vmm_print_count("round-trips", ping->completed, "iterations whose answers were checked");
	vmm_print_count("kicks", ping->kicks, "doorbell writes");
	vmm_print_count("kicks-suppressed", ping->suppressed, "kicks the back-end did not want");
	vmm_print_count("interrupts", ping->interrupts, "taken by the guest");
	vmm_print_count("interrupts-spurious", ping->spurious,
			"of these, with nothing new in the used ring");
	vmm_print_count("buffers", ping->buffers, "answers taken from the used ring");
	vmm_print_count("mismatches", ping->mismatches, "answers with wrong bytes or length");
	if (options->reconnect)
		vmm_print_count("reconnects", lost, "back-ends that were lost");
	vmm_print_count("user-exits", result->exits, "exits that KVM could not handle itself");
	if (!ping->rtt.count)
		return;
	vmm_print_hist_head(ping->tsc_khz);
	vmm_print_hist("round-trip", &ping->rtt, ping->tsc_khz);
}
