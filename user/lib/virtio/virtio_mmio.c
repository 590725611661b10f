// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <linux/virtio_mmio.h>
#include <stddef.h>
#include <stdlib.h>

#include <vringlab/vmm.h>
#include <vringlab/vmm_bus.h>
#include <vringlab/vmm_gsi.h>

#include "virtio_mmio.h"

static struct virtio_mmio *vm_of_transport(struct virtio_transport *t)
{
	return (struct virtio_mmio *)((char *)t - offsetof(struct virtio_mmio, t));
}

static struct vmm_ioeventfd doorbell(const struct virtio_mmio *vm, const struct virtio_queue *q)
{
	return (struct vmm_ioeventfd){
		.bus = VMM_BUS_MMIO,
		.addr = vm->gpa + VIRTIO_MMIO_QUEUE_NOTIFY,
		.len = sizeof(uint32_t),
		.match = true,
		.value = q->index,
		.fd = q->kick_fd,
	};
}

static int attach(struct virtio_mmio *vm, const struct virtio_queue *q)
{
	struct vmm *machine = vm->t.config.vm;
	const struct vmm_ioeventfd io = doorbell(vm, q);
	int ret = vmm_ioeventfd_attach(machine, &io, &vm->t.trouble);

	if (ret)
		return ret;
	ret = vmm_irqfd_add(machine, q->call_fd, vm->gsi, -1, &vm->t.trouble);
	if (ret)
		vmm_ioeventfd_detach(machine, &io, NULL);
	return ret;
}

static void detach(struct virtio_mmio *vm, const struct virtio_queue *q)
{
	const struct vmm_ioeventfd io = doorbell(vm, q);

	vmm_ioeventfd_detach(vm->t.config.vm, &io, NULL);
	vmm_irqfd_detach(vm->t.config.vm, q->call_fd, vm->gsi, NULL);
}

static void start(struct virtio_transport *t)
{
	struct virtio_mmio *vm = vm_of_transport(t);
	int ret = 0;

	vt_lock(t);
	while (!ret && vm->attached < t->be->num_queues) {
		const struct virtio_queue *q = &t->queues[vm->attached];

		if (q->enabled)
			ret = attach(vm, q);
		if (!ret)
			vm->attached++;
	}
	vt_unlock(t);
}

static void stop(struct virtio_transport *t)
{
	struct virtio_mmio *vm = vm_of_transport(t);

	vt_lock(t);
	while (vm->attached) {
		const struct virtio_queue *q = &t->queues[--vm->attached];

		if (q->enabled)
			detach(vm, q);
	}
	vt_unlock(t);
}

static void reset(struct virtio_transport *t)
{
	vm_of_transport(t)->config_pending = false;
}

/* An edge, as an irqfd makes them. */
static void config_changed(struct virtio_transport *t)
{
	struct virtio_mmio *vm = vm_of_transport(t);

	vm->config_pending = true;
	if (!vmm_gsi_set_line(t->config.vm, vm->gsi, true, NULL))
		vmm_gsi_set_line(t->config.vm, vm->gsi, false, NULL);
}

static const struct vmm_range_ops range_ops = { .read = vm_read, .write = vm_write };

static void destroy(struct virtio_transport *t)
{
	struct virtio_mmio *vm = vm_of_transport(t);

	vmm_bus_remove(t->config.vm, VMM_BUS_MMIO, vm->gpa);
	vt_exit(t);
	pthread_mutex_destroy(&vm->lock);
	free(vm);
}

static const struct vt_ops transport_ops = {
	.start = start,
	.stop = stop,
	.reset = reset,
	.config_changed = config_changed,
	.destroy = destroy,
};

static int add_range(struct virtio_mmio *vm, struct vl_err *err)
{
	const struct vmm_range range = {
		.bus = VMM_BUS_MMIO,
		.addr = vm->gpa,
		.size = VIRTIO_MMIO_SIZE,
		.ops = &range_ops,
		.ctx = vm,
		.name = vm->t.be->name,
	};

	return vmm_bus_add(vm->t.config.vm, &range, err);
}

int virtio_mmio_create(struct virtio_transport **t, const struct virtio_transport_config *config,
		       uint64_t gpa, unsigned int gsi, struct vl_err *err)
{
	struct virtio_mmio *vm = calloc(1, sizeof(*vm));
	int ret;

	if (!vm)
		return vl_err_set(err, -ENOMEM, "no memory for a device");
	vm->gpa = gpa;
	vm->gsi = gsi;
	pthread_mutex_init(&vm->lock, NULL);
	ret = vt_init(&vm->t, &transport_ops, config, &vm->lock, err);
	if (!ret) {
		ret = add_range(vm, err);
		if (ret)
			vt_exit(&vm->t);
	}
	if (ret) {
		pthread_mutex_destroy(&vm->lock);
		free(vm);
		return ret;
	}
	*t = &vm->t;
	return 0;
}
