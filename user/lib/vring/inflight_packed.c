// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The region of a packed virtqueue. It holds the descriptors themselves, because in
 * the ring they are overwritten by what is used.
 *
 * Entries that are free are a list that ends with the queue size; those of a chain
 * are linked from its head. Our own copy of the links is what is followed: the
 * front-end may change the region's.
 */
#include <stdlib.h>
#include <string.h>

#include "inflight.h"

static struct vring_inflight_packed *region(const struct vring_dev *vq)
{
	return vq->inflight;
}

void inflight_packed_record(struct vring_dev *vq, unsigned int at, const struct desc *desc)
{
	struct vring_inflight_packed_desc *entry;

	/* free entries are as many as descriptors that are not out */
	vq->record_last = at ? vq->links[vq->record_last] : vq->free_head;
	entry = &region(vq)->desc[vq->record_last];
	put(&entry->addr, desc->addr);
	put(&entry->len, desc->len);
	put(&entry->flags, desc->flags);
	put(&entry->id, desc->next);
}

void inflight_packed_take(struct vring_dev *vq, uint16_t id, unsigned int nr)
{
	struct vring_inflight_packed_desc *head = &region(vq)->desc[vq->free_head];
	struct vring_dev_slot *slot = &vq->slots[id];

	slot->entry = vq->free_head;
	slot->last = vq->record_last;
	put(&head->num, nr);
	put(&head->last, vq->record_last);
	put(&head->counter, vq->counter++);
	put(&head->inflight, 1);
	vq->free_head = vq->links[vq->record_last];
	put(&region(vq)->free_head, vq->free_head);
	/* from here on it is taken: before it, it would be found in the free list */
	put(&region(vq)->old_free_head, vq->free_head);
}

void inflight_packed_untake(struct vring_dev *vq, uint16_t id)
{
	uint16_t entry = vq->slots[id].entry;

	/* what was free after it may have been taken, and more may have become free */
	vq->links[vq->slots[id].last] = vq->free_head;
	put(&region(vq)->desc[vq->slots[id].last].next, vq->free_head);
	vq->free_head = entry;
	put(&region(vq)->free_head, entry);
	put(&region(vq)->old_free_head, entry);
	put(&region(vq)->desc[entry].inflight, 0);
}

/*
 * Both positions of the used ring lie in one aligned word, and are stored as one: a
 * wrap counter without its position would be that of another lap, and the flags
 * that are there then say nothing about the update.
 */
struct position {
	uint16_t used_idx;
	uint16_t old_used_idx;
	uint8_t used_wrap;
	uint8_t old_used_wrap;
	uint8_t padding[2];
};

_Static_assert(offsetof(struct vring_inflight_packed, used_idx) % sizeof(uint64_t) == 0,
	       "positions in one word");
_Static_assert(sizeof(struct position) == sizeof(uint64_t), "positions in one word");

static struct position get_position(const struct vring_dev *vq)
{
	uint64_t word = get((uint64_t *)&region(vq)->used_idx);
	struct position at;

	memcpy(&at, &word, sizeof(at));
	return at;
}

static void put_position(struct vring_dev *vq, struct position at)
{
	uint64_t word;

	memcpy(&word, &at, sizeof(word));
	put((uint64_t *)&region(vq)->used_idx, word);
}

/* What was under way is done: first the list, then what says that it is under way. */
static void commit(struct vring_dev *vq, uint16_t used_idx, bool used_wrap)
{
	put(&region(vq)->old_free_head, vq->free_head);
	put_position(vq, (struct position){
				 .used_idx = used_idx,
				 .old_used_idx = used_idx,
				 .used_wrap = used_wrap,
				 .old_used_wrap = used_wrap,
			 });
}

/* Before it is published: @used_idx and @used_wrap are what comes after it. */
void inflight_packed_fill(struct vring_dev *vq, uint16_t id, uint16_t used_idx, bool used_wrap)
{
	const struct vring_dev_slot *slot = &vq->slots[id];

	vq->links[slot->last] = vq->free_head;
	put(&region(vq)->desc[slot->last].next, vq->free_head);
	vq->free_head = slot->entry;
	put(&region(vq)->free_head, slot->entry);
	put_position(vq, (struct position){
				 .used_idx = used_idx,
				 .old_used_idx = vq->used_idx,
				 .used_wrap = used_wrap,
				 .old_used_wrap = vq->used_wrap,
			 });
}

void inflight_packed_published(struct vring_dev *vq, uint16_t id)
{
	put(&region(vq)->desc[vq->slots[id].entry].inflight, 0);
	commit(vq, vq->used_idx, vq->used_wrap);
}

void inflight_packed_read(const struct vring_dev *vq, uint16_t entry, struct desc *desc)
{
	const struct vring_inflight_packed_desc *e = &region(vq)->desc[entry];

	*desc = (struct desc){
		.addr = get(&e->addr),
		.len = get(&e->len),
		.flags = get(&e->flags),
		.next = get(&e->id),
	};
}

