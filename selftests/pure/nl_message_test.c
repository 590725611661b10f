// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module's answers, made up: what a newer, an older or a broken module
 * could send, and what is read out of each.
 */
#include <errno.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <linux/genetlink.h>

#include <vringlab/err.h>
#include <vringlab/nl_message.h>

#include "kselftest_harness.h"

#define BUF_SIZE 32768
/* A number no attribute set of this version reaches. */
#define FUTURE_ATTR 200

FIXTURE(message)
{
	struct nlmsghdr *nlh;
	struct vl_err err;
	char buf[BUF_SIZE] __attribute__((aligned(8)));
};

FIXTURE_SETUP(message)
{
	memset(self, 0, sizeof(*self));
	self->nlh = mnl_nlmsg_put_header(self->buf);
	mnl_nlmsg_put_extra_header(self->nlh, sizeof(struct genlmsghdr));
}

FIXTURE_TEARDOWN(message)
{
}

/* All attributes of a good answer but @without. */
static void put_vring(struct nlmsghdr *nlh, int without)
{
	if (without != VRINGLAB_A_VRING_ID)
		mnl_attr_put_u32(nlh, VRINGLAB_A_VRING_ID, 7);
	if (without != VRINGLAB_A_VRING_LABEL)
		mnl_attr_put_strz(nlh, VRINGLAB_A_VRING_LABEL, "net.0");
	if (without != VRINGLAB_A_VRING_BACKEND)
		mnl_attr_put_u32(nlh, VRINGLAB_A_VRING_BACKEND, VRINGLAB_BACKEND_VHOST);
	if (without != VRINGLAB_A_VRING_PID)
		mnl_attr_put_u32(nlh, VRINGLAB_A_VRING_PID, 4711);
}

TEST_F(message, vring_is_read)
{
	struct vlnl_vring v;

	put_vring(self->nlh, 0);
	ASSERT_EQ(0, vlnl_parse_vring(self->nlh, &v, &self->err));
	EXPECT_EQ(7u, v.id);
	EXPECT_STREQ("net.0", v.label);
	EXPECT_EQ((uint32_t)VRINGLAB_BACKEND_VHOST, v.backend);
	EXPECT_EQ(4711u, v.pid);
	EXPECT_FALSE(v.has_wake_user_data);
	EXPECT_FALSE(v.persist);

	mnl_attr_put_u64(self->nlh, VRINGLAB_A_VRING_WAKE_USER_DATA, UINT64_MAX);
	mnl_attr_put(self->nlh, VRINGLAB_A_VRING_PERSIST, 0, NULL);
	mnl_attr_put_u32(self->nlh, FUTURE_ATTR, 1);
	ASSERT_EQ(0, vlnl_parse_vring(self->nlh, &v, &self->err));
	EXPECT_TRUE(v.has_wake_user_data);
	EXPECT_EQ(UINT64_MAX, v.wake_user_data);
	EXPECT_TRUE(v.persist);
}

TEST_F(message, what_is_unknown_of_a_vring_is_told_from_zero)
{
	struct vlnl_vring v;

	put_vring(self->nlh, VRINGLAB_A_VRING_PID);
	ASSERT_EQ(0, vlnl_parse_vring(self->nlh, &v, &self->err));
	EXPECT_EQ(0u, v.pid);
	EXPECT_FALSE(v.found);
	EXPECT_EQ(0u, v.device);
	EXPECT_EQ(-1, v.kick_eventfd_id);
	EXPECT_EQ(-1, v.call_eventfd_id);
	EXPECT_EQ(-1, v.vcpu);
	mnl_attr_put_u32(self->nlh, VRINGLAB_A_VRING_KICK_EVENTFD_ID, 0);
	mnl_attr_put_u32(self->nlh, VRINGLAB_A_VRING_CALL_EVENTFD_ID, UINT32_MAX);
	mnl_attr_put_u32(self->nlh, VRINGLAB_A_VRING_VCPU, 0);
	ASSERT_EQ(0, vlnl_parse_vring(self->nlh, &v, &self->err));
	EXPECT_EQ(0, v.kick_eventfd_id);
	EXPECT_EQ((int64_t)UINT32_MAX, v.call_eventfd_id);
	EXPECT_EQ(0, v.vcpu);
}

static void put_ioeventfd(struct nlmsghdr *nlh, uint64_t address, const uint64_t *datamatch)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, VRINGLAB_A_VRING_IOEVENTFD);

	mnl_attr_put_u64(nlh, VRINGLAB_A_IOEVENTFD_ADDRESS, address);
	mnl_attr_put_u32(nlh, VRINGLAB_A_IOEVENTFD_LENGTH, 2);
	if (datamatch)
		mnl_attr_put_u64(nlh, VRINGLAB_A_IOEVENTFD_DATAMATCH, *datamatch);
	else
		mnl_attr_put(nlh, VRINGLAB_A_IOEVENTFD_PIO, 0, NULL);
	mnl_attr_nest_end(nlh, nest);
}

