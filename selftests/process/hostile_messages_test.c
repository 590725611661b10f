// SPDX-License-Identifier: GPL-2.0-only
/*
 * A front-end that sends what no front-end should: each row is one message and what
 * becomes of it. Whatever that is, the other virtqueue or the next connection is
 * served, and nothing is left behind.
 *
 * Documentation/robustness.rst has the same rows.
 */
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <vringlab/fd.h>

#include "kselftest_harness.h"
#include "t.h"
#include "t_fds.h"
#include "t_peer.h"
#include "t_served_set.h"

/* All that can be negotiated with a device that is whole. */
#define PROTOCOL                                                                                 \
	(1ull << 1 | 1ull << 5 | 1ull << 9 | 1ull << 12 | 1ull << 13 | 1ull << 14 | 1ull << 15 | \
	 1ull << 16 | 1ull << 19 | 1ull << 20 | 1ull << 23)

/* ACK: answered by 0. */
enum verdict {
	VERDICT_ERROR,
	VERDICT_CLOSE,
	VERDICT_EMPTY,
	VERDICT_ACK,
};

FIXTURE(message)
{
	struct t_served s;
	struct t_ring ring;
	struct t_ring other;
	int efd;
	int fds;
	int maps;
};

/*
 * @flags is 0x9 where it is 0, and @says part of what the back-end says of it. @code
 * is the errno: of an error, that is acknowledged; of a close, that it is closed with.
 */
FIXTURE_VARIANT(message)
{
	uint32_t request;
	uint32_t flags;
	uint32_t size;
	unsigned int nr_fds;
	union {
		uint32_t u32[10];
		uint64_t u64[5];
	};
	enum verdict verdict;
	int code;
	const char *says;
};

#define MESSAGE(_name, _request, _verdict, _code, _says, ...)                          \
	FIXTURE_VARIANT_ADD(message, _name)                                            \
	{                                                                              \
		.request = (_request), .verdict = VERDICT_##_verdict, .code = (_code), \
		.says = (_says), __VA_ARGS__                                           \
	}

#define U64(x) .size = 8, .u64 = { (x) }
#define STATE(_index, _num) .size = 8, .u32 = { (_index), (_num) }
#define ADDR(_index, _flags, _desc, _used, _avail) \
	.size = 40, .u64 = { (_index) | (uint64_t)(_flags) << 32, (_desc), (_used), (_avail), 0 }
#define CONFIG(_offset, _size, _flags) .size = 12 + 8, .u32 = { (_offset), (_size), (_flags) }
#define INFLIGHT(_size, _offset, _queues, _num) \
	.size = 24, .u64 = { (_size), (_offset), (_queues) | (uint64_t)(_num) << 16 }

#define UVA T_RING_UVA
#define END (T_RING_UVA + T_RING_MEM_BYTES)

/* clang-format off */

/* --- headers */
MESSAGE(version_0, VU_GET_FEATURES, CLOSE, EPROTO, "version 0, not 1", .flags = 0x8);
MESSAGE(version_2, VU_GET_FEATURES, CLOSE, EPROTO, "version 2, not 1", .flags = 0xa);
MESSAGE(version_3, VU_GET_FEATURES, CLOSE, EPROTO, "version 3, not 1", .flags = 0xb);
MESSAGE(reply_flag, VU_GET_FEATURES, CLOSE, EPROTO, "REPLY flag", .flags = 0x5);
MESSAGE(request_0, 0, CLOSE, ENOTSUP, "request 0 is not known");
MESSAGE(request_46, 46, CLOSE, ENOTSUP, "request 46 is not known");
MESSAGE(request_max, UINT32_MAX, CLOSE, ENOTSUP, "request 4294967295 is not known");
MESSAGE(request_0_with_fds, 0, CLOSE, ENOTSUP, "request 0 is not known", .nr_fds = 8);
MESSAGE(size_max, VU_SET_FEATURES, CLOSE, EMSGSIZE, "4294967295 bytes", .size = UINT32_MAX);
MESSAGE(size_above_all, VU_SET_MEM_TABLE, CLOSE, EMSGSIZE, "4096 bytes", .size = 4096);
MESSAGE(fd_where_none_fits, VU_GET_FEATURES, CLOSE, E2BIG, "1 fds, 0 at most", .nr_fds = 1);
MESSAGE(fd_with_num, VU_SET_VRING_NUM, CLOSE, E2BIG, "1 fds, 0 at most", STATE(0, 64),
	.nr_fds = 1);
