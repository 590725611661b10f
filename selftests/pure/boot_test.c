// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel images, good and bad, and what is put into a guest's memory; without KVM.
 * The images are made up here: they hold no kernel.
 */
#include <elf.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include <vringlab/boot.h>
#include <vringlab/err.h>
#include <vringlab/pc.h>
#include <vringlab/vmm_regs.h>

#include "t_kernel.h"

#define MIB (1ull << 20)
#define MEMORY (64 * MIB)

#define IMAGE_BYTES 8192u
#define CODE_BYTES T_KERNEL_CODE_BYTES

#define HEADER offsetof(struct boot_params, hdr)
#define FIELD(name) HEADER + offsetof(struct setup_header, name)

#define ELF_CODE_GPA (16 * MIB)
#define ELF_DATA_GPA (17 * MIB)
#define ELF_ENTRY_GPA (ELF_CODE_GPA + 0x40)
#define ELF_CODE_OFFSET 0x400u
#define ELF_DATA_OFFSET 0x800u
#define ELF_NOTE_OFFSET 0x300u
#define XEN_ELFNOTE_PHYS32_ENTRY 18u

/* An ELF image's first bytes. */
struct elf_head {
	Elf64_Ehdr elf;
	Elf64_Phdr code;
	Elf64_Phdr data;
	Elf64_Phdr note;
};

struct elf_note {
	Elf64_Nhdr head;
	char name[4];
	uint64_t entry;
};

/* clang-format off */
FIXTURE(boot)
{
	int fd;
	int initrd_fd;
	char path[64];
	char initrd_path[64];
	uint8_t image[IMAGE_BYTES];
	size_t bytes;
	uint8_t *ram;
	struct boot_config config;
	struct boot boot;
	struct vl_err err;
};

FIXTURE_SETUP(boot)
{
	self->fd = memfd_create("image", MFD_CLOEXEC);
	self->initrd_fd = memfd_create("initrd", MFD_CLOEXEC);
	ASSERT_GE(self->fd, 0);
	ASSERT_GE(self->initrd_fd, 0);
	snprintf(self->path, sizeof(self->path), "/proc/self/fd/%d", self->fd);
	snprintf(self->initrd_path, sizeof(self->initrd_path), "/proc/self/fd/%d", self->initrd_fd);
	self->ram = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	ASSERT_NE(MAP_FAILED, self->ram);
	self->config = (struct boot_config){
		.kernel = self->path,
		.cmdline = "console=ttyS0",
		.memory = MEMORY,
	};
}

FIXTURE_TEARDOWN(boot)
{
	munmap(self->ram, MEMORY);
	close(self->fd);
	close(self->initrd_fd);
}

/* clang-format on */

static void put(uint8_t *image, size_t offset, uint64_t value, size_t bytes)
{
	memcpy(image + offset, &value, bytes);
}

static size_t make_bzimage(uint8_t *image)
{
	uint8_t code[CODE_BYTES];

	for (size_t i = 0; i < sizeof(code); i++)
		code[i] = i * 7;
	t_kernel_make(image, code, sizeof(code));
	return T_KERNEL_BYTES;
}

static size_t make_elf(uint8_t *image)
{
	struct elf_head *head = (struct elf_head *)image;
	struct elf_note *note = (struct elf_note *)(image + ELF_NOTE_OFFSET);

	memset(image, 0, IMAGE_BYTES);
	head->elf = (Elf64_Ehdr){
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_EXEC,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_phoff = offsetof(struct elf_head, code),
		.e_ehsize = sizeof(Elf64_Ehdr),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 3,
	};
	head->code = (Elf64_Phdr){ .p_type = PT_LOAD,
				   .p_offset = ELF_CODE_OFFSET,
				   .p_paddr = ELF_CODE_GPA,
				   .p_filesz = 0x400,
				   .p_memsz = 0x400 };
	head->data = (Elf64_Phdr){ .p_type = PT_LOAD,
				   .p_offset = ELF_DATA_OFFSET,
				   .p_paddr = ELF_DATA_GPA,
				   .p_filesz = 0x100,
				   .p_memsz = MIB };
	head->note = (Elf64_Phdr){ .p_type = PT_NOTE,
				   .p_offset = ELF_NOTE_OFFSET,
				   .p_filesz = sizeof(*note),
				   .p_memsz = sizeof(*note) };
	*note = (struct elf_note){
		.head = { .n_namesz = 4, .n_descsz = 8, .n_type = XEN_ELFNOTE_PHYS32_ENTRY },
		.name = "Xen",
		.entry = ELF_ENTRY_GPA,
	};
	for (size_t i = ELF_CODE_OFFSET; i < ELF_DATA_OFFSET + 0x100; i++)
		image[i] = i * 5;
	return ELF_DATA_OFFSET + 0x100;
}

