// SPDX-License-Identifier: GPL-2.0-only
/*
 * What 'vringlab stat' and 'vringlab hist' print, of made-up reports.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include <vringlab/err.h>

/* The command is no library; found beside user/include. */
#include "../vringlab/json_text.c"
#include "../vringlab/line.c"
#include "../vringlab/output.c"
#include "../vringlab/output_json.c"
#include "../vringlab/output_text.c"
#include "../vringlab/output_threshold.c"
#include "../vringlab/output_vcpu.c"
#include "../vringlab/report.c"

#include "kselftest_harness.h"

TEST(times_have_three_digits_and_a_unit)
{
	static const struct {
		uint64_t ns;
		const char *text;
	} times[] = {
		{ 0, "0ns" },
		{ 1, "1ns" },
		{ 999, "999ns" },
		{ 1000, "1.00us" },
		{ 1004, "1.00us" },
		{ 1005, "1.01us" },
		{ 9994, "9.99us" },
		{ 9995, "10.0us" },
		{ 12349, "12.3us" },
		{ 99949, "99.9us" },
		{ 99950, "100us" },
		{ 999499, "999us" },
		{ 999500, "1.00ms" },
		{ 12345678, "12.3ms" },
		{ 999499999, "999ms" },
		{ 999500000, "1.00s" },
		{ 12345678901, "12.3s" },
		{ 1234567890123, "1235s" },
		{ UINT64_MAX, "18446744074s" },
	};
	char buf[OUTPUT_TIME_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(times); i++)
		EXPECT_STREQ(times[i].text, output_time(buf, times[i].ns, false));
	EXPECT_STREQ("999500", output_time(buf, 999500, true));
	EXPECT_STREQ("18446744073709551615", output_time(buf, UINT64_MAX, true));
}

/* One vring, all hops seen, and a span with a few values. */
FIXTURE(report)
{
	struct report report;
	struct report_vring vring;
	struct vl_hist hist;
	struct vl_hist empty;
	struct vlnl_probe probes[VLNL_NR_HOPS + 1];
	struct vl_err err;
	char *text;
	size_t len;
	FILE *f;
};

FIXTURE_SETUP(report)
{
	memset(self, 0, sizeof(*self));
	self->hist = (struct vl_hist){
		.count = 10,
		.sum = 15000,
		.min = 1030,
		.max = 5500,
		.sub_bits = VRINGLAB_HIST_SUB_BITS,
		.nr_buckets = 3,
		/* 1024 to 1151, 1152 to 1279, 5120 to 5631 */
		.buckets = { { 64, 7 }, { 65, 2 }, { 82, 1 } },
	};
	self->empty.sub_bits = VRINGLAB_HIST_SUB_BITS;
	for (uint32_t hop = 0; hop < VLNL_NR_HOPS; hop++) {
		strcpy(self->probes[hop].name, vlnl_hop_name(hop));
		self->probes[hop].hops = VLNL_HOP(hop);
		self->probes[hop].state = VRINGLAB_PROBE_STATE_ATTACHED;
	}
	self->vring.vring = (struct vlnl_vring){
		.id = 3,
		.label = "loop.0",
		.backend = VRINGLAB_BACKEND_VHOST_USER,
		.pid = 4711,
		.kick_eventfd_id = -1,
		.call_eventfd_id = -1,
		.vcpu = -1,
	};
	self->vring.counters.present = (1ull << VLNL_NR_COUNTERS) - 1;
	self->vring.counters.value[VLNL_COUNTER_KICKS] = 10;
	self->vring.counters.value[VLNL_COUNTER_KICKS_KVM] = 10;
	for (unsigned int s = 0; s < VLNL_NR_SPANS; s++)
		self->vring.spans[s] = &self->empty;
	self->vring.spans[VRINGLAB_SPAN_KICK_WAKE] = &self->hist;
	self->report = (struct report){
		.vrings = &self->vring,
		.nr_vrings = 1,
		.probes = self->probes,
		.nr_probes = VLNL_NR_HOPS,
	};
	self->f = open_memstream(&self->text, &self->len);
	ASSERT_NE(NULL, self->f);
}

FIXTURE_TEARDOWN(report)
{
	fclose(self->f);
	free(self->text);
}

