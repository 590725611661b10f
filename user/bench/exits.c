// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench-exits: nanoseconds of a port write that goes to user space and back.
 *
 *   bench-exits bare|dispatch
 *
 * A guest of ours writes to a port for ever. 'bare' is a loop of ioctl(KVM_RUN) and no
 * library; 'dispatch' the library's vCPU, whose exits go to a device on the VMM's bus.
 * Median of batches.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <linux/kvm.h>

#include <vringlab/err.h>
#include <vringlab/vmm.h>
#include <vringlab/vmm_bus.h>
#include <vringlab/vmm_guest.h>
#include <vringlab/vmm_vcpu.h>

#include "common.h"

#define MEMORY 0x20000u
#define PORT 0x610
#define WARM_UP 500u
#define BATCH 100u
#define BATCHES 101u

struct meter {
	struct vmm *vm;
	uint64_t exits;
	uint64_t writes;
	uint64_t begin;
	uint64_t batch[BATCHES];
	size_t nr;
};

/* mov $0x610, %dx; 1: out %al, (%dx); jmp 1b */
static const uint8_t code[] = { 0xba, 0x10, 0x06, 0xee, 0xeb, 0xfd };

static void device_write(void *ctx, uint64_t offset, const void *data, unsigned int len)
{
	(void)offset;
	(void)data;
	(void)len;
	++*(uint64_t *)ctx;
}

/* Returns whether that was the last exit. */
static bool count_exit(struct meter *m)
{
	uint64_t now;

	if (++m->exits < WARM_UP || (m->exits - WARM_UP) % BATCH)
		return false;
	now = now_ns();
	if (m->exits > WARM_UP)
		m->batch[m->nr++] = now - m->begin;
	m->begin = now;
	return m->nr == BATCHES;
}

static int on_exit(void *ctx, struct kvm_run *run, struct vl_err *err)
{
	struct meter *m = ctx;
	int ret = vmm_bus_exit(m->vm, run, err);

	return !ret && count_exit(m) ? VMM_EXIT_GUEST_DONE : ret;
}

static void dispatch(struct meter *m)
{
	const struct vmm_range_ops ops = { .write = device_write };
	const struct vmm_range range = {
		.bus = VMM_BUS_PIO,
		.addr = PORT,
		.size = 1,
		.ops = &ops,
		.ctx = &m->writes,
		.name = "bench",
	};
	const struct vmm_guest_image image = {
		.name = "bench",
		.start = code,
		.size = sizeof(code),
	};
	struct vmm_vcpu_result result;
	struct vmm_vcpu *vcpu;
	struct vl_err err;

	if (vmm_create(&m->vm, NULL, &err) || vmm_memory_add(m->vm, 0, MEMORY, NULL, &err) ||
	    vmm_bus_add(m->vm, &range, &err) || vmm_vcpu_create(&vcpu, m->vm, 0, &err) ||
	    vmm_guest_load(m->vm, vcpu, &image, &err) || vmm_vcpu_start(vcpu, on_exit, m, &err))
		die("%s", err.msg);
	vmm_vcpu_join(vcpu, &result);
	if (result.end != VMM_END_GUEST)
		die("%s", result.err.msg);
	if (m->writes != m->exits)
		die("%llu writes for %llu exits", (unsigned long long)m->writes,
		    (unsigned long long)m->exits);
	vmm_vcpu_destroy(vcpu);
	vmm_destroy(m->vm);
}

static int request(int fd, unsigned long number, void *arg)
{
	int ret = ioctl(fd, number, arg);

	if (ret < 0)
		die_errno(errno, "KVM request %#lx", number);
	return ret;
}

static void *map(int fd, size_t size, int flags)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, 0);

	if (at == MAP_FAILED)
		die_errno(errno, "mmap");
	return at;
}

/* Real mode at 0, the same code; the process's end takes all of it away. */
static int bare_vcpu(struct kvm_run **run)
{
	struct kvm_userspace_memory_region region = { .memory_size = MEMORY };
	struct kvm_regs regs = { .rflags = 2 };
	int kvm = open(VMM_KVM_PATH, O_RDWR | O_CLOEXEC);
	struct kvm_sregs sregs;
	int vm, vcpu;

	if (kvm < 0)
		die_errno(errno, "cannot open " VMM_KVM_PATH);
	vm = request(kvm, KVM_CREATE_VM, NULL);
	region.userspace_addr = (uintptr_t)map(-1, MEMORY, MAP_PRIVATE | MAP_ANONYMOUS);
	memcpy((void *)(uintptr_t)region.userspace_addr, code, sizeof(code));
	request(vm, KVM_SET_USER_MEMORY_REGION, &region);
	vcpu = request(vm, KVM_CREATE_VCPU, NULL);
	*run = map(vcpu, request(kvm, KVM_GET_VCPU_MMAP_SIZE, NULL), MAP_SHARED);
	request(vcpu, KVM_GET_SREGS, &sregs);
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	request(vcpu, KVM_SET_SREGS, &sregs);
	request(vcpu, KVM_SET_REGS, &regs);
	return vcpu;
}

static void bare(struct meter *m)
{
	struct kvm_run *run;
	int vcpu = bare_vcpu(&run);

	do {
		request(vcpu, KVM_RUN, NULL);
		if (run->exit_reason != KVM_EXIT_IO)
			die("exit %u instead of a port's", run->exit_reason);
	} while (!count_exit(m));
}

int main(int argc, char **argv)
{
	static struct meter m;

	pin();
	if (argc == 2 && !strcmp(argv[1], "bare")) {
		bare(&m);
	} else if (argc == 2 && !strcmp(argv[1], "dispatch")) {
		dispatch(&m);
	} else {
		fputs("usage: bench-exits bare|dispatch\n", stderr);
		return 2;
	}
	printf("%.1f\n", (double)percentile_u64(m.batch, m.nr, 50) / BATCH);
	return 0;
}
