// SPDX-License-Identifier: GPL-2.0-only
/*
 * Numbers as people write them, error texts, and owned file descriptors.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <kselftest_harness.h>

#include <vringlab/cpulist.h>
#include <vringlab/err.h>
#include <vringlab/fd.h>
#include <vringlab/parse.h>
#include <vringlab/thread_sched.h>

#define UNTOUCHED 0x5555aaaa5555aaaaull

typedef int (*parse_fn)(const char *text, uint64_t min, uint64_t max, uint64_t *value);

/* clang-format off */
FIXTURE(number) {
	uint64_t value;
	char text[64];
};

FIXTURE_VARIANT(number) {
	parse_fn parse;
	const char *unit;	/* a suffix that leaves the number as it is */
};

FIXTURE_VARIANT_ADD(number, plain) {
	.parse = vl_parse_u64,
	.unit = "",
};

FIXTURE_VARIANT_ADD(number, size) {
	.parse = vl_parse_size,
	.unit = "",
};

FIXTURE_VARIANT_ADD(number, duration) {
	.parse = vl_parse_duration_ns,
	.unit = "ns",
};

/* clang-format on */

FIXTURE_SETUP(number)
{
	self->value = UNTOUCHED;
}

FIXTURE_TEARDOWN(number)
{
}

/* Parses DIGITS followed by the variant's unit. */
#define PARSE(digits, min, max)                                                   \
	(snprintf(self->text, sizeof(self->text), "%s%s", digits, variant->unit), \
	 variant->parse(self->text, min, max, &self->value))

TEST_F(number, reads_decimal)
{
	ASSERT_EQ(0, PARSE("1234567890", 0, UINT64_MAX));
	EXPECT_EQ(1234567890u, self->value);
}

TEST_F(number, reads_hexadecimal_in_either_case)
{
	ASSERT_EQ(0, PARSE("0xFf", 0, UINT64_MAX));
	EXPECT_EQ(255u, self->value);
	ASSERT_EQ(0, PARSE("0X10", 0, UINT64_MAX));
	EXPECT_EQ(16u, self->value);
}

TEST_F(number, reads_leading_zero_as_decimal)
{
	ASSERT_EQ(0, PARSE("010", 0, UINT64_MAX));
	EXPECT_EQ(10u, self->value);
}

TEST_F(number, reads_greatest_value)
{
	ASSERT_EQ(0, PARSE("18446744073709551615", 0, UINT64_MAX));
	EXPECT_EQ(UINT64_MAX, self->value);
}

TEST_F(number, accepts_both_bounds)
{
	EXPECT_EQ(0, PARSE("3", 3, 5));
	EXPECT_EQ(3u, self->value);
	EXPECT_EQ(0, PARSE("5", 3, 5));
	EXPECT_EQ(5u, self->value);
}

TEST_F(number, rejects_what_lies_outside_the_bounds)
{
	EXPECT_EQ(-ERANGE, PARSE("2", 3, 5));
	EXPECT_EQ(-ERANGE, PARSE("6", 3, 5));
	EXPECT_EQ(UNTOUCHED, self->value);
}

TEST_F(number, rejects_what_does_not_fit_64_bits)
{
	EXPECT_EQ(-ERANGE, PARSE("18446744073709551616", 0, UINT64_MAX));
	EXPECT_EQ(-ERANGE, PARSE("0x10000000000000000", 0, UINT64_MAX));
	EXPECT_EQ(UNTOUCHED, self->value);
}

TEST_F(number, rejects_what_is_not_a_number)
{
	static const char *const bad[] = {
		"",    "0x",  "-1",  "+1", " 1",  "1 ",	  "1x",	   "x1",   "0x1g", "0x 1", "1\n",
		"1.5", "1,5", "1e3", "--", "ten", "0x-1", "0x0x1", "12_3", "1\t2", "0b1",  "1 000",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		EXPECT_EQ(-EINVAL, PARSE(bad[i], 0, UINT64_MAX))
		TH_LOG("'%s' was accepted or failed otherwise", self->text);
	}
	EXPECT_EQ(UNTOUCHED, self->value);
}

TEST(plain_number_takes_no_suffix)
{
	uint64_t value = UNTOUCHED;

	EXPECT_EQ(-EINVAL, vl_parse_u64("1K", 0, UINT64_MAX, &value));
	EXPECT_EQ(-EINVAL, vl_parse_u64("1ns", 0, UINT64_MAX, &value));
	EXPECT_EQ(UNTOUCHED, value);
}

TEST(size_suffixes_are_powers_of_1024)
{
	uint64_t value;

	ASSERT_EQ(0, vl_parse_size("3K", 0, UINT64_MAX, &value));
	EXPECT_EQ(3ull << 10, value);
	ASSERT_EQ(0, vl_parse_size("3M", 0, UINT64_MAX, &value));
	EXPECT_EQ(3ull << 20, value);
	ASSERT_EQ(0, vl_parse_size("0x3G", 0, UINT64_MAX, &value));
	EXPECT_EQ(3ull << 30, value);
}