TEST_F(message, a_found_vring_is_read_with_all_its_facts)
{
	const uint64_t value = 3;
	struct nlattr *nest;
	struct vlnl_vring v;
	uint32_t gsi;

	put_vring(self->nlh, 0);
	mnl_attr_put(self->nlh, VRINGLAB_A_VRING_FOUND, 0, NULL);
	mnl_attr_put_u32(self->nlh, VRINGLAB_A_VRING_DEVICE, 5);
	mnl_attr_put_u32(self->nlh, VRINGLAB_A_VRING_QUEUE, 1);
	mnl_attr_put_u32(self->nlh, VRINGLAB_A_VRING_SIZE, 256);
	mnl_attr_put_u32(self->nlh, VRINGLAB_A_VRING_OWNER_PID, 42);
	mnl_attr_put_strz(self->nlh, VRINGLAB_A_VRING_OWNER_COMM, "qemu");
	mnl_attr_put_u32(self->nlh, VRINGLAB_A_VRING_VM, 9);
	mnl_attr_put_u32(self->nlh, VRINGLAB_A_VRING_VM_PID, 43);
	put_ioeventfd(self->nlh, 0xfebd4000, &value);
	put_ioeventfd(self->nlh, 0xc000, NULL);
	for (gsi = 24; gsi < 24 + VLNL_FACTS_MAX + 2; gsi++) {
		nest = mnl_attr_nest_start(self->nlh, VRINGLAB_A_VRING_IRQFD);
		mnl_attr_put_u32(self->nlh, VRINGLAB_A_IRQFD_GSI, gsi);
		mnl_attr_nest_end(self->nlh, nest);
	}
	ASSERT_EQ(0, vlnl_parse_vring(self->nlh, &v, &self->err));
	EXPECT_TRUE(v.found);
	EXPECT_EQ(5u, v.device);
	EXPECT_EQ(1u, v.queue);
	EXPECT_EQ(256u, v.size);
	EXPECT_EQ(42u, v.owner_pid);
	EXPECT_STREQ("qemu", v.owner_comm);
	EXPECT_EQ(9u, v.vm);
	EXPECT_EQ(43u, v.vm_pid);
	ASSERT_EQ(2u, v.nr_ioeventfds);
	EXPECT_EQ(UINT64_C(0xfebd4000), v.ioeventfds[0].address);
	EXPECT_TRUE(v.ioeventfds[0].has_datamatch);
	EXPECT_EQ(value, v.ioeventfds[0].datamatch);
	EXPECT_FALSE(v.ioeventfds[0].pio);
	EXPECT_TRUE(v.ioeventfds[1].pio);
	EXPECT_FALSE(v.ioeventfds[1].has_datamatch);
	/* More than there is room for are left out. */
	EXPECT_EQ((unsigned int)VLNL_FACTS_MAX, v.nr_gsis);
	EXPECT_EQ(24u, v.gsis[0]);
	/* One without what makes it is refused. */
	nest = mnl_attr_nest_start(self->nlh, VRINGLAB_A_VRING_IOEVENTFD);
	mnl_attr_nest_end(self->nlh, nest);
	EXPECT_EQ(-EPROTO, vlnl_parse_vring(self->nlh, &v, &self->err));
}

TEST_F(message, discovery_is_read)
{
	struct vlnl_discover d = { .lost = 99 };

	mnl_attr_put_u32(self->nlh, VRINGLAB_A_DISCOVER_ENABLED, 1);
	EXPECT_EQ(-EPROTO, vlnl_parse_discover(self->nlh, &d, &self->err));
	EXPECT_EQ(99u, d.lost);
	mnl_attr_put_u64(self->nlh, VRINGLAB_A_DISCOVER_LOST, 7);
	ASSERT_EQ(0, vlnl_parse_discover(self->nlh, &d, &self->err));
	EXPECT_TRUE(d.enabled);
	EXPECT_FALSE(d.persist);
	EXPECT_EQ(7u, d.lost);
}

TEST_F(message, vring_without_a_mandatory_attribute_is_refused)
{
	static const struct {
		int attr;
		const char *name;
	} mandatory[] = {
		{ VRINGLAB_A_VRING_ID, "id" },
		{ VRINGLAB_A_VRING_LABEL, "label" },
		{ VRINGLAB_A_VRING_BACKEND, "backend" },
	};
	struct vlnl_vring v = { .id = 99 };

	for (size_t i = 0; i < ARRAY_SIZE(mandatory); i++) {
		self->nlh = mnl_nlmsg_put_header(self->buf);
		mnl_nlmsg_put_extra_header(self->nlh, sizeof(struct genlmsghdr));
		put_vring(self->nlh, mandatory[i].attr);
		EXPECT_EQ(-EPROTO, vlnl_parse_vring(self->nlh, &v, &self->err));
		EXPECT_NE(NULL, strstr(self->err.msg, mandatory[i].name));
		EXPECT_EQ(-EPROTO, self->err.code);
	}
	EXPECT_EQ(99u, v.id);
}

TEST_F(message, vring_label_is_bounded)
{
	char label[VRINGLAB_LABEL_LEN + 1];
	struct vlnl_vring v;

	put_vring(self->nlh, VRINGLAB_A_VRING_LABEL);
	/* 31 characters fit, also where no zero ends them. */
	memset(label, 'x', sizeof(label));
	mnl_attr_put(self->nlh, VRINGLAB_A_VRING_LABEL, VRINGLAB_LABEL_LEN - 1, label);
	ASSERT_EQ(0, vlnl_parse_vring(self->nlh, &v, &self->err));
	EXPECT_EQ((size_t)VRINGLAB_LABEL_LEN - 1, strlen(v.label));
	mnl_attr_put(self->nlh, VRINGLAB_A_VRING_LABEL, VRINGLAB_LABEL_LEN, label);
	EXPECT_EQ(-EPROTO, vlnl_parse_vring(self->nlh, &v, &self->err));
	mnl_attr_put(self->nlh, VRINGLAB_A_VRING_LABEL, 0, label);
	EXPECT_EQ(-EPROTO, vlnl_parse_vring(self->nlh, &v, &self->err));
}

