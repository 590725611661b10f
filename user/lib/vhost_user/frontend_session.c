// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What is agreed on: features, status, config space.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "frontend.h"

static int ask_u64(struct vu_frontend *fe, enum vu_request request, uint64_t *value,
		   struct vl_err *err)
{
	int ret = frontend_ask(fe, request, NULL, 0, NULL, 0, err);

	if (!ret)
		*value = fe->reply.u64;
	return ret;
}

static int negotiate_protocol(struct vu_frontend *fe, uint64_t wanted, struct vl_err *err)
{
	uint64_t offered;
	int ret;

	ret = ask_u64(fe, VU_GET_PROTOCOL_FEATURES, &offered, err);
	if (ret)
		return ret;
	wanted &= offered;
	ret = vu_protocol_features_check(wanted, err);
	if (ret)
		return ret;
	/* not acknowledged itself: the bit is not negotiated before it */
	ret = frontend_tell_u64(fe, VU_SET_PROTOCOL_FEATURES, wanted, err);
	if (!ret)
		fe->protocol_features = wanted;
	return ret;
}

static int check_queue_num(struct vu_frontend *fe, unsigned int wanted, struct vl_err *err)
{
	uint64_t num;
	int ret;

	if (!wanted || !has_protocol(fe, VU_PROTOCOL_F_MQ))
		return 0;
	ret = vu_frontend_get_queue_num(fe, &num, err);
	if (ret || num >= wanted)
		return ret;
	return vl_err_set(err, -ENOTSUP, "the back-end says that it has %u virtqueues, not %u",
			  (unsigned int)num, wanted);
}

int vu_frontend_open(struct vu_frontend *fe, const struct vu_frontend_wish *wish,
		     struct vl_err *err)
{
	uint64_t required = wish->required | vu_feature(VU_F_PROTOCOL_FEATURES);
	uint64_t offered;
	int ret;

	ret = frontend_tell(fe, VU_SET_OWNER, NULL, 0, NULL, 0, err);
	if (!ret)
		ret = ask_u64(fe, VU_GET_FEATURES, &offered, err);
	if (ret)
		return ret;
	if (required & ~offered)
		return vl_err_set(err, -ENOTSUP,
				  "the back-end does not offer features 0x%llx of 0x%llx",
				  (unsigned long long)(required & ~offered),
				  (unsigned long long)required);
	ret = negotiate_protocol(fe, wish->protocol, err);
	if (!ret)
		ret = check_queue_num(fe, wish->num_queues, err);
	if (ret)
		return ret;
	return vu_frontend_set_features(fe, required | (wish->optional & offered), err);
}

int vu_frontend_negotiate(struct vu_frontend *fe, uint64_t wanted, struct vl_err *err)
{
	const struct vu_frontend_wish wish = {
		.required = wanted,
		.protocol = vu_feature(VU_PROTOCOL_F_REPLY_ACK),
	};

	return vu_frontend_open(fe, &wish, err);
}

int vu_frontend_set_features(struct vu_frontend *fe, uint64_t features, struct vl_err *err)
{
	int ret = frontend_tell_u64(fe, VU_SET_FEATURES, features, err);

	if (!ret)
		fe->features = features;
	return ret;
}

uint64_t vu_frontend_features(const struct vu_frontend *fe)
{
	return fe->features;
}

uint64_t vu_frontend_protocol_features(const struct vu_frontend *fe)
{
	return fe->protocol_features;
}

int vu_frontend_get_queue_num(struct vu_frontend *fe, uint64_t *num, struct vl_err *err)
{
	uint64_t got;
	int ret = ask_u64(fe, VU_GET_QUEUE_NUM, &got, err);

	if (ret)
		return ret;
	/* "A vring descriptor index" has 8 bits */
	if (!got || got > VU_FD_INDEX_MASK + 1)
		return vl_err_set(err, -EPROTO, "GET_QUEUE_NUM: %llu virtqueues, not 1 to %llu",
				  (unsigned long long)got, VU_FD_INDEX_MASK + 1);
	*num = got;
	return 0;
}

int vu_frontend_get_status(struct vu_frontend *fe, uint64_t *status, struct vl_err *err)
{
	return ask_u64(fe, VU_GET_STATUS, status, err);
}

int vu_frontend_set_status(struct vu_frontend *fe, uint8_t status, struct vl_err *err)
{
	return frontend_tell_u64(fe, VU_SET_STATUS, status, err);
}

int vu_frontend_reset_device(struct vu_frontend *fe, struct vl_err *err)
{
	return frontend_tell(fe, VU_RESET_DEVICE, NULL, 0, NULL, 0, err);
}

static int check_config(uint32_t size, struct vl_err *err)
{
	if (size && size <= VU_CONFIG_MAX)
		return 0;
	return vl_err_set(err, -EINVAL, "%u bytes of config space, not 1 to %u", size,
			  VU_CONFIG_MAX);
}

int vu_frontend_get_config(struct vu_frontend *fe, uint32_t offset, void *buf, uint32_t size,
			   struct vl_err *err)
{
	union vu_payload payload = { .config = { .offset = offset, .size = size } };
	const struct vu_config *config = &fe->reply.config;
	int ret = check_config(size, err);

	if (!ret)
		ret = frontend_ask(fe, VU_GET_CONFIG, &payload, vu_config_size(size), NULL, 0, err);
	if (ret)
		return ret;
	/* "zero-length payload": the device refuses */
	if (fe->reply_size != vu_config_size(size) || config->size != size)
		return vl_err_set(err, -EIO, "GET_CONFIG: refused by the back-end");
	memcpy(buf, config->data, size);
	return 0;
}

int vu_frontend_set_config(struct vu_frontend *fe, uint32_t offset, const void *buf, uint32_t size,
			   bool migration, struct vl_err *err)
{
	union vu_payload payload = {
		.config = {
			.offset = offset,
			.size = size,
			.flags = migration ? VU_CONFIG_MIGRATION : VU_CONFIG_WRITABLE,
		},
	};
	int ret = check_config(size, err);

	if (ret)
		return ret;
	memcpy(payload.config.data, buf, size);
	return frontend_tell(fe, VU_SET_CONFIG, &payload, vu_config_size(size), NULL, 0, err);
}
