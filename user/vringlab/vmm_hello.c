// SPDX-License-Identifier: GPL-2.0-only
#include <stddef.h>
#include <unistd.h>

#include <vringlab/err.h>
#include <vringlab/vmm_guest.h>
#include <vringlab/vmm_regs.h>

#include "command.h"
#include "vmm.h"
#include "vmm_sandbox.h"

/* With an irqchip HLT does not exit: the guest then ends by its exit port. */
static int end_by_port(struct vmm_vcpu *vcpu, struct vl_err *err)
{
	struct vmm_regs regs;
	int ret = vmm_regs_get(vcpu, &regs, err);

	if (ret)
		return ret;
	regs.regs.rcx = 1;
	return vmm_regs_set(vcpu, &regs, err);
}

static int create(const struct vmm_options *options, struct vmm **vm, struct vmm_vcpu **vcpu,
		  struct vl_err *err)
{
	int ret;

	ret = vmm_create(vm, options->kvm_path, err);
	if (ret)
		return ret;
	/* before the irqchip: later it costs KVM a grace period */
	ret = vmm_memory_add(*vm, 0, options->memory, NULL, err);
	if (ret)
		return ret;
	if (options->hello.has_irqchip) {
		ret = vmm_irqchip_create(*vm, options->hello.irqchip, err);
		if (ret)
			return ret;
	}
	ret = vmm_vcpu_create(vcpu, *vm, 0, err);
	if (ret)
		return ret;
	ret = vmm_guest_load(*vm, *vcpu, vmm_guest_find("hello"), err);
	return ret || !options->hello.has_irqchip ? ret : end_by_port(*vcpu, err);
}

int vmm_run_hello(const struct vmm_options *options)
{
	struct vmm_guest_io io = { .console_fd = STDOUT_FILENO, .hlt_ends = true };
	struct vmm_vcpu_result result;
	struct vmm_vcpu *vcpu = NULL;
	struct vmm *vm = NULL;
	struct vl_err err;
	int ret;

	ret = create(options, &vm, &vcpu, &err);
	if (ret) {
		ret = fail(&err, vmm_exit_code(ret));
		goto out_destroy;
	}
	ret = vmm_sandbox_enter(options, false, &err);
	if (ret) {
		ret = fail(&err, EXIT_FAILED);
		goto out_destroy;
	}
	ret = vmm_run(options, vcpu, NULL, &io, &result, &err);
	vmm_report_hello(options, &result, !ret);
	if (ret)
		ret = fail(&err, EXIT_FAILED);

out_destroy:
	vmm_vcpu_destroy(vcpu);
	vmm_destroy(vm);
	return ret;
}