/* Writes what is in @image, @bytes long, to the file, and nothing else. */
#define WRITE_IMAGE(nr)                                                         \
	do {                                                                    \
		ASSERT_EQ(0, ftruncate(self->fd, 0));                           \
		ASSERT_EQ((ssize_t)(nr), pwrite(self->fd, self->image, nr, 0)); \
	} while (0)

#define WRITE_INITRD(nr)                                                       \
	do {                                                                   \
		self->config.initrd = self->initrd_path;                       \
		ASSERT_EQ(0, ftruncate(self->initrd_fd, nr));                  \
		if (nr)                                                        \
			ASSERT_EQ(6, pwrite(self->initrd_fd, "070701", 6, 0)); \
	} while (0)

/* One errno, and a message that names the file. */
#define EXPECT_BAD(expected)                                                           \
	do {                                                                           \
		self->err.msg[0] = '\0';                                               \
		EXPECT_EQ(expected, boot_open(&self->boot, &self->config, &self->err)) \
		{                                                                      \
			TH_LOG("%s", self->err.msg);                                   \
		}                                                                      \
		EXPECT_EQ(expected, self->err.code);                                   \
		EXPECT_NE('\0', self->err.msg[0]);                                     \
	} while (0)

#define OPEN_AND_LOAD(machine)                                                       \
	do {                                                                         \
		ASSERT_EQ(0, boot_open(&self->boot, &self->config, &self->err))      \
		{                                                                    \
			TH_LOG("%s", self->err.msg);                                 \
		}                                                                    \
		ASSERT_EQ(0, boot_load(&self->boot, machine, self->ram, &self->err)) \
		{                                                                    \
			TH_LOG("%s", self->err.msg);                                 \
		}                                                                    \
		boot_close(&self->boot);                                             \
	} while (0)

static const struct boot_machine one_cpu = { .nr_cpus = 1 };