static const char stat_text[] =
	"# vring 3 'loop.0': vhost-user back-end, pid 4711\n"
	"# counter               count  what\n"
	"kicks                      10  signals of the kick eventfd\n"
	"kicks-kvm                  10  kicks by a guest's doorbell, through an ioeventfd\n"
	"# 36 more are 0 (--all shows them)\n"
	"# span              count      min      p50      p90      p99    p99.9      max\n"
	"exit-kick               0        -        -        -        -        -        -\n"
	"kick-wake              10   1.03us   1.09us   1.22us   5.38us   5.38us   5.50us\n"
	"wake-call               0        -        -        -        -        -        -\n"
	"call-inject             0        -        -        -        -        -        -\n"
	"inject-entry            0        -        -        -        -        -        -\n"
	"kick-entry              0        -        -        -        -        -        -\n";

TEST_F(report, stat_shows_counters_and_percentiles)
{
	struct output_options options = { .span = -1 };

	ASSERT_EQ(0, output_stat(self->f, &self->report, &options, &self->err));
	EXPECT_STREQ(stat_text, self->text);
}

TEST_F(report, stat_shows_the_registration)
{
	struct output_options options = { .span = -1 };

	self->vring.vring.has_wake_user_data = true;
	self->vring.vring.wake_user_data = 0xabcdef0123456789;
	self->vring.vring.persist = true;
	self->vring.vring.backend = 77;
	ASSERT_EQ(0, output_stat(self->f, &self->report, &options, &self->err));
	EXPECT_NE(NULL,
		  strstr(self->text, "# vring 3 'loop.0': unknown back-end, pid 4711, persistent\n"
				     "# io_uring user_data of a wake: 0xabcdef0123456789\n"));
}

/* Lines that begin with @prefix. */
static unsigned int count_lines(const char *text, const char *prefix)
{
	unsigned int nr = 0;

	while (text && *text) {
		nr += !strncmp(text, prefix, strlen(prefix));
		text = strchr(text, '\n');
		text = text ? text + 1 : NULL;
	}
	return nr;
}

static size_t longest_line(const char *text)
{
	size_t longest = 0;

	while (*text) {
		size_t len = strcspn(text, "\n");

		if (len > longest)
			longest = len;
		text += len + (text[len] == '\n');
	}
	return longest;
}

TEST_F(report, stat_all_shows_every_counter_that_the_module_has)
{
	struct output_options options = { .span = -1, .all = true };

	self->vring.counters.present &= ~(1ull << VLNL_COUNTER_ACAUSAL);
	ASSERT_EQ(0, output_stat(self->f, &self->report, &options, &self->err));
	for (unsigned int i = 0; i < VLNL_NR_COUNTERS; i++) {
		char prefix[32];

		snprintf(prefix, sizeof(prefix), "%s ", vlnl_counter_info[i].name);
		EXPECT_EQ(i != VLNL_COUNTER_ACAUSAL, count_lines(self->text, prefix));
	}
	EXPECT_EQ(NULL, strstr(self->text, "more are 0"));
	EXPECT_GE(80u, longest_line(self->text));
}

TEST_F(report, stat_ns_has_plain_numbers)
{
	struct output_options options = { .span = -1, .ns = true };

	ASSERT_EQ(0, output_stat(self->f, &self->report, &options, &self->err));
	EXPECT_NE(NULL, strstr(self->text, "# span (ns)         count"));
	EXPECT_EQ(1u, count_lines(self->text, "kick-wake              10     1030     1088 "));
}

TEST_F(report, missing_hops_are_named_with_the_reason)
{
	struct output_options options = { .span = -1 };

	/* Two probes for one hop, one of them for another as well. */
	strcpy(self->probes[VLNL_NR_HOPS].name, "accept");
	self->probes[VLNL_NR_HOPS].hops = VLNL_HOP(VRINGLAB_HOP_INJECT);
	self->probes[VLNL_NR_HOPS].type = VRINGLAB_PROBE_TYPE_TRACEPOINT;
	self->probes[VLNL_NR_HOPS].state = VRINGLAB_PROBE_STATE_ABSENT;
	self->probes[VRINGLAB_HOP_INJECT].hops |= VLNL_HOP(VRINGLAB_HOP_CALL);
	self->report.nr_probes++;
	ASSERT_EQ(0, output_stat(self->f, &self->report, &options, &self->err));
	EXPECT_EQ(0u, count_lines(self->text, "# hop "));

	/* Calls have another one. */
	self->probes[VRINGLAB_HOP_INJECT].state = VRINGLAB_PROBE_STATE_FAILED;
	self->probes[VRINGLAB_HOP_INJECT].error = EBUSY;
	ASSERT_EQ(0, output_stat(self->f, &self->report, &options, &self->err));
	EXPECT_NE(NULL, strstr(self->text, "# hop inject is not seen, its spans stay empty:\n"
					   "#   function inject: failed, Device or resource busy\n"
					   "#   tracepoint accept: absent\n"));
	EXPECT_EQ(1u, count_lines(self->text, "# hop "));
}

