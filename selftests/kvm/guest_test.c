// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guests of a few bytes, each of which ends in one way, and what the VMM makes
 * of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include <vringlab/err.h>
#include <vringlab/vmm.h>
#include <vringlab/vmm_guest.h>
#include <vringlab/vmm_regs.h>
#include <vringlab/vmm_vcpu.h>

#include "kvm.h"
#include "t.h"

#define MEMORY 0x20000u

/* clang-format off */
FIXTURE(guest)
{
	struct vmm *vm;
	struct vmm_vcpu *vcpu;
	struct vmm_guest_io io;
	struct vmm_vcpu_result result;
	struct vl_err err;
	int console[2];
};

/* clang-format on */

FIXTURE_SETUP(guest)
{
	self->console[0] = -1;
	self->console[1] = -1;
	REQUIRE_KVM();
	ASSERT_EQ(0, pipe2(self->console, O_CLOEXEC | O_NONBLOCK));
	self->io.console_fd = self->console[1];
	self->io.hlt_ends = true;
	ASSERT_EQ(0, vmm_create(&self->vm, NULL, &self->err))
	{
		TH_LOG("%s", self->err.msg);
	}
	ASSERT_EQ(0, vmm_memory_add(self->vm, 0, MEMORY, NULL, &self->err));
	ASSERT_EQ(0, vmm_vcpu_create(&self->vcpu, self->vm, 0, &self->err));
}

FIXTURE_TEARDOWN(guest)
{
	vmm_vcpu_destroy(self->vcpu);
	vmm_destroy(self->vm);
	close(self->console[0]);
	close(self->console[1]);
}

static int start(struct vmm *vm, struct vmm_vcpu *vcpu, struct vmm_guest_io *io,
		 const struct vmm_guest_image *image)
{
	int ret = image->long_mode ? vmm_vcpu_set_cpuid(vcpu, NULL) : 0;

	if (!ret)
		ret = vmm_guest_load(vm, vcpu, image, NULL);
	return ret ? ret : vmm_vcpu_start(vcpu, vmm_guest_exit, io, NULL);
}

/* Runs to the end; -ETIMEDOUT if there is none. */
static int run(struct vmm *vm, struct vmm_vcpu *vcpu, struct vmm_guest_io *io,
	       const struct vmm_guest_image *image, struct vmm_vcpu_result *result)
{
	int ret = start(vm, vcpu, io, image);

	if (ret)
		return ret;
	ret = t_poll_until(vmm_vcpu_done_fd(vcpu), T_DEADLINE_MS);
	if (ret)
		vmm_vcpu_stop(vcpu);
	vmm_vcpu_join(vcpu, result);
	return ret;
}

#define CODE(...)                                                 \
	((struct vmm_guest_image){                                \
		.name = "test",                                   \
		.start = (const uint8_t[]){ __VA_ARGS__ },        \
		.size = sizeof((const uint8_t[]){ __VA_ARGS__ }), \
	})

#define RUN(image) ASSERT_EQ(0, run(self->vm, self->vcpu, &self->io, &(image), &self->result))

#define EXPECT_UNEXPECTED(text)                                     \
	do {                                                        \
		EXPECT_EQ(VMM_END_UNEXPECTED, self->result.end);    \
		EXPECT_EQ(-EOPNOTSUPP, self->result.err.code);      \
		EXPECT_NE(NULL, strstr(self->result.err.msg, text)) \
		{                                                   \
			TH_LOG("%s", self->result.err.msg);         \
		}                                                   \
	} while (0)

TEST_F(guest, hello_prints_the_sum)
{
	char text[16] = "";

	RUN(*vmm_guest_find("hello"));
	EXPECT_EQ(VMM_END_GUEST, self->result.end);
	EXPECT_TRUE(self->io.ended);
	EXPECT_EQ(0, self->io.status);
	EXPECT_EQ(2, read(self->console[0], text, sizeof(text)));
	EXPECT_STREQ("4\n", text);
	/* two bytes and the halt */
	EXPECT_EQ(3, self->result.exits);
}

TEST_F(guest, ends_with_the_status_it_writes)
{
	/* mov $7, %al; mov $0x501, %dx; out %al, (%dx) */
	struct vmm_guest_image image = CODE(0xb0, 7, 0xba, 0x01, 0x05, 0xee);

	RUN(image);
	EXPECT_EQ(VMM_END_GUEST, self->result.end);
	EXPECT_EQ(7, self->io.status);
}

TEST_F(guest, output_without_newline_comes_at_the_end)
{
	/* mov $0x3f8, %dx; mov $'x', %al; out %al, (%dx); hlt */
	struct vmm_guest_image image = CODE(0xba, 0xf8, 0x03, 0xb0, 'x', 0xee, 0xf4);
	char text[4] = "";

	RUN(image);
	EXPECT_EQ(1, read(self->console[0], text, sizeof(text)));
	EXPECT_STREQ("x", text);
}

