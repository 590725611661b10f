// SPDX-License-Identifier: GPL-2.0-only
#include "cpu.h"

#define EXIT_PORT 0x501 /* VMM_GUEST_EXIT_PORT */

/* Intel SDM volume 3, "Local APIC Register Address Map". */
#define LAPIC_SVR 0xfee000f0ull
#define LAPIC_TPR 0xfee00080ull
#define SVR_ENABLE 0x100u

struct idt_entry {
	uint16_t offset_low;
	uint16_t selector;
	uint16_t flags;
	uint16_t offset_mid;
	uint32_t offset_high;
	uint32_t zero;
};

#define INVALID_OPCODE 6

#define IDT_INTERRUPT_GATE 0x8e00 /* present, dpl 0 */

/* What the stubs below and the CPU push. */
struct frame {
	uint64_t vector;
	uint64_t error;
	uint64_t rip;
};

extern const char exception_stubs[], spurious_stub[];
void exception(struct frame *frame);

static struct micro_head *const head = (void *)(uintptr_t)MICRO_PARAM_GPA;
const void *volatile invalid_opcode_resume;
static struct idt_entry idt[256] __attribute__((aligned(16)));

/*
 * Exceptions with an error code (Intel SDM volume 3, table 6-1, and AMD's 29
 * and 30): bit n of the mask. The others push a zero in its place.
 *
 * An interrupt that returns to the very hlt came between sti and hlt. Processors
 * let none in there; the SVM that QEMU 7.2 emulates forgets the sti when a host
 * interrupt makes the guest exit just then. The hlt would wait for what has come
 * already: a handler returns behind it, so that it knows halt_hlt.
 */
/* clang-format off */
asm("	.text\n"
	"	.balign 16\n"
	"exception_stubs:\n"
	"	.set vec, 0\n"
	"	.rept 32\n"
	"	.balign 16\n"
	"	.if !((0x60227d00 >> vec) & 1)\n"
	"	push $0\n"
	"	.endif\n"
	"	push $vec\n"
	"	jmp exception_common\n"
	"	.set vec, vec + 1\n"
	"	.endr\n"
	"exception_common:\n"
	"	mov %rsp, %rdi\n"
	"	mov %rsp, %rbx\n"
	"	and $-16, %rsp\n"
	"	call exception\n"
	"	lea 16(%rbx), %rsp\n" /* off with vector and error */
	"	iretq\n"
	"	.globl halt, halt_hlt\n"
	"halt:\n"
	"	sti\n"
	"halt_hlt:\n"
	"	hlt\n"
	"	ret\n"
	"spurious_stub:\n"
	"	iretq\n");

/* clang-format on */

#define STUB_SIZE 16u

/* The compiler may call these two, and string instructions need no loop here. */
void *memset(void *s, int c, size_t n)
{
	void *to = s;

	asm volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(c) : "memory");
	return s;
}

void *memcpy(void *to, const void *from, size_t n)
{
	void *d = to;

	asm volatile("rep movsb" : "+D"(d), "+S"(from), "+c"(n) : : "memory");
	return to;
}

void leave(unsigned int status)
{
	barrier();
	for (;;)
		asm volatile("cli; outb %b0, %w1; hlt" : : "a"(status), "d"(EXIT_PORT) : "memory");
}

/* Returns, with all but the stack pointer lost, if somebody has foreseen it. */
void exception(struct frame *frame)
{
	uint64_t cr2;

	if (frame->vector == INVALID_OPCODE && invalid_opcode_resume) {
		frame->rip = (uintptr_t)invalid_opcode_resume;
		return;
	}
	asm volatile("mov %%cr2, %0" : "=r"(cr2));
	head->exc_vector = frame->vector;
	head->exc_error = frame->error;
	head->exc_rip = frame->rip;
	head->exc_cr2 = cr2;
	leave(MICRO_EXCEPTION);
}

static void set_gate(unsigned int vector, uint64_t handler)
{
	uint16_t cs;

	asm("mov %%cs, %0" : "=r"(cs));
	idt[vector] = (struct idt_entry){
		.offset_low = handler,
		.selector = cs,
		.flags = IDT_INTERRUPT_GATE,
		.offset_mid = handler >> 16,
		.offset_high = handler >> 32,
	};
}

void init_exceptions(void)
{
	struct __attribute__((packed)) {
		uint16_t limit;
		uint64_t base;
	} idtr = { sizeof(idt) - 1, (uintptr_t)idt };

	for (unsigned int i = 0; i < VECTOR_MIN; i++)
		set_gate(i, (uintptr_t)exception_stubs + i * STUB_SIZE);
	set_gate(VECTOR_SPURIOUS, (uintptr_t)spurious_stub);
	asm volatile("lidt %0" : : "m"(idtr));
}

void init_interrupts(unsigned int vector)
{
	set_gate(vector, (uintptr_t)interrupt_stub);
	write32(LAPIC_SVR, SVR_ENABLE | VECTOR_SPURIOUS);
	write32(LAPIC_TPR, 0);
	asm volatile("sti");
}

bool head_is_good(uint64_t magic, uint32_t version, uint32_t size)
{
	return head->magic == magic && head->version == version && head->size == size;
}
