/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vhost-user messages: the layouts, and one table of facts per message.
 *
 * Pure: no sockets, no state. Names and numbers are those of the vhost-user
 * specification; the heading that each comes from is given.
 *
 * Compared with the vhost-user document of QEMU 11.1.3: messages 1 to 44, those of the
 * back-end 1 to 10, protocol features 0 to 22, of which it calls 22 SHMEM_MAP. Message
 * 45 and feature 23, and the name SHMEM, are not in that release but in the document's
 * development text of QEMU after it.
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
	VU_SET_LOG_BASE = 6,
	VU_SET_LOG_FD = 7,
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
	VU_SEND_RARP = 19,
	VU_NET_SET_MTU = 20,
	VU_SET_BACKEND_REQ_FD = 21,
	VU_IOTLB_MSG = 22,
	VU_SET_VRING_ENDIAN = 23,
	VU_GET_CONFIG = 24,
	VU_SET_CONFIG = 25,
	VU_CREATE_CRYPTO_SESSION = 26,
	VU_CLOSE_CRYPTO_SESSION = 27,
	VU_POSTCOPY_ADVISE = 28,
	VU_POSTCOPY_LISTEN = 29,
	VU_POSTCOPY_END = 30,
	VU_GET_INFLIGHT_FD = 31,
	VU_SET_INFLIGHT_FD = 32,
	VU_GPU_SET_SOCKET = 33,
	VU_RESET_DEVICE = 34,
	VU_VRING_KICK = 35,
	VU_GET_MAX_MEM_SLOTS = 36,
	VU_ADD_MEM_REG = 37,
	VU_REM_MEM_REG = 38,
	VU_SET_STATUS = 39,
	VU_GET_STATUS = 40,
	VU_GET_SHARED_OBJECT = 41,
	VU_SET_DEVICE_STATE_FD = 42,
	VU_CHECK_DEVICE_STATE = 43,
	VU_GET_SHMEM_CONFIG = 44,
	VU_GET_VRING_BASE_SKIP_DRAIN = 45,
};

/* "Back-end message types", on the channel that SET_BACKEND_REQ_FD opens */
enum vu_channel_request {
	VU_CHANNEL_IOTLB_MSG = 1,
	VU_CHANNEL_CONFIG_CHANGE_MSG = 2,
	VU_CHANNEL_VRING_HOST_NOTIFIER_MSG = 3,
	VU_CHANNEL_VRING_CALL = 4,
	VU_CHANNEL_VRING_ERR = 5,
	VU_CHANNEL_SHARED_OBJECT_ADD = 6,
	VU_CHANNEL_SHARED_OBJECT_REMOVE = 7,
	VU_CHANNEL_SHARED_OBJECT_LOOKUP = 8,
	VU_CHANNEL_SHMEM_MAP = 9,
	VU_CHANNEL_SHMEM_UNMAP = 10,
};

/*
 * Feature bits, as numbers: test them with vu_has_feature() and make masks with
 * vu_feature() only.
 */

/* "Protocol features": the virtio feature bit that says there are any. */
#define VU_F_PROTOCOL_FEATURES 30u

/* "Protocol features" */
#define VU_PROTOCOL_F_MQ 0u
#define VU_PROTOCOL_F_LOG_SHMFD 1u
#define VU_PROTOCOL_F_RARP 2u
#define VU_PROTOCOL_F_REPLY_ACK 3u
#define VU_PROTOCOL_F_MTU 4u
#define VU_PROTOCOL_F_BACKEND_REQ 5u
#define VU_PROTOCOL_F_CROSS_ENDIAN 6u
#define VU_PROTOCOL_F_CRYPTO_SESSION 7u
#define VU_PROTOCOL_F_PAGEFAULT 8u
#define VU_PROTOCOL_F_CONFIG 9u
#define VU_PROTOCOL_F_BACKEND_SEND_FD 10u
#define VU_PROTOCOL_F_HOST_NOTIFIER 11u
#define VU_PROTOCOL_F_INFLIGHT_SHMFD 12u
#define VU_PROTOCOL_F_RESET_DEVICE 13u
#define VU_PROTOCOL_F_INBAND_NOTIFICATIONS 14u
#define VU_PROTOCOL_F_CONFIGURE_MEM_SLOTS 15u
#define VU_PROTOCOL_F_STATUS 16u
#define VU_PROTOCOL_F_XEN_MMAP 17u
#define VU_PROTOCOL_F_SHARED_OBJECT 18u
#define VU_PROTOCOL_F_DEVICE_STATE 19u
#define VU_PROTOCOL_F_GET_VRING_BASE_INFLIGHT 20u
#define VU_PROTOCOL_F_GPA_ADDRESSES 21u
#define VU_PROTOCOL_F_SHMEM 22u
#define VU_PROTOCOL_F_GET_VRING_BASE_SKIP_DRAIN 23u

