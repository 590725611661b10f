// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The file: what it is, what it needs, how large it is.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <vringlab/err.h>
#include <vringlab/fd.h>

#include "blk.h"

#define BLOCK_SIZE_MAX 65536u

static bool power_of_2(uint32_t value)
{
	return value && !(value & (value - 1));
}

static int check_kind(const char *path, const struct stat *st, struct vl_err *err)
{
	if (S_ISREG(st->st_mode) || S_ISBLK(st->st_mode))
		return 0;
	return vl_err_set(err, -EINVAL, "cannot serve %s: it is no regular file or block device",
			  path);
}

static int open_file(struct blk *blk, const char *path, struct stat *st, struct vl_err *err)
{
	int flags = O_CLOEXEC | (blk->read_only ? O_RDONLY : O_RDWR) | (blk->direct ? O_DIRECT : 0);
	int ret;

	/* before it is opened: to open a FIFO or a tape has effects */
	if (stat(path, st))
		return vl_err_set(err, -errno, "cannot serve %s: %s", path, vl_strerror(errno));
	ret = check_kind(path, st, err);
	if (ret)
		return ret;
	blk->fd = open(path, flags);
	if (blk->fd < 0 && errno == EINVAL && blk->direct)
		return vl_err_set(err, -EINVAL,
				  "cannot open %s for --direct: its file system has no O_DIRECT",
				  path);
	if (blk->fd < 0)
		return vl_err_set(err, -errno, "cannot open %s for %s: %s", path,
				  blk->read_only ? "reading" : "reading and writing",
				  vl_strerror(errno));
	if (fstat(blk->fd, st))
		return vl_err_set(err, -errno, "cannot serve %s: %s", path, vl_strerror(errno));
	return check_kind(path, st, err);
}

/* What O_DIRECT needs of a transfer; a kernel that does not tell (before 6.1): a page. */
static void find_alignment(struct blk *blk, const struct stat *st)
{
	uint32_t offset_align = 4096, mem_align = 4096;
	int sector;

	if (!blk->direct)
		return;
	if (S_ISBLK(st->st_mode) && !ioctl(blk->fd, BLKSSZGET, &sector)) {
		offset_align = sector;
		mem_align = sector;
	}
#ifdef STATX_DIOALIGN
	struct statx stx;

	if (!statx(blk->fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &stx) &&
	    stx.stx_mask & STATX_DIOALIGN && stx.stx_dio_offset_align) {
		offset_align = stx.stx_dio_offset_align;
		mem_align = stx.stx_dio_mem_align;
	}
#endif
	blk->offset_mask = offset_align - 1;
	blk->mem_mask = mem_align - 1;
}

static int choose_block_size(struct blk *blk, const struct vdev_blk_config *config,
			     const struct stat *st, struct vl_err *err)
{
	uint32_t least = blk->offset_mask + 1;
	int sector;

	if (S_ISBLK(st->st_mode) && !ioctl(blk->fd, BLKSSZGET, &sector) && (uint32_t)sector > least)
		least = sector;
	if (least < BLK_SECTOR)
		least = BLK_SECTOR;
	blk->block_size = config->block_size ? config->block_size : least;
	if (blk->block_size < least)
		return vl_err_set(err, -EINVAL,
				  "%s needs blocks of %u bytes, more than the %u asked for",
				  config->path, least, blk->block_size);
	return 0;
}

static uint32_t log2_of(uint32_t value)
{
	return value ? 31 - __builtin_clz(value) : 0;
}

/*
 * A page of it may be swapped out, as may one of the driver's memory: to wait for
 * either is no matter of the file.
 */
static bool is_in_memory(int fd)
{
	struct statfs fs;

	return !fstatfs(fd, &fs) && (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC);
}

/* Hints: what is not known is left at one block. */
static void find_topology(struct blk *blk, const struct stat *st)
{
	unsigned int physical = st->st_blksize, min_io = st->st_blksize, opt_io = 0;

	if (S_ISBLK(st->st_mode)) {
		physical = blk->block_size;
		min_io = blk->block_size;
		ioctl(blk->fd, BLKPBSZGET, &physical);
		ioctl(blk->fd, BLKIOMIN, &min_io);
		ioctl(blk->fd, BLKIOOPT, &opt_io);
	}
	if (power_of_2(physical) && physical > blk->block_size)
		blk->physical_exp = log2_of(physical / blk->block_size);
	min_io /= blk->block_size;
	blk->min_io = !min_io ? 1 : min_io > UINT16_MAX ? UINT16_MAX : min_io;
	blk->opt_io = opt_io / blk->block_size;
}

static int open_null(struct blk *blk, const struct vdev_blk_config *config)
{
	blk->bytes = config->null_size / BLK_SECTOR * BLK_SECTOR;
	blk->block_size = config->block_size ? config->block_size : BLK_SECTOR;
	blk->min_io = 1;
	return 0;
}

int blk_file_open(struct blk *blk, const struct vdev_blk_config *config, struct vl_err *err)
{
	struct stat st;
	int ret;

	blk->fd = -1;
	if (config->block_size &&
	    (!power_of_2(config->block_size) || config->block_size < BLK_SECTOR ||
	     config->block_size > BLOCK_SIZE_MAX))
		return vl_err_set(err, -EINVAL,
				  "a block has 512 to 65536 bytes, a power of 2, not %u",
				  config->block_size);
	if (!config->path)
		return open_null(blk, config);
	ret = open_file(blk, config->path, &st, err);
	if (ret) {
		vl_fd_close(&blk->fd);
		return ret;
	}
	find_alignment(blk, &st);
	ret = choose_block_size(blk, config, &st, err);
	if (ret) {
		vl_fd_close(&blk->fd);
		return ret;
	}
	find_topology(blk, &st);
	blk->in_memory = S_ISREG(st.st_mode) && !blk->direct && is_in_memory(blk->fd);
	blk->punches = true;
	blk->zeroes = true;
	blk_file_resized(blk);
	loop_rw_file_init(&blk->file, blk->loop, blk->fd);
	return 0;
}

void blk_file_close(struct blk *blk)
{
	if (blk->fd < 0)
		return;
	loop_rw_file_exit(&blk->file);
	vl_fd_close(&blk->fd);
}

bool blk_file_resized(struct blk *blk)
{
	off_t end = blk_is_null(blk) ? (off_t)blk->bytes : lseek(blk->fd, 0, SEEK_END);
	uint64_t bytes;

	if (end < 0)
		return false;
	bytes = (uint64_t)end / blk->block_size * blk->block_size;
	if (bytes == blk->bytes)
		return false;
	blk->bytes = bytes;
	return true;
}