MESSAGE(fds_9, VU_SET_MEM_TABLE, CLOSE, E2BIG, "more than 8 fds", .size = 40, .nr_fds = 9);
MESSAGE(fds_64, VU_SET_MEM_TABLE, CLOSE, E2BIG, "more than 8 fds", .size = 40, .nr_fds = 64);
MESSAGE(fds_253, VU_SET_MEM_TABLE, CLOSE, E2BIG, "more than 8 fds", .size = 40, .nr_fds = 253);

/* --- features */
MESSAGE(features_unknown, VU_SET_FEATURES, ERROR, EINVAL,
	"SET_FEATURES: features 0x8000000000000000 were not offered", U64(1ull << 63 | 1ull << 30));
MESSAGE(features_of_a_running_ring, VU_SET_FEATURES, ERROR, EBUSY, "SET_FEATURES: features 0x1",
	U64(1ull << 30));
MESSAGE(protocol_unknown, VU_SET_PROTOCOL_FEATURES, ERROR, EINVAL, "0x8000000000 were not offered",
	U64(1ull << 39 | 8));
MESSAGE(inband_without_others, VU_SET_PROTOCOL_FEATURES, CLOSE, ECONNABORTED,
	"INBAND_NOTIFICATIONS without", U64(1ull << 14 | 8));
MESSAGE(bit_20_without_12, VU_SET_PROTOCOL_FEATURES, ERROR, EINVAL,
	"GET_VRING_BASE_INFLIGHT needs INFLIGHT_SHMFD", U64(1ull << 20 | 8));
MESSAGE(bit_23_without_20, VU_SET_PROTOCOL_FEATURES, ERROR, EINVAL,
	"GET_VRING_BASE_SKIP_DRAIN needs", U64(1ull << 23 | 1ull << 12 | 8));
MESSAGE(status_of_9_bits, VU_SET_STATUS, ERROR, EINVAL, "status 0x100 has more than 8 bits",
	U64(256));

/* --- messages of what is not offered */
MESSAGE(rarp_not_offered, VU_SEND_RARP, ERROR, EPROTO, "protocol feature 2", U64(0));
MESSAGE(mtu_not_offered, VU_NET_SET_MTU, ERROR, EPROTO, "protocol feature 4", U64(1500));
MESSAGE(endian_not_offered, VU_SET_VRING_ENDIAN, ERROR, EPROTO, "protocol feature 6", STATE(0, 1));
MESSAGE(crypto_not_offered, VU_CREATE_CRYPTO_SESSION, CLOSE, EPROTO, "protocol feature 7");
MESSAGE(advise_not_offered, VU_POSTCOPY_ADVISE, CLOSE, EPROTO, "protocol feature 8");
MESSAGE(listen_not_offered, VU_POSTCOPY_LISTEN, ERROR, EPROTO, "protocol feature 8");
MESSAGE(end_not_offered, VU_POSTCOPY_END, ERROR, EPROTO, "protocol feature 8");
MESSAGE(object_not_offered, VU_GET_SHARED_OBJECT, CLOSE, EPROTO, "protocol feature 18",
	.size = 16);
MESSAGE(shmem_not_offered, VU_GET_SHMEM_CONFIG, CLOSE, EPROTO, "protocol feature 22");
MESSAGE(gpu_not_offered, VU_GPU_SET_SOCKET, ERROR, ENOTSUP, "does not offer", .nr_fds = 1);
MESSAGE(iotlb_not_negotiated, VU_IOTLB_MSG, ERROR, EPROTO, "VIRTIO_F_ACCESS_PLATFORM", .size = 32);

/* --- index of a virtqueue */
#define INDEX(_name, _request, _size, _index)                                              \
	MESSAGE(_name##_of_vring_##_index, _request, ERROR, EINVAL, "there is no vring ", \
		.size = (_size), .u32 = { (_index) })
