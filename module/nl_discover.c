// SPDX-License-Identifier: GPL-2.0-only
/*
 * Discovery over netlink: discover-get, discover-set.
 */
#include "vringlab.h"

#include <linux/mutex.h>
#include <linux/netlink.h>
#include <net/genetlink.h>
#include <net/netlink.h>

#include "found.h"
#include "nl.h"

const struct nla_policy vl_nl_discover_policy[VL_NL_DISCOVER_MAX + 1] = {
	[VRINGLAB_A_DISCOVER_ENABLED] = NLA_POLICY_MAX(NLA_U32, 1),
	[VRINGLAB_A_DISCOVER_PERSIST] = { .type = NLA_FLAG },
};

static int fill_discover(struct sk_buff *skb)
{
	bool on, persists;

	mutex_lock(&vl_vrings_lock);
	on = vl_discovering();
	persists = vl_discover_persists();
	mutex_unlock(&vl_vrings_lock);

	if (nla_put_u32(skb, VRINGLAB_A_DISCOVER_ENABLED, on) ||
	    (persists && nla_put_flag(skb, VRINGLAB_A_DISCOVER_PERSIST)) ||
	    nla_put_u64_64bit(skb, VRINGLAB_A_DISCOVER_LOST, vl_found_lost(),
			      VRINGLAB_A_DISCOVER_PAD))
		return -EMSGSIZE;
	return 0;
}

int vl_nl_discover_get(struct sk_buff *skb, struct genl_info *info)
{
	struct sk_buff *reply;
	void *hdr;

	reply = genlmsg_new(NLMSG_GOODSIZE, GFP_KERNEL);
	if (!reply)
		return -ENOMEM;

	hdr = genlmsg_put_reply(reply, info, &vl_nl_family, 0, VRINGLAB_CMD_DISCOVER_GET);
	if (!hdr || fill_discover(reply)) {
		nlmsg_free(reply);
		return -EMSGSIZE;
	}
	genlmsg_end(reply, hdr);
	return genlmsg_reply(reply, info);
}

int vl_nl_discover_set(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *enabled = vl_nl_require(info, VRINGLAB_A_DISCOVER_ENABLED);

	if (!enabled)
		return -EINVAL;

	return vl_discover_set(nla_get_u32(enabled),
			       nla_get_flag(info->attrs[VRINGLAB_A_DISCOVER_PERSIST]),
			       info->snd_portid, info->extack);
}
