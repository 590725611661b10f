// SPDX-License-Identifier: GPL-2.0-only
/*
 * The virtio-blk device without a transport: chains in, statuses out, and what is in
 * the file afterwards.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>

#include <vringlab/err.h>
#include <vringlab/loop.h>
#include <vringlab/vdev_blk.h>
#include <vringlab/virtio_device.h>
#include <vringlab/vring_drv.h>

#include "kselftest_harness.h"
#include "t.h"

#define GPA UINT64_C(0x40000000)
#define MEM_BYTES (4u << 20)
#define NUM 512u
#define FILE_BYTES (1u << 20)
#define FILE_SECTORS (FILE_BYTES / 512)

/* In the memory: the ring, tables of indirect descriptors, then buffers. */
#define INDIRECT_AT (64u << 10)
#define INDIRECT_MAX 8u
#define BUFS_AT (256u << 10)

/* A transfer that is under way for a while, though what it is of is in memory. */
#define LONG (64u << 10)

/* The status of a request that has none yet. */
#define NO_STATUS 0xee

static uint8_t *mem;

/**
 * struct rig - A driver, a ring and the device, on one thread
 * @used:	Chains that came back.
 * @written:	With how many bytes, by id.
 * @ran:	How often the device asked to be run.
 * @changed:	How often its config space changed.
 */
struct rig {
	struct loop *loop;
	struct vdev *vdev;
	struct vdev_queue q;
	struct vring_mem table;
	struct vring_dev dev;
	struct vring_drv drv;
	struct vring_drv_slot slots[NUM];
	unsigned int used;
	uint32_t written[NUM];
	unsigned int ran;
	unsigned int changed;
	struct vl_err err;
};

static struct rig *rig_of(struct vdev_queue *q)
{
	return q->transport;
}

static void on_done(struct vdev_queue *q)
{
	(void)q;
}

static void on_run(struct vdev_queue *q)
{
	rig_of(q)->ran++;
}

static void on_changed(struct vdev *vdev)
{
	((struct rig *)vdev->transport)->changed++;
}

static int start_ring(struct rig *r, bool packed, bool indirect)
{
	const uint64_t features = indirect ? 1ull << VIRTIO_RING_F_INDIRECT_DESC : 0;
	const struct vring_layout ring = vring_layout_host(NUM, packed, mem);
	const struct vring_mem_region region = {
		.guest_addr = GPA,
		.user_addr = 0x1000,
		.size = MEM_BYTES,
		.host = mem,
	};
	const struct vring_drv_config drv = {
		.ring = ring,
		.features = features,
		.slots = r->slots,
		.indirect = indirect ? (void *)(mem + INDIRECT_AT) : NULL,
		.indirect_gpa = GPA + INDIRECT_AT,
		.indirect_max = INDIRECT_MAX,
	};
	const struct vring_dev_config dev = {
		.ring = ring,
		.mem = &r->table,
		.features = features,
		.base = packed ? VRING_BASE_PACKED : VRING_BASE_SPLIT,
	};
	int ret;

	ret = vring_mem_add(&r->table, &region);
	if (ret)
		return ret;
	vring_drv_init(&r->drv, &drv);
	ret = vring_dev_init(&r->dev, &dev);
	if (ret)
		return ret;
	r->q.vq = &r->dev;
	return r->vdev->ops->start(r->vdev->dev, &r->q, &r->err);
}

/* The memory cannot be the fixture's: rings start at its beginning. */
static int rig_start(struct rig *r, const struct vdev_blk_config *config, bool packed,
		     bool indirect)
{
	int ret;

	memset(r, 0, sizeof(*r));
	ret = loop_create(&r->loop, &r->err);
	if (ret)
		return ret;
	ret = vdev_blk_create(&r->vdev, r->loop, config, &r->err);
	if (ret)
		return ret;
	r->vdev->transport = r;
	r->vdev->config_changed = on_changed;
	r->vdev->ops->set_features(r->vdev->dev, r->vdev->features);
	r->q = (struct vdev_queue){
		.enabled = true,
		.done = on_done,
		.run = on_run,
		.transport = r,
	};
	return start_ring(r, packed, indirect);
}

static void rig_stop(struct rig *r)
{
	vdev_blk_destroy(r->vdev);
	vring_dev_exit(&r->dev);
	loop_destroy(r->loop);
}

static int process(struct rig *r)
{
	return r->vdev->ops->process(r->vdev->dev, &r->q);
}

static int collect(struct rig *r)
{
	uint32_t written;
	int id;

	while ((id = vring_drv_get(&r->drv, &written)) >= 0) {
		r->written[id] = written;
		r->used++;
	}
	return id == -EAGAIN ? 0 : id;
}

/* Runs the loop until @nr chains came back since the rig was made. */
static int run_until(struct rig *r, unsigned int nr)
{
	uint64_t deadline_ns = loop_now_ns() + T_DEADLINE_MS * 1000000ull;
	int ret = process(r);

	while (ret >= 0) {
		ret = collect(r);
		if (ret || r->used >= nr)
			return ret;
		ret = loop_run_once(r->loop, deadline_ns);
		if (!ret)
			ret = process(r);
	}
	return ret;
}

static uint64_t gpa(const void *p)
{
	return GPA + ((const uint8_t *)p - mem);
}

static struct vring_buf buf(const void *p, uint32_t len)
{
	return (struct vring_buf){ .gpa = gpa(p), .len = len };
}

/* A request's memory: header, status, and room for data. */
struct slot {
	struct virtio_blk_outhdr hdr;
	uint8_t status;
	uint8_t padding[495];
	uint8_t data[LONG];
};

static struct slot *slot(unsigned int index)
{
	return (struct slot *)(mem + BUFS_AT) + index;
}

static void fill_hdr(struct slot *s, uint32_t type, uint64_t sector)
{
	s->hdr = (struct virtio_blk_outhdr){ .type = htole32(type), .sector = htole64(sector) };
	s->status = NO_STATUS;
}

