// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest whose ring is bad, behind a front-end that is not: its virtqueue stops, which
 * the ERR eventfd tells, and no other.
 *
 * What is bad about a chain is all in vring_hostile_test.c.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "t.h"
#include "t_fds.h"
#include "t_rig.h"
#include "t_served_set.h"

#define NUM T_RING_NUM
#define GPA T_RING_GPA
#define OUT (T_RING_GPA + T_RING_OUT)
#define TABLE (T_RING_GPA + T_RING_IN)
#define END (T_RING_GPA + T_RING_MEM_BYTES)

#define N VRING_DESC_F_NEXT
#define W VRING_DESC_F_WRITE
#define I VRING_DESC_F_INDIRECT

#define PACKED (T_RIG_INDIRECT | T_RIG_PACKED)

typedef void spoil_fn(struct t_ring *ring);

FIXTURE(ring)
{
	struct t_served s;
	struct t_ring ring;
	struct t_ring other;
	int err;
};

FIXTURE_VARIANT(ring)
{
	uint64_t features;
	spoil_fn *spoil;
};

static void put(struct t_ring *ring, unsigned int i, uint64_t addr, uint32_t len, uint16_t flags,
		uint16_t next)
{
	t_rig_desc(ring->drv.config.ring.desc, i, addr, len, flags, next);
}

/* In the first lap, after the one buffer that was there before. */
static void put_packed(struct t_ring *ring, unsigned int i, uint64_t addr, uint32_t len,
		       uint16_t flags, uint16_t id)
{
	ring->drv.config.ring.ring[i] = (struct vring_packed_desc){
		.addr = htole64(addr),
		.len = htole32(len),
		.id = htole16(id),
		.flags = htole16(flags | T_RIG_AVAILABLE(1)),
	};
}

static void offer(struct t_ring *ring, uint16_t head)
{
	struct vring_avail *avail = ring->drv.config.ring.avail;
	uint16_t idx = le16toh(avail->idx);

	avail->ring[idx % NUM] = htole16(head);
	avail->idx = htole16(idx + 1);
}

static void move_index(struct t_ring *ring, int by)
{
	struct vring_avail *avail = ring->drv.config.ring.avail;

	avail->idx = htole16(le16toh(avail->idx) + by);
}

static void index_jumps(struct t_ring *ring)
{
	move_index(ring, NUM + 1);
}

static void index_goes_back(struct t_ring *ring)
{
	move_index(ring, -1);
}

static void head_is_num(struct t_ring *ring)
{
	offer(ring, NUM);
}

static void head_max(struct t_ring *ring)
{
	offer(ring, UINT16_MAX);
}

static void self_loop(struct t_ring *ring)
{
	put(ring, 3, OUT, 1, N, 3);
	offer(ring, 3);
}

static void loop_of_2(struct t_ring *ring)
{
	put(ring, 3, OUT, 1, N, 4);
	put(ring, 4, OUT, 1, N, 3);
	offer(ring, 3);
}

static void next_is_num(struct t_ring *ring)
{
	put(ring, 3, OUT, 1, N, NUM);
	offer(ring, 3);
}

static void unmapped(struct t_ring *ring)
{
	put(ring, 3, 0x1000, 1, 0, 0);
	offer(ring, 3);
}

static void across_the_end(struct t_ring *ring)
{
	put(ring, 3, END - 1, 2, W, 0);
	offer(ring, 3);
}

static void wraps(struct t_ring *ring)
{
	put(ring, 3, UINT64_MAX - 3, 8, W, 0);
	offer(ring, 3);
}

static void len_0(struct t_ring *ring)
{
	put(ring, 3, OUT, 0, 0, 0);
	offer(ring, 3);
}

static void len_max(struct t_ring *ring)
{
	put(ring, 3, OUT, UINT32_MAX, W, 0);
	offer(ring, 3);
}

static void readable_after_writable(struct t_ring *ring)
{
	put(ring, 3, OUT, 1, W | N, 4);
	put(ring, 4, OUT, 1, 0, 0);
	offer(ring, 3);
}

static void offer_table(struct t_ring *ring, uint32_t len, uint16_t flags)
{
	put(ring, 3, TABLE, len, I | flags, 4);
	offer(ring, 3);
}

static void indirect_of_0(struct t_ring *ring)
{
	offer_table(ring, 0, 0);
}

static void indirect_of_24(struct t_ring *ring)
{
	offer_table(ring, 24, 0);
}

static void indirect_and_next(struct t_ring *ring)
{
	offer_table(ring, 16, N);
}

static void indirect_nested(struct t_ring *ring)
{
	t_rig_desc((void *)(ring->mem + T_RING_IN), 0, TABLE, 16, I, 0);
	offer_table(ring, 16, 0);
}

static void indirect_next_beyond(struct t_ring *ring)
{
	t_rig_desc((void *)(ring->mem + T_RING_IN), 0, OUT, 1, N, 1);
	offer_table(ring, 16, 0);
}

static void packed_id_is_num(struct t_ring *ring)
{
	put_packed(ring, 2, OUT, 1, 0, NUM);
}

static void packed_id_max(struct t_ring *ring)
{
	put_packed(ring, 2, OUT, 1, 0, UINT16_MAX);
}

static void packed_unmapped(struct t_ring *ring)
{
	put_packed(ring, 2, 0x1000, 1, 0, 0);
}

