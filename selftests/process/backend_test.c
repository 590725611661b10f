// SPDX-License-Identifier: GPL-2.0-only
/*
 * The command's loopback back-end, from the outside: a process, its socket, its
 * exit code and its one line on stderr.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
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

FIXTURE(backend)
{
	char dir[64];
	char path[96];
	struct t_child child;
	struct t_ring ring;
	struct vu_frontend *fe;
	struct vl_err err;
};

static int start_backend(struct t_child *child, const char *path, const char *more)
{
	return t_backend_start(child,
			       (const char *const[]){ "loopback", "--socket", path, more, NULL });
}

/* A front-end that is ready to kick virtqueue @index. */
static int set_up_frontend(FIXTURE_DATA(backend) * self, unsigned int index)
{
	struct vu_frontend_region region = t_ring_region(&self->ring);
	struct vu_frontend_vring vring = t_ring_vring(&self->ring, index);
	int ret;

	ret = vu_frontend_connect(&self->fe, self->path, T_DEADLINE_MS, &self->err);
	if (!ret)
		ret = vu_frontend_negotiate(self->fe, VERSION_1, &self->err);
	if (!ret)
		ret = vu_frontend_set_mem_table(self->fe, &region, 1, &self->err);
	if (!ret)
		ret = vu_frontend_start_vring(self->fe, &vring, &self->err);
	return ret;
}

static void leave(FIXTURE_DATA(backend) * self)
{
	vu_frontend_destroy(self->fe);
	self->fe = NULL;
}

FIXTURE_SETUP(backend)
{
	memset(self, 0, sizeof(*self));
	self->child = (struct t_child)T_CHILD_NONE;
	signal(SIGPIPE, SIG_IGN);
	ASSERT_EQ(0, t_tmpdir_create(self->dir));
	snprintf(self->path, sizeof(self->path), "%s/s", self->dir);
	ASSERT_EQ(0, t_ring_create(&self->ring));
	ASSERT_EQ(0, start_backend(&self->child, self->path, NULL));
}

FIXTURE_TEARDOWN(backend)
{
	leave(self);
	t_child_kill(&self->child);
	t_ring_destroy(&self->ring);
	t_tmpdir_remove(self->dir);
}

/* Minutes, for where a processor is emulated. */
TEST_F_TIMEOUT(backend, ten_thousand_echoes_come_back_byte_for_byte, 300)
{
	uint8_t data[1024];

	ASSERT_EQ(0, set_up_frontend(self, 0)) TH_LOG("%s", self->err.msg);
	for (unsigned int i = 0; i < 10000; i++) {
		uint32_t len = 1 + i * 7 % sizeof(data);

		for (uint32_t j = 0; j < len; j++)
			data[j] = i + j * 31;
		ASSERT_EQ(0, t_ring_echo(&self->ring, data, len, T_DEADLINE_MS))
		TH_LOG("echo %u", i);
	}
}

TEST_F(backend, a_buffer_of_64_kib_comes_back)
{
	uint8_t *data = malloc(T_RING_BUF_MAX);

	ASSERT_NE(NULL, data);
	for (uint32_t i = 0; i < T_RING_BUF_MAX; i++)
		data[i] = i * 37 + (i >> 8);
	ASSERT_EQ(0, set_up_frontend(self, 0)) TH_LOG("%s", self->err.msg);
	EXPECT_EQ(0, t_ring_echo(&self->ring, data, T_RING_BUF_MAX, T_DEADLINE_MS));
	free(data);
}

