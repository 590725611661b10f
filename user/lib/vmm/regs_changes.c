// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>
#include <string.h>

#include <vringlab/vmm_regs.h>

#include "internal.h"

#define SEGMENT_TEXT 320u

static void print_number(FILE *f, uint64_t value)
{
	fprintf(f, value < 10 ? "%" PRIu64 : "%#" PRIx64, value);
}

/* "NAME BEFORE -> AFTER", or without the first where nobody knows it. */
static void print_change(FILE *f, const char *name, const uint64_t *before, uint64_t after)
{
	fprintf(f, "%s ", name);
	if (before) {
		print_number(f, *before);
		fputs(" -> ", f);
	}
	print_number(f, after);
}

static bool changed(const uint64_t *before, uint64_t after)
{
	return after != (before ? *before : 0);
}

unsigned int vmm_regs_print_general_changes(FILE *f, const struct kvm_regs *before,
					    const struct kvm_regs *after)
{
	static const char *const names[] = {
		/* in the order of struct kvm_regs */
		"rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rsp", "rbp",
		"r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15",
	};
	const __u64 *old = (const __u64 *)before;
	const __u64 *new = (const __u64 *)after;
	uint64_t rip = before ? before->rip : 0, rflags = before ? before->rflags : 0;
	unsigned int nr = 0;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		uint64_t was = old ? old[i] : 0;

		if (!changed(&was, new[i]))
			continue;
		print_change(f, names[i], before ? &was : NULL, new[i]);
		fputc('\n', f);
		nr++;
	}
	if (changed(&rip, after->rip)) {
		print_change(f, "rip", before ? &rip : NULL, after->rip);
		fputc('\n', f);
		nr++;
	}
	if (changed(&rflags, after->rflags)) {
		print_change(f, "rflags", before ? &rflags : NULL, after->rflags);
		fputc(' ', f);
		vmm_flags_print(f, VMM_FLAGS_RFLAGS, after->rflags);
		fputc('\n', f);
		nr++;
	}
	return nr;
}

/* Members that have changed, with a comma between; "" for none. */
static void segment_text(char *text, const struct kvm_segment *before,
			 const struct kvm_segment *after)
{
	static const struct kvm_segment none;
	const struct kvm_segment *old = before ? before : &none;
	const struct {
		const char *name;
		uint64_t before;
		uint64_t after;
	} members[] = {
		{ "selector", old->selector, after->selector },
		{ "base", old->base, after->base },
		{ "limit", old->limit, after->limit },
		{ "type", old->type, after->type },
		{ "present", old->present, after->present },
		{ "dpl", old->dpl, after->dpl },
		{ "db", old->db, after->db },
		{ "s", old->s, after->s },
		{ "l", old->l, after->l },
		{ "g", old->g, after->g },
		{ "avl", old->avl, after->avl },
		{ "unusable", old->unusable, after->unusable },
	};
	FILE *f = fmemopen(text, SEGMENT_TEXT, "w");
	const char *comma = "";

	text[0] = '\0';
	if (!f)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		if (members[i].before == members[i].after)
			continue;
		fputs(comma, f);
		print_change(f, members[i].name, before ? &members[i].before : NULL,
			     members[i].after);
		comma = ", ";
	}
	fclose(f);
}

/* Segments with the same text are named together. */
static unsigned int print_segments(FILE *f, const struct kvm_sregs *before,
				   const struct kvm_sregs *after)
{
	/* in the order of struct kvm_sregs */
	static const char *const names[] = { "cs", "ds", "es", "fs", "gs", "ss", "tr", "ldt" };
	const struct kvm_segment *old = (const struct kvm_segment *)before;
	const struct kvm_segment *new = (const struct kvm_segment *)after;
	char text[ARRAY_SIZE(names)][SEGMENT_TEXT];
	unsigned int nr = 0;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		segment_text(text[i], old ? &old[i] : NULL, &new[i]);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (!text[i][0])
			continue;
		fputs(names[i], f);
		for (size_t j = i + 1; j < ARRAY_SIZE(names); j++) {
			if (strcmp(text[i], text[j]))
				continue;
			fprintf(f, " %s", names[j]);
			text[j][0] = '\0';
		}
		fprintf(f, ": %s\n", text[i]);
		nr++;
	}
	return nr;
}

static unsigned int print_table(FILE *f, const char *name, const struct kvm_dtable *before,
				const struct kvm_dtable *after)
{
	uint64_t base = before ? before->base : 0, limit = before ? before->limit : 0;

	if (base == after->base && limit == after->limit)
		return 0;
	fprintf(f, "%s: ", name);
	print_change(f, "base", before ? &base : NULL, after->base);
	fputs(", ", f);
	print_change(f, "limit", before ? &limit : NULL, after->limit);
	fputc('\n', f);
	return 1;
}

static unsigned int print_control(FILE *f, const struct kvm_sregs *before,
				  const struct kvm_sregs *after)
{
	static const struct kvm_sregs none;
	const struct kvm_sregs *old = before ? before : &none;
	const struct {
		const char *name;
		int flags; /* enum vmm_flags, -1 for a number */
		uint64_t before;
		uint64_t after;
	} regs[] = {
		{ "cr0", VMM_FLAGS_CR0, old->cr0, after->cr0 },
		{ "cr2", -1, old->cr2, after->cr2 },
		{ "cr3", -1, old->cr3, after->cr3 },
		{ "cr4", VMM_FLAGS_CR4, old->cr4, after->cr4 },
		{ "cr8", -1, old->cr8, after->cr8 },
		{ "efer", VMM_FLAGS_EFER, old->efer, after->efer },
		{ "apic_base", VMM_FLAGS_APIC_BASE, old->apic_base, after->apic_base },
	};
	unsigned int nr = 0;

	for (size_t i = 0; i < ARRAY_SIZE(regs); i++) {
		if (regs[i].before == regs[i].after)
			continue;
		print_change(f, regs[i].name, before ? &regs[i].before : NULL, regs[i].after);
		if (regs[i].flags >= 0) {
			fputc(' ', f);
			vmm_flags_print(f, regs[i].flags, regs[i].after);
		}
		fputc('\n', f);
		nr++;
	}
	return nr;
}

unsigned int vmm_regs_print_special_changes(FILE *f, const struct kvm_sregs *before,
					    const struct kvm_sregs *after)
{
	unsigned int nr = print_segments(f, before, after);

	nr += print_table(f, "gdt", before ? &before->gdt : NULL, &after->gdt);
	nr += print_table(f, "idt", before ? &before->idt : NULL, &after->idt);
	return nr + print_control(f, before, after);
}