static const struct change {
	const char *what;
	size_t offset;
	size_t bytes;
	uint64_t value;
	int code;
} bzimage_changes[] = {
	{ "no HdrS", FIELD(header), 4, 0x53726449, -ENOEXEC },
	{ "no boot flag", FIELD(boot_flag), 2, 0x55aa, -ENOEXEC },
	{ "protocol 2.11", FIELD(version), 2, 0x020b, -EOPNOTSUPP },
	{ "a zImage", FIELD(loadflags), 1, 0, -EOPNOTSUPP },
	{ "a 32-bit kernel", FIELD(xloadflags), 2, 0, -EOPNOTSUPP },
	{ "no kernel", FIELD(syssize), 4, 0, -EBADMSG },
	{ "a kernel longer than the file", FIELD(syssize), 4, CODE_BYTES / 16 + 1, -ENODATA },
	{ "the longest kernel", FIELD(syssize), 4, UINT32_MAX, -ENODATA },
	{ "more setup than file", FIELD(setup_sects), 1, 255, -ENODATA },
	{ "a header without init_size", FIELD(jump), 2, 0x40eb, -EBADMSG },
	{ "a header longer than the setup", FIELD(setup_sects), 1, 1, 0 },
	{ "alignment 0", FIELD(kernel_alignment), 4, 0, -EBADMSG },
	{ "an odd alignment", FIELD(kernel_alignment), 4, 0x200001, -EBADMSG },
	{ "an address that is not aligned", FIELD(pref_address), 8, T_KERNEL_GPA + 4096, -EBADMSG },
	{ "less memory than kernel", FIELD(init_size), 4, CODE_BYTES - 1, -EBADMSG },
	{ "a payload behind the kernel", FIELD(payload_offset), 4, CODE_BYTES + 1, -EBADMSG },
	{ "a payload that ends behind it", FIELD(payload_length), 4, CODE_BYTES, -EBADMSG },
	{ "no payload", FIELD(payload_length), 4, 0, -EBADMSG },
	{ "the longest payload", FIELD(payload_length), 4, UINT32_MAX, -EBADMSG },
	{ "no command line", FIELD(cmdline_size), 4, 0, -EBADMSG },
	{ "address 0", FIELD(pref_address), 8, 0, -ERANGE },
	{ "an address behind low memory", FIELD(pref_address), 8, 0xc0000000, -ERANGE },
	{ "an address that wraps", FIELD(pref_address), 8, 0xffffffffffe00000, -ERANGE },
	{ "more memory than the guest has", FIELD(init_size), 4, MEMORY, -ENOSPC },
	{ "an initrd limit below the kernel", FIELD(initrd_addr_max), 4, MIB, -ENOSPC },
};

#define PHDR(which, field) offsetof(struct elf_head, which) + offsetof(Elf64_Phdr, field)
#define EHDR(field) offsetof(Elf64_Ehdr, field)
#define NOTE(field) ELF_NOTE_OFFSET + offsetof(struct elf_note, field)

static const struct change elf_changes[] = {
	{ "no magic", 0, 4, 0, -ENOEXEC },
	{ "32-bit", EI_CLASS, 1, ELFCLASS32, -EOPNOTSUPP },
	{ "big-endian", EI_DATA, 1, ELFDATA2MSB, -EOPNOTSUPP },
	{ "another machine", EHDR(e_machine), 2, EM_AARCH64, -EOPNOTSUPP },
	{ "an object file", EHDR(e_type), 2, ET_REL, -EOPNOTSUPP },
	{ "program headers of another size", EHDR(e_phentsize), 2, 32, -EBADMSG },
	{ "no program headers", EHDR(e_phnum), 2, 0, -EBADMSG },
	{ "far too many", EHDR(e_phnum), 2, 0xffff, -EBADMSG },
	{ "program headers behind the file", EHDR(e_phoff), 8, IMAGE_BYTES, -ENODATA },
	{ "program headers that wrap", EHDR(e_phoff), 8, UINT64_MAX - 8, -ENODATA },
	{ "a segment behind the file", PHDR(data, p_offset), 8, IMAGE_BYTES, -ENODATA },
	{ "a segment that wraps in the file", PHDR(data, p_offset), 8, UINT64_MAX, -ENODATA },
	{ "more file than memory", PHDR(data, p_memsz), 8, 0xff, -EBADMSG },
	{ "a segment at 0", PHDR(data, p_paddr), 8, 0, -ERANGE },
	{ "a segment behind low memory", PHDR(data, p_paddr), 8, 0xc0000000, -ERANGE },
	{ "a segment that wraps", PHDR(data, p_paddr), 8, UINT64_MAX - 0xff, -ERANGE },
	{ "a segment that is endless", PHDR(data, p_memsz), 8, UINT64_MAX, -ERANGE },
	{ "segments that overlap", PHDR(data, p_paddr), 8, ELF_CODE_GPA + 0x3ff, -EBADMSG },
	{ "segments that touch", PHDR(data, p_paddr), 8, ELF_CODE_GPA + 0x400, 0 },
	{ "more memory than the guest has", PHDR(data, p_memsz), 8, MEMORY, -ENOSPC },
	{ "no note", PHDR(note, p_type), 4, PT_NULL, -EOPNOTSUPP },
	{ "another note", NOTE(head.n_type), 4, 17, -EOPNOTSUPP },
	{ "a note of another", NOTE(name), 4, 0x00006f58, -EOPNOTSUPP },
	{ "an endless name", NOTE(head.n_namesz), 4, UINT32_MAX, -EBADMSG },
	{ "an endless note", NOTE(head.n_descsz), 4, UINT32_MAX, -EBADMSG },
	{ "an entry of 32 bits", NOTE(head.n_descsz), 4, 4, 0 },
	{ "an entry of another size", NOTE(head.n_descsz), 4, 2, -EBADMSG },
	{ "notes behind the file", PHDR(note, p_offset), 8, IMAGE_BYTES, -ENODATA },
	{ "endless notes", PHDR(note, p_filesz), 8, UINT64_MAX, -EBADMSG },
	{ "an entry behind the code", NOTE(entry), 8, ELF_CODE_GPA + 0x400, -EBADMSG },
	{ "an entry among the zeros", NOTE(entry), 8, ELF_DATA_GPA + 0x100, -EBADMSG },
	{ "an entry of 64 bits", NOTE(entry), 8, (1ull << 32) + ELF_ENTRY_GPA, -EBADMSG },
};

