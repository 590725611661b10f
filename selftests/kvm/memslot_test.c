// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory that is taken away, moved and given again under a vCPU that writes to it: a write
 * is in the memory or exits as MMIO, and no write is lost or done twice.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "kvm.h"
#include "t.h"

#define PAGE 4096u

/* Slot 0 holds the code, slot 1 is what comes and goes. */
#define CODE_GPA 0x10000u
#define DATA_GPA 0x20000u
#define AWAY_GPA 0x30000u

/* 16-bit: counts from 1 in %ebx, and writes each number to DATA_GPA. */
extern const char counter_start[], counter_end[];
/* clang-format off */
asm(".pushsection .rodata\n"
	"	.code16\n"
	"counter_start:\n"
	"	mov $0x2000, %ax\n"
	"	mov %ax, %ds\n"
	"	xor %ebx, %ebx\n"
	"1:	inc %ebx\n"
	"	mov %ebx, 0\n"
	"	jmp 1b\n"
	"counter_end:\n"
	"	.code64\n"
	".popsection\n");

FIXTURE(slot)
{
	struct bare_vm bare;
	int vcpu;
	/* code, and data behind it */
	uint8_t *mem;
	struct kvm_run *run;
	size_t run_size;
	pthread_t thread;
	bool started;
	/* of MMIO exits since the memory went: written by the vCPU's thread */
	atomic_uint exits;
	uint32_t first;
	atomic_uint last;
	int exit_fd;
	atomic_bool stop;
	int ret;
};

/* clang-format on */

static int set_slot(FIXTURE_DATA(slot) * self, uint32_t flags, uint64_t gpa, uint64_t size)
{
	struct kvm_userspace_memory_region region = {
		.slot = 1,
		.flags = flags,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (uintptr_t)self->mem + PAGE,
	};

	return ioctl(self->bare.vm, KVM_SET_USER_MEMORY_REGION, &region) ? -errno : 0;
}

static int set_code(FIXTURE_DATA(slot) * self)
{
	struct kvm_userspace_memory_region region = {
		.guest_phys_addr = CODE_GPA,
		.memory_size = PAGE,
		.userspace_addr = (uintptr_t)self->mem,
	};

	memcpy(self->mem, counter_start, counter_end - counter_start);
	return ioctl(self->bare.vm, KVM_SET_USER_MEMORY_REGION, &region) ? -errno : 0;
}

static int set_entry(int vcpu)
{
	struct kvm_regs regs = { .rflags = 2 };
	struct kvm_sregs sregs;

	if (ioctl(vcpu, KVM_GET_SREGS, &sregs))
		return -errno;
	sregs.cs.base = CODE_GPA;
	sregs.cs.selector = CODE_GPA >> 4;
	if (ioctl(vcpu, KVM_SET_SREGS, &sregs) || ioctl(vcpu, KVM_SET_REGS, &regs))
		return -errno;
	return 0;
}

/* The number that the memory holds. */
static uint32_t stored(const FIXTURE_DATA(slot) * self)
{
	return __atomic_load_n((const uint32_t *)(self->mem + PAGE), __ATOMIC_ACQUIRE);
}

/* Numbers that exit follow each other. */
static int take_exit(FIXTURE_DATA(slot) * self)
{
	uint32_t number;

	if (self->run->exit_reason != KVM_EXIT_MMIO || !self->run->mmio.is_write ||
	    self->run->mmio.phys_addr != DATA_GPA || self->run->mmio.len != 4)
		return -EPROTO;
	memcpy(&number, self->run->mmio.data, sizeof(number));
	if (!self->exits)
		self->first = number;
	else if (number != self->last + 1)
		return -EILSEQ;
	atomic_store(&self->last, number);
	atomic_fetch_add(&self->exits, 1);
	eventfd_write(self->exit_fd, 1);
	return 0;
}

static void *run_vcpu(void *arg)
{
	typeof(FIXTURE_DATA(slot)) *self = arg;

	while (!self->ret && !atomic_load(&self->stop)) {
		if (ioctl(self->vcpu, KVM_RUN, 0))
			self->ret = -errno;
		else
			self->ret = take_exit(self);
	}
	return NULL;
}

FIXTURE_SETUP(slot)
{
	REQUIRE_KVM();
	memset(self, 0, sizeof(*self));
	bare_vm_open(&self->bare);
	ASSERT_LE(0, self->bare.vm);
	self->exit_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	self->mem = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->mem);
	ASSERT_EQ(0, set_code(self));
	ASSERT_EQ(0, set_slot(self, 0, DATA_GPA, PAGE));
	self->vcpu = ioctl(self->bare.vm, KVM_CREATE_VCPU, 0);
	ASSERT_LE(0, self->vcpu);
	self->run_size = ioctl(self->bare.kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	self->run = mmap(NULL, self->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, self->vcpu, 0);
	ASSERT_NE(MAP_FAILED, self->run);
	ASSERT_EQ(0, set_entry(self->vcpu));
	ASSERT_EQ(0, pthread_create(&self->thread, NULL, run_vcpu, self));
	self->started = true;
}

