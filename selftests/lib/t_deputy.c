// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <vringlab/err.h>
#include <vringlab/loop.h>
#include <vringlab/vmm.h>
#include <vringlab/vmm_bus.h>
#include <vringlab/vmm_guest.h>
#include <vringlab/vmm_vcpu.h>

#include "t.h"
#include "t_deputy.h"

/* Where the guest below expects them: page 9 is for parameters. */
#define ORDER_GPA 0x9000u
#define STRING_GPA 0x9100u
#define IDTR_GPA 0x9f00u
#define COUNTERS_GPA 0xa000u
#define NOT_IN_SERVICE_GPA 0xa400u
#define IDT_GPA 0xb000u

#define NR_VECTORS 256u
#define STUB_BYTES 16u
#define SEL_CODE 0x08u
#define INTERRUPT_GATE 0x8e00u

#define OP_READ 0x10u
#define OP_OUT 0x20u
#define OP_OUT_STRING 0x32u

/* What is to be done next; done once &seq changes. */
struct order {
	uint32_t seq;
	uint32_t op;
	uint64_t gpa;
	uint64_t value;
};

struct idt_entry {
	uint16_t offset_low;
	uint16_t selector;
	uint16_t flags;
	uint16_t offset_mid;
	uint32_t offset_high;
	uint32_t zero;
};

struct t_deputy {
	struct vmm *vm;
	struct vmm_vcpu *vcpu;
	volatile struct order *order;
	const volatile uint32_t *counters;
	/* signalled by the guest, at its two ports */
	int done_fd;
	int interrupt_fd;
	atomic_uint exits;
};

extern const char deputy_start[], deputy_stubs[], deputy_end[];

/*
 * Orders come by memory. Each that is done, and each interrupt, is told by a write to
 * a port. What no local APIC has in service is not KVM's: QEMU's emulated SVM delivers
 * one a second time now and then, without KVM having injected it (kvm_inj_virq). That is
 * looked at once a local APIC has had one in service, for not all KVMs show it.
 */
/* clang-format off */
asm(".pushsection .rodata\n"
	"	.balign 16\n"
	"deputy_start:\n"
	"	mov $0xfee000f0, %eax\n" /* LAPIC: enabled, spurious vector 255 */
	"	movl $0x1ff, (%rax)\n"
	"	lidt 0x9f00\n"
	"	mov $0x9000, %ebx\n"
	"	xor %ecx, %ecx\n"
	"	sti\n"
	"1:	pause\n"
	"	cmp (%rbx), %ecx\n"
	"	je 1b\n"
	"	mov (%rbx), %ecx\n"
	"	mov 4(%rbx), %edx\n"
	"	mov 8(%rbx), %rdi\n"
	"	mov 16(%rbx), %rax\n"
	"	cmp $0x01, %edx\n"
	"	jne 2f\n"
	"	mov %al, (%rdi)\n"
	"2:	cmp $0x02, %edx\n"
	"	jne 2f\n"
	"	mov %ax, (%rdi)\n"
	"2:	cmp $0x04, %edx\n"
	"	jne 2f\n"
	"	mov %eax, (%rdi)\n"
	"2:	cmp $0x08, %edx\n"
	"	jne 2f\n"
	"	mov %rax, (%rdi)\n"
	"2:	cmp $0x11, %edx\n"
	"	jne 2f\n"
	"	mov (%rdi), %al\n"
	"2:	cmp $0x12, %edx\n"
	"	jne 2f\n"
	"	mov (%rdi), %ax\n"
	"2:	cmp $0x14, %edx\n"
	"	jne 2f\n"
	"	mov (%rdi), %eax\n"
	"2:	cmp $0x18, %edx\n"
	"	jne 2f\n"
	"	mov (%rdi), %rax\n"
	"2:	cmp $0x21, %edx\n"
	"	jne 2f\n"
	"	xchg %edi, %edx\n"
	"	out %al, %dx\n"
	"	xchg %edi, %edx\n"
	"2:	cmp $0x22, %edx\n"
	"	jne 2f\n"
	"	xchg %edi, %edx\n"
	"	out %ax, %dx\n"
	"	xchg %edi, %edx\n"
	"2:	cmp $0x24, %edx\n"
	"	jne 2f\n"
	"	xchg %edi, %edx\n"
	"	out %eax, %dx\n"
	"	xchg %edi, %edx\n"
	"2:	cmp $0x32, %edx\n"
	"	jne 2f\n"
	"	mov %edi, %edx\n"
	"	mov $0x9100, %esi\n"
	"	xchg %eax, %ecx\n"
	"	rep outsw\n"
	"	xchg %eax, %ecx\n"
	"2:	mov %rax, 16(%rbx)\n"
	"	mov $0x700, %edx\n"
	"	out %al, %dx\n"
	"	jmp 1b\n"
	"	.balign 16\n"
	"deputy_stubs:\n"
	"	.set vec, 0\n"
	"	.rept 256\n"
	"	.balign 16\n"
	"	push $vec\n"
	"	jmp deputy_interrupt\n"
	"	.set vec, vec + 1\n"
	"	.endr\n"
	"deputy_interrupt:\n"
	"	push %rax\n"
	"	push %rdx\n"
	"	mov 16(%rsp), %rdx\n"
	"	mov %edx, %eax\n" /* its bit of the ISR: 32 vectors to a register of 16 bytes */
	"	shr $5, %eax\n"
	"	shl $4, %eax\n"
	"	add $0xfee00100, %eax\n"
	"	mov (%rax), %eax\n"
	"	bt %edx, %eax\n"
	"	jc 1f\n"
	"	cmpl $0, 0xa404\n"
	"	jne 3f\n"
	"	jmp 2f\n"
	"1:	movl $1, 0xa404\n"
	"2:	lock incl 0xa000(,%rdx,4)\n"
	"	mov $0xfee000b0, %eax\n" /* EOI register */
	"	movl $0, (%rax)\n"
	"	mov $0x701, %edx\n"
	"	out %al, %dx\n"
	"4:	pop %rdx\n"
	"	pop %rax\n"
	"	add $8, %rsp\n"
	"	iretq\n"
	"3:	lock incl 0xa400\n"
	"	jmp 4b\n"
	"deputy_end:\n"
	".popsection\n");

