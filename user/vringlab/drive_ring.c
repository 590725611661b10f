// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include <vringlab/err.h>
#include <vringlab/fd.h>

#include "drive.h"

/* Not equal to each other nor to where it is mapped: a mix-up shows at once. */
#define GPA 0x100000000ull
#define UVA 0x10000000000ull

#define PAGE 4096u

static uint64_t align_up(uint64_t value)
{
	return (value + PAGE - 1) & ~(uint64_t)(PAGE - 1);
}

uint64_t drive_slot_gpa(const struct drive *d, unsigned int slot)
{
	return GPA + d->slots_offset + slot * d->slot_bytes;
}

uint8_t *drive_slot_host(const struct drive *d, unsigned int slot)
{
	return d->mem + d->slots_offset + slot * d->slot_bytes;
}

/* splitmix64 */
static uint64_t mix(uint64_t z)
{
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

uint64_t drive_word(uint64_t name, uint64_t index)
{
	return mix(name * 0x9e3779b97f4a7c15ull + index);
}

uint64_t drive_random(struct drive *d, uint64_t below)
{
	d->rng += 0x9e3779b97f4a7c15ull;
	return mix(d->rng) % below;
}

static int make_memory(struct drive *d)
{
	d->memfd = memfd_create("vringlab-drive", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (d->memfd < 0 || ftruncate(d->memfd, d->bytes) ||
	    fcntl(d->memfd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL))
		return -errno;
	d->mem = mmap(NULL, d->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, d->memfd, 0);
	if (d->mem == MAP_FAILED) {
		d->mem = NULL;
		return -errno;
	}
	return 0;
}

static int make_eventfds(struct drive *d)
{
	d->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	d->call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return d->kick < 0 || d->call < 0 ? -errno : 0;
}

static int make_tables(struct drive *d)
{
	const struct drive_options *opt = d->opt;

	d->drv_slots = calloc(opt->num, sizeof(*d->drv_slots));
	d->requests = calloc(opt->num, sizeof(*d->requests));
	d->free_slots = calloc(opt->depth, sizeof(*d->free_slots));
	if (!d->drv_slots || !d->requests || !d->free_slots)
		return -ENOMEM;
	for (unsigned int i = opt->depth; i--;)
		d->free_slots[d->nr_free++] = i;
	return 0;
}

/* Ring, then indirect tables, then slots. */
int drive_ring_create(struct drive *d, struct vl_err *err)
{
	const struct drive_options *opt = d->opt;
	uint64_t ring_bytes = align_up(vring_layout_bytes(opt->num, opt->packed));
	uint64_t table_bytes = align_up(opt->num * DRIVE_BUFS_MAX * sizeof(struct vring_desc));
	struct vring_drv_config config;
	int ret;

	d->memfd = -1;
	d->kick = -1;
	d->call = -1;
	d->inflight_fd = -1;
	d->slot_bytes = DRIVE_DATA_OFFSET + align_up(2 * opt->size);
	d->slots_offset = ring_bytes + table_bytes;
	d->bytes = d->slots_offset + opt->depth * d->slot_bytes;
	ret = make_memory(d);
	if (!ret)
		ret = make_eventfds(d);
	if (!ret)
		ret = make_tables(d);
	if (ret)
		return vl_err_set(err, ret, "cannot make %llu bytes of memory: %s",
				  (unsigned long long)d->bytes, vl_strerror(ret));
	d->layout = vring_layout_host(opt->num, opt->packed, d->mem);
	config = (struct vring_drv_config){
		.ring = d->layout,
		.features = d->features,
		.slots = d->drv_slots,
		.indirect = (struct vring_desc *)(d->mem + ring_bytes),
		.indirect_gpa = GPA + ring_bytes,
		.indirect_max = DRIVE_BUFS_MAX,
	};
	vring_drv_init(&d->drv, &config);
	return 0;
}

void drive_ring_destroy(struct drive *d)
{
	if (d->mem)
		munmap(d->mem, d->bytes);
	vl_fd_close(&d->memfd);
	vl_fd_close(&d->kick);
	vl_fd_close(&d->call);
	vl_fd_close(&d->inflight_fd);
	free(d->drv_slots);
	free(d->requests);
	free(d->free_slots);
}

struct vu_frontend_region drive_region(const struct drive *d)
{
	return (struct vu_frontend_region){
		.guest_addr = GPA,
		.user_addr = UVA,
		.size = d->bytes,
		.fd = d->memfd,
	};
}

static uint64_t user_addr(const struct drive *d, const void *host)
{
	return UVA + (uint64_t)((const uint8_t *)host - d->mem);
}

struct vu_frontend_vring drive_vring(const struct drive *d)
{
	const struct vring_layout *l = &d->layout;
	bool packed = d->opt->packed;

	return (struct vu_frontend_vring){
		.index = d->opt->queue,
		.num = d->opt->num,
		.base = vring_drv_base(&d->drv),
		.desc = user_addr(d, packed ? (void *)l->ring : (void *)l->desc),
		.avail = user_addr(d, packed ? (void *)l->driver : (void *)l->avail),
		.used = user_addr(d, packed ? (void *)l->device : (void *)l->used),
		.kick_fd = d->kick,
		.call_fd = d->call,
	};
}
