// SPDX-License-Identifier: GPL-2.0-only
/*
 * Split virtqueues: what each side accepts, what it refuses and with which
 * errno, and that both agree over a long random run.
 *
 * The tests of one side play the other side by hand, writing the ring as a
 * well-behaved or a hostile peer would.
 */
#include <endian.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include <vringlab/vring.h>

#include "kselftest_harness.h"

#define GPA_BASE 0x40000000ull
#define UVA_BASE 0x7f0000000000ull
/* Rings lie at the start of the memory, buffers from here on. */
#define BUFS_OFFSET 0x100000ull
#define BUFS_SIZE 0x100000ull
#define MEM_SIZE (BUFS_OFFSET + BUFS_SIZE)
/* Largest first, so that each part has its alignment at every queue size. */
#define DESC_OFFSET 0ull
#define USED_OFFSET 0x80000ull
#define AVAIL_OFFSET 0xc1000ull

static int resolve_split(struct vring_layout *layout, const struct vring_mem *mem, unsigned int num,
			 uint64_t desc, uint64_t avail, uint64_t used)
{
	const struct vring_addrs addrs = { .desc = desc, .avail = avail, .used = used };
	struct vring_mem_miss miss;

	return vring_layout_resolve(layout, mem, false, num, &addrs, &miss);
}

static int start_dev(struct vring_dev *vq, const struct vring_layout *ring,
		     const struct vring_mem *mem, uint16_t base)
{
	const struct vring_dev_config config = { .ring = *ring, .mem = mem, .base = base };

	vring_dev_exit(vq);
	return vring_dev_init(vq, &config);
}

static void start_drv(struct vring_drv *vq, const struct vring_layout *ring,
		      struct vring_drv_slot *slots)
{
	const struct vring_drv_config config = { .ring = *ring, .slots = slots };

	vring_drv_init(vq, &config);
}

static void give(struct vring_dev *vq, uint16_t id, uint32_t written)
{
	const struct vring_chain chain = { .id = id };

	vring_dev_push(vq, &chain, written);
}