static void expect_changes(struct __test_metadata *_metadata, FIXTURE_DATA(boot) * self,
			   size_t (*make)(uint8_t *), const struct change *changes, size_t nr)
{
	for (size_t i = 0; i < nr; i++) {
		const struct change *c = &changes[i];
		int ret;

		self->bytes = make(self->image);
		put(self->image, c->offset, c->value, c->bytes);
		WRITE_IMAGE(self->bytes);
		self->err = (struct vl_err){ 0 };
		ret = boot_open(&self->boot, &self->config, &self->err);
		EXPECT_EQ(c->code, ret)
		{
			TH_LOG("%s: %s", c->what, self->err.msg);
		}
		EXPECT_EQ(c->code, self->err.code);
		if (!ret)
			boot_close(&self->boot);
	}
}

TEST_F(boot, bzimage_headers_that_lie_are_refused)
{
	WRITE_INITRD(1);
	expect_changes(_metadata, self, make_bzimage, bzimage_changes,
		       sizeof(bzimage_changes) / sizeof(bzimage_changes[0]));
}

TEST_F(boot, elf_headers_that_lie_are_refused)
{
	expect_changes(_metadata, self, make_elf, elf_changes,
		       sizeof(elf_changes) / sizeof(elf_changes[0]));
}

/* At every length: a part of the header is no image at all, or one that has lost data. */
static void expect_truncated(struct __test_metadata *_metadata, FIXTURE_DATA(boot) * self)
{
	WRITE_IMAGE(self->bytes);
	for (size_t bytes = self->bytes; bytes-- > 0;) {
		int ret;

		ASSERT_EQ(0, ftruncate(self->fd, bytes));
		ret = boot_open(&self->boot, &self->config, &self->err);
		EXPECT_TRUE(ret == -ENODATA || ret == -ENOEXEC || ret == -EOPNOTSUPP ||
			    (ret == -EBADMSG && bytes < sizeof(struct boot_params)))
		{
			TH_LOG("%zu bytes: %d, %s", bytes, ret, self->err.msg);
		}
	}
}

TEST_F(boot, truncated_bzimage_is_refused)
{
	self->bytes = make_bzimage(self->image);
	expect_truncated(_metadata, self);
}

TEST_F(boot, truncated_elf_is_refused)
{
	self->bytes = make_elf(self->image);
	expect_truncated(_metadata, self);
}

TEST_F(boot, what_is_no_file_is_refused)
{
	self->config.kernel = "/nonexistent/vmlinuz";
	EXPECT_BAD(-ENOENT);
	self->config.kernel = "/";
	EXPECT_BAD(-EISDIR);
	self->config.kernel = "/dev/null";
	EXPECT_BAD(-EISDIR);
	self->config.kernel = self->path;
	EXPECT_BAD(-ENODATA);
}

