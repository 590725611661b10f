/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Requests for a virtio-blk device, many at a time, and what the disk has to hold then.
 */
#ifndef VRINGLAB_SELFTESTS_T_BLK_H
#define VRINGLAB_SELFTESTS_T_BLK_H

#include <stdbool.h>
#include <stdint.h>

#include "t_driver.h"

#define T_BLK_DEPTH 16u

/* Each slot has its own part of the disk, so that none overtakes another. */
#define T_BLK_PART (64u << 10)
#define T_BLK_BYTES (T_BLK_DEPTH * T_BLK_PART)
#define T_BLK_SECTORS (T_BLK_BYTES / 512)

/**
 * struct t_blk_slot - A request, and its memory
 * @hdr:	Where its header is, and behind that its status.
 * @data:	Where its data is.
 * @busy:	Under way.
 * @type:	VIRTIO_BLK_T_*.
 * @at:		Offset on the disk.
 * @len:	Bytes of data.
 */
struct t_blk_slot {
	uint64_t hdr;
	uint64_t data;
	bool busy;
	uint32_t type;
	uint32_t at;
	uint32_t len;
};

/**
 * struct t_blk - The load
 * @t:		Driver.
 * @nr_queues:	Virtqueues, one after the other.
 * @slots:	Requests.
 * @disk:	What the disk has to hold, T_BLK_BYTES.
 * @seed:	Of what comes next.
 * @done:	Requests that came back.
 * @failed:	Of them, with another status than VIRTIO_BLK_S_OK.
 * @wrong:	Reads that brought other bytes.
 */
struct t_blk {
	struct t_driver *t;
	unsigned int nr_queues;
	struct t_blk_slot slots[T_BLK_DEPTH];
	uint8_t *disk;
	uint32_t seed;
	uint64_t done;
	uint64_t failed;
	uint64_t wrong;
};

/** t_blk_init() - For a device that is started, with a disk of zeroes. 0 or %-ENOMEM. */
int t_blk_init(struct t_blk *b, struct t_driver *t, unsigned int nr_queues);

/** t_blk_exit() - Free it. */
void t_blk_exit(struct t_blk *b);

/** t_blk_fill() - Have as many requests under way as there can be. Returns 0 or an errno. */
int t_blk_fill(struct t_blk *b);

/** t_blk_run() - Keep them coming until @nr more came back. Returns 0 or an errno. */
int t_blk_run(struct t_blk *b, uint64_t nr);

/** t_blk_settle() - Wait until none is under way. */
int t_blk_settle(struct t_blk *b);

/** t_blk_forget() - The device was reset: none is under way. */
void t_blk_forget(struct t_blk *b);

/** t_blk_request() - One request, to its end; its status, or a negative errno. */
int t_blk_request(struct t_blk *b, uint32_t type, uint32_t at, uint32_t len);

/** t_blk_verify() - Read the whole disk. Sets @b->wrong. */
int t_blk_verify(struct t_blk *b);

#endif /* VRINGLAB_SELFTESTS_T_BLK_H */