TEST_F(guest, output_that_cannot_be_written_fails_with_its_errno)
{
	struct vmm_guest_image image = *vmm_guest_find("hello");

	signal(SIGPIPE, SIG_IGN);
	close(self->console[0]);
	self->console[0] = -1;
	RUN(image);
	EXPECT_EQ(VMM_END_FAILED, self->result.end);
	EXPECT_EQ(-EPIPE, self->result.err.code);
	EXPECT_NE(NULL, strstr(self->result.err.msg, "guest's output"));
}

TEST_F(guest, writing_to_an_unknown_port_is_named)
{
	/* mov $0x1234, %dx; mov $0x41, %al; out %al, (%dx) */
	struct vmm_guest_image image = CODE(0xba, 0x34, 0x12, 0xb0, 0x41, 0xee);

	RUN(image);
	EXPECT_UNEXPECTED("vCPU 0: unexpected exit KVM_EXIT_IO (2): ");
	EXPECT_UNEXPECTED("write to port 0x1234, 1 x 1 bytes, data 41");
}

TEST_F(guest, reading_from_an_unknown_port_is_named)
{
	/* mov $0x1234, %dx; in (%dx), %ax */
	struct vmm_guest_image image = CODE(0xba, 0x34, 0x12, 0xed);

	RUN(image);
	EXPECT_UNEXPECTED("KVM_EXIT_IO (2): read from port 0x1234, 1 x 2 bytes");
}

TEST_F(guest, writing_where_no_memory_is_is_named)
{
	/* mov $0xf000, %ax; mov %ax, %ds; mov %al, 0x10 */
	struct vmm_guest_image image = CODE(0xb8, 0x00, 0xf0, 0x8e, 0xd8, 0xa2, 0x10, 0x00);

	RUN(image);
	EXPECT_UNEXPECTED("KVM_EXIT_MMIO (6): write to address 0xf0010, 1 bytes, data 00");
}

TEST_F(guest, a_halt_that_nothing_can_end_is_named)
{
	struct vmm_guest_image image = CODE(0xf4);

	self->io.hlt_ends = false;
	RUN(image);
	EXPECT_UNEXPECTED("KVM_EXIT_HLT (5)");
}

TEST_F(guest, a_triple_fault_is_named)
{
	struct vmm_guest_image image = CODE(0x0f, 0x0b); /* ud2, and no IDT */

	image.long_mode = true;
	RUN(image);
	EXPECT_UNEXPECTED("KVM_EXIT_SHUTDOWN (8): triple fault");
}

TEST_F(guest, running_where_no_memory_is_is_named)
{
	/* ljmp $0xf000, $0 */
	struct vmm_guest_image image = CODE(0xea, 0x00, 0x00, 0x00, 0xf0);

	RUN(image);
	EXPECT_UNEXPECTED("KVM_EXIT_INTERNAL_ERROR (17): KVM_INTERNAL_ERROR_EMULATION (1)");
}

TEST_F(guest, registers_are_dumped_by_name)
{
	/* mov $0x1234, %ax; mov $0x5678, %bx; stc; hlt */
	struct vmm_guest_image image = CODE(0xb8, 0x34, 0x12, 0xbb, 0x78, 0x56, 0xf9, 0xf4);
	char text[8192] = "";
	struct vmm_regs regs;
	FILE *f;

	RUN(image);
	ASSERT_EQ(0, vmm_regs_get(self->vcpu, &regs, &self->err));
	f = fmemopen(text, sizeof(text), "w");
	ASSERT_NE(NULL, f);
	vmm_regs_print(f, &regs);
	fclose(f);
	EXPECT_NE(NULL, strstr(text, "rip  0000000000000008"));
	EXPECT_NE(NULL, strstr(text, "rax  0000000000001234"));
	EXPECT_NE(NULL, strstr(text, "rbx  0000000000005678"));
	EXPECT_NE(NULL, strstr(text, "rflags   0000000000000003  [CF]"));
	EXPECT_NE(NULL, strstr(text, "cs   selector 1000 base 0000000000010000 limit 0000ffff"));
	if (!__test_passed(_metadata))
		TH_LOG("%s", text);
}

