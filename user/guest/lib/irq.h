/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An interrupt handler that takes the time: for guests that measure interrupts.
 */
#ifndef VRINGLAB_GUEST_IRQ_H
#define VRINGLAB_GUEST_IRQ_H

#include <stdint.h>

/* Written by the handler. */
extern volatile uint64_t irq_count;
extern volatile uint64_t irq_tsc; /* at the entry of the last one */

#endif /* VRINGLAB_GUEST_IRQ_H */
