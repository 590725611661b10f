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

enum vl_source vl_source_learn(unsigned long ip);

static inline unsigned long vl_source_word(unsigned long ip, enum vl_source source)
{
	return ip << VL_SOURCE_BITS | source;
}

static inline enum vl_source vl_source_of(unsigned long ip)
{
	unsigned long word = READ_ONCE(vl_sources[hash_long(ip, VL_SOURCES_BITS)]);
	unsigned long source = word - vl_source_word(ip, 0);

	return likely(source < 1UL << VL_SOURCE_BITS) ? source : vl_source_learn(ip);
}

/*
 * A note is who is about to signal: the task, in the next bits the context it runs
 * in, for an interrupt may come and signal as well; and the source. 0: none.
 */
#define VL_NOTE_WHO (~((1UL << VL_SOURCE_BITS) - 1))

/* A task, and each interrupt on top of it, signals one eventfd at a time. */
static inline unsigned long vl_source_me(void)
{
	unsigned int context = in_hardirq() ? 2 : in_serving_softirq() ? 1 : 0;

	BUILD_BUG_ON(__alignof__(struct task_struct) < 4UL << VL_SOURCE_BITS);
	return (unsigned long)current | context << VL_SOURCE_BITS;
}

void vl_source_note_more(struct vl_eventfd *eventfd, unsigned long who, enum vl_source source);
enum vl_source vl_source_take_more(struct vl_eventfd *eventfd, unsigned long who);

static inline void vl_source_note(struct vl_eventfd *eventfd, enum vl_source source)
{
	unsigned long who = vl_source_me();

	if (unlikely(READ_ONCE(eventfd->notes[0]) || cmpxchg(&eventfd->notes[0], 0, who | source)))
		vl_source_note_more(eventfd, who, source);
}

/*
 * Return: who signals the eventfd, which the caller does right now
 */
static inline enum vl_source vl_source_take(struct vl_eventfd *eventfd)
{
	unsigned long who = vl_source_me();
	unsigned long source = READ_ONCE(eventfd->notes[0]) - who;

	if (unlikely(source >= 1UL << VL_SOURCE_BITS))
		return vl_source_take_more(eventfd, who);

	WRITE_ONCE(eventfd->notes[0], 0);
	return source;
}

#endif /* _VRINGLAB_SOURCE_H */
