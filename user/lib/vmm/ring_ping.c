// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <vringlab/fd.h>
#include <vringlab/vmm_guest.h>
#include <vringlab/vmm_ring_ping.h>

#include "../../guest/ring_ping.h"
#include "internal.h"

/* Buffers that share no cache line; a multiple of 8 for the guest's patterns. */
#define BUFFER_ALIGN 64u

struct layout {
	uint64_t desc;
	uint64_t avail;
	uint64_t used;
	uint64_t request;
	uint64_t response;
	uint64_t end;
	uint32_t stride;
};

static uint64_t align_up(uint64_t value, uint64_t to)
{
	return (value + to - 1) / to * to;
}

/* VIRTIO 1.2 section 2.7: sizes; every part on a page of its own. */
static struct layout plan(const struct vmm_ring_ping_config *config)
{
	uint64_t num = config->queue_size;
	struct layout l;

	l.stride = align_up(config->payload_bytes, BUFFER_ALIGN);
	l.desc = MICRO_DATA_GPA;
	l.avail = align_up(l.desc + 16 * num, 4096);
	l.used = align_up(l.avail + 6 + 2 * num, 4096);
	l.request = align_up(l.used + 6 + 8 * num, 4096);
	l.response = align_up(l.request + (uint64_t)config->depth * l.stride, 4096);
	l.end = l.response + (uint64_t)config->depth * l.stride;
	return l;
}

int vmm_ring_ping_validate(const struct vmm_ring_ping_config *c, struct vl_err *err)
{
	uint64_t end;

	if (!c->count || c->count > VMM_MICRO_COUNT_MAX)
		return vl_err_set(err, -EINVAL, "count must be 1 to %llu", VMM_MICRO_COUNT_MAX);
	if (!c->payload_bytes || c->payload_bytes > VMM_RING_PING_SIZE_MAX)
		return vl_err_set(err, -EINVAL, "buffers must be of 1 to %u bytes",
				  VMM_RING_PING_SIZE_MAX);
	if (c->queue_size < VMM_RING_PING_QUEUE_MIN || c->queue_size > VMM_RING_PING_QUEUE_MAX ||
	    (c->queue_size & (c->queue_size - 1)))
		return vl_err_set(err, -EINVAL, "queue size must be a power of two from %u to %u",
				  VMM_RING_PING_QUEUE_MIN, VMM_RING_PING_QUEUE_MAX);
	if (!c->depth || c->depth > c->queue_size / 2)
		return vl_err_set(err, -EINVAL, "depth must be 1 to %u, half of the queue size",
				  c->queue_size / 2);
	if (c->memory < VMM_MICRO_MEMORY_MIN || c->memory > VMM_MICRO_MEMORY_MAX ||
	    c->memory % 4096)
		return vl_err_set(err, -EINVAL,
				  "memory must be whole pages from %llu MiB to %llu MiB",
				  VMM_MICRO_MEMORY_MIN >> 20, VMM_MICRO_MEMORY_MAX >> 20);
	end = plan(c).end;
	if (end > c->memory)
		return vl_err_set(err, -ENOSPC,
				  "rings and buffers need %" PRIu64
				  " MiB of guest memory, and it has %" PRIu64 " MiB: give it more",
				  align_up(end, 1 << 20) >> 20, c->memory >> 20);
	return 0;
}

static int attach_eventfds(struct vmm_ring_ping *ping, struct vl_err *err)
{
	struct vmm_ioeventfd doorbell = { .bus = ping->config.doorbell };
	int ret;

	ret = vmm_micro_eventfd(&ping->kick_fd, err);
	if (ret)
		return ret;
	ret = vmm_micro_eventfd(&ping->call_fd, err);
	if (ret)
		return ret;
	doorbell.fd = ping->kick_fd;
	if (doorbell.bus == VMM_BUS_PIO) {
		doorbell.addr = VMM_MICRO_DOORBELL_PORT;
		doorbell.len = 2;
	} else {
		/* any width: lets KVM skip decoding the instruction where it can */
		doorbell.addr = VMM_MICRO_DOORBELL_GPA;
	}
	ret = vmm_ioeventfd_attach(ping->micro.vm, &doorbell, err);
	if (ret)
		return ret;
	return vmm_irqfd_attach(ping->micro.vm, ping->call_fd, 0, VMM_MICRO_VECTOR, NULL, err);
}

static void write_param(struct vmm_ring_ping *ping)
{
	const struct vmm_ring_ping_config *c = &ping->config;
	bool pio = c->doorbell == VMM_BUS_PIO;
	struct layout l = plan(c);
	struct ring_ping_param param = {
		.head = {
			.magic = RING_PING_MAGIC,
			.version = RING_PING_VERSION,
			.size = sizeof(param),
		},
		.iterations = c->count,
		.desc_gpa = l.desc,
		.avail_gpa = l.avail,
		.used_gpa = l.used,
		.request_gpa = l.request,
		.response_gpa = l.response,
		.doorbell = pio ? RING_PING_DOORBELL_PIO : RING_PING_DOORBELL_MMIO,
		.doorbell_addr = pio ? VMM_MICRO_DOORBELL_PORT : VMM_MICRO_DOORBELL_GPA,
		.wait = c->spin ? RING_PING_WAIT_SPIN : RING_PING_WAIT_HALT,
		.queue_size = c->queue_size,
		.depth = c->depth,
		.payload_bytes = c->payload_bytes,
		.stride_bytes = l.stride,
		.vector = VMM_MICRO_VECTOR,
	};

	/* memory starts at 0 and holds all of the plan: see vmm_ring_ping_validate() */
	ping->param = ping->micro.param;
	*ping->param = param;
	ping->desc = ping->micro.memory->host + l.desc;
	ping->avail = ping->micro.memory->host + l.avail;
	ping->used = ping->micro.memory->host + l.used;
}

