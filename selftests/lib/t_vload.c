// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/vhost.h>
#include <linux/virtio_config.h>

#include <vringlab/fd.h>
#include <vringlab/vring_layout.h>

#include "t.h"
#include "t_vload.h"

/* In the memory, for each virtqueue: its ring, then its buffers. */
#define RING_BYTES 4096u
#define QUEUE_BYTES (RING_BYTES + T_VLOAD_NUM * T_VLOAD_BUF)
#define MEM_BYTES (T_VLOAD_QUEUES * QUEUE_BYTES)
#define GPA UINT64_C(0x100000)

static uint64_t gpa_of(const struct t_vload *v, const void *p)
{
	return GPA + (uint64_t)((const uint8_t *)p - v->mem);
}

static int set_memory(struct t_vload *v)
{
	union {
		struct vhost_memory head;
		unsigned char room[sizeof(struct vhost_memory) + sizeof(struct vhost_memory_region)];
	} table = { .head.nregions = 1 };

	table.head.regions[0] = (struct vhost_memory_region){
		.guest_phys_addr = GPA,
		.memory_size = MEM_BYTES,
		.userspace_addr = (uintptr_t)v->mem,
	};
	return ioctl(v->fd, VHOST_SET_MEM_TABLE, &table) ? -errno : 0;
}

/* What the device is told of a virtqueue. */
static int set_queue(struct t_vload *v, unsigned int index, const struct vring_layout *ring)
{
	const struct t_vload_queue *q = &v->queues[index];
	struct vhost_vring_state num = { .index = index, .num = T_VLOAD_NUM };
	struct vhost_vring_state base = { .index = index };
	struct vhost_vring_file kick = { .index = index, .fd = q->kick };
	struct vhost_vring_file call = { .index = index, .fd = q->call };
	struct vhost_vring_addr addr = {
		.index = index,
		.desc_user_addr = (uintptr_t)ring->desc,
		.avail_user_addr = (uintptr_t)ring->avail,
		.used_user_addr = (uintptr_t)ring->used,
	};

	if (ioctl(v->fd, VHOST_SET_VRING_NUM, &num) || ioctl(v->fd, VHOST_SET_VRING_BASE, &base) ||
	    ioctl(v->fd, VHOST_SET_VRING_ADDR, &addr) ||
	    ioctl(v->fd, VHOST_SET_VRING_KICK, &kick) || ioctl(v->fd, VHOST_SET_VRING_CALL, &call))
		return -errno;
	return 0;
}

static int start_queue(struct t_vload *v, unsigned int index)
{
	struct t_vload_queue *q = &v->queues[index];
	uint8_t *at = v->mem + index * QUEUE_BYTES;
	const struct vring_drv_config config = {
		.ring = vring_layout_host(T_VLOAD_NUM, false, at),
		.slots = q->slots,
	};

	q->kick = eventfd(0, EFD_CLOEXEC);
	q->call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (q->kick < 0 || q->call < 0)
		return -errno;
	q->bufs = at + RING_BYTES;
	vring_drv_init(&q->drv, &config);
	return set_queue(v, index, &config.ring);
}

int t_vload_open(struct t_vload *v, const char *path, uint64_t features)
{
	unsigned int i;
	void *mem;
	int ret;

	memset(v, 0, sizeof(*v));
	for (i = 0; i < T_VLOAD_QUEUES; i++)
		v->queues[i].kick = v->queues[i].call = -1;
	v->fd = open(path, O_RDWR | O_CLOEXEC);
	if (v->fd < 0)
		return -errno;
	mem = mmap(NULL, MEM_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (mem == MAP_FAILED)
		return -errno;
	v->mem = mem;
	features |= UINT64_C(1) << VIRTIO_F_VERSION_1;
	if (ioctl(v->fd, VHOST_SET_OWNER) || ioctl(v->fd, VHOST_SET_FEATURES, &features))
		return -errno;
	ret = set_memory(v);
	for (i = 0; i < T_VLOAD_QUEUES && !ret; i++)
		ret = start_queue(v, i);
	return ret;
}

void t_vload_close(struct t_vload *v)
{
	unsigned int i;

	vl_fd_close(&v->fd);
	for (i = 0; i < T_VLOAD_QUEUES; i++) {
		vl_fd_close(&v->queues[i].kick);
		vl_fd_close(&v->queues[i].call);
	}
	if (v->mem)
		munmap(v->mem, MEM_BYTES);
	v->mem = NULL;
}

uint8_t *t_vload_buf(struct t_vload *v, unsigned int queue, unsigned int buf)
{
	return v->queues[queue].bufs + buf * T_VLOAD_BUF;
}

int t_vload_add(struct t_vload *v, unsigned int queue, unsigned int buf, uint32_t len, bool in)
{
	struct t_vload_queue *q = &v->queues[queue];
	const struct vring_buf b = { .gpa = gpa_of(v, t_vload_buf(v, queue, buf)), .len = len };
	int id = vring_drv_add(&q->drv, &b, !in, in);

	if (id < 0)
		return id;
	q->buf_of[id] = buf;
	return 0;
}

int t_vload_kick(struct t_vload *v, unsigned int queue)
{
	return eventfd_write(v->queues[queue].kick, 1) ? -errno : 0;
}

int t_vload_used(struct t_vload *v, unsigned int queue, uint32_t *written)
{
	struct t_vload_queue *q = &v->queues[queue];
	uint32_t bytes;
	eventfd_t calls;
	int id, ret;

	for (;;) {
		id = vring_drv_get(&q->drv, &bytes);
		if (id != -EAGAIN)
			break;
		ret = t_poll_until(q->call, T_DEADLINE_MS);
		if (ret)
			return ret;
		/* Before the ring is looked at again: what comes later calls again. */
		eventfd_read(q->call, &calls);
	}
	if (id < 0)
		return id;
	if (written)
		*written = bytes;
	return (int)q->buf_of[id];
}
