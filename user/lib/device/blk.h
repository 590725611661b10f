/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Inside of the virtio-blk device, shared by its files:
 *
 *   blk.c          the device: making, starting and stopping virtqueues
 *   blk_file.c     the file: opening, limits, size
 *   blk_config.c   config space
 *   blk_queue.c    from chains to requests, and back
 *   blk_request.c  what a request asks for: check all, then begin
 *   blk_io.c       its way through the file
 *   blk_bounce.c   buffers for transfers whose memory is not aligned
 */
#ifndef DEVICE_BLK_H
#define DEVICE_BLK_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include <linux/virtio_blk.h>

#include <vringlab/loop.h>
#include <vringlab/loop_rw.h>
#include <vringlab/vdev_blk.h>
#include <vringlab/virtio_device.h>

#include "iov.h"

#define BLK_SECTOR 512u

/*
 * Requests of one virtqueue under way; more wait in the ring. No device or page
 * cache gets faster by more.
 */
#define BLK_DEPTH_MAX 256u

/*
 * Data buffers of a request, told as seg_max. The front-ends' usual queue size is
 * 128, and a chain may not be longer (VIRTIO 1.2, 2.7.5.3.1): two are for header and
 * status.
 */
#define BLK_SEG_MAX 126u

/* Pieces of a chain that crosses borders of memory regions; beyond it is refused. */
#define BLK_IOV_NR (BLK_SEG_MAX + 2 + 16)

/* Ranges of one discard or write-zeroes request. */
#define BLK_RANGES_MAX 16u

/* The kernel's limit of one transfer, MAX_RW_COUNT, for a segment and for a range. */
#define BLK_SIZE_MAX 0x7ffff000u
#define BLK_RANGE_SECTORS_MAX (BLK_SIZE_MAX / BLK_SECTOR)

enum blk_op {
	BLK_READ,
	BLK_WRITE,
	BLK_FLUSH,
	BLK_GET_ID,
	BLK_DISCARD,
	BLK_WRITE_ZEROES,
};

/* Bytes of the file. */
struct blk_range {
	uint64_t offset;
	uint64_t len;
	bool unmap;
};

/* For blk_warn(): there was more of the file. */
#define BLK_SHORTER (-ENODATA)

/* Zeros are written, because the file cannot make them. */
#define BLK_MODE_WRITE (-1)

struct blk_bounce;

/**
 * struct blk_request - A request under way
 * @rw:		Its current step.
 * @queue:	Whose.
 * @next:	In the list that it is in: free, done, waiting for something.
 * @chain:	As popped; its iov is the request's own part of the queue's.
 * @op:		What to do.
 * @dropped:	Cancelled: is not to be given back.
 * @tries:	Steps that the kernel had us repeat, without progress between.
 * @status:	Where the driver looks for the result.
 * @result:	VIRTIO_BLK_S_*.
 * @counter:	Of the statistics: which one, on success.
 * @data:	What is left of the data.
 * @trimmed:	The buffer whose last byte is the status and was taken off; NULL for
 *		none.
 * @offset:	Where @left starts.
 * @left:	Bytes of the data, or of the current range.
 * @bytes:	Bytes of all data.
 * @bounce:	Buffer it goes through; NULL for none.
 * @unaligned:	It has to.
 * @piece:	The one buffer of a step that is not of @data.
 * @syncing:	Nothing is left but to bring it to stable storage.
 * @mode:	Of the fallocate(2) that is the current step, or BLK_MODE_WRITE.
 * @nr_ranges:	Entries of @ranges.
 * @range:	The current one.
 * @ranges:	Of a discard or write-zeroes.
 */
struct blk_request {
	struct loop_rw rw;
	struct blk_queue *queue;
	struct blk_request *next;
	struct vring_chain chain;
	enum blk_op op;
	bool dropped;
	bool unaligned;
	bool syncing;
	uint8_t result;
	unsigned int tries;
	uint8_t *status;
	struct iov_cursor data;
	struct iovec *trimmed;
	uint64_t offset;
	uint64_t left;
	uint64_t bytes;
	struct blk_bounce *bounce;
	struct iovec piece;
	int mode;
	unsigned int nr_ranges;
	unsigned int range;
	struct blk_range ranges[BLK_RANGES_MAX];
};

/* First in, first out. */
struct blk_list {
	struct blk_request *first;
	struct blk_request **tail;
};

/**
 * struct blk_queue - A virtqueue
 * @blk:	Whose.
 * @q:		The transport's; NULL before the first start, and when it is abandoned.
 * @requests:	All that it can have.
 * @iovs:	Their buffer lists.
 * @nr:		Of @requests.
 * @free:	Those that are not in use, used last first: they are in the cache.
 * @in_flight:	Those that are.
 * @done:	Over, and not given back.
 * @stalled:	To be submitted when the kernel takes submissions again.
 * @settle:	Gives back what is done, when the completions that are there were
 *		handled.
 * @taking:	blk_queue_process() runs, and gives back what is done itself.
 * @waiting:	It returned for want of a free request.
 * @running:	Takes from its ring.
 * @cancelling:	Does not, and ends what it has as early as possible.
 */
struct blk_queue {
	struct blk *blk;
	struct vdev_queue *q;
	struct blk_request *requests;
	struct iovec *iovs;
	unsigned int nr;
	struct blk_request *free;
	unsigned int in_flight;
	struct blk_list done;
	struct blk_list stalled;
	struct loop_task settle;
	bool taking;
	bool waiting;
	bool running;
	bool cancelling;
};

