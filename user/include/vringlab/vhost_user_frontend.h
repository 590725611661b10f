/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vhost-user front-end: the side that owns the guest's memory and the virtqueue
 * addresses (vhost-user specification, "Front-end message types").
 *
 * Every call sends its message and, where the protocol has one, waits for the
 * reply until the deadline. The socket I/O runs on the front-end's own io_uring.
 * One thread at a time.
 */
#ifndef VRINGLAB_VHOST_USER_FRONTEND_H
#define VRINGLAB_VHOST_USER_FRONTEND_H

#include <stdint.h>

struct vl_err;
struct vu_frontend;

/**
 * struct vu_frontend_region - Memory the back-end gets to map
 * @guest_addr:	Guest physical address.
 * @user_addr:	This process' address; ring addresses are given in these.
 * @size:	Bytes.
 * @mmap_offset: Offset of the region in @fd.
 * @fd:		memfd, sealed against shrinking and growing so that neither side
 *		can be made to take SIGBUS; stays the caller's.
 */
struct vu_frontend_region {
	uint64_t guest_addr;
	uint64_t user_addr;
	uint64_t size;
	uint64_t mmap_offset;
	int fd;
};

/**
 * struct vu_frontend_vring - What the back-end has to know of one virtqueue
 * @index:	Queue index.
 * @num:	Queue size.
 * @base:	Next avail index.
 * @desc:	User address of the descriptor table.
 * @avail:	User address of the driver area.
 * @used:	User address of the device area.
 * @kick_fd:	eventfd, O_NONBLOCK; stays the caller's.
 * @call_fd:	eventfd, O_NONBLOCK; stays the caller's.
 */
struct vu_frontend_vring {
	unsigned int index;
	unsigned int num;
	uint16_t base;
	uint64_t desc;
	uint64_t avail;
	uint64_t used;
	int kick_fd;
	int call_fd;
};

/**
 * vu_frontend_connect() - Connect to a back-end's socket
 * @fe:		Set on success only.
 * @path:	Socket path.
 * @timeout_ms:	Deadline for connecting and for every later reply.
 * @err:	What went wrong, may be NULL.
 *
 * Return: 0, or
 * * %-ENOENT, %-ECONNREFUSED, %-EACCES - from connect(2)
 * * %-ENAMETOOLONG - @path does not fit a socket address
 * * %-EPERM, %-ENOSYS - io_uring is disabled or absent
 */
int vu_frontend_connect(struct vu_frontend **fe, const char *path, unsigned int timeout_ms,
			struct vl_err *err);

/**
 * vu_frontend_negotiate() - Owner, features and protocol features
 * @fe:		Front-end.
 * @wanted:	Virtio feature bits; all of them must be offered.
 * @err:	What went wrong, may be NULL.
 *
 * Bit 30 (VHOST_USER_F_PROTOCOL_FEATURES) is handled here, REPLY_ACK is
 * negotiated where it is offered, and nothing that this front-end does not
 * implement is ever acknowledged.
 *
 * Return: 0, or
 * * %-ENOTSUP - the back-end does not offer all of @wanted, or not bit 30
 * * %-EPROTO - reply of the wrong request, flags, size or fd count
 * * %-ECONNRESET - the back-end closed the connection
 * * %-ETIMEDOUT - no reply by the deadline
 */
int vu_frontend_negotiate(struct vu_frontend *fe, uint64_t wanted, struct vl_err *err);

/**
 * vu_frontend_set_mem_table() - Hand over the guest's memory
 * @fe:		Front-end.
 * @regions:	1 to 8 of them.
 * @nr:		Count.
 * @err:	What went wrong, may be NULL.
 *
 * Return: 0, %-EINVAL for a count out of range, %-EIO where the back-end
 * refused (non-zero ack), or as vu_frontend_negotiate().
 */
int vu_frontend_set_mem_table(struct vu_frontend *fe, const struct vu_frontend_region *regions,
			      unsigned int nr, struct vl_err *err);

/**
 * vu_frontend_start_vring() - Configure and enable one virtqueue
 * @fe:		Front-end.
 * @vring:	Its facts.
 * @err:	What went wrong, may be NULL.
 *
 * SET_VRING_NUM, BASE, ADDR, CALL, KICK, ENABLE, in that order: some back-ends
 * need CALL before KICK.
 *
 * Return: as vu_frontend_set_mem_table().
 */
int vu_frontend_start_vring(struct vu_frontend *fe, const struct vu_frontend_vring *vring,
			    struct vl_err *err);

/**
 * vu_frontend_stop_vring() - Stop one virtqueue
 * @fe:		Front-end.
 * @index:	Queue index.
 * @base:	The back-end's next avail index, set on success; may be NULL.
 * @err:	What went wrong, may be NULL.
 *
 * Return: as vu_frontend_negotiate().
 */
int vu_frontend_stop_vring(struct vu_frontend *fe, unsigned int index, uint16_t *base,
			   struct vl_err *err);

/**
 * vu_frontend_fd() - The connection's socket
 * @fe:		Front-end.
 *
 * Nothing is read between calls; poll(2) for POLLHUP tells that the back-end has
 * gone.
 *
 * Return: the socket, which stays the front-end's, or -1 once the connection is
 * over.
 */
int vu_frontend_fd(const struct vu_frontend *fe);

/**
 * vu_frontend_destroy() - Close the connection and free everything
 * @fe:		Front-end; NULL is allowed.
 */
void vu_frontend_destroy(struct vu_frontend *fe);

#endif /* VRINGLAB_VHOST_USER_FRONTEND_H */