TEST_F(message, integers_of_another_size_are_refused)
{
	struct vlnl_vring v;
	uint32_t id;

	mnl_attr_put_u16(self->nlh, VRINGLAB_A_VRING_ID, 7);
	EXPECT_EQ(-EPROTO, vlnl_parse_vring_id(self->nlh, &id, &self->err));
	mnl_attr_put_u64(self->nlh, VRINGLAB_A_VRING_ID, 7);
	EXPECT_EQ(-EPROTO, vlnl_parse_vring_id(self->nlh, &id, &self->err));
	mnl_attr_put_u32(self->nlh, VRINGLAB_A_VRING_ID, 7);
	EXPECT_EQ(0, vlnl_parse_vring_id(self->nlh, &id, &self->err));
	EXPECT_EQ(7u, id);

	put_vring(self->nlh, 0);
	mnl_attr_put_u32(self->nlh, VRINGLAB_A_VRING_WAKE_USER_DATA, 1);
	EXPECT_EQ(-EPROTO, vlnl_parse_vring(self->nlh, &v, &self->err));
}

TEST_F(message, counters_are_read_each_to_its_place)
{
	struct vlnl_counters c;

	mnl_attr_put_u32(self->nlh, VRINGLAB_A_COUNTERS_VRING_ID, 3);
	for (int a = VRINGLAB_A_COUNTERS_KICKS; a <= VRINGLAB_A_COUNTERS_MAX; a++)
		mnl_attr_put_u64(self->nlh, a, (1ull << 40) + a);
	mnl_attr_put_u64(self->nlh, FUTURE_ATTR, 1);
	ASSERT_EQ(0, vlnl_parse_counters(self->nlh, &c, &self->err));
	EXPECT_EQ(3u, c.vring_id);
	EXPECT_EQ((1ull << VLNL_NR_COUNTERS) - 1, c.present);
	EXPECT_EQ((1ull << 40) + VRINGLAB_A_COUNTERS_KICKS, c.value[VLNL_COUNTER_KICKS]);
	EXPECT_EQ((1ull << 40) + VRINGLAB_A_COUNTERS_ACAUSAL, c.value[VLNL_COUNTER_ACAUSAL]);
	for (unsigned int i = 0; i < VLNL_NR_COUNTERS; i++)
		EXPECT_EQ((1ull << 40) + vlnl_counter_info[i].attr, c.value[i]);
}

TEST_F(message, counters_of_an_older_module_are_missing_not_zero)
{
	struct vlnl_counters c;

	EXPECT_EQ(-EPROTO, vlnl_parse_counters(self->nlh, &c, &self->err));
	mnl_attr_put_u32(self->nlh, VRINGLAB_A_COUNTERS_VRING_ID, 3);
	mnl_attr_put_u64(self->nlh, VRINGLAB_A_COUNTERS_CALLS, 0);
	ASSERT_EQ(0, vlnl_parse_counters(self->nlh, &c, &self->err));
	EXPECT_EQ(1ull << VLNL_COUNTER_CALLS, c.present);
	mnl_attr_put_u32(self->nlh, VRINGLAB_A_COUNTERS_KICKS, 1);
	EXPECT_EQ(-EPROTO, vlnl_parse_counters(self->nlh, &c, &self->err));
}

/* One counter more in the specification must be one more in the table. */
TEST(counter_table_is_complete)
{
	bool seen[VRINGLAB_A_COUNTERS_MAX + 1] = { false };

	EXPECT_EQ(VRINGLAB_A_COUNTERS_MAX - 2, VLNL_NR_COUNTERS);
	for (unsigned int i = 0; i < VLNL_NR_COUNTERS; i++) {
		const struct vlnl_counter_info *info = &vlnl_counter_info[i];

		ASSERT_GE(VRINGLAB_A_COUNTERS_MAX, info->attr);
		EXPECT_LT(VRINGLAB_A_COUNTERS_PAD, info->attr);
		EXPECT_FALSE(seen[info->attr]);
		seen[info->attr] = true;
		EXPECT_EQ(strlen(info->name), strspn(info->name, "abcdefghijklmnopqrstuvwxyz-"));
	}
}

TEST(names_are_those_of_the_specification)
{
	EXPECT_STREQ("exit-kick", vlnl_span_name(VRINGLAB_SPAN_EXIT_KICK));
	EXPECT_STREQ("kick-entry", vlnl_span_name(VRINGLAB_SPAN_KICK_ENTRY));
	EXPECT_STREQ("unknown", vlnl_span_name(VLNL_NR_SPANS));
	EXPECT_STREQ("entry", vlnl_hop_name(VRINGLAB_HOP_ENTRY));
	EXPECT_STREQ("unknown", vlnl_hop_name(VLNL_NR_HOPS));
	EXPECT_STREQ("vhost-user", vlnl_backend_name(VRINGLAB_BACKEND_VHOST_USER));
	EXPECT_STREQ("unknown", vlnl_backend_name(UINT32_MAX));
	EXPECT_STREQ("tracepoint", vlnl_probe_type_name(VRINGLAB_PROBE_TYPE_TRACEPOINT));
	EXPECT_STREQ("failed", vlnl_probe_state_name(VRINGLAB_PROBE_STATE_FAILED));
	EXPECT_STREQ("unknown", vlnl_probe_state_name(4));
}

static void put_hist(struct nlmsghdr *nlh, uint64_t count, uint32_t sub_bits)
{
	mnl_attr_put_u32(nlh, VRINGLAB_A_HIST_VRING_ID, 3);
	mnl_attr_put_u32(nlh, VRINGLAB_A_HIST_SPAN, VRINGLAB_SPAN_WAKE_CALL);
	mnl_attr_put_u64(nlh, VRINGLAB_A_HIST_COUNT, count);
	mnl_attr_put_u64(nlh, VRINGLAB_A_HIST_SUM_NS, 1000);
	mnl_attr_put_u32(nlh, VRINGLAB_A_HIST_SUB_BITS, sub_bits);
}

