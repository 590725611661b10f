// SPDX-License-Identifier: GPL-2.0-only
/*
 * Generic netlink family vringlab, as Documentation/netlink/specs/vringlab.yaml
 * has it. Each noun's commands are in a file of its own, nl_*.c.
 *
 * Reading is open to all: no kernel address and nothing of the guests' data is
 * in it. Only the initial network namespace has the family.
 */
#include "vringlab.h"

#include <linux/bitops.h>
#include <linux/module.h>
#include <linux/netlink.h>
#include <linux/notifier.h>
#include <net/genetlink.h>
#include <net/net_namespace.h>
#include <net/netlink.h>

#include "compat.h"
#include "nl.h"

static const struct genl_ops ops[] = {
	{
		.cmd = VRINGLAB_CMD_VRING_GET,
		.policy = vl_nl_vring_id_policy,
		.maxattr = VL_NL_VRING_ID_MAX,
		.doit = vl_nl_vring_get,
		.start = vl_nl_dump_start,
		.dumpit = vl_nl_vring_dump,
	},
	{
		.cmd = VRINGLAB_CMD_VRING_ADD,
		.flags = GENL_ADMIN_PERM,
		.policy = vl_nl_vring_add_policy,
		.maxattr = VL_NL_VRING_ADD_MAX,
		.doit = vl_nl_vring_add,
	},
	{
		.cmd = VRINGLAB_CMD_VRING_DEL,
		.flags = GENL_ADMIN_PERM,
		.policy = vl_nl_vring_id_policy,
		.maxattr = VL_NL_VRING_ID_MAX,
		.doit = vl_nl_vring_del,
	},
	{
		.cmd = VRINGLAB_CMD_COUNTERS_GET,
		.policy = vl_nl_counters_policy,
		.maxattr = VL_NL_COUNTERS_MAX,
		.doit = vl_nl_counters_get,
		.start = vl_nl_dump_start,
		.dumpit = vl_nl_counters_dump,
	},
	{
		.cmd = VRINGLAB_CMD_HIST_GET,
		.policy = vl_nl_hist_policy,
		.maxattr = VL_NL_HIST_MAX,
		.doit = vl_nl_hist_get,
		.start = vl_nl_hist_dump_start,
		.dumpit = vl_nl_hist_dump,
	},
	{
		.cmd = VRINGLAB_CMD_PROBE_GET,
		.start = vl_nl_dump_start,
		.dumpit = vl_nl_probe_dump,
	},
	{
		.cmd = VRINGLAB_CMD_DISCOVER_GET,
		.doit = vl_nl_discover_get,
	},
	{
		.cmd = VRINGLAB_CMD_DISCOVER_SET,
		.flags = GENL_ADMIN_PERM,
		.policy = vl_nl_discover_policy,
		.maxattr = VL_NL_DISCOVER_MAX,
		.doit = vl_nl_discover_set,
	},
	{
		.cmd = VRINGLAB_CMD_LAYOUT_GET,
		.start = vl_nl_dump_start,
		.dumpit = vl_nl_layout_dump,
	},
	{
		.cmd = VRINGLAB_CMD_LAYOUT_SET,
		.flags = GENL_ADMIN_PERM,
		.policy = vl_nl_layout_policy,
		.maxattr = VL_NL_LAYOUT_MAX,
		.doit = vl_nl_layout_set,
	},
	{
		.cmd = VRINGLAB_CMD_VCPU_GET,
		.policy = vl_nl_vcpu_policy,
		.maxattr = VL_NL_VCPU_MAX,
		.doit = vl_nl_vcpu_get,
		.start = vl_nl_vcpu_dump_start,
		.dumpit = vl_nl_vcpu_dump,
	},
	{
		.cmd = VRINGLAB_CMD_INTERVAL_GET,
		.policy = vl_nl_interval_policy,
		.maxattr = VL_NL_INTERVAL_MAX,
		.doit = vl_nl_interval,
	},
	{
		.cmd = VRINGLAB_CMD_INTERVAL_RESET,
		.flags = GENL_ADMIN_PERM,
		.policy = vl_nl_interval_policy,
		.maxattr = VL_NL_INTERVAL_MAX,
		.doit = vl_nl_interval,
	},
	{
		.cmd = VRINGLAB_CMD_THRESHOLD_GET,
		.policy = vl_nl_threshold_id_policy,
		.maxattr = VL_NL_THRESHOLD_ID_MAX,
		.doit = vl_nl_threshold_get,
		.start = vl_nl_dump_start,
		.dumpit = vl_nl_threshold_dump,
	},
	{
		.cmd = VRINGLAB_CMD_THRESHOLD_ADD,
		.flags = GENL_ADMIN_PERM,
		.policy = vl_nl_threshold_add_policy,
		.maxattr = VL_NL_THRESHOLD_ADD_MAX,
		.doit = vl_nl_threshold_add,
	},
	{
		.cmd = VRINGLAB_CMD_THRESHOLD_DEL,
		.flags = GENL_ADMIN_PERM,
		.policy = vl_nl_threshold_id_policy,
		.maxattr = VL_NL_THRESHOLD_ID_MAX,
		.doit = vl_nl_threshold_del,
	},
};

