// SPDX-License-Identifier: LGPL-2.1-or-later
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/vhost.h>
#include <linux/virtio_vsock.h>

#include <vringlab/backend_vhost.h>

#include "vhost.h"

/* VIRTIO 1.2, 5.10.2: rx, tx and event, of which the kernel serves the first two. */
#define QUEUES 3u
#define QUEUES_SERVED 2u

#define FEATURES                                                                    \
	(VIRTIO_BIT(VIRTIO_F_VERSION_1) | VIRTIO_BIT(VIRTIO_RING_F_INDIRECT_DESC) | \
	 VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX) | VIRTIO_BIT(VIRTIO_VSOCK_F_SEQPACKET))

struct vhost_vsock {
	struct backend b;
	struct vhost vhost;
	uint64_t cid;
};

static struct vhost_vsock *vsock_of(struct virtio_backend *be)
{
	return (struct vhost_vsock *)be;
}

static int set_running(const struct vhost_vsock *v, int running, struct vl_err *err)
{
	return VHOST_IOCTL(&v->vhost, VHOST_VSOCK_SET_RUNNING, &running, err);
}

static void vsock_stop(struct virtio_backend *be)
{
	struct vhost_vsock *v = vsock_of(be);

	if (v->vhost.attached)
		set_running(v, 0, NULL);
	vhost_detach(&v->vhost);
}

static int vsock_start(struct virtio_backend *be, uint64_t features,
		       const struct virtio_queue *queues, unsigned int nr, struct vl_err *err)
{
	struct vhost_vsock *v = vsock_of(be);
	int ret;

	v->b.failed = false;
	if (nr < QUEUES_SERVED || !queues[0].enabled || !queues[1].enabled)
		return vl_err_set(err, -EINVAL, "%s: its driver has not set up rx and tx",
				  v->b.name);
	ret = vhost_set_up(&v->vhost, features, err);
	for (unsigned int i = 0; !ret && i < QUEUES_SERVED; i++)
		ret = vhost_attach(&v->vhost, i, &queues[i], err);
	if (!ret)
		ret = set_running(v, 1, err);
	if (ret)
		vsock_stop(be);
	return ret;
}

static void vsock_get_server(const struct virtio_backend *be, unsigned int index,
			     struct virtio_server *server)
{
	(void)be;
	(void)index;
	server->backend = VRINGLAB_BACKEND_VHOST_VSOCK;
}

static void vsock_get_config(struct virtio_backend *be, uint32_t offset, void *buf, uint32_t size)
{
	const struct virtio_vsock_config config = { .guest_cid = htole64(vsock_of(be)->cid) };

	memcpy(buf, (const uint8_t *)&config + offset, size);
}

static void vsock_destroy(struct virtio_backend *be)
{
	struct vhost_vsock *v = vsock_of(be);

	vhost_close(&v->vhost);
	free(v);
}

static const struct virtio_backend_ops ops = {
	.start = vsock_start,
	.stop = vsock_stop,
	.get_server = vsock_get_server,
	.get_config = vsock_get_config,
	.destroy = vsock_destroy,
};

static int take_cid(struct vhost_vsock *v, struct vl_err *err)
{
	int ret = VHOST_IOCTL(&v->vhost, VHOST_VSOCK_SET_GUEST_CID, &v->cid, err);

	if (ret == -EADDRINUSE)
		vl_err_set(err, ret, "%s: another guest has CID %llu", v->b.name,
			   (unsigned long long)v->cid);
	return ret;
}

int backend_vhost_vsock_create(struct virtio_backend **be, const struct backend_host *host,
			       const struct backend_vhost_vsock_config *config, struct vl_err *err)
{
	struct vhost_vsock *v;
	int ret;

	if (config->cid < BACKEND_VHOST_CID_MIN || config->cid > BACKEND_VHOST_CID_MAX)
		return vl_err_set(err, -EINVAL, "%s: a guest's CID is %u to %u, not %u",
				  config->name, BACKEND_VHOST_CID_MIN, BACKEND_VHOST_CID_MAX,
				  config->cid);
	v = calloc(1, sizeof(*v));
	if (!v)
		return vl_err_set(err, -ENOMEM, "%s: out of memory", config->name);
	v->cid = config->cid;
	backend_init(&v->b, host, config->name, config->queue_size);
	ret = vhost_open(&v->vhost, &v->b, BACKEND_VHOST_VSOCK_PATH, "vhost_vsock", err);
	if (!ret)
		ret = take_cid(v, err);
	if (ret) {
		vsock_destroy(&v->b.be);
		return ret;
	}
	v->b.be.ops = &ops;
	v->b.be.device_id = VIRTIO_ID_VSOCK;
	v->b.be.features = v->vhost.features & FEATURES;
	v->b.be.num_queues = QUEUES;
	v->b.be.config_size = sizeof(struct virtio_vsock_config);
	*be = &v->b.be;
	return 0;
}
