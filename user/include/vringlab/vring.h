/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Virtqueues, split and packed, both sides, as pure memory.
 *
 * Fields are little-endian, as VIRTIO 1.x has them. Rings are sets of addresses
 * that a memory table resolves; what the other side can write is copied once,
 * checked, and only then used.
 */
#ifndef VRINGLAB_VRING_H
#define VRINGLAB_VRING_H

#include <vringlab/vring_dev.h>
#include <vringlab/vring_drv.h>
#include <vringlab/vring_inflight.h>
#include <vringlab/vring_layout.h>
#include <vringlab/vring_log.h>
#include <vringlab/vring_mem.h>

#endif /* VRINGLAB_VRING_H */
