/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The dirty log: a bitmap of pages, shared with the front-end ("Migration" in the
 * vhost-user specification).
 */
#ifndef VRINGLAB_VRING_LOG_H
#define VRINGLAB_VRING_LOG_H

#include <stdbool.h>
#include <stdint.h>

/* VHOST_LOG_PAGE: a page of the log, whatever the machine's. */
#define VRING_LOG_PAGE 0x1000u

/**
 * struct vring_log - A dirty log
 * @bits:	One bit for each page of guest physical memory, from 0.
 * @bytes:	Size of @bits.
 *
 * Does not own the mapping.
 */
struct vring_log {
	uint8_t *bits;
	uint64_t bytes;
};

/**
 * vring_log_covers() - Has the log a bit for all of a range?
 * @log:	Log.
 * @gpa:	Start.
 * @len:	Bytes.
 */
bool vring_log_covers(const struct vring_log *log, uint64_t gpa, uint64_t len);

/**
 * vring_log_mark() - Mark the pages of a range as written
 * @log:	Log.
 * @gpa:	Start.
 * @len:	Bytes; 0 marks nothing.
 *
 * To be called after the write. Pages that the log has no bit for are left out.
 * The bits are set atomically: the front-end clears them meanwhile.
 */
void vring_log_mark(const struct vring_log *log, uint64_t gpa, uint64_t len);

#endif /* VRINGLAB_VRING_LOG_H */
