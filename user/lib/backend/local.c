// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdlib.h>

#include <linux/virtio_net.h>

#include <vringlab/backend_local.h>

#include "net_ctrl.h"

/**
 * struct local - A device that is served here
 * @b:		Back-end.
 * @vdev:	Device.
 * @destroy:	Its end.
 * @is_net:	It has @ctrl.
 * @ctrl:	Control virtqueue.
 * @rings:	The device's virtqueues.
 */
struct local {
	struct backend b;
	struct vdev *vdev;
	void (*destroy)(struct vdev *vdev);
	bool is_net;
	struct net_ctrl ctrl;
	struct served rings[];
};

static struct local *local_of(struct virtio_backend *be)
{
	return (struct local *)be;
}

/* Of net the pairs that are not in use are there, and disabled. */
static int use_pairs(struct backend *b, unsigned int pairs)
{
	struct local *l = local_of(&b->be);

	for (unsigned int i = 0; i < l->vdev->num_queues; i++) {
		l->rings[i].queue.enabled = i < 2 * pairs;
		served_poke(&l->rings[i]);
	}
	return 0;
}

static void local_stop(struct virtio_backend *be)
{
	struct local *l = local_of(be);

	net_ctrl_stop(&l->ctrl);
	for (unsigned int i = 0; i < l->vdev->num_queues; i++)
		served_stop(&l->rings[i]);
	if (l->vdev->ops->reset)
		l->vdev->ops->reset(l->vdev->dev);
}

static unsigned int data_queues(const struct local *l, uint64_t features)
{
	return l->is_net ? net_ctrl_data_queues(&l->ctrl, features) : l->vdev->num_queues;
}

static int start_rings(struct local *l, uint64_t features, const struct virtio_queue *queues,
		       unsigned int nr, struct vl_err *err)
{
	unsigned int data = data_queues(l, features);
	int ret = 0;

	for (unsigned int i = 0; !ret && i < data && i < nr; i++)
		if (queues[i].enabled)
			ret = served_start(&l->rings[i], features, &queues[i], err);
	if (!ret && l->is_net)
		ret = net_ctrl_start(&l->ctrl, features, queues, nr, err);
	return ret;
}

static int local_start(struct virtio_backend *be, uint64_t features,
		       const struct virtio_queue *queues, unsigned int nr, struct vl_err *err)
{
	struct local *l = local_of(be);
	int ret;

	l->b.failed = false;
	if (l->is_net)
		use_pairs(&l->b, 1);
	if (l->vdev->ops->set_features)
		l->vdev->ops->set_features(l->vdev->dev, features & l->vdev->features);
	ret = start_rings(l, features, queues, nr, err);
	if (ret)
		local_stop(be);
	return ret;
}

static void local_get_server(const struct virtio_backend *be, unsigned int index,
			     struct virtio_server *server)
{
	const struct local *l = (const struct local *)be;

	for (unsigned int i = 0; i < l->vdev->num_queues; i++)
		served_get_server(&l->rings[i], index, server);
	served_get_server(&l->ctrl.ring, index, server);
}

static void local_get_config(struct virtio_backend *be, uint32_t offset, void *buf, uint32_t size)
{
	struct local *l = local_of(be);

	l->vdev->ops->get_config(l->vdev->dev, offset, buf, size);
}

/* What cannot be written stays as it is, and the driver sees that. */
static void local_set_config(struct virtio_backend *be, uint32_t offset, const void *buf,
			     uint32_t size)
{
	struct local *l = local_of(be);

	if (l->vdev->ops->set_config)
		l->vdev->ops->set_config(l->vdev->dev, offset, buf, size, false);
}

static void local_destroy(struct virtio_backend *be)
{
	struct local *l = local_of(be);

	l->destroy(l->vdev);
	free(l);
}

static const struct virtio_backend_ops ops = {
	.start = local_start,
	.stop = local_stop,
	.get_server = local_get_server,
	.get_config = local_get_config,
	.set_config = local_set_config,
	.destroy = local_destroy,
};

static void on_config_changed(struct vdev *vdev)
{
	backend_tell_config(vdev->transport);
}

static void on_warn(struct vdev *vdev, const struct vl_err *err)
{
	backend_warn(vdev->transport, err);
}

static void fill(struct local *l, const struct backend_local_config *config)
{
	struct vdev *vdev = l->vdev;
	/* the control virtqueue comes with several pairs */
	bool ctrl = l->is_net && vdev->num_queues > 2;

	l->b.be = (struct virtio_backend){
		.ops = &ops,
		.device_id = config->device_id,
		.features = vdev->features,
		.num_queues = vdev->num_queues + ctrl,
		.config_size = vdev->config_size,
	};
	if (l->is_net)
		l->b.be.features |= net_ctrl_features(&l->ctrl);
	if (!config->packed)
		l->b.be.features &= ~VIRTIO_BIT(VIRTIO_F_RING_PACKED);
}

int backend_local_create(struct virtio_backend **be, const struct backend_host *host,
			 const struct backend_local_config *config, struct vl_err *err)
{
	struct vdev *vdev = config->vdev;
	struct local *l = calloc(1, sizeof(*l) + vdev->num_queues * sizeof(l->rings[0]));

	if (!l) {
		config->destroy(vdev);
		return vl_err_set(err, -ENOMEM, "%s: out of memory", config->name);
	}
	l->vdev = vdev;
	l->destroy = config->destroy;
	l->is_net = config->device_id == VIRTIO_ID_NET;
	net_ctrl_init(&l->ctrl, &l->b, vdev->num_queues / 2, use_pairs);
	for (unsigned int i = 0; i < vdev->num_queues; i++)
		served_init(&l->rings[i], &l->b, vdev, i);
	fill(l, config);
	backend_init(&l->b, host, config->name, config->queue_size);
	vdev->config_changed = on_config_changed;
	vdev->warn = on_warn;
	vdev->transport = &l->b;
	*be = &l->b.be;
	return 0;
}
