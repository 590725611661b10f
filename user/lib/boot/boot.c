// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <string.h>

#include <vringlab/err.h>
#include <vringlab/fd.h>
#include <vringlab/vmm_regs.h>

#include "internal.h"

#define PAGE_SIZE 4096ull

/* Documentation/arch/x86/boot.rst, "32-bit Boot Protocol": __BOOT_CS and __BOOT_DS. */
#define SEL_CODE 0x10u
#define SEL_DATA 0x18u
#define GDT_FLAT_CODE 0x00cf9b000000ffffull
#define GDT_FLAT_DATA 0x00cf93000000ffffull

#define TYPE_CODE 11 /* readable, accessed */
#define TYPE_DATA 3 /* writable, accessed */
#define TYPE_TSS_BUSY 11

#define CR0_PE (1ull << 0)
#define CR0_ET (1ull << 4)
#define RFLAGS_FIXED (1ull << 1)

/* As high as the kernel takes it, where it is in nobody's way. */
static int place_initrd(struct boot *boot, struct vl_err *err)
{
	uint64_t end = boot->low, pages;

	if (end > boot->image.initrd_max)
		end = boot->image.initrd_max + 1;
	end &= ~(PAGE_SIZE - 1);
	pages = (boot->initrd_bytes + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
	if (end < boot->image.end_gpa || pages > end - boot->image.end_gpa)
		return vl_err_set(err, -ENOSPC,
				  "%s of %llu bytes does not fit behind the kernel, which ends at "
				  "%#llx: give the guest more memory",
				  boot->initrd_path ? boot->initrd_path : "an initramfs",
				  (unsigned long long)boot->initrd_bytes,
				  (unsigned long long)boot->image.end_gpa);
	boot->initrd_gpa = end - pages;
	return 0;
}

static int open_initrd(struct boot *boot, const char *path, struct vl_err *err)
{
	boot->initrd_path = path;
	boot->initrd_fd = boot_file_open(path, &boot->file_bytes, err);
	if (boot->initrd_fd < 0)
		return boot->initrd_fd;
	if (!boot->file_bytes)
		return vl_err_set(err, -ENODATA, "%s is empty", path);
	return 0;
}

/* init/initramfs.c in the kernel: one begins at a multiple of 4, behind zeros. */
static uint64_t more_offset(const struct boot *boot)
{
	return (boot->file_bytes + 3) & ~3ull;
}

static int check_initrd(struct boot *boot, const struct boot_config *config, struct vl_err *err)
{
	int ret = config->initrd ? open_initrd(boot, config->initrd, err) : 0;

	if (ret)
		return ret;
	boot->more = config->more;
	boot->more_bytes = config->more_bytes;
	boot->initrd_bytes = boot->file_bytes;
	if (boot->more_bytes)
		boot->initrd_bytes = more_offset(boot) + boot->more_bytes;
	return boot->initrd_bytes ? place_initrd(boot, err) : 0;
}

static int check(struct boot *boot, const struct boot_config *config, struct vl_err *err)
{
	size_t length = strlen(config->cmdline);

	if (boot->image.end_gpa > boot->low)
		return vl_err_set(err, -ENOSPC,
				  "%s needs memory to %#llx: give the guest at least %lluM",
				  config->kernel, (unsigned long long)boot->image.end_gpa,
				  (unsigned long long)(boot->image.end_gpa + 0xfffff) >> 20);
	if (length > boot->image.cmdline_max)
		return vl_err_set(err, -E2BIG,
				  "the command line has %zu bytes: this kernel takes %u", length,
				  boot->image.cmdline_max);
	return check_initrd(boot, config, err);
}

int boot_open(struct boot *boot, const struct boot_config *config, struct vl_err *err)
{
	struct boot new = {
		.cmdline = config->cmdline,
		.initrd_fd = -1,
		.low = config->memory < PC_LOW_MEMORY_MAX ? config->memory : PC_LOW_MEMORY_MAX,
	};
	int ret;

	new.high = config->memory - new.low;
	ret = boot_image_open(&new.image, config->kernel, err);
	if (ret)
		return ret;
	ret = check(&new, config, err);
	if (ret) {
		boot_close(&new);
		return ret;
	}
	*boot = new;
	return 0;
}

void boot_close(struct boot *boot)
{
	vl_fd_close(&boot->initrd_fd);
	boot_image_close(&boot->image);
}

static int load_files(const struct boot *boot, uint8_t *ram, struct vl_err *err)
{
	const struct boot_image *image = &boot->image;
	int ret = 0;

	for (unsigned int i = 0; !ret && i < image->nr_segments; i++) {
		const struct boot_segment *segment = &image->segment[i];

		ret = boot_file_read(image->fd, image->path, segment->offset, ram + segment->gpa,
				     segment->file_bytes, err);
	}
	if (!ret && boot->file_bytes)
		ret = boot_file_read(boot->initrd_fd, boot->initrd_path, 0, ram + boot->initrd_gpa,
				     boot->file_bytes, err);
	if (!ret && boot->more_bytes)
		memcpy(ram + boot->initrd_gpa + more_offset(boot), boot->more, boot->more_bytes);
	return ret;
}

int boot_load(const struct boot *boot, const struct boot_machine *machine, uint8_t *ram,
	      struct vl_err *err)
{
	uint64_t *gdt = (uint64_t *)(ram + GDT_GPA);
	int ret;

	ret = load_files(boot, ram, err);
	if (ret)
		return ret;
	gdt[SEL_CODE / 8] = GDT_FLAT_CODE;
	gdt[SEL_DATA / 8] = GDT_FLAT_DATA;
	strcpy((char *)ram + CMDLINE_GPA, boot->cmdline);
	if (boot->image.format == BOOT_BZIMAGE)
		boot_zero_page(boot, ram);
	else
		boot_start_info(boot, ram);
	boot_acpi(machine, ram);
	return 0;
}

void boot_start_regs(const struct boot *boot, struct vmm_regs *regs)
{
	struct kvm_segment flat = { .limit = 0xffffffff, .present = 1, .db = 1, .s = 1, .g = 1 };
	struct kvm_sregs *s = &regs->sregs;

	s->cs = flat;
	s->cs.selector = SEL_CODE;
	s->cs.type = TYPE_CODE;
	flat.selector = SEL_DATA;
	flat.type = TYPE_DATA;
	s->ds = flat;
	s->es = flat;
	s->fs = flat;
	s->gs = flat;
	s->ss = flat;
	/* VM entry wants a busy TSS, and PVH one of 0 with a limit of 0x67 */
	s->tr = (struct kvm_segment){ .limit = 0x67, .type = TYPE_TSS_BUSY, .present = 1 };
	s->gdt.base = GDT_GPA;
	s->gdt.limit = SEL_DATA + 7;
	s->idt.limit = 0;
	s->cr0 = CR0_PE | CR0_ET;
	s->cr3 = 0;
	s->cr4 = 0;
	s->efer = 0;
	regs->regs = (struct kvm_regs){ .rip = boot->image.entry_gpa, .rflags = RFLAGS_FIXED };
	/* where a bzImage looks for its parameters, and PVH */
	if (boot->image.format == BOOT_BZIMAGE)
		regs->regs.rsi = PARAMS_GPA;
	else
		regs->regs.rbx = PARAMS_GPA;
}