TEST_F(report, probe_of_two_hops_serves_both)
{
	struct output_options options = { .span = -1 };

	self->probes[VRINGLAB_HOP_EXIT].state = VRINGLAB_PROBE_STATE_ABSENT;
	self->probes[VRINGLAB_HOP_ENTRY].state = VRINGLAB_PROBE_STATE_ABSENT;
	self->probes[VRINGLAB_HOP_INJECT].state = VRINGLAB_PROBE_STATE_IDLE;
	self->probes[VRINGLAB_HOP_INJECT].hops |= VLNL_HOP(VRINGLAB_HOP_EXIT);
	ASSERT_EQ(0, output_stat(self->f, &self->report, &options, &self->err));
	EXPECT_EQ(1u, count_lines(self->text, "# hop "));
	EXPECT_EQ(1u, count_lines(self->text, "# hop entry is not seen"));
}

TEST_F(report, what_eventfds_show_by_themselves_is_not_called_unseen)
{
	struct output_options options = { .span = -1 };

	self->probes[VRINGLAB_HOP_WAKE].state = VRINGLAB_PROBE_STATE_ABSENT;
	self->probes[VRINGLAB_HOP_KICK].state = VRINGLAB_PROBE_STATE_FAILED;
	ASSERT_EQ(0, output_stat(self->f, &self->report, &options, &self->err));
	EXPECT_EQ(1u, count_lines(self->text, "# hop "));
	EXPECT_EQ(1u, count_lines(self->text, "# hop kick is seen by its eventfd only:"));

	/* Reads are all there is to see, unless completions take the kicks. */
	self->vring.vring.has_wake_user_data = true;
	rewind(self->f);
	ASSERT_EQ(0, output_stat(self->f, &self->report, &options, &self->err));
	EXPECT_NE(NULL, strstr(self->text, "# hop wake is seen by its eventfd only:\n"
					   "#   function wake: absent\n"));
}

TEST_F(report, without_vrings_one_line_says_so)
{
	struct output_options options = { .span = -1 };

	self->report.nr_vrings = 0;
	ASSERT_EQ(0, output_stat(self->f, &self->report, &options, &self->err));
	EXPECT_NE(NULL, strstr(self->text, "no vrings registered or found\n# discovery is off"));
	EXPECT_NE(NULL, strstr(self->text, "vringlab discover on"));
	self->report.discover.enabled = true;
	rewind(self->f);
	ASSERT_EQ(0, output_hist(self->f, &self->report, &options, &self->err));
	EXPECT_NE(NULL, strstr(self->text, "no vrings registered or found\n# discovery is on"));
}

static const char hist_text[] =
	"# vring 3 'loop.0': vhost-user back-end, pid 4711\n"
	"# span kick-wake: 10 values, mean 1.50us\n"
	"#    from     below       count   share\n"
	"   1.02us    1.15us           7  70.00% **************************************\n"
	"   1.15us    1.28us           2  20.00% ***********\n"
	"   5.12us    5.63us           1  10.00% ******\n"
	"# min 1.03us  p50 1.09us  p90 1.22us  p99 5.38us  p99.9 5.38us  max 5.50us\n";

TEST_F(report, hist_shows_bars)
{
	struct output_options options = { .span = VRINGLAB_SPAN_KICK_WAKE };

	ASSERT_EQ(0, output_hist(self->f, &self->report, &options, &self->err));
	EXPECT_STREQ(hist_text, self->text);
}

