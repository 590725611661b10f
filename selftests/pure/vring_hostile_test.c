// SPDX-License-Identifier: GPL-2.0-only
/*
 * A driver that makes available what no driver should, in both formats: each row is a
 * chain and what the device side says of it. What is refused changes nothing, neither
 * in the ring nor in the memory.
 *
 * The index of a split ring, and what the driver side takes, is in vring_split_test.c.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kselftest_harness.h"
#include "t_rig.h"

#define NUM 8u
#define GPA T_RIG_GPA
#define END (T_RIG_GPA + T_RIG_BYTES)
#define TABLE T_RIG_TABLES_GPA

#define N VRING_DESC_F_NEXT
#define W VRING_DESC_F_WRITE
#define I VRING_DESC_F_INDIRECT

/* @to: 0, or TO() of where a split one goes on, else behind it, or of a packed one's id. */
struct d {
	uint64_t addr;
	uint32_t len;
	uint16_t flags;
	uint32_t to;
};

#define TO(n) ((n) + 1u)

enum format {
	BOTH,
	SPLIT,
	PACKED,
};

FIXTURE(chain)
{
	struct t_rig rig;
};

FIXTURE_VARIANT(chain)
{
	enum format format;
	bool plain;
	unsigned int nr;
	struct d descs[NUM + 1];
	struct d table[4];
	int code;
	uint64_t out_bytes;
	uint64_t in_bytes;
};

#define CHAIN(_name, _code, ...)             \
	FIXTURE_VARIANT_ADD(chain, _name)    \
	{                                    \
		.code = (_code), __VA_ARGS__ \
	}
/* Address, length, and if not 0 flags and where to. */
#define D_(_addr, _len, _flags, _to, ...)        \
	{                                        \
		(_addr), (_len), (_flags), (_to) \
	}
#define D(...) D_(__VA_ARGS__, 0, 0, 0)
#define ONE(...) .nr = 1, .descs = { D(__VA_ARGS__) }
#define MANY(_nr, ...) .nr = (_nr), .descs = { __VA_ARGS__ }
#define REFUSED(_name, _code, ...) CHAIN(_name, _code, __VA_ARGS__)
#define ALLOWED(_name, _out, _in, ...) \
	CHAIN(_name, 0, .out_bytes = (_out), .in_bytes = (_in), __VA_ARGS__)

/* clang-format off */

/* --- where a buffer is, and how long */
REFUSED(len_0, -EINVAL, ONE(GPA, 0));
REFUSED(len_0_behind_another, -EINVAL, MANY(2, D(GPA, 1, N), D(GPA, 0)));
REFUSED(len_max, -EFAULT, ONE(GPA, UINT32_MAX));
REFUSED(addr_0, -EFAULT, ONE(0, 1));
REFUSED(addr_max, -EFAULT, ONE(UINT64_MAX, 1));
REFUSED(addr_and_len_wrap, -EFAULT, ONE(UINT64_MAX - 3, 8));
REFUSED(before_the_region, -EFAULT, ONE(GPA - 1, 2));
REFUSED(at_the_end, -EFAULT, ONE(END, 1));
REFUSED(across_the_end, -EFAULT, ONE(END - 1, 2));
REFUSED(across_a_gap, -EFAULT, ONE(GPA, T_RIG_BYTES + 1));
ALLOWED(first_byte, 1, 0, ONE(GPA, 1));
ALLOWED(last_byte, 0, 1, ONE(END - 1, 1, W));
ALLOWED(whole_region, T_RIG_BYTES, 0, ONE(GPA, T_RIG_BYTES));

/* --- the order of a chain, and its length */
#define OUT1 D(GPA, 1, N)
#define IN1 D(GPA, 1, W | N)
REFUSED(readable_after_writable, -EINVAL, MANY(2, D(GPA, 1, W | N), D(GPA, 1)));
REFUSED(readable_between_writables, -EINVAL, MANY(3, IN1, OUT1, D(GPA, 1, W)));
REFUSED(longer_than_the_queue, -EINVAL,
	MANY(8, OUT1, OUT1, OUT1, OUT1, OUT1, OUT1, OUT1, OUT1));
ALLOWED(as_long_as_the_queue, 4, 4,
	MANY(8, OUT1, OUT1, OUT1, OUT1, IN1, IN1, IN1, D(GPA, 1, W)));
