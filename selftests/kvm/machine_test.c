// SPDX-License-Identifier: GPL-2.0-only
/*
 * A machine and how it ends, with a few instructions instead of a kernel.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include <vringlab/boot.h>
#include <vringlab/machine.h>
#include <vringlab/vmm_regs.h>

#include "kvm.h"
#include "t_kernel.h"

#define MEMORY (32ull << 20)

/* Generous: where KVM itself is emulated, an exit takes its time. */
#define DEADLINE_NS (60ull * 1000000000)

/*
 * What a guest executes, from its start in flat protected mode. An assembler's
 * global symbols, because sizes of code are not known in C.
 */
#define GUEST(name, text)                                          \
	extern const uint8_t guest_##name[], guest_##name##_end[]; \
	__asm__(".pushsection .rodata\n"                           \
		".globl guest_" #name ", guest_" #name "_end\n"    \
		".code32\n"                                        \
		"guest_" #name ":\n" text "\n"                     \
		"1:	hlt\n"                                         \
		"	jmp 1b\n"                                        \
		"guest_" #name "_end:\n"                           \
		".code64\n"                                        \
		".popsection\n")

/* SLP_TYP 5 with SLP_EN, to PM1a control. */
/* clang-format off */
#define POWER_OFF                 \
	"	mov $0x604, %dx\n" \
	"	mov $0x3400, %ax\n" \
	"	out %ax, %dx\n"

GUEST(power_off, POWER_OFF);

GUEST(power_off_by_bytes, "	mov $0x605, %dx\n"
			  "	mov $0x34, %al\n"
			  "	out %al, %dx\n");

/* Other states of sleep are no end. */
GUEST(sleep_first, "	mov $0x604, %dx\n"
		   "	mov $0x2400, %ax\n"
		   "	out %ax, %dx\n" POWER_OFF);

GUEST(reset, "	mov $0x610, %dx\n"
	     "	mov $6, %al\n"
	     "	out %al, %dx\n");

GUEST(reset_by_keyboard, "	in $0x64, %al\n"
			 "	mov $0xfe, %al\n"
			 "	out %al, $0x64\n");

GUEST(panic, "	mov $0x505, %dx\n"
	     "	in %dx, %al\n"
	     "	out %al, %dx\n");

/* There is no IDT. */
GUEST(triple_fault, "	ud2\n");

GUEST(halt, "");

/* A port and an address that nothing has: all ones; then the sum of two bytes of them. */
GUEST(nothing_there, "	mov $0x2f8, %dx\n"
		     "	in %dx, %al\n"
		     "	mov $0xd0000000, %ebx\n"
		     "	add (%ebx), %al\n"
		     "	mov $0x3f8, %dx\n"
		     "	out %al, %dx\n" POWER_OFF);

/* CPUID.1: how many APIC ids, and its own. */
GUEST(cpuid, "	mov $1, %eax\n"
	     "	cpuid\n"
	     "	shr $16, %ebx\n"
	     "	mov $0x3f8, %dx\n"
	     "	mov %bl, %al\n"
	     "	out %al, %dx\n"
	     "	mov %bh, %al\n"
	     "	out %al, %dx\n" POWER_OFF);

/*
 * Starts all others by INIT and SIPI at 0x10000; each of them takes a number, tells
 * its x2APIC id (CPUID.0xb), and the last one powers off.
 */
GUEST(smp, "	mov $0x10000, %edi\n"
	   "	mov $0x1000000, %esi\n" /* where this guest is */
	   "	add $(guest_smp_ap - guest_smp), %esi\n"
	   "	mov $(guest_smp_ap_end - guest_smp_ap), %ecx\n"
	   "	rep movsb\n"
	   "	mov $0xfee00300, %ebx\n"
	   "	movl $0xc4500, (%ebx)\n"
	   "	movl $0xc4610, (%ebx)\n"
	   "2:	hlt\n"
	   "	jmp 2b\n"
	   ".code16\n"
	   "guest_smp_ap:\n"
	   "	xor %ax, %ax\n"
	   "	mov %ax, %ds\n"
	   "	mov $0xb, %eax\n"
	   "	xor %ecx, %ecx\n"
	   "	cpuid\n"
	   "	mov %dl, %al\n"
	   "	mov $0x3f8, %dx\n"
	   "	out %al, %dx\n"
	   "	mov $1, %al\n"
	   "	lock xadd %al, 0x900\n"
	   "	cmp $2, %al\n"
	   "	jne 3f\n" POWER_OFF
	   "3:	hlt\n"
	   "	jmp 3b\n"
	   "guest_smp_ap_end:\n"
	   ".code32\n");

