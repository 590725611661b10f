// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Interfaces: what the kernel answers.
 */
#include <errno.h>
#include <string.h>

#include <vringlab/err.h>

#include "rtnl.h"

static bool is_u32(const struct nlattr *attr)
{
	return mnl_attr_get_payload_len(attr) == sizeof(uint32_t);
}

static void take_kind(const struct nlattr *info, struct rtnl_link *link)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, info)
		if (mnl_attr_get_type(attr) == IFLA_INFO_KIND &&
		    mnl_attr_get_payload_len(attr) <= sizeof(link->kind))
			strncpy(link->kind, mnl_attr_get_payload(attr), sizeof(link->kind) - 1);
}

static void take_attr(const struct nlattr *attr, struct rtnl_link *link)
{
	switch (mnl_attr_get_type(attr)) {
	case IFLA_MTU:
		if (is_u32(attr))
			link->mtu = mnl_attr_get_u32(attr);
		break;
	case IFLA_MASTER:
		if (is_u32(attr))
			link->master = mnl_attr_get_u32(attr);
		break;
	case IFLA_ADDRESS:
		if (mnl_attr_get_payload_len(attr) == sizeof(link->mac))
			memcpy(link->mac, mnl_attr_get_payload(attr), sizeof(link->mac));
		break;
	case IFLA_LINKINFO:
		take_kind(attr, link);
		break;
	}
}

static int take_link(const struct nlmsghdr *nlh, void *data, struct vl_err *err)
{
	const struct ifinfomsg *header = mnl_nlmsg_get_payload(nlh);
	struct rtnl_link *link = data;
	const struct nlattr *attr;

	if (nlh->nlmsg_type != RTM_NEWLINK || mnl_nlmsg_get_payload_len(nlh) < sizeof(*header))
		return vl_err_set(err, -EPROTO, "the kernel's answer is of another kind");
	*link = (struct rtnl_link){ .index = header->ifi_index, .flags = header->ifi_flags };
	mnl_attr_for_each(attr, nlh, sizeof(*header))
		take_attr(attr, link);
	return 0;
}

int rtnl_link_get(struct rtnl *rtnl, const char *name, struct rtnl_link *link, struct vl_err *err)
{
	const struct ifinfomsg header = { .ifi_family = AF_UNSPEC };
	struct rtnl_request request = rtnl_request(rtnl, RTM_GETLINK, 0, &header, sizeof(header));
	struct rtnl_link got = { 0 };
	int ret;

	rtnl_put_name(&request, IFLA_IFNAME, name);
	ret = rtnl_transact(rtnl, &request, take_link, &got, err);
	if (ret) {
		vl_err_prefix(err, "cannot look up interface '%s'", name);
		return ret;
	}
	*link = got;
	return 0;
}

int rtnl_link_index(struct rtnl *rtnl, const char *name, struct vl_err *err)
{
	struct rtnl_link link;
	int ret = rtnl_link_get(rtnl, name, &link, err);

	return ret ? ret : (int)link.index;
}
