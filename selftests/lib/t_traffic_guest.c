// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/virtio_config.h>

#include <vringlab/vhost_user_session.h>
#include <vringlab/vmm_guest.h>
#include <vringlab/vmm_ring_ping.h>

#include "t.h"
#include "t_ping.h"
#include "t_traffic.h"

#define POLL_MS 200

/**
 * struct guest - The guest ring-ping without end, and its back-end
 * @backend:	The command's, a process of its own.
 * @ping:	Guest.
 * @session:	Connection to @backend.
 */
struct guest {
	struct t_ping backend;
	struct vmm_ring_ping ping;
	struct vu_session session;
};

static int start_vring(void *ctx, struct vu_frontend *fe, struct vl_err *err)
{
	const struct vmm_ring_ping *ping = &((struct guest *)ctx)->ping;
	const struct vu_frontend_region region = {
		.guest_addr = ping->micro.memory->gpa,
		.user_addr = (uintptr_t)ping->micro.memory->host,
		.size = ping->micro.memory->size,
		.fd = ping->micro.memory->fd,
	};
	const struct vu_frontend_vring vring = {
		.num = ping->config.queue_size,
		.desc = (uintptr_t)ping->desc,
		.avail = (uintptr_t)ping->avail,
		.used = (uintptr_t)ping->used,
		.kick_fd = ping->kick_fd,
		.call_fd = ping->call_fd,
	};
	int ret = vu_frontend_set_mem_table(fe, &region, 1, err);

	return ret ? ret : vu_frontend_start_vring(fe, &vring, err);
}

static int connect_backend(struct guest *g, struct vl_err *err)
{
	const struct vu_session_config config = {
		.path = g->backend.socket,
		.timeout_ms = T_DEADLINE_MS,
		.wish = { .required = 1ull << VIRTIO_F_VERSION_1 },
		.num_queues = 1,
		.queue_size = g->ping.config.queue_size,
		.start = start_vring,
		.ctx = g,
	};

	vu_session_init(&g->session, &config);
	return vu_session_connect(&g->session, err);
}

static int guest_open(struct t_traffic *t)
{
	const struct vmm_ring_ping_config config = {
		.memory = VMM_MICRO_MEMORY_MIN,
		.count = VMM_MICRO_COUNT_MAX,
		.payload_bytes = 64,
		.queue_size = 64,
		.depth = 1,
		.irqchip = VMM_IRQCHIP_LAPIC,
	};
	struct guest *g = calloc(1, sizeof(*g));
	int ret;

	if (!g)
		return -ENOMEM;
	t->state = g;
	vu_session_init(&g->session, &(struct vu_session_config){ 0 });
	ret = t_ping_start(&g->backend, false);
	if (ret)
		return vl_err_set(&t->err, ret, "back-end: %s", vl_strerror(ret));
	ret = vmm_ring_ping_create(&g->ping, &config, &t->err);
	if (ret)
		return ret;
	t->nr_queues = 1;
	t->kick[0] = g->ping.kick_fd;
	t->call[0] = g->ping.call_fd;
	return connect_backend(g, &t->err);
}

/* A guest that ends by itself has failed: it has more to do than time. */
static int guest_run(struct t_traffic *t)
{
	struct guest *g = t->state;
	struct vmm_guest_io io = { .console_fd = -1 };
	struct vmm_ring_ping_result counted;
	struct vmm_vcpu_result result;
	int ret;

	ret = vmm_vcpu_start(g->ping.micro.vcpu, vmm_guest_exit, &io, &t->err);
	if (ret)
		return ret;
	while (t_poll_until(vmm_vcpu_done_fd(g->ping.micro.vcpu), POLL_MS) == -ETIMEDOUT &&
	       !t_traffic_stopping(t)) {
		vmm_ring_ping_result(&g->ping, &counted);
		__atomic_store_n(&t->rounds, counted.completed, __ATOMIC_RELAXED);
	}
	vmm_vcpu_stop(g->ping.micro.vcpu);
	vmm_vcpu_join(g->ping.micro.vcpu, &result);
	vmm_ring_ping_result(&g->ping, &counted);
	if (result.end != VMM_END_STOPPED)
		return vl_err_set(&t->err, -EPROTO, "ended by itself, status %u: %s", io.status,
				  result.err.msg);
	if (counted.mismatches || counted.errors)
		return vl_err_set(&t->err, -EPROTO, "found wrong answers");
	return 0;
}

static void guest_close(struct t_traffic *t)
{
	struct guest *g = t->state;

	if (!g)
		return;
	if (g->ping.micro.vm)
		vmm_ring_ping_destroy(&g->ping);
	vu_session_destroy(&g->session);
	t_ping_stop(&g->backend);
	free(g);
}

const struct t_traffic_ops t_traffic_guest = {
	.name = "guest",
	.open = guest_open,
	.run = guest_run,
	.close = guest_close,
};