/* Chains of several buffers that are cut differently on both sides. */
TEST_F(backend, chains_are_copied_in_order_across_their_buffers)
{
	const struct vring_buf bufs[] = {
		{ T_RING_GPA + T_RING_OUT, 1 },	      { T_RING_GPA + T_RING_OUT + 100, 10 },
		{ T_RING_GPA + T_RING_OUT + 200, 5 }, { T_RING_GPA + T_RING_IN, 7 },
		{ T_RING_GPA + T_RING_IN + 100, 2 },  { T_RING_GPA + T_RING_IN + 200, 20 },
	};
	uint8_t *out, *in;
	uint32_t written;

	ASSERT_EQ(0, set_up_frontend(self, 0)) TH_LOG("%s", self->err.msg);
	out = self->ring.mem + T_RING_OUT;
	in = self->ring.mem + T_RING_IN;
	memcpy(out, "a", 1);
	memcpy(out + 100, "bcdefghijk", 10);
	memcpy(out + 200, "lmnop", 5);
	ASSERT_LE(0, vring_drv_add(&self->ring.drv, bufs, 3, 3));
	ASSERT_EQ(0, t_ring_kick(&self->ring));
	ASSERT_LE(0, t_ring_wait(&self->ring, &written, T_DEADLINE_MS));
	EXPECT_EQ(16u, written);
	EXPECT_EQ(0, memcmp(in, "abcdefg", 7));
	EXPECT_EQ(0, memcmp(in + 100, "hi", 2));
	EXPECT_EQ(0, memcmp(in + 200, "jklmnop\0", 8));
}

TEST_F(backend, a_chain_with_nothing_to_write_comes_back_with_0)
{
	const struct vring_buf buf = { T_RING_GPA + T_RING_OUT, 100 };
	uint32_t written = 1;

	ASSERT_EQ(0, set_up_frontend(self, 0)) TH_LOG("%s", self->err.msg);
	ASSERT_LE(0, vring_drv_add(&self->ring.drv, &buf, 1, 0));
	ASSERT_EQ(0, t_ring_kick(&self->ring));
	ASSERT_LE(0, t_ring_wait(&self->ring, &written, T_DEADLINE_MS));
	EXPECT_EQ(0u, written);
}

TEST_F(backend, a_full_ring_by_one_kick_comes_back_whole)
{
	const struct vring_buf bufs[] = { { T_RING_GPA + T_RING_OUT, 4 },
					  { T_RING_GPA + T_RING_IN, 4 } };
	uint32_t written;

	ASSERT_EQ(0, set_up_frontend(self, 0)) TH_LOG("%s", self->err.msg);
	for (int round = 0; round < 1000; round++) {
		for (unsigned int i = 0; i < T_RING_NUM / 2; i++)
			ASSERT_LE(0, vring_drv_add(&self->ring.drv, bufs, 1, 1));
		ASSERT_EQ(0, t_ring_kick(&self->ring));
		for (unsigned int i = 0; i < T_RING_NUM / 2; i++)
			ASSERT_LE(0, t_ring_wait(&self->ring, &written, T_DEADLINE_MS));
	}
}

static int count_maps(pid_t pid)
{
	char path[64], line[512];
	int nr = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f))
		nr += !!strstr(line, "memfd:guest");
	fclose(f);
	return nr;
}

/* The back-end tells that it is idle by answering the next connection. */
static int meet_again(FIXTURE_DATA(backend) * self)
{
	int ret = vu_frontend_connect(&self->fe, self->path, T_DEADLINE_MS, &self->err);

	if (!ret)
		ret = vu_frontend_negotiate(self->fe, VERSION_1, &self->err);
	return ret;
}

TEST_F(backend, a_hundred_connections_leave_no_fd_and_no_mapping_behind)
{
	int before;

	ASSERT_EQ(0, meet_again(self));
	before = t_fds_count(self->child.pid);
	for (int i = 0; i < 100; i++) {
		leave(self);
		ASSERT_EQ(0, set_up_frontend(self, 0)) TH_LOG("%s", self->err.msg);
		ASSERT_EQ(1, count_maps(self->child.pid));
		/* a new driver starts with a new ring */
		t_ring_destroy(&self->ring);
		ASSERT_EQ(0, t_ring_create(&self->ring));
	}
	leave(self);
	ASSERT_EQ(0, meet_again(self));
	EXPECT_EQ(before, t_fds_count(self->child.pid));
	EXPECT_EQ(0, count_maps(self->child.pid));
}

