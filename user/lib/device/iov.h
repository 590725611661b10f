/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Lists of buffers, as chains have them. Pure memory.
 */
#ifndef DEVICE_IOV_H
#define DEVICE_IOV_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include <vringlab/vring_dev.h>

/*
 * More a chain cannot have: VIRTIO 1.2, 2.7.5.3.1, "MUST NOT create a descriptor
 * chain longer than the Queue Size", and each border between two regions cuts one
 * buffer in two, once.
 */
#define IOV_NR_MAX (VRING_NUM_MAX + VRING_MEM_REGIONS_MAX)

/**
 * struct iov_room - Where a chain's buffers are listed
 * @iov:	Array.
 * @nr:		Its entries.
 */
struct iov_room {
	struct iovec *iov;
	unsigned int nr;
};

/* Doubles the room, of which there may be none; 0, -ENOBUFS at the limit, -ENOMEM. */
int iov_room_grow(struct iov_room *room);

void iov_room_free(struct iov_room *room);

/* Pops one chain, growing the room where it is too small. Returns as vring_dev_pop(). */
int iov_room_pop(struct iov_room *room, struct vring_dev *vq, struct vring_chain *chain);

/* Copies up to @len bytes from the start of a list; returns how many. */
size_t iov_gather(const struct iovec *iov, unsigned int nr, void *buf, size_t len);

/* Copies up to @len bytes to the start of a list; returns how many. */
size_t iov_scatter(const struct iovec *iov, unsigned int nr, const void *buf, size_t len);

/**
 * struct iov_cursor - A place in a list, for transfers that come in parts
 * @iov:	The first buffer that is not done, shortened by what is.
 * @nr:		Buffers from there on.
 * @eaten:	By how much it was shortened. The list is as it was before once all
 *		are done, or after iov_cursor_restore().
 */
struct iov_cursor {
	struct iovec *iov;
	unsigned int nr;
	size_t eaten;
};

/* Goes on by @len bytes, no more than there are. */
void iov_cursor_advance(struct iov_cursor *cursor, uint64_t len);

void iov_cursor_restore(struct iov_cursor *cursor);

#endif /* DEVICE_IOV_H */
