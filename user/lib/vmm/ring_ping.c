// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <linux/virtio_config.h>

#include <vringlab/fd.h>
#include <vringlab/vmm_guest.h>
#include <vringlab/vmm_ring_ping.h>

#include "../../guest/ring_ping.h"
#include "internal.h"

/* Buffers that share no cache line; a multiple of 8 for the guest's patterns. */
#define BUFFER_ALIGN 64u

#define PAGE 4096u

/* Of text, with its end. */
#define TEXT_LINE 64u

/* What is where in guest memory. Of virtqueues that of the first; the others follow. */
struct layout {
	uint64_t desc;
	uint64_t driver;
	uint64_t device;
	uint64_t queue_stride;
	uint64_t pieces;
	uint64_t end;
};

static uint64_t align_up(uint64_t value, uint64_t to)
{
	return (value + to - 1) / to * to;
}

static struct vmm_ring_ping_chain chain_of(const struct vmm_ring_ping_config *config)
{
	if (config->device)
		return config->device->chain;
	return (struct vmm_ring_ping_chain){
		.out_bytes = config->payload_bytes,
		.in_bytes = config->payload_bytes,
		.used_min = config->payload_bytes,
		.used_max = config->payload_bytes,
	};
}

static void add_piece(struct ring_ping_param *param, uint64_t *gpa, bool writable, uint32_t bytes,
		      uint32_t content)
{
	struct ring_ping_piece *piece = &param->pieces[param->nr_pieces];
	uint32_t stride = align_up(bytes, BUFFER_ALIGN);

	if (!bytes)
		return;
	param->nr_pieces++;
	*piece = (struct ring_ping_piece){
		.gpa = *gpa,
		.expected_gpa = *gpa + (uint64_t)param->depth * stride,
		.bytes = bytes,
		.stride_bytes = stride,
		.writable = writable,
		.content = content,
	};
	*gpa = align_up(piece->expected_gpa + stride, PAGE);
}

/* Its depth is set. Returns the end of the pieces, which begin at @gpa. */
static uint64_t plan_pieces(struct ring_ping_param *param, const struct vmm_ring_ping_chain *chain,
			    uint64_t gpa)
{
	static const uint32_t contents[] = {
		[VMM_RING_PING_PATTERN] = RING_PING_PATTERN,
		[VMM_RING_PING_TEXT] = RING_PING_FIXED,
		[VMM_RING_PING_SAME] = RING_PING_SAME,
		[VMM_RING_PING_RANDOM] = RING_PING_RANDOM,
	};

	add_piece(param, &gpa, false, chain->header_bytes, RING_PING_FIXED);
	add_piece(param, &gpa, false, chain->out_bytes, contents[chain->out]);
	add_piece(param, &gpa, true, chain->in_bytes, contents[chain->in]);
	add_piece(param, &gpa, true, chain->has_status, RING_PING_FIXED);
	return gpa;
}

/* VIRTIO 1.2 sections 2.7 and 2.8: sizes; every part on a page of its own. */
static struct layout plan(const struct vmm_ring_ping_config *config, struct ring_ping_param *param)
{
	uint64_t nr_queues = config->device ? config->device->nr_queues : 1;
	const struct vmm_ring_ping_chain chain = chain_of(config);
	uint64_t num = config->queue_size;
	struct layout l;

	l.desc = MICRO_DATA_GPA;
	l.driver = align_up(l.desc + 16 * num, PAGE);
	l.device = align_up(l.driver + 6 + 2 * num, PAGE);
	l.queue_stride = align_up(l.device + 6 + 8 * num, PAGE) - l.desc;
	l.pieces = l.desc + nr_queues * l.queue_stride;
	param->depth = config->depth;
	l.end = plan_pieces(param, &chain, l.pieces);
	return l;
}

