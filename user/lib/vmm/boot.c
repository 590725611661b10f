// SPDX-License-Identifier: GPL-2.0-only
/*
 * The state in which a micro-guest starts, without any firmware.
 *
 *   0x00000  not mapped in 64-bit mode: a stray null pointer faults
 *   0x01000  GDT
 *   0x02000  PML4
 *   0x03000  PDPT
 *   0x04000  4 page directories: 4 GiB in pages of 2 MiB, mapped to themselves
 *   0x08000  page table of the first 2 MiB
 *   0x09000  the guest's parameters, as it likes
 *   0x10000  the guest; its stack ends here and grows down
 */
#include <errno.h>
#include <string.h>

#include <vringlab/vmm_guest.h>
#include <vringlab/vmm_regs.h>

#include "internal.h"

#define GDT_GPA 0x1000u
#define PML4_GPA 0x2000u
#define PDPT_GPA 0x3000u
#define PD_GPA 0x4000u
#define PT_GPA 0x8000u
#define BOOT_END 0x9000u

#define TABLE_ENTRIES 512u
#define NR_PD 4u

/* Intel SDM volume 3, "4-Level Paging". */
#define PTE_PRESENT (1ull << 0)
#define PTE_WRITE (1ull << 1)
#define PTE_PWT (1ull << 3)
#define PTE_PCD (1ull << 4)
#define PTE_LARGE (1ull << 7)

/* Memory ends below; the local APIC and the MMIO doorbells are above. */
#define MMIO_START 0xc0000000ull

#define CR0_PE (1ull << 0)
#define CR0_ET (1ull << 4)
#define CR0_NE (1ull << 5)
#define CR0_WP (1ull << 16)
#define CR0_PG (1ull << 31)
#define CR4_PAE (1ull << 5)
#define EFER_LME (1ull << 8)
#define EFER_LMA (1ull << 10)
#define RFLAGS_FIXED (1ull << 1)

/* Segment types: code, readable, accessed; data, writable, accessed; busy TSS. */
#define TYPE_CODE 11
#define TYPE_DATA 3
#define TYPE_TSS_BUSY 11

#define SEL_CODE 0x08
#define SEL_DATA 0x10

static void real_mode(struct vmm_regs *regs)
{
	struct kvm_segment seg = regs->sregs.ds;

	/* code and data are one 64 KiB segment each, at the same place */
	seg.base = VMM_GUEST_LOAD_GPA;
	seg.selector = VMM_GUEST_LOAD_GPA >> 4;
	regs->sregs.ds = seg;
	regs->sregs.es = seg;
	regs->sregs.fs = seg;
	regs->sregs.gs = seg;
	regs->sregs.ss = seg;
	regs->sregs.cs.base = seg.base;
	regs->sregs.cs.selector = seg.selector;
	/* sp 0: the first push wraps to the segment's end */
	regs->regs = (struct kvm_regs){ .rflags = RFLAGS_FIXED };
}

static void build_page_tables(uint8_t *low)
{
	uint64_t *pml4 = (uint64_t *)(low + PML4_GPA);
	uint64_t *pdpt = (uint64_t *)(low + PDPT_GPA);
	uint64_t *pd = (uint64_t *)(low + PD_GPA);
	uint64_t *pt = (uint64_t *)(low + PT_GPA);
	const uint64_t table = PTE_PRESENT | PTE_WRITE;

	pml4[0] = PDPT_GPA | table;
	for (uint64_t i = 0; i < NR_PD; i++)
		pdpt[i] = (PD_GPA + i * 0x1000) | table;
	for (uint64_t i = 0; i < NR_PD * TABLE_ENTRIES; i++) {
		uint64_t addr = i << 21;

		pd[i] = addr | table | PTE_LARGE;
		if (addr >= MMIO_START)
			pd[i] |= PTE_PCD | PTE_PWT;
	}
	pd[0] = PT_GPA | table;
	for (uint64_t i = 1; i < TABLE_ENTRIES; i++)
		pt[i] = i << 12 | table;
}

/* A descriptor in memory, of what the vCPU's hidden part holds. */
static uint64_t descriptor(const struct kvm_segment *s)
{
	uint64_t limit = s->g ? s->limit >> 12 : s->limit;

	return (limit & 0xffff) | (s->base & 0xffffff) << 16 | (uint64_t)s->type << 40 |
	       (uint64_t)s->s << 44 | (uint64_t)s->dpl << 45 | (uint64_t)s->present << 47 |
	       (limit >> 16 & 0xf) << 48 | (uint64_t)s->l << 53 | (uint64_t)s->db << 54 |
	       (uint64_t)s->g << 55 | (s->base >> 24 & 0xff) << 56;
}

static void long_mode(struct vmm_regs *regs, uint8_t *low)
{
	struct kvm_segment code = {
		.limit = 0xffffffff,
		.selector = SEL_CODE,
		.type = TYPE_CODE,
		.present = 1,
		.l = 1,
		.s = 1,
		.g = 1,
	};
	struct kvm_segment data = {
		.limit = 0xffffffff,
		.selector = SEL_DATA,
		.type = TYPE_DATA,
		.present = 1,
		.db = 1,
		.s = 1,
		.g = 1,
	};
	uint64_t *gdt = (uint64_t *)(low + GDT_GPA);
	struct kvm_sregs *s = &regs->sregs;

	gdt[SEL_CODE / 8] = descriptor(&code);
	gdt[SEL_DATA / 8] = descriptor(&data);
	build_page_tables(low);

	s->cs = code;
	s->ds = data;
	s->es = data;
	s->fs = data;
	s->gs = data;
	s->ss = data;
	/* VM entry wants a busy 64-bit TSS; nothing uses it */
	s->tr.type = TYPE_TSS_BUSY;
	s->gdt.base = GDT_GPA;
	s->gdt.limit = SEL_DATA + 7;
	/* no IDT: an exception before the guest has one is a triple fault */
	s->idt.limit = 0;
	s->cr0 = CR0_PE | CR0_ET | CR0_NE | CR0_WP | CR0_PG;
	s->cr3 = PML4_GPA;
	s->cr4 = CR4_PAE;
	s->efer = EFER_LME | EFER_LMA;
	regs->regs = (struct kvm_regs){
		.rip = VMM_GUEST_LOAD_GPA,
		/* as after a call: the ABI wants rsp + 8 aligned to 16 there */
		.rsp = VMM_GUEST_LOAD_GPA - 8,
		.rflags = RFLAGS_FIXED,
	};
}

int vmm_guest_load(struct vmm *vm, struct vmm_vcpu *vcpu, const struct vmm_guest_image *image,
		   struct vl_err *err)
{
	uint8_t *code = vmm_memory_at(vm, VMM_GUEST_LOAD_GPA, image->size);
	uint8_t *low = vmm_memory_at(vm, 0, BOOT_END);
	struct vmm_regs regs;
	int ret;

	if (!code || !low)
		return vl_err_set(err, -ENOSPC,
				  "guest %s needs memory from 0 to %#zx: give it more", image->name,
				  VMM_GUEST_LOAD_GPA + image->size);
	memcpy(code, image->start, image->size);
	ret = vmm_regs_get(vcpu, &regs, err);
	if (ret)
		return ret;
	if (image->long_mode)
		long_mode(&regs, low);
	else
		real_mode(&regs);
	return vmm_regs_set(vcpu, &regs, err);
}