INDEX(num, VU_SET_VRING_NUM, 8, 2);
INDEX(num, VU_SET_VRING_NUM, 8, 255);
INDEX(num, VU_SET_VRING_NUM, 8, 256);
INDEX(num, VU_SET_VRING_NUM, 8, 4294967295);
INDEX(base, VU_SET_VRING_BASE, 8, 2);
INDEX(base, VU_SET_VRING_BASE, 8, 255);
INDEX(base, VU_SET_VRING_BASE, 8, 256);
INDEX(base, VU_SET_VRING_BASE, 8, 4294967295);
INDEX(addr, VU_SET_VRING_ADDR, 40, 2);
INDEX(addr, VU_SET_VRING_ADDR, 40, 255);
INDEX(addr, VU_SET_VRING_ADDR, 40, 256);
INDEX(addr, VU_SET_VRING_ADDR, 40, 4294967295);
INDEX(enable, VU_SET_VRING_ENABLE, 8, 2);
INDEX(enable, VU_SET_VRING_ENABLE, 8, 255);
INDEX(enable, VU_SET_VRING_ENABLE, 8, 256);
INDEX(enable, VU_SET_VRING_ENABLE, 8, 4294967295);
INDEX(inband_kick, VU_VRING_KICK, 8, 2);
INDEX(inband_kick, VU_VRING_KICK, 8, 255);
INDEX(inband_kick, VU_VRING_KICK, 8, 256);
INDEX(inband_kick, VU_VRING_KICK, 8, 4294967295);
MESSAGE(get_base_of_vring_2, VU_GET_VRING_BASE, CLOSE, EINVAL, "there is no vring 2", STATE(2, 0));
MESSAGE(get_base_of_vring_max, VU_GET_VRING_BASE, CLOSE, EINVAL, "there is no vring 4294967295",
	STATE(UINT32_MAX, 0));
MESSAGE(skip_drain_of_vring_255, VU_GET_VRING_BASE_SKIP_DRAIN, CLOSE, EINVAL,
	"there is no vring 255", STATE(255, 0));
MESSAGE(kick_of_vring_2, VU_SET_VRING_KICK, ERROR, EINVAL, "there is no vring 2", U64(2),
	.nr_fds = 1);
MESSAGE(call_of_vring_255, VU_SET_VRING_CALL, ERROR, EINVAL, "there is no vring 255", U64(255),
	.nr_fds = 1);
MESSAGE(err_of_vring_16, VU_SET_VRING_ERR, ERROR, EINVAL, "there is no vring 16", U64(16),
	.nr_fds = 1);

/* --- eventfds: count, and the bits above the index */
#define EVENTFD(_name, _request, _verdict, _code, _says, _u64, _nr_fds) \
	MESSAGE(_name, _request, _verdict, _code, _says, U64(_u64), .nr_fds = (_nr_fds))
EVENTFD(kick_nofd_with_fd, VU_SET_VRING_KICK, ERROR, EINVAL, "1 fds, and says 0", 0x100, 1);
EVENTFD(kick_without_fd, VU_SET_VRING_KICK, ERROR, EINVAL, "0 fds, and says 1", 0, 0);
EVENTFD(kick_with_2_fds, VU_SET_VRING_KICK, CLOSE, E2BIG, "2 fds, 1 at most", 0, 2);
EVENTFD(kick_bit_9, VU_SET_VRING_KICK, ERROR, EINVAL, "reserved bits set: 0x200", 0x200, 1);
EVENTFD(kick_bit_63, VU_SET_VRING_KICK, ERROR, EINVAL, "reserved bits set: 0x8000000000000000",
	1ull << 63, 1);
EVENTFD(call_nofd_with_fd, VU_SET_VRING_CALL, ERROR, EINVAL, "1 fds, and says 0", 0x100, 1);
EVENTFD(call_without_fd, VU_SET_VRING_CALL, ERROR, EINVAL, "0 fds, and says 1", 0, 0);
EVENTFD(call_with_2_fds, VU_SET_VRING_CALL, CLOSE, E2BIG, "2 fds, 1 at most", 0, 2);
EVENTFD(call_bit_9, VU_SET_VRING_CALL, ERROR, EINVAL, "reserved bits set: 0x200", 0x200, 1);
EVENTFD(call_bit_63, VU_SET_VRING_CALL, ERROR, EINVAL, "reserved bits set: 0x8000000000000000",
	1ull << 63, 1);