/* The usual layout: header, data, status. */
static int add(struct rig *r, unsigned int index, uint32_t type, uint64_t sector, uint32_t len)
{
	struct slot *s = slot(index);
	bool in = type == VIRTIO_BLK_T_IN || type == VIRTIO_BLK_T_GET_ID;
	struct vring_buf bufs[] = {
		buf(&s->hdr, sizeof(s->hdr)),
		buf(s->data, len),
		buf(&s->status, 1),
	};

	fill_hdr(s, type, sector);
	if (!len)
		bufs[1] = bufs[2];
	return vring_drv_add(&r->drv, bufs, 1 + (len && !in), 1 + (len && in));
}

/* One request from its start to its end; its status, or a negative errno. */
static int request(struct rig *r, uint32_t type, uint64_t sector, uint32_t len)
{
	int ret = add(r, 0, type, sector, len);

	if (ret >= 0)
		ret = run_until(r, r->used + 1);
	return ret < 0 ? ret : slot(0)->status;
}

static int ranges(struct rig *r, uint32_t type, uint64_t sector, uint32_t sectors, uint32_t flags)
{
	const struct virtio_blk_discard_write_zeroes range = {
		.sector = htole64(sector),
		.num_sectors = htole32(sectors),
		.flags = htole32(flags),
	};

	memcpy(slot(0)->data, &range, sizeof(range));
	return request(r, type, 0, sizeof(range));
}

static uint8_t pattern(uint64_t at)
{
	return at * 31 + (at >> 9) * 7;
}

FIXTURE(blk)
{
	struct rig rig;
	char dir[64];
	char path[96];
	int fd;
};

FIXTURE_VARIANT(blk)
{
	bool packed;
	bool indirect;
	bool tmpfs;
	bool direct;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(blk, split) { };
FIXTURE_VARIANT_ADD(blk, split_indirect) { .indirect = true };
FIXTURE_VARIANT_ADD(blk, packed) { .packed = true };
FIXTURE_VARIANT_ADD(blk, packed_indirect_tmpfs) { .packed = true, .indirect = true, .tmpfs = true };
FIXTURE_VARIANT_ADD(blk, split_direct) { .direct = true };
/* clang-format on */

static struct vdev_blk_config config_of(const FIXTURE_DATA(blk) * self,
					const FIXTURE_VARIANT(blk) * variant)
{
	return (struct vdev_blk_config){
		.path = self->path,
		.direct = variant->direct,
		.serial = "serial-0123",
		.num_queues = 1,
	};
}

FIXTURE_SETUP(blk)
{
	struct vdev_blk_config config;
	int ret;

	memset(self, 0, sizeof(*self));
	mem = mmap(NULL, MEM_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, mem);
	ASSERT_EQ(0, t_tmpdir_create(self->dir));
	snprintf(self->path, sizeof(self->path), "%s/disk", self->dir);
	if (variant->tmpfs)
		self->fd = memfd_create("disk", MFD_CLOEXEC);
	else
		self->fd = open(self->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ASSERT_LE(0, self->fd);
	if (variant->tmpfs)
		snprintf(self->path, sizeof(self->path), "/proc/self/fd/%d", self->fd);
	for (uint64_t at = 0; at < FILE_BYTES; at += 4096) {
		uint8_t page[4096];

		for (unsigned int i = 0; i < sizeof(page); i++)
			page[i] = pattern(at + i);
		ASSERT_EQ(4096, pwrite(self->fd, page, sizeof(page), at));
	}
	config = config_of(self, variant);
	ret = rig_start(&self->rig, &config, variant->packed, variant->indirect);
	if (ret == -EINVAL && variant->direct)
		SKIP(return, "%s has no O_DIRECT: set TMPDIR to a file system that has", self->dir);
	if (ret == -EPERM || ret == -ENOSYS)
		SKIP(return, "io_uring is disabled: set kernel.io_uring_disabled=0");
	ASSERT_EQ(0, ret) TH_LOG("%s", self->rig.err.msg);
}

FIXTURE_TEARDOWN(blk)
{
	rig_stop(&self->rig);
	close(self->fd);
	if (!variant->tmpfs)
		unlink(self->path);
	t_tmpdir_remove(self->dir);
	munmap(mem, MEM_BYTES);
}

TEST_F(blk, a_read_brings_what_is_in_the_file)
{
	ASSERT_EQ(VIRTIO_BLK_S_OK, request(&self->rig, VIRTIO_BLK_T_IN, 8, 8192));
	for (unsigned int i = 0; i < 8192; i++)
		ASSERT_EQ(pattern(8 * 512 + i), slot(0)->data[i]);
	/* the status is the last byte of what was written */
	EXPECT_EQ(8193u, self->rig.written[0]);
}

TEST_F(blk, a_write_is_in_the_file)
{
	uint8_t data[8192];

	memset(slot(0)->data, 0x5a, 8192);
	ASSERT_EQ(VIRTIO_BLK_S_OK, request(&self->rig, VIRTIO_BLK_T_OUT, 16, 8192));
	EXPECT_EQ(1u, self->rig.written[0]);
	ASSERT_EQ((ssize_t)sizeof(data), pread(self->fd, data, sizeof(data), 16 * 512));
	for (unsigned int i = 0; i < sizeof(data); i++)
		ASSERT_EQ(0x5a, data[i]);
	ASSERT_EQ(1, pread(self->fd, data, 1, 16 * 512 - 1));
	EXPECT_EQ(pattern(16 * 512 - 1), data[0]);
	ASSERT_EQ(1, pread(self->fd, data, 1, 16 * 512 + 8192));
	EXPECT_EQ(pattern(16 * 512 + 8192), data[0]);
}

/* On a disk, the page cache's file system has a say in it. */
TEST_F(blk, a_short_transfer_of_what_is_in_memory_is_over_at_once)
{
	struct vdev_blk_stats stats;

	ASSERT_LE(0, add(&self->rig, 0, VIRTIO_BLK_T_IN, 0, 4096));
	ASSERT_LE(0, add(&self->rig, 1, VIRTIO_BLK_T_OUT, 8, 4096));
	ASSERT_LE(0, add(&self->rig, 2, VIRTIO_BLK_T_IN, 0, LONG));
	ASSERT_LE(0, process(&self->rig));
	vdev_blk_get_stats(self->rig.vdev, &stats);
	EXPECT_GE(variant->direct ? 0u : 2u, stats.at_once);
	if (variant->tmpfs)
		EXPECT_EQ(2u, stats.at_once);
	EXPECT_EQ(3 - stats.at_once, vring_dev_in_flight(&self->rig.dev));
	ASSERT_EQ(0, run_until(&self->rig, 3));
	for (unsigned int i = 0; i < 3; i++)
		EXPECT_EQ(VIRTIO_BLK_S_OK, slot(i)->status);
}

/* All of it, in part, and none: what is lacking comes from the disk. */
TEST_F(blk, what_the_page_cache_does_not_have_is_read_all_the_same)
{
	uint8_t page[4096];

	ASSERT_EQ(0, fsync(self->fd));
	ASSERT_EQ(0, posix_fadvise(self->fd, 0, 0, POSIX_FADV_DONTNEED));
	ASSERT_EQ(0, posix_fadvise(self->fd, 0, 0, POSIX_FADV_RANDOM));
	for (unsigned int at = 0; at < FILE_BYTES / 2; at += 16384) {
		ASSERT_EQ((ssize_t)sizeof(page), pread(self->fd, page, sizeof(page), at));
		ASSERT_EQ(VIRTIO_BLK_S_OK, request(&self->rig, VIRTIO_BLK_T_IN, at / 512, 12288));
		for (unsigned int i = 0; i < 12288; i++)
			ASSERT_EQ(pattern(at + i), slot(0)->data[i]);
	}
}

TEST_F(blk, the_last_sector_is_inside_and_the_one_after_it_is_not)
{
	const uint32_t len = 4096;
	const uint64_t last = FILE_SECTORS - len / 512;

	EXPECT_EQ(VIRTIO_BLK_S_OK, request(&self->rig, VIRTIO_BLK_T_IN, last, len));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, request(&self->rig, VIRTIO_BLK_T_IN, last + 8, len));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, request(&self->rig, VIRTIO_BLK_T_IN, last + 1, len));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, request(&self->rig, VIRTIO_BLK_T_OUT, last + 1, len));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, request(&self->rig, VIRTIO_BLK_T_IN, UINT64_MAX, len));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, request(&self->rig, VIRTIO_BLK_T_IN, UINT64_MAX / 512, len));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR,
		  request(&self->rig, VIRTIO_BLK_T_OUT, UINT64_MAX / 512 + 1, len));
}

