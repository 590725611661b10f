/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where the parts of a virtqueue lie, split or packed.
 */
#ifndef VRINGLAB_VRING_LAYOUT_H
#define VRINGLAB_VRING_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/virtio_ring.h>

#include <vringlab/vring_mem.h>

/* VIRTIO 1.2, 2.7 and 2.8.10.1: "The maximum Queue Size value is 32768." */
#define VRING_NUM_MAX 32768u

/* Sizes of the three parts, used_event and avail_event included: VIRTIO 1.2, 2.7. */
static inline uint64_t vring_desc_size(unsigned int num)
{
	return sizeof(struct vring_desc) * (uint64_t)num;
}

static inline uint64_t vring_avail_size(unsigned int num)
{
	return sizeof(__virtio16) * (3 + (uint64_t)num);
}

static inline uint64_t vring_used_size(unsigned int num)
{
	return sizeof(__virtio16) * 3 + sizeof(struct vring_used_elem) * (uint64_t)num;
}

/* VIRTIO 1.2, 2.8.10.1 "Structure Size and Alignment" */
#define VRING_PACKED_DESC_ALIGN 16u
#define VRING_PACKED_EVENT_ALIGN 4u

/**
 * struct vring_layout - Where a virtqueue lies, in host pointers
 * @num:	Queue size, up to VRING_NUM_MAX; of a split ring a power of two.
 * @packed:	Which of the two formats.
 * @desc:	Split: descriptor table, 16 byte aligned.
 * @avail:	Split: driver area, 2 byte aligned.
 * @used:	Split: device area, 4 byte aligned.
 * @ring:	Packed: descriptor ring, 16 byte aligned.
 * @driver:	Packed: driver event suppression, 4 byte aligned.
 * @device:	Packed: device event suppression, 4 byte aligned.
 */
struct vring_layout {
	unsigned int num;
	bool packed;
	union {
		struct {
			struct vring_desc *desc;
			struct vring_avail *avail;
			struct vring_used *used;
		};
		struct {
			struct vring_packed_desc *ring;
			struct vring_packed_desc_event *driver;
			struct vring_packed_desc_event *device;
		};
	};
};

/**
 * struct vring_addrs - A virtqueue's parts, as the driver names them
 * @desc:	Descriptor table or ring.
 * @avail:	Driver area.
 * @used:	Device area.
 *
 * User addresses; I/O virtual addresses where the memory table has an IOTLB
 * (vhost-user specification, "Memory access").
 */
struct vring_addrs {
	uint64_t desc;
	uint64_t avail;
	uint64_t used;
};

/**
 * vring_layout_resolve() - Find a virtqueue by the driver's addresses
 * @layout:	Set on success only.
 * @mem:	Memory table.
 * @packed:	Which of the two formats.
 * @num:	Queue size.
 * @addrs:	The driver's addresses.
 * @miss:	Set with %-EINPROGRESS.
 *
 * Sizes and alignment are those of VIRTIO 1.2 sections 2.7 and 2.8.10.1; the two
 * bytes of used_event and avail_event are included.
 *
 * Return: 0, or
 * * %-EINVAL - @num is 0, above VRING_NUM_MAX or of a split ring no power of two,
 *   or an address is not aligned, the driver's or the one it resolves to
 * * %-EFAULT - a part is not wholly inside one region
 * * %-EEXIST - two parts overlap
 * * %-EINPROGRESS - the IOTLB lacks a translation
 */
int vring_layout_resolve(struct vring_layout *layout, const struct vring_mem *mem, bool packed,
			 unsigned int num, const struct vring_addrs *addrs,
			 struct vring_mem_miss *miss);

/**
 * vring_layout_host() - A virtqueue in memory of our own
 * @num:	Queue size.
 * @packed:	Which of the two formats.
 * @mem:	vring_layout_bytes() of memory, 16 byte aligned.
 *
 * Return: the layout: descriptors, driver area, device area.
 */
struct vring_layout vring_layout_host(unsigned int num, bool packed, void *mem);

/**
 * vring_layout_bytes() - Bytes that vring_layout_host() needs
 * @num:	Queue size.
 * @packed:	Which of the two formats.
 */
uint64_t vring_layout_bytes(unsigned int num, bool packed);

#endif /* VRINGLAB_VRING_LAYOUT_H */
