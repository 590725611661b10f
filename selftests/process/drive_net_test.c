// SPDX-License-Identifier: GPL-2.0-only
/*
 * `vringlab drive net` on a network that does one thing wrong: each has to be found,
 * and nothing else has to be.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <vringlab/err.h>
#include <vringlab/loop.h>
#include <vringlab/vhost_user_backend.h>
#include <vringlab/virtio_device.h>

#include "kselftest_harness.h"
#include "t.h"
#include "t_peer.h"

#define FEATURES (1ull << 32)
#define MRG_RXBUF (1ull << 15)

#define HDR 12u
#define PACKET_MAX 2048u

/* Where it happens, of 1000. */
#define VICTIM 100u

enum fault {
	FAULT_NONE,
	FAULT_LOSE,
	FAULT_LOSE_ALL,
	FAULT_TWICE,
	FAULT_SWAP,
	FAULT_CHANGE,
	FAULT_CUT,
	FAULT_RENUMBER,
	FAULT_FOREIGN,
	FAULT_RUNT,
	FAULT_TOO_LONG,
	FAULT_NO_BUFFERS,
	FAULT_MANY_BUFFERS,
};

/**
 * struct wire - What is sent comes back
 * @fault:	But for this.
 * @mergeable:	Each packet comes in two buffers.
 * @listener:	Socket.
 * @thread:	Serves one connection.
 * @loop:	The thread's.
 * @error:	Why it could not.
 * @rx:		Virtqueue, NULL while it is stopped.
 * @nr:		Packets so far.
 * @held:	The one that is to come later, 0 bytes for none.
 */
struct wire {
	enum fault fault;
	bool mergeable;
	int listener;
	pthread_t thread;
	struct loop *loop;
	int error;
	struct vdev_queue *rx;
	unsigned int nr;
	uint8_t held[PACKET_MAX];
	uint32_t held_bytes;
};

static int put_buffer(struct wire *w, uint16_t nr_buffers, const uint8_t *data, uint32_t bytes,
		      bool first)
{
	struct iovec iov[4];
	struct vring_chain chain = { .iov = iov, .nr_iov = 4 };
	uint32_t hdr = first ? HDR : 0, written = hdr + bytes;
	uint8_t *in;
	int ret = vring_dev_pop(w->rx->vq, &chain);

	if (ret || chain.nr_in != 1 || iov[0].iov_len < written)
		return ret ? ret : -EMSGSIZE;
	in = iov[0].iov_base;
	memset(in, 0, hdr);
	if (first)
		memcpy(in + 10, &nr_buffers, sizeof(nr_buffers));
	memcpy(in + hdr, data, bytes);
	if (w->fault == FAULT_RUNT && w->nr == VICTIM)
		written = HDR - 1;
	if (w->fault == FAULT_TOO_LONG && w->nr == VICTIM)
		written = iov[0].iov_len + 1;
	vring_dev_push(w->rx->vq, &chain, written);
	return 0;
}

static void deliver(struct wire *w, const uint8_t *packet, uint32_t bytes)
{
	uint16_t nr_buffers = w->mergeable ? 2 : 1;
	uint32_t first = bytes / nr_buffers;

	if (w->fault == FAULT_NO_BUFFERS && w->nr == VICTIM)
		nr_buffers = 0;
	if (w->fault == FAULT_MANY_BUFFERS && w->nr == VICTIM)
		nr_buffers = UINT16_MAX;
	if (put_buffer(w, nr_buffers, packet, first, true))
		return;
	if (first < bytes)
		put_buffer(w, 0, packet + first, bytes - first, false);
}

static void forward(struct wire *w, uint8_t *packet, uint32_t bytes)
{
	static const uint8_t foreign[PACKET_MAX];
	bool victim = ++w->nr == VICTIM;

	if (w->fault == FAULT_LOSE_ALL || (victim && w->fault == FAULT_LOSE))
		return;
	if (victim && w->fault == FAULT_SWAP) {
		memcpy(w->held, packet, bytes);
		w->held_bytes = bytes;
		return;
	}
	if (victim && w->fault == FAULT_CHANGE)
		packet[bytes - 1] ^= 1;
	if (victim && w->fault == FAULT_RENUMBER)
		packet[26] ^= 1;
	if (victim && w->fault == FAULT_CUT)
		bytes--;
	if (victim && w->fault == FAULT_FOREIGN)
		deliver(w, foreign, bytes);
	deliver(w, packet, bytes);
	if (victim && w->fault == FAULT_TWICE)
		deliver(w, packet, bytes);
	if (w->held_bytes)
		deliver(w, w->held, w->held_bytes);
	w->held_bytes = 0;
}

