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

_Static_assert(sizeof(struct vu_mem_reg) == 40, "single memory region has padding");
_Static_assert(sizeof(struct vu_iotlb) == 32, "IOTLB message has padding");
_Static_assert(sizeof(struct vu_config) == 12 + VU_CONFIG_MAX, "config has padding");
_Static_assert(sizeof(struct vu_inflight) == 24, "inflight description has padding");
_Static_assert(sizeof(struct vu_mmap) == 40, "MMAP request has padding");

#define P(feature) (1ull << VU_PROTOCOL_F_##feature)

/*
 * Message, request, reply, fds of the request (fewest, most) and of the reply, gate,
 * protocol features.
 */
#define ROW(prefix, _id, _request, _reply, _min, _max, _rmax, _gate, _protocol) \
	[prefix##_id] = { .id = prefix##_id,                                    \
			  .name = #_id,                                         \
			  .request = VU_PAYLOAD_##_request,                     \
			  .reply = VU_PAYLOAD_##_reply,                         \
			  .fds_min = (_min),                                    \
			  .fds_max = (_max),                                    \
			  .reply_fds_max = (_rmax),                             \
			  .gate = VU_GATE_##_gate,                              \
			  .protocol = (_protocol) }
#define FRONT(...) ROW(VU_, __VA_ARGS__)
#define BACK(...) ROW(VU_CHANNEL_, __VA_ARGS__)

