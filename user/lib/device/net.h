/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Inside of the virtio-net device, shared by its files:
 *
 *   net.c          the device: making, starting and stopping virtqueues
 *   net_config.c   features and config space
 *   net_header.c   the header in front of each packet: what may be in it
 *   net_tap.c      the tap: opening, offloads, announcements
 *   net_tx.c       transmit virtqueues
 *   net_rx.c       receive virtqueues, from a tap
 *   net_generate.c receive virtqueues, from nowhere
 *   net_window.c   the buffers that the next packets go to
 *
 * Taps are read and written at once, by readv(2) and writev(2): they never block,
 * and nothing is in flight when process() returns but buffers that are waiting.
 */
#ifndef DEVICE_NET_H
#define DEVICE_NET_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/if.h>
#include <linux/if_ether.h>
#include <linux/virtio_net.h>

#include <vringlab/link.h>
#include <vringlab/loop.h>
#include <vringlab/vdev_net.h>
#include <vringlab/virtio_device.h>

#include "iov.h"
#include "ring_features.h"

/* Chains taken at once. */
#define NET_BATCH 32u

/* After so many packets the other rings and the socket get their turn. */
#define NET_BUDGET 256u

/* Pieces of a chain: Linux has up to MAX_SKB_FRAGS + 2. Longer ones are copied. */
#define NET_IOV_NR 20u

/* The longest frame and its header, and one byte to see that there is more. */
#define NET_BOUNCE_BYTES (sizeof(struct virtio_net_hdr_v1) + VDEV_NET_FRAME_MAX + 1)

/**
 * struct net_window - Receive buffers that are taken and not filled, in their order
 * @chains:	A ring of VDEV_NET_MERGE_MAX.
 * @iovs:	Their buffer lists, NET_IOV_NR each.
 * @first:	The oldest in @chains.
 * @nr:		How many.
 * @bytes:	In all of them.
 * @pieces:	In all of them.
 * @blocked:	There is one that it has no place for.
 * @long_room:	For a chain that is longer; there is one at a time, alone.
 */
struct net_window {
	struct vring_chain *chains;
	struct iovec *iovs;
	unsigned int first;
	unsigned int nr;
	uint64_t bytes;
	unsigned int pieces;
	bool blocked;
	struct iov_room long_room;
};

/**
 * struct net_held - A packet that was read
 * @hdr:	Its header.
 * @frame:	Bytes after it.
 * @direct:	Of them, in the window already; the rest is in the bounce buffer.
 * @valid:	There is one.
 */
struct net_held {
	struct virtio_net_hdr_v1 hdr;
	uint32_t frame;
	uint32_t direct;
	bool valid;
};

/**
 * struct net_pair - A receive and a transmit virtqueue
 * @net:	Whose.
 * @fd:		Queue of the tap, -1 for a null device.
 * @attached:	The kernel gives it packets.
 * @rx:		The transport's, while it is started; NULL before.
 * @tx:		Likewise.
 * @readable:	Watch of @fd while the receive virtqueue runs.
 * @writable:	Watch of @fd while the tap takes nothing.
 * @window:	Receive buffers.
 * @held:	A packet that waits for more of them.
 * @bounce:	What of it does not fit the window.
 */
struct net_pair {
	struct net *net;
	int fd;
	bool attached;
	struct vdev_queue *rx;
	struct vdev_queue *tx;
	struct loop_op *readable;
	struct loop_op *writable;
	struct net_window window;
	struct net_held held;
	uint8_t *bounce;
};

/**
 * struct net - The device
 * @vdev:	What the transport sees.
 * @loop:	Loop.
 * @is_tap:	Not a null device.
 * @name:	Of the tap.
 * @undo:	What becomes of it in the end.
 * @link_up:	As the driver is told.
 * @has_mac:	@mac is told to the driver.
 * @mac:	Its.
 * @mtu:	Likewise.
 * @features:	Negotiated, without those that lack what they need.
 * @hdr_len:	Bytes in front of each packet: 10 or 12.
 * @mergeable:	One packet may be spread over several buffers.
 * @tx_iovs:	Buffer lists of a batch, NET_IOV_NR each and one before it.
 * @tx_room:	For a longer chain.
 * @tx_copy:	Where a null device copies packets, and longer chains go.
 * @packet:	What a null device receives: a header of 12 bytes, and @frame_bytes.
 * @frame_bytes: 0 for nothing.
 * @stats:	Counters.
 * @num_pairs:	Of @pairs.
 * @pairs:	Virtqueues.
 */