TEST_F(boot, command_line_has_its_limit)
{
	char line[T_KERNEL_CMDLINE_BYTES + 2];

	WRITE_IMAGE(make_bzimage(self->image));
	memset(line, 'x', sizeof(line));
	line[T_KERNEL_CMDLINE_BYTES + 1] = '\0';
	self->config.cmdline = line;
	EXPECT_BAD(-E2BIG);
	line[T_KERNEL_CMDLINE_BYTES] = '\0';
	OPEN_AND_LOAD(&one_cpu);
}

TEST_F(boot, initrd_has_to_fit)
{
	uint64_t room = MEMORY - T_KERNEL_GPA - T_KERNEL_INIT_BYTES;

	WRITE_IMAGE(make_bzimage(self->image));
	WRITE_INITRD(0);
	EXPECT_BAD(-ENODATA);
	WRITE_INITRD(room + 1);
	EXPECT_BAD(-ENOSPC);
	WRITE_INITRD(room);
	OPEN_AND_LOAD(&one_cpu);
	EXPECT_EQ(T_KERNEL_GPA + T_KERNEL_INIT_BYTES, self->boot.initrd_gpa);
	EXPECT_EQ(0, memcmp(self->ram + self->boot.initrd_gpa, "070701", 6));
}

TEST_F(boot, more_follows_the_initrd_where_the_kernel_looks_for_it)
{
	uint64_t room = MEMORY - T_KERNEL_GPA - T_KERNEL_INIT_BYTES;
	const uint8_t *at;

	WRITE_IMAGE(make_bzimage(self->image));
	self->config.more = "more";
	self->config.more_bytes = 4;
	/* alone */
	OPEN_AND_LOAD(&one_cpu);
	EXPECT_EQ(4u, self->boot.initrd_bytes);
	EXPECT_EQ(0, memcmp(self->ram + self->boot.initrd_gpa, "more", 4));
	/* at the next multiple of 4, behind zeros */
	WRITE_INITRD(6);
	OPEN_AND_LOAD(&one_cpu);
	EXPECT_EQ(12u, self->boot.initrd_bytes);
	at = self->ram + self->boot.initrd_gpa;
	EXPECT_EQ(0, memcmp(at, "070701\0\0more", 12));
	WRITE_INITRD(room - 3);
	EXPECT_BAD(-ENOSPC);
	WRITE_INITRD(room - 4);
	OPEN_AND_LOAD(&one_cpu);
}

TEST_F(boot, files_that_shrink_are_told)
{
	self->bytes = make_bzimage(self->image);
	WRITE_IMAGE(self->bytes);
	WRITE_INITRD(100);
	ASSERT_EQ(0, boot_open(&self->boot, &self->config, &self->err));
	ASSERT_EQ(0, ftruncate(self->initrd_fd, 99));
	EXPECT_EQ(-ENODATA, boot_load(&self->boot, &one_cpu, self->ram, &self->err));
	ASSERT_EQ(0, ftruncate(self->fd, self->bytes - 1));
	EXPECT_EQ(-ENODATA, boot_load(&self->boot, &one_cpu, self->ram, &self->err));
	boot_close(&self->boot);
}

TEST_F(boot, bzimage_gets_its_zero_page)
{
	struct vmm_regs regs = { 0 };
	struct boot_params *params;

	WRITE_IMAGE(make_bzimage(self->image));
	WRITE_INITRD(5000);
	OPEN_AND_LOAD(&one_cpu);
	boot_start_regs(&self->boot, &regs);
	EXPECT_EQ(T_KERNEL_GPA, regs.regs.rip);
	EXPECT_EQ(0,
		  memcmp(self->ram + T_KERNEL_GPA, self->image + T_KERNEL_SETUP_BYTES, CODE_BYTES));
	ASSERT_LE(regs.regs.rsi, MIB - sizeof(*params));
	params = (struct boot_params *)(self->ram + regs.regs.rsi);
	EXPECT_EQ(0x53726448u, params->hdr.header);
	EXPECT_EQ(0xff, params->hdr.type_of_loader);
	EXPECT_STREQ("console=ttyS0", (char *)self->ram + params->hdr.cmd_line_ptr);
	EXPECT_EQ(5000u, params->hdr.ramdisk_size);
	EXPECT_EQ(MEMORY - 8192, params->hdr.ramdisk_image);
	EXPECT_EQ(0, memcmp(self->ram + params->hdr.ramdisk_image, "070701", 6));
	EXPECT_EQ((uint64_t)PC_ACPI_GPA, params->acpi_rsdp_addr);
	EXPECT_EQ(4, params->e820_entries);
}

