// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include <json-c/json.h>
#include <linux/virtio_ids.h>

#include <vringlab/parse.h>
#include <vringlab/vdev_blk.h>
#include <vringlab/vhost_user_backend.h>

#include "device.h"
#include "json_add.h"

static const char *const blk_options[] = {
	"file", "null-size", "direct", "read-only", "serial", "block-size", NULL,
};

static const char blk_usage[] =
	"  --file PATH      raw file or block device\n"
	"  --null-size N    no file: N bytes that keep nothing; K, M, G may follow\n"
	"  --direct         past the page cache (O_DIRECT)\n"
	"  --read-only      and the driver is told\n"
	"  --serial TEXT    serial number, up to 20 characters\n"
	"  --block-size N   logical block size (default: what the file needs)\n";

static bool parse_block_size(const char *arg, uint64_t *size)
{
	return !vl_parse_u64(arg, 512, 65536, size) && !(*size & (*size - 1));
}

static const char *blk_take(struct device_options *opt, const char *name, const char *arg)
{
	if (!strcmp(name, "block-size"))
		return parse_block_size(arg, &opt->block_size) ? NULL :
								 "a power of 2, 512 to 65536";
	if (!strcmp(name, "null-size"))
		return vl_parse_size(arg, 512, 1ull << 50, &opt->size) ? "512 to 1048576G" : NULL;
	if (!strcmp(name, "serial") && strlen(arg) > VDEV_BLK_SERIAL_MAX)
		return "at most 20 characters";
	if (!strcmp(name, "direct"))
		opt->direct = true;
	else if (!strcmp(name, "read-only"))
		opt->read_only = true;
	else if (!strcmp(name, "file"))
		opt->file = arg;
	else
		opt->serial = arg;
	return NULL;
}

static const char *blk_check(const struct device_options *opt)
{
	if (!opt->file == !opt->size)
		return "blk needs --file PATH, or --null-size BYTES";
	return NULL;
}

static int blk_create(struct vdev **vdev, struct loop *loop, const struct device_options *opt,
		      struct vl_err *err)
{
	const struct vdev_blk_config config = {
		.path = opt->file,
		.null_size = opt->size,
		.direct = opt->direct,
		.read_only = opt->read_only,
		.serial = opt->serial,
		.num_queues = opt->queues,
		.block_size = opt->block_size,
	};

	return vdev_blk_create(vdev, loop, &config, err);
}

static struct json_object *blk_stats(const struct vdev *vdev)
{
	struct json_object *o = json_object_new_object();
	struct vdev_blk_stats s;

	vdev_blk_get_stats(vdev, &s);
	json_add_u64(o, "reads", s.reads);
	json_add_u64(o, "read-bytes", s.read_bytes);
	json_add_u64(o, "writes", s.writes);
	json_add_u64(o, "write-bytes", s.write_bytes);
	json_add_u64(o, "flushes", s.flushes);
	json_add_u64(o, "discards", s.discards);
	json_add_u64(o, "write-zeroes", s.write_zeroes);
	json_add_u64(o, "get-ids", s.get_ids);
	json_add_u64(o, "failed", s.failed);
	json_add_u64(o, "refused", s.refused);
	json_add_u64(o, "unsupported", s.unsupported);
	json_add_u64(o, "cancelled", s.cancelled);
	json_add_u64(o, "at-once", s.at_once);
	json_add_u64(o, "bounced", s.bounced);
	json_add_u64(o, "in-flight-max", s.in_flight_max);
	return o;
}

const struct device_kind device_blk = {
	.name = "blk",
	.device_id = VIRTIO_ID_BLOCK,
	.help = "a disk: --file PATH, or --null-size BYTES for one that keeps nothing",
	.queues_max = VU_QUEUES_MAX,
	.options = blk_options,
	.usage = blk_usage,
	.take = blk_take,
	.check = blk_check,
	.create = blk_create,
	.destroy = vdev_blk_destroy,
	.stats = blk_stats,
};
