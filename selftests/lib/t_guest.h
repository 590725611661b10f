/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest that is migrated, without a guest: memory in two regions, one virtqueue
 * under load whose contents are verified, a dirty log, and a copy of the memory that
 * is made by it.
 *
 * What the driver writes and what the device writes lies in different pages, but for
 * a packed ring's descriptors.
 *
 *	t_guest.c	memory, virtqueue, connection
 *	t_guest_load.c	requests, there and back
 *	t_guest_log.c	dirty log, and the copy
 */
#ifndef VRINGLAB_SELFTESTS_T_GUEST_H
#define VRINGLAB_SELFTESTS_T_GUEST_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/virtio_config.h>

#include <vringlab/err.h>
#include <vringlab/vhost_user_frontend.h>
#include <vringlab/vring.h>

#define T_GUEST_PAGE 4096u

/* Neither equal nor adjacent, so that one taken for the other is found out. */
#define T_GUEST_GPA UINT64_C(0x40000000)
#define T_GUEST_GPA_2 UINT64_C(0x58000000)
#define T_GUEST_UVA UINT64_C(0x7f0000000000)
#define T_GUEST_IOVA UINT64_C(0x300000000000)

#define T_GUEST_NUM 1024u
#define T_GUEST_DEPTH 32u

/* A request's memory: header and data to be read; a gap; data to be written; status. */
#define T_GUEST_OUT_PAGES 5u
#define T_GUEST_IN_PAGES 5u
#define T_GUEST_SLOT_PAGES 12u
#define T_GUEST_DATA_MAX (4u * T_GUEST_PAGE)
#define T_GUEST_BLOCK 4096u
#define T_GUEST_BLOCKS 1024u
#define T_GUEST_DISK (T_GUEST_BLOCKS * T_GUEST_BLOCK)

/**
 * struct t_guest_config - What guest
 * @features:	Virtio features, all of them required, VERSION_1 beside them.
 * @protocol:	Protocol features that are taken where they are offered.
 * @blk:	The device is a disk of T_GUEST_DISK bytes, not a loopback.
 */
struct t_guest_config {
	uint64_t features;
	uint64_t protocol;
	bool blk;
};

/**
 * struct t_guest_request - A request that is under way
 * @busy:	It is.
 * @seq:	Its number.
 * @slot:	Its memory.
 * @out:	Bytes of data to be read.
 * @in:		Bytes of data to be written.
 * @in_offset:	Where those start, in their pages.
 * @write:	blk: to the disk.
 * @block:	blk: first block.
 */
struct t_guest_request {
	bool busy;
	uint64_t seq;
	unsigned int slot;
	uint32_t out;
	uint32_t in;
	uint32_t in_offset;
	bool write;
	unsigned int block;
};

/* A translation that the back-end has asked for. */
struct t_guest_miss {
	uint64_t iova;
	uint8_t perm;
};

/**
 * struct t_guest - The guest and its front-end
 * @config:	As created.
 * @memfd:	Memory.
 * @mem:	It, here.
 * @copy_memfd:	Copy of it, on another host, one would say.
 * @copy:	It, here.
 * @pages:	Of either.
 * @border:	First page of the second region.
 * @tables:	First page of the indirect tables.
 * @slots:	First page of the requests' memory.
 * @layout:	Ring.
 * @drv:	Driver side.
 * @kick:	eventfd.
 * @call:	eventfd.
 * @fe:		Connection, NULL for none.
 * @base:	Where a back-end starts.
 * @inflight:	Region of what is in flight.
 * @inflight_fd: -1 for none.
 * @log_fd:	Log.
 * @log:	It, here; from the page of guest address 0 on.
 * @log_bytes:	Of @log.
 * @logging:	The back-end was told to keep it.
 * @requests:	By id.
 * @free_slots:	Slots that are not in use.
 * @nr_free:	Of them.
 * @issued:	Requests so far.
 * @done:	Came back.
 * @version:	blk: how often each block was written.
 * @rng:	Random numbers.
 * @misses:	To be answered.
 * @nr_misses:	Of them.
 * @nr_missed:	Since the start.
 * @err:	What went wrong last.
 */
struct t_guest {
	struct t_guest_config config;
	int memfd;
	uint8_t *mem;
	int copy_memfd;
	uint8_t *copy;
	unsigned int pages;
	unsigned int border;
	unsigned int tables;
	unsigned int slots;
	struct vring_layout layout;
	struct vring_drv drv;
	struct vring_drv_slot drv_slots[T_GUEST_NUM];
	int kick;
	int call;
	struct vu_frontend *fe;
	uint32_t base;
	struct vu_inflight inflight;
	int inflight_fd;
	int log_fd;
	uint8_t *log;
	uint64_t log_bytes;
	bool logging;
	struct t_guest_request requests[T_GUEST_NUM];
	unsigned int free_slots[T_GUEST_DEPTH];
	unsigned int nr_free;
	uint64_t issued;
	uint64_t done;
	uint32_t version[T_GUEST_BLOCKS];
	bool block_busy[T_GUEST_BLOCKS];
	uint64_t rng;
	struct t_guest_miss misses[64];
	unsigned int nr_misses;
	uint64_t nr_missed;
	struct vl_err err;
};