/* clang-format on */

static void tell(void *ctx, uint64_t offset, const void *data, unsigned int len)
{
	struct t_deputy *d = ctx;

	(void)data;
	(void)len;
	atomic_fetch_sub(&d->exits, 1);
	eventfd_write(offset ? d->interrupt_fd : d->done_fd, 1);
}

static const struct vmm_range_ops port_ops = { .write = tell };

static int on_exit_to_user(void *ctx, struct kvm_run *run, struct vl_err *err)
{
	struct t_deputy *d = ctx;

	atomic_fetch_add(&d->exits, 1);
	return vmm_bus_exit(d->vm, run, err);
}

static void write_idt(struct vmm *vm)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) idtr = { NR_VECTORS * sizeof(struct idt_entry) - 1, IDT_GPA };
	struct idt_entry *idt = vmm_memory_at(vm, IDT_GPA, NR_VECTORS * sizeof(*idt));

	for (unsigned int i = 0; i < NR_VECTORS; i++) {
		uint32_t stub = VMM_GUEST_LOAD_GPA + (deputy_stubs - deputy_start) + i * STUB_BYTES;

		idt[i] = (struct idt_entry){
			.offset_low = stub,
			.selector = SEL_CODE,
			.flags = INTERRUPT_GATE,
			.offset_mid = stub >> 16,
		};
	}
	memcpy(vmm_memory_at(vm, IDTR_GPA, sizeof(idtr)), &idtr, sizeof(idtr));
}

static int start(struct t_deputy *d, struct vl_err *err)
{
	const struct vmm_guest_image image = {
		.name = "deputy",
		.long_mode = true,
		.start = (const uint8_t *)deputy_start,
		.size = deputy_end - deputy_start,
	};
	const struct vmm_range ports = {
		.bus = VMM_BUS_PIO,
		.addr = T_DEPUTY_PORT,
		.size = 2,
		.ops = &port_ops,
		.ctx = d,
		.name = "deputy",
	};
	int ret = vmm_vcpu_create(&d->vcpu, d->vm, 0, err);

	if (!ret)
		ret = vmm_vcpu_set_cpuid(d->vcpu, err);
	if (!ret)
		ret = vmm_guest_load(d->vm, d->vcpu, &image, err);
	if (!ret)
		ret = vmm_bus_add(d->vm, &ports, err);
	if (ret)
		return ret;
	write_idt(d->vm);
	return vmm_vcpu_start(d->vcpu, on_exit_to_user, d, err);
}

