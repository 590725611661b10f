// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The region of a split virtqueue. Whoever reads it next does so after this process
 * was killed, anywhere: each store that another one depends on comes after it.
 */
#include <stdlib.h>

#include "inflight.h"

static struct vring_inflight_split *region(const struct vring_dev *vq)
{
	return vq->inflight;
}

void inflight_split_take(struct vring_dev *vq, uint16_t head)
{
	struct vring_inflight_split_desc *desc = &region(vq)->desc[head];

	put(&desc->counter, vq->counter++);
	put(&desc->inflight, 1);
}

void inflight_split_untake(struct vring_dev *vq, uint16_t head)
{
	put(&region(vq)->desc[head].inflight, 0);
}

/*
 * The batch is a list: from last_batch_head, as many as used->idx is ahead. We keep
 * one of our own as well, for the region's can be changed by the front-end.
 */
void inflight_split_fill(struct vring_dev *vq, uint16_t head)
{
	vq->slots[head].last = vq->record_last;
	vq->record_last = head;
	put(&region(vq)->desc[head].next, get(&region(vq)->last_batch_head));
	put(&region(vq)->last_batch_head, head);
}

void inflight_split_published(struct vring_dev *vq, unsigned int nr)
{
	uint16_t head = vq->record_last;

	while (nr--) {
		put(&region(vq)->desc[head].inflight, 0);
		head = vq->slots[head].last;
	}
	put(&region(vq)->used_idx, vq->used_idx);
}

/* The batch that was published, and not yet cleared. */
static int clear_batch(struct vring_dev *vq)
{
	uint16_t nr = vq->used_idx - get(&region(vq)->used_idx);
	uint16_t head = get(&region(vq)->last_batch_head);

	if (nr > vq->ring.num)
		return -EPROTO;
	while (nr--) {
		if (head >= vq->ring.num)
			return -EPROTO;
		put(&region(vq)->desc[head].inflight, 0);
		head = get(&region(vq)->desc[head].next);
	}
	put(&region(vq)->used_idx, vq->used_idx);
	return 0;
}

static int recover(struct vring_dev *vq)
{
	struct inflight_head *heads;
	unsigned int nr = 0;
	uint16_t ahead;

	heads = calloc(vq->ring.num, sizeof(*heads));
	if (!heads)
		return -ENOMEM;
	for (unsigned int i = 0; i < vq->ring.num; i++)
		if (get(&region(vq)->desc[i].inflight))
			heads[nr++] = (struct inflight_head){
				.counter = get(&region(vq)->desc[i].counter),
				.entry = i,
			};
	inflight_sort(vq, heads, nr);
	free(heads);
	/* all of them were available, and none is used */
	ahead = load_acquire_16(&vq->ring.avail->idx) - vq->used_idx;
	if (nr > ahead)
		return -EPROTO;
	vq->avail_idx = vq->used_idx + nr;
	return 0;
}

static void start(struct vring_dev *vq)
{
	for (unsigned int i = 0; i < vq->ring.num; i++)
		put(&region(vq)->desc[i].inflight, 0);
	put(&region(vq)->features, 0);
	put(&region(vq)->desc_num, vq->ring.num);
	/* not 0 where a ring is continued, or the first batch would be taken for more */
	put(&region(vq)->used_idx, vq->used_idx);
	put(&region(vq)->version, VRING_INFLIGHT_VERSION);
}

int inflight_split_init(struct vring_dev *vq)
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
	ret = clear_batch(vq);
	return ret ? ret : recover(vq);
}
