// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>

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

int vu_frontend_set_mem_table(struct vu_frontend *fe, const struct vu_frontend_region *regions,
			      unsigned int nr, struct vl_err *err)
{
	union vu_payload payload = { .mem = { .nr_regions = nr } };
	int fds[VU_REGIONS_MAX], ret;

	if (!nr || nr > VU_REGIONS_MAX)
		return vl_err_set(err, -EINVAL, "a memory table has 1 to %u regions, not %u",
				  VU_REGIONS_MAX, nr);
	for (unsigned int i = 0; i < nr; i++) {
		payload.mem.regions[i] = region_of(&regions[i]);
		fds[i] = regions[i].fd;
	}
	ret = frontend_tell(fe, VU_SET_MEM_TABLE, &payload, vu_mem_table_size(nr), fds, nr, err);
	if (!ret)
		fe->nr_regions = nr;
	return ret;
}

int vu_frontend_get_mem_slots(struct vu_frontend *fe, uint64_t *slots, struct vl_err *err)
{
	int ret = frontend_ask(fe, VU_GET_MAX_MEM_SLOTS, NULL, 0, NULL, 0, err);

	if (ret)
		return ret;
	fe->slots = fe->reply.u64;
	*slots = fe->slots;
	return 0;
}

int vu_frontend_add_region(struct vu_frontend *fe, const struct vu_frontend_region *region,
			   struct vl_err *err)
{
	const union vu_payload payload = { .mem_reg = { .region = region_of(region) } };
	int ret;

	if (fe->nr_regions >= fe->slots)
		return vl_err_set(err, -ENOSPC, "ADD_MEM_REG: the back-end has %llu slots only",
				  (unsigned long long)fe->slots);
	ret = frontend_tell(fe, VU_ADD_MEM_REG, &payload, sizeof(payload.mem_reg), &region->fd, 1,
			    err);
	if (!ret)
		fe->nr_regions++;
	return ret;
}

int vu_frontend_remove_region(struct vu_frontend *fe, const struct vu_frontend_region *region,
			      struct vl_err *err)
{
	const union vu_payload payload = { .mem_reg = { .region = region_of(region) } };

	int ret;

	ret = frontend_tell(fe, VU_REM_MEM_REG, &payload, sizeof(payload.mem_reg), NULL, 0, err);
	if (!ret && fe->nr_regions)
		fe->nr_regions--;
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