static void put_min_max(struct nlmsghdr *nlh)
{
	mnl_attr_put_u64(nlh, VRINGLAB_A_HIST_MIN_NS, 100);
	mnl_attr_put_u64(nlh, VRINGLAB_A_HIST_MAX_NS, 900);
}

static void put_bucket(struct nlmsghdr *nlh, uint32_t index, uint64_t count)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, VRINGLAB_A_HIST_BUCKET);

	mnl_attr_put_u32(nlh, VRINGLAB_A_BUCKET_INDEX, index);
	mnl_attr_put_u64(nlh, VRINGLAB_A_BUCKET_COUNT, count);
	mnl_attr_put_u32(nlh, FUTURE_ATTR, 1);
	mnl_attr_nest_end(nlh, nest);
}

TEST_F(message, histogram_is_read)
{
	struct vlnl_hist h;

	put_hist(self->nlh, 5, 3);
	put_min_max(self->nlh);
	put_bucket(self->nlh, 40, 2);
	put_bucket(self->nlh, 41, 3);
	ASSERT_EQ(0, vlnl_parse_hist(self->nlh, &h, &self->err));
	EXPECT_EQ(3u, h.vring_id);
	EXPECT_EQ((uint32_t)VRINGLAB_SPAN_WAKE_CALL, h.span);
	EXPECT_EQ(5u, h.hist.count);
	EXPECT_EQ(1000u, h.hist.sum);
	EXPECT_EQ(100u, h.hist.min);
	EXPECT_EQ(900u, h.hist.max);
	ASSERT_EQ(2u, h.hist.nr_buckets);
	EXPECT_EQ(41u, h.hist.buckets[1].index);
	EXPECT_EQ(3u, h.hist.buckets[1].count);
}

TEST_F(message, histogram_with_every_bucket_is_read)
{
	static struct vlnl_hist h;

	put_hist(self->nlh, 5, 3);
	put_min_max(self->nlh);
	for (uint32_t i = 0; i < VRINGLAB_HIST_BUCKETS; i++)
		put_bucket(self->nlh, i, i + 1);
	ASSERT_EQ(0, vlnl_parse_hist(self->nlh, &h, &self->err));
	ASSERT_EQ((unsigned int)VRINGLAB_HIST_BUCKETS, h.hist.nr_buckets);
	EXPECT_EQ(312u, h.hist.buckets[311].count);
	put_bucket(self->nlh, VRINGLAB_HIST_BUCKETS, 1);
	EXPECT_EQ(-EPROTO, vlnl_parse_hist(self->nlh, &h, &self->err));
}

/* An interval of two histograms; the one that is @without is left out. */
static void put_interval(struct nlmsghdr *nlh, int without)
{
	struct nlattr *nest;

	if (without != VRINGLAB_A_INTERVAL_VRING_ID)
		mnl_attr_put_u32(nlh, VRINGLAB_A_INTERVAL_VRING_ID, 7);
	if (without != VRINGLAB_A_INTERVAL_BEGIN_NS)
		mnl_attr_put_u64(nlh, VRINGLAB_A_INTERVAL_BEGIN_NS, 100);
	if (without != VRINGLAB_A_INTERVAL_END_NS)
		mnl_attr_put_u64(nlh, VRINGLAB_A_INTERVAL_END_NS, 300);
	if (without != VRINGLAB_A_INTERVAL_COUNTERS) {
		nest = mnl_attr_nest_start(nlh, VRINGLAB_A_INTERVAL_COUNTERS);
		mnl_attr_put_u64(nlh, VRINGLAB_A_COUNTERS_KICKS, 5);
		mnl_attr_nest_end(nlh, nest);
	}
	nest = mnl_attr_nest_start(nlh, VRINGLAB_A_INTERVAL_HIST);
	put_hist(nlh, 5, 3);
	put_min_max(nlh);
	put_bucket(nlh, 40, 5);
	mnl_attr_nest_end(nlh, nest);
	nest = mnl_attr_nest_start(nlh, VRINGLAB_A_INTERVAL_HIST);
	put_hist(nlh, 0, 3);
	mnl_attr_nest_end(nlh, nest);
}

TEST_F(message, interval_is_read)
{
	static struct vlnl_interval interval;

	put_interval(self->nlh, 0);
	mnl_attr_put_u32(self->nlh, FUTURE_ATTR, 1);
	ASSERT_EQ(0, vlnl_parse_interval(self->nlh, &interval, &self->err));
	EXPECT_EQ(7u, interval.vring_id);
	EXPECT_EQ(100u, interval.begin_ns);
	EXPECT_EQ(300u, interval.end_ns);
	EXPECT_EQ(7u, interval.counters.vring_id);
	EXPECT_EQ(1ull << VLNL_COUNTER_KICKS, interval.counters.present);
	EXPECT_EQ(5u, interval.counters.value[VLNL_COUNTER_KICKS]);
	ASSERT_EQ(2u, interval.nr_hists);
	EXPECT_EQ(7u, interval.hists[0].vring_id);
	EXPECT_EQ(5u, interval.hists[0].hist.count);
	ASSERT_EQ(1u, interval.hists[0].hist.nr_buckets);
	EXPECT_EQ(40u, interval.hists[0].hist.buckets[0].index);
	EXPECT_EQ(0u, interval.hists[1].hist.count);
}

TEST_F(message, interval_without_a_mandatory_attribute_is_refused)
{
	static struct vlnl_interval interval;

	for (int attr = VRINGLAB_A_INTERVAL_VRING_ID; attr <= VRINGLAB_A_INTERVAL_COUNTERS;
	     attr++) {
		self->nlh = mnl_nlmsg_put_header(self->buf);
		mnl_nlmsg_put_extra_header(self->nlh, sizeof(struct genlmsghdr));
		put_interval(self->nlh, attr);
		EXPECT_EQ(-EPROTO, vlnl_parse_interval(self->nlh, &interval, &self->err));
	}
}

