/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What PCI and MMIO have in common: the device that the driver sets up and resets.
 *
 * Registers are served in the thread of the vCPU, with the lock. What has an effect on
 * the back-end is an errand on the loop's thread, for which nobody holds the lock.
 */
#ifndef VIRTIO_TRANSPORT_INTERNAL_H
#define VIRTIO_TRANSPORT_INTERNAL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <vringlab/err.h>
#include <vringlab/virtio_backend.h>
#include <vringlab/virtio_transport.h>

/**
 * struct vt_ops - What differs between PCI and MMIO
 * @start:	The enabled virtqueues are about to be served: doorbells, interrupts.
 *		What fails is trouble.
 * @stop:	They are not served any more.
 * @reset:	The driver has reset the device; with the lock.
 * @config_changed: Interrupt the driver for it; with the lock.
 * @destroy:	Free it; no vCPU runs.
 *
 * All on the loop's thread.
 */
struct vt_ops {
	void (*start)(struct virtio_transport *t);
	void (*stop)(struct virtio_transport *t);
	void (*reset)(struct virtio_transport *t);
	void (*config_changed)(struct virtio_transport *t);
	void (*destroy)(struct virtio_transport *t);
};

/**
 * struct virtio_transport - A device as its driver has set it up
 * @ops:	PCI's or MMIO's.
 * @config:	What it is made of.
 * @be:		@config.backend.
 * @offered:	Feature bits.
 * @started:	The back-end was started. The loop's.
 * @told:	The owner was told of the virtqueues that are served. The loop's.
 * @lock:	Protects the following, and what PCI and MMIO want. While DRIVER_OK is
 *		set, @queues and @driver_features do not change.
 * @status:	Device status.
 * @generation:	Of config space.
 * @device_select: Which 32 bits of @offered the driver reads.
 * @driver_select: Which 32 bits of @driver_features it writes.
 * @driver_features: As written; checked when FEATURES_OK is set.
 * @queue_select: Which virtqueue the driver sets up.
 * @queues:	All virtqueues.
 * @trouble:	What has gone wrong in the thread of a vCPU, until vt_unlock().
 */
struct virtio_transport {
	const struct vt_ops *ops;
	struct virtio_transport_config config;
	struct virtio_backend *be;
	uint64_t offered;
	bool started;
	bool told;
	pthread_mutex_t *lock;
	uint8_t status;
	uint32_t generation;
	uint32_t device_select;
	uint32_t driver_select;
	uint64_t driver_features;
	uint32_t queue_select;
	struct virtio_queue *queues;
	struct vl_err trouble;
};

/* transport.c */
int vt_init(struct virtio_transport *t, const struct vt_ops *ops,
	    const struct virtio_transport_config *config, pthread_mutex_t *lock,
	    struct vl_err *err);
void vt_exit(struct virtio_transport *t);
int vt_eventfd(int *fd, struct vl_err *err);
void vt_drain(int fd);
void vt_lock(struct virtio_transport *t);
void vt_unlock(struct virtio_transport *t);
int vt_errand(struct virtio_transport *t, int (*fn)(void *t));

/* status.c; without the lock */
void vt_write_status(struct virtio_transport *t, uint8_t value);
void vt_halt(struct virtio_transport *t);
int vt_have_trouble(void *t);
void vt_backend_failed(struct virtio_backend *be, const struct vl_err *err);

/* config.c; the first three without the lock */
void vt_read_config(struct virtio_transport *t, uint64_t offset, void *data, unsigned int len);
void vt_write_config(struct virtio_transport *t, uint64_t offset, const void *data,
		     unsigned int len);
void vt_config_changed(struct virtio_backend *be);

/* registers.c; with the lock */
enum vt_area {
	VT_DESC,
	VT_DRIVER,
	VT_DEVICE,
};

uint32_t vt_device_features(const struct virtio_transport *t);
uint32_t vt_driver_features(const struct virtio_transport *t);
void vt_set_driver_features(struct virtio_transport *t, uint32_t value);
bool vt_features_ok(const struct virtio_transport *t);
struct virtio_queue *vt_queue(struct virtio_transport *t);
void vt_set_size(struct virtio_transport *t, uint32_t size);
void vt_set_address(struct virtio_transport *t, enum vt_area area, bool high, uint32_t value);
void vt_enable(struct virtio_transport *t);
void vt_disable(struct virtio_transport *t);
void vt_kick(struct virtio_transport *t, uint32_t index);
void vt_reset_registers(struct virtio_transport *t);

#endif /* VIRTIO_TRANSPORT_INTERNAL_H */
