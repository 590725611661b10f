// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the VMM says of exits and registers, without KVM.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kselftest_harness.h>

#include <vringlab/hist.h>
#include <vringlab/vmm_exit.h>
#include <vringlab/vmm_regs.h>

#include "../../user/guest/tsc_hist.h"

/* clang-format off */
FIXTURE(exit_text)
{
	/* struct kvm_run, and the PIO data behind it */
	union {
		struct kvm_run run;
		uint8_t bytes[sizeof(struct kvm_run) + 64];
	} u;
	char text[320];
};

FIXTURE_SETUP(exit_text) { }
FIXTURE_TEARDOWN(exit_text) { }

/* clang-format on */

#define EXPECT_TEXT(reason, expected)                                                      \
	do {                                                                               \
		self->u.run.exit_reason = reason;                                          \
		EXPECT_STREQ(expected, vmm_exit_describe(&self->u.run, sizeof(self->u),    \
							 self->text, sizeof(self->text))); \
	} while (0)

/*
 * Reads "#define KVM_EXIT_NAME NUMBER". The names that qualify one exit, as
 * KVM_EXIT_IO_IN, have numbers of their own in between and are not reasons.
 */
static bool reason_of(const char *line, char *name, unsigned int *number)
{
	static const char *const others[] = {
		"KVM_EXIT_IO_IN",	 "KVM_EXIT_IO_OUT",	   "KVM_EXIT_HYPERV_SYNIC",
		"KVM_EXIT_HYPERV_HCALL", "KVM_EXIT_HYPERV_SYNDBG", "KVM_EXIT_XEN_HCALL",
	};

	if (sscanf(line, "#define %63s %u", name, number) != 2 ||
	    strncmp(name, "KVM_EXIT_", strlen("KVM_EXIT_")))
		return false;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (!strcmp(name, others[i]))
			return false;
	return true;
}

static unsigned int check_header(struct __test_metadata *_metadata, const char *path)
{
	unsigned int nr = 0, number;
	char line[256], name[64];
	FILE *f = fopen(path, "r");

	while (f && fgets(line, sizeof(line), f)) {
		if (!reason_of(line, name, &number))
			continue;
		EXPECT_STREQ(name, vmm_exit_name(number));
		nr++;
	}
	if (f)
		fclose(f);
	return nr;
}

TEST(every_exit_reason_of_the_system_header_has_its_name)
{
	unsigned int nr = check_header(_metadata, "/usr/include/linux/kvm.h");

	if (!nr)
		SKIP(return, "no /usr/include/linux/kvm.h: install linux-libc-dev");
	EXPECT_LE(38, nr);
}

TEST(every_exit_reason_of_the_kernel_source_has_its_name)
{
	const char *ksrc = getenv("KSRC");
	char path[512];
	unsigned int nr;

	snprintf(path, sizeof(path), "%s/include/uapi/linux/kvm.h", ksrc ? ksrc : "");
	nr = ksrc ? check_header(_metadata, path) : 0;
	if (!nr)
		SKIP(return, "no include/uapi/linux/kvm.h in KSRC: give a whole kernel source");
	EXPECT_LE(38, nr);
}

TEST(exit_reasons_beyond_the_table_are_unknown)
{
	EXPECT_STREQ("KVM_EXIT_UNKNOWN", vmm_exit_name(0));
	EXPECT_STREQ("KVM_EXIT_MEMORY_FAULT", vmm_exit_name(39));
	EXPECT_STREQ("unknown", vmm_exit_name(4711));
	EXPECT_STREQ("unknown", vmm_exit_name(UINT32_MAX));
	EXPECT_STREQ("unknown", vmm_suberror_name(0));
	EXPECT_STREQ("KVM_INTERNAL_ERROR_SIMUL_EX", vmm_suberror_name(KVM_INTERNAL_ERROR_SIMUL_EX));
	EXPECT_STREQ("unknown", vmm_suberror_name(UINT32_MAX));
}

TEST_F(exit_text, of_an_unknown_reason_has_its_number)
{
	EXPECT_TEXT(4711, "exit unknown (4711)");
}

