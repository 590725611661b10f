// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* Intel SDM volume 4, "Architectural MSRs"; AMD has the second one too. */
#define MSR_MISC_ENABLE 0x1a0u
#define MISC_FAST_STRING (1ull << 0)
#define MSR_MTRR_DEFAULT 0x2ffu
#define MTRR_ENABLE (1ull << 11)
#define MTRR_WRITE_BACK 6ull

int vmm_vcpu_set_msrs(struct vmm_vcpu *vcpu, struct vl_err *err)
{
	static const struct kvm_msr_entry entries[] = {
		{ .index = MSR_MISC_ENABLE, .data = MISC_FAST_STRING },
		{ .index = MSR_MTRR_DEFAULT, .data = MTRR_ENABLE | MTRR_WRITE_BACK },
	};
	struct kvm_msrs *msrs;
	int ret;

	msrs = calloc(1, sizeof(*msrs) + sizeof(entries));
	if (!msrs)
		return vl_err_set(err, -ENOMEM, "no memory for MSRs");
	msrs->nmsrs = ARRAY_SIZE(entries);
	memcpy(msrs->entries, entries, sizeof(entries));
	ret = vmm_ioctl(vcpu->fd, KVM_SET_MSRS, msrs, err, "vCPU %u", vcpu->id);
	free(msrs);
	/* the count of those that it took */
	if (ret >= 0 && ret < (int)ARRAY_SIZE(entries))
		return vl_err_set(err, -EOPNOTSUPP, "KVM does not take MSR %#x of vCPU %u",
				  entries[ret].index, vcpu->id);
	return ret < 0 ? ret : 0;
}