/* Memory of the guest is what it got, without the hole that devices have. */
TEST_F(boot, memory_map_has_all_memory)
{
	const uint64_t memory = 5ull << 30;
	struct vmm_regs regs = { 0 };
	struct boot_params *params;
	uint64_t ram = 0;

	WRITE_IMAGE(make_bzimage(self->image));
	self->config.memory = memory;
	OPEN_AND_LOAD(&one_cpu);
	EXPECT_EQ((uint64_t)PC_LOW_MEMORY_MAX, self->boot.low);
	EXPECT_EQ(2ull << 30, self->boot.high);
	boot_start_regs(&self->boot, &regs);
	params = (struct boot_params *)(self->ram + regs.regs.rsi);
	for (unsigned int i = 0; i < params->e820_entries; i++) {
		const struct boot_e820_entry *e = &params->e820_table[i];

		if (i)
			EXPECT_GE(e->addr, e[-1].addr + e[-1].size);
		if (e->type == 1)
			ram += e->size;
	}
	/* the BIOS and VGA areas are not usable */
	EXPECT_EQ(memory - (MIB - 0xa0000), ram);
	EXPECT_EQ(PC_HIGH_MEMORY_GPA, params->e820_table[params->e820_entries - 1].addr);
}

TEST_F(boot, elf_gets_its_start_info)
{
	struct {
		uint32_t magic, version, flags, nr_modules;
		uint64_t modules, cmdline, rsdp, memmap;
		uint32_t nr_memmap, reserved;
	} info;
	struct vmm_regs regs = { 0 };
	uint64_t module[4];

	WRITE_IMAGE(make_elf(self->image));
	WRITE_INITRD(5000);
	OPEN_AND_LOAD(&one_cpu);
	boot_start_regs(&self->boot, &regs);
	EXPECT_EQ(ELF_ENTRY_GPA, regs.regs.rip);
	EXPECT_EQ(0, memcmp(self->ram + ELF_CODE_GPA, self->image + ELF_CODE_OFFSET, 0x400));
	EXPECT_EQ(0, memcmp(self->ram + ELF_DATA_GPA, self->image + ELF_DATA_OFFSET, 0x100));
	ASSERT_LE(regs.regs.rbx, MIB - sizeof(info));
	memcpy(&info, self->ram + regs.regs.rbx, sizeof(info));
	EXPECT_EQ(0x336ec578u, info.magic);
	EXPECT_EQ(1u, info.version);
	EXPECT_STREQ("console=ttyS0", (char *)self->ram + info.cmdline);
	EXPECT_EQ((uint64_t)PC_ACPI_GPA, info.rsdp);
	EXPECT_EQ(4u, info.nr_memmap);
	ASSERT_EQ(1u, info.nr_modules);
	memcpy(module, self->ram + info.modules, sizeof(module));
	EXPECT_EQ(0, memcmp(self->ram + module[0], "070701", 6));
	EXPECT_EQ(5000u, module[1]);
}

