// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost's log of dirty pages, bit by bit: there is one for each page that was written
 * and for no other.
 */
#include <sys/mman.h>

#include "vhost.h"

#define PAGE 4096u
#define LOG_BYTES (64u << 10)
/* Of the buffers that are used here, in pages of the guest. */
#define BUFS ((T_VHOST_GPA + 2 * T_VHOST_QUEUE_BYTES + T_VHOST_RINGS_BYTES) / PAGE)

FIXTURE(log)
{
	struct net net;
	uint8_t *log;
	int event;
};

FIXTURE_SETUP(log)
{
	self->event = -1;
	NET_OR_SKIP(&self->net);
	self->log =
		mmap(NULL, LOG_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)self->log);
	self->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

FIXTURE_TEARDOWN(log)
{
	net_close(&self->net);
	close(self->event);
	munmap(self->log, LOG_BYTES);
}

/* The used ring is logged too, with its address in the guest, if @used. */
static int set_addr(const struct t_vhost *v, unsigned int queue, bool used)
{
	const struct vring_layout *layout = &v->queues[queue].layout;
	struct vhost_vring_addr addr = {
		.index = queue,
		.flags = used ? 1 << VHOST_VRING_F_LOG : 0,
		.desc_user_addr = (uintptr_t)layout->desc,
		.avail_user_addr = (uintptr_t)layout->avail,
		.used_user_addr = (uintptr_t)layout->used,
		.log_guest_addr = T_VHOST_GPA + ((uint8_t *)layout->used - v->mem),
	};

	return t_vhost_ioctl(v, VHOST_SET_VRING_ADDR, &addr);
}

static uint64_t page_of_used(const struct t_vhost *v, unsigned int queue)
{
	return (T_VHOST_GPA + ((uint8_t *)v->queues[queue].layout.used - v->mem)) / PAGE;
}

static void start(struct __test_metadata *_metadata, FIXTURE_DATA(log) * self, bool used)
{
	struct net *n = &self->net;
	uint64_t base = (uintptr_t)self->log;

	net_open(_metadata, n, BIT(VHOST_F_LOG_ALL));
	ASSERT_EQ(0, t_vhost_ioctl(&n->v, VHOST_SET_LOG_BASE, &base));
	ASSERT_EQ(0, t_vhost_ioctl(&n->v, VHOST_SET_LOG_FD, &self->event));
	ASSERT_EQ(0, set_addr(&n->v, RX, used));
	ASSERT_EQ(0, set_addr(&n->v, TX, used));
	ASSERT_EQ(0, t_vnet_backend(&n->v, n->tap.fds[0]));
	/* That kicks are wanted was written when the back-end came. */
	memset(self->log, 0, LOG_BYTES);
}

/* Takes it out; was it there? */
static bool take(FIXTURE_DATA(log) * self, uint64_t page)
{
	uint8_t bit = 1 << page % 8;
	bool was = self->log[page / 8] & bit;

	self->log[page / 8] &= ~bit;
	return was;
}

static bool is_clean(FIXTURE_DATA(log) * self)
{
	for (unsigned int i = 0; i < LOG_BYTES; i++)
		if (self->log[i])
			return false;
	return true;
}

/* A buffer at that many bytes behind the beginning of BUFS. */
static void give(struct __test_metadata *_metadata, struct t_vhost *v, uint32_t at, uint32_t len)
{
	const struct vring_buf buf = { .gpa = BUFS * PAGE + at, .len = len };

	ASSERT_LE(0, vring_drv_add(&v->queues[RX].drv, &buf, 0, 1));
	ASSERT_EQ(0, t_vhost_kick(v, RX));
}

/* One frame into it, of that many bytes with its header. */
static void receive(struct __test_metadata *_metadata, struct net *n, uint32_t bytes)
{
	uint64_t used = n->v.queues[RX].used;

	ASSERT_EQ(0, t_tap_send(&n->tap, bytes - T_VNET_HDR, 1));
	ASSERT_TRUE(EVENTUALLY(t_vhost_reap(&n->v, RX) == (int64_t)used + 1));
	/* The log comes after the used ring: wait until nothing is under way. */
	ASSERT_EQ(0, set_file(&n->v, VHOST_SET_VRING_KICK, RX, -1));
	ASSERT_EQ(0, set_file(&n->v, VHOST_SET_VRING_KICK, RX, n->v.queues[RX].kick));
}

TEST_F_TIMEOUT(log, has_the_pages_of_what_was_received_and_no_others, SLOW)
{
	struct net *n = &self->net;

	start(_metadata, self, false);
	give(_metadata, &n->v, 5 * PAGE, 2048);
	receive(_metadata, n, 1000);
	EXPECT_TRUE(take(self, BUFS + 5));
	EXPECT_TRUE(is_clean(self));
	/* A long buffer, in which one page is used. */
	give(_metadata, &n->v, 9 * PAGE, 4 * PAGE);
	receive(_metadata, n, 500);
	EXPECT_TRUE(take(self, BUFS + 9));
	EXPECT_TRUE(is_clean(self));
	/* The last byte of the one and the first of the next. */
	give(_metadata, &n->v, 20 * PAGE - 1000, 2048);
	receive(_metadata, n, 1001);
	EXPECT_TRUE(take(self, BUFS + 19));
	EXPECT_TRUE(take(self, BUFS + 20));
	EXPECT_TRUE(is_clean(self));
	give(_metadata, &n->v, 30 * PAGE - 1000, 2048);
	receive(_metadata, n, 1000);
	EXPECT_TRUE(take(self, BUFS + 29));
	EXPECT_TRUE(is_clean(self));
	EXPECT_EQ(0, t_poll_until(self->event, T_DEADLINE_MS));
}

