// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include <json-c/json.h>
#include <linux/virtio_ids.h>

#include <vringlab/parse.h>
#include <vringlab/vdev_blk.h>
#include <vringlab/vhost_user_backend.h>

#include "device.h"

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
#define ADD(key, field) json_object_object_add(o, key, json_object_new_uint64(s.field))
	ADD("reads", reads);
	ADD("read-bytes", read_bytes);
	ADD("writes", writes);
	ADD("write-bytes", write_bytes);
	ADD("flushes", flushes);
	ADD("discards", discards);
	ADD("write-zeroes", write_zeroes);
	ADD("get-ids", get_ids);
	ADD("failed", failed);
	ADD("refused", refused);
	ADD("unsupported", unsupported);
	ADD("cancelled", cancelled);
	ADD("at-once", at_once);
	ADD("bounced", bounced);
	ADD("in-flight-max", in_flight_max);
#undef ADD
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
