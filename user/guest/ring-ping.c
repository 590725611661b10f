// SPDX-License-Identifier: GPL-2.0-only
/*
 * ring-ping: a driver of one virtqueue, bare or of a virtio device, and nothing else. Each
 * iteration posts chains, kicks once, waits for the interrupt, and expects of each chain
 * what the VMM has told.
 *
 * 64-bit, interrupts by MSI to the local APIC, or by the IOAPIC, no paging of its own:
 * memory is mapped to itself. The device is not trusted: what it writes is checked, and a
 * fault ends the guest with its details in the result.
 */
#include <linux/virtio_config.h>

#include "lib/chain.h"
#include "lib/cpu.h"
#include "lib/ring.h"
#include "lib/virtio.h"
#include "ring_ping.h"

#define DRIVER_OK                                                                             \
	(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | VIRTIO_CONFIG_S_FEATURES_OK | \
	 VIRTIO_CONFIG_S_DRIVER_OK)

void on_interrupt(void); /* called by interrupt_stub */

/* Written by the interrupt handler. */
static volatile uint64_t nr_interrupts;
static volatile uint64_t nr_spurious;
static volatile uint64_t interrupt_seen; /* chains that had come back when it ran last */

static struct ring_ping_param *const param = (void *)(uintptr_t)MICRO_PARAM_GPA;
static uint8_t in_flight[RING_PING_DEPTH_MAX];
static struct ring ring;
static struct virtio_device device;
static uint64_t doorbell_addr;

/* Of halt_hlt, lib/cpu.c tells. */
/* clang-format off */
asm("	.text\n"
	"	.globl interrupt_stub\n"
	"interrupt_stub:\n"
	"	cmpq $halt_hlt, (%rsp)\n" /* the interrupted rip */
	"	jne 1f\n"
	"	incq (%rsp)\n" /* by the size of a hlt */
	"1:	push %rax\n"
	"	push %rcx\n"
	"	push %rdx\n"
	"	push %rsi\n"
	"	push %rdi\n"
	"	push %r8\n"
	"	push %r9\n"
	"	push %r10\n"
	"	push %r11\n"
	"	cld\n"
	"	call on_interrupt\n"
	"	mov $0xfee000b0, %eax\n" /* EOI register */
	"	movl $0, (%rax)\n"
	"	pop %r11\n"
	"	pop %r10\n"
	"	pop %r9\n"
	"	pop %r8\n"
	"	pop %rdi\n"
	"	pop %rsi\n"
	"	pop %rdx\n"
	"	pop %rcx\n"
	"	pop %rax\n"
	"	iretq\n");

/* clang-format on */

static void count(volatile uint64_t *counter)
{
	asm volatile("incq %0" : "+m"(*counter));
}

/*
 * An interrupt is spurious if it finds as many chains as the one before found. The SVM
 * that QEMU 7.2 emulates delivers one twice now and then, and may interrupt the handler
 * for it: one instruction counts, and one both reads the old number and writes the new.
 */
