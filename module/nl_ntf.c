// SPDX-License-Identifier: GPL-2.0-only
/*
 * Notifications over netlink: vrings that come and go.
 *
 * They are sent under vl_vrings_lock, so that their order is that of the changes.
 * Whoever may open a socket may listen: nothing that is the administrator's only
 * is in them.
 */
#include "vringlab.h"

#include <linux/mutex.h>
#include <linux/netlink.h>
#include <net/genetlink.h>
#include <net/net_namespace.h>
#include <net/netlink.h>

#include "nl.h"

const struct genl_multicast_group vl_nl_groups[VL_NL_GROUPS] = {
	[VL_NL_GROUP_VRINGS] = { .name = VRINGLAB_MCGRP_VRINGS },
	[VL_NL_GROUP_THRESHOLD] = { .name = VRINGLAB_MCGRP_THRESHOLD },
};

/* Without the family its groups are someone else's. Under vl_vrings_lock. */
static bool listening;

void vl_nl_listen(bool listen)
{
	mutex_lock(&vl_vrings_lock);
	listening = listen;
	mutex_unlock(&vl_vrings_lock);
}

void vl_nl_vring_changed(u8 cmd, const struct vl_vring *vring)
{
	struct vl_nl_reply reply = {};

	lockdep_assert_held(&vl_vrings_lock);

	if (!listening || !genl_has_listeners(&vl_nl_family, &init_net, VL_NL_GROUP_VRINGS))
		return;

	reply.skb = genlmsg_new(NLMSG_GOODSIZE, GFP_KERNEL);
	if (!reply.skb || vl_nl_vring_fill(&reply, vring, cmd)) {
		nlmsg_free(reply.skb);
		/* To the listeners it is a message that was lost. */
		genl_set_err(&vl_nl_family, &init_net, 0, VL_NL_GROUP_VRINGS, -ENOBUFS);
		return;
	}
	genlmsg_multicast(&vl_nl_family, reply.skb, 0, VL_NL_GROUP_VRINGS, GFP_KERNEL);
}
