// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "t.h"
#include "t_peer.h"

/* include/net/scm.h, SCM_MAX_FD */
#define FDS_MAX 253

static int open_socket(const char *path, int (*use)(int, const struct sockaddr *, socklen_t))
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	strncpy(addr.sun_path, path, sizeof(addr.sun_path) - 1);
	if (use(fd, (struct sockaddr *)&addr, sizeof(addr))) {
		int ret = -errno;

		close(fd);
		return ret;
	}
	return fd;
}

int t_peer_connect(const char *path)
{
	return open_socket(path, connect);
}

int t_peer_listen(const char *path)
{
	int fd = open_socket(path, bind);

	if (fd >= 0 && listen(fd, 1)) {
		int ret = -errno;

		close(fd);
		return ret;
	}
	return fd;
}

int t_peer_send(int fd, const void *data, size_t len, const int *fds, unsigned int nr_fds)
{
	union {
		char bytes[CMSG_SPACE(FDS_MAX * sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec iov = { .iov_base = (void *)data, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *cmsg;
	ssize_t ret;

	if (nr_fds) {
		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_SPACE(nr_fds * sizeof(int));
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(nr_fds * sizeof(int));
		memcpy(CMSG_DATA(cmsg), fds, nr_fds * sizeof(int));
	}
	ret = sendmsg(fd, &msg, MSG_NOSIGNAL);
	if (ret < 0)
		return -errno;
	return (size_t)ret == len ? 0 : -EMSGSIZE;
}

int t_peer_request_fds(int fd, uint32_t request, uint32_t flags, const void *payload, uint32_t size,
		       const int *fds, unsigned int nr_fds)
{
	const struct vu_header hdr = { request, flags, size };
	uint8_t bytes[sizeof(hdr) + 4096];

	if (size > 4096)
		return -EMSGSIZE;
	memcpy(bytes, &hdr, sizeof(hdr));
	if (size)
		memcpy(bytes + sizeof(hdr), payload, size);
	return t_peer_send(fd, bytes, sizeof(hdr) + size, fds, nr_fds);
}

int t_peer_request(int fd, uint32_t request, uint32_t flags, const void *payload, uint32_t size)
{
	return t_peer_request_fds(fd, request, flags, payload, size, NULL, 0);
}

int t_peer_reply(int fd, struct vu_header *hdr, union vu_payload *payload)
{
	int ret = t_read_until(fd, hdr, sizeof(*hdr), T_DEADLINE_MS);

	if (ret)
		return ret;
	if (hdr->size > sizeof(*payload))
		return -EMSGSIZE;
	return t_read_until(fd, payload, hdr->size, T_DEADLINE_MS);
}

int t_peer_closed(int fd)
{
	char byte;
	int ret = t_read_until(fd, &byte, 1, T_DEADLINE_MS);

	if (!ret)
		return -EPROTO;
	return ret == -EPIPE || ret == -ECONNRESET ? 0 : ret;
}
