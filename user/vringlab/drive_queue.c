// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include <vringlab/err.h>
#include <vringlab/fd.h>

#include "drive.h"

#define PAGE 4096u

static uint64_t align_up(uint64_t value)
{
	return (value + PAGE - 1) & ~(uint64_t)(PAGE - 1);
}

static uint64_t layout_bytes(const struct drive_options *opt)
{
	return align_up(vring_layout_bytes(opt->num, opt->packed));
}

/* The ring, then its indirect tables. */
uint64_t drive_ring_bytes(const struct drive_options *opt)
{
	return layout_bytes(opt) + align_up(opt->num * DRIVE_BUFS_MAX * sizeof(struct vring_desc));
}

/* Requests go on while a region empties: the others have slots enough. */
static unsigned int nr_slots(const struct drive_options *opt, unsigned int depth)
{
	unsigned int others = opt->hotplug > 1 ? opt->hotplug - 1 : 1;

	return opt->hotplug && depth ? depth + opt->hotplug + depth / others : depth;
}

static unsigned int depth_of(const struct drive_options *opt, bool supplies)
{
	if (!opt->kind->paired)
		return opt->depth;
	if (supplies)
		return opt->mode == DRIVE_TRANSMIT ? 0 : opt->num;
	return opt->mode == DRIVE_RECEIVE ? 0 : opt->depth;
}

void drive_queues_plan(struct drive *d)
{
	const struct drive_options *opt = d->opt;
	bool paired = opt->kind->paired;

	d->nr_queues = paired ? 2 * opt->pairs : 1;
	for (unsigned int i = 0; i < d->nr_queues; i++) {
		struct drive_queue *q = &d->queues[i];

		q->index = (paired ? 2 * opt->queue : opt->queue) + i;
		q->supplies = paired && i % 2 == 0;
		q->depth = depth_of(opt, q->supplies);
		q->nr_slots = nr_slots(opt, q->depth);
		q->slot_bytes = opt->kind->slot_bytes(opt, q->supplies);
		q->kick = -1;
		q->call = -1;
	}
}

static int make_tables(struct drive_queue *q, unsigned int num)
{
	q->drv_slots = calloc(num, sizeof(*q->drv_slots));
	q->requests = calloc(num, sizeof(*q->requests));
	q->free_slots = calloc(q->nr_slots + 1, sizeof(*q->free_slots));
	if (!q->drv_slots || !q->requests || !q->free_slots)
		return -ENOMEM;
	for (unsigned int i = q->nr_slots; i--;)
		q->free_slots[q->nr_free++] = i;
	return 0;
}

static int create(struct drive *d, struct drive_queue *q)
{
	const struct drive_options *opt = d->opt;
	uint8_t *ring = d->regions[0].host + q->ring_offset;
	uint8_t *tables = ring + layout_bytes(opt);
	struct vring_drv_config config = {
		.ring = vring_layout_host(opt->num, opt->packed, ring),
		.features = drive_options_features(opt),
		.indirect = (struct vring_desc *)tables,
		.indirect_gpa = d->regions[0].gpa + (uint64_t)(tables - d->regions[0].host),
		.indirect_max = DRIVE_BUFS_MAX,
	};
	int ret = make_tables(q, opt->num);

	if (ret)
		return ret;
	q->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	q->call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (q->kick < 0 || q->call < 0)
		return -errno;
	config.slots = q->drv_slots;
	q->layout = config.ring;
	vring_drv_init(&q->drv, &config);
	return 0;
}

int drive_queues_create(struct drive *d, struct vl_err *err)
{
	for (unsigned int i = 0; i < d->nr_queues; i++) {
		int ret = create(d, &d->queues[i]);

		if (ret)
			return vl_err_set(err, ret, "cannot make virtqueue %u: %s",
					  d->queues[i].index, vl_strerror(ret));
	}
	return 0;
}

void drive_queues_destroy(struct drive *d)
{
	for (unsigned int i = 0; i < d->nr_queues; i++) {
		struct drive_queue *q = &d->queues[i];

		vl_fd_close(&q->kick);
		vl_fd_close(&q->call);
		free(q->drv_slots);
		free(q->requests);
		free(q->free_slots);
	}
}

static uint64_t user_addr(const struct drive *d, const void *host)
{
	return drive_region(d, 0).user_addr +
	       (uint64_t)((const uint8_t *)host - d->regions[0].host);
}

struct vu_frontend_vring drive_vring(const struct drive *d, const struct drive_queue *q)
{
	const struct vring_layout *l = &q->layout;
	bool packed = d->opt->packed;

	return (struct vu_frontend_vring){
		.index = q->index,
		.num = d->opt->num,
		.base = vring_drv_base(&q->drv),
		.desc = user_addr(d, packed ? (void *)l->ring : (void *)l->desc),
		.avail = user_addr(d, packed ? (void *)l->driver : (void *)l->avail),
		.used = user_addr(d, packed ? (void *)l->device : (void *)l->used),
		.kick_fd = q->kick,
		.call_fd = q->call,
	};
}

/* Slots of a region that leaves come back with it. */
void drive_slot_free(struct drive *d, struct drive_queue *q, unsigned int slot)
{
	struct drive_region *region = drive_slot_region(d, slot);

	region->busy--;
	if (!region->leaving)
		q->free_slots[q->nr_free++] = slot;
}