TEST_F(message, interval_with_more_spans_than_are_known_is_read)
{
	static struct vlnl_interval interval;

	for (int i = 0; i < VLNL_NR_SPANS; i++)
		put_interval(self->nlh, 0);
	ASSERT_EQ(0, vlnl_parse_interval(self->nlh, &interval, &self->err));
	EXPECT_EQ((unsigned int)VLNL_NR_SPANS, interval.nr_hists);
}

static void put_threshold(struct nlmsghdr *nlh, int without)
{
	if (without != VRINGLAB_A_THRESHOLD_ID)
		mnl_attr_put_u32(nlh, VRINGLAB_A_THRESHOLD_ID, 4);
	if (without != VRINGLAB_A_THRESHOLD_SPAN)
		mnl_attr_put_u32(nlh, VRINGLAB_A_THRESHOLD_SPAN, VRINGLAB_SPAN_KICK_WAKE);
	if (without != VRINGLAB_A_THRESHOLD_NS)
		mnl_attr_put_u64(nlh, VRINGLAB_A_THRESHOLD_NS, 5000);
	if (without != VRINGLAB_A_THRESHOLD_ACTIONS)
		mnl_attr_put_u32(nlh, VRINGLAB_A_THRESHOLD_ACTIONS, 5);
	if (without != VRINGLAB_A_THRESHOLD_HITS)
		mnl_attr_put_u64(nlh, VRINGLAB_A_THRESHOLD_HITS, 6);
	if (without != VRINGLAB_A_THRESHOLD_LOST)
		mnl_attr_put_u64(nlh, VRINGLAB_A_THRESHOLD_LOST, 7);
}

TEST_F(message, threshold_is_read)
{
	struct vlnl_threshold t;

	put_threshold(self->nlh, 0);
	ASSERT_EQ(0, vlnl_parse_threshold(self->nlh, &t, &self->err));
	EXPECT_EQ(4u, t.id);
	EXPECT_EQ(0u, t.vring_id);
	EXPECT_EQ((uint32_t)VRINGLAB_SPAN_KICK_WAKE, t.span);
	EXPECT_EQ(5000u, t.ns);
	EXPECT_EQ(5u, t.actions);
	EXPECT_FALSE(t.once);
	EXPECT_EQ(6u, t.hits);
	EXPECT_EQ(7u, t.lost);
	mnl_attr_put_u32(self->nlh, VRINGLAB_A_THRESHOLD_VRING_ID, 9);
	mnl_attr_put(self->nlh, VRINGLAB_A_THRESHOLD_ONCE, 0, NULL);
	ASSERT_EQ(0, vlnl_parse_threshold(self->nlh, &t, &self->err));
	EXPECT_EQ(9u, t.vring_id);
	EXPECT_TRUE(t.once);
}

TEST_F(message, threshold_without_a_mandatory_attribute_is_refused)
{
	static const int mandatory[] = { VRINGLAB_A_THRESHOLD_ID,   VRINGLAB_A_THRESHOLD_SPAN,
					 VRINGLAB_A_THRESHOLD_NS,   VRINGLAB_A_THRESHOLD_ACTIONS,
					 VRINGLAB_A_THRESHOLD_HITS, VRINGLAB_A_THRESHOLD_LOST };
	struct vlnl_threshold t = { .id = 99 };

	for (size_t i = 0; i < ARRAY_SIZE(mandatory); i++) {
		self->nlh = mnl_nlmsg_put_header(self->buf);
		mnl_nlmsg_put_extra_header(self->nlh, sizeof(struct genlmsghdr));
		put_threshold(self->nlh, mandatory[i]);
		EXPECT_EQ(-EPROTO, vlnl_parse_threshold(self->nlh, &t, &self->err));
	}
	EXPECT_EQ(99u, t.id);
}

static void put_hit(struct nlmsghdr *nlh, int without)
{
	if (without != VRINGLAB_A_HIT_THRESHOLD_ID)
		mnl_attr_put_u32(nlh, VRINGLAB_A_HIT_THRESHOLD_ID, 4);
	if (without != VRINGLAB_A_HIT_VRING_ID)
		mnl_attr_put_u32(nlh, VRINGLAB_A_HIT_VRING_ID, 5);
	if (without != VRINGLAB_A_HIT_SPAN)
		mnl_attr_put_u32(nlh, VRINGLAB_A_HIT_SPAN, VRINGLAB_SPAN_KICK_WAKE);
	if (without != VRINGLAB_A_HIT_NS)
		mnl_attr_put_u64(nlh, VRINGLAB_A_HIT_NS, 6000);
	if (without != VRINGLAB_A_HIT_STAMP_NS)
		mnl_attr_put_u64(nlh, VRINGLAB_A_HIT_STAMP_NS, 7000);
}

TEST_F(message, hit_is_read)
{
	struct vlnl_hit h;

	put_hit(self->nlh, 0);
	ASSERT_EQ(0, vlnl_parse_hit(self->nlh, &h, &self->err));
	EXPECT_EQ(4u, h.threshold_id);
	EXPECT_EQ(5u, h.vring_id);
	EXPECT_EQ((uint32_t)VRINGLAB_SPAN_KICK_WAKE, h.span);
	EXPECT_EQ(6000u, h.ns);
	EXPECT_EQ(7000u, h.stamp_ns);
}

