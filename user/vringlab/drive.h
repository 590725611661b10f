/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vringlab drive: a driver without a guest. Its memory and rings are this
 * process', its back-end is any that speaks vhost-user.
 *
 *	cmd_drive.c	the command line
 *	drive_session.c	the connection, and making it again
 *	drive_ring.c	memory and virtqueues
 *	drive_load.c	requests go out, and come back
 *	drive_blk.c, drive_loopback.c	what a request is, and whether it came back right
 *	drive_report.c	what it was like
 */
#ifndef VRINGLAB_DRIVE_H
#define VRINGLAB_DRIVE_H

#include <stdbool.h>
#include <stdint.h>

#include <vringlab/hist.h>
#include <vringlab/vhost_user_frontend.h>
#include <vringlab/vring_drv.h>

struct drive;
struct vl_err;

/* Buckets with 1/32 of an octave: latencies are at most 1.6 % off. */
#define DRIVE_HIST_SUB_BITS 5u
#define DRIVE_HIST_BUCKETS 1920u

enum drive_rw {
	DRIVE_RANDREAD,
	DRIVE_RANDWRITE,
	DRIVE_RANDRW,
	DRIVE_READ,
	DRIVE_WRITE,
};

/**
 * struct drive_options - What to do
 * @kind:	The device that is expected.
 * @socket:	Of the back-end.
 * @packed:	Packed ring.
 * @indirect:	Indirect descriptors.
 * @event_idx:	Event indices.
 * @in_order:	In-order use.
 * @num:	Queue size.
 * @queue:	Index of the virtqueue.
 * @depth:	Requests under way.
 * @size:	Bytes of a request.
 * @span:	blk: bytes of the disk that are used, 0 for all of it.
 * @rw:		blk: which requests.
 * @count:	Requests, 0 for no limit.
 * @time_ns:	How long, 0 for no limit.
 * @rate:	Requests a second, 0 for as many as there can be.
 * @verify:	Look at contents.
 * @reconnect:	Go on with the next back-end when this one is lost.
 * @poll:	Look at the ring instead of sleeping until the call.
 * @no_reply_ack: Do without acknowledgements.
 * @json:	Report as JSON.
 * @timeout_ms:	For each reply, for a request and for a reconnection.
 */
struct drive_options {
	const struct drive_kind *kind;
	const char *socket;
	bool packed;
	bool indirect;
	bool event_idx;
	bool in_order;
	uint64_t num;
	uint64_t queue;
	uint64_t depth;
	uint64_t size;
	uint64_t span;
	enum drive_rw rw;
	uint64_t count;
	uint64_t time_ns;
	uint64_t rate;
	bool verify;
	bool reconnect;
	bool poll;
	bool no_reply_ack;
	bool json;
	uint64_t timeout_ms;
};

/* Most buffers of a request: header, data, status. */
#define DRIVE_BUFS_MAX 3u

/**
 * struct drive_request - A request that is under way
 * @start_ns:	When it was made available.
 * @seq:	Its number.
 * @slot:	Its part of the memory.
 * @block:	blk: which one.
 * @write:	blk: to be written.
 */
struct drive_request {
	uint64_t start_ns;
	uint64_t seq;
	unsigned int slot;
	uint64_t block;
	bool write;
};

/**
 * struct drive_kind - A kind of device
 * @name:	On the command line.
 * @nr_bufs:	Buffers of a request.
 * @features:	Device's features that are taken where they are offered.
 * @open:	After the first connection: looks at the device. May be NULL.
 * @build:	Fills a request's memory and its list of buffers, @nr_out readable ones
 *		first.
 * @check:	It is back: 0, or -EIO for one that failed, -EBADMSG for contents that
 *		are not what they have to be; @err says which.
 * @close:	Frees what @open made. May be NULL.
 */
struct drive_kind {
	const char *name;
	unsigned int nr_bufs;
	uint64_t features;
	int (*open)(struct drive *d, struct vl_err *err);
	void (*build)(struct drive *d, struct drive_request *req, struct vring_buf *bufs,
		      unsigned int *nr_out);
	int (*check)(struct drive *d, const struct drive_request *req, uint32_t written,
		     struct vl_err *err);
	void (*close)(struct drive *d);
};

extern const struct drive_kind drive_loopback;
extern const struct drive_kind drive_blk;

