// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The buffers that the next packets go to. They are the ones that were popped last,
 * so that they can be given back as if they had never been taken.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net.h"

#define SIZE VDEV_NET_MERGE_MAX

static unsigned int slot(const struct net_window *window, unsigned int i)
{
	return (window->first + i) % SIZE;
}

static const struct vring_chain *chain_at(const struct net_window *window, unsigned int i)
{
	return &window->chains[slot(window, i)];
}

int net_window_init(struct net_window *window)
{
	if (window->chains)
		return 0;
	window->chains = calloc(SIZE, sizeof(*window->chains));
	window->iovs = calloc((size_t)SIZE * NET_IOV_NR, sizeof(*window->iovs));
	if (window->chains && window->iovs)
		return 0;
	net_window_exit(window);
	return -ENOMEM;
}

void net_window_exit(struct net_window *window)
{
	free(window->chains);
	free(window->iovs);
	iov_room_free(&window->long_room);
	window->chains = NULL;
	window->iovs = NULL;
}

static bool is_long(const struct net_window *window)
{
	return window->nr && chain_at(window, 0)->iov == window->long_room.iov;
}

/* Where the next ones go: how many in a row. */
static unsigned int lend(struct net_window *window, struct vring_chain **chains)
{
	unsigned int at = slot(window, window->nr);
	unsigned int nr = SIZE - window->nr;

	if (nr > SIZE - at)
		nr = SIZE - at;
	if (nr > NET_BATCH)
		nr = NET_BATCH;
	*chains = &window->chains[at];
	for (unsigned int i = 0; i < nr; i++) {
		(*chains)[i].iov = window->iovs + (size_t)(at + i) * NET_IOV_NR;
		(*chains)[i].nr_iov = NET_IOV_NR;
	}
	return nr;
}

static int pop(struct net_window *window, struct vring_dev *vq, struct vring_chain **chains)
{
	unsigned int nr = lend(window, chains);
	int ret;

	window->blocked = !nr || is_long(window);
	if (window->blocked)
		return -EAGAIN;
	ret = vring_dev_pop_batch(vq, *chains, nr);
	if (ret != -ENOBUFS)
		return ret;
	window->blocked = window->nr;
	if (window->blocked)
		return -EAGAIN;
	ret = iov_room_pop(&window->long_room, vq, *chains);
	return ret ? ret : 1;
}

/* 5.1.6.3.1: "device-writable", and room for a header at least. */
static int check(const struct net *net, struct net_window *window, unsigned int nr)
{
	int ret = 0;

	while (nr--) {
		const struct vring_chain *chain = chain_at(window, window->nr++);

		if (chain->nr_out || chain->in_bytes < net->hdr_len)
			ret = -EINVAL;
		window->bytes += chain->in_bytes;
		window->pieces += chain->nr_in;
	}
	return ret;
}

int net_window_fill(struct net *net, struct net_window *window, struct vring_dev *vq,
		    uint64_t bytes)
{
	if (!window->nr)
		window->first = 0;
	while (window->bytes < bytes) {
		struct vring_chain *chains;
		int ret = pop(window, vq, &chains);

		if (ret == -EAGAIN)
			break;
		if (ret > 0)
			ret = check(net, window, ret);
		if (ret < 0)
			return ret;
	}
	return window->nr ? 0 : -EAGAIN;
}

bool net_window_is_full(const struct net_window *window, const struct vring_dev *vq)
{
	/* a driver that has all of its descriptors here cannot give more */
	return window->blocked || window->nr == SIZE || window->pieces >= vq->ring.num;
}

unsigned int net_window_pieces(const struct net_window *window, unsigned int chains, uint64_t skip,
			       struct iovec *iov, unsigned int nr_iov, uint64_t *bytes)
{
	uint64_t left = *bytes;
	unsigned int nr = 0;

	for (unsigned int c = 0; c < chains && left; c++) {
		const struct vring_chain *chain = chain_at(window, c);

		for (unsigned int i = 0; i < chain->nr_in && nr < nr_iov && left; i++) {
			struct iovec piece = chain->iov[i];
			uint64_t cut = piece.iov_len < skip ? piece.iov_len : skip;

			skip -= cut;
			piece.iov_base = (uint8_t *)piece.iov_base + cut;
			piece.iov_len -= cut;
			if (piece.iov_len > left)
				piece.iov_len = left;
			left -= piece.iov_len;
			if (piece.iov_len)
				iov[nr++] = piece;
		}
	}
	*bytes -= left;
	return nr;
}

void net_window_write(const struct net_window *window, uint64_t offset, const void *buf, size_t len)
{
	const uint8_t *from = buf;

	for (unsigned int c = 0; len; c++) {
		const struct vring_chain *chain = chain_at(window, c);

		if (offset >= chain->in_bytes) {
			offset -= chain->in_bytes;
			continue;
		}
		for (unsigned int i = 0; i < chain->nr_in && len; i++) {
			const struct iovec *iov = &chain->iov[i];
			uint64_t skip = iov->iov_len < offset ? iov->iov_len : offset;
			size_t part = iov->iov_len - skip < len ? iov->iov_len - skip : len;

			memcpy((uint8_t *)iov->iov_base + skip, from, part);
			offset -= skip;
			from += part;
			len -= part;
		}
	}
}

unsigned int net_window_count(const struct net_window *window, uint64_t bytes)
{
	unsigned int nr = 0;

	for (uint64_t has = 0; has < bytes; nr++)
		has += chain_at(window, nr)->in_bytes;
	return nr;
}

unsigned int net_window_row(const struct net_window *window)
{
	return SIZE - window->first < window->nr ? SIZE - window->first : window->nr;
}

/* Gives the first of a row back. */
static void push_row(struct net_window *window, struct vring_dev *vq, const uint32_t *written,
		     unsigned int nr)
{
	const struct vring_chain *chains = &window->chains[window->first];

	for (unsigned int i = 0; i < nr; i++) {
		window->bytes -= chains[i].in_bytes;
		window->pieces -= chains[i].nr_in;
	}
	vring_dev_push_batch(vq, chains, written, nr);
	window->first = slot(window, nr);
	window->nr -= nr;
}

void net_window_push_each(struct net_window *window, struct vring_dev *vq, unsigned int nr,
			  uint32_t bytes)
{
	uint32_t written[SIZE];

	for (unsigned int i = 0; i < nr; i++)
		written[i] = bytes;
	if (nr)
		push_row(window, vq, written, nr);
}

void net_window_push(struct net_window *window, struct vring_dev *vq, unsigned int nr,
		     uint64_t bytes)
{
	uint32_t written[SIZE];

	while (nr) {
		const struct vring_chain *chains = &window->chains[window->first];
		unsigned int row = net_window_row(window);
		unsigned int n = row < nr ? row : nr;

		for (unsigned int i = 0; i < n; i++) {
			written[i] = chains[i].in_bytes < bytes ? chains[i].in_bytes : bytes;
			bytes -= written[i];
		}
		push_row(window, vq, written, n);
		nr -= n;
	}
}

void net_window_unpop(struct net_window *window, struct vring_dev *vq)
{
	while (window->nr)
		vring_dev_unpop(vq, chain_at(window, --window->nr), 1);
	window->bytes = 0;
	window->pieces = 0;
}
