// SPDX-License-Identifier: GPL-2.0-only
/*
 * The back-end's state machine: what may be set when, to what, and that a refused
 * request changes nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <vringlab/fd.h>
#include <vringlab/loop_spin.h>
#include <vringlab/vdev_net.h>
#include <vringlab/vring_inflight.h>

#include "kselftest_harness.h"
#include "t.h"
#include "t_fds.h"
#include "t_peer.h"
#include "t_ring.h"
#include "t_served_set.h"

FIXTURE(backend)
{
	struct t_served s;
	struct t_ring ring;
	int fds_before;
};

FIXTURE_SETUP(backend)
{
	int ret;

	memset(self, 0, sizeof(*self));
	ASSERT_EQ(0, t_ring_create(&self->ring));
	self->fds_before = t_fds_count(0);
	ret = t_served_start(&self->s);
	if (ret == -EPERM || ret == -ENOSYS)
		SKIP(return, "io_uring is disabled: sysctl kernel.io_uring_disabled=0");
	ASSERT_EQ(0, ret);
	ASSERT_EQ(0, t_served_negotiate(&self->s));
}

FIXTURE_TEARDOWN(backend)
{
	t_served_stop(&self->s);
	EXPECT_EQ(self->fds_before, t_fds_count(0));
	t_ring_destroy(&self->ring);
}

static int echo(struct t_ring *ring)
{
	return t_ring_echo(ring, "vringlab", 8, T_DEADLINE_MS);
}

/* Is a virtqueue where one was refused still fit to be used? */
static int still_works(struct t_served *s, struct t_ring *ring)
{
	int ret = t_served_set_up(s, ring, 0);

	return ret ? ret : echo(ring);
}

TEST_F(backend, an_index_out_of_range_is_refused_in_every_message_that_has_one)
{
	static const uint32_t states[] = { VU_SET_VRING_NUM, VU_SET_VRING_BASE,
					   VU_SET_VRING_ENABLE };
	static const uint32_t fds[] = { VU_SET_VRING_KICK, VU_SET_VRING_CALL, VU_SET_VRING_ERR };
	static const uint32_t bad[] = { T_SERVED_QUEUES, 255, 256, 1u << 31, UINT32_MAX };
	struct vu_vring_addr addr = t_served_addr(&self->ring, 0);

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		for (size_t j = 0; j < 3; j++)
			EXPECT_LT(0, t_served_set_state(&self->s, states[j], bad[i], 1));
		addr.index = bad[i];
		EXPECT_LT(0, t_served_set_addr(&self->s, &addr));
		for (size_t j = 0; j < 3 && bad[i] < 256; j++)
			EXPECT_LT(0, t_served_set_fd(&self->s, fds[j], bad[i], self->ring.kick));
	}
	EXPECT_EQ(0, still_works(&self->s, &self->ring));
}

TEST_F(backend, a_size_is_a_power_of_two_up_to_32768)
{
	static const uint32_t bad[] = { 0, 3, 5, 100, 32769, 65536, 1u << 31, UINT32_MAX };

	for (uint32_t num = 1; num <= 32768; num *= 2)
		EXPECT_EQ(0, t_served_set_state(&self->s, VU_SET_VRING_NUM, 0, num));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		EXPECT_EQ(EINVAL, t_served_set_state(&self->s, VU_SET_VRING_NUM, 0, bad[i]));
}

TEST_F(backend, a_base_has_16_bits)
{
	uint32_t base;

	EXPECT_EQ(EINVAL, t_served_set_state(&self->s, VU_SET_VRING_BASE, 1, 65536));
	EXPECT_EQ(0, t_served_set_state(&self->s, VU_SET_VRING_BASE, 1, 65535));
	EXPECT_EQ(0, t_served_stop_vring(&self->s, 1, &base));
	EXPECT_EQ(65535u, base);
}

TEST_F(backend, an_address_that_is_not_aligned_is_refused)
{
	struct vu_vring_addr addr = t_served_addr(&self->ring, 0);

	addr.desc += 8;
	EXPECT_EQ(EINVAL, t_served_set_addr(&self->s, &addr));
	addr = t_served_addr(&self->ring, 0);
	addr.avail += 1;
	EXPECT_EQ(EINVAL, t_served_set_addr(&self->s, &addr));
	addr = t_served_addr(&self->ring, 0);
	addr.used += 2;
	EXPECT_EQ(EINVAL, t_served_set_addr(&self->s, &addr));
	addr = t_served_addr(&self->ring, 0);
	addr.flags = 2;
	EXPECT_EQ(EINVAL, t_served_set_addr(&self->s, &addr));
}