TEST(size_rejects_unknown_suffixes)
{
	uint64_t value = UNTOUCHED;

	EXPECT_EQ(-EINVAL, vl_parse_size("1k", 0, UINT64_MAX, &value));
	EXPECT_EQ(-EINVAL, vl_parse_size("1KB", 0, UINT64_MAX, &value));
	EXPECT_EQ(-EINVAL, vl_parse_size("1T", 0, UINT64_MAX, &value));
	EXPECT_EQ(-EINVAL, vl_parse_size("K", 0, UINT64_MAX, &value));
	EXPECT_EQ(UNTOUCHED, value);
}

TEST(size_rejects_a_product_that_wraps)
{
	uint64_t value = UNTOUCHED;

	EXPECT_EQ(-ERANGE, vl_parse_size("17179869184G", 0, UINT64_MAX, &value));
	EXPECT_EQ(UNTOUCHED, value);
	EXPECT_EQ(0, vl_parse_size("17179869183G", 0, UINT64_MAX, &value));
}

TEST(duration_units_are_nanoseconds_to_seconds)
{
	uint64_t ns;

	ASSERT_EQ(0, vl_parse_duration_ns("7us", 0, UINT64_MAX, &ns));
	EXPECT_EQ(7000u, ns);
	ASSERT_EQ(0, vl_parse_duration_ns("7ms", 0, UINT64_MAX, &ns));
	EXPECT_EQ(7000000u, ns);
	ASSERT_EQ(0, vl_parse_duration_ns("7s", 0, UINT64_MAX, &ns));
	EXPECT_EQ(7000000000u, ns);
}

TEST(duration_requires_a_unit)
{
	uint64_t ns = UNTOUCHED;

	EXPECT_EQ(-EINVAL, vl_parse_duration_ns("7", 0, UINT64_MAX, &ns));
	EXPECT_EQ(-EINVAL, vl_parse_duration_ns("0", 0, UINT64_MAX, &ns));
	EXPECT_EQ(-EINVAL, vl_parse_duration_ns("7m", 0, UINT64_MAX, &ns));
	EXPECT_EQ(-EINVAL, vl_parse_duration_ns("7 s", 0, UINT64_MAX, &ns));
	EXPECT_EQ(UNTOUCHED, ns);
}

TEST(duration_rejects_a_product_that_wraps)
{
	uint64_t ns = UNTOUCHED;

	EXPECT_EQ(-ERANGE, vl_parse_duration_ns("18446744074s", 0, UINT64_MAX, &ns));
	EXPECT_EQ(UNTOUCHED, ns);
}

TEST(err_set_records_and_returns_the_code)
{
	struct vl_err err = {};

	EXPECT_EQ(-EBUSY, vl_err_set(&err, -EBUSY, "cannot %s %d", "take", 3));
	EXPECT_EQ(-EBUSY, err.code);
	EXPECT_STREQ("cannot take 3", err.msg);
}

TEST(err_set_replaces_what_was_there)
{
	struct vl_err err = {};

	vl_err_set(&err, -EBUSY, "a much longer first message");
	vl_err_set(&err, -EIO, "second");
	EXPECT_EQ(-EIO, err.code);
	EXPECT_STREQ("second", err.msg);
}

TEST(err_without_a_record_keeps_the_code)
{
	EXPECT_EQ(-EIO, vl_err_set(NULL, -EIO, "%s", "nobody reads this"));
	EXPECT_EQ(0, vl_err_prefix(NULL, "%s", "nor this"));
}

TEST(err_prefix_goes_in_front)
{
	struct vl_err err = {};

	vl_err_set(&err, -EIO, "read failed");
	EXPECT_EQ(-EIO, vl_err_prefix(&err, "vring %d", 1));
	EXPECT_STREQ("vring 1: read failed", err.msg);
}

TEST(err_messages_are_cut_and_never_overrun)
{
	struct {
		struct vl_err err;
		char guard[16];
	} box;
	char text[2 * sizeof(box.err.msg)];

	memset(&box, 0x5a, sizeof(box));
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';

	vl_err_set(&box.err, -EIO, "%s", text);
	EXPECT_EQ(sizeof(box.err.msg) - 1, strlen(box.err.msg));
	vl_err_prefix(&box.err, "%s", "prefix");
	EXPECT_EQ(sizeof(box.err.msg) - 1, strlen(box.err.msg));
	EXPECT_EQ(0, strncmp(box.err.msg, "prefix: xxx", 11));
	vl_err_prefix(&box.err, "%s", text);
	EXPECT_EQ(sizeof(box.err.msg) - 1, strlen(box.err.msg));
	EXPECT_EQ(-EIO, box.err.code);
	for (size_t i = 0; i < sizeof(box.guard); i++)
		EXPECT_EQ(0x5a, box.guard[i]);
}

TEST(strerror_takes_either_sign)
{
	char text[64];

	snprintf(text, sizeof(text), "%s", vl_strerror(-ENOENT));
	EXPECT_STREQ(strerror(ENOENT), text);
	EXPECT_STREQ(vl_strerror(ENOENT), text);
}

