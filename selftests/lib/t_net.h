/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A virtio-net device without a transport: a driver, rings in memory and the device,
 * all on one thread.
 */
#ifndef VRINGLAB_SELFTESTS_T_NET_H
#define VRINGLAB_SELFTESTS_T_NET_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/virtio_net.h>

#include <vringlab/err.h>
#include <vringlab/vdev_net.h>
#include <vringlab/virtio_device.h>
#include <vringlab/vring_drv.h>

#define T_NET_NUM 256u
#define T_NET_PAIRS_MAX 2u
#define T_NET_QUEUES_MAX (2 * T_NET_PAIRS_MAX)

/* Of the memory that buffers are taken from. */
#define T_NET_GPA UINT64_C(0x40000000)
#define T_NET_MEM_BYTES (8u << 20)

/* Receive and transmit virtqueues of a pair. */
#define T_NET_RX(pair) (2 * (pair))
#define T_NET_TX(pair) (2 * (pair) + 1)

struct loop;
struct t_net;

/**
 * struct t_net_chain - A chain that the driver added
 * @offset:	Of its first buffer in the memory.
 * @back:	The device has given it back.
 * @written:	With so many bytes.
 */
struct t_net_chain {
	uint32_t offset;
	bool back;
	uint32_t written;
};

/**
 * struct t_net_queue - A virtqueue
 * @net:	Whose.
 * @q:		What the device sees.
 * @dev:	Device side.
 * @drv:	Driver side.
 * @slots:	Of @drv.
 * @chains:	All that were added, in order.
 * @nr_chains:	Their number.
 * @by_id:	Index in @chains of what is in flight.
 * @used:	Of @chains, given back.
 * @order:	Indices in @chains, in the order in which they came back.
 */
struct t_net_queue {
	struct t_net *net;
	struct vdev_queue q;
	struct vring_dev dev;
	struct vring_drv drv;
	struct vring_drv_slot slots[T_NET_NUM];
	struct t_net_chain chains[1024];
	unsigned int nr_chains;
	unsigned int by_id[T_NET_NUM];
	unsigned int used;
	unsigned int order[1024];
};

/**
 * struct t_net_config - How
 * @device:	As for vdev_net_create().
 * @features:	That the driver takes, without those of the rings.
 * @packed:	Format.
 * @indirect:	Indirect descriptors.
 * @in_order:	Likewise.
 * @inflight:	Rings have an inflight region.
 */
struct t_net_config {
	struct vdev_net_config device;
	uint64_t features;
	bool packed;
	bool indirect;
	bool in_order;
	bool inflight;
};

/**
 * struct t_net - Everything
 * @config:	How.
 * @loop:	Loop.
 * @vdev:	Device.
 * @mem:	Memory of the driver's.
 * @table:	What the device knows of it.
 * @brk:	Bytes of @mem in use.
 * @inflight:	Regions, one for each virtqueue.
 * @changed:	Times that the config space changed.
 * @nr_queues:	Of @queues.
 * @queues:	Virtqueues.
 * @err:	Of what failed.
 */
struct t_net {
	struct t_net_config config;
	struct loop *loop;
	struct vdev *vdev;
	uint8_t *mem;
	struct vring_mem table;
	uint32_t brk;
	void *inflight[T_NET_QUEUES_MAX];
	unsigned int changed;
	unsigned int nr_queues;
	struct t_net_queue queues[T_NET_QUEUES_MAX];
	struct vl_err err;
};

/** t_net_start() - Make it all and start the virtqueues. Returns 0 or a negative errno. */
int t_net_start(struct t_net *net, const struct t_net_config *config);

/** t_net_stop() - Free it all. */
void t_net_stop(struct t_net *net);

/** t_net_restart() - The device side of a virtqueue died; another goes on. */
int t_net_restart(struct t_net *net, unsigned int queue);

/** t_net_queue_stop() - As GET_VRING_BASE does it. Returns the buffers in flight. */
unsigned int t_net_queue_stop(struct t_net *net, unsigned int queue);

/** t_net_alloc() - Memory for a buffer; its offset. */
uint32_t t_net_alloc(struct t_net *net, uint32_t len);

/**
 * t_net_add() - Add a chain, its buffers one after the other in memory
 * @net:	Device.
 * @queue:	Virtqueue.
 * @offset:	Of the first.
 * @lens:	Their lengths.
 * @nr_out:	Device-readable ones.
 * @nr_in:	Device-writable ones, after them.
 *
 * Return: its index among the virtqueue's chains, or a negative errno.
 */
int t_net_add(struct t_net *net, unsigned int queue, uint32_t offset, const uint32_t *lens,
	      unsigned int nr_out, unsigned int nr_in);

/** t_net_give() - Add a receive buffer of one piece. As t_net_add(). */
int t_net_give(struct t_net *net, unsigned int pair, uint32_t len);

/** t_net_send() - Transmit a packet in one piece. As t_net_add(). */
int t_net_send(struct t_net *net, unsigned int pair, const struct virtio_net_hdr_v1 *hdr,
	       const void *frame, uint32_t len);

/** t_net_process() - Have the device look once; what it says, or what the driver finds. */
int t_net_process(struct t_net *net, unsigned int queue);

/** t_net_run_until() - Run the loop until @used chains came back, or %-ETIME. */
int t_net_run_until(struct t_net *net, unsigned int queue, unsigned int used);

/**
 * t_net_received() - Put a received packet together
 * @net:	Device.
 * @pair:	Of the virtqueue.
 * @at:		Its first chain, as a place in &t_net_queue.order.
 * @hdr:	Its header.
 * @frame:	The rest, of all its buffers.
 * @size:	Bytes that @frame has room for.
 *
 * Return: bytes in @frame, or %-EPROTO if the header's count of buffers cannot be.
 */
int t_net_received(struct t_net *net, unsigned int pair, unsigned int at,
		   struct virtio_net_hdr_v1 *hdr, void *frame, uint32_t size);

/** t_net_stats() - The device's counters. */
struct vdev_net_stats t_net_stats(const struct t_net *net);

#endif /* VRINGLAB_SELFTESTS_T_NET_H */
