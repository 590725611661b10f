/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest without a guest: memory, and the driver side of one virtqueue in it. Of
 * several each has its own memory, one region behind the other.
 */
#ifndef VRINGLAB_SELFTESTS_T_RING_H
#define VRINGLAB_SELFTESTS_T_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vringlab/vhost_user_frontend.h>
#include <vringlab/vring.h>

/* Not equal, so that one taken for the other is found out. */
#define T_RING_GPA UINT64_C(0x100000)
#define T_RING_UVA UINT64_C(0x7f0000000000)

#define T_RING_NUM 64u
#define T_RING_MEM_BYTES (256u << 10)

/* In the memory: the ring first, then buffers to send, then buffers to receive. */
#define T_RING_OUT (64u << 10)
#define T_RING_IN (160u << 10)
#define T_RING_BUF_MAX (64u << 10)

/* Rings are before the first, buffers before the second, and nothing beyond. */
#define T_RING_RINGS (32u << 10)
#define T_RING_BUFS_END (T_RING_IN + T_RING_BUF_MAX)

/**
 * struct t_ring - Memory and virtqueue
 * @at:		Where the ring begins, in the memory.
 * @memfd:	The memory, sealed.
 * @mem:	Where it is mapped here.
 * @base:	Where the memory begins, from T_RING_GPA and T_RING_UVA on: 0, or set
 *		after t_ring_create().
 * @drv:	Driver side.
 * @kick:	eventfd, O_NONBLOCK.
 * @call:	eventfd, O_NONBLOCK.
 * @slots:	For @drv.
 */
struct t_ring {
	uint32_t at;
	int memfd;
	uint8_t *mem;
	uint64_t base;
	struct vring_drv drv;
	int kick;
	int call;
	struct vring_drv_slot slots[T_RING_NUM];
};

/**
 * t_ring_create() - Make memory and an empty virtqueue
 * @ring:	To be destroyed also after a failure.
 *
 * Return: 0, or a negative errno.
 */
int t_ring_create(struct t_ring *ring);

/** t_ring_create_unsealed() - As t_ring_create(), in a file that can be truncated. */
int t_ring_create_unsealed(struct t_ring *ring);

/**
 * t_ring_create_beside() - Make another empty virtqueue in the same memory
 * @ring:	As for t_ring_create(). It has the same buffers.
 * @first:	Whose memory.
 *
 * Return: 0, or a negative errno.
 */
int t_ring_create_beside(struct t_ring *ring, const struct t_ring *first);

/** t_ring_set_features() - Have it follow these, of the ring: it is empty again. */
void t_ring_set_features(struct t_ring *ring, uint64_t features);

/** t_ring_guard() - Fill what is neither ring nor buffer with a pattern. */
void t_ring_guard(struct t_ring *ring);

/** t_ring_is_intact() - Is the pattern still there? */
bool t_ring_is_intact(const struct t_ring *ring);

/** t_ring_destroy() - Give all back; a zeroed ring is allowed. */
void t_ring_destroy(struct t_ring *ring);

/** t_ring_region() - The memory as a front-end announces it. */
struct vu_frontend_region t_ring_region(const struct t_ring *ring);

/** t_ring_vring() - The virtqueue as a front-end announces it. */
struct vu_frontend_vring t_ring_vring(const struct t_ring *ring, unsigned int index);

/** t_ring_kick() - Signal the kick eventfd. */
int t_ring_kick(const struct t_ring *ring);

/**
 * t_ring_wait() - Wait for a used chain
 * @ring:	Ring.
 * @written:	As vring_drv_get().
 * @timeout_ms:	At most this long.
 *
 * Waits for the call eventfd whenever nothing is used, and takes it.
 *
 * Return: the id, %-ETIMEDOUT, or as vring_drv_get().
 */
int t_ring_wait(struct t_ring *ring, uint32_t *written, int timeout_ms);

/**
 * t_ring_request() - Send bytes, and take what comes back
 * @ring:	Ring.
 * @out:	Bytes to send.
 * @out_len:	Count, 0 to T_RING_BUF_MAX.
 * @in:		Where what comes back is copied to.
 * @in_len:	Room for it, 0 to T_RING_BUF_MAX.
 * @timeout_ms:	At most this long.
 *
 * Return: how many bytes came back, %-EMSGSIZE for more than there is room for, or as
 * t_ring_wait().
 */
int t_ring_request(struct t_ring *ring, const void *out, uint32_t out_len, void *in,
		   uint32_t in_len, int timeout_ms);

/**
 * t_ring_echo() - Send bytes, and compare what comes back
 * @ring:	Ring that a loopback device serves.
 * @data:	Bytes.
 * @len:	Count, 1 to T_RING_BUF_MAX.
 * @timeout_ms:	At most this long.
 *
 * Return: 0, %-EBADMSG for other bytes, %-EMSGSIZE for another count, or as
 * t_ring_wait().
 */
int t_ring_echo(struct t_ring *ring, const void *data, uint32_t len, int timeout_ms);

#endif /* VRINGLAB_SELFTESTS_T_RING_H */