/**
 * struct drive_stats - What it was like
 * @requests:	Came back.
 * @bytes:	Of data.
 * @kicks:	Writes to the kick eventfd.
 * @calls:	Reads of the call eventfd that had one.
 * @reconnects:	Back-ends that were lost.
 * @elapsed_ns:	From the first request to the last.
 * @backend_cpu_ns: CPU time of the back-end's process meanwhile; 0 if not known.
 * @own_cpu_ns:	CPU time of this process meanwhile.
 * @min_ns:	Shortest latency.
 * @max_ns:	Longest latency.
 * @sum_ns:	Of all latencies.
 * @buckets:	Of all latencies.
 */
struct drive_stats {
	uint64_t requests;
	uint64_t bytes;
	uint64_t kicks;
	uint64_t calls;
	uint64_t reconnects;
	uint64_t elapsed_ns;
	uint64_t backend_cpu_ns;
	uint64_t own_cpu_ns;
	uint64_t min_ns;
	uint64_t max_ns;
	uint64_t sum_ns;
	uint64_t buckets[DRIVE_HIST_BUCKETS];
};

/**
 * struct drive - A driver
 * @opt:	What to do.
 * @fe:		Connection, NULL while there is none.
 * @features:	Virtio features that every connection has to negotiate.
 * @memfd:	Memory that the back-end maps.
 * @mem:	It, here.
 * @bytes:	Of it.
 * @slots_offset: In it: the requests' part.
 * @slot_bytes:	Of one request.
 * @layout:	Ring.
 * @drv:	Driver side.
 * @drv_slots:	Its.
 * @kick:	eventfd.
 * @call:	eventfd.
 * @inflight:	Region's facts.
 * @inflight_fd: Region, -1 for none.
 * @requests:	By id.
 * @free_slots:	Slots that are not in use.
 * @nr_free:	Of them.
 * @in_flight:	Requests.
 * @issued:	Requests so far.
 * @rng:	State of the random numbers.
 * @device:	The kind's.
 * @stats:	What it was like.
 */
struct drive {
	const struct drive_options *opt;
	struct vu_frontend *fe;
	uint64_t features;
	int memfd;
	uint8_t *mem;
	uint64_t bytes;
	uint64_t slots_offset;
	uint64_t slot_bytes;
	struct vring_layout layout;
	struct vring_drv drv;
	struct vring_drv_slot *drv_slots;
	int kick;
	int call;
	struct vu_inflight inflight;
	int inflight_fd;
	struct drive_request *requests;
	unsigned int *free_slots;
	unsigned int nr_free;
	unsigned int in_flight;
	uint64_t issued;
	uint64_t rng;
	void *device;
	struct drive_stats stats;
};

/* A slot: first a page for header and status, then the data. */
#define DRIVE_DATA_OFFSET 4096u

uint64_t drive_slot_gpa(const struct drive *d, unsigned int slot);
uint8_t *drive_slot_host(const struct drive *d, unsigned int slot);

/* A number from 0 to @below - 1. */
uint64_t drive_random(struct drive *d, uint64_t below);

/* The word at @index of what is called @name: every content here is made of these. */
uint64_t drive_word(uint64_t name, uint64_t index);

/* drive_ring.c: memory and ring; to be destroyed also after a failure. */
int drive_ring_create(struct drive *d, struct vl_err *err);
void drive_ring_destroy(struct drive *d);
struct vu_frontend_region drive_region(const struct drive *d);
struct vu_frontend_vring drive_vring(const struct drive *d);

/* drive_session.c. With --reconnect it waits for a back-end, until the timeout. */
int drive_connect(struct drive *d, struct vl_err *err);
/* Is it an error of a back-end that is gone, or not there yet, and is that no matter? */
bool drive_may_retry(const struct drive *d, int code);
/* The same, after a back-end was lost. */
int drive_reconnect(struct drive *d, struct vl_err *err);
/* Has the back-end left? */
bool drive_is_lost(const struct drive *d);
/* The back-end's process, 0 if not known. */
int drive_backend_pid(const struct drive *d);
int drive_stop(struct drive *d, struct vl_err *err);

/* drive_load.c: all requests there and back. */
int drive_load(struct drive *d, struct vl_err *err);
/* No more requests; those under way come back. For signal handlers. */
void drive_finish(void);

/* drive_report.c */
void drive_report(const struct drive *d);

#endif /* VRINGLAB_DRIVE_H */