TEST_F(backend, a_front_end_that_is_killed_makes_room_for_the_next)
{
	int ready[2];
	char byte = 0;
	pid_t pid;

	ASSERT_EQ(0, pipe(ready));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		if (!set_up_frontend(self, 0) &&
		    !t_ring_echo(&self->ring, "one", 4, T_DEADLINE_MS) &&
		    write(ready[1], &byte, 1) == 1)
			pause();
		_exit(1);
	}
	ASSERT_EQ(0, t_read_until(ready[0], &byte, 1, T_DEADLINE_MS));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(ready[0]);
	close(ready[1]);
	t_ring_destroy(&self->ring);
	ASSERT_EQ(0, t_ring_create(&self->ring));
	ASSERT_EQ(0, set_up_frontend(self, 0)) TH_LOG("%s", self->err.msg);
	EXPECT_EQ(0, t_ring_echo(&self->ring, "two", 4, T_DEADLINE_MS));
}

TEST_F(backend, a_second_front_end_waits_until_the_first_has_left)
{
	int waiting;

	ASSERT_EQ(0, set_up_frontend(self, 0)) TH_LOG("%s", self->err.msg);
	waiting = t_peer_connect(self->path);
	ASSERT_LE(0, waiting);
	ASSERT_EQ(0, t_peer_request(waiting, VU_GET_FEATURES, 0x1, NULL, 0));
	EXPECT_EQ(0, t_ring_echo(&self->ring, "mine", 5, T_DEADLINE_MS));
	EXPECT_EQ(-ETIMEDOUT, t_poll_until(waiting, 0));
	leave(self);
	EXPECT_EQ(0, t_poll_until(waiting, T_DEADLINE_MS));
	close(waiting);
}

/* Ends the back-end and takes what it said on stderr. */
static int end_backend(FIXTURE_DATA(backend) * self, int signal_nr, char *text, size_t size)
{
	size_t len = 0;
	int ret;

	kill(self->child.pid, signal_nr);
	ret = t_child_wait(&self->child, T_DEADLINE_MS);
	while (len < size - 1 && !t_read_until(self->child.err, text + len, 1, T_DEADLINE_MS))
		len++;
	text[len] = 0;
	return ret;
}

static unsigned int count_lines(const char *text)
{
	unsigned int nr = 0;

	for (; *text; text++)
		nr += *text == '\n';
	return nr;
}

static int send_rubbish(const char *path)
{
	uint8_t rubbish[100];
	int fd = t_peer_connect(path);
	int ret;

	if (fd < 0)
		return fd;
	memset(rubbish, 0xa5, sizeof(rubbish));
	ret = t_peer_send(fd, rubbish, sizeof(rubbish), NULL, 0);
	if (!ret)
		ret = t_peer_closed(fd);
	close(fd);
	return ret;
}

TEST_F(backend, rubbish_is_one_message_and_a_closed_connection_and_the_next_is_served)
{
	char text[4096];

	for (int i = 0; i < 3; i++)
		ASSERT_EQ(0, send_rubbish(self->path));
	ASSERT_EQ(0, set_up_frontend(self, 0)) TH_LOG("%s", self->err.msg);
	EXPECT_EQ(0, t_ring_echo(&self->ring, "fine", 5, T_DEADLINE_MS));
	leave(self);
	EXPECT_EQ(0, end_backend(self, SIGTERM, text, sizeof(text)));
	EXPECT_EQ(3u, count_lines(text)) TH_LOG("%s", text);
	EXPECT_NE(NULL, strstr(text, self->path));
	EXPECT_NE(NULL, strstr(text, "request 2779096485"));
}

TEST_F(backend, a_corrupt_ring_is_one_message_and_the_next_front_end_is_served)
{
	char text[4096];

	ASSERT_EQ(0, set_up_frontend(self, 0)) TH_LOG("%s", self->err.msg);
	ASSERT_EQ(0, t_ring_echo(&self->ring, "fine", 5, T_DEADLINE_MS));
	self->ring.drv.config.ring.desc[0].len = 0;
	self->ring.drv.config.ring.avail->idx += 1000;
	ASSERT_EQ(0, t_ring_kick(&self->ring));
	/* still answers, so that the front-end can find out and stop the ring */
	EXPECT_EQ(0, vu_frontend_stop_vring(self->fe, 0, NULL, &self->err));
	leave(self);
	t_ring_destroy(&self->ring);
	ASSERT_EQ(0, t_ring_create(&self->ring));
	ASSERT_EQ(0, set_up_frontend(self, 0)) TH_LOG("%s", self->err.msg);
	EXPECT_EQ(0, t_ring_echo(&self->ring, "fine", 5, T_DEADLINE_MS));
	leave(self);
	EXPECT_EQ(0, end_backend(self, SIGTERM, text, sizeof(text)));
	EXPECT_EQ(1u, count_lines(text)) TH_LOG("%s", text);
	EXPECT_NE(NULL, strstr(text, "vring 0 is stopped"));
}

