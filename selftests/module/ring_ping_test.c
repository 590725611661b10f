// SPDX-License-Identifier: GPL-2.0-only
/*
 * One kick followed end to end, N times: what the guest has counted is what the
 * module has counted, hop by hop.
 */
#include <json-c/json.h>

#include "ring_ping.h"

#define COUNT 1000
#define COUNT_TEXT "1000"

#define EXPECT_CNT(expected, name) EXPECT_EQ((uint64_t)(expected), T_CNT(&self->s, name))
#define EXPECT_SPAN(expected, name) EXPECT_EQ((uint64_t)(expected), T_SPAN(&self->s, name)->count)

/* clang-format off */
FIXTURE(ring_ping) {
	struct t_genl g;
	struct t_ping p;
	struct t_ping_guest guest;
	struct t_stats s;
};

FIXTURE_VARIANT(ring_ping) {
	const char *args;
	bool halt;
	unsigned int depth;
};

FIXTURE_VARIANT_ADD(ring_ping, pio_halt) {
	.args = "--count " COUNT_TEXT " --doorbell pio --wait halt",
	.halt = true,
	.depth = 1,
};

FIXTURE_VARIANT_ADD(ring_ping, mmio_halt) {
	.args = "--count " COUNT_TEXT " --doorbell mmio --wait halt",
	.halt = true,
	.depth = 1,
};

FIXTURE_VARIANT_ADD(ring_ping, pio_halt_depth_8) {
	.args = "--count " COUNT_TEXT " --doorbell pio --wait halt --depth 8",
	.halt = true,
	.depth = 8,
};

FIXTURE_VARIANT_ADD(ring_ping, mmio_halt_depth_8) {
	.args = "--count " COUNT_TEXT " --doorbell mmio --wait halt --depth 8",
	.halt = true,
	.depth = 8,
};

FIXTURE_VARIANT_ADD(ring_ping, pio_spin) {
	.args = "--count " COUNT_TEXT " --doorbell pio --wait spin",
	.depth = 1,
};

FIXTURE_VARIANT_ADD(ring_ping, mmio_spin_depth_8) {
	.args = "--count " COUNT_TEXT " --doorbell mmio --wait spin --depth 8",
	.depth = 8,
};

/* clang-format on */

FIXTURE_SETUP(ring_ping)
{
	OPEN_OR_SKIP(&self->g);
	START_OR_SKIP(&self->p);
}

FIXTURE_TEARDOWN(ring_ping)
{
	t_ping_stop(&self->p);
	t_genl_close(&self->g);
}

/* Whatever the guest does while it waits. */
static void expect_same_numbers(struct __test_metadata *_metadata, FIXTURE_DATA(ring_ping) * self,
				unsigned int depth)
{
	EXPECT_EQ(COUNT, (int)self->guest.iterations);
	EXPECT_EQ(COUNT, (int)self->guest.round_trips);
	EXPECT_EQ(COUNT * (uint64_t)depth, self->guest.buffers);
	EXPECT_EQ(COUNT, (int)(self->guest.kicks + self->guest.kicks_suppressed));
	EXPECT_CNT(self->guest.kicks, KICKS);
	EXPECT_CNT(self->guest.kicks, KICKS_KVM);
	EXPECT_CNT(T_CNT(&self->s, CALLS_IO_URING), CALLS);
	EXPECT_CNT(T_CNT(&self->s, CALLS), INJECTS);
	EXPECT_CNT(T_CNT(&self->s, INJECTS_ATOMIC), INJECTS);
	/*
	 * One chain, one call, one interrupt. Of more chains, interrupts may come
	 * between two answers.
	 */
	if (depth == 1) {
		EXPECT_EQ(COUNT, (int)t_ping_answering(&self->guest));
		EXPECT_CNT(t_ping_answering(&self->guest), CALLS);
	} else {
		EXPECT_GE(t_ping_answering(&self->guest), (uint64_t)COUNT);
		EXPECT_LE(t_ping_answering(&self->guest), T_CNT(&self->s, INJECTS));
	}
	EXPECT_CNT(0, INJECT_UNMATCHED);
	EXPECT_CNT(0, MISSED);
	EXPECT_CNT(0, ACAUSAL);
	EXPECT_LAWFUL(&self->s);
}

/* A guest that halts lets one kick be under way at a time: all is exactly one. */
static void expect_one_of_each(struct __test_metadata *_metadata, FIXTURE_DATA(ring_ping) * self)
{
	EXPECT_EQ(COUNT, (int)self->guest.kicks);
	EXPECT_EQ(COUNT, (int)t_ping_answering(&self->guest));
	EXPECT_CNT(COUNT, KICKS_KVM);
	EXPECT_CNT(COUNT, WAKES);
	EXPECT_CNT(COUNT, WAKES_IO_URING);
	EXPECT_CNT(COUNT, CALLS);
	EXPECT_CNT(COUNT, INJECTS);
	EXPECT_CNT(COUNT, ENTRIES);
	EXPECT_CNT(0, KICK_COALESCED);
	EXPECT_CNT(0, WAKE_UNMATCHED);
	EXPECT_CNT(0, WAKE_SUPERSEDED);
	EXPECT_CNT(0, CALL_COALESCED);
	EXPECT_CNT(0, CALL_UNMATCHED);
	EXPECT_CNT(0, INJECT_COALESCED);
	EXPECT_SPAN(COUNT, KICK_WAKE);
	EXPECT_SPAN(COUNT, WAKE_CALL);
	EXPECT_SPAN(COUNT, CALL_INJECT);
	EXPECT_SPAN(COUNT, INJECT_ENTRY);
	EXPECT_SPAN(COUNT, KICK_ENTRY);
	EXPECT_EQ(T_SPAN(&self->s, KICK_ENTRY)->sum_ns,
		  T_SPAN(&self->s, KICK_WAKE)->sum_ns + T_SPAN(&self->s, WAKE_CALL)->sum_ns +
			  T_SPAN(&self->s, CALL_INJECT)->sum_ns +
			  T_SPAN(&self->s, INJECT_ENTRY)->sum_ns);
}

