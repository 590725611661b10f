// SPDX-License-Identifier: GPL-2.0-only
/*
 * The vhost-user codec: that its table says what the specification says, and that
 * nothing the table does not allow gets through.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <vringlab/err.h>
#include <vringlab/vhost_user_mem.h>
#include <vringlab/vhost_user_msg.h>

#include "kselftest_harness.h"
#include "t_fds.h"

/*
 * From the specification's "Front-end message types", not from the library: id,
 * name, smallest and largest payload, most fds, size of its own reply and most fds
 * in that, protocol features that it needs.
 */
static const struct expected {
	uint32_t id;
	const char *name;
	uint32_t min, max;
	unsigned int fds;
	uint32_t reply;
	unsigned int reply_fds;
	uint64_t protocol;
} expected[] = {
	{ 1, "GET_FEATURES", 0, 0, 0, 8, 0, 0 },
	{ 2, "SET_FEATURES", 8, 8, 0, 0, 0, 0 },
	{ 3, "SET_OWNER", 0, 0, 0, 0, 0, 0 },
	{ 4, "RESET_OWNER", 0, 0, 0, 0, 0, 0 },
	{ 5, "SET_MEM_TABLE", 8, 264, 8, 0, 0, 0 },
	{ 6, "SET_LOG_BASE", 8, 16, 1, 8, 0, 1 << 1 },
	{ 7, "SET_LOG_FD", 0, 0, 1, 0, 0, 0 },
	{ 8, "SET_VRING_NUM", 8, 8, 0, 0, 0, 0 },
	{ 9, "SET_VRING_ADDR", 40, 40, 0, 0, 0, 0 },
	{ 10, "SET_VRING_BASE", 8, 8, 0, 0, 0, 0 },
	{ 11, "GET_VRING_BASE", 8, 8, 0, 8, 0, 0 },
	{ 12, "SET_VRING_KICK", 8, 8, 1, 0, 0, 0 },
	{ 13, "SET_VRING_CALL", 8, 8, 1, 0, 0, 0 },
	{ 14, "SET_VRING_ERR", 8, 8, 1, 0, 0, 0 },
	{ 15, "GET_PROTOCOL_FEATURES", 0, 0, 0, 8, 0, 0 },
	{ 16, "SET_PROTOCOL_FEATURES", 8, 8, 0, 0, 0, 0 },
	{ 17, "GET_QUEUE_NUM", 0, 0, 0, 8, 0, 1 << 0 },
	{ 18, "SET_VRING_ENABLE", 8, 8, 0, 0, 0, 0 },
	{ 19, "SEND_RARP", 8, 8, 0, 0, 0, 1 << 2 },
	{ 20, "NET_SET_MTU", 8, 8, 0, 0, 0, 1 << 4 },
	{ 21, "SET_BACKEND_REQ_FD", 0, 0, 1, 0, 0, 1 << 5 },
	{ 22, "IOTLB_MSG", 32, 32, 0, 8, 0, 0 },
	{ 23, "SET_VRING_ENDIAN", 8, 8, 0, 0, 0, 1 << 6 },
	{ 24, "GET_CONFIG", 12, 268, 0, 268, 0, 1 << 9 },
	{ 25, "SET_CONFIG", 12, 268, 0, 0, 0, 1 << 9 },
	{ 26, "CREATE_CRYPTO_SESSION", 0, 2056, 0, 2056, 0, 1 << 7 },
	{ 27, "CLOSE_CRYPTO_SESSION", 8, 8, 0, 0, 0, 1 << 7 },
	{ 28, "POSTCOPY_ADVISE", 0, 0, 0, 0, 1, 1 << 8 },
	{ 29, "POSTCOPY_LISTEN", 0, 0, 0, 0, 0, 1 << 8 },
	{ 30, "POSTCOPY_END", 0, 0, 0, 8, 0, 1 << 8 },
	{ 31, "GET_INFLIGHT_FD", 24, 24, 0, 24, 1, 1 << 12 },
	{ 32, "SET_INFLIGHT_FD", 24, 24, 1, 0, 0, 1 << 12 },
	{ 33, "GPU_SET_SOCKET", 0, 0, 1, 0, 0, 0 },
	{ 34, "RESET_DEVICE", 0, 0, 0, 0, 0, 1 << 13 },
	{ 35, "VRING_KICK", 8, 8, 0, 0, 0, 1 << 14 },
	{ 36, "GET_MAX_MEM_SLOTS", 0, 0, 0, 8, 0, 1 << 15 },
	{ 37, "ADD_MEM_REG", 40, 40, 1, 0, 0, 1 << 15 },
	{ 38, "REM_MEM_REG", 40, 40, 1, 0, 0, 1 << 15 },
	{ 39, "SET_STATUS", 8, 8, 0, 0, 0, 1 << 16 },
	{ 40, "GET_STATUS", 0, 0, 0, 8, 0, 1 << 16 },
	{ 41, "GET_SHARED_OBJECT", 16, 16, 0, 8, 1, 1 << 18 },
	{ 42, "SET_DEVICE_STATE_FD", 8, 8, 1, 8, 1, 1 << 19 },
	{ 43, "CHECK_DEVICE_STATE", 0, 0, 0, 8, 0, 1 << 19 },
	{ 44, "GET_SHMEM_CONFIG", 0, 0, 0, 2056, 0, 1 << 22 },
	{ 45, "GET_VRING_BASE_SKIP_DRAIN", 8, 8, 0, 8, 0, 1 << 23 },
};

