// SPDX-License-Identifier: GPL-2.0-only
/*
 * Thresholds over netlink: threshold-add, threshold-del, threshold-get, and the
 * message of a hit, threshold-ntf.
 */
#include "vringlab.h"

#include <linux/mutex.h>
#include <linux/netlink.h>
#include <net/genetlink.h>
#include <net/netlink.h>

#include "nl.h"

#define ACTIONS                                                               \
	(VRINGLAB_THRESHOLD_ACTION_TRACE | VRINGLAB_THRESHOLD_ACTION_NOTIFY | \
	 VRINGLAB_THRESHOLD_ACTION_STOP_TRACING | VRINGLAB_THRESHOLD_ACTION_SNAPSHOT)

/* The greatest one means that there is none. Not const for 6.1, which does not write it. */
static struct netlink_range_validation ns_range = { .max = S64_MAX - 1 };

const struct nla_policy vl_nl_threshold_add_policy[VL_NL_THRESHOLD_ADD_MAX + 1] = {
	[VRINGLAB_A_THRESHOLD_VRING_ID] = NLA_POLICY_MIN(NLA_U32, 1),
	[VRINGLAB_A_THRESHOLD_SPAN] = NLA_POLICY_MAX(NLA_U32, VRINGLAB_SPAN_KICK_ENTRY),
	[VRINGLAB_A_THRESHOLD_NS] = NLA_POLICY_FULL_RANGE(NLA_U64, &ns_range),
	[VRINGLAB_A_THRESHOLD_ACTIONS] = NLA_POLICY_MASK(NLA_U32, ACTIONS),
	[VRINGLAB_A_THRESHOLD_ONCE] = { .type = NLA_FLAG },
};

const struct nla_policy vl_nl_threshold_id_policy[VL_NL_THRESHOLD_ID_MAX + 1] = {
	[VRINGLAB_A_THRESHOLD_ID] = { .type = NLA_U32 },
};

static bool put_u64(struct sk_buff *skb, u16 attr, u64 value)
{
	return nla_put_u64_64bit(skb, attr, value, VRINGLAB_A_THRESHOLD_PAD);
}

static bool put_threshold(struct sk_buff *skb, const struct vl_threshold *t)
{
	const struct vl_threshold_req *req = &t->req;

	return nla_put_u32(skb, VRINGLAB_A_THRESHOLD_ID, t->id) ||
	       (req->vring_id && nla_put_u32(skb, VRINGLAB_A_THRESHOLD_VRING_ID, req->vring_id)) ||
	       nla_put_u32(skb, VRINGLAB_A_THRESHOLD_SPAN, req->span) ||
	       put_u64(skb, VRINGLAB_A_THRESHOLD_NS, req->ns) ||
	       nla_put_u32(skb, VRINGLAB_A_THRESHOLD_ACTIONS, req->actions) ||
	       (req->once && nla_put_flag(skb, VRINGLAB_A_THRESHOLD_ONCE)) ||
	       put_u64(skb, VRINGLAB_A_THRESHOLD_HITS, atomic64_read(&t->hits)) ||
	       put_u64(skb, VRINGLAB_A_THRESHOLD_LOST, atomic64_read(&t->lost));
}

static int fill_threshold(const struct vl_nl_reply *reply, const struct vl_threshold *t)
{
	void *hdr = vl_nl_begin(reply, VRINGLAB_CMD_THRESHOLD_GET);

	if (!hdr)
		return -EMSGSIZE;

	return vl_nl_end(reply, hdr, put_threshold(reply->skb, t));
}

static int refuse_id(struct genl_info *info, const struct nlattr *id)
{
	NL_SET_ERR_MSG_ATTR(info->extack, id, "no threshold has this id");
	return -ENOENT;
}

int vl_nl_threshold_get(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *attr = vl_nl_require(info, VRINGLAB_A_THRESHOLD_ID);
	struct vl_nl_reply reply = { .portid = info->snd_portid, .seq = info->snd_seq };
	const struct vl_threshold *t;
	int ret = -ENOENT;

	if (!attr)
		return -EINVAL;

	reply.skb = genlmsg_new(NLMSG_GOODSIZE, GFP_KERNEL);
	if (!reply.skb)
		return -ENOMEM;

	mutex_lock(&vl_vrings_lock);
	t = vl_threshold_next(nla_get_u32(attr));
	if (t && t->id == nla_get_u32(attr))
		ret = fill_threshold(&reply, t);
	mutex_unlock(&vl_vrings_lock);

	if (!ret)
		return genlmsg_reply(reply.skb, info);

	nlmsg_free(reply.skb);
	return ret == -ENOENT ? refuse_id(info, attr) : ret;
}