TEST_F(report, hist_shows_all_spans_by_default)
{
	struct output_options options = { .span = -1 };

	ASSERT_EQ(0, output_hist(self->f, &self->report, &options, &self->err));
	EXPECT_EQ(6u, count_lines(self->text, "# span "));
	EXPECT_NE(NULL, strstr(self->text, "# span kick-entry: no values\n"));
}

TEST_F(report, hist_joins_buckets_and_loses_no_value)
{
	struct output_options options = { .span = VRINGLAB_SPAN_KICK_WAKE, .ns = true };
	uint64_t below = 0, sum = 0;
	char *line;

	self->hist = (struct vl_hist){ .sub_bits = VRINGLAB_HIST_SUB_BITS, .max = 20000 };
	/* 64 buckets of 8 powers of two: 4 would be joined for 16 rows. */
	for (unsigned int i = 0; i < 64; i++) {
		self->hist.buckets[i] = (struct vl_hist_bucket){ 40 + i, i + 1 };
		self->hist.count += i + 1;
	}
	self->hist.nr_buckets = 64;
	ASSERT_EQ(0, output_hist(self->f, &self->report, &options, &self->err));
	EXPECT_EQ(16u, count_lines(self->text, " "));
	EXPECT_GE(80u, longest_line(self->text));
	for (line = strtok(self->text, "\n"); line; line = strtok(NULL, "\n")) {
		unsigned long long from, to, count;
		int fields;

		if (line[0] == '#')
			continue;
		fields = sscanf(line, "%llu %llu %llu", &from, &to, &count);
		ASSERT_EQ(3, fields);
		EXPECT_LT(from, to);
		if (below)
			EXPECT_EQ(below, from);
		below = to;
		sum += count;
	}
	EXPECT_EQ(self->hist.count, sum);
}

TEST_F(report, hist_has_no_end_for_the_last_bucket)
{
	struct output_options options = { .span = VRINGLAB_SPAN_KICK_WAKE };

	self->hist.buckets[2].index = VRINGLAB_HIST_BUCKETS - 1;
	ASSERT_EQ(0, output_hist(self->f, &self->report, &options, &self->err));
	EXPECT_NE(NULL, strstr(self->text, "    2062s       inf           1  10.00%"));
}

TEST_F(report, failed_write_is_an_error)
{
	struct output_options options = { .span = -1 };
	FILE *full = fopen("/dev/full", "w");

	if (!full)
		SKIP(return, "/dev/full is missing: mount a /dev");
	EXPECT_EQ(-ENOSPC, output_stat(full, &self->report, &options, &self->err));
	EXPECT_NE(NULL, strstr(self->err.msg, "No space left"));
	options.json = true;
	EXPECT_EQ(-ENOSPC, output_hist(full, &self->report, &options, &self->err));
	fclose(full);
}

/* object[key], which must be there, be it null. */
static struct json_object *member(struct json_object *object, const char *key)
{
	struct json_object *value = NULL;

	return json_object_object_get_ex(object, key, &value) ? value : object;
}

static uint64_t member_u64(struct json_object *object, const char *key)
{
	return json_object_get_uint64(member(object, key));
}

/* What is put together as text is as json-c has it when it has read it. */
static void expect_as_json_c_prints(struct __test_metadata *_metadata, const char *text, int style)
{
	struct json_object *root = json_tokener_parse(text);
	size_t len = strlen(text);
	const char *printed;

	ASSERT_NE(NULL, root);
	printed = json_object_to_json_string_ext(root, style | JSON_C_TO_STRING_NOSLASHESCAPE);
	ASSERT_LT(0u, len);
	EXPECT_EQ('\n', text[len - 1]);
	EXPECT_EQ(len - 1, strlen(printed));
	EXPECT_EQ(0, strncmp(text, printed, len - 1))
	{
		TH_LOG("%s", text);
		TH_LOG("%s", printed);
	}
	json_object_put(root);
}