int t_deputy_start(struct t_deputy **d, struct vmm *vm, struct vl_err *err)
{
	struct t_deputy *new = calloc(1, sizeof(*new));
	int ret;

	if (!new || !vmm_memory_at(vm, 0, T_DEPUTY_MEMORY)) {
		free(new);
		return vl_err_set(err, -ENOMEM, "no memory for a deputy");
	}
	new->vm = vm;
	new->order = vmm_memory_at(vm, ORDER_GPA, sizeof(*new->order));
	new->counters = vmm_memory_at(vm, COUNTERS_GPA, NR_VECTORS * sizeof(uint32_t));
	new->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	new->interrupt_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ret = start(new, err);
	/* a local APIC that is not enabled yet loses interrupts */
	if (!ret && t_deputy_read(new, ORDER_GPA, 4) != 1)
		ret = vl_err_set(err, -ETIMEDOUT, "the deputy does not start");
	if (ret) {
		t_deputy_stop(new);
		return ret;
	}
	*d = new;
	return 0;
}

void t_deputy_stop(struct t_deputy *d)
{
	uint32_t others;

	if (!d)
		return;
	memcpy(&others, vmm_memory_at(d->vm, NOT_IN_SERVICE_GPA, sizeof(others)), sizeof(others));
	if (others)
		printf("# %u interrupts that were not in service\n", others);
	vmm_vcpu_destroy(d->vcpu);
	vmm_bus_remove(d->vm, VMM_BUS_PIO, T_DEPUTY_PORT);
	close(d->done_fd);
	close(d->interrupt_fd);
	free(d);
}

static uint64_t give_order(struct t_deputy *d, unsigned int op, uint64_t gpa, uint64_t value)
{
	eventfd_t taken;

	d->order->op = op;
	d->order->gpa = gpa;
	d->order->value = value;
	/* the guest reads the others when it sees another one */
	__atomic_store_n(&d->order->seq, d->order->seq + 1, __ATOMIC_RELEASE);
	if (t_poll_until(d->done_fd, T_DEADLINE_MS) || eventfd_read(d->done_fd, &taken))
		return 0;
	return d->order->value;
}

uint64_t t_deputy_read(struct t_deputy *d, uint64_t gpa, unsigned int len)
{
	return give_order(d, OP_READ | len, gpa, 0);
}

void t_deputy_write(struct t_deputy *d, uint64_t gpa, unsigned int len, uint64_t value)
{
	give_order(d, len, gpa, value);
}

void t_deputy_out(struct t_deputy *d, uint16_t port, unsigned int len, uint32_t value)
{
	give_order(d, OP_OUT | len, port, value);
}

void t_deputy_out_string(struct t_deputy *d, uint16_t port, const uint16_t *words, unsigned int nr)
{
	memcpy(vmm_memory_at(d->vm, STRING_GPA, nr * sizeof(*words)), words, nr * sizeof(*words));
	give_order(d, OP_OUT_STRING, port, nr);
}

unsigned int t_deputy_exits(struct t_deputy *d)
{
	return atomic_load(&d->exits);
}

unsigned int t_deputy_interrupts(const struct t_deputy *d, uint8_t vector)
{
	return d->counters[vector];
}

void t_deputy_settle(struct t_deputy *d)
{
	/*
	 * What is signalled while the guest runs may come after the first order. To tell
	 * that this one is done it leaves, and it takes what is pending as it comes back.
	 */
	t_deputy_read(d, ORDER_GPA, 4);
	t_deputy_read(d, ORDER_GPA, 4);
}

unsigned int t_deputy_wait_range(struct t_deputy *d, uint8_t first, uint8_t last, unsigned int nr)
{
	unsigned int seen;
	eventfd_t taken;

	for (;;) {
		seen = 0;
		for (unsigned int i = first; i <= last; i++)
			seen += d->counters[i];
		if (seen >= nr || t_poll_until(d->interrupt_fd, T_DEADLINE_MS))
			return seen;
		eventfd_read(d->interrupt_fd, &taken);
	}
}

unsigned int t_deputy_wait(struct t_deputy *d, uint8_t vector, unsigned int nr)
{
	return t_deputy_wait_range(d, vector, vector, nr);
}
