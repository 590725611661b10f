// SPDX-License-Identifier: GPL-2.0-only
/*
 * What KVM_IOEVENTFD takes and what it refuses, by request, without a vCPU: its limits,
 * and that all goes with the VM.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "kvm.h"

#define PIO KVM_IOEVENTFD_FLAG_PIO
#define MATCH KVM_IOEVENTFD_FLAG_DATAMATCH
#define DETACH KVM_IOEVENTFD_FLAG_DEASSIGN
/* The one beyond the last that there is: include/uapi/linux/kvm.h */
#define NO_FLAG (KVM_IOEVENTFD_VALID_FLAG_MASK + 1u)

#define ADDR 0xd0000000u

/* clang-format off */
FIXTURE(request)
{
	struct bare_vm bare;
	int fd;
};

/* clang-format on */

FIXTURE_SETUP(request)
{
	REQUIRE_KVM();
	bare_vm_open(&self->bare);
	ASSERT_LE(0, self->bare.vm);
	self->fd = eventfd(0, EFD_CLOEXEC);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(request)
{
	close(self->fd);
	bare_vm_close(&self->bare);
}

static int ask(int vm, int fd, uint64_t addr, uint32_t len, uint32_t flags)
{
	struct kvm_ioeventfd arg = { .addr = addr, .len = len, .fd = fd, .flags = flags };

	return ioctl(vm, KVM_IOEVENTFD, &arg) ? -errno : 0;
}

TEST_F(request, kvm_tells_that_it_can)
{
	EXPECT_EQ(1, ioctl(self->bare.vm, KVM_CHECK_EXTENSION, KVM_CAP_IOEVENTFD));
	EXPECT_EQ(1, ioctl(self->bare.vm, KVM_CHECK_EXTENSION, KVM_CAP_IOEVENTFD_ANY_LENGTH));
}

TEST_F(request, the_width_is_that_of_an_instruction_or_0)
{
	for (uint32_t len = 0; len < 20; len++) {
		int expected = len && len != 1 && len != 2 && len != 4 && len != 8 ? -EINVAL : 0;

		EXPECT_EQ(expected, ask(self->bare.vm, self->fd, ADDR, len, 0));
		EXPECT_EQ(expected, ask(self->bare.vm, self->fd, 0x600, len, PIO));
		EXPECT_EQ(expected ? -ENOENT : 0, ask(self->bare.vm, self->fd, ADDR, len, DETACH));
		EXPECT_EQ(expected ? -ENOENT : 0,
			  ask(self->bare.vm, self->fd, 0x600, len, PIO | DETACH));
	}
	EXPECT_EQ(-EINVAL, ask(self->bare.vm, self->fd, ADDR, UINT32_MAX, 0));
}

TEST_F(request, a_value_needs_a_width)
{
	EXPECT_EQ(-EINVAL, ask(self->bare.vm, self->fd, ADDR, 0, MATCH));
	EXPECT_EQ(-EINVAL, ask(self->bare.vm, self->fd, ADDR, 0, MATCH | PIO));
	EXPECT_EQ(0, ask(self->bare.vm, self->fd, ADDR, 1, MATCH));
}

TEST_F(request, the_address_does_not_wrap)
{
	EXPECT_EQ(-EINVAL, ask(self->bare.vm, self->fd, UINT64_MAX, 2, 0));
	EXPECT_EQ(-EINVAL, ask(self->bare.vm, self->fd, UINT64_MAX - 6, 8, 0));
	EXPECT_EQ(0, ask(self->bare.vm, self->fd, UINT64_MAX, 0, 0));
	EXPECT_EQ(0, ask(self->bare.vm, self->fd, UINT64_MAX - 8, 8, 0));
	/* that there is no such port is the caller's affair */
	EXPECT_EQ(0, ask(self->bare.vm, self->fd, 0x10000, 2, PIO));
}

TEST_F(request, a_flag_that_kvm_does_not_know_is_refused)
{
	for (uint32_t flag = NO_FLAG; flag; flag <<= 1)
		EXPECT_EQ(-EINVAL, ask(self->bare.vm, self->fd, ADDR, 2, flag));
	EXPECT_EQ(-ENOENT, ask(self->bare.vm, self->fd, ADDR, 2, DETACH));
}

/* Of s390: on x86 KVM takes it too, onto a bus of its own that nothing writes to. */
TEST_F(request, ccw_is_a_bus_of_its_own)
{
	const uint32_t ccw = KVM_IOEVENTFD_FLAG_VIRTIO_CCW_NOTIFY;

	EXPECT_EQ(0, ask(self->bare.vm, self->fd, ADDR, 8, ccw | MATCH));
	EXPECT_EQ(-EEXIST, ask(self->bare.vm, self->fd, ADDR, 8, ccw));
	EXPECT_EQ(0, ask(self->bare.vm, self->fd, ADDR, 8, 0));
	EXPECT_EQ(-ENOENT, ask(self->bare.vm, self->fd, ADDR, 8, PIO | DETACH));
	EXPECT_EQ(0, ask(self->bare.vm, self->fd, ADDR, 8, DETACH));
	EXPECT_EQ(0, ask(self->bare.vm, self->fd, ADDR, 8, ccw | MATCH | DETACH));
}

TEST_F(request, only_an_eventfd_is_one)
{
	int pipes[2];

	ASSERT_EQ(0, pipe2(pipes, O_CLOEXEC));
	for (uint32_t flags = 0; flags <= DETACH; flags += DETACH) {
		EXPECT_EQ(-EBADF, ask(self->bare.vm, -1, ADDR, 2, flags));
		EXPECT_EQ(-EBADF, ask(self->bare.vm, 99999, ADDR, 2, flags));
		EXPECT_EQ(-EINVAL, ask(self->bare.vm, pipes[1], ADDR, 2, flags));
		EXPECT_EQ(-EINVAL, ask(self->bare.vm, self->bare.kvm, ADDR, 2, flags));
	}
	close(pipes[0]);
	close(pipes[1]);
}

static int ask_zone(int vm, unsigned long request, uint64_t addr)
{
	struct kvm_coalesced_mmio_zone zone = { .addr = addr, .size = 4 };

	return ioctl(vm, request, &zone) ? -errno : 0;
}

/* virt/kvm/kvm_main.c: a bus has NR_IOBUS_DEVS devices, its ioeventfds not counted. */
TEST_F_TIMEOUT(request, a_bus_that_is_full_takes_none_and_they_fill_none, SLOW)
{
	const unsigned int many = 4096;
	unsigned int zones = 0;
	int ret;

	/* more than devices may be, of which they are none */
	for (unsigned int i = 0; i < 1100; i++)
		ASSERT_EQ(0, ask(self->bare.vm, self->fd, ADDR + i * 8, 4, 0));
	do {
		ret = ask_zone(self->bare.vm, KVM_REGISTER_COALESCED_MMIO, 0xc0000000 + zones * 8);
		zones += !ret;
	} while (!ret && zones < many);
	ASSERT_EQ(-ENOSPC, ret)
	{
		TH_LOG("%u zones", zones);
	}
	EXPECT_EQ(-ENOSPC, ask(self->bare.vm, self->fd, ADDR + 4, 4, 0));
	/* other buses are others */
	EXPECT_EQ(0, ask(self->bare.vm, self->fd, 0x600, 4, PIO));
	EXPECT_EQ(0, ask_zone(self->bare.vm, KVM_UNREGISTER_COALESCED_MMIO, 0xc0000000));
	EXPECT_EQ(0, ask(self->bare.vm, self->fd, ADDR + 4, 4, 0));
	EXPECT_EQ(0, ask_zone(self->bare.vm, KVM_REGISTER_COALESCED_MMIO, 0xc0000000));
	EXPECT_EQ(-ENOSPC, ask(self->bare.vm, self->fd, ADDR + 12, 4, 0));
}

#define MANY 64u

/* An eventfd's id is given out again once nobody has the eventfd any more. */
static int eventfd_id(int fd)
{
	char path[64], line[128];
	int id = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "re");
	if (!f)
		return -1;
	while (id < 0 && fgets(line, sizeof(line), f))
		if (sscanf(line, "eventfd-id: %d", &id) != 1)
			id = -1;
	fclose(f);
	return id;
}

