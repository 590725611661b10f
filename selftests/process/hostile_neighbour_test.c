// SPDX-License-Identifier: GPL-2.0-only
/*
 * One process, two devices: whatever the front-end of one does, that of the other is
 * served, and the process has as many fds and mappings afterwards as before.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/virtio_config.h>

#include <vringlab/err.h>
#include <vringlab/vhost_user_frontend.h>

#include "kselftest_harness.h"
#include "t_backend.h"
#include "t_fds.h"
#include "t_peer.h"
#include "t_ring.h"

#define VERSION_1 (1ull << VIRTIO_F_VERSION_1)

/* A front-end with one virtqueue. */
struct guest {
	struct t_ring ring;
	struct vu_frontend *fe;
	struct vl_err err;
};

FIXTURE(neighbour)
{
	char dir[64];
	char attacked[96];
	char path[96];
	struct t_child child;
	struct guest guest;
	int fds;
	int maps;
};

FIXTURE_VARIANT(neighbour)
{
	int (*attack)(const char *path);
};

static int meet(struct guest *g, const char *path)
{
	struct vu_frontend_region region = t_ring_region(&g->ring);
	struct vu_frontend_vring vring = t_ring_vring(&g->ring, 0);
	int ret = vu_frontend_connect(&g->fe, path, T_DEADLINE_MS, &g->err);

	if (!ret)
		ret = vu_frontend_negotiate(g->fe, VERSION_1, &g->err);
	if (!ret)
		ret = vu_frontend_set_mem_table(g->fe, &region, 1, &g->err);
	if (!ret)
		ret = vu_frontend_start_vring(g->fe, &vring, &g->err);
	return ret;
}

static int arrive(struct guest *g, const char *path)
{
	int ret;

	memset(g, 0, sizeof(*g));
	ret = t_ring_create(&g->ring);
	return ret ? ret : meet(g, path);
}

static void leave(struct guest *g)
{
	vu_frontend_destroy(g->fe);
	g->fe = NULL;
	t_ring_destroy(&g->ring);
}

static int echo(struct guest *g)
{
	return t_ring_echo(&g->ring, "neighbour", 10, T_DEADLINE_MS);
}

/* --- attacks: each returns 0 when it has done what it wanted to ------------------- */

static int send_and_close(const char *path, const void *data, size_t len, const int *fds,
			  unsigned int nr_fds)
{
	int fd = t_peer_connect(path);
	int ret;

	if (fd < 0)
		return fd;
	ret = t_peer_send(fd, data, len, fds, nr_fds);
	if (!ret)
		ret = t_peer_closed(fd);
	close(fd);
	return ret;
}

static int rubbish(const char *path)
{
	uint8_t bytes[4096];
	int ret = 0;

	for (int i = 0; i < 256 && !ret; i++) {
		memset(bytes, i, sizeof(bytes));
		ret = send_and_close(path, bytes, sizeof(bytes), NULL, 0);
		/* what is not read when it closes is a reset */
		if (ret == -ECONNRESET || ret == -EPIPE)
			ret = 0;
	}
	return ret;
}

static int size_max(const char *path)
{
	const struct vu_header hdr = { VU_SET_FEATURES, 0x1, UINT32_MAX };
	int ret = 0;

	for (int i = 0; i < 100 && !ret; i++)
		ret = send_and_close(path, &hdr, sizeof(hdr), NULL, 0);
	return ret;
}

static int many_fds(const char *path)
{
	const struct vu_header hdr = { VU_SET_MEM_TABLE, 0x1, 40 };
	int fds[253], efd = eventfd(0, EFD_CLOEXEC);
	int ret = 0;

	for (int i = 0; i < 253; i++)
		fds[i] = efd;
	for (int i = 0; i < 200 && !ret; i++)
		ret = send_and_close(path, &hdr, sizeof(hdr), fds, 253);
	close(efd);
	return ret;
}

static int comes_and_goes(const char *path)
{
	for (int i = 0; i < 1000; i++) {
		int fd = t_peer_connect(path);

		if (fd < 0)
			return fd;
		/* more and more of a message */
		if (t_peer_send(fd, "\1\0\0\0\1\0\0\0\0\0\0\0", i % 12 + 1, NULL, 0))
			return -EPIPE;
		close(fd);
	}
	return 0;
}

/* A thousand refused messages; the front-end goes on as if nothing had been said. */
static int never_listens(const char *path)
{
	const uint64_t protocol = 1ull << 3, bad = 0x200;
	struct vu_header hdr;
	union vu_payload reply;
	int fd = t_peer_connect(path);
	int ret = t_peer_request(fd, VU_SET_PROTOCOL_FEATURES, 0x1, &protocol, 8);

	for (int i = 0; i < 1000 && !ret; i++) {
		ret = t_peer_request(fd, VU_SET_VRING_KICK, 0x9, &bad, 8);
		if (!ret)
			ret = t_peer_reply(fd, &hdr, &reply);
		if (!ret && !reply.u64)
			ret = -EBADMSG;
	}
	close(fd);
	return ret;
}

/* Sends and never reads, until the socket takes no more. */
static int never_reads(const char *path)
{
	int fd = t_peer_connect(path);
	int sent = 0;

	if (fd < 0)
		return fd;
	fcntl(fd, F_SETFL, O_NONBLOCK);
	while (!t_peer_request(fd, VU_GET_FEATURES, 0x1, NULL, 0))
		sent++;
	close(fd);
	return sent > 100 ? 0 : -EPROTO;
}

