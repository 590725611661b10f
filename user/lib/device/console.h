/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Inside of the virtio-console device, shared by its files:
 *
 *   console.c      the device: making, starting and stopping virtqueues, config space
 *   console_rx.c   what the driver receives
 *   console_tx.c   what it transmits
 */
#ifndef DEVICE_CONSOLE_H
#define DEVICE_CONSOLE_H

#include <stdbool.h>
#include <stdint.h>

#include <vringlab/loop.h>
#include <vringlab/loop_rw.h>
#include <vringlab/vdev_console.h>
#include <vringlab/virtio_device.h>

#include "iov.h"

/* VIRTIO 1.2, 5.3.2: receiveq(port0) and transmitq(port0). */
#define CONSOLE_RX 0u
#define CONSOLE_TX 1u

/* After so many chains the other rings and the socket get their turn. */
#define CONSOLE_BUDGET 64u

/**
 * struct console_tx - A chain that is being written
 * @chain:	Chain, with @room.
 * @cursor:	What of it is not written yet.
 * @valid:	There is one.
 * @running:	Chains are taken.
 * @cancelling:	What is under way is to be given up.
 * @lost:	Nobody reads any more.
 * @file:	The fd.
 * @rw:		Write that is under way.
 * @writable:	Watch while an fd with O_NONBLOCK takes nothing.
 * @again:	Another try where the kernel would take no submission.
 */
struct console_tx {
	struct vring_chain chain;
	struct iov_room room;
	struct iov_cursor cursor;
	bool valid;
	bool running;
	bool cancelling;
	bool lost;
	struct loop_rw_file file;
	struct loop_rw rw;
	struct loop_op *writable;
	struct loop_task again;
};

/**
 * struct console - The device
 * @vdev:	What the transport sees.
 * @loop:	Loop.
 * @in_fd:	Read from, -1 for none.
 * @out_fd:	Written to, -1 for none.
 * @cols:	Of the terminal.
 * @rows:	Likewise.
 * @rx:		Receive virtqueue while it runs, or NULL.
 * @tx:		Transmit virtqueue since it was started, or NULL.
 * @rx_room:	For a chain to receive into.
 * @readable:	Watch on @in_fd while @rx runs.
 * @out:	What is written.
 * @stats:	Counters.
 */
struct console {
	struct vdev vdev;
	struct loop *loop;
	int in_fd;
	int out_fd;
	uint16_t cols;
	uint16_t rows;
	struct vdev_queue *rx;
	struct vdev_queue *tx;
	struct iov_room rx_room;
	struct loop_op *readable;
	struct console_tx out;
	struct vdev_console_stats stats;
};

/* console_rx.c */
int console_rx_process(struct console *c, struct vdev_queue *q);
int console_rx_watch(struct console *c);

/* console_tx.c */
void console_tx_init(struct console *c);
void console_tx_run(struct console *c, struct vdev_queue *q);
int console_tx_process(struct console *c, struct vdev_queue *q);
void console_tx_cancel(struct console *c);
/* Waits for the end of what is under way; its virtqueue may be gone. */
void console_tx_exit(struct console *c);

#endif /* DEVICE_CONSOLE_H */
