// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <x86intrin.h>

#include <vringlab/fd.h>
#include <vringlab/vmm_cost.h>

#include "../../guest/cost.h"
#include "internal.h"

/* A device of ours beside the doorbells; 2-byte accesses. */
#define DEVICE_PORT (VMM_MICRO_DOORBELL_PORT + 0x10)
#define DEVICE_GPA (VMM_MICRO_DOORBELL_GPA + 0x1000)
#define DEVICE_SIZE 2u

struct row_name {
	const char *name;
	const char *what;
};

static const struct row_name exit_rows[EXIT_COST_ROWS] = {
	[EXIT_COST_NOTHING] = { "nothing", "what measuring takes" },
	[EXIT_COST_CPUID] = { "cpuid", "KVM answers" },
	[EXIT_COST_HYPERCALL] = { "hypercall", "KVM answers" },
	[EXIT_COST_HLT] = { "hlt", "with an interrupt that is there already" },
	[EXIT_COST_PIO_IOEVENTFD] = { "pio-ioeventfd", "KVM signals an eventfd" },
	[EXIT_COST_MMIO_IOEVENTFD] = { "mmio-ioeventfd", "KVM signals an eventfd" },
	[EXIT_COST_PIO_OUT] = { "pio-out", "to user space" },
	[EXIT_COST_PIO_IN] = { "pio-in", "from user space" },
	[EXIT_COST_MMIO_WRITE] = { "mmio-write", "to user space" },
	[EXIT_COST_MMIO_READ] = { "mmio-read", "from user space" },
};

static const struct row_name irq_rows[IRQ_COST_ROWS] = {
	[IRQ_COST_SELF_IPI] = { "self-ipi", "the guest interrupts itself" },
	[IRQ_COST_SPIN] = { "irqfd-spin", "from a doorbell on, the guest spins" },
	[IRQ_COST_HALT] = { "irqfd-halt", "from a doorbell on, the guest halts" },
	[IRQ_COST_SPIN_SIGNAL] = { "signal-spin", "of these, from the VMM's signal on" },
	[IRQ_COST_HALT_SIGNAL] = { "signal-halt", "of these, from the VMM's signal on" },
};

_Static_assert((int)EXIT_COST_ROWS <= (int)VMM_COST_ROWS_MAX, "they must fit");
_Static_assert((int)IRQ_COST_ROWS <= (int)VMM_COST_ROWS_MAX, "they must fit");
_Static_assert(MICRO_DATA_GPA + VMM_COST_ROWS_MAX * sizeof(struct tsc_hist) <= VMM_COST_MEMORY,
	       "they must fit");

static void device_read(void *ctx, uint64_t offset, void *data, unsigned int len)
{
	struct vmm_cost *cost = ctx;

	(void)offset;
	memset(data, 0, len);
	cost->reads++;
}

static void device_write(void *ctx, uint64_t offset, const void *data, unsigned int len)
{
	struct vmm_cost *cost = ctx;

	(void)offset;
	(void)data;
	(void)len;
	cost->writes++;
}

static int add_device(struct vmm_cost *cost, enum vmm_bus bus, uint64_t addr, struct vl_err *err)
{
	static const struct vmm_range_ops ops = { .read = device_read, .write = device_write };
	const struct vmm_range range = {
		.bus = bus,
		.addr = addr,
		.size = DEVICE_SIZE,
		.ops = &ops,
		.ctx = cost,
		.name = "exit-cost",
	};

	return vmm_bus_add(cost->micro.vm, &range, err);
}

static int attach_doorbells(struct vmm_cost *cost, struct vl_err *err)
{
	const struct vmm_ioeventfd port = {
		.bus = VMM_BUS_PIO,
		.addr = VMM_MICRO_DOORBELL_PORT,
		.len = 2,
		.fd = cost->event_fd,
	};
	const struct vmm_ioeventfd address = {
		.bus = VMM_BUS_MMIO,
		.addr = VMM_MICRO_DOORBELL_GPA,
		.fd = cost->event_fd,
	};
	int ret = vmm_ioeventfd_attach(cost->micro.vm, &port, err);

	return ret ? ret : vmm_ioeventfd_attach(cost->micro.vm, &address, err);
}

