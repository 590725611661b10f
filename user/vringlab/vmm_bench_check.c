// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>

#include <vringlab/err.h>

#include "vmm_bench_job.h"

#define ERRNO_MAX 4095u

int vmm_bench_check_job(const struct vmm_bench *b, const struct vmm_bench_job *job,
			struct vl_err *err)
{
	static const char *const steps[] = {
		[BENCH_MODULES] = "cannot load a module of its initrd, which has to be made for "
				  "this kernel (scripts/guest-initrd)",
		[BENCH_FIND] = "has no such device: does its initrd have the driver "
			       "(scripts/guest-initrd)?",
		[BENCH_SET_UP] = "gets no answer of the host's at first",
		[BENCH_ROUND] = "has got no answer",
	};
	const char *name = vmm_bench_kind_name(job->kind);
	int error = job->error <= ERRNO_MAX ? job->error : EIO;

	if (!job->done)
		return vl_err_set(err, -ENODATA,
				  "the guest has ended without a result of --bench %s: its tool is "
				  "/init of its initramfs",
				  name);
	if (job->step == BENCH_OK && job->hist.count == b->config.count)
		return 0;
	if (job->step == BENCH_OK || job->step > BENCH_ROUND)
		return vl_err_set(err, -EPROTO, "the guest's result of --bench %s makes no sense",
				  name);
	return vl_err_set(err, -EIO, "--bench %s: the guest %s: %s", name, steps[job->step],
			  vl_strerror(error));
}

int vmm_bench_check(const struct vmm_bench *bench, struct vl_err *err)
{
	int ret = 0;

	for (unsigned int i = 0; i < bench->nr_jobs && !ret; i++)
		ret = vmm_bench_check_job(bench, &bench->jobs[i], err);
	return ret;
}
