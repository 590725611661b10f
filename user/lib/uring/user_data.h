/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a completion is about, packed into the 64 bits that come back with it.
 *
 *	63     56 55     48 47            32 31                            0
 *	+--------+---------+----------------+-------------------------------+
 *	|  kind  |  loop   |      slot      |          generation           |
 *	+--------+---------+----------------+-------------------------------+
 *
 * No pointer: a completion that comes after its operation is gone finds another
 * generation in the slot and is ignored. The loop's number keeps two loops of one
 * process apart, because the kernel module tells wakes by process and user_data.
 */
#ifndef URING_USER_DATA_H
#define URING_USER_DATA_H

#include <stdint.h>

enum loop_kind {
	/* 0 is left to rings of others */
	LOOP_KIND_POLL = 1,
	LOOP_KIND_TIMER,
	LOOP_KIND_ACCEPT,
	LOOP_KIND_CONNECT,
	LOOP_KIND_RECV,
	LOOP_KIND_SEND,
	LOOP_NR_KINDS,
	/* completions that belong to no operation */
	LOOP_KIND_SIGNAL = 0x80,
	LOOP_KIND_CANCEL,
	/* a struct loop_rw: its address takes the place of all other fields */
	LOOP_KIND_RW,
};

/* No user address is longer, not with 5 levels of page tables either. */
#define LOOP_RW_ADDRESS_BITS 56

struct loop_user_data {
	uint8_t kind;
	uint8_t loop;
	uint16_t slot;
	uint32_t generation;
};

static inline uint64_t loop_user_data_pack(struct loop_user_data ud)
{
	return (uint64_t)ud.kind << 56 | (uint64_t)ud.loop << 48 | (uint64_t)ud.slot << 32 |
	       ud.generation;
}

static inline struct loop_user_data loop_user_data_unpack(uint64_t packed)
{
	return (struct loop_user_data){
		.kind = packed >> 56,
		.loop = packed >> 48 & 0xff,
		.slot = packed >> 32 & 0xffff,
		.generation = packed & 0xffffffff,
	};
}

#endif /* URING_USER_DATA_H */
