// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What outlives this process: the dirty log of a migration, and the record of
 * requests in flight.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/virtio_config.h>

#include <vringlab/err.h>
#include <vringlab/fd.h>
#include <vringlab/vring_inflight.h>

#include "backend.h"

/* --- dirty log --------------------------------------------------------------- */

bool log_is_on(const struct vu_backend *be)
{
	return be->log_map.data && has_feature(be, VU_F_LOG_ALL);
}

/* Has the log a bit for all of the guest's memory? Without a log there is no answer. */
static int check_covers(const struct vring_log *log, const struct vring_mem *mem,
			struct vl_err *err)
{
	for (unsigned int i = 0; i < mem->nr; i++) {
		const struct vring_mem_region *r = &mem->regions[i];

		if (!vring_log_covers(log, r->guest_addr, r->size))
			return vl_err_set(err, -ERANGE,
					  "the log of 0x%llx bytes ends before 0x%llx",
					  (unsigned long long)log->bytes,
					  (unsigned long long)(r->guest_addr + r->size));
	}
	return 0;
}

int log_check_memory(const struct vu_backend *be, const struct vring_mem *mem, struct vl_err *err)
{
	return be->log_map.data ? check_covers(&be->log, mem, err) : 0;
}

void log_tell(const struct vu_backend *be)
{
	if (be->log_call)
		loop_eventfd_signal(be->log_call);
}

static void update_rings(struct vu_backend *be)
{
	for (unsigned int i = 0; i < be->vdev->num_queues; i++)
		ring_update_log(&be->rings[i]);
}

static void put_log(struct vu_backend *be)
{
	struct vu_mapping map = be->log_map;

	be->log_map = (struct vu_mapping){ 0 };
	be->log = (struct vring_log){ 0 };
	update_rings(be);
	vu_mapping_close(&map);
}

int set_log_base(struct vu_backend *be, struct vu_msg *msg, struct vu_reply *reply,
		 struct vl_err *err)
{
	const struct vu_log *desc = &msg->payload.log;
	struct vu_mapping map = { 0 };
	struct vring_log log;
	int ret = vu_mapping_open(&map, msg->fds[0], desc->offset, desc->size, &be->faulted, err);

	if (ret)
		return vl_err_prefix(err, "the log");
	log = (struct vring_log){ .bits = map.data, .bytes = map.size };
	ret = has_feature(be, VU_F_LOG_ALL) ? check_covers(&log, &be->mem.table, err) : 0;
	if (ret) {
		vu_mapping_close(&map);
		return ret;
	}
	put_log(be);
	be->log_map = map;
	be->log = log;
	update_rings(be);
	reply->payload.u64 = 0;
	return 0;
}

static void put_log_fd(struct vu_backend *be)
{
	loop_eventfd_remove(&be->log_call);
	vl_fd_close(&be->log_fd);
}

int set_log_fd(struct vu_backend *be, struct vu_msg *msg, struct vu_reply *reply,
	       struct vl_err *err)
{
	struct loop_eventfd *efd;
	int ret = eventfd_check(msg->fds[0], err);

	(void)reply;
	if (ret)
		return ret;
	ret = loop_eventfd_add(be->loop, msg->fds[0], &efd);
	if (ret)
		return vl_err_set(err, ret, "cannot use its eventfd: %s", vl_strerror(ret));
	put_log_fd(be);
	be->log_call = efd;
	be->log_fd = vl_fd_take(&msg->fds[0]);
	return 0;
}

/* --- inflight regions --------------------------------------------------------- */

static int check_inflight(const struct vu_backend *be, const struct vu_inflight *desc,
			  struct vl_err *err)
{
	unsigned int queues_max = be->vdev->num_queues;

	if (!desc->num_queues || desc->num_queues > queues_max)
		return vl_err_set(err, -EINVAL, "%u queues, not 1 to %u", desc->num_queues,
				  queues_max);
	if (!desc->queue_size || desc->queue_size > VRING_NUM_MAX)
		return vl_err_set(err, -EINVAL, "a queue size of %u, not 1 to %u", desc->queue_size,
				  VRING_NUM_MAX);
	return 0;
}

