// SPDX-License-Identifier: GPL-2.0-only
/*
 * exit-cost: TSC cycles of one instruction each that makes the guest exit: to KVM, or
 * on to the VMM.
 */
#include "cost.h"
#include "lib/cpu.h"
#include "lib/irq.h"

/* include/uapi/linux/kvm_para.h: does nothing. */
#define KVM_HC_VAPIC_POLL_IRQ 1

static struct cost_param *const param = (void *)(uintptr_t)MICRO_PARAM_GPA;
static struct tsc_hist *const rows = (void *)(uintptr_t)MICRO_DATA_GPA;
static bool vmmcall;

static void cpuid(void)
{
	uint32_t eax = 0, ecx = 0;

	asm volatile("cpuid" : "+a"(eax), "+c"(ecx) : : "ebx", "edx", "memory");
}

/* AMD's processors have another instruction for it. */
static bool has_vmmcall(void)
{
	uint32_t eax = 0, ebx, ecx = 0, edx;

	asm volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
	/* "Auth" of AuthenticAMD, "Hygo" of HygonGenuine */
	return ebx == 0x68747541 || ebx == 0x6f677948;
}

static void hypercall(void)
{
	uint64_t number = KVM_HC_VAPIC_POLL_IRQ;

	if (vmmcall)
		asm volatile("vmmcall" : "+a"(number) : : "memory");
	else
		asm volatile("vmcall" : "+a"(number) : : "memory");
}

/* A KVM that emulates the guest's instructions knows no hypercalls. */
static bool __attribute__((noinline)) has_hypercall(void)
{
	uint64_t number = KVM_HC_VAPIC_POLL_IRQ;
	uint64_t done;

	asm volatile("	movq $1f, %2\n"
		     "	test %b3, %b3\n"
		     "	jz 2f\n"
		     "	vmmcall\n"
		     "	jmp 3f\n"
		     "2:	vmcall\n"
		     "3:	mov $1, %%ecx\n"
		     "	jmp 4f\n"
		     "1:	xor %%ecx, %%ecx\n"
		     "4:\n"
		     : "+a"(number), "=&c"(done), "=m"(invalid_opcode_resume)
		     : "d"(vmmcall)
		     : "rbx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory", "cc");
	invalid_opcode_resume = NULL;
	return done;
}

static void read_port(void)
{
	uint16_t value;

	asm volatile("inw %w1, %w0" : "=a"(value) : "d"(param->user_port) : "memory");
}

static void read_address(void)
{
	uint16_t value;

	asm volatile("movw (%1), %w0" : "=r"(value) : "r"(param->user_addr) : "memory");
}

static void leave_once(enum exit_cost_row row)
{
	switch (row) {
	case EXIT_COST_CPUID:
		cpuid();
		break;
	case EXIT_COST_HYPERCALL:
		hypercall();
		break;
	case EXIT_COST_HLT:
		halt();
		break;
	case EXIT_COST_PIO_IOEVENTFD:
		ring_port(param->event_port, 0);
		break;
	case EXIT_COST_MMIO_IOEVENTFD:
		ring_address(param->event_addr, 0);
		break;
	case EXIT_COST_PIO_OUT:
		ring_port(param->user_port, 0);
		break;
	case EXIT_COST_PIO_IN:
		read_port();
		break;
	case EXIT_COST_MMIO_WRITE:
		ring_address(param->user_addr, 0);
		break;
	case EXIT_COST_MMIO_READ:
		read_address();
		break;
	case EXIT_COST_NOTHING:
	case EXIT_COST_ROWS:
		break;
	}
}

static void measure(enum exit_cost_row row)
{
	tsc_hist_init(&rows[row]);
	for (uint64_t i = 0; i < param->iterations; i++) {
		uint64_t start;

		/* of a halt, the interrupt that ends it is there before it begins */
		if (row == EXIT_COST_HLT) {
			asm volatile("cli" : : : "memory");
			write32(LAPIC_ICR, ICR_SELF_FIXED | param->vector);
		}
		start = rdtsc();
		leave_once(row);
		tsc_hist_add(&rows[row], rdtsc() - start);
	}
	param->interrupts = irq_count;
	param->rows++;
}

void _start(void)
{
	init_exceptions();
	if (!head_is_good(EXIT_COST_MAGIC, COST_VERSION, sizeof(*param)))
		leave(MICRO_BAD_PARAM);
	init_interrupts(param->vector);
	vmmcall = has_vmmcall();
	for (unsigned int row = 0; row < EXIT_COST_ROWS; row++) {
		if (row == EXIT_COST_HYPERCALL && !has_hypercall())
			param->rows++;
		else
			measure(row);
	}
	leave(MICRO_OK);
}