TEST_F(backend, an_address_outside_of_the_memory_is_refused)
{
	const uint64_t end = T_RING_UVA + T_RING_MEM_BYTES;
	const uint64_t bad[] = { 0, T_RING_GPA, T_RING_UVA - 16, end - 16, end, UINT64_MAX - 15 };
	struct vu_mem_table mem = t_served_mem();
	struct vu_vring_addr addr;

	ASSERT_EQ(0, t_served_set_mem(&self->s, &mem, self->ring.memfd));
	ASSERT_EQ(0, t_served_set_state(&self->s, VU_SET_VRING_NUM, 0, T_RING_NUM));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		addr = t_served_addr(&self->ring, 0);
		addr.desc = bad[i];
		EXPECT_EQ(EFAULT, t_served_set_addr(&self->s, &addr)) TH_LOG("desc %zu", i);
		addr = t_served_addr(&self->ring, 0);
		addr.avail = bad[i];
		EXPECT_EQ(EFAULT, t_served_set_addr(&self->s, &addr)) TH_LOG("avail %zu", i);
		addr = t_served_addr(&self->ring, 0);
		addr.used = bad[i];
		EXPECT_EQ(EFAULT, t_served_set_addr(&self->s, &addr)) TH_LOG("used %zu", i);
	}
	EXPECT_EQ(0, still_works(&self->s, &self->ring));
}

TEST_F(backend, a_bad_memory_table_leaves_the_old_one_in_use)
{
	struct vu_mem_table mem = t_served_mem();
	int other = memfd_create("other", MFD_CLOEXEC);

	ASSERT_EQ(0, t_served_set_up(&self->s, &self->ring, 0));
	ASSERT_EQ(0, echo(&self->ring));

	mem.regions[0].size = 0;
	EXPECT_EQ(EINVAL, t_served_set_mem(&self->s, &mem, self->ring.memfd));
	mem = t_served_mem();
	mem.regions[0].size = T_RING_MEM_BYTES + 1;
	EXPECT_EQ(ENXIO, t_served_set_mem(&self->s, &mem, self->ring.memfd));
	mem = t_served_mem();
	mem.regions[0].mmap_offset = 1;
	EXPECT_EQ(EINVAL, t_served_set_mem(&self->s, &mem, self->ring.memfd));
	mem = t_served_mem();
	mem.regions[0].guest_addr = UINT64_MAX;
	EXPECT_EQ(EINVAL, t_served_set_mem(&self->s, &mem, self->ring.memfd));
	mem = t_served_mem();
	mem.nr_regions = 2;
	mem.regions[1] = mem.regions[0];
	EXPECT_EQ(EEXIST, t_served_set_mem(&self->s, &mem, self->ring.memfd));
	/* an empty file */
	mem = t_served_mem();
	EXPECT_EQ(ENXIO, t_served_set_mem(&self->s, &mem, other));
	/* one that does not hold the ring that runs */
	ASSERT_EQ(0, ftruncate(other, T_RING_MEM_BYTES));
	mem.regions[0].user_addr += 1ull << 30;
	EXPECT_EQ(EFAULT, t_served_set_mem(&self->s, &mem, other));
	EXPECT_EQ(0, echo(&self->ring));
	close(other);
}

static int tell_regions(struct t_served *s, uint32_t nr, uint32_t size, unsigned int nr_fds, int fd)
{
	struct vu_mem_table mem = t_served_mem();
	const int fds[8] = { fd, fd, fd, fd, fd, fd, fd, fd };

	mem.nr_regions = nr;
	return t_served_tell(s, VU_SET_MEM_TABLE, &mem, size, fds, nr_fds);
}

TEST_F(backend, a_memory_table_that_contradicts_itself_is_refused)
{
	EXPECT_EQ(EINVAL, tell_regions(&self->s, 0, 8, 0, self->ring.memfd));
	EXPECT_EQ(EINVAL, tell_regions(&self->s, 9, 264, 8, self->ring.memfd));
	EXPECT_EQ(EINVAL, tell_regions(&self->s, UINT32_MAX, 40, 1, self->ring.memfd));
	EXPECT_EQ(EMSGSIZE, tell_regions(&self->s, 2, 40, 2, self->ring.memfd));
	EXPECT_EQ(EINVAL, tell_regions(&self->s, 1, 40, 0, self->ring.memfd));
	EXPECT_EQ(EINVAL, tell_regions(&self->s, 1, 40, 2, self->ring.memfd));
	EXPECT_EQ(0, still_works(&self->s, &self->ring));
}

