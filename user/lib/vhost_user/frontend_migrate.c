// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What outlives the back-end, or moves to another one.
 */
#include <errno.h>

#include <linux/virtio_config.h>

#include <vringlab/err.h>
#include <vringlab/fd.h>
#include <vringlab/vhost_user_mem.h>
#include <vringlab/vring_inflight.h>

#include "frontend.h"

int vu_frontend_set_log(struct vu_frontend *fe, int fd, uint64_t offset, uint64_t size,
			struct vl_err *err)
{
	const union vu_payload payload = { .log = { .size = size, .offset = offset } };

	return frontend_ask(fe, VU_SET_LOG_BASE, &payload, sizeof(payload.log), &fd, 1, err);
}

int vu_frontend_set_log_fd(struct vu_frontend *fe, int fd, struct vl_err *err)
{
	return frontend_tell(fe, VU_SET_LOG_FD, NULL, 0, &fd, 1, err);
}

/* Whoever gets the region maps it: is it as large as it is said to be? */
static int check_region(const struct vu_inflight *got, int fd, struct vl_err *err)
{
	struct vu_mapping map;
	int ret = vu_mapping_open(&map, fd, got->mmap_offset, got->mmap_size, NULL, err);

	if (ret)
		vl_err_prefix(err, "GET_INFLIGHT_FD");
	else
		vu_mapping_close(&map);
	return ret;
}

int vu_frontend_get_inflight(struct vu_frontend *fe, struct vu_inflight *desc, int *fd,
			     struct vl_err *err)
{
	const union vu_payload payload = { .inflight = *desc };
	bool packed = vu_has_feature(fe->features, VIRTIO_F_RING_PACKED);
	const struct vu_inflight *got = &fe->reply.inflight;
	int ret;

	ret = frontend_ask(fe, VU_GET_INFLIGHT_FD, &payload, sizeof(payload.inflight), NULL, 0,
			   err);
	if (ret)
		return ret;
	if (fe->reply_fd < 0)
		return vl_err_set(err, -EPROTO, "GET_INFLIGHT_FD: no region came with the reply");
	if (got->num_queues != desc->num_queues || got->queue_size != desc->queue_size ||
	    got->mmap_size < desc->num_queues * vring_inflight_size(packed, desc->queue_size))
		return vl_err_set(err, -EPROTO,
				  "GET_INFLIGHT_FD: a region of 0x%llx bytes for %u queues of %u",
				  (unsigned long long)got->mmap_size, got->num_queues,
				  got->queue_size);
	ret = check_region(got, fe->reply_fd, err);
	if (ret)
		return ret;
	*desc = *got;
	*fd = vl_fd_take(&fe->reply_fd);
	return 0;
}

int vu_frontend_set_inflight(struct vu_frontend *fe, const struct vu_inflight *desc, int fd,
			     struct vl_err *err)
{
	const union vu_payload payload = { .inflight = *desc };

	return frontend_tell(fe, VU_SET_INFLIGHT_FD, &payload, sizeof(payload.inflight), &fd, 1,
			     err);
}