/* What answers the guest: a device, or eventfds. */
static int attach(struct vmm_cost *cost, struct vl_err *err)
{
	int ret = attach_doorbells(cost, err);

	if (ret)
		return ret;
	if (cost->kind == VMM_COST_IRQ)
		return vmm_irqfd_attach(cost->micro.vm, cost->call_fd, 0, VMM_MICRO_VECTOR, NULL,
					err);
	ret = add_device(cost, VMM_BUS_PIO, DEVICE_PORT, err);
	return ret ? ret : add_device(cost, VMM_BUS_MMIO, DEVICE_GPA, err);
}

/*
 * KVM writes the processor's own instruction over a hypercall of another's, and has
 * the guest execute it again: for ever, where KVM emulates it. Without this it is an
 * invalid opcode there. Linux before 5.19 has no such switch.
 */
static void have_hypercalls_as_they_are(const struct vmm_cost *cost)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_DISABLE_QUIRKS2,
		.args[0] = KVM_X86_QUIRK_FIX_HYPERCALL_INSN,
	};

	vmm_ioctl_raw(cost->micro.vm->vm_fd, KVM_ENABLE_CAP, &cap);
}

static void write_param(struct vmm_cost *cost)
{
	cost->param = cost->micro.param;
	*cost->param = (struct cost_param){
		.head = {
			.magic = cost->kind == VMM_COST_IRQ ? IRQ_COST_MAGIC : EXIT_COST_MAGIC,
			.version = COST_VERSION,
			.size = sizeof(*cost->param),
		},
		.iterations = cost->count,
		.vector = VMM_MICRO_VECTOR,
		.event_port = VMM_MICRO_DOORBELL_PORT,
		.event_addr = VMM_MICRO_DOORBELL_GPA,
		.user_port = DEVICE_PORT,
		.user_addr = DEVICE_GPA,
	};
}

/* The guest's TSC at the signal: before it, so that no interrupt can be earlier. */
static void answer(struct vmm_cost *cost)
{
	if (cost->param->stamped)
		cost->param->signal_tsc = __rdtsc() + cost->tsc_offset;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	eventfd_write(cost->call_fd, 1);
}

static void *answer_thread(void *arg)
{
	struct vmm_cost *cost = arg;
	struct pollfd fds[] = {
		{ .fd = cost->event_fd, .events = POLLIN },
		{ .fd = cost->stop_fd, .events = POLLIN },
	};
	eventfd_t events;

	while (poll(fds, 2, -1) > 0 && !fds[1].revents) {
		if (eventfd_read(cost->event_fd, &events))
			continue;
		cost->events += events;
		answer(cost);
	}
	return NULL;
}

static int create(struct vmm_cost *cost, const char *kvm_path, struct vl_err *err)
{
	int ret;

	ret = vmm_micro_create(&cost->micro, kvm_path, VMM_COST_MEMORY, VMM_IRQCHIP_LAPIC, err);
	if (!ret)
		ret = vmm_micro_eventfd(&cost->event_fd, err);
	if (!ret)
		ret = vmm_micro_eventfd(&cost->call_fd, err);
	if (!ret)
		ret = vmm_micro_eventfd(&cost->stop_fd, err);
	if (!ret)
		ret = attach(cost, err);
	if (ret)
		return ret;
	if (cost->kind == VMM_COST_EXIT)
		have_hypercalls_as_they_are(cost);
	write_param(cost);
	return vmm_micro_add_vcpu(&cost->micro,
				  cost->kind == VMM_COST_IRQ ? "irq-cost" : "exit-cost", err);
}

int vmm_cost_create(struct vmm_cost *cost, enum vmm_cost_kind kind, uint64_t count,
		    const char *kvm_path, struct vl_err *err)
{
	int ret;

	*cost = (struct vmm_cost){
		.kind = kind,
		.count = count,
		.event_fd = -1,
		.call_fd = -1,
		.stop_fd = -1,
	};
	ret = create(cost, kvm_path, err);
	if (ret)
		vmm_cost_destroy(cost);
	return ret;
}

