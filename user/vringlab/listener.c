// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <vringlab/err.h>
#include <vringlab/fd.h>

#include "listener.h"

/*
 * A process that was killed while io_uring accepted for it is gone before its
 * socket is: the kernel ends the ring a little later, by itself.
 */
#define STALE_TRIES 100
#define STALE_RETRY_NS 10000000

/* Does the file belong to a socket that is gone? */
static bool is_stale(const struct sockaddr_un *addr)
{
	bool refused;
	int fd;

	/*
	 * Of the wrong type on purpose: a listener alive is found by the kernel, that
	 * answers EPROTOTYPE, and does not see a connection.
	 */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	refused = connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) &&
		  errno == ECONNREFUSED;
	close(fd);
	return refused;
}

static int bind_socket(int fd, const struct sockaddr_un *addr)
{
	const struct timespec retry = { .tv_nsec = STALE_RETRY_NS };

	for (int i = 0; i < STALE_TRIES; i++) {
		struct stat st;

		if (!bind(fd, (const struct sockaddr *)addr, sizeof(*addr)))
			return 0;
		if (errno != EADDRINUSE)
			return -errno;
		if (!lstat(addr->sun_path, &st) && !S_ISSOCK(st.st_mode))
			break;
		if (!is_stale(addr))
			nanosleep(&retry, NULL);
		else if (unlink(addr->sun_path) && errno != ENOENT)
			return -errno;
	}
	return -EADDRINUSE;
}

static int bind_error(const char *path, int code, struct vl_err *err)
{
	struct stat st;

	if (code != -EADDRINUSE)
		return vl_err_set(err, code, "cannot listen on %s: %s", path, vl_strerror(code));
	if (!lstat(path, &st) && !S_ISSOCK(st.st_mode))
		return vl_err_set(err, code,
				  "cannot listen on %s: there is a file that is no socket", path);
	return vl_err_set(
		err, code,
		"cannot listen on %s: another process does; stop it, or give another --socket",
		path);
}

/* Nobody but us has it before its group and mode are right, and nobody listens yet. */
static int bind_private(int fd, const struct sockaddr_un *addr)
{
	mode_t before = umask(0177);
	int ret = bind_socket(fd, addr);

	umask(before);
	return ret;
}

static int set_access(const char *path, mode_t mode, gid_t group, struct vl_err *err)
{
	if (group != (gid_t)-1 && chown(path, -1, group))
		return vl_err_set(err, -errno, "cannot give %s to group %u: %s", path, group,
				  vl_strerror(errno));
	if (chmod(path, mode))
		return vl_err_set(err, -errno, "cannot set the mode of %s to 0%o: %s", path, mode,
				  vl_strerror(errno));
	return 0;
}

int listener_open(struct listener *listener, const char *path, mode_t mode, gid_t group,
		  struct vl_err *err)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct listener l = { .path = path };
	struct stat st;
	int ret;

	/* without a path it would be a socket of another kind, without a file */
	if (!*path || strlen(path) >= sizeof(addr.sun_path))
		return vl_err_set(err, *path ? -ENAMETOOLONG : -ENOENT,
				  "cannot listen on '%s': a socket's path has 1 to %zu characters",
				  path, sizeof(addr.sun_path) - 1);
	strcpy(addr.sun_path, path);
	l.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (l.fd < 0)
		return vl_err_set(err, -errno, "cannot make a socket: %s", vl_strerror(errno));
	ret = bind_private(l.fd, &addr);
	if (ret) {
		bind_error(path, ret, err);
		goto out_close;
	}
	ret = set_access(path, mode, group, err);
	if (ret) {
		unlink(path);
		goto out_close;
	}
	if (listen(l.fd, SOMAXCONN) || lstat(path, &st)) {
		ret = vl_err_set(err, -errno, "cannot listen on %s: %s", path, vl_strerror(errno));
		unlink(path);
		goto out_close;
	}
	l.dev = st.st_dev;
	l.ino = st.st_ino;
	*listener = l;
	return 0;

out_close:
	vl_fd_close(&l.fd);
	return ret;
}

void listener_close(struct listener *listener)
{
	struct stat st;

	if (listener->fd < 0)
		return;
	if (!lstat(listener->path, &st) && st.st_dev == listener->dev && st.st_ino == listener->ino)
		unlink(listener->path);
	vl_fd_close(&listener->fd);
}
