// SPDX-License-Identifier: GPL-2.0-only
#include "irq.h"

volatile uint64_t irq_count;
volatile uint64_t irq_tsc;

/* Of halt_hlt, cpu.c tells. */
/* clang-format off */
asm("	.text\n"
	"	.globl interrupt_stub\n"
	"interrupt_stub:\n"
	"	push %rax\n"
	"	push %rdx\n"
	"	rdtsc\n"
	"	shl $32, %rdx\n"
	"	or %rdx, %rax\n"
	"	mov %rax, irq_tsc\n"
	"	incq irq_count\n"
	"	cmpq $halt_hlt, 16(%rsp)\n" /* the interrupted rip */
	"	jne 1f\n"
	"	incq 16(%rsp)\n" /* by the size of a hlt */
	"1:	mov $0xfee000b0, %eax\n" /* EOI register */
	"	movl $0, (%rax)\n"
	"	pop %rdx\n"
	"	pop %rax\n"
	"	iretq\n");
/* clang-format on */
