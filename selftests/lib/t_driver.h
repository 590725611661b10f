/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest's driver without a guest, and the transport's side of a back-end: memory in
 * two pieces, virtqueues in both, eventfds, all on one thread with the loop.
 */
#ifndef VRINGLAB_SELFTESTS_T_DRIVER_H
#define VRINGLAB_SELFTESTS_T_DRIVER_H

#include <stdbool.h>
#include <stdint.h>

#include <vringlab/backend_host.h>
#include <vringlab/err.h>
#include <vringlab/loop.h>
#include <vringlab/virtio_backend.h>
#include <vringlab/vring_drv.h>

#define T_DRIVER_NUM 128u
#define T_DRIVER_QUEUES_MAX 9u

#define T_DRIVER_PIECES 2u
#define T_DRIVER_PIECE_BYTES (8u << 20)

struct t_driver;

/**
 * struct t_driver_queue - A virtqueue
 * @t:		Whose.
 * @index:	Of it.
 * @q:		As the back-end is told.
 * @drv:	Driver side.
 * @slots:	Of @drv.
 * @token:	Of what is in flight, by id.
 * @added:	Chains so far.
 * @used:	Of them, given back.
 * @last_token:	Of the last one that was given back.
 * @last_written: With so many bytes.
 * @calls:	Wake-ups of the call eventfd.
 * @watch:	On it.
 */
struct t_driver_queue {
	struct t_driver *t;
	unsigned int index;
	struct virtio_queue q;
	struct vring_drv drv;
	struct vring_drv_slot slots[T_DRIVER_NUM];
	uint64_t token[T_DRIVER_NUM];
	uint64_t added;
	uint64_t used;
	uint64_t last_token;
	uint32_t last_written;
	uint64_t calls;
	struct loop_op *watch;
};

/**
 * struct t_driver - Driver, and transport
 * @loop:	Loop.
 * @host:	Memory.
 * @be:		Back-end.
 * @features:	Negotiated.
 * @started:	The back-end is.
 * @brk:	Bytes of each piece in use.
 * @config_changed: Times that config space changed.
 * @failed:	Times that the back-end failed.
 * @failure:	Of the last time.
 * @warned:	Times that a back-end warned.
 * @warning:	Of the last time.
 * @on_used:	Told of each chain that comes back; may be NULL.
 * @ctx:	For @on_used.
 * @queues:	Virtqueues.
 * @err:	Of what failed.
 */
struct t_driver {
	struct loop *loop;
	struct backend_host host;
	struct virtio_backend *be;
	uint64_t features;
	bool started;
	uint32_t brk[T_DRIVER_PIECES];
	unsigned int config_changed;
	unsigned int failed;
	struct vl_err failure;
	unsigned int warned;
	struct vl_err warning;
	void (*on_used)(void *ctx, unsigned int queue, uint64_t token, uint32_t written);
	void *ctx;
	struct t_driver_queue queues[T_DRIVER_QUEUES_MAX];
	struct vl_err err;
};

/** t_driver_init() - Loop and memory. Returns 0 or a negative errno. */
int t_driver_init(struct t_driver *t);

/** t_driver_exit() - Stop and free all, the back-end too. */
void t_driver_exit(struct t_driver *t);

/**
 * t_driver_start() - As a driver that has found the device, and sets it up
 * @t:		With @t->be.
 * @wanted:	Features that are negotiated where they are offered.
 * @queues:	Bit mask of the virtqueues that it uses.
 *
 * Return: as the back-end's start(), with @t->err.
 */
int t_driver_start(struct t_driver *t, uint64_t wanted, uint32_t queues);

/** t_driver_reset() - As a driver that resets the device. */
void t_driver_reset(struct t_driver *t);

/** t_driver_alloc() - Memory for a buffer, in one of the two pieces; its address. */
uint64_t t_driver_alloc(struct t_driver *t, uint32_t len);

/** t_driver_at() - Where guest memory is here. */
void *t_driver_at(const struct t_driver *t, uint64_t gpa);

/**
 * t_driver_add() - Make a chain available, and kick if that is wanted
 * @t:		Started.
 * @queue:	Virtqueue.
 * @bufs:	As vring_drv_add().
 * @nr_out:	Count.
 * @nr_in:	Count.
 * @token:	Handed to @t->on_used.
 *
 * Return: 0, or as vring_drv_add().
 */
int t_driver_add(struct t_driver *t, unsigned int queue, const struct vring_buf *bufs,
		 unsigned int nr_out, unsigned int nr_in, uint64_t token);

/** t_driver_reap() - Take back what is used. Returns 0 or a negative errno. */
int t_driver_reap(struct t_driver *t, unsigned int queue);

/** t_driver_run_once() - Let the loop handle events, and take back what is used. */
int t_driver_run_once(struct t_driver *t);

/**
 * t_driver_run_until() - Run the loop until so many chains came back
 * @t:		Started.
 * @queue:	Virtqueue.
 * @used:	Since it was started.
 *
 * Return: 0, %-ETIME, or another negative errno.
 */
int t_driver_run_until(struct t_driver *t, unsigned int queue, uint64_t used);

/** t_driver_run_until_failed() - Run the loop until the back-end has failed. Likewise. */
int t_driver_run_until_failed(struct t_driver *t);

/* t_driver_device.c */
struct vdev;

/** t_driver_create_local() - @t->be as a device of ours; as backend_local_create(). */
int t_driver_create_local(struct t_driver *t, struct vdev *vdev, void (*destroy)(struct vdev *),
			  uint16_t device_id, const char *name);

/**
 * t_driver_set_pairs() - As a net driver that changes how many pairs it uses
 * @t:		Started.
 * @control:	Its control virtqueue.
 * @pairs:	Up to 255.
 *
 * Return: VIRTIO_NET_OK or VIRTIO_NET_ERR, or a negative errno.
 */
int t_driver_set_pairs(struct t_driver *t, unsigned int control, uint16_t pairs);

#endif /* VRINGLAB_SELFTESTS_T_DRIVER_H */