struct seen {
	struct loop *loop;
	bool ended;
	uint8_t sent[64];
	unsigned int nr_sent;
};

FIXTURE(machine)
{
	struct machine_config config;
	struct machine_result result;
	struct machine *machine;
	struct vl_err err;
	struct seen seen;
};

/* clang-format on */

static bool on_tx(void *ctx, uint8_t byte)
{
	struct seen *seen = ctx;

	if (seen->nr_sent < sizeof(seen->sent))
		seen->sent[seen->nr_sent++] = byte;
	return true;
}

static void on_rx_room(void *ctx)
{
	(void)ctx;
}

static void on_ended(void *ctx, int res)
{
	struct seen *seen = ctx;

	seen->ended = !res;
	loop_stop(seen->loop);
}

/* clang-format off */
FIXTURE_SETUP(machine)
{
	REQUIRE_KVM();
	self->config = (struct machine_config){
		.memory = MEMORY,
		.nr_cpus = 1,
		.console = { .tx = on_tx, .rx_room = on_rx_room },
		.console_ctx = &self->seen,
	};
	ASSERT_EQ(0, loop_create(&self->seen.loop, &self->err))
	{
		TH_LOG("%s", self->err.msg);
	}
}

FIXTURE_TEARDOWN(machine)
{
	machine_destroy(self->machine);
	loop_destroy(self->seen.loop);
}

/* clang-format on */

#define ASSERT_OK(call)                      \
	ASSERT_EQ(0, call)                   \
	{                                    \
		TH_LOG("%s", self->err.msg); \
	}

static void start(struct __test_metadata *_metadata, FIXTURE_DATA(machine) * self,
		  const uint8_t *code, size_t nr)
{
	struct boot_machine tables = { .nr_cpus = self->config.nr_cpus };
	struct boot_config config = { .cmdline = "", .memory = self->config.memory };
	uint8_t image[T_KERNEL_BYTES];
	struct vmm_regs regs;
	struct boot boot;
	char path[64];
	int fd;

	t_kernel_make(image, code, nr);
	fd = memfd_create("kernel", MFD_CLOEXEC);
	ASSERT_GE(fd, 0);
	ASSERT_EQ((ssize_t)sizeof(image), write(fd, image, sizeof(image)));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	config.kernel = path;
	ASSERT_OK(boot_open(&boot, &config, &self->err));
	close(fd);
	ASSERT_OK(machine_create(&self->machine, &self->config, &self->err));
	ASSERT_OK(boot_load(&boot, &tables, vmm_memory_at(machine_vm(self->machine), 0, boot.low),
			    &self->err));
	ASSERT_OK(machine_create_vcpus(self->machine, &self->err));
	ASSERT_OK(machine_get_regs(self->machine, &regs, &self->err));
	boot_start_regs(&boot, &regs);
	boot_close(&boot);
	ASSERT_OK(machine_start(self->machine, &regs, self->seen.loop, on_ended, &self->seen,
				&self->err));
}

static void run(struct __test_metadata *_metadata, FIXTURE_DATA(machine) * self,
		const uint8_t *code, size_t nr)
{
	uint64_t deadline = loop_now_ns() + DEADLINE_NS;

	start(_metadata, self, code, nr);
	while (!self->seen.ended)
		ASSERT_EQ(0, loop_run_once(self->seen.loop, deadline));
	machine_stop(self->machine, &self->result);
}

#define RUN(name) run(_metadata, self, guest_##name, guest_##name##_end - guest_##name)
#define START(name) start(_metadata, self, guest_##name, guest_##name##_end - guest_##name)

TEST_F(machine, powers_off)
{
	RUN(power_off);
	EXPECT_EQ(MACHINE_POWER_OFF, self->result.end);
	EXPECT_EQ(1u, self->result.exits);
}

