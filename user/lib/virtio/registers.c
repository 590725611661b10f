// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What the driver writes is taken when it may write it, and ignored else. Addresses are
 * not looked at: the back-end does that when it is started.
 */
#include <errno.h>
#include <linux/virtio_config.h>
#include <sys/eventfd.h>

#include "transport.h"

static uint32_t select_word(uint64_t features, uint32_t select)
{
	return select < 2 ? features >> 32 * select : 0;
}

uint32_t vt_device_features(const struct virtio_transport *t)
{
	return select_word(t->offered, t->device_select);
}

uint32_t vt_driver_features(const struct virtio_transport *t)
{
	return select_word(t->driver_features, t->driver_select);
}

void vt_set_driver_features(struct virtio_transport *t, uint32_t value)
{
	unsigned int shift = 32 * t->driver_select;

	if (t->driver_select >= 2 || t->status & VIRTIO_CONFIG_S_FEATURES_OK)
		return;
	t->driver_features &= ~(0xffffffffull << shift);
	t->driver_features |= (uint64_t)value << shift;
}

/* VIRTIO 1.2 section 2.2: a subset, and nobody is a legacy driver here. */
bool vt_features_ok(const struct virtio_transport *t)
{
	return !(t->driver_features & ~t->offered) &&
	       t->driver_features & 1ull << VIRTIO_F_VERSION_1;
}

/* NULL where there is none of that number. */
struct virtio_queue *vt_queue(struct virtio_transport *t)
{
	return t->queue_select < t->be->num_queues ? &t->queues[t->queue_select] : NULL;
}

/* The selected one, while it may be set up: VIRTIO 1.2 sections 3.1.1 and 4.1.4.3.2. */
static struct virtio_queue *open_queue(struct virtio_transport *t)
{
	const uint8_t mask = VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK;
	struct virtio_queue *q = vt_queue(t);

	return q && !q->enabled && (t->status & mask) == VIRTIO_CONFIG_S_FEATURES_OK ? q : NULL;
}

static bool size_ok(const struct virtio_transport *t, uint32_t size)
{
	if (!size || size > t->be->queue_size_max)
		return false;
	return t->driver_features & 1ull << VIRTIO_F_RING_PACKED || !(size & (size - 1));
}

void vt_set_size(struct virtio_transport *t, uint32_t size)
{
	struct virtio_queue *q = open_queue(t);

	if (q && size_ok(t, size))
		q->size = size;
}

static uint64_t *area_of(struct virtio_queue *q, enum vt_area area)
{
	switch (area) {
	case VT_DESC:
		return &q->desc_gpa;
	case VT_DRIVER:
		return &q->driver_gpa;
	case VT_DEVICE:
		break;
	}
	return &q->device_gpa;
}

void vt_set_address(struct virtio_transport *t, enum vt_area area, bool high, uint32_t value)
{
	struct virtio_queue *q = open_queue(t);
	unsigned int shift = high ? 32 : 0;
	uint64_t *gpa;

	if (!q)
		return;
	gpa = area_of(q, area);
	*gpa = (*gpa & ~(0xffffffffull << shift)) | (uint64_t)value << shift;
}

void vt_enable(struct virtio_transport *t)
{
	struct virtio_queue *q = open_queue(t);

	if (q)
		q->enabled = true;
}

/* MMIO only, where the driver may; of one that is served the back-end knows nothing of it. */
void vt_disable(struct virtio_transport *t)
{
	struct virtio_queue *q = vt_queue(t);

	if (!q || !q->enabled)
		return;
	if (t->status & VIRTIO_CONFIG_S_DRIVER_OK)
		vl_err_set(&t->trouble, -EBUSY,
			   "%s: the driver took virtqueue %u back without a reset", t->be->name,
			   q->index);
	else
		q->enabled = false;
}

/*
 * A doorbell that came here: before DRIVER_OK, or while an ioeventfd was elsewhere. The
 * back-end finds it in the eventfd.
 */
void vt_kick(struct virtio_transport *t, uint32_t index)
{
	if (index < t->be->num_queues && t->queues[index].enabled)
		eventfd_write(t->queues[index].kick_fd, 1);
}

void vt_reset_registers(struct virtio_transport *t)
{
	t->status = 0;
	t->device_select = 0;
	t->driver_select = 0;
	t->driver_features = 0;
	t->queue_select = 0;
	t->trouble.code = 0;
	for (unsigned int i = 0; i < t->be->num_queues; i++) {
		struct virtio_queue *q = &t->queues[i];

		/* VIRTIO 1.2 section 4.1.4.3: the size that the device suggests */
		*q = (struct virtio_queue){
			.index = i,
			.size = t->be->queue_size_max,
			.kick_fd = q->kick_fd,
			.call_fd = q->call_fd,
		};
		vt_drain(q->kick_fd);
		vt_drain(q->call_fd);
	}
}