TEST_F(blk, a_length_that_is_no_multiple_of_512_is_refused)
{
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, request(&self->rig, VIRTIO_BLK_T_IN, 0, 511));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, request(&self->rig, VIRTIO_BLK_T_OUT, 0, 513));
	/* none at all is a multiple, and nothing to do */
	EXPECT_EQ(VIRTIO_BLK_S_OK, request(&self->rig, VIRTIO_BLK_T_IN, 0, 0));
}

TEST_F(blk, unknown_types_are_unsupported)
{
	EXPECT_EQ(VIRTIO_BLK_S_UNSUPP, request(&self->rig, 2, 0, 0));
	EXPECT_EQ(VIRTIO_BLK_S_UNSUPP, request(&self->rig, 14, 0, 16));
	EXPECT_EQ(VIRTIO_BLK_S_UNSUPP, request(&self->rig, UINT32_MAX, 0, 0));
	EXPECT_EQ(VIRTIO_BLK_S_UNSUPP, request(&self->rig, 0x80000000u, 0, 512));
}

TEST_F(blk, the_serial_is_padded_to_20_bytes)
{
	memset(slot(0)->data, 0xff, 32);
	ASSERT_EQ(VIRTIO_BLK_S_OK, request(&self->rig, VIRTIO_BLK_T_GET_ID, 0, 20));
	EXPECT_EQ(0, memcmp(slot(0)->data, "serial-0123\0\0\0\0\0\0\0\0\0\xff", 21));
	/* a short buffer is filled, not overrun */
	memset(slot(0)->data, 0xff, 32);
	ASSERT_EQ(VIRTIO_BLK_S_OK, request(&self->rig, VIRTIO_BLK_T_GET_ID, 0, 6));
	EXPECT_EQ(0, memcmp(slot(0)->data, "serial\xff", 7));
}

TEST_F(blk, a_flush_ends_well)
{
	struct vdev_blk_stats stats;

	EXPECT_EQ(VIRTIO_BLK_S_OK, request(&self->rig, VIRTIO_BLK_T_FLUSH, 0, 0));
	vdev_blk_get_stats(self->rig.vdev, &stats);
	EXPECT_EQ(1u, stats.flushes);
}

static bool all_zero(int fd, uint64_t offset, uint64_t len)
{
	uint8_t byte;

	for (uint64_t i = 0; i < len; i++)
		if (pread(fd, &byte, 1, offset + i) != 1 || byte)
			return false;
	return true;
}