TEST_F(report, json_is_printed_as_json_c_does)
{
	struct output_options options = { .span = -1, .json = true };
	const int pretty = JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED;

	self->hist.buckets[2].index = VL_HIST_BUCKETS_MAX - 1;
	ASSERT_EQ(0, output_stat(self->f, &self->report, &options, &self->err));
	expect_as_json_c_prints(_metadata, self->text, pretty);
	rewind(self->f);
	/* One without buckets has an empty array, which json-c breaks in two lines. */
	options.span = VRINGLAB_SPAN_KICK_WAKE;
	ASSERT_EQ(0, output_hist(self->f, &self->report, &options, &self->err));
	self->text[self->len] = '\0';
	expect_as_json_c_prints(_metadata, self->text, pretty);

	options.lines = true;
	options.span = VRINGLAB_SPAN_EXIT_KICK;
	rewind(self->f);
	ASSERT_EQ(0, output_hist(self->f, &self->report, &options, &self->err));
	self->text[self->len] = '\0';
	expect_as_json_c_prints(_metadata, self->text, JSON_C_TO_STRING_PLAIN);
	rewind(self->f);
	self->vring.counters.present = 0;
	memset(self->vring.spans, 0, sizeof(self->vring.spans));
	ASSERT_EQ(0, output_stat(self->f, &self->report, &options, &self->err));
	self->text[self->len] = '\0';
	expect_as_json_c_prints(_metadata, self->text, JSON_C_TO_STRING_PLAIN);
}

TEST_F(report, stat_json_has_everything)
{
	struct output_options options = { .span = -1, .json = true };
	struct json_object *root, *vring, *span, *probes, *hops;

	self->vring.counters.value[VLNL_COUNTER_CALLS] = UINT64_MAX;
	self->vring.counters.present &= ~(1ull << VLNL_COUNTER_ACAUSAL);
	self->probes[VRINGLAB_HOP_KICK].hops |= VLNL_HOP(VRINGLAB_HOP_CALL);
	ASSERT_EQ(0, output_stat(self->f, &self->report, &options, &self->err));
	root = json_tokener_parse(self->text);
	ASSERT_NE(NULL, root);
	vring = json_object_array_get_idx(member(root, "vrings"), 0);
	EXPECT_EQ(3u, member_u64(vring, "id"));
	EXPECT_STREQ("loop.0", json_object_get_string(member(vring, "label")));
	EXPECT_STREQ("vhost-user", json_object_get_string(member(vring, "backend")));
	EXPECT_FALSE(json_object_object_get_ex(vring, "wake-user-data", NULL));
	EXPECT_EQ(VLNL_NR_COUNTERS - 1, json_object_object_length(member(vring, "counters")));
	EXPECT_EQ(UINT64_MAX, member_u64(member(vring, "counters"), "calls"));
	EXPECT_EQ(0u, member_u64(member(vring, "counters"), "entries"));

	EXPECT_EQ((size_t)VLNL_NR_SPANS, json_object_array_length(member(vring, "spans")));
	span = json_object_array_get_idx(member(vring, "spans"), 0);
	EXPECT_STREQ("exit-kick", json_object_get_string(member(span, "span")));
	EXPECT_EQ(NULL, member(span, "min-ns"));
	EXPECT_EQ(NULL, member(span, "p99.9-ns"));
	span = json_object_array_get_idx(member(vring, "spans"), VRINGLAB_SPAN_KICK_WAKE);
	EXPECT_EQ(10u, member_u64(span, "count"));
	EXPECT_EQ(15000u, member_u64(span, "sum-ns"));
	EXPECT_EQ(1030u, member_u64(span, "min-ns"));
	EXPECT_EQ(1088u, member_u64(span, "p50-ns"));
	EXPECT_EQ(5500u, member_u64(span, "max-ns"));
	probes = member(root, "probes");
	ASSERT_EQ((size_t)VLNL_NR_HOPS, json_object_array_length(probes));
	hops = member(json_object_array_get_idx(probes, VRINGLAB_HOP_KICK), "hops");
	ASSERT_EQ(2u, json_object_array_length(hops));
	EXPECT_STREQ("kick", json_object_get_string(json_object_array_get_idx(hops, 0)));
	EXPECT_STREQ("call", json_object_get_string(json_object_array_get_idx(hops, 1)));
	hops = member(json_object_array_get_idx(probes, VRINGLAB_HOP_CALL), "hops");
	EXPECT_EQ(1u, json_object_array_length(hops));
	json_object_put(root);
}

