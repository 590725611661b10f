// SPDX-License-Identifier: GPL-2.0-only
/*
 * A disk: reads and writes of whole blocks of one size, no two of the same block at
 * a time. What is written is a function of the block and of how often it was
 * written, so that a read tells whether it brought what the last write left.
 */
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <linux/virtio_blk.h>

#include <vringlab/err.h>

#include "drive.h"

#define SECTOR 512u
/* A slot: header and status, then the data. */
#define STATUS_OFFSET 256u
#define DATA_OFFSET 512u

#define NO_STATUS 0xff

/**
 * struct disk - What is known of the disk
 * @blocks:	How many are used.
 * @next:	For what goes in order.
 * @version:	How often each was written here; 0 for contents that are not known.
 * @busy:	A request for it is under way.
 */
struct disk {
	uint64_t blocks;
	uint64_t next;
	uint32_t *version;
	bool *busy;
};

static int open_disk(struct drive *d, struct vl_err *err)
{
	uint64_t capacity, bytes = d->opt->span;
	struct disk *disk;
	__le64 sectors;
	int ret;

	ret = vu_frontend_get_config(d->session.fe, 0, &sectors, sizeof(sectors), err);
	if (ret)
		return ret;
	if (__builtin_mul_overflow(le64toh(sectors), SECTOR, &capacity))
		return vl_err_set(err, -EPROTO, "the disk has %llu sectors",
				  (unsigned long long)le64toh(sectors));
	if (!bytes || bytes > capacity)
		bytes = capacity;
	if (bytes / d->opt->size < d->opt->depth)
		return vl_err_set(err, -EINVAL,
				  "the disk's %" PRIu64 " bytes are fewer than %" PRIu64
				  " blocks of %" PRIu64,
				  bytes, d->opt->depth, d->opt->size);
	disk = calloc(1, sizeof(*disk));
	d->device = disk;
	if (!disk)
		return vl_err_set(err, -ENOMEM, "out of memory");
	disk->blocks = bytes / d->opt->size;
	disk->version = calloc(disk->blocks, sizeof(*disk->version));
	disk->busy = calloc(disk->blocks, sizeof(*disk->busy));
	if (!disk->version || !disk->busy)
		return vl_err_set(err, -ENOMEM, "no memory for %" PRIu64 " blocks", disk->blocks);
	return 0;
}

static void close_disk(struct drive *d)
{
	struct disk *disk = d->device;

	if (!disk)
		return;
	free(disk->version);
	free(disk->busy);
	free(disk);
}

/* There is one: a request for each has not more than one. */
static uint64_t pick_block(struct drive *d)
{
	struct disk *disk = d->device;
	bool in_order = d->opt->rw == DRIVE_READ || d->opt->rw == DRIVE_WRITE;
	uint64_t block = in_order ? disk->next : drive_random(d, disk->blocks);

	while (disk->busy[block])
		block = block + 1 < disk->blocks ? block + 1 : 0;
	disk->next = block + 1 < disk->blocks ? block + 1 : 0;
	return block;
}

static bool pick_write(struct drive *d)
{
	switch (d->opt->rw) {
	case DRIVE_RANDWRITE:
	case DRIVE_WRITE:
		return true;
	case DRIVE_RANDRW:
		return drive_random(d, 2);
	default:
		return false;
	}
}

static uint64_t content_name(uint64_t block, uint32_t version)
{
	return block << 24 ^ version;
}

static void build(struct drive *d, struct drive_queue *q, struct drive_request *req,
		  struct vring_buf *bufs, unsigned int *nr_out, unsigned int *nr_in)
{
	struct disk *disk = d->device;
	uint8_t *host = drive_slot_host(d, q, req->slot);
	uint64_t gpa = drive_slot_gpa(d, q, req->slot);
	struct virtio_blk_outhdr *hdr = (void *)host;

	req->write = pick_write(d);
	req->block = pick_block(d);
	disk->busy[req->block] = true;
	*hdr = (struct virtio_blk_outhdr){
		.type = htole32(req->write ? VIRTIO_BLK_T_OUT : VIRTIO_BLK_T_IN),
		.sector = htole64(req->block * (d->opt->size / SECTOR)),
	};
	host[STATUS_OFFSET] = NO_STATUS;
	bufs[0] = (struct vring_buf){ gpa, sizeof(*hdr) };
	bufs[1] = (struct vring_buf){ gpa + DATA_OFFSET, d->opt->size };
	bufs[2] = (struct vring_buf){ gpa + STATUS_OFFSET, 1 };
	*nr_out = req->write ? 2 : 1;
	*nr_in = req->write ? 1 : 2;
	if (req->write && d->opt->verify)
		drive_fill(host + DATA_OFFSET, d->opt->size,
			   content_name(req->block, disk->version[req->block] + 1));
}

static int check(struct drive *d, struct drive_queue *q, const struct drive_request *req,
		 uint32_t written, uint64_t now_ns, struct vl_err *err)
{
	const uint8_t *host = drive_slot_host(d, q, req->slot);
	struct disk *disk = d->device;
	uint32_t *version = &disk->version[req->block];
	const char *what = req->write ? "write" : "read";

	disk->busy[req->block] = false;
	if (host[STATUS_OFFSET] != VIRTIO_BLK_S_OK)
		return vl_err_set(err, -EIO, "the %s of block %" PRIu64 " ended with status %u",
				  what, req->block, host[STATUS_OFFSET]);
	/* of a write the status alone; an implementation may say less than it wrote */
	if (written > d->opt->size + 1)
		return vl_err_set(err, -EBADMSG,
				  "the %s of block %" PRIu64 " came back with %u bytes", what,
				  req->block, written);
	if (req->write)
		(*version)++;
	else if (d->opt->verify && *version &&
		 !drive_is_filled(host + DATA_OFFSET, d->opt->size,
				  content_name(req->block, *version)))
		return vl_err_set(err, -EBADMSG, "block %" PRIu64 " is not what its %u. write left",
				  req->block, *version);
	drive_count(d, d->opt->size);
	drive_count_latency(d, now_ns - req->start_ns);
	return 0;
}

static const char *check_options(const struct drive_options *opt)
{
	return opt->size % SECTOR ? "--size of blk is a multiple of 512" : NULL;
}

static uint64_t slot_bytes(const struct drive_options *opt, bool supplies)
{
	(void)supplies;
	return DATA_OFFSET + opt->size;
}

const struct drive_kind drive_blk = {
	.name = "blk",
	.size = 4096,
	.nr_bufs = 3,
	/* else each write would have to be stable before it is over */
	.features = 1ull << VIRTIO_BLK_F_FLUSH,
	.check_options = check_options,
	.slot_bytes = slot_bytes,
	.open = open_disk,
	.build = build,
	.check = check,
	.close = close_disk,
};
