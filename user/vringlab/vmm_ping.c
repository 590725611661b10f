// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

#include <linux/virtio_config.h>

#include <vringlab/err.h>
#include <vringlab/vhost_user_frontend.h>
#include <vringlab/vmm_guest.h>

#include "command.h"
#include "vmm.h"

/* Longer than any answer of a back-end that is alive. */
#define REPLY_TIMEOUT_MS 5000u

#define VRING 0u

static int start_vring(struct vu_frontend *fe, const struct vmm_ring_ping *ping, struct vl_err *err)
{
	const struct vmm_memory *mem = ping->memory;
	struct vu_frontend_region region = {
		.guest_addr = mem->gpa,
		.user_addr = (uintptr_t)mem->host,
		.size = mem->size,
		.fd = mem->fd,
	};
	struct vu_frontend_vring vring = {
		.index = VRING,
		.num = ping->config.queue_size,
		.desc = (uintptr_t)ping->desc,
		.avail = (uintptr_t)ping->avail,
		.used = (uintptr_t)ping->used,
		.kick_fd = ping->kick_fd,
		.call_fd = ping->call_fd,
	};
	int ret;

	ret = vu_frontend_negotiate(fe, 1ull << VIRTIO_F_VERSION_1, err);
	if (ret)
		return ret;
	ret = vu_frontend_set_mem_table(fe, &region, 1, err);
	if (ret)
		return ret;
	return vu_frontend_start_vring(fe, &vring, err);
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

/* How far a guest came that did not end. */
static void add_progress(const struct vmm_ring_ping *ping, const struct vmm_ring_ping_result *r,
			 struct vl_err *err)
{
	vl_err_prefix(err,
		      "ring-ping, in iteration %" PRIu64 " of %" PRIu64 " with %" PRIu64
		      " kicks and %" PRIu64 " interrupts",
		      r->started, ping->config.count, r->kicks, r->interrupts);
}

static int run(const struct vmm_options *options, struct vu_frontend *fe,
	       struct vmm_ring_ping *ping, struct vl_err *err)
{
	struct vmm_guest_io io = { .console_fd = STDOUT_FILENO };
	struct vmm_ring_ping_result counted;
	struct vmm_vcpu_result result;
	uint32_t base = 0;
	int ret, stopped;

	ret = vmm_run(options, ping->vcpu, vu_frontend_fd(fe), &io, &result, err);
	vmm_ring_ping_result(ping, &counted);
	/* the first failure is the one to tell */
	stopped = vu_frontend_stop_vring(fe, VRING, &base, ret ? NULL : err);
	if (ret)
		add_progress(ping, &counted, err);
	else if (stopped)
		ret = stopped;
	else
		ret = vmm_ring_ping_check(ping, io.status, err);
	if (!ret)
		ret = check_base(ping, base, err);
	vmm_report_ping(options, &counted, &result, !ret);
	return ret;
}

int vmm_run_ping(const struct vmm_options *options)
{
	struct vmm_ring_ping_config config = options->ping;
	struct vu_frontend *fe = NULL;
	struct vmm_ring_ping ping;
	struct vl_err err;
	int ret;

	config.kvm_path = options->kvm_path;
	/* first, because it fails more often than KVM does, and sooner */
	ret = vu_frontend_connect(&fe, options->socket, REPLY_TIMEOUT_MS, &err);
	if (ret)
		return fail(&err, ret == -EPERM || ret == -ENOSYS ? EXIT_UNSUPPORTED : EXIT_FAILED);
	ret = vmm_ring_ping_create(&ping, &config, &err);
	if (ret) {
		ret = fail(&err, vmm_exit_code(ret));
		goto out_disconnect;
	}
	ret = start_vring(fe, &ping, &err);
	if (!ret)
		ret = run(options, fe, &ping, &err);
	if (ret)
		ret = fail(&err, EXIT_FAILED);
	vmm_ring_ping_destroy(&ping);

out_disconnect:
	vu_frontend_destroy(fe);
	return ret;
}
