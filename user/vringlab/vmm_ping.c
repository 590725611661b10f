// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include <vringlab/err.h>
#include <vringlab/vhost_user_session.h>
#include <vringlab/vmm_guest.h>

#include "command.h"
#include "vmm.h"
#include "vmm_sandbox.h"

/* Longer than any answer of a back-end that is alive. */
#define REPLY_TIMEOUT_MS 5000u

#define VRING 0u

struct ping_session {
	struct vmm_ring_ping ping;
	struct vu_session session;
};

/* Where a back-end goes on that knows nothing of the ring: behind what was served. */
static uint16_t first_avail(const struct vmm_ring_ping *ping)
{
	const struct vring_used *used = ping->used;

	return __atomic_load_n(&used->idx, __ATOMIC_ACQUIRE);
}

static int start_vring(struct ping_session *s, struct vu_frontend *fe, struct vl_err *err)
{
	const struct vmm_ring_ping *ping = &s->ping;
	const struct vu_frontend_vring vring = {
		.index = VRING,
		.num = ping->config.queue_size,
		.base = first_avail(ping),
		.desc = (uintptr_t)ping->desc,
		.avail = (uintptr_t)ping->avail,
		.used = (uintptr_t)ping->used,
		.kick_fd = ping->kick_fd,
		.call_fd = ping->call_fd,
	};
	int ret = vu_frontend_start_vring(fe, &vring, err);

	if (!ret && s->session.lost)
		vu_session_renotify(&vring);
	return ret;
}

static int hand_over(struct ping_session *s, struct vu_frontend *fe, struct vl_err *err)
{
	const struct vmm_memory *mem = s->ping.micro.memory;
	const struct vu_frontend_region region = {
		.guest_addr = mem->gpa,
		.user_addr = (uintptr_t)mem->host,
		.size = mem->size,
		.fd = mem->fd,
	};
	int ret = vu_frontend_set_mem_table(fe, &region, 1, err);

	return ret ? ret : start_vring(s, fe, err);
}

/* The first back-end is there before the guest is. */
static int start(void *ctx, struct vu_frontend *fe, struct vl_err *err)
{
	struct ping_session *s = ctx;

	return s->ping.micro.vm ? hand_over(s, fe, err) : 0;
}

/* The back-end must have taken every chain: the index is modulo 2^16. */
static int check_base(const struct vmm_ring_ping *ping, uint16_t base, struct vl_err *err)
{
	uint16_t expected = ping->config.count * ping->config.depth;

	if (base == expected)
		return 0;
	return vl_err_set(err, -EPROTO, "the back-end stopped at avail index %u, not %u", base,
			  expected);
}

void vmm_ping_add_progress(const struct vmm_ring_ping *ping, const struct vmm_ring_ping_result *r,
			   struct vl_err *err)
{
	vl_err_prefix(err,
		      "ring-ping, in iteration %" PRIu64 " of %" PRIu64 " with %" PRIu64
		      " kicks and %" PRIu64 " interrupts",
		      r->started, ping->config.count, r->kicks, r->interrupts);
}

/* A back-end that is lost here has served all: the next one tells where. */
static int stop(struct vu_session *session, uint32_t *base, struct vl_err *err)
{
	int ret = vu_frontend_stop_vring(session->fe, VRING, base, err);

	while (ret && vu_session_may_retry(session, ret)) {
		ret = vu_session_reconnect(session, err);
		if (!ret)
			ret = vu_frontend_stop_vring(session->fe, VRING, base, err);
	}
	return ret;
}

static int run(const struct vmm_options *options, struct ping_session *s, struct vl_err *err)
{
	struct vmm_guest_io io = { .console_fd = STDOUT_FILENO };
	const struct vmm_servers servers = { .session = &s->session };
	struct vmm_ring_ping_result counted;
	struct vmm_vcpu_result result;
	uint32_t base = 0;
	int ret;

	ret = vmm_run(options, s->ping.micro.vcpu, &servers, &io, &result, err);
	vmm_ring_ping_result(&s->ping, &counted);
	if (ret)
		vmm_ping_add_progress(&s->ping, &counted, err);
	else
		ret = stop(&s->session, &base, err);
	if (!ret)
		ret = vmm_ring_ping_check(&s->ping, io.status, err);
	if (!ret)
		ret = check_base(&s->ping, base, err);
	vmm_report_ping(options, &counted, &result, s->session.lost, NULL, !ret);
	return ret;
}

static void init_session(struct ping_session *s, const struct vmm_options *options)
{
	const struct vu_session_config config = {
		.path = options->socket,
		.timeout_ms = REPLY_TIMEOUT_MS,
		.wish = {
			.required = 1ull << VIRTIO_F_VERSION_1,
			.protocol = vu_feature(VU_PROTOCOL_F_REPLY_ACK),
		},
		.num_queues = VRING + 1,
		.queue_size = options->ping.queue_size,
		.persist = options->reconnect,
		.record = true,
		.start = start,
		.ctx = s,
	};

	vu_session_init(&s->session, &config);
}

static int run_connected(const struct vmm_options *options, struct ping_session *s,
			 struct vl_err *err)
{
	int ret = hand_over(s, s->session.fe, err);

	if (ret && vu_session_may_retry(&s->session, ret))
		ret = vu_session_reconnect(&s->session, err);
	if (!ret)
		ret = vmm_sandbox_enter(options, false, err);
	return ret ? ret : run(options, s, err);
}

int vmm_run_ping(const struct vmm_options *options)
{
	struct vmm_ring_ping_config config = options->ping;
	struct ping_session s = { 0 };
	struct vl_err err;
	int ret;

	if (options->nr_devices)
		return vmm_run_ping_device(options);
	config.kvm_path = options->kvm_path;
	init_session(&s, options);
	/* first, because it fails more often than KVM does, and sooner */
	ret = vu_session_connect(&s.session, &err);
	if (ret) {
		ret = fail(&err, ret == -EPERM || ret == -ENOSYS || ret == -ENOTSUP ?
					 EXIT_UNSUPPORTED :
					 EXIT_FAILED);
		goto out_disconnect;
	}
	ret = vmm_ring_ping_create(&s.ping, &config, &err);
	if (ret) {
		ret = fail(&err, vmm_exit_code(ret));
		goto out_disconnect;
	}
	ret = run_connected(options, &s, &err);
	if (ret)
		ret = fail(&err, EXIT_FAILED);
	vmm_ring_ping_destroy(&s.ping);

out_disconnect:
	vu_session_destroy(&s.session);
	return ret;
}