TEST_F(exit_text, of_hardware_reasons_has_them)
{
	self->u.run.hw.hardware_exit_reason = 0x80000021;
	EXPECT_TEXT(KVM_EXIT_UNKNOWN, "exit KVM_EXIT_UNKNOWN (0): hardware reason 0x80000021");
	self->u.run.fail_entry.hardware_entry_failure_reason = 0x80000021;
	self->u.run.fail_entry.cpu = 3;
	EXPECT_TEXT(KVM_EXIT_FAIL_ENTRY,
		    "exit KVM_EXIT_FAIL_ENTRY (9): hardware reason 0x80000021, CPU 3");
}

TEST_F(exit_text, of_port_output_has_the_data)
{
	self->u.run.io.direction = KVM_EXIT_IO_OUT;
	self->u.run.io.port = 0x80;
	self->u.run.io.size = 4;
	self->u.run.io.count = 1;
	self->u.run.io.data_offset = sizeof(struct kvm_run);
	memcpy(self->u.bytes + sizeof(struct kvm_run), "\x01\x02\xfe\xff", 4);
	EXPECT_TEXT(KVM_EXIT_IO,
		    "exit KVM_EXIT_IO (2): write to port 0x80, 1 x 4 bytes, data 01 02 fe ff");
}

TEST_F(exit_text, never_reads_beyond_the_mapping)
{
	self->u.run.io.direction = KVM_EXIT_IO_OUT;
	self->u.run.io.port = 0x80;
	self->u.run.io.size = 4;
	self->u.run.io.count = 17;
	self->u.run.io.data_offset = sizeof(struct kvm_run);
	EXPECT_TEXT(KVM_EXIT_IO, "exit KVM_EXIT_IO (2): write to port 0x80, 17 x 4 bytes");
	self->u.run.io.count = 1;
	self->u.run.io.data_offset = UINT64_MAX - 1;
	EXPECT_TEXT(KVM_EXIT_IO, "exit KVM_EXIT_IO (2): write to port 0x80, 1 x 4 bytes");
}

/* Names of their own keep the strings on one line each. */
#define EIGHT_BYTES \
	"exit KVM_EXIT_MMIO (6): write to address 0xfee, 200 bytes, data ab ab ab ab ab ab ab ab"
#define TWO_WORDS \
	"exit KVM_EXIT_INTERNAL_ERROR (17): KVM_INTERNAL_ERROR_SIMUL_EX (2), data 0x80 0x31"

TEST_F(exit_text, of_mmio_has_address_and_at_most_eight_bytes)
{
	self->u.run.mmio.phys_addr = 0xfee;
	self->u.run.mmio.is_write = 1;
	self->u.run.mmio.len = 200;
	memset(self->u.run.mmio.data, 0xab, sizeof(self->u.run.mmio.data));
	EXPECT_TEXT(KVM_EXIT_MMIO, EIGHT_BYTES);
	self->u.run.mmio.is_write = 0;
	EXPECT_TEXT(KVM_EXIT_MMIO, "exit KVM_EXIT_MMIO (6): read from address 0xfee, 200 bytes");
}

TEST_F(exit_text, of_an_internal_error_has_suberror_and_data)
{
	self->u.run.internal.suberror = KVM_INTERNAL_ERROR_SIMUL_EX;
	self->u.run.internal.ndata = 2;
	self->u.run.internal.data[0] = 0x80;
	self->u.run.internal.data[1] = 0x31;
	EXPECT_TEXT(KVM_EXIT_INTERNAL_ERROR, TWO_WORDS);
	self->u.run.internal.suberror = 77;
	self->u.run.internal.ndata = 0;
	EXPECT_TEXT(KVM_EXIT_INTERNAL_ERROR, "exit KVM_EXIT_INTERNAL_ERROR (17): unknown (77)");
}

TEST_F(exit_text, of_failed_emulation_has_the_instruction)
{
	self->u.run.emulation_failure.suberror = KVM_INTERNAL_ERROR_EMULATION;
	self->u.run.emulation_failure.ndata = 4;
	self->u.run.emulation_failure.flags = KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES;
	self->u.run.emulation_failure.insn_size = 2;
	memcpy(self->u.run.emulation_failure.insn_bytes, "\x0f\x0b", 2);
	self->u.run.exit_reason = KVM_EXIT_INTERNAL_ERROR;
	vmm_exit_describe(&self->u.run, sizeof(self->u), self->text, sizeof(self->text));
	EXPECT_NE(NULL, strstr(self->text,
			       "KVM_INTERNAL_ERROR_EMULATION (1), instruction 0f 0b, data 0x1 "))
	{
		TH_LOG("%s", self->text);
	}
}