TEST_F(guest, long_mode_is_what_it_says)
{
	/* mov %rsp, %rax; sidt is none; hlt */
	struct vmm_guest_image image = CODE(0x48, 0x89, 0xe0, 0xf4);
	struct vmm_regs regs;

	image.long_mode = true;
	RUN(image);
	EXPECT_EQ(VMM_END_GUEST, self->result.end);
	ASSERT_EQ(0, vmm_regs_get(self->vcpu, &regs, &self->err));
	EXPECT_EQ(VMM_GUEST_LOAD_GPA + 4, regs.regs.rip);
	EXPECT_EQ(VMM_GUEST_LOAD_GPA - 8, regs.regs.rax);
	EXPECT_EQ(1, regs.sregs.cs.l);
	/* LME and LMA */
	EXPECT_EQ(0x500, regs.sregs.efer & 0x500);
}

TEST_F(guest, a_null_pointer_faults_in_long_mode)
{
	/* xor %eax, %eax; mov (%rax), %rbx */
	struct vmm_guest_image image = CODE(0x31, 0xc0, 0x48, 0x8b, 0x18);

	image.long_mode = true;
	RUN(image);
	EXPECT_UNEXPECTED("KVM_EXIT_SHUTDOWN (8)");
}

TEST_F(guest, memory_that_is_too_small_is_refused)
{
	static const uint8_t big[MEMORY];
	struct vmm_guest_image image = { .name = "big", .start = big, .size = MEMORY };

	EXPECT_EQ(-ENOSPC, vmm_guest_load(self->vm, self->vcpu, &image, &self->err));
	EXPECT_NE(NULL, strstr(self->err.msg, "guest big needs memory"));
}

TEST_F(guest, an_endless_loop_is_stopped)
{
	/* mov $0x3f8, %dx; mov $'\n', %al; out %al, (%dx); jmp . */
	struct vmm_guest_image image = CODE(0xba, 0xf8, 0x03, 0xb0, '\n', 0xee, 0xeb, 0xfe);
	struct vmm_regs regs;

	ASSERT_EQ(0, start(self->vm, self->vcpu, &self->io, &image));
	EXPECT_EQ(0, t_poll_until(self->console[0], T_DEADLINE_MS));
	vmm_vcpu_stop(self->vcpu);
	vmm_vcpu_join(self->vcpu, &self->result);
	EXPECT_EQ(VMM_END_STOPPED, self->result.end);
	EXPECT_EQ(0, self->result.err.code);
	EXPECT_FALSE(self->io.ended);
	ASSERT_EQ(0, vmm_regs_get(self->vcpu, &regs, &self->err));
	EXPECT_EQ(6, regs.regs.rip);
}

TEST_F(guest, stopping_at_any_moment_loses_no_stop)
{
	struct vmm_guest_image image = CODE(0xeb, 0xfe); /* jmp . */

	/* a new vCPU each time: before, in and after its first KVM_RUN */
	for (unsigned int id = 1; id < 100; id++) {
		struct vmm_vcpu *vcpu = NULL;

		ASSERT_EQ(0, vmm_vcpu_create(&vcpu, self->vm, id, &self->err));
		ASSERT_EQ(0, start(self->vm, vcpu, &self->io, &image));
		for (volatile unsigned int i = 0; i < id * 1000; i++)
			;
		vmm_vcpu_stop(vcpu);
		EXPECT_EQ(0, t_poll_until(vmm_vcpu_done_fd(vcpu), T_DEADLINE_MS));
		vmm_vcpu_join(vcpu, &self->result);
		EXPECT_EQ(VMM_END_STOPPED, self->result.end);
		vmm_vcpu_destroy(vcpu);
	}
}

/* clang-format off */
FIXTURE(doorbell)
{
	struct vmm *vm;
	struct vmm_vcpu *vcpu;
	struct vmm_guest_io io;
	struct vmm_vcpu_result result;
	struct vl_err err;
	struct vmm_ioeventfd doorbell;
};

FIXTURE_VARIANT(doorbell)
{
	struct vmm_ioeventfd doorbell;
	uint64_t signals;	/* of 300 writes of 2 bytes, 0 to 299 */
};

FIXTURE_VARIANT_ADD(doorbell, pio)
{
	.doorbell = { .bus = VMM_BUS_PIO, .addr = 0x600, .len = 2 }, .signals = 300,
};

FIXTURE_VARIANT_ADD(doorbell, pio_any_width)
{
	.doorbell = { .bus = VMM_BUS_PIO, .addr = 0x600 }, .signals = 300,
};

FIXTURE_VARIANT_ADD(doorbell, pio_one_value)
{
	.doorbell = { .bus = VMM_BUS_PIO, .addr = 0x600, .len = 2, .match = true, .value = 299 },
	.signals = 1,
};

FIXTURE_VARIANT_ADD(doorbell, mmio)
{
	.doorbell = { .bus = VMM_BUS_MMIO, .addr = 0xd0000, .len = 2 }, .signals = 300,
};

