// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/vhost.h>

#include <vringlab/fd.h>

#include "vhost.h"

int vhost_ioctl(const struct vhost *vhost, unsigned long request, const char *name, void *arg,
		struct vl_err *err)
{
	if (ioctl(vhost->fd, request, arg) >= 0)
		return 0;
	return vl_err_set(err, -errno, "%s: %s of %s: %s", vhost->b->name, name, vhost->path,
			  vl_strerror(errno));
}

static int open_error(const struct vhost *vhost, const char *module, int code, struct vl_err *err)
{
	switch (code) {
	case -ENOENT:
	case -ENODEV:
	case -ENXIO:
		return vl_err_set(err, code, "%s: there is no %s: 'modprobe %s' may help",
				  vhost->b->name, vhost->path, module);
	case -EACCES:
	case -EPERM:
		return vl_err_set(err, code,
				  "%s: %s may not be opened: run as root, or as one of the "
				  "group that it belongs to",
				  vhost->b->name, vhost->path);
	}
	return vl_err_set(err, code, "%s: cannot open %s: %s", vhost->b->name, vhost->path,
			  vl_strerror(code));
}

static void distrusted(void *ctx, int res)
{
	struct vhost *vhost = ctx;
	struct vl_err err;
	eventfd_t value;

	(void)res;
	if (eventfd_read(vhost->err_fd, &value) || !vhost->attached)
		return;
	if (vhost->excuse && vhost->excuse(vhost->b))
		return;
	vl_err_set(&err, -EPROTO, "%s: %s says that the contents of a virtqueue cannot be trusted",
		   vhost->b->name, vhost->path);
	backend_fail(vhost->b, &err);
}

static int watch(struct vhost *vhost, struct vl_err *err)
{
	int ret;

	vhost->err_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ret = vhost->err_fd < 0 ? -errno :
				  loop_poll(vhost->b->host->loop, vhost->err_fd, POLLIN, distrusted,
					    vhost, &vhost->distrust);
	if (ret)
		vl_err_set(err, ret, "%s: cannot make an eventfd: %s", vhost->b->name,
			   vl_strerror(ret));
	return ret;
}

int vhost_open(struct vhost *vhost, struct backend *b, const char *path, const char *module,
	       struct vl_err *err)
{
	int ret;

	*vhost = (struct vhost){ .b = b, .path = path, .err_fd = -1 };
	vhost->fd = open(path, O_RDWR | O_CLOEXEC);
	if (vhost->fd < 0)
		return open_error(vhost, module, -errno, err);
	ret = VHOST_IOCTL(vhost, VHOST_SET_OWNER, NULL, err);
	if (!ret)
		ret = VHOST_IOCTL(vhost, VHOST_GET_FEATURES, &vhost->features, err);
	if (!ret && !backend_has(vhost->features, VIRTIO_F_VERSION_1))
		ret = vl_err_set(err, -ENOTSUP, "%s: %s has no VIRTIO 1", b->name, path);
	if (!ret)
		ret = watch(vhost, err);
	if (ret)
		vhost_close(vhost);
	return ret;
}

void vhost_close(struct vhost *vhost)
{
	loop_op_remove(&vhost->distrust);
	vl_fd_close(&vhost->fd);
	vl_fd_close(&vhost->err_fd);
}

static int set_memory(const struct vhost *vhost, struct vl_err *err)
{
	const struct backend_host *host = vhost->b->host;
	struct vhost_memory *table;
	int ret;

	table = calloc(1, sizeof(*table) + host->nr_memory * sizeof(table->regions[0]));
	if (!table)
		return vl_err_set(err, -ENOMEM, "%s: out of memory", vhost->b->name);
	table->nregions = host->nr_memory;
	for (unsigned int i = 0; i < host->nr_memory; i++)
		table->regions[i] = (struct vhost_memory_region){
			.guest_phys_addr = host->memory[i].gpa,
			.memory_size = host->memory[i].size,
			.userspace_addr = (uintptr_t)host->memory[i].host,
		};
	ret = VHOST_IOCTL(vhost, VHOST_SET_MEM_TABLE, table, err);
	free(table);
	return ret;
}

int vhost_set_up(struct vhost *vhost, uint64_t features, struct vl_err *err)
{
	uint64_t known = features & vhost->features;
	int ret = VHOST_IOCTL(vhost, VHOST_SET_FEATURES, &known, err);

	return ret ? ret : set_memory(vhost, err);
}

static int set_ring(const struct vhost *vhost, unsigned int index, const struct virtio_queue *q,
		    struct vl_err *err)
{
	struct vhost_vring_state num = { .index = index, .num = q->size };
	struct vhost_vring_state base = { .index = index };
	struct vhost_vring_addr addr = { .index = index };
	struct vring_layout layout;
	int ret = backend_layout(vhost->b, q, false, &layout, err);

	if (ret)
		return ret;
	addr.desc_user_addr = (uintptr_t)layout.desc;
	addr.avail_user_addr = (uintptr_t)layout.avail;
	addr.used_user_addr = (uintptr_t)layout.used;
	ret = VHOST_IOCTL(vhost, VHOST_SET_VRING_NUM, &num, err);
	if (!ret)
		ret = VHOST_IOCTL(vhost, VHOST_SET_VRING_BASE, &base, err);
	return ret ? ret : VHOST_IOCTL(vhost, VHOST_SET_VRING_ADDR, &addr, err);
}

static int set_eventfds(const struct vhost *vhost, unsigned int index, int kick, int call,
			int err_fd, struct vl_err *err)
{
	struct vhost_vring_file file = { .index = index, .fd = kick };
	int ret = VHOST_IOCTL(vhost, VHOST_SET_VRING_KICK, &file, err);

	file.fd = call;
	if (!ret)
		ret = VHOST_IOCTL(vhost, VHOST_SET_VRING_CALL, &file, err);
	file.fd = err_fd;
	return ret ? ret : VHOST_IOCTL(vhost, VHOST_SET_VRING_ERR, &file, err);
}

int vhost_attach(struct vhost *vhost, unsigned int index, const struct virtio_queue *q,
		 struct vl_err *err)
{
	int ret = set_ring(vhost, index, q, err);

	if (ret)
		return ret;
	vhost->attached |= 1u << index;
	return set_eventfds(vhost, index, q->kick_fd, q->call_fd, vhost->err_fd, err);
}

void vhost_detach(struct vhost *vhost)
{
	for (unsigned int i = 0; i < VHOST_RINGS_MAX; i++)
		if (vhost->attached & 1u << i)
			set_eventfds(vhost, i, -1, -1, -1, NULL);
	vhost->attached = 0;
}
