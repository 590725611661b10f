// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counters over netlink: counters-get.
 */
#include "vringlab.h"

#include <linux/netlink.h>
#include <net/genetlink.h>
#include <net/netlink.h>

#include "nl.h"

const struct nla_policy vl_nl_counters_policy[VL_NL_COUNTERS_MAX + 1] = {
	[VRINGLAB_A_COUNTERS_VRING_ID] = { .type = NLA_U32 },
};

/* Attributes in the contract's order; each is the sum of a range of counters. */
static const struct {
	u16 attr;
	u8 first;
	u8 last;
} counter_attrs[] = {
/* clang-format off */
#define ONE(name)		{ VRINGLAB_A_COUNTERS_##name, VL_##name, VL_##name }
#define SUM(name, from, to)	{ VRINGLAB_A_COUNTERS_##name, VL_##from, VL_##to }
	SUM(KICKS, KICKS_KVM, KICKS_OTHER),
	ONE(KICKS_KVM),
	ONE(KICKS_WRITE),
	ONE(KICKS_IO_URING),
	ONE(KICKS_OTHER),
	ONE(KICK_COALESCED),
	SUM(WAKES, WAKES_READ, WAKES_IO_URING),
	ONE(WAKES_READ),
	ONE(WAKES_VHOST),
	ONE(WAKES_IO_URING),
	ONE(WAKE_UNMATCHED),
	ONE(WAKE_SPURIOUS),
	ONE(WAKE_SUPERSEDED),
	ONE(REQUEUES),
	ONE(TAKEN),
	ONE(USED),
	ONE(NOTIFIES),
	ONE(NOTIFIES_SUPPRESSED_FLAGS),
	ONE(NOTIFIES_SUPPRESSED_EVENT),
	ONE(NOTIFIES_UNHEARD),
	SUM(CALLS, CALLS_VHOST, CALLS_OTHER),
	ONE(CALLS_VHOST),
	ONE(CALLS_WRITE),
	ONE(CALLS_IO_URING),
	ONE(CALLS_OTHER),
	ONE(CALL_COALESCED),
	ONE(CALL_UNMATCHED),
	SUM(INJECTS, INJECTS_ATOMIC, INJECTS_DEFERRED),
	ONE(INJECTS_ATOMIC),
	ONE(INJECTS_DEFERRED),
	ONE(INJECT_COALESCED),
	ONE(INJECT_UNMATCHED),
	ONE(INJECT_ABANDONED),
	ONE(ENTRIES),
	ONE(EXIT_MISSED),
	ONE(VCPU_MISSED),
	ONE(MISSED),
	ONE(ACAUSAL),
#undef SUM
#undef ONE
	/* clang-format on */
};

bool vl_nl_put_counters(struct sk_buff *skb, const u64 *counters)
{
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(counter_attrs); i++) {
		u64 sum = 0;

		for (j = counter_attrs[i].first; j <= counter_attrs[i].last; j++)
			sum += counters[j];
		if (nla_put_u64_64bit(skb, counter_attrs[i].attr, sum, VRINGLAB_A_COUNTERS_PAD))
			return true;
	}

	return false;
}

static int fill_counters(const struct vl_nl_reply *reply, const struct vl_vring *vring,
			 unsigned int unused)
{
	void *hdr = vl_nl_begin(reply, VRINGLAB_CMD_COUNTERS_GET);
	u64 counters[VL_COUNTERS];

	if (!hdr)
		return -EMSGSIZE;

	vl_stats_read_counters(vring, counters);
	vl_vhost_read(vring, &counters[VL_TAKEN], &counters[VL_USED]);
	return vl_nl_end(reply, hdr,
			 nla_put_u32(reply->skb, VRINGLAB_A_COUNTERS_VRING_ID, vring->id) ||
				 vl_nl_put_counters(reply->skb, counters));
}

int vl_nl_counters_get(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *id = vl_nl_require(info, VRINGLAB_A_COUNTERS_VRING_ID);

	return id ? vl_nl_get(skb, info, id, fill_counters, 0, NLMSG_GOODSIZE) : -EINVAL;
}

int vl_nl_counters_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	return vl_nl_dump_vrings(skb, cb, fill_counters, 1);
}
