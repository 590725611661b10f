// SPDX-License-Identifier: GPL-2.0-only
/*
 * Generic netlink family vringlab, as Documentation/netlink/specs/vringlab.yaml
 * has it.
 *
 * Reading is open to all: no kernel address and nothing of the guests' data is
 * in it. Only the initial network namespace has the family.
 */
#include "vringlab.h"

#include <linux/ctype.h>
#include <linux/err.h>
#include <linux/eventfd.h>
#include <linux/file.h>
#include <linux/mutex.h>
#include <linux/netlink.h>
#include <linux/notifier.h>
#include <linux/pid.h>
#include <linux/sched.h>
#include <net/genetlink.h>
#include <net/net_namespace.h>
#include <net/netlink.h>

static struct genl_family family;

static const struct nla_policy vring_add_policy[] = {
	[VRINGLAB_A_VRING_LABEL] = { .type = NLA_NUL_STRING, .len = VRINGLAB_LABEL_LEN - 1 },
	[VRINGLAB_A_VRING_BACKEND] = NLA_POLICY_MAX(NLA_U32, VRINGLAB_BACKEND_VHOST),
	[VRINGLAB_A_VRING_KICK_FD] = { .type = NLA_U32 },
	[VRINGLAB_A_VRING_CALL_FD] = { .type = NLA_U32 },
	[VRINGLAB_A_VRING_PID] = { .type = NLA_U32 },
	[VRINGLAB_A_VRING_WAKE_USER_DATA] = { .type = NLA_U64 },
	[VRINGLAB_A_VRING_PERSIST] = { .type = NLA_FLAG },
};

static const struct nla_policy vring_id_policy[] = {
	[VRINGLAB_A_VRING_ID] = { .type = NLA_U32 },
};

static const struct nla_policy counters_policy[] = {
	[VRINGLAB_A_COUNTERS_VRING_ID] = { .type = NLA_U32 },
};

static const struct nla_policy hist_policy[] = {
	[VRINGLAB_A_HIST_VRING_ID] = { .type = NLA_U32 },
	[VRINGLAB_A_HIST_SPAN] = NLA_POLICY_MAX(NLA_U32, VRINGLAB_SPAN_KICK_ENTRY),
};

/**
 * struct reply - Where a message goes
 * @skb:	Message buffer.
 * @portid:	To whom.
 * @seq:	Of the request.
 * @flags:	NLM_F_MULTI in dumps.
 * @admin:	Whoever asks has CAP_NET_ADMIN.
 * @cb:		The dump, NULL if it is none.
 */
struct reply {
	struct sk_buff *skb;
	u32 portid;
	u32 seq;
	int flags;
	bool admin;
	struct netlink_callback *cb;
};

static void *reply_begin(const struct reply *reply, u8 cmd)
{
	void *hdr;

	hdr = genlmsg_put(reply->skb, reply->portid, reply->seq, &family, reply->flags, cmd);
	if (hdr && reply->cb)
		genl_dump_check_consistent(reply->cb, hdr);
	return hdr;
}

/* @err: whether an attribute did not fit. */
static int reply_end(const struct reply *reply, void *hdr, bool err)
{
	if (err) {
		genlmsg_cancel(reply->skb, hdr);
		return -EMSGSIZE;
	}
	genlmsg_end(reply->skb, hdr);
	return 0;
}

static int fill_vring(const struct reply *reply, const struct vl_vring *vring, unsigned int unused)
{
	struct sk_buff *skb = reply->skb;
	void *hdr = reply_begin(reply, VRINGLAB_CMD_VRING_GET);

	if (!hdr)
		return -EMSGSIZE;

	return reply_end(reply, hdr,
			 nla_put_u32(skb, VRINGLAB_A_VRING_ID, vring->id) ||
				 nla_put_string(skb, VRINGLAB_A_VRING_LABEL, vring->label) ||
				 nla_put_u32(skb, VRINGLAB_A_VRING_BACKEND, vring->backend) ||
				 nla_put_u32(skb, VRINGLAB_A_VRING_PID, vring->tgid) ||
				 (reply->admin && vring->has_user_data &&
				  nla_put_u64_64bit(skb, VRINGLAB_A_VRING_WAKE_USER_DATA,
						    vring->user_data, VRINGLAB_A_VRING_PAD)) ||
				 (vring->persist && nla_put_flag(skb, VRINGLAB_A_VRING_PERSIST)));
}

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
	ONE(WAKES_IO_URING),
	ONE(WAKE_UNMATCHED),
	ONE(WAKE_SUPERSEDED),
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
	ONE(ENTRIES),
	ONE(EXIT_MISSED),
	ONE(MISSED),
	ONE(ACAUSAL),
