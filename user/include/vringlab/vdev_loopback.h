/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The loopback device: what a chain has to read is copied to where it can be
 * written, in order. No state, no configuration: the shortest way through a
 * back-end there is.
 *
 * All functions are for the thread of the event loop.
 */
#ifndef VRINGLAB_VDEV_LOOPBACK_H
#define VRINGLAB_VDEV_LOOPBACK_H

#include <stdint.h>

struct vdev;
struct vl_err;

/**
 * struct vdev_loopback_stats - What it did, of all virtqueues
 * @chains:	Copied.
 * @bytes:	Copied.
 */
struct vdev_loopback_stats {
	uint64_t chains;
	uint64_t bytes;
};

/**
 * vdev_loopback_create() - Make a loopback device
 * @vdev:	Set on success only.
 * @num_queues:	At least 1.
 * @err:	What went wrong; may be NULL.
 *
 * Return: 0, or %-ENOMEM.
 */
int vdev_loopback_create(struct vdev **vdev, unsigned int num_queues, struct vl_err *err);

/**
 * vdev_loopback_destroy() - Free it
 * @vdev:	From vdev_loopback_create(), served by nobody; NULL is allowed.
 */
void vdev_loopback_destroy(struct vdev *vdev);

/**
 * vdev_loopback_get_stats() - Counters since it was made
 * @vdev:	From vdev_loopback_create().
 * @stats:	Filled.
 */
void vdev_loopback_get_stats(const struct vdev *vdev, struct vdev_loopback_stats *stats);

#endif /* VRINGLAB_VDEV_LOOPBACK_H */