/*
 * What the kernel lets pass: of an attribute that is there twice it takes the last,
 * numbers in the other byte order it takes for numbers in this one, and without a
 * policy it takes anything. Nests may be many.
 */
static int strict(const struct vl_genl_op *op, struct sk_buff *skb, struct genl_info *info)
{
	const struct nlattr *attr;
	u64 seen = 0;
	int rem;

	nlmsg_for_each_attr(attr, info->nlhdr, GENL_HDRLEN, rem) {
		unsigned int type = nla_type(attr);

		if (!op->maxattr) {
			NL_SET_ERR_MSG_ATTR(info->extack, attr, "this command takes no attributes");
			return -EINVAL;
		}
		if (op->policy[type].type == NLA_NESTED)
			continue;
		if (attr->nla_type & NLA_F_NET_BYTEORDER) {
			NL_SET_ERR_MSG_ATTR(info->extack, attr, "not in the host's byte order");
			return -EINVAL;
		}
		if (seen & BIT_ULL(type)) {
			NL_SET_ERR_MSG_ATTR(info->extack, attr, "an attribute is given twice");
			return -EINVAL;
		}
		seen |= BIT_ULL(type);
	}

	return 0;
}

/* resv_start_op stays 0: from the first operation on, reserved fields are checked. */
struct genl_family vl_nl_family __ro_after_init = {
	.name = VRINGLAB_FAMILY_NAME,
	.version = VRINGLAB_FAMILY_VERSION,
	.module = THIS_MODULE,
	.parallel_ops = true,
	.pre_doit = strict,
	.ops = ops,
	.n_ops = ARRAY_SIZE(ops),
	.mcgrps = vl_nl_groups,
	.n_mcgrps = VL_NL_GROUPS,
};

static int netlink_event(struct notifier_block *nb, unsigned long event, void *data)
{
	const struct netlink_notify *notify = data;

	if (event == NETLINK_URELEASE && notify->protocol == NETLINK_GENERIC &&
	    net_eq(notify->net, &init_net)) {
		vl_vring_del_portid(notify->portid);
		vl_discover_release(notify->portid);
	}

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

	ret = genl_register_family(&vl_nl_family);
	if (ret) {
		netlink_unregister_notifier(&netlink_nb);
		return ret;
	}

	vl_nl_listen(true);
	return 0;
}

void vl_netlink_exit(void)
{
	vl_nl_listen(false);
	vl_threshold_mute();
	genl_unregister_family(&vl_nl_family);
	netlink_unregister_notifier(&netlink_nb);
}