TEST_F(backend, sigterm_and_sigint_end_it_with_0_and_remove_the_socket)
{
	static const int signals[] = { SIGTERM, SIGINT };
	char text[4096];

	for (int i = 0; i < 2; i++) {
		/* in the middle of serving, not idle */
		ASSERT_EQ(0, set_up_frontend(self, 0)) TH_LOG("%s", self->err.msg);
		EXPECT_EQ(0, end_backend(self, signals[i], text, sizeof(text)));
		EXPECT_STREQ("", text);
		EXPECT_EQ(-1, access(self->path, F_OK));
		EXPECT_EQ(ENOENT, errno);
		leave(self);
		t_child_kill(&self->child);
		t_ring_destroy(&self->ring);
		ASSERT_EQ(0, t_ring_create(&self->ring));
		ASSERT_EQ(0, start_backend(&self->child, self->path, NULL));
	}
}

TEST_F(backend, a_socket_file_that_was_replaced_is_not_removed)
{
	char text[4096];
	int fd;

	ASSERT_EQ(0, unlink(self->path));
	fd = t_peer_listen(self->path);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, end_backend(self, SIGTERM, text, sizeof(text)));
	EXPECT_EQ(0, access(self->path, F_OK));
	close(fd);
}

TEST_F(backend, a_socket_that_a_killed_one_left_is_replaced)
{
	kill(self->child.pid, SIGKILL);
	ASSERT_EQ(128 + SIGKILL, t_child_wait(&self->child, T_DEADLINE_MS));
	ASSERT_EQ(0, access(self->path, F_OK));
	t_child_kill(&self->child);
	ASSERT_EQ(0, start_backend(&self->child, self->path, NULL));
	ASSERT_EQ(0, set_up_frontend(self, 0)) TH_LOG("%s", self->err.msg);
}

TEST_F(backend, more_queues_are_served_each_by_itself)
{
	const char *device[] = { "loopback", "--socket", self->path, "--queues", "3", NULL };
	char text[4096];

	/* one queue by default: a second is refused, and says so */
	EXPECT_EQ(-EIO, set_up_frontend(self, 1));
	leave(self);
	EXPECT_EQ(0, end_backend(self, SIGTERM, text, sizeof(text)));
	EXPECT_EQ(1u, count_lines(text)) TH_LOG("%s", text);
	EXPECT_NE(NULL, strstr(text, "there is no vring 1"));
	t_child_kill(&self->child);

	ASSERT_EQ(0, t_backend_start(&self->child, device));
	ASSERT_EQ(0, set_up_frontend(self, 2)) TH_LOG("%s", self->err.msg);
	EXPECT_EQ(0, t_ring_echo(&self->ring, "third", 6, T_DEADLINE_MS));
}

/* Runs the command to its end. */
static int run(const char *const argv[], char *out, char *err, size_t size)
{
	struct t_child child = T_CHILD_NONE;
	int ret = t_child_start(&child, argv);
	size_t len[2] = { 0, 0 };

	if (ret)
		return ret;
	ret = t_child_wait(&child, T_DEADLINE_MS);
	while (len[0] < size - 1 && !t_read_until(child.out, out + len[0], 1, T_DEADLINE_MS))
		len[0]++;
	while (len[1] < size - 1 && !t_read_until(child.err, err + len[1], 1, T_DEADLINE_MS))
		len[1]++;
	out[len[0]] = 0;
	err[len[1]] = 0;
	t_child_kill(&child);
	return ret;
}