#undef SUM
#undef ONE
	/* clang-format on */
};

static bool put_counters(struct sk_buff *skb, const struct vl_vring *vring)
{
	u64 counters[VL_COUNTERS];
	unsigned int i, j;

	vl_stats_read_counters(vring, counters);
	for (i = 0; i < ARRAY_SIZE(counter_attrs); i++) {
		u64 sum = 0;

		for (j = counter_attrs[i].first; j <= counter_attrs[i].last; j++)
			sum += counters[j];
		if (nla_put_u64_64bit(skb, counter_attrs[i].attr, sum, VRINGLAB_A_COUNTERS_PAD))
			return true;
	}

	return false;
}

static int fill_counters(const struct reply *reply, const struct vl_vring *vring,
			 unsigned int unused)
{
	void *hdr = reply_begin(reply, VRINGLAB_CMD_COUNTERS_GET);

	if (!hdr)
		return -EMSGSIZE;

	return reply_end(reply, hdr,
			 nla_put_u32(reply->skb, VRINGLAB_A_COUNTERS_VRING_ID, vring->id) ||
				 put_counters(reply->skb, vring));
}

static bool put_bucket(struct sk_buff *skb, unsigned int index, u64 count)
{
	struct nlattr *nest = nla_nest_start(skb, VRINGLAB_A_HIST_BUCKET);

	if (!nest || nla_put_u32(skb, VRINGLAB_A_BUCKET_INDEX, index) ||
	    nla_put_u64_64bit(skb, VRINGLAB_A_BUCKET_COUNT, count, VRINGLAB_A_BUCKET_PAD))
		return true;

	nla_nest_end(skb, nest);
	return false;
}

static bool put_hist(struct sk_buff *skb, const struct vl_vring *vring, enum vringlab_span span)
{
	/* Too big for the stack; under vl_vrings_lock. */
	static struct vl_span_stats sum;
	u64 count = vl_stats_read_span(vring, span, &sum);
	unsigned int i;

	if (nla_put_u64_64bit(skb, VRINGLAB_A_HIST_COUNT, count, VRINGLAB_A_HIST_PAD) ||
	    nla_put_u64_64bit(skb, VRINGLAB_A_HIST_SUM_NS, sum.sum_ns, VRINGLAB_A_HIST_PAD) ||
	    nla_put_u32(skb, VRINGLAB_A_HIST_SUB_BITS, VRINGLAB_HIST_SUB_BITS))
		return true;
	if (!count)
		return false;

	if (nla_put_u64_64bit(skb, VRINGLAB_A_HIST_MIN_NS, sum.min_ns, VRINGLAB_A_HIST_PAD) ||
	    nla_put_u64_64bit(skb, VRINGLAB_A_HIST_MAX_NS, sum.max_ns, VRINGLAB_A_HIST_PAD))
		return true;
	for (i = 0; i < VRINGLAB_HIST_BUCKETS; i++)
		if (sum.buckets[i] && put_bucket(skb, i, sum.buckets[i]))
			return true;

	return false;
}

static int fill_hist(const struct reply *reply, const struct vl_vring *vring, unsigned int span)
{
	void *hdr = reply_begin(reply, VRINGLAB_CMD_HIST_GET);

	if (!hdr)
		return -EMSGSIZE;

	return reply_end(reply, hdr,
			 nla_put_u32(reply->skb, VRINGLAB_A_HIST_VRING_ID, vring->id) ||
				 nla_put_u32(reply->skb, VRINGLAB_A_HIST_SPAN, span) ||
				 put_hist(reply->skb, vring, span));
}

static int put_hops(struct sk_buff *skb, unsigned long hops)
{
	unsigned int hop;

	for_each_set_bit(hop, &hops, BITS_PER_LONG)
		if (nla_put_u32(skb, VRINGLAB_A_PROBE_HOP, hop))
			return -EMSGSIZE;

	return 0;
}

static int fill_probe(const struct reply *reply, const struct vl_probe_info *info)
{
	struct sk_buff *skb = reply->skb;
	void *hdr = reply_begin(reply, VRINGLAB_CMD_PROBE_GET);

	if (!hdr)
		return -EMSGSIZE;

	return reply_end(reply, hdr,
			 nla_put_string(skb, VRINGLAB_A_PROBE_NAME, info->name) ||
				 (info->module &&
				  nla_put_string(skb, VRINGLAB_A_PROBE_MODULE, info->module)) ||
				 nla_put_u32(skb, VRINGLAB_A_PROBE_TYPE, info->type) ||
				 put_hops(skb, info->hops) ||
				 nla_put_u32(skb, VRINGLAB_A_PROBE_STATE, info->state) ||
				 (info->state == VRINGLAB_PROBE_STATE_FAILED &&
				  nla_put_u32(skb, VRINGLAB_A_PROBE_ERRNO, info->error)));
}

