// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/eventfd.h>

#include <vringlab/vmm_guest.h>
#include <vringlab/vmm_micro.h>

#include "../../guest/micro.h"
#include "../../guest/tsc_hist.h"
#include "internal.h"

int vmm_micro_create(struct vmm_micro *micro, const char *kvm_path, uint64_t memory,
		     enum vmm_irqchip irqchip, struct vl_err *err)
{
	int ret;

	ret = vmm_create(&micro->vm, kvm_path, err);
	if (ret)
		return ret;
	/* before the irqchip: later it costs KVM a grace period */
	ret = vmm_memory_add(micro->vm, 0, memory, &micro->memory, err);
	if (ret)
		return ret;
	micro->param = micro->memory->host + MICRO_PARAM_GPA;
	return vmm_irqchip_create(micro->vm, irqchip, err);
}

int vmm_micro_add_vcpu(struct vmm_micro *micro, const char *guest, struct vl_err *err)
{
	int ret;

	ret = vmm_vcpu_create(&micro->vcpu, micro->vm, 0, err);
	if (ret)
		return ret;
	ret = vmm_vcpu_set_cpuid(micro->vcpu, err);
	if (ret)
		return ret;
	return vmm_guest_load(micro->vm, micro->vcpu, vmm_guest_find(guest), err);
}

void vmm_micro_destroy(struct vmm_micro *micro)
{
	vmm_vcpu_destroy(micro->vcpu);
	vmm_destroy(micro->vm);
	*micro = (struct vmm_micro){ 0 };
}

int vmm_micro_check(const struct vmm_micro *micro, uint8_t status, struct vl_err *err)
{
	struct micro_head head;

	memcpy(&head, micro->param, sizeof(head));
	switch (status) {
	case MICRO_OK:
		return 0;
	case MICRO_BAD_PARAM:
		return vl_err_set(err, -EIO,
				  "the guest does not know these parameters: rebuild all");
	case MICRO_EXCEPTION:
		return vl_err_set(err, -EIO,
				  "the guest took exception %" PRIu64 " at rip %#" PRIx64
				  ", error code %#" PRIx64 ", cr2 %#" PRIx64,
				  head.exc_vector, head.exc_rip, head.exc_error, head.exc_cr2);
	}
	return vl_err_set(err, -EIO, "the guest ended with unknown status %u", status);
}

int vmm_micro_eventfd(int *fd, struct vl_err *err)
{
	int new = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	if (new < 0)
		return vl_err_set(err, -errno, "eventfd: %s", vl_strerror(errno));
	*fd = new;
	return 0;
}

void vmm_micro_hist(struct vl_hist *hist, const struct tsc_hist *from)
{
	struct tsc_hist copy;

	_Static_assert(TSC_HIST_BUCKETS <= VL_HIST_BUCKETS_MAX, "they must fit");

	memcpy(&copy, from, sizeof(copy));
	*hist = (struct vl_hist){
		.sub_bits = TSC_HIST_SUB_BITS,
		.min = copy.min,
		.max = copy.max,
		.sum = copy.sum,
	};
	for (uint32_t i = 0; i < TSC_HIST_BUCKETS; i++) {
		if (!copy.buckets[i])
			continue;
		hist->count += copy.buckets[i];
		hist->buckets[hist->nr_buckets++] = (struct vl_hist_bucket){
			.index = i,
			.count = copy.buckets[i],
		};
	}
}