#define NR_EXPECTED (sizeof(expected) / sizeof(expected[0]))

static const struct expected *find_expected(uint32_t id)
{
	for (size_t i = 0; i < NR_EXPECTED; i++)
		if (expected[i].id == id)
			return &expected[i];
	return NULL;
}

static int check(uint32_t request, uint32_t flags, uint32_t size, unsigned int nr_fds)
{
	const struct vu_header hdr = { request, flags, size };
	struct vl_err err = { 0 };
	int ret = vu_request_check_header(&hdr, nr_fds, &err);

	/* every refusal says why */
	return ret && (err.code != ret || !err.msg[0]) ? -INT_MAX : ret;
}

TEST(layouts_are_those_of_the_wire)
{
	EXPECT_EQ(12u, sizeof(struct vu_header));
	EXPECT_EQ(8u, sizeof(struct vu_vring_state));
	EXPECT_EQ(40u, sizeof(struct vu_vring_addr));
	EXPECT_EQ(8u, offsetof(struct vu_vring_addr, desc));
	EXPECT_EQ(16u, offsetof(struct vu_vring_addr, used));
	EXPECT_EQ(24u, offsetof(struct vu_vring_addr, avail));
	EXPECT_EQ(32u, sizeof(struct vu_region));
	EXPECT_EQ(0u, offsetof(struct vu_region, guest_addr));
	EXPECT_EQ(8u, offsetof(struct vu_region, size));
	EXPECT_EQ(16u, offsetof(struct vu_region, user_addr));
	EXPECT_EQ(24u, offsetof(struct vu_region, mmap_offset));
	EXPECT_EQ(8u, offsetof(struct vu_mem_table, regions));
	EXPECT_EQ(264u, vu_mem_table_size(8));
}

TEST(the_table_knows_exactly_the_messages_of_the_specification)
{
	for (uint32_t id = 0; id < 300; id++) {
		const struct vu_msg_info *info = vu_msg_info(id);
		const struct expected *e = find_expected(id);
		uint32_t reply;

		ASSERT_EQ(!e, !info) TH_LOG("id %u", id);
		if (!e) {
			EXPECT_STREQ("unknown request", vu_msg_name(id));
			continue;
		}
		reply = info->reply == VU_PAYLOAD_NONE ? 0 : vu_payload_size_max(info->reply);
		EXPECT_STREQ(e->name, info->name);
		EXPECT_EQ(id, info->id);
		EXPECT_EQ(e->min, vu_payload_size_min(info->request)) TH_LOG("id %u", id);
		EXPECT_EQ(e->max, vu_payload_size_max(info->request)) TH_LOG("id %u", id);
		EXPECT_EQ(e->fds, info->fds_max) TH_LOG("id %u", id);
		EXPECT_EQ(e->reply, reply) TH_LOG("id %u", id);
		EXPECT_EQ(e->reply_fds, info->reply_fds_max) TH_LOG("id %u", id);
		EXPECT_EQ(e->protocol, info->protocol) TH_LOG("id %u", id);
	}
	EXPECT_EQ(VU_PAYLOAD_EMPTY, vu_msg_info(VU_POSTCOPY_ADVISE)->reply);
	EXPECT_EQ(NULL, vu_msg_info(UINT32_MAX));
	EXPECT_EQ(NULL, vu_msg_info(1u << 31));
}

