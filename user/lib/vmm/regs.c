// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>

#include <vringlab/vmm_regs.h>

#include "internal.h"

struct flag {
	unsigned int bit;
	const char *name;
};

/* Intel SDM volume 3 and AMD APM volume 2, "Control Registers", "EFER". */
static const struct flag rflags_bits[] = {
	{ 0, "CF" },  { 2, "PF" },   { 4, "AF" },   { 6, "ZF" },  { 7, "SF" },	{ 8, "TF" },
	{ 9, "IF" },  { 10, "DF" },  { 11, "OF" },  { 14, "NT" }, { 16, "RF" }, { 17, "VM" },
	{ 18, "AC" }, { 19, "VIF" }, { 20, "VIP" }, { 21, "ID" },
};

static const struct flag cr0_bits[] = {
	{ 0, "PE" },  { 1, "MP" },  { 2, "EM" },  { 3, "TS" },	{ 4, "ET" },  { 5, "NE" },
	{ 16, "WP" }, { 18, "AM" }, { 29, "NW" }, { 30, "CD" }, { 31, "PG" },
};

static const struct flag cr4_bits[] = {
	{ 0, "VME" },	      { 1, "PVI" },    { 2, "TSD" },	  { 3, "DE" },	  { 4, "PSE" },
	{ 5, "PAE" },	      { 6, "MCE" },    { 7, "PGE" },	  { 8, "PCE" },	  { 9, "OSFXSR" },
	{ 10, "OSXMMEXCPT" }, { 11, "UMIP" },  { 12, "LA57" },	  { 13, "VMXE" }, { 14, "SMXE" },
	{ 16, "FSGSBASE" },   { 17, "PCIDE" }, { 18, "OSXSAVE" }, { 20, "SMEP" }, { 21, "SMAP" },
	{ 22, "PKE" },	      { 23, "CET" },   { 24, "PKS" },
};

static const struct flag efer_bits[] = {
	{ 0, "SCE" },	{ 8, "LME" },	 { 10, "LMA" },	  { 11, "NXE" },
	{ 12, "SVME" }, { 13, "LMSLE" }, { 14, "FFXSR" }, { 15, "TCE" },
};

static const struct flag apic_base_bits[] = {
	{ 8, "BSP" },
	{ 10, "X2APIC" },
	{ 11, "EN" },
};

static const struct {
	const struct flag *flags;
	size_t nr;
} flag_registers[] = {
	[VMM_FLAGS_RFLAGS] = { rflags_bits, ARRAY_SIZE(rflags_bits) },
	[VMM_FLAGS_CR0] = { cr0_bits, ARRAY_SIZE(cr0_bits) },
	[VMM_FLAGS_CR4] = { cr4_bits, ARRAY_SIZE(cr4_bits) },
	[VMM_FLAGS_EFER] = { efer_bits, ARRAY_SIZE(efer_bits) },
	[VMM_FLAGS_APIC_BASE] = { apic_base_bits, ARRAY_SIZE(apic_base_bits) },
};

int vmm_regs_get(const struct vmm_vcpu *vcpu, struct vmm_regs *regs, struct vl_err *err)
{
	struct vmm_regs got;
	int ret;

	ret = vmm_ioctl(vcpu->fd, KVM_GET_REGS, &got.regs, err, "vCPU %u", vcpu->id);
	if (ret < 0)
		return ret;
	ret = vmm_ioctl(vcpu->fd, KVM_GET_SREGS, &got.sregs, err, "vCPU %u", vcpu->id);
	if (ret < 0)
		return ret;
	*regs = got;
	return 0;
}

int vmm_regs_set(const struct vmm_vcpu *vcpu, const struct vmm_regs *regs, struct vl_err *err)
{
	struct vmm_regs copy = *regs;
	int ret;

	ret = vmm_ioctl(vcpu->fd, KVM_SET_SREGS, &copy.sregs, err, "vCPU %u", vcpu->id);
	if (ret < 0)
		return ret;
	ret = vmm_ioctl(vcpu->fd, KVM_SET_REGS, &copy.regs, err, "vCPU %u", vcpu->id);
	return ret < 0 ? ret : 0;
}

void vmm_flags_print(FILE *f, enum vmm_flags which, uint64_t value)
{
	const struct flag *flags = flag_registers[which].flags;
	const char *space = "";

	fputc('[', f);
	for (size_t i = 0; i < flag_registers[which].nr; i++) {
		if (!(value >> flags[i].bit & 1))
			continue;
		fprintf(f, "%s%s", space, flags[i].name);
		space = " ";
	}
	fputc(']', f);
}

