// SPDX-License-Identifier: GPL-2.0-only
#include <linux/init.h>
#include <linux/module.h>
#include <linux/moduleparam.h>

#include "found.h"

static bool discover;
module_param(discover, bool, 0444);
MODULE_PARM_DESC(discover, "look for vrings from the start, until it is told to stop");

static int __init vringlab_init(void)
{
	int ret;

	ret = vl_hooks_init();
	if (ret)
		return ret;

	ret = vl_vrings_init();
	if (ret)
		goto err_hooks;

	/* Without hooks it cannot work, and then says why when asked for again. */
	if (discover)
		vl_discover_set(true, true, 0, NULL);

	ret = vl_netlink_init();
	if (ret)
		goto err_discover;

	return 0;

err_discover:
	vl_discover_exit();
	vl_vrings_exit();
err_hooks:
	vl_hooks_exit();
	vl_found_flush();
	return ret;
}

static void __exit vringlab_exit(void)
{
	vl_netlink_exit();
	vl_discover_exit();
	vl_vrings_exit();
	vl_hooks_exit();
	vl_found_flush();
}

module_init(vringlab_init);
module_exit(vringlab_exit);

MODULE_LICENSE("GPL");
MODULE_AUTHOR("vringlab developers");
MODULE_DESCRIPTION("Follows virtqueue kicks and interrupts through KVM and eventfds");
MODULE_VERSION(VRINGLAB_VERSION);
/*
 * The kernel is marked: it was measured. There is no alias by the netlink family's
 * name: whoever asked for it would load the module.
 */
MODULE_INFO(test, "Y");
