// SPDX-License-Identifier: GPL-2.0-only
/* The codec, with a header and a payload of either end. */
#include <vringlab/err.h>
#include <vringlab/vhost_user_msg.h>

#include "fuzz.h"

/* A payload that was accepted holds what its type says. */
static void check_accepted(const struct vu_msg *msg, const struct vu_msg_info *info)
{
	const union vu_payload *p = &msg->payload;
	uint32_t index = 0;

	FUZZ_CHECK(msg->hdr.size <= sizeof(*p));
	FUZZ_CHECK(msg->nr_fds >= info->fds_min && msg->nr_fds <= info->fds_max);
	if (info->request == VU_PAYLOAD_MEM_TABLE && msg->hdr.size > 8)
		FUZZ_CHECK(p->mem.nr_regions <= VU_REGIONS_MAX &&
			   msg->hdr.size == vu_mem_table_size(p->mem.nr_regions) &&
			   p->mem.nr_regions == msg->nr_fds);
	if (info->request == VU_PAYLOAD_CONFIG)
		FUZZ_CHECK(p->config.size <= VU_CONFIG_MAX &&
			   msg->hdr.size == vu_config_size(p->config.size));
	if (info->request == VU_PAYLOAD_VRING_FD)
		FUZZ_CHECK(vu_request_index(msg, &index) && index <= UINT8_MAX &&
			   msg->nr_fds == (p->u64 & VU_FD_NONE ? 0 : 1));
	vu_request_index(msg, &index);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	const struct vu_msg_info *info;
	struct vu_msg msg = { 0 };
	struct vl_err err;
	uint32_t asked = fuzz_u8(&in);

	msg.nr_fds = fuzz_u8(&in) % (VU_FDS_MAX + 1);
	fuzz_take(&in, &msg.hdr, sizeof(msg.hdr));
	fuzz_take(&in, &msg.payload, sizeof(msg.payload));
	vu_msg_name(msg.hdr.request);
	vu_channel_info(msg.hdr.request);
	vu_protocol_features_check(msg.payload.u64, &err);
	info = vu_msg_info(asked);
	if (info && !vu_reply_check_header(&msg.hdr, msg.nr_fds, asked, &err))
		FUZZ_CHECK(msg.hdr.request == asked && msg.hdr.size <= sizeof(msg.payload));
	if (vu_request_check_header(&msg.hdr, msg.nr_fds, &err))
		return 0;
	info = vu_msg_info(msg.hdr.request);
	FUZZ_CHECK(info);
	if (!vu_request_check_payload(&msg, &err))
		check_accepted(&msg, info);
	return 0;
}
