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
#include "lib/cpu.h"
#include "ring_ping.h"

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

/* Written by the interrupt handler. */
volatile uint64_t nr_interrupts;
volatile uint64_t nr_spurious;
volatile uint16_t interrupt_used; /* the used index when it ran last */

/* Read by the interrupt handler. */
volatile struct used *used;

static struct ring_ping_param *const param = (void *)(uintptr_t)MICRO_PARAM_GPA;
static uint8_t in_flight[RING_PING_DEPTH_MAX];
static struct desc *desc;
static struct avail *avail;
static uint16_t avail_idx;
static uint16_t last_used;

/*
 * The handler needs two registers, and no C. Of halt_hlt, lib/cpu.c tells.
 *
 * An interrupt is spurious if it finds the used index that the one before found.
 * The SVM that QEMU 7.2 emulates delivers one twice now and then, and may interrupt
 * the handler for it: one instruction both reads the old index and writes the new.
 */
/* clang-format off */
asm("	.text\n"
	"	.globl interrupt_stub\n"
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
	"	iretq\n");

/* clang-format on */

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

static void __attribute__((noreturn)) finish(unsigned int status)
{
	note_interrupts();
	leave(status);
}

static bool param_is_good(void)
{
	return head_is_good(RING_PING_MAGIC, RING_PING_VERSION, sizeof(*param)) && param->depth &&
	       param->depth <= RING_PING_DEPTH_MAX && param->depth * 2 <= param->queue_size &&
	       param->payload_bytes && param->vector >= VECTOR_MIN &&
	       param->vector < VECTOR_SPURIOUS;
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
		ring_port(param->doorbell_addr, 0);
	else
		ring_address(param->doorbell_addr, 0);
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
			finish(RING_PING_BAD_USED);
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
		finish(RING_PING_BAD_USED);
	}
}

void _start(void)
{
	init_exceptions();
	if (!param_is_good())
		leave(MICRO_BAD_PARAM);
	init_ring();
	init_interrupts(param->vector);
	tsc_hist_init(&param->rtt);

	for (uint64_t i = 0; i < param->iterations; i++) {
		uint64_t start;

		param->started++;
		post(i);
		start = rdtsc();
		kick();
		wait_for_answers();
		tsc_hist_add(&param->rtt, rdtsc() - start);
		take_answers(i);
		note_interrupts();
		param->completed++;
	}
	finish(param->mismatches ? RING_PING_MISMATCH : MICRO_OK);
}