/* "Front-end message types", in the order of their numbers. */
static const struct vu_msg_info infos[] = {
	FRONT(GET_FEATURES, NONE, U64, 0, 0, 0, NONE, 0),
	FRONT(SET_FEATURES, U64, NONE, 0, 0, 0, NONE, 0),
	FRONT(SET_OWNER, NONE, NONE, 0, 0, 0, NONE, 0),
	FRONT(RESET_OWNER, NONE, NONE, 0, 0, 0, NONE, 0),
	FRONT(SET_MEM_TABLE, MEM_TABLE, NONE, 0, VU_FDS_MAX, 0, NONE, 0),
	FRONT(SET_LOG_BASE, LOG, U64, 1, 1, 0, NONE, P(LOG_SHMFD)),
	FRONT(SET_LOG_FD, NONE, NONE, 1, 1, 0, NONE, 0),
	FRONT(SET_VRING_NUM, VRING_STATE, NONE, 0, 0, 0, NONE, 0),
	FRONT(SET_VRING_ADDR, VRING_ADDR, NONE, 0, 0, 0, NONE, 0),
	FRONT(SET_VRING_BASE, VRING_STATE, NONE, 0, 0, 0, NONE, 0),
	FRONT(GET_VRING_BASE, VRING_STATE, VRING_STATE, 0, 0, 0, NONE, 0),
	FRONT(SET_VRING_KICK, VRING_FD, NONE, 0, 1, 0, NONE, 0),
	FRONT(SET_VRING_CALL, VRING_FD, NONE, 0, 1, 0, NONE, 0),
	FRONT(SET_VRING_ERR, VRING_FD, NONE, 0, 1, 0, NONE, 0),
	FRONT(GET_PROTOCOL_FEATURES, NONE, U64, 0, 0, 0, OFFERED, 0),
	FRONT(SET_PROTOCOL_FEATURES, U64, NONE, 0, 0, 0, OFFERED, 0),
	FRONT(GET_QUEUE_NUM, NONE, U64, 0, 0, 0, NONE, P(MQ)),
	FRONT(SET_VRING_ENABLE, VRING_STATE, NONE, 0, 0, 0, ACKED, 0),
	FRONT(SEND_RARP, U64, NONE, 0, 0, 0, NONE, P(RARP)),
	FRONT(NET_SET_MTU, U64, NONE, 0, 0, 0, NONE, P(MTU)),
	FRONT(SET_BACKEND_REQ_FD, NONE, NONE, 1, 1, 0, NONE, P(BACKEND_REQ)),
	FRONT(IOTLB_MSG, IOTLB, U64, 0, 0, 0, IOMMU, 0),
	FRONT(SET_VRING_ENDIAN, VRING_STATE, NONE, 0, 0, 0, NONE, P(CROSS_ENDIAN)),
	FRONT(GET_CONFIG, CONFIG, CONFIG, 0, 0, 0, NONE, P(CONFIG)),
	FRONT(SET_CONFIG, CONFIG, NONE, 0, 0, 0, NONE, P(CONFIG)),
	FRONT(CREATE_CRYPTO_SESSION, OTHER, OTHER, 0, 0, 0, NONE, P(CRYPTO_SESSION)),
	FRONT(CLOSE_CRYPTO_SESSION, U64, NONE, 0, 0, 0, NONE, P(CRYPTO_SESSION)),
	FRONT(POSTCOPY_ADVISE, NONE, EMPTY, 0, 0, 1, NONE, P(PAGEFAULT)),
	FRONT(POSTCOPY_LISTEN, NONE, NONE, 0, 0, 0, NONE, P(PAGEFAULT)),
	FRONT(POSTCOPY_END, NONE, U64, 0, 0, 0, NONE, P(PAGEFAULT)),
	FRONT(GET_INFLIGHT_FD, INFLIGHT, INFLIGHT, 0, 0, 1, NONE, P(INFLIGHT_SHMFD)),
	FRONT(SET_INFLIGHT_FD, INFLIGHT, NONE, 1, 1, 0, NONE, P(INFLIGHT_SHMFD)),
	FRONT(GPU_SET_SOCKET, NONE, NONE, 1, 1, 0, NONE, 0),
	FRONT(RESET_DEVICE, NONE, NONE, 0, 0, 0, NONE, P(RESET_DEVICE)),
	FRONT(VRING_KICK, VRING_STATE, NONE, 0, 0, 0, NONE, P(INBAND_NOTIFICATIONS)),
	FRONT(GET_MAX_MEM_SLOTS, NONE, U64, 0, 0, 0, NONE, P(CONFIGURE_MEM_SLOTS)),
	FRONT(ADD_MEM_REG, MEM_REG, NONE, 1, 1, 0, NONE, P(CONFIGURE_MEM_SLOTS)),
	FRONT(REM_MEM_REG, MEM_REG, NONE, 0, 1, 0, NONE, P(CONFIGURE_MEM_SLOTS)),
	FRONT(SET_STATUS, U64, NONE, 0, 0, 0, NONE, P(STATUS)),
	FRONT(GET_STATUS, NONE, U64, 0, 0, 0, NONE, P(STATUS)),
	FRONT(GET_SHARED_OBJECT, SHARED, U64, 0, 0, 1, NONE, P(SHARED_OBJECT)),
	FRONT(SET_DEVICE_STATE_FD, DEVICE_STATE, U64, 1, 1, 1, NONE, P(DEVICE_STATE)),
	FRONT(CHECK_DEVICE_STATE, NONE, U64, 0, 0, 0, NONE, P(DEVICE_STATE)),
	FRONT(GET_SHMEM_CONFIG, NONE, SHMEM_CONFIG, 0, 0, 0, NONE, P(SHMEM)),
	FRONT(GET_VRING_BASE_SKIP_DRAIN, VRING_STATE, VRING_STATE, 0, 0, 0, NONE,
	      P(GET_VRING_BASE_SKIP_DRAIN)),
};

/* "Back-end message types", in the order of their numbers. */
static const struct vu_msg_info channel_infos[] = {
	BACK(IOTLB_MSG, IOTLB, NONE, 0, 0, 0, IOMMU, 0),
	BACK(CONFIG_CHANGE_MSG, NONE, NONE, 0, 0, 0, NONE, P(CONFIG)),
	BACK(VRING_HOST_NOTIFIER_MSG, VRING_AREA, NONE, 0, 1, 0, NONE, P(HOST_NOTIFIER)),
	BACK(VRING_CALL, VRING_STATE, NONE, 0, 0, 0, NONE, P(INBAND_NOTIFICATIONS)),
	BACK(VRING_ERR, VRING_STATE, NONE, 0, 0, 0, NONE, P(INBAND_NOTIFICATIONS)),
	BACK(SHARED_OBJECT_ADD, SHARED, NONE, 0, 0, 0, NONE, P(SHARED_OBJECT)),
	BACK(SHARED_OBJECT_REMOVE, SHARED, NONE, 0, 0, 0, NONE, P(SHARED_OBJECT)),
	BACK(SHARED_OBJECT_LOOKUP, SHARED, U64, 0, 0, 1, NONE, P(SHARED_OBJECT)),
	BACK(SHMEM_MAP, MMAP, NONE, 1, 1, 0, NONE, P(SHMEM)),
	BACK(SHMEM_UNMAP, MMAP, NONE, 0, 0, 0, NONE, P(SHMEM)),
};

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