TEST_F(message, hit_without_an_attribute_is_refused)
{
	struct vlnl_hit h = { .threshold_id = 99 };

	for (int without = VRINGLAB_A_HIT_THRESHOLD_ID; without <= VRINGLAB_A_HIT_STAMP_NS;
	     without++) {
		self->nlh = mnl_nlmsg_put_header(self->buf);
		mnl_nlmsg_put_extra_header(self->nlh, sizeof(struct genlmsghdr));
		put_hit(self->nlh, without);
		EXPECT_EQ(-EPROTO, vlnl_parse_hit(self->nlh, &h, &self->err));
	}
	EXPECT_EQ(99u, h.threshold_id);
}

TEST_F(message, empty_histogram_needs_no_minimum)
{
	struct vlnl_hist h;

	put_hist(self->nlh, 0, 3);
	ASSERT_EQ(0, vlnl_parse_hist(self->nlh, &h, &self->err));
	EXPECT_EQ(0u, h.hist.count);
	EXPECT_EQ(0u, h.hist.nr_buckets);
}

TEST_F(message, full_histogram_without_a_minimum_is_refused)
{
	struct vlnl_hist h;

	put_hist(self->nlh, 1, 3);
	EXPECT_EQ(-EPROTO, vlnl_parse_hist(self->nlh, &h, &self->err));
	EXPECT_NE(NULL, strstr(self->err.msg, "min-ns"));
}

TEST_F(message, histogram_with_impossible_sub_bits_is_refused)
{
	struct vlnl_hist h;

	put_hist(self->nlh, 0, VL_HIST_SUB_BITS_MAX + 1);
	EXPECT_EQ(-EPROTO, vlnl_parse_hist(self->nlh, &h, &self->err));
}

TEST_F(message, bucket_out_of_range_is_refused)
{
	struct vlnl_hist h;

	put_hist(self->nlh, 0, 3);
	/* 64-bit values have buckets 0 to 495. */
	put_bucket(self->nlh, 495, 1);
	EXPECT_EQ(0, vlnl_parse_hist(self->nlh, &h, &self->err));
	put_bucket(self->nlh, 496, 1);
	EXPECT_EQ(-EPROTO, vlnl_parse_hist(self->nlh, &h, &self->err));
}

TEST_F(message, bucket_out_of_order_is_refused)
{
	struct vlnl_hist h;

	put_hist(self->nlh, 0, 3);
	put_bucket(self->nlh, 9, 1);
	put_bucket(self->nlh, 9, 1);
	EXPECT_EQ(-EPROTO, vlnl_parse_hist(self->nlh, &h, &self->err));
}

TEST_F(message, bucket_without_a_count_is_refused)
{
	struct nlattr *nest;
	struct vlnl_hist h;

	put_hist(self->nlh, 0, 3);
	nest = mnl_attr_nest_start(self->nlh, VRINGLAB_A_HIST_BUCKET);
	mnl_attr_put_u32(self->nlh, VRINGLAB_A_BUCKET_INDEX, 1);
	mnl_attr_nest_end(self->nlh, nest);
	EXPECT_EQ(-EPROTO, vlnl_parse_hist(self->nlh, &h, &self->err));
}

TEST_F(message, probe_is_read)
{
	struct vlnl_probe p;

	mnl_attr_put_strz(self->nlh, VRINGLAB_A_PROBE_NAME, "eventfd_signal");
	EXPECT_EQ(-EPROTO, vlnl_parse_probe(self->nlh, &p, &self->err));
	mnl_attr_put_u32(self->nlh, VRINGLAB_A_PROBE_TYPE, VRINGLAB_PROBE_TYPE_FUNCTION);
	EXPECT_EQ(-EPROTO, vlnl_parse_probe(self->nlh, &p, &self->err));
	mnl_attr_put_u32(self->nlh, VRINGLAB_A_PROBE_STATE, VRINGLAB_PROBE_STATE_FAILED);
	/* One that serves no hop. */
	ASSERT_EQ(0, vlnl_parse_probe(self->nlh, &p, &self->err));
	EXPECT_EQ(0u, p.hops);
	mnl_attr_put_u32(self->nlh, VRINGLAB_A_PROBE_HOP, VRINGLAB_HOP_CALL);
	ASSERT_EQ(0, vlnl_parse_probe(self->nlh, &p, &self->err));
	EXPECT_STREQ("eventfd_signal", p.name);
	EXPECT_STREQ("", p.module);
	EXPECT_EQ(VLNL_HOP(VRINGLAB_HOP_CALL), p.hops);
	EXPECT_EQ(0u, p.error);
	mnl_attr_put_strz(self->nlh, VRINGLAB_A_PROBE_MODULE, "kvm");
	mnl_attr_put_u32(self->nlh, VRINGLAB_A_PROBE_ERRNO, EBUSY);
	ASSERT_EQ(0, vlnl_parse_probe(self->nlh, &p, &self->err));
	EXPECT_STREQ("kvm", p.module);
	EXPECT_EQ((uint32_t)EBUSY, p.error);
}

