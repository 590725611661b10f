// SPDX-License-Identifier: GPL-2.0-only
/*
 * Intervals over netlink: interval-get, interval-reset.
 */
#include "vringlab.h"

#include <linux/mutex.h>
#include <linux/netlink.h>
#include <net/genetlink.h>
#include <net/netlink.h>

#include "nl.h"

const struct nla_policy vl_nl_interval_policy[VL_NL_INTERVAL_MAX + 1] = {
	[VRINGLAB_A_INTERVAL_VRING_ID] = { .type = NLA_U32 },
};

/* At most: all counters, and histograms in which no bucket is empty. */
#define INTERVAL_SIZE (NLMSG_GOODSIZE + VL_SPANS * nla_total_size(VL_NL_HIST_SIZE))

static bool put_nested_counters(struct sk_buff *skb, const struct vl_stats *stats)
{
	struct nlattr *nest = nla_nest_start(skb, VRINGLAB_A_INTERVAL_COUNTERS);

	if (!nest || vl_nl_put_counters(skb, stats->counters))
		return true;

	nla_nest_end(skb, nest);
	return false;
}

static bool put_nested_hist(struct sk_buff *skb, const struct vl_stats *stats, u32 span)
{
	struct nlattr *nest = nla_nest_start(skb, VRINGLAB_A_INTERVAL_HIST);

	if (!nest || vl_nl_put_hist(skb, span, &stats->spans[span]))
		return true;

	nla_nest_end(skb, nest);
	return false;
}

static bool put_interval(struct sk_buff *skb, const struct vl_interval *interval)
{
	u32 span;

	if (nla_put_u64_64bit(skb, VRINGLAB_A_INTERVAL_BEGIN_NS, interval->begin_ns,
			      VRINGLAB_A_INTERVAL_PAD) ||
	    nla_put_u64_64bit(skb, VRINGLAB_A_INTERVAL_END_NS, interval->end_ns,
			      VRINGLAB_A_INTERVAL_PAD) ||
	    put_nested_counters(skb, &interval->stats))
		return true;
	for (span = 0; span < VL_SPANS; span++)
		if (put_nested_hist(skb, &interval->stats, span))
			return true;

	return false;
}

/* Under vl_vrings_lock. @skb has room, so that what was reset is also told. */
static int fill_interval(const struct vl_nl_reply *reply, struct vl_vring *vring, u8 cmd)
{
	/* Too big for the stack. */
	static struct vl_interval interval;
	void *hdr = vl_nl_begin(reply, cmd);
	int ret = 0;

	if (!hdr)
		return -EMSGSIZE;

	vl_vhost_settle(vring);
	if (cmd == VRINGLAB_CMD_INTERVAL_RESET)
		ret = vl_interval_reset(vring, &interval);
	else
		vl_interval_get(vring, &interval);
	if (ret)
		return ret;

	return vl_nl_end(reply, hdr,
			 nla_put_u32(reply->skb, VRINGLAB_A_INTERVAL_VRING_ID, vring->id) ||
				 put_interval(reply->skb, &interval));
}

/* Both operations: the command says which. */
int vl_nl_interval(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *id = vl_nl_require(info, VRINGLAB_A_INTERVAL_VRING_ID);
	struct vl_nl_reply reply = { .portid = info->snd_portid, .seq = info->snd_seq };
	struct vl_vring *vring;
	int ret;

	if (!id)
		return -EINVAL;

	reply.skb = genlmsg_new(INTERVAL_SIZE, GFP_KERNEL);
	if (!reply.skb)
		return -ENOMEM;

	mutex_lock(&vl_vrings_lock);
	vring = vl_vring_find(nla_get_u32(id));
	ret = vring ? fill_interval(&reply, vring, info->genlhdr->cmd) : -ENOENT;
	mutex_unlock(&vl_vrings_lock);

	if (!ret)
		return genlmsg_reply(reply.skb, info);

	if (ret == -ENOENT)
		NL_SET_ERR_MSG_ATTR(info->extack, id, "no vring has this id");
	nlmsg_free(reply.skb);
	return ret;
}
