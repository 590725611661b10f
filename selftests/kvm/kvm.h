/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the programs of this ring share. After kselftest_harness.h.
 */
#ifndef VRINGLAB_SELFTESTS_KVM_H
#define VRINGLAB_SELFTESTS_KVM_H

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/kvm.h>

#define KVM_PATH "/dev/kvm"

/* Emulated processors take their time, and real-time kernels longer. */
#define SLOW 120

/* First thing in a test or fixture set-up that needs KVM. */
#define REQUIRE_KVM()                                                                \
	do {                                                                         \
		if (access(KVM_PATH, R_OK | W_OK))                                   \
			SKIP(return, "needs " KVM_PATH                               \
				     ": load kvm_intel or kvm_amd, join group kvm"); \
	} while (0)

/* A VM with nothing in it, for what is asked of KVM itself; -1 where there is none. */
struct bare_vm {
	int kvm;
	int vm;
};

static inline void bare_vm_open(struct bare_vm *b)
{
	b->kvm = open(KVM_PATH, O_RDWR | O_CLOEXEC);
	b->vm = b->kvm < 0 ? -1 : ioctl(b->kvm, KVM_CREATE_VM, 0);
}

static inline void bare_vm_close(const struct bare_vm *b)
{
	close(b->vm);
	close(b->kvm);
}

#endif /* VRINGLAB_SELFTESTS_KVM_H */
