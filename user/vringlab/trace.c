// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stddef.h>

#include <vringlab/err.h>
#include <vringlab/nl.h>

#include "trace.h"

/*
 * Whether vrings can be registered is said before anything depends on it: id 0 names
 * none, so deleting it fails for no other reason.
 */
int trace_open(struct vlnl **nl, struct vl_err *err)
{
	struct vlnl *new;
	int ret = vlnl_open(&new, err);

	if (ret)
		return ret;
	if (vlnl_vring_del(new, 0, NULL) != -EPERM) {
		*nl = new;
		return 0;
	}
	vlnl_close(new);
	return vl_err_set(err, -EPERM,
			  "--trace needs CAP_NET_ADMIN: run as root, or use setcap(8)");
}
