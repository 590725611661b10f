// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who signals an eventfd: the rare half of source.h.
 */
#include "source.h"

#include <linux/atomic.h>
#include <linux/kallsyms.h>
#include <linux/kernel.h>
#include <linux/string.h>

unsigned long vl_sources[1 << VL_SOURCES_BITS];
unsigned long vl_source_kvm_ip;

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
	unsigned long *word = &vl_sources[hash_long(ip, VL_SOURCES_BITS)];
	unsigned long source = READ_ONCE(*word) - vl_source_word(ip, 0);

	if (source < 1UL << VL_SOURCE_BITS)
		return source;

	source = classify(ip);
	WRITE_ONCE(*word, vl_source_word(ip, source));
	if (source == VL_SOURCE_KVM && !READ_ONCE(vl_source_kvm_ip))
		WRITE_ONCE(vl_source_kvm_ip, ip);
	return source;
}

/*
 * When a module goes, its addresses may become another's. None of its code runs
 * by then, so none comes back in between.
 */
void vl_source_forget(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(vl_sources); i++)
		WRITE_ONCE(vl_sources[i], 0);
	WRITE_ONCE(vl_source_kvm_ip, 0);
}

/* A task, and each interrupt on top of it, signals one eventfd at a time. */
static unsigned long me(void)
{
	unsigned long who = (unsigned long)current;

	BUILD_BUG_ON(__alignof__(struct task_struct) < 4UL << VL_SOURCE_BITS);
	if (!in_task())
		who |= (in_hardirq() ? 2 : 1) << VL_SOURCE_BITS;
	return who;
}

static unsigned long *note_of(struct vl_eventfd *eventfd, unsigned long who)
{
	unsigned int i;

	for (i = 0; i < VL_NOTES; i++)
		if ((READ_ONCE(eventfd->notes[i]) & VL_NOTE_WHO) == who)
			return &eventfd->notes[i];

	return NULL;
}

/*
 * In the place of an old note of the same, which a write that failed has left;
 * else where it is free; else in the place of another's, whose signal is then of
 * source "other". For that, as many as there are places must be between note and
 * signal at once, or their writes have failed and none of them wrote since.
 */
void vl_source_note_more(struct vl_eventfd *eventfd, unsigned long ip)
{
	unsigned long who = me(), *note = note_of(eventfd, who);
	enum vl_source source = source_of(ip);
	unsigned int i;

	for (i = 0; i < VL_NOTES && !note; i++)
		if (!READ_ONCE(eventfd->notes[i]) && !cmpxchg(&eventfd->notes[i], 0, who | source))
			return;

	if (!note)
		note = &eventfd->notes[hash_long(who, 32) % VL_NOTES];
	WRITE_ONCE(*note, who | source);
}

enum vl_source vl_source_take_more(struct vl_eventfd *eventfd)
{
	unsigned long *note = note_of(eventfd, me());
	unsigned long word;

	if (!note)
		return VL_SOURCE_OTHER;

	word = READ_ONCE(*note);
	WRITE_ONCE(*note, 0);
	return word & ~VL_NOTE_WHO;
}
