// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What messages set of a ring, and how they stop it.
 */
#include <errno.h>

#include <linux/virtio_config.h>

#include <vringlab/err.h>

#include "backend.h"

static int check_stopped(const struct vu_ring *ring, struct vl_err *err)
{
	if (!ring->started)
		return 0;
	return vl_err_set(err, -EBUSY, "vring %u is running", ring->queue.index);
}

static struct vu_ring *ring_of(struct vu_backend *be, const struct vu_msg *msg)
{
	uint32_t index = 0;

	/* in range: checked before the handler */
	vu_request_index(msg, &index);
	return &be->rings[index];
}

static unsigned int num_max(const struct vu_backend *be)
{
	return be->vdev->queue_size_max ? be->vdev->queue_size_max : VRING_NUM_MAX;
}

int set_vring_num(struct vu_backend *be, struct vu_msg *msg, struct vu_reply *reply,
		  struct vl_err *err)
{
	struct vu_ring *ring = ring_of(be, msg);
	bool packed = has_feature(be, VIRTIO_F_RING_PACKED);
	uint32_t num = msg->payload.state.num;
	int ret = check_stopped(ring, err);

	(void)reply;
	if (ret)
		return ret;
	if (!num || num > num_max(be))
		return vl_err_set(err, -EINVAL, "vring %u cannot have %u entries, only 1 to %u",
				  ring->queue.index, num, num_max(be));
	/* VIRTIO 1.2, 2.7: split ones only */
	if (!packed && num & (num - 1))
		return vl_err_set(err, -EINVAL,
				  "vring %u cannot have %u entries: that is no power of 2",
				  ring->queue.index, num);
	ring->num = num;
	ring_poke(ring);
	return 0;
}

static int check_part(const struct vu_ring *ring, const char *name, uint64_t addr,
		      unsigned int align, struct vl_err *err)
{
	if (!(addr % align))
		return 0;
	return vl_err_set(err, -EINVAL, "vring %u: %s at 0x%llx is no multiple of %u",
			  ring->queue.index, name, (unsigned long long)addr, align);
}

/* VIRTIO 1.2, 2.7 and 2.8: 16 for the descriptors, then 2 and 4, or 4 and 4 */
static int check_alignment(const struct vu_ring *ring, const struct vu_vring_addr *addr,
			   struct vl_err *err)
{
	bool packed = has_feature(ring->be, VIRTIO_F_RING_PACKED);
	int ret = check_part(ring, "desc", addr->desc, 16, err);

	if (!ret)
		ret = check_part(ring, "avail", addr->avail, packed ? 4 : 2, err);
	if (!ret)
		ret = check_part(ring, "used", addr->used, 4, err);
	return ret;
}

/*
 * The used ring has one bit at least; the last one's has to be in the log. Where it is
 * found by the memory table, that is so.
 */
static int check_log(const struct vu_ring *ring, const struct vu_vring_addr *addr,
		     struct vl_err *err)
{
	const struct vu_backend *be = ring->be;
	uint64_t bytes = 6 + 8ull * ring->num;

	if (addr->flags & ~VU_VRING_F_LOG)
		return vl_err_set(err, -EINVAL, "vring %u: address flags 0x%x", ring->queue.index,
				  addr->flags);
	if (!(addr->flags & VU_VRING_F_LOG) || !be->log_map.data ||
	    has_feature(be, VIRTIO_F_RING_PACKED) || be->iotlb ||
	    vring_log_covers(&be->log, addr->log, bytes))
		return 0;
	return vl_err_set(err, -ERANGE, "vring %u: its used ring at 0x%llx is beyond the log",
			  ring->queue.index, (unsigned long long)addr->log);
}

/* A running ring stays where it is: only its log may be turned on and off. */
static int change_log(struct vu_ring *ring, const struct vu_vring_addr *addr, struct vl_err *err)
{
	if (addr->desc != ring->addr.desc || addr->avail != ring->addr.avail ||
	    addr->used != ring->addr.used)
		return check_stopped(ring, err);
	ring->addr = *addr;
	ring_update_log(ring);
	return 0;
}

int set_vring_addr(struct vu_backend *be, struct vu_msg *msg, struct vu_reply *reply,
		   struct vl_err *err)
{
	const struct vu_vring_addr *addr = &msg->payload.addr;
	struct vu_ring *ring = ring_of(be, msg);
	struct vring_mem_miss miss;
	struct vring_layout layout;
	struct vu_vring_addr before = ring->addr;
	int ret = check_alignment(ring, addr, err);

