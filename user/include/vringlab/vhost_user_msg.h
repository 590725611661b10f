/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vhost-user messages: the layouts, and one table of facts per message.
 *
 * Pure: no sockets, no state. Names and numbers are those of the vhost-user
 * specification; the heading that each comes from is given.
 */
#ifndef VRINGLAB_VHOST_USER_MSG_H
#define VRINGLAB_VHOST_USER_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vl_err;

/* "Front-end message types" */
enum vu_request {
	VU_GET_FEATURES = 1,
	VU_SET_FEATURES = 2,
	VU_SET_OWNER = 3,
	VU_RESET_OWNER = 4,
	VU_SET_MEM_TABLE = 5,
	VU_SET_VRING_NUM = 8,
	VU_SET_VRING_ADDR = 9,
	VU_SET_VRING_BASE = 10,
	VU_GET_VRING_BASE = 11,
	VU_SET_VRING_KICK = 12,
	VU_SET_VRING_CALL = 13,
	VU_SET_VRING_ERR = 14,
	VU_GET_PROTOCOL_FEATURES = 15,
	VU_SET_PROTOCOL_FEATURES = 16,
	VU_GET_QUEUE_NUM = 17,
	VU_SET_VRING_ENABLE = 18,
};

/*
 * Feature bits, as numbers: test them with vu_has_feature() and make masks with
 * vu_feature() only.
 */

/* "Protocol features": the virtio feature bit that says there are any. */
#define VU_F_PROTOCOL_FEATURES 30u

/* "Protocol features" */
#define VU_PROTOCOL_F_MQ 0u
#define VU_PROTOCOL_F_REPLY_ACK 3u

static inline bool vu_has_feature(uint64_t features, unsigned int bit)
{
	return features >> bit & 1;
}

static inline uint64_t vu_feature(unsigned int bit)
{
	return 1ull << bit;
}

/* "Header": version in bits 0 and 1, then REPLY, then NEED_REPLY. */
#define VU_VERSION 0x1u
#define VU_VERSION_MASK 0x3u
#define VU_REPLY 0x4u
#define VU_NEED_REPLY 0x8u

/* "A vring descriptor index": bits 0 to 7 the index, bit 8 says there is no fd. */
#define VU_FD_INDEX_MASK 0xffull
#define VU_FD_NONE 0x100ull

/* "Memory regions description": up to 8, and so no message has more fds. */
#define VU_REGIONS_MAX 8u
#define VU_FDS_MAX 8u

/* "Header" */
struct vu_header {
	uint32_t request;
	uint32_t flags;
	uint32_t size;
};

/* "A vring state description" */
struct vu_vring_state {
	uint32_t index;
	uint32_t num;
};

/* "A vring address description" */
struct vu_vring_addr {
	uint32_t index;
	uint32_t flags;
	uint64_t desc;
	uint64_t used;
	uint64_t avail;
	uint64_t log;
};

/* "Memory region description" */
struct vu_region {
	uint64_t guest_addr;
	uint64_t size;
	uint64_t user_addr;
	uint64_t mmap_offset;
};

/* "Memory regions description" */
struct vu_mem_table {
	uint32_t nr_regions;
	uint32_t padding;
	struct vu_region regions[VU_REGIONS_MAX];
};

union vu_payload {
	uint64_t u64;
	struct vu_vring_state state;
	struct vu_vring_addr addr;
	struct vu_mem_table mem;
};

/**
 * struct vu_msg - One message
 * @hdr:	Header.
 * @payload:	@hdr.size bytes of it count.
 * @fds:	Descriptors, owned by the message; -1 where there is none or it was
 *		taken.
 * @nr_fds:	How many came with it.
 */
struct vu_msg {
	struct vu_header hdr;
	union vu_payload payload;
	int fds[VU_FDS_MAX];
	unsigned int nr_fds;
};

/**
 * vu_msg_close_fds() - Close what nobody took
 * @msg:	Message.
 */
void vu_msg_close_fds(struct vu_msg *msg);

enum vu_payload_type {
	VU_PAYLOAD_NONE,
	VU_PAYLOAD_U64,
	VU_PAYLOAD_VRING_FD, /* a u64 with VU_FD_INDEX_MASK and VU_FD_NONE */
	VU_PAYLOAD_VRING_STATE,
	VU_PAYLOAD_VRING_ADDR,
	VU_PAYLOAD_MEM_TABLE,
};

