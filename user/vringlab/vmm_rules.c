// SPDX-License-Identifier: GPL-2.0-only
/*
 * System calls of a VMM that is set up. No file is opened, no program executed, no process
 * made, nothing of others is traced or signalled, and no memory becomes code. Of sockets
 * there are unix sockets, for the next vhost-user back-end.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <liburing.h>
#include <linux/if_tun.h>
#include <linux/kvm.h>
#include <linux/vhost.h>

#include "vmm_sandbox.h"

#define SIZE(array) (sizeof(array) / sizeof((array)[0]))

#define ANY(call)                                \
	{                                        \
		SYS_##call, SANDBOX_ANY, 0, 0, 0 \
	}
#define ONLY(call, arg, value)                        \
	{                                             \
		SYS_##call, arg, UINT32_MAX, value, 0 \
	}
#define BITS(call, arg, mask, value)            \
	{                                       \
		SYS_##call, arg, mask, value, 0 \
	}
#define FAILS(call, code)                           \
	{                                           \
		SYS_##call, SANDBOX_ANY, 0, 0, code \
	}
#define IOCTL(request) ONLY(ioctl, 1, request)
/* liburing sets the upper bit where it names the ring by an index. */
#define RING(operation) BITS(io_uring_register, 1, INT32_MAX, operation)

/* What a vCPU calls at each exit comes first. */
static struct sandbox_rule all[] = {
	IOCTL(KVM_RUN), IOCTL(KVM_IRQ_LINE), IOCTL(KVM_SIGNAL_MSI), IOCTL(KVM_IRQFD),
	IOCTL(KVM_SET_GSI_ROUTING), IOCTL(KVM_IOEVENTFD), IOCTL(KVM_CHECK_EXTENSION), IOCTL(TCGETS),
	IOCTL(TCSETS), IOCTL(KVM_GET_REGS), IOCTL(KVM_GET_SREGS), IOCTL(KVM_SET_REGS),
	IOCTL(KVM_SET_SREGS), IOCTL(KVM_GET_DEVICE_ATTR), IOCTL(VHOST_SET_FEATURES),
	IOCTL(VHOST_SET_MEM_TABLE), IOCTL(VHOST_SET_VRING_ADDR), IOCTL(VHOST_SET_VRING_BASE),
	IOCTL(VHOST_SET_VRING_CALL), IOCTL(VHOST_SET_VRING_ERR), IOCTL(VHOST_SET_VRING_KICK),
	IOCTL(VHOST_SET_VRING_NUM), IOCTL(VHOST_NET_SET_BACKEND), IOCTL(VHOST_VSOCK_SET_GUEST_CID),
	IOCTL(VHOST_VSOCK_SET_RUNNING), IOCTL(TUNSETOFFLOAD), IOCTL(TUNSETQUEUE),
	IOCTL(TUNSETVNETHDRSZ), ANY(write), ANY(futex), ANY(read), ANY(brk), ANY(clock_gettime),
	ANY(clock_nanosleep), ANY(exit), ANY(exit_group), ANY(getpid), ANY(gettid), ANY(madvise),
	BITS(mmap, 2, PROT_EXEC, 0), BITS(mprotect, 2, PROT_EXEC, 0), ANY(munmap),
	ONLY(newfstatat, 3, AT_EMPTY_PATH), ANY(restart_syscall), ANY(rt_sigprocmask),
	ANY(rt_sigreturn), ANY(sched_yield),
	/* the loop and its devices */
	ANY(io_uring_enter), /* a front-end makes a ring for each connection */
	ANY(io_uring_setup), ONLY(prlimit64, 0, 0), RING(IORING_REGISTER_FILES),
	RING(IORING_REGISTER_FILES2), RING(IORING_REGISTER_FILES_UPDATE),
	RING(IORING_REGISTER_RING_FDS), RING(IORING_UNREGISTER_RING_FDS), ANY(close), ANY(connect),
	ANY(eventfd2), ANY(fallocate), ONLY(fcntl, 1, F_GETFD), ONLY(fcntl, 1, F_GETFL),
	ONLY(fcntl, 1, F_SETFD), ONLY(fcntl, 1, F_SETFL), ANY(fdatasync), ANY(fstat), ANY(fstatfs),
	ANY(fsync), ANY(getpeername), ANY(getrandom), ANY(getsockopt), ANY(lseek), ANY(mremap),
	ANY(nanosleep), ANY(poll), ANY(ppoll), ANY(pread64), ANY(preadv), ANY(preadv2),
	ANY(pwrite64), ANY(pwritev), ANY(readv), ANY(recvfrom), ANY(recvmsg), ANY(rt_sigaction),
	ANY(rt_sigpending), ANY(rt_sigtimedwait), ANY(sendmsg), ANY(sendto), ANY(setsockopt),
	ANY(shutdown), ANY(signalfd4), ONLY(socket, 0, AF_UNIX), ONLY(socketpair, 0, AF_UNIX),
	ANY(wait4), ANY(writev),
	/* threads and how they begin; without clone3, whose flags a filter cannot see */
	FAILS(clone3, ENOSYS), BITS(clone, 0, CLONE_THREAD, CLONE_THREAD), ANY(rseq),
	ANY(set_robust_list), ANY(sched_getaffinity), ANY(capget), ANY(capset),
	ANY(sched_setaffinity), ANY(sched_setscheduler), ANY(seccomp), ANY(setpriority),
	ONLY(prctl, 0, PR_GET_NAME), ONLY(prctl, 0, PR_SET_NAME),
	ONLY(tgkill, 0, 0), /* of ourselves: set by vmm_rules_all() */
};

/*
 * Handlers of exits, which --explain shows registers in; the end of a thread, and that of
 * the process by a failure.
 */
static const struct sandbox_rule vcpu[] = {
	IOCTL(KVM_RUN),
	IOCTL(KVM_IRQ_LINE),
	IOCTL(KVM_SIGNAL_MSI),
	IOCTL(KVM_IRQFD),
	IOCTL(KVM_SET_GSI_ROUTING),
	IOCTL(KVM_IOEVENTFD),
	IOCTL(KVM_CHECK_EXTENSION),
	IOCTL(KVM_GET_REGS),
	IOCTL(KVM_GET_SREGS),
	IOCTL(TCGETS),
	IOCTL(TCSETS),
	ANY(write),
	ANY(futex),
	ANY(read),
	ANY(brk),
	ANY(clock_gettime),
	ANY(clock_nanosleep),
	ANY(exit),
	ANY(exit_group),
	ANY(getpid),
	ANY(gettid),
	ANY(madvise),
	BITS(mmap, 2, PROT_EXEC, 0),
	BITS(mprotect, 2, PROT_EXEC, 0),
	ANY(munmap),
	ONLY(newfstatat, 3, AT_EMPTY_PATH),
	ANY(restart_syscall),
	ANY(rt_sigprocmask),
	ANY(rt_sigreturn),
	ANY(sched_yield),
	ONLY(prctl, 0, PR_GET_NAME),
};

const struct sandbox_rule *vmm_rules_all(unsigned int *nr, unsigned int pid)
{
	*nr = SIZE(all);
	all[SIZE(all) - 1].value = pid;
	return all;
}

const struct sandbox_rule *vmm_rules_vcpu(unsigned int *nr)
{
	*nr = SIZE(vcpu);
	return vcpu;
}