/* The vCPU has no other exits: without its memory it comes to see that it is to stop. */
FIXTURE_TEARDOWN(slot)
{
	if (self->started) {
		atomic_store(&self->stop, true);
		set_slot(self, 0, DATA_GPA, 0);
		pthread_join(self->thread, NULL);
		munmap(self->run, self->run_size);
	}
	munmap(self->mem, 2 * PAGE);
	close(self->exit_fd);
	close(self->vcpu);
	bare_vm_close(&self->bare);
}

/* There is nothing else to wait on: the guest writes memory, and no more. */
static bool wait_stored(const FIXTURE_DATA(slot) * self, uint32_t above)
{
	struct timespec now, end;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += T_DEADLINE_MS / 1000;
	do {
		if (stored(self) > above)
			return true;
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec < end.tv_sec);
	return false;
}

static bool wait_exits(FIXTURE_DATA(slot) * self, unsigned int nr)
{
	eventfd_t taken;

	while (self->exits < nr && !t_poll_until(self->exit_fd, T_DEADLINE_MS))
		eventfd_read(self->exit_fd, &taken);
	return self->exits >= nr;
}

/* While it is away: the first number that exits is the next one after the stored. */
static void check_away(struct __test_metadata *_metadata, FIXTURE_DATA(slot) * self)
{
	uint32_t kept = stored(self);

	ASSERT_TRUE(wait_exits(self, 5));
	ASSERT_EQ(kept + 1, self->first);
	ASSERT_EQ(kept, stored(self));
	ASSERT_EQ(0, self->ret);
}

/* It is back: all that has exited is over, and the count goes on in memory. */
static void check_back(struct __test_metadata *_metadata, FIXTURE_DATA(slot) * self)
{
	unsigned int exits;

	ASSERT_TRUE(wait_stored(self, self->last));
	exits = self->exits;
	ASSERT_EQ(exits, atomic_load(&self->last) - self->first + 1);
	ASSERT_TRUE(wait_stored(self, stored(self)));
	ASSERT_EQ(exits, atomic_load(&self->exits));
	ASSERT_EQ(0, self->ret);
	atomic_store(&self->exits, 0);
}

#define TURNS 8u

TEST_F(slot, without_memory_the_next_write_exits)
{
	ASSERT_TRUE(wait_stored(self, 0));
	EXPECT_EQ(0u, atomic_load(&self->exits));
	for (unsigned int i = 0; i < TURNS; i++) {
		ASSERT_EQ(0, set_slot(self, 0, DATA_GPA, 0));
		check_away(_metadata, self);
		ASSERT_EQ(0, set_slot(self, 0, DATA_GPA, PAGE));
		check_back(_metadata, self);
	}
}

TEST_F(slot, memory_that_is_moved_is_gone_from_where_it_was)
{
	ASSERT_TRUE(wait_stored(self, 0));
	for (unsigned int i = 0; i < TURNS; i++) {
		ASSERT_EQ(0, set_slot(self, 0, AWAY_GPA, PAGE));
		check_away(_metadata, self);
		ASSERT_EQ(0, set_slot(self, 0, DATA_GPA, PAGE));
		check_back(_metadata, self);
	}
}

TEST_F(slot, memory_that_is_read_only_is_not_written)
{
	if (ioctl(self->bare.vm, KVM_CHECK_EXTENSION, KVM_CAP_READONLY_MEM) <= 0)
		SKIP(return, "needs KVM_CAP_READONLY_MEM, which this kernel's KVM has not");
	ASSERT_TRUE(wait_stored(self, 0));
	/* a slot is not made so while it is there */
	EXPECT_EQ(-EINVAL, set_slot(self, KVM_MEM_READONLY, DATA_GPA, PAGE));
	EXPECT_EQ(0u, atomic_load(&self->exits));
	for (unsigned int i = 0; i < TURNS; i++) {
		ASSERT_EQ(0, set_slot(self, 0, DATA_GPA, 0));
		ASSERT_EQ(0, set_slot(self, KVM_MEM_READONLY, DATA_GPA, PAGE));
		check_away(_metadata, self);
		ASSERT_EQ(0, set_slot(self, 0, DATA_GPA, 0));
		ASSERT_EQ(0, set_slot(self, 0, DATA_GPA, PAGE));
		check_back(_metadata, self);
	}
}

TEST_F(slot, memory_that_overlaps_is_refused_and_nothing_changes)
{
	ASSERT_TRUE(wait_stored(self, 0));
	for (unsigned int i = 0; i < TURNS; i++) {
		ASSERT_EQ(-EEXIST, set_slot(self, 0, CODE_GPA, PAGE));
		ASSERT_EQ(-EINVAL, set_slot(self, 0, DATA_GPA, 2 * PAGE));
		ASSERT_EQ(-EINVAL, set_slot(self, 0, DATA_GPA + 1, PAGE));
	}
	ASSERT_TRUE(wait_stored(self, stored(self)));
	EXPECT_EQ(0u, atomic_load(&self->exits));
	EXPECT_EQ(0, self->ret);
}

TEST_HARNESS_MAIN