TEST_F(backend, a_socket_in_use_is_one_message_and_exit_1_and_its_user_does_not_notice)
{
	const char *argv[] = { t_vringlab(), "backend", "loopback", "--socket", self->path, NULL };
	char out[4096], err[4096];

	ASSERT_EQ(0, set_up_frontend(self, 0)) TH_LOG("%s", self->err.msg);
	EXPECT_EQ(1, run(argv, out, err, sizeof(out)));
	EXPECT_STREQ("", out);
	EXPECT_EQ(1u, count_lines(err));
	EXPECT_NE(NULL, strstr(err, "another process"));
	EXPECT_EQ(0, access(self->path, F_OK));
	EXPECT_EQ(0, t_ring_echo(&self->ring, "fine", 5, T_DEADLINE_MS));
	leave(self);
	EXPECT_EQ(0, end_backend(self, SIGTERM, err, sizeof(err)));
	EXPECT_STREQ("", err);
}

TEST_F(backend, a_file_that_is_no_socket_is_left_alone)
{
	char path[128], out[4096], err[4096];
	const char *argv[] = { t_vringlab(), "backend", "loopback", "--socket", path, NULL };
	int fd;

	snprintf(path, sizeof(path), "%s/file", self->dir);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	ASSERT_LE(0, fd);
	close(fd);
	EXPECT_EQ(1, run(argv, out, err, sizeof(out)));
	EXPECT_NE(NULL, strstr(err, "no socket"));
	EXPECT_EQ(0, access(path, F_OK));
}

FIXTURE(alone)
{
	char dir[64];
	char path[96];
	char out[4096];
	char err[4096];
};

FIXTURE_SETUP(alone)
{
	memset(self, 0, sizeof(*self));
	ASSERT_EQ(0, t_tmpdir_create(self->dir));
	snprintf(self->path, sizeof(self->path), "%s/s", self->dir);
}

FIXTURE_TEARDOWN(alone)
{
	/* whatever went wrong, nothing half-started is left */
	EXPECT_EQ(0, t_tmpdir_remove(self->dir));
}

TEST_F(alone, once_ends_with_0_when_the_front_end_has_left)
{
	struct t_child child = T_CHILD_NONE;
	struct vu_frontend *fe;

	ASSERT_EQ(0, start_backend(&child, self->path, "--once"));
	ASSERT_EQ(0, vu_frontend_connect(&fe, self->path, T_DEADLINE_MS, NULL));
	EXPECT_EQ(0, vu_frontend_negotiate(fe, VERSION_1, NULL));
	vu_frontend_destroy(fe);
	EXPECT_EQ(0, t_child_wait(&child, T_DEADLINE_MS));
	t_child_kill(&child);
}

TEST_F(alone, once_ends_with_1_when_the_front_end_sent_rubbish)
{
	struct t_child child = T_CHILD_NONE;

	ASSERT_EQ(0, start_backend(&child, self->path, "--once"));
	ASSERT_EQ(0, send_rubbish(self->path));
	EXPECT_EQ(1, t_child_wait(&child, T_DEADLINE_MS));
	t_child_kill(&child);
}

TEST_F(alone, tracing_without_the_module_is_one_message_and_exit_4)
{
	const char *argv[] = { t_vringlab(), "backend", "loopback", "--socket",
			       self->path,   "--trace", "test",	    NULL };

	if (!access("/sys/module/vringlab", F_OK))
		SKIP(return, "vringlab is loaded: run 'rmmod vringlab' first");
	EXPECT_EQ(4, run(argv, self->out, self->err, sizeof(self->out)));
	EXPECT_EQ(1u, count_lines(self->err));
	EXPECT_NE(NULL, strstr(self->err, "vringlab"));
}

/* Makes io_uring_setup() fail as the sysctl does, for this process and its children. */
static int forbid_io_uring(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_io_uring_setup, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog prog = { 4, filter };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) ? -errno : 0;
}

TEST_F(alone, disabled_io_uring_is_one_message_with_the_cure_and_exit_4)
{
	const char *argv[] = { t_vringlab(), "backend", "loopback", "--socket", self->path, NULL };

	ASSERT_EQ(0, forbid_io_uring());
	EXPECT_EQ(4, run(argv, self->out, self->err, sizeof(self->out)));
	EXPECT_EQ(1u, count_lines(self->err));
	EXPECT_NE(NULL, strstr(self->err, "kernel.io_uring_disabled=0"));
}

