/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A virtqueue in memory of our own, with both of its sides, and the means to write
 * the ring by hand, as a well-behaved or a hostile peer would.
 */
#ifndef VRINGLAB_SELFTESTS_T_RIG_H
#define VRINGLAB_SELFTESTS_T_RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/virtio_config.h>

#include <vringlab/vring.h>

#define T_RIG_BIT(n) (UINT64_C(1) << (n))

#ifndef VIRTIO_F_RING_PACKED
#define VIRTIO_F_RING_PACKED 34
#endif
#ifndef VIRTIO_F_IN_ORDER
#define VIRTIO_F_IN_ORDER 35
#endif

#define T_RIG_PACKED T_RIG_BIT(VIRTIO_F_RING_PACKED)
#define T_RIG_INDIRECT T_RIG_BIT(VIRTIO_RING_F_INDIRECT_DESC)
#define T_RIG_EVENT T_RIG_BIT(VIRTIO_RING_F_EVENT_IDX)
#define T_RIG_ORDER T_RIG_BIT(VIRTIO_F_IN_ORDER)

/* One region, with buffers; behind them indirect tables. Not equal: see t_ring.h. */
#define T_RIG_GPA UINT64_C(0x40000000)
#define T_RIG_UVA UINT64_C(0x7f0000000000)
#define T_RIG_BYTES UINT64_C(0x100000)

/* Entries of each indirect table that the driver side has. */
#define T_RIG_INDIRECT_MAX 16u
#define T_RIG_TABLES_GPA UINT64_C(0x80000000)

/* Where the ring itself is, for the dirty log. */
#define T_RIG_RING_GPA UINT64_C(0x20000000)

/**
 * struct t_rig - Memory, ring, and both sides
 * @features:	Virtio feature bits.
 * @num:	Queue size.
 * @host:	The buffers.
 * @chain:	To pop into; has room for twice the queue size.
 */
struct t_rig {
	uint64_t features;
	unsigned int num;
	struct vring_mem mem;
	struct vring_layout ring;
	struct vring_dev dev;
	struct vring_drv drv;
	struct vring_chain chain;
	uint8_t *host;
	uint8_t *ring_host;
	struct vring_drv_slot *slots;
	struct vring_desc *tables;
	size_t ring_bytes;
	size_t tables_bytes;
};

/**
 * t_rig_init() - Make all of it
 * @r:		To be destroyed also after a failure.
 * @features:	Virtio feature bits; T_RIG_PACKED is the format.
 * @num:	Queue size.
 *
 * All memory is shared with processes that are forked later.
 *
 * Return: 0, or a negative errno.
 */
int t_rig_init(struct t_rig *r, uint64_t features, unsigned int num);

/** t_rig_exit() - Give all back. */
void t_rig_exit(struct t_rig *r);

/**
 * t_rig_restart() - Throw the device side away and start another one
 * @r:		Rig.
 * @base:	As in struct vring_dev_config.
 * @inflight:	Region, or NULL.
 *
 * Return: as vring_dev_init().
 */
int t_rig_restart(struct t_rig *r, uint32_t base, void *inflight);

/** t_rig_shared() - Zeroed memory that forked processes share; NULL on failure. */
void *t_rig_shared(size_t size);

static inline bool t_rig_packed(const struct t_rig *r)
{
	return r->features & T_RIG_PACKED;
}

/** t_rig_desc() - Write a descriptor of a split ring or table. */
void t_rig_desc(struct vring_desc *table, unsigned int index, uint64_t addr, uint32_t len,
		uint16_t flags, uint16_t next);

/** t_rig_avail() - Make a head available in a split ring. */
void t_rig_avail(struct t_rig *r, uint16_t head);

/** t_rig_used() - Put an entry into a split ring's used ring. */
void t_rig_used(struct t_rig *r, uint32_t head, uint32_t len);

/**
 * t_rig_packed_desc() - Write a descriptor of a packed ring
 * @flags:	All of them: see T_RIG_AVAILABLE().
 */
void t_rig_packed_desc(struct t_rig *r, unsigned int index, uint64_t addr, uint32_t len,
		       uint16_t id, uint16_t flags);

/** T_RIG_AVAILABLE, T_RIG_USED - Flags of a packed descriptor in a lap. */
#define T_RIG_AVAILABLE(wrap) \
	((wrap) ? 1u << VRING_PACKED_DESC_F_AVAIL : 1u << VRING_PACKED_DESC_F_USED)
#define T_RIG_USED(wrap) \
	((wrap) ? 1u << VRING_PACKED_DESC_F_AVAIL | 1u << VRING_PACKED_DESC_F_USED : 0u)

#endif /* VRINGLAB_SELFTESTS_T_RIG_H */
