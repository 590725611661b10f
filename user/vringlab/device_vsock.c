// SPDX-License-Identifier: GPL-2.0-only
#include <stddef.h>

#include <linux/virtio_ids.h>

#include <vringlab/backend_vhost.h>
#include <vringlab/parse.h>

#include "device.h"

static const char *const vsock_options[] = { "cid", NULL };

static const char *vsock_take(struct device_options *opt, const char *name, const char *arg)
{
	(void)name;
	return vl_parse_u64(arg, BACKEND_VHOST_CID_MIN, BACKEND_VHOST_CID_MAX, &opt->cid) ?
		       "3 to 4294967294" :
		       NULL;
}

static const char *vsock_check(const struct device_options *opt)
{
	return opt->cid ? NULL : "vsock needs --cid N";
}

/* Served by vhost in the kernel, or by another process. */
const struct device_kind device_vsock = {
	.name = "vsock",
	.device_id = VIRTIO_ID_VSOCK,
	.help = "sockets between host and guest",
	.queues_max = 1,
	.options = vsock_options,
	.take = vsock_take,
	.check = vsock_check,
};