typedef int (*fill_t)(const struct reply *reply, const struct vl_vring *vring, unsigned int arg);

/* What a message is at most: a histogram in which no bucket is empty. */
#define BUCKET_SIZE \
	(nla_total_size(nla_total_size(sizeof(u32)) + nla_total_size_64bit(sizeof(u64))))
#define HIST_SIZE                                                                                \
	(GENL_HDRLEN + 3 * nla_total_size(sizeof(u32)) + 4 * nla_total_size_64bit(sizeof(u64)) + \
	 VRINGLAB_HIST_BUCKETS * BUCKET_SIZE)

static struct nlattr *require(struct genl_info *info, unsigned int attr)
{
	if (GENL_REQ_ATTR_CHECK(info, attr))
		NL_SET_ERR_MSG(info->extack, "an attribute that is required is missing");
	return info->attrs[attr];
}

static int get_one(struct sk_buff *skb, struct genl_info *info, const struct nlattr *id,
		   fill_t fill, unsigned int arg, size_t size)
{
	struct reply reply = {
		.portid = info->snd_portid,
		.seq = info->snd_seq,
		.admin = netlink_capable(skb, CAP_NET_ADMIN),
	};
	const struct vl_vring *vring;
	int ret;

	reply.skb = genlmsg_new(size, GFP_KERNEL);
	if (!reply.skb)
		return -ENOMEM;

	mutex_lock(&vl_vrings_lock);
	vring = vl_vring_find(nla_get_u32(id));
	ret = vring ? fill(&reply, vring, arg) : -ENOENT;
	mutex_unlock(&vl_vrings_lock);

	if (!ret)
		return genlmsg_reply(reply.skb, info);

	if (ret == -ENOENT)
		NL_SET_ERR_MSG_ATTR(info->extack, id, "no vring has this id");
	nlmsg_free(reply.skb);
	return ret;
}

static int vring_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *id = require(info, VRINGLAB_A_VRING_ID);

	return id ? get_one(skb, info, id, fill_vring, 0, NLMSG_GOODSIZE) : -EINVAL;
}

static int counters_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *id = require(info, VRINGLAB_A_COUNTERS_VRING_ID);

	return id ? get_one(skb, info, id, fill_counters, 0, NLMSG_GOODSIZE) : -EINVAL;
}

static int hist_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *id = require(info, VRINGLAB_A_HIST_VRING_ID);
	struct nlattr *span = require(info, VRINGLAB_A_HIST_SPAN);

	return id && span ? get_one(skb, info, id, fill_hist, nla_get_u32(span), HIST_SIZE) :
			    -EINVAL;
}

/**
 * struct dump - Where a dump goes on
 * @id:		Vring (or probe), the first that is not yet done.
 * @arg:	Span of that vring, likewise.
 */
struct dump {
	unsigned long id;
	unsigned int arg;
};

static struct dump *dump_of(struct netlink_callback *cb)
{
	BUILD_BUG_ON(sizeof(struct dump) > sizeof(cb->ctx));
	return (struct dump *)cb->ctx;
}

static int dump_start(struct netlink_callback *cb)
{
	if (nlmsg_attrlen(cb->nlh, GENL_HDRLEN)) {
		NL_SET_ERR_MSG(cb->extack, "a dump takes no attributes");
		return -EINVAL;
	}
	return 0;
}

static int hist_dump_start(struct netlink_callback *cb)
{
	cb->min_dump_alloc = NLMSG_ALIGN(nlmsg_total_size(HIST_SIZE));
	return dump_start(cb);
}

static struct reply dump_reply(struct sk_buff *skb, struct netlink_callback *cb)
{
	return (struct reply){
		.skb = skb,
		.portid = NETLINK_CB(cb->skb).portid,
		.seq = cb->nlh->nlmsg_seq,
		.flags = NLM_F_MULTI,
		.admin = netlink_capable(cb->skb, CAP_NET_ADMIN),
		.cb = cb,
	};
}

