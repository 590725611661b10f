// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <vringlab/fd.h>

#include "t.h"

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int t_poll_until(int fd, int timeout_ms)
{
	int64_t end = now_ms() + timeout_ms;
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	int ret;

	do {
		int64_t left = end - now_ms();

		ret = poll(&pfd, 1, left > 0 ? (int)left : 0);
	} while (ret < 0 && errno == EINTR);
	if (ret < 0)
		return -errno;
	if (!ret)
		return -ETIMEDOUT;
	if (pfd.revents & POLLNVAL)
		return -EBADF;
	return pfd.revents & POLLIN ? 0 : -EPIPE;
}

int t_read_until(int fd, void *buf, size_t len, int timeout_ms)
{
	int64_t end = now_ms() + timeout_ms;
	char *pos = buf;

	while (len) {
		int64_t left = end - now_ms();
		int ret = t_poll_until(fd, left > 0 ? (int)left : 0);
		ssize_t got;

		if (ret)
			return ret;
		got = read(fd, pos, len);
		if (got < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (got < 0)
			return -errno;
		if (!got)
			return -EPIPE;
		pos += got;
		len -= (size_t)got;
	}
	return 0;
}

static void run_child(const char *const argv[], int out, int err, pid_t parent)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	sigset_t none;

	/* the parent may have ended before this asked to be told */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent)
		_exit(127);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (null < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0)
		_exit(127);
	execvp(argv[0], (char *const *)argv);
	dprintf(2, "%s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

int t_child_start(struct t_child *child, const char *const argv[])
{
	int out[2], err[2], ret;
	pid_t parent = getpid();
	struct t_child new = T_CHILD_NONE;

	if (pipe2(out, O_CLOEXEC))
		return -errno;
	if (pipe2(err, O_CLOEXEC)) {
		ret = -errno;
		goto out_close_out;
	}
	new.pid = fork();
	if (!new.pid)
		run_child(argv, out[1], err[1], parent);
	ret = new.pid < 0 ? -errno : 0;
	if (ret)
		goto out_close_err;
	new.pidfd = (int)syscall(SYS_pidfd_open, new.pid, 0);
	if (new.pidfd < 0) {
		ret = -errno;
		t_child_kill(&new);
		goto out_close_err;
	}
	new.out = vl_fd_take(&out[0]);
	new.err = vl_fd_take(&err[0]);
	*child = new;

out_close_err:
	vl_fd_close(&err[0]);
	vl_fd_close(&err[1]);
out_close_out:
	vl_fd_close(&out[0]);
	vl_fd_close(&out[1]);
	return ret;
}

int t_child_wait(struct t_child *child, int timeout_ms)
{
	int status, ret = t_poll_until(child->pidfd, timeout_ms);

	if (ret)
		return ret;
	if (waitpid(child->pid, &status, 0) < 0)
		return -errno;
	child->pid = -1;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

void t_child_kill(struct t_child *child)
{
	if (child->pid > 0) {
		kill(child->pid, SIGKILL);
		while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	child->pid = -1;
	vl_fd_close(&child->pidfd);
	vl_fd_close(&child->out);
	vl_fd_close(&child->err);
}

const char *t_vringlab(void)
{
	static char path[PATH_MAX];
	const char *given = getenv("VRINGLAB");
	char self[PATH_MAX - 64];
	ssize_t len;

	if (given)
		return given;
	len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	self[len > 0 ? len : 0] = '\0';
	/* RING/NAME_test, then RING */
	for (int i = 0; i < 2; i++)
		if (strrchr(self, '/'))
			*strrchr(self, '/') = '\0';
	snprintf(path, sizeof(path), "%s/bin/vringlab", self);
	return path;
}

int t_tmpdir_create(char *path)
{
	static const char template[] = "/tmp/vringlab.XXXXXX";

	memcpy(path, template, sizeof(template));
	if (!mkdtemp(path)) {
		*path = '\0';
		return -errno;
	}
	return 0;
}

int t_tmpdir_remove(char *path)
{
	struct dirent *entry;
	int left = 0;
	DIR *dir;

	if (!*path)
		return 0;
	dir = opendir(path);
	if (!dir)
		return -errno;
	while ((entry = readdir(dir))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		unlinkat(dirfd(dir), entry->d_name, 0);
		left++;
	}
	closedir(dir);
	if (rmdir(path))
		return -errno;
	*path = '\0';
	return left;
}
