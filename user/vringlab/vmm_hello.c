// SPDX-License-Identifier: GPL-2.0-only
#include <stddef.h>
#include <unistd.h>

#include <vringlab/err.h>
#include <vringlab/vmm_guest.h>

#include "command.h"
#include "vmm.h"

/* The guest's page, and those below that vmm_guest_load() may use. */
#define MEMORY 0x20000u

static int create(const struct vmm_options *options, struct vmm **vm, struct vmm_vcpu **vcpu,
		  struct vl_err *err)
{
	int ret;

	ret = vmm_create(vm, options->kvm_path, err);
	if (ret)
		return ret;
	ret = vmm_memory_add(*vm, 0, MEMORY, NULL, err);
	if (ret)
		return ret;
	/* no irqchip: HLT exits to us, and start-up is several times as fast */
	ret = vmm_vcpu_create(vcpu, *vm, 0, err);
	if (ret)
		return ret;
	return vmm_guest_load(*vm, *vcpu, vmm_guest_find("hello"), err);
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
	ret = vmm_run(options, vcpu, NULL, &io, &result, &err);
	vmm_report_hello(options, &result, !ret);
	if (ret)
		ret = fail(&err, EXIT_FAILED);

out_destroy:
	vmm_vcpu_destroy(vcpu);
	vmm_destroy(vm);
	return ret;
}
