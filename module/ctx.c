// SPDX-License-Identifier: GPL-2.0-only
/*
 * Eventfd contexts of which no file is known.
 *
 * KVM and vhost keep an eventfd's context, and no header says where its reference
 * count and its wait queue are. Both are measured, on any eventfd of which there
 * is a file: its poll tells the wait queue, and the count is the one word before
 * it that goes up and down with each reference taken and dropped. Until then such
 * contexts are left alone.
 */
#include "found.h"

#include <linux/eventfd.h>
#include <linux/fs.h>
#include <linux/kref.h>
#include <linux/mutex.h>
#include <linux/uaccess.h>

/* Offsets in an eventfd's context; wait_queue is 0 until both are known. */
static unsigned int wait_queue;
static unsigned int count;

#define WORDS 16
#define ROUNDS 8

struct sight {
	poll_table pt;
	wait_queue_head_t *wqh;
};

static void see(struct file *file, wait_queue_head_t *wqh, poll_table *pt)
{
	container_of(pt, struct sight, pt)->wqh = wqh;
}

static unsigned long wait_queue_offset(struct file *file)
{
	struct sight sight = {};

	init_poll_funcptr(&sight.pt, see);
	vfs_poll(file, &sight.pt);

	return sight.wqh ? (unsigned long)sight.wqh - (unsigned long)file->private_data : 0;
}

static void read_words(const u32 *from, u32 *to, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		to[i] = READ_ONCE(from[i]);
}

/*
 * Others may take and drop references in the meantime; then there is no
 * candidate left, and the next file is asked.
 */
static unsigned long counting_words(struct file *file, unsigned int nr)
{
	u32 before[WORDS], taken[WORDS], after[WORDS];
	unsigned long candidates = GENMASK(nr - 1, 0);
	unsigned int i, round;

	for (round = 0; round < ROUNDS; round++) {
		struct eventfd_ctx *ctx;

		read_words(file->private_data, before, nr);
		ctx = eventfd_ctx_fileget(file);
		if (IS_ERR(ctx))
			return 0;
		read_words(file->private_data, taken, nr);
		eventfd_ctx_put(ctx);
		read_words(file->private_data, after, nr);

		for (i = 0; i < nr; i++)
			if (taken[i] != before[i] + 1 || after[i] != before[i])
				__clear_bit(i, &candidates);
	}

	return candidates;
}

/* @file: an eventfd's. */
void vl_ctx_measure(struct file *file)
{
	unsigned long offset, candidates;

	lockdep_assert_held(&vl_vrings_lock);

	if (vl_ctx_measured())
		return;

	offset = wait_queue_offset(file);
	if (offset < sizeof(u32) || offset > WORDS * sizeof(u32))
		return;

	candidates = counting_words(file, offset / sizeof(u32));
	if (hweight_long(candidates) != 1)
		return;

	count = __ffs(candidates) * sizeof(u32);
	/* Whoever sees the one sees the other. */
	smp_store_release(&wait_queue, offset);
}

bool vl_ctx_measured(void)
{
	/* Pairs with vl_ctx_measure(). */
	return smp_load_acquire(&wait_queue);
}

/* So that just one of the many hits in the meantime asks for it. */
static unsigned long asked;

static void apply_seen(struct vl_found *found)
{
	vl_ctx_measure(found->file);
	clear_bit(0, &asked);
}

/* A handler has an eventfd's file. */
void vl_ctx_seen(struct file *file)
{
	struct vl_found *found;

	if (vl_ctx_measured() || test_and_set_bit(0, &asked))
		return;

	found = vl_found_get(apply_seen);
	if (!found) {
		clear_bit(0, &asked);
		return;
	}
	found->file = get_file(file);
	vl_found_post(found);
}

/* Discovery begins: what was asked when it was off may never be answered. */
void vl_ctx_begin(void)
{
	clear_bit(0, &asked);
}

/*
 * A wait queue is a list that comes back to its head. What is taken for an eventfd
 * by a wrong offset has none there. Waiters who come or go meanwhile can make it
 * look so for a moment as well.
 */
static bool looks_like_eventfd(const void *ctx)
{
	const struct list_head *head = &((const wait_queue_head_t *)(ctx + wait_queue))->head;
	struct list_head *next, *back;
	u32 references;

	return IS_ALIGNED((unsigned long)ctx, sizeof(void *)) &&
	       !get_kernel_nofault(references, (const u32 *)(ctx + count)) &&
	       !get_kernel_nofault(next, &head->next) && !get_kernel_nofault(back, &next->prev) &&
	       back == head;
}

/*
 * Take a reference of an eventfd that the caller knows to be alive, if it is one.
 * Callable from handlers.
 *
 * Return: false where references cannot be taken yet, or it is none
 */
bool vl_ctx_get(struct eventfd_ctx *ctx)
{
	if (!vl_ctx_measured() || !looks_like_eventfd(ctx))
		return false;

	return kref_get_unless_zero((void *)ctx + count);
}

/* The caller has a reference from vl_ctx_get(). */
wait_queue_head_t *vl_ctx_wait_queue(struct eventfd_ctx *ctx)
{
	return (void *)ctx + wait_queue;
}
