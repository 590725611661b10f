// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who signals an eventfd.
 *
 * Known at the entry of eventfd_signal_mask() and eventfd_write(), by the address
 * they return to; needed later, when the signal has succeeded. In between it is a
 * note of the task's.
 *
 * An address is looked up once, by its symbol, and remembered. There are few: a
 * handful of call sites signal eventfds.
 */
#include "vringlab.h"

#include <linux/atomic.h>
#include <linux/hash.h>
#include <linux/kallsyms.h>
#include <linux/sched.h>
#include <linux/string.h>

/*
 * One word an address, so that it is read and written whole. A kernel address
 * has its upper bits set; the low end of the shifted word holds the source.
 */
#define SOURCE_BITS 3
#define TABLE_BITS 6

static unsigned long table[1 << TABLE_BITS];

/**
 * struct note - That a task is about to signal an eventfd
 * @who:	The task, and in the low bits the context it runs in.
 * @what:	The eventfd, and in the low bits enum vl_source.
 *
 * Both pointers are to objects aligned to 8 at least. A write that fails leaves its
 * note behind, until the task's next; so a set may be full of old ones, and
 * the newest takes any.
 */
struct note {
	unsigned long who;
	unsigned long what;
};

#define NOTE_SET_BITS 8
#define NOTE_WAYS 4
#define NOTE_MASK 7UL

static struct note notes[1 << NOTE_SET_BITS][NOTE_WAYS];

/* kallsyms prints "name+0x1/0x2 [module]". */
static noinline enum vl_source classify(unsigned long ip)
{
	char symbol[KSYM_SYMBOL_LEN];
	const char *module;

	sprint_symbol(symbol, ip);
	module = strchr(symbol, '[');

	if (module ? strstarts(module, "[vhost") : strstarts(symbol, "vhost_"))
		return VL_SOURCE_VHOST;
	if (module ? strstarts(module, "[kvm]") : strstarts(symbol, "ioeventfd_write+"))
		return VL_SOURCE_KVM;
	if (module)
		return VL_SOURCE_OTHER;
	/* A callee may be inlined into its caller, or have a compiler's suffix. */
	if (strstarts(symbol, "loop_rw_iter") || strstarts(symbol, "io_write"))
		return VL_SOURCE_IO_URING;
	if (strstarts(symbol, "vfs_write") || strstarts(symbol, "do_iter_write") ||
	    strstarts(symbol, "do_loop_readv_writev"))
		return VL_SOURCE_WRITE;

	return VL_SOURCE_OTHER;
}

static enum vl_source source_of(unsigned long ip)
{
	unsigned long *slot = &table[hash_long(ip, TABLE_BITS)];
	unsigned long word = READ_ONCE(*slot);
	enum vl_source source;

	if (likely(word >> SOURCE_BITS == ip << SOURCE_BITS >> SOURCE_BITS))
		return word & ((1UL << SOURCE_BITS) - 1);

	source = classify(ip);
	WRITE_ONCE(*slot, ip << SOURCE_BITS | source);

	return source;
}

/*
 * When a module goes, its addresses may become another's. None of its code runs
 * by then, so none comes back in between.
 */
void vl_source_forget(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(table); i++)
		WRITE_ONCE(table[i], 0);
}

/* A task, and each interrupt on top of it, signals one eventfd at a time. */
static unsigned long me(void)
{
	unsigned int context = in_hardirq() ? 2 : in_serving_softirq() ? 1 : 0;

	return (unsigned long)current | context;
}

static struct note *note_set(unsigned long who)
{
	return notes[hash_long(who, NOTE_SET_BITS)];
}

static struct note *note_find(unsigned long who)
{
	struct note *set = note_set(who);
	unsigned int i;

	for (i = 0; i < NOTE_WAYS; i++)
		if (READ_ONCE(set[i].who) == who)
			return &set[i];

	return NULL;
}

static struct note *note_claim(unsigned long who)
{
	struct note *set = note_set(who);
	unsigned int i;

	for (i = 0; i < NOTE_WAYS; i++)
		if (!READ_ONCE(set[i].who) && !cmpxchg(&set[i].who, 0, who))
			return &set[i];

	i = hash_long(who, 32) % NOTE_WAYS;
	WRITE_ONCE(set[i].who, who);
	return &set[i];
}

void vl_source_note(struct eventfd_ctx *ctx, unsigned long caller)
{
	unsigned long who = me();
	struct note *note = note_find(who) ?: note_claim(who);

	WRITE_ONCE(note->what, (unsigned long)ctx | source_of(caller));
}

/*
 * Return: who signals the eventfd, which the caller does right now
 *
 * That a note was taken by another, and the signal is of source "other", needs
 * more than NOTE_WAYS tasks of one set to be between note and signal at once.
 */
enum vl_source vl_source_take(struct eventfd_ctx *ctx)
{
	struct note *note = note_find(me());
	unsigned long what;

	if (!note)
		return VL_SOURCE_OTHER;

	what = READ_ONCE(note->what);
	WRITE_ONCE(note->who, 0);

	return (what & ~NOTE_MASK) == (unsigned long)ctx ? what & NOTE_MASK : VL_SOURCE_OTHER;
}
