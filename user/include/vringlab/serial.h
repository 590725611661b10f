/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A serial port: the 16550A of a PC, with FIFOs that never overrun.
 *
 * What the guest sends goes to @tx at once, so that it sees a transmitter that is
 * always empty, unless the other end has no room. Baud rates take no time.
 */
#ifndef VRINGLAB_SERIAL_H
#define VRINGLAB_SERIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vringlab/vmm_bus.h>

struct serial;

/* Ports of it. */
#define SERIAL_PORTS 8u

/**
 * struct serial_ops - What is at the port's other end
 * @tx:		The guest has sent a byte. Returns whether there is room for another; if
 *		not, the transmitter is full until serial_tx_ready().
 * @rx_room:	serial_receive() had not taken all, and will now take more.
 * @irq:	The interrupt line has changed.
 *
 * Context: a vCPU's thread, or who calls a function of this file; with the port's
 * lock held, so that none of its functions may be called.
 */
struct serial_ops {
	bool (*tx)(void *ctx, uint8_t byte);
	void (*rx_room)(void *ctx);
	void (*irq)(void *ctx, bool level);
};

/**
 * serial_create() - Create a serial port
 * @ops:	Its other end.
 * @ctx:	For @ops.
 *
 * Return: the port, or NULL without memory.
 */
struct serial *serial_create(const struct serial_ops *ops, void *ctx);

/**
 * serial_destroy() - Free it
 * @serial:	Port, which no vCPU uses any more; NULL is allowed.
 */
void serial_destroy(struct serial *serial);

/* What a vCPU does with the ports; the context is the struct serial. */
extern const struct vmm_range_ops serial_range_ops;

/**
 * serial_receive() - Let the guest receive
 * @serial:	Port.
 * @bytes:	What.
 * @nr:		Count.
 *
 * Context: any thread.
 * Return: how many there was room for.
 */
size_t serial_receive(struct serial *serial, const uint8_t *bytes, size_t nr);

/**
 * serial_tx_ready() - There is room for what the guest sends
 * @serial:	Port.
 *
 * Context: any thread.
 */
void serial_tx_ready(struct serial *serial);

#endif /* VRINGLAB_SERIAL_H */
