// SPDX-License-Identifier: GPL-2.0-only
#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <linux/vhost.h>
#include <linux/virtio_config.h>
#include <linux/virtio_vsock.h>
#include <linux/vm_sockets.h>

#include "t.h"
#include "t_traffic.h"
#include "t_vhost.h"

#define RX 0u
#define TX 1u
#define PORT 1234u

/**
 * struct vsock - vhost-vsock, and its guest's side of the protocol
 * @vhost:	Device.
 * @cid:	Of the guest that we play.
 */
struct vsock {
	struct t_vhost vhost;
	uint64_t cid;
};

/* The first CID that is free. */
static int set_cid(struct vsock *s)
{
	for (s->cid = 3; ioctl(s->vhost.fd, VHOST_VSOCK_SET_GUEST_CID, &s->cid); s->cid++)
		if (errno != EADDRINUSE)
			return -errno;
	return 0;
}

static int vsock_open(struct t_traffic *t)
{
	struct vsock *s = calloc(1, sizeof(*s));
	int ret, on = 1;
	unsigned int i;

	if (!s)
		return -ENOMEM;
	t->state = s;
	ret = t_vhost_open(&s->vhost, "/dev/vhost-vsock", UINT64_C(1) << VIRTIO_F_VERSION_1);
	if (!ret)
		ret = t_vhost_start(&s->vhost, T_TRAFFIC_QUEUES);
	if (!ret)
		ret = set_cid(s);
	if (!ret && ioctl(s->vhost.fd, VHOST_VSOCK_SET_RUNNING, &on))
		ret = -errno;
	if (ret)
		return vl_err_set(&t->err, ret, "/dev/vhost-vsock: %s", vl_strerror(ret));
	t->nr_queues = T_TRAFFIC_QUEUES;
	for (i = 0; i < T_TRAFFIC_QUEUES; i++) {
		t->kick[i] = s->vhost.queues[i].kick;
		t->call[i] = s->vhost.queues[i].call;
	}
	return 0;
}

/* The host's request arrives in the virtqueue. */
static int receive(struct vsock *s, struct virtio_vsock_hdr *request)
{
	const uint8_t *buf;
	uint32_t len;
	int ret;

	do {
		buf = t_vhost_buf(&s->vhost, RX);
		ret = t_vhost_exchange(&s->vhost, RX, T_VHOST_BUF, true, &len);
		if (ret)
			return ret;
		if (len < sizeof(*request))
			return -EPROTO;
		memcpy(request, buf, sizeof(*request));
	} while (le16toh(request->op) != VIRTIO_VSOCK_OP_REQUEST);
	return 0;
}

static int refuse(struct vsock *s, const struct virtio_vsock_hdr *request)
{
	const struct virtio_vsock_hdr reset = {
		.src_cid = request->dst_cid,
		.dst_cid = request->src_cid,
		.src_port = request->dst_port,
		.dst_port = request->src_port,
		.type = request->type,
		.op = htole16(VIRTIO_VSOCK_OP_RST),
	};
	uint32_t written;

	memcpy(t_vhost_buf(&s->vhost, TX), &reset, sizeof(reset));
	return t_vhost_exchange(&s->vhost, TX, sizeof(reset), false, &written);
}

/* The socket must have been told. */
static int wait_refused(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLOUT };
	socklen_t size = sizeof(int);
	int error = 0;

	if (poll(&pfd, 1, T_DEADLINE_MS) != 1)
		return -ETIMEDOUT;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size))
		return -errno;
	if (!error)
		return -EISCONN;
	return error == ECONNRESET ? 0 : -error;
}

static int one_round(struct vsock *s)
{
	const struct sockaddr_vm to = {
		.svm_family = AF_VSOCK,
		.svm_cid = (unsigned int)s->cid,
		.svm_port = PORT,
	};
	/* The kernel's own patience, of 2 s, is less than a debug kernel may need. */
	const struct timeval patience = { .tv_sec = T_DEADLINE_MS / 1000 };
	int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct virtio_vsock_hdr request = { 0 };
	int ret;

	if (fd < 0)
		return -errno;
	ret = setsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT, &patience, sizeof(patience));
	if (!ret)
		ret = connect(fd, (const struct sockaddr *)&to, sizeof(to));
	ret = ret ? -errno : -EISCONN;
	if (ret == -EINPROGRESS)
		ret = receive(s, &request);
	if (!ret)
		ret = refuse(s, &request);
	if (!ret)
		ret = wait_refused(fd);
	close(fd);
	return ret;
}

static int vsock_run(struct t_traffic *t)
{
	int ret = 0;

	while (!ret && !t_traffic_stopping(t)) {
		ret = one_round(t->state);
		if (ret)
			vl_err_set(&t->err, ret, "connection: %s", vl_strerror(ret));
		t_traffic_round(t);
	}
	return ret;
}

static void vsock_close(struct t_traffic *t)
{
	struct vsock *s = t->state;

	if (!s)
		return;
	t_vhost_close(&s->vhost);
	free(s);
}

const struct t_traffic_ops t_traffic_vsock = {
	.name = "vhost-vsock",
	.open = vsock_open,
	.run = vsock_run,
	.close = vsock_close,
};
