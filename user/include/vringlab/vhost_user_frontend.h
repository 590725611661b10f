/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vhost-user front-end: the side that owns the guest's memory and the virtqueue
 * addresses (vhost-user specification, "Front-end message types").
 *
 * Every call sends its message and, where the protocol has one, waits for the
 * reply until the deadline. The socket I/O runs on the front-end's own io_uring.
 * All calls of one front-end are its thread's: the one that connected.
 */
#ifndef VRINGLAB_VHOST_USER_FRONTEND_H
#define VRINGLAB_VHOST_USER_FRONTEND_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <vringlab/vhost_user_msg.h>

struct vl_err;
struct vu_frontend;

/**
 * struct vu_frontend_region - Memory the back-end gets to map
 * @guest_addr:	Guest physical address.
 * @user_addr:	This process' address; ring addresses are given in these.
 * @size:	Bytes.
 * @mmap_offset: Offset of the region in @fd.
 * @fd:		memfd, sealed against shrinking and growing so that neither side
 *		can be made to take SIGBUS; stays the caller's, and open as long as
 *		the back-end has the region.
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
 * @base:	Where the back-end starts; as &struct vring_dev_config.base.
 * @desc:	User address of the descriptor table.
 * @avail:	User address of the driver area.
 * @used:	User address of the device area.
 * @kick_fd:	eventfd, O_NONBLOCK; stays the caller's. -1 for none: the back-end polls,
 *		or is kicked by vu_frontend_kick_vring() where notifications are in-band.
 * @call_fd:	eventfd, O_NONBLOCK; stays the caller's. -1 for none: calls are messages
 *		where notifications are in-band.
 * @log_used:	Have writes to the used ring logged.
 * @log_gpa:	Where it is, in the log's addresses.
 */
struct vu_frontend_vring {
	unsigned int index;
	unsigned int num;
	uint32_t base;
	uint64_t desc;
	uint64_t avail;
	uint64_t used;
	int kick_fd;
	int call_fd;
	bool log_used;
	uint64_t log_gpa;
};

/**
 * struct vu_frontend_wish - What is to be negotiated
 * @required:	Virtio feature bits that have to be offered.
 * @optional:	Virtio feature bits that are taken where they are offered.
 * @protocol:	Protocol feature bits that are taken where they are offered.
 * @num_queues:	Virtqueues that a back-end with MQ has to have, or pairs of them where
 *		back-ends count those; 0 is not to ask.
 */
struct vu_frontend_wish {
	uint64_t required;
	uint64_t optional;
	uint64_t protocol;
	unsigned int num_queues;
};

/**
 * struct vu_frontend_channel_ops - Who is told what the back-end sends
 * @config_changed: The device's config space is another; may be NULL.
 * @iotlb:	It lacks a translation, or was denied an access. Returns 0 or a negative
 *		errno; to be answered by vu_frontend_iotlb(), not inside. May be NULL.
 * @vring_call:	An in-band call of a virtqueue, 0 to 255, whether or not there is such a
 *		one; may be NULL.
 * @vring_err:	An in-band error, as @vring_call; may be NULL.
 * @closed:	The channel is over, for a message that could not be one, or with the
 *		connection; may be NULL.
 */
