// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Requests about memory: the table, its slots, and the IOTLB.
 *
 * A region that goes away may be what the device reads or writes right now, so that
 * rings with requests in flight are quiesced first, and go on afterwards.
 */
#include <errno.h>
#include <stdlib.h>

#include <linux/vhost_types.h>

#include <vringlab/err.h>

#include "backend.h"

/* The descriptors hold other addresses after this: no ring is started. */
void memory_use_iotlb(struct vu_backend *be, bool use)
{
	be->mem.table.iotlb = use ? be->iotlb : NULL;
	if (use)
		return;
	vring_iotlb_destroy(be->iotlb);
	be->iotlb = NULL;
}

void memory_reset(struct vu_backend *be)
{
	vu_mem_unmap(&be->mem);
	memory_use_iotlb(be, false);
	be->mem.gpa_addresses = false;
}

/* Rings whose start lacked memory or a translation may have it now. */
static void poke_all(struct vu_backend *be)
{
	for (unsigned int i = 0; i < be->vdev->num_queues; i++) {
		be->rings[i].missing = false;
		be->rings[i].miss_due = false;
		ring_poke(&be->rings[i]);
	}
}

/*
 * "when postcopy ... the front-end acknowledges": the payload is then a u64 of 0,
 * in a message that else has another.
 */
bool memory_takes_header(const struct vu_backend *be, const struct vu_header *hdr)
{
	return be->postcopy.bases_sent && hdr->size == sizeof(uint64_t) &&
	       (hdr->flags & (VU_VERSION_MASK | VU_REPLY)) == VU_VERSION &&
	       (hdr->request == VU_SET_MEM_TABLE || hdr->request == VU_ADD_MEM_REG);
}

static int bases_known(struct vu_backend *be, const struct vu_msg *msg, struct vl_err *err)
{
	be->postcopy.bases_sent = false;
	if (msg->payload.u64 || msg->nr_fds)
		return vl_err_set(err, -ECONNABORTED, "the bases were not acknowledged by 0");
	return postcopy_register(be, err);
}

/* Can all rings that are started stay where they are in @mem? */
static int check_rings(const struct vu_backend *be, const struct vring_mem *mem, struct vl_err *err)
{
	struct vring_mem_miss miss;
	struct vring_layout layout;

	for (unsigned int i = 0; i < be->vdev->num_queues; i++) {
		int ret = 0;

		if (be->rings[i].started)
			ret = ring_resolve(&be->rings[i], mem, &layout, &miss, err);
		if (ret && ret != -EINPROGRESS)
			return ret;
	}
	return 0;
}

/* Running rings move with their memory. */
static void move_rings(struct vu_backend *be)
{
	for (unsigned int i = 0; i < be->vdev->num_queues; i++)
		be->rings[i].stale = be->rings[i].started;
}

static void reply_bases(struct vu_backend *be, const struct vu_msg *msg, struct vu_reply *reply)
{
	struct vu_mem_table *table = &reply->payload.mem;

	*table = msg->payload.mem;
	for (unsigned int i = 0; i < table->nr_regions; i++)
		table->regions[i].user_addr =
			(uintptr_t)vring_mem_gpa(&be->mem.table, table->regions[i].guest_addr, 1);
	reply->size = msg->hdr.size;
	reply->due = true;
	be->postcopy.bases_sent = true;
}

static int use_next_mem(struct vu_backend *be, struct vu_msg *msg, struct vu_reply *reply,
			struct vl_err *err)
{
	(void)err;
	vu_mem_unmap(&be->mem);
	be->mem = *be->next_mem;
	free(be->next_mem);
	be->next_mem = NULL;
	move_rings(be);
	rings_resume(be);
	poke_all(be);
	if (be->postcopy.listening)
		reply_bases(be, msg, reply);
	return 0;
}

static int map_next_mem(struct vu_backend *be, const struct vu_msg *msg, struct vl_err *err)
{
	const struct vu_mem_table *table = &msg->payload.mem;
	struct vu_mem *mem = calloc(1, sizeof(*mem));
	int ret;

	if (!mem)
		return vl_err_set(err, -ENOMEM, "out of memory");
	mem->faulted = be->mem.faulted;
	mem->gpa_addresses = be->mem.gpa_addresses;
	ret = vu_mem_map(mem, table->regions, msg->fds, table->nr_regions, err);
	if (ret)
		goto out_free;
	mem->table.iotlb = be->mem.table.iotlb;
	ret = check_rings(be, &mem->table, err);
	if (!ret && log_is_on(be))
		ret = log_check_memory(be, &mem->table, err);
	if (ret)
		goto out_unmap;
	be->next_mem = mem;
	return 0;

out_unmap:
	vu_mem_unmap(mem);
out_free:
	free(mem);
	return ret;
}

int set_mem_table(struct vu_backend *be, struct vu_msg *msg, struct vu_reply *reply,
		  struct vl_err *err)
{
	int ret;

	if (memory_takes_header(be, &msg->hdr)) {
		/* an acknowledgement has none */
		msg->hdr.flags &= ~VU_NEED_REPLY;
		return bases_known(be, msg, err);
	}
	ret = map_next_mem(be, msg, err);
	if (ret)
		return ret;
	rings_quiesce(be, false);
	return backend_wait(be, msg, reply, err, rings_are_idle, use_next_mem);
}

int get_max_mem_slots(struct vu_backend *be, struct vu_msg *msg, struct vu_reply *reply,
		      struct vl_err *err)
{
	(void)be;
	(void)msg;
	(void)err;
	reply->payload.u64 = VRING_MEM_REGIONS_MAX;
	return 0;
}

int add_mem_reg(struct vu_backend *be, struct vu_msg *msg, struct vu_reply *reply,
		struct vl_err *err)
{
	const struct vu_region *region = &msg->payload.mem_reg.region;
	int ret;