int vl_nl_threshold_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct vl_nl_reply reply = vl_nl_dump_reply(skb, cb);
	struct vl_nl_dump *dump = vl_nl_dump_of(cb);
	const struct vl_threshold *t;
	int ret = 0;

	mutex_lock(&vl_vrings_lock);
	cb->seq = vl_threshold_generation();
	while (!ret && (t = vl_threshold_next(dump->id))) {
		ret = fill_threshold(&reply, t);
		if (!ret)
			dump->id = t->id + 1ul;
	}
	mutex_unlock(&vl_vrings_lock);

	return skb->len ?: ret;
}

static int parse(struct genl_info *info, struct vl_threshold_req *req)
{
	struct nlattr *span = vl_nl_require(info, VRINGLAB_A_THRESHOLD_SPAN);
	struct nlattr *ns = vl_nl_require(info, VRINGLAB_A_THRESHOLD_NS);
	struct nlattr **attrs = info->attrs;

	if (!span || !ns)
		return -EINVAL;

	req->span = nla_get_u32(span);
	req->ns = nla_get_u64(ns);
	if (attrs[VRINGLAB_A_THRESHOLD_VRING_ID])
		req->vring_id = nla_get_u32(attrs[VRINGLAB_A_THRESHOLD_VRING_ID]);
	if (attrs[VRINGLAB_A_THRESHOLD_ACTIONS])
		req->actions = nla_get_u32(attrs[VRINGLAB_A_THRESHOLD_ACTIONS]);
	req->once = nla_get_flag(attrs[VRINGLAB_A_THRESHOLD_ONCE]);

	return 0;
}

int vl_nl_threshold_add(struct sk_buff *skb, struct genl_info *info)
{
	struct vl_threshold_req req = {};
	struct sk_buff *reply;
	void *hdr;
	u32 id;
	int ret;

	ret = parse(info, &req);
	if (ret)
		return ret;

	reply = genlmsg_new(nla_total_size(sizeof(id)), GFP_KERNEL);
	if (!reply)
		return -ENOMEM;

	ret = vl_threshold_add(&req, &id, info->extack);
	if (ret) {
		nlmsg_free(reply);
		return ret;
	}

	/* It was allocated for just this. */
	hdr = genlmsg_put_reply(reply, info, &vl_nl_family, 0, VRINGLAB_CMD_THRESHOLD_ADD);
	nla_put_u32(reply, VRINGLAB_A_THRESHOLD_ID, id);
	genlmsg_end(reply, hdr);
	ret = genlmsg_reply(reply, info);
	if (ret)
		vl_threshold_del(id);
	return ret;
}

int vl_nl_threshold_del(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *id = vl_nl_require(info, VRINGLAB_A_THRESHOLD_ID);

	if (!id)
		return -EINVAL;

	return vl_threshold_del(nla_get_u32(id)) ? refuse_id(info, id) : 0;
}

/*
 * By the worker of threshold.c.
 *
 * Return: 0, also when nobody listens, else it could not be sent to all who do
 */
int vl_nl_threshold_notify(const struct vl_hit *hit)
{
	struct sk_buff *skb = genlmsg_new(NLMSG_GOODSIZE, GFP_KERNEL);
	void *hdr;
	int ret;

	if (!skb)
		return -ENOMEM;

	hdr = genlmsg_put(skb, 0, 0, &vl_nl_family, 0, VRINGLAB_CMD_THRESHOLD_NTF);
	if (!hdr || nla_put_u32(skb, VRINGLAB_A_HIT_THRESHOLD_ID, hit->id) ||
	    nla_put_u32(skb, VRINGLAB_A_HIT_VRING_ID, hit->vring_id) ||
	    nla_put_u32(skb, VRINGLAB_A_HIT_SPAN, hit->span) ||
	    nla_put_u64_64bit(skb, VRINGLAB_A_HIT_NS, hit->ns, VRINGLAB_A_HIT_PAD) ||
	    nla_put_u64_64bit(skb, VRINGLAB_A_HIT_STAMP_NS, hit->stamp_ns, VRINGLAB_A_HIT_PAD)) {
		nlmsg_free(skb);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, hdr);

	ret = genlmsg_multicast(&vl_nl_family, skb, 0, VL_NL_GROUP_THRESHOLD, GFP_KERNEL);
	return ret == -ESRCH ? 0 : ret;
}