/* "Migration": the virtio feature bit that turns the dirty log on (VHOST_F_LOG_ALL) */
#define VU_F_LOG_ALL 26u

/* "A vring address description": the used ring is logged as well (VHOST_VRING_F_LOG) */
#define VU_VRING_F_LOG 0x1u

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

/* "Single memory region description" */
struct vu_mem_reg {
	uint64_t padding;
	struct vu_region region;
};

/* "Log description" */
struct vu_log {
	uint64_t size;
	uint64_t offset;
};

/* "An IOTLB message"; the C structure of linux/vhost_types.h */
struct vu_iotlb {
	uint64_t iova;
	uint64_t size;
	uint64_t user_addr;
	uint8_t perm;
	uint8_t type;
	uint8_t padding[6];
};

/* "Virtio device config space"; QEMU's limit, for the specification has none */
#define VU_CONFIG_MAX 256u

struct vu_config {
	uint32_t offset;
	uint32_t size;
	uint32_t flags;
	uint8_t data[VU_CONFIG_MAX];
};

/* "Virtio device config space": flags of SET_CONFIG */
#define VU_CONFIG_WRITABLE 0u
#define VU_CONFIG_MIGRATION 1u

/* "Vring area description" */
struct vu_vring_area {
	uint64_t u64;
	uint64_t size;
	uint64_t offset;
};

/* "Inflight description"; with the padding that a C compiler adds */
struct vu_inflight {
	uint64_t mmap_size;
	uint64_t mmap_offset;
	uint16_t num_queues;
	uint16_t queue_size;
	uint8_t padding[4];
};

/* "VhostUserShared" */
struct vu_shared {
	uint8_t uuid[16];
};

/* "Device state transfer parameters" */
struct vu_device_state {
	uint32_t direction;
	uint32_t phase;
};

/* "MMAP request" */
struct vu_mmap {
	uint8_t shmid;
	uint8_t padding[7];
	uint64_t fd_offset;
	uint64_t shm_offset;
	uint64_t len;
	uint64_t flags;
};

/* "VIRTIO Shared Memory Region configuration" */
#define VU_SHMEM_REGIONS 256u

struct vu_shmem_config {
	uint32_t nr_regions;
	uint32_t padding;
	uint64_t sizes[VU_SHMEM_REGIONS];
};

union vu_payload {
	uint64_t u64;
	struct vu_vring_state state;
	struct vu_vring_addr addr;
	struct vu_mem_table mem;
	struct vu_mem_reg mem_reg;
	struct vu_log log;
	struct vu_iotlb iotlb;
	struct vu_config config;
	struct vu_vring_area area;
	struct vu_inflight inflight;
	struct vu_shared shared;
	struct vu_device_state device_state;
	struct vu_mmap mmap;
	struct vu_shmem_config shmem;
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
	VU_PAYLOAD_EMPTY, /* of a reply: there is one, a header and its fds */
	VU_PAYLOAD_U64,
	VU_PAYLOAD_VRING_FD, /* a u64 with VU_FD_INDEX_MASK and VU_FD_NONE */
	VU_PAYLOAD_VRING_STATE,
	VU_PAYLOAD_VRING_ADDR,
	VU_PAYLOAD_MEM_TABLE,
	VU_PAYLOAD_MEM_REG,
	VU_PAYLOAD_LOG, /* or a u64, where there is no fd */
	VU_PAYLOAD_IOTLB,
	VU_PAYLOAD_CONFIG,
	VU_PAYLOAD_VRING_AREA,
	VU_PAYLOAD_INFLIGHT,
	VU_PAYLOAD_SHARED,
	VU_PAYLOAD_DEVICE_STATE,
	VU_PAYLOAD_MMAP,
	VU_PAYLOAD_SHMEM_CONFIG,
	VU_PAYLOAD_OTHER, /* of a device that is not served here; any size */
};

