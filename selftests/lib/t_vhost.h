/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A device of the kernel's vhost, driven without a guest: memory, split rings in it,
 * and eventfds.
 */
#ifndef VRINGLAB_SELFTESTS_T_VHOST_H
#define VRINGLAB_SELFTESTS_T_VHOST_H

#include <stdbool.h>
#include <stdint.h>

#include <vringlab/vring_drv.h>

#define T_VHOST_NUM 512u
#define T_VHOST_QUEUES_MAX 4u
#define T_VHOST_BUF 2048u

/* Of a virtqueue in the memory: its rings, then its buffers. */
#define T_VHOST_RINGS_BYTES (64u << 10)
#define T_VHOST_QUEUE_BYTES (T_VHOST_RINGS_BYTES + T_VHOST_NUM * T_VHOST_BUF)
#define T_VHOST_MEM_BYTES (T_VHOST_QUEUES_MAX * T_VHOST_QUEUE_BYTES)
/* Where the device finds it. */
#define T_VHOST_GPA UINT64_C(0x40000000)

/**
 * struct t_vhost_queue - A virtqueue
 * @layout:	Where it lies.
 * @drv:	Driver side.
 * @slots:	For @drv.
 * @bufs:	T_VHOST_NUM buffers of T_VHOST_BUF bytes each.
 * @bufs_gpa:	Where the device finds them.
 * @next:	The next one's number.
 * @kick:	eventfd.
 * @call:	eventfd, O_NONBLOCK.
 * @kicks:	Written so far.
 * @calls:	Read so far: the eventfd adds up what vhost has signalled.
 * @used:	Chains that came back.
 */
struct t_vhost_queue {
	struct vring_layout layout;
	struct vring_drv drv;
	struct vring_drv_slot slots[T_VHOST_NUM];
	uint8_t *bufs;
	uint64_t bufs_gpa;
	unsigned int next;
	int kick;
	int call;
	uint64_t kicks;
	uint64_t calls;
	uint64_t used;
};

/**
 * struct t_vhost - A device
 * @fd:		Of /dev/vhost-*.
 * @mem:	Memory, of T_VHOST_MEM_BYTES.
 * @features:	Acknowledged.
 * @queues:	Virtqueues.
 */
struct t_vhost {
	int fd;
	uint8_t *mem;
	uint64_t features;
	struct t_vhost_queue queues[T_VHOST_QUEUES_MAX];
};

/** t_vhost_load() - Load vhost_net, vhost_vsock and tun, if this process may. */
void t_vhost_load(void);

/**
 * t_vhost_open() - Open a device, and tell it of memory and features
 * @v:		To be closed also after a failure.
 * @path:	Of the device.
 * @features:	Feature bits.
 *
 * Return: 0 or a negative errno.
 */
int t_vhost_open(struct t_vhost *v, const char *path, uint64_t features);

/** t_vhost_close() - Close the device and free its memory; allowed twice. */
void t_vhost_close(struct t_vhost *v);

/** t_vhost_ioctl() - Ask the device. Returns 0 or a negative errno of ioctl(2). */
int t_vhost_ioctl(const struct t_vhost *v, unsigned long nr, void *arg);

struct vhost_memory_region;

/** t_vhost_table() - Tell it of @nr regions, and of no others. Likewise. */
int t_vhost_table(const struct t_vhost *v, const struct vhost_memory_region *regions,
		  unsigned int nr);

/** t_vhost_ring() - Give the device an empty ring. Returns 0 or a negative errno. */
int t_vhost_ring(struct t_vhost *v, unsigned int queue);

/** t_vhost_fds() - Give it the ring's eventfds; -1 for none. Likewise. */
int t_vhost_fds(struct t_vhost *v, unsigned int queue, int kick, int call);

/** t_vhost_start() - Give it @nr rings, with eventfds of their own. Likewise. */
int t_vhost_start(struct t_vhost *v, unsigned int nr);

/**
 * t_vhost_buf() - The next buffer
 * @v:		Device.
 * @queue:	Virtqueue.
 *
 * Return: its bytes, to be filled before t_vhost_add().
 */
uint8_t *t_vhost_buf(struct t_vhost *v, unsigned int queue);

/**
 * t_vhost_add() - Make the next buffer available, without a kick
 * @v:		Device.
 * @queue:	Virtqueue.
 * @len:	Bytes.
 * @in:		The device writes it.
 *
 * Return: as vring_drv_add().
 */
int t_vhost_add(struct t_vhost *v, unsigned int queue, uint32_t len, bool in);

/**
 * t_vhost_add_both() - Make the next buffer available, half to be read, half to be written
 * @v:		Device.
 * @queue:	Virtqueue.
 * @out:	Bytes of its first half that the device reads.
 * @in:		Bytes of its second half that the device writes.
 *
 * Return: as vring_drv_add().
 */
int t_vhost_add_both(struct t_vhost *v, unsigned int queue, uint32_t out, uint32_t in);

/** t_vhost_kick() - Write the kick eventfd; 0 or a negative errno. */
int t_vhost_kick(struct t_vhost *v, unsigned int queue);

/**
 * t_vhost_exchange() - Make the next buffer available, kick, wait until it is used
 * @v:		Device, with nothing available in this virtqueue.
 * @queue:	Virtqueue.
 * @len:	Bytes.
 * @in:		The device writes it.
 * @written:	How much it wrote.
 *
 * Return: 0, %-ETIMEDOUT, or another negative errno.
 */
int t_vhost_exchange(struct t_vhost *v, unsigned int queue, uint32_t len, bool in,
		     uint32_t *written);

/** t_vhost_take() - Wait until the next buffer is used. As t_vhost_exchange(). */
int t_vhost_take(struct t_vhost *v, unsigned int queue, uint32_t *written);

/** t_vhost_wants_kick() - The device waits for a kick: it has done all there is. */
bool t_vhost_wants_kick(struct t_vhost *v, unsigned int queue);

/** t_vhost_reap() - Take back what is used. Returns how many so far, or a negative errno. */
int64_t t_vhost_reap(struct t_vhost *v, unsigned int queue);

/** t_vhost_calls() - How often the call eventfd was signalled so far. */
uint64_t t_vhost_calls(struct t_vhost *v, unsigned int queue);

#endif /* VRINGLAB_SELFTESTS_T_VHOST_H */