REFUSED(self_loop, -EINVAL, .format = SPLIT, .nr = 1, .descs = { D(GPA, 1, N, TO(0)) });
REFUSED(loop_of_2, -EINVAL, .format = SPLIT, .nr = 2,
	.descs = { OUT1, D(GPA, 1, N, TO(0)) });
REFUSED(next_is_num, -EINVAL, .format = SPLIT, .nr = 1, .descs = { D(GPA, 1, N, TO(NUM)) });
REFUSED(next_max, -EINVAL, .format = SPLIT, .nr = 1, .descs = { D(GPA, 1, N, TO(UINT16_MAX)) });
REFUSED(next_that_is_not_available, -EINVAL, .format = PACKED, .nr = 1, .descs = { D(GPA, 1, N) });
REFUSED(id_is_num, -EINVAL, .format = PACKED, .nr = 1, .descs = { D(GPA, 1, 0, TO(NUM)) });
REFUSED(id_max, -EINVAL, .format = PACKED, .nr = 1, .descs = { D(GPA, 1, 0, TO(UINT16_MAX)) });

/* --- indirect tables */
#define ENTRIES(nr) ((nr) * 16u)
REFUSED(indirect_len_0, -EINVAL, ONE(TABLE, 0, I));
REFUSED(indirect_len_8, -EINVAL, ONE(TABLE, 8, I));
REFUSED(indirect_len_24, -EINVAL, ONE(TABLE, 24, I));
REFUSED(indirect_of_32769, -EINVAL, ONE(TABLE, ENTRIES(32769), I));
REFUSED(indirect_len_max, -EINVAL, ONE(TABLE, UINT32_MAX & ~15u, I));
REFUSED(indirect_unmapped, -EFAULT, ONE(0x1000, ENTRIES(1), I));
REFUSED(indirect_wraps, -EFAULT, ONE(UINT64_MAX - 15, ENTRIES(2), I));
REFUSED(indirect_and_next, -EINVAL, MANY(2, D(TABLE, ENTRIES(1), I | N), D(GPA, 1)),
	.table = { D(GPA, 1) });
REFUSED(indirect_not_negotiated, -EINVAL, ONE(TABLE, ENTRIES(1), I), .plain = true,
	.table = { D(GPA,
	1) });
REFUSED(indirect_entry_unmapped, -EFAULT, ONE(TABLE, ENTRIES(1), I), .table = { D(0, 1) });
REFUSED(indirect_entry_of_0, -EINVAL, ONE(TABLE, ENTRIES(1), I), .table = { D(GPA, 0) });
REFUSED(indirect_readable_after_writable, -EINVAL, ONE(TABLE, ENTRIES(2), I),
	.table = { D(GPA, 1, W | N), D(GPA, 1) });
REFUSED(indirect_nested, -EINVAL, .format = SPLIT, ONE(TABLE, ENTRIES(1), I),
	.table = { D(TABLE, ENTRIES(1), I) });
REFUSED(indirect_next_is_its_size, -EINVAL, .format = SPLIT, ONE(TABLE, ENTRIES(2), I),
	.table = { D(GPA, 1, N, TO(2)) });
REFUSED(indirect_self_loop, -EINVAL, .format = SPLIT, ONE(TABLE, ENTRIES(2), I),
	.table = { D(GPA, 1, N, TO(0)) });
REFUSED(indirect_loop_of_2, -EINVAL, .format = SPLIT, ONE(TABLE, ENTRIES(2), I),
	.table = { D(GPA, 1, N), D(GPA, 1, N, TO(0)) });
REFUSED(indirect_last_has_next, -EINVAL, .format = SPLIT, ONE(TABLE, ENTRIES(2), I),
	.table = { D(GPA, 1, N), D(GPA, 1, N) });
/* VIRTIO 1.2, 2.7.5.3.2: WRITE of the descriptor itself is ignored */
ALLOWED(indirect_that_is_writable, 1, 2, ONE(TABLE, ENTRIES(2), I | W), .table = { D(GPA, 1, N),
	D(GPA, 2, W) });
ALLOWED(indirect_of_1, 3, 0, ONE(TABLE, ENTRIES(1), I), .table = { D(GPA, 3) });
ALLOWED(indirect_behind_another, 4, 0, MANY(2, D(GPA, 1, N), D(TABLE, ENTRIES(1), I)),
	.table = { D(GPA, 3) });
/* only as many as the chain is long count */
ALLOWED(indirect_with_more_than_it_needs, 1, 0, .format = SPLIT, ONE(TABLE, ENTRIES(4), I),
	.table = { D(GPA, 1) });
