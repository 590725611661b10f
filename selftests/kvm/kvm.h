/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the programs of this ring share. After kselftest_harness.h.
 */
#ifndef VRINGLAB_SELFTESTS_KVM_H
#define VRINGLAB_SELFTESTS_KVM_H

#include <unistd.h>

#define KVM_PATH "/dev/kvm"

/* First thing in a test or fixture set-up that needs KVM. */
#define REQUIRE_KVM()                                                                \
	do {                                                                         \
		if (access(KVM_PATH, R_OK | W_OK))                                   \
			SKIP(return, "needs " KVM_PATH                               \
				     ": load kvm_intel or kvm_amd, join group kvm"); \
	} while (0)

#endif /* VRINGLAB_SELFTESTS_KVM_H */
