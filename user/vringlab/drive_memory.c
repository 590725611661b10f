// SPDX-License-Identifier: GPL-2.0-only
/*
 * The first region has the rings and their indirect tables. Slots are behind them;
 * with --hotplug they are spread over regions of their own, slot after slot.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <vringlab/err.h>
#include <vringlab/fd.h>

#include "drive.h"

/* Not equal to each other nor to where it is mapped: a mix-up shows at once. */
#define GPA 0x100000000ull
#define UVA 0x10000000000ull

/* From one region to the next, and from one of its two places to the other. */
#define REGION_STEP (1ull << 38)
#define REGION_MOVE (1ull << 37)

static unsigned int first_slot_region(const struct drive *d)
{
	return d->opt->hotplug ? 1 : 0;
}

static unsigned int nr_slot_regions(const struct drive *d)
{
	return d->opt->hotplug ? d->opt->hotplug : 1;
}

static unsigned int slot_region(const struct drive *d, unsigned int slot)
{
	return first_slot_region(d) + slot % nr_slot_regions(d);
}

static uint64_t slot_offset(const struct drive *d, const struct drive_queue *q, unsigned int slot)
{
	return q->slots_offset + slot / nr_slot_regions(d) * q->slot_bytes;
}

struct drive_region *drive_slot_region(struct drive *d, unsigned int slot)
{
	return &d->regions[slot_region(d, slot)];
}

uint64_t drive_slot_gpa(const struct drive *d, const struct drive_queue *q, unsigned int slot)
{
	return d->regions[slot_region(d, slot)].gpa + slot_offset(d, q, slot);
}

uint8_t *drive_slot_host(const struct drive *d, const struct drive_queue *q, unsigned int slot)
{
	return d->regions[slot_region(d, slot)].host + slot_offset(d, q, slot);
}

struct vu_frontend_region drive_region(const struct drive *d, unsigned int index)
{
	const struct drive_region *r = &d->regions[index];

	return (struct vu_frontend_region){
		.guest_addr = r->gpa,
		.user_addr = r->gpa - GPA + UVA,
		.size = r->size,
		.fd = r->memfd,
	};
}

static int map_region(struct drive_region *r)
{
	void *host;

	r->memfd = memfd_create("vringlab-drive", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (r->memfd < 0 || ftruncate(r->memfd, r->size) ||
	    fcntl(r->memfd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL))
		return -errno;
	host = mmap(NULL, r->size, PROT_READ | PROT_WRITE, MAP_SHARED, r->memfd, 0);
	if (host == MAP_FAILED)
		return -errno;
	r->host = host;
	return 0;
}

static void unmap_region(struct drive_region *r)
{
	if (r->host)
		munmap(r->host, r->size);
	r->host = NULL;
	vl_fd_close(&r->memfd);
}

static int create_region(struct drive_region *r, struct vl_err *err)
{
	int ret = map_region(r);

	if (ret)
		vl_err_set(err, ret, "cannot make %llu bytes of memory: %s",
			   (unsigned long long)r->size, vl_strerror(ret));
	return ret;
}

/* Another file at the same place one time, at another place the next. */
int drive_region_renew(struct drive *d, unsigned int index, struct vl_err *err)
{
	struct drive_region *r = &d->regions[index];

	unmap_region(r);
	if (d->stats.hotplugs / d->opt->hotplug % 2)
		r->gpa ^= REGION_MOVE;
	return create_region(r, err);
}

/* Sets the queues' offsets too. */
static void plan(struct drive *d)
{
	unsigned int share = nr_slot_regions(d);
	uint64_t rings = 0, slots = 0;

	for (unsigned int i = 0; i < d->nr_queues; i++) {
		d->queues[i].ring_offset = rings;
		rings += drive_ring_bytes(d->opt);
	}
	if (!d->opt->hotplug)
		slots = rings;
	for (unsigned int i = 0; i < d->nr_queues; i++) {
		struct drive_queue *q = &d->queues[i];

		q->slots_offset = slots;
		slots += (q->nr_slots + share - 1) / share * q->slot_bytes;
	}
	slots = (slots + 4095) & ~4095ull;
	d->nr_regions = first_slot_region(d) + share;
	for (unsigned int i = 0; i < d->nr_regions; i++) {
		d->regions[i] = (struct drive_region){
			.memfd = -1,
			.gpa = GPA + i * REGION_STEP,
			.size = i < first_slot_region(d) ? rings : slots,
			.plugged = true,
		};
	}
}

int drive_memory_create(struct drive *d, struct vl_err *err)
{
	int ret = 0;

	plan(d);
	for (unsigned int i = 0; !ret && i < d->nr_regions; i++)
		ret = create_region(&d->regions[i], err);
	return ret;
}

void drive_memory_destroy(struct drive *d)
{
	for (unsigned int i = 0; i < d->nr_regions; i++)
		unmap_region(&d->regions[i]);
}