TEST_F(machine, powers_off_by_a_byte)
{
	RUN(power_off_by_bytes);
	EXPECT_EQ(MACHINE_POWER_OFF, self->result.end);
}

TEST_F(machine, does_not_sleep)
{
	RUN(sleep_first);
	EXPECT_EQ(MACHINE_POWER_OFF, self->result.end);
	EXPECT_EQ(2u, self->result.exits);
}

TEST_F(machine, resets_by_acpi)
{
	RUN(reset);
	EXPECT_EQ(MACHINE_RESET, self->result.end);
}

TEST_F(machine, resets_by_the_keyboard_controller)
{
	RUN(reset_by_keyboard);
	EXPECT_EQ(MACHINE_RESET, self->result.end);
}

TEST_F(machine, tells_a_panic)
{
	RUN(panic);
	EXPECT_EQ(MACHINE_PANIC, self->result.end);
}

TEST_F(machine, tells_a_triple_fault)
{
	RUN(triple_fault);
	EXPECT_EQ(MACHINE_TRIPLE_FAULT, self->result.end);
}

TEST_F(machine, reads_ones_where_nothing_is)
{
	RUN(nothing_there);
	EXPECT_EQ(MACHINE_POWER_OFF, self->result.end);
	ASSERT_EQ(1u, self->seen.nr_sent);
	EXPECT_EQ(0xfe, self->seen.sent[0]);
}

/* The others wait for their start, which never comes. */
TEST_F(machine, stops_vcpus_that_are_halted)
{
	self->config.nr_cpus = MACHINE_CPUS_MAX;
	START(halt);
	machine_stop(self->machine, &self->result);
	EXPECT_EQ(MACHINE_RUNS, self->result.end);
	EXPECT_FALSE(self->seen.ended);
}

TEST_F(machine, shows_its_topology)
{
	self->config.nr_cpus = 3;
	RUN(cpuid);
	ASSERT_EQ(2u, self->seen.nr_sent);
	/* ids up to a power of two */
	EXPECT_EQ(4, self->seen.sent[0]);
	EXPECT_EQ(0, self->seen.sent[1]);
}

TEST_F(machine, starts_its_other_vcpus)
{
	unsigned int ids = 0;

	self->config.nr_cpus = 4;
	RUN(smp);
	EXPECT_EQ(MACHINE_POWER_OFF, self->result.end);
	ASSERT_EQ(3u, self->seen.nr_sent);
	for (unsigned int i = 0; i < self->seen.nr_sent; i++)
		ids |= 1u << self->seen.sent[i];
	EXPECT_EQ(0xeu, ids);
}

TEST_F(machine, has_memory_above_4g)
{
	const struct vmm_memory *high;

	self->config.memory = (3ull << 30) + MEMORY;
	if (machine_check(&self->config, NULL))
		SKIP(return, "the host has less than 3G of memory: give it more");
	RUN(power_off);
	EXPECT_EQ(MACHINE_POWER_OFF, self->result.end);
	high = vmm_memory_get(machine_vm(self->machine), 1);
	ASSERT_NE(NULL, high);
	EXPECT_EQ(1ull << 32, high->gpa);
	EXPECT_EQ(MEMORY, high->size);
}

TEST_F(machine, refuses_what_cannot_be)
{
	struct machine_config good = self->config, *config = &self->config;

	config->memory = 0;
	EXPECT_EQ(-EINVAL, machine_create(&self->machine, config, &self->err));
	config->memory = MEMORY + 1;
	EXPECT_EQ(-EINVAL, machine_create(&self->machine, config, &self->err));
	config->memory = MEMORY + 4096;
	config->pages = VMM_PAGES_HUGETLB;
	EXPECT_EQ(-EINVAL, machine_create(&self->machine, config, &self->err));
	*config = good;
	config->memory = UINT64_MAX & ~4095ull;
	EXPECT_EQ(-ENOMEM, machine_create(&self->machine, config, &self->err));
	*config = good;
	config->nr_cpus = 0;
	EXPECT_EQ(-EINVAL, machine_create(&self->machine, config, &self->err));
	config->nr_cpus = MACHINE_CPUS_MAX + 1;
	EXPECT_EQ(-EINVAL, machine_create(&self->machine, config, &self->err));
	EXPECT_EQ(NULL, self->machine);
}

TEST_HARNESS_MAIN
