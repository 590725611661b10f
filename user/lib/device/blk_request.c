// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What a request asks for, VIRTIO 1.2 section 5.2.6. The parts lie in buffers of any
 * size (VIRTIO_F_ANY_LAYOUT, which 1.x implies): a header in front of the readable
 * bytes, a status at the end of the writable ones, and the data is what is between.
 * All of it is copied and checked before anything happens.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "blk.h"

/* Where the status is: the last byte; takes it off the data. */
static void split_status(struct blk_request *req)
{
	struct vring_chain *chain = &req->chain;
	struct iovec *last = chain->iov + chain->nr_out + chain->nr_in - 1;

	req->status = (uint8_t *)last->iov_base + last->iov_len - 1;
	req->trimmed = NULL;
	req->data = (struct iov_cursor){ .iov = chain->iov + chain->nr_out, .nr = chain->nr_in };
	if (last->iov_len == 1) {
		req->data.nr--;
		return;
	}
	last->iov_len--;
	req->trimmed = last;
}

static void use_out_data(struct blk_request *req)
{
	req->data = (struct iov_cursor){ .iov = req->chain.iov, .nr = req->chain.nr_out };
	req->bytes = req->chain.out_bytes - sizeof(struct virtio_blk_outhdr);
	iov_cursor_advance(&req->data, sizeof(struct virtio_blk_outhdr));
}

static void refuse(struct blk_request *req)
{
	req->queue->blk->stats.refused++;
	blk_queue_done(req, VIRTIO_BLK_S_IOERR);
}

static void not_supported(struct blk_request *req)
{
	req->queue->blk->stats.unsupported++;
	blk_queue_done(req, VIRTIO_BLK_S_UNSUPP);
}

static bool inside(const struct blk *blk, uint64_t sector, uint64_t sectors)
{
	uint64_t capacity = blk->bytes / BLK_SECTOR;

	return sector <= capacity && sectors <= capacity - sector;
}

static bool aligned_memory(const struct blk *blk, const struct iov_cursor *data)
{
	uint64_t bits = 0;

	for (unsigned int i = 0; i < data->nr; i++)
		bits |= (uintptr_t)data->iov[i].iov_base | data->iov[i].iov_len;
	return !(bits & blk->mem_mask);
}

static void begin_transfer(struct blk_request *req, uint64_t sector)
{
	const struct blk *blk = req->queue->blk;

	if (req->bytes % BLK_SECTOR || !inside(blk, sector, req->bytes / BLK_SECTOR)) {
		refuse(req);
		return;
	}
	req->offset = sector * BLK_SECTOR;
	req->left = req->bytes;
	/* the driver was told of a block size that keeps it from this */
	if ((req->offset | req->left) & blk->offset_mask) {
		refuse(req);
		return;
	}
	req->unaligned = blk->direct && !aligned_memory(blk, &req->data);
	blk_io_begin(req);
}

static void begin_get_id(struct blk_request *req)
{
	struct blk *blk = req->queue->blk;

	iov_scatter(req->data.iov, req->data.nr, blk->serial, sizeof(blk->serial));
	blk->stats.get_ids++;
	blk_queue_done(req, VIRTIO_BLK_S_OK);
}

/* One range, checked; VIRTIO_BLK_S_*. 5.2.6.2 has the flags. */
static int read_range(const struct blk_request *req,
		      const struct virtio_blk_discard_write_zeroes *raw, struct blk_range *range)
{
	const struct blk *blk = req->queue->blk;
	uint32_t sectors = le32toh(raw->num_sectors);
	uint64_t sector = le64toh(raw->sector);
	uint32_t flags = le32toh(raw->flags);

	if (flags & ~VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP)
		return VIRTIO_BLK_S_UNSUPP;
	if (req->op == BLK_DISCARD && flags)
		return VIRTIO_BLK_S_UNSUPP;
	if (sectors > BLK_RANGE_SECTORS_MAX || !inside(blk, sector, sectors))
		return VIRTIO_BLK_S_IOERR;
	range->offset = sector * BLK_SECTOR;
	range->len = (uint64_t)sectors * BLK_SECTOR;
	range->unmap = req->op == BLK_DISCARD || flags;
	if ((range->offset | range->len) % blk->block_size)
		return VIRTIO_BLK_S_IOERR;
	return VIRTIO_BLK_S_OK;
}

static void begin_ranges(struct blk_request *req)
{
	struct virtio_blk_discard_write_zeroes raw[BLK_RANGES_MAX];
	unsigned int nr = req->bytes / sizeof(raw[0]);
	int result = VIRTIO_BLK_S_OK;

	if (!nr || req->bytes % sizeof(raw[0]) || nr > BLK_RANGES_MAX) {
		refuse(req);
		return;
	}
	iov_gather(req->data.iov, req->data.nr, raw, req->bytes);
	for (unsigned int i = 0; i < nr && result == VIRTIO_BLK_S_OK; i++)
		result = read_range(req, &raw[i], &req->ranges[i]);
	if (result == VIRTIO_BLK_S_UNSUPP) {
		not_supported(req);
		return;
	}
	if (result != VIRTIO_BLK_S_OK) {
		refuse(req);
		return;
	}
	req->nr_ranges = nr;
	req->range = 0;
	req->offset = req->ranges[0].offset;
	req->left = req->ranges[0].len;
	blk_io_begin(req);
}

static void begin_read(struct blk_request *req, uint64_t sector)
{
	req->op = BLK_READ;
	req->bytes = req->chain.in_bytes - 1;
	begin_transfer(req, sector);
}

static void begin_flush(struct blk_request *req)
{
	req->op = BLK_FLUSH;
	blk_io_begin(req);
}

/* What changes the file. */
static void begin_change(struct blk_request *req, enum blk_op op, uint64_t sector)
{
	req->op = op;
	if (req->queue->blk->read_only) {
		refuse(req);
		return;
	}
	use_out_data(req);
	if (op == BLK_WRITE)
		begin_transfer(req, sector);
	else
		begin_ranges(req);
}

int blk_request_begin(struct blk_request *req)
{
	const struct vring_chain *chain = &req->chain;
	struct virtio_blk_outhdr hdr;

	req->dropped = false;
	req->unaligned = false;
	req->syncing = false;
	req->tries = 0;
	if (!chain->in_bytes)
		return -EINVAL;
	split_status(req);
	if (iov_gather(chain->iov, chain->nr_out, &hdr, sizeof(hdr)) != sizeof(hdr)) {
		refuse(req);
		return 0;
	}
	switch (le32toh(hdr.type)) {
	case VIRTIO_BLK_T_IN:
		begin_read(req, le64toh(hdr.sector));
		break;
	case VIRTIO_BLK_T_OUT:
		begin_change(req, BLK_WRITE, le64toh(hdr.sector));
		break;
	case VIRTIO_BLK_T_FLUSH:
		begin_flush(req);
		break;
	case VIRTIO_BLK_T_GET_ID:
		begin_get_id(req);
		break;
	case VIRTIO_BLK_T_DISCARD:
		begin_change(req, BLK_DISCARD, 0);
		break;
	case VIRTIO_BLK_T_WRITE_ZEROES:
		begin_change(req, BLK_WRITE_ZEROES, 0);
		break;
	default:
		not_supported(req);
	}
	return 0;
}
