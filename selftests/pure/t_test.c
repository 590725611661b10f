// SPDX-License-Identifier: GPL-2.0-only
/*
 * The helpers of selftests/lib: what all other tests' waiting stands on.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "t.h"

TEST(poll_until_sees_an_event)
{
	int fd = eventfd(1, EFD_CLOEXEC);

	ASSERT_LE(0, fd);
	EXPECT_EQ(0, t_poll_until(fd, T_DEADLINE_MS));
}

TEST(poll_until_gives_up)
{
	int fd = eventfd(0, EFD_CLOEXEC);

	ASSERT_LE(0, fd);
	EXPECT_EQ(-ETIMEDOUT, t_poll_until(fd, 1));
}

TEST(poll_until_tells_a_closed_peer_from_silence)
{
	int fds[2];

	ASSERT_EQ(0, pipe2(fds, O_CLOEXEC));
	close(fds[1]);
	EXPECT_EQ(-EPIPE, t_poll_until(fds[0], T_DEADLINE_MS));
	close(fds[0]);
	EXPECT_EQ(-EBADF, t_poll_until(fds[0], T_DEADLINE_MS));
}

TEST(read_until_collects_pieces)
{
	char buf[4] = "";
	int fds[2];

	ASSERT_EQ(0, pipe2(fds, O_CLOEXEC));
	ASSERT_EQ(2, write(fds[1], "ab", 2));
	EXPECT_EQ(-ETIMEDOUT, t_read_until(fds[0], buf, 3, 1));
	ASSERT_EQ(3, write(fds[1], "cde", 3));
	EXPECT_EQ(0, t_read_until(fds[0], buf, 3, T_DEADLINE_MS));
	EXPECT_STREQ("cde", buf);
	close(fds[1]);
	EXPECT_EQ(-EPIPE, t_read_until(fds[0], buf, 1, T_DEADLINE_MS));
}

/* clang-format off */
FIXTURE(child) {
	struct t_child child;
};

/* clang-format on */

FIXTURE_SETUP(child)
{
	self->child = (struct t_child)T_CHILD_NONE;
}

FIXTURE_TEARDOWN(child)
{
	t_child_kill(&self->child);
}

TEST_F(child, gives_its_output_and_exit_code)
{
	const char *const argv[] = { "sh", "-c", "echo out; echo err >&2; exit 7", NULL };
	char buf[8] = "";

	ASSERT_EQ(0, t_child_start(&self->child, argv));
	ASSERT_EQ(0, t_read_until(self->child.out, buf, 4, T_DEADLINE_MS));
	EXPECT_STREQ("out\n", buf);
	ASSERT_EQ(0, t_read_until(self->child.err, buf, 4, T_DEADLINE_MS));
	EXPECT_STREQ("err\n", buf);
	EXPECT_EQ(7, t_child_wait(&self->child, T_DEADLINE_MS));
}

TEST_F(child, that_cannot_be_executed_exits_with_127)
{
	const char *const argv[] = { "/nonexistent/program", NULL };

	ASSERT_EQ(0, t_child_start(&self->child, argv));
	EXPECT_EQ(127, t_child_wait(&self->child, T_DEADLINE_MS));
}

TEST_F(child, that_runs_on_is_waited_for_and_then_killed)
{
	const char *const argv[] = { "sleep", "1000", NULL };
	pid_t pid;

	ASSERT_EQ(0, t_child_start(&self->child, argv));
	pid = self->child.pid;
	EXPECT_EQ(-ETIMEDOUT, t_child_wait(&self->child, 1));
	t_child_kill(&self->child);
	EXPECT_EQ(-1, kill(pid, 0));
	EXPECT_EQ(ESRCH, errno);
	EXPECT_EQ(-1, self->child.pidfd);
}

TEST_F(child, ended_by_a_signal_says_which)
{
	const char *const argv[] = { "sh", "-c", "kill -TERM $$", NULL };

	ASSERT_EQ(0, t_child_start(&self->child, argv));
	EXPECT_EQ(128 + SIGTERM, t_child_wait(&self->child, T_DEADLINE_MS));
}

TEST(tmpdir_is_private_and_goes_away_with_its_files)
{
	char path[64], file[128];
	struct stat st;
	int fd;

	ASSERT_EQ(0, t_tmpdir_create(path));
	ASSERT_EQ(0, stat(path, &st));
	EXPECT_EQ(0700u, st.st_mode & 0777);
	snprintf(file, sizeof(file), "%s/left", path);
	fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	ASSERT_LE(0, fd);
	close(fd);
	EXPECT_EQ(1, t_tmpdir_remove(path));
	EXPECT_EQ(-1, stat(file, &st));
	EXPECT_STREQ("", path);
	EXPECT_EQ(0, t_tmpdir_remove(path));
}

TEST(vringlab_is_the_one_beside_the_rings)
{
	struct stat st;

	ASSERT_EQ(0, stat(t_vringlab(), &st))
	TH_LOG("no %s", t_vringlab());
	EXPECT_TRUE(st.st_mode & 0111);
}

TEST_HARNESS_MAIN
