// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A vCPU that ends the machine is the first to leave; the loop is told by its eventfd,
 * and the others are stopped by machine_stop().
 */
#include <errno.h>
#include <poll.h>

#include <vringlab/vmm_bus.h>
#include <vringlab/vmm_regs.h>

#include "internal.h"

static int create_vcpu(struct machine *machine, unsigned int id, struct vl_err *err)
{
	struct machine_vcpu *vcpu = &machine->vcpu[id];
	int ret;

	vcpu->machine = machine;
	ret = vmm_vcpu_create(&vcpu->vcpu, machine->vm, id, err);
	if (ret)
		return ret;
	machine->nr_vcpus++;
	vmm_vcpu_on_enter(vcpu->vcpu, machine->config.enter, machine->config.enter_ctx);
	ret = vmm_vcpu_set_cpuid_smp(vcpu->vcpu, machine->config.nr_cpus, err);
	return ret ? ret : vmm_vcpu_set_msrs(vcpu->vcpu, err);
}

int machine_create_vcpus(struct machine *machine, struct vl_err *err)
{
	int ret = 0;

	for (unsigned int id = 0; !ret && id < machine->config.nr_cpus; id++)
		ret = create_vcpu(machine, id, err);
	return ret;
}

int machine_get_regs(const struct machine *machine, struct vmm_regs *regs, struct vl_err *err)
{
	return vmm_regs_get(machine->vcpu[0].vcpu, regs, err);
}

void machine_end(struct machine *machine, enum machine_end end)
{
	int none = MACHINE_RUNS;

	atomic_compare_exchange_strong(&machine->end, &none, end);
}

static int on_exit(void *ctx, struct kvm_run *run, struct vl_err *err)
{
	struct machine *machine = ctx;
	int ret;

	if (run->exit_reason == KVM_EXIT_SHUTDOWN) {
		machine_end(machine, MACHINE_TRIPLE_FAULT);
		return VMM_EXIT_GUEST_DONE;
	}
	ret = vmm_bus_exit(machine->vm, run, err);
	if (ret == VMM_EXIT_HANDLED && atomic_load(&machine->end))
		return VMM_EXIT_GUEST_DONE;
	return ret;
}

static void forget_vcpus(struct machine *machine)
{
	for (unsigned int i = 0; i < machine->nr_vcpus; i++)
		loop_op_remove(&machine->vcpu[i].done);
}

static void on_vcpu_done(void *ctx, int res)
{
	struct machine_vcpu *vcpu = ctx;
	struct machine *machine = vcpu->machine;

	/* it has failed unless it has said why */
	machine_end(machine, MACHINE_FAILED);
	forget_vcpus(machine);
	machine->ended(machine->ended_ctx, res < 0 ? res : 0);
}

static int start_vcpu(struct machine_vcpu *vcpu, struct loop *loop, struct vl_err *err)
{
	int ret;

	ret = loop_poll(loop, vmm_vcpu_done_fd(vcpu->vcpu), POLLIN, on_vcpu_done, vcpu,
			&vcpu->done);
	if (ret)
		return vl_err_set(err, ret, "cannot watch a vCPU: %s", vl_strerror(ret));
	ret = vmm_vcpu_start(vcpu->vcpu, on_exit, vcpu->machine, err);
	vcpu->started = !ret;
	return ret;
}

int machine_start(struct machine *machine, const struct vmm_regs *regs, struct loop *loop,
		  loop_fn *ended, void *ctx, struct vl_err *err)
{
	int ret;

	machine->ended = ended;
	machine->ended_ctx = ctx;
	ret = vmm_regs_set(machine->vcpu[0].vcpu, regs, err);
	for (unsigned int i = 0; !ret && i < machine->nr_vcpus; i++)
		ret = start_vcpu(&machine->vcpu[i], loop, err);
	return ret;
}

static void take_result(struct machine *machine, const struct vmm_vcpu_result *vcpu,
			struct machine_result *result)
{
	result->exits += vcpu->exits;
	if (vcpu->end != VMM_END_FAILED && vcpu->end != VMM_END_UNEXPECTED)
		return;
	machine_end(machine, MACHINE_FAILED);
	if (!result->err.code)
		result->err = vcpu->err;
}

void machine_stop(struct machine *machine, struct machine_result *result)
{
	struct vmm_vcpu_result vcpu;

	*result = (struct machine_result){ 0 };
	forget_vcpus(machine);
	for (unsigned int i = 0; i < machine->nr_vcpus; i++)
		if (machine->vcpu[i].started)
			vmm_vcpu_stop(machine->vcpu[i].vcpu);
	for (unsigned int i = 0; i < machine->nr_vcpus; i++) {
		if (!machine->vcpu[i].started)
			continue;
		vmm_vcpu_join(machine->vcpu[i].vcpu, &vcpu);
		machine->vcpu[i].started = false;
		take_result(machine, &vcpu, result);
	}
	result->end = atomic_load(&machine->end);
}
