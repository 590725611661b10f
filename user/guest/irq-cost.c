// SPDX-License-Identifier: GPL-2.0-only
/*
 * irq-cost: TSC cycles from what causes an interrupt to the first instruction of its
 * handler. The guest interrupts itself; or it rings a doorbell, and a thread of the
 * VMM answers by an irqfd.
 */
#include "cost.h"
#include "lib/cpu.h"
#include "lib/irq.h"

static struct cost_param *const param = (void *)(uintptr_t)MICRO_PARAM_GPA;
static struct tsc_hist *const rows = (void *)(uintptr_t)MICRO_DATA_GPA;

static void wait_for_interrupt(uint64_t expected, bool halts)
{
	for (;;) {
		/* no interrupt may come between this look and the hlt */
		if (halts)
			asm volatile("cli" : : : "memory");
		if (irq_count >= expected)
			break;
		if (halts)
			halt();
		else
			asm volatile("pause" : : : "memory");
	}
	asm volatile("sti" : : : "memory");
}

static void note_signal(struct tsc_hist *row)
{
	uint64_t signal = param->signal_tsc;

	if (!param->stamped)
		return;
	if (irq_tsc < signal)
		param->acausal++;
	else
		tsc_hist_add(row, irq_tsc - signal);
}

static void measure(enum irq_cost_row row)
{
	bool halts = row == IRQ_COST_HALT;

	for (uint64_t i = 0; i < param->iterations; i++) {
		uint64_t expected = irq_count + 1;
		uint64_t start = rdtsc();

		if (row == IRQ_COST_SELF_IPI)
			write32(LAPIC_ICR, ICR_SELF_FIXED | param->vector);
		else
			ring_port(param->event_port, 0);
		wait_for_interrupt(expected, halts);
		tsc_hist_add(&rows[row], irq_tsc - start);
		if (row != IRQ_COST_SELF_IPI)
			note_signal(&rows[halts ? IRQ_COST_HALT_SIGNAL : IRQ_COST_SPIN_SIGNAL]);
		param->interrupts = irq_count;
	}
	param->rows++;
}

void _start(void)
{
	init_exceptions();
	if (!head_is_good(IRQ_COST_MAGIC, COST_VERSION, sizeof(*param)))
		leave(MICRO_BAD_PARAM);
	init_interrupts(param->vector);
	for (unsigned int row = 0; row < IRQ_COST_ROWS; row++)
		tsc_hist_init(&rows[row]);
	measure(IRQ_COST_SELF_IPI);
	measure(IRQ_COST_SPIN);
	measure(IRQ_COST_HALT);
	leave(MICRO_OK);
}
