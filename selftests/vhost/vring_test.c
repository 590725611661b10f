// SPDX-License-Identifier: GPL-2.0-only
/*
 * What vhost lets a virtqueue be: sizes, indices, addresses, eventfds, features; what
 * may change while it works; and what is wrong in the memory that its driver writes.
 */
#include "vhost.h"

FIXTURE(vring)
{
	struct t_vhost v;
};

FIXTURE_VARIANT(vring)
{
	const char *path;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(vring, net) { .path = "/dev/vhost-net" };
FIXTURE_VARIANT_ADD(vring, vsock) { .path = "/dev/vhost-vsock" };
/* clang-format on */

FIXTURE_SETUP(vring)
{
	OPEN_VHOST_OR_SKIP(&self->v.fd, "vhost-net");
	close(self->v.fd);
	OPEN_VHOST_OR_SKIP(&self->v.fd, "vhost-vsock");
	close(self->v.fd);
	ASSERT_EQ(0, t_vhost_open(&self->v, variant->path, BIT(VIRTIO_F_VERSION_1)));
}

FIXTURE_TEARDOWN(vring)
{
	t_vhost_close(&self->v);
}

static int set_state(const struct t_vhost *v, unsigned long nr, unsigned int queue,
		     unsigned int num)
{
	struct vhost_vring_state state = { .index = queue, .num = num };

	return t_vhost_ioctl(v, nr, &state);
}

static int get_base(const struct t_vhost *v, unsigned int queue)
{
	struct vhost_vring_state state = { .index = queue, .num = 12345678 };
	int ret = t_vhost_ioctl(v, VHOST_GET_VRING_BASE, &state);

	return ret ? ret : (int)state.num;
}

TEST_F(vring, size_is_a_power_of_two_of_16_bits)
{
	static const unsigned int wrong[] = { 0, 3, 255, 65535, 65536, 1u << 31, ~0u };

	for (unsigned int num = 1; num < 65536; num *= 2) {
		EXPECT_EQ(0, set_state(&self->v, VHOST_SET_VRING_NUM, RX, num));
	}
	for (unsigned int i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		EXPECT_EQ(-EINVAL, set_state(&self->v, VHOST_SET_VRING_NUM, RX, wrong[i]))
		{
			TH_LOG("%u", wrong[i]);
		}
	}
}

TEST_F(vring, base_is_an_index_of_16_bits)
{
	EXPECT_EQ(0, set_state(&self->v, VHOST_SET_VRING_BASE, TX, 65535));
	EXPECT_EQ(65535, get_base(&self->v, TX));
	EXPECT_EQ(-EINVAL, set_state(&self->v, VHOST_SET_VRING_BASE, TX, 65536));
	EXPECT_EQ(-EINVAL, set_state(&self->v, VHOST_SET_VRING_BASE, TX, ~0u));
	EXPECT_EQ(65535, get_base(&self->v, TX));
	EXPECT_EQ(0, get_base(&self->v, RX));
}

TEST_F(vring, number_is_one_that_the_device_has)
{
	static const unsigned long requests[] = {
		VHOST_SET_VRING_NUM,	VHOST_SET_VRING_BASE,
		VHOST_GET_VRING_BASE,	VHOST_SET_VRING_KICK,
		VHOST_SET_VRING_CALL,	VHOST_SET_VRING_ERR,
		VHOST_SET_VRING_ENDIAN, VHOST_SET_VRING_BUSYLOOP_TIMEOUT,
	};
	struct vhost_vring_addr addr = { .index = 2 };

	for (unsigned int i = 0; i < sizeof(requests) / sizeof(*requests); i++) {
		EXPECT_EQ(-ENOBUFS, set_state(&self->v, requests[i], 2, 0));
		EXPECT_EQ(-ENOBUFS, set_state(&self->v, requests[i], ~0u, 0));
	}
	EXPECT_EQ(-ENOBUFS, t_vhost_ioctl(&self->v, VHOST_SET_VRING_ADDR, &addr));
}

static int set_addr(const struct t_vhost *v, uint64_t avail, uint64_t used, uint64_t log,
		    unsigned int flags)
{
	struct vhost_vring_addr addr = {
		.index = TX,
		.flags = flags,
		.desc_user_addr = (uintptr_t)v->queues[TX].layout.desc,
		.avail_user_addr = (uintptr_t)v->queues[TX].layout.avail + avail,
		.used_user_addr = (uintptr_t)v->queues[TX].layout.used + used,
		.log_guest_addr = log,
	};

	return t_vhost_ioctl(v, VHOST_SET_VRING_ADDR, &addr);
}

TEST_F(vring, addresses_are_aligned_as_the_specification_says)
{
	EXPECT_EQ(0, set_addr(&self->v, 0, 0, 0, 0));
	EXPECT_EQ(-EINVAL, set_addr(&self->v, 1, 0, 0, 0));
	EXPECT_EQ(0, set_addr(&self->v, 2, 0, 0, 0));
	for (unsigned int by = 1; by < 4; by++) {
		EXPECT_EQ(-EINVAL, set_addr(&self->v, 0, by, 0, 0));
		EXPECT_EQ(-EINVAL, set_addr(&self->v, 0, 0, T_VHOST_GPA + by, 0));
	}
	EXPECT_EQ(0, set_addr(&self->v, 0, 4, 0, 0));
	EXPECT_EQ(0, set_addr(&self->v, 0, 0, T_VHOST_GPA, 1 << VHOST_VRING_F_LOG));
	for (unsigned int bit = 1; bit < 32; bit++) {
		EXPECT_EQ(-EOPNOTSUPP, set_addr(&self->v, 0, 0, 0, 1u << bit));
	}
}

/* The one for the log is the device's and no virtqueue's. */
static int set_eventfd(const struct t_vhost *v, unsigned long nr, int fd)
{
	return nr == VHOST_SET_LOG_FD ? t_vhost_ioctl(v, nr, &fd) : set_file(v, nr, TX, fd);
}

TEST_F(vring, eventfds_are_eventfds)
{
	static const unsigned long requests[] = { VHOST_SET_VRING_KICK, VHOST_SET_VRING_CALL,
						  VHOST_SET_VRING_ERR, VHOST_SET_LOG_FD };
	int right = eventfd(0, EFD_CLOEXEC);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (unsigned int i = 0; i < sizeof(requests) / sizeof(*requests); i++) {
		EXPECT_EQ(0, set_eventfd(&self->v, requests[i], right));
		EXPECT_EQ(-EBADF, set_eventfd(&self->v, requests[i], -2));
		EXPECT_EQ(-EINVAL, set_eventfd(&self->v, requests[i], null));
		EXPECT_EQ(-EINVAL, set_eventfd(&self->v, requests[i], self->v.fd));
		EXPECT_EQ(0, set_eventfd(&self->v, requests[i], -1));
		EXPECT_EQ(0, set_eventfd(&self->v, requests[i], -1));
	}
	close(right);
	close(null);
}

TEST_F(vring, features_are_those_that_were_offered)
{
	uint64_t offered, backend, some;

	ASSERT_EQ(0, t_vhost_ioctl(&self->v, VHOST_GET_FEATURES, &offered));
	EXPECT_NE(0u, offered & BIT(VIRTIO_F_VERSION_1));
	EXPECT_NE(0u, offered & BIT(VIRTIO_RING_F_INDIRECT_DESC));
	EXPECT_NE(0u, offered & BIT(VIRTIO_RING_F_EVENT_IDX));
	EXPECT_NE(0u, offered & BIT(VHOST_F_LOG_ALL));
	EXPECT_EQ(0u, offered & BIT(VIRTIO_F_RING_PACKED));
	ASSERT_EQ(0, t_vhost_ioctl(&self->v, VHOST_GET_BACKEND_FEATURES, &backend));
	for (unsigned int bit = 0; bit < 64; bit++) {
		some = BIT(bit);
		EXPECT_EQ(offered & some ? 0 : -EOPNOTSUPP,
			  t_vhost_ioctl(&self->v, VHOST_SET_FEATURES, &some))
		{
			TH_LOG("feature %u", bit);
		}
		EXPECT_EQ(backend & some ? 0 : -EOPNOTSUPP,
			  t_vhost_ioctl(&self->v, VHOST_SET_BACKEND_FEATURES, &some))
		{
			TH_LOG("feature %u of the back-end", bit);
		}
	}
	EXPECT_EQ(0, t_vhost_ioctl(&self->v, VHOST_SET_FEATURES, &offered));
}

TEST_F(vring, endianness_is_there_with_its_option_only)
{
	int ret = set_state(&self->v, VHOST_SET_VRING_ENDIAN, TX, VHOST_VRING_LITTLE_ENDIAN);

	if (ret == -ENOTTY) {
		EXPECT_EQ(-ENOTTY, set_state(&self->v, VHOST_GET_VRING_ENDIAN, TX, 0));
		return;
	}
	EXPECT_EQ(0, ret);
	EXPECT_EQ(-EINVAL, set_state(&self->v, VHOST_SET_VRING_ENDIAN, TX, 2));
	EXPECT_EQ(0, set_state(&self->v, VHOST_GET_VRING_ENDIAN, TX, 0));
}

TEST_F(vring, busy_polling_has_a_time_of_its_own_in_each)
{
	struct vhost_vring_state state = { .index = TX };

	EXPECT_EQ(0, set_state(&self->v, VHOST_SET_VRING_BUSYLOOP_TIMEOUT, TX, 50));
	EXPECT_EQ(0, t_vhost_ioctl(&self->v, VHOST_GET_VRING_BUSYLOOP_TIMEOUT, &state));
	EXPECT_EQ(50u, state.num);
	state.index = RX;
	EXPECT_EQ(0, t_vhost_ioctl(&self->v, VHOST_GET_VRING_BUSYLOOP_TIMEOUT, &state));
	EXPECT_EQ(0u, state.num);
}

/* --- at work --------------------------------------------------------------------------- */

FIXTURE(busy)
{
	struct net net;
};

FIXTURE_SETUP(busy)
{
	NET_OR_SKIP(&self->net);
	net_start(_metadata, &self->net, BIT(VIRTIO_RING_F_INDIRECT_DESC));
}

FIXTURE_TEARDOWN(busy)
{
	net_close(&self->net);
}

/* What it does is not what was changed. */
static void expect_traffic(struct __test_metadata *_metadata, struct net *n, uint32_t number)
{
	ASSERT_EQ(0, t_vnet_transmit(&n->v, 200, number));
	EXPECT_EQ(0, t_tap_expect(&n->tap, 200, number));
	EXPECT_TRUE(EVENTUALLY(t_vhost_reap(&n->v, TX) == (int64_t)n->v.queues[TX].next));
}

TEST_F_TIMEOUT(busy, size_and_base_do_not_change_under_a_back_end, SLOW)
{
	struct net *n = &self->net;

	expect_traffic(_metadata, n, 0);
	EXPECT_EQ(-EBUSY, set_state(&n->v, VHOST_SET_VRING_NUM, TX, 256));
	EXPECT_EQ(-EBUSY, set_state(&n->v, VHOST_SET_VRING_NUM, TX, T_VHOST_NUM));
	EXPECT_EQ(-EBUSY, set_state(&n->v, VHOST_SET_VRING_BASE, TX, 0));
	expect_traffic(_metadata, n, 1);
	ASSERT_EQ(0, t_vnet_backend(&n->v, -1));
	EXPECT_EQ(2, get_base(&n->v, TX));
	EXPECT_EQ(0, set_state(&n->v, VHOST_SET_VRING_NUM, TX, T_VHOST_NUM));
	EXPECT_EQ(0, set_state(&n->v, VHOST_SET_VRING_BASE, TX, 2));
	ASSERT_EQ(0, t_vnet_backend(&n->v, n->tap.fds[0]));
	expect_traffic(_metadata, n, 2);
}

/* Without a back-end they are looked at when it comes: the size might not be known. */
TEST_F_TIMEOUT(busy, addresses_of_the_kernel_are_refused, SLOW)
{
	const uint64_t kernel = UINT64_C(0xffff888000000000) - (uintptr_t)self->net.v.mem;
	struct net *n = &self->net;

	EXPECT_EQ(-EINVAL, set_addr(&n->v, kernel, 0, 0, 0));
	EXPECT_EQ(-EINVAL, set_addr(&n->v, 0, kernel, 0, 0));
	EXPECT_EQ(0, set_addr(&n->v, 0, 0, 0, 0));
	expect_traffic(_metadata, n, 0);
	ASSERT_EQ(0, t_vnet_backend(&n->v, -1));
	EXPECT_EQ(0, set_addr(&n->v, kernel, 0, 0, 0));
	EXPECT_EQ(-EFAULT, set_file(&n->v, VHOST_NET_SET_BACKEND, TX, n->tap.fds[0]));
	EXPECT_EQ(0, set_addr(&n->v, 0, 0, 0, 0));
	ASSERT_EQ(0, t_vnet_backend(&n->v, n->tap.fds[0]));
	expect_traffic(_metadata, n, 1);
}

TEST_F_TIMEOUT(busy, memory_that_is_not_mapped_is_no_ring, SLOW)
{
	struct net *n = &self->net;
	/* The second page of all, where no process may map anything. */
	const uint64_t hole = 4096 - (uintptr_t)n->v.queues[TX].layout.used;

	ASSERT_EQ(0, t_vnet_backend(&n->v, -1));
	ASSERT_EQ(0, set_addr(&n->v, 0, hole, 0, 0));
	EXPECT_EQ(-EFAULT, set_file(&n->v, VHOST_NET_SET_BACKEND, TX, n->tap.fds[0]));
	EXPECT_EQ(0, set_addr(&n->v, 0, 0, 0, 0));
	ASSERT_EQ(0, t_vnet_backend(&n->v, n->tap.fds[0]));
	expect_traffic(_metadata, n, 0);
}

TEST_F_TIMEOUT(busy, base_is_what_has_been_taken, SLOW)
{
	struct net *n = &self->net;

	for (uint32_t i = 0; i < 100; i++)
		expect_traffic(_metadata, n, i);
	ASSERT_EQ(0, t_vnet_give(&n->v, 10));
	for (uint32_t i = 0; i < 3; i++) {
		ASSERT_EQ(0, t_tap_send(&n->tap, 100, i));
		ASSERT_EQ(0, t_vnet_expect(&n->v, 100, i));
	}
	ASSERT_EQ(0, t_vnet_backend(&n->v, -1));
	EXPECT_EQ(100, get_base(&n->v, TX));
	EXPECT_EQ(3, get_base(&n->v, RX));
}

TEST_F_TIMEOUT(busy, without_a_call_eventfd_it_works_in_silence, SLOW)
{
	struct net *n = &self->net;

	expect_traffic(_metadata, n, 0);
	EXPECT_TRUE(EVENTUALLY(t_vhost_calls(&n->v, TX) == 1));
	ASSERT_EQ(0, set_file(&n->v, VHOST_SET_VRING_CALL, TX, -1));
	for (uint32_t i = 1; i < 10; i++)
		expect_traffic(_metadata, n, i);
	/* After this ioctl none is under way. */
	ASSERT_EQ(0, set_file(&n->v, VHOST_SET_VRING_CALL, TX, n->v.queues[TX].call));
	EXPECT_EQ(1u, t_vhost_calls(&n->v, TX));
	expect_traffic(_metadata, n, 10);
	EXPECT_TRUE(EVENTUALLY(t_vhost_calls(&n->v, TX) == 2));
}

TEST_F_TIMEOUT(busy, a_kick_eventfd_that_was_taken_away_is_not_heard, SLOW)
{
	struct net *n = &self->net;
	int other = eventfd(0, EFD_CLOEXEC);

	expect_traffic(_metadata, n, 0);
	ASSERT_EQ(0, set_file(&n->v, VHOST_SET_VRING_KICK, TX, other));
	ASSERT_EQ(0, t_vnet_transmit(&n->v, 200, 1));
	/* What would have been done has been by then. */
	ASSERT_EQ(0, set_file(&n->v, VHOST_SET_VRING_KICK, RX, -1));
	EXPECT_TRUE(t_tap_is_silent(&n->tap));
	ASSERT_EQ(0, eventfd_write(other, 1));
	EXPECT_EQ(0, t_tap_expect(&n->tap, 200, 1));
	close(other);
}

/* --- what a driver gets wrong, in its second chain ------------------------------------- */

static void wild_address(struct t_vhost *v, uint16_t head)
{
	v->queues[TX].layout.desc[head].addr = htole64(BIT(40));
}

static void address_that_wraps(struct t_vhost *v, uint16_t head)
{
	v->queues[TX].layout.desc[head].addr = htole64(UINT64_MAX - 16);
}

static void loop(struct t_vhost *v, uint16_t head)
{
	v->queues[TX].layout.desc[head].flags = htole16(VRING_DESC_F_NEXT);
	v->queues[TX].layout.desc[head].next = htole16(head);
}

static void next_beyond_the_end(struct t_vhost *v, uint16_t head)
{
	v->queues[TX].layout.desc[head].flags = htole16(VRING_DESC_F_NEXT);
	v->queues[TX].layout.desc[head].next = htole16(T_VHOST_NUM);
}

static void head_beyond_the_end(struct t_vhost *v, uint16_t head)
{
	(void)head;
	v->queues[TX].layout.avail->ring[1] = htole16(T_VHOST_NUM);
}

static void index_too_far(struct t_vhost *v, uint16_t head)
{
	(void)head;
	v->queues[TX].layout.avail->idx = htole16(1 + T_VHOST_NUM + 1);
}

static void index_backwards(struct t_vhost *v, uint16_t head)
{
	(void)head;
	v->queues[TX].layout.avail->idx = 0;
}

static void writable(struct t_vhost *v, uint16_t head)
{
	v->queues[TX].layout.desc[head].flags = htole16(VRING_DESC_F_WRITE);
}

static void odd_indirect(struct t_vhost *v, uint16_t head)
{
	v->queues[TX].layout.desc[head].flags = htole16(VRING_DESC_F_INDIRECT);
	v->queues[TX].layout.desc[head].len = htole32(17);
}

static void empty_indirect(struct t_vhost *v, uint16_t head)
{
	v->queues[TX].layout.desc[head].flags = htole16(VRING_DESC_F_INDIRECT);
	v->queues[TX].layout.desc[head].len = 0;
}

static void nested_indirect(struct t_vhost *v, uint16_t head)
{
	struct vring_desc *table = (void *)(v->queues[TX].bufs + T_VHOST_BUF);

	*table = v->queues[TX].layout.desc[head];
	table->flags = htole16(VRING_DESC_F_INDIRECT);
	v->queues[TX].layout.desc[head].flags = htole16(VRING_DESC_F_INDIRECT);
	v->queues[TX].layout.desc[head].len = htole32(sizeof(*table));
}

static void huge_indirect(struct t_vhost *v, uint16_t head)
{
	v->queues[TX].layout.desc[head].flags = htole16(VRING_DESC_F_INDIRECT);
	v->queues[TX].layout.desc[head].len = htole32(65537 * sizeof(struct vring_desc));
}

FIXTURE(mistake)
{
	struct net net;
};

/* clang-format off */
FIXTURE_VARIANT(mistake)
{
	void (*make)(struct t_vhost *v, uint16_t head);
};

FIXTURE_VARIANT_ADD(mistake, wild_address) { .make = wild_address };
FIXTURE_VARIANT_ADD(mistake, address_that_wraps) { .make = address_that_wraps };
FIXTURE_VARIANT_ADD(mistake, loop) { .make = loop };
FIXTURE_VARIANT_ADD(mistake, next_beyond_the_end) { .make = next_beyond_the_end };
FIXTURE_VARIANT_ADD(mistake, head_beyond_the_end) { .make = head_beyond_the_end };
FIXTURE_VARIANT_ADD(mistake, index_too_far) { .make = index_too_far };
FIXTURE_VARIANT_ADD(mistake, index_backwards) { .make = index_backwards };
FIXTURE_VARIANT_ADD(mistake, writable) { .make = writable };
FIXTURE_VARIANT_ADD(mistake, odd_indirect) { .make = odd_indirect };
FIXTURE_VARIANT_ADD(mistake, empty_indirect) { .make = empty_indirect };
FIXTURE_VARIANT_ADD(mistake, nested_indirect) { .make = nested_indirect };
FIXTURE_VARIANT_ADD(mistake, huge_indirect) { .make = huge_indirect };
/* clang-format on */

FIXTURE_SETUP(mistake)
{
	NET_OR_SKIP(&self->net);
	net_start(_metadata, &self->net, BIT(VIRTIO_RING_F_INDIRECT_DESC));
}

FIXTURE_TEARDOWN(mistake)
{
	net_close(&self->net);
}

TEST_F_TIMEOUT(mistake, is_told_by_the_error_eventfd_and_can_be_mended, SLOW)
{
	struct net *n = &self->net;

	int none = -1;

	expect_traffic(_metadata, n, 0);
	/* Returns when nothing is under way any more that could see half of it. */
	ASSERT_EQ(0, t_vhost_ioctl(&n->v, VHOST_SET_LOG_FD, &none));
	ASSERT_EQ(0, t_vnet_stage(&n->v, 200, 1));
	variant->make(&n->v, le16toh(n->v.queues[TX].layout.avail->ring[1]));
	EXPECT_FALSE(had_error(n));
	ASSERT_EQ(0, t_vhost_kick(&n->v, TX));
	EXPECT_TRUE(has_error(n));
	EXPECT_TRUE(t_tap_is_silent(&n->tap));
	ASSERT_EQ(0, net_restart(n));
	expect_traffic(_metadata, n, 2);
	EXPECT_FALSE(had_error(n));
}

TEST_HARNESS_MAIN
