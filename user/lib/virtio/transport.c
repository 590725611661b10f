// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <linux/virtio_config.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include <vringlab/fd.h>
#include <vringlab/loop_errand.h>

#include "transport.h"

/* VIRTIO 1.2 section 6, "Reserved Feature Bits". */
#define F_NOTIFICATION_DATA 38
#define F_NOTIF_CONFIG_DATA 39
#define F_RING_RESET 40

/* What a transport would have to have a part in, and has not. */
static const uint64_t not_offered = 1ull << VIRTIO_F_ACCESS_PLATFORM | 1ull << VIRTIO_F_SR_IOV |
				    1ull << F_NOTIFICATION_DATA | 1ull << F_NOTIF_CONFIG_DATA |
				    1ull << F_RING_RESET;

int vt_eventfd(int *fd, struct vl_err *err)
{
	*fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return *fd < 0 ? vl_err_set(err, -errno, "eventfd: %s", vl_strerror(errno)) : 0;
}

/* What it holds is of the past. */
void vt_drain(int fd)
{
	eventfd_t taken;

	eventfd_read(fd, &taken);
}

void vt_lock(struct virtio_transport *t)
{
	pthread_mutex_lock(t->lock);
}

void vt_unlock(struct virtio_transport *t)
{
	int trouble = t->trouble.code;

	pthread_mutex_unlock(t->lock);
	if (trouble)
		vt_errand(t, vt_have_trouble);
}

int vt_errand(struct virtio_transport *t, int (*fn)(void *t))
{
	return loop_errand(t->config.errands, fn, t);
}

static int check_backend(const struct virtio_backend *be, struct vl_err *err)
{
	if (!be->num_queues || be->num_queues > VIRTIO_TRANSPORT_QUEUES_MAX)
		return vl_err_set(err, -EINVAL, "%s: %u virtqueues: a device has 1 to %u", be->name,
				  be->num_queues, VIRTIO_TRANSPORT_QUEUES_MAX);
	if (be->config_size > VIRTIO_TRANSPORT_CONFIG_MAX)
		return vl_err_set(err, -EINVAL,
				  "%s: %u bytes of config space: there is room for %u", be->name,
				  be->config_size, VIRTIO_TRANSPORT_CONFIG_MAX);
	if (!(be->features & 1ull << VIRTIO_F_VERSION_1))
		return vl_err_set(err, -EINVAL,
				  "%s: its back-end does not offer VIRTIO_F_VERSION_1", be->name);
	return 0;
}

static int create_queues(struct virtio_transport *t, struct vl_err *err)
{
	unsigned int nr = t->be->num_queues;
	int ret = 0;

	t->queues = calloc(nr, sizeof(*t->queues));
	if (!t->queues)
		return vl_err_set(err, -ENOMEM, "no memory for %u virtqueues", nr);
	for (unsigned int i = 0; i < nr; i++)
		t->queues[i] = (struct virtio_queue){ .index = i, .kick_fd = -1, .call_fd = -1 };
	for (unsigned int i = 0; i < nr && !ret; i++) {
		ret = vt_eventfd(&t->queues[i].kick_fd, err);
		if (!ret)
			ret = vt_eventfd(&t->queues[i].call_fd, err);
	}
	return ret;
}

static void destroy_queues(struct virtio_transport *t)
{
	for (unsigned int i = 0; t->queues && i < t->be->num_queues; i++) {
		vl_fd_close(&t->queues[i].kick_fd);
		vl_fd_close(&t->queues[i].call_fd);
	}
	free(t->queues);
	t->queues = NULL;
}

int vt_init(struct virtio_transport *t, const struct vt_ops *ops,
	    const struct virtio_transport_config *config, pthread_mutex_t *lock, struct vl_err *err)
{
	struct virtio_backend *be = config->backend;
	int ret = check_backend(be, err);

	if (ret)
		return ret;
	t->ops = ops;
	t->config = *config;
	t->be = be;
	t->lock = lock;
	t->offered = be->features & ~not_offered;
	ret = create_queues(t, err);
	if (ret) {
		destroy_queues(t);
		return ret;
	}
	vt_reset_registers(t);
	be->config_changed = vt_config_changed;
	be->failed = vt_backend_failed;
	be->transport = t;
	return 0;
}

void vt_exit(struct virtio_transport *t)
{
	t->be->config_changed = NULL;
	t->be->failed = NULL;
	t->be->transport = NULL;
	destroy_queues(t);
}

void virtio_transport_destroy(struct virtio_transport *t)
{
	if (!t)
		return;
	vt_halt(t);
	t->ops->destroy(t);
}