TEST(a_request_is_accepted_with_the_sizes_of_its_payload_only)
{
	for (size_t i = 0; i < NR_EXPECTED; i++) {
		const struct expected *e = &expected[i];

		for (uint32_t size = 0; size < 2100; size++) {
			ASSERT_EQ(size >= e->min && size <= e->max ? 0 : -EMSGSIZE,
				  check(e->id, 0x1, size, 0))
			TH_LOG("%s with %u bytes", e->name, size);
		}
		EXPECT_EQ(-EMSGSIZE, check(e->id, 0x1, UINT32_MAX, 0));
		EXPECT_EQ(-EMSGSIZE, check(e->id, 0x1, 1u << 31, 0));
	}
}

TEST(a_request_is_accepted_with_no_more_fds_than_it_can_have)
{
	for (size_t i = 0; i < NR_EXPECTED; i++) {
		const struct expected *e = &expected[i];

		for (unsigned int fds = 0; fds <= 8; fds++) {
			EXPECT_EQ(fds <= e->fds ? 0 : -E2BIG, check(e->id, 0x1, e->min, fds))
			TH_LOG("%s with %u fds", e->name, fds);
		}
	}
}

TEST(an_unknown_request_is_refused)
{
	static const uint32_t ids[] = { 0, 46, 47, 255, UINT32_MAX };

	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		EXPECT_EQ(-ENOTSUP, check(ids[i], 0x1, 0, 0)) TH_LOG("id %u", ids[i]);
	}
}

/* "Back-end message types": id, name, payload, most fds, size of its own reply */
TEST(the_channel_has_a_table_of_its_own)
{
	static const struct expected channel[] = {
		{ 1, "IOTLB_MSG", 32, 32, 0, 0, 0, 0 },
		{ 2, "CONFIG_CHANGE_MSG", 0, 0, 0, 0, 0, 1 << 9 },
		{ 3, "VRING_HOST_NOTIFIER_MSG", 24, 24, 1, 0, 0, 1 << 11 },
		{ 4, "VRING_CALL", 8, 8, 0, 0, 0, 1 << 14 },
		{ 5, "VRING_ERR", 8, 8, 0, 0, 0, 1 << 14 },
		{ 6, "SHARED_OBJECT_ADD", 16, 16, 0, 0, 0, 1 << 18 },
		{ 7, "SHARED_OBJECT_REMOVE", 16, 16, 0, 0, 0, 1 << 18 },
		{ 8, "SHARED_OBJECT_LOOKUP", 16, 16, 0, 8, 1, 1 << 18 },
		{ 9, "SHMEM_MAP", 40, 40, 1, 0, 0, 1 << 22 },
		{ 10, "SHMEM_UNMAP", 40, 40, 0, 0, 0, 1 << 22 },
	};

	EXPECT_EQ(NULL, vu_channel_info(0));
	EXPECT_EQ(NULL, vu_channel_info(11));
	EXPECT_EQ(NULL, vu_channel_info(UINT32_MAX));
	for (size_t i = 0; i < sizeof(channel) / sizeof(channel[0]); i++) {
		const struct expected *e = &channel[i];
		const struct vu_msg_info *info = vu_channel_info(e->id);

		ASSERT_NE(NULL, info);
		EXPECT_STREQ(e->name, info->name);
		EXPECT_EQ(e->max, vu_payload_size_max(info->request)) TH_LOG("id %u", e->id);
		EXPECT_EQ(e->fds, info->fds_max) TH_LOG("id %u", e->id);
		EXPECT_EQ(e->reply, vu_payload_size_max(info->reply)) TH_LOG("id %u", e->id);
		EXPECT_EQ(e->reply_fds, info->reply_fds_max) TH_LOG("id %u", e->id);
		EXPECT_EQ(e->protocol, info->protocol) TH_LOG("id %u", e->id);
	}
}

