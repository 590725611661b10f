// SPDX-License-Identifier: GPL-2.0-only
/*
 * ring-ping: a virtio driver for one split virtqueue, and nothing else. Each
 * iteration posts chains of a readable and a writable buffer, kicks once, waits
 * for the interrupt, and expects every writable buffer to come back as a copy
 * of its readable one.
 *
 * 64-bit, interrupts by MSI to the local APIC, no paging of its own: memory is
 * mapped to itself. The device is not trusted: what it writes is checked, and a
 * fault ends the guest with its details in the result.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ring_ping.h"

#define EXIT_PORT 0x501 /* VMM_GUEST_EXIT_PORT */

/* Intel SDM volume 3, "Local APIC Register Address Map". */
#define LAPIC_SVR 0xfee000f0ull
#define LAPIC_TPR 0xfee00080ull
#define SVR_ENABLE 0x100u
#define SPURIOUS_VECTOR 0xffu

/* VIRTIO 1.2 sections 2.7.5, 2.7.6, 2.7.8. */
struct desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags;
	uint16_t next;
};

#define DESC_F_NEXT 1
#define DESC_F_WRITE 2

struct avail {
	uint16_t flags;
	uint16_t idx;
	uint16_t ring[];
};

struct used_elem {
	uint32_t id;
	uint32_t len;
};

struct used {
	uint16_t flags;
	uint16_t idx;
	struct used_elem ring[];
};

#define USED_F_NO_NOTIFY 1

struct idt_entry {
	uint16_t offset_low;
	uint16_t selector;
	uint16_t flags;
	uint16_t offset_mid;
	uint32_t offset_high;
	uint32_t zero;
};

#define IDT_INTERRUPT_GATE 0x8e00 /* present, dpl 0 */
#define NR_EXCEPTIONS 32u

/* What the stubs below and the CPU push. */
struct frame {
	uint64_t vector;
	uint64_t error;
	uint64_t rip;
};

/* Written by the interrupt handler. */
volatile uint64_t nr_interrupts;
volatile uint64_t nr_spurious;
volatile uint16_t interrupt_used; /* the used index when it ran last */

/* Read by the interrupt handler. */
volatile struct used *used;

extern const char exception_stubs[], interrupt_stub[], spurious_stub[];
void halt(void);

__attribute__((noreturn)) void exception(const struct frame *frame);
__attribute__((noreturn, section(".text.start"))) void _start(void);
void *memset(void *s, int c, size_t n);
void *memcpy(void *to, const void *from, size_t n);

static struct ring_ping_param *const param = (void *)(uintptr_t)RING_PING_PARAM_GPA;
static struct idt_entry idt[256] __attribute__((aligned(16)));
static uint8_t in_flight[RING_PING_DEPTH_MAX];
static struct desc *desc;
static struct avail *avail;
static uint16_t avail_idx;
static uint16_t last_used;

/*
 * Exceptions with an error code (Intel SDM volume 3, table 6-1, and AMD's 29
 * and 30): bit n of the mask. The others push a zero in its place. The interrupt
 * handler needs two registers, and no C.
 *
 * An interrupt that returns to the very hlt came between sti and hlt. Processors
 * let none in there; the SVM that QEMU 7.2 emulates forgets the sti when a host
 * interrupt makes the guest exit just then. The hlt would wait for what has come
 * already: the handler returns behind it.
 *
 * An interrupt is spurious if it finds the used index that the one before found.
 * The same QEMU delivers one twice now and then, and may interrupt the handler for
 * it: one instruction both reads the old index and writes the new.
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
	"	and $-16, %rsp\n"
	"	call exception\n"
	"halt:\n"
	"	sti\n"
	"halt_hlt:\n"
	"	hlt\n"
	"	ret\n"
	"interrupt_stub:\n"
	"	cmpq $halt_hlt, (%rsp)\n" /* the interrupted rip */
	"	jne 1f\n"
	"	incq (%rsp)\n" /* by the size of a hlt */
	"1:	push %rax\n"
	"	push %rdx\n"
	"	incq nr_interrupts\n"
	"	mov used, %rax\n"
	"	movzwl 2(%rax), %eax\n" /* its idx */
	"	mov %eax, %edx\n"
	"	xchg %dx, interrupt_used\n"
	"	cmp %ax, %dx\n"
	"	jne 2f\n"
	"	incq nr_spurious\n"
	"2:	mov $0xfee000b0, %eax\n" /* EOI register */
	"	movl $0, (%rax)\n"
	"	pop %rdx\n"
	"	pop %rax\n"
	"	iretq\n"
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

static void barrier(void)
{
	asm volatile("" : : : "memory");
}

