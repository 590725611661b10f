// SPDX-License-Identifier: GPL-2.0-only
/*
 * What all answers of the netlink family have in common: one object or a dump of
 * all vrings.
 */
#include "vringlab.h"

#include <linux/mutex.h>
#include <linux/netlink.h>
#include <net/genetlink.h>
#include <net/netlink.h>

#include "nl.h"

void *vl_nl_begin(const struct vl_nl_reply *reply, u8 cmd)
{
	void *hdr;

	hdr = genlmsg_put(reply->skb, reply->portid, reply->seq, &vl_nl_family, reply->flags, cmd);
	if (hdr && reply->cb)
		genl_dump_check_consistent(reply->cb, hdr);
	return hdr;
}

/* @err: whether an attribute did not fit. */
int vl_nl_end(const struct vl_nl_reply *reply, void *hdr, bool err)
{
	if (err) {
		genlmsg_cancel(reply->skb, hdr);
		return -EMSGSIZE;
	}
	genlmsg_end(reply->skb, hdr);
	return 0;
}

struct nlattr *vl_nl_require(struct genl_info *info, unsigned int attr)
{
	if (GENL_REQ_ATTR_CHECK(info, attr))
		NL_SET_ERR_MSG(info->extack, "an attribute that is required is missing");
	return info->attrs[attr];
}

int vl_nl_get(struct sk_buff *skb, struct genl_info *info, const struct nlattr *id,
	      vl_nl_fill_t fill, unsigned int arg, size_t size)
{
	struct vl_nl_reply reply = {
		.portid = info->snd_portid,
		.seq = info->snd_seq,
		.admin = netlink_capable(skb, CAP_NET_ADMIN),
	};
	struct vl_vring *vring;
	int ret;

	reply.skb = genlmsg_new(size, GFP_KERNEL);
	if (!reply.skb)
		return -ENOMEM;

	mutex_lock(&vl_vrings_lock);
	vring = vl_vring_find(nla_get_u32(id));
	if (vring)
		vl_vhost_settle(vring);
	ret = vring ? fill(&reply, vring, arg) : -ENOENT;
	mutex_unlock(&vl_vrings_lock);

	if (!ret)
		return genlmsg_reply(reply.skb, info);

	if (ret == -ENOENT)
		NL_SET_ERR_MSG_ATTR(info->extack, id, "no vring has this id");
	nlmsg_free(reply.skb);
	return ret;
}

struct vl_nl_dump *vl_nl_dump_of(struct netlink_callback *cb)
{
	BUILD_BUG_ON(sizeof(struct vl_nl_dump) > sizeof(cb->ctx));
	return (struct vl_nl_dump *)cb->ctx;
}

int vl_nl_dump_start(struct netlink_callback *cb)
{
	if (nlmsg_attrlen(cb->nlh, GENL_HDRLEN)) {
		NL_SET_ERR_MSG(cb->extack, "a dump takes no attributes");
		return -EINVAL;
	}
	return 0;
}

struct vl_nl_reply vl_nl_dump_reply(struct sk_buff *skb, struct netlink_callback *cb)
{
	return (struct vl_nl_reply){
		.skb = skb,
		.portid = NETLINK_CB(cb->skb).portid,
		.seq = cb->nlh->nlmsg_seq,
		.flags = NLM_F_MULTI,
		.admin = netlink_capable(cb->skb, CAP_NET_ADMIN),
		.cb = cb,
	};
}

/* @nr_args messages for each vring. */
int vl_nl_dump_vrings(struct sk_buff *skb, struct netlink_callback *cb, vl_nl_fill_t fill,
		      unsigned int nr_args)
{
	struct vl_nl_reply reply = vl_nl_dump_reply(skb, cb);
	struct vl_nl_dump *dump = vl_nl_dump_of(cb);
	struct vl_vring *vring;
	unsigned long id = dump->id;
	int ret = 0;

	mutex_lock(&vl_vrings_lock);
	cb->seq = vl_vrings_generation();
	while (!ret && (vring = vl_vring_next(&id))) {
		/* The one we stopped at may be gone. */
		if (id != dump->id)
			dump->arg = 0;
		dump->id = id;

		vl_vhost_settle(vring);
		while (dump->arg < nr_args && !ret) {
			ret = fill(&reply, vring, dump->arg);
			dump->arg += !ret;
		}
		if (!ret)
			id++;
	}
	if (!ret)
		dump->id = id;
	mutex_unlock(&vl_vrings_lock);

	return skb->len ?: ret;
}