TEST(protocol_features_that_need_others_are_refused_alone)
{
	static const struct {
		uint64_t features;
		int ret;
	} cases[] = {
		{ 0, 0 },
		{ 1 << 14, -EINVAL },
		{ 1 << 14 | 1 << 3, -EINVAL },
		{ 1 << 14 | 1 << 5, -EINVAL },
		{ 1 << 14 | 1 << 5 | 1 << 3, 0 },
		{ 1 << 20, -EINVAL },
		{ 1 << 20 | 1 << 12, 0 },
		{ 1 << 23 | 1 << 12, -EINVAL },
		{ 1 << 23 | 1 << 20, -EINVAL },
		{ 1 << 23 | 1 << 20 | 1 << 12, 0 },
	};
	struct vl_err err;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		EXPECT_EQ(cases[i].ret, vu_protocol_features_check(cases[i].features, &err))
		TH_LOG("features 0x%llx", (unsigned long long)cases[i].features);
	}
}

TEST(a_config_message_is_as_long_as_it_says)
{
	struct vu_msg msg = {
		.hdr = { VU_GET_CONFIG, 0x1, 12 + 8 },
		.payload.config = { .size = 8 },
	};

	EXPECT_EQ(0, vu_request_check_payload(&msg, NULL));
	msg.payload.config.size = 9;
	EXPECT_EQ(-EMSGSIZE, vu_request_check_payload(&msg, NULL));
	msg.payload.config.size = 0;
	EXPECT_EQ(-EINVAL, vu_request_check_payload(&msg, NULL));
	msg.payload.config.size = 257;
	EXPECT_EQ(-EINVAL, vu_request_check_payload(&msg, NULL));
	msg.payload.config.size = UINT32_MAX;
	EXPECT_EQ(-EINVAL, vu_request_check_payload(&msg, NULL));
	msg.payload.config.size = 8;
	msg.payload.config.flags = 2;
	EXPECT_EQ(-EINVAL, vu_request_check_payload(&msg, NULL));
}

TEST(a_message_without_the_fd_that_it_needs_is_refused)
{
	static const struct vu_header needs[] = {
		{ VU_SET_LOG_BASE, 0x1, 16 },	   { VU_SET_LOG_FD, 0x1, 0 },
		{ VU_SET_BACKEND_REQ_FD, 0x1, 0 }, { VU_SET_INFLIGHT_FD, 0x1, 24 },
		{ VU_ADD_MEM_REG, 0x1, 40 },	   { VU_SET_DEVICE_STATE_FD, 0x1, 8 },
	};

	for (size_t i = 0; i < sizeof(needs) / sizeof(needs[0]); i++) {
		struct vu_msg msg = { .hdr = needs[i] };

		EXPECT_EQ(-EINVAL, vu_request_check_payload(&msg, NULL));
		msg.nr_fds = 1;
		EXPECT_EQ(0, vu_request_check_payload(&msg, NULL));
	}
}

TEST(another_version_or_the_reply_flag_is_refused)
{
	for (uint32_t flags = 0; flags < 16; flags++) {
		int want = (flags & 3) != 1 || flags & 4 ? -EPROTO : 0;

		EXPECT_EQ(want, check(1, flags, 0, 0)) TH_LOG("flags 0x%x", flags);
	}
}

static int check_payload(struct vu_msg *msg)
{
	struct vl_err err = { 0 };
	int ret = vu_request_check_payload(msg, &err);

	return ret && (err.code != ret || !err.msg[0]) ? -INT_MAX : ret;
}

