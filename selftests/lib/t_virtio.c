// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <linux/virtio_ids.h>
#include <stdio.h>
#include <string.h>

#include <vringlab/vmm_vcpu.h>

#include "t_virtio.h"

static struct t_virtio_backend *of_backend(struct virtio_backend *be)
{
	return (struct t_virtio_backend *)be;
}

static int start(struct virtio_backend *be, uint64_t features, const struct virtio_queue *queues,
		 unsigned int nr, struct vl_err *err)
{
	struct t_virtio_backend *backend = of_backend(be);

	backend->starts++;
	backend->features = features;
	memcpy(backend->queues, queues, nr * sizeof(*queues));
	backend->started = !backend->start_ret;
	if (backend->start_ret)
		vl_err_set(err, backend->start_ret, "%s: told to fail", be->name);
	return backend->start_ret;
}

static void stop(struct virtio_backend *be)
{
	of_backend(be)->stops++;
	of_backend(be)->started = false;
}

static void get_config(struct virtio_backend *be, uint32_t offset, void *buf, uint32_t size)
{
	memcpy(buf, of_backend(be)->config + offset, size);
}

static void set_config(struct virtio_backend *be, uint32_t offset, const void *buf, uint32_t size)
{
	memcpy(of_backend(be)->config + offset, buf, size);
}

static const struct virtio_backend_ops backend_ops = {
	.start = start,
	.stop = stop,
	.get_config = get_config,
	.set_config = set_config,
};

static char *queue_name(const struct virtio_backend *be, unsigned int index, char buf[16])
{
	(void)be;
	snprintf(buf, 16, "q%u", index);
	return buf;
}

void t_virtio_backend_init(struct t_virtio_backend *backend)
{
	*backend = (struct t_virtio_backend){
		.be = {
			.ops = &backend_ops,
			.name = "test0",
			.device_id = VIRTIO_ID_RNG,
			.features = T_VIRTIO_FEATURES | T_VIRTIO_TOO_MUCH,
			.num_queues = T_VIRTIO_QUEUES,
			.queue_size_max = T_VIRTIO_SIZE_MAX,
			.config_size = T_VIRTIO_CONFIG,
			.queue_name = queue_name,
		},
	};
	for (unsigned int i = 0; i < T_VIRTIO_CONFIG; i++)
		backend->config[i] = 0x10 + i;
}

static void queue_started(void *ctx, const struct virtio_backend *be,
			  const struct virtio_queue *queue)
{
	struct t_virtio *v = ctx;

	(void)be;
	v->live += queue->kick_fd >= 0 && queue->call_fd >= 0;
}

static void queue_stopped(void *ctx, const struct virtio_backend *be,
			  const struct virtio_queue *queue)
{
	struct t_virtio *v = ctx;

	(void)be;
	(void)queue;
	v->live--;
}

static void failed(void *ctx, const struct virtio_backend *be, const struct vl_err *err)
{
	struct t_virtio *v = ctx;

	(void)be;
	v->failures++;
	v->failure = *err;
}

struct virtio_transport_config t_virtio_config(struct t_virtio *v)
{
	return (struct virtio_transport_config){
		.vm = v->vm,
		.loop = v->loop,
		.errands = v->errands,
		.backend = &v->backend.be,
		.ops = {
			.queue_started = queue_started,
			.queue_stopped = queue_stopped,
			.failed = failed,
		},
		.ctx = v,
	};
}

static int create(struct t_virtio *v, struct vl_err *err)
{
	const struct virtio_transport_config config = t_virtio_config(v);

	if (v->mmio)
		return virtio_mmio_create(&v->t, &config, T_VIRTIO_MMIO_GPA, T_VIRTIO_MMIO_GSI,
					  err);
	return virtio_pci_create(&v->t, &config, v->bus, T_VIRTIO_SLOT, err);
}

int t_virtio_init(struct t_virtio *v, bool mmio, struct vl_err *err)
{
	int ret;

	*v = (struct t_virtio){ .mmio = mmio, .gpa = T_VIRTIO_MMIO_GPA };
	t_virtio_backend_init(&v->backend);
	ret = loop_create(&v->loop, err);
	if (!ret)
		ret = loop_errands_create(&v->errands, v->loop, err);
	if (!ret)
		ret = vmm_create(&v->vm, NULL, err);
	if (!ret)
		ret = vmm_memory_add(v->vm, 0, T_VIRTIO_MEMORY, NULL, err);
	if (!ret)
		ret = vmm_irqchip_create(v->vm, VMM_IRQCHIP_PC, err);
	if (!ret)
		ret = pci_bus_create(&v->bus, v->vm, err);
	if (!ret)
		ret = create(v, err);
	if (!ret && !mmio)
		t_virtio_enable_bar(v, 0);
	return ret;
}

void t_virtio_exit(struct t_virtio *v)
{
	virtio_transport_destroy(v->t);
	pci_bus_destroy(v->bus);
	loop_errands_destroy(v->errands);
	loop_destroy(v->loop);
	vmm_destroy(v->vm);
}

static void nothing(void *ctx, int res)
{
	(void)ctx;
	(void)res;
}

void t_virtio_turn(struct t_virtio *v)
{
	/* with a task to do the loop does not wait for events; one event leads to others */
	struct loop_task task = { .fn = nothing };

	for (unsigned int i = 0; i < 4; i++) {
		loop_task_add(v->loop, &task);
		loop_run_once(v->loop, 0);
	}
}

static void mmio(struct vmm *vm, uint64_t gpa, unsigned int len, bool is_write, uint64_t *value)
{
	struct kvm_run run = { .exit_reason = KVM_EXIT_MMIO };

	run.mmio.phys_addr = gpa;
	run.mmio.len = len;
	run.mmio.is_write = is_write;
	memcpy(run.mmio.data, value, sizeof(*value));
	vmm_bus_exit(vm, &run, NULL);
	*value = 0;
	memcpy(value, run.mmio.data, len);
}

uint64_t t_mmio_read(struct vmm *vm, uint64_t gpa, unsigned int len)
{
	uint64_t value = 0x5555555555555555;

	mmio(vm, gpa, len, false, &value);
	return value;
}

void t_mmio_write(struct vmm *vm, uint64_t gpa, unsigned int len, uint64_t value)
{
	mmio(vm, gpa, len, true, &value);
}

static void pio(struct vmm *vm, uint16_t port, unsigned int len, uint8_t direction, uint32_t *value)
{
	struct {
		struct kvm_run run;
		uint32_t data;
	} io = { .run.exit_reason = KVM_EXIT_IO, .data = *value };

	io.run.io.port = port;
	io.run.io.size = len;
	io.run.io.count = 1;
	io.run.io.direction = direction;
	io.run.io.data_offset = (uint8_t *)&io.data - (uint8_t *)&io.run;
	vmm_bus_exit(vm, &io.run, NULL);
	*value = 0;
	memcpy(value, &io.data, len);
}

uint32_t t_pio_read(struct vmm *vm, uint16_t port, unsigned int len)
{
	uint32_t value = 0x55555555;

	pio(vm, port, len, KVM_EXIT_IO_IN, &value);
	return value;
}

void t_pio_write(struct vmm *vm, uint16_t port, unsigned int len, uint32_t value)
{
	pio(vm, port, len, KVM_EXIT_IO_OUT, &value);
}
