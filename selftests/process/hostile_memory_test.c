// SPDX-License-Identifier: GPL-2.0-only
/*
 * A front-end whose memory is not what it says: tables that contradict themselves,
 * files of other kinds, files that are truncated later.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <vringlab/loop_spin.h>

#include "kselftest_harness.h"
#include "t.h"
#include "t_fds.h"
#include "t_served_set.h"

#define SKIP_REASON "io_uring is disabled: sysctl kernel.io_uring_disabled=0"

/* Which file comes with the first region; the others have the ring's. */
enum file {
	FILE_RING,
	FILE_EMPTY,
	FILE_READ_ONLY,
	FILE_WRITE_SEALED,
	FILE_DIRECTORY,
	FILE_PIPE,
	FILE_EVENTFD,
	FILE_PROC,
	FILE_ZERO,
};

FIXTURE(table)
{
	struct t_served s;
	struct t_ring ring;
	int fds;
	int maps;
};

FIXTURE_VARIANT(table)
{
	uint32_t nr;
	uint32_t size;
	unsigned int nr_fds;
	enum file file;
	struct vu_region regions[2];
	int code;
	const char *says;
};

#define REFUSED(_name, _code, _says, ...)                     \
	FIXTURE_VARIANT_ADD(table, _name)                     \
	{                                                     \
		.code = (_code), .says = (_says), __VA_ARGS__ \
	}
#define ONE .nr = 1, .size = 40, .nr_fds = 1
#define TWO .nr = 2, .size = 72, .nr_fds = 2
#define GPA T_RING_GPA
#define UVA T_RING_UVA
#define BYTES T_RING_MEM_BYTES
#define RING                       \
	{                          \
		GPA, BYTES, UVA, 0 \
	}

/* clang-format off */
REFUSED(of_no_region, EINVAL, "0 regions, not 1 to 8", .size = 8);
REFUSED(of_9_regions, EINVAL, "9 regions, not 1 to 8", .nr = 9, .size = 264, .nr_fds = 8);
REFUSED(of_4294967295_regions, EINVAL, "4294967295 regions", .nr = UINT32_MAX, .size = 40,
	.nr_fds = 1);
REFUSED(of_fewer_bytes, EMSGSIZE, "2 regions in 40 bytes", .nr = 2, .size = 40, .nr_fds = 2);
REFUSED(of_more_bytes, EMSGSIZE, "1 regions in 72 bytes", .nr = 1, .size = 72, .nr_fds = 1);
REFUSED(of_no_fd, EINVAL, "1 regions and 0 fds", .nr = 1, .size = 40);
REFUSED(of_more_fds, EINVAL, "1 regions and 2 fds", .nr = 1, .size = 40, .nr_fds = 2);
REFUSED(size_0, EINVAL, "region 0: size is 0", ONE, .regions = { { GPA, 0, UVA, 0 } });
REFUSED(size_above_the_file, ENXIO, "0x40001 bytes at offset 0x0, but the file has 0x40000", ONE,
	.regions = { { GPA, BYTES + 1, UVA, 0 } });
REFUSED(offset_above_the_file, ENXIO, "the file has 0x40000", ONE,
	.regions = { { GPA, 4096, UVA, BYTES } });
REFUSED(offset_unaligned, EINVAL, "offset 0x200 is not page aligned", ONE,
	.regions = { { GPA, 4096, UVA, 0x200 } });
REFUSED(offset_wraps, EINVAL, "wraps", ONE, .regions = { { GPA, 8192, UVA, UINT64_MAX - 4095 } });
REFUSED(offset_above_a_file_size, EINVAL, "wraps", ONE, .regions = { { GPA, 4096, UVA,
	1ull << 63 } });
REFUSED(guest_addr_wraps, EINVAL, "wraps", ONE, .regions = { { UINT64_MAX - 4094, 4096, UVA, 0 } });
REFUSED(user_addr_wraps, EINVAL, "wraps", ONE, .regions = { { GPA, 4096, UINT64_MAX - 4094, 0 } });
REFUSED(size_max, EINVAL, "wraps", ONE, .regions = { { GPA, UINT64_MAX, UVA, 0 } });
REFUSED(duplicate, EEXIST, "region 1: it overlaps another one", TWO, .regions = { RING, RING });
REFUSED(guest_overlap, EEXIST, "region 1: it overlaps another one", TWO,
	.regions = { RING, { GPA + BYTES - 1, 4096, UVA + BYTES, 0 } });
REFUSED(user_overlap, EEXIST, "region 1: it overlaps another one", TWO,
	.regions = { RING, { GPA + BYTES, 4096, UVA + BYTES - 1, 0 } });
