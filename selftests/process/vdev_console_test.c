// SPDX-License-Identifier: GPL-2.0-only
/*
 * The virtio-console and virtio-rng devices behind a back-end in the VMM: bytes in and
 * out, and ends that are closed, full or never read.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/virtio_config.h>
#include <linux/virtio_console.h>
#include <linux/virtio_ids.h>

#include <vringlab/backend_local.h>
#include <vringlab/vdev_console.h>
#include <vringlab/vdev_rng.h>

#include "kselftest_harness.h"
#include "t.h"
#include "t_fds.h"
#include "t_driver.h"

#define BIT(bit) (UINT64_C(1) << (bit))
#define PACKED BIT(VIRTIO_F_RING_PACKED)
#define RX 0u
#define TX 1u
#define BOTH 3u

FIXTURE(vdev)
{
	struct t_driver t;
	struct vdev *vdev;
	int in[2];
	int out[2];
	int fds_before;
};

FIXTURE_VARIANT(vdev)
{
	uint64_t features;
	int pipe_flags;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(vdev, split) { };
FIXTURE_VARIANT_ADD(vdev, packed) { .features = PACKED };
FIXTURE_VARIANT_ADD(vdev, split_nonblock) { .pipe_flags = O_NONBLOCK };
/* clang-format on */

FIXTURE_SETUP(vdev)
{
	int ret;

	memset(self, 0, sizeof(*self));
	signal(SIGPIPE, SIG_IGN);
	self->fds_before = t_fds_count(getpid());
	self->in[1] = -1;
	self->out[0] = -1;
	ret = t_driver_init(&self->t);
	if (ret == -EPERM || ret == -ENOSYS)
		SKIP(return, "io_uring is disabled: set kernel.io_uring_disabled=0");
	ASSERT_EQ(0, ret) TH_LOG("%s", self->t.err.msg);
}

FIXTURE_TEARDOWN(vdev)
{
	t_driver_exit(&self->t);
	if (self->in[1] >= 0)
		close(self->in[1]);
	if (self->out[0] >= 0)
		close(self->out[0]);
	EXPECT_EQ(self->fds_before, t_fds_count(getpid()));
}

static int start_console(FIXTURE_DATA(vdev) * self, const FIXTURE_VARIANT(vdev) * variant)
{
	struct vdev_console_config config = { .cols = 80, .rows = 25 };
	int ret = pipe2(self->in, O_CLOEXEC | variant->pipe_flags);

	if (!ret)
		ret = pipe2(self->out, O_CLOEXEC | variant->pipe_flags);
	if (ret)
		return -errno;
	config.in_fd = self->in[0];
	config.out_fd = self->out[1];
	ret = vdev_console_create(&self->vdev, self->t.loop, &config, &self->t.err);
	if (!ret)
		ret = t_driver_create_local(&self->t, self->vdev, vdev_console_destroy,
					    VIRTIO_ID_CONSOLE, "console0");
	return ret ? ret : t_driver_start(&self->t, variant->features, BOTH);
}

static struct vdev_console_stats stats_of(const FIXTURE_DATA(vdev) * self)
{
	struct vdev_console_stats stats;

	vdev_console_get_stats(self->vdev, &stats);
	return stats;
}

/* Transmits bytes; their address. */
static uint64_t transmit(struct t_driver *t, const void *bytes, uint32_t len)
{
	const struct vring_buf buf = { .gpa = t_driver_alloc(t, len), .len = len };

	memcpy(t_driver_at(t, buf.gpa), bytes, len);
	return t_driver_add(t, TX, &buf, 1, 0, 0) ? 0 : buf.gpa + 1;
}

static uint8_t *give(struct t_driver *t, uint32_t len)
{
	const struct vring_buf buf = { .gpa = t_driver_alloc(t, len), .len = len };

	return t_driver_add(t, RX, &buf, 0, 1, 0) ? NULL : t_driver_at(t, buf.gpa);
}

