// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "iov.h"

/* Most chains are shorter. */
#define IOV_NR_FIRST 64u

int iov_room_grow(struct iov_room *room)
{
	unsigned int nr = room->nr ? 2 * room->nr : IOV_NR_FIRST;
	struct iovec *iov;

	if (nr > IOV_NR_MAX)
		nr = IOV_NR_MAX;
	if (nr == room->nr)
		return -ENOBUFS;
	iov = realloc(room->iov, nr * sizeof(*iov));
	if (!iov)
		return -ENOMEM;
	room->iov = iov;
	room->nr = nr;
	return 0;
}

void iov_room_free(struct iov_room *room)
{
	free(room->iov);
	*room = (struct iov_room){ 0 };
}

int iov_room_pop(struct iov_room *room, struct vring_dev *vq, struct vring_chain *chain)
{
	int ret;

	for (;;) {
		chain->iov = room->iov;
		chain->nr_iov = room->nr;
		ret = vring_dev_pop(vq, chain);
		if (ret != -ENOBUFS)
			return ret;
		ret = iov_room_grow(room);
		if (ret)
			return ret;
	}
}

size_t iov_gather(const struct iovec *iov, unsigned int nr, void *buf, size_t len)
{
	size_t done = 0;

	for (; nr && done < len; iov++, nr--) {
		size_t part = iov->iov_len < len - done ? iov->iov_len : len - done;

		memcpy((uint8_t *)buf + done, iov->iov_base, part);
		done += part;
	}
	return done;
}

size_t iov_scatter(const struct iovec *iov, unsigned int nr, const void *buf, size_t len)
{
	size_t done = 0;

	for (; nr && done < len; iov++, nr--) {
		size_t part = iov->iov_len < len - done ? iov->iov_len : len - done;

		memcpy(iov->iov_base, (const uint8_t *)buf + done, part);
		done += part;
	}
	return done;
}

void iov_cursor_advance(struct iov_cursor *cursor, uint64_t len)
{
	while (cursor->nr) {
		struct iovec *iov = cursor->iov;
		size_t part = iov->iov_len < len ? iov->iov_len : len;

		if (part < iov->iov_len) {
			iov->iov_base = (uint8_t *)iov->iov_base + part;
			iov->iov_len -= part;
			cursor->eaten += part;
			return;
		}
		iov_cursor_restore(cursor);
		cursor->iov++;
		cursor->nr--;
		len -= part;
	}
}

void iov_cursor_restore(struct iov_cursor *cursor)
{
	if (!cursor->eaten)
		return;
	cursor->iov->iov_base = (uint8_t *)cursor->iov->iov_base - cursor->eaten;
	cursor->iov->iov_len += cursor->eaten;
	cursor->eaten = 0;
}