TEST(a_list_of_cpus_is_in_the_order_of_its_text)
{
	static const unsigned int expected[] = { 9, 0, 2, 3, 4, 8, 10, 12, 0 };
	unsigned int cpus[9];

	ASSERT_EQ(9, vl_cpulist_parse("9,0,2-4,8-13:2,0", cpus, 9));
	EXPECT_EQ(0, memcmp(expected, cpus, sizeof(cpus)));
	EXPECT_EQ(-E2BIG, vl_cpulist_parse("9,0,2-4,8-13:2,0", cpus, 8));
	ASSERT_EQ(1, vl_cpulist_parse("1023", cpus, 1));
	EXPECT_EQ(1023u, cpus[0]);
	EXPECT_EQ(-ERANGE, vl_cpulist_parse("1024", cpus, 1));
	EXPECT_EQ(-ERANGE, vl_cpulist_parse("0-99999999999999999999", cpus, 1));
}

TEST(what_is_no_list_of_cpus_is_refused)
{
	static const char *const wrong[] = {
		"",  ",",  "1,", ",1",	"1,,2",	 "-1",	   "1-",  "2-1", "1-2:0", "1-2:", "1:2",
		"a", " 1", "1 ", "1-a", "1-2-3", "1-2:1:", "0x1", "+1",	 "1;2",	  "all"
	};
	unsigned int cpus[8];

	for (size_t n = 0; n < sizeof(wrong) / sizeof(wrong[0]); n++) {
		EXPECT_EQ(-EINVAL, vl_cpulist_parse(wrong[n], cpus, 8))
		TH_LOG("%s", wrong[n]);
	}
}

TEST(a_set_of_cpus_is_written_as_a_list)
{
	cpu_set_t set;
	char text[32];

	CPU_ZERO(&set);
	EXPECT_STREQ("", vl_cpulist_print(&set, text, sizeof(text)));
	CPU_SET(0, &set);
	CPU_SET(2, &set);
	CPU_SET(3, &set);
	CPU_SET(1022, &set);
	CPU_SET(1023, &set);
	EXPECT_STREQ("0,2-3,1022-1023", vl_cpulist_print(&set, text, sizeof(text)));
	EXPECT_STREQ("0,2-3,", vl_cpulist_print(&set, text, 7));
}

TEST(a_policy_and_its_priority)
{
	static const char *const wrong[] = { "",     "f",  "f:",  "50",	  "f50",  "d:1",
					     "f:1 ", "o:", "o:-", "o:+1", "f:-1", "x:1" };
	static const char *const beyond[] = { "f:0", "r:100", "o:20", "o:-21" };
	struct thread_sched sched;

	ASSERT_EQ(0, thread_sched_parse("f:50", &sched));
	EXPECT_EQ(SCHED_FIFO, sched.policy);
	EXPECT_EQ(50, sched.priority);
	ASSERT_EQ(0, thread_sched_parse("r:99", &sched));
	EXPECT_EQ(SCHED_RR, sched.policy);
	EXPECT_EQ(99, sched.priority);
	ASSERT_EQ(0, thread_sched_parse("o:-20", &sched));
	EXPECT_EQ(SCHED_OTHER, sched.policy);
	EXPECT_EQ(-20, sched.priority);
	ASSERT_EQ(0, thread_sched_parse("o:19", &sched));
	EXPECT_EQ(19, sched.priority);
	for (size_t n = 0; n < sizeof(wrong) / sizeof(wrong[0]); n++) {
		EXPECT_EQ(-EINVAL, thread_sched_parse(wrong[n], &sched))
		TH_LOG("%s", wrong[n]);
	}
	for (size_t n = 0; n < sizeof(beyond) / sizeof(beyond[0]); n++) {
		EXPECT_EQ(-ERANGE, thread_sched_parse(beyond[n], &sched))
		TH_LOG("%s", beyond[n]);
	}
	EXPECT_EQ(19, sched.priority);
}

TEST(fd_close_forgets_the_fd_and_keeps_errno)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int was = fd;

	ASSERT_LE(0, fd);
	errno = EXDEV;
	vl_fd_close(&fd);
	EXPECT_EQ(EXDEV, errno);
	EXPECT_EQ(-1, fd);
	EXPECT_EQ(-1, fcntl(was, F_GETFD));
	EXPECT_EQ(EBADF, errno);
}

TEST(fd_close_of_no_fd_does_nothing)
{
	int fd = -1;

	errno = EXDEV;
	vl_fd_close(&fd);
	EXPECT_EQ(EXDEV, errno);
	EXPECT_EQ(-1, fd);
}

TEST(fd_take_moves_the_fd)
{
	int fd = 42;

	EXPECT_EQ(42, vl_fd_take(&fd));
	EXPECT_EQ(-1, fd);
	EXPECT_EQ(-1, vl_fd_take(&fd));
}

TEST_HARNESS_MAIN