TEST_F(vdev, console_bytes_arrive_in_both_directions_and_in_their_order)
{
	char got[64] = { 0 };
	uint8_t *first, *second;

	ASSERT_EQ(0, start_console(self, variant)) TH_LOG("%s", self->t.err.msg);
	/* before there is a buffer, and more than the first one takes */
	ASSERT_EQ(8, write(self->in[1], "abcdefgh", 8));
	first = give(&self->t, 5);
	second = give(&self->t, 100);
	ASSERT_NE(NULL, second);
	ASSERT_EQ(0, t_driver_run_until(&self->t, RX, 2));
	EXPECT_EQ(0, memcmp(first, "abcde", 5));
	EXPECT_EQ(0, memcmp(second, "fgh", 3));
	EXPECT_EQ(3, self->t.queues[RX].last_written);
	/* and after */
	first = give(&self->t, 100);
	ASSERT_EQ(2, write(self->in[1], "ij", 2));
	ASSERT_EQ(0, t_driver_run_until(&self->t, RX, 3));
	EXPECT_EQ(0, memcmp(first, "ij", 2));
	ASSERT_NE(0, transmit(&self->t, "hello ", 6));
	ASSERT_NE(0, transmit(&self->t, "world", 5));
	ASSERT_EQ(0, t_driver_run_until(&self->t, TX, 2));
	ASSERT_EQ(0, t_read_until(self->out[0], got, 11, T_DEADLINE_MS));
	EXPECT_STREQ("hello world", got);
	EXPECT_EQ(10, stats_of(self).rx_bytes);
	EXPECT_EQ(11, stats_of(self).tx_bytes);
}

TEST_F(vdev, console_a_reader_that_waits_makes_the_driver_wait_and_nothing_is_lost)
{
	const uint32_t len = 256u << 10;
	uint8_t *bytes = malloc(len), *got = malloc(len);
	uint8_t *input;

	ASSERT_EQ(0, start_console(self, variant)) TH_LOG("%s", self->t.err.msg);
	for (uint32_t i = 0; i < len; i++)
		bytes[i] = i * 13 + (i >> 8);
	/* more than a pipe takes */
	ASSERT_NE(0, transmit(&self->t, bytes, len));
	input = give(&self->t, 16);
	/* the other direction goes on */
	ASSERT_EQ(4, write(self->in[1], "more", 4));
	ASSERT_EQ(0, t_driver_run_until(&self->t, RX, 1));
	EXPECT_EQ(0, memcmp(input, "more", 4));
	EXPECT_EQ(0, self->t.queues[TX].used);
	for (uint32_t at = 0; at < len; at += 4096) {
		while (t_poll_until(self->out[0], 0) == -ETIMEDOUT) {
			ASSERT_EQ(0, t_driver_run_once(&self->t));
		}
		ASSERT_EQ(0, t_read_until(self->out[0], got + at, 4096, T_DEADLINE_MS));
	}
	ASSERT_EQ(0, t_driver_run_until(&self->t, TX, 1));
	EXPECT_EQ(0, memcmp(bytes, got, len));
	EXPECT_EQ(len, stats_of(self).tx_bytes);
	free(bytes);
	free(got);
}

/* What a reader does not take is given up, and the device starts again. */
TEST_F(vdev, console_is_reset_while_nobody_reads)
{
	const uint32_t len = 256u << 10;
	uint8_t *bytes = calloc(1, len);

	ASSERT_EQ(0, start_console(self, variant)) TH_LOG("%s", self->t.err.msg);
	ASSERT_NE(0, transmit(&self->t, bytes, len));
	ASSERT_NE(NULL, give(&self->t, 16));
	while (!stats_of(self).tx_bytes) {
		ASSERT_EQ(0, t_driver_run_once(&self->t));
	}
	t_driver_reset(&self->t);
	ASSERT_EQ(0, t_driver_start(&self->t, variant->features, BOTH));
	ASSERT_NE(0, transmit(&self->t, "x", 1));
	for (bool seen = false; !seen;) {
		while (t_poll_until(self->out[0], 0) == -ETIMEDOUT) {
			ASSERT_EQ(0, t_driver_run_once(&self->t));
		}
		for (ssize_t n = read(self->out[0], bytes, len); n > 0; n--)
			seen |= bytes[n - 1] == 'x';
	}
	ASSERT_EQ(0, t_driver_run_until(&self->t, TX, 1));
	free(bytes);
}

TEST_F(vdev, console_nobody_reads_any_more_and_the_driver_goes_on)
{
	ASSERT_EQ(0, start_console(self, variant)) TH_LOG("%s", self->t.err.msg);
	close(self->out[0]);
	self->out[0] = -1;
	ASSERT_NE(0, transmit(&self->t, "lost", 4));
	ASSERT_NE(0, transmit(&self->t, "too", 3));
	ASSERT_EQ(0, t_driver_run_until(&self->t, TX, 2));
	EXPECT_EQ(7, stats_of(self).tx_dropped);
	EXPECT_EQ(0, self->t.failed);
}