const struct vu_msg_info *vu_channel_info(uint32_t request)
{
	if (request >= sizeof(channel_infos) / sizeof(channel_infos[0]) ||
	    !channel_infos[request].name)
		return NULL;
	return &channel_infos[request];
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

uint32_t vu_config_size(uint32_t data)
{
	return offsetof(struct vu_config, data) + data;
}

uint32_t vu_payload_size_max(enum vu_payload_type type)
{
	static const uint32_t sizes[] = {
		[VU_PAYLOAD_NONE] = 0,
		[VU_PAYLOAD_EMPTY] = 0,
		[VU_PAYLOAD_U64] = sizeof(uint64_t),
		[VU_PAYLOAD_VRING_FD] = sizeof(uint64_t),
		[VU_PAYLOAD_VRING_STATE] = sizeof(struct vu_vring_state),
		[VU_PAYLOAD_VRING_ADDR] = sizeof(struct vu_vring_addr),
		[VU_PAYLOAD_MEM_TABLE] = sizeof(struct vu_mem_table),
		[VU_PAYLOAD_MEM_REG] = sizeof(struct vu_mem_reg),
		[VU_PAYLOAD_LOG] = sizeof(struct vu_log),
		[VU_PAYLOAD_IOTLB] = sizeof(struct vu_iotlb),
		[VU_PAYLOAD_CONFIG] = sizeof(struct vu_config),
		[VU_PAYLOAD_VRING_AREA] = sizeof(struct vu_vring_area),
		[VU_PAYLOAD_INFLIGHT] = sizeof(struct vu_inflight),
		[VU_PAYLOAD_SHARED] = sizeof(struct vu_shared),
		[VU_PAYLOAD_DEVICE_STATE] = sizeof(struct vu_device_state),
		[VU_PAYLOAD_MMAP] = sizeof(struct vu_mmap),
		[VU_PAYLOAD_SHMEM_CONFIG] = sizeof(struct vu_shmem_config),
		[VU_PAYLOAD_OTHER] = sizeof(union vu_payload),
	};

	return sizes[type];
}

uint32_t vu_payload_size_min(enum vu_payload_type type)
{
	switch (type) {
	case VU_PAYLOAD_MEM_TABLE:
		return vu_mem_table_size(0);
	case VU_PAYLOAD_CONFIG:
		return vu_config_size(0);
	case VU_PAYLOAD_LOG:
		return sizeof(uint64_t);
	case VU_PAYLOAD_OTHER:
		return 0;
	default:
		return vu_payload_size_max(type);
	}
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

static int check_config(const struct vu_msg *msg, struct vl_err *err)
{
	const struct vu_config *config = &msg->payload.config;
	const char *name = vu_msg_name(msg->hdr.request);

	if (!config->size || config->size > VU_CONFIG_MAX)
		return vl_err_set(err, -EINVAL, "%s is about %u bytes, not 1 to %u", name,
				  config->size, VU_CONFIG_MAX);
	if (msg->hdr.size != vu_config_size(config->size))
		return vl_err_set(err, -EMSGSIZE, "%s is about %u bytes in %u bytes, not in %u",
				  name, config->size, msg->hdr.size, vu_config_size(config->size));
	if (config->flags > VU_CONFIG_MIGRATION)
		return vl_err_set(err, -EINVAL, "%s has flags 0x%x", name, config->flags);
	return 0;
}

static int check_device_state(const struct vu_msg *msg, struct vl_err *err)
{
	const struct vu_device_state *state = &msg->payload.device_state;

	if (state->direction <= 1 && !state->phase)
		return 0;
	return vl_err_set(err, -EINVAL, "SET_DEVICE_STATE_FD has direction %u and phase %u",
			  state->direction, state->phase);
}

/* Where the number of fds follows from the message alone. */
static int check_fds(const struct vu_msg *msg, const struct vu_msg_info *info, struct vl_err *err)
{
	if (msg->nr_fds >= info->fds_min)
		return 0;
	return vl_err_set(err, -EINVAL, "%s came with %u fds, not %u", info->name, msg->nr_fds,
			  info->fds_min);
}

int vu_request_check_payload(const struct vu_msg *msg, struct vl_err *err)
{
	const struct vu_msg_info *info = vu_msg_info(msg->hdr.request);
	int ret = check_fds(msg, info, err);

	if (ret)
		return ret;
	switch (info->request) {
	case VU_PAYLOAD_MEM_TABLE:
		return check_mem_table(msg, err);
	case VU_PAYLOAD_VRING_FD:
		return check_vring_fd(msg, err);
	case VU_PAYLOAD_CONFIG:
		return check_config(msg, err);
	case VU_PAYLOAD_DEVICE_STATE:
		return check_device_state(msg, err);
	case VU_PAYLOAD_LOG:
		if (msg->hdr.size == sizeof(struct vu_log))
			return 0;
		return vl_err_set(err, -EMSGSIZE, "%s with an fd has %u bytes, not %zu", info->name,
				  msg->hdr.size, sizeof(struct vu_log));
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

int vu_protocol_features_check(uint64_t features, struct vl_err *err)
{
	static const struct {
		uint64_t feature;
		uint64_t needs;
		const char *text;
	} rules[] = {
		{ P(INBAND_NOTIFICATIONS), P(BACKEND_REQ) | P(REPLY_ACK),
		  "INBAND_NOTIFICATIONS needs BACKEND_REQ and REPLY_ACK" },
		{ P(GET_VRING_BASE_INFLIGHT), P(INFLIGHT_SHMFD),
		  "GET_VRING_BASE_INFLIGHT needs INFLIGHT_SHMFD" },
		{ P(GET_VRING_BASE_SKIP_DRAIN), P(GET_VRING_BASE_INFLIGHT) | P(INFLIGHT_SHMFD),
		  "GET_VRING_BASE_SKIP_DRAIN needs GET_VRING_BASE_INFLIGHT and INFLIGHT_SHMFD" },
	};

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (features & rules[i].feature && rules[i].needs & ~features)
			return vl_err_set(err, -EINVAL, "%s", rules[i].text);
	return 0;
}

/* A config reply that is empty says that there was an error. */
static bool reply_size_ok(const struct vu_msg_info *info, uint32_t size)
{
	if (info->reply == VU_PAYLOAD_NONE)
		return size == sizeof(uint64_t);
	if (info->reply == VU_PAYLOAD_CONFIG && !size)
		return true;
	return size >= vu_payload_size_min(info->reply) && size <= vu_payload_size_max(info->reply);
}

int vu_reply_check_header(const struct vu_header *hdr, unsigned int nr_fds, enum vu_request request,
			  struct vl_err *err)
{
	const struct vu_msg_info *info = vu_msg_info(request);

	if (hdr->request != request)
		return vl_err_set(err, -EPROTO, "reply to request %u while %s waits", hdr->request,
				  info->name);
	if (hdr->flags != (VU_VERSION | VU_REPLY))
		return vl_err_set(err, -EPROTO, "reply to %s has flags 0x%x, not 0x%x", info->name,
				  hdr->flags, VU_VERSION | VU_REPLY);
	if (!reply_size_ok(info, hdr->size))
		return vl_err_set(err, -EPROTO, "reply to %s has %u bytes of payload, not %u",
				  info->name, hdr->size,
				  info->reply == VU_PAYLOAD_NONE ?
					  vu_payload_size_max(VU_PAYLOAD_U64) :
					  vu_payload_size_max(info->reply));
	if (nr_fds > info->reply_fds_max)
		return vl_err_set(err, -EPROTO, "reply to %s came with %u fds", info->name, nr_fds);
	return 0;
}