/* A packet of one descriptor, behind its header. */
static int transmit(struct wire *w, struct vdev_queue *q)
{
	struct iovec iov[4];
	struct vring_chain chain = { .iov = iov, .nr_iov = 4 };
	uint8_t packet[PACKET_MAX];
	int ret;

	while (!(ret = vring_dev_pop(q->vq, &chain))) {
		uint32_t bytes = iov[0].iov_len - HDR;

		if (chain.nr_out != 1 || bytes > PACKET_MAX)
			return -EINVAL;
		memcpy(packet, (uint8_t *)iov[0].iov_base + HDR, bytes);
		vring_dev_push(q->vq, &chain, 0);
		if (w->rx)
			forward(w, packet, bytes);
	}
	if (w->rx)
		w->rx->done(w->rx);
	return ret == -EAGAIN ? VDEV_IDLE : ret;
}

static int process(void *dev, struct vdev_queue *q)
{
	return q->index == 1 ? transmit(dev, q) : VDEV_IDLE;
}

static int start(void *dev, struct vdev_queue *q, struct vl_err *err)
{
	struct wire *w = dev;

	if (q->index == 0)
		w->rx = q;
	return 0;
}

static void stop(void *dev, struct vdev_queue *q, bool cancel)
{
	struct wire *w = dev;

	if (q->index == 0)
		w->rx = NULL;
	q->done(q);
}

static const struct vdev_ops wire_ops = {
	.process = process,
	.start = start,
	.stop = stop,
};

static void closed(void *ctx, const struct vl_err *err)
{
	struct wire *w = ctx;

	loop_stop(w->loop);
}

static const struct vu_backend_ops backend_ops = { .closed = closed };

static int serve_on(struct wire *w)
{
	const struct vu_backend_config config = { .ops = &backend_ops, .ctx = w };
	struct vdev device = {
		.ops = &wire_ops,
		.dev = w,
		.features = FEATURES | MRG_RXBUF,
		.num_queues = 2,
	};
	struct vu_backend *be = NULL;
	int fd = accept4(w->listener, NULL, NULL, SOCK_CLOEXEC);
	int ret = fd < 0 ? -errno : vu_backend_create(&be, w->loop, &device, &config);

	if (!ret)
		ret = vu_backend_attach(be, fd);
	if (!ret)
		ret = loop_run(w->loop);
	else if (fd >= 0)
		close(fd);
	vu_backend_destroy(be);
	return ret;
}

static void *serve(void *arg)
{
	struct wire *w = arg;

	w->error = loop_create(&w->loop, NULL);
	if (w->error)
		return NULL;
	w->error = serve_on(w);
	loop_destroy(w->loop);
	return NULL;
}

FIXTURE(network)
{
	char dir[64];
	char path[96];
	struct wire wire;
	struct t_child child;
	char out[4096];
	char err[512];
};

FIXTURE_VARIANT(network)
{
	enum fault fault;
	const char *option;
	int code;
	const char *out;
	const char *err;
};

#define NETWORK(_name, _fault, _option, _code, _out, _err)                                    \
	FIXTURE_VARIANT_ADD(network, _name)                                                   \
	{                                                                                     \
		.fault = FAULT_##_fault, .option = (_option), .code = (_code), .out = (_out), \
		.err = (_err),                                                                \
	}

#define VERIFY "--verify"
#define SOUND "1000 sent, 1000 received, 0 lost, 0 twice, 0 out of order, 0 of others"

