// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>

#include <linux/virtio_config.h>

#include "frontend.h"

static int tell_vring(struct vu_frontend *fe, enum vu_request request, unsigned int index,
		      uint32_t num, struct vl_err *err)
{
	const union vu_payload payload = { .state = { index, num } };

	return frontend_tell(fe, request, &payload, sizeof(payload.state), NULL, 0, err);
}

static int tell_vring_fd(struct vu_frontend *fe, enum vu_request request, unsigned int index,
			 int fd, struct vl_err *err)
{
	const union vu_payload payload = { .u64 = index | (fd < 0 ? VU_FD_NONE : 0) };

	return frontend_tell(fe, request, &payload, sizeof(payload.u64), &fd, fd >= 0, err);
}

/* "this message isn't necessary": in-band, and then it would ask for polling */
static int tell_kick_or_call(struct vu_frontend *fe, enum vu_request request, unsigned int index,
			     int fd, struct vl_err *err)
{
	if (fd < 0 && has_protocol(fe, VU_PROTOCOL_F_INBAND_NOTIFICATIONS))
		return 0;
	return tell_vring_fd(fe, request, index, fd, err);
}

static int check_index(unsigned int index, struct vl_err *err)
{
	if (index <= VU_FD_INDEX_MASK)
		return 0;
	return vl_err_set(err, -EINVAL, "a vring's index is at most %llu, not %u", VU_FD_INDEX_MASK,
			  index);
}

int vu_frontend_set_vring_addr(struct vu_frontend *fe, const struct vu_frontend_vring *vring,
			       struct vl_err *err)
{
	const union vu_payload payload = {
		.addr = {
			.index = vring->index,
			.flags = vring->log_used ? VU_VRING_F_LOG : 0,
			.desc = vring->desc,
			.used = vring->used,
			.avail = vring->avail,
			.log = vring->log_gpa,
		},
	};

	return frontend_tell(fe, VU_SET_VRING_ADDR, &payload, sizeof(payload.addr), NULL, 0, err);
}

int vu_frontend_start_vring(struct vu_frontend *fe, const struct vu_frontend_vring *vring,
			    struct vl_err *err)
{
	int ret = check_index(vring->index, err);

	if (!ret)
		ret = tell_vring(fe, VU_SET_VRING_NUM, vring->index, vring->num, err);
	if (!ret)
		ret = tell_vring(fe, VU_SET_VRING_BASE, vring->index, vring->base, err);
	if (!ret)
		ret = vu_frontend_set_vring_addr(fe, vring, err);
	if (!ret)
		ret = tell_kick_or_call(fe, VU_SET_VRING_CALL, vring->index, vring->call_fd, err);
	if (!ret)
		ret = tell_kick_or_call(fe, VU_SET_VRING_KICK, vring->index, vring->kick_fd, err);
	if (!ret)
		ret = vu_frontend_enable_vring(fe, vring->index, true, err);
	return ret;
}

int vu_frontend_enable_vring(struct vu_frontend *fe, unsigned int index, bool enable,
			     struct vl_err *err)
{
	return tell_vring(fe, VU_SET_VRING_ENABLE, index, enable, err);
}

int vu_frontend_set_vring_err(struct vu_frontend *fe, unsigned int index, int fd,
			      struct vl_err *err)
{
	int ret = check_index(index, err);

	return ret ? ret : tell_vring_fd(fe, VU_SET_VRING_ERR, index, fd, err);
}

int vu_frontend_kick_vring(struct vu_frontend *fe, unsigned int index, struct vl_err *err)
{
	return tell_vring(fe, VU_VRING_KICK, index, 0, err);
}

static int stop(struct vu_frontend *fe, enum vu_request request, unsigned int index, uint32_t *base,
		struct vl_err *err)
{
	const union vu_payload payload = { .state = { .index = index } };
	bool packed = vu_has_feature(fe->features, VIRTIO_F_RING_PACKED);
	const struct vu_vring_state *state = &fe->reply.state;
	int ret = frontend_ask(fe, request, &payload, sizeof(payload.state), NULL, 0, err);

	if (ret)
		return ret;
	if (state->index != index || (!packed && state->num > UINT16_MAX))
		return vl_err_set(err, -EPROTO, "%s of vring %u answered by vring %u at %u",
				  vu_msg_name(request), index, state->index, state->num);
	if (base)
		*base = state->num;
	return 0;
}

int vu_frontend_stop_vring(struct vu_frontend *fe, unsigned int index, uint32_t *base,
			   struct vl_err *err)
{
	return stop(fe, VU_GET_VRING_BASE, index, base, err);
}

int vu_frontend_suspend_vring(struct vu_frontend *fe, unsigned int index, uint32_t *base,
			      struct vl_err *err)
{
	return stop(fe, VU_GET_VRING_BASE_SKIP_DRAIN, index, base, err);
}
