// SPDX-License-Identifier: GPL-2.0-only
/*
 * How many vrings may be found, for anybody can have some found who can open a Unix
 * socket or /dev/kvm.
 *
 * Some are kept for those that are registered. Of the rest a user may have as many as
 * are free: alone half of them, two a third each, and whoever comes next gets some.
 * Root may have all.
 *
 * A vring counts until it is freed, since until then it has its index. All under
 * vl_vrings_lock.
 */
#include "vringlab.h"

#include <linux/list.h>
#include <linux/slab.h>
#include <linux/uidgid.h>

#define FOUND_MAX (VL_VRINGS_MAX / 4 * 3)

struct share {
	struct list_head node;
	kuid_t uid;
	unsigned int nr;
};

static LIST_HEAD(shares);
static unsigned int nr_found;

static struct share *find(kuid_t uid)
{
	struct share *share;

	list_for_each_entry(share, &shares, node)
		if (uid_eq(share->uid, uid))
			return share;

	return NULL;
}

static struct share *add(kuid_t uid)
{
	struct share *share = kzalloc(sizeof(*share), GFP_KERNEL_ACCOUNT);

	if (!share)
		return NULL;

	share->uid = uid;
	list_add(&share->node, &shares);
	return share;
}

/* Return: -EDQUOT if @uid may have no more */
int vl_share_take(kuid_t uid)
{
	struct share *share = find(uid);
	unsigned int left = FOUND_MAX - nr_found;

	lockdep_assert_held(&vl_vrings_lock);

	if (!left || (share && share->nr >= left && !uid_eq(uid, GLOBAL_ROOT_UID)))
		return -EDQUOT;

	share = share ?: add(uid);
	if (!share)
		return -ENOMEM;
	share->nr++;
	nr_found++;
	return 0;
}

void vl_share_give(kuid_t uid)
{
	struct share *share = find(uid);

	lockdep_assert_held(&vl_vrings_lock);

	nr_found--;
	if (--share->nr)
		return;
	list_del(&share->node);
	kfree(share);
}