int vmm_cost_start(struct vmm_cost *cost, struct vl_err *err)
{
	int ret;

	if (cost->kind == VMM_COST_EXIT)
		return 0;
	/* older kernels do not tell: then nothing is stamped */
	cost->param->stamped = !vmm_vcpu_tsc_offset(cost->micro.vcpu, &cost->tsc_offset);
	ret = vmm_thread_create(&cost->thread, answer_thread, cost);
	if (ret)
		return vl_err_set(err, ret, "cannot start a thread: %s", vl_strerror(ret));
	cost->started = true;
	return 0;
}

void vmm_cost_settle(struct vmm_cost *cost)
{
	eventfd_t events;

	if (cost->started) {
		eventfd_write(cost->stop_fd, 1);
		pthread_join(cost->thread, NULL);
		cost->started = false;
	}
	if (!eventfd_read(cost->event_fd, &events))
		cost->events += events;
}

void vmm_cost_destroy(struct vmm_cost *cost)
{
	if (cost->started)
		vmm_cost_settle(cost);
	vmm_micro_destroy(&cost->micro);
	vl_fd_close(&cost->event_fd);
	vl_fd_close(&cost->call_fd);
	vl_fd_close(&cost->stop_fd);
}

void vmm_cost_result(const struct vmm_cost *cost, struct vmm_cost_result *result)
{
	const struct tsc_hist *hists = (void *)(cost->micro.memory->host + MICRO_DATA_GPA);
	const struct row_name *names = cost->kind == VMM_COST_IRQ ? irq_rows : exit_rows;

	result->nr = cost->kind == VMM_COST_IRQ ? (unsigned int)IRQ_COST_ROWS : EXIT_COST_ROWS;
	result->interrupts = cost->param->interrupts;
	result->acausal = cost->param->acausal;
	result->tsc_khz = vmm_vcpu_tsc_khz(cost->micro.vcpu);
	for (unsigned int i = 0; i < result->nr; i++) {
		result->row[i].name = names[i].name;
		result->row[i].what = names[i].what;
		vmm_micro_hist(&result->row[i].hist, &hists[i]);
	}
}

static int disagree(struct vl_err *err, const char *what, uint64_t got, uint64_t expected)
{
	return vl_err_set(err, -EPROTO, "%" PRIu64 " %s, not %" PRIu64, got, what, expected);
}

static int check_rows(const struct vmm_cost *cost, struct vl_err *err)
{
	struct vmm_cost_result r;

	vmm_cost_result(cost, &r);
	for (unsigned int i = 0; i < r.nr; i++) {
		/* the stamps of the VMM's signals, and hypercalls */
		bool may_lack = cost->kind == VMM_COST_IRQ ? i >= IRQ_COST_SPIN_SIGNAL :
							     i == EXIT_COST_HYPERCALL;
		uint64_t nr = r.row[i].hist.count;

		if (nr == cost->count)
			continue;
		if (nr > cost->count || !may_lack || (nr && nr + r.acausal < cost->count))
			return disagree(err, r.row[i].name, nr, cost->count);
	}
	return 0;
}

int vmm_cost_check(const struct vmm_cost *cost, uint8_t status, struct vl_err *err)
{
	bool irq = cost->kind == VMM_COST_IRQ;
	uint64_t device = irq ? 0 : 2 * cost->count;
	uint64_t interrupts = irq ? 3 * cost->count : cost->count;
	int ret = vmm_micro_check(&cost->micro, status, err);

	if (!ret)
		ret = check_rows(cost, err);
	if (ret)
		return ret;
	if (cost->events != 2 * cost->count)
		return disagree(err, "signals of the eventfd", cost->events, 2 * cost->count);
	if (cost->reads != device)
		return disagree(err, "reads of the device", cost->reads, device);
	if (cost->writes != device)
		return disagree(err, "writes to the device", cost->writes, device);
	/* an emulated processor may take one twice: see guest/ring-ping.c */
	if (cost->param->interrupts < interrupts)
		return disagree(err, "interrupts", cost->param->interrupts, interrupts);
	if (cost->param->acausal > cost->param->interrupts - interrupts)
		return disagree(err, "interrupts before their signal", cost->param->acausal, 0);
	return 0;
}
