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

#include "t.h"
#include "t_kmod.h"
#include "t_vhost.h"

void t_vhost_load(void)
{
	if (geteuid())
		return;
	t_kmod_modprobe("tun");
	t_kmod_modprobe("vhost_net");
	t_kmod_modprobe("vhost_vsock");
}

int t_vhost_ioctl(const struct t_vhost *v, unsigned long nr, void *arg)
{
	return ioctl(v->fd, nr, arg) < 0 ? -errno : 0;
}

int t_vhost_table(const struct t_vhost *v, const struct vhost_memory_region *regions,
		  unsigned int nr)
{
	struct vhost_memory *table = calloc(1, sizeof(*table) + nr * sizeof(*regions));
	int ret;

	if (!table)
		return -ENOMEM;
	table->nregions = nr;
	memcpy(table->regions, regions, nr * sizeof(*regions));
	ret = t_vhost_ioctl(v, VHOST_SET_MEM_TABLE, table);
	free(table);
	return ret;
}

static int set_memory(struct t_vhost *v)
{
	const struct vhost_memory_region region = {
		.guest_phys_addr = T_VHOST_GPA,
		.memory_size = T_VHOST_MEM_BYTES,
		.userspace_addr = (uintptr_t)v->mem,
	};

	return t_vhost_table(v, &region, 1);
}

static void place_queues(struct t_vhost *v)
{
	for (unsigned int i = 0; i < T_VHOST_QUEUES_MAX; i++) {
		struct t_vhost_queue *q = &v->queues[i];

		q->layout = vring_layout_host(T_VHOST_NUM, false, v->mem + i * T_VHOST_QUEUE_BYTES);
		q->bufs = v->mem + i * T_VHOST_QUEUE_BYTES + T_VHOST_RINGS_BYTES;
		q->bufs_gpa = T_VHOST_GPA + i * T_VHOST_QUEUE_BYTES + T_VHOST_RINGS_BYTES;
		q->kick = -1;
		q->call = -1;
	}
}