REFUSED(without_the_ring_that_runs, EFAULT, "vring 0 of 64 entries is not all in the memory table",
	ONE,
	.regions = { { GPA, BYTES, UVA + BYTES, 0 } });
REFUSED(file_empty, ENXIO, "the file has 0x0", ONE, .file = FILE_EMPTY, .regions = { RING });
REFUSED(file_read_only, EACCES, "cannot map", ONE, .file = FILE_READ_ONLY, .regions = { RING });
REFUSED(file_sealed_against_writing, EPERM, "cannot map", ONE, .file = FILE_WRITE_SEALED,
	.regions = { RING });
REFUSED(file_is_a_directory, EINVAL, "no regular file", ONE, .file = FILE_DIRECTORY,
	.regions = { RING });
REFUSED(file_is_a_pipe, EINVAL, "no regular file", ONE, .file = FILE_PIPE, .regions = { RING });
REFUSED(file_is_an_eventfd, EINVAL, "its fd", ONE, .file = FILE_EVENTFD, .regions = { RING });
REFUSED(file_is_a_device, EINVAL, "no regular file", ONE, .file = FILE_ZERO, .regions = { RING });
REFUSED(file_of_procfs, ENXIO, "the file has 0x0", ONE, .file = FILE_PROC, .regions = { RING });
/* clang-format on */

FIXTURE_SETUP(table)
{
	int ret;

	memset(self, 0, sizeof(*self));
	ASSERT_EQ(0, t_ring_create(&self->ring));
	t_ring_guard(&self->ring);
	ret = t_served_start(&self->s);
	if (ret == -EPERM || ret == -ENOSYS)
		SKIP(return, SKIP_REASON);
	ASSERT_EQ(0, ret);
	ASSERT_EQ(0, t_served_negotiate(&self->s));
	ASSERT_EQ(0, t_served_set_up(&self->s, &self->ring, 0));
	ASSERT_EQ(0, t_ring_echo(&self->ring, "before", 7, T_DEADLINE_MS));
	self->fds = t_fds_count(0);
	self->maps = t_maps_count(0);
}

FIXTURE_TEARDOWN(table)
{
	t_served_stop(&self->s);
	t_ring_destroy(&self->ring);
}

static int open_read_only(int fd)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static int open_sealed(void)
{
	int fd = memfd_create("sealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd >= 0 && (ftruncate(fd, BYTES) || fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE)))
		return -errno;
	return fd;
}

static int open_pipe(void)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	close(fds[0]);
	return fds[1];
}

static int open_file(enum file file, const struct t_ring *ring)
{
	switch (file) {
	case FILE_EMPTY:
		return memfd_create("empty", MFD_CLOEXEC);
	case FILE_READ_ONLY:
		return open_read_only(ring->memfd);
	case FILE_WRITE_SEALED:
		return open_sealed();
	case FILE_DIRECTORY:
		return open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	case FILE_PIPE:
		return open_pipe();
	case FILE_EVENTFD:
		return eventfd(0, EFD_CLOEXEC);
	case FILE_PROC:
		return open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	case FILE_ZERO:
		return open("/dev/zero", O_RDWR | O_CLOEXEC);
	default:
		return fcntl(ring->memfd, F_DUPFD_CLOEXEC, 0);
	}
}

TEST_F(table, is_refused_and_the_one_before_stays_in_use)
{
	struct vu_mem_table mem = { .nr_regions = variant->nr };
	int fds[8];

	memcpy(mem.regions, variant->regions, sizeof(variant->regions));
	fds[0] = open_file(variant->file, &self->ring);
	ASSERT_LE(0, fds[0]);
	for (int i = 1; i < 8; i++)
		fds[i] = self->ring.memfd;
	/* often: what leaks once may hide behind what is kept for later */
	for (int i = 0; i < 10; i++) {
		ASSERT_EQ(variant->code, t_served_tell(&self->s, VU_SET_MEM_TABLE, &mem,
						       variant->size, fds, variant->nr_fds))
		TH_LOG("%s", self->s.refusal.msg);
	}
	close(fds[0]);
	EXPECT_NE(NULL, strstr(self->s.refusal.msg, "SET_MEM_TABLE"));
	EXPECT_NE(NULL, strstr(self->s.refusal.msg, variant->says))
	TH_LOG("%s", self->s.refusal.msg);
	EXPECT_EQ(self->fds, t_fds_count(0));
	EXPECT_EQ(self->maps, t_maps_count(0));
	EXPECT_EQ(0, t_ring_echo(&self->ring, "after", 6, T_DEADLINE_MS));
	EXPECT_TRUE(t_ring_is_intact(&self->ring));
}