TEST_F(report, stat_says_of_which_time_it_is)
{
	struct output_options options = { .span = -1 };
	struct json_object *root, *vring;

	self->vring.time = (struct report_time){ 1000000, 3500000 };
	ASSERT_EQ(0, output_stat(self->f, &self->report, &options, &self->err));
	EXPECT_NE(NULL, strstr(self->text, "# 2.50ms since the last reset\n"));
	options.json = true;
	rewind(self->f);
	ASSERT_EQ(0, output_stat(self->f, &self->report, &options, &self->err));
	root = json_tokener_parse(self->text);
	ASSERT_NE(NULL, root);
	vring = json_object_array_get_idx(member(root, "vrings"), 0);
	EXPECT_EQ(1000000u, member_u64(vring, "begin-ns"));
	EXPECT_EQ(3500000u, member_u64(vring, "end-ns"));
	json_object_put(root);
}

static struct vlnl_threshold thresholds[] = {
	{ .id = 1, .span = VRINGLAB_SPAN_KICK_ENTRY, .ns = 1500000, .hits = 7 },
	{ .id = 12,
	  .vring_id = 3,
	  .span = VRINGLAB_SPAN_WAKE_CALL,
	  .actions = VRINGLAB_THRESHOLD_ACTION_NOTIFY,
	  .once = true,
	  .lost = 2 },
};

static const char thresholds_text[] =
	"# threshold    vring span               limit        hits     lost  actions\n"
	"1                all kick-entry        1.50ms           7        0  -\n"
	"12                 3 wake-call            0ns           0        2  notify,once\n";

TEST_F(report, stat_shows_thresholds)
{
	struct output_options options = { .span = -1 };

	self->report.thresholds = thresholds;
	self->report.nr_thresholds = 2;
	ASSERT_EQ(0, output_stat(self->f, &self->report, &options, &self->err));
	EXPECT_NE(NULL, strstr(self->text, thresholds_text));
}

TEST_F(report, threshold_json_has_null_for_all_vrings)
{
	struct output_options options = { .json = true };
	struct json_object *root, *second, *actions;

	ASSERT_EQ(0, output_thresholds(self->f, thresholds, 2, &options, &self->err));
	root = json_tokener_parse(self->text);
	ASSERT_NE(NULL, root);
	EXPECT_EQ(NULL, member(json_object_array_get_idx(root, 0), "vring-id"));
	second = json_object_array_get_idx(root, 1);
	EXPECT_EQ(3u, member_u64(second, "vring-id"));
	EXPECT_EQ(2u, member_u64(second, "lost"));
	actions = member(second, "actions");
	ASSERT_EQ(1u, json_object_array_length(actions));
	EXPECT_STREQ("notify", json_object_get_string(json_object_array_get_idx(actions, 0)));
	json_object_put(root);
}

TEST_F(report, hist_json_has_every_bucket)
{
	struct output_options options = { .span = VRINGLAB_SPAN_KICK_WAKE, .json = true };
	struct json_object *root, *spans, *buckets, *bucket;

	self->hist.buckets[2].index = VRINGLAB_HIST_BUCKETS - 1;
	ASSERT_EQ(0, output_hist(self->f, &self->report, &options, &self->err));
	root = json_tokener_parse(self->text);
	ASSERT_NE(NULL, root);
	spans = member(json_object_array_get_idx(member(root, "vrings"), 0), "spans");
	ASSERT_EQ(1u, json_object_array_length(spans));
	buckets = member(json_object_array_get_idx(spans, 0), "buckets");
	ASSERT_EQ(3u, json_object_array_length(buckets));
	bucket = json_object_array_get_idx(buckets, 0);
	EXPECT_EQ(1024u, member_u64(bucket, "from-ns"));
	EXPECT_EQ(1152u, member_u64(bucket, "below-ns"));
	EXPECT_EQ(7u, member_u64(bucket, "count"));
	bucket = json_object_array_get_idx(buckets, 2);
	EXPECT_EQ(15ull << 37, member_u64(bucket, "from-ns"));
	EXPECT_EQ(NULL, member(bucket, "below-ns"));
	json_object_put(root);
}

TEST_F(report, json_without_vrings_is_an_empty_list)
{
	struct output_options options = { .span = -1, .json = true };
	struct json_object *root;

	self->report.nr_vrings = 0;
	ASSERT_EQ(0, output_stat(self->f, &self->report, &options, &self->err));
	root = json_tokener_parse(self->text);
	ASSERT_NE(NULL, root);
	EXPECT_EQ(0u, json_object_array_length(member(root, "vrings")));
	json_object_put(root);
}