/* What has to be agreed on before the message may be sent, besides protocol features. */
enum vu_gate {
	VU_GATE_NONE,
	VU_GATE_OFFERED, /* VU_F_PROTOCOL_FEATURES offered by the back-end */
	VU_GATE_ACKED, /* VU_F_PROTOCOL_FEATURES acknowledged, or used, by the front-end */
	VU_GATE_IOMMU, /* VIRTIO_F_ACCESS_PLATFORM acknowledged by the front-end */
};

/**
 * struct vu_msg_info - The facts of a message
 * @id:		Its number.
 * @name:	As in the specification.
 * @request:	Payload of the request.
 * @reply:	Payload of its own reply; %VU_PAYLOAD_NONE where there is none, and
 *		only then may REPLY_ACK ask for an acknowledgement.
 * @fds_min:	Fewest descriptors that a request carries.
 * @fds_max:	Most descriptors that a request carries. How many it has to carry is
 *		in the payload where that varies.
 * @reply_fds_max: Most descriptors that its own reply carries.
 * @gate:	What it needs.
 * @protocol:	Protocol features that it needs, all of them.
 */
struct vu_msg_info {
	uint32_t id;
	const char *name;
	enum vu_payload_type request;
	enum vu_payload_type reply;
	unsigned int fds_min;
	unsigned int fds_max;
	unsigned int reply_fds_max;
	enum vu_gate gate;
	uint64_t protocol;
};

/**
 * vu_msg_info() - Look a front-end's message up
 * @request:	Its number, as received.
 *
 * Return: The facts, or NULL for one that is not known.
 */
const struct vu_msg_info *vu_msg_info(uint32_t request);

/**
 * vu_channel_info() - Look a back-end's message up
 * @request:	Its number, as received.
 *
 * Return: The facts, or NULL for one that is not known.
 */
const struct vu_msg_info *vu_channel_info(uint32_t request);

/**
 * vu_msg_name() - Name of a front-end's message for people
 * @request:	Its number, as received.
 *
 * Return: The name, or "unknown request".
 */
const char *vu_msg_name(uint32_t request);

/**
 * vu_config_size() - Bytes of a config message
 * @data:	Bytes of config space, up to %VU_CONFIG_MAX.
 */
uint32_t vu_config_size(uint32_t data);

/**
 * vu_protocol_features_check() - Do negotiated protocol features go together?
 * @features:	Protocol feature bits.
 * @err:	What is missing; may be NULL.
 *
 * "Protocol features": some need others.
 *
 * Return: 0, or %-EINVAL.
 */
int vu_protocol_features_check(uint64_t features, struct vl_err *err);

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
 *
 * Fewer fds than it needs are found by vu_request_check_payload(): that can be
 * answered.
 */
int vu_request_check_header(const struct vu_header *hdr, unsigned int nr_fds, struct vl_err *err);

/**
 * vu_request_check_payload() - Does the payload agree with itself?
 * @msg:	Message whose header was accepted.
 * @err:	What is wrong with it; may be NULL.
 *
 * Return: 0, or
 * * %-EINVAL - a number or a flag out of range, reserved bits set, or the number
 *   of fds does not fit
 * * %-EMSGSIZE - the size does not fit the number of regions or bytes
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
 * version and REPLY, another size, or more fds than it has.
 */
int vu_reply_check_header(const struct vu_header *hdr, unsigned int nr_fds, enum vu_request request,
			  struct vl_err *err);

#endif /* VRINGLAB_VHOST_USER_MSG_H */
