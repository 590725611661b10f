// SPDX-License-Identifier: GPL-2.0-only
/*
 * vCPUs over netlink: vcpu-get.
 */
#include "vringlab.h"

#include <linux/mutex.h>
#include <linux/netlink.h>
#include <net/genetlink.h>
#include <net/netlink.h>

#include "nl.h"
#include "vcpu.h"
#include "vm.h"

const struct nla_policy vl_nl_vcpu_policy[VL_NL_VCPU_MAX + 1] = {
	[VRINGLAB_A_VCPU_ID] = { .type = NLA_U32 },
};

/* What a message is at most: a vCPU that had an exit for every reason. */
#define REASON_SIZE \
	(nla_total_size(nla_total_size(sizeof(u32)) + nla_total_size_64bit(sizeof(u64))))
#define VCPU_SIZE                                        \
	(GENL_HDRLEN + 6 * nla_total_size(sizeof(u32)) + \
	 VL_VCPU_COUNTERS * nla_total_size_64bit(sizeof(u64)) + VL_REASONS * REASON_SIZE)

static bool put_counters(struct sk_buff *skb, const struct vl_vcpu *v)
{
	unsigned int i;

	BUILD_BUG_ON(VRINGLAB_A_VCPU_HALT_WAIT_NS - VRINGLAB_A_VCPU_ENTRIES !=
		     VL_VCPU_COUNTERS - 1);
	for (i = 0; i < VL_VCPU_COUNTERS; i++)
		if (nla_put_u64_64bit(skb, VRINGLAB_A_VCPU_ENTRIES + i, local_read(&v->counters[i]),
				      VRINGLAB_A_VCPU_PAD))
			return true;

	return false;
}

static bool put_reason(struct sk_buff *skb, u32 code, u64 count)
{
	struct nlattr *nest = nla_nest_start(skb, VRINGLAB_A_VCPU_EXIT_REASON);

	if (!nest || nla_put_u32(skb, VRINGLAB_A_EXIT_REASON_CODE, code) ||
	    nla_put_u64_64bit(skb, VRINGLAB_A_EXIT_REASON_COUNT, count, VRINGLAB_A_EXIT_REASON_PAD))
		return true;

	nla_nest_end(skb, nest);
	return false;
}

static bool put_reasons(struct sk_buff *skb, const struct vl_vcpu *v)
{
	unsigned int i;

	for (i = 0; i < VL_REASONS; i++) {
		u64 count = local_read(&v->reasons[i]);

		if (count && put_reason(skb, vl_vcpu_reason(i), count))
			return true;
	}

	return false;
}

static int fill_vcpu(const struct vl_nl_reply *reply, const struct vl_vcpu *v)
{
	struct sk_buff *skb = reply->skb;
	void *hdr = vl_nl_begin(reply, VRINGLAB_CMD_VCPU_GET);

	if (!hdr)
		return -EMSGSIZE;

	return vl_nl_end(reply, hdr,
			 nla_put_u32(skb, VRINGLAB_A_VCPU_ID, v->id) ||
				 nla_put_u32(skb, VRINGLAB_A_VCPU_VM, v->vm->id) ||
				 nla_put_u32(skb, VRINGLAB_A_VCPU_VCPU_ID, v->vcpu_id) ||
				 nla_put_u32(skb, VRINGLAB_A_VCPU_PID, v->tgid) ||
				 nla_put_u32(skb, VRINGLAB_A_VCPU_TID, v->tid) ||
				 nla_put_u32(skb, VRINGLAB_A_VCPU_ISA, READ_ONCE(v->isa)) ||
				 (reply->admin && (put_counters(skb, v) || put_reasons(skb, v))));
}

int vl_nl_vcpu_get(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *id = vl_nl_require(info, VRINGLAB_A_VCPU_ID);
	struct vl_nl_reply reply = {
		.portid = info->snd_portid,
		.seq = info->snd_seq,
		.admin = netlink_capable(skb, CAP_NET_ADMIN),
	};
	const struct vl_vcpu *v;
	int ret;

	if (!id)
		return -EINVAL;

	reply.skb = genlmsg_new(VCPU_SIZE, GFP_KERNEL);
	if (!reply.skb)
		return -ENOMEM;

	mutex_lock(&vl_vcpus_lock);
	v = vl_vcpu_find(nla_get_u32(id));
	ret = v ? fill_vcpu(&reply, v) : -ENOENT;
	mutex_unlock(&vl_vcpus_lock);

	if (!ret)
		return genlmsg_reply(reply.skb, info);

	if (ret == -ENOENT)
		NL_SET_ERR_MSG_ATTR(info->extack, id, "no vCPU has this id");
	nlmsg_free(reply.skb);
	return ret;
}

int vl_nl_vcpu_dump_start(struct netlink_callback *cb)
{
	cb->min_dump_alloc = NLMSG_ALIGN(nlmsg_total_size(VCPU_SIZE));
	return vl_nl_dump_start(cb);
}

int vl_nl_vcpu_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct vl_nl_reply reply = vl_nl_dump_reply(skb, cb);
	struct vl_nl_dump *dump = vl_nl_dump_of(cb);
	const struct vl_vcpu *v;
	int ret = 0;

	mutex_lock(&vl_vcpus_lock);
	cb->seq = vl_vcpus_generation();
	while (!ret && (v = vl_vcpu_next(&dump->id))) {
		ret = fill_vcpu(&reply, v);
		dump->id += !ret;
	}
	mutex_unlock(&vl_vcpus_lock);

	return skb->len ?: ret;
}