TEST_F(blk, a_discard_gives_the_blocks_back)
{
	struct stat before, after;

	ASSERT_EQ(0, fsync(self->fd));
	ASSERT_EQ(0, fstat(self->fd, &before));
	EXPECT_EQ(VIRTIO_BLK_S_OK, ranges(&self->rig, VIRTIO_BLK_T_DISCARD, 64, 64, 0));
	ASSERT_EQ(0, fstat(self->fd, &after));
	EXPECT_EQ(before.st_size, after.st_size);
	EXPECT_LT(after.st_blocks, before.st_blocks);
	EXPECT_TRUE(all_zero(self->fd, 64 * 512, 64 * 512));
	EXPECT_EQ(VIRTIO_BLK_S_UNSUPP, ranges(&self->rig, VIRTIO_BLK_T_DISCARD, 0, 8, 1));
	EXPECT_EQ(VIRTIO_BLK_S_UNSUPP, ranges(&self->rig, VIRTIO_BLK_T_DISCARD, 0, 8, 2));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, ranges(&self->rig, VIRTIO_BLK_T_DISCARD, FILE_SECTORS, 8, 0));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR,
		  ranges(&self->rig, VIRTIO_BLK_T_DISCARD, UINT64_MAX - 3, 8, 0));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, ranges(&self->rig, VIRTIO_BLK_T_DISCARD, 0, UINT32_MAX, 0));
}

TEST_F(blk, zeroes_are_read_after_write_zeroes)
{
	uint8_t byte;

	/* also where the file system has no FALLOC_FL_ZERO_RANGE, as tmpfs */
	EXPECT_EQ(VIRTIO_BLK_S_OK, ranges(&self->rig, VIRTIO_BLK_T_WRITE_ZEROES, 32, 32, 0));
	EXPECT_TRUE(all_zero(self->fd, 32 * 512, 32 * 512));
	EXPECT_EQ(VIRTIO_BLK_S_OK, ranges(&self->rig, VIRTIO_BLK_T_WRITE_ZEROES, 96, 32, 1));
	EXPECT_TRUE(all_zero(self->fd, 96 * 512, 32 * 512));
	ASSERT_EQ(1, pread(self->fd, &byte, 1, 64 * 512 + 1));
	EXPECT_EQ(pattern(64 * 512 + 1), byte);
	/* all of the file, more than one step of writing */
	EXPECT_EQ(VIRTIO_BLK_S_OK,
		  ranges(&self->rig, VIRTIO_BLK_T_WRITE_ZEROES, 0, FILE_SECTORS, 0));
	EXPECT_TRUE(all_zero(self->fd, FILE_BYTES - 4096, 4096));
	EXPECT_EQ(VIRTIO_BLK_S_UNSUPP,
		  ranges(&self->rig, VIRTIO_BLK_T_WRITE_ZEROES, 0, 8, 0x80000000u));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR,
		  ranges(&self->rig, VIRTIO_BLK_T_WRITE_ZEROES, 1, FILE_SECTORS, 0));
}

TEST_F(blk, several_ranges_are_all_done_or_none)
{
	struct virtio_blk_discard_write_zeroes *raw = (void *)slot(0)->data;
	uint8_t byte;

	memset(raw, 0, 17 * sizeof(*raw));
	for (unsigned int i = 0; i < 17; i++)
		raw[i] = (struct virtio_blk_discard_write_zeroes){
			.sector = htole64(16 * i),
			.num_sectors = htole32(8),
		};
	EXPECT_EQ(VIRTIO_BLK_S_OK,
		  request(&self->rig, VIRTIO_BLK_T_WRITE_ZEROES, 0, 16 * sizeof(*raw)));
	for (unsigned int i = 0; i < 16; i++)
		EXPECT_TRUE(all_zero(self->fd, 16 * i * 512, 8 * 512));
	ASSERT_EQ(1, pread(self->fd, &byte, 1, 8 * 512 + 1));
	EXPECT_EQ(pattern(8 * 512 + 1), byte);
	EXPECT_EQ(VIRTIO_BLK_S_IOERR,
		  request(&self->rig, VIRTIO_BLK_T_WRITE_ZEROES, 0, 17 * sizeof(*raw)));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, request(&self->rig, VIRTIO_BLK_T_WRITE_ZEROES, 0, 15));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, request(&self->rig, VIRTIO_BLK_T_WRITE_ZEROES, 0, 0));
	/* the second is bad: the first is not done either */
	raw[0].sector = htole64(512);
	raw[1].sector = htole64(FILE_SECTORS);
	EXPECT_EQ(VIRTIO_BLK_S_IOERR,
		  request(&self->rig, VIRTIO_BLK_T_WRITE_ZEROES, 0, 2 * sizeof(*raw)));
	ASSERT_EQ(1, pread(self->fd, &byte, 1, 512 * 512 + 1));
	EXPECT_EQ(pattern(512 * 512 + 1), byte);
}

/* The same bytes in buffers that are cut anywhere: VIRTIO_F_ANY_LAYOUT. */
TEST_F(blk, any_layout_of_a_read_is_the_same_read)
{
	struct slot *s = slot(0);
	const struct vring_buf bufs[] = {
		buf(&s->hdr, 1),
		buf((uint8_t *)&s->hdr + 1, 9),
		buf((uint8_t *)&s->hdr + 10, 6),
		buf(s->data + 1, 700),
		buf(s->data + 701, 1349),
	};

	/* 2048 bytes of data; the status shares the last buffer */
	fill_hdr(s, VIRTIO_BLK_T_IN, 8);
	memset(s->data, NO_STATUS, 4096);
	ASSERT_LE(0, vring_drv_add(&self->rig.drv, bufs, 3, 2));
	ASSERT_EQ(0, run_until(&self->rig, 1));
	if (variant->direct && s->data[2049] == VIRTIO_BLK_S_IOERR)
		return; /* this file needs blocks of more than 2048 bytes */
	EXPECT_EQ(VIRTIO_BLK_S_OK, s->data[2049]);
	EXPECT_EQ(NO_STATUS, s->data[0]);
	EXPECT_EQ(NO_STATUS, s->data[2050]);
	for (unsigned int i = 0; i < 2048; i++)
		ASSERT_EQ(pattern(8 * 512 + i), s->data[1 + i]);
}

