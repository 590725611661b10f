/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A virtio-rng device (VIRTIO 1.2, section 5.4): random bytes of getrandom(2).
 *
 * A buffer gets VDEV_RNG_BYTES_MAX of them at most, so that a driver cannot keep the
 * thread for itself. One without a writable part comes back as it was.
 *
 * All functions are for the thread of the event loop.
 */
#ifndef VRINGLAB_VDEV_RNG_H
#define VRINGLAB_VDEV_RNG_H

#include <stdint.h>

struct loop;
struct vdev;
struct vl_err;

/* VIRTIO 1.2, 5.4.6.2: "MAY use less than the entire buffer length". */
#define VDEV_RNG_BYTES_MAX 65536u

/**
 * struct vdev_rng_stats - What it did
 * @chains:	Given back.
 * @bytes:	Given.
 */
struct vdev_rng_stats {
	uint64_t chains;
	uint64_t bytes;
};

/**
 * vdev_rng_create() - Make a device
 * @vdev:	Set on success only.
 * @loop:	Loop; outlives the device.
 * @err:	What went wrong; may be NULL.
 *
 * Return: 0, or %-ENOMEM.
 */
int vdev_rng_create(struct vdev **vdev, struct loop *loop, struct vl_err *err);

/**
 * vdev_rng_destroy() - Free it
 * @vdev:	From vdev_rng_create(), served by nobody; NULL is allowed.
 */
void vdev_rng_destroy(struct vdev *vdev);

/**
 * vdev_rng_get_stats() - Counters since it was made
 * @vdev:	From vdev_rng_create().
 * @stats:	Filled.
 */
void vdev_rng_get_stats(const struct vdev *vdev, struct vdev_rng_stats *stats);

#endif /* VRINGLAB_VDEV_RNG_H */