int vmm_ring_ping_validate(const struct vmm_ring_ping_config *c, struct vl_err *err)
{
	struct ring_ping_param param = { 0 };
	uint32_t depth_max;
	uint64_t end;

	if (!c->count || c->count > VMM_MICRO_COUNT_MAX)
		return vl_err_set(err, -EINVAL, "count must be 1 to %llu", VMM_MICRO_COUNT_MAX);
	if (!c->device && (!c->payload_bytes || c->payload_bytes > VMM_RING_PING_SIZE_MAX))
		return vl_err_set(err, -EINVAL, "buffers must be of 1 to %u bytes",
				  VMM_RING_PING_SIZE_MAX);
	if (c->queue_size < VMM_RING_PING_QUEUE_MIN || c->queue_size > VMM_RING_PING_QUEUE_MAX ||
	    (c->queue_size & (c->queue_size - 1)))
		return vl_err_set(err, -EINVAL, "queue size must be a power of two from %u to %u",
				  VMM_RING_PING_QUEUE_MIN, VMM_RING_PING_QUEUE_MAX);
	if (c->memory < VMM_MICRO_MEMORY_MIN || c->memory > VMM_MICRO_MEMORY_MAX ||
	    c->memory % 4096)
		return vl_err_set(err, -EINVAL,
				  "memory must be whole pages from %llu MiB to %llu MiB",
				  VMM_MICRO_MEMORY_MIN >> 20, VMM_MICRO_MEMORY_MAX >> 20);
	end = plan(c, &param).end;
	depth_max = c->queue_size / param.nr_pieces;
	if (depth_max > RING_PING_DEPTH_MAX)
		depth_max = RING_PING_DEPTH_MAX;
	if (!c->depth || c->depth > depth_max)
		return vl_err_set(err, -EINVAL,
				  "depth must be 1 to %u, for a chain has %u descriptors of %u",
				  depth_max, param.nr_pieces, c->queue_size);
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

static void describe_device(struct ring_ping_param *param,
			    const struct vmm_ring_ping_device *device)
{
	param->transport = device->mmio_gpa ? RING_PING_VIRTIO_MMIO : RING_PING_PCI;
	param->config_gpa = device->config_gpa;
	param->mmio_gpa = device->mmio_gpa;
	param->gsi = device->gsi;
	param->device_id = device->device_id;
	param->features = 1ull << VIRTIO_F_VERSION_1;
	if (device->packed)
		param->features |= 1ull << VIRTIO_F_RING_PACKED;
	param->packed = device->packed;
	param->nr_queues = device->nr_queues;
	param->queue = device->queue;
}

static void describe_bare(struct ring_ping_param *param, bool pio)
{
	param->transport = RING_PING_BARE;
	param->doorbell = pio ? RING_PING_DOORBELL_PIO : RING_PING_DOORBELL_MMIO;
	param->doorbell_addr = pio ? VMM_MICRO_DOORBELL_PORT : VMM_MICRO_DOORBELL_GPA;
}

static void put_text(uint8_t *to, uint32_t bytes)
{
	for (uint32_t i = 0; i < bytes; i++)
		to[i] = i % TEXT_LINE == TEXT_LINE - 1 || i == bytes - 1 ? '\n' : 'a' + i % 26;
}

/* What the guest does not write itself. */
static void fill_pieces(struct vmm_ring_ping *ping, const struct vmm_ring_ping_chain *chain)
{
	const struct ring_ping_piece *piece = ping->param->pieces;
	uint8_t *first = ping->micro.memory->host;

	for (uint32_t c = 0; c < ping->param->depth; c++) {
		uint64_t offset = piece->gpa + (uint64_t)c * piece->stride_bytes;

		if (chain->header_bytes)
			memcpy(first + offset, chain->header, chain->header_bytes);
		else if (chain->out == VMM_RING_PING_TEXT)
			put_text(first + offset, chain->out_bytes);
	}
}

static void write_param(struct vmm_ring_ping *ping)
{
	const struct vmm_ring_ping_config *c = &ping->config;
	const struct vmm_ring_ping_chain chain = chain_of(c);
	struct ring_ping_param param = {
		.head = {
			.magic = RING_PING_MAGIC,
			.version = RING_PING_VERSION,
			.size = sizeof(param),
		},
		.iterations = c->count,
		.wait = c->spin ? RING_PING_WAIT_SPIN : RING_PING_WAIT_HALT,
		.queue_size = c->queue_size,
		.used_min = chain.used_min,
		.used_max = chain.used_max,
		.vector = VMM_MICRO_VECTOR,
	};
	struct layout l = plan(c, &param);

	param.desc_gpa = l.desc;
	param.driver_gpa = l.driver;
	param.device_gpa = l.device;
	param.queue_stride_bytes = l.queue_stride;
	if (c->device)
		describe_device(&param, c->device);
	else
		describe_bare(&param, c->doorbell == VMM_BUS_PIO);
	/* memory starts at 0 and holds all of the plan: see vmm_ring_ping_validate() */
	ping->param = ping->micro.param;
	*ping->param = param;
	ping->desc = ping->micro.memory->host + l.desc;
	ping->avail = ping->micro.memory->host + l.driver;
	ping->used = ping->micro.memory->host + l.device;
	fill_pieces(ping, &chain);
}

int vmm_ring_ping_load(struct vmm_ring_ping *ping, struct vl_err *err)
{
	write_param(ping);
	return vmm_micro_add_vcpu(&ping->micro, "ring-ping", err);
}

static int create(struct vmm_ring_ping *ping, struct vl_err *err)
{
	const struct vmm_ring_ping_config *c = &ping->config;
	int ret;

	/* of a device the pins of an IOAPIC */
	ret = vmm_micro_create(&ping->micro, c->kvm_path, c->memory,
			       c->device ? VMM_IRQCHIP_PC : c->irqchip, err);
	if (ret || c->device)
		return ret;
	ret = attach_eventfds(ping, err);
	return ret ? ret : vmm_ring_ping_load(ping, err);
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
