/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A vhost device of the kernel, driven from here instead of from a guest: memory,
 * two virtqueues with their eventfds, and the driver side of split rings.
 */
#ifndef VRINGLAB_SELFTESTS_T_VLOAD_H
#define VRINGLAB_SELFTESTS_T_VLOAD_H

#include <stdint.h>

#include <vringlab/vring_drv.h>

#define T_VLOAD_QUEUES 2u
#define T_VLOAD_NUM 64u

/* Of each buffer; there is one for each entry of a virtqueue. */
#define T_VLOAD_BUF 2048u

/**
 * struct t_vload_queue - A virtqueue
 * @kick:	eventfd, ours to write.
 * @call:	eventfd, non-blocking.
 * @drv:	Driver side.
 * @slots:	Of @drv.
 * @bufs:	T_VLOAD_NUM buffers.
 * @buf_of:	Index of the buffer that a chain has, by the chain's id.
 */
struct t_vload_queue {
	int kick;
	int call;
	struct vring_drv drv;
	struct vring_drv_slot slots[T_VLOAD_NUM];
	uint8_t *bufs;
	unsigned int buf_of[T_VLOAD_NUM];
};

/**
 * struct t_vload - A device
 * @fd:		/dev/vhost-*.
 * @mem:	What is shared with it.
 * @queues:	Virtqueues.
 */
struct t_vload {
	int fd;
	uint8_t *mem;
	struct t_vload_queue queues[T_VLOAD_QUEUES];
};

/**
 * t_vload_open() - Open a device and set up its virtqueues
 * @v:		Filled; t_vload_close() it, whatever this returns.
 * @path:	Of the device.
 * @features:	Virtio feature bits; VERSION_1 is added.
 *
 * The virtqueues run once the device has what it serves: a tap or a CID.
 *
 * Return: 0 or a negative errno.
 */
int t_vload_open(struct t_vload *v, const char *path, uint64_t features);

/** t_vload_close() - Close the device and what belongs to it; allowed twice. */
void t_vload_close(struct t_vload *v);

/**
 * t_vload_add() - Make one buffer available, without a kick
 * @v:		Device.
 * @queue:	Virtqueue.
 * @buf:	Which buffer; not in use.
 * @len:	Bytes.
 * @in:		The device writes it.
 *
 * Return: 0 or a negative errno.
 */
int t_vload_add(struct t_vload *v, unsigned int queue, unsigned int buf, uint32_t len, bool in);

/** t_vload_buf() - Where buffer @buf of virtqueue @queue is. */
uint8_t *t_vload_buf(struct t_vload *v, unsigned int queue, unsigned int buf);

/** t_vload_kick() - Signal the kick eventfd. Returns 0 or a negative errno. */
int t_vload_kick(struct t_vload *v, unsigned int queue);

/**
 * t_vload_used() - Wait until a buffer comes back
 * @v:		Device.
 * @queue:	Virtqueue.
 * @written:	Bytes that the device wrote; may be NULL.
 *
 * Return: which buffer, %-ETIMEDOUT, or another negative errno.
 */
int t_vload_used(struct t_vload *v, unsigned int queue, uint32_t *written);

#endif /* VRINGLAB_SELFTESTS_T_VLOAD_H */