/**
 * struct blk - The device
 * @vdev:	What the transport sees.
 * @loop:	Loop.
 * @fd:		The file, -1 for a null device.
 * @file:	Likewise, for the loop.
 * @read_only:	As configured.
 * @direct:	As configured.
 * @serial:	Padded with zeros.
 * @bytes:	Size of the file, as seen last, down to a whole sector.
 * @block_size:	Logical block size.
 * @physical_exp: log2 of the logical blocks of a physical one.
 * @min_io:	In logical blocks.
 * @opt_io:	In logical blocks.
 * @offset_mask: Bits that have to be 0 in offset and length of a transfer.
 * @mem_mask:	Bits that have to be 0 in address and length of a buffer.
 * @in_memory:	The file is nowhere else: no transfer has to wait.
 * @misses:	Reads of late that the page cache did not have, up to a limit.
 * @skip:	Reads that are not looked for there, before the next one that is.
 * @punches:	The file has FALLOC_FL_PUNCH_HOLE, until it says no.
 * @zeroes:	Likewise, FALLOC_FL_ZERO_RANGE.
 * @features:	Negotiated.
 * @writeback:	Writes need not be stable before a flush.
 * @nr_running:	Virtqueues.
 * @warned:	What was warned of last.
 * @watch:	Next look at the size.
 * @long_room:	For chains longer than a request's list.
 * @bounces:	Free bounce buffers.
 * @bounce_memory: All of them.
 * @bounce_wait: Requests that wait for one.
 * @stats:	Counters.
 * @queues:	As many as the vdev has.
 */
struct blk {
	struct vdev vdev;
	struct loop *loop;
	int fd;
	struct loop_rw_file file;
	bool read_only;
	bool direct;
	uint8_t serial[VDEV_BLK_SERIAL_MAX];
	uint64_t bytes;
	uint32_t block_size;
	uint8_t physical_exp;
	uint16_t min_io;
	uint32_t opt_io;
	uint64_t offset_mask;
	uint64_t mem_mask;
	bool in_memory;
	unsigned int misses;
	unsigned int skip;
	bool punches;
	bool zeroes;
	uint64_t features;
	bool writeback;
	unsigned int nr_running;
	int warned;
	struct loop_op *watch;
	struct iov_room long_room;
	struct blk_bounce *bounces;
	void *bounce_memory;
	struct blk_list bounce_wait;
	struct vdev_blk_stats stats;
	struct blk_queue queues[];
};

static inline void blk_list_init(struct blk_list *list)
{
	list->first = NULL;
	list->tail = &list->first;
}

static inline void blk_list_add(struct blk_list *list, struct blk_request *req)
{
	req->next = NULL;
	*list->tail = req;
	list->tail = &req->next;
}

static inline struct blk_request *blk_list_take(struct blk_list *list)
{
	struct blk_request *req = list->first;

	if (!req)
		return NULL;
	list->first = req->next;
	if (!list->first)
		list->tail = &list->first;
	return req;
}

static inline bool blk_is_null(const struct blk *blk)
{
	return blk->fd < 0;
}

/* blk_file.c */
int blk_file_open(struct blk *blk, const struct vdev_blk_config *config, struct vl_err *err);
void blk_file_close(struct blk *blk);
/* Looks at the size; whether it is another than before. */
bool blk_file_resized(struct blk *blk);

/* blk_config.c */
#define BLK_CONFIG_SIZE 96u
uint64_t blk_features(const struct blk *blk);
void blk_set_features(void *dev, uint64_t features);
int blk_get_config(void *dev, uint32_t offset, void *buf, uint32_t size);
int blk_set_config(void *dev, uint32_t offset, const void *buf, uint32_t size, bool migration);
void blk_forget(struct blk *blk);
ssize_t blk_save(void *dev, void *buf, size_t size);
int blk_load(void *dev, const void *buf, size_t size);

/* blk_queue.c */
int blk_queue_process(void *dev, struct vdev_queue *q);
void blk_queue_init(struct blk_queue *queue, struct blk *blk);
void blk_queue_exit(struct blk_queue *queue);
/* Makes as many requests as the ring can use; 0 or -ENOMEM. */
int blk_queue_prepare(struct blk_queue *queue, unsigned int num);
void blk_queue_cancel(struct blk_queue *queue);
/* Cancels for good: the virtqueue and the driver's memory are gone. */
void blk_queue_abandon(struct blk_queue *queue);
/* The request is over; the driver gets it back with the next batch. */
void blk_queue_done(struct blk_request *req, uint8_t result);
void blk_queue_drop(struct blk_request *req);

/* blk_request.c */
/* Begins what the request's chain asks for; -EINVAL for one that cannot be answered. */
int blk_request_begin(struct blk_request *req);

/* blk_io.c */
/* The same again is no news: a disk that is full is full for each request. */
void blk_warn(struct blk *blk, int code);
void blk_io_begin(struct blk_request *req);
/* Submits the current step, again if need be. */
void blk_io_step(struct blk_request *req);

/* blk_bounce.c */
int blk_bounce_create(struct blk *blk);
void blk_bounce_destroy(struct blk *blk);
/* Gives the request a buffer, or lets it wait for one; whether it has one. */
bool blk_bounce_get(struct blk_request *req);
void blk_bounce_put(struct blk_request *req);
/* Ends the wait of requests of a virtqueue that is given up. */
void blk_bounce_cancel(struct blk_queue *queue);
/* The next step through the buffer: for a write it is filled here. */
const struct iovec *blk_bounce_out(struct blk_request *req);
/* What the step brought: for a read it is copied here. */
void blk_bounce_in(struct blk_request *req, size_t len);

#endif /* DEVICE_BLK_H */