static uint64_t inflight_bytes(const struct vu_backend *be, const struct vu_inflight *desc)
{
	return desc->num_queues *
	       vring_inflight_size(has_feature(be, VIRTIO_F_RING_PACKED), desc->queue_size);
}

/* Sealed: a front-end that shrinks it would take from the next back-end what it needs. */
static int make_inflight(uint64_t bytes)
{
	int fd = memfd_create("vringlab-inflight", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, bytes) ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL)) {
		int ret = -errno;

		close(fd);
		return ret;
	}
	return fd;
}

int get_inflight_fd(struct vu_backend *be, struct vu_msg *msg, struct vu_reply *reply,
		    struct vl_err *err)
{
	const struct vu_inflight *desc = &msg->payload.inflight;
	int ret = check_inflight(be, desc, err);

	if (ret)
		return ret;
	reply->payload.inflight = (struct vu_inflight){
		.mmap_size = inflight_bytes(be, desc),
		.num_queues = desc->num_queues,
		.queue_size = desc->queue_size,
	};
	reply->fd = make_inflight(reply->payload.inflight.mmap_size);
	if (reply->fd >= 0)
		return 0;
	ret = reply->fd;
	return vl_err_set(err, ret, "cannot make a region: %s", vl_strerror(ret));
}

static int check_inflight_area(const struct vu_backend *be, const struct vu_inflight *desc,
			       struct vl_err *err)
{
	int ret = check_inflight(be, desc, err);

	if (ret)
		return ret;
	if (desc->mmap_size < inflight_bytes(be, desc))
		return vl_err_set(err, -EINVAL,
				  "%u queues of %u entries need 0x%llx bytes, and have 0x%llx",
				  desc->num_queues, desc->queue_size,
				  (unsigned long long)inflight_bytes(be, desc),
				  (unsigned long long)desc->mmap_size);
	if (desc->mmap_offset % sizeof(uint64_t))
		return vl_err_set(err, -EINVAL, "offset 0x%llx is not aligned",
				  (unsigned long long)desc->mmap_offset);
	if (!rings_are_stopped(be))
		return vl_err_set(err, -EBUSY, "a vring is running");
	return 0;
}

int set_inflight_fd(struct vu_backend *be, struct vu_msg *msg, struct vu_reply *reply,
		    struct vl_err *err)
{
	const struct vu_inflight *desc = &msg->payload.inflight;
	struct vu_mapping map;
	int ret = check_inflight_area(be, desc, err);

	(void)reply;
	if (!ret)
		ret = vu_mapping_open(&map, msg->fds[0], desc->mmap_offset, desc->mmap_size,
				      &be->faulted, err);
	if (ret)
		return ret;
	vu_mapping_close(&be->inflight.map);
	be->inflight = (struct vu_inflight_area){
		.map = map,
		.queues = desc->num_queues,
		.num = desc->queue_size,
		.packed = has_feature(be, VIRTIO_F_RING_PACKED),
	};
	return 0;
}

/* NULL for a ring that has none. -EINVAL if it is another ring's by its shape. */
int inflight_region(const struct vu_backend *be, const struct vu_ring *ring, void **region)
{
	const struct vu_inflight_area *area = &be->inflight;

	*region = NULL;
	if (!area->map.data || ring->queue.index >= area->queues)
		return 0;
	if (area->num != ring->num || area->packed != has_feature(be, VIRTIO_F_RING_PACKED))
		return -EINVAL;
	*region = area->map.data + ring->queue.index * vring_inflight_size(area->packed, area->num);
	return 0;
}

void migrate_reset(struct vu_backend *be)
{
	put_log(be);
	put_log_fd(be);
	vu_mapping_close(&be->inflight.map);
	be->inflight = (struct vu_inflight_area){ 0 };
}