TEST_F_TIMEOUT(log, has_the_used_ring_if_that_is_asked_for, SLOW)
{
	struct net *n = &self->net;

	start(_metadata, self, true);
	give(_metadata, &n->v, 5 * PAGE, 2048);
	receive(_metadata, n, 1000);
	EXPECT_TRUE(take(self, BUFS + 5));
	EXPECT_TRUE(take(self, page_of_used(&n->v, RX)));
	/* The flags of the other's, on which work was begun for its kick. */
	take(self, page_of_used(&n->v, TX));
	EXPECT_TRUE(is_clean(self));
}

TEST_F_TIMEOUT(log, has_nothing_that_was_transmitted, SLOW)
{
	struct net *n = &self->net;

	start(_metadata, self, false);
	for (uint32_t i = 0; i < 20; i++) {
		ASSERT_EQ(0, t_vnet_transmit(&n->v, 1000, i));
		ASSERT_EQ(0, t_tap_expect(&n->tap, 1000, i));
	}
	ASSERT_TRUE(EVENTUALLY(t_vhost_reap(&n->v, TX) == 20));
	ASSERT_EQ(0, set_file(&n->v, VHOST_SET_VRING_KICK, TX, -1));
	EXPECT_TRUE(is_clean(self));
}

TEST_F_TIMEOUT(log, has_a_buffer_of_pieces_as_far_as_it_was_written, SLOW)
{
	struct net *n = &self->net;
	const struct vring_buf pieces[] = {
		{ .gpa = (BUFS + 40) * PAGE, .len = 300 },
		{ .gpa = (BUFS + 44) * PAGE, .len = 300 },
		{ .gpa = (BUFS + 48) * PAGE, .len = 2000 },
		{ .gpa = (BUFS + 52) * PAGE, .len = 2000 },
	};

	start(_metadata, self, false);
	ASSERT_LE(0, vring_drv_add(&n->v.queues[RX].drv, pieces, 0, 4));
	ASSERT_EQ(0, t_vhost_kick(&n->v, RX));
	receive(_metadata, n, 700);
	EXPECT_TRUE(take(self, BUFS + 40));
	EXPECT_TRUE(take(self, BUFS + 44));
	EXPECT_TRUE(take(self, BUFS + 48));
	EXPECT_TRUE(is_clean(self));
}

TEST_F_TIMEOUT(log, ends_with_the_feature_and_begins_with_it, SLOW)
{
	struct net *n = &self->net;
	uint64_t features = BIT(VIRTIO_F_VERSION_1);

	start(_metadata, self, false);
	ASSERT_EQ(0, t_vhost_ioctl(&n->v, VHOST_SET_FEATURES, &features));
	give(_metadata, &n->v, 5 * PAGE, 2048);
	receive(_metadata, n, 1000);
	EXPECT_TRUE(is_clean(self));
	features |= BIT(VHOST_F_LOG_ALL);
	ASSERT_EQ(0, t_vhost_ioctl(&n->v, VHOST_SET_FEATURES, &features));
	give(_metadata, &n->v, 6 * PAGE, 2048);
	receive(_metadata, n, 1000);
	EXPECT_TRUE(take(self, BUFS + 6));
	EXPECT_TRUE(is_clean(self));
}

TEST_F_TIMEOUT(log, moves_with_its_base, SLOW)
{
	struct net *n = &self->net;
	uint8_t *other =
		mmap(NULL, LOG_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t base = (uintptr_t)other;

	ASSERT_NE(MAP_FAILED, (void *)other);
	start(_metadata, self, false);
	ASSERT_EQ(0, t_vhost_ioctl(&n->v, VHOST_SET_LOG_BASE, &base));
	give(_metadata, &n->v, 5 * PAGE, 2048);
	receive(_metadata, n, 1000);
	EXPECT_TRUE(is_clean(self));
	EXPECT_EQ(1 << (BUFS + 5) % 8, other[(BUFS + 5) / 8]);
	munmap(other, LOG_BYTES);
}

TEST_F_TIMEOUT(log, base_is_an_address_of_the_process, SLOW)
{
	struct net *n = &self->net;
	uint64_t base = UINT64_C(0xffff888000000000);

	start(_metadata, self, false);
	EXPECT_EQ(-EFAULT, t_vhost_ioctl(&n->v, VHOST_SET_LOG_BASE, &base));
	give(_metadata, &n->v, 5 * PAGE, 2048);
	receive(_metadata, n, 1000);
	EXPECT_TRUE(take(self, BUFS + 5));
}

/* A log that ends is not written beyond its end, and the frames arrive. */
TEST_F_TIMEOUT(log, that_is_unmapped_stops_no_traffic, SLOW)
{
	struct net *n = &self->net;

	start(_metadata, self, false);
	munmap(self->log, LOG_BYTES);
	give(_metadata, &n->v, 5 * PAGE, 2048);
	receive(_metadata, n, 1000);
	EXPECT_FALSE(had_error(n));
	self->log = mmap(self->log, LOG_BYTES, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)self->log);
	give(_metadata, &n->v, 6 * PAGE, 2048);
	receive(_metadata, n, 1000);
	EXPECT_TRUE(take(self, BUFS + 6));
	EXPECT_TRUE(is_clean(self));
}

TEST_HARNESS_MAIN
