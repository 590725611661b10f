// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Transmit virtqueues, VIRTIO 1.2 section 5.1.6.2.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/uio.h>

#include "net.h"

/*
 * Of a null device: packets that are short, as most are, have a place each. It is an odd
 * number of cache lines, 31, so that they do not all compete for the same few.
 */
#define COPY_BYTES 1984u

_Static_assert(NET_BOUNCE_BYTES / COPY_BYTES >= NET_BATCH, "a batch has places");

/**
 * struct packet - One to be sent
 * @hdr:	A copy of its header.
 * @data:	What is after it.
 * @frame:	Bytes of @data.
 */
struct packet {
	struct virtio_net_hdr_v1 hdr;
	struct iov_cursor data;
	uint64_t frame;
};

static bool is_long(const struct net *net, const struct vring_chain *chain)
{
	return chain->iov == net->tx_room.iov;
}

/* Takes a batch, or one chain that is longer than those of a batch can be. */
static int pop(struct net *net, struct vring_dev *vq, struct vring_chain *chains)
{
	int ret;

	for (unsigned int i = 0; i < NET_BATCH; i++) {
		chains[i].iov = net->tx_iovs + i * (NET_IOV_NR + 1) + 1;
		chains[i].nr_iov = NET_IOV_NR;
	}
	ret = vring_dev_pop_batch(vq, chains, NET_BATCH);
	if (ret != -ENOBUFS)
		return ret;
	ret = iov_room_pop(&net->tx_room, vq, chains);
	return ret ? ret : 1;
}

static void give_back(struct vring_dev *vq, const struct vring_chain *chains, unsigned int nr)
{
	static const uint32_t written[NET_BATCH];

	if (nr)
		vring_dev_push_batch(vq, chains, written, nr);
}

/* Takes the header off; whether it can be sent. */
static bool parse(const struct net *net, const struct vring_chain *chain, struct packet *packet)
{
	packet->data = (struct iov_cursor){ .iov = chain->iov, .nr = chain->nr_out };
	if (chain->nr_in || chain->out_bytes < net->hdr_len)
		return false;
	packet->frame = chain->out_bytes - net->hdr_len;
	memset(&packet->hdr, 0, sizeof(packet->hdr));
	iov_gather(chain->iov, chain->nr_out, &packet->hdr, net->hdr_len);
	if (!net_header_to_tap(net, &packet->hdr, packet->frame))
		return false;
	iov_cursor_advance(&packet->data, net->hdr_len);
	return true;
}

static void count(struct net *net, const struct packet *packet)
{
	net->stats.tx_packets++;
	net->stats.tx_bytes += packet->frame;
	net->stats.tx_offloads += net_header_has_offload(&packet->hdr);
}

/* Copies a packet out, as a driver that polls would. */
static void forget_packet(struct net *net, const struct vring_chain *chain, uint8_t *to)
{
	struct packet packet;

	if (!parse(net, chain, &packet)) {
		net->stats.tx_refused++;
		return;
	}
	iov_gather(packet.data.iov, packet.data.nr, packet.frame <= COPY_BYTES ? to : net->tx_copy,
		   packet.frame);
	count(net, &packet);
}

/* The first and the last @size bytes, which may overlap. */
static inline void copy_ends(uint8_t *to, const uint8_t *from, uint32_t len, uint32_t size)
{
	memcpy(to, from, size);
	memcpy(to + len - size, from + len - size, size);
}

/*
 * As memcpy(3) of ETH_HLEN bytes at least: for a length that is not known the compiler
 * may choose string instructions, which start slower than a short packet is copied.
 */
static inline void copy_frame(uint8_t *to, const uint8_t *from, uint32_t len)
{
	if (len < 16) {
		copy_ends(to, from, len, 8);
	} else if (len < 32) {
		copy_ends(to, from, len, 16);
	} else if (len < 64) {
		copy_ends(to, from, len, 32);
	} else {
		for (uint32_t at = 0; at + 64 < len; at += 64)
			memcpy(to + at, from + at, 64);
		memcpy(to + len - 64, from + len - 64, 64);
	}
}

/*
 * By far the most: short, in one piece, with nothing left to do. Returns its bytes, or
 * 0 for another one; then nothing was done.
 */
static inline uint32_t forget_plain(const struct net *net, const struct vring_chain *chain,
				    uint8_t *to)
{
	const uint8_t *from = chain->iov->iov_base;
	uint32_t frame = chain->out_bytes - net->hdr_len;
	struct virtio_net_hdr hdr;

	if (chain->nr_out != 1 || chain->nr_in || chain->out_bytes < net->hdr_len + ETH_HLEN ||
	    frame > COPY_BYTES)
		return 0;
	memcpy(&hdr, from, sizeof(hdr));
	if (hdr.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM || hdr.gso_type != VIRTIO_NET_HDR_GSO_NONE)
		return 0;
	copy_frame(to, from + net->hdr_len, frame);
	return frame;
}