TEST_F(blk, any_layout_of_a_write_is_the_same_write)
{
	struct slot *s = slot(0);
	uint8_t *all = s->data;
	const struct virtio_blk_outhdr hdr = { .type = htole32(VIRTIO_BLK_T_OUT),
					       .sector = htole64(8) };
	/* header and data in one, and data in a second; the status is behind rubbish */
	const struct vring_buf bufs[] = {
		buf(all, sizeof(hdr) + 1000),
		buf(all + sizeof(hdr) + 1000, 4096 - 1000),
		buf(all + 8000, 3),
		buf(all + 8003, 2),
	};
	uint8_t data[4096];

	memcpy(all, &hdr, sizeof(hdr));
	for (unsigned int i = 0; i < 4096; i++)
		all[sizeof(hdr) + i] = i * 13 + (i >> 8);
	memset(all + 8000, NO_STATUS, 5);
	ASSERT_LE(0, vring_drv_add(&self->rig.drv, bufs, 2, 2));
	ASSERT_EQ(0, run_until(&self->rig, 1));
	EXPECT_EQ(VIRTIO_BLK_S_OK, all[8004]);
	EXPECT_EQ(NO_STATUS, all[8003]);
	ASSERT_EQ((ssize_t)sizeof(data), pread(self->fd, data, sizeof(data), 8 * 512));
	EXPECT_EQ(0, memcmp(data, all + sizeof(hdr), sizeof(data)));
}

TEST_F(blk, a_runt_header_is_refused)
{
	struct slot *s = slot(0);
	const struct vring_buf bufs[] = { buf(&s->hdr, 15), buf(&s->status, 1) };

	fill_hdr(s, VIRTIO_BLK_T_FLUSH, 0);
	ASSERT_LE(0, vring_drv_add(&self->rig.drv, bufs, 1, 1));
	ASSERT_EQ(0, run_until(&self->rig, 1));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, s->status);
	/* no header at all */
	s->status = NO_STATUS;
	ASSERT_LE(0, vring_drv_add(&self->rig.drv, bufs + 1, 0, 1));
	ASSERT_EQ(0, run_until(&self->rig, 2));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, s->status);
}

TEST_F(blk, a_chain_without_a_status_stops_the_queue_and_the_others_are_answered)
{
	struct slot *s = slot(1);
	const struct vring_buf lonely = buf(&s->hdr, sizeof(s->hdr));

	ASSERT_LE(0, add(&self->rig, 0, VIRTIO_BLK_T_GET_ID, 0, 20));
	fill_hdr(s, VIRTIO_BLK_T_FLUSH, 0);
	ASSERT_LE(0, vring_drv_add(&self->rig.drv, &lonely, 1, 0));
	ASSERT_LE(0, add(&self->rig, 2, VIRTIO_BLK_T_GET_ID, 0, 20));
	EXPECT_EQ(-EINVAL, process(&self->rig));
	EXPECT_EQ(0, collect(&self->rig));
	EXPECT_EQ(2u, self->rig.used);
	EXPECT_EQ(VIRTIO_BLK_S_OK, slot(0)->status);
	EXPECT_EQ(VIRTIO_BLK_S_OK, slot(2)->status);
	EXPECT_EQ(0u, vring_dev_in_flight(&self->rig.dev));
}

TEST_F(blk, more_buffers_than_it_was_told_to_use_are_refused)
{
	struct vring_buf bufs[200];
	struct slot *s = slot(0);
	unsigned int nr = 0;

	if (variant->indirect)
		return; /* tables of this test's driver have 8 entries */
	fill_hdr(s, VIRTIO_BLK_T_IN, 0);
	bufs[nr++] = buf(&s->hdr, sizeof(s->hdr));
	for (; nr < 199; nr++)
		bufs[nr] = buf(s->data + 512 * (nr % 64), 512);
	bufs[nr++] = buf(&s->status, 1);
	ASSERT_LE(0, vring_drv_add(&self->rig.drv, bufs, 1, nr - 1));
	ASSERT_EQ(0, run_until(&self->rig, 1));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, s->status);
	EXPECT_EQ(VIRTIO_BLK_S_OK, request(&self->rig, VIRTIO_BLK_T_IN, 0, 4096));
}

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

/* Writes that do not overlap and reads of them, many at a time, in any order of end. */
TEST_F_TIMEOUT(blk, a_thousand_rounds_of_random_requests_agree_with_a_model, 120)
{
	uint8_t *model = malloc(FILE_BYTES), *file;
	uint32_t state = 1, op[16];

	ASSERT_NE(NULL, model);
	ASSERT_EQ((ssize_t)FILE_BYTES, pread(self->fd, model, FILE_BYTES, 0));
	for (unsigned int round = 0; round < 1000; round++) {
		unsigned int nr = 1 + next_random(&state) % 16;

		for (unsigned int i = 0; i < nr; i++) {
			/* each its own 64 KiB of the file */
			uint64_t at = i * 65536 + next_random(&state) % 8 * 4096;
			uint32_t len = (1 + next_random(&state) % 8) * 4096;

			op[i] = next_random(&state) % 2 ? VIRTIO_BLK_T_OUT : VIRTIO_BLK_T_IN;
			for (uint32_t j = 0; j < len; j++)
				slot(i)->data[j] = round + i + j;
			if (op[i] == VIRTIO_BLK_T_OUT)
				memcpy(model + at, slot(i)->data, len);
			ASSERT_LE(0, add(&self->rig, i, op[i], at / 512, len));
		}
		ASSERT_EQ(0, run_until(&self->rig, self->rig.used + nr));
		for (unsigned int i = 0; i < nr; i++) {
			uint64_t at = le64toh(slot(i)->hdr.sector) * 512;

			ASSERT_EQ(VIRTIO_BLK_S_OK, slot(i)->status);
			ASSERT_EQ(0, memcmp(slot(i)->data, model + at, 4096));
		}
	}
	file = malloc(FILE_BYTES);
	ASSERT_NE(NULL, file);
	ASSERT_EQ((ssize_t)FILE_BYTES, pread(self->fd, file, FILE_BYTES, 0));
	EXPECT_EQ(0, memcmp(file, model, FILE_BYTES));
	free(file);
	free(model);
}