TEST_F(backend, a_running_ring_moves_with_a_new_memory_table)
{
	struct vu_mem_table mem = t_served_mem();

	ASSERT_EQ(0, t_served_set_up(&self->s, &self->ring, 0));
	for (int i = 0; i < 100; i++) {
		ASSERT_EQ(0, echo(&self->ring));
		ASSERT_EQ(0, t_served_set_mem(&self->s, &mem, self->ring.memfd));
	}
}

TEST_F(backend, a_running_ring_keeps_its_size_addresses_and_base)
{
	struct vu_vring_addr addr = t_served_addr(&self->ring, 0);

	ASSERT_EQ(0, t_served_set_up(&self->s, &self->ring, 0));
	ASSERT_EQ(0, echo(&self->ring));
	EXPECT_EQ(EBUSY, t_served_set_state(&self->s, VU_SET_VRING_NUM, 0, 2 * T_RING_NUM));
	EXPECT_EQ(EBUSY, t_served_set_state(&self->s, VU_SET_VRING_BASE, 0, 0));
	addr.desc += 0x4000;
	EXPECT_EQ(EBUSY, t_served_set_addr(&self->s, &addr));
	/* only the log may be switched */
	addr = t_served_addr(&self->ring, 0);
	addr.flags = 1;
	EXPECT_EQ(0, t_served_set_addr(&self->s, &addr));
	EXPECT_EQ(0, echo(&self->ring));
}

TEST_F(backend, a_kick_before_the_addresses_starts_the_ring_when_they_come)
{
	const struct vu_vring_addr addr = t_served_addr(&self->ring, 0);
	const struct vring_buf bufs[] = { { T_RING_GPA + T_RING_OUT, 4 },
					  { T_RING_GPA + T_RING_IN, 4 } };
	struct vu_mem_table mem = t_served_mem();
	uint32_t written;

	memcpy(self->ring.mem + T_RING_OUT, "kick", 4);
	ASSERT_EQ(0, vring_drv_add(&self->ring.drv, bufs, 1, 1));
	ASSERT_EQ(0, t_ring_kick(&self->ring));
	EXPECT_EQ(0, t_served_set_fd(&self->s, VU_SET_VRING_KICK, 0, self->ring.kick));
	EXPECT_EQ(0, t_served_set_state(&self->s, VU_SET_VRING_ENABLE, 0, 1));
	EXPECT_EQ(0, t_served_set_addr(&self->s, &addr));
	EXPECT_EQ(0, t_served_set_fd(&self->s, VU_SET_VRING_CALL, 0, self->ring.call));
	EXPECT_EQ(0, t_served_set_state(&self->s, VU_SET_VRING_NUM, 0, T_RING_NUM));
	EXPECT_EQ(0, t_served_set_mem(&self->s, &mem, self->ring.memfd));
	EXPECT_EQ(0, t_ring_wait(&self->ring, &written, T_DEADLINE_MS));
	EXPECT_EQ(4u, written);
	EXPECT_EQ(0, memcmp(self->ring.mem + T_RING_IN, "kick", 4));
}

TEST_F(backend, a_ring_starts_without_a_kick_and_takes_what_is_available)
{
	const struct vring_buf bufs[] = { { T_RING_GPA + T_RING_OUT, 4 },
					  { T_RING_GPA + T_RING_IN, 4 } };
	uint32_t written, base;

	/* the kick came long ago, and went to another back-end */
	ASSERT_LE(0, vring_drv_add(&self->ring.drv, bufs, 1, 1));
	ASSERT_EQ(0, t_served_set_up(&self->s, &self->ring, 0));
	EXPECT_LE(0, t_ring_wait(&self->ring, &written, T_DEADLINE_MS));
	EXPECT_EQ(4u, written);
	ASSERT_EQ(0, t_served_stop_vring(&self->s, 0, &base));
	EXPECT_EQ(1u, base);
}

