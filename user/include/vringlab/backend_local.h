/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A device of virtio_device.h behind a virtio transport of ours, served in the VMM, on
 * its event loop.
 *
 * Net with several pairs of virtqueues gets its control virtqueue here.
 */
#ifndef VRINGLAB_BACKEND_LOCAL_H
#define VRINGLAB_BACKEND_LOCAL_H

#include <stdbool.h>
#include <stdint.h>

#include <vringlab/backend_host.h>

struct vdev;
struct virtio_backend;
struct vl_err;

/**
 * struct backend_local_config - Which device
 * @name:	Of the device, up to 15 characters.
 * @device_id:	VIRTIO_ID_*.
 * @packed:	Offer packed virtqueues.
 * @queue_size:	Largest queue size, a power of two; 0 for BACKEND_QUEUE_SIZE_DEFAULT.
 * @vdev:	Device, on the loop of the machine.
 * @destroy:	Its end.
 */
struct backend_local_config {
	const char *name;
	uint16_t device_id;
	bool packed;
	uint16_t queue_size;
	struct vdev *vdev;
	void (*destroy)(struct vdev *vdev);
};

/**
 * backend_local_create() - Make a back-end of a device
 * @be:		Set on success only.
 * @host:	Machine.
 * @config:	Copied; @config->vdev is the back-end's, after a failure as well.
 * @err:	What went wrong, may be NULL.
 *
 * Its stop() waits until nothing is in flight any more, with everything else on the
 * loop: a file that hangs then hangs the machine.
 *
 * Return: 0, or %-ENOMEM.
 */
int backend_local_create(struct virtio_backend **be, const struct backend_host *host,
			 const struct backend_local_config *config, struct vl_err *err);

#endif /* VRINGLAB_BACKEND_LOCAL_H */
