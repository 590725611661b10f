// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>

#include <vringlab/err.h>
#include <vringlab/fd.h>
#include <vringlab/vmm_guest.h>
#include <vringlab/vmm_regs.h>

#include "command.h"
#include "output.h"
#include "vmm.h"

#define NSEC_PER_SEC 1000000000ull

/* What ends a guest that does not end by itself. */
struct vmm_run_until {
	uint64_t timeout_ns;
	int backend_fd;
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

/* To stderr, so that stdout has only what the guest and the report say. */
static void dump(const struct vmm_vcpu *vcpu, const char *when)
{
	struct vmm_regs regs;
	struct vl_err err;

	if (vmm_regs_get(vcpu, &regs, &err)) {
		fprintf(stderr, "vringlab: no register dump: %s\n", err.msg);
		return;
	}
	fprintf(stderr, "# registers %s\n", when);
	vmm_regs_print(stderr, &regs);
}

/* Returns 0 when the vCPU is done, -EINTR, -ECONNRESET or -ETIMEDOUT. */
static int wait_for_end(const struct vmm_vcpu *vcpu, int signal_fd,
			const struct vmm_run_until *until, struct vl_err *err)
{
	struct pollfd fds[] = {
		{ .fd = vmm_vcpu_done_fd(vcpu), .events = POLLIN },
		{ .fd = signal_fd, .events = POLLIN },
		/* no event but the end of the connection; -1 is ignored */
		{ .fd = until->backend_fd },
	};
	uint64_t deadline = now_ns() + until->timeout_ns;
	struct signalfd_siginfo info;
	char text[OUTPUT_TIME_SIZE];

	for (;;) {
		uint64_t now = now_ns();
		uint64_t left = now < deadline ? deadline - now : 0;
		struct timespec ts = { left / NSEC_PER_SEC, left % NSEC_PER_SEC };
		int ret = ppoll(fds, 3, &ts, NULL);

		if (ret < 0 && errno != EINTR)
			return vl_err_set(err, -errno, "cannot wait for the guest: %s",
					  vl_strerror(errno));
		if (ret < 0)
			continue;
		if (fds[0].revents)
			return 0;
		/* taken off, or it would strike when it is unblocked */
		if (fds[1].revents && read(signal_fd, &info, sizeof(info)) == sizeof(info))
			return vl_err_set(err, -EINTR, "stopped by SIG%s",
					  sigabbrev_np(info.ssi_signo));
		if (fds[2].revents)
			return vl_err_set(err, -ECONNRESET,
					  "the back-end has closed the connection");
		if (!ret)
			return vl_err_set(err, -ETIMEDOUT,
					  "the guest did not end within %s (--timeout)",
					  output_time(text, until->timeout_ns, false));
	}
}

/* An error of the wait stands; else the vCPU's own result decides. */
static int verdict(int waited, const struct vmm_vcpu *vcpu, const struct vmm_vcpu_result *result,
		   struct vl_err *err)
{
	struct vmm_regs regs;

	if (waited) {
		if (err && !vmm_regs_get(vcpu, &regs, NULL)) {
			size_t used = strlen(err->msg);

			snprintf(err->msg + used, sizeof(err->msg) - used,
				 "; it was at cs:rip %#x:%#llx", regs.sregs.cs.selector,
				 (unsigned long long)regs.regs.rip);
		}
		return waited;
	}
	if (result->end == VMM_END_GUEST)
		return 0;
	*err = result->err;
	return err->code;
}

static int run_with_signals(struct vmm_vcpu *vcpu, struct vmm_guest_io *io,
			    const struct vmm_run_until *until, int signal_fd,
			    struct vmm_vcpu_result *result, struct vl_err *err)
{
	int ret;

	ret = vmm_vcpu_start(vcpu, vmm_guest_exit, io, err);
	if (ret)
		return ret;
	ret = wait_for_end(vcpu, signal_fd, until, err);
	vmm_vcpu_stop(vcpu);
	vmm_vcpu_join(vcpu, result);
	return verdict(ret, vcpu, result, err);
}

int vmm_run(const struct vmm_options *options, struct vmm_vcpu *vcpu, int backend_fd,
	    struct vmm_guest_io *io, struct vmm_vcpu_result *result, struct vl_err *err)
{
	struct vmm_run_until until = { options->timeout_ns, backend_fd };
	sigset_t stop, saved;
	int signal_fd, ret;

	memset(result, 0, sizeof(*result));
	if (options->dump_regs)
		dump(vcpu, "before");

	sigemptyset(&stop);
	sigaddset(&stop, SIGINT);
	sigaddset(&stop, SIGTERM);
	sigprocmask(SIG_BLOCK, &stop, &saved);
	signal_fd = signalfd(-1, &stop, SFD_CLOEXEC);
	if (signal_fd < 0)
		ret = vl_err_set(err, -errno, "signalfd: %s", vl_strerror(errno));
	else
		ret = run_with_signals(vcpu, io, &until, signal_fd, result, err);
	vl_fd_close(&signal_fd);
	/* from here on a further signal ends the process at once */
	sigprocmask(SIG_SETMASK, &saved, NULL);

	if (options->dump_regs || result->end == VMM_END_UNEXPECTED)
		dump(vcpu, "after");
	/* an error of the guest's comes before one of its output */
	if (ret)
		vmm_guest_io_flush(io, NULL);
	else
		ret = vmm_guest_io_flush(io, err);
	return ret;
}

int vmm_exit_code(int code)
{
	switch (code) {
	case -EACCES:
	case -EBUSY:
	case -ENODEV:
	case -ENOENT:
	case -ENOTTY:
	case -ENXIO:
	case -EOPNOTSUPP:
	case -EPERM:
	case -EPROTO:
		return EXIT_UNSUPPORTED;
	}
	return EXIT_FAILED;
}
