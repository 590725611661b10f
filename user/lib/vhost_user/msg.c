// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The table of facts, and the checks that follow from it alone.
 *
 * Do not assume that anything received is sensible: sizes and counts are compared
 * with the table before they are used for anything.
 */
#include <errno.h>
#include <stddef.h>

#include <vringlab/err.h>
#include <vringlab/fd.h>
#include <vringlab/vhost_user_msg.h>

_Static_assert(sizeof(struct vu_header) == 12, "header has padding");
_Static_assert(sizeof(struct vu_vring_addr) == 40, "vring address has padding");
_Static_assert(sizeof(struct vu_mem_table) == 264, "memory table has padding");

#define ROW(_id, _request, _reply, _fds_max, _gate)      \
	[VU_##_id] = { .id = VU_##_id,                   \
		       .name = #_id,                     \
		       .request = VU_PAYLOAD_##_request, \
		       .reply = VU_PAYLOAD_##_reply,     \
		       .fds_max = (_fds_max),            \
		       .gate = VU_GATE_##_gate }

/* "Front-end message types", in the order of their numbers. */
static const struct vu_msg_info infos[] = {
	ROW(GET_FEATURES, NONE, U64, 0, NONE),
	ROW(SET_FEATURES, U64, NONE, 0, NONE),
	ROW(SET_OWNER, NONE, NONE, 0, NONE),
	ROW(RESET_OWNER, NONE, NONE, 0, NONE),
	ROW(SET_MEM_TABLE, MEM_TABLE, NONE, VU_FDS_MAX, NONE),
	ROW(SET_VRING_NUM, VRING_STATE, NONE, 0, NONE),
	ROW(SET_VRING_ADDR, VRING_ADDR, NONE, 0, NONE),
	ROW(SET_VRING_BASE, VRING_STATE, NONE, 0, NONE),
	ROW(GET_VRING_BASE, VRING_STATE, VRING_STATE, 0, NONE),
	ROW(SET_VRING_KICK, VRING_FD, NONE, 1, NONE),
	ROW(SET_VRING_CALL, VRING_FD, NONE, 1, NONE),
	ROW(SET_VRING_ERR, VRING_FD, NONE, 1, NONE),
	ROW(GET_PROTOCOL_FEATURES, NONE, U64, 0, OFFERED),
	ROW(SET_PROTOCOL_FEATURES, U64, NONE, 0, OFFERED),
	ROW(GET_QUEUE_NUM, NONE, U64, 0, MQ),
	ROW(SET_VRING_ENABLE, VRING_STATE, NONE, 0, ACKED),
};

#undef ROW

void vu_msg_close_fds(struct vu_msg *msg)
{
	for (unsigned int i = 0; i < msg->nr_fds; i++)
		vl_fd_close(&msg->fds[i]);
}

const struct vu_msg_info *vu_msg_info(uint32_t request)
{
	if (request >= sizeof(infos) / sizeof(infos[0]) || !infos[request].name)
		return NULL;
	return &infos[request];
}

const char *vu_msg_name(uint32_t request)
{
	const struct vu_msg_info *info = vu_msg_info(request);

	return info ? info->name : "unknown request";
}

uint32_t vu_mem_table_size(unsigned int nr_regions)
{
	return offsetof(struct vu_mem_table, regions) + nr_regions * sizeof(struct vu_region);
}

uint32_t vu_payload_size_max(enum vu_payload_type type)
{
	switch (type) {
	case VU_PAYLOAD_NONE:
		return 0;
	case VU_PAYLOAD_U64:
	case VU_PAYLOAD_VRING_FD:
		return sizeof(uint64_t);
	case VU_PAYLOAD_VRING_STATE:
		return sizeof(struct vu_vring_state);
	case VU_PAYLOAD_VRING_ADDR:
		return sizeof(struct vu_vring_addr);
	case VU_PAYLOAD_MEM_TABLE:
		return sizeof(struct vu_mem_table);
	}
	return 0;
}

uint32_t vu_payload_size_min(enum vu_payload_type type)
{
	if (type == VU_PAYLOAD_MEM_TABLE)
		return vu_mem_table_size(0);
	return vu_payload_size_max(type);
}

int vu_request_check_header(const struct vu_header *hdr, unsigned int nr_fds, struct vl_err *err)
{
	const struct vu_msg_info *info = vu_msg_info(hdr->request);

	if ((hdr->flags & VU_VERSION_MASK) != VU_VERSION)
		return vl_err_set(err, -EPROTO, "request %u has version %u, not %u", hdr->request,
				  hdr->flags & VU_VERSION_MASK, VU_VERSION);
	if (hdr->flags & VU_REPLY)
		return vl_err_set(err, -EPROTO, "request %u has the REPLY flag", hdr->request);
	if (!info)
		return vl_err_set(err, -ENOTSUP, "request %u is not known", hdr->request);
	if (hdr->size < vu_payload_size_min(info->request) ||
	    hdr->size > vu_payload_size_max(info->request))
		return vl_err_set(err, -EMSGSIZE, "%s has %u bytes of payload, not %u to %u",
				  info->name, hdr->size, vu_payload_size_min(info->request),
				  vu_payload_size_max(info->request));
	if (nr_fds > info->fds_max)
		return vl_err_set(err, -E2BIG, "%s came with %u fds, %u at most fit", info->name,
				  nr_fds, info->fds_max);
	return 0;
}

static int check_mem_table(const struct vu_msg *msg, struct vl_err *err)
{
	uint32_t nr = msg->payload.mem.nr_regions;

	if (!nr || nr > VU_REGIONS_MAX)
		return vl_err_set(err, -EINVAL, "SET_MEM_TABLE has %u regions, not 1 to %u", nr,
				  VU_REGIONS_MAX);
	if (msg->hdr.size != vu_mem_table_size(nr))
		return vl_err_set(err, -EMSGSIZE,
				  "SET_MEM_TABLE has %u regions in %u bytes, not in %u", nr,
				  msg->hdr.size, vu_mem_table_size(nr));
	if (msg->nr_fds != nr)
		return vl_err_set(err, -EINVAL, "SET_MEM_TABLE has %u regions and %u fds", nr,
				  msg->nr_fds);
	return 0;
}

static int check_vring_fd(const struct vu_msg *msg, struct vl_err *err)
{
	const char *name = vu_msg_name(msg->hdr.request);
	uint64_t u64 = msg->payload.u64;
	unsigned int due = u64 & VU_FD_NONE ? 0 : 1;

	if (u64 & ~(VU_FD_INDEX_MASK | VU_FD_NONE))
		return vl_err_set(err, -EINVAL, "%s has reserved bits set: 0x%llx", name,
				  (unsigned long long)u64);
	if (msg->nr_fds != due)
		return vl_err_set(err, -EINVAL, "%s came with %u fds, and says %u", name,
				  msg->nr_fds, due);
	return 0;
}

int vu_request_check_payload(const struct vu_msg *msg, struct vl_err *err)
{
	switch (vu_msg_info(msg->hdr.request)->request) {
	case VU_PAYLOAD_MEM_TABLE:
		return check_mem_table(msg, err);
	case VU_PAYLOAD_VRING_FD:
		return check_vring_fd(msg, err);
	default:
		return 0;
	}
}

bool vu_request_index(const struct vu_msg *msg, uint32_t *index)
{
	switch (vu_msg_info(msg->hdr.request)->request) {
	case VU_PAYLOAD_VRING_FD:
		*index = msg->payload.u64 & VU_FD_INDEX_MASK;
		return true;
	case VU_PAYLOAD_VRING_STATE:
		*index = msg->payload.state.index;
		return true;
	case VU_PAYLOAD_VRING_ADDR:
		*index = msg->payload.addr.index;
		return true;
	default:
		return false;
	}
}

int vu_reply_check_header(const struct vu_header *hdr, unsigned int nr_fds, enum vu_request request,
			  struct vl_err *err)
{
	const struct vu_msg_info *info = vu_msg_info(request);
	uint32_t size = vu_payload_size_max(info->reply);

	/* an acknowledgement is a u64 */
	if (info->reply == VU_PAYLOAD_NONE)
		size = vu_payload_size_max(VU_PAYLOAD_U64);
	if (hdr->request != request)
		return vl_err_set(err, -EPROTO, "reply to request %u while %s waits", hdr->request,
				  info->name);
	if (hdr->flags != (VU_VERSION | VU_REPLY))
		return vl_err_set(err, -EPROTO, "reply to %s has flags 0x%x, not 0x%x", info->name,
				  hdr->flags, VU_VERSION | VU_REPLY);
	if (hdr->size != size)
		return vl_err_set(err, -EPROTO, "reply to %s has %u bytes of payload, not %u",
				  info->name, hdr->size, size);
	if (nr_fds)
		return vl_err_set(err, -EPROTO, "reply to %s came with %u fds", info->name, nr_fds);
	return 0;
}