TEST_F(backend, addresses_that_turn_out_bad_at_the_start_signal_the_error_eventfd)
{
	const struct vu_vring_addr addr = {
		.desc = T_RING_UVA + T_RING_MEM_BYTES,
		.avail = T_RING_UVA,
		.used = T_RING_UVA,
	};
	struct vu_mem_table mem = t_served_mem();
	int err = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	EXPECT_EQ(0, t_served_set_fd(&self->s, VU_SET_VRING_ERR, 0, err));
	EXPECT_EQ(0, t_served_set_state(&self->s, VU_SET_VRING_NUM, 0, T_RING_NUM));
	EXPECT_EQ(0, t_served_set_addr(&self->s, &addr));
	EXPECT_EQ(0, t_served_set_mem(&self->s, &mem, self->ring.memfd));
	EXPECT_EQ(0, t_served_set_fd(&self->s, VU_SET_VRING_KICK, 0, self->ring.kick));
	EXPECT_EQ(0, t_ring_kick(&self->ring));
	EXPECT_EQ(0, t_poll_until(err, T_DEADLINE_MS));
	close(err);
}

TEST_F(backend, a_disabled_ring_waits_until_it_is_enabled)
{
	const struct vring_buf bufs[] = { { T_RING_GPA + T_RING_OUT, 4 },
					  { T_RING_GPA + T_RING_IN, 4 } };
	uint32_t written;

	ASSERT_EQ(0, t_served_set_up(&self->s, &self->ring, 0));
	ASSERT_EQ(0, echo(&self->ring));
	ASSERT_EQ(0, t_served_set_state(&self->s, VU_SET_VRING_ENABLE, 0, 0));
	ASSERT_LE(0, vring_drv_add(&self->ring.drv, bufs, 1, 1));
	ASSERT_EQ(0, t_ring_kick(&self->ring));
	/* three messages later the kick has been seen, and the ring left alone */
	for (int i = 0; i < 3; i++)
		ASSERT_EQ(0, t_served_tell(&self->s, VU_SET_OWNER, NULL, 0, NULL, 0));
	EXPECT_EQ(-EAGAIN, vring_drv_get(&self->ring.drv, &written));
	ASSERT_EQ(0, t_served_set_state(&self->s, VU_SET_VRING_ENABLE, 0, 1));
	EXPECT_LE(0, t_ring_wait(&self->ring, &written, T_DEADLINE_MS));
}

TEST_F(backend, enable_is_1_or_0)
{
	EXPECT_EQ(EINVAL, t_served_set_state(&self->s, VU_SET_VRING_ENABLE, 0, 2));
	EXPECT_EQ(EINVAL, t_served_set_state(&self->s, VU_SET_VRING_ENABLE, 0, UINT32_MAX));
}

TEST_F(backend, enable_needs_bit_30_and_without_it_all_rings_are_enabled)
{
	const uint64_t features = T_SERVED_FEATURES;

	ASSERT_EQ(0, t_served_tell(&self->s, VU_SET_FEATURES, &features, 8, NULL, 0));
	EXPECT_EQ(EPROTO, t_served_set_state(&self->s, VU_SET_VRING_ENABLE, 1, 1));
	/* the same as t_served_set_up(), up to the enable that is refused */
	EXPECT_EQ(EPROTO, t_served_set_up(&self->s, &self->ring, 1));
	EXPECT_EQ(0, echo(&self->ring));
}

static int tell_region(struct t_served *s, uint32_t request, int fd)
{
	const struct vu_mem_table mem = t_served_mem();

	return t_served_set_region(s, request, &mem.regions[0], fd);
}

/* As QEMU 7.2 does for each pair of virtqueues. */
TEST_F(backend, a_region_that_is_added_twice_is_there_until_it_is_removed_twice)
{
	const uint64_t protocol = 1ull << 3 | 1ull << 15, features = T_SERVED_FEATURES | 1ull << 30;
	struct t_ring other;
	uint32_t base;

	t_served_stop(&self->s);
	ASSERT_EQ(0, t_served_start(&self->s));
	ASSERT_EQ(0, t_peer_request(self->s.fd, VU_SET_PROTOCOL_FEATURES, 0x1, &protocol, 8));
	ASSERT_EQ(0, t_served_tell(&self->s, VU_SET_FEATURES, &features, 8, NULL, 0));
	ASSERT_EQ(0, tell_region(&self->s, VU_ADD_MEM_REG, self->ring.memfd));
	EXPECT_EQ(0, tell_region(&self->s, VU_ADD_MEM_REG, self->ring.memfd));
	/* the same place, but another file */
	ASSERT_EQ(0, t_ring_create(&other));
	EXPECT_EQ(EEXIST, tell_region(&self->s, VU_ADD_MEM_REG, other.memfd));
	t_ring_destroy(&other);
	ASSERT_EQ(0, t_served_set_vring(&self->s, &self->ring, 0));
	EXPECT_EQ(0, tell_region(&self->s, VU_REM_MEM_REG, -1));
	EXPECT_EQ(0, echo(&self->ring));
	EXPECT_LT(0, tell_region(&self->s, VU_REM_MEM_REG, -1));
	ASSERT_EQ(0, t_served_stop_vring(&self->s, 0, &base));
	EXPECT_EQ(0, tell_region(&self->s, VU_REM_MEM_REG, -1));
	EXPECT_LT(0, tell_region(&self->s, VU_REM_MEM_REG, -1));
}

