// SPDX-License-Identifier: GPL-2.0-only
/*
 * The command's socket: who may connect to it, and whose file it takes.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vringlab/fd.h>

#include "kselftest_harness.h"
#include "t_backend.h"
#include "t_peer.h"

/* Of the group that the socket is given to: neither this process' nor anybody's. */
#define GROUP 54321

FIXTURE(socket)
{
	char dir[64];
	char path[96];
	struct t_child child;
	int other;
};

FIXTURE_SETUP(socket)
{
	memset(self, 0, sizeof(*self));
	self->child = (struct t_child)T_CHILD_NONE;
	self->other = -1;
	ASSERT_EQ(0, t_tmpdir_create(self->dir));
	snprintf(self->path, sizeof(self->path), "%s/s", self->dir);
}

FIXTURE_TEARDOWN(socket)
{
	t_child_kill(&self->child);
	vl_fd_close(&self->other);
	t_tmpdir_remove(self->dir);
}

/* @more: an option and its value, or two NULLs. */
static int start(FIXTURE_DATA(socket) * self, const char *more, const char *value)
{
	const char *const args[] = { "loopback", "--socket", self->path, more, value, NULL };

	return t_backend_start(&self->child, args);
}

static unsigned int mode_of(const char *path)
{
	struct stat st;

	return lstat(path, &st) ? 0 : st.st_mode & 07777;
}

TEST_F(socket, is_for_its_user_alone_whatever_the_umask_is)
{
	static const mode_t umasks[] = { 0, 022, 0777 };

	for (int i = 0; i < 3; i++) {
		umask(umasks[i]);
		ASSERT_EQ(0, start(self, NULL, NULL));
		EXPECT_EQ(0600u, mode_of(self->path)) TH_LOG("umask %o", umasks[i]);
		t_child_kill(&self->child);
	}
	umask(022);
}

TEST_F(socket, has_the_mode_that_was_asked_for)
{
	ASSERT_EQ(0, start(self, "--socket-mode", "660"));
	EXPECT_EQ(0660u, mode_of(self->path));
	t_child_kill(&self->child);
	ASSERT_EQ(0, start(self, "--socket-mode", "0"));
	EXPECT_EQ(0u, mode_of(self->path));
}

TEST_F(socket, is_the_groups_that_was_asked_for)
{
	char group[16];
	struct stat st;

	if (geteuid())
		SKIP(return, "needs CAP_CHOWN to give a file away: run as root");
	snprintf(group, sizeof(group), "%d", GROUP);
	ASSERT_EQ(0, start(self, "--socket-group", group));
	ASSERT_EQ(0, lstat(self->path, &st));
	EXPECT_EQ((gid_t)GROUP, st.st_gid);
	/* and no more than that: the mode says what it is good for */
	EXPECT_EQ(0600u, mode_of(self->path));
}

/* In a process of its own, that is not root any more. 0 if it ended as it should. */
static int fail_to_give_away(FIXTURE_DATA(socket) * self, const char *group)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		if (!geteuid() && (setgroups(0, NULL) || setgid(65534) || setuid(65534)))
			_exit(2);
		_exit(start(self, "--socket-group", group) != -EPIPE ||
		      t_child_wait(&self->child, T_DEADLINE_MS) != 1);
	}
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST_F(socket, that_cannot_be_given_to_the_group_is_not_left_behind)
{
	char group[16];

	ASSERT_EQ(0, chmod(self->dir, 0777));
	snprintf(group, sizeof(group), "%d", GROUP);
	EXPECT_EQ(0, fail_to_give_away(self, group));
	EXPECT_EQ(-1, access(self->path, F_OK));
}

/* --- what is there already ----------------------------------------------------------- */

static int bind_to(const char *path, int type)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	strncpy(addr.sun_path, path, sizeof(addr.sun_path) - 1);
	if (fd >= 0 && bind(fd, (struct sockaddr *)&addr, sizeof(addr)))
		return -errno;
	return fd;
}

static int make_listener(const char *path)
{
	return t_peer_listen(path);
}

