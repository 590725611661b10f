// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Receive virtqueues of a tap, VIRTIO 1.2 section 5.1.6.4.
 *
 * The kernel copies a packet to where it belongs: to as many buffers as the longest
 * may need, and what it has more than the driver has buffers for to a buffer of our
 * own, so that nothing is cut off. The header is put in front when it is known how
 * many buffers it took.
 */
#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/uio.h>

#include "net.h"

/* Pieces that are read to: of a longer list the rest is copied. */
#define READ_IOV_NR 128u

/* Room for the packets of most networks. */
#define REACH_PLAIN 2048u

/* How far one packet can reach, so that it is seldom copied twice. */
static uint64_t reach(const struct net *net)
{
	if (net_has(net, VIRTIO_NET_F_GUEST_TSO4) || net_has(net, VIRTIO_NET_F_GUEST_TSO6))
		return net->hdr_len + VDEV_NET_FRAME_MAX;
	return REACH_PLAIN;
}

/* Reads a packet. Returns 0 or a negative errno. */
static int read_packet(struct net *net, struct net_pair *pair)
{
	struct net_held *held = &pair->held;
	uint64_t direct = VDEV_NET_FRAME_MAX;
	struct iovec iov[READ_IOV_NR + 2];
	unsigned int nr;
	ssize_t ret;

	nr = net_window_pieces(&pair->window, net->mergeable ? pair->window.nr : 1, net->hdr_len,
			       iov + 1, READ_IOV_NR, &direct);
	memset(&held->hdr, 0, sizeof(held->hdr));
	iov[0] = (struct iovec){ .iov_base = &held->hdr, .iov_len = net->hdr_len };
	iov[nr + 1] = (struct iovec){ .iov_base = pair->bounce,
				      .iov_len = VDEV_NET_FRAME_MAX - direct + 1 };
	ret = readv(pair->fd, iov, nr + 2);
	if (ret < 0)
		return -errno;
	held->frame = ret > net->hdr_len ? ret - net->hdr_len : 0;
	held->direct = held->frame < direct ? held->frame : direct;
	held->valid = true;
	return 0;
}

static void drop(struct net *net, struct net_held *held)
{
	held->valid = false;
	net->stats.rx_dropped++;
}

static void deliver(struct net *net, struct net_pair *pair)
{
	struct net_held *held = &pair->held;
	struct net_window *window = &pair->window;
	uint64_t bytes = net->hdr_len + held->frame;
	unsigned int nr = net_window_count(window, bytes);

	held->hdr.num_buffers = htole16(nr);
	net_window_write(window, 0, &held->hdr, net->hdr_len);
	if (held->frame > held->direct)
		net_window_write(window, net->hdr_len + held->direct, pair->bounce,
				 held->frame - held->direct);
	net_window_push(window, pair->rx->vq, nr, bytes);
	held->valid = false;
	net->stats.rx_packets++;
	net->stats.rx_bytes += held->frame;
	net->stats.rx_merged += nr > 1;
	net->stats.rx_offloads += net_header_has_offload(&held->hdr);
}

static bool can_take(const struct net *net, const struct net_held *held)
{
	return held->frame <= VDEV_NET_FRAME_MAX && net_header_from_tap(net, &held->hdr);
}

/*
 * Finds room for the packet that was read: 0 if it was dealt with, -EAGAIN if it has
 * to wait for buffers, or another errno of vring_dev_pop().
 */
static int place(struct net *net, struct net_pair *pair)
{
	struct net_window *window = &pair->window;
	struct net_held *held = &pair->held;
	uint64_t bytes = net->hdr_len + held->frame;
	int ret;

	if (net->mergeable) {
		ret = net_window_fill(net, window, pair->rx->vq, bytes);
		if (ret)
			return ret;
		if (window->bytes < bytes && !net_window_is_full(window, pair->rx->vq))
			return -EAGAIN;
	}
	if ((net->mergeable ? window->bytes : window->chains[window->first].in_bytes) < bytes)
		drop(net, held);
	else
		deliver(net, pair);
	return 0;
}

/* One packet: as place(), or VDEV_WAITING if there is none. */
static int receive(struct net *net, struct net_pair *pair)
{
	int ret;

	if (pair->held.valid)
		return place(net, pair);
	ret = net_window_fill(net, &pair->window, pair->rx->vq,
			      net->mergeable ? reach(net) : net->hdr_len);
	if (ret)
		return ret;
	ret = read_packet(net, pair);
	if (ret == -EAGAIN)
		return VDEV_WAITING;
	if (ret == -EFAULT)
		return ret;
	if (ret) {
		net_tap_lost(net);
		return VDEV_WAITING;
	}
	if (!can_take(net, &pair->held)) {
		drop(net, &pair->held);
		return 0;
	}
	ret = place(net, pair);
	net->stats.rx_waits += ret == -EAGAIN;
	return ret;
}

int net_rx_process(struct net *net, struct vdev_queue *q)
{
	struct net_pair *pair = net_pair_of(net, q);
	int ret = 0;

	if (!pair->rx)
		return VDEV_IDLE;
	net_tap_attach(pair, true);
	for (unsigned int i = 0; i < NET_BUDGET && !ret; i++)
		ret = receive(net, pair);
	if (!ret)
		return VDEV_MORE;
	return ret == -EAGAIN ? VDEV_IDLE : ret;
}

static void readable(void *ctx, int res)
{
	struct net_pair *pair = ctx;

	if (res < 0)
		net_tap_lost(pair->net);
	else if (pair->rx)
		pair->rx->run(pair->rx);
}

int net_rx_watch(struct net_pair *pair)
{
	if (pair->readable || pair->fd < 0)
		return 0;
	return loop_poll(pair->net->loop, pair->fd, POLLIN, readable, pair, &pair->readable);
}
