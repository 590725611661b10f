// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stopping a vCPU without a race:
 *
 *   vmm_vcpu_stop()                      vCPU thread
 *   stop = true                          while (!stop)
 *   run->immediate_exit = 1                      KVM_RUN
 *   pthread_kill()
 *
 * A signal that comes before KVM_RUN has run its handler by then, but KVM_RUN
 * sees immediate_exit, which was written before the signal was sent. One that
 * comes inside KVM_RUN ends it with EINTR.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include <vringlab/fd.h>
#include <vringlab/vmm_exit.h>

#include "internal.h"

/* The first ones are often taken by thread libraries and tools. */
#define STOP_SIGNAL (SIGRTMIN + 3)

static void on_stop_signal(int signal)
{
	(void)signal; /* its only effect is EINTR */
}

static void install_stop_signal(void)
{
	/* without SA_RESTART */
	struct sigaction action = { .sa_handler = on_stop_signal };

	sigemptyset(&action.sa_mask);
	sigaction(STOP_SIGNAL, &action, NULL);
}

static int map_run(struct vmm_vcpu *vcpu, struct vl_err *err)
{
	size_t size = vcpu->vm->run_size;
	struct vmm_call call = {
		.kind = VMM_CALL_MMAP,
		.fd = vcpu->fd,
		.name = "mmap",
		.on = "struct kvm_run",
		.size = size,
	};
	void *run;
	int code;

	vmm_call_asked(&call);
	run = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	code = run == MAP_FAILED ? -errno : 0;
	call.arg = code ? NULL : run;
	vmm_call_answered(&call, code);
	if (code)
		return vl_err_set(err, code, "cannot map struct kvm_run of vCPU %u: %s", vcpu->id,
				  vl_strerror(code));
	vcpu->run = run;
	return 0;
}

int vmm_vcpu_create(struct vmm_vcpu **vcpu, struct vmm *vm, unsigned int id, struct vl_err *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct vmm_vcpu *new;
	int ret;

	new = calloc(1, sizeof(*new));
	if (!new)
		return vl_err_set(err, -ENOMEM, "no memory for a vCPU");
	pthread_once(&once, install_stop_signal);
	new->vm = vm;
	new->id = id;
	new->fd = -1;
	new->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (new->done_fd < 0) {
		ret = vl_err_set(err, -errno, "eventfd: %s", vl_strerror(errno));
		goto out_destroy;
	}
	ret = vmm_ioctl_num(vm->vm_fd, KVM_CREATE_VCPU, id, err, "vCPU %u", id);
	if (ret < 0)
		goto out_destroy;
	new->fd = ret;
	ret = map_run(new, err);
	if (ret)
		goto out_destroy;
	ret = vmm_ioctl_raw(new->fd, KVM_GET_TSC_KHZ, NULL);
	new->tsc_khz = ret > 0 ? ret : 0;
	*vcpu = new;
	return 0;

out_destroy:
	vmm_vcpu_destroy(new);
	return ret;
}

void vmm_vcpu_destroy(struct vmm_vcpu *vcpu)
{
	if (!vcpu)
		return;
	if (vcpu->started) {
		vmm_vcpu_stop(vcpu);
		vmm_vcpu_join(vcpu, NULL);
	}
	if (vcpu->run)
		munmap(vcpu->run, vcpu->vm->run_size);
	vl_fd_close(&vcpu->fd);
	vl_fd_close(&vcpu->done_fd);
	free(vcpu);
}

uint32_t vmm_vcpu_tsc_khz(const struct vmm_vcpu *vcpu)
{
	return vcpu->tsc_khz;
}

int vmm_vcpu_tsc_offset(const struct vmm_vcpu *vcpu, uint64_t *offset)
{
	uint64_t told;
	struct kvm_device_attr attr = {
		.group = KVM_VCPU_TSC_CTRL,
		.attr = KVM_VCPU_TSC_OFFSET,
		.addr = (uintptr_t)&told,
	};
	int ret = vmm_ioctl_raw(vcpu->fd, KVM_GET_DEVICE_ATTR, &attr);

	if (ret < 0)
		return ret;
	*offset = told;
	return 0;
}

