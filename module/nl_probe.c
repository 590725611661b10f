// SPDX-License-Identifier: GPL-2.0-only
/*
 * Probes over netlink: probe-get.
 */
#include "vringlab.h"

#include <linux/bitops.h>
#include <linux/netlink.h>
#include <net/genetlink.h>
#include <net/netlink.h>

#include "nl.h"

static int put_hops(struct sk_buff *skb, unsigned long hops)
{
	unsigned int hop;

	for_each_set_bit(hop, &hops, BITS_PER_LONG)
		if (nla_put_u32(skb, VRINGLAB_A_PROBE_HOP, hop))
			return -EMSGSIZE;

	return 0;
}

static int fill_probe(const struct vl_nl_reply *reply, const struct vl_probe_info *info)
{
	struct sk_buff *skb = reply->skb;
	void *hdr = vl_nl_begin(reply, VRINGLAB_CMD_PROBE_GET);

	if (!hdr)
		return -EMSGSIZE;

	return vl_nl_end(reply, hdr,
			 nla_put_string(skb, VRINGLAB_A_PROBE_NAME, info->name) ||
				 (info->module &&
				  nla_put_string(skb, VRINGLAB_A_PROBE_MODULE, info->module)) ||
				 nla_put_u32(skb, VRINGLAB_A_PROBE_TYPE, info->type) ||
				 put_hops(skb, info->hops) ||
				 nla_put_u32(skb, VRINGLAB_A_PROBE_STATE, info->state) ||
				 (info->state == VRINGLAB_PROBE_STATE_FAILED &&
				  nla_put_u32(skb, VRINGLAB_A_PROBE_ERRNO, info->error)));
}

int vl_nl_probe_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct vl_nl_reply reply = vl_nl_dump_reply(skb, cb);
	struct vl_nl_dump *dump = vl_nl_dump_of(cb);
	struct vl_probe_info info;
	int ret = 0;

	/* Probes do not come and go, only their state changes. */
	reply.cb = NULL;
	while (!ret && vl_hooks_info(dump->id, &info)) {
		ret = fill_probe(&reply, &info);
		dump->id += !ret;
	}

	return skb->len ?: ret;
}
