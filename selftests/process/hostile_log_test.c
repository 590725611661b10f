// SPDX-License-Identifier: GPL-2.0-only
/*
 * A front-end whose dirty log is too small, is elsewhere, or shrinks: the back-end
 * never writes past it.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "t.h"
#include "t_fds.h"
#include "t_peer.h"
#include "t_served_set.h"

#define VERSION_1 (1ull << 32)
#define BIT_30 (1ull << 30)
#define LOG_ALL (1ull << 26)

/* A bit for each of the pages up to the end of the memory, in whole bytes. */
#define LOG_BYTES ((T_RING_GPA + T_RING_MEM_BYTES) / 4096 / 8)

FIXTURE(log)
{
	struct t_served s;
	struct t_ring ring;
	int fd;
	uint8_t *bits;
	int fds;
	int maps;
};

/* Three pages: the log is in the one in the middle. */
FIXTURE_SETUP(log)
{
	/* LOG_SHMFD */
	const struct t_served_config config = { .protocol = 1ull << 1 };
	int ret;

	memset(self, 0, sizeof(*self));
	ASSERT_EQ(0, t_ring_create(&self->ring));
	self->fd = memfd_create("log", MFD_CLOEXEC);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, ftruncate(self->fd, 3 * 4096));
	self->bits = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, self->fd, 0);
	ASSERT_NE(MAP_FAILED, self->bits);
	ret = t_served_start_with(&self->s, &config);
	if (ret == -EPERM || ret == -ENOSYS)
		SKIP(return, "io_uring is disabled: sysctl kernel.io_uring_disabled=0");
	ASSERT_EQ(0, ret);
	ASSERT_EQ(0, t_served_negotiate(&self->s));
	ASSERT_EQ(0, t_served_set_up(&self->s, &self->ring, 0));
	ASSERT_EQ(0, t_ring_echo(&self->ring, "before", 7, T_DEADLINE_MS));
	self->fds = t_fds_count(0);
	self->maps = t_maps_count(0);
}

FIXTURE_TEARDOWN(log)
{
	t_served_stop(&self->s);
	t_ring_destroy(&self->ring);
	munmap(self->bits, 3 * 4096);
	close(self->fd);
}

static int turn_log(struct t_served *s, bool on)
{
	const uint64_t features = VERSION_1 | BIT_30 | (on ? LOG_ALL : 0);

	return t_served_tell(s, VU_SET_FEATURES, &features, 8, NULL, 0);
}

static int send_log(struct t_served *s, uint64_t size, uint64_t offset, int fd)
{
	const struct vu_log log = { size, offset };

	return t_peer_request_fds(s->fd, VU_SET_LOG_BASE, 0x1, &log, sizeof(log), &fd, 1);
}

static int set_log(struct t_served *s, uint64_t size, uint64_t offset, int fd)
{
	union vu_payload reply;
	struct vu_header hdr;
	int ret = send_log(s, size, offset, fd);

	return ret ? ret : t_peer_reply(s->fd, &hdr, &reply);
}

static int log_used(struct t_served *s, const struct t_ring *ring, uint64_t gpa)
{
	struct vu_vring_addr addr = t_served_addr(ring, 0);

	addr.flags = 1;
	addr.log = gpa;
	return t_served_set_addr(s, &addr);
}

/* Are all bytes 0 but those of the log? */
static bool nothing_beside(const uint8_t *bits, uint32_t bytes)
{
	for (unsigned int i = 0; i < 3 * 4096; i++)
		if ((i < 4096 || i >= 4096 + bytes) && bits[i])
			return false;
	return true;
}

TEST_F(log, that_is_too_small_for_the_memory_is_refused_where_it_is_turned_on)
{
	/* before there is one nothing is wrong, nor before it is used */
	ASSERT_EQ(0, set_log(&self->s, LOG_BYTES - 1, 4096, self->fd));
	EXPECT_EQ(ERANGE, turn_log(&self->s, true));
	EXPECT_NE(NULL, strstr(self->s.refusal.msg, "SET_FEATURES: the log of 0x27 bytes ends"))
	TH_LOG("%s", self->s.refusal.msg);
	EXPECT_EQ(0, t_ring_echo(&self->ring, "after", 6, T_DEADLINE_MS));
	ASSERT_EQ(0, set_log(&self->s, LOG_BYTES, 4096, self->fd));
	EXPECT_EQ(0, turn_log(&self->s, true));
	EXPECT_EQ(0, t_ring_echo(&self->ring, "after", 6, T_DEADLINE_MS));
	/* the buffer to write */
	EXPECT_EQ(1u, self->bits[4096 + (T_RING_GPA + T_RING_IN) / 4096 / 8] & 1u);
	EXPECT_TRUE(nothing_beside(self->bits, LOG_BYTES));
}

TEST_F(log, that_is_too_small_while_it_is_on_closes_the_connection)
{
	ASSERT_EQ(0, t_served_spare(&self->s));
	ASSERT_EQ(0, turn_log(&self->s, true));
	ASSERT_EQ(0, send_log(&self->s, LOG_BYTES - 1, 4096, self->fd));
	EXPECT_EQ(-ERANGE, t_served_next(&self->s));
}