static void print_flags(FILE *f, const char *name, uint64_t value, enum vmm_flags which)
{
	fprintf(f, "  %-8s %016" PRIx64 "  ", name, value);
	vmm_flags_print(f, which, value);
	fputc('\n', f);
}

static void print_general(FILE *f, const struct kvm_regs *r)
{
	const struct {
		const char *name;
		uint64_t value;
	} regs[] = {
		{ "rip", r->rip }, { "rsp", r->rsp }, { "rax", r->rax }, { "rbx", r->rbx },
		{ "rcx", r->rcx }, { "rdx", r->rdx }, { "rsi", r->rsi }, { "rdi", r->rdi },
		{ "rbp", r->rbp }, { "r8", r->r8 },   { "r9", r->r9 },	 { "r10", r->r10 },
		{ "r11", r->r11 }, { "r12", r->r12 }, { "r13", r->r13 }, { "r14", r->r14 },
		{ "r15", r->r15 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(regs); i++) {
		bool last = i % 3 == 2 || i == ARRAY_SIZE(regs) - 1;

		fprintf(f, "  %-4s %016" PRIx64 "%s", regs[i].name, regs[i].value,
			last ? "\n" : "  ");
	}
}

/* Intel SDM volume 3, table 3-1, "Code- and Data-Segment Types". */
static void print_memory_type(FILE *f, unsigned int type)
{
	if (type & 8)
		fprintf(f, "code%s%s", type & 2 ? " readable" : "", type & 4 ? " conforming" : "");
	else
		fprintf(f, "data%s%s", type & 2 ? " writable" : "", type & 4 ? " expand-down" : "");
	fputs(type & 1 ? " accessed" : "", f);
}

/* Table 3-2, "System-Segment and Gate-Descriptor Types": what TR and LDTR hold. */
static const char *system_type(unsigned int type)
{
	switch (type) {
	case 1:
		return "tss16";
	case 2:
		return "ldt";
	case 3:
		return "tss16 busy";
	case 9:
		return "tss";
	case 11:
		return "tss busy";
	}
	return "system";
}

static void print_segment(FILE *f, const char *name, const struct kvm_segment *s)
{
	fprintf(f, "  %-4s selector %04x base %016llx limit %08x type %x ", name, s->selector,
		(unsigned long long)s->base, s->limit, s->type);
	if (s->s)
		print_memory_type(f, s->type);
	else
		fputs(system_type(s->type), f);
	fprintf(f, ", dpl %u%s%s%s%s%s%s\n", s->dpl, s->present ? ", present" : "",
		s->unusable ? ", unusable" : "", s->l ? ", 64-bit" : "", s->db ? ", 32-bit" : "",
		s->g ? ", 4K granular" : "", s->avl ? ", avl" : "");
}

static void print_segments(FILE *f, const struct kvm_sregs *s)
{
	print_segment(f, "cs", &s->cs);
	print_segment(f, "ds", &s->ds);
	print_segment(f, "es", &s->es);
	print_segment(f, "fs", &s->fs);
	print_segment(f, "gs", &s->gs);
	print_segment(f, "ss", &s->ss);
	print_segment(f, "tr", &s->tr);
	print_segment(f, "ldt", &s->ldt);
	fprintf(f, "  gdt  base %016llx limit %04x\n", (unsigned long long)s->gdt.base,
		s->gdt.limit);
	fprintf(f, "  idt  base %016llx limit %04x\n", (unsigned long long)s->idt.base,
		s->idt.limit);
}

void vmm_regs_print(FILE *f, const struct vmm_regs *regs)
{
	const struct kvm_sregs *s = &regs->sregs;

	print_general(f, &regs->regs);
	print_flags(f, "rflags", regs->regs.rflags, VMM_FLAGS_RFLAGS);
	print_flags(f, "cr0", s->cr0, VMM_FLAGS_CR0);
	fprintf(f, "  %-8s %016llx\n", "cr2", (unsigned long long)s->cr2);
	fprintf(f, "  %-8s %016llx\n", "cr3", (unsigned long long)s->cr3);
	print_flags(f, "cr4", s->cr4, VMM_FLAGS_CR4);
	fprintf(f, "  %-8s %016llx\n", "cr8", (unsigned long long)s->cr8);
	print_flags(f, "efer", s->efer, VMM_FLAGS_EFER);
	print_flags(f, "apicbase", s->apic_base, VMM_FLAGS_APIC_BASE);
	print_segments(f, s);
}
