// SPDX-License-Identifier: GPL-2.0-only
/*
 * vringlab vmm --bench against a guest that writes what it likes to the ports: only a
 * result that is whole and makes sense is one.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <vringlab/err.h>
#include <vringlab/loop.h>

/* The command is no library; found beside user/include. */
#include "../vringlab/device.c"
#include "../vringlab/device_blk.c"
#include "../vringlab/device_console.c"
#include "../vringlab/device_net.c"
#include "../vringlab/device_simple.c"
#include "../vringlab/device_vsock.c"
#include "../vringlab/report.c"
#include "../vringlab/trace.c"
#include "../vringlab/vmm_bench.c"
#include "../vringlab/vmm_bench_check.c"
#include "../vringlab/vmm_bench_initrd.c"
#include "../vringlab/vmm_device.c"
#include "../vringlab/vmm_echo.c"
#include "../vringlab/vmm_trace.c"

#include "kselftest_harness.h"

#define COUNT 3u

/* There is no machine. */
struct loop_errands *vmm_devices_errands(const struct vmm_devices *devices)
{
	(void)devices;
	return NULL;
}

const struct virtio_backend *vmm_devices_backend(const struct vmm_devices *devices,
						 const struct vmm_device *dev)
{
	(void)devices;
	(void)dev;
	return NULL;
}

FIXTURE(bench)
{
	struct vmm_options options;
	struct loop *loop;
	struct loop_errands *errands;
	struct vmm_bench *b;
	struct bench_result result;
	struct vl_err err;
};

FIXTURE_SETUP(bench)
{
	struct vmm_options *o = &self->options;

	memset(o, 0, sizeof(*o));
	o->ping.count = COUNT;
	ASSERT_EQ(0, vmm_bench_parse(&o->bench, "blk,vsock"));
	ASSERT_EQ(0, vmm_device_parse(o->devices, 0, "blk,null-size=1M", &self->err));
	ASSERT_EQ(0, vmm_device_parse(o->devices, 1, "vsock,cid=42", &self->err));
	o->nr_devices = 2;
	if (loop_create(&self->loop, &self->err) == -EPERM)
		SKIP(return, "%s", self->err.msg);
	ASSERT_EQ(0, loop_errands_create(&self->errands, self->loop, &self->err));
	ASSERT_EQ(0, vmm_bench_create(&self->b, o, &self->err))
	{
		TH_LOG("%s", self->err.msg);
	}
	self->b->errands = self->errands;
	memset(&self->result, 0, sizeof(self->result));
	self->result.magic = BENCH_MAGIC;
	self->result.kind = BENCH_BLK;
	tsc_hist_init(&self->result.ns);
	for (unsigned int i = 0; i < COUNT; i++)
		tsc_hist_add(&self->result.ns, 1000 * (i + 1));
}

FIXTURE_TEARDOWN(bench)
{
	vmm_bench_destroy(self->b);
	loop_errands_destroy(self->errands);
	loop_destroy(self->loop);
	vmm_device_free(&self->options.devices[0]);
	vmm_device_free(&self->options.devices[1]);
}

static void control(FIXTURE_DATA(bench) * self, uint32_t value)
{
	port_write(self->b, BENCH_CONTROL_PORT - BENCH_PORT, &value, sizeof(value));
}

static void write_words(FIXTURE_DATA(bench) * self, size_t nr)
{
	const uint32_t *words = (const void *)&self->result;

	for (size_t i = 0; i < nr; i++)
		port_write(self->b, 0, &words[i % WORDS], sizeof(words[0]));
}

static int check_of(FIXTURE_DATA(bench) * self, unsigned int job)
{
	return vmm_bench_check_job(self->b, &self->b->jobs[job], &self->err);
}

static void tell(FIXTURE_DATA(bench) * self)
{
	control(self, BENCH_BEGIN);
	control(self, BENCH_END);
	write_words(self, WORDS);
	control(self, BENCH_DONE);
}

TEST_F(bench, a_result_is_taken_as_it_is)
{
	tell(self);
	ASSERT_EQ(0, check_of(self, 0));
	EXPECT_EQ(COUNT, self->b->jobs[0].hist.count);
	EXPECT_EQ(1000u, self->b->jobs[0].hist.min);
	EXPECT_EQ(3000u, self->b->jobs[0].hist.max);
	EXPECT_EQ(-ENODATA, check_of(self, 1));
	EXPECT_EQ(-ENODATA, vmm_bench_check(self->b, &self->err));
	self->result.kind = BENCH_VSOCK;
	tell(self);
	EXPECT_EQ(0, vmm_bench_check(self->b, &self->err));
	/* and what comes then is nobody's */
	tell(self);
	EXPECT_EQ(0, vmm_bench_check(self->b, &self->err));
}