	(void)reply;
	if (!ret)
		ret = check_log(ring, addr, err);
	if (ret)
		return ret;
	if (ring->started)
		return change_log(ring, addr, err);
	ring->addr = *addr;
	/* what is missing may come later: then the start finds out */
	if (ring->num && be->mem.table.nr) {
		ret = ring_resolve(ring, &be->mem.table, &layout, &miss, err);
		if (ret && ret != -EINPROGRESS) {
			ring->addr = before;
			return ret;
		}
	}
	ring->has_addr = true;
	ring_poke(ring);
	return 0;
}

int set_vring_base(struct vu_backend *be, struct vu_msg *msg, struct vu_reply *reply,
		   struct vl_err *err)
{
	struct vu_ring *ring = ring_of(be, msg);
	uint32_t base = msg->payload.state.num;
	int ret = check_stopped(ring, err);

	(void)reply;
	if (ret)
		return ret;
	if (!has_feature(be, VIRTIO_F_RING_PACKED) && base > UINT16_MAX)
		return vl_err_set(err, -EINVAL, "vring %u cannot start at %u", ring->queue.index,
				  base);
	ring->base = base;
	ring->has_base = true;
	return 0;
}

static int reply_base(struct vu_backend *be, struct vu_msg *msg, struct vu_reply *reply,
		      struct vl_err *err)
{
	struct vu_ring *ring = ring_of(be, msg);

	(void)err;
	ring_stop(ring);
	reply->payload.state = (struct vu_vring_state){
		.index = ring->queue.index,
		.num = ring_base(ring),
	};
	return 0;
}

/* Whoever goes on with the ring finds what is in flight in the inflight region. */
static bool is_recorded(const struct vu_backend *be, const struct vu_ring *ring)
{
	return be->inflight.map.data && ring->queue.index < be->inflight.queues;
}

int get_vring_base(struct vu_backend *be, struct vu_msg *msg, struct vu_reply *reply,
		   struct vl_err *err)
{
	struct vu_ring *ring = ring_of(be, msg);
	/* "may suspend"; who has SKIP_DRAIN asks for that, and by this message for the other */
	bool leave = has_protocol(be, VU_PROTOCOL_F_GET_VRING_BASE_INFLIGHT) &&
		     !has_protocol(be, VU_PROTOCOL_F_GET_VRING_BASE_SKIP_DRAIN);

	ring_quiesce(ring, leave && is_recorded(be, ring));
	return backend_wait(be, msg, reply, err, rings_are_idle, reply_base);
}

int get_vring_base_skip_drain(struct vu_backend *be, struct vu_msg *msg, struct vu_reply *reply,
			      struct vl_err *err)
{
	struct vu_ring *ring = ring_of(be, msg);

	if (ring->started && !is_recorded(be, ring))
		return vl_err_set(err, -EPROTO, "vring %u has no inflight region",
				  ring->queue.index);
	ring_quiesce(ring, true);
	return backend_wait(be, msg, reply, err, rings_are_idle, reply_base);
}

int ring_set_enabled(struct vu_ring *ring, bool enabled, struct vl_err *err)
{
	bool before = ring->queue.enabled;
	int ret;

	ring->queue.enabled = enabled;
	ret = ring_announce(ring, err);
	if (ret) {
		ring->queue.enabled = before;
		return ret;
	}
	ring_poke(ring);
	return 0;
}

int set_vring_enable(struct vu_backend *be, struct vu_msg *msg, struct vu_reply *reply,
		     struct vl_err *err)
{
	uint32_t num = msg->payload.state.num;

	(void)reply;
	if (num > 1)
		return vl_err_set(err, -EINVAL, "%u is neither 0 nor 1", num);
	return ring_set_enabled(ring_of(be, msg), num, err);
}

int vring_kick(struct vu_backend *be, struct vu_msg *msg, struct vu_reply *reply,
	       struct vl_err *err)
{
	struct vu_ring *ring = ring_of(be, msg);

	(void)reply;
	(void)err;
	ring->wanted = true;
	ring->stats.kicks++;
	ring_poke(ring);
	return 0;
}