/* VIRTIO 1.2, 2.8.7: the device ignores all flags but WRITE */
ALLOWED(indirect_with_other_flags, 1, 1, .format = PACKED, ONE(TABLE, ENTRIES(2), I),
	.table = { D(GPA, 1, I | N), D(GPA, 1, W | N | I) });

/* --- in any layout */
ALLOWED(bytes_one_by_one, 4, 3,
	MANY(7, OUT1, D(GPA + 1, 1, N), D(GPA + 7, 1, N), OUT1, IN1, IN1, D(END - 1, 1, W)));
/* clang-format on */

FIXTURE_SETUP(chain)
{
	memset(self, 0, sizeof(*self));
}

FIXTURE_TEARDOWN(chain)
{
}

static void put_split(struct vring_desc *table, unsigned int i, const struct d *d)
{
	t_rig_desc(table, i, d->addr, d->len, d->flags, d->to ? d->to - 1 : i + 1);
}

static void offer(struct t_rig *r, const struct d *descs, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++) {
		const struct d *d = &descs[i];

		if (t_rig_packed(r))
			t_rig_packed_desc(r, i, d->addr, d->len, d->to ? d->to - 1 : 0,
					  d->flags | T_RIG_AVAILABLE(1));
		else
			put_split(r->ring.desc, i, d);
	}
	if (!t_rig_packed(r))
		t_rig_avail(r, 0);
}

static void put_table(struct t_rig *r, unsigned int i, const struct d *d)
{
	struct vring_packed_desc *table = (struct vring_packed_desc *)r->tables;

	if (t_rig_packed(r))
		table[i] = (struct vring_packed_desc){
			.addr = htole64(d->addr),
			.len = htole32(d->len),
			.flags = htole16(d->flags),
		};
	else
		put_split(r->tables, i, d);
}

static bool is_unchanged(const struct t_rig *r, const uint8_t *memory, const uint8_t *ring)
{
	return !memcmp(memory, r->host, T_RIG_BYTES) && !memcmp(ring, r->ring_host, r->ring_bytes);
}

TEST_F(chain, is_taken_whole_or_not_at_all)
{
	for (int packed = 0; packed < 2; packed++) {
		struct t_rig *r = &self->rig;
		uint8_t *memory, *ring;
		uint64_t features;
		int code;

		if (variant->format == (packed ? SPLIT : PACKED))
			continue;
		features = variant->plain ? 0 : T_RIG_INDIRECT;
		ASSERT_EQ(0, t_rig_init(r, features | (packed ? T_RIG_PACKED : 0), NUM));
		for (unsigned int i = 0; i < 4; i++)
			put_table(r, i, &variant->table[i]);
		offer(r, variant->descs, variant->nr);
		memory = malloc(T_RIG_BYTES);
		ring = malloc(r->ring_bytes);
		memcpy(memory, r->host, T_RIG_BYTES);
		memcpy(ring, r->ring_host, r->ring_bytes);
		code = vring_dev_pop(&r->dev, &r->chain);
		EXPECT_EQ(variant->code, code) TH_LOG("packed: %d", packed);
		if (!variant->code && !code) {
			EXPECT_EQ(variant->out_bytes, r->chain.out_bytes);
			EXPECT_EQ(variant->in_bytes, r->chain.in_bytes);
			vring_dev_push(&r->dev, &r->chain, 0);
		} else {
			/* again and again the same: it is not taken */
			EXPECT_EQ(variant->code, vring_dev_pop(&r->dev, &r->chain));
			EXPECT_TRUE(is_unchanged(r, memory, ring));
		}
		EXPECT_EQ(0u, vring_dev_in_flight(&r->dev));
		free(memory);
		free(ring);
		t_rig_exit(r);
	}
}

/* --- more than a chain ----------------------------------------------------------- */

FIXTURE(ring)
{
	struct t_rig rig;
};

