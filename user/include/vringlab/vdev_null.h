/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The null device: gives every chain back at once, unread and unwritten. What is
 * measured with it is the ring and the way to it.
 *
 * All functions are for the thread of the event loop.
 */
#ifndef VRINGLAB_VDEV_NULL_H
#define VRINGLAB_VDEV_NULL_H

#include <stdint.h>

struct vdev;
struct vl_err;

/**
 * struct vdev_null_stats - What it did, of all virtqueues
 * @chains:	Given back.
 */
struct vdev_null_stats {
	uint64_t chains;
};

/**
 * vdev_null_create() - Make a null device
 * @vdev:	Set on success only.
 * @num_queues:	At least 1.
 * @err:	What went wrong; may be NULL.
 *
 * Return: 0, or %-ENOMEM.
 */
int vdev_null_create(struct vdev **vdev, unsigned int num_queues, struct vl_err *err);

/**
 * vdev_null_destroy() - Free it
 * @vdev:	From vdev_null_create(), served by nobody; NULL is allowed.
 */
void vdev_null_destroy(struct vdev *vdev);

/**
 * vdev_null_get_stats() - Counters since it was made
 * @vdev:	From vdev_null_create().
 * @stats:	Filled.
 */
void vdev_null_get_stats(const struct vdev *vdev, struct vdev_null_stats *stats);

#endif /* VRINGLAB_VDEV_NULL_H */