TEST(a_memory_table_has_one_to_eight_regions_and_an_fd_for_each)
{
	static const uint32_t bad[] = { 0, 9, 10, 0x10000001, UINT32_MAX };
	struct vu_msg msg = { .hdr = { VU_SET_MEM_TABLE, 0x1, 0 } };

	for (unsigned int nr = 1; nr <= 8; nr++) {
		msg.payload.mem.nr_regions = nr;
		msg.hdr.size = 8 + 32 * nr;
		msg.nr_fds = nr;
		EXPECT_EQ(0, check_payload(&msg));
		msg.hdr.size += nr < 8 ? 32 : -32;
		EXPECT_EQ(-EMSGSIZE, check_payload(&msg));
		msg.hdr.size = 8 + 32 * nr;
		msg.nr_fds = nr - 1;
		EXPECT_EQ(-EINVAL, check_payload(&msg));
		msg.nr_fds = nr + 1;
		EXPECT_EQ(-EINVAL, check_payload(&msg));
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		msg.payload.mem.nr_regions = bad[i];
		msg.hdr.size = 8 + 32 * bad[i];
		msg.nr_fds = bad[i];
		EXPECT_EQ(-EINVAL, check_payload(&msg)) TH_LOG("%u regions", bad[i]);
	}
}

TEST(an_eventfd_message_has_one_fd_or_says_that_it_has_none)
{
	static const uint32_t ids[] = { VU_SET_VRING_KICK, VU_SET_VRING_CALL, VU_SET_VRING_ERR };

	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		struct vu_msg msg = { .hdr = { ids[i], 0x1, 8 } };

		for (unsigned int fds = 0; fds <= 2; fds++) {
			msg.nr_fds = fds;
			msg.payload.u64 = 0xff;
			EXPECT_EQ(fds == 1 ? 0 : -EINVAL, check_payload(&msg));
			msg.payload.u64 = 0x1ff;
			EXPECT_EQ(fds == 0 ? 0 : -EINVAL, check_payload(&msg));
		}
		msg.nr_fds = 1;
		for (unsigned int bit = 9; bit < 64; bit++) {
			msg.payload.u64 = 1ull << bit;
			EXPECT_EQ(-EINVAL, check_payload(&msg)) TH_LOG("bit %u", bit);
		}
	}
}

TEST(the_index_has_eight_bits_with_an_fd_and_32_without)
{
	struct vu_msg msg = { .hdr.request = VU_SET_VRING_CALL };
	uint32_t index = 0;

	msg.payload.u64 = 0x1fe;
	EXPECT_TRUE(vu_request_index(&msg, &index));
	EXPECT_EQ(0xfeu, index);

	msg.hdr.request = VU_SET_VRING_NUM;
	msg.payload.state.index = 0xfffffffe;
	EXPECT_TRUE(vu_request_index(&msg, &index));
	EXPECT_EQ(0xfffffffeu, index);

	msg.hdr.request = VU_SET_VRING_ADDR;
	msg.payload.addr.index = 0x10001;
	EXPECT_TRUE(vu_request_index(&msg, &index));
	EXPECT_EQ(0x10001u, index);

	msg.hdr.request = VU_SET_FEATURES;
	EXPECT_FALSE(vu_request_index(&msg, &index));
	msg.hdr.request = VU_SET_MEM_TABLE;
	EXPECT_FALSE(vu_request_index(&msg, &index));
}