void on_interrupt(void)
{
	uint64_t seen;

	count(&nr_interrupts);
	virtio_acknowledge(&device);
	seen = ring_seen(&ring, interrupt_seen);
	if (__atomic_exchange_n(&interrupt_seen, seen, __ATOMIC_SEQ_CST) == seen)
		count(&nr_spurious);
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

static void __attribute__((noreturn)) finish(unsigned int status)
{
	note_interrupts();
	leave(status);
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

static bool param_is_good(void)
{
	return head_is_good(RING_PING_MAGIC, RING_PING_VERSION, sizeof(*param)) && param->depth &&
	       param->depth <= RING_PING_DEPTH_MAX && param->nr_pieces &&
	       param->nr_pieces <= RING_PING_PIECES_MAX &&
	       param->depth * param->nr_pieces <= param->queue_size &&
	       param->vector >= VECTOR_MIN && param->vector < VECTOR_SPURIOUS;
}

static void init_ring(void)
{
	uint64_t offset = param->queue * param->queue_stride_bytes;

	ring = (struct ring){
		.packed = param->packed,
		.desc_gpa = param->desc_gpa + offset,
		.driver_gpa = param->driver_gpa + offset,
		.device_gpa = param->device_gpa + offset,
		.size = param->queue_size,
		.chain_size = param->nr_pieces,
	};
	doorbell_addr = param->doorbell_addr;
}

/* The device */

/* Ends the guest unless it is so. */
static void require(bool good, unsigned int status, uint64_t offset, uint64_t expected,
		    uint64_t got)
{
	if (good)
		return;
	note_bad(0, offset, expected, got);
	leave(status);
}

static void set_up_queue(uint16_t index)
{
	uint64_t offset = index * param->queue_stride_bytes;
	uint32_t size = virtio_queue_size(&device, index);
	const struct virtio_ring queue = {
		.index = index,
		.size = param->queue_size,
		.desc = param->desc_gpa + offset,
		.driver = param->driver_gpa + offset,
		.device = param->device_gpa + offset,
	};

	require(size >= param->queue_size, RING_PING_BAD_SIZE, index, param->queue_size, size);
	virtio_set_ring(&device, &queue);
}

/* The other virtqueues stay empty, and do not interrupt. */
static void start_device(void)
{
	bool has_vector;
	uint32_t id;

	if (param->transport == RING_PING_BARE)
		return;
	device = (struct virtio_device){
		.mmio = param->transport == RING_PING_VIRTIO_MMIO,
		.config = param->config_gpa,
		.regs = param->mmio_gpa,
	};
	id = virtio_id(&device);
	require(id == param->device_id, RING_PING_BAD_ID, 0, param->device_id, id);
	virtio_place(&device, virtio_base(&device));
	require(virtio_negotiate(&device, param->features), RING_PING_BAD_FEATURES, 0,
		param->features, virtio_features(&device));
	for (uint32_t i = 0; i < param->nr_queues; i++)
		set_up_queue(i);
	has_vector = virtio_set_vector(&device, param->queue, param->gsi, param->vector);
	require(has_vector, RING_PING_BAD_VECTOR, 0, param->queue, 0);
	virtio_set_status(&device, DRIVER_OK);
	require(virtio_status(&device) == DRIVER_OK, RING_PING_BAD_STATUS, 0, DRIVER_OK,
		virtio_status(&device));
	doorbell_addr = virtio_doorbell(&device, param->queue);
}

/* Iterations */

static void post(uint64_t iteration)
{
	for (uint32_t c = 0; c < param->depth; c++) {
		struct ring_piece pieces[RING_PING_PIECES_MAX];

		chain_fill(iteration, c, pieces);
		in_flight[c] = 1;
		ring_post(&ring, c, pieces);
	}
	ring_publish(&ring);
}

static void kick(void)
{
	if (!ring_wants_kick(&ring)) {
		param->suppressed++;
		return;
	}
	param->kicks++;
	if (param->transport == RING_PING_VIRTIO_MMIO)
		write32(doorbell_addr, param->queue);
	else if (param->transport == RING_PING_PCI || param->doorbell == RING_PING_DOORBELL_MMIO)
		ring_address(doorbell_addr, param->queue);
	else
		ring_port(doorbell_addr, 0);
}

/*
 * Answers are there once the ring says so, but the iteration lasts until an
 * interrupt has seen it: else the interrupts of two of them could become one.
 */
static void wait_for_answers(void)
{
	for (;;) {
		/* no interrupt may come between this look and the hlt */
		if (param->wait == RING_PING_WAIT_HALT)
			asm volatile("cli" : : : "memory");
		if (interrupt_seen - ring.taken >= param->depth)
			break;
		/* sti takes effect after the hlt has begun */
		if (param->wait == RING_PING_WAIT_HALT)
			halt();
		else
			asm volatile("pause" : : : "memory");
	}
	asm volatile("sti" : : : "memory");
}

static void check_answer(uint64_t iteration, const struct ring_used *used)
{
	struct chain_fault fault;

	/* the first of all is what the others are to be like */
	if (param->buffers == 1)
		chain_learn(used->chain);
	if (chain_check(iteration, used, &fault))
		return;
	note_bad(iteration, fault.offset, fault.expected, fault.got);
	param->mismatches++;
}

static void __attribute__((noreturn))
end_by_error(uint64_t iteration, uint64_t offset, uint64_t expected, uint64_t got)
{
	note_bad(iteration, offset, expected, got);
	param->errors++;
	finish(RING_PING_BAD_USED);
}

static void take_answers(uint64_t iteration)
{
	for (uint32_t i = 0; i < param->depth; i++) {
		struct ring_used used = ring_take(&ring);

		if (used.chain >= param->depth || !in_flight[used.chain])
			end_by_error(iteration, i, 0, used.id);
		in_flight[used.chain] = 0;
		param->buffers++;
		check_answer(iteration, &used);
	}
	/* more than was ever posted */
	if (ring_seen(&ring, ring.taken) != ring.taken)
		end_by_error(iteration, 0, ring.taken, ring_seen(&ring, ring.taken));
}

void _start(void)
{
	init_exceptions();
	if (!param_is_good())
		leave(MICRO_BAD_PARAM);
	init_ring();
	init_interrupts(param->vector);
	start_device();
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