TEST_F(vdev, console_the_end_of_the_input_is_no_end_of_the_output)
{
	char got[8] = { 0 };

	ASSERT_EQ(0, start_console(self, variant)) TH_LOG("%s", self->t.err.msg);
	close(self->in[1]);
	self->in[1] = -1;
	ASSERT_NE(NULL, give(&self->t, 16));
	ASSERT_NE(0, transmit(&self->t, "still", 5));
	ASSERT_EQ(0, t_driver_run_until(&self->t, TX, 1));
	ASSERT_EQ(0, t_read_until(self->out[0], got, 5, T_DEADLINE_MS));
	EXPECT_STREQ("still", got);
	EXPECT_EQ(0, self->t.queues[RX].used);
}

TEST_F(vdev, console_size_is_told_and_its_change_too)
{
	struct virtio_console_config config;

	ASSERT_EQ(0, start_console(self, variant)) TH_LOG("%s", self->t.err.msg);
	EXPECT_EQ(BIT(VIRTIO_CONSOLE_F_SIZE), self->t.be->features & BIT(VIRTIO_CONSOLE_F_SIZE));
	EXPECT_EQ(0, self->t.be->features & BIT(VIRTIO_CONSOLE_F_MULTIPORT));
	ASSERT_EQ(sizeof(config), self->t.be->config_size);
	self->t.be->ops->get_config(self->t.be, 0, &config, sizeof(config));
	EXPECT_EQ(80, le16toh(config.cols));
	EXPECT_EQ(25, le16toh(config.rows));
	vdev_console_resize(self->vdev, 132, 50);
	vdev_console_resize(self->vdev, 132, 50);
	EXPECT_EQ(1, self->t.config_changed);
	self->t.be->ops->get_config(self->t.be, 2, &config, 2);
	EXPECT_EQ(50, le16toh(config.cols));
}

/* --- rng --------------------------------------------------------------------------- */

static int start_rng(FIXTURE_DATA(vdev) * self, const FIXTURE_VARIANT(vdev) * variant)
{
	int ret = vdev_rng_create(&self->vdev, self->t.loop, &self->t.err);

	if (!ret)
		ret = t_driver_create_local(&self->t, self->vdev, vdev_rng_destroy, VIRTIO_ID_RNG,
					    "rng0");
	return ret ? ret : t_driver_start(&self->t, variant->features, 1);
}

TEST_F(vdev, rng_fills_buffers_with_other_bytes_each_time)
{
	const uint32_t len = 32;
	uint8_t *bytes[100];

	ASSERT_EQ(0, start_rng(self, variant)) TH_LOG("%s", self->t.err.msg);
	for (unsigned int n = 0; n < 100; n++) {
		ASSERT_NE(NULL, bytes[n] = give(&self->t, len));
	}
	ASSERT_EQ(0, t_driver_run_until(&self->t, 0, 100));
	EXPECT_EQ(len, self->t.queues[0].last_written);
	for (unsigned int n = 0; n < 100; n++)
		for (unsigned int m = 0; m < n; m++) {
			EXPECT_NE(0, memcmp(bytes[n], bytes[m], len));
		}
}

TEST_F(vdev, rng_gives_a_bounded_number_of_bytes_over_all_buffers_of_a_chain)
{
	uint8_t zeroes[16] = { 0 };
	struct vring_buf bufs[3];
	struct vdev_rng_stats stats;

	ASSERT_EQ(0, start_rng(self, variant)) TH_LOG("%s", self->t.err.msg);
	for (unsigned int n = 0; n < 3; n++)
		bufs[n] = (struct vring_buf){ .gpa = t_driver_alloc(&self->t, 1u << 20),
					      .len = n ? 1u << 20 : 1000 };
	ASSERT_EQ(0, t_driver_add(&self->t, 0, bufs, 0, 3, 0));
	ASSERT_EQ(0, t_driver_run_until(&self->t, 0, 1));
	EXPECT_EQ(VDEV_RNG_BYTES_MAX, self->t.queues[0].last_written);
	EXPECT_NE(0, memcmp(zeroes, t_driver_at(&self->t, bufs[0].gpa + 984), 16));
	EXPECT_NE(0, memcmp(zeroes, t_driver_at(&self->t, bufs[1].gpa + 64000), 16));
	EXPECT_EQ(0, memcmp(zeroes, t_driver_at(&self->t, bufs[1].gpa + 64536), 16));
	/* nothing to fill */
	ASSERT_EQ(0, t_driver_add(&self->t, 0, bufs, 1, 0, 0));
	ASSERT_EQ(0, t_driver_run_until(&self->t, 0, 2));
	EXPECT_EQ(0, self->t.queues[0].last_written);
	vdev_rng_get_stats(self->vdev, &stats);
	EXPECT_EQ(2, stats.chains);
	EXPECT_EQ(VDEV_RNG_BYTES_MAX, stats.bytes);
}

TEST_HARNESS_MAIN