static void packed_len_0(struct t_ring *ring)
{
	put_packed(ring, 2, OUT, 0, 0, 0);
}

static void packed_longer_than_the_queue(struct t_ring *ring)
{
	for (unsigned int i = 2; i < NUM; i++)
		put_packed(ring, i, OUT, 1, N, 0);
	for (unsigned int i = 0; i < 2; i++) {
		put_packed(ring, i, OUT, 1, N, 0);
		ring->drv.config.ring.ring[i].flags = htole16(N | T_RIG_AVAILABLE(0));
	}
}

static void packed_next_not_available(struct t_ring *ring)
{
	put_packed(ring, 2, OUT, 1, N, 0);
}

static void packed_indirect_of_0(struct t_ring *ring)
{
	put_packed(ring, 2, TABLE, 0, I, 0);
}

static void packed_indirect_and_next(struct t_ring *ring)
{
	put_packed(ring, 3, OUT, 1, 0, 0);
	put_packed(ring, 2, TABLE, 16, I | N, 0);
}

/* clang-format off */
#define SPLIT_RING(_spoil) \
	FIXTURE_VARIANT_ADD(ring, _spoil) { .features = T_RIG_INDIRECT, .spoil = _spoil }
#define PACKED_RING(_spoil) \
	FIXTURE_VARIANT_ADD(ring, _spoil) { .features = PACKED, .spoil = _spoil }
SPLIT_RING(index_jumps);
SPLIT_RING(index_goes_back);
SPLIT_RING(head_is_num);
SPLIT_RING(head_max);
SPLIT_RING(self_loop);
SPLIT_RING(loop_of_2);
SPLIT_RING(next_is_num);
SPLIT_RING(unmapped);
SPLIT_RING(across_the_end);
SPLIT_RING(wraps);
SPLIT_RING(len_0);
SPLIT_RING(len_max);
SPLIT_RING(readable_after_writable);
SPLIT_RING(indirect_of_0);
SPLIT_RING(indirect_of_24);
SPLIT_RING(indirect_and_next);
SPLIT_RING(indirect_nested);
SPLIT_RING(indirect_next_beyond);
PACKED_RING(packed_id_is_num);
PACKED_RING(packed_id_max);
PACKED_RING(packed_unmapped);
PACKED_RING(packed_len_0);
PACKED_RING(packed_longer_than_the_queue);
PACKED_RING(packed_next_not_available);
PACKED_RING(packed_indirect_of_0);
PACKED_RING(packed_indirect_and_next);
/* clang-format on */

FIXTURE_SETUP(ring)
{
	const struct t_served_config config = { .features = variant->features };
	int ret;

	memset(self, 0, sizeof(*self));
	ASSERT_EQ(0, t_ring_create(&self->ring));
	ASSERT_EQ(0, t_ring_create_beside(&self->other, &self->ring));
	t_ring_set_features(&self->ring, variant->features & T_RIG_PACKED);
	t_ring_set_features(&self->other, variant->features & T_RIG_PACKED);
	t_ring_guard(&self->ring);
	self->err = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ret = t_served_start_with(&self->s, &config);
	if (ret == -EPERM || ret == -ENOSYS)
		SKIP(return, "io_uring is disabled: sysctl kernel.io_uring_disabled=0");
	ASSERT_EQ(0, ret);
	ASSERT_EQ(0, t_served_negotiate(&self->s));
	ASSERT_EQ(0, t_served_set_up(&self->s, &self->ring, 0));
	ASSERT_EQ(0, t_served_set_fd(&self->s, VU_SET_VRING_ERR, 0, self->err));
	ASSERT_EQ(0, t_served_set_vring(&self->s, &self->other, 1));
	ASSERT_EQ(0, t_ring_echo(&self->ring, "before", 7, T_DEADLINE_MS));
	ASSERT_EQ(0, t_ring_echo(&self->other, "before", 7, T_DEADLINE_MS));
}

FIXTURE_TEARDOWN(ring)
{
	t_served_stop(&self->s);
	t_ring_destroy(&self->ring);
	t_ring_destroy(&self->other);
	close(self->err);
}

TEST_F(ring, is_stopped_by_itself_and_can_begin_anew)
{
	bool packed = variant->features & T_RIG_PACKED;
	uint32_t base;

	variant->spoil(&self->ring);
	ASSERT_EQ(0, t_ring_kick(&self->ring));
	EXPECT_EQ(0, t_poll_until(self->err, T_DEADLINE_MS));
	for (int i = 0; i < 10; i++) {
		EXPECT_EQ(0, t_ring_kick(&self->ring));
		EXPECT_EQ(0, t_ring_echo(&self->other, "other", 6, T_DEADLINE_MS));
	}
	EXPECT_EQ(1u, atomic_load(&self->s.errors));
	EXPECT_TRUE(t_ring_is_intact(&self->ring));
	/* one buffer was taken, of two descriptors, and what is bad was not */
	EXPECT_EQ(0, t_served_stop_vring(&self->s, 0, &base));
	EXPECT_EQ(packed ? 0x80028002u : 1u, base);
	t_ring_set_features(&self->ring, variant->features & T_RIG_PACKED);
	EXPECT_EQ(0, t_served_set_vring(&self->s, &self->ring, 0));
	EXPECT_EQ(0, t_ring_echo(&self->ring, "after", 6, T_DEADLINE_MS));
}

TEST_HARNESS_MAIN
