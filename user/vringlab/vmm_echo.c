// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <linux/vm_sockets.h>

#include <vringlab/err.h>
#include <vringlab/fd.h>
#include <vringlab/loop.h>

#include "vmm_echo.h"

#define BYTES_MAX 2048u

/* Taken before others on the loop have their turn. */
#define BUDGET 16u

/**
 * struct vmm_echo - One of them
 * @loop:	Loop.
 * @fd:		Socket; of a stream, the one that listens.
 * @stream:	Connection, -1 for none.
 * @peer:	udp: address of the guest.
 * @cid:	vsock: of the guest.
 * @op:		Watch on @fd.
 * @watch:	Watch on @stream.
 * @more:	Goes on.
 */
struct vmm_echo {
	struct loop *loop;
	int fd;
	int stream;
	struct in_addr peer;
	uint32_t cid;
	struct loop_op *op;
	struct loop_op *watch;
	struct loop_task more;
};

/* MSG_CONFIRM: it was the guest, so that the host need not ask whether it is there. */
static bool send_datagram_back(struct vmm_echo *echo)
{
	char bytes[BYTES_MAX];
	struct sockaddr_in from;
	socklen_t size = sizeof(from);
	ssize_t len = recvfrom(echo->fd, bytes, sizeof(bytes), MSG_DONTWAIT,
			       (struct sockaddr *)&from, &size);

	if (len < 0)
		return false;
	if (from.sin_addr.s_addr == echo->peer.s_addr)
		sendto(echo->fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL | MSG_CONFIRM,
		       (struct sockaddr *)&from, size);
	return true;
}

static void on_datagram(void *ctx, int res)
{
	struct vmm_echo *echo = ctx;
	unsigned int i = 0;

	if (res < 0)
		return;
	while (i < BUDGET && send_datagram_back(echo))
		i++;
	if (i == BUDGET)
		loop_task_add(echo->loop, &echo->more);
}

static void on_connection(void *ctx, int res);

static void close_stream(struct vmm_echo *echo)
{
	loop_task_remove(echo->loop, &echo->more);
	loop_op_remove(&echo->watch);
	vl_fd_close(&echo->stream);
	loop_accept(echo->loop, echo->fd, on_connection, echo, &echo->op);
}

/* A guest that does not take its bytes back does not get more. */
static void on_bytes(void *ctx, int res)
{
	struct vmm_echo *echo = ctx;
	char bytes[BYTES_MAX];
	ssize_t len;

	if (res < 0) {
		close_stream(echo);
		return;
	}
	for (unsigned int i = 0; i < BUDGET; i++) {
		len = recv(echo->stream, bytes, sizeof(bytes), MSG_DONTWAIT);
		if (len < 0 && errno == EAGAIN)
			return;
		if (len <= 0 ||
		    send(echo->stream, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL) != len) {
			close_stream(echo);
			return;
		}
	}
	loop_task_add(echo->loop, &echo->more);
}

static bool is_guest(const struct vmm_echo *echo, int fd)
{
	struct sockaddr_vm from;
	socklen_t size = sizeof(from);

	return !getpeername(fd, (struct sockaddr *)&from, &size) && from.svm_cid == echo->cid;
}

static void on_connection(void *ctx, int res)
{
	struct vmm_echo *echo = ctx;

	if (res < 0)
		return;
	echo->stream = res;
	if (!is_guest(echo, res) ||
	    loop_poll(echo->loop, res, POLLIN, on_bytes, echo, &echo->watch))
		close_stream(echo);
}

static struct vmm_echo *create(struct loop *loop, int domain, int type, loop_fn *more)
{
	struct vmm_echo *echo = calloc(1, sizeof(*echo));

	if (!echo)
		return NULL;
	*echo = (struct vmm_echo){ .loop = loop, .stream = -1 };
	echo->more = (struct loop_task){ .fn = more, .ctx = echo };
	echo->fd = socket(domain, type | SOCK_CLOEXEC, 0);
	return echo;
}

/* Of an address and a port that the kernel chooses. */
static int bind_to(const struct vmm_echo *echo, void *address, socklen_t size)
{
	if (echo->fd < 0 || bind(echo->fd, address, size) || getsockname(echo->fd, address, &size))
		return -errno;
	return 0;
}

int vmm_echo_udp(struct vmm_echo **echo, struct loop *loop, struct in_addr here,
		 struct in_addr peer, uint32_t *port, struct vl_err *err)
{
	struct vmm_echo *new = create(loop, AF_INET, SOCK_DGRAM, on_datagram);
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = here };
	int ret;

	if (!new)
		return vl_err_set(err, -ENOMEM, "no memory for an echo");
	new->peer = peer;
	ret = bind_to(new, &address, sizeof(address));
	if (!ret)
		ret = loop_poll(loop, new->fd, POLLIN, on_datagram, new, &new->op);
	if (ret) {
		vmm_echo_destroy(new);
		return vl_err_set(err, ret, "cannot listen on the tap's address: %s",
				  vl_strerror(ret));
	}
	*port = address.sin_port;
	*echo = new;
	return 0;
}

int vmm_echo_vsock(struct vmm_echo **echo, struct loop *loop, uint32_t cid, uint32_t *port,
		   struct vl_err *err)
{
	struct vmm_echo *new = create(loop, AF_VSOCK, SOCK_STREAM, on_bytes);
	struct sockaddr_vm address = {
		.svm_family = AF_VSOCK,
		.svm_cid = VMADDR_CID_ANY,
		.svm_port = VMADDR_PORT_ANY,
	};
	int ret;

	if (!new)
		return vl_err_set(err, -ENOMEM, "no memory for an echo");
	new->cid = cid;
	ret = bind_to(new, &address, sizeof(address));
	if (!ret && listen(new->fd, 1))
		ret = -errno;
	if (!ret)
		ret = loop_accept(loop, new->fd, on_connection, new, &new->op);
	if (ret) {
		vmm_echo_destroy(new);
		return vl_err_set(err, ret, "cannot listen on a vsock: %s", vl_strerror(ret));
	}
	*port = address.svm_port;
	*echo = new;
	return 0;
}

void vmm_echo_destroy(struct vmm_echo *echo)
{
	if (!echo)
		return;
	loop_task_remove(echo->loop, &echo->more);
	loop_op_remove(&echo->op);
	loop_op_remove(&echo->watch);
	vl_fd_close(&echo->stream);
	vl_fd_close(&echo->fd);
	free(echo);
}