/* An AMD vCPU that has run, with a reason that has no name. */
static struct vlnl_vcpu some_vcpu(void)
{
	struct vlnl_vcpu v = {
		.id = 5,
		.vm = 2,
		.vcpu_id = 1,
		.pid = 4711,
		.tid = 4713,
		.isa = VRINGLAB_ISA_SVM,
		.present = (1ull << VLNL_NR_VCPU_COUNTERS) - 1,
		.reasons = { { 0x78, 7 }, { 0x3ff, 1 }, { 0x400, 4 } },
		.nr_reasons = 3,
	};

	v.value[VLNL_VCPU_COUNTER_ENTRIES] = 13;
	v.value[VLNL_VCPU_COUNTER_EXITS] = 12;
	return v;
}

static const char vcpu_text[] = "# vCPU 5: number 1 of VM 2, svm, pid 4711, thread 4713\n"
				"# counter                       count  what\n"
				"entries                            13  guest entries\n"
				"exits                              12  guest exits\n"
				"# 11 more are 0 (--all shows them)\n"
				"# exit              count  reason\n"
				"0x78                    7  hlt\n"
				"0x3ff                   1  0x3ff\n"
				"0x400                   4  npf\n";

TEST_F(report, vcpu_shows_counters_and_named_reasons)
{
	struct vlnl_vcpu vcpu = some_vcpu();
	struct report_vcpus vcpus = { &vcpu, 1 };
	struct output_options options = { .span = -1 };

	ASSERT_EQ(0, output_vcpus(self->f, &vcpus, &options, &self->err));
	EXPECT_STREQ(vcpu_text, self->text);
}

TEST_F(report, vcpu_all_shows_every_counter)
{
	struct vlnl_vcpu vcpu = some_vcpu();
	struct report_vcpus vcpus = { &vcpu, 1 };
	struct output_options options = { .all = true, .span = -1 };

	ASSERT_EQ(0, output_vcpus(self->f, &vcpus, &options, &self->err));
	for (unsigned int i = 0; i < VLNL_NR_VCPU_COUNTERS; i++) {
		char prefix[32];

		snprintf(prefix, sizeof(prefix), "%s ", vlnl_vcpu_counter_info[i].name);
		EXPECT_EQ(1u, count_lines(self->text, prefix));
	}
	EXPECT_GE(80u, longest_line(self->text));
}

TEST_F(report, without_vcpus_one_line_says_so)
{
	struct report_vcpus vcpus = { NULL, 0 };
	struct output_options options = { .span = -1 };

	ASSERT_EQ(0, output_vcpus(self->f, &vcpus, &options, &self->err));
	EXPECT_STREQ("no vCPU has to do with a vring yet\n", self->text);
}

TEST_F(report, vcpu_json_has_everything)
{
	struct vlnl_vcpu vcpu = some_vcpu();
	struct report_vcpus vcpus = { &vcpu, 1 };
	struct output_options options = { .json = true, .span = -1 };
	struct json_object *root, *o, *reasons, *reason;

	ASSERT_EQ(0, output_vcpus(self->f, &vcpus, &options, &self->err));
	root = json_tokener_parse(self->text);
	o = json_object_array_get_idx(member(root, "vcpus"), 0);
	EXPECT_EQ(5u, member_u64(o, "id"));
	EXPECT_EQ(2u, member_u64(o, "vm"));
	EXPECT_EQ(1u, member_u64(o, "vcpu-id"));
	EXPECT_EQ(4713u, member_u64(o, "tid"));
	EXPECT_STREQ("svm", json_object_get_string(member(o, "isa")));
	EXPECT_EQ(VLNL_NR_VCPU_COUNTERS, json_object_object_length(member(o, "counters")));
	EXPECT_EQ(12u, member_u64(member(o, "counters"), "exits"));
	reasons = member(o, "exit-reasons");
	ASSERT_EQ(3u, json_object_array_length(reasons));
	reason = json_object_array_get_idx(reasons, 0);
	EXPECT_EQ(0x78u, member_u64(reason, "code"));
	EXPECT_EQ(7u, member_u64(reason, "count"));
	EXPECT_STREQ("hlt", json_object_get_string(member(reason, "name")));
	reason = json_object_array_get_idx(reasons, 1);
	EXPECT_TRUE(json_object_object_get_ex(reason, "name", &reason) && !reason);
	json_object_put(root);
}

