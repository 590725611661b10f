// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whether vrings are looked for that nobody registers.
 *
 * Each socket that wants it keeps it on; so does one that said "persist", until
 * somebody says "off". While it is off nothing is hooked for it, and no vring is
 * there that was found by it.
 */
#include "vringlab.h"

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/netlink.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>

#include "found.h"

struct holder {
	struct list_head node;
	u32 portid;
};

/* All under vl_vrings_lock. */
static LIST_HEAD(holders);
static bool persists;
bool vl_discover_on;

/* Every netlink socket ends at vl_discover_release(): most have no part in this. */
static unsigned int nr_holders;

bool vl_discovering(void)
{
	lockdep_assert_held(&vl_vrings_lock);
	return vl_discover_on;
}

bool vl_discover_persists(void)
{
	lockdep_assert_held(&vl_vrings_lock);
	return persists;
}

static struct holder *find_holder(u32 portid)
{
	struct holder *holder;

	list_for_each_entry(holder, &holders, node)
		if (holder->portid == portid)
			return holder;

	return NULL;
}

static int add_holder(u32 portid)
{
	struct holder *holder = find_holder(portid);

	if (holder)
		return 0;

	holder = kzalloc(sizeof(*holder), GFP_KERNEL_ACCOUNT);
	if (!holder)
		return -ENOMEM;

	holder->portid = portid;
	list_add(&holder->node, &holders);
	WRITE_ONCE(nr_holders, nr_holders + 1);
	return 0;
}

static void del_holder(struct holder *holder)
{
	list_del(&holder->node);
	kfree(holder);
	WRITE_ONCE(nr_holders, nr_holders - 1);
}

static int begin(struct netlink_ext_ack *extack)
{
	int ret;

	if (vl_discover_on)
		return 0;

	vl_ctx_begin();
	ret = vl_hooks_discover(extack);
	if (!ret)
		WRITE_ONCE(vl_discover_on, true);
	return ret;
}

static void end_if_unwanted(void)
{
	if (!vl_discover_on || persists || nr_holders)
		return;

	WRITE_ONCE(vl_discover_on, false);
	/* What handlers tell until here is forgotten below, they tell nothing later. */
	synchronize_rcu();
	vl_devices_end();
	vl_vms_end();
	vl_vhost_user_end();
	vl_hooks_undiscover();
}

static int turn_on(bool persist, u32 portid, struct netlink_ext_ack *extack)
{
	int ret;

	ret = begin(extack);
	if (ret)
		return ret;

	if (persist)
		persists = true;
	else
		ret = add_holder(portid);
	end_if_unwanted();
	return ret;
}

static void turn_off(void)
{
	struct holder *holder, *next;

	list_for_each_entry_safe(holder, next, &holders, node)
		del_holder(holder);
	persists = false;
	end_if_unwanted();
}

/* @portid: of the socket that asks, and keeps it on unless it is to persist. */
int vl_discover_set(bool on, bool persist, u32 portid, struct netlink_ext_ack *extack)
{
	int ret = 0;

	/* What was found the last time is not of today. */
	vl_found_flush();

	mutex_lock(&vl_vrings_lock);
	if (on)
		ret = turn_on(persist, portid, extack);
	else
		turn_off();
	mutex_unlock(&vl_vrings_lock);

	return ret;
}

void vl_discover_release(u32 portid)
{
	struct holder *holder;

	if (!READ_ONCE(nr_holders))
		return;

	mutex_lock(&vl_vrings_lock);
	holder = find_holder(portid);
	if (holder) {
		del_holder(holder);
		end_if_unwanted();
	}
	mutex_unlock(&vl_vrings_lock);
}

/* Before the hooks end, which may post until then. */
void vl_discover_exit(void)
{
	mutex_lock(&vl_vrings_lock);
	turn_off();
	mutex_unlock(&vl_vrings_lock);
}
