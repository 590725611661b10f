// SPDX-License-Identifier: GPL-2.0-only
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "t_rig.h"

void *t_rig_shared(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static int add_region(struct t_rig *r, uint64_t gpa, uint64_t uva, void *host, size_t size)
{
	const struct vring_mem_region region = {
		.guest_addr = gpa,
		.user_addr = uva,
		.size = size,
		.host = host,
	};

	return vring_mem_add(&r->mem, &region);
}

/* Between the parts of the ring, so that a test can write behind one. */
#define GAP 64u

static size_t ring_bytes(const struct t_rig *r)
{
	return vring_layout_bytes(r->num, t_rig_packed(r)) + 3 * GAP;
}

static struct vring_layout layout(const struct t_rig *r)
{
	struct vring_layout l = vring_layout_host(r->num, t_rig_packed(r), r->ring_host);

	l.avail = (struct vring_avail *)((uint8_t *)l.avail + GAP);
	l.used = (struct vring_used *)((uint8_t *)l.used + 2 * GAP);
	return l;
}

static int alloc(struct t_rig *r)
{
	unsigned int num = r->num;

	r->ring_bytes = ring_bytes(r);
	r->tables_bytes = (size_t)num * T_RIG_INDIRECT_MAX * sizeof(*r->tables);
	r->host = t_rig_shared(T_RIG_BYTES);
	r->ring_host = t_rig_shared(r->ring_bytes);
	r->tables = t_rig_shared(r->tables_bytes);
	r->slots = calloc(num, sizeof(*r->slots));
	r->chain.nr_iov = 2 * num + 2;
	r->chain.iov = calloc(r->chain.nr_iov, sizeof(*r->chain.iov));
	if (!r->host || !r->ring_host || !r->tables || !r->slots || !r->chain.iov)
		return -ENOMEM;
	return 0;
}

int t_rig_restart(struct t_rig *r, uint32_t base, void *inflight)
{
	const struct vring_dev_config config = {
		.ring = r->ring,
		.mem = &r->mem,
		.features = r->features,
		.base = base,
		.inflight = inflight,
	};

	vring_dev_exit(&r->dev);
	return vring_dev_init(&r->dev, &config);
}

int t_rig_init(struct t_rig *r, uint64_t features, unsigned int num)
{
	struct vring_drv_config config = { .features = features };
	int ret;

	*r = (struct t_rig){ .features = features, .num = num };
	ret = alloc(r);
	if (!ret)
		ret = add_region(r, T_RIG_GPA, T_RIG_UVA, r->host, T_RIG_BYTES);
	if (!ret)
		ret = add_region(r, T_RIG_TABLES_GPA, T_RIG_TABLES_GPA, r->tables, r->tables_bytes);
	if (!ret)
		ret = add_region(r, T_RIG_RING_GPA, T_RIG_RING_GPA, r->ring_host, r->ring_bytes);
	if (ret)
		return ret;
	r->ring = layout(r);
	config.ring = r->ring;
	config.slots = r->slots;
	config.indirect = r->tables;
	config.indirect_gpa = T_RIG_TABLES_GPA;
	config.indirect_max = T_RIG_INDIRECT_MAX;
	vring_drv_init(&r->drv, &config);
	return t_rig_restart(r, t_rig_packed(r) ? VRING_BASE_PACKED : VRING_BASE_SPLIT, NULL);
}

void t_rig_exit(struct t_rig *r)
{
	vring_dev_exit(&r->dev);
	free(r->chain.iov);
	free(r->slots);
	if (r->host)
		munmap(r->host, T_RIG_BYTES);
	if (r->ring_host)
		munmap(r->ring_host, r->ring_bytes);
	if (r->tables)
		munmap(r->tables, r->tables_bytes);
}

void t_rig_desc(struct vring_desc *table, unsigned int index, uint64_t addr, uint32_t len,
		uint16_t flags, uint16_t next)
{
	table[index] = (struct vring_desc){
		.addr = htole64(addr),
		.len = htole32(len),
		.flags = htole16(flags),
		.next = htole16(next),
	};
}

void t_rig_avail(struct t_rig *r, uint16_t head)
{
	uint16_t idx = le16toh(r->ring.avail->idx);

	r->ring.avail->ring[idx % r->num] = htole16(head);
	r->ring.avail->idx = htole16(idx + 1);
}

void t_rig_used(struct t_rig *r, uint32_t head, uint32_t len)
{
	uint16_t idx = le16toh(r->ring.used->idx);

	r->ring.used->ring[idx % r->num].id = htole32(head);
	r->ring.used->ring[idx % r->num].len = htole32(len);
	r->ring.used->idx = htole16(idx + 1);
}

void t_rig_packed_desc(struct t_rig *r, unsigned int index, uint64_t addr, uint32_t len,
		       uint16_t id, uint16_t flags)
{
	r->ring.ring[index] = (struct vring_packed_desc){
		.addr = htole64(addr),
		.len = htole32(len),
		.id = htole16(id),
		.flags = htole16(flags),
	};
}