/* Nobody has used anything there: a call would be one that no driver asked for. */
TEST_F(backend, a_ring_that_begins_with_an_unused_record_gets_no_call)
{
	const struct t_served_config config = { .protocol = 1ull << 12 };
	const int fd = memfd_create("inflight", MFD_CLOEXEC);
	const struct vu_inflight desc = {
		.mmap_size = vring_inflight_size(false, T_RING_NUM),
		.num_queues = 1,
		.queue_size = T_RING_NUM,
	};
	union vu_payload reply;

	t_served_stop(&self->s);
	ASSERT_EQ(0, t_served_start_with(&self->s, &config));
	ASSERT_EQ(0, t_served_negotiate(&self->s));
	ASSERT_EQ(0, ftruncate(fd, desc.mmap_size));
	ASSERT_EQ(0, t_served_tell(&self->s, VU_SET_INFLIGHT_FD, &desc, sizeof(desc), &fd, 1));
	ASSERT_EQ(0, t_served_set_up(&self->s, &self->ring, 0));
	ASSERT_EQ(0, t_served_ask(&self->s, VU_GET_FEATURES, NULL, 0, &reply));
	EXPECT_EQ(-ETIMEDOUT, t_poll_until(self->ring.call, 0));
	EXPECT_EQ(0, echo(&self->ring));
	close(fd);
}

/* As QEMU does: it kicks the ring with a call eventfd that it does not read. */
TEST_F(backend, a_call_eventfd_that_replaces_another_on_a_started_ring_gets_a_call)
{
	const int other = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	uint64_t calls;

	ASSERT_EQ(0, t_served_set_up(&self->s, &self->ring, 0));
	ASSERT_EQ(0, echo(&self->ring));
	ASSERT_EQ(0, t_served_set_fd(&self->s, VU_SET_VRING_CALL, 0, other));
	EXPECT_EQ(0, t_read_until(other, &calls, sizeof(calls), T_DEADLINE_MS));
	close(other);
}

/* As QEMU's net does. */
TEST_F(backend, enable_may_come_before_bit_30_where_protocol_features_have)
{
	const uint64_t protocol = 1ull << 3, features = T_SERVED_FEATURES | 1ull << 30;
	const struct vu_mem_table mem = t_served_mem();

	t_served_stop(&self->s);
	ASSERT_EQ(0, t_served_start(&self->s));
	ASSERT_EQ(0, t_peer_request(self->s.fd, VU_SET_PROTOCOL_FEATURES, 0x1, &protocol, 8));
	EXPECT_EQ(0, t_served_set_state(&self->s, VU_SET_VRING_ENABLE, 0, 1));
	ASSERT_EQ(0, t_served_tell(&self->s, VU_SET_FEATURES, &features, 8, NULL, 0));
	ASSERT_EQ(0, t_served_set_mem(&self->s, &mem, self->ring.memfd));
	ASSERT_EQ(0, t_served_configure_vring(&self->s, &self->ring, 0));
	EXPECT_EQ(0, echo(&self->ring));
}

TEST_F(backend, features_that_were_not_offered_are_refused_and_change_nothing)
{
	const uint64_t more = T_SERVED_FEATURES | 1ull << 29;
	union vu_payload offered;

	ASSERT_EQ(0, t_served_ask(&self->s, VU_GET_PROTOCOL_FEATURES, NULL, 0, &offered));
	EXPECT_EQ(EINVAL, t_served_tell(&self->s, VU_SET_FEATURES, &more, 8, NULL, 0));
	/* bit 30 is still negotiated */
	EXPECT_EQ(0, t_served_set_state(&self->s, VU_SET_VRING_ENABLE, 0, 1));
	for (unsigned int bit = 0; bit < 64; bit++) {
		uint64_t u64 = 1ull << bit | 1ull << 3;

		if (offered.u64 >> bit & 1)
			continue;
		EXPECT_EQ(EINVAL,
			  t_served_tell(&self->s, VU_SET_PROTOCOL_FEATURES, &u64, 8, NULL, 0))
		TH_LOG("bit %u", bit);
	}
}