FIXTURE(regions)
{
	struct t_served s;
	struct t_ring ring;
};

FIXTURE_SETUP(regions)
{
	/* CONFIGURE_MEM_SLOTS */
	const struct t_served_config config = { .protocol = 1ull << 15 };
	int ret;

	memset(self, 0, sizeof(*self));
	ASSERT_EQ(0, t_ring_create(&self->ring));
	ret = t_served_start_with(&self->s, &config);
	if (ret == -EPERM || ret == -ENOSYS)
		SKIP(return, SKIP_REASON);
	ASSERT_EQ(0, ret);
	ASSERT_EQ(0, t_served_negotiate(&self->s));
	ASSERT_EQ(0, t_served_set_up(&self->s, &self->ring, 0));
	ASSERT_EQ(0, t_ring_echo(&self->ring, "before", 7, T_DEADLINE_MS));
}

FIXTURE_TEARDOWN(regions)
{
	t_served_stop(&self->s);
	t_ring_destroy(&self->ring);
}

TEST_F(regions, are_added_up_to_the_number_of_slots_and_no_further)
{
	struct vu_region region = { GPA, 4096, UVA, 0 };
	union vu_payload slots;
	int fds = t_fds_count(0);

	ASSERT_EQ(0, t_served_ask(&self->s, VU_GET_MAX_MEM_SLOTS, NULL, 0, &slots));
	for (uint64_t i = 1; i < slots.u64; i++) {
		region.guest_addr = GPA + i * BYTES;
		region.user_addr = UVA + i * BYTES;
		ASSERT_EQ(0,
			  t_served_set_region(&self->s, VU_ADD_MEM_REG, &region, self->ring.memfd));
	}
	region.guest_addr += BYTES;
	region.user_addr += BYTES;
	EXPECT_EQ(ENOSPC, t_served_set_region(&self->s, VU_ADD_MEM_REG, &region, self->ring.memfd));
	EXPECT_NE(NULL, strstr(self->s.refusal.msg, "ADD_MEM_REG: region at 0x"));
	EXPECT_EQ(fds, t_fds_count(0));
	EXPECT_EQ(0, t_ring_echo(&self->ring, "after", 6, T_DEADLINE_MS));
}

TEST_F(regions, are_removed_once_and_with_an_fd_as_well)
{
	const struct vu_region region = { GPA + BYTES, 4096, UVA + BYTES, 0 };
	const struct vu_region otherwise = { GPA + BYTES, 4096, UVA + BYTES, 4096 };
	int fds = t_fds_count(0), maps = t_maps_count(0);

	for (int i = 0; i < 100; i++) {
		ASSERT_EQ(0,
			  t_served_set_region(&self->s, VU_ADD_MEM_REG, &region, self->ring.memfd));
		/* the offset does not count, and the fd is closed */
		ASSERT_EQ(0, t_served_set_region(&self->s, VU_REM_MEM_REG, &otherwise,
						 self->ring.memfd));
		ASSERT_EQ(ENOENT, t_served_set_region(&self->s, VU_REM_MEM_REG, &region, -1));
	}
	EXPECT_EQ(fds, t_fds_count(0));
	EXPECT_EQ(maps, t_maps_count(0));
	EXPECT_EQ(0, t_ring_echo(&self->ring, "after", 6, T_DEADLINE_MS));
}

TEST_F(regions, that_touch_hold_no_vring_across_their_border)
{
	const struct vu_region region = { GPA + BYTES, BYTES, UVA + BYTES, 0 };
	struct vu_vring_addr addr = t_served_addr(&self->ring, 1);

	ASSERT_EQ(0, t_served_set_region(&self->s, VU_ADD_MEM_REG, &region, self->ring.memfd));
	ASSERT_EQ(0, t_served_set_state(&self->s, VU_SET_VRING_NUM, 1, T_RING_NUM));
	addr.desc = UVA + BYTES - 16;
	EXPECT_EQ(EFAULT, t_served_set_addr(&self->s, &addr));
	addr = t_served_addr(&self->ring, 1);
	addr.used = UVA + BYTES - 4;
	EXPECT_EQ(EFAULT, t_served_set_addr(&self->s, &addr));
	EXPECT_EQ(0, t_ring_echo(&self->ring, "after", 6, T_DEADLINE_MS));
}

