// SPDX-License-Identifier: GPL-2.0-only
#include <poll.h>

#include <vringlab/err.h>
#include <vringlab/loop.h>

#include "vmm.h"
#include "vmm_devices.h"

/* One of the events that end the wait. */
struct wait {
	struct loop *loop;
	struct loop_op *op;
	bool came;
};

static void on_event(void *ctx, int res)
{
	struct wait *w = ctx;

	(void)res;
	w->came = true;
	loop_stop(w->loop);
}

int vmm_run_loop(const struct vmm_vcpu *vcpu, struct vmm_devices *devices, int signal_fd,
		 uint64_t timeout_ns, struct vl_err *err)
{
	struct loop *loop = vmm_devices_loop(devices);
	struct wait done = { .loop = loop }, signal = { .loop = loop }, timeout = { .loop = loop };
	int ret;

	ret = loop_poll(loop, vmm_vcpu_done_fd(vcpu), POLLIN, on_event, &done, &done.op);
	if (!ret)
		ret = loop_poll(loop, signal_fd, POLLIN, on_event, &signal, &signal.op);
	if (!ret)
		ret = loop_timer(loop, timeout_ns, on_event, &timeout, &timeout.op);
	if (!ret)
		ret = loop_run(loop);
	loop_op_remove(&timeout.op);
	loop_op_remove(&signal.op);
	loop_op_remove(&done.op);
	if (ret)
		return vl_err_set(err, ret, "cannot wait for events: %s", vl_strerror(ret));
	ret = vmm_devices_check(devices, err);
	if (ret || done.came)
		return ret;
	if (signal.came)
		return vmm_check_signal(signal_fd, err);
	return vmm_timed_out(timeout_ns, err);
}
