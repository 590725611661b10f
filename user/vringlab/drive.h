/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vringlab drive: a driver without a guest. Its memory and rings are this
 * process', its back-end is any that speaks vhost-user.
 *
 *	cmd_drive.c	from start to end
 *	drive_options.c	the command line
 *	drive_session.c	what each back-end is told
 *	drive_memory.c	memory, in regions
 *	drive_hotplug.c	regions come and go under load
 *	drive_queue.c	virtqueues
 *	drive_load.c	requests go out
 *	drive_reap.c	and come back
 *	drive_cpu.c	what processors did meanwhile
 *	drive_blk.c, drive_loopback.c	what a request is, and whether it came back right
 *	drive_net.h	likewise of packets, which may be lost
 *	drive_content.c	what contents are made of
 *	drive_report.c	what it was like
 */
#ifndef VRINGLAB_DRIVE_H
#define VRINGLAB_DRIVE_H

#include <stdbool.h>
#include <stdint.h>

#include <vringlab/hist.h>
#include <vringlab/vhost_user_session.h>
#include <vringlab/vring_drv.h>

struct drive;
struct drive_queue;
struct json_object;
struct vl_err;

/* Buckets with 1/32 of an octave: latencies are at most 1.6 % off. */
#define DRIVE_HIST_SUB_BITS 5u
#define DRIVE_HIST_BUCKETS 1920u

#define DRIVE_PAIRS_MAX 64u
#define DRIVE_QUEUES_MAX (2 * DRIVE_PAIRS_MAX)
#define DRIVE_HOTPLUG_MAX 64u

enum drive_rw {
	DRIVE_RANDREAD,
	DRIVE_RANDWRITE,
	DRIVE_RANDRW,
	DRIVE_READ,
	DRIVE_WRITE,
};

