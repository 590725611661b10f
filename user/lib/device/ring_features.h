/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What every device here offers of its rings: the vring library does it all.
 */
#ifndef DEVICE_RING_FEATURES_H
#define DEVICE_RING_FEATURES_H

#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#define VIRTIO_BIT(bit) (UINT64_C(1) << (bit))

/*
 * Without IN_ORDER: a device whose requests overtake each other would have to make
 * the fast ones wait.
 */
#define RING_FEATURES                                                        \
	(VIRTIO_BIT(VIRTIO_F_VERSION_1) | VIRTIO_BIT(VIRTIO_F_RING_PACKED) | \
	 VIRTIO_BIT(VIRTIO_RING_F_INDIRECT_DESC) | VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX))

#endif /* DEVICE_RING_FEATURES_H */