/* --- t_guest.c ----------------------------------------------------------------- */

/** t_guest_create() - Make memory, virtqueue and log; 0 or a negative errno. */
int t_guest_create(struct t_guest *g, const struct t_guest_config *config);

/** t_guest_destroy() - Give all back; a zeroed guest is allowed. */
void t_guest_destroy(struct t_guest *g);

/**
 * t_guest_meet() - Connect to a back-end, and hand over all but the virtqueue
 * @g:		Not connected. An inflight region is handed over, or made if there is
 *		none and the protocol feature is wanted.
 * @path:	Socket.
 *
 * Return: 0, or a negative errno with @g->err.
 */
int t_guest_meet(struct t_guest *g, const char *path);

/** t_guest_start() - Start the virtqueue at @g->base; returns as t_guest_meet(). */
int t_guest_start(struct t_guest *g);

/** t_guest_connect() - Meet and start. */
int t_guest_connect(struct t_guest *g, const char *path);

/** t_guest_leave() - Close the connection. */
void t_guest_leave(struct t_guest *g);

/** t_guest_move() - Go on in the copy of the memory, on another host. */
void t_guest_move(struct t_guest *g);

/* Addresses of an offset in the memory: guest physical, and as descriptors have it. */
uint64_t t_guest_gpa(const struct t_guest *g, uint64_t offset);
uint64_t t_guest_addr(const struct t_guest *g, uint64_t offset);

/** t_guest_serve() - Answer what the back-end asks for; 0 or a negative errno. */
int t_guest_serve(struct t_guest *g);

static inline bool t_guest_has(const struct t_guest *g, unsigned int bit)
{
	return g->config.features >> bit & 1;
}

/* --- t_guest_load.c ------------------------------------------------------------ */

/** t_guest_issue() - Make up to @nr requests available, without a kick; how many. */
int t_guest_issue(struct t_guest *g, unsigned int nr);

/** t_guest_kick() - Kick. */
int t_guest_kick(const struct t_guest *g);

/**
 * t_guest_reap() - Take back and verify what is used
 *
 * Return: how many came back, -EBADMSG for contents that are not what they have to
 * be, -EPROTO for what was not in flight.
 */
int t_guest_reap(struct t_guest *g);

/** t_guest_run() - Load: until @nr more requests came back; as many go on. */
int t_guest_run(struct t_guest *g, unsigned int nr);

/** t_guest_finish() - Until nothing is under way. */
int t_guest_finish(struct t_guest *g);

/**
 * t_guest_await() - Until all that is under way is used, without taking it
 *
 * Nothing is written to the memory.
 */
int t_guest_await(struct t_guest *g);

/** t_guest_in_flight() - Requests under way. */
unsigned int t_guest_in_flight(const struct t_guest *g);

/* --- t_guest_log.c ------------------------------------------------------------- */

/** t_guest_set_log() - Have the log kept, or not; 0 or a negative errno. */
int t_guest_set_log(struct t_guest *g, bool on);

/** t_guest_copy_all() - A migration's first pass. */
void t_guest_copy_all(struct t_guest *g);

/** t_guest_pass() - Take the marks, and copy the pages; how many pages were marked. */
unsigned int t_guest_pass(struct t_guest *g);

/** t_guest_copy_driver() - Copy what the driver may have written. */
void t_guest_copy_driver(struct t_guest *g);

/** t_guest_find_difference() - First page that is not as in the copy, or -1. */
int t_guest_find_difference(const struct t_guest *g);

/** t_guest_is_marked() - Has this page a mark? */
bool t_guest_is_marked(const struct t_guest *g, unsigned int page);

/** t_guest_has_stray_marks() - Are there marks outside of the memory? */
bool t_guest_has_stray_marks(const struct t_guest *g);

/**
 * t_guest_find_unexpected() - Is the log what the requests under way must leave?
 *
 * All have been served since the marks were taken last. Pages of data and status
 * have to be marked if they are written, and else must not be; those of the ring
 * may be, where the device writes them.
 *
 * Return: a page whose mark is wrong, or -1.
 */
int t_guest_find_unexpected(const struct t_guest *g);

#endif /* VRINGLAB_SELFTESTS_T_GUEST_H */
