/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who signals an eventfd.
 *
 * Known at the entry of eventfd_signal_mask() and eventfd_write(), by the address
 * they return to; needed later, when the signal has succeeded. In between it is a
 * note at the eventfd.
 *
 * An address is looked up once, by its symbol, and remembered. There are few: a
 * handful of call sites signal eventfds. Two that share a place in the table are
 * looked up again and again: it is large, so that this hardly is.
 */
#ifndef _VRINGLAB_SOURCE_H
#define _VRINGLAB_SOURCE_H

#include <linux/atomic.h>
#include <linux/hash.h>
#include <linux/preempt.h>
#include <linux/sched.h>

#include "vringlab.h"

/*
 * One word an address, so that it is read and written whole. A kernel address
 * has its upper bits set; the low end of the shifted word holds the source.
 */
#define VL_SOURCE_BITS 3
#define VL_SOURCES_BITS 10

extern unsigned long vl_sources[1 << VL_SOURCES_BITS];

/*
 * The first of KVM's that was looked up, nearly always ioeventfd_write()'s, so that the
 * kicks of guests need no look. 0 while there is none.
 */
extern unsigned long vl_source_kvm_ip;

static inline unsigned long vl_source_word(unsigned long ip, enum vl_source source)
{
	return ip << VL_SOURCE_BITS | source;
}

/*
 * A note is who is about to signal: the task, in the next bits the context it runs
 * in, for an interrupt may come and signal as well; and the source. 0: none.
 */
#define VL_NOTE_WHO (~((1UL << VL_SOURCE_BITS) - 1))

void vl_source_note_more(struct vl_eventfd *eventfd, unsigned long ip) __cold;
enum vl_source vl_source_take_more(struct vl_eventfd *eventfd) __cold;

/* No source if it is not known. */
static __always_inline unsigned long vl_source_look_up(unsigned long ip)
{
	return READ_ONCE(vl_sources[hash_long(ip, VL_SOURCES_BITS)]) - vl_source_word(ip, 0);
}

static __always_inline bool vl_source_try_note(struct vl_eventfd *eventfd, unsigned long source)
{
	unsigned long none = 0;

	return in_task() && source < 1UL << VL_SOURCE_BITS &&
	       try_cmpxchg(&eventfd->notes[0], &none, (unsigned long)current | source);
}

/**
 * vl_source_note() - Somebody is about to signal an eventfd
 * @eventfd:	Which.
 * @ip:		Where the function that signals it returns to.
 * @kernel:	That is kernel code, not a writer's.
 */
static __always_inline void vl_source_note(struct vl_eventfd *eventfd, unsigned long ip,
					   bool kernel)
{
	bool noted;

	/* Racy: one that is just being learnt or forgotten is looked up. */
	if (kernel && likely(ip == data_race(vl_source_kvm_ip)))
		noted = vl_source_try_note(eventfd, VL_SOURCE_KVM);
	else
		noted = vl_source_try_note(eventfd, vl_source_look_up(ip));
	if (unlikely(!noted))
		vl_source_note_more(eventfd, ip);
}

/* Of an eventfd that the caller signals right now: was it noted, and first of all? */
static __always_inline bool vl_source_take_if(struct vl_eventfd *eventfd, enum vl_source source)
{
	unsigned long note = (unsigned long)current | source;

	/* Racy: whatever it is instead, only our own note counts. */
	if (unlikely(!in_task() || data_race(eventfd->notes[0]) != note))
		return false;

	WRITE_ONCE(eventfd->notes[0], 0);
	return true;
}

/**
 * vl_source_take() - Who signals an eventfd, which the caller does right now
 * @eventfd:	Which.
 * @source:	Set on success.
 *
 * Return: false if vl_source_take_more() is to be asked
 */
static __always_inline bool vl_source_take(struct vl_eventfd *eventfd, enum vl_source *source)
{
	unsigned long note = READ_ONCE(eventfd->notes[0]) - (unsigned long)current;

	if (unlikely(!in_task() || note >= 1UL << VL_SOURCE_BITS))
		return false;

	WRITE_ONCE(eventfd->notes[0], 0);
	*source = note;
	return true;
}

#endif /* _VRINGLAB_SOURCE_H */