/* More than it has requests for: it says that it waits, and asks to be run again. */
TEST_F(blk, what_does_not_fit_waits_in_the_ring)
{
	struct slot *s = slot(0);
	const struct vring_buf bufs[] = { buf(&s->hdr, sizeof(s->hdr)), buf(s->data, LONG),
					  buf(&s->status, 1) };
	unsigned int nr = 0;

	if (!variant->indirect)
		return; /* without indirect descriptors the ring is full before */
	fill_hdr(s, VIRTIO_BLK_T_IN, 0);
	while (nr < NUM - 1 && vring_drv_add(&self->rig.drv, bufs, 1, 2) >= 0)
		nr++;
	ASSERT_LT(256u, nr);
	ASSERT_EQ(VDEV_WAITING, process(&self->rig));
	EXPECT_EQ(256u, vring_dev_in_flight(&self->rig.dev));
	while (!self->rig.ran)
		ASSERT_EQ(0, loop_run_once(self->rig.loop, loop_now_ns() + 10000000000ull));
	EXPECT_EQ(0, run_until(&self->rig, nr));
	EXPECT_EQ(0u, vring_dev_in_flight(&self->rig.dev));
}

TEST_F(blk, after_stop_what_is_in_flight_comes_back_and_no_more_is_taken)
{
	uint64_t deadline_ns = loop_now_ns() + 10000000000ull;

	for (unsigned int i = 0; i < 16; i++)
		ASSERT_LE(0, add(&self->rig, i, VIRTIO_BLK_T_IN, 8 * i, LONG));
	ASSERT_LE(0, process(&self->rig));
	ASSERT_LE(0, add(&self->rig, 16, VIRTIO_BLK_T_IN, 0, 4096));
	self->rig.vdev->ops->stop(self->rig.vdev->dev, &self->rig.q, false);
	EXPECT_EQ(VDEV_IDLE, process(&self->rig));
	while (vring_dev_in_flight(&self->rig.dev))
		ASSERT_EQ(0, loop_run_once(self->rig.loop, deadline_ns));
	ASSERT_EQ(0, collect(&self->rig));
	EXPECT_EQ(16u, self->rig.used);
	for (unsigned int i = 0; i < 16; i++)
		EXPECT_EQ(VIRTIO_BLK_S_OK, slot(i)->status);
	self->rig.vdev->ops->resume(self->rig.vdev->dev, &self->rig.q);
	EXPECT_EQ(0, run_until(&self->rig, 17));
}

TEST_F(blk, after_stop_with_cancel_each_request_is_back_or_dropped)
{
	uint64_t deadline_ns = loop_now_ns() + 10000000000ull;
	struct vdev_blk_stats stats;

	for (unsigned int i = 0; i < 16; i++)
		ASSERT_LE(0, add(&self->rig, i, i % 4 ? VIRTIO_BLK_T_IN : VIRTIO_BLK_T_FLUSH, 8 * i,
				 i % 4 ? LONG : 0));
	ASSERT_LE(0, process(&self->rig));
	self->rig.vdev->ops->stop(self->rig.vdev->dev, &self->rig.q, true);
	while (vring_dev_in_flight(&self->rig.dev))
		ASSERT_EQ(0, loop_run_once(self->rig.loop, deadline_ns));
	ASSERT_EQ(0, collect(&self->rig));
	vdev_blk_get_stats(self->rig.vdev, &stats);
	EXPECT_EQ(16u, self->rig.used + stats.cancelled);
}

/* The transport is gone, and the driver's memory with it. */
TEST_F(blk, it_can_be_destroyed_with_requests_in_flight)
{
	for (unsigned int i = 0; i < 16; i++)
		ASSERT_LE(0, add(&self->rig, i, i % 2 ? VIRTIO_BLK_T_IN : VIRTIO_BLK_T_FLUSH, 8 * i,
				 i % 2 ? LONG : 0));
	ASSERT_LE(0, process(&self->rig));
	ASSERT_EQ(0, mprotect(mem, MEM_BYTES, PROT_NONE));
	vdev_blk_destroy(self->rig.vdev);
	self->rig.vdev = NULL;
	ASSERT_EQ(0, mprotect(mem, MEM_BYTES, PROT_READ | PROT_WRITE));
}

TEST_F(blk, a_file_that_grows_or_shrinks_is_told)
{
	const struct vdev_ops *ops = self->rig.vdev->ops;
	struct virtio_blk_config config;

	ASSERT_EQ(0, ops->get_config(self->rig.vdev->dev, 0, &config, sizeof(config)));
	EXPECT_EQ((uint64_t)FILE_SECTORS, le64toh(config.capacity));
	ASSERT_EQ(0, ftruncate(self->fd, 2 * FILE_BYTES));
	while (!self->rig.changed)
		ASSERT_EQ(0, loop_run_once(self->rig.loop, loop_now_ns() + 10000000000ull));
	ASSERT_EQ(0, ops->get_config(self->rig.vdev->dev, 0, &config, sizeof(config)));
	EXPECT_EQ(2ull * FILE_SECTORS, le64toh(config.capacity));
	EXPECT_EQ(VIRTIO_BLK_S_OK, request(&self->rig, VIRTIO_BLK_T_OUT, FILE_SECTORS, 4096));
	/* before it is seen, the end of the file is an error, and so it is afterwards */
	ASSERT_EQ(0, ftruncate(self->fd, FILE_BYTES));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, request(&self->rig, VIRTIO_BLK_T_IN, FILE_SECTORS, 4096));
	while (self->rig.changed < 2)
		ASSERT_EQ(0, loop_run_once(self->rig.loop, loop_now_ns() + 10000000000ull));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, request(&self->rig, VIRTIO_BLK_T_IN, FILE_SECTORS, 4096));
}