/* clang-format off */
NETWORK(sound, NONE, VERIFY, 0, SOUND, "");
NETWORK(loses_one, LOSE, VERIFY, 0, "999 received, 1 lost, 0 twice, 0 out of order", "");
NETWORK(loses_all, LOSE_ALL, "--depth=256", 1, "", "none of the 1000 packets came back");
NETWORK(doubles_one, TWICE, VERIFY, 1, "", "packet 99 of virtqueue pair 0 came twice");
NETWORK(doubles_one_that_is_not_looked_at, TWICE, "--json", 0, "\"packets-duplicate\":1", "");
NETWORK(swaps_two, SWAP, VERIFY, 1, "", "packet 99 of virtqueue pair 0 came behind a later one");
NETWORK(swaps_two_that_are_not_looked_at, SWAP, "--json", 0, "\"packets-reordered\":1", "");
NETWORK(changes_a_byte, CHANGE, VERIFY, 1, "", "packet 99 came with other bytes");
NETWORK(cuts_a_byte, CUT, VERIFY, 1, "", "packet 99 came with");
NETWORK(changes_a_number, RENUMBER, VERIFY, 1, "", "which was not sent");
NETWORK(has_others, FOREIGN, VERIFY, 0, "0 out of order, 1 of others", "");
NETWORK(has_a_runt, RUNT, VERIFY, 1, "", "came back with 11 bytes");
NETWORK(writes_too_much, TOO_LONG, VERIFY, 1, "", "came back with 1527");
NETWORK(merges, NONE, "--mergeable", 0, SOUND, "");
NETWORK(merges_none, NO_BUFFERS, "--mergeable", 1, "", "in 0 buffers");
NETWORK(merges_too_many, MANY_BUFFERS, "--mergeable", 1, "", "in 65535 buffers");
NETWORK(merges_and_changes_a_byte, CHANGE, "--mergeable", 1, "", "packet 99 came with other bytes");
/* clang-format on */

FIXTURE_SETUP(network)
{
	struct loop *loop;
	int ret = loop_create(&loop, NULL);

	memset(self, 0, sizeof(*self));
	self->child = (struct t_child)T_CHILD_NONE;
	if (ret == -EPERM || ret == -ENOSYS)
		SKIP(return, "io_uring is disabled: sysctl kernel.io_uring_disabled=0");
	ASSERT_EQ(0, ret);
	loop_destroy(loop);
	ASSERT_EQ(0, t_tmpdir_create(self->dir));
	snprintf(self->path, sizeof(self->path), "%s/s", self->dir);
	self->wire.fault = variant->fault;
	self->wire.mergeable = !strcmp(variant->option, "--mergeable");
	self->wire.listener = t_peer_listen(self->path);
	ASSERT_LE(0, self->wire.listener);
	ASSERT_EQ(0, pthread_create(&self->wire.thread, NULL, serve, &self->wire));
}

FIXTURE_TEARDOWN(network)
{
	if (!self->dir[0])
		return;
	t_child_kill(&self->child);
	shutdown(self->wire.listener, SHUT_RDWR);
	pthread_join(self->wire.thread, NULL);
	EXPECT_EQ(0, self->wire.error);
	close(self->wire.listener);
	t_tmpdir_remove(self->dir);
}

/* It has ended: all of it is there. */
static void read_all(int fd, char *buf, size_t size)
{
	size_t done = 0;
	ssize_t n;

	while (done < size - 1 && (n = read(fd, buf + done, size - 1 - done)) > 0)
		done += n;
	buf[done] = '\0';
}

TEST_F(network, is_found_out)
{
	const char *const argv[] = {
		t_vringlab(),
		"drive",
		"net",
		"--socket",
		self->path,
		"--count",
		"1000",
		"--depth",
		"8",
		"--loss",
		"2s",
		variant->option,
		self->wire.mergeable ? VERIFY : NULL,
		NULL,
	};

	ASSERT_EQ(0, t_child_start(&self->child, argv));
	EXPECT_EQ(variant->code, t_child_wait(&self->child, T_DEADLINE_MS));
	read_all(self->child.out, self->out, sizeof(self->out));
	read_all(self->child.err, self->err, sizeof(self->err));
	EXPECT_NE(NULL, strstr(self->out, variant->out)) TH_LOG("%s", self->out);
	EXPECT_NE(NULL, strstr(self->err, variant->err)) TH_LOG("%s", self->err);
	EXPECT_EQ(!variant->code, !self->err[0]) TH_LOG("%s", self->err);
}

TEST_HARNESS_MAIN