/* Protected mode, flat, no paging, interrupts off. */
TEST_F(boot, start_is_in_flat_protected_mode)
{
	struct vmm_regs regs = { .sregs.cr4 = 0x20, .sregs.efer = 0x500 };
	const struct kvm_segment *s;

	WRITE_IMAGE(make_bzimage(self->image));
	OPEN_AND_LOAD(&one_cpu);
	boot_start_regs(&self->boot, &regs);
	EXPECT_EQ(0x11u, regs.sregs.cr0);
	EXPECT_EQ(0u, regs.sregs.cr4);
	EXPECT_EQ(0u, regs.sregs.efer);
	EXPECT_EQ(2u, regs.regs.rflags);
	s = &regs.sregs.cs;
	EXPECT_TRUE(s->selector == 0x10 && !s->base && s->limit == UINT32_MAX && s->db && !s->l);
	s = &regs.sregs.ds;
	EXPECT_TRUE(s->selector == 0x18 && !s->base && s->limit == UINT32_MAX && s->db);
	EXPECT_EQ(0, memcmp(s, &regs.sregs.ss, sizeof(*s)));
	EXPECT_GE(regs.sregs.gdt.limit, 0x1f);
}

static uint8_t sum(const uint8_t *bytes, size_t nr)
{
	uint8_t total = 0;

	while (nr--)
		total += *bytes++;
	return total;
}

/* A table in the BIOS area that is whole; its length is left in @length. */
static const uint8_t *table_at(struct __test_metadata *_metadata, const uint8_t *ram, uint64_t gpa,
			       const char *signature, uint32_t *length)
{
	ASSERT_TRUE(gpa >= PC_ACPI_GPA && gpa < MIB - 36);
	memcpy(length, ram + gpa + 4, 4);
	ASSERT_LE(*length, MIB - gpa);
	EXPECT_EQ(0, memcmp(ram + gpa, signature, 4));
	EXPECT_EQ(0, sum(ram + gpa, *length));
	return ram + gpa;
}

TEST_F(boot, acpi_tables_are_whole)
{
	struct boot_machine machine = { .nr_cpus = PC_CPUS_MAX, .virtio_mmio = 0x8001 };
	static const char *const names[] = { "FACP", "APIC", "MCFG" };
	const uint8_t *rsdp, *xsdt, *table;
	uint64_t gpa, dsdt;
	uint32_t length, map;

	WRITE_IMAGE(make_bzimage(self->image));
	OPEN_AND_LOAD(&machine);
	rsdp = self->ram + PC_ACPI_GPA;
	EXPECT_EQ(0, memcmp(rsdp, "RSD PTR ", 8));
	EXPECT_EQ(0, sum(rsdp, 20));
	EXPECT_EQ(0, sum(rsdp, 36));
	memcpy(&gpa, rsdp + 24, 8);
	xsdt = table_at(_metadata, self->ram, gpa, "XSDT", &length);
	ASSERT_EQ(36u + 3 * 8, length);
	for (unsigned int i = 0; i < 3; i++) {
		memcpy(&gpa, xsdt + 36 + 8 * i, 8);
		table = table_at(_metadata, self->ram, gpa, names[i], &length);
		if (i)
			continue;
		/* ACPI 6.3, table 5-33 */
		memcpy(&dsdt, table + 140, 8);
		table_at(_metadata, self->ram, dsdt, "DSDT", &length);
	}
	memcpy(&map, self->ram + PC_VIRTIO_MMIO_MAP_GPA, 4);
	EXPECT_EQ(0x8001u, map);
}

/* Each GSI is one device's, and none is of another device of the PC. */
TEST_F(boot, virtio_mmio_gsis_are_their_own)
{
	uint32_t taken = 1u << 0 | 1u << 2 | 1u << PC_COM1_GSI | 1u << PC_SCI_GSI |
			 0xfu << PC_PCI_INTA_GSI;

	for (unsigned int i = 0; i < PC_VIRTIO_MMIO_MAX; i++) {
		uint32_t bit = 1u << boot_virtio_mmio_gsi(i);

		EXPECT_LT(boot_virtio_mmio_gsi(i), 24u);
		EXPECT_EQ(0u, taken & bit);
		taken |= bit;
	}
}

TEST_HARNESS_MAIN