EVENTFD(err_nofd_with_fd, VU_SET_VRING_ERR, ERROR, EINVAL, "1 fds, and says 0", 0x100, 1);
EVENTFD(err_without_fd, VU_SET_VRING_ERR, ERROR, EINVAL, "0 fds, and says 1", 0, 0);
EVENTFD(err_with_2_fds, VU_SET_VRING_ERR, CLOSE, E2BIG, "2 fds, 1 at most", 0, 2);
EVENTFD(err_bit_9, VU_SET_VRING_ERR, ERROR, EINVAL, "reserved bits set: 0x200", 0x200, 1);
EVENTFD(err_bit_63, VU_SET_VRING_ERR, ERROR, EINVAL, "reserved bits set: 0x8000000000000000",
	1ull << 63, 1);

/* --- size, base, addresses */
MESSAGE(num_0, VU_SET_VRING_NUM, ERROR, EINVAL, "SET_VRING_NUM: vring 0 cannot have 0 entries",
	STATE(0, 0));
MESSAGE(num_3, VU_SET_VRING_NUM, ERROR, EINVAL, "3 entries: that is no power of 2", STATE(0, 3));
MESSAGE(num_32769, VU_SET_VRING_NUM, ERROR, EINVAL, "32769 entries, only 1 to 32768",
	STATE(0, 32769));
MESSAGE(num_max, VU_SET_VRING_NUM, ERROR, EINVAL, "4294967295 entries", STATE(0, UINT32_MAX));
MESSAGE(num_of_a_running_ring, VU_SET_VRING_NUM, ERROR, EBUSY, "vring 1 is running", STATE(1, 32));
MESSAGE(base_65536, VU_SET_VRING_BASE, ERROR, EINVAL, "cannot start at 65536", STATE(0, 65536));
MESSAGE(base_of_a_running_ring, VU_SET_VRING_BASE, ERROR, EBUSY, "vring 1 is running", STATE(1, 0));
MESSAGE(enable_2, VU_SET_VRING_ENABLE, ERROR, EINVAL, "2 is neither 0 nor 1", STATE(0, 2));
MESSAGE(desc_unaligned, VU_SET_VRING_ADDR, ERROR, EINVAL,
	"desc at 0x7f0000000008 is no multiple of 16",
	ADDR(0, 0, UVA + 8, UVA + 0x2000, UVA + 0x1000));
MESSAGE(avail_unaligned, VU_SET_VRING_ADDR, ERROR, EINVAL,
	"avail at 0x7f0000001001 is no multiple of 2",
	ADDR(0, 0, UVA, UVA + 0x2000, UVA + 0x1001));
MESSAGE(used_unaligned, VU_SET_VRING_ADDR, ERROR, EINVAL,
	"used at 0x7f0000002002 is no multiple of 4",
	ADDR(0, 0, UVA, UVA + 0x2002, UVA + 0x1000));
MESSAGE(desc_unmapped, VU_SET_VRING_ADDR, ERROR, EFAULT, "not all in the memory table",
	ADDR(0, 0, 0x1000, UVA + 0x2000, UVA + 0x1000));
MESSAGE(desc_crosses_the_end, VU_SET_VRING_ADDR, ERROR, EFAULT, "not all in the memory table",
	ADDR(0, 0, END - 16, UVA + 0x2000, UVA + 0x1000));
MESSAGE(avail_crosses_the_end, VU_SET_VRING_ADDR, ERROR, EFAULT, "not all in the memory table",
	ADDR(0, 0, UVA, UVA + 0x2000, END - 2));
MESSAGE(used_crosses_the_end, VU_SET_VRING_ADDR, ERROR, EFAULT, "not all in the memory table",
	ADDR(0, 0, UVA, END - 4, UVA + 0x1000));
MESSAGE(desc_wraps, VU_SET_VRING_ADDR, ERROR, EFAULT, "not all in the memory table",
	ADDR(0, 0, UINT64_MAX - 15, UVA + 0x2000, UVA + 0x1000));
MESSAGE(used_wraps, VU_SET_VRING_ADDR, ERROR, EFAULT, "not all in the memory table",
	ADDR(0, 0, UVA, UINT64_MAX - 3, UVA + 0x1000));
MESSAGE(desc_is_used, VU_SET_VRING_ADDR, ERROR, EEXIST, "overlaps itself",
	ADDR(0, 0, UVA, UVA, UVA + 0x1000));