TEST_F(bench, pieces_are_none)
{
	static const size_t numbers[] = { 0, 1, WORDS - 1 };

	for (unsigned int i = 0; i < 3; i++) {
		write_words(self, numbers[i]);
		control(self, BENCH_DONE);
		EXPECT_EQ(-ENODATA, check_of(self, 0));
	}
	/* what was there too much is not the next one's */
	write_words(self, 3 * WORDS + 1);
	control(self, BENCH_DONE);
	EXPECT_EQ(0, check_of(self, 0));
	control(self, BENCH_DONE);
	EXPECT_EQ(-ENODATA, check_of(self, 1));
}

TEST_F(bench, accesses_of_another_size_or_place_are_ignored)
{
	static const uint64_t ones = UINT64_MAX;

	for (uint64_t offset = 0; offset < BENCH_PORTS; offset++)
		for (unsigned int len = 1; len <= 4 && offset + len <= BENCH_PORTS; len *= 2)
			if (len < 4 || offset % 4)
				port_write(self->b, offset, &ones, len);
	control(self, UINT32_MAX);
	tell(self);
	EXPECT_EQ(0, check_of(self, 0));
}

TEST_F(bench, another_kind_or_magic_is_none)
{
	self->result.kind = BENCH_VSOCK;
	tell(self);
	EXPECT_EQ(-ENODATA, check_of(self, 0));
	self->result.kind = UINT32_MAX;
	tell(self);
	EXPECT_EQ(-ENODATA, check_of(self, 0));
	self->result.kind = BENCH_BLK;
	self->result.magic++;
	tell(self);
	EXPECT_EQ(-ENODATA, check_of(self, 0));
}

TEST_F(bench, another_count_makes_no_sense)
{
	self->result.ns.buckets[7] += 1ull << 40;
	tell(self);
	EXPECT_EQ(-EPROTO, check_of(self, 0));
	memset(&self->result.ns, 0, sizeof(self->result.ns));
	self->result.kind = BENCH_VSOCK;
	tell(self);
	EXPECT_EQ(-EPROTO, check_of(self, 1));
}

TEST_F(bench, a_step_that_failed_is_told)
{
	self->result.step = BENCH_FIND;
	self->result.error = ENOENT;
	tell(self);
	EXPECT_EQ(-EIO, check_of(self, 0));
	EXPECT_NE(NULL, strstr(self->err.msg, "scripts/guest-initrd"));
	EXPECT_NE(NULL, strstr(self->err.msg, "No such file"));
	self->result.kind = BENCH_VSOCK;
	self->result.step = UINT32_MAX;
	self->result.error = UINT32_MAX;
	tell(self);
	EXPECT_EQ(-EPROTO, check_of(self, 1));
}

TEST_F(bench, the_tool_is_told_in_its_file)
{
	struct bench_config config;
	size_t bytes;
	const uint8_t *initrd = vmm_bench_initrd(self->b, &bytes);
	const uint8_t *at = self->b->config_in_initrd;

	EXPECT_EQ(0u, bytes % 4);
	EXPECT_EQ(0, memcmp(initrd, "070701", 6));
	ASSERT_LE(initrd, at);
	ASSERT_GE(initrd + bytes, at + sizeof(config));
	memcpy(&config, at, sizeof(config));
	EXPECT_EQ(BENCH_MAGIC, config.magic);
	EXPECT_EQ(2u, config.nr);
	EXPECT_EQ(COUNT, config.count);
	EXPECT_EQ(BENCH_BLK, config.jobs[0].kind);
	EXPECT_EQ(BENCH_VSOCK, config.jobs[1].kind);
}

TEST(a_guest_is_the_hosts_neighbour)
{
	static const struct {
		const char *text;
		const char *guest;
		const char *mask;
	} rows[] = {
		{ "192.0.2.1/24", "192.0.2.2", "255.255.255.0" },
		{ "192.0.2.254/24", "192.0.2.253", "255.255.255.0" },
		{ "192.0.2.5/30", "192.0.2.6", "255.255.255.252" },
		{ "10.0.0.255/8", "10.0.1.0", "255.0.0.0" },
	};
	static const char *const bad[] = {
		NULL,	       "",    "192.0.2.1",	"192.0.2.1/",	 "192.0.2.1/31",
		"192.0.2.1/0", "/24", "2001:db8::1/64", "192.0.2.1/24x",
	};
	struct bench_job job;

	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ASSERT_EQ(0, choose_addresses(&job, rows[i].text, NULL));
		EXPECT_EQ(inet_addr(rows[i].guest), job.guest);
		EXPECT_EQ(inet_addr(rows[i].mask), job.mask);
	}
	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		EXPECT_EQ(-EINVAL, choose_addresses(&job, bad[i], NULL));
}

TEST_HARNESS_MAIN
