// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/genetlink.h>

#include <vringlab/err.h>

#include "internal.h"

struct family {
	uint16_t id;
	uint32_t version;
	uint32_t vrings_group;
	uint32_t threshold_group;
};

static void take_group(const struct nlattr *nest, struct family *family)
{
	const struct nlattr *attr;
	const char *name = "";
	uint32_t id = 0;

	mnl_attr_for_each_nested(attr, nest) {
		switch (mnl_attr_get_type(attr)) {
		case CTRL_ATTR_MCAST_GRP_NAME:
			if (mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0)
				name = mnl_attr_get_str(attr);
			break;
		case CTRL_ATTR_MCAST_GRP_ID:
			if (mnl_attr_validate(attr, MNL_TYPE_U32) >= 0)
				id = mnl_attr_get_u32(attr);
			break;
		}
	}
	if (!strcmp(name, VRINGLAB_MCGRP_VRINGS))
		family->vrings_group = id;
	else if (!strcmp(name, VRINGLAB_MCGRP_THRESHOLD))
		family->threshold_group = id;
}

static int take_family(const struct nlmsghdr *nlh, void *data, struct vl_err *err)
{
	struct family *family = data;
	const struct nlattr *attr, *group;

	mnl_attr_for_each(attr, nlh, sizeof(struct genlmsghdr)) {
		switch (mnl_attr_get_type(attr)) {
		case CTRL_ATTR_FAMILY_ID:
			if (mnl_attr_validate(attr, MNL_TYPE_U16) < 0)
				break;
			family->id = mnl_attr_get_u16(attr);
			break;
		case CTRL_ATTR_VERSION:
			if (mnl_attr_validate(attr, MNL_TYPE_U32) < 0)
				break;
			family->version = mnl_attr_get_u32(attr);
			break;
		case CTRL_ATTR_MCAST_GROUPS:
			mnl_attr_for_each_nested(group, attr)
				take_group(group, family);
			break;
		}
	}
	if (!family->id)
		return vl_err_set(err, -EPROTO, "the kernel's answer has no family id");
	return 0;
}

static const char not_loaded[] = "the module vringlab is not loaded: run 'modprobe vringlab', or ";
static const char build_it[] = "'make module' and insmod build/kmod/$(uname -r)/module/vringlab.ko";
static const char not_here[] =
	"the module vringlab is loaded, but only the initial network namespace can talk to it";

static int find_family(struct vlnl *nl, struct vl_err *err)
{
	struct family family = { 0 };
	struct nlmsghdr *nlh;
	int ret;

	nlh = vlnl_request(nl, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 1, NLM_F_ACK);
	if (!mnl_attr_put_strz_check(nlh, VLNL_SEND_SIZE, CTRL_ATTR_FAMILY_NAME,
				     VRINGLAB_FAMILY_NAME))
		return vl_err_set(err, -EMSGSIZE, "request too long");
	ret = vlnl_transact(nl, nlh, take_family, &family, err);
	if (ret == -ENOENT && !access("/sys/module/vringlab", F_OK))
		return vl_err_set(err, ret, "%s", not_here);
	if (ret == -ENOENT)
		return vl_err_set(err, ret, "%s%s", not_loaded, build_it);
	if (ret) {
		vl_err_prefix(err, "cannot find the netlink family " VRINGLAB_FAMILY_NAME);
		return ret;
	}
	if (family.version != VRINGLAB_FAMILY_VERSION)
		return vl_err_set(err, -EPROTO,
				  "the module's netlink version is %u, not %u: install both anew",
				  family.version, VRINGLAB_FAMILY_VERSION);
	nl->family = family.id;
	nl->vrings_group = family.vrings_group;
	nl->threshold_group = family.threshold_group;
	return 0;
}

static int set_option(struct vlnl *nl, int option, const char *name, struct vl_err *err)
{
	int on = 1;

	if (mnl_socket_setsockopt(nl->sock, option, &on, sizeof(on)) < 0)
		return vl_err_set(err, -errno, "cannot set %s on a netlink socket: %s", name,
				  vl_strerror(errno));
	return 0;
}

static int connect_kernel(struct vlnl *nl, struct vl_err *err)
{
	int ret;

	/* Not to be inherited: the module deletes vrings when the socket closes. */
	nl->sock = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC);
	if (!nl->sock)
		return vl_err_set(err, -errno, "cannot open a generic netlink socket: %s",
				  vl_strerror(errno));
	if (mnl_socket_bind(nl->sock, 0, MNL_SOCKET_AUTOPID) < 0)
		return vl_err_set(err, -errno, "cannot bind a generic netlink socket: %s",
				  vl_strerror(errno));
	nl->portid = mnl_socket_get_portid(nl->sock);
	ret = set_option(nl, NETLINK_EXT_ACK, "NETLINK_EXT_ACK", err);
	if (!ret)
		ret = set_option(nl, NETLINK_CAP_ACK, "NETLINK_CAP_ACK", err);
	if (!ret)
		ret = set_option(nl, NETLINK_GET_STRICT_CHK, "NETLINK_GET_STRICT_CHK", err);
	return ret;
}

int vlnl_open(struct vlnl **nl, struct vl_err *err)
{
	struct vlnl *new = calloc(1, sizeof(*new));
	int ret;

	if (!new)
		return vl_err_set(err, -ENOMEM, "no memory for a netlink client");
	ret = connect_kernel(new, err);
	if (!ret)
		ret = find_family(new, err);
	if (ret) {
		vlnl_close(new);
		return ret;
	}
	*nl = new;
	return 0;
}

void vlnl_close(struct vlnl *nl)
{
	if (!nl)
		return;
	if (nl->sock)
		mnl_socket_close(nl->sock);
	free(nl);
}
