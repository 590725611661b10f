// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory tables, the places of virtqueues in them, and IOTLBs: what is found, what is
 * refused and with which errno.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <vringlab/vring.h>

#include "kselftest_harness.h"

#define GPA_BASE 0x40000000ull
#define UVA_BASE 0x7f0000000000ull

static int resolve(struct vring_layout *layout, const struct vring_mem *mem, unsigned int num,
		   uint64_t desc, uint64_t avail, uint64_t used)
{
	const struct vring_addrs addrs = { desc, avail, used };
	struct vring_mem_miss miss;

	return vring_layout_resolve(layout, mem, false, num, &addrs, &miss);
}

static int resolve_packed(struct vring_layout *layout, const struct vring_mem *mem,
			  unsigned int num, uint64_t ring, uint64_t driver, uint64_t device)
{
	const struct vring_addrs addrs = { ring, driver, device };
	struct vring_mem_miss miss;

	return vring_layout_resolve(layout, mem, true, num, &addrs, &miss);
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

TEST_F(mem, refuses_more_regions_than_fit)
{
	struct vring_mem_region r = { .size = 0x1000, .host = self->host };

	for (unsigned int i = 1; i < VRING_MEM_REGIONS_MAX; i++) {
		r.guest_addr = 0x10000 * i;
		r.user_addr = r.guest_addr;
		ASSERT_EQ(0, vring_mem_add(&self->mem, &r));
	}
	r.guest_addr = 0x10000 * VRING_MEM_REGIONS_MAX;
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

	EXPECT_EQ(-EINVAL, resolve(&l, &self->mem, 0, desc, avail, used));
	EXPECT_EQ(-EINVAL, resolve(&l, &self->mem, 3, desc, avail, used));
	EXPECT_EQ(-EINVAL, resolve(&l, &self->mem, 255, desc, avail, used));
	EXPECT_EQ(-EINVAL, resolve(&l, &self->mem, 65536, desc, avail, used));
	EXPECT_EQ(-EINVAL, resolve(&l, &self->mem, 1u << 31, desc, avail, used));
	EXPECT_EQ(-EINVAL, resolve(&l, &self->mem, 4, desc + 8, avail, used));
	EXPECT_EQ(-EINVAL, resolve(&l, &self->mem, 4, desc, avail + 1, used));
	EXPECT_EQ(-EINVAL, resolve(&l, &self->mem, 4, desc, avail, used + 2));
	EXPECT_EQ(-EFAULT, resolve(&l, &self->mem, 4, desc - 16, avail, used));
	EXPECT_EQ(-EFAULT, resolve(&l, &self->mem, 4, desc, 0, used));
	EXPECT_EQ(-EFAULT, resolve(&l, &self->mem, 4, desc, avail, -4ull));
	EXPECT_EQ(-EFAULT, resolve(&l, &self->mem, 32768, desc, avail, used));
	EXPECT_EQ(77u, l.num);

	ASSERT_EQ(0, resolve(&l, &self->mem, 4, desc, avail, used));
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
	EXPECT_EQ(0, resolve(&l, &self->mem, 4, UVA_BASE, end - 14, UVA_BASE + 0x1000));
	EXPECT_EQ(-EFAULT, resolve(&l, &self->mem, 4, UVA_BASE, end - 12, UVA_BASE + 0x1000));
	EXPECT_EQ(0, resolve(&l, &self->mem, 4, UVA_BASE, UVA_BASE + 0x1000, end - 40));
	EXPECT_EQ(-EFAULT, resolve(&l, &self->mem, 4, UVA_BASE, UVA_BASE + 0x1000, end - 36));
	EXPECT_EQ(0, resolve(&l, &self->mem, 4, end - 64, UVA_BASE, UVA_BASE + 0x1000));
	EXPECT_EQ(-EFAULT, resolve(&l, &self->mem, 4, end - 48, UVA_BASE, UVA_BASE + 0x1000));
}

TEST_F(mem, layout_refuses_parts_that_overlap)
{
	const uint64_t at = UVA_BASE + 0x1000;
	struct vring_layout l = { .num = 77 };

	/* of 4 entries: 64, 14 and 38 bytes */
	EXPECT_EQ(-EEXIST, resolve(&l, &self->mem, 4, at, at, at + 0x100));
	EXPECT_EQ(-EEXIST, resolve(&l, &self->mem, 4, at, at + 62, at + 0x100));
	EXPECT_EQ(-EEXIST, resolve(&l, &self->mem, 4, at, at - 12, at + 0x100));
	EXPECT_EQ(-EEXIST, resolve(&l, &self->mem, 4, at, at + 0x100, at + 60));
	EXPECT_EQ(-EEXIST, resolve(&l, &self->mem, 4, at, at + 0x100, at - 36));
	EXPECT_EQ(-EEXIST, resolve(&l, &self->mem, 4, at, at + 0x100, at + 0x10c));
	EXPECT_EQ(-EEXIST, resolve(&l, &self->mem, 4, at, at + 0x100, at + 0xdc));
	EXPECT_EQ(77u, l.num);
	EXPECT_EQ(0, resolve(&l, &self->mem, 4, at, at + 64, at + 80));
	EXPECT_EQ(0, resolve(&l, &self->mem, 4, at, at - 14, at + 64));
	EXPECT_EQ(0, resolve(&l, &self->mem, 4, at, at + 0x100, at - 40));
	EXPECT_EQ(-EEXIST, resolve_packed(&l, &self->mem, 4, at, at + 0x100, at + 0x100));
	EXPECT_EQ(-EEXIST, resolve_packed(&l, &self->mem, 4, at, at + 60, at + 0x100));
	EXPECT_EQ(-EEXIST, resolve_packed(&l, &self->mem, 4, at, at + 0x100, at + 60));
	EXPECT_EQ(0, resolve_packed(&l, &self->mem, 4, at, at + 64, at + 68));
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
	EXPECT_EQ(-EINVAL, resolve(&l, &self->mem, 4, 0x100010, UVA_BASE, UVA_BASE + 0x1000));
	EXPECT_EQ(-EINVAL, resolve(&l, &self->mem, 4, UVA_BASE, 0x100010, UVA_BASE + 0x1000));
	EXPECT_EQ(-EINVAL, resolve(&l, &self->mem, 4, UVA_BASE, UVA_BASE + 0x1000, 0x100010));
}

TEST_F(mem, layout_of_a_packed_ring)
{
	const uint64_t end = UVA_BASE + 0x3000;
	struct vring_layout l = { .num = 77 };

	EXPECT_EQ(-EINVAL, resolve_packed(&l, &self->mem, 0, UVA_BASE, end - 4, end - 8));
	EXPECT_EQ(-EINVAL, resolve_packed(&l, &self->mem, 32769, UVA_BASE, end - 4, end - 8));
	EXPECT_EQ(-EINVAL, resolve_packed(&l, &self->mem, 3, UVA_BASE + 8, end - 4, end - 8));
	EXPECT_EQ(-EINVAL, resolve_packed(&l, &self->mem, 3, UVA_BASE, end - 6, end - 8));
	EXPECT_EQ(-EINVAL, resolve_packed(&l, &self->mem, 3, UVA_BASE, end - 4, end - 6));
	EXPECT_EQ(-EFAULT, resolve_packed(&l, &self->mem, 3, UVA_BASE, end, end - 8));
	EXPECT_EQ(-EFAULT, resolve_packed(&l, &self->mem, 3, UVA_BASE, end - 4, end));
	EXPECT_EQ(-EFAULT, resolve_packed(&l, &self->mem, 3, end - 32, end - 4, end - 8));
	EXPECT_EQ(77u, l.num);

	/* VIRTIO 1.2, 2.8.10.1: "not necessarily a power of 2" */
	ASSERT_EQ(0, resolve_packed(&l, &self->mem, 3, end - 48, UVA_BASE + 4, UVA_BASE));
	EXPECT_EQ(3u, l.num);
	EXPECT_TRUE(l.packed);
	EXPECT_EQ((void *)(self->host + 0x3000 - 48), (void *)l.ring);
	EXPECT_EQ((void *)(self->host + 4), (void *)l.driver);
	EXPECT_EQ((void *)self->host, (void *)l.device);
}

TEST_F(mem, a_layout_of_our_own_is_aligned_and_fits)
{
	for (unsigned int num = 1; num <= 1024; num++) {
		for (int packed = 0; packed < 2; packed++) {
			struct vring_layout l = vring_layout_host(num, packed, self->host);
			uint64_t bytes = vring_layout_bytes(num, packed);
			uint8_t *last = packed ? (uint8_t *)(l.device + 1) :
						 (uint8_t *)&l.used->ring[num] + 2;

			ASSERT_EQ(0u, (uintptr_t)l.desc % 16);
			ASSERT_EQ(0u, (uintptr_t)l.avail % (packed ? 4 : 2));
			ASSERT_EQ(0u, (uintptr_t)l.used % 4);
			ASSERT_EQ((void *)(self->host + bytes), (void *)last);
		}
	}
}

/* Region i of a table that was filled in an order that is not that of addresses. */
static struct vring_mem_region scattered(uint8_t *host, unsigned int i)
{
	return (struct vring_mem_region){
		.guest_addr = GPA_BASE + i * 0x2000ull,
		.user_addr = UVA_BASE + (1000 - i) * 0x2000ull,
		.size = 0x1000,
		.host = host + i,
	};
}

TEST_F(mem, finds_each_of_many_regions_and_none_beside_them)
{
	struct vring_mem_region r;

	memset(&self->mem, 0, sizeof(self->mem));
	for (unsigned int i = 0; i < VRING_MEM_REGIONS_MAX; i++) {
		/* 509 is a prime: each comes once */
		r = scattered(self->host, i * 200 % VRING_MEM_REGIONS_MAX);
		ASSERT_EQ(0, vring_mem_add(&self->mem, &r));
	}
	for (unsigned int i = 0; i < VRING_MEM_REGIONS_MAX; i++) {
		r = scattered(self->host, i);
		EXPECT_EQ(r.host, vring_mem_gpa(&self->mem, r.guest_addr, 1));
		EXPECT_EQ(r.host, vring_mem_gpa(&self->mem, r.guest_addr, 0x1000));
		EXPECT_EQ(NULL, vring_mem_gpa(&self->mem, r.guest_addr - 1, 1));
		EXPECT_EQ(NULL, vring_mem_gpa(&self->mem, r.guest_addr + 0x1000, 1));
		EXPECT_EQ(r.host, vring_mem_uva(&self->mem, r.user_addr, 0x1000));
		EXPECT_EQ(NULL, vring_mem_uva(&self->mem, r.user_addr + 0x1000, 1));
	}
}

TEST_F(mem, removes_a_region_by_all_it_is_known_by)
{
	struct vring_mem_region r;

	memset(&self->mem, 0, sizeof(self->mem));
	EXPECT_EQ(-ENOENT, vring_mem_remove(&self->mem, GPA_BASE, UVA_BASE, 0x1000));
	for (unsigned int i = 0; i < 3; i++) {
		r = scattered(self->host, i);
		ASSERT_EQ(0, vring_mem_add(&self->mem, &r));
	}
	r = scattered(self->host, 1);
	EXPECT_EQ(-ENOENT, vring_mem_remove(&self->mem, r.guest_addr, r.user_addr, 0x2000));
	EXPECT_EQ(-ENOENT, vring_mem_remove(&self->mem, r.guest_addr, r.user_addr + 1, 0x1000));
	EXPECT_EQ(-ENOENT, vring_mem_remove(&self->mem, r.guest_addr + 1, r.user_addr, 0x1000));
	EXPECT_EQ(3u, self->mem.nr);
	EXPECT_EQ(0, vring_mem_remove(&self->mem, r.guest_addr, r.user_addr, 0x1000));
	EXPECT_EQ(2u, self->mem.nr);
	EXPECT_EQ(NULL, vring_mem_gpa(&self->mem, r.guest_addr, 1));
	EXPECT_EQ(-ENOENT, vring_mem_remove(&self->mem, r.guest_addr, r.user_addr, 0x1000));
	r = scattered(self->host, 2);
	EXPECT_EQ(r.host, vring_mem_gpa(&self->mem, r.guest_addr, 1));
	EXPECT_EQ(0, vring_mem_add(&self->mem, &(struct vring_mem_region){
						       .guest_addr = GPA_BASE + 0x2000,
						       .user_addr = UVA_BASE,
						       .size = 0x1000,
						       .host = self->host + 7,
					       }));
	EXPECT_EQ(self->host + 7, vring_mem_gpa(&self->mem, GPA_BASE + 0x2000, 1));
}

TEST_F(mem, knows_the_guest_address_of_a_host_address)
{
	uint64_t gpa = 77;

	EXPECT_EQ(-EFAULT, vring_mem_host_gpa(&self->mem, self->host - 1, &gpa));
	EXPECT_EQ(-EFAULT, vring_mem_host_gpa(&self->mem, self->host + 0x3000, &gpa));
	EXPECT_EQ(77u, gpa);
	EXPECT_EQ(0, vring_mem_host_gpa(&self->mem, self->host, &gpa));
	EXPECT_EQ(GPA_BASE, gpa);
	EXPECT_EQ(0, vring_mem_host_gpa(&self->mem, self->host + 0x2fff, &gpa));
	EXPECT_EQ(GPA_BASE + 0x2fff, gpa);
}

FIXTURE(iotlb)
{
	struct vring_iotlb *iotlb;
};

FIXTURE_SETUP(iotlb)
{
	ASSERT_EQ(0, vring_iotlb_create(&self->iotlb, 4));
}

FIXTURE_TEARDOWN(iotlb)
{
	vring_iotlb_destroy(self->iotlb);
}

#define RO VRING_MEM_READ
#define WO VRING_MEM_WRITE
#define RW (VRING_MEM_READ | VRING_MEM_WRITE)

/* Where an address goes; 0 if nowhere. */
static uint64_t to(const struct vring_iotlb *iotlb, uint64_t iova, unsigned int access)
{
	uint64_t len = 1, uva;

	return vring_iotlb_translate(iotlb, iova, &len, access, &uva) ? 0 : uva;
}

TEST_F(iotlb, translates_what_it_was_told_and_nothing_else)
{
	uint64_t len = 0x2000, uva = 0;

	EXPECT_EQ(0u, to(self->iotlb, 0x1000, RO));
	ASSERT_EQ(0, vring_iotlb_update(self->iotlb, 0x1000, 0x1000, 0x50000, RW));
	EXPECT_EQ(0u, to(self->iotlb, 0xfff, RO));
	EXPECT_EQ(0x50000u, to(self->iotlb, 0x1000, RO));
	EXPECT_EQ(0x50fffu, to(self->iotlb, 0x1fff, WO));
	EXPECT_EQ(0u, to(self->iotlb, 0x2000, RO));
	/* as far as it goes */
	EXPECT_EQ(0, vring_iotlb_translate(self->iotlb, 0x1800, &len, RW, &uva));
	EXPECT_EQ(0x800u, len);
	EXPECT_EQ(0x50800u, uva);
}

TEST_F(iotlb, grants_no_access_that_was_not_given)
{
	ASSERT_EQ(0, vring_iotlb_update(self->iotlb, 0x1000, 0x1000, 0x50000, RO));
	EXPECT_EQ(0x50000u, to(self->iotlb, 0x1000, RO));
	EXPECT_EQ(0u, to(self->iotlb, 0x1000, WO));
	EXPECT_EQ(0u, to(self->iotlb, 0x1000, RW));
}

TEST_F(iotlb, refuses_what_is_no_range)
{
	struct vring_iotlb *none = NULL;

	EXPECT_EQ(-EINVAL, vring_iotlb_update(self->iotlb, 0x1000, 0, 0x50000, RW));
	EXPECT_EQ(-EINVAL, vring_iotlb_update(self->iotlb, 0x1000, 0x1000, 0x50000, 0));
	EXPECT_EQ(-EINVAL, vring_iotlb_update(self->iotlb, 0x1000, 0x1000, 0x50000, 7));
	EXPECT_EQ(-EINVAL, vring_iotlb_update(self->iotlb, 0x1000, 0x1000, -0xfffull, RW));
	EXPECT_EQ(-EINVAL, vring_iotlb_update(self->iotlb, -0xfffull, 0x1000, 0x50000, RW));
	EXPECT_EQ(-EINVAL, vring_iotlb_update(self->iotlb, 0x1000, UINT64_MAX, 0x50000, RW));
	EXPECT_EQ(-EINVAL, vring_iotlb_invalidate(self->iotlb, 0x1000, 0));
	EXPECT_EQ(-EINVAL, vring_iotlb_invalidate(self->iotlb, -0xfffull, 0x1000));
	EXPECT_EQ(-EINVAL, vring_iotlb_create(&none, 0));
	EXPECT_EQ(NULL, none);
	/* up to the last byte there is */
	EXPECT_EQ(0, vring_iotlb_update(self->iotlb, -0x1000ull, 0x1000, -0x1000ull, RW));
	EXPECT_EQ(UINT64_MAX, to(self->iotlb, UINT64_MAX, RW));
	/* all there is, as far as a size can say it */
	EXPECT_EQ(0, vring_iotlb_invalidate(self->iotlb, 0, UINT64_MAX));
	EXPECT_EQ(0u, to(self->iotlb, -0x1000ull, RO));
}

TEST_F(iotlb, a_new_translation_replaces_what_it_overlaps)
{
	for (unsigned int i = 0; i < 4; i++)
		ASSERT_EQ(0, vring_iotlb_update(self->iotlb, i * 0x1000, 0x1000,
						0x50000 + i * 0x1000, RW));
	ASSERT_EQ(0, vring_iotlb_update(self->iotlb, 0x1800, 0x1000, 0x90000, RO));
	EXPECT_EQ(0x50000u, to(self->iotlb, 0, RW));
	EXPECT_EQ(0u, to(self->iotlb, 0x1000, RO));
	EXPECT_EQ(0x90000u, to(self->iotlb, 0x1800, RO));
	EXPECT_EQ(0x90fffu, to(self->iotlb, 0x27ff, RO));
	EXPECT_EQ(0u, to(self->iotlb, 0x2800, RO));
	EXPECT_EQ(0x53000u, to(self->iotlb, 0x3000, RW));
}

TEST_F(iotlb, forgets_what_overlaps_whole)
{
	for (unsigned int i = 0; i < 4; i++)
		ASSERT_EQ(0, vring_iotlb_update(self->iotlb, i * 0x1000, 0x1000,
						0x50000 + i * 0x1000, RW));
	ASSERT_EQ(0, vring_iotlb_invalidate(self->iotlb, 0x1fff, 2));
	EXPECT_EQ(0x50000u, to(self->iotlb, 0, RW));
	EXPECT_EQ(0u, to(self->iotlb, 0x1000, RW));
	EXPECT_EQ(0u, to(self->iotlb, 0x2fff, RW));
	EXPECT_EQ(0x53000u, to(self->iotlb, 0x3000, RW));
}

TEST_F(iotlb, pushes_the_oldest_out_when_it_is_full)
{
	for (unsigned int i = 0; i < 5; i++)
		ASSERT_EQ(0, vring_iotlb_update(self->iotlb, (4 - i) * 0x1000, 0x1000,
						0x50000 + i * 0x1000, RW));
	EXPECT_EQ(0u, to(self->iotlb, 0x4000, RW));
	for (unsigned int i = 1; i < 5; i++)
		EXPECT_EQ(0x50000u + i * 0x1000, to(self->iotlb, (4 - i) * 0x1000, RW));
}

TEST_F(mem, an_iotlb_is_asked_first_and_its_pieces_are_joined)
{
	struct vring_mem_miss miss = { 0 };
	struct iovec iov[4];

	ASSERT_EQ(0, vring_iotlb_create(&self->mem.iotlb, 8));
	/* guest physical addresses mean nothing now */
	EXPECT_EQ(-EINPROGRESS, vring_mem_iov(&self->mem, GPA_BASE, 1, RO, iov, 4, &miss));
	EXPECT_EQ(GPA_BASE, miss.iova);
	EXPECT_EQ(RO, miss.access);
	/* two pages that adjoin here, one that does not, one outside of the table */
	ASSERT_EQ(0, vring_iotlb_update(self->mem.iotlb, 0x1000, 0x1000, UVA_BASE + 0x1000, RW));
	ASSERT_EQ(0, vring_iotlb_update(self->mem.iotlb, 0x2000, 0x1000, UVA_BASE + 0x2000, RO));
	ASSERT_EQ(0, vring_iotlb_update(self->mem.iotlb, 0x3000, 0x1000, UVA_BASE, RW));
	ASSERT_EQ(0, vring_iotlb_update(self->mem.iotlb, 0x4000, 0x1000, UVA_BASE + 0x3000, RW));
	ASSERT_EQ(2, vring_mem_iov(&self->mem, 0x1800, 0x2000, RO, iov, 4, &miss));
	EXPECT_EQ(self->host + 0x1800, iov[0].iov_base);
	EXPECT_EQ(0x1800u, iov[0].iov_len);
	EXPECT_EQ(self->host, iov[1].iov_base);
	EXPECT_EQ(0x800u, iov[1].iov_len);
	EXPECT_EQ(-ENOBUFS, vring_mem_iov(&self->mem, 0x1800, 0x2000, RO, iov, 1, &miss));
	EXPECT_EQ(-EINPROGRESS, vring_mem_iov(&self->mem, 0x1800, 0x1000, WO, iov, 4, &miss));
	EXPECT_EQ(0x2000u, miss.iova);
	EXPECT_EQ(WO, miss.access);
	EXPECT_EQ(-EFAULT, vring_mem_iov(&self->mem, 0x4000, 1, RO, iov, 4, &miss));
	EXPECT_EQ(-EINPROGRESS, vring_mem_iov(&self->mem, 0x5000, 1, RO, iov, 4, &miss));
	EXPECT_EQ(-EINVAL, vring_mem_iov(&self->mem, UINT64_MAX, 2, RO, iov, 4, &miss));
	EXPECT_EQ(-EINVAL, vring_mem_iov(&self->mem, 0x1000, 0, RO, iov, 4, &miss));
	vring_iotlb_destroy(self->mem.iotlb);
}

TEST_F(mem, a_layout_behind_an_iotlb_needs_the_access_it_is_used_with)
{
	const struct vring_addrs addrs = { .desc = 0x1000, .avail = 0x2000, .used = 0x3000 };
	struct vring_mem_miss miss = { 0 };
	struct vring_layout l;

	ASSERT_EQ(0, vring_iotlb_create(&self->mem.iotlb, 8));
	EXPECT_EQ(-EINPROGRESS, vring_layout_resolve(&l, &self->mem, false, 256, &addrs, &miss));
	EXPECT_EQ(0x1000u, miss.iova);
	EXPECT_EQ(RO, miss.access);
	for (unsigned int i = 0; i < 3; i++)
		ASSERT_EQ(0, vring_iotlb_update(self->mem.iotlb, 0x1000 + i * 0x1000, 0x1000,
						UVA_BASE + (2 - i) * 0x1000, RO));
	EXPECT_EQ(-EINPROGRESS, vring_layout_resolve(&l, &self->mem, false, 256, &addrs, &miss));
	EXPECT_EQ(0x3000u, miss.iova);
	EXPECT_EQ(RW, miss.access);
	ASSERT_EQ(0, vring_iotlb_update(self->mem.iotlb, 0x3000, 0x1000, UVA_BASE, RW));
	ASSERT_EQ(0, vring_layout_resolve(&l, &self->mem, false, 256, &addrs, &miss));
	EXPECT_EQ((void *)(self->host + 0x2000), (void *)l.desc);
	EXPECT_EQ((void *)(self->host + 0x1000), (void *)l.avail);
	EXPECT_EQ((void *)self->host, (void *)l.used);
	/* a table of two pages that do not adjoin here */
	EXPECT_EQ(-EFAULT, vring_layout_resolve(&l, &self->mem, false, 512, &addrs, &miss));
	/* the device writes to a packed ring */
	EXPECT_EQ(-EINPROGRESS, vring_layout_resolve(&l, &self->mem, true, 256, &addrs, &miss));
	EXPECT_EQ(0x1000u, miss.iova);
	EXPECT_EQ(RW, miss.access);
	vring_iotlb_destroy(self->mem.iotlb);
}

TEST_HARNESS_MAIN