MESSAGE(avail_in_desc, VU_SET_VRING_ADDR, ERROR, EEXIST, "overlaps itself",
	ADDR(0, 0, UVA, UVA + 0x2000, UVA + 0x3fe));
MESSAGE(addr_flag, VU_SET_VRING_ADDR, ERROR, EINVAL, "address flags 0x2",
	ADDR(0, 2, UVA, UVA + 0x2000, UVA + 0x1000));
MESSAGE(addr_of_a_running_ring, VU_SET_VRING_ADDR, ERROR, EBUSY, "vring 1 is running",
	ADDR(1, 0, UVA, UVA + 0x2000, UVA + 0x1000));

/* --- config space */
MESSAGE(get_config_of_0, VU_GET_CONFIG, EMPTY, EINVAL, "GET_CONFIG is about 0 bytes",
	.size = 12, .u32 = { 0, 0, 0 });
MESSAGE(get_config_beyond, VU_GET_CONFIG, EMPTY, EINVAL,
	"8 bytes at offset 9, but config space has 16",
	CONFIG(9, 8, 0));
MESSAGE(get_config_wraps, VU_GET_CONFIG, EMPTY, EINVAL, "8 bytes at offset 4294967292",
	CONFIG(UINT32_MAX - 3, 8, 0));
MESSAGE(get_config_other_size, VU_GET_CONFIG, EMPTY, EMSGSIZE, "7 bytes in 20 bytes",
	CONFIG(0, 7, 0));
MESSAGE(get_config_of_257, VU_GET_CONFIG, EMPTY, EINVAL, "257 bytes, not 1 to 256",
	CONFIG(0, 257, 0));
MESSAGE(get_config_flags, VU_GET_CONFIG, EMPTY, EINVAL, "flags 0x2", CONFIG(0, 8, 2));
MESSAGE(set_config_of_0, VU_SET_CONFIG, ERROR, EINVAL, "SET_CONFIG is about 0 bytes",
	.size = 12, .u32 = { 0, 0, 0 });
MESSAGE(set_config_beyond, VU_SET_CONFIG, ERROR, EINVAL, "8 bytes at offset 9", CONFIG(9, 8, 0));
MESSAGE(set_config_wraps, VU_SET_CONFIG, ERROR, EINVAL, "offset 4294967292",
	CONFIG(UINT32_MAX - 3, 8, 0));
MESSAGE(set_config_read_only, VU_SET_CONFIG, ERROR, EPERM, "8 bytes at offset 8 cannot be written",
	CONFIG(8, 8, 0));
MESSAGE(set_config_read_only_in_migration, VU_SET_CONFIG, ACK, 0, NULL, CONFIG(8, 8, 1));

/* --- memory regions one by one; of tables see hostile_memory_test.c */
MESSAGE(add_region_without_fd, VU_ADD_MEM_REG, ERROR, EINVAL, "0 fds, not 1", .size = 40);
MESSAGE(add_region_with_2_fds, VU_ADD_MEM_REG, CLOSE, E2BIG, "2 fds, 1 at most", .size = 40,
	.nr_fds = 2);
MESSAGE(rem_region_unknown, VU_REM_MEM_REG, ERROR, ENOENT, "there is no region at 0x1000",
	.size = 40, .u64 = { 0, 0x1000, 0x1000, 0x1000, 0 });
MESSAGE(rem_region_of_other_size, VU_REM_MEM_REG, ERROR, ENOENT, "there is no region at 0x100000",
	.size = 40, .u64 = { 0, T_RING_GPA, T_RING_MEM_BYTES - 1, T_RING_UVA, 0 });
MESSAGE(rem_region_in_use, VU_REM_MEM_REG, ERROR, EFAULT, "region at 0x100000 is in use",
	.size = 40, .u64 = { 0, T_RING_GPA, T_RING_MEM_BYTES, T_RING_UVA, 0 });

/* --- inflight regions; the fd is an eventfd, and no file */
MESSAGE(get_inflight_of_0_queues, VU_GET_INFLIGHT_FD, CLOSE, EINVAL, "0 queues, not 1 to 2",
	INFLIGHT(0, 0, 0, 64));
MESSAGE(get_inflight_of_65535_queues, VU_GET_INFLIGHT_FD, CLOSE, EINVAL, "65535 queues",
	INFLIGHT(0, 0, 65535, 64));
