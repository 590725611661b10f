// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <linux/capability.h>
#include <linux/seccomp.h>

#include <vringlab/err.h>
#include <vringlab/sandbox.h>

#include "filter.h"

static struct {
	sandbox_violation_fn *violation;
} handler;

static uint64_t second_argument(const void *context)
{
#ifdef __x86_64__
	return ((const ucontext_t *)context)->uc_mcontext.gregs[REG_RSI];
#else
	(void)context;
	return 0;
#endif
}

static void on_sigsys(int signal, siginfo_t *info, void *context)
{
	char name[16] = "";

	(void)signal;
	/* allowed or not, the second violation would kill it without a word */
	if (info->si_syscall != SYS_prctl)
		prctl(PR_GET_NAME, name);
	handler.violation(name, info->si_syscall, second_argument(context));
}

static int catch_violations(sandbox_violation_fn *violation)
{
	struct sigaction action = { .sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO };

	handler.violation = violation;
	sigfillset(&action.sa_mask);
	return sigaction(SIGSYS, &action, NULL) ? -errno : 0;
}

static long seccomp(unsigned int operation, unsigned int flags, void *args)
{
	return syscall(SYS_seccomp, operation, flags, args);
}

int sandbox_check(struct vl_err *err)
{
	uint32_t action = SECCOMP_RET_TRAP;

	if (!seccomp(SECCOMP_GET_ACTION_AVAIL, 0, &action))
		return 0;
	return vl_err_set(err, -ENOSYS,
			  "there is no sandbox here: %s; a kernel with CONFIG_SECCOMP_FILTER has "
			  "them, --no-sandbox goes without",
			  errno == ENOSYS || errno == EINVAL || errno == EOPNOTSUPP ?
				  "this kernel has no seccomp filters" :
				  "seccomp(2) is forbidden");
}

/* What the guest runs is not this thread's: its speculation stays as it was set. */
static int install(const struct sandbox_rule *rules, unsigned int nr, unsigned int flags,
		   struct vl_err *err)
{
	struct sock_fprog prog;
	long set;
	int ret = filter_make(&prog, rules, nr, err);

	if (ret)
		return ret;
	set = seccomp(SECCOMP_SET_MODE_FILTER, flags | SECCOMP_FILTER_FLAG_SPEC_ALLOW, &prog);
	/* the number of a thread that has a filter of its own */
	if (set > 0)
		ret = vl_err_set(err, -EBUSY, "thread %ld has a seccomp filter already", set);
	else if (set)
		ret = vl_err_set(err, -errno, "cannot set a seccomp filter: %s",
				 vl_strerror(errno));
	free(prog.filter);
	return ret;
}

int sandbox_enter(const struct sandbox_rule *rules, unsigned int nr,
		  sandbox_violation_fn *violation, struct vl_err *err)
{
	int ret = catch_violations(violation);

	if (!ret && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		ret = -errno;
	if (ret)
		return vl_err_set(err, ret, "cannot set up a sandbox: %s", vl_strerror(ret));
	return install(rules, nr, SECCOMP_FILTER_FLAG_TSYNC, err);
}

int sandbox_enter_thread(const struct sandbox_rule *rules, unsigned int nr, struct vl_err *err)
{
	return install(rules, nr, 0, err);
}

int sandbox_drop_capabilities(uint64_t keep, struct vl_err *err)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3];
	int ret = syscall(SYS_capget, &head, caps);

	for (unsigned int i = 0; !ret && i < _LINUX_CAPABILITY_U32S_3; i++) {
		caps[i].permitted &= keep >> 32 * i;
		caps[i].effective &= keep >> 32 * i;
		caps[i].inheritable = 0;
	}
	if (!ret)
		ret = syscall(SYS_capset, &head, caps);
	return ret ? vl_err_set(err, -errno, "cannot drop capabilities: %s", vl_strerror(errno)) :
		     0;
}
