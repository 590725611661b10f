/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A virtio-console device (VIRTIO 1.2, section 5.3) of one port: what is read from one
 * fd the driver receives, what it transmits is written to another one. Terminals,
 * pipes, sockets and files will do, with or without O_NONBLOCK; a reader who stops
 * reading makes the driver wait, and nobody else.
 *
 * The end of the input is the end of what the driver receives. Once nobody reads what
 * it transmits, that is taken and forgotten, and counted. SIGPIPE has to be ignored.
 *
 * All functions are for the thread of the event loop.
 */
#ifndef VRINGLAB_VDEV_CONSOLE_H
#define VRINGLAB_VDEV_CONSOLE_H

#include <stdint.h>

struct loop;
struct vdev;
struct vl_err;

/**
 * struct vdev_console_config - Where its ends are
 * @in_fd:	Read from, -1 for none; the device's, also after a failure.
 * @out_fd:	Written to, -1 for none; likewise, and may be the same.
 * @cols:	Of the terminal, 0 for no known size.
 * @rows:	Likewise.
 */
struct vdev_console_config {
	int in_fd;
	int out_fd;
	uint16_t cols;
	uint16_t rows;
};

/**
 * struct vdev_console_stats - What it did
 * @rx_bytes:	Read, and given to the driver.
 * @tx_bytes:	Taken from the driver, and written.
 * @tx_dropped:	Of them, taken and not written.
 */
struct vdev_console_stats {
	uint64_t rx_bytes;
	uint64_t tx_bytes;
	uint64_t tx_dropped;
};

/**
 * vdev_console_create() - Make a device
 * @vdev:	Set on success only.
 * @loop:	Loop; outlives the device.
 * @config:	Copied.
 * @err:	What went wrong; may be NULL.
 *
 * Return: 0, or %-ENOMEM.
 */
int vdev_console_create(struct vdev **vdev, struct loop *loop,
			const struct vdev_console_config *config, struct vl_err *err);

/**
 * vdev_console_resize() - The terminal has another size
 * @vdev:	From vdev_console_create(), with a size.
 * @cols:	Columns.
 * @rows:	Rows.
 */
void vdev_console_resize(struct vdev *vdev, uint16_t cols, uint16_t rows);

/**
 * vdev_console_destroy() - Close its fds, and free it
 * @vdev:	From vdev_console_create(), served by nobody; NULL is allowed.
 */
void vdev_console_destroy(struct vdev *vdev);

/**
 * vdev_console_get_stats() - Counters since it was made
 * @vdev:	From vdev_console_create().
 * @stats:	Filled.
 */
void vdev_console_get_stats(const struct vdev *vdev, struct vdev_console_stats *stats);

#endif /* VRINGLAB_VDEV_CONSOLE_H */