enum drive_mode {
	DRIVE_ECHO,
	DRIVE_TRANSMIT,
	DRIVE_RECEIVE,
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
 * @queue:	Index of the virtqueue, or of the first pair of them.
 * @depth:	Requests under way in each virtqueue.
 * @size:	Bytes of a request; 0 for the kind's default.
 * @span:	blk: bytes of the disk that are used, 0 for all of it.
 * @rw:		blk: which requests.
 * @mode:	net: which way.
 * @pairs:	net: pairs of virtqueues.
 * @mergeable:	net: a packet may come in several buffers.
 * @buffer:	net: bytes of a receive buffer, 0 for what a packet needs.
 * @count:	Requests, 0 for no limit.
 * @time_ns:	How long, 0 for no limit.
 * @rate:	Requests a second, 0 for as many as there can be.
 * @hotplug:	Regions that come and go meanwhile, 0 for none.
 * @verify:	Look at contents.
 * @reconnect:	Go on with the next back-end when this one is lost.
 * @poll:	Look at the ring instead of sleeping until the call.
 * @no_reply_ack: Do without acknowledgements.
 * @no_mem_slots: Do without regions that come one by one.
 * @json:	Report as JSON.
 * @loss_ns:	net: a packet that is not back by then is lost.
 * @timeout_ns:	For each reply, for a request and for a reconnection.
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
	enum drive_mode mode;
	uint64_t pairs;
	bool mergeable;
	uint64_t buffer;
	uint64_t count;
	uint64_t time_ns;
	uint64_t rate;
	uint64_t hotplug;
	bool verify;
	bool reconnect;
	bool poll;
	bool no_reply_ack;
	bool no_mem_slots;
	bool json;
	uint64_t loss_ns;
	uint64_t timeout_ns;
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
 * @size:	Bytes of a request, if nothing else is said.
 * @nr_bufs:	Most buffers of a request.
 * @features:	Device's features that are taken where they are offered.
 * @needs:	Features that the options need. May be NULL.
 * @paired:	Virtqueues are pairs, of one to receive and one to transmit.
 * @check_options: What is wrong with them, or NULL. May be NULL.
 * @slot_bytes:	Memory of a request in that virtqueue.
 * @open:	After the first connection: looks at the device. May be NULL.
 * @may_issue:	Is there a reason to hold a request back? May be NULL.
 * @build:	Fills a request's memory and its list of buffers, @nr_out readable ones
 *		first.
 * @check:	It is back, and is counted: 0, or -EIO for one that failed, -EBADMSG for
 *		contents that are not what they have to be; @err says which.
 * @idle:	Nothing came back just now. May be NULL.
 * @verdict:	After all of it: 0, or why it was in vain. May be NULL.
 * @report_text: What else is told. May be NULL.
 * @report_json: Likewise.
 * @close:	Frees what @open made. May be NULL.
 */
struct drive_kind {
	const char *name;
	uint64_t size;
	unsigned int nr_bufs;
	uint64_t features;
	uint64_t (*needs)(const struct drive_options *opt);
	bool paired;
	const char *(*check_options)(const struct drive_options *opt);
	uint64_t (*slot_bytes)(const struct drive_options *opt, bool supplies);
	int (*open)(struct drive *d, struct vl_err *err);
	bool (*may_issue)(const struct drive *d, const struct drive_queue *q);
	void (*build)(struct drive *d, struct drive_queue *q, struct drive_request *req,
		      struct vring_buf *bufs, unsigned int *nr_out, unsigned int *nr_in);
	int (*check)(struct drive *d, struct drive_queue *q, const struct drive_request *req,
		     uint32_t written, uint64_t now_ns, struct vl_err *err);
	void (*idle)(struct drive *d, uint64_t now_ns);
	int (*verdict)(const struct drive *d, struct vl_err *err);
	void (*report_text)(const struct drive *d);
	void (*report_json)(const struct drive *d, struct json_object *o);
	void (*close)(struct drive *d);
};

extern const struct drive_kind drive_loopback;
extern const struct drive_kind drive_blk;
extern const struct drive_kind drive_net;

/**
 * struct drive_stats - What it was like
 * @requests:	Came back.
 * @bytes:	Of data.
 * @kicks:	Writes to the kick eventfds.
 * @calls:	Reads of a call eventfd that had one.
 * @hotplugs:	Regions that went and came again.
 * @elapsed_ns:	From the first request to the last.
 * @backend_cpu_ns: CPU time of the back-end's process meanwhile; 0 if not known.
 * @own_cpu_ns:	CPU time of this process meanwhile.
 * @latencies:	How many are known.
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
	uint64_t hotplugs;
	uint64_t elapsed_ns;
	uint64_t backend_cpu_ns;
	uint64_t own_cpu_ns;
	uint64_t latencies;
	uint64_t min_ns;
	uint64_t max_ns;
	uint64_t sum_ns;
	uint64_t buckets[DRIVE_HIST_BUCKETS];
};

/**
 * struct drive_region - A part of the memory
 * @memfd:	What the back-end maps.
 * @host:	It, here.
 * @gpa:	Guest physical address.
 * @size:	Bytes.
 * @plugged:	The back-end has it.
 * @leaving:	No request is to be put there any more.
 * @busy:	Requests that are there.
 */
struct drive_region {
	int memfd;
	uint8_t *host;
	uint64_t gpa;
	uint64_t size;
	bool plugged;
	bool leaving;
	unsigned int busy;
};

/**
 * struct drive_queue - A virtqueue
 * @index:	Of it.
 * @supplies:	Its chains are room for what comes by itself: not waited for.
 * @ring_offset: In the first region.
 * @slots_offset: In each region that has slots.
 * @slot_bytes:	Of one request.
 * @nr_slots:	Of them.
 * @depth:	Requests under way at a time.
 * @layout:	Ring.
 * @drv:	Driver side.
 * @drv_slots:	Its.
 * @kick:	eventfd.
 * @call:	eventfd.
 * @requests:	By id.
 * @free_slots:	Slots that are not in use.
 * @nr_free:	Of them.
 * @in_flight:	Requests.
 */
struct drive_queue {
	unsigned int index;
	bool supplies;
	uint64_t ring_offset;
	uint64_t slots_offset;
	uint64_t slot_bytes;
	unsigned int nr_slots;
	unsigned int depth;
	struct vring_layout layout;
	struct vring_drv drv;
	struct vring_drv_slot *drv_slots;
	int kick;
	int call;
	struct drive_request *requests;
	unsigned int *free_slots;
	unsigned int nr_free;
	unsigned int in_flight;
};

/**
 * struct drive - A driver
 * @opt:	What to do.
 * @session:	Connection.
 * @regions:	Memory; the first one has the rings.
 * @nr_regions:	Of them.
 * @next_region: Hot-plug: whose turn it is.
 * @hotplug_ns:	Hot-plug: when.
 * @queues:	Virtqueues.
 * @nr_queues:	Of them.
 * @start_ns:	When the first request was made.
 * @issued:	Requests so far; packets, where only those come.
 * @awaited:	Answers that are due, but for those of requests in flight.
 * @rng:	State of the random numbers.
 * @device:	The kind's.
 * @stats:	What it was like.
 */
struct drive {
	const struct drive_options *opt;
	struct vu_session session;
	struct drive_region regions[1 + DRIVE_HOTPLUG_MAX];
	unsigned int nr_regions;
	unsigned int next_region;
	uint64_t hotplug_ns;
	struct drive_queue queues[DRIVE_QUEUES_MAX];
	unsigned int nr_queues;
	uint64_t start_ns;
	uint64_t issued;
	uint64_t awaited;
	uint64_t rng;
	void *device;
	struct drive_stats stats;
};

/* drive_options.c: 0, or an exit code after a message. */
int drive_options_parse(struct drive_options *opt, int argc, char **argv, bool *help);
uint64_t drive_options_features(const struct drive_options *opt);

/* drive_memory.c */
int drive_memory_create(struct drive *d, struct vl_err *err);
void drive_memory_destroy(struct drive *d);
/* The region's contents and place become others. It is not plugged. */
int drive_region_renew(struct drive *d, unsigned int index, struct vl_err *err);
struct vu_frontend_region drive_region(const struct drive *d, unsigned int index);
struct drive_region *drive_slot_region(struct drive *d, unsigned int slot);
uint64_t drive_slot_gpa(const struct drive *d, const struct drive_queue *q, unsigned int slot);
uint8_t *drive_slot_host(const struct drive *d, const struct drive_queue *q, unsigned int slot);

/* drive_hotplug.c */
int drive_hotplug_check(struct drive *d, struct vl_err *err);
int drive_hotplug(struct drive *d, uint64_t now_ns, struct vl_err *err);

/* drive_queue.c: to be destroyed also after a failure. */
void drive_queues_plan(struct drive *d);
int drive_queues_create(struct drive *d, struct vl_err *err);
void drive_queues_destroy(struct drive *d);
uint64_t drive_ring_bytes(const struct drive_options *opt);
struct vu_frontend_vring drive_vring(const struct drive *d, const struct drive_queue *q);
void drive_slot_free(struct drive *d, struct drive_queue *q, unsigned int slot);

/* drive_session.c. With --reconnect it waits for a back-end, until the timeout. */
void drive_session_init(struct drive *d);
/* The back-end's process, 0 if not known. */
int drive_backend_pid(const struct drive *d);
int drive_stop(struct drive *d, struct vl_err *err);

/* drive_load.c: all requests there and back. */
int drive_load(struct drive *d, struct vl_err *err);
/* No more requests; those under way come back. For signal handlers. */
void drive_finish(void);
bool drive_is_over(const struct drive *d, uint64_t now_ns);
/* When the next request is due, UINT64_MAX if that is no matter of time. */
uint64_t drive_next_issue_ns(const struct drive *d, uint64_t now_ns);

/* drive_reap.c */
/* Returns how many came back, or a negative errno. */
int drive_reap(struct drive *d, struct vl_err *err);
/* Nothing came back just now: waits a little. @since_ns: when something did. */
int drive_wait(struct drive *d, uint64_t since_ns, struct vl_err *err);
void drive_calls_disable(struct drive *d);
bool drive_is_waiting(const struct drive *d);
void drive_count(struct drive *d, uint64_t bytes);
void drive_count_latency(struct drive *d, uint64_t latency_ns);

/* drive_cpu.c */
uint64_t drive_own_cpu_ns(void);
/* On-CPU time of all threads; 0 if it cannot be read. */
uint64_t drive_process_cpu_ns(int pid);

/* drive_content.c: what contents are made of. */
/* A number from 0 to @below - 1. */
uint64_t drive_random(struct drive *d, uint64_t below);
/* The word at @index of what is called @name. */
uint64_t drive_word(uint64_t name, uint64_t index);
void drive_fill(uint8_t *data, uint64_t size, uint64_t name);
bool drive_is_filled(const uint8_t *data, uint64_t size, uint64_t name);

/* drive_report.c */
void drive_report(const struct drive *d);

#endif /* VRINGLAB_DRIVE_H */