static void start(struct vring_dev *vq)
{
	for (unsigned int i = 0; i < vq->ring.num; i++) {
		vq->links[i] = i + 1;
		put(&region(vq)->desc[i].next, i + 1);
		put(&region(vq)->desc[i].inflight, 0);
	}
	vq->free_head = 0;
	put(&region(vq)->features, 0);
	put(&region(vq)->desc_num, vq->ring.num);
	put(&region(vq)->free_head, 0);
	commit(vq, vq->used_idx, vq->used_wrap);
	put(&region(vq)->version, VRING_INFLIGHT_VERSION);
}

/* Decides about an update that was under way: it is done if the driver can see it. */
static int settle(struct vring_dev *vq)
{
	struct position at = get_position(vq);
	bool done = false;

	if (at.old_used_idx >= vq->ring.num || at.used_idx >= vq->ring.num ||
	    at.old_used_wrap > 1 || at.used_wrap > 1)
		return -EPROTO;
	/*
	 * The driver may have gone on since, but not so far that the old position
	 * would be available in the old lap again.
	 */
	if (at.used_idx != at.old_used_idx || at.used_wrap != at.old_used_wrap)
		done = !packed_is_available(load_acquire_16(&vq->ring.ring[at.old_used_idx].flags),
					    at.old_used_wrap);
	vq->used_idx = done ? at.used_idx : at.old_used_idx;
	vq->used_wrap = done ? at.used_wrap : at.old_used_wrap;
	vq->free_head = done ? get(&region(vq)->free_head) : get(&region(vq)->old_free_head);
	commit(vq, vq->used_idx, vq->used_wrap);
	put(&region(vq)->free_head, vq->free_head);
	return 0;
}

/* Every entry is in one list only. */
static bool visit(const struct vring_dev *vq, bool *seen, uint16_t entry)
{
	if (entry >= vq->ring.num || seen[entry])
		return false;
	seen[entry] = true;
	return true;
}

static int clear_free(struct vring_dev *vq, bool *seen)
{
	for (uint16_t e = vq->free_head; e != vq->ring.num; e = vq->links[e]) {
		if (!visit(vq, seen, e))
			return -EPROTO;
		put(&region(vq)->desc[e].inflight, 0);
	}
	return 0;
}

static int find_heads(struct vring_dev *vq, bool *seen, struct inflight_head *heads)
{
	unsigned int nr = 0;

	for (unsigned int i = 0; i < vq->ring.num; i++) {
		const struct vring_inflight_packed_desc *head = &region(vq)->desc[i];
		struct inflight_head found = { .entry = i };
		uint16_t entry = i;

		if (seen[i] || !get(&head->inflight))
			continue;
		found.counter = get(&head->counter);
		found.nr_descs = get(&head->num);
		if (!found.nr_descs)
			return -EPROTO;
		for (unsigned int n = 0; n < found.nr_descs; n++) {
			if (!visit(vq, seen, entry))
				return -EPROTO;
			entry = vq->links[entry];
		}
		vq->descs_out += found.nr_descs;
		heads[nr++] = found;
	}
	inflight_sort(vq, heads, nr);
	return 0;
}

static int recover(struct vring_dev *vq)
{
	struct inflight_head *heads = calloc(vq->ring.num, sizeof(*heads));
	bool *seen = calloc(vq->ring.num, sizeof(*seen));
	int ret = heads && seen ? 0 : -ENOMEM;

	vq->descs_out = 0;
	for (unsigned int i = 0; i < vq->ring.num; i++)
		vq->links[i] = get(&region(vq)->desc[i].next);
	if (!ret)
		ret = clear_free(vq, seen);
	if (!ret)
		ret = find_heads(vq, seen, heads);
	/* entries in no list would be missing when descriptors need them */
	for (unsigned int i = 0; !ret && i < vq->ring.num; i++)
		if (!seen[i])
			ret = -EPROTO;
	free(heads);
	free(seen);
	/* the positions that the region has, not those that the front-end gave */
	vq->avail_idx = vq->used_idx;
	vq->avail_wrap = vq->used_wrap;
	if (!ret)
		packed_advance(vq, &vq->avail_idx, &vq->avail_wrap, vq->descs_out);
	return ret;
}

int inflight_packed_init(struct vring_dev *vq)
{
	uint16_t version = get(&region(vq)->version);
	int ret;

	if (!version) {
		start(vq);
		return 0;
	}
	if (version != VRING_INFLIGHT_VERSION)
		return -EPROTO;
	if (get(&region(vq)->desc_num) != vq->ring.num)
		return -EINVAL;
	ret = settle(vq);
	return ret ? ret : recover(vq);
}