TEST_F(regions, that_overlap_or_are_no_regions_are_not_added)
{
	static const struct {
		struct vu_region region;
		int code;
	} bad[] = {
		{ { GPA + BYTES - 1, 4096, UVA + BYTES, 0 }, EEXIST },
		{ { GPA + BYTES, 4096, UVA + BYTES - 1, 0 }, EEXIST },
		{ { GPA - 4095, 4096, UVA - 4096, 0 }, EEXIST },
		{ { GPA, 4096, UVA, 0 }, EEXIST },
		{ { GPA + BYTES, 0, UVA + BYTES, 0 }, EINVAL },
		{ { GPA + BYTES, BYTES + 1, UVA + BYTES, 0 }, ENXIO },
		{ { UINT64_MAX - 10, 4096, UVA + BYTES, 0 }, EINVAL },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		EXPECT_EQ(bad[i].code, t_served_set_region(&self->s, VU_ADD_MEM_REG, &bad[i].region,
							   self->ring.memfd))
		TH_LOG("row %zu: %s", i, self->s.refusal.msg);
	}
	EXPECT_EQ(0, t_ring_echo(&self->ring, "after", 6, T_DEADLINE_MS));
}

/* --- files that shrink ---------------------------------------------------------- */

FIXTURE(shrinking)
{
	struct t_served s;
	struct t_ring ring;
	struct t_ring good;
};

FIXTURE_VARIANT(shrinking)
{
	uint32_t left;
	bool spins;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(shrinking, to_nothing) { .left = 0 };
FIXTURE_VARIANT_ADD(shrinking, to_the_descriptors) { .left = 0x1000 };
FIXTURE_VARIANT_ADD(shrinking, to_the_avail_ring) { .left = 0x2000 };
FIXTURE_VARIANT_ADD(shrinking, to_the_ring) { .left = 0x3000 };
FIXTURE_VARIANT_ADD(shrinking, to_half_of_a_buffer) { .left = T_RING_IN };
FIXTURE_VARIANT_ADD(shrinking, to_nothing_under_its_eyes) { .left = 0, .spins = true };
/* clang-format on */

/* Longer than any test. */
#define ENDLESS_US 60000000u

static int make_spinning(void *ctx, struct loop *loop, struct vdev **vdev)
{
	struct t_served *s = ctx;

	loop_set_spin(loop, ENDLESS_US);
	t_served_device_init(s);
	*vdev = &s->device;
	return 0;
}

FIXTURE_SETUP(shrinking)
{
	const struct t_served_config config = {
		.make = variant->spins ? make_spinning : NULL,
		.ctx = &self->s,
	};
	int ret;

	memset(self, 0, sizeof(*self));
	ASSERT_EQ(0, t_ring_create_unsealed(&self->ring));
	ASSERT_EQ(0, t_ring_create(&self->good));
	ret = t_served_start_with(&self->s, &config);
	if (ret == -EPERM || ret == -ENOSYS)
		SKIP(return, SKIP_REASON);
	ASSERT_EQ(0, ret);
	ASSERT_EQ(0, t_served_negotiate(&self->s));
	ASSERT_EQ(0, t_served_set_up(&self->s, &self->ring, 0));
	ASSERT_EQ(0, t_ring_echo(&self->ring, "before", 7, T_DEADLINE_MS));
	ASSERT_EQ(0, t_served_spare(&self->s));
}

FIXTURE_TEARDOWN(shrinking)
{
	t_served_stop(&self->s);
	t_ring_destroy(&self->ring);
	t_ring_destroy(&self->good);
}

TEST_F(shrinking, memory_costs_the_connection_and_the_next_is_served)
{
	const struct vring_buf bufs[] = { { T_RING_GPA + T_RING_OUT, 8 },
					  { T_RING_GPA + T_RING_IN, 8 } };

	/* available before it is taken away: the back-end has to look at it */
	ASSERT_LE(0, vring_drv_add(&self->ring.drv, bufs, 1, 1));
	ASSERT_EQ(0, ftruncate(self->ring.memfd, variant->left));
	/* and where it looks all the time, by itself */
	if (!variant->spins)
		ASSERT_EQ(0, t_ring_kick(&self->ring));
	EXPECT_EQ(-EFAULT, t_served_next(&self->s));
	EXPECT_NE(NULL, strstr(self->s.closed.msg, "truncated")) TH_LOG("%s", self->s.closed.msg);
	EXPECT_EQ(0, t_served_set_up(&self->s, &self->good, 0));
	EXPECT_EQ(0, t_ring_echo(&self->good, "after", 6, T_DEADLINE_MS));
}

TEST_HARNESS_MAIN
