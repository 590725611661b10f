// SPDX-License-Identifier: GPL-2.0-only
/*
 * Split virtqueues: what each side accepts, what it refuses and with which errno.
 *
 * The tests of one side play the other side by hand, writing the ring as a
 * well-behaved or a hostile peer would.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <vringlab/vring.h>

#include "kselftest_harness.h"
#include "t_rig.h"

FIXTURE(vring)
{
	struct t_rig rig;
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
	ASSERT_EQ(0, t_rig_init(&self->rig, 0, variant->num));
}

FIXTURE_TEARDOWN(vring)
{
	t_rig_exit(&self->rig);
}

/* What takes two descriptors at least. */
FIXTURE(long_vring)
{
	struct t_rig rig;
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
	ASSERT_EQ(0, t_rig_init(&self->rig, 0, variant->num));
}

FIXTURE_TEARDOWN(long_vring)
{
	t_rig_exit(&self->rig);
}

TEST_F(vring, is_empty_at_first)
{
	struct t_rig *r = &self->rig;
	uint32_t written = 77;

	EXPECT_TRUE(vring_dev_empty(&r->dev));
	EXPECT_EQ(-EAGAIN, vring_dev_pop(&r->dev, &r->chain));
	EXPECT_EQ(-EAGAIN, vring_drv_get(&r->drv, &written));
	EXPECT_EQ(77u, written);
}