TEST_F(exit_text, bounds_the_kernel_s_counts)
{
	self->u.run.internal.suberror = KVM_INTERNAL_ERROR_SIMUL_EX;
	self->u.run.internal.ndata = UINT32_MAX;
	self->u.run.exit_reason = KVM_EXIT_INTERNAL_ERROR;
	vmm_exit_describe(&self->u.run, sizeof(self->u), self->text, sizeof(self->text));
	EXPECT_GT(sizeof(self->text), strlen(self->text));
	memset(self->text, 'x', sizeof(self->text));
	vmm_exit_describe(&self->u.run, sizeof(self->u), self->text, 10);
	EXPECT_STREQ("exit KVM_", self->text);
	EXPECT_EQ('x', self->text[10]);
}

TEST_F(exit_text, of_shutdown_events_and_msrs_is_named)
{
	EXPECT_TEXT(KVM_EXIT_SHUTDOWN,
		    "exit KVM_EXIT_SHUTDOWN (8): triple fault, or the guest asked to be reset");
	self->u.run.system_event.type = KVM_SYSTEM_EVENT_CRASH;
	EXPECT_TEXT(KVM_EXIT_SYSTEM_EVENT,
		    "exit KVM_EXIT_SYSTEM_EVENT (24): KVM_SYSTEM_EVENT_CRASH (3)");
	memset(&self->u, 0, sizeof(self->u));
	self->u.run.msr.index = 0xc0000080;
	self->u.run.msr.reason = 2;
	self->u.run.msr.data = 0x500;
	EXPECT_TEXT(KVM_EXIT_X86_RDMSR, "exit KVM_EXIT_X86_RDMSR (29): MSR 0xc0000080, reason 0x2");
	EXPECT_TEXT(KVM_EXIT_X86_WRMSR,
		    "exit KVM_EXIT_X86_WRMSR (30): MSR 0xc0000080, reason 0x2, data 0x500");
}

TEST_F(exit_text, of_a_memory_fault_is_read_without_its_header)
{
	uint64_t fault[3] = { 8, 0x100000, 4096 };

	memcpy(&self->u.run.hw, fault, sizeof(fault));
	EXPECT_TEXT(39, "exit KVM_EXIT_MEMORY_FAULT (39): flags 0x8, address 0x100000, 4096 bytes");
}

static void print(const struct vmm_regs *regs, char *text, size_t size)
{
	FILE *f = fmemopen(text, size, "w");

	if (!f)
		return;
	vmm_regs_print(f, regs);
	fclose(f);
}

TEST(registers_are_spelled_out)
{
	struct vmm_regs regs = {
		.regs = { .rip = 0x10000, .r15 = 0xfedcba9876543210, .rflags = 0x246 },
		.sregs = {
			.cr0 = 0x80010031, .cr2 = 0xdead, .cr3 = 0x2000, .cr4 = 0x20,
			.efer = 0x500, .apic_base = 0xfee00900,
			.cs = { .selector = 8, .limit = 0xffffffff, .type = 11, .present = 1,
				.l = 1, .s = 1, .g = 1 },
			.ds = { .selector = 0x10, .limit = 0xffff, .type = 6, .dpl = 3, .s = 1 },
			.tr = { .type = 11, .present = 1 },
			.gdt = { .base = 0x1000, .limit = 0x17 },
		},
	};
	static const char *const expected[] = {
		"  rip  0000000000010000",
		"  r15  fedcba9876543210",
		"  rflags   0000000000000246  [PF ZF IF]\n",
		"  cr0      0000000080010031  [PE ET NE WP PG]\n",
		"  cr2      000000000000dead\n",
		"  cr3      0000000000002000\n",
		"  cr4      0000000000000020  [PAE]\n",
		"  efer     0000000000000500  [LME LMA]\n",
		"  apicbase 00000000fee00900  [BSP EN]\n",
		"  cs   selector 0008 base 0000000000000000 limit ffffffff type b code readable accessed, dpl 0, present, 64-bit, 4K granular\n",
		"  ds   selector 0010 base 0000000000000000 limit 0000ffff type 6 data writable expand-down, dpl 3\n",
		"type b tss busy, dpl 0, present\n",
		"  gdt  base 0000000000001000 limit 0017\n",
	};
	char text[8192] = "";

	print(&regs, text, sizeof(text));
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		EXPECT_NE(NULL, strstr(text, expected[i]))
		{
			TH_LOG("not in the dump: %s", expected[i]);
		}
	}
}

