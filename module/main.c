// SPDX-License-Identifier: GPL-2.0-only
#include <linux/init.h>
#include <linux/module.h>

#include "vringlab.h"

static int __init vringlab_init(void)
{
	int ret;

	ret = vl_hooks_init();
	if (ret)
		return ret;

	ret = vl_vrings_init();
	if (ret)
		goto err_hooks;

	ret = vl_netlink_init();
	if (ret)
		goto err_vrings;

	return 0;

err_vrings:
	vl_vrings_exit();
err_hooks:
	vl_hooks_exit();
	return ret;
}

static void __exit vringlab_exit(void)
{
	vl_netlink_exit();
	vl_vrings_exit();
	vl_hooks_exit();
}

module_init(vringlab_init);
module_exit(vringlab_exit);

MODULE_LICENSE("GPL");
MODULE_AUTHOR("vringlab developers");
MODULE_DESCRIPTION("Follows virtqueue kicks and interrupts through KVM and eventfds");