/* What the module answers, joined: vrings 3 and 7, and another called "7". */
FIXTURE(join)
{
	struct vlnl_vring vrings[3];
	struct vlnl_counters counters[3];
	struct vlnl_hist hists[3];
	struct answers answers;
	struct report report;
	struct vl_err err;
};

/* As short as it is; returns where the next one goes. */
static void *put_packed(void *at, uint32_t vring_id, uint32_t span, unsigned int nr_buckets)
{
	struct vlnl_hist hist = { .vring_id = vring_id, .span = span };

	hist.hist.nr_buckets = nr_buckets;
	return mempcpy(at, &hist, vlnl_hist_size(&hist));
}

FIXTURE_SETUP(join)
{
	void *end;

	memset(self, 0, sizeof(*self));
	self->vrings[0] = (struct vlnl_vring){ .id = 3, .label = "net" };
	self->vrings[1] = (struct vlnl_vring){ .id = 7, .label = "net" };
	self->vrings[2] = (struct vlnl_vring){ .id = 9, .label = "7" };
	/* By rising ids, as the vrings. */
	for (unsigned int i = 0; i < 3; i++) {
		self->counters[i].vring_id = self->vrings[i].id;
		self->counters[i].value[0] = self->vrings[i].id;
	}
	end = put_packed(self->hists, 7, VRINGLAB_SPAN_WAKE_CALL, 2);
	/* Of a newer module. */
	end = put_packed(end, 7, VLNL_NR_SPANS, 3);
	put_packed(end, 9, VRINGLAB_SPAN_KICK_WAKE, 1);
	self->answers = (struct answers){
		.vrings = self->vrings,
		.counters = self->counters,
		.hists = self->hists,
		.nr_vrings = 3,
		.nr_counters = 3,
		.nr_hists = 3,
	};
}

FIXTURE_TEARDOWN(join)
{
	free(self->report.vrings);
}

static int join_wanted(FIXTURE_DATA(join) * self, const char *which)
{
	int ret = keep_wanted(&self->answers, which, &self->err);

	return ret ? ret : join(&self->report, &self->answers, &self->err);
}

TEST_F(join, all_are_wanted_by_default)
{
	ASSERT_EQ(0, join_wanted(self, NULL));
	ASSERT_EQ(3u, self->report.nr_vrings);
	EXPECT_EQ(3u, self->report.vrings[0].counters.value[0]);
	EXPECT_EQ(NULL, self->report.vrings[0].spans[VRINGLAB_SPAN_WAKE_CALL]);
	EXPECT_EQ(&self->hists[0].hist, self->report.vrings[1].spans[VRINGLAB_SPAN_WAKE_CALL]);
	EXPECT_EQ(NULL, self->report.vrings[1].spans[VRINGLAB_SPAN_KICK_WAKE]);
	ASSERT_NE(NULL, self->report.vrings[2].spans[VRINGLAB_SPAN_KICK_WAKE]);
	EXPECT_EQ(1u, self->report.vrings[2].spans[VRINGLAB_SPAN_KICK_WAKE]->nr_buckets);
}

TEST_F(join, label_may_name_several)
{
	ASSERT_EQ(0, join_wanted(self, "net"));
	EXPECT_EQ(2u, self->report.nr_vrings);
}

TEST_F(join, id_wins_over_a_label_that_looks_like_it)
{
	ASSERT_EQ(0, join_wanted(self, "7"));
	ASSERT_EQ(1u, self->report.nr_vrings);
	EXPECT_EQ(7u, self->report.vrings[0].vring.id);
}

TEST_F(join, unknown_name_is_enxio)
{
	EXPECT_EQ(-ENXIO, join_wanted(self, "nte"));
	EXPECT_NE(NULL, strstr(self->err.msg, "'nte'"));
}

TEST_F(join, vring_that_is_gone_in_the_second_dump_is_left_out)
{
	self->answers.nr_counters = 2;
	ASSERT_EQ(0, join_wanted(self, NULL));
	EXPECT_EQ(2u, self->report.nr_vrings);
}

TEST_HARNESS_MAIN
