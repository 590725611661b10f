// SPDX-License-Identifier: GPL-2.0-only
/*
 * The serial port as a driver sees it: what Linux' 8250 driver probes, and interrupts.
 */
#include <string.h>

#include <kselftest_harness.h>

#include <linux/serial_reg.h>

#include <vringlab/serial.h>

/* What was seen at the other end. */
struct seen {
	char sent[64];
	unsigned int nr_sent;
	unsigned int room; /* for what is sent */
	unsigned int rooms; /* calls of rx_room() */
	unsigned int edges;
	bool level;
};

/* clang-format off */
FIXTURE(serial)
{
	struct serial *serial;
	struct serial_ops ops;
	struct seen seen;
};

/* clang-format on */

static bool on_tx(void *ctx, uint8_t byte)
{
	struct seen *seen = ctx;

	seen->sent[seen->nr_sent++] = byte;
	return seen->nr_sent < seen->room;
}

static void on_rx_room(void *ctx)
{
	struct seen *seen = ctx;

	seen->rooms++;
}

static void on_irq(void *ctx, bool level)
{
	struct seen *seen = ctx;

	seen->level = level;
	seen->edges += level;
}

/* clang-format off */
FIXTURE_SETUP(serial)
{
	self->ops = (struct serial_ops){ on_tx, on_rx_room, on_irq };
	self->seen.room = sizeof(self->seen.sent);
	self->serial = serial_create(&self->ops, &self->seen);
	ASSERT_NE(NULL, self->serial);
}

FIXTURE_TEARDOWN(serial)
{
	serial_destroy(self->serial);
}

/* clang-format on */

static uint8_t in(FIXTURE_DATA(serial) * self, unsigned int reg)
{
	uint8_t value = 0xa5;

	serial_range_ops.read(self->serial, reg, &value, 1);
	return value;
}

static void out(FIXTURE_DATA(serial) * self, unsigned int reg, uint8_t value)
{
	serial_range_ops.write(self->serial, reg, &value, 1);
}

static void receive(FIXTURE_DATA(serial) * self, const char *text)
{
	serial_receive(self->serial, (const uint8_t *)text, strlen(text));
}

/* drivers/tty/serial/8250/8250_port.c, autoconfig() */
TEST_F(serial, is_found_to_be_a_16550a)
{
	out(self, UART_IER, 0);
	EXPECT_EQ(0, in(self, UART_IER));
	out(self, UART_IER, 0x0f);
	EXPECT_EQ(0x0f, in(self, UART_IER));
	out(self, UART_IER, 0xff);
	EXPECT_EQ(0x0f, in(self, UART_IER));
	out(self, UART_IER, 0);
	out(self, UART_MCR, UART_MCR_LOOP | UART_MCR_OUT2 | UART_MCR_RTS);
	EXPECT_EQ(UART_MSR_DCD | UART_MSR_CTS, in(self, UART_MSR) & 0xf0);
	out(self, UART_MCR, 0);
	out(self, UART_FCR, UART_FCR_ENABLE_FIFO);
	EXPECT_EQ(3, in(self, UART_IIR) >> 6);
	out(self, UART_FCR, 0);
	EXPECT_EQ(0, in(self, UART_IIR) >> 6);
	for (unsigned int i = 0; i < 256; i++) {
		out(self, UART_SCR, i);
		EXPECT_EQ(i, in(self, UART_SCR));
	}
	EXPECT_EQ(0u, self->seen.edges);
}

TEST_F(serial, divisor_hides_data)
{
	out(self, UART_LCR, UART_LCR_DLAB | UART_LCR_WLEN8);
	out(self, UART_DLL, 1);
	out(self, UART_DLM, 2);
	EXPECT_EQ(1, in(self, UART_DLL));
	EXPECT_EQ(2, in(self, UART_DLM));
	out(self, UART_LCR, UART_LCR_WLEN8);
	EXPECT_EQ(0, in(self, UART_IER));
	EXPECT_EQ(0u, self->seen.nr_sent);
}

TEST_F(serial, sends_in_order)
{
	for (const char *c = "hello"; *c; c++) {
		EXPECT_EQ(UART_LSR_THRE | UART_LSR_TEMT, in(self, UART_LSR));
		out(self, UART_TX, *c);
	}
	EXPECT_EQ(5u, self->seen.nr_sent);
	EXPECT_EQ(0, memcmp("hello", self->seen.sent, 5));
}

TEST_F(serial, loopback_receives_what_it_sends)
{
	out(self, UART_MCR, UART_MCR_LOOP);
	out(self, UART_TX, 'x');
	EXPECT_EQ(0u, self->seen.nr_sent);
	EXPECT_EQ('x', in(self, UART_RX));
	EXPECT_EQ(0, in(self, UART_LSR) & UART_LSR_DR);
}

