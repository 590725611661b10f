// SPDX-License-Identifier: GPL-2.0-only
/*
 * The devices without options of their own.
 */
#include <json-c/json.h>
#include <linux/virtio_ids.h>

#include <vringlab/vdev_loopback.h>
#include <vringlab/vdev_null.h>
#include <vringlab/vdev_rng.h>
#include <vringlab/vhost_user_backend.h>

#include "device.h"
#include "json_add.h"

static int create_loopback(struct vdev **vdev, struct loop *loop, const struct device_options *opt,
			   struct vl_err *err)
{
	(void)loop;
	return vdev_loopback_create(vdev, opt->queues, err);
}

static struct json_object *loopback_stats(const struct vdev *vdev)
{
	struct json_object *o = json_object_new_object();
	struct vdev_loopback_stats stats;

	vdev_loopback_get_stats(vdev, &stats);
	json_add_u64(o, "chains", stats.chains);
	json_add_u64(o, "bytes", stats.bytes);
	return o;
}

const struct device_kind device_loopback = {
	.name = "loopback",
	.help = "copies what a chain has to read to where it can be written",
	.queues_max = VU_QUEUES_MAX,
	.create = create_loopback,
	.destroy = vdev_loopback_destroy,
	.stats = loopback_stats,
};

static int create_null(struct vdev **vdev, struct loop *loop, const struct device_options *opt,
		       struct vl_err *err)
{
	(void)loop;
	return vdev_null_create(vdev, opt->queues, err);
}

static struct json_object *null_stats(const struct vdev *vdev)
{
	struct json_object *o = json_object_new_object();
	struct vdev_null_stats stats;

	vdev_null_get_stats(vdev, &stats);
	json_add_u64(o, "chains", stats.chains);
	return o;
}

const struct device_kind device_null = {
	.name = "null",
	.help = "gives each chain back at once, untouched: for measuring",
	.queues_max = VU_QUEUES_MAX,
	.create = create_null,
	.destroy = vdev_null_destroy,
	.stats = null_stats,
};

static int create_rng(struct vdev **vdev, struct loop *loop, const struct device_options *opt,
		      struct vl_err *err)
{
	(void)opt;
	return vdev_rng_create(vdev, loop, err);
}

static struct json_object *rng_stats(const struct vdev *vdev)
{
	struct json_object *o = json_object_new_object();
	struct vdev_rng_stats stats;

	vdev_rng_get_stats(vdev, &stats);
	json_add_u64(o, "chains", stats.chains);
	json_add_u64(o, "bytes", stats.bytes);
	return o;
}

const struct device_kind device_rng = {
	.name = "rng",
	.device_id = VIRTIO_ID_RNG,
	.help = "random bytes of the host's",
	.queues_max = 1,
	.create = create_rng,
	.destroy = vdev_rng_destroy,
	.stats = rng_stats,
};
