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

	/* its last entry links to what was free after it, as before */
	vq->free_head = entry;
	put(&region(vq)->free_head, entry);
	put(&region(vq)->old_free_head, entry);
	put(&region(vq)->desc[entry].inflight, 0);
}

void inflight_packed_fill(struct vring_dev *vq, uint16_t id)
{
	const struct vring_dev_slot *slot = &vq->slots[id];

	vq->links[slot->last] = vq->free_head;
	put(&region(vq)->desc[slot->last].next, vq->free_head);
	vq->free_head = slot->entry;
	put(&region(vq)->free_head, slot->entry);
	put(&region(vq)->used_wrap_counter, vq->used_wrap);
	/* what says that an update is under way, last */
	put(&region(vq)->used_idx, vq->used_idx);
}

static void commit(struct vring_dev *vq)
{
	put(&region(vq)->old_free_head, get(&region(vq)->free_head));
	put(&region(vq)->old_used_wrap_counter, get(&region(vq)->used_wrap_counter));
	put(&region(vq)->old_used_idx, get(&region(vq)->used_idx));
}

void inflight_packed_published(struct vring_dev *vq, uint16_t id)
{
	put(&region(vq)->desc[vq->slots[id].entry].inflight, 0);
	commit(vq);
}

int inflight_packed_read(const struct vring_dev *vq, uint16_t entry, struct desc *desc)
{
	const struct vring_inflight_packed_desc *e = &region(vq)->desc[entry];

	if (entry >= vq->ring.num)
		return -EPROTO;
	*desc = (struct desc){
		.addr = get(&e->addr),
		.len = get(&e->len),
		.flags = get(&e->flags),
		.next = get(&e->id),
	};
	return 0;
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
	put(&region(vq)->used_idx, vq->used_idx);
	put(&region(vq)->used_wrap_counter, vq->used_wrap);
	commit(vq);
	put(&region(vq)->version, VRING_INFLIGHT_VERSION);
}

/* Decides about an update that was under way: it is done if the driver can see it. */
static int settle(struct vring_dev *vq)
{
	uint16_t old_idx = get(&region(vq)->old_used_idx);
	bool old_wrap = get(&region(vq)->old_used_wrap_counter);
	uint16_t idx = get(&region(vq)->used_idx);

	if (old_idx >= vq->ring.num || idx >= vq->ring.num)
		return -EPROTO;
	if (idx != old_idx || get(&region(vq)->used_wrap_counter) != old_wrap) {
		uint16_t flags = load_acquire_16(&vq->ring.ring[old_idx].flags);

		if (!packed_is_available(flags, old_wrap))
			commit(vq);
	}
	vq->used_idx = get(&region(vq)->old_used_idx);
	vq->used_wrap = get(&region(vq)->old_used_wrap_counter);
	vq->free_head = get(&region(vq)->old_free_head);
	put(&region(vq)->used_idx, vq->used_idx);
	put(&region(vq)->used_wrap_counter, vq->used_wrap);
	put(&region(vq)->free_head, vq->free_head);
	return vq->used_idx < vq->ring.num ? 0 : -EPROTO;
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