static int create(struct vmm_ring_ping *ping, struct vl_err *err)
{
	int ret;

	ret = vmm_micro_create(&ping->micro, ping->config.kvm_path, ping->config.memory,
			       ping->config.irqchip, err);
	if (ret)
		return ret;
	ret = attach_eventfds(ping, err);
	if (ret)
		return ret;
	write_param(ping);
	return vmm_micro_add_vcpu(&ping->micro, "ring-ping", err);
}

int vmm_ring_ping_create(struct vmm_ring_ping *ping, const struct vmm_ring_ping_config *config,
			 struct vl_err *err)
{
	struct vmm_ring_ping new = {
		.config = *config,
		.kick_fd = -1,
		.call_fd = -1,
	};
	int ret;

	ret = vmm_ring_ping_validate(config, err);
	if (ret)
		return ret;
	ret = create(&new, err);
	if (ret) {
		vmm_ring_ping_destroy(&new);
		return ret;
	}
	*ping = new;
	return 0;
}

void vmm_ring_ping_destroy(struct vmm_ring_ping *ping)
{
	vmm_micro_destroy(&ping->micro);
	vl_fd_close(&ping->kick_fd);
	vl_fd_close(&ping->call_fd);
}

void vmm_ring_ping_result(const struct vmm_ring_ping *ping, struct vmm_ring_ping_result *result)
{
	struct ring_ping_param p;

	/* a guest that still runs may be between two of its counters */
	memcpy(&p, ping->param, sizeof(p));
	*result = (struct vmm_ring_ping_result){
		.started = p.started,
		.completed = p.completed,
		.kicks = p.kicks,
		.suppressed = p.suppressed,
		.interrupts = p.interrupts,
		.spurious = p.spurious,
		.buffers = p.buffers,
		.mismatches = p.mismatches,
		.errors = p.errors,
		.bad_iteration = p.bad_iteration,
		.bad_offset = p.bad_offset,
		.bad_expected = p.bad_expected,
		.bad_got = p.bad_got,
		.tsc_khz = vmm_vcpu_tsc_khz(ping->micro.vcpu),
	};
	vmm_micro_hist(&result->rtt, &p.rtt);
}

static int guest_failed(const struct vmm_ring_ping *ping, const struct vmm_ring_ping_result *r,
			uint8_t status, struct vl_err *err)
{
	switch (status) {
	case RING_PING_MISMATCH:
		return vl_err_set(err, -EIO,
				  "%" PRIu64 " of %" PRIu64
				  " answers are wrong, first in iteration %" PRIu64
				  " at byte %" PRIu64 ": expected %#" PRIx64 ", got %#" PRIx64,
				  r->mismatches, r->buffers, r->bad_iteration, r->bad_offset,
				  r->bad_expected, r->bad_got);
	case RING_PING_BAD_USED:
		return vl_err_set(err, -EIO,
				  "the back-end broke the used ring in iteration %" PRIu64
				  ": element %" PRIu64 " is %" PRIu64 ", expected %" PRIu64,
				  r->bad_iteration, r->bad_offset, r->bad_got, r->bad_expected);
	}
	return vmm_micro_check(&ping->micro, status, err);
}

int vmm_ring_ping_check(const struct vmm_ring_ping *ping, uint8_t status, struct vl_err *err)
{
	uint64_t count = ping->config.count;
	uint64_t buffers = count * ping->config.depth;
	struct vmm_ring_ping_result r;
	uint64_t answering;

	vmm_ring_ping_result(ping, &r);
	if (status != MICRO_OK)
		return guest_failed(ping, &r, status, err);
	if (r.completed != count || r.rtt.count != count)
		return vl_err_set(err, -EPROTO,
				  "%" PRIu64 " of %" PRIu64 " iterations completed, %" PRIu64
				  " measured",
				  r.completed, count, r.rtt.count);
	if (r.kicks + r.suppressed != count)
		return vl_err_set(err, -EPROTO,
				  "%" PRIu64 " kicks and %" PRIu64 " suppressed ones for %" PRIu64
				  " iterations",
				  r.kicks, r.suppressed, count);
	if (r.buffers != buffers || r.mismatches || r.errors)
		return vl_err_set(err, -EPROTO,
				  "%" PRIu64 " of %" PRIu64 " buffers came back, %" PRIu64 " wrong",
				  r.buffers, buffers, r.mismatches + r.errors);
	/*
	 * A back-end may call for each chain of a kick, or once for all. A spurious
	 * interrupt does no harm: it may be one too many of a back-end, or of an
	 * emulated processor.
	 */
	answering = r.interrupts - r.spurious;
	if (r.spurious > r.interrupts || answering < count || answering > buffers)
		return vl_err_set(err, -EPROTO,
				  "%" PRIu64 " interrupts, %" PRIu64
				  " of them spurious, for %" PRIu64 " kicks of %u buffers",
				  r.interrupts, r.spurious, count, ping->config.depth);
	return 0;
}