static int bad_ring(const char *path)
{
	struct guest g;
	int ret = arrive(&g, path);

	if (!ret)
		ret = echo(&g);
	g.ring.drv.config.ring.avail->idx += 1000;
	if (!ret)
		ret = t_ring_kick(&g.ring);
	/* that it was seen: the ring can be stopped, and is where it was */
	if (!ret)
		ret = vu_frontend_stop_vring(g.fe, 0, NULL, &g.err);
	leave(&g);
	return ret;
}

static int truncated_memory(const char *path)
{
	struct guest g = { 0 };
	int ret = t_ring_create_unsealed(&g.ring);

	if (!ret)
		ret = meet(&g, path);
	if (!ret)
		ret = echo(&g);
	if (!ret && ftruncate(g.ring.memfd, 0))
		ret = -errno;
	if (!ret)
		ret = t_ring_kick(&g.ring);
	/* which closes the connection */
	if (!ret)
		ret = t_peer_closed(vu_frontend_fd(g.fe));
	leave(&g);
	return ret;
}

static int killed(const char *path)
{
	int ready[2], ret;
	char byte = 0;
	pid_t pid;

	if (pipe(ready))
		return -errno;
	pid = fork();
	if (!pid) {
		struct guest g;

		if (!arrive(&g, path) && !echo(&g) && write(ready[1], &byte, 1) == 1)
			pause();
		_exit(1);
	}
	ret = t_read_until(ready[0], &byte, 1, T_DEADLINE_MS);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(ready[0]);
	close(ready[1]);
	return ret;
}

static int kick_storm(const char *path)
{
	struct guest g;
	int ret = arrive(&g, path);

	for (int i = 0; i < 100000 && !ret; i++)
		ret = t_ring_kick(&g.ring);
	if (!ret)
		ret = echo(&g);
	leave(&g);
	return ret;
}

/* clang-format off */
#define ATTACK(_attack) FIXTURE_VARIANT_ADD(neighbour, of_##_attack) { .attack = _attack }
ATTACK(rubbish);
ATTACK(size_max);
ATTACK(many_fds);
ATTACK(comes_and_goes);
ATTACK(never_listens);
ATTACK(never_reads);
ATTACK(bad_ring);
ATTACK(truncated_memory);
ATTACK(killed);
ATTACK(kick_storm);
/* clang-format on */

FIXTURE_SETUP(neighbour)
{
	struct guest g;

	memset(self, 0, sizeof(*self));
	self->child = (struct t_child)T_CHILD_NONE;
	signal(SIGPIPE, SIG_IGN);
	ASSERT_EQ(0, t_tmpdir_create(self->dir));
	snprintf(self->attacked, sizeof(self->attacked), "%s/a", self->dir);
	snprintf(self->path, sizeof(self->path), "%s/b", self->dir);
	ASSERT_EQ(0, t_backend_start(&self->child,
				     (const char *const[]){ "loopback", "--socket", self->attacked,
							    "loopback", "--socket", self->path,
							    NULL }));
	ASSERT_EQ(0, arrive(&self->guest, self->path)) TH_LOG("%s", self->guest.err.msg);
	ASSERT_EQ(0, echo(&self->guest));
	/* served once, all that is kept for later is there */
	ASSERT_EQ(0, arrive(&g, self->attacked)) TH_LOG("%s", g.err.msg);
	ASSERT_EQ(0, echo(&g));
	self->fds = t_fds_count(self->child.pid);
	self->maps = t_maps_count(self->child.pid);
	leave(&g);
}

FIXTURE_TEARDOWN(neighbour)
{
	leave(&self->guest);
	t_child_kill(&self->child);
	t_tmpdir_remove(self->dir);
}

struct attacker {
	pthread_t thread;
	int (*attack)(const char *path);
	const char *path;
	atomic_bool done;
	int result;
};

static void *run(void *arg)
{
	struct attacker *a = arg;

	a->result = a->attack(a->path);
	atomic_store(&a->done, true);
	return NULL;
}

TEST_F(neighbour, is_not_noticed)
{
	struct attacker a = { .attack = variant->attack, .path = self->attacked };
	struct guest g;

	ASSERT_EQ(0, pthread_create(&a.thread, NULL, run, &a));
	do {
		EXPECT_EQ(0, echo(&self->guest));
	} while (!atomic_load(&a.done));
	pthread_join(a.thread, NULL);
	EXPECT_EQ(0, a.result);
	/* and the attacked device has room for the next */
	ASSERT_EQ(0, arrive(&g, self->attacked)) TH_LOG("%s", g.err.msg);
	EXPECT_EQ(0, echo(&g));
	EXPECT_EQ(self->fds, t_fds_count(self->child.pid));
	EXPECT_EQ(self->maps, t_maps_count(self->child.pid));
	leave(&g);
}

TEST(a_front_end_that_comes_again_and_again_fills_no_log)
{
	struct t_child child = T_CHILD_NONE;
	char dir[64], path[96], byte;
	unsigned int lines = 0;

	ASSERT_EQ(0, t_tmpdir_create(dir));
	snprintf(path, sizeof(path), "%s/s", dir);
	ASSERT_EQ(0, t_backend_start(&child,
				     (const char *const[]){ "loopback", "--socket", path, NULL }));
	/* more than a pipe that nobody reads would hold */
	EXPECT_EQ(0, comes_and_goes(path));
	EXPECT_EQ(0, comes_and_goes(path));
	kill(child.pid, SIGTERM);
	EXPECT_EQ(0, t_child_wait(&child, T_DEADLINE_MS));
	while (!t_read_until(child.err, &byte, 1, T_DEADLINE_MS))
		lines += byte == '\n';
	EXPECT_LT(0u, lines);
	EXPECT_GT(500u, lines);
	t_child_kill(&child);
	t_tmpdir_remove(dir);
}

TEST_HARNESS_MAIN