struct vu_frontend_channel_ops {
	void (*config_changed)(void *ctx);
	int (*iotlb)(void *ctx, const struct vu_iotlb *iotlb);
	void (*vring_call)(void *ctx, uint32_t index);
	void (*vring_err)(void *ctx, uint32_t index);
	void (*closed)(void *ctx, const struct vl_err *err);
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
 * vu_frontend_open() - vu_frontend_negotiate(), with a choice
 * @fe:		Front-end.
 * @wish:	What to negotiate.
 * @err:	What went wrong, may be NULL.
 *
 * Return: as vu_frontend_negotiate(), %-EINVAL for protocol features that need
 * others, and %-ENOTSUP for a back-end with fewer virtqueues.
 */
int vu_frontend_open(struct vu_frontend *fe, const struct vu_frontend_wish *wish,
		     struct vl_err *err);

/**
 * vu_frontend_set_features() - SET_FEATURES again: to turn the dirty log on or off
 * @fe:		Front-end.
 * @features:	All of them, with bit 30.
 * @err:	What went wrong, may be NULL.
 *
 * Return: as vu_frontend_set_mem_table().
 */
int vu_frontend_set_features(struct vu_frontend *fe, uint64_t features, struct vl_err *err);

/** vu_frontend_features() - The virtio features that are negotiated. */
uint64_t vu_frontend_features(const struct vu_frontend *fe);

/** vu_frontend_protocol_features() - The protocol features that are negotiated. */
uint64_t vu_frontend_protocol_features(const struct vu_frontend *fe);

/*
 * All that follow return 0, %-ENOTSUP if the protocol feature they need is not
 * negotiated, %-EIO where the back-end refused, or as vu_frontend_negotiate().
 */

/** vu_frontend_get_queue_num() - How many virtqueues the back-end has; 1 to 256. */
int vu_frontend_get_queue_num(struct vu_frontend *fe, uint64_t *num, struct vl_err *err);

/** vu_frontend_get_status() - The device status field. */
int vu_frontend_get_status(struct vu_frontend *fe, uint64_t *status, struct vl_err *err);

/** vu_frontend_set_status() - Set it; 0 resets the device. */
int vu_frontend_set_status(struct vu_frontend *fe, uint8_t status, struct vl_err *err);

/** vu_frontend_reset_device() - RESET_DEVICE. */
int vu_frontend_reset_device(struct vu_frontend *fe, struct vl_err *err);

/**
 * vu_frontend_get_config() - Read config space
 * @fe:		Front-end.
 * @offset:	In it.
 * @buf:	Set on success only.
 * @size:	1 to %VU_CONFIG_MAX; %-EINVAL for others.
 * @err:	What went wrong, may be NULL.
 */
int vu_frontend_get_config(struct vu_frontend *fe, uint32_t offset, void *buf, uint32_t size,
			   struct vl_err *err);

/**
 * vu_frontend_set_config() - Write config space
 * @fe:		Front-end.
 * @offset:	In it.
 * @buf:	What to write.
 * @size:	1 to %VU_CONFIG_MAX; %-EINVAL for others.
 * @migration:	Also what a driver cannot write.
 * @err:	What went wrong, may be NULL.
 */
int vu_frontend_set_config(struct vu_frontend *fe, uint32_t offset, const void *buf, uint32_t size,
			   bool migration, struct vl_err *err);

/** vu_frontend_get_mem_slots() - How many regions the back-end takes one by one. */
int vu_frontend_get_mem_slots(struct vu_frontend *fe, uint64_t *slots, struct vl_err *err);

/**
 * vu_frontend_max_regions() - How many regions the back-end can have
 * @fe:		Front-end, with features negotiated.
 * @max:	Set on success: its slots, or a memory table's where it has none; never
 *		more than this front-end manages.
 * @err:	What went wrong, may be NULL.
 */
int vu_frontend_max_regions(struct vu_frontend *fe, unsigned int *max, struct vl_err *err);

/**
 * vu_frontend_add_region() - Hand one more region over
 * @fe:		Front-end.
 * @region:	Region.
 * @err:	What went wrong, may be NULL.
 *
 * By ADD_MEM_REG. To a back-end without CONFIGURE_MEM_SLOTS it is the memory table
 * again, with one more.
 *
 * Return: 0, %-ENOSPC if the back-end takes no more, or as
 * vu_frontend_set_mem_table().
 */
int vu_frontend_add_region(struct vu_frontend *fe, const struct vu_frontend_region *region,
			   struct vl_err *err);

/**
 * vu_frontend_remove_region() - Take a region away: no vring may be in it
 * @fe:		Front-end.
 * @region:	As it was added.
 * @err:	What went wrong, may be NULL.
 *
 * By REM_MEM_REG, or as vu_frontend_add_region(). After it the back-end reads and
 * writes there no more.
 *
 * Return: 0, %-ENOENT if the back-end has no such region, or as
 * vu_frontend_set_mem_table().
 */
int vu_frontend_remove_region(struct vu_frontend *fe, const struct vu_frontend_region *region,
			      struct vl_err *err);

/** vu_frontend_iotlb() - Update or invalidate a translation. */
int vu_frontend_iotlb(struct vu_frontend *fe, const struct vu_iotlb *iotlb, struct vl_err *err);

/**
 * vu_frontend_set_log() - Set the dirty log
 * @fe:		Front-end.
 * @fd:		Its file; stays the caller's.
 * @offset:	In the file.
 * @size:	Bytes; a bit for each page of all regions.
 * @err:	What went wrong, may be NULL.
 */
int vu_frontend_set_log(struct vu_frontend *fe, int fd, uint64_t offset, uint64_t size,
			struct vl_err *err);

/** vu_frontend_set_log_fd() - An eventfd for when the log changes; stays the caller's. */
int vu_frontend_set_log_fd(struct vu_frontend *fe, int fd, struct vl_err *err);

/**
 * vu_frontend_get_inflight() - Get a region for requests in flight
 * @fe:		Front-end, with features negotiated.
 * @desc:	num_queues and queue_size are the caller's; the rest is set on success.
 * @fd:		Set on success; the caller's from then on. A regular file as large as
 *		@desc says, and perhaps not for ever: map it by vu_mapping_open().
 * @err:	What went wrong, may be NULL.
 */
int vu_frontend_get_inflight(struct vu_frontend *fe, struct vu_inflight *desc, int *fd,
			     struct vl_err *err);

/** vu_frontend_set_inflight() - Have it used, before any vring is started. */
int vu_frontend_set_inflight(struct vu_frontend *fe, const struct vu_inflight *desc, int fd,
			     struct vl_err *err);

/**
 * vu_frontend_save_state() - Take the device's state; all vrings are stopped
 * @fe:		Front-end.
 * @buf:	Set.
 * @size:	Of @buf.
 * @err:	What went wrong, may be NULL.
 *
 * Return: bytes, %-EFBIG for more than @size, or a negative errno.
 */
ssize_t vu_frontend_save_state(struct vu_frontend *fe, void *buf, size_t size, struct vl_err *err);

/** vu_frontend_load_state() - Give the device its state; all vrings are stopped. */
int vu_frontend_load_state(struct vu_frontend *fe, const void *buf, size_t size,
			   struct vl_err *err);

/**
 * vu_frontend_open_channel() - Let the back-end send messages
 * @fe:		Front-end.
 * @ops:	Who is told, during any call of the front-end's; used until it is
 *		destroyed.
 * @ctx:	For @ops.
 * @err:	What went wrong, may be NULL.
 */
int vu_frontend_open_channel(struct vu_frontend *fe, const struct vu_frontend_channel_ops *ops,
			     void *ctx, struct vl_err *err);

/**
 * vu_frontend_channel_fd() - The socket on which the back-end sends
 * @fe:		Front-end.
 *
 * Readable when there is something for vu_frontend_serve().
 *
 * Return: the socket, which stays the front-end's, or -1 without a channel.
 */
int vu_frontend_channel_fd(const struct vu_frontend *fe);

/**
 * vu_frontend_serve() - Take what the back-end sends
 * @fe:		Front-end.
 * @timeout_ms:	For so long at most.
 *
 * Return: 0 after something came, %-ETIMEDOUT if nothing did.
 */
int vu_frontend_serve(struct vu_frontend *fe, unsigned int timeout_ms);

/**
 * vu_frontend_set_mem_table() - Hand over the guest's memory
 * @fe:		Front-end.
 * @regions:	1 to 8 of them; more with CONFIGURE_MEM_SLOTS, which are added then.
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
 * @base:	Where another back-end goes on, set on success; may be NULL.
 * @err:	What went wrong, may be NULL.
 *
 * Return: as vu_frontend_negotiate().
 */
int vu_frontend_stop_vring(struct vu_frontend *fe, unsigned int index, uint32_t *base,
			   struct vl_err *err);

/** vu_frontend_suspend_vring() - Stop it without waiting: what is in flight is recorded. */
int vu_frontend_suspend_vring(struct vu_frontend *fe, unsigned int index, uint32_t *base,
			      struct vl_err *err);

/** vu_frontend_set_vring_addr() - SET_VRING_ADDR again: to log the used ring, or not. */
int vu_frontend_set_vring_addr(struct vu_frontend *fe, const struct vu_frontend_vring *vring,
			       struct vl_err *err);

/** vu_frontend_enable_vring() - Enable or disable it. */
int vu_frontend_enable_vring(struct vu_frontend *fe, unsigned int index, bool enable,
			     struct vl_err *err);

/** vu_frontend_set_vring_err() - Its error eventfd, -1 for none; stays the caller's. */
int vu_frontend_set_vring_err(struct vu_frontend *fe, unsigned int index, int fd,
			      struct vl_err *err);

/** vu_frontend_kick_vring() - Kick it by a message. */
int vu_frontend_kick_vring(struct vu_frontend *fe, unsigned int index, struct vl_err *err);

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
