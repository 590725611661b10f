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
#include <vringlab/vhost_user_session.h>
#include <vringlab/vmm_guest.h>
#include <vringlab/vmm_regs.h>

#include "command.h"
#include "output.h"
#include "vmm.h"
#include "vmm_devices.h"
#include "vmm_explain.h"
#include "vmm_sandbox.h"

#define NSEC_PER_SEC 1000000000ull
#define NSEC_PER_MSEC 1000000ull

/* Between two tries to connect to the next back-end. */
#define RETRY_NS NSEC_PER_MSEC

/* What ends a guest that does not end by itself. */
struct vmm_run_until {
	uint64_t timeout_ns;
	struct vu_session *session;
	uint64_t lost_ns; /* since then there is no back-end; 0 while there is */
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

void vmm_dump_regs(const struct vmm_regs *regs, const char *when)
{
	fprintf(stderr, "# registers %s\n", when);
	vmm_regs_print(stderr, regs);
}

static void dump(const struct vmm_vcpu *vcpu, const char *when)
{
	struct vmm_regs regs;
	struct vl_err err;

	if (vmm_regs_get(vcpu, &regs, &err)) {
		fprintf(stderr, "vringlab: no register dump: %s\n", err.msg);
		return;
	}
	vmm_dump_regs(&regs, when);
}

/* One try to go on with the next back-end. Returns 0 also for the time being. */
static int try_next(struct vmm_run_until *until, uint64_t now, struct vl_err *err)
{
	struct vu_session *session = until->session;
	int ret = vu_session_try(session, err);

	if (!ret) {
		until->lost_ns = 0;
		return 0;
	}
	if (!vu_session_may_retry(session, ret) ||
	    now - until->lost_ns >= session->config.timeout_ms * NSEC_PER_MSEC)
		return vl_err_prefix(err, "the back-end was lost");
	return 0;
}

static int lose(struct vmm_run_until *until, uint64_t now, struct vl_err *err)
{
	if (!until->session->config.persist)
		return vl_err_set(err, -ECONNRESET, "the back-end has closed the connection");
	until->session->lost++;
	until->lost_ns = now;
	return 0;
}

int vmm_check_signal(int signal_fd, struct vl_err *err)
{
	struct signalfd_siginfo info;

	/* taken off, or it would strike when it is unblocked */
	if (read(signal_fd, &info, sizeof(info)) != sizeof(info))
		return 0;
	return vl_err_set(err, -EINTR, "stopped by SIG%s", sigabbrev_np(info.ssi_signo));
}

int vmm_timed_out(uint64_t timeout_ns, struct vl_err *err)
{
	char text[OUTPUT_TIME_SIZE];

	return vl_err_set(err, -ETIMEDOUT, "the guest did not end within %s (--timeout)",
			  output_time(text, timeout_ns, false));
}

static int wait_a_while(struct pollfd *fds, unsigned int nr, uint64_t ns, struct vl_err *err)
{
	struct timespec ts = { ns / NSEC_PER_SEC, ns % NSEC_PER_SEC };

	for (unsigned int i = 0; i < nr; i++)
		fds[i].revents = 0;
	if (ppoll(fds, nr, &ts, NULL) < 0 && errno != EINTR)
		return vl_err_set(err, -errno, "cannot wait for the guest: %s", vl_strerror(errno));
	return 0;
}

/* Returns 0 when the vCPU is done, -EINTR, -ECONNRESET, -ETIMEDOUT or another errno. */
static int wait_for_end(const struct vmm_vcpu *vcpu, int signal_fd, struct vmm_run_until *until,
			struct vl_err *err)
{
	struct pollfd fds[] = {
		{ .fd = vmm_vcpu_done_fd(vcpu), .events = POLLIN },
		{ .fd = signal_fd, .events = POLLIN },
		/* no event but the end of the connection; -1 is ignored */
		{ .fd = -1 },
	};
	uint64_t deadline = now_ns() + until->timeout_ns;
	int ret = 0;

	while (!ret) {
		uint64_t now = now_ns();
		uint64_t left = now < deadline ? deadline - now : 0;

		fds[2].fd = until->session && !until->lost_ns ? vu_session_fd(until->session) : -1;
		ret = wait_a_while(fds, 3, until->lost_ns && left > RETRY_NS ? RETRY_NS : left,
				   err);
		if (ret || fds[0].revents)
			break;
		if (fds[1].revents)
			ret = vmm_check_signal(signal_fd, err);
		if (!ret && fds[2].revents)
			ret = lose(until, now, err);
		if (!ret && until->lost_ns)
			ret = try_next(until, now, err);
		if (!ret && !left)
			ret = vmm_timed_out(until->timeout_ns, err);
	}
	return ret;
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

static int wait_with(const struct vmm_options *options, const struct vmm_vcpu *vcpu,
		     const struct vmm_servers *servers, int signal_fd, struct vl_err *err)
{
	struct vmm_run_until until = {
		.timeout_ns = options->timeout_ns,
		.session = servers->session,
	};

	if (servers->devices)
		return vmm_run_loop(vcpu, servers->devices, signal_fd, options->timeout_ns, err);
	return wait_for_end(vcpu, signal_fd, &until, err);
}

static int run_with_signals(const struct vmm_options *options, struct vmm_vcpu *vcpu,
			    struct vmm_guest_io *io, const struct vmm_servers *servers,
			    int signal_fd, struct vmm_vcpu_result *result, struct vl_err *err)
{
	struct vmm_explained explained = { .vcpu = vcpu, .io = io };
	int ret;

	vmm_vcpu_on_enter(vcpu, vmm_sandbox_enter_vcpu, (void *)options);
	if (vmm_explains_exits())
		ret = vmm_vcpu_start(vcpu, vmm_explain_exit, &explained, err);
	else
		ret = vmm_vcpu_start(vcpu, vmm_guest_exit, io, err);
	if (ret)
		return ret;
	ret = vmm_sandbox_settle(options, servers->trace, err);
	if (!ret)
		ret = wait_with(options, vcpu, servers, signal_fd, err);
	/* it may be waiting for one */
	vmm_devices_close(servers->devices);
	vmm_vcpu_stop(vcpu);
	vmm_vcpu_join(vcpu, result);
	return verdict(ret, vcpu, result, err);
}

int vmm_run(const struct vmm_options *options, struct vmm_vcpu *vcpu,
	    const struct vmm_servers *servers, struct vmm_guest_io *io,
	    struct vmm_vcpu_result *result, struct vl_err *err)
{
	static const struct vmm_servers none;
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
		ret = run_with_signals(options, vcpu, io, servers ? servers : &none, signal_fd,
				       result, err);
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
