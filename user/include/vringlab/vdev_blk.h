/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A virtio-blk device (VIRTIO 1.2, section 5.2) over a raw file or block device, by
 * io_uring, or over nothing at all, for measuring. Short transfers of what is in
 * memory, in the page cache or in a file system that is nowhere else, are a copy that
 * is made at once.
 *
 * Requests complete in the order in which they end. A request that is bad ends with
 * an error status; only a chain without a status byte stops its virtqueue.
 *
 * All functions are for the thread of the event loop.
 */
#ifndef VRINGLAB_VDEV_BLK_H
#define VRINGLAB_VDEV_BLK_H

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct vdev;
struct vl_err;

/* VIRTIO 1.2, 5.2.6: "20 bytes", without a terminating 0 if it has them all. */
#define VDEV_BLK_SERIAL_MAX 20u

/**
 * struct vdev_blk_config - What kind of device
 * @path:	Raw file or block device; NULL for a null device.
 * @null_size:	Without @path: its bytes. Reads leave the buffers as they are, writes
 *		are forgotten, all is over at once.
 * @direct:	O_DIRECT: past the page cache.
 * @read_only:	Offer VIRTIO_BLK_F_RO, and open the file for reading.
 * @serial:	Up to VDEV_BLK_SERIAL_MAX characters; NULL for none.
 * @num_queues:	Request virtqueues, at least 1.
 * @block_size:	Logical block size that the driver is told, a power of two from 512
 *		to 65536; 0 for what the file needs.
 */
struct vdev_blk_config {
	const char *path;
	uint64_t null_size;
	bool direct;
	bool read_only;
	const char *serial;
	unsigned int num_queues;
	uint32_t block_size;
};

/**
 * struct vdev_blk_stats - What it did, of all virtqueues
 * @reads:	Read requests that succeeded.
 * @read_bytes:	Of them.
 * @writes:	Write requests that succeeded.
 * @write_bytes: Of them.
 * @flushes:	That succeeded.
 * @discards:	That succeeded, requests.
 * @write_zeroes: That succeeded, requests.
 * @get_ids:	Requests for the serial.
 * @failed:	Ended with VIRTIO_BLK_S_IOERR because the file said so.
 * @refused:	Ended with VIRTIO_BLK_S_IOERR because the request was bad.
 * @unsupported: Ended with VIRTIO_BLK_S_UNSUPP.
 * @cancelled:	Given up because the driver was gone.
 * @at_once:	Transfers of what was in memory, and did not need the loop.
 * @bounced:	Transfers that went through a bounce buffer, for their alignment.
 * @in_flight_max: Most requests under way at a time.
 */
struct vdev_blk_stats {
	uint64_t reads;
	uint64_t read_bytes;
	uint64_t writes;
	uint64_t write_bytes;
	uint64_t flushes;
	uint64_t discards;
	uint64_t write_zeroes;
	uint64_t get_ids;
	uint64_t failed;
	uint64_t refused;
	uint64_t unsupported;
	uint64_t cancelled;
	uint64_t at_once;
	uint64_t bounced;
	uint64_t in_flight_max;
};

/**
 * vdev_blk_create() - Open the file and make a device
 * @vdev:	Set on success only.
 * @loop:	Loop; outlives the device.
 * @config:	Copied, but for what @path names.
 * @err:	What went wrong, and with which option; may be NULL.
 *
 * While a virtqueue is started, the file's size is looked at once a second; when it
 * is another, the driver is told.
 *
 * Return: 0, or
 * * %-EINVAL - a value of @config out of range, a file that is neither regular nor a
 *   block device, or a file system without O_DIRECT
 * * %-ENOMEM
 * * other - from open(2)
 */
int vdev_blk_create(struct vdev **vdev, struct loop *loop, const struct vdev_blk_config *config,
		    struct vl_err *err);

/**
 * vdev_blk_destroy() - Cancel what is under way, wait for its end, free
 * @vdev:	From vdev_blk_create(), served by nobody; NULL is allowed.
 *
 * Runs the loop if it has to. Not to be called by a handler of the loop's.
 */
void vdev_blk_destroy(struct vdev *vdev);

/**
 * vdev_blk_get_stats() - Counters since it was made
 * @vdev:	From vdev_blk_create().
 * @stats:	Filled.
 */
void vdev_blk_get_stats(const struct vdev *vdev, struct vdev_blk_stats *stats);

#endif /* VRINGLAB_VDEV_BLK_H */