	if (memory_takes_header(be, &msg->hdr)) {
		msg->hdr.flags &= ~VU_NEED_REPLY;
		return bases_known(be, msg, err);
	}
	ret = vu_mem_repeat(&be->mem, region, msg->fds[0]) ?
		      0 :
		      vu_mem_add(&be->mem, region, msg->fds[0], err);
	if (!ret && log_is_on(be))
		ret = log_check_memory(be, &be->mem.table, err);
	if (ret) {
		vl_err_prefix(err, "region at 0x%llx", (unsigned long long)region->guest_addr);
		if (err->code == -ERANGE)
			vu_mem_remove(&be->mem, region);
		return ret;
	}
	poke_all(be);
	if (be->postcopy.listening) {
		reply->payload.mem_reg = msg->payload.mem_reg;
		reply->payload.mem_reg.region.user_addr =
			(uintptr_t)vring_mem_gpa(&be->mem.table, region->guest_addr, 1);
		reply->size = msg->hdr.size;
		reply->due = true;
		be->postcopy.bases_sent = true;
	}
	return 0;
}

/* A started ring in the region could not go on. */
static int check_not_in_use(const struct vu_backend *be, const struct vu_region *region,
			    struct vl_err *err)
{
	struct vring_mem *without = malloc(sizeof(*without));
	uint64_t user_addr = be->mem.gpa_addresses ? region->guest_addr : region->user_addr;
	int ret;

	if (!without)
		return vl_err_set(err, -ENOMEM, "out of memory");
	*without = be->mem.table;
	ret = vring_mem_remove(without, region->guest_addr, user_addr, region->size);
	if (ret)
		vl_err_set(err, ret, "there is no region at 0x%llx, user 0x%llx, of 0x%llx bytes",
			   (unsigned long long)region->guest_addr, (unsigned long long)user_addr,
			   (unsigned long long)region->size);
	else if (check_rings(be, without, err))
		ret = vl_err_prefix(err, "region at 0x%llx is in use",
				    (unsigned long long)region->guest_addr);
	free(without);
	return ret;
}

static int remove_region(struct vu_backend *be, struct vu_msg *msg, struct vu_reply *reply,
			 struct vl_err *err)
{
	(void)reply;
	(void)err;
	vu_mem_remove(&be->mem, &msg->payload.mem_reg.region);
	/* behind an IOTLB one may lie there still, where its translation is another now */
	move_rings(be);
	rings_resume(be);
	return 0;
}

int rem_mem_reg(struct vu_backend *be, struct vu_msg *msg, struct vu_reply *reply,
		struct vl_err *err)
{
	int ret;

	if (vu_mem_unrepeat(&be->mem, &msg->payload.mem_reg.region))
		return 0;
	ret = check_not_in_use(be, &msg->payload.mem_reg.region, err);
	if (ret)
		return ret;
	rings_quiesce(be, false);
	return backend_wait(be, msg, reply, err, rings_are_idle, remove_region);
}

/* Only what can be reached: else a ring would be stopped for what it was given. */
static int check_update(const struct vu_backend *be, const struct vu_iotlb *iotlb,
			struct vl_err *err)
{
	if (iotlb->size && iotlb->size - 1 <= UINT64_MAX - iotlb->user_addr &&
	    vring_mem_uva(&be->mem.table, iotlb->user_addr, 1) &&
	    vring_mem_uva(&be->mem.table, iotlb->user_addr + (iotlb->size - 1), 1))
		return 0;
	return vl_err_set(err, -EINVAL, "0x%llx bytes at user 0x%llx are not in the memory table",
			  (unsigned long long)iotlb->size, (unsigned long long)iotlb->user_addr);
}

static int update(struct vu_backend *be, const struct vu_iotlb *iotlb, struct vl_err *err)
{
	int ret = check_update(be, iotlb, err);

	if (ret)
		return ret;
	ret = vring_iotlb_update(be->iotlb, iotlb->iova, iotlb->size, iotlb->user_addr,
				 iotlb->perm);
	if (ret)
		return vl_err_set(err, ret, "0x%llx bytes at 0x%llx with permission %u: %s",
				  (unsigned long long)iotlb->size, (unsigned long long)iotlb->iova,
				  iotlb->perm, vl_strerror(ret));
	poke_all(be);
	return 0;
}

/* Requests in flight hold translations: when this is answered they must be gone. */
static int invalidate(struct vu_backend *be, struct vu_msg *msg, struct vu_reply *reply,
		      struct vl_err *err)
{
	const struct vu_iotlb *iotlb = &msg->payload.iotlb;
	int ret = vring_iotlb_invalidate(be->iotlb, iotlb->iova, iotlb->size);

	(void)reply;
	if (ret)
		vl_err_set(err, ret, "0x%llx bytes at 0x%llx: %s", (unsigned long long)iotlb->size,
			   (unsigned long long)iotlb->iova, vl_strerror(ret));
	/* the rings may lie in what is gone */
	move_rings(be);
	rings_resume(be);
	return ret;
}

int iotlb_msg(struct vu_backend *be, struct vu_msg *msg, struct vu_reply *reply, struct vl_err *err)
{
	const struct vu_iotlb *iotlb = &msg->payload.iotlb;

	reply->payload.u64 = 0;
	switch (iotlb->type) {
	case VHOST_IOTLB_UPDATE:
		return update(be, iotlb, err);
	case VHOST_IOTLB_INVALIDATE:
		rings_quiesce(be, false);
		return backend_wait(be, msg, reply, err, rings_are_idle, invalidate);
	default:
		return vl_err_set(err, -EINVAL, "type %u is not a front-end's", iotlb->type);
	}
}