/* @nr_args messages for each vring. */
static int dump_vrings(struct sk_buff *skb, struct netlink_callback *cb, fill_t fill,
		       unsigned int nr_args)
{
	struct reply reply = dump_reply(skb, cb);
	struct dump *dump = dump_of(cb);
	const struct vl_vring *vring;
	unsigned long id = dump->id;
	int ret = 0;

	mutex_lock(&vl_vrings_lock);
	cb->seq = vl_vrings_generation();
	while (!ret && (vring = vl_vring_next(&id))) {
		/* The one we stopped at may be gone. */
		if (id != dump->id)
			dump->arg = 0;
		dump->id = id;

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

static int vring_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	return dump_vrings(skb, cb, fill_vring, 1);
}

static int counters_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	return dump_vrings(skb, cb, fill_counters, 1);
}

static int hist_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	return dump_vrings(skb, cb, fill_hist, VL_SPANS);
}

static int probe_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct reply reply = dump_reply(skb, cb);
	struct dump *dump = dump_of(cb);
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

static int parse_label(struct genl_info *info, struct vl_vring_req *req)
{
	struct nlattr *attr = require(info, VRINGLAB_A_VRING_LABEL);
	const char *c;

	if (!attr)
		return -EINVAL;

	nla_strscpy(req->label, attr, sizeof(req->label));
	for (c = req->label; isascii(*c) && isgraph(*c); c++)
		;
	if (*c || c == req->label) {
		NL_SET_ERR_MSG_ATTR(info->extack, attr,
				    "a label is 1 to 31 printable ASCII characters without space");
		return -EINVAL;
	}

	return 0;
}

static int parse_pid(struct genl_info *info, struct vl_vring_req *req)
{
	struct nlattr *attr = info->attrs[VRINGLAB_A_VRING_PID];
	struct task_struct *task;

	req->tgid = task_tgid_nr(current);
	if (!attr)
		return 0;

	rcu_read_lock();
	task = pid_task(find_vpid(nla_get_u32(attr)), PIDTYPE_TGID);
	if (task)
		req->tgid = task_tgid_nr(task);
	rcu_read_unlock();

	if (!task) {
		NL_SET_ERR_MSG_ATTR(info->extack, attr, "no process has this pid");
		return -ESRCH;
	}
	return 0;
}

static struct file *parse_eventfd(struct genl_info *info, unsigned int type)
{
	struct nlattr *attr = require(info, type);
	struct file *file;

	if (!attr)
		return ERR_PTR(-EINVAL);

	file = eventfd_fget(nla_get_u32(attr));
	if (file == ERR_PTR(-EBADF))
		NL_SET_ERR_MSG_ATTR(info->extack, attr, "not an open file descriptor");
	else if (IS_ERR(file))
		NL_SET_ERR_MSG_ATTR(info->extack, attr, "not an eventfd");

	return file;
}

/* An eventfd's file holds its context in private_data, one for one. */
static bool same_eventfd(struct file *a, struct file *b)
{
	return a->private_data == b->private_data;
}

static int parse_eventfds(struct genl_info *info, struct vl_vring_req *req)
{
	req->kick = parse_eventfd(info, VRINGLAB_A_VRING_KICK_FD);
	if (IS_ERR(req->kick))
		return PTR_ERR(req->kick);

	req->call = parse_eventfd(info, VRINGLAB_A_VRING_CALL_FD);
	if (IS_ERR(req->call)) {
		fput(req->kick);
		return PTR_ERR(req->call);
	}

	if (same_eventfd(req->kick, req->call)) {
		NL_SET_ERR_MSG_ATTR(info->extack, info->attrs[VRINGLAB_A_VRING_CALL_FD],
				    "kick and call are the same eventfd");
		fput(req->call);
		fput(req->kick);
		return -EINVAL;
	}

	return 0;
}

static int reply_id(struct genl_info *info, struct sk_buff *skb, u32 id)
{
	void *hdr;

	hdr = genlmsg_put_reply(skb, info, &family, 0, VRINGLAB_CMD_VRING_ADD);
	if (!hdr || nla_put_u32(skb, VRINGLAB_A_VRING_ID, id)) {
		nlmsg_free(skb);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, hdr);

	return genlmsg_reply(skb, info);
}

static int vring_add(struct genl_info *info, const struct vl_vring_req *req)
{
	struct sk_buff *skb;
	u32 id;
	int ret;

	skb = genlmsg_new(nla_total_size(sizeof(id)), GFP_KERNEL);
	if (!skb)
		return -ENOMEM;

	ret = vl_vring_add(req, &id, info->extack);
	if (ret) {
		nlmsg_free(skb);
		return ret;
	}

	/* Who can't be told the id can't delete it. */
	ret = reply_id(info, skb, id);
	if (ret)
		vl_vring_del(id);
	return ret;
}

