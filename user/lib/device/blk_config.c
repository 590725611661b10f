// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Config space and features, VIRTIO 1.2 sections 5.2.3 to 5.2.5.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "blk.h"
#include "ring_features.h"

/* VIRTIO 1.3's, with zoned devices; what is not offered is 0. */
union config {
	struct virtio_blk_config fields;
	uint8_t bytes[BLK_CONFIG_SIZE];
};

_Static_assert(sizeof(struct virtio_blk_config) <= BLK_CONFIG_SIZE, "config space has room");

/* What save() writes: little-endian. */
struct state {
	uint32_t magic;
	uint8_t writeback;
	uint8_t padding[3];
};

#define STATE_MAGIC 0x316b6c62u /* "blk1" */

uint64_t blk_features(const struct blk *blk)
{
	uint64_t features = RING_FEATURES | VIRTIO_BIT(VIRTIO_BLK_F_SIZE_MAX) |
			    VIRTIO_BIT(VIRTIO_BLK_F_SEG_MAX) | VIRTIO_BIT(VIRTIO_BLK_F_BLK_SIZE) |
			    VIRTIO_BIT(VIRTIO_BLK_F_FLUSH) | VIRTIO_BIT(VIRTIO_BLK_F_TOPOLOGY) |
			    VIRTIO_BIT(VIRTIO_BLK_F_CONFIG_WCE) | VIRTIO_BIT(VIRTIO_BLK_F_MQ);

	if (blk->read_only)
		return features | VIRTIO_BIT(VIRTIO_BLK_F_RO);
	return features | VIRTIO_BIT(VIRTIO_BLK_F_DISCARD) | VIRTIO_BIT(VIRTIO_BLK_F_WRITE_ZEROES);
}

static bool negotiated(const struct blk *blk, unsigned int bit)
{
	return blk->features & VIRTIO_BIT(bit);
}

/*
 * 5.2.5.2: a driver that knows of no flush gets a device without a cache; one that
 * can choose starts with write-back and says so when it wants something else.
 */
void blk_set_features(void *dev, uint64_t features)
{
	struct blk *blk = dev;

	blk->features = features;
	blk->writeback = negotiated(blk, VIRTIO_BLK_F_FLUSH) ||
			 negotiated(blk, VIRTIO_BLK_F_CONFIG_WCE);
}

void blk_forget(struct blk *blk)
{
	blk->features = 0;
	blk->writeback = true;
}

static void fill(const struct blk *blk, union config *config)
{
	struct virtio_blk_config *c = &config->fields;
	uint32_t block_sectors = blk->block_size / BLK_SECTOR;

	memset(config, 0, sizeof(*config));
	c->capacity = htole64(blk->bytes / BLK_SECTOR);
	c->size_max = htole32(BLK_SIZE_MAX);
	c->seg_max = htole32(BLK_SEG_MAX);
	c->blk_size = htole32(blk->block_size);
	c->physical_block_exp = blk->physical_exp;
	c->min_io_size = htole16(blk->min_io);
	c->opt_io_size = htole32(blk->opt_io);
	c->wce = blk->writeback;
	c->num_queues = htole16(blk->vdev.num_queues);
	if (blk->read_only)
		return;
	c->max_discard_sectors = htole32(BLK_RANGE_SECTORS_MAX);
	c->max_discard_seg = htole32(BLK_RANGES_MAX);
	c->discard_sector_alignment = htole32(block_sectors << blk->physical_exp);
	c->max_write_zeroes_sectors = htole32(BLK_RANGE_SECTORS_MAX);
	c->max_write_zeroes_seg = htole32(BLK_RANGES_MAX);
	c->write_zeroes_may_unmap = 1;
}

static bool inside(uint32_t offset, uint32_t size)
{
	return offset <= BLK_CONFIG_SIZE && size <= BLK_CONFIG_SIZE - offset;
}

int blk_get_config(void *dev, uint32_t offset, void *buf, uint32_t size)
{
	struct blk *blk = dev;
	union config config;

	if (!inside(offset, size))
		return -EINVAL;
	/* nobody looks at the size while no virtqueue runs */
	if (!blk->nr_running)
		blk_file_resized(blk);
	fill(blk, &config);
	memcpy(buf, config.bytes + offset, size);
	return 0;
}

/* Only writeback can be written, 5.2.4; the rest has to stay what it is. */
int blk_set_config(void *dev, uint32_t offset, const void *buf, uint32_t size, bool migration)
{
	const uint32_t at = offsetof(struct virtio_blk_config, wce);
	union config old, new;
	struct blk *blk = dev;

	if (!inside(offset, size))
		return -EINVAL;
	fill(blk, &old);
	new = old;
	memcpy(new.bytes + offset, buf, size);
	if (new.fields.wce > 1)
		return -EINVAL;
	/* on migration: what the source had. The file here is what it is */
	if (!migration &&
	    (memcmp(old.bytes, new.bytes, at) ||
	     memcmp(old.bytes + at + 1, new.bytes + at + 1, BLK_CONFIG_SIZE - at - 1)))
		return -EPERM;
	blk->writeback = new.fields.wce;
	return 0;
}

ssize_t blk_save(void *dev, void *buf, size_t size)
{
	const struct blk *blk = dev;
	const struct state state = {
		.magic = htole32(STATE_MAGIC),
		.writeback = blk->writeback,
	};

	if (size < sizeof(state))
		return -ENOSPC;
	memcpy(buf, &state, sizeof(state));
	return sizeof(state);
}

int blk_load(void *dev, const void *buf, size_t size)
{
	struct blk *blk = dev;
	struct state state;

	if (size != sizeof(state))
		return -EINVAL;
	memcpy(&state, buf, sizeof(state));
	if (state.magic != htole32(STATE_MAGIC) || state.writeback > 1 || state.padding[0] ||
	    state.padding[1] || state.padding[2])
		return -EINVAL;
	blk->writeback = state.writeback;
	return 0;
}