MESSAGE(get_inflight_of_size_0, VU_GET_INFLIGHT_FD, CLOSE, EINVAL, "queue size of 0",
	INFLIGHT(0, 0, 2, 0));
MESSAGE(get_inflight_of_size_65535, VU_GET_INFLIGHT_FD, CLOSE, EINVAL, "queue size of 65535",
	INFLIGHT(0, 0, 2, 65535));
MESSAGE(set_inflight_of_0_queues, VU_SET_INFLIGHT_FD, ERROR, EINVAL, "0 queues",
	INFLIGHT(8192, 0, 0, 64), .nr_fds = 1);
MESSAGE(set_inflight_of_65535_queues, VU_SET_INFLIGHT_FD, ERROR, EINVAL, "65535 queues",
	INFLIGHT(8192, 0, 65535, 64), .nr_fds = 1);
MESSAGE(set_inflight_of_size_0, VU_SET_INFLIGHT_FD, ERROR, EINVAL, "queue size of 0",
	INFLIGHT(8192, 0, 2, 0), .nr_fds = 1);
MESSAGE(set_inflight_too_small, VU_SET_INFLIGHT_FD, ERROR, EINVAL, "2 queues of 64 entries need",
	INFLIGHT(64, 0, 2, 64), .nr_fds = 1);
MESSAGE(set_inflight_unaligned, VU_SET_INFLIGHT_FD, ERROR, EINVAL, "offset 0x4 is not aligned",
	INFLIGHT(8192, 4, 2, 64), .nr_fds = 1);
MESSAGE(set_inflight_of_a_running_ring, VU_SET_INFLIGHT_FD, ERROR, EBUSY, "a vring is running",
	INFLIGHT(8192, 0, 2, 64), .nr_fds = 1);
MESSAGE(set_inflight_without_fd, VU_SET_INFLIGHT_FD, ERROR, EINVAL, "0 fds, not 1",
	INFLIGHT(8192, 0, 2, 64));

/* --- the log; of its size see hostile_log_test.c */
MESSAGE(log_without_fd, VU_SET_LOG_BASE, CLOSE, EINVAL, "SET_LOG_BASE came with 0 fds, not 1",
	.size = 16, .u64 = { 4096, 0 });
MESSAGE(log_of_0_bytes, VU_SET_LOG_BASE, CLOSE, EINVAL, "size is 0", .size = 16, .nr_fds = 1);
MESSAGE(log_wraps, VU_SET_LOG_BASE, CLOSE, EINVAL, "wraps", .size = 16, .nr_fds = 1,
	.u64 = { 4096, UINT64_MAX - 4095 });
MESSAGE(log_of_8_bytes_with_fd, VU_SET_LOG_BASE, CLOSE, EMSGSIZE, "8 bytes, not 16", .size = 8,
	.nr_fds = 1);
MESSAGE(log_fd_without_fd, VU_SET_LOG_FD, ERROR, EINVAL, "0 fds, not 1");

/* --- device state; of its pipe see hostile_state_test.c */
MESSAGE(state_direction, VU_SET_DEVICE_STATE_FD, ERROR, EINVAL, "direction 2 and phase 0",
	STATE(2, 0), .nr_fds = 1);
MESSAGE(state_phase, VU_SET_DEVICE_STATE_FD, ERROR, EINVAL, "direction 0 and phase 1",
	STATE(0, 1), .nr_fds = 1);
MESSAGE(state_of_a_running_ring, VU_SET_DEVICE_STATE_FD, ERROR, EBUSY, "a vring is running",
	STATE(0, 0), .nr_fds = 1);
MESSAGE(state_without_fd, VU_SET_DEVICE_STATE_FD, ERROR, EINVAL, "0 fds, not 1", STATE(0, 0));
MESSAGE(check_first, VU_CHECK_DEVICE_STATE, ERROR, EPROTO, "there was no transfer");

/* --- the back-end's channel */
MESSAGE(channel_that_is_no_socket, VU_SET_BACKEND_REQ_FD, ERROR, ENOTSOCK, "no socket",
	.nr_fds = 1);
MESSAGE(channel_without_fd, VU_SET_BACKEND_REQ_FD, ERROR, EINVAL, "0 fds, not 1");
/* clang-format on */

