// SPDX-License-Identifier: GPL-2.0-only
/*
 * Histograms over netlink: hist-get.
 */
#include "vringlab.h"

#include <linux/netlink.h>
#include <net/genetlink.h>
#include <net/netlink.h>

#include "hist.h"
#include "nl.h"

const struct nla_policy vl_nl_hist_policy[VL_NL_HIST_MAX + 1] = {
	[VRINGLAB_A_HIST_VRING_ID] = { .type = NLA_U32 },
	[VRINGLAB_A_HIST_SPAN] = NLA_POLICY_MAX(NLA_U32, VRINGLAB_SPAN_KICK_ENTRY),
};

#define MESSAGE_SIZE (GENL_HDRLEN + nla_total_size(sizeof(u32)) + VL_NL_HIST_SIZE)

static bool put_bucket(struct sk_buff *skb, unsigned int index, u64 count)
{
	struct nlattr *nest = nla_nest_start(skb, VRINGLAB_A_HIST_BUCKET);

	if (!nest || nla_put_u32(skb, VRINGLAB_A_BUCKET_INDEX, index) ||
	    nla_put_u64_64bit(skb, VRINGLAB_A_BUCKET_COUNT, count, VRINGLAB_A_BUCKET_PAD))
		return true;

	nla_nest_end(skb, nest);
	return false;
}

bool vl_nl_put_hist(struct sk_buff *skb, u32 span, const struct vl_span_stats *sum)
{
	u64 count = vl_stats_count(sum);
	unsigned int i, last;

	if (nla_put_u32(skb, VRINGLAB_A_HIST_SPAN, span) ||
	    nla_put_u64_64bit(skb, VRINGLAB_A_HIST_COUNT, count, VRINGLAB_A_HIST_PAD) ||
	    nla_put_u64_64bit(skb, VRINGLAB_A_HIST_SUM_NS, sum->sum_ns, VRINGLAB_A_HIST_PAD) ||
	    nla_put_u32(skb, VRINGLAB_A_HIST_SUB_BITS, VRINGLAB_HIST_SUB_BITS))
		return true;
	if (!count)
		return false;

	if (nla_put_u64_64bit(skb, VRINGLAB_A_HIST_MIN_NS, sum->min_ns, VRINGLAB_A_HIST_PAD) ||
	    nla_put_u64_64bit(skb, VRINGLAB_A_HIST_MAX_NS, sum->max_ns, VRINGLAB_A_HIST_PAD))
		return true;
	last = vl_hist_index(sum->max_ns);
	for (i = vl_hist_index(sum->min_ns); i <= last; i++)
		if (sum->buckets[i] && put_bucket(skb, i, sum->buckets[i]))
			return true;

	return false;
}

static int fill_hist(const struct vl_nl_reply *reply, const struct vl_vring *vring,
		     unsigned int span)
{
	/* Too big for the stack; under vl_vrings_lock. */
	static struct vl_span_stats sum;
	void *hdr = vl_nl_begin(reply, VRINGLAB_CMD_HIST_GET);

	if (!hdr)
		return -EMSGSIZE;

	vl_stats_read_span(vring, span, &sum);
	return vl_nl_end(reply, hdr,
			 nla_put_u32(reply->skb, VRINGLAB_A_HIST_VRING_ID, vring->id) ||
				 vl_nl_put_hist(reply->skb, span, &sum));
}

int vl_nl_hist_get(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *id = vl_nl_require(info, VRINGLAB_A_HIST_VRING_ID);
	struct nlattr *span = vl_nl_require(info, VRINGLAB_A_HIST_SPAN);

	return id && span ? vl_nl_get(skb, info, id, fill_hist, nla_get_u32(span), MESSAGE_SIZE) :
			    -EINVAL;
}

int vl_nl_hist_dump_start(struct netlink_callback *cb)
{
	cb->min_dump_alloc = NLMSG_ALIGN(nlmsg_total_size(MESSAGE_SIZE));
	return vl_nl_dump_start(cb);
}

int vl_nl_hist_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	return vl_nl_dump_vrings(skb, cb, fill_hist, VL_SPANS);
}
