// SPDX-License-Identifier: GPL-2.0-only
#include <poll.h>

#include <vringlab/err.h>
#include <vringlab/loop.h>

#include "vmm.h"
#include "vmm_devices.h"

/* What has come. */
struct waits {
	struct loop *loop;
	bool done;
	bool signalled;
	bool late;
};

static void on_done(void *ctx, int res)
{
	struct waits *w = ctx;

	(void)res;
	w->done = true;
	loop_stop(w->loop);
}

static void on_signal(void *ctx, int res)
{
	struct waits *w = ctx;

	(void)res;
	w->signalled = true;
	loop_stop(w->loop);
}

static void on_timeout(void *ctx, int res)
{
	struct waits *w = ctx;

	(void)res;
	w->late = true;
	loop_stop(w->loop);
}

static int judge(const struct waits *w, const struct vmm_devices *devices, int signal_fd,
		 uint64_t timeout_ns, struct vl_err *err)
{
	int ret = vmm_devices_check(devices, err);

	if (ret || w->done)
		return ret;
	if (w->signalled)
		return vmm_check_signal(signal_fd, err);
	return vmm_timed_out(timeout_ns, err);
}

int vmm_run_loop(const struct vmm_vcpu *vcpu, struct vmm_devices *devices, int signal_fd,
		 uint64_t timeout_ns, struct vl_err *err)
{
	struct loop *loop = vmm_devices_loop(devices);
	struct loop_op *done = NULL, *signal = NULL, *timer = NULL;
	struct waits w = { .loop = loop };
	int ret;

	ret = loop_poll(loop, vmm_vcpu_done_fd(vcpu), POLLIN, on_done, &w, &done);
	if (!ret)
		ret = loop_poll(loop, signal_fd, POLLIN, on_signal, &w, &signal);
	if (!ret)
		ret = loop_timer(loop, timeout_ns, on_timeout, &w, &timer);
	if (!ret)
		ret = loop_run(loop);
	loop_op_remove(&timer);
	loop_op_remove(&signal);
	loop_op_remove(&done);
	if (ret)
		return vl_err_set(err, ret, "cannot wait for events: %s", vl_strerror(ret));
	return judge(&w, devices, signal_fd, timeout_ns, err);
}
