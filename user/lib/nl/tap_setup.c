// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A tap as somebody wants it, and as it was.
 */
#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <unistd.h>

#include <vringlab/err.h>
#include <vringlab/link.h>

#include "rtnl.h"

static int make_bridge(struct tap_undo *undo, const char *name, struct vl_err *err)
{
	struct rtnl_link link;
	int ret;

	if (strlen(name) >= sizeof(undo->bridge))
		return vl_err_set(err, -EINVAL, "a bridge's name has at most %zu characters",
				  sizeof(undo->bridge) - 1);
	ret = rtnl_link_get(undo->rtnl, name, &link, err);
	if (ret == -ENODEV) {
		ret = rtnl_link_add_bridge(undo->rtnl, name, err);
		undo->bridge_made = !ret;
	}
	if (ret)
		return ret;
	strcpy(undo->bridge, name);
	return undo->bridge_made ? rtnl_link_set_up(undo->rtnl, name, true, err) : 0;
}

static int join_bridge(struct tap_undo *undo, const char *bridge, const struct rtnl_link *now,
		       struct vl_err *err)
{
	int ret = make_bridge(undo, bridge, err);

	if (ret || now->master == if_nametoindex(bridge))
		return ret;
	return rtnl_link_set_master(undo->rtnl, undo->name, bridge, err);
}

static const char *addressee(const struct tap_undo *undo)
{
	return *undo->bridge ? undo->bridge : undo->name;
}

static int add_address(struct tap_undo *undo, const char *text, struct vl_err *err)
{
	int ret;

	if (rtnl_addr_parse(text, &undo->address))
		return vl_err_set(err, -EINVAL, "'%s' is no address with a prefix length", text);
	ret = rtnl_addr_add(undo->rtnl, addressee(undo), &undo->address, err);
	undo->addressed = !ret;
	return ret == -EEXIST ? 0 : ret;
}

static int set_up(struct tap_undo *undo, const struct tap_setup *setup, struct vl_err *err)
{
	struct rtnl_link now;
	int ret = rtnl_link_get(undo->rtnl, undo->name, &now, err);

	if (ret)
		return ret;
	undo->mtu = setup->mtu ? setup->mtu : now.mtu;
	if (undo->mtu != now.mtu)
		ret = rtnl_link_set_mtu(undo->rtnl, undo->name, undo->mtu, err);
	if (!ret && setup->bridge)
		ret = join_bridge(undo, setup->bridge, &now, err);
	if (!ret && setup->address)
		ret = add_address(undo, setup->address, err);
	if (!ret && !(now.flags & IFF_UP))
		ret = rtnl_link_set_up(undo->rtnl, undo->name, true, err);
	return ret;
}

static void close_all(int *fds, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		close(fds[i]);
}

int tap_open_set_up(char name[IFNAMSIZ], int *fds, unsigned int nr, const struct tap_setup *setup,
		    struct tap_undo *undo, struct vl_err *err)
{
	struct tap_undo made = { 0 };
	int ret = rtnl_open(&made.rtnl, err);

	if (ret)
		return ret;
	made.existed = !rtnl_link_get(made.rtnl, name, &made.was, NULL);
	ret = tap_open(name, fds, nr, err);
	if (ret) {
		rtnl_close(made.rtnl);
		return ret;
	}
	strcpy(made.name, name);
	ret = set_up(&made, setup, err);
	if (!ret)
		ret = tap_keep(&made, err);
	if (ret) {
		tap_undo_all(&made);
		rtnl_close(made.rtnl);
		close_all(fds, nr);
		return ret;
	}
	*undo = made;
	return 0;
}

/* A tap that was made goes with its fds in any case, which io_uring may still hold. */
static void undo_tap(const struct tap_undo *undo)
{
	char master[IF_NAMESIZE];
	struct rtnl_link now;

	if (!undo->existed) {
		rtnl_link_del(undo->rtnl, undo->name, NULL);
		return;
	}
	if (rtnl_link_get(undo->rtnl, undo->name, &now, NULL))
		return;
	if (!(undo->was.flags & IFF_UP))
		rtnl_link_set_up(undo->rtnl, undo->name, false, NULL);
	if (now.master != undo->was.master)
		rtnl_link_set_master(undo->rtnl, undo->name,
				     if_indextoname(undo->was.master, master), NULL);
	if (now.mtu != undo->was.mtu)
		rtnl_link_set_mtu(undo->rtnl, undo->name, undo->was.mtu, NULL);
}

void tap_undo_all(const struct tap_undo *undo)
{
	if (undo->addressed)
		rtnl_addr_del(undo->rtnl, addressee(undo), &undo->address, NULL);
	undo_tap(undo);
	if (undo->bridge_made)
		rtnl_link_del(undo->rtnl, undo->bridge, NULL);
}
