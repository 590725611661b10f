// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vringlab/loop_errand.h>
#include <vringlab/vmm_bus.h>

#include "t_hostile.h"

#define SHARED_GPA 0x10000000u
#define MMIO_GSI 10u
#define GUEST_NS 240000000000ull

static uint64_t setting(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : otherwise;
}

static int create_vm(struct t_hostile *h)
{
	const struct vmm_memory *shared;
	int ret = vmm_micro_create(&h->micro, NULL, VMM_MICRO_MEMORY_MIN, VMM_IRQCHIP_PC, &h->err);

	if (!ret)
		ret = vmm_memory_add(h->micro.vm, SHARED_GPA, HOSTILE_SHARED_BYTES, &shared,
				     &h->err);
	backend_host_init(&h->host, h->loop);
	if (!ret)
		ret = backend_host_add(&h->host, shared, &h->err);
	if (!ret)
		ret = pci_bus_create(&h->bus, h->micro.vm, &h->err);
	return ret;
}

int t_hostile_init(struct t_hostile *h)
{
	int ret;

	memset(h, 0, sizeof(*h));
	ret = loop_create(&h->loop, &h->err);
	if (!ret)
		ret = loop_errands_create(&h->errands, h->loop, &h->err);
	return ret ? ret : create_vm(h);
}

void t_hostile_exit(struct t_hostile *h)
{
	if (!h->loop)
		return;
	for (unsigned int i = h->nr; i-- > 0;) {
		virtio_transport_destroy(h->transport[i]);
		h->backend[i]->ops->destroy(h->backend[i]);
	}
	pci_bus_destroy(h->bus);
	vmm_micro_destroy(&h->micro);
	loop_errands_destroy(h->errands);
	loop_destroy(h->loop);
}

static void on_failed(void *ctx, const struct virtio_backend *be, const struct vl_err *err)
{
	unsigned int *failures = ctx;

	(void)be;
	(void)err;
	++*failures;
}

static struct virtio_transport_config next_config(struct t_hostile *h, struct virtio_backend *be)
{
	h->backend[h->nr] = be;
	return (struct virtio_transport_config){
		.vm = h->micro.vm,
		.loop = h->loop,
		.errands = h->errands,
		.backend = be,
		.ops = { .failed = on_failed },
		.ctx = &h->failures,
	};
}

int t_hostile_add_pci(struct t_hostile *h, struct virtio_backend *be)
{
	const struct virtio_transport_config config = next_config(h, be);
	struct virtio_transport **transport = &h->transport[h->nr++];

	return virtio_pci_create(transport, &config, h->bus, ++h->nr_pci, &h->err);
}

int t_hostile_add_mmio(struct t_hostile *h, struct virtio_backend *be)
{
	const struct virtio_transport_config config = next_config(h, be);
	struct virtio_transport **transport = &h->transport[h->nr++];
	unsigned int i = h->nr - 1 - h->nr_pci;

	return virtio_mmio_create(transport, &config, PC_VIRTIO_MMIO_GPA + i * PC_VIRTIO_MMIO_SIZE,
				  MMIO_GSI + i, &h->err);
}

static void write_param(struct t_hostile *h, uint64_t seed)
{
	h->param = h->micro.param;
	*h->param = (struct hostile_param){
		.head = {
			.magic = HOSTILE_MAGIC,
			.version = HOSTILE_VERSION,
			.size = sizeof(*h->param),
		},
		.seed = setting("HOSTILE_SEED", 1) + seed,
		.count = setting("HOSTILE_COUNT", 600),
		.shared_gpa = SHARED_GPA,
		.ecam_gpa = PC_ECAM_GPA,
		.mmio_gpa = PC_VIRTIO_MMIO_GPA,
		.window_gpa = PC_PCI_WINDOW_GPA,
		.window_size = PC_PCI_WINDOW_SIZE,
		.nr_pci = h->nr_pci,
		.nr_mmio = h->nr - h->nr_pci,
	};
}

static void on_done(void *ctx, int res)
{
	(void)res;
	loop_stop(ctx);
}

/* Until the guest has ended, or may no longer run. */
static int run(struct t_hostile *h, struct vmm_vcpu_result *result)
{
	struct loop_op *done = NULL, *late = NULL;
	int ret = loop_poll(h->loop, vmm_vcpu_done_fd(h->micro.vcpu), POLLIN, on_done, h->loop,
			    &done);

	if (!ret)
		ret = loop_timer(h->loop, GUEST_NS, on_done, h->loop, &late);
	if (!ret)
		ret = vmm_vcpu_start(h->micro.vcpu, vmm_guest_exit, &h->io, &h->err);
	if (ret)
		return ret;
	ret = loop_run(h->loop);
	loop_op_remove(&done);
	loop_op_remove(&late);
	loop_errands_close(h->errands);
	vmm_vcpu_stop(h->micro.vcpu);
	vmm_vcpu_join(h->micro.vcpu, result);
	return ret;
}

static int judge(struct t_hostile *h, const struct vmm_vcpu_result *result)
{
	const struct hostile_param *param = h->param;
	int ret;

	if (result->end != VMM_END_GUEST)
		return vl_err_set(&h->err, -ETIMEDOUT, "seed %" PRIu64 ": %" PRIu64 " done: %s",
				  param->seed, param->done, result->err.msg);
	ret = vmm_micro_check(&h->micro, h->io.status, &h->err);
	if (ret)
		return ret;
	if (param->done != param->count || param->works != (1ull << h->nr) - 1)
		return vl_err_set(&h->err, -EIO,
				  "seed %" PRIu64 ": %" PRIu64 " done, works: %#" PRIx64,
				  param->seed, param->done, param->works);
	return 0;
}

int t_hostile_run(struct t_hostile *h, uint64_t seed)
{
	struct vmm_vcpu_result result;
	int ret;

	write_param(h, seed);
	ret = vmm_micro_add_vcpu(&h->micro, "hostile", &h->err);
	h->io = (struct vmm_guest_io){ .console_fd = -1, .bus = h->micro.vm };
	if (!ret)
		ret = run(h, &result);
	return ret ? ret : judge(h, &result);
}
