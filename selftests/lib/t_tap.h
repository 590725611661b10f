/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A tap on which nobody speaks by himself, and frames that are all different.
 */
#ifndef VRINGLAB_SELFTESTS_T_TAP_H
#define VRINGLAB_SELFTESTS_T_TAP_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/if.h>

#include <vringlab/err.h>

#define T_TAP_QUEUES_MAX 4u
#define T_TAP_FRAME_MAX 1514u
/* Of no protocol that the kernel would answer. */
#define T_TAP_PROTOCOL 0x88b5

/**
 * struct t_tap - A tap
 * @name:	Of the interface.
 * @fds:	Of its queues.
 * @nr:		Queues.
 * @sock:	The host's end: what is sent here comes out of the tap, what is written
 *		to the tap arrives here, if its protocol is T_TAP_PROTOCOL.
 * @err:	Why it could not be opened.
 */
struct t_tap {
	char name[IFNAMSIZ];
	int fds[T_TAP_QUEUES_MAX];
	unsigned int nr;
	int sock;
	struct vl_err err;
};

/**
 * t_tap_open() - Make a tap, set it up, and open the host's end
 * @tap:	To be closed also after a failure.
 * @nr:		Queues, up to T_TAP_QUEUES_MAX.
 *
 * Return: 0, or a negative errno with @tap->err.
 */
int t_tap_open(struct t_tap *tap, unsigned int nr);

/** t_tap_close() - Remove it. */
void t_tap_close(struct t_tap *tap);

/**
 * t_tap_frame() - Make a frame, with the protocol and a content of its own
 * @frame:	Room for @len bytes.
 * @len:	Bytes, 64 to T_TAP_FRAME_MAX.
 * @number:	Of the frame.
 */
void t_tap_frame(uint8_t *frame, uint32_t len, uint32_t number);

/** t_tap_is_frame() - Is it what t_tap_frame() makes? */
bool t_tap_is_frame(const uint8_t *frame, uint32_t len, uint32_t number);

/** t_tap_send() - Send a frame from the host's end. Returns 0 or a negative errno. */
int t_tap_send(const struct t_tap *tap, uint32_t len, uint32_t number);

/**
 * t_tap_expect() - Take the next frame at the host's end
 * @tap:	Tap.
 * @len:	Bytes that it must have.
 * @number:	Of the frame that it must be.
 *
 * Return: 0, %-EBADMSG for another frame, %-ETIMEDOUT, or another negative errno.
 */
int t_tap_expect(const struct t_tap *tap, uint32_t len, uint32_t number);

/** t_tap_is_silent() - Has nothing arrived at the host's end? */
bool t_tap_is_silent(const struct t_tap *tap);

#endif /* VRINGLAB_SELFTESTS_T_TAP_H */
