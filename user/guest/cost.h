/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the VMM and the guests exit-cost and irq-cost say to each other: see micro.h.
 * Each measures one thing after the other, in rows of a table at MICRO_DATA_GPA.
 */
#ifndef VRINGLAB_COST_H
#define VRINGLAB_COST_H

#include <stdint.h>

#include "micro.h"
#include "tsc_hist.h"

#define EXIT_COST_MAGIC 0x74736f6374697865ull /* "exitcost" */
#define IRQ_COST_MAGIC 0x6874736f63717269ull /* "irqcosth" */
#define COST_VERSION 1u

enum exit_cost_row {
	EXIT_COST_NOTHING, /* what measuring takes */
	EXIT_COST_CPUID,
	EXIT_COST_HYPERCALL,
	EXIT_COST_HLT, /* with an interrupt that is there already */
	EXIT_COST_PIO_IOEVENTFD,
	EXIT_COST_MMIO_IOEVENTFD,
	EXIT_COST_PIO_OUT,
	EXIT_COST_PIO_IN,
	EXIT_COST_MMIO_WRITE,
	EXIT_COST_MMIO_READ,
	EXIT_COST_ROWS,
};

enum irq_cost_row {
	IRQ_COST_SELF_IPI,
	IRQ_COST_SPIN, /* from doorbell to handler, the guest spins */
	IRQ_COST_HALT, /* the guest halts */
	IRQ_COST_SPIN_SIGNAL, /* of these, from the VMM's signal on */
	IRQ_COST_HALT_SIGNAL,
	IRQ_COST_ROWS,
};

struct cost_param {
	struct micro_head head;

	/* from the VMM */
	uint64_t iterations; /* of each row */
	uint32_t vector;
	uint32_t event_port; /* an ioeventfd */
	uint64_t event_addr; /* an ioeventfd */
	uint32_t user_port; /* a device of the VMM */
	uint32_t stamped; /* the VMM stamps its signals */
	uint64_t user_addr; /* a device of the VMM */

	/* from the VMM, before each signal: the guest's TSC */
	volatile uint64_t signal_tsc;

	/* from the guest */
	uint64_t rows; /* that are whole */
	uint64_t interrupts;
	uint64_t acausal; /* interrupts that came before their signal */
};

#endif /* VRINGLAB_COST_H */