TEST(a_reply_is_accepted_with_exactly_its_id_flags_and_size)
{
	for (size_t i = 0; i < NR_EXPECTED; i++) {
		const struct expected *e = &expected[i];
		/* an acknowledgement is a u64; one reply is nothing but an fd */
		bool empty = e->id == VU_POSTCOPY_ADVISE;
		struct vu_header hdr = { e->id, 0x5, e->reply || empty ? e->reply : 8 };
		/* of a config space, and of another device's message */
		bool varies = e->id == VU_GET_CONFIG || e->id == VU_CREATE_CRYPTO_SESSION;

		EXPECT_EQ(0, vu_reply_check_header(&hdr, e->reply_fds, e->id, NULL));
		EXPECT_EQ(-EPROTO, vu_reply_check_header(&hdr, e->reply_fds + 1, e->id, NULL));
		for (uint32_t flags = 0; flags < 32; flags++) {
			hdr.flags = flags;
			EXPECT_EQ(flags == 0x5 ? 0 : -EPROTO,
				  vu_reply_check_header(&hdr, 0, e->id, NULL));
		}
		hdr.flags = 0x5;
		hdr.size++;
		EXPECT_EQ(-EPROTO, vu_reply_check_header(&hdr, 0, e->id, NULL));
		hdr.size -= 2;
		EXPECT_EQ(varies ? 0 : -EPROTO, vu_reply_check_header(&hdr, 0, e->id, NULL));
		hdr.size++;
		hdr.request = e->id + 1;
		EXPECT_EQ(-EPROTO, vu_reply_check_header(&hdr, 0, e->id, NULL));
	}
}

TEST(a_feature_is_a_number_and_its_mask_one_bit)
{
	for (unsigned int bit = 0; bit < 64; bit++) {
		EXPECT_EQ(1ull << bit, vu_feature(bit));
		EXPECT_TRUE(vu_has_feature(vu_feature(bit), bit));
		EXPECT_FALSE(vu_has_feature(~vu_feature(bit), bit));
	}
}

TEST(closing_the_fds_of_a_message_leaves_out_those_that_were_taken)
{
	struct vu_msg msg = { .nr_fds = 3 };
	int taken;

	for (unsigned int i = 0; i < 3; i++)
		msg.fds[i] = dup(0);
	taken = msg.fds[1];
	msg.fds[1] = -1;
	vu_msg_close_fds(&msg);
	EXPECT_EQ(-1, msg.fds[0]);
	EXPECT_EQ(-1, msg.fds[2]);
	EXPECT_EQ(0, close(taken));
	/* closed once is closed: a second time does no harm to others */
	vu_msg_close_fds(&msg);
}

FIXTURE(mem)
{
	int fd;
	struct vu_mem mem;
	struct vl_err err;
	int fds_before;
};

#define PAGE 4096ull
#define FILE_PAGES 16ull

FIXTURE_SETUP(mem)
{
	memset(self, 0, sizeof(*self));
	self->fd = memfd_create("mem", MFD_CLOEXEC);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, ftruncate(self->fd, FILE_PAGES * PAGE));
	self->fds_before = t_fds_count(0);
}

FIXTURE_TEARDOWN(mem)
{
	vu_mem_unmap(&self->mem);
	EXPECT_EQ(self->fds_before, t_fds_count(0));
	close(self->fd);
}

/* Maps; on failure the table has to be as it was, and the message there. */
static int map(FIXTURE_DATA(mem) * self, const struct vu_region *regions, unsigned int nr)
{
	int fds[8] = { self->fd, self->fd, self->fd, self->fd,
		       self->fd, self->fd, self->fd, self->fd };
	int ret = vu_mem_map(&self->mem, regions, fds, nr, &self->err);

	return ret && (self->mem.table.nr || self->err.code != ret) ? -INT_MAX : ret;
}

TEST_F(mem, regions_are_mapped_at_their_offsets)
{
	const struct vu_region regions[] = {
		{ 0x100000, 2 * PAGE, 0x7000000000, 3 * PAGE },
		{ 0x000000, 1 * PAGE, 0x7100000000, 0 },
	};
	uint8_t byte = 0;

	ASSERT_EQ(0, map(self, regions, 2)) TH_LOG("%s", self->err.msg);
	*(uint8_t *)vring_mem_gpa(&self->mem.table, 0x100010, 1) = 0x5a;
	ASSERT_EQ(1, pread(self->fd, &byte, 1, 3 * PAGE + 0x10));
	EXPECT_EQ(0x5a, byte);
	*(uint8_t *)vring_mem_uva(&self->mem.table, 0x7100000020, 1) = 0xa5;
	ASSERT_EQ(1, pread(self->fd, &byte, 1, 0x20));
	EXPECT_EQ(0xa5, byte);
	EXPECT_EQ(NULL, vring_mem_gpa(&self->mem.table, 0x100000 + 2 * PAGE, 1));
}