FIXTURE(command_line)
{
	char out[4096];
	char err[4096];
};

FIXTURE_VARIANT(command_line)
{
	const char *args[8];
};

/* clang-format off */
FIXTURE_VARIANT_ADD(command_line, no_device) { .args = { "--socket", "/nonexistent/s" } };
FIXTURE_VARIANT_ADD(command_line, other_device) { .args = { "net", "--socket", "/nonexistent/s" } };
FIXTURE_VARIANT_ADD(command_line, no_socket) { .args = { "loopback" } };
FIXTURE_VARIANT_ADD(command_line, socket_without_value) { .args = { "loopback", "--socket" } };
FIXTURE_VARIANT_ADD(command_line, unknown_option) { .args = { "loopback", "--nonsense" } };
FIXTURE_VARIANT_ADD(command_line, no_queues) {
	.args = { "loopback", "--socket", "/nonexistent/s", "--queues", "0" } };
FIXTURE_VARIANT_ADD(command_line, too_many_queues) {
	.args = { "loopback", "--socket", "/nonexistent/s", "--queues", "257" } };
FIXTURE_VARIANT_ADD(command_line, label_with_space) {
	.args = { "loopback", "--socket", "/nonexistent/s", "--trace", "a b" } };
FIXTURE_VARIANT_ADD(command_line, label_too_long) {
	.args = { "loopback", "--socket", "/nonexistent/s", "--trace",
		  "abcdefghijklmnopqrstuvwxyz01" } };
FIXTURE_VARIANT_ADD(command_line, mode_that_is_not_octal) {
	.args = { "loopback", "--socket", "/nonexistent/s", "--socket-mode", "680" } };
FIXTURE_VARIANT_ADD(command_line, mode_that_is_too_large) {
	.args = { "loopback", "--socket", "/nonexistent/s", "--socket-mode", "1777" } };
FIXTURE_VARIANT_ADD(command_line, mode_that_is_negative) {
	.args = { "loopback", "--socket", "/nonexistent/s", "--socket-mode", "-1" } };
FIXTURE_VARIANT_ADD(command_line, group_that_is_none) {
	.args = { "loopback", "--socket", "/nonexistent/s", "--socket-group", "no such group" } };
FIXTURE_VARIANT_ADD(command_line, one_argument_too_many) {
	.args = { "loopback", "again", "--socket", "/nonexistent/s" } };
/* clang-format on */

FIXTURE_SETUP(command_line)
{
	memset(self, 0, sizeof(*self));
}

FIXTURE_TEARDOWN(command_line)
{
}

TEST_F(command_line, that_is_wrong_is_told_on_stderr_with_exit_2)
{
	const char *argv[11] = { t_vringlab(), "backend" };

	for (int i = 0; i < 8 && variant->args[i]; i++)
		argv[2 + i] = variant->args[i];
	EXPECT_EQ(2, run(argv, self->out, self->err, sizeof(self->out)));
	EXPECT_STREQ("", self->out);
	EXPECT_NE(NULL, strstr(self->err, "Try 'vringlab backend --help'"));
}

TEST(help_goes_to_stdout_with_exit_0)
{
	const char *argv[] = { t_vringlab(), "backend", "--help", NULL };
	char out[4096], err[4096];

	EXPECT_EQ(0, run(argv, out, err, sizeof(out)));
	EXPECT_STREQ("", err);
	EXPECT_NE(NULL, strstr(out, "--ready-fd"));
}

TEST(a_path_that_cannot_be_is_one_message_and_exit_1)
{
	const char *argv[] = { t_vringlab(), "backend",	       "loopback",
			       "--socket",   "/nonexistent/s", NULL };
	char out[4096], err[4096];

	EXPECT_EQ(1, run(argv, out, err, sizeof(out)));
	EXPECT_EQ(1u, count_lines(err));
	EXPECT_NE(NULL, strstr(err, "/nonexistent/s"));
}

TEST_HARNESS_MAIN
