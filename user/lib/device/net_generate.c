// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Receive virtqueues of a null device: the same frame into every buffer.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net.h"

/* An experimental type, IEEE Std 802: to everybody, from nobody. */
#define ETHERTYPE_LOCAL 0x88b5u

int net_generate_init(struct net *net, uint32_t bytes)
{
	struct ethhdr eth = { .h_source = { 0x02 }, .h_proto = htobe16(ETHERTYPE_LOCAL) };
	uint8_t *frame;

	if (!bytes)
		return 0;
	net->packet = calloc(1, sizeof(struct virtio_net_hdr_v1) + bytes);
	if (!net->packet)
		return -ENOMEM;
	net->frame_bytes = bytes;
	frame = net->packet + sizeof(struct virtio_net_hdr_v1);
	memset(eth.h_dest, 0xff, sizeof(eth.h_dest));
	memcpy(frame, &eth, sizeof(eth));
	for (uint32_t i = sizeof(eth); i < bytes; i++)
		frame[i] = i;
	return 0;
}

/* The packet and its header, which is one of 12 bytes, or of the 10 before them. */
static const uint8_t *packet_with_header(struct net *net, unsigned int nr)
{
	struct virtio_net_hdr_v1 hdr = { 0 };
	uint8_t *packet = net->packet + sizeof(hdr) - net->hdr_len;

	if (net->hdr_len == sizeof(hdr))
		hdr.num_buffers = htole16(nr);
	memcpy(packet, &hdr, net->hdr_len);
	return packet;
}

static void count(struct net *net, unsigned int packets)
{
	net->stats.rx_packets += packets;
	net->stats.rx_bytes += (uint64_t)packets * net->frame_bytes;
}

/*
 * By far the most: one packet into each buffer of the window that is one piece and long
 * enough. Returns how many.
 */
static unsigned int generate_batch(struct net *net, struct net_pair *pair)
{
	const uint32_t bytes = net->hdr_len + net->frame_bytes;
	struct net_window *window = &pair->window;
	const uint8_t *packet = packet_with_header(net, 1);
	unsigned int nr = net_window_row(window), n;
	const struct vring_chain *chains = &window->chains[window->first];

	for (n = 0; n < nr; n++)
		__builtin_prefetch(chains[n].iov->iov_base, 1);
	for (n = 0; n < nr; n++) {
		if (chains[n].nr_in != 1 || chains[n].in_bytes < bytes)
			break;
		memcpy(chains[n].iov->iov_base, packet, bytes);
	}
	net_window_push_each(window, pair->rx->vq, n, bytes);
	count(net, n);
	return n;
}

/* One packet into several buffers or pieces; -EAGAIN if there are not enough. */
static int generate_one(struct net *net, struct net_pair *pair)
{
	const uint64_t bytes = net->hdr_len + net->frame_bytes;
	struct net_window *window = &pair->window;
	struct vring_dev *vq = pair->rx->vq;
	unsigned int nr;

	if (!net->mergeable && window->chains[window->first].in_bytes < bytes)
		return -EINVAL;
	if (window->bytes < bytes)
		return net_window_is_full(window, vq) ? -EINVAL : -EAGAIN;
	nr = net_window_count(window, bytes);
	net_window_write(window, 0, packet_with_header(net, nr), bytes);
	net_window_push(window, vq, nr, bytes);
	count(net, 1);
	net->stats.rx_merged += nr > 1;
	return 0;
}

int net_generate(struct net *net, struct vdev_queue *q)
{
	uint64_t bytes = net->hdr_len + net->frame_bytes;
	struct net_pair *pair = net_pair_of(net, q);

	if (!net->frame_bytes)
		return VDEV_WAITING;
	if (!pair->rx)
		return VDEV_IDLE;
	for (unsigned int done = 0; done < NET_BUDGET;) {
		int ret = net_window_fill(net, &pair->window, q->vq,
					  net->mergeable ? bytes : net->hdr_len);
		unsigned int nr = 0;

		if (!ret)
			nr = generate_batch(net, pair);
		if (!ret && !nr)
			ret = generate_one(net, pair);
		if (ret)
			return ret == -EAGAIN ? VDEV_IDLE : ret;
		done += nr ? nr : 1;
	}
	return VDEV_MORE;
}