static int make_bound(const char *path)
{
	return bind_to(path, SOCK_STREAM);
}

static int make_datagram(const char *path)
{
	return bind_to(path, SOCK_DGRAM);
}

static int make_seqpacket(const char *path)
{
	int fd = bind_to(path, SOCK_SEQPACKET);

	return fd >= 0 && listen(fd, 1) ? -errno : fd;
}

static int make_file(const char *path)
{
	return open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
}

static int make_fifo(const char *path)
{
	return mkfifo(path, 0600) ? -errno : open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static int make_directory(const char *path)
{
	return mkdir(path, 0700) ? -errno : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int make_dangling_link(const char *path)
{
	return symlink("/nonexistent/s", path) ? -errno : open("/dev/null", O_RDONLY | O_CLOEXEC);
}

FIXTURE(taken)
{
	char dir[64];
	char path[96];
	struct t_child child;
	int fd;
};

FIXTURE_VARIANT(taken)
{
	int (*make)(const char *path);
	const char *says;
};

/* clang-format off */
#define TAKEN(_make, _says) \
	FIXTURE_VARIANT_ADD(taken, by_##_make) { .make = make_##_make, .says = (_says) }
TAKEN(listener, "another process does");
TAKEN(bound, "another process does");
TAKEN(datagram, "another process does");
TAKEN(seqpacket, "another process does");
TAKEN(file, "a file that is no socket");
TAKEN(fifo, "a file that is no socket");
TAKEN(directory, "a file that is no socket");
TAKEN(dangling_link, "a file that is no socket");
/* clang-format on */

FIXTURE_SETUP(taken)
{
	memset(self, 0, sizeof(*self));
	self->child = (struct t_child)T_CHILD_NONE;
	ASSERT_EQ(0, t_tmpdir_create(self->dir));
	snprintf(self->path, sizeof(self->path), "%s/s", self->dir);
	self->fd = variant->make(self->path);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(taken)
{
	t_child_kill(&self->child);
	vl_fd_close(&self->fd);
	/* t_tmpdir_remove() is for files */
	rmdir(self->path);
	t_tmpdir_remove(self->dir);
}

TEST_F(taken, path_is_left_alone_and_the_command_fails)
{
	const char *const args[] = { "loopback", "--socket", self->path, NULL };
	struct stat before, after;
	char text[1024] = "";

	ASSERT_EQ(0, lstat(self->path, &before));
	EXPECT_EQ(-EPIPE, t_backend_start(&self->child, args));
	EXPECT_EQ(1, t_child_wait(&self->child, T_DEADLINE_MS));
	for (size_t i = 0; i < sizeof(text) - 1; i++)
		if (t_read_until(self->child.err, text + i, 1, T_DEADLINE_MS))
			break;
	EXPECT_NE(NULL, strstr(text, variant->says)) TH_LOG("%s", text);
	EXPECT_NE(NULL, strstr(text, self->path)) TH_LOG("%s", text);
	ASSERT_EQ(0, lstat(self->path, &after));
	EXPECT_EQ(before.st_ino, after.st_ino);
	EXPECT_EQ(before.st_mode, after.st_mode);
}

TEST_F(socket, that_nobody_has_any_more_is_taken_over_whatever_its_type)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };

	for (int i = 0; i < 3; i++) {
		int fd = bind_to(self->path, types[i]);

		ASSERT_LE(0, fd);
		close(fd);
		ASSERT_EQ(0, access(self->path, F_OK));
		ASSERT_EQ(0, start(self, NULL, NULL)) TH_LOG("type %d", types[i]);
		EXPECT_EQ(0600u, mode_of(self->path));
		self->other = t_peer_connect(self->path);
		EXPECT_LE(0, self->other);
		vl_fd_close(&self->other);
		kill(self->child.pid, SIGTERM);
		EXPECT_EQ(0, t_child_wait(&self->child, T_DEADLINE_MS));
		t_child_kill(&self->child);
	}
}

TEST_HARNESS_MAIN