TEST_F(blk, only_writeback_can_be_written)
{
	const struct vdev_ops *ops = self->rig.vdev->ops;
	const uint32_t wce = offsetof(struct virtio_blk_config, wce);
	struct virtio_blk_config config;
	uint8_t byte = 0, state[64];
	ssize_t len;

	ASSERT_EQ(0, ops->get_config(self->rig.vdev->dev, 0, &config, sizeof(config)));
	EXPECT_EQ(1, config.wce);
	EXPECT_EQ(1, le16toh(config.num_queues));
	EXPECT_EQ(0, ops->set_config(self->rig.vdev->dev, wce, &byte, 1, false));
	ASSERT_EQ(0, ops->get_config(self->rig.vdev->dev, wce, &byte, 1));
	EXPECT_EQ(0, byte);
	/* what a change needs to be stable is done before it is over */
	EXPECT_EQ(VIRTIO_BLK_S_OK, request(&self->rig, VIRTIO_BLK_T_OUT, 0, 4096));
	EXPECT_EQ(VIRTIO_BLK_S_OK, ranges(&self->rig, VIRTIO_BLK_T_WRITE_ZEROES, 0, 8, 0));
	len = ops->save(self->rig.vdev->dev, state, sizeof(state));
	ASSERT_LT(0, len);
	byte = 2;
	EXPECT_EQ(-EINVAL, ops->set_config(self->rig.vdev->dev, wce, &byte, 1, false));
	EXPECT_EQ(-EPERM, ops->set_config(self->rig.vdev->dev, 0, &byte, 1, false));
	EXPECT_EQ(-EINVAL, ops->set_config(self->rig.vdev->dev, UINT32_MAX, &byte, 1, true));
	EXPECT_EQ(-EINVAL, ops->get_config(self->rig.vdev->dev, 96, &byte, 1));
	byte = 1;
	EXPECT_EQ(0, ops->set_config(self->rig.vdev->dev, wce, &byte, 1, true));
	EXPECT_EQ(0, ops->load(self->rig.vdev->dev, state, len));
	ASSERT_EQ(0, ops->get_config(self->rig.vdev->dev, wce, &byte, 1));
	EXPECT_EQ(0, byte);
	EXPECT_EQ(-EINVAL, ops->load(self->rig.vdev->dev, state, len - 1));
	state[0]++;
	EXPECT_EQ(-EINVAL, ops->load(self->rig.vdev->dev, state, len));
}

TEST_F(blk, memory_that_is_not_aligned_goes_through_a_bounce_buffer)
{
	struct slot *s = slot(0);
	const struct vring_buf bufs[] = {
		buf(&s->hdr, sizeof(s->hdr)),
		buf(s->data + 3, 1000),
		buf(s->data + 1100, 65536 - 1001 - 1000),
		buf(s->data + 65001, 1),
	};
	struct vdev_blk_stats stats;

	if (!variant->direct)
		return; /* only O_DIRECT needs it */
	/* 1000 + 64536 - 1000 - ... is no multiple of 512: refused, not bounced */
	fill_hdr(s, VIRTIO_BLK_T_IN, 0);
	ASSERT_LE(0, vring_drv_add(&self->rig.drv, bufs, 1, 3));
	ASSERT_EQ(0, run_until(&self->rig, 1));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, s->data[65001]);
	for (unsigned int i = 0; i < 8; i++) {
		struct slot *t = slot(i);
		const struct vring_buf three[] = {
			buf(&t->hdr, sizeof(t->hdr)),
			buf(t->data + 1, 100),
			buf(t->data + 101, 8092),
			buf(&t->status, 1),
		};

		fill_hdr(t, VIRTIO_BLK_T_IN, 16 * i);
		ASSERT_LE(0, vring_drv_add(&self->rig.drv, three, 1, 3));
	}
	ASSERT_EQ(0, run_until(&self->rig, 9));
	for (unsigned int i = 0; i < 8; i++)
		for (unsigned int j = 0; j < 8192; j++)
			ASSERT_EQ(pattern(16 * i * 512 + j), slot(i)->data[1 + j]);
	vdev_blk_get_stats(self->rig.vdev, &stats);
	EXPECT_LE(8u, stats.bounced);
}

/* Devices that are made otherwise; the ring is a plain one. */
FIXTURE(other)
{
	struct rig rig;
	char dir[64];
	char path[96];
	int fd;
};

FIXTURE_SETUP(other)
{
	struct loop *loop;
	int ret;

	memset(self, 0, sizeof(*self));
	ret = loop_create(&loop, NULL);
	if (ret == -EPERM || ret == -ENOSYS)
		SKIP(return, "io_uring is disabled: set kernel.io_uring_disabled=0");
	ASSERT_EQ(0, ret);
	loop_destroy(loop);
	mem = mmap(NULL, MEM_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, mem);
	ASSERT_EQ(0, t_tmpdir_create(self->dir));
	snprintf(self->path, sizeof(self->path), "%s/disk", self->dir);
	self->fd = open(self->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, ftruncate(self->fd, FILE_BYTES));
}

FIXTURE_TEARDOWN(other)
{
	rig_stop(&self->rig);
	close(self->fd);
	unlink(self->path);
	EXPECT_EQ(0, t_tmpdir_remove(self->dir));
	munmap(mem, MEM_BYTES);
}