/* What has to be agreed on before the message may be sent. */
enum vu_gate {
	VU_GATE_NONE,
	VU_GATE_OFFERED, /* VU_F_PROTOCOL_FEATURES offered by the back-end */
	VU_GATE_ACKED, /* VU_F_PROTOCOL_FEATURES acknowledged by the front-end */
	VU_GATE_MQ, /* VU_PROTOCOL_F_MQ negotiated */
};

/**
 * struct vu_msg_info - The facts of a front-end's message
 * @id:		Its number.
 * @name:	As in the specification.
 * @request:	Payload of the request.
 * @reply:	Payload of its own reply; %VU_PAYLOAD_NONE where there is none, and
 *		only then may REPLY_ACK ask for an acknowledgement.
 * @fds_max:	Most descriptors that a request carries. How many it has to carry is
 *		in the payload where that varies.
 * @gate:	What it needs.
 */
struct vu_msg_info {
	enum vu_request id;
	const char *name;
	enum vu_payload_type request;
	enum vu_payload_type reply;
	unsigned int fds_max;
	enum vu_gate gate;
};

/**
 * vu_msg_info() - Look a message up
 * @request:	Its number, as received.
 *
 * Return: The facts, or NULL for one that is not known.
 */
const struct vu_msg_info *vu_msg_info(uint32_t request);

/**
 * vu_msg_name() - Name of a message for people
 * @request:	Its number, as received.
 *
 * Return: The name, or "unknown request".
 */
const char *vu_msg_name(uint32_t request);

/**
 * vu_payload_size_max() - Most bytes of a type of payload
 * @type:	Type.
 */
uint32_t vu_payload_size_max(enum vu_payload_type type);

/**
 * vu_payload_size_min() - Fewest bytes of a type of payload
 * @type:	Type.
 */
uint32_t vu_payload_size_min(enum vu_payload_type type);

/**
 * vu_mem_table_size() - Bytes of a memory table on the wire
 * @nr_regions:	Regions, up to %VU_REGIONS_MAX.
 */
uint32_t vu_mem_table_size(unsigned int nr_regions);

/**
 * vu_request_check_header() - May this header start a request?
 * @hdr:	As received.
 * @nr_fds:	Descriptors that came with it.
 * @err:	What is wrong with it; may be NULL.
 *
 * After a failure nothing that follows on the connection can be trusted.
 *
 * Return: 0, or
 * * %-EPROTO - another version, or the REPLY flag
 * * %-ENOTSUP - unknown request
 * * %-EMSGSIZE - the size is not one of the request's payload
 * * %-E2BIG - more fds than the request can have
 */
int vu_request_check_header(const struct vu_header *hdr, unsigned int nr_fds, struct vl_err *err);

/**
 * vu_request_check_payload() - Does the payload agree with itself?
 * @msg:	Message whose header was accepted.
 * @err:	What is wrong with it; may be NULL.
 *
 * Return: 0, or
 * * %-EINVAL - number of regions out of range, reserved bits set, or the number
 *   of fds does not fit
 * * %-EMSGSIZE - the size does not fit the number of regions
 */
int vu_request_check_payload(const struct vu_msg *msg, struct vl_err *err);

/**
 * vu_request_index() - The virtqueue that a request is about
 * @msg:	Message whose payload was accepted.
 * @index:	Set where there is one.
 *
 * Return: whether there is one.
 */
bool vu_request_index(const struct vu_msg *msg, uint32_t *index);

/**
 * vu_reply_check_header() - Is this header the reply that is due?
 * @hdr:	As received.
 * @nr_fds:	Descriptors that came with it.
 * @request:	What was sent.
 * @err:	What is wrong with it; may be NULL.
 *
 * Return: 0, or %-EPROTO for the wrong request, flags that are not exactly the
 * version and REPLY, another size, or any fd.
 */
int vu_reply_check_header(const struct vu_header *hdr, unsigned int nr_fds, enum vu_request request,
			  struct vl_err *err);

#endif /* VRINGLAB_VHOST_USER_MSG_H */