FIXTURE_VARIANT_ADD(doorbell, mmio_any_width)
{
	.doorbell = { .bus = VMM_BUS_MMIO, .addr = 0xd0000 }, .signals = 300,
};

/* clang-format on */

FIXTURE_SETUP(doorbell)
{
	self->doorbell.fd = -1;
	REQUIRE_KVM();
	self->io.console_fd = -1;
	self->io.hlt_ends = true;
	self->doorbell = variant->doorbell;
	self->doorbell.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ASSERT_EQ(0, vmm_create(&self->vm, NULL, &self->err));
	ASSERT_EQ(0, vmm_memory_add(self->vm, 0, MEMORY, NULL, &self->err));
	ASSERT_EQ(0, vmm_vcpu_create(&self->vcpu, self->vm, 0, &self->err));
	ASSERT_EQ(0, vmm_ioeventfd_attach(self->vm, &self->doorbell, &self->err))
	{
		TH_LOG("%s", self->err.msg);
	}
}

FIXTURE_TEARDOWN(doorbell)
{
	vmm_vcpu_destroy(self->vcpu);
	vmm_destroy(self->vm);
	close(self->doorbell.fd);
}

/* As an exit handler: the writes that do not signal come to user space. */
static int count_exit(void *ctx, struct kvm_run *run, struct vl_err *err)
{
	(void)err;
	if (run->exit_reason == KVM_EXIT_HLT)
		return VMM_EXIT_GUEST_DONE;
	++*(uint64_t *)ctx;
	return VMM_EXIT_HANDLED;
}

TEST_F(doorbell, counts_each_write_exactly)
{
	/* xor %ax, %ax; mov $0x600, %dx; mov $0xd000, %bx; mov %bx, %ds; mov $300, %cx */
	/* 1: out %ax, (%dx) or mov %ax, 0; inc %ax; loop 1b; hlt */
	struct vmm_guest_image pio =
		CODE(0x31, 0xc0, 0xba, 0x00, 0x06, 0xb9, 0x2c, 0x01, 0xef, 0x40, 0xe2, 0xfc, 0xf4);
	struct vmm_guest_image mmio = CODE(0x31, 0xc0, 0xbb, 0x00, 0xd0, 0x8e, 0xdb, 0xb9, 0x2c,
					   0x01, 0xa3, 0x00, 0x00, 0x40, 0xe2, 0xfa, 0xf4);
	bool is_pio = variant->doorbell.bus == VMM_BUS_PIO;
	uint64_t others = 0;
	eventfd_t value = 0;

	ASSERT_EQ(0, vmm_guest_load(self->vm, self->vcpu, is_pio ? &pio : &mmio, &self->err));
	ASSERT_EQ(0, vmm_vcpu_start(self->vcpu, count_exit, &others, &self->err));
	ASSERT_EQ(0, t_poll_until(vmm_vcpu_done_fd(self->vcpu), T_DEADLINE_MS));
	vmm_vcpu_join(self->vcpu, &self->result);
	EXPECT_EQ(VMM_END_GUEST, self->result.end)
	{
		TH_LOG("%s", self->result.err.msg);
	}
	EXPECT_EQ(0, eventfd_read(self->doorbell.fd, &value));
	EXPECT_EQ(variant->signals, value);
	EXPECT_EQ(300 - variant->signals, others);
}

TEST_F(doorbell, is_silent_after_detach)
{
	/* mov $0x600, %dx; out %ax, (%dx); hlt */
	struct vmm_guest_image pio = CODE(0xba, 0x00, 0x06, 0xef, 0xf4);
	/* mov $0xd000, %bx; mov %bx, %ds; mov %ax, 0; hlt */
	struct vmm_guest_image mmio = CODE(0xbb, 0x00, 0xd0, 0x8e, 0xdb, 0xa3, 0x00, 0x00, 0xf4);
	bool is_pio = variant->doorbell.bus == VMM_BUS_PIO;
	uint64_t others = 0;
	eventfd_t value = 0;

	ASSERT_EQ(0, vmm_ioeventfd_detach(self->vm, &self->doorbell, &self->err));
	ASSERT_EQ(0, vmm_guest_load(self->vm, self->vcpu, is_pio ? &pio : &mmio, &self->err));
	ASSERT_EQ(0, vmm_vcpu_start(self->vcpu, count_exit, &others, &self->err));
	ASSERT_EQ(0, t_poll_until(vmm_vcpu_done_fd(self->vcpu), T_DEADLINE_MS));
	vmm_vcpu_join(self->vcpu, &self->result);
	EXPECT_EQ(-1, eventfd_read(self->doorbell.fd, &value));
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_EQ(1, others);
}

TEST_HARNESS_MAIN