struct net {
	struct vdev vdev;
	struct loop *loop;
	bool is_tap;
	char name[IFNAMSIZ];
	struct tap_undo undo;
	bool link_up;
	bool has_mac;
	uint8_t mac[ETH_ALEN];
	uint16_t mtu;
	uint64_t features;
	unsigned int hdr_len;
	bool mergeable;
	struct iovec *tx_iovs;
	struct iov_room tx_room;
	uint8_t *tx_copy;
	uint8_t *packet;
	uint32_t frame_bytes;
	struct vdev_net_stats stats;
	unsigned int num_pairs;
	struct net_pair pairs[];
};

static inline struct net_pair *net_pair_of(struct net *net, const struct vdev_queue *q)
{
	return &net->pairs[q->index / 2];
}

static inline bool net_is_tx(const struct vdev_queue *q)
{
	return q->index % 2;
}

static inline bool net_has(const struct net *net, unsigned int bit)
{
	return net->features & VIRTIO_BIT(bit);
}

/* net_config.c */
#define NET_CONFIG_SIZE sizeof(struct virtio_net_config)
uint64_t net_features(const struct net *net);
void net_set_features(void *dev, uint64_t features);
int net_get_config(void *dev, uint32_t offset, void *buf, uint32_t size);

/* net_header.c */
/* Whether a packet may be sent; leaves in the header what it is sent with. */
bool net_header_to_tap(const struct net *net, struct virtio_net_hdr_v1 *hdr, uint64_t frame);
/* Whether the driver can take a packet with this header. */
bool net_header_from_tap(const struct net *net, const struct virtio_net_hdr_v1 *hdr);
/* Is something left to do for whoever gets the packet? */
bool net_header_has_offload(const struct virtio_net_hdr_v1 *hdr);

/* net_tap.c */
int net_tap_open(struct net *net, const struct vdev_net_config *config, struct vl_err *err);
void net_tap_close(struct net *net);
void net_tap_use_features(struct net *net);
void net_tap_attach(struct net_pair *pair, bool attach);
int net_tap_set_mtu(struct net *net, uint16_t mtu);
int net_tap_announce(struct net *net, const uint8_t mac[ETH_ALEN]);
/* The interface is gone, or so it seems. */
void net_tap_lost(struct net *net);

/* net_tx.c */
int net_tx_process(struct net *net, struct vdev_queue *q);
int net_tx_discard(struct net *net, struct vdev_queue *q);

/* net_rx.c */
int net_rx_process(struct net *net, struct vdev_queue *q);
int net_rx_watch(struct net_pair *pair);

/* net_generate.c */
int net_generate_init(struct net *net, uint32_t bytes);
int net_generate(struct net *net, struct vdev_queue *q);

/* net_window.c */
int net_window_init(struct net_window *window);
void net_window_exit(struct net_window *window);
/*
 * Takes buffers until there are @bytes or all that there are: 0 if there is one at
 * least, -EAGAIN if there is none, or another errno of vring_dev_pop(). -ENOBUFS is
 * -EAGAIN: no more fit.
 */
int net_window_fill(struct net *net, struct net_window *window, struct vring_dev *vq,
		    uint64_t bytes);
/* After net_window_fill(): will what does not fit now never fit? */
bool net_window_is_full(const struct net_window *window, const struct vring_dev *vq);
/* The pieces of up to @bytes from @skip on: how many; @bytes is what they have. */
unsigned int net_window_pieces(const struct net_window *window, unsigned int chains, uint64_t skip,
			       struct iovec *iov, unsigned int nr_iov, uint64_t *bytes);
/* Copies to the window at an offset. */
void net_window_write(const struct net_window *window, uint64_t offset, const void *buf,
		      size_t len);
/* How many buffers it takes for so many bytes. */
unsigned int net_window_count(const struct net_window *window, uint64_t bytes);
/* How many follow each other in its array, from the first on. */
unsigned int net_window_row(const struct net_window *window);
/* Gives the first @nr of a row back, with @bytes in each. */
void net_window_push_each(struct net_window *window, struct vring_dev *vq, unsigned int nr,
			  uint32_t bytes);
/* Gives the first @nr back, with @bytes in them. */
void net_window_push(struct net_window *window, struct vring_dev *vq, unsigned int nr,
		     uint64_t bytes);
/* Gives all back as if they had never been taken. */
void net_window_unpop(struct net_window *window, struct vring_dev *vq);

#endif /* DEVICE_NET_H */
