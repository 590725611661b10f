// SPDX-License-Identifier: GPL-2.0-only
/*
 * The layout over netlink: layout-get, layout-set.
 */
#include "vringlab.h"

#include <linux/netlink.h>
#include <net/genetlink.h>
#include <net/netlink.h>

#include "layout.h"
#include "nl.h"

#define NAME_LEN 64

const struct nla_policy vl_nl_layout_policy[VL_NL_LAYOUT_MAX + 1] = {
	[VRINGLAB_A_LAYOUT_GENERATION] = { .type = NLA_U32 },
	[VRINGLAB_A_LAYOUT_NAME] = { .type = NLA_NUL_STRING, .len = NAME_LEN - 1 },
	[VRINGLAB_A_LAYOUT_SIZE] = { .type = NLA_U32 },
	[VRINGLAB_A_LAYOUT_OFFSET] = { .type = NLA_U32 },
};

static int fill_layout(const struct vl_nl_reply *reply, u32 generation,
		       const struct vl_layout_info *info)
{
	struct sk_buff *skb = reply->skb;
	void *hdr = vl_nl_begin(reply, VRINGLAB_CMD_LAYOUT_GET);

	if (!hdr)
		return -EMSGSIZE;

	return vl_nl_end(reply, hdr,
			 nla_put_u32(skb, VRINGLAB_A_LAYOUT_GENERATION, generation) ||
				 nla_put_string(skb, VRINGLAB_A_LAYOUT_NAME, info->name) ||
				 nla_put_u32(skb, VRINGLAB_A_LAYOUT_SIZE, info->size) ||
				 (info->offset >= 0 &&
				  nla_put_u32(skb, VRINGLAB_A_LAYOUT_OFFSET, info->offset)) ||
				 (info->module &&
				  nla_put_string(skb, VRINGLAB_A_LAYOUT_MODULE, info->module)));
}

int vl_nl_layout_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct vl_nl_reply reply = vl_nl_dump_reply(skb, cb);
	struct vl_nl_dump *dump = vl_nl_dump_of(cb);
	u32 generation = vl_layout_generation();
	struct vl_layout_info info;
	int ret = 0;

	/* Each message has its generation. */
	reply.cb = NULL;
	while (!ret && vl_layout_info(dump->id, &info)) {
		ret = fill_layout(&reply, generation, &info);
		dump->id += !ret;
	}

	return skb->len ?: ret;
}

/* GENL_ADMIN_PERM has asked for CAP_NET_ADMIN, which says nothing about memory. */
static bool may_set(struct sk_buff *skb, struct genl_info *info)
{
	if (netlink_capable(skb, CAP_SYS_ADMIN))
		return true;

	NL_SET_ERR_MSG(info->extack, "telling a layout needs CAP_SYS_ADMIN besides");
	return false;
}

int vl_nl_layout_set(struct sk_buff *skb, struct genl_info *info)
{
	char name[NAME_LEN];
	struct vl_layout_req req = {
		.name = name,
		.name_attr = vl_nl_require(info, VRINGLAB_A_LAYOUT_NAME),
		.offset_attr = vl_nl_require(info, VRINGLAB_A_LAYOUT_OFFSET),
		.size_attr = vl_nl_require(info, VRINGLAB_A_LAYOUT_SIZE),
		.generation_attr = vl_nl_require(info, VRINGLAB_A_LAYOUT_GENERATION),
	};

	if (!may_set(skb, info))
		return -EPERM;
	if (!req.name_attr || !req.offset_attr || !req.size_attr || !req.generation_attr)
		return -EINVAL;

	nla_strscpy(name, req.name_attr, sizeof(name));
	req.offset = nla_get_u32(req.offset_attr);
	req.size = nla_get_u32(req.size_attr);
	req.generation = nla_get_u32(req.generation_attr);

	return vl_layout_set(&req, info->extack);
}