int t_vhost_open(struct t_vhost *v, const char *path, uint64_t features)
{
	int ret;

	memset(v, 0, sizeof(*v));
	v->features = features;
	v->fd = open(path, O_RDWR | O_CLOEXEC);
	v->mem = mmap(NULL, T_VHOST_MEM_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	if (v->mem == MAP_FAILED)
		v->mem = NULL;
	if (v->fd < 0 || !v->mem)
		return -errno;
	place_queues(v);
	ret = t_vhost_ioctl(v, VHOST_SET_OWNER, NULL);
	if (!ret)
		ret = t_vhost_ioctl(v, VHOST_SET_FEATURES, &v->features);
	return ret ? ret : set_memory(v);
}

void t_vhost_close(struct t_vhost *v)
{
	if (!v->mem)
		return;
	close(v->fd);
	for (unsigned int i = 0; i < T_VHOST_QUEUES_MAX; i++) {
		close(v->queues[i].kick);
		close(v->queues[i].call);
	}
	munmap(v->mem, T_VHOST_MEM_BYTES);
	v->mem = NULL;
}

int t_vhost_ring(struct t_vhost *v, unsigned int queue)
{
	struct t_vhost_queue *q = &v->queues[queue];
	struct vring_drv_config config = {
		.ring = q->layout,
		.features = v->features,
		.slots = q->slots,
	};
	struct vhost_vring_state state = { .index = queue, .num = T_VHOST_NUM };
	struct vhost_vring_addr addr = {
		.index = queue,
		.desc_user_addr = (uintptr_t)q->layout.desc,
		.avail_user_addr = (uintptr_t)q->layout.avail,
		.used_user_addr = (uintptr_t)q->layout.used,
	};
	int ret;

	vring_drv_init(&q->drv, &config);
	ret = t_vhost_ioctl(v, VHOST_SET_VRING_NUM, &state);
	state.num = 0;
	if (!ret)
		ret = t_vhost_ioctl(v, VHOST_SET_VRING_BASE, &state);
	return ret ? ret : t_vhost_ioctl(v, VHOST_SET_VRING_ADDR, &addr);
}

int t_vhost_fds(struct t_vhost *v, unsigned int queue, int kick, int call)
{
	struct t_vhost_queue *q = &v->queues[queue];
	struct vhost_vring_file file = { .index = queue, .fd = kick };
	int ret;

	ret = t_vhost_ioctl(v, VHOST_SET_VRING_KICK, &file);
	file.fd = call;
	if (!ret)
		ret = t_vhost_ioctl(v, VHOST_SET_VRING_CALL, &file);
	if (ret)
		return ret;
	q->kick = kick;
	q->call = call;
	return 0;
}

int t_vhost_start(struct t_vhost *v, unsigned int nr)
{
	int ret = 0;

	for (unsigned int i = 0; i < nr && !ret; i++) {
		struct t_vhost_queue *q = &v->queues[i];

		q->kick = eventfd(0, EFD_CLOEXEC);
		q->call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (q->kick < 0 || q->call < 0)
			return -errno;
		ret = t_vhost_ring(v, i);
		if (!ret)
			ret = t_vhost_fds(v, i, q->kick, q->call);
	}
	return ret;
}

uint8_t *t_vhost_buf(struct t_vhost *v, unsigned int queue)
{
	struct t_vhost_queue *q = &v->queues[queue];

	return q->bufs + q->next % T_VHOST_NUM * T_VHOST_BUF;
}

int t_vhost_add(struct t_vhost *v, unsigned int queue, uint32_t len, bool in)
{
	struct t_vhost_queue *q = &v->queues[queue];
	struct vring_buf buf = {
		.gpa = q->bufs_gpa + q->next % T_VHOST_NUM * T_VHOST_BUF,
		.len = len,
	};
	int ret = vring_drv_add(&q->drv, &buf, !in, in);

	if (ret >= 0)
		q->next++;
	return ret;
}

int t_vhost_add_both(struct t_vhost *v, unsigned int queue, uint32_t out, uint32_t in)
{
	struct t_vhost_queue *q = &v->queues[queue];
	uint64_t gpa = q->bufs_gpa + q->next % T_VHOST_NUM * T_VHOST_BUF;
	struct vring_buf bufs[] = {
		{ .gpa = gpa, .len = out },
		{ .gpa = gpa + T_VHOST_BUF / 2, .len = in },
	};
	int ret = vring_drv_add(&q->drv, bufs, 1, 1);

	if (ret >= 0)
		q->next++;
	return ret;
}

int t_vhost_kick(struct t_vhost *v, unsigned int queue)
{
	struct t_vhost_queue *q = &v->queues[queue];

	if (eventfd_write(q->kick, 1))
		return -errno;
	q->kicks++;
	return 0;
}

int t_vhost_exchange(struct t_vhost *v, unsigned int queue, uint32_t len, bool in,
		     uint32_t *written)
{
	int ret = t_vhost_add(v, queue, len, in);

	if (ret >= 0)
		ret = t_vhost_kick(v, queue);
	return ret ? ret : t_vhost_take(v, queue, written);
}

int t_vhost_take(struct t_vhost *v, unsigned int queue, uint32_t *written)
{
	struct t_vhost_queue *q = &v->queues[queue];
	int ret;

	while ((ret = vring_drv_get(&q->drv, written)) == -EAGAIN) {
		ret = t_poll_until(q->call, T_DEADLINE_MS);
		if (ret)
			return ret;
		/* Before the ring is looked at again: what comes later calls again. */
		t_vhost_calls(v, queue);
	}
	if (ret < 0)
		return ret;
	q->used++;
	return 0;
}

bool t_vhost_wants_kick(struct t_vhost *v, unsigned int queue)
{
	const struct t_vhost_queue *q = &v->queues[queue];
	const struct vring_used *used = q->layout.used;
	const uint16_t *avail_event = (const uint16_t *)&used->ring[T_VHOST_NUM];

	if (v->features & (UINT64_C(1) << VIRTIO_RING_F_EVENT_IDX))
		return __atomic_load_n(avail_event, __ATOMIC_ACQUIRE) == q->drv.avail_idx;
	return !(__atomic_load_n(&used->flags, __ATOMIC_ACQUIRE) & VRING_USED_F_NO_NOTIFY);
}

int64_t t_vhost_reap(struct t_vhost *v, unsigned int queue)
{
	struct t_vhost_queue *q = &v->queues[queue];
	uint32_t written;
	int ret;

	while ((ret = vring_drv_get(&q->drv, &written)) >= 0)
		q->used++;
	return ret == -EAGAIN ? (int64_t)q->used : ret;
}

uint64_t t_vhost_calls(struct t_vhost *v, unsigned int queue)
{
	struct t_vhost_queue *q = &v->queues[queue];
	eventfd_t value;

	if (!eventfd_read(q->call, &value))
		q->calls += value;
	return q->calls;
}