TEST_F(log, that_is_larger_than_its_file_closes_the_connection)
{
	ASSERT_EQ(0, t_served_spare(&self->s));
	ASSERT_EQ(0, send_log(&self->s, 3 * 4096, 4096, self->fd));
	EXPECT_EQ(-ENXIO, t_served_next(&self->s));
	EXPECT_NE(NULL, strstr(self->s.closed.msg, "SET_LOG_BASE: the log"))
	TH_LOG("%s", self->s.closed.msg);
	EXPECT_EQ(self->maps - 1, t_maps_count(0));
}

TEST_F(log, that_has_no_bit_for_the_used_ring_is_refused)
{
	ASSERT_EQ(0, set_log(&self->s, LOG_BYTES, 4096, self->fd));
	ASSERT_EQ(0, turn_log(&self->s, true));
	EXPECT_EQ(ERANGE, log_used(&self->s, &self->ring, T_RING_GPA + T_RING_MEM_BYTES));
	EXPECT_EQ(ERANGE, log_used(&self->s, &self->ring, UINT64_MAX));
	EXPECT_EQ(ERANGE, log_used(&self->s, &self->ring, UINT64_MAX - 100));
	EXPECT_EQ(0, log_used(&self->s, &self->ring, T_RING_GPA + T_RING_MEM_BYTES - 4096));
	EXPECT_EQ(0, t_ring_echo(&self->ring, "after", 6, T_DEADLINE_MS));
	EXPECT_TRUE(nothing_beside(self->bits, LOG_BYTES));
}

/* The used ring was placed in a log that was not there: nothing can be told. */
TEST_F(log, that_comes_after_the_used_ring_is_never_written_past)
{
	ASSERT_EQ(0, log_used(&self->s, &self->ring, UINT64_MAX - 100));
	ASSERT_EQ(0, set_log(&self->s, LOG_BYTES, 4096, self->fd));
	ASSERT_EQ(0, turn_log(&self->s, true));
	for (int i = 0; i < 100; i++)
		ASSERT_EQ(0, t_ring_echo(&self->ring, "after", 6, T_DEADLINE_MS));
	ASSERT_EQ(0, log_used(&self->s, &self->ring, T_RING_GPA));
	EXPECT_EQ(0, t_ring_echo(&self->ring, "after", 6, T_DEADLINE_MS));
	EXPECT_TRUE(nothing_beside(self->bits, LOG_BYTES));
}

TEST_F(log, that_is_set_a_thousand_times_while_it_is_written_is_one_log)
{
	ASSERT_EQ(0, turn_log(&self->s, true));
	for (int i = 0; i < 1000; i++) {
		ASSERT_EQ(0, set_log(&self->s, LOG_BYTES, 4096 + i % 2 * 1024, self->fd));
		ASSERT_EQ(0, t_ring_echo(&self->ring, "after", 6, T_DEADLINE_MS));
	}
	EXPECT_EQ(self->maps + 1, t_maps_count(0));
	EXPECT_EQ(self->fds, t_fds_count(0));
	EXPECT_TRUE(nothing_beside(self->bits, 1024 + LOG_BYTES));
}

TEST_F(log, must_cover_memory_that_is_set_later)
{
	struct vu_mem_table mem = t_served_mem();

	ASSERT_EQ(0, set_log(&self->s, LOG_BYTES, 4096, self->fd));
	ASSERT_EQ(0, turn_log(&self->s, true));
	mem.nr_regions = 2;
	mem.regions[1] = (struct vu_region){ 1ull << 40, 4096, 1ull << 40, 0 };
	EXPECT_EQ(ERANGE, t_served_set_mem(&self->s, &mem, self->ring.memfd));
	EXPECT_EQ(0, t_ring_echo(&self->ring, "after", 6, T_DEADLINE_MS));
	EXPECT_TRUE(nothing_beside(self->bits, LOG_BYTES));
}

TEST_F(log, that_is_truncated_while_it_is_written_costs_the_connection)
{
	const struct vring_buf bufs[] = { { T_RING_GPA + T_RING_OUT, 8 },
					  { T_RING_GPA + T_RING_IN, 8 } };
	struct t_ring good;

	ASSERT_EQ(0, t_ring_create(&good));
	ASSERT_EQ(0, t_served_spare(&self->s));
	ASSERT_EQ(0, set_log(&self->s, LOG_BYTES, 4096, self->fd));
	ASSERT_EQ(0, turn_log(&self->s, true));
	ASSERT_EQ(0, t_ring_echo(&self->ring, "before", 7, T_DEADLINE_MS));
	ASSERT_EQ(0, ftruncate(self->fd, 0));
	ASSERT_LE(0, vring_drv_add(&self->ring.drv, bufs, 1, 1));
	ASSERT_EQ(0, t_ring_kick(&self->ring));
	EXPECT_EQ(-EFAULT, t_served_next(&self->s));
	EXPECT_NE(NULL, strstr(self->s.closed.msg, "truncated")) TH_LOG("%s", self->s.closed.msg);
	EXPECT_EQ(0, t_served_set_up(&self->s, &good, 0));
	EXPECT_EQ(0, t_ring_echo(&good, "after", 6, T_DEADLINE_MS));
	t_ring_destroy(&good);
}

TEST_HARNESS_MAIN
