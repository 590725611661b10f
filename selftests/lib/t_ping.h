/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The whole path: `vringlab backend loopback --trace`, and the ring-ping guest of
 * `vringlab vmm` as its front-end.
 */
#ifndef VRINGLAB_SELFTESTS_T_PING_H
#define VRINGLAB_SELFTESTS_T_PING_H

#include <stdbool.h>
#include <stdint.h>

#include "t.h"

/**
 * struct t_ping - A running back-end
 * @label:	Of its virtqueue in the module, with --trace: "ping.0".
 */
struct t_ping {
	char dir[64];
	char socket[96];
	const char *label;
	struct t_child backend;
	struct t_child vmm;
};

/**
 * struct t_ping_guest - What the guest itself has counted
 * @ok:		It says that all was well.
 * @code:	Exit code of the command.
 * @err:	What the command had to say on stderr.
 */
struct t_ping_guest {
	bool ok;
	int code;
	uint64_t iterations;
	uint64_t kicks;
	uint64_t kicks_suppressed;
	uint64_t interrupts;
	uint64_t interrupts_spurious;
	uint64_t round_trips;
	uint64_t buffers;
	uint64_t mismatches;
	uint64_t errors;
	char err[512];
};

/**
 * t_ping_answering() - Interrupts that brought an answer
 *
 * At depth 1 each answer has its own. A processor that is emulated may deliver one
 * twice, which is not the module's to see: the second is spurious.
 */
static inline uint64_t t_ping_answering(const struct t_ping_guest *guest)
{
	return guest->interrupts - guest->interrupts_spurious;
}

/**
 * t_ping_start() - Start the back-end and wait until it listens
 * @p:		Filled.
 * @trace:	With --trace.
 *
 * Return: 0 or a negative errno; %-EPIPE if it ended instead.
 */
int t_ping_start(struct t_ping *p, bool trace);

/** t_ping_stop() - End what runs and remove its files; allowed twice. */
void t_ping_stop(struct t_ping *p);

/**
 * t_ping_vmm_start() - Start a guest
 * @p:		Started.
 * @args:	More options, in one string, separated by single spaces.
 *
 * Return: 0 or a negative errno.
 */
int t_ping_vmm_start(struct t_ping *p, const char *args);

/**
 * t_ping_vmm_wait() - Wait until the guest has ended and take its report
 * @p:		With a running guest.
 * @guest:	Filled.
 * @timeout_ms:	At most this long.
 *
 * Return: 0, %-ETIMEDOUT, or %-EBADMSG if the report is no JSON or lacks a number.
 */
int t_ping_vmm_wait(struct t_ping *p, struct t_ping_guest *guest, int timeout_ms);

#endif /* VRINGLAB_SELFTESTS_T_PING_H */
