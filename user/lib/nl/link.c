// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Interfaces: what is asked of the kernel.
 */
#include <errno.h>
#include <string.h>

#include <linux/veth.h>

#include <vringlab/err.h>

#include "rtnl.h"

static bool name_fits(const char *name)
{
	return *name && strlen(name) < IFNAMSIZ;
}

/* A request about the interface @name, which need not exist. */
static struct rtnl_request about(struct rtnl *rtnl, uint16_t type, uint16_t flags, const char *name)
{
	const struct ifinfomsg header = { .ifi_family = AF_UNSPEC };
	struct rtnl_request request = rtnl_request(rtnl, type, flags, &header, sizeof(header));

	rtnl_put_name(&request, IFLA_IFNAME, name);
	return request;
}

static int send_about(struct rtnl *rtnl, const struct rtnl_request *request, const char *what,
		      const char *name, struct vl_err *err)
{
	int ret = name_fits(name) ?
			  rtnl_transact(rtnl, request, NULL, NULL, err) :
			  vl_err_set(err, -EINVAL, "a name has 1 to %d characters", IFNAMSIZ - 1);

	if (ret)
		vl_err_prefix(err, "cannot %s interface '%s'", what, name);
	return ret;
}

int rtnl_link_set_up(struct rtnl *rtnl, const char *name, bool up, struct vl_err *err)
{
	const struct ifinfomsg header = {
		.ifi_family = AF_UNSPEC,
		.ifi_flags = up ? IFF_UP : 0,
		.ifi_change = IFF_UP,
	};
	struct rtnl_request request = rtnl_request(rtnl, RTM_NEWLINK, 0, &header, sizeof(header));

	rtnl_put_name(&request, IFLA_IFNAME, name);
	return send_about(rtnl, &request, up ? "set up" : "set down", name, err);
}

int rtnl_link_set_mtu(struct rtnl *rtnl, const char *name, uint32_t mtu, struct vl_err *err)
{
	struct rtnl_request request = about(rtnl, RTM_NEWLINK, 0, name);

	rtnl_put_u32(&request, IFLA_MTU, mtu);
	return send_about(rtnl, &request, "set the MTU of", name, err);
}

int rtnl_link_set_mac(struct rtnl *rtnl, const char *name, const uint8_t mac[6], struct vl_err *err)
{
	struct rtnl_request request = about(rtnl, RTM_NEWLINK, 0, name);

	rtnl_put(&request, IFLA_ADDRESS, mac, 6);
	return send_about(rtnl, &request, "set the address of", name, err);
}

int rtnl_link_set_master(struct rtnl *rtnl, const char *name, const char *bridge,
			 struct vl_err *err)
{
	struct rtnl_request request;
	int index = 0;

	/* first, for it uses the same buffer */
	if (bridge)
		index = rtnl_link_index(rtnl, bridge, err);
	if (index < 0)
		return index;
	request = about(rtnl, RTM_NEWLINK, 0, name);
	rtnl_put_u32(&request, IFLA_MASTER, index);
	return send_about(rtnl, &request, "set the bridge of", name, err);
}

int rtnl_link_set_netns(struct rtnl *rtnl, const char *name, int netns_fd, struct vl_err *err)
{
	struct rtnl_request request = about(rtnl, RTM_NEWLINK, 0, name);

	rtnl_put_u32(&request, IFLA_NET_NS_FD, netns_fd);
	return send_about(rtnl, &request, "move to another network namespace the", name, err);
}

static struct rtnl_request about_new(struct rtnl *rtnl, const char *name)
{
	return about(rtnl, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, name);
}

int rtnl_link_add_bridge(struct rtnl *rtnl, const char *name, struct vl_err *err)
{
	struct rtnl_request request = about_new(rtnl, name);
	struct nlattr *info = rtnl_nest(&request, IFLA_LINKINFO);

	rtnl_put_name(&request, IFLA_INFO_KIND, "bridge");
	rtnl_nest_end(&request, info);
	return send_about(rtnl, &request, "create the bridge", name, err);
}

/* The other end: an interface's header and attributes of its own. */
static void put_peer(struct rtnl_request *request, const char *peer)
{
	struct nlattr *nest = rtnl_nest(request, VETH_INFO_PEER);

	if (!nest)
		return;
	memset(mnl_nlmsg_put_extra_header(request->nlh, sizeof(struct ifinfomsg)), 0,
	       sizeof(struct ifinfomsg));
	rtnl_put_name(request, IFLA_IFNAME, peer);
	rtnl_nest_end(request, nest);
}

int rtnl_link_add_veth(struct rtnl *rtnl, const char *name, const char *peer, struct vl_err *err)
{
	struct rtnl_request request = about_new(rtnl, name);
	struct nlattr *info = rtnl_nest(&request, IFLA_LINKINFO);
	struct nlattr *data;

	rtnl_put_name(&request, IFLA_INFO_KIND, "veth");
	data = rtnl_nest(&request, IFLA_INFO_DATA);
	put_peer(&request, peer);
	rtnl_nest_end(&request, data);
	rtnl_nest_end(&request, info);
	return send_about(rtnl, &request, "create the pair of", name, err);
}

int rtnl_link_del(struct rtnl *rtnl, const char *name, struct vl_err *err)
{
	struct rtnl_request request = about(rtnl, RTM_DELLINK, 0, name);

	return send_about(rtnl, &request, "remove", name, err);
}