static const struct vmm_regs reset = {
	.regs = { .rip = 0xfff0, .rdx = 0x600, .rflags = 2 },
	.sregs = {
		.cs = { .selector = 0xf000, .base = 0xffff0000, .limit = 0xffff, .present = 1 },
		.ds = { .limit = 0xffff },
		.ss = { .limit = 0xffff },
		.cr0 = 0x10,
	},
};

/* clang-format off */
FIXTURE(changes)
{
	struct vmm_regs regs;
	char text[4096];
	unsigned int nr;
};

/* clang-format on */

FIXTURE_SETUP(changes)
{
	self->regs = reset;
}

FIXTURE_TEARDOWN(changes)
{
}

static void general_changes(FIXTURE_DATA(changes) * self, const struct kvm_regs *before)
{
	FILE *f = fmemopen(self->text, sizeof(self->text), "w");

	self->nr = vmm_regs_print_general_changes(f, before, &self->regs.regs);
	fclose(f);
}

static void special_changes(FIXTURE_DATA(changes) * self, const struct kvm_sregs *before)
{
	FILE *f = fmemopen(self->text, sizeof(self->text), "w");

	self->nr = vmm_regs_print_special_changes(f, before, &self->regs.sregs);
	fclose(f);
}

TEST_F(changes, registers_that_nobody_knew_are_told_where_not_0)
{
	general_changes(self, NULL);
	EXPECT_STREQ("rdx 0x600\nrip 0xfff0\nrflags 2 []\n", self->text);
	EXPECT_EQ(3u, self->nr);
	special_changes(self, NULL);
	EXPECT_STREQ("cs: selector 0xf000, base 0xffff0000, limit 0xffff, present 1\n"
		     "ds ss: limit 0xffff\n"
		     "cr0 0x10 [ET]\n",
		     self->text);
	EXPECT_EQ(3u, self->nr);
}

TEST_F(changes, nothing_is_told_where_nothing_has_changed)
{
	general_changes(self, &reset.regs);
	EXPECT_EQ(0u, self->nr);
	EXPECT_STREQ("", self->text);
	special_changes(self, &reset.sregs);
	EXPECT_EQ(0u, self->nr);
	EXPECT_STREQ("", self->text);
}

/* All of struct kvm_regs is words: one after the other. */
TEST_F(changes, each_general_register_is_told)
{
	uint64_t *words = (uint64_t *)&self->regs.regs;

	for (size_t i = 0; i < sizeof(self->regs.regs) / sizeof(*words); i++) {
		self->regs = reset;
		words[i] += 0x100;
		general_changes(self, &reset.regs);
		EXPECT_EQ(1u, self->nr);
		EXPECT_NE(NULL, strstr(self->text, " -> 0x"));
	}
}

TEST_F(changes, segments_are_told_member_by_member)
{
	self->regs.sregs.ds.selector = 0x1000;
	self->regs.sregs.ds.base = 0x10000;
	self->regs.sregs.ss.selector = 0x1000;
	self->regs.sregs.ss.base = 0x10000;
	self->regs.sregs.cs.l = 1;
	self->regs.sregs.gdt.limit = 0x17;
	self->regs.sregs.efer = 0x500;
	special_changes(self, &reset.sregs);
	EXPECT_STREQ("cs: l 0 -> 1\n"
		     "ds ss: selector 0 -> 0x1000, base 0 -> 0x10000\n"
		     "gdt: base 0 -> 0, limit 0 -> 0x17\n"
		     "efer 0 -> 0x500 [LME LMA]\n",
		     self->text);
}

TEST(the_guest_s_buckets_are_the_library_s)
{
	EXPECT_EQ(VL_HIST_BUCKETS_MAX, TSC_HIST_BUCKETS);
	for (unsigned int bit = 0; bit < 64; bit++) {
		for (int off = -2; off <= 2; off++) {
			uint64_t value = (1ull << bit) + off;
			unsigned int index = vl_hist_index(TSC_HIST_SUB_BITS, value);

			if (index > TSC_HIST_BUCKETS - 1)
				index = TSC_HIST_BUCKETS - 1;
			EXPECT_EQ(index, tsc_hist_bucket(value));
		}
	}
}

TEST_HARNESS_MAIN
