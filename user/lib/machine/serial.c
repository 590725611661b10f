// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * National Semiconductor PC16550D; the registers' bits are in linux/serial_reg.h.
 */
#include <pthread.h>
#include <stdlib.h>

#include <linux/serial_reg.h>

#include <vringlab/serial.h>

/* Far more than the 16 of a real one: a pasted line goes in as a whole. */
#define RX_BYTES 1024u

#define IER_BITS (UART_IER_RDI | UART_IER_THRI | UART_IER_RLSI | UART_IER_MSI)
#define MCR_BITS (UART_MCR_DTR | UART_MCR_RTS | UART_MCR_OUT1 | UART_MCR_OUT2 | UART_MCR_LOOP)
#define IIR_FIFO 0xc0u

struct serial {
	pthread_mutex_t lock; /* protects all below */
	const struct serial_ops *ops;
	void *ctx;
	uint8_t divisor[2];
	uint8_t ier;
	uint8_t fcr;
	uint8_t lcr;
	uint8_t mcr;
	uint8_t scr;
	bool tx_full;
	bool tx_event; /* the transmitter has become empty, and nobody was told */
	bool rx_refused; /* serial_receive() had to leave bytes */
	bool level;
	unsigned int rx_first;
	unsigned int rx_nr;
	uint8_t rx[RX_BYTES];
};

struct serial *serial_create(const struct serial_ops *ops, void *ctx)
{
	struct serial *serial = calloc(1, sizeof(*serial));

	if (!serial)
		return NULL;
	pthread_mutex_init(&serial->lock, NULL);
	serial->ops = ops;
	serial->ctx = ctx;
	/* 9600 baud, as a PC's firmware leaves it */
	serial->divisor[0] = 12;
	return serial;
}

void serial_destroy(struct serial *serial)
{
	if (!serial)
		return;
	pthread_mutex_destroy(&serial->lock);
	free(serial);
}

/* The interrupt of the highest priority. */
static uint8_t pending(const struct serial *serial)
{
	if (serial->ier & UART_IER_RDI && serial->rx_nr)
		return UART_IIR_RDI;
	if (serial->ier & UART_IER_THRI && serial->tx_event)
		return UART_IIR_THRI;
	return UART_IIR_NO_INT;
}

/* A PC has OUT2 between the port and the line; it is cut off in loopback mode. */
static void update_irq(struct serial *serial)
{
	bool wired = (serial->mcr & (UART_MCR_OUT2 | UART_MCR_LOOP)) == UART_MCR_OUT2;
	bool level = wired && pending(serial) != UART_IIR_NO_INT;

	if (level == serial->level)
		return;
	serial->level = level;
	serial->ops->irq(serial->ctx, level);
}

static void push(struct serial *serial, uint8_t byte)
{
	serial->rx[(serial->rx_first + serial->rx_nr++) % RX_BYTES] = byte;
}

static uint8_t pop(struct serial *serial)
{
	uint8_t byte;

	if (!serial->rx_nr)
		return 0;
	byte = serial->rx[serial->rx_first];
	serial->rx_first = (serial->rx_first + 1) % RX_BYTES;
	serial->rx_nr--;
	if (serial->rx_refused && serial->rx_nr <= RX_BYTES / 2) {
		serial->rx_refused = false;
		serial->ops->rx_room(serial->ctx);
	}
	return byte;
}

static void transmit(struct serial *serial, uint8_t byte)
{
	if (serial->mcr & UART_MCR_LOOP) {
		if (serial->rx_nr < RX_BYTES)
			push(serial, byte);
	} else {
		serial->tx_full = !serial->ops->tx(serial->ctx, byte);
	}
	serial->tx_event = !serial->tx_full;
}

static uint8_t interrupt_id(struct serial *serial)
{
	uint8_t id = pending(serial);

	/* reading it is how this one is acknowledged */
	if (id == UART_IIR_THRI)
		serial->tx_event = false;
	return id | (serial->fcr & UART_FCR_ENABLE_FIFO ? IIR_FIFO : 0);
}

