// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/virtio_config.h>

#include "t.h"
#include "t_driver.h"

/* As a machine with more than 3 GiB has it. */
static const uint64_t piece_gpa[T_DRIVER_PIECES] = { 0, UINT64_C(1) << 32 };

static int add_memory(struct t_driver *t, uint64_t gpa)
{
	struct vmm_memory memory = { .gpa = gpa, .size = T_DRIVER_PIECE_BYTES };
	void *host;

	memory.fd = memfd_create("t_driver", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (memory.fd < 0 || ftruncate(memory.fd, T_DRIVER_PIECE_BYTES) ||
	    fcntl(memory.fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		return -errno;
	host = mmap(NULL, memory.size, PROT_READ | PROT_WRITE, MAP_SHARED, memory.fd, 0);
	if (host == MAP_FAILED)
		return -errno;
	memory.host = host;
	return backend_host_add(&t->host, &memory, &t->err);
}

static void on_warn(void *ctx, const struct vl_err *err)
{
	struct t_driver *t = ctx;

	t->warned++;
	t->warning = *err;
}

int t_driver_init(struct t_driver *t)
{
	int ret;

	memset(t, 0, sizeof(*t));
	for (unsigned int i = 0; i < T_DRIVER_QUEUES_MAX; i++) {
		t->queues[i].t = t;
		t->queues[i].index = i;
		t->queues[i].q = (struct virtio_queue){ .index = i, .kick_fd = -1, .call_fd = -1 };
	}
	ret = loop_create(&t->loop, &t->err);
	if (ret)
		return ret;
	backend_host_init(&t->host, t->loop);
	t->host.warn = on_warn;
	t->host.ctx = t;
	for (unsigned int i = 0; !ret && i < T_DRIVER_PIECES; i++)
		ret = add_memory(t, piece_gpa[i]);
	return ret;
}

static void close_queue(struct t_driver_queue *q)
{
	loop_op_remove(&q->watch);
	if (q->q.kick_fd >= 0)
		close(q->q.kick_fd);
	if (q->q.call_fd >= 0)
		close(q->q.call_fd);
	q->q.kick_fd = -1;
	q->q.call_fd = -1;
}

void t_driver_exit(struct t_driver *t)
{
	t_driver_reset(t);
	if (t->be)
		t->be->ops->destroy(t->be);
	for (unsigned int i = 0; i < T_DRIVER_QUEUES_MAX; i++)
		close_queue(&t->queues[i]);
	loop_destroy(t->loop);
	for (unsigned int i = 0; i < t->host.nr_memory; i++) {
		munmap(t->host.memory[i].host, t->host.memory[i].size);
		close(t->host.memory[i].fd);
	}
}

uint64_t t_driver_alloc(struct t_driver *t, uint32_t len)
{
	unsigned int piece = t->brk[0] > t->brk[1];
	uint64_t gpa = piece_gpa[piece] + t->brk[piece];

	t->brk[piece] += (len + 63) & ~63u;
	return t->brk[piece] > T_DRIVER_PIECE_BYTES ? UINT64_MAX : gpa;
}

void *t_driver_at(const struct t_driver *t, uint64_t gpa)
{
	return vring_mem_gpa(&t->host.table, gpa, 1);
}

static void called(void *ctx, int res)
{
	struct t_driver_queue *q = ctx;

	(void)res;
	q->calls++;
}

static int open_queue(struct t_driver_queue *q)
{
	q->q.kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	q->q.call_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (q->q.kick_fd < 0 || q->q.call_fd < 0)
		return -errno;
	return loop_poll(q->t->loop, q->q.call_fd, POLLIN, called, q, &q->watch);
}

static int set_up(struct t_driver *t, struct t_driver_queue *q)
{
	bool packed = t->features >> VIRTIO_F_RING_PACKED & 1;
	uint16_t num = t->be->queue_size_max < T_DRIVER_NUM ? t->be->queue_size_max : T_DRIVER_NUM;
	uint64_t gpa = t_driver_alloc(t, vring_layout_bytes(num, packed));
	struct vring_drv_config config = { .features = t->features, .slots = q->slots };
	const uint8_t *start = t_driver_at(t, gpa);

	if (!start)
		return -ENOMEM;
	config.ring = vring_layout_host(num, packed, t_driver_at(t, gpa));
	vring_drv_init(&q->drv, &config);
	q->added = 0;
	q->used = 0;
	q->q.enabled = true;
	q->q.size = num;
	q->q.desc_gpa = gpa + ((uint8_t *)config.ring.desc - start);
	q->q.driver_gpa = gpa + ((uint8_t *)config.ring.avail - start);
	q->q.device_gpa = gpa + ((uint8_t *)config.ring.used - start);
	return q->q.kick_fd < 0 ? open_queue(q) : 0;
}

static void on_config_changed(struct virtio_backend *be)
{
	struct t_driver *t = be->transport;

	t->config_changed++;
}

static void on_failed(struct virtio_backend *be, const struct vl_err *err)
{
	struct t_driver *t = be->transport;

	t->failed++;
	t->failure = *err;
}

int t_driver_start(struct t_driver *t, uint64_t wanted, uint32_t queues)
{
	struct virtio_queue all[T_DRIVER_QUEUES_MAX];
	int ret = 0;

	t->be->transport = t;
	t->be->config_changed = on_config_changed;
	t->be->failed = on_failed;
	t->features = t->be->features & (wanted | UINT64_C(1) << VIRTIO_F_VERSION_1);
	for (unsigned int i = 0; !ret && i < t->be->num_queues; i++) {
		t->queues[i].q.enabled = false;
		if (queues >> i & 1)
			ret = set_up(t, &t->queues[i]);
		all[i] = t->queues[i].q;
	}
	if (!ret)
		ret = t->be->ops->start(t->be, t->features, all, t->be->num_queues, &t->err);
	t->started = !ret;
	return ret;
}

void t_driver_reset(struct t_driver *t)
{
	if (t->be)
		t->be->ops->stop(t->be);
	t->started = false;
	for (unsigned int i = 0; i < T_DRIVER_QUEUES_MAX; i++)
		t->queues[i].q.enabled = false;
}

int t_driver_add(struct t_driver *t, unsigned int queue, const struct vring_buf *bufs,
		 unsigned int nr_out, unsigned int nr_in, uint64_t token)
{
	struct t_driver_queue *q = &t->queues[queue];
	int id = vring_drv_add(&q->drv, bufs, nr_out, nr_in);

	if (id < 0)
		return id;
	q->token[id] = token;
	q->added++;
	if (vring_drv_should_kick(&q->drv) && eventfd_write(q->q.kick_fd, 1))
		return -errno;
	return 0;
}

int t_driver_reap(struct t_driver *t, unsigned int queue)
{
	struct t_driver_queue *q = &t->queues[queue];
	uint32_t written;
	int id;

	do {
		while ((id = vring_drv_get(&q->drv, &written)) >= 0) {
			q->used++;
			q->last_token = q->token[id];
			q->last_written = written;
			if (t->on_used)
				t->on_used(t->ctx, queue, q->token[id], written);
		}
	} while (id == -EAGAIN && vring_drv_call_enable(&q->drv));
	return id == -EAGAIN ? 0 : id;
}

static int reap_all(struct t_driver *t)
{
	int ret = 0;

	for (unsigned int i = 0; !ret && i < T_DRIVER_QUEUES_MAX; i++)
		if (t->queues[i].q.enabled)
			ret = t_driver_reap(t, i);
	return ret;
}

int t_driver_run_once(struct t_driver *t)
{
	int ret = loop_run_once(t->loop, loop_now_ns() + T_DEADLINE_MS * 1000000ull);

	return ret ? ret : reap_all(t);
}

int t_driver_run_until(struct t_driver *t, unsigned int queue, uint64_t used)
{
	uint64_t deadline_ns = loop_now_ns() + T_DEADLINE_MS * 1000000ull;
	int ret = reap_all(t);

	while (!ret && t->queues[queue].used < used) {
		ret = loop_run_once(t->loop, deadline_ns);
		if (!ret)
			ret = reap_all(t);
		if (!ret && loop_now_ns() >= deadline_ns)
			ret = -ETIME;
	}
	return ret;
}

int t_driver_run_until_failed(struct t_driver *t)
{
	uint64_t deadline_ns = loop_now_ns() + T_DEADLINE_MS * 1000000ull;
	int ret = 0;

	while (!ret && !t->failed) {
		ret = loop_run_once(t->loop, deadline_ns);
		if (!ret && loop_now_ns() >= deadline_ns)
			ret = -ETIME;
	}
	return ret;
}