TEST_F(backend, the_number_of_queues_needs_mq)
{
	const uint64_t ack_only = 1ull << 3;
	union vu_payload reply;

	ASSERT_EQ(0, t_served_ask(&self->s, VU_GET_QUEUE_NUM, NULL, 0, &reply));
	EXPECT_EQ(T_SERVED_QUEUES, reply.u64);
	ASSERT_EQ(0, t_served_tell(&self->s, VU_SET_PROTOCOL_FEATURES, &ack_only, 8, NULL, 0));
	ASSERT_EQ(0, t_peer_request(self->s.fd, VU_GET_QUEUE_NUM, 0x1, NULL, 0));
	EXPECT_EQ(-EPROTO, t_served_closed(&self->s));
}

TEST_F(backend, fds_that_are_no_eventfds_are_refused)
{
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	for (uint32_t request = VU_SET_VRING_KICK; request <= VU_SET_VRING_ERR; request++) {
		EXPECT_EQ(EINVAL, t_served_set_fd(&self->s, request, 0, fds[0]));
		EXPECT_EQ(EINVAL, t_served_set_fd(&self->s, request, 0, fds[1]));
		EXPECT_EQ(EINVAL, t_served_set_fd(&self->s, request, 0, self->ring.memfd));
		EXPECT_EQ(EINVAL, t_served_set_fd(&self->s, request, 0, self->s.fd));
	}
	close(fds[0]);
	close(fds[1]);
	EXPECT_EQ(0, still_works(&self->s, &self->ring));
}

TEST_F(backend, an_eventfd_message_whose_fd_count_and_flag_differ_is_refused)
{
	for (uint32_t request = VU_SET_VRING_KICK; request <= VU_SET_VRING_ERR; request++) {
		EXPECT_EQ(EINVAL, t_served_set_fd(&self->s, request, 0x100, self->ring.kick));
		EXPECT_EQ(EINVAL, t_served_set_fd(&self->s, request, 0, -1));
		EXPECT_EQ(EINVAL, t_served_set_fd(&self->s, request, 0x200, self->ring.kick));
		EXPECT_EQ(EINVAL, t_served_set_fd(&self->s, request, 1ull << 63, self->ring.kick));
	}
	EXPECT_EQ(0, still_works(&self->s, &self->ring));
}

TEST_F(backend, a_ring_without_eventfds_is_looked_at_nevertheless)
{
	const struct vring_buf bufs[] = { { T_RING_GPA + T_RING_OUT, 4 },
					  { T_RING_GPA + T_RING_IN, 4 } };
	uint64_t deadline_ns = loop_now_ns() + T_DEADLINE_MS * 1000000ull;
	uint32_t written, base;

	ASSERT_EQ(0, t_served_set_up(&self->s, &self->ring, 0));
	EXPECT_EQ(0, t_served_set_fd(&self->s, VU_SET_VRING_CALL, 0x100, -1));
	EXPECT_EQ(0, t_served_set_fd(&self->s, VU_SET_VRING_ERR, 0x100, -1));
	EXPECT_EQ(0, t_served_set_fd(&self->s, VU_SET_VRING_KICK, 0x100, -1));
	for (int i = 0; i < 10; i++) {
		ASSERT_LE(0, vring_drv_add(&self->ring.drv, bufs, 1, 1));
		while (vring_drv_get(&self->ring.drv, &written) == -EAGAIN)
			ASSERT_GT(deadline_ns, loop_now_ns());
	}
	EXPECT_EQ(0, t_served_stop_vring(&self->s, 0, &base));
	EXPECT_EQ(10u, base);
}