TEST_F(message, probe_has_every_hop_of_its_answer)
{
	struct vlnl_probe p;

	mnl_attr_put_u32(self->nlh, VRINGLAB_A_PROBE_HOP, VRINGLAB_HOP_KICK);
	mnl_attr_put_strz(self->nlh, VRINGLAB_A_PROBE_NAME, "eventfd_write");
	mnl_attr_put_u32(self->nlh, VRINGLAB_A_PROBE_TYPE, VRINGLAB_PROBE_TYPE_FUNCTION);
	mnl_attr_put_u32(self->nlh, VRINGLAB_A_PROBE_HOP, VRINGLAB_HOP_CALL);
	mnl_attr_put_u32(self->nlh, VRINGLAB_A_PROBE_STATE, VRINGLAB_PROBE_STATE_IDLE);
	/* of newer modules: one that fits, and those that do not */
	mnl_attr_put_u32(self->nlh, VRINGLAB_A_PROBE_HOP, 31);
	mnl_attr_put_u32(self->nlh, VRINGLAB_A_PROBE_HOP, 32);
	mnl_attr_put_u32(self->nlh, VRINGLAB_A_PROBE_HOP, UINT32_MAX);
	ASSERT_EQ(0, vlnl_parse_probe(self->nlh, &p, &self->err));
	EXPECT_EQ(VLNL_HOP(VRINGLAB_HOP_KICK) | VLNL_HOP(VRINGLAB_HOP_CALL) | VLNL_HOP(31), p.hops);
	/* the last one counts like the first */
	mnl_attr_put_u16(self->nlh, VRINGLAB_A_PROBE_HOP, VRINGLAB_HOP_WAKE);
	EXPECT_EQ(-EPROTO, vlnl_parse_probe(self->nlh, &p, &self->err));
}

static void put_vcpu(struct nlmsghdr *nlh)
{
	static const uint16_t attrs[] = {
		VRINGLAB_A_VCPU_ID,  VRINGLAB_A_VCPU_VM,  VRINGLAB_A_VCPU_VCPU_ID,
		VRINGLAB_A_VCPU_PID, VRINGLAB_A_VCPU_TID, VRINGLAB_A_VCPU_ISA,
	};

	for (size_t i = 0; i < ARRAY_SIZE(attrs); i++)
		mnl_attr_put_u32(nlh, attrs[i], i + 1);
}

static void put_reason(struct nlmsghdr *nlh, uint32_t code, uint64_t count)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, VRINGLAB_A_VCPU_EXIT_REASON);

	mnl_attr_put_u32(nlh, VRINGLAB_A_EXIT_REASON_CODE, code);
	mnl_attr_put_u64(nlh, VRINGLAB_A_EXIT_REASON_COUNT, count);
	mnl_attr_nest_end(nlh, nest);
}

TEST_F(message, vcpu_is_read)
{
	struct vlnl_vcpu v;

	put_vcpu(self->nlh);
	mnl_attr_put_u64(self->nlh, VRINGLAB_A_VCPU_EXITS, 1ull << 40);
	put_reason(self->nlh, 0x400, 3);
	put_reason(self->nlh, 0x401, 1ull << 33);
	ASSERT_EQ(0, vlnl_parse_vcpu(self->nlh, &v, &self->err));
	EXPECT_EQ(1u, v.id);
	EXPECT_EQ(2u, v.vm);
	EXPECT_EQ(3u, v.vcpu_id);
	EXPECT_EQ(4u, v.pid);
	EXPECT_EQ(5u, v.tid);
	EXPECT_EQ(6u, v.isa);
	EXPECT_EQ(1ull << VLNL_VCPU_COUNTER_EXITS, v.present);
	EXPECT_EQ(1ull << 40, v.value[VLNL_VCPU_COUNTER_EXITS]);
	ASSERT_EQ(2u, v.nr_reasons);
	EXPECT_EQ(0x401u, v.reasons[1].code);
	EXPECT_EQ(1ull << 33, v.reasons[1].count);
}

TEST_F(message, vcpu_with_a_bad_reason_is_refused)
{
	struct vlnl_vcpu v = { .id = 77 };
	struct nlattr *nest;

	put_vcpu(self->nlh);
	nest = mnl_attr_nest_start(self->nlh, VRINGLAB_A_VCPU_EXIT_REASON);
	mnl_attr_put_u32(self->nlh, VRINGLAB_A_EXIT_REASON_CODE, 1);
	mnl_attr_nest_end(self->nlh, nest);
	EXPECT_EQ(-EPROTO, vlnl_parse_vcpu(self->nlh, &v, &self->err));
	EXPECT_EQ(77u, v.id);
}

TEST_F(message, vcpu_with_more_reasons_than_fit_is_refused)
{
	struct vlnl_vcpu v;

	put_vcpu(self->nlh);
	for (uint32_t i = 0; i < VLNL_EXIT_REASONS_MAX; i++)
		put_reason(self->nlh, i, 1);
	ASSERT_EQ(0, vlnl_parse_vcpu(self->nlh, &v, &self->err));
	EXPECT_EQ(VLNL_EXIT_REASONS_MAX, v.nr_reasons);
	put_reason(self->nlh, VLNL_EXIT_REASONS_MAX, 1);
	EXPECT_EQ(-EPROTO, vlnl_parse_vcpu(self->nlh, &v, &self->err));
}

TEST(exit_reasons_have_the_kernels_names)
{
	EXPECT_STREQ("HLT", vlnl_exit_reason_name(VRINGLAB_ISA_VMX, 12));
	EXPECT_STREQ("EPT_MISCONFIG", vlnl_exit_reason_name(VRINGLAB_ISA_VMX, 49));
	EXPECT_STREQ("hlt", vlnl_exit_reason_name(VRINGLAB_ISA_SVM, 0x78));
	EXPECT_STREQ("npf", vlnl_exit_reason_name(VRINGLAB_ISA_SVM, 0x400));
	EXPECT_EQ(NULL, vlnl_exit_reason_name(VRINGLAB_ISA_SVM, 0x3ff));
	EXPECT_EQ(NULL, vlnl_exit_reason_name(VRINGLAB_ISA_UNKNOWN, 12));
	EXPECT_STREQ("unknown", vlnl_isa_name(3));
}

