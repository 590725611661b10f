// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>
#include <stdio.h>

#include <json-c/json.h>

#include "output.h"
#include "vmm.h"

#define KHZ_PER_GHZ 1000000u

/* TSC cycles stay cycles where KVM does not tell the TSC's frequency. */
static uint64_t scale(uint64_t cycles, uint32_t khz)
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

static void add_u64(struct json_object *obj, const char *key, uint64_t value)
{
	json_object_object_add(obj, key, json_object_new_uint64(value));
}

static void add_text(struct json_object *obj, const char *key, const char *value)
{
	json_object_object_add(obj, key, json_object_new_string(value));
}

static void print_json(struct json_object *obj)
{
	puts(json_object_to_json_string_ext(obj,
					    JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED));
	json_object_put(obj);
}

static struct json_object *json_head(const struct vmm_options *options,
				     const struct vmm_vcpu_result *result, bool ok)
{
	struct json_object *obj = json_object_new_object();

	add_text(obj, "guest", options->guest);
	json_object_object_add(obj, "ok", json_object_new_boolean(ok));
	add_u64(obj, "user-exits", result->exits);
	return obj;
}

void vmm_report_hello(const struct vmm_options *options, const struct vmm_vcpu_result *result,
		      bool ok)
{
	/* the guest's own output says all that a person wants to know */
	if (options->json)
		print_json(json_head(options, result, ok));
}

static void add_time(struct json_object *obj, const char *name,
		     const struct vmm_ring_ping_result *ping, uint64_t cycles)
{
	char key[32];

	snprintf(key, sizeof(key), "%s-%s", name, ping->tsc_khz ? "ns" : "cycles");
	if (ping->rtt.count)
		add_u64(obj, key, scale(cycles, ping->tsc_khz));
	else
		json_object_object_add(obj, key, NULL);
}

static struct json_object *json_rtt(const struct vmm_ring_ping_result *ping)
{
	struct json_object *obj = json_object_new_object();
	const struct vl_hist *rtt = &ping->rtt;

	add_u64(obj, "count", rtt->count);
	add_time(obj, "sum", ping, rtt->sum);
	add_time(obj, "min", ping, rtt->min);
#define ADD_QUANTILE(name, ppm) add_time(obj, name, ping, vl_hist_quantile(rtt, ppm));
	OUTPUT_QUANTILES(ADD_QUANTILE)
#undef ADD_QUANTILE
	add_time(obj, "max", ping, rtt->max);
	return obj;
}

static void report_ping_json(const struct vmm_options *options,
			     const struct vmm_ring_ping_result *ping,
			     const struct vmm_vcpu_result *result, uint64_t lost, bool ok)
{
	struct json_object *obj = json_head(options, result, ok);

	add_u64(obj, "iterations", options->ping.count);
	add_u64(obj, "payload-bytes", options->ping.payload_bytes);
	add_u64(obj, "queue-size", options->ping.queue_size);
	add_u64(obj, "depth", options->ping.depth);
	add_text(obj, "doorbell", doorbell_name(options));
	add_text(obj, "wait", wait_name(options));
	add_u64(obj, "round-trips", ping->completed);
	add_u64(obj, "kicks", ping->kicks);
	add_u64(obj, "kicks-suppressed", ping->suppressed);
	add_u64(obj, "interrupts", ping->interrupts);
	add_u64(obj, "interrupts-spurious", ping->spurious);
	add_u64(obj, "buffers", ping->buffers);
	add_u64(obj, "mismatches", ping->mismatches);
	add_u64(obj, "errors", ping->errors);
	add_u64(obj, "reconnects", lost);
	add_u64(obj, "tsc-khz", ping->tsc_khz);
	json_object_object_add(obj, "round-trip", json_rtt(ping));
	print_json(obj);
}

static void print_time(const struct vmm_ring_ping_result *ping, uint64_t cycles)
{
	char buf[OUTPUT_TIME_SIZE];

	printf(" %8s", output_time(buf, scale(cycles, ping->tsc_khz), !ping->tsc_khz));
}

static void print_rtt(const struct vmm_ring_ping_result *ping)
{
	const struct vl_hist *rtt = &ping->rtt;

	if (!rtt->count)
		return;
	printf("# %-11s %8s", ping->tsc_khz ? "" : "TSC cycles", "min");
#define PRINT_HEAD(name, ppm) printf(" %8s", name);
	OUTPUT_QUANTILES(PRINT_HEAD)
#undef PRINT_HEAD
	printf(" %8s %8s\n%-13s", "max", "mean", "round-trip");
	print_time(ping, rtt->min);
#define PRINT_QUANTILE(name, ppm) print_time(ping, vl_hist_quantile(rtt, ppm));
	OUTPUT_QUANTILES(PRINT_QUANTILE)
#undef PRINT_QUANTILE
	print_time(ping, rtt->max);
	print_time(ping, rtt->sum / rtt->count);
	putchar('\n');
}

static void print_count(const char *name, uint64_t count, const char *what)
{
	printf("%-19s %12" PRIu64 "  %s\n", name, count, what);
}

void vmm_report_ping(const struct vmm_options *options, const struct vmm_ring_ping_result *ping,
		     const struct vmm_vcpu_result *result, uint64_t lost, bool ok)
{
	if (options->json) {
		report_ping_json(options, ping, result, lost, ok);
		return;
	}
	printf("# guest ring-ping %s: %" PRIu64 " iterations of %u x %u bytes,\n"
	       "# queue size %u, doorbell %s, wait %s\n",
	       ok ? "succeeded" : "failed", options->ping.count, options->ping.depth,
	       options->ping.payload_bytes, options->ping.queue_size, doorbell_name(options),
	       wait_name(options));
	printf("# %-17s %12s  %s\n", "counter", "count", "what");
	print_count("round-trips", ping->completed, "iterations whose answers were checked");
	print_count("kicks", ping->kicks, "doorbell writes");
	print_count("kicks-suppressed", ping->suppressed, "kicks the back-end did not want");
	print_count("interrupts", ping->interrupts, "taken by the guest");
	print_count("interrupts-spurious", ping->spurious,
		    "of these, with nothing new in the used ring");
	print_count("buffers", ping->buffers, "answers taken from the used ring");
	print_count("mismatches", ping->mismatches, "answers with wrong bytes or length");
	if (options->reconnect)
		print_count("reconnects", lost, "back-ends that were lost");
	print_count("user-exits", result->exits, "exits that KVM could not handle itself");
	print_rtt(ping);
}