TEST_F(backend, setting_eventfds_again_and_again_keeps_one_of_each)
{
	int before;

	ASSERT_EQ(0, t_served_set_up(&self->s, &self->ring, 0));
	before = t_fds_count(0);
	for (int i = 0; i < 1000; i++) {
		ASSERT_EQ(0, t_served_set_fd(&self->s, VU_SET_VRING_CALL, 0, self->ring.call));
		ASSERT_EQ(0, t_served_set_fd(&self->s, VU_SET_VRING_KICK, 0, self->ring.kick));
	}
	EXPECT_EQ(before, t_fds_count(0));
	EXPECT_EQ(0, echo(&self->ring));
}

TEST_F(backend, stopping_tells_how_far_it_came_and_leaves_the_ring_alone)
{
	const struct vring_buf bufs[] = { { T_RING_GPA + T_RING_OUT, 4 },
					  { T_RING_GPA + T_RING_IN, 4 } };
	uint32_t base, written;

	ASSERT_EQ(0, t_served_set_up(&self->s, &self->ring, 0));
	for (int i = 0; i < 7; i++)
		ASSERT_EQ(0, echo(&self->ring));
	ASSERT_EQ(0, t_served_stop_vring(&self->s, 0, &base));
	EXPECT_EQ(7u, base);
	ASSERT_LE(0, vring_drv_add(&self->ring.drv, bufs, 1, 1));
	ASSERT_EQ(0, t_ring_kick(&self->ring));
	ASSERT_EQ(0, t_served_stop_vring(&self->s, 0, &base));
	EXPECT_EQ(7u, base);
	EXPECT_EQ(-EAGAIN, vring_drv_get(&self->ring.drv, &written));
}

TEST_F(backend, a_stopped_ring_starts_again_where_it_was)
{
	struct vu_vring_addr addr = t_served_addr(&self->ring, 0);
	uint32_t base;

	ASSERT_EQ(0, t_served_set_up(&self->s, &self->ring, 0));
	for (int i = 0; i < 10; i++) {
		ASSERT_EQ(0, echo(&self->ring));
		ASSERT_EQ(0, t_served_stop_vring(&self->s, 0, &base));
		ASSERT_EQ(0, t_served_set_state(&self->s, VU_SET_VRING_BASE, 0, base));
		ASSERT_EQ(0, t_served_set_addr(&self->s, &addr));
		ASSERT_EQ(0, t_served_set_fd(&self->s, VU_SET_VRING_CALL, 0, self->ring.call));
		ASSERT_EQ(0, t_served_set_fd(&self->s, VU_SET_VRING_KICK, 0, self->ring.kick));
	}
}

TEST_F(backend, corrupt_contents_stop_their_ring_and_no_other)
{
	struct t_ring other;
	int err = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	uint32_t base;

	ASSERT_EQ(0, t_ring_create(&other));
	ASSERT_EQ(0, t_served_set_up(&self->s, &self->ring, 0));
	ASSERT_EQ(0, t_served_set_fd(&self->s, VU_SET_VRING_ERR, 0, err));
	ASSERT_EQ(0, echo(&self->ring));
	/* further ahead than the queue is long */
	self->ring.drv.config.ring.avail->idx += T_RING_NUM + 1;
	ASSERT_EQ(0, t_ring_kick(&self->ring));
	ASSERT_EQ(0, t_poll_until(err, T_DEADLINE_MS));
	EXPECT_EQ(1u, atomic_load(&self->s.errors));
	/* stays stopped, whatever kicks come */
	for (int i = 0; i < 100; i++)
		ASSERT_EQ(0, t_ring_kick(&self->ring));
	ASSERT_EQ(0, t_served_stop_vring(&self->s, 0, &base));
	EXPECT_EQ(1u, base);
	EXPECT_EQ(1u, atomic_load(&self->s.errors));
	ASSERT_EQ(0, t_served_set_up(&self->s, &other, 1));
	EXPECT_EQ(0, echo(&other));
	t_ring_destroy(&other);
	close(err);
}

TEST_F(backend, a_ring_is_announced_before_the_message_that_completes_it_is_answered)
{
	ASSERT_EQ(0, t_served_set_up(&self->s, &self->ring, 1));
	EXPECT_EQ(1u, atomic_load(&self->s.ready));
	EXPECT_EQ(1u, self->s.info.index);
	EXPECT_NE(0u, self->s.info.wake_user_data);
	/* another call is another ring to an observer, the same state is not */
	ASSERT_EQ(0, t_served_set_state(&self->s, VU_SET_VRING_ENABLE, 1, 1));
	EXPECT_EQ(1u, atomic_load(&self->s.ready));
	ASSERT_EQ(0, t_served_set_fd(&self->s, VU_SET_VRING_CALL, 1, self->ring.call));
	EXPECT_EQ(2u, atomic_load(&self->s.ready));
}

