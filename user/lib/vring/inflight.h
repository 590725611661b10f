/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fields of an inflight region, and what both formats need to recover.
 */
#ifndef VRINGLAB_LIB_VRING_INFLIGHT_H
#define VRINGLAB_LIB_VRING_INFLIGHT_H

#include <vringlab/vring_inflight.h>

#include "dev.h"

/*
 * In the byte order of the machine, like all of vhost-user. A put is seen after
 * those before it, by whoever looks when this process is gone.
 */
#define get(field) __atomic_load_n(field, __ATOMIC_RELAXED)
#define put(field, value) __atomic_store_n(field, value, __ATOMIC_RELEASE)

/* What was in flight. */
struct inflight_head {
	uint64_t counter;
	uint16_t entry;
	uint16_t nr_descs;
};

/* Makes them what is popped first, by their counters; @heads gets sorted. */
void inflight_sort(struct vring_dev *vq, struct inflight_head *heads, unsigned int nr);

#endif /* VRINGLAB_LIB_VRING_INFLIGHT_H */