TEST_F_TIMEOUT(ring_ping, the_guest_and_the_module_count_the_same, 120)
{
	run_guest(_metadata, &self->p, variant->args, &self->guest);
	stats_get(_metadata, &self->g, vring_id(_metadata, &self->g, self->p.label), &self->s);
	expect_same_numbers(_metadata, self, variant->depth);
	if (variant->halt)
		expect_one_of_each(_metadata, self);
	if (_metadata->exit_code)
		TH_LOG("guest: %d kicks, %d interrupts, %d spurious", (int)self->guest.kicks,
		       (int)self->guest.interrupts, (int)self->guest.interrupts_spurious);
}

/* clang-format off */
FIXTURE(report) {
	struct t_genl g;
	struct t_ping p;
	struct t_stats s;
	struct json_object *root;
};

/* clang-format on */

FIXTURE_SETUP(report)
{
	struct t_ping_guest guest;

	OPEN_OR_SKIP(&self->g);
	START_OR_SKIP(&self->p);
	run_guest(_metadata, &self->p, "--count 50", &guest);
	stats_get(_metadata, &self->g, vring_id(_metadata, &self->g, self->p.label), &self->s);
}

FIXTURE_TEARDOWN(report)
{
	json_object_put(self->root);
	t_ping_stop(&self->p);
	t_genl_close(&self->g);
}

/* Runs `vringlab stat --json` and returns the object of our virtqueue. */
static struct json_object *stat_json(struct __test_metadata *_metadata, FIXTURE_DATA(report) * self)
{
	const char *const argv[] = {
		t_vringlab(), "stat", "--vring", self->p.label, "--json", NULL
	};
	struct t_child child = T_CHILD_NONE;
	struct json_object *vrings;
	static char text[1 << 16];
	size_t len = 0;
	ssize_t got;

	ASSERT_EQ(0, t_child_start(&child, argv));
	while ((got = read(child.out, text + len, sizeof(text) - 1 - len)) > 0)
		len += got;
	ASSERT_EQ(0, t_child_wait(&child, T_DEADLINE_MS));
	t_child_kill(&child);
	self->root = json_tokener_parse(text);
	ASSERT_NE(NULL, self->root);
	ASSERT_TRUE(json_object_object_get_ex(self->root, "vrings", &vrings));
	ASSERT_EQ(1u, json_object_array_length(vrings));
	return json_object_array_get_idx(vrings, 0);
}

static uint64_t number(struct __test_metadata *_metadata, struct json_object *o, const char *key)
{
	struct json_object *field;

	ASSERT_TRUE(json_object_object_get_ex(o, key, &field))
	{
		TH_LOG("no '%s'", key);
	}
	return json_object_get_uint64(field);
}

TEST_F_TIMEOUT(report, stat_says_what_the_module_says, 120)
{
	static const struct {
		const char *name;
		int attr;
	} some[] = {
		{ "kicks", VRINGLAB_A_COUNTERS_KICKS },
		{ "kicks-kvm", VRINGLAB_A_COUNTERS_KICKS_KVM },
		{ "wakes-io-uring", VRINGLAB_A_COUNTERS_WAKES_IO_URING },
		{ "calls-io-uring", VRINGLAB_A_COUNTERS_CALLS_IO_URING },
		{ "injects-atomic", VRINGLAB_A_COUNTERS_INJECTS_ATOMIC },
		{ "entries", VRINGLAB_A_COUNTERS_ENTRIES },
		{ "exit-missed", VRINGLAB_A_COUNTERS_EXIT_MISSED },
		{ "acausal", VRINGLAB_A_COUNTERS_ACAUSAL },
	};
	struct json_object *vring = stat_json(_metadata, self), *counters, *spans, *span;
	size_t i;

	ASSERT_TRUE(json_object_object_get_ex(vring, "counters", &counters));
	for (i = 0; i < sizeof(some) / sizeof(some[0]); i++)
		EXPECT_EQ(self->s.v[some[i].attr], number(_metadata, counters, some[i].name));
	ASSERT_TRUE(json_object_object_get_ex(vring, "spans", &spans));
	ASSERT_EQ((size_t)T_NR_SPANS, json_object_array_length(spans));
	for (i = 0; i < T_NR_SPANS; i++) {
		span = json_object_array_get_idx(spans, i);
		EXPECT_EQ(self->s.hist[i].count, number(_metadata, span, "count"));
		EXPECT_EQ(self->s.hist[i].sum_ns, number(_metadata, span, "sum-ns"));
		EXPECT_EQ(self->s.hist[i].min_ns, number(_metadata, span, "min-ns"));
		EXPECT_EQ(self->s.hist[i].max_ns, number(_metadata, span, "max-ns"));
		EXPECT_LE(self->s.hist[i].min_ns, number(_metadata, span, "p50-ns"));
		EXPECT_GE(self->s.hist[i].max_ns, number(_metadata, span, "p50-ns"));
		EXPECT_LE(number(_metadata, span, "p50-ns"), number(_metadata, span, "p99-ns"));
	}
}

USE_MODULE_WITH_ANCHOR

TEST_HARNESS_MAIN