/* How many of these ids new eventfds get, if as many are made. */
static unsigned int ids_again(const int *ids)
{
	unsigned int again = 0;
	int fds[MANY];

	for (unsigned int i = 0; i < MANY; i++) {
		int id;

		fds[i] = eventfd(0, EFD_CLOEXEC);
		id = eventfd_id(fds[i]);
		for (unsigned int j = 0; j < MANY; j++)
			again += id == ids[j];
	}
	for (unsigned int i = 0; i < MANY; i++)
		close(fds[i]);
	return again;
}

TEST_F(request, all_goes_with_the_vm)
{
	int ids[MANY];

	for (unsigned int i = 0; i < MANY; i++) {
		int fd = eventfd(0, EFD_CLOEXEC);

		ids[i] = eventfd_id(fd);
		ASSERT_LE(0, ids[i]);
		ASSERT_EQ(0, ask(self->bare.vm, fd, ADDR + i * 8, i & 1 ? 4 : 0, i & 2 ? PIO : 0));
		close(fd);
	}
	EXPECT_EQ(0u, ids_again(ids));
	close(self->bare.vm);
	self->bare.vm = -1;
	/* others on this machine may be quicker, but not always */
	EXPECT_LE(1u, ids_again(ids));
}

TEST_HARNESS_MAIN