static uint8_t *map_memory(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

FIXTURE(mem)
{
	struct vring_mem mem;
	uint8_t *host;
};

FIXTURE_SETUP(mem)
{
	struct vring_mem_region region = {
		.guest_addr = GPA_BASE,
		.user_addr = UVA_BASE,
		.size = 0x3000,
	};

	memset(&self->mem, 0, sizeof(self->mem));
	self->host = map_memory(0x10000);
	ASSERT_NE(NULL, self->host);
	region.host = self->host;
	ASSERT_EQ(0, vring_mem_add(&self->mem, &region));
}

FIXTURE_TEARDOWN(mem)
{
	munmap(self->host, 0x10000);
}

TEST_F(mem, resolves_the_first_and_the_last_byte)
{
	EXPECT_EQ(self->host, vring_mem_gpa(&self->mem, GPA_BASE, 1));
	EXPECT_EQ(self->host + 0x2fff, vring_mem_gpa(&self->mem, GPA_BASE + 0x2fff, 1));
	EXPECT_EQ(self->host, vring_mem_uva(&self->mem, UVA_BASE, 0x3000));
	EXPECT_EQ(self->host + 0x2fff, vring_mem_uva(&self->mem, UVA_BASE + 0x2fff, 1));
}

TEST_F(mem, does_not_resolve_outside)
{
	EXPECT_EQ(NULL, vring_mem_gpa(&self->mem, GPA_BASE - 1, 1));
	EXPECT_EQ(NULL, vring_mem_gpa(&self->mem, GPA_BASE - 1, 2));
	EXPECT_EQ(NULL, vring_mem_gpa(&self->mem, GPA_BASE + 0x3000, 1));
	EXPECT_EQ(NULL, vring_mem_gpa(&self->mem, GPA_BASE + 0x2fff, 2));
	EXPECT_EQ(NULL, vring_mem_uva(&self->mem, UVA_BASE + 0x2fff, 2));
	EXPECT_EQ(NULL, vring_mem_uva(&self->mem, UVA_BASE - 1, 1));
	EXPECT_EQ(NULL, vring_mem_uva(&self->mem, GPA_BASE, 1));
}

TEST_F(mem, does_not_resolve_a_length_of_zero_or_one_that_wraps)
{
	EXPECT_EQ(NULL, vring_mem_gpa(&self->mem, GPA_BASE, 0));
	EXPECT_EQ(NULL, vring_mem_uva(&self->mem, UVA_BASE, 0));
	EXPECT_EQ(NULL, vring_mem_gpa(&self->mem, GPA_BASE, UINT64_MAX));
	EXPECT_EQ(NULL, vring_mem_gpa(&self->mem, GPA_BASE + 1, -GPA_BASE));
	EXPECT_EQ(NULL, vring_mem_gpa(&self->mem, UINT64_MAX, 2));
}

TEST_F(mem, refuses_bad_regions)
{
	const struct vring_mem_region good = {
		.guest_addr = 0x100000000ull,
		.user_addr = 0x100000000ull,
		.size = 0x1000,
		.host = self->host,
	};
	struct vring_mem_region r;

	r = good;
	r.size = 0;
	EXPECT_EQ(-EINVAL, vring_mem_add(&self->mem, &r));
	r = good;
	r.host = NULL;
	EXPECT_EQ(-EINVAL, vring_mem_add(&self->mem, &r));
	r = good;
	r.guest_addr = UINT64_MAX - 0xfff;
	EXPECT_EQ(-EINVAL, vring_mem_add(&self->mem, &r));
	r = good;
	r.user_addr = UINT64_MAX - 0xfff;
	EXPECT_EQ(-EINVAL, vring_mem_add(&self->mem, &r));
	r = good;
	r.size = UINT64_MAX;
	EXPECT_EQ(-EINVAL, vring_mem_add(&self->mem, &r));
	EXPECT_EQ(1u, self->mem.nr);
	EXPECT_EQ(0, vring_mem_add(&self->mem, &good));
	EXPECT_EQ(2u, self->mem.nr);
}

TEST_F(mem, refuses_overlap_in_either_address)
{
	static const int64_t overlapping[] = { -0xfff, 0, 0x1000, 0x2fff };
	static const int64_t touching[] = { -0x1000, 0x3000 };
	struct vring_mem_region r = { .size = 0x1000, .host = self->host };

	for (size_t i = 0; i < ARRAY_SIZE(overlapping); i++) {
		r.guest_addr = GPA_BASE + overlapping[i];
		r.user_addr = 0x10000 * i;
		EXPECT_EQ(-EEXIST, vring_mem_add(&self->mem, &r));
		r.guest_addr = 0x10000 * i;
		r.user_addr = UVA_BASE + overlapping[i];
		EXPECT_EQ(-EEXIST, vring_mem_add(&self->mem, &r));
	}
	/* A region that holds the whole of an older one. */
	r = (struct vring_mem_region){ .size = 0x5000, .host = self->host };
	r.guest_addr = GPA_BASE - 0x1000;
	EXPECT_EQ(-EEXIST, vring_mem_add(&self->mem, &r));
	EXPECT_EQ(1u, self->mem.nr);

	r.size = 0x1000;
	for (size_t i = 0; i < ARRAY_SIZE(touching); i++) {
		r.guest_addr = GPA_BASE + touching[i];
		r.user_addr = UVA_BASE + touching[i];
		EXPECT_EQ(0, vring_mem_add(&self->mem, &r));
	}
}

TEST_F(mem, refuses_one_region_too_many)
{
	struct vring_mem_region r = { .size = 0x1000, .host = self->host };

	for (unsigned int i = 1; i < VRING_MEM_REGIONS_MAX; i++) {
		r.guest_addr = 0x10000 * i;
		r.user_addr = r.guest_addr;
		ASSERT_EQ(0, vring_mem_add(&self->mem, &r));
	}
	r.guest_addr = 0x3000000;
	r.user_addr = r.guest_addr;
	EXPECT_EQ(-ENOSPC, vring_mem_add(&self->mem, &r));
	EXPECT_EQ(VRING_MEM_REGIONS_MAX, self->mem.nr);
}

TEST_F(mem, splits_a_range_that_crosses_regions)
{
	/* Adjoins the first one in the guest, lies elsewhere here. */
	struct vring_mem_region second = {
		.guest_addr = GPA_BASE + 0x3000,
		.user_addr = UVA_BASE + 0x100000,
		.size = 0x1000,
		.host = self->host + 0x8000,
	};
	struct iovec iov[2];

	EXPECT_EQ(-EFAULT, vring_mem_gpa_iov(&self->mem, GPA_BASE + 0x2ff0, 0x20, iov, 2));
	ASSERT_EQ(0, vring_mem_add(&self->mem, &second));
	ASSERT_EQ(2, vring_mem_gpa_iov(&self->mem, GPA_BASE + 0x2ff0, 0x30, iov, 2));
	EXPECT_EQ(self->host + 0x2ff0, iov[0].iov_base);
	EXPECT_EQ(0x10u, iov[0].iov_len);
	EXPECT_EQ(self->host + 0x8000, iov[1].iov_base);
	EXPECT_EQ(0x20u, iov[1].iov_len);

	EXPECT_EQ(NULL, vring_mem_gpa(&self->mem, GPA_BASE + 0x2ff0, 0x20));
	EXPECT_EQ(2, vring_mem_gpa_iov(&self->mem, GPA_BASE, 0x4000, iov, 2));
	EXPECT_EQ(-ENOBUFS, vring_mem_gpa_iov(&self->mem, GPA_BASE, 0x4000, iov, 1));
	EXPECT_EQ(-ENOBUFS, vring_mem_gpa_iov(&self->mem, GPA_BASE, 1, iov, 0));
	EXPECT_EQ(-EFAULT, vring_mem_gpa_iov(&self->mem, GPA_BASE, 0x4001, iov, 3));
	EXPECT_EQ(-EINVAL, vring_mem_gpa_iov(&self->mem, GPA_BASE, 0, iov, 2));
	EXPECT_EQ(-EFAULT, vring_mem_gpa_iov(&self->mem, GPA_BASE, UINT64_MAX, iov, 2));
}

TEST_F(mem, layout_checks_number_alignment_and_place)
{
	const uint64_t desc = UVA_BASE, avail = UVA_BASE + 0x1000;
	const uint64_t used = UVA_BASE + 0x2000;
	struct vring_layout l = { .num = 77 };

	EXPECT_EQ(-EINVAL, resolve_split(&l, &self->mem, 0, desc, avail, used));
	EXPECT_EQ(-EINVAL, resolve_split(&l, &self->mem, 3, desc, avail, used));
	EXPECT_EQ(-EINVAL, resolve_split(&l, &self->mem, 255, desc, avail, used));
	EXPECT_EQ(-EINVAL, resolve_split(&l, &self->mem, 65536, desc, avail, used));
	EXPECT_EQ(-EINVAL, resolve_split(&l, &self->mem, 1u << 31, desc, avail, used));
	EXPECT_EQ(-EINVAL, resolve_split(&l, &self->mem, 4, desc + 8, avail, used));
	EXPECT_EQ(-EINVAL, resolve_split(&l, &self->mem, 4, desc, avail + 1, used));
	EXPECT_EQ(-EINVAL, resolve_split(&l, &self->mem, 4, desc, avail, used + 2));
	EXPECT_EQ(-EFAULT, resolve_split(&l, &self->mem, 4, desc - 16, avail, used));
	EXPECT_EQ(-EFAULT, resolve_split(&l, &self->mem, 4, desc, 0, used));
	EXPECT_EQ(-EFAULT, resolve_split(&l, &self->mem, 4, desc, avail, -4ull));
	EXPECT_EQ(-EFAULT, resolve_split(&l, &self->mem, 32768, desc, avail, used));
	EXPECT_EQ(77u, l.num);

	ASSERT_EQ(0, resolve_split(&l, &self->mem, 4, desc, avail, used));
	EXPECT_EQ(4u, l.num);
	EXPECT_EQ((void *)self->host, (void *)l.desc);
	EXPECT_EQ((void *)(self->host + 0x1000), (void *)l.avail);
	EXPECT_EQ((void *)(self->host + 0x2000), (void *)l.used);
}

TEST_F(mem, layout_includes_the_event_fields)
{
	const uint64_t end = UVA_BASE + 0x3000;
	struct vring_layout l;

	/* 6 + 2 * num and 6 + 8 * num bytes: VIRTIO 1.2, 2.7. */
	EXPECT_EQ(0, resolve_split(&l, &self->mem, 4, UVA_BASE, end - 14, UVA_BASE + 0x1000));
	EXPECT_EQ(-EFAULT, resolve_split(&l, &self->mem, 4, UVA_BASE, end - 12, UVA_BASE + 0x1000));
	EXPECT_EQ(0, resolve_split(&l, &self->mem, 4, UVA_BASE, UVA_BASE + 0x1000, end - 40));
	EXPECT_EQ(-EFAULT, resolve_split(&l, &self->mem, 4, UVA_BASE, UVA_BASE + 0x1000, end - 36));
	EXPECT_EQ(0, resolve_split(&l, &self->mem, 4, end - 64, UVA_BASE, UVA_BASE + 0x1000));
	EXPECT_EQ(-EFAULT, resolve_split(&l, &self->mem, 4, end - 48, UVA_BASE, UVA_BASE + 0x1000));
}

TEST_F(mem, layout_refuses_an_address_that_is_odd_only_here)
{
	struct vring_mem_region odd = {
		.guest_addr = 0x100000,
		.user_addr = 0x100001,
		.size = 0x3000,
		.host = self->host + 0x8000,
	};
	struct vring_layout l;

	ASSERT_EQ(0, vring_mem_add(&self->mem, &odd));
	EXPECT_EQ(-EINVAL, resolve_split(&l, &self->mem, 4, 0x100010, UVA_BASE, UVA_BASE + 0x1000));
	EXPECT_EQ(-EINVAL, resolve_split(&l, &self->mem, 4, UVA_BASE, 0x100010, UVA_BASE + 0x1000));
	EXPECT_EQ(-EINVAL, resolve_split(&l, &self->mem, 4, UVA_BASE, UVA_BASE + 0x1000, 0x100010));
}

/* Memory of one region with a ring in it, and both sides. */
struct rig {
	struct vring_mem mem;
	struct vring_layout ring;
	struct vring_dev dev;
	struct vring_drv drv;
	struct vring_chain chain;
	struct iovec *iov;
	struct vring_drv_slot *slots;
	uint8_t *host;
};

static int rig_init(struct rig *r, unsigned int num)
{
	struct vring_mem_region region = {
		.guest_addr = GPA_BASE,
		.user_addr = UVA_BASE,
		.size = MEM_SIZE,
	};
	int ret;

	*r = (struct rig){ .host = map_memory(MEM_SIZE) };
	r->slots = calloc(num, sizeof(*r->slots));
	r->iov = calloc(num + 1, sizeof(*r->iov));
	if (!r->host || !r->slots || !r->iov)
		return -ENOMEM;
	region.host = r->host;
	ret = vring_mem_add(&r->mem, &region);
	if (!ret)
		ret = resolve_split(&r->ring, &r->mem, num, UVA_BASE + DESC_OFFSET,
				    UVA_BASE + AVAIL_OFFSET, UVA_BASE + USED_OFFSET);
	if (ret)
		return ret;
	r->chain.iov = r->iov;
	r->chain.nr_iov = num + 1;
	start_drv(&r->drv, &r->ring, r->slots);
	start_dev(&r->dev, &r->ring, &r->mem, 0);
	return 0;
}

static void rig_exit(struct rig *r)
{
	free(r->iov);
	vring_dev_exit(&r->dev);
	free(r->slots);
	munmap(r->host, MEM_SIZE);
}

FIXTURE(vring)
{
	struct rig rig;
};

FIXTURE_VARIANT(vring)
{
	unsigned int num;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(vring, num_1) { .num = 1 };
FIXTURE_VARIANT_ADD(vring, num_2) { .num = 2 };
FIXTURE_VARIANT_ADD(vring, num_256) { .num = 256 };
FIXTURE_VARIANT_ADD(vring, num_32768) { .num = 32768 };
/* clang-format on */

FIXTURE_SETUP(vring)
{
	ASSERT_EQ(0, rig_init(&self->rig, variant->num));
}

FIXTURE_TEARDOWN(vring)
{
	rig_exit(&self->rig);
}

/* What takes two descriptors at least. */
FIXTURE(long_vring)
{
	struct rig rig;
};

FIXTURE_VARIANT(long_vring)
{
	unsigned int num;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(long_vring, num_2) { .num = 2 };
FIXTURE_VARIANT_ADD(long_vring, num_256) { .num = 256 };
FIXTURE_VARIANT_ADD(long_vring, num_32768) { .num = 32768 };
/* clang-format on */

FIXTURE_SETUP(long_vring)
{
	ASSERT_EQ(0, rig_init(&self->rig, variant->num));
}

FIXTURE_TEARDOWN(long_vring)
{
	rig_exit(&self->rig);
}

/* What a driver does, without its checks. */
static void put_desc(struct vring_layout *ring, unsigned int index, uint64_t addr, uint32_t len,
		     uint16_t flags, uint16_t next)
{
	ring->desc[index] = (struct vring_desc){
		.addr = htole64(addr),
		.len = htole32(len),
		.flags = htole16(flags),
		.next = htole16(next),
	};
}

static void make_avail(struct vring_layout *ring, uint16_t head)
{
	uint16_t idx = le16toh(ring->avail->idx);

	ring->avail->ring[idx % ring->num] = htole16(head);
	ring->avail->idx = htole16(idx + 1);
}

/* What a device does, without its checks. */
static void make_used(struct vring_layout *ring, uint32_t head, uint32_t len)
{
	uint16_t idx = le16toh(ring->used->idx);

	ring->used->ring[idx % ring->num].id = htole32(head);
	ring->used->ring[idx % ring->num].len = htole32(len);
	ring->used->idx = htole16(idx + 1);
}

TEST_F(vring, is_empty_at_first)
{
	struct rig *r = &self->rig;
	uint32_t written = 77;

	EXPECT_TRUE(vring_dev_empty(&r->dev));
	EXPECT_EQ(-EAGAIN, vring_dev_pop(&r->dev, &r->chain));
	EXPECT_EQ(-EAGAIN, vring_drv_get(&r->drv, &written));
	EXPECT_EQ(77u, written);
}

TEST_F(vring, carries_a_chain_there_and_back)
{
	struct rig *r = &self->rig;
	struct vring_buf bufs[] = {
		{ .gpa = GPA_BASE + BUFS_OFFSET, .len = 100 },
		{ .gpa = GPA_BASE + BUFS_OFFSET + 0x1000, .len = 200 },
	};
	unsigned int nr_in = variant->num > 1 ? 1 : 0;
	uint32_t written;
	int head;

	head = vring_drv_add(&r->drv, bufs, 1, nr_in);
	ASSERT_LE(0, head);
	EXPECT_EQ(variant->num - 1 - nr_in, r->drv.nr_free);
	EXPECT_FALSE(vring_dev_empty(&r->dev));

	ASSERT_EQ(0, vring_dev_pop(&r->dev, &r->chain));
	EXPECT_TRUE(vring_dev_empty(&r->dev));
	EXPECT_EQ(head, r->chain.id);
	EXPECT_EQ(1u, r->chain.nr_out);
	EXPECT_EQ(nr_in, r->chain.nr_in);
	EXPECT_EQ(r->host + BUFS_OFFSET, r->iov[0].iov_base);
	EXPECT_EQ(100u, r->iov[0].iov_len);
	if (nr_in) {
		EXPECT_EQ(r->host + BUFS_OFFSET + 0x1000, r->iov[1].iov_base);
		EXPECT_EQ(200u, r->iov[1].iov_len);
	}

	EXPECT_EQ(-EAGAIN, vring_drv_get(&r->drv, &written));
	give(&r->dev, r->chain.id, 123);
	EXPECT_EQ(head, vring_drv_get(&r->drv, &written));
	EXPECT_EQ(123u, written);
	EXPECT_EQ(variant->num, r->drv.nr_free);
	EXPECT_EQ(-EAGAIN, vring_drv_get(&r->drv, &written));
}

TEST_F(vring, writes_little_endian)
{
	struct rig *r = &self->rig;
	struct vring_buf buf = { .gpa = GPA_BASE + BUFS_OFFSET, .len = 0x01020304 };
	static const uint8_t gpa[] = { 0, 0, 0x10, 0x40, 0, 0, 0, 0 };
	static const uint8_t len[] = { 4, 3, 2, 1 };
	static const uint8_t one[] = { 1, 0 };

	ASSERT_EQ(0, vring_drv_add(&r->drv, &buf, 1, 0));
	EXPECT_EQ(0, memcmp(&r->ring.desc[0].addr, gpa, sizeof(gpa)));
	EXPECT_EQ(0, memcmp(&r->ring.desc[0].len, len, sizeof(len)));
	EXPECT_EQ(0, memcmp(&r->ring.avail->idx, one, sizeof(one)));
	/* not taken: the buffer is larger than the memory */
	r->ring.desc[0].len = htole32(1);
	ASSERT_EQ(0, vring_dev_pop(&r->dev, &r->chain));
	give(&r->dev, 0, 0x01020304);
	EXPECT_EQ(0, memcmp(&r->ring.used->idx, one, sizeof(one)));
	EXPECT_EQ(0, memcmp(&r->ring.used->ring[0].len, len, sizeof(len)));
}

TEST_F(vring, goes_round_past_65535)
{
	struct rig *r = &self->rig;
	struct vring_buf buf = { .gpa = GPA_BASE + BUFS_OFFSET, .len = 64 };

	for (unsigned int i = 0; i < 65536 + 5; i++) {
		uint32_t written;
		int head = vring_drv_add(&r->drv, &buf, 1, 0);

		ASSERT_LE(0, head);
		ASSERT_EQ(0, vring_dev_pop(&r->dev, &r->chain));
		ASSERT_EQ(head, r->chain.id);
		give(&r->dev, r->chain.id, i);
		ASSERT_EQ(head, vring_drv_get(&r->drv, &written));
		ASSERT_EQ(i, written);
	}
	EXPECT_EQ(5u, r->drv.avail_idx);
	EXPECT_EQ(5u, r->dev.used_idx);
	EXPECT_EQ(5u, le16toh(r->ring.avail->idx));
	EXPECT_EQ(5u, le16toh(r->ring.used->idx));
}

TEST_F(vring, starts_at_the_base_and_at_the_rings_used_index)
{
	struct rig *r = &self->rig;

	put_desc(&r->ring, 0, GPA_BASE, 1, 0, 0);
	r->ring.avail->idx = htole16(65535);
	r->ring.used->idx = htole16(65535);
	start_dev(&r->dev, &r->ring, &r->mem, 65535);
	EXPECT_EQ(-EAGAIN, vring_dev_pop(&r->dev, &r->chain));
	make_avail(&r->ring, 0);
	EXPECT_EQ(0u, le16toh(r->ring.avail->idx));
	ASSERT_EQ(0, vring_dev_pop(&r->dev, &r->chain));
	give(&r->dev, 0, 9);
	EXPECT_EQ(0u, le16toh(r->ring.used->idx));
	EXPECT_EQ(9u, le32toh(r->ring.used->ring[65535 % variant->num].len));
}

TEST_F(vring, takes_as_many_as_there_are_and_no_more)
{
	struct rig *r = &self->rig;
	struct vring_buf buf = { .gpa = GPA_BASE + BUFS_OFFSET, .len = 64 };

	for (unsigned int i = 0; i < variant->num; i++)
		ASSERT_EQ((int)i, vring_drv_add(&r->drv, &buf, 0, 1));
	EXPECT_EQ(0u, r->drv.nr_free);
	EXPECT_EQ(-ENOSPC, vring_drv_add(&r->drv, &buf, 0, 1));
	EXPECT_EQ(variant->num % 65536, le16toh(r->ring.avail->idx));
	for (unsigned int i = 0; i < variant->num; i++) {
		ASSERT_EQ(0, vring_dev_pop(&r->dev, &r->chain));
		ASSERT_EQ(i, r->chain.id);
	}
	EXPECT_EQ(-EAGAIN, vring_dev_pop(&r->dev, &r->chain));
}

TEST_F(vring, takes_a_chain_as_long_as_the_queue)
{
	struct rig *r = &self->rig;
	struct vring_buf *bufs = calloc(variant->num, sizeof(*bufs));

	ASSERT_NE(NULL, bufs);
	for (unsigned int i = 0; i < variant->num; i++)
		bufs[i] = (struct vring_buf){ GPA_BASE + BUFS_OFFSET + i, 1 };
	ASSERT_EQ(0,
		  vring_drv_add(&r->drv, bufs, variant->num / 2, variant->num - variant->num / 2));
	ASSERT_EQ(0, vring_dev_pop(&r->dev, &r->chain));
	EXPECT_EQ(variant->num / 2, r->chain.nr_out);
	EXPECT_EQ(variant->num - variant->num / 2, r->chain.nr_in);
	free(bufs);
}

TEST_F(vring, device_refuses_a_loop)
{
	struct rig *r = &self->rig;

	for (unsigned int i = 0; i < variant->num; i++)
		put_desc(&r->ring, i, GPA_BASE, 1, VRING_DESC_F_NEXT, (i + 1) % variant->num);
	make_avail(&r->ring, 0);
	EXPECT_EQ(-EINVAL, vring_dev_pop(&r->dev, &r->chain));
	/* Not taken: asking again gives the same. */
	EXPECT_EQ(-EINVAL, vring_dev_pop(&r->dev, &r->chain));
	EXPECT_EQ(0u, r->dev.avail_idx);

	put_desc(&r->ring, 0, GPA_BASE, 1, VRING_DESC_F_NEXT, 0);
	EXPECT_EQ(-EINVAL, vring_dev_pop(&r->dev, &r->chain));
}

TEST_F(vring, device_refuses_a_next_out_of_range)
{
	struct rig *r = &self->rig;

	/* What lies behind the table looks like a good descriptor. */
	put_desc(&r->ring, variant->num, GPA_BASE, 1, 0, 0);
	make_avail(&r->ring, 0);
	put_desc(&r->ring, 0, GPA_BASE, 1, VRING_DESC_F_NEXT, variant->num);
	EXPECT_EQ(-EINVAL, vring_dev_pop(&r->dev, &r->chain));
	put_desc(&r->ring, 0, GPA_BASE, 1, VRING_DESC_F_NEXT, 65535);
	EXPECT_EQ(-EINVAL, vring_dev_pop(&r->dev, &r->chain));
	/* Without the flag next means nothing. */
	put_desc(&r->ring, 0, GPA_BASE, 1, 0, 65535);
	EXPECT_EQ(0, vring_dev_pop(&r->dev, &r->chain));
}

TEST_F(vring, device_refuses_a_head_out_of_range)
{
	struct rig *r = &self->rig;

	put_desc(&r->ring, variant->num, GPA_BASE, 1, 0, 0);
	make_avail(&r->ring, variant->num);
	EXPECT_EQ(-EINVAL, vring_dev_pop(&r->dev, &r->chain));
	r->ring.avail->ring[0] = htole16(65535);
	EXPECT_EQ(-EINVAL, vring_dev_pop(&r->dev, &r->chain));
}

TEST_F(vring, device_refuses_an_avail_index_that_jumped)
{
	struct rig *r = &self->rig;

	put_desc(&r->ring, 0, GPA_BASE, 1, 0, 0);
	r->ring.avail->idx = htole16(variant->num + 1);
	EXPECT_EQ(-EPROTO, vring_dev_pop(&r->dev, &r->chain));
	/* One back is 65535 ahead. */
	r->ring.avail->idx = htole16(65535);
	EXPECT_EQ(-EPROTO, vring_dev_pop(&r->dev, &r->chain));
	r->ring.avail->idx = htole16(variant->num);
	EXPECT_EQ(0, vring_dev_pop(&r->dev, &r->chain));
}

TEST_F(vring, device_refuses_memory_it_was_not_given)
{
	struct rig *r = &self->rig;
	static const struct {
		uint64_t addr;
		uint32_t len;
	} bad[] = {
		{ 0, 1 },
		{ GPA_BASE - 1, 2 },
		{ GPA_BASE + MEM_SIZE, 1 },
		{ GPA_BASE + MEM_SIZE - 1, 2 },
		{ GPA_BASE, UINT32_MAX },
		{ UINT64_MAX, 1 },
		{ UINT64_MAX, 2 },
		{ UINT64_MAX - 0xfff, 0x1000 },
		/* Wraps to inside the region, as an addition would see it. */
		{ UINT64_MAX - 0xfffffff0ull + 0x10, UINT32_MAX },
		{ UVA_BASE, 1 },
	};

	make_avail(&r->ring, 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		put_desc(&r->ring, 0, bad[i].addr, bad[i].len, 0, 0);
		EXPECT_EQ(-EFAULT, vring_dev_pop(&r->dev, &r->chain))
		TH_LOG("address 0x%llx, length 0x%x", (unsigned long long)bad[i].addr, bad[i].len);
	}
	put_desc(&r->ring, 0, GPA_BASE + MEM_SIZE - 1, 1, 0, 0);
	EXPECT_EQ(0, vring_dev_pop(&r->dev, &r->chain));
}

TEST_F(long_vring, device_refuses_readable_after_writable)
{
	struct rig *r = &self->rig;

	put_desc(&r->ring, 0, GPA_BASE, 1, VRING_DESC_F_NEXT | VRING_DESC_F_WRITE, 1);
	put_desc(&r->ring, 1, GPA_BASE, 1, 0, 0);
	make_avail(&r->ring, 0);
	EXPECT_EQ(-EINVAL, vring_dev_pop(&r->dev, &r->chain));
	put_desc(&r->ring, 1, GPA_BASE, 1, VRING_DESC_F_WRITE, 0);
	EXPECT_EQ(0, vring_dev_pop(&r->dev, &r->chain));
}

TEST_F(vring, device_refuses_a_length_of_zero)
{
	struct rig *r = &self->rig;

	make_avail(&r->ring, 0);
	put_desc(&r->ring, 0, GPA_BASE, 0, 0, 0);
	EXPECT_EQ(-EINVAL, vring_dev_pop(&r->dev, &r->chain));
	/* Even where no memory would be touched anyway. */
	put_desc(&r->ring, 0, 0, 0, 0, 0);
	EXPECT_EQ(-EINVAL, vring_dev_pop(&r->dev, &r->chain));
}

TEST_F(vring, device_refuses_an_indirect_descriptor)
{
	struct rig *r = &self->rig;

	make_avail(&r->ring, 0);
	put_desc(&r->ring, 0, GPA_BASE, 16, VRING_DESC_F_INDIRECT, 0);
	EXPECT_EQ(-EINVAL, vring_dev_pop(&r->dev, &r->chain));
}

TEST_F(long_vring, device_refuses_more_than_4_gib_in_a_chain)
{
	struct rig *r = &self->rig;
	struct vring_mem_region big = {
		.guest_addr = 0x100000000ull,
		.user_addr = 0x100000000ull,
		.size = 0x100000000ull,
		/* Never touched. */
		.host = r->host,
	};

	ASSERT_EQ(0, vring_mem_add(&r->mem, &big));
	make_avail(&r->ring, 0);
	put_desc(&r->ring, 0, 0x100000000ull, 0x80000000, VRING_DESC_F_NEXT, 1);
	put_desc(&r->ring, 1, 0x100000000ull, 0x80000001, 0, 0);
	EXPECT_EQ(-EINVAL, vring_dev_pop(&r->dev, &r->chain));
	put_desc(&r->ring, 1, 0x100000000ull, 0x80000000, 0, 0);
	EXPECT_EQ(0, vring_dev_pop(&r->dev, &r->chain));
}

TEST_F(vring, device_reports_a_small_iovec_and_can_go_on)
{
	struct rig *r = &self->rig;
	struct vring_buf buf = { .gpa = GPA_BASE, .len = 1 };

	ASSERT_EQ(0, vring_drv_add(&r->drv, &buf, 1, 0));
	r->chain.nr_iov = 0;
	r->chain.id = 4242;
	EXPECT_EQ(-ENOBUFS, vring_dev_pop(&r->dev, &r->chain));
	EXPECT_EQ(4242u, r->chain.id);
	r->chain.nr_iov = 1;
	EXPECT_EQ(0, vring_dev_pop(&r->dev, &r->chain));
	EXPECT_EQ(0u, r->chain.id);
}

TEST_F(vring, device_splits_a_buffer_that_crosses_regions)
{
	struct rig *r = &self->rig;
	struct vring_mem_region next = {
		.guest_addr = GPA_BASE + MEM_SIZE,
		.user_addr = UVA_BASE + MEM_SIZE,
		.size = 0x1000,
		.host = r->host,
	};
	struct vring_buf buf = { .gpa = GPA_BASE + MEM_SIZE - 1, .len = 3 };

	ASSERT_EQ(0, vring_mem_add(&r->mem, &next));
	ASSERT_EQ(0, vring_drv_add(&r->drv, &buf, 0, 1));
	ASSERT_EQ(0, vring_dev_pop(&r->dev, &r->chain));
	EXPECT_EQ(0u, r->chain.nr_out);
	ASSERT_EQ(2u, r->chain.nr_in);
	EXPECT_EQ(r->host + MEM_SIZE - 1, r->iov[0].iov_base);
	EXPECT_EQ(1u, r->iov[0].iov_len);
	EXPECT_EQ(r->host, r->iov[1].iov_base);
	EXPECT_EQ(2u, r->iov[1].iov_len);
}

/* There and back; what went wrong shows in what is asked next. */
static void carry_one(struct rig *r)
{
	const struct vring_buf buf = { .gpa = GPA_BASE + BUFS_OFFSET, .len = 1 };
	uint32_t written;

	vring_drv_add(&r->drv, &buf, 1, 0);
	if (!vring_dev_pop(&r->dev, &r->chain))
		give(&r->dev, r->chain.id, 0);
	vring_drv_get(&r->drv, &written);
}

TEST_F(vring, notifications_follow_the_other_sides_flag)
{
	struct rig *r = &self->rig;

	carry_one(r);
	EXPECT_TRUE(vring_dev_should_call(&r->dev));
	EXPECT_TRUE(vring_drv_should_kick(&r->drv));
	/* once for what was pushed and published, not again */
	EXPECT_FALSE(vring_dev_should_call(&r->dev));
	EXPECT_FALSE(vring_drv_should_kick(&r->drv));
	r->ring.avail->flags = htole16(VRING_AVAIL_F_NO_INTERRUPT);
	r->ring.used->flags = htole16(VRING_USED_F_NO_NOTIFY);
	carry_one(r);
	EXPECT_FALSE(vring_dev_should_call(&r->dev));
	EXPECT_FALSE(vring_drv_should_kick(&r->drv));
	/* The other bits are reserved. */
	r->ring.avail->flags = htole16(0xfffe);
	r->ring.used->flags = htole16(0xfffe);
	carry_one(r);
	EXPECT_TRUE(vring_dev_should_call(&r->dev));
	EXPECT_TRUE(vring_drv_should_kick(&r->drv));
}

TEST_F(vring, driver_refuses_bad_buffers)
{
	struct rig *r = &self->rig;
	struct vring_buf bufs[3] = {
		{ .gpa = GPA_BASE, .len = 1 },
		{ .gpa = GPA_BASE, .len = 0 },
	};

	EXPECT_EQ(-EINVAL, vring_drv_add(&r->drv, bufs, 0, 0));
	EXPECT_EQ(-EINVAL, vring_drv_add(&r->drv, bufs + 1, 1, 0));
	EXPECT_EQ(-ENOSPC, vring_drv_add(&r->drv, bufs, variant->num, 1));
	EXPECT_EQ(-ENOSPC, vring_drv_add(&r->drv, bufs, 1, variant->num));
	EXPECT_EQ(-ENOSPC, vring_drv_add(&r->drv, bufs, 1, UINT32_MAX));
	EXPECT_EQ(-ENOSPC, vring_drv_add(&r->drv, bufs, UINT32_MAX, 2));
	if (variant->num >= 2) {
		EXPECT_EQ(-EINVAL, vring_drv_add(&r->drv, bufs, 1, 1));
		bufs[0].len = 0x80000000;
		bufs[1].len = 0x80000001;
		EXPECT_EQ(-EINVAL, vring_drv_add(&r->drv, bufs, 1, 1));
		bufs[1].len = 0x80000000;
		EXPECT_EQ(0, vring_drv_add(&r->drv, bufs, 1, 1));
	} else {
		EXPECT_EQ(0, vring_drv_add(&r->drv, bufs, 1, 0));
	}
	EXPECT_EQ(1u, le16toh(r->ring.avail->idx));
}

TEST_F(vring, driver_refuses_a_hostile_used_ring)
{
	struct rig *r = &self->rig;
	struct vring_buf bufs[] = { { GPA_BASE, 1 }, { GPA_BASE, 1 } };
	unsigned int nr = variant->num > 1 ? 2 : 1;
	uint32_t written = 77;

	/* Nothing is in flight. */
	make_used(&r->ring, 0, 1);
	EXPECT_EQ(-EPROTO, vring_drv_get(&r->drv, &written));
	r->ring.used->idx = 0;
	ASSERT_EQ(0, vring_drv_add(&r->drv, bufs, nr, 0));

	make_used(&r->ring, variant->num, 1);
	EXPECT_EQ(-EPROTO, vring_drv_get(&r->drv, &written));
	r->ring.used->ring[0].id = htole32(UINT32_MAX);
	EXPECT_EQ(-EPROTO, vring_drv_get(&r->drv, &written));
	/* Right in its low 16 bits. */
	r->ring.used->ring[0].id = htole32(0x10000);
	EXPECT_EQ(-EPROTO, vring_drv_get(&r->drv, &written));
	/* The middle of a chain, or nobody's. */
	if (variant->num > 1) {
		r->ring.used->ring[0].id = htole32(1);
		EXPECT_EQ(-EPROTO, vring_drv_get(&r->drv, &written));
	}
	r->ring.used->ring[0].id = 0;
	r->ring.used->idx = htole16(2);
	EXPECT_EQ(-EPROTO, vring_drv_get(&r->drv, &written));
	r->ring.used->idx = htole16(65535);
	EXPECT_EQ(-EPROTO, vring_drv_get(&r->drv, &written));
	EXPECT_EQ(77u, written);

	r->ring.used->idx = htole16(1);
	EXPECT_EQ(0, vring_drv_get(&r->drv, &written));
	EXPECT_EQ(1u, written);
	/* The same one twice. */
	make_used(&r->ring, 0, 1);
	EXPECT_EQ(-EPROTO, vring_drv_get(&r->drv, &written));
	EXPECT_EQ(variant->num, r->drv.nr_free);
}

TEST_F(long_vring, driver_refuses_a_chain_given_back_twice)
{
	struct rig *r = &self->rig;
	struct vring_buf buf = { GPA_BASE, 1 };
	uint32_t written;

	ASSERT_EQ(0, vring_drv_add(&r->drv, &buf, 1, 0));
	ASSERT_EQ(1, vring_drv_add(&r->drv, &buf, 1, 0));
	make_used(&r->ring, 0, 0);
	make_used(&r->ring, 0, 0);
	EXPECT_EQ(0, vring_drv_get(&r->drv, &written));
	EXPECT_EQ(-EPROTO, vring_drv_get(&r->drv, &written));
	EXPECT_EQ(variant->num - 1, r->drv.nr_free);
}

TEST_F(long_vring, driver_keeps_its_free_list_when_the_device_rewrites_descriptors)
{
	struct rig *r = &self->rig;
	struct vring_buf bufs[] = { { GPA_BASE, 1 }, { GPA_BASE, 1 } };
	uint32_t written;

	ASSERT_EQ(0, vring_drv_add(&r->drv, bufs, 2, 0));
	memset(r->ring.desc, 0xff, vring_desc_size(variant->num));
	make_used(&r->ring, 0, 0);
	ASSERT_EQ(0, vring_drv_get(&r->drv, &written));
	for (unsigned int i = 0; i < variant->num; i++)
		ASSERT_LE(0, vring_drv_add(&r->drv, bufs, 1, 0));
	EXPECT_EQ(-ENOSPC, vring_drv_add(&r->drv, bufs, 1, 0));
	for (unsigned int i = 0; i < variant->num; i++)
		ASSERT_EQ(1u, r->slots[i].nr);
}

/*
 * Both sides against a model: what went in comes out, in order towards the
 * device and in whatever order the device chose towards the driver, and no
 * descriptor is ever lost or used twice.
 *
 *   driver add --> avail fifo --> device pop --> held --> push --> used fifo --> get
 */
#define MODEL_NUM 64u
#define MODEL_CHAIN_MAX 6u
#define MODEL_REGION 0x1000ull
#define MODEL_REGIONS 4u
#define MODEL_STEPS 4000000u

struct model_chain {
	struct vring_buf bufs[MODEL_CHAIN_MAX];
	unsigned int nr_out;
	unsigned int nr_in;
	uint32_t written;
};

struct model {
	struct model_chain chains[MODEL_NUM]; /* by head */
	uint16_t avail[MODEL_NUM];
	uint16_t held[MODEL_NUM];
	uint16_t used[MODEL_NUM];
	unsigned int nr_avail, nr_held, nr_used;
	unsigned int nr_desc; /* in all three */
	uint64_t rng;
	uint64_t adds, full, gets;
};

/* splitmix64, so that a printed seed replays the run on every machine. */
static uint64_t draw(struct model *m)
{
	uint64_t z = m->rng += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

static uint16_t fifo_take(uint16_t *fifo, unsigned int *nr, unsigned int at)
{
	uint16_t head = fifo[at];

	(*nr)--;
	memmove(fifo + at, fifo + at + 1, (*nr - at) * sizeof(*fifo));
	return head;
}

FIXTURE(both_sides)
{
	struct vring_mem mem;
	struct vring_layout ring;
	struct vring_dev dev;
	struct vring_drv drv;
	struct vring_drv_slot slots[MODEL_NUM];
	struct model model;
	uint8_t *host;
};

FIXTURE_SETUP(both_sides)
{
	const char *seed = getenv("VRING_TEST_SEED");

	memset(self, 0, sizeof(*self));
	self->host = map_memory(MEM_SIZE);
	ASSERT_NE(NULL, self->host);
	/* Adjoining in the guest, in reverse order and apart here. */
	for (unsigned int i = 0; i < MODEL_REGIONS; i++) {
		struct vring_mem_region r = {
			.guest_addr = GPA_BASE + i * MODEL_REGION,
			.user_addr = UVA_BASE + 2 * MEM_SIZE + 2 * i * MODEL_REGION,
			.size = MODEL_REGION,
			.host = self->host + BUFS_OFFSET + 2 * (MODEL_REGIONS - i) * MODEL_REGION,
		};

		ASSERT_EQ(0, vring_mem_add(&self->mem, &r));
	}
	ASSERT_EQ(0, vring_mem_add(&self->mem,
				   &(struct vring_mem_region){ .guest_addr = 0x100000000ull,
							       .user_addr = UVA_BASE,
							       .size = BUFS_OFFSET,
							       .host = self->host }));
	ASSERT_EQ(0, resolve_split(&self->ring, &self->mem, MODEL_NUM, UVA_BASE + DESC_OFFSET,
				   UVA_BASE + AVAIL_OFFSET, UVA_BASE + USED_OFFSET));
	start_drv(&self->drv, &self->ring, self->slots);
	start_dev(&self->dev, &self->ring, &self->mem, 0);

	if (seed)
		self->model.rng = strtoull(seed, NULL, 0);
	else
		ASSERT_EQ((ssize_t)sizeof(self->model.rng),
			  getrandom(&self->model.rng, sizeof(self->model.rng), 0));
}

FIXTURE_TEARDOWN(both_sides)
{
	munmap(self->host, MEM_SIZE);
}

static void model_draw_chain(struct model *m, struct model_chain *c)
{
	unsigned int nr = 1 + draw(m) % MODEL_CHAIN_MAX;
	uint64_t size = MODEL_REGION * MODEL_REGIONS;

	*c = (struct model_chain){ .nr_out = draw(m) % (nr + 1) };
	c->nr_in = nr - c->nr_out;
	for (unsigned int i = 0; i < nr; i++) {
		uint64_t start = draw(m) % size;

		c->bufs[i].gpa = GPA_BASE + start;
		c->bufs[i].len = 1 + draw(m) % (size - start);
	}
}

static bool step_add(struct vring_drv *drv, struct model *m)
{
	struct model_chain c;
	unsigned int nr;
	int head;

	model_draw_chain(m, &c);
	nr = c.nr_out + c.nr_in;
	head = vring_drv_add(drv, c.bufs, c.nr_out, c.nr_in);
	if (nr > MODEL_NUM - m->nr_desc) {
		m->full++;
		return head == -ENOSPC;
	}
	if (head < 0 || head >= (int)MODEL_NUM)
		return false;
	/* Nobody else's head. */
	if (m->chains[head].nr_out + m->chains[head].nr_in)
		return false;
	m->chains[head] = c;
	m->avail[m->nr_avail++] = head;
	m->nr_desc += nr;
	m->adds++;
	return true;
}

/* Eats *iov up as the model's buffers, cut at each region, say it must be. */
static bool pieces_match(const uint8_t *host, const struct vring_buf *bufs, unsigned int nr,
			 const struct iovec *iov, unsigned int nr_iov)
{
	unsigned int piece = 0;

	for (unsigned int i = 0; i < nr; i++) {
		uint64_t at = bufs[i].gpa - GPA_BASE;
		uint64_t end = at + bufs[i].len;

		while (at < end) {
			uint64_t region = at / MODEL_REGION;
			uint64_t cut = (region + 1) * MODEL_REGION;
			const uint8_t *want = host + BUFS_OFFSET +
					      2 * (MODEL_REGIONS - region) * MODEL_REGION +
					      at % MODEL_REGION;

			if (cut > end)
				cut = end;
			if (piece == nr_iov || iov[piece].iov_base != want ||
			    iov[piece].iov_len != cut - at)
				return false;
			piece++;
			at = cut;
		}
	}
	return piece == nr_iov;
}

static bool step_pop(struct vring_dev *dev, struct model *m, const uint8_t *host)
{
	struct iovec iov[MODEL_CHAIN_MAX * MODEL_REGIONS];
	struct vring_chain chain = { .iov = iov, .nr_iov = ARRAY_SIZE(iov) };
	const struct model_chain *c;
	int ret = vring_dev_pop(dev, &chain);

	if (!m->nr_avail)
		return ret == -EAGAIN && vring_dev_empty(dev);
	if (ret || chain.id != m->avail[0])
		return false;
	c = &m->chains[chain.id];
	m->held[m->nr_held++] = fifo_take(m->avail, &m->nr_avail, 0);
	return pieces_match(host, c->bufs, c->nr_out, iov, chain.nr_out) &&
	       pieces_match(host, c->bufs + c->nr_out, c->nr_in, iov + chain.nr_out, chain.nr_in);
}

static void step_push(struct vring_dev *dev, struct model *m)
{
	uint16_t head;

	if (!m->nr_held)
		return;
	head = fifo_take(m->held, &m->nr_held, draw(m) % m->nr_held);
	m->chains[head].written = draw(m);
	give(dev, head, m->chains[head].written);
	m->used[m->nr_used++] = head;
}

static bool step_get(struct vring_drv *drv, struct model *m)
{
	struct model_chain *c;
	uint32_t written;
	int head = vring_drv_get(drv, &written);

	if (!m->nr_used)
		return head == -EAGAIN;
	if (head != m->used[0])
		return false;
	c = &m->chains[fifo_take(m->used, &m->nr_used, 0)];
	m->nr_desc -= c->nr_out + c->nr_in;
	m->gets++;
	if (written != c->written)
		return false;
	*c = (struct model_chain){ 0 };
	return true;
}

TEST_F(both_sides, agree_with_a_model_over_a_million_random_steps)
{
	struct model *m = &self->model;
	uint64_t seed = m->rng;
	unsigned int i;
	bool good = true;

	TH_LOG("VRING_TEST_SEED=0x%llx replays this run", (unsigned long long)seed);
	for (i = 0; good && i < MODEL_STEPS; i++) {
		/* The bias drifts, so that the ring is at times full, at times empty. */
		unsigned int bias = (i >> 12) & 1;

		switch (draw(m) % 8) {
		case 0:
		case 1:
			good = step_add(&self->drv, m);
			break;
		case 2:
		case 3:
			good = step_pop(&self->dev, m, self->host);
			break;
		case 4:
			step_push(&self->dev, m);
			break;
		case 5:
			good = step_get(&self->drv, m);
			break;
		default:
			if (bias)
				good = step_add(&self->drv, m);
			else
				step_push(&self->dev, m);
			if (!bias && good)
				good = step_get(&self->drv, m);
			break;
		}
		if (self->drv.nr_free != MODEL_NUM - m->nr_desc)
			good = false;
	}
	ASSERT_TRUE(good) TH_LOG("at step %u", i);
	EXPECT_LT(0u, m->full);
	/* Each of these is an add, a pop, a push and a get. */
	EXPECT_LT(250000u, m->gets);
	EXPECT_EQ(m->adds, m->gets + m->nr_avail + m->nr_held + m->nr_used);
}

/*
 * Two threads and no system call between them: the barriers alone keep the
 * contents right.
 */
#define PAIR_NUM 256u
#define PAIR_CHAINS 100000u
#define PAIR_WORDS 16u

struct pair {
	struct vring_mem mem;
	struct vring_layout ring;
	uint8_t *host;
	uint64_t bad; /* the device thread's findings */
	uint32_t stop;
};

static void spin(unsigned int *turns)
{
	/* One CPU may have to serve both. */
	if (++*turns % 64 == 0)
		sched_yield();
}

/* Word w of chain number seq, in the driver's buffer; the answer is its inverse. */
static uint64_t pair_word(uint64_t seq, unsigned int w)
{
	return (seq + 1) * 0x9e3779b97f4a7c15ull + w;
}

static void *pair_device(void *arg)
{
	struct pair *p = arg;
	struct iovec iov[2];
	struct vring_chain chain = { .iov = iov, .nr_iov = 2 };
	struct vring_dev dev;
	unsigned int turns = 0;

	start_dev(&dev, &p->ring, &p->mem, 0);
	for (uint64_t seq = 0; seq < PAIR_CHAINS;) {
		const uint64_t *out;
		uint64_t *in;
		int ret = vring_dev_pop(&dev, &chain);

		if (__atomic_load_n(&p->stop, __ATOMIC_RELAXED))
			break;
		if (ret == -EAGAIN) {
			spin(&turns);
			continue;
		}
		if (ret || chain.nr_out != 1 || chain.nr_in != 1) {
			p->bad++;
			break;
		}
		out = iov[0].iov_base;
		in = iov[1].iov_base;
		for (unsigned int w = 0; w < PAIR_WORDS; w++) {
			p->bad += out[w] != pair_word(seq, w);
			in[w] = ~out[w];
		}
		give(&dev, chain.id, seq++);
	}
	return NULL;
}

/* Returns the seq that came back, with its contents checked, or a negative errno. */
static int64_t pair_collect(struct vring_drv *drv, const uint64_t *slots, const uint32_t *seq_of,
			    uint64_t *bad)
{
	uint32_t written;
	int head = vring_drv_get(drv, &written);

	if (head < 0)
		return head;
	*bad += written != seq_of[head];
	for (unsigned int w = 0; w < PAIR_WORDS; w++)
		*bad += slots[(2 * head + 1) * PAIR_WORDS + w] != ~pair_word(seq_of[head], w);
	return written;
}

static uint64_t pair_drive(struct pair *p, struct vring_drv *drv)
{
	uint64_t *slots = (uint64_t *)(p->host + BUFS_OFFSET);
	const uint64_t slot_gpa = GPA_BASE + BUFS_OFFSET;
	const unsigned int bytes = PAIR_WORDS * sizeof(*slots);
	static uint32_t seq_of[PAIR_NUM];
	unsigned int turns = 0;
	uint64_t bad = 0, seq = 0, back = 0;

	while (back < PAIR_CHAINS && !bad) {
		int64_t ret;

		while (seq < PAIR_CHAINS && drv->nr_free >= 2) {
			/* The head is the next free one: its slot is free too. */
			unsigned int head = drv->free_head;
			struct vring_buf bufs[] = {
				{ slot_gpa + 2ull * head * bytes, bytes },
				{ slot_gpa + (2ull * head + 1) * bytes, bytes },
			};

			for (unsigned int w = 0; w < PAIR_WORDS; w++)
				slots[2 * head * PAIR_WORDS + w] = pair_word(seq, w);
			seq_of[head] = seq++;
			bad += vring_drv_add(drv, bufs, 1, 1) != (int)head;
		}
		ret = pair_collect(drv, slots, seq_of, &bad);
		if (ret == -EAGAIN)
			spin(&turns);
		else
			bad += ret != (int64_t)back++;
	}
	return bad;
}

TEST(two_threads_exchange_contents_intact)
{
	struct vring_drv_slot slots[PAIR_NUM];
	struct pair p = { .host = map_memory(MEM_SIZE) };
	struct vring_mem_region region = {
		.guest_addr = GPA_BASE,
		.user_addr = UVA_BASE,
		.size = MEM_SIZE,
		.host = p.host,
	};
	struct vring_drv drv;
	pthread_t thread;
	uint64_t bad;

	ASSERT_NE(NULL, p.host);
	ASSERT_EQ(0, vring_mem_add(&p.mem, &region));
	ASSERT_EQ(0, resolve_split(&p.ring, &p.mem, PAIR_NUM, UVA_BASE + DESC_OFFSET,
				   UVA_BASE + AVAIL_OFFSET, UVA_BASE + USED_OFFSET));
	start_drv(&drv, &p.ring, slots);
	ASSERT_EQ(0, pthread_create(&thread, NULL, pair_device, &p));
	bad = pair_drive(&p, &drv);
	__atomic_store_n(&p.stop, bad != 0, __ATOMIC_RELAXED);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(0u, bad);
	EXPECT_EQ(0u, p.bad);
	EXPECT_EQ(PAIR_NUM, drv.nr_free);
	munmap(p.host, MEM_SIZE);
}

TEST_HARNESS_MAIN