static uint8_t line_status(const struct serial *serial)
{
	return (serial->rx_nr ? UART_LSR_DR : 0) |
	       (serial->tx_full ? 0 : UART_LSR_THRE | UART_LSR_TEMT);
}

/* The other end is always there; in loopback mode it is what the guest has set. */
static uint8_t modem_status(const struct serial *serial)
{
	uint8_t mcr = serial->mcr;

	if (!(mcr & UART_MCR_LOOP))
		return UART_MSR_DCD | UART_MSR_DSR | UART_MSR_CTS;
	return (mcr & UART_MCR_RTS ? UART_MSR_CTS : 0) | (mcr & UART_MCR_DTR ? UART_MSR_DSR : 0) |
	       (mcr & UART_MCR_OUT1 ? UART_MSR_RI : 0) | (mcr & UART_MCR_OUT2 ? UART_MSR_DCD : 0);
}

static uint8_t read_register(struct serial *serial, unsigned int reg)
{
	if (serial->lcr & UART_LCR_DLAB && reg <= UART_DLM)
		return serial->divisor[reg];
	switch (reg) {
	case UART_RX:
		return pop(serial);
	case UART_IER:
		return serial->ier;
	case UART_IIR:
		return interrupt_id(serial);
	case UART_LCR:
		return serial->lcr;
	case UART_MCR:
		return serial->mcr;
	case UART_LSR:
		return line_status(serial);
	case UART_MSR:
		return modem_status(serial);
	}
	return serial->scr;
}

static void write_ier(struct serial *serial, uint8_t value)
{
	/* turned on while the transmitter is empty, it strikes at once */
	if (value & ~serial->ier & UART_IER_THRI)
		serial->tx_event = !serial->tx_full;
	serial->ier = value & IER_BITS;
}

static void write_register(struct serial *serial, unsigned int reg, uint8_t value)
{
	if (serial->lcr & UART_LCR_DLAB && reg <= UART_DLM) {
		serial->divisor[reg] = value;
		return;
	}
	switch (reg) {
	case UART_TX:
		transmit(serial, value);
		break;
	case UART_IER:
		write_ier(serial, value);
		break;
	case UART_FCR:
		serial->fcr = value;
		while (value & UART_FCR_CLEAR_RCVR && serial->rx_nr)
			pop(serial);
		break;
	case UART_LCR:
		serial->lcr = value;
		break;
	case UART_MCR:
		serial->mcr = value & MCR_BITS;
		break;
	case UART_SCR:
		serial->scr = value;
		break;
	}
}

/* A wider access is one of as many ports. */
static void serial_read(void *ctx, uint64_t offset, void *data, unsigned int len)
{
	struct serial *serial = ctx;
	uint8_t *bytes = data;

	pthread_mutex_lock(&serial->lock);
	for (unsigned int i = 0; i < len; i++)
		bytes[i] = read_register(serial, offset + i);
	update_irq(serial);
	pthread_mutex_unlock(&serial->lock);
}

static void serial_write(void *ctx, uint64_t offset, const void *data, unsigned int len)
{
	const uint8_t *bytes = data;
	struct serial *serial = ctx;

	pthread_mutex_lock(&serial->lock);
	for (unsigned int i = 0; i < len; i++)
		write_register(serial, offset + i, bytes[i]);
	update_irq(serial);
	pthread_mutex_unlock(&serial->lock);
}

const struct vmm_range_ops serial_range_ops = {
	.read = serial_read,
	.write = serial_write,
};

size_t serial_receive(struct serial *serial, const uint8_t *bytes, size_t nr)
{
	size_t taken = 0;

	pthread_mutex_lock(&serial->lock);
	while (taken < nr && serial->rx_nr < RX_BYTES)
		push(serial, bytes[taken++]);
	if (taken < nr)
		serial->rx_refused = true;
	update_irq(serial);
	pthread_mutex_unlock(&serial->lock);
	return taken;
}

void serial_tx_ready(struct serial *serial)
{
	pthread_mutex_lock(&serial->lock);
	if (serial->tx_full) {
		serial->tx_full = false;
		serial->tx_event = true;
	}
	update_irq(serial);
	pthread_mutex_unlock(&serial->lock);
}