FIXTURE_SETUP(message)
{
	const struct t_served_config config = { .whole = true, .protocol = PROTOCOL };
	int ret;

	memset(self, 0, sizeof(*self));
	ASSERT_EQ(0, t_ring_create(&self->ring));
	ASSERT_EQ(0, t_ring_create_beside(&self->other, &self->ring));
	t_ring_guard(&self->ring);
	self->efd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ret = t_served_start_with(&self->s, &config);
	if (ret == -EPERM || ret == -ENOSYS)
		SKIP(return, "io_uring is disabled: sysctl kernel.io_uring_disabled=0");
	ASSERT_EQ(0, ret);
	ASSERT_EQ(0, t_served_negotiate(&self->s));
	ASSERT_EQ(0, t_served_set_up(&self->s, &self->other, 1));
	ASSERT_EQ(0, t_served_set_state(&self->s, VU_SET_VRING_NUM, 0, T_RING_NUM));
	ASSERT_EQ(0, t_ring_echo(&self->other, "before", 7, T_DEADLINE_MS));
	self->fds = t_fds_count(0);
	self->maps = t_maps_count(0);
	ASSERT_EQ(0, t_served_spare(&self->s));
}

FIXTURE_TEARDOWN(message)
{
	t_served_stop(&self->s);
	t_ring_destroy(&self->ring);
	t_ring_destroy(&self->other);
	close(self->efd);
}

/* The payload is sent as far as it can be. */
static int send_message(FIXTURE_DATA(message) * self, const FIXTURE_VARIANT(message) * v)
{
	const struct vu_header hdr = { v->request, v->flags ? v->flags : 0x9, v->size };
	uint8_t bytes[sizeof(hdr) + 264] = { 0 };
	size_t size = v->size < 264 ? v->size : 0;
	int fds[253];

	for (unsigned int i = 0; i < v->nr_fds; i++)
		fds[i] = self->efd;
	memcpy(bytes, &hdr, sizeof(hdr));
	memcpy(bytes + sizeof(hdr), v->u64, size < sizeof(v->u64) ? size : sizeof(v->u64));
	return t_peer_send(self->s.fd, bytes, sizeof(hdr) + size, fds, v->nr_fds);
}

static bool has_text(const struct vl_err *err, const char *text)
{
	return !text || strstr(err->msg, text);
}

TEST_F(message, is_contained)
{
	const struct vu_mem_table mem = t_served_mem();
	struct vu_header hdr;
	union vu_payload reply;

	ASSERT_EQ(0, send_message(self, variant));
	if (variant->verdict == VERDICT_CLOSE) {
		EXPECT_EQ(-variant->code, t_served_next(&self->s));
		EXPECT_TRUE(has_text(&self->s.closed, variant->says))
		TH_LOG("%s", self->s.closed.msg);
		/* without the two eventfds of the virtqueue, and its memory */
		EXPECT_EQ(self->fds - 2, t_fds_count(0));
		EXPECT_EQ(self->maps - 1, t_maps_count(0));
		ASSERT_EQ(0, t_served_set_mem(&self->s, &mem, self->ring.memfd));
	} else {
		ASSERT_EQ(0, t_peer_reply(self->s.fd, &hdr, &reply));
		EXPECT_EQ(variant->request, hdr.request);
		EXPECT_EQ(0x5u, hdr.flags);
		EXPECT_EQ(variant->verdict == VERDICT_EMPTY ? 0u : 8u, hdr.size);
		/* bits 0 to 7 of what can tell of an fd as well */
		if (variant->verdict != VERDICT_EMPTY) {
			EXPECT_EQ(variant->code, reply.u64 & 0xff);
		}
		EXPECT_TRUE(has_text(&self->s.refusal, variant->says))
		TH_LOG("%s", self->s.refusal.msg);
		EXPECT_EQ(0, t_ring_echo(&self->other, "after", 6, T_DEADLINE_MS));
		/* with both ends of the spare connection */
		EXPECT_EQ(self->fds + 2, t_fds_count(0));
		EXPECT_EQ(self->maps, t_maps_count(0));
	}
	/* another virtqueue than the one that was served before, on either connection */
	EXPECT_EQ(0, t_served_set_vring(&self->s, &self->ring, 0));
	EXPECT_EQ(0, t_ring_echo(&self->ring, "also", 5, T_DEADLINE_MS));
	EXPECT_TRUE(t_ring_is_intact(&self->ring));
}

TEST_HARNESS_MAIN
