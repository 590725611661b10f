/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest's serial console on standard input and output.
 *
 * What the guest sends is buffered and written on the loop: a vCPU never waits for
 * whoever reads it. While the buffer is full the guest sees a full transmitter.
 */
#ifndef VRINGLAB_CMD_VMM_CONSOLE_H
#define VRINGLAB_CMD_VMM_CONSOLE_H

#include <stdbool.h>
#include <stdint.h>

#include <vringlab/loop.h>

struct serial;
struct vl_err;
struct vmm_console;

/*
 * @stop is called once with 0 when Ctrl-A x was typed, or with a negative errno when
 * output was lost; the guest runs on until it is stopped. Returns 0 or a negative errno.
 */
int vmm_console_create(struct vmm_console **console, struct loop *loop, loop_fn *stop, void *ctx,
		       struct vl_err *err);

/* From now on @serial is its other end. */
int vmm_console_start(struct vmm_console *console, struct serial *serial, struct vl_err *err);

/* struct serial_ops, with the console as the context */
bool vmm_console_tx(void *ctx, uint8_t byte);
void vmm_console_rx_room(void *ctx);

/*
 * Writes what is left, as far as it goes without waiting unless @wait; restores the
 * terminal. The vCPUs have ended, the loop is there. Returns 0, or a negative errno if
 * output was lost by an error.
 */
int vmm_console_destroy(struct vmm_console *console, bool wait, struct vl_err *err);

#endif /* VRINGLAB_CMD_VMM_CONSOLE_H */
