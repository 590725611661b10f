// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Addresses of interfaces.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include <vringlab/err.h>
#include <vringlab/parse.h>

#include "rtnl.h"

static unsigned int addr_bytes(const struct rtnl_addr *addr)
{
	return addr->family == AF_INET ? 4 : 16;
}

int rtnl_addr_parse(const char *text, struct rtnl_addr *addr)
{
	const char *slash = strchrnul(text, '/');
	char host[INET6_ADDRSTRLEN];
	struct rtnl_addr got = { 0 };
	uint64_t prefix;

	if ((size_t)(slash - text) >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, slash - text);
	host[slash - text] = '\0';
	got.family = strchr(host, ':') ? AF_INET6 : AF_INET;
	if (inet_pton(got.family, host, got.bytes) != 1)
		return -EINVAL;
	prefix = 8 * addr_bytes(&got);
	if (*slash && (vl_parse_u64(slash + 1, 0, prefix, &prefix)))
		return -EINVAL;
	got.prefix = prefix;
	*addr = got;
	return 0;
}

static int change(struct rtnl *rtnl, uint16_t type, uint16_t flags, const char *name,
		  const struct rtnl_addr *addr, struct vl_err *err)
{
	struct ifaddrmsg header = { .ifa_family = addr->family, .ifa_prefixlen = addr->prefix };
	int index = rtnl_link_index(rtnl, name, err);
	struct rtnl_request request;

	if (index < 0)
		return index;
	header.ifa_index = index;
	/* ours alone to give: no waiting for others to object (RFC 4862, 5.4) */
	header.ifa_flags = addr->family == AF_INET6 ? IFA_F_NODAD : 0;
	request = rtnl_request(rtnl, type, flags, &header, sizeof(header));
	rtnl_put(&request, IFA_LOCAL, addr->bytes, addr_bytes(addr));
	rtnl_put(&request, IFA_ADDRESS, addr->bytes, addr_bytes(addr));
	return rtnl_transact(rtnl, &request, NULL, NULL, err);
}

int rtnl_addr_add(struct rtnl *rtnl, const char *name, const struct rtnl_addr *addr,
		  struct vl_err *err)
{
	int ret = change(rtnl, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, name, addr, err);

	if (ret)
		vl_err_prefix(err, "cannot add an address to interface '%s'", name);
	return ret;
}

int rtnl_addr_del(struct rtnl *rtnl, const char *name, const struct rtnl_addr *addr,
		  struct vl_err *err)
{
	int ret = change(rtnl, RTM_DELADDR, 0, name, addr, err);

	if (ret)
		vl_err_prefix(err, "cannot remove an address of interface '%s'", name);
	return ret;
}