/* The driver's test for a port that does not tell of an empty transmitter. */
TEST_F(serial, tells_again_of_an_empty_transmitter)
{
	out(self, UART_MCR, UART_MCR_OUT2);
	for (unsigned int i = 1; i <= 2; i++) {
		out(self, UART_IER, UART_IER_THRI);
		EXPECT_TRUE(self->seen.level);
		EXPECT_EQ(i, self->seen.edges);
		EXPECT_EQ(UART_IIR_THRI, in(self, UART_IIR) & UART_IIR_ID);
		EXPECT_FALSE(self->seen.level);
		EXPECT_EQ(UART_IIR_NO_INT, in(self, UART_IIR) & 0x0f);
		out(self, UART_IER, 0);
	}
	out(self, UART_IER, UART_IER_THRI);
	in(self, UART_IIR);
	out(self, UART_TX, 'x');
	EXPECT_TRUE(self->seen.level);
	EXPECT_EQ(4u, self->seen.edges);
}

TEST_F(serial, interrupts_while_there_is_data)
{
	out(self, UART_MCR, UART_MCR_OUT2);
	out(self, UART_IER, UART_IER_RDI);
	EXPECT_FALSE(self->seen.level);
	receive(self, "ab");
	EXPECT_TRUE(self->seen.level);
	EXPECT_EQ(UART_IIR_RDI, in(self, UART_IIR) & UART_IIR_ID);
	EXPECT_EQ('a', in(self, UART_RX));
	EXPECT_TRUE(self->seen.level);
	EXPECT_EQ('b', in(self, UART_RX));
	EXPECT_FALSE(self->seen.level);
	EXPECT_EQ(1u, self->seen.edges);
	EXPECT_EQ(0, in(self, UART_RX));
}

TEST_F(serial, data_comes_before_the_transmitter)
{
	out(self, UART_MCR, UART_MCR_OUT2);
	out(self, UART_IER, UART_IER_RDI | UART_IER_THRI);
	receive(self, "a");
	EXPECT_EQ(UART_IIR_RDI, in(self, UART_IIR) & UART_IIR_ID);
	in(self, UART_RX);
	EXPECT_EQ(UART_IIR_THRI, in(self, UART_IIR) & UART_IIR_ID);
	EXPECT_FALSE(self->seen.level);
}

TEST_F(serial, out2_connects_the_line)
{
	out(self, UART_IER, UART_IER_RDI);
	receive(self, "a");
	EXPECT_FALSE(self->seen.level);
	out(self, UART_MCR, UART_MCR_OUT2);
	EXPECT_TRUE(self->seen.level);
	out(self, UART_MCR, UART_MCR_OUT2 | UART_MCR_LOOP);
	EXPECT_FALSE(self->seen.level);
}

TEST_F(serial, transmitter_is_full_until_there_is_room)
{
	self->seen.room = 2;
	out(self, UART_MCR, UART_MCR_OUT2);
	out(self, UART_IER, UART_IER_THRI);
	out(self, UART_TX, '1');
	EXPECT_TRUE(self->seen.level);
	out(self, UART_TX, '2');
	EXPECT_EQ(0, in(self, UART_LSR));
	EXPECT_FALSE(self->seen.level);
	self->seen.room = 3;
	serial_tx_ready(self->serial);
	EXPECT_TRUE(self->seen.level);
	EXPECT_EQ(UART_LSR_THRE | UART_LSR_TEMT, in(self, UART_LSR));
}

TEST_F(serial, takes_more_once_half_is_read)
{
	uint8_t bytes[2000] = { 0 };
	size_t taken;

	taken = serial_receive(self->serial, bytes, sizeof(bytes));
	ASSERT_LT(taken, sizeof(bytes));
	ASSERT_GT(taken, 16u);
	EXPECT_EQ(0u, serial_receive(self->serial, bytes, 1));
	for (size_t i = 0; i < taken; i++)
		in(self, UART_RX);
	EXPECT_EQ(1u, self->seen.rooms);
	EXPECT_EQ(taken, serial_receive(self->serial, bytes, taken));
	/* all of it was taken: nobody waits for room */
	out(self, UART_FCR, UART_FCR_CLEAR_RCVR);
	EXPECT_EQ(1u, self->seen.rooms);
	EXPECT_EQ(0, in(self, UART_LSR) & UART_LSR_DR);
}

/* A guest may access all ports at once. */
TEST_F(serial, wide_access_is_of_as_many_ports)
{
	uint8_t bytes[SERIAL_PORTS] = { 'x', 0x0f, 0, UART_LCR_WLEN8, UART_MCR_DTR, 0, 0, 0x77 };

	serial_range_ops.write(self->serial, 0, bytes, sizeof(bytes));
	EXPECT_EQ('x', self->seen.sent[0]);
	memset(bytes, 0xff, sizeof(bytes));
	serial_range_ops.read(self->serial, 0, bytes, sizeof(bytes));
	EXPECT_EQ(0x0f, bytes[UART_IER]);
	EXPECT_EQ(UART_LCR_WLEN8, bytes[UART_LCR]);
	EXPECT_EQ(UART_MCR_DTR, bytes[UART_MCR]);
	EXPECT_EQ(0x77, bytes[UART_SCR]);
}

TEST_HARNESS_MAIN