static void full_barrier(void)
{
	asm volatile("mfence" : : : "memory");
}

static uint64_t rdtsc(void)
{
	uint32_t low, high;

	/* neither side of the fence may cross it */
	asm volatile("lfence; rdtsc; lfence" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

static void write32(uint64_t addr, uint32_t value)
{
	*(volatile uint32_t *)addr = value;
}

/* Both of one moment: an interrupt may come in between. */
static void note_interrupts(void)
{
	uint64_t spurious;

	do {
		spurious = nr_spurious;
		param->interrupts = nr_interrupts;
	} while (spurious != nr_spurious);
	param->spurious = spurious;
}

static void __attribute__((noreturn)) leave(enum ring_ping_status status)
{
	note_interrupts();
	barrier();
	for (;;)
		asm volatile("cli; outb %b0, %w1; hlt" : : "a"(status), "d"(EXIT_PORT) : "memory");
}

void exception(const struct frame *frame)
{
	uint64_t cr2;

	asm volatile("mov %%cr2, %0" : "=r"(cr2));
	param->exc_vector = frame->vector;
	param->exc_error = frame->error;
	param->exc_rip = frame->rip;
	param->exc_cr2 = cr2;
	leave(RING_PING_EXCEPTION);
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

static void init_interrupts(void)
{
	struct __attribute__((packed)) {
		uint16_t limit;
		uint64_t base;
	} idtr = { sizeof(idt) - 1, (uintptr_t)idt };

	for (unsigned int i = 0; i < NR_EXCEPTIONS; i++)
		set_gate(i, (uintptr_t)exception_stubs + i * STUB_SIZE);
	set_gate(SPURIOUS_VECTOR, (uintptr_t)spurious_stub);
	asm volatile("lidt %0" : : "m"(idtr));
}

static void init_lapic(void)
{
	set_gate(param->vector, (uintptr_t)interrupt_stub);
	write32(LAPIC_SVR, SVR_ENABLE | SPURIOUS_VECTOR);
	write32(LAPIC_TPR, 0);
	asm volatile("sti");
}

static bool param_is_good(void)
{
	return param->magic == RING_PING_MAGIC && param->version == RING_PING_VERSION &&
	       param->size == sizeof(*param) && param->depth &&
	       param->depth <= RING_PING_DEPTH_MAX && param->depth * 2 <= param->queue_size &&
	       param->payload_bytes && param->vector >= NR_EXCEPTIONS &&
	       param->vector < SPURIOUS_VECTOR;
}

/* Chain c is descriptors 2c and 2c + 1 for ever: there is no free list. */
static void init_ring(void)
{
	desc = (struct desc *)param->desc_gpa;
	avail = (struct avail *)param->avail_gpa;
	used = (volatile struct used *)param->used_gpa;
	for (uint32_t c = 0; c < param->depth; c++) {
		uint64_t offset = (uint64_t)c * param->stride_bytes;

		desc[2 * c] = (struct desc){
			.addr = param->request_gpa + offset,
			.len = param->payload_bytes,
			.flags = DESC_F_NEXT,
			.next = 2 * c + 1,
		};
		desc[2 * c + 1] = (struct desc){
			.addr = param->response_gpa + offset,
			.len = param->payload_bytes,
			.flags = DESC_F_WRITE,
		};
	}
}

/*
 * The k-th 8 bytes of a request. The factors are odd, so that neighbours of any
 * width differ; whole words, because a guest's time may be an emulator's.
 */
static uint64_t pattern(uint64_t iteration, uint32_t chain, uint32_t k)
{
	uint64_t seed = iteration * param->depth + chain + 1;

	return seed * 0x9e3779b97f4a7c15ull + k * 0xbf58476d1ce4e5b9ull;
}

static void fill(uint64_t iteration, uint32_t chain)
{
	uint64_t offset = (uint64_t)chain * param->stride_bytes;
	uint64_t *request = (uint64_t *)(param->request_gpa + offset);
	uint64_t *response = (uint64_t *)(param->response_gpa + offset);

	/* strides are multiples of 8: the last word may go beyond the payload */
	for (uint32_t k = 0; k < (param->payload_bytes + 7) / 8; k++) {
		request[k] = pattern(iteration, chain, k);
		/* an answer that does not come must not look like one */
		response[k] = ~request[k];
	}
}

static void post(uint64_t iteration)
{
	for (uint32_t c = 0; c < param->depth; c++) {
		fill(iteration, c);
		in_flight[c] = 1;
		avail->ring[(uint16_t)(avail_idx + c) & (param->queue_size - 1)] = 2 * c;
	}
	avail_idx += param->depth;
	/* x86 keeps the order of stores; the compiler has to */
	barrier();
	*(volatile uint16_t *)&avail->idx = avail_idx;
}

static void kick(void)
{
	/* VIRTIO 1.2, 2.7.13.4.1: the index is visible before the flag is read */
	full_barrier();
	if (used->flags & USED_F_NO_NOTIFY) {
		param->suppressed++;
		return;
	}
	param->kicks++;
	if (param->doorbell == RING_PING_DOORBELL_PIO)
		asm volatile("outw %w0, %w1" : : "a"(0), "d"(param->doorbell_addr) : "memory");
	else
		/* one instruction that KVM need not decode further than this */
		asm volatile("movw %w0, (%1)" : : "r"(0), "r"(param->doorbell_addr) : "memory");
}

static bool all_there(void)
{
	return (uint16_t)(interrupt_used - last_used) >= param->depth;
}

/*
 * Answers are there once the index says so, but the iteration lasts until an
 * interrupt has seen it: else the interrupts of two of them could become one.
 */
static void wait_for_answers(void)
{
	for (;;) {
		/* no interrupt may come between this look and the hlt */
		if (param->wait == RING_PING_WAIT_HALT)
			asm volatile("cli" : : : "memory");
		if (all_there())
			break;
		/* sti takes effect after the hlt has begun */
		if (param->wait == RING_PING_WAIT_HALT)
			halt();
		else
			asm volatile("pause" : : : "memory");
	}
	asm volatile("sti" : : : "memory");
}

static void note_bad(uint64_t iteration, uint64_t offset, uint64_t expected, uint64_t got)
{
	if (param->mismatches + param->errors)
		return;
	param->bad_iteration = iteration;
	param->bad_offset = offset;
	param->bad_expected = expected;
	param->bad_got = got;
}

static void check_answer(uint64_t iteration, uint32_t chain, uint32_t len)
{
	const uint8_t *response =
		(const uint8_t *)(param->response_gpa + (uint64_t)chain * param->stride_bytes);

	if (len != param->payload_bytes) {
		note_bad(iteration, 0, param->payload_bytes, len);
		param->mismatches++;
		return;
	}
	for (uint32_t i = 0; i < param->payload_bytes; i += 8) {
		uint32_t n = param->payload_bytes - i < 8 ? param->payload_bytes - i : 8;
		uint64_t expected = pattern(iteration, chain, i / 8);
		uint64_t got = *(const uint64_t *)(response + i);
		uint64_t diff = expected ^ got;
		uint32_t byte;

		if (n < 8)
			diff &= (1ull << 8 * n) - 1;
		if (!diff)
			continue;
		byte = __builtin_ctzll(diff) / 8;
		note_bad(iteration, i + byte, expected >> 8 * byte & 0xff, got >> 8 * byte & 0xff);
		param->mismatches++;
		return;
	}
}

static void take_answers(uint64_t iteration)
{
	for (uint32_t i = 0; i < param->depth; i++) {
		volatile struct used_elem *elem = &used->ring[last_used & (param->queue_size - 1)];
		uint32_t id = elem->id;
		uint32_t len = elem->len;

		if (id % 2 || id / 2 >= param->depth || !in_flight[id / 2]) {
			note_bad(iteration, i, 0, id);
			param->errors++;
			leave(RING_PING_BAD_USED);
		}
		in_flight[id / 2] = 0;
		last_used++;
		param->buffers++;
		check_answer(iteration, id / 2, len);
	}
	/* more than was ever posted */
	if (used->idx != last_used) {
		note_bad(iteration, 0, last_used, used->idx);
		param->errors++;
		leave(RING_PING_BAD_USED);
	}
}

static void note_round_trip(uint64_t cycles)
{
	if (cycles < param->rtt_min)
		param->rtt_min = cycles;
	if (cycles > param->rtt_max)
		param->rtt_max = cycles;
	param->rtt_sum += cycles;
	param->hist[tsc_hist_bucket(cycles)]++;
}

void _start(void)
{
	init_interrupts();
	if (!param_is_good())
		leave(RING_PING_BAD_PARAM);
	init_ring();
	init_lapic();
	param->rtt_min = UINT64_MAX;

	for (uint64_t i = 0; i < param->iterations; i++) {
		uint64_t start;

		param->started++;
		post(i);
		start = rdtsc();
		kick();
		wait_for_answers();
		note_round_trip(rdtsc() - start);
		take_answers(i);
		note_interrupts();
		param->completed++;
	}
	leave(param->mismatches ? RING_PING_MISMATCH : RING_PING_OK);
}