static int vring_add_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr **attrs = info->attrs;
	struct vl_vring_req req = {
		.portid = info->snd_portid,
		.kick_attr = attrs[VRINGLAB_A_VRING_KICK_FD],
		.call_attr = attrs[VRINGLAB_A_VRING_CALL_FD],
		.user_data_attr = attrs[VRINGLAB_A_VRING_WAKE_USER_DATA],
	};
	int ret;

	ret = parse_label(info, &req);
	if (ret)
		return ret;
	ret = parse_pid(info, &req);
	if (ret)
		return ret;

	if (attrs[VRINGLAB_A_VRING_BACKEND])
		req.backend = nla_get_u32(attrs[VRINGLAB_A_VRING_BACKEND]);
	if (attrs[VRINGLAB_A_VRING_WAKE_USER_DATA]) {
		req.user_data = nla_get_u64(attrs[VRINGLAB_A_VRING_WAKE_USER_DATA]);
		req.has_user_data = true;
	}
	req.persist = nla_get_flag(attrs[VRINGLAB_A_VRING_PERSIST]);

	ret = parse_eventfds(info, &req);
	if (ret)
		return ret;

	ret = vring_add(info, &req);
	fput(req.call);
	fput(req.kick);

	return ret;
}

static int vring_del_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *id = require(info, VRINGLAB_A_VRING_ID);
	int ret;

	if (!id)
		return -EINVAL;

	ret = vl_vring_del(nla_get_u32(id));
	if (ret)
		NL_SET_ERR_MSG_ATTR(info->extack, id, "no vring has this id");
	return ret;
}

static const struct genl_ops ops[] = {
	{
		.cmd = VRINGLAB_CMD_VRING_GET,
		.policy = vring_id_policy,
		.maxattr = ARRAY_SIZE(vring_id_policy) - 1,
		.doit = vring_get_doit,
		.start = dump_start,
		.dumpit = vring_get_dumpit,
	},
	{
		.cmd = VRINGLAB_CMD_VRING_ADD,
		.flags = GENL_ADMIN_PERM,
		.policy = vring_add_policy,
		.maxattr = ARRAY_SIZE(vring_add_policy) - 1,
		.doit = vring_add_doit,
	},
	{
		.cmd = VRINGLAB_CMD_VRING_DEL,
		.flags = GENL_ADMIN_PERM,
		.policy = vring_id_policy,
		.maxattr = ARRAY_SIZE(vring_id_policy) - 1,
		.doit = vring_del_doit,
	},
	{
		.cmd = VRINGLAB_CMD_COUNTERS_GET,
		.policy = counters_policy,
		.maxattr = ARRAY_SIZE(counters_policy) - 1,
		.doit = counters_get_doit,
		.start = dump_start,
		.dumpit = counters_get_dumpit,
	},
	{
		.cmd = VRINGLAB_CMD_HIST_GET,
		.policy = hist_policy,
		.maxattr = ARRAY_SIZE(hist_policy) - 1,
		.doit = hist_get_doit,
		.start = hist_dump_start,
		.dumpit = hist_get_dumpit,
	},
	{
		.cmd = VRINGLAB_CMD_PROBE_GET,
		.start = dump_start,
		.dumpit = probe_get_dumpit,
	},
};

/* resv_start_op stays 0: from the first operation on, reserved fields are checked. */
static struct genl_family family __ro_after_init = {
	.name = VRINGLAB_FAMILY_NAME,
	.version = VRINGLAB_FAMILY_VERSION,
	.module = THIS_MODULE,
	.parallel_ops = true,
	.ops = ops,
	.n_ops = ARRAY_SIZE(ops),
};

static int netlink_event(struct notifier_block *nb, unsigned long event, void *data)
{
	const struct netlink_notify *notify = data;

	if (event == NETLINK_URELEASE && notify->protocol == NETLINK_GENERIC &&
	    net_eq(notify->net, &init_net))
		vl_vring_del_portid(notify->portid);

	return NOTIFY_DONE;
}

static struct notifier_block netlink_nb = {
	.notifier_call = netlink_event,
};

int vl_netlink_init(void)
{
	int ret;

	/* Before the family: whoever can register is seen to close. */
	ret = netlink_register_notifier(&netlink_nb);
	if (ret)
		return ret;

	ret = genl_register_family(&family);
	if (ret)
		netlink_unregister_notifier(&netlink_nb);
	return ret;
}

void vl_netlink_exit(void)
{
	genl_unregister_family(&family);
	netlink_unregister_notifier(&netlink_nb);
}