TEST_F(other, a_read_only_device_changes_nothing)
{
	const struct vdev_blk_config config = {
		.path = self->path,
		.read_only = true,
		.num_queues = 1,
	};
	struct stat before, after;

	/* and does not need the right to */
	ASSERT_EQ(0, fchmod(self->fd, 0400));
	ASSERT_EQ(0, fstat(self->fd, &before));
	ASSERT_EQ(0, rig_start(&self->rig, &config, false, false)) TH_LOG("%s", self->rig.err.msg);
	EXPECT_TRUE(self->rig.vdev->features & 1ull << VIRTIO_BLK_F_RO);
	EXPECT_FALSE(self->rig.vdev->features & 1ull << VIRTIO_BLK_F_DISCARD);
	EXPECT_EQ(VIRTIO_BLK_S_OK, request(&self->rig, VIRTIO_BLK_T_IN, 0, 4096));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, request(&self->rig, VIRTIO_BLK_T_OUT, 0, 4096));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, ranges(&self->rig, VIRTIO_BLK_T_DISCARD, 0, 8, 0));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, ranges(&self->rig, VIRTIO_BLK_T_WRITE_ZEROES, 0, 8, 0));
	EXPECT_EQ(VIRTIO_BLK_S_OK, request(&self->rig, VIRTIO_BLK_T_FLUSH, 0, 0));
	ASSERT_EQ(0, fstat(self->fd, &after));
	EXPECT_EQ(before.st_blocks, after.st_blocks);
	EXPECT_EQ(0, memcmp(&before.st_mtim, &after.st_mtim, sizeof(before.st_mtim)));
}

TEST_F(other, a_null_device_is_done_at_once_and_touches_no_buffer)
{
	const struct vdev_blk_config config = { .null_size = FILE_BYTES, .num_queues = 1 };

	ASSERT_EQ(0, rig_start(&self->rig, &config, true, false)) TH_LOG("%s", self->rig.err.msg);
	memset(slot(0)->data, 0x77, 4096);
	ASSERT_LE(0, add(&self->rig, 0, VIRTIO_BLK_T_IN, 0, 4096));
	ASSERT_EQ(VDEV_IDLE, process(&self->rig));
	ASSERT_EQ(0, collect(&self->rig));
	EXPECT_EQ(1u, self->rig.used);
	EXPECT_EQ(VIRTIO_BLK_S_OK, slot(0)->status);
	EXPECT_EQ(0x77, slot(0)->data[0]);
	EXPECT_EQ(VIRTIO_BLK_S_OK, request(&self->rig, VIRTIO_BLK_T_OUT, 8, 4096));
	EXPECT_EQ(VIRTIO_BLK_S_OK, request(&self->rig, VIRTIO_BLK_T_FLUSH, 0, 0));
	EXPECT_EQ(VIRTIO_BLK_S_OK, ranges(&self->rig, VIRTIO_BLK_T_DISCARD, 0, 8, 0));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, request(&self->rig, VIRTIO_BLK_T_IN, FILE_SECTORS, 512));
}

TEST_F(other, a_driver_without_flush_gets_a_device_without_a_cache)
{
	const struct vdev_blk_config config = { .path = self->path, .num_queues = 1 };
	const uint32_t wce = offsetof(struct virtio_blk_config, wce);
	uint8_t byte;

	ASSERT_EQ(0, rig_start(&self->rig, &config, false, false)) TH_LOG("%s", self->rig.err.msg);
	self->rig.vdev->ops->set_features(self->rig.vdev->dev, 1ull << VIRTIO_F_VERSION_1);
	ASSERT_EQ(0, self->rig.vdev->ops->get_config(self->rig.vdev->dev, wce, &byte, 1));
	EXPECT_EQ(0, byte);
	EXPECT_EQ(VIRTIO_BLK_S_OK, request(&self->rig, VIRTIO_BLK_T_OUT, 0, 4096));
}

TEST_F(other, what_cannot_be_served_is_told_with_its_name)
{
	struct vdev_blk_config config = { .path = self->dir, .num_queues = 1 };
	struct loop *loop;
	struct vdev *vdev;
	struct vl_err err;

	ASSERT_EQ(0, loop_create(&loop, NULL));
	EXPECT_EQ(-EINVAL, vdev_blk_create(&vdev, loop, &config, &err));
	EXPECT_NE(NULL, strstr(err.msg, self->dir));
	config.path = "/nonexistent/disk";
	EXPECT_EQ(-ENOENT, vdev_blk_create(&vdev, loop, &config, &err));
	EXPECT_NE(NULL, strstr(err.msg, config.path));
	/* would be waited for, or rewound, by opening it */
	config.path = "/dev/zero";
	EXPECT_EQ(-EINVAL, vdev_blk_create(&vdev, loop, &config, &err));
	config.path = self->path;
	config.block_size = 1000;
	EXPECT_EQ(-EINVAL, vdev_blk_create(&vdev, loop, &config, &err));
	config.block_size = 131072;
	EXPECT_EQ(-EINVAL, vdev_blk_create(&vdev, loop, &config, &err));
	config.block_size = 0;
	config.serial = "123456789012345678901";
	EXPECT_EQ(-EINVAL, vdev_blk_create(&vdev, loop, &config, &err));
	config.serial = NULL;
	config.num_queues = 0;
	EXPECT_EQ(-EINVAL, vdev_blk_create(&vdev, loop, &config, &err));
	loop_destroy(loop);
}

TEST_F(other, a_larger_block_is_told_and_the_size_is_whole_blocks)
{
	const struct vdev_blk_config config = {
		.path = self->path,
		.num_queues = 1,
		.block_size = 4096,
	};
	struct virtio_blk_config space;

	ASSERT_EQ(0, ftruncate(self->fd, 10000));
	ASSERT_EQ(0, rig_start(&self->rig, &config, false, false)) TH_LOG("%s", self->rig.err.msg);
	ASSERT_EQ(0,
		  self->rig.vdev->ops->get_config(self->rig.vdev->dev, 0, &space, sizeof(space)));
	EXPECT_EQ(16u, le64toh(space.capacity));
	EXPECT_EQ(4096u, le32toh(space.blk_size));
	EXPECT_EQ(126u, le32toh(space.seg_max));
}

TEST_HARNESS_MAIN
