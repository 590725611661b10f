// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>

#include "inflight.h"

static int by_counter(const void *a, const void *b)
{
	const struct inflight_head *x = a, *y = b;

	if (x->counter != y->counter)
		return x->counter < y->counter ? -1 : 1;
	return x->entry < y->entry ? -1 : x->entry > y->entry;
}

void inflight_sort(struct vring_dev *vq, struct inflight_head *heads, unsigned int nr)
{
	qsort(heads, nr, sizeof(*heads), by_counter);
	for (unsigned int i = 0; i < nr; i++) {
		vq->recovered[i].entry = heads[i].entry;
		vq->recovered[i].nr_descs = heads[i].nr_descs;
	}
	vq->recovered_nr = nr;
	vq->recovered_next = 0;
	/* a counter that the front-end made up may be the last one there is */
	vq->counter = nr ? heads[nr - 1].counter + 1 : 0;
}