TEST_F(backend, a_ring_that_cannot_be_announced_is_refused)
{
	atomic_store(&self->s.ready_error, -EPERM);
	EXPECT_EQ(EPERM, t_served_set_up(&self->s, &self->ring, 0));
	EXPECT_EQ(0u, atomic_load(&self->s.ready));
	atomic_store(&self->s.ready_error, 0);
	EXPECT_EQ(0, t_served_set_state(&self->s, VU_SET_VRING_ENABLE, 0, 1));
	EXPECT_EQ(0, echo(&self->ring));
}

/* What the other one has in flight keeps the session; nobody would wait for this one's. */
TEST_F(backend, a_ring_does_not_start_once_the_connection_is_closed)
{
	const struct vring_buf bufs[] = { { T_RING_GPA + T_RING_OUT, 8 },
					  { T_RING_GPA + T_RING_IN, 8 } };
	const uint64_t index = 1;
	struct t_ring late;
	uint32_t written;

	ASSERT_EQ(0, t_ring_create_beside(&late, &self->ring));
	ASSERT_EQ(0, t_served_set_up(&self->s, &self->ring, 0));
	atomic_store(&self->s.hold, true);
	ASSERT_LE(0, vring_drv_add(&self->ring.drv, bufs, 1, 1));
	ASSERT_EQ(0, t_ring_kick(&self->ring));
	while (!atomic_load(&self->s.nr_held))
		ASSERT_EQ(0, t_served_tell(&self->s, VU_SET_OWNER, NULL, 0, NULL, 0));
	atomic_store(&self->s.hold, false);
	/* all but the kick, with which it would start, and which is refused */
	ASSERT_EQ(0, t_served_set_vring(&self->s, &late, 1));
	ASSERT_EQ(0, t_served_stop_vring(&self->s, 1, &written));
	ASSERT_EQ(0, t_served_set_fd(&self->s, VU_SET_VRING_CALL, 1, late.call));
	ASSERT_LE(0, vring_drv_add(&late.drv, bufs, 1, 1));
	atomic_store(&self->s.ready_error, -EPERM);
	ASSERT_EQ(0, t_peer_request_fds(self->s.fd, VU_SET_VRING_KICK, 0x1, &index, sizeof(index),
					&late.kick, 1));
	ASSERT_EQ(0, t_peer_closed(self->s.fd));
	t_served_release(&self->s);
	EXPECT_EQ(-EPERM, t_served_closed(&self->s));
	EXPECT_EQ(0, vring_drv_get(&self->ring.drv, &written));
	EXPECT_EQ(-EAGAIN, vring_drv_get(&late.drv, &written));
	t_ring_destroy(&late);
}

/* Longer than any test. */
#define ENDLESS_US 60000000u

static int make_spinning_net(void *ctx, struct loop *loop, struct vdev **vdev)
{
	const struct vdev_net_config config = { .num_pairs = 1 };

	loop_set_spin(loop, ENDLESS_US);
	return vdev_net_create(vdev, loop, &config, NULL);
}

static void destroy_net(void *ctx, struct vdev *vdev)
{
	vdev_net_destroy(vdev);
}

TEST_F(backend, what_is_sent_on_a_disabled_ring_is_discarded_while_spinning_too)
{
	const struct t_served_config config = { .make = make_spinning_net, .destroy = destroy_net };
	const struct vring_buf buf = { T_RING_GPA + T_RING_OUT, 64 };
	uint32_t written;

	t_served_stop(&self->s);
	ASSERT_EQ(0, t_served_start_with(&self->s, &config));
	ASSERT_EQ(0, t_served_negotiate(&self->s));
	ASSERT_EQ(0, t_served_set_up(&self->s, &self->ring, 1));
	ASSERT_EQ(0, t_served_set_state(&self->s, VU_SET_VRING_ENABLE, 1, 0));
	for (int i = 0; i < 10; i++) {
		ASSERT_LE(0, vring_drv_add(&self->ring.drv, &buf, 1, 0));
		if (vring_drv_should_kick(&self->ring.drv))
			ASSERT_EQ(0, t_ring_kick(&self->ring));
		ASSERT_LE(0, t_ring_wait(&self->ring, &written, T_DEADLINE_MS));
	}
}

TEST_HARNESS_MAIN