TEST_F(vring, carries_a_chain_there_and_back)
{
	struct t_rig *r = &self->rig;
	struct vring_buf bufs[] = {
		{ .gpa = T_RIG_GPA, .len = 100 },
		{ .gpa = T_RIG_GPA + 0x1000, .len = 200 },
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
	EXPECT_EQ(r->host, r->chain.iov[0].iov_base);
	EXPECT_EQ(100u, r->chain.iov[0].iov_len);
	if (nr_in) {
		EXPECT_EQ(r->host + 0x1000, r->chain.iov[1].iov_base);
		EXPECT_EQ(200u, r->chain.iov[1].iov_len);
	}

	EXPECT_EQ(-EAGAIN, vring_drv_get(&r->drv, &written));
	vring_dev_push(&r->dev, &r->chain, 123);
	EXPECT_EQ(head, vring_drv_get(&r->drv, &written));
	EXPECT_EQ(123u, written);
	EXPECT_EQ(variant->num, r->drv.nr_free);
	EXPECT_EQ(-EAGAIN, vring_drv_get(&r->drv, &written));
}

TEST_F(vring, writes_little_endian)
{
	struct t_rig *r = &self->rig;
	struct vring_buf buf = { .gpa = T_RIG_GPA, .len = 0x00020304 };
	static const uint8_t gpa[] = { 0, 0, 0, 0x40, 0, 0, 0, 0 };
	static const uint8_t len[] = { 4, 3, 2, 0 };
	static const uint8_t one[] = { 1, 0 };

	ASSERT_EQ(0, vring_drv_add(&r->drv, &buf, 1, 0));
	EXPECT_EQ(0, memcmp(&r->ring.desc[0].addr, gpa, sizeof(gpa)));
	EXPECT_EQ(0, memcmp(&r->ring.desc[0].len, len, sizeof(len)));
	EXPECT_EQ(0, memcmp(&r->ring.avail->idx, one, sizeof(one)));
	ASSERT_EQ(0, vring_dev_pop(&r->dev, &r->chain));
	vring_dev_push(&r->dev, &r->chain, 0x00020304);
	EXPECT_EQ(0, memcmp(&r->ring.used->idx, one, sizeof(one)));
	EXPECT_EQ(0, memcmp(&r->ring.used->ring[0].len, len, sizeof(len)));
}

TEST_F(vring, goes_round_past_65535)
{
	struct t_rig *r = &self->rig;
	struct vring_buf buf = { .gpa = T_RIG_GPA, .len = 64 };

	for (unsigned int i = 0; i < 65536 + 5; i++) {
		uint32_t written;
		int head = vring_drv_add(&r->drv, &buf, 1, 0);

		ASSERT_LE(0, head);
		ASSERT_EQ(0, vring_dev_pop(&r->dev, &r->chain));
		ASSERT_EQ(head, r->chain.id);
		vring_dev_push(&r->dev, &r->chain, i);
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
	struct t_rig *r = &self->rig;

	t_rig_desc(r->ring.desc, 0, T_RIG_GPA, 1, 0, 0);
	r->ring.avail->idx = htole16(65535);
	r->ring.used->idx = htole16(65535);
	ASSERT_EQ(0, t_rig_restart(r, 65535, NULL));
	EXPECT_EQ(-EAGAIN, vring_dev_pop(&r->dev, &r->chain));
	t_rig_avail(r, 0);
	EXPECT_EQ(0u, le16toh(r->ring.avail->idx));
	ASSERT_EQ(0, vring_dev_pop(&r->dev, &r->chain));
	vring_dev_push(&r->dev, &r->chain, 9);
	EXPECT_EQ(0u, le16toh(r->ring.used->idx));
	EXPECT_EQ(9u, le32toh(r->ring.used->ring[65535 % variant->num].len));
}

TEST_F(vring, takes_as_many_as_there_are_and_no_more)
{
	struct t_rig *r = &self->rig;
	struct vring_buf buf = { .gpa = T_RIG_GPA, .len = 64 };

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
	struct t_rig *r = &self->rig;
	struct vring_buf *bufs = calloc(variant->num, sizeof(*bufs));

	ASSERT_NE(NULL, bufs);
	for (unsigned int i = 0; i < variant->num; i++)
		bufs[i] = (struct vring_buf){ T_RIG_GPA + i, 1 };
	ASSERT_EQ(0,
		  vring_drv_add(&r->drv, bufs, variant->num / 2, variant->num - variant->num / 2));
	ASSERT_EQ(0, vring_dev_pop(&r->dev, &r->chain));
	EXPECT_EQ(variant->num / 2, r->chain.nr_out);
	EXPECT_EQ(variant->num - variant->num / 2, r->chain.nr_in);
	free(bufs);
}

TEST_F(vring, device_refuses_a_loop)
{
	struct t_rig *r = &self->rig;

	for (unsigned int i = 0; i < variant->num; i++)
		t_rig_desc(r->ring.desc, i, T_RIG_GPA, 1, VRING_DESC_F_NEXT,
			   (i + 1) % variant->num);
	t_rig_avail(r, 0);
	EXPECT_EQ(-EINVAL, vring_dev_pop(&r->dev, &r->chain));
	/* Not taken: asking again gives the same. */
	EXPECT_EQ(-EINVAL, vring_dev_pop(&r->dev, &r->chain));
	EXPECT_EQ(0u, r->dev.avail_idx);

	t_rig_desc(r->ring.desc, 0, T_RIG_GPA, 1, VRING_DESC_F_NEXT, 0);
	EXPECT_EQ(-EINVAL, vring_dev_pop(&r->dev, &r->chain));
}

TEST_F(vring, device_refuses_a_next_out_of_range)
{
	struct t_rig *r = &self->rig;

	/* What lies behind the table looks like a good descriptor. */
	t_rig_desc(r->ring.desc, variant->num, T_RIG_GPA, 1, 0, 0);
	t_rig_avail(r, 0);
	t_rig_desc(r->ring.desc, 0, T_RIG_GPA, 1, VRING_DESC_F_NEXT, variant->num);
	EXPECT_EQ(-EINVAL, vring_dev_pop(&r->dev, &r->chain));
	t_rig_desc(r->ring.desc, 0, T_RIG_GPA, 1, VRING_DESC_F_NEXT, 65535);
	EXPECT_EQ(-EINVAL, vring_dev_pop(&r->dev, &r->chain));
	/* Without the flag next means nothing. */
	t_rig_desc(r->ring.desc, 0, T_RIG_GPA, 1, 0, 65535);
	EXPECT_EQ(0, vring_dev_pop(&r->dev, &r->chain));
}

TEST_F(vring, device_refuses_a_head_out_of_range)
{
	struct t_rig *r = &self->rig;

	t_rig_desc(r->ring.desc, variant->num, T_RIG_GPA, 1, 0, 0);
	t_rig_avail(r, variant->num);
	EXPECT_EQ(-EINVAL, vring_dev_pop(&r->dev, &r->chain));
	r->ring.avail->ring[0] = htole16(65535);
	EXPECT_EQ(-EINVAL, vring_dev_pop(&r->dev, &r->chain));
}

TEST_F(vring, device_refuses_an_avail_index_that_jumped)
{
	struct t_rig *r = &self->rig;

	t_rig_desc(r->ring.desc, 0, T_RIG_GPA, 1, 0, 0);
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
	struct t_rig *r = &self->rig;
	static const struct {
		uint64_t addr;
		uint32_t len;
	} bad[] = {
		{ 0, 1 },
		{ T_RIG_GPA - 1, 2 },
		{ T_RIG_GPA + T_RIG_BYTES, 1 },
		{ T_RIG_GPA + T_RIG_BYTES - 1, 2 },
		{ T_RIG_GPA, UINT32_MAX },
		{ UINT64_MAX, 1 },
		{ UINT64_MAX, 2 },
		{ UINT64_MAX - 0xfff, 0x1000 },
		/* Wraps to inside the region, as an addition would see it. */
		{ UINT64_MAX - 0xfffffff0ull + 0x10, UINT32_MAX },
		{ T_RIG_UVA, 1 },
	};

	t_rig_avail(r, 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		t_rig_desc(r->ring.desc, 0, bad[i].addr, bad[i].len, 0, 0);
		EXPECT_EQ(-EFAULT, vring_dev_pop(&r->dev, &r->chain))
		TH_LOG("address 0x%llx, length 0x%x", (unsigned long long)bad[i].addr, bad[i].len);
	}
	t_rig_desc(r->ring.desc, 0, T_RIG_GPA + T_RIG_BYTES - 1, 1, 0, 0);
	EXPECT_EQ(0, vring_dev_pop(&r->dev, &r->chain));
}

TEST_F(long_vring, device_refuses_readable_after_writable)
{
	struct t_rig *r = &self->rig;

	t_rig_desc(r->ring.desc, 0, T_RIG_GPA, 1, VRING_DESC_F_NEXT | VRING_DESC_F_WRITE, 1);
	t_rig_desc(r->ring.desc, 1, T_RIG_GPA, 1, 0, 0);
	t_rig_avail(r, 0);
	EXPECT_EQ(-EINVAL, vring_dev_pop(&r->dev, &r->chain));
	t_rig_desc(r->ring.desc, 1, T_RIG_GPA, 1, VRING_DESC_F_WRITE, 0);
	EXPECT_EQ(0, vring_dev_pop(&r->dev, &r->chain));
}

TEST_F(vring, device_refuses_a_length_of_zero)
{
	struct t_rig *r = &self->rig;

	t_rig_avail(r, 0);
	t_rig_desc(r->ring.desc, 0, T_RIG_GPA, 0, 0, 0);
	EXPECT_EQ(-EINVAL, vring_dev_pop(&r->dev, &r->chain));
	/* Even where no memory would be touched anyway. */
	t_rig_desc(r->ring.desc, 0, 0, 0, 0, 0);
	EXPECT_EQ(-EINVAL, vring_dev_pop(&r->dev, &r->chain));
}

TEST_F(vring, device_refuses_an_indirect_descriptor)
{
	struct t_rig *r = &self->rig;

	t_rig_avail(r, 0);
	t_rig_desc(r->ring.desc, 0, T_RIG_GPA, 16, VRING_DESC_F_INDIRECT, 0);
	EXPECT_EQ(-EINVAL, vring_dev_pop(&r->dev, &r->chain));
}

TEST_F(long_vring, device_refuses_more_than_4_gib_in_a_chain)
{
	struct t_rig *r = &self->rig;
	struct vring_mem_region big = {
		.guest_addr = 0x100000000ull,
		.user_addr = 0x100000000ull,
		.size = 0x100000000ull,
		/* Never touched. */
		.host = r->host,
	};

	ASSERT_EQ(0, vring_mem_add(&r->mem, &big));
	t_rig_avail(r, 0);
	t_rig_desc(r->ring.desc, 0, 0x100000000ull, 0x80000000, VRING_DESC_F_NEXT, 1);
	t_rig_desc(r->ring.desc, 1, 0x100000000ull, 0x80000001, 0, 0);
	EXPECT_EQ(-EINVAL, vring_dev_pop(&r->dev, &r->chain));
	t_rig_desc(r->ring.desc, 1, 0x100000000ull, 0x80000000, 0, 0);
	EXPECT_EQ(0, vring_dev_pop(&r->dev, &r->chain));
}

TEST_F(vring, device_reports_a_small_iovec_and_can_go_on)
{
	struct t_rig *r = &self->rig;
	struct vring_buf buf = { .gpa = T_RIG_GPA, .len = 1 };
	struct iovec *iov;

	ASSERT_EQ(0, vring_drv_add(&r->drv, &buf, 1, 0));
	iov = r->chain.iov;
	r->chain.iov = NULL;
	r->chain.nr_iov = 0;
	r->chain.id = 4242;
	EXPECT_EQ(-ENOBUFS, vring_dev_pop(&r->dev, &r->chain));
	EXPECT_EQ(4242u, r->chain.id);
	r->chain.iov = iov;
	r->chain.nr_iov = 1;
	EXPECT_EQ(0, vring_dev_pop(&r->dev, &r->chain));
	EXPECT_EQ(0u, r->chain.id);
}

TEST_F(vring, device_splits_a_buffer_that_crosses_regions)
{
	struct t_rig *r = &self->rig;
	struct vring_mem_region next = {
		.guest_addr = T_RIG_GPA + T_RIG_BYTES,
		.user_addr = T_RIG_UVA + T_RIG_BYTES,
		.size = 0x1000,
		.host = r->host,
	};
	struct vring_buf buf = { .gpa = T_RIG_GPA + T_RIG_BYTES - 1, .len = 3 };

	ASSERT_EQ(0, vring_mem_add(&r->mem, &next));
	ASSERT_EQ(0, vring_drv_add(&r->drv, &buf, 0, 1));
	ASSERT_EQ(0, vring_dev_pop(&r->dev, &r->chain));
	EXPECT_EQ(0u, r->chain.nr_out);
	ASSERT_EQ(2u, r->chain.nr_in);
	EXPECT_EQ(r->host + T_RIG_BYTES - 1, r->chain.iov[0].iov_base);
	EXPECT_EQ(1u, r->chain.iov[0].iov_len);
	EXPECT_EQ(r->host, r->chain.iov[1].iov_base);
	EXPECT_EQ(2u, r->chain.iov[1].iov_len);
}

/* There and back; what went wrong shows in what is asked next. */
static void carry_one(struct t_rig *r)
{
	const struct vring_buf buf = { .gpa = T_RIG_GPA, .len = 1 };
	uint32_t written;

	vring_drv_add(&r->drv, &buf, 1, 0);
	if (!vring_dev_pop(&r->dev, &r->chain))
		vring_dev_push(&r->dev, &r->chain, 0);
	vring_drv_get(&r->drv, &written);
}

TEST_F(vring, notifications_follow_the_other_sides_flag)
{
	struct t_rig *r = &self->rig;

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
	struct t_rig *r = &self->rig;
	struct vring_buf bufs[3] = {
		{ .gpa = T_RIG_GPA, .len = 1 },
		{ .gpa = T_RIG_GPA, .len = 0 },
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
	struct t_rig *r = &self->rig;
	struct vring_buf bufs[] = { { T_RIG_GPA, 1 }, { T_RIG_GPA, 1 } };
	unsigned int nr = variant->num > 1 ? 2 : 1;
	uint32_t written = 77;

	/* Nothing is in flight. */
	t_rig_used(r, 0, 1);
	EXPECT_EQ(-EPROTO, vring_drv_get(&r->drv, &written));
	r->ring.used->idx = 0;
	ASSERT_EQ(0, vring_drv_add(&r->drv, bufs, nr, 0));

	t_rig_used(r, variant->num, 1);
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
	t_rig_used(r, 0, 1);
	EXPECT_EQ(-EPROTO, vring_drv_get(&r->drv, &written));
	EXPECT_EQ(variant->num, r->drv.nr_free);
}

TEST_F(long_vring, driver_refuses_a_chain_given_back_twice)
{
	struct t_rig *r = &self->rig;
	struct vring_buf buf = { T_RIG_GPA, 1 };
	uint32_t written;

	ASSERT_EQ(0, vring_drv_add(&r->drv, &buf, 1, 0));
	ASSERT_EQ(1, vring_drv_add(&r->drv, &buf, 1, 0));
	t_rig_used(r, 0, 0);
	t_rig_used(r, 0, 0);
	EXPECT_EQ(0, vring_drv_get(&r->drv, &written));
	EXPECT_EQ(-EPROTO, vring_drv_get(&r->drv, &written));
	EXPECT_EQ(variant->num - 1, r->drv.nr_free);
}

TEST_F(long_vring, driver_keeps_its_free_list_when_the_device_rewrites_descriptors)
{
	struct t_rig *r = &self->rig;
	struct vring_buf bufs[] = { { T_RIG_GPA, 1 }, { T_RIG_GPA, 1 } };
	uint32_t written;

	ASSERT_EQ(0, vring_drv_add(&r->drv, bufs, 2, 0));
	memset(r->ring.desc, 0xff, vring_desc_size(variant->num));
	t_rig_used(r, 0, 0);
	ASSERT_EQ(0, vring_drv_get(&r->drv, &written));
	for (unsigned int i = 0; i < variant->num; i++)
		ASSERT_LE(0, vring_drv_add(&r->drv, bufs, 1, 0));
	EXPECT_EQ(-ENOSPC, vring_drv_add(&r->drv, bufs, 1, 0));
	for (unsigned int i = 0; i < variant->num; i++)
		ASSERT_EQ(1u, r->slots[i].nr);
}

TEST_HARNESS_MAIN