static int unexpected(struct vmm_vcpu *vcpu)
{
	struct vmm_vcpu_result *result = &vcpu->result;
	char text[sizeof(result->err.msg)];

	vmm_exit_describe(vcpu->run, vcpu->vm->run_size, text, sizeof(text));
	vl_err_set(&result->err, -EOPNOTSUPP, "vCPU %u: unexpected %s", vcpu->id, text);
	result->end = VMM_END_UNEXPECTED;
	return -EOPNOTSUPP;
}

/* Returns 0 to go on, anything else to end. */
static int run_once(struct vmm_vcpu *vcpu)
{
	struct vmm_vcpu_result *result = &vcpu->result;
	int ret;

	ret = vmm_ioctl_num(vcpu->fd, KVM_RUN, 0, &result->err, "vCPU %u", vcpu->id);
	if (ret == -EINTR || ret == -EAGAIN)
		return 0;
	if (ret < 0) {
		/* the one exit that comes with an errno */
		if (vcpu->run->exit_reason == VMM_EXIT_MEMORY_FAULT)
			unexpected(vcpu);
		return ret;
	}
	result->exits++;
	ret = vcpu->handler(vcpu->ctx, vcpu->run, &result->err);
	if (ret == VMM_EXIT_NOT_KNOWN)
		return unexpected(vcpu);
	if (ret == VMM_EXIT_GUEST_DONE)
		result->end = VMM_END_GUEST;
	return ret;
}

/*
 * Once stop is seen, immediate_exit may not be there yet: it is set here too,
 * so that the last KVM_RUN cannot enter the guest.
 */
static void *vcpu_thread(void *arg)
{
	struct vmm_vcpu *vcpu = arg;
	uint64_t one = 1;
	char name[16];
	sigset_t stop;
	int ret = 0;

	/* what traces of this machine will show */
	snprintf(name, sizeof(name), "vcpu%u", vcpu->id);
	pthread_setname_np(pthread_self(), name);

	sigemptyset(&stop);
	sigaddset(&stop, STOP_SIGNAL);
	pthread_sigmask(SIG_UNBLOCK, &stop, NULL);

	vcpu->result.end = VMM_END_FAILED;
	if (vcpu->enter)
		ret = vcpu->enter(vcpu->enter_ctx, vcpu->id, &vcpu->result.err);
	while (!ret && !atomic_load(&vcpu->stop))
		ret = run_once(vcpu);
	if (!ret) {
		/* ends an I/O instruction that is half done: registers are right then */
		__atomic_store_n(&vcpu->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
		vmm_ioctl_raw(vcpu->fd, KVM_RUN, NULL);
		vcpu->result.end = VMM_END_STOPPED;
	}
	/* interrupted runs left their EINTR there */
	if (vcpu->result.end == VMM_END_STOPPED || vcpu->result.end == VMM_END_GUEST)
		vcpu->result.err = (struct vl_err){ 0 };
	/* cannot fail: the counter is 0 */
	if (write(vcpu->done_fd, &one, sizeof(one)) != sizeof(one))
		abort();
	return NULL;
}

void vmm_vcpu_on_enter(struct vmm_vcpu *vcpu, vmm_enter_fn enter, void *ctx)
{
	vcpu->enter = enter;
	vcpu->enter_ctx = ctx;
}

int vmm_vcpu_start(struct vmm_vcpu *vcpu, vmm_exit_fn handler, void *ctx, struct vl_err *err)
{
	int ret;

	vcpu->handler = handler;
	vcpu->ctx = ctx;
	ret = vmm_thread_create(&vcpu->thread, vcpu_thread, vcpu);
	if (ret)
		return vl_err_set(err, ret, "cannot start a thread for vCPU %u: %s", vcpu->id,
				  vl_strerror(ret));
	vcpu->started = true;
	return 0;
}

int vmm_vcpu_done_fd(const struct vmm_vcpu *vcpu)
{
	return vcpu->done_fd;
}

void vmm_vcpu_stop(struct vmm_vcpu *vcpu)
{
	atomic_store(&vcpu->stop, true);
	__atomic_store_n(&vcpu->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	pthread_kill(vcpu->thread, STOP_SIGNAL);
}

void vmm_vcpu_join(struct vmm_vcpu *vcpu, struct vmm_vcpu_result *result)
{
	pthread_join(vcpu->thread, NULL);
	vcpu->started = false;
	if (result)
		*result = vcpu->result;
}
