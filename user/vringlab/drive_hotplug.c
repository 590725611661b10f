// SPDX-License-Identifier: GPL-2.0-only
/*
 * Under load one region after the other empties, is taken from the back-end, becomes
 * another file or moves as well, and is handed over again. Who still reads or writes
 * the old one has other contents than are verified.
 */
#include <errno.h>

#include <vringlab/err.h>

#include "drive.h"

/* From a region that came to the next one that leaves. */
#define GAP_NS 1000000u

int drive_hotplug_check(struct drive *d, struct vl_err *err)
{
	unsigned int max;
	int ret;

	if (!d->opt->hotplug)
		return 0;
	ret = vu_frontend_max_regions(d->session.fe, &max, err);
	if (ret || d->nr_regions <= max)
		return ret;
	return vl_err_set(err, -ENOTSUP,
			  "--hotplug: the back-end takes %u regions of memory, not %u", max,
			  d->nr_regions);
}

static void keep_free(struct drive *d, struct drive_queue *q, const struct drive_region *region)
{
	unsigned int nr = 0;

	for (unsigned int i = 0; i < q->nr_free; i++)
		if (drive_slot_region(d, q->free_slots[i]) != region)
			q->free_slots[nr++] = q->free_slots[i];
	q->nr_free = nr;
}

static void begin(struct drive *d, struct drive_region *region)
{
	region->leaving = true;
	for (unsigned int i = 0; i < d->nr_queues; i++)
		keep_free(d, &d->queues[i], region);
}

static void release(struct drive *d, struct drive_region *region)
{
	region->leaving = false;
	for (unsigned int i = 0; i < d->nr_queues; i++) {
		struct drive_queue *q = &d->queues[i];

		for (unsigned int slot = 0; slot < q->nr_slots; slot++)
			if (drive_slot_region(d, slot) == region)
				q->free_slots[q->nr_free++] = slot;
	}
}

/* A back-end that is lost meanwhile: the next one gets what is plugged. */
static int replug(struct drive *d, unsigned int index, struct vl_err *err)
{
	struct drive_region *region = &d->regions[index];
	struct vu_frontend_region old = drive_region(d, index), new;
	int ret, lost;

	region->plugged = false;
	lost = vu_frontend_remove_region(d->session.fe, &old, err);
	if (lost && !vu_session_may_retry(&d->session, lost))
		return lost;
	d->stats.hotplugs++;
	ret = drive_region_renew(d, index, err);
	if (ret)
		return ret;
	region->plugged = true;
	new = drive_region(d, index);
	if (!lost)
		lost = vu_frontend_add_region(d->session.fe, &new, err);
	if (lost && !vu_session_may_retry(&d->session, lost))
		return lost;
	release(d, region);
	return lost ? vu_session_reconnect(&d->session, err) : 0;
}

int drive_hotplug(struct drive *d, uint64_t now_ns, struct vl_err *err)
{
	unsigned int index = 1 + d->next_region;
	struct drive_region *region = &d->regions[index];
	int ret;

	if (!d->opt->hotplug || now_ns < d->hotplug_ns)
		return 0;
	if (!region->leaving)
		begin(d, region);
	if (region->busy)
		return 0;
	ret = replug(d, index, err);
	d->next_region = (d->next_region + 1) % d->opt->hotplug;
	d->hotplug_ns = now_ns + GAP_NS;
	return ret;
}