static int forget_batch(struct net *net, struct vring_dev *vq, struct vring_chain *chains,
			unsigned int nr)
{
	uint64_t packets = 0, bytes = 0;

	for (unsigned int i = 0; i < nr; i++)
		if (chains[i].nr_out)
			__builtin_prefetch(chains[i].iov->iov_base);
	for (unsigned int i = 0; i < nr; i++) {
		uint8_t *to = net->tx_copy + i * COPY_BYTES;
		uint32_t frame = forget_plain(net, &chains[i], to);

		packets += frame > 0;
		bytes += frame;
		if (!frame)
			forget_packet(net, &chains[i], to);
	}
	net->stats.tx_packets += packets;
	net->stats.tx_bytes += bytes;
	give_back(vq, chains, nr);
	return 0;
}

/* The header as it was checked, and the rest where it lies. */
static ssize_t write_packet(struct net *net, int fd, const struct vring_chain *chain,
			    struct packet *packet)
{
	const struct iovec hdr = { .iov_base = &packet->hdr, .iov_len = net->hdr_len };
	struct iovec copy[2] = { hdr };
	struct iovec *iov;

	if (!is_long(net, chain)) {
		/* there is one before each list */
		iov = packet->data.iov - 1;
		*iov = hdr;
		return writev(fd, iov, packet->data.nr + 1);
	}
	iov_gather(packet->data.iov, packet->data.nr, net->tx_copy, packet->frame);
	copy[1] = (struct iovec){ .iov_base = net->tx_copy, .iov_len = packet->frame };
	return writev(fd, copy, 2);
}

/*
 * One packet: 0 if it was dealt with, -EAGAIN if the tap is full, or -EFAULT if it
 * was in memory that is not there.
 */
static int send_packet(struct net *net, int fd, const struct vring_chain *chain)
{
	struct packet packet;

	if (!parse(net, chain, &packet)) {
		net->stats.tx_refused++;
		return 0;
	}
	if (write_packet(net, fd, chain, &packet) >= 0) {
		count(net, &packet);
		return 0;
	}
	if (errno == EAGAIN || errno == EFAULT)
		return -errno;
	/* Linux' tun_detach_all() wakes who polls before it lets go of the tap's file. */
	if (errno == EBADFD)
		net_tap_lost(net);
	net->stats.tx_failed++;
	return 0;
}

static int send_batch(struct net *net, struct net_pair *pair, struct vring_chain *chains,
		      unsigned int nr)
{
	struct vring_dev *vq = pair->tx->vq;
	unsigned int n = 0;
	int ret = 0;

	while (n < nr && !ret) {
		ret = send_packet(net, pair->fd, &chains[n]);
		n += !ret;
	}
	give_back(vq, chains, n);
	vring_dev_unpop(vq, chains + n, nr - n);
	return ret;
}

static void writable(void *ctx, int res)
{
	struct net_pair *pair = ctx;

	loop_op_remove(&pair->writable);
	if (res < 0)
		net_tap_lost(pair->net);
	if (pair->tx)
		pair->tx->run(pair->tx);
}

/* Its buffer, which is endless unless somebody has set it, is full. */
static int wait_writable(struct net_pair *pair)
{
	int ret = 0;

	if (!pair->writable)
		ret = loop_poll(pair->net->loop, pair->fd, POLLOUT, writable, pair,
				&pair->writable);
	return ret ? ret : VDEV_WAITING;
}

int net_tx_process(struct net *net, struct vdev_queue *q)
{
	struct net_pair *pair = net_pair_of(net, q);
	struct vring_chain chains[NET_BATCH];

	if (!pair->tx)
		return VDEV_IDLE;
	for (unsigned int done = 0; done < NET_BUDGET;) {
		int nr = pop(net, q->vq, chains);
		int ret;

		if (nr < 0)
			return nr == -EAGAIN ? VDEV_IDLE : nr;
		ret = net->is_tap ? send_batch(net, pair, chains, nr) :
				    forget_batch(net, q->vq, chains, nr);
		if (ret)
			return ret == -EAGAIN ? wait_writable(pair) : ret;
		done += nr;
	}
	return VDEV_MORE;
}

/* "Ring states": "the back-end must ... discard ... packets". */
int net_tx_discard(struct net *net, struct vdev_queue *q)
{
	struct vring_chain chains[NET_BATCH];

	for (unsigned int done = 0; done < NET_BUDGET;) {
		int nr = pop(net, q->vq, chains);

		if (nr < 0)
			return nr == -EAGAIN ? VDEV_IDLE : nr;
		give_back(q->vq, chains, nr);
		net->stats.tx_discarded += nr;
		done += nr;
	}
	return VDEV_MORE;
}