FIXTURE_VARIANT(ring)
{
	uint64_t features;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(ring, split) { .features = 0 };
FIXTURE_VARIANT_ADD(ring, split_in_order) { .features = T_RIG_ORDER };
FIXTURE_VARIANT_ADD(ring, packed) { .features = T_RIG_PACKED };
FIXTURE_VARIANT_ADD(ring, packed_in_order) { .features = T_RIG_PACKED | T_RIG_ORDER };
/* clang-format on */

FIXTURE_SETUP(ring)
{
	ASSERT_EQ(0, t_rig_init(&self->rig, variant->features, NUM));
}

FIXTURE_TEARDOWN(ring)
{
	t_rig_exit(&self->rig);
}

static void offer_one(struct t_rig *r, unsigned int at, uint16_t id, bool wrap)
{
	if (t_rig_packed(r)) {
		t_rig_packed_desc(r, at, GPA, 1, id, T_RIG_AVAILABLE(wrap));
		return;
	}
	t_rig_desc(r->ring.desc, id, GPA, 1, 0, 0);
	t_rig_avail(r, id);
}

TEST_F(ring, takes_no_id_twice_while_it_is_in_flight)
{
	struct t_rig *r = &self->rig;

	offer_one(r, 0, 3, true);
	offer_one(r, 1, 3, true);
	ASSERT_EQ(0, vring_dev_pop(&r->dev, &r->chain));
	EXPECT_EQ(-EINVAL, vring_dev_pop(&r->dev, &r->chain));
	EXPECT_EQ(1u, vring_dev_in_flight(&r->dev));
	/* given back, it may come again */
	vring_dev_push(&r->dev, &r->chain, 0);
	EXPECT_EQ(0, vring_dev_pop(&r->dev, &r->chain));
}

TEST_F(ring, never_has_more_in_flight_than_it_has_entries)
{
	struct t_rig *r = &self->rig;
	unsigned int taken = 0;
	int ret;

	for (unsigned int i = 0; i < NUM; i++)
		offer_one(r, i, i, true);
	/* and one more lap, of what was not given back */
	while (!(ret = vring_dev_pop(&r->dev, &r->chain))) {
		taken++;
		offer_one(r, (taken - 1) % NUM, (taken - 1) % NUM, false);
	}
	EXPECT_TRUE(ret == -EPROTO || ret == -EINVAL);
	EXPECT_EQ(NUM, taken);
	EXPECT_EQ(NUM, vring_dev_in_flight(&r->dev));
}

TEST_F(ring, gives_ids_back_in_the_order_they_came_however_the_driver_uses_them)
{
	static const uint16_t ids[] = { 5, 0, 7, 2 };
	struct vring_chain chains[4];
	struct t_rig *r = &self->rig;
	struct iovec iov[4][2];

	/* VIRTIO 1.2, 2.7.9: the driver should count up; the device need not believe it */
	for (unsigned int i = 0; i < 4; i++) {
		chains[i] = (struct vring_chain){ .iov = iov[i], .nr_iov = 2 };
		offer_one(r, i, ids[i], true);
		ASSERT_EQ(0, vring_dev_pop(&r->dev, &chains[i]));
	}
	for (int i = 3; i >= 0; i--)
		vring_dev_push(&r->dev, &chains[i], 0);
	for (unsigned int i = 0; i < 4; i++) {
		unsigned int at = variant->features & T_RIG_ORDER ? i : 3 - i;
		uint32_t id = t_rig_packed(r) ? le16toh(r->ring.ring[i].id) :
						le32toh(r->ring.used->ring[i].id);

		EXPECT_EQ(ids[at], id);
	}
}

TEST_F(ring, copes_with_any_event_field)
{
	struct t_rig *r = &self->rig;

	for (unsigned int value = 0; value <= UINT16_MAX; value += 3) {
		if (t_rig_packed(r)) {
			r->ring.driver->off_wrap = htole16(value);
			r->ring.driver->flags = htole16(value);
		} else {
			r->ring.avail->flags = htole16(value);
			r->ring.avail->ring[NUM] = htole16(value);
		}
		vring_dev_should_call(&r->dev);
		vring_dev_kick_enable(&r->dev);
		vring_dev_kick_disable(&r->dev);
	}
	offer_one(r, 0, 0, true);
	EXPECT_EQ(0, vring_dev_pop(&r->dev, &r->chain));
}

TEST(descriptors_of_a_packed_ring_are_available_in_their_lap_only)
{
	static const uint16_t flags[] = { 0, T_RIG_USED(1), T_RIG_AVAILABLE(0) };
	struct t_rig r;

	ASSERT_EQ(0, t_rig_init(&r, T_RIG_PACKED, NUM));
	for (unsigned int i = 0; i < 3; i++) {
		t_rig_packed_desc(&r, 0, GPA, 1, 0, flags[i]);
		EXPECT_EQ(-EAGAIN, vring_dev_pop(&r.dev, &r.chain));
		/* of a chain that has begun it is an error */
		t_rig_packed_desc(&r, 0, GPA, 1, 0, N | T_RIG_AVAILABLE(1));
		t_rig_packed_desc(&r, 1, GPA, 1, 0, flags[i]);
		EXPECT_EQ(-EINVAL, vring_dev_pop(&r.dev, &r.chain));
	}
	t_rig_exit(&r);
}

TEST(an_avail_index_that_jumps_or_goes_back_is_eproto)
{
	static const int16_t by[] = { NUM + 1, -1, -2, INT16_MAX, INT16_MIN };

	for (unsigned int i = 0; i < 5; i++) {
		struct t_rig r;

		ASSERT_EQ(0, t_rig_init(&r, 0, NUM));
		for (uint16_t head = 0; head < 3; head++) {
			offer_one(&r, 0, head, true);
			ASSERT_EQ(0, vring_dev_pop(&r.dev, &r.chain));
			vring_dev_push(&r.dev, &r.chain, 0);
		}
		r.ring.avail->idx = htole16(le16toh(r.ring.avail->idx) + by[i]);
		EXPECT_EQ(-EPROTO, vring_dev_pop(&r.dev, &r.chain)) TH_LOG("by %d", by[i]);
		t_rig_exit(&r);
	}
}

TEST(a_chain_of_more_than_4_gib_is_refused_before_it_is_taken)
{
	static const uint64_t features[] = { T_RIG_INDIRECT, T_RIG_INDIRECT | T_RIG_PACKED };

	for (int i = 0; i < 2; i++) {
		struct t_rig r;

		ASSERT_EQ(0, t_rig_init(&r, features[i], 512));
		/* a table of 4097 times the whole region */
		for (unsigned int n = 0; n < 4097; n++)
			put_table(&r, n,
				  &(const struct d){ GPA, T_RIG_BYTES, n < 4096 ? N : 0, 0 });
		free(r.chain.iov);
		r.chain.nr_iov = 8192;
		r.chain.iov = calloc(r.chain.nr_iov, sizeof(*r.chain.iov));
		if (t_rig_packed(&r)) {
			t_rig_packed_desc(&r, 0, TABLE, ENTRIES(4097), 0, I | T_RIG_AVAILABLE(1));
		} else {
			t_rig_desc(r.ring.desc, 0, TABLE, ENTRIES(4097), I, 0);
			t_rig_avail(&r, 0);
		}
		EXPECT_EQ(-EINVAL, vring_dev_pop(&r.dev, &r.chain));
		/* 4096 of them are 4 GiB, and right */
		if (t_rig_packed(&r))
			r.ring.ring[0].len = htole32(ENTRIES(4096));
		else
			r.tables[4095].flags = 0;
		EXPECT_EQ(0, vring_dev_pop(&r.dev, &r.chain));
		EXPECT_EQ(1ull << 32, r.chain.out_bytes);
		t_rig_exit(&r);
	}
}

/* --- a device that is hostile to its driver ------------------------------------------ */

static void use_packed(struct t_rig *r, unsigned int at, uint16_t id, uint32_t len)
{
	t_rig_packed_desc(r, at, 0, len, id, T_RIG_USED(1) | W);
}

TEST(the_driver_of_a_packed_ring_takes_back_what_it_gave_and_once)
{
	const struct vring_buf bufs[] = { { GPA, 1 }, { GPA, 4 } };
	static const uint16_t bad[] = { NUM, UINT16_MAX, 2 };
	uint32_t written;

	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct t_rig r;

		ASSERT_EQ(0, t_rig_init(&r, T_RIG_PACKED, NUM));
		ASSERT_EQ(0, vring_drv_add(&r.drv, bufs, 1, 1));
		ASSERT_EQ(1, vring_drv_add(&r.drv, bufs, 1, 1));
		use_packed(&r, 0, bad[i], 4);
		EXPECT_EQ(-EPROTO, vring_drv_get(&r.drv, &written)) TH_LOG("row %u", i);
		/* and right the other way round */
		use_packed(&r, 0, 1, 4);
		EXPECT_EQ(1, vring_drv_get(&r.drv, &written));
		EXPECT_EQ(4u, written);
		/* the same again */
		use_packed(&r, 2, 1, 4);
		EXPECT_EQ(-EPROTO, vring_drv_get(&r.drv, &written));
		t_rig_exit(&r);
	}
}

TEST_HARNESS_MAIN
