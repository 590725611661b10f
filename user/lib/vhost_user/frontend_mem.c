// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The memory table. What the back-end has is remembered: a back-end that takes no
 * regions one by one gets the whole table for each change.
 */
#include <errno.h>
#include <string.h>

#include "frontend.h"

static struct vu_region region_of(const struct vu_frontend_region *r)
{
	return (struct vu_region){
		.guest_addr = r->guest_addr,
		.size = r->size,
		.user_addr = r->user_addr,
		.mmap_offset = r->mmap_offset,
	};
}

/*
 * When it returns the back-end has done it, also one without acknowledgements: a
 * driver uses memory at once that was added, and its owner what was removed.
 */
static int tell(struct vu_frontend *fe, enum vu_request request, const union vu_payload *payload,
		uint32_t size, const int *fds, unsigned int nr_fds, struct vl_err *err)
{
	int ret = frontend_tell(fe, request, payload, size, fds, nr_fds, err);

	if (ret || has_protocol(fe, VU_PROTOCOL_F_REPLY_ACK))
		return ret;
	return frontend_ask(fe, VU_GET_FEATURES, NULL, 0, NULL, 0, err);
}

static int tell_table(struct vu_frontend *fe, const struct vu_frontend_region *regions,
		      unsigned int nr, struct vl_err *err)
{
	union vu_payload payload = { .mem = { .nr_regions = nr } };
	int fds[VU_REGIONS_MAX];
	int ret;

	for (unsigned int i = 0; i < nr; i++) {
		payload.mem.regions[i] = region_of(&regions[i]);
		fds[i] = regions[i].fd;
	}
	ret = tell(fe, VU_SET_MEM_TABLE, &payload, vu_mem_table_size(nr), fds, nr, err);
	if (ret)
		return ret;
	memmove(fe->regions, regions, nr * sizeof(*regions));
	fe->nr_regions = nr;
	return 0;
}

static bool has_slots(const struct vu_frontend *fe)
{
	return has_protocol(fe, VU_PROTOCOL_F_CONFIGURE_MEM_SLOTS);
}

int vu_frontend_set_mem_table(struct vu_frontend *fe, const struct vu_frontend_region *regions,
			      unsigned int nr, struct vl_err *err)
{
	unsigned int max = has_slots(fe) ? FRONTEND_REGIONS_MAX : VU_REGIONS_MAX;
	unsigned int table = nr < VU_REGIONS_MAX ? nr : VU_REGIONS_MAX;
	int ret;

	if (!nr || nr > max)
		return vl_err_set(err, -EINVAL, "a memory table has 1 to %u regions, not %u", max,
				  nr);
	ret = tell_table(fe, regions, table, err);
	for (unsigned int i = table; !ret && i < nr; i++)
		ret = vu_frontend_add_region(fe, &regions[i], err);
	return ret;
}

int vu_frontend_get_mem_slots(struct vu_frontend *fe, uint64_t *slots, struct vl_err *err)
{
	int ret = frontend_ask(fe, VU_GET_MAX_MEM_SLOTS, NULL, 0, NULL, 0, err);

	if (!ret)
		*slots = fe->reply.u64;
	return ret;
}

int vu_frontend_max_regions(struct vu_frontend *fe, unsigned int *max, struct vl_err *err)
{
	uint64_t slots = VU_REGIONS_MAX;
	int ret = has_slots(fe) ? vu_frontend_get_mem_slots(fe, &slots, err) : 0;

	if (!ret)
		*max = slots < FRONTEND_REGIONS_MAX ? slots : FRONTEND_REGIONS_MAX;
	return ret;
}

int vu_frontend_add_region(struct vu_frontend *fe, const struct vu_frontend_region *region,
			   struct vl_err *err)
{
	const union vu_payload payload = { .mem_reg = { .region = region_of(region) } };
	unsigned int max;
	int ret = vu_frontend_max_regions(fe, &max, err);

	if (ret)
		return ret;
	if (fe->nr_regions >= max)
		return vl_err_set(err, -ENOSPC, "the back-end takes %u regions, and has %u", max,
				  fe->nr_regions);
	fe->regions[fe->nr_regions] = *region;
	if (!has_slots(fe))
		return tell_table(fe, fe->regions, fe->nr_regions + 1, err);
	ret = tell(fe, VU_ADD_MEM_REG, &payload, sizeof(payload.mem_reg), &region->fd, 1, err);
	if (!ret)
		fe->nr_regions++;
	return ret;
}

static unsigned int find_region(const struct vu_frontend *fe, const struct vu_frontend_region *r)
{
	unsigned int i;

	for (i = 0; i < fe->nr_regions; i++)
		if (fe->regions[i].guest_addr == r->guest_addr &&
		    fe->regions[i].user_addr == r->user_addr && fe->regions[i].size == r->size)
			break;
	return i;
}

static int tell_table_without(struct vu_frontend *fe, unsigned int index, struct vl_err *err)
{
	struct vu_frontend_region regions[VU_REGIONS_MAX];
	unsigned int nr = 0;

	if (fe->nr_regions == 1)
		return vl_err_set(err, -EINVAL, "a memory table cannot lose its only region");
	for (unsigned int i = 0; i < fe->nr_regions; i++)
		if (i != index)
			regions[nr++] = fe->regions[i];
	return tell_table(fe, regions, nr, err);
}

int vu_frontend_remove_region(struct vu_frontend *fe, const struct vu_frontend_region *region,
			      struct vl_err *err)
{
	const union vu_payload payload = { .mem_reg = { .region = region_of(region) } };
	unsigned int index = find_region(fe, region);
	int ret;

	if (index == fe->nr_regions)
		return vl_err_set(err, -ENOENT,
				  "the back-end has no region at 0x%llx of 0x%llx bytes",
				  (unsigned long long)region->guest_addr,
				  (unsigned long long)region->size);
	if (!has_slots(fe))
		return tell_table_without(fe, index, err);
	ret = tell(fe, VU_REM_MEM_REG, &payload, sizeof(payload.mem_reg), NULL, 0, err);
	if (!ret)
		fe->regions[index] = fe->regions[--fe->nr_regions];
	return ret;
}

int vu_frontend_iotlb(struct vu_frontend *fe, const struct vu_iotlb *iotlb, struct vl_err *err)
{
	const union vu_payload payload = { .iotlb = *iotlb };
	int ret = frontend_ask(fe, VU_IOTLB_MSG, &payload, sizeof(payload.iotlb), NULL, 0, err);

	if (!ret && fe->reply.u64)
		return vl_err_set(err, -EIO, "IOTLB_MSG: refused by the back-end (%llu)",
				  (unsigned long long)fe->reply.u64);
	return ret;
}