TEST_F(mem, a_region_of_no_size_is_einval)
{
	const struct vu_region region = { 0, 0, 0x1000, 0 };

	EXPECT_EQ(-EINVAL, map(self, &region, 1));
}

TEST_F(mem, a_range_that_wraps_is_einval)
{
	const struct vu_region wraps[] = {
		{ UINT64_MAX - PAGE + 2, PAGE, 0x1000, 0 },
		{ 0, PAGE, UINT64_MAX - PAGE + 2, 0 },
		{ 0, PAGE, 0x1000, ~0xfffull },
		{ 0, PAGE, 0x1000, INT64_MAX - PAGE + 1 },
		{ 0, UINT64_MAX, 1, 0 },
	};

	for (size_t i = 0; i < sizeof(wraps) / sizeof(wraps[0]); i++) {
		EXPECT_EQ(-EINVAL, map(self, &wraps[i], 1)) TH_LOG("case %zu", i);
	}
}

TEST_F(mem, an_offset_inside_a_page_is_einval)
{
	const struct vu_region region = { 0, PAGE, 0x1000, 8 };

	EXPECT_EQ(-EINVAL, map(self, &region, 1));
}

TEST_F(mem, a_region_larger_than_its_file_is_enxio)
{
	const struct vu_region more[] = {
		{ 0, (FILE_PAGES + 1) * PAGE, 0x1000, 0 },
		{ 0, 2 * PAGE, 0x1000, (FILE_PAGES - 1) * PAGE },
		{ 0, PAGE, 0x1000, FILE_PAGES * PAGE },
		{ 0, FILE_PAGES * PAGE + 1, 0x1000, 0 },
		{ 0, 1ull << 62, 0x1000, 0 },
	};
	const struct vu_region all = { 0, FILE_PAGES * PAGE, 0x1000, 0 };

	for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++) {
		EXPECT_EQ(-ENXIO, map(self, &more[i], 1)) TH_LOG("case %zu", i);
	}
	EXPECT_EQ(0, map(self, &all, 1));
}

TEST_F(mem, overlapping_regions_are_eexist)
{
	const struct vu_region first = { 0x10000, 2 * PAGE, 0x7000000000, 0 };
	const struct vu_region second[] = {
		/* the same, by one byte on either side, inside, in user addresses only */
		{ 0x10000, 2 * PAGE, 0x7000000000, 0 },
		{ 0x10000 + 2 * PAGE - 1, PAGE, 0x7100000000, 0 },
		{ 0x10000 - PAGE + 1, PAGE, 0x7100000000, 0 },
		{ 0x10000 + PAGE, PAGE / 2, 0x7100000000, 0 },
		{ 0x90000, PAGE, 0x7000000000 + PAGE, 0 },
	};

	for (size_t i = 0; i < sizeof(second) / sizeof(second[0]); i++) {
		const struct vu_region both[] = { first, second[i] };

		EXPECT_EQ(-EEXIST, map(self, both, 2)) TH_LOG("case %zu", i);
	}
}

TEST_F(mem, a_file_that_is_not_writable_is_eacces)
{
	const struct vu_region region = { 0, PAGE, 0x1000, 0 };
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", self->fd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EACCES, vu_mem_map(&self->mem, &region, &fd, 1, &self->err));
	close(fd);
}

TEST_F(mem, an_fd_that_is_no_regular_file_is_einval)
{
	const struct vu_region region = { 0, PAGE, 0x1000, 0 };
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	EXPECT_EQ(-EINVAL, vu_mem_map(&self->mem, &region, &fds[1], 1, &self->err));
	EXPECT_NE(NULL, strstr(self->err.msg, "memory region 0"));
	close(fds[0]);
	close(fds[1]);
}

TEST_HARNESS_MAIN