TEST_F(message, message_without_attributes_is_refused)
{
	struct vlnl_vring v;
	struct vlnl_probe p;
	struct vlnl_hist h;

	/* No payload at all, not even a generic netlink header. */
	self->nlh = mnl_nlmsg_put_header(self->buf);
	EXPECT_EQ(-EPROTO, vlnl_parse_vring(self->nlh, &v, NULL));
	EXPECT_EQ(-EPROTO, vlnl_parse_hist(self->nlh, &h, NULL));
	EXPECT_EQ(-EPROTO, vlnl_parse_probe(self->nlh, &p, NULL));
}

/* A request with two attributes, and an answer that carries an error. */
FIXTURE(ack)
{
	struct nlmsghdr *request;
	struct nlmsghdr *nlh;
	struct vl_err err;
	char request_buf[512] __attribute__((aligned(8)));
	char buf[1024] __attribute__((aligned(8)));
};

FIXTURE_VARIANT(ack)
{
	bool capped;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(ack, capped) { .capped = true };
FIXTURE_VARIANT_ADD(ack, with_request) { .capped = false };
/* clang-format on */

static void put_error(struct nlmsghdr *nlh, int error, const struct nlmsghdr *request, bool capped)
{
	struct nlmsgerr *e = mnl_nlmsg_put_extra_header(nlh, sizeof(*e));

	nlh->nlmsg_type = NLMSG_ERROR;
	nlh->nlmsg_flags = capped ? NLM_F_CAPPED : 0;
	e->error = error;
	e->msg = *request;
	if (!capped)
		memcpy(mnl_nlmsg_put_extra_header(nlh, request->nlmsg_len - sizeof(*request)),
		       request + 1, request->nlmsg_len - sizeof(*request));
}

FIXTURE_SETUP(ack)
{
	memset(self, 0, sizeof(*self));
	self->request = mnl_nlmsg_put_header(self->request_buf);
	mnl_nlmsg_put_extra_header(self->request, sizeof(struct genlmsghdr));
	mnl_attr_put_strz(self->request, VRINGLAB_A_VRING_LABEL, "bad label");
	mnl_attr_put_u32(self->request, VRINGLAB_A_VRING_KICK_FD, 99);
	self->nlh = mnl_nlmsg_put_header(self->buf);
}

FIXTURE_TEARDOWN(ack)
{
}

TEST_F(ack, zero_is_success)
{
	put_error(self->nlh, 0, self->request, variant->capped);
	EXPECT_EQ(0, vlnl_parse_ack(self->nlh, self->request, &self->err));
}

TEST_F(ack, errno_alone_has_its_text)
{
	put_error(self->nlh, -EBUSY, self->request, variant->capped);
	EXPECT_EQ(-EBUSY, vlnl_parse_ack(self->nlh, self->request, &self->err));
	EXPECT_EQ(-EBUSY, self->err.code);
	EXPECT_STREQ(strerror(EBUSY), self->err.msg);
}

TEST_F(ack, text_and_attribute_are_told)
{
	const size_t kick_fd = sizeof(struct nlmsghdr) + sizeof(struct genlmsghdr) + NLA_HDRLEN +
			       NLA_ALIGN(sizeof("bad label"));

	put_error(self->nlh, -EBADF, self->request, variant->capped);
	self->nlh->nlmsg_flags |= NLM_F_ACK_TLVS;
	mnl_attr_put_strz(self->nlh, NLMSGERR_ATTR_MSG, "not a descriptor");
	mnl_attr_put_u32(self->nlh, NLMSGERR_ATTR_OFFS, kick_fd);
	EXPECT_EQ(-EBADF, vlnl_parse_ack(self->nlh, self->request, &self->err));
	EXPECT_STREQ("not a descriptor (attribute 4 of the request)", self->err.msg);
}

TEST_F(ack, text_without_the_flag_is_not_read)
{
	put_error(self->nlh, -EBADF, self->request, variant->capped);
	mnl_attr_put_strz(self->nlh, NLMSGERR_ATTR_MSG, "not a descriptor");
	EXPECT_EQ(-EBADF, vlnl_parse_ack(self->nlh, self->request, &self->err));
	EXPECT_STREQ(strerror(EBADF), self->err.msg);
}

TEST_F(ack, missing_attribute_is_told)
{
	put_error(self->nlh, -EINVAL, self->request, variant->capped);
	self->nlh->nlmsg_flags |= NLM_F_ACK_TLVS;
	mnl_attr_put_u32(self->nlh, NLMSGERR_ATTR_MISS_TYPE, 5);
	EXPECT_EQ(-EINVAL, vlnl_parse_ack(self->nlh, self->request, &self->err));
	EXPECT_STREQ("the request lacks attribute 5", self->err.msg);
}

TEST_F(ack, end_of_dump_carries_an_error_too)
{
	int *code = mnl_nlmsg_put_extra_header(self->nlh, sizeof(*code));

	self->nlh->nlmsg_type = NLMSG_DONE;
	*code = 0;
	EXPECT_EQ(0, vlnl_parse_ack(self->nlh, self->request, &self->err));
	*code = -EPERM;
	self->nlh->nlmsg_flags = NLM_F_ACK_TLVS;
	mnl_attr_put_strz(self->nlh, NLMSGERR_ATTR_MSG, "not yours");
	EXPECT_EQ(-EPERM, vlnl_parse_ack(self->nlh, self->request, &self->err));
	EXPECT_STREQ("not yours", self->err.msg);
}

TEST_F(ack, short_one_is_refused)
{
	self->nlh->nlmsg_type = NLMSG_ERROR;
	EXPECT_EQ(-EPROTO, vlnl_parse_ack(self->nlh, self->request, &self->err));
	*(int *)mnl_nlmsg_put_extra_header(self->nlh, sizeof(int)) = -EINVAL;
	EXPECT_EQ(-EPROTO, vlnl_parse_ack(self->nlh, self->request, &self->err));
}

TEST_HARNESS_MAIN
